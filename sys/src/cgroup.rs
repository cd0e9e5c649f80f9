//! A directory of control groups (cgroup v2), one below it for each service.
//!
//! Everything is relative to the open directory, so no path is walked twice. Nothing here decides
//! what a limit should be.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, open, openat};
use nix::sys::signal::{Signal, kill};
use nix::sys::stat::{Mode, fstatat, mkdirat};
use nix::sys::statfs::{CGROUP2_SUPER_MAGIC, fstatfs};
use nix::unistd::{AccessFlags, Pid, UnlinkatFlags, unlinkat};

use crate::number;

/// Most bytes read from a file of a group: process ids, about eight bytes each.
const MAX_FILE: usize = 1 << 20;

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
        let text = whole(&File::from(file), MAX_FILE)?;
        let text = String::from_utf8_lossy(&text);
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

    /// The processes of the group `name`, to be signalled now and looked at again later.
    ///
    /// # Errors
    /// `ENOENT`: there is none.
    pub fn members(&self, name: &str) -> io::Result<Members> {
        let file = format!("{name}/{PROCESSES}");
        let fd = openat(&self.directory, file.as_str(), READ, Mode::empty())?;
        Ok(Members(File::from(fd)))
    }

    /// The signal to each process of the group `name` and of those below it (and `SIGCONT`, so that a
    /// stopped one hears it), also to those that are forked meanwhile. One that was told before is only
    /// made to go on.
    ///
    /// # Errors
    /// As [`Group::read`]. That a process has ended meanwhile is fine. `EINVAL`: no such signal.
    pub fn signal(
        &self,
        name: &str,
        members: &Members,
        signal: i32,
        knows: Option<i32>,
    ) -> io::Result<()> {
        number::check(signal)?;
        let (mut told, mut deep) = (BTreeSet::new(), false);
        for _ in 0..ROUNDS {
            let before = told.len();
            let mut all = listed(&members.0)?;
            if deep {
                self.get(name)?.processes_below(&mut all);
            }
            for pid in all {
                if told.insert(pid) {
                    // The only errors are that it ended meanwhile, or has no right to be ended by us.
                    if knows != Some(pid) {
                        let _ended = number::send(Pid::from_raw(pid), signal);
                    }
                    let _ended = kill(Pid::from_raw(pid), Signal::SIGCONT);
                }
            }
            if told.len() == before {
                // Those of groups below come last: most services have none.
                if deep || self.is_leaf(name)? {
                    break;
                }
                deep = true;
            }
        }
        Ok(())
    }

    /// Whether a living process is in the group `name`, whose processes are `members`, or below it.
    ///
    /// # Errors
    /// `ENODEV`: it was removed. `EOPNOTSUPP`: it is one of threads.
    pub fn lives(&self, name: &str, members: &Members) -> io::Result<bool> {
        // One that has ended and that nobody has waited for is in no list.
        let mut line = [0; 1];
        if members.0.read_at(&mut line, 0)? > 0 {
            return Ok(true);
        }
        if self.is_leaf(name)? { Ok(false) } else { self.populated(name) }
    }

    /// Whether there are no groups below the group `name`. Two links are its own and its parent's.
    fn is_leaf(&self, name: &str) -> io::Result<bool> {
        let flags = AtFlags::AT_SYMLINK_NOFOLLOW;
        Ok(fstatat(&self.directory, name, flags)?.st_nlink <= 2)
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

/// What a file of a group has, from its beginning. The kernel gives it in pieces of a page that end with a
/// line, so one of less than half a page is the last.
fn whole(file: &File, most: usize) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    let mut page = [0; PAGE];
    while text.len() < most {
        let at = u64::try_from(text.len()).map_err(io::Error::other)?;
        let n = file.read_at(&mut page, at)?;
        text.extend_from_slice(page.get(..n).unwrap_or_default());
        if n < PAGE / 2 {
            break;
        }
    }
    Ok(text)
}

/// The processes in an open `cgroup.procs`. Those of other pid namespaces are 0 there.
fn listed(file: &File) -> io::Result<Vec<i32>> {
    let digit = |n: i32, b: &u8| n.wrapping_mul(10).wrapping_add(i32::from(*b) - i32::from(b'0'));
    let text = whole(file, MAX_LIST)?;
    let lines = text.split(|byte| *byte == b'\n');
    Ok(lines.map(|line| line.iter().fold(0, digit)).filter(|pid| *pid > 0).collect())
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

/// Lists the processes of a group.
const PROCESSES: &str = "cgroup.procs";

/// Says which controllers the groups below have.
const CONTROL: &str = "cgroup.subtree_control";

const READ: OFlag = OFlag::O_RDONLY.union(OFlag::O_CLOEXEC);
const DIRECTORY: OFlag = OFlag::O_DIRECTORY.union(OFlag::O_CLOEXEC);

/// The open list of a group's processes. Kept while a service ends, which is asked for it more than once.
#[derive(Debug)]
pub struct Members(File);

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
        let text = whole(&File::from(fd), MAX_FILE)?;
        String::from_utf8(text).map_err(|_| io::ErrorKind::InvalidData.into())
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
        let mut all = listed(&File::from(self.open(PROCESSES)?))?;
        self.processes_below(&mut all);
        Ok(all)
    }

    /// Adds those of the groups below it. One that is removed while we look has none.
    fn processes_below(&self, all: &mut Vec<i32>) {
        self.below(DEEPEST, &mut |group, _| {
            let file = group.open(PROCESSES).map(File::from);
            all.extend(file.and_then(|file| listed(&file)).unwrap_or_default());
        });
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
        let members = groups.members("web").unwrap();
        assert!(groups.lives("web", &members).unwrap());
        groups.signal("web", &members, 15, None).unwrap();
        let ended = child.wait().unwrap();
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&ended), Some(15));
        while group.populated().unwrap() {
            crate::poll::poll(&[], Some(Duration::from_millis(1))).unwrap();
        }
        assert!(!groups.lives("web", &members).unwrap());
        fs::create_dir_all(path.join("web/c")).unwrap();
        assert!(!groups.lives("web", &members).unwrap());
        drop(groups.make("web").unwrap());
        assert!(!path.join("web/c").exists());
        groups.remove("web").unwrap();
        fs::remove_dir(path).unwrap();
    }
}
