//! What arrives, understood: every input becomes an [`Entry`], which [`Stamp::write`] makes a record.
//!
//! ```text
//! native datagram, memfd ─┐
//! /dev/log ───────────────┼─► Entry (what it says) + Origin (who said it) ──► record
//! line of a service ──────┤
//! /dev/kmsg ──────────────┘
//! ```
//!
//! Invariant: a field whose name starts with `_` is true, for only [`Origin`], [`Stamp`] and the
//! kernel's own messages write such fields. No input panics or costs more memory than its size.

pub mod kmsg;
pub mod line;
pub mod native;
pub mod origin;
pub mod syslog;

use std::borrow::Cow;

use api::export::{self, CURSOR, DEFAULT_PRIORITY, MAX_FIELDS, MONOTONIC, REALTIME};

pub use origin::Origin;

/// Most fields of an entry: what a record may have, less what we add to it.
pub const ENTRY_FIELDS: usize = MAX_FIELDS - 24;

/// Room that is made for the fields of an entry: few have more.
const USUAL_FIELDS: usize = 8;

/// Each priority as text.
const PRIORITIES: [&[u8]; 8] = [b"0", b"1", b"2", b"3", b"4", b"5", b"6", b"7"];

/// A name (a valid one) and a value.
pub type Field<'a> = (&'a str, Cow<'a, [u8]>);

/// One message and what it says about itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entry<'a> {
    /// What it says, in its order.
    pub fields: Vec<Field<'a>>,
}

impl<'a> Entry<'a> {
    /// With one more field.
    #[must_use]
    pub fn with(mut self, name: &'a str, value: impl Into<Cow<'a, [u8]>>) -> Self {
        if self.fields.is_empty() {
            self.fields.reserve(USUAL_FIELDS);
        }
        self.fields.push((name, value.into()));
        self
    }

    /// With the priority and facility that syslog, the kernel and others put into one number.
    #[must_use]
    fn with_syslog_priority(self, number: u32) -> Self {
        let priority = usize::try_from(number & 7).ok().and_then(|n| PRIORITIES.get(n).copied());
        let facility = (number >> 3).to_string().into_bytes();
        self.with("PRIORITY", priority.unwrap_or_default()).with("SYSLOG_FACILITY", facility)
    }

    /// How urgent it is: 0 (the device is unusable) to 7 (debug).
    #[must_use]
    pub fn priority(&self) -> u8 {
        let value = self.fields.iter().find(|(name, _)| *name == "PRIORITY");
        value.and_then(|(_, value)| export::priority(value)).unwrap_or(DEFAULT_PRIORITY)
    }
}

/// When and where a record was received.
#[derive(Debug, Clone, Copy)]
pub struct Stamp<'a> {
    /// Its place in the log.
    pub cursor: &'a str,
    /// Microseconds since 1970.
    pub realtime: u64,
    /// Microseconds since the kernel began.
    pub monotonic: u64,
    /// The device.
    pub machine: &'a Machine,
}

/// Which device and boot this is.
#[derive(Debug, Clone, Default)]
pub struct Machine {
    boot: String,
    /// Its fields, the same in every record.
    fields: Vec<u8>,
}

impl Machine {
    /// The boot and the machine as 32 hexadecimal digits each. The machine and the host name may be
    /// empty: there is none.
    #[must_use]
    pub fn new(boot: String, machine: &str, hostname: &str) -> Self {
        let mut fields = Vec::new();
        export::put_own(&mut fields, "_BOOT_ID", boot.as_bytes());
        for (name, value) in [("_MACHINE_ID", machine), ("_HOSTNAME", hostname)] {
            if !value.is_empty() {
                export::put_own(&mut fields, name, value.as_bytes());
            }
        }
        Self { boot, fields }
    }

    /// The boot.
    #[must_use]
    pub fn boot(&self) -> &str {
        &self.boot
    }
}

impl Stamp<'_> {
    /// Writes the whole record in export format.
    pub fn write(&self, out: &mut Vec<u8>, entry: &Entry<'_>, origin: &Origin) {
        export::put_own(out, CURSOR, self.cursor.as_bytes());
        export::put_number(out, REALTIME, self.realtime);
        export::put_number(out, MONOTONIC, self.monotonic);
        out.extend_from_slice(&self.machine.fields);
        origin.write(out);
        for (name, value) in &entry.fields {
            export::put(out, name, value);
        }
        export::end(out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_says_when_where_who_and_what() {
        let machine = Machine::new("b00t".into(), "", "tv");
        let entry = Entry::default()
            .with("MESSAGE", &b"hi"[..])
            .with_syslog_priority(30)
            .with("BAD NAME", &b"left out"[..]);
        assert_eq!(entry.priority(), 6);
        let origin = Origin {
            transport: "journal",
            pid: Some(7),
            user: Some((0, 5)),
            comm: Some(b"web".to_vec()),
            unit: Some("web.service".into()),
        };
        let mut out = Vec::new();
        let stamp = Stamp { cursor: "s=1;i=2", realtime: 3, monotonic: 4, machine: &machine };
        stamp.write(&mut out, &entry, &origin);
        let wanted = "__CURSOR=s=1;i=2\n__REALTIME_TIMESTAMP=3\n__MONOTONIC_TIMESTAMP=4\n\
            _BOOT_ID=b00t\n_HOSTNAME=tv\n_TRANSPORT=journal\n_PID=7\n_UID=0\n_GID=5\n_COMM=web\n\
            _SYSTEMD_UNIT=web.service\nMESSAGE=hi\nPRIORITY=6\nSYSLOG_FACILITY=3\n\n";
        assert_eq!(String::from_utf8(out).unwrap(), wanted);
    }
}
