//! What timers read and keep: rules of time zones, moments of triggers. Whatever makes no sense is as
//! good as not there.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use model::calendar::Zone;
use model::service::{Timer, TimerWhen};

use crate::timers::Moment;

/// Where the rules of time zones are.
const ZONES: &str = "/usr/share/zoneinfo";

/// Longest file of a time zone or of ours that is read, in bytes.
const MAX_FILE: u64 = 1 << 20;

/// The rules of the clock that a timer goes by.
pub(super) fn zone(timer: &Timer, name: &str, etc: &Path) -> TimeZone {
    let TimerWhen::Calendar(calendar) = &timer.when else { return TimeZone::UTC };
    let local = || rules(&etc.join("localtime")).unwrap_or(TimeZone::UTC);
    match calendar.zone() {
        Zone::Utc => TimeZone::UTC,
        Zone::Device => local(),
        Zone::Place(place) => rules(&Path::new(ZONES).join(place)).unwrap_or_else(|| {
            log::warn!(target: name, "{name}: no time zone {place} here: it goes by the device's");
            local()
        }),
    }
}

fn rules(path: &Path) -> Option<TimeZone> {
    if fs::metadata(path).ok()?.len() > MAX_FILE {
        return None;
    }
    TimeZone::tzif("local", &fs::read(path).ok()?).ok()
}

/// On the kernel's wall clock.
pub(super) fn since_1970(at: Timestamp) -> Duration {
    Duration::try_from(at.as_duration()).unwrap_or_default()
}

/// A small file; `None` when there is none.
pub(super) fn read(path: &Path) -> Option<String> {
    if fs::metadata(path).ok()?.len() > MAX_FILE {
        return None;
    }
    fs::read_to_string(path).ok()
}

/// Never half of it, whenever we die.
pub(super) fn replace(directory: &Path, name: &str, text: &str) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    // No service has such a name.
    let new = directory.join(".new");
    fs::write(&new, text)?;
    fs::rename(&new, directory.join(name))
}

/// Nanoseconds since PID 1 began, and since 1970; an empty line for what did not happen.
pub(super) fn line(moment: Option<Moment>) -> String {
    let text = |m: Moment| format!("{} {}\n", m.boot.as_nanos(), m.wall.as_nanosecond());
    moment.map_or("\n".to_owned(), text)
}

/// Reads what [`line`] wrote.
pub(super) fn moment(line: &str) -> Option<Moment> {
    let (boot, wall) = line.split_once(' ')?;
    let boot = Duration::from_nanos(boot.parse().ok()?);
    Some(Moment { boot, wall: Timestamp::from_nanosecond(wall.parse().ok()?).ok()? })
}

/// Reads a stamp: seconds since 1970.
pub(super) fn wall(text: &str) -> Option<Timestamp> {
    Timestamp::from_second(text.trim().parse().ok()?).ok()
}
