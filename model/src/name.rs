//! Names that are safe to use as file, cgroup and bus names.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Longest service name, in bytes: it must fit a cgroup name and a journal field.
pub const MAX_NAME: usize = 64;

/// A service name: 1 to 64 of `a-z`, `0-9` and `-`, starting with a letter.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(String);

/// The text was not a [`Name`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadName;

impl Name {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<&str> for Name {
    type Error = BadName;

    fn try_from(s: &str) -> Result<Self, BadName> {
        let legal = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let starts_well = s.as_bytes().first().is_some_and(u8::is_ascii_lowercase);
        if starts_well && s.len() <= MAX_NAME && s.bytes().all(legal) {
            Ok(Self(s.to_owned()))
        } else {
            Err(BadName)
        }
    }
}

impl TryFrom<String> for Name {
    type Error = BadName;

    fn try_from(s: String) -> Result<Self, BadName> {
        Self::try_from(s.as_str())
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for BadName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name is 1 to 64 of a-z, 0-9 and -, and starts with a letter")
    }
}

impl std::error::Error for BadName {}
