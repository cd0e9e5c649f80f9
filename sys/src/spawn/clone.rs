//! `clone3` into our own memory, or a copy of it, on another stack, while we wait.

#![expect(unsafe_code, reason = "a child on its own stack cannot return through the C library")]

use std::arch::asm;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::sync::atomic::AtomicI32;

use nix::errno::Errno;
use nix::sys::signal::{SigSet, SigmaskHow, sigprocmask};

/// Bytes of the child's stack: it calls a few functions deep and allocates nothing.
const STACK: usize = 64 * 1024;

/// `CLONE_CLEAR_SIGHAND`, which libc types too narrowly.
const CLEAR_SIGHAND: u64 = 0x1_0000_0000;

/// `CLONE_INTO_CGROUP`, likewise.
const INTO_CGROUP: u64 = 0x2_0000_0000;

/// `CLONE_NEWCGROUP`: the child makes it, because a clone takes our group as the root.
pub(super) const NEW_CGROUP: u64 = 0x0200_0000;

/// `CLONE_NEWNET`.
pub(super) const NEW_NETWORK: u64 = 0x4000_0000;

/// What the child is made of.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Origin<'a> {
    /// The group it begins in.
    pub(super) cgroup: Option<BorrowedFd<'a>>,
    /// `CLONE_NEW…`.
    pub(super) namespaces: u64,
    /// It has a copy of our memory instead of ours.
    pub(super) copy: bool,
    /// Where the kernel writes its id before it runs.
    pub(super) note: Option<&'a AtomicI32>,
    /// It is a child of ours that leaves us its descriptors, not one of our parent's. That one has ours
    /// too until it takes a copy of those it needs: we may have a thousand.
    pub(super) helper: bool,
}

/// What the child runs; it must not return.
pub(super) type Main<S> = extern "C" fn(&S) -> !;

#[repr(C, align(16))]
struct Block([u8; 16]);

/// Makes a child of our parent that runs `main(shared)` in our memory, and waits until it has
/// executed a program or ended. Gives its process id, or the errno.
pub(super) fn beside<S>(origin: Origin<'_>, main: Main<S>, shared: &S) -> Result<i32, i32> {
    let mut stack: Vec<Block> = Vec::with_capacity(STACK / size_of::<Block>());
    let flag = |f: i32| u64::try_from(f).unwrap_or(0);
    let whose = if origin.helper { 0 } else { libc::CLONE_PARENT };
    let mut arguments = libc::clone_args {
        flags: flag(whose)
            | flag(libc::CLONE_FILES)
            | flag(libc::CLONE_VFORK)
            | CLEAR_SIGHAND
            | origin.namespaces & !NEW_CGROUP,
        pidfd: 0,
        child_tid: 0,
        parent_tid: 0,
        exit_signal: 0,
        stack: address(stack.as_mut_ptr()),
        stack_size: u64::try_from(STACK).unwrap_or(0),
        tls: 0,
        set_tid: 0,
        set_tid_size: 0,
        cgroup: 0,
    };
    if !origin.copy {
        arguments.flags |= flag(libc::CLONE_VM);
    }
    if let Some(cgroup) = origin.cgroup {
        arguments.flags |= INTO_CGROUP;
        arguments.cgroup = u64::try_from(cgroup.as_raw_fd()).unwrap_or(0);
    }
    if let Some(note) = origin.note {
        arguments.flags |= flag(libc::CLONE_PARENT_SETTID);
        arguments.parent_tid = address(note.as_ptr());
    }
    // The child's calls leave theirs.
    let errno = Errno::last();
    // No handler of ours may run in the child, and no signal may end it before the exec.
    let mut before = SigSet::empty();
    // Neither call can fail: the arguments are constant.
    let _never = sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::all()), Some(&mut before));
    // SAFETY: the arguments describe a stack that lives until after the call, because CLONE_VFORK
    // keeps us here until the child no longer uses our memory; `main` never returns.
    let result = unsafe { clone3(&arguments, main, shared) };
    let _never = sigprocmask(SigmaskHow::SIG_SETMASK, Some(&before), None);
    errno.set();
    match i32::try_from(result) {
        Ok(pid) if pid > 0 => Ok(pid),
        Ok(errno) => Err(-errno),
        Err(_) => Err(libc::EOVERFLOW),
    }
}

#[expect(clippy::as_conversions, reason = "the kernel takes the address as a number")]
fn address<T>(of: *mut T) -> u64 {
    of as u64
}

/// # Safety
/// `arguments` must name a stack no one else uses, and `main` must not return.
#[cfg(target_arch = "x86_64")]
unsafe fn clone3<S>(arguments: &libc::clone_args, main: Main<S>, shared: &S) -> i64 {
    let mut result: i64 = libc::SYS_clone3;
    // SAFETY: the kernel changes only rax, rcx and r11; the child begins with an aligned empty
    // stack, takes the function and its argument from registers, and never comes back.
    unsafe {
        asm!(
            "syscall",
            "test rax, rax",
            "jnz 2f",
            "xor ebp, ebp",
            "mov rdi, r9",
            "call r8",
            "ud2",
            "2:",
            inout("rax") result,
            in("rdi") arguments,
            in("rsi") size_of::<libc::clone_args>(),
            in("r8") main,
            in("r9") shared,
            lateout("rcx") _,
            lateout("r11") _,
        );
    }
    result
}

/// # Safety
/// `arguments` must name a stack no one else uses, and `main` must not return.
#[cfg(target_arch = "aarch64")]
unsafe fn clone3<S>(arguments: &libc::clone_args, main: Main<S>, shared: &S) -> i64 {
    let mut result: i64;
    // SAFETY: the kernel changes only x0; the child begins with an aligned empty stack, takes the
    // function and its argument from registers, and never comes back.
    unsafe {
        asm!(
            "svc 0",
            "cbnz x0, 2f",
            "mov x29, xzr",
            "mov x30, xzr",
            "mov x0, x3",
            "blr x2",
            "brk 1",
            "2:",
            inlateout("x0") arguments => result,
            in("x1") size_of::<libc::clone_args>(),
            in("x2") main,
            in("x3") shared,
            in("x8") libc::SYS_clone3,
        );
    }
    result
}
