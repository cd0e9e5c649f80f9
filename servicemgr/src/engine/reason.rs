//! Why a service is not what it should be, as data and as a sentence.

use std::fmt;
use std::time::Duration;

use model::Name;
use serde::{Deserialize, Serialize};

use super::Phase;

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
    /// The kernel killed it: the whole device, or what it runs in, was short of memory.
    NoMemory,
}

impl End {
    /// Whether it ended with status 0.
    #[must_use]
    pub fn ok(self) -> bool {
        self == Self::Status(0)
    }

    /// The signal that ended it; 0 when none did, as far as is known.
    #[must_use]
    pub fn signal(self) -> i32 {
        /// By which the kernel kills.
        const KILL: i32 = 9;
        match self {
            Self::Signal(signal) => signal,
            Self::OutOfMemory | Self::NoMemory => KILL,
            Self::Status(_) | Self::Unknown => 0,
        }
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
    /// One of its commands failed.
    Command(Phase, String),
    /// It did not read its configuration anew within this time.
    NotReloaded(Duration),
    /// It did not say in time that it is alive.
    Watchdog(Duration),
    /// It said, or a probe found, that it is not well.
    Unwell(String),
    /// It was not started: this condition does not hold. Not a failure.
    Skipped(String),
    /// What it was bound to outside of the plan is gone. Not a failure.
    Unbound(String),
    /// Its definition is broken.
    Forbidden(String),
    /// Its start would contradict that of others.
    Refused(String),
    /// It failed, and what triggers it is not watched any more.
    Disarmed(Box<Reason>),
    /// Its sandbox can't hold on this kernel; which part of it, and why not.
    Unheld(String),
}

impl Reason {
    /// The reason itself, without what was done about it.
    #[must_use]
    pub fn bare(&self) -> &Self {
        match self {
            Self::Disarmed(why) => why.bare(),
            other => other,
        }
    }
}

/// By which the kernel ends who makes a call that is not allowed.
const SIGSYS: i32 = 31;

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(code) => write!(f, "exit status {code}"),
            Self::Signal(number @ 34..=64) => match number - 34 {
                0 => f.write_str("killed by SIGRTMIN"),
                plus => write!(f, "killed by SIGRTMIN+{plus}"),
            },
            Self::Signal(SIGSYS) => {
                f.write_str("killed by SIGSYS: a system call its sandbox forbids")
            }
            Self::Signal(number) => match signal_name(*number) {
                Some(name) => write!(f, "killed by {name}"),
                None => write!(f, "killed by signal {number}"),
            },
            Self::OutOfMemory => f.write_str("killed: over its memory limit"),
            Self::Unknown => f.write_str("ended, nobody saw how"),
            Self::NoMemory => f.write_str("killed: no memory was left"),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ended(end) => end.fmt(f),
            Self::EndedEarly => f.write_str("ended before it was ready"),
            Self::Spawn(why) | Self::Unheld(why) => f.write_str(why),
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
            Self::Command(phase, why) => {
                let which = phase.when();
                write!(f, "its command {which} failed: {why}")
            }
            Self::NotReloaded(limit) => write!(f, "not reloaded within {limit:?}"),
            Self::Watchdog(limit) => write!(f, "did not say that it is alive for {limit:?}"),
            Self::Unwell(why) => f.write_str(why),
            Self::Skipped(condition) => write!(f, "skipped: {condition}"),
            Self::Unbound(why) => write!(f, "stopped: {why}"),
            Self::Forbidden(why) => write!(f, "it cannot run: {why}"),
            Self::Refused(why) => f.write_str(why),
            Self::Disarmed(why) => {
                write!(f, "{why}; nothing triggers it until it is started or reset")
            }
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
