//! `ensctl ability choices` and `default`, as text.

use api::abilities::{Choice, DefaultAbility, Want};
use serde_json::{Value, json};

use super::{Cell, columns, plain};
use crate::paint::{Colour, Paint, harmless};
use crate::show::abilities::numbered;

/// What waits for a choice: each with its candidates below it.
#[must_use]
pub fn choices(rows: &[Choice], paint: Paint) -> String {
    if rows.is_empty() {
        return "Nobody has to choose anything.\n".to_owned();
    }
    let mut text = String::new();
    for row in rows {
        let name = if row.label.is_empty() { &row.bundle } else { &row.label };
        paint.put(&mut text, Colour::Bold, &row.number.to_string());
        text += &format!(
            "  {} ({}) wants {}, for {} s more\n",
            harmless(name),
            harmless(&row.bundle),
            harmless(&wanted(&row.want)),
            row.left
        );
        for line in numbered(&row.candidates).lines() {
            text += &format!("   {line}\n");
        }
    }
    text
}

/// What is wanted, in a few words.
fn wanted(want: &Want) -> String {
    let words = [&want.action, &want.uri, &want.mime].into_iter().flatten();
    let words: Vec<&str> = words.map(String::as_str).collect();
    if words.is_empty() { "something".to_owned() } else { words.join(" ") }
}

/// The same for scripts.
#[must_use]
pub fn json(rows: &[Choice]) -> Value {
    let row = |row: &Choice| {
        json!({
            "number": row.number,
            "bundle": row.bundle,
            "label": row.label,
            "action": row.want.action,
            "uri": row.want.uri,
            "mime": row.want.mime,
            "entities": row.want.entities,
            "candidates": row.candidates,
            "left": row.left,
        })
    };
    rows.iter().map(row).collect()
}

/// What does what by default.
#[must_use]
pub fn defaults(rows: &[DefaultAbility], paint: Paint) -> String {
    if rows.is_empty() {
        return "Nothing is a default.\n".to_owned();
    }
    let line = |row: &DefaultAbility| -> Vec<Cell> {
        let of = |text: &str| plain(harmless(text));
        let name = format!("{}/{}", harmless(&row.bundle), harmless(&row.ability));
        let entities = row.entities.join(", ");
        vec![of(&row.action), of(&entities), of(&row.scheme), of(&row.mime), (Colour::Bold, name)]
    };
    let lines: Vec<_> = rows.iter().map(line).collect();
    columns(paint, &["ACTION", "ENTITIES", "SCHEME", "TYPE", "DONE BY"], &lines)
}

#[cfg(test)]
mod tests {
    use api::abilities::Candidate;

    use super::*;

    #[test]
    fn a_choice_has_its_candidates_below_it() {
        let candidate = |bundle: &str, label: &str| Candidate {
            bundle: bundle.to_owned(),
            ability: "main".to_owned(),
            label: label.to_owned(),
        };
        let want = Want {
            action: Some("view".to_owned()),
            uri: Some("https://exa\u{1b}mple.org".to_owned()),
            ..Want::default()
        };
        let row = Choice {
            number: 3,
            bundle: "org.mail".to_owned(),
            label: "Mail".to_owned(),
            want,
            candidates: vec![candidate("org.web", "Web"), candidate("org.other", "Other")],
            left: 42,
        };
        let text = choices(std::slice::from_ref(&row), Paint::default());
        insta::assert_snapshot!(text, @r"
        3  Mail (org.mail) wants view https://exa\x1bmple.org, for 42 s more
           1  org.web/main  Web
           2  org.other/main  Other
        ");
        assert_eq!(json(&[row])[0]["candidates"][1]["bundle"], "org.other");
        assert_eq!(choices(&[], Paint::default()), "Nobody has to choose anything.\n");
    }

    #[test]
    fn defaults_are_a_table() {
        let row = DefaultAbility {
            action: "view".into(),
            entities: Vec::new(),
            scheme: "https".into(),
            mime: String::new(),
            bundle: "org.web".into(),
            ability: "main".into(),
        };
        insta::assert_snapshot!(defaults(&[row], Paint::default()), @r"
        ACTION  ENTITIES  SCHEME  TYPE  DONE BY
        view              https         org.web/main
        ");
    }
}
