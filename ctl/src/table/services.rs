//! `ensctl service`.

use super::options::{DRY_RUN, LOG, RUN, flag, with};
use super::{Command, Operand, STATES, Value, command};

pub(super) const SERVICES: &[Command] = &[
    command(&["service", "list"], "All services and how they are", Operand::None, ""),
    command(&["service", "status"], "One service in full", Operand::Services, ""),
    Command {
        words: &["service", "start"],
        about: "Start services and what they need",
        operand: Operand::Services,
        flags: &[DRY_RUN],
        notes: "Answers when they are ready or have failed. NAME may be an instance of a template:\n`getty@tty2`.",
    },
    Command {
        words: &["service", "stop"],
        about: "Stop services and those which require them",
        operand: Operand::Services,
        flags: &[DRY_RUN],
        notes: "Answers when their processes are gone.",
    },
    Command {
        words: &["service", "restart"],
        about: "Stop and start services, and bring back those which require them",
        operand: Operand::Services,
        flags: &[DRY_RUN],
        notes: "Answers when they are ready or have failed.",
    },
    command(
        &["service", "reload"],
        "Let services read their configuration anew",
        Operand::Services,
        "Answers when they have. Only for services whose TOML says how.",
    ),
    command(
        &["service", "reset"],
        "Forget that services have failed",
        Operand::Services,
        "They are off then, and may start again.",
    ),
    command(
        &["service", "freeze"],
        "Let all processes of services stand still",
        Operand::Services,
        "`ensctl service thaw` lets them go on.",
    ),
    command(&["service", "thaw"], "Let frozen services go on", Operand::Services, ""),
    Command {
        words: &["service", "enable"],
        about: "Start services at each boot",
        operand: Operand::Services,
        flags: &[&[flag(None, "now", "And start them now, or let their triggers do so")]],
        notes: "Kept in /etc/ensemble/services.toml.",
    },
    Command {
        words: &["service", "disable"],
        about: "Do not start services at boot",
        operand: Operand::Services,
        flags: &[&[flag(None, "now", "And stop them now")]],
        notes: "Kept in /etc/ensemble/services.toml. Others may still require them.",
    },
    command(
        &["service", "show"],
        "The TOML of a service, file by file",
        Operand::Service,
        "The definition first, then the drop-ins over it.",
    ),
    command(
        &["service", "diff"],
        "What differs from the definitions of the image",
        Operand::MaybeService,
        "Of one service, or of all. Exit status 1 when something differs.",
    ),
    Command {
        words: &["service", "tree"],
        about: "What a service needs, as a tree",
        operand: Operand::MaybeService,
        flags: &[&[flag(Some('r'), "reverse", "What needs it instead")]],
        notes: "Without NAME: everything that starts at boot.",
    },
    command(
        &["service", "why"],
        "Why a service is where it is: what holds it up, and what pulled it in",
        Operand::Service,
        "",
    ),
    Command {
        words: &["service", "wait"],
        about: "Wait until a service is in a state",
        operand: Operand::Service,
        flags: &[&[
            with(None, "for", Value::OneOf("STATE", STATES), "Which state; ready when not said"),
            with(None, "timeout", Value::Text("TIME"), "At most so long: `30s`, `2m`"),
        ]],
        notes: "`ready` is also reached when the service is done. Exit status 1 when it fails or the time is over.",
    },
    Command {
        words: &["service", "run"],
        about: "Run a program as a service of its own, with limits",
        operand: Operand::Program,
        flags: &[RUN],
        notes: "The service is forgotten when it has ended. Its output is in the log. With --wait and --pipe, the exit\nstatus is that of the program, 128 and the signal that ended it, or 1 when it could not be started.",
    },
    Command {
        words: &["service", "logs"],
        about: "The log of one service",
        operand: Operand::Service,
        flags: &[LOG],
        notes: "The same as `ensctl log -u NAME`.",
    },
];
