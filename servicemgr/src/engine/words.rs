//! The words between the engine and the daemon: what happened, what is asked, what to do.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{End, Id, Job, Reason};

/// What somebody asks of one service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// It and what it pulls in should run.
    Start,
    /// It and its users should end.
    Stop,
    /// It should end and run again, its users too.
    Restart,
    /// It should read its configuration anew.
    Reload,
    /// Its failures should be forgotten.
    Reset,
    /// Its triggers should start it from now on.
    Arm,
    /// Its triggers should not start it any more.
    Disarm,
    /// Its processes should stand still.
    Freeze,
    /// They should go on.
    Thaw,
}

/// Which of its commands a service runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Phase {
    /// Before the main process.
    BeforeStart,
    /// Once it is ready.
    AfterStart,
    /// To read its configuration anew.
    Reload,
    /// To ask it to end.
    Stop,
    /// After all of it is gone.
    AfterStop,
}

impl Phase {
    /// When these commands run, as words for people.
    #[must_use]
    pub fn when(self) -> &'static str {
        match self {
            Self::BeforeStart => "before the start",
            Self::AfterStart => "after the start",
            Self::Reload => "to reload",
            Self::Stop => "to stop",
            Self::AfterStop => "after the stop",
        }
    }
}

/// What a request would do, in order. Nothing is done yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Transaction {
    /// Those which would stop.
    pub stop: Vec<Id>,
    /// Those which would start.
    pub start: Vec<Id>,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Start all that is enabled.
    Boot,
    /// A request.
    Ask(Id, Ask, Job),
    /// A start, stop or restart of all these at once is asked for: one transaction.
    AskAll(Ask, Vec<(Id, Job)>),
    /// Everything should end: the device goes down.
    Down,
    /// The program runs.
    Spawned(Id),
    /// It could not be started.
    SpawnFailed(Id, String),
    /// It is not started, and another try would end the same: what confines it can't hold here.
    Unheld(Id, String),
    /// A start was begun by a servicemgr that died meanwhile, and there is no process.
    Lost(Id),
    /// It is not started: this condition does not hold. Instead of `Spawned`, or of the end of its
    /// first command.
    Skipped(Id, String),
    /// It said that it is ready, or that it has reloaded.
    Ready(Id),
    /// It said that it reads its configuration anew.
    Reloading(Id),
    /// It said that it is ending.
    Stopping(Id),
    /// It said that it is alive (`WATCHDOG=1`).
    Alive(Id),
    /// It wants to be watched this closely from now on (`WATCHDOG_USEC`); zero: not at all.
    Watch(Id, Duration),
    /// It needs this much more time from now on for what it is doing (`EXTEND_TIMEOUT_USEC`).
    Extend(Id, Duration),
    /// It said, or a probe found, that it is not well any more; why.
    Unwell(Id, String),
    /// The command that was asked for by [`Action::Run`] ended, or could not be started.
    CommandEnded {
        /// Whose.
        id: Id,
        /// How; a text if it could not be started.
        end: Result<(), String>,
    },
    /// The command that was begun by a servicemgr that died is not there any more.
    CommandLost(Id),
    /// Something it waits for while armed has happened: a connection, a time, a file, a device.
    Trigger(Id),
    /// Nobody used it for as long as it said.
    Quiet(Id),
    /// Its device has gone, or something else that it was bound to outside the plan; why.
    Unbound(Id, String),
    /// Its main process ended.
    Exited {
        /// Which service.
        id: Id,
        /// How.
        end: End,
        /// Other processes of it are left.
        left: bool,
    },
    /// The last of its processes is gone.
    Empty(Id),
    /// Time passed.
    Tick,
}

/// Something the daemon must do now, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Make what others may use before it runs: its listening sockets.
    Open(Id),
    /// Start its process. The answer is `Spawned` or `SpawnFailed`.
    Spawn(Id),
    /// Run this command of it. The answer is `CommandEnded`, later.
    Run(Id, Phase, usize),
    /// End the command that runs: its time is over, or nobody needs it any more. The answer is
    /// still `CommandEnded`.
    EndCommand(Id),
    /// The command that was told to end does not: it is left to itself, and no answer is awaited.
    Abandon(Id),
    /// The signal by which its main process reads its configuration anew.
    Reload(Id),
    /// Watch for what triggers it.
    Arm(Id),
    /// Before `Arm`: a person stopped it, and what triggered it until now counts no more.
    Hush(Id),
    /// Stop watching.
    Disarm(Id),
    /// Open the sockets of an armed service again and watch them: what it conflicts with is off.
    Listen(Id),
    /// `SIGABRT` to its main process: it hangs, and somebody may want to know where.
    Abort(Id),
    /// Stop (or let go on) all of its processes.
    Freeze(Id, bool),
    /// The device must start again: this service has failed too often.
    Critical(Id),
    /// Its stop signal to all of its processes.
    Terminate(Id),
    /// `SIGKILL` to all of its processes.
    Kill(Id),
    /// Nothing of it runs any more: what a failed command may have left can be killed, and a command
    /// that would not end is forgotten. Comes once more after its commands after the stop.
    Gone(Id),
    /// The answer to a request.
    Answer(Job, Answer),
    /// Every service of the boot is settled. Once.
    Settled,
    /// Every service has ended. Once, after `Down`.
    AllDown,
}

/// How a request ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// As asked.
    Done,
    /// The service failed.
    Failed(Reason),
    /// Someone asked for something else meanwhile.
    Replaced,
    /// The device goes down.
    GoingDown,
    /// It can't be done as a whole, so nothing was; why.
    Refused(String),
}
