//! What the daemon does when it is asked, on threads that may wait.

use std::fs::File;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use api::stores::{Error, Offer, Store};
use model::Name;
use model::store::{self, MAX_PLACE, MAX_STORES};
use tuf::{Kept, Refused, Role, Source, Time, Trusted};

use crate::catalog::{self, Device, listed};
use crate::download::{self, Fetched};
use crate::shelf::{About, Shelf, Shown};
use crate::source::Supply;

/// What it works with.
#[derive(Debug)]
pub(super) struct Work {
    shelf: Shelf,
    /// Stores that the device comes with.
    image: PathBuf,
    device: Device,
    /// Who changes something has this.
    turn: Mutex<()>,
    /// Who fetches a file has this.
    fetching: Mutex<()>,
}

impl Work {
    /// Takes over what the device comes with and does not know yet.
    pub(super) fn new(shelf: &Path, image: &Path) -> Self {
        let (turn, fetching) = (Mutex::new(()), Mutex::new(()));
        let (shelf, image) = (Shelf::at(shelf), image.to_owned());
        let new = Self { shelf, image, device: device(), turn, fetching };
        for name in Shelf::at(&new.image).names() {
            if new.shelf.get(&name).is_none()
                && let Err(why) = new.take_over(&name)
            {
                // It is tried again at the next start.
                let why = why.replace(char::is_control, " ");
                let _lost = writeln!(std::io::stderr(), "<4>the store {name} of the image: {why}");
            }
        }
        new
    }

    /// A store of the image is known from now on, and was not asked yet.
    fn take_over(&self, name: &Name) -> Result<(), String> {
        let read = |file: &str, most: usize| {
            let path = self.image.join(name.as_str()).join(file);
            let most = u64::try_from(most).unwrap_or(u64::MAX);
            let read = sys::regular::read(&path, most, false);
            read.map(|(_, bytes)| bytes).map_err(|e| format!("reading {}: {e}", path.display()))
        };
        let place = String::from_utf8(read(store::PLACE, MAX_PLACE)?).map_err(|e| e.to_string())?;
        let root = read(store::ROOT, usize::try_from(tuf::MAX_ROOT).unwrap_or(usize::MAX))?;
        Trusted::begin(&root).map_err(|why| why.to_string())?;
        let place = place.trim().to_owned();
        let about = About { place, root: tuf::fingerprint(&root), ..About::default() };
        let keeping = |e: std::io::Error| format!("keeping it: {e}");
        let mut shown = self.shelf.begin(name).map_err(keeping)?;
        shown.write(Role::Root, &root)?;
        shown.tell(&about).map_err(keeping)?;
        self.shelf.finish(name, shown).map(drop).map_err(keeping)
    }

    pub(super) fn list(&self) -> Vec<Store> {
        let all = self.shelf.names();
        all.iter().filter_map(|name| Some(row(name, &self.shelf.get(name)?))).collect()
    }

    pub(super) fn add(
        &self,
        name: &str,
        place: &str,
        root: Vec<u8>,
        fingerprint: &str,
        from: Vec<OwnedFd>,
    ) -> Result<Store, Error> {
        let _turn = taken(&self.turn);
        if place.len() > MAX_PLACE || place.contains(char::is_control) {
            return Err(Error::Invalid("that is no place where a store could be".to_owned()));
        }
        if self.shelf.names().len() >= MAX_STORES {
            let why =
                format!("{MAX_STORES} stores are known already: remove one: `ensctl store list`");
            return Err(Error::Refused(why));
        }
        let mut supply = Supply::of(place, from).map_err(Error::Invalid)?;
        let root = first_root(&mut supply, place, root, fingerprint)?;
        let name = named(name, &root)?;
        if self.shelf.get(&name).is_some() {
            return Err(Error::Refused(format!(
                "a store `{name}` is known already: `ensctl store remove {name}` forgets it, `--name` calls this one otherwise"
            )));
        }
        let keeping = |e: std::io::Error| Error::Failed(format!("keeping the store: {e}"));
        let mut shown = self.shelf.begin(&name).map_err(keeping)?;
        shown.write(Role::Root, &root).map_err(Error::Failed)?;
        let now = now();
        tuf::refresh(&mut supply, &mut shown, now).map_err(error)?;
        let about = About {
            place: place.to_owned(),
            root: tuf::fingerprint(&root),
            asked: now.seconds(),
            trouble: String::new(),
        };
        shown.tell(&about).map_err(keeping)?;
        Ok(row(&name, &self.shelf.finish(&name, shown).map_err(keeping)?))
    }

    pub(super) fn remove(&self, name: &str) -> Result<(), Error> {
        let _turn = taken(&self.turn);
        let (name, _) = self.known(name)?;
        if self.image.join(name.as_str()).exists() {
            let why = format!("{name} came with the device, and can't be removed");
            return Err(Error::Refused(why));
        }
        self.shelf.remove(&name).map_err(|e| Error::Failed(format!("forgetting {name}: {e}")))
    }

    pub(super) fn refresh(&self, name: &str, from: Vec<OwnedFd>) -> Result<Store, Error> {
        let _turn = taken(&self.turn);
        let (name, mut shown) = self.known(name)?;
        let mut about = shown.about();
        let now = now();
        let asked = Supply::of(&about.place, from)
            .map_err(Refused::Failed)
            .and_then(|mut supply| tuf::refresh(&mut supply, &mut shown, now));
        let told = asked.as_ref().err().map(ToString::to_string).unwrap_or_default();
        (about.asked, about.trouble) = (now.seconds(), told);
        shown.tell(&about).map_err(|e| Error::Failed(format!("keeping {name}: {e}")))?;
        match asked {
            Ok(_) => Ok(row(&name, &shown)),
            Err(why) => Err(error(why)),
        }
    }

    pub(super) fn search(&self, text: &str) -> Vec<Offer> {
        let now = now();
        let names = self.shelf.names();
        let of = |name: &Name| {
            let trusted = tuf::known(&self.shelf.get(name)?).ok()?;
            trusted.fresh(now).ok()?;
            Some(catalog::offers(name.as_str(), &trusted, &self.device, text))
        };
        catalog::together(names.iter().filter_map(of).flatten().collect())
    }

    pub(super) fn fetch(
        &self,
        store: &str,
        (id, version): (&str, &str),
        from: Vec<OwnedFd>,
        told: &dyn Fn(u64, u64),
    ) -> Result<(File, Vec<String>), Error> {
        let _turn = taken(&self.fetching);
        let (name, shown) = self.known(store)?;
        let trusted = believed(&shown).map_err(error)?;
        let found = listed(&trusted).find(|one| one.app.bundle == id && one.app.version == version);
        let missing = || {
            Error::NotFound(format!(
                "{name} does not list {id} {version}: `ensctl store refresh` asks what is new"
            ))
        };
        let found = found.ok_or_else(missing)?;
        let what = Fetched {
            path: format!("targets/{}", trusted.root().target_file(found.name, found.target)),
            length: found.target.length,
            sha256: found.target.sha256().ok_or_else(missing)?,
        };
        let supply = Supply::of(&shown.about().place, from).map_err(Error::Failed)?;
        let failed = |e: std::io::Error| Error::Failed(format!("a place for what is fetched: {e}"));
        let directory = self.shelf.fetched().map_err(failed)?;
        let told = |done| told(done, what.length);
        let file = download::fetch(&directory, &supply, &what, &told).map_err(Error::Failed)?;
        Ok((file, found.app.keys))
    }

    fn known(&self, name: &str) -> Result<(Name, Shown), Error> {
        let none = || {
            Error::NotFound(format!(
                "no store `{name}` is known: `ensctl store list` shows which are"
            ))
        };
        let name = Name::try_from(name).map_err(|_| none())?;
        let shown = self.shelf.get(&name).ok_or_else(none)?;
        Ok((name, shown))
    }
}

fn taken(turn: &Mutex<()>) -> MutexGuard<'_, ()> {
    turn.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is kept of a store, if it counts now.
fn believed(shown: &Shown) -> Result<Trusted, Refused> {
    let trusted = tuf::known(shown)?;
    trusted.fresh(now())?;
    Ok(trusted)
}

fn row(name: &Name, shown: &Shown) -> Store {
    let about = shown.about();
    let mut row = Store {
        name: name.to_string(),
        place: about.place,
        root: about.root,
        asked: about.asked,
        trouble: about.trouble,
        ..Store::default()
    };
    match tuf::known(shown) {
        Ok(trusted) => {
            row.bundles = u32::try_from(listed(&trusted).count()).unwrap_or(u32::MAX);
            row.until = trusted.expires().0.seconds();
            if let Err(why) = trusted.fresh(now()) {
                row.trouble = why.to_string();
            }
        }
        // What went wrong when it was asked is told by then.
        Err(_) if row.asked == 0 => {
            row.trouble = "it was not asked yet: `ensctl store refresh` does that".to_owned();
        }
        Err(_) if !row.trouble.is_empty() => {}
        Err(why) => row.trouble = why.to_string(),
    }
    row
}

/// The root that the owner means: the one that came along, or the store's first one if it has the fingerprint.
fn first_root(
    supply: &mut Supply,
    place: &str,
    root: Vec<u8>,
    fingerprint: &str,
) -> Result<Vec<u8>, Error> {
    let given = !root.is_empty();
    let root = if given {
        root
    } else {
        let first = supply.get("1.root.json", tuf::MAX_ROOT).map_err(Error::Failed)?;
        first.ok_or_else(|| {
            Error::NotFound(format!("{place} is no store: it has no metadata/1.root.json"))
        })?
    };
    // Whether it is one at all is said before anybody compares anything.
    Trusted::begin(&root).map_err(error)?;
    let is = tuf::fingerprint(&root);
    match fingerprint {
        "" if given => Ok(root),
        "" => Err(Error::Unknown(format!(
            "nobody has said that this is the right store: compare its root with who keeps it, who sees the same in `ens store \
             init`, and say so: {is}"
        ))),
        fingerprint if fingerprint == is => Ok(root),
        _ => Err(Error::Refused(format!("its root is another one than {fingerprint}: it is {is}"))),
    }
}

/// What a store is called here.
fn named(name: &str, root: &[u8]) -> Result<Name, Error> {
    let own = Trusted::begin(root).map_err(error)?.root().name.clone().unwrap_or_default();
    let name = if name.is_empty() { own.as_str() } else { name };
    Name::try_from(name).map_err(|why| {
        Error::Invalid(format!(
            "a store can't be called `{name}`: {why}: `--name` calls it otherwise"
        ))
    })
}

fn error(why: Refused) -> Error {
    match why {
        Refused::Failed(why) => Error::Failed(why),
        why => Error::Refused(why.to_string()),
    }
}

/// Now, on the clock of the device.
fn now() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    Time::new(since.map_or(0, |since| since.as_secs()))
}

/// This device.
fn device() -> Device {
    let word = |file: &str, key: &str| {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        let found = text.lines().find_map(|line| line.strip_prefix(key));
        found.unwrap_or_default().trim_matches('"').to_owned()
    };
    Device {
        architecture: std::env::consts::ARCH.to_owned(),
        form_factor: word("/usr/lib/os-release", "VARIANT_ID="),
        locale: word("/etc/locale.conf", "LANG="),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::fd::AsFd;
    use std::{fs, thread};

    use api::stores::supply::{FOUND, MISSING};

    use super::*;

    /// A store that python-tuf wrote, with one file in it.
    const STORE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tuf/tests/python/repository");

    /// Who opens the files of a directory.
    fn from() -> Vec<OwnedFd> {
        let (ours, theirs) = sys::seqpacket::pair().unwrap();
        thread::spawn(move || {
            let mut packet = [0; 1024];
            while let Ok((count @ 1.., _, _)) = sys::seqpacket::recv(&ours, &mut packet) {
                let path = std::str::from_utf8(&packet[..count]).unwrap();
                let sent = match File::open(format!("{STORE}/{path}")) {
                    Ok(file) => sys::seqpacket::send(&ours, &[FOUND], &[file.as_fd()]),
                    Err(_) => sys::seqpacket::send(&ours, &[MISSING], &[]),
                };
                sent.unwrap();
            }
        });
        vec![theirs]
    }

    fn root() -> Vec<u8> {
        fs::read(format!("{STORE}/metadata/1.root.json")).unwrap()
    }

    #[test]
    fn a_store_is_added_by_its_root_or_its_fingerprint_and_its_files_are_handed_on() {
        let directory = tempfile::tempdir().unwrap();
        let work = Work::new(directory.path(), Path::new("/none"));
        let add =
            |name: &str, root, fingerprint: &str| work.add(name, STORE, root, fingerprint, from());
        let unknown = add("py", vec![], "").unwrap_err();
        let fingerprint = tuf::fingerprint(&root());
        assert!(
            matches!(&unknown, Error::Unknown(why) if why.ends_with(&fingerprint)),
            "{unknown}"
        );
        assert!(matches!(add("py", vec![], "ab"), Err(Error::Refused(_))));
        assert!(matches!(add("", vec![], &fingerprint), Err(Error::Invalid(_))), "it has no name");
        let row = add("py", vec![], &fingerprint).unwrap();
        assert_eq!((row.bundles, row.trouble.as_str()), (1, ""));
        assert!(matches!(add("py", root(), ""), Err(Error::Refused(_))), "known already");
        add("other", root(), "").unwrap();
        assert_eq!(work.list().len(), 2);
        assert_eq!(work.search("TEXT").len(), 2);
        assert_eq!(work.search("nothing").len(), 0);
        let (mut file, keys) = {
            let told = |done, of| assert!(done <= of);
            work.fetch("py", ("org.example.text", "1.0.0"), from(), &told).unwrap()
        };
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        assert!(text.starts_with("Ein Text") && keys.is_empty());
        let none = work.fetch("py", ("org.example.text", "2.0.0"), from(), &|_, _| ());
        assert!(matches!(none, Err(Error::NotFound(_))));
        work.remove("py").unwrap();
        assert!(matches!(work.refresh("py", from()), Err(Error::NotFound(_))));
        work.refresh("other", from()).unwrap();
    }

    #[test]
    fn a_store_of_the_image_is_known_at_once_and_stays() {
        let directory = tempfile::tempdir().unwrap();
        let image = directory.path().join("image/py");
        fs::create_dir_all(&image).unwrap();
        fs::write(image.join("place"), format!("{STORE}\n")).unwrap();
        fs::write(image.join("root.json"), root()).unwrap();
        fs::create_dir_all(directory.path().join("image/broken")).unwrap();
        let shelf = directory.path().join("shelf");
        fs::create_dir(&shelf).unwrap();
        let work = Work::new(&shelf, &directory.path().join("image"));
        let all = work.list();
        assert_eq!(all.len(), 1);
        assert!(all[0].trouble.contains("not asked yet"), "{:?}", all[0]);
        assert!(work.refresh("py", vec![]).is_err(), "nobody opens the directory");
        work.refresh("py", from()).unwrap();
        assert!(matches!(work.remove("py"), Err(Error::Refused(_))));
        let again = Work::new(&shelf, &directory.path().join("image"));
        assert_eq!(again.list()[0].bundles, 1);
    }
}
