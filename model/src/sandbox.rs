//! What a program may do, as data: a profile, and what it becomes for one kernel.
//!
//! ```text
//! configs/sandbox/*.toml ─┐
//! [sandbox] of a service ─┴─text─► Profile ──sandbox::compile──► Compiled ──launch──► process
//!                              (inherited ones joined)          (in the plan, by the image builder)
//! ```
//!
//! One language for services and apps. What a profile does not speak of is not restricted. Three kinds
//! of rules:
//!
//! - lists of what is allowed (`read`, `connect`, `calls.allow` …): once a list is there, only what it
//!   names is allowed; one that inherits adds to it;
//! - single values (`network.access`, `files.view` …): the one that inherits wins;
//! - `[forbid]`: joined, and stronger than everything else in whichever file. Invariant: nothing that an
//!   inherited profile forbids is allowed by the one that inherits it.

pub mod calls;
mod compiled;
mod feature;
mod root;
mod widened;
mod within;

use serde::{Deserialize, Serialize};

use crate::word::Word;

pub use compiled::{Compiled, Mount, Paths, Ruleset, Show};
pub use feature::{MAX_LANDLOCK, OF_CONTAINERS};
pub use root::{ETC_OF_DEVICE, OF_ROOT, is_of_root};
pub use widened::Forbidden;
pub use within::is_below;

/// Where the texts of the profiles that ship lie on a device: `NAME.toml`.
pub const PROFILES_PATH: &str = "/usr/lib/ensemble/sandbox";

/// What a program may do. Every list is sorted and has no entry twice.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Profile {
    /// Kernel facts without which nothing starts, besides those that the rules need anyway.
    pub requires: Vec<Feature>,
    /// Kernel facts that may be missing: the rules that need them are left out then. A version of
    /// Landlock stands for all later ones too.
    pub optional: Vec<Feature>,
    /// Capabilities kept, in the kernel's spelling without `CAP_` (`NET_ADMIN`); `None` keeps all
    /// for root and none for another user.
    pub capabilities: Option<Vec<String>>,
    /// `no_new_privs`: set-user-id programs give nothing.
    pub no_new_privileges: bool,
    /// Memory that was writable may become executable (just-in-time compilers); `None` does not
    /// restrict.
    pub write_execute: Option<bool>,
    /// The execution domain can't be changed (`personality`).
    pub lock_personality: bool,
    /// A session keyring of its own.
    pub keyring: bool,
    /// Namespaces of its own, besides those that `files` and `network` need.
    pub namespaces: Vec<Namespace>,
    /// Files and devices.
    pub files: Files,
    /// Network.
    pub network: Network,
    /// System calls.
    pub calls: Calls,
    /// How much it may use, at most. What of it counts for a service is in its own limits.
    pub limits: Limits,
    /// What no other rule can allow.
    pub forbid: Forbid,
}

impl Default for Profile {
    fn default() -> Self {
        Self {
            requires: Vec::new(),
            optional: Vec::new(),
            capabilities: None,
            no_new_privileges: true,
            write_execute: None,
            lock_personality: false,
            keyring: false,
            namespaces: Vec::new(),
            files: Files::default(),
            network: Network::default(),
            calls: Calls::default(),
            limits: Limits::default(),
            forbid: Forbid::default(),
        }
    }
}

impl Profile {
    /// Whether a launch has more to do than ids, capabilities, limits and `no_new_privs`.
    #[must_use]
    pub fn confines(&self) -> bool {
        let plain = Self {
            capabilities: self.capabilities.clone(),
            no_new_privileges: self.no_new_privileges,
            limits: self.limits,
            ..Self::default()
        };
        *self != plain
    }
}

/// Files: trees by absolute path. Each of the three lists restricts only what it is about.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Files {
    /// What is there at all.
    pub view: View,
    /// A directory of which what lies below [`OF_ROOT`] is taken, in place of the device's; only in a listed
    /// view.
    pub root: Option<String>,
    /// Trees it may read; what it may write or execute it may read too.
    pub read: Option<Vec<String>>,
    /// Trees it may write, where nothing can be executed.
    pub write: Option<Vec<String>>,
    /// Trees of which it may execute programs.
    pub execute: Option<Vec<String>>,
    /// `/tmp` and `/var/tmp`.
    pub tmp: Tmp,
    /// `/proc`.
    pub proc: Proc,
    /// A `/dev` of its own with these and `null`, `zero`, `full`, `random`, `urandom`, `tty`, `shm`;
    /// `None` is the device's. Names below `/dev`: `"fb0"`, `"input/event0"`.
    pub devices: Option<Vec<String>>,
}

/// What of the device's files a program finds.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub enum View {
    /// All of them; the rules say what it may do with them.
    #[default]
    Whole,
    /// Only the trees that the profile names: the rest is not there.
    Listed,
}

/// Where temporary files go.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub enum Tmp {
    /// Where everybody's go.
    #[default]
    Shared,
    /// Where nobody else sees them; empty at each start.
    Private,
}

/// What of `/proc` a program finds.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub enum Proc {
    /// All of it.
    #[default]
    Host,
    /// Its own processes (`hidepid=invisible`), and nothing to change the kernel with.
    Own,
}

/// Network.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Network {
    /// Whose network it is in.
    pub access: Access,
    /// Address families it may make sockets of.
    pub families: Option<Vec<Family>>,
    /// TCP ports it may connect to. With this or `listen`, datagrams need `udp`.
    pub connect: Option<Vec<u16>>,
    /// TCP ports it may listen on; sockets that servicemgr opens for it need none.
    pub listen: Option<Vec<u16>>,
    /// UDP is allowed although TCP ports are listed: no port of it can be restricted.
    pub udp: bool,
}

/// Whose network a program is in.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub enum Access {
    /// The device's.
    #[default]
    Host,
    /// An empty one of its own.
    None,
}

/// An address family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Family {
    /// Sockets of this device (`AF_UNIX`).
    Unix,
    /// IPv4 (`AF_INET`).
    Inet,
    /// IPv6 (`AF_INET6`).
    Inet6,
    /// Messages with the kernel (`AF_NETLINK`).
    Netlink,
    /// Whole frames (`AF_PACKET`).
    Packet,
    /// The host of a virtual machine (`AF_VSOCK`).
    Vsock,
    /// Bluetooth (`AF_BLUETOOTH`).
    Bluetooth,
}

impl Word for Family {
    const WHAT: &'static str = "address family";
    const WORDS: &'static [(&'static str, Self)] = &[
        ("unix", Self::Unix),
        ("inet", Self::Inet),
        ("inet6", Self::Inet6),
        ("netlink", Self::Netlink),
        ("packet", Self::Packet),
        ("vsock", Self::Vsock),
        ("bluetooth", Self::Bluetooth),
    ];
}

/// System calls: by name, or a group (`@files`). A name that a processor does not have is no error
/// where another has it.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Calls {
    /// The only ones allowed. Of the others, those that the compiler knows give `EPERM`, and those it
    /// does not know give `ENOSYS`.
    pub allow: Option<Vec<String>>,
    /// Those that give `EPERM`, whatever `allow` says here.
    pub deny: Vec<String>,
    /// Those that end the process (`SIGSYS`), which the journal tells with the name of the call.
    pub kill: Vec<String>,
}

/// How much a program may use; absent means no limit. Of a service, what its own limits say counts.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Limits {
    /// Bytes of memory.
    pub memory: Option<u64>,
    /// CPU time in percent of one CPU.
    pub cpu: Option<u32>,
    /// Processes and threads.
    pub pids: Option<u32>,
    /// Open files.
    pub open_files: Option<u64>,
    /// Size of a core dump in bytes.
    pub core: Option<u64>,
    /// Waiting signals and timers of its user.
    pub signals: Option<u64>,
    /// Bytes of memory that it may keep from being moved to disk.
    pub locked_memory: Option<u64>,
    /// Size of a file that it writes, in bytes.
    pub file_size: Option<u64>,
    /// Bytes of a stack.
    pub stack: Option<u64>,
    /// Bytes of what it keeps on the state, in trees of its own.
    pub storage: Option<u64>,
    /// Files of that.
    pub storage_files: Option<u64>,
}

/// What no other rule can allow, in whichever file it stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Forbid {
    /// Trees that are not there.
    pub files: Vec<String>,
    /// Trees that are never written.
    pub write: Vec<String>,
    /// System calls, and groups of them.
    pub calls: Vec<String>,
    /// Capabilities.
    pub capabilities: Vec<String>,
    /// Address families.
    pub families: Vec<Family>,
    /// `network.access` is "none".
    pub network: bool,
    /// Memory is never writable and executable.
    pub write_execute: bool,
    /// `no-new-privileges` holds.
    pub new_privileges: bool,
}

/// A namespace of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Namespace {
    /// System V and POSIX message queues, semaphores, shared memory.
    Ipc,
    /// Host name.
    Uts,
    /// Root of the control groups.
    Cgroup,
}

/// What a kernel, or the container around us, can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Feature {
    /// Filters of system calls.
    Seccomp,
    /// Landlock, its version (`landlock_create_ruleset(2)`): 1 files, 4 TCP ports, 5 device ioctls,
    /// 6 abstract sockets and signals.
    Landlock(u32),
    /// Namespaces of mounts, IPC, host name and control groups.
    Namespaces,
    /// Namespaces of the network.
    NetworkNamespace,
    /// `PR_SET_MDWE` (6.3).
    WriteExecute,
}

/// Group of calls, rules of which every profile with a list needs: a program that can't do these can't
/// start or end.
pub const LEAST: &str = "@least";
