//! Stories of work that can wait, on a virtual clock.

use std::collections::BTreeMap;
use std::time::Duration;

use model::bundle::Need::{self, Charging, Idle, Network};
use proptest::prelude::*;

use super::world::{page, s};
use crate::engine::Target;
use crate::engine::work::{
    Declared, LOOK_AGAIN, MAX_EACH, MAX_RUNS, NotRun, Outcome, RUN, SETTLE, Step, WARNING, Works,
};

const HOUR: u64 = 60 * 60;

fn work(bundle: &str, needs: &[Need], every: Option<u64>) -> Declared {
    let target = page(bundle).target;
    Declared { target, needs: needs.to_vec(), every: every.map(s), page: true }
}

fn run(bundle: &str) -> Step {
    Step::Run(page(bundle).target)
}

/// Time passes until something is done, or this is over; when, and what.
fn next(w: &mut Works, now: &mut Duration, most: u64, so: &[Need]) -> (u64, Vec<Step>) {
    let (begin, end) = (*now, *now + s(most));
    while let Some(due) = w.due(*now).filter(|due| *due <= end) {
        *now = due.max(*now);
        let steps = w.step(*now, now.as_secs(), so, |_| false);
        if !steps.is_empty() {
            return ((*now - begin).as_secs(), steps);
        }
        *now += Duration::from_nanos(1);
    }
    *now = end;
    (most, Vec::new())
}

#[test]
fn work_runs_when_the_device_has_settled_and_again_after_its_interval() {
    let (mut w, mut now) = (Works::default(), s(100));
    w.declare(now, &[work("mail", &[], Some(3 * HOUR))]);
    assert_eq!(next(&mut w, &mut now, 60, &[]), (10, vec![run("mail")]));
    w.ended(now, &page("mail").target, Outcome::Well, "done");
    assert_eq!(next(&mut w, &mut now, 9 * HOUR, &[]), (3 * HOUR, vec![run("mail")]));
}

#[test]
fn work_of_an_app_in_use_runs_every_two_hours_at_most() {
    let (mut w, mut now) = (Works::default(), s(0));
    w.declare(now, &[work("mail", &[], Some(HOUR / 3))]);
    next(&mut w, &mut now, 60, &[]);
    w.ended(now, &page("mail").target, Outcome::Well, "done");
    assert_eq!(next(&mut w, &mut now, 9 * HOUR, &[]).0, 2 * HOUR);
}

#[test]
fn an_app_that_nobody_opens_works_less_and_less_and_then_no_more_until_somebody_does() {
    let (mut w, mut now) = (Works::default(), s(0));
    w.declare(now, &[work("mail", &[], Some(HOUR))]);
    let mut times = 0;
    loop {
        let (_, steps) = next(&mut w, &mut now, 1000 * 24 * HOUR, &[]);
        if steps.is_empty() {
            break;
        }
        times += 1;
        w.ended(now, &page("mail").target, Outcome::Well, "done");
    }
    // 12 on the first day, 6 on each of the next six, 23 in that month, 30 in the next two.
    assert!((95..=105).contains(&times), "{times}");
    assert_eq!(w.rows(now)[0].next, None);
    assert!(w.used(now, &page("mail").target.bundle));
    assert_eq!(next(&mut w, &mut now, 60, &[]), (0, vec![run("mail")]));
}

#[test]
fn work_without_an_interval_runs_once() {
    let (mut w, mut now) = (Works::default(), s(0));
    w.declare(now, &[work("photos", &[], None)]);
    assert_eq!(next(&mut w, &mut now, 60, &[]).1, [run("photos")]);
    w.ended(now, &page("photos").target, Outcome::Well, "done");
    assert_eq!(next(&mut w, &mut now, 1000 * HOUR, &[]).1, []);
    w.ask(&page("photos").target).unwrap();
    assert_eq!(next(&mut w, &mut now, 1, &[]).1, [run("photos")]);
}

#[test]
fn what_work_needs_is_looked_at_when_its_time_has_come_and_then_every_five_minutes() {
    let (mut w, mut now) = (Works::default(), s(0));
    w.declare(now, &[work("mail", &[Network, Charging], Some(HOUR))]);
    assert!(!w.waits_for_the_device(now));
    assert_eq!(w.step(now, 0, &[], |_| false), []);
    now = w.due(now).unwrap();
    assert_eq!(now, SETTLE);
    assert!(w.waits_for_the_device(now));
    assert_eq!(w.step(now, 0, &[Network], |_| false), []);
    assert_eq!(w.rows(now)[0].lacks, [Charging]);
    assert_eq!(w.due(now), Some(now + LOOK_AGAIN));
    assert_eq!(w.step(now + LOOK_AGAIN, 0, &[Charging, Network], |_| false), [run("mail")]);
}

#[test]
fn a_run_has_two_minutes_and_is_told_six_seconds_before_their_end() {
    let (mut w, mut now) = (Works::default(), s(0));
    let target = page("mail").target;
    w.declare(now, &[work("mail", &[], Some(HOUR))]);
    next(&mut w, &mut now, 60, &[]);
    let (after, steps) = next(&mut w, &mut now, HOUR, &[]);
    assert_eq!((after, steps), (114, vec![Step::Finish(target.clone())]));
    assert_eq!(next(&mut w, &mut now, HOUR, &[]), (6, vec![Step::Kill(target.clone())]));
    assert_eq!(next(&mut w, &mut now, HOUR, &[]).1, [], "the engine sees to it from then on");
    w.ended(now, &target, Outcome::Well, "background-time");
    let last = w.rows(now)[0].last.clone().unwrap();
    assert!(!last.well && last.how == "background-time");
}

#[test]
fn a_run_ends_when_what_it_needs_is_not_so_any_more() {
    let (mut w, mut now) = (Works::default(), s(0));
    let target = page("photos").target;
    w.declare(now, &[work("photos", &[Idle], None)]);
    assert_eq!(next(&mut w, &mut now, 60, &[Idle]).1, [run("photos")]);
    now += s(20);
    assert_eq!(w.step(now, 0, &[], |_| false), [Step::Finish(target.clone())]);
    assert_eq!(next(&mut w, &mut now, 60, &[]), (6, vec![Step::Kill(target.clone())]));
    w.ended(now, &target, Outcome::Well, "done");
    // It was cut off, so it has not done it, nor failed.
    assert_eq!(next(&mut w, &mut now, 100 * HOUR, &[Idle]), (2 * HOUR - 26, vec![run("photos")]));
    w.ended(now, &target, Outcome::Cut, "upgraded");
    assert_eq!(next(&mut w, &mut now, 100 * HOUR, &[Idle]), (2 * HOUR, vec![run("photos")]));
}

#[test]
fn what_the_owner_asks_for_needs_nothing_but_runs_once_at_a_time_too() {
    let (mut w, mut now) = (Works::default(), s(0));
    let target = page("mail").target;
    assert_eq!(w.ask(&target), Err(NotRun::Unknown));
    w.declare(now, &[work("mail", &[Charging], Some(HOUR))]);
    w.ask(&target).unwrap();
    assert_eq!(next(&mut w, &mut now, 1, &[]), (0, vec![run("mail")]));
    assert_eq!(w.ask(&target), Err(NotRun::Runs));
    assert_eq!(next(&mut w, &mut now, 60, &[]).1, []);
    w.ended(now, &target, Outcome::Well, "done");
}

#[test]
fn what_may_not_run_before_the_device_is_unlocked_waits_for_that_and_has_not_failed() {
    let (mut w, mut now) = (Works::default(), s(0));
    w.declare(now, &[work("mail", &[], Some(HOUR)), work("news", &[], Some(HOUR))]);
    now += SETTLE;
    let mail = page("mail").target;
    assert_eq!(w.step(now, 0, &[], |target| *target == mail), [run("news")]);
    assert!(w.waits_for_the_owner() == Some(&mail) && w.rows(now)[0].locked);
    w.changed();
    assert_eq!(w.step(now, 0, &[], |_| false), [run("mail")]);
    assert!(w.waits_for_the_owner().is_none());
}

#[test]
fn what_fails_is_tried_again_later_each_time() {
    let (mut w, mut now) = (Works::default(), s(0));
    let target = page("mail").target;
    w.declare(now, &[work("mail", &[], Some(2 * HOUR))]);
    let mut waits = Vec::new();
    for _ in 0..4 {
        let (after, steps) = next(&mut w, &mut now, 100 * HOUR, &[]);
        assert_eq!(steps, [run("mail")]);
        waits.push(after);
        w.used(now, &target.bundle);
        w.ended(now, &target, Outcome::Failed, "status 1");
    }
    assert_eq!(waits, [10, 4 * HOUR, 8 * HOUR, 16 * HOUR]);
}

#[test]
fn a_few_run_at_a_time_and_the_next_ones_when_they_have_ended() {
    let (mut w, mut now) = (Works::default(), s(0));
    let names = ["a", "b", "c", "d"];
    w.declare(now, &names.map(|name| work(name, &[], Some(HOUR))));
    assert_eq!(next(&mut w, &mut now, 60, &[]).1, [run("a"), run("b")]);
    w.ended(now, &page("b").target, Outcome::Well, "done");
    assert_eq!(next(&mut w, &mut now, 60, &[]), (0, vec![run("c")]));
}

#[test]
fn one_bundle_has_ten_at_most_and_what_is_not_installed_any_more_is_forgotten() {
    let (mut w, now) = (Works::default(), s(0));
    let one = |number: usize| {
        let mut one = work("mail", &[], None);
        one.target.ability = model::Name::try_from(format!("w{number}").as_str()).unwrap();
        one
    };
    w.declare(now, &(0..20).map(one).collect::<Vec<_>>());
    assert_eq!(w.rows(now).len(), MAX_EACH);
    w.declare(now, &[]);
    assert!(w.is_empty() && w.due(now).is_none());
}

#[test]
fn nothing_runs_sooner_for_a_new_boot_nor_for_a_clock_that_has_gone_back() {
    let (mut w, mut now) = (Works::default(), s(1000));
    let target = page("mail").target;
    let all = [work("mail", &[], Some(3 * HOUR))];
    w.declare(now, &all);
    next(&mut w, &mut now, 60, &[]);
    w.ended(now, &target, Outcome::Well, "done");
    let today = 1_700_000_000;
    let kept = w.keep(now, today);
    // An hour later, in a new boot.
    let mut again = Works::recall(kept.clone(), s(30), today + HOUR);
    let mut now = s(30);
    again.declare(now, &all);
    assert_eq!(next(&mut again, &mut now, 9 * HOUR, &[]), (2 * HOUR, vec![run("mail")]));
    // Its clock says that it was never later than 1970.
    let mut now = s(30);
    let mut again = Works::recall(kept, now, 5);
    again.declare(now, &all);
    assert_eq!(next(&mut again, &mut now, 9 * HOUR, &[]), (3 * HOUR, vec![run("mail")]));
    // What was done once is done for ever.
    let mut now = s(30);
    let mut once = Works::default();
    once.declare(now, &[work("mail", &[], None)]);
    next(&mut once, &mut now, 60, &[]);
    once.ended(now, &target, Outcome::Well, "done");
    let mut again = Works::recall(once.keep(now, today), now, today);
    again.declare(now, &[work("mail", &[], None)]);
    assert_eq!(next(&mut again, &mut now, 999 * HOUR, &[]).1, []);
}

/// What can happen to work.
#[derive(Debug, Clone)]
enum Happens {
    /// Time passes.
    Time(u64),
    /// It ends.
    End(u8, bool),
    Ask(u8),
    /// The device is so.
    Device(bool, bool),
    Used(u8),
    /// A new boot; the clock is off by this.
    Boot(i64),
}

fn happens() -> impl Strategy<Value = Happens> {
    prop_oneof![
        6 => (0..20_000_u64).prop_map(Happens::Time),
        4 => (0..4_u8, any::<bool>()).prop_map(|(which, well)| Happens::End(which, well)),
        1 => (0..4_u8).prop_map(Happens::Ask),
        2 => (any::<bool>(), any::<bool>()).prop_map(|(a, b)| Happens::Device(a, b)),
        1 => (0..4_u8).prop_map(Happens::Used),
        1 => (-90_000..90_000_i64).prop_map(Happens::Boot),
    ]
}

fn all() -> Vec<Declared> {
    vec![
        work("a", &[], Some(HOUR)),
        work("b", &[Network], Some(5 * HOUR)),
        work("c", &[Network, Idle], Some(HOUR / 3)),
        work("d", &[], None),
    ]
}

/// What must hold of every run.
#[derive(Debug, Default)]
struct Watch {
    running: BTreeMap<Target, Duration>,
    began: BTreeMap<Target, Duration>,
    asked: Vec<Target>,
}

impl Watch {
    fn steps(&mut self, now: Duration, so: &[Need], steps: Vec<Step>) -> Result<(), TestCaseError> {
        for step in steps {
            match step {
                Step::Run(target) => {
                    let declared = all().into_iter().find(|one| one.target == target).unwrap();
                    let asked = self.asked.iter().position(|one| *one == target);
                    let asked = asked.map(|at| self.asked.remove(at));
                    prop_assert!(!self.running.contains_key(&target), "two at once");
                    if asked.is_none() {
                        let before = self.began.get(&target);
                        let every = declared.every.unwrap_or(s(HOUR / 3)).max(s(2 * HOUR));
                        prop_assert!(before.is_none_or(|at| now >= *at + every), "too soon");
                        prop_assert!(declared.needs.iter().all(|need| so.contains(need)));
                        prop_assert!(self.running.len() < MAX_RUNS);
                    }
                    self.running.insert(target.clone(), now);
                    self.began.insert(target, now);
                }
                Step::Finish(target) => {
                    prop_assert!(now < self.running[&target] + RUN);
                }
                Step::Kill(target) => {
                    prop_assert!(now <= self.running[&target] + RUN, "too long");
                    self.running.remove(&target);
                }
            }
        }
        Ok(())
    }
}

proptest! {
    #[test]
    fn no_work_runs_before_its_time_or_twice_at_once_or_for_too_long(
        story in prop::collection::vec(happens(), 1..120),
    ) {
        let (mut w, mut now, mut off) = (Works::default(), s(5), 1_000_000_i64);
        let (mut so, mut watch) = (vec![Network, Idle], Watch::default());
        w.declare(now, &all());
        for what in story {
            let today = now.as_secs().saturating_add_signed(off);
            match what {
                Happens::Time(seconds) => {
                    let end = now + s(seconds);
                    while let Some(due) = w.due(now).filter(|due| *due <= end) {
                        prop_assert!(due >= now, "due in the past: {due:?} at {now:?}");
                        now = due;
                        let killed = |step: &Step| matches!(step, Step::Kill(_));
                        let steps = w.step(now, today, &so, |_| false);
                        let ended: Vec<Step> = steps.iter().filter(|s| killed(s)).cloned().collect();
                        watch.steps(now, &so, steps)?;
                        for step in ended {
                            let Step::Kill(target) = step else { continue };
                            w.ended(now, &target, Outcome::Failed, "killed");
                        }
                    }
                    now = end;
                }
                Happens::End(which, well) => {
                    let target = &all()[usize::from(which)].target;
                    if watch.running.remove(target).is_some() {
                        let outcome = if well { Outcome::Well } else { Outcome::Failed };
                        w.ended(now, target, outcome, "done");
                    }
                }
                Happens::Ask(which) => {
                    let target = all()[usize::from(which)].target.clone();
                    let asked = w.ask(&target);
                    prop_assert_eq!(asked.is_err(), watch.running.contains_key(&target));
                    if asked.is_ok() && !watch.asked.contains(&target) {
                        watch.asked.push(target);
                    }
                }
                Happens::Device(network, idle) => {
                    so.clear();
                    so.extend(network.then_some(Network));
                    so.extend(idle.then_some(Idle));
                    let steps = w.step(now, today, &so, |_| false);
                    watch.steps(now, &so, steps)?;
                }
                Happens::Used(which) => {
                    w.used(now, &all()[usize::from(which)].target.bundle);
                }
                // Processes are gone, and a clock that was put forward is believed: so it goes back only.
                Happens::Boot(by) => {
                    let kept = w.keep(now, today);
                    off -= by.abs();
                    let today = now.as_secs().saturating_add_signed(off);
                    w = Works::recall(kept, now, today);
                    w.declare(now, &all());
                    watch.running.clear();
                    watch.asked.clear();
                }
            }
            let running = w.running();
            prop_assert_eq!(running.len(), watch.running.len());
            prop_assert!(w.due(now).is_none_or(|due| due >= now || running.is_empty()));
        }
        prop_assert!(WARNING < RUN);
    }
}
