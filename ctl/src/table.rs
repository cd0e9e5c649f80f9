//! Every command and option, once. Parser, help and completion are driven by this table.

mod options;

pub use options::{COMMON, PRIORITIES, STATES};
use options::{DECIDE, DRY_RUN, LEARN, LOG, RUN, SCORE, UNIT, flag, with};

/// A command.
#[derive(Debug)]
pub struct Command {
    /// Its words: one, or two for those of a group.
    pub words: &'static [&'static str],
    /// One line for the list of commands.
    pub about: &'static str,
    /// What comes after its words.
    pub operand: Operand,
    /// Its own options; [`COMMON`] come on top.
    pub flags: &'static [&'static [Flag]],
    /// More for `--help`.
    pub notes: &'static str,
}

/// An option.
#[derive(Debug, PartialEq, Eq)]
pub struct Flag {
    /// One letter, if it has one.
    pub short: Option<char>,
    /// Its name, which is also what the parser calls it.
    pub long: &'static str,
    /// What follows it, if anything does.
    pub value: Option<Value>,
    /// One line for `--help`.
    pub about: &'static str,
}

/// What follows an option.
#[derive(Debug, PartialEq, Eq)]
pub enum Value {
    /// Any text, called this in the help.
    Text(&'static str),
    /// The name of a service.
    Service,
    /// One of these words.
    OneOf(&'static str, &'static [&'static str]),
}

/// What follows the words of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operand {
    /// Nothing.
    None,
    /// The name of one service.
    Service,
    /// Names of services, at least one.
    Services,
    /// The name of one service, or nothing.
    MaybeService,
    /// A program and its arguments; what follows the first word is all theirs.
    Program,
    /// The name of a profile, then a program and its arguments; `--` may stand between.
    Tried,
    /// The name of one service, or the file of a profile.
    Scored,
    /// The name of a file, or nothing.
    File,
    /// One of these words.
    OneOf(&'static str, &'static [&'static str]),
    /// Words, called this in the help, so many at least and at most.
    Words(&'static str, usize, usize),
}

/// All commands, in the order of the help.
pub const COMMANDS: &[Command] = &[
    Command {
        words: &["status"],
        about: "Is the device well? What has failed, and why",
        operand: Operand::None,
        flags: &[&[flag(None, "wait", "Wait until every enabled service is ready or has failed")]],
        notes: "Exit status 0 when the device is ready, 1 when it is starting, degraded or going down.",
    },
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
    command(
        &["security"],
        "What protects the device, layer by layer",
        Operand::None,
        "Exit status 0 whatever is missing.",
    ),
    Command {
        words: &["reload"],
        about: "Read the definitions of services again",
        operand: Operand::None,
        flags: &[DRY_RUN],
        notes: "Services whose definition changed and which run are restarted. A mistake in any file changes\nnothing. Own definitions are in /etc/ensemble/services.",
    },
    command(
        &["param", "get"],
        "Print the value of a parameter",
        Operand::Words("NAME", 1, 1),
        "`service.NAME` is the state of that service in one word.",
    ),
    command(
        &["param", "set"],
        "Give a parameter a value",
        Operand::Words("NAME VALUE", 2, 2),
        "`persist.NAME` is kept over reboots, and answered when it is on disk. `const.NAME` is set once.\nOthers last till the device reboots. Services may be started by a value.",
    ),
    command(
        &["param", "list"],
        "All parameters, or those whose names begin with PREFIX",
        Operand::Words("[PREFIX]", 0, 1),
        "",
    ),
    Command {
        words: &["param", "wait"],
        about: "Wait until a parameter has a value",
        operand: Operand::Words("NAME VALUE", 2, 2),
        flags: &[&[with(
            None,
            "timeout",
            Value::Text("TIME"),
            "At most so long: `5s`, `2m`; 30s when not said",
        )]],
        notes: "VALUE `*` is any. Prints the value; exit status 1 when the time is over.",
    },
    command(
        &["param", "watch"],
        "Print parameters, then each change of them",
        Operand::Words("[PREFIX]", 0, 1),
        "Those whose names begin with PREFIX; all of them without.",
    ),
    Command {
        words: &["log"],
        about: "The log of the device",
        operand: Operand::None,
        flags: &[UNIT, LOG],
        notes: "`--json` is `-o json`. Times are in the time zone of the device.",
    },
    Command {
        words: &["boot"],
        about: "What the boot spent its time on",
        operand: Operand::File,
        flags: &[&[flag(None, "svg", "Draw a chart, into FILE or to standard output")]],
        notes: "First the chain of services that took longest one after the other, then all of them.",
    },
    command(
        &["poweroff"],
        "Stop everything and switch off",
        Operand::None,
        "Answers when the stop has begun.",
    ),
    command(
        &["reboot"],
        "Stop everything and boot again",
        Operand::None,
        "Answers when the stop has begun.",
    ),
    command(
        &["halt"],
        "Stop everything and leave the power on",
        Operand::None,
        "Answers when the stop has begun.",
    ),
    command(
        &["completion"],
        "Print a completion script for a shell",
        Operand::OneOf("SHELL", &["bash", "zsh", "fish"]),
        "bash: source <(ensctl completion bash)\nzsh:  source <(ensctl completion zsh)\nfish: ensctl completion fish | source",
    ),
    command(&["version"], "Print the version of ensctl", Operand::None, ""),
];

impl Command {
    /// Its words with blanks between.
    #[must_use]
    pub fn name(&self) -> String {
        self.words.join(" ")
    }

    /// All its options, its own first.
    pub fn options(&self) -> impl Iterator<Item = &'static Flag> + use<> {
        self.flags.iter().copied().flatten().chain(COMMON)
    }
}

impl Operand {
    /// Whether what follows the first word belongs to a program.
    #[must_use]
    pub fn takes_a_program(self) -> bool {
        matches!(self, Self::Program | Self::Tried)
    }

    /// As it stands in a usage line, with a blank before it.
    #[must_use]
    pub fn usage(self) -> String {
        match self {
            Self::None => String::new(),
            Self::Service => " NAME".to_owned(),
            Self::Services => " NAME...".to_owned(),
            Self::MaybeService => " [NAME]".to_owned(),
            Self::Program => " PROGRAM [ARGUMENT...]".to_owned(),
            Self::Tried => " PROFILE -- PROGRAM [ARGUMENT...]".to_owned(),
            Self::Scored => " NAME|FILE.toml".to_owned(),
            Self::File => " [FILE]".to_owned(),
            Self::OneOf(_, words) => format!(" {}", words.join("|")),
            Self::Words(names, ..) => format!(" {names}"),
        }
    }
}

const fn command(
    words: &'static [&'static str],
    about: &'static str,
    operand: Operand,
    notes: &'static str,
) -> Command {
    Command { words, about, operand, flags: &[], notes }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_command_has_the_same_option_twice() {
        for command in COMMANDS {
            let mut longs: Vec<_> = command.options().map(|flag| flag.long).collect();
            let mut shorts: Vec<_> = command.options().filter_map(|flag| flag.short).collect();
            let before = (longs.len(), shorts.len());
            longs.sort_unstable();
            longs.dedup();
            shorts.sort_unstable();
            shorts.dedup();
            assert_eq!(before, (longs.len(), shorts.len()), "{}", command.name());
        }
    }
}
