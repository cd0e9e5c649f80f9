//! Filters and rules on the real kernel: ordinary programs run under `@basic`, and what is refused is.

#![cfg(feature = "compile")]
#![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]
#![expect(clippy::print_stderr, reason = "a test that can't run says so")]

use std::ffi::CString;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::Arc;

use model::sandbox::{Calls, Family, Files, Profile};
use model::text::{Source, sandbox::load};
use sandbox::calls::Arch;
use sandbox::{compile, fit};
use sys::confine::{features, prepare};
use sys::spawn::{Launch, Passed, spawn};

/// The repository.
struct Disk;

impl Source for Disk {
    fn read(&self, path: &str) -> io::Result<String> {
        fs::read_to_string(path)
    }

    fn list(&self, _: &str) -> io::Result<Vec<String>> {
        Ok(Vec::new())
    }

    fn is_file(&self, path: &str) -> bool {
        Path::new(path).is_file()
    }
}

fn c(text: &str) -> CString {
    CString::new(text).unwrap()
}

fn basic() -> Profile {
    let allow = Some(vec!["@basic".to_owned()]);
    Profile { calls: Calls { allow, ..Calls::default() }, ..Profile::default() }
}

/// What a shell under this profile writes.
fn run(profile: &Profile, script: &str) -> String {
    let compiled = compile(profile, Arch::own().unwrap()).unwrap();
    let confine = fit(&compiled, &features()).unwrap();
    if !confine.mounts.is_empty() {
        prepare().unwrap();
    }
    let launch = Launch {
        program: c("/bin/sh"),
        arguments: ["/bin/sh", "-c", script].map(c).into(),
        environment: vec![c("PATH=/usr/local/bin:/usr/bin:/bin"), c("HOME=/nonexistent")],
        directory: c("/"),
        no_new_privileges: true,
        confine: Some(Arc::new(confine)),
        ..Launch::default()
    };
    let null = File::open("/dev/null").unwrap();
    let (mut reader, writer) = io::pipe().unwrap();
    let standard = [null.as_fd(), writer.as_fd(), writer.as_fd()];
    spawn(&launch, &Passed { standard, fds: &[], cgroup: None, note: None }).unwrap();
    drop(writer);
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    text
}

/// Whether the program is here; a test that can't run says so.
fn has(program: &str) -> bool {
    let found = ["/usr/local/bin", "/usr/bin", "/bin"]
        .iter()
        .any(|dir| Path::new(dir).join(program).exists());
    if !found {
        eprintln!("skipped: no {program}");
    }
    found
}

fn python(profile: &Profile, script: &str) -> String {
    run(profile, &format!("/usr/bin/python3 -c '{script}'"))
}

#[test]
fn ordinary_tools_work_under_basic() {
    let dir = tempfile::tempdir().unwrap();
    let script = format!(
        "set -e; cd {}; mkdir -p a/b; echo text > a/x; cp -a a/x a/y; ln -s x a/l; ln a/x a/h; mv a/y a/b/; \
         chmod 640 a/x; touch -d 2020-01-01 a/x; sort a/x | uniq -c | tr t T; stat -c %a a/x; \
         mkfifo a/f; df . > /dev/null; dd if=/dev/zero of=a/z bs=4096 count=16 2> /dev/null; \
         truncate -s 10 a/z; sync a/z; find a -type f | wc -l; timeout 5 sleep 0.01; nice true; \
         du -s a > /dev/null; tar cf t.tar a; tar tf t.tar | wc -l; date > /dev/null; id -u; rm -r a; echo done",
        dir.path().display()
    );
    let text = run(&basic(), &script);
    assert!(text.trim_end().ends_with("done"), "{text}");
}

#[test]
fn interpreters_and_databases_work_under_basic() {
    if has("python3") {
        let text = python(
            &basic(),
            "import subprocess, threading, socket, tempfile, mmap, multiprocessing as m, select, time, os\n\
             t = threading.Thread(target=lambda: None); t.start(); t.join()\n\
             a, b = socket.socketpair(); a.send(b\"x\"); assert b.recv(1) == b\"x\"\n\
             s = socket.socket(); s.bind((\"127.0.0.1\", 0)); s.listen(); s.close()\n\
             p = m.Process(target=time.sleep, args=(0.01,)); p.start(); p.join(); assert p.exitcode == 0\n\
             f = tempfile.TemporaryFile(); f.write(b\"1\" * 4096); f.flush(); mmap.mmap(f.fileno(), 0).close()\n\
             select.epoll().close(); os.memfd_create(\"x\"); os.sched_getaffinity(0)\n\
             print(subprocess.run([\"uname\"], capture_output=True).stdout)",
        );
        assert_eq!(text, "b'Linux\\n'\n");
    }
    if has("sqlite3") {
        let dir = tempfile::tempdir().unwrap();
        let sql =
            "pragma journal_mode=wal; create table t(a); insert into t values(7); select a from t;";
        let text = run(&basic(), &format!("sqlite3 {}/db '{sql}'", dir.path().display()));
        assert_eq!(text, "wal\n7\n");
    }
    if has("git") {
        let dir = tempfile::tempdir().unwrap();
        let git = "git -c user.name=a -c user.email=a@b";
        let script = format!(
            "export HOME={0}; cd {0} && git init -q . && echo 1 > f && git add f && {git} commit -q -m one \
             && git log --oneline | wc -l && git gc -q && git clone -q . c && ls c",
            dir.path().display()
        );
        assert_eq!(run(&basic(), &script), "1\nf\n");
    }
    if has("node") {
        let script = "require(\"fs\").readFile(\"/etc/passwd\", () => require(\"child_process\").exec(\"true\", \
                      () => require(\"crypto\").randomBytes(8, () => console.log(\"done\"))))";
        assert_eq!(run(&basic(), &format!("node -e '{script}'")), "done\n");
    }
    if has("curl") {
        assert!(
            run(&basic(), "curl -sS file:///etc/hostname http://127.0.0.1:1/")
                .contains("Failed to connect")
        );
    }
}

/// The profile of apps, with a tree of its own; `None` where the kernel can't hold it.
fn app(own: &Path) -> Option<Profile> {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../configs/sandbox");
    let loaded = load(&Disk, &[directory.to_owned()], "app").map_err(|report| report.to_string());
    let mut app = loaded.unwrap().profile;
    app.files.write.get_or_insert_default().push(own.display().to_string());
    let can = sys::process::user() == 0
        && fit(&compile(&app, Arch::own().unwrap()).unwrap(), &features()).is_ok();
    if !can {
        eprintln!("skipped: not root, or the kernel lacks it: {:?}", features());
    }
    can.then_some(app)
}

#[test]
fn honest_programs_work_in_the_sandbox_of_an_app() {
    let own = tempfile::tempdir_in("/var/lib").unwrap();
    let Some(mut profile) = app(own.path()) else { return };
    let at = own.path().display().to_string();
    let tools = format!(
        "cd {at} && mkdir a && echo 1 > a/x && cp a/x a/y && sort a/x a/y | uniq -c && ls a && rm -r a \\
         && echo x > /tmp/mine && cat /tmp/mine && test ! -e /root && test ! -e /etc/shadow && test -z \"$(cat /proc/cmdline)\" && grep -q MemTotal /proc/meminfo && echo done"
    );
    assert_eq!(run(&profile, &tools), "      2 1\nx\ny\nx\ndone\n");
    if has("python3") {
        let script = "import sqlite3, subprocess, threading, tempfile, socket, os\n\
            d = sqlite3.connect(\"db\"); d.execute(\"create table t(a)\"); d.commit()\n\
            t = threading.Thread(target=lambda: None); t.start(); t.join()\n\
            socket.socketpair(); tempfile.TemporaryFile()\n\
            print(subprocess.run([\"ls\"], capture_output=True, text=True).stdout, end=\"\")";
        let text = run(&profile, &format!("cd {at} && /usr/bin/python3 -c '{script}' && rm db"));
        assert_eq!(text, "db\n");
    }
    if has("git") {
        let git = "git -c user.name=a -c user.email=a@b";
        let script = format!(
            "export HOME={at} && cd {at} && git init -q . && echo 1 > f && git add f && {git} commit -q -m 1 \\
             && git gc -q && git clone -q . c && ls c && rm -rf c f .git"
        );
        assert_eq!(run(&profile, &script), "f\n");
    }
    if has("sqlite3") {
        let sql = "create table t(a); insert into t values(1), (2); select sum(a) from t;";
        let script = format!("cd {at} && sqlite3 db '{sql}' && sqlite3 db .dump | wc -l && rm db");
        assert_eq!(run(&profile, &script).split_whitespace().collect::<Vec<_>>(), ["3", "6"]);
    }
    if has("curl") {
        // The network is empty: it says so, and is whole otherwise.
        let script = format!(
            "cd {at} && echo page > page && curl -s file://{at}/page && rm page; curl -s http://192.0.2.1/; echo $?"
        );
        assert_eq!(run(&profile, &script), "page\n7\n");
    }
    profile.write_execute = Some(true);
    if has("node") {
        assert_eq!(
            run(&profile, "node -e \"console.log([1, 2].map(x => x + 1).join())\""),
            "2,3\n"
        );
    }
}

#[test]
fn what_is_not_in_basic_is_refused_and_what_is_unknown_does_not_exist() {
    if !has("python3") {
        return;
    }
    let number =
        |name| model::sandbox::calls::call(name).and_then(|c| Arch::own()?.number(&c)).unwrap();
    let script = format!(
        "import ctypes, os\n\
         c = ctypes.CDLL(None, use_errno=True)\n\
         def e(n, *a): c.syscall(n, *a); print(ctypes.get_errno())\n\
         e({}, 0x10000000); e({}, 0, 0); e({}, 0, 0); e(9999); e({}, 0x10000011, 0, 0, 0, 0)",
        number("unshare"),
        number("clone3"),
        number("ptrace"),
        number("clone"),
    );
    assert_eq!(python(&basic(), &script), "1\n38\n1\n38\n1\n");
}

#[test]
fn a_call_that_kills_ends_the_process_with_sigsys() {
    let mut profile = Profile::default();
    profile.calls.kill = vec!["mkdirat".into(), "mkdir".into()];
    let text = run(&profile, "mkdir /nowhere/x; echo $?");
    assert!(text.trim_end().ends_with("159"), "128 + SIGSYS: {text}");
}

#[test]
fn a_tight_profile_lets_a_program_do_its_work_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path().display().to_string();
    let mut profile = basic();
    profile.files = Files {
        read: Some(vec!["/etc".into()]),
        write: Some(vec![at.clone()]),
        execute: Some(vec!["/usr".into()]),
        ..Files::default()
    };
    profile.network.families = Some(vec![Family::Unix]);
    profile.write_execute = Some(false);
    profile.optional = model::sandbox::Feature::names()
        .filter_map(|name| model::sandbox::Feature::from_name(&name))
        .collect();
    if !has("python3") || features().landlock < 3 {
        return;
    }
    let script = format!(
        "import os, socket\n\
         open(\"{at}/x\", \"w\").close()\n\
         def no(f):\n    \
             try: f(); print(\"worked\")\n    \
             except OSError as e: print(e.errno)\n\
         no(lambda: open(\"/var/x\", \"w\")); no(lambda: os.listdir(\"/root\"))\n\
         no(lambda: os.chmod(\"{at}/x\", 0o4755)); no(lambda: socket.socket())"
    );
    let text = python(&profile, &script);
    let all: Vec<&str> = text.lines().collect();
    assert!(matches!(all[..], ["13" | "30", "13", "1", "1"]), "{text}");
}
