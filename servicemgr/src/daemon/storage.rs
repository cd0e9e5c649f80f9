//! How much a service may store: its trees are a project of the file system, which has a limit.
//!
//! ```text
//! [limits] storage ─► number in /etc/projid ─► limit in the quotas ─► trees get the number ─► start
//! ```
//!
//! At each start: so an edited limit holds from then on, and one that is gone holds no more. Trees that
//! have the number already are not looked through again. Where the state has no quotas (containers, a
//! state of an older image), that is said once and services start without. Invariant: a number is on the
//! disk before a file has it, and a limit holds before the first process runs.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use model::Name;
use model::service::Service;
use sys::quota;

use super::own;
use crate::projects::{self, Projects};

/// What is counted lies on the file system of this directory.
const STATE: &str = "/var/lib";

/// Longest table that is read: as many lines as there are numbers.
const MAX_TABLE: u64 = 8 << 20;

/// Units of sizes as people read them.
const MIB: u64 = 1 << 20;

/// Numbers and quotas, looked for when the first service starts.
#[derive(Debug, Default)]
pub(super) struct Storage {
    /// Directory of the state; `Some(None)`: it has no quotas.
    state: Option<Option<File>>,
    /// Who has which number, as it is on the disk.
    table: Option<Projects>,
}

impl Storage {
    /// Makes the limit of a service hold.
    ///
    /// # Errors
    /// Why it must not start.
    pub(super) fn provide(&mut self, etc: &Path, service: &Service) -> Result<(), String> {
        let limits = &service.limits;
        let wanted = limits.storage.or(limits.storage_files).is_some();
        let known = self.table(etc);
        let name = counted(service);
        if !wanted && !matches!(&known, Ok(table) if table.of(&name).is_some()) {
            return Ok(());
        }
        let failed = |why: String| format!("its limit of storage: {why}");
        known.map_err(failed)?;
        if self.state().is_none() {
            return Ok(());
        }
        let trees = if wanted { trees(service, self.device()) } else { Vec::new() };
        if trees.is_empty() && self.table(etc).is_ok_and(|table| table.of(&name).is_none()) {
            return Ok(()); // nothing to count
        }
        let number = self.number(etc, &name, &trees).map_err(failed)?;
        let Some(state) = self.state() else { return Ok(()) };
        quota::limit(state.as_fd(), number, limits.storage, limits.storage_files)
            .map_err(|e| failed(format!("the file system refuses it: {e}")))?;
        for tree in trees {
            let path = tree.display();
            match quota::assign(&tree, number) {
                // Behind a link: its sandbox does not let it write there either.
                Err(e) if e.raw_os_error() == Some(quota::LINK) => {}
                Ok(false) => {}
                Ok(true) => {
                    let name = service.name.as_str();
                    log::info!(target: name, "what is in {path} counts for {name} from now on");
                }
                Err(e) => {
                    return Err(failed(format!(
                        "could not count {path} for it: {e}; by hand: chattr -R -p {number} +P {path}"
                    )));
                }
            }
        }
        Ok(())
    }

    /// What a service stores and may store, for people; nothing if nobody counts.
    pub(super) fn told(&self, service: &Service) -> Option<String> {
        let number = self.table.as_ref()?.of(&counted(service))?;
        let state = self.state.as_ref()?.as_ref()?;
        let limits = &service.limits;
        limits.storage.or(limits.storage_files)?;
        quota::usage(state.as_fd(), number).ok().map(sentence)
    }

    /// Counts nothing for an app any more: its number is free, and has no limit.
    ///
    /// # Errors
    /// Why not: something is counted for it still, or the table can't be read or written.
    pub(super) fn forget(&mut self, etc: &Path, app: &Name) -> Result<(), String> {
        let path = etc.join(projects::FILE);
        let (text, mut table) = read(&path)?;
        let Some(number) = table.of(app) else { return Ok(()) };
        if let Some(state) = self.state() {
            let failed = |e: io::Error| format!("quotas of project {number}: {e}");
            let usage = quota::usage(state.as_fd(), number).map_err(failed)?;
            if usage.files > 0 {
                let files = usage.files;
                return Err(format!("{files} of its files are there: remove them first"));
            }
            quota::limit(state.as_fd(), number, None, None).map_err(failed)?;
        }
        let text = table.take(app, &text);
        own::keep(&path, &text).map_err(|e| format!("{}: {e}", path.display()))?;
        self.table = Some(table);
        Ok(())
    }

    /// The table, which only we change.
    fn table(&mut self, etc: &Path) -> Result<&mut Projects, String> {
        if self.table.is_none() {
            self.table = Some(read(&etc.join(projects::FILE))?.1);
        }
        Ok(self.table.get_or_insert_default())
    }

    /// The number of a service, which it gets now if it has none yet.
    fn number(&mut self, etc: &Path, name: &Name, trees: &[PathBuf]) -> Result<u32, String> {
        if let Some(number) = self.table(etc)?.of(name) {
            return Ok(number);
        }
        // People may have added lines meanwhile.
        let path = etc.join(projects::FILE);
        let (mut text, mut table) = read(&path)?;
        let before = trees.first().and_then(|tree| quota::project(tree).ok());
        let (number, line) = table.give(name, before).map_err(|e| e.to_string())?;
        if let Some(line) = line {
            text += &line;
            own::keep(&path, &text).map_err(|e| format!("{}: {e}", path.display()))?;
        }
        self.table = Some(table);
        Ok(number)
    }

    /// The directory of the state, if it has quotas; that it has none is said once.
    fn state(&mut self) -> Option<&File> {
        let state = self.state.get_or_insert_with(|| {
            let state = File::open(STATE).ok().filter(|state| quota::holds(state.as_fd()));
            if state.is_none() {
                log::warn!("no quotas on {STATE} here: services run without limits of storage");
            }
            state
        });
        state.as_ref()
    }

    /// The file system of the state.
    fn device(&mut self) -> Option<u64> {
        self.state()?.metadata().ok().map(|about| about.dev())
    }
}

/// In whose name its storage is counted: all instances of an app store together.
fn counted(service: &Service) -> Name {
    service.app().unwrap_or_else(|| service.name.clone())
}

/// The trees of a service that are there and on the state.
fn trees(service: &Service, device: Option<u64>) -> Vec<PathBuf> {
    let there = |tree: &PathBuf| {
        let about = fs::symlink_metadata(tree).ok();
        about.is_some_and(|about| Some(about.dev()) == device && !about.is_symlink())
    };
    service.stores().into_iter().map(PathBuf::from).filter(there).collect()
}

/// The text of the table, and what it says; both empty if there is none.
fn read(path: &Path) -> Result<(String, Projects), String> {
    let text = match sys::regular::read(path, MAX_TABLE, true) {
        Ok((_, bytes)) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(e) if e.kind() == ErrorKind::NotFound => String::new(),
        Err(e) => return Err(format!("{}: {e}", path.display())),
    };
    let table = Projects::parse(&text).map_err(|e| e.to_string())?;
    Ok((text, table))
}

/// `12.5 MiB of 64.0 MiB, 40 files of 10000`.
fn sentence(usage: quota::Usage) -> String {
    let size = |bytes: u64| format!("{}.{} MiB", bytes / MIB, bytes % MIB * 10 / MIB);
    let of = |most: Option<String>| most.map(|most| format!(" of {most}")).unwrap_or_default();
    format!(
        "{}{}, {} files{}",
        size(usage.bytes),
        of(usage.most_bytes.map(size)),
        usage.files,
        of(usage.most_files.map(|n| n.to_string())),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn use_is_told_with_its_limits() {
        let usage = quota::Usage {
            bytes: 13 << 19,
            files: 40,
            most_bytes: Some(64 << 20),
            most_files: None,
        };
        assert_eq!(sentence(usage), "6.5 MiB of 64.0 MiB, 40 files");
        let usage = quota::Usage { most_bytes: None, most_files: Some(9), ..usage };
        assert_eq!(sentence(usage), "6.5 MiB, 40 files of 9");
    }

    #[test]
    fn a_number_is_given_once_and_is_on_the_disk() {
        let etc = tempfile::tempdir().unwrap();
        let path = etc.path().join(projects::FILE);
        fs::write(&path, "home:100000\n").unwrap();
        let web = Name::try_from("web".to_owned()).unwrap();
        let mut storage = Storage::default();
        assert_eq!(storage.number(etc.path(), &web, &[]), Ok(100_001));
        assert_eq!(fs::read_to_string(&path).unwrap(), "home:100000\nweb:100001\n");
        assert_eq!(storage.number(etc.path(), &web, &[]), Ok(100_001));
        assert_eq!(Storage::default().number(etc.path(), &web, &[]), Ok(100_001));
        fs::write(&path, "web:1:2\n").unwrap();
        let why = Storage::default().number(etc.path(), &web, &[]).unwrap_err();
        assert!(why.contains("line 1 of /etc/projid"), "{why}");
    }

    #[test]
    fn instances_of_an_app_are_counted_together_and_its_number_goes_with_it() {
        let etc = tempfile::tempdir().unwrap();
        let path = etc.path().join(projects::FILE);
        fs::write(&path, "home:100000\n").unwrap();
        let instance = |number: u32| {
            let name = Name::try_from(format!("app@org.example.notes_{number}")).unwrap();
            Service { user: Some("10000".into()), ..Service::new(name, Vec::new()) }
        };
        let app = counted(&instance(1));
        assert_eq!((app.as_str(), &counted(&instance(2))), ("app@org.example.notes", &app));
        // Nothing is counted where there are no quotas.
        let mut storage = Storage { state: Some(None), ..Storage::default() };
        assert_eq!(storage.number(etc.path(), &app, &[]), Ok(100_001));
        assert_eq!(storage.forget(etc.path(), &app), Ok(()));
        assert_eq!(fs::read_to_string(&path).unwrap(), "home:100000\n");
        assert_eq!(storage.forget(etc.path(), &app), Ok(()), "it is nobody's already");
        assert_eq!(storage.number(etc.path(), &app, &[]), Ok(100_001));
    }

    #[test]
    fn a_service_without_limits_asks_nobody() {
        let name = Name::try_from("web".to_owned()).unwrap();
        let web = Service::new(name, vec!["/bin/web".into()]);
        let mut storage = Storage::default();
        assert_eq!(storage.provide(Path::new("/nonexistent"), &web), Ok(()));
        assert!(storage.state.is_none() && storage.told(&web).is_none());
    }
}
