//! Regular expressions of skills: what the reader of manifests takes is what the device matches with.
//!
//! Invariant: matching takes time in proportion to the text, and memory within [`MAX_PATTERN`], whatever the
//! expression is.

use regex_lite::{Regex, RegexBuilder};

/// Most bytes that an expression may take once it is compiled: some hundred steps, for each letter of a path.
pub const MAX_PATTERN: usize = 8 << 10;

/// An expression that matches a text whole or not at all. The error is a phrase for people.
///
/// # Errors
///
/// The text is no expression of [`regex_lite`], or it is too large.
pub fn pattern(text: &str) -> Result<Regex, String> {
    let compile = |text: &str| RegexBuilder::new(text).size_limit(MAX_PATTERN).build();
    // By itself first: `a)|(b` is none, and would be one between brackets.
    compile(text).and_then(|_| compile(&format!("^(?:{text})$"))).map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expression_matches_a_text_whole() {
        let notes = pattern("/notes/[0-9]+|/n").unwrap();
        let fits = ["/notes/7", "/n", "/notes/", "/notes/7/x", "x/notes/7", "/n/x"]
            .map(|text| notes.is_match(text));
        assert_eq!(fits, [true, true, false, false, false, false]);
    }

    #[test]
    fn what_is_no_expression_or_too_large_is_none() {
        for bad in ["a)|(b", "(", "[", "a{1000}{1000}", "(?x)a #", "\\1"] {
            assert!(pattern(bad).is_err(), "{bad}");
        }
    }
}
