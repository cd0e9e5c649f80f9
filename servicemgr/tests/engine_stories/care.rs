//! Watchdogs, health, time-outs that move, freezing, critical services, jitter.

use std::time::Duration;

use servicemgr::engine::State;

use crate::story::Story;

#[test]
fn a_service_that_does_not_say_in_time_that_it_is_alive_is_aborted_and_starts_again() {
    let mut s = Story::at("+a notify watchdog 1000 to-stop 1", "boot up:a ready:a");
    assert_eq!(s.play("+900 alive:a +900 alive:a +999"), "");
    assert_eq!(s.play("+1"), "abort a");
    assert_eq!(s.reason("a"), "did not say that it is alive for 1s");
    assert_eq!(s.play("kill:a +100"), "spawn a");
    assert_eq!(s.reason("a"), "did not say that it is alive for 1s", "until it is ready");
}

#[test]
fn one_that_survives_the_abort_is_killed_and_those_it_left_are_told_to_end() {
    let mut s = Story::at("+a watchdog 1000", "boot up:a +1000");
    assert_eq!(s.play("+10000"), "kill a");
    let mut s = Story::at("+a watchdog 1000", "boot up:a +1000");
    assert_eq!(s.play("rest:a"), "term a");
    assert_eq!(s.play("empty:a"), "");
    assert_eq!(s.state("a"), State::Backoff);
}

#[test]
fn a_service_chooses_its_watchdog_itself_and_a_new_servicemgr_remembers() {
    let mut s = Story::at("+a", "boot up:a +60000");
    assert_eq!(s.play("watch:a=500 +499 alive:a"), "");
    s.adopt();
    s.now += Duration::from_millis(5000);
    assert_eq!(s.play("up:a +499"), "", "nobody knows what it said meanwhile");
    assert_eq!(s.play("+1"), "abort a");
    let mut s = Story::at("+a watchdog 500", "boot up:a watch:a=0");
    assert_eq!(s.play("+60000"), "");
}

#[test]
fn one_that_is_not_well_is_stopped_and_starts_again() {
    let mut s = Story::at("+a notify", "boot up:a");
    assert_eq!(s.play("unwell:a"), "", "it is not even up");
    assert_eq!(s.play("ready:a unwell:a"), "settled, term a");
    assert_eq!(s.play("ok:a +100"), "spawn a");
    assert_eq!(s.reason("a"), "the probe failed");
}

#[test]
fn more_time_is_given_for_a_start_a_stop_and_a_reload_and_never_less() {
    let mut s = Story::at("+a notify reload command", "boot up:a +29000 extend:a=5000 +4999");
    assert_eq!(s.state("a"), State::Starting);
    assert_eq!(
        s.play("extend:a=0 ready:a reload:a extend:a=60000 +59999"),
        "settled, run a to reload 1"
    );
    assert_eq!(s.play("cmd:a stop:a +9999 extend:a=1000 +999"), "1 done, term a");
    assert_eq!(s.play("+1"), "kill a");
    assert_eq!(s.play("extend:a=60000 +10000"), "2 done", "after the kill it has no more wishes");
    let mut s = Story::at("+a notify", "boot up:a extend:a=999999999 +3599999");
    assert_eq!(s.state("a"), State::Starting);
    assert_eq!(s.play("+1"), "term a", "an hour at most");
}

#[test]
fn a_frozen_service_has_all_the_time_and_a_stop_thaws_it() {
    let mut s = Story::at("+a notify watchdog 1000\n +b notify\n c", "boot up:a up:b ready:a +600");
    assert_eq!(s.play("freeze:a freeze:b freeze:a"), "freeze a, 1 done, freeze b, 2 done, 3 done");
    assert_eq!((s.play("+99999"), s.engine.deadline()), (String::new(), None));
    assert_eq!(s.play("freeze:c"), "4 refused: cannot freeze c: it does not run");
    assert_eq!(s.play("thaw:a +399"), "thaw a, 5 done");
    assert_eq!(s.play("+1"), "abort a", "the rest of its second");
    assert_eq!(s.play("stop:b"), "thaw b, term b");
}

#[test]
fn a_frozen_service_that_is_killed_leaves_nothing_frozen() {
    let mut s = Story::at("+a", "boot up:a freeze:a");
    s.adopt();
    assert_eq!(s.play("kill:a"), "thaw a");
    assert_eq!(s.life("a").frozen, None);
}

#[test]
fn a_critical_service_that_fails_too_often_says_so_once() {
    let mut s = Story::at("+a critical 3", "boot up:a");
    assert_eq!(s.play("fail:a +100 up:a kill:a +200 up:a"), "spawn a, spawn a");
    assert_eq!(s.play("fail:a +400 up:a fail:a"), "critical a, spawn a");
    let mut s =
        Story::at("+a critical 2 restart always", "boot up:a ok:a +100 up:a ok:a +200 up:a");
    assert_eq!(s.play("fail:a"), "", "a good end is no failure");
    assert_eq!(s.play("+300000"), "spawn a");
    assert_eq!(s.play("up:a fail:a"), "", "the first is too long ago");
}

#[test]
fn jitter_makes_a_wait_longer_by_a_part_and_always_the_same() {
    let wait = |name: &str| {
        let s = Story::at(&format!("+{name} jitter 50"), &format!("boot up:{name} fail:{name}"));
        s.engine.deadline().expect("it waits").as_millis()
    };
    let waits = [wait("a"), wait("b"), wait("c"), wait("d")];
    assert!(waits.iter().all(|ms| (100..=150).contains(ms)), "{waits:?}");
    assert!(waits.iter().any(|ms| *ms != waits[0]), "{waits:?}");
    assert_eq!(wait("a"), waits[0]);
}

#[test]
fn a_reset_forgets_the_failures() {
    let mut s = Story::new("+a");
    s.play("boot");
    for _ in 0..5 {
        s.play("up:a fail:a +10000");
    }
    assert_eq!(s.state("a"), State::Failed);
    assert_eq!(s.play("reset:a"), "1 done");
    assert_eq!((s.state("a"), s.reason("a").as_str(), s.life("a").restarts), (State::Off, "", 0));
}

#[test]
fn the_chart_knows_when_each_settled_and_how_long_a_stop_took() {
    let mut s =
        Story::at("+a notify restart never\n +b", "boot up:a up:b +7 fail:a +10 stop:b +5 ok:b");
    let ms = |ms| Some(Duration::from_millis(ms));
    assert_eq!(s.life("a").times.settled, ms(7));
    let times = s.life("b").times;
    assert_eq!((times.settled, times.leaving, times.gone), (ms(0), ms(17), ms(22)));
    assert_eq!(s.play("start:a"), "spawn a");
    assert_eq!(s.life("a").times.settled, ms(7), "the first time counts");
}
