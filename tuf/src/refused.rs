//! Why metadata is not believed.

use crate::Time;

/// Why metadata is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It is not what it should be at all.
    #[error("{file} is damaged, or none of a store: {why}")]
    Malformed {
        /// Which file.
        file: String,
        /// What is wrong.
        why: String,
    },
    /// Too few of those who may sign it did.
    #[error(
        "{file} is wrongly signed: by {have} of the keys that the root names for it, and it takes {need}"
    )]
    Unsigned {
        /// Which file.
        file: String,
        /// Keys that signed.
        have: usize,
        /// Keys that must.
        need: u64,
    },
    /// It was to be renewed.
    #[error(
        "{file} has expired at {at}: who keeps the store has not renewed it, or somebody holds the new one \
         back, or the clock of this device is wrong"
    )]
    Expired {
        /// Which file.
        file: String,
        /// When.
        at: Time,
    },
    /// An older one than was seen.
    #[error("{file} was rolled back: it is version {is}, and {was} was there before")]
    RolledBack {
        /// Which file.
        file: String,
        /// Its version.
        is: u64,
        /// The one that is known.
        was: u64,
    },
    /// It is not the one that the file above it names.
    #[error("{file} does not belong to the rest: {why}")]
    Mixed {
        /// Which file.
        file: String,
        /// How it differs.
        why: String,
    },
    /// It goes on after where it should end.
    #[error("{file} has more than {most} bytes, which is not read any further")]
    TooLong {
        /// Which file.
        file: String,
        /// What it may have.
        most: u64,
    },
    /// It is not there.
    #[error("{file} is not there")]
    Missing {
        /// Which file.
        file: String,
    },
    /// It can't be had, or what is known can't be kept.
    #[error("{0}")]
    Failed(String),
}

impl Refused {
    pub(crate) fn malformed(file: &str, why: impl Into<String>) -> Self {
        Self::Malformed { file: file.to_owned(), why: why.into() }
    }

    pub(crate) fn mixed(file: &str, why: impl Into<String>) -> Self {
        Self::Mixed { file: file.to_owned(), why: why.into() }
    }
}
