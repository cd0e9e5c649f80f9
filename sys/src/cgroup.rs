//! A directory of control groups (cgroup v2), one below it for each service.
//!
//! Everything is relative to the open directory, so no path is walked twice. Nothing here decides
//! what a limit should be.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{OFlag, open, openat};
use nix::sys::signal::{Signal, kill};
use nix::sys::stat::{Mode, mkdirat};
use nix::sys::statfs::{CGROUP2_SUPER_MAGIC, fstatfs};
use nix::unistd::{AccessFlags, Pid, UnlinkatFlags, unlinkat};

use crate::number;

/// Most bytes read from a file of a group: process ids, about eight bytes each.
const MAX_FILE: u64 = 1 << 20;

/// The same of a list of processes.
const MAX_LIST: usize = 1 << 20;

/// What the kernel gives of a list at once.
const PAGE: usize = 4096;

/// The directory that holds the groups.
#[derive(Debug)]
pub struct Groups {
    directory: OwnedFd,
}

impl Groups {
    /// Opens `path`, made if it is missing.
    ///
    /// # Errors
    /// - `ENOENT`, `EROFS`, `EACCES`: there is no cgroup2 there that we may use.
    /// - [`io::ErrorKind::Unsupported`]: it is not cgroup2. Go on without groups.
    pub fn open(path: &Path) -> io::Result<Self> {
        match nix::unistd::mkdir(path, Mode::from_bits_truncate(0o755)) {
            Ok(()) | Err(Errno::EEXIST) => {}
            Err(e) => return Err(e.into()),
        }
        let directory = open(path, DIRECTORY, Mode::empty())?;
        if fstatfs(&directory)?.filesystem_type() != CGROUP2_SUPER_MAGIC {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "not cgroup2"));
        }
        // It may be there and belong to the host of a container.
        nix::unistd::access(path, AccessFlags::W_OK)?;
        Ok(Self { directory })
    }

    /// The controllers that its groups can have, by name.
    ///
    /// # Errors
    /// As [`Group::read`].
    pub fn controllers(&self) -> io::Result<Vec<String>> {
        let file = openat(&self.directory, "cgroup.controllers", READ, Mode::empty())?;
        let mut text = String::new();
        File::from(file).take(MAX_FILE).read_to_string(&mut text)?;
        Ok(text.split_whitespace().map(str::to_owned).collect())
    }

    /// Lets its groups have these controllers, those that are there already and those to come.
    ///
    /// # Errors
    /// `ENOENT`: the groups above do not have one of them. `EBUSY`: it has processes of its own.
    pub fn enable(&self, controllers: &[&str]) -> io::Result<()> {
        let all: Vec<String> = controllers.iter().map(|c| format!("+{c}")).collect();
        if all.is_empty() { Ok(()) } else { write(&self.directory, CONTROL, &all.join(" ")) }
    }

    /// A fresh group `name`. An old one is replaced if it is empty: Linux (6.12 to 6.18 at least)
    /// kills whatever `clone3` puts into a group that was ever killed with `cgroup.kill`.
    ///
    /// # Errors
    /// `EAGAIN`: `cgroup.max.descendants`. `EBUSY`: processes are left in the old one. `EACCES`,
    /// `ENOMEM`.
    pub fn make(&self, name: &str) -> io::Result<Group> {
        let mode = Mode::from_bits_truncate(0o755);
        match mkdirat(&self.directory, name, mode) {
            Ok(()) => {}
            Err(Errno::EEXIST) => {
                self.remove(name)?;
                mkdirat(&self.directory, name, mode)?;
            }
            Err(e) => return Err(e.into()),
        }
        self.get(name)
    }

    /// The group `name`.
    ///
    /// # Errors
    /// `ENOENT`: there is none.
    pub fn get(&self, name: &str) -> io::Result<Group> {
        Ok(Group { directory: openat(&self.directory, name, DIRECTORY, Mode::empty())? })
    }

    /// Whether a living process is in the group `name` or below it: [`Group::populated`] in one step.
    ///
    /// # Errors
    /// As [`Group::read`]. `ENOENT`: there is none.
    pub fn populated(&self, name: &str) -> io::Result<bool> {
        let file = format!("{name}/cgroup.events");
        let fd = openat(&self.directory, file.as_str(), READ, Mode::empty())?;
        // Two short lines: one read has all of it.
        let mut text = [0; 64];
        let n = File::from(fd).read(&mut text)?;
        let mut lines = text.get(..n).unwrap_or_default().split(|byte| *byte == b'\n');
        Ok(lines.any(|line| line == b"populated 1"))
    }

    /// Removes the group `name`, with the empty groups that its processes made below it. That there
    /// is none is fine.
    ///
    /// # Errors
    /// `EBUSY`: processes are left in it.
    pub fn remove(&self, name: &str) -> io::Result<()> {
        match remove_directory(&self.directory, name) {
            Err(e) if e.kind() == io::ErrorKind::ResourceBusy => {
                self.get(name)?.remove_below(DEEPEST)?;
                remove_directory(&self.directory, name)
            }
            other => other,
        }
    }
}

fn write(directory: &OwnedFd, file: &str, value: &str) -> io::Result<()> {
    let fd = openat(directory, file, OFlag::O_WRONLY | OFlag::O_CLOEXEC, Mode::empty())?;
    File::from(fd).write_all(value.as_bytes())
}

/// The processes in an open `cgroup.procs`, from its beginning.
fn listed(file: &File) -> io::Result<Vec<i32>> {
    let mut text = Vec::new();
    let mut page = [0; PAGE];
    while text.len() < MAX_LIST {
        let at = u64::try_from(text.len()).map_err(io::Error::other)?;
        let n = file.read_at(&mut page, at)?;
        text.extend_from_slice(page.get(..n).unwrap_or_default());
        // The kernel stops before the end only when the next line has no room.
        if n < PAGE / 2 {
            break;
        }
    }
    let text = String::from_utf8_lossy(&text);
    Ok(text.lines().filter_map(|line| line.parse().ok()).filter(|pid| *pid > 0).collect())
}

fn remove_directory(parent: &OwnedFd, name: &str) -> io::Result<()> {
    match unlinkat(parent, name, UnlinkatFlags::RemoveDir) {
        Ok(()) | Err(Errno::ENOENT) => Ok(()),
        Err(e) => Err(e.into()),
    }
}

/// How many levels of groups below a service's are looked into; container engines make four.
const DEEPEST: u32 = 16;

/// How often those that were forked while others were signalled are looked for.
const ROUNDS: u32 = 8;

/// Says which controllers the groups below have.
const CONTROL: &str = "cgroup.subtree_control";

const READ: OFlag = OFlag::O_RDONLY.union(OFlag::O_CLOEXEC);
const DIRECTORY: OFlag = OFlag::O_DIRECTORY.union(OFlag::O_CLOEXEC);

/// One group.
#[derive(Debug)]
pub struct Group {
    directory: OwnedFd,
}

impl Group {
    /// Writes a file of the group, for example `memory.max`. A controller that nobody needed before
    /// is enabled by that.
    ///
    /// # Errors
    /// `ENOENT`: there is no such controller here. `EINVAL`, `ERANGE`: not a value for it.
    pub fn write(&self, file: &str, value: &str) -> io::Result<()> {
        match write(&self.directory, file, value) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                let controller = file.split('.').next().unwrap_or(file);
                write(&self.directory, &format!("../{CONTROL}"), &format!("+{controller}"))?;
                write(&self.directory, file, value)
            }
            other => other,
        }
    }

    /// Reads a file of the group, no more than a megabyte.
    ///
    /// # Errors
    /// `ENOENT`: the controller is not enabled here. `ENODEV`: the group was removed.
    pub fn read(&self, file: &str) -> io::Result<String> {
        let fd = openat(&self.directory, file, READ, Mode::empty())?;
        let mut text = String::new();
        File::from(fd).take(MAX_FILE).read_to_string(&mut text)?;
        Ok(text)
    }

    /// Its number, by which the kernel knows it: see [`crate::pidfd::cgroup`].
    ///
    /// # Errors
    /// None known.
    pub fn inode(&self) -> io::Result<u64> {
        Ok(nix::sys::stat::fstat(&self.directory)?.st_ino)
    }

    /// Whether there are no groups below it. Two links are its own and its parent's.
    ///
    /// # Errors
    /// None known.
    pub fn is_leaf(&self) -> io::Result<bool> {
        Ok(nix::sys::stat::fstat(&self.directory)?.st_nlink <= 2)
    }

    /// A file of the group, open for reading: to be watched for changes.
    ///
    /// # Errors
    /// As [`Group::read`].
    pub fn open(&self, file: &str) -> io::Result<OwnedFd> {
        Ok(openat(&self.directory, file, READ, Mode::empty())?)
    }

    /// The number behind `key` in a file of `key number` lines; `None` when it has none.
    ///
    /// # Errors
    /// As [`Group::read`].
    pub fn number(&self, file: &str, key: &str) -> io::Result<Option<u64>> {
        let text = self.read(file)?;
        let mut lines = text.lines().filter_map(|l| l.split_once(' '));
        Ok(lines.find(|(k, _)| *k == key).and_then(|(_, v)| v.trim().parse().ok()))
    }

    /// Its processes, those of groups below it too. Those of other pid namespaces are 0 and left
    /// out.
    ///
    /// # Errors
    /// As [`Group::read`].
    pub fn processes(&self) -> io::Result<Vec<i32>> {
        self.processes_in(&File::from(self.open("cgroup.procs")?))
    }

    /// As [`Group::processes`]; `file` is its open `cgroup.procs`.
    fn processes_in(&self, file: &File) -> io::Result<Vec<i32>> {
        let mut all = listed(file)?;
        // One that is removed while we look has no processes.
        self.below(DEEPEST, &mut |group, _| {
            let file = group.open("cgroup.procs").map(File::from);
            all.extend(file.and_then(|file| listed(&file)).unwrap_or_default());
        });
        Ok(all)
    }

    /// Shows each group below this one, with its name, those below it first.
    fn below(&self, depth: u32, each: &mut dyn FnMut(&Self, (&OwnedFd, &str))) {
        // Two links (its own and its parent's) and one for each group below: most have none, and are
        // not read.
        if nix::sys::stat::fstat(&self.directory).is_ok_and(|stat| stat.st_nlink <= 2) {
            return;
        }
        let path = format!("/proc/self/fd/{}", self.directory.as_raw_fd());
        let Ok(entries) = std::fs::read_dir(path) else { return };
        for entry in entries.flatten().filter(|e| e.file_type().is_ok_and(|t| t.is_dir())) {
            let name = entry.file_name();
            let Some(name) = name.to_str() else { continue };
            let Ok(directory) = openat(&self.directory, name, DIRECTORY, Mode::empty()) else {
                continue;
            };
            let group = Self { directory };
            if depth > 0 {
                group.below(depth - 1, each);
            }
            each(&group, (&self.directory, name));
        }
    }

    fn remove_below(&self, depth: u32) -> io::Result<()> {
        let mut first = Ok(());
        self.below(depth, &mut |_, (parent, name)| {
            if let (Err(e), true) = (remove_directory(parent, name), first.is_ok()) {
                first = Err(e);
            }
        });
        first
    }

    /// Whether a living process is in it or below it.
    ///
    /// # Errors
    /// As [`Group::read`].
    pub fn populated(&self) -> io::Result<bool> {
        Ok(self.number("cgroup.events", "populated")? == Some(1))
    }

    /// The signal to each process (and `SIGCONT`, so that a stopped one hears it), also to those that
    /// are forked meanwhile.
    ///
    /// # Errors
    /// As [`Group::read`]. That a process has ended meanwhile is fine. `EINVAL`: no such signal.
    pub fn signal(&self, signal: i32) -> io::Result<()> {
        number::check(signal)?;
        let file = File::from(self.open("cgroup.procs")?);
        let mut told = BTreeSet::new();
        for _ in 0..ROUNDS {
            let before = told.len();
            for pid in self.processes_in(&file)? {
                if told.insert(pid) {
                    // The only errors are that it ended meanwhile, or has no right to be ended by us.
                    let _ended = number::send(Pid::from_raw(pid), signal);
                    let _ended = kill(Pid::from_raw(pid), Signal::SIGCONT);
                }
            }
            if told.len() == before {
                break;
            }
        }
        Ok(())
    }

    /// `SIGKILL` to everything in it and below it, at once.
    ///
    /// # Errors
    /// None known; kernels before 5.14 lack `cgroup.kill` and get one signal a process.
    pub fn kill(&self) -> io::Result<()> {
        if self.write("cgroup.kill", "1").is_ok() {
            return Ok(());
        }
        for pid in self.processes()? {
            let _ended = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
        Ok(())
    }
}

impl AsFd for Group {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.directory.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;
    use std::process::Command;
    use std::time::Duration;

    use super::*;

    /// A directory of groups for this test, where this host lets us make one.
    fn ours() -> Option<(PathBuf, Groups)> {
        let roots = ["/sys/fs/cgroup/unified", "/sys/fs/cgroup"].map(Path::new);
        let root = roots.into_iter().find(|r| r.join("cgroup.procs").exists())?;
        let path = root.join(format!("ensemble-sys-{}", std::process::id()));
        Groups::open(&path).ok().map(|groups| (path, groups))
    }

    #[test]
    fn groups_that_a_service_made_are_signalled_and_removed_with_its_own() {
        let Some((path, groups)) = ours() else { return };
        let group = groups.make("web").unwrap();
        let deep = path.join("web/a/b");
        fs::create_dir_all(&deep).unwrap();
        let mut child = Command::new("/bin/sleep").arg("600").spawn().unwrap();
        fs::write(deep.join("cgroup.procs"), child.id().to_string()).unwrap();
        assert_eq!(group.processes().unwrap(), [i32::try_from(child.id()).unwrap()]);
        assert_eq!(groups.remove("web").unwrap_err().kind(), io::ErrorKind::ResourceBusy);
        group.signal(15).unwrap();
        let ended = child.wait().unwrap();
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&ended), Some(15));
        while group.populated().unwrap() {
            crate::poll::poll(&[], Some(Duration::from_millis(1))).unwrap();
        }
        fs::create_dir_all(path.join("web/c")).unwrap();
        drop(groups.make("web").unwrap());
        assert!(!path.join("web/c").exists());
        groups.remove("web").unwrap();
        fs::remove_dir(path).unwrap();
    }
}
