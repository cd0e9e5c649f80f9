//! A shell on the console, with the reason for it above.

use std::fs::OpenOptions;
use std::io::{self, Write};

/// The console.
const CONSOLE: &str = "/dev/console";

/// Shells that may be there: in the root, or in an initramfs with the debug console.
const SHELLS: [(&str, &[&str]); 2] = [("/bin/sh", &["-i"]), ("/bin/busybox", &["sh", "-i"])];

/// Writes the reason onto the console, bypassing the log and its levels.
pub fn announce(why: &str, advice: &str) {
    let text = format!("\n\n*** {why}\n*** {advice}\n\n");
    // Without a console the kernel's log has it too.
    let _no_console =
        OpenOptions::new().write(true).open(CONSOLE).and_then(|mut c| c.write_all(text.as_bytes()));
}

/// Starts a shell in one of `roots`, the first that has one. Gives its process id.
///
/// # Errors
/// None has a shell that runs, or there is no console.
pub fn shell(roots: &[&str]) -> io::Result<i32> {
    let mut error = io::Error::from(io::ErrorKind::NotFound);
    for root in roots {
        for (program, args) in SHELLS {
            match sys::start::shell(program, args, root, CONSOLE) {
                Ok(pid) => return Ok(pid),
                Err(e) => error = e,
            }
        }
    }
    Err(error)
}
