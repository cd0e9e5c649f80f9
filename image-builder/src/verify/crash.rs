//! Whether servicemgr crashed while a case ran: all its steps may be as expected nevertheless, since another one
//! goes on in its place. That it is killed on purpose is no crash.

use std::fs;
use std::path::Path;

/// Signals of a program that did what it must not: SIGILL, SIGABRT, SIGBUS, SIGFPE, SIGSEGV, SIGSYS.
const CRASHES: [u8; 6] = [4, 6, 7, 8, 11, 31];

/// What PID 1 said of a crash on the console.
pub(super) fn told(console: &Path) -> Option<String> {
    let text = fs::read(console).ok()?;
    found(&String::from_utf8_lossy(&text))
}

fn found(console: &str) -> Option<String> {
    let said = CRASHES.map(|signal| format!("servicemgr: it ended (signal {signal})"));
    said.into_iter().find(|said| console.contains(said))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_servicemgr_that_crashed_is_found_on_the_console_and_one_that_was_killed_is_not() {
        let line = |n| {
            format!(
                "# ensemble-init: servicemgr: it ended (signal {n}): starting it again in 100 ms\r\n"
            )
        };
        assert_eq!(found(&line(9)), None);
        assert_eq!(found(&line(11)).as_deref(), Some("servicemgr: it ended (signal 11)"));
        assert_eq!(found("servicemgr: it ended (exit status 1)"), None);
    }
}
