//! Why a link ends, as the one that ends it says: one word with which the link is closed.

/// The words.
const WORDS: &[(&str, Bye)] = &[
    ("another", Bye::Another),
    ("full", Bye::Full),
    ("removed", Bye::Removed),
    ("left", Bye::Left),
    ("silent", Bye::Silent),
    ("version", Bye::Version),
    ("ending", Bye::Ending),
    ("nonsense", Bye::Nonsense),
];

/// Why a link ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bye {
    /// There is another link between the same two.
    Another,
    /// It has as many links as it keeps, and nobody needs this one.
    Full,
    /// The other one is not of the group any more.
    Removed,
    /// It has left the group.
    Left,
    /// No greeting came.
    Silent,
    /// No version is spoken by both.
    Version,
    /// The device goes down, or the service starts anew.
    Ending,
    /// What came made no sense.
    Nonsense,
}

impl Bye {
    /// As it is said.
    #[must_use]
    pub fn word(self) -> &'static str {
        WORDS.iter().find(|(_, bye)| *bye == self).map_or("", |(word, _)| word)
    }

    /// What was said, if it is one of these.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        WORDS.iter().find(|(one, _)| *one == word).map(|(_, bye)| *bye)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_understood() {
        for (word, bye) in WORDS {
            assert_eq!((bye.word(), Bye::from_word(word)), (*word, Some(*bye)));
        }
        assert_eq!(Bye::from_word("farewell"), None);
    }
}
