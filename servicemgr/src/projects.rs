//! Who has which project: the number by which the file system counts what a service stores. Pure.
//!
//! ```text
//! web:100000      a line of /etc/projid for each, as the tools for quotas read it (repquota -P)
//! ```
//!
//! Lines are only added, so what a service stored before it was away is still its own; but that of an app, which
//! says when it is no more, goes. Lines of others are left alone, and their numbers too. Invariant: no two names have one number. A table with a line
//! that makes no sense gives nobody a number.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::RangeInclusive;

use model::Name;

/// The file, in `/etc`.
pub const FILE: &str = "projid";

/// Numbers that services get; others are left to people.
pub const NUMBERS: RangeInclusive<u32> = 100_000..=199_999;

/// Who has which number.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Projects {
    numbers: BTreeMap<String, u32>,
    /// The highest of ours.
    last: Option<u32>,
}

/// Why a service gets no number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// This line is none, or says what another one says too.
    Damaged(usize),
    /// Every number is given.
    Full,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damaged(line) => write!(
                f,
                "line {line} of /etc/projid is no NAME:NUMBER, or says again what another one says: mend it"
            ),
            Self::Full => write!(
                f,
                "all numbers from {} to {} are given: remove lines of /etc/projid whose services and files \
                 are gone",
                NUMBERS.start(),
                NUMBERS.end()
            ),
        }
    }
}

impl std::error::Error for Refusal {}

impl Projects {
    /// From its text. Empty lines and comments (`#`) are no names.
    ///
    /// # Errors
    /// [`Refusal::Damaged`].
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let mut all = Self::default();
        let mut given = BTreeSet::new();
        for (at, line) in text.split_inclusive('\n').enumerate() {
            let damaged = Refusal::Damaged(at + 1);
            // One that was cut off half-way may have lost digits.
            let line = line.strip_suffix('\n').ok_or(damaged)?;
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (name, number) = line.split_once(':').ok_or(damaged)?;
            let number: u32 = number.parse().map_err(|_| damaged)?;
            if !given.insert(number) || all.numbers.insert(name.to_owned(), number).is_some() {
                return Err(damaged);
            }
            if NUMBERS.contains(&number) {
                all.last = all.last.max(Some(number));
            }
        }
        Ok(all)
    }

    /// The number of a service, which is never 0: that is what belongs to nobody.
    #[must_use]
    pub fn of(&self, name: &Name) -> Option<u32> {
        self.numbers.get(name.as_str()).copied().filter(|number| *number != 0)
    }

    /// The number of a service, and the line to add if it had none. `before`: that of its files, from a
    /// table that was lost.
    ///
    /// # Errors
    /// [`Refusal::Full`].
    pub fn give(
        &mut self,
        name: &Name,
        before: Option<u32>,
    ) -> Result<(u32, Option<String>), Refusal> {
        if let Some(number) = self.of(name) {
            return Ok((number, None));
        }
        let given: BTreeSet<u32> = model::gather(self.numbers.values().copied());
        let free = |number: &u32| NUMBERS.contains(number) && !given.contains(number);
        let next = self.last.map_or(*NUMBERS.start(), |last| last.saturating_add(1));
        let mut all = (next..=*NUMBERS.end()).chain(NUMBERS);
        let number = before.filter(free).or_else(|| all.find(free)).ok_or(Refusal::Full)?;
        self.numbers.insert(name.to_string(), number);
        self.last = self.last.max(Some(number));
        Ok((number, Some(format!("{name}:{number}\n"))))
    }

    /// Takes the number of an app back: the table, in `text`, without its line. No file may have it any more.
    #[must_use]
    pub fn take(&mut self, name: &Name, text: &str) -> String {
        let Some(number) = self.numbers.remove(name.as_str()) else { return text.to_owned() };
        let line = format!("{name}:{number}\n");
        text.split_inclusive('\n').filter(|other| *other != line).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn name(text: &str) -> Name {
        Name::try_from(text.to_owned()).unwrap()
    }

    #[test]
    fn each_has_its_own_and_keeps_it_and_those_of_others_stay_theirs() {
        let text = "# by hand\nmedia:100000\n\nhome:7\n";
        let mut all = Projects::parse(text).unwrap();
        let (web, line) = all.give(&name("web"), None).unwrap();
        assert_eq!((web, line.as_deref()), (100_001, Some("web:100001\n")));
        assert_eq!(all.give(&name("web"), None), Ok((web, None)));
        assert_eq!(all.give(&name("home"), None), Ok((7, None)), "somebody chose it");
        let mut again = Projects::parse(&format!("{text}web:100001\n")).unwrap();
        assert_eq!(again.of(&name("web")), Some(web));
        assert_eq!(again.give(&name("player@one"), None).unwrap().0, 100_002);
    }

    #[test]
    fn who_is_no_more_leaves_the_lines_of_others_as_they_are() {
        let text = "# by hand\nmedia:7\napp@a.b:100000\n\nweb:100001\n";
        let mut all = Projects::parse(text).unwrap();
        let rest = all.take(&name("app@a.b"), text);
        assert_eq!(rest, "# by hand\nmedia:7\n\nweb:100001\n");
        assert_eq!(Projects::parse(&rest).unwrap().of(&name("app@a.b")), None);
        assert_eq!(all.take(&name("app@a.b"), &rest), rest);
        assert_eq!(all.give(&name("app@c.d"), None).unwrap().0, 100_002, "not the next but one");
    }

    #[test]
    fn a_service_whose_line_was_lost_finds_its_files_again_unless_another_has_the_number() {
        let mut all = Projects::default();
        assert_eq!(all.give(&name("web"), Some(100_005)).unwrap().0, 100_005);
        assert_eq!(all.give(&name("mail"), Some(100_005)).unwrap().0, 100_006);
        assert_eq!(all.give(&name("root"), Some(0)).unwrap().0, 100_007, "0 is nobody's");
    }

    #[test]
    fn a_damaged_table_gives_nobody_a_number_and_a_full_one_says_so() {
        for (text, at) in [
            ("web:1\nweb:2\n", 2),
            ("web:1\nmail:1\n", 2),
            ("web:100001", 1),
            ("web\n", 1),
            ("web:-1\n", 1),
            ("\n#\nweb:1:2\n", 3),
        ] {
            assert_eq!(Projects::parse(text), Err(Refusal::Damaged(at)), "{text}");
        }
        let text: String = NUMBERS.map(|number| format!("n{number}:{number}\n")).collect();
        let mut all = Projects::parse(&text).unwrap();
        assert_eq!(all.give(&name("late"), None), Err(Refusal::Full));
    }

    proptest! {
        #[test]
        fn no_two_have_one_number_however_often_it_is_read_again(
            who in prop::collection::vec(("[a-e]", prop::option::of(100_000_u32..100_004)), 1..20),
        ) {
            let mut text = String::new();
            let mut seen = BTreeMap::new();
            for (who, before) in who {
                let mut table = Projects::parse(&text).unwrap();
                let (number, line) = table.give(&name(&who), before).unwrap();
                prop_assert_eq!(*seen.entry(who.clone()).or_insert(number), number);
                prop_assert!(seen.iter().all(|(other, of)| *other == who || *of != number));
                text.extend(line);
            }
        }

        #[test]
        fn any_text_is_a_table_or_damaged(text in "([a-b]:10000[0-1]\n|[ -~\n]{0,20}){0,4}") {
            let _any = Projects::parse(&text);
        }
    }
}
