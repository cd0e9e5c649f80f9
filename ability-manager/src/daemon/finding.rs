//! Which abilities answer a want, for whom.
//!
//! ```text
//! names bundle and ability ─► that one            ┐
//! names a bundle and nothing else ─► its page     ├─ that who asks may start: none, one ─► it
//! says what it must be able to do ─► all with it  ┘                        several ─► the default, or a choice
//! ```
//!
//! Invariant: who may not start an ability is told nothing that it would not be told if that were not there.

use std::sync::Arc;

use api::abilities::{Candidate, Error};
use model::Name;
use model::bundle::Ability;
use model::want::Want;

use super::Daemon;
use super::asks::traits;
use crate::engine::{Target, Traits};
use crate::store::Held;

/// An ability that answers a want.
#[derive(Debug, Clone)]
pub(super) struct Answering {
    /// Which.
    pub target: Target,
    /// What it is.
    pub traits: Traits,
    /// What who starts it must have.
    pub permission: Option<Name>,
}

/// What answers a want.
#[derive(Debug)]
pub(super) enum Found {
    /// Nothing; why, for who may know all.
    Nothing(Error),
    /// This.
    One(Answering),
    /// One of these; nobody has said which.
    Several(Vec<Target>),
}

impl Daemon {
    /// What answers a want, of all that somebody may start.
    pub(super) fn find(&self, want: &Want, may: impl Fn(&Held, &Ability) -> bool) -> Found {
        let all = match self.answering(want, may) {
            Ok(all) => all,
            Err(why) => return Found::Nothing(why),
        };
        match all.as_slice() {
            [] => Found::Nothing(Error::NotFound("no ability answers this want".to_owned())),
            [(held, name)] => self.found(held, name),
            several => {
                let target = |(held, name): &(Arc<Held>, Name)| Target {
                    bundle: held.id().clone(),
                    ability: name.clone(),
                };
                let targets: Vec<Target> = several.iter().map(target).collect();
                let default = self.defaults.among(want, &targets);
                let chosen =
                    default.and_then(|target| self.store.get(&target.bundle).zip(Some(target)));
                match chosen {
                    Some((held, target)) => self.found(held, &target.ability),
                    None => Found::Several(targets),
                }
            }
        }
    }

    fn found(&self, held: &Held, name: &Name) -> Found {
        let target = Target { bundle: held.id().clone(), ability: name.clone() };
        match self.answer_of(&target) {
            Some(answering) => Found::One(answering),
            None => {
                Found::Nothing(Error::NotFound(format!("{} has no ability `{name}`", held.id())))
            }
        }
    }

    /// What there is to know of an ability, if it is there.
    pub(super) fn answer_of(&self, target: &Target) -> Option<Answering> {
        let ability = self.store.get(&target.bundle)?.manifest.ability(target.ability.as_str())?;
        let (traits, permission) = (traits(ability), ability.permission.clone());
        Some(Answering { target: target.clone(), traits, permission })
    }

    /// All that answer a want, in the order of the store.
    fn answering(
        &self,
        want: &Want,
        may: impl Fn(&Held, &Ability) -> bool,
    ) -> Result<Vec<(Arc<Held>, Name)>, Error> {
        let mut all = match &want.bundle {
            Some(id) => {
                let held = self.store.get(id).ok_or_else(|| {
                    Error::NotFound(format!(
                        "no bundle is called `{id}`: `ensctl app list` shows all"
                    ))
                })?;
                match (&want.ability, says_what(want)) {
                    (Some(name), _) => match held.manifest.ability(name.as_str()) {
                        Some(_) => vec![(Arc::clone(held), name.clone())],
                        None => {
                            let why =
                                format!("{id} has no ability `{name}`: `ensctl app info {id}`");
                            return Err(Error::NotFound(why));
                        }
                    },
                    (None, false) => match held.manifest.first_page() {
                        Some(page) => vec![(Arc::clone(held), page.name.clone())],
                        None => {
                            return Err(Error::NotFound(format!(
                                "{id} has no page: name one of its abilities: `ensctl app info {id}`"
                            )));
                        }
                    },
                    (None, true) => self.answers.borrow_mut().to(want, &self.store),
                }
            }
            None => self.answers.borrow_mut().to(want, &self.store),
        };
        all.retain(|(held, name)| {
            held.manifest.ability(name.as_str()).is_some_and(|ability| may(held, ability))
        });
        Ok(all)
    }

    /// What would answer a want.
    pub(super) fn candidates(&self, want: &Want) -> Vec<Candidate> {
        self.candidates_for(want, |_, _| true)
    }

    /// What of all that somebody may start would answer a want.
    pub(super) fn candidates_for(
        &self,
        want: &Want,
        may: impl Fn(&Held, &Ability) -> bool,
    ) -> Vec<Candidate> {
        let all = self.answering(want, may).unwrap_or_default();
        all.iter().map(|(held, name)| self.candidate(held, name)).collect()
    }

    /// An ability, as people are shown it.
    pub(super) fn candidate(&self, held: &Held, name: &Name) -> Candidate {
        let ability = held.manifest.ability(name.as_str());
        let label = ability.and_then(|ability| ability.label.as_ref());
        Candidate {
            bundle: held.id().to_string(),
            ability: name.to_string(),
            label: label.unwrap_or(&held.manifest.name).of(&self.locale).to_owned(),
        }
    }
}

/// A want says what must be done, not only by whom.
fn says_what(want: &Want) -> bool {
    let said = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
    said(&want.action) || said(&want.uri) || said(&want.mime) || !want.entities.is_empty()
}
