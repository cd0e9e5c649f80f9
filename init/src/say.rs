//! What PID 1 and stage-0 say: to the kernel's log on a machine, to stderr in a container.
//!
//! Faults carry the priority "error", so the console shows them even with `quiet`. Nothing here
//! fails or waits for long: whoever cannot be heard goes on working.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::time::Duration;

use sys::poll::{For, poll};

/// What we call ourselves in the log.
const NAME: &str = "ensemble-init";

/// How long somebody who reads our stderr may take to make room. PID 1 of a container must not hang
/// on a pipe that nobody reads.
const PATIENCE: Duration = Duration::from_millis(100);

/// Where to say it.
#[derive(Debug)]
pub struct Voice {
    kmsg: Option<File>,
}

impl Voice {
    /// Speaks to stderr.
    #[must_use]
    pub fn stderr() -> Self {
        Self { kmsg: None }
    }

    /// Speaks to the kernel's log, or to stderr while there is no `/dev/kmsg`.
    #[must_use]
    pub fn kernel_log() -> Self {
        Self { kmsg: OpenOptions::new().write(true).open("/dev/kmsg").ok() }
    }

    /// Something that somebody should know: what we tried: why not: what to do.
    pub fn fault(&self, text: impl fmt::Display) {
        self.say(3, &text);
    }

    /// Something that somebody may want to know.
    pub fn note(&self, text: impl fmt::Display) {
        self.say(6, &text);
    }

    fn say(&self, priority: u8, text: &dyn fmt::Display) {
        // One write is one record. Who cannot be heard goes on working.
        let _unheard = match &self.kmsg {
            Some(kmsg) => {
                let line = format!("<{priority}>{NAME}: {text}\n");
                (&mut &*kmsg).write_all(line.as_bytes())
            }
            None => write(io::stderr(), format!("{NAME}: {text}\n").as_bytes()),
        };
    }
}

/// Writes if there is room, or soon will be. With room a pipe takes 4 KiB without waiting; none of
/// our lines is as long.
fn write(mut to: impl AsFd + Write, line: &[u8]) -> io::Result<()> {
    let ready = poll(&[(to.as_fd(), For::Writing)], Some(PATIENCE))?;
    if ready.iter().any(|r| r.write) { to.write_all(line) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn who_is_not_read_loses_words_and_goes_on() {
        let (mut reader, mut writer) = io::pipe().unwrap();
        write(&writer, b"heard\n").unwrap();
        writer.write_all(&[b'x'; (64 << 10) - 4096]).unwrap();
        let _full = write(&writer, &[b'y'; 4096]);
        for _ in 0..3 {
            write(&writer, b"lost\n").unwrap();
        }
        drop(writer);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert!(text.starts_with("heard\n") && !text.contains("lost"));
    }
}
