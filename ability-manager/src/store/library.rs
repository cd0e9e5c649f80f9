//! Permissions that this device knows, read when somebody asks for one.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use model::Name;
use model::permission::Permission;
use model::text::{MAX_FILE, Source, permission};

/// Most permissions that are kept in memory: more than a device has. Others are read again.
const MAX_KEPT: usize = 512;

/// The permissions of a device.
#[derive(Debug)]
pub struct Library {
    directory: PathBuf,
    known: Mutex<BTreeMap<Name, Option<Arc<Permission>>>>,
}

impl Library {
    /// Those in this directory, which is not looked at yet.
    pub(super) fn new(directory: PathBuf) -> Self {
        Self { directory, known: Mutex::default() }
    }

    /// A permission; none that the device does not know, or whose file is wrong, which is logged.
    #[must_use]
    pub fn find(&self, name: &Name) -> Option<Arc<Permission>> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = known.get(name) {
            return found.clone();
        }
        let found = self.read(name).map(Arc::new);
        if known.len() < MAX_KEPT {
            known.insert(name.clone(), found.clone());
        }
        found
    }

    fn read(&self, name: &Name) -> Option<Permission> {
        let directory = self.directory.to_string_lossy().into_owned();
        if !Files.is_file(&format!("{directory}/{name}.toml")) {
            return None;
        }
        match permission::load(&Files, &[directory], name.as_str()) {
            Ok(defined) => Some(defined.permission),
            Err(report) => {
                log::warn!("the permission `{name}` can't be used: {}", report.render(false));
                None
            }
        }
    }
}

/// The files of the device.
struct Files;

impl Source for Files {
    fn read(&self, path: &str) -> io::Result<String> {
        let most = u64::try_from(MAX_FILE).unwrap_or(u64::MAX);
        let (_, bytes) = sys::regular::read(Path::new(path), most, true)?;
        String::from_utf8(bytes).map_err(|_| io::Error::other("it is no UTF-8"))
    }

    fn list(&self, _: &str) -> io::Result<Vec<String>> {
        Ok(Vec::new())
    }

    fn is_file(&self, path: &str) -> bool {
        Path::new(path).is_file()
    }
}
