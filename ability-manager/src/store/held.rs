//! A bundle that is here: read from its file, with what it may have on this device.
//!
//! Invariant: what is here is what the generation, or the image, says it is: its id, version and, where
//! the kernel measures files, its digest are compared.

use std::fs::File;
use std::path::{Path, PathBuf};

use bundle::{Bundle, Content, Digest};
use model::bundle::{Asked, BundleId, Manifest, Version};
use model::permission::Level;
use model::text::bundle as text;

use super::generation::{Installed, Shipped, User};
use super::{Base, Key, disk};
use crate::permission::Declared;

/// Where a bundle comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// It came with the device.
    Image,
    /// It was installed.
    Installed,
    /// It was installed over one that came with the device.
    Updated,
}

impl Origin {
    /// The word for `api::abilities::Bundle::origin`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Installed => "installed",
            Self::Updated => "updated",
        }
    }
}

/// A bundle that is here.
#[derive(Debug, Clone)]
pub struct Held {
    /// What it is.
    pub manifest: Manifest,
    /// Where it comes from.
    pub origin: Origin,
    /// Its file.
    pub file: PathBuf,
    /// Of its content.
    pub digest: Digest,
    /// Bytes of its content.
    pub size: u64,
    /// The key it is of; none of what the image brought.
    pub key: Option<Key>,
    /// Keys that have signed what the image brought; of others, the key it is of.
    pub signers: Vec<Key>,
    /// How far it is trusted: what it wants, if its origin or its key allow that.
    pub level: Level,
    /// What it can have of the permissions it asks for, in their order.
    pub declared: Vec<Declared>,
    /// When it was installed, in seconds since 1970; 0 of what the image brought.
    pub since: u64,
    /// The version that can be gone back to.
    pub previous: Option<Version>,
}

impl Held {
    /// Its id.
    #[must_use]
    pub fn id(&self) -> &BundleId {
        &self.manifest.id
    }

    /// One that the image brought.
    pub(super) fn shipped(base: &Base, file: &Path) -> Result<Self, String> {
        let bundle = Bundle::open(opened(file)?).map_err(|e| e.to_string())?;
        let manifest = base.manifests.get(bundle.manifest())?;
        let level = manifest.level;
        Ok(Self {
            declared: declared(base, &manifest, level, HIGHEST),
            manifest,
            origin: Origin::Image,
            file: file.to_owned(),
            digest: bundle.digest(),
            size: bundle.content().length(),
            key: None,
            signers: bundle.signatures().iter().map(|one| Key::from(one.key())).collect(),
            level,
            since: 0,
            previous: None,
        })
    }

    /// One that was installed, as the generation says.
    pub(super) fn installed(
        base: &Base,
        (id, installed, user): (&BundleId, &Installed, &User),
        over: bool,
    ) -> Result<Self, String> {
        let path = base.content(&installed.digest);
        let file = opened(&path)?;
        let measured = base.disk.measure(&file).map_err(|e| format!("measuring it: {e}"))?;
        if measured.is_some_and(|measured| measured != installed.digest) {
            return Err("its file is another one: install it again".to_owned());
        }
        let content = Content::open(file).map_err(|e| e.to_string())?;
        let manifest = base.manifests.get(content.manifest())?;
        if manifest.id != *id || manifest.version != installed.version {
            return Err("its file is of another bundle: install it again".to_owned());
        }
        let level = level(base, manifest.level, user.key.as_ref());
        Ok(Self {
            declared: declared(base, &manifest, level, highest(base, user.key.as_ref())),
            manifest,
            origin: if over { Origin::Updated } else { Origin::Installed },
            file: path,
            digest: installed.digest,
            size: installed.size,
            key: user.key.clone(),
            signers: user.key.iter().cloned().collect(),
            level,
            since: installed.at,
            previous: installed.previous.as_ref().map(|previous| previous.version),
        })
    }

    /// As the rules see one that the image brought.
    pub(super) fn as_shipped(&self, keys: &[Key]) -> Shipped {
        let own = !self.signers.is_empty();
        Shipped {
            version: self.manifest.version,
            size: self.size,
            keys: if own { self.signers.clone() } else { keys.to_vec() },
        }
    }
}

/// The highest level there is.
const HIGHEST: Level = Level::SystemCore;

/// How far a bundle that was installed is trusted: as it wants, up to what its key may give.
pub(super) fn level(base: &Base, wants: Level, key: Option<&Key>) -> Level {
    wants.min(highest(base, key))
}

/// The highest level that this key may give to a bundle as a whole, or to single permissions in its `acl`: levels above
/// the first are for keys of the image.
pub(super) fn highest(base: &Base, key: Option<&Key>) -> Level {
    let ours = key.is_some_and(|key| base.keys.contains(key));
    if ours { HIGHEST } else { Level::Normal }
}

/// What a bundle of this level can have of what it asks for; what its `acl` names, up to `highest`.
fn declared(base: &Base, manifest: &Manifest, level: Level, highest: Level) -> Vec<Declared> {
    let one = |asked: &Asked| {
        let name = &asked.permission;
        let listed = manifest.acl.contains(name);
        let level = if listed { level.max(highest) } else { level };
        Declared::new(name.clone(), level, base.library.find(name).as_deref())
    };
    manifest.permissions.iter().map(one).collect()
}

/// The manifest that a bundle has.
pub(super) fn manifest(written: &str) -> Result<Manifest, String> {
    text::parse("bundle.toml", written)
        .map_err(|report| format!("its manifest is wrong:\n{}", report.render(false).trim_end()))
}

fn opened(path: &Path) -> Result<File, String> {
    disk::open(path).map_err(|e| format!("opening {}: {e}", path.display()))
}
