//! What the machines of pairing want done.
//!
//! ```text
//! link, owner, timer ─ Event ─► Source or Sink ─ Action ─► link, client, disk, group ─ Event ─► …
//! ```
//!
//! Invariant: actions are done in order; one that fails takes the rest with it, and is told to the machine. What is
//! answered to a code, or sent of the group, is on the disk.

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use tokio::sync::mpsc;

use super::{Kind, talk};
use crate::daemon::files::Group;
use crate::daemon::hub::Hub;
use crate::engine::{Link, Way};
use crate::pairing::{
    Action, EXPORTER, Event, Home, Outcome, Reason, Refusal, Sink, Source, TRIES,
};
use crate::session;
use crate::trust::{Form, Name, Refused};

/// File of wrong codes.
pub(super) const LADDER: &str = "ladder";

/// Longest such file, in bytes.
pub(super) const MAX_LADDER: usize = 256;

/// Messages of one pairing that wait to be sent: all entries that a group can have.
const MESSAGES: usize = 2048;

/// One end of a pairing.
#[derive(Debug)]
pub(super) enum Machine {
    Source(Box<Source>),
    Sink(Box<Sink>),
}

impl From<Source> for Machine {
    fn from(source: Source) -> Self {
        Self::Source(Box::new(source))
    }
}

impl From<Sink> for Machine {
    fn from(sink: Sink) -> Self {
        Self::Sink(Box::new(sink))
    }
}

impl Machine {
    fn on(&mut self, event: Event, now: Duration) -> Vec<Action> {
        match self {
            Self::Source(source) => source.on(event, now),
            Self::Sink(sink) => sink.on(event, now),
        }
    }

    fn peer(&self) -> Option<&(Name, Form)> {
        match self {
            Self::Source(source) => source.peer(),
            Self::Sink(sink) => sink.peer(),
        }
    }
}

/// A machine and its link.
#[derive(Debug)]
pub(super) struct Run {
    machine: Machine,
    link: Link,
    out: mpsc::Sender<Vec<u8>>,
    due: Option<Duration>,
    /// The owner here saw something of it.
    asked: bool,
}

impl Run {
    /// Which link.
    pub(super) fn link(&self) -> usize {
        self.link.number()
    }

    pub(super) const fn asked(&self) -> bool {
        self.asked
    }

    /// What the other calls itself.
    fn name(&self) -> String {
        let named = self.machine.peer().map(|(name, _)| name.to_string());
        named.unwrap_or_else(|| self.link.peer().short())
    }
}

/// Randomness for one pairing.
pub(super) fn seed() -> io::Result<[u8; 32]> {
    let mut seed = [0; 32];
    sys::random::fill(&mut seed)?;
    Ok(seed)
}

/// This boot.
pub(super) fn boot() -> [u8; 16] {
    let text = std::fs::read_to_string(api::paths::BOOT_ID).unwrap_or_default();
    let id = u128::from_str_radix(&text.trim().replace('-', ""), 16);
    let mut another = [0; 16];
    // When nobody knows, each time is another one: nothing is served of a freeze that is not seen served.
    let _zeros = id.is_err().then(|| sys::random::fill(&mut another));
    id.map_or(another, u128::to_be_bytes)
}

impl Hub {
    /// A link for the attempt that is under way.
    pub(super) fn run(&mut self, machine: Machine, link: Link, opens: bool) {
        let Ok(exporter) = link.exporter(EXPORTER) else {
            return link.close("no key could be derived from the link");
        };
        let (out, messages) = mpsc::channel(MESSAGES);
        let (peer, number) = (link.peer(), link.number());
        tokio::spawn(talk::talk(self.mail.clone(), link.clone(), opens, messages));
        if let Some(attempt) = &mut self.pairing.attempt {
            let asked = opens;
            attempt.run = Some(Run { machine, link, out, due: None, asked });
            self.happens(number, Event::Connected { peer, exporter });
        }
    }

    fn run_of(&mut self, link: usize) -> Option<&mut Run> {
        self.pairing.attempt.as_mut()?.run.as_mut().filter(|run| run.link() == link)
    }

    /// Something happens on a link of pairing.
    pub(in crate::daemon) fn happens(&mut self, link: usize, event: Event) {
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            let now = sys::clock::boottime();
            let Some(run) = self.run_of(link) else { return };
            for action in run.machine.on(event, now) {
                match self.act(link, action, now) {
                    Ok(answer) => events.extend(answer),
                    Err(refusal) => {
                        events.push_back(Event::Failed(refusal));
                        break;
                    }
                }
            }
        }
    }

    fn act(
        &mut self,
        link: usize,
        action: Action,
        now: Duration,
    ) -> Result<Option<Event>, Refusal> {
        match action {
            Action::Send(bytes) => {
                let run = self.run_of(link).ok_or(Refusal::Cancelled)?;
                run.out.try_send(bytes).map_err(|_| Refusal::Cancelled)?;
            }
            Action::Timer(at) => {
                if let Some(run) = self.run_of(link) {
                    run.due = Some(at);
                }
                self.mail.later(at.saturating_sub(now), move |hub| hub.due(link));
            }
            Action::StoreLadder(ladder) => {
                self.store("wrong codes", |hub| {
                    hub.files.write(LADDER, &ladder.to_bytes(&boot(), now))
                })?;
            }
            Action::AskConfirm { .. } | Action::ShowCode(_) | Action::AskCode { .. } => {
                return Ok(self.show(link, &action));
            }
            Action::AskStanding(peer) => {
                return Ok(Some(Event::Standing(self.home().standing(&self.own, &peer))));
            }
            Action::Invite { peer, card } => {
                let own = self.calls_itself().map_err(|_| Refusal::Storage)?;
                let random = seed().map_err(|_| Refusal::Storage)?;
                let made = self.home().invite(&self.key, own, (peer, card), &random);
                let (home, invitation) = made.map_err(|why| refusal(&why))?;
                self.store_home(home)?;
                return Ok(Some(Event::Invited(invitation)));
            }
            Action::Join(invitation) => {
                let home = self.home().join(&self.own, invitation);
                self.store_home(home.map_err(|_| Refusal::Group)?)?;
                return Ok(Some(Event::Joined));
            }
            Action::Done(outcome) => self.paired(link, &outcome),
            Action::Fail(reason) => self.unpaired(link, &reason),
        }
        Ok(None)
    }

    /// Shows the owner what there is; a window that asks nobody answers by itself.
    fn show(&mut self, link: usize, action: &Action) -> Option<Event> {
        let attempt = self.pairing.attempt.as_ref()?;
        let (number, asks) = (attempt.number, !matches!(attempt.kind, Kind::Window { ask: false }));
        let run = self.run_of(link)?;
        run.asked = true;
        let (peer, id) = (run.name(), run.link.peer().to_string());
        match action {
            Action::AskConfirm { name, form, .. } => {
                let detail =
                    vec![("name", name.to_string()), ("form", form.to_string()), ("id", id)];
                self.tell(number, "asked", detail);
                return (!asks).then_some(Event::Confirmed(true));
            }
            Action::ShowCode(code) => {
                self.tell(number, "show-code", vec![("code", code.digits()), ("name", peer)]);
            }
            Action::AskCode { left } => {
                let tries = ("tries", left.to_string());
                if *left < TRIES {
                    self.tell(number, "wrong-code", vec![tries.clone()]);
                }
                self.tell(number, "ask-code", vec![("name", peer), ("id", id), tries]);
            }
            _ => {}
        }
        None
    }

    fn due(&mut self, link: usize) {
        let now = sys::clock::boottime();
        let due = self.run_of(link).and_then(|run| run.due);
        if due.is_some_and(|at| at <= now) {
            self.happens(link, Event::Tick);
        }
    }

    fn home(&self) -> Home {
        let group = self.group.as_ref();
        Home { group: group.map(|group| (group.log.clone(), group.secret.clone())) }
    }

    fn store_home(&mut self, home: Home) -> Result<(), Refusal> {
        let (log, secret) = home.group.ok_or(Refusal::Group)?;
        let group = Group { log, secret };
        self.store("the group", |hub| hub.files.keep_group(Some(&group)))?;
        self.group = Some(group);
        self.regroup();
        Ok(())
    }

    fn store(
        &self,
        what: &str,
        store: impl FnOnce(&Self) -> io::Result<()>,
    ) -> Result<(), Refusal> {
        store(self).map_err(|e| {
            crate::daemon::say(3, &format!("keeping {what}: {e}"));
            Refusal::Storage
        })
    }

    fn paired(&mut self, link: usize, outcome: &Outcome) {
        let Some(number) = self.pairing.attempt.as_ref().map(|attempt| attempt.number) else {
            return;
        };
        let path = self.run_of(link).and_then(|run| run.link.path());
        if let Some(Way::Direct(address)) = path.map(|path| path.way) {
            let known = self.known(outcome.peer);
            known.addresses.retain(|one| *one != address);
            known.addresses.insert(0, address);
            self.save_soon();
            self.step(session::Event::Known(outcome.peer, vec![address]));
        }
        let id = outcome.peer;
        let name = self.member(&id).map_or(outcome.name.clone(), |member| member.name.clone());
        crate::daemon::say(5, &format!("paired with {name} ({})", id.short()));
        self.tell(number, "done", vec![("name", name.to_string()), ("id", id.to_string())]);
        self.end_attempt();
    }

    fn unpaired(&mut self, link: usize, reason: &Reason) {
        let (what, todo) = reason.parts();
        crate::daemon::say(5, &format!("not paired: {what}"));
        let window = self.pairing.attempt.as_ref();
        let window = window.is_some_and(|attempt| matches!(attempt.kind, Kind::Window { .. }));
        if window && self.run_of(link).is_some_and(|run| !run.asked) {
            // Nobody here has seen anything of it: the next one may ask.
            if let Some(attempt) = &mut self.pairing.attempt {
                attempt.run = None;
            }
            return;
        }
        self.fails(reason.step().word(), &what, &todo);
    }
}

/// What the other is told of what could not be signed.
fn refusal(why: &Refused) -> Refusal {
    match why {
        Refused::Full => Refusal::Full,
        Refused::NotOwner | Refused::NotAMember => Refusal::NotOwner,
        _ => Refusal::Group,
    }
}
