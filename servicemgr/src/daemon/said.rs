//! The lines of an `sd_notify` message, read. Pure.
//!
//! Everything in them is hostile: a line that is not understood is left out, and what is kept is
//! short. Nothing here decides who may say what.

use std::time::Duration;

/// Longest `STATUS=` that is kept, in characters: Apache's needs 90.
pub(super) const MAX_STATUS: usize = 128;

/// Longest name of a stored descriptor, in bytes: with the longest name of a service, what PID 1
/// takes as a key.
pub(super) const MAX_FD_NAME: usize = 44;

/// Name of a stored descriptor when none is given, as in systemd.
const UNNAMED: &str = "stored";

/// Lines of a message that are looked at; systemd's own programs send five.
const MAX_LINES: usize = 64;

/// What a process said about its service.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Said {
    /// `READY=1`.
    pub(super) ready: bool,
    /// `RELOADING=1`.
    pub(super) reloading: bool,
    /// `STOPPING=1`.
    pub(super) stopping: bool,
    /// `STATUS=…`, cut to [`MAX_STATUS`].
    pub(super) status: Option<String>,
    /// `ERRNO=…`: why it is not well; 0 is that it is.
    pub(super) errno: Option<i32>,
    /// `WATCHDOG=…`.
    pub(super) watchdog: Option<Dog>,
    /// `WATCHDOG_USEC=…`; zero is not at all.
    pub(super) watch: Option<Duration>,
    /// `EXTEND_TIMEOUT_USEC=…`.
    pub(super) extend: Option<Duration>,
    /// `MAINPID=…`.
    pub(super) main: Option<i32>,
    /// `FDSTORE=1` or `FDSTOREREMOVE=1`.
    pub(super) store: Option<Store>,
    /// `BARRIER=1`: the sender waits until all that it said before is known. Its descriptor is
    /// closed then, which is true of every message.
    pub(super) barrier: bool,
}

/// What `WATCHDOG=` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dog {
    /// It is alive.
    Alive,
    /// It says itself that it is not well.
    Trigger,
}

/// What becomes of descriptors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Store {
    /// Those that came along are kept.
    Keep {
        /// Under this name.
        name: String,
        /// They are dropped when the other side hangs up.
        poll: bool,
    },
    /// Those of this name are dropped.
    Remove(String),
}

impl Said {
    /// From the lines of a message; those we have no use for don't count.
    #[must_use]
    pub(super) fn parse(message: &[u8]) -> Self {
        let mut said = Self::default();
        let (mut keep, mut remove, mut poll) = (false, false, true);
        let mut name = None;
        for line in message.split(|byte| *byte == b'\n').take(MAX_LINES) {
            let line = String::from_utf8_lossy(line);
            let Some((key, value)) = line.split_once('=') else { continue };
            match (key, value) {
                ("READY", "1") => said.ready = true,
                ("RELOADING", "1") => said.reloading = true,
                ("STOPPING", "1") => said.stopping = true,
                ("BARRIER", "1") => said.barrier = true,
                ("STATUS", text) => said.status = Some(visible(text)),
                ("ERRNO", number) => said.errno = number.parse().ok().filter(|n| *n >= 0),
                ("WATCHDOG", "1") => said.watchdog = Some(Dog::Alive),
                ("WATCHDOG", "trigger") => said.watchdog = Some(Dog::Trigger),
                ("WATCHDOG_USEC", number) => said.watch = microseconds(number),
                ("EXTEND_TIMEOUT_USEC", number) => said.extend = microseconds(number),
                ("MAINPID", number) => said.main = number.parse().ok().filter(|pid| *pid > 1),
                ("FDSTORE", "1") => keep = true,
                ("FDSTOREREMOVE", "1") => remove = true,
                ("FDPOLL", "0") => poll = false,
                ("FDNAME", text) => name = fd_name(text),
                _ => {}
            }
        }
        said.store = match (remove, keep, name) {
            (true, _, Some(name)) => Some(Store::Remove(name)),
            (false, true, name) => {
                Some(Store::Keep { name: name.unwrap_or_else(|| UNNAMED.to_owned()), poll })
            }
            _ => None,
        };
        said
    }
}

fn visible(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(MAX_STATUS).collect()
}

fn microseconds(number: &str) -> Option<Duration> {
    number.parse().ok().map(Duration::from_micros)
}

/// As systemd wants them: printable ASCII without a colon. Ours have no slash either, and are short.
fn fd_name(text: &str) -> Option<String> {
    let legal = |byte: u8| byte.is_ascii_graphic() && byte != b':' && byte != b'/';
    let fits = !text.is_empty() && text.len() <= MAX_FD_NAME && text.bytes().all(legal);
    fits.then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_message_is_lines_and_nonsense_is_nothing() {
        let said = Said::parse(b"STATUS=Serving \x1b[31m3 users\nREADY=1\nX_OWN=1\nMAINPID=77\n");
        assert_eq!(said.status.as_deref(), Some("Serving [31m3 users"));
        assert!(said.ready);
        assert_eq!(said.main, Some(77));
        let nothing = b"READY=0\n\xff\xfe\nMAINPID=0\nERRNO=-3\nWATCHDOG=2\nFDNAME=x\n=\n";
        assert_eq!(Said::parse(nothing), Said::default());
        let long = format!("STATUS={}", "é".repeat(5000));
        assert_eq!(
            Said::parse(long.as_bytes()).status.map(|s| s.chars().count()),
            Some(MAX_STATUS)
        );
        let late = [b"\n".repeat(MAX_LINES), b"READY=1".to_vec()].concat();
        assert!(!Said::parse(&late).ready);
    }

    #[test]
    fn times_and_dogs_are_understood() {
        let said = Said::parse(b"WATCHDOG=1\nWATCHDOG_USEC=2500\nEXTEND_TIMEOUT_USEC=1000000");
        assert_eq!(said.watchdog, Some(Dog::Alive));
        assert_eq!(said.watch, Some(Duration::from_micros(2500)));
        assert_eq!(said.extend, Some(Duration::from_secs(1)));
        let reload =
            Said::parse(b"RELOADING=1\nMONOTONIC_USEC=123\nERRNO=2\nSTOPPING=1\nBARRIER=1");
        assert!(reload.reloading && reload.stopping && reload.barrier);
        assert_eq!((reload.errno, reload.watchdog), (Some(2), None));
        assert_eq!(Said::parse(b"WATCHDOG=trigger").watchdog, Some(Dog::Trigger));
        assert_eq!(Said::parse(b"WATCHDOG_USEC=-1").watch, None);
    }

    #[test]
    fn descriptors_are_kept_by_name_and_names_are_plain() {
        let store = |text: &str| Said::parse(text.as_bytes()).store;
        let keep = |name: &str, poll| Some(Store::Keep { name: name.into(), poll });
        assert_eq!(store("FDSTORE=1"), keep("stored", true));
        assert_eq!(store("FDSTORE=1\nFDNAME=db-1\nFDPOLL=0"), keep("db-1", false));
        for bad in ["a/b", "a:b", "", "a b", &"x".repeat(45)] {
            assert_eq!(store(&format!("FDSTORE=1\nFDNAME={bad}")), keep("stored", true), "{bad}");
            assert_eq!(store(&format!("FDSTOREREMOVE=1\nFDNAME={bad}")), None);
        }
        assert_eq!(store("FDNAME=a\nFDSTOREREMOVE=1"), Some(Store::Remove("a".into())));
        assert_eq!(store("FDNAME=a"), None);
    }

    fn line() -> impl Strategy<Value = Vec<u8>> {
        const KEYS: &[&str] = &[
            "READY",
            "RELOADING",
            "STOPPING",
            "STATUS",
            "ERRNO",
            "WATCHDOG",
            "WATCHDOG_USEC",
            "EXTEND_TIMEOUT_USEC",
            "MAINPID",
            "FDSTORE",
            "FDSTOREREMOVE",
            "FDNAME",
            "FDPOLL",
            "BARRIER",
        ];
        let values = prop_oneof![
            Just(b"1".to_vec()),
            any::<i64>().prop_map(|n| n.to_string().into_bytes()),
            proptest::collection::vec(any::<u8>(), 0..80),
        ];
        (proptest::sample::select(KEYS), values)
            .prop_map(|(key, value)| [key.as_bytes(), b"=", &value, b"\n"].concat())
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_and_what_is_kept_is_short(
            lines in proptest::collection::vec(line(), 0..20),
            noise in proptest::collection::vec(any::<u8>(), 0..200),
        ) {
            for message in [lines.concat(), [lines.concat(), noise.clone()].concat(), noise] {
                let said = Said::parse(&message);
                let short = said.status.is_none_or(|s| {
                    s.chars().count() <= MAX_STATUS && !s.chars().any(char::is_control)
                });
                prop_assert!(short && said.main.is_none_or(|pid| pid > 1));
                if let Some(Store::Keep { name, .. } | Store::Remove(name)) = said.store {
                    prop_assert!(name.len() <= MAX_FD_NAME && !name.contains(['/', ':', '\n']));
                }
            }
        }
    }
}
