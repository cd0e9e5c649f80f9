//! What takes longest of a start, made before it: an empty network, mounts in their namespace, the Landlock
//! ruleset.
//!
//! ```text
//! make ─► helper: our memory and descriptors, its own namespaces ─► the same steps as a child takes ─► it ends
//!              └► descriptors of what it leaves, and what was at every path it went by
//! spawn ─ same mounts, and the same at every path? ─ no ──► let go of; the child makes its own
//!           └ yes ─ made for this, or for its base? ─ no ─┘
//!                     │            └► the child finds its own trees, enters, attaches them ─┐
//!                     └► the child enters ──────────────────────────────────────────────────┴► nobody else ever does
//! ```
//!
//! An [`EmptyNetwork`] is the same for everybody, so it is made before it is known for whom; the mounts and
//! the ruleset of an [`Ahead`] are those of one [`Confine`], or of all that go beyond it ([`Confine::base`]): a
//! start adds its own trees and rules to what is made. Invariant: each is for one start, and that start
//! finds what it would have made itself at that moment. So two starts have nothing in common that they would
//! not have without it, whatever they add: nothing is a copy of what another has. No process waits for it: it
//! costs some memory of the kernel, and goes with us.

#![expect(unsafe_code, reason = "descriptors that a helper leaves in our table")]

mod seen;
mod table;

use std::ffi::CStr;
use std::io;
use std::mem::forget;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use nix::errno::Errno;
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;

use super::child::{Failed, step};
use super::clone::{self, Origin};
use super::state::State;
use super::{SpawnError, Step, bare, confined, landlock, mounts, step_code};
use crate::confine::{Confine, Own};
use seen::Seen;
use table::Table;

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

/// A network in which there is nothing but a loopback interface.
#[derive(Debug)]
pub struct EmptyNetwork(OwnedFd);

impl EmptyNetwork {
    /// Makes it.
    ///
    /// # Errors
    /// As of [`super::spawn()`].
    pub fn make() -> Result<Self, SpawnError> {
        let [network, ..] = helper(&Confine::default(), clone::NEW_NETWORK)?;
        let none = || failed(Step::Namespaces, io::Error::from_raw_os_error(libc::EBADF));
        network.map(Self).ok_or_else(none)
    }

    /// Whether a start confined so has one.
    #[must_use]
    pub fn is_for(confine: &Confine) -> bool {
        confine.namespaces & clone::NEW_NETWORK != 0
    }
}

/// Mounts and rights that were made for the next start of something confined by this, or beyond this.
#[derive(Debug)]
pub struct Ahead {
    confine: Arc<Confine>,
    namespaces: Vec<(u64, OwnedFd)>,
    ruleset: Option<OwnedFd>,
    table: Table,
    seen: Vec<Seen>,
}

impl Ahead {
    /// Makes it; `None` if there is nothing to be made ahead. Takes about as long as a start.
    ///
    /// # Errors
    /// As of [`super::spawn()`]; and `EAGAIN`: something changed meanwhile.
    pub fn make(confine: &Arc<Confine>) -> Result<Option<Self>, SpawnError> {
        let wanted = (NEW_IPC | NEW_MOUNTS) & confine.namespaces;
        if wanted & NEW_MOUNTS == 0 || seen::changes(confine) {
            return Ok(None);
        }
        let io = |error| failed(Step::Mount, error);
        let table = Table::of(confine).map_err(io)?;
        let seen = seen::look(confine).map_err(io)?;
        let [_, ipc, mounts, ruleset] = helper(confine, wanted)?;
        let made = [(NEW_IPC, ipc), (NEW_MOUNTS, mounts)];
        let namespaces = made.into_iter().filter_map(|(flag, fd)| Some((flag, fd?))).collect();
        let ahead = Self { confine: Arc::clone(confine), namespaces, ruleset, table, seen };
        if !ahead.table.rests() || !ahead.holds() {
            return Err(io(io::Error::from_raw_os_error(libc::EAGAIN)));
        }
        Ok(Some(ahead))
    }

    /// What a start confined so adds; `None` if it is not for that.
    fn serves(&self, confine: &Arc<Confine>) -> Option<Added> {
        if Arc::ptr_eq(&self.confine, confine) && !confine.is_open() {
            return Some(Added::Nothing);
        }
        confine.beyond(&self.confine).map(Added::Own)
    }

    /// Whether it is what would be made now: the same is mounted that it was made of, and the same is at every
    /// path.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.table.holds() && self.seen.iter().all(Seen::holds)
    }
}

/// What a start adds to what was made.
#[derive(Debug)]
enum Added {
    /// It was made for it.
    Nothing,
    /// It was made for its base.
    Own(Own),
}

/// What there is for one start that was made before it.
#[derive(Debug, Default)]
pub struct Ready {
    confine: Option<Arc<Confine>>,
    ahead: Option<(Ahead, Added)>,
    network: Option<EmptyNetwork>,
}

impl Ready {
    /// Nothing yet, for a start that is confined so.
    #[must_use]
    pub fn new(confine: &Arc<Confine>) -> Self {
        Self { confine: Some(Arc::clone(confine)), ..Self::default() }
    }

    /// Takes mounts and rights if it has none, if these are for it, or for its base, and are still what it would
    /// make. Whether it has some now.
    pub fn take(&mut self, ahead: Ahead) -> bool {
        let added = self.confine.as_ref().filter(|_| self.ahead.is_none());
        let added = added.and_then(|confine| ahead.serves(confine));
        if let Some(added) = added
            && ahead.holds()
        {
            self.ahead = Some((ahead, added));
        }
        self.has_mounts()
    }

    /// Takes a network if it is to have an empty one.
    pub fn take_network(&mut self, network: EmptyNetwork) {
        let wanted = self.confine.as_deref().is_some_and(EmptyNetwork::is_for);
        self.network = Some(network).filter(|_| wanted);
    }

    /// Whether it has mounts and rights.
    #[must_use]
    pub fn has_mounts(&self) -> bool {
        self.ahead.is_some()
    }

    /// Whether it has a network.
    #[must_use]
    pub fn has_network(&self) -> bool {
        self.network.is_some()
    }

    /// Whether it was made ready for a start that is confined so.
    pub(super) fn is_for(&self, confine: Option<&Arc<Confine>>) -> bool {
        self.confine.as_ref().zip(confine).is_some_and(|(ours, its)| Arc::ptr_eq(ours, its))
    }

    /// Flags of the namespaces that a child enters instead of making them.
    pub(super) fn flags(&self) -> u64 {
        self.namespaces().fold(0, |all, (flag, _)| all | flag)
    }

    /// The same one by one, in the order of [`Ready::fds`].
    pub(super) fn kinds(&self) -> impl Iterator<Item = u64> {
        self.namespaces().map(|(flag, _)| flag)
    }

    /// What a child is passed: its namespaces, then the ruleset.
    pub(super) fn fds(&self) -> impl Iterator<Item = RawFd> {
        self.namespaces().map(|(_, fd)| fd).chain(self.ruleset()).map(AsRawFd::as_raw_fd)
    }

    /// What it adds, if it was made for its base.
    pub(super) fn own(&self) -> Option<&Own> {
        match &self.ahead {
            Some((_, Added::Own(own))) => Some(own),
            _ => None,
        }
    }

    pub(super) fn has_ruleset(&self) -> bool {
        self.ruleset().is_some()
    }

    fn ruleset(&self) -> Option<&OwnedFd> {
        let (ahead, added) = self.ahead.as_ref()?;
        match added {
            Added::Own(Own { rules: None, .. }) => None,
            _ => ahead.ruleset.as_ref(),
        }
    }

    fn namespaces(&self) -> impl Iterator<Item = (u64, &OwnedFd)> {
        let network = self.network.iter().map(|network| (clone::NEW_NETWORK, &network.0));
        let ahead = self.ahead.iter().flat_map(|(ahead, _)| &ahead.namespaces);
        network.chain(ahead.map(|(flag, fd)| (*flag, fd)))
    }
}

fn failed(step: Step, error: io::Error) -> SpawnError {
    SpawnError { step, what: None, error }
}

/// All that the helper reads, and where it leaves the descriptors that it made; -1 is none.
struct Making<'a> {
    confine: &'a Confine,
    wanted: u64,
    made: [AtomicI32; MAX],
    state: &'a State,
}

fn helper(confine: &Confine, wanted: u64) -> Result<[Option<OwnedFd>; MAX], SpawnError> {
    let fail = |step, errno| failed(step, io::Error::from_raw_os_error(errno));
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
