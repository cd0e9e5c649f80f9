//! The kernel itself: code in it, its settings, its clock, its end, what it tells.

use std::fs;

use crate::attack::{Attempt, blocked, got, if_so, past_the_guard};
use crate::groups::resources::raise_to_hard;
use crate::needs::{ACCT, CORE_FILES, KEXEC, MODULES, NO_LOCKDOWN, QUOTA, SWAP, VICTIM, path};
use crate::raw::Arg;
use crate::tools::{Scratch, c, fork, leave, open, read_file, rewrite, wait, write};
use crate::{attacks, sys};

attacks! { Kernel:
    "load-module" [MODULES] "loads code into the kernel" => |_| {
        let nothing = [0_u8; 64];
        past_the_guard(sys!(SYS_init_module, &nothing, 64, c""), &[libc::ENOEXEC])
    };
    "load-module-file" [MODULES] "loads code into the kernel from a file" => |_| {
        let scratch = Scratch::new()?;
        let file = scratch.file("module.ko");
        fs::write(&file, [0_u8; 64])?;
        let fd = open(&file, libc::O_RDONLY)?;
        past_the_guard(sys!(SYS_finit_module, fd, c"", 0), &[libc::ENOEXEC])
    };
    "unload-module" [MODULES] "takes code out of the kernel" => |_| {
        past_the_guard(sys!(SYS_delete_module, c"no_such_module", libc::O_NONBLOCK), &[libc::ENOENT])
    };
    "list-modules" [MODULES] "learns which code is in the kernel" => |_| {
        let text = read_file("/proc/modules")?;
        if_so(!text.is_empty(), "read the list", "the list is empty")
    };
    "kexec" [KEXEC, NO_LOCKDOWN] "has another kernel start at the next reboot" => |_| {
        sys!(SYS_kexec_load, 0, 0, 0, 0)?; // no segments: what was loaded is unloaded
        got("loaded (nothing)")
    };
    "kexec-file" [KEXEC] "has a kernel from a file start at the next reboot" => |_| {
        const UNLOAD: i32 = 1;
        sys!(SYS_kexec_file_load, -1, -1, 0, 0, UNLOAD)?;
        got("unloaded (nothing)")
    };
    "reboot" [] "decides what Ctrl-Alt-Del does" => |_| {
        const MAGIC: i64 = 0xfee1_dead;
        const MAGIC_2: i64 = 672_274_793;
        const CAD_ON: i64 = 0x89ab_cdef;
        let was = fs::read_to_string("/proc/sys/kernel/ctrl-alt-del").unwrap_or_default();
        // As the device has it: off, so that PID 1 hears of it.
        let keep = if was.trim() == "1" { CAD_ON } else { 0 };
        sys!(SYS_reboot, MAGIC, MAGIC_2, keep, 0)?;
        got("set it (the same)")
    };
    "set-clock" [] "sets the clock" => |_| {
        let mut now = [0_i64; 2];
        sys!(SYS_clock_gettime, libc::CLOCK_REALTIME, &mut now)?;
        sys!(SYS_clock_settime, libc::CLOCK_REALTIME, &now)?;
        got("set it (to now)")
    };
    "set-time-of-day" [] "sets the clock by the older call" => |_| {
        let mut now = [0_i64; 2];
        sys!(SYS_clock_gettime, libc::CLOCK_REALTIME, &mut now)?;
        now[1] /= 1000;
        sys!(SYS_settimeofday, &now, 0)?;
        got("set it (to now)")
    };
    "adjust-clock" [] "makes the clock go wrong slowly" => |_| {
        const TICK: u32 = 0x4000;
        let mut timex = [0_u64; 26];
        sys!(SYS_adjtimex, &mut timex)?;
        timex[0] = u64::from(TICK);
        sys!(SYS_adjtimex, &timex)?;
        got("set its tick (the same)")
    };
    "adjust-clock-by-number" [] "makes the clock go wrong by clock_adjtime" => |_| {
        const TICK: u32 = 0x4000;
        let mut timex = [0_u64; 26];
        sys!(SYS_clock_adjtime, libc::CLOCK_REALTIME, &mut timex)?;
        timex[0] = u64::from(TICK);
        sys!(SYS_clock_adjtime, libc::CLOCK_REALTIME, &timex)?;
        got("set its tick (the same)")
    };
    "set-host-name" [] "names the device" => |_| named(libc::SYS_sethostname, 65);
    "set-domain-name" [] "names the domain of the device" => |_| named(libc::SYS_setdomainname, 325);
    "swap" [SWAP] "has the kernel write memory into a file" => |_| swap();
    "accounting" [ACCT] "hears of every program that runs" => |_| accounting();
    "quota" [QUOTA, VICTIM] "changes how much another user may store" => |v| {
        const GET_QUOTA: i32 = 0x80_0007;
        let fd = open(&v.dir, libc::O_RDONLY)?;
        let mut quota = [0_u64; 16];
        let answer = sys!(SYS_quotactl_fd, fd, GET_QUOTA << 8, 1, &mut quota);
        past_the_guard(answer, &[libc::ESRCH])
    };
    "core-pattern" [path("/proc/sys/kernel/core_pattern")] "has the kernel start a program of its own as root" =>
        |_| rewrite("/proc/sys/kernel/core_pattern");
    "modprobe-path" [path("/proc/sys/kernel/modprobe")] "has the kernel load modules by a program of its own" =>
        |_| rewrite("/proc/sys/kernel/modprobe");
    "sysctl-sysrq" [path("/proc/sys/kernel/sysrq")] "allows all magic keys" =>
        |_| rewrite("/proc/sys/kernel/sysrq");
    "sysctl-ptrace" [path("/proc/sys/kernel/yama/ptrace_scope")] "lets all programs debug each other" =>
        |_| rewrite("/proc/sys/kernel/yama/ptrace_scope");
    "sysctl-randomization" [path("/proc/sys/kernel/randomize_va_space")] "has all programs lie at known addresses" =>
        |_| rewrite("/proc/sys/kernel/randomize_va_space");
    "sysctl-kernel-pointers" [path("/proc/sys/kernel/kptr_restrict")] "has the kernel tell its addresses" =>
        |_| rewrite("/proc/sys/kernel/kptr_restrict");
    "sysctl-forwarding" [path("/proc/sys/net/ipv4/ip_forward")] "makes the device a router" =>
        |_| rewrite("/proc/sys/net/ipv4/ip_forward");
    "sysctl-overcommit" [path("/proc/sys/vm/overcommit_memory")] "changes who gets memory" =>
        |_| rewrite("/proc/sys/vm/overcommit_memory");
    "sysctl-links" [path("/proc/sys/fs/protected_symlinks")] "takes the guard off links in /tmp" =>
        |_| rewrite("/proc/sys/fs/protected_symlinks");
    "drop-caches" [path("/proc/sys/vm/drop_caches")] "makes everybody read from disk again" => |_| {
        write(open("/proc/sys/vm/drop_caches", libc::O_WRONLY)?, b"1")?;
        got("dropped them")
    };
    "sysrq" [path("/proc/sysrq-trigger")] "presses magic keys" => |_| {
        write(open("/proc/sysrq-trigger", libc::O_WRONLY)?, b"h")?;
        got("pressed h, for help")
    };
    "register-format" [path("/proc/sys/fs/binfmt_misc/register")] "has programs of others run by one of its own" => |_| {
        let fd = open("/proc/sys/fs/binfmt_misc/register", libc::O_WRONLY)?;
        past_the_guard(write(fd, b"x"), &[libc::EINVAL])
    };
    "read-log-of-kernel" [] "reads what the kernel says, with its addresses" => |_| {
        const READ_ALL: i32 = 3;
        let mut text = [0_u8; 512];
        let length = sys!(SYS_syslog, READ_ALL, &mut text, text.len())?;
        if_so(length > 0, format!("{length} bytes"), "it is empty")
    };
    "set-console-level" [] "hides what the kernel says on the console" => |_| {
        const CONSOLE_LEVEL: i32 = 8;
        let now = fs::read_to_string("/proc/sys/kernel/printk").unwrap_or_default();
        let level: usize = now.split_whitespace().next().and_then(|n| n.parse().ok()).unwrap_or(7);
        sys!(SYS_syslog, CONSOLE_LEVEL, 0, level)?;
        got("set the level (the same)")
    };
    "kernel-addresses" [path("/proc/kallsyms")] "learns where the kernel is" => |_| {
        let text = read_file("/proc/kallsyms")?;
        // Addresses of this processor's own data are small; others are hidden as zeros.
        let high = |l: &str| l.starts_with("ffff");
        let text = String::from_utf8_lossy(&text).into_owned();
        let seen = text.lines().any(high) || symbols();
        if_so(seen, "read addresses", "the addresses are hidden")
    };
    "kernel-memory" [path("/proc/kcore"), NO_LOCKDOWN] "reads the memory of the kernel" => |_| {
        let head = read_file("/proc/kcore")?;
        if_so(head.starts_with(b"\x7fELF"), "read its start", "it is something else")
    };
    "memory-map" [path("/proc/iomem")] "learns where devices and the kernel have memory" => |_| {
        let text = fs::read_to_string("/proc/iomem")?;
        let seen = text.lines().any(|l| !l.trim_start().starts_with("00000000-00000000"));
        if_so(seen, "read addresses", "the addresses are hidden")
    };
    "slab-statistics" [path("/proc/slabinfo")] "measures the kernel, for attacks on its memory" => |_| {
        let text = read_file("/proc/slabinfo")?;
        if_so(!text.is_empty(), "read them", "there are none")
    };
    "kernel-allocations" [path("/proc/vmallocinfo")] "learns what the kernel allocates, and where" => |_| {
        let text = read_file("/proc/vmallocinfo")?;
        if_so(!text.is_empty(), "read them", "there are none")
    };
    "timers-of-all" [path("/proc/timer_list")] "watches the timers of everybody" => |_| {
        let text = read_file("/proc/timer_list")?;
        if_so(!text.is_empty(), "read them", "there are none")
    };
    "firmware-tables" [path("/sys/firmware/dmi/tables/DMI")] "reads serial numbers of the machine" => |_| {
        let bytes = read_file("/sys/firmware/dmi/tables/DMI")?;
        if_so(!bytes.is_empty(), "read them", "there are none")
    };
    "boot-arguments" [path("/proc/cmdline")] "learns how the device was started" => |_| {
        let text = read_file("/proc/cmdline")?;
        if_so(text.len() > 1, "read them", "there are none")
    };
    "core-dump" [CORE_FILES] "has the kernel write a file where it wants" => |_| core_dump();
    "forge-device-event" [path("/sys/class/mem/null/uevent")] "has the kernel tell of a device again" => |_| {
        write(open("/sys/class/mem/null/uevent", libc::O_WRONLY)?, b"change")?;
        got("the kernel told of /dev/null")
    };
    "power-state" [path("/sys/power/pm_async")] "changes how the device sleeps" =>
        |_| rewrite("/sys/power/pm_async");
    "large-pages" [path("/sys/kernel/mm/transparent_hugepage/khugepaged/defrag")] "changes how the kernel manages memory" =>
        |_| rewrite("/sys/kernel/mm/transparent_hugepage/khugepaged/defrag");
    "processor-speed" [path("/sys/devices/system/cpu/cpu0/uevent")] "reaches into the devices of the machine" => |_| {
        write(open("/sys/devices/system/cpu/cpu0/uevent", libc::O_WRONLY)?, b"change")?;
        got("the kernel told of processor 0")
    };
}

/// Sets a name, looks whether it is there, and puts the old one back.
fn named(number: libc::c_long, place: usize) -> Attempt {
    let name = |at: usize| -> Result<Vec<u8>, crate::attack::Refused> {
        let mut all = [0_u8; 390];
        sys!(SYS_uname, &mut all)?;
        Ok(all.iter().skip(at).take_while(|b| **b != 0).copied().collect())
    };
    let set = |name: &[u8]| {
        crate::raw::call(number, &[name.arg(), name.len()])
            .map_err(|errno| crate::attack::Refused { call: "set name", errno })
    };
    let old = name(place)?;
    set(b"attack")?;
    let now = name(place)?;
    set(&old)?;
    if_so(now == b"attack", "it was `attack` for a moment", "the name stayed")
}

/// A file with the mark of swap; only disks have such.
fn swap() -> Attempt {
    let scratch = Scratch::below("/var/tmp").or_else(|_| Scratch::new())?;
    let file = scratch.file("swap");
    let mut bytes = vec![0_u8; 1 << 20];
    let header = [1_u32, 255, 0].map(u32::to_ne_bytes).concat();
    for (at, part) in [(1024, &header[..]), (4086, b"SWAPSPACE2")] {
        if let Some(place) = bytes.get_mut(at..at + part.len()) {
            place.copy_from_slice(part);
        }
    }
    fs::write(&file, bytes)?;
    sys!(SYS_fchmodat, libc::AT_FDCWD, &c(&file), 0o600)?;
    fs::File::open(&file)?.sync_all()?;
    let on = sys!(SYS_swapon, &c(&file), 0);
    let seen = fs::read_to_string("/proc/swaps").is_ok_and(|t| t.contains("swap"));
    let _ = sys!(SYS_swapoff, &c(&file));
    match on {
        Ok(_) if seen => got("the kernel used its file"),
        other => past_the_guard(other, &[libc::EINVAL]),
    }
}

fn accounting() -> Attempt {
    let scratch = Scratch::new()?;
    let file = scratch.file("accounts");
    fs::write(&file, "")?;
    sys!(SYS_acct, &c(&file))?;
    let child = crate::tools::in_child(|| 0);
    sys!(SYS_acct, 0)?;
    child?;
    let size = fs::metadata(&file)?.len();
    if_so(size > 0, "heard of a program's end", "heard of nothing")
}

/// The kernel's own symbols begin late in the list.
fn symbols() -> bool {
    let Ok(text) = fs::read_to_string("/proc/kallsyms") else { return false };
    text.lines().any(|l| l.starts_with("ffff"))
}

fn core_dump() -> Attempt {
    let scratch = Scratch::new()?;
    let pid = fork(0)?;
    if pid == 0 {
        let _ = std::env::set_current_dir(&scratch.0);
        // Past the hard limit is another attack: `raise-hard-limit`.
        let _ = raise_to_hard(libc::RLIMIT_CORE);
        let _ = sys!(SYS_kill, sys!(SYS_getpid).unwrap_or(0), libc::SIGABRT);
        leave(1);
    }
    let (_, dumped) = wait(pid)?;
    if !dumped {
        return blocked("no core was written");
    }
    let there = fs::read_dir(&scratch.0)?.flatten().next().is_some();
    if_so(there, "a core was there", "the core is somewhere else")
}
