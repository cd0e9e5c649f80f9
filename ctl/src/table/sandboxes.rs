//! `ensctl sandbox` and `ensctl permission`.

use super::options::{DECIDE, LEARN, SCORE, flag};
use super::{Command, Operand, command};

pub(super) const SANDBOXES: &[Command] = &[
    command(
        &["sandbox", "explain"],
        "What a service may do, with the file and line of each rule",
        Operand::Service,
        "What is told is what is in force. What has no line holds because nothing is said about it.",
    ),
    Command {
        words: &["sandbox", "score"],
        about: "Try the attack set inside the sandbox of a service, and tell what got through",
        operand: Operand::Scored,
        flags: &[SCORE],
        notes: "Only in images for development, as root. The attacks run as the service would, beside a victim of their\nown. What could hurt the device is not tried, and never counts as blocked. FILE is a profile.\nExit status 0 when nothing got through, 1 when something did.",
    },
    Command {
        words: &["sandbox", "learn"],
        about: "Run a program, and print the smallest profile with which it does the same",
        operand: Operand::Program,
        flags: &[LEARN],
        notes: "It runs here and now, as you, in no sandbox, and the exit status is its own. The profile comes to standard\noutput when the program and all that it started have ended; `ensctl sandbox try FILE -- PROGRAM` runs it in\nit. Only in images for development. Exit status 125 if nothing could be learned.",
    },
    command(
        &["sandbox", "try"],
        "Run a program in a profile, and end as it does",
        Operand::Tried,
        "It runs as a service of the moment, as root, reads nothing, and what it writes comes here. The profile is\na file, or the name of one in /usr/lib/ensemble/sandbox or /etc/ensemble/sandbox. Exit status 128 and the\nsignal's number when one killed it.",
    ),
    command(
        &["sandbox", "why"],
        "What a service was killed for, and which line to change",
        Operand::Service,
        "From the log. Only calls that kill leave a record.",
    ),
    command(
        &["permission", "list"],
        "What services ask for, and what was decided",
        Operand::MaybeService,
        "Without NAME: of all services. Decisions without effect are listed too. With --json `since` is in seconds\nsince 1970.",
    ),
    command(
        &["permission", "show"],
        "What a permission gives, with the file and line of each rule, and to whom",
        Operand::Words("PERMISSION", 1, 1),
        "",
    ),
    Command {
        words: &["permission", "grant"],
        about: "Let a service have what it asks for",
        operand: Operand::Words("SERVICE PERMISSION", 2, 2),
        flags: &[&[flag(None, "now", "Restart it if it runs, so that it has it at once")], DECIDE],
        notes: "Only root may. What the kernel has to allow counts from the next start of the service on, names of the\nsystem bus count at once. The decision is kept over reboots and updates.",
    },
    Command {
        words: &["permission", "revoke"],
        about: "Take a permission from a service, at once",
        operand: Operand::Words("SERVICE PERMISSION", 2, 2),
        flags: &[&[flag(None, "gently", "Stop it in its own time instead of killing it")], DECIDE],
        notes: "Only root may. All processes of a service that the kernel can't take it from are killed, and it starts\nagain without; that is not counted as a failure.",
    },
    Command {
        words: &["permission", "reset"],
        about: "Forget what was decided about a service",
        operand: Operand::Service,
        flags: &[DECIDE],
        notes: "Only root may. What it had it loses as by `ensctl permission revoke`.",
    },
];
