//! What happens to a bundle before anything changes: looked at, copied, checked. May take long, and needs
//! nothing of the store, so that it can be done beside everything else.
//!
//! ```text
//! file ─ header, signatures proved ─ manifest ─ fits? trusted? may it? ─ room ─┐            cheap, nothing is copied
//!   ┌──────────────────────────────────────────────────────────────────────────┘
//!   └─► copied: is it what was signed? ─ every file of its image ─ on disk, sealed ─► Prepared ─► Change::install
//! ```
//!
//! Invariants: what is prepared was checked in the copy that is kept, which nobody else can write; a copy that
//! is not committed is gone.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};

use bundle::{Bundle, Content, Digest};
use model::Name;
use model::bundle::{API, BundleId, Manifest};
use model::permission::Level;
use model::word::Word;

use super::disk::As;
use super::generation::{Admission, Generation, Offer, Shipped};
use super::layers::{Here, below, may_become};
use super::refusal::Tried;
use super::{Base, Key, Refusal, disk, held};

/// Bytes that are left free on the disk: what a device needs to go on, and to remove something.
pub const MARGIN: u64 = 16 << 20;

/// What the owner allows beyond what goes by itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wish {
    /// The key it is signed with is trusted from now on.
    pub trust: bool,
    /// An older version may take the place of a newer one.
    pub downgrade: bool,
}

/// What a store says of a bundle that comes from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vouched {
    /// What the store is called here.
    pub store: Name,
    /// Keys that it vouches for, for this bundle alone.
    pub keys: Vec<Key>,
}

/// Everything that is needed to prepare a bundle, as it was when this was made.
#[derive(Debug, Clone)]
pub struct Intake {
    pub(super) base: Arc<Base>,
    pub(super) generation: Generation,
    pub(super) shipped: Vec<(BundleId, Shipped)>,
    /// What counts.
    pub(super) here: Here,
}

/// A bundle that can be installed at once.
#[derive(Debug)]
pub struct Prepared {
    pub(super) copy: Copy,
    pub(super) manifest: Manifest,
    pub(super) offer: Offer,
    /// What proves who signed it.
    pub(super) signatures: Vec<u8>,
    pub(super) wish: Wish,
    /// Where it comes from, if it is from a store.
    pub(super) vouched: Option<Vouched>,
    /// The kernel checks it from now on.
    pub(super) sealed: bool,
}

impl Prepared {
    /// What it is.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }
}

/// The copy of a content that is not installed yet; it goes when this does.
#[derive(Debug)]
pub(super) struct Copy {
    base: Arc<Base>,
    pub(super) path: PathBuf,
}

impl Copy {
    fn new(base: &Arc<Base>) -> Self {
        let mut all = base.incoming.lock().unwrap_or_else(PoisonError::into_inner);
        all.0 += 1;
        let path = base.places.bundles.join(format!("incoming-{}", all.0));
        all.1.insert(path.clone());
        Self { base: Arc::clone(base), path }
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        // Renamed by then if it was installed; what can't be removed is garbage at the next start.
        let _gone = self.base.disk.remove(&self.path);
        let mut all = self.base.incoming.lock().unwrap_or_else(PoisonError::into_inner);
        all.1.remove(&self.path);
    }
}

impl Intake {
    /// Looks at a bundle, copies it, checks the copy.
    ///
    /// # Errors
    /// Why it can't be installed; nothing is left then.
    pub fn prepare(&self, file: &File, wish: Wish) -> Result<Prepared, Refusal> {
        self.prepare_from(file, wish, None)
    }

    /// As [`Intake::prepare`], of a bundle that a store vouches for.
    ///
    /// # Errors
    /// As there.
    pub fn prepare_from(
        &self,
        file: &File,
        wish: Wish,
        vouched: Option<Vouched>,
    ) -> Result<Prepared, Refusal> {
        let invalid = |why: bundle::Refused| Refusal::Invalid(why.to_string());
        let bundle = Bundle::open(file).map_err(invalid)?;
        let manifest = held::manifest(bundle.manifest()).map_err(Refusal::Invalid)?;
        let signers = bundle.signatures().iter().map(|one| Key::from(one.key())).collect();
        let offer = Offer {
            id: manifest.id.clone(),
            version: manifest.version,
            digest: bundle.digest(),
            size: bundle.content().length(),
            signers,
        };
        let shipped = self.shipped.iter().find(|(id, _)| *id == offer.id).map(|(_, one)| one);
        let known = (&self.generation, shipped);
        let (_, key) = admitted(&self.base, known, &offer, wish, vouched.as_ref())?;
        fits(&self.base, &manifest)?;
        below(&manifest, &self.here)?;
        may_become(&manifest.id, Some((manifest.kind, manifest.version)), &self.here)?;
        level(&self.base, &manifest, &key)?;
        self.room(offer.size)?;
        let copy = Copy::new(&self.base);
        let sealed = self.copied(&bundle, &copy.path)?;
        let signatures = bundle.signatures().iter().flat_map(|one| one.to_bytes()).collect();
        Ok(Prepared { copy, manifest, offer, signatures, wish, vouched, sealed })
    }

    fn room(&self, size: u64) -> Result<(), Refusal> {
        let place = &self.base.places.bundles;
        let free = self.base.disk.free(place).tried("looking how much is free in", place)?;
        if free >= size.saturating_add(MARGIN) {
            return Ok(());
        }
        Err(Refusal::Refused(format!(
            "it takes {} MiB, and {} are free of which {} stay free: remove something: `ensctl app list`",
            size.div_ceil(1 << 20),
            free >> 20,
            MARGIN >> 20
        )))
    }

    /// Copies the content; what was copied is what was signed, and its image is sound.
    fn copied(&self, bundle: &Bundle<&File>, path: &Path) -> Result<bool, Refusal> {
        let disk = &*self.base.disk;
        let mut refused = None;
        let written = disk.write(path, As { mode: 0o400, owner: None }, &mut |out| {
            bundle.copy(out).map_err(|why| {
                refused = Some(why.to_string());
                io::Error::other("the bundle is not copied")
            })
        });
        match (written, refused) {
            (Ok(()), None) => {}
            (_, Some(why)) => return Err(Refusal::Invalid(why)),
            (Err(why), None) => return Err(Refusal::tried("writing", path, &why)),
        }
        disk.sync(path).tried("writing", path)?;
        let invalid = |why: bundle::Refused| Refusal::Invalid(why.to_string());
        let copy = disk::open(path).tried("reading", path)?;
        let content = Content::open(&copy).map_err(invalid)?;
        content.check().map_err(invalid)?;
        let sealed = disk.seal(path).tried("sealing", path)?;
        if sealed {
            let again = disk::open(path).tried("reading", path)?;
            same(disk.measure(&again).tried("measuring", path)?, bundle.digest())?;
        }
        Ok(sealed)
    }
}

fn same(measured: Option<Digest>, digest: Digest) -> Result<(), Refusal> {
    if measured == Some(digest) {
        return Ok(());
    }
    Err(Refusal::Failed("the kernel measures another digest of the copy: install it again".into()))
}

/// What a bundle would be, and which of its keys it is of from then on.
pub(super) fn admitted(
    base: &Base,
    (generation, shipped): (&Generation, Option<&Shipped>),
    offer: &Offer,
    wish: Wish,
    vouched: Option<&Vouched>,
) -> Result<(Admission, Key), Refusal> {
    let Some(first) = offer.signers.first() else {
        let why = "nobody signed it: its maker signs it with `ens bundle sign`";
        return Err(Refusal::Refused(why.to_owned()));
    };
    let admission = generation.admit(offer, shipped, wish.downgrade).map_err(Refusal::Refused)?;
    // What the image brought vouches for the keys of its updates, a store for those of what comes from it.
    let vouched = |key: &Key| {
        shipped.is_some_and(|shipped| shipped.keys.contains(key))
            || vouched.is_some_and(|vouched| vouched.keys.contains(key))
    };
    let trusted = |key: &&Key| {
        base.keys.contains(key) || generation.keys().contains_key(*key) || vouched(key)
    };
    let of = generation.user(&offer.id).and_then(|user| user.key.as_ref());
    // An update is of the key of what it updates; anything else of the first that is trusted.
    let own = |key: &&Key| of.is_none_or(|of| of == *key) && ours(key, shipped, of);
    let mut candidates = offer.signers.iter().filter(own);
    if let Some(key) = candidates.clone().find(trusted) {
        return Ok((admission, key.clone()));
    }
    let key = candidates.next().unwrap_or(first);
    if wish.trust || admission == Admission::There {
        return Ok((admission, key.clone()));
    }
    let fingerprint = key.fingerprint();
    let why = format!(
        "it is signed by {fingerprint}, whom this device does not trust: compare that with its maker, and \
         trust the key with --trust: {key}"
    );
    Err(Refusal::Untrusted(why, key.clone()))
}

/// The first update of what the image brought is of one of its keys.
fn ours(key: &Key, shipped: Option<&Shipped>, of: Option<&Key>) -> bool {
    of.is_some() || shipped.is_none_or(|shipped| shipped.keys.contains(key))
}

/// Whether the device is, and has, what a bundle needs.
fn fits(base: &Base, manifest: &Manifest) -> Result<(), Refusal> {
    let needs = &manifest.requires;
    let refused = |why: String| Err(Refusal::Refused(why));
    if needs.api > API {
        return refused(format!(
            "it needs interfaces of level {}, and this device has {API}: update the device",
            needs.api
        ));
    }
    let device = &base.device;
    if !needs.architectures.is_empty() && !needs.architectures.contains(&device.architecture) {
        let (all, is) = (needs.architectures.join(" or "), &device.architecture);
        return refused(format!("it is for {all}, and this device is {is}"));
    }
    let form = device.form_factor;
    if !needs.form_factors.is_empty() && !form.is_some_and(|f| needs.form_factors.contains(&f)) {
        let all: Vec<&str> = needs.form_factors.iter().map(|form| form.word()).collect();
        let is = form.map_or("none that is known", Word::word);
        return refused(format!(
            "it is for devices of the form {}, and this one is {is}",
            all.join(" or ")
        ));
    }
    let root = &base.places.root;
    let there = |path: &&String| root.join(path.trim_start_matches('/')).exists();
    let missing: Vec<&str> =
        needs.files.iter().filter(|path| !there(path)).map(String::as_str).collect();
    if missing.is_empty() {
        return Ok(());
    }
    refused(format!("it needs {} of the device, which does not have that", missing.join(" and ")))
}

/// Whether a bundle of this key may have the level it wants, and the permissions it asks for.
fn level(base: &Base, manifest: &Manifest, key: &Key) -> Result<(), Refusal> {
    let wants = manifest.level;
    if wants > held::level(base, wants, Some(key)) {
        return Err(Refusal::Refused(format!(
            "it wants the level {}, which only bundles of the device, or of a key that came with it, can \
             have: with `level = \"{}\"` in its bundle.toml anybody may install it",
            wants.word(),
            Level::Normal.word()
        )));
    }
    let highest = held::highest(base, Some(key));
    for asked in &manifest.permissions {
        let known = base.library.find(&asked.permission);
        let Some(above) = known.filter(|known| known.level > wants) else { continue };
        let (name, level) = (&above.name, above.level.word());
        if !manifest.acl.contains(name) {
            return Err(Refusal::Refused(format!(
                "it asks for `{name}`, which is of the level {level}, is itself of the level {}, and its `acl` does \
                 not name it",
                wants.word()
            )));
        }
        if above.level > highest {
            return Err(Refusal::Refused(format!(
                "its `acl` names `{name}`, which is of the level {level}: only a key that came with the device can \
                 give that"
            )));
        }
    }
    Ok(())
}
