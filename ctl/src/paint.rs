//! Colours, and text from outside made harmless.

use std::borrow::Cow;
use std::fmt::Write;

/// How a word stands out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colour {
    /// Not at all.
    Plain,
    /// Well.
    Green,
    /// On its way; a warning.
    Yellow,
    /// Failed.
    Red,
    /// A name, a heading.
    Bold,
    /// Less important than the rest.
    Dim,
}

/// What the output can show.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Paint {
    /// Colours.
    pub colour: bool,
    /// It is a terminal: control characters would have effects.
    pub terminal: bool,
}

impl Paint {
    /// Adds a coloured word to `out`.
    pub fn put(self, out: &mut String, colour: Colour, text: &str) {
        let code = match colour {
            Colour::Green => "32",
            Colour::Yellow => "33",
            Colour::Red => "1;31",
            Colour::Bold => "1",
            Colour::Dim => "2",
            Colour::Plain => "",
        };
        if self.colour && !code.is_empty() {
            let _ = write!(out, "\x1b[{code}m{text}\x1b[0m");
        } else {
            out.push_str(text);
        }
    }

    /// A coloured word.
    #[must_use]
    pub fn word(self, colour: Colour, text: &str) -> String {
        let mut out = String::new();
        self.put(&mut out, colour, text);
        out
    }

    /// Text of a log record: escaped for a terminal, as it is for a program.
    #[must_use]
    pub fn message(self, text: &str) -> Cow<'_, str> {
        if self.terminal { harmless(text) } else { Cow::Borrowed(text) }
    }
}

/// On one line and without effects: control characters, and those that reorder text, are written
/// as `\n`, `\x1b`, `\u{202e}`.
#[must_use]
pub fn harmless(text: &str) -> Cow<'_, str> {
    if !text.chars().any(acts) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '\n' | '\r' => out.extend(c.escape_default()),
            c if acts(c) && c.is_ascii() => {
                let _ = write!(out, "\\x{:02x}", u32::from(c));
            }
            c if acts(c) => out.extend(c.escape_unicode()),
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

fn acts(c: char) -> bool {
    let reorders =
        matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    (c.is_control() && c != '\t') || reorders
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_outside_moves_the_cursor() {
        assert_eq!(harmless("plain\ttext, grüße"), "plain\ttext, grüße");
        assert_eq!(harmless("\x1b[2Ja\nb\r\u{9b}1m\u{7f}"), r"\x1b[2Ja\nb\r\u{9b}1m\x7f");
        assert_eq!(harmless("a\u{202e}b"), r"a\u{202e}b");
        let program = Paint::default();
        assert_eq!(program.message("\x1b[1mbold"), "\x1b[1mbold");
        assert_eq!(Paint { terminal: true, ..program }.message("\x1b[1mbold"), r"\x1b[1mbold");
    }

    #[test]
    fn colours_are_left_out_where_nobody_sees_them() {
        let colour = Paint { colour: true, terminal: true };
        assert_eq!(colour.word(Colour::Green, "ready"), "\x1b[32mready\x1b[0m");
        assert_eq!(Paint::default().word(Colour::Green, "ready"), "ready");
    }
}
