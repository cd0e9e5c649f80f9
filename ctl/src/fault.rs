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
    /// Exit status 3 of `service status`: what was shown does not run. Nothing more is to be said.
    NotRunning,
    /// Exit status 4 of `service status`: how it is cannot be told.
    Unknown(String),
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
            Self::Unreachable(_) | Self::NotRunning => 3,
            Self::Refused(_) | Self::Unknown(_) => 4,
        }
    }

    /// As `service status` has it, for scripts that know `systemctl` or the LSB.
    #[must_use]
    pub fn of_status(self) -> Self {
        match self {
            Self::NoSuchService(why) | Self::Unreachable(why) => Self::Unknown(why),
            other => other,
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
            | Self::Unknown(why)
            | Self::Refused(why) => f.write_str(why),
            Self::NotRunning => f.write_str("it does not run"),
            Self::Enough => f.write_str("the reader of the output went away"),
        }
    }
}

impl std::error::Error for Fault {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_of_a_service_has_the_codes_of_systemctl() {
        let fault = |f: Fault| f.of_status().code();
        assert_eq!(fault(Fault::NotRunning), 3);
        assert_eq!(fault(Fault::NoSuchService("no web".into())), 4);
        assert_eq!(fault(Fault::Unreachable("not there".into())), 4);
        assert_eq!(fault(Fault::Refused("only root may".into())), 4);
        assert_eq!(Fault::NoSuchService("no web".into()).code(), 2, "of everything else");
    }
}
