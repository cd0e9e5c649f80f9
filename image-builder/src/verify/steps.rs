//! The steps of one case on its device, and the device across power cuts and reboots.
//!
//! Invariant: a step is judged only by [`judge`]; a device that goes away unasked fails the case.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use model::case::{Act, Case, Ended, Host, Outcome, Step, Vars, command, judge, kept};
use model::word::Word;

use crate::built::Flavor;
use crate::progress::{self, Progress};
use crate::run::console::Console;
use crate::run::guest::{Guest, Output, Stopped, TimedOut};
use crate::run::{Boot, Options, persist};

/// Wait between two tries of a step with `until`.
const PAUSE: Duration = Duration::from_millis(200);

/// The version of Landlock that the kernel of machines has: Debian's 6.12.
const LANDLOCK: u32 = 6;

/// Longest time for what we ask the device ourselves.
const ASK: Duration = Duration::from_secs(60);

/// Ends servicemgr with what every shell has built in, once there is one.
const KILL_SERVICEMGR: &str = "while :; do for p in /proc/[0-9]*; do \
    read -r c < $p/comm || continue; \
    if [ \"$c\" = servicemgr ]; then kill -9 ${p#/proc/} && exit; fi; done; done 2>/dev/null";

/// The version of Landlock that sandboxes of this device are to have: a case asks whether it is so, for
/// without it they would be tried without what they are about.
fn landlock(boot: &Boot) -> u32 {
    match boot.built.flavor() {
        Flavor::Container => sys::confine::features().landlock,
        Flavor::Machine => LANDLOCK,
    }
}

/// A device that may be started again.
struct Device<'a> {
    boot: &'a Boot<'a>,
    options: &'a Options,
    guest: Option<Guest>,
}

/// Boots the device, does all steps, powers off.
pub(super) fn run(
    case: &Case,
    boot: &Boot,
    options: &Options,
    step: &dyn progress::Step,
    progress: &dyn Progress,
) -> Result<()> {
    boot.prepare(options, progress)?;
    let mut device = Device { boot, options, guest: None };
    step.say("boot");
    device.start(progress)?;
    let mut vars = Vars::from([("landlock".to_owned(), landlock(boot).to_string())]);
    for (number, each) in (1..).zip(&case.steps) {
        step.say(&format!("step {number} of {}", case.steps.len()));
        if let Err(e) = device.step(each, &mut vars, progress) {
            device.keep_log();
            return Err(if e.is::<Stopped>() {
                e
            } else {
                e.context(format!("line {}", each.line))
            });
        }
    }
    device.guest.take().map_or(Ok(()), Guest::power_off)
}

impl Device<'_> {
    fn start(&mut self, progress: &dyn Progress) -> Result<()> {
        // The one before must be gone before its disk is opened again.
        self.guest = None;
        // Nor may what it said then be taken for what this one says.
        let _first = fs::remove_file(self.boot.console());
        let mut guest = self.boot.start(self.options, progress)?;
        guest.wait_for_agent()?;
        // Services that failed are for the case to judge.
        let _settled = guest.capture(&["ensctl", "status", "--wait"], b"", ASK)?;
        self.guest = Some(guest);
        Ok(())
    }

    fn guest(&mut self) -> Result<&mut Guest> {
        self.guest.as_mut().context("the device is not running")
    }

    /// Does one step as often as it says.
    fn step(&mut self, step: &Step, vars: &mut Vars, progress: &dyn Progress) -> Result<()> {
        let deadline = step.until.map(|until| now() + until);
        let mut left = step.times;
        loop {
            let outcome = self.act(step, vars, progress)?;
            match judge(step, &outcome, vars) {
                Ok(()) => {
                    left = left.saturating_sub(1);
                    if left == 0 {
                        if let Some(name) = &step.save {
                            vars.insert(name.clone(), kept(&outcome));
                        }
                        return Ok(());
                    }
                }
                Err(why) if deadline.is_none_or(|deadline| now() >= deadline) => {
                    bail!("{}: {why}", told(&step.act, vars));
                }
                Err(_) => pause()?,
            }
        }
    }

    fn act(&mut self, step: &Step, vars: &Vars, progress: &dyn Progress) -> Result<Outcome> {
        match &step.act {
            Act::Run(argv) => {
                let argv = command(argv, vars);
                let argv: Vec<&str> = argv.iter().map(String::as_str).collect();
                outcome(self.guest()?.capture(&argv, b"", step.timeout))
            }
            Act::Host(Host::KillServicemgr) => outcome(self.guest()?.capture(
                &["/bin/sh", "-c", KILL_SERVICEMGR],
                b"",
                step.timeout,
            )),
            Act::Host(Host::PowerCut) => {
                self.start(progress)?;
                Ok(done())
            }
            Act::Host(Host::Reboot) => {
                self.ask("reboot", step.timeout)?;
                self.ended(step.timeout)?;
                self.start(progress)?;
                Ok(done())
            }
            Act::Host(Host::PowerOff) => {
                self.ask("poweroff", step.timeout)?;
                self.ended(step.timeout)
            }
            Act::Host(Host::Ends) => self.ended(step.timeout),
            Act::Host(Host::PowerOn) => self.power_on(progress),
            Act::Disk(harm) => {
                if self.guest.is_some() {
                    bail!("the device is on: power it off before its disk is harmed");
                }
                let disk = self.options.persist.as_deref().context("the device has no disk")?;
                persist::harm(disk, &harm.partition, harm.erase.clone())?;
                Ok(done())
            }
        }
    }

    /// Asks the device to go down.
    fn ask(&mut self, how: &str, limit: Duration) -> Result<()> {
        // The answer may get lost on the way down.
        let _asked = self.guest()?.capture(&["ensctl", how], b"", limit);
        Ok(())
    }

    /// Waits for the end of the device.
    fn ended(&mut self, limit: Duration) -> Result<Outcome> {
        let guest = self.guest.take().context("the device is not running")?;
        let console = Console::new(self.boot.console());
        let status = guest.wait_for_end(limit)?;
        let ended = match (status.code(), status.signal()) {
            (Some(code), _) => Ended::Status(code),
            (None, signal) => Ended::Signal(signal.unwrap_or_default()),
        };
        Ok(Outcome { ended, stdout: console.text(), stderr: String::new() })
    }

    /// Starts a device that may not get up.
    fn power_on(&mut self, progress: &dyn Progress) -> Result<Outcome> {
        if self.guest.is_some() {
            bail!("the device is on already");
        }
        let (ended, stderr) = match self.start(progress) {
            Ok(()) => (Ended::Status(0), String::new()),
            Err(e) if e.is::<Stopped>() => return Err(e),
            Err(e) => (Ended::Status(1), format!("{e:#}")),
        };
        Ok(Outcome { ended, stdout: Console::new(self.boot.console()).text(), stderr })
    }

    /// Keeps the device's log for whoever looks into the failure.
    fn keep_log(&mut self) {
        let Some(guest) = &mut self.guest else { return };
        // A device that cannot tell its log any more still has its console.
        if let Ok(log) = guest.capture(&["ensctl", "log"], b"", ASK) {
            let _lost = fs::write(self.boot.directory.join("log.txt"), log.stdout);
        }
    }
}

fn done() -> Outcome {
    Outcome { ended: Ended::Status(0), stdout: String::new(), stderr: String::new() }
}

fn outcome(ran: Result<Output>) -> Result<Outcome> {
    let output = match ran {
        Err(e) if e.is::<TimedOut>() => return Ok(Outcome { ended: Ended::TimedOut, ..done() }),
        ran => ran?,
    };
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let ended = match output.ended {
        api::debug::Ended::Status(status) => Ended::Status(status),
        api::debug::Ended::Signal(signal) => Ended::Signal(signal),
    };
    Ok(Outcome { ended, stdout: text(output.stdout), stderr: text(output.stderr) })
}

fn told(act: &Act, vars: &Vars) -> String {
    match act {
        Act::Run(argv) => format!("`{}`", command(argv, vars).join(" ")),
        Act::Host(host) => format!("host = \"{}\"", host.word()),
        Act::Disk(harm) => format!("harm to {}", harm.partition),
    }
}

/// A moment, unless we are asked to stop.
fn pause() -> Result<()> {
    if sys::interrupts::count() > 0 {
        return Err(anyhow!(Stopped { signal: sys::interrupts::last() }));
    }
    nap();
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "a step is tried again in real time")]
fn nap() {
    std::thread::sleep(PAUSE);
}

#[expect(clippy::disallowed_methods, reason = "`until` is real time")]
fn now() -> Instant {
    Instant::now()
}
