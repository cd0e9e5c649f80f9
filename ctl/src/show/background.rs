//! `ensctl ability tasks` and `ensctl ability work`, as text.

use api::background::{Ran, Task, Work};
use jiff::tz::TimeZone;

use super::{Cell, columns, plain};
use crate::paint::{Colour, Paint, harmless};
use crate::time::{span, stamp};

/// Microseconds of a second.
const MICROS: u64 = 1_000_000;

/// What goes on.
#[must_use]
pub fn tasks(rows: &[Task], paint: Paint) -> String {
    if rows.is_empty() {
        return "Nothing goes on off the screen.\n".to_owned();
    }
    let line = |row: &Task| -> Vec<Cell> {
        vec![
            (Colour::Bold, harmless(&row.unit).into_owned()),
            plain(harmless(&row.ability)),
            (Colour::Green, harmless(&row.mode).into_owned()),
            plain(if row.left == 0 { String::new() } else { span(row.left) }),
            plain(harmless(&row.reason)),
        ]
    };
    let lines: Vec<_> = rows.iter().map(line).collect();
    columns(paint, &["UNIT", "ABILITY", "DOES", "HAS LEFT", "WHY"], &lines)
}

/// What a row of `ability list` says of an instance: its modes, once each.
#[must_use]
pub fn modes(unit: &str, rows: &[Task]) -> String {
    let mut modes: Vec<&str> =
        rows.iter().filter(|row| row.unit == unit).map(|row| row.mode.as_str()).collect();
    modes.dedup();
    harmless(&modes.join(", ")).into_owned()
}

/// What waits for its time.
#[must_use]
pub fn works(rows: &[Work], zone: &TimeZone, paint: Paint) -> String {
    if rows.is_empty() {
        return "No app has work that can wait.\n".to_owned();
    }
    let line = |row: &Work| -> Vec<Cell> {
        let name = format!("{}/{}", harmless(&row.bundle), harmless(&row.ability));
        let last = &row.last;
        let how = if last.well { Colour::Plain } else { Colour::Yellow };
        let when = if last.how.is_empty() { String::new() } else { at(last.at, zone) };
        vec![
            (Colour::Bold, name),
            next(row),
            plain(harmless(&row.needs.join(", "))),
            plain(when),
            (how, harmless(&last.how).into_owned()),
        ]
    };
    let lines: Vec<_> = rows.iter().map(line).collect();
    columns(paint, &["WORK", "NEXT", "NEEDS", "RAN", "AND"], &lines)
}

fn next(row: &Work) -> Cell {
    if row.running {
        return (Colour::Green, "runs".to_owned());
    }
    match row.next {
        0 if row.lacks.is_empty() => plain("soon"),
        0 => (Colour::Yellow, format!("waits for {}", harmless(&row.lacks.join(", ")))),
        u64::MAX => (Colour::Dim, "when asked".to_owned()),
        next => plain(format!("in {}", span(next))),
    }
}

/// How a run went.
#[must_use]
pub fn ran(bundle: &str, ability: &str, ran: &Ran) -> String {
    let name = format!("{}/{}", harmless(bundle), harmless(ability));
    format!("{name}: {} after {}.\n", harmless(&ran.how), span(ran.took))
}

fn at(seconds: u64, zone: &TimeZone) -> String {
    stamp(seconds.saturating_mul(MICROS), zone)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_on_says_why() {
        let row = |task: u32, mode: &str, reason: &str, left: u64| Task {
            unit: "app@org.example.music_3".into(),
            bundle: "org.example.music".into(),
            ability: "main".into(),
            task,
            mode: mode.into(),
            reason: reason.into(),
            left,
        };
        let rows = [
            row(1, "audio-playback", "Plays\u{1b} the radio", 0),
            row(7, "finishing", "Saves", 151_000_000_000),
        ];
        insta::assert_snapshot!(tasks(&rows, Paint::default()), @r"
        UNIT                     ABILITY  DOES            HAS LEFT    WHY
        app@org.example.music_3  main     audio-playback              Plays\x1b the radio
        app@org.example.music_3  main     finishing       2 min 31 s  Saves
        ");
        assert_eq!(modes("app@org.example.music_3", &rows), "audio-playback, finishing");
        assert_eq!(modes("app@org.example.mail_3", &rows), "");
        assert_eq!(tasks(&[], Paint::default()), "Nothing goes on off the screen.\n");
    }

    #[test]
    fn work_tells_when_it_runs_what_it_lacks_and_how_it_went() {
        let row = |ability: &str, next: u64, lacks: &[&str], last: Ran| Work {
            bundle: "org.example.mail".into(),
            ability: ability.into(),
            needs: vec!["network".into(), "charging".into()],
            lacks: lacks.iter().map(ToString::to_string).collect(),
            running: next == 1,
            next,
            last,
        };
        let last =
            |well, how: &str| Ran { at: 1_700_000_000, took: 3_000_000_000, well, how: how.into() };
        let rows = [
            row("sync", 5_400_000_000_000, &[], last(true, "done")),
            row("photos", 0, &["charging"], last(false, "status 1")),
            row("once", u64::MAX, &[], last(true, "done")),
            row("index", 1, &[], Ran::default()),
            row("soon", 0, &[], Ran::default()),
        ];
        insta::assert_snapshot!(works(&rows, &TimeZone::UTC, Paint::default()), @r"
        WORK                     NEXT                NEEDS              RAN              AND
        org.example.mail/sync    in 1 h 30 min       network, charging  Nov 14 22:13:20  done
        org.example.mail/photos  waits for charging  network, charging  Nov 14 22:13:20  status 1
        org.example.mail/once    when asked          network, charging  Nov 14 22:13:20  done
        org.example.mail/index   runs                network, charging
        org.example.mail/soon    soon                network, charging
        ");
        assert_eq!(ran("org.a", "b", &last(true, "done")), "org.a/b: done after 3.000 s.\n");
        assert_eq!(
            works(&[], &TimeZone::UTC, Paint::default()),
            "No app has work that can wait.\n"
        );
    }
}
