//! Which of the entries held count.
//!
//! ```text
//! cuts not decided ─► those of authors who are owners ─► who undermines whom ─► those that only what they undermine
//!        ▲                                                                      themselves undermines: they stand
//!        └───────────── the rest ◄── what they cut is void ◄────────────────────────────┘
//! ```
//!
//! A *cut* is a Remove, or a Level that lowers, of another device: entries of that device that are not among those up to
//! `last` are void. A cut undermines an entry if that is void by it, or its author no owner. A cut that nobody undermines
//! stands. Two owners that remove each other at the same time both go: each of their cuts stands, as a ring of cuts does,
//! while all else they signed after what the other knew is void. So an owner who was removed can, by dating entries back,
//! still take along who removed it, and what that one said; but never come back, nor bring anybody in.
//!
//! Invariant: the answer is a function of the set of entries. The order in which they came is not seen.

use std::collections::{BTreeMap, BTreeSet};

use super::card::Level;
use super::entry::{Author, Entry, EntryId, What};
use super::log::Log;

/// Cuts that are in dispute at once: more than this stand all, which costs devices but lets nobody in.
const MAX_DISPUTED: usize = 64;

/// What counts.
pub(super) struct Judged {
    /// Authors that were owners at some time: what of theirs is not void counts.
    pub(super) owners: BTreeSet<Author>,
    void: BTreeSet<EntryId>,
    /// Cuts that count whatever became of their authors.
    standing: BTreeSet<EntryId>,
}

struct Cut<'a> {
    entry: &'a Entry,
    /// Entries that are void if it stands.
    cuts: BTreeSet<EntryId>,
}

impl Judged {
    /// Judges a log.
    pub(super) fn of(log: &Log) -> Self {
        let grants = Grants::of(log);
        let mut judged =
            Self { owners: grants.owners(&[]), void: BTreeSet::new(), standing: BTreeSet::new() };
        let mut open: Vec<Cut<'_>> =
            log.entries().filter_map(|entry| Cut::of(log, entry)).collect();
        loop {
            open.retain(|cut| {
                judged.owners.contains(&cut.entry.author())
                    && !judged.void.contains(&cut.entry.id())
            });
            if open.is_empty() {
                return judged;
            }
            let stand = if open.len() > MAX_DISPUTED {
                vec![true; open.len()]
            } else {
                judged.sources(&open, &grants)
            };
            let mut stand = stand.into_iter();
            let (decided, rest): (Vec<_>, Vec<_>) =
                open.into_iter().partition(|_| stand.next() == Some(true));
            judged.standing.extend(decided.iter().map(|cut| cut.entry.id()));
            for cut in decided {
                judged.void.extend(cut.cuts.difference(&judged.standing));
            }
            judged.owners = grants.owners(&[&judged.void]);
            open = rest;
        }
    }

    /// Which cuts are undermined by none but those that they undermine in turn. There always is one.
    fn sources(&self, open: &[Cut<'_>], grants: &Grants) -> Vec<bool> {
        let undermines = |cut: &Cut<'_>| -> Vec<bool> {
            let owners = grants.owners(&[&self.void, &cut.cuts]);
            let falls = |other: &Cut<'_>| {
                cut.cuts.contains(&other.entry.id()) || !owners.contains(&other.entry.author())
            };
            open.iter().map(falls).collect()
        };
        let edges: Vec<Vec<bool>> = open.iter().map(undermines).collect();
        let reached: Vec<Vec<bool>> = (0..open.len()).map(|from| reach(&edges, from)).collect();
        let at = |from: usize, to: usize| {
            reached.get(from).and_then(|row| row.get(to)).copied().unwrap_or_default()
        };
        let source = |cut: usize| (0..open.len()).all(|other| !at(other, cut) || at(cut, other));
        (0..open.len()).map(source).collect()
    }

    /// Whether an entry's author had the right to say it, and nobody cut it.
    pub(super) fn counts(&self, entry: &Entry) -> bool {
        if self.standing.contains(&entry.id()) {
            return true;
        }
        let author = entry.author();
        let own = match entry.what() {
            What::Found { .. } => true,
            What::Name { device, .. } => *device == author.device,
            What::Remove { who, .. } => *who == author,
            _ => false,
        };
        (own || self.owners.contains(&author)) && !self.void.contains(&entry.id())
    }
}

impl<'a> Cut<'a> {
    /// The cut that an entry makes, if it makes one. Nobody cuts what it signed itself.
    fn of(log: &Log, entry: &'a Entry) -> Option<Self> {
        let (who, last, all) = match entry.what() {
            What::Remove { who, last } => (*who, *last, true),
            What::Level { who, level: Level::Guest | Level::Member, last } => (*who, *last, false),
            _ => return None,
        };
        if who.device == entry.author().device {
            return None;
        }
        let ancestors = std::iter::successors(last.and_then(|id| log.entry(id)), |entry| {
            entry.before().and_then(|id| log.entry(id))
        });
        let kept: BTreeSet<EntryId> = ancestors.map(Entry::id).collect();
        // Lowered, it may still name itself.
        let names_itself = |entry: &&Entry| matches!(entry.what(), What::Name { device, .. } if *device == who.device);
        let cut = log.chain(who).filter(|entry| all || !names_itself(entry)).map(Entry::id);
        let cuts: BTreeSet<EntryId> = cut.filter(|id| !kept.contains(id)).collect();
        (!cuts.is_empty()).then_some(Self { entry, cuts })
    }
}

/// Which entries make whom an owner.
struct Grants {
    founders: Vec<(EntryId, Author)>,
    by: BTreeMap<Author, Vec<(EntryId, Author)>>,
}

impl Grants {
    fn of(log: &Log) -> Self {
        let mut grants = Self { founders: Vec::new(), by: BTreeMap::new() };
        for entry in log.entries() {
            let to = match entry.what() {
                What::Found { .. } => {
                    grants.founders.push((entry.id(), entry.author()));
                    continue;
                }
                What::Add { who, card } if card.level == Level::Owner => *who,
                What::Level { who, level: Level::Owner, .. } => *who,
                _ => continue,
            };
            grants.by.entry(entry.author()).or_default().push((entry.id(), to));
        }
        grants
    }

    /// Who was an owner at some time, if these are void.
    fn owners(&self, void: &[&BTreeSet<EntryId>]) -> BTreeSet<Author> {
        let holds = |id: &EntryId| !void.iter().any(|set| set.contains(id));
        let mut owners = BTreeSet::new();
        let mut next: Vec<Author> =
            self.founders.iter().filter(|(id, _)| holds(id)).map(|(_, who)| *who).collect();
        while let Some(author) = next.pop() {
            if owners.insert(author) {
                let grants = self.by.get(&author).into_iter().flatten();
                next.extend(grants.filter(|(id, _)| holds(id)).map(|(_, who)| *who));
            }
        }
        owners
    }
}

/// What can be come to from a place, along edges.
fn reach(edges: &[Vec<bool>], from: usize) -> Vec<bool> {
    let mut reached = vec![false; edges.len()];
    let mut next = vec![from];
    while let Some(at) = next.pop() {
        let row = edges.get(at).into_iter().flatten().zip(&mut reached).enumerate();
        for (to, (edge, seen)) in row {
            if *edge && !*seen {
                *seen = true;
                next.push(to);
            }
        }
    }
    reached
}
