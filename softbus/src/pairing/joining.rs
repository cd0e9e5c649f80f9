//! After both proved it: into one group.
//!
//! ```text
//! source's group  sink's group
//!  none            none           the source founds one and invites
//!  one             none           the source invites
//!  none            one            the sink invites
//!  the same        the same       who is an owner and does not know the other invites; both known: done
//!  one             another        refused
//!
//! who invites: AskStanding ─ Standing ─► Invite ─► Entries…, Welcome ─► (Joined) ─► Done
//! who joins:   AskStanding ─ Standing ─► (Entries…, Welcome) ─► Join ─► Joined ─► Done
//! ```
//!
//! Invariant: the Add is stored before it is sent, and the group before that is said: a cut leaves nothing signed that is
//! not stored. Cut before Joined, the other is listed on who invited; to pair again brings it the same entries.

use serde::{Deserialize, Serialize};

use super::line::{Action, Event, Line, Outcome};
use super::message::{MAX_FRAME, Message, Refusal, Step};
use super::proof::Role;
use crate::DeviceId;
use crate::trust::{
    Card, Change, Entry, Form, GroupId, Level, Log, MAX_ENTRIES, Name, Refused, Secret, SecretKey,
};

/// Room that a frame has for entries.
const PAGE: usize = MAX_FRAME - 64;

/// In which group a device is, as to the other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Standing {
    /// Its group.
    pub group: Option<GroupId>,
    /// It may add devices.
    pub owner: bool,
    /// The other is a member there.
    pub knows: bool,
}

/// What a device gets that joins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    /// Which group.
    pub group: GroupId,
    /// Its secret.
    pub secret: Secret,
    /// Its entries, what others stand on first.
    pub entries: Vec<Entry>,
}

/// Who is to invite, if anybody.
fn decide(source: Standing, sink: Standing) -> Result<Option<Role>, Refusal> {
    let may = |role: Role, standing: Standing| {
        if standing.owner || standing.knows { Ok(Some(role)) } else { Err(Refusal::NotOwner) }
    };
    match (source.group, sink.group) {
        (None, None) => Ok(Some(Role::Source)),
        (Some(_), None) => may(Role::Source, source),
        (None, Some(_)) => may(Role::Sink, sink),
        (Some(one), Some(other)) if one != other => Err(Refusal::OtherGroup),
        _ if source.knows && sink.knows => Ok(None),
        _ if source.owner && !source.knows => Ok(Some(Role::Source)),
        _ if sink.owner && !sink.knows => Ok(Some(Role::Sink)),
        // One has not heard of the other yet, whom somebody else added: who knows tells.
        _ if source.knows => Ok(Some(Role::Source)),
        _ if sink.knows => Ok(Some(Role::Sink)),
        _ => Err(Refusal::NotOwner),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Asked,
    Told,
    Inviting,
    Invited,
    Joining,
    Storing,
}

/// One end of the exchange.
#[derive(Debug)]
pub(super) struct Joining {
    role: Role,
    state: State,
    peer: DeviceId,
    name: Name,
    form: Form,
    /// What the other becomes if this one adds it.
    level: Level,
    mine: Standing,
    theirs: Option<Standing>,
    group: Option<GroupId>,
    entries: Vec<Entry>,
}

impl Joining {
    /// Begins: asks for the group of this device.
    pub(super) fn begin(
        role: Role,
        peer: DeviceId,
        (name, form): (Name, Form),
        level: Level,
        line: &mut Line,
    ) -> Self {
        line.act(Action::AskStanding(peer));
        let (mine, state) = (Standing::default(), State::Asked);
        Self {
            role,
            state,
            peer,
            name,
            form,
            level,
            mine,
            theirs: None,
            group: None,
            entries: Vec::new(),
        }
    }

    /// What is not a message.
    pub(super) fn on(&mut self, event: Event, line: &mut Line) {
        match (self.state, event) {
            (State::Asked, Event::Standing(mine)) => {
                self.mine = mine;
                line.send(&Message::Standing(mine));
                self.state = State::Told;
                self.decide(line);
            }
            (State::Inviting, Event::Invited(invitation)) => self.invite(&invitation, line),
            (State::Storing, Event::Joined) => {
                line.send(&Message::Joined);
                self.done(true, line);
            }
            (_, Event::Failed(refusal)) => line.refuse(refusal),
            // An answer that nobody asked for.
            _ => {}
        }
    }

    /// A message of the other end.
    pub(super) fn hear(&mut self, message: Message, line: &mut Line) {
        match (self.state, message) {
            (State::Asked | State::Told, Message::Standing(theirs)) if self.theirs.is_none() => {
                self.theirs = Some(theirs);
                self.decide(line);
            }
            (State::Joining, Message::Entries(entries)) => {
                self.entries.extend(entries);
                if self.entries.len() > MAX_ENTRIES {
                    line.refuse(Refusal::Malformed);
                }
            }
            (State::Joining, Message::Welcome { group, secret }) => {
                self.group = Some(group);
                self.state = State::Storing;
                let entries = std::mem::take(&mut self.entries);
                line.act(Action::Join(Invitation { group, secret, entries }));
            }
            (State::Invited, Message::Joined) => self.done(false, line),
            _ => line.refuse(Refusal::Malformed),
        }
    }

    fn decide(&mut self, line: &mut Line) {
        let (State::Told, Some(theirs)) = (self.state, self.theirs) else { return };
        let (source, sink) = match self.role {
            Role::Source => (self.mine, theirs),
            Role::Sink => (theirs, self.mine),
        };
        match decide(source, sink) {
            Err(refusal) => line.refuse(refusal),
            Ok(None) => {
                self.group = self.mine.group;
                self.done(false, line);
            }
            Ok(Some(role)) if role == self.role => {
                self.state = State::Inviting;
                let card =
                    Card { level: self.level, ..Card::joins(self.name.clone(), self.form.clone()) };
                line.act(Action::Invite { peer: self.peer, card });
            }
            Ok(Some(_)) => self.state = State::Joining,
        }
    }

    fn invite(&mut self, invitation: &Invitation, line: &mut Line) {
        let Invitation { group, secret, entries } = invitation;
        let mut page = Vec::new();
        let mut room = PAGE;
        for entry in entries {
            let size = entry.as_bytes().len().saturating_add(2);
            if size > room {
                line.send(&Message::Entries(std::mem::take(&mut page)));
                room = PAGE;
            }
            room = room.saturating_sub(size);
            page.push(entry.clone());
        }
        line.send(&Message::Entries(page));
        line.send(&Message::Welcome { group: *group, secret: secret.clone() });
        self.group = Some(*group);
        self.state = State::Invited;
    }

    fn done(&self, joined: bool, line: &mut Line) {
        let Some(group) = self.group else { return line.refuse(Refusal::Malformed) };
        line.end(Action::Done(Outcome { peer: self.peer, name: self.name.clone(), group, joined }));
    }

    pub(super) const fn step() -> Step {
        Step::Group
    }
}

/// What a device has of its group: what answers [`Action::AskStanding`], [`Action::Invite`] and [`Action::Join`].
#[derive(Debug, Clone, Default)]
pub struct Home {
    /// The group's entries and secret.
    pub group: Option<(Log, Secret)>,
}

impl Home {
    /// In which group the device of this key is, as to a peer. Removed from it, it is in none.
    #[must_use]
    pub fn standing(&self, me: &DeviceId, peer: &DeviceId) -> Standing {
        let own = self.group.as_ref().and_then(|(log, _)| Some((log, log.members().get(me)?)));
        own.map_or_else(Standing::default, |(log, own)| Standing {
            group: Some(log.group()),
            owner: own.level == Level::Owner,
            knows: log.members().get(peer).is_some(),
        })
    }

    /// Adds a peer to the group, or to a new one with this device as `own`; what is to be stored, and then sent.
    ///
    /// # Errors
    /// This device may not.
    pub fn invite(
        &self,
        key: &SecretKey,
        own: (Name, Form),
        (peer, card): (DeviceId, Card),
        random: &[u8; 32],
    ) -> Result<(Self, Invitation), Refused> {
        let (mut log, secret) = match &self.group {
            Some((log, secret)) if log.members().get(&key.id()).is_some() => {
                (log.clone(), secret.clone())
            }
            _ => {
                let drawn = super::code::draw(random, b"group", 0);
                let nonce = *drawn.first_chunk().ok_or(Refused::Misplaced)?;
                let log = Log::found(key, Card::founds(own.0, own.1), nonce)?;
                let secret = Secret::new(log.members(), super::code::draw(random, b"secret", 0));
                (log, secret)
            }
        };
        if log.members().get(&peer).is_none() {
            let entries = log.author(key, &Change::Add { device: peer, card })?;
            log.merge(entries)?;
        }
        let invitation =
            Invitation { group: log.group(), secret: secret.clone(), entries: log.all() };
        Ok((Self { group: Some((log, secret)) }, invitation))
    }

    /// Takes a group in, if it holds together and this device is in it; what is to be stored.
    ///
    /// # Errors
    /// It is not.
    pub fn join(&self, me: &DeviceId, invitation: Invitation) -> Result<Self, Refused> {
        let Invitation { group, secret, entries } = invitation;
        // What is known of the same group already stays known.
        let known = self.group.as_ref().filter(|(log, _)| log.group() == group);
        let mut log = known.map_or_else(|| Log::new(group), |(log, _)| log.clone());
        log.merge(entries)?;
        log.members().get(me).ok_or(Refused::NotAMember)?;
        Ok(Self { group: Some((log, secret)) })
    }
}
