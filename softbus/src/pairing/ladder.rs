//! What wrong codes cost: a wait that grows.
//!
//! ```text
//! wrong ─ wrong ─ wrong, within 6 minutes ─► frozen 60 s ─ three more ─► 180 s ─► 300 s ─► 600 s ─► 600 s …
//!    right: all forgotten · the rung: forgotten 20 minutes after the last freeze ended
//! ```
//!
//! Times are on the clock since boot, which no one sets. The file says in which boot, and when, it was written: read in the
//! same boot the times hold; in another, time goes on where the file left it. So neither a restart, nor a clock that is set,
//! nor a night without power shortens a freeze: what was not served is served.
//!
//! Invariant: frozen for at most the last rung; at most [`WRONG`] failures are kept.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Wrong codes that freeze.
const WRONG: usize = 3;

/// Failures further apart than this are not one attack.
const WITHIN: i64 = 6 * 60_000;

/// A freeze this long over is forgotten.
const FORGOTTEN: i64 = 20 * 60_000;

/// Milliseconds of the freezes, the last again and again.
const RUNGS: [i64; 4] = [60_000, 180_000, 300_000, 600_000];

/// Wrong codes, and what they cost. Milliseconds since boot; before it, they are negative.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ladder {
    failures: Vec<i64>,
    frozen_until: Option<i64>,
    rung: u8,
}

/// The file cannot be read: [`Ladder::suspect`] goes on from there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the file of wrong codes is damaged: no code is taken for {} minutes", RUNGS[3] / 60_000)]
pub struct BadLadder;

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

impl Ladder {
    /// When nobody can say what was wrong before: as after the most.
    #[must_use]
    pub fn suspect(now: Duration) -> Self {
        let [.., longest] = RUNGS;
        Self {
            failures: Vec::new(),
            frozen_until: Some(millis(now).saturating_add(longest)),
            rung: 3,
        }
    }

    /// How long no code is taken yet.
    #[must_use]
    pub fn frozen(&self, now: Duration) -> Option<Duration> {
        let left = self.frozen_until?.saturating_sub(millis(now));
        u64::try_from(left).ok().filter(|left| *left > 0).map(Duration::from_millis)
    }

    /// A code was wrong. It must be stored before that is said.
    pub fn failed(&mut self, now: Duration) {
        let now = millis(now);
        if self.frozen_until.is_some_and(|end| now.saturating_sub(end) >= FORGOTTEN) {
            (self.frozen_until, self.rung) = (None, 0);
        }
        self.failures.retain(|time| now.saturating_sub(*time) < WITHIN);
        self.failures.push(now);
        if self.failures.len() >= WRONG {
            let [.., longest] = RUNGS;
            let freeze = RUNGS.get(usize::from(self.rung)).copied().unwrap_or(longest);
            self.frozen_until = Some(now.saturating_add(freeze));
            self.rung = self.rung.saturating_add(1).min(3);
            self.failures.clear();
        }
    }

    /// A code was right.
    pub fn succeeded(&mut self) {
        *self = Self::default();
    }

    /// As a file has it. `boot` is the kernel's id of this boot.
    #[must_use]
    pub fn to_bytes(&self, boot: &[u8; 16], now: Duration) -> Vec<u8> {
        // Vectors grow.
        postcard::to_stdvec(&(boot, millis(now), self)).unwrap_or_default()
    }

    /// Reads a file.
    ///
    /// # Errors
    /// It is damaged.
    pub fn from_bytes(bytes: &[u8], boot: &[u8; 16], now: Duration) -> Result<Self, BadLadder> {
        let now = millis(now);
        let (of, written, ladder): ([u8; 16], i64, Self) =
            postcard::from_bytes(bytes).map_err(|_| BadLadder)?;
        let Self { failures, frozen_until, rung } = ladder;
        if failures.len() >= WRONG || usize::from(rung) >= RUNGS.len() {
            return Err(BadLadder);
        }
        let [.., longest] = RUNGS;
        // In another boot, or when this one's clock is behind the file: now is when it was written.
        let moved = if of == *boot && written <= now { 0 } else { now.saturating_sub(written) };
        let here = |time: i64| time.saturating_add(moved);
        let frozen_until = frozen_until.map(|end| here(end).min(now.saturating_add(longest)));
        Ok(Self {
            failures: failures.into_iter().map(here).map(|time| time.min(now)).collect(),
            frozen_until,
            rung,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOOT: [u8; 16] = [1; 16];

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// Three wrong codes, and how long that freezes.
    fn three(ladder: &mut Ladder, now: u64) -> u64 {
        (0..3).for_each(|_| ladder.failed(at(now)));
        ladder.frozen(at(now)).unwrap().as_secs()
    }

    #[test]
    fn freezes_grow_to_ten_minutes_and_end_with_a_right_code() {
        let mut ladder = Ladder::default();
        let mut now = 100;
        for expected in [60, 180, 300, 600, 600] {
            assert_eq!(three(&mut ladder, now), expected);
            now += expected;
            assert_eq!(ladder.frozen(at(now)), None);
        }
        ladder.succeeded();
        assert_eq!(three(&mut ladder, now), 60);
    }

    #[test]
    fn mistakes_far_apart_freeze_nobody() {
        let mut ladder = Ladder::default();
        for round in 0..50 {
            ladder.failed(at(round * 200));
            assert_eq!(ladder.frozen(at(round * 200)), None, "two within six minutes");
        }
    }

    #[test]
    fn the_rung_is_forgotten_twenty_minutes_after_a_freeze() {
        let mut ladder = Ladder::default();
        assert_eq!(three(&mut ladder, 0), 60);
        assert_eq!(three(&mut ladder, 60 + 1199), 180);
        assert_eq!(three(&mut ladder, 60 + 1199 + 180 + 1200), 60);
    }

    #[test]
    fn a_restart_in_the_same_boot_changes_nothing() {
        let mut ladder = Ladder::default();
        three(&mut ladder, 1000);
        let bytes = ladder.to_bytes(&BOOT, at(1000));
        assert_eq!(
            Ladder::from_bytes(&bytes, &BOOT, at(1040)).unwrap().frozen(at(1040)),
            Some(at(20))
        );
    }

    #[test]
    fn a_reboot_serves_nothing_of_a_freeze_nor_of_what_was_wrong() {
        let mut ladder = Ladder::default();
        three(&mut ladder, 1000);
        let bytes = ladder.to_bytes(&BOOT, at(1010));
        let mut later = Ladder::from_bytes(&bytes, &[2; 16], at(5)).unwrap();
        assert_eq!(later.frozen(at(5)), Some(at(50)), "ten seconds were served");
        assert_eq!(three(&mut later, 60), 180, "and the next is the second");
        let mut two = Ladder::default();
        two.failed(at(1000));
        two.failed(at(1000));
        let mut later =
            Ladder::from_bytes(&two.to_bytes(&BOOT, at(1000)), &[2; 16], at(5)).unwrap();
        later.failed(at(6));
        assert!(later.frozen(at(6)).is_some());
    }

    #[test]
    fn a_damaged_file_is_taken_for_the_worst() {
        assert_eq!(Ladder::from_bytes(b"", &BOOT, at(0)), Err(BadLadder));
        assert_eq!(Ladder::suspect(at(7)).frozen(at(7)), Some(at(600)));
        let far =
            Ladder { failures: vec![i64::MAX, i64::MIN], frozen_until: Some(i64::MAX), rung: 3 };
        let read = Ladder::from_bytes(&far.to_bytes(&BOOT, at(0)), &BOOT, at(9)).unwrap();
        assert_eq!(read.frozen(at(9)), Some(at(600)), "never longer than the longest");
    }
}
