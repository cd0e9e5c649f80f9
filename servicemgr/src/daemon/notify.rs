//! The readiness socket: `sd_notify` messages, each with its sender as the kernel saw it.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;

use sys::seqpacket;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::process::Facts;
use super::ready;
use super::said::Said;

/// Longest message, in bytes, as in systemd.
const MAX_MESSAGE: usize = 4096;

/// A message and who sent it.
#[derive(Debug)]
pub(super) struct Message {
    /// The process, as the kernel saw it.
    pub(super) pid: i32,
    /// The process itself, if the kernel is new enough.
    pub(super) pidfd: Option<OwnedFd>,
    /// What it said.
    pub(super) said: Said,
    /// What came along.
    pub(super) fds: Vec<OwnedFd>,
}

/// The socket.
#[derive(Debug)]
pub(super) struct Notify {
    socket: AsyncFd<OwnedFd>,
}

impl Notify {
    /// From a bound datagram socket. Needs the runtime.
    ///
    /// # Errors
    /// Those of registering a descriptor.
    pub(super) fn new(socket: OwnedFd) -> io::Result<Self> {
        sys::poll::set_nonblocking(&socket)?;
        seqpacket::ask_credentials(&socket)?;
        // An older kernel: one that has ended is only known by its number.
        let _old_kernel = seqpacket::ask_pidfd(&socket);
        Ok(Self { socket: ready::watch(socket, Interest::READABLE)? })
    }

    /// Waits until [`Notify::next`] may have something.
    ///
    /// # Errors
    /// None known.
    pub(super) async fn readable(&self) -> io::Result<()> {
        self.socket.readable().await?.retain_ready();
        Ok(())
    }

    /// The next message and the process that sent it, if there is one now. It stays in the socket
    /// until [`Notify::done`]: a servicemgr that dies before it noted the message finds it again.
    pub(super) fn next(&self) -> Option<Message> {
        loop {
            let mut buf = [0; MAX_MESSAGE];
            // Looks into the socket itself: the runtime may not have heard of a message that was
            // there before one that it told us of.
            match seqpacket::look_now(self.socket.get_ref(), &mut buf) {
                Ok(seqpacket::Packet { length, fds, from: Some(from), pidfd }) => {
                    let said = Said::parse(buf.get(..length).unwrap_or_default());
                    return Some(Message { pid: from.pid, pidfd, said, fds });
                }
                Ok(_) => self.done(),
                Err(e) if e.kind() == io::ErrorKind::InvalidData => self.done(),
                Err(e) => {
                    // Tells the runtime that the socket is empty, so that it waits again.
                    let _error = self.socket.try_io(Interest::READABLE, |_| Err::<(), _>(e));
                    return None;
                }
            }
        }
    }

    /// Takes the message away. Descriptors that came along and were not kept are closed, which is the
    /// answer that `sd_notify_barrier` waits for.
    pub(super) fn done(&self) {
        // Cut and refused messages are taken away too; there is nothing to learn from the result.
        let _taken = seqpacket::discard_now(self.socket.get_ref());
    }
}

/// The service that the process `pid` belongs to: by its cgroup, which is in the group `of`, or
/// without cgroups the leader of its session, which is the main process of a service.
#[must_use]
pub(super) fn owner(pid: i32, of: &str) -> Owner {
    let cgroup = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
    let line = cgroup.lines().find_map(|l| l.strip_prefix("0::"));
    let mut parts = line.unwrap_or_default().split('/').skip_while(|part| *part != of);
    if let Some(name) = parts.nth(1) {
        return Owner::Service(name.to_owned());
    }
    Facts::of(pid).map_or(Owner::Nobody, |facts| Owner::Session(facts.session))
}

/// Who a process belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Owner {
    /// To the service of this name.
    Service(String),
    /// To whoever leads this session.
    Session(i32),
    /// It has ended, and nobody knows.
    Nobody,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_is_gone_belongs_to_nobody() {
        assert_eq!(owner(i32::MAX, "services"), Owner::Nobody);
    }
}
