//! The file that an app comes in. No network, no clock, no system calls of its own: the builder writes it,
//! the device reads it, both by this.
//!
//! ```text
//! 0          1024          image          content           tree           end
//! │ header   │ EROFS image │ manifest, 0… │ tree of hashes  │ signatures   │
//! └────────── content: mounted as it is ──┴─ fs-verity's own ┴─ 0 to 4 ────┘
//! ```
//!
//! - The header lies in the first kilobyte of the EROFS image, which EROFS leaves to others. So the file can
//!   be mounted as it is by any Linux that knows EROFS, and is never unpacked.
//! - All integers are little-endian; every part begins at a multiple of 4096; what is between parts is zero.
//! - The tree is that of fs-verity (SHA-256, blocks of 4096, no salt) over the content. Its digest is what is
//!   signed: a kernel that has fs-verity checks each block when it is read, for ever after.
//! - A signature is ed25519 over [`SIGNED`] and the digest, with the key in front of it. They are in the order
//!   of their keys, and each must hold.
//!
//! Invariants: the same manifest and image give the same bytes; nothing in the file is without meaning, so
//! a file that differs in one byte is another bundle or none; whatever the bytes are, reading them
//! ends with a reason, within limits, and does not panic.

mod base64;
mod bundle;
mod content;
mod image;
mod keys;
mod read;
mod refused;
mod verity;
mod write;

pub use bundle::Bundle;
pub use content::Content;
pub use image::{Entries, Entry, Files, Item, Reader};
pub use keys::{BadKey, BadSignature, PublicKey, SecretKey, Signature};
pub use read::ReadAt;
pub use refused::{Kind, Refused};
pub use verity::{BadDigest, Digest};
pub use write::{assemble, sign};

/// What the bytes of a bundle begin with.
pub const MAGIC: [u8; 8] = *b"ENSBNDL1";

/// What is in front of the digest in what is signed, so that a signature means nothing else.
pub const SIGNED: &[u8] = b"ensemble bundle 1\0";

/// Bytes of a block of the image and of the tree.
pub const BLOCK: u64 = 4096;

/// Bytes of the header.
pub const HEADER: usize = 1024;

/// Most signatures of one bundle.
pub const MAX_SIGNATURES: usize = 4;

/// Largest content, in bytes: what a phone has room for.
pub const MAX_CONTENT: u64 = 4 << 30;

/// Most files of one bundle: what a device can look through within a second.
pub const MAX_FILES: u64 = 65_536;

/// Deepest directory.
pub const MAX_DEPTH: usize = 32;

/// Longest manifest, in bytes: as `model` reads it.
pub const MAX_MANIFEST: u64 = 64 << 10;

/// Longest target of a link, in bytes: what Linux follows.
pub const MAX_TARGET: u64 = 4095;
