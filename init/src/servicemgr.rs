//! The life of servicemgr as PID 1 sees it, and how soon the next one starts.
//!
//! ```text
//! Absent ──start_now──► Waiting(until) ──begin──► Starting ──started──► Alive ──died──► Waiting …
//! ```
//!
//! A servicemgr that settled, lived long or was killed from outside can run: the next one starts
//! at once, or after a blink if they die too fast. So does the next one after a servicemgr that had taken
//! over and ended with status 0: it makes room for one with new definitions. One that ended by itself
//! early otherwise may never run: the pauses grow, then it has to do without its state, then it is hopeless.

use std::time::Duration;

use api::pid1::Exit;

/// A servicemgr that lived this long is as good as settled.
pub const PROVEN_AFTER: Duration = Duration::from_secs(60);

/// One that lived shorter than this is not started again at once.
pub const CALM: Duration = Duration::from_secs(1);

/// The first pause; it doubles with each early death.
pub const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// The longest pause.
pub const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// After so many early deaths in a row the state is suspected and taken away.
pub const FORGET_STATE_AFTER: u32 = 4;

/// After so many early deaths in a row (some seven seconds) servicemgr is hopeless.
pub const HOPELESS_AFTER: u32 = 8;

/// How long one that closed its socket may take to end by itself.
pub const DYING_LIMIT: Duration = Duration::from_secs(5);

/// `SIGKILL`.
const KILLED: Exit = Exit::Signal(9);

/// What follows from a death.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Death {
    /// Another one starts.
    Retry {
        /// After this pause.
        after: Duration,
        /// Without its state.
        forget_state: bool,
    },
    /// Trying again is useless.
    Hopeless,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Life {
    #[default]
    Absent,
    Waiting(Duration),
    Starting,
    Alive {
        pid: i32,
        since: Duration,
    },
}

/// servicemgr.
#[derive(Debug, Default)]
pub struct Servicemgr {
    life: Life,
    generation: u32,
    early_deaths: u32,
    settled: bool,
    /// It has taken over: its state is here.
    works: bool,
    condemned: bool,
    dying: Option<Duration>,
    ended: bool,
}

impl Servicemgr {
    /// Process id of the one that lives.
    #[must_use]
    pub fn pid(&self) -> Option<i32> {
        match self.life {
            Life::Alive { pid, .. } => Some(pid),
            _ => None,
        }
    }

    /// When [`Self::begin`] or [`Self::overdue`] will say yes.
    #[must_use]
    pub fn deadline(&self) -> Option<Duration> {
        match self.life {
            Life::Waiting(until) => Some(until),
            Life::Alive { .. } if !self.condemned => self.dying,
            _ => None,
        }
    }

    /// It closed its socket: it ends now, or it will never hear us again.
    pub fn hung_up(&mut self, now: Duration) {
        self.dying = Some(now.saturating_add(DYING_LIMIT));
    }

    /// Whether it closed its socket and lives on all the same.
    #[must_use]
    pub fn overdue(&self, now: Duration) -> bool {
        matches!(self.life, Life::Alive { .. }) && self.dying.is_some_and(|until| until <= now)
    }

    /// Starts afresh: all earlier deaths are forgiven.
    pub fn start_now(&mut self, now: Duration) {
        self.early_deaths = 0;
        if self.life == Life::Absent {
            self.life = Life::Waiting(now);
        }
    }

    /// Cuts the pause short.
    pub fn hurry(&mut self, now: Duration) {
        if let Life::Waiting(_) = self.life {
            self.life = Life::Waiting(now);
        }
    }

    /// No pause is running any more; the next start needs [`Self::start_now`].
    pub fn forget(&mut self) {
        if let Life::Waiting(_) = self.life {
            self.life = Life::Absent;
        }
    }

    /// None is started ever again.
    pub fn no_more(&mut self) {
        self.ended = true;
        self.forget();
    }

    /// Whether to start one now; then the answer is [`Self::started`] or [`Self::not_started`].
    pub fn begin(&mut self, now: Duration) -> bool {
        let due = matches!(self.life, Life::Waiting(until) if until <= now);
        if due {
            self.life = Life::Starting;
        }
        due
    }

    /// It runs. Gives its generation.
    pub fn started(&mut self, now: Duration, pid: i32) -> u32 {
        self.life = Life::Alive { pid, since: now };
        self.generation = self.generation.saturating_add(1);
        self.settled = false;
        self.works = false;
        self.condemned = false;
        self.dying = None;
        self.generation
    }

    /// Boot is over, says the one that lives.
    pub fn settled(&mut self) {
        self.settled = true;
        self.early_deaths = 0;
    }

    /// It has taken over, says its state.
    pub fn works(&mut self) {
        self.works = true;
    }

    /// Whether an end like this makes room for the next one.
    #[must_use]
    pub fn renews(&self, exit: Exit) -> bool {
        self.works && exit == Exit::Status(0)
    }

    /// It shall die; gives its process id, once.
    pub fn condemn(&mut self) -> Option<i32> {
        let pid = self.pid().filter(|_| !self.condemned)?;
        self.condemned = true;
        Some(pid)
    }

    /// It could not be started; `lasting` if trying again cannot help.
    pub fn not_started(&mut self, now: Duration, lasting: bool) -> Death {
        if lasting { self.hopeless() } else { self.early(now) }
    }

    /// It ended.
    pub fn died(&mut self, now: Duration, exit: Exit) -> Death {
        let Life::Alive { since, .. } = self.life else { return self.early(now) };
        let lived = now.saturating_sub(since);
        let killed = exit == KILLED && !self.condemned;
        if !(self.settled || killed || self.renews(exit) || lived >= PROVEN_AFTER) {
            return self.early(now);
        }
        if lived >= PROVEN_AFTER {
            self.early_deaths = 0;
        }
        let after = if lived < CALM { FIRST_PAUSE } else { Duration::ZERO };
        self.retry(now, after, false)
    }

    fn early(&mut self, now: Duration) -> Death {
        self.early_deaths = self.early_deaths.saturating_add(1);
        if self.early_deaths >= HOPELESS_AFTER {
            return self.hopeless();
        }
        let after = match self.early_deaths {
            1 => Duration::ZERO,
            n => FIRST_PAUSE.saturating_mul(1 << (n - 2).min(16)).min(LONGEST_PAUSE),
        };
        self.retry(now, after, self.early_deaths == FORGET_STATE_AFTER)
    }

    fn retry(&mut self, now: Duration, after: Duration, forget_state: bool) -> Death {
        self.life =
            if self.ended { Life::Absent } else { Life::Waiting(now.saturating_add(after)) };
        Death::Retry { after, forget_state }
    }

    fn hopeless(&mut self) -> Death {
        self.life = Life::Absent;
        Death::Hopeless
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// Lives and dies over and over; gives the pauses until it is hopeless or has died 12 times.
    fn pauses(lived: Duration, exit: Exit, settles: bool) -> Vec<Duration> {
        pauses_of(lived, exit, |servicemgr| {
            if settles {
                servicemgr.settled();
            }
        })
    }

    fn pauses_of(lived: Duration, exit: Exit, does: impl Fn(&mut Servicemgr)) -> Vec<Duration> {
        let mut servicemgr = Servicemgr::default();
        let mut now = Duration::ZERO;
        let mut pauses = Vec::new();
        servicemgr.start_now(now);
        while pauses.len() < 12 {
            assert!(servicemgr.begin(now));
            servicemgr.started(now, 2);
            does(&mut servicemgr);
            now += lived;
            let Death::Retry { after, .. } = servicemgr.died(now, exit) else { break };
            pauses.push(after);
            now += after;
        }
        pauses
    }

    #[test]
    fn one_that_fails_at_once_is_tried_at_growing_pauses_then_hopeless() {
        let all = pauses(ms(3), Exit::Status(1), false);
        assert_eq!(all, [0, 100, 200, 400, 800, 1600, 3200].map(ms));
    }

    #[test]
    fn one_that_is_killed_over_and_over_is_always_started_again() {
        assert_eq!(pauses(ms(3), KILLED, false), [ms(100); 12]);
        assert_eq!(pauses(ms(1500), KILLED, false), [ms(0); 12]);
    }

    #[test]
    fn one_that_settled_or_lived_long_is_always_started_again() {
        assert_eq!(pauses(ms(3), Exit::Signal(11), true), [ms(100); 12]);
        assert_eq!(pauses(PROVEN_AFTER, Exit::Signal(11), false), [ms(0); 12]);
    }

    #[test]
    fn one_that_makes_room_for_the_next_is_not_suspected() {
        let end = Exit::Status(0);
        assert_eq!(pauses_of(ms(60), end, Servicemgr::works), [ms(100); 12]);
        assert_eq!(pauses_of(ms(1500), end, Servicemgr::works), [ms(0); 12]);
        assert_eq!(pauses_of(ms(60), Exit::Status(1), Servicemgr::works).len(), 7);
        assert_eq!(pauses_of(ms(60), end, |_| ()).len(), 7, "it never took over");
    }

    #[test]
    fn the_state_is_taken_away_once_before_hope_is_lost() {
        let mut servicemgr = Servicemgr::default();
        let deaths: Vec<Death> =
            (0..8).map(|_| servicemgr.not_started(Duration::ZERO, false)).collect();
        let forgot = |d: &Death| matches!(d, Death::Retry { forget_state: true, .. });
        assert_eq!(deaths.iter().position(forgot), Some(3));
        assert_eq!(deaths.iter().filter(|d| forgot(d)).count(), 1);
        assert_eq!(deaths.last(), Some(&Death::Hopeless));
    }

    #[test]
    fn a_missing_program_is_hopeless_at_once() {
        assert_eq!(Servicemgr::default().not_started(ms(0), true), Death::Hopeless);
    }
}
