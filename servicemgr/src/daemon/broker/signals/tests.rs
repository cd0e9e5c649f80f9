//! For whom a signal of the bus is, and what a next servicemgr finds.

use std::io::Read;
use std::os::unix::net::UnixStream;

use super::*;

fn wanted(sender: &str, member: &str, arg0: Option<&str>) -> SignalMatch {
    SignalMatch {
        sender: sender.to_owned(),
        path: String::new(),
        interface: "org.example.Power".to_owned(),
        member: member.to_owned(),
        arg0: arg0.map(str::to_owned),
    }
}

/// A signal as a bus passes it on.
fn signal(sender: &str, member: &str, text: &str) -> Item {
    let signal = zbus::Message::signal("/org/example/Power", "org.example.Power", member);
    item(signal.sender(sender).build(&(text, 7_u32)).unwrap())
}

fn item(message: zbus::Message) -> Item {
    Item::Message(Heard::read(message.data().bytes()).unwrap())
}

fn owner_changed(name: &str, owner: &str) -> Item {
    let signal = zbus::Message::signal("/org/freedesktop/DBus", DRIVER, "NameOwnerChanged");
    item(signal.sender(DRIVER).build(&(name, "", owner)).unwrap())
}

/// An answer of the bus.
fn answer(to: u32, body: Option<&str>) -> Item {
    let asked = zbus::Message::method_call("/", "A").serial(to.try_into().unwrap());
    let asked = asked.build(&()).unwrap();
    item(match body {
        Some(text) => {
            let answer = zbus::Message::method_return(&asked.header());
            answer.sender(DRIVER).build(&(text,)).unwrap()
        }
        None => {
            let error = zbus::Message::error(&asked.header(), "org.example.No");
            error.sender(DRIVER).build(&()).unwrap()
        }
    })
}

/// All that the bus has heard: members, numbers and texts.
fn said(bus: &mut UnixStream) -> Vec<(String, u32, String)> {
    bus.set_nonblocking(true).unwrap();
    let mut bytes = Vec::new();
    let _would_block = bus.read_to_end(&mut bytes);
    let mut rest = bytes.strip_prefix(GREETING).unwrap_or(&bytes);
    let mut all = Vec::new();
    while let Ok(message::Cut::Message(length)) = message::cut(rest) {
        let heard = Heard::read(&rest[..length]).unwrap();
        let text = heard.text().unwrap_or_default().to_owned();
        all.push((heard.member, heard.serial, text));
        rest = &rest[length..];
    }
    all
}

fn begin() -> (Signals, UnixStream) {
    let (ours, bus) = UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    (Signals::begin(ours.into()).unwrap(), bus)
}

async fn heard_by(signals: &mut Signals, bus: &mut UnixStream) -> Vec<(String, u32, String)> {
    signals.line.ready().await;
    signals.line.flush().unwrap();
    said(bus)
}

#[tokio::test]
async fn each_signal_is_for_those_who_want_it() {
    let (mut signals, _bus) = begin();
    signals.watch(1, &[wanted("", "Changed", None)]).unwrap();
    signals.watch(2, &[wanted("", "", Some("battery")), wanted("", "Gone", None)]).unwrap();
    let ids = |signals: &mut Signals, item: &Item| signals.hear(item).map(|(ids, _)| ids);
    assert_eq!(ids(&mut signals, &signal(":1.5", "Changed", "mains")), Some(vec![1]));
    assert_eq!(ids(&mut signals, &signal(":1.5", "Changed", "battery")), Some(vec![1, 2]));
    assert_eq!(ids(&mut signals, &signal(":1.5", "Gone", "x")), Some(vec![2]));
    assert_eq!(ids(&mut signals, &signal(":1.5", "Other", "x")), None);
    signals.rest(1).unwrap();
    assert_eq!(ids(&mut signals, &signal(":1.5", "Changed", "mains")), None);
}

#[tokio::test]
async fn a_sender_is_who_owns_the_name_at_that_moment() {
    let (mut signals, mut bus) = begin();
    signals.watch(1, &[wanted("org.example.A", "Changed", None)]).unwrap();
    signals.watch(2, &[wanted("org.example.B", "Changed", None)]).unwrap();
    let said = heard_by(&mut signals, &mut bus).await;
    assert_eq!(signals.hear(&signal(":1.5", "Changed", "x")), None, "nobody is known yet");
    let number = |name: &str| {
        said.iter().find(|(m, _, text)| m == "GetNameOwner" && text == name).unwrap().1
    };
    assert_eq!(signals.hear(&answer(number("org.example.A"), Some(":1.5"))), None);
    assert_eq!(signals.hear(&answer(number("org.example.B"), None)), None);
    let changed = signal(":1.5", "Changed", "x");
    assert_eq!(signals.hear(&changed).unwrap().0, [1]);
    assert_eq!(signals.hear(&signal(":1.6", "Changed", "x")), None, "somebody else");
    assert_eq!(signals.hear(&owner_changed("org.example.B", ":1.6")), None);
    assert_eq!(signals.hear(&signal(":1.6", "Changed", "x")).unwrap().0, [2]);
    assert_eq!(signals.hear(&owner_changed("org.example.A", "")), None);
    assert_eq!(signals.hear(&changed), None, "it gave the name up");
}

#[tokio::test]
async fn what_is_sent_to_us_alone_starts_nothing() {
    let (mut signals, _bus) = begin();
    signals.watch(1, &[wanted("", "", None)]).unwrap();
    let signal = zbus::Message::signal("/a", "org.example.Power", "Changed");
    let signal = signal.sender(":1.6").destination(":1.2");
    assert_eq!(signals.hear(&item(signal.build(&()).unwrap())), None);
}

#[tokio::test]
async fn the_bus_itself_may_be_the_sender() {
    let (mut signals, _bus) = begin();
    let mut appears = wanted(DRIVER, "NameOwnerChanged", Some("org.example.A"));
    appears.interface = DRIVER.to_owned();
    signals.watch(1, &[appears]).unwrap();
    assert_eq!(signals.hear(&owner_changed("org.example.A", ":1.9")).unwrap().0, [1]);
    assert_eq!(signals.hear(&owner_changed("org.example.B", ":1.9")), None);
}

#[tokio::test]
async fn the_next_servicemgr_takes_the_rules_back_before_it_adds_its_own() {
    let (ours, mut bus) = UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    let one = wanted("", "Changed", Some("it's"));
    let mut signals = Signals::go_on(ours.into(), 2, std::iter::once(&one)).unwrap();
    signals.watch(0, std::slice::from_ref(&one)).unwrap();
    let said = heard_by(&mut signals, &mut bus).await;
    let members: Vec<&str> = said.iter().map(|(member, ..)| member.as_str()).collect();
    assert_eq!(members, ["RemoveMatch", "RemoveMatch", "AddMatch"]);
    assert!(said[0].1 > CALLS, "numbers of its own");
    assert_eq!(
        said[2].2,
        "type='signal',interface='org.example.Power',member='Changed',arg0='it'\\''s'"
    );
}

#[tokio::test]
async fn its_service_is_told_what_came_as_far_as_it_is_short() {
    let (mut signals, _bus) = begin();
    signals.watch(1, &[wanted("", "", None)]).unwrap();
    let (_, facts) = signals.hear(&signal(":1.5", "Changed", "battery")).unwrap();
    let told = facts.variables();
    let told: Vec<String> = told.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(
        told,
        [
            "SIGNAL_SENDER=:1.5",
            "SIGNAL_PATH=/org/example/Power",
            "SIGNAL_INTERFACE=org.example.Power",
            "SIGNAL_MEMBER=Changed",
            "SIGNAL_ARG0=battery",
        ]
    );
    let long = "a".repeat(MAX_TOLD + 1);
    let (_, facts) = signals.hear(&signal(":1.5", "Changed", &long)).unwrap();
    assert_eq!(facts.variables().len(), 4);
}
