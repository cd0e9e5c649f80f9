//! Enums that people write as one word.
//!
//! The word in the TOML is the word on the command line and in messages: it is listed once, here,
//! beside the value it stands for. Parsing, "did you mean" and the JSON schemas read the list.

/// A value with a name of one word.
pub trait Word: Copy + PartialEq + 'static {
    /// What kind of thing it is, for messages: `target`, `form factor`.
    const WHAT: &'static str;

    /// Every word and its value.
    const WORDS: &'static [(&'static str, Self)];

    /// The value for a word.
    #[must_use]
    fn from_word(word: &str) -> Option<Self> {
        Self::WORDS.iter().find(|(w, _)| *w == word).map(|(_, value)| *value)
    }

    /// The word for the value.
    #[must_use]
    fn word(self) -> &'static str {
        Self::WORDS.iter().find(|(_, value)| *value == self).map_or("", |(w, _)| w)
    }
}
