//! Who has which number, of the services with a user of their own. Pure.
//!
//! ```text
//! own-web:x:30000:30000:web:/var/lib/web:/usr/sbin/nologin      a line of /etc/ensemble/own-users for each
//! ```
//!
//! Lines are only added, so a number that was given never becomes that of another service: its files may
//! be anywhere. Invariant: no two services have one number, and none has that of a user of the device. A
//! table that is not as we write it gives nobody a number.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use model::Name;
use model::service::{OWN_IDS, OWN_PREFIX, own_user, state_directory};

/// Shell of users that nobody logs in as.
const SHELL: &str = "/usr/sbin/nologin";

/// Who has which number.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Table {
    numbers: BTreeMap<Name, u32>,
    /// The one that was given last.
    last: Option<u32>,
}

/// Why a service gets no number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// This line of the table is not ours, or says what another one says too.
    Damaged(usize),
    /// Every number is given.
    Full,
    /// The number of this service is that of somebody else, too.
    Shared(Name, u32),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damaged(line) => write!(
                f,
                "line {line} of /etc/ensemble/own-users is damaged, so numbers could be given twice: \
                 mend it by hand, `stat -c '%u %n' /var/lib/*` tells who has which"
            ),
            Self::Full => write!(
                f,
                "all numbers from {} to {} are given: remove lines of /etc/ensemble/own-users whose \
                 services and files are gone",
                OWN_IDS.start(),
                OWN_IDS.end()
            ),
            Self::Shared(name, number) => write!(
                f,
                "{number} is the number of {name} and of a user or group of /etc: give that another one"
            ),
        }
    }
}

impl std::error::Error for Refusal {}

impl Table {
    /// From its text.
    ///
    /// # Errors
    /// [`Refusal::Damaged`].
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let mut table = Self::default();
        let mut given = BTreeSet::new();
        for (number, line) in text.split_inclusive('\n').enumerate() {
            let damaged = Refusal::Damaged(number + 1);
            let (name, id) = read(line).ok_or_else(|| damaged.clone())?;
            if !given.insert(id) || table.numbers.insert(name, id).is_some() {
                return Err(damaged);
            }
            table.last = Some(id);
        }
        Ok(table)
    }

    /// The number of a service.
    #[must_use]
    pub fn of(&self, name: &Name) -> Option<u32> {
        self.numbers.get(name).copied()
    }

    /// The number of a service, and the line to add if it had none. `taken`: numbers of others.
    /// `before`: whose number its data have, from a table that was lost.
    ///
    /// # Errors
    /// Why it gets none.
    pub fn give(
        &mut self,
        name: &Name,
        taken: &BTreeSet<u32>,
        before: Option<u32>,
    ) -> Result<(u32, Option<String>), Refusal> {
        if let Some(id) = self.of(name) {
            let shared = taken.contains(&id);
            return if shared { Err(Refusal::Shared(name.clone(), id)) } else { Ok((id, None)) };
        }
        let given: BTreeSet<u32> = model::gather(self.numbers.values().copied());
        let free = |id: &u32| OWN_IDS.contains(id) && !given.contains(id);
        let before = before.filter(free);
        let next = self.last.map_or(*OWN_IDS.start(), |last| last.saturating_add(1));
        let mut all = (next..=*OWN_IDS.end()).chain(OWN_IDS);
        let id = before.or_else(|| all.find(|id| free(id) && !taken.contains(id)));
        let id = id.ok_or(Refusal::Full)?;
        self.numbers.insert(name.clone(), id);
        self.last = Some(id);
        Ok((id, Some(line(name, id))))
    }
}

fn line(name: &Name, id: u32) -> String {
    let (user, home) = (own_user(name), state_directory(name));
    format!("{user}:x:{id}:{id}:{name}:{home}:{SHELL}\n")
}

/// A line exactly as [`line`] writes it.
fn read(text: &str) -> Option<(Name, u32)> {
    let mut fields = text.split(':');
    let name = fields.next()?.strip_prefix(OWN_PREFIX)?;
    let name = Name::try_from(name.to_owned()).ok()?;
    let id = fields.nth(1)?.parse().ok().filter(|id| OWN_IDS.contains(id))?;
    (line(&name, id) == text).then_some((name, id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn name(text: &str) -> Name {
        Name::try_from(text.to_owned()).unwrap()
    }

    fn give(table: &mut Table, who: &str) -> (u32, Option<String>) {
        table.give(&name(who), &BTreeSet::new(), None).unwrap()
    }

    #[test]
    fn each_has_its_own_and_keeps_it() {
        let mut table = Table::default();
        let (web, line) = give(&mut table, "web");
        let text = line.unwrap();
        assert_eq!(text, "own-web:x:30000:30000:web:/var/lib/web:/usr/sbin/nologin\n");
        assert_eq!(give(&mut table, "player@one").0, web + 1);
        assert_eq!(give(&mut table, "web"), (web, None));
        let mut again = Table::parse(&text).unwrap();
        assert_eq!(give(&mut again, "web"), (web, None));
        assert_eq!(give(&mut again, "mail").0, web + 1);
    }

    #[test]
    fn numbers_of_users_of_the_device_are_left_alone_and_never_shared() {
        let mut table = Table::default();
        let taken = BTreeSet::from([30_000, 30_001]);
        assert_eq!(table.give(&name("web"), &taken, None).unwrap().0, 30_002);
        let taken = BTreeSet::from([30_002]);
        let shared = Err(Refusal::Shared(name("web"), 30_002));
        assert_eq!(table.give(&name("web"), &taken, None), shared);
    }

    #[test]
    fn a_service_whose_table_was_lost_finds_its_data_again_unless_another_has_the_number() {
        let mut table = Table::default();
        // All numbers of data are taken, also those of its own.
        let taken = BTreeSet::from([30_000, 30_005]);
        assert_eq!(table.give(&name("web"), &taken, Some(30_005)).unwrap().0, 30_005);
        assert_eq!(table.give(&name("mail"), &taken, Some(30_005)).unwrap().0, 30_006);
        assert_eq!(table.give(&name("root"), &taken, Some(0)).unwrap().0, 30_007);
    }

    #[test]
    fn when_the_last_number_was_given_those_that_are_left_are_looked_for_and_then_it_is_said() {
        let mut table = Table::parse(&line(&name("last"), 59_999)).unwrap();
        assert_eq!(give(&mut table, "first").0, 30_000);
        let all: BTreeSet<u32> = OWN_IDS.collect();
        assert_eq!(table.give(&name("late"), &all, None), Err(Refusal::Full));
    }

    #[test]
    fn a_table_that_is_not_ours_gives_nobody_a_number() {
        let web = line(&name("web"), 30_000);
        for (text, at) in [
            (format!("{web}{web}"), 2),
            (web.clone() + &line(&name("mail"), 30_000), 2),
            (web.clone() + &line(&name("web"), 30_001), 2),
            (web.trim_end().to_owned(), 1),
            (web.replace("30000", "110"), 1),
            (web.replace(":30000:web", ":0:web"), 1),
            (web.replace("own-", ""), 1),
            (format!("{web}\n"), 2),
            ("root:x:0:0:root:/root:/bin/sh\n".to_owned(), 1),
        ] {
            assert_eq!(Table::parse(&text), Err(Refusal::Damaged(at)), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_two_have_one_number_however_often_it_is_read_again(
            who in prop::collection::vec("[a-e]", 1..20),
            taken in prop::collection::btree_set(30_000_u32..30_008, 0..5),
        ) {
            let mut text = String::new();
            let mut seen = BTreeMap::new();
            for who in who {
                let mut table = Table::parse(&text).unwrap();
                let (id, line) = table.give(&name(&who), &taken, None).unwrap();
                prop_assert!(!taken.contains(&id));
                prop_assert_eq!(*seen.entry(who.clone()).or_insert(id), id);
                prop_assert!(seen.iter().all(|(other, of)| *other == who || *of != id));
                text.extend(line);
            }
        }

        #[test]
        fn any_text_is_a_table_or_damaged(text in "(own-[a-b]:x:3000[0-1]:3000[0-1]:[a-b]:/var/lib/[a-b]:/usr/sbin/nologin\n|[ -~\n]{0,20}){0,4}") {
            let _any = Table::parse(&text);
        }
    }
}
