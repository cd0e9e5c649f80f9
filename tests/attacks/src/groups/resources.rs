//! Using up what all share, and lifting the limits that are meant to prevent it.
//!
//! Every attack is bounded: it shows that there was no limit below its bound, and gives all back.

use std::fs;

use crate::attack::{Attempt, Stop, blocked, got, if_so};
use crate::needs::{CGROUP2, PROJECTS, VICTIM, path};
use crate::raw::{self, Arg};
use crate::tools::{
    NO_FD, Scratch, c, close, fork, leave, map, open, pause, rewrite, thrown_away, wait, write,
};
use crate::{attacks, sys};

/// Processes of a fork bomb.
const BOMB: usize = 2000;
/// Descriptors of a flood: far above what a program needs.
const DESCRIPTORS: usize = 10_000;
/// Bytes that fill a disk.
const FILL: usize = 100 << 20;
/// Files that use up the inodes.
const FILES: usize = 20_000;
/// Bytes of memory that the kernel may not take back.
const LOCKED: usize = 64 << 20;
/// Groups.
const GROUPS: &str = "/sys/fs/cgroup";

attacks! { Resources:
    "fork-bomb" [] "starts so many processes that nobody else can" => |_| fork_bomb();
    "memory-hog" [] "takes half of the memory of the device" => |_| {
        let mut info = [0_u64; 16];
        sys!(SYS_sysinfo, &mut info)?;
        let half = usize::try_from(info[4] / 2).unwrap_or(0);
        thrown_away(|| take(half, false))
    };
    "lock-memory" [] "takes memory that is never given back" => |_| thrown_away(|| take(LOCKED, true));
    "lock-all-memory" [] "keeps all of its memory from being paged out" => |_| thrown_away(|| {
        let _ = raise(libc::RLIMIT_MEMLOCK, u64::MAX);
        sys!(SYS_mlockall, libc::MCL_CURRENT | libc::MCL_FUTURE)?;
        take(LOCKED, false)
    });
    "descriptor-flood" [] "takes so many descriptors that the system has none" => |_| thrown_away(|| {
        let _ = raise_to_hard(libc::RLIMIT_NOFILE);
        for count in 0..DESCRIPTORS {
            if let Err(e) = sys!(SYS_dup, 0) {
                return blocked(format!("{e} after {count}"));
            }
        }
        got(format!("has {DESCRIPTORS} of them"))
    });
    "large-pipe" [] "makes a pipe larger than anyone may" => |_| {
        let mut pipe = [0_i32; 2];
        sys!(SYS_pipe2, &mut pipe, 0)?;
        let size = sys!(SYS_fcntl, pipe[0], libc::F_SETPIPE_SZ, 4 << 20)?;
        if_so(size >= 4 << 20, "it has 4 MiB", "it is small")
    };
    "fill-tmp" [] "fills /tmp" => |_| fill("/tmp");
    "fill-dev-shm" [] "fills /dev/shm" => |_| fill("/dev/shm");
    "fill-run" [] "fills /run, which the system needs" => |_| fill("/run");
    "fill-state" [path("/var/tmp")] "fills the state of the device" => |_| fill("/var/tmp");
    "fill-own-state" [PROJECTS] "fills the state of the device from its own directory" =>
        |_| fill(&own_state()?);
    "use-up-inodes" [] "makes so many files that nobody can make one" =>
        |_| use_up_inodes(&Scratch::new()?);
    "use-up-own-inodes" [PROJECTS] "does so in its own directory" =>
        |_| use_up_inodes(&Scratch::below(&own_state()?)?);
    "leave-project" [PROJECTS] "takes what it stores out of what counts for it" => |_| leave_project();
    "inotify-of-victim" [VICTIM] "uses up what another user may watch" => |v| thrown_away(|| {
        sys!(SYS_setresuid, v.uid, v.uid, v.uid)?;
        let _ = raise_to_hard(libc::RLIMIT_NOFILE);
        for count in 0..DESCRIPTORS {
            match sys!(SYS_inotify_init1, 0) {
                Err(e) if e.errno.0 == libc::EMFILE && count > 100 => {
                    return got(format!("none is left after {count}"));
                }
                Err(e) => return Err(e.into()),
                Ok(_) => {}
            }
        }
        blocked("there seems to be no end")
    });
    "raise-hard-limit" [] "lifts a limit that was set for it" => |_| thrown_away(|| {
        let mut before = [0_u64; 2];
        sys!(SYS_prlimit64, 0, libc::RLIMIT_NOFILE, 0, &mut before)?;
        let more = before[1].saturating_add(1);
        let new = [before[0], more];
        sys!(SYS_prlimit64, 0, libc::RLIMIT_NOFILE, &new, 0)?;
        let mut now = [0_u64; 2];
        sys!(SYS_prlimit64, 0, libc::RLIMIT_NOFILE, 0, &mut now)?;
        if_so(now[1] == more, format!("may have {more} descriptors"), "the limit stayed")
    });
    "nice" [] "goes before all others" => |_| thrown_away(|| {
        sys!(SYS_setpriority, libc::PRIO_PROCESS, 0, -20)?;
        let now = sys!(SYS_getpriority, libc::PRIO_PROCESS, 0)?;
        if_so(now == 40, "it has nice -20", "its priority stayed")
    });
    "real-time-fifo" [] "runs until it wants to stop" => |_| real_time(libc::SCHED_FIFO);
    "real-time-round-robin" [] "runs before all that is ordinary" => |_| real_time(libc::SCHED_RR);
    "deadline-scheduling" [] "reserves a processor" => |_| thrown_away(|| {
        const DEADLINE: u64 = 6;
        // struct sched_attr: 1 ms of every 100.
        let attributes = [48 | DEADLINE << 32, 0, 0, 1_000_000, 100_000_000, 100_000_000_u64];
        sys!(SYS_sched_setattr, 0, &attributes, 0)?;
        got("has a millisecond of every hundred")
    });
    "real-time-disk" [] "gets the disk before all others" => |_| thrown_away(|| {
        const REAL_TIME: usize = 1 << 13;
        sys!(SYS_ioprio_set, 1, 0, REAL_TIME)?;
        let now = sys!(SYS_ioprio_get, 1, 0)?;
        if_so(now == REAL_TIME, "has the class", "its class stayed")
    });
    "never-killed" [path("/proc/self/oom_score_adj")] "has others killed when memory is short" => |_| {
        thrown_away(|| {
            let file = "/proc/self/oom_score_adj";
            write(open(file, libc::O_WRONLY)?, b"-1000")?;
            let now = fs::read_to_string(file)?;
            if_so(now.trim() == "-1000", "it is -1000", "the score stayed")
        })
    };
    "leave-cgroup" [CGROUP2] "leaves the group that has its limits" => |_| {
        let own = own_group()?;
        let own = if own == "/" { "/system".to_owned() } else { own };
        thrown_away(|| {
            let pid = sys!(SYS_getpid)?.to_string();
            for to in ["/cgroup.procs", "/system/cgroup.procs"] {
                let fd = open(&format!("{GROUPS}{to}"), libc::O_WRONLY);
                if fd.and_then(|fd| write(fd, pid.as_bytes())).is_ok() {
                    let now = own_group()?;
                    return if_so(now != own, format!("it was in {now}"), "it is where it was");
                }
            }
            open(&format!("{GROUPS}/cgroup.procs"), libc::O_WRONLY)?;
            blocked("no other group takes it")
        })
    };
    "lift-group-limit" [CGROUP2] "lifts the limits of its group" => |_| {
        let own = own_group()?;
        rewrite(&format!("{GROUPS}{own}/pids.max"))
    };
    "make-group" [CGROUP2] "makes groups outside of its own" => |_| {
        let place = format!("{GROUPS}/attack");
        fs::create_dir(&place)?;
        let made = fs::exists(format!("{place}/cgroup.procs")).unwrap_or(false);
        fs::remove_dir(&place)?;
        if_so(made, "there was one", "it is no group")
    };
    "freeze-another" [path("/sys/fs/cgroup/services/journal/cgroup.freeze")] "halts another service by its group" =>
        |_| rewrite("/sys/fs/cgroup/services/journal/cgroup.freeze");
    "kill-another-group" [path("/sys/fs/cgroup/services/journal/cgroup.kill")] "kills another service by its group" => |_| {
        // To open it is to have worked; what is written is refused whatever it is, so nobody dies.
        let fd = open("/sys/fs/cgroup/services/journal/cgroup.kill", libc::O_WRONLY)?;
        crate::attack::past_the_guard(write(fd, b"0"), &[libc::ERANGE, libc::EINVAL])
    };
    "long-timers" [] "has so many timers that the kernel is busy" => |_| thrown_away(|| {
        const TIMERS: usize = 1000;
        let _ = raise_to_hard(libc::RLIMIT_SIGPENDING);
        for count in 0..TIMERS {
            let mut id = [0_i32];
            if let Err(e) = sys!(SYS_timer_create, libc::CLOCK_MONOTONIC, 0, &mut id) {
                return blocked(format!("{e} after {count}"));
            }
        }
        got(format!("has {TIMERS} of them"))
    });
}

fn fork_bomb() -> Attempt {
    let _ = raise_to_hard(libc::RLIMIT_NPROC);
    let mut children = Vec::new();
    let mut why = None;
    while children.len() < BOMB && why.is_none() {
        match fork(0) {
            Ok(0) => {
                pause(600_000);
                leave(0);
            }
            Ok(pid) => children.push(pid),
            Err(e) => why = Some(e),
        }
    }
    for pid in &children {
        let _ = sys!(SYS_kill, *pid, libc::SIGKILL);
    }
    for pid in &children {
        let _ = wait(*pid);
    }
    match why {
        None => got(format!("{BOMB} processes at once")),
        Some(e) => blocked(format!("{e} after {}", children.len())),
    }
}

/// Takes memory page by page, so that it is really there.
fn take(length: usize, lock: bool) -> Attempt {
    const STEP: usize = 1 << 20;
    if lock {
        let _ = raise(libc::RLIMIT_MEMLOCK, u64::MAX);
    }
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    for taken in (0..length).step_by(STEP) {
        let at = match map(STEP, libc::PROT_READ | libc::PROT_WRITE, flags, NO_FD) {
            Ok(at) => at,
            Err(e) => return blocked(format!("{e} after {} MiB", taken >> 20)),
        };
        for page in (0..STEP).step_by(4096) {
            raw::store(at + page, &[1]);
        }
        if lock {
            sys!(SYS_mlock, at, STEP)?;
        }
    }
    got(format!("has {} MiB", length >> 20))
}

/// The directory of what is its own.
fn own_state() -> Result<String, Stop> {
    let none = || Stop::Absent("it has no directory of its own ($STATE_DIRECTORY)".to_owned());
    std::env::var("STATE_DIRECTORY").map_err(|_| none())
}

fn use_up_inodes(scratch: &Scratch) -> Attempt {
    // Words of `struct statfs`: files there can be, and can still be.
    let [all, free, _] = space(&scratch.0, [5, 6, 0]);
    let most = u64::try_from(FILES).unwrap_or(0);
    if all >= most && free < 2 * most {
        return Err(Stop::Absent("too few files can be made to try it without harm".to_owned()));
    }
    for count in 0..FILES {
        let name = c(&scratch.file(&count.to_string()));
        match sys!(SYS_mknodat, libc::AT_FDCWD, &name, libc::S_IFREG | 0o600, 0) {
            Ok(_) => {}
            Err(e) => return blocked(format!("{e} after {count}")),
        }
    }
    got(format!("made {FILES} files"))
}

/// Who owns a directory may say whose storage it counts for, if nothing keeps it from that.
fn leave_project() -> Attempt {
    const GET_ATTRIBUTES: u64 = 0x801C_581F;
    const SET_ATTRIBUTES: u64 = 0x401C_5820;
    const PROJECT: usize = 3;
    let place = own_state().unwrap_or_else(|_| "/var/tmp".to_owned());
    let scratch = Scratch::below(&place).or_else(|_| Scratch::new())?;
    let fd = open(&scratch.0, libc::O_RDONLY)?;
    // struct fsxattr: flags, extents, project.
    let mut attributes = [0_u32; 7];
    sys!(SYS_ioctl, fd, GET_ATTRIBUTES, &mut attributes)?;
    attributes[PROJECT] += 4242;
    sys!(SYS_ioctl, fd, SET_ATTRIBUTES, &attributes)?;
    let mut now = [0_u32; 7];
    sys!(SYS_ioctl, fd, GET_ATTRIBUTES, &mut now)?;
    if_so(now == attributes, "it counts for another", "it counts as before")
}

/// Fills what is there for files, unless it would be all that the others have left.
fn fill(place: &str) -> Attempt {
    let scratch = Scratch::below(place)?;
    let [blocks, free, size] = space(place, [2, 3, 1]);
    let bytes = |blocks: u64| usize::try_from(blocks.saturating_mul(size)).unwrap_or(usize::MAX);
    if bytes(blocks) >= FILL && bytes(free) < 2 * FILL {
        return Err(Stop::Absent(format!("too little is free in {place} to try it without harm")));
    }
    let flags = libc::O_CREAT | libc::O_RDWR;
    let fd = open(&scratch.file("large"), flags)?;
    let filled = sys!(SYS_fallocate, fd, 0, 0, FILL);
    close(fd);
    let blocks = fs::metadata(scratch.file("large"))
        .map_or(0, |m| std::os::unix::fs::MetadataExt::blocks(&m));
    filled?;
    let size = usize::try_from(blocks).unwrap_or(0) * 512;
    if_so(size >= FILL, format!("took {} MiB", size >> 20), "it takes less")
}

/// Words of `struct statfs`: all zero where nobody says.
fn space(place: &str, words: [usize; 3]) -> [u64; 3] {
    let mut state = [0_u64; 16];
    let _ = sys!(SYS_statfs, &c(place), &mut state);
    words.map(|at| state.get(at).copied().unwrap_or(0))
}

fn real_time(class: i32) -> Attempt {
    thrown_away(|| {
        sys!(SYS_sched_setscheduler, 0, class, &[1_i32])?;
        let now = sys!(SYS_sched_getscheduler, 0)?;
        if_so(now == class.arg(), "it has the class", "its class stayed")
    })
}

fn raise(limit: u32, to: u64) -> Result<usize, crate::attack::Refused> {
    sys!(SYS_prlimit64, 0, limit, &[to, to], 0)
}

/// Takes as much as it may without a capability.
pub(super) fn raise_to_hard(limit: u32) -> Result<usize, crate::attack::Refused> {
    let mut now = [0_u64; 2];
    sys!(SYS_prlimit64, 0, limit, 0, &mut now)?;
    sys!(SYS_prlimit64, 0, limit, &[now[1], now[1]], 0)
}

/// The group of this process.
fn own_group() -> Result<String, Stop> {
    let text = fs::read_to_string("/proc/self/cgroup")?;
    let own = text.lines().find_map(|l| l.strip_prefix("0::"));
    own.map_or_else(|| blocked("its group is hidden"), |g| Ok(g.to_owned()))
}
