//! The command line of `sandbox-learn`, which is that of `ensctl sandbox learn`.

use std::ffi::OsString;
use std::io::{Write, stdout};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use lexopt::{Arg, Parser, ValueExt};

/// Where profiles are on a device, the nearest first.
const PROFILES: [&str; 2] = ["/usr/lib/ensemble/sandbox", "/etc/ensemble/sandbox"];

const HELP: &str = "\
Runs a program and prints the smallest profile with which it does the same.

Usage: sandbox-learn [OPTION...] -- PROGRAM [ARGUMENT...]

      --for service|app  Above the profile for services or for apps, instead of `base`
      --inherit NAME     Above this profile (may be repeated); `none`: above none
      --over FILE        Add to this profile; a file that is not there yet is an empty one
      --output FILE      Write the profile there, not to standard output
      --json             Print JSON, with all that was seen
      --time DURATION    End the program after so long: `30s`, `5m`
      --profiles DIR     Look for profiles there (may be repeated; the first is the nearest)
  -h, --help             Print this
";

/// What the profile is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum For {
    /// A service.
    Service,
    /// An app.
    App,
}

/// What was asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Asked {
    /// What it is for; nothing said: for whatever inherits `base`.
    pub(crate) kind: Option<For>,
    /// Profiles by name; nothing said: what fits.
    pub(crate) inherit: Vec<String>,
    /// A profile that is added to.
    pub(crate) over: Option<PathBuf>,
    /// Where the profile goes.
    pub(crate) output: Option<PathBuf>,
    /// As JSON.
    pub(crate) json: bool,
    /// How long the program may run.
    pub(crate) limit: Option<Duration>,
    /// Where profiles are.
    pub(crate) profiles: Vec<String>,
    /// The program and its arguments.
    pub(crate) command: Vec<OsString>,
}

/// Reads the command line; none: help was asked for.
pub(crate) fn parse(line: impl IntoIterator<Item = OsString>) -> Result<Option<Asked>, String> {
    let mut parser = Parser::from_args(line);
    let mut asked = Asked::default();
    while let Some(arg) = parser.next().map_err(|e| e.to_string())? {
        let text = |parser: &mut Parser| {
            parser.value().and_then(|value| value.string()).map_err(|e| e.to_string())
        };
        match arg {
            Arg::Long("for") => {
                asked.kind = Some(match text(&mut parser)?.as_str() {
                    "service" => For::Service,
                    "app" => For::App,
                    other => return Err(format!("`--for {other}`: one of service, app")),
                });
            }
            Arg::Long("inherit") => asked.inherit.push(text(&mut parser)?),
            Arg::Long("over") => asked.over = Some(text(&mut parser)?.into()),
            Arg::Long("output") => asked.output = Some(text(&mut parser)?.into()),
            Arg::Long("json") => asked.json = true,
            Arg::Long("time") => asked.limit = Some(duration(&text(&mut parser)?)?),
            Arg::Long("profiles") => asked.profiles.push(text(&mut parser)?),
            Arg::Short('h') | Arg::Long("help") => return Ok(None),
            Arg::Value(program) => {
                asked.command = vec![program];
                let rest = parser.raw_args().map_err(|e| e.to_string())?;
                asked.command.extend(rest);
            }
            other => return Err(other.unexpected().to_string()),
        }
    }
    if asked.command.is_empty() {
        return Err("which program? For example: sandbox-learn -- /bin/cat /etc/hosts".to_owned());
    }
    if asked.kind.is_some() && !asked.inherit.is_empty() {
        return Err(
            "`--for` says what is inherited, and so does `--inherit`: one of them".to_owned()
        );
    }
    if asked.profiles.is_empty() {
        asked.profiles = PROFILES.map(str::to_owned).to_vec();
    }
    Ok(Some(asked))
}

fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`--time {text}`: how long? For example `30s` or `5m`");
    let at = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
    let (number, unit) = text.split_at(at);
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let milliseconds = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        _ => return Err(wrong()),
    };
    number.checked_mul(milliseconds).map(Duration::from_millis).ok_or_else(wrong)
}

/// Prints the help.
pub(crate) fn help() -> ExitCode {
    match stdout().write_all(HELP.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Option<Asked>, String> {
        parse(line.split(' ').filter(|word| !word.is_empty()).map(OsString::from))
    }

    #[test]
    fn what_follows_the_program_is_its_own() {
        let asked = read("--time 2m --inherit base --inherit x -- cat --json -h").unwrap().unwrap();
        assert_eq!(asked.command, ["cat", "--json", "-h"]);
        assert_eq!(
            (asked.inherit.as_slice(), asked.json),
            (&["base".into(), "x".into()][..], false)
        );
        assert_eq!(asked.limit, Some(Duration::from_secs(120)));
        assert_eq!(read("--help"), Ok(None));
    }

    #[test]
    fn mistakes_are_told() {
        for line in [
            "",
            "--json",
            "--for x -- a",
            "--time 3 -- a",
            "--time 3d -- a",
            "--frob -- a",
            "--for app --inherit base -- a",
            "--time 99999999999999999999s -- a",
        ] {
            assert!(read(line).is_err(), "{line}");
        }
    }
}
