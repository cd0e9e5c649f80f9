//! Bare system calls: the one file here with `unsafe`.
//!
//! An attack must reach the kernel as an attacker does: by number, with any argument, also by other
//! entries than the usual one. So [`call`] is not sound in the sense of a library: an attack that
//! gives the kernel a wrong address harms itself, in a process of its own that is then thrown away.

#![expect(unsafe_code, reason = "attacks are bare system calls; never in a release image")]

use std::ffi::{CStr, CString, c_long};
use std::{mem, ptr};

use crate::errno::Errno;

/// What a system call takes, as the word in a register.
pub trait Arg {
    /// The word.
    fn arg(self) -> usize;
}

macro_rules! signed {
    ($($t:ty),*) => { $(impl Arg for $t {
        fn arg(self) -> usize {
            isize::try_from(self).unwrap_or(-1).cast_unsigned()
        }
    })* };
}

macro_rules! unsigned {
    ($($t:ty),*) => { $(impl Arg for $t {
        fn arg(self) -> usize {
            usize::try_from(self).unwrap_or(usize::MAX)
        }
    })* };
}

signed!(i32, i64);
unsigned!(u32, u64);

impl Arg for usize {
    fn arg(self) -> usize {
        self
    }
}

impl Arg for isize {
    fn arg(self) -> usize {
        self.cast_unsigned()
    }
}

impl Arg for &CStr {
    fn arg(self) -> usize {
        self.as_ptr().expose_provenance()
    }
}

impl Arg for &CString {
    fn arg(self) -> usize {
        self.as_ptr().expose_provenance()
    }
}

impl<T> Arg for &[T] {
    fn arg(self) -> usize {
        self.as_ptr().expose_provenance()
    }
}

impl<T> Arg for &mut [T] {
    fn arg(self) -> usize {
        self.as_mut_ptr().expose_provenance()
    }
}

impl<T, const N: usize> Arg for &[T; N] {
    fn arg(self) -> usize {
        self.as_ptr().expose_provenance()
    }
}

impl<T, const N: usize> Arg for &mut [T; N] {
    fn arg(self) -> usize {
        self.as_mut_ptr().expose_provenance()
    }
}

/// A system call by its number, with up to six words.
///
/// # Errors
/// What the kernel (or a filter before it) answered.
pub fn call(number: c_long, words: &[usize]) -> Result<usize, Errno> {
    let mut six = [0; 6];
    for (place, word) in six.iter_mut().zip(words) {
        *place = *word;
    }
    let [a, b, c, d, e, f] = six;
    // SAFETY: see the top of this file; memory that the kernel may write was given as `&mut`, or is
    // memory of the attack's own that nothing else uses.
    let answer = unsafe { libc::syscall(number, a, b, c, d, e, f) };
    usize::try_from(answer).map_err(|_| Errno::last())
}

/// Bytes at an address of our own.
#[must_use]
pub fn load(at: usize, length: usize) -> Vec<u8> {
    let from = ptr::with_exposed_provenance::<u8>(at);
    // SAFETY: the caller mapped that many bytes there.
    (0..length).map(|i| unsafe { from.wrapping_add(i).read_volatile() }).collect()
}

/// Puts bytes at an address of our own.
pub fn store(at: usize, bytes: &[u8]) {
    let to = ptr::with_exposed_provenance_mut::<u8>(at);
    for (i, byte) in bytes.iter().enumerate() {
        // SAFETY: the caller mapped that many bytes there.
        unsafe { to.wrapping_add(i).write_volatile(*byte) };
    }
    synchronize(at);
}

/// Code that returns 42: a sign that it ran.
#[cfg(target_arch = "x86_64")]
pub const CODE: &[u8] = &[0xb8, 42, 0, 0, 0, 0xc3];

/// Code that returns 42: a sign that it ran.
#[cfg(target_arch = "aarch64")]
pub const CODE: &[u8] = &[0x40, 0x05, 0x80, 0x52, 0xc0, 0x03, 0x5f, 0xd6];

/// Jumps to code at an address; dies where that is not allowed.
#[must_use]
pub fn run_code(at: usize) -> u32 {
    // SAFETY: `CODE` is there, which is such a function.
    let code = unsafe { mem::transmute::<usize, extern "C" fn() -> u32>(at) };
    code()
}

#[cfg(target_arch = "x86_64")]
fn synchronize(_: usize) {}

#[cfg(target_arch = "aarch64")]
fn synchronize(at: usize) {
    // SAFETY: cache maintenance of one line that we just wrote.
    unsafe {
        std::arch::asm!(
            "dc cvau, {at}", "dsb ish", "ic ivau, {at}", "dsb ish", "isb",
            at = in(reg) at,
        );
    }
}

/// A system call by the entry of 32-bit programs, with three words below 4 GiB.
#[cfg(target_arch = "x86_64")]
#[must_use]
pub fn call_32(number: u32, words: [u32; 3]) -> i32 {
    let answer: i32;
    // SAFETY: as `call`. rbx belongs to the compiler, so it is kept by hand.
    unsafe {
        std::arch::asm!(
            "xchg rbx, {b}", "int 0x80", "xchg rbx, {b}",
            b = inout(reg) u64::from(words[0]) => _,
            inlateout("eax") number => answer,
            in("ecx") words[1],
            in("edx") words[2],
            lateout("r8") _, lateout("r9") _, lateout("r10") _, lateout("r11") _,
        );
    }
    answer
}

/// A system call by the entry of 32-bit programs: there is none here.
#[cfg(target_arch = "aarch64")]
#[must_use]
pub fn call_32(_: u32, _: [u32; 3]) -> i32 {
    -libc::ENOSYS
}

/// Whether the program can still be interrupted: a word that nothing optimises away.
#[must_use]
pub fn address_of(word: &u64) -> usize {
    ptr::from_ref(word).expose_provenance()
}

/// A function that nobody needs, long enough for [`CODE`].
#[inline(never)]
extern "C" fn spare(word: u64) -> u64 {
    let word = std::hint::black_box(word);
    std::hint::black_box(word.rotate_left(7) ^ 0x5eed)
}

/// Where code is that may be written over.
#[must_use]
pub fn spare_code() -> usize {
    let function: extern "C" fn(u64) -> u64 = std::hint::black_box(spare);
    let pointer = ptr::from_ref(&function).cast::<usize>();
    // SAFETY: a function's address is a word.
    unsafe { pointer.read() }
}
