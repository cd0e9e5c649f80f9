//! What apps want of others, and what is asked of the owner when several could do it.
//!
//! ```text
//! Start, Connect ─ find ─┬─ none ─► NotFound, in the same words whatever is there
//!                        ├─ one, or the default ─► engine
//!                        └─ several ─► Choices ─ Choose ─► engine
//! ```
//!
//! Invariant: whoever waits for a choice has one answer: what the engine says, or that nobody chose.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::sync::Arc;

use api::abilities::{Choice as Row, DefaultAbility, Error};
use api::app::Want as Said;
use model::bundle::{Ability, BundleId};
use model::want::Want;
use zbus::DBusError;

use super::apps::Who;
use super::asks::{Asker, error};
use super::clients::Told;
use super::finding::{Answering, Found};
use super::{Daemon, clock, memory, wanted};
use crate::choosing::{Choice, Chosen, Defaults, Wrong};
use crate::engine::{Caller, Event, InstanceId, Target};
use crate::store::Held;

/// What an app is told when nothing answers, whatever the reason is: which others are installed is not its business.
const NOTHING: &str =
    "no ability that this app may start answers this want: the log of ability-manager says why";

impl Daemon {
    /// An app wants something of another: started, or to be connected to it if the asker is one of a connection.
    pub(super) fn start_for(&mut self, instance: InstanceId, want: Said, asker: Asker) {
        let want = match wanted::read(want) {
            Ok(want) => Arc::new(want),
            Err(e) => return asker.refuse(e),
        };
        let caller = self.caller(instance);
        match self.find(&want, |held: &Held, ability: &Ability| caller.may(held, ability)) {
            Found::Nothing(why) => {
                self.say_why(instance, &want, &why);
                asker.refuse(Error::NotFound(NOTHING.to_owned()));
            }
            Found::One(answering) => {
                let background = self.starts_from_background(instance, &caller);
                self.start_one(instance, want, asker, (answering, &caller, background));
            }
            Found::Several(targets) => self.ask_which(instance, want, asker, targets),
        }
    }

    /// The engine is asked for an ability that an app wants. `background`: wherever the app is.
    fn start_one(
        &mut self,
        instance: InstanceId,
        want: Arc<Want>,
        asker: Asker,
        (answering, caller, background): (Answering, &Who, bool),
    ) {
        let Answering { target, traits, permission } = answering;
        let connect = matches!(asker, Asker::Connected(_));
        let permitted = permission.as_ref().is_none_or(|name| caller.has(name));
        if let Some(why) = self.locked_out(&target).filter(|_| permitted) {
            return asker.refuse(Error::Refused(why));
        }
        let Some(request) = self.asked_by(asker) else { return };
        permission
            .into_iter()
            .filter(|name| caller.has(name))
            .for_each(|name| self.used(instance, &name));
        let caller = Caller::App { instance, permitted, background };
        self.feed(if connect {
            Event::Connect { request, caller, target, traits, want }
        } else {
            Event::Start { request, caller, target, traits, want, show: true }
        });
    }

    /// The owner of the device reads why an app found nothing, which the app does not.
    fn say_why(&self, instance: InstanceId, want: &Want, why: &Error) {
        let unit = self.lives.get(&instance).map(|live| live.unit.as_str()).unwrap_or_default();
        let known = match self.find(want, |_, _| true) {
            Found::Nothing(why) => why.description().unwrap_or_default().to_owned(),
            Found::One(one) => {
                let needs = one.permission.map(|name| format!("needs the permission `{name}`"));
                let why =
                    needs.unwrap_or_else(|| "is not for other bundles: `exported`".to_owned());
                format!("{}/{} {why}", one.target.bundle, one.target.ability)
            }
            Found::Several(_) => why.description().unwrap_or_default().to_owned(),
        };
        log::info!("{unit} finds nothing that does what it wants: {known}");
    }

    /// Several could do it: the owner is asked, if the app may start anything now.
    fn ask_which(
        &mut self,
        instance: InstanceId,
        want: Arc<Want>,
        asker: Asker,
        targets: Vec<Target>,
    ) {
        let caller = self.caller(instance);
        let background = self.starts_from_background(instance, &caller);
        let may = self.engine.may_start(clock(), instance, background);
        let asked = may.map_err(|why| error(&why)).and_then(|()| {
            let bundle = caller
                .bundle
                .clone()
                .ok_or_else(|| Error::Failed("the instance is ending".to_owned()))?;
            self.choices
                .ask(clock(), (instance, &bundle), want, targets)
                .map(|number| (number, bundle))
                .map_err(|why| wrong(why, 0))
        });
        match asked {
            Err(e) => asker.refuse(e),
            Ok((number, bundle)) => {
                log::info!("{bundle} wants what several can do: `ensctl ability choose {number}`");
                self.choosers.insert(number, asker);
                self.tell_clients(Told::Choices);
            }
        }
    }

    /// The owner chooses: a candidate, from 1 on, or none (0).
    pub(super) fn choose(
        &mut self,
        number: u32,
        candidate: u32,
        always: bool,
    ) -> Result<(), Error> {
        let (choice, chosen) =
            self.choices.choose(number, candidate).map_err(|why| wrong(why, number))?;
        self.tell_clients(Told::Choices);
        let Some(asker) = self.choosers.remove(&number) else { return Ok(()) };
        let Choice { instance, want, .. } = choice;
        let Some(target) = chosen else {
            asker.refuse(Error::Refused("the owner chose none of those that can do it".to_owned()));
            return Ok(());
        };
        let caller = self.caller(instance);
        let held = self.store.get(&target.bundle).cloned();
        let ability = held.as_ref().and_then(|held| held.manifest.ability(target.ability.as_str()));
        let may =
            held.as_ref().zip(ability).is_some_and(|(held, ability)| caller.may(held, ability));
        let Some(answering) = self.answer_of(&target).filter(|_| may) else {
            asker.refuse(Error::NotFound(NOTHING.to_owned()));
            let why =
                format!("{}/{} is not there for this app any more", target.bundle, target.ability);
            return Err(Error::NotFound(why));
        };
        if always && self.defaults.set(&want, target) {
            self.keep_defaults();
        }
        // Whoever chose has seen to it that it may come to the screen now.
        self.start_one(instance, want, asker, (answering, &caller, true));
        Ok(())
    }

    /// Choices that nobody made in time.
    pub(super) fn tick_choices(&mut self) {
        let late = self.choices.expire(clock());
        self.drop_choices(&late, "nobody chose which of several should do it, within 60 s");
    }

    /// Whoever has ended wants nothing any more.
    pub(super) fn forget_choices(&mut self) {
        let lives = &self.lives;
        let gone = self.choices.retain(|instance| lives.contains_key(&instance));
        self.drop_choices(&gone, "the app has ended");
    }

    fn drop_choices(&mut self, numbers: &[u32], why: &str) {
        for number in numbers {
            if let Some(asker) = self.choosers.remove(number) {
                asker.refuse(Error::Refused(why.to_owned()));
            }
        }
        if !numbers.is_empty() {
            self.tell_clients(Told::Choices);
        }
    }

    /// Choices that wait, the first asked first.
    pub(super) fn open_choices(&self) -> Vec<Row> {
        let row = |(number, choice): (u32, &Choice)| {
            let held = self.store.get(&choice.bundle);
            let candidate = |target: &Target| {
                Some(self.candidate(self.store.get(&target.bundle)?, &target.ability))
            };
            Row {
                number,
                bundle: choice.bundle.to_string(),
                label: held
                    .map(|held| held.manifest.name.of(&self.locale).to_owned())
                    .unwrap_or_default(),
                want: wanted::say(&choice.want),
                candidates: choice.candidates.iter().filter_map(candidate).collect(),
                left: choice.until.saturating_sub(clock()).as_secs(),
            }
        };
        self.choices.open().map(row).collect()
    }

    /// What does what by default.
    pub(super) fn all_defaults(&self) -> Vec<DefaultAbility> {
        let row = |one: &Chosen| DefaultAbility {
            action: one.shape.action.clone(),
            entities: one.shape.entities.clone(),
            scheme: one.shape.scheme.clone(),
            mime: one.shape.mime.clone(),
            bundle: one.target.bundle.to_string(),
            ability: one.target.ability.to_string(),
        };
        self.defaults.all().into_iter().map(row).collect()
    }

    /// From now on this does what is wanted so, or nothing does if none is named.
    pub(super) fn set_default(&mut self, mut want: Want, by: Option<Target>) -> Result<(), Error> {
        let Some(target) = by else {
            if !self.defaults.unset(&want) {
                return Err(Error::NotFound("nothing does that by default".to_owned()));
            }
            self.keep_defaults();
            return Ok(());
        };
        (want.bundle, want.ability) = (None, None);
        let answers = self.answers.borrow_mut().to(&want, &self.store);
        let is =
            |(held, name): &(Arc<Held>, _)| *held.id() == target.bundle && *name == target.ability;
        if !answers.iter().any(is) {
            let why = format!("{}/{} does not answer this want", target.bundle, target.ability);
            return Err(Error::NotFound(why));
        }
        if !self.defaults.set(&want, target) {
            return Err(Error::Invalid("a want so long has no default".to_owned()));
        }
        self.keep_defaults();
        Ok(())
    }

    /// A bundle that is removed does nothing by default.
    pub(super) fn forget_defaults(&mut self, bundle: &BundleId) {
        if self.defaults.forget(bundle) {
            self.keep_defaults();
        }
    }

    fn keep_defaults(&self) {
        let path = &self.settings.defaults;
        let directory =
            path.parent().map(|at| DirBuilder::new().recursive(true).mode(0o700).create(at));
        let kept =
            directory.unwrap_or(Ok(())).and_then(|()| memory::write(path, &self.defaults, true));
        memory::say(path, kept);
    }
}

/// What was chosen for good.
pub(super) fn recall(settings: &super::Settings) -> Defaults {
    memory::read(&settings.defaults).unwrap_or_default()
}

fn wrong(why: Wrong, number: u32) -> Error {
    match why {
        Wrong::AsksAlready => {
            Error::Refused("the owner is asked for this app already: wait for that".to_owned())
        }
        Wrong::TooMany => {
            Error::Refused("the owner is asked too much already: ask again later".to_owned())
        }
        Wrong::NoChoice => {
            Error::NotFound(format!("no choice {number} waits: `ensctl ability choices` shows all"))
        }
        Wrong::NoCandidate(count) => {
            Error::Invalid(format!("it is between {count}: 1 to {count}, or none"))
        }
    }
}
