//! Stories of choices and defaults.

use model::Name;
use proptest::prelude::*;

use super::*;

fn id(name: &str) -> BundleId {
    BundleId::try_from(format!("org.{name}")).unwrap()
}

fn target(bundle: &str) -> Target {
    Target { bundle: id(bundle), ability: Name::try_from("main").unwrap() }
}

fn view(uri: &str) -> Want {
    Want { action: Some("view".into()), uri: Some(uri.into()), ..Want::default() }
}

const NOW: Duration = Duration::from_secs(100);

fn ask(choices: &mut Choices, number: u64, by: &str) -> Result<u32, Wrong> {
    let candidates = vec![target("a"), target("b")];
    choices.ask(NOW, (InstanceId(number), &id(by)), Arc::new(view("x:")), candidates)
}

#[test]
fn what_is_chosen_is_one_of_the_candidates_or_none() {
    let mut choices = Choices::default();
    let first = ask(&mut choices, 1, "mail").unwrap();
    assert_eq!(choices.choose(first, 3), Err(Wrong::NoCandidate(2)));
    assert_eq!(choices.choose(first, 2).unwrap().1, Some(target("b")));
    assert_eq!(choices.choose(first, 2), Err(Wrong::NoChoice));
    let second = ask(&mut choices, 1, "mail").unwrap();
    assert_eq!(choices.choose(second, 0).unwrap().1, None);
    assert_eq!(choices.open().count(), 0);
}

#[test]
fn an_app_has_one_choice_open_and_all_together_a_few() {
    let mut choices = Choices::default();
    ask(&mut choices, 1, "mail").unwrap();
    assert_eq!(ask(&mut choices, 2, "mail"), Err(Wrong::AsksAlready));
    for number in 1..MAX_CHOICES {
        ask(&mut choices, 2, &format!("app{number}")).unwrap();
    }
    assert_eq!(ask(&mut choices, 3, "more"), Err(Wrong::TooMany));
}

#[test]
fn a_choice_waits_for_a_minute_and_no_longer_than_who_asks() {
    let mut choices = Choices::default();
    let mail = ask(&mut choices, 1, "mail").unwrap();
    let notes = ask(&mut choices, 2, "notes").unwrap();
    assert_eq!(choices.retain(|instance| instance == InstanceId(1)), [notes]);
    assert_eq!(choices.due(), Some(NOW + CHOICE_TIMEOUT));
    assert!(choices.expire(NOW + CHOICE_TIMEOUT - Duration::from_nanos(1)).is_empty());
    assert_eq!(choices.expire(NOW + CHOICE_TIMEOUT), [mail]);
    assert_eq!(choices.due(), None);
}

#[test]
fn wants_of_one_shape_have_one_default_whatever_thing_they_are_about() {
    let mut defaults = Defaults::default();
    let all = [target("a"), target("b")];
    assert!(defaults.set(&view("https://example.org/a.png?x=1"), target("b")));
    let among = |defaults: &Defaults, uri: &str| defaults.among(&view(uri), &all).cloned();
    assert_eq!(among(&defaults, "HTTPS://other.example/"), Some(target("b")));
    assert_eq!(among(&defaults, "http://other.example/"), None);
    assert_eq!(defaults.among(&view("https://example.org"), &all[..1]), None, "it is no candidate");
    let other = Want { entities: vec!["browser".into()], ..view("https://example.org") };
    assert_eq!(defaults.among(&other, &all), None);
    defaults.set(&view("/home/a.png"), target("a"));
    assert_eq!(among(&defaults, "file:///home/b.png"), None, "it has a scheme");
    assert_eq!(among(&defaults, "b.png"), Some(target("a")));
    assert_eq!(among(&defaults, "b.txt"), None);
    defaults.set(&view("c.png"), target("b"));
    assert_eq!(among(&defaults, "b.png"), Some(target("b")));
    assert_eq!(defaults.all().len(), 2);
    assert!(defaults.unset(&view("b.png")) && !defaults.unset(&view("b.png")));
    assert!(defaults.forget(&id("b")) && defaults.all().is_empty());
}

#[test]
fn what_names_its_bundle_or_is_too_long_has_no_default() {
    let mut defaults = Defaults::default();
    assert!(!defaults.set(&Want { bundle: Some(id("a")), ..view("x:") }, target("a")));
    assert!(!defaults.set(&view(&format!("{}:", "x".repeat(200))), target("a")));
    for number in 0..=MAX_DEFAULTS {
        assert!(defaults.set(&view(&format!("x{number}:")), target("a")));
    }
    assert_eq!(defaults.all().len(), MAX_DEFAULTS);
    assert_eq!(defaults.among(&view("x0:"), &[target("a")]), None, "the oldest made room");
}

proptest! {
    #[test]
    fn a_default_that_was_set_is_found_again(
        action in prop::option::of("[a-z]{0,9}"),
        entities in prop::collection::vec("[a-z]{1,3}", 0..4),
        uri in prop::option::of("\\PC{0,40}"),
        mime in prop::option::of("[a-z]{1,9}/[a-z]{1,9}"),
    ) {
        let mut turned = entities.clone();
        turned.reverse();
        let want = Want { action, entities, uri, mime, ..Want::default() };
        let mut defaults = Defaults::default();
        if defaults.set(&want, target("a")) {
            let want = Want { entities: turned, ..want };
            let all = [target("b"), target("a")];
            prop_assert_eq!(defaults.among(&want, &all), all.last());
        }
    }
}
