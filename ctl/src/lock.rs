//! `ensctl lock`: the owner's secret.
//!
//! Secrets come from the terminal, which does not show them, or as lines of standard input. Never from the command line,
//! which everybody can read.

use std::io::{self, IsTerminal, Read, Write};

use api::lock::{State, Status};

use crate::call::{self, PATIENCE};
use crate::fault::Fault;
use crate::run::Out;

/// Longest line that is read.
const MAX_LINE: usize = 4096;

/// What to do with the lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// Show how it is.
    Status,
    /// Set a secret.
    Set,
    /// Unlock.
    Unlock,
    /// Lock.
    Lock,
    /// Have no secret any more.
    Remove,
}

impl Ask {
    /// From a command line whose second word is `word`.
    #[must_use]
    pub fn from_word(word: &str) -> Self {
        match word {
            "set" => Self::Set,
            "unlock" => Self::Unlock,
            "lock" => Self::Lock,
            "remove" => Self::Remove,
            _ => Self::Status,
        }
    }
}

/// Does it. Answers whether all is well.
///
/// # Errors
/// [`Fault`], in words for people.
pub(crate) fn run(ask: Ask, json: bool, out: &Out) -> Result<bool, Fault> {
    let status = call::abilities(true, Some(PATIENCE), |bus| bus.lock_status())?;
    let has = status.state != State::NoSecret;
    match ask {
        Ask::Status => {}
        Ask::Set => {
            let before = if has { secret("Secret of now: ")? } else { Vec::new() };
            let new = secret("New secret: ")?;
            if io::stdin().is_terminal() && secret("The same again: ")? != new {
                return Err(Fault::NotWell(
                    "they are not the same: nothing has changed".to_owned(),
                ));
            }
            call::abilities(false, None, |bus| bus.lock_set(&before, &new))?;
        }
        Ask::Unlock if has => {
            let secret = secret("Secret: ")?;
            call::abilities(false, None, |bus| bus.unlock(&secret))?;
        }
        Ask::Remove if has => {
            let secret = secret("Secret: ")?;
            call::abilities(false, None, |bus| bus.lock_remove(&secret))?;
        }
        Ask::Unlock | Ask::Remove => {
            return Err(Fault::Refused("the device has no secret: `ensctl lock set`".to_owned()));
        }
        Ask::Lock => call::abilities(true, None, |bus| bus.lock())?,
    }
    let now = match ask {
        Ask::Status => status,
        _ => call::abilities(true, Some(PATIENCE), |bus| bus.lock_status())?,
    };
    if json { out.json(&now) } else { out.text(&text(&now)) }?;
    Ok(true)
}

/// How the lock is, for people.
fn text(status: &Status) -> String {
    let mut text = match status.state {
        State::NoSecret => "The device has no secret, so it is never locked: `ensctl lock set`.\n",
        State::Unlocked => "The device is unlocked.\n",
        State::Locked => "The device is locked: `ensctl lock unlock`.\n",
    }
    .to_owned();
    text.push_str(match (status.encrypts, status.state) {
        (false, _) => "What apps store is not encrypted: its file system can't.\n",
        (true, State::NoSecret) => {
            "What apps store is encrypted; who has the disk has the keys too, until there is a secret.\n"
        }
        (true, State::Unlocked) => "What apps store is encrypted, and can be read now.\n",
        (true, State::Locked) => {
            "What apps store is encrypted; only what is in el1 can be read now.\n"
        }
    });
    if status.wait > 0 {
        text.push_str(&format!("No secret is looked at for the next {} s.\n", status.wait));
    }
    text
}

/// A line, without its end.
fn secret(prompt: &str) -> Result<Vec<u8>, Fault> {
    let input = io::stdin();
    let hidden = input.is_terminal().then(|| sys::terminal::Saved::of(&input)).transpose()?;
    if let Some(terminal) = &hidden {
        terminal.hide()?;
        // Not into the output, which may go elsewhere.
        write!(io::stderr(), "{prompt}")?;
    }
    let line = line(&mut input.lock());
    if hidden.is_some() {
        writeln!(io::stderr())?;
    }
    let line = line?;
    if line.is_empty() {
        return Err(Fault::NotWell(
            "no secret was given: type it, or give it as a line of standard input".to_owned(),
        ));
    }
    Ok(line)
}

/// One byte at a time: what comes after the line is for the next one.
pub(crate) fn line(from: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    let mut byte = [0];
    while line.len() < MAX_LINE && from.read(&mut byte)? == 1 && byte != *b"\n" {
        line.extend(byte);
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_a_line() {
        let mut input = "one two\r\nthree".as_bytes();
        assert_eq!(line(&mut input).unwrap(), b"one two");
        assert_eq!(line(&mut input).unwrap(), b"three");
        assert_eq!(line(&mut input).unwrap(), b"");
        assert_eq!(line(&mut io::repeat(b'x')).unwrap().len(), MAX_LINE);
    }

    #[test]
    fn the_help_of_the_lock_says_it_all() {
        let help = crate::help::help(Some("lock"), None);
        let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1);
        let lines = lines.take_while(|line| !line.is_empty()).collect::<Vec<_>>();
        insta::assert_snapshot!(lines.join("\n"), @r"
        lock status  Is the device locked, and what that protects
        lock set     Set the secret that unlocks the device, or another one
        lock unlock  Unlock the device
        lock lock    Lock the device: apps end, and what they have in el2 can be read by nobody
        lock remove  Have no secret any more: the device is never locked
        ");
    }

    #[test]
    fn people_are_told_what_the_lock_is_worth() {
        let of = |state, encrypts, wait| text(&Status { state, encrypts, wait });
        let all = [
            of(State::NoSecret, true, 0),
            of(State::Unlocked, true, 0),
            of(State::Locked, true, 60),
            of(State::Locked, false, 0),
        ];
        insta::assert_snapshot!(all.concat(), @r"
        The device has no secret, so it is never locked: `ensctl lock set`.
        What apps store is encrypted; who has the disk has the keys too, until there is a secret.
        The device is unlocked.
        What apps store is encrypted, and can be read now.
        The device is locked: `ensctl lock unlock`.
        What apps store is encrypted; only what is in el1 can be read now.
        No secret is looked at for the next 60 s.
        The device is locked: `ensctl lock unlock`.
        What apps store is not encrypted: its file system can't.
        ");
    }
}
