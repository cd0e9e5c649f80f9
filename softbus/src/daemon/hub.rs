//! Where everything meets: what happens goes into the cores, what they decide is done.
//!
//! ```text
//! engine ─ event ─┐                                        ┌─► engine: dial, close, announce
//! links ─ message ┼─ mail ─► Hub ─► session, trust ─ action┼─► links: Hello, Entries, Profile …
//! bus ─ question ─┘            └─ files                    └─► bus: Changed; servicemgr: device.NAME
//! ```
//!
//! Invariant: one thing after the other; nothing here waits.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::{mpsc, watch};

use super::desk::Told;
use super::files::{Files, Group, Known, Peers};
use super::gate::Admitted;
use super::links::Here;
use super::mail::{Mail, Reply};
use super::pairing::Pairing;
use crate::DeviceId;
use crate::engine::{
    Announced, Announcement, Dial, DialError, Engine, Event, Link, Protocol, Step, Way,
};
use crate::profile::Profile;
use crate::session::{self, Action, LinkId, Session};
use crate::streams::Doors;
use crate::trust::{Salt, SecretKey};

/// How long a dial may take.
const DIAL: Duration = Duration::from_secs(4);

/// How long one salt of the announcement lasts.
const SALT: Duration = Duration::from_secs(3600);

/// Pause between two times that what is remembered of peers is written.
const SAVING: Duration = Duration::from_secs(5);

/// Most who wait for a link; one more is refused.
const MAX_WAITING: usize = 64;

/// All that this device is and knows.
#[derive(Debug)]
pub(super) struct Hub {
    pub(super) mail: Mail,
    pub(super) files: Files,
    pub(super) key: SecretKey,
    pub(super) own: DeviceId,
    /// A random number of this process.
    pub(super) run: u64,
    pub(super) engine: Engine,
    pub(super) gate: Arc<Admitted>,
    pub(super) group: Option<Group>,
    /// Why the group that is kept can't be read.
    pub(super) damaged: Option<String>,
    pub(super) session: Session,
    pub(super) links: BTreeMap<LinkId, Here>,
    pub(super) peers: Peers,
    /// Why a peer is not here, as far as that was found.
    pub(super) troubles: BTreeMap<DeviceId, String>,
    /// What is announced near, by the names drawn by lot, and which member it is.
    pub(super) near: BTreeMap<String, (Announced, Option<DeviceId>)>,
    pub(super) profile: Profile,
    /// Addresses that the owner added.
    pub(super) added: Vec<SocketAddr>,
    /// Where this device is reached.
    pub(super) addresses: Vec<SocketAddr>,
    /// Why nobody near is heard.
    pub(super) deaf: Option<String>,
    pub(super) clients: BTreeMap<u64, mpsc::Sender<Told>>,
    pub(super) pairing: Pairing,
    pub(super) doors: Arc<Doors>,
    pub(super) salt: Salt,
    pub(super) announcing: watch::Sender<Vec<Announcement>>,
    pub(super) parameters: watch::Sender<BTreeMap<String, String>>,
    pub(super) waiting: Vec<(DeviceId, Reply<Result<Link, String>>)>,
    pub(super) next: LinkId,
    /// What is remembered of peers changed since it was written.
    pub(super) unsaved: bool,
}

impl Hub {
    /// All of this goes on from here: who was known is dialed, the device announces itself.
    pub(super) fn begin(&mut self) {
        self.regroup();
        self.step(session::Event::Added(self.added.clone()));
        let known: Vec<_> =
            self.peers.iter().map(|(id, known)| (*id, known.addresses.clone())).collect();
        for (id, addresses) in known {
            self.step(session::Event::Known(id, addresses));
        }
        self.mail.later(SALT, Self::another_salt);
    }

    /// Tells the session, and does what it says.
    pub(super) fn step(&mut self, event: session::Event) {
        let mut jitter = [0; 2];
        // Without, all who lost each other at once come back at once.
        let _none = sys::random::fill(&mut jitter);
        let now = sys::clock::boottime();
        for action in self.session.on(now, event, u16::from_le_bytes(jitter)) {
            match action {
                Action::Dial { peer, addresses, wanted } => self.dial(peer, addresses, wanted),
                Action::Drop { link, bye } => {
                    if let Some(here) = self.links.remove(&link) {
                        here.close(bye);
                    }
                }
                Action::Present(peer, there) => self.present(peer, there),
            }
        }
    }

    /// When there is something to do though nothing happens.
    pub(super) fn deadline(&self) -> Option<Duration> {
        self.session.deadline()
    }

    fn dial(&self, peer: DeviceId, addresses: Vec<SocketAddr>, wanted: bool) {
        let (engine, mail) = (self.engine.clone(), self.mail.clone());
        tokio::spawn(async move {
            let (protocol, within) = (Protocol::Session, DIAL);
            let dial = Dial { peer, addresses: &addresses, relay: None, protocol, within };
            let dialed = engine.dial(&dial).await;
            mail.tell(move |hub| hub.dialed(peer, dialed, wanted)).await;
        });
    }

    fn dialed(&mut self, peer: DeviceId, dialed: Result<Link, DialError>, wanted: bool) {
        match dialed {
            Ok(link) => self.linked(link, true, wanted),
            Err(error) => {
                let refused = matches!(error.step, Step::Admission | Step::Gate);
                self.trouble(peer, error.to_string());
                self.answer_waiting(&peer, &Err(error.to_string()));
                self.step(session::Event::Failed { peer, refused });
            }
        }
    }

    /// Notes why a peer of the group is not here.
    pub(super) fn trouble(&mut self, peer: DeviceId, why: String) {
        if self.member(&peer).is_some() {
            self.troubles.insert(peer, why);
        }
    }

    /// What the engine tells.
    pub(super) fn heard(&mut self, event: Event) {
        match event {
            Event::Incoming { link, protocol: Protocol::Session } => {
                self.linked(link, false, false);
            }
            Event::Incoming { link, protocol: Protocol::Pairing } => self.pairing_link(link),
            Event::Announced(announced) => {
                let peer = self.whose(&announced);
                self.near.insert(announced.instance.clone(), (announced.clone(), peer));
                self.met(announced, peer);
                self.seek();
            }
            Event::Gone(announced) => {
                let Some((_, Some(peer))) = self.near.remove(&announced.instance) else { return };
                if !self.near.values().any(|(_, other)| *other == Some(peer)) {
                    self.step(session::Event::Gone(peer));
                }
            }
            Event::Addresses(addresses) => {
                self.addresses = addresses;
                self.step(session::Event::Moved);
                self.tell_profile(None);
            }
            Event::Deaf(why) => {
                if let Some(why) = &why {
                    super::say(4, &format!("nobody near can be heard: {why}"));
                }
                self.deaf = why;
            }
        }
    }

    /// Which member an announcement is of.
    fn whose(&self, announced: &Announced) -> Option<DeviceId> {
        let (Announcement::Member(tag), Some(group)) = (&announced.what, &self.group) else {
            return None;
        };
        group.secret.whose(tag, group.log.members()).filter(|id| *id != self.own)
    }

    fn met(&mut self, announced: Announced, peer: Option<DeviceId>) {
        if let (Announcement::Member(tag), Some(peer)) = (announced.what, peer) {
            self.step(session::Event::Announced { peer, tag, addresses: announced.addresses });
        }
    }

    /// All that is near is looked at again: the group, or its secret, is another one.
    pub(super) fn meet_all(&mut self) {
        let mut near = std::mem::take(&mut self.near);
        for (announced, peer) in near.values_mut() {
            *peer = self.whose(announced);
        }
        self.near = near;
        let all: Vec<_> = self.near.values().cloned().collect();
        all.into_iter().for_each(|(announced, peer)| self.met(announced, peer));
    }

    /// What is to be announced now.
    pub(super) fn announce(&self) {
        let tag = self.group.as_ref().map(|group| group.secret.tag(&self.own, self.salt));
        let mut all: Vec<Announcement> = tag.map(Announcement::Member).into_iter().collect();
        all.extend(self.pairing.announcement(self));
        self.announcing.send_if_modified(|before| {
            let changed = *before != all;
            *before = all;
            changed
        });
    }

    /// Once in a while the device looks like another one, and at itself.
    fn another_salt(&mut self) {
        // The last one does as well.
        let _none = sys::random::fill(&mut self.salt);
        self.announce();
        let profile = super::facts::profile();
        if profile != self.profile {
            self.profile = profile;
            self.tell_profile(None);
        }
        self.mail.later(SALT, Self::another_salt);
    }

    /// A peer came or went.
    fn present(&mut self, peer: DeviceId, there: bool) {
        self.known(peer).seen = now();
        self.save_soon();
        self.tell_changed(&peer, if there { "online" } else { "offline" });
        self.tell_parameters();
    }

    /// From now on a peer is reached by this link.
    pub(super) fn reached(&mut self, peer: DeviceId, link: &Link) {
        self.troubles.remove(&peer);
        if let Some(Way::Direct(address)) = link.path().map(|path| path.way) {
            let addresses = &mut self.known(peer).addresses;
            addresses.retain(|one| *one != address);
            addresses.insert(0, address);
            addresses.truncate(session::MAX_ADDRESSES);
            self.save_soon();
            self.step(session::Event::Known(peer, vec![address]));
        }
        self.answer_waiting(&peer, &Ok(link.clone()));
    }

    /// A link to a peer: the one that is there, or a new one.
    pub(super) fn reach(&mut self, peer: DeviceId, reply: Reply<Result<Link, String>>) {
        let link =
            self.session.link(&peer).and_then(|link| Some(self.links.get(&link)?.link.clone()));
        // Who asked may be gone.
        let _gone = match link {
            Some(link) => reply.send(Ok(link)),
            None if self.session.addresses(&peer).is_empty() => {
                reply.send(Err("nobody knows where it is: it does not announce itself here, and has no address; `ensctl device add ADDRESS` gives it one".to_owned()))
            }
            None if self.crowded() => {
                reply.send(Err("too many wait for devices already; try again".to_owned()))
            }
            None => {
                self.waiting.push((peer, reply));
                self.step(session::Event::Wanted(peer));
                Ok(())
            }
        };
    }

    fn crowded(&mut self) -> bool {
        self.waiting.retain(|(_, reply)| !reply.is_closed());
        self.waiting.len() >= MAX_WAITING
    }

    fn answer_waiting(&mut self, peer: &DeviceId, answer: &Result<Link, String>) {
        for (_, reply) in self.waiting.extract_if(.., |(waits, _)| waits == peer) {
            let _gone = reply.send(answer.clone());
        }
    }

    /// Tells all clients.
    pub(super) fn tell_changed(&self, id: &DeviceId, state: &'static str) {
        let name = self.name_of(id);
        for client in self.clients.values() {
            // Who does not read what it is told, is not told.
            let _full =
                client.try_send(Told::Changed { id: id.to_string(), name: name.clone(), state });
        }
    }

    /// Writes what is remembered of peers in a while.
    pub(super) fn save_soon(&mut self) {
        if !self.unsaved {
            self.unsaved = true;
            self.mail.later(SAVING, Self::save);
        }
    }

    /// Writes what is remembered of peers.
    pub(super) fn save(&mut self) {
        if !std::mem::take(&mut self.unsaved) {
            return;
        }
        let members = self.group.as_ref().map(|group| group.log.members());
        self.peers.retain(|id, _| members.is_some_and(|members| members.get(id).is_some()));
        if let Err(e) = self.files.keep_peers(&self.peers) {
            super::say(4, &format!("remembering where devices are: {e}"));
        }
    }

    /// What is remembered of a peer.
    pub(super) fn known(&mut self, peer: DeviceId) -> &mut Known {
        self.peers.entry(peer).or_default()
    }
}

/// Seconds since 1970, as this device's clock has them.
pub(super) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
