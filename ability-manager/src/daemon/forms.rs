//! Cards: added by clients, filled by apps, kept over boots.
//!
//! ```text
//! Add ─► Cards ─ to be filled ─► engine: `form` ─► the app ─ UpdateForm ─► Cards ─► Changed
//! FORMS/list: which there are, FORMS/NUMBER: what is on each
//! ```
//!
//! Invariants: a card that was added is there after a power cut; what is on it may be what was before.

use std::collections::HashMap;
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use api::abilities::{Error, Form};
use model::bundle::{AbilityKind, BundleId, CardSize, Lifecycle};
use model::want::Want;
use serde::{Deserialize, Serialize};

use super::asks::Asker;
use super::clients::Told;
use super::finding::Answering;
use super::seat::Reply;
use super::settings::Settings;
use super::{Daemon, clock, memory};
use crate::cards::{Card, Cards, Data, MAX_CARDS, MAX_CARDS_EACH, MAX_DATA, MAX_UPDATES, NotDone};
use crate::engine::{Caller, Event, InstanceId, Target};

/// The file of all cards, below their directory.
const LIST: &str = "list";

/// All cards, as they are kept.
#[derive(Debug, Deserialize)]
struct Kept {
    /// Of which boot their times are.
    boot: String,
    cards: Cards,
}

/// The same, to be written.
#[derive(Debug, Serialize)]
struct View<'a> {
    boot: &'a str,
    cards: &'a Cards,
}

/// What was kept of cards; `boot` names this one.
pub(super) fn recall(settings: &Settings, boot: &str) -> Cards {
    let Some(kept) = memory::read::<Kept>(&settings.forms.join(LIST)) else {
        return Cards::default();
    };
    let mut cards = kept.cards;
    if kept.boot != boot {
        cards.rebooted();
    }
    let numbers: Vec<u32> = cards.all().map(|(number, _)| number).collect();
    for number in numbers {
        let data = memory::read::<Data>(&settings.forms.join(number.to_string()));
        cards.recall(number, data.unwrap_or_default());
    }
    cards
}

impl Daemon {
    /// A client, which has this number, wants a card.
    pub(super) fn form_add(
        &mut self,
        target: Target,
        size: &str,
        client: u64,
    ) -> Result<u32, Error> {
        let (size, every) = self.form_of(&target, size)?;
        let now = clock();
        let number = self.cards.add(now, target.clone(), size, every, client).map_err(not_done)?;
        self.keep_cards(true);
        self.fill(number, target, size);
        Ok(number)
    }

    /// Whether an ability makes cards of this size, and how often.
    fn form_of(&self, target: &Target, size: &str) -> Result<(CardSize, Option<Duration>), Error> {
        let Target { bundle, ability } = target;
        let held = self.held(bundle.as_str())?;
        let found = held.manifest.ability(ability.as_str());
        let found = found.filter(|found| found.kind == AbilityKind::Form).ok_or_else(|| {
            Error::NotFound(format!("{bundle} has no form `{ability}`: `ensctl app info {bundle}`"))
        })?;
        if found.lifecycle == Lifecycle::Process {
            let why = format!(
                "{bundle}/{ability} would not hear of its cards: its manifest lacks `lifecycle = \"bus\"`"
            );
            return Err(Error::Invalid(why));
        }
        let form = found.form.clone().unwrap_or_default();
        let sizes = if form.sizes.is_empty() { vec![CardSize::default()] } else { form.sizes };
        let wanted = if size.is_empty() { sizes.first().copied() } else { CardSize::read(size) };
        let wanted = wanted.filter(|wanted| sizes.contains(wanted)).ok_or_else(|| {
            let sizes: Vec<String> = sizes.iter().map(ToString::to_string).collect();
            let sizes = sizes.join(", ");
            Error::Invalid(format!("`{size}`: {bundle}/{ability} has cards of {sizes}"))
        })?;
        Ok((wanted, form.refresh))
    }

    /// A client wants a card no more.
    pub(super) fn form_remove(&mut self, number: u32) -> Result<(), Error> {
        let card = self.cards.remove(number).ok_or_else(|| {
            Error::NotFound(format!("there is no card {number}: `ensctl ability form` shows all"))
        })?;
        self.feed(Event::FormGone { target: card.target, card: number });
        self.gone(&[number]);
        Ok(())
    }

    /// A bundle that is removed has no cards.
    pub(super) fn forget_cards(&mut self, bundle: &BundleId) {
        let gone = self.cards.forget(bundle);
        self.gone(&gone);
    }

    fn gone(&mut self, numbers: &[u32]) {
        for number in numbers {
            let path = self.card(*number);
            if let Err(e) = std::fs::remove_file(&path)
                && e.kind() != std::io::ErrorKind::NotFound
            {
                memory::say(&path, Err(e));
            }
            self.tell_clients(Told::Form(*number));
        }
        if !numbers.is_empty() {
            self.keep_cards(true);
        }
    }

    /// A client has hung up: its cards stay.
    pub(super) fn client_left(&mut self, client: u64) {
        self.cards.leave(client);
    }

    /// Cards whose time has come.
    pub(super) fn tick_cards(&mut self) {
        let due = self.cards.expire(clock());
        if due.is_empty() {
            return;
        }
        self.keep_cards(false);
        for (number, target, size) in due {
            self.fill(number, target, size);
        }
    }

    /// The app of a card is told to fill it.
    fn fill(&mut self, number: u32, target: Target, size: CardSize) {
        let Some(Answering { target, traits, .. }) = self.answer_of(&target) else {
            let why = format!("{}/{} is not installed", target.bundle, target.ability);
            return self.not_filled(number, why);
        };
        if let Some(why) = self.locked_out(&target) {
            return self.not_filled(number, why);
        }
        let parameters = [("form", number.to_string()), ("size", size.to_string())];
        let want = Arc::new(Want {
            bundle: Some(target.bundle.clone()),
            ability: Some(target.ability.clone()),
            parameters: parameters.map(|(name, value)| (name.to_owned(), value)).into(),
            ..Want::default()
        });
        let Some(request) = self.asked_by(Asker::Card(number)) else { return };
        let caller = Caller::Root;
        self.feed(Event::Start { request, caller, target, traits, want, show: false });
    }

    /// What an app was asked to do for a card did not work.
    pub(super) fn not_filled(&mut self, number: u32, why: String) {
        log::warn!("card {number} could not be filled: {why}");
        if self.cards.failed(number, why) {
            self.keep_cards(false);
            self.tell_clients(Told::Form(number));
        }
    }

    /// An app fills a card.
    pub(super) fn update_form(
        &mut self,
        instance: InstanceId,
        number: u32,
        data: HashMap<String, String>,
        reply: Reply,
    ) {
        let Some(bundle) = self.lives.get(&instance).map(|live| live.target.bundle.clone()) else {
            return;
        };
        let data: Data = data.into_iter().collect();
        let path = self.card(number);
        match self.cards.update(clock(), &bundle, number, data) {
            Err(why) => reply.send::<()>(Err(&not_done(why))),
            Ok(()) => {
                reply.send(Ok(&()));
                // Often, and of no worth after a power cut: it is filled anew then.
                if let Some(card) = self.cards.get(number) {
                    memory::say(&path, memory::write(&path, &card.data, false));
                }
                self.tell_clients(Told::Form(number));
            }
        }
    }

    /// Every card, by number.
    pub(super) fn forms(&self) -> Vec<Form> {
        let row = |(number, card): (u32, &Card)| {
            let Target { bundle, ability } = &card.target;
            let held = self.store.get(bundle);
            Form {
                number,
                bundle: bundle.to_string(),
                ability: ability.to_string(),
                label: held.map(|held| self.candidate(held, ability).label).unwrap_or_default(),
                size: card.size.to_string(),
                data: card.data.clone().into_iter().collect(),
                updated: card.updated.map_or(0, |at| self.since(at)),
                next: card.next().map_or(0, |at| self.since(at)),
                why: card.why.clone().unwrap_or_default(),
            }
        };
        self.cards.all().map(row).collect()
    }

    fn card(&self, number: u32) -> PathBuf {
        self.settings.forms.join(number.to_string())
    }

    /// `lasts`: it must outlast a power cut.
    fn keep_cards(&self, lasts: bool) {
        let directory = &self.settings.forms;
        let made = DirBuilder::new().recursive(true).mode(0o700).create(directory);
        let path = directory.join(LIST);
        let view = View { boot: &self.guid, cards: &self.cards };
        memory::say(&path, made.and_then(|()| memory::write(&path, &view, lasts)));
    }
}

fn not_done(why: NotDone) -> Error {
    match why {
        NotDone::NoCard => Error::NotFound("the app has no card of this number".to_owned()),
        NotDone::TooMany => {
            Error::Refused(format!("{MAX_CARDS} cards are there: remove one first"))
        }
        NotDone::TooManyEach => Error::Refused(format!(
            "{MAX_CARDS_EACH} cards were added by this client: remove one first"
        )),
        NotDone::TooLong(length) => {
            Error::Invalid(format!("{length} bytes for a card: at most {MAX_DATA} fit on it"))
        }
        NotDone::TooOften => {
            Error::Refused(format!("cards of an app change at most {MAX_UPDATES} times a second"))
        }
    }
}
