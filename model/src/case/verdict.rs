//! Whether a step passed, and what people are told when it did not: short, and harmless to a terminal.
//!
//! Pure: an outcome and what was expected in, a verdict out. Invariant: no outcome makes it panic, and
//! a text is as expected when it is the expected one, saved values filled in.

use super::{Ended, Outcome, Step, Vars};

/// Most lines and characters of a line shown of what was not as expected.
const SHOWN_LINES: usize = 60;
const SHOWN_CHARACTERS: usize = 200;

/// Lines shown around what differs.
const CONTEXT: usize = 8;

/// `text` with every `{NAME}` of a saved value replaced; other braces stay.
#[must_use]
pub fn fill(text: &str, vars: &Vars) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        let known = after.split_once('}').and_then(|(name, tail)| Some((vars.get(name)?, tail)));
        if let Some((value, tail)) = known {
            out.push_str(value);
            rest = tail;
        } else {
            out.push('{');
            rest = after;
        }
    }
    out.push_str(rest);
    out
}

/// The words to run, with saved values filled in.
#[must_use]
pub fn command(argv: &[String], vars: &Vars) -> Vec<String> {
    argv.iter().map(|word| fill(word, vars)).collect()
}

/// What `save` keeps: standard output without the line break at its end.
#[must_use]
pub fn kept(outcome: &Outcome) -> String {
    trimmed(&outcome.stdout).to_owned()
}

/// Whether the step passed.
///
/// # Errors
/// Everything that was not as expected, as text for people.
pub fn judge(step: &Step, outcome: &Outcome, vars: &Vars) -> Result<(), String> {
    let expect = &step.expect;
    let mut wrong = Vec::new();
    wrong.extend(wrong_end(expect.exit, outcome.ended));
    let texts =
        [("stdout", &expect.stdout, &outcome.stdout), ("stderr", &expect.stderr, &outcome.stderr)];
    for (what, expected, got) in texts {
        let Some(expected) = expected.as_ref().map(|text| fill(text, vars)) else { continue };
        if trimmed(&expected) != trimmed(got) {
            wrong.push(format!("{what} differs (- expected, + got):\n{}", diff(&expected, got)));
        }
    }
    wrong.extend(lacking("stdout", &expect.stdout_has, &outcome.stdout, vars));
    wrong.extend(lacking("stderr", &expect.stderr_has, &outcome.stderr, vars));
    for part in expect.stdout_lacks.iter().map(|p| fill(p, vars)) {
        if outcome.stdout.contains(&part) {
            wrong.push(format!("stdout has {part:?}:\n{}", indented(&outcome.stdout)));
        }
    }
    wrong.extend(wrong_json(&expect.json, &outcome.stdout, vars));
    if wrong.is_empty() {
        return Ok(());
    }
    if expect.stderr.is_none() && expect.stderr_has.is_empty() && !outcome.stderr.is_empty() {
        wrong.push(format!("stderr was:\n{}", indented(&outcome.stderr)));
    }
    Err(wrong.join("\n"))
}

fn wrong_end(expected: i32, ended: Ended) -> Option<String> {
    match ended {
        Ended::Status(status) if status == expected => None,
        Ended::Status(status) => Some(format!("exit status {status}, expected {expected}")),
        Ended::Signal(signal) => {
            Some(format!("ended by signal {signal}, expected exit status {expected}"))
        }
        Ended::TimedOut => Some("still running when its time was over".to_owned()),
    }
}

fn lacking(what: &str, parts: &[String], got: &str, vars: &Vars) -> Vec<String> {
    let parts = parts.iter().map(|p| fill(p, vars)).filter(|p| !got.contains(p));
    parts.map(|p| format!("{what} lacks {p:?}; it was:\n{}", indented(got))).collect()
}

fn wrong_json(expected: &[(String, serde_json::Value)], got: &str, vars: &Vars) -> Vec<String> {
    if expected.is_empty() {
        return Vec::new();
    }
    let document: serde_json::Value = match serde_json::from_str(got) {
        Ok(document) => document,
        Err(why) => return vec![format!("stdout is not JSON ({why}); it was:\n{}", indented(got))],
    };
    let mut wrong = Vec::new();
    for (pointer, value) in expected {
        let pointer = fill(pointer, vars);
        let value = match value {
            serde_json::Value::String(text) => serde_json::Value::String(fill(text, vars)),
            other => other.clone(),
        };
        match document.pointer(&pointer) {
            Some(found) if *found == value => {}
            Some(found) => wrong.push(format!("{pointer} is {found}, expected {value}")),
            None => wrong.push(format!("there is no {pointer} in:\n{}", indented(got))),
        }
    }
    wrong
}

fn trimmed(text: &str) -> &str {
    text.strip_suffix('\n').unwrap_or(text)
}

/// The last lines of what a device said, for people: short, and harmless to a terminal.
fn indented(text: &str) -> String {
    let lines: Vec<String> = trimmed(text).lines().map(|l| format!("    {}", shown(l))).collect();
    let skip = lines.len().saturating_sub(SHOWN_LINES);
    let cut = (skip > 0).then(|| format!("    … {skip} lines"));
    cut.into_iter().chain(lines.into_iter().skip(skip)).collect::<Vec<_>>().join("\n")
}

fn shown(line: &str) -> String {
    let visible = |c: char| if c.is_control() && c != '\t' { '\u{fffd}' } else { c };
    let mut out: String = line.chars().take(SHOWN_CHARACTERS).map(visible).collect();
    if line.chars().nth(SHOWN_CHARACTERS).is_some() {
        out.push('…');
    }
    out
}

/// Lines that both begin or end with as they are, the others with `-` and `+`.
fn diff(expected: &str, got: &str) -> String {
    let old: Vec<&str> = trimmed(expected).lines().collect();
    let new: Vec<&str> = trimmed(got).lines().collect();
    let head = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let ends = old.iter().skip(head).rev().zip(new.iter().skip(head).rev());
    let tail = ends.take_while(|(a, b)| a == b).count();
    let middle = |lines: &[&str], sign: char| -> Vec<String> {
        let changed = lines.iter().take(lines.len() - tail).skip(head);
        changed.map(|line| format!("  {sign} {}", shown(line))).collect()
    };
    let same = |line: &&str| format!("    {}", shown(line));
    let far = |lines: usize| (lines > CONTEXT).then(|| format!("    … {} lines", lines - CONTEXT));
    let mut out: Vec<String> = far(head).into_iter().collect();
    out.extend(old.iter().take(head).skip(head.saturating_sub(CONTEXT)).map(same));
    out.extend(middle(&old, '-'));
    out.extend(middle(&new, '+'));
    out.extend(old.iter().skip(old.len() - tail).take(CONTEXT).map(same));
    out.extend(far(tail));
    out.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::{Act, Expect, STEP_TIMEOUT};

    fn step(expect: Expect) -> Step {
        Step {
            act: Act::Run(vec!["true".into()]),
            on: 0,
            times: 1,
            timeout: STEP_TIMEOUT,
            until: None,
            expect,
            save: None,
            line: 1,
        }
    }

    fn out(stdout: &str) -> Outcome {
        Outcome { ended: Ended::Status(0), stdout: stdout.into(), stderr: String::new() }
    }

    #[test]
    fn a_saved_value_is_compared_with_a_later_one() {
        let vars = Vars::from([("pids".to_owned(), kept(&out("web 12\ndb 13\n")))]);
        let same = step(Expect { stdout: Some("{pids}".into()), ..Expect::default() });
        assert_eq!(judge(&same, &out("web 12\ndb 13\n"), &vars), Ok(()));
        let why = judge(&same, &out("web 12\ndb 99\n"), &vars).unwrap_err();
        insta::assert_snapshot!(why, @"
        stdout differs (- expected, + got):
            web 12
          - db 13
          + db 99
        ");
    }

    #[test]
    fn of_long_texts_only_what_differs_is_shown() {
        let text = |number: &str| {
            (1..=50).map(|n| format!("{n}\n")).collect::<String>().replace("\n25\n", number)
        };
        let why = judge(
            &step(Expect { stdout: Some(text("\n25\n")), ..Expect::default() }),
            &out(&text("\nx\n")),
            &Vars::new(),
        );
        let why = why.unwrap_err();
        assert!(
            why.contains("    … 16 lines\n    17\n") && why.ends_with("    33\n    … 17 lines"),
            "{why}"
        );
        assert!(why.contains("  - 25\n  + x\n"), "{why}");
    }

    #[test]
    fn all_that_is_wrong_is_told_at_once() {
        let expect = Expect {
            exit: 3,
            stdout_has: vec!["ready".into()],
            stdout_lacks: vec!["failed".into()],
            ..Expect::default()
        };
        let mut outcome = out("web failed\n");
        outcome.stderr = "no such service\n".into();
        let why = judge(&step(expect), &outcome, &Vars::new()).unwrap_err();
        insta::assert_snapshot!(why, @r#"
        exit status 0, expected 3
        stdout lacks "ready"; it was:
            web failed
        stdout has "failed":
            web failed
        stderr was:
            no such service
        "#);
    }

    #[test]
    fn values_in_json_are_found_by_pointer() {
        let expect = |is: serde_json::Value| {
            step(Expect { json: vec![("/services/0/name".into(), is)], ..Expect::default() })
        };
        let got = out(r#"{"services":[{"name":"web"}]}"#);
        assert_eq!(judge(&expect("web".into()), &got, &Vars::new()), Ok(()));
        let why = judge(&expect(1.into()), &got, &Vars::new()).unwrap_err();
        assert_eq!(why, r#"/services/0/name is "web", expected 1"#);
        assert!(judge(&expect("web".into()), &out("{}"), &Vars::new()).is_err());
        assert!(judge(&expect("web".into()), &out("oops"), &Vars::new()).is_err());
    }

    #[test]
    fn only_saved_names_are_filled_in() {
        let vars = Vars::from([("a".to_owned(), "1".to_owned())]);
        assert_eq!(fill("{a}{b}{a {{a}} {", &vars), "1{b}{a {1} {");
    }

    proptest::proptest! {
        #[test]
        fn judging_never_panics_and_a_text_is_as_itself(text in ".*", other in ".*") {
            let same = step(Expect { stdout: Some(text.clone()), ..Expect::default() });
            proptest::prop_assert_eq!(judge(&same, &out(&text), &Vars::new()), Ok(()));
            let _ = judge(&same, &out(&other), &Vars::new());
        }
    }
}
