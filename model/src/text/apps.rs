//! The apps that a device comes with: found by name, and fit for it.
//!
//! ```text
//! [apps] install ─ abilities/NAME/bundle.toml ─► Manifest + Source ─ is the device one for it? ─► Apps
//! ```
//!
//! What an app needs of the files of a device is seen when these are put together: [`Loaded::refused_app`]
//! tells it at the place where the app is named.
//!
//! [`Loaded::refused_app`]: super::Loaded::refused_app

use super::check::{Check, values};
use super::decode::At;
use super::near::did_you_mean;
use super::path::join;
use super::report::{Place, Problem};
use super::source::Loader;
use super::stores::{self, Store};
use super::value::{Bad, Checked, bad};
use super::{Names, bundle, raw};
use crate::bundle::{BundleKind, Manifest};
use crate::device::{Device, FormFactor, Target};
use crate::word::Word;
use crate::{BadName, Name};

/// Service that the apps of a device bring.
pub const ABILITY_MANAGER: &str = "ability-manager";

/// Most apps that a device comes with.
pub const MAX_APPS: usize = 1000;

/// What public keys begin with.
const KEY: &str = "ed25519:";

/// What secret keys begin with.
const SECRET_KEY: &str = "ed25519-secret:";

/// What a device comes with.
#[derive(Debug, Clone, Default)]
pub struct Apps {
    /// Its apps, in the order of their ids.
    pub bundles: Vec<App>,
    /// Public keys whose apps it takes, sorted.
    pub trust: Vec<String>,
    /// Stores that it knows, sorted by name.
    pub stores: Vec<Store>,
    /// Where each app is named.
    pub(super) places: Names,
}

/// An app of a device.
#[derive(Debug, Clone)]
pub struct App {
    /// The name of its directory.
    pub name: Name,
    /// What it is.
    pub manifest: Manifest,
    /// Where its files come from.
    pub source: bundle::Source,
}

/// Where `[apps]` says something first, and so brings its service.
pub(super) fn begins(raw: &raw::Device) -> Option<&Place> {
    let apps = raw.apps.as_ref()?;
    let named = apps.install.iter().chain(&apps.trust).flatten().next().map(|at| &at.place);
    named.or_else(|| begin_stores(raw))
}

/// Where a first store is, which brings the service that asks it.
pub(super) fn begin_stores(raw: &raw::Device) -> Option<&Place> {
    Some(&raw.apps.as_ref()?.stores.as_ref()?.first()?.place)
}

/// Reads the apps of `device`, which are looked for in `directories`, the nearest first.
pub(super) fn load(
    raw: Option<&raw::Apps>,
    device: &Device,
    directories: &[String],
    loader: &mut Loader<'_>,
) -> Apps {
    let mut trust = values(loader.check.list(raw.and_then(|raw| raw.trust.as_ref()), public_key));
    trust.sort();
    let names = loader.check.list(raw.and_then(|raw| raw.install.as_ref()), name);
    if let Some(at) = names.get(MAX_APPS) {
        let problem = Problem::new(at.place.clone(), format!("more than {MAX_APPS} apps"));
        loader.check.add(problem);
    }
    let mut apps: Vec<(App, Place)> = Vec::new();
    let mut places = Names::new();
    for name in names {
        let Some(path) = found(&name, directories, loader) else { continue };
        let Some((manifest, source)) = bundle::read(&path, loader) else { continue };
        fits(&name, &manifest, device, &mut loader.check);
        places.push(At { value: name.value.to_string(), place: name.place.clone() });
        apps.push((App { name: name.value, manifest, source }, name.place));
    }
    apps.iter().for_each(|app| upon(app, &apps, &mut loader.check));
    let ids = apps.iter().map(|(app, place)| (app.manifest.id.as_str(), place));
    loader.check.unique(ids, |id| format!("two apps have the id `{id}`"));
    let mut bundles: Vec<App> = apps.into_iter().map(|(app, _)| app).collect();
    bundles.sort_by(|a, b| a.manifest.id.cmp(&b.manifest.id));
    let stores = stores::load(raw.and_then(|raw| raw.stores.as_ref()), loader);
    Apps { bundles, trust, stores, places }
}

fn name(text: &str) -> Checked<Name> {
    let wrong = |why: BadName| Bad {
        message: format!("`{text}` can't be the directory of an app"),
        help: Some(why.to_string()),
    };
    Name::try_from(text).map_err(wrong)
}

/// A key as text; only its shape is looked at.
fn public_key(text: &str) -> Checked<String> {
    if text.starts_with(SECRET_KEY) {
        return bad(
            "this is a secret key, which is nobody's but its owner's",
            "the public one is what `ens bundle key` prints; make another key if others have seen this",
        );
    }
    let legal = |b: u8| b.is_ascii_alphanumeric() || b == b'+' || b == b'/';
    let base64 = text.strip_prefix(KEY).and_then(|rest| rest.strip_suffix('='));
    if base64.is_some_and(|rest| rest.len() == 43 && rest.bytes().all(legal)) {
        return Ok(text.to_owned());
    }
    bad(format!("`{text}` is not a public key"), "what `ens bundle key` prints: \"ed25519:…\"")
}

/// The `bundle.toml` of the app that is called so.
fn found(name: &At<Name>, directories: &[String], loader: &mut Loader<'_>) -> Option<String> {
    let file = |directory: &String| join(directory, &format!("{}/{}", name.value, bundle::FILE));
    if let Some(path) = directories.iter().map(file).find(|path| loader.source.is_file(path)) {
        return Some(path);
    }
    let known: Vec<String> =
        directories.iter().flat_map(|d| loader.source.list(d).unwrap_or_default()).collect();
    let near = did_you_mean(name.value.as_str(), known.iter().map(String::as_str));
    let help = near.unwrap_or_else(|| {
        let name = &name.value;
        format!("there is no {name}/{} in {}", bundle::FILE, directories.join(" or "))
    });
    let message = format!("no app is called `{}`", name.value);
    loader.check.add(Problem::new(name.place.clone(), message).help(help));
    None
}

/// Notes an app that is for other devices.
fn fits(name: &At<Name>, manifest: &Manifest, device: &Device, c: &mut Check) {
    let forms = &manifest.requires.form_factors;
    if !forms.is_empty() && !forms.contains(&device.form_factor) {
        let all: Vec<&str> = forms.iter().copied().map(FormFactor::word).collect();
        let form = device.form_factor.word();
        let message =
            format!("`{}` is for {}, and this is a {form} device", name.value, all.join(", "));
        c.add(Problem::new(name.place.clone(), message));
    }
    let (architectures, ours) = (&manifest.requires.architectures, processor(device.target));
    if !architectures.is_empty() && !architectures.iter().any(|one| one == ours) {
        let all = architectures.join(", ");
        let message = format!("`{}` is for {all}, and this is a device with {ours}", name.value);
        c.add(Problem::new(name.place.clone(), message));
    }
}

/// Notes an app whose runtime is not among these, or too old.
fn upon((app, place): &(App, Place), apps: &[(App, Place)], c: &mut Check) {
    let Some(needed) = &app.manifest.runtime else { return };
    let (name, id, least) = (&app.name, &needed.bundle, needed.version);
    let below = apps.iter().map(|(below, _)| below).find(|below| below.manifest.id == *id);
    let (message, help) = match below {
        None => (
            format!("`{name}` lies upon the runtime {id}, which the device does not come with"),
            "name the directory of that in `install` too".to_owned(),
        ),
        Some(below) if below.manifest.kind != BundleKind::Runtime => (
            format!("`{name}` lies upon {id}, which is an app"),
            "only a bundle with kind = \"runtime\" lies below others".to_owned(),
        ),
        Some(below) if below.manifest.version < least => (
            format!("`{name}` needs the runtime {id} in version {least} at least"),
            format!("`{}` is {}", below.name, below.manifest.version),
        ),
        Some(_) => return,
    };
    c.add(Problem::new(place.clone(), message).help(help));
}

/// The processor of a target, in the kernel's spelling.
fn processor(target: Target) -> &'static str {
    match target {
        Target::QemuX86_64 | Target::Container => "x86_64",
        Target::QemuAarch64 | Target::Rpi3 | Target::Rpi4 | Target::Rpi5 => "aarch64",
    }
}
