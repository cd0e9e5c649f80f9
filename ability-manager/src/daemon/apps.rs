//! What apps ask on their own buses.
//!
//! Invariant: an app is told only of itself, and of abilities that it may start.

use std::collections::HashMap;
use std::sync::Arc;

use api::abilities::{Error, State};
use model::Name;
use model::bundle::{Ability, BundleId};
use model::permission::MAX_ASKED;

use super::asks::Asker;
use super::seat::{Call, Reply, What};
use super::{Daemon, clock, today, wanted};
use crate::engine::continuous::Progress;
use crate::engine::{Event, InstanceId};
use crate::permission::{self, Clock};
use crate::store::Held;

/// The permission to start others while off the screen.
const FROM_BACKGROUND: &str = "start-from-background";

impl Daemon {
    /// An app asks.
    pub(super) fn called(&mut self, call: Call) {
        let (instance, reply) = (InstanceId(call.whose.instance), call.reply);
        // Its process may have ended since.
        if !self.lives.contains_key(&instance) {
            return;
        }
        match call.what {
            What::Attach => self.attach(instance, reply),
            What::Done { token, state } => self.done(instance, token, state, reply),
            What::Start(want) => self.start_for(instance, want, Asker::App(reply)),
            What::Connect(want) => self.connect_for(instance, want, reply),
            What::Accept(token) => self.accept(instance, token, reply),
            What::UpdateForm { form, data } => self.update_form(instance, form, data, reply),
            What::Disconnect(connection) => self.disconnect_for(instance, connection, reply),
            What::Candidates(want) => {
                let found = wanted::read(want).map(|want| {
                    let caller = self.caller(instance);
                    self.candidates_for(&want, |held, ability| caller.may(held, ability))
                });
                reply.send(found.as_ref());
            }
            What::Terminate => {
                // It may be gone before it has read an answer that came later.
                reply.send(Ok(&()));
                if let Some(request) = self.asked_by(Asker::Nobody) {
                    self.feed(Event::Stop { request, instance });
                }
            }
            What::Permissions(names) => {
                let said = self.read_names(&names).and_then(|names| self.has(instance, &names));
                reply.send(said.as_ref());
            }
            What::Request(names) => match self.read_names(&names) {
                Ok(names) => self.request(instance, &names, reply),
                Err(e) => reply.send::<()>(Err(&e)),
            },
            What::BeginTask(reason) => self.begin_task(instance, &reason, reply),
            What::EndTask(task) => self.end_task(instance, task, reply),
            What::BeginContinuous { mode, reason } => {
                self.begin_continuous(instance, &mode, &reason, reply);
            }
            What::EndContinuous(task) => self.end_continuous(instance, task, reply),
            What::Progress { task, done, total } => {
                self.progress(instance, task, Progress { done, total }, reply);
            }
            What::Restart(state) => {
                if let Some(request) = self.asked_by(Asker::App(reply)) {
                    self.feed(Event::Restart { request, instance, state });
                }
            }
            What::Resource(name) => self.resource(instance, name, reply),
        }
    }

    fn attach(&mut self, instance: InstanceId, reply: Reply) {
        let launch = self.launched_for(instance);
        let launch = launch.ok_or_else(|| Error::Failed("the instance is ending".to_owned()));
        // First of all: what it is told comes after what it was started for.
        reply.send(launch.as_ref());
        if let Some(live) = self.lives.get_mut(&instance) {
            live.back_by = None;
        }
        self.tell_unheard(instance);
        self.feed(Event::Attached { instance });
    }

    fn done(&mut self, instance: InstanceId, token: u32, state: Vec<u8>, reply: Reply) {
        if !self.engine.awaits(instance, token) {
            let why =
                format!("nothing is awaited with token {token}: it was done, or its time was over");
            return reply.send::<()>(Err(&Error::Invalid(why)));
        }
        reply.send(Ok(&()));
        self.feed(Event::Done { instance, token, state });
    }

    /// Whether an app may start others while it is not on the screen. It uses the permission when it is not.
    pub(super) fn starts_from_background(&mut self, instance: InstanceId, caller: &Who) -> bool {
        let permission = caller.granted.iter().find(|name| name.as_str() == FROM_BACKGROUND);
        let Some(permission) = permission else { return false };
        let row = self.engine.instance(instance);
        if row.is_none_or(|row| !matches!(row.state, State::Foreground | State::Foregrounding)) {
            self.used(instance, permission);
        }
        true
    }

    /// Who asks, as far as it decides what it may start.
    pub(super) fn caller(&self, instance: InstanceId) -> Who {
        let live = self.lives.get(&instance);
        Who {
            bundle: live.map(|live| live.target.bundle.clone()),
            granted: live.map(|live| live.kept.granted.clone()).unwrap_or_default(),
        }
    }

    fn read_names(&self, names: &[String]) -> Result<Vec<Name>, Error> {
        if names.len() > MAX_ASKED {
            let count = names.len();
            return Err(Error::Invalid(format!(
                "{count} permissions at once: at most {MAX_ASKED}"
            )));
        }
        let read = |text: &String| {
            Name::try_from(text.as_str())
                .map_err(|e| Error::Invalid(format!("no permission is called so: {e}")))
        };
        names.iter().map(read).collect()
    }

    /// Whether an instance has these permissions.
    fn has(&self, instance: InstanceId, names: &[Name]) -> Result<HashMap<String, String>, Error> {
        let (held, granted) = self.of(instance)?;
        let kept = self.store.generation().decisions();
        let word = |name: &Name| {
            let reply = self.flow.reply(kept, held.id(), &held.declared, &granted, name);
            (name.to_string(), reply.word().to_owned())
        };
        Ok(names.iter().map(word).collect())
    }

    /// An app asks the owner.
    fn request(&mut self, instance: InstanceId, names: &[Name], reply: Reply) {
        let (held, granted) = match self.of(instance) {
            Ok(of) => of,
            Err(e) => return reply.send::<()>(Err(&e)),
        };
        self.last_request += 1;
        let request = self.last_request;
        let clock = Clock { now: clock(), at: today() };
        let kept = self.store.generation().decisions();
        let of = (kept, held.id(), held.declared.as_slice());
        match self.flow.ask(clock, request, of, &granted, names) {
            Err(why) => reply.send::<()>(Err(&Error::Refused(why.to_string()))),
            Ok(effects) => {
                self.questions.insert(request, (instance, reply));
                self.carry_out(effects);
                self.dirty = true;
            }
        }
    }

    fn of(&self, instance: InstanceId) -> Result<(Arc<Held>, Vec<Name>), Error> {
        let gone = || Error::Failed("its bundle is not installed any more".to_owned());
        let live = self.lives.get(&instance).ok_or_else(gone)?;
        let held = self.store.get(&live.target.bundle).ok_or_else(gone)?;
        Ok((Arc::clone(held), live.kept.granted.clone()))
    }
}

/// An app that wants something of others.
pub(super) struct Who {
    pub(super) bundle: Option<BundleId>,
    granted: Vec<Name>,
}

impl Who {
    /// Whether it may start this: its own, and of others what is for others and what it has the permission for.
    pub(super) fn may(&self, held: &Held, ability: &Ability) -> bool {
        let own = self.bundle.as_ref() == Some(held.id());
        let permitted = ability.permission.as_ref().is_none_or(|name| self.granted.contains(name));
        own || (ability.exported && permitted)
    }

    /// Whether it has a permission.
    pub(super) fn has(&self, name: &Name) -> bool {
        self.granted.contains(name)
    }
}

/// Answers to what an app asked its owner.
pub(super) fn answers(replies: Vec<(Name, permission::Reply)>) -> HashMap<String, String> {
    replies.into_iter().map(|(name, reply)| (name.into(), reply.word().to_owned())).collect()
}
