//! The kernel parameters of a device: PID 1 sets them, `ensctl security` looks whether they hold.

/// Of the whole kernel, so they are set only where it is ours: path below [`ROOT`], value.
pub const PARAMETERS: [(&str, &str); 17] = [
    // Boot messages must all arrive; without this the kernel drops ours when they come fast.
    ("kernel/printk_devkmsg", "on"),
    // The most there are: a number that is used again soon could be taken for who had it before.
    ("kernel/pid_max", "4194304"),
    ("kernel/kptr_restrict", "2"),
    ("kernel/dmesg_restrict", "1"),
    ("kernel/perf_event_paranoid", "3"),
    ("kernel/unprivileged_bpf_disabled", "1"),
    ("kernel/yama/ptrace_scope", "1"),
    // Filters of who may bring no programs are scrambled, so that nobody writes code with them. Not those that servicemgr
    // brings: they are ours, and it would be a quarter of each start of an app.
    ("net/core/bpf_jit_harden", "1"),
    ("fs/protected_hardlinks", "1"),
    ("fs/protected_symlinks", "1"),
    ("fs/protected_fifos", "2"),
    ("fs/protected_regular", "2"),
    // Another kernel is not started from this one; this can't be taken back.
    ("kernel/kexec_load_disabled", "1"),
    // From the keyboard: to write all, remount and start again (16 + 32 + 128), not to kill or to see memory.
    ("kernel/sysrq", "176"),
    // Nobody types for another into a terminal, or loads a module by naming a line discipline.
    ("dev/tty/legacy_tiocsti", "0"),
    ("dev/tty/ldisc_autoload", "0"),
    // Memory with a file's name is not executed unless who makes it says so.
    ("vm/memfd_noexec", "1"),
];

/// Where they are.
pub const ROOT: &str = "/proc/sys";
