//! What ships, in memory, with files in the place of others.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::LazyLock;
use std::{fs, io};

use model::text::Source;

/// Everything in `configs/`, by its path below it.
static SHIPPED: LazyLock<BTreeMap<String, String>> = LazyLock::new(|| {
    let mut all = BTreeMap::new();
    for kind in ["devices", "services", "sandbox"] {
        let directory = configs().join(kind);
        for file in fs::read_dir(directory).into_iter().flatten().flatten() {
            let name = file.file_name().to_string_lossy().into_owned();
            if let Ok(text) = fs::read_to_string(file.path()) {
                all.insert(format!("{kind}/{name}"), text);
            }
        }
    }
    all
});

/// The directory of what ships.
pub(crate) fn configs() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../configs"))
}

/// Files by path.
#[derive(Default)]
pub(crate) struct Files(BTreeMap<String, String>);

impl Files {
    /// Nothing but what ships.
    pub(crate) fn shipped() -> Self {
        Self::default()
    }

    /// With one more.
    pub(crate) fn with(mut self, path: &str, text: &str) -> Self {
        self.0.insert(path.to_owned(), text.to_owned());
        self
    }
}

impl Source for Files {
    fn read(&self, path: &str) -> io::Result<String> {
        let found = self.0.get(path).or_else(|| SHIPPED.get(path));
        found.cloned().ok_or_else(|| io::Error::other("no such file"))
    }

    fn list(&self, directory: &str) -> io::Result<Vec<String>> {
        let all = self.0.keys().chain(SHIPPED.keys());
        let below = all.filter_map(|p| p.strip_prefix(directory)?.strip_prefix('/'));
        Ok(below.filter(|p| !p.contains('/')).map(str::to_owned).collect())
    }

    fn is_file(&self, path: &str) -> bool {
        self.0.contains_key(path) || SHIPPED.contains_key(path)
    }
}
