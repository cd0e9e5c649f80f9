//! Why an instance ended.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why an instance ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Exit {
    /// By itself, with status 0.
    Normal,
    /// By itself, with this status.
    Failed(i32),
    /// By this signal, which we did not send.
    Signal(i32),
    /// It could not be started; why.
    LaunchFailed(String),
    /// It did not do in time what it was told.
    LifecycleTimeout,
    /// Somebody stopped it.
    Requested,
    /// Nobody used it.
    Idle,
    /// Another version of its bundle took its place.
    Upgraded,
    /// Its bundle was removed.
    Removed,
    /// A permission was taken from it.
    Revoked,
    /// The device lacked memory.
    LowMemory,
    /// Its time in the background was over.
    BackgroundTime,
    /// The device was locked.
    Locked,
    /// Nobody was there to see it.
    Unknown,
    /// It wanted to begin anew.
    Restarted,
}

impl Exit {
    /// It ended by itself, and not as it should.
    #[must_use]
    pub fn is_crash(&self) -> bool {
        matches!(self, Self::Failed(_) | Self::Signal(_))
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Normal => f.write_str("normal"),
            Self::Failed(status) => write!(f, "status {status}"),
            Self::Signal(signal) => write!(f, "signal {signal}"),
            Self::LaunchFailed(why) => write!(f, "not started: {why}"),
            Self::LifecycleTimeout => f.write_str("lifecycle-timeout"),
            Self::Requested => f.write_str("requested"),
            Self::Idle => f.write_str("idle"),
            Self::Upgraded => f.write_str("upgraded"),
            Self::Removed => f.write_str("removed"),
            Self::Revoked => f.write_str("revoked"),
            Self::LowMemory => f.write_str("low-memory"),
            Self::BackgroundTime => f.write_str("background-time"),
            Self::Locked => f.write_str("locked"),
            Self::Unknown => f.write_str("unknown"),
            Self::Restarted => f.write_str("restarted"),
        }
    }
}
