//! What was learned as TOML, a reason beside each value.
//!
//! Paths and words of programs are hostile: in values they are quoted as TOML has it, in comments nothing
//! is left that could end one.

use std::fmt::Write;

use super::{Learned, Line, Rule, Says};

/// Every table, in the order of the language; the first has no name.
const TABLES: [&str; 5] = ["", "files", "network", "calls", "forbid"];

/// Column at which reasons begin, where the value leaves room.
const COLUMN: usize = 32;

/// Longest `about`, in characters.
const MAX_ABOUT: usize = 60;

/// Longest comment, in characters.
const MAX_COMMENT: usize = 400;

/// The profile. `about`: one sentence; `head`: what else to say at the top.
#[must_use]
pub fn text(learned: &Learned, about: &str, head: &[String]) -> String {
    let mut out = String::new();
    for line in head {
        comment(&mut out, line);
    }
    if !learned.notes.is_empty() {
        out.push_str("#\n# To know, and what is not covered:\n");
        for note in &learned.notes {
            comment(&mut out, &format!("- {note}"));
        }
    }
    if !out.is_empty() {
        out.push('\n');
    }
    let about: String = about.chars().filter(|c| !c.is_control()).take(MAX_ABOUT).collect();
    out.push_str("version = 1\n");
    let _ = writeln!(out, "about = {}", quoted(&about));
    if !learned.inherit.is_empty() {
        let names: Vec<String> = learned.inherit.iter().map(|name| quoted(name)).collect();
        let _ = writeln!(out, "inherit = [{}]", names.join(", "));
    }
    for table in TABLES {
        let rules: Vec<&Rule> = learned.rules.iter().filter(|rule| rule.table == table).collect();
        if rules.is_empty() {
            continue;
        }
        out.push('\n');
        if !table.is_empty() {
            let _ = writeln!(out, "[{table}]");
        }
        for rule in rules {
            self::rule(&mut out, rule);
        }
    }
    out
}

fn rule(out: &mut String, rule: &Rule) {
    let key = rule.key.as_ref();
    match &rule.says {
        Says::One(value, why) => reason(out, &format!("{key} = {value}"), why),
        Says::Texts(lines, why) => list(out, key, lines, why, quoted),
        Says::Numbers(lines, why) => list(out, key, lines, why, str::to_owned),
    }
}

fn list(out: &mut String, key: &str, lines: &[Line], why: &str, as_toml: fn(&str) -> String) {
    if lines.is_empty() {
        return reason(out, &format!("{key} = []"), why);
    }
    reason(out, &format!("{key} = ["), why);
    for line in lines {
        reason(out, &format!("    {},", as_toml(&line.value)), &line.why);
    }
    out.push_str("]\n");
}

/// A line with its reason.
fn reason(out: &mut String, line: &str, why: &str) {
    let why = harmless(why);
    if why.is_empty() {
        let _ = writeln!(out, "{line}");
    } else {
        let room = COLUMN.saturating_sub(line.chars().count());
        let _ = writeln!(out, "{line}{} # {why}", " ".repeat(room));
    }
}

fn comment(out: &mut String, text: &str) {
    let text = harmless(text);
    let _ = writeln!(out, "{}", format!("# {text}").trim_end());
}

/// Without anything that ends a line or speaks to a terminal.
fn harmless(text: &str) -> String {
    let mut all: String = text
        .chars()
        .take(MAX_COMMENT)
        .map(|c| if c.is_control() || is_mark(c) { '?' } else { c })
        .collect();
    if text.chars().count() > MAX_COMMENT {
        all.push('…');
    }
    all
}

/// Characters that change the direction of text, or are not seen.
fn is_mark(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// A text as TOML has it.
#[must_use]
pub fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if c.is_control() || is_mark(c) => {
                let _ = write!(out, "\\U{:08X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
