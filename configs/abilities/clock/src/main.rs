//! A clock: says the time whenever a minute begins, while it is on the screen.
//!
//! ```text
//! main: told of its life ─ foreground, background ─► Shown ─► the face: a thread that waits for the next minute
//! ```
//!
//! Off the screen nothing wakes it. It has nothing to save: the time is what it is.

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use ensemble_app::{App, Error, Event};
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Seconds of a minute.
const MINUTE: u64 = 60;

/// Whether somebody sees the clock, and who waits for that to change.
#[derive(Default)]
struct Shown {
    now: Mutex<bool>,
    changed: Condvar,
}

impl Shown {
    fn set(&self, shown: bool) {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner) = shown;
        self.changed.notify_all();
    }

    /// Says the time for as long as this process lives, while somebody sees it.
    fn tell(&self, zone: &TimeZone) {
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let wait = if *now {
                let (text, wait) = face(Timestamp::now(), zone);
                // Nobody reads it: then nobody misses it.
                let _lost = writeln!(io::stdout(), "{text}");
                wait
            } else {
                Duration::MAX
            };
            let waited = self.changed.wait_timeout(now, wait);
            now = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// What is said at a time, and how long until that changes.
fn face(at: Timestamp, zone: &TimeZone) -> (String, Duration) {
    let shown = zone.to_datetime(at);
    let second = u64::try_from(shown.second()).unwrap_or_default();
    let left = MINUTE.saturating_sub(second).max(1);
    (format!("{:02}:{:02}", shown.hour(), shown.minute()), Duration::from_secs(left))
}

/// The time zone of the device.
fn zone() -> TimeZone {
    let rules = std::fs::read("/etc/localtime").ok();
    let zone = rules.and_then(|rules| TimeZone::tzif("local", &rules).ok());
    zone.unwrap_or(TimeZone::UTC)
}

fn run() -> Result<(), Error> {
    let (mut app, _) = App::attach()?;
    let shown = Arc::new(Shown::default());
    let seen = Arc::clone(&shown);
    thread::spawn(move || seen.tell(&zone()));
    loop {
        let told = app.wait()?;
        let ends = told.event == Event::Terminate;
        match told.event {
            Event::Foreground => shown.set(true),
            Event::Background | Event::Terminate => shown.set(false),
            _ => {}
        }
        app.done(told)?;
        if ends {
            return Ok(());
        }
    }
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            let _lost = writeln!(io::stderr(), "clock: {e}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_face_changes_when_a_minute_begins() {
        let at = |second| face(Timestamp::from_second(second).unwrap(), &TimeZone::UTC);
        assert_eq!(at(0), ("00:00".to_owned(), Duration::from_secs(60)));
        assert_eq!(at(3_659), ("01:00".to_owned(), Duration::from_secs(1)));
        assert_eq!(at(3_660), ("01:01".to_owned(), Duration::from_secs(60)));
    }
}
