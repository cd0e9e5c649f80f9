//! Putting a bundle together, and signing it. The same input gives the same bytes.
//!
//! Nothing is written that a device would refuse: the image is checked first, and what is signed is read whole before.

use std::fs::File;
use std::os::unix::fs::FileExt;

use crate::bundle::Bundle;
use crate::content::{CONTENT, Header, unwritten};
use crate::image;
use crate::keys::{SIGNATURE, SecretKey};
use crate::read::{self, ReadAt};
use crate::refused::{Kind, Refused};
use crate::verity::{self, Digest, Hasher};
use crate::{BLOCK, HEADER, MAX_SIGNATURES};

/// Bytes copied at once.
const PIECE: usize = 256 << 10;

/// Writes a bundle that nobody has signed yet into `out`, in the place of whatever it holds: an EROFS image, whose
/// first kilobyte becomes the header, and the text of `bundle.toml`.
///
/// # Errors
/// The image or the text is none that a device takes; `out` cannot be written.
pub fn assemble(image: &dyn ReadAt, manifest: &str, out: &File) -> Result<Digest, Refused> {
    let length = read::length(image)?;
    let header = Header::checked(length, u64::try_from(manifest.len()).unwrap_or(u64::MAX))?;
    if manifest.contains('\0') {
        return Err(Refused::damaged("the manifest", length, "it is no text: it has a zero in it"));
    }
    image::files(image, length)?;
    out.set_len(0).map_err(|error| unwritten(CONTENT, &error))?;
    let source = Joined { image, header, manifest };
    let tree_at = header.content();
    let mut write_tree = |full: verity::Full<'_>| {
        let written = out.write_all_at(full.bytes, tree_at + full.at);
        written.map_err(|error| unwritten("the tree of hashes", &error))
    };
    let mut hasher = Hasher::new(header.content(), &mut write_tree);
    let (mut at, mut buffer) = (0, vec![0; PIECE]);
    while at < header.content() {
        let most = usize::try_from(header.content() - at).unwrap_or(PIECE).min(PIECE);
        let bytes = buffer.get_mut(..most).unwrap_or_default();
        read::exactly(&source, at, bytes, "the image")?;
        hasher.update(bytes)?;
        out.write_all_at(bytes, at).map_err(|error| unwritten(CONTENT, &error))?;
        at += u64::try_from(most).unwrap_or(u64::MAX);
    }
    hasher.finish()
}

/// Adds a signature to the bundle in `file`, or writes the one by this key anew. The bundle is read whole first.
///
/// # Errors
/// It is none that a device takes, has as many signatures as it can, or cannot be written.
pub fn sign(file: &File, key: &SecretKey) -> Result<Digest, Refused> {
    let bundle = Bundle::open(file)?;
    bundle.check()?;
    let digest = bundle.digest();
    let mut all = bundle.signatures().to_vec();
    all.retain(|one| *one.key() != key.public());
    all.push(key.sign(&digest));
    if all.len() > MAX_SIGNATURES {
        let why = format!("it has {MAX_SIGNATURES} already, and there is no room for more");
        return Err(Refused::new(Kind::TooLarge, "the signatures", None, why));
    }
    all.sort_by_key(|one| one.key().bytes());
    let bytes: Vec<u8> = all.iter().flat_map(|one| one.to_bytes()).collect();
    debug_assert_eq!(bytes.len(), all.len() * SIGNATURE, "signatures are of one length");
    let content = bundle.content().length();
    let written = file.write_all_at(&bytes, content + verity::tree_length(content));
    written.map_err(|error| unwritten("the signatures", &error))?;
    Ok(digest)
}

/// A content that is being put together.
struct Joined<'a> {
    image: &'a dyn ReadAt,
    header: Header,
    manifest: &'a str,
}

impl ReadAt for Joined<'_> {
    fn read_at(&self, at: u64, bytes: &mut [u8]) -> std::io::Result<usize> {
        let header = self.header.to_bytes();
        let kilobyte = u64::try_from(HEADER).unwrap_or(BLOCK);
        if at < kilobyte {
            return header.as_slice().read_at(at, bytes);
        }
        if at < self.header.image {
            let most = usize::try_from(self.header.image - at).unwrap_or(bytes.len());
            let most = most.min(bytes.len());
            return self.image.read_at(at, bytes.get_mut(..most).unwrap_or_default());
        }
        let read = self.manifest.as_bytes().read_at(at - self.header.image, bytes)?;
        if read == 0 && at < self.length()? {
            bytes.fill(0);
            return Ok(bytes.len());
        }
        Ok(read)
    }

    fn length(&self) -> std::io::Result<u64> {
        Ok(self.header.content())
    }
}
