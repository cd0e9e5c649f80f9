//! The boot of PID 1 as data: named phases of named tasks, fitted to where we run. No I/O.
//!
//! ```text
//! /proc ─► survey ─► [Facts] ─► phases() ─► perform, one task after the other ─► servicemgr
//! ```
//!
//! A task that fails is said with its reason, and boot goes on: a device without `/tmp` or a
//! loopback is worth more than none.

use std::fmt;
use std::path::{Path, PathBuf};

use api::kernel::PARAMETERS;
use sys::mount::Flags;

/// What was found before the first task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Somebody else's kernel: what is missing was left out on purpose or is forbidden.
    pub container: bool,
    /// Where something is mounted, with its type.
    pub mounted: Vec<(PathBuf, String)>,
    /// Nobody can write to `/etc`.
    pub etc_read_only: bool,
    /// Nobody can write to `/var`.
    pub var_read_only: bool,
}

/// A few tasks under one name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Phase {
    /// What they are for.
    pub name: &'static str,
    /// In this order.
    pub tasks: Vec<Task>,
}

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Task {
    /// Mount a file system.
    Mount(Mount),
    /// Make symbolic links where nothing is yet: place, target.
    Links(&'static [(&'static str, &'static str)]),
    /// Make directories where none are: place, mode.
    Directories(&'static [(&'static str, u32)]),
    /// Lay the changes kept in the state over the `/etc` of the root.
    EtcOverlay,
    /// Say that nothing will be kept.
    NoState,
    /// Set a kernel parameter: its path under `/proc/sys`, and the value.
    Parameter(&'static str, &'static str),
    /// Give the device an id of its own on its first boot.
    MachineId,
    /// Take the host name from `/etc/hostname`.
    Hostname,
    /// Bring the loopback interface up.
    Loopback,
    /// Let services open many files.
    OpenFiles,
    /// Ctrl-Alt-Del is for us, not for the kernel.
    CtrlAltDel,
    /// Give the kernel the randomness kept from last time.
    Seed,
    /// Enable all controllers and make the groups of ours and of the services.
    Cgroups,
}

/// What is mounted where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mount {
    /// Type of the file system.
    pub kind: &'static str,
    /// Where.
    pub at: &'static str,
    /// What the file system does not honour.
    pub flags: Flags,
    /// Options of the file system itself.
    pub options: &'static str,
    /// The kernel may well lack it.
    pub optional: bool,
}

const NOTHING_RUNS: Flags = Flags { read_only: false, no_dev: true, no_suid: true, no_exec: true };
const FILES: Flags = Flags { no_exec: false, ..NOTHING_RUNS };
const DEVICES: Flags = Flags { no_dev: false, ..NOTHING_RUNS };

const fn api(kind: &'static str, at: &'static str) -> Mount {
    Mount { kind, at, flags: NOTHING_RUNS, options: "", optional: false }
}

/// `/proc` comes first: the survey reads it.
pub const PROC: Mount = api("proc", "/proc");

/// `/sys`, which stage-0 needs too.
pub const SYS: Mount = api("sysfs", "/sys");

/// `/dev`, which stage-0 needs too.
pub const DEV: Mount = Mount { flags: DEVICES, options: "mode=0755", ..api("devtmpfs", "/dev") };

/// Group 5 is `tty` on Debian.
const MOUNTS: [Mount; 9] = [
    PROC,
    SYS,
    DEV,
    Mount { flags: DEVICES, options: "gid=5,mode=0620,ptmxmode=0666", ..api("devpts", "/dev/pts") },
    Mount { flags: FILES, options: "mode=1777", ..api("tmpfs", "/dev/shm") },
    Mount { flags: FILES, options: "mode=0755", ..api("tmpfs", "/run") },
    Mount { flags: FILES, options: "mode=1777", ..api("tmpfs", "/tmp") },
    Mount { optional: true, ..api("securityfs", "/sys/kernel/security") },
    Mount { options: "nsdelegate,memory_recursiveprot", ..api("cgroup2", "/sys/fs/cgroup") },
];

/// Without state, `/var` is memory.
const MEMORY_VAR: Mount = Mount { flags: FILES, options: "mode=0755", ..api("tmpfs", "/var") };

const DEVICE_LINKS: &[(&str, &str)] = &[
    ("/dev/fd", "/proc/self/fd"),
    ("/dev/stdin", "/proc/self/fd/0"),
    ("/dev/stdout", "/proc/self/fd/1"),
    ("/dev/stderr", "/proc/self/fd/2"),
];

const RUN_DIRECTORIES: &[(&str, u32)] =
    &[(api::paths::RUN, 0o755), ("/run/lock", 0o755), ("/run/systemd/journal", 0o755)];

const VAR_DIRECTORIES: &[(&str, u32)] = &[
    ("/var/lib/ensemble/etc/upper", 0o755),
    ("/var/lib/ensemble/etc/work", 0o755),
    ("/var/log", 0o755),
    // The journal may write there and nowhere else of it.
    (api::paths::LOG_DIR, 0o750),
    ("/var/cache", 0o755),
    ("/var/spool", 0o755),
    ("/var/tmp", 0o1777),
];

const VAR_LINKS: &[(&str, &str)] = &[("/var/run", "/run"), ("/var/lock", "/run/lock")];

/// Of our network namespace.
const NETWORK_PARAMETERS: [(&str, &str); 1] = [
    // Datagrams that may wait at a socket, so that nobody blocks while journal starts again.
    ("net/unix/max_dgram_qlen", "512"),
];

/// What to do where these facts hold.
#[must_use]
pub fn phases(facts: &Facts) -> Vec<Phase> {
    vec![
        Phase { name: "file systems", tasks: file_systems(facts) },
        Phase { name: "kernel", tasks: kernel(facts) },
        Phase { name: "state", tasks: state(facts) },
        Phase { name: "identity", tasks: vec![Task::MachineId, Task::Hostname, Task::Loopback] },
        Phase { name: "control groups", tasks: vec![Task::Cgroups] },
    ]
}

fn file_systems(facts: &Facts) -> Vec<Task> {
    let missing = |mount: &Mount| !facts.has(mount);
    let wanted = |mount: &Mount| !(facts.container && mount.optional);
    let mounts = MOUNTS.into_iter().filter(missing).filter(wanted);
    let mut tasks: Vec<Task> = mounts.map(Task::Mount).collect();
    tasks.push(Task::Links(DEVICE_LINKS));
    tasks.push(Task::Directories(RUN_DIRECTORIES));
    tasks
}

fn kernel(facts: &Facts) -> Vec<Task> {
    let parameter = |(path, value)| Task::Parameter(path, value);
    let mut tasks = Vec::new();
    if !facts.container {
        tasks.push(Task::CtrlAltDel);
        tasks.extend(PARAMETERS.map(parameter));
    }
    tasks.extend(NETWORK_PARAMETERS.map(parameter));
    tasks.push(Task::OpenFiles);
    tasks
}

fn state(facts: &Facts) -> Vec<Task> {
    let mut tasks = Vec::new();
    if facts.var_read_only {
        tasks.push(Task::Mount(MEMORY_VAR));
        tasks.push(Task::NoState);
    }
    tasks.push(Task::Directories(VAR_DIRECTORIES));
    tasks.push(Task::Links(VAR_LINKS));
    if !facts.container {
        tasks.push(Task::Seed);
    }
    if facts.etc_read_only {
        tasks.push(Task::EtcOverlay);
    }
    tasks
}

impl Facts {
    /// Whether this is mounted already. Of control groups only version 2, on top, will do.
    fn has(&self, mount: &Mount) -> bool {
        let on_top = self.mounted.iter().rev().find(|(at, _)| at == Path::new(mount.at));
        on_top.is_some_and(|(_, kind)| mount.kind != "cgroup2" || kind == "cgroup2")
    }
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mount(mount) => write!(f, "mount {} on {}", mount.kind, mount.at),
            Self::Links(links) => {
                write!(f, "link {}", links.iter().map(|l| l.0).collect::<Vec<_>>().join(" "))
            }
            Self::Directories(all) => {
                write!(f, "make {}", all.iter().map(|d| d.0).collect::<Vec<_>>().join(" "))
            }
            Self::EtcOverlay => f.write_str("mount the overlay on /etc"),
            Self::NoState => f.write_str("keep /var"),
            Self::Parameter(path, value) => write!(f, "set {path} = {value}"),
            Self::MachineId => f.write_str("choose a machine id"),
            Self::Hostname => f.write_str("set the host name"),
            Self::Loopback => f.write_str("bring the loopback up"),
            Self::OpenFiles => f.write_str("raise the limit of open files"),
            Self::CtrlAltDel => f.write_str("take Ctrl-Alt-Del"),
            Self::Seed => f.write_str("feed the random seed"),
            Self::Cgroups => f.write_str("set up control groups"),
        }
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    fn told(facts: &Facts) -> String {
        let phase = |p: Phase| {
            let tasks: String = p.tasks.iter().map(|t| format!("  {t}\n")).collect();
            format!("{}\n{tasks}", p.name)
        };
        phases(facts).into_iter().map(phase).collect()
    }

    #[test]
    fn a_machine_after_stage_0_gets_what_is_missing() {
        let mounted = ["/", "/proc", "/sys", "/dev", "/var"].map(|at| (at.into(), "x".into()));
        let facts = Facts {
            container: false,
            mounted: mounted.into(),
            etc_read_only: true,
            var_read_only: false,
        };
        assert_snapshot!(told(&facts), @"
        file systems
          mount devpts on /dev/pts
          mount tmpfs on /dev/shm
          mount tmpfs on /run
          mount tmpfs on /tmp
          mount securityfs on /sys/kernel/security
          mount cgroup2 on /sys/fs/cgroup
          link /dev/fd /dev/stdin /dev/stdout /dev/stderr
          make /run/ensemble /run/lock /run/systemd/journal
        kernel
          take Ctrl-Alt-Del
          set kernel/printk_devkmsg = on
          set kernel/pid_max = 4194304
          set kernel/kptr_restrict = 2
          set kernel/dmesg_restrict = 1
          set kernel/perf_event_paranoid = 3
          set kernel/unprivileged_bpf_disabled = 1
          set kernel/yama/ptrace_scope = 1
          set net/core/bpf_jit_harden = 1
          set fs/protected_hardlinks = 1
          set fs/protected_symlinks = 1
          set fs/protected_fifos = 2
          set fs/protected_regular = 2
          set kernel/kexec_load_disabled = 1
          set kernel/sysrq = 176
          set dev/tty/legacy_tiocsti = 0
          set dev/tty/ldisc_autoload = 0
          set vm/memfd_noexec = 1
          set net/unix/max_dgram_qlen = 512
          raise the limit of open files
        state
          make /var/lib/ensemble/etc/upper /var/lib/ensemble/etc/work /var/log /var/log/ensemble /var/cache /var/spool /var/tmp
          link /var/run /var/lock
          feed the random seed
          mount the overlay on /etc
        identity
          choose a machine id
          set the host name
          bring the loopback up
        control groups
          set up control groups
        ");
    }

    #[test]
    fn a_container_keeps_what_it_was_given_and_the_kernel_is_left_alone() {
        let mounted = [("/", "overlay"), ("/proc", "proc"), ("/sys", "sysfs"), ("/dev", "tmpfs")]
            .into_iter()
            .chain([("/dev/pts", "devpts"), ("/dev/shm", "tmpfs"), ("/sys/fs/cgroup", "tmpfs")]);
        let facts = Facts {
            container: true,
            mounted: mounted.map(|(at, kind)| (at.into(), kind.into())).collect(),
            etc_read_only: false,
            var_read_only: true,
        };
        assert_snapshot!(told(&facts), @"
        file systems
          mount tmpfs on /run
          mount tmpfs on /tmp
          mount cgroup2 on /sys/fs/cgroup
          link /dev/fd /dev/stdin /dev/stdout /dev/stderr
          make /run/ensemble /run/lock /run/systemd/journal
        kernel
          set net/unix/max_dgram_qlen = 512
          raise the limit of open files
        state
          mount tmpfs on /var
          keep /var
          make /var/lib/ensemble/etc/upper /var/lib/ensemble/etc/work /var/log /var/log/ensemble /var/cache /var/spool /var/tmp
          link /var/run /var/lock
        identity
          choose a machine id
          set the host name
          bring the loopback up
        control groups
          set up control groups
        ");
    }
}
