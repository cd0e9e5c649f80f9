use landlock::{ABI, Access, AccessFs, AccessNet, BitFlags, Scope};
use model::sandbox::{Files, Tmp, View};

use super::*;

fn list(trees: &[&str]) -> Option<Vec<String>> {
    Some(trees.iter().map(|tree| (*tree).to_owned()).collect())
}

fn of(profile: &Profile) -> Option<Ruleset> {
    ruleset(profile, &Trees::of(profile).unwrap()).unwrap()
}

fn files(files: Files) -> Ruleset {
    of(&Profile { files, ..Profile::default() }).unwrap()
}

fn rights(ruleset: &Ruleset, tree: &str) -> u64 {
    let found = ruleset.paths.iter().find(|paths| paths.trees.iter().any(|one| one == tree));
    found.map_or(0, |paths| paths.rights)
}

#[test]
fn the_bits_are_those_of_the_landlock_crate() {
    assert_eq!(AccessFs::from_all(ABI::V6).bits(), (IOCTL_DEV << 1) - 1);
    assert_eq!(AccessFs::from_all(ABI::V1).bits(), HISTORY[0].1);
    assert_eq!(BitFlags::from(AccessFs::Refer).bits(), REFER);
    assert_eq!(BitFlags::from(AccessFs::Truncate).bits(), TRUNCATE);
    assert_eq!(BitFlags::from(AccessFs::IoctlDev).bits(), IOCTL_DEV);
    assert_eq!((AccessFs::MakeChar | AccessFs::MakeBlock).bits(), MAKE_CHAR | MAKE_BLOCK);
    assert_eq!(AccessFs::from_read(ABI::V6).bits(), READING | EXECUTE);
    let writing = WRITING | MAKE_CHAR | MAKE_BLOCK | IOCTL_DEV;
    assert_eq!(AccessFs::from_write(ABI::V6).bits(), writing);
    assert_eq!(BitFlags::from(AccessNet::BindTcp).bits(), BIND);
    assert_eq!(BitFlags::from(AccessNet::ConnectTcp).bits(), CONNECT);
    assert_eq!(Scope::from_all(ABI::V6).bits(), SCOPES);
}

#[test]
fn a_list_restricts_only_what_it_is_about() {
    let only = files(Files { execute: list(&["/usr"]), ..Files::default() });
    assert_eq!((only.files, rights(&only, "/usr")), (EXECUTE | REFER, EXECUTE));
    let written = files(Files { write: list(&["/var"]), ..Files::default() });
    assert_eq!(written.files & (READING | EXECUTE), 0);
    assert_eq!(rights(&written, "/var"), WRITING);
    assert_eq!(rights(&written, "/dev/null"), WRITE_FILE | IOCTL_DEV);
    assert_eq!(of(&Profile::default()), None);
}

#[test]
fn what_is_written_or_executed_is_read_too() {
    let all = files(Files {
        read: list(&["/etc"]),
        write: list(&["/var"]),
        execute: list(&["/usr"]),
        tmp: Tmp::Private,
        ..Files::default()
    });
    assert_eq!(rights(&all, "/usr"), READING | EXECUTE);
    assert_eq!(rights(&all, "/var"), READING | WRITING);
    assert_eq!(rights(&all, "/etc"), READING);
    assert_eq!(rights(&all, "/tmp"), READING | WRITING);
}

#[test]
fn what_is_forbidden_gets_no_right() {
    let mut profile = Profile::default();
    profile.files.write = list(&["/data/a", "/data/b"]);
    profile.files.read = list(&["/etc/wifi"]);
    profile.forbid.files = vec!["/etc".into()];
    profile.forbid.write = vec!["/data/b".into()];
    let all = of(&profile).unwrap();
    assert_eq!(rights(&all, "/etc/wifi"), 0);
    assert_eq!(rights(&all, "/data/b"), READING);
    assert_eq!(rights(&all, "/data/a"), READING | WRITING);
}

#[test]
fn a_device_that_is_never_written_is_read() {
    let mut profile = Profile::default();
    profile.files.read = list(&[]);
    profile.files.write = list(&[]);
    profile.files.devices = list(&["kmsg", "fb0"]);
    profile.forbid.write = vec!["/dev/kmsg".into(), "/dev/shm".into()];
    let all = of(&profile).unwrap();
    assert_eq!(rights(&all, "/dev/kmsg"), READING);
    assert_eq!(rights(&all, "/dev/shm"), READING);
    assert_eq!(rights(&all, "/dev/fb0"), DEVICE);
}

#[test]
fn who_has_something_hidden_cannot_mount_it_away() {
    let mut profile = Profile::default();
    profile.forbid.files = vec!["/etc/wifi".into()];
    let all = of(&profile).unwrap();
    assert_eq!(rights(&all, "/") & MAKE_BLOCK, MAKE_BLOCK);
}

#[test]
fn who_may_write_everywhere_may_move_files_between_directories() {
    let mut profile = Profile::default();
    profile.forbid.files = vec!["/etc/wifi".into()];
    let all = of(&profile).unwrap();
    assert_eq!((all.files, rights(&all, "/")), (MAKE_BLOCK | REFER, MAKE_BLOCK | REFER));
    let all = files(Files { execute: list(&["/usr"]), ..Files::default() });
    assert_eq!((all.files, rights(&all, "/")), (EXECUTE | REFER, REFER));
    let all = files(Files { write: list(&["/var"]), ..Files::default() });
    assert_eq!(rights(&all, "/"), 0, "who may not does not");
}

#[test]
fn in_a_listed_view_nobody_outside_is_reached() {
    let all = files(Files { view: View::Listed, ..Files::default() });
    assert_eq!(all.scopes, SCOPES);
    assert_eq!(all.files, (IOCTL_DEV << 1) - 1);
}

#[test]
fn an_older_kernel_gets_only_what_it_knows() {
    let files = Files { view: View::Listed, write: list(&["/var"]), ..Files::default() };
    let mut profile = Profile { files, ..Profile::default() };
    profile.network.connect = Some(vec![443]);
    let all = of(&profile).unwrap();
    assert_eq!(versions(&all).collect::<Vec<_>>(), [1, 3, 4, 5, 6]);
    let third = known(&all, 3).unwrap();
    assert_eq!((third.files, third.ports, third.scopes), ((TRUNCATE << 1) - 1, 0, 0));
    assert_eq!(third.allowed_ports, []);
    assert_eq!(known(&all, 1).unwrap().files, REFER - 1);
    assert_eq!(known(&all, 0), None);
    assert_eq!(known(&all, 7), Some(all));
}

#[test]
fn a_port_may_be_for_both_ways() {
    let mut profile = Profile::default();
    profile.network.connect = Some(vec![53, 443]);
    profile.network.listen = Some(vec![53]);
    let all = of(&profile).unwrap();
    assert_eq!(all.allowed_ports, [(53, BIND | CONNECT), (443, CONNECT)]);
    profile.network.connect = Some(vec![1; MAX_PORTS + 1]);
    assert!(ruleset(&profile, &Trees::of(&profile).unwrap()).is_err());
}
