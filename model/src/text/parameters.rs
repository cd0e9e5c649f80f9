//! The parameters that an image brings.

use std::collections::BTreeMap;

use super::check::Check;
use super::decode::Named;
use super::report::Problem;
use super::value::{Checked, bad};
use crate::parameter::{MAX_NAME, MAX_PARAMS, SERVICE, SYSTEM, is_name, longest};

/// Checks names and values.
pub(crate) fn check(raw: Option<&Named>, c: &mut Check) -> BTreeMap<String, String> {
    let list = raw.map(|named| named.0.as_slice()).unwrap_or_default();
    let names = list.iter().map(|(name, _)| (name.as_str(), &name.place));
    c.unique(names, |name| format!("the parameter `{name}` has two values"));
    if let Some((last, _)) = list.get(MAX_PARAMS) {
        let message = format!("a device has at most {MAX_PARAMS} parameters");
        c.add(Problem::new(last.place.clone(), message));
    }
    let checked = list.iter().filter_map(|(name, value)| {
        let value = c.one(Some(value), |text| self::value(name, text));
        c.one(Some(name), self::name).zip(value)
    });
    checked.collect()
}

fn name(text: &str) -> Checked<String> {
    if !is_name(text) {
        return bad(
            format!("`{text}` is not the name of a parameter"),
            format!(
                "at most {MAX_NAME} of a-z, 0-9, `_` and `-`, in parts with dots between: \
                 \"persist.wifi.on\""
            ),
        );
    }
    if text.starts_with(SERVICE) {
        return bad(
            format!("`{text}` would be the state of a service"),
            format!("a name that does not begin with `{SERVICE}`"),
        );
    }
    if SYSTEM.contains(&text) {
        return bad(format!("`{text}` is set by the system itself"), "another name");
    }
    Ok(text.to_owned())
}

fn value(name: &str, text: &str) -> Checked<String> {
    let most = longest(name);
    if text.len() > most {
        return bad(
            format!("this value has {} bytes", text.len()),
            format!("at most {most}; `const.` parameters may have more"),
        );
    }
    if text.contains('\0') {
        return bad("there is a NUL in this value", "leave it out");
    }
    Ok(text.to_owned())
}
