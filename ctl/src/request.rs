//! What is to be done, with every value checked.

use std::time::Duration;

use api::journal::Query;
use api::pid1::End;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::abilities;
use crate::apps;
use crate::args::{Args, Usage};
use crate::background;
use crate::choices;
use crate::devices;
use crate::far;
use crate::forms;
use crate::lock;
use crate::near::hint;
use crate::params;
use crate::permission;
use crate::sandbox;
use crate::score;
use crate::stores;
use crate::table::{PRIORITIES, STATES};
use crate::time;

/// Records that `log --follow` starts with unless told otherwise.
pub const FOLLOW_LINES: u32 = 10;

/// One thing to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Request {
    /// Print this help.
    Help(String),
    /// Show how the device is.
    Status {
        /// Once it is settled.
        wait: bool,
    },
    /// Show all services.
    List,
    /// Show these services.
    Show(Vec<String>),
    /// Do something with these services.
    Job(Job, Vec<String>),
    /// Say what a job would do.
    Rehearse(Job, Vec<String>),
    /// Print the files that define a service.
    Files(String),
    /// Print what differs from the image, of one service or of all.
    Diff(Option<String>),
    /// Draw what a service needs, or what needs it.
    Tree {
        /// Which one; all that start at boot when absent.
        name: Option<String>,
        /// What needs it.
        reverse: bool,
    },
    /// Tell why a service is where it is.
    Why(String),
    /// Wait until a service is in a state.
    Wait {
        /// Which service.
        name: String,
        /// Which state.
        state: String,
        /// How long at most.
        limit: Option<Duration>,
    },
    /// Run a program as a service.
    Run {
        /// What it is called.
        name: String,
        /// Its definition.
        definition: String,
        /// Until it has ended.
        wait: bool,
        /// What it writes comes here.
        pipe: bool,
    },
    /// Read the definitions of services again.
    Reload {
        /// Only say what would change.
        dry_run: bool,
    },
    /// What protects the device.
    Security,
    /// What this service was killed for.
    Refusals(String),
    /// Learn a profile from what a program does, with this command line.
    Learn(Vec<String>),
    /// Look at sandboxes, or try them.
    Sandbox(sandbox::Ask),
    /// Attack a sandbox.
    Score(score::Ask),
    /// Look at permissions, or decide about them.
    Permission(permission::Ask),
    /// Look after apps.
    App(apps::Ask),
    /// Look after what runs of them.
    Ability(abilities::Ask),
    /// Choose which of them does something.
    Choice(choices::Ask),
    /// Look after cards.
    Form(forms::Ask),
    /// Look after what they do while nobody looks.
    Background(background::Ask),
    /// Look at the lock of the device, or use it.
    Lock(lock::Ask),
    /// Look after stores of apps.
    Store(stores::Ask),
    /// Look after other devices of the owner.
    Device(devices::Ask),
    /// Do something on one of them.
    Far(far::Ask),
    /// Look at parameters, or set them.
    Param(params::Ask),
    /// Show the log.
    Log(Query, Form),
    /// Show the boot.
    Boot,
    /// Draw the boot, into a file or to standard output.
    Chart(Option<String>),
    /// Bring the device down.
    Down(End),
    /// Print a completion script.
    Completion(Shell),
    /// Print the version.
    Version,
}

/// What to do with a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Job {
    /// Start it.
    Start,
    /// Stop it.
    Stop,
    /// Stop and start it.
    Restart,
    /// Let it read its configuration anew.
    Reload,
    /// Forget its failures.
    Reset,
    /// Let it stand still.
    Freeze,
    /// Let it go on.
    Thaw,
    /// Start it at boot, and now if true.
    Enable(bool),
    /// Do not start it at boot, and stop it now if true.
    Disable(bool),
}

impl Job {
    /// The word for those that are one transaction, whatever is named.
    pub(crate) fn word(self) -> Option<&'static str> {
        match self {
            Self::Start => Some("start"),
            Self::Stop => Some("stop"),
            Self::Restart => Some("restart"),
            _ => None,
        }
    }
}

/// How log records are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A line each, for people.
    Short,
    /// A JSON object a line.
    Json,
    /// As journal sent it.
    Export,
}

/// A shell that completes commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shell {
    /// bash.
    Bash,
    /// zsh.
    Zsh,
    /// fish.
    Fish,
}

impl Request {
    /// From a command line. `now` and `zone` are asked for only when a time is read.
    ///
    /// # Errors
    /// [`Usage`]: a value makes no sense.
    pub fn from_args(
        args: &Args,
        now: impl FnOnce() -> (Timestamp, TimeZone),
    ) -> Result<Self, Usage> {
        let help = || Self::Help(crate::help::help(args.group, args.command));
        let Some(command) = args.command.filter(|_| !args.help) else { return Ok(help()) };
        let operands = || args.operands.clone();
        Ok(match command.words {
            ["status"] => Self::Status { wait: args.has("wait") },
            ["service", "list"] => Self::List,
            ["service", "status"] => Self::Show(operands()),
            ["service", "show"] => Self::Files(one(args)),
            ["service", "diff"] => Self::Diff(args.operands.first().cloned()),
            ["service", "tree"] => {
                Self::Tree { name: args.operands.first().cloned(), reverse: args.has("reverse") }
            }
            ["service", "why"] => Self::Why(one(args)),
            ["service", "wait"] => wait(args)?,
            ["service", "run"] => crate::transient::request(args)?,
            ["reload"] => Self::Reload { dry_run: args.has("dry-run") },
            ["service", "logs"] | ["log"] => Self::Log(query(args, now)?, form(args)?),
            ["boot"] => boot(args)?,
            ["poweroff"] => Self::Down(End::PowerOff),
            ["reboot"] => Self::Down(End::Reboot),
            ["halt"] => Self::Down(End::Halt),
            ["completion"] => match args.operands.first().map(String::as_str) {
                Some("zsh") => Self::Completion(Shell::Zsh),
                Some("fish") => Self::Completion(Shell::Fish),
                _ => Self::Completion(Shell::Bash),
            },
            ["version"] => Self::Version,
            ["security"] => Self::Security,
            ["sandbox", "why"] => Self::Refusals(one(args)),
            ["sandbox", "score"] => Self::Score(score::Ask::from_args(args)?),
            ["sandbox", "learn"] => Self::Learn(crate::learn::line(args)),
            ["sandbox", word] => Self::Sandbox(sandbox::Ask::from_args(word, args)),
            ["permission", word] => match apps::Ask::from_permission(word, args) {
                Some(ask) => Self::App(ask),
                None => Self::Permission(permission::Ask::from_args(word, args)),
            },
            ["app" | "store", word]
                if let [group, _] = command.words
                    && let Some(ask) = stores::Ask::from_args(group, word, args) =>
            {
                Self::Store(ask)
            }
            ["app", word] => Self::App(apps::Ask::from_args(word, args)),
            ["ability", word] if let Some(ask) = choices::Ask::from_args(word, args)? => {
                Self::Choice(ask)
            }
            ["ability", word] if let Some(ask) = forms::Ask::from_args(word, args)? => {
                Self::Form(ask)
            }
            ["ability", word] if let Some(ask) = background::Ask::from_args(word, args)? => {
                Self::Background(ask)
            }
            ["ability", word] => Self::Ability(abilities::Ask::from_args(word, args)?),
            ["lock", word] => Self::Lock(lock::Ask::from_word(word)),
            ["device", word] => Self::Device(devices::Ask::from_args(word, args)?),
            ["run" | "forward"] | ["file", _] => {
                far::Ask::from_args(command.words, args)?.map_or_else(help, Self::Far)
            }
            ["param", word] => Self::Param(params::Ask::from_args(word, args)?),
            ["service", word] => match job(word, args.has("now")) {
                Some(job) if args.has("dry-run") => Self::Rehearse(job, operands()),
                Some(job) => Self::Job(job, operands()),
                None => help(),
            },
            _ => help(),
        })
    }
}

fn job(word: &str, now: bool) -> Option<Job> {
    Some(match word {
        "start" => Job::Start,
        "stop" => Job::Stop,
        "restart" => Job::Restart,
        "reload" => Job::Reload,
        "reset" => Job::Reset,
        "freeze" => Job::Freeze,
        "thaw" => Job::Thaw,
        "enable" => Job::Enable(now),
        "disable" => Job::Disable(now),
        _ => return None,
    })
}

/// The one operand; the parser has seen to it that there is one.
fn one(args: &Args) -> String {
    args.operands.first().cloned().unwrap_or_default()
}

fn wait(args: &Args) -> Result<Request, Usage> {
    let state = args.value("for").unwrap_or("ready").to_owned();
    if !STATES.contains(&state.as_str()) {
        let known = STATES.join(", ");
        return Err(args.wrong(format!("`--for {state}`: one of {known}")));
    }
    let limit = args.value("timeout").map(|text| {
        let time = text.parse::<jiff::SignedDuration>().ok();
        time.and_then(|t| Duration::try_from(t).ok()).ok_or_else(|| {
            args.wrong(format!("`--timeout {text}`: how long? For example `30s` or `2m`"))
        })
    });
    Ok(Request::Wait { name: one(args), state, limit: limit.transpose()? })
}

fn boot(args: &Args) -> Result<Request, Usage> {
    let file = args.operands.first().cloned();
    match (args.has("svg"), file) {
        (true, file) => Ok(Request::Chart(file)),
        (false, None) => Ok(Request::Boot),
        (false, Some(file)) => {
            Err(args.wrong(format!("a file is only for a chart: `ensctl boot --svg {file}`")))
        }
    }
}

fn query(args: &Args, now: impl FnOnce() -> (Timestamp, TimeZone)) -> Result<Query, Usage> {
    let follow = args.has("follow");
    let lines = match args.value("lines") {
        Some(text) => Some(text.parse().map_err(|_| {
            args.wrong(format!("`--lines {text}`: how many records? A number such as 20"))
        })?),
        None => (follow && args.value("since").is_none()).then_some(FOLLOW_LINES),
    };
    let since = match args.value("since") {
        None => None,
        Some(text) => {
            let (now, zone) = now();
            Some(time::since(text, now, &zone).ok_or_else(|| {
                let examples = "`10 min ago`, `12:30`, `yesterday` or `2026-01-31 12:30:00`";
                args.wrong(format!("`--since {text}`: which time? For example {examples}"))
            })?)
        }
    };
    Ok(Query {
        unit: args.value("unit").or(args.operands.first().map(String::as_str)).map(str::to_owned),
        boot: args.has("boot").then(|| "this".to_owned()),
        priority: args.value("priority").map(|text| priority(args, text)).transpose()?,
        since,
        grep: args.value("grep").map(str::to_owned),
        lines,
        follow,
        cursor: None,
    })
}

fn priority(args: &Args, text: &str) -> Result<u8, Usage> {
    let word = match text {
        "error" => "err",
        "warn" => "warning",
        text => text,
    };
    let place = PRIORITIES.iter().position(|known| *known == word);
    let number = place.or_else(|| text.parse().ok().filter(|n| *n < PRIORITIES.len()));
    number.and_then(|number| u8::try_from(number).ok()).ok_or_else(|| {
        let hint = hint(text, PRIORITIES.iter().copied());
        args.wrong(format!("`--priority {text}`: 0 to 7 or one of {}{hint}", PRIORITIES.join(", ")))
    })
}

fn form(args: &Args) -> Result<Form, Usage> {
    match args.value("output") {
        None if args.has("json") => Ok(Form::Json),
        None | Some("short") => Ok(Form::Short),
        Some("json") => Ok(Form::Json),
        Some("export") => Ok(Form::Export),
        Some(other) => {
            let hint = hint(other, ["short", "json", "export"]);
            Err(args.wrong(format!("`--output {other}`: one of short, json, export{hint}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &[&str]) -> Result<Request, String> {
        let now = || ("2026-01-31T12:30:00Z".parse().unwrap(), TimeZone::UTC);
        let args = Args::parse(line.iter().map(Into::into)).map_err(|usage| usage.why)?;
        Request::from_args(&args, now).map_err(|usage| usage.why)
    }

    #[test]
    fn a_command_line_becomes_a_request() {
        assert_eq!(read(&["status", "--wait"]), Ok(Request::Status { wait: true }));
        assert_eq!(
            read(&["service", "stop", "a", "b"]),
            Ok(Request::Job(Job::Stop, vec!["a".into(), "b".into()]))
        );
        assert_eq!(read(&["boot", "--svg", "x.svg"]), Ok(Request::Chart(Some("x.svg".into()))));
        let asked = "log -b -u web -n 5 -p warn -g disk -o export".split(' ').collect::<Vec<_>>();
        let query = Query {
            unit: Some("web".into()),
            boot: Some("this".into()),
            priority: Some(4),
            grep: Some("disk".into()),
            lines: Some(5),
            ..Query::default()
        };
        assert_eq!(read(&asked), Ok(Request::Log(query, Form::Export)));
        let since = Query { since: Some(1_769_862_000_000_000), ..Query::default() };
        let asked = ["log", "--since", "10 min ago", "--json"];
        assert_eq!(read(&asked), Ok(Request::Log(since, Form::Json)));
    }

    #[test]
    fn following_starts_with_the_last_few() {
        let unit = || Some("web".to_owned());
        let follow = Query { unit: unit(), lines: Some(10), follow: true, ..Query::default() };
        assert_eq!(read(&["service", "logs", "web", "-f"]), Ok(Request::Log(follow, Form::Short)));
    }

    #[test]
    fn values_that_make_no_sense_are_told_with_what_would() {
        let all = [
            &["log", "-n", "many"][..],
            &["log", "-p", "eror"],
            &["log", "-p", "8"],
            &["log", "--since", "soon"],
            &["log", "-o", "exprt"],
            &["boot", "chart.svg"],
        ];
        let all: Vec<String> = all.iter().map(|line| read(line).unwrap_err()).collect();
        insta::assert_snapshot!(all.join("\n"), @r#"
        `--lines many`: how many records? A number such as 20
        `--priority eror`: 0 to 7 or one of emerg, alert, crit, err, warning, notice, info, debug; did you mean `err`?
        `--priority 8`: 0 to 7 or one of emerg, alert, crit, err, warning, notice, info, debug
        `--since soon`: which time? For example `10 min ago`, `12:30`, `yesterday` or `2026-01-31 12:30:00`
        `--output exprt`: one of short, json, export; did you mean `export`?
        a file is only for a chart: `ensctl boot --svg chart.svg`
        "#);
    }
}
