//! `ensctl log`: a record as a line for people, or as a JSON object.

use std::io::{self, Write};

use api::export::{REALTIME, Record};
use jiff::tz::TimeZone;
use serde_json::{Map, Value};

use crate::paint::{Colour, Paint, harmless};
use crate::time::stamp;

/// When the sender says it happened, in microseconds since 1970.
const SOURCE_REALTIME: &str = "_SOURCE_REALTIME_TIMESTAMP";

/// Writes `Jan 31 12:30:00 host ident[pid]: message`. Further lines of a message are indented.
///
/// # Errors
/// Those of writing.
pub fn short(
    record: &Record<'_>,
    zone: &TimeZone,
    paint: Paint,
    out: &mut impl Write,
) -> io::Result<()> {
    let text = |name: &str| record.get(name).map(String::from_utf8_lossy);
    let first = |names: &[&str]| names.iter().find_map(|name| text(name));
    let at = record.number(SOURCE_REALTIME).or_else(|| record.number(REALTIME));
    let host = first(&["_HOSTNAME"]).unwrap_or_default();
    let ident = first(&["SYSLOG_IDENTIFIER", "_COMM", "_SYSTEMD_UNIT"]);
    let ident = ident.as_deref().unwrap_or("unknown");
    let pid = first(&["_PID", "SYSLOG_PID"]).map(|pid| format!("[{pid}]")).unwrap_or_default();
    let mut head = stamp(at.unwrap_or_default(), zone);
    if !host.is_empty() {
        head.push(' ');
        head.push_str(&harmless(&host));
    }
    head.push_str(&format!(" {}{}: ", harmless(ident), harmless(&pid)));
    let indent = " ".repeat(head.chars().count());

    let colour = match record.priority() {
        0..=3 => Colour::Red,
        4 => Colour::Yellow,
        5 => Colour::Bold,
        6 => Colour::Plain,
        _ => Colour::Dim,
    };
    let message = text("MESSAGE").unwrap_or_default();
    let mut lines = message.trim_end_matches('\n').split('\n');
    let line = paint.word(colour, &paint.message(lines.next().unwrap_or_default()));
    writeln!(out, "{head}{line}")?;
    for line in lines {
        writeln!(out, "{indent}{}", paint.word(colour, &paint.message(line)))?;
    }
    Ok(())
}

/// Writes an object on a line: values are text, lists of bytes where they are not UTF-8, and
/// lists of those where a name comes more than once.
///
/// # Errors
/// Those of writing.
pub fn json(record: &Record<'_>, out: &mut impl Write) -> io::Result<()> {
    let mut object = Map::new();
    for (name, value) in &record.fields {
        let value = match std::str::from_utf8(value) {
            Ok(text) => Value::from(text),
            Err(_) => Value::from(value.to_vec()),
        };
        match object.get_mut(*name) {
            None => drop(object.insert((*name).to_owned(), Value::Array(vec![value]))),
            Some(Value::Array(values)) => values.push(value),
            Some(_) => {}
        }
    }
    for value in object.values_mut() {
        if let Value::Array(values) = value
            && let [_] = values.as_slice()
        {
            *value = values.pop().unwrap_or_default();
        }
    }
    serde_json::to_writer(&mut *out, &object)?;
    out.write_all(b"\n")
}

#[cfg(test)]
mod tests {
    use api::export::{decode, end, put};

    use super::*;

    fn shown(fields: &[(&str, &[u8])], paint: Paint) -> (String, String) {
        let mut bytes = Vec::new();
        for (name, value) in fields {
            assert!(put(&mut bytes, name, value));
        }
        end(&mut bytes);
        let (record, _) = decode(&bytes).unwrap().unwrap();
        let (mut line, mut object) = (Vec::new(), Vec::new());
        short(&record, &TimeZone::UTC, paint, &mut line).unwrap();
        json(&record, &mut object).unwrap();
        (String::from_utf8(line).unwrap(), String::from_utf8(object).unwrap())
    }

    #[test]
    fn a_record_is_one_line_like_everywhere_else() {
        let fields: &[(&str, &[u8])] = &[
            (REALTIME, b"1769862600000000"),
            ("_HOSTNAME", b"phone"),
            ("SYSLOG_IDENTIFIER", b"web"),
            ("_PID", b"42"),
            ("PRIORITY", b"3"),
            ("MESSAGE", b"cannot open /dev/x:\n\x1b[2Jno such file"),
        ];
        let (line, object) = shown(fields, Paint { terminal: true, colour: false });
        insta::assert_snapshot!(line, @r#"
        Jan 31 12:30:00 phone web[42]: cannot open /dev/x:
                                       \x1b[2Jno such file
        "#);
        insta::assert_snapshot!(object, @r#"{"MESSAGE":"cannot open /dev/x:\n\u001b[2Jno such file","PRIORITY":"3","SYSLOG_IDENTIFIER":"web","_HOSTNAME":"phone","_PID":"42","__REALTIME_TIMESTAMP":"1769862600000000"}"#);
        let (line, _) = shown(fields, Paint { terminal: true, colour: true });
        insta::assert_snapshot!(line.replace('\x1b', "^"), @r#"
        Jan 31 12:30:00 phone web[42]: ^[1;31mcannot open /dev/x:^[0m
                                       ^[1;31m\x1b[2Jno such file^[0m
        "#);
    }

    #[test]
    fn a_record_with_nothing_in_it_is_still_a_line() {
        let (line, object) = shown(&[("A", b"1"), ("A", b"\xff"), ("A", b"")], Paint::default());
        assert_eq!(line, "Jan 01 00:00:00 unknown: \n");
        assert_eq!(object, "{\"A\":[\"1\",[255],\"\"]}\n");
    }

    proptest::proptest! {
        #[test]
        fn no_record_has_an_effect_on_a_terminal(
            ident in proptest::collection::vec(proptest::num::u8::ANY, 0..20),
            message in proptest::collection::vec(proptest::num::u8::ANY, 0..60),
        ) {
            let fields: &[(&str, &[u8])] =
                &[("SYSLOG_IDENTIFIER", &ident), ("_HOSTNAME", &ident), ("MESSAGE", &message)];
            let (line, _) = shown(fields, Paint { terminal: true, colour: false });
            let acts = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
            proptest::prop_assert!(!line.contains(acts), "{line:?}");
        }
    }
}
