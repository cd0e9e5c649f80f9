//! Connections to services.
//!
//! ```text
//! Connect ─► asked ─ the service is there ─► told ─┬─ Accepted ─► open ─┬─ Disconnect, the caller ends ─► the service is told
//!                                                  ├─ Done ─► declined  └─ Done, the service ends ─────► the caller is told
//!                                                  └─ 10 s ─► not taken
//! ```
//!
//! A service that has ended by itself may not be known to have when somebody asks for it: another one is started then.
//! What goes over a connection is nobody's business here: it is a socket between two apps.
//!
//! Invariants: a connection that is not open has a request that waits, or its service ends; one that was told has a
//! due time until it is open; who is connected, and to whom, is there.

use std::mem;
use std::sync::Arc;
use std::time::Duration;

use model::bundle::BundleId;
use model::want::Want;
use serde::{Deserialize, Serialize};

use super::Engine;
use super::instance::{Around, Instance, Who};
use super::limits::{CONNECT_TIMEOUT, MAX_CONNECTIONS, MAX_CONNECTIONS_EACH};
use super::refusal::Refusal;
use super::requests::{Ask, Goal, Waiting};
use super::words::{Action, Caller, ConnectionId, InstanceId, RequestId, Target, Told};

/// One connection, with the service that it is to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Link {
    /// Who connects.
    pub(super) who: Who,
    pub(super) step: Step,
}

/// How far it has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Step {
    /// The service has to be told of it; for what it is.
    Asked(Arc<Want>),
    /// The service was told, and must take it until then.
    Told { token: u32, until: Duration, want: Arc<Want> },
    /// It is there.
    Open { token: u32 },
}

impl Link {
    /// What the service was told it by.
    pub(super) fn token(&self) -> Option<u32> {
        match self.step {
            Step::Asked(_) => None,
            Step::Told { token, .. } | Step::Open { token } => Some(token),
        }
    }

    /// What it is for, until it is there.
    pub(super) fn want(&self) -> Option<&Arc<Want>> {
        match &self.step {
            Step::Asked(want) | Step::Told { want, .. } => Some(want),
            Step::Open { .. } => None,
        }
    }

    /// It is there whoever manages it.
    pub(super) fn lasts(&self) -> bool {
        self.who != Who::Root && matches!(self.step, Step::Open { .. })
    }

    fn until(&self) -> Option<Duration> {
        if let Step::Told { until, .. } = self.step { Some(until) } else { None }
    }
}

impl Instance {
    /// When something is to be done for it.
    pub(super) fn next_due(&self) -> Option<Duration> {
        self.links.values().filter_map(Link::until).chain(self.due).min()
    }

    /// The connection that it was told of with this token.
    pub(super) fn link_of(&self, token: u32) -> Option<ConnectionId> {
        let of = |(_, link): &(&ConnectionId, &Link)| link.token() == Some(token);
        self.links.iter().find(of).map(|(id, _)| *id)
    }

    /// Whether this connection is there.
    pub(super) fn is_open(&self, connection: ConnectionId) -> bool {
        let link = self.links.get(&connection);
        link.is_some_and(|link| matches!(link.step, Step::Open { .. }))
    }

    /// A service that is there hears of all who want to be connected.
    pub(super) fn tell_links(&mut self, around: &mut Around<'_>) {
        let (instance, until) = (around.id, around.now + CONNECT_TIMEOUT);
        for link in self.links.values_mut() {
            let Step::Asked(want) = &link.step else { continue };
            let (want, token) = (Arc::clone(want), around.next_token());
            link.step = Step::Told { token, until, want: Arc::clone(&want) };
            let want = Some(want);
            around.act(Action::Tell { instance, token, event: Told::Connect, want });
        }
    }

    /// It, which is `id`, has ended by itself before it took these connections: whoever found it there asks again,
    /// and gets another one.
    pub(super) fn untaken(&mut self, id: InstanceId) -> Vec<(RequestId, Ask)> {
        if self.ending.is_some() || !self.attached {
            return Vec::new();
        }
        let mut all = Vec::new();
        for (connection, link) in &self.links {
            let Some(want) = link.want().filter(|_| link.who != Who::Instance(id)) else {
                continue;
            };
            let goal = Goal::Connected(*connection);
            let found = |waiting: &mut Waiting| waiting.goal == goal && waiting.again;
            for waiting in self.waiting.extract_if(.., found) {
                let (target, traits, connect) = (self.target.clone(), self.traits, Some(link.who));
                let ask = Ask { target, traits, want: Arc::clone(want), show: false, connect };
                all.push((waiting.request, ask));
            }
        }
        all
    }

    /// It hears which of its own connections have ended, as soon as it can.
    pub(super) fn tell_lost(&mut self, around: &mut Around<'_>) {
        if !self.hears() {
            return;
        }
        for connection in mem::take(&mut self.lost) {
            let (instance, event) = (around.id, Told::Lost(connection));
            around.act(Action::Tell { instance, token: 0, event, want: None });
        }
    }
}

impl Engine {
    /// The connection that an instance was told of with this token, if it may take that now: its number, and the
    /// bundle that connects (none: root).
    #[must_use]
    pub fn accepts(
        &self,
        instance: InstanceId,
        token: u32,
    ) -> Option<(ConnectionId, Option<&BundleId>)> {
        let service = self.instances.get(&instance).filter(|it| it.ending.is_none())?;
        let connection = service.link_of(token)?;
        let link = service.links.get(&connection)?;
        link.until()?;
        let caller = match link.who {
            Who::Root => None,
            Who::Instance(caller) => self.instances.get(&caller),
        };
        Some((connection, caller.map(|caller| &caller.target.bundle)))
    }

    /// Whether one more may be made by this caller, to this service if it is there.
    pub(super) fn may_link(&self, to: Option<InstanceId>, who: Who) -> Result<(), Refusal> {
        let to = to.and_then(|id| self.instances.get(&id)).map_or(0, |to| to.links.len());
        let all = self.instances.values().flat_map(|instance| instance.links.values());
        let own = all.filter(|link| link.who == who).count();
        let room = to < MAX_CONNECTIONS && own < MAX_CONNECTIONS_EACH;
        if room { Ok(()) } else { Err(Refusal::Busy) }
    }

    /// A new one, to a service that is there or is being started.
    pub(super) fn link(
        &mut self,
        id: InstanceId,
        request: RequestId,
        who: Who,
        (want, again): (Arc<Want>, bool),
    ) -> Result<(), Refusal> {
        self.may_link(Some(id), who)?;
        let connection = self.new_connection();
        let instance = self.instances.get_mut(&id).ok_or(Refusal::NoInstance)?;
        if !instance.is_told() {
            return Err(Refusal::NotTold);
        }
        instance.links.insert(connection, Link { who, step: Step::Asked(want) });
        instance.waiting.push(Waiting { request, goal: Goal::Connected(connection), again });
        Ok(())
    }

    fn new_connection(&mut self) -> ConnectionId {
        let taken = |id: ConnectionId| {
            let there = |i: &Instance| i.links.contains_key(&id) || i.lost.contains(&id);
            id.0 == 0 || self.instances.values().any(there)
        };
        let mut id = self.last_connection;
        loop {
            id = ConnectionId(id.0.wrapping_add(1));
            if !taken(id) {
                break;
            }
        }
        self.last_connection = id;
        id
    }

    /// A service takes a connection.
    pub(super) fn accepted(&mut self, id: InstanceId, token: u32) {
        let Some((connection, _)) = self.accepts(id, token) else { return };
        let service = self.instances.get_mut(&id);
        if let Some(link) = service.and_then(|service| service.links.get_mut(&connection)) {
            link.step = Step::Open { token };
        }
    }

    /// A service does not take a connection, or ends it; whether the token is one of a connection.
    pub(super) fn unlinked(&mut self, id: InstanceId, token: u32) -> bool {
        let Some(service) = self.instances.get_mut(&id) else { return false };
        let Some(connection) = service.link_of(token) else { return false };
        let link = service.links.remove(&connection);
        let waiting = service.take(Goal::Connected(connection));
        if let Some(link) = link {
            self.lose(connection, &link);
        }
        self.refuse(waiting, &Refusal::Declined);
        true
    }

    /// A caller is connected no more.
    pub(super) fn ask_disconnect(
        &mut self,
        request: RequestId,
        caller: Caller,
        connection: ConnectionId,
    ) {
        let who = caller.who();
        let theirs = |i: &Instance| {
            i.links.get(&connection).is_some_and(|l| l.who == who) && i.is_open(connection)
        };
        let found = self.instances.iter().find(|(_, i)| theirs(i)).map(|(id, _)| *id);
        let Some(id) = found else {
            return self.answer(request, Err(Refusal::NotConnected));
        };
        self.unlink(id, connection);
        self.answer(request, Ok(None));
    }

    /// A connection is no more, and its service hears it.
    fn unlink(&mut self, id: InstanceId, connection: ConnectionId) {
        let Some(service) = self.instances.get_mut(&id) else { return };
        let token = service.links.remove(&connection).and_then(|link| link.token());
        if let Some(token) = token.filter(|_| service.hears()) {
            let event = Told::Left(token);
            self.actions.push(Action::Tell { instance: id, token: 0, event, want: None });
        }
    }

    /// Who was connected hears that it is so no more.
    fn lose(&mut self, connection: ConnectionId, link: &Link) {
        let Who::Instance(caller) = link.who else { return };
        let caller = self.instances.get_mut(&caller).filter(|caller| caller.is_told());
        if let Some(caller) = caller.filter(|_| matches!(link.step, Step::Open { .. })) {
            caller.lost.insert(connection);
        }
    }

    /// A service has ended: nobody is connected to it.
    pub(super) fn lose_all(&mut self, service: &mut Instance) {
        for (connection, link) in mem::take(&mut service.links) {
            self.lose(connection, &link);
        }
    }

    /// An instance that has ended is connected to nothing, and asks for nothing.
    pub(super) fn disconnect_all(&mut self, gone: InstanceId) {
        let who = Who::Instance(gone);
        let mut refused = Vec::new();
        let mut theirs = Vec::new();
        for (id, instance) in &mut self.instances {
            refused.append(&mut instance.give_up(who));
            let of = |(_, link): &(&ConnectionId, &Link)| link.who == who;
            let of: Vec<ConnectionId> =
                instance.links.iter().filter(of).map(|(connection, _)| *connection).collect();
            for connection in of {
                refused.append(&mut instance.take(Goal::Connected(connection)));
                theirs.push((*id, connection));
            }
        }
        for (id, connection) in theirs {
            self.unlink(id, connection);
        }
        self.refuse(refused, &Refusal::UnknownCaller);
    }

    /// Connections that were not taken in time.
    pub(super) fn expire_links(&mut self) {
        let now = self.now;
        let mut late = Vec::new();
        for (id, instance) in &mut self.instances {
            let over = |(connection, link): (&ConnectionId, &Link)| {
                link.until().is_some_and(|until| until <= now).then_some(*connection)
            };
            let over: Vec<ConnectionId> = instance.links.iter().filter_map(over).collect();
            for connection in over {
                late.push((*id, connection, instance.take(Goal::Connected(connection))));
            }
        }
        for (id, connection, waiting) in late {
            self.unlink(id, connection);
            self.refuse(waiting, &Refusal::NotTaken);
        }
    }

    /// A card is no more.
    pub(super) fn form_gone(&mut self, target: &Target, card: u32) {
        let found = self.find(target, None).and_then(|id| Some((id, self.instances.get(&id)?)));
        let Some((instance, _)) = found.filter(|(_, form)| form.hears()) else { return };
        let event = Told::FormGone(card);
        self.actions.push(Action::Tell { instance, token: 0, event, want: None });
    }
}
