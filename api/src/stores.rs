//! What anyone may ask of `store`, which knows what stores offer and fetches it: peer-to-peer D-Bus on
//! [`crate::paths::STORE_SOCKET`].
//!
//! ```text
//! ensctl ── Fetch ──► store ── web, or the caller's own directory ──► file, checked against signed metadata
//!    └─ the file and the keys the store vouches for ──► ability-manager InstallFrom
//! ```
//!
//! `store` sees no disk but its own: who wants a directory to be a store hands over a socket ([`supply`]) and
//! opens the files itself. Everybody may look; only root may add, remove, refresh and fetch. Times are in seconds
//! since 1970.

use serde::{Deserialize, Serialize};
use zbus::{DBusError, OwnedFd, Type};

/// The object path.
pub const PATH: &str = "/org/ensemble/Stores";

/// The interface.
pub const INTERFACE: &str = "org.ensemble.Stores1";

/// A store that the device knows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct Store {
    /// What it is called on this device.
    pub name: String,
    /// `https://…`, `http://…`, or a directory.
    pub place: String,
    /// Of the first root, which the owner took: half of its SHA-256.
    pub root: String,
    /// Bundles that it lists.
    pub bundles: u32,
    /// When it was last asked.
    pub asked: u64,
    /// Until when its word counts.
    pub until: u64,
    /// Why it can't be used, as a sentence without a full stop; empty when it can.
    pub trouble: String,
}

/// A bundle that a store offers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct Offer {
    /// The store.
    pub store: String,
    /// Its id.
    pub id: String,
    /// Which version.
    pub version: String,
    /// What people call it, in the locale of the device.
    pub name: String,
    /// What it is for.
    pub about: String,
    /// `app` or `runtime`.
    pub kind: String,
    /// Bytes of its file.
    pub size: u64,
    /// Keys that signed it: the store vouches for them.
    pub keys: Vec<String>,
    /// Why it is not for this device; empty when it is.
    pub unfit: String,
}

/// Why a call failed. The text is one sentence that says what to do.
#[derive(Debug, Clone, PartialEq, DBusError)]
#[zbus(prefix = "org.ensemble.Stores1.Error")]
pub enum Error {
    /// The bus itself.
    #[zbus(error)]
    ZBus(zbus::Error),
    /// No such store or bundle.
    NotFound(String),
    /// It was tried, and did not work: the network, the disk.
    Failed(String),
    /// What came is not believed, or it is not allowed.
    Refused(String),
    /// What was sent makes no sense.
    Invalid(String),
    /// Only root may.
    NotPermitted(String),
    /// Nobody said that this root is the right one; the text ends with its fingerprint.
    Unknown(String),
}

/// Stores and what they offer.
#[zbus::proxy(
    interface = "org.ensemble.Stores1",
    default_path = "/org/ensemble/Stores",
    default_service = "org.ensemble.Stores"
)]
pub trait Stores {
    /// Stores that the device knows, sorted by name.
    fn list(&self) -> Result<Vec<Store>, Error>;

    /// Gets to know a store. An empty `name`: as it calls itself. `root` is its first root; when it is empty, that is
    /// fetched, and must have this `fingerprint`. `from`: empty, or a socket to who opens its files. Root only.
    fn add(
        &self,
        name: &str,
        place: &str,
        root: &[u8],
        fingerprint: &str,
        from: Vec<OwnedFd>,
    ) -> Result<Store, Error>;

    /// Forgets a store; what came from it stays. Root only.
    fn remove(&self, name: &str) -> Result<(), Error>;

    /// Asks a store what is new. Root only.
    fn refresh(&self, name: &str, from: Vec<OwnedFd>) -> Result<Store, Error>;

    /// What stores offered when they were last asked, and whose id, name or purpose has all words of `text`: of each bundle
    /// and store the highest version, the fit ones first. Those whose word has expired offer nothing.
    fn search(&self, text: &str) -> Result<Vec<Offer>, Error>;

    /// Fetches the file of a bundle, or the rest of it if it was begun before. Answers with the file, open for reading, which is the one
    /// that the store lists, and with the keys that it vouches for. Until then the one who asked is told by
    /// `Fetching` how far it is. Root only.
    fn fetch(
        &self,
        store: &str,
        id: &str,
        version: &str,
        from: Vec<OwnedFd>,
    ) -> Result<(OwnedFd, Vec<String>), Error>;

    /// So many bytes `of` the file that this connection asked for are there.
    #[zbus(signal)]
    fn fetching(&self, done: u64, of: u64) -> zbus::Result<()>;
}

/// What goes over the socket to who opens files: packets.
///
/// ```text
/// store ── `metadata/1.root.json` ──► caller
///       ◄── FOUND and a descriptor │ MISSING │ WRONG and why ──
/// ```
pub mod supply {
    /// Longest packet, in bytes.
    pub const MAX_PACKET: usize = 1024;

    /// The file is there: its descriptor comes along.
    pub const FOUND: u8 = b'+';

    /// There is no such file.
    pub const MISSING: u8 = b'-';

    /// It can't be opened; the rest of the packet says why.
    pub const WRONG: u8 = b'!';

    /// Whether this is the path of a file of a store: of its metadata, or one of its targets.
    #[must_use]
    pub fn legal(path: &str) -> bool {
        let part = |part: &str| !part.is_empty() && !part.starts_with('.') && !part.contains('\0');
        let inside = path.strip_prefix("metadata/").or_else(|| path.strip_prefix("targets/"));
        path.len() <= MAX_PACKET / 2 && inside.is_some_and(|rest| rest.split('/').all(part))
    }
}

#[cfg(test)]
mod tests {
    use super::supply::legal;

    #[test]
    fn only_files_of_a_store_are_asked_for() {
        for path in
            ["metadata/1.root.json", "targets/ab.org.example.notes_1.0.0.bundle", "targets/a/b"]
        {
            assert!(legal(path), "{path}");
        }
        for path in [
            "",
            "metadata",
            "metadata/",
            "metadata/../x",
            "targets//x",
            "/etc/shadow",
            "next.json",
            "targets/.x",
        ] {
            assert!(!legal(path), "{path}");
        }
    }
}
