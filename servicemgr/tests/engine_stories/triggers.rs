//! What starts a service besides the boot, and services that are skipped or bound outside.

use servicemgr::engine::{Ask, State};

use crate::story::Story;

#[test]
fn a_service_on_demand_is_armed_at_boot_and_the_boot_does_not_wait_for_it() {
    let mut s = Story::new("+ssh demand\n +b after ssh");
    assert_eq!(s.play("boot up:b"), "arm ssh, spawn b, settled");
    assert_eq!(s.state("ssh"), State::Off);
    assert_eq!(s.play("trigger:ssh up:ssh trigger:ssh"), "spawn ssh", "once is enough");
    assert_eq!(s.play("ok:ssh"), "arm ssh");
    assert_eq!(
        s.play("trigger:ssh up:ssh stop:ssh ok:ssh"),
        "spawn ssh, term ssh, hush ssh, arm ssh, 1 done"
    );
}

#[test]
fn what_stood_there_before_a_person_stopped_it_does_not_start_it_again() {
    let mut s = Story::at("+a demand\n +b demand requires a", "boot trigger:b up:a up:b");
    assert_eq!(s.play("stop:a ok:b"), "term b, hush b, arm b, term a");
    assert_eq!(s.play("ok:a"), "hush a, arm a, 1 done");
    assert!(s.life("a").hushed && s.life("b").hushed);
    assert_eq!(s.play("trigger:a up:a"), "spawn a", "something came");
    assert!(!s.life("a").hushed);
    assert_eq!(s.play("quiet:a ok:a"), "term a, arm a", "nobody stopped it");
    assert_eq!(s.play("stop:a start:a up:a"), "2 done, spawn a, 3 done");
    assert!(!s.life("a").hushed);
}

#[test]
fn who_requires_a_service_on_demand_really_starts_it() {
    let mut s = Story::new("+db demand\n +app requires db");
    assert_eq!(s.play("boot up:db up:app"), "arm db, spawn db, spawn app, settled");
    assert!(s.life("db").armed);
    assert_eq!(s.play("quiet:db"), "", "app uses it");
    assert_eq!(s.play("stop:app ok:app quiet:db"), "term app, 1 done, term db");
    assert_eq!(s.play("ok:db"), "arm db");
}

#[test]
fn a_trigger_during_the_stop_starts_it_again_after_that() {
    let mut s = Story::at("+a demand", "boot trigger:a up:a quiet:a");
    assert_eq!(s.play("trigger:a"), "");
    assert_eq!(s.play("ok:a up:a"), "spawn a");
}

#[test]
fn one_that_has_failed_is_not_triggered_until_it_is_reset_or_started() {
    let mut s = Story::at("+a demand restart never", "boot trigger:a up:a");
    assert_eq!(s.play("fail:a"), "disarm a");
    assert_eq!(s.reason("a"), "exit status 3; nothing triggers it until it is started or reset");
    assert_eq!(s.play("trigger:a reset:a"), "arm a, 1 done");
    assert_eq!(
        s.play("trigger:a up:a fail:a start:a up:a"),
        "spawn a, disarm a, arm a, spawn a, 2 done"
    );
}

#[test]
fn work_that_was_done_well_does_not_count_against_a_later_failure() {
    let mut s = Story::at("+a demand", "boot");
    for _ in 0..9 {
        assert_eq!(s.play("trigger:a up:a ok:a"), "spawn a, arm a");
    }
    assert_eq!(s.play("trigger:a up:a fail:a +99"), "spawn a");
    assert_eq!(s.play("+1"), "spawn a", "the first wait, not the ninth");
}

#[test]
fn disarm_and_arm_are_requests_of_their_own() {
    let mut s = Story::at("+a demand\n b", "boot");
    assert_eq!(s.play("disarm:a trigger:a"), "disarm a, 1 done");
    assert_eq!(s.play("arm:b trigger:b"), "arm b, 2 done, spawn b");
    assert_eq!(s.play("down ok:b"), "disarm b, term b, all down");
}

#[test]
fn a_trigger_takes_down_what_conflicts_or_fails_with_the_contradiction() {
    let mut s = Story::at("+a demand conflicts b\n +b", "boot up:b");
    assert_eq!(s.play("trigger:a ok:b up:a"), "term b, spawn a");
    let mut s = Story::at("+a demand requires c conflicts c\n c", "boot");
    assert_eq!(s.play("trigger:a"), "disarm a");
    assert!(s.reason("a").starts_with("cannot start a: it conflicts with c, which it needs;"));
}

#[test]
fn the_sockets_of_an_armed_service_are_closed_while_one_it_conflicts_with_is_up() {
    let mut s = Story::at("+a demand\n b conflicts a restart never", "boot");
    assert!(!s.engine.foe_is_up(s.id("a")));
    assert_eq!(s.play("start:b up:b"), "spawn b, 1 done", "nothing else of it is disarmed");
    assert!(s.engine.foe_is_up(s.id("a")));
    s.engine.changed();
    assert_eq!(s.play("fail:b"), "listen a");
    assert!(s.engine.changed().contains(&s.id("a")));
    assert_eq!(s.play("start:b up:b trigger:a ok:b up:a"), "spawn b, 2 done, term b, spawn a");
    assert_eq!(s.play("ok:a"), "arm a");
}

#[test]
fn a_trigger_of_done_work_does_it_again() {
    let mut s = Story::at("+a oneshot demand", "boot trigger:a up:a ok:a");
    assert_eq!(s.state("a"), State::Done);
    assert_eq!(s.play("start:a"), "1 done");
    assert_eq!(s.play("trigger:a"), "spawn a");
}

#[test]
fn a_new_servicemgr_watches_again_what_was_armed() {
    let mut s = Story::at("+a demand\n +b demand restart never", "boot trigger:b up:b fail:b");
    s.adopt();
    assert_eq!(s.play("+0"), "arm a", "b has failed");
    assert_eq!(s.play("trigger:a"), "spawn a");
}

#[test]
fn a_skipped_service_counts_as_done_and_a_later_start_tries_again() {
    let mut s = Story::new("+a on-success c\n +b requires a\n c");
    assert_eq!(s.play("boot skip:a up:b"), "spawn a, spawn b, settled");
    assert_eq!((s.state("a"), s.reason("a").as_str()), (State::Done, "skipped: /x is not there"));
    assert_eq!(s.dry(Ask::Start, "a"), "stop [] start [a]");
    assert_eq!(s.play("start:a ok:b up:a"), "term b, spawn a, spawn b, 1 done");
    assert_eq!(s.reason("a"), "");
    let mut s = Story::at("+a before-start 1", "boot");
    assert_eq!(s.play("skip:a"), "settled", "conditions come before its commands");
}

#[test]
fn one_whose_device_is_gone_stops_and_has_not_failed() {
    let mut s = Story::at(
        "+modem demand restart always\n +dialer requires modem",
        "boot up:modem up:dialer",
    );
    assert_eq!(s.play("unbound:modem ok:dialer ok:modem"), "term dialer, term modem, arm modem");
    assert_eq!(
        (s.state("modem"), s.reason("modem").as_str()),
        (State::Off, "stopped: its device is gone")
    );
    assert_eq!(
        s.play("trigger:modem up:modem"),
        "spawn modem, spawn dialer",
        "dialer wants to run"
    );
}

#[test]
fn an_idle_service_waits_for_the_rest_of_the_boot_or_five_seconds() {
    let mut s = Story::new("+getty idle\n +slow notify\n +quick");
    assert_eq!(s.play("boot up:quick up:slow"), "spawn quick, spawn slow");
    assert_eq!(s.play("+1000 ready:slow up:getty"), "spawn getty, settled");
    let mut s = Story::new("+getty idle\n +slow notify");
    assert_eq!(s.play("boot up:slow +4999"), "spawn slow");
    assert_eq!(s.play("+1 up:getty"), "spawn getty");
    assert_eq!(
        s.play("stop:getty ok:getty start:getty"),
        "term getty, 1 done",
        "the boot is not over"
    );
    assert_eq!(s.play("ready:slow"), "spawn getty, settled");
    let mut s = Story::new("+a idle\n +b idle after a");
    assert_eq!(s.play("boot up:a up:b"), "spawn a, spawn b, settled", "nor for each other");
}
