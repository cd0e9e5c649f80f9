//! `RECORD` of a wheel: what is in it, with sums (PEP 376, 427). Pure.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};
use sha2::{Digest, Sha256};

/// Files of a wheel that no sum can be of.
const UNSUMMED: [&str; 3] = ["RECORD", "RECORD.jws", "RECORD.p7s"];

/// The letters of base64 for URLs.
const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// The sums that a `RECORD` has, by path.
pub(super) fn sums(text: &str) -> Result<BTreeMap<String, String>> {
    let mut sums = BTreeMap::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        let fields = fields(line).with_context(|| format!("`{}`", line.escape_debug()))?;
        let [path, sum, _size] = fields.as_slice() else {
            bail!("`{}`: a line has a path, a sum and a size", line.escape_debug());
        };
        if !sum.is_empty() {
            sums.insert(path.clone(), sum.clone());
        }
    }
    Ok(sums)
}

/// Whether `bytes` are the file that `sums` has at `path`, where `own` is the directory of `RECORD`.
pub(super) fn check(
    sums: &BTreeMap<String, String>,
    own: &str,
    path: &str,
    bytes: &[u8],
) -> Result<()> {
    if path
        .strip_prefix(own)
        .and_then(|rest| rest.strip_prefix('/'))
        .is_some_and(|name| UNSUMMED.contains(&name))
    {
        return Ok(());
    }
    let sum =
        sums.get(path).context("it is not in RECORD: the wheel was changed, or made wrongly")?;
    let Some(expected) = sum.strip_prefix("sha256=") else {
        bail!("its sum in RECORD is not one of SHA-256: {}", sum.escape_debug());
    };
    let found = base64(&Sha256::digest(bytes));
    ensure!(found == expected, "it is not what RECORD says: the wheel is damaged, or was changed");
    Ok(())
}

/// Base64 for URLs, without `=` at its end.
pub(super) fn base64(bytes: &[u8]) -> String {
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let byte = |i: usize| u32::from(three.get(i).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for i in 0..=three.len() {
            let index = usize::try_from(bits >> (18 - 6 * i) & 63).unwrap_or(0);
            text.push(char::from(LETTERS.get(index).copied().unwrap_or(b'A')));
        }
    }
    text
}

/// Fields of a line of CSV.
fn fields(line: &str) -> Result<Vec<String>> {
    let mut fields = Vec::new();
    let mut rest = line;
    loop {
        let (field, left) = match rest.strip_prefix('"') {
            None => match rest.split_once(',') {
                None => (rest.to_owned(), None),
                Some((field, left)) => (field.to_owned(), Some(left)),
            },
            Some(quoted) => {
                let end = quote(quoted).context("a quote that does not end")?;
                let (field, left) = quoted.split_at(end);
                let left = left.get(1..).unwrap_or_default();
                ensure!(left.is_empty() || left.starts_with(','), "something behind a quote");
                (field.replace("\"\"", "\""), left.strip_prefix(','))
            }
        };
        fields.push(field);
        match left {
            None => return Ok(fields),
            Some(left) => rest = left,
        }
    }
}

/// Where a quoted field ends: at a quote that is not doubled.
fn quote(text: &str) -> Option<usize> {
    let mut quotes = text.match_indices('"').map(|(at, _)| at).peekable();
    while let Some(at) = quotes.next() {
        if quotes.next_if_eq(&(at + 1)).is_none() {
            return Some(at);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_record_says_is_checked() {
        let text = "a/__init__.py,sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,0\n\
                    \"a/b,\"\"c\"\".py\",sha256=ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0,3\n\
                    a-1.dist-info/RECORD,,\n";
        let sums = sums(text).unwrap();
        let check = |path: &str, bytes: &[u8]| {
            check(&sums, "a-1.dist-info", path, bytes).map_err(|e| e.to_string())
        };
        assert_eq!(check("a/__init__.py", b""), Ok(()));
        assert_eq!(check("a/b,\"c\".py", b"abc"), Ok(()));
        assert_eq!(check("a-1.dist-info/RECORD", b"whatever"), Ok(()));
        assert!(check("a/__init__.py", b"x").unwrap_err().contains("not what RECORD says"));
        assert!(check("a/other.py", b"").unwrap_err().contains("not in RECORD"));
        assert!(check("b-1.dist-info/RECORD", b"").unwrap_err().contains("not in RECORD"));
    }

    #[test]
    fn base64_is_that_of_the_standard() {
        for (text, expected) in
            [("", ""), ("f", "Zg"), ("fo", "Zm8"), ("foo", "Zm9v"), ("foob", "Zm9vYg")]
        {
            assert_eq!(base64(text.as_bytes()), expected);
        }
    }

    #[test]
    fn lines_that_are_none_are_refused() {
        for line in ["a", "a,b,c,d", "\"a,b,c", "\"a\"x,b,c"] {
            assert!(sums(line).is_err(), "{line}");
        }
    }
}
