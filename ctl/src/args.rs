//! The command line, cut into words by the table. What they mean is for `request`.

use std::ffi::OsString;

use lexopt::{Arg, Parser};

use crate::near::hint;
use crate::table::{COMMON, Command, Flag, Operand, Value, commands};

/// A command line that fits the table.
#[derive(Debug)]
pub struct Args {
    /// What to do; none if only help was asked for.
    pub command: Option<&'static Command>,
    /// Words of a group, when help was asked for it.
    pub group: Option<&'static str>,
    /// `--help`.
    pub help: bool,
    /// Options by their long name, in the order they came, with what followed them.
    pub options: Vec<(&'static str, String)>,
    /// What came after the words of the command.
    pub operands: Vec<String>,
}

/// A command line that does not, in words for the one who typed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Usage {
    /// What is wrong.
    pub why: String,
    /// Which help to read.
    pub help: String,
}

impl Args {
    /// Whether this option was given.
    #[must_use]
    pub fn has(&self, long: &str) -> bool {
        self.options.iter().any(|(name, _)| *name == long)
    }

    /// What followed this option; the last counts.
    #[must_use]
    pub fn value(&self, long: &str) -> Option<&str> {
        self.options.iter().rfind(|(name, _)| *name == long).map(|(_, value)| value.as_str())
    }

    /// All that followed this option.
    pub fn values(&self, long: &str) -> impl Iterator<Item = &str> {
        self.options.iter().filter(move |(name, _)| *name == long).map(|(_, value)| value.as_str())
    }

    /// A mistake in this command line.
    #[must_use]
    pub fn wrong(&self, why: impl Into<String>) -> Usage {
        let words = self.command.map(|command| command.name()).or(self.group.map(str::to_owned));
        let words = words.map(|words| format!("{words} ")).unwrap_or_default();
        Usage { why: why.into(), help: format!("ensctl {words}--help") }
    }

    /// Reads a command line, without the name of the program.
    ///
    /// # Errors
    /// [`Usage`].
    pub fn parse(line: impl IntoIterator<Item = OsString>) -> Result<Self, Usage> {
        let mut parser = Parser::from_args(line);
        let mut args =
            Self { command: None, group: None, help: false, options: vec![], operands: vec![] };
        loop {
            let word = match parser.next().map_err(|e| args.wrong(e.to_string()))? {
                None => break,
                Some(Arg::Short(letter)) => {
                    Err(args.flag(&letter.to_string(), |flag| flag.short == Some(letter))?)
                }
                Some(Arg::Long(name)) => {
                    let name = name.to_owned();
                    Err(args.flag(&name, |flag| flag.long == name)?)
                }
                Some(Arg::Value(word)) => Ok(word),
            };
            match word {
                Ok(word) => {
                    let word = word.into_string().map_err(|_| args.wrong("that is not UTF-8"))?;
                    args.word(word)?;
                    if args.command.is_some_and(|c| c.operand.takes_a_program())
                        && !args.operands.is_empty()
                    {
                        args.rest(&mut parser)?;
                    }
                }
                Err(Flag { long: "help", .. }) => args.help = true,
                Err(flag) => args.option(flag, &mut parser)?,
            }
        }
        if args.help || args.command.is_some() {
            args.check_operands()?;
            return Ok(args);
        }
        Err(args.wrong(match args.group {
            Some(group) => format!("which `{group}` command? One of {}", group_words(group)),
            None => "what shall I do?".to_owned(),
        }))
    }

    /// All that is left, whatever it looks like.
    fn rest(&mut self, parser: &mut Parser) -> Result<(), Usage> {
        let words = parser.raw_args().map_err(|e| self.wrong(e.to_string()))?;
        let between = |(at, word): &(usize, OsString)| {
            *at > 0 || word != "--" || self.command.is_none_or(|c| c.operand != Operand::Tried)
        };
        let words: Vec<OsString> =
            words.enumerate().filter(between).map(|(_, word)| word).collect();
        for word in words {
            let word = word.into_string().map_err(|_| self.wrong("that is not UTF-8"))?;
            self.operands.push(word);
        }
        Ok(())
    }

    /// A word that is not an option: of the command, or after it.
    fn word(&mut self, word: String) -> Result<(), Usage> {
        if let Some(command) = self.command {
            if command.operand == Operand::None {
                let mut why = format!("`{}` takes nothing more, but got `{word}`", command.name());
                if command.options().any(|flag| flag.value == Some(Value::Service)) {
                    why += &format!("; for one service: `ensctl {} -u {word}`", command.name());
                }
                return Err(self.wrong(why));
            }
            self.operands.push(word);
            return Ok(());
        }
        if self.group.is_none() && word == "help" {
            self.help = true;
            return Ok(());
        }
        let typed: Vec<&str> = self.group.into_iter().chain([word.as_str()]).collect();
        self.command = commands().find(|command| command.words == typed);
        let fits = |command: &&Command| command.words.starts_with(&typed);
        if self.command.is_some() {
            return Ok(());
        }
        if let Some(command) = commands().find(|command| fits(command)) {
            self.group = command.words.first().copied();
            return Ok(());
        }
        let known = commands().filter_map(|command| match (self.group, command.words) {
            (None, [first, ..]) => Some(*first),
            (Some(group), [first, second]) if group == *first => Some(*second),
            _ => None,
        });
        let name = typed.join(" ");
        Err(self.wrong(format!("there is no command `{name}`{}", hint(&word, known))))
    }

    /// The option of this name.
    fn flag(&self, name: &str, is: impl Fn(&Flag) -> bool) -> Result<&'static Flag, Usage> {
        let known = || -> Box<dyn Iterator<Item = &'static Flag>> {
            match self.command {
                Some(command) => Box::new(command.options()),
                None => Box::new(COMMON.iter()),
            }
        };
        if let Some(flag) = known().find(|flag| is(flag)) {
            return Ok(flag);
        }
        if self.command.is_none() && commands().any(|c| c.options().any(&is)) {
            let why = format!("the command comes first, then its option `{}`", dashes(name));
            return Err(self.wrong(why));
        }
        let hint = hint(name, known().map(|flag| flag.long)).replace('`', "`--");
        let hint = hint.replacen("--?", "?", 1);
        Err(self.wrong(format!("there is no option `{}` here{hint}", dashes(name))))
    }

    fn option(&mut self, flag: &'static Flag, parser: &mut Parser) -> Result<(), Usage> {
        let Some(wanted) = &flag.value else {
            self.options.push((flag.long, String::new()));
            return Ok(());
        };
        let value = parser.value().ok().and_then(|value| value.into_string().ok());
        let Some(value) = value else {
            let why = match wanted {
                Value::OneOf(_, words) => format!("one of {}", words.join(", ")),
                Value::Service => "the name of a service".to_owned(),
                Value::Text(what) => (*what).to_owned(),
            };
            return Err(self.wrong(format!("`--{}` needs {why}", flag.long)));
        };
        self.options.push((flag.long, value));
        Ok(())
    }

    fn check_operands(&self) -> Result<(), Usage> {
        let Some(command) = self.command.filter(|_| !self.help) else { return Ok(()) };
        match (command.operand, self.operands.as_slice()) {
            (Operand::Service | Operand::Services, []) => {
                Err(self.wrong(format!("`{}` needs the name of a service", command.name())))
            }
            (Operand::Scored, []) => {
                Err(self.wrong("`sandbox score` needs a service, or the file of a profile"))
            }
            (Operand::Tried, [] | [_]) => {
                Err(self.wrong("`sandbox try` needs the name of a profile and a program"))
            }
            (Operand::Program, []) => {
                Err(self.wrong(format!("`{}` needs a program", command.name())))
            }
            (
                Operand::Service
                | Operand::MaybeService
                | Operand::Scored
                | Operand::File
                | Operand::OneOf(..),
                [_, more, ..],
            ) => Err(self.wrong(format!("`{}` takes one, but got `{more}` too", command.name()))),
            (Operand::Words(names, least, most), given) => match given.get(most) {
                Some(more) => {
                    let name = command.name();
                    Err(self.wrong(format!("`{name}` takes {names}, but got `{more}` too")))
                }
                None if given.len() < least => {
                    Err(self.wrong(format!("`{}` needs {names}", command.name())))
                }
                None => Ok(()),
            },
            (Operand::OneOf(what, words), []) => {
                Err(self.wrong(format!("which {what}? One of {}", words.join(", "))))
            }
            (Operand::OneOf(what, words), [word]) if !words.contains(&word.as_str()) => {
                let hint = hint(word, words.iter().copied());
                let known = words.join(", ");
                Err(self.wrong(format!("`{word}` is no {what} I know (I know {known}){hint}")))
            }
            _ => Ok(()),
        }
    }
}

fn group_words(group: &str) -> String {
    let words = commands().filter_map(|command| match command.words {
        [first, second] if *first == group => Some(*second),
        _ => None,
    });
    words.collect::<Vec<_>>().join(", ")
}

fn dashes(name: &str) -> String {
    let dashes = if name.chars().count() == 1 { "-" } else { "--" };
    format!("{dashes}{name}")
}

/// A line as people write it, and the second of its words, which groups of commands read.
#[cfg(test)]
pub(crate) fn line(text: &str) -> Result<(&'static str, Args), Usage> {
    let args = Args::parse(text.split(' ').map(OsString::from))?;
    let word = args.command.and_then(|command| command.words.get(1)).copied();
    Ok((word.unwrap_or_default(), args))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Args, Usage> {
        Args::parse(line.split_whitespace().map(OsString::from))
    }

    fn wrong(line: &str) -> String {
        let usage = parse(line).unwrap_err();
        format!("{} ({})", usage.why, usage.help)
    }

    #[test]
    fn options_may_stand_anywhere_after_their_command() {
        let args = parse("--json service logs -n5 -fp err web --grep=a=b").unwrap();
        assert_eq!(args.command.unwrap().name(), "service logs");
        assert_eq!(args.operands, ["web"]);
        assert_eq!((args.value("lines"), args.value("grep")), (Some("5"), Some("a=b")));
        assert_eq!(args.value("priority"), Some("err"));
        assert!(args.has("json") && args.has("follow") && !args.has("boot"));
    }

    #[test]
    fn help_is_there_for_everything() {
        for line in ["--help", "help", "service --help", "service stop -h", "log --help"] {
            assert!(parse(line).unwrap().help, "{line}");
        }
    }

    #[test]
    fn mistakes_are_told_with_a_way_out() {
        let all: Vec<String> = [
            "",
            "staus",
            "service",
            "service lst",
            "service start",
            "log web",
            "status --wiat",
            "--wait status",
            "log -n",
            "log -p",
            "log -o",
            "log -x",
            "boot a b",
            "completion",
            "completion bsh",
            "status --wait=3",
        ]
        .iter()
        .map(|line| wrong(line))
        .collect();
        insta::assert_snapshot!(all.join("\n"), @r#"
        what shall I do? (ensctl --help)
        there is no command `staus`; did you mean `status`? (ensctl --help)
        which `service` command? One of list, status, start, stop, restart, reload, reset, freeze, thaw, enable, disable, show, diff, tree, why, wait, run, logs (ensctl service --help)
        there is no command `service lst`; did you mean `list`? (ensctl service --help)
        `service start` needs the name of a service (ensctl service start --help)
        `log` takes nothing more, but got `web`; for one service: `ensctl log -u web` (ensctl log --help)
        there is no option `--wiat` here; did you mean `--wait`? (ensctl status --help)
        the command comes first, then its option `--wait` (ensctl --help)
        `--lines` needs N (ensctl log --help)
        `--priority` needs one of emerg, alert, crit, err, warning, notice, info, debug (ensctl log --help)
        `--output` needs one of short, json, export (ensctl log --help)
        there is no option `-x` here (ensctl log --help)
        `boot` takes one, but got `b` too (ensctl boot --help)
        which SHELL? One of bash, zsh, fish (ensctl completion --help)
        `bsh` is no SHELL I know (I know bash, zsh, fish); did you mean `bash`? (ensctl completion --help)
        unexpected argument for option '--wait': "3" (ensctl status --help)
        "#);
    }

    proptest::proptest! {
        #[test]
        fn no_command_line_makes_it_panic(
            words in proptest::collection::vec("(-{0,2}[a-z=]{0,8}|service|log|-n|--since)", 0..6)
        ) {
            let _ = Args::parse(words.into_iter().map(OsString::from));
        }
    }
}
