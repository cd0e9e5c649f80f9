//! Stories of connections: who takes them, who ends them, who hears of it.

use model::bundle::Lifecycle;

use super::world::{NOTHING, World, app, page, program, s, service};
use crate::engine::{Caller, Exit, MAX_CONNECTIONS};

/// `notes` is on the screen as 1, `files` is there as 2 and has taken its connection 1.
fn connected() -> World {
    let mut w = World::default();
    w.in_front(&page("notes"));
    assert_eq!(w.connect(app(1), &service("files")), ["launch 2 files connect"]);
    assert_eq!(w.attached(2), ["tell 2 connect"]);
    assert_eq!(w.accept(2), ["2: 2 by 1"]);
    w
}

#[test]
fn a_service_is_active_while_somebody_is_connected_and_ends_20_s_after() {
    let mut w = connected();
    assert_eq!(w.state(2), "active");
    assert_eq!(w.after(s(1000)), NOTHING);
    assert_eq!(w.disconnect(app(1), 1), ["tell 2 left", "3: done"]);
    assert_eq!(w.state(2), "inactive");
    assert_eq!(w.after(s(19)), NOTHING);
    assert_eq!(w.after(s(1)), ["tell 2 terminate"]);
    assert_eq!(w.done(2), ["terminate 2"]);
    w.ended(2, Exit::Normal);
    assert_eq!(w.state(2), "gone");
}

#[test]
fn a_connection_to_an_idle_service_keeps_it() {
    let mut w = connected();
    w.disconnect(app(1), 1);
    w.after(s(19));
    assert_eq!(w.connect(app(1), &service("files")), ["tell 2 connect"]);
    assert_eq!(w.accept(2), ["4: 2 again by 2"]);
    assert_eq!(w.after(s(100)), NOTHING);
}

#[test]
fn a_service_that_does_not_take_a_connection_within_10_s_has_not_taken_it() {
    let mut w = World::default();
    w.connect(Caller::Root, &service("files"));
    w.attached(1);
    assert_eq!(w.after(s(9)), NOTHING);
    let lines = w.after(s(1));
    assert_eq!(lines[0], "tell 1 left");
    assert!(lines[1].starts_with("1: the service did not take the connection within 10 s"));
    assert_eq!(w.accept(1), NOTHING, "it is too late");
    assert_eq!(w.state(1), "inactive");
}

#[test]
fn a_service_may_say_no_and_may_end_a_connection() {
    let mut w = connected();
    w.connect(app(1), &service("files"));
    assert_eq!(w.done(2), ["3: the service did not take the connection"]);
    let mut w = connected();
    assert_eq!(w.done(2), ["tell 1 lost 1"]);
    assert_eq!(w.state(2), "inactive");
    assert_eq!(w.disconnect(app(1), 1), ["3: the caller has no such connection"]);
}

#[test]
fn a_caller_hears_that_the_service_has_ended_when_it_can_hear() {
    let mut w = connected();
    assert_eq!(w.ended(2, Exit::Signal(11)), ["tell 1 lost 1"]);
    let mut w = connected();
    w.hide(1);
    w.done(1);
    assert_eq!(w.after(s(5)), ["freeze 1"]);
    assert_eq!(w.ended(2, Exit::Signal(11)), NOTHING);
    assert_eq!(w.show(1, &page("notes")), ["thaw 1", "tell 1 foreground", "tell 1 lost 1"]);
}

#[test]
fn a_service_hears_that_a_caller_has_ended() {
    let mut w = connected();
    assert_eq!(w.ended(1, Exit::Normal), ["tell 2 left"]);
    assert_eq!(w.state(2), "inactive");
}

#[test]
fn who_connects_twice_is_connected_twice() {
    let mut w = connected();
    assert_eq!(w.connect(app(1), &service("files")), ["tell 2 connect"]);
    assert_eq!(w.accept(2), ["3: 2 again by 2"]);
    w.disconnect(app(1), 1);
    assert_eq!(w.state(2), "active");
    w.disconnect(app(1), 2);
    assert_eq!(w.state(2), "inactive");
}

#[test]
fn a_connection_is_its_callers() {
    let mut w = connected();
    assert_eq!(w.disconnect(Caller::Root, 1), ["3: the caller has no such connection"]);
    assert_eq!(w.disconnect(app(2), 1), ["4: the caller has no such connection"]);
    assert_eq!(w.state(2), "active");
}

#[test]
fn a_connection_to_a_service_that_ends_begins_it_anew_when_it_has() {
    let mut w = World::default();
    w.connect(Caller::Root, &service("files"));
    w.attached(1);
    w.accept(1);
    w.stop(1);
    assert_eq!(w.connect(Caller::Root, &service("files")), NOTHING);
    assert_eq!(w.ended(1, Exit::Normal), ["2: done", "launch 2 files connect"]);
    assert_eq!(w.attached(2), ["tell 2 connect"]);
    assert_eq!(w.accept(2), ["3: 2 by 2"]);
}

#[test]
fn who_finds_a_service_that_has_ended_by_itself_gets_another_one_once() {
    let mut w = connected();
    w.connect(app(1), &service("files"));
    let lines = w.ended(2, Exit::Signal(9));
    assert_eq!(lines, ["launch 3 files connect", "tell 1 lost 1"]);
    w.attached(3);
    assert_eq!(w.ended(3, Exit::Signal(9)), ["3: it has ended: signal 9"], "and no more");
    let mut w = connected();
    w.connect(app(1), &service("files"));
    w.stop(2);
    assert_eq!(w.ended(2, Exit::Normal)[0], "4: done");
}

#[test]
fn a_caller_that_has_ended_does_not_begin_what_it_waited_for() {
    let mut w = connected();
    w.connect(app(1), &service("files"));
    assert_eq!(w.ended(1, Exit::Normal), ["tell 2 left", "tell 2 left", "3: the caller has ended"]);
    let mut w = connected();
    w.stop(2);
    w.connect(app(1), &service("files"));
    assert_eq!(w.ended(1, Exit::Normal), ["4: the caller has ended"]);
    assert_eq!(w.ended(2, Exit::Normal), ["3: done"]);
}

#[test]
fn only_services_that_hear_of_it_are_connected_to() {
    let mut w = World::default();
    let lines = w.connect(Caller::Root, &page("notes"));
    assert_eq!(lines, ["1: only an ability of kind `service` can be connected to"]);
    let lines = w.connect(Caller::Root, &program("notes"));
    assert_eq!(lines, ["2: only an ability of kind `service` can be connected to"]);
    let lines = w.connect(Caller::Root, &service("files").lifecycle(Lifecycle::Process));
    assert!(lines[0].starts_with("3: the ability would not hear of it"), "{lines:?}");
}

#[test]
fn a_service_has_at_most_64_connections() {
    let mut w = World::default();
    for _ in 0..MAX_CONNECTIONS {
        w.connect(Caller::Root, &service("files"));
    }
    let lines = w.connect(Caller::Root, &service("files"));
    assert_eq!(lines, ["65: it has too much to do already: ask again later"]);
}

#[test]
fn what_is_connected_stays_so_when_its_manager_is_started_anew() {
    let mut w = connected();
    w.connect(app(1), &service("files"));
    w.connect(Caller::Root, &service("files"));
    w.engine.adopted();
    assert_eq!(w.engine.instances()[1].connections, 1);
    assert_eq!(w.accept(2), NOTHING, "who asked is gone");
    assert_eq!(w.disconnect(app(1), 1), ["tell 2 left", "5: done"]);
}
