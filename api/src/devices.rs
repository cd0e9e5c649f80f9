//! What anyone may ask of `softbus`, which knows the other devices of the owner: peer-to-peer D-Bus on
//! [`crate::paths::DEVICES_SOCKET`].
//!
//! ```text
//! source: Pair(target) ─► attempt ── Pairing: ask-code ─► Answer(attempt, code) ── Pairing: done │ failed
//! sink:   Accept(…)    ─► attempt ── Pairing: waiting ─► asked ─► Confirm(attempt, yes) ── show-code ── done │ failed
//! ```
//!
//! Everybody may look; only root may pair, change the group and open streams. Times are in seconds since 1970, as this
//! device's clock has them; nothing is decided by them.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use zbus::{DBusError, OwnedFd, Type};

/// The object path.
pub const PATH: &str = "/org/ensemble/Devices";

/// The interface.
pub const INTERFACE: &str = "org.ensemble.Devices1";

/// A device of the group, or this one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct Device {
    /// What people call it, distinct in the group.
    pub name: String,
    /// 64 hexadecimal digits.
    pub id: String,
    /// Form factor: `phone`, `tv` …
    pub form: String,
    /// `owner`, `member` or `guest`.
    pub level: String,
    /// `SL1` to `SL5`.
    pub label: String,
    /// `this`, `online` or `offline`.
    pub state: String,
    /// When it was last online; 0: never.
    pub seen: u64,
    /// `direct ADDRESS` or `relay URL`; empty when not online.
    pub way: String,
    /// Round trip in microseconds; 0 when not online.
    pub rtt: u32,
    /// Why it is not online, as a sentence without a full stop; empty when it is, or when nobody tried.
    pub trouble: String,
}

/// A device in the neighbourhood that can be paired with now.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct Nearby {
    /// As it calls itself; nobody vouches for it.
    pub name: String,
    /// 64 hexadecimal digits.
    pub id: String,
    /// Form factor, as it says.
    pub form: String,
    /// Where it is reached: `ADDRESS:PORT`.
    pub addresses: Vec<String>,
}

/// One thing that was looked at, and what came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct Check {
    /// What: `key`, `network`, `multicast`, `address`, `trust`, `version` …
    pub what: String,
    /// `ok`, `warning`, `failed` or `unknown`.
    pub verdict: String,
    /// What was found, as a sentence without a full stop.
    pub found: String,
    /// What to do about it; empty when nothing.
    pub remedy: String,
}

/// Why a call failed. The text is one sentence that says which step failed and what to do.
#[derive(Debug, Clone, PartialEq, DBusError)]
#[zbus(prefix = "org.ensemble.Devices1.Error")]
pub enum Error {
    /// The bus itself.
    #[zbus(error)]
    ZBus(zbus::Error),
    /// No such device.
    NotFound(String),
    /// It was tried, and did not work: the network, the disk.
    Failed(String),
    /// The other device, the group, or this one does not allow it.
    Refused(String),
    /// Another pairing is under way, or too many streams are open.
    Busy(String),
    /// What was sent makes no sense.
    Invalid(String),
    /// Only root may.
    NotPermitted(String),
}

/// The devices of the owner. DEVICE is a name, an id, or as many first digits of an id as are distinct.
#[zbus::proxy(
    interface = "org.ensemble.Devices1",
    default_path = "/org/ensemble/Devices",
    default_service = "org.ensemble.Devices"
)]
pub trait Devices {
    /// This device first, then those of its group by name.
    fn list(&self) -> Result<Vec<Device>, Error>;

    /// Devices that can be paired with now, by name. Whoever asks makes it look around for as long as it stays connected.
    fn nearby(&self) -> Result<Vec<Nearby>, Error>;

    /// Opens the window: another device may ask to pair. `options`: `confirm` (`no`: whoever asks sees the code at
    /// once), `level` (of who joins; `member`), `seconds` (120 at most). The window closes with the caller's connection.
    /// Root only.
    fn accept(&self, options: HashMap<&str, &str>) -> Result<u32, Error>;

    /// Begins to pair with a device whose window is open: a name or an id of [`Nearby`], or `ADDRESS:PORT`. `options`:
    /// `level`. Root only.
    fn pair(&self, target: &str, options: HashMap<&str, &str>) -> Result<u32, Error>;

    /// The owner of the device that shows the code says whether the one that asks may see it. Root only.
    fn confirm(&self, attempt: u32, yes: bool) -> Result<(), Error>;

    /// The code as it was typed. Root only.
    fn answer(&self, attempt: u32, code: &str) -> Result<(), Error>;

    /// Ends an attempt, and the window. Root only.
    fn cancel(&self, attempt: u32) -> Result<(), Error>;

    /// Something came of an attempt. `stage` is `waiting` (detail `seconds`), `asked` (`name`, `form`, `id`: confirm), `show-code` (`code`,
    /// `name`), `ask-code` (`name`, `id`, `tries`), `wrong-code` (`tries`), `done` (`name`, `id`) or `failed` (`step`, `reason`, `remedy`). Only the
    /// caller of `Accept` or `Pair` hears it.
    #[zbus(signal)]
    fn pairing(&self, attempt: u32, stage: &str, detail: HashMap<&str, &str>) -> zbus::Result<()>;

    /// Takes a device out of the group, for good: with its key it can't come back by itself. Root only.
    fn remove(&self, device: &str) -> Result<(), Error>;

    /// Gives a device another name. Root only.
    fn rename(&self, device: &str, name: &str) -> Result<(), Error>;

    /// Says what a device may do on the others: `owner`, `member`, `guest`. Root only.
    fn set_level(&self, device: &str, level: &str) -> Result<(), Error>;

    /// Says which data a device may hold: `SL1` to `SL5`. Root only.
    fn set_label(&self, device: &str, label: &str) -> Result<(), Error>;

    /// This device leaves its group and forgets it. Root only.
    fn leave(&self) -> Result<(), Error>;

    /// Remembers where devices may be reached: `ADDRESS:PORT`, or `ADDRESS` with the usual port. Root only.
    fn add_address(&self, address: &str) -> Result<(), Error>;

    /// Forgets an address that was added. Root only.
    fn forget_address(&self, address: &str) -> Result<(), Error>;

    /// What a device is and has: `os`, `version`, `form`, `screen`, `inputs`, `memory`, … A device that is offline is told as
    /// it was last known.
    fn info(&self, device: &str) -> Result<HashMap<String, String>, Error>;

    /// What works between this device and another (empty: with the network at all), looked at now, step by step.
    fn doctor(&self, device: &str) -> Result<Vec<Check>, Error>;

    /// Devices that have all of `needs` (`screen`, `touch`, `audio`, `memory=2G`, `form=tv` …), the best one first.
    fn pick(&self, needs: &[&str]) -> Result<Vec<Device>, Error>;

    /// Opens a stream to something on another device: `target` is `run`, `file` or `port`, with `arguments` as that wants
    /// them. Answers with a socket; it ends with the stream. Root only.
    fn open(
        &self,
        device: &str,
        target: &str,
        arguments: HashMap<&str, &str>,
    ) -> Result<OwnedFd, Error>;

    /// A device came, went, joined, left, or was renamed: `state` is that of [`Device`], or `removed`.
    #[zbus(signal)]
    fn changed(&self, id: &str, name: &str, state: &str) -> zbus::Result<()>;
}
