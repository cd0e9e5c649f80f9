//! What the next starts will need of namespaces and mounts, made while nothing else is to do.
//!
//! ```text
//! start ─► the confinement is the newest ─ second time ─► wanted ─ no start for a while ─► made ─► next start
//! ```
//!
//! Who starts once at boot never needs it, so nothing is made for that. Invariant: at most [`MOST`] are kept,
//! each is for one start, and whether it still holds is asked when it is used (`sys::spawn`).

use std::sync::Arc;
use std::time::Duration;

use sys::confine::Confine;
use sys::spawn::{Ahead, Launch, Passed, SpawnError, spawn, spawn_with};

/// Most that are kept at once: each costs the kernel some memory, and us some descriptors.
const MOST: usize = 2;

/// Most confinements of which it is known that they started: more than are started again and again.
const MOST_KNOWN: usize = 32;

/// Without a start for so long, there is time: making one takes about as long as a start.
const REST: Duration = Duration::from_millis(500);

/// All of them, the newest first.
#[derive(Debug, Default)]
pub(super) struct Spares {
    all: Vec<Spare>,
    /// When there is time, if something is wanted.
    due: Option<Duration>,
}

#[derive(Debug)]
struct Spare {
    confine: Arc<Confine>,
    again: bool,
    ahead: Option<Ahead>,
    /// It did not work, or there is nothing to make: not tried until it starts again.
    vain: bool,
}

impl Spare {
    fn wanted(&self) -> bool {
        self.again && !self.vain && self.ahead.is_none()
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
        let ahead = self.take(confine);
        self.started(confine);
        match ahead {
            Some(ahead) => spawn_with(launch, passed, ahead),
            None => spawn(launch, passed),
        }
    }

    /// What was made for a start of this.
    fn take(&mut self, confine: &Arc<Confine>) -> Option<Ahead> {
        self.all.iter_mut().find(|spare| Arc::ptr_eq(&spare.confine, confine))?.ahead.take()
    }

    /// It was started: so it may be again.
    fn started(&mut self, confine: &Arc<Confine>) {
        self.due = None;
        let at = self.all.iter().position(|spare| Arc::ptr_eq(&spare.confine, confine));
        let known = at.map(|at| self.all.remove(at));
        let (again, ahead) = (known.is_some(), known.and_then(|spare| spare.ahead));
        let spare = Spare { confine: Arc::clone(confine), again, ahead, vain: false };
        self.all.insert(0, spare);
        self.all.truncate(MOST_KNOWN);
        for spare in self.all.iter_mut().filter(|spare| spare.again).skip(MOST) {
            spare.ahead = None;
        }
    }

    /// How long until there is time for what is wanted.
    pub(super) fn wait(&mut self, now: Duration) -> Option<Duration> {
        self.next()?;
        let due = *self.due.get_or_insert(now + REST);
        Some(due.saturating_sub(now))
    }

    /// Makes one.
    pub(super) fn make(&mut self) {
        self.due = None;
        let Some(spare) = self.next() else { return };
        match Ahead::make(&spare.confine) {
            Ok(ahead) => {
                spare.vain = ahead.is_none();
                spare.ahead = ahead;
            }
            Err(e) => {
                spare.vain = true;
                log::debug!("nothing is made ahead of the next start: could not {e}");
            }
        }
    }

    fn next(&mut self) -> Option<&mut Spare> {
        self.all.iter_mut().filter(|spare| spare.again).take(MOST).find(|spare| spare.wanted())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[test]
    fn only_for_what_started_twice_something_is_made_and_only_when_nothing_starts() {
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
        assert!(all.take(&a).is_none());
        all.started(&a);
        assert!(all.wait(at(0)).is_some());
    }

    #[test]
    fn nothing_is_wanted_for_any_but_the_newest() {
        let (mut all, every) = (Spares::default(), [(); 40].map(|()| Arc::default()));
        every.iter().chain(&every[38..]).for_each(|confine| all.started(confine));
        assert_eq!(all.all.len(), MOST_KNOWN);
        all.make();
        all.make();
        assert_eq!(all.wait(at(0)), None);
        assert_eq!(all.all.iter().filter(|spare| spare.vain).count(), MOST);
    }
}
