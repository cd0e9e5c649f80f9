//! Stories of pages: to the screen, off it, standing still, one in front.

use model::bundle::LaunchMode;

use super::world::{NOTHING, World, ms, page, program, s, want};
use crate::engine::{Caller, Event, Exit, InstanceId, MAX_WANTS, Shortage};

#[test]
fn a_page_is_launched_attaches_and_comes_to_the_screen() {
    let mut w = World::default();
    assert_eq!(w.start(&page("notes")), ["launch 1 notes m1 start"]);
    assert_eq!(w.launched(1), NOTHING);
    assert_eq!(w.state(1), "loading");
    assert_eq!(w.attached(1), ["tell 1 foreground"]);
    assert_eq!(w.state(1), "foregrounding");
    assert_eq!(w.done(1), ["1: 1 m1"]);
    assert_eq!(w.state(1), "foreground");
    assert_eq!(w.after(s(1000)), NOTHING);
}

#[test]
fn a_page_that_attaches_before_its_launch_is_reported_is_there_all_the_same() {
    let mut w = World::default();
    w.start(&page("notes"));
    assert_eq!(w.attached(1), ["tell 1 foreground"]);
    assert_eq!(w.launched(1), NOTHING);
}

#[test]
fn a_page_that_does_not_attach_within_10_s_is_killed() {
    let mut w = World::default();
    w.start(&page("notes"));
    w.launched(1);
    assert_eq!(w.after(ms(9_999)), NOTHING);
    assert_eq!(
        w.after(ms(1)),
        [
            "kill 1 lifecycle-timeout",
            "1: it did not do in time what it was told, and was killed: its log may say more"
        ]
    );
    assert_eq!(w.ended(1, Exit::Signal(9)), ["drop m1"]);
}

#[test]
fn a_page_that_does_not_come_to_the_screen_within_5_s_is_killed_and_its_mission_says_why() {
    let mut w = World::default();
    w.start(&page("notes"));
    w.attached(1);
    assert_eq!(w.after(ms(4_999)), NOTHING);
    let lines = w.after(ms(1));
    assert_eq!(lines.first().map(String::as_str), Some("kill 1 lifecycle-timeout"));
    assert_eq!(w.ended(1, Exit::Signal(9)), NOTHING);
    assert_eq!(w.exit(1), "lifecycle-timeout");
}

#[test]
fn a_page_that_does_not_leave_the_screen_within_3_s_has_left_it() {
    let mut w = World::default();
    let notes = w.in_front(&page("notes"));
    assert_eq!(w.hide(1), ["tell 1 background"]);
    assert_eq!(w.after(ms(2_999)), NOTHING);
    assert_eq!(w.after(ms(1)), ["2: done"]);
    assert_eq!(w.state(notes), "background");
    assert_eq!(w.done_with(notes, b"late"), NOTHING);
}

#[test]
fn what_a_page_saves_on_its_way_off_the_screen_is_kept() {
    let mut w = World::default();
    let notes = w.in_front(&page("notes"));
    w.hide(1);
    assert_eq!(w.done_with(notes, b"line 7"), ["save m1 6 bytes", "2: done"]);
    assert_eq!(w.engine.missions()[0].saved, 6);
}

#[test]
fn state_that_is_too_large_is_not_kept() {
    let mut w = World::default();
    let notes = w.in_front(&page("notes"));
    w.hide(1);
    assert_eq!(w.done_with(notes, &vec![0; api::app::MAX_STATE + 1]), ["2: done"]);
}

#[test]
fn a_page_off_the_screen_stands_still_after_5_s_and_goes_on_when_shown() {
    let mut w = World::default();
    let notes = w.in_front(&page("notes"));
    w.hide(1);
    w.done(notes);
    assert_eq!(w.after(ms(4_999)), NOTHING);
    assert_eq!(w.after(ms(1)), ["freeze 1"]);
    assert_eq!(w.state(notes), "frozen");
    assert_eq!(w.show(1, &page("notes")), ["thaw 1", "tell 1 foreground"]);
    assert_eq!(w.done(notes), ["3: 1 m1 again"]);
}

#[test]
fn a_program_is_in_front_once_launched_and_stands_still_as_soon_as_it_is_hidden() {
    let mut w = World::default();
    assert_eq!(w.start(&program("clock")), ["launch 1 clock m1 start"]);
    assert_eq!(w.launched(1), ["1: 1 m1"]);
    assert_eq!(w.state(1), "foreground");
    assert_eq!(w.hide(1), ["freeze 1", "2: done"]);
    assert_eq!(w.show(1, &program("clock")), ["thaw 1", "3: 1 m1 again"]);
    assert_eq!(w.stop(1), ["terminate 1"]);
    assert_eq!(w.ended(1, Exit::Signal(15)), ["4: done"]);
    assert_eq!(w.exit(1), "requested");
}

#[test]
fn who_is_in_front_stays_until_the_next_one_is_there_and_leaves_before_that_comes() {
    let mut w = World::default();
    let notes = w.in_front(&page("notes"));
    assert_eq!(w.start(&page("mail")), ["launch 2 mail m2 start"]);
    assert_eq!(w.state(notes), "foreground");
    assert_eq!(w.attached(2), ["tell 1 background"]);
    assert_eq!(w.state(2), "background");
    assert_eq!(w.done(1), ["tell 2 foreground"]);
    assert_eq!(w.done(2), ["2: 2 m2"]);
}

#[test]
fn a_page_that_waits_for_its_place_in_front_does_not_stand_still() {
    let mut w = World::default();
    w.start(&page("notes"));
    w.attached(1);
    w.start(&page("mail"));
    w.attached(2);
    assert_eq!(w.after(ms(4_900)), NOTHING);
    assert_eq!(w.done(1), ["1: 1 m1", "tell 1 background"]);
    assert_eq!(w.after(s(3)), ["tell 2 foreground"]);
}

#[test]
fn of_two_that_come_to_the_front_the_last_one_asked_for_does() {
    let mut w = World::default();
    w.start(&page("notes"));
    w.start(&page("mail"));
    assert_eq!(w.attached(1), ["1: 1 m1"]);
    assert_eq!(w.state(1), "background");
    assert_eq!(w.attached(2), ["tell 2 foreground"]);
    assert_eq!(w.done(2), ["2: 2 m2"]);
}

#[test]
fn a_show_that_something_else_comes_in_between_of_says_so() {
    let mut w = World::default();
    let notes = w.in_front(&page("notes"));
    let mail = w.in_front(&page("mail"));
    assert_eq!(w.show(1, &page("notes")), ["tell 2 background"]);
    assert_eq!(w.show(2, &page("mail")), ["3: meanwhile something else was asked for"]);
    assert_eq!(w.done(mail), ["tell 2 foreground"]);
    assert_eq!(w.done(mail), ["4: 2 m2 again"]);
    assert_eq!(w.state(notes), "background");
}

#[test]
fn a_hide_during_the_way_to_the_screen_waits_for_its_end() {
    let mut w = World::default();
    w.start(&page("notes"));
    w.attached(1);
    assert_eq!(w.hide(1), ["1: 1 m1"]);
    assert_eq!(w.done(1), ["tell 1 background"]);
    assert_eq!(w.done(1), ["2: done"]);
}

#[test]
fn of_hide_and_show_during_a_transition_the_last_counts() {
    let mut w = World::default();
    w.start(&page("notes"));
    w.attached(1);
    assert_eq!(w.hide(1), ["1: 1 m1"]);
    let lines = w.show(1, &page("notes"));
    assert_eq!(lines, ["2: meanwhile something else was asked for"]);
    assert_eq!(w.done(1), ["3: 1 m1 again"]);
    assert_eq!(w.after(s(10)), NOTHING);
}

#[test]
fn a_done_with_a_wrong_token_changes_nothing() {
    let mut w = World::default();
    w.start(&page("notes"));
    w.attached(1);
    let instance = InstanceId(1);
    assert!(w.engine.awaits(instance, 1));
    for token in [0, 2, u32::MAX] {
        assert!(!w.engine.awaits(instance, token));
        assert_eq!(w.feed(Event::Done { instance, token, state: vec![1] }), NOTHING);
    }
    assert_eq!(w.state(1), "foregrounding");
    w.done(1);
    assert!(!w.engine.awaits(instance, 1));
}

#[test]
fn a_running_singleton_gets_the_want_before_it_comes_to_the_front() {
    let mut w = World::default();
    let notes = w.in_front(&page("notes"));
    w.in_front(&page("mail"));
    w.after(s(5));
    let lines = w.start_by(Caller::Root, &page("notes"), &want("view"), true);
    assert_eq!(lines, ["thaw 1", "tell 1 want view", "tell 2 background"]);
    w.done(2);
    assert_eq!(w.done(notes), ["3: 1 m1 again"]);
}

#[test]
fn a_want_that_is_not_to_be_shown_reaches_a_frozen_page_which_stands_still_again_later() {
    let mut w = World::default();
    w.in_front(&page("notes"));
    w.hide(1);
    w.after(s(8));
    assert_eq!(w.state(1), "frozen");
    let lines = w.start_by(Caller::Root, &page("notes"), &want("sync"), false);
    assert_eq!(lines, ["thaw 1", "tell 1 want sync", "3: 1 m1 again"]);
    assert_eq!(w.after(s(5)), ["freeze 1"]);
}

#[test]
fn wants_to_a_singleton_that_loads_are_kept_and_told_once_it_is_there() {
    let mut w = World::default();
    w.start_by(Caller::Root, &page("notes"), &want("a"), true);
    assert_eq!(w.start_by(Caller::Root, &page("notes"), &want("b"), true), NOTHING);
    assert_eq!(w.start_by(Caller::Root, &page("notes"), &want("c"), true), NOTHING);
    assert_eq!(w.attached(1), ["tell 1 want b", "tell 1 want c", "tell 1 foreground"]);
    assert_eq!(w.done(1), ["1: 1 m1", "2: 1 m1 again", "3: 1 m1 again"]);
}

#[test]
fn at_most_16_wants_wait_for_one_instance() {
    let mut w = World::default();
    w.start(&page("notes"));
    for _ in 0..MAX_WANTS {
        w.now += s(1);
        assert_eq!(w.start_by(Caller::Root, &page("notes"), &want("b"), false), NOTHING);
        w.now -= s(1);
    }
    w.now += s(2);
    let lines = w.start_by(Caller::Root, &page("notes"), &want("b"), false);
    assert_eq!(lines, ["18: it has too much to do already: ask again later"]);
}

#[test]
fn another_instance_of_a_multiton_is_started_for_each_want() {
    let mut w = World::default();
    let editor = page("editor").launch(LaunchMode::Multiton);
    assert_eq!(w.start(&editor), ["launch 1 editor m1 start"]);
    assert_eq!(w.start(&editor), ["launch 2 editor m2 start"]);
}

#[test]
fn of_a_specified_ability_there_is_one_for_each_key() {
    let mut w = World::default();
    let editor = page("editor").launch(LaunchMode::Specified);
    let key = |key: &str| {
        std::sync::Arc::new(model::want::Want { key: Some(key.into()), ..Default::default() })
    };
    let lines = w.start_by(Caller::Root, &editor, &key("a.txt"), true);
    assert_eq!(lines, ["launch 1 editor m1 start"]);
    let lines = w.start_by(Caller::Root, &editor, &key("b.txt"), true);
    assert_eq!(lines, ["launch 2 editor m2 start"]);
    assert_eq!(w.start_by(Caller::Root, &editor, &key("a.txt"), true), NOTHING);
    assert_eq!(w.engine.instances()[1].key.as_deref(), Some("b.txt"));
}

#[test]
fn a_page_that_is_not_to_be_shown_stands_still_5_s_after_it_is_there() {
    let mut w = World::default();
    w.start_by(Caller::Root, &page("notes"), &want("a"), false);
    assert_eq!(w.attached(1), ["1: 1 m1"]);
    assert_eq!(w.after(s(5)), ["freeze 1"]);
}

#[test]
fn a_page_that_has_time_to_finish_something_does_not_stand_still_until_it_has_done_so() {
    let mut w = World::default();
    let busy = |busy| Event::Busy { instance: InstanceId(1), busy };
    w.in_front(&page("notes"));
    assert_eq!(w.feed(busy(true)), NOTHING);
    w.hide(1);
    w.done(1);
    assert_eq!(w.after(s(100)), NOTHING);
    assert_eq!(w.feed(busy(false)), NOTHING);
    assert_eq!(w.after(s(5)), ["freeze 1"]);

    let mut w = World::default();
    w.in_front(&program("notes"));
    w.feed(busy(true));
    assert_eq!(w.hide(1), ["2: done"]);
    assert_eq!(w.state(1), "background");
    w.feed(busy(false));
    assert_eq!(w.after(s(5)), ["freeze 1"]);
}

#[test]
fn a_shortage_of_memory_is_told_to_those_that_do_not_stand_still() {
    let mut w = World::default();
    w.in_front(&page("notes"));
    w.hide(1);
    w.after(s(8));
    w.in_front(&page("mail"));
    w.start(&page("loading"));
    assert_eq!(w.feed(Event::Memory(Shortage::Low)), ["tell 2 memory low"]);
}
