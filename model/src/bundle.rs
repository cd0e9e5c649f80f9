//! A bundle as its maker describes it: what it is, what it needs, its abilities.
//!
//! ```text
//! bundle.toml ──text──► Manifest ─┬─ ens bundle build ─► NOTES.bundle (crate `bundle`)
//!                                 └─ ability-manager: install, match wants, start abilities
//! ```
//!
//! The same file is read by the builder and, out of the signed bundle, by the device. `[source]`, which is
//! for the builder only, is not part of it.
//!
//! Invariant: a manifest that was read is whole: every list is within its limit, every name is unique.

mod id;
mod layers;
mod quiet;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Name;
use crate::device::FormFactor;
use crate::permission::Level;
use crate::want::Skill;
use crate::word::Word;

pub use id::{BadBundleId, BadVersion, BundleId, MAX_ID, Version};
pub use layers::{BundleKind, Layout, Runtime};
pub use quiet::{
    BackgroundMode, CardSize, Form, MAX_CARD, MAX_QUIET, MIN_EVERY, MIN_REFRESH, Need, Work,
};

/// What programs of bundles may count on: the interfaces and variables of `docs/apps.md`. Raised when something is added.
pub const API: u32 = 1;

/// Longest manifest, in bytes.
pub const MAX_MANIFEST: usize = 64 << 10;

/// Most abilities of one bundle.
pub const MAX_ABILITIES: usize = 32;

/// Most skills of one ability.
pub const MAX_SKILLS: usize = 32;

/// Longest name of an ability, in bytes.
pub const MAX_ABILITY: usize = 32;

/// Most locales that a text is in.
pub const MAX_LOCALES: usize = 128;

/// Longest name or reason that people read, in bytes.
pub const MAX_SAID: usize = 256;

/// Where bundles are mounted on a device: `BUNDLES/ID`.
pub const BUNDLES: &str = "/run/bundles";

/// Where bundles that lie upon a runtime as in a root directory are seen together with it: `ROOTS/ID`.
pub const ROOTS: &str = "/run/roots";

/// Where bundles keep their data: `DATA/ID/{el1,el2}`.
pub const DATA: &str = "/var/lib/apps";

/// Where instances find the socket to ability-manager: `INSTANCES/ID/NUMBER/bus`. The tree of their sandboxes is
/// `INSTANCES/ID`, the same for all instances of a bundle, so that one compiled sandbox serves all of them.
pub const INSTANCES: &str = "/run/apps";

/// Users of bundles, one each, on this device. Above the people of Debian's adduser (from 1000 on), below
/// [`crate::service::OWN_IDS`].
pub const APP_IDS: std::ops::RangeInclusive<u32> = 10_000..=29_999;

/// What a bundle is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Its id, for ever: `org.example.notes`.
    pub id: BundleId,
    /// Which version.
    pub version: Version,
    /// What people call it.
    pub name: Said,
    /// What it is for, in a line.
    pub about: Said,
    /// Whether it has abilities, or others lie upon it.
    pub kind: BundleKind,
    /// How its files lie.
    pub layout: Layout,
    /// What lies below it.
    pub runtime: Option<Runtime>,
    /// What a device must be or have.
    pub requires: Requires,
    /// How far it wants to be trusted: no permission above this level but those of `acl`.
    pub level: Level,
    /// Permissions above `level` that it is to have all the same: for devices that trust its key so far. Sorted.
    pub acl: Vec<Name>,
    /// Permissions it asks for, by name, sorted.
    pub permissions: Vec<Asked>,
    /// What it can be asked to do, in the order of the file; the first page is what its icon opens.
    pub abilities: Vec<Ability>,
    /// How much it keeps.
    pub data: Data,
    /// Its picture: a file of the bundle, or else a resource.
    pub icon: Option<String>,
    /// A directory of the bundle with a directory for each combination of qualifiers, and `base`.
    pub resources: Option<String>,
}

/// A text for people, by locale.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// Where no locale fits.
    pub plain: String,
    /// By locale: `de`, `pt-BR`.
    pub locales: BTreeMap<String, String>,
}

impl Said {
    /// The text for a locale (`de-AT`, `de_AT.UTF-8`): that of the locale, of its language, or the plain one.
    #[must_use]
    pub fn of(&self, locale: &str) -> &str {
        let locale = locale.split(['.', '@']).next().unwrap_or_default().replace('_', "-");
        let language = locale.split('-').next().unwrap_or_default();
        let found = self.locales.get(&locale).or_else(|| self.locales.get(language));
        found.map_or(&self.plain, String::as_str)
    }
}

/// What a device must be or have; an empty list asks for nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requires {
    /// At least this [`API`].
    pub api: u32,
    /// One of these processors, in the kernel's spelling: `x86_64`, `aarch64`.
    pub architectures: Vec<String>,
    /// One of these form factors.
    pub form_factors: Vec<FormFactor>,
    /// All of these programs or files of the device: `/usr/bin/python3`.
    pub files: Vec<String>,
}

/// A permission it asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// The permission.
    pub permission: Name,
    /// Why, as people are told when they are asked.
    pub reason: Said,
}

/// How much it keeps on a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Data {
    /// Bytes of all its data.
    pub size: u64,
}

/// Bytes of data of a bundle that says nothing, as profile `app` has it.
pub const DATA_SIZE: u64 = 64 << 20;

/// Least data that a bundle may ask for: directories and a few small files.
pub const MIN_DATA: u64 = 64 << 10;

/// Most data that a bundle may ask for: more than any device has.
pub const MAX_DATA: u64 = 1 << 40;

impl Default for Data {
    fn default() -> Self {
        Self { size: DATA_SIZE }
    }
}

/// Something a bundle can be asked to do: a program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ability {
    /// What it is called within its bundle.
    pub name: Name,
    /// What it is to people.
    pub kind: AbilityKind,
    /// How many there are of it.
    pub launch: LaunchMode,
    /// Program and arguments. A program with a `/` in front is one of the device; any other one is a file of the bundle.
    pub exec: Vec<String>,
    /// How it takes part in its lifecycle.
    pub lifecycle: Lifecycle,
    /// Other bundles may start it; those with skills for others say so.
    pub exported: bool,
    /// Who starts it from another bundle must have this permission.
    pub permission: Option<Name>,
    /// What it answers.
    pub skills: Vec<Skill>,
    /// What people call it, if not as its bundle.
    pub label: Option<Said>,
    /// Added to its environment.
    pub environment: BTreeMap<String, String>,
    /// Bytes of memory it may use at most.
    pub memory: Option<u64>,
    /// Memory that was written may be executed: just-in-time compilers (Node).
    pub write_execute: bool,
    /// It may run before the owner has unlocked the device, and has only data of el1 until then.
    pub before_unlock: bool,
    /// What it may go on with while it is not in front, sorted.
    pub background: Vec<BackgroundMode>,
    /// When it runs, of kind `work`.
    pub work: Option<Work>,
    /// Which cards it makes, of kind `form`.
    pub form: Option<Form>,
}

/// What an ability is to people.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum AbilityKind {
    /// It has a screen.
    #[default]
    Page,
    /// Others connect to it.
    Service,
    /// Work that is done when the device has time for it.
    Work,
    /// A card on somebody else's screen.
    Form,
}

impl Word for AbilityKind {
    const WHAT: &'static str = "kind of ability";
    const WORDS: &'static [(&'static str, Self)] = &[
        ("page", Self::Page),
        ("service", Self::Service),
        ("work", Self::Work),
        ("form", Self::Form),
    ];
}

/// How many there are of an ability.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum LaunchMode {
    /// One; a further want goes to it.
    #[default]
    Singleton,
    /// Another one for each want.
    Multiton,
    /// One for each `key` of wants.
    Specified,
}

impl Word for LaunchMode {
    const WHAT: &'static str = "launch mode";
    const WORDS: &'static [(&'static str, Self)] = &[
        ("singleton", Self::Singleton),
        ("multiton", Self::Multiton),
        ("specified", Self::Specified),
    ];
}

/// How an ability takes part in its lifecycle.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Lifecycle {
    /// It knows nothing of it: it is started, stands still in the background, and is ended by `SIGTERM`.
    #[default]
    Process,
    /// It is told on the bus of its instance, and answers there.
    Bus,
}

impl Word for Lifecycle {
    const WHAT: &'static str = "lifecycle";
    const WORDS: &'static [(&'static str, Self)] =
        &[("process", Self::Process), ("bus", Self::Bus)];
}

impl Manifest {
    /// One of its abilities.
    #[must_use]
    pub fn ability(&self, name: &str) -> Option<&Ability> {
        self.abilities.iter().find(|ability| ability.name.as_str() == name)
    }

    /// What its icon opens.
    #[must_use]
    pub fn first_page(&self) -> Option<&Ability> {
        self.abilities.iter().find(|ability| ability.kind == AbilityKind::Page)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_in_the_nearest_locale() {
        let said = Said {
            plain: "Notes".into(),
            locales: [("de", "Notizen"), ("pt-BR", "Notas")]
                .map(|(locale, text)| (locale.to_owned(), text.to_owned()))
                .into(),
        };
        assert_eq!(said.of("de_AT.UTF-8"), "Notizen");
        assert_eq!(said.of("pt-BR"), "Notas");
        assert_eq!([said.of("pt"), said.of(""), said.of("C")], ["Notes"; 3]);
    }
}
