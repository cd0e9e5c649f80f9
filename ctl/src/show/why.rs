//! `ensctl service why`, `--dry-run` and `ensctl reload`: reasons and consequences.

use api::services::{Change, Transaction, Why};

use super::columns;
use super::plain;
use super::services::colour;
use crate::paint::{Colour, Paint, harmless};
use crate::time::span;

/// Why a service is where it is. `uptime` is the time since PID 1 began.
#[must_use]
pub fn why(why: &Why, uptime: u64, paint: Paint) -> String {
    let row = &why.row;
    let mut out = paint.word(Colour::Bold, &harmless(&row.name));
    out.push_str(" is ");
    paint.put(&mut out, colour(row.state), row.state.word());
    if row.since > 0 {
        out.push_str(&format!(" for {}", span(uptime.saturating_sub(row.since))));
    }
    if !row.reason.is_empty() {
        out.push_str(&format!(": {}", harmless(&row.reason)));
    }
    out.push('\n');
    for hold in &why.held_by {
        let mut text = String::new();
        if hold.name == row.name {
            text.push_str(&harmless(&hold.what));
        } else {
            text.push_str(&format!("{}: {}", harmless(&hold.name), harmless(&hold.what)));
        }
        if hold.since > 0 {
            text.push_str(&format!(", since {}", span(uptime.saturating_sub(hold.since))));
        }
        if hold.until > 0 {
            text.push_str(&format!(
                ", for {} more at most",
                span(hold.until.saturating_sub(uptime))
            ));
        }
        fact(&mut out, paint, "waits for", &text);
    }
    let by: Vec<_> = why.started_by.iter().map(|by| harmless(by)).collect();
    let wanted: Vec<_> = why.wanted_by.iter().map(|by| harmless(by)).collect();
    let pulled = match (by.is_empty(), wanted.is_empty()) {
        (true, true) => "nobody".to_owned(),
        (true, false) => wanted.join(", "),
        (false, true) => by.join(", "),
        (false, false) => format!("{}, {}", by.join(", "), wanted.join(", ")),
    };
    fact(&mut out, paint, "wanted by", &pulled);
    // A service that has failed says it in its first line.
    if !why.last_exit.is_empty() && why.last_exit != row.reason {
        fact(&mut out, paint, "last exit", &harmless(&why.last_exit));
    }
    out
}

fn fact(out: &mut String, paint: Paint, name: &str, value: &str) {
    paint.put(out, Colour::Dim, &format!("  {name:<10}"));
    out.push_str(value);
    out.push('\n');
}

/// What a request would do.
#[must_use]
pub fn rehearsal(transaction: &Transaction, paint: Paint) -> String {
    let Transaction { stop, start } = transaction;
    if stop.is_empty() && start.is_empty() {
        return "Nothing would change.\n".to_owned();
    }
    let mut out = String::new();
    for (colour, word, names) in [(Colour::Yellow, "stop", stop), (Colour::Green, "start", start)] {
        for name in names {
            paint.put(&mut out, colour, &format!("{word:<6}"));
            out.push_str(&harmless(name));
            out.push('\n');
        }
    }
    out
}

/// What new definitions change.
#[must_use]
pub fn changes(changes: &[Change], rehearsed: bool, paint: Paint) -> String {
    if changes.is_empty() {
        return "Nothing has changed.\n".to_owned();
    }
    let row = |change: &Change| {
        let effect = match (change.effect.as_str(), rehearsed) {
            ("", _) => String::new(),
            (effect, false) => effect.to_owned(),
            (effect, true) => format!("would {}", effect.trim_end_matches('s')),
        };
        vec![
            (Colour::Bold, harmless(&change.name).into_owned()),
            plain(harmless(&change.what)),
            plain(effect),
        ]
    };
    let rows: Vec<_> = changes.iter().map(row).collect();
    columns(paint, &["NAME", "DEFINITION", "EFFECT"], &rows)
}

#[cfg(test)]
mod tests {
    use api::services::{Hold, State};

    use super::*;
    use crate::show::services::tests::row;

    #[test]
    fn what_holds_a_service_up_is_told_with_how_long() {
        let asked = Why {
            row: api::services::Row { since: 1_000_000_000, ..row("app", State::Waiting) },
            held_by: vec![Hold {
                name: "db".into(),
                what: "is starting: it has not said READY=1".into(),
                since: 2_000_000_000,
                until: 31_000_000_000,
            }],
            wanted_by: vec!["desk".into()],
            started_by: vec!["boot".into()],
            last_exit: "killed: permission door was revoked".into(),
        };
        insta::assert_snapshot!(why(&asked, 11_000_000_000, Paint::default()), @r"
        app is waiting for 10.000 s
          waits for db: is starting: it has not said READY=1, since 9.000 s, for 20.000 s more at most
          wanted by boot, desk
          last exit killed: permission door was revoked
        ");
    }

    #[test]
    fn consequences_are_in_order() {
        let t = Transaction { stop: vec!["b".into(), "a".into()], start: vec!["c".into()] };
        assert_eq!(rehearsal(&t, Paint::default()), "stop  b\nstop  a\nstart c\n");
        let change =
            Change { name: "web".into(), what: "changed".into(), effect: "restarts".into() };
        insta::assert_snapshot!(changes(&[change], true, Paint::default()), @r"
        NAME  DEFINITION  EFFECT
        web   changed     would restart
        ");
    }
}
