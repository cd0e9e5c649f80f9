//! Stories of what services get: decisions on disk, permissions as files, no kernel.

use std::fs;
use std::path::Path;

use model::sandbox::Access;
use proptest::prelude::*;

use super::*;
use crate::grants::{Answer, Decision, Decisions};

fn name(text: &str) -> Name {
    Name::try_from(text).unwrap()
}

/// A device with three permissions: two that the owner decides about, one that nobody does.
fn device(place: &Path) -> Settings {
    let permissions = place.join("permissions");
    fs::create_dir_all(&permissions).unwrap();
    let photos = "version = 1\nabout = \"keep pictures\"\n[files]\nwrite = [\"/srv/photos\"]\n";
    let net = "version = 1\nabout = \"reach others\"\n[network]\naccess = \"host\"\nfamilies = [\"inet\"]\nconnect = [443]\n[bus]\ntalk = [\"org.example.Net\"]\n";
    let hall = "version = 1\nabout = \"use the hall\"\ngrant = \"system\"\n[bus]\nown = [\"org.example.Hall\"]\n";
    for (name, text) in [("photos", photos), ("net", net), ("hall", hall)] {
        fs::write(permissions.join(format!("{name}.toml")), text).unwrap();
    }
    Settings {
        profiles: ["a", "b"].map(|name| place.join(name)),
        state: place.join("state"),
        run: place.join("run"),
        compiler: place.join("there-is-no-compiler"),
        ..Settings::default()
    }
}

/// One that may write nowhere and has an empty network.
fn eye() -> Service {
    let mut service = Service::new(name("eye"), vec!["/bin/eye".into()]);
    service.sandbox.files.write = Some(vec!["/srv/eye".into()]);
    service.sandbox.network.access = Access::None;
    service.permissions = ["hall", "net", "photos"].map(name).to_vec();
    service
}

fn permissions_of(settings: &Settings) -> Permissions {
    Permissions::new(settings, Shipped::new(settings.ready.clone()))
}

fn decided(permissions: &mut Permissions, moment: bool, granted: &[&str]) {
    let mut all = Decisions::default();
    for permission in granted {
        let decision = Decision { answer: Answer::Granted, by: 0, at: 1 };
        all.decide(&name("eye"), &name(permission), decision).unwrap();
    }
    permissions.store(moment).replace(all).unwrap();
}

#[test]
fn a_service_has_what_was_granted_and_its_definition_is_not_lost() {
    let place = tempfile::tempdir().unwrap();
    let mut permissions = permissions_of(&device(place.path()));
    let mut service = eye();
    permissions.give(&mut service, false);
    assert_eq!(service, eye(), "nothing was decided");

    decided(&mut permissions, false, &["photos"]);
    permissions.give(&mut service, false);
    assert_eq!(
        service.sandbox.files.write,
        Some(vec!["/srv/eye".to_owned(), "/srv/photos".to_owned()])
    );
    assert_eq!(service.sandbox.network.access, Access::None);
    assert_eq!(permissions.held(&service.name), [name("photos")]);
    assert_eq!(*permissions.as_defined(&service), eye());
    assert_eq!(permissions.base(&service), profile_of(&eye()));

    decided(&mut permissions, false, &["net"]);
    permissions.give(&mut service, false);
    assert_eq!(service.sandbox.files.write, eye().sandbox.files.write);
    assert_eq!(service.sandbox.network.access, Access::Host);
    let names: Vec<String> =
        permissions.of(&service).iter().map(|found| found.name.to_string()).collect();
    assert_eq!(names, ["hall", "net"], "with that of its definition");

    decided(&mut permissions, false, &[]);
    permissions.give(&mut service, false);
    assert_eq!(service, eye());
}

#[test]
fn what_is_forbidden_or_broken_or_not_there_does_not_count_and_the_rest_does() {
    let place = tempfile::tempdir().unwrap();
    let settings = device(place.path());
    fs::write(place.path().join("permissions/net.toml"), "version = 1\nnonsense").unwrap();
    let mut permissions = permissions_of(&settings);
    let mut service = eye();
    service.permissions.push(name("unheard-of"));
    let widened = permissions.widened(&service, &["net", "photos", "unheard-of", "hall"].map(name));
    assert_eq!(widened.held, [name("photos")]);
    let wrong: Vec<&str> = widened.wrong.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(wrong, ["net", "unheard-of"]);
    service.sandbox.forbid.write = vec!["/srv/photos".into()];
    let widened = permissions.widened(&service, &[name("photos")]);
    assert_eq!((widened.held.len(), widened.profile), (0, profile_of(&service).clone()));
    assert!(widened.wrong[0].1.contains("forbid.write"), "{:?}", widened.wrong);
}

#[test]
fn a_sandbox_that_cannot_be_compiled_is_not_used() {
    let place = tempfile::tempdir().unwrap();
    let settings = device(place.path());
    let mut permissions = permissions_of(&settings);
    decided(&mut permissions, false, &["photos"]);
    let mut service = eye();
    permissions.give(&mut service, false);
    let mut sandboxes = Sandboxes::new(Vec::new(), Shipped::new(settings.ready), settings.compiler);
    sandboxes.learn([&service]);
    permissions.take_back(&mut service, &mut sandboxes);
    assert_eq!(service, eye());
    assert_eq!(permissions.held(&service.name), []);
}

#[test]
fn where_nobody_asks_no_file_is_looked_for() {
    let place = tempfile::tempdir().unwrap();
    let mut permissions = permissions_of(&device(place.path()));
    fs::create_dir_all(place.path().join("state")).unwrap();
    let file = place.path().join("state/permissions");
    let mut quiet = Service { permissions: Vec::new(), ..eye() };
    permissions.give(&mut quiet, false);
    // It would be known by now.
    let mut all = Decisions::default();
    let decision = Decision { answer: Answer::Granted, by: 0, at: 1 };
    all.decide(&name("eye"), &name("photos"), decision).unwrap();
    fs::write(&file, all.text()).unwrap();
    let mut asks = eye();
    permissions.give(&mut asks, false);
    assert_eq!(permissions.held(&asks.name), [name("photos")]);
}

#[test]
fn decisions_about_a_service_of_the_moment_end_with_it_and_are_no_others() {
    let place = tempfile::tempdir().unwrap();
    let settings = device(place.path());
    let mut permissions = permissions_of(&settings);
    decided(&mut permissions, true, &["photos"]);
    let mut service = eye();
    permissions.give(&mut service, false);
    assert_eq!(service, eye(), "one that is defined has none of it");
    permissions.give(&mut service, true);
    assert_eq!(permissions.held(&service.name), [name("photos")]);
    permissions.forget(&service.name, true);
    let mut next = eye();
    permissions_of(&settings).give(&mut next, true);
    assert_eq!(next, eye());
}

proptest! {
    /// Whatever is granted, in whichever order: never more than is asked for and granted, and nothing is left
    /// of it once it is taken back.
    #[test]
    fn what_is_taken_back_leaves_nothing(steps in prop::collection::vec((0..3_usize, any::<bool>()), 0..12)) {
        let place = tempfile::tempdir().unwrap();
        let settings = device(place.path());
        let mut permissions = permissions_of(&settings);
        let mut service = Service { permissions: vec![name("net"), name("photos")], ..eye() };
        let defined = service.clone();
        let mut granted = std::collections::BTreeSet::new();
        for (which, on) in steps {
            let permission = ["net", "photos", "hall"][which];
            if on { granted.insert(permission); } else { granted.remove(permission); }
            decided(&mut permissions, false, &granted.iter().copied().collect::<Vec<_>>());
            permissions.give(&mut service, false);
            let held: Vec<&str> = permissions.held(&service.name).iter().map(Name::as_str).collect();
            let may: Vec<&str> = granted.iter().copied().filter(|one| *one != "hall").collect();
            prop_assert_eq!(&held, &may);
            let host = service.sandbox.network.access == Access::Host;
            prop_assert_eq!(host, granted.contains("net"));
            prop_assert_eq!(&*permissions.as_defined(&service), &defined);
        }
        // The next servicemgr sees the same.
        let mut again = defined.clone();
        permissions_of(&settings).give(&mut again, false);
        prop_assert_eq!(again.sandbox, service.sandbox);
    }
}
