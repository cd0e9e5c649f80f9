//! System calls, as the kernel takes them. A result below zero is the number of an error.

#![expect(unsafe_code, reason = "the instruction that enters the kernel")]

use core::arch::asm;
use core::ffi::CStr;

const WRITE: usize = 1;
const POLL: usize = 7;
const CLOSE: usize = 3;
const DUP2: usize = 33;
const SOCKET: usize = 41;
const CONNECT: usize = 42;
const SENDTO: usize = 44;
const RECVFROM: usize = 45;
const EXECVE: usize = 59;
#[cfg(target_feature = "crt-static")]
const EXIT_GROUP: usize = 231;

const AF_UNIX: u16 = 1;
const SOCK_STREAM: usize = 1;
const MSG_PEEK: usize = 2;
const MSG_NOSIGNAL: usize = 0x4000;
const POLLIN: u64 = 1;

/// Bytes of a path in the address of a socket.
const MAX_PATH: usize = 108;

/// A word of what the kernel is given: a number, or where something is.
type Word = usize;

/// # Safety
/// What the words point to must be as the call of this number wants it.
unsafe fn call(number: usize, words: [Word; 6]) -> isize {
    let [a, b, c, d, e, f] = words;
    let result;
    // SAFETY: the kernel's convention for calls on this processor; who calls us vouches for the words.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number => result,
            in("rdi") a, in("rsi") b, in("rdx") c, in("r10") d, in("r8") e, in("r9") f,
            lateout("rcx") _, lateout("r11") _,
            options(nostack),
        );
    }
    result
}

fn number(n: i32) -> Word {
    // The kernel looks at the lower half, and takes the upper one for its sign.
    usize::from_ne_bytes(i64::from(n).to_ne_bytes())
}

fn at<T>(what: *const T) -> Word {
    what.expose_provenance()
}

pub(crate) fn write(fd: i32, bytes: &[u8]) -> isize {
    // SAFETY: so many bytes are there, and only read.
    unsafe { call(WRITE, [number(fd), at(bytes.as_ptr()), bytes.len(), 0, 0, 0]) }
}

pub(crate) fn close(fd: i32) -> isize {
    // SAFETY: nothing is pointed to; who calls us owns the descriptor.
    unsafe { call(CLOSE, [number(fd), 0, 0, 0, 0, 0]) }
}

pub(crate) fn dup2(from: i32, to: i32) -> isize {
    // SAFETY: nothing is pointed to.
    unsafe { call(DUP2, [number(from), number(to), 0, 0, 0, 0]) }
}

/// A stream socket, which a program that is executed gets too.
pub(crate) fn socket() -> isize {
    // SAFETY: nothing is pointed to.
    unsafe { call(SOCKET, [AF_UNIX.into(), SOCK_STREAM, 0, 0, 0, 0]) }
}

/// The address of a socket in the file system.
#[repr(C)]
struct Address {
    family: u16,
    path: [u8; MAX_PATH],
}

/// Connects to the socket at `path`; a path that is too long is none.
pub(crate) fn connect(fd: i32, path: &str) -> isize {
    let mut address = Address { family: AF_UNIX, path: [0; MAX_PATH] };
    if path.len() >= MAX_PATH {
        return -1;
    }
    address.path.iter_mut().zip(path.bytes()).for_each(|(to, from)| *to = from);
    let size = size_of::<Address>();
    // SAFETY: the address lives until the call is over, and has this size.
    unsafe { call(CONNECT, [number(fd), at(&raw const address), size, 0, 0, 0]) }
}

/// Sends, without a signal when nobody is there.
pub(crate) fn send(fd: i32, bytes: &[u8]) -> isize {
    let (from, length) = (at(bytes.as_ptr()), bytes.len());
    // SAFETY: so many bytes are there, and only read.
    unsafe { call(SENDTO, [number(fd), from, length, MSG_NOSIGNAL, 0, 0]) }
}

/// The next byte, which stays to be read.
pub(crate) fn peek(fd: i32) -> Option<u8> {
    let mut byte = 0_u8;
    let to = (&raw mut byte).expose_provenance();
    // SAFETY: there is room for one byte.
    let count = unsafe { call(RECVFROM, [number(fd), to, 1, MSG_PEEK, 0, 0]) };
    (count == 1).then_some(byte)
}

/// Waits so many milliseconds at most until there is something to read.
pub(crate) fn wait(fd: i32, milliseconds: i32) -> bool {
    // struct pollfd: the descriptor, what is wanted, what there is.
    let descriptor = u64::from(u32::from_ne_bytes(fd.to_ne_bytes()));
    let mut wanted = descriptor | (POLLIN << 32);
    let at = (&raw mut wanted).expose_provenance();
    // SAFETY: it is one structure of eight bytes, which lives until the call is over.
    let ready = unsafe { call(POLL, [at, 1, number(milliseconds), 0, 0, 0]) };
    ready == 1
}

/// Becomes another program; comes back if that cannot be.
///
/// # Safety
/// Both lists end with a null pointer, and hold nothing else but pointers to strings that end with a zero.
pub(crate) unsafe fn execve(
    path: &CStr,
    words: *const *const u8,
    environment: *const *const u8,
) -> isize {
    let (path, words, environment) = (at(path.as_ptr()), at(words), at(environment));
    // SAFETY: who calls us vouches for the lists.
    unsafe { call(EXECVE, [path, words, environment, 0, 0, 0]) }
}

/// Ends this process.
#[cfg(target_feature = "crt-static")]
pub(crate) fn exit(status: u8) -> ! {
    loop {
        // SAFETY: nothing is pointed to.
        unsafe { call(EXIT_GROUP, [status.into(), 0, 0, 0, 0, 0]) };
    }
}

const _: () = assert!(size_of::<Address>() == 2 + MAX_PATH, "as the kernel has it");
