//! Descriptors that services leave with us for their next start (`FDSTORE=1`).
//!
//! ```text
//! service ──FDSTORE=1──► kept here and at PID 1 ──next start──► LISTEN_FDS, after its sockets
//!                            ├─ the other side hung up, or FDSTOREREMOVE=1 ─► dropped
//!                            └─ stopped for good ─► dropped
//! ```
//!
//! Invariant: what is here is at PID 1 too, under a name that tells all about it, so the next
//! servicemgr has it without asking; and no service keeps more than it may.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::said::MAX_FD_NAME;

/// First part of the names under which PID 1 holds them.
const KEY: &str = "store/";

/// Ends the number in the name of one whose hang-up does not matter.
const NO_POLL: char = '!';

/// One descriptor.
#[derive(Debug)]
pub(super) struct Stored {
    /// Its name in `LISTEN_FDNAMES`.
    pub(super) name: String,
    /// It.
    pub(super) fd: OwnedFd,
    /// It is dropped when the other side hangs up.
    pub(super) poll: bool,
}

/// Those of all services, by the name of the service and a number.
#[derive(Debug, Default)]
pub(super) struct Stores(BTreeMap<String, BTreeMap<u32, Stored>>);

/// Under which name PID 1 holds one.
fn key(service: &str, number: u32, stored: &Stored) -> String {
    let mark = if stored.poll { "" } else { "!" };
    format!("{KEY}{service}/{number}{mark}/{}", stored.name)
}

impl Stores {
    /// Takes what PID 1 held under this name; gives it back if it is none of ours.
    pub(super) fn adopt(&mut self, key: &str, fd: OwnedFd) -> Result<(), OwnedFd> {
        let Some((service, number, name)) = parse(key) else { return Err(fd) };
        let poll = !number.ends_with(NO_POLL);
        let Ok(number) = number.trim_end_matches(NO_POLL).parse() else { return Err(fd) };
        let stored = Stored { name: name.to_owned(), fd, poll };
        self.0.entry(service.to_owned()).or_default().insert(number, stored);
        Ok(())
    }

    /// Keeps one more: its number, and the name under which PID 1 is to hold it. `None`: it is kept
    /// already. The number goes up while the service runs.
    ///
    /// # Errors
    /// It has `most` already.
    pub(super) fn keep(
        &mut self,
        service: &str,
        stored: Stored,
        most: u32,
    ) -> Result<Option<(u32, String)>, TooMany> {
        let all = self.0.entry(service.to_owned()).or_default();
        if all.values().any(|old| sys::pidfd::same_file(&old.fd, &stored.fd)) {
            return Ok(None);
        }
        if u32::try_from(all.len()).is_ok_and(|count| count >= most) {
            return Err(TooMany);
        }
        let number = all.last_key_value().map_or(0, |(last, _)| last.wrapping_add(1));
        let key = key(service, number, &stored);
        all.insert(number, stored);
        Ok(Some((number, key)))
    }

    /// One of them.
    #[must_use]
    pub(super) fn get(&self, service: &str, number: u32) -> Option<&Stored> {
        self.0.get(service)?.get(&number)
    }

    /// All of a service, with their numbers.
    pub(super) fn of(&self, service: &str) -> impl Iterator<Item = (u32, &Stored)> {
        self.0.get(service).into_iter().flatten().map(|(number, stored)| (*number, stored))
    }

    /// Names and descriptors for a start.
    #[must_use]
    pub(super) fn passed(&self, service: &str) -> Vec<(&str, BorrowedFd<'_>)> {
        self.of(service).map(|(_, stored)| (stored.name.as_str(), stored.fd.as_fd())).collect()
    }

    /// Takes those out that `which` says, with the names under which PID 1 holds them.
    pub(super) fn take(
        &mut self,
        service: &str,
        which: impl Fn(u32, &Stored) -> bool,
    ) -> Vec<(String, Stored)> {
        let Some(all) = self.0.get_mut(service) else { return Vec::new() };
        let wanted = |(number, stored): (&u32, &Stored)| which(*number, stored).then_some(*number);
        let numbers: Vec<u32> = all.iter().filter_map(wanted).collect();
        let taken = numbers.into_iter().filter_map(|number| {
            let stored = all.remove(&number)?;
            Some((key(service, number, &stored), stored))
        });
        let taken = taken.collect();
        if all.is_empty() {
            self.0.remove(service);
        }
        taken
    }
}

/// A service has as many as it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooMany;

/// The service that left what is held under this name.
#[must_use]
pub(super) fn stored_by(key: &str) -> Option<&str> {
    parse(key).map(|(service, ..)| service)
}

fn parse(key: &str) -> Option<(&str, &str, &str)> {
    let (service, rest) = key.strip_prefix(KEY)?.split_once('/')?;
    let (number, name) = rest.split_once('/')?;
    Some((service, number, name)).filter(|_| !name.is_empty() && name.len() <= MAX_FD_NAME)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(name: &str, poll: bool) -> Stored {
        let (reader, _writer) = std::io::pipe().unwrap();
        Stored { name: name.into(), fd: reader.into(), poll }
    }

    #[test]
    fn what_pid_1_held_is_as_it_was_kept() {
        let (mut stores, mut next) = (Stores::default(), Stores::default());
        for (name, poll) in [("a", true), ("b!", false), ("a", true)] {
            let (_, key) = stores.keep("web", stored(name, poll), 3).unwrap().unwrap();
            assert!(key.len() <= api::pid1::MAX_KEY);
            next.adopt(&key, stored("x", true).fd).unwrap();
        }
        let seen = |s: &Stores| -> Vec<(u32, String, bool)> {
            s.of("web").map(|(n, s)| (n, s.name.clone(), s.poll)).collect()
        };
        assert_eq!(seen(&next), seen(&stores));
        assert_eq!(stores.keep("web", stored("c", true), 3).unwrap_err(), TooMany);
        for bad in ["log/web", "store/web", "store/web/x/a", "store/web/1/"] {
            assert!(next.adopt(bad, stored("x", true).fd).is_err(), "{bad}");
        }
    }

    #[test]
    fn one_file_is_kept_once_and_dropped_by_name() {
        let mut stores = Stores::default();
        let first = stored("a", true);
        let copy = Stored { fd: first.fd.try_clone().unwrap(), ..stored("a", true) };
        assert!(stores.keep("web", first, 9).unwrap().is_some());
        assert!(stores.keep("web", copy, 9).unwrap().is_none());
        assert!(stores.keep("web", stored("b", true), 9).unwrap().is_some());
        let taken = stores.take("web", |_, s| s.name == "a");
        assert_eq!(taken.first().map(|(key, _)| key.as_str()), Some("store/web/0/a"));
        assert_eq!(stores.passed("web").len(), 1);
        assert_eq!(stores.take("web", |_, _| true).len(), 1);
        assert_eq!(stores.passed("web").len(), 0);
    }

    #[test]
    fn the_longest_names_fit() {
        let longest = key(&"s".repeat(64), u32::MAX, &stored(&"f".repeat(MAX_FD_NAME), false));
        assert!(longest.len() <= api::pid1::MAX_KEY, "{}", longest.len());
    }
}
