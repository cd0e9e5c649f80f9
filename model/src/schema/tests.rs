//! The reference says what the code does.

use std::io;

use crate::text::{self, Source};

use super::parts::{KINDS, Kind, Limits, Part};

/// An app.
const NOTES: &str = "id = \"a.b\"\nversion = \"1.0.0\"\nname = \"A\"\nability = [{ name = \"a\", exec = [\"a\"] }]\n";

/// One file of some kind, and what the examples mention.
struct Files(&'static str, String);

impl Source for Files {
    fn read(&self, path: &str) -> io::Result<String> {
        match path {
            _ if path == self.0 => Ok(self.1.clone()),
            "devices/base.toml" | "devices/headless.toml" => {
                Ok("version = 1\n[services]\nenable = [\"network\"]\n[debug]\nagent = true\n"
                    .into())
            }
            "sandbox/base.toml" => Ok("version = 1\nlock-personality = true\n".into()),
            "permissions/camera.toml" => Ok("version = 1\nabout = \"see\"\n".into()),
            "abilities/notes/bundle.toml" => Ok(NOTES.into()),
            "devices/root.json" | "devices/stick.json" => Ok("{}".into()),
            _ if path.contains("services/") => Ok("exec = [\"/usr/bin/x\"]\n".into()),
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn list(&self, _: &str) -> io::Result<Vec<String>> {
        Ok(Vec::new())
    }

    fn is_file(&self, path: &str) -> bool {
        self.read(path).is_ok() || path.ends_with("my-bzImage") || path.ends_with("/hello")
    }

    fn library(&self) -> Option<String> {
        Some(String::new())
    }
}

/// What a file means, as text to compare; or all that is wrong with it.
fn meaning(kind: &Kind, toml: &str) -> Result<String, String> {
    match kind.word {
        "device" => {
            let files = Files("devices/x.toml", toml.to_owned());
            let loaded = text::load_device(&files, files.0).map_err(|r| r.render(false))?;
            Ok(format!("{:?} {:?}", loaded.device, loaded.plan))
        }
        "service" => {
            let files = Files("x.toml", String::new());
            let (name, own) = (crate::Name::try_from("x").expect("it is one"), [("x.toml", toml)]);
            let loaded = text::service::define(&files, &["sandbox".to_owned()], &name, &own);
            Ok(format!("{:?}", loaded.map_err(|r| r.render(false))?.service))
        }
        "sandbox" => {
            let files = Files("sandbox/x.toml", toml.to_owned());
            let loaded = text::sandbox::load(&files, &["sandbox".to_owned()], "x");
            Ok(format!("{:?}", loaded.map_err(|r| r.render(false))?.profile))
        }
        "permission" => {
            let files = Files("permissions/x.toml", toml.to_owned());
            let loaded = text::permission::load(&files, &["permissions".to_owned()], "x");
            Ok(format!("{:?}", loaded.map_err(|r| r.render(false))?.permission))
        }
        "bundle" => {
            let files = Files("x/bundle.toml", toml.to_owned());
            let loaded = text::bundle::load(&files, files.0).map_err(|r| r.render(false))?;
            Ok(format!("{:?} {:?}", loaded.manifest, loaded.source))
        }
        _ => {
            let files = Files("x/case.toml", toml.to_owned());
            let loaded = text::load_case(&files, files.0).map_err(|r| r.render(false))?;
            // Where a step stands is no part of what it does.
            let mut case = loaded.case;
            case.steps.iter_mut().for_each(|step| step.line = 0);
            Ok(format!("{case:?}"))
        }
    }
}

fn parts() -> impl Iterator<Item = (&'static Kind, &'static Part)> {
    KINDS.iter().flat_map(|kind| kind.parts.iter().map(move |part| (kind, part)))
}

/// The least file with this table in it, and in the table perhaps one more key.
fn file(part: &Part, key: &str, value: Option<&str>) -> String {
    let (above, table) = part.around;
    let other = |line: &&str| !line.starts_with(&format!("{key} = "));
    let mut lines: Vec<String> = table.lines().filter(other).map(str::to_owned).collect();
    // A new key comes before the next table, and after the heading of its own.
    let place = usize::from(lines.first().is_some_and(|line| line.starts_with('[')));
    lines.insert(place, value.map(|value| format!("{key} = {value}")).unwrap_or_default());
    format!("{above}{}\n", lines.join("\n"))
}

#[test]
fn every_row_is_of_a_key_and_every_key_is_in_an_example() {
    for (kind, part) in parts() {
        let whole = format!("{} {}", kind.word, part.heading);
        for row in part.rows {
            assert!(part.keys.contains(&row.key), "{whole} has no key {}", row.key);
        }
        let table = |key: &str| {
            let named = |p: &Part| p.heading.trim_matches(['[', ']']) == key;
            let whole = part.heading.is_empty() && kind.parts.iter().any(named);
            whole
                || (part.definition == "Sandbox" && KINDS.iter().any(|k| k.parts.iter().any(named)))
        };
        let examples = part.examples.concat();
        for key in part.keys.iter().filter(|k| !examples.is_empty() && !table(k)) {
            let line = format!("{key} = ");
            let there = examples.lines().any(|l| l.starts_with(&line));
            assert!(there, "{whole} has no example of {key}");
        }
    }
}

#[test]
fn every_example_is_right() {
    for (kind, part) in parts() {
        for example in part.examples {
            let toml = format!("{}{example}", part.around.0);
            if let Err(report) = meaning(kind, &toml) {
                panic!("{} {}:\n{report}", kind.word, part.heading);
            }
        }
    }
}

#[test]
fn a_default_that_is_written_means_the_same_as_none() {
    for (kind, part) in parts() {
        for row in part.rows.iter().filter(|row| row.is_value() && !part.around.1.is_empty()) {
            let without = meaning(kind, &file(part, row.key, None));
            let with = meaning(kind, &file(part, row.key, Some(row.absent)));
            assert_eq!(with, without, "{} {} {}", kind.word, part.heading, row.key);
        }
    }
}

/// The first number in a TOML value, one more or less.
fn moved(value: &str, by: i64) -> String {
    let digits: String = value.chars().filter(char::is_ascii_digit).collect();
    let number: i64 = digits.parse().expect("a number is in it");
    value.replace(&digits, &(number + by).to_string())
}

#[test]
fn limits_are_legal_and_what_is_beyond_is_not() {
    for (kind, part) in parts().filter(|(_, part)| !part.around.1.is_empty()) {
        for row in part.rows {
            let Limits::Range(least, most) = &row.limits else { continue };
            let at = format!("{} {} {}", kind.word, part.heading, row.key);
            let read = |value: &str| meaning(kind, &file(part, row.key, Some(value)));
            for legal in [least, most] {
                assert!(read(legal).is_ok(), "{at} = {legal}: {:?}", read(legal));
            }
            for wrong in [moved(least, -1), moved(most, 1)] {
                assert!(read(&wrong).is_err(), "{at} = {wrong} is taken");
            }
        }
    }
}
