//! Each line of the table, and the index beside looking at each skill.

use model::Name;
use model::bundle::BundleId;
use model::want::{Skill, SkillPath, SkillUri, Want};
use proptest::prelude::*;

use super::{Index, matches, size};
use crate::engine::Target;

fn texts(list: &[&str]) -> Vec<String> {
    list.iter().map(|text| (*text).to_owned()).collect()
}

/// A skill that can `view` one thing: `https://example.org:80`, a path behind it, a type.
fn skill(address: &str, path: Option<SkillPath>, mime: &str) -> Skill {
    let (scheme, host) = address.split_once("://").unwrap_or((address, ""));
    let (host, port) = host.split_once(':').map_or((host, None), |(h, p)| (h, p.parse().ok()));
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let uri = SkillUri { scheme: some(scheme), host: some(host), port, path, mime: some(mime) };
    Skill { actions: texts(&["view"]), uris: vec![uri], ..Skill::default() }
}

fn want(uri: &str, mime: &str) -> Want {
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    Want { action: some("view"), uri: some(uri), mime: some(mime), ..Want::default() }
}

fn answers(skill: &Skill, uris: &[&str]) -> Vec<bool> {
    uris.iter().map(|uri| matches(skill, &want(uri, ""))).collect()
}

#[test]
fn an_action_must_be_in_the_list_and_a_skill_without_actions_answers_nothing() {
    let skill = Skill { actions: texts(&["view", "edit"]), ..Skill::default() };
    let action = |action: &str| Want { action: Some(action.into()), ..Want::default() };
    assert!(matches(&skill, &action("edit")));
    assert!(!matches(&skill, &action("send")));
    assert!(matches(&skill, &Want::default()));
    assert!(!matches(&Skill::default(), &Want::default()));
    assert!(!matches(&Skill::default(), &action("view")));
}

#[test]
fn every_entity_of_the_want_must_be_in_the_skill() {
    let with = |entities: &[&str]| Skill {
        actions: texts(&["view"]),
        entities: texts(entities),
        ..Skill::default()
    };
    let want = |entities: &[&str]| Want { entities: texts(entities), ..want("", "") };
    assert!(matches(&with(&["a", "b"]), &want(&["b"])));
    assert!(matches(&with(&["a"]), &want(&[])));
    assert!(!matches(&with(&["a"]), &want(&["a", "b"])));
    assert!(!matches(&with(&[]), &want(&["a"])));
}

#[test]
fn a_want_of_nothing_matches_a_skill_without_uris() {
    assert!(matches(&Skill { actions: texts(&["view"]), ..Skill::default() }, &want("", "")));
    assert!(!matches(&skill("https", None, ""), &want("", "")));
    assert!(!matches(&skill("", None, "image/png"), &want("", "")));
    assert!(matches(&skill("", None, ""), &want("", "")));
}

#[test]
fn a_scheme_alone_matches_every_address_of_it() {
    let uris = ["mailto:a@b", "mailto", "mailtox:a", "MAILTO:a@b", "https://mailto"];
    assert_eq!(answers(&skill("mailto", None, ""), &uris), [true, true, false, true, false]);
}

#[test]
fn a_host_matches_itself_with_any_path_and_with_any_port_if_it_has_none() {
    let uris = [
        "https://example.org",
        "HTTPS://EXAMPLE.org/A?b",
        "https://example.org:8080/a",
        "https://example.organic",
        "http://example.org",
    ];
    let all = skill("https://example.org", None, "");
    assert_eq!(answers(&all, &uris), [true, true, true, false, false]);
    let one = skill("https://example.org:8080", None, "");
    assert_eq!(answers(&one, &uris), [false, false, true, false, false]);
}

#[test]
fn a_path_is_matched_whole_by_its_beginning_or_by_an_expression() {
    let with = |path| skill("https://example.org", Some(path), "");
    let uris = [
        "https://example.org/notes",
        "https://example.org/notes?id=7",
        "https://example.org/notes/7",
        "https://example.org/Notes",
        "https://example.org:80/notes",
    ];
    let is = with(SkillPath::Is("/notes".into()));
    assert_eq!(answers(&is, &uris), [true, true, false, false, false]);
    let starts = with(SkillPath::StartsWith("/notes".into()));
    assert_eq!(answers(&starts, &uris), [true, true, true, false, false]);
    let regex = with(SkillPath::Regex("/notes/[0-9]+".into()));
    assert_eq!(answers(&regex, &uris), [false, false, true, false, false]);
    let bad = with(SkillPath::Regex("/notes|(".into()));
    assert_eq!(answers(&bad, &uris), [false; 5]);
}

#[test]
fn a_want_with_a_uri_alone_matches_a_uri_without_a_type_or_with_the_type_of_its_suffix() {
    let images = skill("file", None, "image/*");
    let uris =
        ["file:///a.png", "file:///a.PNG?x", "file:///a.txt", "file:///png", "https://x/a.png"];
    assert_eq!(answers(&images, &uris), [true, true, false, false, false]);
    let mail = skill("mailto", None, "image/*");
    assert_eq!(answers(&mail, &["mailto:a@b.png"]), [false]);
    let typed = skill("", None, "image/*");
    assert_eq!(answers(&typed, &["/home/a.png", "a.png", "file:///a.png"]), [true, true, false]);
}

#[test]
fn a_want_with_a_type_alone_matches_a_type_without_a_scheme() {
    assert!(matches(&skill("", None, "image/*"), &want("", "image/png")));
    assert!(!matches(&skill("file", None, "image/*"), &want("", "image/png")));
}

#[test]
fn a_want_with_both_matches_one_uri_with_both() {
    let both = want("file:///a", "image/png");
    assert!(matches(&skill("file", None, "image/png"), &both));
    assert!(!matches(&skill("file", None, ""), &both));
    assert!(!matches(&skill("", None, "image/png"), &both));
    let mut two = skill("file", None, "");
    two.uris.extend(skill("", None, "image/png").uris);
    assert!(!matches(&two, &both));
}

#[test]
fn the_index_finds_each_ability_once_and_in_order() {
    let skills = [skill("https", None, ""), skill("https://example.org", None, "")];
    let all = ["a", "b", "c"].map(|name| (target("org.x", name), &skills[..]));
    let index = Index::new(all);
    let found = index.answer(&want("https://example.org/", ""));
    let names: Vec<&str> = found.iter().map(|target| target.ability.as_str()).collect();
    assert_eq!(names, ["a", "b", "c"]);
    let named = Want { ability: Name::try_from("b").ok(), ..want("https://example.org/", "") };
    assert_eq!(index.answer(&named).len(), 1);
}

#[test]
fn the_size_of_a_want_counts_all_that_it_says() {
    let empty = size(&Want::default());
    let uri = "x".repeat(1000);
    assert_eq!(size(&want(&uri, "")), empty + 1004);
}

fn target(bundle: &str, ability: &str) -> Target {
    let bundle = BundleId::try_from(bundle).unwrap();
    Target { bundle, ability: Name::try_from(ability).unwrap() }
}

/// Few words, so that what is wanted is often there.
fn any_skill() -> impl Strategy<Value = Skill> {
    let path = prop_oneof![
        "(/[ab]?){1,2}".prop_map(SkillPath::Is),
        "(/[ab]?){1,2}".prop_map(SkillPath::StartsWith),
        "/[ab.*+(]{0,3}".prop_map(SkillPath::Regex),
    ];
    let scheme = prop::option::of("https|file|a");
    let host = prop::option::of("x|x.y|\\[::1\\]|x:y");
    let mime = prop::option::of("\\*/\\*|image/\\*|image/png|text/plain|general.object");
    let uri = (scheme, host, prop::option::of(80_u16..82), prop::option::of(path), mime)
        .prop_map(|(scheme, host, port, path, mime)| SkillUri { scheme, host, port, path, mime });
    let words = || prop::collection::vec("view|edit|send", 0..3);
    (words(), words(), prop::collection::vec(uri, 0..3))
        .prop_map(|(actions, entities, uris)| Skill { actions, entities, uris })
}

fn any_want() -> impl Strategy<Value = Want> {
    let uri = "((https|FILE|file|a|mailto)(:|://)?)?(x|X|x\\.y|\\[::1\\]|x:y)?(:80|:81|:)?(/[ab]?){0,2}(\\.png|\\.txt)?(\\?q)?";
    let mime = "\\*/\\*|image/\\*|image/png|text/plain|\\*|reserved/wildcard|x/y";
    let entities = prop::collection::vec("view|edit", 0..2);
    (prop::option::of("view|edit|"), entities, prop::option::of(uri), prop::option::of(mime))
        .prop_map(|(action, entities, uri, mime)| Want {
            action,
            entities,
            uri,
            mime,
            ..Want::default()
        })
}

proptest! {
    #[test]
    fn the_index_finds_what_looking_at_each_skill_finds(
        abilities in prop::collection::vec(prop::collection::vec(any_skill(), 0..3), 0..8),
        wants in prop::collection::vec(any_want(), 1..8),
    ) {
        let named = |place: usize| target("org.x", &format!("a{place}"));
        let index = Index::new(abilities.iter().enumerate().map(|(place, s)| (named(place), &s[..])));
        for want in wants {
            let one_by_one: Vec<Target> = abilities.iter().enumerate()
                .filter(|(_, skills)| skills.iter().any(|skill| matches(skill, &want)))
                .map(|(place, _)| named(place)).collect();
            let found: Vec<Target> = index.answer(&want).into_iter().cloned().collect();
            prop_assert_eq!(found, one_by_one, "{:?}", want);
        }
    }

    #[test]
    fn an_expression_finds_what_it_matches_whatever_it_begins_with(
        text in "[ab/|(?)*+{}1\\[\\]^$\\\\.-]{0,8}",
        path in "/?[ab/]{0,5}",
    ) {
        let matched = model::want::pattern(&text).is_ok_and(|one| one.is_match(&path));
        let skill = skill("https://x", Some(SkillPath::Regex(text)), "");
        prop_assert_eq!(matches(&skill, &want(&format!("https://x{path}"), "")), matched);
    }

    #[test]
    fn no_text_of_a_want_is_too_odd(uri in ".{0,80}", mime in ".{0,20}", s in any_skill()) {
        let want = want(&uri, &mime);
        let index = Index::new([(target("org.x", "a"), &[s.clone()][..])]);
        prop_assert_eq!(index.answer(&want).len(), usize::from(matches(&s, &want)));
    }
}
