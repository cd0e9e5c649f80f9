//! Services: from what was written to [`Service`].

use std::time::Duration;

use super::check::{Check, choice, values};
use super::decode::{At, Pairs};
use super::report::{Place, Problem};
use super::value::{self, Bad};
use super::{raw, units};
use crate::Name;
use crate::service::{
    Address, BACKLOG, Kind, Limits, Output, Restart, RestartWhen, START_TIMEOUT, STOP_TIMEOUT,
    Sandbox, Service, Socket, SocketKind,
};
use crate::word::Word;

/// Most sockets of one service: as many descriptors PID 1 holds for it.
pub(crate) const MAX_SOCKETS: usize = 16;

/// Least memory limit: below it no program starts.
pub(crate) const MIN_MEMORY: u64 = 256 << 10;

/// A checked service, with the places its edges were written at.
#[derive(Debug, Clone)]
pub(crate) struct Written {
    pub(crate) service: Service,
    pub(crate) edges: Vec<At<Name>>,
    pub(crate) user: Option<At<String>>,
    pub(crate) sockets: Vec<At<String>>,
}

impl Word for Kind {
    const WHAT: &'static str = "type of a service";
    const WORDS: &'static [(&'static str, Self)] = &[
        ("simple", Self::Simple),
        ("notify", Self::Notify),
        ("oneshot", Self::Oneshot),
        ("forking", Self::Forking),
        ("dbus", Self::Dbus),
        ("idle", Self::Idle),
        ("target", Self::Target),
    ];
}

impl Word for RestartWhen {
    const WHAT: &'static str = "time for a restart";
    const WORDS: &'static [(&'static str, Self)] =
        &[("never", Self::Never), ("on-failure", Self::OnFailure), ("always", Self::Always)];
}

impl Word for SocketKind {
    const WHAT: &'static str = "type of a socket";
    const WORDS: &'static [(&'static str, Self)] = &[
        ("stream", Self::Stream),
        ("datagram", Self::Datagram),
        ("seqpacket", Self::Seqpacket),
        ("fifo", Self::Fifo),
    ];
}

impl Word for Output {
    const WHAT: &'static str = "place for output";
    const WORDS: &'static [(&'static str, Self)] =
        &[("journal", Self::Journal), ("console", Self::Console), ("null", Self::Null)];
}

/// Checks one service, called `name`.
pub(crate) fn check(name: Name, raw: &raw::Service, c: &mut Check) -> Written {
    let requires = c.list(raw.requires.as_ref(), value::service_name);
    let wants = c.list(raw.wants.as_ref(), value::service_name);
    let after = c.list(raw.after.as_ref(), value::service_name);
    let edges = requires.iter().chain(&wants).chain(&after).cloned().collect();
    let kind = choice(raw.kind.as_ref(), Kind::Simple);
    let user = c.one(raw.user.as_ref(), value::user_name).filter(|user| user != "root");
    let time = |c: &mut Check, at: &Option<At<String>>, default: Duration| {
        c.one(at.as_ref(), units::timeout).unwrap_or(default)
    };
    let service = Service {
        about: c.one(raw.about.as_ref(), value::about).unwrap_or_default(),
        kind,
        requires: values(requires),
        wants: values(wants),
        after: values(after),
        restart: restart(raw.restart.as_ref(), kind, c),
        start_timeout: time(c, &raw.start_timeout, START_TIMEOUT),
        stop_timeout: time(c, &raw.stop_timeout, STOP_TIMEOUT),
        user: user.clone(),
        environment: environment(raw.environment.as_ref(), c),
        directory: directory(raw.working_directory.as_ref(), c),
        limits: raw.limits.as_ref().map(|l| limits(l, c)).unwrap_or_default(),
        sandbox: raw.sandbox.as_ref().map(|s| sandbox(s, c)).unwrap_or_default(),
        sockets: sockets(raw.socket.as_ref(), c),
        output: choice(raw.output.as_ref(), Output::Journal),
        ..Service::new(name, exec(raw.exec.as_ref(), c))
    };
    let user = raw.user.as_ref().zip(user).map(|(at, value)| At { value, place: at.place.clone() });
    let sockets = raw.socket.iter().flatten().filter_map(|s| s.path.clone()).collect();
    Written { service, edges, user, sockets }
}

/// Program and arguments; checked also where a case runs a command.
fn exec(raw: Option<&At<Vec<At<String>>>>, c: &mut Check) -> Vec<String> {
    let Some(list) = raw else { return Vec::new() };
    let Some((program, arguments)) = list.split_first() else {
        c.add(Problem::new(list.place.clone(), "`exec` is empty").help(
            "the program's absolute path, then its arguments: [\"/usr/bin/web\", \"--port=80\"]",
        ));
        return Vec::new();
    };
    let path = |text: &str| {
        if text.contains(char::is_whitespace) {
            let message = format!("`{text}` is not one path");
            let help = "each argument is an item of its own: [\"/usr/bin/web\", \"--port=80\"]";
            return Err(Bad { message, help: Some(help.to_owned()) });
        }
        value::image_path(text)
    };
    let program = c.one(Some(program), path);
    let arguments = arguments.iter().filter_map(|a| c.one(Some(a), value::argument));
    program.into_iter().chain(arguments.collect::<Vec<_>>()).collect()
}

fn restart(raw: Option<&raw::Restart>, kind: Kind, c: &mut Check) -> Restart {
    let default = Restart::default();
    let Some(raw) = raw else { return default };
    let restart = Restart {
        when: choice(raw.when.as_ref(), default.when),
        delay: c.one(raw.delay.as_ref(), units::duration).unwrap_or(default.delay),
        max_delay: c.one(raw.max_delay.as_ref(), units::duration).unwrap_or(default.max_delay),
        limit: c.range(raw.limit.as_ref(), "the limit", 1, 1_000_000).unwrap_or(default.limit),
        window: c.one(raw.window.as_ref(), units::timeout).unwrap_or(default.window),
        jitter: default.jitter,
    };
    if let (Some(delay), true) = (&raw.delay, restart.delay > restart.max_delay) {
        let problem = Problem::new(delay.place.clone(), "`delay` is longer than `max-delay`");
        c.add(match &raw.max_delay {
            Some(max) => problem.also(max.place.clone(), "the longest wait"),
            None => problem.help("set `max-delay` too; it is 10s"),
        });
    }
    if let (Some(when), Kind::Oneshot, RestartWhen::Always) = (&raw.when, kind, restart.when) {
        let problem = "a oneshot service that always restarts never becomes ready";
        c.add(
            Problem::new(when.place.clone(), problem).help("\"on-failure\" tries until it works"),
        );
    }
    restart
}

fn environment(raw: Option<&Pairs>, c: &mut Check) -> std::collections::BTreeMap<String, String> {
    let pairs = raw.map(|p| p.0.as_slice()).unwrap_or_default();
    let checked = pairs.iter().filter_map(|(key, text)| {
        c.one(Some(key), value::variable).zip(c.one(Some(text), value::argument))
    });
    checked.collect()
}

fn directory(raw: Option<&At<String>>, c: &mut Check) -> Option<String> {
    c.one(raw.filter(|at| at.value != "/"), value::image_path)
}

fn limits(raw: &raw::Limits, c: &mut Check) -> Limits {
    let memory = |text: &str| match units::size(text)? {
        bytes if bytes < MIN_MEMORY => Err(Bad {
            message: format!("no program starts with {text} of memory"),
            help: Some("at least 256K".to_owned()),
        }),
        bytes => Ok(bytes),
    };
    Limits {
        memory: c.one(raw.memory.as_ref(), memory),
        cpu: c.one(raw.cpu.as_ref(), units::percent),
        pids: c.range(raw.pids.as_ref(), "the number of processes", 1, 4_194_304),
        open_files: c.range(raw.open_files.as_ref(), "the number of open files", 8, 1_048_576),
        core: c.one(raw.core.as_ref(), units::size),
        ..Limits::default()
    }
}

fn sandbox(raw: &raw::Sandbox, c: &mut Check) -> Sandbox {
    let listed = raw.capabilities.as_ref();
    let kept = listed.map(|list| values(c.list(Some(list), value::capability)));
    let kept = kept.map(|mut list| {
        list.sort();
        list
    });
    let no_new_privileges = raw.no_new_privileges.as_ref().is_none_or(|at| at.value);
    Sandbox { capabilities: kept, no_new_privileges }
}

fn sockets(raw: Option<&Vec<At<raw::Socket>>>, c: &mut Check) -> Vec<Socket> {
    let list = raw.map(Vec::as_slice).unwrap_or_default();
    if let Some(over) = list.get(MAX_SOCKETS) {
        let message = format!("a service has at most {MAX_SOCKETS} sockets");
        c.add(Problem::new(over.place.clone(), message));
    }
    let names = list.iter().filter_map(|s| s.name.as_ref());
    c.unique(names.map(|n| (n.as_str(), &n.place)), |n| format!("two sockets are called `{n}`"));
    let paths = list.iter().filter_map(|s| s.path.as_ref());
    c.unique(paths.map(|p| (p.as_str(), &p.place)), |p| format!("two sockets are at `{p}`"));
    let checked = list.iter().filter_map(|raw| {
        let name = c.one(raw.name.as_ref(), value::service_name);
        let path = c.one(raw.path.as_ref(), value::socket_path);
        let kind = choice(raw.kind.as_ref(), SocketKind::Stream);
        let mode = c.one(raw.mode.as_ref(), units::mode).unwrap_or(0o666);
        Some(Socket {
            name: name?,
            address: Address::Path(path?),
            kind,
            mode,
            user: None,
            backlog: BACKLOG,
            accept: false,
        })
    });
    checked.collect()
}

/// Name of a service from the path of its file.
pub(crate) fn name_of(path: &str, place: &Place, c: &mut Check) -> Option<Name> {
    let stem = super::stem(path);
    let name = Name::try_from(stem).ok();
    if name.is_none() {
        let message = format!("`{stem}` can't be the name of a service, so neither of its file");
        c.add(Problem::new(place.clone(), message).help(crate::BadName.to_string()));
    }
    name
}
