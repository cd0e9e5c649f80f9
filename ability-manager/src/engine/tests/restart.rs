//! Stories of pages that begin anew because they want to.

use super::world::{NOTHING, World, page, program, s, service};
use crate::engine::{Caller, Event, Exit, InstanceId};

const TOO_SOON: &str = "3: its app began anew less than a minute ago: ask again later, or end";

#[test]
fn a_page_that_wants_to_begin_anew_finds_what_it_left_and_is_in_front_again() {
    let mut w = World::default();
    w.in_front(&page("notes"));
    assert_eq!(w.restart(1, b"draft"), ["save m1 5 bytes", "2: done", "tell 1 background"]);
    assert_eq!(w.done(1), ["save m1 0 bytes", "tell 1 terminate"]);
    w.done(1);
    assert_eq!(w.ended(1, Exit::Normal), ["launch 2 notes m1 restore"]);
    assert_eq!(w.exit(1), "restarted");
    assert_eq!(w.attached(2), ["tell 2 foreground"]);
}

#[test]
fn one_that_just_ends_after_it_has_asked_is_started_again_with_that_state() {
    let mut w = World::default();
    w.in_front(&page("notes"));
    w.restart(1, b"draft");
    assert_eq!(w.ended(1, Exit::Failed(1)), ["launch 2 notes m1 restore with state"]);
}

#[test]
fn without_a_state_what_was_saved_before_is_found_again() {
    let mut w = World::default();
    w.in_front(&page("notes"));
    w.hide(1);
    w.done_with(1, b"old");
    w.show(1, &page("notes"));
    w.done(1);
    assert_eq!(w.restart(1, b""), ["4: done", "tell 1 background"]);
    assert_eq!(w.ended(1, Exit::Normal), ["launch 2 notes m1 restore with state"]);
}

#[test]
fn an_app_begins_anew_once_a_minute_whether_it_crashed_or_wanted_to() {
    let mut w = World::default();
    w.in_front(&page("notes"));
    w.restart(1, b"x");
    w.ended(1, Exit::Normal);
    w.attached(2);
    w.done(2);
    assert_eq!(w.state(2), "foreground");
    assert_eq!(w.restart(2, b"y"), [TOO_SOON]);
    assert_eq!(w.state(2), "foreground", "and nothing has happened");
    w.after(s(60));
    assert_eq!(w.restart(2, b"y"), ["save m1 1 bytes", "4: done", "tell 2 background"]);
    w.ended(2, Exit::Normal);
    w.attached(3);
    w.done(3);
    assert_eq!(w.ended(3, Exit::Signal(11)), NOTHING, "a crash counts as well");
}

#[test]
fn a_program_that_knows_nothing_of_its_life_can_not_ask_but_would_be_stopped_and_started() {
    let mut w = World::default();
    w.start(&program("clock"));
    w.launched(1);
    let lines = w.restart(1, b"");
    assert_eq!(lines.first().map(String::as_str), Some("2: done"));
    w.after(s(10));
    assert_eq!(w.ended(1, Exit::Signal(15)), ["launch 2 clock m1 restore"]);
}

#[test]
fn only_what_people_look_at_begins_anew() {
    let mut w = World::default();
    w.in_front(&page("notes"));
    w.connect(Caller::Root, &service("notes"));
    w.attached(2);
    let why = "only a page on the screen begins anew: others are started when they are needed";
    assert_eq!(w.restart(2, b""), [format!("3: {why}")]);
    w.hide(1);
    assert_eq!(w.restart(1, b""), [format!("5: {why}")]);
    assert_eq!(w.restart(9, b""), ["6: no such instance runs"]);
    w.done(1);
    w.stop(1);
    assert_eq!(w.restart(1, b""), ["8: it is being ended: requested"]);
}

#[test]
fn who_is_to_end_for_another_reason_too_does_not_come_back() {
    let mut w = World::default();
    w.in_front(&page("notes"));
    w.restart(1, b"x");
    w.end("notes", Exit::Upgraded);
    assert_eq!(w.ended(1, Exit::Normal), NOTHING);
    assert_eq!(w.exit(1), "upgraded");
    let mut w = World::default();
    w.in_front(&page("notes"));
    w.restart(1, b"x");
    w.feed(Event::Kill { instance: InstanceId(1), why: Exit::LowMemory });
    assert_eq!(w.ended(1, Exit::Signal(9)), NOTHING);
    assert_eq!(w.exit(1), "low-memory");
}

#[test]
fn when_people_look_at_something_else_by_then_it_waits_until_it_is_shown() {
    let mut w = World::default();
    w.in_front(&page("notes"));
    w.restart(1, b"x");
    w.done_with(1, b"x");
    w.in_front(&page("mail"));
    assert_eq!(w.ended(1, Exit::Normal), NOTHING);
    assert_eq!(w.show(1, &page("notes")), ["launch 3 notes m1 restore with state"]);
}
