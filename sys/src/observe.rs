//! Programs whose system calls are looked at and then made: seccomp's notifications.
//!
//! ```text
//! thread ── filter_thread ──► its programs: a call the filter asks about ── receive ──► looked at ── go_on ──► made
//! ```
//!
//! For learning only. What a call points to may change after it was looked at, so nothing is decided here:
//! every call goes on as it was made. A filter is inherited by all that the thread starts and never goes
//! away; the descriptor hangs up once the last of them has ended. Whoever is asked and answers no more lets
//! every such call fail with `ENOSYS`: end the programs first.

#![expect(unsafe_code, reason = "`nix` has none of these calls")]

use std::io;
use std::mem::size_of;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::ptr;

use nix::errno::Errno;
use nix::sys::signal::{SigSet, SigmaskHow, sigprocmask};

pub use crate::confine::Instruction;

/// `SECCOMP_RET_USER_NOTIF`: what a filter returns to ask.
pub const ASK: u32 = 0x7FC0_0000;

/// `SECCOMP_SET_MODE_FILTER`.
const SET_MODE_FILTER: libc::c_int = 1;

/// `SECCOMP_FILTER_FLAG_NEW_LISTENER`; `…_WAIT_KILLABLE_RECV` (5.19): a signal does not make a call that is
/// being looked at start anew.
const NEW_LISTENER: libc::c_ulong = 1 << 3;
const WAIT_KILLABLE: libc::c_ulong = 1 << 5;

/// `SECCOMP_IOCTL_NOTIF_RECV`, `…_SEND`.
const RECEIVE: u64 = 0xC050_2100;
const SEND: u64 = 0xC018_2101;

/// `SECCOMP_USER_NOTIF_FLAG_CONTINUE`.
const CONTINUE: u32 = 1;

/// `struct seccomp_notif`.
#[repr(C)]
#[derive(Default)]
struct Notification {
    id: u64,
    pid: u32,
    flags: u32,
    number: i32,
    arch: u32,
    instruction: u64,
    arguments: [u64; 6],
}

/// `struct seccomp_notif_resp`.
#[repr(C)]
struct Response {
    id: u64,
    value: i64,
    error: i32,
    flags: u32,
}

const _: () = assert!(size_of::<Notification>() == 80 && size_of::<Response>() == 24);

/// A call that waits for an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    /// What it is answered by.
    pub id: u64,
    /// The thread that makes it; 0 where it is not in our pid namespace.
    pub thread: i32,
    /// `AUDIT_ARCH_…`.
    pub arch: u32,
    /// Number.
    pub number: u32,
    /// Arguments.
    pub arguments: [u64; 6],
}

/// Where calls are told.
#[derive(Debug)]
pub struct Listener(OwnedFd);

/// Puts a filter on this thread and all that it starts from now on. Where the filter returns [`ASK`], the
/// call waits until it was received and answered; by another thread, for this one asks too.
///
/// Without `CAP_SYS_ADMIN` programs gain no privileges from here on (`no_new_privs`).
///
/// # Errors
/// `EBUSY`: somebody looks at our calls already. `EINVAL`: no valid program, or the kernel is older than
/// 5.0. `EACCES`, `ENOMEM`.
pub fn filter_thread(instructions: &[Instruction]) -> io::Result<Listener> {
    let first = install(instructions, NEW_LISTENER | WAIT_KILLABLE);
    let tried = match first {
        Err(Errno::EACCES) => {
            nix::sys::prctl::set_no_new_privs()?;
            install(instructions, NEW_LISTENER | WAIT_KILLABLE)
        }
        other => other,
    };
    match tried {
        Err(Errno::EINVAL) => Ok(install(instructions, NEW_LISTENER)?),
        other => Ok(other?),
    }
}

fn install(instructions: &[Instruction], flags: libc::c_ulong) -> nix::Result<Listener> {
    let program = libc::sock_fprog {
        len: u16::try_from(instructions.len()).map_err(|_| Errno::EINVAL)?,
        filter: instructions.as_ptr().cast::<libc::sock_filter>().cast_mut(),
    };
    let address = ptr::from_ref(&program);
    // SAFETY: the kernel reads a program whose instructions have the layout of `sock_filter` and outlive
    // the call, as many as it says.
    let fd = unsafe { libc::syscall(libc::SYS_seccomp, SET_MODE_FILTER, flags, address) };
    let fd = i32::try_from(Errno::result(fd)?).map_err(|_| Errno::EBADF)?;
    // SAFETY: the kernel just made this descriptor, close-on-exec, and nobody else knows it.
    Ok(Listener(unsafe { OwnedFd::from_raw_fd(fd) }))
}

impl Listener {
    /// The next call; waits for one. None if who made it has ended meanwhile, or a signal came.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn receive(&self) -> io::Result<Option<Asked>> {
        let mut got = Notification::default();
        let address = ptr::from_mut(&mut got);
        // SAFETY: the kernel reads and writes the 80 bytes that the number of the call says.
        let result = unsafe { libc::ioctl(self.0.as_raw_fd(), RECEIVE, address) };
        match Errno::result(result) {
            Err(Errno::ENOENT | Errno::EINTR) => return Ok(None),
            other => other?,
        };
        Ok(Some(Asked {
            id: got.id,
            thread: i32::try_from(got.pid).unwrap_or(0),
            arch: got.arch,
            number: u32::from_ne_bytes(got.number.to_ne_bytes()),
            arguments: got.arguments,
        }))
    }

    /// Lets a call be made. That its maker has ended is fine.
    ///
    /// # Errors
    /// None known.
    pub fn go_on(&self, id: u64) -> io::Result<()> {
        let answer = Response { id, value: 0, error: 0, flags: CONTINUE };
        let address = ptr::from_ref(&answer);
        // SAFETY: the kernel reads the 24 bytes that the number of the call says.
        let result = unsafe { libc::ioctl(self.0.as_raw_fd(), SEND, address) };
        match Errno::result(result) {
            Ok(_) | Err(Errno::ENOENT) => Ok(()),
            Err(e) => Err(e.into()),
        }
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Lets the program of `command` have every signal, whatever this thread blocks.
pub fn unblock_signals(command: &mut Command) {
    let hook = || Ok(sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None)?);
    // SAFETY: the hook only makes the system call rt_sigprocmask, and allocates nothing.
    unsafe { command.pre_exec(hook) };
}

/// What a socket of another process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind {
    /// `AF_…`.
    pub family: i32,
    /// `SOCK_…`.
    pub kind: i32,
    /// `IPPROTO_…`.
    pub protocol: i32,
}

/// What the descriptor `number` of the process `pid` is, if it is a socket.
///
/// # Errors
/// `ESRCH`: it has ended. `EPERM`: we may not look into it. `EBADF`: it has no such descriptor.
/// `ENOTSOCK`.
pub fn socket(pid: i32, number: i32) -> io::Result<Kind> {
    let process = crate::pidfd::open(pid)?;
    // SAFETY: integers only.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_getfd, process.as_raw_fd(), number, 0) };
    let fd = i32::try_from(Errno::result(fd)?).map_err(io::Error::other)?;
    // SAFETY: the kernel just made this descriptor, close-on-exec, and nobody else knows it.
    let fd = unsafe { OwnedFd::from_raw_fd(fd) };
    Ok(Kind {
        family: option(&fd, libc::SO_DOMAIN)?,
        kind: option(&fd, libc::SO_TYPE)?,
        protocol: option(&fd, libc::SO_PROTOCOL)?,
    })
}

fn option(fd: &OwnedFd, name: libc::c_int) -> io::Result<i32> {
    let (mut value, mut length) = (0_i32, 4);
    let place = ptr::from_mut(&mut value).cast();
    let bytes: *mut libc::socklen_t = &raw mut length;
    // SAFETY: the kernel writes at most the four bytes that `length` says.
    let result = unsafe { libc::getsockopt(fd.as_raw_fd(), libc::SOL_SOCKET, name, place, bytes) };
    Errno::result(result)?;
    Ok(value)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::net::{TcpListener, UdpSocket};
    use std::os::unix::fs::FileExt;
    use std::sync::mpsc;
    use std::thread;

    use super::*;

    /// Asks about one call, lets all others be made.
    fn asks(number: libc::c_long) -> Vec<Instruction> {
        let one = |code, yes, no, k| Instruction { code, yes, no, k };
        vec![
            one(0x20, 0, 0, 0),
            one(0x15, 0, 1, u32::try_from(number).unwrap()),
            one(0x06, 0, 0, ASK),
            one(0x06, 0, 0, 0x7FFF_0000),
        ]
    }

    #[test]
    fn every_call_of_a_program_and_its_children_is_told_and_then_made() {
        let (send, listener) = mpsc::channel();
        let program = thread::spawn(move || {
            send.send(filter_thread(&asks(libc::SYS_chdir))).unwrap();
            let script = "cd /tmp && pwd; (cd /proc; pwd)";
            Command::new("/bin/sh").args(["-c", script]).output().unwrap()
        });
        let listener = listener.recv().unwrap().unwrap();
        let mut seen = Vec::new();
        loop {
            let wanted = [(listener.as_fd(), crate::poll::For::Reading)];
            let ready = crate::poll::poll(&wanted, None).unwrap();
            if !ready.iter().any(|ready| ready.read) {
                break;
            }
            let Some(asked) = listener.receive().unwrap() else { continue };
            let memory = fs::File::open(format!("/proc/{}/mem", asked.thread)).unwrap();
            let mut bytes = [0; 4];
            memory.read_exact_at(&mut bytes, asked.arguments[0]).unwrap();
            seen.push(bytes);
            listener.go_on(asked.id).unwrap();
        }
        let output = program.join().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), "/tmp\n/proc\n");
        assert_eq!(seen, [*b"/tmp", *b"/pro"], "it hangs up when all have ended");
    }

    #[test]
    fn a_program_has_the_signals_that_its_starter_blocks() {
        let blocked = thread::spawn(|| {
            SigSet::all().thread_block().unwrap();
            let mut command = Command::new("/bin/grep");
            command.args(["SigBlk", "/proc/self/status"]);
            let inherited = command.output().unwrap().stdout;
            unblock_signals(&mut command);
            (inherited, command.output().unwrap().stdout)
        });
        let (inherited, unblocked) = blocked.join().unwrap();
        assert_ne!(inherited, b"SigBlk:\t0000000000000000\n");
        assert_eq!(unblocked, b"SigBlk:\t0000000000000000\n");
    }

    #[test]
    fn a_socket_of_a_process_is_known_by_its_number() {
        let me = i32::try_from(std::process::id()).unwrap();
        let (tcp, udp) =
            (TcpListener::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
        let kind = socket(me, tcp.as_raw_fd()).unwrap();
        assert_eq!(kind, Kind { family: libc::AF_INET, kind: libc::SOCK_STREAM, protocol: 6 });
        assert_eq!(socket(me, udp.as_raw_fd()).unwrap().protocol, 17);
        let file = fs::File::open("/proc/self/status").unwrap();
        assert_eq!(socket(me, file.as_raw_fd()).unwrap_err().raw_os_error(), Some(libc::ENOTSOCK));
        assert_eq!(socket(me, 99_999).unwrap_err().raw_os_error(), Some(libc::EBADF));
    }
}
