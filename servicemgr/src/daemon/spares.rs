//! What the next starts will need of networks, mounts and rights, made while nothing else is to do.
//!
//! ```text
//! armed, off ────────────► expected ─┐
//! prepared ──────────────► foreseen ─┤
//! start ─► second time ─► again ─────┴► wanted ─ no start for a while ─► made ─► next start of it
//!
//! some profile has an empty network ──────────────────────────────► networks ─► whoever is next
//! off, or started once the device is up ─ lists its files ─► a base ─► views ─► whoever is next beyond it
//! ```
//!
//! The second picture is for what nobody foresees: an app that never ran finds a network and a view in which
//! only its own trees are missing. Who started with the device and runs is not expected to start, and where no
//! profile asks for either, nothing is made. Invariant: at most [`MOST`],
//! [`NETWORKS`] and what [`bases`] allows are kept, each is for one start, and whether it still holds is asked
//! when it is used (`sys::spawn`).

mod bases;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use model::service::Service;
use sys::confine::Confine;
use sys::spawn::{Ahead, EmptyNetwork, Launch, Passed, Ready, SpawnError, spawn, spawn_with};

use super::Daemon;
use super::launcher::Launcher;
use crate::engine::State;
use bases::Bases;

/// Most confinements whose mounts are made ahead: each costs the kernel 118 KiB, and us four descriptors.
const MOST: usize = 8;

/// Most networks that are kept: each costs the kernel 185 KiB.
const NETWORKS: usize = 2;

/// Most confinements of which it is known that they started: more than are started again and again.
const MOST_KNOWN: usize = 32;

/// Without a start for so long, there is time: making one takes about as long as a start.
const REST: Duration = Duration::from_millis(500);

/// All of them, the newest first.
#[derive(Debug, Default)]
pub(super) struct Spares {
    all: Vec<Spare>,
    bases: Bases,
    networks: Vec<EmptyNetwork>,
    /// Some profile has an empty network.
    wants_network: bool,
    /// A network could not be made.
    no_networks: bool,
    /// How many profiles there were when it was looked at them; not yet while the device starts.
    profiles: Option<usize>,
    /// Services were armed or started since it was looked which are.
    changed: bool,
    /// When there is time, if something is wanted.
    due: Option<Duration>,
}

#[derive(Debug)]
struct Spare {
    confine: Arc<Confine>,
    started: bool,
    again: bool,
    /// A service that is armed waits for its start.
    expected: bool,
    /// Somebody said that it will be started, and it was not yet.
    foreseen: bool,
    ahead: Option<Ahead>,
    /// It did not work, or there is nothing to make: not tried until it starts again.
    vain: bool,
}

impl Spare {
    fn new(confine: &Arc<Confine>) -> Self {
        let confine = Arc::clone(confine);
        let [started, again, expected, foreseen, vain] = [false; 5];
        Self { confine, started, again, expected, foreseen, ahead: None, vain }
    }

    fn hoped(&self) -> bool {
        self.again || self.expected || self.foreseen
    }

    fn wanted(&self) -> bool {
        !self.vain && self.ahead.is_none()
    }
}

impl Spares {
    /// None, for a start: which profiles there are is looked at when there is time.
    pub(super) fn new() -> Self {
        Self { changed: true, ..Self::default() }
    }

    /// Starts it with what was made ahead; a command is in no hurry.
    ///
    /// # Errors
    /// As of [`spawn`].
    pub(super) fn spawn(
        &mut self,
        launch: &Launch,
        passed: &Passed<'_>,
        main: bool,
    ) -> Result<i32, SpawnError> {
        self.due = None;
        let Some(confine) = launch.confine.as_ref().filter(|_| main) else {
            return spawn(launch, passed);
        };
        let ready = self.take(confine);
        let pid = spawn_with(launch, passed, ready);
        self.started(confine);
        pid
    }

    /// What was made for a start of this, or for whoever is next.
    fn take(&mut self, confine: &Arc<Confine>) -> Ready {
        let mut ready = Ready::new(confine);
        let known = self.all.iter_mut().find(|spare| Arc::ptr_eq(&spare.confine, confine));
        let own = known.and_then(|spare| spare.ahead.take());
        let mut views = own.into_iter().chain(self.bases.views(confine));
        views.find_map(|view| ready.take(view).then_some(()));
        if EmptyNetwork::is_for(confine)
            && let Some(network) = self.networks.pop()
        {
            ready.take_network(network);
        }
        ready
    }

    /// It was started: so it may be again.
    fn started(&mut self, confine: &Arc<Confine>) {
        self.due = None;
        let known = self.forget(confine);
        self.wants_network |= EmptyNetwork::is_for(confine);
        if known.is_none() && self.profiles.is_some() {
            self.bases.learn(confine);
        }
        let mut spare = known.unwrap_or_else(|| Spare::new(confine));
        self.changed |= spare.expected;
        (spare.again, spare.started, spare.vain) = (spare.started, true, false);
        spare.foreseen = false;
        self.all.insert(0, spare);
        self.trim();
    }

    /// It will be started, sooner or later; others of whom that was said before are more likely.
    pub(super) fn foresee(&mut self, confine: &Arc<Confine>) {
        self.wants_network |= EmptyNetwork::is_for(confine);
        self.bases.learn(confine);
        if !self.all.iter().any(|spare| Arc::ptr_eq(&spare.confine, confine)) {
            self.all.push(Spare { foreseen: true, ..Spare::new(confine) });
            self.trim();
        }
    }

    fn forget(&mut self, confine: &Arc<Confine>) -> Option<Spare> {
        let at = self.all.iter().position(|spare| Arc::ptr_eq(&spare.confine, confine))?;
        Some(self.all.remove(at))
    }

    /// Lets go of all that shows something in this tree, which is to be free; who is prepared later, or started again,
    /// has it anew.
    pub(super) fn let_go(&mut self, tree: &[u8]) {
        self.all.retain(|spare| !spare.confine.has_of(tree));
        self.bases.let_go(tree);
    }

    /// Services were armed, or are no longer: it is looked which are when there is time.
    pub(super) fn arms(&mut self) {
        self.changed = true;
    }

    /// These are expected to start, and no others: those that are armed.
    fn expect(&mut self, all: &[Arc<Confine>]) {
        (self.changed, self.no_networks) = (false, false);
        self.bases.check();
        let is_one = |of: &Spare| all.iter().any(|confine| Arc::ptr_eq(confine, &of.confine));
        for spare in &mut self.all {
            spare.expected = is_one(spare);
            // Something may have been mounted since.
            spare.ahead = spare.ahead.take().filter(Ahead::holds);
        }
        for confine in all {
            if !self.all.iter().any(|spare| Arc::ptr_eq(&spare.confine, confine)) {
                self.all.insert(0, Spare { expected: true, ..Spare::new(confine) });
            }
        }
        self.trim();
    }

    /// Lets go of what is too much, or for nobody.
    fn trim(&mut self) {
        self.all.truncate(MOST_KNOWN);
        let mut left = MOST;
        for spare in &mut self.all {
            if spare.hoped() && left > 0 {
                left -= 1;
            } else {
                spare.ahead = None;
            }
        }
    }

    /// How long until there is time for what is wanted.
    pub(super) fn wait(&mut self, now: Duration) -> Option<Duration> {
        let lacks = self.lacks_network() || self.bases.lacks();
        if !self.changed && !lacks && !self.hopes().any(Spare::wanted) {
            return None;
        }
        let due = *self.due.get_or_insert(now + REST);
        Some(due.saturating_sub(now))
    }

    /// Makes one; the network first, which most can use, and last what may be for nobody.
    pub(super) fn make(&mut self) {
        (self.due, self.changed) = (None, false);
        if self.lacks_network() {
            let made = EmptyNetwork::make().map_err(not_made).ok();
            self.no_networks = made.is_none();
            self.networks.extend(made);
            return;
        }
        let mut hopes = self.all.iter_mut().filter(|spare| spare.hoped()).take(MOST);
        let Some(spare) = hopes.find(|spare| spare.wanted()) else { return self.bases.make() };
        spare.ahead = make(&spare.confine);
        spare.vain = spare.ahead.is_none();
    }

    fn lacks_network(&self) -> bool {
        self.wants_network && !self.no_networks && self.networks.len() < NETWORKS
    }

    /// Those for which something is made.
    fn hopes(&self) -> impl Iterator<Item = &Spare> {
        self.all.iter().filter(|spare| spare.hoped()).take(MOST)
    }
}

/// Mounts and rights; `None` if they can't be made.
fn make(confine: &Arc<Confine>) -> Option<Ahead> {
    Ahead::make(confine).map_err(not_made).ok().flatten()
}

fn not_made(why: SpawnError) {
    log::debug!("nothing is made ahead of the next start: could not {why}");
}

impl Daemon {
    /// Nothing else is to do: makes something for the next starts.
    pub(super) fn make_ahead(&mut self) {
        if self.launcher.spares.changed {
            let armed = (0..self.plan.services.len()).filter(|id| self.waits_armed(*id));
            let armed: Vec<_> = armed.take(MOST).collect();
            let services = armed.into_iter().filter_map(|id| self.plan.services.get(id));
            let all: Vec<_> = services.filter_map(|s| confines(&mut self.launcher, s)).collect();
            self.launcher.spares.expect(&all);
            self.look_at_profiles();
        }
        self.launcher.spares.make();
    }

    /// What may be needed at a start that nobody foresees: of whom runs already, none is expected.
    fn look_at_profiles(&mut self) {
        let Launcher { sandboxes, spares, .. } = &mut self.launcher;
        if spares.profiles == Some(sandboxes.count()) {
            return;
        }
        spares.profiles = Some(sandboxes.count());
        spares.wants_network |= sandboxes.want_network();
        let engine = &self.engine;
        let off = |id| matches!(engine.state(id), State::Off | State::Failed | State::Done);
        let services = self.plan.services.iter().enumerate().filter(|(id, _)| off(*id));
        let profiles = services.map(|(_, service)| &*service.sandbox).filter(|p| p.confines());
        sandboxes.each(profiles, |confine| spares.bases.learn(confine));
    }
}

/// What will confine a service, if that is known. Why one can't start is told when it does.
pub(super) fn confines(launcher: &mut Launcher, service: &Service) -> Option<Arc<Confine>> {
    let shared = launcher.sandboxes.of(service).ok()??;
    let uid = launcher.ids(service).map_or(0, |(uid, _)| uid);
    Some(if uid == 0 { shared } else { launcher.sandboxes.of_user(service, shared, uid) })
}
