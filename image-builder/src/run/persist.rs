//! A disk of the user's own, which keeps what the device writes.
//!
//! ```text
//! no file yet   the image is copied                 (FILE.partial, then renamed)
//! a file        everything before the state partition is taken from the image again,
//!               as an update would; the state stays
//! ```

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::progress::{Progress, Step};

/// GPT name of the partition that is kept.
const STATE: &str = "state";

/// Bytes copied at once; runs of zeros this long stay holes.
const CHUNK: usize = 1 << 20;

/// Makes `own` ready to boot what is in `image`.
///
/// # Errors
/// One of them cannot be read or written, or `own` has other partitions.
pub fn prepare(image: &Path, own: &Path, progress: &dyn Progress) -> Result<()> {
    if own.exists() {
        let (start, end) = (state(image)?, state(own)?);
        if start != end {
            bail!(
                "{} has its state elsewhere than the new image: it was made for another device or \
                 other sizes; remove it, or name another file",
                own.display()
            );
        }
        let step = progress.step(&format!("Updating {}", own.display()));
        let to = OpenOptions::new().write(true).open(own);
        let to = to.with_context(|| format!("opening {}", own.display()))?;
        return copy(image, &to, Some(start), false, &*step);
    }
    copy_whole(image, own, progress)
}

/// Copies a file; runs of zeros become holes. It gets its name when it is whole.
///
/// # Errors
/// One of them cannot be read or written.
pub fn copy_whole(from: &Path, to: &Path, progress: &dyn Progress) -> Result<()> {
    let mut partial: OsString = to.into();
    partial.push(".partial");
    let partial = PathBuf::from(partial);
    let step = progress.step(&format!("Making {}", to.display()));
    let file = File::create(&partial).with_context(|| format!("making {}", partial.display()))?;
    copy(from, &file, None, true, &*step)?;
    fs::rename(&partial, to).with_context(|| format!("making {}", to.display()))
}

/// Writes zeros over a part of the partition `name`, or takes it out of the table.
///
/// # Errors
/// `disk` has no such partition or it is smaller, or cannot be written.
pub fn harm(disk: &Path, name: &str, erase: Option<Range<u64>>) -> Result<()> {
    let config = gpt::GptConfig::new().writable(true);
    let open = || format!("opening {}", disk.display());
    let mut table = config.open(disk).with_context(open)?;
    let found = table.partitions().iter().find(|(_, part)| part.name == name);
    let (number, part) =
        found.with_context(|| format!("{} has no partition {name}", disk.display()))?;
    let Some(erase) = erase else {
        let number = *number;
        table.remove_partition(number).context("taking the partition out of the table")?;
        table.write().context("writing the table")?;
        return Ok(());
    };
    let block = u64::from(*table.logical_block_size());
    let size = part.sectors_len().context("measuring the partition")? * block;
    if erase.end > size {
        bail!("{name} has only {size} bytes");
    }
    let mut file = OpenOptions::new().write(true).open(disk).with_context(open)?;
    file.seek(SeekFrom::Start(part.first_lba * block + erase.start))?;
    io::copy(&mut io::repeat(0).take(erase.end - erase.start), &mut file)
        .map(drop)
        .with_context(open)
}

/// Where the state partition begins, in bytes.
fn state(disk: &Path) -> Result<u64> {
    let open = || format!("{} is no disk of ours", disk.display());
    let table = gpt::GptConfig::new().writable(false).open(disk).with_context(open)?;
    let part = table.partitions().values().find(|part| part.name == STATE).with_context(open)?;
    Ok(part.first_lba * u64::from(*table.logical_block_size()))
}

/// Copies the first `length` bytes, or all; into a `fresh` file, zeros are left out.
fn copy(
    image: &Path,
    mut to: &File,
    length: Option<u64>,
    fresh: bool,
    step: &dyn Step,
) -> Result<()> {
    let read = || format!("reading {}", image.display());
    let from = File::open(image).with_context(read)?;
    let size = from.metadata().with_context(read)?.len();
    let total = length.unwrap_or(size);
    step.total(total);
    if fresh {
        to.set_len(size)?;
    }
    let mut from = from.take(total);
    let mut buffer = Vec::with_capacity(CHUNK);
    loop {
        buffer.clear();
        let limit = u64::try_from(CHUNK).unwrap_or(u64::MAX);
        let n = u64::try_from(from.by_ref().take(limit).read_to_end(&mut buffer)?).unwrap_or(0);
        if n == 0 {
            return Ok(());
        }
        if fresh && buffer.iter().all(|byte| *byte == 0) {
            to.seek(SeekFrom::Current(i64::try_from(n).unwrap_or(0)))?;
        } else {
            to.write_all(&buffer).context("writing the disk")?;
        }
        step.advance(n);
    }
}
