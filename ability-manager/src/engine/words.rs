//! The words between the engine and the daemon: what happened, what to do.

use std::sync::Arc;

use model::Name;
use model::bundle::{AbilityKind, BundleId, LaunchMode, Lifecycle};
use model::want::Want;
use serde::{Deserialize, Serialize};

use super::refusal::Refusal;

pub use super::exit::Exit;

/// Number of an instance, never given twice in a boot: that of its unit `app@ID_NUMBER`.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct InstanceId(pub u64);

/// Number of a mission, never 0, never given twice.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct MissionId(pub u32);

/// Number of a connection to a service, never 0; no two that are there have the same.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct ConnectionId(pub u32);

/// Number of a request, chosen by the daemon; the answer carries it.
pub type RequestId = u64;

/// Which ability of which bundle.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Target {
    /// The bundle.
    pub bundle: BundleId,
    /// Its ability.
    pub ability: Name,
}

/// What its manifest says of an ability, as far as it counts here.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Traits {
    /// What it is to people.
    pub kind: AbilityKind,
    /// How many there are of it. A service is one, or one for each key.
    pub launch: LaunchMode,
    /// Whether it is told of its life.
    pub lifecycle: Lifecycle,
    /// Other bundles may start it.
    pub exported: bool,
}

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Caller {
    /// Root on the control bus: may all.
    Root,
    /// An app, on the bus of this instance.
    App {
        /// Which instance.
        instance: InstanceId,
        /// Its bundle has the permission that the ability asks of callers, or the ability asks for none.
        permitted: bool,
        /// Its bundle has the permission `start-from-background`.
        background: bool,
    },
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// An ability is wanted. Answered when it is there and has the want; of a page with `show`, when
    /// that is in front.
    Start {
        /// Whose answer it is.
        request: RequestId,
        /// Who asks.
        caller: Caller,
        /// For which ability.
        target: Target,
        /// What that is.
        traits: Traits,
        /// What is wanted of it.
        want: Arc<Want>,
        /// A page comes to the front.
        show: bool,
    },
    /// Somebody connects to a service, which is started if need be. Answered when that has taken the connection:
    /// see [`super::Engine::accepts`].
    Connect {
        /// Whose answer it is.
        request: RequestId,
        /// Who asks.
        caller: Caller,
        /// To which ability.
        target: Target,
        /// What that is.
        traits: Traits,
        /// What it is connected to for.
        want: Arc<Want>,
    },
    /// A service has taken the connection that it was told of with this token.
    Accepted {
        /// Which instance.
        instance: InstanceId,
        /// The token of [`Action::Tell`].
        token: u32,
    },
    /// A caller is connected no more. An instance that ended needs not say so.
    Disconnect {
        /// Whose answer it is.
        request: RequestId,
        /// Who was connected.
        caller: Caller,
        /// As the answer to `Connect` had it.
        connection: ConnectionId,
    },
    /// A card is no more: if the ability that fills it runs, it is told.
    FormGone {
        /// Which ability.
        target: Target,
        /// Which card.
        card: u32,
    },
    /// A mission should come to the front, restored if it has no process. Answered when it is there.
    Show {
        /// Whose answer it is.
        request: RequestId,
        /// Which.
        mission: MissionId,
        /// What its ability is by now.
        traits: Traits,
    },
    /// A mission should leave the screen. Answered when it has.
    Hide {
        /// Whose answer it is.
        request: RequestId,
        /// Which.
        mission: MissionId,
    },
    /// An instance should end; its mission stays. Answered when it has ended.
    Stop {
        /// Whose answer it is.
        request: RequestId,
        /// Which.
        instance: InstanceId,
    },
    /// A page on the screen wants to begin anew. Answered at once; then it ends, and is started again with the state of
    /// its mission.
    Restart {
        /// Whose answer it is.
        request: RequestId,
        /// Which.
        instance: InstanceId,
        /// State to find again; empty: what was saved.
        state: Vec<u8>,
    },
    /// A mission should end and be forgotten. Answered when it is.
    Forget {
        /// Whose answer it is.
        request: RequestId,
        /// Which.
        mission: MissionId,
    },
    /// All instances of a bundle should end. [`Exit::Revoked`]: at once; [`Exit::Removed`]: its missions
    /// are forgotten too. Nothing of it is started meanwhile by what was kept.
    End {
        /// Of which bundle.
        bundle: BundleId,
        /// Why.
        why: Exit,
    },
    /// An instance must go at once: the device lacks memory, its time is over.
    Kill {
        /// Which.
        instance: InstanceId,
        /// Why.
        why: Exit,
    },
    /// An instance must end by itself, and is stopped if it does not: its time is over.
    Finish {
        /// Which.
        instance: InstanceId,
        /// Why.
        why: Exit,
    },
    /// An instance goes on off the screen, or does so no more: meanwhile a page does not stand still there, and
    /// a service does not end for want of users. See [`super::background`] and [`super::continuous`].
    Busy {
        /// Which.
        instance: InstanceId,
        /// It does.
        busy: bool,
    },
    /// The device lacks memory: all that are told of their life, and do not stand still, hear of it.
    Memory(Shortage),
    /// The process is there.
    Launched {
        /// Whose.
        instance: InstanceId,
    },
    /// There is no process, and there will be none.
    LaunchFailed {
        /// Whose.
        instance: InstanceId,
        /// Why: a phrase for people.
        why: String,
    },
    /// It has called `Attach`.
    Attached {
        /// Which.
        instance: InstanceId,
    },
    /// It has done what this token asked for. See [`super::Engine::awaits`]. Of a connection: it does not take it, or
    /// ends it.
    Done {
        /// Which.
        instance: InstanceId,
        /// The token of [`Action::Tell`].
        token: u32,
        /// State to find again; counts with [`Told::Background`] alone.
        state: Vec<u8>,
    },
    /// Its processes are gone.
    Ended {
        /// Which.
        instance: InstanceId,
        /// How, as far as servicemgr knows.
        exit: Exit,
    },
    /// Time passed.
    Tick,
}

/// Something the daemon must do now, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Make the bus of the instance and start its process. Answers: `Launched` or `LaunchFailed`, later
    /// `Ended` if it was launched.
    Launch {
        /// Its number. Once for each.
        instance: InstanceId,
        /// What to run.
        target: Target,
        /// The mission it shows.
        mission: Option<MissionId>,
        /// What it is started for: what `Attach` answers.
        want: Arc<Want>,
        /// Why it is started.
        reason: Reason,
        /// `Attach` answers with what was saved for the mission.
        restore: bool,
    },
    /// Tell an instance, which has attached.
    Tell {
        /// Which.
        instance: InstanceId,
        /// What `Done` must say; 0: nothing is awaited.
        token: u32,
        /// What happens to it.
        event: Told,
        /// With [`Told::Want`], [`Told::Connect`] and [`Told::Form`]: what is wanted.
        want: Option<Arc<Want>>,
    },
    /// Its processes stand still from now on.
    Freeze {
        /// Which.
        instance: InstanceId,
    },
    /// They go on.
    Thaw {
        /// Which.
        instance: InstanceId,
    },
    /// servicemgr stops it: `SIGTERM`, time, `SIGKILL`. Then comes `Ended`.
    Terminate {
        /// Which.
        instance: InstanceId,
    },
    /// `SIGKILL`, at once. Then comes `Ended`.
    Kill {
        /// Which.
        instance: InstanceId,
        /// Why.
        why: Exit,
    },
    /// Keep this for the mission, in place of what was kept; empty: nothing.
    Save {
        /// Which.
        mission: MissionId,
        /// What.
        state: Vec<u8>,
    },
    /// The mission is forgotten: what was kept for it goes.
    Drop {
        /// Which.
        mission: MissionId,
    },
    /// The answer to a request, the only one. `Some` to `Start`, `Connect` and `Show`.
    Answer {
        /// Whose.
        request: RequestId,
        /// What came of it.
        result: Result<Option<Started>, Refusal>,
    },
}

/// What an instance is told: the words of `api::app::event`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// It comes to the screen.
    Foreground,
    /// It leaves the screen: `Done` with what it wants to find again.
    Background,
    /// It is wanted for something more. A page answers nothing; a service `Done` when it has done it.
    Want,
    /// It ends: `Done`, then exit.
    Terminate,
    /// Somebody connects to it: it takes the connection, or says `Done` and does not.
    Connect,
    /// Who was connected by this token is so no more.
    Left(u32),
    /// The service at the other end of this connection has ended it.
    Lost(ConnectionId),
    /// A card is to be made, or filled anew: `Done` when it is.
    Form,
    /// A card is no more.
    FormGone(u32),
    /// The device lacks memory.
    Memory(Shortage),
}

/// How much the device lacks memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shortage {
    /// What can be made again should go.
    Moderate,
    /// Those off the screen are ended soon.
    Low,
    /// They are being ended.
    Critical,
}

/// Why an instance is started: the words of `api::app::Launch`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// It is wanted.
    Start,
    /// Somebody connects to it.
    Connect,
    /// Its mission is shown again, or it crashed in front of people.
    Restore,
}

/// What was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Started {
    /// Which instance.
    pub instance: InstanceId,
    /// The mission it shows.
    pub mission: Option<MissionId>,
    /// It was there already.
    pub again: bool,
    /// To `Connect`: which connection it is.
    pub connection: Option<ConnectionId>,
}
