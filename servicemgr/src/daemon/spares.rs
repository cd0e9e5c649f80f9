//! What the next starts will need of networks, mounts and rights, made while nothing else is to do.
//!
//! ```text
//! armed, off ────────────► expected ─┐
//! start ─► second time ─► again ─────┴► wanted ─ no start for a while ─► made ─► next start
//!                                          └ one of them has an empty network ─► networks, for whoever is next
//! ```
//!
//! Who starts once at boot never needs it, so nothing is made for that. Invariant: at most [`MOST`] and
//! [`NETWORKS`] are kept, each is for one start, and whether it still holds is asked when it is used
//! (`sys::spawn`).

use std::sync::Arc;
use std::time::Duration;

use model::service::Service;
use sys::confine::Confine;
use sys::spawn::{Ahead, EmptyNetwork, Launch, Passed, Ready, SpawnError, spawn, spawn_with};

use super::Daemon;
use super::launcher::Launcher;

/// Most confinements whose mounts are made ahead: each costs the kernel 32 KiB, and us four descriptors.
const MOST: usize = 8;

/// Most networks that are kept: each costs the kernel 170 KiB.
const NETWORKS: usize = 2;

/// Most confinements of which it is known that they started: more than are started again and again.
const MOST_KNOWN: usize = 32;

/// Without a start for so long, there is time: making one takes about as long as a start.
const REST: Duration = Duration::from_millis(500);

/// All of them, the newest first.
#[derive(Debug, Default)]
pub(super) struct Spares {
    all: Vec<Spare>,
    networks: Vec<EmptyNetwork>,
    /// A network could not be made.
    no_networks: bool,
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
    ahead: Option<Ahead>,
    /// It did not work, or there is nothing to make: not tried until it starts again.
    vain: bool,
}

impl Spare {
    fn new(confine: &Arc<Confine>) -> Self {
        let confine = Arc::clone(confine);
        let [started, again, expected, vain] = [false; 4];
        Self { confine, started, again, expected, ahead: None, vain }
    }

    fn hoped(&self) -> bool {
        self.again || self.expected
    }

    fn wanted(&self) -> bool {
        !self.vain && self.ahead.is_none()
    }
}

impl Spares {
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
        let Some(confine) = launch.confine.as_ref().filter(|_| main) else {
            return spawn(launch, passed);
        };
        let ready = self.take(confine);
        self.started(confine);
        spawn_with(launch, passed, ready)
    }

    /// What was made for a start of this.
    fn take(&mut self, confine: &Arc<Confine>) -> Ready {
        let known = self.all.iter_mut().find(|spare| Arc::ptr_eq(&spare.confine, confine));
        let ahead = known.and_then(|spare| spare.ahead.take());
        let network = EmptyNetwork::is_for(confine).then(|| self.networks.pop());
        Ready { ahead, network: network.flatten() }
    }

    /// It was started: so it may be again.
    fn started(&mut self, confine: &Arc<Confine>) {
        self.due = None;
        let known = self.forget(confine);
        let mut spare = known.unwrap_or_else(|| Spare::new(confine));
        self.changed |= spare.expected;
        (spare.again, spare.started, spare.vain) = (spare.started, true, false);
        self.all.insert(0, spare);
        self.trim();
    }

    fn forget(&mut self, confine: &Arc<Confine>) -> Option<Spare> {
        let at = self.all.iter().position(|spare| Arc::ptr_eq(&spare.confine, confine))?;
        Some(self.all.remove(at))
    }

    /// Services were armed, or are no longer: it is looked which are when there is time.
    pub(super) fn arms(&mut self) {
        self.changed = true;
    }

    /// These are expected to start, and no others: those that are armed.
    fn expect(&mut self, all: &[Arc<Confine>]) {
        (self.changed, self.no_networks) = (false, false);
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
        if !self.hopes().any(|spare| EmptyNetwork::is_for(&spare.confine)) {
            self.networks.clear();
        }
    }

    /// How long until there is time for what is wanted.
    pub(super) fn wait(&mut self, now: Duration) -> Option<Duration> {
        if !self.changed && !self.lacks_network() && !self.hopes().any(Spare::wanted) {
            return None;
        }
        let due = *self.due.get_or_insert(now + REST);
        Some(due.saturating_sub(now))
    }

    /// Makes one; the network first, which most can use.
    pub(super) fn make(&mut self) {
        (self.due, self.changed) = (None, false);
        let failed = |e| log::debug!("nothing is made ahead of the next start: could not {e}");
        if self.lacks_network() {
            let made = EmptyNetwork::make().map_err(failed).ok();
            self.no_networks = made.is_none();
            self.networks.extend(made);
            return;
        }
        let mut hopes = self.all.iter_mut().filter(|spare| spare.hoped()).take(MOST);
        let Some(spare) = hopes.find(|spare| spare.wanted()) else { return };
        spare.ahead = Ahead::make(&spare.confine).unwrap_or_else(|e| {
            failed(e);
            None
        });
        spare.vain = spare.ahead.is_none();
    }

    fn lacks_network(&self) -> bool {
        let wants = || self.hopes().any(|spare| EmptyNetwork::is_for(&spare.confine));
        !self.no_networks && self.networks.len() < NETWORKS && wants()
    }

    /// Those for which something is made.
    fn hopes(&self) -> impl Iterator<Item = &Spare> {
        self.all.iter().filter(|spare| spare.hoped()).take(MOST)
    }
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
        }
        self.launcher.spares.make();
    }
}

/// What will confine a service, if that is known. Why one can't start is told when it does.
fn confines(launcher: &mut Launcher, service: &Service) -> Option<Arc<Confine>> {
    let shared = launcher.sandboxes.of(service).ok()??;
    let uid = launcher.ids(service).map_or(0, |(uid, _)| uid);
    Some(if uid == 0 { shared } else { launcher.sandboxes.of_user(service, shared, uid) })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `CLONE_NEWNET`.
    const NETWORK: u64 = 0x4000_0000;

    fn at(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    fn with_network() -> Arc<Confine> {
        Arc::new(Confine { namespaces: NETWORK, ..Confine::default() })
    }

    #[test]
    fn for_what_started_once_nothing_is_made_and_for_what_started_twice_only_when_nothing_starts() {
        let (mut all, [a, b]) = (Spares::default(), [(); 2].map(|()| Arc::default()));
        all.started(&a);
        assert_eq!(all.wait(at(0)), None);
        all.started(&a);
        assert_eq!(all.wait(at(100)), Some(REST));
        assert_eq!(all.wait(at(400)), Some(at(200)));
        all.started(&b);
        assert_eq!(all.wait(at(450)), Some(REST), "another start puts it off");
    }

    #[test]
    fn what_can_t_be_made_is_not_tried_again_before_it_starts_again() {
        let (mut all, a) = (Spares::default(), Arc::default());
        all.started(&a);
        all.started(&a);
        all.make();
        assert_eq!(all.wait(at(0)), None, "a confinement of nothing needs nothing ahead");
        assert!(all.take(&a).ahead.is_none());
        all.started(&a);
        assert!(all.wait(at(0)).is_some());
    }

    #[test]
    fn nothing_is_wanted_for_any_but_the_newest() {
        let (mut all, every) = (Spares::default(), [(); 40].map(|()| Arc::default()));
        every.iter().chain(&every[20..]).for_each(|confine| all.started(confine));
        assert_eq!(all.all.len(), MOST_KNOWN);
        (0..=MOST).for_each(|_| all.make());
        assert_eq!(all.wait(at(0)), None);
        assert_eq!(all.all.iter().filter(|spare| spare.vain).count(), MOST);
    }

    #[test]
    fn what_is_armed_is_expected_before_its_first_start_and_not_while_it_runs() {
        let (mut all, a, b) = (Spares::default(), Arc::default(), Arc::default());
        all.arms();
        assert_eq!(all.wait(at(0)), Some(REST), "it is looked which are armed");
        all.expect(&[Arc::clone(&a), Arc::clone(&b)]);
        assert!(all.hopes().all(Spare::wanted) && all.hopes().count() == 2);
        (0..2).for_each(|_| all.make());
        assert_eq!(all.wait(at(0)), None);
        all.started(&a);
        assert!(all.changed, "it may be armed no longer");
        all.expect(&[b]);
        assert_eq!(all.hopes().count(), 1, "it started once, and does not wait");
    }

    #[test]
    fn networks_are_made_for_whoever_is_next_and_only_while_somebody_may_want_one() {
        let (mut all, a, b) = (Spares::default(), with_network(), with_network());
        all.expect(&[Arc::clone(&a)]);
        assert!(all.lacks_network());
        all.make();
        let able = !all.no_networks;
        (0..=NETWORKS).for_each(|_| all.make());
        assert_eq!(all.wait(at(0)), None, "made, or not possible on this machine");
        assert_eq!(all.networks.len(), if able { NETWORKS } else { 0 });
        assert_eq!(all.take(&b).network.is_some(), able, "it is for everybody");
        assert!(all.take(&Arc::default()).network.is_none(), "but not for who has another");
        all.expect(&[]);
        assert!(all.networks.is_empty());
    }
}
