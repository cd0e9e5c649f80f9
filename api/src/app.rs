//! What an app asks of the device, and what it is told: D-Bus on the socket of its instance.
//!
//! ```text
//! $DBUS_SESSION_BUS_ADDRESS ─ Hello ─ Attach ─► the want it was started for, its saved state
//!   ◄─ signal Lifecycle(event, token, want) ─ Done(token, state) ─►          foreground background want terminate
//! ```
//!
//! The socket belongs to one instance: who is at the other end of it is that instance, whatever it says of
//! itself. ability-manager answers `org.freedesktop.DBus` on it as far as the libraries of a session bus need.
//!
//! Invariant: nothing here names another app's instance.

use std::collections::HashMap;

use zbus::zvariant::{DeserializeDict, SerializeDict};
use zbus::{OwnedFd, Type};

pub use crate::abilities::{Candidate, Error, Want};

/// The name that answers on the socket.
pub const NAME: &str = "org.ensemble.App";

/// The object path.
pub const PATH: &str = "/org/ensemble/App";

/// The interface.
pub const INTERFACE: &str = "org.ensemble.App1";

/// The interface for libraries of other languages.
pub const INTROSPECTION: &str = include_str!("../org.ensemble.App1.xml");

/// Most bytes of state that an ability may save: what a continuation moves without a pause.
pub const MAX_STATE: usize = 100 << 10;

/// Events of [`AppProxy::receive_lifecycle`].
pub mod event {
    /// It comes to the screen.
    pub const FOREGROUND: &str = "foreground";
    /// It leaves the screen: `Done` with the state it wants to find again.
    pub const BACKGROUND: &str = "background";
    /// It runs already, and is wanted for something more.
    pub const WANT: &str = "want";
    /// It ends: `Done`, then exit.
    pub const TERMINATE: &str = "terminate";
    /// Somebody connects: `Accept` takes the connection, `Done` does not, or ends it later. Within 10 s. The want is
    /// what it is for.
    pub const CONNECT: &str = "connect";
    /// A connection is no more: `connection` is its number for who asked for it, `token` is that of `connect` for the
    /// service. Nothing is answered.
    pub const DISCONNECTED: &str = "disconnected";
    /// A card is to be made or filled anew: `form` is its number, `size` its size. `UpdateForm`, then `Done`.
    pub const FORM: &str = "form";
    /// The card with the number in `form` is no more. Nothing is answered.
    pub const FORM_GONE: &str = "form-gone";
    /// The device lacks memory: `moderate`, `low` or `critical` is the parameter `level` of the want. Nothing is answered.
    pub const MEMORY: &str = "memory";
    /// The time of the task with the number that is parameter `task` is over in `seconds`, and then the instance is ended.
    /// Nothing is answered but `EndTask`.
    pub const TASK_ENDING: &str = "task-ending";
    /// The task with the number that is parameter `task` goes on no more: a transfer that told of no progress for ten
    /// minutes. Nothing is answered.
    pub const TASK_CANCELLED: &str = "task-cancelled";
}

/// What an instance is told when it attaches, as `a{sv}`.
#[derive(Debug, Clone, Default, PartialEq, Eq, SerializeDict, DeserializeDict, Type)]
#[zvariant(signature = "dict", rename_all = "kebab-case")]
pub struct Launch {
    /// `s`: its bundle.
    pub bundle: Option<String>,
    /// `s`: which ability it is.
    pub ability: Option<String>,
    /// `s`: why it runs: `start`, `connect`, `restore`.
    pub reason: Option<String>,
    /// `a{sv}`: what it was started for.
    pub want: Option<Want>,
    /// `ay`: what it saved the last time.
    pub state: Option<Vec<u8>>,
    /// `s`: locale of the device.
    pub locale: Option<String>,
}

/// The calls of an app.
#[zbus::proxy(
    interface = "org.ensemble.App1",
    default_path = "/org/ensemble/App",
    default_service = "org.ensemble.App"
)]
pub trait App {
    /// The instance is there; from now on it is told of its lifecycle.
    fn attach(&self) -> Result<Launch, Error>;

    /// It did what `token` asked for. `state` counts with `background` alone; at most [`MAX_STATE`].
    fn done(&self, token: u32, state: &[u8]) -> Result<(), Error>;

    /// Wants something of an app. Answers when that is there.
    fn start(&self, want: Want) -> Result<(), Error>;

    /// What would answer a want: those that this app may start.
    fn candidates(&self, want: Want) -> Result<Vec<Candidate>, Error>;

    /// Ends this instance.
    fn terminate(&self) -> Result<(), Error>;

    /// Whether it has these permissions: `granted`, `refused`, `settings` (only the owner can change it
    /// now), `undeclared`.
    fn permissions(&self, names: &[&str]) -> Result<HashMap<String, String>, Error>;

    /// Asks the owner for these permissions; answers when that has decided. What is granted counts from the
    /// next start of the instance on, and the answer says `restart` then.
    fn request(&self, names: &[&str]) -> Result<HashMap<String, String>, Error>;

    /// Wants time to finish something off the screen: its number, and for how many seconds it does not stand still there.
    /// On the screen, and within five seconds after, 3 at a time, ten minutes a day.
    fn begin_task(&self, reason: &str) -> Result<(u32, u32), Error>;

    /// It has finished that.
    fn end_task(&self, task: u32) -> Result<(), Error>;

    /// Goes on off the screen with what its manifest declares (`background`), for as long as it takes; needs the
    /// permission `keep-background`. Answers with its number.
    fn begin_continuous(&self, mode: &str, reason: &str) -> Result<u32, Error>;

    /// It does so no more.
    fn end_continuous(&self, task: u32) -> Result<(), Error>;

    /// How far a task of mode `data-transfer` has come, in whatever the app counts; `total` is 0 if nobody knows. One whose
    /// `done` has not changed for ten minutes is cancelled.
    fn progress(&self, task: u32, done: u64, total: u64) -> Result<(), Error>;

    /// A page on the screen begins anew, once a minute at most: it ends, and is started again with `state`, which is kept
    /// in place of what was saved unless it is empty; at most [`MAX_STATE`].
    fn restart(&self, state: &[u8]) -> Result<(), Error>;

    /// Connects to a service ability. Answers with a stream socket to it, and the number of the connection, when it has
    /// taken that. The library must have agreed on descriptors.
    fn connect(&self, want: Want) -> Result<(OwnedFd, u32), Error>;

    /// Takes the connection that `token` told of: a stream socket, and the bundle at its other end.
    fn accept(&self, token: u32) -> Result<(OwnedFd, String), Error>;

    /// Fills the card with this number: words by their names, 16 KiB at most, ten times a second.
    fn update_form(&self, form: u32, data: HashMap<&str, &str>) -> Result<(), Error>;

    /// A connection is done with: for the device, which ends a service that nobody is connected to.
    fn disconnect(&self, connection: u32) -> Result<(), Error>;

    /// Which file is the resource of this name (`icon.png`) on this device as it is now: that of the directory of
    /// resources whose qualifiers fit best.
    fn resource(&self, name: &str) -> Result<String, Error>;

    /// What happens to this instance: one of [`event`], the token for [`AppProxy::done`] (0: no answer), a want.
    #[zbus(signal)]
    fn lifecycle(&self, event: &str, token: u32, want: Want) -> zbus::Result<()>;
}
