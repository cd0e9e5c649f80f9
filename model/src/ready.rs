//! What the image builder has ready for starts that nobody could foresee: of apps, and of services that people
//! define on the device.
//!
//! ```text
//! sandbox/*.toml ─────► profiles, as they are written ─┐
//! permissions/*.toml ─► permissions, checked ──────────┼─► READY_PATH ─ read once, at the first such start
//! profile of apps, with each set of permissions ─ sandbox::filtered ─► filters ─┘
//! ```
//!
//! All of it can be made from the texts on the device too, only not in a moment. It lies beside them in the root,
//! which nobody writes, so it is worth as much as they are. Invariant: with it or without it, the same starts.

use serde::{Deserialize, Serialize};

use crate::permission::Permission;
use crate::sandbox::Profile;

/// Where it lies on a device.
pub const READY_PATH: &str = "/usr/lib/ensemble/ready";

/// Most bytes of it that are read: a hundred times what a device has.
pub const MAX_READY: u64 = 16 << 20;

/// First bytes; the digit is the version of the format.
const MAGIC: &[u8] = b"ENSREADY1";

/// All that is ready.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ready {
    /// Profiles that are inherited, as `text::ready` has them.
    pub profiles: Vec<u8>,
    /// Permissions, by name.
    pub permissions: Vec<Permission>,
    /// Filters by what they are made from, sorted.
    pub filters: Vec<(Profile, Vec<u8>)>,
}

impl Ready {
    /// As bytes, for [`READY_PATH`]. The same always gives the same bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(postcard::to_stdvec(self).unwrap_or_default());
        bytes
    }

    /// Reads what [`Ready::encode`] wrote; `None` when the bytes are cut off or of another version.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        match postcard::take_from_bytes(bytes.strip_prefix(MAGIC)?) {
            Ok((ready, [])) => Some(ready),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_ready_comes_out_as_it_went_in_and_nothing_else_does() {
        let ready = Ready {
            profiles: vec![1, 2],
            permissions: Vec::new(),
            filters: vec![(Profile::default(), vec![3])],
        };
        let bytes = ready.encode();
        assert_eq!(Ready::decode(&bytes), Some(ready));
        for cut in 0..bytes.len() {
            assert_eq!(Ready::decode(&bytes[..cut]), None);
        }
        assert_eq!(Ready::decode(&[bytes, vec![0]].concat()), None);
    }
}
