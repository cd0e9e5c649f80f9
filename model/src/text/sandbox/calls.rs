//! Names of system calls and of groups of them.

use super::super::near::did_you_mean;
use super::super::value::{Bad, Checked};
use crate::sandbox::calls;

/// The calls that a name stands for: one, or those of a group.
pub(super) fn members(name: &str) -> Option<Vec<&'static str>> {
    match calls::group(name) {
        Some(group) => Some(group.members().into_iter().collect()),
        None => calls::call(name).map(|call| vec![call.name]),
    }
}

/// Whether something holds for all calls that a name stands for; asked until it does not.
pub(super) fn all_of(name: &str, holds: &mut dyn FnMut(&str) -> bool) -> bool {
    match calls::group(name) {
        Some(group) => group.calls.iter().all(|name| all_of(name, holds)),
        None => holds(name),
    }
}

/// The name of a call, or of a group with its `@`.
pub(super) fn name(text: &str) -> Checked<String> {
    if calls::known(text) || calls::group(text).is_some() {
        return Ok(text.to_owned());
    }
    let groups = || calls::groups().iter().map(|group| group.name);
    let (what, near) = if text.starts_with('@') {
        ("group of system calls", did_you_mean(text, groups()))
    } else {
        let group = groups().find(|group| group.strip_prefix('@') == Some(text));
        let group = group.map(|group| format!("did you mean the group `{group}`?"));
        ("system call", group.or_else(|| did_you_mean(text, calls::all().map(|call| call.name))))
    };
    let help = near.unwrap_or_else(|| {
        let groups: Vec<&str> = groups().collect();
        format!("a name as in syscalls(2), or a group: {}", groups.join(", "))
    });
    Err(Bad { message: format!("no {what} is called `{text}`"), help: Some(help) })
}
