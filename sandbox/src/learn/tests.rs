//! Stories of what is learned, and what must hold of all of it.

mod properties;

use std::path::Path;
use std::{fs, io};

use model::text::{Source, sandbox::load};

use super::observed::{Act, Use};
use super::resolve::Kind;
use super::*;

/// The profiles that ship, and the one that is learned.
struct Shipped(String);

const CONFIGS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../configs/sandbox");

impl Source for Shipped {
    fn read(&self, path: &str) -> io::Result<String> {
        if path == "/learned/learned.toml" { Ok(self.0.clone()) } else { fs::read_to_string(path) }
    }

    fn list(&self, _directory: &str) -> io::Result<Vec<String>> {
        Ok(Vec::new())
    }

    fn is_file(&self, path: &str) -> bool {
        path == "/learned/learned.toml" || Path::new(path).is_file()
    }
}

fn profile(text: &str) -> Profile {
    let directories = ["/learned".to_owned(), CONFIGS.to_owned()];
    match load(&Shipped(text.to_owned()), &directories, "learned") {
        Ok(explained) => explained.profile,
        Err(report) => panic!("{report}\n{text}"),
    }
}

fn given(inherit: &[&str]) -> Given {
    let inherit: Vec<String> = inherit.iter().map(|name| (*name).to_owned()).collect();
    let inherited = profile(&format!("version = 1\ninherit = {inherit:?}\n"));
    Given { inherit, inherited, older: None }
}

fn observed(acts: &[(&'static str, Act)]) -> Observed {
    let mut all = Observed::default();
    for (call, act) in acts {
        all.call(call);
        all.note(call, act.clone());
    }
    all
}

fn file(path: &str, how: Use) -> Act {
    let kind = match how {
        Use::List | Use::Make => Kind::Directory,
        _ if path.starts_with("/dev/") => Kind::Device,
        _ => Kind::File,
    };
    Act::File(path.into(), kind, how)
}

/// What is learned, as text; it says what it means.
fn learned(acts: &[(&'static str, Act)], given: &Given) -> String {
    let learned = learn(&observed(acts), given).unwrap();
    let text = text::text(&learned, "Learned from x", &["Learned from: x".to_owned()]);
    assert_eq!(profile(&text), learned.profile, "{text}");
    text
}

#[test]
fn a_program_gets_what_it_used_and_nothing_else() {
    let acts = [
        ("execve", file("/usr/bin/web", Use::Execute)),
        ("openat", file("/usr/lib/libc.so.6", Use::Read)),
        ("mmap", file("/usr/lib/libc.so.6", Use::Map)),
        ("openat", file("/etc/web.conf", Use::Read)),
        ("openat", file("/var/lib/web", Use::Make)),
        ("openat", file("/dev/video0", Use::Read)),
        ("openat", file("/proc/self/status", Use::Read)),
        ("openat", Act::Made("/tmp/x".into())),
        ("openat", file("/tmp/x", Use::Write)),
        ("socket", Act::Socket(2, 1, 0)),
        ("socket", Act::Socket(2, 2, 17)),
        ("connect", Act::Connect(443)),
        ("bind", Act::Bind(80)),
        ("mprotect", Act::WriteExecute),
        ("clock_settime", Act::Capability("SYS_TIME")),
        ("stat", Act::Probe),
    ];
    insta::assert_snapshot!(learned(&acts, &given(&["base"])), @r#"
    # Learned from: x
    #
    # To know, and what is not covered:
    # - capabilities are not restricted; the calls that were seen may need SYS_TIME

    version = 1
    about = "Learned from x"
    inherit = ["base"]

    write-execute = true             # mprotect: memory that was written is executed

    [files]
    tmp = "private"                  # only files that it made itself: openat
    proc = "own"                     # only its own: openat
    devices = [
        "video0",                    # openat
    ]
    read = [
        "/etc/web.conf",             # openat
        "/usr/lib/libc.so.6",        # openat, 2 times
    ]
    write = [
        "/var/lib/web",              # makes and removes files in it: openat
    ]
    execute = [
        "/usr/bin/web",              # execve
    ]

    [network]
    families = [
        "inet",                      # socket
    ]
    connect = [
        443,                         # connect
    ]
    listen = [
        80,                          # bind
    ]
    udp = true                       # socket

    [calls]
    allow = [
        "clock_settime",             # once
    ]
    "#);
}

#[test]
fn what_the_inherited_profile_gives_is_not_said_again() {
    let acts = [
        ("execve", file("/usr/bin/cat", Use::Execute)),
        ("openat", file("/usr/lib/libc.so.6", Use::Read)),
        ("openat", file("/etc/passwd", Use::Read)),
        ("openat", file("/dev/null", Use::Write)),
    ];
    insta::assert_snapshot!(learned(&acts, &given(&["app"])), @r#"
    # Learned from: x
    #
    # To know, and what is not covered:
    # - capabilities that files need (another's files as root: DAC_OVERRIDE) are not seen

    version = 1
    about = "Learned from x"
    inherit = ["app"]
    "#);
}

#[test]
fn what_no_rule_can_give_is_told() {
    let acts = [
        ("execve", file("/var/lib/x/run", Use::Execute)),
        ("openat", file("/var/lib/x", Use::Make)),
        ("openat", file("/etc/shadow", Use::Read)),
        ("openat", file("/home/ann/a", Use::Read)),
        ("openat", file("/home/ann/b", Use::Read)),
        ("openat", file("/usr/share", Use::Make)),
        ("openat", file("/proc/self/comm", Use::Write)),
        ("mount", Act::Capability("SYS_ADMIN")),
        ("socket", Act::Socket(38, 5, 0)),
        ("bind", Act::Bind(0)),
        ("io_uring_setup", Act::Probe),
        ("connect", Act::Abstract),
    ];
    insta::assert_snapshot!(learned(&acts, &given(&["service"])), @r#"
    # Learned from: x
    #
    # To know, and what is not covered:
    # - the capability SYS_ADMIN may be needed (mount), and is forbidden to all that inherit this
    # - capabilities that files need (another's files as root: DAC_OVERRIDE) are not seen
    # - it changes "/proc/self/comm": no rule is made for that; most programs do without
    # - writing this is forbidden to all that inherit this: 1 call, the first about "/usr/share"
    # - "/var/lib/x" is written and "/var/lib/x/run" executed: no profile allows both; writing is left out
    # - "/etc/shadow" is forbidden to all that inherit this: 1 call, the first about "/etc/shadow"
    # - "/home" is forbidden to all that inherit this: 2 calls, the first about "/home/ann/a"
    # - a socket of family 38 (socket), for which profiles have no word: families are not restricted
    # - UNIX sockets without a file (connect): any can be reached
    # - the system call io_uring_setup (once) is forbidden to all that inherit this; programs go on without it
    # - the system call mount (once) is forbidden to all that inherit this

    version = 1
    about = "Learned from x"
    inherit = ["service"]

    [files]
    read = []                        # what it executes may be read too
    execute = [
        "/var/lib/x/run",            # execve
    ]
    "#);
}

#[test]
fn without_an_inherited_profile_groups_stand_for_calls() {
    let calls = ["openat", "getdents64", "mkdir", "rename", "unlink", "pipe2", "socket", "clone3"];
    let acts: Vec<_> = calls.map(|call| (call, Act::Probe)).to_vec();
    insta::assert_snapshot!(learned(&acts, &given(&[])), @r#"
    # Learned from: x

    version = 1
    about = "Learned from x"

    write-execute = false            # it executes no memory that it wrote

    [files]
    read = []                        # what it executes may be read too
    write = []                       # it changes no files
    execute = []                     # it executes nothing

    [network]
    access = "none"                  # it reaches nobody over the network
    families = []                    # it makes no sockets

    [calls]
    allow = [
        "@files",                    # 4 of 95 calls, 4 times: getdents64, mkdir, rename, unlink
        "clone",                     # once
        "clone3",                    # once
        "pipe2",                     # once
        "socket",                    # once
    ]
    "#);
}

#[test]
fn a_second_run_adds_to_the_first() {
    let older = "version = 1\nwrite-execute = true\n[files]\nread = [\"/etc/old\"]\nwrite = [\"/var/lib/x\"]\n\
                 [network]\nfamilies = [\"inet\"]\nconnect = [80]\n[calls]\nallow = [\"ptrace\"]\n";
    let older = older.replace("[calls]\nallow = [\"ptrace\"]\n", "");
    let given = Given { older: Some(profile(&older)), ..given(&["base"]) };
    let acts = [
        ("execve", file("/usr/bin/x", Use::Execute)),
        ("openat", file("/etc/new", Use::Read)),
        ("openat", file("/var/lib/x/1", Use::Write)),
        ("socket", Act::Socket(2, 1, 0)),
        ("connect", Act::Connect(443)),
    ];
    insta::assert_snapshot!(learned(&acts, &given), @r#"
    # Learned from: x

    version = 1
    about = "Learned from x"
    inherit = ["base"]

    write-execute = true             # from before

    [files]
    read = [
        "/etc/new",                  # openat
        "/etc/old",                  # from before
    ]
    write = [
        "/var/lib/x",                # openat
    ]
    execute = [
        "/usr/bin/x",                # execve
    ]

    [network]
    families = [
        "inet",                      # socket
    ]
    connect = [
        80,                          # from before
        443,                         # connect
    ]
    listen = []                      # no port of TCP
    "#);
}

#[test]
fn hostile_names_end_no_comment_and_no_text() {
    let acts = [
        ("openat", file("/data/a\"]\u{202e}b\\", Use::Read)),
        ("openat", file("/data/x\n[forbid]/y", Use::Read)),
    ];
    let text = learned(&acts, &given(&["base"]));
    assert!(!text.contains('\u{202e}') && !text.contains("\n[forbid]"), "{text}");
}

#[test]
fn more_than_a_list_holds_is_told() {
    let names = (0..300).map(|n| ("openat", file(&format!("/etc/{n}"), Use::Read)));
    let text = learned(&names.collect::<Vec<_>>(), &given(&["base"]));
    assert!(text.contains("44 trees are too many for one list"), "{text}");
}
