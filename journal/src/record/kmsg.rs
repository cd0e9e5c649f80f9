//! Records of `/dev/kmsg`, one for each read:
//! `priority,sequence,microseconds,flags[,…];message\n KEY=value\n…` with `\xHH` for odd bytes.
//!
//! Facility 0 is the kernel. All else was written to `/dev/kmsg` by a program, such as PID 1 before
//! journal ran, and looks like a syslog message.

use std::borrow::Cow;

use super::{Entry, syslog};

/// Longest record in bytes; the kernel writes no longer ones (`CONSOLE_EXT_LOG_MAX`).
pub const MAX: usize = 8 << 10;

/// Reads one record: its sequence number and what it says. None: it is none.
#[must_use]
pub fn parse(record: &[u8]) -> Option<(u64, Entry<'_>)> {
    let at = record.iter().position(|b| *b == b';')?;
    let mut head = std::str::from_utf8(record.get(..at)?).ok()?.split(',');
    let number: u32 = head.next()?.parse().ok()?;
    let sequence = head.next()?.parse().ok()?;
    let time = head.next().filter(|time| time.parse::<u64>().is_ok())?;
    let mut lines = record.get(at + 1..)?.split(|b| *b == b'\n');
    let mut entry = Entry::default()
        .with("_SOURCE_MONOTONIC_TIMESTAMP", time.as_bytes())
        .with_syslog_priority(number);
    let text = lines.next()?;
    entry = match number >> 3 {
        0 => entry.with("SYSLOG_IDENTIFIER", &b"kernel"[..]).with("MESSAGE", plain(text)),
        _ => syslog::message(entry, text.trim_ascii_end()),
    };
    for line in lines.filter_map(|line| line.strip_prefix(b" ")) {
        for (key, name) in
            [(&b"SUBSYSTEM="[..], "_KERNEL_SUBSYSTEM"), (b"DEVICE=", "_KERNEL_DEVICE")]
        {
            if let Some(value) = line.strip_prefix(key) {
                entry = entry.with(name, plain(value));
            }
        }
    }
    Some((sequence, entry))
}

/// Without the kernel's `\xHH`.
fn plain(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.contains(&b'\\') {
        return Cow::Borrowed(text);
    }
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, tail)) = rest.split_first() {
        let digit = |at: usize| rest.get(at).and_then(|b| char::from(*b).to_digit(16));
        let escaped = match (rest.get(..2), digit(2), digit(3)) {
            (Some(b"\\x"), Some(high), Some(low)) => u8::try_from(high * 16 + low).ok(),
            _ => None,
        };
        out.push(escaped.unwrap_or(*first));
        rest = if escaped.is_some() { rest.get(4..).unwrap_or_default() } else { tail };
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    fn read(record: &str) -> String {
        let Some((sequence, entry)) = parse(record.as_bytes()) else { return "none".into() };
        let field = |(name, value): &(&str, Cow<'_, [u8]>)| {
            format!(" {name}={}", String::from_utf8_lossy(value))
        };
        sequence.to_string() + &entry.fields.iter().map(field).collect::<String>()
    }

    #[test]
    fn the_kernel_speaks_with_its_device() {
        assert_eq!(
            read("6,339,5140900,-;NET: \\x09up\\\n SUBSYSTEM=pci\n DEVICE=+pci:0000\n"),
            "339 _SOURCE_MONOTONIC_TIMESTAMP=5140900 PRIORITY=6 SYSLOG_FACILITY=0 \
             SYSLOG_IDENTIFIER=kernel MESSAGE=NET: \tup\\ _KERNEL_SUBSYSTEM=pci \
             _KERNEL_DEVICE=+pci:0000"
        );
    }

    #[test]
    fn a_program_that_wrote_to_the_kernels_log_keeps_its_name() {
        assert_eq!(
            read("28,7,9,-,caller=T1;init[1]: no state partition\n"),
            "7 _SOURCE_MONOTONIC_TIMESTAMP=9 PRIORITY=4 SYSLOG_FACILITY=3 SYSLOG_IDENTIFIER=init \
             SYSLOG_PID=1 MESSAGE=no state partition"
        );
    }

    #[test]
    fn what_is_no_record_is_none() {
        for text in ["", ";", "1,2;x", "a,2,3,-;x", "1,2,x,-;x"] {
            assert_eq!(read(text), "none", "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_fine(bytes in vec(any::<u8>(), 0..100)) {
            let _ = parse(&bytes);
        }

        #[test]
        fn any_message_is_fine(text in "[ -~\n]{0,60}") {
            let record = "6,1,2,-;".to_owned() + &text;
            prop_assert!(parse(record.as_bytes()).is_some());
        }
    }
}
