//! When a timer of a service is due. Pure: clocks, zone and history come from outside.
//!
//! ```text
//! armed ──────────► due ──trigger──► the service runs, ends, is armed again ──► due …
//! ```
//!
//! A calendar is searched from the last trigger on (from the first arming, if there was none). So a
//! moment that passed while the service ran, or that a clock was put forward over, comes at once,
//! and several of them are one. A clock that is put forward by more than [`LEAP`] was not set
//! before: nothing passed, except for those that are persistent. A clock that is put back makes its
//! moments come again.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use model::service::{Timer, TimerWhen};

use crate::calendar::next;
use crate::engine::Now;

/// A clock that is put forward further than this was wrong before: a device without a battery for
/// its clock begins in 1970.
pub const LEAP: Duration = Duration::from_secs(24 * 3600);

/// Least time between a trigger and the next by `after-start` and `after-end`.
pub const LEAST: Duration = Duration::from_secs(1);

/// A moment on both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Since PID 1 began.
    pub boot: Now,
    /// What the wall clock showed.
    pub wall: Timestamp,
}

/// What happened to a service before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Past {
    /// It was armed for the first time in this boot.
    pub first: Moment,
    /// It was armed last.
    pub armed: Moment,
    /// A timer of it was due last in this boot.
    pub trigger: Option<Moment>,
    /// It was started last in this boot, by whatever.
    pub started: Option<Moment>,
    /// What the wall clock showed when a timer of it was due last, in this boot or before.
    pub stamp: Option<Timestamp>,
}

/// When a timer is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// So long after PID 1 began.
    Boot(Now),
    /// When the wall clock shows this.
    Wall(Timestamp),
}

impl Due {
    /// The same, so much later.
    #[must_use]
    pub fn after(self, late: Duration) -> Self {
        match self {
            Self::Boot(at) => Self::Boot(at.saturating_add(late)),
            Self::Wall(at) => Self::Wall(at.saturating_add(late).unwrap_or(at)),
        }
    }
}

impl Past {
    /// The same, on a clock that was never set before now: what happened gets the time that it would
    /// have shown then. To be kept, so that the clock is believed from now on.
    #[must_use]
    pub fn on(self, now: Moment) -> Self {
        let on = |moment: Moment| {
            let ago = now.boot.saturating_sub(moment.boot);
            let wall = now.wall.checked_sub(ago).unwrap_or(now.wall);
            let leapt = moment.wall.checked_add(LEAP).is_ok_and(|limit| limit < wall);
            if leapt { Moment { wall, ..moment } } else { moment }
        };
        let (first, armed) = (on(self.first), on(self.armed));
        let (trigger, started) = (self.trigger.map(on), self.started.map(on));
        Self { first, armed, trigger, started, ..self }
    }
}

/// When `timer` is due, `delay` included; `None`: not again in this boot. `zone` is the one that
/// its calendar means.
#[must_use]
pub fn due(
    timer: &Timer,
    past: &Past,
    now: Moment,
    delay: Duration,
    zone: &TimeZone,
) -> Option<Due> {
    let again = |from: Now, after: Duration| {
        let at = from.saturating_add(after).saturating_add(delay);
        Some(Due::Boot(at.max(past.trigger.map_or(Now::ZERO, |t| t.boot.saturating_add(LEAST)))))
    };
    let once = |from: Now, after: Duration| {
        let at = from.saturating_add(after).saturating_add(delay);
        let over = past.trigger.is_some_and(|trigger| trigger.boot >= at);
        (!over).then_some(Due::Boot(at))
    };
    match &timer.when {
        TimerWhen::AfterBoot(after) => once(Now::ZERO, *after),
        TimerWhen::AfterArm(after) => once(past.first.boot, *after),
        TimerWhen::AfterStart(after) => {
            let starts = [past.trigger, past.started].into_iter().flatten().map(|m| m.boot);
            again(starts.max().unwrap_or(past.first.boot), *after)
        }
        TimerWhen::AfterEnd(after) => again(past.armed.boot, *after),
        TimerWhen::Calendar(calendar) => {
            let from = searched_from(past, now, timer.persistent);
            // A moment of the calendar is over when its delay is.
            let at = next(calendar, from.checked_sub(delay).ok()?, zone)?;
            Some(Due::Wall(at.checked_add(delay).ok()?))
        }
    }
}

/// From where a calendar is searched.
fn searched_from(past: &Past, now: Moment, persistent: bool) -> Timestamp {
    let past = past.on(now);
    let last = past.trigger.unwrap_or(past.first).wall;
    let from = if persistent { past.stamp.unwrap_or(last) } else { last };
    from.min(now.wall)
}

/// A part of `most`, the same for the same device (`machine`) and service each time, and different
/// among them.
#[must_use]
pub fn delay(most: Duration, machine: &str, service: &str) -> Duration {
    // The checksum alone spreads names that differ in one letter too little.
    let sum = crc32c::crc32c(format!("{machine}\n{service}").as_bytes());
    let spread = u64::from(sum).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    let nanos = most.as_nanos().saturating_mul(spread.into()) >> 32;
    // Whole seconds, if there are any: a calendar has no smaller ones.
    let part = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
    if most >= Duration::from_secs(60) { Duration::from_secs(part.as_secs()) } else { part }
}

#[cfg(test)]
mod tests {
    use jiff::ToSpan;

    use super::*;

    const fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    fn at(boot: u64, wall: &str) -> Moment {
        Moment { boot: seconds(boot), wall: wall.parse().unwrap() }
    }

    fn on(calendar: &str, persistent: bool) -> Timer {
        let when = TimerWhen::Calendar(calendar.parse().unwrap());
        Timer { persistent, ..every(when) }
    }

    fn every(when: TimerWhen) -> Timer {
        let none = Duration::ZERO;
        Timer { when, random_delay: none, accuracy: none, persistent: false }
    }

    fn new(moment: Moment) -> Past {
        Past { first: moment, armed: moment, trigger: None, started: None, stamp: None }
    }

    /// When it is due, as people write it.
    fn when(timer: &Timer, past: &Past, now: Moment) -> String {
        match due(timer, past, now, Duration::ZERO, &TimeZone::UTC) {
            Some(Due::Wall(at)) => at.to_string(),
            Some(Due::Boot(at)) => format!("{} s", at.as_secs()),
            None => "never".to_owned(),
        }
    }

    #[test]
    fn after_boot_comes_once_even_if_it_was_armed_late() {
        let timer = every(TimerWhen::AfterBoot(seconds(600)));
        let late = at(3600, "2026-01-31T12:00:00Z");
        assert_eq!(when(&timer, &new(late), late), "600 s");
        let past = Past { trigger: Some(late), ..new(late) };
        assert_eq!(when(&timer, &past, at(3700, "2026-01-31T12:01:40Z")), "never");
        // Another timer was due before: this one still comes.
        let early = at(10, "2026-01-31T12:00:00Z");
        assert_eq!(when(&timer, &Past { trigger: Some(early), ..new(early) }, early), "600 s");
    }

    #[test]
    fn after_start_counts_from_the_last_trigger_and_after_end_from_the_last_end() {
        let (first, trigger) = (at(10, "2026-01-31T12:00:00Z"), at(70, "2026-01-31T12:01:00Z"));
        let end = at(75, "2026-01-31T12:01:05Z");
        let past = Past { armed: end, trigger: Some(trigger), ..new(first) };
        let (start, after) = (TimerWhen::AfterStart(seconds(60)), TimerWhen::AfterEnd(seconds(60)));
        assert_eq!(when(&every(start.clone()), &new(first), first), "70 s");
        assert_eq!(when(&every(start), &past, end), "130 s");
        assert_eq!(when(&every(after), &past, end), "135 s");
    }

    #[test]
    fn after_start_counts_from_the_last_start_whoever_wanted_it() {
        let (first, trigger) = (at(10, "2026-01-31T12:00:00Z"), at(70, "2026-01-31T12:01:00Z"));
        let by_hand = at(100, "2026-01-31T12:01:30Z");
        let timer = every(TimerWhen::AfterStart(seconds(60)));
        let past = Past { started: Some(by_hand), ..new(first) };
        assert_eq!(when(&timer, &past, by_hand), "160 s");
        let past = Past { trigger: Some(trigger), ..past };
        assert_eq!(when(&timer, &past, by_hand), "160 s");
        let past = Past { trigger: Some(at(160, "2026-01-31T12:02:30Z")), ..past };
        assert_eq!(when(&timer, &past, by_hand), "220 s");
        // A calendar knows nothing of it.
        let past = Past { started: Some(by_hand), ..new(first) };
        assert_eq!(when(&on("12:01", false), &past, by_hand), "2026-01-31T12:01:00Z");
    }

    #[test]
    fn after_arm_comes_once_counted_from_the_first_arming() {
        let (first, again) = (at(100, "2026-01-31T12:00:00Z"), at(130, "2026-01-31T12:00:30Z"));
        let timer = every(TimerWhen::AfterArm(seconds(60)));
        let past = Past { armed: again, ..new(first) };
        assert_eq!(when(&timer, &past, again), "160 s");
        let past = Past { trigger: Some(at(160, "2026-01-31T12:01:00Z")), ..past };
        assert_eq!(when(&timer, &past, at(170, "2026-01-31T12:01:10Z")), "never");
    }

    #[test]
    fn what_may_be_late_has_a_last_moment_on_its_own_clock() {
        assert_eq!(Due::Boot(seconds(5)).after(seconds(60)), Due::Boot(seconds(65)));
        let noon: Timestamp = "2026-01-31T12:00:00Z".parse().unwrap();
        assert_eq!(Due::Wall(noon).after(seconds(60)), Due::Wall(noon + 60.seconds()));
        assert_eq!(Due::Wall(Timestamp::MAX).after(seconds(60)), Due::Wall(Timestamp::MAX));
    }

    #[test]
    fn nothing_is_triggered_without_a_pause() {
        let moment = at(10, "2026-01-31T12:00:00Z");
        let past = Past { trigger: Some(moment), ..new(moment) };
        let start = every(TimerWhen::AfterStart(Duration::ZERO));
        assert_eq!(when(&start, &past, moment), "11 s");
        assert_eq!(when(&every(TimerWhen::AfterEnd(Duration::ZERO)), &past, moment), "11 s");
    }

    #[test]
    fn a_moment_that_passed_while_the_service_ran_comes_at_once_and_once() {
        let trigger = at(0, "2026-01-31T12:00:00Z");
        let end = at(150, "2026-01-31T12:02:30Z");
        let past = Past { armed: end, trigger: Some(trigger), ..new(trigger) };
        assert_eq!(when(&on("*:*", false), &past, end), "2026-01-31T12:01:00Z");
        let past = Past { trigger: Some(end), ..past };
        assert_eq!(when(&on("*:*", false), &past, end), "2026-01-31T12:03:00Z");
    }

    #[test]
    fn a_clock_put_forward_over_a_moment_makes_it_come_at_once() {
        let timer = on("08:00", false);
        let armed = at(10, "2026-01-31T07:59:00Z");
        let jumped = at(20, "2026-01-31T08:01:10Z");
        assert_eq!(when(&timer, &new(armed), jumped), "2026-01-31T08:00:00Z");
    }

    #[test]
    fn a_clock_that_was_never_set_lets_nothing_pass() {
        let armed = at(10, "1970-01-01T00:00:10Z");
        let set = at(40, "2026-01-31T12:00:00Z");
        assert_eq!(when(&on("daily", false), &new(armed), set), "2026-02-01T00:00:00Z");
        let last = Some("2026-01-30T00:00:00Z".parse().unwrap());
        let past = Past { stamp: last, ..new(armed) };
        assert_eq!(when(&on("daily", true), &past, armed), "1970-01-02T00:00:00Z");
        assert_eq!(when(&on("daily", true), &past, set), "2026-01-31T00:00:00Z");
    }

    #[test]
    fn a_clock_is_believed_once_it_was_set() {
        let timer = on("*-06-01 12:00", false);
        let past = new(at(10, "1970-01-01T00:00:10Z"));
        let set = at(40, "2027-06-01T11:50:00Z");
        assert_eq!(when(&timer, &past, set), "2027-06-01T12:00:00Z");
        // Put forward over the moment a little later.
        let jumped = at(50, "2027-06-01T12:10:00Z");
        assert_eq!(when(&timer, &past.on(set), jumped), "2027-06-01T12:00:00Z");
    }

    #[test]
    fn a_clock_put_back_makes_its_moments_come_again() {
        let trigger = at(10, "2026-01-31T12:00:00Z");
        let back = at(20, "2026-01-31T11:30:10Z");
        let past = Past { trigger: Some(trigger), ..new(trigger) };
        assert_eq!(when(&on("12:00", false), &past, back), "2026-01-31T12:00:00Z");
    }

    #[test]
    fn what_a_device_missed_while_it_was_off_is_made_up_for_once() {
        let boot = at(3, "2026-01-31T12:00:00Z");
        let last = Some("2026-01-27T00:00:00Z".parse().unwrap());
        let past = Past { stamp: last, ..new(boot) };
        assert_eq!(when(&on("daily", true), &past, boot), "2026-01-28T00:00:00Z");
        assert_eq!(when(&on("daily", false), &past, boot), "2026-02-01T00:00:00Z");
        let past = Past { trigger: Some(boot), stamp: Some(boot.wall), ..past };
        assert_eq!(when(&on("daily", true), &past, boot), "2026-02-01T00:00:00Z");
    }

    #[test]
    fn the_delay_is_part_of_the_moment_and_the_same_each_time() {
        let most = seconds(3600);
        let own = delay(most, "machine", "backup");
        assert_eq!(own, delay(most, "machine", "backup"));
        assert!(own < most && own != delay(most, "machine", "backup2"));
        assert_eq!(delay(Duration::ZERO, "machine", "backup"), Duration::ZERO);
        // Armed between the hour and its delay, today's still comes.
        let armed = at(3, "2026-01-31T00:00:30Z");
        let find = |past: &Past| due(&on("daily", false), past, armed, seconds(60), &TimeZone::UTC);
        let today: Timestamp = "2026-01-31T00:01:00Z".parse().unwrap();
        assert_eq!(find(&new(armed)), Some(Due::Wall(today)));
        let trigger = Moment { wall: today, ..armed };
        let after = Moment { wall: today, ..armed };
        let past = Past { trigger: Some(trigger), ..new(armed) };
        let again = due(&on("daily", false), &past, after, seconds(60), &TimeZone::UTC);
        assert_eq!(again, Some(Due::Wall(today + 24.hours())));
    }

    #[test]
    fn many_services_spread_over_the_whole_delay() {
        let tenth = |n: u32| delay(seconds(1000), "m", &format!("service-{n}")).as_secs() / 100;
        let mut found: Vec<u64> = (0..200).map(tenth).collect();
        found.sort_unstable();
        found.dedup();
        assert_eq!(found, (0..10).collect::<Vec<_>>());
    }
}
