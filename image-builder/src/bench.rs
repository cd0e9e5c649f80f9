//! `ens bench boot`: instructions from PID 1 to all services ready, against the bare floor.
//!
//! ```text
//! initramfs: /init = bench-init ─┬─ BENCH=floor         forks and execs the same daemons along the same graph
//!                                ├─ BENCH=floor-cgroup  the same, each in a cgroup of its own (CLONE_INTO_CGROUP)
//!                                └─ BENCH=ensemble      becomes our PID 1, with servicemgr, journal and limits
//! QEMU -icount shift=0: one guest instruction is one virtual nanosecond; the same run gives the same number
//! ```
//!
//! Each run waits until the kernel's own work after boot is over, then takes the clock. The floor
//! uses the launch primitive of servicemgr itself, so it is as low as we know how to make it.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use model::sandbox::Profile;
use model::service::{Kind, RestartWhen, Service};
use model::{Name, Plan};
use serde::Serialize;

use crate::tree::{Content, Node, Tree};
use crate::write::cpio;

/// Services in one chain; `tests` has the same number for the floor.
pub const CHAIN: u32 = 10;

/// Seconds a run may take; the longest takes about a minute on a slow host.
const LIMIT_SECONDS: &str = "600";

/// Most services of a run.
pub const MAX_SERVICES: u32 = 2000;

/// What is put in front of the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Only fork and exec.
    Floor,
    /// The same with a cgroup each.
    FloorCgroup,
    /// Ensemble.
    Ensemble,
}

impl Mode {
    /// All modes, floor first.
    pub const ALL: [Self; 3] = [Self::Floor, Self::FloorCgroup, Self::Ensemble];

    fn word(self) -> &'static str {
        match self {
            Self::Floor => "floor",
            Self::FloorCgroup => "floor-cgroup",
            Self::Ensemble => "ensemble",
        }
    }
}

/// What one run gave.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Measured {
    /// Instructions (virtual nanoseconds) from PID 1 to all ready.
    pub instructions: u64,
    /// Resident KiB of PID 1 and servicemgr; 0 for a floor.
    pub resident: u64,
}

/// The static programs that a run needs.
#[derive(Debug, Clone)]
pub struct Programs {
    /// Path in the initramfs, and content.
    pub files: Vec<(String, Content)>,
}

/// The services of a run: `count` daemons in chains, the journal, and the one that reports.
///
/// # Errors
/// A name is not one, or the graph has a mistake.
pub fn plan(journal: Service, count: u32) -> Result<Plan> {
    let mut services = vec![journal.clone()];
    for id in 0..count {
        let mut service = service(&name(id), "/bench/daemon", &journal)?;
        service.kind = Kind::Notify;
        if !id.is_multiple_of(CHAIN) {
            service.requires = vec![Name::try_from(name(id - 1))?];
        }
        services.push(service);
    }
    services.push(service("report", "/bench/report", &journal)?);
    let enabled: Vec<Name> = services.iter().map(|s| s.name.clone()).collect();
    Plan::link("bench", services, &enabled).map_err(|errors| {
        let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
        anyhow::anyhow!("the benchmark's services: {}", errors.join("; "))
    })
}

fn name(id: u32) -> String {
    format!("daemon-{id}")
}

fn service(name: &str, exec: &str, like: &Service) -> Result<Service> {
    let mut service = like.clone();
    service.name = Name::try_from(name)?;
    service.about = "benchmark".to_owned();
    service.exec = vec![exec.to_owned()];
    service.kind = Kind::Simple;
    service.requires.clear();
    service.wants.clear();
    service.after.clear();
    service.sockets.clear();
    service.environment = BTreeMap::new();
    service.sandbox = Profile::default().into();
    service.restart.when = RestartWhen::Never;
    Ok(service)
}

/// The initramfs of all runs with this plan.
///
/// # Errors
/// It cannot be written.
pub fn initramfs(programs: &Programs, plan: &Plan, path: &Path) -> Result<()> {
    let mut tree = Tree::new();
    for directory in ["dev", "etc", "proc", "run", "sys", "tmp", "var/log", "bench"] {
        tree.insert(directory, Node::directory(0o755))?;
    }
    tree.insert("etc/passwd", Node::file(0o644, "root:x:0:0:root:/root:/bin/sh\n"))?;
    tree.insert("etc/group", Node::file(0o644, "root:x:0:\n"))?;
    tree.insert("etc/hostname", Node::file(0o644, "bench\n"))?;
    tree.insert("dev/console", character(5, 1))?;
    tree.insert("dev/null", character(1, 3))?;
    for (path, content) in &programs.files {
        tree.insert(path, Node::file(0o755, content.clone()))?;
    }
    tree.insert("usr/lib/ensemble/plan", Node::file(0o644, plan.encode()))?;
    cpio::write(&tree, crate::recipe::TIME, path)
}

fn character(major: u32, minor: u32) -> Node {
    let kind = crate::tree::Kind::Device { block: false, major, minor };
    Node { mode: 0o600, uid: 0, gid: 0, kind }
}

/// QEMU's arguments for one run. Rotated features are those whose emulation is not deterministic
/// or counts per byte.
#[must_use]
pub fn arguments(kernel: &Path, initramfs: &Path, mode: Mode, count: u32) -> Vec<String> {
    let append = format!(
        "console=ttyS0 quiet loglevel=1 mitigations=off nokaslr norandmaps BENCH={} BENCH_COUNT={count}",
        mode.word()
    );
    let cpu = "max,-rdrand,-rdseed,erms=off,fsrm=off,cx16=off,la57=off";
    let fixed = [
        "-M",
        "q35",
        "-accel",
        "tcg",
        "-cpu",
        cpu,
        "-smp",
        "1",
        "-m",
        "2G",
        "-nodefaults",
        "-icount",
        "shift=0,sleep=off",
        "-seed",
        "1",
        "-rtc",
        "clock=vm,base=2026-01-01",
        "-display",
        "none",
        "-serial",
        "stdio",
        "-no-reboot",
    ];
    let mut all: Vec<String> = fixed.iter().map(|s| (*s).to_owned()).collect();
    all.extend(["-kernel".to_owned(), kernel.display().to_string()]);
    all.extend(["-initrd".to_owned(), initramfs.display().to_string()]);
    all.extend(["-append".to_owned(), append]);
    all
}

/// Runs one machine to its end and reads what it reports.
///
/// # Errors
/// QEMU does not run, or the machine ends without a report; its last lines are in the text.
pub fn run(kernel: &Path, initramfs: &Path, mode: Mode, count: u32) -> Result<Measured> {
    let mut command = Command::new("timeout");
    command.args(["--kill-after=5", LIMIT_SECONDS, "qemu-system-x86_64"]);
    command.args(arguments(kernel, initramfs, mode, count));
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    sys::process::die_with_parent(&mut command);
    let mut machine = command.spawn().context("starting qemu-system-x86_64")?;
    let console = machine.stdout.take().context("the console of the machine")?;
    let mut lines = Vec::new();
    for line in BufReader::new(console).split(b'\n') {
        lines.push(String::from_utf8_lossy(&line?).trim_end().to_owned());
    }
    machine.wait()?;
    measured(&lines).with_context(|| {
        let tail = lines.len().saturating_sub(20);
        format!(
            "{} with {count} services gave no result:\n{}",
            mode.word(),
            lines[tail..].join("\n")
        )
    })
}

/// Reads `bench: KEY=NUMBER` lines.
fn measured(lines: &[String]) -> Result<Measured> {
    let mut found = Measured::default();
    for line in lines {
        let Some((_, fact)) = line.split_once("bench: ") else { continue };
        match fact.split_once('=') {
            Some(("instructions", n)) => found.instructions = n.parse()?,
            Some(("resident", n)) => found.resident += n.parse::<u64>()?,
            _ => bail!("the machine says: {fact}"),
        }
    }
    if found.instructions == 0 {
        bail!("no line `bench: instructions=…`")
    }
    Ok(found)
}

/// All runs, as one table for people.
#[must_use]
pub fn table(rows: &BTreeMap<u32, BTreeMap<Mode, Measured>>) -> String {
    let mut out = String::from(
        "| services | floor | floor, a cgroup each | Ensemble | × floor | × floor with cgroups | PID 1 + servicemgr |\n\
         |---|---|---|---|---|---|---|\n",
    );
    for (count, modes) in rows {
        let get = |mode| modes.get(&mode).cloned().unwrap_or_default();
        let (floor, cgroup, ours) = (get(Mode::Floor), get(Mode::FloorCgroup), get(Mode::Ensemble));
        let million = |m: &Measured| {
            format!("{}.{:02} M", m.instructions / 1_000_000, m.instructions / 10_000 % 100)
        };
        out.push_str(&format!(
            "| {count} | {} | {} | {} | {} | {} | {} KiB |\n",
            million(&floor),
            million(&cgroup),
            million(&ours),
            ratio(&ours, &floor),
            ratio(&ours, &cgroup),
            ours.resident,
        ));
    }
    out
}

fn ratio(a: &Measured, b: &Measured) -> String {
    match (a.instructions * 100).checked_div(b.instructions) {
        Some(percent) => format!("{}.{:02}", percent / 100, percent % 100),
        None => "–".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_of_a_machine_is_read_and_its_absence_is_an_error() {
        let lines = ["noise", "bench: instructions=71", "bench: resident=4", "bench: resident=5"];
        let lines = lines.map(str::to_owned);
        assert_eq!(measured(&lines).unwrap(), Measured { instructions: 71, resident: 9 });
        assert!(measured(&["panic".to_owned()]).is_err());
        assert!(
            measured(&["bench: no cgroup2".to_owned()])
                .unwrap_err()
                .to_string()
                .contains("no cgroup2")
        );
    }

    #[test]
    fn the_table_shows_ratios_of_one_run() {
        let of = |n| Measured { instructions: n, resident: 0 };
        let row = BTreeMap::from([
            (Mode::Floor, of(1_000_000)),
            (Mode::FloorCgroup, of(2_000_000)),
            (Mode::Ensemble, Measured { instructions: 3_000_000, resident: 4096 }),
        ]);
        let shown = table(&BTreeMap::from([(10, row)]));
        assert!(
            shown.ends_with("| 10 | 1.00 M | 2.00 M | 3.00 M | 3.00 | 1.50 | 4096 KiB |\n"),
            "{shown}"
        );
    }
}
