//! Those who wait for an answer, and what is kept until it can be begun.
//!
//! Invariant: a request is in one place, here or answered.

use std::sync::Arc;

use api::abilities::State;
use model::want::Want;
use serde::{Deserialize, Serialize};

use super::instance::{Instance, Who};
use super::refusal::Refusal;
use super::words::{ConnectionId, Exit, InstanceId, MissionId, RequestId, Started, Target, Traits};
use crate::want;

/// What a request waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Goal {
    /// It is there and has its wants. `show`: and is in front, unless something else comes in between.
    There { show: bool },
    /// It is in front.
    Shown,
    /// It is off the screen.
    Hidden,
    /// It has ended.
    Gone,
    /// It has taken this connection.
    Connected(ConnectionId),
}

/// A request that waits for an instance.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Waiting {
    pub(super) request: RequestId,
    pub(super) goal: Goal,
    /// The instance was there before.
    pub(super) again: bool,
}

/// A start or a connection, allowed and not begun.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Ask {
    pub(super) target: Target,
    pub(super) traits: Traits,
    pub(super) want: Arc<Want>,
    pub(super) show: bool,
    /// Who connects, if it is a connection.
    pub(super) connect: Option<Who>,
}

/// What begins when the instance that is in the way has ended.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum Again {
    Ask(RequestId, Ask),
    Show(RequestId, MissionId, Traits),
}

impl Again {
    pub(super) fn request(&self) -> RequestId {
        match self {
            Self::Ask(request, _) | Self::Show(request, ..) => *request,
        }
    }
}

/// An answer.
pub(super) type Answer = Result<Option<Started>, Refusal>;

impl Instance {
    /// The answer to a request that waits for it, once there is one.
    pub(super) fn answer(&self, id: InstanceId, waiting: Waiting) -> Option<Answer> {
        let connection = match waiting.goal {
            Goal::Connected(connection) => Some(connection),
            _ => None,
        };
        let (mission, again) = (self.mission, waiting.again);
        let started = Started { instance: id, mission, again, connection };
        let there = self.state != State::Loading && self.wants.is_empty();
        let so = match waiting.goal {
            Goal::Gone if self.is_stuck() => {
                return Some(Err(Refusal::Stuck));
            }
            Goal::Gone => return None,
            Goal::Hidden => {
                let off =
                    matches!(self.state, State::Background | State::Frozen | State::Terminating);
                return off.then_some(Ok(None));
            }
            Goal::There { .. } | Goal::Shown | Goal::Connected(_) if self.ending.is_some() => {
                return Some(Err(Refusal::of_end(self.ending.clone())));
            }
            Goal::Connected(connection) => self.is_open(connection),
            Goal::There { show: false } => there,
            Goal::There { show: true } | Goal::Shown => there && self.state == State::Foreground,
        };
        so.then_some(Ok(Some(started)))
    }

    /// The answer to a request that waits for it when it ends.
    pub(super) fn last_answer(waiting: Waiting, exit: &Exit) -> Answer {
        match waiting.goal {
            Goal::Gone | Goal::Hidden => Ok(None),
            Goal::There { .. } | Goal::Shown | Goal::Connected(_) => {
                Err(Refusal::of_exit(exit.clone()))
            }
        }
    }

    /// It does not come to the front now. Whoever asked for just that is told; who started it waits
    /// until it is there.
    pub(super) fn displaced(&mut self) -> Vec<RequestId> {
        for waiting in &mut self.waiting {
            if waiting.goal == (Goal::There { show: true }) {
                waiting.goal = Goal::There { show: false };
            }
        }
        self.take(Goal::Shown)
    }

    /// This caller does not want to be connected: its requests that were kept.
    pub(super) fn give_up(&mut self, who: Who) -> Vec<RequestId> {
        let of = |kept: &mut Again| matches!(kept, Again::Ask(_, ask) if ask.connect == Some(who));
        self.afterwards.extract_if(.., of).map(|kept| kept.request()).collect()
    }

    /// Bytes of the wants that wait.
    pub(super) fn held(&self) -> usize {
        let later = self.afterwards.iter().map(|kept| match kept {
            Again::Ask(_, ask) => want::size(&ask.want),
            Again::Show(..) => 0,
        });
        let links = self.links.values().filter_map(|link| link.want());
        self.wants.iter().chain(links).map(|want| want::size(want)).chain(later).sum()
    }

    /// Those who wait for this, who wait no more.
    pub(super) fn take(&mut self, goal: Goal) -> Vec<RequestId> {
        let taken = self.waiting.extract_if(.., |waiting| waiting.goal == goal);
        taken.map(|waiting| waiting.request).collect()
    }
}

impl Refusal {
    fn of_end(ending: Option<Exit>) -> Self {
        match ending.unwrap_or(Exit::Unknown) {
            Exit::LifecycleTimeout => Self::TimedOut,
            why => Self::Ending(why),
        }
    }

    fn of_exit(exit: Exit) -> Self {
        match exit {
            Exit::LifecycleTimeout => Self::TimedOut,
            Exit::LaunchFailed(why) => Self::LaunchFailed(why),
            exit => Self::Ended(exit),
        }
    }
}
