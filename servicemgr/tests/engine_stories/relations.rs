//! Relations: targets, before, binds, conflicts, part-of, on-failure, on-success, transactions.

use servicemgr::engine::{Ask, State};

use crate::story::Story;

#[test]
fn a_target_has_no_process_and_is_ready_when_all_it_pulls_in_is_settled() {
    let mut s = Story::new(
        "+shop target requires till wants radio\n till notify\n radio notify restart never",
    );
    assert_eq!(s.play("boot up:till up:radio"), "spawn till, spawn radio");
    assert_eq!(s.play("ready:till fail:radio"), "settled");
    assert_eq!(s.state("shop"), State::Ready);
    assert_eq!(s.play("stop:till"), "term till", "the target goes at once");
    assert_eq!(s.state("shop"), State::Off);
    assert_eq!(s.play("ok:till down"), "1 done, all down");
}

#[test]
fn before_is_after_turned_round_both_ways() {
    let mut s = Story::new("+a\n +b notify before a");
    assert_eq!(s.play("boot up:b"), "spawn b");
    assert_eq!(s.play("ready:b up:a"), "spawn a, settled");
    assert_eq!(s.play("down"), "term a");
    assert_eq!(s.play("ok:a"), "term b");
}

#[test]
fn before_alone_does_not_pull_in_and_waits_for_nobody() {
    let mut s = Story::new("a\n +b before a");
    assert_eq!(s.play("boot up:b"), "spawn b, settled");
    assert_eq!(s.state("a"), State::Off);
}

#[test]
fn one_that_is_bound_ends_with_the_other_and_does_not_come_back_with_it() {
    let mut s = Story::at(
        "+disk\n +mount binds disk\n +app requires mount",
        "boot up:disk up:mount up:app",
    );
    assert_eq!(s.play("kill:disk"), "term app");
    assert_eq!(s.play("ok:app"), "term mount");
    assert_eq!(s.play("ok:mount +100 up:disk"), "spawn disk");
    assert_eq!(s.state("mount"), State::Off);
    assert_eq!(s.reason("mount"), "requires disk, which has ended");
    assert_eq!(s.reason("app"), "requires mount, which has ended");
    assert_eq!(
        s.play("start:mount up:mount"),
        "spawn mount, spawn app, 1 done",
        "app wants to run"
    );
}

#[test]
fn a_restart_of_the_other_leaves_the_bound_one_and_its_users_off() {
    let mut s = Story::at(
        "+disk\n +mount binds disk\n +app requires mount",
        "boot up:disk up:mount up:app",
    );
    assert_eq!(s.dry(Ask::Restart, "disk"), "stop [app mount disk] start [disk]");
    assert_eq!(
        s.play("restart:disk ok:app ok:mount ok:disk up:disk"),
        "term app, term mount, term disk, spawn disk, 1 done"
    );
    assert_eq!((s.state("mount"), s.state("app")), (State::Off, State::Off));
}

#[test]
fn a_start_stops_what_conflicts_and_its_users_and_waits_for_their_end() {
    let mut s =
        Story::at("+kiosk\n +menu requires kiosk\n desk conflicts kiosk", "boot up:kiosk up:menu");
    assert_eq!(s.dry(Ask::Start, "desk"), "stop [menu kiosk] start [desk]");
    assert_eq!(s.play("start:desk"), "term menu");
    assert_eq!(s.play("ok:menu"), "term kiosk");
    assert_eq!(s.play("ok:kiosk up:desk"), "spawn desk, 1 done");
    assert_eq!(s.play("start:kiosk"), "term desk", "it works both ways");
    assert_eq!(s.play("ok:desk up:kiosk"), "spawn kiosk, 2 done");
    assert_eq!(s.state("menu"), State::Off);
}

#[test]
fn what_conflicts_does_not_come_back_by_its_restart_policy() {
    let mut s = Story::at("+kiosk\n desk conflicts kiosk", "boot up:kiosk fail:kiosk");
    assert_eq!(s.state("kiosk"), State::Backoff);
    assert_eq!(s.play("start:desk up:desk +60000"), "spawn desk, 1 done");
    assert_eq!(s.state("kiosk"), State::Off);
}

#[test]
fn a_request_that_contradicts_itself_is_refused_whole_with_a_sentence() {
    let text = "player requires display,kiosk\n display\n kiosk conflicts display";
    let mut s = Story::new(text);
    let why =
        "cannot start player: it needs kiosk, which conflicts with display, which it needs too";
    assert_eq!(s.dry(Ask::Start, "player"), why);
    assert_eq!(s.play("start:player"), format!("1 refused: {why}"));
    assert_eq!(s.play("start:display up:display"), "spawn display, 2 done", "nothing was changed");
    assert_eq!(
        s.play("start:player"),
        "3 refused: cannot start player: it goes down with display, which conflicts with kiosk, which it needs too"
    );
    assert_eq!(s.state("display"), State::Ready);
}

#[test]
fn several_that_are_asked_for_together_start_together_or_not_at_all() {
    let mut s = Story::new("a notify\n b\n c conflicts a");
    assert_eq!(s.play("start:a,b"), "spawn a, spawn b", "b does not wait for a");
    assert_eq!(s.play("up:a up:b fail:a"), "2 done, 1 failed: exit status 3");
    let mut s = Story::new("a\n b\n c conflicts a");
    assert_eq!(
        s.play("start:b,c,a"),
        "1 refused: cannot start a: it conflicts with c, which starts too, \
         2 refused: cannot start a: it conflicts with c, which starts too, \
         3 refused: cannot start a: it conflicts with c, which starts too"
    );
    assert_eq!(s.dry(Ask::Start, "c,a"), "cannot start a: it conflicts with c, which starts too");
    let text = "a requires b\n b\n c";
    let mut s = Story::at(text, "start:a up:b up:a start:c up:c");
    assert_eq!(s.play("restart:b,c ok:c up:c"), "term a, term c, spawn c, 4 done");
    assert_eq!(s.play("ok:a ok:b up:b up:a"), "term b, spawn b, spawn a, 3 done");
    assert_eq!(
        s.play("stop:b,c,b ok:c ok:a ok:b"),
        "term a, term c, 6 done, term b, 5 done, 7 done"
    );
}

#[test]
fn one_that_conflicts_with_what_it_needs_can_never_start() {
    let s = Story::new("a requires b conflicts b\n b\n c wants d\n d conflicts c");
    assert_eq!(s.dry(Ask::Start, "a"), "cannot start a: it conflicts with b, which it needs");
    assert_eq!(s.dry(Ask::Start, "c"), "cannot start c: it conflicts with d, which it needs");
}

#[test]
fn of_two_enabled_ones_that_conflict_the_first_by_name_starts_and_nobody_else_suffers() {
    let mut s = Story::new(
        "+a requires x\n +b conflicts a wants c\n +c\n +d requires y\n x\n y conflicts x",
    );
    assert_eq!(s.play("boot"), "spawn x, spawn c");
    assert_eq!(s.play("up:c up:x up:a"), "spawn a, settled");
    assert_eq!(s.reason("b"), "cannot start b: it conflicts with a, which starts too");
    assert_eq!(
        s.reason("d"),
        "cannot start d: it needs y, which conflicts with x, which starts too"
    );
    assert_eq!(s.state("c"), State::Ready);
}

#[test]
fn stop_and_restart_reach_the_parts_and_a_restart_brings_back_only_what_was_up() {
    let mut s = Story::at("+web\n +worker part-of web\n cron part-of web", "boot up:web up:worker");
    assert_eq!(s.dry(Ask::Restart, "web"), "stop [web worker] start [web worker]");
    assert_eq!(s.play("restart:web"), "term web, term worker", "parts have no order");
    assert_eq!(s.play("ok:worker up:worker ok:web up:web"), "spawn worker, spawn web, 1 done");
    assert_eq!(s.play("stop:web ok:web ok:worker"), "term web, term worker, 2 done");
    assert_eq!(s.play("start:web up:web"), "spawn web, 3 done", "a start does not");
    assert_eq!(
        s.play("start:worker up:worker kill:web +100 up:web"),
        "spawn worker, 4 done, spawn web",
        "nor does a crash"
    );
}

#[test]
fn a_restart_of_the_whole_does_not_bring_back_a_part_that_was_being_stopped() {
    let mut s = Story::at("+web\n +worker part-of web", "boot up:web up:worker stop:worker");
    assert_eq!(s.play("restart:web ok:worker"), "term web, 1 done");
}

#[test]
fn a_handler_starts_when_a_service_has_failed_for_good_and_not_before() {
    let mut s = Story::new("+a restart never on-failure alarm\n alarm passing");
    assert_eq!(s.play("boot up:a fail:a"), "spawn a, settled, spawn alarm");
    assert_eq!(s.play("up:alarm start:a up:a fail:a"), "spawn a, 1 done", "it is still at work");
    assert_eq!(s.play("ok:alarm start:a up:a fail:a"), "spawn a, 2 done, spawn alarm");
    let mut s = Story::new("+a on-failure alarm\n alarm");
    assert_eq!(s.play("boot up:a fail:a"), "spawn a, settled");
    assert_eq!(s.state("alarm"), State::Off, "it starts again by itself");
}

#[test]
fn handlers_that_fail_do_not_start_each_other_for_ever() {
    let mut s = Story::new("+a restart never on-failure b\n b restart never on-failure a");
    assert_eq!(s.play("boot up:a fail:a"), "spawn a, settled, spawn b");
    assert_eq!(s.play("up:b fail:b"), "");
    assert_eq!(
        s.play("start:b up:b fail:b"),
        "spawn b, 1 done, spawn a",
        "a person starts it anew"
    );
}

#[test]
fn a_handler_that_requires_what_failed_fails_too_and_does_not_try_it_for_ever() {
    let mut s = Story::new("+a restart never on-failure h\n h requires a");
    assert_eq!(s.play("boot nope:a"), "spawn a, settled");
    assert_eq!(s.reason("h"), "requires a, which failed: exec /x: No such file");
}

#[test]
fn nobody_handles_a_failure_while_the_device_goes_down() {
    let mut s = Story::at("+a notify restart never on-failure b\n b", "boot up:a ready:a down");
    assert_eq!(s.play("+10000 +10000"), "kill a, all down");
    assert_eq!((s.state("a"), s.state("b")), (State::Failed, State::Off));
}

#[test]
fn work_done_well_starts_the_next_and_a_stop_by_request_does_not() {
    let mut s =
        Story::new("+fetch passing on-success unpack\n unpack oneshot on-success run\n run");
    assert_eq!(s.play("boot up:fetch ok:fetch up:unpack"), "spawn fetch, spawn unpack, settled");
    assert_eq!(s.play("ok:unpack up:run"), "spawn run");
    let mut s = Story::at("+a on-success b\n b", "boot up:a stop:a ok:a");
    assert_eq!(s.state("b"), State::Off);
    assert_eq!(s.play("start:a up:a ok:a"), "spawn a, 2 done, spawn b", "an end by itself does");
}

#[test]
fn a_person_starts_what_has_failed_together_with_what_requires_it() {
    let mut s = Story::at("+a restart never\n +b requires a", "boot nope:a");
    assert_eq!(s.play("start:b up:a up:b"), "spawn a, spawn b, 1 done");
}

#[test]
fn a_oneshot_that_does_not_remain_is_needed_once() {
    let mut s = Story::new("+b requires a\n a passing");
    assert_eq!(s.play("boot up:a"), "spawn a");
    assert_eq!(s.play("ok:a up:b"), "spawn b, settled");
    assert_eq!((s.state("a"), s.state("b")), (State::Off, State::Ready));
    assert_eq!(s.play("start:a up:a ok:a"), "spawn a, 1 done", "and b is left alone");
    let mut s = Story::at("+b requires a\n a passing restart never", "boot up:a fail:a");
    assert_eq!(s.reason("b"), "requires a, which failed: exit status 3");
    assert_eq!(s.play("start:a up:a ok:a"), "spawn a, spawn b, 1 done", "it comes by itself");
}

#[test]
fn a_dependent_whose_need_came_up_late_starts_by_itself() {
    let mut s = Story::new("+app requires db\n db notify restart never");
    assert_eq!(s.play("boot up:db +30000 ok:db"), "spawn db, term db, settled");
    assert_eq!(s.state("app"), State::Failed);
    assert_eq!(s.play("start:db up:db +20000 ready:db up:app"), "spawn db, spawn app, 1 done");
}

#[test]
fn a_dry_run_is_in_order_and_changes_nothing() {
    let mut s = Story::new("app requires db,net\n db requires disk\n disk\n net\n ui wants app");
    assert_eq!(s.dry(Ask::Start, "ui"), "stop [] start [disk db net app ui]");
    s.play("start:ui up:disk up:net up:db up:app up:ui");
    assert_eq!(s.dry(Ask::Stop, "disk"), "stop [app db disk] start []");
    assert_eq!(s.dry(Ask::Restart, "db"), "stop [app db] start [db app]");
    assert_eq!(s.state("disk"), State::Ready);
}
