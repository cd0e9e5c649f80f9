//! Limits of a service as files of its control group, and those of its processes as far as they are allowed here.
//!
//! | key | file |
//! |---|---|
//! | `memory`, `memory-high` | `memory.max`, `memory.high`, and `memory.oom.group` |
//! | `cpu`, `cpu-weight` | `cpu.max`, `cpu.weight` |
//! | `io-weight` | `io.weight`, or `io.bfq.weight` where that is what the kernel has |
//! | `io-read`, `io-write` | `io.max`, a line for each whole disk |
//! | `pids` | `pids.max` |
//!
//! Invariant: a limit that the kernel refuses is an error; only a controller (or a policy of disks)
//! that is missing as a whole is gone without, and that was said once.

use std::collections::BTreeSet;
use std::fs;
use std::io;

use model::Name;
use model::service::{Limits, OutOfMemory};
use sys::cgroup::Group;
use sys::spawn::{Limit, Resource};

/// Period of `cpu.max` in microseconds: the kernel's own default.
const CPU_PERIOD: u64 = 100_000;

/// Disks that are limited; a device has a few.
const MAX_DISKS: usize = 64;

/// Where the kernel shows disks.
const DISKS: &str = "/sys/block";

/// Writes them to a group that has these controllers.
///
/// # Errors
/// Which one the kernel refused, and why.
pub(super) fn apply(limits: &Limits, group: &Group, there: &[String]) -> Result<(), String> {
    let disks = if limits.io_read.or(limits.io_write).is_some() { disks() } else { Vec::new() };
    for (file, value) in files(limits, &disks) {
        if !there.iter().any(|c| c == controller(file)) {
            continue;
        }
        match group.write(file, &value) {
            // Weights of disks are a policy that the kernel may lack; a disk may be unplugged now.
            Err(e) if file == "io.weight" && e.kind() == io::ErrorKind::NotFound => {
                weigh(group, &value);
            }
            Err(e) if file == "io.max" && e.raw_os_error() == Some(ENODEV) => {}
            other => other.map_err(|e| format!("{file} = {value}: {e}"))?,
        }
    }
    Ok(())
}

/// `ENODEV`: there is no such disk any more.
const ENODEV: i32 = 19;

/// Lowers limits of processes to what is allowed here: in many containers they can't be raised. Said once.
pub(super) fn lower(limits: &mut [Limit], name: &Name, said: &mut BTreeSet<(Name, Resource)>) {
    for limit in limits {
        let most = sys::limit::allowed(limit.what, limit.hard).unwrap_or(limit.hard);
        if most >= limit.hard {
            continue;
        }
        (limit.soft, limit.hard) = (limit.soft.min(most), most);
        if said.insert((name.clone(), limit.what)) {
            let what = match limit.what {
                Resource::OpenFiles => "open files",
                Resource::Core => "bytes of a core dump",
                Resource::PendingSignals => "waiting signals",
                Resource::LockedMemory => "bytes of locked memory",
                Resource::FileSize => "bytes of a file",
                Resource::Stack => "bytes of stack",
            };
            let name = name.as_str();
            log::warn!(target: name, "{name}: no more than {most} {what} are allowed here");
        }
    }
}

/// The weight for the other policy of disks.
fn weigh(group: &Group, value: &str) {
    // BFQ knows weights up to 1000 only.
    let weight = value.parse::<u32>().unwrap_or(100).min(1000).to_string();
    if let Err(e) = group.write("io.bfq.weight", &weight) {
        log::warn!("the kernel has no weights of disks: {e}: services run without io-weight");
    }
}

/// The controllers that these limits need.
pub(super) fn controllers(limits: &Limits) -> Vec<&'static str> {
    let files = files(limits, &["0:0".to_owned()]);
    // Without a limit of its own, the whole device may be short of memory.
    let events = (limits.out_of_memory == OutOfMemory::Stop).then_some("memory");
    files.iter().map(|(file, _)| controller(file)).chain(events).collect()
}

fn controller(file: &'static str) -> &'static str {
    file.split('.').next().unwrap_or(file)
}

/// Files of a group and what to write to them.
fn files(limits: &Limits, disks: &[String]) -> Vec<(&'static str, String)> {
    let mut all = Vec::new();
    let mut add = |file, value: Option<String>| all.extend(value.map(|value| (file, value)));
    add("memory.max", limits.memory.map(|bytes| bytes.to_string()));
    add("memory.high", limits.memory_high.map(|bytes| bytes.to_string()));
    let together = limits.out_of_memory == OutOfMemory::Kill;
    if together && limits.memory.or(limits.memory_high).is_some() {
        add("memory.oom.group", Some("1".to_owned()));
    }
    add(
        "cpu.max",
        limits.cpu.map(|percent| {
            let quota = u64::from(percent).saturating_mul(CPU_PERIOD / 100);
            format!("{quota} {CPU_PERIOD}")
        }),
    );
    add("cpu.weight", limits.cpu_weight.map(|weight| weight.to_string()));
    add("io.weight", limits.io_weight.map(|weight| weight.to_string()));
    add("pids.max", limits.pids.map(|pids| pids.to_string()));
    let rates = [("rbps", limits.io_read), ("wbps", limits.io_write)];
    let rates: String =
        rates.iter().filter_map(|(key, rate)| rate.map(|rate| format!(" {key}={rate}"))).collect();
    if !rates.is_empty() {
        all.extend(disks.iter().map(|disk| ("io.max", format!("{disk}{rates}"))));
    }
    all
}

/// Numbers (`8:0`) of the whole disks that are hardware. What is made of them counts through them.
fn disks() -> Vec<String> {
    let all = fs::read_dir(DISKS).into_iter().flatten().flatten();
    let hardware = all.map(|entry| entry.path()).filter(|path| path.join("device").exists());
    let number = hardware.filter_map(|path| fs::read_to_string(path.join("dev")).ok());
    number.map(|text| text.trim().to_owned()).take(MAX_DISKS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_limit_is_a_line_in_a_file() {
        let limits = Limits {
            memory: Some(64),
            memory_high: Some(32),
            cpu: Some(150),
            cpu_weight: Some(50),
            io_weight: Some(200),
            io_read: Some(1000),
            io_write: Some(500),
            pids: Some(9),
            ..Limits::default()
        };
        let disks = ["8:0".to_owned(), "254:0".to_owned()];
        let lines: Vec<String> =
            files(&limits, &disks).iter().map(|(file, value)| format!("{file} {value}")).collect();
        assert_eq!(
            lines,
            [
                "memory.max 64",
                "memory.high 32",
                "memory.oom.group 1",
                "cpu.max 150000 100000",
                "cpu.weight 50",
                "io.weight 200",
                "pids.max 9",
                "io.max 8:0 rbps=1000 wbps=500",
                "io.max 254:0 rbps=1000 wbps=500",
            ]
        );
        let few = Limits { out_of_memory: OutOfMemory::Stop, io_write: Some(1), ..limits };
        assert!(!files(&few, &[]).iter().any(|(file, _)| *file == "memory.oom.group"));
        let mut needed = controllers(&few);
        needed.dedup();
        assert_eq!(needed, ["memory", "cpu", "io", "pids", "io", "memory"]);
        assert_eq!(files(&Limits::default(), &disks), []);
    }
}
