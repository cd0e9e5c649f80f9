//! Names that are safe to use as file, cgroup and bus names.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Longest service name, in bytes: it must fit a cgroup name and a journal field.
pub const MAX_NAME: usize = 64;

/// A service name: 1 to 64 of `a-z`, `0-9` and `-`, starting with a letter. An instance of a
/// template is called `TEMPLATE@INSTANCE`, where the instance may also have `A-Z`, `_` and, not
/// first, `.`; the template itself is called `TEMPLATE@`.
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

    /// Whether it names a template.
    #[must_use]
    pub fn is_template(&self) -> bool {
        self.0.ends_with('@')
    }

    /// The template this is an instance of, and which one.
    #[must_use]
    pub fn of_template(&self) -> Option<(&str, &str)> {
        let at = self.0.find('@').filter(|_| !self.is_template())?;
        self.0.split_at_checked(at + 1)
    }

    /// The name of an instance of this template.
    ///
    /// # Errors
    /// [`BadName`]: this is no template, or `instance` is empty, too long or has other characters.
    pub fn with_instance(&self, instance: &str) -> Result<Self, BadName> {
        if !self.is_template() || instance.is_empty() {
            return Err(BadName);
        }
        Self::try_from(format!("{}{instance}", self.0))
    }
}

impl TryFrom<&str> for Name {
    type Error = BadName;

    fn try_from(s: &str) -> Result<Self, BadName> {
        let (base, instance) = s.split_once('@').unwrap_or((s, ""));
        let legal = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let starts_well = base.as_bytes().first().is_some_and(u8::is_ascii_lowercase);
        // An instance may become part of a path, where `.` and `..` mean something else.
        let rest = !instance.starts_with('.')
            && instance.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
        if starts_well && s.len() <= MAX_NAME && base.bytes().all(legal) && rest {
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
        f.write_str(
            "a name is 1 to 64 of a-z, 0-9 and -, and starts with a letter; TEMPLATE@INSTANCE is one \
             of many",
        )
    }
}

impl std::error::Error for BadName {}
