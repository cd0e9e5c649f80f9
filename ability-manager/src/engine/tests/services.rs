//! Stories of services: connected to, started, idle.

use model::bundle::{AbilityKind, Lifecycle};

use super::world::{NOTHING, World, ability, app, page, s, service, want};
use crate::engine::{Caller, Exit, MAX_WANTS};

#[test]
fn a_service_is_active_while_somebody_is_connected_and_ends_20_s_after() {
    let mut w = World::default();
    assert_eq!(w.connect(Caller::Root, &service("files")), ["launch 1 files connect"]);
    assert_eq!(w.attached(1), ["1: 1"]);
    assert_eq!(w.state(1), "active");
    assert_eq!(w.after(s(1000)), NOTHING);
    assert_eq!(w.disconnect(Caller::Root, &service("files")), ["2: done"]);
    assert_eq!(w.state(1), "inactive");
    assert_eq!(w.after(s(19)), NOTHING);
    assert_eq!(w.after(s(1)), ["tell 1 terminate"]);
    assert_eq!(w.done(1), ["terminate 1"]);
    w.ended(1, Exit::Normal);
    assert_eq!(w.state(1), "gone");
}

#[test]
fn a_connection_to_an_idle_service_keeps_it() {
    let mut w = World::default();
    w.connect(Caller::Root, &service("files"));
    w.attached(1);
    w.disconnect(Caller::Root, &service("files"));
    w.after(s(19));
    assert_eq!(w.connect(Caller::Root, &service("files")), ["3: 1 again"]);
    assert_eq!(w.after(s(100)), NOTHING);
}

#[test]
fn a_service_that_was_started_works_until_it_has_done_what_it_was_told() {
    let mut w = World::default();
    let lines = w.start_by(Caller::Root, &service("files"), &want("index"), true);
    assert_eq!(lines, ["launch 1 files start index"]);
    assert_eq!(w.attached(1), ["tell 1 want index", "1: 1"]);
    assert_eq!(w.after(s(100)), NOTHING);
    assert_eq!(w.state(1), "active");
    w.done(1);
    assert_eq!(w.state(1), "inactive");
    assert_eq!(w.after(s(20)), ["tell 1 terminate"]);
}

#[test]
fn a_service_works_on_at_most_16_wants() {
    let mut w = World::default();
    w.start_by(Caller::Root, &service("files"), &want("index"), true);
    w.attached(1);
    for _ in 1..MAX_WANTS {
        w.start_by(Caller::Root, &service("files"), &want("index"), true);
    }
    let lines = w.start_by(Caller::Root, &service("files"), &want("index"), true);
    assert_eq!(lines, ["17: it has too much to do already: ask again later"]);
    w.done(1);
    let lines = w.start_by(Caller::Root, &service("files"), &want("index"), true);
    assert_eq!(lines, ["tell 1 want index", "18: 1 again"]);
}

#[test]
fn a_service_that_knows_nothing_of_its_life_ends_by_itself_or_when_nobody_is_connected() {
    let mut w = World::default();
    let files = service("files").lifecycle(Lifecycle::Process);
    w.connect(Caller::Root, &files);
    assert_eq!(w.launched(1), ["1: 1"]);
    w.disconnect(Caller::Root, &files);
    assert_eq!(w.after(s(20)), ["terminate 1"]);
    w.ended(1, Exit::Signal(15));

    w.start(&files);
    assert_eq!(w.launched(2), ["3: 2"]);
    assert_eq!(w.after(s(1000)), NOTHING);
    assert_eq!(w.ended(2, Exit::Normal), NOTHING);
}

#[test]
fn work_lives_as_a_service_does() {
    let mut w = World::default();
    let backup = ability("backup", "work", AbilityKind::Work);
    w.start_by(Caller::Root, &backup, &want("now"), true);
    assert_eq!(w.attached(1), ["tell 1 want now", "1: 1"]);
    w.done(1);
    assert_eq!(w.after(s(20)), ["tell 1 terminate"]);
}

#[test]
fn an_instance_that_ends_is_connected_to_nothing() {
    let mut w = World::default();
    w.in_front(&page("notes"));
    w.connect(app(1), &service("files"));
    w.attached(2);
    assert_eq!(w.engine.instances()[1].connections, 1);
    w.ended(1, Exit::Normal);
    assert_eq!(w.state(2), "inactive");
}

#[test]
fn connecting_twice_is_once() {
    let mut w = World::default();
    w.connect(Caller::Root, &service("files"));
    w.connect(Caller::Root, &service("files"));
    assert_eq!(w.attached(1), ["1: 1", "2: 1 again"]);
    w.disconnect(Caller::Root, &service("files"));
    let lines = w.disconnect(Caller::Root, &service("files"));
    assert_eq!(lines, ["4: the caller is not connected to it"]);
}

#[test]
fn a_connection_to_a_service_that_ends_begins_it_anew_when_it_has() {
    let mut w = World::default();
    w.connect(Caller::Root, &service("files"));
    w.attached(1);
    w.stop(1);
    assert_eq!(w.connect(Caller::Root, &service("files")), NOTHING);
    assert_eq!(w.ended(1, Exit::Normal), ["2: done", "launch 2 files connect"]);
    assert_eq!(w.attached(2), ["3: 2"]);
}

#[test]
fn a_caller_that_has_ended_does_not_begin_what_it_waited_for() {
    let mut w = World::default();
    w.in_front(&page("notes"));
    w.connect(app(1), &service("files"));
    w.attached(2);
    w.stop(2);
    w.connect(app(1), &service("files"));
    assert_eq!(w.ended(1, Exit::Normal), ["4: the caller has ended"]);
    assert_eq!(w.ended(2, Exit::Normal), ["3: done"]);
}

#[test]
fn only_services_are_connected_to() {
    let mut w = World::default();
    let lines = w.connect(Caller::Root, &page("notes"));
    assert_eq!(lines, ["1: only an ability of kind `service` can be connected to"]);
}
