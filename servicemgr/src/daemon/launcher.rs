//! Everything a process of a service needs, made and taken away: group, pipe, sockets, process.

mod run;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use model::Name;
use model::service::{Output, Service};
use sandbox::{Host, Own};
use sys::cgroup::{Group, Groups};
use sys::passwd::Users;
use sys::spawn::{Passed, Resource, SpawnError, Step};
use sys::{pipe, seqpacket, spawn};

use super::activate::{self, CONNECTION};
use super::births::Births;
use super::broker::{self, BUS};
use super::sandboxes::Sandboxes;
use super::spares::Spares;
use super::storage::Storage;
use super::streams::Streams;
use super::{credentials, limits, own};
use crate::engine::{Id, JOURNAL};

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
    /// Where the directories of credentials lie.
    pub(super) credentials: PathBuf,
    /// Listening sockets by service.
    pub(super) sockets: BTreeMap<String, Vec<Socket>>,
    /// Connections that were taken for a service and that its process does not have yet.
    pub(super) connections: BTreeMap<String, OwnedFd>,
    /// Where the output of services of the moment goes that did not start yet, if not to the journal.
    pub(super) outputs: BTreeMap<String, OwnedFd>,
    /// What was said to be less for a service than it wants.
    pub(super) lowered: BTreeSet<(Name, Resource)>,
    /// Processes that are not in the state log yet.
    pub(super) births: Births,
    /// What confines services.
    pub(super) sandboxes: Sandboxes,
    /// What was made ahead for them.
    pub(super) spares: Spares,
    /// How much services may store.
    pub(super) storage: Storage,
}

/// What is particular about one start.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Wish<'a> {
    /// The command to run; `None`: the service's program.
    pub(super) command: Option<&'a [String]>,
    /// Variables that only servicemgr knows.
    pub(super) variables: &'a [(&'a str, String)],
    /// Descriptors that an earlier life left, by name.
    pub(super) stored: &'a [(&'a str, BorrowedFd<'a>)],
    /// A descriptor at a place of its own.
    pub(super) ready: Option<(u32, BorrowedFd<'a>)>,
    /// Processes of the service may run already: it goes beside them.
    pub(super) beside: bool,
    /// The group of its last life is as good as a new one.
    pub(super) reuse: bool,
    /// Whose process it is, if the next servicemgr must find it.
    pub(super) note: Option<Id>,
}

/// What a start gave.
#[derive(Debug)]
pub(super) struct Started {
    /// The process.
    pub(super) pid: i32,
    /// Our end of the line to the journal, when it was the journal that started.
    pub(super) journal: Option<OwnedFd>,
    /// Our end of the controller's line, when it was the system bus that started.
    pub(super) bus: Option<OwnedFd>,
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
            let fd = activate::listen(socket, &self.etc)?;
            hold(socket_key(&service.name, number), fd.as_fd());
            open.push((socket.name.clone(), fd));
        }
        Ok(())
    }

    /// Starts a process of a service: the main one, or a command.
    ///
    /// # Errors
    /// What we tried and why not, for people.
    pub(super) fn start(
        &mut self,
        service: &Service,
        wish: &Wish<'_>,
        streams: &mut Streams,
        hold: &mut ToHold<'_>,
    ) -> Result<Started, String> {
        let wanted = self.outputs.remove(service.name.as_str());
        let of_bus = service.name.as_str() == BUS && wish.command.is_none();
        let own;
        let service = if of_bus {
            own = broker::arguments(service);
            &own
        } else {
            service
        };
        let line = self.line(service, wish, hold)?;
        let sockets = self.sockets.get(service.name.as_str()).map_or(&[][..], Vec::as_slice);
        // The bus gets its socket over its line, with the policy that goes with it.
        let sockets = if of_bus || wish.command.is_some() { &[] } else { sockets };
        let sockets = sockets.iter().zip(&service.sockets).filter(|(_, socket)| !socket.accept);
        let sockets = sockets.map(|((name, fd), _)| (name.as_str(), fd.as_fd()));
        let (mut names, mut fds): (Vec<&str>, Vec<BorrowedFd<'_>>) = sockets.unzip();
        let connection = self.connections.get(service.name.as_str());
        if let Some(fd) = connection.filter(|_| wish.command.is_none()) {
            names.push(CONNECTION);
            fds.push(fd.as_fd());
        }
        for (name, fd) in wish.stored {
            names.push(name);
            fds.push(*fd);
        }
        if let Some(line) = &line {
            names.push(line.name);
            fds.push(line.theirs.as_fd());
        }
        let users = self.users(service)?;
        let confine = self.sandboxes.of(service)?;
        let own = Own {
            confine: confine.as_ref(),
            fds: &names,
            command: wish.command,
            variables: &self.variables(service, wish),
        };
        let mut launch = sandbox::launch(service, &users, &self.host, &own)
            .map_err(|refused| refused.to_string())?;
        limits::lower(&mut launch.limits, &service.name, &mut self.lowered);
        let uid = launch.ids.as_ref().map_or(0, |ids| ids.uid);
        if let Some(shared) = launch.confine.take_if(|_| uid != 0) {
            launch.confine = Some(self.sandboxes.of_user(service, shared, uid));
        }
        let output = match wanted {
            Some(fd) => Sink::Pipe(fd),
            None => self.output(service, uid, streams, hold)?,
        };
        let stderr = io::stderr();
        let null = self.null.as_fd();
        let mut standard = match &output {
            Sink::Pipe(fd) => [null, fd.as_fd(), fd.as_fd()],
            Sink::Console(fd) => [fd.as_fd(); 3],
            Sink::Null => [null; 3],
            Sink::Ours => [null, stderr.as_fd(), stderr.as_fd()],
        };
        if let Some((number, fd)) = wish.ready {
            place(number, fd, null, &mut standard, &mut fds)?;
        }
        let group = self.group(service, wish)?;
        let cgroup = group.as_ref().map(AsFd::as_fd);
        let note = wish.note.and_then(|id| self.births.place(id));
        let passed = Passed { standard, fds: &fds, cgroup, note };
        let pid = self.spares.spawn(&launch, &passed, wish.command.is_none());
        let pid = pid.map_err(|e| not_started(&e, service, wish))?;
        let ours = line.map(|l| l.ours);
        let (journal, bus) = if of_bus { (None, ours) } else { (ours, None) };
        Ok(Started { pid, journal, bus })
    }

    /// What only we know and the process should.
    fn variables<'w>(&self, service: &Service, wish: &'w Wish<'_>) -> Vec<(&'w str, String)> {
        let mut all = wish.variables.to_vec();
        all.extend(service.state_directory().map(|place| ("STATE_DIRECTORY", place)));
        if !service.credentials.is_empty() {
            let place = self.credentials(service);
            all.push(("CREDENTIALS_DIRECTORY", place.display().to_string()));
        }
        all
    }

    /// Where the credentials of a service are while it runs.
    fn credentials(&self, service: &Service) -> PathBuf {
        self.credentials.join(service.name.as_str())
    }

    /// Makes what a service finds when it starts: its own user with its data, its sockets and its
    /// credentials.
    ///
    /// # Errors
    /// What is not there, and why not.
    pub(super) fn prepare(
        &mut self,
        service: &Service,
        hold: &mut ToHold<'_>,
    ) -> Result<(), String> {
        own::provide(&self.etc, service)?;
        self.storage.provide(&self.etc, service)?;
        run::make(Path::new(run::RUN), service, || self.ids(service))?;
        self.open(service, hold)?;
        if service.credentials.is_empty() {
            return Ok(());
        }
        let (uid, gid) = self.ids(service)?;
        credentials::make(&self.credentials(service), &service.credentials, uid, gid)
    }

    /// User and group of a service.
    ///
    /// # Errors
    /// There is no such user.
    pub(super) fn ids(&self, service: &Service) -> Result<(u32, u32), String> {
        let Some(name) = &service.user else {
            return Ok((sys::process::user(), sys::process::group()));
        };
        let user = self.users(service)?.find(name);
        let user = user.ok_or_else(|| sandbox::Refused::User(name.clone()).to_string())?;
        Ok((user.uid, user.gid))
    }

    /// Removes what [`Launcher::prepare`] made for one life of a service.
    pub(super) fn clear(&self, service: &Service) {
        if !service.credentials.is_empty()
            && let Err(e) = credentials::remove(&self.credentials(service))
        {
            log::warn!(target: service.name.as_str(), "credentials of {}: {e}", service.name);
        }
    }

    /// The line that this service has to us, if it is one of the two that have one.
    fn line(
        &self,
        service: &Service,
        wish: &Wish<'_>,
        hold: &mut ToHold<'_>,
    ) -> Result<Option<Line>, String> {
        match service.name.as_str() {
            _ if wish.command.is_some() => Ok(None),
            JOURNAL => line(hold).map(Some),
            BUS => bus_line(hold).map(Some),
            _ => Ok(None),
        }
    }

    /// Users change while we run (packages, `/etc`), so they are read for each start that asks.
    fn users(&self, service: &Service) -> Result<Users, String> {
        match (&service.user, service.app_id()) {
            (None, _) => Ok(Users::default()),
            // Nobody has to name it, and it is in no other group than its own.
            (Some(_), Some(id)) => {
                Ok(Users::from_text(&format!("{id}:x:{id}:{id}::/:/usr/sbin/nologin\n"), ""))
            }
            (Some(_), None) => Users::read(&self.etc).map_err(|e| format!("/etc/passwd: {e}")),
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
                    None => streams.make(uid).map(|(kept, first)| {
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
    fn group(&self, service: &Service, wish: &Wish<'_>) -> Result<Option<Group>, String> {
        let Some(groups) = &self.groups else { return Ok(None) };
        let name = service.name.as_str();
        if wish.beside
            && let Ok(group) = groups.get(name)
            && group.populated().unwrap_or(false)
        {
            return Ok(Some(group));
        }
        let group = if wish.reuse { groups.get(name) } else { groups.make(name) };
        let group = group.map_err(|e| format!("control group {name}: {e}"))?;
        limits::apply(&service.limits, &group, &self.controllers)?;
        Ok(Some(group))
    }
}

/// Why it was not started, for people.
fn not_started(e: &SpawnError, service: &Service, wish: &Wish<'_>) -> String {
    let program = wish.command.unwrap_or(&service.exec).first().map_or("", String::as_str);
    let directory = service.directory.as_deref().unwrap_or("/");
    match e.step {
        Step::Exec => format!("{program}: {}", e.error),
        Step::Directory => format!("directory {directory}: {}", e.error),
        _ => format!("could not {e}"),
    }
}

/// Puts `fd` at the place `number` of a process: among its standard ones, or after all others.
fn place<'f>(
    number: u32,
    fd: BorrowedFd<'f>,
    null: BorrowedFd<'f>,
    standard: &mut [BorrowedFd<'f>; 3],
    fds: &mut Vec<BorrowedFd<'f>>,
) -> Result<(), String> {
    let at = usize::try_from(number).unwrap_or(usize::MAX);
    if let Some(place) = standard.get_mut(at) {
        *place = fd;
        return Ok(());
    }
    let (after, free) = (at - standard.len(), standard.len() + fds.len());
    if after < fds.len() {
        return Err(format!("ready-fd {number}: its sockets are there: take {free}"));
    }
    if after >= spawn::MAX_FDS {
        return Err(format!("ready-fd {number}: take {free}"));
    }
    fds.resize(after, null);
    fds.push(fd);
    Ok(())
}

enum Sink {
    Pipe(OwnedFd),
    Console(File),
    Null,
    /// Where our own messages go: there is no journal in this plan.
    Ours,
}

struct Line {
    name: &'static str,
    ours: OwnedFd,
    theirs: OwnedFd,
}

/// A fresh line for each journal: what its predecessor did not read is of no use.
fn line(hold: &mut ToHold<'_>) -> Result<Line, String> {
    let (ours, theirs) = seqpacket::pair().map_err(|e| format!("line to the journal: {e}"))?;
    hold(STREAMS.to_owned(), ours.as_fd());
    Ok(Line { name: STREAMS, ours, theirs })
}

fn bus_line(hold: &mut ToHold<'_>) -> Result<Line, String> {
    let (ours, theirs) = broker::line(hold)?;
    Ok(Line { name: "controller", ours, theirs })
}

fn console() -> io::Result<File> {
    sys::terminal::open(Path::new("/dev/console"))
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
