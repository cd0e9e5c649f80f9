//! What a device is called by machines: its public key.
//!
//! The same key signs entries of the group ([`ed25519`](https://www.rfc-editor.org/rfc/rfc8032)) and proves who is at
//! the other end of a link. Invariant: every value was 32 bytes long; whether it is a point of the curve is found by who
//! uses it as a key.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Bytes of an id.
pub const LENGTH: usize = 32;

/// Hexadecimal digits by which people tell devices apart.
pub const SHORT: usize = 10;

/// A device: its ed25519 public key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DeviceId(pub [u8; LENGTH]);

impl DeviceId {
    /// The first digits: enough to tell a family's devices apart, never to trust by.
    #[must_use]
    pub fn short(&self) -> String {
        let mut text = self.to_string();
        text.truncate(SHORT);
        text
    }

    /// Its bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; LENGTH] {
        &self.0
    }
}

impl fmt::Display for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.short())
    }
}

/// It is not 64 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an id of a device is 64 hexadecimal digits")]
pub struct NotAnId;

impl FromStr for DeviceId {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, NotAnId> {
        if text.len() != 2 * LENGTH || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(NotAnId);
        }
        let mut id = [0; LENGTH];
        for (byte, digits) in id.iter_mut().zip(text.as_bytes().chunks(2)) {
            let digits = std::str::from_utf8(digits).map_err(|_| NotAnId)?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_| NotAnId)?;
        }
        Ok(Self(id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_back_as_it_was_written() {
        let id = DeviceId([0xa5; LENGTH]);
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(id.short(), "a5a5a5a5a5");
    }

    #[test]
    fn what_is_not_64_digits_is_no_id() {
        for wrong in ["", "a5", &"g".repeat(64), &"a".repeat(65), &"ä".repeat(32), &"+a".repeat(32)]
        {
            assert_eq!(wrong.parse::<DeviceId>(), Err(NotAnId), "{wrong}");
        }
    }
}
