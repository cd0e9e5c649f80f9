//! Pairing: the owner at the bus, the window, and whom a link is for. What is said on it is [`acts`], how [`talk`].
//!
//! ```text
//! accept ─► window open, announced ─ link ─► asked ─► code shown ─► done │ failed ─► window closed
//! pair ─► sought near, so long ─► dialed ─► code typed ─► done │ failed
//! ```
//!
//! Invariants: one attempt at a time, and one link of it; it ends with the client that began it. Who is gone before the
//! owner was asked does not close the window: a stranger can't.

mod acts;
mod talk;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use api::devices::Error;

use super::desk::Told;
use super::hub::Hub;
use crate::DeviceId;
use crate::engine::{Announcement, Dial, DialError, Link, Protocol};
use crate::pairing::{ANSWER, Code, Event, Ladder, Refusal, Sink, Source, WINDOW};
use crate::trust::{Form, Level, Name};
use acts::Run;

/// How long a device is looked for that is not announced yet.
const SEEK: Duration = Duration::from_secs(5);

/// The attempt that is under way.
#[derive(Debug, Default)]
pub(super) struct Pairing {
    last: u32,
    attempt: Option<Attempt>,
}

#[derive(Debug)]
struct Attempt {
    number: u32,
    client: u64,
    /// What the other becomes, if this device adds it.
    level: Level,
    kind: Kind,
    run: Option<Run>,
}

#[derive(Debug)]
enum Kind {
    /// Others may ask; their owner is asked, or not.
    Window { ask: bool },
    /// This is to be found.
    Seeks(String),
    /// It was found.
    Dials,
}

impl Pairing {
    /// What is announced because of it.
    pub(super) fn announcement(&self, hub: &Hub) -> Option<Announcement> {
        let Attempt { kind: Kind::Window { .. }, .. } = self.attempt.as_ref()? else { return None };
        let (name, form) = hub.calls_itself().ok()?;
        Some(Announcement::Pairing { name: name.into(), form: form.into(), id: hub.own })
    }
}

/// Options of a call, by name.
pub(super) type Options = HashMap<String, String>;

fn level(options: &Options) -> Result<Level, Error> {
    let level = options.get("level").map_or("", String::as_str);
    let wrong = |why| Error::Invalid(format!("level `{level}`: {why}"));
    if level.is_empty() { Ok(Level::Member) } else { level.parse().map_err(wrong) }
}

fn seconds(options: &Options) -> Result<Duration, Error> {
    let Some(text) = options.get("seconds") else { return Ok(WINDOW) };
    let seconds = text.parse().ok().map(Duration::from_secs);
    let right = seconds.filter(|seconds| !seconds.is_zero() && *seconds <= WINDOW);
    let most = WINDOW.as_secs();
    right.ok_or_else(|| Error::Invalid(format!("seconds `{text}`: it is 1 to {most}")))
}

impl Hub {
    pub(super) fn accept(&mut self, client: u64, options: Options) -> Result<u32, Error> {
        let (level, seconds) = (level(&options)?, seconds(&options)?);
        let ask = options.get("confirm").is_none_or(|confirm| confirm != "no");
        if let Some(left) = self.ladder().frozen(sys::clock::boottime()) {
            let seconds = u32::try_from(left.as_millis().div_ceil(1000)).unwrap_or(u32::MAX);
            return Err(Error::Refused(Refusal::Frozen(seconds).to_string()));
        }
        let number = self.attempt(client, level, Kind::Window { ask })?;
        self.engine.open_window(true);
        self.announce();
        self.tell(number, "waiting", vec![("seconds", seconds.as_secs().to_string())]);
        self.mail.later(seconds, move |hub| hub.window_over(number));
        Ok(number)
    }

    pub(super) fn pair(
        &mut self,
        client: u64,
        target: &str,
        options: Options,
    ) -> Result<u32, Error> {
        let level = level(&options)?;
        let number = self.attempt(client, level, Kind::Seeks(target.to_owned()))?;
        self.seek();
        self.mail.later(SEEK, move |hub| hub.sought_enough(number));
        Ok(number)
    }

    pub(super) fn confirm(&mut self, attempt: u32, yes: bool) -> Result<(), Error> {
        self.owner_says(attempt, Event::Confirmed(yes))
    }

    pub(super) fn answer(&mut self, attempt: u32, code: &str) -> Result<(), Error> {
        let code: Code = code.parse().map_err(|why| Error::Invalid(format!("{why}")))?;
        self.owner_says(attempt, Event::Code(code))
    }

    pub(super) fn cancel(&mut self, attempt: u32) -> Result<(), Error> {
        let under_way = self.attempt_of(attempt)?;
        match &under_way.run {
            Some(run) => {
                let link = run.link();
                self.happens(link, Event::Cancel);
                // A window stays open when nobody was asked yet.
                self.end_attempt();
            }
            None => self.fails("confirm", "it was given up", ""),
        }
        Ok(())
    }

    /// A device that wants to pair has a link.
    pub(super) fn pairing_link(&mut self, link: Link) {
        let window = self.pairing.attempt.as_ref();
        let window = window.filter(|attempt| matches!(attempt.kind, Kind::Window { .. }));
        let level = window.filter(|attempt| attempt.run.is_none()).map(|attempt| attempt.level);
        match (level, self.calls_itself(), acts::seed()) {
            (Some(level), Ok(own), Ok(seed)) => {
                let sink = Sink::new(self.own, own, level, self.ladder(), seed);
                self.run(sink.into(), link, false);
            }
            _ => drop(tokio::spawn(talk::busy(link))),
        }
    }

    /// A client hung up: its attempt ends with it.
    pub(super) fn client_left(&mut self, client: u64) {
        let attempt = self.pairing.attempt.as_ref().filter(|attempt| attempt.client == client);
        if let Some(number) = attempt.map(|attempt| attempt.number) {
            // It is there.
            let _there = self.cancel(number);
        }
    }

    /// Looks for what is to be paired with among what is near.
    pub(super) fn seek(&mut self) {
        let Some(Attempt { number, kind: Kind::Seeks(target), .. }) = &self.pairing.attempt else {
            return;
        };
        let number = *number;
        match self.near_or_told(target) {
            Ok(Some((peer, addresses))) => {
                if let Some(attempt) = &mut self.pairing.attempt {
                    attempt.kind = Kind::Dials;
                }
                let (engine, mail) = (self.engine.clone(), self.mail.clone());
                tokio::spawn(async move {
                    let (protocol, within) = (Protocol::Pairing, ANSWER);
                    let dial = Dial { peer, addresses: &addresses, relay: None, protocol, within };
                    let dialed = engine.dial(&dial).await;
                    mail.tell(move |hub| hub.dialed_to_pair(number, dialed)).await;
                });
            }
            Ok(None) => {}
            Err(why) => self.fails("find", &why, "give its id: `ensctl device nearby` shows it"),
        }
    }

    /// Where a device is that waits to be paired with: by name, id, address, or `ID@ADDRESS:PORT`.
    fn near_or_told(&self, target: &str) -> Result<Option<(DeviceId, Vec<SocketAddr>)>, String> {
        if let Some((id, address)) = target.split_once('@')
            && let (Ok(id), Ok(address)) = (id.parse(), address.parse())
        {
            return Ok(Some((id, vec![address])));
        }
        let mut found: HashMap<DeviceId, Vec<SocketAddr>> = HashMap::new();
        for (announced, _) in self.near.values() {
            let Announcement::Pairing { name, id, .. } = &announced.what else { continue };
            let at = |address: &SocketAddr| {
                address.to_string() == target || address.ip().to_string() == target
            };
            let begins = target.len() >= crate::id::SHORT && id.to_string().starts_with(target);
            let meant = name == target || begins || announced.addresses.iter().any(at);
            if meant && *id != self.own {
                found.entry(*id).or_default().extend(&announced.addresses);
            }
        }
        if found.len() > 1 {
            return Err(format!("{} devices near are called {target}", found.len()));
        }
        Ok(found.into_iter().next())
    }

    fn sought_enough(&mut self, number: u32) {
        let attempt = self.pairing.attempt.as_ref();
        if attempt.is_some_and(|attempt| {
            attempt.number == number && matches!(attempt.kind, Kind::Seeks(_))
        }) {
            self.fails(
                "find",
                "no such device waits near here to be paired with",
                "run `ensctl device accept` on it; where announcements do not get through, ID@ADDRESS:PORT is who and where",
            );
        }
    }

    fn dialed_to_pair(&mut self, number: u32, dialed: Result<Link, DialError>) {
        let Some(attempt) = self.pairing.attempt.as_ref().filter(|one| one.number == number) else {
            return;
        };
        let level = attempt.level;
        match (dialed, self.calls_itself(), acts::seed()) {
            (Ok(link), Ok(own), Ok(seed)) => {
                self.run(Source::new(self.own, own, level, seed).into(), link, true);
            }
            (Err(error), ..) => self.fails(
                "reach",
                &error.to_string(),
                "look whether its window is open, and whether both are on one network",
            ),
            (_, Err(error), _) => self.fails("hello", &error.to_string(), ""),
            (.., Err(error)) => self.fails("hello", &format!("randomness: {error}"), ""),
        }
    }

    fn window_over(&mut self, number: u32) {
        let attempt = self.pairing.attempt.as_ref().filter(|attempt| attempt.number == number);
        if attempt.is_some_and(|attempt| attempt.run.as_ref().is_none_or(|run| !run.asked())) {
            self.fails(
                "hello",
                "no device asked to be paired",
                "`ensctl device pair` on the other one",
            );
        }
    }

    /// What this device calls itself.
    fn calls_itself(&self) -> Result<(Name, Form), Error> {
        let form = super::facts::form().map_err(|why| Error::Failed(format!("its form: {why}")))?;
        let name = self.member(&self.own).map(|own| own.name.clone());
        Ok((name.unwrap_or_else(super::facts::name), form))
    }

    /// Begins an attempt, if none is under way.
    fn attempt(&mut self, client: u64, level: Level, kind: Kind) -> Result<u32, Error> {
        if self.pairing.attempt.is_some() {
            return Err(Error::Busy(
                "this device is pairing already: wait, or end that one".to_owned(),
            ));
        }
        if let Some(why) = &self.damaged {
            return Err(Error::Failed(why.clone()));
        }
        let number = self.pairing.last.saturating_add(1);
        self.pairing.last = number;
        self.pairing.attempt = Some(Attempt { number, client, level, kind, run: None });
        Ok(number)
    }

    fn attempt_of(&self, number: u32) -> Result<&Attempt, Error> {
        let attempt = self.pairing.attempt.as_ref().filter(|attempt| attempt.number == number);
        attempt.ok_or_else(|| Error::NotFound(format!("no pairing {number} is under way")))
    }

    fn owner_says(&mut self, number: u32, event: Event) -> Result<(), Error> {
        let link = self.attempt_of(number)?.run.as_ref().map(Run::link);
        let link = link.ok_or_else(|| Error::Invalid("nothing was asked yet".to_owned()))?;
        self.happens(link, event);
        Ok(())
    }

    /// Tells who began the attempt.
    fn tell(&self, attempt: u32, stage: &'static str, detail: Vec<(&'static str, String)>) {
        let client = self.pairing.attempt.as_ref().map(|attempt| attempt.client);
        if let Some(client) = client.and_then(|client| self.clients.get(&client)) {
            // Who does not read what it is told, is not told.
            let _full = client.try_send(Told::Pairing { attempt, stage, detail });
        }
    }

    fn fails(&mut self, step: &str, reason: &str, remedy: &str) {
        let Some(number) = self.pairing.attempt.as_ref().map(|attempt| attempt.number) else {
            return;
        };
        let detail = [("step", step), ("reason", reason), ("remedy", remedy)];
        self.tell(number, "failed", detail.map(|(name, value)| (name, value.to_owned())).to_vec());
        self.end_attempt();
    }

    /// The attempt is over, and its window closed.
    fn end_attempt(&mut self) {
        if let Some(Attempt { kind: Kind::Window { .. }, .. }) = self.pairing.attempt.take() {
            self.engine.open_window(false);
            self.announce();
        }
    }

    /// What wrong codes have come to.
    fn ladder(&self) -> Ladder {
        let now = sys::clock::boottime();
        match self.files.read(acts::LADDER, acts::MAX_LADDER) {
            Ok(None) => Ladder::default(),
            Ok(Some(bytes)) => {
                Ladder::from_bytes(&bytes, &acts::boot(), now).unwrap_or_else(|why| {
                    super::say(4, &why.to_string());
                    let ladder = Ladder::suspect(now);
                    // Stored, so that it is served once; if it can't be, once more.
                    let _again =
                        self.files.write(acts::LADDER, &ladder.to_bytes(&acts::boot(), now));
                    ladder
                })
            }
            Err(e) => {
                super::say(4, &format!("the file of wrong codes: {e}"));
                Ladder::suspect(now)
            }
        }
    }
}
