//! Which file of a bundle is the resource that an app wants, on this device as it is now.
//!
//! ```text
//! Resource(name) ─► form, language: of this image ─┐
//!   servicemgr's parameters: screen, colours ──────┴─► model::resource ─► /run/bundles/ID/resources/QUALIFIERS/name
//! ```
//!
//! The loop does not wait for it. Invariant: a path is one of the app's own bundle.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use api::app::Error;
use api::params::Param;
use model::bundle::BUNDLES;
use model::device::{FormFactor, Screen};
use model::parameter;
use model::resource::{
    Around, Colours, Locale, MAX_DIRECTORIES, Orientation, Qualifiers, best_first, is_name,
};
use model::word::Word;
use tokio::task::{spawn_blocking, spawn_local};

use super::Daemon;
use super::seat::Reply;
use crate::engine::InstanceId;

impl Daemon {
    /// An app wants to know which file is its resource of this name.
    pub(super) fn resource(&self, instance: InstanceId, name: String, reply: Reply) {
        let own = match self.own_resources(instance, &name) {
            Ok(own) => own,
            Err(e) => return reply.send::<()>(Err(&e)),
        };
        let (form, locale) = (self.store.form_factor(), Locale::of(&self.locale));
        let parameters = self.units.parameters();
        spawn_local(async move {
            let around = around(form, locale, &parameters.await);
            let wanted = name.clone();
            let found = spawn_blocking(move || find(&own, &wanted, &around)).await;
            let found = found.unwrap_or_else(|e| Err(io::Error::other(e)));
            reply.send(answer(found, &name).as_ref());
        });
    }

    /// The directory of an app's resources.
    fn own_resources(&self, instance: InstanceId, name: &str) -> Result<PathBuf, Error> {
        let live = self.lives.get(&instance);
        let held = live.and_then(|live| self.store.get(&live.target.bundle));
        let held =
            held.ok_or_else(|| Error::Failed("its bundle is not installed any more".to_owned()))?;
        if !is_name(name) {
            let why = "a resource is called by its path below resources/QUALIFIERS: `icon.png`";
            return Err(Error::Invalid(why.to_owned()));
        }
        let directory = held.manifest.resources.as_ref().ok_or_else(|| {
            Error::NotFound(
                "its bundle has no resources: [resources] directory in its bundle.toml names them"
                    .to_owned(),
            )
        })?;
        Ok(Path::new(BUNDLES).join(held.id().as_str()).join(directory))
    }
}

fn answer(found: io::Result<Option<PathBuf>>, name: &str) -> Result<String, Error> {
    let path = found.map_err(|e| Error::Failed(format!("looking for `{name}`: {e}")))?;
    let path = path.and_then(|path| path.to_str().map(str::to_owned));
    path.ok_or_else(|| {
        Error::NotFound(format!(
            "no resource `{name}` fits this device: put one into `base`, which fits every device"
        ))
    })
}

/// What the device is now.
fn around(form: Option<FormFactor>, locale: Option<Locale>, parameters: &[Param]) -> Around {
    let get = |name: &str| {
        let found = parameters.iter().find(|one| one.name == name);
        found.map(|one| one.value.as_str())
    };
    let screen: Option<Screen> = parameter::screen(get);
    let device = Around::of(form, screen.as_ref());
    let turned = get(parameter::ORIENTATION).and_then(Orientation::from_word);
    let colours = get(parameter::COLOURS).and_then(Colours::from_word);
    Around {
        locales: locale.into_iter().collect(),
        orientation: turned.or(device.orientation),
        colours: colours.or(screen.map(|_| Colours::Light)),
        ..device
    }
}

/// The file of that name in the best directory that has one.
fn find(directory: &Path, name: &str, around: &Around) -> io::Result<Option<PathBuf>> {
    let mut all = Vec::new();
    for entry in fs::read_dir(directory)?.take(MAX_DIRECTORIES) {
        let called = entry?.file_name();
        all.extend(called.to_str().and_then(|called| Qualifiers::try_from(called).ok()));
    }
    let mut files =
        best_first(&all, around).into_iter().map(|one| directory.join(one.to_string()).join(name));
    Ok(files.find(|file| file.is_file()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn param(name: &str, value: &str) -> Param {
        Param { name: name.to_owned(), value: value.to_owned() }
    }

    #[test]
    fn a_device_is_what_its_parameters_say() {
        let mut said = vec![
            param("const.screen.width", "540"),
            param("const.screen.height", "1170"),
            param("const.screen.density", "270"),
            param("const.screen.shape", "rect"),
        ];
        let form = Some(FormFactor::Phone);
        let phone = around(form, Locale::of("de_AT.UTF-8"), &said);
        assert_eq!((phone.orientation, phone.density), (Some(Orientation::Vertical), Some(270)));
        assert_eq!((phone.colours, phone.locales.len()), (Some(Colours::Light), 1));
        said.push(param("screen.orientation", "horizontal"));
        said.push(param("persist.screen.colours", "dark"));
        let turned = around(form, None, &said);
        assert_eq!(turned.orientation, Some(Orientation::Horizontal));
        assert_eq!(turned.colours, Some(Colours::Dark));
        let blind = around(Some(FormFactor::Headless), None, &[]);
        assert_eq!((blind.orientation, blind.colours, blind.density), (None, None, None));
    }

    #[test]
    fn the_best_directory_that_has_the_file_is_taken() {
        let at = tempfile::tempdir().unwrap();
        for file in ["base/a", "de/a", "de-dark/b", "base/b", "base/in/c", "nonsense!/a"] {
            let file = at.path().join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, "").unwrap();
        }
        let of = |locale, name| {
            let around = around(None, Locale::of(locale), &[]);
            let found = find(at.path(), name, &around).unwrap()?;
            Some(found.strip_prefix(at.path()).unwrap().to_str().unwrap().to_owned())
        };
        assert_eq!(of("de_DE", "a").as_deref(), Some("de/a"));
        assert_eq!(of("fr_FR", "a").as_deref(), Some("base/a"));
        assert_eq!(of("de_DE", "b").as_deref(), Some("base/b"));
        assert_eq!(of("C", "in/c").as_deref(), Some("base/in/c"));
        assert_eq!((of("C", "in"), of("C", "d")), (None, None));
        assert!(find(&at.path().join("none"), "a", &Around::default()).is_err());
    }
}
