//! Processes of others: seeing them, reading and changing their memory, stopping them, taking their
//! descriptors.

use std::fs;

use crate::attack::{Attempt, Refused, Stop, blocked, got, if_so};
use crate::facts::Facts;
use crate::needs::{KCMP, VICTIM, path};
use crate::raw::Arg;
use crate::tools::{
    fork, is_victim, leave, open, pause, read_file, rewrite, steal_fd, thrown_away, wait,
};
use crate::{attacks, sys};

attacks! { Processes:
    "see-processes" [VICTIM] "sees that another service runs" => |v| {
        let name = read_file(&format!("/proc/{}/comm", v.pid))?;
        if_so(name.starts_with(b"victim"), "saw the victim", "that is another process")
    };
    "count-processes" [VICTIM] "sees the processes of the kernel and of everybody" => |_| {
        // Only the first namespace has kernel threads, and kthreadd is always 2.
        let name = read_file("/proc/2/comm")?;
        if_so(name == b"kthreadd\n", "saw kthreadd", "only its own processes")
    };
    "read-arguments" [VICTIM] "reads the arguments of another service" => |v| {
        let words = read_file(&format!("/proc/{}/cmdline", v.pid))?;
        if_so(words.windows(6).any(|w| w == b"victim"), "read them", "that is another process")
    };
    "read-environment" [VICTIM] "reads passwords out of the environment of another service" => |v| {
        let words = read_file(&format!("/proc/{}/environ", v.pid))?;
        if_so(v.is_in(&words), "read the secret", "that is another process")
    };
    "read-maps" [VICTIM] "learns where another service has its memory" => |v| {
        is_victim(v)?;
        let maps = read_file(&format!("/proc/{}/maps", v.pid))?;
        if_so(!maps.is_empty(), "read the map", "the map is empty")
    };
    "read-kernel-stack" [VICTIM] "learns where in the kernel another service is" => |v| {
        is_victim(v)?;
        let stack = read_file(&format!("/proc/{}/stack", v.pid))?;
        if_so(!stack.is_empty(), "read the stack", "the stack is empty")
    };
    "read-system-call" [VICTIM] "learns registers of another service" => |v| {
        is_victim(v)?;
        let text = read_file(&format!("/proc/{}/syscall", v.pid))?;
        if_so(!text.is_empty(), "read them", "nothing is said")
    };
    "read-pagemap" [] "learns which physical memory it has, for attacks on the memory chips" => |_| {
        let word = [1_u64];
        let page = word.as_ptr().addr() / 4096;
        let fd = open("/proc/self/pagemap", libc::O_RDONLY)?;
        let mut entry = [0_u64];
        sys!(SYS_pread64, fd, &mut entry, 8, page * 8)?;
        if_so(entry[0] & 0x7f_ffff_ffff_ffff != 0, "a physical address", "the address is hidden")
    };
    "ptrace-attach" [VICTIM] "reads the memory of another service as its debugger" =>
        |v| trace(v, libc::PTRACE_ATTACH);
    "ptrace-seize" [VICTIM] "becomes the debugger of another service unnoticed" =>
        |v| trace(v, libc::PTRACE_SEIZE);
    "ptrace-own-child" [] "debugs a program it starts, to change its calls after the filter" => trace_child;
    "vm-read" [VICTIM] "reads the memory of another service" => |v| {
        let mut buffer = [0_u8; 32];
        vm(v, libc::SYS_process_vm_readv, (&mut buffer).arg(), v.address, 32)?;
        if_so(v.is_in(&buffer), "read the secret", "that is another process")
    };
    "vm-write" [VICTIM] "changes the memory of another service" => |v| {
        let (new, mut old) = ([0xa77ac_u64], [0_u64]);
        is_victim(v)?;
        vm(v, libc::SYS_process_vm_writev, (&new).arg(), v.word, 8)?;
        vm(v, libc::SYS_process_vm_readv, (&mut old).arg(), v.word, 8)?;
        if_so(old == new, "changed a word", "the word is as before")
    };
    "proc-mem-read" [VICTIM] "reads the memory of another service as a file" => |v| {
        let fd = open(&format!("/proc/{}/mem", v.pid), libc::O_RDONLY)?;
        let mut buffer = [0_u8; 32];
        sys!(SYS_pread64, fd, &mut buffer, 32, v.address)?;
        if_so(v.is_in(&buffer), "read the secret", "that is another process")
    };
    "proc-mem-write" [VICTIM] "changes the memory of another service as a file" => |v| {
        is_victim(v)?;
        let fd = open(&format!("/proc/{}/mem", v.pid), libc::O_RDWR)?;
        let (new, mut old) = ([0xf11e_u64], [0_u64]);
        sys!(SYS_pwrite64, fd, &new, 8, v.word)?;
        sys!(SYS_pread64, fd, &mut old, 8, v.word)?;
        if_so(old == new, "changed a word", "the word is as before")
    };
    "signal" [VICTIM] "sends signals to another service" => |v| {
        is_victim(v)?;
        sys!(SYS_kill, v.pid, libc::SIGUSR1)?;
        got("sent SIGUSR1")
    };
    "signal-thread" [VICTIM] "sends signals to a thread of another service" => |v| {
        is_victim(v)?;
        sys!(SYS_tgkill, v.pid, v.pid, libc::SIGUSR1)?;
        got("sent SIGUSR1")
    };
    "signal-by-pidfd" [VICTIM] "sends signals to another service by a descriptor" => |v| {
        is_victim(v)?;
        let fd = sys!(SYS_pidfd_open, v.pid, 0)?;
        sys!(SYS_pidfd_send_signal, fd, libc::SIGUSR1, 0, 0)?;
        got("sent SIGUSR1")
    };
    "stop-process" [VICTIM] "stops another service" => |v| {
        is_victim(v)?;
        sys!(SYS_kill, v.pid, libc::SIGSTOP)?;
        pause(50);
        let state = fs::read_to_string(format!("/proc/{}/stat", v.pid)).unwrap_or_default();
        sys!(SYS_kill, v.pid, libc::SIGCONT)?;
        if_so(state.contains(") T ") || state.is_empty(), "it stood still", "it went on")
    };
    "steal-descriptor" [VICTIM] "takes an open file out of another service" => |v| {
        is_victim(v)?;
        let pidfd = sys!(SYS_pidfd_open, v.pid, 0)?;
        let fd = sys!(SYS_pidfd_getfd, pidfd, v.fd, 0)?;
        steal_fd(v, fd)
    };
    "change-limits" [VICTIM] "changes the limits of another service" => |v| {
        is_victim(v)?;
        let (mut old, mut now) = ([0_u64; 2], [0_u64; 2]);
        sys!(SYS_prlimit64, v.pid, libc::RLIMIT_CORE, 0, &mut old)?;
        let new = [0, old[1]];
        sys!(SYS_prlimit64, v.pid, libc::RLIMIT_CORE, &new, 0)?;
        sys!(SYS_prlimit64, v.pid, libc::RLIMIT_CORE, 0, &mut now)?;
        if_so(now == new, "changed a limit", "the limit stayed")
    };
    "slow-down" [VICTIM] "takes the processor from another service" => |v| {
        is_victim(v)?;
        let before = sys!(SYS_getpriority, libc::PRIO_PROCESS, v.pid)?;
        sys!(SYS_setpriority, libc::PRIO_PROCESS, v.pid, 19)?;
        let slow = sys!(SYS_getpriority, libc::PRIO_PROCESS, v.pid)?;
        let back = 20 - isize::try_from(before).unwrap_or(20);
        let _ = sys!(SYS_setpriority, libc::PRIO_PROCESS, v.pid, back);
        if_so(slow == 1, "it had nice 19 for a moment", "its priority stayed")
    };
    "change-scheduling" [VICTIM] "has another service run only when nobody else wants to" => |v| {
        is_victim(v)?;
        let zero = [0_i32];
        sys!(SYS_sched_setscheduler, v.pid, libc::SCHED_IDLE, &zero)?;
        let now = sys!(SYS_sched_getscheduler, v.pid)?;
        let _ = sys!(SYS_sched_setscheduler, v.pid, libc::SCHED_OTHER, &zero);
        if_so(now == libc::SCHED_IDLE.arg(), "it was idle for a moment", "its class stayed")
    };
    "change-processors" [VICTIM] "says on which processors another service runs" => |v| {
        is_victim(v)?;
        let mut mask = [0_u64; 16];
        let size = sys!(SYS_sched_getaffinity, v.pid, 128, &mut mask)?;
        sys!(SYS_sched_setaffinity, v.pid, size, &mask)?;
        got("set its processors (the same)")
    };
    "change-io-class" [VICTIM] "takes the disk from another service" => |v| {
        const PROCESS: i32 = 1;
        const IDLE: usize = 3 << 13;
        is_victim(v)?;
        sys!(SYS_ioprio_set, PROCESS, v.pid, IDLE)?;
        let now = sys!(SYS_ioprio_get, PROCESS, v.pid)?;
        let _ = sys!(SYS_ioprio_set, PROCESS, v.pid, 0);
        if_so(now == IDLE, "its disk was idle for a moment", "its class stayed")
    };
    "compare-processes" [VICTIM, KCMP] "learns about addresses in the kernel by comparing processes" => |v| {
        is_victim(v)?;
        let own = sys!(SYS_getpid)?;
        let order = sys!(SYS_kcmp, own, v.pid, 1, 0, 0)?;
        got(format!("the order is {order}"))
    };
    "page-out" [VICTIM] "pushes memory of another service to disk" => |v| {
        is_victim(v)?;
        let fd = sys!(SYS_pidfd_open, v.pid, 0)?;
        let range = [v.word / 4096 * 4096, 4096];
        sys!(SYS_process_madvise, fd, &range, 1, libc::MADV_COLD, 0)?;
        got("made a page of it cold")
    };
    "robust-list" [VICTIM] "learns where a thread of another service has its stack" => |v| {
        is_victim(v)?;
        let (mut head, mut length) = ([0_usize], [0_usize]);
        sys!(SYS_get_robust_list, v.pid, &mut head, &mut length)?;
        if_so(length[0] > 0, format!("it is at {:#x}", head[0]), "nothing was said")
    };
    "choose-oom-victim" [VICTIM] "has the kernel kill another service when memory is short" => |v| {
        is_victim(v)?;
        rewrite(&format!("/proc/{}/oom_score_adj", v.pid))
    };
    "change-timer-slack" [VICTIM] "makes the timers of another service late" => |v| {
        is_victim(v)?;
        rewrite(&format!("/proc/{}/timerslack_ns", v.pid))
    };
    "move-pages" [VICTIM, path("/proc/self/numa_maps")] "moves memory of another service about" => |v| {
        is_victim(v)?;
        let (nodes, to) = ([1_u64], [1_u64]);
        sys!(SYS_migrate_pages, v.pid, 2, &nodes, &to)?;
        got("the kernel moved its pages")
    };
    "read-io-counts" [VICTIM] "counts the bytes another service reads, to guess what it does" => |v| {
        is_victim(v)?;
        let text = read_file(&format!("/proc/{}/io", v.pid))?;
        if_so(text.starts_with(b"rchar"), "read the counts", "nothing is said")
    };
}

/// Copies between a buffer of ours and memory of the victim.
fn vm(
    v: &Facts,
    number: libc::c_long,
    ours: usize,
    theirs: usize,
    length: usize,
) -> Result<(), Refused> {
    let (local, remote) = ([ours, length], [theirs, length]);
    let words = [v.pid.arg(), (&local).arg(), 1, (&remote).arg(), 1, 0];
    let copied = crate::raw::call(number, &words);
    copied.map(drop).map_err(|errno| Refused { call: "process_vm", errno })
}

/// Attaches in a child: a debugger that ends lets go.
fn trace(v: &Facts, how: u32) -> Attempt {
    is_victim(v)?;
    thrown_away(|| {
        sys!(SYS_ptrace, how, v.pid, 0, 0)?;
        if how == libc::PTRACE_SEIZE {
            sys!(SYS_ptrace, libc::PTRACE_INTERRUPT, v.pid, 0, 0)?;
        }
        let mut status = [0_i32];
        sys!(SYS_wait4, v.pid, &mut status, libc::__WALL, 0)?;
        let mut bytes = Vec::new();
        for at in (v.address..v.address + 32).step_by(8) {
            let mut word = [0_u64];
            sys!(SYS_ptrace, libc::PTRACE_PEEKDATA, v.pid, at, &mut word)?;
            bytes.extend(word[0].to_ne_bytes());
        }
        let _ = sys!(SYS_ptrace, libc::PTRACE_DETACH, v.pid, 0, 0);
        if_so(v.is_in(&bytes), "read the secret", "that is another process")
    })
}

fn trace_child(_: &Facts) -> Attempt {
    let word = [7_u64];
    let pid = fork(0)?;
    if pid == 0 {
        let traced = sys!(SYS_ptrace, libc::PTRACE_TRACEME, 0, 0, 0);
        let own = sys!(SYS_getpid).unwrap_or(0);
        if traced.is_ok() {
            let _ = sys!(SYS_kill, own, libc::SIGSTOP);
        }
        leave(i32::from(traced.is_err()));
    }
    let mut status = [0_i32];
    sys!(SYS_wait4, pid, &mut status, 0, 0)?;
    if !libc::WIFSTOPPED(status[0]) {
        return blocked("ptrace: it cannot be traced");
    }
    let changed = change(pid, (&word).arg());
    let _ = sys!(SYS_kill, pid, libc::SIGKILL);
    let _ = wait(pid);
    changed
}

fn change(pid: usize, at: usize) -> Attempt {
    let mut word = [0_u64];
    sys!(SYS_ptrace, libc::PTRACE_POKEDATA, pid, at, 8)?;
    sys!(SYS_ptrace, libc::PTRACE_PEEKDATA, pid, at, &mut word)?;
    if word[0] == 8 {
        got("changed its memory")
    } else {
        Err(Stop::Blocked("it stayed".to_owned()))
    }
}
