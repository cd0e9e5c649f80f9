//! The host's files as the model reads them.

use std::fs;
use std::io;
use std::path::Path;

use model::text::Source;

use crate::workspace::Workspace;

/// Files of the disk, with the devices and services of a project as library.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostFiles {
    library: Option<String>,
}

impl HostFiles {
    /// With what `workspace` ships.
    #[must_use]
    pub fn of(workspace: &Workspace) -> Self {
        let configs = workspace.root().join("configs");
        Self { library: configs.to_str().map(str::to_owned) }
    }

    /// With nothing but the files themselves.
    #[must_use]
    pub fn alone() -> Self {
        Self { library: None }
    }
}

impl Source for HostFiles {
    fn read(&self, path: &str) -> io::Result<String> {
        let limit = u64::try_from(model::text::MAX_FILE).unwrap_or(u64::MAX);
        if fs::metadata(path)?.len() > limit {
            return Err(io::Error::other("larger than a megabyte: not one of our files"));
        }
        fs::read_to_string(path)
    }

    fn list(&self, directory: &str) -> io::Result<Vec<String>> {
        let names = fs::read_dir(directory)?.map(|e| Ok(e?.file_name().into_string()));
        let names: io::Result<Vec<_>> = names.collect();
        // A name that is not UTF-8 is none of ours.
        Ok(names?.into_iter().flatten().collect())
    }

    fn is_file(&self, path: &str) -> bool {
        Path::new(path).is_file()
    }

    fn library(&self) -> Option<String> {
        self.library.clone()
    }
}
