//! Stories of services: started, idle.

use model::bundle::{AbilityKind, Lifecycle};

use super::world::{NOTHING, World, ability, form, s, service, want};
use crate::engine::{Caller, Event, Exit, MAX_WANTS};

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
fn a_service_that_knows_nothing_of_its_life_ends_by_itself() {
    let mut w = World::default();
    w.start(&service("files").lifecycle(Lifecycle::Process));
    assert_eq!(w.launched(1), ["1: 1"]);
    assert_eq!(w.after(s(1000)), NOTHING);
    assert_eq!(w.ended(1, Exit::Normal), NOTHING);
}

#[test]
fn what_fills_cards_lives_as_a_service_does_and_hears_which_are_gone() {
    let mut w = World::default();
    w.start_by(Caller::Root, &form("weather"), &want("make"), false);
    assert_eq!(w.attached(1), ["tell 1 form make", "1: 1"]);
    let target = form("weather").target;
    assert_eq!(w.feed(Event::FormGone { target: target.clone(), card: 7 }), ["tell 1 form 7 gone"]);
    w.done(1);
    assert_eq!(w.after(s(20)), ["tell 1 terminate"]);
    assert_eq!(w.feed(Event::FormGone { target, card: 8 }), NOTHING);
    let process = form("clock").lifecycle(Lifecycle::Process);
    assert!(w.start(&process)[0].contains("would not hear of it"));
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
