//! One service as it is meant: every value checked, every default filled in.
//!
//! What a person writes is `text::service` (feature `text`); this is what the device reads.

mod activation;
mod app;
mod instance;
mod own;
mod stores;
mod upkeep;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::sandbox::{self, Profile};
use crate::{Name, Shared};

pub use activation::{
    Activation, Address, BACKLOG, Bus, DeviceMatch, ParameterMatch, PathWatch, PathWhen,
    SignalMatch, Socket, SocketKind, Start, Timer, TimerWhen,
};
pub use app::{INSTANCE, app_of};
pub use instance::PLACEHOLDER;
pub use own::{OWN, OWN_IDS, OWN_PREFIX, own_user, state_directory};
pub use stores::is_shared;
pub use upkeep::{
    Check, Command, Commands, Condition, Credential, CredentialSource, Critical, Health,
    OutOfMemory, Probe, Reload, SIGTERM,
};

/// Time a service has to become ready before it counts as failed.
pub const START_TIMEOUT: Duration = Duration::from_secs(30);

/// Time between `SIGTERM` and `SIGKILL`.
pub const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// One service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// What it is called.
    pub name: Name,
    /// One line for people.
    pub about: String,
    /// Program (an absolute path) and arguments; empty only for a target.
    pub exec: Vec<String>,
    /// When it counts as ready.
    pub kind: Kind,
    /// Must be ready first; when one fails or stops, this service stops too. Implies order.
    pub requires: Vec<Name>,
    /// Started too and waited for, but may fail. Implies order.
    pub wants: Vec<Name>,
    /// Order only: if it is to start as well, it starts first.
    pub after: Vec<Name>,
    /// The other way round: this one starts before them if they start as well.
    pub before: Vec<Name>,
    /// As `requires`, but this one does not come back by itself with the other.
    pub binds: Vec<Name>,
    /// Starting this one stops them, and the other way round.
    pub conflicts: Vec<Name>,
    /// When one of these is stopped or restarted, so is this one. No order, no start.
    pub part_of: Vec<Name>,
    /// Started when this one has failed for good.
    pub on_failure: Vec<Name>,
    /// Started when this one has ended well.
    pub on_success: Vec<Name>,
    /// What of an enabled service starts at boot.
    pub start: Start,
    /// What happens after its process ends.
    pub restart: Shared<Restart>,
    /// See [`START_TIMEOUT`].
    pub start_timeout: Duration,
    /// See [`STOP_TIMEOUT`].
    pub stop_timeout: Duration,
    /// User (a name in `/etc/passwd`, or the number of an app's); root when absent.
    pub user: Option<String>,
    /// Added to the small default environment.
    pub environment: BTreeMap<String, String>,
    /// Working directory; `/` when absent.
    pub directory: Option<String>,
    /// Limits of its cgroup.
    pub limits: Shared<Limits>,
    /// What it may do; as linked, with what the permissions it asks for add that nobody is asked about.
    pub sandbox: Shared<Profile>,
    /// Why it has no profile that confines it; `None` if it has one, or nobody says why not.
    pub exception: Option<Box<str>>,
    /// Permissions it asks for, sorted.
    pub permissions: Vec<Name>,
    /// Listening sockets opened before it starts, passed as systemd does (`LISTEN_FDS`).
    pub sockets: Vec<Socket>,
    /// Where its output goes.
    pub output: Output,
    /// A oneshot service that ended well stays done; otherwise it is off again.
    pub remain: bool,
    /// A service of type `notify` is ready when it writes a line to this descriptor (s6); `None`:
    /// by `sd_notify`.
    pub ready_fd: Option<u32>,
    /// Where a service of type `forking` writes the id of its main process.
    pub pid_file: Option<String>,
    /// Names on the system bus.
    pub bus: Option<Box<Bus>>,
    /// What triggers it, beside its sockets and bus names.
    pub activation: Shared<Activation>,
    /// Commands around its main process.
    pub commands: Shared<Commands>,
    /// What must hold for it to start.
    pub conditions: Vec<Condition>,
    /// It must say `WATCHDOG=1` this often; `None`: it need not.
    pub watchdog: Option<Duration>,
    /// How it is asked whether it is well.
    pub health: Option<Box<Health>>,
    /// The device starts again when it fails too often.
    pub critical: Option<Critical>,
    /// Files only it sees.
    pub credentials: Vec<Credential>,
    /// Descriptors it may leave with us (`FDSTORE=1`) for its next start.
    pub fd_store: u32,
}

impl Service {
    /// Whether it is left to do what it likes, and nobody says why. One without programs does nothing.
    #[must_use]
    pub fn unconfined(&self) -> bool {
        let runs = !self.exec.is_empty() || *self.commands != Commands::default();
        runs && self.exception.is_none() && !self.sandbox.confines()
    }

    /// A service of this name that runs `exec`, everything else as when nothing is said.
    #[must_use]
    pub fn new(name: Name, exec: Vec<String>) -> Self {
        Self {
            name,
            about: String::new(),
            exec,
            kind: Kind::Simple,
            requires: Vec::new(),
            wants: Vec::new(),
            after: Vec::new(),
            before: Vec::new(),
            binds: Vec::new(),
            conflicts: Vec::new(),
            part_of: Vec::new(),
            on_failure: Vec::new(),
            on_success: Vec::new(),
            start: Start::Boot,
            restart: Shared::default(),
            start_timeout: START_TIMEOUT,
            stop_timeout: STOP_TIMEOUT,
            user: None,
            environment: BTreeMap::new(),
            directory: None,
            limits: Shared::default(),
            sandbox: Shared::default(),
            exception: None,
            permissions: Vec::new(),
            sockets: Vec::new(),
            output: Output::Journal,
            remain: true,
            ready_fd: None,
            pid_file: None,
            bus: None,
            activation: Shared::default(),
            commands: Shared::default(),
            conditions: Vec::new(),
            watchdog: None,
            health: None,
            critical: None,
            credentials: Vec::new(),
            fd_store: 0,
        }
    }
}

/// When a service counts as ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// As soon as its program runs (`execve` succeeded).
    Simple,
    /// When it sends `READY=1` to `$NOTIFY_SOCKET`.
    Notify,
    /// As notify; a reload by signal is over when it has said `RELOADING=1` and then `READY=1`.
    NotifyReload,
    /// When its process ended with status 0; it stays ready without a process.
    Oneshot,
    /// When its first process ended with status 0 and left a daemon behind, which is the main one.
    Forking,
    /// When its name is on the system bus.
    Dbus,
    /// As simple, but it starts when the rest of the boot has settled, or after five seconds.
    Idle,
    /// When all it requires are ready and all it wants are settled. It has no process.
    Target,
}

/// What happens after the process of a service ended without being asked to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restart {
    /// Whether to start it again.
    pub when: RestartWhen,
    /// First wait before a restart; doubles with each further one.
    pub delay: Duration,
    /// Longest wait before a restart.
    pub max_delay: Duration,
    /// Starts within `window` after which it is given up.
    pub limit: u32,
    /// See `limit`; a service that ran this long starts again at `delay`.
    pub window: Duration,
    /// Each wait is longer by up to so many percent, so that many services do not come at once.
    pub jitter: u32,
}

impl Default for Restart {
    fn default() -> Self {
        Self {
            when: RestartWhen::OnFailure,
            delay: Duration::from_millis(100),
            max_delay: Duration::from_secs(10),
            limit: 5,
            window: Duration::from_secs(60),
            jitter: 0,
        }
    }
}

/// When to start a service again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RestartWhen {
    /// Leave it ended.
    Never,
    /// After a non-zero status, a signal or a time-out.
    OnFailure,
    /// After any end.
    Always,
}

/// Limits of a service's cgroup; absent means the kernel's default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Bytes of memory (`memory.max`); over it, the kernel kills within the service.
    pub memory: Option<u64>,
    /// Bytes of memory above which it is slowed down (`memory.high`).
    pub memory_high: Option<u64>,
    /// What the kernel's killing means.
    pub out_of_memory: OutOfMemory,
    /// Score added when the kernel chooses whom to kill (`oom_score_adj`, -1000 to 1000).
    pub oom_score: Option<i32>,
    /// CPU time in percent of one CPU (`cpu.max`); 200 is two whole CPUs.
    pub cpu: Option<u32>,
    /// Share of the CPU against others, when there is not enough (`cpu.weight`, 1 to 10000).
    pub cpu_weight: Option<u32>,
    /// Share of disk time against others (`io.weight`, 1 to 10000).
    pub io_weight: Option<u32>,
    /// Bytes a second read from each disk (`io.max`).
    pub io_read: Option<u64>,
    /// Bytes a second written to each disk (`io.max`).
    pub io_write: Option<u64>,
    /// Processes and threads (`pids.max`).
    pub pids: Option<u32>,
    /// Open files (`RLIMIT_NOFILE`).
    pub open_files: Option<u64>,
    /// Core dump size in bytes (`RLIMIT_CORE`).
    pub core: Option<u64>,
    /// Waiting signals and timers of its user (`RLIMIT_SIGPENDING`).
    pub signals: Option<u64>,
    /// Bytes of memory that is never moved to disk (`RLIMIT_MEMLOCK`).
    pub locked_memory: Option<u64>,
    /// Size of a file that it writes, in bytes (`RLIMIT_FSIZE`).
    pub file_size: Option<u64>,
    /// Bytes of the stack of its main thread, and of others that ask for no size (`RLIMIT_STACK`).
    pub stack: Option<u64>,
    /// Bytes of what it keeps in [`Service::stores`] (a quota of the file system).
    pub storage: Option<u64>,
    /// Files, directories and links of that.
    pub storage_files: Option<u64>,
}

impl Limits {
    /// Those of them that profiles have too.
    #[must_use]
    pub fn bounds(&self) -> sandbox::Limits {
        sandbox::Limits {
            memory: self.memory,
            cpu: self.cpu,
            pids: self.pids,
            open_files: self.open_files,
            core: self.core,
            signals: self.signals,
            locked_memory: self.locked_memory,
            file_size: self.file_size,
            stack: self.stack,
            storage: self.storage,
            storage_files: self.storage_files,
        }
    }

    /// These, and those of its profile where nothing is said.
    #[must_use]
    pub fn over(self, profile: &sandbox::Limits) -> Self {
        Self {
            memory: self.memory.or(profile.memory),
            cpu: self.cpu.or(profile.cpu),
            pids: self.pids.or(profile.pids),
            open_files: self.open_files.or(profile.open_files),
            core: self.core.or(profile.core),
            signals: self.signals.or(profile.signals),
            locked_memory: self.locked_memory.or(profile.locked_memory),
            file_size: self.file_size.or(profile.file_size),
            stack: self.stack.or(profile.stack),
            storage: self.storage.or(profile.storage),
            storage_files: self.storage_files.or(profile.storage_files),
            ..self
        }
    }
}

/// Where standard output and error go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Output {
    /// To the journal, line by line.
    Journal,
    /// To the device's console, which is also standard input and the controlling terminal.
    Console,
    /// To `/dev/null`.
    Null,
}
