//! Who owns the names of our services: servicemgr as an ordinary client of the bus.
//!
//! ```text
//! connect ─► greeting, Hello, per name: AddMatch, NameHasOwner ─► owned? … NameOwnerChanged …
//! ```
//!
//! The controller is not told of owners; everybody else is. Signals of other names are not asked
//! for, so nobody wakes us for them. A client may send us what it likes; what does not come from the
//! bus itself is thrown away.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::Duration;

use tokio::net::UnixStream;

use super::line::{Item, Line};
use super::message::{self, GREETING, Kind, Method, Packet};
use super::policy::DRIVER;

/// Wait before the next try when more clients than fit wait to be taken by the bus.
const FULL: Duration = Duration::from_millis(50);

/// Tries, 10 s in all.
const TRIES: u32 = 200;

/// The bus as an object.
pub(super) const BUS: Method<'_> =
    Method { at: DRIVER, path: "/org/freedesktop/DBus", interface: DRIVER, member: "" };

/// Our connection as a client.
#[derive(Debug)]
pub(super) struct Owners {
    /// The line.
    pub(super) line: Line,
    asked: BTreeMap<u32, String>,
    serial: u32,
}

/// Connects after a while, however many others do at that moment.
pub(super) async fn connect(path: PathBuf, wait: Duration) -> io::Result<OwnedFd> {
    tokio::time::sleep(wait).await;
    let mut tries = TRIES;
    loop {
        match UnixStream::connect(&path).await {
            Err(e) if e.kind() == io::ErrorKind::WouldBlock && tries > 0 => {
                tries -= 1;
                tokio::time::sleep(FULL).await;
            }
            Err(e) => return Err(e),
            Ok(stream) => return Ok(stream.into_std()?.into()),
        }
    }
}

impl Owners {
    /// Begins to talk, and asks about `names`.
    ///
    /// # Errors
    /// As [`Line::send`].
    pub(super) fn begin<'a>(
        socket: OwnedFd,
        names: impl Iterator<Item = &'a String>,
    ) -> io::Result<Self> {
        let mut this = Self { line: Line::new(socket)?, asked: BTreeMap::new(), serial: 0 };
        this.line.send(Packet { bytes: GREETING.to_vec(), fd: None })?;
        this.ask("Hello", &())?;
        for name in names {
            let rule =
                format!("type='signal',sender='{DRIVER}',member='NameOwnerChanged',arg0='{name}'");
            this.ask("AddMatch", &(rule,))?;
            let serial = this.ask("NameHasOwner", &(name,))?;
            this.asked.insert(serial, name.clone());
        }
        Ok(this)
    }

    fn ask<B>(&mut self, member: &str, body: &B) -> io::Result<u32>
    where
        B: serde::Serialize + zbus::wire::DynamicType,
    {
        self.serial = self.serial.checked_add(1).unwrap_or(1);
        let call = message::call(self.serial, Method { member, ..BUS }, body);
        self.line.send(call.ok_or(io::ErrorKind::InvalidInput)?)?;
        Ok(self.serial)
    }

    /// What follows from something the bus said: a name, and whether somebody owns it now.
    pub(super) fn hear(&mut self, item: &Item) -> Option<(String, bool)> {
        let Item::Message(heard) = item else { return None };
        if heard.sender != DRIVER {
            return None;
        }
        match heard.kind {
            Kind::Done => {
                let name = self.asked.remove(&heard.answers)?;
                Some((name, heard.body::<(bool,)>()?.0))
            }
            Kind::Signal if heard.member == "NameOwnerChanged" => {
                let (name, _, owner) = heard.body::<(String, String, String)>()?;
                Some((name, !owner.is_empty()))
            }
            Kind::Refused => {
                log::warn!("the system bus refuses a question of ours: {}", heard.error);
                None
            }
            Kind::Signal | Kind::Call => None,
        }
    }
}
