//! Both ends of a pairing, as people and scripts see them.
//!
//! ```text
//! accept   waiting ─► asked: yes or no ─► show-code ──► done │ failed
//! pair               ask-code ─► the code ─► wrong-code ─► ask-code …  ──► done │ failed
//! ```
//!
//! softbus tells stage by stage; here is what is said of each, and what is asked. With `--json` each stage is an object a
//! line. Invariant: when the connection ends (Ctrl-C, a crash), softbus closes the window and ends the attempt.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use serde_json::json;

use super::Accept;
use crate::bus::{Stage, Words};
use crate::call::{self, Next};
use crate::fault::Fault;
use crate::lock::line;
use crate::run::Out;
use crate::show::devices as show;

/// Digits of a code.
const DIGITS: usize = 6;

/// Opens the window, and leads who asks through it.
///
/// # Errors
/// [`Fault`]: nobody asked, the owner said no, the code was wrong …
pub(crate) fn accept(ask: &Accept, json: bool, out: &Out) -> Result<(), Fault> {
    let seconds = ask.seconds.to_string();
    let mut options = Words::from([("seconds", seconds.as_str())]);
    if ask.yes {
        options.insert("confirm", "no");
    }
    if !ask.level.is_empty() {
        options.insert("level", &ask.level);
    }
    let mut countdown = None;
    call::pairing(
        |bus| bus.accept(&options),
        |bus, attempt, stage| {
            let Some(stage) = stage else {
                bus.confirm(attempt, agreed()?).map_err(call::said_devices)?;
                return Ok(Next::Stage);
            };
            drop(countdown.take());
            if told(stage, json, out)? {
                return Ok(Next::Over);
            }
            countdown = (stage.stage == "waiting").then(|| Countdown::start(ask.seconds, json));
            if stage.stage != "asked" || ask.yes {
                return Ok(Next::Stage);
            }
            if io::stdin().is_terminal() {
                out.tell("Pair with it? y or n: ")?;
            }
            Ok(Next::Typed)
        },
    )
}

/// Pairs with `target`, asking for its code.
///
/// # Errors
/// As [`accept`].
pub(crate) fn pair(target: &str, level: &str, json: bool, out: &Out) -> Result<(), Fault> {
    let mut options = Words::new();
    if !level.is_empty() {
        options.insert("level", level);
    }
    call::pairing(
        |bus| bus.pair(target, &options),
        |bus, attempt, stage| {
            let Some(stage) = stage else {
                return match typed()? {
                    Some(code) => {
                        bus.answer(attempt, &code).map_err(call::said_devices)?;
                        Ok(Next::Stage)
                    }
                    None => asking(json, out),
                };
            };
            match stage.stage.as_str() {
                _ if told(stage, json, out)? => Ok(Next::Over),
                "ask-code" => asking(json, out),
                _ => Ok(Next::Stage),
            }
        },
    )
}

fn asking(json: bool, out: &Out) -> Result<Next, Fault> {
    if !json && io::stdin().is_terminal() {
        out.tell("Code: ")?;
    }
    Ok(Next::Typed)
}

/// Tells of a stage. Answers whether it was the last.
fn told(stage: &Stage, json: bool, out: &Out) -> Result<bool, Fault> {
    if json {
        let mut event = BTreeMap::from([("event", stage.stage.as_str())]);
        event.extend(stage.detail.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        out.text(&format!("{}\n", json!(event)))?;
    }
    if stage.stage == "failed" {
        return Err(show::failed(&stage.detail));
    }
    if !json {
        let text = show::stage(&stage.stage, &stage.detail, out.paint);
        if stage.stage == "done" { out.text(&text) } else { out.tell(&text) }?;
    }
    Ok(stage.stage == "done")
}

/// A line of standard input, and nothing after it: that is seen when it is waited for.
fn read() -> io::Result<Vec<u8>> {
    line(&mut File::from(io::stdin().as_fd().try_clone_to_owned()?))
}

/// Whether the owner, who sees who asks, lets it see the code. Nothing is no.
fn agreed() -> Result<bool, Fault> {
    let answer = read()?.to_ascii_lowercase();
    Ok([&b"y"[..], b"yes"].contains(&answer.trim_ascii()))
}

/// A code as it was typed, with whatever people put between its digits left out. None: it was none, and is to be typed
/// again; it was not tried, so none of the tries is spent.
fn typed() -> Result<Option<String>, Fault> {
    let input = io::stdin();
    let line = read()?;
    let code = code(&line);
    if code.is_none() && !input.is_terminal() {
        let why = match line.is_empty() {
            true => "no code was given: type it, or give it as a line of standard input".to_owned(),
            false => format!("a code is {DIGITS} digits: it was not tried"),
        };
        return Err(Fault::NotWell(why));
    }
    if code.is_none() {
        writeln!(io::stderr(), "A code is {DIGITS} digits.")?;
    }
    Ok(code)
}

fn code(line: &[u8]) -> Option<String> {
    let between = |byte: &u8| !matches!(byte, b' ' | b'-' | b'\t');
    let digits: Vec<u8> = line.iter().copied().filter(between).collect();
    let right = digits.len() == DIGITS && digits.iter().all(u8::is_ascii_digit);
    String::from_utf8(digits).ok().filter(|_| right)
}

/// Tells on a terminal how long the window is still open, second by second, until it is dropped.
struct Countdown {
    stop: Option<SyncSender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Countdown {
    fn start(seconds: u64, json: bool) -> Self {
        let mut countdown = Self { stop: None, thread: None };
        if json || !io::stderr().is_terminal() {
            return countdown;
        }
        let (stop, stopped) = sync_channel::<()>(0);
        let ticking = move || {
            for left in (1..=seconds).rev() {
                // A terminal that is gone shows nothing.
                let _gone = write!(io::stderr(), "\r\x1b[K{left} s left");
                if stopped.recv_timeout(Duration::from_secs(1)) != Err(RecvTimeoutError::Timeout) {
                    break;
                }
            }
            let _gone = write!(io::stderr(), "\r\x1b[K");
        };
        if let Ok(thread) = thread::Builder::new().spawn(ticking) {
            countdown = Self { stop: Some(stop), thread: Some(thread) };
        }
        countdown
    }
}

impl Drop for Countdown {
    fn drop(&mut self) {
        drop(self.stop.take());
        let _panicked = self.thread.take().map(thread::JoinHandle::join);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_as_people_write_it() {
        for text in ["012345", " 012 345", "012-345", "01 23 45\t"] {
            assert_eq!(code(text.as_bytes()), Some("012345".to_owned()), "{text}");
        }
        for text in ["", "01234", "0123456", "01234x", "٠١٢٣٤٥"] {
            assert_eq!(code(text.as_bytes()), None, "{text}");
        }
    }
}
