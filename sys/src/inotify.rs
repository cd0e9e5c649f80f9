//! The kernel's messages about files that change (`inotify`).
//!
//! One mask for all watches, so that two reasons to watch one directory do not fight: what is not
//! wanted is left out by who asks. Nothing here decides what a change means.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, WatchDescriptor};

/// All that is told.
const ALL: AddWatchFlags = AddWatchFlags::IN_CLOSE_WRITE
    .union(AddWatchFlags::IN_CREATE)
    .union(AddWatchFlags::IN_DELETE)
    .union(AddWatchFlags::IN_MOVED_FROM)
    .union(AddWatchFlags::IN_MOVED_TO)
    .union(AddWatchFlags::IN_DELETE_SELF)
    .union(AddWatchFlags::IN_MOVE_SELF);

/// Number of a watched file or directory: the same for each name of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Watch(WatchDescriptor);

/// Some watched files and directories, and what the kernel tells of them.
#[derive(Debug)]
pub struct Inotify(nix::sys::inotify::Inotify);

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// An entry was made.
    Made,
    /// A file that was open for writing was closed.
    Written,
    /// An entry was moved here.
    Came,
    /// An entry was removed, or moved away.
    Left,
    /// The watched thing itself was removed or moved: nobody knows where it is.
    Lost,
    /// The kernel had no room: anything may have happened.
    Overflow,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// To what.
    pub watch: Watch,
    /// To which entry of it; `None`: to itself.
    pub name: Option<OsString>,
    /// What.
    pub what: What,
}

impl Inotify {
    /// Watches nothing yet.
    ///
    /// # Errors
    /// `EMFILE`: this user has as many as it may (`fs.inotify.max_user_instances`).
    pub fn open() -> io::Result<Self> {
        let flags = InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK;
        Ok(Self(nix::sys::inotify::Inotify::init(flags)?))
    }

    /// Goes on with one of ours that somebody held for us.
    #[must_use]
    #[expect(unsafe_code, reason = "what it is must be known from its name")]
    pub fn held(fd: OwnedFd) -> Self {
        // SAFETY: `fd` came from `open` and was only kept, so what is read from it are events.
        Self(unsafe { nix::sys::inotify::Inotify::from_owned_fd(fd) })
    }

    /// Watches `path`, to which links lead. The same number again for what is watched already.
    ///
    /// # Errors
    /// - `ENOENT`, `ENOTDIR`, `EACCES`: it is not there, or not for us.
    /// - `ENOSPC`: this user watches as much as it may (`fs.inotify.max_user_watches`).
    pub fn watch(&self, path: &Path) -> io::Result<Watch> {
        Ok(Watch(self.0.add_watch(path, ALL)?))
    }

    /// Watches it no more. What is in the queue still comes.
    pub fn forget(&self, watch: Watch) {
        // EINVAL: it was removed, and the watch with it.
        let _gone = self.0.rm_watch(watch.0);
    }

    /// As [`Inotify::watch`]; each write is told too, for files that stay open.
    ///
    /// # Errors
    /// As [`Inotify::watch`].
    pub fn watch_writes(&self, path: &Path) -> io::Result<Watch> {
        Ok(Watch(self.0.add_watch(path, ALL.union(AddWatchFlags::IN_MODIFY))?))
    }

    /// The next changes, at most 4096 bytes of them; none for now if it is empty.
    ///
    /// # Errors
    /// None known.
    pub fn next(&self) -> io::Result<Vec<Change>> {
        match self.0.read_events() {
            Ok(events) => Ok(events.into_iter().filter_map(change).collect()),
            Err(Errno::EAGAIN | Errno::EINTR) => Ok(Vec::new()),
            Err(e) => Err(e.into()),
        }
    }
}

fn change(event: nix::sys::inotify::InotifyEvent) -> Option<Change> {
    let has = |flag| event.mask.intersects(flag);
    let what = if has(AddWatchFlags::IN_Q_OVERFLOW) {
        What::Overflow
    } else if has(AddWatchFlags::IN_DELETE_SELF | AddWatchFlags::IN_MOVE_SELF)
        || has(AddWatchFlags::IN_IGNORED | AddWatchFlags::IN_UNMOUNT)
    {
        What::Lost
    } else if has(AddWatchFlags::IN_CREATE) {
        What::Made
    } else if has(AddWatchFlags::IN_CLOSE_WRITE | AddWatchFlags::IN_MODIFY) {
        What::Written
    } else if has(AddWatchFlags::IN_MOVED_TO) {
        What::Came
    } else if has(AddWatchFlags::IN_DELETE | AddWatchFlags::IN_MOVED_FROM) {
        What::Left
    } else {
        return None;
    };
    Some(Change { watch: Watch(event.wd), name: event.name, what })
}

impl AsFd for Inotify {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl From<Inotify> for OwnedFd {
    fn from(inotify: Inotify) -> Self {
        inotify.0.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn what_happens_in_a_directory_is_told_in_order_also_to_a_successor() {
        let directory = std::env::temp_dir().join(format!("inotify-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let inotify = Inotify::open().unwrap();
        let watch = inotify.watch(&directory).unwrap();
        fs::write(directory.join("a"), "x").unwrap();
        let inotify = Inotify::held(inotify.into());
        assert_eq!(inotify.watch(&directory).unwrap(), watch, "the same one");
        fs::rename(directory.join("a"), directory.join("b")).unwrap();
        fs::remove_dir_all(&directory).unwrap();
        let told: Vec<_> = inotify.next().unwrap().into_iter().map(|c| (c.what, c.name)).collect();
        let name = |n: &str| Some(OsString::from(n));
        assert_eq!(
            told,
            [
                (What::Made, name("a")),
                (What::Written, name("a")),
                (What::Left, name("a")),
                (What::Came, name("b")),
                (What::Left, name("b")),
                (What::Lost, None),
                (What::Lost, None),
            ]
        );
        assert_eq!(inotify.next().unwrap(), []);
    }
}
