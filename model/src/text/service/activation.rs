//! What triggers a service: sockets, times, paths, devices, parameters, names and signals on the bus.

use std::time::Duration;

use super::super::check::{Check, choice};
use super::super::decode::At;
use super::super::report::{Place, Problem};
use super::super::value::{self, Bad, Checked, bad};
use super::super::{bus, raw, units};
use super::relations::at_most;
use super::{one_of, written_by};
use crate::calendar::Calendar;
use crate::name::Name;
use crate::service::{
    Activation, Address, BACKLOG, Bus, DeviceMatch, ParameterMatch, PathWatch, PathWhen,
    SignalMatch, Socket, SocketKind, Timer, TimerWhen,
};
use crate::word::Word;

/// Most sockets of one service: as many descriptors PID 1 holds for it.
pub(crate) const MAX_SOCKETS: usize = 16;

/// Most connections that may wait: as many as Linux allows by itself (`somaxconn`).
pub(crate) const MAX_BACKLOG: u32 = 4096;

/// Most times of one service.
pub(crate) const MAX_TIMERS: usize = 16;

/// Most watched paths of one service.
pub(crate) const MAX_PATHS: usize = 16;

/// Most matches of devices of one service.
pub(crate) const MAX_DEVICES: usize = 16;

/// Most matches of parameters of one service.
pub(crate) const MAX_PARAMETERS: usize = 16;

/// Most matches of signals of one service.
pub(crate) const MAX_SIGNALS: usize = 16;

/// Most names of one service on the bus, and most users that may talk to it.
pub(crate) const MAX_BUS_NAMES: usize = 32;

/// Shortest time after which a service is triggered again and again: a shorter one is a loop.
pub(crate) const MIN_PERIOD: Duration = Duration::from_secs(1);

/// The sockets of a service, with what is looked up elsewhere.
#[derive(Debug, Default)]
pub(super) struct Sockets {
    pub(super) sockets: Vec<Socket>,
    /// Where they listen, as one text each.
    pub(super) addresses: Vec<At<String>>,
    /// Where `accept` is asked for.
    pub(super) accept: Option<Place>,
}

/// Checks the sockets; `user` checks a name of a user.
pub(super) fn sockets(
    raw: Option<&Vec<At<raw::Socket>>>,
    user: &dyn Fn(&str) -> Checked<String>,
    c: &mut Check,
) -> Sockets {
    let list = raw.map(Vec::as_slice).unwrap_or_default();
    at_most(list, MAX_SOCKETS, "sockets", c);
    let names = list.iter().filter_map(|s| s.name.as_ref());
    c.unique(names.map(|n| (n.as_str(), &n.place)), |n| format!("two sockets are called `{n}`"));
    let mut all = Sockets::default();
    for raw in list {
        let Some((address, socket)) = socket(raw, user, c) else { continue };
        all.addresses.push(At { value: address_text(&socket), place: address });
        if let Some(at) = raw.accept.as_ref().filter(|at| at.value) {
            all.accept.get_or_insert_with(|| at.place.clone());
        }
        all.sockets.push(socket);
    }
    let addresses = all.addresses.iter().map(|at| (at.as_str(), &at.place));
    c.unique(addresses, |at| format!("two sockets are at `{at}`"));
    all
}

/// Where a socket listens, as one text: the same for two that can't both be.
pub(super) fn address_text(socket: &Socket) -> String {
    match (&socket.address, socket.kind) {
        (Address::Path(path), _) => path.clone(),
        (Address::Ip(address), SocketKind::Datagram) => format!("udp:{address}"),
        (Address::Ip(address), _) => format!("tcp:{address}"),
        (Address::Vsock { cid: u32::MAX, port }, _) => format!("vsock:{port}"),
        (Address::Vsock { cid, port }, _) => format!("vsock:{cid}:{port}"),
    }
}

fn socket(
    raw: &At<raw::Socket>,
    user: &dyn Fn(&str) -> Checked<String>,
    c: &mut Check,
) -> Option<(Place, Socket)> {
    let name = c.one(raw.name.as_ref(), plain_name);
    let keys = [("path", written_by(&raw.path)), ("listen", written_by(&raw.listen))];
    let place = one_of(&raw.place, "a socket", &keys, c).cloned();
    let (address, kinds) = match (&raw.path, &raw.listen) {
        (Some(_), _) => {
            let path = c.one(raw.path.as_ref(), value::socket_path).map(Address::Path);
            (path, Some(SocketKind::WORDS.iter().map(|(_, kind)| *kind).collect()))
        }
        (None, at) => c.one(at.as_ref(), listen).unzip(),
    };
    let kinds: Vec<SocketKind> = kinds.into_iter().flatten().collect();
    let kind = choice(raw.kind.as_ref(), kinds.first().copied().unwrap_or(SocketKind::Stream));
    let mode = c.one(raw.mode.as_ref(), units::mode).unwrap_or(0o666);
    let owner = c.one(raw.user.as_ref(), user).filter(|user| user != "root");
    let backlog = c.range(raw.backlog.as_ref(), "the backlog", 1, MAX_BACKLOG).unwrap_or(BACKLOG);
    let accept = raw.accept.as_ref().is_some_and(|at| at.value);
    if let (Some(at), false) = (&raw.kind, kinds.is_empty() || kinds.contains(&kind)) {
        let problem = Problem::new(at.place.clone(), format!("no {} at this address", kind.word()));
        let words: Vec<&str> = kinds.iter().map(|kind| kind.word()).collect();
        let listen = raw.listen.as_ref().map(|l| l.place.clone()).unwrap_or_default();
        c.add(problem.also(listen, format!("it is a {} here", words.join(" or a "))));
    }
    let listens = matches!(kind, SocketKind::Stream | SocketKind::Seqpacket);
    let wants = [
        ("backlog", written_by(&raw.backlog)),
        ("accept", written_by(&raw.accept).filter(|_| accept)),
    ];
    for (key, place) in wants.into_iter().filter(|_| !listens) {
        let Some(place) = place else { continue };
        let message = format!("a {} has no connections, so no `{key}`", kind.word());
        c.add(Problem::new(place.clone(), message).help("of type stream or seqpacket it has"));
    }
    let owned = [("mode", written_by(&raw.mode)), ("user", written_by(&raw.user))];
    for (key, place) in owned.into_iter().filter(|_| raw.path.is_none()) {
        let Some(place) = place else { continue };
        let message = format!("only a socket with a `path` has a `{key}`");
        c.add(Problem::new(place.clone(), message).help("leave it out"));
    }
    let socket =
        Socket { name: name?, address: address?, kind, mode, user: owner, backlog, accept };
    Some((place?, socket))
}

/// A name in `LISTEN_FDNAMES`.
fn plain_name(text: &str) -> Checked<Name> {
    let name = value::service_name(text)?;
    if text.contains('@') {
        return bad(format!("`{text}` is not the name of a socket"), "a name without `@`");
    }
    Ok(name)
}

/// `tcp:0.0.0.0:80`, `udp:[::]:53`, `vsock:1234`, `vsock:2:1234`; and the types it can have.
fn listen(text: &str) -> Checked<(Address, Vec<SocketKind>)> {
    const HELP: &str = "like \"tcp:0.0.0.0:80\", \"udp:[::]:53\" or \"vsock:1234\"";
    let wrong = || bad(format!("`{text}` is not an address to listen at"), HELP);
    let Some((protocol, at)) = text.split_once(':') else { return wrong() };
    let kinds = match protocol {
        "tcp" => vec![SocketKind::Stream],
        "udp" => vec![SocketKind::Datagram],
        "vsock" => vec![SocketKind::Stream, SocketKind::Seqpacket],
        _ => return wrong(),
    };
    if protocol != "vsock" {
        return Ok((Address::Ip(value::ip_port(at, HELP)?), kinds));
    }
    let (cid, port) = match at.split_once(':') {
        Some((cid, port)) => (cid.parse().ok(), port.parse().ok()),
        None => (Some(u32::MAX), at.parse().ok()),
    };
    match (cid, port) {
        (Some(cid), Some(port)) => Ok((Address::Vsock { cid, port }, kinds)),
        _ => wrong(),
    }
}

/// Checks what triggers a service, besides its sockets.
pub(super) fn activation(raw: &raw::Service, c: &mut Check) -> Activation {
    fn each<R, T>(
        (list, most, what): (Option<&Vec<At<R>>>, usize, &str),
        c: &mut Check,
        check: impl Fn(&At<R>, &mut Check) -> Option<T>,
    ) -> Vec<T> {
        let list = list.map(Vec::as_slice).unwrap_or_default();
        at_most(list, most, what, c);
        list.iter().filter_map(|raw| check(raw, c)).collect()
    }
    let paths = raw.path.iter().flatten().filter_map(|p| p.path.as_ref());
    c.unique(paths.map(|p| (p.as_str(), &p.place)), |p| format!("`{p}` is watched twice"));
    Activation {
        timers: each((raw.timer.as_ref(), MAX_TIMERS, "timers"), c, timer),
        paths: each((raw.path.as_ref(), MAX_PATHS, "watched paths"), c, path),
        devices: each((raw.device.as_ref(), MAX_DEVICES, "devices"), c, device),
        parameters: each((raw.parameter.as_ref(), MAX_PARAMETERS, "parameters"), c, parameter),
        signals: each((raw.signal.as_ref(), MAX_SIGNALS, "signals"), c, signal),
        idle_stop: c.one(raw.idle_stop.as_ref(), units::timeout),
    }
}

fn timer(raw: &At<raw::Timer>, c: &mut Check) -> Option<Timer> {
    let keys = [
        ("calendar", written_by(&raw.calendar)),
        ("after-boot", written_by(&raw.after_boot)),
        ("after-arm", written_by(&raw.after_arm)),
        ("after-start", written_by(&raw.after_start)),
        ("after-end", written_by(&raw.after_end)),
    ];
    one_of(&raw.place, "a timer", &keys, c);
    let period = |text: &str| match units::duration(text)? {
        time if time < MIN_PERIOD => {
            bad(format!("{text} is too short to come again and again"), "at least 1s")
        }
        time => Ok(time),
    };
    let calendar = |text: &str| {
        text.parse::<Calendar>().map_err(|why| Bad { message: why.message, help: Some(why.help) })
    };
    let when = [
        c.one(raw.calendar.as_ref(), calendar).map(TimerWhen::Calendar),
        c.one(raw.after_boot.as_ref(), units::duration).map(TimerWhen::AfterBoot),
        c.one(raw.after_arm.as_ref(), units::duration).map(TimerWhen::AfterArm),
        c.one(raw.after_start.as_ref(), period).map(TimerWhen::AfterStart),
        c.one(raw.after_end.as_ref(), period).map(TimerWhen::AfterEnd),
    ];
    let random_delay = c.one(raw.random_delay.as_ref(), units::duration).unwrap_or_default();
    let accuracy = c.one(raw.accuracy.as_ref(), units::duration).unwrap_or_default();
    let persistent = raw.persistent.as_ref().filter(|at| at.value);
    if let (Some(at), None) = (persistent, &raw.calendar) {
        let message = "only a time on the calendar can be missed while the device is off";
        c.add(Problem::new(at.place.clone(), message).help("leave `persistent` out"));
    }
    let when = when.into_iter().flatten().next()?;
    Some(Timer { when, random_delay, accuracy, persistent: persistent.is_some() })
}

fn path(raw: &At<raw::PathWatch>, c: &mut Check) -> Option<PathWatch> {
    let when = choice(raw.when.as_ref(), PathWhen::Exists);
    let path = c.one(raw.path.as_ref(), |text| {
        let path = value::image_path(text)?;
        let more = |part: &str| part.contains(['*', '?']);
        let (directory, last) = text.rsplit_once('/').unwrap_or(("", text));
        if more(directory) {
            return bad(
                format!("`{text}` has `*` or `?` before the last `/`"),
                "only the last part of a watched path may stand for more",
            );
        }
        if more(last) && when != PathWhen::Exists {
            return bad(
                format!("`{text}` stands for more than one path"),
                "only with when = \"exists\"; watch the directory instead",
            );
        }
        if ["/proc/", "/sys/"].iter().any(|kernel| text.starts_with(kernel)) {
            return bad(
                format!("the kernel does not tell when `{text}` changes"),
                "use [[device]] for devices, or [[timer]] to look now and then",
            );
        }
        Ok(path)
    });
    let make = raw.make.as_ref().filter(|at| at.value);
    if let (Some(at), PathWhen::Exists) = (make, when) {
        let message = "what is made would be there at once, and trigger the service";
        c.add(Problem::new(at.place.clone(), message).help("leave `make` out, or change `when`"));
    }
    Some(PathWatch { path: path?, when, make: make.is_some() })
}

fn device(raw: &At<raw::DeviceMatch>, c: &mut Check) -> Option<DeviceMatch> {
    let subsystem = c.one(raw.subsystem.as_ref(), |text| {
        let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
        if (1..=64).contains(&text.len()) && text.bytes().all(legal) {
            return Ok(text.to_owned());
        }
        bad(format!("`{text}` is not a subsystem"), "a directory in /sys/class: \"block\", \"tty\"")
    });
    let name = c.one(raw.name.as_ref(), |text| {
        let legal = |b: u8| b.is_ascii_graphic() && b != b'/';
        if (1..=128).contains(&text.len()) && text.bytes().all(legal) {
            return Ok(text.to_owned());
        }
        bad(format!("`{text}` is not the name of a device"), "\"sda\", or \"ttyUSB*\" for any")
    });
    let bind = raw.bind.as_ref().is_some_and(|at| at.value);
    Some(DeviceMatch { subsystem: subsystem?, name: name.unwrap_or_default(), bind })
}

fn parameter(raw: &At<raw::ParameterMatch>, c: &mut Check) -> Option<ParameterMatch> {
    let name = c.one(raw.name.as_ref(), value::parameter);
    let value = match &raw.is {
        Some(at) => c.one(Some(at), value::parameter_value)?,
        None => "*".to_owned(),
    };
    Some(ParameterMatch { name: name?, value })
}

fn signal(raw: &At<raw::SignalMatch>, c: &mut Check) -> Option<SignalMatch> {
    let any = Option::unwrap_or_default;
    let sender = c.one(raw.sender.as_ref(), value::bus_name);
    let path = c.one(raw.path.as_ref(), bus::object);
    let interface = c.one(raw.interface.as_ref(), bus::interface);
    let member = c.one(raw.member.as_ref(), bus::member);
    let arg0 = c.one(raw.arg0.as_ref(), bus::argument);
    let interface = interface?;
    Some(SignalMatch { sender: any(sender), path: any(path), interface, member: any(member), arg0 })
}

/// Checks the names on the bus; also where these are written.
pub(super) fn bus(
    raw: &raw::Bus,
    file: &Place,
    user: &dyn Fn(&str) -> Checked<String>,
    c: &mut Check,
) -> (Option<Bus>, Vec<At<String>>) {
    let also = raw.also.as_ref();
    let users = raw.users.as_ref();
    at_most(also.map(Vec::as_slice).unwrap_or_default(), MAX_BUS_NAMES, "names on the bus", c);
    at_most(users.map(Vec::as_slice).unwrap_or_default(), MAX_BUS_NAMES, "users of its names", c);
    if raw.name.is_none() {
        let problem = Problem::new(file.clone(), "[bus] has no `name`");
        c.add(problem.help("like \"org.example.Web\""));
    }
    let name = c.one(raw.name.as_ref(), value::bus_name);
    let also = c.list(also, value::bus_name);
    let owner = c.one(raw.owner.as_ref(), user);
    let users = c.list(users, user).into_iter().map(|at| at.value).collect();
    let first = raw.name.as_ref().zip(name.clone());
    let first = first.map(|(at, value)| At { value, place: at.place.clone() });
    let names = first.into_iter().chain(also.iter().cloned()).collect();
    let also = also.into_iter().map(|at| at.value).collect();
    (name.map(|name| Bus { name, also, owner, users }), names)
}
