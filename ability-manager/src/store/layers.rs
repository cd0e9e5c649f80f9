//! What lies below a bundle: its runtime, and the two seen as one.
//!
//! ```text
//! layout "app",  no runtime   the device's programs           layout "root", no runtime   /run/bundles/ID
//! layout "app",  a runtime    /run/bundles/RUNTIME            layout "root", a runtime    /run/roots/ID ◄─ overlay ─┬ /run/bundles/ID
//!                                                                                                          └ /run/bundles/RUNTIME
//! ```
//!
//! Invariants: what lies upon a runtime finds it in the version it needs, at least: nothing is installed without it,
//! and nothing that needs it is left without. What is seen as one is made of the two that count, and nobody writes.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use bundle::{Content, Digest};
use model::bundle::{BundleId, BundleKind, Manifest, Version};

use super::disk::As;
use super::mounting::{Mounting, Seen};
use super::refusal::Tried;
use super::{Base, Held, Refusal, Store, disk, held};

/// Most bundles that are named where several need something.
const MAX_NAMED: usize = 5;

/// What counts, by id.
pub(super) type Here = BTreeMap<BundleId, Arc<Held>>;

/// What lies below a bundle.
///
/// # Errors
/// It is not here, or not in a version that serves.
pub(super) fn below<'h>(
    manifest: &Manifest,
    here: &'h Here,
) -> Result<Option<&'h Arc<Held>>, Refusal> {
    let Some(needed) = &manifest.runtime else { return Ok(None) };
    let (id, version) = (&needed.bundle, needed.version);
    let held = here.get(id).ok_or_else(|| {
        Refusal::Refused(format!(
            "it lies upon the runtime {id} {version}, which is not here: install that first: `ensctl app install`"
        ))
    })?;
    serves(held.manifest.kind, held.manifest.version, id, version)?;
    Ok(Some(held))
}

/// Whether a bundle of this kind and version serves one that needs `id` in the version `least`.
fn serves(
    kind: BundleKind,
    version: Version,
    id: &BundleId,
    least: Version,
) -> Result<(), Refusal> {
    if kind != BundleKind::Runtime {
        return Err(Refusal::Refused(format!(
            "it lies upon {id}, which is an app: its maker names a bundle of the kind \"runtime\""
        )));
    }
    if version < least {
        return Err(Refusal::Refused(format!(
            "it needs the runtime {id} in version {least} at least, and {version} is here: install a later one first: \
             `ensctl app install`"
        )));
    }
    Ok(())
}

/// Whether what lies upon a bundle can go on when that becomes another one; `None` if it goes.
///
/// # Errors
/// It can't: who needs it, and what to do.
pub(super) fn may_become(
    id: &BundleId,
    next: Option<(BundleKind, Version)>,
    here: &Here,
) -> Result<(), Refusal> {
    let needs = |held: &&Arc<Held>| {
        let needed = held.manifest.runtime.as_ref().filter(|needed| needed.bundle == *id);
        needed.is_some_and(|needed| match next {
            Some((kind, version)) => serves(kind, version, id, needed.version).is_err(),
            None => true,
        })
    };
    let needing: Vec<&str> = here.values().filter(needs).map(|held| held.id().as_str()).collect();
    let Some(first) = needing.first() else { return Ok(()) };
    let named = needing.get(..MAX_NAMED).unwrap_or(&needing).join(", ");
    let more = needing.len().saturating_sub(MAX_NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let what = match next {
        Some((_, version)) => format!("{id} can't become {version}: that is not enough for"),
        None => format!("{id} is needed by"),
    };
    Err(Refusal::Refused(format!(
        "{what} {named}{more}: remove what needs it first: `ensctl app remove {first}`"
    )))
}

impl Store {
    /// Bundles that lie upon this one: their instances end before it changes.
    #[must_use]
    pub fn upon(&self, id: &BundleId) -> Vec<BundleId> {
        let upon = |held: &&Arc<Held>| {
            held.manifest.runtime.as_ref().is_some_and(|needed| needed.bundle == *id)
        };
        self.bundles().filter(upon).map(|held| held.id().clone()).collect()
    }

    /// The manifest of the version that can be gone back to: of this digest, or the image's.
    pub(super) fn before(
        &self,
        id: &BundleId,
        digest: Option<&Digest>,
    ) -> Result<Manifest, Refusal> {
        let Some(digest) = digest else {
            let gone = || Refusal::Failed(format!("{id} is not in the image any more"));
            return self.image.get(id).map(|held| held.manifest.clone()).ok_or_else(gone);
        };
        let path = self.base.content(digest);
        let file = disk::open(&path).tried("opening", &path)?;
        let content = Content::open(&file).map_err(|why| Refusal::Invalid(why.to_string()))?;
        held::manifest(content.manifest()).map_err(Refusal::Invalid)
    }

    /// Unmounts a bundle, after all that is made of it.
    pub(super) fn unmount(&self, id: &BundleId) -> Result<(), Refusal> {
        for laid in self.upon(id).iter().chain([id]) {
            self.base.unmount(&self.base.places.roots.join(laid.as_str()))?;
        }
        self.base.unmount(&self.base.places.mounts.join(id.as_str()))
    }
}

impl Mounting {
    /// What lies below it, which is to be mounted before.
    #[must_use]
    pub fn below(&self) -> Option<Self> {
        let held = Arc::clone(self.below.as_ref()?);
        Some(Self { base: Arc::clone(&self.base), held, below: None })
    }

    /// Of which bundle.
    #[must_use]
    pub fn id(&self) -> &BundleId {
        self.held.id()
    }

    /// The bundle and its runtime are seen as one. Both are mounted.
    pub(super) fn lay_over(&self) -> Result<(), Refusal> {
        let Some(below) = self.below.as_ref().filter(|_| self.held.manifest.is_laid_over()) else {
            return Ok(());
        };
        let (base, held) = (&*self.base, &*self.held);
        let at = base.root(held.id());
        let name = name(&held.digest, &below.digest);
        if let Some(seen) = base.mounts.mounted(&at).tried("looking what is mounted at", &at)? {
            if seen == Seen::Layers(name.clone()) {
                return Ok(());
            }
            base.unmount(&at)?;
        }
        for path in [&base.places.roots, &at] {
            let how = As { mode: 0o755, owner: None };
            base.disk.make_directory(path, how).tried("making the directory", path)?;
        }
        let (upper, lower) = (base.mount_point(held), base.mount_point(below));
        base.mounts.layers(&name, [&upper, &lower], &at).map_err(|e| {
            Refusal::Failed(format!(
                "laying {} over its runtime {} at {}: {e}: this kernel or container can't do that (overlayfs)",
                held.id(),
                below.id(),
                at.display()
            ))
        })
    }
}

/// How what is laid over another is called, so that it is known whether it is of those which count.
fn name(upper: &Digest, lower: &Digest) -> String {
    format!("{LAYERS}{upper}+{lower}")
}

/// How names of layers begin.
pub(super) const LAYERS: &str = "layers:";

impl Base {
    /// Where a bundle is seen as one with its runtime.
    fn root(&self, id: &BundleId) -> PathBuf {
        self.places.roots.join(id.as_str())
    }
}
