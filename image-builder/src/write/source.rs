//! Reads the contents of a tree's files piece by piece, with few open files and one buffer.
//!
//! Never takes a whole file into memory. A host file that is shorter than the tree says is an
//! error: it changed after the tree was made.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result};

use crate::tree::Content;

/// Host files held open at once; contents of one package share a file, so few suffice.
const MAX_OPEN: usize = 64;

/// Bytes copied at once.
const PIECE: usize = 256 << 10;

/// Where contents are read from.
#[derive(Debug)]
pub(super) struct Source {
    open: HashMap<Arc<PathBuf>, File>,
    piece: Vec<u8>,
}

impl Source {
    pub(super) fn new() -> Self {
        Self { open: HashMap::new(), piece: vec![0; PIECE] }
    }

    /// The bytes of `content` from `at` on, to read one after the other.
    pub(super) fn reader<'a>(&'a mut self, content: &'a Content, at: u64) -> Result<Reader<'a>> {
        reader(&mut self.open, content, at)
    }

    /// Writes `len` bytes of `content` from `at` on.
    pub(super) fn copy(
        &mut self,
        content: &Content,
        at: u64,
        len: u64,
        out: &mut impl Write,
    ) -> Result<()> {
        let mut from = reader(&mut self.open, content, at)?;
        if let Reader::Bytes(bytes) = from {
            let bytes = bytes.get(..usize::try_from(len)?).context("more bytes than there are")?;
            return Ok(out.write_all(bytes)?);
        }
        let mut left = len;
        while left > 0 {
            let n = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
            let piece = self.piece.get_mut(..n).unwrap_or_default();
            from.read_exact(piece).with_context(|| format!("cannot read {}", name(content)))?;
            out.write_all(piece)?;
            left -= u64::try_from(n)?;
        }
        Ok(())
    }
}

fn reader<'a>(
    open: &'a mut HashMap<Arc<PathBuf>, File>,
    content: &'a Content,
    at: u64,
) -> Result<Reader<'a>> {
    match content {
        Content::Bytes(bytes) => {
            let at = usize::try_from(at)?.min(bytes.len());
            Ok(Reader::Bytes(bytes.get(at..).unwrap_or_default()))
        }
        Content::Slice { file: path, offset, len } => {
            if open.len() >= MAX_OPEN && !open.contains_key(path) {
                open.clear();
            }
            if !open.contains_key(path) {
                let file = File::open(path.as_path())
                    .with_context(|| format!("cannot open {}", path.display()))?;
                open.insert(Arc::clone(path), file);
            }
            let file = open.get(path).context("a file just opened is open")?;
            let at = offset.saturating_add(at.min(*len));
            Ok(Reader::Slice { file, at, end: offset.saturating_add(*len) })
        }
    }
}

fn name(content: &Content) -> String {
    match content {
        Content::Bytes(_) => "a file in memory".to_owned(),
        Content::Slice { file, .. } => {
            format!("{}: it changed after it was read first; build again", file.display())
        }
    }
}

/// Reads one content.
#[derive(Debug)]
pub(super) enum Reader<'a> {
    Bytes(&'a [u8]),
    Slice { file: &'a File, at: u64, end: u64 },
}

impl Read for Reader<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Bytes(bytes) => bytes.read(buf),
            Self::Slice { file, at, end } => {
                let most = usize::try_from(*end - *at).unwrap_or(usize::MAX).min(buf.len());
                let n = file.read_at(buf.get_mut(..most).unwrap_or_default(), *at)?;
                *at += u64::try_from(n).map_err(io::Error::other)?;
                Ok(n)
            }
        }
    }
}
