//! Those who call a name that nobody owns yet: their service starts, or they hear that nobody comes.
//!
//! ```text
//! call ─► Want ─► Event::Trigger ─► owned: forgotten
//!                      │ ▲  └─► failed, or ended for the second time ─► give up
//!                      └─┘ ended just then, the first time
//! ```
//!
//! Invariant: while the bus runs every want ends as one of both, so no caller waits in vain.

use std::time::Duration;

use model::service::Service;

use super::{DAEMON, names};
use crate::daemon::Daemon;
use crate::engine::{Event, Id, State};

/// A name that somebody calls and nobody owns.
#[derive(Debug, Default)]
pub(super) struct Want {
    /// The bus's number of it; unknown when a servicemgr before us took it.
    pub(super) number: Option<u64>,
    /// Whether its service ended once meanwhile. A service that ends just when it is called starts
    /// once more; one that ends again does not want.
    pub(super) again: bool,
}

impl Daemon {
    /// Somebody calls `name`: its service starts if it may. If not, the caller hears it at once.
    pub(super) fn start_for(&mut self, name: &str) {
        let Some(id) = self.service_of(name) else { return self.give_up(name) };
        self.feed(Event::Trigger(id));
        if over(self.engine.state(id)) {
            self.give_up(name);
        }
    }

    /// Those who wait for `name` hear that nobody comes.
    fn give_up(&mut self, name: &str) {
        let Some(want) = self.broker.waiting.remove(name) else { return };
        let Some(controller) = &mut self.broker.controller else { return };
        if let Err(e) = controller.give_up(name, want.number) {
            self.bus_broken(&e.to_string());
        }
    }

    /// A service is in another state: perhaps somebody waits for it in vain.
    pub(in crate::daemon) fn bus_hears_of(&mut self, id: Id) {
        let calls = |s: &Service| names(s).any(|n| self.broker.waiting.contains_key(n));
        let Some(service) = self.plan.services.get(id) else { return };
        let state = self.engine.state(id);
        if over(state) && calls(service) {
            self.broker.ended.push(id);
        }
        if state == State::Ready && service.name.as_str() == DAEMON {
            self.become_client(Duration::ZERO);
            self.listen_for_signals(Duration::ZERO);
        }
    }

    /// Starts again what ended just when somebody called it, and answers those who wait in vain.
    pub(in crate::daemon) fn answer_callers(&mut self) {
        for id in std::mem::take(&mut self.broker.ended) {
            let Some(service) = self.plan.services.get(id) else { continue };
            let names: Vec<String> = names(service).cloned().collect();
            for name in names {
                let state = self.engine.state(id);
                let Some(want) = self.broker.waiting.get_mut(&name) else { continue };
                if !over(state) {
                    continue;
                }
                let again = std::mem::replace(&mut want.again, true);
                if again || state == State::Failed {
                    self.give_up(&name);
                } else {
                    self.start_for(&name);
                }
            }
        }
    }
}

/// Whether nothing will come of a service in this state by itself.
fn over(state: State) -> bool {
    matches!(state, State::Off | State::Done | State::Failed)
}
