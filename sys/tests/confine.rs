//! What a confined process finds, on the real kernel. Needs root and namespaces; says so where it has none.

#![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]
#![expect(clippy::print_stderr, reason = "a test that can't run says so")]

use std::ffi::CString;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::sync::Arc;

use sys::confine::{Confine, Features, Instruction, Mount, Ruleset, features, prepare};
use sys::spawn::{Ids, Launch, Passed, SpawnError, Step, spawn};

const NEW_MOUNTS: u64 = 0x0002_0000;
const NEW_NETWORK: u64 = 0x4000_0000;
const NEW_OTHERS: u64 = 0x0800_0000 | 0x0400_0000 | 0x0200_0000;

const READ: u64 = 1 | 2 | 4 | 8;
const EXECUTE: u64 = 1 | 2 | 4;
const WRITE: u64 = 2 | 4 | 8;

fn c(text: &str) -> CString {
    CString::new(text).unwrap()
}

/// Whether this machine can do it; a test that can't run says why.
fn able(test: &str, wanted: fn(&Features) -> bool) -> bool {
    let able = sys::process::user() == 0 && wanted(&features());
    if able {
        prepare().unwrap();
    } else {
        eprintln!("{test}: skipped: not root, or the kernel lacks it: {:?}", features());
    }
    able
}

fn namespaces(found: &Features) -> bool {
    found.namespaces && found.network_namespace
}

fn shell(confine: Confine, script: &str) -> Launch {
    Launch {
        program: c("/bin/sh"),
        arguments: ["/bin/sh", "-c", script].map(c).into(),
        environment: vec![c("PATH=/usr/bin:/bin")],
        directory: c("/"),
        no_new_privileges: true,
        confine: Some(Arc::new(confine)),
        ..Launch::default()
    }
}

fn output(launch: &Launch) -> Result<String, SpawnError> {
    let null = File::open("/dev/null").unwrap();
    let (mut reader, writer) = io::pipe().unwrap();
    let standard = [null.as_fd(), writer.as_fd(), writer.as_fd()];
    spawn(launch, &Passed { standard, fds: &[], cgroup: None, note: None })?;
    drop(writer);
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    Ok(text)
}

fn run(confine: Confine, script: &str) -> String {
    output(&shell(confine, script)).unwrap()
}

/// In the whole view, with these steps after the first.
fn whole(mounts: Vec<Mount>) -> Confine {
    let mounts = std::iter::once(Mount::Private).chain(mounts).collect();
    Confine { namespaces: NEW_MOUNTS, mounts, ..Confine::default() }
}

fn show(path: &str, attributes: u64) -> Mount {
    Mount::Show { path: c(path), target: place(path), attributes }
}

fn place(path: &str) -> CString {
    c(&format!("/run/ensemble/root{path}"))
}

/// In a new root with what a shell needs and this.
fn listed(more: Vec<Mount>) -> Confine {
    let programs = ["/usr", "/bin", "/lib", "/lib64"].map(|path| show(path, EXECUTE));
    let begin = [Mount::Private, Mount::Root];
    let mounts = begin.into_iter().chain(programs).chain(more).chain([Mount::Pivot]).collect();
    Confine { namespaces: NEW_MOUNTS, mounts, ..Confine::default() }
}

fn scene(files: &[&str]) -> (tempfile::TempDir, String) {
    let dir = tempfile::tempdir_in("/var/tmp").unwrap();
    let path = dir.path().to_str().unwrap().to_owned();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    for file in files {
        let file = dir.path().join(file);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, "text\n").unwrap();
    }
    (dir, path)
}

/// What a shell needs is of the device, the rest of another root.
fn rooted(root: &str, ruleset: Option<Ruleset>) -> Confine {
    let inside = |path: &str| Mount::Inside {
        root: c(root),
        path: c(path.trim_start_matches('/')),
        target: place(path),
        attributes: EXECUTE,
    };
    let entries = Mount::Entries {
        root: c(root),
        path: c("etc"),
        target: place("/etc"),
        attributes: READ,
        but: vec![c("passwd")],
    };
    let mut more: Vec<Mount> = ["/opt", "/srv", "/var/deep/er", "/none"].map(inside).into();
    more.extend([entries, show("/etc/passwd", READ)]);
    Confine { ruleset, ..listed(more) }
}

#[test]
fn trees_of_another_root_appear_in_the_new_one_beside_what_is_the_devices() {
    if !able("roots", namespaces) {
        return;
    }
    let (_dir, at) =
        scene(&["opt/tool/run", "etc/mine", "etc/ssl/certs/one", "etc/passwd", "x/deep/er/y"]);
    ["srv", "var"].iter().for_each(|link| symlink("x", format!("{at}/{link}")).unwrap());
    symlink("../opt", format!("{at}/etc/tools")).unwrap();
    let text = run(
        rooted(&at, None),
        "cat /opt/tool/run /etc/mine /etc/ssl/certs/one /etc/tools/tool/run; \
        head -c 5 /etc/passwd; echo; ls /etc / /var/deep/er; readlink /srv; echo > /etc/mine; rm /etc/ssl/certs/one",
    );
    let expected = "text\ntext\ntext\ntext\nroot:\n\
        /:\nbin\netc\nlib\nlib64\nopt\nsrv\nusr\nvar\n\n/etc:\nmine\npasswd\nssl\ntools\n\n\
        /var/deep/er:\ny\nx\n";
    assert!(text.starts_with(expected), "{text}");
    assert_eq!(text.matches("Read-only file system").count(), 2, "{text}");
}

#[test]
fn no_link_of_another_root_leads_out_of_it() {
    if !able("hostile roots", namespaces) {
        return;
    }
    let (_dir, at) = scene(&["root/inside", "outside/secret", "outside/deep/er/secret"]);
    for (link, to) in
        [("opt", "../outside"), ("srv", &format!("{at}/outside")), ("etc", "/../../../../../etc")]
    {
        symlink(to, format!("{at}/root/{link}")).unwrap();
    }
    let script = "ls /opt /srv /srv/deep /etc 2>&1; cat /opt/secret /etc/shadow";
    let text = run(rooted(&format!("{at}/root"), None), script);
    assert!(!text.contains("secret\n") && !text.contains("root:"), "{text}");
    // A whole tree that leads nowhere is as one that is not there.
    assert!(text.contains("passwd"), "the device's is there: {text}");
    let lost = rooted(&format!("{at}/none"), None);
    let error = output(&shell(lost, "echo")).unwrap_err();
    assert_eq!(error.error.raw_os_error(), Some(2), "{error}");
    assert!(error.to_string().contains("/opt of "), "{error}");
}

#[test]
fn landlock_gives_nothing_by_a_link_where_somebody_else_made_them() {
    if !able("landlock without links", |found| found.landlock >= 1 && found.namespaces) {
        return;
    }
    let (_dir, at) = scene(&["opt/file", "mine/file"]);
    symlink("../mine", format!("{at}/opt/link")).unwrap();
    symlink("opt", format!("{at}/srv")).unwrap();
    let read = 1 | 1 << 2 | 1 << 3;
    let trees = ["/usr", "/lib", "/lib64", "/bin", "/srv", "/dev/null"];
    let ruleset = |no_links| Ruleset {
        files: read,
        paths: trees.map(|path| (c(path), read)).into(),
        no_links,
        ..Ruleset::default()
    };
    let text = |no_links| run(rooted(&at, Some(ruleset(no_links))), "cat /opt/file");
    assert_eq!(text(false), "text\n");
    assert!(text(true).contains("Permission denied"), "{}", text(true));
}

#[test]
fn a_hidden_tree_and_a_hidden_file_are_empty_and_what_is_not_there_is_left_out() {
    if !able("hide", namespaces) {
        return;
    }
    let (_dir, at) = scene(&["secret/key", "note"]);
    symlink("secret", format!("{at}/link")).unwrap();
    let hide = |name: &str| Mount::Hide(c(&format!("{at}/{name}")));
    let script = format!("ls {at}/secret; cat {at}/note; ls {at}; echo x > {at}/secret/new");
    let text = run(whole(vec![hide("link"), hide("note"), hide("none")]), &script);
    let refused = format!("cannot create {at}/secret/new: Read-only file system");
    assert!(text.starts_with("link\nnote\nsecret\n") && text.contains(&refused), "{text}");
    assert_eq!(fs::read_to_string(format!("{at}/secret/key")).unwrap(), "text\n");
}

#[test]
fn everything_is_read_only_but_the_writable_trees_where_nothing_is_executed() {
    if !able("read-only", namespaces) {
        return;
    }
    let (_dir, at) = scene(&["own/keep/file", "other/file"]);
    let of = |name: &str| c(&format!("{at}/{name}"));
    let mounts = vec![
        Mount::ReadOnly,
        Mount::Writable(of("own")),
        Mount::Writable(of("none")),
        Mount::Unwritable(of("own/keep")),
    ];
    let script = format!(
        "cd {at}; for f in own/a other/a own/keep/a /etc/a; do (echo x > $f) 2>&1; done; cat own/a; \
         cp /bin/true own/run; chmod +x own/run; own/run; mknod own/dev c 1 3; echo x > own/dev"
    );
    let text = run(whole(mounts), &script);
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[..3].iter().all(|l| l.contains("Read-only file system")), "{text}");
    assert_eq!(lines[3], "x", "{text}");
    assert!(lines[4].contains("own/run: Permission denied"), "{text}");
    assert!(lines[5].contains("own/dev: Permission denied"), "{text}");
}

#[test]
fn a_link_that_another_user_made_leads_nowhere() {
    if !able("links", namespaces) {
        return;
    }
    let (_dir, at) = scene(&["real/file", "own/file"]);
    let link = format!("{at}/own/theirs");
    symlink("../real", &link).unwrap();
    std::os::unix::fs::lchown(&link, Some(4242), Some(4242)).unwrap();
    symlink("../real", format!("{at}/own/roots")).unwrap();
    let of = |name: &str, how| show(&format!("{at}/own/{name}"), how);
    let mounts = vec![of("theirs/file", READ), of("roots/file", READ), of("roots/none", READ)];
    let text = run(listed(mounts), &format!("cd {at}/own; find . -type f"));
    assert_eq!(text, "./roots/file\n");
    let text =
        run(listed(vec![of("roots/file", WRITE), of("theirs", READ)]), &format!("ls {at}/own"));
    assert_eq!(text, "theirs\n", "it is shown as a link, and nothing is writable over one");
}

#[test]
fn a_listed_view_has_what_is_listed_and_nothing_else() {
    if !able("listed", namespaces) {
        return;
    }
    let (_dir, at) = scene(&["tree/deep/file", "one", "two"]);
    let of = |name: &str, how| show(&format!("{at}/{name}"), how);
    let mounts = vec![of("tree", WRITE), of("tree/deep", READ), of("one", READ), of("gone", READ)];
    let script = format!(
        "ls /; ls {at}; cat {at}/one; readlink /bin; echo x > {at}/tree/new && echo wrote; \
         (echo x > {at}/tree/deep/new) 2>&1; (echo x > /new) 2>&1; (echo x > /var/new) 2>&1"
    );
    let text = run(listed(mounts), &script);
    let expected = "bin\nlib\nlib64\nusr\nvar\none\ntree\ntext\nusr/bin\nwrote\n";
    assert!(text.starts_with(expected), "{text}");
    assert_eq!(text.matches("Read-only file system").count(), 3, "{text}");
}

#[test]
fn trees_of_one_directory_are_each_shown_where_they_belong_and_each_hidden_thing_is_hidden() {
    if !able("beside", namespaces) {
        return;
    }
    let (_dir, at) = scene(&["a/one", "a/two", "a/d/in", "b/one", "a/late", "a/d2/in"]);
    symlink("one", format!("{at}/a/link")).unwrap();
    let of = |name: &str| show(&format!("{at}/{name}"), READ);
    let hide = |name: &str| Mount::Hide(place(&format!("{at}/{name}")));
    let mut steps =
        vec![of("a/d"), of("a/d2"), of("a/link"), of("a/one"), of("a/two"), of("b/one")];
    // A place that is there already, a directory of its own between, and one more beside the first.
    steps.push(Mount::Tmp(place(&format!("{at}/a/tmp")), c("mode=1777,size=1m")));
    steps.extend([of("a/late"), of("a/one")]);
    steps.extend(["a/two", "b/one", "a/d", "a/d2", "a/gone"].map(hide));
    let script = format!(
        "cd {at}; ls a b; readlink a/link; cat a/one a/late; cat a/two b/one; ls a/d a/d2; \
         stat -c '%a %n' a/tmp; (echo x > a/one) 2>&1; umask"
    );
    let text = run(listed(steps), &script);
    let lists = "a:\nd\nd2\nlate\nlink\none\ntmp\ntwo\n\nb:\none\none\n";
    assert!(text.starts_with(&format!("{lists}text\ntext\na/d:\n\na/d2:\n1777 a/tmp\n")), "{text}");
    assert!(text.contains("Read-only") && text.ends_with("0022\n"), "{text}");
}

#[test]
fn temporary_files_are_its_own_and_empty_at_the_start() {
    if !able("tmp", namespaces) {
        return;
    }
    let (_dir, at) = scene(&["theirs"]);
    let options = c("mode=1777,size=1m");
    let script = format!("ls -A {at}; echo x > {at}/mine && ls {at}; stat -c %a {at}");
    let text = run(whole(vec![Mount::Tmp(c(&at), options.clone())]), &script);
    assert_eq!(text, "mine\n1777\n");
    let text = run(listed(vec![Mount::Tmp(place("/tmp/x"), options)]), "ls -A /tmp/x; ls /tmp");
    assert_eq!(text, "x\n");
    assert_eq!(fs::read_dir(&at).unwrap().count(), 1);
}

#[test]
fn proc_shows_another_user_only_its_own_processes_and_nothing_of_it_is_written() {
    if !able("proc", namespaces) {
        return;
    }
    let script = "ls /proc | grep -c '^[0-9]'; (echo 1 > /proc/sys/vm/overcommit_memory) 2>&1; \
                  ls -d /proc/cpuinfo";
    // Root's group sees all of a `/proc` that is only "invisible".
    let seen = |uid, confine: Confine| {
        let ids = Ids { uid, gid: 0, groups: vec![0] };
        let launch = Launch { ids: Some(ids), ..shell(confine, script) };
        let text = output(&launch).unwrap();
        let count: u32 = text.lines().next().unwrap().parse().unwrap();
        // The shell, `ls` and `grep`.
        assert!(count <= 3, "{text}");
        assert!(text.ends_with("Read-only file system\n/proc/cpuinfo\n"), "{text}");
    };
    seen(nobody(), whole(vec![Mount::Proc(c("/proc"))]));
    seen(nobody(), listed(vec![Mount::Proc(place("/proc"))]));
}

/// A user without a process: those that have ended, of a start before, are there until somebody reaps them.
fn nobody() -> u32 {
    let all = fs::read_dir("/proc").unwrap().flatten();
    let owned: Vec<u32> = all.filter_map(|entry| Some(entry.metadata().ok()?.uid())).collect();
    (4242..).find(|uid| !owned.contains(uid)).unwrap()
}

#[test]
fn dev_has_the_usual_devices_and_those_named_and_no_others() {
    if !able("dev", namespaces) {
        return;
    }
    let usual = "fd full null random shm stderr stdin stdout tty urandom zero";
    let named = || vec![c("pts"), c("none"), c("input/none")];
    let script = "ls /dev | xargs echo; ls -A /dev/shm; head -c3 /dev/zero | wc -c; echo x > /dev/null; \
                  echo x > /dev/shm/a && echo shared; (echo x > /dev/a) 2>&1";
    let tail = "3\nshared\n/bin/sh: 1: cannot create /dev/a: Read-only file system\n";
    let usual = usual.replace("random shm", "pts random shm");
    let text = run(whole(vec![Mount::Dev(c("/dev"), named())]), script);
    assert_eq!(text, format!("{usual}\n{tail}"));
    let text = run(listed(vec![Mount::Dev(place("/dev"), named())]), script);
    assert_eq!(text, format!("{usual}\n{tail}"));
    let begins = || vec![c("pt*"), c("none*"), c("none/x*")];
    let both = usual.replace("pts", "ptmx pts");
    let text = run(whole(vec![Mount::Dev(c("/dev"), begins())]), script);
    assert_eq!(text, format!("{both}\n{tail}"));
    let text = run(listed(vec![Mount::Dev(place("/dev"), begins())]), script);
    assert_eq!(text, format!("{both}\n{tail}"));
    let usual = usual.replace("pts ", "");
    let text = run(whole(vec![Mount::Dev(c("/dev"), Vec::new())]), script);
    assert_eq!(text, format!("{usual}\n{tail}"));
    let text = run(listed(vec![Mount::Dev(place("/dev"), Vec::new())]), script);
    assert_eq!(text, format!("{usual}\n{tail}"));
}

#[test]
fn devices_that_are_named_are_its_users_and_those_outside_stay_as_they_are() {
    if !able("devices of a user", namespaces) {
        return;
    }
    let names = ["loop-control", "loop0*", "net", "net/tun", "cpu", "ptmx", "none*"];
    if names
        .iter()
        .any(|name| fs::metadata(format!("/dev/{name}")).is_err() && !name.ends_with('*'))
    {
        eprintln!("devices of a user: skipped: this machine lacks one of {names:?}");
        return;
    }
    let names: Vec<_> = names.map(c).into();
    let confine = whole(vec![Mount::Dev(c("/dev"), names)]).of_user(4243).unwrap();
    let script = "cd /dev; stat -c '%n %u %a' null loop-control loop0 net/tun ptmx; \
                  find cpu ! -type d ! -user 4243; [ -e kmsg ] || echo no kmsg; : <> loop-control && echo opened; \
                  (chmod 666 loop-control) 2>&1";
    let launch = Launch {
        ids: Some(Ids { uid: 4243, gid: 4243, groups: Vec::new() }),
        ..shell(confine, script)
    };
    let text = output(&launch).unwrap();
    let modes = "null 0 666\nloop-control 4243 600\nloop0 4243 600\nnet/tun 4243 ";
    assert!(text.starts_with(modes), "{text}");
    let rest = "ptmx 4243 666\nno kmsg\nopened\n\
                chmod: changing permissions of 'loop-control': Read-only file system\n";
    assert!(text.ends_with(rest), "{text}");
    let outside = |name| MetadataExt::uid(&fs::metadata(name).unwrap());
    assert_eq!([outside("/dev/loop-control"), outside("/dev/net/tun")], [0, 0]);
    let shared = whole(vec![Mount::Dev(c("/dev"), ["log", "pts", "ptmx"].map(c).into())]);
    assert_eq!(shared.of_user(4243), None, "these are everybody's");
}

#[test]
fn namespaces_are_its_own_and_its_loopback_is_up() {
    if !able("namespaces", namespaces) {
        return;
    }
    let own = NEW_MOUNTS | NEW_NETWORK | NEW_OTHERS;
    let kinds = ["mnt", "net", "ipc", "uts", "cgroup", "user", "pid"];
    let script = "for k in mnt net ipc uts cgroup user pid; do readlink /proc/self/ns/$k; done; \
                  cat /sys/class/net/lo/flags; ls /sys/class/net; tail -n +3 /proc/net/dev | wc -l";
    let text = run(Confine { namespaces: own, ..Confine::default() }, script);
    for (kind, theirs) in kinds.iter().zip(text.lines()) {
        let ours = fs::read_link(format!("/proc/self/ns/{kind}")).unwrap();
        let same = ours.to_str().unwrap() == theirs;
        assert_eq!(same, ["user", "pid"].contains(kind), "{kind}: {theirs}");
    }
    assert!(text.ends_with("\n1\n"), "one interface: {text}");
    let ping = "python3 -c 'import socket; s = socket.create_server((\"127.0.0.1\", 0)); \
                socket.create_connection(s.getsockname()); print(\"up\")'";
    let text = run(Confine { namespaces: NEW_NETWORK, ..Confine::default() }, ping);
    assert_eq!(text, "up\n");
}

#[test]
fn the_keyring_is_its_own() {
    if !able("keyring", |_| true) {
        return;
    }
    let keys = "python3 -c 'import ctypes; print(ctypes.CDLL(None).syscall(250, 0, -3, 0))'";
    let mine = run(Confine::default(), keys);
    let own = run(Confine { keyring: true, ..Confine::default() }, keys);
    let other = run(Confine { keyring: true, ..Confine::default() }, keys);
    assert!(own != mine && own != other, "{mine} {own} {other}");
}

#[test]
fn landlock_refuses_what_no_path_and_no_port_gives() {
    if !able("landlock", |found| found.landlock >= 4) {
        return;
    }
    let (_dir, at) = scene(&["open/file", "file", "shut/file"]);
    let read = 1 | 1 << 2 | 1 << 3;
    let give = |path: String| (c(&path), read);
    let ruleset = Ruleset {
        files: read,
        ports: 2,
        paths: vec![
            give("/usr".into()),
            give("/lib".into()),
            give("/lib64".into()),
            give(format!("{at}/open")),
            give(format!("{at}/file")),
            give(format!("{at}/none")),
        ],
        allowed_ports: vec![(9, 2)],
        ..Ruleset::default()
    };
    let script = format!(
        "cat {at}/open/file {at}/file {at}/shut/file; python3 -c '
import socket
for port in (9, 10):
    print(socket.socket().connect_ex((\"127.0.0.1\", port)))'"
    );
    let confine = Confine { ruleset: Some(ruleset), ..Confine::default() };
    let text = run(confine, &script);
    let refused = format!("cat: {at}/shut/file: Permission denied");
    assert_eq!(text, format!("text\ntext\n{refused}\n111\n13\n"));
}

#[test]
fn landlock_gives_the_devices_that_begin_as_named_and_no_files_that_do() {
    if !able("landlock", |found| found.landlock >= 1) {
        return;
    }
    let (_dir, at) = scene(&["file"]);
    let read = 1 | 1 << 2 | 1 << 3;
    let give = |path: &str| (c(path), read);
    let begins = ["/dev/nul*", "/dev/none*", "/dev/none/x*"].map(give);
    let mut paths = vec![give("/usr"), give("/lib"), give("/lib64"), give(&format!("{at}/fil*"))];
    paths.extend(begins);
    let ruleset = Ruleset { files: read, paths, ..Ruleset::default() };
    let script = format!("cat /dev/null && echo null; cat /dev/zero {at}/file");
    let text = run(Confine { ruleset: Some(ruleset), ..Confine::default() }, &script);
    let refused = |path: &str| format!("cat: {path}: Permission denied\n");
    assert_eq!(text, format!("null\n{}{}", refused("/dev/zero"), refused(&format!("{at}/file"))));
}

/// A filter for one call of this processor; all others are allowed.
fn filter(call: u32, verdict: u32) -> Vec<Instruction> {
    let one = |code, yes, no, k| Instruction { code, yes, no, k };
    vec![
        one(0x20, 0, 0, 0),
        one(0x15, 0, 1, call),
        one(0x06, 0, 0, verdict),
        one(0x06, 0, 0, 0x7fff_0000),
    ]
}

/// `mkdir` as a shell's `mkdir` calls it.
const MKDIR: u32 = if cfg!(target_arch = "x86_64") { 83 } else { 34 };

#[test]
fn the_filter_refuses_and_kills() {
    if !able("filter", |found| found.seccomp) {
        return;
    }
    let (_dir, at) = scene(&[]);
    let script = format!("mkdir {at}/new; echo $?");
    let refuse = Confine { filter: filter(MKDIR, 0x0005_0001), ..Confine::default() };
    let text = run(refuse, &script);
    assert!(text.contains("Operation not permitted") && text.ends_with("\n1\n"), "{text}");
    let kill = Confine { filter: filter(MKDIR, 0x8000_0000), ..Confine::default() };
    let text = run(kill, &script);
    assert!(text.ends_with("159\n"), "128 + SIGSYS: {text}");
}

#[test]
fn memory_that_was_written_is_never_executed_and_ours_still_may() {
    if !able("write-execute", |found| found.no_write_execute) {
        return;
    }
    let script = "python3 -c '
import mmap
try:
    mmap.mmap(-1, 4096, prot=7); print(\"mapped\")
except OSError as e:
    print(e.errno)'";
    let confine = Confine { no_write_execute: true, ..Confine::default() };
    assert_eq!(run(confine, script), "13\n");
    assert_eq!(run(Confine::default(), script), "mapped\n", "the parent's memory is as it was");
    let own = Confine { no_write_execute: true, ..Confine::default() };
    let launch = Launch { watchdog: true, ..shell(own, "echo $((WATCHDOG_PID - $$))") };
    assert_eq!(output(&launch).unwrap(), "0\n", "also in a copy of our memory");
    let gone = Confine { no_write_execute: true, ..Confine::default() };
    let launch = Launch { directory: c("/nowhere"), ..shell(gone, "true") };
    assert_eq!(output(&launch).unwrap_err().step, Step::Directory);
}

#[test]
fn a_step_that_fails_is_told_with_its_part_and_leaves_nothing() {
    if !able("failing", namespaces) {
        return;
    }
    let (_dir, at) = scene(&["file"]);
    let of = |name: &str, how| show(&format!("{at}/{name}"), how);
    let told = |confine: Confine| output(&shell(confine, "true")).unwrap_err().to_string();
    let blocked = Mount::Tmp(place(&format!("{at}/file/x")), c("size=1m"));
    let text = told(listed(vec![of("file", READ), blocked]));
    assert_eq!(text, format!("make its own {at}/file/x: Not a directory (os error 20)"));
    let wrong = Mount::Tmp(c(&at), c("size=nonsense"));
    assert!(told(whole(vec![wrong])).starts_with(&format!("make its own {at}: Invalid")));
    let bad = Ruleset { files: 1 << 60, ..Ruleset::default() };
    let text = told(Confine { ruleset: Some(bad), ..Confine::default() });
    assert_eq!(text, "make its Landlock ruleset: Invalid argument (os error 22)");
    let endless = vec![Instruction { code: 0xffff, yes: 0, no: 0, k: 0 }];
    let text = told(Confine { filter: endless, ..Confine::default() });
    assert_eq!(text, "put on the filter of system calls: Invalid argument (os error 22)");
    let missing = Launch { program: c("/none"), ..shell(listed(Vec::new()), "true") };
    assert_eq!(output(&missing).unwrap_err().step, Step::Exec);
}

#[test]
fn the_parent_is_untouched_and_nothing_stays_open_in_the_child() {
    if !able("untouched", namespaces) {
        return;
    }
    let all = || {
        listed(vec![
            show("/etc", READ),
            Mount::Tmp(place("/tmp"), c("size=1m")),
            Mount::Proc(place("/proc")),
            Mount::Dev(place("/dev"), Vec::new()),
        ])
    };
    let table = || fs::read_to_string("/proc/self/mountinfo").unwrap();
    let (mounts, here) = (table(), std::env::current_dir().unwrap());
    for _ in 0..20 {
        let read = Ruleset { files: 8, paths: vec![(c("/"), 8)], ..Ruleset::default() };
        let confine = Confine { ruleset: Some(read), keyring: true, ..all() };
        assert_eq!(run(confine, "ls -m /proc/$$/fd"), "0, 1, 2\n");
    }
    let own = table();
    assert_eq!(mounts, own);
    assert_eq!(here, std::env::current_dir().unwrap());
}
