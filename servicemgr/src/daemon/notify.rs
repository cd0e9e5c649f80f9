//! The readiness socket: `sd_notify` messages, each with its sender as the kernel saw it.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;

use sys::seqpacket;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::process::Facts;
use super::ready;

/// Longest message, in bytes, as in systemd.
const MAX_MESSAGE: usize = 4096;

/// Longest `STATUS=` that is kept, in bytes.
pub(super) const MAX_STATUS: usize = 256;

/// What a process said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Said {
    /// `READY=1`.
    pub(super) ready: bool,
    /// `STATUS=…`, cut to [`MAX_STATUS`].
    pub(super) status: Option<String>,
}

impl Said {
    /// From the lines of a message; those we have no use for don't count.
    #[must_use]
    pub(super) fn parse(message: &[u8]) -> Self {
        let mut said = Self::default();
        let text = String::from_utf8_lossy(message);
        for line in text.lines() {
            match line.split_once('=') {
                Some(("READY", "1")) => said.ready = true,
                Some(("STATUS", text)) => {
                    let visible = text.chars().filter(|c| !c.is_control());
                    let mut kept = String::new();
                    kept.extend(visible.take(MAX_STATUS / 4));
                    said.status = Some(kept);
                }
                _ => {}
            }
        }
        said
    }
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
    pub(super) fn next(&self) -> Option<(i32, Said)> {
        loop {
            let mut buf = [0; MAX_MESSAGE];
            // Looks into the socket itself: the runtime may not have heard of a message that was
            // there before one that it told us of.
            match seqpacket::peek_now(self.socket.get_ref(), &mut buf) {
                Ok((n, _, Some(from))) => {
                    return Some((from.pid, Said::parse(buf.get(..n).unwrap_or_default())));
                }
                Ok((_, _, None)) => self.done(),
                Err(e) if e.kind() == io::ErrorKind::InvalidData => self.done(),
                Err(e) => {
                    // Tells the runtime that the socket is empty, so that it waits again.
                    let _error = self.socket.try_io(Interest::READABLE, |_| Err::<(), _>(e));
                    return None;
                }
            }
        }
    }

    /// Takes the message away. Descriptors that came along are closed, which is the answer that
    /// `sd_notify_barrier` waits for.
    pub(super) fn done(&self) {
        // Cut and refused messages are taken away too; there is nothing to learn from the result.
        let _taken = seqpacket::recv_now(self.socket.get_ref(), &mut [0; 1]);
    }
}

/// The service that the process `pid` belongs to: by its cgroup, or without cgroups the leader of
/// its session, which is the main process of a service.
#[must_use]
pub(super) fn owner(pid: i32) -> Owner {
    let cgroup = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
    let line = cgroup.lines().find_map(|l| l.strip_prefix("0::"));
    if let Some((_, name)) = line.and_then(|l| l.split_once("/services/")) {
        let name = name.split('/').next().unwrap_or_default();
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
    fn a_message_is_lines_and_nonsense_is_nothing() {
        let said = Said::parse(b"STATUS=Serving \x1b[31m3 users\nREADY=1\nMAINPID=1\n");
        assert_eq!(said.status.as_deref(), Some("Serving [31m3 users"));
        assert!(said.ready);
        assert_eq!(Said::parse(b"READY=0\n\xff\xfe"), Said::default());
        let long = format!("STATUS={}", "é".repeat(5000));
        assert!(Said::parse(long.as_bytes()).status.is_some_and(|s| s.len() <= MAX_STATUS));
    }

    #[test]
    fn a_process_that_is_gone_belongs_to_nobody() {
        assert_eq!(owner(i32::MAX), Owner::Nobody);
    }
}
