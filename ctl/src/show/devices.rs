//! `ensctl device`, as text.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;

use api::devices::{Check, Device, Nearby};
use jiff::tz::TimeZone;

use super::{Cell, columns, plain};
use crate::fault::Fault;
use crate::paint::{Colour, Paint, harmless};
use crate::time::stamp;

/// Microseconds of a second.
const MICROS: u64 = 1_000_000;

/// Digits of an id that people compare.
const SHORT: usize = 10;

/// Devices, and how they are reached.
#[must_use]
pub fn list(rows: &[Device], zone: &TimeZone, paint: Paint) -> String {
    if rows.is_empty() {
        return "No device has all of that.\n".to_owned();
    }
    let line = |row: &Device| -> Vec<Cell> {
        let state = match row.state.as_str() {
            "this" => plain("this"),
            "online" => (Colour::Green, "online".to_owned()),
            other => (Colour::Dim, harmless(other).into_owned()),
        };
        let seen = match (row.state.as_str(), row.seen) {
            ("offline", 0) => "never".to_owned(),
            ("offline", seen) => stamp(seen.saturating_mul(MICROS), zone),
            _ => String::new(),
        };
        let way = match row.rtt {
            0 => harmless(&row.way).into_owned(),
            rtt => format!("{}, {}", harmless(&row.way), round_trip(rtt)),
        };
        let way = if row.trouble.is_empty() || !way.is_empty() {
            plain(way)
        } else {
            (Colour::Yellow, harmless(&row.trouble).into_owned())
        };
        vec![
            (Colour::Bold, harmless(&row.name).into_owned()),
            plain(harmless(&row.form)),
            state,
            plain(harmless(&row.level)),
            plain(harmless(&row.label)),
            plain(seen),
            way,
        ]
    };
    let lines: Vec<_> = rows.iter().map(line).collect();
    let mut text =
        columns(paint, &["NAME", "FORM", "STATE", "LEVEL", "LABEL", "SEEN", "WAY"], &lines);
    if let [Device { state, .. }] = rows
        && state == "this"
    {
        text.push_str(
            "No other device: `ensctl device accept` on one, `ensctl device pair` on the other.\n",
        );
    }
    text
}

fn round_trip(micros: u32) -> String {
    format!("{}.{} ms", micros / 1000, micros % 1000 / 100)
}

/// Devices that can be paired with.
#[must_use]
pub fn nearby(rows: &[Nearby], paint: Paint) -> String {
    if rows.is_empty() {
        return "No device nearby can be paired with now: `ensctl device accept` on it lets it.\n"
            .to_owned();
    }
    let line = |row: &Nearby| -> Vec<Cell> {
        vec![
            (Colour::Bold, harmless(&row.name).into_owned()),
            plain(harmless(&row.form)),
            plain(short(&row.id)),
            plain(harmless(&row.addresses.join(", "))),
        ]
    };
    let lines: Vec<_> = rows.iter().map(line).collect();
    columns(paint, &["NAME", "FORM", "ID", "ADDRESS"], &lines)
}

fn short(id: &str) -> String {
    harmless(id).chars().take(SHORT).collect()
}

/// What a device is and has.
#[must_use]
pub fn info(facts: &BTreeMap<String, String>, paint: Paint) -> String {
    let width = facts.keys().map(|name| name.chars().count()).max().unwrap_or_default();
    let mut out = String::new();
    for (name, value) in facts {
        let name = harmless(name);
        paint.put(&mut out, Colour::Dim, &name);
        let blanks = (width + 2).saturating_sub(name.chars().count());
        out.extend(std::iter::repeat_n(' ', blanks));
        out.push_str(&harmless(value));
        out.push('\n');
    }
    out
}

/// What works and what does not.
#[must_use]
pub fn checks(all: &[Check], paint: Paint) -> String {
    let mut out = String::new();
    let width = all.iter().map(|check| check.what.chars().count()).max().unwrap_or_default();
    for check in all {
        let (colour, word) = match check.verdict.as_str() {
            "ok" => (Colour::Green, "ok"),
            "warning" => (Colour::Yellow, "warning"),
            "failed" => (Colour::Red, "failed"),
            _ => (Colour::Dim, "unknown"),
        };
        paint.put(&mut out, colour, word);
        out.extend(std::iter::repeat_n(' ', 9_usize.saturating_sub(word.len())));
        let _ = writeln!(out, "{:width$}  {}", harmless(&check.what), harmless(&check.found));
        if !check.remedy.is_empty() {
            let _ = writeln!(out, "{:1$}{2}", "", width + 11, harmless(&check.remedy));
        }
    }
    out
}

/// A stage of a pairing, for who looks at it.
#[must_use]
pub fn stage(stage: &str, detail: &HashMap<String, String>, paint: Paint) -> String {
    let of = |name: &str| harmless(detail.get(name).map_or("", String::as_str)).into_owned();
    let tries = |n: String| if n == "1" { "1 try".to_owned() } else { format!("{n} tries") };
    match stage {
        "waiting" => format!(
            "This device can be paired with for {} s: `ensctl device pair` on the other one.\n",
            of("seconds")
        ),
        "asked" => {
            let (name, form, id) = (of("name"), of("form"), short(&of("id")));
            format!("{name} ({form}, {id}) wants to pair with this device.\n")
        }
        "show-code" => {
            let digits: Vec<char> = of("code").chars().collect();
            let spaced: Vec<String> =
                digits.chunks(3).map(|three| three.iter().collect()).collect();
            let mut text = format!("Type this code on {}:\n\n    ", of("name"));
            paint.put(&mut text, Colour::Bold, &spaced.join(" "));
            text + "\n\n"
        }
        "ask-code" => {
            let (name, id, tries) = (of("name"), short(&of("id")), tries(of("tries")));
            format!("{name} ({id}) shows a code; {tries}.\n")
        }
        "wrong-code" => format!("That is not the code; {} left.\n", tries(of("tries"))),
        "done" => format!("Paired with {} ({}).\n", of("name"), short(&of("id"))),
        other => format!("{}\n", harmless(other)),
    }
}

/// How a pairing failed.
#[must_use]
pub fn failed(detail: &HashMap<String, String>) -> Fault {
    let of = |name: &str| detail.get(name).map_or("", String::as_str);
    let mut why = format!("not paired: {}: {}", of("step"), of("reason"));
    if !of("remedy").is_empty() {
        why += &format!("\n{}", of("remedy"));
    }
    Fault::NotWell(why)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(name: &str, state: &str) -> Device {
        let (name, state) = (name.to_owned(), state.to_owned());
        let (form, level, label) = ("tv".to_owned(), "member".to_owned(), "SL2".to_owned());
        Device { name, state, form, level, label, ..Device::default() }
    }

    #[test]
    fn devices_are_a_table_with_how_they_are_reached() {
        let rows = [
            device("phone", "this"),
            Device { way: "direct 10.0.0.2:4433".into(), rtt: 1260, ..device("tv", "online") },
            Device { seen: 1_769_862_000, ..device("watch", "offline") },
            Device { trouble: "no address is known".into(), ..device("x\u{1b}[m", "offline") },
        ];
        insta::assert_snapshot!(list(&rows, &TimeZone::UTC, Paint::default()), @r"
        NAME     FORM  STATE    LEVEL   LABEL  SEEN             WAY
        phone    tv    this     member  SL2
        tv       tv    online   member  SL2                     direct 10.0.0.2:4433, 1.2 ms
        watch    tv    offline  member  SL2    Jan 31 12:20:00
        x\x1b[m  tv    offline  member  SL2    never            no address is known
        ");
        assert!(
            list(&rows[..1], &TimeZone::UTC, Paint::default()).ends_with("pair` on the other.\n")
        );
    }

    #[test]
    fn the_stages_of_a_pairing_are_told() {
        let detail = |words: &[(&str, &str)]| -> HashMap<String, String> {
            words.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
        };
        let phone = [("name", "phone\u{7}"), ("form", "phone"), ("id", "0123456789abcdef")];
        let code = [("code", "012345"), ("name", "phone")];
        let told = [
            ("waiting", detail(&[("seconds", "120")])),
            ("asked", detail(&phone)),
            ("show-code", detail(&code)),
            ("ask-code", detail(&[("name", "tv"), ("id", "0123456789abcdef"), ("tries", "3")])),
            ("wrong-code", detail(&[("tries", "1")])),
            ("done", detail(&phone)),
        ];
        let all: String = told
            .iter()
            .map(|(stage, detail)| super::stage(stage, detail, Paint::default()))
            .collect();
        insta::assert_snapshot!(all, @r"
        This device can be paired with for 120 s: `ensctl device pair` on the other one.
        phone\x07 (phone, 0123456789) wants to pair with this device.
        Type this code on phone:

            012 345

        tv (0123456789) shows a code; 3 tries.
        That is not the code; 1 try left.
        Paired with phone\x07 (0123456789).
        ");
        let why =
            [("step", "code"), ("reason", "it was wrong three times"), ("remedy", "wait 60 s")];
        assert_eq!(
            failed(&detail(&why)).to_string(),
            "not paired: code: it was wrong three times\nwait 60 s"
        );
    }

    #[test]
    fn what_does_not_work_says_what_to_do() {
        let check = |what: &str, verdict: &str, remedy: &str| Check {
            what: what.into(),
            verdict: verdict.into(),
            found: "this was found".into(),
            remedy: remedy.into(),
        };
        let all =
            [check("key", "ok", ""), check("multicast", "failed", "`ensctl device add ADDRESS`")];
        insta::assert_snapshot!(checks(&all, Paint::default()), @r"
        ok       key        this was found
        failed   multicast  this was found
                            `ensctl device add ADDRESS`
        ");
    }
}
