//! What the image has ready for starts that nobody foresaw; read when the first of them comes, so that it costs
//! nothing at boot and where there is no such start.
//!
//! Invariant: it only saves time. Where it is not there, or does not know something, texts are read and sandboxes
//! compiled as if there were none.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use model::permission::Permission;
use model::ready::{MAX_READY, Ready};
use model::sandbox::Profile;
use model::service::Service;
use model::text::ready::Profiles;
use model::{Name, gather};

/// All of it; copies are the same.
#[derive(Debug, Clone)]
pub(super) struct Shipped(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    read: OnceLock<Known>,
}

#[derive(Debug, Default)]
struct Known {
    profiles: Profiles,
    permissions: BTreeMap<Name, Arc<Permission>>,
    filters: BTreeMap<Profile, Vec<u8>>,
}

impl Shipped {
    /// What lies there.
    pub(super) fn new(path: PathBuf) -> Self {
        Self(Arc::new(Inner { path, read: OnceLock::new() }))
    }

    fn known(&self) -> &Known {
        self.0.read.get_or_init(|| {
            Known::read(&self.0.path).unwrap_or_else(|e| {
                if e.kind() != io::ErrorKind::NotFound {
                    let path = self.0.path.display();
                    log::error!(
                        "{path}: {e}: first starts of apps take longer; build the image again"
                    );
                }
                Known::default()
            })
        })
    }

    /// The filter for what is `sandbox::filtered` of a profile.
    pub(super) fn filter(&self, filtered: &Profile) -> Option<Vec<u8>> {
        self.known().filters.get(filtered).cloned()
    }

    /// A permission.
    pub(super) fn permission(&self, name: &Name) -> Option<Arc<Permission>> {
        self.known().permissions.get(name).map(Arc::clone)
    }

    /// What a text defines, if there is nothing to say about it.
    pub(super) fn define(&self, name: &Name, text: &str) -> Option<Service> {
        self.known().profiles.define(name, text)
    }
}

impl Known {
    fn read(path: &std::path::Path) -> io::Result<Self> {
        let mut bytes = Vec::new();
        File::open(path)?.take(MAX_READY + 1).read_to_end(&mut bytes)?;
        let damaged = || io::Error::other("not what the image builder of this version writes");
        if u64::try_from(bytes.len()).is_ok_and(|len| len > MAX_READY) {
            return Err(damaged());
        }
        let ready = Ready::decode(&bytes).ok_or_else(damaged)?;
        let permissions = ready.permissions.into_iter().map(|p| (p.name.clone(), Arc::new(p)));
        Ok(Self {
            profiles: Profiles::decode(&ready.profiles).ok_or_else(damaged)?,
            permissions: gather(permissions),
            filters: gather(ready.filters),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_is_damaged_or_not_there_knows_nothing() {
        let place = tempfile::tempdir().unwrap();
        let at = place.path().join("ready");
        let one = Profile { keyring: true, ..Profile::default() };
        let filter = |at: &PathBuf| Shipped::new(at.clone()).filter(&one);
        assert_eq!(filter(&at), None);
        let ready = Ready {
            profiles: Profiles::default().encode(),
            permissions: Vec::new(),
            filters: vec![(one.clone(), vec![7])],
        };
        fs::write(&at, ready.encode()).unwrap();
        assert_eq!(filter(&at), Some(vec![7]));
        let bytes = ready.encode();
        fs::write(&at, &bytes[..bytes.len() - 1]).unwrap();
        assert_eq!(filter(&at), None);
    }

    #[test]
    fn it_is_read_when_it_is_asked_for_and_once() {
        let place = tempfile::tempdir().unwrap();
        let at = place.path().join("ready");
        let shipped = Shipped::new(at.clone());
        let one = Profile::default();
        let ready = Ready {
            profiles: Profiles::default().encode(),
            permissions: Vec::new(),
            filters: vec![(one.clone(), vec![7])],
        };
        fs::write(&at, ready.encode()).unwrap();
        assert_eq!(shipped.filter(&one), Some(vec![7]));
        fs::remove_file(&at).unwrap();
        assert_eq!(shipped.clone().filter(&one), Some(vec![7]));
    }
}
