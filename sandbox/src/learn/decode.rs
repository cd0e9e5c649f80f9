//! From a call with its arguments to what it does.
//!
//! ```text
//! number, arguments ─ table ─► path in memory ─ resolve ─► Act: file and use
//!                   └ sockets, memory, privileges ────────► Act
//! ```
//!
//! Pure: memory, directories and descriptors are asked of the [`Caller`]. It is asked before the call is
//! made, so what will fail because a file is missing is seen as such, and is no need.

use std::path::{Path, PathBuf};

use super::observed::{Act, Use, path};
use super::program;
use super::resolve::{Found, Kind, Who, World, resolve};
use super::table::{CAPABILITIES, CHANGE_OPEN, Does, Last, ROWS, Row};
use crate::calls::Arch;
use crate::rules::{Rules, Verdict};
use crate::trees::TMP;

/// Who makes a call.
pub trait Caller: World {
    /// Ids and root.
    fn who(&self) -> &Who;
    /// The text at an address, to its zero.
    fn text(&self, address: u64) -> Option<Vec<u8>>;
    /// So many bytes at an address.
    fn bytes(&self, address: u64, length: usize) -> Option<Vec<u8>>;
    /// The current directory.
    fn directory(&self) -> Option<PathBuf>;
    /// The path of an open file.
    fn open(&self, descriptor: i32) -> Option<PathBuf>;
    /// Family, type and protocol of a socket.
    fn socket(&self, descriptor: i32) -> Option<(i32, i32, i32)>;
    /// Bytes of a file.
    fn file(&self, path: &Path, offset: u64, length: usize) -> Option<Vec<u8>>;
    /// Whether a process is one of those that are looked at.
    fn ours(&self, process: i32) -> bool;
}

/// `AT_FDCWD`, as the kernel takes it: an `int`.
const CURRENT: i32 = -100;

/// `AT_SYMLINK_NOFOLLOW`.
const NO_FOLLOW: u64 = 0x100;

/// `O_ACCMODE`, `O_CREAT`, `O_TRUNC`, `O_PATH`, `__O_TMPFILE`, `O_EXCL`.
const ACCESS: u64 = 3;
const CREATE: u64 = 0o100;
const EXCLUSIVE: u64 = 0o200;
const TRUNCATE: u64 = 0o1000;
const PATH_ONLY: u64 = 0o10_000_000;
const UNNAMED: u64 = 0o20_000_000;

/// `SOCK_NONBLOCK`, `SOCK_CLOEXEC`.
const SOCKET_FLAGS: u64 = 0o2_004_000;

/// `AF_UNIX`, `AF_INET`, `AF_INET6`, `SOCK_STREAM`, `IPPROTO_TCP`.
const UNIX: i32 = 1;
const INET: i32 = 2;
const INET6: i32 = 10;
const STREAM: i32 = 1;
const TCP: i32 = 6;

/// Ports below it need a capability.
const FREE_PORTS: u16 = 1024;

/// Longest address of a socket that is looked at: `sockaddr_un`.
const MAX_ADDRESS: usize = 110;

/// What a call of this name does.
pub fn acts(caller: &dyn Caller, arch: Arch, name: &str, arguments: &[u64; 6]) -> Vec<Act> {
    let call = Call { caller, arch, arguments };
    let mut all = Vec::new();
    for row in ROWS.iter().filter(|row| row.name == name) {
        call.row(row, &mut all);
    }
    match name {
        "socket" | "socketpair" => {
            let kind = int(call.argument(1) & !SOCKET_FLAGS);
            all.push(Act::Socket(int(call.argument(0)), kind, int(call.argument(2))));
        }
        "bind" | "connect" => all.extend(call.address(name == "bind")),
        "mmap" | "mprotect" | "pkey_mprotect" | "memfd_create" | "shmat" => {
            call.memory(name, &mut all);
        }
        _ if CHANGE_OPEN.contains(&name) => {
            if let Some(path) = caller.open(int(call.argument(0))) {
                call.used(path, Use::Write, &mut all);
            }
        }
        _ => {}
    }
    let capability = CAPABILITIES.iter().find(|(call, _)| *call == name);
    all.extend(capability.map(|(_, capability)| Act::Capability(capability)));
    if matches!(name, "chown" | "lchown" | "fchown" | "fchownat") && !all.is_empty() {
        all.push(Act::Capability("CHOWN"));
    }
    all
}

struct Call<'a> {
    caller: &'a dyn Caller,
    arch: Arch,
    arguments: &'a [u64; 6],
}

impl Call<'_> {
    fn argument(&self, at: u8) -> u64 {
        self.arguments.get(usize::from(at)).copied().unwrap_or(0)
    }

    fn row(&self, row: &Row, all: &mut Vec<Act>) {
        let from = row.from.map_or(CURRENT, |from| int(self.argument(from)));
        let address = self.argument(row.path);
        let text = if address == 0 { Some(Vec::new()) } else { self.caller.text(address) };
        let Some(text) = text else { return };
        if text.is_empty() {
            // The open file itself is meant, or nothing.
            if let Some(path) = row.from.and_then(|_| self.caller.open(from)) {
                match row.does {
                    Does::Executes => self.executes(path, all),
                    Does::Uses(how) if how != Use::Look => self.used(path, how, all),
                    _ => {}
                }
            }
            return;
        }
        let text = path(&text);
        let Some(base) = self.base(from, &text) else { return };
        let flags = match row.does {
            Does::Opens(at) => self.argument(at),
            Does::OpensHow(at) => {
                let bytes = self.caller.bytes(self.argument(at), 8).unwrap_or_default();
                bytes.try_into().map_or(0, u64::from_ne_bytes)
            }
            Does::Creates => 1 | CREATE | TRUNCATE,
            _ => 0,
        };
        let follow = match row.last {
            Last::Follow => {
                flags & self.no_follow() == 0 && flags & (CREATE | EXCLUSIVE) != CREATE | EXCLUSIVE
            }
            Last::Link => false,
            Last::Flags(at) => self.argument(at) & NO_FOLLOW == 0,
        };
        match resolve(self.caller, self.caller.who(), &base, &text, follow) {
            None => all.push(Act::Probe),
            Some(found) => self.found(row.does, flags, found, all),
        }
    }

    fn base(&self, from: i32, text: &Path) -> Option<PathBuf> {
        if text.is_absolute() {
            return Some(self.caller.who().root.clone());
        }
        let base = if from == CURRENT { self.caller.directory() } else { self.caller.open(from) };
        base.filter(|base| base.is_absolute())
    }

    fn no_follow(&self) -> u64 {
        match self.arch {
            Arch::X86_64 => 0o400_000,
            Arch::Aarch64 => 0o100_000,
        }
    }

    fn found(&self, does: Does, flags: u64, found: Found, all: &mut Vec<Act>) {
        for link in found.links {
            self.file(link, Kind::Link, Use::Look, all);
        }
        let (path, there) = (found.path, found.kind);
        let changes = match does {
            Does::Makes | Does::Creates | Does::Opens(_) | Does::OpensHow(_) => there.is_none(),
            Does::Removes => there.is_some(),
            Does::Replaces => true,
            Does::Uses(_) | Does::Executes => false,
        };
        let opens = matches!(does, Does::Creates | Does::Opens(_) | Does::OpensHow(_));
        if changes && (!opens || flags & CREATE != 0) {
            return self.makes(&path, there.is_none(), all);
        }
        let Some(kind) = there else { return all.push(Act::Probe) };
        match does {
            Does::Executes => self.executes(path, all),
            Does::Uses(how) => self.file(path, kind, how, all),
            _ if opens => self.file(path, kind, opened(kind, flags), all),
            _ => self.file(path, kind, Use::Look, all),
        }
    }

    /// A name is made or removed in its directory.
    fn makes(&self, path: &Path, new: bool, all: &mut Vec<Act>) {
        let Some(directory) = path.parent() else { return };
        if new && TMP.iter().any(|place| directory == Path::new(place)) {
            all.push(Act::Made(path.to_owned()));
        }
        self.file(directory.to_owned(), Kind::Directory, Use::Make, all);
    }

    /// An open file, if its path is still its own.
    fn used(&self, path: PathBuf, how: Use, all: &mut Vec<Act>) {
        if let Some(kind) = self.caller.kind(&path).filter(|_| path.is_absolute()) {
            self.file(path, kind, how, all);
        }
    }

    fn file(&self, path: PathBuf, kind: Kind, how: Use, all: &mut Vec<Act>) {
        let Ok(rest) = path.strip_prefix("/proc") else {
            return all.push(Act::File(path, kind, how));
        };
        let mut names = rest.components();
        let process = names.next().and_then(|name| name.as_os_str().to_str()?.parse().ok());
        match process {
            None => all.push(Act::File(path, kind, how)),
            Some(process) if self.caller.ours(process) => {
                all.push(Act::File(Path::new("/proc/self").join(names.as_path()), kind, how));
            }
            Some(_) => all.push(Act::OtherProcess),
        }
    }

    /// A program, and what the kernel executes to run it.
    fn executes(&self, path: PathBuf, all: &mut Vec<Act>) {
        let mut next = Some(path);
        for _ in 0..program::MAX_INTERPRETERS {
            let Some(path) = next.take() else { return };
            let Some(kind) = self.caller.kind(&path) else { return };
            if kind != Kind::File {
                return;
            }
            let read = |offset, length| self.caller.file(&path, offset, length);
            match program::needs(&read) {
                program::Needs::Nothing => {}
                program::Needs::Foreign => all.push(Act::Foreign),
                program::Needs::Interpreter(bytes) => {
                    let text = super::observed::path(&bytes);
                    let root = self.caller.who().root.clone();
                    let base =
                        if text.is_absolute() { Some(root) } else { self.caller.directory() };
                    let found = base.and_then(|base| {
                        resolve(self.caller, self.caller.who(), &base, &text, true)
                    });
                    for link in found.iter().flat_map(|found| found.links.clone()) {
                        self.file(link, Kind::Link, Use::Look, all);
                    }
                    next = found.map(|found| found.path);
                }
            }
            self.file(path, kind, Use::Execute, all);
        }
    }

    fn memory(&self, name: &str, all: &mut Vec<Act>) {
        let code = name == "mmap" && self.argument(2) & 4 != 0;
        // `MAP_ANONYMOUS`: no file is mapped.
        if code && self.argument(3) & 0x20 == 0 {
            let path = self.caller.open(int(self.argument(4)));
            if let Some(path) = path {
                self.used(path, Use::Map, all);
            }
        }
        if refused_without_write_execute(self.arch, name, self.arguments) {
            all.push(Act::WriteExecute);
        }
    }

    fn address(&self, bind: bool) -> Vec<Act> {
        let length = usize::try_from(self.argument(2)).unwrap_or(0).min(MAX_ADDRESS);
        let Some(bytes) = self.caller.bytes(self.argument(1), length) else { return Vec::new() };
        let Some((family, rest)) = bytes.split_first_chunk::<2>() else { return Vec::new() };
        let family = i32::from(u16::from_ne_bytes(*family));
        let mut all = Vec::new();
        match family {
            UNIX => self.local(rest, bind, &mut all),
            INET | INET6 => {
                let Some((port, _)) = rest.split_first_chunk::<2>() else { return all };
                let port = u16::from_be_bytes(*port);
                let of = self.caller.socket(int(self.argument(0)));
                if bind && (1..FREE_PORTS).contains(&port) {
                    all.push(Act::Capability("NET_BIND_SERVICE"));
                }
                if matches!(of, Some((INET | INET6, STREAM, 0 | TCP))) {
                    all.push(if bind { Act::Bind(port) } else { Act::Connect(port) });
                }
            }
            _ => {}
        }
        all
    }

    fn local(&self, name: &[u8], bind: bool, all: &mut Vec<Act>) {
        match name.split(|b| *b == 0).next() {
            // No name at all: the kernel gives one.
            _ if name.is_empty() => {}
            None => {}
            Some([]) => all.push(Act::Abstract),
            Some(text) => {
                let text = path(text);
                let Some(base) = self.base(CURRENT, &text) else { return };
                match resolve(self.caller, self.caller.who(), &base, &text, !bind) {
                    None => all.push(Act::Probe),
                    Some(found) if bind => self.found(Does::Makes, 0, found, all),
                    Some(found) => self.found(Does::Uses(Use::Connect), 0, found, all),
                }
            }
        }
    }
}

/// What opening with these flags does with what is there.
fn opened(kind: Kind, flags: u64) -> Use {
    if flags & PATH_ONLY != 0 || flags & (CREATE | EXCLUSIVE) == CREATE | EXCLUSIVE {
        Use::Look
    } else if flags & UNNAMED != 0 {
        Use::Make
    } else if flags & ACCESS != 0 || flags & TRUNCATE != 0 {
        Use::Write
    } else if kind == Kind::Directory {
        Use::List
    } else {
        Use::Read
    }
}

fn refused_without_write_execute(arch: Arch, name: &str, arguments: &[u64; 6]) -> bool {
    let strict = model::sandbox::Profile {
        write_execute: Some(false),
        ..model::sandbox::Profile::default()
    };
    let number = model::sandbox::calls::call(name).and_then(|call| arch.number(&call));
    let rules = Rules::of(&strict, arch).ok().flatten();
    let verdict = number.and_then(|number| Some(rules?.verdict(number, arguments)));
    verdict.is_some_and(|verdict| verdict != Verdict::Allow)
}

/// The kernel takes an `int`: the lower half.
fn int(argument: u64) -> i32 {
    let [low, _] = crate::bpf::halves(argument);
    i32::from_ne_bytes(low.to_ne_bytes())
}

#[cfg(test)]
mod tests;
