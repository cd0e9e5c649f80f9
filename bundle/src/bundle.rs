//! A whole bundle: content, tree, signatures.
//!
//! ```text
//! open   header, manifest, first block of the tree ─► digest ─► each signature is proved    quick
//! check  all bytes of the content ─► the tree is theirs; every file of the image            reads all
//! ```
//!
//! After `open` the digest is what the file says of itself, and who signed it is certain. Whether the content is
//! the one that was signed is known after `check`, or [`Bundle::copy`] of it; the manifest that was read at
//! first is part of that. Who installs copies first, and checks the copy: another process may change a file while it is read.

use std::io::Write;

use crate::content::{self, CONTENT, Content};
use crate::image::Files;
use crate::keys::{PublicKey, SIGNATURE, Signature};
use crate::read::{self, ReadAt};
use crate::refused::{Kind, Refused};
use crate::verity::{self, Digest, Full};
use crate::{BLOCK, MAX_SIGNATURES};

/// What the tree is called in a refusal.
const TREE: &str = "the tree of hashes";

/// A bundle in a file.
#[derive(Debug)]
pub struct Bundle<F> {
    content: Content<F>,
    digest: Digest,
    signatures: Vec<Signature>,
}

impl<F: ReadAt> Bundle<F> {
    /// Reads what is not the image, and proves the signatures. Takes no longer for a large bundle.
    ///
    /// # Errors
    /// The file is no bundle, is not whole, has a signature that does not hold, or cannot be read.
    pub fn open(file: F) -> Result<Self, Refused> {
        let content = Content::begin(file)?;
        let mut block = vec![0; 4096];
        read::exactly(&content.file, content.length(), &mut block, TREE)?;
        let digest = Digest::of(&verity::root(&block), content.length());
        let signatures = signatures(&content, &digest)?;
        Ok(Self { content, digest, signatures })
    }

    /// Reads all of it: the content is the one that was signed, and its image holds nothing that a bundle must not.
    ///
    /// # Errors
    /// It is not so.
    pub fn check(&self) -> Result<Files<'_>, Refused> {
        self.compare(&mut |_| Ok(()))?;
        self.content.check()
    }

    /// Copies the content, the part that a device keeps, to `out`; it is the one that was signed, with the manifest
    /// that [`Bundle::manifest`] gives. Its image is not looked at: [`Content::check`] does that with the copy.
    ///
    /// # Errors
    /// It is another one, it cannot be read, or `out` cannot be written.
    pub fn copy(&self, out: &mut dyn Write) -> Result<(), Refused> {
        self.compare(&mut |bytes| content::put(out, bytes, "the copy of the content"))
    }

    /// The text of `bundle.toml`.
    pub fn manifest(&self) -> &str {
        self.content.manifest()
    }

    /// The digest of the content, as the file says it.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The part that a device keeps.
    pub fn content(&self) -> &Content<F> {
        &self.content
    }

    /// Who signed, in the order of their keys; nobody must have.
    pub fn signatures(&self) -> &[Signature] {
        &self.signatures
    }

    /// The first of the keys in `trusted` that signed it.
    ///
    /// # Errors
    /// None of them did: who did instead is said.
    pub fn verify<'k>(&self, trusted: &'k [PublicKey]) -> Result<&'k PublicKey, Refused> {
        let signed = |key: &&PublicKey| self.signatures.iter().any(|one| one.key() == *key);
        trusted.iter().find(signed).ok_or_else(|| {
            let by: Vec<_> = self.signatures.iter().map(|one| one.key().fingerprint()).collect();
            let why = match by.as_slice() {
                [] => "nobody signed it: sign it with `ens bundle sign`".to_owned(),
                by => format!("it is signed by {}, whom nobody here trusts", by.join(", ")),
            };
            Refused::new(Kind::Untrusted, "the signatures", None, why)
        })
    }

    /// Reads all of the content, which must be the one that the tree and the digest are of.
    fn compare(&self, piece: &mut dyn FnMut(&[u8]) -> Result<(), Refused>) -> Result<(), Refused> {
        let tree = self.content.length();
        let mut stored = vec![0; 4096];
        let computed = self.content.pass(piece, &mut |full| {
            read::exactly(&self.content.file, tree + full.at, &mut stored, TREE)?;
            if full.bytes == stored { Ok(()) } else { Err(difference(&full, &stored, tree)) }
        })?;
        if computed == self.digest {
            return Ok(());
        }
        let why = "it was changed while it was read";
        Err(Refused::damaged(CONTENT, 0, why))
    }
}

/// Which part of the content is not what its hash says; or which block of the tree.
fn difference(full: &Full<'_>, stored: &[u8], tree: u64) -> Refused {
    let slots = full.bytes.chunks(32).zip(stored.chunks(32));
    let slot = slots.take_while(|(computed, stored)| computed == stored).count();
    let slot = u64::try_from(slot).unwrap_or(0);
    match full.of.map(|of| (of + slot) * BLOCK).filter(|at| *at < tree) {
        Some(at) => Refused::damaged(CONTENT, at, "this block is not the one that was hashed"),
        None => {
            let at = tree + full.at + slot * 32;
            Refused::damaged(TREE, at, "it is not that of the content")
        }
    }
}

/// Reads and proves what is behind the tree.
fn signatures<F: ReadAt>(content: &Content<F>, digest: &Digest) -> Result<Vec<Signature>, Refused> {
    const WHAT: &str = "the signatures";
    let end = content.length() + verity::tree_length(content.length());
    let length = read::length(&content.file)?;
    let Some(bytes) = length.checked_sub(end) else {
        let why = format!("the file has {length} bytes of {end} or more: it is cut off");
        return Err(Refused::damaged(TREE, length, why));
    };
    let one = u64::try_from(SIGNATURE).unwrap_or(u64::MAX);
    let most = u64::try_from(MAX_SIGNATURES).unwrap_or(u64::MAX);
    if !bytes.is_multiple_of(one) || bytes / one > most {
        let why = format!(
            "{bytes} bytes where up to {MAX_SIGNATURES} signatures of {SIGNATURE} bytes are: \
             it is cut off, or something was appended"
        );
        return Err(Refused::damaged(WHAT, end, why));
    }
    let mut all: Vec<Signature> = Vec::new();
    for at in (end..length).step_by(SIGNATURE) {
        let mut bytes = [0; SIGNATURE];
        read::exactly(&content.file, at, &mut bytes, WHAT)?;
        let bad = |why: String| Refused::new(Kind::Untrusted, "a signature", Some(at), why);
        let next = Signature::proved(&bytes, digest).map_err(|error| bad(error.to_string()))?;
        if all.last().is_some_and(|last| last.key().bytes() >= next.key().bytes()) {
            return Err(bad("signatures are in the order of their keys, each key once".into()));
        }
        all.push(next);
    }
    Ok(all)
}
