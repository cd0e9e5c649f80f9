//! Too little memory: apps are told, then those that matter least go.
//!
//! ```text
//! kernel (PSI) ─ something stood still ─► how much is left ─┬─ told: moderate, low, critical
//!       ▲                                                   └─ victims ─► killed ─ all gone ─► looked at again
//!       └── nothing is looked at in between
//! ```
//!
//! Who is told and who goes is decided in [`crate::engine::memory`]. In a container the memory is the host's, which looks after
//! it. Invariant: while victims end nobody else is killed.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use api::paths::SERVICES_CGROUP;
use sys::pressure::{MEMORY, Trigger};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::mpsc;

use super::control::Request;
use super::{Daemon, clock};
use crate::engine::memory::{Memory, victims};
use crate::engine::{Event, Exit, InstanceId, Shortage};

/// What the kernel counts in.
const MEMINFO: &str = "/proc/meminfo";

/// Time that something must have stood still for want of memory, within [`WINDOW`], before it is looked at.
const STALL: Duration = Duration::from_millis(100);

/// The shortest time that the kernel counts in for a process without `CAP_SYS_RESOURCE`. What happens faster the kernel's own
/// killer decides, by the same order: `oom_score_adj`.
const WINDOW: Duration = Duration::from_secs(2);

/// Time after which apps are told the same once more: they may have taken what they gave.
const TOLD_AGAIN: Duration = Duration::from_secs(10);

/// The pid namespace of a device that is not a container, as the kernel calls it.
const FIRST_PID_NAMESPACE: &str = "pid:[4026531836]";

/// What was done about it so far.
#[derive(Debug, Default)]
pub(super) struct Pressure {
    told: Option<(Shortage, Duration)>,
    /// Those that were killed and are not gone yet.
    ending: BTreeSet<InstanceId>,
}

/// Has the loop look whenever the kernel says that memory lacks.
pub(super) async fn watch(requests: mpsc::Sender<Request>) {
    if let Err(why) = follow(requests).await {
        log::info!(
            "nobody is told when memory is short, and the kernel alone chooses who goes: {why}"
        );
    }
}

async fn follow(requests: mpsc::Sender<Request>) -> io::Result<()> {
    let space = fs::read_link("/proc/self/ns/pid")?;
    if space != Path::new(FIRST_PID_NAMESPACE) {
        return Err(io::Error::other("in a container it is the host's"));
    }
    let in_file = |e: io::Error| io::Error::new(e.kind(), format!("{MEMORY}: {e}"));
    let trigger = Trigger::new(Path::new(MEMORY), STALL, WINDOW).map_err(in_file)?;
    let ready = edge(trigger.into())?;
    loop {
        ready.ready(Interest::PRIORITY).await?.clear_ready();
        if requests.send(Box::new(Daemon::look_at_memory)).await.is_err() {
            return Ok(());
        }
    }
}

#[expect(deprecated, reason = "the new name is unsafe, for types that do not own what they name")]
fn edge(trigger: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    AsyncFd::with_interest(trigger, Interest::PRIORITY)
}

impl Daemon {
    /// Memory may lack.
    pub(super) fn look_at_memory(&mut self) {
        let text = fs::read_to_string(MEMINFO).unwrap_or_default();
        let Some(memory) = read(&text) else {
            return log::warn!("{MEMINFO} does not say how much memory there is");
        };
        self.tell_of_memory(memory);
        if !self.pressure.ending.is_empty() {
            return;
        }
        let bytes = |id: InstanceId| self.lives.get(&id).map_or(0, |live| used(&live.unit));
        let all = self.engine.candidates(clock(), &self.going_on(), bytes);
        let victims = victims(memory, all);
        for instance in victims {
            self.pressure.ending.insert(instance);
            self.feed(Event::Kill { instance, why: Exit::LowMemory });
        }
    }

    fn tell_of_memory(&mut self, memory: Memory) {
        let Some(shortage) = memory.shortage() else {
            self.pressure.told = None;
            return;
        };
        let now = clock();
        let old = |(told, at): (Shortage, Duration)| told >= shortage && now < at + TOLD_AGAIN;
        if self.pressure.told.is_some_and(old) {
            return;
        }
        self.pressure.told = Some((shortage, now));
        let Memory { available, total } = memory;
        log::warn!("{} of {} MiB of memory are left: apps are told", available >> 20, total >> 20);
        self.feed(Event::Memory(shortage));
    }

    /// Looks again once those that were killed are gone: there may be enough now.
    pub(super) fn look_at_memory_again(&mut self) {
        let engine = &self.engine;
        let before = self.pressure.ending.len();
        self.pressure.ending.retain(|id| engine.instance(*id).is_some());
        if before > 0 && self.pressure.ending.is_empty() {
            self.look_at_memory();
        }
    }
}

/// Bytes of memory of a unit; 0 where there are no control groups.
fn used(unit: &str) -> u64 {
    let path = Path::new(SERVICES_CGROUP).join(unit).join("memory.current");
    let text = fs::read_to_string(path).unwrap_or_default();
    text.trim().parse().unwrap_or(0)
}

/// What `/proc/meminfo` says.
fn read(text: &str) -> Option<Memory> {
    let of = |name: &str| {
        let mut lines = text.lines();
        let line = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
        kilobytes.checked_mul(1024)
    };
    Some(Memory { available: of("MemAvailable")?, total: of("MemTotal")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_and_what_there_is_are_two_lines_of_many() {
        let text = "MemTotal:         496252 kB\nMemFree:  3 kB\nMemAvailable:     31000 kB\nBuffers: 1 kB\n";
        assert_eq!(read(text), Some(Memory { available: 31_000 << 10, total: 496_252 << 10 }));
        for broken in
            ["", "MemTotal: 1 kB", "MemTotal: x kB\nMemAvailable: 2 kB", "MemAvailable: 2"]
        {
            assert_eq!(read(broken), None, "{broken}");
        }
    }
}
