//! Why a file is no bundle that can be used: what, where in the file, why.

use std::fmt;

/// What kind of reason it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The file cannot be read or written: nothing is said about the bundle.
    Unreadable,
    /// It is something else.
    NoBundle,
    /// It is not whole, or not as it is written: truncated, changed, reordered.
    Damaged,
    /// It is written well, and holds what a bundle must not.
    Unsafe,
    /// It is larger, deeper or more than a device takes.
    TooLarge,
    /// Its signatures are not enough.
    Untrusted,
}

/// A refusal: what, where in the file, why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    kind: Kind,
    what: String,
    at: Option<u64>,
    why: String,
}

impl Refused {
    pub(crate) fn new(
        kind: Kind,
        what: impl Into<String>,
        at: Option<u64>,
        why: impl Into<String>,
    ) -> Self {
        Self { kind, what: what.into(), at, why: why.into() }
    }

    pub(crate) fn damaged(what: impl Into<String>, at: u64, why: impl Into<String>) -> Self {
        Self::new(Kind::Damaged, what, Some(at), why)
    }

    /// The kind of reason.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What is refused, or cannot be done: a part of the file, or a path in its image.
    #[must_use]
    pub fn what(&self) -> &str {
        &self.what
    }

    /// Where it lies, in bytes from the beginning of the file.
    #[must_use]
    pub fn at(&self) -> Option<u64> {
        self.at
    }

    /// Why.
    #[must_use]
    pub fn why(&self) -> &str {
        &self.why
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.at {
            Some(at) => write!(f, "{} (at byte {at}): {}", self.what, self.why),
            None => write!(f, "{}: {}", self.what, self.why),
        }
    }
}

impl std::error::Error for Refused {}

/// A fault whose place is not known yet.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) kind: Kind,
    pub(crate) why: String,
}

impl Fault {
    pub(crate) fn damaged(why: impl Into<String>) -> Self {
        Self { kind: Kind::Damaged, why: why.into() }
    }

    pub(crate) fn forbidden(why: impl Into<String>) -> Self {
        Self { kind: Kind::Unsafe, why: why.into() }
    }

    /// The same fault, with its place.
    pub(crate) fn of(self, what: impl Into<String>, at: u64) -> Refused {
        Refused::new(self.kind, what, Some(at), self.why)
    }
}
