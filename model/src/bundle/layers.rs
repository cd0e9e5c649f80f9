//! How the files of a bundle lie, and upon what.

use serde::{Deserialize, Serialize};

use super::{BUNDLES, BundleId, Manifest, ROOTS, Version};
use crate::word::Word;

/// What a bundle is for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum BundleKind {
    /// It has abilities.
    #[default]
    App,
    /// Others lie upon it: it has no abilities and asks for nothing, and its layout is [`Layout::Root`].
    Runtime,
}

impl Word for BundleKind {
    const WHAT: &'static str = "kind of bundle";
    const WORDS: &'static [(&'static str, Self)] =
        &[("app", Self::App), ("runtime", Self::Runtime)];
}

/// How the files of a bundle lie.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Layout {
    /// A directory of its own, beside the programs and libraries of the device (or of its runtime).
    #[default]
    App,
    /// As in the root directory of a Linux system: its programs see `usr`, `etc`, `opt` … of it in place of
    /// those of the device.
    Root,
}

impl Word for Layout {
    const WHAT: &'static str = "layout";
    const WORDS: &'static [(&'static str, Self)] = &[("app", Self::App), ("root", Self::Root)];
}

/// A bundle of kind [`BundleKind::Runtime`] that lies below another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Runtime {
    /// Which one.
    pub bundle: BundleId,
    /// In this version at least.
    pub version: Version,
}

impl Manifest {
    /// The directory that has `usr`, `etc` and so on of what its programs see; `None` if that is the device's.
    #[must_use]
    pub fn root(&self) -> Option<String> {
        match (self.layout, &self.runtime) {
            (Layout::App, None) => None,
            (Layout::App, Some(runtime)) => Some(format!("{BUNDLES}/{}", runtime.bundle)),
            (Layout::Root, None) => Some(format!("{BUNDLES}/{}", self.id)),
            (Layout::Root, Some(_)) => Some(format!("{ROOTS}/{}", self.id)),
        }
    }

    /// Whether its files and those of its runtime are seen as one tree, at [`Manifest::root`].
    #[must_use]
    pub fn is_laid_over(&self) -> bool {
        self.layout == Layout::Root && self.runtime.is_some()
    }
}
