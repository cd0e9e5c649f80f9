//! The smallest profile with which a program can do again what it did.
//!
//! ```text
//! filter ─► call ─ decode ─► Act ─► Observed ─┐
//!                                             ├─ learn ─► Learned ─ text ─► TOML with a reason for each rule
//! profile that is inherited, older one ───────┘
//! ```
//!
//! - What the inherited profile gives is not repeated; where it restricts nothing, the lists are there and
//!   hold only what was seen.
//! - What no rule can give (it is forbidden, or written and executed) becomes a note, never a rule.
//!
//! Invariant: every file that was used is allowed by what is learned, or a note tells of it; and no entry
//! can be left out. Pure: the program `sandbox-learn` looks at the world.

mod calls;
pub mod collapse;
pub mod decode;
mod files;
pub mod filter;
pub mod judge;
mod network;
pub mod observed;
mod program;
pub mod resolve;
mod table;
pub mod text;

use std::borrow::Cow;

use model::sandbox::Profile;

pub use observed::Observed;

use crate::refused::Refused;

/// Most notes: a program that is refused everything need not be told more.
const MAX_NOTES: usize = 64;

/// What a profile begins with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Given {
    /// Names of the profiles that are inherited.
    pub inherit: Vec<String>,
    /// What they say together.
    pub inherited: Profile,
    /// The rules of an older profile itself, without what it inherits.
    pub older: Option<Profile>,
}

/// One value of a list, and why it is there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Line {
    /// The value.
    pub value: String,
    /// Why.
    pub why: String,
}

/// A rule of the profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Its table: empty for none.
    pub table: Cow<'static, str>,
    /// Its key.
    pub key: Cow<'static, str>,
    /// What it says.
    pub says: Says,
}

/// What a rule says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Says {
    /// A word or a truth value as TOML, and why.
    One(String, String),
    /// A list of texts, and what is to be said of it as a whole.
    Texts(Vec<Line>, String),
    /// A list of numbers.
    Numbers(Vec<Line>, String),
}

/// What was learned.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Learned {
    /// Names of the profiles that are inherited.
    pub inherit: Vec<String>,
    /// The rules that go beyond them.
    pub rules: Vec<Rule>,
    /// What both say together.
    pub profile: Profile,
    /// What is not covered and why, and what to know.
    pub notes: Vec<String>,
    left_out: usize,
}

/// Learns from what was seen.
///
/// # Errors
/// The inherited profile, or the older one with it, contradicts itself.
pub fn learn(observed: &Observed, given: &Given) -> Result<Learned, Refused> {
    let mut learned = Learned {
        inherit: given.inherit.clone(),
        profile: given.inherited.clone(),
        ..Learned::default()
    };
    learned.top(observed, given);
    files::learn(observed, given, &mut learned)?;
    network::learn(observed, given, &mut learned);
    calls::learn(observed, given, &mut learned);
    learned.told(observed);
    if learned.left_out > 0 {
        learned.notes.push(format!("and {} more", learned.left_out));
    }
    Ok(learned)
}

impl Learned {
    fn note(&mut self, note: String) {
        if self.notes.len() < MAX_NOTES {
            self.notes.push(note);
        } else {
            self.left_out += 1;
        }
    }

    fn one(&mut self, table: &'static str, key: &'static str, value: &str, why: impl Into<String>) {
        self.rules.push(Rule {
            table: table.into(),
            key: key.into(),
            says: Says::One(value.to_owned(), why.into()),
        });
    }

    fn texts(&mut self, table: &'static str, key: &'static str, lines: Vec<Line>, why: &str) {
        self.rules.push(Rule {
            table: table.into(),
            key: key.into(),
            says: Says::Texts(lines, why.to_owned()),
        });
    }

    fn numbers(&mut self, table: &'static str, key: &'static str, lines: Vec<Line>, why: &str) {
        self.rules.push(Rule {
            table: table.into(),
            key: key.into(),
            says: Says::Numbers(lines, why.to_owned()),
        });
    }

    /// Rules without a table: executable memory and capabilities.
    fn top(&mut self, observed: &Observed, given: &Given) {
        let memory = observed.write_execute;
        let older = given.older.as_ref();
        let before = older.is_some_and(|older| older.write_execute == Some(true));
        let need = memory.count > 0 || before;
        let inherited = &given.inherited;
        let why = if memory.count > 0 {
            format!("{}: memory that was written is executed", times(memory))
        } else {
            BEFORE.to_owned()
        };
        match (need, inherited.write_execute) {
            (true, _) if inherited.forbid.write_execute => self.note(format!(
                "it executes memory that it wrote ({}), which is forbidden to all that inherit this",
                times(memory)
            )),
            (true, Some(false)) => {
                self.profile.write_execute = Some(true);
                self.one("", "write-execute", "true", why);
            }
            (false, None) => {
                self.profile.write_execute = Some(false);
                self.one("", "write-execute", "false", "it executes no memory that it wrote");
            }
            _ => {}
        }
        self.capabilities(observed, given);
    }

    fn capabilities(&mut self, observed: &Observed, given: &Given) {
        let mut wanted: Vec<Line> = Vec::new();
        let older = given.older.iter().flat_map(|older| older.capabilities.iter().flatten());
        for name in older {
            wanted.push(Line { value: name.clone(), why: BEFORE.to_owned() });
        }
        for (name, seen) in &observed.capabilities {
            if !wanted.iter().any(|line| line.value == *name) {
                wanted.push(Line { value: (*name).to_owned(), why: times(*seen) });
            }
        }
        let Some(has) = given.inherited.capabilities.clone() else {
            if !wanted.is_empty() {
                let names: Vec<&str> = wanted.iter().map(|line| line.value.as_str()).collect();
                self.note(format!(
                    "capabilities are not restricted; the calls that were seen may need {}",
                    names.join(", ")
                ));
            }
            return;
        };
        let forbidden = &given.inherited.forbid.capabilities;
        let (refused, mut wanted): (Vec<Line>, Vec<Line>) = wanted
            .into_iter()
            .filter(|line| !has.contains(&line.value))
            .partition(|line| forbidden.contains(&line.value));
        for line in refused {
            self.note(format!(
                "the capability {} may be needed ({}), and is forbidden to all that inherit this",
                line.value, line.why
            ));
        }
        wanted.sort();
        if !wanted.is_empty() {
            let all = has.into_iter().chain(wanted.iter().map(|line| line.value.clone()));
            self.profile.capabilities = Some(sorted(all.collect()));
            self.texts("", "capabilities", wanted, "");
        }
        self.note(
            "capabilities that files need (another's files as root: DAC_OVERRIDE) are not seen"
                .to_owned(),
        );
    }

    /// What is to be known of the run itself.
    fn told(&mut self, observed: &Observed) {
        if let Some((count, first)) = &observed.missed {
            self.note(format!(
                "there was too much to keep, {}; the first: {first:?}",
                often(*count)
            ));
        }
        if let Some((count, first)) = &observed.unnameable {
            self.note(format!(
                "a path that no profile can name, {}; its directory stands for it: {first:?}",
                often(*count)
            ));
        }
        if observed.foreign > 0 {
            self.note(format!(
                "a program of another ABI (32 bits, x32), {}: with rules for calls it is ended",
                often(observed.foreign)
            ));
        }
    }
}

/// Of what an older profile says.
const BEFORE: &str = "from before";

/// `openat, 3 times`.
fn times(times: observed::Times) -> String {
    match times.count {
        1 => times.call.to_owned(),
        count => format!("{}, {count} times", times.call),
    }
}

/// How often, in words.
fn often(count: u64) -> String {
    if count == 1 { "once".to_owned() } else { format!("{count} times") }
}

fn sorted<T: Ord>(mut all: Vec<T>) -> Vec<T> {
    all.sort();
    all.dedup();
    all
}

#[cfg(test)]
mod tests;
