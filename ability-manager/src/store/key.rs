//! Keys as text.

use std::fmt;

/// A public key: `ed25519:` and 32 bytes in base64.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(String);

/// The text was no [`Key`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadKey;

impl Key {
    /// The key as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What people compare; empty of what is no key after all.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let key = self.0.parse::<bundle::PublicKey>();
        key.map(|key| key.fingerprint()).unwrap_or_default()
    }
}

impl TryFrom<&str> for Key {
    type Error = BadKey;

    /// Whether it is a point of the curve is found out where something is verified with it.
    fn try_from(text: &str) -> Result<Self, BadKey> {
        let base64 = text.strip_prefix("ed25519:").ok_or(BadKey)?;
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/';
        // 32 bytes are 43 digits, of which the last has two bits to spare, and one sign that fills up.
        let digits = base64.strip_suffix('=').filter(|digits| digits.len() == 43);
        match digits {
            Some(digits) if digits.bytes().all(legal) && ends_in_nothing(digits) => {
                Ok(Self(text.to_owned()))
            }
            _ => Err(BadKey),
        }
    }
}

/// Whether the bits that no byte has are zero, so that a key is written one way only.
fn ends_in_nothing(digits: &str) -> bool {
    digits
        .ends_with(['A', 'E', 'I', 'M', 'Q', 'U', 'Y', 'c', 'g', 'k', 'o', 's', 'w', '0', '4', '8'])
}

impl From<&bundle::PublicKey> for Key {
    fn from(key: &bundle::PublicKey) -> Self {
        Self(key.to_string())
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Display for BadKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a key: `ed25519:` and 32 bytes in base64")
    }
}

impl std::error::Error for BadKey {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_written_one_way_only() {
        let zeros = "A".repeat(42);
        assert!(Key::try_from(format!("ed25519:{zeros}A=").as_str()).is_ok());
        for bad in ["A", "B=", "A==", "AA", "-="] {
            assert!(Key::try_from(format!("ed25519:{zeros}{bad}").as_str()).is_err(), "{bad}");
        }
        assert!(Key::try_from(format!("rsa:{zeros}A=").as_str()).is_err());
    }
}
