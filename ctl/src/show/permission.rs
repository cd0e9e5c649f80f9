//! `ensctl permission`, as text.

use api::permissions::{Outcome, Processes, Row, Shown, State};
use jiff::tz::TimeZone;

use super::sandbox::topics;
use super::{Cell, columns, plain};
use crate::paint::{Colour, Paint, harmless};
use crate::permission::{Decision, Verb};
use crate::time::stamp;

/// Microseconds of a second.
const MICROS: u64 = 1_000_000;

/// What services ask for; `of` names the one that was asked about.
#[must_use]
pub fn list(rows: &[Row], of: Option<&str>, zone: &TimeZone, paint: Paint) -> String {
    if rows.is_empty() {
        let who = of.map_or_else(|| "No service".to_owned(), |name| harmless(name).into_owned());
        let verb = if of.is_some() { "asks for no permission" } else { "asks for a permission" };
        return format!("{who} {verb}.\n");
    }
    let cells: Vec<Vec<Cell>> = rows.iter().map(|row| cells(row, zone)).collect();
    let heading = ["SERVICE", "PERMISSION", "STATE", "BY", "SINCE", "LETS IT"];
    let mut out = columns(paint, &heading, &cells);
    for row in rows.iter().filter(|row| !row.note.is_empty()) {
        let (service, permission) = (harmless(&row.service), harmless(&row.permission));
        paint.put(&mut out, Colour::Yellow, &format!("{service} {permission}"));
        out.push_str(&format!(": {}.\n", harmless(&row.note)));
    }
    out
}

fn cells(row: &Row, zone: &TimeZone) -> Vec<Cell> {
    let by = match row.by.as_str() {
        "owner" if row.uid > 0 => format!("user {}", row.uid),
        by => harmless(by).into_owned(),
    };
    let since =
        if row.since == 0 { String::new() } else { stamp(row.since.saturating_mul(MICROS), zone) };
    vec![
        (Colour::Bold, harmless(&row.service).into_owned()),
        plain(harmless(&row.permission)),
        (colour(row.state), row.state.word().to_owned()),
        plain(by),
        plain(since),
        plain(harmless(&row.about)),
    ]
}

fn colour(state: State) -> Colour {
    match state {
        State::Granted => Colour::Green,
        State::Asked => Colour::Yellow,
        State::Refused => Colour::Plain,
    }
}

/// What a permission gives, and to whom.
#[must_use]
pub fn one(shown: &Shown, paint: Paint) -> String {
    let Shown { name, about, level, grant, file, gives, services } = shown;
    let mut out = paint.word(Colour::Bold, &harmless(name));
    out.push_str(&format!(" lets a program {}.\n", harmless(about)));
    out.push_str(match grant.as_str() {
        "system" => "Asking for it in a definition is enough",
        _ => "The owner of the device decides",
    });
    out.push_str(&format!("; level {}; {}\n", harmless(level), harmless(file)));
    topics(gives, paint, &mut out);
    out.push('\n');
    paint.put(&mut out, Colour::Bold, "services");
    out.push('\n');
    if services.is_empty() {
        out.push_str("  None asks for it.\n");
    }
    for row in services {
        let state = match (row.state, row.by.as_str()) {
            (State::Granted, "definition") => "has it by its definition",
            (State::Granted, _) => "was granted it",
            (State::Asked, _) => "asks for it",
            (State::Refused, _) => "was refused it",
        };
        let note = if row.note.is_empty() { String::new() } else { format!(": {}", row.note) };
        out.push_str(&format!("  {} {state}{}\n", harmless(&row.service), harmless(&note)));
    }
    out
}

/// What came of a decision, or would.
#[must_use]
pub fn outcome(decision: &Decision, outcome: &Outcome) -> String {
    let Decision { verb, service, permission, dry_run } = decision;
    let (service, what) = (harmless(service), harmless(permission));
    let mut out = match (verb, outcome.changed, dry_run) {
        (Verb::Grant(_), false, _) => format!("{service} has {what} already.\n"),
        (Verb::Revoke(_), false, _) => format!("{service} is refused {what} already.\n"),
        (Verb::Reset, false, _) => format!("Nothing is decided about {service}.\n"),
        (Verb::Grant(_), _, true) => format!("{service} would be granted {what}.\n"),
        (Verb::Revoke(_), _, true) => format!("{service} would be refused {what}.\n"),
        (Verb::Reset, _, true) => format!("All decisions about {service} would be forgotten.\n"),
        (Verb::Grant(_), ..) => format!("{service} is granted {what}.\n"),
        (Verb::Revoke(_), ..) => format!("{service} is refused {what}.\n"),
        (Verb::Reset, ..) => format!("All decisions about {service} are forgotten.\n"),
    };
    if *dry_run {
        let sign = if matches!(verb, Verb::Grant(_)) { '+' } else { '-' };
        for fact in &outcome.kernel {
            out.push_str(&format!("  {sign} {}\n", harmless(fact)));
        }
        for fact in &outcome.bus {
            out.push_str(&format!("  {sign} bus {}\n", harmless(fact)));
        }
    }
    let processes = match (outcome.processes, dry_run) {
        (Processes::None, _) => String::new(),
        (Processes::NextStart, _) => format!(
            "It runs: its sandbox is another one from its next start on: `ensctl service restart {service}`.\n"
        ),
        (Processes::Restart, true) => "It would be restarted.\n".to_owned(),
        (Processes::Restart, false) => "It was restarted.\n".to_owned(),
        (Processes::Kill, true) => {
            "Its processes would be killed at once, and it would start again.\n".to_owned()
        }
        (Processes::Kill, false) => "Its processes were killed, and it starts again.\n".to_owned(),
    };
    out.push_str(&processes);
    for note in &outcome.notes {
        let mut letters = note.chars();
        let first = letters.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
        out.push_str(&format!("{first}{}.\n", harmless(letters.as_str())));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use api::sandbox::{Place, Sentence, Value};

    fn row(service: &str, state: State, by: &str) -> Row {
        Row {
            service: service.into(),
            permission: "camera".into(),
            about: "take pictures".into(),
            state,
            by: by.into(),
            uid: 0,
            since: if by == "owner" { 1_769_862_600 } else { 0 },
            note: String::new(),
        }
    }

    #[test]
    fn a_list_says_who_has_what_by_whom_and_what_is_odd() {
        let odd = Row {
            note: "it counts at its next start".into(),
            ..row("ear", State::Granted, "owner")
        };
        let rows = [odd, row("eye", State::Asked, ""), row("lens", State::Granted, "definition")];
        insta::assert_snapshot!(list(&rows, None, &TimeZone::UTC, Paint::default()), @r"
        SERVICE  PERMISSION  STATE    BY          SINCE            LETS IT
        ear      camera      granted  owner       Jan 31 12:30:00  take pictures
        eye      camera      asked                                 take pictures
        lens     camera      granted  definition                   take pictures
        ear camera: it counts at its next start.
        ");
        let none = |of| list(&[], of, &TimeZone::UTC, Paint::default());
        assert_eq!(none(None), "No service asks for a permission.\n");
        assert_eq!(none(Some("web")), "web asks for no permission.\n");
    }

    #[test]
    fn a_permission_says_what_it_gives_and_who_has_it() {
        let value = Value {
            text: "video0".into(),
            places: vec![Place { file: "/usr/lib/p/camera.toml".into(), line: 4 }],
        };
        let gives = Sentence {
            topic: "files".into(),
            text: "It has the devices:".into(),
            values: vec![value],
        };
        let shown = Shown {
            name: "camera".into(),
            about: "take pictures".into(),
            level: "normal".into(),
            grant: "user".into(),
            file: "/usr/lib/p/camera.toml".into(),
            gives: vec![gives],
            services: vec![row("eye", State::Refused, "owner")],
        };
        insta::assert_snapshot!(one(&shown, Paint::default()), @r"
        camera lets a program take pictures.
        The owner of the device decides; level normal; /usr/lib/p/camera.toml

        files
          It has the devices:
            video0  /usr/lib/p/camera.toml:4

        services
          eye was refused it
        ");
    }

    #[test]
    fn a_decision_says_what_changes_and_what_becomes_of_the_processes() {
        let decision = |verb, dry_run| Decision {
            verb,
            service: "eye".into(),
            permission: "camera".into(),
            dry_run,
        };
        let came = |processes| Outcome {
            changed: true,
            kernel: vec!["files.devices video0".into()],
            bus: vec!["talk org.example.Cam".into()],
            processes,
            notes: vec!["the bus is slow".into()],
        };
        let all = [
            outcome(&decision(Verb::Grant(false), true), &came(Processes::NextStart)),
            outcome(&decision(Verb::Grant(true), false), &came(Processes::Restart)),
            outcome(&decision(Verb::Revoke(false), true), &came(Processes::Kill)),
            outcome(&decision(Verb::Revoke(false), false), &Outcome::default()),
            outcome(
                &decision(Verb::Reset, false),
                &Outcome { changed: true, ..Outcome::default() },
            ),
        ];
        insta::assert_snapshot!(all.join("\n"), @r"
        eye would be granted camera.
          + files.devices video0
          + bus talk org.example.Cam
        It runs: its sandbox is another one from its next start on: `ensctl service restart eye`.
        The bus is slow.

        eye is granted camera.
        It was restarted.
        The bus is slow.

        eye would be refused camera.
          - files.devices video0
          - bus talk org.example.Cam
        Its processes would be killed at once, and it would start again.
        The bus is slow.

        eye is refused camera already.

        All decisions about eye are forgotten.
        ");
    }
}
