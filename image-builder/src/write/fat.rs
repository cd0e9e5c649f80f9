//! FAT: the boot partition, which firmware reads.
//!
//! FAT16 below 512 MiB, FAT32 from there on. Made by the crate hadris-fat; the tables and the root
//! directory stay in memory until the end, for it touches them for every cluster. Everything has
//! FAT's first time (1980-01-01), so nothing depends on a clock. Owners and modes do not exist
//! here and are left out; links and devices are errors.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use hadris_fat::format::{FatFormatOptions, FatTypeSelection, FatVolumeFormatter, FormatParams};
use hadris_fat::time::{EpochTimeProvider, FatDateTime};
use hadris_fat::write::FileWriter;
use hadris_fat::{FatDir, FatVolume, FatVolumeWriteExt};

use super::Partial;
use super::source::Source;
use crate::tree::{Content, Entry, Kind, Tree};

/// Bytes of a volume label.
pub const MAX_LABEL: usize = 11;

/// The smallest volume: below it FAT12 begins, which not all firmware reads.
pub const MIN_SIZE: u64 = 16 << 20;

/// The largest volume: far more than a boot partition needs.
pub const MAX_SIZE: u64 = 32 << 30;

/// From this size on a volume is FAT32.
const FAT32_SIZE: u64 = 512 << 20;

/// Bytes of a FAT16 root directory, for which we keep room in memory; FAT32's is one cluster.
const ROOT: u64 = 64 << 10;

/// What a volume is called, and its size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    /// Its label: 1 to [`MAX_LABEL`] of `A-Z 0-9 - _`.
    pub label: String,
    /// Its serial number; the first bytes of a [`super::content_uuid`] do.
    pub serial: u32,
    /// Its bytes: a multiple of 1 MiB from [`MIN_SIZE`] to [`MAX_SIZE`].
    pub size: u64,
}

/// Writes the files and directories of `tree` as the file `path`.
///
/// # Errors
/// The tree has a link or a device or does not fit, a content cannot be read, `path` cannot be
/// written.
pub fn write(tree: &Tree, volume: &Volume, path: &Path) -> Result<()> {
    check(volume)?;
    let image = Partial::create(path)?;
    image.file().set_len(volume.size).context("cannot make the file so large")?;
    write_into(tree, volume, image.file())
        .with_context(|| format!("cannot write the FAT image {}", path.display()))?;
    image.finish()
}

fn check(volume: &Volume) -> Result<()> {
    let Volume { label, size, .. } = volume;
    let legal = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
    ensure!(
        (1..=MAX_LABEL).contains(&label.len()) && label.bytes().all(legal),
        "the label `{label}`: FAT takes 1 to {MAX_LABEL} of A-Z, 0-9, - and _"
    );
    ensure!(
        (MIN_SIZE..=MAX_SIZE).contains(size) && size.is_multiple_of(1 << 20),
        "a boot volume of {size} bytes: it takes whole MiB from {MIN_SIZE} to {MAX_SIZE}"
    );
    Ok(())
}

fn write_into(tree: &Tree, volume: &Volume, file: &File) -> Result<()> {
    let entries = tree.entries()?;
    let size =
        if volume.size < FAT32_SIZE { FatTypeSelection::Fat16 } else { FatTypeSelection::Fat32 };
    let options = FatFormatOptions::new(volume.size)
        .fat_type(size)
        .volume_label(&volume.label)
        .volume_id(volume.serial);
    let params = FatVolumeFormatter::calculate_params(&options).context("cannot lay it out")?;
    let root = root_offset(&params);
    let mut device = Device::new(file, root + ROOT)?;
    FatVolumeFormatter::format(&mut device, options).context("cannot format it")?;
    set_label_time(&mut device, root)?;
    device.rewind()?;
    let fat = FatVolume::builder(&mut device).time_provider(&EpochTimeProvider).open()?;
    let filled = fill(&fat, &entries).and_then(|()| Ok(fat.sync()?));
    drop(fat);
    match (filled, device.failed.take()) {
        // The library forgets the reason.
        (Err(e), Some(why)) => Err(e.context(why)),
        (filled, _) => filled.and_then(|()| device.finish()),
    }
}

/// Puts every entry into the volume.
fn fill(fat: &FatVolume<&mut Device<'_>>, entries: &[Entry<'_>]) -> Result<()> {
    let mut source = Source::new();
    let mut directories: HashMap<usize, FatDir<'_, _>> = HashMap::from([(0, fat.root_dir())]);
    for (i, entry) in entries.iter().enumerate().skip(1) {
        let parent = directories.get(&entry.parent).context("parents come first")?;
        let failed = || format!("cannot put {} into the volume: is it full?", entry.path);
        match &entry.node.kind {
            Kind::Directory => {
                let made = fat.create_dir(parent, entry.name).with_context(failed)?;
                directories.insert(i, made);
            }
            Kind::File(content) => {
                let file = fat.create_file(parent, entry.name).with_context(failed)?;
                if !content.is_empty() {
                    let mut writer = fat.write_file(&file).with_context(failed)?;
                    copy(&mut source, content, &mut writer).with_context(failed)?;
                    writer.finish().with_context(failed)?;
                }
            }
            _ => bail!("{} is a link or a device, which FAT does not have", entry.path),
        }
    }
    Ok(())
}

fn copy(
    source: &mut Source,
    content: &Content,
    writer: &mut FileWriter<'_, &mut Device<'_>>,
) -> Result<()> {
    struct Into<'a, 'b, 'c, 'd>(&'a mut FileWriter<'b, &'c mut Device<'d>>);
    impl Write for Into<'_, '_, '_, '_> {
        fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
            self.0.write(buf).map_err(|e| io::Error::other(e.to_string()))
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    source.copy(content, 0, content.len(), &mut Into(writer))
}

/// Where the root directory begins.
fn root_offset(params: &FormatParams) -> u64 {
    let tables = u64::from(params.fat_count) * u64::from(params.sectors_per_fat);
    let sector = u64::try_from(params.sector_size).unwrap_or(512);
    (u64::from(params.reserved_sectors) + tables) * sector
}

/// The label is the first entry of the root directory, and formatting gives it the host's time.
fn set_label_time(device: &mut Device<'_>, root: u64) -> Result<()> {
    let (date, time, tenth) = FatDateTime::EPOCH.to_raw();
    let mut times = vec![tenth];
    for field in [time, date, date] {
        times.extend_from_slice(&field.to_le_bytes()); // created, accessed
    }
    device.seek(SeekFrom::Start(root + 13))?;
    device.write_all(&times)?;
    device.seek(SeekFrom::Start(root + 22))?;
    device.write_all(&[time.to_le_bytes(), date.to_le_bytes()].concat())?;
    Ok(())
}

/// A file whose head is in memory.
#[derive(Debug)]
struct Device<'a> {
    head: Vec<u8>,
    file: &'a File,
    len: u64,
    at: u64,
    /// Why the host did not take a write.
    failed: Option<io::Error>,
}

impl<'a> Device<'a> {
    fn new(file: &'a File, head: u64) -> Result<Self> {
        let len = file.metadata()?.len();
        Ok(Self { head: vec![0; usize::try_from(head)?], file, len, at: 0, failed: None })
    }

    /// Writes the head.
    fn finish(self) -> Result<()> {
        Ok(self.file.write_all_at(&self.head, 0)?)
    }

    /// How much of `len` bytes here is in the head, or nothing.
    fn in_head(&self, len: usize) -> Option<std::ops::Range<usize>> {
        let at = usize::try_from(self.at).ok().filter(|at| *at < self.head.len())?;
        Some(at..self.head.len().min(at.saturating_add(len)))
    }

    fn moved(&mut self, n: usize) -> io::Result<usize> {
        self.at += u64::try_from(n).map_err(io::Error::other)?;
        Ok(n)
    }
}

impl Read for Device<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = match self.in_head(buf.len()) {
            Some(range) => self.head.get(range).unwrap_or_default().read(buf)?,
            None => self.file.read_at(buf, self.at)?,
        };
        self.moved(n)
    }
}

impl Write for Device<'_> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let n = match self.in_head(buf.len()) {
            Some(range) => self.head.get_mut(range).unwrap_or_default().write(buf)?,
            None => self.file.write_at(buf, self.at).inspect_err(|e| {
                self.failed =
                    Some(e.raw_os_error().map_or(e.kind().into(), io::Error::from_raw_os_error));
            })?,
        };
        self.moved(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for Device<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let place = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
            SeekFrom::End(by) => self.len.checked_add_signed(by),
        };
        self.at = place.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.at)
    }
}
