//! Stories of who may start what, and how often.

use super::world::{NOTHING, World, app, form, ms, page, s, service, want};
use crate::engine::{Caller, InstanceId, MAX_CALLS, MAX_PAGE_STARTS};

#[test]
fn an_app_on_the_screen_starts_exported_abilities_of_others() {
    let mut w = World::default();
    w.in_front(&page("notes"));
    w.after(s(60));
    assert_eq!(
        w.start_by(app(1), &page("mail"), &want("send"), true),
        ["launch 2 mail m2 start send"]
    );
}

#[test]
fn an_app_does_not_start_what_is_not_exported_but_its_own() {
    let mut w = World::default();
    w.in_front(&page("notes"));
    let lines = w.start_by(app(1), &service("mail").private(), &want("x"), true);
    assert_eq!(
        lines,
        ["2: the ability is not for other bundles: its manifest lacks `exported = true`"]
    );
    let lines = w.start_by(app(1), &service("notes").private(), &want("x"), true);
    assert_eq!(lines, ["launch 2 notes start x"]);
}

#[test]
fn an_app_without_the_permission_of_an_ability_does_not_start_it() {
    let mut w = World::default();
    w.in_front(&page("notes"));
    let caller = Caller::App { instance: InstanceId(1), permitted: false, background: true };
    let lines = w.start_by(caller, &page("mail"), &want("x"), true);
    assert_eq!(lines, ["2: the caller lacks the permission that the ability asks for"]);
    assert_eq!(w.start_by(caller, &service("notes"), &want("x"), true), ["launch 2 notes start x"]);
}

#[test]
fn an_app_off_the_screen_starts_others_only_within_1_s_of_its_own_start() {
    let mut w = World::default();
    w.start_by(Caller::Root, &page("notes"), &want("x"), false);
    w.launched(1);
    w.attached(1);
    w.after(s(1));
    assert_eq!(w.start_by(app(1), &page("mail"), &want("x"), true), ["launch 2 mail m2 start x"]);
    w.after(ms(1));
    let lines = w.start_by(app(1), &page("clock"), &want("x"), true);
    assert_eq!(lines[0].split(':').nth(1), Some(" only an app on the screen starts another"));
    assert_eq!(w.connect(app(1), &service("files")), ["launch 3 files connect"]);
    let caller = Caller::App { instance: InstanceId(1), permitted: true, background: true };
    let lines = w.start_by(caller, &page("clock"), &want("x"), true);
    assert_eq!(lines, ["launch 4 clock m3 start x"]);
}

#[test]
fn a_service_of_an_app_on_the_screen_counts_as_on_the_screen() {
    let mut w = World::default();
    w.connect(Caller::Root, &service("notes"));
    w.attached(1);
    w.after(s(60));
    let from_service = |w: &mut World| w.start_by(app(1), &page("mail"), &want("x"), true);
    assert!(from_service(&mut w)[0].contains("only an app on the screen"));
    w.in_front(&page("notes"));
    assert_eq!(from_service(&mut w), ["launch 3 mail m2 start x"]);
}

#[test]
fn an_instance_that_is_not_known_asks_for_nothing() {
    let mut w = World::default();
    let lines = w.start_by(app(9), &page("mail"), &want("x"), true);
    assert_eq!(lines, ["1: the caller has ended"]);
}

#[test]
fn an_app_calls_at_most_10_times_a_second() {
    let mut w = World::default();
    w.in_front(&page("notes"));
    w.after(s(5));
    for _ in 0..MAX_CALLS {
        w.connect(app(1), &service("files"));
    }
    let lines = w.connect(app(1), &service("files"));
    assert_eq!(lines, ["12: the app calls too often: at most 10 times a second"]);
    w.after(ms(999));
    assert!(w.connect(app(1), &service("files"))[0].contains("too often"));
    w.after(ms(1));
    assert_eq!(w.connect(app(1), &service("files")), NOTHING);
}

#[test]
fn at_most_20_pages_are_started_in_a_second() {
    let mut w = World::default();
    for number in 0..MAX_PAGE_STARTS {
        w.start(&page(&format!("app{number}")));
    }
    let lines = w.start(&page("notes"));
    assert!(lines[0].contains("too many pages are being started"), "{lines:?}");
    assert_eq!(w.start(&service("files")), ["launch 21 files start"]);
    w.after(s(1));
    assert_eq!(w.start(&page("notes")), ["launch 22 notes m21 start"]);
}

#[test]
fn no_app_starts_a_card() {
    let mut w = World::default();
    w.in_front(&page("notes"));
    let lines = w.start_by(app(1), &form("notes"), &want("x"), true);
    assert!(lines[0].contains("a form is a card on a screen"), "{lines:?}");
    assert_eq!(w.start(&form("notes")), ["launch 2 notes start"]);
}

#[test]
fn wants_that_wait_take_at_most_a_mebibyte_in_all() {
    let mut w = World::default();
    let large = std::sync::Arc::new(model::want::Want {
        parameters: [("x".to_owned(), "x".repeat(60_000))].into(),
        ..Default::default()
    });
    for app in ["a", "b", "c"] {
        for _ in 0..15 {
            w.now += s(1);
            w.start_by(Caller::Root, &service(app), &large, true);
            w.now -= s(1);
        }
    }
    let held = postcard::to_allocvec(&w.engine).unwrap().len();
    assert!(held < 1_200_000, "{held}");
    let lines = w.start_by(Caller::Root, &service("d"), &large, true);
    assert!(lines[0].contains("too much to do"), "{lines:?}");
}
