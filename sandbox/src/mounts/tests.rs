use model::sandbox::{Files, Proc, Profile, Tmp, View};

use super::*;
use crate::refused::Refused;

fn list(trees: &[&str]) -> Option<Vec<String>> {
    Some(trees.iter().map(|tree| (*tree).to_owned()).collect())
}

/// The steps, a word and a place each; without what is hidden in every `/proc` of its own.
fn steps(profile: &Profile) -> Vec<String> {
    let step = |mount| match mount {
        Mount::Show(tree, how) => format!("{how:?} {tree}"),
        Mount::Inside(root, tree, how) => format!("{how:?} {root}:{tree}"),
        Mount::Entries(root, tree, how, but) => {
            format!("{how:?} {root}:{tree}/* but {}", but.join(" "))
        }
        Mount::Tmp(tree, _) => format!("Tmp {tree}"),
        Mount::Writable(tree) => format!("Writable {tree}"),
        Mount::Unwritable(tree) => format!("Unwritable {tree}"),
        Mount::Hide(tree) => format!("Hide {tree}"),
        other => format!("{other:?}"),
    };
    let of_device = |step: &String| !step.starts_with("Hide /proc/");
    mounts(&Trees::of(profile).unwrap()).into_iter().map(step).filter(of_device).collect()
}

fn files(files: Files) -> Profile {
    Profile { files, ..Profile::default() }
}

#[test]
fn a_profile_that_says_nothing_of_files_mounts_nothing() {
    assert_eq!(steps(&Profile::default()), [""; 0]);
    let reads =
        files(Files { read: list(&["/usr"]), execute: list(&["/usr"]), ..Files::default() });
    assert_eq!(steps(&reads), [""; 0], "that is for Landlock alone");
}

#[test]
fn in_the_whole_view_only_what_is_listed_stays_writable() {
    let mut profile = files(Files {
        write: list(&["/dev/fb0", "/dev/shm", "/tmp/x", "/var/lib/a", "/var/lib/a/b"]),
        tmp: Tmp::Private,
        proc: Proc::Own,
        ..Files::default()
    });
    profile.forbid.write = vec!["/etc".into(), "/var/lib/a/keys".into()];
    profile.forbid.files = vec!["/etc/wifi".into()];
    assert_eq!(
        steps(&profile),
        [
            "Private",
            "ReadOnly",
            "Writable /dev/shm",
            "Proc",
            "Tmp /tmp",
            "Writable /var/lib/a",
            "Tmp /var/tmp",
            "Unwritable /var/lib/a/keys",
            "Hide /etc/wifi",
        ]
    );
}

#[test]
fn a_proc_of_its_own_shows_nothing_of_the_whole_device() {
    let profile = files(Files { proc: Proc::Own, ..Files::default() });
    let steps = mounts(&Trees::of(&profile).unwrap());
    assert_eq!(steps[..2], [Mount::Private, Mount::Proc]);
    assert!(steps.contains(&Mount::Hide("/proc/cmdline".into())), "what the kernel was told");
    assert!(steps.contains(&Mount::Hide("/proc/keys".into())), "keys of others");
}

#[test]
fn forbidding_to_write_a_tree_leaves_the_rest_as_it_is() {
    let mut profile = Profile::default();
    profile.forbid.write = vec!["/etc".into()];
    assert_eq!(steps(&profile), ["Private", "Unwritable /etc"]);
    profile.files.write = list(&["/"]);
    assert_eq!(steps(&profile), ["Private", "Unwritable /etc"]);
}

#[test]
fn a_listed_view_has_a_directory_before_what_lies_in_it() {
    let mut profile = files(Files {
        view: View::Listed,
        read: list(&["/etc/hosts", "/usr/lib/x", "/usr/share"]),
        write: list(&["/tmp/shared", "/var/lib/a"]),
        execute: list(&["/usr"]),
        tmp: Tmp::Private,
        proc: Proc::Own,
        devices: list(&["fb0"]),
        ..Files::default()
    });
    profile.forbid.files = vec!["/usr/lib/secret".into()];
    assert_eq!(
        steps(&profile),
        [
            "Private",
            "Root",
            "Execute /bin",
            "Dev([\"fb0\"])",
            "Read /etc/hosts",
            "Execute /lib",
            "Execute /lib64",
            "Proc",
            "Execute /sbin",
            "Tmp /tmp",
            "Write /tmp/shared",
            "Execute /usr",
            "Write /var/lib/a",
            "Tmp /var/tmp",
            "Hide /usr/lib/secret",
            "Pivot",
        ]
    );
}

#[test]
fn a_tree_that_is_forbidden_to_write_is_shown_to_be_read() {
    let mut profile =
        files(Files { view: View::Listed, write: list(&["/data", "/home/a"]), ..Files::default() });
    profile.forbid.write = vec!["/data/keys".into(), "/home".into(), "/other".into()];
    assert_eq!(
        steps(&profile)[2..],
        ["Write /data", "Dev([])", "Read /home/a", "Unwritable /data/keys", "Pivot"]
    );
}

#[test]
fn nothing_is_executed_where_something_is_written() {
    let profile =
        files(Files { write: list(&["/opt"]), execute: list(&["/opt/bin"]), ..Files::default() });
    let refused = Refused::Writable { execute: "/opt/bin".into(), write: "/opt".into() };
    assert_eq!(Trees::of(&profile), Err(refused));
    let inside =
        files(Files { write: list(&["/opt/data"]), execute: list(&["/opt"]), ..Files::default() });
    assert!(Trees::of(&inside).is_ok(), "what is written there is not executed");
}

#[test]
fn all_is_neither_listed_nor_forbidden() {
    let all = files(Files { view: View::Listed, read: list(&["/"]), ..Files::default() });
    assert_eq!(Trees::of(&all), Err(Refused::Everything));
    let mut nothing = Profile::default();
    nothing.forbid.files = vec!["/".into()];
    assert_eq!(Trees::of(&nothing), Err(Refused::Nothing));
}

#[test]
fn programs_and_settings_are_those_of_the_root_and_the_rest_is_the_devices() {
    let mut profile = files(Files {
        view: View::Listed,
        root: Some("/run/roots/a".into()),
        execute: list(&["/run/bundles/a", "/usr"]),
        read: list(&["/etc", "/etc/ssl", "/opt"]),
        write: list(&["/var/lib/apps/a"]),
        ..Files::default()
    });
    profile.forbid.files = vec!["/etc/shadow".into()];
    assert_eq!(
        steps(&profile),
        [
            "Private",
            "Root",
            "Execute /run/roots/a:/bin",
            "Dev([])",
            "Read /run/roots/a:/etc/* but group hostname hosts localtime passwd resolv.conf timezone",
            "Read /etc/group",
            "Read /etc/hostname",
            "Read /etc/hosts",
            "Read /etc/localtime",
            "Read /etc/passwd",
            "Read /etc/resolv.conf",
            "Read /etc/timezone",
            "Execute /run/roots/a:/lib",
            "Execute /run/roots/a:/lib32",
            "Execute /run/roots/a:/lib64",
            "Execute /run/roots/a:/libx32",
            "Read /run/roots/a:/opt",
            "Execute /run/bundles/a",
            "Execute /run/roots/a:/sbin",
            "Execute /run/roots/a:/usr",
            "Write /var/lib/apps/a",
            "Hide /etc/shadow",
            "Pivot",
        ]
    );
    let one = |read: &[&str]| Files { read: list(read), execute: None, ..profile.files.clone() };
    let all = steps(&files(Files { write: None, ..one(&["/etc/hosts", "/etc/ssl"]) }));
    assert!(all.contains(&"Read /etc/hosts".to_owned()), "{all:?}");
    assert!(all.contains(&"Read /run/roots/a:/etc/ssl".to_owned()), "{all:?}");
}

#[test]
fn a_root_is_for_a_listed_view_and_nothing_in_it_is_written() {
    let root = || Some("/run/roots/a".to_owned());
    let whole = files(Files { root: root(), ..Files::default() });
    assert_eq!(Trees::of(&whole), Err(Refused::WholeRoot));
    let write = list(&["/opt/x"]);
    let written = files(Files { view: View::Listed, root: root(), write, ..Files::default() });
    assert_eq!(Trees::of(&written), Err(Refused::WrittenRoot("/opt/x".into())));
    let files_of = |root: &str| {
        files(Files { view: View::Listed, root: Some(root.into()), ..Files::default() })
    };
    assert_eq!(Trees::of(&files_of("/")), Err(Refused::Path("/".into())));
    assert_eq!(Trees::of(&files_of("/a/../b")), Err(Refused::Path("/a/../b".into())));
}
