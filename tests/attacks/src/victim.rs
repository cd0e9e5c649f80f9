//! A process to attack: it has a secret in every place that another process could reach it at.
//!
//! ```text
//! as root:  directory, files, setuid copy; looks at what the kernel has ──exec, as the user──┐
//! as user:  memory, environment, sockets, IPC, key, terminal ◄──────────────────────────────┘
//!           prints --victim=FACTS, says READY=1, then answers whoever asks, for ever
//! ```
//!
//! It protects nothing: where a path, a number or a name leads to it, it gives its secret. What keeps
//! an attacker away is the sandbox, which it does not know.

use std::fs;
use std::io::{self, Write};

use crate::attack::{Refused, Stop};
use crate::errno::Errno;
use crate::facts::{Facts, NAMESPACES};
use crate::raw::{self, Arg};
use crate::tools::{
    self, NO_FD, bind, c, hex, inet, inet6, inode, map, open, receive, socket, unix, write,
};
use crate::{clean, sys, table};

/// Where its files are, when nothing else is said.
const DIR: &str = "/var/lib/attacks";

/// What goes from the first life to the second.
const SECRET: &str = "ATTACKS_SECRET";
const FOUND: &str = "ATTACKS_FOUND";

/// How a victim is wanted.
#[derive(Debug, Clone, Copy, Default)]
pub struct Order<'a> {
    /// Its user; the caller's when absent.
    pub user: Option<u32>,
    /// Its directory.
    pub dir: Option<&'a str>,
    /// A file for its facts.
    pub facts: Option<&'a str>,
    /// A copy of this program that is root's and setuid; one is made when absent.
    pub setuid: Option<&'a str>,
    /// It takes away what it made and ends when its input ends.
    pub attended: bool,
}

/// Lives until it is killed.
///
/// # Errors
/// Something that it should have cannot be made.
pub fn run(order: &Order<'_>) -> Result<u8, String> {
    let why = |stop: Stop| match stop {
        Stop::Blocked(why) | Stop::Absent(why) => why,
    };
    match (std::env::var(SECRET), std::env::var(FOUND)) {
        (Ok(secret), Ok(found)) => live(order, &secret, &found).map_err(why),
        _ => prepare(order).map_err(why),
    }
}

// ---- the first life

fn prepare(order: &Order<'_>) -> Result<u8, Stop> {
    let _ = sys!(SYS_umask, 0);
    let mut random = [0_u8; 16];
    sys!(SYS_getrandom, &mut random, 16, 0)?;
    let uid = order.user.map_or_else(|| sys!(SYS_geteuid), |u| Ok(u.arg()))?;
    let mut found = Facts {
        secret: hex(&random),
        dir: order.dir.unwrap_or(DIR).to_owned(),
        uid: u32::try_from(uid).unwrap_or(0),
        setuid: order.setuid.unwrap_or_default().to_owned(),
        lacks: lacking(),
        ..Facts::default()
    };
    files(&mut found)?;
    if let Some(file) = order.facts {
        // Written in the second life, when it may no longer make one there.
        fs::write(file, "")?;
        give(file, 0o644, found.uid)?;
    }
    if order.user.is_some() {
        become_user(found.uid)?;
    }
    again(&found)
}

/// What this device does not have of all that attacks need.
fn lacking() -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for need in table::all().flat_map(|attack| attack.needs) {
        if !names.iter().any(|n| n == need.name) && !need.look() {
            names.push(need.name.to_owned());
        }
    }
    names
}

fn files(found: &mut Facts) -> Result<(), Stop> {
    drop(fs::remove_dir_all(&found.dir)); // of an earlier victim
    fs::create_dir_all(&found.dir)?;
    let secret = format!("{}\n", found.secret);
    let all = [
        ("secret", 0o600, &*secret),
        ("public", 0o644, &secret),
        ("open", 0o666, "open\n"),
        ("log", 0o644, "a line\n"),
    ];
    for (name, mode, text) in all {
        let file = found.file(name);
        fs::write(&file, text)?;
        give(&file, mode, found.uid)?;
    }
    let drop_box = found.file("drop");
    fs::create_dir(&drop_box)?;
    give(&drop_box, 0o1777, found.uid)?;
    // Where setuid has no meaning a copy would tell nothing.
    if found.setuid.is_empty() && sys!(SYS_geteuid)? == 0 && !ignores_setuid(&found.dir) {
        let program = found.file("program");
        fs::copy(tools::myself(), &program)?;
        sys!(SYS_fchmodat, libc::AT_FDCWD, &c(&program), 0o4755)?;
        found.setuid = program;
    }
    let dir = found.dir.clone();
    give(&dir, 0o755, found.uid)
}

fn ignores_setuid(dir: &str) -> bool {
    const FLAGS: usize = 10;
    const NO_SETUID: u64 = 2;
    let mut state = [0_u64; 16];
    let asked = sys!(SYS_statfs, &c(dir), &mut state);
    asked.is_err() || state[FLAGS] & NO_SETUID != 0
}

fn give(file: &str, mode: u32, uid: u32) -> Result<(), Stop> {
    sys!(SYS_fchownat, libc::AT_FDCWD, &c(file), uid, uid, 0)?;
    sys!(SYS_fchmodat, libc::AT_FDCWD, &c(file), mode)?;
    Ok(())
}

fn become_user(uid: u32) -> Result<(), Refused> {
    sys!(SYS_setgroups, 0, 0)?;
    sys!(SYS_setresgid, uid, uid, uid)?;
    sys!(SYS_setresuid, uid, uid, uid).map(drop)
}

/// The same program, with a secret in its environment, as nobody's child of a privileged process.
fn again(found: &Facts) -> Result<u8, Stop> {
    let program = c(&tools::myself());
    let words: Vec<_> = std::env::args().map(|w| c(&w)).collect();
    let kept = std::env::vars().map(|(name, value)| format!("{name}={value}"));
    let new = [format!("{SECRET}={}", found.secret), format!("{FOUND}={}", found.to_text())];
    let environment: Vec<_> = kept.chain(new).map(|w| c(&w)).collect();
    let pointers =
        |all: &[std::ffi::CString]| all.iter().map(Arg::arg).chain([0]).collect::<Vec<_>>();
    let (words, environment) = (pointers(&words), pointers(&environment));
    sys!(SYS_execve, &program, &words[..], &environment[..])?;
    Ok(0)
}

// ---- the second life

fn live(order: &Order<'_>, secret: &str, found: &str) -> Result<u8, Stop> {
    let _ = sys!(SYS_umask, 0);
    let mut v = Facts::parse(found);
    secret.clone_into(&mut v.secret);
    sys!(SYS_prctl, libc::PR_SET_NAME, c"victim", 0, 0, 0)?;
    for signal in [libc::SIGUSR1, libc::SIGHUP, libc::SIGPIPE] {
        sys!(SYS_rt_sigaction, signal, &[1_usize, 0, 0, 0], 0, 8)?; // ignored
    }
    let _ = sys!(SYS_setsid); // a leader already is one
    std::env::set_current_dir(&v.dir)?;
    v.pid = number(sys!(SYS_getpid)?);
    v.sid = number(sys!(SYS_getsid, 0)?);
    v.namespaces =
        NAMESPACES.iter().map(|n| inode(&format!("/proc/self/ns/{n}")).unwrap_or(0)).collect();
    memory(&mut v)?;
    handle(&mut v);
    v.fd = number(sys!(SYS_openat, libc::AT_FDCWD, &c(&v.file("secret")), libc::O_RDONLY)?);
    sys!(SYS_flock, v.fd, libc::LOCK_SH)?;
    fs::write(format!("/tmp/attacks-victim-{}", v.pid), secret)?;
    sysv(&mut v)?;
    posix(&mut v)?;
    v.key = key(secret).map_or(0, number);
    let master = terminal(&mut v);
    let sockets = Sockets::open(&mut v)?;
    tell(order, &v)?;
    sockets.serve(secret.as_bytes(), order.attended, master)?;
    clean::clear(&v);
    Ok(0)
}

fn number(word: usize) -> i32 {
    i32::try_from(word).unwrap_or(0)
}

fn memory(v: &mut Facts) -> Result<(), Stop> {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    v.address = map(4096, libc::PROT_READ | libc::PROT_WRITE, flags, NO_FD)?;
    v.word = v.address + 1024;
    raw::store(v.address, v.secret.as_bytes());
    Ok(())
}

/// The handle of the secret file, where its file system has such.
fn handle(v: &mut Facts) {
    let (mut handle, mut mount) = ([0_u8; 136], [0_i32]);
    handle[0] = 128;
    let file = c(&v.file("secret"));
    let made = sys!(SYS_name_to_handle_at, libc::AT_FDCWD, &file, &mut handle, &mut mount, 0);
    if made.is_ok() {
        let kind = i32::from(handle[4]) | i32::from(handle[5]) << 8;
        let length = usize::from(handle[0]);
        v.handle = (kind, hex(handle.get(8..8 + length).unwrap_or_default()));
    }
}

fn sysv(v: &mut Facts) -> Result<(), Stop> {
    let new = libc::IPC_CREAT | 0o666;
    v.shm = number(sys!(SYS_shmget, libc::IPC_PRIVATE, 4096, new)?);
    raw::store(sys!(SYS_shmat, v.shm, 0, 0)?, v.secret.as_bytes());
    // A key tells it from others of the same number in another namespace.
    v.sem = number(sys!(SYS_semget, 0xa77a, 1, new)?);
    v.msg = number(sys!(SYS_msgget, libc::IPC_PRIVATE, new)?);
    let mut message = 1_u64.to_ne_bytes().to_vec();
    message.extend(v.secret.as_bytes());
    sys!(SYS_msgsnd, v.msg, &message[..], v.secret.len(), libc::IPC_NOWAIT)?;
    Ok(())
}

fn posix(v: &mut Facts) -> Result<(), Stop> {
    v.posix = format!("/attacks-{}", v.pid);
    let path = c(&format!("/dev/shm{}", v.posix));
    let flags = libc::O_CREAT | libc::O_RDWR;
    let fd = sys!(SYS_openat, libc::AT_FDCWD, &path, flags, 0o666)?;
    let mut page = v.secret.clone().into_bytes();
    page.resize(4096, 0);
    write(fd, &page)?;
    let name = c(v.posix.trim_start_matches('/'));
    // struct mq_attr: flags, messages, size.
    let attributes = [0_i64, 4, 64, 0, 0, 0, 0, 0];
    let queue = sys!(SYS_mq_open, &name, flags, 0o666, &attributes)?;
    sys!(SYS_mq_timedsend, queue, v.secret.as_bytes(), v.secret.len(), 0, 0)?;
    Ok(())
}

/// A key that anyone may read who knows its number.
fn key(secret: &str) -> Result<usize, Refused> {
    const SET_RIGHTS: i32 = 5;
    const ALL: i32 = 0x3f3f_3f3f;
    const USER_KEYRING: i32 = -4;
    let bytes = secret.as_bytes();
    let key = sys!(SYS_add_key, c"user", c"attacks-victim", bytes, bytes.len(), USER_KEYRING)?;
    sys!(SYS_keyctl, SET_RIGHTS, key, ALL, 0, 0)?;
    Ok(key)
}

/// A terminal as its controlling one, with the secret typed on it; its other end.
fn terminal(v: &mut Facts) -> Option<usize> {
    let master = open("/dev/ptmx", libc::O_RDWR).ok()?;
    sys!(SYS_ioctl, master, libc::TIOCSPTLCK, &[0_i32]).ok()?;
    let mut number = [0_i32];
    sys!(SYS_ioctl, master, libc::TIOCGPTN, &mut number).ok()?;
    let path = format!("/dev/pts/{}", number[0]);
    let slave = open(&path, libc::O_RDWR).ok()?;
    let _ = sys!(SYS_ioctl, slave, libc::TIOCSCTTY, 0); // not for who leads no session
    write(master, format!("{}\n", v.secret).as_bytes()).ok()?;
    v.tty = path;
    Some(master)
}

struct Sockets {
    /// They give the secret to whoever connects.
    streams: Vec<usize>,
    /// They answer whoever sends.
    datagrams: Vec<usize>,
}

impl Sockets {
    fn open(v: &mut Facts) -> Result<Self, Stop> {
        let (stream, datagram) = (libc::SOCK_STREAM, libc::SOCK_DGRAM);
        let tcp = socket(libc::AF_INET, stream, 0)?;
        // Data in the first packet is taken too.
        let _ = sys!(SYS_setsockopt, tcp, libc::SOL_TCP, libc::TCP_FASTOPEN, &[5_i32], 4);
        bind(tcp, &inet(0))?;
        v.tcp = port(tcp)?;
        let mut streams = vec![tcp];
        let tcp6 = socket(libc::AF_INET6, stream, 0);
        // Not every kernel has IPv6; that is among what is lacking.
        streams.extend(tcp6.ok().filter(|fd| bind(*fd, &inet6(v.tcp)).is_ok()));
        v.abstract_name = format!("attacks-{}", v.pid);
        let bus = v.file("bus.sock");
        for name in [&format!("@{}", v.abstract_name), &bus] {
            let fd = socket(libc::AF_UNIX, stream, 0)?;
            bind(fd, &unix(name))?;
            streams.push(fd);
        }
        for fd in &streams {
            sys!(SYS_listen, *fd, 16)?;
        }
        let udp = socket(libc::AF_INET, datagram, 0)?;
        sys!(SYS_setsockopt, udp, libc::SOL_SOCKET, libc::SO_REUSEADDR, &[1_i32], 4)?;
        bind(udp, &tools::inet_of([0, 0, 0, 0], 0))?;
        v.udp = port(udp)?;
        let notify = socket(libc::AF_UNIX, datagram, 0)?;
        bind(notify, &unix(&v.file("notify.sock")))?;
        let (mut cookie, mut size) = ([0_u64], [8_u32]);
        let _ = sys!(SYS_getsockopt, udp, libc::SOL_SOCKET, 71, &mut cookie, &mut size);
        v.cookie = cookie[0];
        Ok(Self { streams, datagrams: vec![udp, notify] })
    }

    /// Answers until standard input ends, if somebody attends to that; else for ever.
    fn serve(&self, secret: &[u8], attended: bool, _master: Option<usize>) -> Result<(), Stop> {
        let input = attended.then_some(0);
        let all: Vec<usize> =
            self.streams.iter().chain(&self.datagrams).copied().chain(input).collect();
        loop {
            let mut poll: Vec<u64> =
                all.iter().map(|fd| u64::try_from(*fd).unwrap_or(0) | 1 << 32).collect();
            match sys!(SYS_ppoll, &mut poll[..], poll.len(), 0, 0, 0) {
                Err(e) if e.errno != Errno(libc::EINTR) => return Err(e.into()),
                _ => {}
            }
            for (fd, _) in all.iter().zip(&poll).filter(|(_, word)| **word >> 48 != 0) {
                if input == Some(*fd) {
                    if tools::read(*fd).is_ok_and(|bytes| bytes.is_empty()) {
                        return Ok(());
                    }
                } else if self.streams.contains(fd) {
                    greet(*fd, secret);
                } else {
                    answer(*fd, secret);
                }
            }
        }
    }
}

/// Gives the secret to whoever has connected. Who is gone already does not matter.
fn greet(listener: usize, secret: &[u8]) {
    if let Ok(fd) = sys!(SYS_accept4, listener, 0, 0, libc::SOCK_CLOEXEC) {
        let _ = write(fd, secret);
        let _ = receive(fd); // closing with unread data would take back what was said
        tools::close(fd);
    }
}

/// Gives the secret to whoever has sent something.
fn answer(fd: usize, secret: &[u8]) {
    let (mut text, mut from, mut length) = ([0_u8; 256], [0_u8; 128], [128_u32]);
    let got = sys!(SYS_recvfrom, fd, &mut text, 256, libc::MSG_DONTWAIT, &mut from, &mut length);
    if got.is_ok() {
        let flags = libc::MSG_DONTWAIT;
        let _ = sys!(SYS_sendto, fd, secret, secret.len(), flags, &from, length[0]);
    }
}

fn port(fd: usize) -> Result<u16, Refused> {
    let (mut name, mut size) = ([0_u8; 28], [28_u32]);
    sys!(SYS_getsockname, fd, &mut name, &mut size)?;
    Ok(u16::from_be_bytes([name[2], name[3]]))
}

/// Prints the facts, and says that it is ready to whoever started it.
fn tell(order: &Order<'_>, v: &Facts) -> Result<(), Stop> {
    let line = format!("--victim={}\n", v.to_text());
    if let Some(file) = order.facts {
        fs::write(file, &line)?;
    }
    let mut out = io::stdout().lock();
    out.write_all(line.as_bytes()).and_then(|()| out.flush())?;
    if let Ok(path) = std::env::var("NOTIFY_SOCKET") {
        let fd = socket(libc::AF_UNIX, libc::SOCK_DGRAM, 0)?;
        tools::connect(fd, &unix(&path))?;
        write(fd, b"READY=1")?;
        tools::close(fd);
    }
    Ok(())
}
