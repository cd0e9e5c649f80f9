//! How often work runs at most: the less an app is used, the less often.

use std::time::Duration;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// An app that was on the screen within this time is in use.
pub const IN_USE: Duration = DAY;

/// Time without being on the screen, and how often work of such an app runs at most. What comes after the last is not run.
const TABLE: [(Duration, Duration); 4] = [
    (IN_USE, Duration::from_secs(2 * 60 * 60)),
    (Duration::from_secs(7 * 24 * 60 * 60), FREQUENT),
    (Duration::from_secs(30 * 24 * 60 * 60), DAY),
    (UNUSED, RARE),
];

/// At most, of an app that is used some days; also of one that has no page.
pub const FREQUENT: Duration = Duration::from_secs(4 * 60 * 60);

/// At most, of an app that is hardly used; and the longest that is waited after failures.
pub const RARE: Duration = Duration::from_secs(48 * 60 * 60);

/// Time without being on the screen after which nothing of an app runs by itself.
pub const UNUSED: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// Failures after which it is not waited longer each time.
pub const LATER_EACH_TIME: u32 = 6;

/// The shortest interval of work of an app that was on the screen so long ago; none: it does not run.
pub(super) fn of_use(page: bool, unused: Option<Duration>) -> Option<Duration> {
    let Some(unused) = unused.filter(|_| page) else { return Some(FREQUENT) };
    TABLE.into_iter().find(|(within, _)| unused < *within).map(|(_, often)| often)
}

/// The interval after so many failures in a row.
pub(super) fn after(failed: u32, every: Duration) -> Duration {
    let times = 1_u32 << failed.min(LATER_EACH_TIME);
    every.saturating_mul(times).min(RARE.max(every))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(60 * 60);

    #[test]
    fn the_less_an_app_is_used_the_less_often_its_work_runs() {
        let hours = |days: u32| {
            of_use(true, Some(DAY * days)).map(|often| often.as_secs() / HOUR.as_secs())
        };
        let all = [0, 1, 6, 7, 29, 30, 89, 90, 1000].map(hours);
        let nothing = None;
        let some = [2, 4, 4, 24, 24, 48, 48].map(Some);
        assert_eq!(all[..7], some);
        assert_eq!(all[7..], [nothing, nothing]);
        assert_eq!(of_use(false, Some(UNUSED)), Some(FREQUENT));
    }

    #[test]
    fn what_fails_is_tried_later_each_time_until_two_days() {
        let hours = |failed| after(failed, HOUR * 2).as_secs() / HOUR.as_secs();
        assert_eq!([0, 1, 2, 3, 4, 5, 9].map(hours), [2, 4, 8, 16, 32, 48, 48]);
        assert_eq!(after(3, RARE * 7), RARE * 7);
    }
}
