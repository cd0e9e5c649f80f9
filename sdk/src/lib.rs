//! For apps in Rust. An app attaches, and is told of its life; what it does in between is its own business.
//!
//! ```no_run
//! use ensemble_app::{App, Event};
//!
//! fn main() -> Result<(), ensemble_app::Error> {
//!     let (mut app, launch) = App::attach()?;
//!     let mut text = launch.state.unwrap_or_default();        // what it saved the last time
//!     loop {
//!         let told = app.wait()?;
//!         match &told.event {
//!             Event::Background => {
//!                 app.saved(told, &text)?;
//!                 continue;
//!             }
//!             Event::Terminate => return app.done(told),
//!             Event::Want(want) => text = want.uri.clone().unwrap_or_default().into_bytes(),
//!             _ => {}
//!         }
//!         app.done(told)?;
//!     }
//! }
//! ```
//!
//! It is the bus of `docs/apps.md` and nothing else: no thread, no runtime, one call after the other. Other
//! languages use any library of D-Bus, with the session bus they find. Invariant: each event is
//! answered at most once.

use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::{env, fmt};

use api::app::{INTERFACE, PATH, event};
use wire::client::{Object, Wire};

pub use api::abilities::{Candidate, Want};
pub use api::app::{Launch, MAX_STATE};

const APP: Object = Object { path: PATH, interface: INTERFACE };
const BUS: Object = Object { path: "/org/freedesktop/DBus", interface: "org.freedesktop.DBus" };

/// Where the bus of an instance is told.
const ADDRESS: &str = "DBUS_SESSION_BUS_ADDRESS";

/// How an address of a socket begins.
const SOCKET: &str = "unix:path=";

/// Why something did not work.
#[derive(Debug)]
pub enum Error {
    /// The program was not started as an app.
    NoApp(String),
    /// The device refused, or went away.
    Bus(Box<api::app::Error>),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoApp(why) => {
                write!(f, "this is not run as an app: {why}: `ensctl ability start` does")
            }
            Self::Bus(e) => e.fmt(f),
        }
    }
}

impl std::error::Error for Error {}

impl From<zbus::Error> for Error {
    fn from(e: zbus::Error) -> Self {
        Self::Bus(Box::new(e.into()))
    }
}

/// The instance that this program is.
#[derive(Debug)]
pub struct App(Wire);

/// A connection to a service of another app.
#[derive(Debug)]
pub struct Connection {
    /// The socket to it.
    pub stream: UnixStream,
    /// Its number: for [`App::disconnect`], and as [`Event::Disconnected`] has it.
    pub number: u32,
}

/// Something that happens to the instance. It is answered by [`App::done`] or [`App::saved`].
#[derive(Debug, PartialEq, Eq)]
pub struct Told {
    /// What happens.
    pub event: Event,
    token: u32,
}

/// What happens to the instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// It comes to the screen.
    Foreground,
    /// It leaves the screen: the time to save its state. Within 3 s.
    Background,
    /// It runs already, and is wanted for something more.
    Want(Box<Want>),
    /// It ends: it may tidy up, then it exits. Within 10 s.
    Terminate,
    /// Of a service: somebody connects. [`App::accept`] takes the connection, and [`App::done`] ends it; without having
    /// taken it, it says no. Within 10 s.
    Connect(Box<Want>),
    /// The connection with this number has ended.
    Disconnected(u32),
    /// Of a service: who connected with this token ([`Told::token`]) does so no more.
    Left(u32),
    /// Of a form: the card with this number and size is to be filled: [`App::update_form`], then [`App::done`].
    Form(u32, String),
    /// The card with this number is no more.
    FormGone(u32),
    /// The device lacks memory: `moderate`, `low` or `critical`.
    Memory(String),
    /// The time of the task with this number is over in so many seconds; then the instance is ended. Not answered, but by
    /// [`App::end_task`].
    TaskEnding(u32, u32),
    /// The transfer with this number told of no progress for too long, and goes on no more. Not answered.
    TaskCancelled(u32),
    /// Something newer than this library. Answered as all others.
    Other(String),
}

impl App {
    /// Says that the instance is there; answers with what it was started for.
    ///
    /// # Errors
    /// [`Error::NoApp`] where no instance was started; [`Error::Bus`].
    pub fn attach() -> Result<(Self, Launch), Error> {
        let address = env::var(ADDRESS).map_err(|_| Error::NoApp(format!("no {ADDRESS}")))?;
        let path = path(&address).ok_or_else(|| Error::NoApp(format!("{ADDRESS}={address}")))?;
        let wire = Wire::connect(&path, true, None)
            .map_err(|e| Error::NoApp(format!("{}: {e}", path.display())))?;
        let _name: String = wire.call(BUS, "Hello", &())?;
        let launch = wire.call(APP, "Attach", &())?;
        Ok((Self(wire), launch))
    }

    /// Waits for what happens next.
    ///
    /// # Errors
    /// The device went away: nobody will tell this instance anything any more.
    pub fn wait(&mut self) -> Result<Told, Error> {
        loop {
            let signal = self.0.signal()?;
            if signal.header().member().is_none_or(|member| member.as_str() != "Lifecycle") {
                continue;
            }
            let (word, token, want): (String, u32, Want) = signal.body().deserialize()?;
            return Ok(Told { event: read(word, want), token });
        }
    }

    /// It was done.
    ///
    /// # Errors
    /// It is too late, or the device went away.
    pub fn done(&mut self, told: Told) -> Result<(), Error> {
        self.saved(told, &[])
    }

    /// It was done, and this is what the next instance of this mission finds: [`MAX_STATE`] bytes at most.
    ///
    /// # Errors
    /// It is too late or too much, or the device went away.
    pub fn saved(&mut self, told: Told, state: &[u8]) -> Result<(), Error> {
        if told.token == 0 {
            return Ok(());
        }
        Ok(self.0.call(APP, "Done", &(told.token, state))?)
    }

    /// Has a want answered by an app; returns when that is there.
    ///
    /// # Errors
    /// None can, several can, or this app may not.
    pub fn start(&mut self, want: &Want) -> Result<(), Error> {
        Ok(self.0.call(APP, "Start", &(want,))?)
    }

    /// What would answer a want.
    ///
    /// # Errors
    /// The device went away.
    pub fn candidates(&mut self, want: &Want) -> Result<Vec<Candidate>, Error> {
        Ok(self.0.call(APP, "Candidates", &(want,))?)
    }

    /// Connects to a service of an app; returns when that has taken the connection.
    ///
    /// # Errors
    /// None can, this app may not, or the service does not want to.
    pub fn connect(&mut self, want: &Want) -> Result<Connection, Error> {
        let (end, number): (zbus::OwnedFd, u32) = self.0.call(APP, "Connect", &(want,))?;
        Ok(Connection { stream: UnixStream::from(OwnedFd::from(end)), number })
    }

    /// Takes the connection of an [`Event::Connect`]: a socket to who connects, and which bundle that is.
    ///
    /// # Errors
    /// It is too late, or the device went away.
    pub fn accept(&mut self, told: &Told) -> Result<(UnixStream, String), Error> {
        let (end, caller): (zbus::OwnedFd, String) = self.0.call(APP, "Accept", &(told.token,))?;
        Ok((UnixStream::from(OwnedFd::from(end)), caller))
    }

    /// Is connected no more; a service that nobody is connected to ends after a while.
    ///
    /// # Errors
    /// It was connected no more, or the device went away.
    pub fn disconnect(&mut self, connection: Connection) -> Result<(), Error> {
        let Connection { stream, number } = connection;
        drop(stream);
        Ok(self.0.call(APP, "Disconnect", &(number,))?)
    }

    /// Fills a card: words by their names, which who draws it knows.
    ///
    /// # Errors
    /// The card is gone, it is too much, or too often.
    pub fn update_form(&mut self, form: u32, data: &HashMap<&str, &str>) -> Result<(), Error> {
        Ok(self.0.call(APP, "UpdateForm", &(form, data))?)
    }

    /// Which of these permissions the app has: `granted`, `refused`, `settings`, `undeclared`.
    ///
    /// # Errors
    /// The device went away.
    pub fn permissions(&mut self, names: &[&str]) -> Result<HashMap<String, String>, Error> {
        Ok(self.0.call(APP, "Permissions", &(names,))?)
    }

    /// Asks the owner for these permissions; returns when that has decided. `restart` is granted from the
    /// next start of the instance on.
    ///
    /// # Errors
    /// The device went away.
    pub fn request(&mut self, names: &[&str]) -> Result<HashMap<String, String>, Error> {
        Ok(self.0.call(APP, "Request", &(names,))?)
    }

    /// Which file is the resource of this name, on this device as it is now: that of the directory of resources whose
    /// qualifiers fit best.
    ///
    /// # Errors
    /// There is none, or the device went away.
    pub fn resource(&mut self, name: &str) -> Result<PathBuf, Error> {
        let path: String = self.0.call(APP, "Resource", &(name,))?;
        Ok(path.into())
    }

    /// Wants time to finish something off the screen: the number of the task, and the seconds it has there.
    ///
    /// # Errors
    /// It is not on the screen, it has too many tasks, or has had its time of this day.
    pub fn begin_task(&mut self, reason: &str) -> Result<(u32, u32), Error> {
        Ok(self.0.call(APP, "BeginTask", &(reason,))?)
    }

    /// Has finished that.
    ///
    /// # Errors
    /// Its time was over, or the device went away.
    pub fn end_task(&mut self, task: u32) -> Result<(), Error> {
        Ok(self.0.call(APP, "EndTask", &(task,))?)
    }

    /// Goes on off the screen with a mode of the manifest (`background`), for as long as it takes; its number.
    ///
    /// # Errors
    /// The manifest does not declare it, the permission `keep-background` is missing, or it is not on the screen.
    pub fn begin_continuous(&mut self, mode: &str, reason: &str) -> Result<u32, Error> {
        Ok(self.0.call(APP, "BeginContinuous", &(mode, reason))?)
    }

    /// Does so no more.
    ///
    /// # Errors
    /// It did not, or the device went away.
    pub fn end_continuous(&mut self, task: u32) -> Result<(), Error> {
        Ok(self.0.call(APP, "EndContinuous", &(task,))?)
    }

    /// How far a transfer has come, in whatever the app counts; `total` is 0 if nobody knows. One whose `done` has not
    /// changed for ten minutes is cancelled: [`Event::TaskCancelled`].
    ///
    /// # Errors
    /// It goes on no more, is of another mode, or the device went away.
    pub fn progress(&mut self, task: u32, done: u64, total: u64) -> Result<(), Error> {
        Ok(self.0.call(APP, "Progress", &(task, done, total))?)
    }

    /// Begins anew with this state, or with what was saved if it is empty: the app ends, by itself or when it is told to,
    /// and is started again.
    ///
    /// # Errors
    /// It is not on the screen, or has begun anew within the last minute.
    pub fn restart(&mut self, state: &[u8]) -> Result<(), Error> {
        Ok(self.0.call(APP, "Restart", &(state,))?)
    }

    /// Ends this instance: what follows is [`Event::Terminate`].
    ///
    /// # Errors
    /// The device went away.
    pub fn terminate(&mut self) -> Result<(), Error> {
        Ok(self.0.call(APP, "Terminate", &())?)
    }
}

/// The socket of an address. What a device gives has no characters that would have to be escaped.
fn path(address: &str) -> Option<PathBuf> {
    let path = address.strip_prefix(SOCKET)?.split([',', ';']).next()?;
    (path.starts_with('/') && !path.contains('%')).then(|| PathBuf::from(path))
}

impl Told {
    /// What it is answered by; 0 of what is not answered.
    #[must_use]
    pub fn token(&self) -> u32 {
        self.token
    }
}

/// A number among the parameters of a want.
fn number(want: &Want, name: &str) -> Option<u32> {
    want.parameters.as_ref()?.get(name)?.parse().ok()
}

fn read(word: String, want: Want) -> Event {
    match word.as_str() {
        event::FOREGROUND => Event::Foreground,
        event::BACKGROUND => Event::Background,
        event::TERMINATE => Event::Terminate,
        event::WANT => Event::Want(Box::new(want)),
        event::CONNECT => Event::Connect(Box::new(want)),
        event::DISCONNECTED => match (number(&want, "connection"), number(&want, "token")) {
            (Some(connection), _) => Event::Disconnected(connection),
            (None, Some(token)) => Event::Left(token),
            (None, None) => Event::Other(word),
        },
        event::FORM => match number(&want, "form") {
            Some(form) => {
                let size = want.parameters.and_then(|mut all| all.remove("size"));
                Event::Form(form, size.unwrap_or_default())
            }
            None => Event::Other(word),
        },
        event::FORM_GONE => number(&want, "form").map_or(Event::Other(word), Event::FormGone),
        event::TASK_ENDING => match (number(&want, "task"), number(&want, "seconds")) {
            (Some(task), Some(seconds)) => Event::TaskEnding(task, seconds),
            _ => Event::Other(word),
        },
        event::TASK_CANCELLED => {
            number(&want, "task").map_or(Event::Other(word), Event::TaskCancelled)
        }
        event::MEMORY => {
            let level = want.parameters.and_then(|mut all| all.remove("level"));
            Event::Memory(level.unwrap_or_default())
        }
        _ => Event::Other(word),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_socket_is_found_in_its_address() {
        let found = |address| path(address).map(|path| path.display().to_string());
        assert_eq!(found("unix:path=/run/apps/a/bus"), Some("/run/apps/a/bus".into()));
        assert_eq!(found("unix:path=/run/bus,guid=00;tcp:host=x"), Some("/run/bus".into()));
        for other in ["", "unix:abstract=x", "tcp:host=x", "unix:path=x", "unix:path=/a%20b"] {
            assert_eq!(found(other), None, "{other}");
        }
    }

    #[test]
    fn what_a_newer_device_says_is_kept() {
        assert_eq!(read("foreground".into(), Want::default()), Event::Foreground);
        let ending =
            [("task", "3"), ("seconds", "6")].map(|(name, text)| (name.into(), text.into()));
        let ending = Want { parameters: Some(ending.into()), ..Want::default() };
        assert_eq!(read("task-ending".into(), ending), Event::TaskEnding(3, 6));
        let task =
            Want { parameters: Some([("task".into(), "3".into())].into()), ..Want::default() };
        assert_eq!(read("task-cancelled".into(), task), Event::TaskCancelled(3));
        assert_eq!(read("melt".into(), Want::default()), Event::Other("melt".into()));
        let low = Want {
            parameters: Some([("level".to_owned(), "low".to_owned())].into()),
            ..Want::default()
        };
        assert_eq!(read("memory".into(), low), Event::Memory("low".into()));
    }

    #[test]
    fn what_is_told_of_connections_and_cards_has_its_numbers() {
        let with = |all: &[(&str, &str)]| {
            let one = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
            Want { parameters: Some(all.iter().map(one).collect()), ..Want::default() }
        };
        let told = |word: &str, all: &[(&str, &str)]| read(word.to_owned(), with(all));
        assert_eq!(told("disconnected", &[("connection", "3")]), Event::Disconnected(3));
        assert_eq!(told("disconnected", &[("token", "4")]), Event::Left(4));
        assert_eq!(told("disconnected", &[]), Event::Other("disconnected".into()));
        let card = told("form", &[("form", "7"), ("size", "2x4")]);
        assert_eq!(card, Event::Form(7, "2x4".into()));
        assert_eq!(told("form-gone", &[("form", "7")]), Event::FormGone(7));
        let view = Want { action: Some("view".into()), ..Want::default() };
        assert_eq!(read("connect".into(), view.clone()), Event::Connect(Box::new(view)));
    }
}
