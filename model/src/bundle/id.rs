//! Ids and versions of bundles.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Longest id, in bytes: `app@ID_NUMBER` must be the name of a service.
pub const MAX_ID: usize = 48;

/// An id of a bundle: two or more words with dots between, of `a-z`, `0-9` and `-`, each beginning with a
/// letter: the domain of its maker turned round, and its name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BundleId(String);

/// The text was not a [`BundleId`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadBundleId;

impl BundleId {
    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<&str> for BundleId {
    type Error = BadBundleId;

    fn try_from(text: &str) -> Result<Self, BadBundleId> {
        let legal = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let word = |word: &str| {
            word.as_bytes().first().is_some_and(u8::is_ascii_lowercase) && word.bytes().all(legal)
        };
        let fits = text.len() <= MAX_ID && text.contains('.') && text.split('.').all(word);
        if fits { Ok(Self(text.to_owned())) } else { Err(BadBundleId) }
    }
}

impl TryFrom<String> for BundleId {
    type Error = BadBundleId;

    fn try_from(text: String) -> Result<Self, BadBundleId> {
        Self::try_from(text.as_str())
    }
}

impl From<BundleId> for String {
    fn from(id: BundleId) -> Self {
        id.0
    }
}

impl fmt::Display for BundleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Display for BadBundleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "not an id of a bundle: at most {MAX_ID} of `a-z`, `0-9` and `-`, in two or more words with dots \
             between, each beginning with a letter: `org.example.notes`"
        )
    }
}

impl std::error::Error for BadBundleId {}

/// A version: three numbers, compared from the left.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(try_from = "String", into = "String")]
pub struct Version(pub u32, pub u32, pub u32);

/// The text was not a [`Version`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadVersion;

impl TryFrom<&str> for Version {
    type Error = BadVersion;

    fn try_from(text: &str) -> Result<Self, BadVersion> {
        let number = |text: Option<&str>| {
            // Written one way only: no sign, no zero in front.
            let number: u32 = text.ok_or(BadVersion)?.parse().map_err(|_| BadVersion)?;
            if Some(number.to_string().as_str()) == text { Ok(number) } else { Err(BadVersion) }
        };
        let mut parts = text.split('.');
        let version = Self(number(parts.next())?, number(parts.next())?, number(parts.next())?);
        if parts.next().is_none() { Ok(version) } else { Err(BadVersion) }
    }
}

impl TryFrom<String> for Version {
    type Error = BadVersion;

    fn try_from(text: String) -> Result<Self, BadVersion> {
        Self::try_from(text.as_str())
    }
}

impl From<Version> for String {
    fn from(version: Version) -> Self {
        version.to_string()
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}.{}.{}", self.0, self.1, self.2))
    }
}

impl fmt::Display for BadVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a version: three numbers with dots between: `1.0.0`")
    }
}

impl std::error::Error for BadVersion {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_domains_turned_round() {
        for good in ["org.example.notes", "a.b", "org.x-1.y2"] {
            assert!(BundleId::try_from(good).is_ok(), "{good}");
        }
        let long = format!("org.{}", "a".repeat(MAX_ID));
        for bad in
            ["", "notes", "org.", ".org", "org..a", "Org.a", "org.1a", "org.a_b", "org/a.b", &long]
        {
            assert!(BundleId::try_from(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn versions_are_three_numbers_written_one_way() {
        let version = |text| Version::try_from(text);
        assert_eq!(version("1.20.3"), Ok(Version(1, 20, 3)));
        assert!(version("1.20.3").unwrap() > version("1.3.20").unwrap());
        for bad in
            ["", "1", "1.2", "1.2.3.4", "1.2.x", "01.2.3", "+1.2.3", "1.2.4294967296", "1.2.3 "]
        {
            assert_eq!(version(bad), Err(BadVersion), "{bad}");
        }
    }
}
