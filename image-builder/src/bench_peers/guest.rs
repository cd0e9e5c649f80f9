//! One guest: QEMU from its start to its end, and what its console tells.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use serde::Serialize;

use crate::bench::{self, Mode};

/// Seconds of the host that a guest may take; systemd with 500 daemons takes some minutes.
const LIMIT_SECONDS: &str = "1500";

/// Lines of the console in an error.
const SHOWN: usize = 30;

/// A guest whose kernel panics ends at once.
const PANIC: &str = "panic=-1";

/// What the kernel says last.
const POWER_DOWN: &str = "reboot: Power down";

/// What one guest gave. Times are virtual nanoseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Measured {
    /// From PID 1 to the last daemon ready.
    pub ready: u64,
    /// KiB in use when all is calm: before PID 1 became the manager, and with all daemons.
    pub memory: Option<(u64, u64)>,
    /// From the `SIGKILL` of a daemon to ready again, each round.
    pub crash: Vec<u64>,
    /// Stop and start by the tool, each round.
    pub cycle: Vec<u64>,
    /// From the asking to the kernel's last line.
    pub off: u64,
}

/// Runs a guest; its console stays in `log`.
///
/// # Errors
/// QEMU does not run, or the guest did not come to its end; its last lines are in the text.
pub fn run(kernel: &Path, initramfs: &Path, log: &Path) -> Result<Measured> {
    read(kernel, initramfs, log, measured)
}

/// Runs a guest and gives what `of` makes of its console's lines.
pub(crate) fn read<T>(
    kernel: &Path,
    initramfs: &Path,
    log: &Path,
    of: impl FnOnce(&[String]) -> Result<T>,
) -> Result<T> {
    let mut command = Command::new("timeout");
    command.args(["--kill-after=5", LIMIT_SECONDS, "qemu-system-x86_64"]);
    command.args(arguments(kernel, initramfs)?);
    let console = File::create(log).with_context(|| format!("writing {}", log.display()))?;
    command.stdin(Stdio::null()).stdout(console);
    sys::process::die_with_parent(&mut command);
    command.status().context("starting qemu-system-x86_64")?;
    let text = fs::read(log).with_context(|| format!("reading {}", log.display()))?;
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<String> = text.lines().map(|line| line.trim_end().to_owned()).collect();
    of(&lines).with_context(|| {
        let tail = lines.get(lines.len().saturating_sub(SHOWN)..).unwrap_or_default();
        format!("the guest's console is in {}; its end:\n{}", log.display(), tail.join("\n"))
    })
}

/// The words of each `bench: …` line that a guest wrote, but for the last, `bench: done`.
///
/// # Errors
/// The guest says that it failed, or did not come to its end.
pub(crate) fn facts(lines: &[String]) -> Result<Vec<Vec<&str>>> {
    let facts = lines.iter().filter_map(|line| line.split_once("bench: "));
    let mut facts: Vec<Vec<&str>> = facts.map(|(_, fact)| fact.split(' ').collect()).collect();
    let failed = |words: &&Vec<&str>| words.iter().any(|word| word.starts_with("failed="));
    if let Some(words) = facts.iter().find(failed) {
        bail!("the guest says: {}", words.join(" "));
    }
    let before = facts.len();
    facts.retain(|words| *words != ["done"]);
    ensure!(facts.len() < before, "the guest did not come to its end");
    Ok(facts)
}

/// The machine of `ens bench boot`, with nothing of that on its command line.
fn arguments(kernel: &Path, initramfs: &Path) -> Result<Vec<String>> {
    let mut all = bench::arguments(kernel, initramfs, Mode::Floor, 0);
    let at = all.iter().position(|a| a == "-append").context("an -append to replace")?;
    let append = all.get_mut(at + 1).context("words after -append")?;
    let words = append.split(' ').filter(|word| !word.starts_with("BENCH"));
    let words = words.chain([PANIC]);
    *append = words.collect::<Vec<_>>().join(" ");
    Ok(all)
}

/// Reads `bench: KEY=NUMBER` lines and the kernel's times.
pub(super) fn measured(lines: &[String]) -> Result<Measured> {
    let mut found = Measured::default();
    let (mut before, mut after, mut asked, mut down) = (None, None, None, None);
    for line in lines {
        if line.contains(POWER_DOWN) {
            down = stamp(line);
        }
        let Some((_, fact)) = line.split_once("bench: ") else { continue };
        match fact.split_once('=') {
            None if fact == "off" => asked = stamp(line),
            Some(("ready", n)) => found.ready = n.parse()?,
            Some(("before", n)) => before = Some(n.parse::<u64>()?),
            Some(("after", n)) => after = Some(n.parse::<u64>()?),
            Some(("crash", n)) => found.crash.push(n.parse()?),
            Some(("cycle", n)) => found.cycle.push(n.parse()?),
            _ => bail!("the guest says: {fact}"),
        }
    }
    ensure!(found.ready > 0, "the guest never said that all daemons are ready");
    found.memory = before.zip(after);
    let times = asked.zip(down).and_then(|(asked, down)| down.checked_sub(asked));
    found.off = times.context("the guest did not power off")?;
    Ok(found)
}

/// The kernel's time on a line, `[   12.345678] …`, in nanoseconds.
fn stamp(line: &str) -> Option<u64> {
    let (_, rest) = line.split_once('[')?;
    let (time, _) = rest.split_once(']')?;
    let (seconds, micro) = time.trim().split_once('.')?;
    let seconds: u64 = seconds.parse().ok()?;
    let micro: u64 = micro.parse().ok().filter(|_| micro.len() == 6)?;
    seconds.checked_mul(1_000_000)?.checked_add(micro)?.checked_mul(1000)
}
