//! `ensctl permission log`, as text.

use api::abilities::{PermissionEvent, PermissionLog, PermissionUse};
use jiff::tz::TimeZone;

use super::{Cell, columns, plain};
use crate::paint::{Colour, Paint, harmless};
use crate::time::stamp;

/// Microseconds of a second.
const MICROS: u64 = 1_000_000;

/// What was used, the last used first, and what was decided.
#[must_use]
pub fn log(log: &PermissionLog, zone: &TimeZone, paint: Paint) -> String {
    let mut uses: Vec<&PermissionUse> = log.uses.iter().collect();
    uses.sort_by_key(|used| std::cmp::Reverse((used.now, used.last)));
    let mut out = if uses.is_empty() {
        "Nothing was used.\n".to_owned()
    } else {
        let lines: Vec<_> = uses.into_iter().map(|one| used(one, zone)).collect();
        let heading = ["APP", "PERMISSION", "TIMES", "LAST", "BY", "FIRST", "LETS IT"];
        columns(paint, &heading, &lines)
    };
    if !log.events.is_empty() {
        out.push('\n');
        let lines: Vec<_> = log.events.iter().map(|one| decided(one, zone)).collect();
        out.push_str(&columns(paint, &["WHEN", "APP", "PERMISSION", "WAS"], &lines));
    }
    out
}

fn used(one: &PermissionUse, zone: &TimeZone) -> Vec<Cell> {
    let last = when(one.last, zone);
    let last = if one.now { (Colour::Green, format!("now, since {last}")) } else { plain(last) };
    vec![
        (Colour::Bold, harmless(&one.bundle).into_owned()),
        plain(harmless(&one.permission)),
        plain(one.times.to_string()),
        last,
        plain(format!("{} {}", harmless(&one.ability), harmless(&one.how))),
        plain(when(one.first, zone)),
        plain(harmless(&one.about)),
    ]
}

fn decided(one: &PermissionEvent, zone: &TimeZone) -> Vec<Cell> {
    vec![
        plain(when(one.at, zone)),
        (Colour::Bold, harmless(&one.bundle).into_owned()),
        plain(harmless(&one.permission)),
        plain(harmless(&one.what)),
    ]
}

fn when(seconds: u64, zone: &TimeZone) -> String {
    stamp(seconds.saturating_mul(MICROS), zone)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_use_comes_first_then_what_was_used_last() {
        let one = |bundle: &str, last, now| PermissionUse {
            bundle: bundle.into(),
            permission: "camera".into(),
            about: "take pictures and video".into(),
            times: 12,
            first: 1_769_862_600,
            last,
            ability: "main".into(),
            how: "started".into(),
            now,
        };
        let events = vec![PermissionEvent {
            at: 1_769_862_600,
            bundle: "org.example.eye".into(),
            permission: "camera".into(),
            what: "allowed this time".into(),
        }];
        let uses = vec![
            one("org.example.old", 1_769_862_700, false),
            one("org.example.eye", 1_769_862_600, true),
            one("org.example.new", 1_769_862_900, false),
        ];
        let shown = log(&PermissionLog { uses, events }, &TimeZone::UTC, Paint::default());
        insta::assert_snapshot!(shown, @r"
        APP              PERMISSION  TIMES  LAST                        BY            FIRST            LETS IT
        org.example.eye  camera      12     now, since Jan 31 12:30:00  main started  Jan 31 12:30:00  take pictures and video
        org.example.new  camera      12     Jan 31 12:35:00             main started  Jan 31 12:30:00  take pictures and video
        org.example.old  camera      12     Jan 31 12:31:40             main started  Jan 31 12:30:00  take pictures and video

        WHEN             APP              PERMISSION  WAS
        Jan 31 12:30:00  org.example.eye  camera      allowed this time
        ");
        let none = log(&PermissionLog::default(), &TimeZone::UTC, Paint::default());
        assert_eq!(none, "Nothing was used.\n");
    }
}
