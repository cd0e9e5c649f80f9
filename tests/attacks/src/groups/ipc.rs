//! Talking to processes that were not meant to be talked to, and in the name of others.

use std::fs;

use crate::attack::{Attempt, Stop, blocked, got, if_so};
use crate::needs::{JOURNAL, SERVICEMGR, SYSTEM_BUS, VICTIM, path};
use crate::raw::{self, Arg};
use crate::tools::{
    bind, c, connect, family, map, open, read_file, receive, socket, steal_from, unix, write,
};
use crate::{attacks, sys};

/// Where a service of Ensemble says that it is ready.
const NOTIFY: &str = "/run/ensemble/notify.sock";

attacks! { Ipc:
    "sysv-memory-read" [VICTIM] "reads System V memory of another service" => |v| {
        let at = sys!(SYS_shmat, v.shm, 0, libc::SHM_RDONLY)?;
        if_so(v.is_in(&raw::load(at, 64)), "read the secret", "that is other memory")
    };
    "sysv-memory-write" [VICTIM] "changes System V memory of another service" => |v| {
        let at = sys!(SYS_shmat, v.shm, 0, 0)?;
        if !v.is_in(&raw::load(at, 64)) {
            return blocked("that is other memory");
        }
        raw::store(at + 2048, b"changed");
        got("changed it")
    };
    "sysv-list" [VICTIM] "sees all System V memory" => |v| {
        let text = read_file("/proc/sysvipc/shm")?;
        let text = String::from_utf8_lossy(&text).into_owned();
        let mine = |l: &&str| l.split_whitespace().nth(1) == Some(&v.shm.to_string());
        if_so(text.lines().any(|l| mine(&l)), "saw the victim's", "only its own")
    };
    "sysv-semaphore" [VICTIM] "makes another service wait at its semaphore" => |v| {
        // struct sembuf: semaphore 0, take and give back one, do not wait.
        let take = [[0_i16, 1, 0x800], [0, -1, 0x800]];
        for operation in &take {
            sys!(SYS_semop, v.sem, operation, 1)?;
        }
        let mut state = [0_u64; 16];
        sys!(SYS_semctl, v.sem, 0, libc::IPC_STAT, &mut state)?;
        if_so(state[0] & 0xffff_ffff == 0xa77a, "took and gave it back", "that is another one")
    };
    "sysv-message-read" [VICTIM] "takes messages that were meant for another service" => |v| {
        let mut message = [0_u8; 72];
        sys!(SYS_msgrcv, v.msg, &mut message, 64, 0, libc::IPC_NOWAIT)?;
        let _ = sys!(SYS_msgsnd, v.msg, &message, 32, libc::IPC_NOWAIT); // back for the next
        if_so(v.is_in(&message), "read the secret", "that is another queue")
    };
    "sysv-message-write" [VICTIM] "sends messages to another service" => |v| {
        let mut message = [0_u8; 16];
        message[0] = 9;
        sys!(SYS_msgsnd, v.msg, &message, 8, libc::IPC_NOWAIT)?;
        let mut back = [0_u8; 16];
        sys!(SYS_msgrcv, v.msg, &mut back, 8, 9, libc::IPC_NOWAIT)?;
        got("sent one")
    };
    "posix-memory-read" [VICTIM] "reads POSIX memory of another service" => |v| {
        let fd = open(&format!("/dev/shm{}", v.posix), libc::O_RDWR)?;
        let at = map(4096, libc::PROT_READ, libc::MAP_SHARED, fd)?;
        if_so(v.is_in(&raw::load(at, 64)), "read the secret", "that is other memory")
    };
    "posix-message-read" [VICTIM] "takes messages of a POSIX queue" => |v| {
        let name = c(v.posix.trim_start_matches('/'));
        let queue = sys!(SYS_mq_open, &name, libc::O_RDWR | libc::O_NONBLOCK, 0, 0)?;
        let mut message = [0_u8; 64];
        let length = sys!(SYS_mq_timedreceive, queue, &mut message, 64, 0, 0)?;
        let _ = sys!(SYS_mq_timedsend, queue, &message, length, 0, 0); // back for the next
        if_so(v.is_in(&message), "read the secret", "that is another queue")
    };
    "bus-of-another" [VICTIM] "connects to the private bus of another app" =>
        |v| steal_from(v, socket(libc::AF_UNIX, libc::SOCK_STREAM, 0)?, &unix(&v.file("bus.sock")));
    "datagram-to-another" [VICTIM] "sends to a socket of another service" => |v| {
        let fd = socket(libc::AF_UNIX, libc::SOCK_DGRAM, 0)?;
        bind(fd, &family(libc::AF_UNIX))?; // a name of its own, to be answered at
        connect(fd, &unix(&v.file("notify.sock")))?;
        write(fd, b"hello")?;
        let answer = receive(fd)?;
        if_so(v.is_in(&answer), "the victim told it the secret", "another answered")
    };
    "process-of-peer" [VICTIM] "gets a descriptor of a process by a socket" => |v| {
        const SO_PEERPIDFD: i32 = 77;
        let fd = socket(libc::AF_UNIX, libc::SOCK_STREAM, 0)?;
        connect(fd, &unix(&v.file("bus.sock")))?;
        let (mut pidfd, mut size) = ([0_i32], [4_u32]);
        sys!(SYS_getsockopt, fd, libc::SOL_SOCKET, SO_PEERPIDFD, &mut pidfd, &mut size)?;
        sys!(SYS_pidfd_send_signal, pidfd[0], 0, 0, 0)?;
        got("may signal the victim by it")
    };
    "forge-credentials" [] "says it is process 1 to whoever asks the kernel" => |_| forge(1, 0);
    "notify-socket" [path(NOTIFY)] "reaches the socket of readiness, also of other services" => |_| {
        let fd = socket(libc::AF_UNIX, libc::SOCK_DGRAM, 0)?;
        connect(fd, &unix(NOTIFY))?;
        write(fd, b"X_ATTACK=1")?;
        got("sent a line")
    };
    "notify-as-another" [path(NOTIFY), VICTIM] "says for another service that it is ready" => |v| {
        crate::tools::is_victim(v)?;
        let fd = socket(libc::AF_UNIX, libc::SOCK_DGRAM, 0)?;
        connect(fd, &unix(NOTIFY))?;
        send_as(fd, b"STATUS=attacked", v.pid, v.uid)?;
        got("sent a line as the victim")
    };
    "control-services" [SERVICEMGR] "starts and stops services" => |_| bus("/run/ensemble/services.sock");
    "control-journal" [JOURNAL] "reads the log over the bus of the journal" =>
        |_| bus("/run/ensemble/journal.sock");
    "system-bus" [SYSTEM_BUS] "talks to every service of the system bus" =>
        |_| bus("/run/dbus/system_bus_socket");
    "journal-as-another" [path("/run/systemd/journal/socket")] "writes lines into the log as another program" => |_| {
        let fd = socket(libc::AF_UNIX, libc::SOCK_DGRAM, 0)?;
        connect(fd, &unix("/run/systemd/journal/socket"))?;
        write(fd, b"MESSAGE=attack\nSYSLOG_IDENTIFIER=init\nPRIORITY=7\n")?;
        got("wrote a line as init")
    };
    "syslog-as-another" [path("/dev/log")] "writes lines into the log by syslog" => |_| {
        let fd = socket(libc::AF_UNIX, libc::SOCK_DGRAM, 0)?;
        connect(fd, &unix("/dev/log"))?;
        write(fd, b"<15>init: attack")?;
        got("wrote a line as init")
    };
    "list-sockets" [VICTIM] "sees the sockets of everybody" => |v| {
        let text = fs::read_to_string("/proc/net/unix")?;
        if_so(text.contains(&v.abstract_name), "saw the victim's", "only its own")
    };
    "list-locks" [VICTIM] "sees which files others have locked" => |v| {
        let text = fs::read_to_string("/proc/locks")?;
        let pid = v.pid.to_string();
        let theirs = |l: &str| l.split_whitespace().nth(4) == Some(&pid);
        if_so(text.lines().any(theirs), "saw the victim's", "only its own")
    };
    "read-messages-unseen" [VICTIM] "copies messages of a queue and leaves them" => |v| {
        const COPY: i32 = 0o40_000;
        let mut message = [0_u8; 72];
        let flags = libc::IPC_NOWAIT | COPY;
        sys!(SYS_msgrcv, v.msg, &mut message, 64, 0, flags)?;
        if_so(v.is_in(&message), "read the secret", "that is another queue")
    };
    "remove-memory" [VICTIM] "changes who may use memory of another service" => |v| {
        let mut state = [0_u64; 16];
        sys!(SYS_shmctl, v.shm, libc::IPC_STAT, &mut state)?;
        sys!(SYS_shmctl, v.shm, libc::IPC_SET, &state)?;

        got("set its rights (the same)")
    };
}

/// Greets a bus: it says OK to whom it would listen to.
fn bus(path: &str) -> Attempt {
    let fd = socket(libc::AF_UNIX, libc::SOCK_STREAM, 0)?;
    connect(fd, &unix(path))?;
    let uid = sys!(SYS_geteuid)?.to_string();
    let uid: String = uid.bytes().map(|b| format!("{b:02x}")).collect();
    write(fd, format!("\0AUTH EXTERNAL {uid}\r\n").as_bytes())?;
    let answer = receive(fd)?;
    if_so(answer.starts_with(b"OK"), "the bus said OK", "the bus refused")
}

/// Sends with the process and user of somebody else, which only a capability allows.
fn send_as(fd: usize, text: &[u8], pid: i32, uid: u32) -> Result<(), Stop> {
    // struct cmsghdr and struct ucred.
    let mut control = 28_u64.to_ne_bytes().to_vec();
    control.extend(libc::SOL_SOCKET.to_ne_bytes());
    control.extend(libc::SCM_CREDENTIALS.to_ne_bytes());
    control.extend(pid.to_ne_bytes());
    control.extend(uid.to_ne_bytes());
    control.extend(uid.to_ne_bytes());
    control.resize(32, 0);
    let part = [text.arg(), text.len()];
    let message = [0, 0, (&part).arg(), 1, (&control[..]).arg(), 32, 0_usize];
    sys!(SYS_sendmsg, fd, &message, 0)?;
    Ok(())
}

/// Sends to itself as somebody else, and looks who it was.
fn forge(pid: i32, uid: u32) -> Attempt {
    let mut pair = [0_i32; 2];
    sys!(SYS_socketpair, libc::AF_UNIX, libc::SOCK_DGRAM, 0, &mut pair)?;
    let [from, to] = pair.map(Arg::arg);
    sys!(SYS_setsockopt, to, libc::SOL_SOCKET, libc::SO_PASSCRED, &[1_i32], 4)?;
    send_as(from, b"hello", pid, uid)?;
    let (mut text, mut control) = ([0_u8; 16], [0_u32; 16]);
    let part = [(&mut text).arg(), 16];
    let message = [0, 0, (&part).arg(), 1, (&mut control).arg(), 64, 0_usize];
    sys!(SYS_recvmsg, to, &message, 0)?;
    let own = sys!(SYS_getpid)?;
    let said = control[4].arg();
    if_so(said == 1 && own != 1, "was taken for process 1", format!("was taken for {said}"))
}
