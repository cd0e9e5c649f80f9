//! The file of what is installed: a line for each thing, a checksum in each line.
//!
//! ```text
//! # What is installed. …
//! users 10002 CHECKSUM                                           the next one that is given
//! bundle ID VERSION DIGEST SIZE SINCE CHECKSUM
//! previous ID VERSION DIGEST|image SIZE SAVED|none CHECKSUM      the version before
//! user ID UID KEY|image CHECKSUM
//! from ID STORE CHECKSUM                                         of those that came from a store
//! key KEY SINCE CHECKSUM
//! decision ID PERMISSION VERDICT BY SINCE CHECKSUM
//! erase ID CHECKSUM · restore ID SAVED CHECKSUM                  left to be done
//! end LINES CHECKSUM
//! ```
//!
//! Invariants: what [`print`] wrote [`parse`] reads as the same; a line that is damaged loses only itself, and
//! that is said; whatever is damaged, no user is given that a whole line, or the caller, knows of.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use model::Name;
use model::bundle::{APP_IDS, BundleId, Version};
use model::word::Word;

use super::{Generation, Installed, MAX_BUNDLES, MAX_KEYS, MAX_USERS, Previous, Unfinished, User};
use crate::permission::{Decision, Verdict};
use crate::store::key::Key;

/// Longest file that is read, in bytes: more than all limits together need.
pub const MAX_FILE: u64 = 4 << 20;

/// Most lines that are not understood and kept.
const MAX_FOREIGN: usize = 1000;

/// Most damaged lines that are told one by one.
const MAX_TOLD: usize = 8;

const HEAD: &str = "# What is installed. Written by ability-manager: ensctl app\n";

const IMAGE: &str = "image";

const NONE: &str = "none";

pub(super) fn print(all: &Generation) -> String {
    let mut lines = vec![format!("users {}", all.next)];
    for (id, one) in &all.bundles {
        let Installed { version, digest, size, at, previous } = one;
        lines.push(format!("bundle {id} {version} {digest} {size} {at}"));
        if let Some(Previous { version, digest, size, saved }) = previous {
            let digest = digest.map_or(IMAGE.to_owned(), |digest| digest.to_string());
            let saved = saved.map_or(NONE.to_owned(), |saved| saved.to_string());
            lines.push(format!("previous {id} {version} {digest} {size} {saved}"));
        }
    }
    for (id, User { uid, key }) in &all.users {
        lines.push(format!("user {id} {uid} {}", key.as_ref().map_or(IMAGE, Key::as_str)));
    }
    lines.extend(all.from.iter().map(|(id, store)| format!("from {id} {store}")));
    lines.extend(all.keys.iter().map(|(key, since)| format!("key {key} {since}")));
    for (id, permission, Decision { verdict, by, at }) in all.decisions.iter() {
        lines.push(format!("decision {id} {permission} {} {by} {at}", verdict.word()));
    }
    for (id, left) in &all.unfinished {
        lines.push(match left {
            Unfinished::Erase => format!("erase {id}"),
            Unfinished::Restore(saved) => format!("restore {id} {saved}"),
        });
    }
    lines.extend(all.foreign.iter().cloned());
    lines.push(format!("end {}", lines.len()));
    let mut out = HEAD.to_owned();
    for line in lines {
        // Writing into a string does not fail.
        let _fine = writeln!(out, "{line} {:08x}", crc32c::crc32c(line.as_bytes()));
    }
    out
}

pub(super) fn parse(bytes: &[u8], highest: Option<u32>) -> (Generation, Vec<String>) {
    let mut all = Generation { next: 0, ..Generation::default() };
    let mut wrong = Vec::new();
    let (mut seen, mut end) = (0_usize, None);
    for (number, line) in (1..).zip(bytes.split(|byte| *byte == b'\n')) {
        if line.is_empty() || line.starts_with(b"#") {
            continue;
        }
        let whole = std::str::from_utf8(line).ok().and_then(whole);
        match whole.and_then(|line| line.strip_prefix("end ")) {
            Some(count) => end = Some(count.parse() == Ok(seen)),
            None => {
                seen += 1;
                if whole.and_then(|line| all.read(line)).is_none() {
                    wrong.push(format!("line {number} is damaged: what it said is forgotten"));
                }
            }
        }
    }
    if end != Some(true) && !bytes.is_empty() {
        wrong.push("lines are missing: what they said is forgotten".to_owned());
    }
    wrong.extend(all.mend(highest));
    if let Some(more) = wrong.len().checked_sub(MAX_TOLD).filter(|more| *more > 0) {
        wrong.truncate(MAX_TOLD);
        wrong.push(format!("and so are {more} more"));
    }
    (all, wrong)
}

/// A line without its checksum, if that is right.
fn whole(line: &str) -> Option<&str> {
    let (line, sum) = line.rsplit_once(' ')?;
    let right = format!("{:08x}", crc32c::crc32c(line.as_bytes()));
    (sum == right).then_some(line)
}

/// A word that is a number, written one way only.
fn number<T: std::str::FromStr + ToString>(word: &str) -> Option<T> {
    word.parse::<T>().ok().filter(|number| number.to_string() == word)
}

impl Generation {
    fn read(&mut self, line: &str) -> Option<()> {
        let words: Vec<&str> = line.split(' ').collect();
        let id = |text| BundleId::try_from(text).ok();
        let version = |text| Version::try_from(text).ok();
        match *words.as_slice() {
            ["users", next] => self.next = self.next.max(number(next)?),
            ["bundle", of, is, digest, size, at] => {
                let (size, at) = (number(size)?, number(at)?);
                let (version, digest) = (version(is)?, digest.parse().ok()?);
                let one = Installed { version, digest, size, at, previous: None };
                limited(&mut self.bundles, MAX_BUNDLES, id(of)?, one)?;
            }
            ["previous", of, was, digest, size, saved] => {
                let digest = match digest {
                    IMAGE => None,
                    digest => Some(digest.parse().ok()?),
                };
                let saved = if saved == NONE { None } else { Some(number(saved)?) };
                let previous =
                    Previous { version: version(was)?, digest, size: number(size)?, saved };
                self.bundles.get_mut(&id(of)?)?.previous = Some(previous);
            }
            ["user", of, uid, key] => {
                let uid = number(uid).filter(|uid| APP_IDS.contains(uid))?;
                let key = if key == IMAGE { None } else { Some(Key::try_from(key).ok()?) };
                if self.users.values().any(|user| user.uid == uid) {
                    return None;
                }
                limited(&mut self.users, MAX_USERS, id(of)?, User { uid, key })?;
            }
            ["from", of, store] => {
                let store = Name::try_from(store).ok()?;
                limited(&mut self.from, MAX_BUNDLES, id(of)?, store)?;
            }
            ["key", key, since] => {
                limited(&mut self.keys, MAX_KEYS, Key::try_from(key).ok()?, number(since)?)?;
            }
            ["decision", of, permission, verdict, by, at] => {
                let verdict = Verdict::from_word(verdict)?;
                let decision = Decision { verdict, by: number(by)?, at: number(at)? };
                let permission = Name::try_from(permission).ok()?;
                self.decisions.set(&id(of)?, &permission, decision).ok()?;
            }
            ["erase", of] => {
                limited(&mut self.unfinished, MAX_USERS, id(of)?, Unfinished::Erase)?;
            }
            ["restore", of, saved] => {
                let left = Unfinished::Restore(number(saved)?);
                limited(&mut self.unfinished, MAX_USERS, id(of)?, left)?;
            }
            [
                "users" | "bundle" | "previous" | "user" | "from" | "key" | "decision" | "erase"
                | "restore",
                ..,
            ] => {
                return None;
            }
            _ if self.foreign.len() < MAX_FOREIGN => self.foreign.push(line.to_owned()),
            _ => return None,
        }
        Some(())
    }

    /// Makes it one whole again, whatever lines were lost.
    fn mend(&mut self, highest: Option<u32>) -> Vec<String> {
        let known = self.users.values().map(|user| user.uid).chain(highest).max();
        let after = known.map_or(*APP_IDS.start(), |uid| uid.saturating_add(1));
        self.next = self.next.max(after).max(*APP_IDS.start());
        let owned = |users: &BTreeMap<BundleId, User>, id| {
            users.get(id).is_some_and(|user| user.key.is_some())
        };
        let lost: Vec<_> =
            self.bundles.keys().filter(|id| !owned(&self.users, id)).cloned().collect();
        self.bundles.retain(|id, _| !lost.contains(id));
        let told = |id| format!("the user of {id} is not known any more: install it again");
        lost.iter().map(told).collect()
    }
}

/// Inserts what is not there yet, up to a limit.
fn limited<K: Ord, V>(map: &mut BTreeMap<K, V>, most: usize, key: K, value: V) -> Option<()> {
    (map.len() < most && !map.contains_key(&key)).then(|| {
        map.insert(key, value);
    })
}
