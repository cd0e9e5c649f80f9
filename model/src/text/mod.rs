//! Our TOML: read, checked, and explained when it is wrong.
//!
//! ```text
//! text ─ decode ─► raw (places kept) ─ merge ─► raw ─ check ─► Device, Service, Case ─ link ─► Plan
//!          │                            │                │                               │
//!          └──────── Problem ───────────┴────────────────┴────────► Report ◄─────────────┘
//! ```
//!
//! Invariant: arbitrary text never panics; it gives a value or a [`Report`] that is not empty.
//! Files come from the caller's [`Source`]; nothing here touches a disk.

mod apps;
pub mod bundle;
mod bus;
mod case;
mod check;
pub(crate) mod decode;
mod device;
mod files;
mod layers;
mod load;
mod merge;
mod near;
mod parameters;
mod path;
pub mod permission;
pub(crate) mod raw;
pub mod ready;
mod report;
pub mod sandbox;
pub mod service;
mod services;
mod source;
mod stores;
mod template;
mod units;
mod users;
mod value;

pub use apps::{ABILITY_MANAGER, App, Apps, MAX_APPS};
pub use device::{AGENT, CONSOLE};
pub use layers::MAX_LAYERS;
pub use load::{Loaded, LoadedCase, load_case, load_case_on, load_device};
pub use report::{Finding, MAX_PROBLEMS, Report, Severity};
pub use source::{MAX_FILE, Source};
pub use stores::Store;
pub use template::{
    BundleOf, ImageOf, template_bundle, template_case, template_device, template_permission,
    template_sandbox, template_service,
};

pub(crate) use load::Names;

use path::{file_name, parent, stem};
use report::{Place, Problem};
use services::Services;
use source::Loader;

use crate::service::Service;

/// The kinds of TOML that Ensemble reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `configs/devices/NAME.toml`
    Device,
    /// `configs/services/NAME.toml`
    Service,
    /// `configs/sandbox/NAME.toml`
    Sandbox,
    /// `configs/permissions/NAME.toml`
    Permission,
    /// `FOLDER/case.toml`
    Case,
    /// `FOLDER/bundle.toml`
    Bundle,
}

/// Reads one service; `path` gives it its name. Names it mentions are not looked up: it can inherit no
/// profile.
///
/// # Errors
/// Everything that is wrong with it.
pub fn load_service(path: &str, text: &str) -> Result<Service, Report> {
    let mut loader = Loader::new(&Nowhere);
    let written = read_service(&mut loader, path, text.to_owned(), Vec::new());
    match (written, loader.failed()) {
        (Some(written), None) => Ok(written.service),
        (_, failed) => Err(failed.unwrap_or_else(|| loader.report())),
    }
}

/// Checks any of our files, with all it refers to. The report holds errors and warnings, or
/// nothing.
#[must_use]
pub fn check_file(source: &dyn Source, file: &str) -> (Option<Kind>, Report) {
    let text = match source.read(file) {
        Ok(text) if text.len() <= MAX_FILE => text,
        Ok(_) => return (None, alone(file, "larger than a megabyte: not one of our files")),
        Err(why) => return (None, alone(file, format!("can't be read: {why}"))),
    };
    match recognise(file, &text) {
        Some(Kind::Device) => {
            let loaded = load_device(source, file);
            (Some(Kind::Device), loaded.map_or_else(|report| report, |l| l.warnings))
        }
        Some(Kind::Case) => {
            let loaded = load_case(source, file);
            (Some(Kind::Case), loaded.map_or_else(|report| report, |l| l.warnings))
        }
        Some(Kind::Service) => (Some(Kind::Service), check_service(source, file, text)),
        Some(Kind::Sandbox) => {
            let mut loader = Loader::new(source);
            sandbox::check_file(&mut loader, file, text);
            (Some(Kind::Sandbox), loader.report())
        }
        Some(Kind::Permission) => {
            let mut loader = Loader::new(source);
            permission::check_file(&mut loader, file, text);
            (Some(Kind::Permission), loader.report())
        }
        Some(Kind::Bundle) => {
            let mut loader = Loader::new(source);
            bundle::check_file(&mut loader, file, text);
            (Some(Kind::Bundle), loader.report())
        }
        None => {
            let mut loader = Loader::new(source);
            let at = Place::new(loader.add(file, text), 0..0);
            let problem = Problem::new(
                at,
                "this is neither a device, a service, a profile, a permission, a bundle nor a case",
            );
            loader.check.add(problem.help(
                "devices have `version` and lie in devices/, services have `exec` or `type`, profiles lie in \
                 sandbox/, permissions in permissions/, bundles are called bundle.toml, cases case.toml",
            ));
            (None, loader.report())
        }
    }
}

/// What a file is: by its name, its directory, or its keys.
#[must_use]
pub fn recognise(file: &str, text: &str) -> Option<Kind> {
    match (file_name(file), file_name(parent(file))) {
        ("case.toml", _) => return Some(Kind::Case),
        (bundle::FILE, _) => return Some(Kind::Bundle),
        (_, "devices") => return Some(Kind::Device),
        (_, "services") => return Some(Kind::Service),
        (_, "sandbox") => return Some(Kind::Sandbox),
        (_, "permissions") => return Some(Kind::Permission),
        _ => {}
    }
    let (table, _) = toml::de::DeTable::parse_recoverable(text);
    let has = |keys: &[&str]| keys.iter().any(|key| table.get_ref().contains_key(*key));
    if has(&["step"]) {
        Some(Kind::Case)
    } else if has(&["ability"]) {
        Some(Kind::Bundle)
    } else if has(&["exec", "type"]) {
        Some(Kind::Service)
    } else if has(&["grant", "level"]) {
        Some(Kind::Permission)
    } else if has(&["files", "network", "calls", "forbid", "capabilities"]) {
        Some(Kind::Sandbox)
    } else {
        has(&["version", "inherit", "target", "form-factor", "hostname", "kernel", "packages"])
            .then_some(Kind::Device)
    }
}

fn read_service(
    loader: &mut Loader<'_>,
    path: &str,
    text: String,
    profiles: Vec<String>,
) -> Option<service::Written> {
    let file = loader.add(path, text);
    let raw = loader.decode::<raw::Service>(file);
    let begins = Place::new(file, 0..0);
    let name = service::name_of(path, &begins, &mut loader.check);
    let mut raw = raw?;
    let mut permissions = permission::Asked::beside(&profiles);
    sandbox::Inherited::new(profiles).join_service(&mut raw, loader);
    let mut written = service::check(name?, &raw, &begins, &mut loader.check);
    permissions.widen(raw.sandbox.as_ref(), &mut written.service, loader);
    Some(written)
}

/// A service with those beside it that it names.
fn check_service(source: &dyn Source, path: &str, text: String) -> Report {
    let mut loader = Loader::new(source);
    let mut directories = vec![parent(path).to_owned()];
    directories.extend(source.library().map(|l| path::join(&l, "services")));
    let profiles = directories.iter().map(|d| path::join(d, "../sandbox")).collect();
    let written = read_service(&mut loader, path, text, profiles);
    let Some(written) = written else { return loader.report() };
    let named = written.edges.iter().map(|edge| edge.to.clone()).collect();
    let unconfined = written.unconfined();
    let mut services = Services::new(&mut loader, directories, std::collections::BTreeMap::new());
    services.take(written);
    services.gather(named);
    let _ = services.link("", &[], &Place::new(0, 0..0));
    // Where something is wrong, that is more important.
    if loader.failed().is_none() {
        unconfined.into_iter().for_each(|problem| loader.check.add(problem));
    }
    loader.report()
}

fn alone(path: &str, message: impl Into<String>) -> Report {
    let mut loader = Loader::new(&Nowhere);
    let at = Place::new(loader.add(path, String::new()), 0..0);
    loader.check.add(Problem::new(at, message));
    loader.report()
}

/// A source without files.
struct Nowhere;

impl Source for Nowhere {
    fn read(&self, _: &str) -> std::io::Result<String> {
        Err(std::io::ErrorKind::NotFound.into())
    }

    fn list(&self, _: &str) -> std::io::Result<Vec<String>> {
        Ok(Vec::new())
    }

    fn is_file(&self, _: &str) -> bool {
        false
    }
}
