//! Reading what is compressed: the parts of a package, kernel modules.

use std::io::{self, BufReader, Read};

use flate2::read::GzDecoder;
use liblzma::read::XzDecoder;
use liblzma::stream::{MtStreamBuilder, Stream};
use ruzstd::decoding::StreamingDecoder;

/// Most memory an xz decoder may use: `xz -9` needs 65 MiB, and as much again for each thread.
const MAX_MEMORY: u64 = 1 << 30;

/// Largest window of a zstd frame: what `zstd --ultra -22` makes.
const MAX_WINDOW: u64 = 128 << 20;

/// Threads of one xz decoder; it can use as many as the file has blocks.
const THREADS: u32 = 4;

/// How something is compressed; told by the end of its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    None,
    /// `.gz`
    Gzip,
    /// `.xz`
    Xz,
    /// `.zst`
    Zstd,
}

impl Compression {
    /// What the ending of a file's name says after `stem`: `data.tar.xz` after `data.tar` is xz.
    #[must_use]
    pub fn of(name: &str, stem: &str) -> Option<Self> {
        Some(match name.strip_prefix(stem)? {
            "" => Self::None,
            ".gz" => Self::Gzip,
            ".xz" => Self::Xz,
            ".zst" => Self::Zstd,
            _ => return None,
        })
    }

    /// A reader of what `from` was before it was compressed. It may be very long: limit it.
    ///
    /// # Errors
    /// The beginning is not of this compression.
    pub fn reader<'a>(self, from: impl Read + 'a) -> io::Result<Box<dyn Read + 'a>> {
        let from = BufReader::with_capacity(1 << 18, from);
        Ok(match self {
            Self::None => Box::new(from),
            Self::Gzip => Box::new(GzDecoder::new(from)),
            Self::Xz => Box::new(XzDecoder::new_stream(from, xz()?)),
            Self::Zstd => {
                let decoder = StreamingDecoder::new_with_max_window_size(from, MAX_WINDOW);
                Box::new(decoder.map_err(io::Error::other)?)
            }
        })
    }
}

fn xz() -> io::Result<Stream> {
    let mut builder = MtStreamBuilder::new();
    builder.threads(THREADS).memlimit_threading(MAX_MEMORY).memlimit_stop(MAX_MEMORY);
    Ok(builder.decoder()?)
}
