//! Which calls name files, where in their arguments, and what they do with them.

use super::observed::Use;

/// How a link at the end of a path is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Last {
    /// What it leads to is meant.
    Follow,
    /// It is meant itself.
    Link,
    /// Followed unless this argument has `AT_SYMLINK_NOFOLLOW`.
    Flags(u8),
}

/// What a call does with a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Does {
    /// This with what is there.
    Uses(Use),
    /// Makes it, if nothing is there.
    Makes,
    /// Removes it, if it is there.
    Removes,
    /// Makes it, or takes the place of what is there.
    Replaces,
    /// Opens it as the flags in this argument say.
    Opens(u8),
    /// Opens it, its flags in memory at this argument.
    OpensHow(u8),
    /// Makes a file or empties it.
    Creates,
    /// Executes it.
    Executes,
}

/// One path among the arguments of a call.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    /// The call.
    pub(super) name: &'static str,
    /// The argument with the directory that it begins in, if it is not the current one.
    pub(super) from: Option<u8>,
    /// The argument with the address of the path.
    pub(super) path: u8,
    /// How a link at its end is taken.
    pub(super) last: Last,
    /// What is done.
    pub(super) does: Does,
}

const fn here(name: &'static str, path: u8, last: Last, does: Does) -> Row {
    Row { name, from: None, path, last, does }
}

const fn at(name: &'static str, from: u8, last: Last, does: Does) -> Row {
    Row { name, from: Some(from), path: from + 1, last, does }
}

const LOOKS: Does = Does::Uses(Use::Look);
const WRITES: Does = Does::Uses(Use::Write);

/// Every call that names files.
#[rustfmt::skip]
pub(super) const ROWS: [Row; 66] = [
    here("open", 0, Last::Follow, Does::Opens(1)),
    at("openat", 0, Last::Follow, Does::Opens(2)),
    at("openat2", 0, Last::Follow, Does::OpensHow(2)),
    here("creat", 0, Last::Follow, Does::Creates),
    here("execve", 0, Last::Follow, Does::Executes),
    at("execveat", 0, Last::Flags(4), Does::Executes),
    here("stat", 0, Last::Follow, LOOKS),
    here("lstat", 0, Last::Link, LOOKS),
    at("newfstatat", 0, Last::Flags(3), LOOKS),
    at("statx", 0, Last::Flags(2), LOOKS),
    here("access", 0, Last::Follow, LOOKS),
    at("faccessat", 0, Last::Follow, LOOKS),
    at("faccessat2", 0, Last::Flags(3), LOOKS),
    here("readlink", 0, Last::Link, LOOKS),
    at("readlinkat", 0, Last::Link, LOOKS),
    here("statfs", 0, Last::Follow, LOOKS),
    here("chdir", 0, Last::Follow, LOOKS),
    here("chroot", 0, Last::Follow, LOOKS),
    here("inotify_add_watch", 1, Last::Follow, LOOKS),
    here("getxattr", 0, Last::Follow, LOOKS),
    here("lgetxattr", 0, Last::Link, LOOKS),
    here("listxattr", 0, Last::Follow, LOOKS),
    here("llistxattr", 0, Last::Link, LOOKS),
    here("mkdir", 0, Last::Link, Does::Makes),
    at("mkdirat", 0, Last::Link, Does::Makes),
    here("mknod", 0, Last::Link, Does::Makes),
    at("mknodat", 0, Last::Link, Does::Makes),
    here("symlink", 1, Last::Link, Does::Makes),
    at("symlinkat", 1, Last::Link, Does::Makes),
    here("link", 0, Last::Link, LOOKS),
    here("link", 1, Last::Link, Does::Makes),
    at("linkat", 0, Last::Link, LOOKS),
    at("linkat", 2, Last::Link, Does::Makes),
    here("unlink", 0, Last::Link, Does::Removes),
    at("unlinkat", 0, Last::Link, Does::Removes),
    here("rmdir", 0, Last::Link, Does::Removes),
    here("rename", 0, Last::Link, Does::Removes),
    here("rename", 1, Last::Link, Does::Replaces),
    at("renameat", 0, Last::Link, Does::Removes),
    at("renameat", 2, Last::Link, Does::Replaces),
    at("renameat2", 0, Last::Link, Does::Removes),
    at("renameat2", 2, Last::Link, Does::Replaces),
    here("truncate", 0, Last::Follow, WRITES),
    here("chmod", 0, Last::Follow, WRITES),
    at("fchmodat", 0, Last::Follow, WRITES),
    at("fchmodat2", 0, Last::Flags(3), WRITES),
    here("chown", 0, Last::Follow, WRITES),
    here("lchown", 0, Last::Link, WRITES),
    at("fchownat", 0, Last::Flags(4), WRITES),
    here("utime", 0, Last::Follow, WRITES),
    here("utimes", 0, Last::Follow, WRITES),
    at("futimesat", 0, Last::Follow, WRITES),
    at("utimensat", 0, Last::Flags(3), WRITES),
    here("setxattr", 0, Last::Follow, WRITES),
    here("lsetxattr", 0, Last::Link, WRITES),
    here("removexattr", 0, Last::Follow, WRITES),
    here("lremovexattr", 0, Last::Link, WRITES),
    here("uselib", 0, Last::Follow, Does::Uses(Use::Map)),
    here("swapon", 0, Last::Follow, WRITES),
    here("swapoff", 0, Last::Follow, LOOKS),
    here("acct", 0, Last::Follow, WRITES),
    here("mount", 1, Last::Follow, LOOKS),
    here("umount2", 0, Last::Follow, LOOKS),
    here("pivot_root", 0, Last::Follow, LOOKS),
    at("open_tree", 0, Last::Follow, LOOKS),
    at("name_to_handle_at", 0, Last::Follow, LOOKS),
];

/// Calls that change the attributes of an open file: their first argument.
pub(super) const CHANGE_OPEN: [&str; 4] = ["fchmod", "fchown", "fsetxattr", "fremovexattr"];

/// Calls about sockets.
pub(super) const SOCKETS: [&str; 4] = ["socket", "socketpair", "bind", "connect"];

/// Calls by which memory becomes executable.
pub(super) const MEMORY: [&str; 5] = ["mmap", "mprotect", "pkey_mprotect", "memfd_create", "shmat"];

/// Calls with the capability that they need, if they do more than ask.
#[rustfmt::skip]
pub(super) const CAPABILITIES: [(&str, &str); 28] = [
    ("acct", "SYS_PACCT"),
    ("bpf", "BPF"),
    ("chroot", "SYS_CHROOT"),
    ("clock_settime", "SYS_TIME"),
    ("delete_module", "SYS_MODULE"),
    ("finit_module", "SYS_MODULE"),
    ("init_module", "SYS_MODULE"),
    ("kexec_file_load", "SYS_BOOT"),
    ("kexec_load", "SYS_BOOT"),
    ("mount", "SYS_ADMIN"),
    ("open_by_handle_at", "DAC_READ_SEARCH"),
    ("pivot_root", "SYS_ADMIN"),
    ("reboot", "SYS_BOOT"),
    ("setdomainname", "SYS_ADMIN"),
    ("setfsgid", "SETGID"),
    ("setfsuid", "SETUID"),
    ("setgid", "SETGID"),
    ("setgroups", "SETGID"),
    ("sethostname", "SYS_ADMIN"),
    ("setns", "SYS_ADMIN"),
    ("setregid", "SETGID"),
    ("setresgid", "SETGID"),
    ("setresuid", "SETUID"),
    ("setreuid", "SETUID"),
    ("settimeofday", "SYS_TIME"),
    ("setuid", "SETUID"),
    ("umount2", "SYS_ADMIN"),
    ("vhangup", "SYS_TTY_CONFIG"),
];

/// Whether a call is told although the inherited profile allows it. Only in a listed view it matters what a
/// program merely looks at, which many do all the time.
#[must_use]
pub(super) fn told(name: &str, listed: bool) -> bool {
    ROWS.iter().any(|row| row.name == name && (listed || row.does != LOOKS))
        || CAPABILITIES.iter().any(|(call, _)| *call == name)
        || [&CHANGE_OPEN[..], &SOCKETS, &MEMORY].concat().contains(&name)
}

#[cfg(test)]
mod tests {
    use model::sandbox::calls;

    use super::*;

    #[test]
    fn every_row_is_about_a_call_that_there_is() {
        let capabilities = CAPABILITIES.iter().map(|(name, _)| *name);
        for name in ROWS.iter().map(|row| row.name).chain(capabilities) {
            assert!(calls::known(name), "{name}");
        }
        for name in [&CHANGE_OPEN[..], &SOCKETS, &MEMORY].concat() {
            assert!(calls::known(name) && told(name, false), "{name}");
        }
        assert!(!told("read", true));
        assert!(told("stat", true) && !told("stat", false) && told("openat", false));
    }
}
