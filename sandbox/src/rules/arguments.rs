//! Rules about arguments that do not concern the network.
//!
//! | what asks for it | what is refused |
//! |---|---|
//! | `unshare` is not allowed | `clone` with a flag for a namespace; `clone3`, whose flags no filter sees |
//! | a list `calls.allow` | typing into a terminal, and other `ioctl`s, `prctl`s, `fcntl`s for nobody's use |
//! | `files.write`, a listed view | set-user-id and set-group-id in whatever takes a mode; attributes of files |
//! | `write-execute = false` | memory that is or was writable and becomes executable |
//! | `lock-personality` | another execution domain |

use std::collections::BTreeMap;

use model::sandbox::Profile;

use super::{Case, ENOSYS, Lists, Rule, Test, Verdict, restricts_modes};

/// The rules for calls by name, if the call is allowed at all.
pub(super) type Named = BTreeMap<&'static str, Rule>;

/// The kernel takes an `int`: only these bits of the register count.
pub(super) const INT: u64 = 0xFFFF_FFFF;

/// `CLONE_NEWNS | NEWCGROUP | NEWUTS | NEWIPC | NEWUSER | NEWPID | NEWNET` (`linux/sched.h`).
const NEW_NAMESPACE: u64 = 0x7E02_0000;

/// `S_ISUID | S_ISGID`.
const SET_ID: u64 = 0o6000;

/// `O_CREAT | __O_TMPFILE`: without them an `open` takes no mode, and what is in the register is chance.
const CREATES: u64 = 0x40_0040;

/// `PROT_WRITE`, `PROT_EXEC`.
const WRITE: u64 = 2;
const EXECUTE: u64 = 4;

/// `MFD_NOEXEC_SEAL`, `MFD_EXEC`.
const SEALED: u64 = 8;
const EXECUTABLE: u64 = 0x10;

/// `SHM_EXEC`.
const SHARED_EXECUTE: u64 = 0o100_000;

/// `READ_IMPLIES_EXEC` (`linux/personality.h`).
const READ_EXECUTES: u64 = 0x40_0000;

/// `TIOCSTI`, `TIOCLINUX`: typing for who sits at the terminal. `TIOCCONS`: what the console says.
/// `TIOCSETD`: loads line disciplines into the kernel.
const TERMINAL: [u64; 4] = [0x5412, 0x541C, 0x541D, 0x5423];

/// `FS_IOC_FSSETXATTR`, `FS_IOC_SETFLAGS`, `FS_IOC32_SETFLAGS`: who owns a file could take it out of what
/// counts as stored by a service. (`file_setattr` is newer than our table: it does not exist.)
const ATTRIBUTES: [u64; 3] = [0x401C_5820, 0x4008_6602, 0x4004_6602];

/// `PR_SET_MM`, `PR_SET_IO_FLUSHER`, `PR_SCHED_CORE`: forging what `/proc` says, and scheduling.
const PROCESS: [u64; 3] = [35, 57, 62];

/// `F_SETPIPE_SZ`: memory of the kernel that no limit of the program counts.
const PIPE_SIZE: u64 = 1031;

pub(super) fn test(argument: u8, mask: u64, value: u64) -> Test {
    Test { argument, mask, value }
}

/// Refused if the `int` argument is one of these.
pub(super) fn none_of(argument: u8, values: &[u64]) -> Rule {
    Rule::Except(values.iter().map(|value| vec![test(argument, INT, *value)]).collect())
}

/// Allowed if one of these single tests holds.
fn only(tests: &[Test]) -> Rule {
    Rule::Only(tests.iter().map(|test| vec![*test]).collect())
}

pub(super) fn rules(profile: &Profile, lists: &Lists) -> Named {
    let mut all = Named::new();
    if !lists.none() && !lists.allows("unshare") {
        all.insert("clone", only(&[test(0, NEW_NAMESPACE, 0)]));
        all.insert("clone3", Rule::Fixed(Verdict::Errno(ENOSYS)));
    }
    let terminal = lists.allow.is_some().then_some(TERMINAL);
    let attributes = restricts_modes(profile).then_some(ATTRIBUTES);
    let asked: Vec<u64> =
        terminal.into_iter().flatten().chain(attributes.into_iter().flatten()).collect();
    if !asked.is_empty() {
        all.insert("ioctl", none_of(1, &asked));
    }
    if lists.allow.is_some() {
        all.insert("prctl", none_of(0, &PROCESS));
        all.insert("fcntl", none_of(1, &[PIPE_SIZE]));
    }
    if restricts_modes(profile) {
        all.extend(modes());
    }
    let no_write_execute = profile.forbid.write_execute || profile.write_execute == Some(false);
    if no_write_execute {
        all.extend(memory());
    }
    if profile.lock_personality {
        all.insert("personality", only(&[test(0, INT, INT), test(0, INT, 0)]));
    }
    all
}

/// No set-user-id programs are made. `openat2` has its mode in memory, which no filter sees.
fn modes() -> Named {
    let takes = [
        ("chmod", 1),
        ("fchmod", 1),
        ("fchmodat", 2),
        ("fchmodat2", 2),
        ("creat", 1),
        ("mkdir", 1),
        ("mkdirat", 2),
        ("mknod", 1),
        ("mknodat", 2),
    ];
    let mut all: Named =
        takes.into_iter().map(|(name, mode)| (name, only(&[test(mode, SET_ID, 0)]))).collect();
    for (name, flags) in [("open", 1), ("openat", 2)] {
        all.insert(name, only(&[test(flags + 1, SET_ID, 0), test(flags, CREATES, 0)]));
    }
    all.insert("openat2", Rule::Fixed(Verdict::Errno(ENOSYS)));
    all
}

/// Memory is writable or executable for all of its life.
fn memory() -> Named {
    let both = WRITE | EXECUTE;
    // Executable only if nobody else can write it: a private mapping.
    let private: Case = vec![test(2, both, EXECUTE), test(3, 3, 2)];
    Named::from([
        ("mmap", Rule::Only(vec![vec![test(2, both, 0)], vec![test(2, both, WRITE)], private])),
        ("mprotect", only(&[test(2, EXECUTE, 0)])),
        ("pkey_mprotect", only(&[test(2, EXECUTE, 0)])),
        ("memfd_create", only(&[test(1, SEALED | EXECUTABLE, SEALED)])),
        ("shmat", only(&[test(2, SHARED_EXECUTE, 0)])),
        ("personality", only(&[test(0, READ_EXECUTES, 0), test(0, INT, INT)])),
    ])
}
