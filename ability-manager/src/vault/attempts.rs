//! How often somebody may try to guess the owner's secret. Pure.
//!
//! ```text
//! try ─► begun: it counts as failed, and is kept ─► secret looked at ─► right: all is forgotten
//!  │                                                                └─► wrong: as it is
//!  └─ frozen: refused, until the time is over
//! ```
//!
//! The third failure within six minutes freezes for one minute, the next for three, five, then ten each.
//!
//! Invariants: cutting the power, or this process, at any moment never gives a try for nothing; the time that a device
//! is off does not count, for nobody knows how long it was.

use std::time::Duration;

/// Failures that come so close to each other count together.
const TOGETHER: Duration = Duration::from_mins(6);

/// Failures that freeze.
const MOST: usize = 3;

/// Failures and freezes are forgotten after so long without another one.
const FORGOTTEN: Duration = Duration::from_mins(20);

/// How long each freeze lasts; the last is for all further ones.
const FREEZES: [Duration; 4] = [
    Duration::from_mins(1),
    Duration::from_mins(3),
    Duration::from_mins(5),
    Duration::from_mins(10),
];

/// Of the first line.
const HEAD: &str = "ensemble attempts 1";

/// Failures, on a clock that begins anew with each boot.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Attempts {
    /// When they were, since the last freeze.
    failures: Vec<Duration>,
    /// Nothing may be tried before.
    frozen: Option<Duration>,
    /// Freezes so far.
    freezes: usize,
    /// The last failure.
    last: Duration,
}

impl Attempts {
    /// How long nobody may try.
    #[must_use]
    pub(super) fn wait(&self, now: Duration) -> Option<Duration> {
        self.frozen.and_then(|until| until.checked_sub(now)).filter(|left| !left.is_zero())
    }

    /// Somebody tries: it is a failure until it is known to be none.
    ///
    /// # Errors
    /// How long he is to wait.
    pub(super) fn begin(&mut self, now: Duration) -> Result<(), Duration> {
        if let Some(left) = self.wait(now) {
            return Err(left);
        }
        let quiet_since = self.frozen.map_or(self.last, |until| until.max(self.last));
        if now.saturating_sub(quiet_since) >= FORGOTTEN {
            *self = Self::default();
        }
        self.frozen = None;
        self.failures.retain(|at| now.saturating_sub(*at) < TOGETHER);
        self.failures.push(now);
        self.last = now;
        if self.failures.len() >= MOST {
            self.failures.clear();
            let longest = FREEZES[FREEZES.len() - 1];
            let freeze = FREEZES.get(self.freezes).copied().unwrap_or(longest);
            self.frozen = Some(now.saturating_add(freeze));
            self.freezes = self.freezes.saturating_add(1);
        }
        Ok(())
    }

    /// As text, for the next boot: how long ago everything was.
    #[must_use]
    pub(super) fn print(&self, now: Duration) -> String {
        let ago = |at: &Duration| now.saturating_sub(*at).as_secs().to_string();
        let failures: Vec<String> = self.failures.iter().map(ago).collect();
        let wait = self.wait(now).map_or(0, seconds);
        format!(
            "{HEAD}\nago {}\nwait {wait}\nfreezes {}\nlast {}\n",
            failures.join(" "),
            self.freezes,
            ago(&self.last),
        )
    }

    /// What was written, as if no time had passed since. What makes no sense freezes: somebody may have wanted that.
    #[must_use]
    pub(super) fn parse(text: &str, now: Duration) -> Self {
        Self::read(text, now).unwrap_or_else(|| Self {
            failures: Vec::new(),
            frozen: Some(now.saturating_add(FREEZES[0])),
            freezes: 1,
            last: now,
        })
    }

    fn read(text: &str, now: Duration) -> Option<Self> {
        let mut lines = text.strip_prefix(HEAD)?.strip_prefix('\n')?.lines();
        let mut line = |name: &str| lines.next()?.strip_prefix(name)?.strip_prefix(' ');
        let number = |text: &str| text.parse::<u32>().ok().map(u64::from).map(Duration::from_secs);
        // On this clock it may have been before the beginning: then it was at the beginning, which is later.
        let at = |text: &str| Some(now.saturating_sub(number(text)?));
        let failures: Option<Vec<_>> = line("ago")?.split_whitespace().map(at).collect();
        let failures = failures.filter(|failures| failures.len() < MOST)?;
        let wait =
            number(line("wait")?).filter(|wait| FREEZES.iter().any(|freeze| wait <= freeze))?;
        let frozen = (!wait.is_zero()).then(|| now.saturating_add(wait));
        let freezes = usize::try_from(line("freezes")?.parse::<u32>().ok()?).ok()?;
        Some(Self { failures, frozen, freezes, last: at(line("last")?)? })
    }
}

/// Whole seconds, no fewer than there are.
pub(crate) fn seconds(left: Duration) -> u64 {
    left.as_secs().saturating_add(u64::from(left.subsec_nanos() > 0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const MINUTE: Duration = Duration::from_mins(1);
    const BOOT: Duration = Duration::from_hours(1);

    #[test]
    fn the_third_failure_freezes_and_each_freeze_is_longer_than_the_one_before() {
        let (mut all, mut now, mut freezes) = (Attempts::default(), BOOT, Vec::new());
        for _ in 0..6 {
            for _ in 0..MOST {
                assert_eq!(all.begin(now), Ok(()));
                now += SECOND;
            }
            let left = all.begin(now).unwrap_err() + SECOND;
            freezes.push(left.as_secs());
            now += left;
        }
        assert_eq!(freezes, [60, 180, 300, 600, 600, 600]);
    }

    #[test]
    fn failures_that_are_far_from_each_other_do_not_freeze() {
        let mut all = Attempts::default();
        for n in 0..20 {
            assert_eq!(all.begin(BOOT + 3 * MINUTE * n), Ok(()), "{n}");
        }
    }

    #[test]
    fn after_twenty_quiet_minutes_freezes_are_short_again() {
        let next = |quiet: Duration| {
            let (mut all, mut now) = (Attempts::default(), BOOT);
            for _ in 0..MOST {
                all.begin(now).unwrap();
            }
            now += MINUTE + quiet;
            for _ in 0..MOST {
                all.begin(now).unwrap();
            }
            all.wait(now)
        };
        assert_eq!(next(19 * MINUTE), Some(3 * MINUTE));
        assert_eq!(next(20 * MINUTE), Some(MINUTE));
    }

    #[test]
    fn a_boot_shortens_no_freeze_and_forgets_no_failure() {
        let mut all = Attempts::default();
        all.begin(BOOT).unwrap();
        all.begin(BOOT + SECOND).unwrap();
        let early = 5 * SECOND;
        let mut next = Attempts::parse(&all.print(BOOT + SECOND), early);
        next.begin(early).unwrap();
        assert_eq!(next.wait(early), Some(MINUTE));
        let text = next.print(early + 20 * SECOND);
        assert_eq!(Attempts::parse(&text, SECOND).wait(SECOND), Some(40 * SECOND));
    }

    #[test]
    fn what_makes_no_sense_freezes() {
        let good = Attempts::default().print(BOOT);
        assert_eq!(Attempts::parse(&good, BOOT).wait(BOOT), None);
        for text in ["", "x", &good[..good.len() - 9], &good.replace("wait 0", "wait 4000000000")] {
            assert_eq!(Attempts::parse(text, BOOT).wait(BOOT), Some(MINUTE), "{text}");
        }
    }

    proptest! {
        /// Whatever is tried when, and however often the device is started anew in between.
        #[test]
        fn nobody_gets_more_tries_than_the_numbers_allow(
            tries in prop::collection::vec((0_u32..400, any::<bool>()), 1..200),
        ) {
            let (mut all, mut now) = (Attempts::default(), Duration::ZERO);
            let (mut real, mut made) = (Duration::ZERO, Vec::new());
            for (pause, boot) in tries {
                (now, real) = (now + SECOND * pause, real + SECOND * pause);
                if boot {
                    let text = all.print(now);
                    now = SECOND;
                    all = Attempts::parse(&text, now);
                }
                let wait = all.wait(now);
                prop_assert_eq!(all.begin(now).is_ok(), wait.is_none());
                if wait.is_none() {
                    made.push(real);
                }
            }
            // Three in six minutes at most, and then at least a minute.
            for four in made.windows(4) {
                prop_assert!(four[3] - four[0] >= MINUTE);
            }
        }

        #[test]
        fn no_text_makes_it_fail(text in "\\PC{0,80}", now in 0_u64..9999) {
            let now = Duration::from_secs(now);
            let _any = Attempts::parse(&text, now).print(now);
            let _any = Attempts::parse(&format!("{HEAD}\n{text}"), now).begin(now);
        }
    }
}
