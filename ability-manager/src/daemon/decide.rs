//! Permissions: what the owner decides, and what comes of it.

use std::sync::Arc;

use api::abilities::{Error, Permission};
use model::Name;
use model::bundle::BundleId;
use model::word::Word;

use super::apps::answers;
use super::{Daemon, clock, today};
use crate::permission::{Clock, Effect, Wish};
use crate::store::{Held, Refusal};

impl Daemon {
    /// Permissions that an instance is started with.
    pub(super) fn granted(&self, held: &Held) -> Vec<Name> {
        self.flow.granted(self.store.generation().decisions(), held.id(), &held.declared)
    }

    /// Does what came of a decision, or of time.
    pub(super) fn carry_out(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Answer { request, replies } => {
                    if let Some((_, reply)) = self.questions.remove(&request) {
                        reply.send(Ok(&answers(replies)));
                    }
                }
                Effect::Ask { bundle, permission } => {
                    log::info!(
                        "{bundle} asks for `{permission}`: `ensctl permission allow {bundle} {permission}`, or deny"
                    );
                }
                Effect::Asked { .. } => {}
                Effect::Lost { bundle, permission } => self.end_those_with(&bundle, &permission),
            }
        }
    }

    /// Questions and what counts for this time run out.
    pub(super) fn tick_permissions(&mut self) {
        let effects = self.flow.tick(Clock { now: clock(), at: today() });
        if !effects.is_empty() {
            self.carry_out(effects);
            self.pump();
        }
    }

    /// Whoever waits for an answer and has ended wants none.
    pub(super) fn forget_questions(&mut self) {
        let lives = &self.lives;
        let gone = self.questions.extract_if(.., |_, (id, _)| !lives.contains_key(id));
        let gone: Vec<u64> = gone.map(|(request, _)| request).collect();
        for request in gone {
            let effects = self.flow.leave(request);
            self.carry_out(effects);
        }
    }

    /// The owner, who is user `by`, decides.
    pub(super) fn decide(
        &mut self,
        id: &str,
        permission: &str,
        decision: &str,
        by: u32,
    ) -> Result<Vec<String>, Error> {
        let held = self.held(id)?;
        let name = Name::try_from(permission)
            .map_err(|e| Error::Invalid(format!("no permission is called so: {e}")))?;
        let wish = Wish::from_word(decision).ok_or_else(|| {
            Error::Invalid(format!("`{decision}`: allow, this-time, deny or reset"))
        })?;
        let clock = Clock { now: clock(), at: today() };
        let of = (held.id(), &name);
        let effects = self.store.decide(&mut self.flow, clock, of, wish, by);
        let effects = effects.map_err(|why| error(&why))?;
        let lost = effects.iter().any(|effect| matches!(effect, Effect::Lost { .. }));
        let having = self
            .lives
            .values()
            .filter(|live| live.target.bundle == *held.id() && live.kept.granted.contains(&name));
        let units: Vec<String> = having.map(|live| live.unit.clone()).collect();
        self.carry_out(effects);
        self.dirty = true;
        self.pump();
        let runs = self.engine.runs(held.id());
        Ok(sentences(held.id(), &name, wish, runs, if lost { &units } else { &[] }))
    }

    /// Permissions of a bundle, or of all.
    pub(super) fn permissions(&self, id: &str) -> Result<Vec<Permission>, Error> {
        if !id.is_empty() {
            return Ok(self.permissions_of(&*self.held(id)?));
        }
        Ok(self.store.bundles().flat_map(|held| self.permissions_of(held)).collect())
    }

    /// Permissions of a bundle, in the order in which it asks for them.
    pub(super) fn permissions_of(&self, held: &Held) -> Vec<Permission> {
        let kept = self.store.generation().decisions();
        let row = |declared: &crate::permission::Declared| {
            let name = &declared.permission;
            let standing = self.flow.standing(kept, held.id(), declared);
            let asked = held.manifest.permissions.iter().find(|asked| asked.permission == *name);
            Permission {
                bundle: held.id().to_string(),
                permission: name.to_string(),
                about: self
                    .store
                    .library()
                    .find(name)
                    .map(|known| known.about.of(&self.locale).to_owned())
                    .unwrap_or_default(),
                reason: asked
                    .map(|asked| asked.reason.of(&self.locale).to_owned())
                    .unwrap_or_default(),
                state: standing.word().to_owned(),
                by: standing.decider().to_owned(),
                since: standing.since,
            }
        };
        held.declared.iter().map(row).collect()
    }

    /// A bundle, by its id as text.
    pub(super) fn held(&self, id: &str) -> Result<Arc<Held>, Error> {
        let read = BundleId::try_from(id);
        let id = read.map_err(|e| Error::NotFound(format!("no bundle is called so: {e}")))?;
        self.store.require(&id).cloned().map_err(|why| error(&why))
    }
}

/// What a decision did, for who made it.
fn sentences(id: &BundleId, name: &Name, wish: Wish, runs: bool, ended: &[String]) -> Vec<String> {
    let mut said = Vec::new();
    match wish {
        Wish::Allow | Wish::ThisTime if runs => {
            said.push(format!("`{id}` has `{name}` when it is started the next time"));
        }
        Wish::Allow => said.push(format!("`{id}` has `{name}`")),
        Wish::ThisTime => said.push(format!("`{id}` has `{name}` until it leaves the screen")),
        Wish::Deny => said.push(format!("`{id}` does not have `{name}`")),
        Wish::Reset => said.push(format!("nothing is decided about `{name}` of {id}")),
    }
    said.extend(ended.iter().map(|unit| format!("`{unit}`, which had it, is ended")));
    said
}

/// A refusal of the store, in words of the bus.
pub(super) fn error(why: &Refusal) -> Error {
    let text = why.text().to_owned();
    match why {
        Refusal::NotFound(_) => Error::NotFound(text),
        Refusal::Invalid(_) => Error::Invalid(text),
        Refusal::Refused(_) => Error::Refused(text),
        Refusal::Untrusted(..) => Error::Untrusted(text),
        Refusal::Failed(_) => Error::Failed(text),
    }
}
