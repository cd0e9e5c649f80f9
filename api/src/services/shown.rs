//! What servicemgr shows of services and of the device. Times are in nanoseconds since PID 1 began; 0 is "not
//! yet".

use serde::{Deserialize, Serialize};
use zbus::Type;

/// Where one service is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Type)]
#[zbus(signature = "s")]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Nobody asked for it, or it was stopped, or it ended as it should.
    Off,
    /// As off; something it listens to or waits for starts it.
    Armed,
    /// Asked for; something it needs or comes after is not settled.
    Waiting,
    /// Its process runs, not ready yet.
    Starting,
    /// Usable.
    Ready,
    /// Usable; it reads its configuration anew.
    Reloading,
    /// Its processes stand still until it is told to go on.
    Frozen,
    /// A condition for its start did not hold; what requires it may run.
    Skipped,
    /// Its job is done and its process ended; what requires it may run (`oneshot`).
    Done,
    /// Told to stop; processes are left.
    Stopping,
    /// Ended; starts again soon.
    Backoff,
    /// Ended or never began, and is not started again. `reason` says why.
    Failed,
}

impl State {
    /// The word on the bus and on the screen.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Armed => "armed",
            Self::Waiting => "waiting",
            Self::Starting => "starting",
            Self::Ready => "ready",
            Self::Reloading => "reloading",
            Self::Frozen => "frozen",
            Self::Skipped => "skipped",
            Self::Done => "done",
            Self::Stopping => "stopping",
            Self::Backoff => "backoff",
            Self::Failed => "failed",
        }
    }
}

/// One line of `ensctl service list`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct Row {
    /// Its name.
    pub name: String,
    /// What it is, for people.
    pub about: String,
    /// Where it is.
    pub state: State,
    /// Starts at boot.
    pub enabled: bool,
    /// Main process; 0 when there is none.
    pub pid: i32,
    /// Since when it is in this state.
    pub since: u64,
    /// Times its process was started without being asked to.
    pub restarts: u32,
    /// Why it failed or waits, as a sentence without a full stop; empty when all is well.
    pub reason: String,
}

/// One service in full, for `ensctl service status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct Status {
    /// The line of the list.
    pub row: Row,
    /// `simple`, `notify` or `oneshot`.
    pub kind: String,
    /// Program and arguments.
    pub exec: Vec<String>,
    /// User it runs as.
    pub user: String,
    /// Must be ready first.
    pub requires: Vec<String>,
    /// Started too, may fail.
    pub wants: Vec<String>,
    /// Started later than these.
    pub after: Vec<String>,
    /// Those which require it.
    pub required_by: Vec<String>,
    /// Its own words (`STATUS=` of `sd_notify`); empty when it said nothing.
    pub text: String,
    /// How its last process ended (`exit status 3`); empty while the first one runs.
    pub last_exit: String,
    /// The signal that ended its last process; 0 when none did.
    pub last_signal: i32,
    /// All its processes.
    pub pids: Vec<i32>,
    /// Bytes of memory in use; 0 when unknown.
    pub memory: u64,
    /// CPU time used, in microseconds; 0 when unknown.
    pub cpu: u64,
    /// What else there is to tell, in order: `("watchdog", "every 30s")`.
    pub facts: Vec<Fact>,
}

/// One more thing about a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct Fact {
    /// What it is about, in a word or two.
    pub about: String,
    /// How it is.
    pub value: String,
}

/// What a request would do, in order; nothing is done.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct Transaction {
    /// Those which would stop.
    pub stop: Vec<String>,
    /// Those which would start.
    pub start: Vec<String>,
}

/// Why a service is where it is, for `ensctl service why`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct Why {
    /// The line of the list.
    pub row: Row,
    /// What it waits for; empty when it waits for nothing.
    pub held_by: Vec<Hold>,
    /// Those which run or are about to, and require or want it.
    pub wanted_by: Vec<String>,
    /// What starts it beside them: `boot`, `request`, a trigger.
    pub started_by: Vec<String>,
    /// How its last process ended, and for what, empty when none has.
    pub last_exit: String,
}

/// One thing that a service waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct Hold {
    /// Whose doing it is; the service itself when it is its own.
    pub name: String,
    /// What is waited for, as a sentence without a full stop.
    pub what: String,
    /// Since when.
    pub since: u64,
    /// Until when at most; 0 when there is no limit.
    pub until: u64,
}

/// One edge of the graph of services.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct Edge {
    /// The service whose TOML says it.
    pub from: String,
    /// The key: `requires`, `wants`, `after`, `binds`, …
    pub kind: String,
    /// The service it names.
    pub to: String,
}

/// What a new configuration changes for one service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct Change {
    /// Which service.
    pub name: String,
    /// `added`, `removed`, `changed`, `enabled` or `disabled`.
    pub what: String,
    /// What follows: `starts`, `stops`, `restarts`, or nothing.
    pub effect: String,
}

/// How the device is as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Type)]
#[zbus(signature = "s")]
#[serde(rename_all = "kebab-case")]
pub enum SystemState {
    /// An enabled service is not settled yet.
    Starting,
    /// Every enabled service and all they pulled in is ready.
    Ready,
    /// All are settled and at least one has failed.
    Degraded,
    /// Going down.
    Stopping,
}

impl SystemState {
    /// The word on the bus and on the screen.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Ready => "ready",
            Self::Degraded => "degraded",
            Self::Stopping => "stopping",
        }
    }
}

/// A service that has failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct Failed {
    /// Its name.
    pub name: String,
    /// Why, as a sentence without a full stop.
    pub reason: String,
}

/// The device, for `ensctl status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct System {
    /// How it is.
    pub state: SystemState,
    /// Name and version of the device, from the plan.
    pub device: String,
    /// Services in the plan.
    pub total: u32,
    /// Services that are ready, done or armed: all that is asked of them.
    pub ready: u32,
    /// Services on their way (waiting, starting, backoff, stopping).
    pub pending: u32,
    /// Those which have failed.
    pub failed: Vec<Failed>,
    /// Time since PID 1 began.
    pub uptime: u64,
    /// When the boot was over: every enabled service was settled.
    pub settled: u64,
    /// 1 for the first servicemgr of this boot; more tells that it was replaced.
    pub generation: u32,
    /// Why a critical service made the device start again the last time; empty otherwise.
    pub last_reboot: String,
}

/// One bar of `ensctl boot`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct Bar {
    /// Its name.
    pub name: String,
    /// Where it is now.
    pub state: State,
    /// When it was asked for first.
    pub asked: u64,
    /// When its process was started first.
    pub started: u64,
    /// When it was ready first.
    pub ready: u64,
    /// What it waited for last before it started; empty when it waited for nothing.
    pub waited_on: String,
}
