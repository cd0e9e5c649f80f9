//! How a store is opened: what is read, what is mended, what was half done.
//!
//! ```text
//! installed ─► generation ─► what was left to be done ─► updates that the image has caught up with go ─► what counts
//!    └─ damaged: told, and nothing is collected before the next change
//! ```
//!
//! Invariant: one bundle that can't be read or finished keeps no other one from its place.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};

use model::bundle::{APP_IDS, BundleId};

use super::disk::{As, Disk};
use super::generation::{self, Generation};
use super::manifests::Manifests;
use super::refusal::Tried;
use super::{Base, Device, Held, Key, Library, MAX_SHIPPED, Mounts, Places, Refusal, Store};
use super::{disk, mounting};
use crate::vault::Vault;

/// Longest file with keys of the image, in bytes.
const MAX_KEY_FILE: u64 = 64 << 10;

impl Store {
    /// Opens the store of the device, and ends what a power cut left half done. Answers with what there is to say
    /// about it, too.
    ///
    /// # Errors
    /// The disk can't be read or written.
    pub fn open(places: Places, device: Device) -> Result<(Self, Vec<String>), Refusal> {
        Self::open_on(places, device, Box::new(disk::Real), Box::new(mounting::Real))
    }

    /// As [`Self::open`], on another disk.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_on(
        places: Places,
        device: Device,
        disk: Box<dyn Disk>,
        mounts: Box<dyn Mounts>,
    ) -> Result<(Self, Vec<String>), Refusal> {
        let mut said = Vec::new();
        let keys = keys(&places.image.join("keys"), &mut said);
        let library = Library::new(places.permissions.clone());
        let incoming = Mutex::default();
        let vault = Vault::new(places.keys.clone(), places.unlocked.clone());
        let manifests = Manifests::of(&places.bundles);
        let swapping = Mutex::default();
        let base = Base {
            places,
            device,
            disk,
            mounts,
            library,
            manifests,
            vault,
            keys,
            incoming,
            swapping,
        };
        let bundles = &base.places.bundles;
        make_all(&*base.disk, bundles, 0o700).tried("making the directory", bundles)?;
        let (generation, wrong) = read(&base)?;
        let damaged = !wrong.is_empty();
        let at = base.installed();
        said.extend(wrong.into_iter().map(|why| format!("{}: {why}", at.display())));
        let image = shipped(&base, &mut said);
        let mut this = Self {
            base: Arc::new(base),
            generation,
            image,
            held: BTreeMap::new(),
            broken: BTreeMap::new(),
            damaged,
        };
        this.begin(&mut said)?;
        Ok((this, said))
    }

    /// Ends what was half done, and lets go of updates that the image has caught up with.
    fn begin(&mut self, said: &mut Vec<String>) -> Result<(), Refusal> {
        let unfinished: Vec<_> = self.generation.unfinished().keys().cloned().collect();
        for id in unfinished {
            // Whatever is done with this bundle tries it again first; the others have nothing to do with it.
            if let Err(why) = self.settle(&id) {
                said.push(format!("{id} can't be used before this is done: {why}"));
            }
        }
        let caught_up = |(id, installed): (&BundleId, &generation::Installed)| {
            let image = self.image.get(id)?.manifest.version;
            (image >= installed.version).then(|| (id.clone(), installed.version, image))
        };
        let old: Vec<_> = self.generation.bundles().filter_map(caught_up).collect();
        if !old.is_empty() {
            let mut next = self.generation.clone();
            for (id, was, is) in old {
                next.back_to_the_image(&id);
                said.push(format!(
                    "{id} {was} was installed; {is} of the device counts from now on"
                ));
            }
            self.put(next)?;
        }
        if self.damaged {
            self.load();
        } else {
            self.refresh();
        }
        self.base.manifests.opened(&*self.base.disk);
        let broken = self.broken.iter();
        said.extend(broken.map(|(id, why)| format!("{id} can't be used: {why}")));
        Ok(())
    }
}

/// The generation that is on the disk.
fn read(base: &Base) -> Result<(Generation, Vec<String>), Refusal> {
    let at = base.installed();
    let bytes = match sys::regular::read(&at, generation::MAX_FILE, false) {
        Ok((_, bytes)) => bytes,
        Err(why) if why.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(why) => return Err(Refusal::tried("reading", &at, &why)),
    };
    let (generation, wrong) = Generation::parse(&bytes, None);
    if wrong.is_empty() && !bytes.is_empty() {
        return Ok((generation, wrong));
    }
    // Lines about users may be lost, or all of it: whoever owns data was given one.
    let names = disk::names(&base.places.data).tried("looking into", &base.places.data)?;
    let classes = names.iter().flat_map(|id| ["el1", "el2"].map(|class| Path::new(id).join(class)));
    let owners = classes.filter_map(|path| disk::about(&base.places.data.join(path)).ok()?);
    let highest = owners.map(|about| about.uid).filter(|uid| APP_IDS.contains(uid)).max();
    Ok(Generation::parse(&bytes, highest))
}

/// The bundles that the image brought.
fn shipped(base: &Base, said: &mut Vec<String>) -> BTreeMap<BundleId, Arc<Held>> {
    let names = disk::names(&base.places.image).unwrap_or_else(|why| {
        said.push(format!("looking into {}: {why}", base.places.image.display()));
        Vec::new()
    });
    let ends =
        |name: &&std::ffi::OsString| Path::new(name).extension() == Some(OsStr::new("bundle"));
    let mut all = BTreeMap::new();
    for name in names.iter().filter(ends).take(MAX_SHIPPED) {
        let path = base.places.image.join(name);
        match Held::shipped(base, &path) {
            Ok(held) if path.file_stem() == Some(OsStr::new(held.id().as_str())) => {
                all.insert(held.id().clone(), Arc::new(held));
            }
            Ok(held) => said.push(format!(
                "{} can't be used: it is {}, and so is to be called {}.bundle",
                path.display(),
                held.id(),
                held.id()
            )),
            Err(why) => said.push(format!("{} can't be used: {why}", path.display())),
        }
    }
    all
}

/// Keys of the image: a file with one in each line, or a directory of such files.
fn keys(at: &Path, said: &mut Vec<String>) -> Vec<Key> {
    let files = match disk::names(at) {
        Ok(names) => names.iter().map(|name| at.join(name)).collect(),
        Err(_) => vec![at.to_owned()],
    };
    let mut keys = Vec::new();
    for file in files {
        let text = match sys::regular::read(&file, MAX_KEY_FILE, true) {
            Ok((_, bytes)) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(why) => {
                said.push(format!("reading {}: {why}", file.display()));
                continue;
            }
        };
        for line in text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#')) {
            match Key::try_from(line) {
                Ok(key) if keys.len() < generation::MAX_KEYS => keys.push(key),
                Ok(_) => said.push(format!("{}: too many keys", file.display())),
                Err(why) => said.push(format!("{}: `{line}`: {why}", file.display())),
            }
        }
    }
    keys
}

/// Makes a directory and those above it, so that they are there after a power cut.
fn make_all(disk: &dyn Disk, path: &Path, mode: u32) -> io::Result<()> {
    if disk::about(path)?.is_some() {
        return Ok(());
    }
    let Some(above) = path.parent() else { return Ok(()) };
    make_all(disk, above, 0o755)?;
    disk.make_directory(path, As { mode, owner: None })?;
    disk.sync_directory(above)
}
