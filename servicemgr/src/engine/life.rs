//! What changes about one service: where it is, why, and when.
//!
//! A [`Life`] is plain data, so a new servicemgr continues from the last one's. The rules that
//! change it are in [`super::rules`].

use std::fmt;
use std::time::Duration;

use model::Name;
use serde::{Deserialize, Serialize};

use super::Id;

/// Time since PID 1 began. It goes on over a restart of servicemgr.
pub type Now = Duration;

/// Where a service is. The picture is in [`super`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    /// No process and none wanted.
    #[default]
    Off,
    /// Wanted; something before it is not settled.
    Waiting,
    /// Its process runs, not ready yet.
    Starting,
    /// Ready, with a process.
    Ready,
    /// Ready, its work done and its process gone.
    Done,
    /// To be stopped once those that use it have ended.
    Leaving,
    /// Told to end, or its main process ended and others are left.
    Stopping,
    /// Ended; starts again when its time comes.
    Backoff,
    /// Ended, or never began, and stays so.
    Failed,
}

impl State {
    /// What requires it may run.
    #[must_use]
    pub fn met(self) -> bool {
        matches!(self, Self::Ready | Self::Done)
    }

    /// What only comes after it may start.
    #[must_use]
    pub fn settled(self) -> bool {
        matches!(self, Self::Off | Self::Ready | Self::Done | Self::Failed)
    }

    /// On its way down: what it needs must stay until it is gone.
    #[must_use]
    pub fn ending(self) -> bool {
        matches!(self, Self::Leaving | Self::Stopping)
    }

    /// Up or on its way up.
    #[must_use]
    pub fn running(self) -> bool {
        matches!(self, Self::Starting | Self::Ready | Self::Done)
    }
}

/// Where a service goes once its processes are gone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Next {
    /// It stays ended.
    #[default]
    Off,
    /// It starts again as soon as it may.
    Waiting,
    /// It starts again after a while.
    Backoff,
    /// It has failed.
    Failed,
    /// It has done its work.
    Done,
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum End {
    /// With this status.
    Status(i32),
    /// By this signal.
    Signal(i32),
    /// The kernel killed it: over the memory limit.
    OutOfMemory,
    /// Nobody saw how.
    Unknown,
}

impl End {
    /// Whether it ended with status 0.
    #[must_use]
    pub fn ok(self) -> bool {
        self == Self::Status(0)
    }
}

/// Why a service is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reason {
    /// Its process ended.
    Ended(End),
    /// Its process ended well, but before it was ready.
    EndedEarly,
    /// It could not be started; what we tried and why not.
    Spawn(String),
    /// It was not ready in this time.
    NotReady(Duration),
    /// What it requires is not there.
    Needs {
        /// What it requires.
        direct: Name,
        /// Where the trouble began.
        root: Name,
        /// What happened there; `None` when it just ended.
        why: Option<Box<Reason>>,
    },
    /// Too many starts.
    GaveUp {
        /// So many.
        starts: u32,
        /// Why it ended the last time; `None` when it ended well each time.
        last: Option<Box<Reason>>,
    },
    /// Processes are left that not even `SIGKILL` ends.
    Unkillable,
}

/// When something happened for the first time, for the chart of the boot.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Times {
    /// It was asked for.
    pub asked: Option<Now>,
    /// Its process was started.
    pub started: Option<Now>,
    /// It was ready.
    pub ready: Option<Now>,
    /// What it waited for last before it started.
    pub waited_on: Option<Id>,
}

/// What changes about one service.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Life {
    /// Where it is.
    pub state: State,
    /// Since when.
    pub since: Now,
    /// Where it goes from `Leaving` and `Stopping`.
    pub next: Next,
    /// Somebody wants it up.
    pub wanted: bool,
    /// Its main process was started and has not ended.
    pub main: bool,
    /// Its main process ended and others are left.
    pub left: bool,
    /// `SIGKILL` was sent.
    pub killed: bool,
    /// The boot waits for it.
    pub boot: bool,
    /// When this state is over by itself.
    pub due: Option<Now>,
    /// Recent ends that it was not asked for, oldest first; no more than the limit.
    pub falls: Vec<Now>,
    /// Ends in a row, none after a long time up: the exponent of the wait.
    pub short: u32,
    /// Ends in a row without being ready.
    pub unready: u32,
    /// Starts nobody asked for.
    pub restarts: u32,
    /// Why it failed, or ended the last time.
    pub reason: Option<Reason>,
    /// When it happened first.
    pub times: Times,
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(code) => write!(f, "exit status {code}"),
            Self::Signal(number) => match signal_name(*number) {
                Some(name) => write!(f, "killed by {name}"),
                None => write!(f, "killed by signal {number}"),
            },
            Self::OutOfMemory => f.write_str("killed: over its memory limit"),
            Self::Unknown => f.write_str("ended, nobody saw how"),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ended(end) => end.fmt(f),
            Self::EndedEarly => f.write_str("ended before it was ready"),
            Self::Spawn(why) => f.write_str(why),
            Self::NotReady(limit) => write!(f, "not ready within {limit:?}"),
            Self::Needs { direct, root, why } => {
                write!(f, "requires {direct}, which ")?;
                if direct != root {
                    write!(f, "needs {root}, which ")?;
                }
                match why {
                    Some(why) => write!(f, "failed: {why}"),
                    None => f.write_str("has ended"),
                }
            }
            Self::GaveUp { starts, last: Some(last) } => {
                write!(f, "given up after {starts} starts; the last one: {last}")
            }
            Self::GaveUp { starts, last: None } => {
                write!(f, "given up after {starts} starts; it ends as soon as it runs")
            }
            Self::Unkillable => f.write_str("its processes do not end, not even by SIGKILL"),
        }
    }
}

/// The names of the signals that end processes, the same on x86_64 and aarch64.
fn signal_name(number: i32) -> Option<&'static str> {
    Some(match number {
        1 => "SIGHUP",
        2 => "SIGINT",
        3 => "SIGQUIT",
        4 => "SIGILL",
        5 => "SIGTRAP",
        6 => "SIGABRT",
        7 => "SIGBUS",
        8 => "SIGFPE",
        9 => "SIGKILL",
        10 => "SIGUSR1",
        11 => "SIGSEGV",
        12 => "SIGUSR2",
        13 => "SIGPIPE",
        14 => "SIGALRM",
        15 => "SIGTERM",
        16 => "SIGSTKFLT",
        24 => "SIGXCPU",
        25 => "SIGXFSZ",
        26 => "SIGVTALRM",
        27 => "SIGPROF",
        29 => "SIGIO",
        30 => "SIGPWR",
        31 => "SIGSYS",
        _ => return None,
    })
}
