//! What people decided about permissions, as data and as a file. Pure.
//!
//! ```text
//! grant ──► granted ◄──┐        no decision: asked, and not held
//!             │ ▲      │
//!           revoke grant        reset: forgotten
//!             ▼ │
//!          refused
//!
//! file: granted camera-app camera 0 1763850000 8d2f01ac     word service permission uid time checksum
//! ```
//!
//! Invariants: whatever is in the file, nothing is granted that a whole, undamaged line does not grant; a
//! broken line loses only itself; of two lines about the same the one that refuses holds.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use model::Name;

/// Most decisions that are kept, so that neither the file nor a boot grows without end.
pub const MAX_DECISIONS: usize = 4096;

/// Longest file that is read, in bytes: more than so many decisions need.
pub const MAX_FILE: u64 = 1 << 20;

/// Most broken lines that are told one by one.
const MAX_TOLD: usize = 8;

/// What the file begins with.
const HEAD: &str =
    "# What people decided about permissions. Written by servicemgr: ensctl permission\n";

/// What was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// It may.
    Granted,
    /// It may not.
    Refused,
}

impl Answer {
    fn word(self) -> &'static str {
        match self {
            Self::Granted => "granted",
            Self::Refused => "refused",
        }
    }

    fn from_word(word: &str) -> Option<Self> {
        [Self::Granted, Self::Refused].into_iter().find(|answer| answer.word() == word)
    }
}

/// A decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// What was decided.
    pub answer: Answer,
    /// By which user.
    pub by: u32,
    /// When, in seconds since 1970 by the clock of the device.
    pub at: u64,
}

/// There are [`MAX_DECISIONS`] already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

impl std::fmt::Display for Full {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{MAX_DECISIONS} decisions are kept already: forget those of services that are not there \
             any more: ensctl permission list, ensctl permission reset SERVICE"
        )
    }
}

/// All decisions, by service and permission.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Decisions {
    all: BTreeMap<(Name, Name), Decision>,
}

impl Decisions {
    /// Reads a file, and says what is wrong with it.
    #[must_use]
    pub fn read(bytes: &[u8]) -> (Self, Vec<String>) {
        let mut this = Self::default();
        let mut wrong = Vec::new();
        for (number, line) in (1..).zip(bytes.split(|byte| *byte == b'\n')) {
            if line.is_empty() || line.starts_with(b"#") {
                continue;
            }
            match std::str::from_utf8(line).ok().and_then(read_line) {
                Some((key, decision)) if this.has_room(&key) => this.join(key, decision),
                Some(_) => wrong.push(format!("line {number}: {Full}")),
                None => wrong.push(format!("line {number} is damaged: what it said is forgotten")),
            }
        }
        if let Some(more) = wrong.len().checked_sub(MAX_TOLD).filter(|more| *more > 0) {
            wrong.truncate(MAX_TOLD);
            wrong.push(format!("and so are {more} more"));
        }
        (this, wrong)
    }

    /// The file.
    #[must_use]
    pub fn text(&self) -> String {
        let mut out = HEAD.to_owned();
        for ((service, permission), Decision { answer, by, at }) in &self.all {
            let line = format!("{} {service} {permission} {by} {at}", answer.word());
            // Writing into a string does not fail.
            let _fine = writeln!(out, "{line} {:08x}", crc32c::crc32c(line.as_bytes()));
        }
        out
    }

    /// Two lines about the same: nobody wrote that on purpose, so less is more.
    fn join(&mut self, key: (Name, Name), decision: Decision) {
        let refused = self.all.get(&key).is_some_and(|old| old.answer == Answer::Refused);
        if !refused {
            self.all.insert(key, decision);
        }
    }

    fn has_room(&self, key: &(Name, Name)) -> bool {
        self.all.len() < MAX_DECISIONS || self.all.contains_key(key)
    }

    /// The last decision about this.
    #[must_use]
    pub fn get(&self, service: &Name, permission: &Name) -> Option<Decision> {
        self.all.get(&(service.clone(), permission.clone())).copied()
    }

    /// Whether it was granted, and not refused since.
    #[must_use]
    pub fn grants(&self, service: &Name, permission: &Name) -> bool {
        self.get(service, permission).is_some_and(|made| made.answer == Answer::Granted)
    }

    /// Of what `service` asks for, what it was granted.
    pub fn granted<'n>(
        &'n self,
        service: &'n Name,
        asked: &'n [Name],
    ) -> impl Iterator<Item = &'n Name> {
        asked.iter().filter(|permission| self.grants(service, permission))
    }

    /// All, in order of service and permission.
    pub fn iter(&self) -> impl Iterator<Item = (&Name, &Name, Decision)> {
        self.all.iter().map(|((service, permission), made)| (service, permission, *made))
    }

    /// A decision takes the place of the last one about the same.
    ///
    /// # Errors
    /// [`Full`]: nothing is changed.
    pub fn decide(
        &mut self,
        service: &Name,
        permission: &Name,
        decision: Decision,
    ) -> Result<(), Full> {
        let key = (service.clone(), permission.clone());
        if !self.has_room(&key) {
            return Err(Full);
        }
        self.all.insert(key, decision);
        Ok(())
    }

    /// Forgets all about a service.
    pub fn forget(&mut self, service: &Name) {
        self.all.retain(|(of, _), _| of != service);
    }
}

/// A line that is whole.
fn read_line(line: &str) -> Option<((Name, Name), Decision)> {
    let (line, sum) = line.rsplit_once(' ')?;
    let right =
        sum.len() == 8 && u32::from_str_radix(sum, 16) == Ok(crc32c::crc32c(line.as_bytes()));
    let mut words = line.split(' ').take_while(|_| right);
    let answer = Answer::from_word(words.next()?)?;
    let service = Name::try_from(words.next()?).ok()?;
    let permission = Name::try_from(words.next()?).ok()?;
    let (by, at) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    words.next().is_none().then_some(((service, permission), Decision { answer, by, at }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn name(text: &str) -> Name {
        Name::try_from(text).unwrap()
    }

    fn made(answer: Answer) -> Decision {
        Decision { answer, by: 0, at: 1_763_850_000 }
    }

    fn two() -> Decisions {
        let mut all = Decisions::default();
        all.decide(&name("eye"), &name("camera"), made(Answer::Granted)).unwrap();
        all.decide(&name("ear@left"), &name("sound"), made(Answer::Refused)).unwrap();
        all
    }

    #[test]
    fn a_file_says_what_was_decided_by_whom_and_when() {
        let text = two().text();
        assert_eq!(
            text.lines().skip(1).collect::<Vec<_>>(),
            [
                "refused ear@left sound 0 1763850000 8ed7da7f",
                "granted eye camera 0 1763850000 5191fb12"
            ]
        );
        assert_eq!(Decisions::read(text.as_bytes()), (two(), vec![]));
    }

    #[test]
    fn a_broken_line_is_told_and_loses_only_itself() {
        let text = two().text().replace("refused", "granted");
        let (read, wrong) = Decisions::read(text.as_bytes());
        assert_eq!(wrong, ["line 2 is damaged: what it said is forgotten"]);
        assert!(read.grants(&name("eye"), &name("camera")));
        assert!(!read.grants(&name("ear@left"), &name("sound")));
    }

    #[test]
    fn of_two_lines_about_the_same_the_refusal_holds() {
        let mut other = two();
        other.decide(&name("eye"), &name("camera"), made(Answer::Refused)).unwrap();
        for text in [two().text() + &other.text(), other.text() + &two().text()] {
            assert!(!Decisions::read(text.as_bytes()).0.grants(&name("eye"), &name("camera")));
        }
    }

    #[test]
    fn what_does_not_fit_any_more_is_refused_and_changes_nothing() {
        let mut all = Decisions::default();
        for number in 0..MAX_DECISIONS {
            all.decide(&name(&format!("s{number}")), &name("p"), made(Answer::Granted)).unwrap();
        }
        assert_eq!(all.decide(&name("more"), &name("p"), made(Answer::Granted)), Err(Full));
        assert!(!all.grants(&name("more"), &name("p")));
        all.decide(&name("s0"), &name("p"), made(Answer::Refused)).unwrap();
        assert!(!all.grants(&name("s0"), &name("p")));
        let text = all.text();
        assert!(u64::try_from(text.len()).unwrap() < MAX_FILE);
        all.forget(&name("s1"));
        assert_eq!(all.decide(&name("more"), &name("p"), made(Answer::Granted)), Ok(()));
    }

    /// What happens to decisions.
    #[derive(Debug, Clone)]
    enum Step {
        Decide(usize, usize, bool),
        Reset(usize),
        /// servicemgr ends, however, and the next one reads the file.
        Crash,
        /// The power goes while the file of a decision is written: the old one is there.
        Torn(usize, usize, bool),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => (0..3_usize, 0..3_usize, any::<bool>()).prop_map(|(s, p, g)| Step::Decide(s, p, g)),
            1 => (0..3_usize).prop_map(Step::Reset),
            2 => Just(Step::Crash),
            1 => (0..3_usize, 0..3_usize, any::<bool>()).prop_map(|(s, p, g)| Step::Torn(s, p, g)),
        ]
    }

    fn answer(grant: bool) -> Answer {
        if grant { Answer::Granted } else { Answer::Refused }
    }

    proptest! {
        #[test]
        fn after_whatever_happened_the_last_decision_holds_and_never_more_than_is_asked_for(
            steps in prop::collection::vec(step(), 0..40),
            asked in prop::collection::btree_set(0..3_usize, 0..3),
        ) {
            let services = ["a", "b", "c@x"].map(name);
            let permissions = ["p", "q", "r"].map(name);
            let mut all = Decisions::default();
            let mut disk = all.text();
            let mut last = BTreeMap::new();
            for step in steps {
                match step {
                    Step::Decide(s, p, grant) => {
                        all.decide(&services[s], &permissions[p], made(answer(grant))).unwrap();
                        disk = all.text();
                        last.insert((s, p), grant);
                    }
                    Step::Reset(s) => {
                        all.forget(&services[s]);
                        disk = all.text();
                        last.retain(|(of, _), _| *of != s);
                    }
                    Step::Crash => all = Decisions::read(disk.as_bytes()).0,
                    Step::Torn(s, p, grant) => {
                        all.decide(&services[s], &permissions[p], made(answer(grant))).unwrap();
                        all = Decisions::read(disk.as_bytes()).0;
                    }
                }
            }
            let asked: Vec<Name> = asked.into_iter().map(|p| permissions[p].clone()).collect();
            for (s, service) in services.iter().enumerate() {
                for (p, permission) in permissions.iter().enumerate() {
                    let now = all.get(service, permission).map(|made| made.answer == Answer::Granted);
                    prop_assert_eq!(now, last.get(&(s, p)).copied());
                    let held = all.granted(service, &asked).any(|one| one == permission);
                    let may = asked.contains(permission) && last.get(&(s, p)) == Some(&true);
                    prop_assert_eq!(held, may);
                }
            }
        }

        #[test]
        fn a_damaged_file_grants_nothing_that_was_not_granted(
            at in 0..200_usize, bit in 0..8_u32, cut in prop::option::of(0..200_usize),
        ) {
            let mut bytes = two().text().into_bytes();
            let at = at % bytes.len();
            bytes[at] ^= 1 << bit;
            bytes.truncate(cut.unwrap_or(bytes.len()));
            let (read, _) = Decisions::read(&bytes);
            let only = (name("eye"), name("camera"));
            for (service, permission, decision) in read.iter() {
                let known = (service.clone(), permission.clone()) == only;
                prop_assert!(known || decision.answer == Answer::Refused);
            }
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let _ = Decisions::read(&bytes);
        }
    }
}
