//! A black-box test of a device, as data; `verdict` is the rule that decides whether a step passed.
//!
//! ```text
//! step ─► runner does it ─► Outcome ─► judge ─► ok, keep `save` ─► next step
//!            ▲                           └─ not as expected ─► `until` over? ─► failed, with a diff
//!            └──────────────────────────────────── no, once more ┘
//! ```
//!
//! The container and the machine runner do the same cases; these files know neither.

mod network;
mod verdict;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use crate::device::File;
use crate::word::Word;

pub use network::{Change, Link, MAX_DELAY, MAX_DEVICES, address};
pub use verdict::{command, fill, judge, kept};

/// Time a step may take when it does not say.
pub const STEP_TIMEOUT: Duration = Duration::from_secs(30);

/// Most times a step may be repeated by `times`.
pub const MAX_TIMES: u32 = 10_000;

/// Most copies of one service.
pub const MAX_COPIES: u32 = 1000;

/// Values kept by `save`, by name.
pub type Vars = BTreeMap<String, String>;

/// One test.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// The name of its folder.
    pub name: String,
    /// What is true when it passes.
    pub about: String,
    /// What it runs on; not empty.
    pub devices: Vec<Member>,
    /// They share a network, and know each other as NAME.local.
    pub together: bool,
    /// Where it runs; not empty.
    pub on: Vec<Ring>,
    /// Files added to the device.
    pub files: Vec<File>,
    /// In order; not empty.
    pub steps: Vec<Step>,
}

impl Case {
    /// Whether what the device with this number writes must be kept over its end.
    #[must_use]
    pub fn keeps_state(&self, device: usize) -> bool {
        self.steps.iter().filter(|step| step.on == device).any(|step| match &step.act {
            Act::Run(_) | Act::Link(_) | Act::Address(_) => false,
            Act::Host(host) => host.keeps_state(),
            Act::Disk(_) => true,
        })
    }
}

/// One of the devices of a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// What steps call it.
    pub name: String,
    /// The device as written: a name, or a path in the caller's terms.
    pub device: String,
    /// It is this device, whichever the case is run for.
    pub fixed: bool,
}

/// Where a case runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ring {
    /// In namespaces on the host's kernel.
    Container,
    /// In a machine with its own kernel.
    Machine,
}

impl Word for Ring {
    const WHAT: &'static str = "place for a case";
    const WORDS: &'static [(&'static str, Self)] =
        &[("container", Self::Container), ("machine", Self::Machine)];
}

/// One step.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// What is done.
    pub act: Act,
    /// Number of the device it is done to.
    pub on: usize,
    /// How many times in a row; each must be as expected.
    pub times: u32,
    /// Longest time for each.
    pub timeout: Duration,
    /// Repeat until it is as expected, or this long.
    pub until: Option<Duration>,
    /// What must come of it.
    pub expect: Expect,
    /// Keep standard output under this name (see [`kept`]).
    pub save: Option<String>,
    /// Line in `case.toml`, from 1.
    pub line: usize,
}

/// What a step does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// A command on the device; not empty.
    Run(Vec<String>),
    /// Something from outside.
    Host(Host),
    /// Harm to the disk of a machine that is off.
    Disk(Harm),
    /// A change of what lies between devices.
    Link(Link),
    /// Another address for the device, which nobody is told.
    Address(Ipv4Addr),
}

/// What is done to a disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Harm {
    /// Name of the partition.
    pub partition: String,
    /// Zeros over this part of it, in bytes; the whole partition is taken out of the table when
    /// absent.
    pub erase: Option<std::ops::Range<u64>>,
}

/// What is done to a device from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Host {
    /// `SIGKILL` to servicemgr.
    KillServicemgr,
    /// The power goes, and comes back.
    PowerCut,
    /// An ordered reboot.
    Reboot,
    /// An ordered end. Its output is the console.
    PowerOff,
    /// The wait for an end that a step before has begun. Its output is the console.
    Ends,
    /// A start after an end; fails when the device does not get up. Its output is the console.
    PowerOn,
}

impl Word for Host {
    const WHAT: &'static str = "action of the host";
    const WORDS: &'static [(&'static str, Self)] = &[
        ("kill-servicemgr", Self::KillServicemgr),
        ("power-cut", Self::PowerCut),
        ("reboot", Self::Reboot),
        ("power-off", Self::PowerOff),
        ("ends", Self::Ends),
        ("power-on", Self::PowerOn),
    ];
}

impl Host {
    /// Whether it takes a machine.
    #[must_use]
    pub fn needs_machine(self) -> bool {
        self == Self::PowerCut
    }

    /// Whether the device starts again or may do so, and keeps what it has written.
    #[must_use]
    pub fn keeps_state(self) -> bool {
        self != Self::KillServicemgr
    }

    /// Whether it has an exit status and an output to expect.
    #[must_use]
    pub fn has_output(self) -> bool {
        matches!(self, Self::PowerOff | Self::Ends | Self::PowerOn)
    }
}

/// What must come of a step. Texts may hold `{NAME}` of saved values.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Expect {
    /// Exit status.
    pub exit: i32,
    /// All of standard output.
    pub stdout: Option<String>,
    /// All of standard error.
    pub stderr: Option<String>,
    /// Parts of standard output.
    pub stdout_has: Vec<String>,
    /// Not in standard output.
    pub stdout_lacks: Vec<String>,
    /// Parts of standard error.
    pub stderr_has: Vec<String>,
    /// Pointer into standard output as JSON, and the value there.
    pub json: Vec<(String, serde_json::Value)>,
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// With this status.
    Status(i32),
    /// By this signal.
    Signal(i32),
    /// It was still running when its time was over.
    TimedOut,
}

/// What came of a step. For an act of the host: whether it worked, and why not on `stderr`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// How it ended.
    pub ended: Ended,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}
