//! Stories of apps that go on off the screen.

use std::time::Duration;

use model::bundle::BackgroundMode::{self, AudioPlayback, DataTransfer, Location};
use proptest::prelude::*;

use super::world::s;
use crate::engine::InstanceId;
use crate::engine::continuous::{
    Asking, Continuous, MAX_EACH, NotBegun, NotMoved, Progress, STALL,
};

const MUSIC: InstanceId = InstanceId(1);

fn asking(away: Option<u64>) -> Asking<'static> {
    let declared: &[BackgroundMode] = &[AudioPlayback, DataTransfer];
    Asking { instance: MUSIC, declared, permitted: true, away: away.map(s) }
}

#[test]
fn what_is_declared_and_permitted_goes_on_until_it_is_done_or_its_process_ends() {
    let mut c = Continuous::default();
    assert_eq!(c.begin(s(1), asking(None), AudioPlayback, "plays"), Ok(1));
    assert_eq!(c.begin(s(2), asking(Some(5)), AudioPlayback, "plays more"), Ok(2));
    assert!(c.going_on().contains(&MUSIC));
    assert!(!c.done(InstanceId(2), 1), "another one's is not its to end");
    assert!(c.done(MUSIC, 1));
    assert!(!c.done(MUSIC, 1));
    assert_eq!(c.tasks().len(), 1);
    c.ended(MUSIC);
    assert!(c.going_on().is_empty());
}

#[test]
fn nothing_goes_on_that_is_not_declared_not_permitted_or_not_seen_to_begin() {
    let mut c = Continuous::default();
    let begin = |c: &mut Continuous, asking, mode| c.begin(s(9), asking, mode, "x");
    assert_eq!(begin(&mut c, asking(None), Location), Err(NotBegun::NotDeclared));
    let without = Asking { permitted: false, ..asking(None) };
    assert_eq!(begin(&mut c, without, AudioPlayback), Err(NotBegun::NotPermitted));
    assert_eq!(begin(&mut c, asking(Some(6)), AudioPlayback), Err(NotBegun::TooLate));
    // Who was seen to begin may go on with something else.
    assert_eq!(begin(&mut c, asking(None), AudioPlayback), Ok(1));
    assert_eq!(begin(&mut c, asking(Some(60)), AudioPlayback), Ok(2));
    for _ in 2..MAX_EACH {
        begin(&mut c, asking(None), AudioPlayback).unwrap();
    }
    assert_eq!(begin(&mut c, asking(None), AudioPlayback), Err(NotBegun::TooMany));
}

/// A transfer that was begun at 0, and is task 1.
fn transfer() -> Continuous {
    let mut c = Continuous::default();
    assert_eq!(c.begin(s(0), asking(None), DataTransfer, "fetches"), Ok(1));
    c
}

fn moved(c: &mut Continuous, now: u64, done: u64) -> Result<(), NotMoved> {
    c.moved(s(now), MUSIC, 1, Progress { done, total: 100 })
}

fn cancelled(c: &mut Continuous, now: u64) -> Vec<u32> {
    c.expire(s(now)).into_iter().map(|(task, _)| task).collect()
}

#[test]
fn a_transfer_that_moves_nothing_for_ten_minutes_is_cancelled() {
    let mut c = transfer();
    assert_eq!(c.due(), Some(s(600)));
    assert_eq!(moved(&mut c, 500, 40), Ok(()));
    assert_eq!(c.due(), Some(s(1100)));
    assert!(cancelled(&mut c, 1099).is_empty());
    assert_eq!(cancelled(&mut c, 1100), [1]);
    assert!(c.going_on().is_empty());
    assert_eq!((c.due(), moved(&mut c, 1101, 41)), (None, Err(NotMoved::NoTask)));
}

#[test]
fn to_say_the_same_again_is_no_progress() {
    let mut c = transfer();
    assert_eq!(moved(&mut c, 1, 0), Ok(()));
    assert_eq!(c.due(), Some(s(600)), "nothing of it is done");
    assert_eq!(moved(&mut c, 100, 7), Ok(()));
    assert_eq!(moved(&mut c, 699, 7), Ok(()));
    assert_eq!(cancelled(&mut c, 700), [1]);
}

#[test]
fn only_transfers_have_progress_each_instance_its_own_and_none_more_than_all() {
    let mut c = transfer();
    assert_eq!(c.begin(s(0), asking(None), AudioPlayback, "plays"), Ok(2));
    let half = Progress { done: 1, total: 2 };
    assert_eq!(c.moved(s(1), MUSIC, 2, half), Err(NotMoved::NoTransfer));
    assert_eq!(c.moved(s(1), InstanceId(2), 1, half), Err(NotMoved::NoTask));
    assert_eq!(c.moved(s(1), MUSIC, 1, Progress { done: 3, total: 2 }), Err(NotMoved::TooMuch));
    assert_eq!(c.moved(s(1), MUSIC, 1, Progress { done: 3, total: 0 }), Ok(()), "nobody knows");
    assert_eq!(cancelled(&mut c, 601), [1]);
    assert!(cancelled(&mut c, 1 << 30).is_empty(), "what plays goes on");
}

proptest! {
    #[test]
    fn no_transfer_goes_on_for_long_without_progress(
        steps in prop::collection::vec((0..5_u64, 0..1200_u64), 1..100),
    ) {
        let mut c = transfer();
        let (mut now, mut last, mut before) = (Duration::ZERO, Duration::ZERO, 0);
        for (done, seconds) in steps {
            now += s(seconds);
            let over = !c.expire(now).is_empty();
            prop_assert_eq!(over, now >= last + STALL);
            if over {
                break;
            }
            prop_assert_eq!(c.moved(now, MUSIC, 1, Progress { done, total: 0 }), Ok(()));
            if done != before {
                (last, before) = (now, done);
            }
        }
    }
}
