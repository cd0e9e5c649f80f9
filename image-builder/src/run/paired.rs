//! Devices that run together, paired with each other as their owner would do it, through `ensctl`: for developers.
//!
//! ```text
//! first   pair NAME ───────────► asks for the code ◄─ typed by us     one after the other, for each of the others:
//! other   accept ── shows the code ── read by us                      the first has the group, they join it
//! ```
//!
//! Nothing on a device knows of this; a device in the hand of a stranger cannot be paired so. All are owners.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use api::debug::Ended;
use serde_json::Value;

use super::guest::Guest;

/// Longest time of each command: an emulated machine is slow.
const LIMIT: Duration = Duration::from_secs(120);

/// How often, and how far apart in seconds, we look for an event.
const TRIES: u32 = 240;
const PAUSE: &str = "0.25";

/// Waits in the background for somebody to pair with, and says so in a file.
const ACCEPT: &str = "ensctl device accept --yes --json --level owner \
    < /dev/null > /run/paired.accept 2>&1 &";

/// Pairs in the background, the code from a pipe.
const PAIR: &str = "rm -f /run/paired.code; mkfifo /run/paired.code; \
    ensctl device pair \"$0\" --json --level owner <> /run/paired.code > /run/paired.pair 2>&1 &";

/// Pairs the first of `guests` with each of the others; `names` are theirs.
///
/// # Errors
/// They do not get that far, and what they said.
pub fn pair(guests: &mut [Guest], names: &[String]) -> Result<()> {
    let Some((first, others)) = guests.split_first_mut() else { return Ok(()) };
    for (other, name) in others.iter_mut().zip(names.iter().skip(1)) {
        one(first, other, name).with_context(|| format!("pairing with {name}"))?;
    }
    // Whoever is not here after that time is for the command to notice.
    let wait = format!(
        "n=0; while [ $n -lt {TRIES} ] && ensctl device list --json | grep -q offline; do \
         n=$((n + 1)); sleep {PAUSE}; done"
    );
    shell(first, &["/bin/sh", "-c", &wait]).map(drop)
}

fn one(first: &mut Guest, other: &mut Guest, name: &str) -> Result<()> {
    shell(other, &["/bin/sh", "-c", ACCEPT])?;
    until(other, "/run/paired.accept", "waiting")?;
    shell(first, &["/bin/sh", "-c", PAIR, name])?;
    let shown = until(other, "/run/paired.accept", "show-code")?;
    let code = shown.get("code").and_then(Value::as_str).context("it shows no code")?;
    if code.is_empty() || !code.bytes().all(|digit| digit.is_ascii_digit()) {
        bail!("{code:?} is not a code");
    }
    shell(first, &["/bin/sh", "-c", "echo \"$0\" > /run/paired.code", code])?;
    until(first, "/run/paired.pair", "done")?;
    until(other, "/run/paired.accept", "done").map(drop)
}

/// Waits for an event among those that are written to a file, one object a line.
fn until(guest: &mut Guest, file: &str, wanted: &str) -> Result<Value> {
    let script = format!(
        "n=0; while [ $n -lt {TRIES} ]; do \
         if grep -q '\"event\":\"{wanted}\"' {file} || grep -q '\"event\":\"failed\"' {file}; then break; fi; \
         n=$((n + 1)); sleep {PAUSE}; done; cat {file}"
    );
    let said = shell(guest, &["/bin/sh", "-c", &script])?;
    event(&said, wanted).with_context(|| format!("it never came to `{wanted}`:\n{}", said.trim()))
}

/// The last event of this kind.
fn event(said: &str, wanted: &str) -> Option<Value> {
    let events = said.lines().rev().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    events.into_iter().find(|event| event.get("event").is_some_and(|event| event == wanted))
}

fn shell(guest: &mut Guest, argv: &[&str]) -> Result<String> {
    let output = guest.capture(argv, b"", LIMIT)?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.ended != Ended::Status(0) {
        bail!("{}{}", said, String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(said)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_is_found_among_what_a_device_says_while_it_pairs() {
        let said = "softbus starts\n{\"event\":\"waiting\",\"seconds\":\"120\"}\n\
                    {\"code\":\"012345\",\"event\":\"show-code\",\"name\":\"phone\"}\n";
        let code = event(said, "show-code").and_then(|event| event.get("code").cloned());
        assert_eq!(code, Some(Value::from("012345")));
        assert_eq!(event(said, "done"), None);
    }
}
