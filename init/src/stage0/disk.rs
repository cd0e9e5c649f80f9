//! Which disk is ours, by the names of its partitions.
//!
//! Invariant: all partitions come from one disk. A stick with a partition named `state` is not
//! mixed into a device, and of two complete disks the first by name is taken, every time.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Partitions of block devices, as the kernel shows them.
const BLOCK: &str = "/sys/class/block";

/// A named partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The disk it is on, such as `vda`.
    pub disk: String,
    /// Its name in the partition table.
    pub name: String,
    /// Its device node.
    pub device: String,
}

/// The partitions stage-0 works with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partitions {
    /// The disk they are on.
    pub disk: String,
    /// The boot record.
    pub bootctl: String,
    /// The first root.
    pub root_a: Option<String>,
    /// The second root.
    pub root_b: Option<String>,
    /// The state.
    pub state: String,
}

/// Takes ours from all that were found.
///
/// # Errors
/// The name of a partition that the most complete disk lacks.
pub fn pick(found: &[Found]) -> Result<Partitions, &'static str> {
    let mut disks: BTreeMap<(usize, &str), Vec<&Found>> = BTreeMap::new();
    for one in found {
        // By length first: sdb comes before sdaa.
        disks.entry((one.disk.len(), one.disk.as_str())).or_default().push(one);
    }
    let mut missing = "bootctl";
    for ((_, disk), partitions) in disks {
        match complete(disk, &partitions) {
            Ok(partitions) => return Ok(partitions),
            Err(lacks) => {
                if rank(lacks) > rank(missing) {
                    missing = lacks;
                }
            }
        }
    }
    Err(missing)
}

fn complete(disk: &str, partitions: &[&Found]) -> Result<Partitions, &'static str> {
    let device = |name: &str| {
        partitions.iter().find(|found| found.name == name).map(|found| found.device.clone())
    };
    let bootctl = device("bootctl").ok_or("bootctl")?;
    let (root_a, root_b) = (device("root-a"), device("root-b"));
    if root_a.is_none() && root_b.is_none() {
        return Err("root-a");
    }
    let state = device("state").ok_or("state")?;
    Ok(Partitions { disk: disk.to_owned(), bootctl, root_a, root_b, state })
}

/// How far a disk got that lacks this.
fn rank(missing: &str) -> usize {
    ["bootctl", "root-a", "state"].iter().position(|name| *name == missing).unwrap_or(0)
}

/// All named partitions there are. What cannot be read is not there (yet).
#[must_use]
pub fn scan() -> Vec<Found> {
    let Ok(entries) = fs::read_dir(BLOCK) else { return Vec::new() };
    entries.flatten().filter_map(|entry| partition(&entry.path())).collect()
}

fn partition(path: &Path) -> Option<Found> {
    let uevent = fs::read_to_string(path.join("uevent")).ok()?;
    // The entry is a link to .../DISK/PARTITION.
    let real = fs::canonicalize(path).ok()?;
    let disk = real.parent()?.file_name()?.to_str()?;
    named(&uevent, disk)
}

fn named(uevent: &str, disk: &str) -> Option<Found> {
    let value = |key: &str| {
        uevent.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('=')).map(str::to_owned)
    };
    Some(Found {
        disk: disk.to_owned(),
        name: value("PARTNAME")?,
        device: format!("/dev/{}", value("DEVNAME")?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disk(disk: &str, names: &[&str]) -> Vec<Found> {
        let found = |(i, name): (usize, &&str)| Found {
            disk: disk.into(),
            name: (*name).into(),
            device: format!("/dev/{disk}{}", i + 1),
        };
        names.iter().enumerate().map(found).collect()
    }

    #[test]
    fn a_partition_is_read_from_its_uevent() {
        let uevent =
            "MAJOR=254\nMINOR=2\nDEVNAME=vda2\nDEVTYPE=partition\nPARTN=2\nPARTNAME=bootctl\n";
        let found = named(uevent, "vda").unwrap();
        assert_eq!((found.name.as_str(), found.device.as_str()), ("bootctl", "/dev/vda2"));
        assert_eq!(named("DEVNAME=vda\nDEVTYPE=disk\n", "block"), None);
    }

    #[test]
    fn partitions_of_two_disks_are_never_mixed() {
        let whole = disk("vdb", &["boot", "bootctl", "root-a", "root-b", "state"]);
        let stick = disk("sda", &["state", "root-a"]);
        let ours = pick(&[stick.clone(), whole].concat()).unwrap();
        assert_eq!(ours.disk, "vdb");
        assert_eq!(ours.state, "/dev/vdb5");
        assert_eq!(pick(&stick), Err("bootctl"));
    }

    #[test]
    fn what_the_most_complete_disk_lacks_is_told() {
        assert_eq!(pick(&[]), Err("bootctl"));
        assert_eq!(pick(&disk("vda", &["bootctl"])), Err("root-a"));
        let stateless = disk("vda", &["bootctl", "root-b"]);
        assert_eq!(pick(&[disk("sda", &["x"]), stateless].concat()), Err("state"));
    }

    #[test]
    fn of_two_whole_disks_the_first_is_taken_every_time() {
        let names = ["bootctl", "root-a", "state"];
        let both = [disk("sdaa", &names), disk("sdb", &names)].concat();
        assert_eq!(pick(&both).unwrap().disk, "sdb");
    }
}
