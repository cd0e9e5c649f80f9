//! The words between the state machine and the daemon: what happened, what to do, and where.

use api::pid1::{End, Exit, ToPid1, ToServicemgr};

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The boot phases are over.
    Booted,
    /// servicemgr runs.
    Started(i32),
    /// servicemgr could not be started.
    NotStarted {
        /// Why.
        why: String,
        /// Whether trying again is useless until somebody changes something.
        lasting: bool,
    },
    /// The rescue shell runs.
    ShellStarted(i32),
    /// There is no rescue shell, for this reason.
    NoShell(String),
    /// A child ended.
    Exited {
        /// Process id.
        pid: i32,
        /// How.
        exit: Exit,
    },
    /// No process is left but us.
    Nobody,
    /// So many tasks are in the groups of services, now that all who ended are reaped.
    Tasks(u32),
    /// servicemgr said this.
    Said(ToPid1),
    /// servicemgr does not take what it is told, and too much has piled up.
    Clogged,
    /// servicemgr closed its socket: it is dying, or will never hear us again.
    HungUp,
    /// A signal or Ctrl-Alt-Del.
    Asked(End),
    /// Time passed.
    Tick,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Start servicemgr on a new socket pair; answer with an event.
    Start,
    /// Send it all that is held, and its state.
    Introduce,
    /// Send it this.
    Tell(ToServicemgr),
    /// Kill the servicemgr with this process id.
    Kill(i32),
    /// Close the state memfd: servicemgr dies of it.
    ForgetState,
    /// Start the rescue shell under this reason; answer with an event.
    Shell(String),
    /// `SIGTERM` to all processes.
    TermAll,
    /// `SIGKILL` to all processes.
    KillAll,
    /// Put the hardware watchdog off.
    Pet,
    /// Save, unmount, sync, and go down. The last action.
    Finish(Finish),
    /// Something a person should know.
    Fault(String),
    /// Something a person may want to know.
    Note(String),
}

/// How PID 1 ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    /// As somebody wished.
    Down(End),
    /// A container without a servicemgr is no use.
    Failed,
}

/// Where we run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// In a container there is no console to rescue from, and PID 1 may exit.
    pub container: bool,
    /// A hardware watchdog is armed.
    pub watchdog: bool,
    /// `CLOCK_BOOTTIME` in nanoseconds when PID 1 began.
    pub began: u64,
}
