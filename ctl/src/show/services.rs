//! `ensctl service list` and `ensctl service status`.

use std::borrow::Cow;

use api::services::{Row, State, Status};

use super::{bytes, columns, plain};
use crate::paint::{Colour, Paint, harmless};
use crate::time::span;

/// How a state stands out.
#[must_use]
pub fn colour(state: State) -> Colour {
    match state {
        State::Ready | State::Done | State::Reloading | State::Skipped => Colour::Green,
        State::Waiting | State::Starting | State::Stopping | State::Backoff | State::Frozen => {
            Colour::Yellow
        }
        State::Failed => Colour::Red,
        State::Off | State::Armed => Colour::Dim,
    }
}

/// Whether a service does what it is there for: it runs, or will when somebody needs it.
#[must_use]
pub fn is_well(state: State) -> bool {
    use State::{Armed, Done, Ready, Reloading, Skipped};
    matches!(state, Ready | Done | Reloading | Skipped | Armed)
}

/// All services, a line each; why one is not well stands in its last column.
#[must_use]
pub fn list(rows: &[Row], paint: Paint) -> String {
    if rows.is_empty() {
        return "This device has no services.\n".to_owned();
    }
    let line = |row: &Row| {
        let text = if row.reason.is_empty() { &row.about } else { &row.reason };
        vec![
            (Colour::Bold, harmless(&row.name).into_owned()),
            (colour(row.state), row.state.word().to_owned()),
            plain(if row.enabled { "boot" } else { "" }),
            plain(if row.pid == 0 { String::new() } else { row.pid.to_string() }),
            plain(if row.restarts == 0 { String::new() } else { row.restarts.to_string() }),
            plain(harmless(text)),
        ]
    };
    let lines: Vec<_> = rows.iter().map(line).collect();
    columns(paint, &["NAME", "STATE", "STARTS AT", "PID", "RESTARTS", "ABOUT"], &lines)
}

/// One service in full. `uptime` is the time since PID 1 began.
#[must_use]
pub fn status(status: &Status, uptime: u64, paint: Paint) -> String {
    let row = &status.row;
    let mut out = paint.word(Colour::Bold, &harmless(&row.name));
    if !row.about.is_empty() {
        out.push_str(&format!(": {}", harmless(&row.about)));
    }
    out.push('\n');
    let mut state = paint.word(colour(row.state), row.state.word());
    if row.since > 0 {
        state.push_str(&format!(" for {}", span(uptime.saturating_sub(row.since))));
    }
    if !row.reason.is_empty() {
        state.push_str(&format!(": {}", harmless(&row.reason)));
    }
    let pids = || status.pids.iter().map(i32::to_string).collect::<Vec<_>>().join(" ");
    let process = match (row.pid, status.pids.len()) {
        (0, 0) => String::new(),
        (0, _) => pids(),
        (main, 0 | 1) => main.to_string(),
        (main, _) => format!("{main} (all: {})", pids()),
    };
    let some = |n: u64, shown: String| if n == 0 { String::new() } else { shown };
    let at_boot = if row.enabled { "yes" } else { "only when asked for or needed" };
    let facts = status.facts.iter().map(|f| (harmless(&f.about), harmless(&f.value).into_owned()));
    let own = [
        ("state", state),
        ("says", harmless(&status.text).into_owned()),
        ("process", process),
        ("last exit", harmless(&status.last_exit).into_owned()),
        ("restarts", some(row.restarts.into(), row.restarts.to_string())),
        ("memory", some(status.memory, bytes(status.memory))),
        ("cpu", some(status.cpu, span(status.cpu.saturating_mul(1000)))),
        ("at boot", at_boot.to_owned()),
        ("type", harmless(&status.kind).into_owned()),
        ("exec", harmless(&status.exec.join(" ")).into_owned()),
        ("user", harmless(&status.user).into_owned()),
        ("requires", harmless(&status.requires.join(" ")).into_owned()),
        ("wants", harmless(&status.wants.join(" ")).into_owned()),
        ("after", harmless(&status.after.join(" ")).into_owned()),
        ("needed by", harmless(&status.required_by.join(" ")).into_owned()),
    ];
    let own = own.into_iter().map(|(name, value)| (Cow::from(name), value));
    for (name, value) in own.chain(facts) {
        if !value.is_empty() {
            paint.put(&mut out, Colour::Dim, &format!("  {name:<10}"));
            out.push_str(&value);
            out.push('\n');
        }
    }
    out
}

#[cfg(test)]
pub(crate) mod tests {
    use api::services::Fact;

    use super::*;

    pub(crate) fn row(name: &str, state: State) -> Row {
        Row {
            name: name.into(),
            about: format!("What {name} is for"),
            state,
            enabled: true,
            pid: 0,
            since: 0,
            restarts: 0,
            reason: String::new(),
        }
    }

    #[test]
    fn the_list_shows_what_is_wrong_where_it_is() {
        let rows = [
            Row { pid: 42, since: 1, ..row("journal", State::Ready) },
            Row { enabled: false, ..row("off", State::Off) },
            Row {
                restarts: 4,
                reason: "exit status 3; given up after 5 starts in 1 min\n\x1b[1m".into(),
                ..row("web", State::Failed)
            },
        ];
        insta::assert_snapshot!(list(&rows, Paint::default()), @r#"
        NAME     STATE   STARTS AT  PID  RESTARTS  ABOUT
        journal  ready   boot       42             What journal is for
        off      off                               What off is for
        web      failed  boot            4         exit status 3; given up after 5 starts in 1 min\n\x1b[1m
        "#);
        insta::assert_snapshot!(list(&[], Paint::default()), @r#"This device has no services."#);
        let one = list(&rows[..1], Paint { colour: true, terminal: true });
        insta::assert_snapshot!(one.replace('\x1b', "^"), @r#"
        ^[2mNAME^[0m     ^[2mSTATE^[0m  ^[2mSTARTS AT^[0m  ^[2mPID^[0m  ^[2mRESTARTS^[0m  ^[2mABOUT^[0m
        ^[1mjournal^[0m  ^[32mready^[0m  boot       42             What journal is for
        "#);
    }

    #[test]
    fn a_service_is_told_in_full_and_what_is_empty_is_left_out() {
        let full = Status {
            row: Row { pid: 42, since: 1_000_000_000, restarts: 1, ..row("web", State::Ready) },
            kind: "notify".into(),
            exec: vec!["/usr/bin/webd".into(), "--port".into(), "80".into()],
            user: "web".into(),
            requires: vec!["network".into(), "journal".into()],
            wants: vec![],
            after: vec!["time".into()],
            required_by: vec!["shop".into()],
            text: "3 clients".into(),
            last_exit: "exit status 3".into(),
            last_signal: 0,
            pids: vec![42, 43],
            memory: 5 << 20,
            cpu: 12_345_678,
            facts: vec![Fact { about: "watchdog".into(), value: "every 30 s".into() }],
        };
        insta::assert_snapshot!(status(&full, 64_000_000_000, Paint::default()), @r#"
        web: What web is for
          state     ready for 1 min 3 s
          says      3 clients
          process   42 (all: 42 43)
          last exit exit status 3
          restarts  1
          memory    5.0 MiB
          cpu       12.345 s
          at boot   yes
          type      notify
          exec      /usr/bin/webd --port 80
          user      web
          requires  network journal
          after     time
          needed by shop
          watchdog  every 30 s
        "#);
        let bare = Status {
            row: Row { reason: "its program is missing".into(), ..row("tv", State::Failed) },
            kind: "simple".into(),
            exec: vec!["/usr/bin/tv".into()],
            user: "root".into(),
            requires: vec![],
            wants: vec![],
            after: vec![],
            required_by: vec![],
            text: String::new(),
            last_exit: String::new(),
            last_signal: 0,
            pids: vec![],
            memory: 0,
            cpu: 0,
            facts: vec![],
        };
        insta::assert_snapshot!(status(&bare, 64_000_000_000, Paint::default()), @r#"
        tv: What tv is for
          state     failed: its program is missing
          at boot   yes
          type      simple
          exec      /usr/bin/tv
          user      root
        "#);
    }
}
