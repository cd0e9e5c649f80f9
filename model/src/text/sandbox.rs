//! Profiles: from what was written to [`Profile`].
//!
//! ```text
//! sandbox/base.toml ─┐
//! sandbox/web.toml ──┴ inherit ─► raw, joined ─┬ check ─► Profile
//! [sandbox] of a service ────────┘ (places)    ├ clash, lint ─► problems
//!                                              └ origin ─► file and line of each rule ─ sentences
//! ```
//!
//! Joining keeps places: a contradiction between two files is shown in both.

mod calls;
mod clash;
mod inherit;
mod lint;
mod origin;
mod sentences;
mod words;

use super::check::{Check, choice, values};
use super::decode::{At, Choice};
use super::path::{join, parent};
use super::permission::{self, Asked};
use super::report::{Place, Problem, Report};
use super::service::upkeep;
use super::source::{Loader, Source};
use super::value::{self, Bad, Checked, bad};
use super::{near, raw, units};
use crate::Name;
use crate::sandbox::{
    Access, Calls, Feature, Files, Forbid, Limits, Network, Proc, Profile, Tmp, View,
};
use crate::service::Service;

pub(crate) use clash::check as contradictions;
pub(crate) use inherit::Inherited;
pub use origin::{Explained, Rule};
pub(crate) use origin::{places, rules};
pub use sentences::{Sentence, Topic, Value, sentences};
pub(crate) use words::Keyring;

/// Most trees in one list: each is a mount or a rule of the kernel.
pub const MAX_TREES: usize = 256;

/// Most names in one list of system calls; more than the kernel has.
pub const MAX_CALLS: usize = 512;

/// Most ports in one list.
pub const MAX_PORTS: usize = 256;

/// Most devices of one profile.
pub const MAX_DEVICES: usize = 64;

/// Most profiles that one inherits, all told.
pub const MAX_INHERITED: usize = 32;

/// Longest name of a device below `/dev`, in bytes.
const MAX_DEVICE: usize = 128;

/// Reads the profile that is called `name` in the directories `profiles` of `source`, the nearest
/// first, with all that it inherits.
///
/// # Errors
/// Everything that is wrong with any of the files, or that there is none.
pub fn load(source: &dyn Source, profiles: &[String], name: &str) -> Result<Explained, Report> {
    let mut loader = Loader::new(source);
    let place = Place::new(loader.add(name, String::new()), 0..0);
    let called = At { value: name.to_owned(), place };
    let raw = Inherited::new(profiles.to_vec()).profile(&called, &mut loader).unwrap_or_default();
    let mut c = std::mem::take(&mut loader.check);
    let profile = check(&raw, &mut c);
    clash::check(&raw, &mut c);
    loader.check = c;
    let widened = asking(name, &raw, profile, profiles, &mut loader);
    match (widened, loader.failed()) {
        (Some(explained), None) => Ok(explained),
        (_, failed) => Err(failed.unwrap_or_else(|| loader.report())),
    }
}

/// A profile with what it asks for and nobody is asked about; `None` if this can't be its name.
fn asking(
    name: &str,
    raw: &raw::Sandbox,
    profile: Profile,
    profiles: &[String],
    loader: &mut Loader<'_>,
) -> Option<Explained> {
    let mut service = Service::new(Name::try_from(name).ok()?, Vec::new());
    service.sandbox = profile.into();
    permission::asked(raw, &mut loader.check);
    let rules = Asked::beside(profiles).widen(Some(raw), &mut service, loader);
    Some(Explained { profile: Profile::clone(&service.sandbox), rules })
}

/// Checks a profile by itself, with what it inherits.
pub(crate) fn check_file(loader: &mut Loader<'_>, path: &str, text: String) {
    let file = loader.add(path, text);
    let begins = Place::new(file, 0..0);
    let raw = loader.decode::<raw::Profile>(file);
    let (Some(raw), Some(name)) = (raw, inherit::name_of(path, &begins, loader)) else { return };
    let mut directories = vec![parent(path).to_owned()];
    directories.extend(loader.source.library().map(|library| join(&library, "sandbox")));
    let inherited = Inherited::new(directories.clone()).file(file, &name, raw, loader);
    let Some(raw) = inherited else { return };
    let c = &mut loader.check;
    let profile = check(&raw, c);
    clash::check(&raw, c);
    lint::check(&raw, &profile, Some(&begins), c);
    asking(&name, &raw, profile, &directories, loader);
}

/// Checks what a service says of its sandbox beside the rules themselves.
pub(crate) fn check_service(raw: &raw::Sandbox, service: &Service, c: &mut Check) {
    clash::check(raw, c);
    lint::check(raw, &service.sandbox, None, c);
    clash::privileges(raw, service, c);
    clash::excepted(raw, service, c);
}

/// What the rules mean, all that they inherit joined to them.
pub(crate) fn check(raw: &raw::Sandbox, c: &mut Check) -> Profile {
    let forbid = raw.forbid.as_ref().map(|raw| forbid(raw, c)).unwrap_or_default();
    let capabilities = raw.capabilities.as_ref();
    let capabilities =
        capabilities.map(|list| sorted(values(c.list(Some(list), value::capability))));
    let no_new_privileges = raw.no_new_privileges.as_ref().is_none_or(|at| at.value);
    let mut network = raw.network.as_ref().map(|raw| network(raw, c)).unwrap_or_default();
    if forbid.network {
        network.access = Access::None;
    }
    let write_execute = raw.write_execute.as_ref().map(|at| at.value);
    Profile {
        requires: features(raw.requires.as_ref(), c),
        optional: features(raw.optional.as_ref(), c),
        capabilities,
        no_new_privileges: no_new_privileges || forbid.new_privileges,
        write_execute: if forbid.write_execute { Some(false) } else { write_execute },
        lock_personality: raw.lock_personality.as_ref().is_some_and(|at| at.value),
        keyring: choice(raw.keyring.as_ref(), Keyring::Shared) == Keyring::Own,
        namespaces: choices(raw.namespaces.as_ref()).unwrap_or_default(),
        files: raw.files.as_ref().map(|raw| files(raw, c)).unwrap_or_default(),
        network,
        calls: raw.calls.as_ref().map(|raw| calls(raw, c)).unwrap_or_default(),
        limits: raw.limits.as_ref().map(|raw| bounds(raw, c)).unwrap_or_default(),
        forbid,
    }
}

/// Names of what a kernel can do.
pub(crate) fn features(list: Option<&Vec<At<String>>>, c: &mut Check) -> Vec<Feature> {
    sorted(values(c.list(list, feature)))
}

fn files(raw: &raw::Files, c: &mut Check) -> Files {
    Files {
        view: choice(raw.view.as_ref(), View::default()),
        root: c.one(raw.root.as_ref(), value::image_path),
        read: raw.read.as_ref().map(|list| trees(list, "read", c)),
        write: raw.write.as_ref().map(|list| trees(list, "write", c)),
        execute: raw.execute.as_ref().map(|list| trees(list, "execute", c)),
        tmp: choice(raw.tmp.as_ref(), Tmp::default()),
        proc: choice(raw.proc.as_ref(), Proc::default()),
        devices: raw.devices.as_ref().map(|list| {
            at_most(list, MAX_DEVICES, "devices", c);
            sorted(values(c.list(Some(list), device)))
        }),
    }
}

fn network(raw: &raw::Network, c: &mut Check) -> Network {
    Network {
        access: choice(raw.access.as_ref(), Access::default()),
        families: choices(raw.families.as_ref()),
        connect: raw.connect.as_ref().map(|list| ports(list, "connect", c)),
        listen: raw.listen.as_ref().map(|list| ports(list, "listen", c)),
        udp: raw.udp.as_ref().is_some_and(|at| at.value),
    }
}

fn calls(raw: &raw::Calls, c: &mut Check) -> Calls {
    let mut list = |list: &Option<Vec<At<String>>>, key: &str| {
        list.as_ref().map(|list| call_names(list, &format!("system calls in `{key}`"), c))
    };
    Calls {
        allow: list(&raw.allow, "allow"),
        deny: list(&raw.deny, "deny").unwrap_or_default(),
        kill: list(&raw.kill, "kill").unwrap_or_default(),
    }
}

fn bounds(raw: &raw::Bounds, c: &mut Check) -> Limits {
    Limits {
        memory: c.one(raw.memory.as_ref(), upkeep::memory),
        cpu: c.one(raw.cpu.as_ref(), units::percent),
        pids: upkeep::pids(raw.pids.as_ref(), c),
        open_files: upkeep::open_files(raw.open_files.as_ref(), c),
        core: c.one(raw.core.as_ref(), units::size),
        signals: upkeep::signals(raw.signals.as_ref(), c),
        locked_memory: c.one(raw.locked_memory.as_ref(), units::size),
        file_size: c.one(raw.file_size.as_ref(), units::size),
        stack: c.one(raw.stack.as_ref(), upkeep::stack),
        storage: c.one(raw.storage.as_ref(), upkeep::storage),
        storage_files: upkeep::storage_files(raw.storage_files.as_ref(), c),
    }
}

fn forbid(raw: &raw::Forbid, c: &mut Check) -> Forbid {
    let on = |at: &Option<At<bool>>| at.as_ref().is_some_and(|at| at.value);
    let files = raw.files.as_ref().map(|list| trees(list, "files", c)).unwrap_or_default();
    for at in raw.files.iter().flatten().filter(|at| at.value == "/") {
        let problem = Problem::new(at.place.clone(), "without any file nothing starts");
        c.add(problem.help("files.view = \"listed\" shows only what the lists name"));
    }
    Forbid {
        files,
        write: raw.write.as_ref().map(|list| trees(list, "write", c)).unwrap_or_default(),
        calls: raw
            .calls
            .as_ref()
            .map(|list| call_names(list, "forbidden system calls", c))
            .unwrap_or_default(),
        capabilities: sorted(values(c.list(raw.capabilities.as_ref(), value::capability))),
        families: choices(raw.families.as_ref()).unwrap_or_default(),
        network: on(&raw.network),
        write_execute: on(&raw.write_execute),
        new_privileges: on(&raw.new_privileges),
    }
}

fn trees(list: &Vec<At<String>>, key: &str, c: &mut Check) -> Vec<String> {
    at_most(list, MAX_TREES, &format!("trees in `{key}`"), c);
    sorted(values(c.list(Some(list), tree)))
}

fn call_names(list: &Vec<At<String>>, what: &str, c: &mut Check) -> Vec<String> {
    at_most(list, MAX_CALLS, what, c);
    sorted(values(c.list(Some(list), calls::name)))
}

fn ports(list: &[At<i64>], key: &str, c: &mut Check) -> Vec<u16> {
    at_most(list, MAX_PORTS, &format!("ports in `{key}`"), c);
    sorted(list.iter().filter_map(|at| c.range(Some(at), "a port", 1, u16::MAX)).collect())
}

fn choices<T: Copy + Ord>(list: Option<&Vec<At<Choice<T>>>>) -> Option<Vec<T>> {
    list.map(|list| sorted(list.iter().map(|at| at.value.0).collect()))
}

fn sorted<T: Ord>(mut list: Vec<T>) -> Vec<T> {
    list.sort();
    list.dedup();
    list
}

fn at_most<T>(list: &[At<T>], most: usize, what: &str, c: &mut Check) {
    if let Some(at) = list.get(most) {
        c.add(Problem::new(at.place.clone(), format!("more than {most} {what}")));
    }
}

/// A path of a tree; `/` is one too.
fn tree(text: &str) -> Checked<String> {
    if text == "/" { Ok(text.to_owned()) } else { value::image_path(text) }
}

/// A name below `/dev`, or how names begin.
fn device(text: &str) -> Checked<String> {
    const HELP: &str = "its name below /dev: \"fb0\", \"input/event0\", or \"video*\"";
    if let Some(below) = text.strip_prefix("/dev/") {
        return bad(format!("`{text}` is a path"), format!("write \"{below}\""));
    }
    let begins = text.strip_suffix('*').unwrap_or(text);
    if begins.contains('*') || (begins != text && (begins.is_empty() || begins.ends_with('/'))) {
        let help = "it stands for the end of a name: \"video*\"; a directory is named without it";
        return bad(format!("`*` can't stand there in `{text}`"), help);
    }
    if text.len() > MAX_DEVICE || value::image_path(&format!("/{text}")).is_err() {
        return bad(format!("`{text}` is not the name of a device"), HELP);
    }
    Ok(text.to_owned())
}

fn feature(text: &str) -> Checked<Feature> {
    if let Some(feature) = Feature::from_name(text) {
        return Ok(feature);
    }
    let names: Vec<String> = Feature::names().collect();
    let help = near::did_you_mean(text, names.iter().map(String::as_str));
    let help = help.unwrap_or_else(|| format!("one of: {}", names.join(", ")));
    Err(Bad { message: format!("no kernel has a feature called `{text}`"), help: Some(help) })
}
