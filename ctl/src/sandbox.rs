//! `ensctl sandbox`: what services may do, asked of servicemgr; programs tried in a profile.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::process::ExitCode;

use api::paths::TRIES;
use api::services::{self, State};
use sys::bind::Access;

use crate::args::Args;
use crate::bus::Services as Bus;
use crate::call::{self, PATIENCE};
use crate::fault::Fault;
use crate::learn;
use crate::run::Out;
use crate::services::known;
use crate::show::sandbox as show;
use crate::transient::{made_up, quoted};

/// What to do with sandboxes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// Say what this service may do.
    Explain(String),
    /// Run a program in a profile.
    Try {
        /// What the service of the moment is called.
        name: String,
        /// The profile, by its name or its path.
        profile: String,
        /// The program and its arguments.
        command: Vec<String>,
    },
}

impl Ask {
    /// From a command line whose second word is `word`.
    #[must_use]
    pub fn from_args(word: &str, args: &Args) -> Self {
        let first = args.operands.first().cloned().unwrap_or_default();
        match word {
            "try" => {
                let command = args.operands.get(1..).unwrap_or_default();
                let program = command.first().map_or("", String::as_str);
                let name = made_up(program, std::process::id());
                Self::Try { name, profile: first, command: command.to_vec() }
            }
            _ => Self::Explain(first),
        }
    }
}

/// The definition of a program in a profile.
///
/// # Errors
/// The profile is a file that can't be read.
pub(crate) fn tried(profile: &str, command: &[String]) -> Result<String, Fault> {
    let words: Vec<String> = command.iter().map(|word| quoted(word)).collect();
    let rules = if learn::is_path(profile) {
        learn::in_file(profile)?
    } else {
        format!("[sandbox]\ninherit = [{}]\n", quoted(profile))
    };
    Ok(format!(
        "exec = [{}]\nabout = \"tried by hand\"\n[restart]\nwhen = \"never\"\n{rules}",
        words.join(", "),
    ))
}

/// Does it. Answers whether all is well.
///
/// # Errors
/// [`Fault`], in words for people.
pub(crate) fn run(ask: &Ask, json: bool, out: &Out) -> Result<bool, Fault> {
    match ask {
        Ask::Explain(name) => explain(name, json, out),
        Ask::Try { name, profile, command } => {
            let definition = tried(profile, command)?;
            attempt(name, &definition, json, out).map(|code| code == ExitCode::SUCCESS)
        }
    }
}

fn explain(name: &str, json: bool, out: &Out) -> Result<bool, Fault> {
    let ask = |bus: Bus<'_>| known(&bus, name, bus.explain(name));
    let explained = call::services(true, Some(PATIENCE), ask)?;
    if json { out.json(&explained) } else { out.text(&show::explained(&explained, out.paint)) }?;
    Ok(true)
}

/// Runs a program, passes on what it writes, and ends as it did.
///
/// # Errors
/// [`Fault`]: it did not run.
pub(crate) fn attempt(
    name: &str,
    definition: &str,
    json: bool,
    out: &Out,
) -> Result<ExitCode, Fault> {
    let path = Path::new(TRIES).join(name);
    let pipe = |e: io::Error| match e.kind() {
        io::ErrorKind::PermissionDenied => Fault::Refused("only root may try profiles".to_owned()),
        _ => Fault::NotWell(format!("cannot make the pipe {}: {e}", path.display())),
    };
    // This end is also one for writing, so what is opened next does not wait for another.
    let held = sys::bind::fifo(&path, &Access { mode: 0o600, owner: None, backlog: 0 });
    let held = held.map_err(pipe)?;
    let reader = File::open(&path).map_err(pipe)?;
    let started = call::services(false, None, |bus: Bus<'_>| bus.attempt(name, definition));
    // The program has it by now, or it will never run. Only where the request did not get through is it
    // still there: servicemgr removes what it has opened.
    let _gone = fs::remove_file(&path);
    drop(held);
    if let Err(fault) = started {
        // It may have said why before it failed.
        pass_on(reader)?;
        forget(name);
        return Err(fault);
    }
    pass_on(reader)?;
    let (code, why) = end_of(name)?;
    if json {
        out.json(&serde_json::json!({ "name": name, "status": code, "failed": why }))?;
    } else if let Some(why) = why.filter(|why| !why.starts_with(STATUS)) {
        return out.say(&format!("{name}: {why}")).map(|()| ExitCode::from(code));
    }
    Ok(ExitCode::from(code))
}

/// Waits for the end of a service of the moment, and forgets it: its exit status, and why it failed.
///
/// # Errors
/// [`Fault`], in words for people.
pub(crate) fn end_of(name: &str) -> Result<(u8, Option<String>), Fault> {
    let ask = |bus: Bus<'_>| match bus.wait(name, &["off", "done", "failed"]) {
        // It has ended well and is forgotten.
        Err(services::Error::NoSuchService(_)) => Ok(None),
        row => match row? {
            row if row.state == State::Failed => Ok(Some((row.reason, bus.status(name)?))),
            _well => Ok(None),
        },
    };
    let Some((reason, end)) = call::services(true, None, ask)? else { return Ok((0, None)) };
    forget(name);
    Ok((status(&end.last_exit, end.last_signal), Some(reason)))
}

/// It was looked at; nobody needs it any more. One that ended well is forgotten already.
fn forget(name: &str) {
    let _gone = call::services(true, Some(PATIENCE), |bus: Bus<'_>| bus.reset(name));
}

/// How servicemgr tells of an end with a status.
const STATUS: &str = "exit status ";

/// The exit status for an end in servicemgr's words: that of the program, or 128 and the signal.
fn status(end: &str, signal: i32) -> u8 {
    let number = end.strip_prefix(STATUS).and_then(|number| number.parse().ok());
    let signal = u8::try_from(signal).ok().filter(|signal| *signal > 0);
    number.or(signal.and_then(|signal| signal.checked_add(128))).unwrap_or(1)
}

/// Everything that is written, until nobody can write any more.
fn pass_on(mut reader: File) -> Result<(), Fault> {
    io::copy(&mut reader, &mut io::stdout().lock())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::Request;

    #[test]
    fn a_program_is_tried_with_all_its_own_options() {
        let line = ["sandbox", "try", "app", "--", "/bin/echo", "--json", "--", "a\"b"];
        let args = Args::parse(line.iter().map(Into::into)).unwrap();
        let asked = Request::from_args(&args, || unreachable!()).unwrap();
        let Request::Sandbox(Ask::Try { name, profile, command }) = asked else { unreachable!() };
        assert!(name.starts_with("run-echo-"), "{name}");
        insta::assert_snapshot!(tried(&profile, &command).unwrap(), @r#"
        exec = ["/bin/echo", "--json", "--", "a\"b"]
        about = "tried by hand"
        [restart]
        when = "never"
        [sandbox]
        inherit = ["app"]
        "#);
        for short in
            [&["sandbox", "try"][..], &["sandbox", "try", "app"], &["sandbox", "try", "app", "--"]]
        {
            let why = Args::parse(short.iter().map(Into::into)).unwrap_err().why;
            assert_eq!(why, "`sandbox try` needs the name of a profile and a program");
        }
    }

    #[test]
    fn it_ends_as_the_program_did() {
        assert_eq!(status("exit status 7", 0), 7);
        assert_eq!(status("killed by SIGSYS: a system call its sandbox forbids", 31), 159);
        assert_eq!(status("killed: over its memory limit", 9), 137);
        assert_eq!(status("killed by signal 64", 64), 192);
        assert_eq!(status("could not be started", 0), 1);
        assert_eq!(status("what nobody knows", 1000), 1);
    }
}
