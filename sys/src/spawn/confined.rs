//! The steps of a child that confine it, apart from mounts and Landlock.
//!
//! Runs in a child that shares our memory: see `bare`.

#![expect(unsafe_code, reason = "between clone and exec there are only system calls")]

use std::ffi::{c_int, c_long, c_short};
use std::ptr;

use super::bare::{self, result};
use crate::confine::Instruction;

/// `struct ifreq`: the name, then a union of which we use the flags.
#[repr(C)]
struct Request {
    name: [u8; libc::IFNAMSIZ],
    flags: c_short,
    rest: [u8; 22],
}

/// Brings `lo` up in a network that has nothing else: programs talk to themselves over it.
///
/// `EAFNOSUPPORT`: the kernel has no IPv4, which is fine: then there are no addresses either.
pub(super) fn loopback() -> Result<(), i32> {
    let (family, kind) = (libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC);
    // SAFETY: integers only.
    let socket = match bare::fd(unsafe { libc::syscall(libc::SYS_socket, family, kind, 0) }) {
        Err(libc::EAFNOSUPPORT) => return Ok(()),
        other => other?,
    };
    let mut request = Request { name: [0; libc::IFNAMSIZ], flags: 0, rest: [0; 22] };
    request.name.iter_mut().zip(b"lo").for_each(|(to, from)| *to = *from);
    request.flags = c_short::try_from(libc::IFF_UP | libc::IFF_RUNNING).unwrap_or(0);
    let (number, address) = (socket.number(), ptr::from_ref(&request));
    // SAFETY: an ifreq that outlives the call, whose name ends with 0.
    let up = unsafe { libc::syscall(libc::SYS_ioctl, number, libc::SIOCSIFFLAGS, address) };
    result(up).map(drop)
}

/// The root of the control groups becomes the one it is in. A clone into a group would take ours.
///
/// `EPERM`: not allowed here. `ENOSPC`: too many of them.
pub(super) fn own_cgroups() -> Result<(), i32> {
    // SAFETY: integers only.
    result(unsafe { libc::syscall(libc::SYS_unshare, libc::CLONE_NEWCGROUP) }).map(drop)
}

/// Enters a namespace of this kind (`CLONE_NEW…`); the mounts' root becomes ours.
///
/// `EPERM`: not allowed here.
pub(super) fn enter(namespace: c_int, kind: u64) -> Result<(), i32> {
    // SAFETY: integers only.
    result(unsafe { libc::syscall(libc::SYS_setns, namespace, kind) }).map(drop)
}

/// A session keyring without a name.
///
/// `EPERM`: a filter around us forbids it. `EDQUOT`: too many of them. `ENOSYS`: the kernel has no
/// keyrings, so there is nothing to inherit.
pub(super) fn own_keyring() -> Result<(), i32> {
    let (join, none) = (libc::KEYCTL_JOIN_SESSION_KEYRING, ptr::null::<u8>());
    // SAFETY: integers, and no name.
    match result(unsafe { libc::syscall(libc::SYS_keyctl, join, none) }) {
        Ok(_) | Err(libc::ENOSYS) => Ok(()),
        Err(errno) => Err(errno),
    }
}

/// `PR_MDWE_REFUSE_EXEC_GAIN`.
const REFUSE_EXEC_GAIN: c_long = 1;

/// Memory that was writable never becomes executable. It is a fact of the memory, so this must not be
/// called in a child that shares ours.
///
/// `EINVAL`: the kernel is older than 6.3 or can't do it on this processor.
pub(super) fn no_write_execute() -> Result<(), i32> {
    let none: c_long = 0;
    // SAFETY: integers only.
    result(unsafe {
        libc::syscall(libc::SYS_prctl, libc::PR_SET_MDWE, REFUSE_EXEC_GAIN, none, none, none)
    })
    .map(drop)
}

/// `SECCOMP_SET_MODE_FILTER`.
const SET_MODE_FILTER: c_int = 1;

/// From here on only the calls that the filter allows work. Without flags: what the processor speculates
/// is left to the kernel's own setting, and refusals are not logged, kills are.
///
/// `EACCES`: neither `no_new_privs` nor `CAP_SYS_ADMIN`. `EINVAL`: no valid program, or longer than 4096
/// instructions. `ENOMEM`: too many of them.
pub(super) fn filter(instructions: &[Instruction]) -> Result<(), i32> {
    let program = libc::sock_fprog {
        len: u16::try_from(instructions.len()).map_err(|_| libc::EINVAL)?,
        filter: instructions.as_ptr().cast::<libc::sock_filter>().cast_mut(),
    };
    let address = ptr::from_ref(&program);
    // SAFETY: the kernel reads a program whose instructions have the layout of `sock_filter` and outlive
    // the call, as many as it says.
    result(unsafe { libc::syscall(libc::SYS_seccomp, SET_MODE_FILTER, 0, address) }).map(drop)
}
