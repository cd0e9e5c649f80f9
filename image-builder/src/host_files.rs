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

    fn store_root(&self, path: &str) -> io::Result<String> {
        if fs::metadata(path)?.len() > tuf::MAX_ROOT {
            return Err(io::Error::other(format!("it has more than {} bytes", tuf::MAX_ROOT)));
        }
        let text = self.read(path)?;
        // When it expires is of no account: a device goes on from it to the newest, which must not have expired.
        tuf::Trusted::begin(text.as_bytes()).map_err(io::Error::other)?;
        Ok(text)
    }

    fn library(&self) -> Option<String> {
        self.library.clone()
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn only_a_root_that_signed_itself_is_the_root_of_a_store() {
        let cases = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/cases");
        let directory = tempfile::tempdir().unwrap();
        let told = |text: &str| {
            let path = directory.path().join("root.json");
            fs::write(&path, text).unwrap();
            let read = HostFiles::alone().store_root(path.to_str().unwrap());
            read.map_err(|e| e.to_string())
        };
        let root = fs::read_to_string(cases.join("store-shipped/root.json")).unwrap();
        assert_eq!(told(&root).as_deref(), Ok(&*root));
        let other = root.replacen("2126", "2127", 1);
        assert_ne!(other, root);
        assert!(
            told(&other).unwrap_err().contains("root.json is wrongly signed: by 0 of the keys")
        );
        assert!(told("{}").unwrap_err().contains("is damaged, or none of a store"));
        let long = " ".repeat(usize::try_from(tuf::MAX_ROOT).unwrap() + 1);
        assert!(told(&long).unwrap_err().contains("it has more than 512000 bytes"));
    }
}
