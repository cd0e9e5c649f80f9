//! Services of type `forking`: the first process ends and leaves a daemon behind.
//!
//! ```text
//! starter runs ──ends with 0──► pid file: a process of ours? ──yes──► main process, ready
//!                          │         └─no─► awaited until it is written, or the time is over
//!                          └──no pid file──► the only process left, or the oldest
//! ```
//!
//! Invariant: nothing becomes the main process but a process of the service. A pid file that was
//! there before the start and is the same since is not believed.

use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use model::service::Kind;
use serde::{Deserialize, Serialize};
use sys::inotify::Inotify;
use sys::watch::What;

use super::found::maybe_left;
use super::process::Facts;
use super::upkeep::Token;
use super::{Daemon, notify};
use crate::engine::{End, Event, Id};

/// Longest pid file, in bytes.
const MAX_FILE: u64 = 64;

/// How long after it was ready a process that was guessed may turn out to be on the way only.
const ON_THE_WAY: Duration = Duration::from_secs(5);

/// How far a service of type `forking` is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Forked {
    /// Its main process is known, if it runs; as for every other type.
    #[default]
    No,
    /// Its known process is the one that makes the main one.
    Starter,
    /// The starter has ended, the main process is not known.
    Awaited,
}

/// One content of a file at one time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FileId {
    device: u64,
    inode: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl FileId {
    fn of(about: &Metadata) -> Self {
        Self {
            device: about.dev(),
            inode: about.ino(),
            modified: (about.mtime(), about.mtime_nsec()),
            changed: (about.ctime(), about.ctime_nsec()),
        }
    }

    /// What is at `path` now.
    fn at(path: &str) -> Option<Self> {
        std::fs::symlink_metadata(path).ok().map(|about| Self::of(&about))
    }
}

/// The number in a pid file that belongs to root or to `uid`, unless it is the stale one.
fn read(path: &str, uid: u32, stale: Option<FileId>) -> Result<i32, String> {
    let (about, bytes) =
        sys::regular::read(Path::new(path), MAX_FILE, false).map_err(|e| match e.kind() {
            io::ErrorKind::NotFound => String::new(),
            _ => format!("pid file {path}: {e}"),
        })?;
    if stale == Some(FileId::of(&about)) {
        return Err(format!("pid file {path}: it is from before the start"));
    }
    let owner = about.uid();
    if owner != 0 && owner != uid {
        return Err(format!("pid file {path}: it belongs to user {owner}, not to the service"));
    }
    let number = std::str::from_utf8(&bytes).ok().and_then(|text| text.trim().parse().ok());
    match number {
        Some(pid) if pid > 1 => Ok(pid),
        // It is being written.
        _ if bytes.trim_ascii().is_empty() => Err(String::new()),
        _ => Err(format!("pid file {path}: there is no process id in it")),
    }
}

impl Daemon {
    /// Before the start of a service: what lies at the place of its pid file is stale.
    pub(super) fn before_fork(&mut self, id: Id) {
        let Some(service) = self.plan.services.get(id) else { return };
        let Some(part) = self.parts.get_mut(id) else { return };
        part.side.forked = Forked::No;
        if service.kind == Kind::Forking {
            part.side.forked = Forked::Starter;
            part.side.stale = service.pid_file.as_deref().and_then(FileId::at);
        }
    }

    /// The first process of a service of type `forking` ended.
    pub(super) fn starter_ended(&mut self, id: Id, end: End) {
        if !end.ok() {
            return self.main_ended(id, end);
        }
        if let Some(part) = self.parts.get_mut(id) {
            part.pid = None;
            part.side.forked = Forked::Awaited;
        }
        self.note(id);
        self.await_main(id);
    }

    /// Looks for the main process, and waits for its pid file if it is not there.
    pub(super) fn await_main(&mut self, id: Id) {
        self.upkeep.awaited.push(id);
        let file = self.plan.services.get(id).and_then(|service| service.pid_file.clone());
        // Watched before the first look, so that nothing is missed in between.
        if let Some(file) = &file {
            self.watch_pid_file(id, Path::new(file));
        }
        self.look_for_main(id);
    }

    /// Something may have become of the main process that is waited for.
    pub(super) fn look_for_main(&mut self, id: Id) {
        if !self.upkeep.awaited.contains(&id) {
            return;
        }
        let Some(service) = self.plan.services.get(id) else { return };
        let name = service.name.to_string();
        let found = match service.pid_file.clone() {
            None => self.oldest(id).ok_or_else(String::new),
            Some(file) => {
                self.watch_pid_file(id, Path::new(&file));
                let stale = self.parts.get(id).and_then(|part| part.side.stale);
                let uid = self.plan.services.get(id).map(|s| self.launcher.ids(s));
                let uid = uid.and_then(Result::ok).map_or(0, |(uid, _)| uid);
                read(&file, uid, stale).and_then(|pid| match self.is_of(id, pid) {
                    true => Ok(pid),
                    false => Err(format!("pid file {file}: {pid} is no process of {name}")),
                })
            }
        };
        match found {
            Ok(pid) => {
                self.upkeep.awaited.retain(|awaited| *awaited != id);
                self.set_main(id, pid);
                self.watch_over(id);
                self.feed(Event::Ready(id));
            }
            Err(why) => {
                if !why.is_empty() {
                    log::warn!(target: name.as_str(), "{why}: waiting for another");
                }
                self.look_whether_all_ended(id);
            }
        }
    }

    /// Those whose main process is waited for: one that has no process has ended.
    pub(super) fn look_at_awaited(&mut self) {
        for id in self.upkeep.awaited.clone() {
            self.look_for_main(id);
        }
    }

    fn look_whether_all_ended(&mut self, id: Id) {
        let gone = match self.group(id) {
            Some(group) => !group.populated().unwrap_or(true),
            None => {
                let service = self.plan.services.get(id);
                !service.is_some_and(|service| maybe_left(service.name.as_str()))
            }
        };
        if gone {
            self.main_ended(id, End::Status(0));
        }
    }

    /// Whether the process that was guessed to be the main one was only on the way to it: it ended well
    /// soon after the start and left another, which is the main one now.
    pub(super) fn was_not_main(&mut self, id: Id, end: End) -> bool {
        let guessed = self
            .plan
            .services
            .get(id)
            .is_some_and(|s| s.kind == Kind::Forking && s.pid_file.is_none());
        let since = self.engine.life(id).filter(|l| l.state.running()).map(|l| l.since);
        let soon = since.is_some_and(|at| self.now().saturating_sub(at) < ON_THE_WAY);
        if !guessed || !end.ok() || !soon {
            return false;
        }
        let next = self.oldest(id);
        next.into_iter().for_each(|pid| self.set_main(id, pid));
        next.is_some()
    }

    /// It is told to end before its main process is known: there will be none.
    pub(super) fn give_up_main(&mut self, id: Id) -> Option<Event> {
        self.upkeep.awaited.contains(&id).then(|| self.without_main(id, End::Status(0)))
    }

    /// The main process of a service is this one from now on.
    pub(super) fn set_main(&mut self, id: Id, pid: i32) {
        let Some(part) = self.parts.get_mut(id) else { return };
        if let Some(old) = part.pid.replace(pid).filter(|old| *old != pid) {
            self.by_pid.remove(&old);
        }
        part.side.forked = Forked::No;
        let foreign = part.side.foreign.take();
        let files = part.side.pid_file.take();
        if let Some(fd) = foreign {
            self.upkeep.forget(&fd);
        }
        if let Some(files) = files {
            self.upkeep.forget(&files);
        }
        self.belongs(pid, id);
        self.watch_foreign(id, pid);
        self.note(id);
    }

    /// PID 1 tells of its own children only; another's is watched.
    pub(super) fn watch_foreign(&mut self, id: Id, pid: i32) {
        let parent = Facts::of(pid).map(|facts| facts.parent);
        if parent.is_none_or(|parent| parent == sys::process::parent()) {
            return;
        }
        let Ok(fd) = sys::pidfd::open(pid) else { return };
        self.upkeep.watch(&fd, What::Reading, Token::Main(id));
        if let Some(part) = self.parts.get_mut(id) {
            part.side.foreign = Some(fd);
        }
    }

    /// Whether a process belongs to this service.
    pub(super) fn is_of(&self, id: Id, pid: i32) -> bool {
        match self.group(id) {
            Some(_) => match notify::owner(pid, self.groups_name()) {
                notify::Owner::Service(name) => self.find(&name) == Some(id),
                _ => false,
            },
            None => self.processes(id).contains(&pid),
        }
    }

    /// The oldest process of a service, those that PID 1 reaps first.
    fn oldest(&self, id: Id) -> Option<i32> {
        let init = sys::process::parent();
        let facts = self.processes(id).into_iter().filter_map(Facts::of);
        facts.min_by_key(|facts| (facts.parent != init, facts.began, facts.pid)).map(|f| f.pid)
    }

    /// Watches the directory of a pid file, or what is there of the way to it.
    fn watch_pid_file(&mut self, id: Id, file: &Path) {
        let Some(part) = self.parts.get_mut(id) else { return };
        let files = match part.side.pid_file.take() {
            Some(files) => {
                // What happened is looked at anyway.
                let _seen = files.next();
                files
            }
            None => {
                let Ok(files) = Inotify::open() else { return };
                self.upkeep.watch(&files, What::Reading, Token::PidFile(id));
                files
            }
        };
        let mut above = file.parent();
        while let Some(directory) = above {
            if files.watch_writes(directory).is_ok() {
                break;
            }
            above = directory.parent();
        }
        part.side.pid_file = Some(files);
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn only_a_fresh_file_of_the_right_owner_is_believed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pid");
        let text = path.display().to_string();
        let me = sys::process::user();
        assert_eq!(read(&text, me, None), Err(String::new()), "not there yet");
        fs::write(&path, "").unwrap();
        assert_eq!(read(&text, me, None), Err(String::new()), "being written");
        fs::write(&path, "4711\n").unwrap();
        let stale = FileId::at(&text);
        assert_eq!(read(&text, me, None), Ok(4711));
        assert!(read(&text, me, stale).unwrap_err().ends_with("it is from before the start"));
        fs::remove_file(&path).unwrap();
        fs::write(&path, "  4712").unwrap();
        assert_eq!(read(&text, me, stale), Ok(4712));
        for bad in ["1", "-7", "x", "9".repeat(30).as_str()] {
            fs::write(&path, bad).unwrap();
            assert!(read(&text, me, None).unwrap_err().ends_with("no process id in it"), "{bad}");
        }
        let link = directory.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert!(read(&link.display().to_string(), me, None).is_err());
    }
}
