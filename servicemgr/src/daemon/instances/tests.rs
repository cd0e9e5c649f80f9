use super::*;

fn wanted(uid: u32, granted: &[&str]) -> Wanted {
    let granted = granted.iter().map(|name| (*name).to_owned()).collect();
    Wanted { definition: String::new(), uid, granted, own: Vec::new() }
}

fn nobody() -> Instances {
    Instances::new(Shipped::new("/nowhere/at/all".into()))
}

fn profile(number: usize) -> Profile {
    let mut profile = Profile::default();
    profile.files.write = Some(vec![format!("/var/lib/apps/{number}")]);
    profile
}

#[test]
fn an_instance_has_a_number_and_a_user_of_apps() {
    assert!(instance_name("app@org.example.notes_1").is_ok());
    for name in ["app@org.example.notes", "web", "app@", "app@_1", "x@a_1", "app@../x_1"] {
        let why = instance_name(name).unwrap_err().to_string();
        assert!(why.contains("is called app@ID_NUMBER"), "{why}");
    }
    let names = checked(&wanted(10_000, &["net", "camera", "net"])).unwrap();
    assert_eq!(names.iter().map(Name::as_str).collect::<Vec<_>>(), ["camera", "net"]);
    for uid in [0, 1, 9_999, 30_000, u32::MAX] {
        assert!(checked(&wanted(uid, &[])).is_err(), "{uid}");
    }
    assert!(checked(&wanted(10_000, &["../net"])).is_err());
    assert!(checked(&wanted(10_000, &["net"; MAX_GRANTED + 1])).is_err());
}

#[test]
fn a_definition_leaves_to_others_what_they_decide() {
    let name = Name::try_from("app@a.b_1").unwrap();
    let mut service = Service::new(name.clone(), vec!["/bin/true".into()]);
    assert!(can_be_app(&service).unwrap_err().contains("confines nothing"));
    service.sandbox = profile(1).into();
    assert_eq!(can_be_app(&service), Ok(()));
    let user = Service { user: Some("web".into()), ..service.clone() };
    assert!(can_be_app(&user).unwrap_err().contains("`user`"));
    let asks = Service { permissions: vec![name], ..service.clone() };
    assert!(can_be_app(&asks).unwrap_err().contains("`permissions`"));
    let target = Service { kind: Kind::Target, ..service };
    assert!(can_be_app(&target).unwrap_err().contains("`type`"));
}

#[test]
fn of_many_sandboxes_those_used_last_are_kept_and_those_in_use() {
    let mut instances = nobody();
    let in_use = |of: &Profile| *of == profile(0);
    for number in 0..=PREPARED {
        assert_eq!(instances.used(&profile(number), in_use), [], "{number}");
    }
    assert_eq!(instances.used(&profile(1), in_use), [], "it was used again");
    assert_eq!(instances.used(&profile(1000), in_use), [profile(2)], "not the first, which runs");
    assert_eq!(instances.used(&profile(2), in_use), [profile(3)]);
    assert_eq!(instances.used(&profile(2), |_| false), [profile(0)], "when it has ended");
    assert_eq!(instances.profiles.len(), PREPARED);
}

#[test]
fn a_definition_is_read_once_for_all_instances_that_have_it() {
    let mut instances = nobody();
    let mut times = 0;
    let mut read = |text: &str, number: u32| {
        let name = Name::try_from(format!("app@a.b_{number}")).unwrap();
        let made = instances.read(name, text, |name| {
            times += 1;
            let exec = vec![text.to_owned()];
            if text == "bad" { Err("bad".into()) } else { Ok(Service::new(name.clone(), exec)) }
        });
        (made.map(|made| (made.name.to_string(), made.exec)), times)
    };
    let made = |number: u32, text: &str| Ok((format!("app@a.b_{number}"), vec![text.to_owned()]));
    assert_eq!(read("/bin/a", 1), (made(1, "/bin/a"), 1));
    assert_eq!(read("/bin/a", 2), (made(2, "/bin/a"), 1), "under its own name");
    assert_eq!(read("bad", 3), (Err("bad".into()), 2));
    assert_eq!(read("bad", 3), (Err("bad".into()), 3), "what is wrong is not kept");
    (0..MAX_READ).for_each(|n| drop(read(&format!("/bin/{n}"), 4)));
    let before = read("/bin/0", 5).1;
    assert_eq!(read("/bin/a", 6), (made(6, "/bin/a"), before + 1), "the one used longest ago went");
}

#[test]
fn variables_have_names_and_are_few() {
    let of = |all: &[&str]| variables(&all.iter().map(ToString::to_string).collect::<Vec<_>>());
    assert_eq!(
        of(&["A=1=2", "B="]),
        Ok(vec![("A".into(), "1=2".into()), ("B".into(), String::new())])
    );
    for bad in ["", "A", "=1", "A=\0"] {
        assert!(matches!(of(&[bad]), Err(Error::BadDefinition(_))), "{bad:?}");
    }
    assert!(matches!(of(&["A=1"; MAX_OWN + 1]), Err(Error::Refused(_))));
}
