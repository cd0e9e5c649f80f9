//! What ends ensctl early, and with which exit status.

use std::fmt;

use crate::args::Usage;

/// The thing asked about is not well.
pub const NOT_WELL: u8 = 1;

/// Why ensctl could not do what it was asked to, in words that say what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Exit status 1: it was tried and did not work.
    NotWell(String),
    /// Exit status 2: the command line is wrong.
    Usage(Usage),
    /// Exit status 2: no service has that name.
    NoSuchService(String),
    /// Exit status 3: the daemon does not answer.
    Unreachable(String),
    /// Exit status 4: it may not be done.
    Refused(String),
    /// Exit status 0: whoever reads the output has seen enough (`ensctl log | head`).
    Enough,
}

impl Fault {
    /// The exit status.
    #[must_use]
    pub fn code(&self) -> u8 {
        match self {
            Self::Enough => 0,
            Self::NotWell(_) => NOT_WELL,
            Self::Usage(_) | Self::NoSuchService(_) => 2,
            Self::Unreachable(_) => 3,
            Self::Refused(_) => 4,
        }
    }
}

impl From<Usage> for Fault {
    fn from(usage: Usage) -> Self {
        Self::Usage(usage)
    }
}

impl From<std::io::Error> for Fault {
    fn from(e: std::io::Error) -> Self {
        match e.kind() {
            std::io::ErrorKind::BrokenPipe => Self::Enough,
            _ => Self::NotWell(format!("cannot write the output: {e}")),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(usage) => write!(f, "{}\nTry `{}`.", usage.why, usage.help),
            Self::NotWell(why)
            | Self::NoSuchService(why)
            | Self::Unreachable(why)
            | Self::Refused(why) => f.write_str(why),
            Self::Enough => f.write_str("the reader of the output went away"),
        }
    }
}

impl std::error::Error for Fault {}
