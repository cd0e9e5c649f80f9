//! `ensctl app`, as text.

use std::fmt::Write;

use api::abilities::{Bundle, BundleInfo, Installed, Permission};
use jiff::tz::TimeZone;

use super::{Cell, bytes, columns, plain};
use crate::paint::{Colour, Paint, harmless};
use crate::time::stamp;

/// The kind of bundle that has abilities.
const APP: &str = "app";

/// Microseconds of a second.
const MICROS: u64 = 1_000_000;

/// All apps.
#[must_use]
pub fn list(rows: &[Bundle], paint: Paint) -> String {
    if rows.is_empty() {
        return "No app is installed.\n".to_owned();
    }
    // Of apps alone it need not be said.
    let kinds = rows.iter().any(|row| row.kind != APP);
    let line = |row: &Bundle| -> Vec<Cell> {
        let kind = kinds.then(|| plain(harmless(&row.kind)));
        let begin = [(Colour::Bold, harmless(&row.id).into_owned()), plain(harmless(&row.version))];
        let end = [
            plain(harmless(&row.name)),
            plain(harmless(&row.origin)),
            plain(bytes(row.size)),
            plain(harmless(&row.about)),
        ];
        begin.into_iter().chain(kind).chain(end).collect()
    };
    let lines: Vec<_> = rows.iter().map(line).collect();
    let end = ["NAME", "FROM", "SIZE", "ABOUT"];
    let heads: Vec<&str> =
        ["ID", "VERSION"].into_iter().chain(kinds.then_some("KIND")).chain(end).collect();
    columns(paint, &heads, &lines)
}

/// One app in full.
#[must_use]
pub fn one(info: &BundleInfo, zone: &TimeZone, paint: Paint) -> String {
    let BundleInfo { row, abilities, permissions, previous, facts } = info;
    let mut out = paint.word(Colour::Bold, &harmless(&row.name));
    let _ = writeln!(out, ": {}", harmless(&row.about));
    let mut all = vec![
        ("id", row.id.clone()),
        ("version", row.version.clone()),
        ("from", row.origin.clone()),
        ("kind", row.kind.clone()),
        ("size", bytes(row.size)),
        ("user", row.uid.to_string()),
    ];
    if !previous.is_empty() {
        all.push(("before", format!("{previous}; `ensctl app rollback {}` goes back", row.id)));
    }
    all.extend(facts.iter().map(|fact| (fact.about.as_str(), fact.value.clone())));
    let width = all.iter().map(|(about, _)| about.chars().count()).max().unwrap_or_default();
    for (about, value) in all {
        let about = harmless(about);
        let _ = writeln!(out, "  {about:width$}  {}", harmless(&value));
    }
    for (name, kind, launch, answers) in abilities {
        out.push('\n');
        paint.put(&mut out, Colour::Bold, &format!("ability {}", harmless(name)));
        let _ = writeln!(out, ": {}, {}", harmless(kind), harmless(launch));
        for answer in answers {
            let _ = writeln!(out, "  {}", harmless(answer));
        }
    }
    if !permissions.is_empty() {
        out.push('\n');
        out.push_str(&self::permissions(permissions, false, zone, paint));
    }
    out
}

/// What apps ask for, or wait for.
#[must_use]
pub fn permissions(rows: &[Permission], pending: bool, zone: &TimeZone, paint: Paint) -> String {
    if rows.is_empty() {
        let what =
            if pending { "No app waits for an answer" } else { "No permission is asked for" };
        return format!("{what}.\n");
    }
    let line = |row: &Permission| -> Vec<Cell> {
        let since = row.since.saturating_mul(MICROS);
        vec![
            (Colour::Bold, harmless(&row.bundle).into_owned()),
            plain(harmless(&row.permission)),
            (colour(&row.state), harmless(&row.state).into_owned()),
            plain(harmless(&row.by)),
            plain(if since == 0 { String::new() } else { stamp(since, zone) }),
            plain(harmless(&row.about)),
            plain(harmless(&row.reason)),
        ]
    };
    let lines: Vec<_> = rows.iter().map(line).collect();
    columns(paint, &["APP", "PERMISSION", "STATE", "BY", "SINCE", "LETS IT", "IT SAYS"], &lines)
}

fn colour(state: &str) -> Colour {
    match state {
        "granted" | "this-time" => Colour::Green,
        "asked" | "pending" => Colour::Yellow,
        _ => Colour::Plain,
    }
}

/// What was installed.
#[must_use]
pub fn installed(installed: &Installed) -> String {
    let Installed { row, before, notes } = installed;
    let (name, version, id) = (harmless(&row.name), harmless(&row.version), harmless(&row.id));
    let before =
        if before.is_empty() { String::new() } else { format!(", it was {}", harmless(before)) };
    let mut out = format!("{name} {version} is installed as {id}{before}.\n");
    out.push_str(&sentences(notes));
    out
}

/// Sentences without a full stop, a line each.
#[must_use]
pub fn sentences(all: &[String]) -> String {
    all.iter()
        .map(|text| {
            let text = harmless(text);
            let mut letters = text.chars();
            let first = letters.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
            format!("{first}{}.\n", letters.as_str())
        })
        .collect()
}

/// Whom the device trusts.
#[must_use]
pub fn keys(all: &[(String, String)], paint: Paint) -> String {
    if all.is_empty() {
        return "No key is trusted: only apps of the image run.\n".to_owned();
    }
    let line = |(key, from): &(String, String)| vec![plain(harmless(key)), plain(harmless(from))];
    let lines: Vec<_> = all.iter().map(line).collect();
    columns(paint, &["KEY", "FROM"], &lines)
}

#[cfg(test)]
mod tests {
    use api::services::Fact;

    use super::*;

    fn bundle() -> Bundle {
        Bundle {
            id: "org.example.notes".into(),
            version: "1.2.0".into(),
            name: "Notes".into(),
            about: "Notes that stay".into(),
            origin: "installed".into(),
            size: 20_480,
            uid: 10_003,
            kind: APP.into(),
        }
    }

    fn permission() -> Permission {
        Permission {
            bundle: "org.example.notes".into(),
            permission: "internet".into(),
            about: "reach the internet".into(),
            reason: "to sync".into(),
            state: "granted".into(),
            by: "owner".into(),
            since: 1_769_862_000,
        }
    }

    #[test]
    fn apps_are_a_table() {
        insta::assert_snapshot!(list(&[bundle()], Paint::default()), @r"
        ID                 VERSION  NAME   FROM       SIZE      ABOUT
        org.example.notes  1.2.0    Notes  installed  20.0 KiB  Notes that stay
        ");
        let runtime = Bundle {
            id: "org.example.python".into(),
            name: "Python".into(),
            kind: "runtime".into(),
            ..bundle()
        };
        insta::assert_snapshot!(list(&[bundle(), runtime], Paint::default()), @r"
        ID                  VERSION  KIND     NAME    FROM       SIZE      ABOUT
        org.example.notes   1.2.0    app      Notes   installed  20.0 KiB  Notes that stay
        org.example.python  1.2.0    runtime  Python  installed  20.0 KiB  Notes that stay
        ");
        assert_eq!(list(&[], Paint::default()), "No app is installed.\n");
    }

    #[test]
    fn one_app_is_told_in_full() {
        let answers = vec!["views text/plain".to_owned()];
        let info = BundleInfo {
            row: bundle(),
            abilities: vec![("main".into(), "page".into(), "singleton".into(), answers)],
            permissions: vec![permission()],
            previous: "1.1.0".into(),
            facts: vec![Fact { about: "integrity".into(), value: "checked at each read".into() }],
        };
        insta::assert_snapshot!(one(&info, &TimeZone::UTC, Paint::default()), @r"
        Notes: Notes that stay
          id         org.example.notes
          version    1.2.0
          from       installed
          kind       app
          size       20.0 KiB
          user       10003
          before     1.1.0; `ensctl app rollback org.example.notes` goes back
          integrity  checked at each read

        ability main: page, singleton
          views text/plain

        APP                PERMISSION  STATE    BY     SINCE            LETS IT             IT SAYS
        org.example.notes  internet    granted  owner  Jan 31 12:20:00  reach the internet  to sync
        ");
    }

    #[test]
    fn what_was_installed_is_told_in_sentences() {
        let mut was = Installed { row: bundle(), before: String::new(), notes: vec![] };
        assert_eq!(installed(&was), "Notes 1.2.0 is installed as org.example.notes.\n");
        was.before = "1.1.0".into();
        was.notes = vec!["two instances were ended".into()];
        insta::assert_snapshot!(installed(&was), @r"
        Notes 1.2.0 is installed as org.example.notes, it was 1.1.0.
        Two instances were ended.
        ");
    }
}
