//! The groups, as data. First those for allowing, then those for forbidding.
//!
//! Narrower than those of systemd: what an exploit needs and an ordinary program does not is in none of
//! the first kind.

use super::Group;

const fn group(name: &'static str, about: &'static str, calls: &'static [&'static str]) -> Group {
    Group { name, about, calls }
}

/// Every group.
#[rustfmt::skip]
pub(super) const GROUPS: [Group; 27] = [
    group("@least", "Without these no program starts or ends.", &[
        "access", "arch_prctl", "brk", "clock_gettime", "close", "execve", "exit", "exit_group",
        "faccessat", "faccessat2", "fcntl", "fstat", "futex", "getcwd", "getegid", "geteuid", "getgid",
        "getpid", "getppid", "getrandom", "gettid", "gettimeofday", "getuid", "ioctl", "lseek",
        "lstat", "madvise", "mmap", "mprotect", "mremap", "munmap", "newfstatat", "open", "openat", "poll",
        "ppoll", "prctl", "pread64", "prlimit64", "read", "readlink", "readlinkat", "readv",
        "restart_syscall", "rseq", "rt_sigaction", "rt_sigprocmask", "rt_sigreturn",
        "sched_getaffinity", "sched_yield", "set_robust_list", "set_tid_address", "sigaltstack", "stat",
        "statx", "tgkill", "time", "uname", "uretprobe", "write", "writev",
    ]),
    group("@events", "Waiting for several things at once, and pipes.", &[
        "dup", "dup2", "dup3", "epoll_create", "epoll_create1", "epoll_ctl", "epoll_pwait",
        "epoll_pwait2", "epoll_wait", "eventfd", "eventfd2", "pause", "pipe", "pipe2", "poll", "ppoll",
        "pselect6", "select",
    ]),
    group("@files", "Files and directories: which ones, the rules about files say.", &[
        "access", "cachestat", "chdir", "chmod", "chown", "close", "close_range", "copy_file_range",
        "creat", "faccessat", "faccessat2", "fadvise64", "fallocate", "fchdir", "fchmod", "fchmodat",
        "fchmodat2", "fchown", "fchownat", "fcntl", "fdatasync", "fgetxattr", "flistxattr", "flock",
        "fremovexattr", "fsetxattr", "fstat", "fstatfs", "fsync", "ftruncate", "futimesat", "getcwd",
        "getdents", "getdents64", "getxattr", "inotify_add_watch", "inotify_init", "inotify_init1",
        "inotify_rm_watch", "ioctl", "lchown", "lgetxattr", "link", "linkat", "listxattr", "llistxattr",
        "lremovexattr", "lseek", "lsetxattr", "lstat", "mkdir", "mkdirat", "mknod", "mknodat",
        "newfstatat", "open", "openat", "openat2", "pread64", "preadv", "preadv2", "pwrite64",
        "pwritev", "pwritev2", "read", "readahead", "readlink", "readlinkat", "readv", "removexattr",
        "rename", "renameat", "renameat2", "rmdir", "sendfile", "setxattr", "splice", "stat", "statfs",
        "statx", "symlink", "symlinkat", "sync", "sync_file_range", "syncfs", "tee", "truncate",
        "umask", "unlink", "unlinkat", "utime", "utimensat", "utimes", "write", "writev",
    ]),
    group("@memory", "Memory of the program itself.", &[
        "brk", "get_mempolicy", "madvise", "map_shadow_stack", "mbind", "memfd_create", "mincore",
        "mlock", "mlock2", "mlockall", "mmap", "mprotect", "mremap", "mseal", "msync", "munlock",
        "munlockall", "munmap", "pkey_alloc", "pkey_free", "pkey_mprotect", "set_mempolicy",
    ]),
    group("@process", "Threads, programs and what they inherit; restricting itself.", &[
        "arch_prctl", "clone", "clone3", "execve", "exit", "exit_group", "fork", "futex",
        "futex_requeue", "futex_wait", "futex_waitv", "futex_wake", "get_robust_list", "getcpu",
        "getpgid", "getpgrp", "getpid", "getppid", "getpriority", "getrlimit", "getrusage", "getsid",
        "gettid", "ioprio_get", "ioprio_set", "landlock_add_rule", "landlock_create_ruleset",
        "landlock_restrict_self", "lsm_get_self_attr", "lsm_list_modules", "membarrier",
        "personality", "pidfd_open", "prctl", "prlimit64", "rseq", "sched_get_priority_max", "sched_get_priority_min",
        "sched_getaffinity", "sched_getattr", "sched_getparam", "sched_getscheduler",
        "sched_rr_get_interval", "sched_setaffinity", "sched_setattr", "sched_setparam",
        "sched_setscheduler", "sched_yield", "seccomp", "set_robust_list", "set_tid_address", "setpgid",
        "setpriority", "setrlimit", "setsid", "sysinfo", "uname", "vfork", "wait4", "waitid",
    ]),
    group("@identity", "Users, groups and capabilities: which ones, the capabilities say.", &[
        "capget", "capset", "getegid", "geteuid", "getgid", "getgroups", "getresgid", "getresuid",
        "getuid", "setfsgid", "setfsuid", "setgid", "setgroups", "setregid", "setresgid", "setresuid",
        "setreuid", "setuid",
    ]),
    group("@signals", "Signals.", &[
        "kill", "pause", "pidfd_send_signal", "restart_syscall", "rt_sigaction", "rt_sigpending",
        "rt_sigprocmask", "rt_sigqueueinfo", "rt_sigreturn", "rt_sigsuspend", "rt_sigtimedwait",
        "rt_tgsigqueueinfo", "sigaltstack", "signalfd", "signalfd4", "tgkill", "tkill",
    ]),
    group("@time", "What time it is, and waiting for it.", &[
        "alarm", "clock_getres", "clock_gettime", "clock_nanosleep", "getitimer", "gettimeofday",
        "nanosleep", "setitimer", "time", "timer_create", "timer_delete", "timer_getoverrun",
        "timer_gettime", "timer_settime", "timerfd_create", "timerfd_gettime", "timerfd_settime",
        "times",
    ]),
    group("@ipc", "Shared memory, semaphores and queues of System V and POSIX.", &[
        "mq_getsetattr", "mq_notify", "mq_open", "mq_timedreceive", "mq_timedsend", "mq_unlink",
        "msgctl", "msgget", "msgrcv", "msgsnd", "semctl", "semget", "semop", "semtimedop", "shmat",
        "shmctl", "shmdt", "shmget",
    ]),
    group("@network", "Sockets: which ones, the rules about the network say.", &[
        "accept", "accept4", "bind", "connect", "getpeername", "getsockname", "getsockopt", "listen",
        "recvfrom", "recvmmsg", "recvmsg", "sendmmsg", "sendmsg", "sendto", "setsockopt", "shutdown",
        "socket", "socketpair",
    ]),
    group("@aio", "The old interface for many reads and writes at once: some databases.", &[
        "io_cancel", "io_destroy", "io_getevents", "io_pgetevents", "io_setup", "io_submit",
    ]),
    group("@basic", "What ordinary programs need.", &[
        "@least", "@events", "@files", "@memory", "@process", "@identity", "@signals", "@time", "@ipc",
        "@network",
    ]),
    group("@mount", "What files are where: mounts, and another root.", &[
        "chroot", "fsconfig", "fsmount", "fsopen", "fspick", "listmount", "mount", "mount_setattr",
        "move_mount", "open_tree", "pivot_root", "statmount", "umount2",
    ]),
    group("@namespaces", "Namespaces: making them, and entering those of others.", &[
        "setns", "unshare",
    ]),
    group("@modules", "Modules of the kernel.", &[
        "delete_module", "finit_module", "init_module",
    ]),
    group("@reboot", "Another kernel, or none.", &[
        "kexec_file_load", "kexec_load", "reboot",
    ]),
    group("@clock", "Setting the clock.", &[
        "adjtimex", "clock_adjtime", "clock_settime", "settimeofday",
    ]),
    group("@debug", "Looking into other programs, and measuring them.", &[
        "kcmp", "perf_event_open", "pidfd_getfd", "process_madvise", "process_mrelease",
        "process_vm_readv", "process_vm_writev", "ptrace",
    ]),
    group("@kernel", "Programs in the kernel, and its messages.", &[
        "bpf", "lsm_set_self_attr", "syslog",
    ]),
    group("@raw-io", "Devices past the kernel.", &[
        "ioperm", "iopl",
    ]),
    group("@obsolete", "What no program of these years uses, or what no kernel has any more.", &[
        "_sysctl", "afs_syscall", "create_module", "epoll_ctl_old", "epoll_wait_old",
        "get_kernel_syms", "get_thread_area", "getpmsg", "lookup_dcookie", "modify_ldt", "nfsservctl",
        "putpmsg", "query_module", "remap_file_pages", "security", "set_thread_area", "sysfs",
        "tuxcall", "uselib", "ustat", "vserver",
    ]),
    group("@keyring", "Keys in the kernel.", &[
        "add_key", "keyctl", "request_key",
    ]),
    group("@swap", "Memory on disk.", &[
        "swapoff", "swapon",
    ]),
    group("@io-uring", "Work handed to the kernel in bulk, past the filter of system calls.", &[
        "io_uring_enter", "io_uring_register", "io_uring_setup",
    ]),
    group("@numa", "Where memory lies, also that of other programs.", &[
        "migrate_pages", "move_pages", "set_mempolicy_home_node",
    ]),
    group("@risky", "What exploits like to have and honest programs rarely use.", &[
        "execveat", "memfd_secret", "name_to_handle_at", "open_by_handle_at", "userfaultfd", "vmsplice",
    ]),
    group("@privileged", "What changes the device for all; most of it needs a capability.", &[
        "@mount", "@modules", "@reboot", "@clock", "@kernel", "@raw-io", "@swap", "acct",
        "fanotify_init", "fanotify_mark", "open_by_handle_at", "quotactl", "quotactl_fd",
        "setdomainname", "sethostname", "vhangup",
    ]),
];
