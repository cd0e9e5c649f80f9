//! What is made ahead of a start is what the start would have made. Needs root and namespaces; says so where
//! it has none.

#![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]
#![expect(clippy::print_stderr, reason = "a test that can't run says so")]

use std::ffi::CString;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sys::confine::{Confine, Mount, Ruleset, features, prepare};
use sys::spawn::{Ahead, EmptyNetwork, Launch, Passed, Ready, SpawnError, Step, spawn, spawn_with};

const NEW_MOUNTS: u64 = 0x0002_0000;
const NEW_NETWORK: u64 = 0x4000_0000;
const NEW_OTHERS: u64 = 0x0800_0000 | 0x0400_0000 | 0x0200_0000;

/// Of Landlock: executing and reading files, listing directories; writing and making files.
const READ: u64 = 1 | 4 | 8;
const WRITE: u64 = 2 | 1 << 8;

/// `MOUNT_ATTR_RDONLY`.
const READ_ONLY: u64 = 1;

fn c(text: &str) -> CString {
    CString::new(text).unwrap()
}

fn place(path: &str) -> CString {
    c(&format!("/run/ensemble/root{path}"))
}

/// One test at a time: one of them mounts something, which the others would notice.
static ALONE: Mutex<()> = Mutex::new(());

/// Whether this machine can do it; a test that can't run says why.
fn able(test: &str) -> Option<MutexGuard<'static, ()>> {
    let found = features();
    let able = sys::process::user() == 0
        && found.namespaces
        && found.network_namespace
        && found.landlock >= 4;
    if able {
        prepare().unwrap();
    } else {
        eprintln!("{test}: skipped: not root, or the kernel lacks it: {found:?}");
    }
    able.then(|| ALONE.lock().unwrap_or_else(PoisonError::into_inner))
}

/// A new root with what a shell needs, these trees, and its own of everything.
fn listed(trees: &[&str], hidden: &[&str]) -> Arc<Confine> {
    let show =
        |path: &&str| Mount::Show { path: c(path), target: place(path), attributes: READ_ONLY };
    let mut mounts = vec![Mount::Private, Mount::Root];
    mounts.extend(["/usr", "/bin", "/lib", "/lib64"].iter().chain(trees).map(show));
    mounts.push(Mount::Tmp(place("/tmp"), c("mode=1777,size=1m")));
    mounts.push(Mount::Proc(place("/proc")));
    mounts.push(Mount::Dev(place("/dev"), vec![c("pts")]));
    mounts.extend(hidden.iter().map(|path| Mount::Hide(place(path))));
    mounts.push(Mount::Pivot);
    let ruled = ["/usr", "/bin", "/lib", "/lib64", "/proc"].iter().chain(trees);
    let mut paths: Vec<_> = ruled.map(|path| (c(path), READ)).collect();
    paths.extend([(c("/tmp"), READ | WRITE), (c("/dev"), READ | WRITE)]);
    let files = READ | WRITE;
    let ruleset = Some(Ruleset { files, paths, ..Ruleset::default() });
    let namespaces = NEW_MOUNTS | NEW_NETWORK | NEW_OTHERS;
    Arc::new(Confine { namespaces, mounts, ruleset, ..Confine::default() })
}

/// With mounts made ahead, a network too: no start shall use one that is not for it.
fn start(confine: &Arc<Confine>, ahead: Option<Ahead>, script: &str) -> String {
    let network = ahead.as_ref().map(|_| EmptyNetwork::make().unwrap());
    start_with(confine, ahead, network, script)
}

fn start_with(
    confine: &Arc<Confine>,
    ahead: Option<Ahead>,
    network: Option<EmptyNetwork>,
    script: &str,
) -> String {
    let launch = Launch {
        program: c("/bin/sh"),
        arguments: ["/bin/sh", "-c", script].map(c).into(),
        environment: vec![c("PATH=/usr/bin:/bin")],
        directory: c("/"),
        no_new_privileges: true,
        confine: Some(Arc::clone(confine)),
        ..Launch::default()
    };
    let null = File::open("/dev/null").unwrap();
    let (mut reader, writer) = io::pipe().unwrap();
    let standard = [null.as_fd(), writer.as_fd(), writer.as_fd()];
    let passed = Passed { standard, fds: &[writer.as_fd()], cgroup: None, note: None };
    match (&ahead, &network) {
        (None, None) => spawn(&launch, &passed).unwrap(),
        _ => spawn_with(&launch, &passed, ready(confine, ahead, network)).unwrap(),
    };
    drop(writer);
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    text
}

fn ready(confine: &Arc<Confine>, ahead: Option<Ahead>, network: Option<EmptyNetwork>) -> Ready {
    let mut ready = Ready::new(confine);
    ahead.map(|ahead| ready.take(ahead));
    network.into_iter().for_each(|network| ready.take_network(network));
    ready
}

/// One that holds: others on this machine may mount something meanwhile.
fn make(confine: &Arc<Confine>) -> Ahead {
    (0..100)
        .filter_map(|_| Ahead::make(confine).ok())
        .map(Option::unwrap)
        .find(Ahead::holds)
        .unwrap()
}

/// Our descriptors of a kind.
fn ours(kind: &str) -> Vec<String> {
    let all = fs::read_dir("/proc/self/fd").unwrap().flatten();
    let all = all.filter_map(|entry| fs::read_link(entry.path()).ok());
    all.map(|to| to.to_string_lossy().into_owned()).filter(|to| to.contains(kind)).collect()
}

fn scene() -> (tempfile::TempDir, String) {
    let dir = tempfile::tempdir_in("/var/tmp").unwrap();
    let path = dir.path().to_str().unwrap().to_owned();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    (dir, path)
}

#[test]
fn a_program_finds_the_same_whether_it_was_made_ahead_or_not() {
    let Some(_alone) = able("same") else { return };
    let (_dir, at) = scene();
    fs::create_dir(format!("{at}/tree")).unwrap();
    fs::write(format!("{at}/tree/file"), "text\n").unwrap();
    fs::write(format!("{at}/tree/secret"), "secret\n").unwrap();
    let (tree, secret) = (format!("{at}/tree"), format!("{at}/tree/secret"));
    let confine = listed(&[&tree], &[&secret, "/proc/keys"]);
    let script = format!(
        "ls /; ls /dev; ls /proc/self/fd; cat {tree}/file {secret} /proc/keys; cut -d: -f1 /proc/net/dev; \
         grep -c . /proc/self/mountinfo; pwd; echo x > /tmp/x && cat /tmp/x; echo x > {tree}/new; echo x > /usr/x; \
         echo x > /proc/sys/kernel/hostname; echo x > /dev/null && echo null; ls /tmp /dev/shm; sed -n 1p /proc/self/cgroup; \
         for n in mnt net ipc uts cgroup; do test /proc/1/ns/$n -ef /proc/self/ns/$n && echo $n; done; true"
    );
    let plain = start(&confine, None, &script);
    assert!(plain.contains("text\n") && !plain.contains("secret\n"), "{plain}");
    assert!(plain.contains("lo") && plain.contains("null\n"), "{plain}");
    assert_eq!(start(&confine, Some(make(&confine)), &script), plain);
}

#[test]
fn two_starts_share_nothing_and_nothing_stays_open_with_us() {
    let Some(_alone) = able("share") else { return };
    let confine = listed(&[], &[]);
    let ours = || ours("landlock").len();
    let script = "ls /tmp /dev/shm; echo x > /tmp/x; echo x > /dev/shm/x; readlink /proc/self/ns/net /proc/self/ns/mnt";
    let all: Vec<_> = (0..2).map(|_| start(&confine, Some(make(&confine)), script)).collect();
    assert!(all.iter().all(|text| text.starts_with("/dev/shm:\n\n/tmp:\n")), "{all:?}");
    assert_ne!(all[0], all[1]);
    assert_eq!(ours(), 0);
    let ahead = make(&confine);
    assert_eq!(ours(), 1, "the ruleset waits");
    drop(ahead);
    assert_eq!(ours(), 0);
}

#[test]
fn what_changed_since_is_found_as_it_is_at_the_start() {
    let Some(_alone) = able("changed") else { return };
    let (_dir, at) = scene();
    let [tree, late, moved] = ["tree", "tree/late", "moved"].map(|name| format!("{at}/{name}"));
    fs::create_dir(&tree).unwrap();
    fs::write(format!("{tree}/file"), "old\n").unwrap();
    let confine = listed(&[&tree], &[&late]);
    let read = format!("cat {tree}/file {late}");
    let ahead = make(&confine);
    fs::write(&late, "late\n").unwrap();
    assert!(!ahead.holds());
    assert_eq!(start(&confine, Some(ahead), &read), "old\n", "it is hidden");
    let ahead = make(&confine);
    fs::rename(&tree, &moved).unwrap();
    fs::create_dir(&tree).unwrap();
    fs::write(format!("{tree}/file"), "new\n").unwrap();
    fs::write(&late, "late\n").unwrap();
    assert_eq!(start(&confine, Some(ahead), &read), "new\n", "another took its place");
    let ahead = make(&confine);
    fs::remove_dir_all(&tree).unwrap();
    symlink(&moved, &tree).unwrap();
    let link = start(&confine, Some(ahead), &format!("readlink {tree}"));
    assert_eq!(link, format!("{moved}\n"), "a link is shown as a link");
}

#[test]
fn after_a_mount_in_one_of_its_trees_nothing_that_was_made_before_is_used() {
    let Some(_alone) = able("mount") else { return };
    let (_dir, at) = scene();
    let (tree, other) = (format!("{at}/tree"), format!("{at}/other"));
    fs::create_dir_all(format!("{tree}/deep")).unwrap();
    fs::create_dir(&other).unwrap();
    // A way to it over a link is a way to the same mounts.
    symlink(&at, format!("{at}/way")).unwrap();
    let tmpfs = |place: &str| {
        let (place, flags) = (std::path::Path::new(place), sys::mount::Flags::default());
        sys::mount::mount("tmpfs", place, "tmpfs", flags, "").unwrap();
    };
    let unmount = |place: &str| sys::mount::unmount(std::path::Path::new(place)).unwrap();
    for shown in [tree.clone(), format!("{at}/way/tree")] {
        let confine = listed(&[&shown], &[]);
        let ahead = make(&confine);
        tmpfs(&other);
        let beside = ahead.holds();
        unmount(&other);
        let gone = ahead.holds();
        tmpfs(&format!("{tree}/deep"));
        fs::write(format!("{tree}/deep/file"), "mounted\n").unwrap();
        let inside = ahead.holds();
        let text = start(&confine, Some(ahead), &format!("cat {shown}/deep/file"));
        let ahead = make(&confine);
        unmount(&format!("{tree}/deep"));
        let without = [ahead.holds(), ahead.holds()];
        assert_eq!((beside, gone, inside, without), (true, true, false, [false; 2]));
        assert_eq!(text, "mounted\n");
    }
}

#[test]
fn who_can_t_use_one_may_use_the_next_and_nobody_has_two() {
    let Some(_alone) = able("next") else { return };
    let (_dir, at) = scene();
    let [one, other] = [listed(&[&at], &[]), listed(&[], &[])];
    let mut ready = Ready::new(&other);
    assert!(!ready.take(make(&one)), "it was made for another");
    let before = ours("mnt:").len();
    assert!(ready.take(make(&other)) && ready.take(make(&other)));
    assert_eq!(ours("mnt:").len(), before + 1);
}

#[test]
fn what_was_made_for_another_is_not_used() {
    let Some(_alone) = able("another") else { return };
    let (_dir, at) = scene();
    let [one, other] = [listed(&[&at], &[]), listed(&[], &[])];
    let text = start(&other, Some(make(&one)), &format!("ls -d {at}"));
    assert!(text.contains("No such file"), "{text}");
}

#[test]
fn what_can_t_be_made_is_told_and_leaves_nothing() {
    let Some(_alone) = able("fails") else { return };
    let mut bad = Confine::clone(&listed(&[], &[]));
    let end = bad.mounts.len() - 1;
    let below_a_file = Mount::Show { path: c("/usr"), target: place("/dev/null/x"), attributes: 0 };
    bad.mounts.insert(end, below_a_file);
    let SpawnError { step, what, .. } = Ahead::make(&Arc::new(bad)).unwrap_err();
    assert_eq!((step, what.as_deref()), (Step::Mount, Some("show /usr")));
    let nothing = Ahead::make(&Arc::new(Confine { namespaces: NEW_OTHERS, ..Confine::default() }));
    assert!(nothing.unwrap().is_none());
}

#[test]
fn a_network_that_was_made_before_is_for_one_that_has_an_empty_one_and_for_nobody_else() {
    let Some(_alone) = able("network") else { return };
    let empty = listed(&[], &[]);
    let of_device =
        Arc::new(Confine { namespaces: empty.namespaces & !NEW_NETWORK, ..Confine::clone(&empty) });
    let script = "readlink /proc/self/ns/net; grep -c : /proc/net/dev";
    let made = || Some(EmptyNetwork::make().unwrap());
    let all = [0; 2].map(|_| start_with(&empty, None, made(), script));
    assert_ne!(all[0], all[1], "each start has its own");
    let ours = fs::read_link("/proc/self/ns/net").unwrap().to_string_lossy().into_owned();
    assert!(all.iter().all(|text| !text.starts_with(&ours)), "{all:?}");
    let interfaces = |text: &str| text.lines().nth(1).map(str::to_owned);
    assert_eq!(interfaces(&all[0]), interfaces(&start(&empty, None, script)));
    assert!(start_with(&of_device, None, made(), script).starts_with(&ours));
}

#[test]
fn mounts_made_ahead_do_without_a_network_and_a_network_without_mounts() {
    let Some(_alone) = able("parts") else { return };
    let confine = listed(&[], &[]);
    let script = "ls /; cut -d: -f1 /proc/net/dev; for n in mnt net ipc; do test /proc/1/ns/$n -ef /proc/self/ns/$n && echo $n; done; true";
    let plain = start(&confine, None, script);
    assert_eq!(start_with(&confine, Some(make(&confine)), None, script), plain);
    let network = Some(EmptyNetwork::make().unwrap());
    assert_eq!(start_with(&confine, None, network, script), plain);
}

/// Beyond a base: a directory and a file to be read, a directory to be written, one that is not there, a link.
fn beyond(at: &str) -> Arc<Confine> {
    fs::create_dir_all(format!("{at}/data/deep")).unwrap();
    fs::create_dir_all(format!("{at}/program")).unwrap();
    fs::write(format!("{at}/program/file"), "program\n").unwrap();
    fs::write(format!("{at}/note"), "note\n").unwrap();
    symlink("program", format!("{at}/link")).unwrap();
    let trees = ["data", "gone", "link", "note", "program"].map(|name| format!("{at}/{name}"));
    let trees: Vec<&str> = trees.iter().map(String::as_str).collect();
    let mut confine = Confine::clone(&listed(&trees, &["/proc/keys"]));
    for mount in &mut confine.mounts {
        if let Mount::Show { path, attributes, .. } = mount
            && path.to_bytes().ends_with(b"/data")
        {
            *attributes = 2 | 4 | 8;
        }
    }
    let paths = &mut confine.ruleset.as_mut().unwrap().paths;
    let data = paths.iter_mut().find(|(path, _)| path.to_bytes().ends_with(b"/data"));
    data.unwrap().1 |= WRITE;
    Arc::new(confine)
}

/// Tells all that a program finds: mounts, files with their modes, what it can change, what it is given.
fn all_of_it(at: &str) -> String {
    format!(
        "sed 's/^[0-9]* [0-9]* [0-9:]* //' /proc/self/mountinfo | sort; find / -xdev -printf '%p %M %u %l\\n' | sort; \
         cat {at}/program/file {at}/note {at}/link/file; readlink {at}/link; ls {at} {at}/data /dev /dev/shm; \
         for f in {at}/data/new {at}/program/new {at}/note /new {at}/new /usr/new /dev/new /tmp/new; do \
         (echo x > $f) 2>&1; done; ls {at}/data; rm {at}/data/new; cat /proc/keys; cut -d: -f1 /proc/net/dev; umask; pwd; \
         ls /proc/self/fd; for n in mnt net ipc uts cgroup; do test /proc/1/ns/$n -ef /proc/self/ns/$n && echo $n; done; true"
    )
}

#[test]
fn a_program_that_never_started_finds_the_same_in_what_was_made_for_its_base() {
    let Some(_alone) = able("base") else { return };
    let (_dir, at) = scene();
    let mounted = std::path::Path::new(&at);
    // What is mounted in a shared mount is seen in every copy of it, unless that is private.
    sys::mount::mount("tmpfs", mounted, "tmpfs", sys::mount::Flags::default(), "").unwrap();
    let shared = std::process::Command::new("mount").args(["--make-shared", &at]).status();
    let confine = beyond(&at);
    let script = all_of_it(&at);
    let base = Arc::new(confine.base().unwrap());
    let plain = start(&confine, None, &script);
    let beyond = start(&confine, Some(make(&base)), &script);
    // Each enters the mounts of one, and no other.
    let bases = [(); 2].map(|()| make(&base));
    let made = ours("mnt:");
    let entered = bases.map(|one| start(&confine, Some(one), "readlink /proc/self/ns/mnt"));
    sys::mount::unmount(mounted).unwrap();
    assert!(shared.unwrap().success());
    assert!(plain.contains("program\nnote\nprogram\nprogram\n"), "{plain}");
    assert_eq!(plain.matches("Read-only file system").count(), 6, "{plain}");
    assert!(!plain.contains("shared:") && plain.contains("\nnew\n"), "{plain}");
    assert_eq!(beyond, plain);
    assert!(
        entered.iter().all(|one| made.contains(&one.trim().to_owned())),
        "{made:?} {entered:?}"
    );
    assert_ne!(entered[0], entered[1]);
}

#[test]
fn rights_on_its_own_trees_are_given_and_no_others() {
    let Some(_alone) = able("rights") else { return };
    let (_dir, at) = scene();
    let confine = beyond(&at);
    let base = Arc::new(confine.base().unwrap());
    let mut less = Confine::clone(&confine);
    let paths = &mut less.ruleset.as_mut().unwrap().paths;
    paths.retain(|(path, _)| !path.to_bytes().ends_with(b"/note"));
    let (script, less) = (format!("cat {at}/program/file {at}/note"), Arc::new(less));
    for ahead in [None, Some(make(&base))] {
        let text = start(&less, ahead, &script);
        assert!(
            text.starts_with("program\n") && text.contains("note: Permission denied"),
            "{text}"
        );
    }
    let mut fails = Confine::clone(&confine);
    fails.ruleset.as_mut().unwrap().paths.push((c("/usr/share"), 1 << 40));
    let launch = Launch {
        program: c("/bin/true"),
        directory: c("/"),
        confine: Some(Arc::new(fails)),
        ..Launch::default()
    };
    let null = File::open("/dev/null").unwrap();
    let passed = Passed { standard: [null.as_fd(); 3], fds: &[], cgroup: None, note: None };
    let ready = ready(launch.confine.as_ref().unwrap(), Some(make(&base)), None);
    let SpawnError { step, .. } = spawn_with(&launch, &passed, ready).unwrap_err();
    assert_eq!(step, Step::Ruleset, "a rule that can't be added ends the start");
}

#[test]
fn a_base_is_not_used_by_who_has_something_in_the_way_of_it() {
    let Some(_alone) = able("in the way") else { return };
    let (_dir, at) = scene();
    let confine = beyond(&at);
    let base = Arc::new(confine.base().unwrap());
    let key = format!("{at}/program/file");
    let hides = listed(&[&format!("{at}/program")], &["/proc/keys", &key]);
    assert_eq!(
        start(&hides, Some(make(&base)), &format!("cat {key}; ls /")),
        start(&hides, None, &format!("cat {key}; ls /"))
    );
    let less = listed(&[], &[]);
    let text = start(&less, Some(make(&base)), "cat /proc/keys > /dev/null && echo read");
    assert_eq!(text, "read\n", "it hides no keys, so it made its own");
}

/// In place of the device's `/etc` and `/opt`, those of another root.
fn rooted(root: &str) -> Arc<Confine> {
    let mut confine = Confine::clone(&listed(&[], &[]));
    let attributes = READ_ONLY;
    let (path, target) = (c("opt"), place("/opt"));
    let inside = Mount::Inside { root: c(root), path, target, attributes };
    let (path, target) = (c("etc"), place("/etc"));
    let entries = Mount::Entries { root: c(root), path, target, attributes, but: vec![c("not")] };
    let end = confine.mounts.len() - 1;
    confine.mounts.splice(end..end, [inside, entries]);
    if let Some(ruleset) = &mut confine.ruleset {
        ruleset.no_links = true;
        ruleset.paths.extend(["/etc", "/opt"].map(|tree| (c(tree), READ)));
    }
    Arc::new(confine)
}

#[test]
fn another_root_is_shown_ahead_of_a_start_unless_somebody_may_write_there() {
    let Some(_alone) = able("other roots") else { return };
    let (_dir, at) = scene();
    let root = format!("{at}/root");
    for file in ["etc/mine", "etc/not", "opt/tool"] {
        let file = format!("{root}/{file}");
        fs::create_dir_all(std::path::Path::new(&file).parent().unwrap()).unwrap();
        fs::write(file, "text\n").unwrap();
    }
    let confine = rooted(&root);
    assert!(Ahead::make(&confine).unwrap().is_none(), "what is there may change until the start");
    let flags = sys::mount::Flags { read_only: true, ..sys::mount::Flags::default() };
    sys::mount::bind(root.as_ref(), root.as_ref()).unwrap();
    sys::mount::restrict(root.as_ref(), flags).unwrap();
    let made = Ahead::make(&confine).unwrap();
    let base = confine.base().map(|base| confine.is_beyond(&base));
    let script = "ls /etc /opt; cat /etc/mine; echo > /opt/tool";
    let (ahead, own) = (start(&confine, made, script), start(&confine, None, script));
    let made = Ahead::make(&confine).unwrap().unwrap();
    sys::mount::unmount(root.as_ref()).unwrap();
    assert!(!made.holds(), "it is mounted no more");
    assert_eq!(ahead, own);
    assert!(
        own.starts_with("/etc:\nmine\n\n/opt:\ntool\ntext\n") && own.contains("Read-only"),
        "{own}"
    );
    assert_eq!(base, Some(true));
}
