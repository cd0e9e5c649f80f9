//! Starting the process of a service: a child of PID 1, in its cgroup, with nothing inherited.
//!
//! ```text
//! servicemgr ──clone3──► child on its own stack, in our memory     (CLONE_VM | CLONE_VFORK)
//!  waits  ◄── step, errno ──┤ session, descriptors, limits, ids … one step after the other
//!  goes on ◄────────────────┘ execve, or the end
//! ```
//!
//! Nothing is copied and nothing is allocated between clone and exec; a step that fails is known
//! to us by name, without a pipe. Only a child whose memory gets a property of its own
//! ([`Confine::no_write_execute`]) gets a copy of ours. Invariant: when [`spawn`] returns, the program
//! runs, confined by all that was asked for, or there is no child.

mod ahead;
mod bare;
mod child;
mod clone;
mod confined;
mod landlock;
mod mounts;
mod state;
#[cfg(test)]
mod tests;
mod tree;

use std::ffi::{CStr, CString, c_char};
use std::fmt;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::AtomicI32;

use crate::confine::Confine;
pub use ahead::{Ahead, EmptyNetwork, Ready};
use clone::Origin;
use state::{Place, State};

/// Most descriptors passed to one service besides standard input, output and error.
pub const MAX_FDS: usize = 64;

/// Everything about a process that does not change from start to start.
#[derive(Debug, Clone, Default)]
pub struct Launch {
    /// Absolute path of the program.
    pub program: CString,
    /// Its arguments, the program's name first.
    pub arguments: Vec<CString>,
    /// `NAME=value` each. `LISTEN_PID` is added when descriptors are passed, and
    /// `WATCHDOG_PID` for `watchdog`, `ENSEMBLE_PID` for `starter`.
    pub environment: Vec<CString>,
    /// Working directory.
    pub directory: CString,
    /// Limits of the process.
    pub limits: Vec<Limit>,
    /// Ids to take on; `None` stays root.
    pub ids: Option<Ids>,
    /// Capabilities to keep, as a bit mask; `None` is the kernel's rule: all for root, else none.
    pub capabilities: Option<u64>,
    /// No program it executes gains privileges.
    pub no_new_privileges: bool,
    /// It is to say again and again that it is alive, itself and none of its children.
    pub watchdog: bool,
    /// It is to be told from its descendants, by its environment.
    pub starter: bool,
    /// Standard input becomes its controlling terminal, if it is one.
    pub terminal: bool,
    /// How willingly the kernel kills it when memory is short; `None` inherits ours.
    pub oom_score: Option<CString>,
    /// What confines it besides.
    pub confine: Option<Arc<Confine>>,
}

/// A resource limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// What is limited.
    pub what: Resource,
    /// The limit that counts.
    pub soft: u64,
    /// How far the process may raise it.
    pub hard: u64,
}

/// What a [`Limit`] limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Resource {
    /// Open files.
    OpenFiles,
    /// Bytes of a core dump.
    Core,
    /// Queued signals of its user, and timers of processes, which hold one each.
    PendingSignals,
    /// Bytes of memory that is never moved to disk.
    LockedMemory,
    /// Bytes of a file that is written.
    FileSize,
    /// Bytes of a stack.
    Stack,
}

/// User and groups of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ids {
    /// User.
    pub uid: u32,
    /// Main group.
    pub gid: u32,
    /// Further groups.
    pub groups: Vec<u32>,
}

/// What is passed to one start of it.
#[derive(Debug, Clone, Copy)]
pub struct Passed<'a> {
    /// Standard input, output and error.
    pub standard: [BorrowedFd<'a>; 3],
    /// Descriptors 3 and up, at most [`MAX_FDS`].
    pub fds: &'a [BorrowedFd<'a>],
    /// Directory of the cgroup to begin in; `None` stays in ours.
    pub cgroup: Option<BorrowedFd<'a>>,
    /// Where the kernel writes its process id before it runs: see [`crate::mapped`].
    pub note: Option<&'a AtomicI32>,
}

/// A step between clone and exec.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Step {
    /// Making the process.
    Clone,
    /// Namespaces: `EPERM` (not allowed in this container), `ENOSPC`, `EUSERS` (too many of them),
    /// `EINVAL` (the kernel lacks one).
    Namespaces,
    /// Signals as a fresh process has them.
    Signals,
    /// A session of its own.
    Session,
    /// Its descriptors in their places.
    Descriptors,
    /// `oom_score_adj`.
    OomScore,
    /// The loopback interface of its network: `EPERM`, `ENODEV`.
    Loopback,
    /// A mount: `EPERM` (not allowed in this container), `ENOENT` (no [`crate::confine::prepare`]),
    /// `ENOTDIR`, `EROFS` (no place for it in what is shown), `ENODEV` (no such file system),
    /// `EINVAL` (nothing to copy, or the root can't be changed).
    Mount,
    /// A keyring: `EPERM`, `EDQUOT`.
    Keyring,
    /// Making the Landlock ruleset: `ENOSYS`, `EOPNOTSUPP` (there is none), `EINVAL` (a right that the
    /// kernel lacks).
    Ruleset,
    /// The working directory.
    Directory,
    /// Resource limits.
    Limits,
    /// Dropping capabilities.
    Capabilities,
    /// The groups.
    Groups,
    /// The user.
    User,
    /// `no_new_privs`.
    NoNewPrivileges,
    /// No memory that is written and executed: `EINVAL` (the kernel is older than 6.3).
    WriteExecute,
    /// Putting on Landlock: `EPERM` (`no_new_privileges` is off), `E2BIG` (16 hold already).
    Landlock,
    /// Putting on the filter: `EACCES` (`no_new_privileges` is off), `EINVAL` (no valid program),
    /// `ENOMEM`.
    Filter,
    /// Executing the program.
    Exec,
}

const STEPS: [(Step, &str); 20] = [
    (Step::Clone, "make a process"),
    (Step::Namespaces, "make its namespaces"),
    (Step::Loopback, "bring its loopback interface up"),
    (Step::Mount, "mount"),
    (Step::Keyring, "join a keyring of its own"),
    (Step::Ruleset, "make its Landlock ruleset"),
    (Step::WriteExecute, "forbid executable memory that was written"),
    (Step::Landlock, "put on Landlock"),
    (Step::Filter, "put on the filter of system calls"),
    (Step::Signals, "reset the signals"),
    (Step::Session, "make a session"),
    (Step::Descriptors, "pass the descriptors"),
    (Step::OomScore, "set the OOM score"),
    (Step::Directory, "change the directory"),
    (Step::Limits, "set the limits"),
    (Step::Capabilities, "drop the capabilities"),
    (Step::Groups, "set the groups"),
    (Step::User, "change the user"),
    (Step::NoNewPrivileges, "set no_new_privs"),
    (Step::Exec, "execute the program"),
];

/// Which step failed and why.
#[derive(Debug)]
pub struct SpawnError {
    /// Which one.
    pub step: Step,
    /// What it was about, where a step has several parts: `hide /etc/wifi`.
    pub what: Option<String>,
    /// Why.
    pub error: io::Error,
}

impl fmt::Display for SpawnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let step = STEPS.iter().find(|(step, _)| *step == self.step).map_or("", |(_, w)| w);
        match &self.what {
            Some(what) => write!(f, "{what}: {}", self.error),
            None => write!(f, "{step}: {}", self.error),
        }
    }
}

impl std::error::Error for SpawnError {}

/// All that the child reads, and the state that it writes when a step fails.
struct Shared<'a> {
    launch: &'a Launch,
    confine: Option<&'a Confine>,
    arguments: *const *const c_char,
    environment: *const *const c_char,
    /// Descriptors for 0, 1, 2, 3 …, in this order: those of the program, then those made ahead.
    fds: &'a [RawFd],
    /// How many are the program's.
    passed: usize,
    ready: &'a Ready,
    own_pids: [*mut OwnPid; 3],
    state: &'a State,
}

/// A variable with the child's own process id, which only it knows: name, `=`, room for the number.
#[repr(C)]
struct OwnPid {
    text: [u8; 24],
    number_at: usize,
}

impl OwnPid {
    fn new(name: &[u8]) -> Self {
        let mut text = [0; 24];
        text.iter_mut().zip(name).for_each(|(to, from)| *to = *from);
        Self { text, number_at: name.len() }
    }
}

/// Starts it as a child of our parent, and gives its process id.
///
/// # Errors
/// - [`Step::Clone`]: `EAGAIN` (`pids` limit, ours or the cgroup's), `ENOMEM`: trying again later
///   may help. `EBUSY`, `EOPNOTSUPP`, `EACCES`: the cgroup cannot take processes.
/// - Every other step: the service's own fault (`ENOENT`, `EACCES`, `ENOEXEC` of the program or
///   directory), or a right that we lack (`EPERM`).
pub fn spawn(launch: &Launch, passed: &Passed<'_>) -> Result<i32, SpawnError> {
    enter(launch, passed, &Ready::default())
}

/// The same with what was made ahead, if that is for this launch.
///
/// # Errors
/// As [`spawn`].
pub fn spawn_with(launch: &Launch, passed: &Passed<'_>, ready: Ready) -> Result<i32, SpawnError> {
    let is_for = ready.is_for(launch.confine.as_ref());
    enter(launch, passed, &if is_for { ready } else { Ready::default() })
}

fn enter(launch: &Launch, passed: &Passed<'_>, ready: &Ready) -> Result<i32, SpawnError> {
    let fail =
        |step, errno| SpawnError { step, what: None, error: io::Error::from_raw_os_error(errno) };
    if passed.fds.len() > MAX_FDS {
        return Err(fail(Step::Descriptors, libc::E2BIG));
    }
    let confine = launch.confine.as_deref();
    let copy = confine.is_some_and(|confine| confine.no_write_execute);
    let place = Place::new(copy).map_err(|errno| fail(Step::Clone, errno))?;
    let names = [&b"LISTEN_PID="[..], b"WATCHDOG_PID=", b"ENSEMBLE_PID="];
    let mut own_pids = names.map(OwnPid::new);
    let own_pids = own_pids.each_mut().map(|own| &raw mut *own);
    let mut environment: Vec<*const c_char> = pointers(&launch.environment);
    let wanted = [!passed.fds.is_empty(), launch.watchdog, launch.starter];
    for (own, _) in own_pids.iter().zip(wanted).filter(|(_, wanted)| *wanted) {
        environment.insert(0, own.cast::<c_char>().cast_const());
    }
    let arguments = pointers(&launch.arguments);
    let fds = passed.standard.iter().chain(passed.fds).map(AsRawFd::as_raw_fd);
    let fds: Vec<RawFd> = fds.chain(ready.fds()).collect();
    let shared = Shared {
        launch,
        confine,
        arguments: arguments.as_ptr(),
        environment: environment.as_ptr(),
        fds: &fds,
        passed: passed.standard.len() + passed.fds.len(),
        ready,
        own_pids,
        state: place.state(),
    };
    let namespaces = confine.map_or(0, |confine| confine.namespaces);
    let namespaces = namespaces & !ready.flags();
    let (cgroup, note) = (passed.cgroup, passed.note);
    let origin = Origin { cgroup, namespaces, copy, note, helper: false };
    let pid = clone::beside(origin, child::main, &shared).map_err(|errno| {
        let namespaced = namespaces != 0 && OF_NAMESPACES.contains(&errno);
        fail(if namespaced { Step::Namespaces } else { Step::Clone }, errno)
    })?;
    place.state().failed(confine).map_or(Ok(pid), Err)
}

/// What a clone gives for its namespaces.
const OF_NAMESPACES: [i32; 4] = [libc::EPERM, libc::ENOSPC, libc::EUSERS, libc::EINVAL];

#[expect(clippy::as_conversions, reason = "the number of a field-less variant, given by repr(u32)")]
fn step_code(step: Step) -> u32 {
    step as u32
}

fn step_of(code: u32) -> Step {
    let step = STEPS.iter().map(|(step, _)| *step).find(|step| step_code(*step) == code);
    step.unwrap_or(Step::Clone)
}

/// As C wants it: pointers, then null.
fn pointers(strings: &[CString]) -> Vec<*const c_char> {
    strings.iter().map(|s| CStr::as_ptr(s)).chain([std::ptr::null()]).collect()
}
