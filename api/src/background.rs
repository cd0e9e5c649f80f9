//! What apps do while nobody looks at them: what goes on off the screen, and work that can wait. On the object of
//! [`crate::abilities`], with the same errors.
//!
//! Everybody may look; only root may have work done. Times are in nanoseconds since PID 1 began, unless they say otherwise.

use serde::{Deserialize, Serialize};
use zbus::Type;

use crate::abilities::Error;

/// The interface.
pub const INTERFACE: &str = "org.ensemble.Background1";

/// Something that goes on off the screen, or may do so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct Task {
    /// The service it is.
    pub unit: String,
    /// Its bundle.
    pub bundle: String,
    /// Which ability.
    pub ability: String,
    /// Its number, among those of its kind.
    pub task: u32,
    /// A mode, `audio-playback`; `finishing` what has a time.
    pub mode: String,
    /// What for, in the words of the app.
    pub reason: String,
    /// Of what has a time: how long it may take off the screen from now on, in nanoseconds; 0 of others.
    pub left: u64,
}

/// An ability that runs when there is time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct Work {
    /// Its bundle.
    pub bundle: String,
    /// Which ability.
    pub ability: String,
    /// What must be so: `network`, `charging`.
    pub needs: Vec<String>,
    /// What of it was not so when it was looked at last, once its time had come; `unlock`: the device is locked.
    pub lacks: Vec<String>,
    /// It runs.
    pub running: bool,
    /// How long from now until its time comes, in nanoseconds; 0 when it has come or it runs, the largest number when it
    /// does not come by itself.
    pub next: u64,
    /// How it ended last; empty when it never did.
    pub last: Ran,
}

/// How a run of work ended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct Ran {
    /// When it began, in seconds since 1970.
    pub at: u64,
    /// How long it took.
    pub took: u64,
    /// It did what it was to do.
    pub well: bool,
    /// How it ended: `done`, `status 1`, `background-time`.
    pub how: String,
}

/// What goes on, and what waits.
#[zbus::proxy(
    interface = "org.ensemble.Background1",
    default_path = "/org/ensemble/Abilities",
    default_service = "org.ensemble.Abilities"
)]
pub trait Background {
    /// What goes on off the screen, by unit.
    fn tasks(&self) -> Result<Vec<Task>, Error>;

    /// Every ability of kind `work`, by bundle.
    fn works(&self) -> Result<Vec<Work>, Error>;

    /// Has one run now, whatever it needs; answers when it has ended. Root only.
    fn run(&self, bundle: &str, ability: &str) -> Result<Ran, Error>;
}
