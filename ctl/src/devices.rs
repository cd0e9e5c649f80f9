//! `ensctl device`: the other devices of the owner.
//!
//! Pairing, which takes its time, is `pairing`; what is done on other devices is in `far`.

pub(crate) mod pairing;

use std::collections::BTreeMap;

use crate::abilities::done;
use crate::args::{Args, Usage};
use crate::bus::Devices;
use crate::call::{self, PATIENCE};
use crate::fault::Fault;
use crate::near::hint;
use crate::run::{Out, local};
use crate::show::devices as show;
use crate::table::{LABELS, LEVELS};

/// Longest that a window is open, in seconds.
const MAX_WINDOW: u64 = 120;

/// What to do with devices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// Show all.
    List,
    /// Show those that can be paired with.
    Nearby,
    /// Pair with who asks.
    Accept(Accept),
    /// Pair with this one, which then may do so much (empty: as is usual).
    Pair {
        /// A name, an id or an address.
        target: String,
        /// Its level.
        level: String,
    },
    /// Take it out of the group.
    Remove(String),
    /// Give it a name.
    Rename(String, String),
    /// What it may do.
    Level(String, String),
    /// What it may hold.
    Label(String, String),
    /// Leave the group.
    Leave,
    /// Show one in full.
    Info(String),
    /// See what works.
    Doctor(String),
    /// Which have all of this.
    Pick(Vec<String>),
    /// Look there.
    Add(String),
    /// Do not.
    Forget(String),
}

/// How to let another device pair with this one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accept {
    /// Whoever asks sees the code.
    pub yes: bool,
    /// Seconds that the window is open.
    pub seconds: u64,
    /// What who joins may do; empty: as is usual.
    pub level: String,
}

impl Ask {
    /// From a command line whose second word is `word`.
    ///
    /// # Errors
    /// [`Usage`]: a value makes no sense.
    pub fn from_args(word: &str, args: &Args) -> Result<Self, Usage> {
        let operand = |at: usize| args.operands.get(at).cloned().unwrap_or_default();
        let level = || args.value("level").map(|text| one_of(args, "--level ", text, LEVELS));
        Ok(match word {
            "nearby" => Self::Nearby,
            "accept" => {
                let (yes, seconds) = (args.has("yes"), seconds(args)?);
                if args.has("json") && !yes {
                    let why =
                        "with `--json` nobody is asked who may see the code: `--yes` says all";
                    return Err(args.wrong(why));
                }
                let level = level().transpose()?.unwrap_or_default();
                Self::Accept(Accept { yes, seconds, level })
            }
            "pair" => {
                let level = level().transpose()?.unwrap_or_default();
                Self::Pair { target: operand(0), level }
            }
            "remove" => Self::Remove(operand(0)),
            "rename" => Self::Rename(operand(0), operand(1)),
            "level" => Self::Level(operand(0), one_of(args, "", &operand(1), LEVELS)?),
            "label" => Self::Label(operand(0), one_of(args, "", &operand(1), LABELS)?),
            "leave" => Self::Leave,
            "info" => Self::Info(operand(0)),
            "doctor" => Self::Doctor(operand(0)),
            "pick" => {
                let needs = args.values("needs").flat_map(|needs| needs.split(','));
                let needs = needs.map(str::trim).filter(|need| !need.is_empty());
                let needs: Vec<String> = needs.map(str::to_owned).collect();
                if needs.is_empty() {
                    return Err(args.wrong("what is needed? For example `--needs screen,audio`"));
                }
                Self::Pick(needs)
            }
            "add" => Self::Add(operand(0)),
            "forget" => Self::Forget(operand(0)),
            _ => Self::List,
        })
    }
}

fn one_of(args: &Args, option: &str, text: &str, known: &[&str]) -> Result<String, Usage> {
    if known.contains(&text) {
        return Ok(text.to_owned());
    }
    let hint = hint(text, known.iter().copied());
    Err(args.wrong(format!("`{option}{text}`: one of {}{hint}", known.join(", "))))
}

fn seconds(args: &Args) -> Result<u64, Usage> {
    let Some(text) = args.value("time") else { return Ok(MAX_WINDOW) };
    let time = text.parse::<jiff::SignedDuration>().ok().map(|time| time.as_secs());
    let time = time.and_then(|time| u64::try_from(time).ok());
    time.filter(|time| (1..=MAX_WINDOW).contains(time))
        .ok_or_else(|| args.wrong(format!("`--time {text}`: how long? From `1s` to `2m`")))
}

/// Does it. Answers whether all is well.
///
/// # Errors
/// [`Fault`], in words for people.
pub(crate) fn run(ask: &Ask, json: bool, out: &Out) -> Result<bool, Fault> {
    let paint = out.paint;
    match ask {
        Ask::List => {
            let rows = call::devices(true, Some(PATIENCE), |bus| bus.list())?;
            if json { out.json(&rows) } else { out.text(&show::list(&rows, &local(), paint)) }?;
        }
        Ask::Nearby => {
            let rows = call::devices(true, Some(PATIENCE), |bus| bus.nearby())?;
            if json { out.json(&rows) } else { out.text(&show::nearby(&rows, paint)) }?;
        }
        Ask::Accept(ask) => pairing::accept(ask, json, out)?,
        Ask::Pair { target, level } => pairing::pair(target, level, json, out)?,
        Ask::Info(device) => {
            let facts = call::devices(true, Some(PATIENCE), |bus| bus.info(device))?;
            let facts: BTreeMap<_, _> = facts.into_iter().collect();
            if json { out.json(&facts) } else { out.text(&show::info(&facts, paint)) }?;
        }
        Ask::Doctor(device) => {
            let checks = call::devices(true, None, |bus| bus.doctor(device))?;
            if json { out.json(&checks) } else { out.text(&show::checks(&checks, paint)) }?;
            return Ok(!checks.iter().any(|check| check.verdict == "failed"));
        }
        Ask::Pick(needs) => {
            let needs: Vec<&str> = needs.iter().map(String::as_str).collect();
            let rows = call::devices(true, Some(PATIENCE), |bus| bus.pick(&needs))?;
            if json { out.json(&rows) } else { out.text(&show::list(&rows, &local(), paint)) }?;
            return Ok(!rows.is_empty());
        }
        Ask::Remove(device) => changed(device, "removed", json, out, |bus| bus.remove(device))?,
        Ask::Rename(device, name) => {
            changed(device, "renamed", json, out, |bus| bus.rename(device, name))?;
        }
        Ask::Level(device, level) => {
            changed(device, level, json, out, |bus| bus.set_level(device, level))?;
        }
        Ask::Label(device, label) => {
            changed(device, label, json, out, |bus| bus.set_label(device, label))?;
        }
        Ask::Leave => changed("this device", "in no group", json, out, |bus| bus.leave())?,
        Ask::Add(address) => {
            changed(address, "added", json, out, |bus| bus.add_address(address))?;
        }
        Ask::Forget(address) => {
            changed(address, "forgotten", json, out, |bus| bus.forget_address(address))?;
        }
    }
    Ok(true)
}

fn changed(
    what: &str,
    now: &str,
    json: bool,
    out: &Out,
    ask: impl Fn(Devices<'_>) -> Result<(), api::devices::Error>,
) -> Result<(), Fault> {
    call::devices(false, Some(PATIENCE), ask)?;
    done(json, what, now, out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(line: &str) -> Result<Ask, String> {
        let (word, args) = crate::args::line(line).map_err(|usage| usage.why)?;
        Ask::from_args(word, &args).map_err(|usage| usage.why)
    }

    #[test]
    fn command_lines_become_what_to_do() {
        assert_eq!(ask("device list"), Ok(Ask::List));
        let accept = Accept { yes: true, seconds: 30, level: "owner".into() };
        assert_eq!(ask("device accept -y --time 30s --level owner"), Ok(Ask::Accept(accept)));
        let pair = Ask::Pair { target: "10.0.0.2:4433".into(), level: String::new() };
        assert_eq!(ask("device pair 10.0.0.2:4433"), Ok(pair));
        assert_eq!(ask("device level tv guest"), Ok(Ask::Level("tv".into(), "guest".into())));
        let needs = ["screen", "audio", "form=tv"].map(str::to_owned).to_vec();
        assert_eq!(ask("device pick -n screen,audio --needs form=tv"), Ok(Ask::Pick(needs)));
        assert_eq!(ask("device doctor"), Ok(Ask::Doctor(String::new())));
    }

    #[test]
    fn mistakes_are_told_with_a_way_out() {
        let wrong = [
            "device level tv onwer",
            "device label tv SL9",
            "device accept --time 1h",
            "device accept --json",
            "device pick",
            "device pick --needs ,",
            "device pair",
        ];
        let all: Vec<String> = wrong.iter().map(|line| ask(line).unwrap_err()).collect();
        insta::assert_snapshot!(all.join("\n"), @r"
        `onwer`: one of owner, member, guest; did you mean `owner`?
        `SL9`: one of SL1, SL2, SL3, SL4, SL5; did you mean `SL1`?
        `--time 1h`: how long? From `1s` to `2m`
        with `--json` nobody is asked who may see the code: `--yes` says all
        what is needed? For example `--needs screen,audio`
        what is needed? For example `--needs screen,audio`
        `device pair` needs TARGET
        ");
    }

    #[test]
    fn the_help_of_devices_says_it_all() {
        let help = crate::help::help(Some("device"), None);
        let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1);
        let lines = lines.take_while(|line| !line.is_empty()).collect::<Vec<_>>();
        insta::assert_snapshot!(lines.join("\n"), @r"
        device list                This device and those it is paired with, and how they are reached
        device nearby              Devices in the neighbourhood that can be paired with now
        device accept              Let another device pair with this one: shows the code to type there
        device pair TARGET         Pair with a device that waits for it: asks for the code that it shows
        device remove DEVICE       Take a device out of the group, for good
        device rename DEVICE NAME  Give a device another name
        device level DEVICE LEVEL  Say what a device may do on the others: owner, member or guest
        device label DEVICE LABEL  Say which data a device may hold: SL1 (little) to SL5 (all)
        device leave               This device leaves its group and forgets it
        device info [DEVICE]       What a device is and has; this one when not said
        device doctor [DEVICE]     What works between this device and another, or the network, and what
                                   to do about the rest
        device pick                Devices that have what is needed, the best first; exit status 1 when
                                   none
        device add ADDRESS         Look for paired devices at an address too, where they are not found by
                                   themselves
        device forget ADDRESS      Do not look at an address any more
        ");
    }
}
