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
       attacks all [--json | --lines] [--group GROUP] [--only NAME]... [--skip NAME]... [--careful]
                   [--unlimited LIMIT]... [--victim=FACTS]
       attacks victim [--user UID] [--dir DIR] [--facts FILE] [--setuid PROGRAM] [--attended]

Attacks are for machines that are thrown away. `victim` runs outside of the sandbox and prints the
--victim=FACTS for `run` and `all` inside. `run` exits with 0 blocked, 1 worked, 2 not applicable;
`all` with 0 when none worked. Where being over the memory limit ends a whole group of processes, skip
memory-hog and run it apart. `--lines` writes an object for each attack as it ends, and `{\"end\":true}` last.
`--careful` leaves out what could hurt the device, `--unlimited pids` and `--unlimited memory` what only
such a limit stops. A victim that is attended takes away all it made, and ends, when its input does.";

/// Does what the words say: an exit status.
///
/// # Errors
/// Wrong words, or a victim that cannot be set up.
pub fn run(words: &[&str]) -> Result<u8, String> {
    let (command, rest) = words.split_first().ok_or(HELP)?;
    let given = Options::parse(rest)?;
    let facts = given.victim.unwrap_or_default();
    match *command {
        "list" if given.form == Form::Json => print(&format!("{}\n", runner::list_json())),
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
                attended: given.attended,
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
    let named = || given.skip.iter().chain(&given.only);
    if let Some(name) = named().find(|name| table::find(name).is_none()) {
        return Err(format!("there is no attack {name}"));
    }
    let wanted = |attack: &Attack| {
        given.group.is_none_or(|g| attack.group == g)
            && (given.only.is_empty() || given.only.contains(&attack.name))
            && !given.skip.contains(&attack.name)
    };
    let tell = |outcome: &runner::Outcome| match given.form {
        Form::Table => print(&format!("{}\n", runner::row(outcome))).is_ok(),
        Form::Lines => print(&format!("{}\n", runner::one_json(outcome))).is_ok(),
        Form::Json => true,
    };
    let outcomes = runner::run_all(wanted, &given.care, facts, tell)
        .map_err(|e| format!("no process: {e}"))?;
    let text = match given.form {
        Form::Table => runner::summary(&outcomes),
        Form::Lines => END.to_owned(),
        Form::Json => runner::to_json(&outcomes).to_string(),
    };
    print(&format!("{text}\n"))?;
    Ok(u8::from(runner::count(&outcomes, "WORKED") > 0))
}

/// The last line of `--lines`: what came before is all.
const END: &str = "{\"end\":true}";

/// How outcomes are written.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Form {
    #[default]
    Table,
    /// An object for each, as it comes.
    Lines,
    /// One object at the end.
    Json,
}

#[derive(Default)]
struct Options<'a> {
    form: Form,
    attended: bool,
    care: runner::Care<'a>,
    only: Vec<&'a str>,
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
            match name {
                "--json" => given.form = Form::Json,
                "--lines" => given.form = Form::Lines,
                "--careful" => given.care.harmless = true,
                "--attended" => given.attended = true,
                _ => given.valued(word, name, value, &mut words)?,
            }
        }
        Ok(given)
    }

    fn valued(
        &mut self,
        word: &'a str,
        name: &str,
        value: Option<&'a str>,
        words: &mut std::slice::Iter<'_, &'a str>,
    ) -> Result<(), String> {
        if !name.starts_with("--") {
            self.name = Some(word);
            return Ok(());
        }
        let value = value.or_else(|| words.next().copied()).ok_or(HELP)?;
        match name {
            "--group" => self.group = Some(group(value)?),
            "--victim" => self.victim = Some(value),
            "--user" => self.user = Some(value.parse().map_err(|_| HELP)?),
            "--dir" => self.dir = Some(value),
            "--facts" => self.facts = Some(value),
            "--only" => self.only.push(value),
            "--skip" => self.skip.push(value),
            "--unlimited" => self.care.unlimited.push(value),
            "--setuid" => self.setuid = Some(value),
            _ => return Err(HELP.to_owned()),
        }
        Ok(())
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
