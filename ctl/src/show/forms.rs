//! `ensctl ability form`, as text.

use api::abilities::Form;

use super::{Cell, columns, plain};
use crate::paint::{Colour, Paint, harmless};

/// Every card, with what is on it.
#[must_use]
pub fn forms(rows: &[Form], paint: Paint) -> String {
    if rows.is_empty() {
        return "No card was added.\n".to_owned();
    }
    let line = |row: &Form| -> Vec<Cell> {
        let name = format!("{}/{}", harmless(&row.bundle), harmless(&row.ability));
        let what = if row.why.is_empty() {
            plain(harmless(&words(row)))
        } else {
            (Colour::Yellow, format!("not filled: {}", harmless(&row.why)))
        };
        vec![(Colour::Bold, row.number.to_string()), plain(name), plain(harmless(&row.size)), what]
    };
    let lines: Vec<_> = rows.iter().map(line).collect();
    columns(paint, &["CARD", "ABILITY", "SIZE", "SAYS"], &lines)
}

/// What is on a card, sorted by the names of it.
fn words(row: &Form) -> String {
    let mut all: Vec<String> =
        row.data.iter().map(|(name, text)| format!("{name}={text}")).collect();
    all.sort();
    all.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_says_what_is_on_it_or_why_nothing_is() {
        let filled = Form {
            number: 1,
            bundle: "org.weather".into(),
            ability: "card".into(),
            label: "Weather".into(),
            size: "2x4".into(),
            data: [("title", "Vi\u{1b}enna"), ("text", "12 °C")]
                .map(|(name, text)| (name.to_owned(), text.to_owned()))
                .into(),
            updated: 1,
            next: 0,
            why: String::new(),
        };
        let not = Form { number: 12, why: "it has ended: status 1".into(), ..filled.clone() };
        insta::assert_snapshot!(forms(&[filled, not], Paint::default()), @r"
        CARD  ABILITY           SIZE  SAYS
        1     org.weather/card  2x4   text=12 °C title=Vi\x1benna
        12    org.weather/card  2x4   not filled: it has ended: status 1
        ");
        assert_eq!(forms(&[], Paint::default()), "No card was added.\n");
    }
}
