//! `ensctl sandbox learn`: hands over to the program that learns; and a profile that lies in a file, as the
//! part of a definition.
//!
//! What learns is a program of its own, in images for development only: `ensctl` stays small, and the
//! terminal, the signals and the exit status are those of the program that is looked at.

use std::fs;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use toml::{Table, Value};

use crate::args::Args;
use crate::fault::Fault;

/// What learns.
const PROGRAM: &str = "/usr/lib/ensemble/sandbox-learn";

/// Largest file of a profile, in bytes.
const MAX_PROFILE: u64 = 64 << 10;

/// Its command line: ours, word for word.
#[must_use]
pub fn line(args: &Args) -> Vec<String> {
    let mut line = Vec::new();
    for (name, value) in args.options.iter().filter(|(name, _)| *name != "help") {
        line.push(format!("--{name}"));
        if *name != "json" {
            line.push(value.clone());
        }
    }
    line.push("--".to_owned());
    line.extend(args.operands.iter().cloned());
    line
}

/// Becomes the program that learns.
///
/// # Errors
/// It is not there, or can't be run.
pub(crate) fn run(line: &[String]) -> Result<ExitCode, Fault> {
    let error = Command::new(PROGRAM).args(line).exec();
    let hint = match error.kind() {
        std::io::ErrorKind::NotFound => {
            "; it is in images with `[debug] agent = true` that have a service with a sandbox"
        }
        _ => "",
    };
    Err(Fault::NotWell(format!("cannot run {PROGRAM}: {error}{hint}")))
}

/// Whether this is the path of a profile, and not its name.
pub(crate) fn is_path(profile: &str) -> bool {
    profile.contains('/') || profile.contains('.')
}

/// The rules of the profile in a file, as the table `sandbox` of a definition. The service manager checks
/// them.
///
/// # Errors
/// It can't be read, or is no TOML.
pub(crate) fn in_file(path: &str) -> Result<String, Fault> {
    let wrong = |why: String| Fault::NotWell(format!("cannot read the profile {path}: {why}"));
    let size = fs::metadata(path).map_err(|e| wrong(e.to_string()))?.len();
    if size > MAX_PROFILE {
        return Err(wrong(format!("it has {size} bytes, and at most {MAX_PROFILE} are taken")));
    }
    let text = fs::read_to_string(path).map_err(|e| wrong(e.to_string()))?;
    part(&text).map_err(wrong)
}

fn part(text: &str) -> Result<String, String> {
    let mut rules: Table = text.parse().map_err(|e: toml::de::Error| e.to_string())?;
    rules.remove("version");
    rules.remove("about");
    Ok(Table::from_iter([("sandbox".to_owned(), Value::Table(rules))]).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::Request;

    #[test]
    fn the_command_line_is_handed_over_word_for_word() {
        let line = "sandbox learn --for app --json --time 5s -- /bin/x --json -- y".split(' ');
        let args = Args::parse(line.map(Into::into)).unwrap();
        let asked = Request::from_args(&args, || unreachable!()).unwrap();
        let Request::Learn(line) = asked else { unreachable!() };
        assert_eq!(line.join(" "), "--for app --json --time 5s -- /bin/x --json -- y");
        let none = Args::parse(["sandbox", "learn"].map(Into::into)).unwrap_err();
        assert_eq!(none.why, "`sandbox learn` needs a program");
    }

    #[test]
    fn a_profile_becomes_a_part_of_a_definition() {
        let text = "version = 1\nabout = \"x\"\ninherit = [\"base\"]\n[files]\nread = [\"/etc/a\"] # why\n";
        insta::assert_snapshot!(part(text).unwrap(), @r#"
        [sandbox]
        inherit = ["base"]

        [sandbox.files]
        read = ["/etc/a"]
        "#);
        assert!(part("version = ").is_err());
        assert!(is_path("./x") && is_path("x.toml") && !is_path("base"));
    }
}
