//! Whether a `SIGKILL` was the kernel's, for want of memory.
//!
//! A group with the memory controller tells it itself: `oom_kill` counts the killed, `oom` how often
//! its own limit was the reason. Kills in groups without the controller are counted by the group above
//! them, which does not say whose process it was: each explains one `SIGKILL` that comes with it.

use std::time::Duration;

use super::Daemon;
use crate::engine::{End, Id, Now};

/// How long after the first sign of kills an end by `SIGKILL` may be one of them.
const TOGETHER: Duration = Duration::from_secs(1);

/// File of kills in a group and those below it, and in a group alone.
const EVENTS: &str = "memory.events";
const LOCAL: &str = "memory.events.local";

/// Kills in groups that do not count for themselves.
#[derive(Debug, Default)]
pub(super) struct Kills {
    /// So many are known.
    seen: u64,
    /// So many of them have no process yet.
    open: u64,
    /// Until when they may find theirs.
    until: Now,
}

impl Kills {
    /// Nothing that was counted before explains anything.
    pub(super) fn forget(&mut self, count: u64) {
        *self = Self { seen: count, ..Self::default() };
    }

    /// A process ended by `SIGKILL` while the count was `count`: whether it is one of those.
    fn explain(&mut self, count: u64, now: Now) -> bool {
        if self.until < now {
            self.open = 0;
        }
        if count > self.seen {
            self.open += count - self.seen;
            (self.seen, self.until) = (count, now.saturating_add(TOGETHER));
        }
        let explained = self.open > 0;
        self.open = self.open.saturating_sub(1);
        explained
    }
}

/// What a group that counts for itself tells of a `SIGKILL`.
fn verdict(killed: u64, limit: u64) -> Option<End> {
    match (killed, limit) {
        (0, _) => None,
        (_, 0) => Some(End::NoMemory),
        _ => Some(End::OutOfMemory),
    }
}

impl Daemon {
    /// Why the kernel killed a process of a service, if it did.
    pub(super) fn killed_by_kernel(&mut self, id: Id) -> Option<End> {
        // What we kill was told to end before.
        if self.engine.life(id).is_some_and(|life| life.killed) {
            return None;
        }
        let group = self.group(id)?;
        let number = |key| group.number(EVENTS, key).ok().flatten();
        match number("oom_kill") {
            Some(0) => return None,
            Some(killed) => return verdict(killed, number("oom").unwrap_or(0)),
            None => {}
        }
        let (count, now) = (self.kills_of_all(), self.now());
        self.kills.explain(count, now).then_some(End::NoMemory)
    }

    /// Kills in groups that do not count for themselves, since the device began.
    pub(super) fn kills_of_all(&self) -> u64 {
        let all = self.launcher.groups.as_ref().and_then(|groups| groups.get(".").ok());
        all.and_then(|group| group.number(LOCAL, "oom_kill").ok().flatten()).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_that_counts_tells_whether_it_was_its_own_limit() {
        assert_eq!(verdict(0, 3), None, "somebody else killed it");
        assert_eq!(verdict(1, 0), Some(End::NoMemory));
        assert_eq!(verdict(2, 5), Some(End::OutOfMemory));
    }

    #[test]
    fn each_kill_explains_one_end_and_only_a_recent_one() {
        let at = Duration::from_millis;
        let mut kills = Kills::default();
        assert!(!kills.explain(0, at(0)), "nobody was killed for memory");
        assert!(kills.explain(2, at(10)) && kills.explain(2, at(20)) && !kills.explain(2, at(30)));
        assert!(kills.explain(4, at(40)));
        assert!(!kills.explain(4, at(5000)), "that one was nobody's we know");
        kills.forget(9);
        assert!(!kills.explain(9, at(5001)), "that was before our time");
    }
}
