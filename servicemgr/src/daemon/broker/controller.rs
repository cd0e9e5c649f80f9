//! Our words with dbus-broker as its controller: the names it may ask us to start, who may do what,
//! and where it listens.
//!
//! ```text
//! greeting ─► AddName … ─► AddListener ──done──────────────────────► ready
//!                              └─ it has one ─► SetPolicy ──done──► ready
//! ```
//!
//! All of it can be said again at any time: what the bus has already it says so, and that is as good
//! as done. So a new servicemgr that finds the line at PID 1 begins at `AddName` and does not need
//! to know how far the last one came. Calls that a dead servicemgr made may still be answered: our
//! numbers begin elsewhere, and an answer to an unknown number is nothing.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;

use super::line::{Item, Line};
use super::message::{self, Heard, Kind, Method, Packet};
use super::policy::Policy;

/// Where the calls of one servicemgr begin: so many may be made before they meet those of the next.
const CALLS: u32 = 1 << 20;

/// What is asked of the bus itself.
const BROKER: Method<'_> =
    Method { at: "", path: "/org/bus1/DBus/Broker", interface: "org.bus1.DBus.Broker", member: "" };

/// Our one listener.
const LISTENER: &str = "/org/bus1/DBus/Listener/0";

/// Names are objects below this.
const NAME: &str = "/org/bus1/DBus/Name/";

/// The error by which callers hear that a service could not be started.
const FAILED: &str = "org.bus1.DBus.Name.Error.UnitFailure";

/// What was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Asked {
    /// To know a name.
    Name(String),
    /// To listen.
    Listener,
    /// To take a new policy.
    Policy,
    /// To tell callers of a name that nobody comes.
    Reset(String),
    /// To forget a name.
    Forget,
}

/// What it wants of us, or has done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Told {
    /// It listens, with our policy.
    Ready,
    /// Somebody calls this name and nobody owns it; the number is of this want.
    Activate(String, u64),
    /// Root asked for the configuration to be read again; the number is of the question.
    Reload(u32),
    /// There is no talking to it; why.
    Broken(String),
}

/// The controller's end.
#[derive(Debug)]
pub(super) struct Controller {
    /// The line.
    pub(super) line: Line,
    asked: BTreeMap<u32, Asked>,
    serial: u32,
    /// Our names, each with the user whose share of memory waiting callers count against.
    names: BTreeMap<String, u32>,
    policy: Policy,
}

impl Controller {
    /// Our end of the line, and what the bus shall know. Says all of it.
    ///
    /// # Errors
    /// The bus is gone, or the policy is too long to be sent.
    pub(super) fn begin(
        line: OwnedFd,
        generation: u32,
        names: &[(String, u32)],
        policy: Policy,
        socket: &OwnedFd,
    ) -> io::Result<Self> {
        let serial = (generation % 4095).saturating_mul(CALLS);
        let line = Line::new(line)?;
        let mut this = Self {
            line,
            asked: BTreeMap::new(),
            serial,
            names: names.iter().cloned().collect(),
            policy,
        };
        for (name, _) in names {
            this.add(name)?;
        }
        let body = message::listener(LISTENER, socket, this.policy.clone());
        let body = body.ok_or(io::ErrorKind::InvalidInput)?;
        this.ask(Asked::Listener, Method { member: "AddListener", ..BROKER }, &body)?;
        Ok(this)
    }

    fn add(&mut self, name: &str) -> io::Result<()> {
        let Some(uid) = self.names.get(name).copied() else { return Ok(()) };
        let path = path(name);
        let path = zbus::ObjectPath::try_from(path).map_err(io::Error::other)?;
        let method = Method { member: "AddName", ..BROKER };
        self.ask(Asked::Name(name.to_owned()), method, &(path, name, uid))
    }

    /// Tells those who wait for a name that nobody comes. Without the number of the want, which a
    /// dead servicemgr took along, the name is forgotten and made known again.
    ///
    /// # Errors
    /// As [`Line::send`].
    pub(super) fn give_up(&mut self, name: &str, want: Option<u64>) -> io::Result<()> {
        let path = path(name);
        let at = Method { path: &path, interface: "org.bus1.DBus.Name", ..BROKER };
        if let Some(want) = want {
            let asked = Asked::Reset(name.to_owned());
            return self.ask(asked, Method { member: "Reset", ..at }, &(want, FAILED));
        }
        self.ask(Asked::Forget, Method { member: "Release", ..at }, &())?;
        self.add(name)
    }

    /// Answers root, who asked for the configuration to be read again.
    ///
    /// # Errors
    /// As [`Line::send`].
    pub(super) fn reloaded(&mut self, question: u32) -> io::Result<()> {
        self.set_policy()?;
        let serial = self.next_serial();
        self.send(message::answer(serial, question))
    }

    /// Another policy from now on, also for those who are connected.
    ///
    /// # Errors
    /// As [`Line::send`].
    pub(super) fn renew(&mut self, policy: Policy) -> io::Result<()> {
        self.policy = policy;
        self.set_policy()
    }

    /// Whether the bus has the policy that it was told last.
    pub(super) fn is_settled(&self) -> bool {
        !self.asked.values().any(|asked| matches!(asked, Asked::Listener | Asked::Policy))
    }

    fn set_policy(&mut self) -> io::Result<()> {
        let interface = "org.bus1.DBus.Listener";
        let method = Method { at: "", path: LISTENER, interface, member: "SetPolicy" };
        let policy = zbus::Variant::new(self.policy.clone());
        self.ask(Asked::Policy, method, &(policy,))
    }

    fn ask<B>(&mut self, asked: Asked, method: Method<'_>, body: &B) -> io::Result<()>
    where
        B: serde::Serialize + zbus::wire::DynamicType,
    {
        let serial = self.next_serial();
        self.asked.insert(serial, asked);
        self.send(message::call(serial, method, body))
    }

    fn send(&mut self, packet: Option<Packet>) -> io::Result<()> {
        self.line.send(packet.ok_or(io::ErrorKind::InvalidInput)?)
    }

    fn next_serial(&mut self) -> u32 {
        self.serial = self.serial.checked_add(1).unwrap_or(1);
        self.serial
    }

    /// What follows from something the bus said.
    pub(super) fn hear(&mut self, item: &Item) -> Option<Told> {
        match item {
            Item::Line(line) if line.starts_with("REJECTED") || line.starts_with("ERROR") => {
                Some(Told::Broken(format!("it refuses us as its controller: {line}")))
            }
            Item::Line(_) => None,
            Item::Odd => Some(Told::Broken("it says what we do not understand".to_owned())),
            Item::Message(heard) => match heard.kind {
                Kind::Done => self.done(heard.answers),
                Kind::Refused => self.refused(heard),
                Kind::Signal if heard.member == "Activate" => {
                    Some(Told::Activate(name(&heard.path)?, heard.body::<(u64,)>()?.0))
                }
                Kind::Call if heard.member == "ReloadConfig" => Some(Told::Reload(heard.serial)),
                Kind::Signal | Kind::Call => None,
            },
        }
    }

    fn done(&mut self, serial: u32) -> Option<Told> {
        match self.asked.remove(&serial)? {
            Asked::Listener | Asked::Policy => Some(Told::Ready),
            Asked::Name(_) | Asked::Reset(_) | Asked::Forget => None,
        }
    }

    fn refused(&mut self, heard: &Heard) -> Option<Told> {
        let why = heard.error.as_str();
        match (self.asked.remove(&heard.answers)?, why) {
            (Asked::Listener, "org.bus1.DBus.Listener.Exists") => {
                self.set_policy().err().map(|e| Told::Broken(e.to_string()))
            }
            (Asked::Listener | Asked::Policy, _) => Some(Told::Broken(format!(
                "it refuses our policy ({why}): it must be of version 33 to 37; install such a \
                 one, or use the service system-bus-daemon instead"
            ))),
            (Asked::Name(_), "org.bus1.DBus.Name.Exists") => None,
            (Asked::Name(name), _) => {
                log::warn!("{name}: a call will not start its service: the bus says {why}");
                None
            }
            (Asked::Reset(name), _) => {
                self.give_up(&name, None).err().map(|e| Told::Broken(e.to_string()))
            }
            (Asked::Forget, _) => None,
        }
    }
}

/// The object of a name: letters and digits as they are, others as `_` and two digits.
fn path(name: &str) -> String {
    let mut path = NAME.to_owned();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() {
            path.push(char::from(byte));
        } else {
            path += &format!("_{byte:02x}");
        }
    }
    path
}

/// The name of an object.
fn name(path: &str) -> Option<String> {
    let mut rest = path.strip_prefix(NAME)?.bytes();
    let mut name = Vec::new();
    while let Some(byte) = rest.next() {
        if byte == b'_' {
            let digits = [rest.next()?, rest.next()?];
            name.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
        } else {
            name.push(byte);
        }
    }
    String::from_utf8(name).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daemon::broker::policy;
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;

    /// A controller, and what the bus hears of it.
    async fn controller(generation: u32) -> (Controller, UnixStream) {
        let (ours, bus) = UnixStream::pair().unwrap();
        let socket = OwnedFd::from(UnixStream::pair().unwrap().0);
        let names = [("org.example.Web".to_owned(), 80)];
        let policy = policy::policy(&[], &[]);
        let begun = Controller::begin(ours.into(), generation, &names, policy, &socket);
        let mut controller = begun.unwrap();
        controller.line.ready().await;
        controller.line.flush().unwrap();
        (controller, bus)
    }

    /// All that the bus has heard: members and numbers.
    fn said(bus: &mut UnixStream) -> Vec<(String, u32)> {
        bus.set_nonblocking(true).unwrap();
        let mut bytes = Vec::new();
        let _would_block = bus.read_to_end(&mut bytes);
        let mut rest = bytes.as_slice();
        let mut all = Vec::new();
        while let Ok(message::Cut::Message(length)) = message::cut(rest) {
            let heard = Heard::read(&rest[..length]).unwrap();
            all.push((heard.member, heard.serial));
            rest = &rest[length..];
        }
        all
    }

    fn members(bus: &mut UnixStream) -> Vec<String> {
        said(bus).into_iter().map(|(member, _)| member).collect()
    }

    fn refused(answers: u32, error: &str) -> Item {
        let asked = zbus::Message::method_call("/", "A").serial(answers.try_into().unwrap());
        let asked = asked.build(&()).unwrap();
        let error = zbus::Message::error(&asked.header(), error).build(&()).unwrap();
        Item::Message(Heard::read(error.data().bytes()).unwrap())
    }

    #[tokio::test]
    async fn a_bus_that_listens_already_gets_the_policy_anew() {
        let (mut controller, mut bus) = controller(2).await;
        let said_first = said(&mut bus);
        let [(add, _), (listen, number)] = &said_first[..] else { panic!("{said_first:?}") };
        assert_eq!((add.as_str(), listen.as_str()), ("AddName", "AddListener"));
        assert_eq!(controller.hear(&refused(*number, "org.bus1.DBus.Listener.Exists")), None);
        let said = said(&mut bus);
        assert_eq!(said.first().map(|s| s.0.as_str()), Some("SetPolicy"));
        let answer = message::answer(1, said[0].1).unwrap().bytes;
        let answer = Item::Message(Heard::read(&answer).unwrap());
        assert_eq!(controller.hear(&answer), Some(Told::Ready));
    }

    #[tokio::test]
    async fn a_new_policy_counts_once_the_bus_has_said_so() {
        let (mut controller, mut bus) = controller(1).await;
        let listen = said(&mut bus)[1].1;
        assert!(!controller.is_settled());
        let done = |serial| {
            Item::Message(Heard::read(&message::answer(1, serial).unwrap().bytes).unwrap())
        };
        assert_eq!(controller.hear(&done(listen)), Some(Told::Ready));
        assert!(controller.is_settled());
        controller.renew(policy::policy(&[], &[])).unwrap();
        let said = said(&mut bus);
        assert_eq!((said[0].0.as_str(), controller.is_settled()), ("SetPolicy", false));
        assert_eq!(controller.hear(&done(said[0].1)), Some(Told::Ready));
        assert!(controller.is_settled());
    }

    #[tokio::test]
    async fn a_bus_of_another_version_is_named() {
        let (mut controller, mut bus) = controller(1).await;
        let (_, number) = said(&mut bus)[1].clone();
        let told = controller.hear(&refused(number, "org.bus1.DBus.Listener.InvalidPolicy"));
        let Some(Told::Broken(why)) = told else { panic!("{told:?}") };
        assert!(why.contains("InvalidPolicy") && why.contains("33 to 37"), "{why}");
    }

    #[tokio::test]
    async fn an_answer_to_a_dead_servicemgr_is_nothing() {
        let (mut controller, mut bus) = controller(3).await;
        said(&mut bus);
        assert_eq!(
            controller.hear(&refused(CALLS * 2 + 2, "org.bus1.DBus.Listener.InvalidPolicy")),
            None
        );
    }

    #[tokio::test]
    async fn callers_hear_that_nobody_comes_also_when_the_number_of_their_want_is_lost() {
        let (mut controller, mut bus) = controller(1).await;
        said(&mut bus);
        controller.give_up("org.example.Web", Some(9)).unwrap();
        assert_eq!(members(&mut bus), ["Reset"]);
        controller.give_up("org.example.Web", None).unwrap();
        assert_eq!(members(&mut bus), ["Release", "AddName"]);
    }

    #[tokio::test]
    async fn half_a_message_stays_where_it_is_until_the_rest_came() {
        let (mut controller, mut bus) = controller(1).await;
        let want = zbus::Message::signal(path("org.example.Web"), "org.bus1.DBus.Name", "Activate");
        let want = want.build(&9_u64).unwrap();
        let (first, rest) = want.data().bytes().split_at(40);
        bus.write_all(first).unwrap();
        controller.line.ready().await;
        assert_eq!(controller.line.next().unwrap(), None);
        bus.write_all(rest).unwrap();
        for _ in 0..2 {
            controller.line.ready().await;
            let item = controller.line.next().unwrap().unwrap();
            let told = controller.hear(&item);
            assert_eq!(told, Some(Told::Activate("org.example.Web".to_owned(), 9)));
        }
        controller.line.done().unwrap();
        assert_eq!(controller.line.next().unwrap(), None, "taken");
    }

    #[test]
    fn every_name_has_an_object_and_comes_back_from_it() {
        assert_eq!(path("org.a-b.C_1"), "/org/bus1/DBus/Name/org_2ea_2db_2eC_5f1");
        assert_eq!(name(&path("org.a-b.C_1")).as_deref(), Some("org.a-b.C_1"));
        assert_eq!(name("/org/bus1/DBus/Name/org_2"), None);
        assert_eq!(name("/elsewhere"), None);
    }
}
