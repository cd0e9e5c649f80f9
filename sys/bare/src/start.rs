//! The first instructions of a program.

#![expect(unsafe_code, reason = "comes before anything that Rust knows of")]

use core::arch::global_asm;
use core::panic::PanicInfo;

use crate::{Line, call};

// The kernel begins here, with all it has to say on the stack.
global_asm!(
    ".globl _start",
    "_start:",
    "xor ebp, ebp",
    "mov rdi, rsp",
    "and rsp, -16",
    "call {begin}",
    "ud2",
    begin = sym begin,
);

// SAFETY: the one program that is linked with this crate has a function of this name and kind.
unsafe extern "Rust" {
    safe fn bare_main(line: &Line) -> u8;
}

unsafe extern "C" fn begin(stack: *const usize) -> ! {
    // SAFETY: where the stack pointer was at the first instruction.
    let line = unsafe { Line::at(stack) };
    call::exit(bare_main(&line))
}

/// What a shell has for a program that aborted.
const ABORTED: u8 = 134;

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    crate::complain("a program of ours made a mistake and ends\n");
    call::exit(ABORTED)
}
