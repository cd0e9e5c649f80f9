//! Starting in order, failing, coming back, going down.

use std::time::Duration;

use servicemgr::engine::{Action, End, Engine, Event, Reason, State};

use crate::story::Story;

const TV: &str = "
    +display requires network
    logger notify
    network notify requires logger
";

fn tv() -> Story {
    let mut story = Story::new(TV);
    story.play("boot up:logger ready:logger up:network ready:network up:display");
    story
}

#[test]
fn services_start_when_what_they_require_is_ready() {
    let mut s = Story::new(TV);
    assert_eq!(s.play("boot up:logger"), "spawn logger");
    assert_eq!(s.play("ready:logger up:network"), "spawn network");
    assert_eq!(s.play("ready:network up:display"), "spawn display, settled");
}

#[test]
fn a_service_nobody_pulls_in_stays_off() {
    let mut s = Story::new("+a\n b");
    assert_eq!(s.play("boot up:a"), "spawn a, settled");
    assert_eq!(s.state("b"), State::Off);
}

#[test]
fn an_empty_boot_is_settled_at_once() {
    assert_eq!(Story::new("a").play("boot"), "settled");
}

#[test]
fn a_lost_need_stops_its_users_first_to_last_and_brings_them_back() {
    let mut s = tv();
    assert_eq!(s.play("fail:logger"), "term display", "the user of a user goes first");
    assert_eq!(s.play("ok:display"), "term network");
    assert_eq!(s.play("+100"), "", "logger waits until those who require it are gone");
    assert_eq!(s.play("ok:network up:logger"), "spawn logger");
    assert_eq!(s.play("ready:logger up:network ready:network"), "spawn network, spawn display");
}

#[test]
fn a_failed_need_fails_its_users_with_the_first_cause() {
    let mut s = Story::new(TV);
    s.play("boot");
    for _ in 0..5 {
        s.play("nope:logger +60000");
    }
    let why = "given up after 5 starts; the last one: exec /x: No such file";
    assert_eq!(s.reason("logger"), why);
    assert_eq!(s.reason("network"), format!("requires logger, which failed: {why}"));
    assert_eq!(
        s.reason("display"),
        format!("requires network, which needs logger, which failed: {why}")
    );
}

#[test]
fn what_its_sandbox_keeps_from_starting_is_not_tried_again_until_somebody_asks() {
    let mut s = Story::new("+a\n +b requires a");
    assert_eq!(s.play("boot unheld:a"), "spawn a, settled");
    assert_eq!((s.state("a"), s.state("b")), (State::Failed, State::Failed));
    assert_eq!(s.reason("a"), "sandbox: this kernel has no landlock-6");
    assert_eq!(s.play("+600000"), "");
    assert_eq!(s.play("start:a up:a"), "spawn a, spawn b, 1 done");
}

#[test]
fn users_that_failed_for_a_need_come_back_with_it() {
    let mut s = Story::new("+a restart never\n +b requires a");
    assert_eq!(s.play("boot nope:a"), "spawn a, settled");
    assert_eq!(s.state("b"), State::Failed);
    assert_eq!(s.play("start:a up:a"), "spawn a, spawn b, 1 done");
}

#[test]
fn wants_and_after_only_order_and_a_failure_of_theirs_is_not_ours() {
    let mut s =
        Story::new("+a wants b after c\n b notify restart never\n +c oneshot restart never");
    assert_eq!(s.play("boot up:b up:c"), "spawn b, spawn c");
    assert_eq!(s.play("fail:b"), "");
    assert_eq!(s.play("fail:c"), "spawn a");
}

#[test]
fn after_alone_does_not_pull_in() {
    let mut s = Story::new("+a after b\n b");
    assert_eq!(s.play("boot up:a"), "spawn a, settled");
}

#[test]
fn a_oneshot_is_done_without_a_process_and_runs_again_after_its_need_was_lost() {
    let mut s = Story::new("+a notify\n +b oneshot requires a\n +c requires b");
    assert_eq!(s.play("boot up:a ready:a up:b ok:b up:c"), "spawn a, spawn b, spawn c, settled");
    assert_eq!(s.state("b"), State::Done);
    assert_eq!(s.play("kill:a ok:c +100 up:a ready:a"), "term c, spawn a, spawn b");
}

#[test]
fn the_wait_doubles_and_a_long_life_forgets_it() {
    let mut s = Story::new("+a");
    s.play("boot up:a fail:a");
    assert_eq!(s.engine.deadline(), Some(Duration::from_millis(100)));
    s.play("+100 up:a fail:a");
    assert_eq!(s.engine.deadline(), Some(Duration::from_millis(300)), "100 passed, 200 to wait");
    s.play("+200 up:a +70000 fail:a");
    assert_eq!(s.engine.deadline(), Some(s.now + Duration::from_millis(100)));
}

#[test]
fn the_fifth_fall_within_the_window_is_the_last() {
    let mut s = Story::new("+a");
    s.play("boot");
    for _ in 0..4 {
        assert_eq!(s.play("up:a fail:a +10000").matches("spawn").count(), 1);
    }
    assert_eq!(s.play("up:a fail:a +10000"), "");
    assert_eq!(s.reason("a"), "given up after 5 starts; the last one: exit status 3");
    assert_eq!(s.play("start:a up:a"), "spawn a, 1 done", "a person may try again");
}

#[test]
fn the_restart_policy_decides_after_a_good_and_a_bad_end() {
    for (policy, end, state) in [
        ("restart never", "ok", State::Off),
        ("restart never", "fail", State::Failed),
        ("", "ok", State::Off),
        ("", "fail", State::Backoff),
        ("restart always", "ok", State::Backoff),
    ] {
        let mut s = Story::new(&format!("+a {policy}"));
        s.play(&format!("boot up:a {end}:a"));
        assert_eq!(s.state("a"), state, "{policy} {end}");
    }
}

#[test]
fn a_start_that_takes_too_long_is_terminated_then_killed() {
    let mut s = Story::new("+a notify restart never");
    s.play("boot up:a");
    assert_eq!(s.play("+29999"), "");
    assert_eq!(s.play("+1"), "term a");
    assert_eq!(s.play("+10000"), "kill a");
    assert_eq!(s.play("kill:a"), "settled");
    assert_eq!(s.reason("a"), "not ready within 30s");
}

#[test]
fn a_process_that_not_even_a_kill_ends_does_not_hold_up_the_rest() {
    let mut s = Story::new("+a\n +b requires a");
    s.play("boot up:a up:b down");
    assert_eq!(s.play("+10000 +10000"), "kill b, term a");
    assert_eq!(s.reason("b"), "its processes do not end, not even by SIGKILL");
    assert_eq!(s.play("ok:a"), "all down");
}

#[test]
fn processes_left_by_the_main_one_are_ended_before_the_next_start() {
    let mut s = Story::new("+a");
    assert_eq!(s.play("boot up:a rest:a"), "spawn a, settled, term a");
    assert_eq!(s.play("+5000"), "");
    assert_eq!(s.play("+5000"), "kill a");
    assert_eq!(s.play("empty:a +99"), "");
    assert_eq!(s.play("+1"), "spawn a");
}

#[test]
fn a_stop_by_a_person_takes_the_users_along_and_they_stay_off() {
    let mut s = tv();
    assert_eq!(s.play("stop:network"), "term display");
    assert_eq!(s.play("ok:display"), "term network");
    assert_eq!(s.play("ok:network"), "1 done");
    assert_eq!((s.state("logger"), s.state("display")), (State::Ready, State::Off));
    assert_eq!(s.play("start:network up:network ready:network"), "spawn network, 2 done");
    assert_eq!(s.state("display"), State::Off);
}

#[test]
fn a_restart_by_a_person_brings_the_users_back() {
    let mut s = tv();
    assert_eq!(
        s.play("restart:network ok:display ok:network up:network"),
        "term display, term network, spawn network"
    );
    assert_eq!(s.play("ready:network up:display"), "spawn display, 1 done");
}

#[test]
fn a_request_is_answered_when_its_job_ends() {
    let mut s = Story::new("a notify restart never\n b requires a");
    assert_eq!(s.play("start:b"), "spawn a");
    assert_eq!(s.play("up:a fail:a"), "1 failed: requires a, which failed: exit status 3");
    assert_eq!(s.play("start:a up:a stop:a"), "spawn a, 2 Replaced, term a");
    assert_eq!(s.play("ok:a"), "3 done");
    assert_eq!(s.play("stop:a"), "4 done", "nothing to do is done at once");
}

#[test]
fn going_down_is_the_reverse_of_coming_up_and_the_journal_is_last() {
    let mut s = Story::new("+a\n +b after a\n +c requires b\n +journal notify\n +z");
    s.play("boot up:a up:journal ready:journal up:z up:b up:c");
    assert_eq!(s.play("down"), "term c, term z");
    assert_eq!(s.play("ok:z ok:c"), "term b");
    assert_eq!(s.play("start:a"), "1 GoingDown");
    assert_eq!(s.play("ok:b"), "term a");
    assert_eq!(s.play("ok:a"), "term journal");
    assert_eq!(s.play("ok:journal"), "all down");
}

#[test]
fn the_boot_chart_knows_what_each_waited_for_last() {
    let mut s = Story::new("+a requires b,c\n b notify\n c notify");
    s.play("boot up:b up:c +5 ready:c +5 ready:b +1 up:a");
    let times = s.engine.life(s.id("a")).expect("in the plan").times;
    assert_eq!(times.waited_on, Some(s.id("b")));
    let ms = |ms| Some(Duration::from_millis(ms));
    assert_eq!((times.asked, times.started, times.ready), (ms(0), ms(10), ms(11)));
}

#[test]
fn a_new_engine_goes_on_where_the_last_one_was() {
    let mut s = tv();
    s.play("fail:logger");
    let lives = (0..3).filter_map(|id| Some((id, s.engine.life(id)?.clone()))).collect();
    s.engine = Engine::new(&s.plan);
    s.engine.restore(lives, true, false);
    assert_eq!(s.play("+0"), "");
    assert_eq!(s.play("ok:display"), "term network");
    assert_eq!(s.play("ok:network +100 up:logger ready:logger"), "spawn logger, spawn network");
}

#[test]
fn a_start_begun_by_a_servicemgr_that_died_is_begun_again() {
    let mut s = Story::new("+a notify");
    s.play("boot");
    let life = s.engine.life(0).expect("in the plan").clone();
    s.engine = Engine::new(&s.plan);
    s.engine.restore(vec![(0, life)], false, false);
    let id = s.id("a");
    let actions = s.engine.step(s.now, &Event::Lost(id));
    assert_eq!(actions, [Action::Gone(id), Action::Spawn(id)]);
    assert_eq!(s.play("up:a ready:a"), "settled");
}

#[test]
fn a_start_and_an_end_of_everything_look_at_each_edge_a_few_times() {
    let mut text = String::new();
    for i in 0..1000 {
        let need = if i % 100 == 0 { String::new() } else { format!("requires s{}", i - 1) };
        text.push_str(&format!("+s{i} notify {need}\n"));
    }
    let mut s = Story::new(&text);
    let edges = 990;
    let mut todo: Vec<Action> = s.engine.step(s.now, &Event::Boot);
    let (mut steps, mut spawned) = (1, 0);
    while let Some(action) = todo.pop() {
        let Action::Spawn(id) = action else { continue };
        spawned += 1;
        steps += 2;
        todo.extend(s.engine.step(s.now, &Event::Spawned(id)));
        todo.extend(s.engine.step(s.now, &Event::Ready(id)));
    }
    assert_eq!((spawned, steps), (1000, 2001));
    let up = s.engine.looks();
    assert!(up <= 6 * edges, "{up} looks for {edges} edges");
    assert!(s.engine.booted());
    let mut todo = s.engine.step(s.now, &Event::Down);
    let mut ended = 0;
    while let Some(action) = todo.pop() {
        let Action::Terminate(id) = action else { continue };
        ended += 1;
        let exit = Event::Exited { id, end: End::Status(0), left: false };
        todo.extend(s.engine.step(s.now, &exit));
    }
    assert_eq!(ended, 1000);
    let down = s.engine.looks() - up;
    assert!(down <= 8 * edges, "{down} looks for the way down");
}

#[test]
fn reasons_are_sentences_for_people() {
    let text = |r: Reason| r.to_string();
    assert_eq!(text(Reason::Ended(End::Signal(11))), "killed by SIGSEGV");
    assert_eq!(text(Reason::Ended(End::OutOfMemory)), "killed: over its memory limit");
    assert_eq!(text(Reason::Ended(End::Signal(40))), "killed by SIGRTMIN+6");
}
