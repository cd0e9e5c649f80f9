//! `ensctl service run`: from its options to the definition of a service, in TOML.

use std::fmt::Write;
use std::path::Path;

use crate::args::{Args, Usage};
use crate::request::Request;

/// Options that are keys of the TOML, and the tables they stand in.
const KEYS: [(&str, &str); 3] =
    [("user", "user"), ("directory", "working-directory"), ("type", "type")];

/// Limits by their option, which is also their key, and whether they are text.
const LIMITS: [(&str, bool); 3] = [("memory", true), ("cpu", true), ("pids", false)];

/// Where programs are: the `PATH` of services.
const PROGRAMS: [&str; 4] = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin"];

/// What was asked for.
///
/// # Errors
/// [`Usage`]: an option makes no sense.
pub fn request(args: &Args) -> Result<Request, Usage> {
    let program = args.operands.first().map_or("", String::as_str);
    let name = match args.value("name") {
        Some(name) => name.to_owned(),
        None => made_up(program, std::process::id()),
    };
    let (wait, pipe) = (args.has("wait"), args.has("pipe"));
    Ok(Request::Run { name, definition: definition(args)?, wait, pipe })
}

/// `run-NAME-NUMBER`, with what a name may have of the program's.
pub(crate) fn made_up(program: &str, number: u32) -> String {
    let base = program.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
    let legal = |c: &char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let base: String = base.chars().filter(legal).take(32).collect();
    match base.is_empty() {
        true => format!("run-{number}"),
        false => format!("run-{base}-{number}"),
    }
}

fn definition(args: &Args) -> Result<String, Usage> {
    let mut words: Vec<String> = args.operands.iter().map(|word| quoted(word)).collect();
    if let (Some(word), Some(program)) = (words.first_mut(), args.operands.first()) {
        *word = quoted(&found(program, |path| Path::new(path).is_file()));
    }
    let mut out = format!("exec = [{}]\nabout = \"run by hand\"\n", words.join(", "));
    for (option, key) in KEYS {
        if let Some(value) = args.value(option) {
            line(&mut out, key, &quoted(value));
        }
    }
    out.push_str("[restart]\nwhen = \"never\"\n");
    out.push_str("[limits]\n");
    for (key, text) in LIMITS {
        let Some(value) = args.value(key) else { continue };
        if !text && value.parse::<u32>().is_err() {
            return Err(args.wrong(format!("`--{key} {value}`: a number is needed")));
        }
        line(&mut out, key, &if text { quoted(value) } else { value.to_owned() });
    }
    out.push_str("[environment]\n");
    for pair in args.values("env") {
        let Some((name, value)) = pair.split_once('=') else {
            return Err(args.wrong(format!("`--env {pair}`: NAME=VALUE is needed")));
        };
        line(&mut out, &quoted(name), &quoted(value));
    }
    Ok(out)
}

/// A program that is called by its name alone, where services look for programs.
fn found(program: &str, is_file: impl Fn(&str) -> bool) -> String {
    let plain = !program.is_empty() && !program.contains('/');
    let mut paths = PROGRAMS.iter().map(|directory| format!("{directory}/{program}"));
    paths.find(|path| plain && is_file(path)).unwrap_or_else(|| program.to_owned())
}

fn line(out: &mut String, key: &str, value: &str) {
    // Writing into a string does not fail.
    let _fine = writeln!(out, "{key} = {value}");
}

/// As a text of TOML, which escapes as JSON does and the character DEL as well.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string().replace('\x7f', "\\u007F")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(line: &[&str]) -> Result<Request, Usage> {
        request(&Args::parse(line.iter().map(Into::into)).unwrap())
    }

    #[test]
    fn options_become_a_definition_and_the_program_keeps_its_own() {
        let line = "service run --name job --memory 64M --pids 5 -e A=b=c -w /bin/echo -n --json";
        let asked = of(&line.split(' ').collect::<Vec<_>>()).unwrap();
        let Request::Run { name, definition, wait, pipe } = asked else { unreachable!() };
        assert_eq!((name.as_str(), wait, pipe), ("job", true, false));
        insta::assert_snapshot!(definition, @r#"
        exec = ["/bin/echo", "-n", "--json"]
        about = "run by hand"
        [restart]
        when = "never"
        [limits]
        memory = "64M"
        pids = 5
        [environment]
        "A" = "b=c"
        "#);
    }

    #[test]
    fn values_that_make_no_sense_are_told() {
        assert!(of(&["service", "run", "--pids", "x", "a"]).unwrap_err().why.contains("number"));
        assert!(of(&["service", "run", "--env", "x", "a"]).unwrap_err().why.contains("NAME=VALUE"));
    }

    #[test]
    fn a_program_is_found_by_its_name_alone() {
        let there = |path: &str| path == "/usr/sbin/tool" || path == "/usr/bin/tool";
        assert_eq!(found("tool", there), "/usr/sbin/tool");
        for other in ["other", "./tool", "/opt/tool", ""] {
            assert_eq!(found(other, there), other);
        }
    }

    #[test]
    fn a_made_up_name_is_one() {
        assert_eq!(made_up("/usr/bin/My_Tool.sh", 7), "run-mytoolsh-7");
        assert_eq!(made_up("/", 7), "run-7");
    }
}
