//! Our terminal as the console of a container: keys in, bytes out, Ctrl-A X leaves, as in QEMU.

use std::fs::File;
use std::io::{self, IsTerminal, Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};

/// Ctrl-A.
const ESCAPE: u8 = 1;

static LEAVING: AtomicBool = AtomicBool::new(false);

/// Whether Ctrl-A X was pressed.
#[must_use]
pub fn is_leaving() -> bool {
    LEAVING.load(Ordering::Acquire)
}

/// Passes on what is typed until the end of input or Ctrl-A X.
///
/// # Errors
/// The console is gone.
pub fn type_into(console: &mut File) -> io::Result<()> {
    let mut keys = Keys::default();
    let mut buffer = [0; 4096];
    loop {
        let n = io::stdin().read(&mut buffer)?;
        if n == 0 {
            return Ok(());
        }
        let typed = keys.pass(buffer.get(..n).unwrap_or_default());
        console.write_all(&typed)?;
        if keys.left {
            LEAVING.store(true, Ordering::Release);
            return Ok(());
        }
    }
}

/// Makes our terminal raw for as long as the value lives; `None` when there is none.
#[must_use]
pub fn raw() -> Option<sys::terminal::Saved> {
    let saved = remember()?;
    saved.raw().ok()?;
    Some(saved)
}

/// Remembers our terminal's settings for as long as the value lives; `None` when there is none.
#[must_use]
pub fn remember() -> Option<sys::terminal::Saved> {
    if !io::stdin().is_terminal() {
        return None;
    }
    sys::terminal::Saved::of(io::stdin()).ok()
}

/// Standard output without waiting for whole lines.
#[derive(Debug, Clone, Copy)]
pub struct Unbuffered;

impl Write for Unbuffered {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut out = io::stdout().lock();
        out.write_all(bytes)?;
        out.flush()?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stdout().flush()
    }
}

/// Finds Ctrl-A X among keys; Ctrl-A Ctrl-A is one Ctrl-A.
#[derive(Debug, Default)]
struct Keys {
    escaped: bool,
    left: bool,
}

impl Keys {
    fn pass(&mut self, typed: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(typed.len());
        for key in typed {
            match (self.escaped, *key) {
                (false, ESCAPE) => self.escaped = true,
                (true, b'x' | b'X') => {
                    self.left = true;
                    return out;
                }
                (_, key) => {
                    self.escaped = false;
                    out.push(key);
                }
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ctrl_a_x_leaves_and_ctrl_a_twice_is_typed() {
        let mut keys = Keys::default();
        assert_eq!(keys.pass(b"ls\x01"), b"ls");
        assert_eq!(keys.pass(b"\x01x\n"), b"\x01x\n");
        assert!(!keys.left);
        assert_eq!(keys.pass(b"a\x01xb"), b"a");
        assert!(keys.left);
    }
}
