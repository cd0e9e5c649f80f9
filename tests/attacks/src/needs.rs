//! What must be there for an attack to mean anything: a part of the kernel, a device, the victim.
//!
//! Whether it is there is found out outside of any sandbox, by the victim, and told in its facts; an
//! attack's own errors decide nothing. Without a victim it is looked for here, which is right only
//! where nothing hides it.

use std::path::Path;

use crate::facts::Facts;
use crate::raw;

/// One precondition.
#[derive(Debug, Clone, Copy)]
pub struct Need {
    /// Its name; for a path, the path.
    pub name: &'static str,
    /// In words.
    pub about: &'static str,
    there: There,
}

#[derive(Debug, Clone, Copy)]
enum There {
    Victim,
    Path,
    Test(fn() -> bool),
}

/// The victim runs.
pub const VICTIM: Need =
    Need { name: "victim", about: "a victim (--victim=)", there: There::Victim };

/// The victim was started by root, so it could lay out a setuid program.
pub const SETUID_FILE: Need = Need {
    name: "setuid-file",
    about: "a setuid program of root (--victim=)",
    there: There::Victim,
};

/// Something that the kernel or the device must have, seen by its path.
#[must_use]
pub const fn path(path: &'static str) -> Need {
    Need { name: path, about: path, there: There::Path }
}

const fn test(name: &'static str, about: &'static str, there: fn() -> bool) -> Need {
    Need { name, about, there: There::Test(there) }
}

/// An x86 processor in 64-bit mode.
pub const X86: Need = test("x86-64", "an x86-64 processor", || cfg!(target_arch = "x86_64"));
/// The entry of 32-bit programs.
pub const IA32: Need = test("ia32", "a kernel with ia32 emulation", ia32);
/// The x32 numbers.
pub const X32: Need = test("x32", "a kernel with the x32 ABI", || {
    cfg!(target_arch = "x86_64") && raw::call(libc::SYS_getpid | 0x4000_0000, &[]).is_ok()
});
/// io_uring.
pub const IO_URING: Need = test("io-uring", "a kernel with io_uring, not switched off", || {
    !says("/proc/sys/kernel/io_uring_disabled", "2") && known(libc::SYS_io_uring_setup)
});
/// userfaultfd.
pub const USERFAULTFD: Need =
    test("userfaultfd", "a kernel with userfaultfd", || known(libc::SYS_userfaultfd));
/// kcmp.
pub const KCMP: Need = test("kcmp", "a kernel with kcmp", || known(libc::SYS_kcmp));
/// BPF.
pub const BPF: Need = path("/proc/sys/kernel/unprivileged_bpf_disabled");
/// perf.
pub const PERF: Need = path("/proc/sys/kernel/perf_event_paranoid");
/// Keys.
pub const KEYS: Need = path("/proc/keys");
/// User namespaces.
pub const USER_NS: Need = path("/proc/self/ns/user");
/// Time namespaces.
pub const TIME_NS: Need = path("/proc/self/ns/time");
/// Multipath TCP.
pub const MPTCP: Need = path("/proc/sys/net/mptcp/enabled");
/// IPv6.
pub const IPV6: Need = path("/proc/net/if_inet6");
/// Data in the first packet of a connection, also accepted.
pub const FAST_OPEN: Need = path("/proc/sys/net/ipv4/tcp_fastopen");
/// A way to the outside.
pub const ROUTE: Need = test("route", "a network with a way out", || {
    std::fs::read_to_string("/proc/net/route")
        .is_ok_and(|t| t.lines().any(|l| l.split_whitespace().nth(1) == Some("00000000")))
});
/// Loadable modules.
pub const MODULES: Need = path("/proc/modules");
/// kexec.
pub const KEXEC: Need = path("/sys/kernel/kexec_loaded");
/// Swap.
pub const SWAP: Need = path("/proc/swaps");
/// Process accounting.
pub const ACCT: Need = path("/proc/sys/kernel/acct");
/// Handles of files.
pub const HANDLES: Need =
    test("file-handles", "a kernel with file handles", || known(libc::SYS_open_by_handle_at));
/// fanotify.
pub const FANOTIFY: Need = path("/proc/sys/fs/fanotify/max_user_marks");
/// A disk.
pub const DISK: Need =
    test("disk", "a disk in /sys/class/block", || !crate::tools::disk().is_empty());
/// A channel to the host.
pub const CHANNEL: Need =
    test("host-channel", "a channel to the host", || crate::tools::channel().is_some());
/// A screen of text.
pub const CONSOLE_SCREEN: Need = path("/dev/tty0");
/// Terminals of programs.
pub const PTY: Need = path("/dev/ptmx");
/// Limits of groups of processes.
pub const CGROUP2: Need = path("/sys/fs/cgroup/cgroup.procs");
/// Groups of the old kind.
pub const CGROUP1: Need = filesystem("cgroup1", "a kernel with cgroup v1", || offers("cgroup"));
/// debugfs.
pub const DEBUGFS: Need = filesystem("debugfs", "a kernel with debugfs", || offers("debugfs"));
/// tracefs.
pub const TRACEFS: Need = filesystem("tracefs", "a kernel with tracefs", || offers("tracefs"));
/// The file system of BPF.
pub const BPFFS: Need = filesystem("bpffs", "a kernel with bpffs", || offers("bpf"));
/// A kernel that does not lock itself down.
pub const NO_LOCKDOWN: Need = test("no-lockdown", "a kernel without lockdown", || {
    std::fs::read_to_string("/sys/kernel/security/lockdown").map_or(true, |t| t.contains("[none]"))
});
/// Core files instead of a program that takes them.
pub const CORE_FILES: Need = test("core-files", "core_pattern names a file", || {
    std::fs::read_to_string("/proc/sys/kernel/core_pattern").is_ok_and(|t| !t.starts_with('|'))
});
/// The servicemgr of Ensemble.
pub const SERVICEMGR: Need = path("/run/ensemble/services.sock");
/// The journal of Ensemble.
pub const JOURNAL: Need = path("/run/ensemble/journal.sock");
/// A system bus.
pub const SYSTEM_BUS: Need = path("/run/dbus/system_bus_socket");
/// A guard of the lowest pages.
pub const LOW_MEMORY: Need = path("/proc/sys/vm/mmap_min_addr");
/// Ports of devices.
pub const IOPORTS: Need = test("io-ports", "an x86 kernel with ioperm", || {
    cfg!(target_arch = "x86_64") && Path::new("/proc/ioports").exists()
});
/// `modify_ldt`.
pub const LDT: Need =
    test("ldt", "an x86 kernel with modify_ldt", || cfg!(target_arch = "x86_64") && known(154));
/// Limits of what services store.
pub const PROJECTS: Need = test("project-quota", "quotas of projects on /var", || {
    std::fs::read_to_string("/proc/self/mounts").is_ok_and(|text| {
        let mut lines = text.lines();
        lines.any(|line| line.contains(" /var ") && line.contains("prjquota"))
    })
});
/// Quotas of file systems.
pub const QUOTA: Need = path("/proc/sys/fs/quota");

const fn filesystem(name: &'static str, about: &'static str, there: fn() -> bool) -> Need {
    test(name, about, there)
}

macro_rules! families {
    ($($constant:ident $family:ident $name:literal;)*) => {
        $(
            /// A kernel with these sockets.
            pub const $constant: Need = test($name, concat!("a kernel with ", $name, " sockets"), || {
                socket(libc::$family)
            });
        )*
    };
}

families! {
    VSOCK AF_VSOCK "vsock";
    ALG AF_ALG "alg";
    PACKET AF_PACKET "packet";
    XDP AF_XDP "xdp";
    KEY AF_KEY "key";
    CAN AF_CAN "can";
    BLUETOOTH AF_BLUETOOTH "bluetooth";
    TIPC AF_TIPC "tipc";
    RDS AF_RDS "rds";
    RXRPC AF_RXRPC "rxrpc";
    LLC AF_LLC "llc";
    NFC AF_NFC "nfc";
    PPPOX AF_PPPOX "pppox";
    IEEE802154 AF_IEEE802154 "ieee802154";
    PHONET AF_PHONET "phonet";
}

/// SCTP.
pub const SCTP: Need = test("sctp", "a kernel with SCTP", || protocol(libc::SOCK_STREAM, 132));
/// DCCP.
pub const DCCP: Need = test("dccp", "a kernel with DCCP", || protocol(6, 33));
/// Lists of sockets.
pub const SOCK_DIAG: Need = test("inet-diag", "a kernel with inet_diag", || {
    crate::groups::network::netlink::lists_sockets(0).is_ok()
});
/// The auditing of the kernel.
pub const AUDIT: Need =
    test("audit", "a kernel with audit", || protocol_of(libc::AF_NETLINK, 3, 9));
/// Firewalls.
pub const NETFILTER: Need =
    test("netfilter", "a kernel with nfnetlink", || protocol_of(libc::AF_NETLINK, 3, 12));

impl Need {
    /// Whether it is there, by the facts of the victim or by looking.
    #[must_use]
    pub fn is_there(&self, facts: &Facts) -> bool {
        match self.there {
            There::Victim if self.name == SETUID_FILE.name => !facts.setuid.is_empty(),
            There::Victim => facts.pid != 0,
            _ if facts.pid != 0 => !facts.lacks.iter().any(|name| name == self.name),
            _ => self.look(),
        }
    }

    /// Looks for it here.
    #[must_use]
    pub fn look(&self) -> bool {
        match self.there {
            There::Victim => true,
            There::Path => Path::new(self.name).exists(),
            There::Test(test) => test(),
        }
    }
}

/// Whether the kernel has this call: without arguments it says something else than `ENOSYS`.
fn known(number: libc::c_long) -> bool {
    raw::call(number, &[]).err().is_none_or(|e| e.0 != libc::ENOSYS)
}

fn says(file: &str, what: &str) -> bool {
    std::fs::read_to_string(file).is_ok_and(|text| text.trim() == what)
}

fn offers(filesystem: &str) -> bool {
    std::fs::read_to_string("/proc/filesystems")
        .is_ok_and(|t| t.lines().any(|l| l.split_whitespace().last() == Some(filesystem)))
}

/// Sockets of a family: made for any of the usual types and protocols.
fn socket(family: i32) -> bool {
    [3, 2, 1, 5].iter().any(|kind| protocol_of(family, *kind, 0) || protocol_of(family, *kind, 1))
        || (family == libc::AF_KEY && protocol_of(family, 3, 2))
}

fn protocol(kind: i32, protocol: i32) -> bool {
    protocol_of(libc::AF_INET, kind, protocol)
}

fn protocol_of(family: i32, kind: i32, protocol: i32) -> bool {
    // Not for us is there all the same.
    let answer = crate::sys!(SYS_socket, family, kind, protocol);
    answer.err().is_none_or(|e| [libc::EPERM, libc::EACCES].contains(&e.errno.0))
}

/// 32-bit calls end a process where the kernel has none, so a child asks.
fn ia32() -> bool {
    cfg!(target_arch = "x86_64")
        && crate::tools::in_child(|| i32::from(raw::call_32(20, [0; 3]) <= 0)) == Ok(0)
}
