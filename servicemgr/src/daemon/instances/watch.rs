//! Who is told that main processes ended.
//!
//! ```text
//! end ─┬─ somebody watches ─► its queue ─► signal `Ended`      full, or gone: hung up on
//!      └─ nobody, an instance ─► kept ─► the next who watches
//! ```
//!
//! Invariants: who watches hears of each end once, in order, or is hung up on; nothing waits for a watcher.

use std::collections::VecDeque;

use api::services::{Error, MAX_UNTOLD};
use tokio::sync::mpsc;

use crate::engine::End;

/// Clients that may watch at a time.
const MAX_WATCHERS: usize = 32;

/// Ends that a watcher may have before it, beside those kept for it; one that has more is hung up on. More than
/// instances of apps may be there when all of them end at once.
const QUEUE: usize = 512;

/// How a main process ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::daemon) struct Ended {
    /// Of which service.
    pub(in crate::daemon) name: String,
    /// `status`, `signal`, `memory`, `unknown`.
    pub(in crate::daemon) how: &'static str,
    /// Its status, or the signal.
    pub(in crate::daemon) number: i32,
    /// As a sentence.
    pub(in crate::daemon) why: String,
}

impl Ended {
    /// As the bus has it.
    pub(super) fn new(name: String, end: End, why: String) -> Self {
        let (how, number) = match end {
            End::Status(status) => ("status", status),
            End::Signal(signal) => ("signal", signal),
            End::OutOfMemory | End::NoMemory => ("memory", end.signal()),
            End::Unknown => ("unknown", 0),
        };
        Self { name, how, number, why }
    }
}

/// All of them.
#[derive(Debug, Default)]
pub(in crate::daemon) struct Watchers {
    all: Vec<Watcher>,
    /// Of which nobody was told.
    untold: VecDeque<Ended>,
}

#[derive(Debug)]
struct Watcher {
    prefix: String,
    queue: mpsc::Sender<Ended>,
}

impl Watchers {
    /// From now on, and what nobody was told of yet.
    pub(in crate::daemon) fn watch(
        &mut self,
        prefix: &str,
    ) -> Result<mpsc::Receiver<Ended>, Error> {
        self.all.retain(|watcher| !watcher.queue.is_closed());
        if self.all.len() >= MAX_WATCHERS {
            let why = format!("{MAX_WATCHERS} clients watch ends already: try again later");
            return Err(Error::Refused(why));
        }
        let (queue, told) = mpsc::channel(QUEUE + MAX_UNTOLD);
        let (mine, others) = std::mem::take(&mut self.untold)
            .into_iter()
            .partition(|ended| ended.name.starts_with(prefix));
        self.untold = others;
        let mine: VecDeque<Ended> = mine;
        for ended in mine {
            // There is room for all that are kept.
            let _there = queue.try_send(ended);
        }
        self.all.push(Watcher { prefix: prefix.to_owned(), queue });
        Ok(told)
    }

    /// Tells those who watch. `keep`: if there is none, the next one wants to know.
    pub(super) fn tell(&mut self, ended: &Ended, keep: bool) {
        let mut told = false;
        self.all.retain(|watcher| {
            if !ended.name.starts_with(&watcher.prefix) {
                return true;
            }
            // One that is gone or too slow is dropped, which hangs up on it.
            let sent = watcher.queue.try_send(ended.clone()).is_ok();
            told |= sent;
            sent
        });
        if told || !keep {
            return;
        }
        if self.untold.len() >= MAX_UNTOLD {
            self.untold.pop_front();
        }
        self.untold.push_back(ended.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(name: &str, status: i32) -> Ended {
        Ended::new(name.to_owned(), End::Status(status), String::new())
    }

    fn heard(queue: &mut mpsc::Receiver<Ended>) -> Vec<i32> {
        std::iter::from_fn(|| queue.try_recv().ok()).map(|ended| ended.number).collect()
    }

    #[test]
    fn who_watches_is_told_of_what_begins_so_and_of_nothing_else() {
        let mut watchers = Watchers::default();
        let [mut apps, mut all] = ["app@", ""].map(|prefix| watchers.watch(prefix).unwrap());
        watchers.tell(&end("app@a.b_1", 1), true);
        watchers.tell(&end("web", 2), false);
        assert_eq!((heard(&mut apps), heard(&mut all)), (vec![1], vec![1, 2]));
        assert!(watchers.untold.is_empty());
    }

    #[test]
    fn an_end_that_nobody_heard_of_is_told_to_the_next_and_only_once() {
        let mut watchers = Watchers::default();
        watchers.tell(&end("app@a.b_1", 1), true);
        watchers.tell(&end("web", 2), false);
        drop(watchers.watch("other").unwrap());
        let mut first = watchers.watch("app@").unwrap();
        watchers.tell(&end("app@a.b_2", 3), true);
        assert_eq!(heard(&mut first), [1, 3], "in order");
        drop(first);
        watchers.tell(&end("app@a.b_3", 4), true);
        let mut second = watchers.watch("app@").unwrap();
        assert_eq!(heard(&mut second), [4]);
        for number in 0..1000 {
            watchers.tell(&end("x@y", number), true);
        }
        let mut third = watchers.watch("x").unwrap();
        let last: Vec<i32> = (0..1000).skip(1000 - MAX_UNTOLD).collect();
        assert_eq!(heard(&mut third), last, "the oldest are forgotten");
    }

    #[test]
    fn who_does_not_read_is_hung_up_on_and_hears_what_it_missed_when_it_comes_back() {
        let mut watchers = Watchers::default();
        let mut slow = watchers.watch("app@").unwrap();
        let most = i32::try_from(QUEUE + MAX_UNTOLD).unwrap();
        for number in 0..=most {
            watchers.tell(&end("app@a.b_1", number), true);
        }
        assert_eq!(heard(&mut slow), (0..most).collect::<Vec<_>>());
        assert!(slow.is_closed(), "nothing comes any more");
        assert_eq!(heard(&mut watchers.watch("app@").unwrap()), [most]);
    }

    #[test]
    fn not_more_watch_than_there_is_room_for() {
        let mut watchers = Watchers::default();
        let all: Vec<_> = (0..MAX_WATCHERS).map(|_| watchers.watch("").unwrap()).collect();
        assert!(watchers.watch("").is_err());
        drop(all);
        assert!(watchers.watch("").is_ok());
    }
}
