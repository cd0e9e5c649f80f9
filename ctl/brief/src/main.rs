//! `ensctl` as it is called: asks the plainest questions itself, and is the whole `ensctl` for all else.
//!
//! ```text
//! line ─┬─ plain ─► question ─► servicemgr ─► done: the end
//!       │                          ├─► failed ─┐ the connection is left for it
//!       └─ anything else ──────────┴─► whole ensctl (LIB) ◄┘
//! ```
//!
//! The whole one takes longer to begin and to end than most services to stop: its 2.5 MB are mapped and
//! unmapped, a C library begins, 0.6 of 0.8 ms. This one has no library ([`bare`]); it never prints, and
//! what it does not understand it does not judge. On a host, and on processors that `bare` does not know,
//! it is only the way to the whole one.

#![cfg_attr(all(target_arch = "x86_64", target_feature = "crt-static"), no_std, no_main)]

#[cfg(all(target_arch = "x86_64", target_feature = "crt-static"))]
mod device {
    use bare::{Line, MAX_WORDS, Socket, complain};
    use brief::Question;

    /// The whole `ensctl`.
    const WHOLE: &core::ffi::CStr = c"/usr/lib/ensemble/ensctl";

    /// Its first word when it is to tell what it finds at a descriptor.
    const ASKED: &core::ffi::CStr = c"--asked";

    /// How long the answer is waited for that comes at once, in milliseconds; the whole one waits anew.
    const PATIENCE: i32 = 1000;

    const _: () = assert!(brief::ASKED.len() == ASKED.count_bytes(), "they are one word");

    bare::begin!(run);

    fn run(line: &Line) -> u8 {
        match ask(line) {
            Asked::Done => return 0,
            Asked::Told => line.become_program(WHOLE, Some(ASKED)),
            Asked::Not => line.become_program(WHOLE, None),
        }
        complain("ensctl: cannot start /usr/lib/ensemble/ensctl: is this image whole?\n");
        1
    }

    enum Asked {
        Done,
        /// The answer is at the descriptor, for who can tell it.
        Told,
        /// Nobody was asked, or nobody answered. What is asked here is the same when it is asked twice.
        Not,
    }

    fn ask(line: &Line) -> Asked {
        let mut room = [""; MAX_WORDS];
        let words = line.words(&mut room).unwrap_or_default();
        let Some(question) = Question::of_words(words) else { return Asked::Not };
        let Some(socket) = Socket::connect(brief::SOCKET) else { return Asked::Not };
        let mut room = [0; brief::MAX_QUESTION];
        let soon = matches!(question, Question::PowerOff | Question::Reboot | Question::Halt);
        if !socket.send(question.bytes(&mut room)) || (soon && !socket.wait(PATIENCE)) {
            return Asked::Not;
        }
        match socket.peek() {
            Some(brief::DONE) => Asked::Done,
            Some(brief::IN_FULL) | None => Asked::Not,
            Some(_) if socket.leave_as(brief::FD) => Asked::Told,
            Some(_) => Asked::Not,
        }
    }
}

#[cfg(not(all(target_arch = "x86_64", target_feature = "crt-static")))]
#[expect(clippy::print_stderr, reason = "the one place that reports why we could not run")]
fn main() -> std::process::ExitCode {
    use std::os::unix::process::CommandExt;
    let whole = "/usr/lib/ensemble/ensctl";
    let e = std::process::Command::new(whole).args(std::env::args_os().skip(1)).exec();
    eprintln!("ensctl: cannot start {whole}: {e}: is this image whole?");
    std::process::ExitCode::FAILURE
}
