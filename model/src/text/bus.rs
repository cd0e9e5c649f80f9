//! Names in D-Bus messages, after its specification, and what a message may be matched by.

use super::value::{Checked, bad};

/// Longest name of anything, in bytes: D-Bus allows no more.
const MAX_NAME: usize = 255;

/// Longest path of an object, in bytes. D-Bus has no limit; a match rule of a bus does.
const MAX_PATH: usize = 255;

/// Longest first argument that is matched, in bytes. As above.
const MAX_ARGUMENT: usize = 1024;

/// Letters, digits and `_`, no digit first.
fn is_word(word: &str) -> bool {
    let legal = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    !word.is_empty() && !word.starts_with(|c: char| c.is_ascii_digit()) && word.bytes().all(legal)
}

/// The path of an object.
pub(crate) fn object(text: &str) -> Checked<String> {
    let legal = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    let part = |part: &str| !part.is_empty() && part.bytes().all(legal);
    let parts = text.strip_prefix('/').filter(|_| text.len() <= MAX_PATH);
    if text == "/" || parts.is_some_and(|parts| parts.split('/').all(part)) {
        return Ok(text.to_owned());
    }
    bad(format!("`{text}` is not the path of an object"), "like \"/org/example/Power\"")
}

/// The name of an interface.
pub(crate) fn interface(text: &str) -> Checked<String> {
    if text.len() <= MAX_NAME && text.contains('.') && text.split('.').all(is_word) {
        return Ok(text.to_owned());
    }
    bad(
        format!("`{text}` is not the name of an interface"),
        "two or more words with `.` between them, like \"org.example.Power\"",
    )
}

/// The name of a signal.
pub(crate) fn member(text: &str) -> Checked<String> {
    if text.len() <= MAX_NAME && is_word(text) {
        return Ok(text.to_owned());
    }
    bad(format!("`{text}` is not the name of a signal"), "one word, like \"Changed\"")
}

/// The first argument of a signal.
pub(crate) fn argument(text: &str) -> Checked<String> {
    if text.len() <= MAX_ARGUMENT && !text.contains('\0') {
        return Ok(text.to_owned());
    }
    bad("this can't be matched", format!("at most {MAX_ARGUMENT} bytes without a NUL"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_as_the_specification_has_them() {
        for path in ["/", "/a", "/org/example/P_1/0"] {
            assert_eq!(object(path).unwrap(), path);
        }
        for path in ["", "a", "//", "/a/", "/a-b", &format!("/{}", "a".repeat(255))] {
            assert!(object(path).is_err(), "{path}");
        }
        assert!(interface("org.example.Power_2").is_ok() && interface("a.b").is_ok());
        for name in ["Power", "org..Power", "org.2a", "org.a-b", ""] {
            assert!(interface(name).is_err(), "{name}");
        }
        assert!(member("Changed").is_ok() && member("_2").is_ok());
        for name in ["", "2nd", "a.b", "a-b"] {
            assert!(member(name).is_err(), "{name}");
        }
        assert!(argument("it's 100 %").is_ok() && argument("").is_ok());
        assert!(argument("a\0").is_err() && argument(&"a".repeat(1025)).is_err());
    }
}
