//! The watcher: looks now and then whether all are ready, then measures one thing after the other.
//!
//! Every time is taken from what daemons note or from the kernel, so how often the watcher looks
//! changes no number. When something does not come, it shows what there is to see and ends the
//! machine.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::process::{Command, Stdio};
use std::time::Duration;

use sys::poll::set_nonblocking;

use crate::order::{self, Order};
use crate::record::{self, BEGAN, Record};
use crate::{free, sleep, tell};

/// Between two looks at what is noted.
const LOOK: Duration = Duration::from_millis(500);

/// Longest time for all to be ready.
const READY: Duration = Duration::from_secs(400);

/// Longest time for one daemon to come back.
const BACK: Duration = Duration::from_secs(30);

/// Between two measurements; some managers look again after some seconds.
const PAUSE: Duration = Duration::from_secs(12);

/// How often a thing is measured, each time with the last daemon of another chain.
const ROUNDS: u32 = 5;

/// Longest time a machine takes to power off.
const OFF: Duration = Duration::from_secs(120);

/// Between two looks whether a process is gone.
const GONE: Duration = Duration::from_micros(200);

/// Lines of the kernel's log that are shown.
const SHOWN: usize = 150;

/// Bytes of one line of the kernel's log, the kernel's own limit.
const MAX_LINE: usize = 8192;

pub(crate) fn run() -> io::Result<()> {
    let done = order::read().and_then(|order| measure(&order));
    if let Err(e) = done {
        tell(&format!("bench: failed={e}"));
        drop(show()); // what cannot be seen cannot be shown
        return Err(sys::reboot::reboot(sys::reboot::How::PowerOff));
    }
    Ok(())
}

fn measure(order: &Order) -> io::Result<()> {
    let ready = all_ready(order.count)?;
    tell(&format!("bench: ready={ready}"));
    if order.full {
        sleep(PAUSE);
        tell(&format!("bench: after={}", free()?));
        let last = |round| (round * tests::graph::CHAIN) + tests::graph::CHAIN - 1;
        let whom: Vec<u32> = (0..ROUNDS).map(last).filter(|id| *id < order.count).collect();
        for id in &whom {
            tell(&format!("bench: crash={}", crash(*id)?));
            sleep(PAUSE);
        }
        for id in whom.iter().filter(|_| !order.stop.is_empty()) {
            tell(&format!("bench: cycle={}", cycle(order, *id)?));
            sleep(PAUSE);
        }
    }
    power_off(order)
}

/// From the manager's first instruction to the last daemon that is ready.
fn all_ready(count: u32) -> io::Result<u64> {
    let whole: BTreeSet<String> = (0..count).map(|id| id.to_string()).collect();
    let mut waited = Duration::ZERO;
    loop {
        let records = record::read().unwrap_or_default();
        let there: BTreeSet<String> = records.iter().map(|r| r.who.clone()).collect();
        if whole.is_subset(&there) {
            return first_ready(&records);
        }
        if waited > READY {
            let missing: Vec<&String> = whole.difference(&there).take(20).collect();
            return Err(io::Error::other(format!("these never were ready: {missing:?} …")));
        }
        sleep(LOOK);
        waited += LOOK;
    }
}

fn first_ready(records: &[Record]) -> io::Result<u64> {
    let began = records.iter().find(|r| r.who == BEGAN).ok_or(io::ErrorKind::NotFound)?.at;
    let mut seen = BTreeSet::new();
    let firsts = records.iter().filter(|r| seen.insert(r.who.as_str()));
    let last = firsts.map(|r| r.at).max().unwrap_or(began);
    Ok(last - began)
}

/// From `SIGKILL` to ready again.
fn crash(id: u32) -> io::Result<u64> {
    let old = record::last(id)?.ok_or(io::ErrorKind::NotFound)?;
    let began = record::now();
    sys::process::signal(old.pid, 9)?;
    Ok(back(id, &old)?.at - began)
}

/// From asking to stop to ready again: the tool twice, with the process gone in between.
fn cycle(order: &Order, id: u32) -> io::Result<u64> {
    let old = record::last(id)?.ok_or(io::ErrorKind::NotFound)?;
    let began = record::now();
    tool(&order::of(&order.stop, id))?;
    let mut waited = Duration::ZERO;
    while sys::process::exists(old.pid) {
        if waited > BACK {
            return Err(io::Error::other(format!("daemon {id} was asked to stop and did not")));
        }
        sleep(GONE);
        waited += GONE;
    }
    tool(&order::of(&order.start, id))?;
    let told = record::now();
    Ok(back(id, &old)?.at.max(told) - began)
}

/// What daemon `id` notes after `old`.
fn back(id: u32, old: &Record) -> io::Result<Record> {
    let mut waited = Duration::ZERO;
    while waited <= BACK {
        // First of all, so that nobody who is measured waits for the processor while we read.
        sleep(LOOK);
        waited += LOOK;
        if let Some(new) = record::last(id)?.filter(|new| new != old) {
            return Ok(new);
        }
    }
    Err(io::Error::other(format!("daemon {id} did not come back")))
}

fn tool(words: &[String]) -> io::Result<()> {
    let (program, arguments) = words.split_first().ok_or(io::ErrorKind::InvalidInput)?;
    let mut command = Command::new(program);
    command.args(arguments).env("PATH", order::PATH).stdin(Stdio::null()).stdout(Stdio::null());
    let status = command.status()?;
    if status.success() {
        return Ok(());
    }
    Err(io::Error::other(format!("{}: {status}", words.join(" "))))
}

/// Asks for power-off. The kernel's own log has both times: ours is a line of the highest level.
fn power_off(order: &Order) -> io::Result<()> {
    File::options().write(true).open("/dev/kmsg")?.write_all(b"<0>bench: off\n")?;
    let (program, arguments) = order.off.split_first().ok_or(io::ErrorKind::InvalidInput)?;
    Command::new(program).args(arguments).env("PATH", order::PATH).stdin(Stdio::null()).spawn()?;
    sleep(OFF);
    Err(io::Error::other("it was asked to power off and did not"))
}

/// All that can help: who runs, and what the kernel's log has.
fn show() -> io::Result<()> {
    for entry in fs::read_dir("/proc")?.flatten() {
        let status = fs::read_to_string(entry.path().join("status")).unwrap_or_default();
        let keys = ["Name:", "State:", "Pid:", "PPid:"];
        let facts = status.lines().filter(|l| keys.iter().any(|k| l.starts_with(k)));
        let facts: Vec<String> = facts.map(|l| l.replace('\t', " ")).collect();
        if !facts.is_empty() && !facts.concat().contains("PPid: 2") {
            tell(&facts.join(", "));
        }
    }
    let mut log = File::options().read(true).open("/dev/kmsg")?;
    set_nonblocking(&log)?;
    let (mut lines, mut line) = (Vec::new(), [0; MAX_LINE]);
    while let Ok(len) = log.read(&mut line) {
        lines.push(String::from_utf8_lossy(line.get(..len).unwrap_or_default()).into_owned());
    }
    let skipped = lines.len().saturating_sub(SHOWN);
    for line in lines.iter().skip(skipped) {
        tell(line.trim_end());
    }
    Ok(())
}
