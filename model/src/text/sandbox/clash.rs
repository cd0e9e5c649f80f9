//! Rules that cannot all hold: what one allows and another forbids. Both places are shown.
//!
//! Nothing is decided here by guessing which of the two was meant.

use std::collections::BTreeMap;

use super::super::check::Check;
use super::super::decode::{At, Choice};
use super::super::raw;
use super::super::report::{Place, Problem};
use super::calls;
use crate::sandbox::{Access, Proc, Profile, Tmp, View, is_below, is_of_root};
use crate::service::Service;
use crate::word::Word;

/// Notes them; `raw` has all that it inherits joined to it.
pub(crate) fn check(raw: &raw::Sandbox, c: &mut Check) {
    let (files, network, calls) = (raw.files.as_ref(), raw.network.as_ref(), raw.calls.as_ref());
    if let Some(files) = files {
        write_and_execute(files, c);
        replaced(files, c);
        rooted(files, c);
    }
    network.into_iter().for_each(|network| reachable(network, c));
    let both = features(raw);
    for (required, optional) in both {
        let message = format!("`{}` can't be needed and missing", required.value);
        let problem = Problem::new(optional.place.clone(), message).label("may be missing");
        c.add(problem.also(required.place.clone(), "needed").help("leave it out of one of them"));
    }
    let Some(forbid) = &raw.forbid else { return };
    if let Some(files) = files {
        hidden(files, forbid, c);
    }
    let empty = Vec::new();
    let listed = raw.capabilities.as_ref().unwrap_or(&empty);
    for (one, other) in pairs(listed, &forbid.capabilities, |a, b| a == b) {
        clash(&format!("the capability {}", one.value), &one.place, &other.place, c);
    }
    let families = network.and_then(|n| n.families.as_deref()).unwrap_or_default();
    for (one, other) in pairs(families, &forbid.families, |a, b| a == b) {
        let what = format!("the family \"{}\"", one.value.0.word());
        clash(&what, &one.place, &other.place, c);
    }
    if let Some(calls) = calls {
        called(calls, forbid, c);
    }
    let host = |at: &&At<Choice<Access>>| at.value.0 == Access::Host;
    let said = network.and_then(|n| n.access.as_ref()).filter(host).map(|at| &at.place);
    single("the device's network", said, &forbid.network, c);
    let said = raw.write_execute.as_ref().filter(|at| at.value).map(|at| &at.place);
    single("memory that is writable and executable", said, &forbid.write_execute, c);
    let said = raw.no_new_privileges.as_ref().filter(|at| !at.value).map(|at| &at.place);
    single("gaining privileges", said, &forbid.new_privileges, c);
}

/// Notes that a service whose programs may gain privileges has rules that the kernel then refuses to
/// set: it could be tricked by them.
pub(crate) fn privileges(raw: &raw::Sandbox, service: &Service, c: &mut Check) {
    let profile = &service.sandbox;
    let Some(at) = raw.no_new_privileges.as_ref().filter(|_| !profile.no_new_privileges) else {
        return;
    };
    let kept = profile.capabilities.as_ref();
    let trusted = service.user.is_none()
        && kept.is_none_or(|kept| kept.iter().any(|name| name == "SYS_ADMIN"));
    if trusted || !filtered(profile) {
        return;
    }
    let message = "rules about files, ports and system calls need `no-new-privileges`";
    let help = "write no-new-privileges = true; only root with SYS_ADMIN can do without";
    c.add(Problem::new(at.place.clone(), message).help(help));
}

/// Notes that a service has a profile and says why it has none.
pub(crate) fn excepted(raw: &raw::Sandbox, service: &Service, c: &mut Check) {
    let said = raw.exception.as_ref().filter(|_| service.exception.is_some());
    if let (Some(at), true) = (said, service.sandbox.confines()) {
        let problem = Problem::new(
            at.place.clone(),
            "`exception` says why there is no profile, and there is one",
        );
        c.add(problem.help("leave it out; a drop-in takes it back with exception = \"\""));
    }
}

/// Whether rules are held by Landlock or by a filter of system calls.
fn filtered(profile: &Profile) -> bool {
    let Profile { files, network, calls, forbid, .. } = profile;
    let lists = [&files.read, &files.write, &files.execute, &calls.allow];
    let ports = [&network.connect, &network.listen];
    let more = [&calls.deny, &calls.kill, &forbid.calls, &forbid.files, &forbid.write];
    lists.into_iter().any(Option::is_some)
        || ports.into_iter().any(Option::is_some)
        || more.into_iter().any(|list| !list.is_empty())
        || network.families.is_some()
        || !forbid.families.is_empty()
        || profile.write_execute == Some(false)
        || profile.lock_personality
}

/// Notes that `what` is allowed at `one` and forbidden at `other`.
fn clash(what: &str, one: &Place, other: &Place, c: &mut Check) {
    let problem = Problem::new(one.clone(), format!("{what} is allowed and forbidden"));
    let help =
        "what is forbidden stays so for all that inherit it: leave this out, or inherit less";
    c.add(problem.label("allowed here").also(other.clone(), "forbidden here").help(help));
}

fn single(what: &str, said: Option<&Place>, forbidden: &Option<At<bool>>, c: &mut Check) {
    if let (Some(one), Some(other)) = (said, forbidden.as_ref().filter(|at| at.value)) {
        clash(what, one, &other.place, c);
    }
}

/// Of each item the first that it meets.
fn pairs<'r, T>(
    items: &'r [At<T>],
    others: &'r Option<Vec<At<T>>>,
    meets: impl Fn(&T, &T) -> bool,
) -> Vec<(&'r At<T>, &'r At<T>)> {
    let others = others.as_deref().unwrap_or_default();
    let met = |item: &'r At<T>| Some((item, others.iter().find(|o| meets(&item.value, &o.value))?));
    items.iter().filter_map(met).collect()
}

fn features(raw: &raw::Sandbox) -> Vec<(&At<String>, &At<String>)> {
    pairs(raw.requires.as_deref().unwrap_or_default(), &raw.optional, |a, b| a == b)
}

fn lists(files: &raw::Files) -> [&[At<String>]; 3] {
    [&files.read, &files.write, &files.execute].map(|list| list.as_deref().unwrap_or_default())
}

/// Trees that are allowed and lie in one that is forbidden.
fn hidden(files: &raw::Files, forbid: &raw::Forbid, c: &mut Check) {
    for list in lists(files) {
        for (one, other) in pairs(list, &forbid.files, |a, b| is_below(a, b)) {
            clash(&format!("`{}`", one.value), &one.place, &other.place, c);
        }
    }
    let write = files.write.as_deref().unwrap_or_default();
    for (one, other) in pairs(write, &forbid.write, |a, b| is_below(a, b)) {
        clash(&format!("writing to `{}`", one.value), &one.place, &other.place, c);
    }
    let devices = files.devices.as_deref().unwrap_or_default();
    let in_dev = |device: &String, tree: &String| is_below(&format!("/dev/{device}"), tree);
    for (one, other) in pairs(devices, &forbid.files, in_dev) {
        clash(&format!("the device `{}`", one.value), &one.place, &other.place, c);
    }
}

/// What can be written can't be executed.
fn write_and_execute(files: &raw::Files, c: &mut Check) {
    let write = files.write.as_deref().unwrap_or_default();
    for (one, other) in pairs(write, &files.execute, |a, b| is_below(a, b) || is_below(b, a)) {
        let message = format!("`{}` would be writable and executable", one.value);
        let problem = Problem::new(one.place.clone(), message).label("written here");
        let problem = problem.also(other.place.clone(), "executed here");
        c.add(problem.help("a program that can be replaced is not the one you meant"));
    }
}

/// Trees that are replaced by something of its own.
fn replaced(files: &raw::Files, c: &mut Check) {
    let tmp = files.tmp.as_ref().filter(|at| at.value.0 == Tmp::Private);
    let proc = files.proc.as_ref().filter(|at| at.value.0 == Proc::Own);
    let own = [
        (tmp.map(|at| &at.place), &["/tmp", "/var/tmp"][..], "`tmp` is private"),
        (proc.map(|at| &at.place), &["/proc"], "`proc` is its own"),
    ];
    for (place, roots, what) in own {
        let Some(place) = place else { continue };
        let inside =
            |at: &&At<String>| roots.iter().any(|root| is_below(at, root) && (at.value != "/proc"));
        for one in lists(files).into_iter().flatten().filter(inside) {
            let message = format!("`{}` of the device is not there: {what}", one.value);
            let problem = Problem::new(one.place.clone(), message).label("named here");
            c.add(problem.also(place.clone(), "replaced here").help("leave one of them out"));
        }
    }
}

/// A root of its own where everything of the device is there, and what would be written in it.
fn rooted(files: &raw::Files, c: &mut Check) {
    let Some(root) = &files.root else { return };
    let message = "a root of its own takes the place of what is listed, and nothing is";
    match files.view.as_ref().filter(|at| at.value.0 == View::Listed) {
        Some(_) => {}
        None => c.add(Problem::new(root.place.clone(), message).help("write view = \"listed\"")),
    }
    for one in files.write.iter().flatten().filter(|at| is_of_root(&at.value)) {
        let message = format!("`{}` is of the root, which nobody writes to", one.value);
        let problem = Problem::new(one.place.clone(), message).label("written here");
        let problem = problem.also(root.place.clone(), "the root");
        c.add(problem.help("write to a tree of the device, like \"/var/lib/web\""));
    }
}

/// Ports in a network without anybody.
fn reachable(network: &raw::Network, c: &mut Check) {
    let Some(none) = network.access.as_ref().filter(|at| at.value.0 == Access::None) else {
        return;
    };
    for (key, list) in [("connect", &network.connect), ("listen", &network.listen)] {
        let Some(at) = list.iter().flatten().next() else { continue };
        let message = format!("`{key}` names ports, and the network is empty");
        let problem = Problem::new(at.place.clone(), message);
        let problem = problem.also(none.place.clone(), "an empty network of its own");
        c.add(problem.help("sockets of [[socket]] are passed to it and need no network"));
    }
}

/// Calls that are allowed by name, or by a group of which nothing is left.
fn called(calls: &raw::Calls, forbid: &raw::Forbid, c: &mut Check) {
    let mut forbidden: BTreeMap<&str, &Place> = BTreeMap::new();
    for at in forbid.calls.iter().flatten() {
        let names = calls::members(&at.value).unwrap_or_default();
        forbidden.extend(names.into_iter().map(|name| (name, &at.place)));
    }
    for at in calls.allow.iter().flatten() {
        // Most have one that is not, and few are looked at to find it.
        if !calls::all_of(&at.value, &mut |name| forbidden.contains_key(name)) {
            continue;
        }
        if let Some(other) = calls::members(&at.value)
            .unwrap_or_default()
            .first()
            .and_then(|name| forbidden.get(name))
        {
            clash(&format!("`{}`", at.value), &at.place, other, c);
        }
    }
}
