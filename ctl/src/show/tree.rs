//! `ensctl service tree`: who needs whom.

use std::collections::{BTreeMap, BTreeSet};

use api::services::{Edge, Row};

use super::services::colour;
use crate::paint::{Colour, Paint, harmless};

/// Keys by which one service pulls another in.
const PULLS: [&str; 3] = ["requires", "binds", "wants"];

/// Draws what `name` needs (or what needs it), or all that starts at boot.
#[must_use]
pub fn draw(
    rows: &[Row],
    edges: &[Edge],
    name: Option<&str>,
    reverse: bool,
    paint: Paint,
) -> String {
    let mut drawing = Drawing {
        rows: rows.iter().map(|row| (row.name.as_str(), row)).collect(),
        below: BTreeMap::new(),
        drawn: BTreeSet::new(),
        paint,
        out: String::new(),
    };
    for edge in edges.iter().filter(|edge| PULLS.contains(&edge.kind.as_str())) {
        let (from, to) = if reverse { (&edge.to, &edge.from) } else { (&edge.from, &edge.to) };
        drawing.below.entry(from).or_default().push((to, &edge.kind));
    }
    match name {
        Some(name) => drawing.subtree(name),
        None => {
            let roots = rows.iter().filter(|row| row.enabled);
            roots.for_each(|row| drawing.subtree(&row.name));
        }
    }
    drawing.out
}

struct Drawing<'a> {
    rows: BTreeMap<&'a str, &'a Row>,
    below: BTreeMap<&'a str, Vec<(&'a str, &'a str)>>,
    drawn: BTreeSet<&'a str>,
    paint: Paint,
    out: String,
}

impl<'a> Drawing<'a> {
    /// Depth first, without recursion: a chain may be thousands long.
    fn subtree(&mut self, root: &'a str) {
        // What is left to draw: name, key, indent, and whether it is the last of its siblings.
        let mut todo: Vec<(&'a str, &'a str, String, bool)> = vec![(root, "", String::new(), true)];
        while let Some((name, key, indent, last)) = todo.pop() {
            let top = key.is_empty();
            let branch = match (top, last) {
                (true, _) => "",
                (false, true) => "└─ ",
                (false, false) => "├─ ",
            };
            self.out.push_str(&indent);
            self.paint.put(&mut self.out, Colour::Dim, branch);
            let again = !self.drawn.insert(name);
            let below = self.below.get(name).cloned().unwrap_or_default();
            self.line(name, key, again && !below.is_empty());
            if again {
                continue;
            }
            let indent = match (top, last) {
                (true, _) => indent,
                (false, true) => indent + "   ",
                (false, false) => indent + "│  ",
            };
            let count = below.len();
            for (at, (to, kind)) in below.into_iter().enumerate().rev() {
                todo.push((to, kind, indent.clone(), at + 1 == count));
            }
        }
    }

    fn line(&mut self, name: &str, key: &str, again: bool) {
        self.out.push_str(&harmless(name));
        if let Some(row) = self.rows.get(name) {
            self.out.push(' ');
            self.paint.put(&mut self.out, colour(row.state), row.state.word());
        }
        if key == "wants" {
            self.paint.put(&mut self.out, Colour::Dim, " (wanted)");
        }
        if again {
            self.paint.put(&mut self.out, Colour::Dim, " (see above)");
        }
        self.out.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use api::services::State;

    use super::*;
    use crate::show::services::tests::row;

    #[test]
    fn a_tree_shows_each_need_once_in_full() {
        let rows = [
            row("app", State::Ready),
            Row { enabled: false, ..row("db", State::Ready) },
            Row { enabled: false, ..row("disk", State::Done) },
            Row { enabled: false, ..row("log", State::Failed) },
        ];
        let edge = |from: &str, kind: &str, to: &str| Edge {
            from: from.into(),
            kind: kind.into(),
            to: to.into(),
        };
        let edges = [
            edge("app", "requires", "db"),
            edge("app", "wants", "log"),
            edge("db", "requires", "disk"),
            edge("log", "requires", "db"),
            edge("disk", "after", "app"),
        ];
        insta::assert_snapshot!(draw(&rows, &edges, None, false, Paint::default()), @r"
        app ready
        ├─ db ready
        │  └─ disk done
        └─ log failed (wanted)
           └─ db ready (see above)
        ");
        insta::assert_snapshot!(draw(&rows, &edges, Some("disk"), true, Paint::default()), @r"
        disk done
        └─ db ready
           ├─ app ready
           └─ log failed
              └─ app ready (wanted)
        ");
    }

    #[test]
    fn a_circle_has_an_end() {
        let edges = [Edge { from: "a".into(), kind: "requires".into(), to: "a".into() }];
        assert_eq!(draw(&[], &edges, Some("a"), false, Paint::default()), "a\n└─ a (see above)\n");
    }
}
