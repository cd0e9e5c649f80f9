//! Why the store does not do something.

use std::fmt;
use std::io;
use std::path::Path;

use super::Key;

/// Why something was not done. The text is one sentence that says what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// No such bundle.
    NotFound(String),
    /// What was given makes no sense: no bundle, a damaged one, an unsafe one.
    Invalid(String),
    /// It is not allowed, or does not fit this device.
    Refused(String),
    /// It is signed with this key, which the device does not trust; the text ends with it.
    Untrusted(String, Key),
    /// It was tried, and did not work.
    Failed(String),
}

impl Refusal {
    /// Something that was tried with a path did not work.
    pub(crate) fn tried(what: &str, path: &Path, why: &io::Error) -> Self {
        let help = match why.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                ": remove what is not needed: `ensctl app list`"
            }
            io::ErrorKind::ReadOnlyFilesystem => {
                ": the state of the device can't be written: see `ensctl log`"
            }
            _ => "",
        };
        Self::Failed(format!("{what} {}: {why}{help}", path.display()))
    }

    /// The text.
    #[must_use]
    pub fn text(&self) -> &str {
        match self {
            Self::NotFound(text)
            | Self::Invalid(text)
            | Self::Refused(text)
            | Self::Untrusted(text, _)
            | Self::Failed(text) => text,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl std::error::Error for Refusal {}

/// Says of an I/O error what was tried.
pub(super) trait Tried<T> {
    /// With a path.
    fn tried(self, what: &str, path: &Path) -> Result<T, Refusal>;
}

impl<T> Tried<T> for io::Result<T> {
    fn tried(self, what: &str, path: &Path) -> Result<T, Refusal> {
        self.map_err(|why| Refusal::tried(what, path, &why))
    }
}
