//! Ends of processes that servicemgr has not yet acknowledged.
//!
//! Invariant: sequence numbers only grow, and what is kept is in their order.

use std::collections::VecDeque;

use api::pid1::{Exit, ToServicemgr};

/// Most exits kept for a servicemgr that does not come (200 KiB). PID 1 does not know which of them
/// are services, so beyond this the oldest is forgotten.
pub const MAX_EXITS: usize = 8192;

/// The list.
#[derive(Debug, Default)]
pub struct Exits {
    kept: VecDeque<(u64, i32, Exit)>,
    last: u64,
}

impl Exits {
    /// Keeps one and gives the message about it, and which process was forgotten for it.
    pub fn add(&mut self, pid: i32, exit: Exit) -> (ToServicemgr, Option<i32>) {
        let full = self.kept.len() >= MAX_EXITS;
        let lost = if full { self.kept.pop_front().map(|(_, pid, _)| pid) } else { None };
        self.last = self.last.saturating_add(1);
        self.kept.push_back((self.last, pid, exit));
        (ToServicemgr::Exited { seq: self.last, pid, exit }, lost)
    }

    /// servicemgr's state shows all up to this one.
    pub fn acknowledge(&mut self, seq: u64) {
        while self.kept.front().is_some_and(|(kept, ..)| *kept <= seq) {
            self.kept.pop_front();
        }
    }

    /// All that are kept, oldest first.
    pub fn all(&self) -> impl Iterator<Item = ToServicemgr> + '_ {
        self.kept.iter().map(|&(seq, pid, exit)| ToServicemgr::Exited { seq, pid, exit })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_acknowledgement_covers_all_before_it_and_none_after() {
        let mut exits = Exits::default();
        for pid in 10..14 {
            exits.add(pid, Exit::Status(0));
        }
        exits.acknowledge(2);
        exits.acknowledge(1);
        let left: Vec<_> = exits.all().collect();
        let exited = |seq, pid| ToServicemgr::Exited { seq, pid, exit: Exit::Status(0) };
        assert_eq!(left, [exited(3, 12), exited(4, 13)]);
        exits.acknowledge(u64::MAX);
        assert_eq!(
            exits.add(14, Exit::Unknown).0,
            ToServicemgr::Exited { seq: 5, pid: 14, exit: Exit::Unknown }
        );
    }

    #[test]
    fn too_many_forget_the_oldest_and_say_which() {
        let mut exits = Exits::default();
        for _ in 0..MAX_EXITS {
            assert_eq!(exits.add(7, Exit::Status(0)).1, None);
        }
        assert_eq!(exits.add(8, Exit::Status(0)).1, Some(7));
        assert_eq!(exits.all().count(), MAX_EXITS);
    }
}
