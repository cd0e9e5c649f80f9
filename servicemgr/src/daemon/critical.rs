//! The last resort: a critical service has failed too often, so the device starts again.
//!
//! ```text
//! failed too often ─► last-reboot (on the disk) ─► reboot ─► rebooted (in /run): `ensctl status`
//!                                                        └─► reboots: the last ones, oldest first
//! ```
//!
//! Why is on the disk before anything goes down. The boot that follows takes it, so it is shown as
//! long as that boot lasts, and not after a reboot that somebody asked for.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use api::pid1::End;

use super::Daemon;
use crate::engine::{Event, Id};

/// Longest line, in characters.
const MAX_LINE: usize = 512;

/// Lines that are kept of earlier reboots.
const MAX_HISTORY: usize = 16;

/// Most bytes read of a file with such lines: what fills them with the longest characters.
const MAX_FILE: u64 = 64 << 10;

/// Name of the file with the earlier ones, beside the last one.
const HISTORY: &str = "reboots";

impl Daemon {
    /// Notes why, and says that the device goes down.
    pub(super) fn start_device_again(&mut self, id: Id) -> Option<Event> {
        let service = self.plan.services.get(id)?;
        let name = service.name.as_str();
        let reason = self.engine.life(id).and_then(|life| life.reason.as_ref());
        let why = reason.map_or_else(|| "it failed too often".to_owned(), ToString::to_string);
        let text = line(wall_clock(), name, &why);
        log::error!(target: name, "{name}: critical and failed too often: {why}: rebooting");
        let path = &self.settings.last_reboot;
        if let Err(e) = write(path, &text) {
            log::error!("could not write {}: {e}: rebooting all the same", path.display());
        }
        Some(self.going_down(End::Reboot))
    }
}

/// At boot: why the device started again, if a critical service is the reason. Moves it from `last` to
/// `shown`, and notes it in the history.
pub(super) fn take_word(last: &Path, shown: &Path) -> Option<String> {
    let text = read(last)?;
    let word = text.lines().next().unwrap_or_default().to_owned();
    if let Err(e) = keep(&word, last, shown) {
        log::error!("could not note why the device started again: {e}: going on");
    }
    Some(word)
}

/// Shown and in the history before it is removed: a power cut in between shows it once more.
fn keep(word: &str, last: &Path, shown: &Path) -> io::Result<()> {
    fs::create_dir_all(shown.parent().unwrap_or(Path::new("/")))?;
    fs::write(shown, format!("{word}\n"))?;
    let history = last.with_file_name(HISTORY);
    let old = read(&history).unwrap_or_default();
    let mut lines: Vec<&str> = old.lines().filter(|line| *line != word).collect();
    lines.push(word);
    let kept = lines.get(lines.len().saturating_sub(MAX_HISTORY)..).unwrap_or_default();
    write(&history, &(kept.join("\n") + "\n"))?;
    fs::remove_file(last)
}

/// What was written last, without control characters; `None` when there is nothing.
pub(super) fn read(path: &Path) -> Option<String> {
    let mut text = Vec::new();
    File::open(path).ok()?.take(MAX_FILE).read_to_end(&mut text).ok()?;
    Some(String::from_utf8_lossy(&text).into_owned())
}

fn wall_clock() -> Duration {
    // Before 1970 no device was built.
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

fn line(now: Duration, service: &str, why: &str) -> String {
    let text = format!("{} {service}: {why}", date(now));
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    text.chars().map(plain).take(MAX_LINE).collect::<String>() + "\n"
}

/// `2026-11-22T16:40:59Z`
fn date(now: Duration) -> String {
    let seconds = now.as_secs();
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// The date so many days after 1970-01-01; years begin in March here, so that February ends them.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year + u64::from(month <= 2), month, day)
}

/// Writes it beside and puts it into its place when it is on the disk.
fn write(path: &Path, text: &str) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(directory)?;
    let beside = path.with_extension("new");
    let mut file = File::create(&beside)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_has_time_service_and_reason() {
        let at = Duration::from_secs(1_795_365_659);
        assert_eq!(line(at, "web", "exit\nstatus 3"), "2026-11-22T16:40:59Z web: exit status 3\n");
        assert_eq!(date(Duration::ZERO), "1970-01-01T00:00:00Z");
        assert_eq!(date(Duration::from_secs(951_782_400)), "2000-02-29T00:00:00Z");
        assert!(line(at, "web", &"x".repeat(9000)).len() <= MAX_LINE + 1);
    }

    #[test]
    fn the_next_boot_takes_it_and_the_history_is_bounded() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        let (last, shown) = (at("var/last-reboot"), at("run/rebooted"));
        assert_eq!(take_word(&last, &shown), None);
        for boot in 0..20 {
            write(&last, &format!("{boot} web: gone\n")).unwrap();
            assert_eq!(take_word(&last, &shown), Some(format!("{boot} web: gone")));
            assert_eq!(read(&shown), Some(format!("{boot} web: gone\n")));
            assert!(!last.exists());
        }
        let history = read(&at("var/reboots")).unwrap();
        assert_eq!(history.lines().count(), MAX_HISTORY);
        assert!(history.starts_with("4 web") && history.ends_with("19 web: gone\n"), "{history}");
    }

    #[test]
    fn it_is_there_as_a_whole() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a/last-reboot");
        write(&path, "one\n").unwrap();
        write(&path, "two\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "two\n");
        assert_eq!(fs::read_dir(directory.path().join("a")).unwrap().count(), 1);
    }
}
