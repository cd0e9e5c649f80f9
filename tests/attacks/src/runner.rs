//! Runs attacks, each in a fresh process with a time limit, and tells what came of them.
//!
//! ```text
//! fork ─► exec of ourselves, `run NAME` ─► exit 0, 1, 2 and a line ─┐
//!    (runs it itself where exec is refused)                        ├─► verdict
//!    killed by a signal ─► blocked;  too slow ─► killed, blocked ──┘
//! ```
//!
//! A process has a group of its own, which is killed afterwards. What could hurt a device that is needed,
//! or is stopped by nothing but a limit that is not there, is left out if so wanted: not tried.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::attack::{Attack, Refused, Stop};
use crate::errno;
use crate::facts::Facts;
use crate::raw::Arg;
use crate::table::all;
use crate::{remedy, sys, tools};

/// Longest time of one attack, in milliseconds: a machine that is emulated is slow.
const LIMIT: i64 = 20_000;

/// Time between two looks at it.
const LOOK: i64 = 10;

/// Exit status of `run` for each verdict.
const BLOCKED: u8 = 0;
const WORKED: u8 = 1;
const ABSENT: u8 = 2;

/// What came of one attack.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Which.
    pub attack: &'static Attack,
    /// In a word.
    pub verdict: &'static str,
    /// Why.
    pub reason: String,
}

/// Runs one attack in this process: its exit status and the reason.
#[must_use]
pub fn run(attack: &Attack, facts: &Facts) -> (u8, String) {
    let missing = attack.needs.iter().find(|need| !need.is_there(facts));
    let attempt = match missing {
        Some(need) => Err(Stop::Absent(format!("needs {}", need.about))),
        None => (attack.run)(facts),
    };
    match attempt {
        Ok(got) => (WORKED, got),
        Err(Stop::Blocked(why)) => (BLOCKED, why),
        Err(Stop::Absent(why)) => (ABSENT, why),
    }
}

/// What is left out on a device that is needed.
#[derive(Debug, Clone, Default)]
pub struct Care<'a> {
    /// What could change the device for everybody.
    pub harmless: bool,
    /// What a limit would stop that is not there: its key.
    pub unlimited: Vec<&'a str>,
}

impl Care<'_> {
    /// Why an attack is not tried.
    fn against(&self, attack: &Attack) -> Option<String> {
        if self.harmless && remedy::is_harmful(attack) {
            return Some("it could hurt the device".to_owned());
        }
        let limit = remedy::limit(attack).filter(|limit| self.unlimited.contains(limit))?;
        Some(format!("nothing but the device itself limits its {limit}"))
    }
}

/// Runs all attacks that are wanted, and gives each outcome to `tell`, until nobody listens any more.
///
/// # Errors
/// No process can be started at all.
pub fn run_all(
    wanted: impl Fn(&Attack) -> bool,
    care: &Care<'_>,
    text: &str,
    mut tell: impl FnMut(&Outcome) -> bool,
) -> Result<Vec<Outcome>, Refused> {
    let mut outcomes = Vec::new();
    for attack in all().filter(|a| wanted(a)) {
        let outcome = match care.against(attack) {
            Some(reason) => Outcome { attack, verdict: "untried", reason },
            None => fresh(attack, text)?,
        };
        let heard = tell(&outcome);
        outcomes.push(outcome);
        if !heard {
            break;
        }
    }
    Ok(outcomes)
}

fn fresh(attack: &'static Attack, text: &str) -> Result<Outcome, Refused> {
    let mut pipe = [0_i32; 2];
    sys!(SYS_pipe2, &mut pipe, libc::O_CLOEXEC | libc::O_NONBLOCK)?;
    let [from, to] = pipe.map(Arg::arg);
    let pid = tools::fork(0)?;
    if pid == 0 {
        child(attack, text, to);
    }
    let _ = sys!(SYS_setpgid, pid, pid); // the child does it too; whoever is first
    tools::close(to);
    let (status, said) = watch(pid, from);
    let _ = sys!(SYS_kill, -isize::try_from(pid).unwrap_or(1), libc::SIGKILL); // often all have ended
    tools::close(from);
    tools::sweep(pid);
    let reason = said.lines().last().unwrap_or_default().to_owned();
    let (verdict, reason) = match status {
        None => ("blocked", format!("did not come to an end in {} s", LIMIT / 1000)),
        Some(0) => ("blocked", reason),
        Some(1) => ("WORKED", reason),
        Some(2) => ("n/a", reason),
        Some(signal) if signal < 0 => ("blocked", format!("killed by {}", errno::signal(-signal))),
        Some(status) => ("blocked", format!("could not be tried: exit status {status}")),
    };
    Ok(Outcome { attack, verdict, reason })
}

/// The process of one attack.
fn child(attack: &Attack, text: &str, to: usize) -> ! {
    let _ = sys!(SYS_setpgid, 0, 0);
    let _ = sys!(SYS_dup3, to, 1, 0);
    let (program, facts) = (tools::c(&tools::myself()), format!("--victim={text}"));
    let words = ["attacks", "run", attack.name, &facts].map(tools::c);
    let mut pointers: Vec<usize> = words.iter().map(Arg::arg).collect();
    pointers.push(0);
    // Of its environment an attack has only what it can attack.
    let own =
        std::env::var("STATE_DIRECTORY").map(|own| tools::c(&format!("STATE_DIRECTORY={own}")));
    let environment = [own.as_ref().map_or(0, |own| own.arg()), 0];
    let _ = sys!(SYS_execve, &program, &pointers[..], &environment[..]);
    // A sandbox may forbid to run what may be read, or hide `/proc`.
    let (status, reason) = run(attack, &Facts::parse(text));
    let _ = tools::write(1, reason.as_bytes());
    tools::leave(i32::from(status))
}

/// Waits for the end of a process: its status, or its signal negated; none when it took too long.
fn watch(pid: usize, from: usize) -> (Option<i32>, String) {
    let mut said = Vec::new();
    for _ in 0..LIMIT / LOOK {
        let mut status = [0_i32];
        let ended = sys!(SYS_wait4, pid, &mut status, libc::WNOHANG, 0);
        while let Ok(more) = tools::read(from) {
            if more.is_empty() {
                break;
            }
            said.extend(more);
        }
        if ended == Ok(pid) {
            return (Some(tools::ended(status[0]).0), text(&said));
        }
        tools::pause(LOOK);
    }
    let _ = sys!(SYS_kill, -isize::try_from(pid).unwrap_or(1), libc::SIGKILL);
    let _ = tools::wait(pid);
    (None, text(&said))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// One line of the table.
#[must_use]
pub fn row(outcome: &Outcome) -> String {
    let Outcome { attack, verdict, reason } = outcome;
    format!("{:<12} {:<28} {verdict:<8} {reason}", attack.group.name(), attack.name)
}

/// How many of each.
#[must_use]
pub fn summary(outcomes: &[Outcome]) -> String {
    format!(
        "{} attacks: {} worked, {} blocked, {} not applicable",
        outcomes.len(),
        count(outcomes, "WORKED"),
        count(outcomes, "blocked"),
        count(outcomes, "n/a"),
    )
}

/// How many came to this.
#[must_use]
pub fn count(outcomes: &[Outcome], verdict: &str) -> usize {
    outcomes.iter().filter(|o| o.verdict == verdict).count()
}

/// One outcome for programs.
#[must_use]
pub fn one_json(outcome: &Outcome) -> Value {
    let Outcome { attack, verdict, reason } = outcome;
    let stop = remedy::line(attack);
    json!({
        "name": attack.name, "group": attack.group.name(), "about": attack.about,
        "verdict": verdict.to_lowercase(), "reason": reason,
        "table": stop.table, "line": stop.line,
    })
}

/// All of it for programs.
#[must_use]
pub fn to_json(outcomes: &[Outcome]) -> Value {
    json!({
        "attacks": outcomes.iter().map(one_json).collect::<Vec<_>>(),
        "worked": count(outcomes, "WORKED"),
        "blocked": count(outcomes, "blocked"),
        "not-applicable": count(outcomes, "n/a"),
    })
}

/// The attacks themselves, for people.
#[must_use]
pub fn list() -> String {
    let mut text = String::new();
    for attack in all() {
        let needs: Vec<_> = attack.needs.iter().map(|n| n.about).collect();
        let needs =
            if needs.is_empty() { String::new() } else { format!(" [{}]", needs.join("; ")) };
        let (group, name, about) = (attack.group.name(), attack.name, attack.about);
        let _ = writeln!(text, "{group:<12} {name:<28} {about}{needs}");
    }
    text
}

/// The attacks themselves, for programs.
#[must_use]
pub fn list_json() -> Value {
    let one = |a: &Attack| {
        let needs: Vec<_> = a.needs.iter().map(|n| n.name).collect();
        json!({ "name": a.name, "group": a.group.name(), "about": a.about, "needs": needs })
    };
    all().map(one).collect()
}
