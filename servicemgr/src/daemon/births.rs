//! Processes that were made and are not in the state log yet: the kernel itself notes them.
//!
//! ```text
//! decided, in the log ─► clone: the kernel writes the pid here ─► it runs ─► its pid in the log ─► 0
//! ```
//!
//! A place for each service, in memory that PID 1 holds. Invariant: whoever comes after us finds each
//! process that we made either in the log or here, also one that has ended by then; so nothing that
//! ran is started again.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicI32, Ordering};

use model::gather;
use sys::mapped::Numbers;

use crate::engine::Id;

/// Under which name PID 1 holds them.
const HELD: &str = "births";

/// Services that have a place: those of the largest plan, and as many that are made on the device. One
/// beyond is looked for among the processes, where one that has ended is not found.
const PLACES: usize = 2 * model::plan::MAX_SERVICES;

/// The places.
#[derive(Debug, Default)]
pub(super) struct Births {
    numbers: Option<Numbers>,
    /// Places that are written and that the log is about to show.
    shown: Vec<Id>,
    /// What the servicemgr before us made and did not write down.
    found: BTreeMap<Id, i32>,
}

impl Births {
    /// Those that PID 1 held, or new ones, which it holds from now on.
    pub(super) fn take(
        held: &mut BTreeMap<String, OwnedFd>,
        hold: impl FnOnce(String, BorrowedFd<'_>),
    ) -> Self {
        let mapped = match held.remove(HELD) {
            Some(fd) => Numbers::map(fd, PLACES),
            None => fresh(hold),
        };
        match mapped {
            Ok(numbers) => {
                let found = gather(numbers.written());
                Self { numbers: Some(numbers), shown: Vec::new(), found }
            }
            Err(e) => {
                log::error!("no memory for what is being started: {e}: going on without");
                Self::default()
            }
        }
    }

    /// Where the kernel is to note the next process of a service.
    pub(super) fn place(&self, id: Id) -> Option<&AtomicI32> {
        self.numbers.as_ref()?.place(id)
    }

    /// What was found is of other ids now.
    pub(super) fn rename(&mut self, now: &BTreeMap<Id, Id>) {
        let found = std::mem::take(&mut self.found).into_iter();
        self.found = gather(found.filter_map(|(old, pid)| Some((*now.get(&old)?, pid))));
    }

    /// The process of a service that was made and not written down.
    pub(super) fn found(&self, id: Id) -> Option<i32> {
        self.found.get(&id).copied()
    }

    /// What is written next into the log shows the process of a service.
    pub(super) fn show(&mut self, id: Id) {
        if self.place(id).is_some_and(|place| place.load(Ordering::Acquire) != 0) {
            self.shown.push(id);
        }
    }

    /// That is written.
    pub(super) fn clear(&mut self) {
        for id in std::mem::take(&mut self.shown) {
            self.place(id).into_iter().for_each(|place| place.store(0, Ordering::Release));
        }
    }

    /// The log shows them all.
    pub(super) fn clear_all(&mut self) {
        let written = self.numbers.as_ref().map(Numbers::written).unwrap_or_default();
        self.shown = written.into_iter().map(|(id, _)| id).collect();
        self.found.clear();
        self.clear();
    }
}

fn fresh(hold: impl FnOnce(String, BorrowedFd<'_>)) -> io::Result<Numbers> {
    let file = sys::memfd::create(HELD)?;
    let numbers = Numbers::map(&file, PLACES)?;
    hold(HELD.to_owned(), file.as_fd());
    Ok(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_cleared_is_found_by_the_next_one() {
        let mut held = BTreeMap::new();
        let mut kept = None;
        let keep = |_, fd: BorrowedFd<'_>| kept = fd.try_clone_to_owned().ok();
        let mut first = Births::take(&mut held, keep);
        assert_eq!(first.found, BTreeMap::new());
        first.place(3).unwrap().store(30, Ordering::Release);
        first.place(7).unwrap().store(70, Ordering::Release);
        first.show(3);
        first.show(5);
        assert_eq!(first.numbers.as_ref().unwrap().written(), [(3, 30), (7, 70)]);
        first.clear();
        assert!(first.place(PLACES).is_none());
        drop(first);
        held.insert(HELD.to_owned(), kept.unwrap());
        let mut second = Births::take(&mut held, |_, _| unreachable!());
        second.rename(&BTreeMap::from([(3, 9), (7, 4)]));
        assert_eq!((second.found(4), second.found(7)), (Some(70), None));
        second.clear_all();
        assert_eq!(second.numbers.as_ref().unwrap().written(), []);
    }
}
