//! What a program needs that begins without a C library: its first instruction, seven system calls, and
//! the functions of memory that the compiler calls by itself.
//!
//! ```text
//! kernel ─► _start ─► bare_main(&Line) ─► its exit status
//!                          └─► socket, connect, send, peek, dup2, execve, write
//! ```
//!
//! For a program that runs for a moment, many times: what a static C library does before `main` and the
//! pages it touches cost more than the rest of such a program. It has no `std` either, and is linked with
//! `-nostdlib -no-pie`, for a device alone. Beside [`sys`](../sys) the only crate with unsafe code: [decision 14](../../docs/decisions).
//! Never allocates.

#![cfg_attr(not(test), no_std)]
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

mod call;
mod line;
mod memory;
mod socket;
#[cfg(all(target_feature = "crt-static", not(test)))]
mod start;

pub use line::{Line, MAX_WORDS};
pub use socket::Socket;

/// Makes a function of the command line, which gives the exit status, what the program begins with.
#[macro_export]
macro_rules! begin {
    ($function:path) => {
        #[unsafe(no_mangle)]
        fn bare_main(line: &$crate::Line) -> u8 {
            $function(line)
        }
    };
}

/// Writes to standard error; there is nowhere to say that it failed.
pub fn complain(text: &str) {
    let _unseen = call::write(2, text.as_bytes());
}
