//! What many attacks need: files by system calls, children, a place to write, addresses of sockets.

use std::ffi::CString;
use std::fmt::Write as _;
use std::fs;

use crate::attack::{Attempt, Refused, Stop, blocked, if_so};
use crate::facts::Facts;
use crate::raw::{self, Arg};
pub use crate::sockets::{
    bind, connect, family, inet, inet_of, inet6, receive, socket, steal_from, unix,
};
use crate::sys;

/// A text for the kernel; one with a NUL in it becomes empty.
#[must_use]
pub fn c(text: &str) -> CString {
    CString::new(text).unwrap_or_default()
}

// ---- files

/// Opens a file.
///
/// # Errors
/// As `openat`.
pub fn open(path: &str, flags: i32) -> Result<usize, Refused> {
    open_at(libc::AT_FDCWD.arg(), path, flags)
}

/// Opens a file below a directory.
///
/// # Errors
/// As `openat`.
pub fn open_at(dir: usize, path: &str, flags: i32) -> Result<usize, Refused> {
    sys!(SYS_openat, dir, &c(path), flags | libc::O_CLOEXEC | libc::O_NOCTTY, 0o600)
}

/// Reads at most 4 KiB.
///
/// # Errors
/// As `read`.
pub fn read(fd: usize) -> Result<Vec<u8>, Refused> {
    let mut buffer = vec![0_u8; 4096];
    let length = sys!(SYS_read, fd, &mut buffer[..], buffer.len())?;
    buffer.truncate(length);
    Ok(buffer)
}

/// Writes.
///
/// # Errors
/// As `write`.
pub fn write(fd: usize, bytes: &[u8]) -> Result<usize, Refused> {
    sys!(SYS_write, fd, bytes, bytes.len())
}

/// Opens and reads.
///
/// # Errors
/// As both.
pub fn read_file(path: &str) -> Result<Vec<u8>, Refused> {
    let fd = open(path, libc::O_RDONLY | libc::O_NONBLOCK)?;
    let bytes = read(fd);
    close(fd);
    bytes
}

/// Closes; nothing can go wrong that matters.
pub fn close(fd: usize) {
    let _ = sys!(SYS_close, fd);
}

/// Reads a file of the victim and looks for the secret.
///
/// # Errors
/// When it cannot be read, or is another file.
pub fn steal(facts: &Facts, path: &str) -> Attempt {
    let bytes = read_file(path)?;
    if_so(facts.is_in(&bytes), "read the secret", "there is another file")
}

/// Reads the secret from a descriptor.
///
/// # Errors
/// When it cannot be read, or is another file.
pub fn steal_fd(facts: &Facts, fd: usize) -> Attempt {
    let mut buffer = [0_u8; 256];
    sys!(SYS_pread64, fd, &mut buffer, buffer.len(), 0)?;
    if_so(facts.is_in(&buffer), "read the secret", "there is another file")
}

/// Writes into a file what is in it already: harmless, and allowed only to whom could write anything.
///
/// # Errors
/// When it cannot be read or written.
pub fn rewrite(path: &str) -> Attempt {
    let content = read_file(path)?;
    let fd = open(path, libc::O_WRONLY)?;
    write(fd, &content)?;
    Ok(format!("wrote {path} (what was in it)"))
}

// ---- a place to write

/// A directory of our own, gone with its content when dropped.
#[derive(Debug)]
pub struct Scratch(pub String);

impl Scratch {
    /// In the first place where one can be made.
    ///
    /// # Errors
    /// When there is none.
    pub fn new() -> Result<Self, Stop> {
        let home = std::env::var("HOME").unwrap_or_default();
        let places = ["/tmp", "/var/tmp", "/dev/shm", "/run", home.as_str(), "."];
        let mut made = places.into_iter().filter_map(|p| Self::below(p).ok());
        made.next().map_or_else(|| blocked("nowhere to write"), Ok)
    }

    /// In this place.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn below(place: &str) -> Result<Self, Stop> {
        let path = format!("{place}/attack-{}", std::process::id());
        match fs::create_dir(&path) {
            Err(e) if e.kind() != std::io::ErrorKind::AlreadyExists => Err(e.into()),
            _ => Ok(Self(path)),
        }
    }

    /// A path in it.
    #[must_use]
    pub fn file(&self, name: &str) -> String {
        format!("{}/{name}", self.0)
    }

    /// A copy of this program in it, executable.
    ///
    /// # Errors
    /// When the program cannot be read or the copy not be written.
    pub fn program(&self) -> Result<String, Stop> {
        let path = self.file("program");
        let whole = fs::read(myself())?;
        fs::write(&path, whole)?;
        sys!(SYS_fchmodat, libc::AT_FDCWD, &c(&path), 0o755)?;
        Ok(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0)); // the runner looks again
    }
}

/// Takes away what killed attacks have left.
pub fn sweep(pid: usize) {
    let own = std::env::var("STATE_DIRECTORY").unwrap_or_default();
    for place in ["/tmp", "/var/tmp", "/dev/shm", "/run", ".", own.as_str()] {
        drop(fs::remove_dir_all(format!("{place}/attack-{pid}"))); // mostly there is none
    }
}

/// The file of this program.
#[must_use]
pub fn myself() -> String {
    let exe = std::env::current_exe().ok().filter(|p| p.is_file());
    let exe = exe.and_then(|p| p.to_str().map(str::to_owned));
    exe.or_else(|| std::env::args().next()).unwrap_or_default()
}

// ---- children

/// What [`PAYLOAD`] ends with: a sign that the program ran.
pub const RAN: i32 = 77;

/// The argument that makes this program end with [`RAN`].
pub const PAYLOAD: &str = "payload";

/// A new process, as a copy of this one; 0 in the child.
///
/// # Errors
/// As `clone`.
pub fn fork(flags: i32) -> Result<usize, Refused> {
    sys!(SYS_clone, flags | libc::SIGCHLD, 0, 0, 0, 0)
}

/// How a child ended: its status, or the signal that killed it, negated; and whether it left a core.
///
/// # Errors
/// As `wait4`.
pub fn wait(pid: usize) -> Result<(i32, bool), Refused> {
    let mut status = [0_i32];
    sys!(SYS_wait4, pid, &mut status, 0, 0)?;
    Ok(ended(status[0]))
}

/// What a wait status says.
#[must_use]
pub fn ended(status: i32) -> (i32, bool) {
    if libc::WIFSIGNALED(status) {
        (-libc::WTERMSIG(status), libc::WCOREDUMP(status))
    } else {
        (libc::WEXITSTATUS(status), false)
    }
}

/// Does something in a child: its status, or the signal that killed it, negated.
///
/// # Errors
/// As `clone` and `wait4`.
pub fn in_child(work: impl FnOnce() -> i32) -> Result<i32, Refused> {
    in_clone(0, work)
}

/// As [`in_child`], with flags for `clone`.
///
/// # Errors
/// As `clone` and `wait4`.
pub fn in_clone(flags: i32, work: impl FnOnce() -> i32) -> Result<i32, Refused> {
    match fork(flags)? {
        0 => leave(work()),
        pid => wait(pid).map(|(status, _)| status),
    }
}

/// Ends this process at once.
pub fn leave(status: i32) -> ! {
    loop {
        let _ = sys!(SYS_exit_group, status);
    }
}

/// Does an attempt in a child that can be thrown away, and brings back what came of it.
///
/// # Errors
/// As the attempt, or what killed it.
pub fn thrown_away(work: impl FnOnce() -> Attempt) -> Attempt {
    let mut pipe = [0_i32; 2];
    sys!(SYS_pipe2, &mut pipe, libc::O_CLOEXEC)?;
    let [from, to] = pipe.map(Arg::arg);
    let status = in_child(|| {
        let (status, text) = match work() {
            Ok(text) => (1, text),
            Err(Stop::Blocked(text)) => (0, text),
            Err(Stop::Absent(text)) => (2, text),
        };
        let _ = write(to, text.as_bytes());
        status
    })?;
    close(to);
    let text = String::from_utf8_lossy(&read(from).unwrap_or_default()).into_owned();
    close(from);
    match status {
        1 => Ok(text),
        2 => Err(Stop::Absent(text)),
        0 => Err(Stop::Blocked(text)),
        signal => blocked(format!("killed by {}", crate::errno::signal(-signal))),
    }
}

/// Runs a program with [`PAYLOAD`]: whether it ran.
///
/// # Errors
/// When it did not.
pub fn runs(path: &str) -> Attempt {
    ran(|| execute(libc::AT_FDCWD.arg(), path, 0))
}

/// Runs `exec` in a child and looks whether the payload ran.
///
/// # Errors
/// When it did not.
pub fn ran(exec: impl FnOnce() -> Refused) -> Attempt {
    match in_child(|| exec().errno.0.clamp(0, 70))? {
        RAN => Ok("the program ran".to_owned()),
        status if status < 0 => blocked(format!("killed by {}", crate::errno::signal(-status))),
        status => blocked(format!("execveat: {}", crate::errno::Errno(status))),
    }
}

/// Becomes another program with [`PAYLOAD`] as its argument.
#[must_use]
pub fn execute(dir: usize, path: &str, flags: i32) -> Refused {
    let (name, argument) = (c("attacks"), c(PAYLOAD));
    let arguments = [(&name).arg(), (&argument).arg(), 0];
    let environment = [0_usize];
    let answer = sys!(SYS_execveat, dir, &c(path), &arguments, &environment, flags);
    let errno = crate::errno::Errno(libc::EIO);
    answer.err().unwrap_or(Refused { call: "execveat", errno })
}

/// Sleeps.
pub fn pause(milliseconds: i64) {
    let time = [milliseconds / 1000, milliseconds % 1000 * 1_000_000];
    let _ = sys!(SYS_nanosleep, &time, 0);
}

// ---- where we are

/// Whether a namespace of this process is that of the victim; `None` when nobody says.
#[must_use]
pub fn in_namespace(facts: &Facts, name: &str) -> Option<bool> {
    let theirs = facts.namespace(name);
    let ours = namespace(name)?;
    (theirs != 0).then_some(ours == theirs)
}

/// The inode of a namespace of this process.
#[must_use]
pub fn namespace(name: &str) -> Option<u64> {
    inode(&format!("/proc/self/ns/{name}"))
}

/// The inode of what a link of `/proc/PID/ns` points to.
#[must_use]
pub fn inode(link: &str) -> Option<u64> {
    let target = fs::read_link(link).ok()?;
    let text = target.to_str()?;
    text.split_once('[')?.1.trim_end_matches(']').parse().ok()
}

/// Whether a number of a process is the victim's here too: numbers mean others in another namespace.
///
/// # Errors
/// When it is another process.
pub fn is_victim(facts: &Facts) -> Result<(), Stop> {
    match sys!(SYS_getsid, facts.pid) {
        Ok(sid) if sid != facts.sid.arg() => blocked("that number is another process here"),
        Err(e) if e.errno.0 == libc::ESRCH => Err(e.into()),
        _ => Ok(()),
    }
}

/// Whether this socket is in the victim's network. One of our own is no prey.
///
/// # Errors
/// When it is another network.
pub fn same_network(facts: &Facts, socket: usize) -> Result<(), Stop> {
    const SO_NETNS_COOKIE: i32 = 71;
    let (mut cookie, mut length) = ([0_u64], [8_u32]);
    let asked =
        sys!(SYS_getsockopt, socket, libc::SOL_SOCKET, SO_NETNS_COOKIE, &mut cookie, &mut length);
    if asked.is_ok() && facts.cookie != 0 && cookie[0] != facts.cookie {
        return blocked("only in a network of its own");
    }
    Ok(())
}

/// Mounts of our own from here on, if that is allowed: what is done to them harms nobody.
pub fn isolate() {
    if sys!(SYS_unshare, libc::CLONE_NEWNS).is_ok() {
        let _ = sys!(SYS_mount, c"none", c"/", 0, libc::MS_REC | libc::MS_PRIVATE, 0);
    }
}

/// A channel to the host, as `/sys` names it.
#[must_use]
pub fn channel() -> Option<String> {
    let mut entries = fs::read_dir("/sys/class/virtio-ports").ok()?.flatten();
    entries.find_map(|e| e.file_name().into_string().ok())
}

/// The first disk, as `/sys` names it; empty if none.
#[must_use]
pub fn disk() -> String {
    let entries = fs::read_dir("/sys/class/block").into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.filter_map(|e| e.file_name().into_string().ok()).collect();
    names.retain(|n| ["vd", "sd", "nvme", "mmcblk"].iter().any(|p| n.starts_with(p)));
    names.sort();
    names.into_iter().next().unwrap_or_default()
}

// ---- memory

/// Maps anonymous memory, or a file.
///
/// # Errors
/// As `mmap`.
pub fn map(length: usize, protection: i32, flags: i32, fd: usize) -> Result<usize, Refused> {
    sys!(SYS_mmap, 0, length, protection, flags, fd, 0)
}

/// No file to map.
pub const NO_FD: usize = usize::MAX;

/// Bytes as two digits each.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Bytes from two digits each.
#[must_use]
pub fn unhex(text: &str) -> Vec<u8> {
    let pairs = (0..text.len() / 2).filter_map(|i| text.get(2 * i..2 * i + 2));
    pairs.filter_map(|pair| u8::from_str_radix(pair, 16).ok()).collect()
}

/// A word of memory of ours, as the kernel wants addresses.
#[must_use]
pub fn at(word: &u64) -> usize {
    raw::address_of(word)
}
