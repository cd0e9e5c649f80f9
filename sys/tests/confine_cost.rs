//! What each part of a sandbox costs a start, printed: `cargo test --release -p sys --test confine_cost -- --ignored --nocapture`.

#![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]
#![expect(clippy::print_stdout, reason = "it is for people who read it")]

use std::ffi::CString;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use sys::confine::{Confine, Instruction, Mount, Ruleset, prepare};
use sys::spawn::{Ids, Launch, Passed, spawn};

const NEW_MOUNTS: u64 = 0x0002_0000;
const NEW_NETWORK: u64 = 0x4000_0000;
const NEW_OTHERS: u64 = 0x0800_0000 | 0x0400_0000 | 0x0200_0000;

/// Starts of one kind.
const STARTS: usize = 301;

fn c(text: &str) -> CString {
    CString::new(text).unwrap()
}

fn place(path: &str) -> CString {
    c(&format!("/run/ensemble/root{path}"))
}

fn show(path: &str, attributes: u64) -> Mount {
    Mount::Show { path: c(path), target: place(path), attributes }
}

fn listed(more: Vec<Mount>) -> Vec<Mount> {
    let shown = ["/bin", "/etc", "/lib", "/lib64", "/usr"].map(|path| show(path, 7));
    let first = [Mount::Private, Mount::Root];
    first.into_iter().chain(shown).chain(more).chain([Mount::Pivot]).collect()
}

fn own() -> Vec<Mount> {
    let tmp = || c("mode=1777,size=64m,nr_inodes=16384");
    vec![
        Mount::Dev(place("/dev"), Vec::new()),
        Mount::Proc(place("/proc")),
        Mount::Tmp(place("/tmp"), tmp()),
        show("/var/tmp", 14),
    ]
}

/// Time to the exec, and to the end of the program.
fn one(launch: &Launch, null: &File) -> (Duration, Duration) {
    let (mut reader, writer) = io::pipe().unwrap();
    let standard = [null.as_fd(), writer.as_fd(), writer.as_fd()];
    let begin = sys::clock::monotonic();
    spawn(launch, &Passed { standard, fds: &[], cgroup: None, note: None }).unwrap();
    let executed = sys::clock::monotonic();
    drop(writer);
    let mut text = Vec::new();
    reader.read_to_end(&mut text).unwrap();
    (executed - begin, sys::clock::monotonic() - begin)
}

/// One in ten is faster: what others on the machine cost is not in it.
fn fast(mut all: Vec<Duration>) -> u128 {
    all.sort();
    all[all.len() / 10].as_micros()
}

/// A filter as a binary tree. The kernel runs it for each call when it is put on, so that one as a list
/// costs milliseconds.
fn tree(from: u32, to: u32) -> Vec<Instruction> {
    if to - from == 1 {
        return vec![Instruction { code: 0x06, yes: 0, no: 0, k: 0x7fff_0000 }];
    }
    let middle = from + (to - from) / 2;
    let (left, right) = (tree(from, middle), tree(middle, to));
    let yes = u8::try_from(left.len()).unwrap();
    let jump = Instruction { code: 0x35, yes, no: 0, k: 4 * middle };
    std::iter::once(jump).chain(left).chain(right).collect()
}

fn kinds() -> Vec<(&'static str, Confine)> {
    let none = Confine::default;
    let ruleset = || {
        let trees = ["/usr", "/etc", "/lib", "/lib64", "/bin", "/tmp", "/var/tmp", "/dev", "/proc"];
        let paths = trees.map(|path| (c(path), (1 << 16) - 1)).into();
        Ruleset { files: (1 << 16) - 1, ports: 3, scopes: 3, paths, ..Ruleset::default() }
    };
    let filter = || {
        let mut all = vec![Instruction { code: 0x20, yes: 0, no: 0, k: 0 }];
        all.extend(tree(0, 128));
        all
    };
    let mounts = |mounts| Confine { namespaces: NEW_MOUNTS, mounts, ..none() };
    let whole = vec![Mount::Private, Mount::ReadOnly, Mount::Writable(c("/var/tmp"))];
    let full = Confine {
        namespaces: NEW_MOUNTS | NEW_OTHERS,
        mounts: listed(own()),
        keyring: true,
        no_write_execute: true,
        ruleset: Some(ruleset()),
        filter: filter(),
    };
    vec![
        ("bare", none()),
        ("mount namespace", mounts(vec![])),
        ("private", mounts(vec![Mount::Private])),
        ("whole, read-only", mounts(whole)),
        ("listed", mounts(listed(vec![]))),
        ("listed, own dev", mounts(listed(own().drain(..1).collect()))),
        ("listed, own proc", mounts(listed(own().drain(1..2).collect()))),
        ("listed, own tmp", mounts(listed(own().drain(2..3).collect()))),
        ("listed, all own", mounts(listed(own()))),
        ("ipc, uts, cgroup", Confine { namespaces: NEW_OTHERS, ..none() }),
        ("network", Confine { namespaces: NEW_NETWORK, ..none() }),
        ("keyring", Confine { keyring: true, ..none() }),
        ("no write and execute", Confine { no_write_execute: true, ..none() }),
        ("landlock, 9 trees", Confine { ruleset: Some(ruleset()), ..none() }),
        ("filter of 255", Confine { filter: filter(), ..none() }),
        ("full without network", full.clone()),
        ("full", Confine { namespaces: full.namespaces | NEW_NETWORK, ..full }),
    ]
}

#[test]
#[ignore = "takes long, and says nothing on a busy machine"]
fn what_a_start_costs() {
    prepare().unwrap();
    let null = File::open("/dev/null").unwrap();
    println!("{:>24} {:>8} {:>8} {:>6}", "", "exec", "end", "ratio");
    let mut bare = 0;
    for (name, confine) in kinds() {
        let confined = confine != Confine::default();
        let program = std::env::var("PROGRAM").unwrap_or_else(|_| "/bin/true".into());
        let launch = Launch {
            program: c(&program),
            arguments: vec![c(&program)],
            directory: c("/"),
            no_new_privileges: true,
            capabilities: Some(0),
            ids: Some(Ids { uid: 4242, gid: 4242, groups: vec![] }),
            confine: confined.then(|| Arc::new(confine)),
            ..Launch::default()
        };
        let all: Vec<_> = (0..STARTS).map(|_| one(&launch, &null)).collect();
        let executed = fast(all.iter().map(|(executed, _)| *executed).collect());
        let ended = fast(all.iter().map(|(_, ended)| *ended).collect());
        bare = if bare == 0 { ended } else { bare };
        println!(
            "{name:>24} {executed:>6}us {ended:>6}us {:>4}.{}x",
            ended / bare,
            ended * 10 / bare % 10
        );
    }
}
