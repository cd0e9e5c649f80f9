//! `org.ensemble.Devices1`: who may ask what. The hub answers.

use std::collections::HashMap;
use std::time::Duration;

use api::devices::{Check, Device, Error, Nearby, PATH};
use api::remote::Open;
use tokio::net::UnixStream;
use tokio::sync::mpsc;
use tokio::time::timeout;
use zbus::connection::Builder;
use zbus::object_server::SignalEmitter;
use zbus::{Connection, OwnedFd, interface};

use super::hub::Hub;
use super::mail::{Mail, Reply};
use super::pairing::Options;
use crate::session::EAGER_PAUSE;
use crate::streams;
use crate::trust::Change;

/// How long a client may take to introduce itself.
const HANDSHAKE: Duration = Duration::from_secs(5);

/// Longest message.
const MAX_MESSAGE: usize = 32 << 10;

/// Questions of one client that are worked on at a time.
const BLOCKING: usize = 16;

/// What a client may have before it that it was told.
const TOLD: usize = 64;

/// How long a stream is tried for where the device does not answer at once.
const REACH: Duration = Duration::from_secs(10);

/// What a client is told without asking.
#[derive(Debug, Clone)]
pub(super) enum Told {
    /// A device came, went, or changed.
    Changed { id: String, name: String, state: &'static str },
    /// Something came of an attempt to pair.
    Pairing { attempt: u32, stage: &'static str, detail: Vec<(&'static str, String)> },
}

/// One client's view.
#[derive(Debug, Clone)]
pub(super) struct Desk {
    pub(super) mail: Mail,
    pub(super) uid: u32,
    /// Its number.
    pub(super) client: u64,
}

impl Desk {
    async fn ask<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&mut Hub) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.wait(move |hub, reply| drop(reply.send(ask(hub)))).await
    }

    /// Of what is answered later.
    async fn wait<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&mut Hub, Reply<Result<T, Error>>) + Send + 'static,
    ) -> Result<T, Error> {
        let ending = || Error::Failed("softbus is ending; try again".to_owned());
        self.mail.call(ask).await.ok_or_else(ending)?
    }

    fn only_root(&self, what: &str) -> Result<(), Error> {
        match self.uid {
            0 => Ok(()),
            uid => {
                Err(Error::NotPermitted(format!("{what}: only root may, and you are user {uid}")))
            }
        }
    }

    /// Root changes the group.
    async fn change(
        &self,
        what: &str,
        change: impl FnOnce(&mut Hub) -> Result<Change, Error> + Send + 'static,
    ) -> Result<(), Error> {
        self.only_root(what)?;
        self.ask(move |hub| {
            let change = change(hub)?;
            hub.change(&change)?;
            hub.tell_change(&change);
            Ok(())
        })
        .await
    }
}

fn owned(options: HashMap<&str, &str>) -> Options {
    options.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn late<T>() -> Result<T, String> {
    Err(format!("it did not answer within {} s", REACH.as_secs()))
}

fn invalid(what: &str, why: impl std::fmt::Display) -> Error {
    Error::Invalid(format!("`{what}`: {why}"))
}

#[interface(name = "org.ensemble.Devices1")]
impl Desk {
    async fn list(&self) -> Result<Vec<Device>, Error> {
        self.ask(|hub| Ok(hub.list())).await
    }

    async fn nearby(&self) -> Result<Vec<Nearby>, Error> {
        self.ask(|hub| Ok(hub.nearby())).await
    }

    async fn accept(&self, options: HashMap<&str, &str>) -> Result<u32, Error> {
        self.only_root("accept")?;
        let (client, options) = (self.client, owned(options));
        self.ask(move |hub| hub.accept(client, options)).await
    }

    async fn pair(&self, target: String, options: HashMap<&str, &str>) -> Result<u32, Error> {
        self.only_root("pair")?;
        let (client, options) = (self.client, owned(options));
        self.ask(move |hub| hub.pair(client, &target, options)).await
    }

    async fn confirm(&self, attempt: u32, yes: bool) -> Result<(), Error> {
        self.only_root("confirm")?;
        self.ask(move |hub| hub.confirm(attempt, yes)).await
    }

    async fn answer(&self, attempt: u32, code: String) -> Result<(), Error> {
        self.only_root("answer")?;
        self.ask(move |hub| hub.answer(attempt, &code)).await
    }

    async fn cancel(&self, attempt: u32) -> Result<(), Error> {
        self.only_root("cancel")?;
        self.ask(move |hub| hub.cancel(attempt)).await
    }

    async fn remove(&self, device: String) -> Result<(), Error> {
        self.change("remove", move |hub| {
            let id = hub.find(&device)?;
            if id == hub.own {
                return Err(Error::Invalid(
                    "this is the device itself: `ensctl device leave`".to_owned(),
                ));
            }
            Ok(Change::Remove(id))
        })
        .await
    }

    async fn rename(&self, device: String, name: String) -> Result<(), Error> {
        let name = name.parse().map_err(|why| invalid(&name, why))?;
        self.change("rename", move |hub| Ok(Change::Name { device: hub.find(&device)?, name }))
            .await
    }

    async fn set_level(&self, device: String, level: String) -> Result<(), Error> {
        let level = level.parse().map_err(|why| invalid(&level, why))?;
        self.change("level", move |hub| Ok(Change::Level { device: hub.find(&device)?, level }))
            .await
    }

    async fn set_label(&self, device: String, label: String) -> Result<(), Error> {
        let label = label.parse().map_err(|why| invalid(&label, why))?;
        self.change("label", move |hub| Ok(Change::Label { device: hub.find(&device)?, label }))
            .await
    }

    async fn leave(&self) -> Result<(), Error> {
        self.only_root("leave")?;
        self.ask(Hub::leave).await
    }

    async fn add_address(&self, address: String) -> Result<(), Error> {
        self.only_root("add")?;
        self.ask(move |hub| hub.add_address(&address)).await
    }

    async fn forget_address(&self, address: String) -> Result<(), Error> {
        self.only_root("forget")?;
        self.ask(move |hub| hub.forget_address(&address)).await
    }

    async fn info(&self, device: String) -> Result<HashMap<String, String>, Error> {
        self.ask(move |hub| hub.info(&device)).await
    }

    async fn doctor(&self, device: String) -> Result<Vec<Check>, Error> {
        let looked = device.clone();
        if self.ask(move |hub| Ok(hub.to_examine(&looked).is_some())).await? {
            // Whether there is a link now is seen then.
            let _tried = self.reached(device.clone()).await;
        }
        self.ask(move |hub| Ok(hub.examine(&device))).await
    }

    async fn pick(&self, needs: Vec<String>) -> Result<Vec<Device>, Error> {
        self.ask(move |hub| hub.pick(&needs)).await
    }

    async fn open(
        &self,
        device: String,
        target: String,
        arguments: HashMap<String, String>,
    ) -> Result<OwnedFd, Error> {
        self.only_root("open")?;
        let open = Open { target, arguments: arguments.into_iter().collect() };
        let link = self.reached(device).await?;
        let failed = |why: crate::engine::Closed| Error::Failed(format!("link: {why}"));
        let (mut writer, mut reader) = link.open().await.map_err(failed)?;
        let reached = streams::reach(&open, &mut reader, &mut writer).await;
        let (theirs, ours) = reached.map_err(|why| Error::Refused(why.to_string()))?;
        tokio::spawn(streams::pump(reader, writer, ours));
        Ok(theirs.into())
    }

    #[zbus(signal)]
    async fn changed(
        emitter: &SignalEmitter<'_>,
        id: &str,
        name: &str,
        state: &str,
    ) -> zbus::Result<()>;

    #[zbus(signal)]
    async fn pairing(
        emitter: &SignalEmitter<'_>,
        attempt: u32,
        stage: &str,
        detail: HashMap<&str, &str>,
    ) -> zbus::Result<()>;
}

impl Desk {
    /// A link to a device; one that does not answer at once may be about to.
    async fn reached(&self, device: String) -> Result<crate::engine::Link, Error> {
        let named = device.clone();
        let peer = self.ask(move |hub| hub.find(&named)).await?;
        let own = self.ask(move |hub| Ok(hub.own == peer)).await?;
        if own {
            return Err(Error::Invalid(format!("{device} is this device itself")));
        }
        for last in [false, true] {
            let reach = self.mail.call(move |hub, reply| hub.reach(peer, reply));
            match timeout(REACH, reach).await.unwrap_or_else(|_| Some(late())) {
                Some(Ok(link)) => return Ok(link),
                Some(Err(why)) if last => {
                    return Err(Error::Failed(format!(
                        "{device} can't be reached: {why}: `ensctl device doctor {device}` looks why"
                    )));
                }
                Some(Err(_)) => tokio::time::sleep(EAGER_PAUSE).await,
                None => break,
            }
        }
        Err(Error::Failed(format!("{device} is not of the group any more, or softbus is ending")))
    }
}

/// Serves a client until it hangs up.
pub(super) async fn serve_one(desk: Desk, stream: UnixStream, guid: String) -> zbus::Result<()> {
    let slow = |_| zbus::Error::Failure("too slow".into());
    let (mail, client) = (desk.mail.clone(), desk.client);
    let (sender, told) = mpsc::channel(TOLD);
    mail.tell(move |hub| drop(hub.clients.insert(client, sender))).await;
    let served = async {
        // A stream is handed over as one, and the library sends them only to who may send some too.
        let descriptors =
            if desk.uid == 0 { wire::Descriptors::Taken } else { wire::Descriptors::Closed };
        let limits = wire::Limits { message: MAX_MESSAGE, unanswered: Some(BLOCKING), descriptors };
        let greeting = wire::greet(stream, &guid, limits, |_| None::<std::convert::Infallible>);
        let begun = timeout(HANDSHAKE, greeting).await.map_err(slow)??;
        let wire::Begun::Messages(reader, writer) = begun;
        let build = Builder::authenticated_socket(wire::split(reader, writer), guid).p2p();
        let build = build.serve_at(PATH, desk).build();
        let connection = timeout(HANDSHAKE, build).await.map_err(slow)??;
        pass_on(told, &connection).await
    };
    let served = served.await;
    mail.tell(move |hub| {
        hub.clients.remove(&client);
        hub.client_left(client);
    })
    .await;
    served
}

/// What it is told becomes signals, until it hangs up.
async fn pass_on(mut told: mpsc::Receiver<Told>, connection: &Connection) -> zbus::Result<()> {
    let emitter = SignalEmitter::new(connection, PATH)?;
    loop {
        let told = tokio::select! {
            told = told.recv() => told,
            () = connection.closed() => return Ok(()),
        };
        match told {
            Some(Told::Changed { id, name, state }) => {
                Desk::changed(&emitter, &id, &name, state).await?;
            }
            Some(Told::Pairing { attempt, stage, detail }) => {
                let detail = detail.iter().map(|(name, value)| (*name, value.as_str())).collect();
                Desk::pairing(&emitter, attempt, stage, detail).await?;
            }
            None => return Ok(()),
        }
    }
}
