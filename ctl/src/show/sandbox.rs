//! `ensctl sandbox`: what services may do, as text.

use api::sandbox::{Explained, Place, Sentence, Value};

use crate::paint::{Colour, Paint, harmless};

/// What a service may do.
#[must_use]
pub fn explained(explained: &Explained, paint: Paint) -> String {
    let Explained { name, user, confined, refused, left_out, unplaced, permissions, sentences } =
        explained;
    let mut out = paint.word(Colour::Bold, &harmless(name));
    out.push_str(&format!(" runs as {}", harmless(user)));
    out.push_str(if *confined { " in a sandbox.\n" } else { ", and no profile restricts it.\n" });
    if !refused.is_empty() {
        paint.put(&mut out, Colour::Red, "It does not start here");
        out.push_str(&format!(": {}.\n", harmless(refused)));
    }
    if !left_out.is_empty() {
        paint.put(&mut out, Colour::Yellow, "This kernel lacks");
        let lacks = left_out.join(", ");
        out.push_str(&format!(" {}: rules that need it are left out.\n", harmless(&lacks)));
    }
    if !unplaced.is_empty() {
        out.push_str("Where its rules are written is not known: ");
        // The reason may be a report of several lines.
        for line in unplaced.lines() {
            out.push_str(&harmless(line));
            out.push('\n');
        }
    }
    if !permissions.is_empty() {
        let (noun, names) = (
            if permissions.len() == 1 { "permission" } else { "permissions" },
            permissions.join(", "),
        );
        out.push_str(&format!("It has the {noun}: {}.\n", harmless(&names)));
    }
    topics(sentences, paint, &mut out);
    out
}

/// Sentences, each topic under its heading.
pub(crate) fn topics(sentences: &[Sentence], paint: Paint, out: &mut String) {
    let mut topic = "";
    for sentence in sentences {
        if sentence.topic != topic {
            topic = &sentence.topic;
            out.push('\n');
            paint.put(out, Colour::Bold, &harmless(topic));
            out.push('\n');
        }
        one(sentence, paint, out);
    }
}

/// One sentence with its values, each with its places.
fn one(sentence: &Sentence, paint: Paint, out: &mut String) {
    out.push_str(&format!("  {}", harmless(&sentence.text)));
    let (own, list): (Vec<&Value>, Vec<&Value>) =
        sentence.values.iter().partition(|value| value.text.is_empty());
    let own: Vec<&Place> = own.into_iter().flat_map(|value| &value.places).collect();
    if !own.is_empty() {
        paint.put(out, Colour::Dim, &format!("  {}", places(own)));
    }
    out.push('\n');
    let width = list.iter().map(|value| value.text.chars().count()).max().unwrap_or_default();
    for value in list {
        let places = places(value.places.iter());
        if places.is_empty() {
            out.push_str(&format!("    {}\n", harmless(&value.text)));
        } else {
            out.push_str(&format!("    {:width$}  ", harmless(&value.text)));
            paint.put(out, Colour::Dim, &places);
            out.push('\n');
        }
    }
}

fn places<'p>(places: impl IntoIterator<Item = &'p Place>) -> String {
    let one = |place: &Place| format!("{}:{}", harmless(&place.file), place.line);
    places.into_iter().map(one).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str, line: u32) -> Value {
        Value { text: text.into(), places: vec![Place { file: "/etc/web.toml".into(), line }] }
    }

    fn sentence(topic: &str, text: &str, values: Vec<Value>) -> Sentence {
        Sentence { topic: topic.into(), text: text.into(), values }
    }

    #[test]
    fn what_it_may_do_is_grouped_and_each_rule_has_its_line() {
        let nothing = Value { text: "/x\x1b".into(), places: Vec::new() };
        let web = Explained {
            name: "web".into(),
            user: "www".into(),
            confined: true,
            refused: String::new(),
            left_out: vec!["landlock-6".into()],
            unplaced: String::new(),
            permissions: vec!["camera".into()],
            sentences: vec![
                sentence(
                    "files",
                    "It may read:",
                    vec![value("/srv", 4), value("/usr/share", 5), nothing],
                ),
                sentence("files", "It has no devices.", vec![]),
                sentence("memory", "It is never executed.", vec![value("", 9)]),
            ],
        };
        insta::assert_snapshot!(explained(&web, Paint::default()), @r"
        web runs as www in a sandbox.
        This kernel lacks landlock-6: rules that need it are left out.
        It has the permission: camera.

        files
          It may read:
            /srv        /etc/web.toml:4
            /usr/share  /etc/web.toml:5
            /x\x1b
          It has no devices.

        memory
          It is never executed.  /etc/web.toml:9
        ");
        let free = Explained {
            confined: false,
            refused: "the kernel lacks seccomp".into(),
            left_out: vec![],
            unplaced: "no file\nof it".into(),
            permissions: vec![],
            sentences: vec![],
            ..web
        };
        insta::assert_snapshot!(explained(&free, Paint::default()), @r"
        web runs as www, and no profile restricts it.
        It does not start here: the kernel lacks seccomp.
        Where its rules are written is not known: no file
        of it
        ");
    }
}
