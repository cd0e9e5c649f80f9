//! Trees into bytes: file systems, disks, archives and directories.
//!
//! ```text
//! Tree ──► erofs | compressed | ext4 | fat ──► disk
//!      ──► cpio (initramfs)
//!      ──► tar ──► oci
//!      ──► unpack (a directory)
//! ```
//!
//! Invariants: the same arguments give the same bytes, whoever runs it, where and when: writers
//! read no clock, no environment and no random numbers. A final name appears only when what it
//! names is complete ([`Partial`]). Files are streamed; memory holds names, never the tree's bytes.
//! Nothing here needs root, loop devices or network.

pub mod compressed;
pub mod cpio;
mod date;
pub mod disk;
pub mod erofs;
pub mod ext4;
pub mod fat;
pub mod oci;
mod partial;
mod source;
pub mod tar;
pub mod unpack;

pub use partial::Partial;

use sha2::{Digest, Sha256};
use uuid::{Builder, Uuid};

/// Seconds since 1970 that a writer gives to everything it makes.
pub type Time = u32;

/// A UUID (RFC 9562, version 8) that follows from content: the same `domain` and `hash` always
/// give the same one. `domain` says what the UUID is for ("root", "disk", …).
#[must_use]
pub fn content_uuid(domain: &str, hash: &[u8; 32]) -> Uuid {
    let digest = Sha256::new().chain_update(domain).chain_update([0]).chain_update(hash).finalize();
    let mut bytes = [0; 16];
    for (to, from) in bytes.iter_mut().zip(digest.iter()) {
        *to = *from;
    }
    Builder::from_custom_bytes(bytes).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_content_uuid_follows_from_purpose_and_content_alone() {
        let uuid = content_uuid("root", &[7; 32]);
        assert_eq!(uuid, content_uuid("root", &[7; 32]));
        assert_ne!(uuid, content_uuid("state", &[7; 32]));
        assert_ne!(uuid, content_uuid("root", &[8; 32]));
        assert_eq!((uuid.get_version_num(), uuid.get_variant()), (8, uuid::Variant::RFC4122));
    }
}
