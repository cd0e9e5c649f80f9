//! `ensctl sandbox score`, as text.

use std::fmt::Write;

use crate::paint::{Colour, Paint, harmless};
use crate::score::{Attack, GROUPS, Score, Verdict};

/// The score: in a sentence, what got through, a table of groups, what was different.
#[must_use]
pub fn score(score: &Score, verbose: bool, paint: Paint) -> String {
    let mut out = sentence(score, paint);
    for attack in score.attacks.iter().filter(|a| a.verdict == Verdict::Through) {
        through(attack, score.service, paint, &mut out);
    }
    if verbose {
        others(score, &mut out);
    }
    table(score, paint, &mut out);
    let user = harmless(&score.user);
    let _ = writeln!(out, "\nThe attacks ran as {user}. What was different from the real start:");
    let program = "it was /usr/lib/ensemble/attacks instead of its own program".to_owned();
    for difference in std::iter::once(&program).chain(&score.differences) {
        let _ = writeln!(out, "  - {}", harmless(difference));
    }
    untried(score, &mut out);
    out
}

/// `web: blocked 341 of 373, 30 not applicable, 2 got through:`
fn sentence(score: &Score, paint: Paint) -> String {
    let mut out = paint.word(Colour::Bold, &harmless(&score.of));
    let _ = write!(out, ": blocked {} of {}", score.blocked, score.attacks.len());
    for (count, what) in [(score.not_applicable, "not applicable"), (score.not_tried, "not tried")]
    {
        if count > 0 {
            let _ = write!(out, ", {count} {what}");
        }
    }
    out.push_str(", ");
    match score.through {
        0 => paint.put(&mut out, Colour::Green, "none got through"),
        count => paint.put(&mut out, Colour::Red, &format!("{count} got through")),
    }
    out.push_str(if score.through == 0 { ".\n" } else { ":\n" });
    out
}

fn through(attack: &Attack, service: bool, paint: Paint, out: &mut String) {
    let Attack { name, group, about, reason, .. } = attack;
    out.push('\n');
    paint.put(out, Colour::Red, &format!("{}/{}", harmless(group), harmless(name)));
    let _ = writeln!(out, " {}: {}.", harmless(about), harmless(reason));
    let _ = writeln!(out, "  {}", harmless(&advice(attack, service)));
}

/// What to add, and where.
fn advice(attack: &Attack, service: bool) -> String {
    let Attack { table, line, .. } = attack;
    if line.is_empty() {
        return "No line of a profile stops that: it is a mistake of Ensemble.".to_owned();
    }
    let own = table.strip_prefix("sandbox").filter(|_| !service);
    match own.map(|rest| rest.trim_start_matches('.')) {
        Some("") => format!("add at the top: {line}"),
        Some(table) => format!("add to [{table}]: {line}"),
        None if table.is_empty() && service => format!("add at the top: {line}"),
        None if table.is_empty() => format!("add to each service that has it: {line}"),
        None => format!("add to [{table}]: {line}"),
    }
}

fn others(score: &Score, out: &mut String) {
    out.push('\n');
    for attack in score.attacks.iter().filter(|a| a.verdict != Verdict::Through) {
        let name = format!("{}/{}", attack.group, attack.name);
        let (verdict, reason) = (word(attack.verdict), harmless(&attack.reason));
        let _ = writeln!(out, "{:<40} {verdict:<14} {reason}", harmless(&name));
    }
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Blocked => "blocked",
        Verdict::Through => "got through",
        Verdict::NotApplicable => "not applicable",
        Verdict::NotTried => "not tried",
    }
}

/// A line for each group there is.
fn table(score: &Score, paint: Paint, out: &mut String) {
    const ORDER: [Verdict; 4] =
        [Verdict::Blocked, Verdict::Through, Verdict::NotApplicable, Verdict::NotTried];
    out.push('\n');
    let heading = format!("{:<14}", "group") + &ORDER.map(|v| format!("{:>16}", word(v))).concat();
    paint.put(out, Colour::Bold, &heading);
    out.push('\n');
    for group in GROUPS {
        let all: Vec<&Attack> = score.attacks.iter().filter(|a| a.group == *group).collect();
        if all.is_empty() {
            continue;
        }
        let count = |verdict| all.iter().filter(|a| a.verdict == verdict).count();
        let counts = ORDER.map(|verdict| format!("{:>16}", count(verdict))).concat();
        let _ = writeln!(out, "{group:<14}{counts}");
    }
}

/// Why some were left out.
fn untried(score: &Score, out: &mut String) {
    let all: Vec<&Attack> =
        score.attacks.iter().filter(|a| a.verdict == Verdict::NotTried).collect();
    if all.is_empty() {
        return;
    }
    out.push_str("\nNot tried:\n");
    let mut reasons: Vec<&str> = all.iter().map(|attack| attack.reason.as_str()).collect();
    reasons.sort_unstable();
    reasons.dedup();
    for reason in reasons {
        let of = all.iter().filter(|attack| attack.reason == reason);
        let names: Vec<&str> = of.clone().map(|attack| attack.name.as_str()).collect();
        let _ = writeln!(out, "  {}: {}", harmless(reason), harmless(&names.join(", ")));
        // What a limit would stop is told with the limit.
        for attack in of.filter(|attack| attack.table == "limits") {
            let _ = writeln!(out, "    {}", harmless(&advice(attack, score.service)));
        }
    }
    if all.iter().any(|attack| attack.table != "limits") {
        out.push_str("  On a device that can be thrown away, `--all-attacks` tries these too.\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attack(group: &str, name: &str, verdict: Verdict, table: &str, line: &str) -> Attack {
        let reason = match verdict {
            Verdict::NotTried => "it could hurt the device",
            Verdict::NotApplicable => "needs a disk",
            _ => "it was there",
        };
        Attack {
            name: name.into(),
            group: group.into(),
            about: "learns a secret".into(),
            verdict,
            reason: reason.into(),
            table: table.into(),
            line: line.into(),
        }
    }

    fn of(attacks: Vec<Attack>, service: bool) -> String {
        let count = |verdict| attacks.iter().filter(|a| a.verdict == verdict).count();
        let whole = Score {
            of: "web".into(),
            service,
            user: "www-data".into(),
            differences: vec!["it may have 512 processes; the service has no limit".into()],
            blocked: count(Verdict::Blocked),
            through: count(Verdict::Through),
            not_applicable: count(Verdict::NotApplicable),
            not_tried: count(Verdict::NotTried),
            attacks,
        };
        score(&whole, false, Paint::default())
    }

    #[test]
    fn what_got_through_is_told_with_the_line_that_stops_it() {
        let attacks = vec![
            attack("files", "shared-tmp", Verdict::Through, "sandbox.files", "tmp = \"private\""),
            attack("files", "read-secret", Verdict::Blocked, "", ""),
            attack("devices", "read-disk", Verdict::NotApplicable, "", ""),
            attack(
                "kernel",
                "reboot",
                Verdict::NotTried,
                "sandbox.forbid",
                "calls = [\"@reboot\"]",
            ),
            attack("resources", "fork-bomb", Verdict::NotTried, "limits", "pids = 64"),
        ];
        insta::assert_snapshot!(of(attacks, true), @r#"
        web: blocked 1 of 5, 1 not applicable, 2 not tried, 1 got through:

        files/shared-tmp learns a secret: it was there.
          add to [sandbox.files]: tmp = "private"

        group                  blocked     got through  not applicable       not tried
        files                        1               1               0               0
        resources                    0               0               0               1
        devices                      0               0               1               0
        kernel                       0               0               0               1

        The attacks ran as www-data. What was different from the real start:
          - it was /usr/lib/ensemble/attacks instead of its own program
          - it may have 512 processes; the service has no limit

        Not tried:
          it could hurt the device: reboot, fork-bomb
            add to [limits]: pids = 64
          On a device that can be thrown away, `--all-attacks` tries these too.
        "#);
    }

    #[test]
    fn a_profile_is_told_its_own_tables_and_a_service_is_named_where_only_that_has_it() {
        let at = |table, line| advice(&attack("files", "x", Verdict::Through, table, line), false);
        assert_eq!(at("sandbox.files", "tmp = \"private\""), "add to [files]: tmp = \"private\"");
        assert_eq!(at("sandbox", "keyring = \"own\""), "add at the top: keyring = \"own\"");
        assert_eq!(at("limits", "pids = 64"), "add to [limits]: pids = 64");
        assert_eq!(at("", "user = \"NAME\""), "add to each service that has it: user = \"NAME\"");
    }

    #[test]
    fn all_is_well_when_nothing_got_through() {
        let told = of(vec![attack("files", "x", Verdict::Blocked, "", "")], true);
        assert!(told.starts_with("web: blocked 1 of 1, none got through.\n"), "{told}");
        assert!(!told.contains("Not tried"));
    }
}
