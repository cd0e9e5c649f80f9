//! `ensctl sandbox why`, as text.

use jiff::tz::TimeZone;

use crate::paint::{Colour, Paint, harmless};
use crate::refusals::Refusal;
use crate::time::stamp;

/// What no log has.
pub(crate) const UNRECORDED: &str = "Only calls that kill are recorded. Calls that were answered with EPERM and, before Linux 6.15, \
     files that Landlock refused leave no record";

/// What a service was killed for, and what to change.
#[must_use]
pub fn why(name: &str, all: &[Refusal], zone: &TimeZone, paint: Paint) -> String {
    let name = harmless(name);
    let mut out = String::new();
    if all.is_empty() {
        out.push_str(&format!("The log has no process of {name} that its sandbox killed.\n"));
    }
    for refusal in all {
        let call = harmless(&refusal.call);
        out.push_str(&format!(
            "{}  process {} was killed for ",
            stamp(refusal.time, zone),
            refusal.pid
        ));
        paint.put(&mut out, Colour::Bold, &call);
        out.push('\n');
        for line in advice(&name, refusal) {
            out.push_str(&format!("  {line}\n"));
        }
    }
    out.push_str(&format!("{UNRECORDED}:\n`ensctl sandbox explain {name}` says what it may do.\n"));
    out
}

/// Which line to change, if the program needs the call.
fn advice(name: &str, refusal: &Refusal) -> Vec<String> {
    let call = harmless(&refusal.call);
    if call.starts_with("number ") {
        return vec![
            "It has no name here, or is one of another processor: no rule allows it.".into(),
        ];
    }
    if refusal.rules.is_empty() {
        return vec![format!(
            "No line of its files names it now. If it needs it, add to {name}.toml: [sandbox.calls] \
             allow = [\"{call}\"]"
        )];
    }
    let one = |rule: &api::sandbox::Refusing| {
        let place = format!("{}:{}", harmless(&rule.place.file), rule.place.line);
        let (key, value) = (harmless(&rule.key), harmless(&rule.value));
        match rule.key.as_str() {
            "forbid.calls" => format!(
                "{place}: {key} has \"{value}\", which nothing else can allow. If it needs it, take it out \
                 there."
            ),
            _ => format!("{place}: {key} has \"{value}\". If it needs it, take it out there."),
        }
    };
    refusal.rules.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use api::sandbox::{Place, Refusing};

    use super::*;

    #[test]
    fn each_refusal_says_which_line_to_change() {
        let rule = |key: &str, value: &str, line| Refusing {
            call: "mount".into(),
            key: key.into(),
            value: value.into(),
            place: Place { file: "/etc/x.toml".into(), line },
        };
        let refusal = |call: &str, rules| Refusal { time: 0, pid: 7, call: call.into(), rules };
        let all = [
            refusal(
                "mount",
                vec![rule("calls.kill", "mount", 3), rule("forbid.calls", "@mounts", 9)],
            ),
            refusal("mkdir", vec![]),
            refusal("number 400", vec![]),
        ];
        insta::assert_snapshot!(why("web", &all, &TimeZone::UTC, Paint::default()), @r#"
        Jan 01 00:00:00  process 7 was killed for mount
          /etc/x.toml:3: calls.kill has "mount". If it needs it, take it out there.
          /etc/x.toml:9: forbid.calls has "@mounts", which nothing else can allow. If it needs it, take it out there.
        Jan 01 00:00:00  process 7 was killed for mkdir
          No line of its files names it now. If it needs it, add to web.toml: [sandbox.calls] allow = ["mkdir"]
        Jan 01 00:00:00  process 7 was killed for number 400
          It has no name here, or is one of another processor: no rule allows it.
        Only calls that kill are recorded. Calls that were answered with EPERM and, before Linux 6.15, files that Landlock refused leave no record:
        `ensctl sandbox explain web` says what it may do.
        "#);
        insta::assert_snapshot!(why("web", &[], &TimeZone::UTC, Paint::default()), @r"
        The log has no process of web that its sandbox killed.
        Only calls that kill are recorded. Calls that were answered with EPERM and, before Linux 6.15, files that Landlock refused leave no record:
        `ensctl sandbox explain web` says what it may do.
        ");
    }
}
