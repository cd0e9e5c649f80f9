//! Stories of single calls.

use std::collections::BTreeMap;

use super::*;

/// A process whose memory, files and descriptors are made up.
struct Made {
    who: Who,
    files: BTreeMap<&'static str, (Kind, &'static str)>,
    memory: BTreeMap<u64, Vec<u8>>,
    open: BTreeMap<i32, &'static str>,
}

impl World for Made {
    fn kind(&self, path: &Path) -> Option<Kind> {
        self.files.get(path.to_str()?).map(|(kind, _)| *kind)
    }

    fn link(&self, path: &Path) -> Option<PathBuf> {
        self.files.get(path.to_str()?).map(|(_, text)| text.into())
    }
}

impl Caller for Made {
    fn who(&self) -> &Who {
        &self.who
    }

    fn text(&self, address: u64) -> Option<Vec<u8>> {
        self.memory.get(&address).cloned()
    }

    fn bytes(&self, address: u64, length: usize) -> Option<Vec<u8>> {
        self.memory.get(&address)?.get(..length).map(<[u8]>::to_vec)
    }

    fn directory(&self) -> Option<PathBuf> {
        Some("/home".into())
    }

    fn open(&self, descriptor: i32) -> Option<PathBuf> {
        self.open.get(&descriptor).map(Into::into)
    }

    fn socket(&self, descriptor: i32) -> Option<(i32, i32, i32)> {
        match descriptor {
            3 => Some((2, 1, 6)),
            4 => Some((2, 2, 17)),
            _ => None,
        }
    }

    fn file(&self, path: &Path, offset: u64, length: usize) -> Option<Vec<u8>> {
        let (_, text) = self.files.get(path.to_str()?)?;
        let all = text.as_bytes().get(usize::try_from(offset).ok()?..)?;
        Some(all.get(..length.min(all.len()))?.to_vec())
    }

    fn ours(&self, process: i32) -> bool {
        process == 7
    }
}

/// Addresses of texts are their places in `texts`, from 1.
fn made(texts: &[&[u8]]) -> Made {
    let mut files: BTreeMap<_, _> =
        ["/", "/home", "/etc", "/bin", "/tmp", "/proc", "/proc/7", "/proc/9"]
            .map(|path| (path, (Kind::Directory, "")))
            .into();
    files.insert("/home/a", (Kind::File, ""));
    files.insert("/home/link", (Kind::Link, "/etc/b"));
    files.insert("/etc/b", (Kind::File, ""));
    files.insert("/bin/script", (Kind::File, "#!/bin/shell -e\n"));
    files.insert("/bin/shell", (Kind::File, "\x7fELF\x02"));
    files.insert("/home/socket", (Kind::Socket, ""));
    files.insert("/proc/7/stat", (Kind::File, ""));
    files.insert("/proc/9/stat", (Kind::File, ""));
    let memory = (1..).zip(texts.iter().map(|text| text.to_vec())).collect();
    let who = Who { process: 7, thread: 7, root: "/".into() };
    Made { who, files, memory, open: [(5, "/etc"), (6, "/home/a")].into() }
}

fn call(texts: &[&[u8]], name: &str, arguments: &[u64]) -> Vec<Act> {
    let mut all = [0; 6];
    for (place, argument) in all.iter_mut().zip(arguments) {
        *place = *argument;
    }
    acts(&made(texts), Arch::X86_64, name, &all)
}

fn file(path: &str, kind: Kind, how: Use) -> Act {
    Act::File(path.into(), kind, how)
}

const HERE: u64 = u64::MAX - 99;
const CREATE_WRITE: u64 = 0o101;

#[test]
fn opening_is_what_its_flags_say_of_what_is_there() {
    let open = |path: &[u8], flags| call(&[path], "openat", &[HERE, 1, flags]);
    assert_eq!(open(b"a", 0), [file("/home/a", Kind::File, Use::Read)]);
    assert_eq!(open(b"a", 0o1001), [file("/home/a", Kind::File, Use::Write)]);
    assert_eq!(open(b"a", CREATE_WRITE), [file("/home/a", Kind::File, Use::Write)], "it is there");
    assert_eq!(open(b"new", CREATE_WRITE), [file("/home", Kind::Directory, Use::Make)]);
    assert_eq!(open(b"new", 0), [Act::Probe]);
    assert_eq!(open(b"no/new", CREATE_WRITE), [Act::Probe]);
    assert_eq!(open(b".", 0o200_000), [file("/home", Kind::Directory, Use::List)]);
    assert_eq!(open(b"a", 0o10_000_000), [file("/home/a", Kind::File, Use::Look)], "O_PATH");
    let over = [file("/home/link", Kind::Link, Use::Look), file("/etc/b", Kind::File, Use::Read)];
    assert_eq!(open(b"link", 0), over);
    assert_eq!(call(&[b"b"], "openat", &[5, 1, 0]), [file("/etc/b", Kind::File, Use::Read)]);
    let how = CREATE_WRITE.to_ne_bytes();
    let made = [file("/home", Kind::Directory, Use::Make)];
    assert_eq!(call(&[b"new", &how], "openat2", &[HERE, 1, 2, 24]), made);
}

#[test]
fn memory_that_cannot_be_read_is_nothing() {
    assert_eq!(call(&[], "openat", &[HERE, 77, 0]), []);
    assert_eq!(call(&[], "connect", &[3, 77, 16]), []);
    assert_eq!(call(&[b"\x02"], "connect", &[3, 1, 1]), [], "half an address");
}

#[test]
fn names_are_made_and_removed_in_their_directory() {
    let home = || file("/home", Kind::Directory, Use::Make);
    assert_eq!(call(&[b"new"], "mkdir", &[1]), [home()]);
    assert_eq!(
        call(&[b"/etc"], "mkdir", &[1]),
        [file("/etc", Kind::Directory, Use::Look)],
        "EEXIST"
    );
    assert_eq!(call(&[b"a"], "unlink", &[1]), [home()]);
    assert_eq!(call(&[b"new"], "unlink", &[1]), [Act::Probe]);
    let etc = file("/etc", Kind::Directory, Use::Make);
    assert_eq!(call(&[b"a", b"/etc/c"], "rename", &[1, 2]), [home(), etc]);
    let tmp = [Act::Made("/tmp/x".into()), file("/tmp", Kind::Directory, Use::Make)];
    assert_eq!(call(&[b"/tmp/x"], "mkdir", &[1]), tmp);
}

#[test]
fn attributes_of_an_open_file_are_those_of_its_path() {
    let changed = [file("/home/a", Kind::File, Use::Write)];
    assert_eq!(call(&[], "fchmod", &[6, 0o600]), changed);
    assert_eq!(call(&[], "utimensat", &[6, 0, 0, 0]), changed);
    let both = [changed[0].clone(), Act::Capability("CHOWN")];
    assert_eq!(call(&[b"a"], "chown", &[1, 5, 5]), both);
}

#[test]
fn a_script_brings_its_interpreter() {
    let all = ["/bin/script", "/bin/shell"].map(|path| file(path, Kind::File, Use::Execute));
    assert_eq!(call(&[b"/bin/script"], "execve", &[1]), all);
    assert_eq!(call(&[b"/bin/none"], "execve", &[1]), [Act::Probe]);
}

#[test]
fn ports_are_those_of_tcp() {
    let port = |port: u16| [&2_u16.to_ne_bytes()[..], &port.to_be_bytes(), &[0; 12]].concat();
    assert_eq!(call(&[&port(443)], "connect", &[3, 1, 16]), [Act::Connect(443)]);
    assert_eq!(call(&[&port(53)], "connect", &[4, 1, 16]), [], "UDP");
    let low = [Act::Capability("NET_BIND_SERVICE"), Act::Bind(80)];
    assert_eq!(call(&[&port(80)], "bind", &[3, 1, 16]), low);
    assert_eq!(call(&[], "socket", &[1, 0o2_000_001, 0]), [Act::Socket(1, 1, 0)]);
}

#[test]
fn sockets_of_this_device_are_files_or_have_no_name() {
    let local = |name: &[u8]| [&1_u16.to_ne_bytes()[..], name].concat();
    let at = |name: &[u8], call: &str| {
        let address = local(name);
        self::call(&[&address], call, &[3, 1, u64::try_from(address.len()).unwrap()])
    };
    let socket = [file("/home/socket", Kind::Socket, Use::Connect)];
    assert_eq!(at(b"/home/socket\0", "connect"), socket);
    assert_eq!(at(b"/home/new\0", "bind"), [file("/home", Kind::Directory, Use::Make)]);
    assert_eq!(at(b"\0hidden", "connect"), [Act::Abstract]);
    assert_eq!(at(b"", "bind"), []);
}

#[test]
fn of_proc_its_own_and_others_are_told_apart() {
    let own = [file("/proc/self/stat", Kind::File, Use::Read)];
    assert_eq!(call(&[b"/proc/self/stat"], "open", &[1]), own);
    assert_eq!(call(&[b"/proc/7/stat"], "open", &[1]), own);
    assert_eq!(call(&[b"/proc/9/stat"], "open", &[1]), [Act::OtherProcess]);
}

#[test]
fn code_is_mapped_from_a_file_or_written() {
    let library = [file("/home/a", Kind::File, Use::Map)];
    assert_eq!(call(&[], "mmap", &[0, 1, 5, 2, 6]), library);
    assert_eq!(call(&[], "mmap", &[0, 1, 7, 0x22, u64::MAX]), [Act::WriteExecute]);
    assert_eq!(call(&[], "mprotect", &[0, 1, 5]), [Act::WriteExecute]);
    assert_eq!(call(&[], "memfd_create", &[1, 9]), []);
}

proptest::proptest! {
    #[test]
    fn any_call_with_any_arguments_is_read_without_harm(
        row in 0..ROWS.len(), arguments: [u64; 6], texts: Vec<Vec<u8>>, low: bool,
    ) {
        let texts: Vec<&[u8]> = texts.iter().map(Vec::as_slice).collect();
        let arguments = arguments.map(|argument| if low { argument % 8 } else { argument });
        for name in [ROWS[row].name, "bind", "connect", "mmap"] {
            let _ = call(&texts, name, &arguments);
        }
    }
}
