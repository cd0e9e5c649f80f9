//! Memory of the process that the allocator keeps for later.

/// Gives what was freed back to the kernel: the allocator keeps the end of the heap, and pages in
/// between, for the next time. For after a time of much work that does not come again soon.
#[cfg(target_env = "gnu")]
#[expect(unsafe_code, reason = "a call of the C library that nothing wraps")]
pub fn give_back() {
    // SAFETY: it takes no pointer, and is safe to call beside any other use of the allocator.
    // Whether there was anything to give back makes no difference.
    unsafe { libc::malloc_trim(0) };
}

/// Nothing: no other C library has this call.
#[cfg(not(target_env = "gnu"))]
pub fn give_back() {}
