//! What the daemons answered, as text. Pure: data in, text out.

pub mod abilities;
pub mod apps;
pub mod background;
pub mod boot;
pub mod choices;
pub mod devices;
pub mod forms;
pub mod log;
pub mod permission;
pub mod refusals;
pub mod sandbox;
pub mod score;
pub mod security;
pub mod services;
pub mod stores;
pub mod svg;
pub mod system;
pub mod tree;
pub mod uses;
pub mod why;

use crate::paint::{Colour, Paint};

/// A word in a table, and how it stands out.
pub(crate) type Cell = (Colour, String);

/// A word that does not stand out.
pub(crate) fn plain(text: impl Into<String>) -> Cell {
    (Colour::Plain, text.into())
}

/// Rows in columns two blanks apart; the first row is the heading.
pub(crate) fn columns(paint: Paint, heading: &[&str], rows: &[Vec<Cell>]) -> String {
    let heading: Vec<Cell> = heading.iter().map(|word| (Colour::Dim, (*word).to_owned())).collect();
    let rows = || std::iter::once(&heading).chain(rows);
    let width = |at: usize| {
        let of = |row: &Vec<Cell>| row.get(at).map_or(0, |(_, text)| text.chars().count());
        rows().map(of).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..heading.len()).map(width).collect();
    let mut out = String::new();
    for row in rows() {
        let last = row.iter().rposition(|(_, text)| !text.is_empty()).unwrap_or_default();
        for (at, ((colour, text), width)) in row.iter().zip(&widths).enumerate().take(last + 1) {
            paint.put(&mut out, *colour, text);
            if at < last {
                out.extend(std::iter::repeat_n(' ', width - text.chars().count() + 2));
            }
        }
        out.push('\n');
    }
    out
}

/// `1 service`, `3 services`.
pub(crate) fn count(n: impl Into<u64>, noun: &str) -> String {
    let n = n.into();
    if n == 1 { format!("1 {noun}") } else { format!("{n} {noun}s") }
}

/// Bytes as `512 B`, `1.5 MiB`.
pub(crate) fn bytes(n: u64) -> String {
    let mut unit = 1_u64;
    for name in ["B", "KiB", "MiB", "GiB"] {
        if n / unit < 1024 || name == "GiB" {
            let tenths = n % unit * 10 / unit;
            let whole = n / unit;
            return if unit == 1 { format!("{n} B") } else { format!("{whole}.{tenths} {name}") };
        }
        unit *= 1024;
    }
    String::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_readable() {
        assert_eq!([bytes(0), bytes(1023), bytes(1536)], ["0 B", "1023 B", "1.5 KiB"]);
        assert_eq!([bytes(64 << 20), bytes(5 << 40)], ["64.0 MiB", "5120.0 GiB"]);
    }
}
