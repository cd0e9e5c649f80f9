//! All skills that are installed, found by what a want says most about.
//!
//! ```text
//! uri ─► its beginnings: `https`, `https://example.org`, `https://example.org:8080` ─► uris of skills that begin so
//! type ─► that type, those with a star ─► uris of skills without a scheme
//! neither ─► action ─► skills without uris
//! ```
//!
//! Invariant: what is found is looked at by [`super::matching`] as each skill would be; the tables only leave out what
//! can't match.

use std::collections::{BTreeMap, HashMap};

use model::want::{Skill, Want};

use super::matching::{Uri, Wanted, does};
use super::mime::{ANY, WILDCARD_ONLY, fits};
use crate::engine::Target;

/// A uri of a skill, by their places.
type Place = (usize, usize);

/// A skill, ready to be compared.
#[derive(Debug)]
struct Entry {
    /// Place of its ability.
    ability: usize,
    /// Actions and entities; no uris.
    skill: Skill,
    uris: Vec<Uri>,
}

/// All skills that are installed.
#[derive(Debug, Default)]
pub struct Index {
    abilities: Vec<Target>,
    skills: Vec<Entry>,
    /// Uris by what they begin with.
    starts: HashMap<String, Vec<Place>>,
    /// Longest of them, in bytes.
    longest: usize,
    /// Uris without a scheme, by type.
    types: BTreeMap<String, Vec<Place>>,
    /// Types of those that stand for several.
    stars: Vec<String>,
    /// Skills that answer a want with neither uri nor type, by action.
    plain: BTreeMap<String, Vec<usize>>,
}

impl Index {
    /// An index over abilities, in the order in which they are found.
    pub fn new<'a>(abilities: impl IntoIterator<Item = (Target, &'a [Skill])>) -> Self {
        let mut index = Self::default();
        for (target, skills) in abilities {
            for skill in skills {
                index.add(skill);
            }
            index.abilities.push(target);
        }
        index.stars = index.types.keys().filter(|mime| mime.ends_with('*')).cloned().collect();
        index
    }

    fn add(&mut self, skill: &Skill) {
        let place = self.skills.len();
        let uris: Vec<Uri> = skill.uris.iter().map(Uri::of).collect();
        for (number, uri) in uris.iter().enumerate() {
            match (&uri.start, &uri.mime) {
                (Some(start), _) => {
                    self.longest = self.longest.max(start.len());
                    self.starts.entry(start.clone()).or_default().push((place, number));
                }
                (None, Some(mime)) => {
                    self.types.entry(mime.clone()).or_default().push((place, number));
                }
                (None, None) => {}
            }
        }
        let plain =
            uris.is_empty() || uris.iter().any(|uri| uri.start.is_none() && uri.mime.is_none());
        for action in skill.actions.iter().filter(|_| plain) {
            self.plain.entry(action.clone()).or_default().push(place);
        }
        let (actions, entities) = (skill.actions.clone(), skill.entities.clone());
        let skill = Skill { actions, entities, uris: Vec::new() };
        self.skills.push(Entry { ability: self.abilities.len(), skill, uris });
    }

    /// Abilities with a skill that matches, in the order they were given; of those that the want names, if it does.
    #[must_use]
    pub fn answer(&self, want: &Want) -> Vec<&Target> {
        let wanted = Wanted::of(want);
        let mut found = Vec::new();
        if !wanted.uri.is_empty() {
            self.by_start(&wanted, want, &mut found);
            if let Some(guess) = wanted.guess.filter(|_| !wanted.uri.contains("://")) {
                self.by_type(guess, &wanted, want, &mut found);
            }
        } else if !wanted.mime.is_empty() {
            self.by_type(wanted.mime, &wanted, want, &mut found);
        } else {
            self.by_action(want, &mut found);
        }
        found.sort_unstable();
        found.dedup();
        let named = |target: &&Target| {
            let bundle = want.bundle.as_ref().is_none_or(|bundle| *bundle == target.bundle);
            bundle && want.ability.as_ref().is_none_or(|ability| *ability == target.ability)
        };
        found.into_iter().filter_map(|place| self.abilities.get(place)).filter(named).collect()
    }

    fn by_start(&self, wanted: &Wanted<'_>, want: &Want, found: &mut Vec<usize>) {
        for start in starts(&wanted.uri, self.longest) {
            self.look(self.starts.get(start), wanted, want, found);
        }
    }

    fn by_type(&self, mime: &str, wanted: &Wanted<'_>, want: &Want, found: &mut Vec<usize>) {
        if mime == WILDCARD_ONLY {
            for mime in [ANY, "general.object"] {
                self.look(self.types.get(mime), wanted, want, found);
            }
            return;
        }
        for star in self.stars.iter().filter(|star| fits(mime, Some(star))) {
            self.look(self.types.get(star), wanted, want, found);
        }
        let Some(start) = mime.strip_suffix('*') else {
            return self.look(self.types.get(mime), wanted, want, found);
        };
        let start = if mime == ANY { "" } else { start };
        let alike = self.types.range(start.to_owned()..);
        for (_, places) in alike.take_while(|(of, _)| of.starts_with(start)) {
            self.look(Some(places), wanted, want, found);
        }
    }

    fn by_action(&self, want: &Want, found: &mut Vec<usize>) {
        let mut take = |places: &Vec<usize>| {
            let entries = places.iter().filter_map(|place| self.skills.get(*place));
            found.extend(entries.filter(|e| does(&e.skill, want)).map(|entry| entry.ability));
        };
        match want.action.as_deref() {
            None | Some("") => self.plain.values().for_each(take),
            Some(action) => {
                if let Some(places) = self.plain.get(action) {
                    take(places);
                }
            }
        }
    }

    fn look(
        &self,
        places: Option<&Vec<Place>>,
        wanted: &Wanted<'_>,
        want: &Want,
        found: &mut Vec<usize>,
    ) {
        for (skill, uri) in places.into_iter().flatten() {
            let Some(entry) = self.skills.get(*skill) else { continue };
            let answers = || entry.uris.get(*uri).is_some_and(|uri| uri.answers(wanted));
            if found.last() != Some(&entry.ability) && does(&entry.skill, want) && answers() {
                found.push(entry.ability);
            }
        }
    }
}

/// What a uri of a skill that fits may begin with: the scheme, and what is in front of each `:` and of the first `/` of
/// the host.
fn starts(uri: &str, longest: usize) -> impl Iterator<Item = &str> {
    let scheme = uri.find(':').unwrap_or(uri.len());
    let host = uri.find("://").map(|at| at + 3);
    let rest = host.and_then(|at| uri.get(at..)).unwrap_or_default();
    let end = rest.find('/').unwrap_or(rest.len());
    let ports = rest.match_indices(':').map(|(at, _)| at).take_while(move |at| *at < end);
    let cuts = ports.chain([end]).filter_map(move |cut| host.map(|host| host + cut));
    std::iter::once(scheme)
        .chain(cuts)
        .take_while(move |cut| *cut <= longest)
        .filter_map(|cut| uri.get(..cut))
}
