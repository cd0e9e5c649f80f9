//! Memory of the process that is kept for later: freed by the allocator, and below the end of the stack.
//!
//! ```text
//! stack   in use | KEPT | given back, as far as REACH | 256 pages that the kernel keeps free | others
//!         ─────────────────────────── grows this way ──►
//! ```

use nix::unistd::{SysconfVar, getpid, gettid, sysconf};

/// How far below the end of the stack is given back, in bytes. Not more than what the kernel keeps free
/// below every stack (`stack_guard_gap`), so nothing else can be there.
const REACH: usize = 512 << 10;

/// What stays below the end of the stack, in bytes: for the calls that come next.
const KEPT: usize = 16 << 10;

/// Gives back to the kernel what was freed and what the stack no longer takes: the allocator keeps the end of
/// the heap, and pages in between, for the next time, and the kernel never takes a page of a stack by
/// itself. For after a time of much work that does not come again soon.
pub fn give_back() {
    freed();
    unused_stack();
}

#[cfg(target_env = "gnu")]
#[expect(unsafe_code, reason = "a call of the C library that nothing wraps")]
fn freed() {
    // SAFETY: it takes no pointer, and is safe to call beside any other use of the allocator.
    // Whether there was anything to give back makes no difference.
    unsafe { libc::malloc_trim(0) };
}

/// Nothing: no other C library has this call.
#[cfg(not(target_env = "gnu"))]
fn freed() {}

/// Only the stack of the first thread: others are followed by whatever was mapped beside them.
fn unused_stack() {
    if gettid() == getpid() {
        // What is not given back is kept as before.
        let _kept = below();
    }
}

/// Whether so much as [`REACH`] below what this thread uses of its stack was given back, from [`KEPT`] on.
#[expect(unsafe_code, reason = "memory that only the kernel knows of")]
fn below() -> bool {
    let page = sysconf(SysconfVar::PAGE_SIZE).ok().flatten();
    let page =
        page.and_then(|size| usize::try_from(size).ok()).filter(|size| size.is_power_of_two());
    let Some(page) = page else { return false };
    let mut here = 0_u8;
    let here = &raw mut here;
    let from = here.wrapping_sub(KEPT + REACH + here.addr() % page);
    // SAFETY: it is aligned, and all below the stack that is in use: a page there has nothing that is read
    // again before it is written. Where there is none, nothing is done.
    unsafe { libc::madvise(from.cast(), REACH, libc::MADV_DONTNEED) == 0 }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// Takes so much of the stack for a moment.
    const MUCH: usize = 256 << 10;

    #[inline(never)]
    #[expect(clippy::large_stack_arrays, reason = "that is what is tested")]
    fn deep() -> u8 {
        let mut much = [1_u8; MUCH];
        std::hint::black_box(&mut much);
        much[much.len() / 2]
    }

    /// What is resident of the mapping in which `at` is, in KiB.
    fn resident(at: usize) -> usize {
        let maps = fs::read_to_string("/proc/self/smaps").unwrap();
        let mut lines = maps.lines();
        let number = |text| usize::from_str_radix(text, 16);
        lines.find(|line| {
            let range = line.split_whitespace().next().and_then(|range| range.split_once('-'));
            range.is_some_and(|(low, high)| {
                number(low).is_ok_and(|low| low <= at) && number(high).is_ok_and(|high| at < high)
            })
        });
        let line = lines.find(|line| line.starts_with("Rss:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    #[test]
    fn what_the_stack_no_longer_takes_is_given_back_and_the_rest_stays() {
        let kept = [7_u8; 64];
        let heap = vec![5_u8; 1 << 20];
        assert_eq!(deep(), 1);
        let at = (&raw const kept).addr();
        let before = resident(at);
        give_back();
        // The stacks of tests are larger than what is given back, so all of it is this one's.
        assert!(below());
        assert!(resident(at) + MUCH / 1024 / 2 < before, "{} KiB of {before}", resident(at));
        assert!(std::hint::black_box(&kept).iter().all(|byte| *byte == 7));
        assert!(heap.iter().all(|byte| *byte == 5));
        assert_eq!(deep(), 1);
    }
}
