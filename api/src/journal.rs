//! What anyone may ask of journal: peer-to-peer D-Bus on [`crate::paths::JOURNAL_SOCKET`].
//!
//! ```text
//! reader ── Read(query) ──► journal
//!        ◄── pipe ─────────          records in export format (`crate::export`), oldest first;
//!                                    it ends after the last one, with `follow` never
//! ```
//!
//! Only root may connect. Invariant: a reader cannot hold up logging. One that is so slow that what
//! it is to read next has been removed, is cut off, and the log says so.

use zbus::{DBusError, DeserializeDict, OwnedFd, SerializeDict, Type};

/// The object path.
pub const PATH: &str = "/org/ensemble/Journal";

/// The interface.
pub const INTERFACE: &str = "org.ensemble.Journal1";

/// Which records to read. All that is `None` or `false` does not restrict; an unknown key is
/// refused, so that an older journal never answers with more than was asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, SerializeDict, DeserializeDict, Type)]
#[zbus(signature = "a{sv}", deny_unknown_fields)]
pub struct Query {
    /// Of this service (`web`) or unit (`web.service`).
    pub unit: Option<String>,
    /// Of the boot with this id (32 hexadecimal digits), or `this`.
    pub boot: Option<String>,
    /// Of this priority and more urgent: 0 (the device is unusable) to 7 (debug).
    pub priority: Option<u8>,
    /// Received at this time or later, in microseconds since 1970.
    pub since: Option<u64>,
    /// Whose message contains this text, byte for byte.
    pub grep: Option<String>,
    /// Only the last this many of those.
    pub lines: Option<u32>,
    /// Keep the pipe open and send new records as they come.
    pub follow: bool,
    /// After the record with this `__CURSOR`.
    pub cursor: Option<String>,
}

/// How the log is.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize, Type)]
pub struct Status {
    /// Bytes in its files.
    pub bytes: u64,
    /// Its files.
    pub files: u32,
    /// Records in its files and in memory.
    pub records: u64,
    /// Records and datagrams lost since journal started: refused, or no room on the disk.
    pub dropped: u64,
    /// Where its files are.
    pub directory: String,
    /// Why it is not as it should be, as a sentence without a full stop; empty when all is well.
    pub trouble: String,
}

/// Why a call failed. The text is one sentence that says what to do.
#[derive(Debug, Clone, PartialEq, DBusError)]
#[zbus(prefix = "org.ensemble.Journal1.Error")]
pub enum Error {
    /// The bus itself.
    #[zbus(error)]
    ZBus(zbus::Error),
    /// The query makes no sense.
    BadQuery(String),
    /// Too many readers at once.
    Busy(String),
    /// The disk or the kernel said no.
    Failed(String),
}

/// The calls. `JournalProxy::new(&connection)` on a peer-to-peer connection is all it needs.
#[zbus::proxy(
    interface = "org.ensemble.Journal1",
    default_path = "/org/ensemble/Journal",
    default_service = "org.ensemble.Journal"
)]
pub trait Journal {
    /// Records that match, in export format, oldest first, through the pipe that is answered.
    fn read(&self, query: Query) -> Result<OwnedFd, Error>;

    /// How the log is.
    fn status(&self) -> Result<Status, Error>;

    /// Begins a new file.
    fn rotate(&self) -> Result<(), Error>;

    /// Answers when all that was received is on the disk.
    fn sync(&self) -> Result<(), Error>;
}
