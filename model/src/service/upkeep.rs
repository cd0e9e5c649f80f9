//! What keeps a service well: commands around it, conditions, probes, watchdogs, its last resort.

use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Program (an absolute path) and arguments; never empty.
pub type Command = Vec<String>;

/// `SIGTERM`.
pub const SIGTERM: i32 = 15;

/// Commands around the life of the main process. Each must end well before the next begins; each
/// has the service's user, cgroup, sandbox and output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commands {
    /// Before the main process. One that fails fails the start.
    pub before_start: Vec<Command>,
    /// Once it is ready; the service counts as ready when these have ended.
    pub after_start: Vec<Command>,
    /// How it reads its configuration anew.
    pub reload: Option<Reload>,
    /// Asks it to end, before the stop signal; `$MAINPID` is its main process.
    pub stop: Vec<Command>,
    /// After all of its processes are gone, however they went.
    pub after_stop: Vec<Command>,
    /// The signal that asks it to end.
    pub stop_signal: i32,
}

impl Default for Commands {
    fn default() -> Self {
        Self {
            before_start: Vec::new(),
            after_start: Vec::new(),
            reload: None,
            stop: Vec::new(),
            after_stop: Vec::new(),
            stop_signal: SIGTERM,
        }
    }
}

impl Commands {
    /// Whether it has no command of its own at all.
    #[must_use]
    pub fn are_none(&self) -> bool {
        let lists = [&self.before_start, &self.after_start, &self.stop, &self.after_stop];
        lists.iter().all(|list| list.is_empty()) && !matches!(self.reload, Some(Reload::Command(_)))
    }
}

/// How a service reads its configuration anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reload {
    /// By this command, which ends when it is done; `$MAINPID` is the main process.
    Command(Command),
    /// By this signal. A service of type `notify` says `RELOADING=1` and then `READY=1`.
    Signal(i32),
}

/// A question asked of a running service again and again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// The question.
    pub probe: Probe,
    /// Time between two of them.
    pub interval: Duration,
    /// Time for the answer.
    pub timeout: Duration,
    /// Bad answers in a row after which the service counts as failed.
    pub retries: u32,
    /// The first good answer makes the service ready.
    pub readiness: bool,
}

impl Health {
    /// Time between two questions when nothing is said.
    pub const INTERVAL: Duration = Duration::from_secs(10);

    /// Time for the answer when nothing is said.
    pub const TIMEOUT: Duration = Duration::from_secs(3);

    /// Bad answers in a row when nothing is said.
    pub const RETRIES: u32 = 3;
}

/// How a service is asked whether it is well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Probe {
    /// This command ends with status 0.
    Exec(Command),
    /// `GET path` gets a status from 200 to 399.
    Http {
        /// Where.
        address: SocketAddr,
        /// What.
        path: String,
    },
    /// A connection is accepted.
    Tcp(SocketAddr),
}

/// The device starts again when this service fails too often.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Critical {
    /// So many failures,
    pub limit: u32,
    /// within this time.
    pub window: Duration,
}

impl Default for Critical {
    fn default() -> Self {
        Self { limit: 4, window: Duration::from_secs(240) }
    }
}

/// What must hold for a service to start. When it does not, the service is skipped, which counts as
/// done: those that require it go on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Condition {
    /// What.
    pub what: Check,
    /// It must not hold.
    pub not: bool,
}

/// What a [`Condition`] looks at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Check {
    /// Something is at this path.
    Path(String),
    /// The directory at this path has something in it.
    NotEmpty(String),
    /// The file at this path can be executed.
    Executable(String),
    /// This word is on the kernel's command line.
    Cmdline(String),
    /// The device runs in a container.
    Container,
    /// The parameter of this name has this value (`*`: any).
    Parameter(String, String),
    /// The kernel knows this file system (`/proc/filesystems`).
    FileSystem(String),
}

/// A secret or setting that only this service sees, as a file in `$CREDENTIALS_DIRECTORY`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credential {
    /// Name of the file.
    pub name: String,
    /// Where its content comes from.
    pub source: CredentialSource,
}

/// Where a [`Credential`] comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum CredentialSource {
    /// The file at this path, read by servicemgr at each start.
    Path(String),
    /// This text.
    Text(String),
}

/// What happens when the kernel kills a process of a service for want of memory.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum OutOfMemory {
    /// All of its processes are killed.
    #[default]
    Kill,
    /// The service is stopped, as if its main process had failed.
    Stop,
    /// The others go on.
    Continue,
}
