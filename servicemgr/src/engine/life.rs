//! What changes about one service: where it is, why, and when.
//!
//! A [`Life`] is plain data, so a new servicemgr continues from the last one's. The rules that
//! change it are in [`super::rules`].

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Id, Phase, Reason};

/// Time since PID 1 began. It goes on over a restart of servicemgr.
pub type Now = Duration;

/// Where a service is. The picture is in [`super`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    /// No process and none wanted.
    #[default]
    Off,
    /// Wanted; something before it is not settled.
    Waiting,
    /// Its process runs, not ready yet.
    Starting,
    /// Ready, with a process.
    Ready,
    /// Ready, its work done and its process gone.
    Done,
    /// To be stopped once those that use it have ended.
    Leaving,
    /// Told to end, or its main process ended and others are left.
    Stopping,
    /// Ended; starts again when its time comes.
    Backoff,
    /// Ended, or never began, and stays so.
    Failed,
}

impl State {
    /// What requires it may run.
    #[must_use]
    pub fn met(self) -> bool {
        matches!(self, Self::Ready | Self::Done)
    }

    /// What only comes after it may start.
    #[must_use]
    pub fn settled(self) -> bool {
        matches!(self, Self::Off | Self::Ready | Self::Done | Self::Failed)
    }

    /// Something goes on that ends by itself, and others may be waiting for it.
    #[must_use]
    pub fn moves(self) -> bool {
        !self.settled() && self != Self::Waiting
    }

    /// On its way down: what it needs must stay until it is gone.
    #[must_use]
    pub fn ending(self) -> bool {
        matches!(self, Self::Leaving | Self::Stopping)
    }

    /// It has, or may have, processes: those that conflict with it can't start.
    #[must_use]
    pub fn occupies(self) -> bool {
        self.running() || self.ending()
    }

    /// Up or on its way up.
    #[must_use]
    pub fn running(self) -> bool {
        matches!(self, Self::Starting | Self::Ready | Self::Done)
    }
}

/// Where a service goes once its processes are gone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Next {
    /// It stays ended.
    #[default]
    Off,
    /// It starts again as soon as it may.
    Waiting,
    /// It starts again after a while.
    Backoff,
    /// It has failed.
    Failed,
    /// It has done its work.
    Done,
}

/// When something happened, for the chart of the boot and for slow stops.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Times {
    /// It was asked for, the first time.
    pub asked: Option<Now>,
    /// Its process was started, the first time.
    pub started: Option<Now>,
    /// It was ready, the first time.
    pub ready: Option<Now>,
    /// It was ready, done, failed or off again, the first time after it was asked for.
    pub settled: Option<Now>,
    /// Its last way down began.
    pub leaving: Option<Now>,
    /// All of it was gone, the last time.
    pub gone: Option<Now>,
    /// What it waited for last before it started.
    pub waited_on: Option<Id>,
}

/// A command of a service that runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Running {
    /// Which of its lists of commands.
    pub phase: Phase,
    /// Its place in the list.
    pub number: usize,
    /// Since when.
    pub since: Now,
    /// It was told to end ([`super::Action::EndCommand`]).
    pub ended: bool,
}

/// What changes about one service.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Life {
    /// Where it is.
    pub state: State,
    /// Since when.
    pub since: Now,
    /// Where it goes from `Leaving` and `Stopping`.
    pub next: Next,
    /// Somebody wants it up.
    pub wanted: bool,
    /// Somebody named it: a person, or the list of those that start at boot.
    pub requested: bool,
    /// Its triggers should start it. They are watched unless it has failed.
    pub armed: bool,
    /// A person stopped it since: what stands there and would trigger it does not, only what comes.
    pub hushed: bool,
    /// Its main process was started and has not ended.
    pub main: bool,
    /// Its main process ended and others are left.
    pub left: bool,
    /// It was ready or done since its last start.
    pub up: bool,
    /// It ended well by itself.
    pub well: bool,
    /// It was started because another one failed. If it fails itself, nobody is started for that.
    pub handler: bool,
    /// In `Stopping`: its stop signal was sent, or is not needed any more.
    pub signalled: bool,
    /// `SIGABRT` was sent to its main process, because it hung.
    pub aborted: bool,
    /// `SIGKILL` was sent.
    pub killed: bool,
    /// In `Stopping`: it said that it ends; how it ends counts.
    pub own: bool,
    /// The boot waits for it.
    pub boot: bool,
    /// It reads its configuration anew.
    pub reloading: bool,
    /// It was signalled to do so and has not said yet that it does.
    pub deaf: bool,
    /// Its processes stand still, and its deadlines too, since then.
    pub frozen: Option<Now>,
    /// The command that runs.
    pub command: Option<Running>,
    /// When this state is over by itself.
    pub due: Option<Now>,
    /// When it must have said that it is alive.
    pub dog: Option<Now>,
    /// How often it must say so, if it chose that itself; zero is never.
    pub watch: Option<Duration>,
    /// Recent ends that it was not asked for, oldest first; no more than the limit.
    pub falls: Vec<Now>,
    /// Recent failures of a critical service.
    pub failures: Vec<Now>,
    /// Ends in a row, none after a long time up: the exponent of the wait.
    pub short: u32,
    /// Ends in a row without being ready.
    pub unready: u32,
    /// Starts nobody asked for.
    pub restarts: u32,
    /// Why it failed, or ended the last time.
    pub reason: Option<Reason>,
    /// When it happened.
    pub times: Times,
}

impl Life {
    /// The signal it was last told by, for a new servicemgr that does not know whether it was sent:
    /// whether that is `SIGKILL`. `None`: none is due.
    #[must_use]
    pub fn signal_due(&self) -> Option<bool> {
        let there = self.main || self.left;
        let told = self.signalled && !(self.aborted && self.main);
        let due = self.state == State::Stopping && there && (told || self.killed);
        due.then_some(self.killed)
    }
}
