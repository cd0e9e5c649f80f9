//! `org.freedesktop.DBus` on the bus of an instance, as far as libraries of a session bus need it.
//!
//! On this bus are one client, as which it is known by the number of its connection, and ability-manager, as
//! [`OWNER`](super::OWNER). Names are nobody's: there is nobody who could call them.
//! Pure: a call in, its answers out.

use std::collections::HashMap;

use api::app::{INTROSPECTION, NAME, PATH};
use serde::Serialize;
use zbus::Variant;
use zbus::message::Message;
use zbus::wire::DynamicType;

use super::call::{fails, returns};
use super::{OWNER, Shared};

/// The bus itself.
const BUS: &str = "org.freedesktop.DBus";
const BUS_PATH: &str = "/org/freedesktop/DBus";
const INTROSPECTABLE: &str = "org.freedesktop.DBus.Introspectable";
const PEER: &str = "org.freedesktop.DBus.Peer";
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";

const NO_SUCH_NAME: &str = "org.freedesktop.DBus.Error.NameHasNoOwner";
const NO_SUCH_SERVICE: &str = "org.freedesktop.DBus.Error.ServiceUnknown";
const NO_SUCH_METHOD: &str = "org.freedesktop.DBus.Error.UnknownMethod";
const NO_SUCH_PROPERTY: &str = "org.freedesktop.DBus.Error.UnknownProperty";
const BAD_ARGUMENTS: &str = "org.freedesktop.DBus.Error.InvalidArgs";
const DENIED: &str = "org.freedesktop.DBus.Error.AccessDenied";
const FAILED: &str = "org.freedesktop.DBus.Error.Failed";

/// Answers of `ReleaseName` and `StartServiceByName`, as the specification has them.
const RELEASED_NON_EXISTENT: u32 = 2;
const ALREADY_RUNNING: u32 = 2;

/// The one client of a connection.
#[derive(Debug)]
pub(super) struct Client {
    /// Its name on this bus.
    pub name: String,
    greeted: bool,
    uid: u32,
    guid: String,
}

impl Client {
    pub(super) fn new(number: u32, shared: &Shared) -> Self {
        let (uid, guid) = (shared.whose.uid, shared.guid.clone());
        Self { name: format!(":1.{number}"), greeted: false, uid, guid }
    }
}

/// What becomes of a call.
#[derive(Debug)]
pub(super) enum Answer {
    /// These messages answer it.
    These(Vec<Message>),
    /// It is for [`api::app`].
    App,
}

/// Takes a call.
pub(super) fn hear(client: &mut Client, message: &Message) -> Answer {
    let header = message.header();
    let to = header.destination().map(ToString::to_string);
    let interface = header.interface().map(ToString::to_string).unwrap_or_default();
    let member = header.member().map(ToString::to_string).unwrap_or_default();
    let path = header.path().map(ToString::to_string).unwrap_or_default();
    let for_bus = to.as_deref() == Some(BUS) || (to.is_none() && interface == BUS);
    let for_us = to.as_deref().is_none_or(|to| to == NAME || to == OWNER);
    let call = Asked { client, message, sender: if for_bus { BUS } else { OWNER } };
    if !for_bus && !for_us {
        let why = format!("nobody here is called {}", to.unwrap_or_default());
        return Asked { sender: BUS, ..call }.error(NO_SUCH_SERVICE, &why);
    }
    match (interface.as_str(), member.as_str()) {
        (PEER, "Ping") => call.answer(&()),
        (PEER, "GetMachineId") => call.answer(&call.client.guid.as_str()),
        (INTROSPECTABLE, "Introspect") => call.answer(&introspection(&path)),
        (PROPERTIES, "GetAll") => call.answer(&HashMap::<String, Variant<'_>>::new()),
        (PROPERTIES, "Get" | "Set") => call.error(NO_SUCH_PROPERTY, "nothing here has properties"),
        (BUS | "", _) if for_bus => bus(client, message, &member),
        _ if for_bus => call.error(NO_SUCH_METHOD, &format!("{BUS} has no {interface}.{member}")),
        _ => Answer::App,
    }
}

/// The object at a path, as XML.
fn introspection(path: &str) -> String {
    let below = |name: &str| format!("<node>\n  <node name=\"{name}\"/>\n</node>\n");
    match path {
        PATH => INTROSPECTION.to_owned(),
        "/" => below("org"),
        "/org" => below("ensemble"),
        "/org/ensemble" => below("App"),
        _ => "<node/>\n".to_owned(),
    }
}

/// A call, and who answers it.
struct Asked<'a> {
    client: &'a Client,
    message: &'a Message,
    sender: &'a str,
}

impl Asked<'_> {
    fn answer<B: Serialize + DynamicType>(&self, body: &B) -> Answer {
        let answer = returns(self.message, self.sender, &self.client.name, body);
        Answer::These(answer.into_iter().collect())
    }

    fn error(&self, name: &str, why: &str) -> Answer {
        let answer = fails(self.message, self.sender, &self.client.name, name, why);
        Answer::These(answer.into_iter().collect())
    }

    /// The first argument: a name, or a rule.
    fn text(&self) -> String {
        let body = self.message.body();
        let one = body.deserialize_ignore_signature::<(&str,)>();
        let first =
            if body.signature().to_string_no_parens().starts_with('s') { one } else { Ok(("",)) };
        first.map(|(text,)| text.to_owned()).unwrap_or_default()
    }

    /// Who has the name that is asked for.
    fn owner(&self) -> Option<String> {
        let name = self.text();
        match name.as_str() {
            BUS => Some(name),
            NAME | OWNER => Some(OWNER.to_owned()),
            _ if name == self.client.name => Some(name),
            _ => None,
        }
    }
}

/// A call to the bus itself.
fn bus(client: &mut Client, message: &Message, member: &str) -> Answer {
    if member == "Hello" {
        return hello(client, message);
    }
    let call = Asked { client, message, sender: BUS };
    let with_owner = |answer: &dyn Fn(&str) -> Answer| match call.owner() {
        Some(owner) => answer(&owner),
        None => call.error(NO_SUCH_NAME, &format!("nobody here is called `{}`", call.text())),
    };
    let user = |owner: &str| if owner == client.name { client.uid } else { 0 };
    match member {
        // Every signal here is for the one who is here.
        "AddMatch" | "RemoveMatch" => call.answer(&()),
        "GetNameOwner" => with_owner(&|owner| call.answer(&owner)),
        "NameHasOwner" => call.answer(&call.owner().is_some()),
        "ListQueuedOwners" => with_owner(&|owner| call.answer(&vec![owner])),
        "ListNames" => call.answer(&vec![BUS, NAME, OWNER, &client.name]),
        "ListActivatableNames" => call.answer(&vec![BUS, NAME]),
        "StartServiceByName" => match call.owner() {
            Some(_) => call.answer(&ALREADY_RUNNING),
            None => call.error(NO_SUCH_SERVICE, &format!("nothing starts `{}`", call.text())),
        },
        "GetConnectionUnixUser" => with_owner(&|owner| call.answer(&user(owner))),
        "GetConnectionCredentials" => with_owner(&|owner| {
            let id = Variant::from(user(owner));
            call.answer(&HashMap::from([("UnixUserID", id)]))
        }),
        "GetId" => call.answer(&client.guid.as_str()),
        "RequestName" => {
            call.error(DENIED, "nobody could call you here: an app offers what it does as skills")
        }
        "ReleaseName" => call.answer(&RELEASED_NON_EXISTENT),
        "" => call.error(BAD_ARGUMENTS, "a call names a method"),
        _ => call.error(NO_SUCH_METHOD, &format!("{BUS} has no method {member} here")),
    }
}

/// Its name, and the signal that tells it so, as libraries expect.
fn hello(client: &mut Client, message: &Message) -> Answer {
    if std::mem::replace(&mut client.greeted, true) {
        return Asked { client, message, sender: BUS }.error(FAILED, "you said hello already");
    }
    let name = client.name.as_str();
    let acquired = Message::signal(BUS_PATH, BUS, "NameAcquired").sender(BUS).destination(name);
    let acquired = acquired.build(&(name,)).ok();
    Answer::These(returns(message, BUS, name, &name).into_iter().chain(acquired).collect())
}
