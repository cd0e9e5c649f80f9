//! The reference of every TOML key, as Markdown.
//!
//! Keys, types and meanings come from the raw types; defaults, limits and examples from
//! [`super::parts`]. Tests write each default, each limit and each example into a file and read it:
//! the page can't say anything else than what the code does.

use std::fmt::Write;

use serde_json::Value;

use super::parts::{KINDS, Kind, Limits, Part, Row};

/// What stands above the keys.
const HEAD: &str = "\
# Every key of our TOML

<!-- Written by `cargo ens check --write-schemas`. Do not edit: change `model/src/text/raw.rs` and \
`model/src/schema/parts.rs`. -->

There are six kinds of files. The file's name is the name of the device, the service, the profile or the permission: 1 to 64 \
of a-z, 0-9 and `-`, a letter first; a bundle is called by its `id`. How services start, stop, fail and come back is told in \
[services.md](services.md).

Sizes are numbers with K, M or G (`\"64M\"`; 1K is 1024 bytes). Times are numbers with ms, s, min \
or h (`\"500ms\"`). An unknown key is an error, never ignored. A file is at most 1 MiB, that of \
a service, a profile, a permission or a bundle 64 KiB.
";

/// The whole page.
#[must_use]
pub fn reference() -> String {
    let schemas = super::all();
    let mut page = HEAD.to_owned();
    for kind in KINDS {
        let text = schemas.iter().find(|(name, _)| *name == kind.schema).map(|(_, text)| text);
        let schema = text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or(Value::Null);
        // Writing to a String never fails.
        let _ = write!(page, "\n## {}\n\n{}\n", kind.title, kind.about);
        for part in kind.parts {
            let _ = write!(page, "\n{}", section(kind, part, &schema));
        }
    }
    page
}

fn section(kind: &Kind, part: &Part, schema: &Value) -> String {
    let table = match part.definition {
        "" => schema,
        name => schema.pointer(&format!("/definitions/{name}")).unwrap_or(&Value::Null),
    };
    let heading = match part.heading {
        "" => "top of the file".to_owned(),
        heading => format!("`{heading}`"),
    };
    let mut out = format!("### {} {heading}\n\n", kind.word);
    if !part.definition.is_empty() {
        let _ = writeln!(out, "{}\n", one_line(table["description"].as_str().unwrap_or_default()));
    }
    out.push_str("| key | type | when absent | limits | meaning |\n|---|---|---|---|---|\n");
    for key in part.keys {
        let row = part.rows.iter().find(|row| row.key == *key).unwrap_or(&Row::EMPTY);
        let _ = writeln!(out, "{}", line(kind, table, key, row));
    }
    for note in part.notes {
        let _ = write!(out, "\n{note}\n");
    }
    for example in part.examples {
        let _ = write!(out, "\n```toml\n{example}```\n");
    }
    out
}

fn line(kind: &Kind, table: &Value, key: &str, row: &Row) -> String {
    let property = &table["properties"][key];
    let required = table["required"].as_array().is_some_and(|r| r.iter().any(|k| k == key));
    let absent = match row.absent {
        _ if required => "**needed**".to_owned(),
        literal if row.is_value() => format!("`{literal}`"),
        words => words.to_owned(),
    };
    let limits = match row.limits {
        Limits::None => String::new(),
        Limits::Text(text) => text.to_owned(),
        Limits::Range(only, same) if only == same => format!("`{only}`"),
        Limits::Range(least, most) => format!("`{least}` to `{most}`"),
    };
    let meaning = one_line(property["description"].as_str().unwrap_or_default());
    let cells = [format!("`{key}`"), kind_of(kind, property), absent, limits, meaning];
    format!("| {} |", cells.map(|cell| cell.replace('|', "\\|")).join(" | "))
}

/// The type of a key, in words.
fn kind_of(kind: &Kind, property: &Value) -> String {
    if let Some(words) = property["enum"].as_array() {
        let words = words.iter().filter_map(Value::as_str).map(|word| format!("`\"{word}\"`"));
        return words.collect::<Vec<_>>().join(" ");
    }
    if let Some(any) = property["anyOf"].as_array() {
        return any.iter().map(|one| kind_of(kind, one)).collect::<Vec<_>>().join(" or ");
    }
    let reference = property["$ref"].as_str().or_else(|| property["allOf"][0]["$ref"].as_str());
    if let Some(name) = reference.and_then(|path| path.rsplit('/').next()) {
        return table_link(kind, name);
    }
    match property["type"].as_str() {
        Some("string") => "text".to_owned(),
        Some("integer") => "number".to_owned(),
        Some("boolean") => "`true` `false`".to_owned(),
        Some("object") => "table of texts".to_owned(),
        Some("array") => format!("list of {}", kind_of(kind, &property["items"])),
        _ => "any value".to_owned(),
    }
}

fn table_link(kind: &Kind, definition: &str) -> String {
    // A table that another kind of file has too is told there.
    let all = std::iter::once(kind).chain(KINDS);
    let mut found = all.flat_map(|kind| kind.parts.iter().map(move |part| (kind, part)));
    let found = found.find(|(_, part)| part.definition == definition);
    let (word, name) = found.map_or(("", ""), |(kind, part)| (kind.word, part.heading));
    format!("[table](#{word}-{})", name.trim_matches(['[', ']']))
}

/// Text of a comment, without its line breaks.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
