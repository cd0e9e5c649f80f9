//! The command line.

use std::io::{self, Write};

use crate::attack::{Attack, Group};
use crate::facts::Facts;
use crate::{runner, table, tools, victim};

/// Exit status of wrong usage: none of the verdicts.
pub const USAGE: u8 = 64;

const HELP: &str = "\
usage: attacks list [--json]
       attacks run NAME [--victim=FACTS]
       attacks all [--json] [--group GROUP] [--skip NAME]... [--victim=FACTS]
       attacks victim [--user UID] [--dir DIR] [--facts FILE] [--setuid PROGRAM]

Attacks are for machines that are thrown away. `victim` runs outside of the sandbox and prints the
--victim=FACTS for `run` and `all` inside. `run` exits with 0 blocked, 1 worked, 2 not applicable;
`all` with 0 when none worked. Where being over the memory limit ends a whole group of processes, skip
memory-hog and run it apart.";

/// Does what the words say: an exit status.
///
/// # Errors
/// Wrong words, or a victim that cannot be set up.
pub fn run(words: &[&str]) -> Result<u8, String> {
    let (command, rest) = words.split_first().ok_or(HELP)?;
    let given = Options::parse(rest)?;
    let facts = given.victim.unwrap_or_default();
    match *command {
        "list" if given.json => print(&format!("{}\n", runner::list_json())),
        "list" => print(&runner::list()),
        "run" => {
            let name = given.name.ok_or(HELP)?;
            let attack = table::find(name).ok_or_else(|| format!("there is no attack {name}"))?;
            let (status, reason) = runner::run(attack, &Facts::parse(facts));
            print(&format!("{reason}\n"))?;
            return Ok(status);
        }
        "all" => return all(&given, facts),
        "victim" => {
            let order = victim::Order {
                user: given.user,
                dir: given.dir,
                facts: given.facts,
                setuid: given.setuid,
            };
            return victim::run(&order).map_err(|e| format!("the victim cannot live: {e}"));
        }
        tools::PAYLOAD => return Ok(u8::try_from(tools::RAN).unwrap_or(USAGE)),
        "who" => return Ok(who()),
        _ => return Err(HELP.to_owned()),
    }
    .map(|()| 0)
}

/// For setuid programs: [`tools::RAN`] when this is root.
fn who() -> u8 {
    let uid = crate::sys!(SYS_geteuid).unwrap_or(1);
    if uid == 0 { u8::try_from(tools::RAN).unwrap_or(USAGE) } else { 0 }
}

fn all(given: &Options<'_>, facts: &str) -> Result<u8, String> {
    let json = given.json;
    if let Some(name) = given.skip.iter().find(|name| table::find(name).is_none()) {
        return Err(format!("there is no attack {name}"));
    }
    let wanted = |attack: &Attack| {
        given.group.is_none_or(|g| attack.group == g) && !given.skip.contains(&attack.name)
    };
    let tell = |outcome: &runner::Outcome| {
        if !json {
            drop(print(&format!("{}\n", runner::row(outcome)))); // the summary will say it
        }
    };
    let outcomes = runner::run_all(wanted, facts, tell).map_err(|e| format!("no process: {e}"))?;
    let text =
        if json { runner::to_json(&outcomes).to_string() } else { runner::summary(&outcomes) };
    print(&format!("{text}\n"))?;
    Ok(u8::from(runner::count(&outcomes, "WORKED") > 0))
}

#[derive(Default)]
struct Options<'a> {
    json: bool,
    name: Option<&'a str>,
    group: Option<Group>,
    victim: Option<&'a str>,
    user: Option<u32>,
    dir: Option<&'a str>,
    facts: Option<&'a str>,
    skip: Vec<&'a str>,
    setuid: Option<&'a str>,
}

impl<'a> Options<'a> {
    fn parse(words: &[&'a str]) -> Result<Self, String> {
        let mut given = Self::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let (name, value) = word.split_once('=').map_or((*word, None), |(n, v)| (n, Some(v)));
            if name == "--json" {
                given.json = true;
                continue;
            }
            if !name.starts_with("--") {
                given.name = Some(word);
                continue;
            }
            let value = value.or_else(|| words.next().copied()).ok_or(HELP)?;
            match name {
                "--group" => given.group = Some(group(value)?),
                "--victim" => given.victim = Some(value),
                "--user" => given.user = Some(value.parse().map_err(|_| HELP)?),
                "--dir" => given.dir = Some(value),
                "--facts" => given.facts = Some(value),
                "--skip" => given.skip.push(value),
                "--setuid" => given.setuid = Some(value),
                _ => return Err(HELP.to_owned()),
            }
        }
        Ok(given)
    }
}

fn group(name: &str) -> Result<Group, String> {
    let found = Group::ALL.into_iter().find(|g| g.name() == name);
    let names = Group::ALL.map(Group::name).join(", ");
    found.ok_or_else(|| format!("there is no group {name}; there are {names}"))
}

fn print(text: &str) -> Result<(), String> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(|e| format!("output: {e}"))
}

/// Says what is wrong.
pub fn complain(why: &str) {
    drop(writeln!(io::stderr(), "attacks: {why}")); // there is no other place
}
