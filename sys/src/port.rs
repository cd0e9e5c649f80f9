//! virtio-serial ports: named byte streams between a machine and whoever runs it.
//!
//! ```text
//! host connected    ──host goes──►  hung up (read gives 0, write gives EAGAIN)
//! host disconnected ──host comes─►  the same descriptor works again
//! ```
//!
//! Unlike a socket, an open port outlives the hosts that come and go.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use crate::poll::{For, poll};

/// Where the kernel lists the ports; each directory is called like its device in `/dev`.
const PORTS: &str = "/sys/class/virtio-ports";

/// The device of the port called `name`, if this machine has one.
///
/// # Errors
/// Those of reading `/sys`; that it has no list of ports at all is `None`.
pub fn find(name: &str) -> io::Result<Option<PathBuf>> {
    find_in(Path::new(PORTS), name)
}

fn find_in(ports: &Path, name: &str) -> io::Result<Option<PathBuf>> {
    let entries = match fs::read_dir(ports) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        // A port without a name has no such file.
        let called = fs::read_to_string(entry.path().join("name")).unwrap_or_default();
        if called.trim_end_matches('\n') == name {
            return Ok(Some(Path::new("/dev").join(entry.file_name())));
        }
    }
    Ok(None)
}

/// Opens a port for reading and writing, non-blocking.
///
/// # Errors
/// - `ENOENT`: no such device. - `EACCES`: we may not.
/// - `EBUSY`: another process has it open. Trying again later may help.
pub fn open(device: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).custom_flags(libc::O_NONBLOCK).open(device)
}

/// Waits until a host is at the other end. Returns at once if there is one.
///
/// # Errors
/// `ENOMEM`, `EMFILE`; `ENODEV` when the port was unplugged meanwhile.
pub fn wait_for_host(port: &File) -> io::Result<()> {
    // Hung up is a state that poll(2) reports at once, again and again; only an edge wakes us
    // when it ends. The edge is armed before the state is looked at, so none is missed.
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
    epoll.add(port, EpollEvent::new(EpollFlags::EPOLLOUT | EpollFlags::EPOLLET, 0))?;
    loop {
        let state = poll(&[(port.as_fd(), For::Both)], Some(Duration::ZERO))?;
        if state.first().is_some_and(|ready| !ready.hangup) {
            return Ok(());
        }
        match epoll.wait(&mut [EpollEvent::empty()], EpollTimeout::NONE) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(e) => return Err(e.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_found_by_its_name() {
        let ports = std::env::temp_dir().join(format!("ports-{}", std::process::id()));
        for (port, name) in [("vport0p0", None), ("vport1p1", Some("other\n"))] {
            fs::create_dir_all(ports.join(port)).unwrap();
            if let Some(name) = name {
                fs::write(ports.join(port).join("name"), name).unwrap();
            }
        }
        assert_eq!(find_in(&ports, "ours").unwrap(), None);
        fs::create_dir_all(ports.join("vport1p2")).unwrap();
        fs::write(ports.join("vport1p2/name"), "ours\n").unwrap();
        assert_eq!(find_in(&ports, "ours").unwrap(), Some("/dev/vport1p2".into()));
        fs::remove_dir_all(&ports).unwrap();
        assert_eq!(find_in(&ports, "ours").unwrap(), None);
    }
}
