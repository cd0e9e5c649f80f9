//! Debian packages: from names in a TOML to a tree of files, without root and without dpkg.
//!
//! ```text
//!                 apt ─► lists ─► Index ─► closure ─► Lock ─► apt ─► debs ─► unpacked ─► Tree
//! no lock, or another request ──┘                      │
//! lock answers the request ────────────────────────────┘   (no list is read, the network only for what lacks)
//! ```
//!
//! apt fetches and checks signatures; which packages, and what is in them, is ours. No maintainer
//! script ever runs: [`root`] does what they would.

pub mod apt;
pub mod cache;
pub mod closure;
pub mod index;
pub mod lock;
pub mod relation;
mod similar;
pub mod sources;
pub mod version;

use serde::Deserialize;

pub use similar::similar;

/// One of the two archives of Debian that a device is built from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Archive {
    /// The main archive: the suite and its updates.
    Debian,
    /// The security archive.
    Security,
}

impl Archive {
    /// Its name in lock files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Debian => "debian",
            Self::Security => "security",
        }
    }
}

/// What a device asks of Debian.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The suite, like `trixie`.
    pub suite: String,
    /// Debian's name of the architecture, like `amd64`.
    pub architecture: String,
    /// The packages, kernel included.
    pub packages: Vec<String>,
    /// URL of the mirror; the host's own when absent.
    pub mirror: Option<String>,
}

/// Who is told how far long work is. One step at a time.
pub trait Progress: Sync {
    /// A step begins; `total` is its size (bytes, or 100 for percents), if known.
    fn begin(&self, step: &str, total: Option<u64>);
    /// So much of the step is done.
    fn advance(&self, done: u64);
    /// The step is over, well or not.
    fn end(&self);
}

/// Nobody.
impl Progress for () {
    fn begin(&self, _step: &str, _total: Option<u64>) {}
    fn advance(&self, _done: u64) {}
    fn end(&self) {}
}
