//! `ensctl ability`, as text.

use api::abilities::{Candidate, Instance, Mission, Started, State};
use api::background::Task;

use super::background::modes;
use super::{Cell, bytes, columns, plain};
use crate::paint::{Colour, Paint, harmless};

/// What runs of apps.
#[must_use]
pub fn instances(rows: &[Instance], tasks: &[Task], paint: Paint) -> String {
    if rows.is_empty() {
        return "No app runs.\n".to_owned();
    }
    let line = |row: &Instance| -> Vec<Cell> {
        vec![
            (Colour::Bold, harmless(&row.unit).into_owned()),
            (colour(row.state), row.state.word().to_owned()),
            plain(harmless(&row.bundle)),
            plain(harmless(&row.ability)),
            plain(harmless(&row.kind)),
            plain(number(row.mission)),
            plain(number(row.connections)),
            plain(modes(&row.unit, tasks)),
        ]
    };
    let lines: Vec<_> = rows.iter().map(line).collect();
    let heading = ["UNIT", "STATE", "APP", "ABILITY", "KIND", "MISSION", "CONNECTIONS", "GOES ON"];
    columns(paint, &heading, &lines)
}

fn colour(state: State) -> Colour {
    match state {
        State::Foreground | State::Active => Colour::Green,
        State::Loading | State::Foregrounding | State::Backgrounding | State::Terminating => {
            Colour::Yellow
        }
        State::Inactive | State::Background => Colour::Plain,
        State::Frozen => Colour::Dim,
    }
}

/// What can be gone back to.
#[must_use]
pub fn missions(rows: &[Mission], paint: Paint) -> String {
    if rows.is_empty() {
        return "Nothing was opened.\n".to_owned();
    }
    let line = |row: &Mission| -> Vec<Cell> {
        vec![
            (Colour::Bold, row.id.to_string()),
            plain(harmless(&row.label)),
            plain(harmless(&row.bundle)),
            plain(harmless(&row.ability)),
            plain(harmless(&row.unit)),
            plain(if row.saved == 0 { String::new() } else { bytes(row.saved.into()) }),
            plain(harmless(&row.exit)),
        ]
    };
    let lines: Vec<_> = rows.iter().map(line).collect();
    let heading = ["MISSION", "LABEL", "APP", "ABILITY", "RUNS AS", "SAVED", "ENDED BY"];
    columns(paint, &heading, &lines)
}

/// What was started.
#[must_use]
pub fn started(started: &Started) -> String {
    let Started { unit, bundle, ability, mission, again } = started;
    let (unit, bundle, ability) = (harmless(unit), harmless(bundle), harmless(ability));
    let verb = if *again { "is there already, as" } else { "runs as" };
    let mission = if *mission == 0 { String::new() } else { format!(", mission {mission}") };
    format!("{bundle}/{ability} {verb} {unit}{mission}.\n")
}

/// What can do something.
#[must_use]
pub fn candidates(rows: &[Candidate], paint: Paint) -> String {
    if rows.is_empty() {
        return "No app can do that.\n".to_owned();
    }
    let line = |row: &Candidate| {
        let name = format!("{}/{}", harmless(&row.bundle), harmless(&row.ability));
        vec![(Colour::Bold, name), plain(harmless(&row.label))]
    };
    let lines: Vec<_> = rows.iter().map(line).collect();
    columns(paint, &["ABILITY", "LABEL"], &lines)
}

/// The same with numbers, to choose by.
#[must_use]
pub fn numbered(rows: &[Candidate]) -> String {
    let line = |(at, row): (usize, &Candidate)| {
        let Candidate { bundle, ability, label } = row;
        let name = format!("{}/{}", harmless(bundle), harmless(ability));
        format!("{}  {name}  {}\n", at + 1, harmless(label))
    };
    rows.iter().enumerate().map(line).collect()
}

/// Lines from outside.
#[must_use]
pub fn lines(text: &str) -> String {
    text.lines().map(|line| format!("{}\n", harmless(line))).collect()
}

fn number(n: u32) -> String {
    if n == 0 { String::new() } else { n.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runs_is_a_table() {
        let row = Instance {
            unit: "app@org.example.notes_3".into(),
            bundle: "org.example.notes".into(),
            ability: "main".into(),
            kind: "page".into(),
            state: State::Foreground,
            mission: 2,
            since: 1,
            connections: 0,
        };
        let task = Task {
            unit: row.unit.clone(),
            bundle: row.bundle.clone(),
            ability: row.ability.clone(),
            task: 1,
            mode: "audio-playback".into(),
            reason: "Reads aloud".into(),
            left: 0,
        };
        let text = instances(&[row], &[task], Paint::default());
        insta::assert_snapshot!(text, @r"
        UNIT                     STATE       APP                ABILITY  KIND  MISSION  CONNECTIONS  GOES ON
        app@org.example.notes_3  foreground  org.example.notes  main     page  2                     audio-playback
        ");
        assert_eq!(instances(&[], &[], Paint::default()), "No app runs.\n");
    }

    #[test]
    fn missions_tell_what_they_will_find_again() {
        let row = Mission {
            id: 2,
            bundle: "org.example.notes".into(),
            ability: "main".into(),
            label: "No\u{1b}tes".into(),
            unit: String::new(),
            used: 0,
            saved: 1536,
            exit: "lifecycle-timeout".into(),
        };
        insta::assert_snapshot!(missions(&[row], Paint::default()), @r"
        MISSION  LABEL      APP                ABILITY  RUNS AS  SAVED    ENDED BY
        2        No\x1btes  org.example.notes  main              1.5 KiB  lifecycle-timeout
        ");
    }

    #[test]
    fn what_was_started_is_a_sentence() {
        let mut was = Started {
            unit: "app@org.a_1".into(),
            bundle: "org.a".into(),
            ability: "main".into(),
            mission: 4,
            again: false,
        };
        assert_eq!(started(&was), "org.a/main runs as app@org.a_1, mission 4.\n");
        (was.mission, was.again) = (0, true);
        assert_eq!(started(&was), "org.a/main is there already, as app@org.a_1.\n");
    }
}
