//! The steps of one case on its devices.
//!
//! Invariant: a step is judged only by [`judge`]; a device that goes away unasked fails the case.

use std::os::unix::process::ExitStatusExt;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, bail};
use model::case::{Act, Case, Ended, Host, Outcome, Step, Vars, command, judge, kept};
use model::word::Word;

use super::bed::{Bed, Device};
use crate::built::Flavor;
use crate::progress::{self, Progress};
use crate::run::console::Console;
use crate::run::guest::{Output, Stopped, TimedOut};
use crate::run::{Boot, persist};

/// Wait between two tries of a step with `until`.
const PAUSE: Duration = Duration::from_millis(200);

/// The version of Landlock that the kernel of machines has: Debian's 6.12.
const LANDLOCK: u32 = 6;

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

/// Boots the devices, does all steps, powers off.
pub(super) fn run(
    case: &Case,
    mut bed: Bed,
    step: &dyn progress::Step,
    progress: &dyn Progress,
) -> Result<()> {
    step.say("boot");
    bed.start(progress)?;
    let first = bed.device(0)?.boot();
    let mut vars = Vars::from([("landlock".to_owned(), landlock(first).to_string())]);
    for (number, each) in (1..).zip(&case.steps) {
        step.say(&format!("step {number} of {}", case.steps.len()));
        if let Err(e) = one(&mut bed, each, &mut vars, progress) {
            bed.keep_logs();
            return Err(if e.is::<Stopped>() {
                e
            } else {
                bed.blamed(each.on, e).context(format!("line {}", each.line))
            });
        }
    }
    bed.power_off()
}

/// Does one step as often as it says.
fn one(bed: &mut Bed, step: &Step, vars: &mut Vars, progress: &dyn Progress) -> Result<()> {
    let deadline = step.until.map(|until| now() + until);
    let mut left = step.times;
    loop {
        let outcome = act(bed, step, vars, progress)?;
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

fn act(bed: &mut Bed, step: &Step, vars: &Vars, progress: &dyn Progress) -> Result<Outcome> {
    if let Act::Link(link) = &step.act {
        bed.link(link)?;
        return Ok(done());
    }
    let device = bed.device(step.on)?;
    match &step.act {
        Act::Run(argv) => {
            let argv = command(argv, vars);
            let argv: Vec<&str> = argv.iter().map(String::as_str).collect();
            outcome(device.guest()?.capture(&argv, b"", step.timeout))
        }
        Act::Address(address) => {
            device.change_address(*address)?;
            Ok(done())
        }
        Act::Host(host) => of_host(device, *host, step.timeout, progress),
        Act::Disk(harm) => {
            let disk = device.disk_when_off()?;
            persist::harm(disk, &harm.partition, harm.erase.clone())?;
            Ok(done())
        }
        Act::Link(_) => Ok(done()),
    }
}

/// Something done to a device from outside.
fn of_host(
    device: &mut Device,
    host: Host,
    limit: Duration,
    progress: &dyn Progress,
) -> Result<Outcome> {
    match host {
        Host::KillServicemgr => {
            outcome(device.guest()?.capture(&["/bin/sh", "-c", KILL_SERVICEMGR], b"", limit))
        }
        Host::PowerCut => {
            device.start(progress)?;
            Ok(done())
        }
        Host::Reboot => {
            device.ask("reboot", limit)?;
            device.ended(limit)?;
            device.start(progress)?;
            Ok(done())
        }
        Host::PowerOff => {
            device.ask("poweroff", limit)?;
            ended(device, limit)
        }
        Host::Ends => ended(device, limit),
        Host::PowerOn => power_on(device, progress),
    }
}

/// Waits for the end of a device.
fn ended(device: &mut Device, limit: Duration) -> Result<Outcome> {
    let status = device.ended(limit)?;
    let ended = match (status.code(), status.signal()) {
        (Some(code), _) => Ended::Status(code),
        (None, signal) => Ended::Signal(signal.unwrap_or_default()),
    };
    let stdout = Console::new(device.boot().console()).text();
    Ok(Outcome { ended, stdout, stderr: String::new() })
}

/// Starts a device that may not get up.
fn power_on(device: &mut Device, progress: &dyn Progress) -> Result<Outcome> {
    if device.is_on() {
        bail!("the device is on already");
    }
    let (ended, stderr) = match device.start(progress) {
        Ok(()) => (Ended::Status(0), String::new()),
        Err(e) if e.is::<Stopped>() => return Err(e),
        Err(e) => (Ended::Status(1), format!("{e:#}")),
    };
    let stdout = Console::new(device.boot().console()).text();
    Ok(Outcome { ended, stdout, stderr })
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
        Act::Link(_) => "a change of links".to_owned(),
        Act::Address(address) => format!("address = \"{address}\""),
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
