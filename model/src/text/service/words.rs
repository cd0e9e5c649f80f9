//! The words of services: every choice of one word, and the names of signals.

use crate::service::{Kind, OutOfMemory, Output, PathWhen, RestartWhen, SocketKind, Start};
use crate::text::near::did_you_mean;
use crate::text::value::{Bad, Checked};
use crate::word::Word;

impl Word for Kind {
    const WHAT: &'static str = "type of a service";
    const WORDS: &'static [(&'static str, Self)] = &[
        ("simple", Self::Simple),
        ("notify", Self::Notify),
        ("notify-reload", Self::NotifyReload),
        ("oneshot", Self::Oneshot),
        ("forking", Self::Forking),
        ("dbus", Self::Dbus),
        ("idle", Self::Idle),
        ("target", Self::Target),
    ];
}

impl Word for Start {
    const WHAT: &'static str = "time for a start";
    const WORDS: &'static [(&'static str, Self)] =
        &[("boot", Self::Boot), ("demand", Self::Demand)];
}

impl Word for RestartWhen {
    const WHAT: &'static str = "time for a restart";
    const WORDS: &'static [(&'static str, Self)] =
        &[("never", Self::Never), ("on-failure", Self::OnFailure), ("always", Self::Always)];
}

impl Word for OutOfMemory {
    const WHAT: &'static str = "answer to a want of memory";
    const WORDS: &'static [(&'static str, Self)] =
        &[("kill", Self::Kill), ("stop", Self::Stop), ("continue", Self::Continue)];
}

impl Word for SocketKind {
    const WHAT: &'static str = "type of a socket";
    const WORDS: &'static [(&'static str, Self)] = &[
        ("stream", Self::Stream),
        ("datagram", Self::Datagram),
        ("seqpacket", Self::Seqpacket),
        ("fifo", Self::Fifo),
    ];
}

impl Word for PathWhen {
    const WHAT: &'static str = "state of a path";
    const WORDS: &'static [(&'static str, Self)] =
        &[("exists", Self::Exists), ("not-empty", Self::NotEmpty), ("changed", Self::Changed)];
}

impl Word for Output {
    const WHAT: &'static str = "place for output";
    const WORDS: &'static [(&'static str, Self)] =
        &[("journal", Self::Journal), ("console", Self::Console), ("null", Self::Null)];
}

/// All signals that are no real-time ones, with their numbers on the targets we build for (x86-64
/// and ARM agree).
const SIGNALS: [(&str, i32); 33] = [
    ("SIGHUP", 1),
    ("SIGINT", 2),
    ("SIGQUIT", 3),
    ("SIGILL", 4),
    ("SIGTRAP", 5),
    ("SIGABRT", 6),
    ("SIGIOT", 6),
    ("SIGBUS", 7),
    ("SIGFPE", 8),
    ("SIGKILL", 9),
    ("SIGUSR1", 10),
    ("SIGSEGV", 11),
    ("SIGUSR2", 12),
    ("SIGPIPE", 13),
    ("SIGALRM", 14),
    ("SIGTERM", 15),
    ("SIGSTKFLT", 16),
    ("SIGCHLD", 17),
    ("SIGCONT", 18),
    ("SIGSTOP", 19),
    ("SIGTSTP", 20),
    ("SIGTTIN", 21),
    ("SIGTTOU", 22),
    ("SIGURG", 23),
    ("SIGXCPU", 24),
    ("SIGXFSZ", 25),
    ("SIGVTALRM", 26),
    ("SIGPROF", 27),
    ("SIGWINCH", 28),
    ("SIGIO", 29),
    ("SIGPOLL", 29),
    ("SIGPWR", 30),
    ("SIGSYS", 31),
];

/// The first real-time signal that is a program's own, and the last.
const REALTIME: (i32, i32) = (34, 64);

/// `SIGTERM`, `TERM`, `15`, `SIGRTMIN+3`, `SIGRTMAX-1`: what systemd takes.
pub(super) fn signal(text: &str) -> Checked<i32> {
    let name = text.strip_prefix("SIG").unwrap_or(text);
    let known = SIGNALS.iter().find(|(known, _)| known.strip_prefix("SIG") == Some(name));
    if let Some(number) = known.map(|(_, number)| *number).or_else(|| realtime(name)) {
        return Ok(number);
    }
    if let Some(number) = number(text).filter(|n| (1..=REALTIME.1).contains(n)) {
        return Ok(number);
    }
    let upper = text.to_ascii_uppercase();
    let full = if upper.starts_with("SIG") { upper } else { format!("SIG{upper}") };
    let help = did_you_mean(&full, SIGNALS.iter().map(|(name, _)| *name));
    Err(Bad {
        message: format!("no signal is called `{text}`"),
        help: Some(help.unwrap_or_else(|| {
            "a name like \"SIGTERM\", \"SIGRTMIN+3\" or \"SIGRTMAX-1\", up to 30".to_owned()
        })),
    })
}

/// `RTMIN`, `RTMIN+3`, `RTMAX-1`.
fn realtime(name: &str) -> Option<i32> {
    let (first, last) = REALTIME;
    let far = |rest: &str, sign| match rest {
        "" => Some(0),
        rest => rest.strip_prefix(sign).and_then(number),
    };
    let found = match (name.strip_prefix("RTMIN"), name.strip_prefix("RTMAX")) {
        (Some(rest), _) => first.checked_add(far(rest, '+')?)?,
        (_, Some(rest)) => last.checked_sub(far(rest, '-')?)?,
        _ => return None,
    };
    (first..=last).contains(&found).then_some(found)
}

/// Digits alone: what is parsed as a number may have a sign.
fn number(text: &str) -> Option<i32> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|_| digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_have_the_names_and_numbers_that_systemd_takes() {
        let all = [
            ("SIGTERM", 15),
            ("TERM", 15),
            ("15", 15),
            ("SIGPOLL", 29),
            ("SIGRTMIN", 34),
            ("SIGRTMIN+3", 37),
            ("RTMIN+30", 64),
            ("SIGRTMAX", 64),
            ("SIGRTMAX-30", 34),
            ("64", 64),
        ];
        for (text, number) in all {
            assert_eq!(signal(text).ok(), Some(number), "{text}");
        }
        let none = [
            "",
            "SIG",
            "0",
            "65",
            "+15",
            "-1",
            "sigterm",
            "SIGSIGTERM",
            "SIGRTMIN-1",
            "SIGRTMIN+31",
            "SIGRTMAX+1",
            "SIGRTMAX-31",
            "SIGRTMIN++1",
            "SIGRTMIN+",
            "SIGRTMIN+99999999999",
        ];
        for text in none {
            assert!(signal(text).is_err(), "{text}");
        }
    }
}
