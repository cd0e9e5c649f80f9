use std::ffi::CString;

use super::*;

fn c(text: &str) -> CString {
    CString::new(text).unwrap()
}

fn place(path: &str) -> CString {
    c(&format!("/run/ensemble/root{path}"))
}

fn show(path: &str, attributes: u64) -> Mount {
    Mount::Show { path: c(path), target: place(path), attributes }
}

/// In their order, as a profile is compiled: trees to be read; those that begin with a `+` to be written.
fn app(trees: &[&str], hidden: &[&str]) -> Confine {
    let own = |tree: &&str| match tree.strip_prefix('+') {
        Some(tree) => show(tree, 0),
        None => show(tree, READ_ONLY),
    };
    let mut mounts = vec![Mount::Private, Mount::Root];
    mounts.extend(trees.iter().map(own));
    mounts.extend([Mount::Tmp(place("/tmp"), c("size=1m")), Mount::Proc(place("/proc"))]);
    mounts.push(Mount::Dev(place("/dev"), vec![]));
    mounts.extend(hidden.iter().map(|path| Mount::Hide(place(path))));
    mounts.push(Mount::Pivot);
    let paths = trees.iter().map(|tree| tree.trim_start_matches('+')).chain(["/", "/tmp", "/proc"]);
    let paths = paths.map(|path| (c(path), 4)).collect();
    let ruleset = Some(Ruleset { files: 4, paths, ..Ruleset::default() });
    // Host name and network are of no base.
    let namespaces = OF_BASE | 0x4400_0000;
    Confine { namespaces, mounts, ruleset, keyring: true, ..Confine::default() }
}

fn own(of: &Confine, base: &Confine) -> Option<Vec<String>> {
    let all = of.beyond(base)?.mounts;
    let name = |number: u32| match &of.mounts[usize::try_from(number).unwrap()] {
        Mount::Show { path, .. } => path.to_str().unwrap().to_owned(),
        other => panic!("{other:?}"),
    };
    Some(all.into_iter().map(name).collect())
}

#[test]
fn what_is_of_the_system_is_the_base_and_an_app_adds_its_program_and_its_data() {
    let plain = app(&["/etc/passwd", "/usr"], &["/usr/secret"]);
    let one = app(&["/apps/one", "/etc/passwd", "/usr", "+/var/lib/one"], &["/usr/secret"]);
    let base = one.base().unwrap();
    assert_eq!(Some(&base), plain.base().as_ref());
    assert_eq!(base.namespaces, OF_BASE);
    assert!(!base.keyring && base.filter.is_empty());
    assert_eq!(base.ruleset.as_ref().unwrap().paths.len(), 5);
    assert_eq!(own(&one, &base).unwrap(), ["/apps/one", "/var/lib/one"]);
    assert_eq!(one.beyond(&base).unwrap().rules, Some(vec![0, 3]));
    let other = app(&["/apps/two", "/etc/passwd", "/usr"], &["/usr/secret"]);
    assert_eq!(own(&other, &base).unwrap(), ["/apps/two"]);
    assert_eq!(own(&plain, &base).unwrap(), [""; 0]);
    assert!(!plain.is_beyond(&one), "it has less");
}

#[test]
fn a_tree_of_the_system_that_is_written_is_its_own_and_so_is_one_that_others_are_not_shown() {
    let base = app(&["/etc/passwd", "/usr"], &[]).base().unwrap();
    let writes = app(&["+/etc/app", "/etc/passwd", "/usr"], &[]);
    assert_eq!(writes.base().unwrap(), base);
    let reads = app(&["/etc/app", "/etc/passwd", "/usr"], &[]);
    assert_ne!(reads.base().unwrap(), base);
    assert_eq!(own(&reads, &base).unwrap(), ["/etc/app"]);
    assert_eq!(reads.base().unwrap().common(&base), Some(base));
}

#[test]
fn what_lies_above_or_below_another_place_can_t_be_added_later() {
    let base = app(&["/usr"], &["/usr/secret"]).base().unwrap();
    for tree in ["+/usr/share/x", "+/tmp/x", "+/proc/x", "/dev/dri", "+/", "+/usr/secret"] {
        let confine = app(&["/usr", tree], &["/usr/secret"]);
        assert_eq!(own(&confine, &base), None, "{tree}");
        assert_eq!(confine.base(), None, "{tree}");
    }
    let nested = app(&["/usr", "+/var/lib/x", "/var/lib/x/fixed"], &["/usr/secret"]);
    assert_eq!(own(&nested, &base), None);
    let hidden = app(&["/usr", "+/var/lib/x"], &["/usr/secret", "/var/lib/x/key"]);
    assert_eq!(own(&hidden, &base), None);
    assert_eq!(own(&app(&["/usr"], &[]), &base), None, "it hides less");
    assert_eq!(own(&app(&["/usr", "/usrlocal"], &["/usr/secret"]), &base).unwrap(), ["/usrlocal"]);
    let many: Vec<String> = (0..=MOST_OWN).map(|n| format!("/apps/{n}")).collect();
    let mut trees: Vec<&str> = many.iter().map(String::as_str).chain(["/usr"]).collect();
    assert_eq!(own(&app(&trees, &["/usr/secret"]), &base), None);
    trees.remove(0);
    assert_eq!(own(&app(&trees, &["/usr/secret"]), &base).unwrap().len(), MOST_OWN);
}

#[test]
fn rules_of_a_base_are_used_only_by_who_has_all_of_them_and_handles_the_same() {
    let base = app(&["/usr"], &[]).base().unwrap();
    let with = |change: fn(&mut Ruleset)| {
        let mut confine = app(&["/opt", "/usr"], &[]);
        change(confine.ruleset.as_mut().unwrap());
        confine.beyond(&base).unwrap().rules
    };
    assert_eq!(with(|_| ()), Some(vec![0]));
    assert_eq!(with(|all| all.allowed_ports.push((80, 1))), Some(vec![0]));
    assert_eq!(with(|all| all.ports = 3), None);
    assert_eq!(with(|all| all.files |= 1), None);
    assert_eq!(with(|all| all.paths[1].1 = 8), None, "less is given on /usr");
    let mut made = base.clone();
    made.ruleset.as_mut().unwrap().paths[0].0 = c("/opt/x");
    let mut confine = app(&["/opt", "/usr"], &[]);
    confine.ruleset.as_mut().unwrap().paths.insert(0, (c("/opt/x"), 4));
    assert_eq!(confine.beyond(&made).unwrap().rules, None, "what was there is covered now");
}

#[test]
fn the_whole_view_and_one_without_namespaces_have_no_base() {
    let mounts = vec![Mount::Private, Mount::ReadOnly];
    assert_eq!(Confine { mounts, namespaces: OF_BASE, ..Confine::default() }.base(), None);
    let mut devices = app(&["/usr"], &[]);
    devices.mounts.insert(0, Mount::Owner(7));
    assert_eq!(devices.base(), None);
    assert_eq!(Confine { namespaces: 0, ..app(&["/usr"], &[]) }.base(), None);
    let base = app(&["/usr"], &[]).base().unwrap();
    let shared = Confine { namespaces: NEW_MOUNTS, ..app(&["/usr"], &[]) };
    assert!(!shared.is_beyond(&base), "its messages are not its own");
}

#[test]
fn two_bases_have_one_in_common_if_they_share_most_of_what_they_show() {
    let of = |trees: &[&str]| app(trees, &[]).base().unwrap();
    let (one, two) = (of(&["/etc/a", "/etc/x", "/usr"]), of(&["/etc/b", "/etc/x", "/usr"]));
    assert_eq!(one.common(&two), Some(of(&["/etc/x", "/usr"])));
    assert_eq!(one.common(&of(&["/usr"])), None);
    let hides = app(&["/etc/a", "/etc/x", "/usr"], &["/etc/x/y"]).base().unwrap();
    assert_eq!(one.common(&hides), None);
}

#[test]
fn a_place_is_in_a_directory_only_if_its_name_ends_there() {
    let is = |path: &str, outer: &str| below(path.as_bytes(), outer.as_bytes());
    assert!(is("/usr", "/usr") && is("/usr/x", "/usr") && is("/usr", "/") && is("/", "/"));
    assert!(!is("/usrx", "/usr") && !is("/us", "/usr") && !is("/", "/usr"));
}

#[test]
fn who_shows_something_in_a_tree_has_hold_of_it_and_who_shows_all_of_it_has_not() {
    let shows = |tree: &str| app(&["/usr", tree], &[]);
    for tree in [&b"/apps"[..], b"/apps/"] {
        assert!(shows("+/apps/one").has_of(tree) && shows("/apps/one/el2").has_of(tree));
        for other in ["/apps", "/apps-too/one", "/var", "/"] {
            assert!(!shows(other).has_of(tree), "{other}");
        }
    }
    let mut ruled = shows("/apps");
    assert!(!ruled.has_of(b"/apps"));
    ruled.ruleset.as_mut().unwrap().paths.push((c("/apps/one"), 4));
    assert!(ruled.has_of(b"/apps"), "a rule keeps what it is for");
}
