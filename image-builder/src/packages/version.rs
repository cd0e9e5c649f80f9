//! Debian versions, ordered exactly as dpkg orders them.
//!
//! `[epoch:]upstream[-revision]`: the epoch is a number; the other two are compared piece by piece,
//! letters before everything else that is no digit, `~` before even the end.

use std::cmp::Ordering;

/// Compares two versions as `dpkg --compare-versions` does.
#[must_use]
pub fn compare(a: &str, b: &str) -> Ordering {
    let (epoch_a, upstream_a, revision_a) = split(a);
    let (epoch_b, upstream_b, revision_b) = split(b);
    number(epoch_a.bytes())
        .cmp(&number(epoch_b.bytes()))
        .then_with(|| compare_part(upstream_a, upstream_b))
        .then_with(|| compare_part(revision_a, revision_b))
}

/// How a dependency limits a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// `<<`
    Earlier,
    /// `<=`
    AtMost,
    /// `=`
    Exactly,
    /// `>=`
    AtLeast,
    /// `>>`
    Later,
}

impl Op {
    /// The operator written as `text`; the old `<` and `>` mean `<=` and `>=`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "<<" => Self::Earlier,
            "<=" | "<" => Self::AtMost,
            "=" => Self::Exactly,
            ">=" | ">" => Self::AtLeast,
            ">>" => Self::Later,
            _ => return None,
        })
    }

    /// Whether the version `have` is within `self` of `limit`.
    #[must_use]
    pub fn holds(self, have: &str, limit: &str) -> bool {
        let order = compare(have, limit);
        match self {
            Self::Earlier => order.is_lt(),
            Self::AtMost => order.is_le(),
            Self::Exactly => order.is_eq(),
            Self::AtLeast => order.is_ge(),
            Self::Later => order.is_gt(),
        }
    }

    /// As it is written in dependencies.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::Earlier => "<<",
            Self::AtMost => "<=",
            Self::Exactly => "=",
            Self::AtLeast => ">=",
            Self::Later => ">>",
        }
    }
}

fn split(version: &str) -> (&str, &str, &str) {
    let (epoch, rest) = version.split_once(':').unwrap_or(("", version));
    let (upstream, revision) = rest.rsplit_once('-').unwrap_or((rest, ""));
    (epoch, upstream, revision)
}

/// Digits without leading zeros, ordered as the number they are, however long.
fn number(digits: impl Iterator<Item = u8>) -> (usize, Vec<u8>) {
    let digits: Vec<u8> = digits.skip_while(|d| *d == b'0').collect();
    (digits.len(), digits)
}

/// dpkg's `verrevcmp`: text and number by turns.
fn compare_part(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.as_bytes(), b.as_bytes());
    while !a.is_empty() || !b.is_empty() {
        let (text_a, text_b) =
            (take(&mut a, |c| !c.is_ascii_digit()), take(&mut b, |c| !c.is_ascii_digit()));
        let by_text = compare_text(text_a, text_b);
        if by_text.is_ne() {
            return by_text;
        }
        let (digits_a, digits_b) =
            (take(&mut a, u8::is_ascii_digit), take(&mut b, u8::is_ascii_digit));
        let by_number = compare_digits(digits_a, digits_b);
        if by_number.is_ne() {
            return by_number;
        }
    }
    Ordering::Equal
}

fn take<'a>(from: &mut &'a [u8], belongs: impl Fn(&u8) -> bool) -> &'a [u8] {
    let end = from.iter().position(|c| !belongs(c)).unwrap_or(from.len());
    let (taken, rest) = from.split_at(end);
    *from = rest;
    taken
}

fn compare_text(a: &[u8], b: &[u8]) -> Ordering {
    (0..a.len().max(b.len()))
        .map(|i| weight(a.get(i)).cmp(&weight(b.get(i))))
        .find(|order| order.is_ne())
        .unwrap_or(Ordering::Equal)
}

fn compare_digits(a: &[u8], b: &[u8]) -> Ordering {
    let trim = |d: &[u8]| d.iter().position(|c| *c != b'0').unwrap_or(d.len());
    let (a, b) = (a.get(trim(a)..).unwrap_or_default(), b.get(trim(b)..).unwrap_or_default());
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

fn weight(c: Option<&u8>) -> i32 {
    match c {
        Some(b'~') => -1,
        None => 0,
        Some(c) if c.is_ascii_alphabetic() => i32::from(*c),
        Some(c) => i32::from(*c) + 256,
    }
}

#[cfg(test)]
mod tests {
    use super::{Op, compare};
    use proptest::prelude::*;
    use std::cmp::Ordering;
    use std::process::Command;

    #[test]
    fn the_order_is_the_one_of_the_manual() {
        let ascending = [
            "0~~",
            "0~~a",
            "0~",
            "0",
            "0a",
            "0a.b",
            "0+",
            "0.1~rc1",
            "0.1",
            "0.1-1~bpo13+1",
            "0.1-1",
            "0.1-1+b1",
            "0.1-1.1",
            "0.1-2",
            "0.1-10",
            "0.2",
            "0.10",
            "1:0",
            "2:0~",
            "10:0",
        ];
        for pair in ascending.windows(2) {
            assert_eq!(compare(pair[0], pair[1]), Ordering::Less, "{pair:?}");
            assert_eq!(compare(pair[1], pair[0]), Ordering::Greater, "{pair:?}");
        }
    }

    #[test]
    fn zeros_epochs_and_revisions_that_say_nothing_are_equal_to_none() {
        for (a, b) in [("1.0", "0:1.0"), ("1.0", "1.0-0"), ("1.01", "1.1"), ("1.", "1.0")] {
            assert_eq!(compare(a, b), Ordering::Equal, "{a} {b}");
        }
    }

    #[test]
    fn the_old_operators_include_the_limit() {
        assert!(Op::parse("<").is_some_and(|op| op.holds("1", "1")));
        assert!(Op::parse("<<").is_some_and(|op| !op.holds("1", "1")));
        assert_eq!(Op::parse("=="), None);
    }

    fn dpkg_says(a: &str, op: &str, b: &str) -> Option<bool> {
        let status = Command::new("dpkg").args(["--compare-versions", a, op, b]).status().ok()?;
        Some(status.success())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn dpkg_itself_agrees(
            a in "([0-9]:)?[0-9][0-9a-c.+~]{0,5}(-[0-9a-c.+~]{1,4})?",
            b in "([0-9]:)?[0-9][0-9a-c.+~]{0,5}(-[0-9a-c.+~]{1,4})?",
        ) {
            for op in ["<<", "=", ">>"] {
                if let Some(says) = dpkg_says(&a, op, &b) {
                    prop_assert_eq!(Op::parse(op).is_some_and(|o| o.holds(&a, &b)), says, "{} {} {}", a, op, b);
                }
            }
        }

        #[test]
        fn any_text_at_all_has_an_order(a in ".{0,12}", b in ".{0,12}") {
            prop_assert_eq!(compare(&a, &b), compare(&b, &a).reverse());
        }
    }
}
