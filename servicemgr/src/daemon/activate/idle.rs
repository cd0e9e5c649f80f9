//! Stops services that nobody uses: no connection, and next to no CPU time since the last look.

use std::fs;

use model::service::{Address, Service, SocketKind};

use super::super::Daemon;
use super::{Later, sockets};
use crate::engine::{Event, Id, State};

/// Microseconds of CPU time between two looks that count as nothing: a thread that wakes up to see
/// that there is nothing to do.
const NOTHING: u64 = 1000;

/// Longest of these files of `/proc` that is read, in bytes: a hundred thousand connections.
const MAX_FILE: u64 = 16 << 20;

/// `SS_CONNECTING` (not accepted yet) and `SS_CONNECTED` in `/proc/net/unix`.
const UNIX_USED: [&str; 2] = ["02", "03"];

/// `TCP_ESTABLISHED` in `/proc/net/tcp`.
const TCP_USED: &str = "01";

impl Daemon {
    /// Begins to look when a service is up, and ends when it is not.
    pub(super) fn follow_idle(&mut self, id: Id) {
        let Some(service) = self.plan.services.get(id) else { return };
        let Some(period) = service.activation.idle_stop else { return };
        let armed = self.engine.life(id).is_some_and(|life| life.armed);
        if self.engine.state(id) != State::Ready || !armed || !sockets::has_own(service) {
            self.activate.usage.remove(&id);
            self.activate.forget(Later::Idle(id));
        } else if !self.activate.usage.contains_key(&id) {
            let usage = self.cpu_time(id);
            self.activate.usage.insert(id, usage);
            self.activate.put_off(Later::Idle(id), self.now().saturating_add(period));
        }
    }

    pub(super) fn look_whether_idle(&mut self, id: Id) {
        let Some(service) = self.plan.services.get(id) else { return };
        let Some(period) = service.activation.idle_stop else { return };
        let used = has_connection(service);
        let usage = self.cpu_time(id);
        let before = self.activate.usage.insert(id, usage).unwrap_or(0);
        // Also when it is not stopped now: whether it is, is decided elsewhere.
        self.activate.put_off(Later::Idle(id), self.now().saturating_add(period));
        if !used && usage.saturating_sub(before) < NOTHING {
            self.feed(Event::Quiet(id));
        }
    }

    /// CPU time of all its processes so far, in microseconds; without groups 0: then connections
    /// alone count.
    fn cpu_time(&self, id: Id) -> u64 {
        let number = |group: sys::cgroup::Group| group.number("cpu.stat", "usage_usec").ok()?;
        self.group(id).and_then(number).unwrap_or(0)
    }
}

fn has_connection(service: &Service) -> bool {
    service.sockets.iter().filter(|s| !s.accept).any(|socket| match &socket.address {
        Address::Path(path) => {
            let listens = matches!(socket.kind, SocketKind::Stream | SocketKind::Seqpacket);
            listens && unix_used(&read("/proc/net/unix"), path)
        }
        Address::Ip(address) if socket.kind == SocketKind::Stream => {
            ["/proc/net/tcp", "/proc/net/tcp6"].iter().any(|f| tcp_used(&read(f), address.port()))
        }
        // Packets leave no trace, and the kernel does not list lines to the host.
        Address::Ip(_) | Address::Vsock { .. } => false,
    })
}

fn read(path: &str) -> String {
    use std::io::Read;
    let mut text = String::new();
    // A file that is not there (no IPv6) has no connections.
    let _missing = fs::File::open(path).and_then(|f| f.take(MAX_FILE).read_to_string(&mut text));
    text
}

/// `Num RefCount Protocol Flags Type St Inode Path`: an accepted socket has its listener's path.
fn unix_used(table: &str, path: &str) -> bool {
    table.lines().any(|line| {
        let Some((columns, _)) = line.rsplit_once(path).filter(|(_, rest)| rest.is_empty()) else {
            return false;
        };
        let columns: Vec<&str> = columns.split_whitespace().collect();
        columns.len() == 7 && columns.get(5).is_some_and(|state| UNIX_USED.contains(state))
    })
}

/// `sl local_address rem_address st …`, addresses as `HEX:HEX`.
fn tcp_used(table: &str, port: u16) -> bool {
    let port = format!(":{port:04X}");
    table.lines().any(|line| {
        let columns: Vec<&str> = line.split_whitespace().take(4).collect();
        columns.get(1).is_some_and(|local| local.ends_with(&port))
            && columns.get(3) == Some(&TCP_USED)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_found_by_the_path_or_port_of_its_listener() {
        let unix = "Num       RefCount Protocol Flags    Type St Inode Path\n\
            0000000000000000: 00000002 00000000 00010000 0001 01 16 /run/a b\n\
            0000000000000000: 00000003 00000000 00000000 0001 03 17 /run/c\n\
            0000000000000000: 00000003 00000000 00000000 0001 03 18\n";
        assert!(unix_used(unix, "/run/c"));
        assert!(!unix_used(unix, "/run/a b"), "it only listens");
        assert!(!unix_used(unix, "c"));
        let tcp = "  sl  local_address rem_address   st tx_queue\n   \
            0: 0100007F:1F90 00000000:0000 0A 00000000:00000000\n   \
            1: 0100007F:0016 0100007F:D431 01 00000000:00000000\n";
        assert!(tcp_used(tcp, 22));
        assert!(!tcp_used(tcp, 8080), "it only listens");
    }

    #[test]
    fn this_kernel_writes_it_so() {
        use std::os::unix::net::{UnixListener, UnixStream};
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s");
        let name = path.display().to_string();
        let listener = UnixListener::bind(&path).unwrap();
        assert!(!unix_used(&read("/proc/net/unix"), &name));
        let client = UnixStream::connect(&path).unwrap();
        assert!(unix_used(&read("/proc/net/unix"), &name), "it waits");
        let taken = listener.accept().unwrap();
        assert!(unix_used(&read("/proc/net/unix"), &name));
        drop((client, taken));
        assert!(!unix_used(&read("/proc/net/unix"), &name));
    }
}
