//! What takes longest of a start, made before it: namespaces, their mounts, the Landlock ruleset.
//!
//! ```text
//! make ─► helper: our memory and descriptors, its own namespaces ─► the same steps as a child takes ─► it ends
//!              └► descriptors of what it leaves, and what was at every path it went by
//! spawn ─ same mounts, and the same at every path? ─ yes ─► the child enters, and nobody else ever does
//!                                                  └ no ──► let go of; the child makes its own
//! ```
//!
//! Invariant: one [`Ahead`] is for one start, and that start finds what it would have made itself at that
//! moment. No process waits for it: it costs some memory of the kernel, and goes with us.

#![expect(unsafe_code, reason = "descriptors that a helper leaves in our table")]

mod seen;

use std::ffi::CStr;
use std::fs::File;
use std::io;
use std::mem::forget;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;

use super::child::{Failed, step};
use super::clone::{self, Origin};
use super::state::State;
use super::{SpawnError, Step, bare, confined, landlock, mounts, step_code};
use crate::confine::Confine;
use crate::poll::{For, poll};
use seen::Seen;

/// `CLONE_NEWNS`.
pub(super) const NEW_MOUNTS: u64 = 0x0002_0000;

/// `CLONE_NEWIPC`.
const NEW_IPC: u64 = 0x0800_0000;

/// Namespaces that can be made ahead, in the order in which they are entered. A host name is copied when its
/// namespace is made, and a control group is the one a process is in: those are made at the start.
const NAMESPACES: [(u64, &CStr); 3] = [
    (clone::NEW_NETWORK, c"/proc/self/ns/net"),
    (NEW_IPC, c"/proc/self/ns/ipc"),
    (NEW_MOUNTS, c"/proc/self/ns/mnt"),
];

/// Most descriptors that are made ahead: [`NAMESPACES`] and a ruleset.
pub(super) const MAX: usize = NAMESPACES.len() + 1;

/// What was made for the next start of something confined by this.
#[derive(Debug)]
pub struct Ahead {
    confine: Arc<Confine>,
    namespaces: Vec<(u64, OwnedFd)>,
    ruleset: Option<OwnedFd>,
    /// Our table of mounts, which tells when it changes.
    table: File,
    seen: Vec<Seen>,
}

impl Ahead {
    /// Makes it; `None` if there is nothing to be made ahead. Takes about as long as a start.
    ///
    /// # Errors
    /// As of [`super::spawn()`]; and `EAGAIN`: something changed meanwhile.
    pub fn make(confine: &Arc<Confine>) -> Result<Option<Self>, SpawnError> {
        let mut wanted =
            NAMESPACES.iter().fold(0, |all, (flag, _)| all | flag) & confine.namespaces;
        if seen::changes(confine) {
            wanted &= !NEW_MOUNTS;
        }
        if wanted & (clone::NEW_NETWORK | NEW_MOUNTS) == 0 {
            return Ok(None);
        }
        let io = |error| SpawnError { step: Step::Mount, what: None, error };
        let table = File::open("/proc/self/mountinfo").map_err(io)?;
        let mounts = wanted & NEW_MOUNTS != 0;
        let seen = if mounts { seen::look(confine).map_err(io)? } else { Vec::new() };
        let [network, ipc, mounts, ruleset] = helper(confine, wanted)?;
        let kinds = NAMESPACES.iter().map(|(flag, _)| *flag);
        let of = |(flag, fd): (u64, Option<OwnedFd>)| Some((flag, fd?));
        let ahead = Self {
            confine: Arc::clone(confine),
            namespaces: kinds.zip([network, ipc, mounts]).filter_map(of).collect(),
            ruleset,
            table,
            seen,
        };
        if !ahead.holds() {
            return Err(io(io::Error::from_raw_os_error(libc::EAGAIN)));
        }
        Ok(Some(ahead))
    }

    /// For whom it was made.
    #[must_use]
    pub fn is_for(&self, confine: &Arc<Confine>) -> bool {
        Arc::ptr_eq(&self.confine, confine)
    }

    /// Whether it is what would be made now: the same is mounted, and the same is at every path.
    #[must_use]
    pub fn holds(&self) -> bool {
        if self.seen.is_empty() {
            return true;
        }
        let table = poll(&[(self.table.as_fd(), For::Hangup)], Some(Duration::ZERO));
        let unchanged = table.is_ok_and(|ready| ready.iter().all(|table| !table.hangup));
        unchanged && self.seen.iter().all(Seen::holds)
    }

    /// Flags of the namespaces that a child enters instead of making them.
    pub(super) fn flags(&self) -> u64 {
        self.namespaces.iter().fold(0, |all, (flag, _)| all | flag)
    }

    /// The same one by one, in the order of [`Ahead::fds`].
    pub(super) fn kinds(&self) -> impl Iterator<Item = u64> {
        self.namespaces.iter().map(|(flag, _)| *flag)
    }

    /// What a child is passed: its namespaces, then the ruleset.
    pub(super) fn fds(&self) -> impl Iterator<Item = RawFd> {
        self.namespaces.iter().map(|(_, fd)| fd).chain(&self.ruleset).map(AsRawFd::as_raw_fd)
    }

    pub(super) fn has_ruleset(&self) -> bool {
        self.ruleset.is_some()
    }
}

/// All that the helper reads, and where it leaves the descriptors that it made; -1 is none.
struct Making<'a> {
    confine: &'a Confine,
    wanted: u64,
    made: [AtomicI32; MAX],
    state: &'a State,
}

fn helper(confine: &Confine, wanted: u64) -> Result<[Option<OwnedFd>; MAX], SpawnError> {
    let fail =
        |step, errno| SpawnError { step, what: None, error: io::Error::from_raw_os_error(errno) };
    let state = State::default();
    let made = [const { AtomicI32::new(-1) }; MAX];
    let making = Making { confine, wanted, made, state: &state };
    let origin = Origin { namespaces: wanted, helper: true, ..Origin::default() };
    let pid =
        clone::beside(origin, main, &making).map_err(|errno| fail(Step::Namespaces, errno))?;
    // It has ended, and nobody else waits for it.
    while waitpid(Pid::from_raw(pid), Some(WaitPidFlag::__WALL)) == Err(Errno::EINTR) {}
    match state.failed(Some(confine)) {
        Some(error) => Err(error),
        None => Ok(making.made.each_ref().map(taken)),
    }
}

fn taken(made: &AtomicI32) -> Option<OwnedFd> {
    let number = made.load(Ordering::Acquire);
    // SAFETY: the helper made this descriptor in our table, left it open, and has ended.
    (number >= 0).then(|| unsafe { OwnedFd::from_raw_fd(number) })
}

/// What the helper does, in our memory, with our descriptors, on its own stack.
extern "C" fn main(making: &Making<'_>) -> ! {
    if let Err((step, errno)) = prepare(making) {
        making.state.fail(step_code(step), errno);
    }
    bare::end()
}

fn prepare(making: &Making<'_>) -> Result<(), Failed> {
    let confine = making.confine;
    let mut kept = [const { None }; MAX];
    // First, because afterwards there may be no `/proc`.
    for (place, (flag, path)) in kept.iter_mut().zip(NAMESPACES) {
        if making.wanted & flag != 0 {
            *place = Some(step(Step::Namespaces, bare::open_file(path))?);
        }
    }
    if making.wanted & clone::NEW_NETWORK != 0 {
        step(Step::Loopback, confined::loopback())?;
    }
    if making.wanted & NEW_MOUNTS != 0 {
        bare::usual_modes();
        step(Step::Mount, mounts::apply(&confine.mounts, &making.state.at))?;
        let ruleset = confine.ruleset.as_ref();
        let ruleset = ruleset.map(|all| landlock::make(all, &making.state.at)).transpose();
        if let Some(place) = kept.last_mut() {
            *place = step(Step::Ruleset, ruleset)?;
        }
    }
    for (place, fd) in making.made.iter().zip(kept) {
        let Some(fd) = fd else { continue };
        place.store(fd.number(), Ordering::Release);
        // It stays open: the table is ours.
        forget(fd);
    }
    Ok(())
}
