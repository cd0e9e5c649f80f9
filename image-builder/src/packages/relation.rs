//! What one package says about another: `a (>= 1) | b, c:any`.

use std::fmt;

use super::version::Op;

/// One alternative of a [`Clause`]: a name, perhaps with a limit on the version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Relation<'a> {
    /// The package, or something that packages provide.
    pub name: &'a str,
    /// Which versions will do.
    pub limit: Option<(Op, &'a str)>,
}

/// Alternatives, any of which will do, as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clause<'a> {
    /// The whole of it, for messages.
    pub text: &'a str,
    /// In order of preference.
    pub alternatives: Vec<Relation<'a>>,
}

impl Relation<'_> {
    /// Whether `version` is within the limit.
    #[must_use]
    pub fn allows(&self, version: &str) -> bool {
        self.limit.is_none_or(|(op, limit)| op.holds(version, limit))
    }
}

impl fmt::Display for Relation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.limit {
            None => f.write_str(self.name),
            Some((op, version)) => write!(f, "{} ({} {version})", self.name, op.text()),
        }
    }
}

/// The clauses of a field such as `Depends`; what has no meaning is given as `Err` with its text.
pub fn clauses(field: &str) -> impl Iterator<Item = Result<Clause<'_>, &str>> {
    field.split(',').map(str::trim).filter(|text| !text.is_empty()).map(|text| {
        let alternatives = text.split('|').map(|one| relation(one.trim()).ok_or(text));
        Ok(Clause { text, alternatives: alternatives.collect::<Result<_, _>>()? })
    })
}

/// One name with its limit: `name[:arch] [(op version)]`.
#[must_use]
pub fn relation(text: &str) -> Option<Relation<'_>> {
    let (name, limit) = match text.split_once('(') {
        None => (text, None),
        Some((name, rest)) => {
            let inside = rest.strip_suffix(')')?.trim();
            let end = inside.find(|c| !"<>=".contains(c))?;
            let (op, version) = (inside.get(..end)?, inside.get(end..)?.trim());
            let wellformed = !version.is_empty() && !version.contains(char::is_whitespace);
            (name, Some((Op::parse(op)?, wellformed.then_some(version)?)))
        }
    };
    let name = name.trim();
    let name = name.split_once(':').map_or(name, |(name, _architecture)| name);
    is_name(name).then_some(Relation { name, limit })
}

/// Whether `text` can be the name of a package.
#[must_use]
pub fn is_name(text: &str) -> bool {
    let fine = |c: u8| c.is_ascii_alphanumeric() || b"+-._".contains(&c);
    text.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric) && text.bytes().all(fine)
}

#[cfg(test)]
mod tests {
    use super::{clauses, relation};
    use proptest::prelude::*;

    #[test]
    fn alternatives_limits_and_architectures_are_read() {
        let field = "debconf (>= 0.5) | debconf-2.0, perl:any, libc6 (>=2.36),";
        let shown: Vec<String> = clauses(field)
            .map(|c| c.unwrap().alternatives.iter().map(ToString::to_string).collect::<Vec<_>>())
            .map(|alternatives| alternatives.join(" or "))
            .collect();
        assert_eq!(shown, ["debconf (>= 0.5) or debconf-2.0", "perl", "libc6 (>= 2.36)"]);
    }

    #[test]
    fn nonsense_is_named_not_skipped() {
        for bad in ["a (", "a ()", "a (1)", "a (>= )", "a (~ 1)", "a b", "-x", "a (= 1 2)", "../x"]
        {
            assert_eq!(clauses(bad).next(), Some(Err(bad)), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_text_is_too_strange(text in ".{0,40}") {
            let _ = relation(&text);
        }
    }
}
