//! One service as it is meant: every value checked, every default filled in.
//!
//! What a person writes is `text::service` (feature `text`); this is what the device reads.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Name;

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
    /// Program (an absolute path) and arguments; never empty.
    pub exec: Vec<String>,
    /// When it counts as ready.
    pub kind: Kind,
    /// Must be ready first; when one fails or stops, this service stops too. Implies order.
    pub requires: Vec<Name>,
    /// Started too and waited for, but may fail. Implies order.
    pub wants: Vec<Name>,
    /// Order only: if it is to start as well, it starts first.
    pub after: Vec<Name>,
    /// What happens after its process ends.
    pub restart: Restart,
    /// See [`START_TIMEOUT`].
    pub start_timeout: Duration,
    /// See [`STOP_TIMEOUT`].
    pub stop_timeout: Duration,
    /// User (a name in `/etc/passwd`); root when absent.
    pub user: Option<String>,
    /// Added to the small default environment.
    pub environment: BTreeMap<String, String>,
    /// Working directory; `/` when absent.
    pub directory: Option<String>,
    /// Limits of its cgroup.
    pub limits: Limits,
    /// What it may do.
    pub sandbox: Sandbox,
    /// Listening sockets opened before it starts, passed as systemd does (`LISTEN_FDS`).
    pub sockets: Vec<Socket>,
    /// Where its output goes.
    pub output: Output,
}

/// When a service counts as ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// As soon as its program runs (`execve` succeeded).
    Simple,
    /// When it sends `READY=1` to `$NOTIFY_SOCKET`.
    Notify,
    /// When its process ended with status 0; it stays ready without a process.
    Oneshot,
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
}

impl Default for Restart {
    fn default() -> Self {
        Self {
            when: RestartWhen::OnFailure,
            delay: Duration::from_millis(100),
            max_delay: Duration::from_secs(10),
            limit: 5,
            window: Duration::from_secs(60),
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
    /// CPU time in percent of one CPU (`cpu.max`); 200 is two whole CPUs.
    pub cpu: Option<u32>,
    /// Processes and threads (`pids.max`).
    pub pids: Option<u32>,
    /// Open files (`RLIMIT_NOFILE`).
    pub open_files: Option<u64>,
    /// Core dump size in bytes (`RLIMIT_CORE`).
    pub core: Option<u64>,
}

/// The first form of the sandbox: privileges. Files, network and system calls come later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sandbox {
    /// Capabilities kept, in the kernel's spelling without `CAP_` (`NET_ADMIN`); `None` keeps all
    /// for root and none for another user.
    pub capabilities: Option<Vec<String>>,
    /// `no_new_privs`: set-user-id programs give nothing.
    pub no_new_privileges: bool,
}

impl Default for Sandbox {
    fn default() -> Self {
        Self { capabilities: None, no_new_privileges: true }
    }
}

/// A listening socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Socket {
    /// Its name in `LISTEN_FDNAMES`.
    pub name: Name,
    /// Path of the UNIX socket.
    pub path: String,
    /// Its type.
    pub kind: SocketKind,
    /// Permission bits of the path.
    pub mode: u32,
}

/// The type of a [`Socket`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SocketKind {
    /// `SOCK_STREAM`, listening.
    Stream,
    /// `SOCK_DGRAM`, with `SO_PASSCRED`.
    Datagram,
    /// `SOCK_SEQPACKET`, listening.
    Seqpacket,
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
