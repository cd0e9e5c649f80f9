//! How far something is, on one line of a terminal; nowhere else anything.
//!
//! ```text
//! told 25 %, told 50 % … ─► the line is written anew ─► ended: the line is gone
//! ```

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

/// How long back the rate looks: long enough not to jump, short enough to be of now.
const WINDOW: Duration = Duration::from_secs(5);

/// Where the cursor is at the beginning of a line with nothing in it.
const ANEW: &str = "\r\x1b[K";

/// A line that says how far something is.
#[derive(Debug)]
pub(super) struct Progress {
    /// Somebody sees it.
    seen: bool,
    told: RefCell<VecDeque<(Instant, u64)>>,
}

impl Progress {
    /// One that writes nothing unless it is `wanted` and standard error is a terminal that can write a line anew.
    pub(super) fn new(wanted: bool) -> Self {
        let able = || std::env::var_os("TERM").is_none_or(|term| term != "dumb");
        Self { seen: wanted && std::io::stderr().is_terminal() && able(), told: RefCell::default() }
    }

    /// So many bytes are there; `line` makes text of the bytes a second, once anybody knows.
    #[expect(clippy::disallowed_methods, reason = "the one clock of a line that a person reads")]
    pub(super) fn at(&self, done: u64, line: impl FnOnce(Option<u64>) -> String) {
        if !self.seen {
            return;
        }
        let mut told = self.told.borrow_mut();
        let rate = rate(&mut told, Instant::now(), done);
        write(&line(rate));
    }

    /// Nothing more is to be known of it.
    pub(super) fn end(&self) {
        if self.seen && !self.told.take().is_empty() {
            write("");
        }
    }
}

/// What nobody sees any more is no harm.
fn write(line: &str) {
    let mut to = std::io::stderr().lock();
    let _gone = to.write_all(format!("{ANEW}{line}").as_bytes()).and_then(|()| to.flush());
}

/// Bytes a second within the window, when `done` is there at `now`.
fn rate(told: &mut VecDeque<(Instant, u64)>, now: Instant, done: u64) -> Option<u64> {
    told.push_back((now, done));
    while told.len() > 2 && told.front().is_some_and(|(at, _)| now.duration_since(*at) > WINDOW) {
        told.pop_front();
    }
    let (began, before) = told.front()?;
    let millis = u64::try_from(now.duration_since(*began).as_millis()).ok()?;
    done.saturating_sub(*before).saturating_mul(1000).checked_div(millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_that_of_the_last_seconds_and_not_of_what_was_there_before() {
        #[expect(clippy::disallowed_methods, reason = "any time will do")]
        let began = Instant::now();
        let mut told = VecDeque::new();
        let mut at =
            |tenths: u64, done| rate(&mut told, began + Duration::from_millis(tenths * 100), done);
        assert_eq!(at(0, 5_000_000), None);
        assert_eq!(at(5, 5_000_500), Some(1000));
        assert_eq!(at(10, 5_001_000), Some(1000));
        assert_eq!(at(60, 5_001_000), Some(0), "it stands still");
    }
}
