//! Stories of missions: gone back to, restored, limited, forgotten.

use std::sync::Arc;

use model::bundle::LaunchMode;
use model::want::Want;

use super::world::{NOTHING, World, page, program, s, want};
use crate::engine::{
    Caller, Event, Exit, InstanceId, MAX_INSTANCES, MAX_MISSIONS, MAX_MISSIONS_EACH, MissionId,
};

#[test]
fn a_page_that_was_killed_for_memory_is_restored_with_its_state_when_it_is_shown() {
    let mut w = World::default();
    let notes = page("notes");
    let lines = w.start_by(Caller::Root, &notes, &want("open"), true);
    assert_eq!(lines, ["launch 1 notes m1 start open"]);
    w.attached(1);
    w.done(1);
    w.hide(1);
    w.done_with(1, b"line 7");
    w.after(s(5));
    let kill = Event::Kill { instance: InstanceId(1), why: Exit::LowMemory };
    assert_eq!(w.feed(kill), ["kill 1 low-memory"]);
    w.ended(1, Exit::Signal(9));
    assert_eq!(w.exit(1), "low-memory");
    assert_eq!(w.show(1, &notes), ["launch 2 notes m1 restore open with state"]);
    w.attached(2);
    assert_eq!(w.done(2), ["3: 2 m1"]);
}

#[test]
fn a_start_goes_to_the_mission_of_a_singleton_and_finds_its_state() {
    let mut w = World::default();
    w.in_front(&page("notes"));
    w.hide(1);
    w.done_with(1, b"x");
    w.ended(1, Exit::Normal);
    assert_eq!(w.start(&page("notes")), ["launch 2 notes m1 start with state"]);
}

#[test]
fn the_last_used_mission_is_the_first() {
    let mut w = World::default();
    w.in_front(&program("a"));
    w.now += s(1);
    w.in_front(&program("b"));
    w.now += s(1);
    w.show(1, &program("a"));
    let order: Vec<u32> = w.engine.missions().iter().map(|row| row.id.0).collect();
    assert_eq!(order, [1, 2]);
    assert_eq!(w.engine.missions()[0].used, Some(s(2)));
}

#[test]
fn the_mission_of_a_process_that_never_came_is_not_kept() {
    let mut w = World::default();
    w.start(&page("notes"));
    let failed = Event::LaunchFailed { instance: InstanceId(1), why: "no such program".into() };
    assert_eq!(w.feed(failed), ["1: it could not be started: no such program", "drop m1"]);
    assert_eq!(w.engine.missions(), []);
}

#[test]
fn a_mission_that_is_forgotten_ends_and_is_gone() {
    let mut w = World::default();
    w.in_front(&page("notes"));
    assert_eq!(w.forget(1), ["tell 1 background"]);
    assert_eq!(w.done_with(1, b"x"), ["save m1 1 bytes", "tell 1 terminate"]);
    assert_eq!(w.done(1), ["terminate 1"]);
    assert_eq!(w.ended(1, Exit::Normal), ["2: done", "drop m1"]);
    assert_eq!(w.forget(1), ["3: there is no such mission"]);
}

#[test]
fn a_mission_without_a_process_is_forgotten_at_once() {
    let mut w = World::default();
    w.in_front(&page("notes"));
    w.ended(1, Exit::Normal);
    assert_eq!(w.hide(1), ["2: done"]);
    assert_eq!(w.forget(1), ["drop m1", "3: done"]);
}

#[test]
fn a_start_during_the_end_of_a_forgotten_mission_opens_another() {
    let mut w = World::default();
    w.in_front(&page("notes"));
    w.forget(1);
    assert_eq!(w.start(&page("notes")), NOTHING);
    w.show(1, &page("notes"));
    let lines = w.ended(1, Exit::Normal);
    let expected = ["2: done", "drop m1", "launch 2 notes m2 start", "4: there is no such mission"];
    assert_eq!(lines, expected);
}

#[test]
fn one_bundle_has_at_most_128_missions_and_its_oldest_without_a_process_makes_room() {
    let mut w = World::default();
    let editor = page("editor").launch(LaunchMode::Multiton);
    w.in_front(&page("other"));
    w.ended(1, Exit::Normal);
    for number in 0..MAX_MISSIONS_EACH {
        w.now += s(1);
        w.start(&editor);
        let instance = u64::try_from(number).unwrap() + 2;
        w.attached(instance);
        w.ended(instance, Exit::Normal);
    }
    w.now += s(1);
    assert_eq!(w.start(&editor), ["drop m2", "launch 130 editor m130 start"]);
    assert_eq!(w.engine.missions().len(), MAX_MISSIONS_EACH + 1);
}

#[test]
fn a_bundle_whose_missions_all_have_a_process_gets_no_more() {
    let mut w = World::default();
    let editor = page("editor").launch(LaunchMode::Multiton);
    for number in 0..MAX_MISSIONS_EACH {
        w.now += s(1);
        w.start(&editor);
        w.attached(u64::try_from(number).unwrap() + 1);
    }
    w.after(s(6));
    let lines = w.start(&editor);
    assert_eq!(lines, ["129: too many missions are open: stop or forget one first"]);
}

#[test]
fn there_are_at_most_512_missions_and_256_instances() {
    let mut w = World::default();
    for number in 0..=MAX_MISSIONS {
        w.now += s(1);
        w.start(&page(&format!("app{number}")));
        let instance = u64::try_from(number).unwrap() + 1;
        w.attached(instance);
        w.ended(instance, Exit::Normal);
    }
    assert_eq!(w.engine.missions().len(), MAX_MISSIONS);
    assert_eq!(w.engine.mission(MissionId(1)), None);
    for number in 0..MAX_INSTANCES {
        w.now += s(1);
        w.start(&page(&format!("app{number}")));
        w.attached(w.engine.instances().last().unwrap().id.0);
    }
    w.now += s(1);
    let lines = w.start(&page("one-more"));
    assert!(lines[0].ends_with("too many abilities run: stop one first"), "{lines:?}");
}

#[test]
fn a_page_that_crashes_in_front_is_started_again_once_in_60_s() {
    let mut w = World::default();
    w.in_front(&page("notes"));
    assert_eq!(w.ended(1, Exit::Signal(11)), ["launch 2 notes m1 restore"]);
    assert_eq!(w.exit(1), "signal 11");
    w.attached(2);
    w.done(2);
    w.after(s(59));
    assert_eq!(w.ended(2, Exit::Failed(1)), NOTHING);
    w.now += s(2);
    w.in_front(&page("notes"));
    assert_eq!(w.ended(3, Exit::Failed(1)), ["launch 4 notes m1 restore"]);
}

#[test]
fn a_page_that_crashes_off_the_screen_or_ends_well_is_not_started_again() {
    let mut w = World::default();
    w.in_front(&page("notes"));
    assert_eq!(w.ended(1, Exit::Normal), NOTHING);
    w.in_front(&page("notes"));
    w.hide(1);
    assert_eq!(w.ended(2, Exit::Signal(11)), ["3: done"]);
    w.start(&page("notes"));
    assert_eq!(w.ended(3, Exit::Signal(11)), ["4: it has ended: signal 11"]);
}

#[test]
fn a_large_want_is_not_kept_whole_for_a_mission() {
    let mut w = World::default();
    let large = Want {
        action: Some("view".into()),
        parameters: [("text".to_owned(), "x".repeat(60_000))].into(),
        ..Want::default()
    };
    w.start_by(Caller::Root, &page("notes"), &Arc::new(large), true);
    w.attached(1);
    w.ended(1, Exit::Normal);
    assert_eq!(w.show(1, &page("notes")), ["launch 2 notes m1 restore view"]);
    assert!(postcard::to_allocvec(&w.engine).unwrap().len() < 1000);
}

#[test]
fn after_the_device_was_started_anew_missions_stay_and_instances_do_not() {
    let mut w = World::default();
    w.in_front(&page("notes"));
    w.hide(1);
    w.done_with(1, b"x");
    let bytes = postcard::to_allocvec(&w.engine).unwrap();
    let mut w = World::default();
    w.engine = postcard::from_bytes(&bytes).unwrap();
    w.engine.rebooted();
    assert_eq!(w.engine.instances(), []);
    assert_eq!(w.engine.missions()[0].used, None);
    assert_eq!(w.show(1, &page("notes")), ["launch 1 notes m1 restore with state"]);
}

#[test]
fn who_attaches_once_more_is_told_again_what_is_awaited() {
    let mut w = World::default();
    w.start(&page("notes"));
    w.attached(1);
    w.engine.adopted();
    assert_eq!(w.attached(1), ["tell 1 foreground"]);
    w.done(1);
    assert_eq!(w.attached(1), NOTHING);
    w.hide(1);
    assert_eq!(w.attached(1), ["tell 1 background"]);
    w.done(1);
    w.stop(1);
    assert_eq!(w.attached(1), ["tell 1 terminate"]);
    assert_eq!(w.done(1), ["terminate 1"]);
    assert_eq!(w.attached(1), NOTHING);
}

#[test]
fn after_the_manager_was_started_anew_lives_go_on_and_nobody_waits() {
    let mut w = World::default();
    w.start(&page("notes"));
    let bytes = postcard::to_allocvec(&w.engine).unwrap();
    w.engine = postcard::from_bytes(&bytes).unwrap();
    w.engine.adopted();
    assert_eq!(w.attached(1), ["tell 1 foreground"]);
    assert_eq!(w.done(1), NOTHING);
    assert_eq!(w.state(1), "foreground");
}
