//! What anyone may ask of servicemgr: peer-to-peer D-Bus on [`crate::paths::SERVICES_SOCKET`].
//!
//! Everybody may look; only root may start, stop and power off (the kernel says who is at the
//! other end). Every time is in nanoseconds since PID 1 began; 0 is "not yet".
//!
//! Invariant: `start`, `stop` and `restart` answer when the job has ended, not when it began.

mod shown;

use zbus::DBusError;

pub use shown::{
    Bar, Change, Edge, Fact, Failed, Hold, Row, State, Status, System, SystemState, Transaction,
    Why,
};

/// The object path.
pub const PATH: &str = "/org/ensemble/Services";

/// The interface.
pub const INTERFACE: &str = "org.ensemble.Services1";

/// Why a call failed. The text is one sentence that says what to do.
#[derive(Debug, Clone, PartialEq, DBusError)]
#[zbus(prefix = "org.ensemble.Services1.Error")]
pub enum Error {
    /// The bus itself.
    #[zbus(error)]
    ZBus(zbus::Error),
    /// No service is called that.
    NoSuchService(String),
    /// The job ended, and not as asked.
    Failed(String),
    /// Another request took over before the job ended.
    Replaced(String),
    /// It would contradict itself, so nothing was done.
    Refused(String),
    /// A definition of a service is wrong; the text shows where.
    BadDefinition(String),
    /// Only root may.
    NotPermitted(String),
    /// The device is going down.
    GoingDown(String),
}

/// Longest definition that `run` and `launch` take, in bytes: a message has at most 16 KiB.
pub const MAX_DEFINITION: usize = 12 << 10;

/// Most variables of its own that an instance has.
pub const MAX_OWN: usize = 16;

/// Sandboxes of apps that are kept ready, beside those in use.
pub const PREPARED: usize = 64;

/// Most ends of instances that are kept for who watches later; older ones are forgotten.
pub const MAX_UNTOLD: usize = 128;

/// Most permissions that one instance has.
pub const MAX_GRANTED: usize = 64;

/// The calls. `ServicesProxy::new(&connection)` on a peer-to-peer connection is all it needs.
#[zbus::proxy(
    interface = "org.ensemble.Services1",
    default_path = "/org/ensemble/Services",
    default_service = "org.ensemble.Services"
)]
pub trait Services {
    /// Every service, sorted by name.
    fn list(&self) -> Result<Vec<Row>, Error>;

    /// One service in full.
    fn status(&self, name: &str) -> Result<Status, Error>;

    /// Starts a service and what it pulls in; answers when it is ready. Root only.
    fn start(&self, name: &str) -> Result<(), Error>;

    /// Stops a service and its users; answers when its processes are gone. Root only.
    fn stop(&self, name: &str) -> Result<(), Error>;

    /// Stops and starts a service, and brings its users back. Root only.
    fn restart(&self, name: &str) -> Result<(), Error>;

    /// `start`, `stop` or `restart` of all these services as one request, done whole or not at all.
    /// Answers when all have ended, with those that failed. Root only.
    fn together(&self, what: &str, names: &[&str]) -> Result<Vec<Failed>, Error>;

    /// A running service reads its configuration anew; answers when it has. Root only.
    fn reload(&self, name: &str) -> Result<(), Error>;

    /// Forgets the failures of a service. Root only.
    fn reset(&self, name: &str) -> Result<(), Error>;

    /// The processes of a service stand still. Root only.
    fn freeze(&self, name: &str) -> Result<(), Error>;

    /// They go on. Root only.
    fn thaw(&self, name: &str) -> Result<(), Error>;

    /// From the next boot on it starts; with `now` also now. Root only.
    fn enable(&self, name: &str, now: bool) -> Result<(), Error>;

    /// From the next boot on it does not start; with `now` it is also stopped. Root only.
    fn disable(&self, name: &str, now: bool) -> Result<(), Error>;

    /// What `start`, `stop` or `restart` of these services would do.
    fn rehearse(&self, what: &str, names: &[&str]) -> Result<Transaction, Error>;

    /// Why a service is where it is.
    fn why(&self, name: &str) -> Result<Why, Error>;

    /// Who names whom.
    fn graph(&self) -> Result<Vec<Edge>, Error>;

    /// Answers once the service is in one of these states, at once if it is.
    fn wait(&self, name: &str, states: &[&str]) -> Result<Row, Error>;

    /// Makes a service that lasts until it has ended, from a definition in TOML, and starts it;
    /// answers when it is ready. Root only.
    /// No longer than [`MAX_DEFINITION`].
    fn run(&self, name: &str, definition: &str) -> Result<(), Error>;

    /// As [`ServicesProxy::run`], for an instance of an app: the service is called `app@ID_NUMBER`, runs as user and
    /// group `uid` (one of `model::bundle::APP_IDS`; nothing has to name it) in no other group, in a sandbox with
    /// what the permissions `granted` add, whoever else decides about them. The definition names neither a user nor
    /// permissions, and must confine. `own`: variables `NAME=VALUE` that no other instance has, at most [`MAX_OWN`];
    /// what differs stays out of the definition, which is read once for all who have the same. It does not come back by itself, and is forgotten when it has ended, however.
    /// Refused: a permission that is none or that the profile forbids, a sandbox that can't hold here. Its `Ended`
    /// may be heard before the answer. Root only.
    fn launch(
        &self,
        name: &str,
        definition: &str,
        uid: u32,
        granted: &[&str],
        own: &[&str],
    ) -> Result<(), Error>;

    /// What `launch` with the same would do before it starts something: says why it would be refused, and has the
    /// sandbox compiled. It is kept for as long as others were not used later ([`PREPARED`] of them). Root only.
    fn prepare(&self, definition: &str, uid: u32, granted: &[&str]) -> Result<(), Error>;

    /// Lets go of what was made ahead of starts that shows something in this tree, so that nothing here keeps it in
    /// use: answers when it is gone. Nothing is made of that again before somebody prepares it, or starts it twice. Root only.
    fn let_go(&self, tree: &str) -> Result<(), Error>;

    /// From now on `Ended` tells each end of a main process of services whose name begins so; first of all the last
    /// [`MAX_UNTOLD`] of instances that nobody was told of. Who does not read what it is told is hung up on: it
    /// watches again and then compares with [`ServicesProxy::list`], as after servicemgr was replaced. An instance
    /// that is not there has ended. Root only.
    fn watch_ends(&self, prefix: &str) -> Result<(), Error>;

    /// The main process of a service ended: `how` is `status`, `signal`, `memory` (the kernel killed it for want of
    /// memory) or `unknown`, `number` its status or signal; `why` is a sentence without a full stop.
    #[zbus(signal)]
    fn ended(&self, name: &str, how: &str, number: i32, why: &str) -> zbus::Result<()>;

    /// Whom the kernel kills first for want of memory: all processes of an instance, and those they start, have
    /// this score (0 to 1000, 1000 goes first). Root only.
    fn set_priority(&self, name: &str, oom_score_adj: i32) -> Result<(), Error>;

    /// `SIGKILL` for all processes of a service at once, frozen or not; answers when they are gone and it has
    /// stopped. Root only.
    fn kill(&self, name: &str) -> Result<(), Error>;

    /// An app is no more: what its instances stored is counted for it no longer. `name` is theirs without the number
    /// (`app@ID`). Refused while one of them is there, or while anything is counted for it: its data goes first.
    /// Nothing happens when nothing is known of it. Root only.
    fn forget_app(&self, name: &str) -> Result<(), Error>;

    /// Reads the definitions of services again. `rehearse`: only says what would change. Answers
    /// with the changes before they happen. Root only.
    fn reload_definitions(&self, rehearse: bool) -> Result<Vec<Change>, Error>;

    /// How the device is.
    fn system(&self) -> Result<System, Error>;

    /// Answers with [`ServicesProxy::system`] once the boot is over, at once if it is.
    fn wait_settled(&self) -> Result<System, Error>;

    /// When each service that was asked for started and was ready, in order of start.
    fn boot(&self) -> Result<Vec<Bar>, Error>;

    /// Ordered stop, then power off. Answers when the stop has begun. Root only.
    fn power_off(&self) -> Result<(), Error>;

    /// Ordered stop, then start again. Answers when the stop has begun. Root only.
    fn reboot(&self) -> Result<(), Error>;

    /// Ordered stop, then stop the CPUs. Answers when the stop has begun. Root only.
    fn halt(&self) -> Result<(), Error>;
}
