//! What arrives at `/dev/log`: `<PRI>Mmm dd hh:mm:ss tag[pid]: message` (RFC 3164, as the C library
//! writes it). Every part but the message may be missing.

use super::Entry;

/// Priority of a message that names none: facility user, priority info, as in journald.
const DEFAULT: u32 = 14;

/// The largest priority number: facility 23, priority 7.
const MAX: u32 = 191;

/// Reads one datagram. None: it says nothing.
#[must_use]
pub fn parse(datagram: &[u8]) -> Option<Entry<'_>> {
    let end = datagram.iter().rposition(|b| !b.is_ascii_whitespace() && *b != 0)? + 1;
    let text = datagram.get(..end)?;
    let (number, text) = priority(text).unwrap_or((DEFAULT, text));
    let mut entry = Entry::default().with_syslog_priority(number);
    let (time, text) = text.split_at(timestamp(text).unwrap_or(0));
    if !time.is_empty() {
        entry = entry.with("SYSLOG_TIMESTAMP", time.trim_ascii_end());
    }
    Some(message(entry, text))
}

/// Adds `tag[pid]: message`.
pub(super) fn message<'a>(mut entry: Entry<'a>, text: &'a [u8]) -> Entry<'a> {
    let Some((tag, pid, message)) = tag(text) else { return entry.with("MESSAGE", text) };
    entry = entry.with("SYSLOG_IDENTIFIER", tag);
    if let Some(pid) = pid {
        entry = entry.with("SYSLOG_PID", pid);
    }
    entry.with("MESSAGE", message)
}

/// `<13>`, and what comes after it.
fn priority(text: &[u8]) -> Option<(u32, &[u8])> {
    let rest = text.strip_prefix(b"<")?;
    let end = rest.iter().take(4).position(|b| *b == b'>')?;
    let digits = rest.get(..end).filter(|d| d.iter().all(u8::is_ascii_digit))?;
    let number = std::str::from_utf8(digits).ok()?.parse().ok()?;
    (number <= MAX).then_some((number, rest.get(end + 1..)?))
}

/// Length of a leading `Mmm dd hh:mm:ss `.
fn timestamp(text: &[u8]) -> Option<usize> {
    const SHAPE: &[u8] = b"aaa 00 00:00:00 ";
    let fits = |(b, shape): (&u8, &u8)| match shape {
        b'a' => b.is_ascii_alphabetic(),
        b'0' => b.is_ascii_digit() || *b == b' ',
        other => b == other,
    };
    text.get(..SHAPE.len())?.iter().zip(SHAPE).all(fits).then_some(SHAPE.len())
}

/// Tag, process id, message.
type Tagged<'a> = (&'a [u8], Option<&'a [u8]>, &'a [u8]);

/// A leading `tag:` or `tag[pid]:`, and what comes after it and one space.
fn tag(text: &[u8]) -> Option<Tagged<'_>> {
    let text = text.trim_ascii_start();
    let end = text.iter().position(u8::is_ascii_whitespace).unwrap_or(text.len());
    let word = text.get(..end)?.strip_suffix(b":")?;
    let message = text.get(end + 1..).unwrap_or_default();
    let bracket = word.iter().rposition(|b| *b == b'[').filter(|_| word.ends_with(b"]"));
    let (tag, pid) = match bracket {
        Some(at) => (word.get(..at)?, word.get(at + 1..word.len() - 1)),
        None => (word, None),
    };
    (!tag.is_empty()).then_some((tag, pid, message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    fn read(datagram: &str) -> String {
        let entry = parse(datagram.as_bytes()).unwrap_or_default();
        let field = |(name, value): &(&str, std::borrow::Cow<'_, [u8]>)| {
            format!("{name}={}", String::from_utf8_lossy(value))
        };
        entry.fields.iter().map(field).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn every_part_of_a_message_is_found() {
        assert_eq!(
            read("<38>May  7 01:02:03 sshd[99]: accepted\n\0"),
            "PRIORITY=6 SYSLOG_FACILITY=4 SYSLOG_TIMESTAMP=May  7 01:02:03 SYSLOG_IDENTIFIER=sshd \
             SYSLOG_PID=99 MESSAGE=accepted"
        );
    }

    #[test]
    fn every_part_but_the_message_may_be_missing() {
        assert_eq!(read("hello"), "PRIORITY=6 SYSLOG_FACILITY=1 MESSAGE=hello");
        assert_eq!(read("<11>a b: c"), "PRIORITY=3 SYSLOG_FACILITY=1 MESSAGE=a b: c");
        assert_eq!(
            read("<0>cron: x"),
            "PRIORITY=0 SYSLOG_FACILITY=0 SYSLOG_IDENTIFIER=cron MESSAGE=x"
        );
        assert_eq!(read("<999>x"), "PRIORITY=6 SYSLOG_FACILITY=1 MESSAGE=<999>x");
        assert_eq!(read("<>x"), "PRIORITY=6 SYSLOG_FACILITY=1 MESSAGE=<>x");
        assert_eq!(parse(b" \n\0"), None);
        assert_eq!(parse(b""), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_message(bytes in vec(any::<u8>(), 0..100)) {
            let _ = parse(&bytes);
        }

        #[test]
        fn anything_like_a_message_is_one(text in "(<[0-9]{0,4}>)?([A-Z][a-z]{2} [ 0-9]{2} [0-9:]{8} )?[a-z\\[\\]: ]{0,9}[a-z:]") {
            prop_assert!(parse(text.as_bytes()).is_some());
        }
    }
}
