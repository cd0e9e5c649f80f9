//! PID 1 and stage-0: mounts, parent of every process, last to leave.
//!
//! ```text
//! kernel ─► /init of the initramfs, /ensemble-stage0 is there:  stage-0 ─► exec of the same binary
//!        ─► /usr/lib/ensemble/init, or a container starts us:   phases ─► servicemgr ─► ends all
//! ```
//!
//! What is decided is in [`engine`] (and [`servicemgr`], [`exits`]), [`phases`], [`stage0`]'s plan:
//! pure, tested with plain values. What is done is in [`daemon`], [`perform`], [`ending`].
//!
//! On a machine the program never ends and never panics: either is the end of the kernel.

pub mod cgroups;
pub mod daemon;
pub mod ending;
pub mod engine;
pub mod exits;
pub mod held;
pub mod outbox;
pub mod perform;
pub mod phases;
pub mod rescue;
pub mod say;
pub mod seed;
pub mod servicemgr;
pub mod stage0;
pub mod survey;

use std::path::Path;
use std::process;

use sys::signals::Signals;

use crate::daemon::Daemon;
use crate::say::Voice;

/// Exit status for who is not process 1.
const NOT_FIRST: u8 = 2;

/// Where servicemgr is.
const SERVICEMGR: &str = "/usr/lib/ensemble/servicemgr";

/// In a container (tests) names another servicemgr.
const SERVICEMGR_VARIABLE: &str = "ENSEMBLE_SERVICEMGR";

/// Whether a file makes this binary stage-0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// `/init` of the initramfs.
    Stage0,
    /// The parent of every process.
    Pid1,
    /// Somebody called us by hand.
    Nobody,
}

/// Which role falls to process `pid` of a root that has or has not stage-0's list.
#[must_use]
pub fn role(pid: u32, has_list: bool) -> Role {
    match (pid, has_list) {
        (1, true) => Role::Stage0,
        (1, false) => Role::Pid1,
        _ => Role::Nobody,
    }
}

/// Plays its role. Returns in a container, or when called by hand: the exit status.
#[must_use]
pub fn run() -> u8 {
    match role(process::id(), Path::new(stage0::LIST).exists()) {
        Role::Stage0 => stage0::run(),
        Role::Pid1 => pid1(),
        Role::Nobody => {
            Voice::stderr().fault(
                "runs as process 1 only: to shut the device down call ensctl poweroff or reboot",
            );
            NOT_FIRST
        }
    }
}

fn pid1() -> u8 {
    let began = u64::try_from(sys::clock::boottime().as_nanos()).unwrap_or(u64::MAX);
    // First of all, so that nobody's wish is lost while the phases run.
    let signals = Signals::open();
    let (facts, proc) = survey::survey();
    let voice = || if facts.container { Voice::stderr() } else { Voice::kernel_log() };
    if let Err(e) = proc {
        voice().fault(format_args!("could not mount /proc: {e}: check the kernel"));
    }
    perform::all(&phases::phases(&facts), &facts, &voice());
    let signals = match signals {
        Ok(signals) => signals,
        Err(e) => {
            voice().fault(format_args!("could not take signals: {e}: cannot go on"));
            if facts.container {
                return ending::FAILED;
            }
            sys::signals::wait_for_ever()
        }
    };
    let other = std::env::var(SERVICEMGR_VARIABLE).ok().filter(|_| facts.container);
    let servicemgr = other.unwrap_or_else(|| SERVICEMGR.to_owned());
    let mut daemon = Daemon::new(voice(), facts.container, servicemgr, signals);
    let finish = daemon.serve(began);
    daemon.finish(finish)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_process_1_has_a_role_and_the_list_makes_it_stage_0() {
        assert_eq!(role(1, true), Role::Stage0);
        assert_eq!(role(1, false), Role::Pid1);
        assert_eq!(role(77, true), Role::Nobody);
    }
}
