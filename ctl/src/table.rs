//! Every command and option, once. Parser, help and completion are driven by this table.

mod apps;
mod background;
mod choices;
mod devices;
mod lock;
mod options;
mod sandboxes;
mod services;
mod stores;

use apps::APPS;
use background::BACKGROUND;
use choices::CHOICES;
use devices::DEVICES;
pub use devices::{LABELS, LEVELS};
use lock::LOCK;
pub use options::{COMMON, PRIORITIES, STATES};
use options::{DRY_RUN, LOG, UNIT, flag, with};
use sandboxes::SANDBOXES;
use services::SERVICES;
use stores::STORES;

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
pub fn commands() -> impl Iterator<Item = &'static Command> + Clone {
    [HEALTH, SERVICES, SANDBOXES, APPS, STORES, CHOICES, BACKGROUND, LOCK, DEVICES, DEVICE]
        .into_iter()
        .flatten()
}

const HEALTH: &[Command] = &[Command {
    words: &["status"],
    about: "Is the device well? What has failed, and why",
    operand: Operand::None,
    flags: &[&[flag(None, "wait", "Wait until every enabled service is ready or has failed")]],
    notes: "Exit status 0 when the device is ready, 1 when it is starting, degraded or going down.",
}];

const DEVICE: &[Command] = &[
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
        for command in commands() {
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
