//! A profile with permissions allows what it allowed and what they add, and never what it forbids.

mod allows;

use allows::profiles::{call_names, files, maybe, network, profile, texts};
use allows::{CAPABILITIES, Wish, allows, wishes};
use model::Name;
use model::bundle::Said;
use model::permission::{Bus, Grant, Level, Permission};
use model::sandbox::{
    Access, Calls, Family, Files, Forbidden, Network, Profile, View, calls, is_below,
};
use model::service::Service;
use proptest::prelude::*;

fn permission(name: &str, adds: Profile) -> Permission {
    Permission {
        name: Name::try_from(name).expect("a name"),
        about: Said { plain: "do it".to_owned(), ..Said::default() },
        level: Level::Normal,
        grant: Grant::System,
        adds,
        bus: Bus::default(),
        checked_by: None,
    }
}

/// Nothing in it restricts, and no text may give everything.
fn adds() -> impl Strategy<Value = Profile> {
    let single = (maybe(texts(&CAPABILITIES)), any::<bool>(), maybe(call_names()));
    (single, files(), network()).prop_map(|((capabilities, executable, allow), files, network)| {
        let part = |list: Option<Vec<String>>| {
            list.map(|list| list.into_iter().filter(|tree| tree != "/").collect())
        };
        Profile {
            capabilities,
            write_execute: executable.then_some(true),
            files: Files {
                read: part(files.read),
                write: part(files.write),
                execute: part(files.execute),
                devices: files.devices,
                ..Files::default()
            },
            network,
            calls: Calls { allow, ..Calls::default() },
            ..Profile::default()
        }
    })
}

fn any_permission(name: &'static str) -> impl Strategy<Value = Permission> {
    adds().prop_map(move |adds| permission(name, adds))
}

/// Whether a permission gives it by itself.
fn gives(adds: &Profile, wish: Wish) -> bool {
    let covers = |list: &Option<Vec<String>>, path: &str| {
        list.iter().flatten().any(|tree| is_below(path, tree))
    };
    let (files, network) = (&adds.files, &adds.network);
    let host = network.access == Access::Host;
    let called = |list: &[String], name: &str| {
        let group = |n: &String| calls::group(n).is_some_and(|g| g.members().contains(name));
        list.iter().any(|n| n == name || group(n))
    };
    match wish {
        Wish::Read(path) => {
            covers(&files.read, path) || covers(&files.write, path) || covers(&files.execute, path)
        }
        Wish::Write(path) => covers(&files.write, path),
        Wish::Execute(path) => covers(&files.execute, path),
        Wish::Device(name) => files.devices.iter().flatten().any(|device| device == name),
        Wish::Connect(port) => host && network.connect.as_ref().is_none_or(|l| l.contains(&port)),
        Wish::Listen(port) => host && network.listen.as_ref().is_none_or(|l| l.contains(&port)),
        Wish::HostNetwork => host,
        Wish::Datagrams => {
            host && (network.udp || (network.connect.is_none() && network.listen.is_none()))
        }
        Wish::Family(family) => network.families.iter().flatten().any(|f| *f == family),
        Wish::Call(name) => adds.calls.allow.as_deref().is_some_and(|list| called(list, name)),
        Wish::Capability(name, _) => adds.capabilities.iter().flatten().any(|c| c == name),
        Wish::WriteExecute => adds.write_execute == Some(true),
        _ => false,
    }
}

/// What a program in an empty network may do there says nothing about another network.
fn of_network(wish: Wish) -> bool {
    matches!(wish, Wish::Connect(_) | Wish::Listen(_) | Wish::Datagrams)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn widening_never_takes_anything_away(own in profile(), more in any_permission("a")) {
        let Ok(wider) = own.widened(&[&more]) else { return Ok(()) };
        for wish in wishes().into_iter().filter(|wish| allows(&own, *wish)) {
            // In a listed view are no devices unless they are named.
            let none = own.files.view == View::Listed && own.files.devices.is_none();
            let left = (own.network.access == Access::None && of_network(wish))
                || (none && matches!(wish, Wish::Device(_)));
            prop_assert!(left || allows(&wider, wish), "{wish:?}: {wider:?}");
        }
    }

    #[test]
    fn it_gives_what_the_permission_names_and_nothing_else(
        own in profile(),
        more in any_permission("a"),
    ) {
        let Ok(wider) = own.widened(&[&more]) else { return Ok(()) };
        for wish in wishes() {
            let given = gives(&more.adds, wish);
            let gained = allows(&wider, wish) && !allows(&own, wish);
            // UDP is open where no TCP port is listed any more: the language can't say otherwise.
            let open = wish == Wish::Datagrams
                && wider.network.connect.is_none() && wider.network.listen.is_none();
            prop_assert!(!gained || given || open, "{wish:?} came by itself: {wider:?}");
            let kept_out = match wish {
                // Part of a tree or of a group may be forbidden.
                Wish::Read(path) | Wish::Execute(path) => {
                    own.forbid.files.iter().any(|tree| is_below(path, tree))
                }
                Wish::Write(path) => {
                    own.forbid.files.iter().chain(&own.forbid.write).any(|t| is_below(path, t))
                }
                Wish::Call(_) => true,
                Wish::Capability(_, root) => !root && own.capabilities.is_none(),
                _ => false,
            };
            prop_assert!(!given || kept_out || allows(&wider, wish), "{wish:?}: {wider:?}");
        }
    }

    #[test]
    fn what_the_profile_forbids_stays_forbidden_and_it_restricts_no_less(
        own in profile(),
        more in any_permission("a"),
    ) {
        if let Ok(wider) = own.widened(&[&more]) {
            prop_assert_eq!(&wider.forbid, &own.forbid);
            prop_assert_eq!((&wider.calls.deny, &wider.calls.kill), (&own.calls.deny, &own.calls.kill));
            prop_assert_eq!(wider.no_new_privileges, own.no_new_privileges);
            let places = (wider.files.view, wider.files.tmp, wider.files.proc);
            prop_assert_eq!(places, (own.files.view, own.files.tmp, own.files.proc));
        }
    }

    #[test]
    fn order_and_repetition_of_permissions_do_not_matter(
        own in profile(),
        one in any_permission("a"),
        two in any_permission("b"),
    ) {
        let both = own.widened(&[&one, &two]);
        prop_assert_eq!(&own.widened(&[&two, &one]), &both);
        prop_assert_eq!(&own.widened(&[&one, &two, &one]), &both);
        let Ok(both) = both else { return Ok(()) };
        prop_assert_eq!(both.widened(&[&two]), Ok(both.clone()));
        let after = own.widened(&[&two]).and_then(|with| with.widened(&[&one]));
        // What one writes and another executes is seen only where both are there.
        prop_assert!(after.as_ref().is_ok_and(|after| *after == both) || after.is_err());
    }

    #[test]
    fn no_permission_changes_nothing(own in profile()) {
        prop_assert_eq!(own.widened(&[]), Ok(own));
    }
}

fn list(texts: &[&str]) -> Option<Vec<String>> {
    Some(texts.iter().map(|text| (*text).to_owned()).collect())
}

fn internet() -> Permission {
    let network = Network {
        access: Access::Host,
        families: Some(vec![Family::Inet, Family::Inet6]),
        connect: Some(vec![443]),
        listen: Some(Vec::new()),
        udp: false,
    };
    permission("internet", Profile { network, ..Profile::default() })
}

fn none() -> Network {
    Network { access: Access::None, ..Network::default() }
}

#[test]
fn a_program_in_an_empty_network_gets_the_ports_of_the_permission() {
    let own = Network { families: Some(vec![Family::Unix]), ..none() };
    let own = Profile { network: own, ..Profile::default() };
    let wider = own.widened(&[&internet()]).expect("nothing is forbidden");
    assert_eq!(wider.network.access, Access::Host);
    assert_eq!(wider.network.families, Some(vec![Family::Unix, Family::Inet, Family::Inet6]));
    assert_eq!((wider.network.connect, wider.network.listen), (Some(vec![443]), Some(vec![])));
    let mut any = internet();
    any.name = Name::try_from("any").expect("a name");
    any.adds.network.connect = None;
    let wider = own.widened(&[&internet(), &any]).expect("nothing is forbidden");
    assert_eq!((wider.network.connect, wider.network.listen), (None, Some(vec![])));
}

#[test]
fn a_listed_view_shows_what_a_permission_names() {
    let adds = Files { read: list(&["/a"]), devices: list(&["video*"]), ..Files::default() };
    let camera = permission("camera", Profile { files: adds, ..Profile::default() });
    let files = Files { view: View::Listed, execute: list(&["/usr"]), ..Files::default() };
    let own = Profile { files, ..Profile::default() };
    let wider = own.widened(&[&camera]).expect("nothing is forbidden").files;
    assert_eq!((wider.read, wider.devices), (list(&["/a"]), list(&["video*"])));
    let wider = Profile::default().widened(&[&camera]).expect("nothing is forbidden").files;
    assert_eq!((wider.read, wider.devices), (None, None), "nothing was restricted");
}

#[test]
fn another_user_has_the_capabilities_that_its_permissions_name() {
    let adds = Profile { capabilities: list(&["SYS_TIME"]), ..Profile::default() };
    let clock = permission("set-time", adds);
    let mut service = Service::new(Name::try_from("x").expect("a name"), Vec::new());
    let of_root = service.widened(&[&clock]).expect("nothing is forbidden");
    assert_eq!(of_root.capabilities, None, "root has them all");
    service.user = Some("clock".to_owned());
    let own = service.widened(&[&clock]).expect("nothing is forbidden");
    assert_eq!(own.capabilities, list(&["SYS_TIME"]));
    assert_eq!(service.widened(&[&internet()]).expect("it fits").capabilities, None);
}

#[test]
fn what_is_forbidden_is_refused_whole_and_named() {
    let refused = |change: &dyn Fn(&mut Profile), adds: Profile| -> Forbidden {
        let mut own = Profile::default();
        change(&mut own);
        let one = permission("one", Profile { capabilities: list(&["CHOWN"]), ..adds });
        own.widened(&[&internet(), &one]).expect_err("it is forbidden")
    };
    let files = |files: Files| Profile { files, ..Profile::default() };
    let read = || files(Files { read: list(&["/a/b"]), ..Files::default() });
    let why = refused(&|own| own.forbid.files = vec!["/a".into()], read());
    insta::assert_snapshot!(why, @"the permission `one` needs to read `/a/b`, and `forbid.files` is against it with `/a`");
    let device = files(Files { devices: list(&["video*"]), ..Files::default() });
    let why = refused(&|own| own.forbid.files = vec!["/dev".into()], device);
    insta::assert_snapshot!(why, @"the permission `one` needs the device `video*`, and `forbid.files` is against it with `/dev`");
    let write = || files(Files { write: list(&["/usr/x"]), ..Files::default() });
    let why = refused(&|own| own.files.execute = list(&["/usr"]), write());
    insta::assert_snapshot!(why, @"the permission `one` needs to write `/usr/x`, and `files.execute` is against it with `/usr`");
    let call = || Profile {
        calls: Calls { allow: list(&["reboot"]), ..Calls::default() },
        ..Profile::default()
    };
    let why = refused(&|own| own.forbid.calls = vec!["@reboot".into()], call());
    insta::assert_snapshot!(why, @"the permission `one` needs the system call `reboot`, and `forbid.calls` is against it with `@reboot`");
    let why = refused(&|own| own.calls.kill = vec!["reboot".into()], call());
    insta::assert_snapshot!(why, @"the permission `one` needs the system call `reboot`, and `calls.kill` is against it with `reboot`");
    let why = refused(&|own| own.forbid.capabilities = vec!["CHOWN".into()], Profile::default());
    insta::assert_snapshot!(why, @"the permission `one` needs the capability CHOWN, and `forbid.capabilities` is against it with `CHOWN`");
    let families = Network { families: Some(vec![Family::Packet]), ..none() };
    let families = Profile { network: families, ..Profile::default() };
    let why = refused(&|own| own.forbid.families = vec![Family::Packet], families);
    insta::assert_snapshot!(why, @r#"the permission `one` needs sockets of the family "packet", and `forbid.families` is against it with `packet`"#);
    let why = refused(&|own| own.forbid.network = true, Profile::default());
    insta::assert_snapshot!(why, @"the permission `internet` needs the network of the device, and `forbid.network` is against it");
}

#[test]
fn a_group_of_which_something_is_left_is_given_without_the_rest() {
    let allow = list(&["@reboot"]);
    let adds = Profile { calls: Calls { allow, ..Calls::default() }, ..Profile::default() };
    let mut own = Profile::default();
    own.calls.allow = list(&["@basic"]);
    own.forbid.calls = vec!["reboot".to_owned()];
    let wider = own.widened(&[&permission("end", adds)]).expect("kexec is left");
    assert!(!allows(&wider, Wish::Call("reboot")));
    assert_eq!(wider.calls.allow, list(&["@basic", "@reboot"]));
}

#[test]
fn no_permission_writes_where_a_root_of_its_own_is() {
    let files = Files { root: Some("/run/roots/a".into()), view: View::Listed, ..Files::default() };
    let own = Profile { files, ..Profile::default() };
    let of = |tree: &str| {
        let write = Some(vec![tree.to_owned()]);
        let adds = Profile { files: Files { write, ..Files::default() }, ..Profile::default() };
        permission("p", adds)
    };
    let why = own.widened(&[&of("/opt/x")]).unwrap_err();
    assert_eq!((why.key, why.value.as_str()), ("files.root", "/run/roots/a"));
    let wider = own.widened(&[&of("/run/x")]).unwrap();
    assert_eq!(wider.files.root, own.files.root);
}
