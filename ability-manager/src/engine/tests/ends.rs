//! Stories of ends: told, stopped, killed, stuck; of one instance and of a whole bundle.

use super::world::{NOTHING, World, page, program, s, service};
use crate::engine::{Caller, Event, Exit, InstanceId};

#[test]
fn a_page_that_is_stopped_saves_is_told_and_ends() {
    let mut w = World::default();
    w.in_front(&page("notes"));
    assert_eq!(w.stop(1), ["tell 1 background"]);
    assert_eq!(w.done_with(1, b"x"), ["save m1 1 bytes", "tell 1 terminate"]);
    assert_eq!(w.state(1), "terminating");
    assert_eq!(w.done(1), ["terminate 1"]);
    assert_eq!(w.ended(1, Exit::Normal), ["2: done"]);
    assert_eq!(w.exit(1), "requested");
}

#[test]
fn who_does_not_end_within_10_s_is_stopped_then_killed_and_at_last_said_to_be_stuck() {
    let mut w = World::default();
    w.in_front(&page("notes"));
    w.hide(1);
    w.done(1);
    assert_eq!(w.stop(1), ["tell 1 terminate"]);
    assert_eq!(w.after(s(9)), NOTHING);
    assert_eq!(w.after(s(1)), ["terminate 1"]);
    assert_eq!(w.after(s(19)), NOTHING);
    assert_eq!(w.after(s(1)), ["kill 1 requested"]);
    assert_eq!(
        w.after(s(10)),
        [
            "kill 1 requested",
            "3: it was killed, and the kernel has not ended it: a driver holds it"
        ]
    );
    assert_eq!(w.after(s(60)), ["kill 1 requested"]);
    let lines = w.start(&page("notes"));
    assert_eq!(lines, ["4: it was killed, and the kernel has not ended it: a driver holds it"]);
    assert_eq!(w.ended(1, Exit::Signal(9)), NOTHING);
}

#[test]
fn a_done_that_comes_too_late_changes_nothing() {
    let mut w = World::default();
    w.in_front(&page("notes"));
    w.hide(1);
    w.done(1);
    w.stop(1);
    assert_eq!(w.after(s(10)), ["terminate 1"]);
    assert_eq!(w.done(1), NOTHING);
    assert_eq!(w.after(s(20)), ["kill 1 requested"]);
}

#[test]
fn a_frozen_page_goes_on_to_be_told_that_it_ends() {
    let mut w = World::default();
    w.in_front(&page("notes"));
    w.hide(1);
    w.after(s(8));
    assert_eq!(w.stop(1), ["thaw 1", "tell 1 terminate"]);
}

#[test]
fn a_frozen_program_goes_on_to_be_stopped() {
    let mut w = World::default();
    w.in_front(&program("clock"));
    w.hide(1);
    assert_eq!(w.stop(1), ["thaw 1", "terminate 1"]);
}

#[test]
fn a_page_that_is_stopped_while_it_loads_is_stopped_at_once() {
    let mut w = World::default();
    w.start(&page("notes"));
    assert_eq!(w.stop(1), ["terminate 1", "1: it is being ended: requested"]);
    assert_eq!(w.ended(1, Exit::Normal), ["2: done", "drop m1"]);
}

#[test]
fn a_start_during_the_end_is_kept_and_begins_after_it() {
    let mut w = World::default();
    w.in_front(&page("notes"));
    w.stop(1);
    assert_eq!(w.start(&page("notes")), NOTHING);
    assert_eq!(w.start(&page("notes")), NOTHING);
    assert_eq!(w.ended(1, Exit::Normal), ["2: done", "launch 2 notes m1 start"]);
    assert_eq!(w.attached(2), ["tell 2 want", "tell 2 foreground"]);
    assert_eq!(w.done(2), ["3: 2 m1", "4: 2 m1 again"]);
}

#[test]
fn the_end_of_a_bundle_reaches_all_of_it_whatever_it_is_doing() {
    let mut w = World::default();
    w.in_front(&page("notes"));
    w.connect(Caller::Root, &service("notes"));
    w.attached(2);
    w.accept(2);
    w.in_front(&page("mail"));
    w.start(&page("notes"));
    assert_eq!(w.state(1), "background");
    w.done(3);
    assert_eq!(w.state(1), "foregrounding");
    let lines = w.end("notes", Exit::Upgraded);
    assert_eq!(lines, ["tell 2 terminate", "4: it is being ended: upgraded"]);
    assert_eq!(w.done(1), ["tell 1 background"]);
    assert_eq!(w.done(1), ["tell 1 terminate"]);
    assert!(w.engine.runs(&super::world::id("notes")));
    w.ended(1, Exit::Normal);
    w.ended(2, Exit::Normal);
    assert!(!w.engine.runs(&super::world::id("notes")));
    assert_eq!(w.exit(1), "upgraded");
}

#[test]
fn a_permission_that_is_taken_away_ends_all_of_the_bundle_at_once() {
    let mut w = World::default();
    w.in_front(&page("notes"));
    w.connect(Caller::Root, &service("notes"));
    w.attached(2);
    w.accept(2);
    assert_eq!(w.end("notes", Exit::Revoked), ["kill 1 revoked", "kill 2 revoked"]);
    assert_eq!(w.ended(1, Exit::Signal(9)), NOTHING);
    assert_eq!(w.exit(1), "revoked");
}

#[test]
fn missions_of_a_bundle_that_is_removed_are_forgotten() {
    let mut w = World::default();
    w.in_front(&page("notes"));
    w.in_front(&page("mail"));
    w.ended(1, Exit::Normal);
    assert_eq!(w.end("notes", Exit::Removed), ["drop m1"]);
    w.end("mail", Exit::Removed);
    assert_eq!(w.ended(2, Exit::Normal), ["drop m2"]);
}

#[test]
fn what_was_kept_for_after_the_end_does_not_begin_when_its_bundle_ends() {
    let mut w = World::default();
    w.in_front(&page("notes"));
    w.stop(1);
    w.start(&page("notes"));
    assert_eq!(w.end("notes", Exit::Removed), ["3: it is being ended: removed"]);
    assert_eq!(w.ended(1, Exit::Normal), ["2: done", "drop m1"]);
}

#[test]
fn whoever_waits_for_what_ends_by_itself_is_told() {
    let mut w = World::default();
    w.start(&page("notes"));
    w.attached(1);
    assert_eq!(w.ended(1, Exit::Failed(3)), ["1: it has ended: status 3"]);
    assert_eq!(w.ended(1, Exit::Failed(3)), NOTHING);
    assert_eq!(w.attached(1), NOTHING);
    assert_eq!(w.done(1), NOTHING);
}

#[test]
fn a_kill_comes_at_once_and_once() {
    let mut w = World::default();
    w.in_front(&page("notes"));
    let kill = || Event::Kill { instance: InstanceId(1), why: Exit::BackgroundTime };
    assert_eq!(w.feed(kill()), ["kill 1 background-time"]);
    assert_eq!(w.feed(kill()), NOTHING);
    assert_eq!(w.ended(1, Exit::Signal(9)), NOTHING);
    assert_eq!(w.exit(1), "background-time");
}

#[test]
fn what_is_not_there_can_not_be_stopped_shown_or_hidden() {
    let mut w = World::default();
    assert_eq!(w.stop(7), ["1: no such instance runs"]);
    assert_eq!(w.show(7, &page("notes")), ["2: there is no such mission"]);
    assert_eq!(w.hide(7), ["3: there is no such mission"]);
}
