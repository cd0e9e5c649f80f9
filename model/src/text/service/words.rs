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

/// Signals that ask a program for something, with their numbers on the targets we build for
/// (x86-64 and ARM agree).
const SIGNALS: [(&str, i32); 18] = [
    ("SIGHUP", 1),
    ("SIGINT", 2),
    ("SIGQUIT", 3),
    ("SIGABRT", 6),
    ("SIGKILL", 9),
    ("SIGUSR1", 10),
    ("SIGUSR2", 12),
    ("SIGPIPE", 13),
    ("SIGALRM", 14),
    ("SIGTERM", 15),
    ("SIGCONT", 18),
    ("SIGTSTP", 20),
    ("SIGTTIN", 21),
    ("SIGTTOU", 22),
    ("SIGURG", 23),
    ("SIGWINCH", 28),
    ("SIGIO", 29),
    ("SIGPWR", 30),
];

/// The first real-time signal that is a program's own, and the last.
const REALTIME: (i32, i32) = (34, 64);

/// `SIGTERM`, `SIGRTMIN+3`.
pub(super) fn signal(text: &str) -> Checked<i32> {
    if let Some((_, number)) = SIGNALS.iter().find(|(name, _)| *name == text) {
        return Ok(*number);
    }
    let (first, last) = REALTIME;
    let plus = text.strip_prefix("SIGRTMIN+").and_then(|n| n.parse::<i32>().ok());
    if let Some(plus) = plus.filter(|plus| (0..=last - first).contains(plus)) {
        return Ok(first + plus);
    }
    let upper = text.to_ascii_uppercase();
    let full = if upper.starts_with("SIG") { upper } else { format!("SIG{upper}") };
    let help = did_you_mean(&full, SIGNALS.iter().map(|(name, _)| *name));
    Err(Bad {
        message: format!("no signal is called `{text}`"),
        help: Some(help.unwrap_or_else(|| "a name like \"SIGTERM\" or \"SIGRTMIN+3\"".to_owned())),
    })
}
