//! The part of a bundle that a device keeps and mounts: header, image, manifest.
//!
//! ```text
//! 0 MAGIC │ 8 bytes of the image │ 16 bytes of the manifest │ 24 zeros … 1024 │ image … │ manifest, zeros to 4096
//! ```
//!
//! Its length follows from the header; on a device it is a file of just that length, whose digest the
//! kernel knows (fs-verity) or [`Content::digest`] computes.

use std::io::Write;

use crate::image::{self, Files};
use crate::read::{self, ReadAt};
use crate::refused::{Kind, Refused};
use crate::verity::{Digest, Full, Hasher};
use crate::{BLOCK, HEADER, MAGIC, MAX_CONTENT, MAX_MANIFEST};

/// What the header is called in a refusal.
const HEAD: &str = "the header";

/// What the content is called in a refusal.
pub(crate) const CONTENT: &str = "the content";

/// What is behind a manifest up to the end of its block, which is the longest that can be.
const ZEROS: [u8; 4096] = [0; 4096];

/// Bytes read at once: the memory that a reader takes, however large the bundle is.
const PIECE: usize = 256 << 10;

/// What the header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) image: u64,
    pub(crate) manifest: u64,
}

impl Header {
    /// A header whose numbers are within limits.
    pub(crate) fn checked(image: u64, manifest: u64) -> Result<Self, Refused> {
        let too_large = |at, why| Err(Refused::new(Kind::TooLarge, HEAD, Some(at), why));
        if image < 2 * BLOCK || !image.is_multiple_of(BLOCK) {
            let why = format!("an image of {image} bytes: it takes blocks of {BLOCK}, at least 2");
            return Err(Refused::damaged(HEAD, 8, why));
        }
        if manifest == 0 {
            return Err(Refused::damaged(HEAD, 16, "there is no manifest"));
        }
        if manifest > MAX_MANIFEST {
            let why = format!("a manifest of {manifest} bytes: at most {MAX_MANIFEST}");
            return too_large(16, why);
        }
        let content = image.saturating_add(manifest.next_multiple_of(BLOCK));
        if content > MAX_CONTENT {
            let why = format!("a content of {content} bytes: at most {MAX_CONTENT}");
            return too_large(8, why);
        }
        Ok(Self { image, manifest })
    }

    pub(crate) fn to_bytes(self) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        let numbers = [self.image.to_le_bytes(), self.manifest.to_le_bytes()];
        let all = MAGIC.into_iter().chain(numbers.into_iter().flatten());
        bytes.iter_mut().zip(all).for_each(|(to, from)| *to = from);
        bytes
    }

    fn read(file: &dyn ReadAt) -> Result<Self, Refused> {
        let mut bytes = [0; HEADER];
        if read::length(file)? >= 8 {
            read::exactly(file, 0, bytes.first_chunk_mut::<8>().unwrap_or(&mut [0; 8]), HEAD)?;
        }
        if read::field(&bytes, 0) != MAGIC {
            let why = "it does not begin as a bundle does: this file is something else";
            return Err(Refused::new(Kind::NoBundle, HEAD, Some(0), why));
        }
        read::exactly(file, 0, &mut bytes, HEAD)?;
        let number = |at| u64::from_le_bytes(read::field(&bytes, at));
        let header = Self::checked(number(8), number(16))?;
        if header.to_bytes() != bytes {
            return Err(Refused::damaged(HEAD, 24, "there is something behind its last field"));
        }
        Ok(header)
    }

    /// Bytes of the whole content.
    pub(crate) fn content(self) -> u64 {
        self.image + self.manifest.next_multiple_of(BLOCK)
    }
}

/// Header, image and manifest of a bundle.
#[derive(Debug)]
pub struct Content<F> {
    pub(crate) file: F,
    pub(crate) header: Header,
    manifest: String,
}

impl<F: ReadAt> Content<F> {
    /// A file that holds a content and nothing else: as a device keeps it. The image is not read yet.
    ///
    /// # Errors
    /// It is no such file, or cannot be read.
    pub fn open(file: F) -> Result<Self, Refused> {
        let content = Self::begin(file)?;
        let length = read::length(&content.file)?;
        if length == content.length() {
            return Ok(content);
        }
        let why = format!("the file has {length} bytes, and should have {}", content.length());
        Err(Refused::damaged(CONTENT, length.min(content.length()), why))
    }

    /// The content that `file` begins with.
    pub(crate) fn begin(file: F) -> Result<Self, Refused> {
        const WHAT: &str = "the manifest";
        let header = Header::read(&file)?;
        let length = usize::try_from(header.content() - header.image).unwrap_or(0);
        let mut bytes = vec![0; length];
        read::exactly(&file, header.image, &mut bytes, WHAT)?;
        let padding = bytes.split_off(usize::try_from(header.manifest).unwrap_or(length));
        // Compared as a whole: byte by byte that took as long as all system calls of the opening.
        if padding.as_slice() != ZEROS.get(..padding.len()).unwrap_or_default() {
            let at = header.image + header.manifest;
            return Err(Refused::damaged(WHAT, at, "there is something behind it"));
        }
        match String::from_utf8(bytes) {
            Ok(manifest) if !manifest.contains('\0') => Ok(Self { file, header, manifest }),
            _ => Err(Refused::damaged(WHAT, header.image, "it is no text")),
        }
    }

    /// The text of `bundle.toml`. It is what its maker wrote: nothing of it is checked here.
    pub fn manifest(&self) -> &str {
        &self.manifest
    }

    /// Bytes of all of it.
    pub fn length(&self) -> u64 {
        self.header.content()
    }

    /// Bytes of the image.
    pub fn image_length(&self) -> u64 {
        self.header.image
    }

    /// The digest, by reading all: what the kernel measures of a file with just this content.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn digest(&self) -> Result<Digest, Refused> {
        self.pass(&mut |_| Ok(()), &mut |_| Ok(()))
    }

    /// Reads the image as strictly as can be, and says what is in it.
    ///
    /// # Errors
    /// It holds something that a bundle must not, or is not as it is written.
    pub fn check(&self) -> Result<Files<'_>, Refused> {
        image::files(&self.file, self.header.image)
    }

    /// Gives all of it to `piece`, and the tree's blocks to `tree`, once from front to back.
    pub(crate) fn pass(
        &self,
        piece: &mut dyn FnMut(&[u8]) -> Result<(), Refused>,
        tree: &mut dyn FnMut(Full<'_>) -> Result<(), Refused>,
    ) -> Result<Digest, Refused> {
        let mut hasher = Hasher::new(self.length(), tree);
        let mut buffer = vec![0; PIECE];
        let mut at = 0;
        while at < self.length() {
            let most = usize::try_from(self.length() - at).unwrap_or(PIECE).min(PIECE);
            let bytes = buffer.get_mut(..most).unwrap_or_default();
            read::exactly(&self.file, at, bytes, CONTENT)?;
            self.is_still(at, bytes)?;
            hasher.update(bytes)?;
            piece(bytes)?;
            at += u64::try_from(most).unwrap_or(u64::MAX);
        }
        hasher.finish()
    }

    /// Header and manifest are those that were read first, as far as they are in these bytes: who decided
    /// by them decided about this content.
    fn is_still(&self, at: u64, bytes: &[u8]) -> Result<(), Refused> {
        let header = self.header.to_bytes();
        for (from, known) in [(0, header.as_slice()), (self.header.image, self.manifest.as_bytes())]
        {
            let skip = |from: u64, to: u64| usize::try_from(to.saturating_sub(from)).ok();
            let there = skip(at, from).and_then(|skip| bytes.get(skip..)).unwrap_or_default();
            let known = skip(from, at).and_then(|skip| known.get(skip..)).unwrap_or_default();
            if there.iter().zip(known).any(|(there, known)| there != known) {
                return Err(Refused::damaged(CONTENT, from, "it was changed while it was read"));
            }
        }
        Ok(())
    }
}

/// A step of writing that failed.
pub(crate) fn unwritten(what: &str, error: &std::io::Error) -> Refused {
    Refused::new(Kind::Unreadable, what, None, format!("it cannot be written: {error}"))
}

/// Puts `bytes` into `out`.
pub(crate) fn put(out: &mut dyn Write, bytes: &[u8], what: &str) -> Result<(), Refused> {
    out.write_all(bytes).map_err(|error| unwritten(what, &error))
}
