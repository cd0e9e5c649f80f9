//! What is watched for running services beside their processes and their words.
//!
//! ```text
//! ready-fd pipe ─┐
//! pid file ──────┤                        ┌─► Event::Ready, a main process
//! foreign main ──┼─► Set ─► one wake-up ──┤
//! memory.events ─┤                        └─► Event::Exited, Event::Unwell
//! stored fds ────┘ health tasks ─► News ────► Event::Ready, Event::Unwell
//! ```
//!
//! Nothing here polls: what is watched costs nothing until it happens.

use std::collections::BTreeSet;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use api::pid1::ToPid1;
use sys::cgroup::Members;
use sys::inotify::Inotify;
use sys::wait::How;
use sys::watch::{Set, What};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::bus::Request;
use super::forking::{FileId, Forked};
use super::process::Facts;
use super::state::Beside;
use super::store::Stores;
use super::{Daemon, health, ready};
use crate::engine::{End, Event, Id, State};

/// News of health tasks that may wait for the loop.
const NEWS: usize = 64;

/// Most bytes before the newline on a `ready-fd`.
const MAX_LINE: usize = 4096;

/// What is watched, of all services.
#[derive(Debug)]
pub(super) struct Upkeep {
    set: Set,
    woken: AsyncFd<OwnedFd>,
    news: mpsc::Receiver<Request>,
    /// Where health tasks send their news.
    pub(super) sender: mpsc::Sender<Request>,
    /// Descriptors that services left with us.
    pub(super) stores: Stores,
    /// Services of type `forking` whose starter has ended and whose main process is not known.
    pub(super) awaited: Vec<Id>,
    /// Services whose groups are empty and are removed soon.
    pub(super) empty: BTreeSet<Id>,
}

/// What is watched, of one service, and which of its processes are what.
#[derive(Debug, Default)]
pub(super) struct Side {
    /// The command that runs.
    pub(super) command: Option<i32>,
    /// How far a service of type `forking` is.
    pub(super) forked: Forked,
    /// What lay at the place of the pid file before the start.
    pub(super) stale: Option<FileId>,
    /// Tells when the pid file may be there.
    pub(super) pid_file: Option<Inotify>,
    /// A main process that is not PID 1's child.
    pub(super) foreign: Option<OwnedFd>,
    /// The end of the `ready-fd` to read from.
    pub(super) ready: Option<OwnedFd>,
    /// `memory.events` of its group, and how many were killed.
    memory: Option<(OwnedFd, u64)>,
    /// The list of its processes, once it was told to end.
    pub(super) members: Option<Members>,
    /// Number of this life: news of an earlier one does not count.
    pub(super) life: u64,
    /// Asks how it is.
    pub(super) health: Option<JoinHandle<()>>,
    /// The probe that runs.
    pub(super) probe: Option<health::Probing>,
    /// Bad answers in a row.
    pub(super) bad: u32,
    /// Its processes stand still.
    pub(super) frozen: bool,
    /// `ERRNO=` it said.
    pub(super) errno: i32,
    /// Its processes were killed for this: a permission that was revoked.
    pub(super) revoked: Option<String>,
    /// The same, of its last life.
    pub(super) ended_for: Option<String>,
}

impl Side {
    /// What the next servicemgr needs of it.
    pub(super) fn kept(&self) -> Beside {
        Beside { command: self.command, forked: self.forked }
    }
}

/// What happened.
pub(super) enum Woken {
    /// Something in the set.
    Set,
    /// A health task says something.
    News(Request),
}

/// One thing that is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token {
    Ready(Id),
    PidFile(Id),
    Main(Id),
    Memory(Id),
    Stored(Id, u32),
}

impl Token {
    /// `[kind 4 bits][service 28 bits][number 32 bits]`
    fn number(self) -> u64 {
        let (kind, id, number) = match self {
            Self::Ready(id) => (0, id, 0),
            Self::PidFile(id) => (1, id, 0),
            Self::Main(id) => (2, id, 0),
            Self::Memory(id) => (3, id, 0),
            Self::Stored(id, number) => (4, id, number),
        };
        let id = u64::try_from(id).unwrap_or(0) & 0xfff_ffff;
        kind << 60 | id << 32 | u64::from(number)
    }

    fn of(token: u64) -> Option<Self> {
        let id = Id::try_from(token >> 32 & 0xfff_ffff).ok()?;
        Some(match token >> 60 {
            0 => Self::Ready(id),
            1 => Self::PidFile(id),
            2 => Self::Main(id),
            3 => Self::Memory(id),
            4 => Self::Stored(id, u32::try_from(token & u64::from(u32::MAX)).ok()?),
            _ => return None,
        })
    }
}

impl Upkeep {
    /// Watches nothing yet. Needs the runtime.
    ///
    /// # Errors
    /// `EMFILE`, `ENFILE`, `ENOMEM`.
    pub(super) fn new() -> io::Result<Self> {
        let set = Set::new()?;
        let woken = ready::watch(set.as_fd().try_clone_to_owned()?, Interest::READABLE)?;
        let (sender, news) = mpsc::channel(NEWS);
        let (stores, awaited, empty) = (Stores::default(), Vec::new(), BTreeSet::new());
        Ok(Self { set, woken, news, sender, stores, awaited, empty })
    }

    /// Waits until something happened.
    pub(super) async fn ready(&mut self) -> Woken {
        tokio::select! {
            ready = self.woken.readable() => {
                // An error means that the runtime is going away.
                ready.into_iter().for_each(|mut guard| guard.retain_ready());
                Woken::Set
            }
            Some(news) = self.news.recv() => Woken::News(news),
        }
    }

    /// What happened in the set; nothing is left then.
    fn taken(&self) -> Vec<Token> {
        let mut all = Vec::new();
        loop {
            match self.set.next() {
                Ok(numbers) if !numbers.is_empty() => {
                    all.extend(numbers.into_iter().filter_map(Token::of));
                }
                _ => break,
            }
        }
        let empty = io::Error::from(io::ErrorKind::WouldBlock);
        let _empty = self.woken.try_io(Interest::READABLE, |_| Err::<(), _>(empty));
        all
    }

    /// Watches something. A kind of file that never changes is not watched.
    pub(super) fn watch(&self, fd: impl AsFd, what: What, token: Token) {
        match self.set.add(fd, what, token.number()) {
            Err(e) if e.kind() != io::ErrorKind::PermissionDenied => {
                log::error!("could not watch a descriptor: {e}: going on without");
            }
            _ => {}
        }
    }

    /// Watches something no longer.
    pub(super) fn forget(&self, fd: impl AsFd) {
        self.set.remove(fd);
    }
}

/// Under which name PID 1 holds the `ready-fd` of a service.
#[must_use]
pub(super) fn ready_key(service: &str) -> String {
    format!("ready/{service}")
}

impl Daemon {
    /// Something happened beside processes and words.
    pub(super) fn look_after(&mut self, woken: Woken) {
        match woken {
            Woken::News(news) => news(self),
            Woken::Set => {
                for token in self.upkeep.taken() {
                    match token {
                        Token::Ready(id) => self.hear_ready_fd(id),
                        Token::PidFile(id) => self.look_for_main(id),
                        Token::Main(id) => self.foreign_main_ended(id),
                        Token::Memory(id) => self.look_at_memory(id),
                        Token::Stored(id, number) => self.stored_hung_up(id, number),
                    }
                }
            }
        }
    }

    /// Watches what a running service has to be watched for, from its start or from ours.
    pub(super) fn watch_over(&mut self, id: Id) {
        let Some(service) = self.plan.services.get(id) else { return };
        if service.limits.out_of_memory == model::service::OutOfMemory::Stop {
            let file = self.group(id).and_then(|group| group.open("memory.events").ok());
            if let (Some(file), Some(part)) = (file, self.parts.get_mut(id)) {
                self.upkeep.watch(&file, What::Changed, Token::Memory(id));
                part.side.memory = Some((file, 0));
                self.look_at_memory(id);
            }
        }
        self.begin_health(id);
    }

    /// Its main process has ended: nothing is to be watched until the next start.
    pub(super) fn unwatch(&mut self, id: Id) {
        self.end_health(id);
        self.forget_ready_fd(id);
        let Some(part) = self.parts.get_mut(id) else { return };
        let memory = part.side.memory.take().map(|(file, _)| file);
        let files = part.side.pid_file.take().map(OwnedFd::from);
        for fd in [memory, files, part.side.foreign.take()].into_iter().flatten() {
            self.upkeep.forget(&fd);
        }
        self.upkeep.awaited.retain(|awaited| *awaited != id);
    }

    /// All of it is gone, for now or for good.
    pub(super) fn let_go(&mut self, id: Id) {
        let state = self.engine.state(id);
        let Some(service) = self.plan.services.get(id) else { return };
        // Commands after the stop still see what the others saw.
        if state != State::Stopping {
            self.launcher.clear(service);
        }
        let name = service.name.to_string();
        if let Some(part) = self.parts.get_mut(id) {
            part.side.frozen = false;
            part.side.members = None;
            part.side.forked = Forked::No;
            if state != State::Stopping {
                part.side.command = None;
            }
        }
        if state == State::Off {
            self.drop_stored(&name, |_, _| true);
        }
    }

    /// A new `ready-fd`: watched here and held at PID 1. Gives the end for the service.
    ///
    /// # Errors
    /// Too many open files.
    pub(super) fn make_ready_fd(&mut self, id: Id, name: &str) -> io::Result<OwnedFd> {
        let (reader, writer) = io::pipe()?;
        self.tell(&ToPid1::Hold(ready_key(name)), Some(reader.as_fd()));
        self.take_ready_fd(id, reader.into());
        Ok(writer.into())
    }

    /// Watches the `ready-fd` of a service that runs.
    pub(super) fn take_ready_fd(&mut self, id: Id, reader: OwnedFd) {
        self.upkeep.watch(&reader, What::Reading, Token::Ready(id));
        if let Some(part) = self.parts.get_mut(id) {
            part.side.ready = Some(reader);
        }
    }

    /// A line came, or the service closed its end. What it wrote stays in the pipe until it is
    /// noted, as messages do.
    fn hear_ready_fd(&mut self, id: Id) {
        let pipe = self.parts.get(id).and_then(|part| part.side.ready.as_ref());
        let Some(pipe) = pipe else { return };
        let bytes = sys::pipe::peek(pipe, MAX_LINE).unwrap_or_default();
        let line = bytes.contains(&b'\n');
        if line && self.ready_by_word(id) {
            self.feed(Event::Ready(id));
        }
        // Nothing though something happened: it closed it. It may be ready by other means.
        if line || bytes.is_empty() || bytes.len() >= MAX_LINE {
            self.forget_ready_fd(id);
        }
    }

    fn forget_ready_fd(&mut self, id: Id) {
        let Some(part) = self.parts.get_mut(id) else { return };
        let Some(pipe) = part.side.ready.take() else { return };
        self.upkeep.forget(&pipe);
        if let Some(service) = self.plan.services.get(id) {
            self.tell(&ToPid1::Drop(ready_key(service.name.as_str())), None);
        }
    }

    /// Whether the kernel killed a process of a service that then ends as a whole.
    fn look_at_memory(&mut self, id: Id) {
        let group = self.group(id);
        let Some(part) = self.parts.get_mut(id) else { return };
        let Some((_, before)) = &mut part.side.memory else { return };
        let killed = group.and_then(|g| g.number("memory.events", "oom_kill").ok().flatten());
        let killed = killed.unwrap_or(0);
        let more = killed > std::mem::replace(before, killed);
        if more && matches!(self.engine.state(id), State::Starting | State::Ready) {
            let why = "a process of it was killed for want of memory";
            self.feed(Event::Unwell(id, why.to_owned()));
        }
    }

    /// A main process that PID 1 does not reap has ended.
    fn foreign_main_ended(&mut self, id: Id) {
        let Some(part) = self.parts.get_mut(id) else { return };
        let (Some(pid), Some(fd)) = (part.pid, part.side.foreign.take()) else { return };
        self.upkeep.forget(&fd);
        let how = sys::pidfd::exit(&fd).ok().flatten();
        if how.is_none() && Facts::parent_of(pid) == Some(sys::process::parent()) {
            // Its parent has ended meanwhile, and PID 1 is about to tell.
            return;
        }
        if self.by_pid.remove(&pid).is_some() {
            let end = match how {
                Some(How::Status(status)) => End::Status(status),
                Some(How::Signal(signal)) => End::Signal(signal),
                None => End::Unknown,
            };
            self.main_ended(id, end);
        }
    }

    fn stored_hung_up(&mut self, id: Id, number: u32) {
        let Some(service) = self.plan.services.get(id) else { return };
        let name = service.name.to_string();
        self.drop_stored(&name, |at, _| at == number);
    }

    /// Watches a descriptor in the store for its hang-up.
    pub(super) fn watch_stored(&self, id: Id, number: u32) {
        let Some(service) = self.plan.services.get(id) else { return };
        let stored = self.upkeep.stores.get(service.name.as_str(), number);
        if let Some(stored) = stored.filter(|stored| stored.poll) {
            self.upkeep.watch(&stored.fd, What::Hangup, Token::Stored(id, number));
        }
    }

    /// Drops descriptors that a service left.
    pub(super) fn drop_stored(
        &mut self,
        service: &str,
        which: impl Fn(u32, &super::store::Stored) -> bool,
    ) {
        for (key, stored) in self.upkeep.stores.take(service, which) {
            self.upkeep.forget(&stored.fd);
            self.tell(&ToPid1::Drop(key), None);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_says_what_it_was() {
        for token in [
            Token::Ready(0),
            Token::PidFile(4095),
            Token::Main(1),
            Token::Memory(0xfff_ffff),
            Token::Stored(7, u32::MAX),
        ] {
            assert_eq!(Token::of(token.number()), Some(token));
        }
        assert_eq!(Token::of(u64::MAX), None);
    }
}
