//! Everything a process of a service needs, made and taken away: group, pipe, sockets, process.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use model::Name;
use model::service::{Address, Limits, Output, Service, SocketKind};
use sandbox::Host;
use sys::cgroup::{Group, Groups};
use sys::passwd::Users;
use sys::spawn::{Passed, Step};
use sys::{bind, pipe, seqpacket, spawn};

use super::streams::Streams;
use crate::engine::JOURNAL;

/// Period of `cpu.max` in microseconds: the kernel's own default.
const CPU_PERIOD: u64 = 100_000;

/// Name of the line by which the journal gets the pipes of services.
const STREAMS: &str = "streams";

/// A listening socket of a service.
pub(super) type Socket = (Name, OwnedFd);

/// What starts need.
#[derive(Debug)]
pub(super) struct Launcher {
    /// What does not depend on the service.
    pub(super) host: Host,
    /// Where `passwd` and `group` lie.
    pub(super) etc: PathBuf,
    /// The groups of services, where there are any.
    pub(super) groups: Option<Groups>,
    /// The controllers they have; a container of its host may lack some.
    pub(super) controllers: Vec<String>,
    /// Whether the plan has a journal to send output to.
    pub(super) has_journal: bool,
    /// `/dev/null`.
    pub(super) null: File,
    /// Listening sockets by service.
    pub(super) sockets: BTreeMap<String, Vec<Socket>>,
}

/// What a start gave.
#[derive(Debug)]
pub(super) struct Started {
    /// The process.
    pub(super) pid: i32,
    /// Our end of the line to the journal, when it was the journal that started.
    pub(super) journal: Option<OwnedFd>,
}

/// New descriptors that PID 1 should hold, by name.
pub(super) type ToHold<'a> = dyn FnMut(String, BorrowedFd<'_>) + 'a;

impl Launcher {
    /// Opens the listening sockets of a service that are not open yet.
    ///
    /// # Errors
    /// Which socket, and why not.
    pub(super) fn open(&mut self, service: &Service, hold: &mut ToHold<'_>) -> Result<(), String> {
        if service.sockets.is_empty() {
            return Ok(());
        }
        let open = self.sockets.entry(service.name.to_string()).or_default();
        for (number, socket) in service.sockets.iter().enumerate().skip(open.len()) {
            let kind = match socket.kind {
                SocketKind::Stream => bind::Kind::Stream,
                SocketKind::Datagram => bind::Kind::Datagram,
                SocketKind::Seqpacket => bind::Kind::Seqpacket,
                SocketKind::Fifo => return Err("a FIFO: not yet".into()),
            };
            let Address::Path(path) = &socket.address else { return Err("not yet".into()) };
            let fd = bind::unix(Path::new(path), kind, socket.mode)
                .map_err(|e| format!("socket {path}: {e}"))?;
            hold(socket_key(&service.name, number), fd.as_fd());
            open.push((socket.name.clone(), fd));
        }
        Ok(())
    }

    /// Starts the process of a service.
    ///
    /// # Errors
    /// What we tried and why not, for people.
    pub(super) fn start(
        &mut self,
        service: &Service,
        streams: &mut Streams,
        hold: &mut ToHold<'_>,
    ) -> Result<Started, String> {
        self.open(service, hold)?;
        let line = if service.name.as_str() == JOURNAL { Some(line(hold)?) } else { None };
        let sockets = self.sockets.get(service.name.as_str()).map_or(&[][..], Vec::as_slice);
        let mut names: Vec<&Name> = sockets.iter().map(|(name, _)| name).collect();
        let mut fds: Vec<BorrowedFd<'_>> = sockets.iter().map(|(_, fd)| fd.as_fd()).collect();
        if let Some(line) = &line {
            names.push(&line.name);
            fds.push(line.theirs.as_fd());
        }
        let users = self.users(service)?;
        let launch = sandbox::launch(service, &users, &self.host, &names)
            .map_err(|refused| refused.to_string())?;
        let uid = launch.ids.as_ref().map_or(0, |ids| ids.uid);
        let output = self.output(service, uid, streams, hold)?;
        let stderr = io::stderr();
        let null = self.null.as_fd();
        let standard = match &output {
            Sink::Pipe(fd) => [null, fd.as_fd(), fd.as_fd()],
            Sink::Console(fd) => [fd.as_fd(); 3],
            Sink::Null => [null; 3],
            Sink::Ours => [null, stderr.as_fd(), stderr.as_fd()],
        };
        let group = self.group(service)?;
        let cgroup = group.as_ref().map(AsFd::as_fd);
        let passed = Passed { standard, fds: &fds, cgroup };
        let pid = spawn::spawn(&launch, &passed).map_err(|e| match e.step {
            Step::Exec => format!("{}: {}", said(service), e.error),
            Step::Directory => {
                format!("directory {}: {}", service.directory.as_deref().unwrap_or("/"), e.error)
            }
            _ => format!("could not {e}"),
        })?;
        Ok(Started { pid, journal: line.map(|l| l.ours) })
    }

    /// Users change while we run (packages, `/etc`), so they are read for each start that asks.
    fn users(&self, service: &Service) -> Result<Users, String> {
        match service.user {
            None => Ok(Users::default()),
            Some(_) => Users::read(&self.etc).map_err(|e| format!("/etc/passwd: {e}")),
        }
    }

    fn output(
        &self,
        service: &Service,
        uid: u32,
        streams: &mut Streams,
        hold: &mut ToHold<'_>,
    ) -> Result<Sink, String> {
        match service.output {
            Output::Null => Ok(Sink::Null),
            Output::Console => console().map(Sink::Console).map_err(|e| format!("console: {e}")),
            Output::Journal if !self.has_journal => Ok(Sink::Ours),
            Output::Journal => {
                let name = service.name.as_str();
                let end = match streams.pipe(name) {
                    Some(kept) => pipe::writer(kept),
                    None => pipe::lasting(uid).map(|(kept, first)| {
                        hold(log_key(name), kept.as_fd());
                        streams.insert(name, kept);
                        first
                    }),
                };
                end.map(Sink::Pipe).map_err(|e| format!("pipe for its output: {e}"))
            }
        }
    }

    /// The group with its limits. A limit that cannot be set fails the start: running without it
    /// would endanger the others. Where a whole controller is missing, that was said at the start.
    fn group(&self, service: &Service) -> Result<Option<Group>, String> {
        let Some(groups) = &self.groups else { return Ok(None) };
        let group = groups
            .make(service.name.as_str())
            .map_err(|e| format!("control group {}: {e}", service.name))?;
        for (file, value) in limits(&service.limits) {
            let controller = file.split('.').next().unwrap_or(file);
            if !self.controllers.iter().any(|c| c == controller) {
                continue;
            }
            group.write(file, &value).map_err(|e| format!("{file} = {value}: {e}"))?;
        }
        Ok(Some(group))
    }
}

/// The files of a group that carry its limits.
pub(super) fn limits(limits: &Limits) -> Vec<(&'static str, String)> {
    let mut all = Vec::new();
    if let Some(bytes) = limits.memory {
        all.push(("memory.max", bytes.to_string()));
        all.push(("memory.oom.group", "1".to_owned()));
    }
    if let Some(percent) = limits.cpu {
        let quota = u64::from(percent).saturating_mul(CPU_PERIOD / 100);
        all.push(("cpu.max", format!("{quota} {CPU_PERIOD}")));
    }
    if let Some(pids) = limits.pids {
        all.push(("pids.max", pids.to_string()));
    }
    all
}

enum Sink {
    Pipe(OwnedFd),
    Console(File),
    Null,
    /// Where our own messages go: there is no journal in this plan.
    Ours,
}

struct Line {
    name: Name,
    ours: OwnedFd,
    theirs: OwnedFd,
}

/// A fresh line for each journal: what its predecessor did not read is of no use.
fn line(hold: &mut ToHold<'_>) -> Result<Line, String> {
    let name = Name::try_from(STREAMS).map_err(|e| e.to_string())?;
    let (ours, theirs) = seqpacket::pair().map_err(|e| format!("line to the journal: {e}"))?;
    hold(STREAMS.to_owned(), ours.as_fd());
    Ok(Line { name, ours, theirs })
}

fn console() -> io::Result<File> {
    sys::terminal::open(Path::new("/dev/console"))
}

fn said(service: &Service) -> &str {
    service.exec.first().map_or("", String::as_str)
}

/// Under which name PID 1 holds socket `number` of a service.
#[must_use]
pub(super) fn socket_key(service: &Name, number: usize) -> String {
    format!("socket/{service}/{number}")
}

/// Under which name PID 1 holds the pipe of a service.
#[must_use]
pub(super) fn log_key(service: &str) -> String {
    format!("log/{service}")
}
