//! What the child does between clone and exec, in our memory and on its own stack.
//!
//! It only makes system calls: it takes no lock, allocates nothing and changes nothing of ours except
//! its state and the digits of `LISTEN_PID` and its like. Ids are set by the bare calls, because the C
//! library's would change those of every thread of the parent too. After the filter of system calls
//! nothing comes but the exec.

#![expect(unsafe_code, reason = "between clone and exec there are only system calls")]

use std::ffi::c_long;
use std::ptr;

use nix::errno::Errno;

use super::ahead::{self, NEW_MOUNTS};
use super::bare::{self, Fd};
use super::mounts::Found;
use super::{Ids, Launch, Resource, Shared, Step, clone, confined, landlock, mounts, step_code};
use crate::confine::Confine;

/// First descriptor after standard input, output and error.
const FIRST: usize = 3;

/// Room for descriptor numbers on the child's stack.
const ROOM: usize = FIRST + super::MAX_FDS + ahead::MAX;

/// Highest capability number that any kernel may know.
const LAST_CAPABILITY: u64 = 63;

/// `_LINUX_CAPABILITY_VERSION_3`.
const CAPABILITY_VERSION: u32 = 0x2008_0522;

pub(super) type Failed = (Step, i32);

/// Runs each step, then the program.
pub(super) extern "C" fn main(shared: &Shared<'_>) -> ! {
    let Err((step, errno)) = prepare(shared);
    shared.state.fail(step_code(step), errno);
    bare::end()
}

enum Never {}

fn prepare(shared: &Shared<'_>) -> Result<Never, Failed> {
    let launch = shared.launch;
    signals()?;
    // SAFETY: no arguments.
    done(Step::Session, unsafe { libc::syscall(libc::SYS_setsid) })?;
    descriptors(shared)?;
    if launch.terminal {
        // SAFETY: integers only. Without a terminal (EPERM, ENOTTY) there is no job control, and
        // the program says so itself.
        let _no_job_control = unsafe { libc::syscall(libc::SYS_ioctl, 0, libc::TIOCSCTTY, 1) };
    }
    oom_score(launch)?;
    bare::usual_modes();
    let confine = shared.confine;
    let found = confine.map_or(Ok(None), |confine| surroundings(confine, shared))?;
    // SAFETY: a C string that outlives the call.
    done(Step::Directory, unsafe { libc::syscall(libc::SYS_chdir, launch.directory.as_ptr()) })?;
    limits(launch)?;
    let ruleset = confine.map_or(Ok(None), |confine| ruleset(confine, found.as_ref(), shared))?;
    identity(launch, confine.is_some_and(|confine| !confine.filter.is_empty()))?;
    if launch.no_new_privileges {
        done(Step::NoNewPrivileges, prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0))?;
    }
    if shared.passed > FIRST || launch.watchdog || launch.starter {
        own_pids(shared);
    }
    confine.map_or(Ok(()), |confine| close(confine, ruleset.as_ref()))?;
    let (program, arguments) = (launch.program.as_ptr(), shared.arguments);
    // SAFETY: a C string and two null-terminated lists of C strings that outlive the call.
    let executed =
        unsafe { libc::syscall(libc::SYS_execve, program, arguments, shared.environment) };
    done(Step::Exec, executed)?;
    Err((Step::Exec, libc::EINVAL))
}

/// What it finds around itself: made here, or ahead. Gives the trees that it added to what was made.
fn surroundings(confine: &Confine, shared: &Shared<'_>) -> Result<Option<Found>, Failed> {
    if confine.namespaces & clone::NEW_CGROUP != 0 {
        step(Step::Namespaces, confined::own_cgroups())?;
    }
    let entered = shared.ready.flags();
    let own = shared.ready.own();
    // From inside there is no way to them.
    let found = own.map(|own| mounts::find(&confine.mounts, own, &shared.state.at)).transpose();
    let found = step(Step::Mount, found)?;
    for (kind, fd) in shared.ready.kinds().zip(kept(shared)) {
        step(Step::Namespaces, confined::enter(fd, kind))?;
    }
    if confine.namespaces & !entered & clone::NEW_NETWORK != 0 {
        step(Step::Loopback, confined::loopback())?;
    }
    if entered & NEW_MOUNTS == 0 {
        step(Step::Mount, mounts::apply(&confine.mounts, &shared.state.at))?;
    } else if let Some((own, found)) = own.zip(found.as_ref()) {
        let added = mounts::add(&confine.mounts, own, found, &shared.state.at);
        step(Step::Mount, added)?;
    }
    if confine.keyring {
        step(Step::Keyring, confined::own_keyring())?;
    }
    Ok(found)
}

/// Numbers of what was made ahead.
fn kept(shared: &Shared<'_>) -> impl Iterator<Item = i32> {
    let number = |at| i32::try_from(at).unwrap_or(i32::MAX);
    (shared.passed..shared.fds.len()).map(number)
}

fn ruleset(
    confine: &Confine,
    found: Option<&Found>,
    shared: &Shared<'_>,
) -> Result<Option<Fd>, Failed> {
    let Some(ruleset) = &confine.ruleset else { return Ok(None) };
    let made = if shared.ready.has_ruleset() { kept(shared).last() } else { None };
    let Some(made) = made.map(Fd::passed) else {
        return step(Step::Ruleset, landlock::make(ruleset, &shared.state.at)).map(Some);
    };
    if let Some(own) = shared.ready.own() {
        let known = |path: &_| mounts::tree_at(&confine.mounts, own, found?, path);
        let rules = own.rules.as_deref().unwrap_or_default();
        let added = landlock::add_all(&made, ruleset, rules, known, &shared.state.at);
        step(Step::Ruleset, added)?;
    }
    Ok(Some(made))
}

/// Closes the door: nothing that comes after may need what is refused from here on.
fn close(confine: &Confine, ruleset: Option<&Fd>) -> Result<(), Failed> {
    if confine.no_write_execute {
        step(Step::WriteExecute, confined::no_write_execute())?;
    }
    if let Some(ruleset) = ruleset {
        step(Step::Landlock, landlock::restrict(ruleset))?;
    }
    if !confine.filter.is_empty() {
        step(Step::Filter, confined::filter(&confine.filter))?;
    }
    Ok(())
}

pub(super) fn step<T>(step: Step, result: Result<T, i32>) -> Result<T, Failed> {
    result.map_err(|errno| (step, errno))
}

/// Nothing blocked, and `SIGPIPE` as usual: the Rust runtime ignores it, and the clone leaves
/// ignored signals ignored.
fn signals() -> Result<(), Failed> {
    let default = [0_u64; 4];
    let none = ptr::null::<u64>();
    // SAFETY: the kernel reads one sigaction of 32 bytes that outlives the call.
    let set = unsafe {
        libc::syscall(libc::SYS_rt_sigaction, libc::SIGPIPE, default.as_ptr(), none, MASK)
    };
    done(Step::Signals, set)?;
    // SAFETY: the kernel reads a mask of 8 bytes that outlives the call.
    let unblocked = unsafe {
        libc::syscall(libc::SYS_rt_sigprocmask, libc::SIG_SETMASK, default.as_ptr(), none, MASK)
    };
    done(Step::Signals, unblocked)
}

/// Puts `shared.fds` at 0, 1, 2, … and closes all others; those that are not passed to the program close
/// when it is executed.
fn descriptors(shared: &Shared<'_>) -> Result<(), Failed> {
    // So far these are our parent's: a copy, without those above what is passed.
    let above =
        shared.fds.iter().fold(0, |above, fd| c_long::from(*fd).saturating_add(1).max(above));
    // SAFETY: integers only.
    done(Step::Descriptors, unsafe {
        let unshare = libc::CLOSE_RANGE_UNSHARE;
        libc::syscall(libc::SYS_close_range, above, c_long::from(u32::MAX), unshare)
    })?;
    let count = shared.fds.len();
    let end = c_long::try_from(count).unwrap_or(c_long::MAX);
    let mut sources = [-1; ROOM];
    for (to, from) in sources.iter_mut().zip(shared.fds) {
        *to = c_long::from(*from);
        if *to < end {
            // Out of the way of the places to be filled.
            // SAFETY: integers only.
            *to = unsafe { libc::syscall(libc::SYS_fcntl, *from, libc::F_DUPFD, end) };
            done(Step::Descriptors, *to)?;
        }
    }
    let passed = c_long::try_from(shared.passed).unwrap_or(c_long::MAX);
    for (place, source) in (0..end).zip(sources) {
        let flags = if place < passed { 0 } else { libc::O_CLOEXEC };
        // SAFETY: integers only; the descriptors of this process are its own.
        done(Step::Descriptors, unsafe { libc::syscall(libc::SYS_dup3, source, place, flags) })?;
    }
    // SAFETY: integers only.
    done(Step::Descriptors, unsafe {
        libc::syscall(libc::SYS_close_range, end, c_long::from(u32::MAX), 0)
    })
}

fn oom_score(launch: &Launch) -> Result<(), Failed> {
    let Some(score) = &launch.oom_score else { return Ok(()) };
    let path = c"/proc/self/oom_score_adj".as_ptr();
    let flags = libc::O_WRONLY | libc::O_CLOEXEC;
    // SAFETY: a C string that outlives the call.
    let file = unsafe { libc::syscall(libc::SYS_openat, libc::AT_FDCWD, path, flags) };
    done(Step::OomScore, file)?;
    let bytes = score.as_bytes();
    // SAFETY: the pointer and the length are those of one slice.
    let wrote = unsafe { libc::syscall(libc::SYS_write, file, bytes.as_ptr(), bytes.len()) };
    done(Step::OomScore, wrote)?;
    // SAFETY: integers only; it is ours.
    unsafe { libc::syscall(libc::SYS_close, file) };
    Ok(())
}

fn limits(launch: &Launch) -> Result<(), Failed> {
    for limit in &launch.limits {
        let what = match limit.what {
            Resource::OpenFiles => libc::RLIMIT_NOFILE,
            Resource::Core => libc::RLIMIT_CORE,
            Resource::PendingSignals => libc::RLIMIT_SIGPENDING,
            Resource::LockedMemory => libc::RLIMIT_MEMLOCK,
            Resource::FileSize => libc::RLIMIT_FSIZE,
            Resource::Stack => libc::RLIMIT_STACK,
        };
        let values = [limit.soft, limit.hard];
        let none = ptr::null::<u64>();
        // SAFETY: the kernel reads two words that outlive the call.
        let set = unsafe { libc::syscall(libc::SYS_prlimit64, 0, what, values.as_ptr(), none) };
        done(Step::Limits, set)?;
    }
    Ok(())
}

/// `CAP_BPF`, as a bit.
const BPF: u64 = 1 << 39;

/// Capabilities, groups and user, in the order in which each is still allowed. `filters`: a filter is to come, of
/// ours: who may not bring any program has it scrambled by the kernel, which takes three times as long as the filter
/// itself. So we may until the program is executed, which gets nothing of that: it is neither in what is inherited
/// nor in what is ambient, nor in the bounding set.
fn identity(launch: &Launch, filters: bool) -> Result<(), Failed> {
    let keep = launch.capabilities;
    let until_executed = if filters { BPF } else { 0 };
    if let Some(keep) = keep {
        for capability in (0..=LAST_CAPABILITY).filter(|c| keep & (1 << c) == 0) {
            match done(Step::Capabilities, prctl(libc::PR_CAPBSET_DROP, capability, 0)) {
                // The kernel knows no more of them.
                Err((_, libc::EINVAL)) => break,
                other => other?,
            }
        }
    }
    if let Some(ids) = &launch.ids {
        if keep.is_some_and(|keep| keep | until_executed != 0) {
            done(Step::Capabilities, prctl(libc::PR_SET_KEEPCAPS, 1, 0))?;
        }
        become_user(ids)?;
    }
    let Some(keep) = keep else { return Ok(()) };
    let inherited = if launch.ids.is_some() { keep } else { 0 };
    match capset(keep | until_executed, inherited) {
        // We do not have it ourselves, in most containers.
        Err((_, libc::EPERM)) if until_executed != 0 => capset(keep, inherited)?,
        other => other?,
    }
    if launch.ids.is_some() {
        for capability in (0..=LAST_CAPABILITY).filter(|c| keep & (1 << c) != 0) {
            let raised = prctl(libc::PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability);
            done(Step::Capabilities, raised)?;
        }
    }
    Ok(())
}

/// Bytes of a signal mask in the kernel.
const MASK: usize = 8;

/// `PR_CAP_AMBIENT_RAISE` as the kernel takes it.
const PR_CAP_AMBIENT_RAISE: u64 = 2;

fn become_user(ids: &Ids) -> Result<(), Failed> {
    let (count, groups) = (ids.groups.len(), ids.groups.as_ptr());
    // SAFETY: the pointer and the length are those of one slice.
    done(Step::Groups, unsafe { libc::syscall(libc::SYS_setgroups, count, groups) })?;
    // SAFETY: integers only.
    done(Step::Groups, unsafe { libc::syscall(libc::SYS_setresgid, ids.gid, ids.gid, ids.gid) })?;
    // SAFETY: integers only.
    done(Step::User, unsafe { libc::syscall(libc::SYS_setresuid, ids.uid, ids.uid, ids.uid) })
}

/// What is permitted and in effect, and what a program that is executed may inherit.
fn capset(keep: u64, inherited: u64) -> Result<(), Failed> {
    let low = |set: u64| u32::try_from(set & u64::from(u32::MAX)).unwrap_or(0);
    let high = |set: u64| low(set >> 32);
    let header = [CAPABILITY_VERSION, 0];
    let data = [low(keep), low(keep), low(inherited), high(keep), high(keep), high(inherited)];
    // SAFETY: the kernel reads a header of 8 bytes and data of 24 that outlive the call.
    let set = unsafe { libc::syscall(libc::SYS_capset, header.as_ptr(), data.as_ptr()) };
    done(Step::Capabilities, set)
}

/// Writes our process id behind `LISTEN_PID=` and its like.
fn own_pids(shared: &Shared<'_>) {
    // SAFETY: no arguments; this call cannot fail.
    let mut pid = unsafe { libc::syscall(libc::SYS_getpid) };
    let mut digits = [0_u8; 10];
    let mut used = 0;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + u8::try_from(pid % 10).unwrap_or(0);
        pid /= 10;
        used += 1;
        if pid == 0 {
            break;
        }
    }
    for own in shared.own_pids {
        // SAFETY: the parent made it for this start, waits for us, and nobody else has it.
        let own = unsafe { &mut *own };
        let room = own.text.iter_mut().skip(own.number_at);
        for (to, from) in room.zip(digits.iter().skip(digits.len() - used)) {
            *to = *from;
        }
    }
}

fn prctl(option: i32, a: u64, b: u64) -> c_long {
    // SAFETY: integers only, with the options used here.
    unsafe { libc::syscall(libc::SYS_prctl, option, a, b, 0_u64, 0_u64) }
}

/// The result of a bare call: the C library leaves the errno of this thread, which is our own
/// while the parent waits.
fn done(step: Step, result: c_long) -> Result<(), Failed> {
    if result != -1 {
        return Ok(());
    }
    Err((step, Errno::last_raw()))
}
