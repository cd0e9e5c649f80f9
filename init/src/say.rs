//! What PID 1 and stage-0 say: to the kernel's log on a machine, to stderr in a container.
//!
//! Faults carry the priority "error", so the console shows them even with `quiet`. Nothing here
//! fails: whoever cannot be heard goes on working.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::Write;

/// What we call ourselves in the log.
const NAME: &str = "ensemble-init";

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
            None => std::io::stderr().write_all(format!("{NAME}: {text}\n").as_bytes()),
        };
    }
}
