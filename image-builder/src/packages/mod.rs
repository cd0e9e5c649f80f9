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
pub mod assemble;
pub mod cache;
pub mod closure;
pub mod compression;
pub mod deb;
pub mod entries;
#[cfg(test)]
pub(crate) mod fixture;
pub mod index;
pub mod kernel;
pub mod lock;
pub mod modinfo;
pub mod obtain;
pub mod relation;
pub mod resolve;
pub mod root;
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
    /// Packages with programs that make the image and are not part of it.
    pub tools: Vec<String>,
    /// URL of the mirror; the host's own when absent.
    pub mirror: Option<String>,
}
