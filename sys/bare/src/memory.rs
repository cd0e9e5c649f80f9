//! The functions of memory that the compiler calls by itself, as short as they can be.
//!
//! On a device they have the names of the C library's, whose own choose their code when a program begins:
//! without its beginning they would jump to nowhere. No loop is left to the compiler, which would make a
//! call of the same function of it.

#![expect(unsafe_code, reason = "copies memory")]

use core::arch::asm;

/// # Safety
/// As of C: so many bytes can be read and written, and do not overlap.
#[cfg(any(test, target_feature = "crt-static"))]
#[cfg_attr(target_feature = "crt-static", unsafe(no_mangle))]
pub(crate) unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, count: usize) -> *mut u8 {
    // SAFETY: who calls us vouches for the memory.
    unsafe {
        asm!("rep movsb", inout("rcx") count => _, inout("rdi") to => _, inout("rsi") from => _,
             options(nostack, preserves_flags));
    }
    to
}

/// # Safety
/// As of C: so many bytes can be read and written.
#[cfg(any(test, target_feature = "crt-static"))]
#[cfg_attr(target_feature = "crt-static", unsafe(no_mangle))]
pub(crate) unsafe extern "C" fn memmove(to: *mut u8, from: *const u8, count: usize) -> *mut u8 {
    if to.addr().wrapping_sub(from.addr()) >= count {
        // SAFETY: copying forwards never writes what it still has to read.
        return unsafe { memcpy(to, from, count) };
    }
    // SAFETY: from the last byte to the first; who calls us vouches for the memory.
    unsafe {
        asm!("std", "rep movsb", "cld", inout("rcx") count => _,
             inout("rdi") to.wrapping_add(count).wrapping_sub(1) => _,
             inout("rsi") from.wrapping_add(count).wrapping_sub(1) => _, options(nostack));
    }
    to
}

/// # Safety
/// As of C: so many bytes can be written.
#[cfg(any(test, target_feature = "crt-static"))]
#[cfg_attr(target_feature = "crt-static", unsafe(no_mangle))]
pub(crate) unsafe extern "C" fn memset(to: *mut u8, byte: i32, count: usize) -> *mut u8 {
    // SAFETY: who calls us vouches for the memory.
    unsafe {
        asm!("rep stosb", inout("rcx") count => _, inout("rdi") to => _, in("eax") byte,
             options(nostack, preserves_flags));
    }
    to
}

/// # Safety
/// As of C: so many bytes of both can be read.
#[cfg(any(test, target_feature = "crt-static"))]
#[cfg_attr(target_feature = "crt-static", unsafe(no_mangle))]
pub(crate) unsafe extern "C" fn memcmp(a: *const u8, b: *const u8, count: usize) -> i32 {
    let (above, below): (u8, u8);
    // SAFETY: who calls us vouches for the memory; of nothing, `cmp` says that it is equal.
    unsafe {
        asm!("cmp eax, eax", "repe cmpsb", "seta al", "setb dl", inout("rcx") count => _,
             inout("rdi") b => _, inout("rsi") a => _, out("al") above, out("dl") below,
             options(nostack, readonly));
    }
    i32::from(above) - i32::from(below)
}

/// # Safety
/// As [`memcmp`].
#[cfg(target_feature = "crt-static")]
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn bcmp(a: *const u8, b: *const u8, count: usize) -> i32 {
    // SAFETY: who calls us vouches for the memory.
    unsafe { memcmp(a, b, count) }
}

/// # Safety
/// As of C: a zero ends the bytes.
#[cfg_attr(target_feature = "crt-static", unsafe(no_mangle))]
pub(crate) unsafe extern "C" fn strlen(bytes: *const u8) -> usize {
    let left: usize;
    // SAFETY: who calls us vouches for a zero.
    unsafe {
        asm!("repne scasb", inout("rcx") usize::MAX => left, inout("rdi") bytes => _, in("al") 0_u8,
             options(nostack, readonly));
    }
    // It counts the zero too.
    (usize::MAX - left).wrapping_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_copied_whichever_way_they_overlap() {
        for (to, from) in [(0, 3), (3, 0), (2, 2), (0, 5)] {
            let mut bytes = *b"0123456789";
            let mut wanted = bytes;
            wanted.copy_within(from..from + 5, to);
            let start = bytes.as_mut_ptr();
            let (into, outof) = (start.wrapping_add(to), start.wrapping_add(from));
            // SAFETY: both are within the ten bytes.
            unsafe { memmove(into, outof, 5) };
            assert_eq!(bytes, wanted);
        }
    }

    #[test]
    fn bytes_are_compared_as_numbers_without_a_sign() {
        let compare = |a: &[u8], b: &[u8]| {
            // SAFETY: both have so many bytes.
            unsafe { memcmp(a.as_ptr(), b.as_ptr(), a.len().min(b.len())) }
        };
        assert_eq!(compare(b"", b""), 0);
        assert_eq!(compare(b"start", b"start"), 0);
        assert_eq!(compare(b"start", b"stop!"), -1);
        assert_eq!(compare(b"\xff", b"\x01"), 1);
    }

    #[test]
    fn bytes_are_set_and_counted() {
        let mut bytes = [1_u8; 9];
        // SAFETY: there are nine.
        unsafe { memset(bytes.as_mut_ptr(), 0x241, 8) };
        assert_eq!(&bytes, b"AAAAAAAA\x01");
        for text in [c"", c"a", c"service"] {
            // SAFETY: a zero ends it.
            assert_eq!(unsafe { strlen(text.as_ptr().cast()) }, text.count_bytes());
        }
    }
}
