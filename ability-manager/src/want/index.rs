//! All skills that are installed, found by what a want says most about.
//!
//! ```text
//! uri ─► its beginnings: `https`, `https://example.org`, `https://example.org:8080` ─► uris of skills that begin so
//! type ─► that type, those with a star ─► uris of skills without a scheme
//! neither ─► action ─► skills without uris
//! ```
//!
//! Actions and entities are numbers here, and what is found is a set of bits: to look at one more skill that answers
//! costs some dozen instructions.
//!
//! Invariant: what is found is what [`super::matching`] finds; the tables only leave out what can't match.

use std::collections::{BTreeMap, HashMap};

use model::want::{Skill, Want};

use super::matching::{Uri, Wanted};
use super::mime::{ANY, WILDCARD_ONLY, fits};
use crate::engine::Target;

/// A uri of a skill, by their places.
type Place = (usize, usize);

/// A skill, ready to be compared.
#[derive(Debug)]
struct Entry {
    /// Place of its ability.
    ability: usize,
    /// Numbers of words.
    actions: Vec<u32>,
    /// Numbers of words.
    entities: Vec<u32>,
    uris: Vec<Uri>,
}

/// All skills that are installed.
#[derive(Debug, Default)]
pub struct Index {
    abilities: Vec<Target>,
    skills: Vec<Entry>,
    /// Numbers of actions and entities.
    words: HashMap<String, u32>,
    /// Uris by what they begin with.
    starts: HashMap<String, Vec<Place>>,
    /// Longest of them, in bytes.
    longest: usize,
    /// Uris without a scheme, by type.
    types: BTreeMap<String, Vec<Place>>,
    /// Types of those that stand for several.
    stars: Vec<String>,
    /// Skills that answer a want with neither uri nor type, by action.
    plain: BTreeMap<u32, Vec<usize>>,
}

/// Action and entities of a want, as numbers.
struct Words {
    action: Option<u32>,
    entities: Vec<u32>,
}

/// Places of abilities: a set.
struct Found(Vec<u64>);

impl Found {
    fn add(&mut self, place: usize) {
        if let Some(word) = self.0.get_mut(place / 64) {
            *word |= 1 << (place % 64);
        }
    }

    fn has(&self, place: usize) -> bool {
        self.0.get(place / 64).is_some_and(|word| word & (1 << (place % 64)) != 0)
    }

    /// All, in order.
    fn each(&self, mut act: impl FnMut(usize)) {
        for (number, word) in self.0.iter().enumerate() {
            let mut left = *word;
            while left != 0 {
                act(number * 64 + usize::try_from(left.trailing_zeros()).unwrap_or_default());
                left &= left - 1;
            }
        }
    }

    fn count(&self) -> usize {
        self.0.iter().map(|word| usize::try_from(word.count_ones()).unwrap_or_default()).sum()
    }
}

impl Entry {
    fn does(&self, words: &Words) -> bool {
        let action =
            words.action.map_or(!self.actions.is_empty(), |one| self.actions.contains(&one));
        action && words.entities.iter().all(|entity| self.entities.contains(entity))
    }
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
        let ability = self.abilities.len();
        let (actions, entities) = (self.numbers(&skill.actions), self.numbers(&skill.entities));
        let nothing = |uri: &Uri| uri.start.is_none() && uri.mime.is_none();
        if uris.is_empty() || uris.iter().any(nothing) {
            for action in &actions {
                self.plain.entry(*action).or_default().push(place);
            }
        }
        self.skills.push(Entry { ability, actions, entities, uris });
    }

    fn numbers(&mut self, words: &[String]) -> Vec<u32> {
        let mut number = |word: &String| {
            let next = u32::try_from(self.words.len()).unwrap_or(u32::MAX);
            *self.words.entry(word.clone()).or_insert(next)
        };
        words.iter().map(&mut number).collect()
    }

    /// What a want says, as numbers; none if it says what no skill does.
    fn words(&self, want: &Want) -> Option<Words> {
        let number = |word: &str| self.words.get(word).copied();
        let action = match want.action.as_deref() {
            None | Some("") => None,
            Some(action) => Some(number(action)?),
        };
        let entities = want.entities.iter().map(|entity| number(entity)).collect::<Option<_>>()?;
        Some(Words { action, entities })
    }

    /// Abilities with a skill that matches, in the order they were given; of those that the want names, if it does.
    #[must_use]
    pub fn answer(&self, want: &Want) -> Vec<&Target> {
        let Some(words) = self.words(want) else { return Vec::new() };
        let wanted = Wanted::of(want);
        let mut found = Found(vec![0; self.abilities.len().div_ceil(64)]);
        if !wanted.uri.is_empty() {
            for start in starts(&wanted.uri, self.longest) {
                let rest = wanted.uri.get(start.len()..).unwrap_or_default();
                self.look(self.starts.get(start), (&wanted, rest), &words, &mut found);
            }
            if let Some(guess) = wanted.guess.filter(|_| !wanted.uri.contains("://")) {
                self.by_type(guess, &words, &mut found);
            }
        } else if !wanted.mime.is_empty() {
            self.by_type(wanted.mime, &words, &mut found);
        } else {
            self.by_action(&words, &mut found);
        }
        let mut all = Vec::with_capacity(found.count());
        found.each(|place| all.extend(self.abilities.get(place)));
        if let Some(bundle) = &want.bundle {
            all.retain(|target| target.bundle == *bundle);
        }
        if let Some(ability) = &want.ability {
            all.retain(|target| target.ability == *ability);
        }
        all
    }

    /// Uris without a scheme whose type fits.
    fn by_type(&self, mime: &str, words: &Words, found: &mut Found) {
        if mime == WILDCARD_ONLY {
            for mime in [ANY, "general.object"] {
                self.take(self.types.get(mime), words, found);
            }
            return;
        }
        for star in self.stars.iter().filter(|star| fits(mime, Some(star))) {
            self.take(self.types.get(star), words, found);
        }
        let Some(start) = mime.strip_suffix('*') else {
            return self.take(self.types.get(mime), words, found);
        };
        let start = if mime == ANY { "" } else { start };
        let alike = self.types.range(start.to_owned()..);
        for (_, places) in alike.take_while(|(of, _)| of.starts_with(start)) {
            self.take(Some(places), words, found);
        }
    }

    fn by_action(&self, words: &Words, found: &mut Found) {
        let mut take = |places: &Vec<usize>| {
            for entry in places.iter().filter_map(|place| self.skills.get(*place)) {
                if entry.does(words) {
                    found.add(entry.ability);
                }
            }
        };
        match words.action {
            None => self.plain.values().for_each(take),
            Some(action) => {
                if let Some(places) = self.plain.get(&action) {
                    take(places);
                }
            }
        }
    }

    /// All of these whose skills do what is wanted.
    fn take(&self, places: Option<&Vec<Place>>, words: &Words, found: &mut Found) {
        for (skill, _) in places.into_iter().flatten() {
            if let Some(entry) = self.skills.get(*skill).filter(|entry| entry.does(words)) {
                found.add(entry.ability);
            }
        }
    }

    /// Those of these that fit, too, with what comes after their beginning.
    fn look(
        &self,
        places: Option<&Vec<Place>>,
        (wanted, rest): (&Wanted<'_>, &str),
        words: &Words,
        found: &mut Found,
    ) {
        for (skill, uri) in places.into_iter().flatten() {
            let Some(entry) = self.skills.get(*skill) else { continue };
            let answers = || entry.uris.get(*uri).is_some_and(|uri| uri.answers_rest(wanted, rest));
            if entry.does(words) && !found.has(entry.ability) && answers() {
                found.add(entry.ability);
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
