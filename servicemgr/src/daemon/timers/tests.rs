//! Timers of services over triggers, deaths of servicemgr and boots, on made-up clocks.

use std::path::Path;

use model::Name;
use model::service::TimerWhen;

use super::*;

const NONE: [Id; 0] = [];

fn places(directory: &Path) -> Places {
    let at = |name: &str| directory.join(name);
    Places { etc: at("etc"), run: at("run"), state: at("state") }
}

fn service(name: &str, when: TimerWhen, persistent: bool) -> Service {
    let mut service = Service::new(Name::try_from(name).unwrap(), vec!["/bin/true".into()]);
    let none = Duration::ZERO;
    let timer = Timer { when, random_delay: none, accuracy: none, persistent };
    service.activation.timers = vec![timer];
    service
}

fn daily(persistent: bool) -> Service {
    service("daily", TimerWhen::Calendar("daily UTC".parse().unwrap()), persistent)
}

fn at(boot: u64, wall: &str) -> Moment {
    Moment { boot: Duration::from_secs(boot), wall: wall.parse().unwrap() }
}

#[test]
fn a_timer_is_due_once_and_then_waits_for_the_next_time() {
    let directory = tempfile::tempdir().unwrap();
    let mut timers = Timers::new(places(directory.path()), Duration::ZERO);
    let evening = at(5, "2026-01-31T23:59:00Z");
    timers.arm(3, &daily(false), evening.boot, evening);
    assert_eq!(timers.take_due(evening), NONE);
    let midnight = at(65, "2026-02-01T00:00:00Z");
    assert_eq!(timers.take_due(midnight), [3]);
    assert_eq!(timers.take_due(midnight), NONE);
    assert_eq!(timers.next(3, Now::ZERO).unwrap(), "2026-02-02T00:00:00Z");
    timers.disarm(3);
    assert_eq!(timers.take_due(at(99_999, "2026-02-09T00:00:00Z")), NONE);
    assert!(timers.wall.first().is_none() && timers.boot.first().is_none());
}

#[test]
fn the_next_servicemgr_goes_on_where_the_last_one_died() {
    let directory = tempfile::tempdir().unwrap();
    let places = places(directory.path());
    let every = TimerWhen::AfterStart(Duration::from_secs(60));
    let service = service("minute", every, false);
    let mut first = Timers::new(places.clone(), Duration::ZERO);
    first.arm(0, &service, Now::ZERO, at(0, "2026-01-31T12:00:00Z"));
    assert_eq!(first.take_due(at(60, "2026-01-31T12:01:00Z")), [0]);
    // It dies, and is away while the timer is due.
    let later = at(125, "2026-01-31T12:02:05Z");
    let mut second = Timers::new(places, Duration::ZERO);
    second.arm(0, &service, Now::ZERO, later);
    assert_eq!(second.next(0, Now::ZERO).unwrap(), "in 120 s");
    assert_eq!(second.take_due(later), [0]);
}

#[test]
fn what_is_persistent_is_made_up_for_after_a_boot() {
    let directory = tempfile::tempdir().unwrap();
    let mut places = places(directory.path());
    let boot = at(3, "2026-01-31T12:00:00Z");
    let mut first = Timers::new(places.clone(), Duration::ZERO);
    first.arm(7, &daily(true), boot.boot, boot);
    assert_eq!(first.take_due(boot), NONE);
    // The device is off for two days.
    places.run = directory.path().join("run of the next boot");
    let next = at(3, "2026-02-02T12:00:00Z");
    let mut second = Timers::new(places.clone(), Duration::ZERO);
    second.arm(7, &daily(true), next.boot, next);
    assert_eq!(second.take_due(next), [7]);
    assert_eq!(second.take_due(next), NONE);
    places.run = directory.path().join("run of the third boot");
    let mut third = Timers::new(places, Duration::ZERO);
    third.arm(7, &daily(true), next.boot, next);
    assert_eq!(third.take_due(next), NONE);
}

#[test]
fn files_with_nonsense_are_as_good_as_none() {
    let directory = tempfile::tempdir().unwrap();
    let places = places(directory.path());
    for place in [&places.run, &places.state] {
        replace(place, "daily", "\u{7f}nonsense -1 x\n99999999999999999999999 1\n").unwrap();
    }
    let mut timers = Timers::new(places, Duration::ZERO);
    let noon = at(9, "2026-01-31T12:00:00Z");
    timers.arm(0, &daily(true), noon.boot, noon);
    assert_eq!(timers.next(0, Now::ZERO).unwrap(), "2026-02-01T00:00:00Z");
}

#[test]
fn a_start_by_hand_is_remembered_by_the_next_servicemgr() {
    let directory = tempfile::tempdir().unwrap();
    let places = places(directory.path());
    let service = service("hour", TimerWhen::AfterStart(Duration::from_secs(60)), false);
    let mut first = Timers::new(places.clone(), Duration::ZERO);
    let boot = at(0, "2026-01-31T12:00:00Z");
    first.arm(0, &service, boot.boot, boot);
    let by_hand = at(30, "2026-01-31T12:00:30Z");
    first.disarm(0);
    first.started(&service, by_hand.boot, by_hand);
    let mut second = Timers::new(places, Duration::ZERO);
    let end = at(40, "2026-01-31T12:00:40Z");
    second.arm(0, &service, end.boot, end);
    assert_eq!(second.take_due(at(60, "2026-01-31T12:01:00Z")), NONE);
    assert_eq!(second.take_due(at(90, "2026-01-31T12:01:30Z")), [0]);
}

#[test]
fn what_may_be_late_wakes_nobody_before_its_last_moment_and_comes_with_others_before() {
    let directory = tempfile::tempdir().unwrap();
    let mut timers = Timers::new(places(directory.path()), Duration::ZERO);
    let boot = at(0, "2026-01-31T12:00:00Z");
    let mut lazy = service("lazy", TimerWhen::AfterBoot(Duration::from_secs(10)), false);
    lazy.activation.timers[0].accuracy = Duration::from_secs(60);
    let exact = service("exact", TimerWhen::AfterBoot(Duration::from_secs(30)), false);
    timers.arm(0, &lazy, boot.boot, boot);
    assert_eq!(timers.boot.first(), Some(Duration::from_secs(70)));
    timers.arm(1, &exact, boot.boot, boot);
    assert_eq!(timers.boot.first(), Some(Duration::from_secs(30)));
    assert_eq!(timers.take_due(at(30, "2026-01-31T12:00:30Z")), [0, 1]);
    assert_eq!(timers.boot.first(), None);
}
