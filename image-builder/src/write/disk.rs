//! A GPT disk: the partitions of a device, one after the other.
//!
//! ```text
//! 0      1 MiB                                                             end - 1 MiB
//! │ GPT │ boot │ bootctl │ root-a │ root-b │ state │ … each on whole MiB … │ GPT again │
//! ```
//!
//! Names, types and GUIDs come from the caller. What is zero stays a hole of the file, so an empty
//! partition costs nothing, whatever its size. Devices find partitions by name.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use gpt::disk::LogicalBlockSize;
use gpt::mbr::ProtectiveMBR;
use gpt::partition_types::{OperatingSystem, Type};
use uuid::Uuid;

use super::{Partial, ext4};
use crate::tree::Tree;

/// Partitions begin and end on multiples of this.
pub const ALIGNMENT: u64 = 1 << 20;

/// Entries of the partition table.
pub const MAX_PARTITIONS: usize = 128;

/// Bytes of a partition's name (it is stored as 36 UTF-16 units; ours are ASCII).
pub const MAX_NAME: usize = 36;

/// Bytes of a sector.
const SECTOR: u64 = 512;

/// Bytes copied at once; a piece of zeros becomes a hole.
const PIECE: usize = 64 << 10;

/// What partitions are for, as their type says.
pub mod kind {
    use uuid::Uuid;

    /// An EFI system partition.
    pub const BOOT: Uuid = Uuid::from_u128(0xC12A7328_F81F_11D2_BA4B_00A0C93EC93B);
    /// The slot record of Ensemble: a type of our own.
    pub const BOOTCTL: Uuid = Uuid::from_u128(0x6F48D0A5_2E3B_8C57_9A41_656E73626374);
    /// A root file system of x86-64.
    pub const ROOT_X86_64: Uuid = Uuid::from_u128(0x4F68BCE3_E8CD_4DB1_96E7_FBCAF984B709);
    /// A root file system of arm64.
    pub const ROOT_ARM64: Uuid = Uuid::from_u128(0xB921B045_1DF0_41C3_AF44_4C6F280D3FAE);
    /// Linux data.
    pub const DATA: Uuid = Uuid::from_u128(0x0FC63DAF_8483_4772_8E79_3D69D8477DE4);
}

/// A disk.
#[derive(Debug, Clone)]
pub struct Disk {
    /// Its GUID.
    pub guid: Uuid,
    /// Its partitions, in order.
    pub partitions: Vec<Partition>,
}

/// One partition.
#[derive(Debug, Clone)]
pub struct Partition {
    /// Its name: 1 to [`MAX_NAME`] of printable ASCII.
    pub name: String,
    /// Its type: see [`kind`].
    pub kind: Uuid,
    /// Its own GUID.
    pub guid: Uuid,
    /// Its bytes; rounded up to [`ALIGNMENT`].
    pub size: u64,
    /// What is in it.
    pub source: Source,
}

/// What is in a partition.
#[derive(Debug, Clone)]
pub enum Source {
    /// Zeros.
    Empty,
    /// These bytes, then zeros.
    Bytes(Vec<u8>),
    /// The bytes of this host file, then zeros.
    File(PathBuf),
    /// An ext4 volume, written in place.
    Ext4 {
        /// Its name and size.
        volume: ext4::Volume,
        /// Its files.
        tree: Tree,
    },
}

impl Source {
    fn len(&self) -> Result<u64> {
        Ok(match self {
            Self::Empty => 0,
            Self::Bytes(bytes) => u64::try_from(bytes.len())?,
            Self::File(path) => std::fs::metadata(path)
                .with_context(|| format!("cannot read {}", path.display()))?
                .len(),
            Self::Ext4 { volume, .. } => volume.size,
        })
    }
}

/// Writes `disk` as the file `path` and says how many bytes it has.
///
/// # Errors
/// A name is not one, something is larger than its partition, a host file cannot be read, `path`
/// cannot be written.
pub fn write(disk: &Disk, path: &Path) -> Result<u64> {
    let (places, len) = places(disk)?;
    let image = Partial::create(path)?;
    let file = image.file();
    let cannot = || format!("cannot write the disk {}", path.display());
    // EFBIG: some file systems hold files up to 16 TiB only.
    file.set_len(len)
        .with_context(|| format!("making a disk of {} GiB", len >> 30))
        .with_context(cannot)?;
    write_table(disk, &places, file).with_context(cannot)?;
    for (partition, at) in disk.partitions.iter().zip(&places) {
        fill(partition, *at, file)
            .with_context(|| format!("cannot fill the partition {}", partition.name))?;
    }
    image.finish()?;
    Ok(len)
}

/// Where each partition begins, and how long the disk is.
fn places(disk: &Disk) -> Result<(Vec<u64>, u64)> {
    const TOO_LARGE: &str = "the disk is over 16 EiB";
    ensure!(
        disk.partitions.len() <= MAX_PARTITIONS,
        "a disk has up to {MAX_PARTITIONS} partitions"
    );
    let mut places = Vec::new();
    let mut at = ALIGNMENT;
    for Partition { name, size, source, .. } in &disk.partitions {
        ensure!(
            (1..=MAX_NAME).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_graphic()),
            "the partition name `{name}`: GPT takes 1 to {MAX_NAME} printable characters"
        );
        let len = source.len()?;
        ensure!(
            len <= *size,
            "{len} bytes do not fit into the partition {name} of {size}: make it larger in [storage]"
        );
        ensure!(*size > 0, "the partition {name} has no size: give it one");
        places.push(at);
        let end = at.checked_add(*size).and_then(|e| e.checked_next_multiple_of(ALIGNMENT));
        at = end.context(TOO_LARGE)?;
    }
    Ok((places, at.checked_add(ALIGNMENT).context(TOO_LARGE)?))
}

/// Writes the protective MBR and both tables.
fn write_table(disk: &Disk, places: &[u64], file: &File) -> Result<()> {
    let len = file.metadata()?.len();
    let mut partitions = BTreeMap::new();
    for (i, (partition, at)) in disk.partitions.iter().zip(places).enumerate() {
        let size = partition.size.next_multiple_of(ALIGNMENT);
        let entry = gpt::partition::Partition {
            part_type_guid: Type { guid: partition.kind, os: OperatingSystem::None },
            part_guid: partition.guid,
            first_lba: at / SECTOR,
            last_lba: (at + size) / SECTOR - 1,
            flags: 0,
            name: partition.name.clone(),
        };
        partitions.insert(u32::try_from(i)? + 1, entry);
    }
    let sectors = u32::try_from(len / SECTOR - 1).unwrap_or(u32::MAX);
    ProtectiveMBR::with_lb_size(sectors).overwrite_lba0(&mut &*file)?;
    let mut table = gpt::GptConfig::new()
        .writable(true)
        .logical_block_size(LogicalBlockSize::Lb512)
        .create_from_device(file, Some(disk.guid))?;
    table.update_partitions(partitions)?;
    table.write()?;
    Ok(())
}

/// Writes what is in `partition` to `at`.
fn fill(partition: &Partition, at: u64, file: &File) -> Result<()> {
    match &partition.source {
        Source::Empty => Ok(()),
        Source::Bytes(bytes) => Ok(file.write_all_at(bytes, at)?),
        Source::File(path) => copy(path, file, at),
        Source::Ext4 { volume, tree } => ext4::write_at(tree, volume, file, at),
    }
}

/// Copies the file `from` to `at`, and leaves pieces of zeros out.
fn copy(from: &Path, to: &File, mut at: u64) -> Result<()> {
    let failed = || format!("cannot copy {}", from.display());
    let source = File::open(from).with_context(failed)?;
    let zeros = vec![0; PIECE];
    let mut piece = vec![0; PIECE];
    let mut done = 0;
    loop {
        let n = source.read_at(&mut piece, done).with_context(failed)?;
        let bytes = piece.get(..n).unwrap_or_default();
        if n == 0 {
            return Ok(());
        }
        if Some(bytes) != zeros.get(..n) {
            to.write_all_at(bytes, at).with_context(failed)?;
        }
        done += u64::try_from(n)?;
        at += u64::try_from(n)?;
    }
}
