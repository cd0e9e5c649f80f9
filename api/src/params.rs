//! Parameters: small named values of the device, kept by servicemgr. Peer-to-peer D-Bus on
//! [`crate::paths::SERVICES_SOCKET`], beside [`crate::services`].
//!
//! Everybody may look, wait and watch; only root may set. Names have parts with dots between:
//! `const.` is set once, `persist.` is kept over reboots, `service.NAME` is the state of a service
//! in one word and set by nobody, `device.NAME` tells whether that device of the owner is here and is set by softbus.
//!
//! Invariant: `set` of a `persist.` answers when the value is on disk.

use serde::{Deserialize, Serialize};
use zbus::{DBusError, Type};

/// The object path.
pub const PATH: &str = "/org/ensemble/Params";

/// The interface.
pub const INTERFACE: &str = "org.ensemble.Params1";

/// One parameter.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Type)]
pub struct Param {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// Why a call failed. The text is one sentence that says what to do.
#[derive(Debug, Clone, PartialEq, DBusError)]
#[zbus(prefix = "org.ensemble.Params1.Error")]
pub enum Error {
    /// The bus itself.
    #[zbus(error)]
    ZBus(zbus::Error),
    /// No parameter is called that.
    NoSuchParameter(String),
    /// The name or the value is not taken.
    Refused(String),
    /// It did not get the value in time.
    TimedOut(String),
    /// Only root may.
    NotPermitted(String),
    /// The value is set, but could not be saved.
    NotSaved(String),
    /// Too many wait or watch already.
    Busy(String),
    /// The device is going down.
    GoingDown(String),
}

/// The calls.
#[zbus::proxy(
    interface = "org.ensemble.Params1",
    default_path = "/org/ensemble/Params",
    default_service = "org.ensemble.Services"
)]
pub trait Params {
    /// The value of a parameter.
    fn get(&self, name: &str) -> Result<String, Error>;

    /// Sets a parameter. Root only.
    fn set(&self, name: &str, value: &str) -> Result<(), Error>;

    /// Those whose names begin with `prefix`, sorted.
    fn list(&self, prefix: &str) -> Result<Vec<Param>, Error>;

    /// Answers with the value of a parameter once it is `value` (`*`: once it has any), at once if
    /// it is; waits for at most so many milliseconds.
    fn wait(&self, name: &str, value: &str, milliseconds: u64) -> Result<String, Error>;

    /// From now on, [`ParamsProxy::receive_changed`] tells of each change of those whose names begin
    /// with `prefix`, in order. A watcher that does not read what it is told is hung up on.
    fn watch(&self, prefix: &str) -> Result<(), Error>;

    /// A parameter has a new value.
    #[zbus(signal)]
    fn changed(&self, name: &str, value: &str) -> zbus::Result<()>;
}
