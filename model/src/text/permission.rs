//! Permissions: from what was written to [`Permission`], and what they add to those who ask.
//!
//! ```text
//! permissions/NAME.toml ─ raw ─ check ─► Permission, with file and line of each rule
//! [sandbox] permissions ─ found by name, beside profiles ─► Service::widened by those nobody is asked about
//! ```
//!
//! Invariant: what can't be found, or what the profile of who asks forbids, is an error where it is asked for.

mod asked;

use super::bundle::in_locales;
use super::check::{Check, choice, values};
use super::decode::At;
use super::path::{join, stem};
use super::report::{Place, Problem, Report};
use super::sandbox::{self, Rule};
use super::service::MAX_TEXT;
use super::source::{Loader, Source};
use super::value::{self, Bad, Checked};
use super::{near, raw};
use crate::Name;
use crate::permission::{Bus, Grant, Level, Permission};
use crate::sandbox::{Access, is_below};

pub(crate) use asked::{Asked, asked};
pub use asked::{refusal, widened};

/// Most names of the bus in one list.
pub const MAX_BUS_NAMES: usize = 64;

/// What programs have of their own, or what is told by name.
const NOT_TREES: [(&str, &str); 5] = [
    ("/dev", "name what is there in `devices`"),
    ("/proc", "a program may have its own, where this is not"),
    ("/tmp", "a program may have its own, where this is not"),
    ("/var/tmp", "a program may have its own, where this is not"),
    ("/run/ensemble", "what servicemgr has there is not to be given away"),
];

/// A permission, and where each of its rules was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Defined {
    /// The permission.
    pub permission: Permission,
    /// The rules, in the order of the language.
    pub rules: Vec<Rule>,
}

/// Reads the permission that is called `name` in the directories of `source`, the nearest first.
///
/// # Errors
/// Everything that is wrong with its file, or that there is none.
pub fn load(source: &dyn Source, directories: &[String], name: &str) -> Result<Defined, Report> {
    let mut loader = Loader::new(source);
    let place = Place::new(loader.add(name, String::new()), 0..0);
    let called = At { value: name.to_owned(), place };
    let found = Asked::new(directories.to_vec()).find(&called, &mut loader);
    match (found, loader.failed()) {
        (Some(defined), None) => Ok(defined),
        (_, failed) => Err(failed.unwrap_or_else(|| loader.report())),
    }
}

/// Checks a permission by itself.
pub(crate) fn check_file(loader: &mut Loader<'_>, path: &str, text: String) {
    let file = loader.add(path, text);
    let raw = loader.decode::<raw::Permission>(file);
    match legal(stem(path)) {
        Ok(name) => {
            raw.map(|raw| defined(file, name, &raw, loader));
        }
        Err(bad) => {
            let problem = Problem::new(Place::new(file, 0..0), bad.message);
            loader.check.add(problem.maybe_help(bad.help));
        }
    }
}

/// A permission whose file was read, the number `file`.
fn defined(file: usize, name: Name, raw: &raw::Permission, loader: &mut Loader<'_>) -> Defined {
    let begins = Place::new(file, 0..0);
    if loader.texts.get(file).is_some_and(|text| text.text.len() > MAX_TEXT) {
        let message = format!("the file of a permission has at most {} KiB", MAX_TEXT >> 10);
        loader.check.add(Problem::new(begins.clone(), message));
    }
    let permission = check(name, raw, &begins, &mut loader.check);
    Defined { permission, rules: sandbox::rules(&raw.rules(), &loader.texts) }
}

fn check(name: Name, raw: &raw::Permission, begins: &Place, c: &mut Check) -> Permission {
    c.format(raw.version.as_ref());
    let rules = raw.rules();
    let mut adds = sandbox::check(&rules, c);
    sandbox::contradictions(&rules, c);
    let access = raw.network.as_ref().and_then(|network| network.access.as_ref());
    adds.network.access = choice(access, Access::None);
    restricting(raw, c);
    trees(raw, c);
    let bus = Bus {
        talk: bus_names(raw.bus.as_ref().and_then(|bus| bus.talk.as_ref()), "talk", c),
        own: bus_names(raw.bus.as_ref().and_then(|bus| bus.own.as_ref()), "own", c),
    };
    let checked_by = c.one(raw.checked_by.as_ref(), checker);
    let nothing = rules == raw::Sandbox::default() && bus == Bus::default();
    if nothing && raw.checked_by.is_none() {
        let problem = Problem::warning(begins.clone(), "this permission adds nothing");
        c.add(problem.help("`ens new permission NAME` writes one to start from"));
    }
    Permission {
        name,
        about: in_locales(raw.about.as_ref(), raw.abouts.as_ref(), phrase, c),
        level: choice(raw.level.as_ref(), Level::default()),
        grant: choice(raw.grant.as_ref(), Grant::default()),
        adds,
        bus,
        checked_by,
    }
}

/// Values that would restrict, and ports that lead nowhere.
fn restricting(raw: &raw::Permission, c: &mut Check) {
    let refused = |place: &Place, message: &str| Problem::new(place.clone(), message);
    if let Some(at) = raw.write_execute.as_ref().filter(|at| !at.value) {
        let problem = refused(&at.place, "a permission only adds, and `false` would restrict");
        c.add(problem.help("leave it out"));
    }
    let Some(network) = &raw.network else { return };
    if let Some(at) = network.access.as_ref().filter(|at| at.value.0 == Access::None) {
        let problem = refused(&at.place, "a permission only adds, and an empty network restricts");
        c.add(problem.help("leave it out"));
    }
    if network.access.is_some() {
        return;
    }
    let ports = [&network.connect, &network.listen].into_iter().flatten().flatten();
    let udp = network.udp.as_ref().map(|at| &at.place);
    if let Some(place) = ports.map(|at| &at.place).chain(udp).next() {
        let problem =
            refused(place, "ports lead nowhere in an empty network, which a profile may give");
        c.add(problem.help("write access = \"host\" above"));
    }
}

/// Trees that programs have of their own, or that nobody should be given.
fn trees(raw: &raw::Permission, c: &mut Check) {
    let Some(files) = &raw.files else { return };
    for at in [&files.read, &files.write, &files.execute].into_iter().flatten().flatten() {
        if at.value == "/" {
            let problem =
                Problem::new(at.place.clone(), "a permission gives a part, not everything");
            c.add(problem.help("name the trees that it is about"));
        }
        if let Some((tree, help)) = NOT_TREES.iter().find(|(tree, _)| is_below(at, tree)) {
            let message = format!("`{tree}` can't be given by its path");
            c.add(Problem::new(at.place.clone(), message).help(*help));
        }
    }
}

fn bus_names(list: Option<&Vec<At<String>>>, key: &str, c: &mut Check) -> Vec<String> {
    if let Some(at) = list.and_then(|list| list.get(MAX_BUS_NAMES)) {
        let message = format!("more than {MAX_BUS_NAMES} names in `{key}`");
        c.add(Problem::new(at.place.clone(), message));
    }
    let mut names = values(c.list(list, value::bus_name));
    names.sort();
    names
}

/// What people are asked: "may NAME … ?"
fn phrase(text: &str) -> Checked<String> {
    let text = value::about(text)?;
    if text.trim().is_empty() || text.ends_with(['.', '?', '!']) {
        return Err(Bad {
            message: "`about` is a phrase that people are asked with: \"may it … ?\"".to_owned(),
            help: Some("like \"take pictures and video\", without a full stop".to_owned()),
        });
    }
    Ok(text)
}

/// Who looks whether a program has it.
fn checker(text: &str) -> Checked<Name> {
    Name::try_from(text).map_err(|_| Bad {
        message: format!("`{text}` can't be the name of a service"),
        help: Some(
            "the service that asks the device who has it, like \"ability-manager\"".to_owned(),
        ),
    })
}

/// The name of a permission.
pub(crate) fn legal(name: &str) -> Checked<Name> {
    match Name::try_from(name) {
        Ok(legal) if !name.contains('@') => Ok(legal),
        _ => Err(Bad {
            message: format!("`{name}` can't be the name of a permission"),
            help: Some("1 to 64 of a-z, 0-9 and -, a letter first".to_owned()),
        }),
    }
}

/// The file of the permission that is called `name`, or what else could have been meant.
fn path_of(name: &str, directories: &[String], loader: &Loader<'_>) -> Result<String, String> {
    let mut paths = directories.iter().map(|d| join(d, &format!("{name}.toml")));
    if let Some(path) = paths.find(|path| loader.source.is_file(path)) {
        return Ok(path);
    }
    let known: Vec<String> = directories.iter().flat_map(|d| loader.names_in(d)).collect();
    let near = near::did_you_mean(name, known.iter().map(String::as_str));
    Err(near.unwrap_or_else(|| match directories {
        [] => "permissions are not looked for here".to_owned(),
        all => format!("there is no {name}.toml in {}", all.join(" or ")),
    }))
}
