//! A shell on the console, with the reason for it above.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::Path;

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

/// A shell that is there.
#[derive(Debug, Clone, Copy)]
pub struct Shell<'a> {
    root: &'a str,
    program: &'static str,
    args: &'static [&'static str],
}

/// The shell in the first of `roots` that has one.
#[must_use]
pub fn find<'a>(roots: &[&'a str]) -> Option<Shell<'a>> {
    roots.iter().find_map(|root| {
        let there = |program: &str| Path::new(root).join(program.trim_start_matches('/')).exists();
        let (program, args) = SHELLS.into_iter().find(|(program, _)| there(program))?;
        Some(Shell { root, program, args })
    })
}

impl Shell<'_> {
    /// Starts it. Gives its process id.
    ///
    /// # Errors
    /// It does not run, or there is no console.
    pub fn start(&self) -> io::Result<i32> {
        sys::start::shell(self.program, self.args, self.root, CONSOLE)
    }
}
