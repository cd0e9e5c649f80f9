//! Services that a signal on the bus starts.
//!
//! ```text
//! armed, off ── signal ──► it runs, and is told which ── another ──► one waits; nothing wakes us
//!     ▲                                                              │
//!     └── it is off again: started at once, for all that came ◄──────┘
//! ```
//!
//! Invariants: of a service at most one signal waits, however many come; it is in the state log, so
//! it outlives servicemgr. While one waits, the bus sends us none for this service. Starts by signals
//! in a window are counted: whoever sends too many makes the service wait, not fail.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use api::pid1::ToPid1;
use model::service::SignalMatch;

use super::super::broker::{AGAIN, Facts, HELD_SIGNALS, Signals, gone};
use super::super::state::Came;
use super::super::{Daemon, TURN};
use super::{Due, Later, TRIGGER_WINDOW};
use crate::engine::{Id, State};

/// Starts of one service by signals within [`TRIGGER_WINDOW`]; what comes then waits till its end.
/// Fewer than [`super::TRIGGER_LIMIT`]: anybody on the bus may send signals, and must not make a
/// service fail by that.
const SIGNAL_LIMIT: u32 = 50;

impl Daemon {
    /// The signals that start a service.
    fn signals_of(&self, id: Id) -> &[SignalMatch] {
        self.plan.services.get(id).map_or(&[], |s| &s.activation.signals)
    }

    /// Whether a signal would start it, now or when it is off again.
    fn wants_signals(&self, id: Id) -> bool {
        !self.signals_of(id).is_empty()
            && self.engine.life(id).is_some_and(|l| l.armed && l.state != State::Failed)
    }

    /// Its signals are waited for; one may have come while it ran.
    pub(super) fn arm_signals(&mut self, id: Id) {
        if self.signals_of(id).is_empty() {
            return;
        }
        if self.parts.get(id).is_some_and(|part| part.signal.waits.is_some()) {
            return self.activate.due.push_back(Due::Signal(id));
        }
        self.watch_signals(id);
    }

    /// They are not; what came is forgotten.
    pub(super) fn disarm_signals(&mut self, id: Id) {
        if self.signals_of(id).is_empty() {
            return;
        }
        if let Some(part) = self.parts.get_mut(id) {
            part.signal.waits = None;
        }
        self.activate.forget(Later::Signal(id));
        self.rest_signals(id);
        if self.broker.signals.is_some() && !self.anybody_wants_signals() {
            self.hear_no_signals();
        }
    }

    fn anybody_wants_signals(&self) -> bool {
        (0..self.plan.services.len()).any(|id| self.wants_signals(id))
    }

    /// The bus is to send us its signals, unless one waits already.
    pub(super) fn watch_signals(&mut self, id: Id) {
        let waits = self.parts.get(id).is_some_and(|part| part.signal.waits.is_some());
        if waits || !self.wants_signals(id) {
            return;
        }
        let Some(service) = self.plan.services.get(id) else { return };
        let done = match &mut self.broker.signals {
            Some(signals) => signals.watch(id, &service.activation.signals),
            None => return self.listen_for_signals(Duration::ZERO),
        };
        if let Err(e) = done {
            self.hear_signals_again(&e);
        }
    }

    fn rest_signals(&mut self, id: Id) {
        if let Some(signals) = &mut self.broker.signals
            && let Err(e) = signals.rest(id)
        {
            self.hear_signals_again(&e);
        }
    }

    /// A start is told of the signal that waits for it, if one does, and of no other.
    pub(super) fn tell_signal(&mut self, id: Id) {
        if let Some(part) = self.parts.get_mut(id) {
            part.signal.told = part.signal.waits.take();
        }
    }

    /// When it has ended, nothing is left of the signal that started it.
    pub(super) fn follow_signals(&mut self, id: Id) {
        if self.is_off(id)
            && let Some(part) = self.parts.get_mut(id)
        {
            part.signal.told = None;
        }
    }

    /// A signal that waits starts its service, if it can start now.
    pub(super) fn start_by_signal(&mut self, id: Id) {
        if self.parts.get(id).is_none_or(|part| part.signal.waits.is_none()) {
            return self.watch_signals(id);
        }
        if !self.waits_armed(id) {
            return self.rest_signals(id);
        }
        let now = self.now();
        let spin = self.activate.signals.entry(id).or_default();
        if spin.count(now) <= SIGNAL_LIMIT {
            return self.trigger(id);
        }
        let over = spin.since.saturating_add(TRIGGER_WINDOW);
        self.activate.put_off(Later::Signal(id), over);
        self.rest_signals(id);
    }

    fn signal_came(&mut self, id: Id, facts: &Facts) {
        let Some(Came { waits, .. }) = self.parts.get_mut(id).map(|part| &mut part.signal) else {
            return;
        };
        if waits.is_none() {
            *waits = Some(Box::new(facts.clone()));
            // The next servicemgr must not miss it.
            self.write_unit(id);
            self.record();
        }
        self.start_by_signal(id);
    }

    /// Connects to the bus for signals, after a while, if anybody wants any.
    pub(in crate::daemon) fn listen_for_signals(&mut self, wait: Duration) {
        let idle = self.broker.signals.is_none() && self.broker.signals_connecting.is_none();
        if idle && self.has_bus() && self.anybody_wants_signals() {
            self.broker.signals_connecting = Some(self.connect(wait));
        }
    }

    /// The connection is there, or not.
    pub(in crate::daemon) fn begin_to_hear_signals(&mut self, socket: io::Result<OwnedFd>) {
        self.broker.signals_connecting = None;
        let held = socket.and_then(|socket| Ok((socket.try_clone()?, Signals::begin(socket)?)));
        match held {
            Ok((held, signals)) => {
                self.tell(&ToPid1::Hold(HELD_SIGNALS.to_owned()), Some(held.as_fd()));
                self.broker.signals = Some(signals);
                self.watch_all_signals();
            }
            Err(e) => self.hear_signals_again(&e),
        }
    }

    /// The line of a servicemgr before us.
    pub(in crate::daemon) fn go_on_hearing_signals(&mut self, socket: OwnedFd) {
        let services = self.plan.services.iter();
        let rules = services.flat_map(|service| &service.activation.signals);
        match Signals::go_on(socket, self.generation, rules) {
            Ok(signals) => {
                self.broker.signals = Some(signals);
                self.watch_all_signals();
            }
            Err(e) => self.hear_signals_again(&e),
        }
    }

    fn watch_all_signals(&mut self) {
        for id in 0..self.plan.services.len() {
            self.watch_signals(id);
        }
        if !self.anybody_wants_signals() {
            self.hear_no_signals();
        }
    }

    /// Takes what the bus says, a bounded piece of it.
    pub(in crate::daemon) fn hear_signals(&mut self) {
        for _ in 0..TURN {
            let Some(signals) = &mut self.broker.signals else { return };
            let (ids, facts) = match signals.next() {
                Ok(Some(heard)) => heard,
                Ok(None) => return,
                Err(e) => return self.hear_signals_again(&e),
            };
            for id in ids {
                self.signal_came(id, &facts);
            }
            let Some(signals) = &mut self.broker.signals else { return };
            if let Err(e) = signals.done() {
                return self.hear_signals_again(&e);
            }
        }
    }

    /// The bus hung up on us. If it is still there we come again, after a while.
    fn hear_signals_again(&mut self, why: &io::Error) {
        if !gone(why) {
            log::warn!("signals of the system bus: {why}: connecting again");
        }
        self.hear_no_signals();
        self.listen_for_signals(AGAIN);
    }

    /// The connection ends.
    pub(in crate::daemon) fn hear_no_signals(&mut self) {
        if let Some(task) = self.broker.signals_connecting.take() {
            task.abort();
        }
        if self.broker.signals.take().is_some() {
            self.tell(&ToPid1::Drop(HELD_SIGNALS.to_owned()), None);
        }
    }
}
