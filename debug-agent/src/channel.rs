//! Where the host is: a virtio-serial port in a machine, a UNIX socket in a container.
//!
//! ```text
//! nobody ──wait_for_host──► connected ──read gives 0, write gives EPIPE──► hang_up ──► nobody
//! ```

use std::env;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use api::debug::{PORT, SOCKET, SOCKET_ENV};
use sys::{poll, port};

/// Wait before connecting again to a socket where nobody listens.
const RETRY: Duration = Duration::from_secs(1);

/// How the host is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// The device of a virtio-serial port.
    Port(PathBuf),
    /// The path of a listening UNIX stream socket.
    Socket(PathBuf),
}

/// The channel and the host at its other end, if there is one.
#[derive(Debug)]
pub struct Channel {
    place: Place,
    open: Option<File>,
}

impl Place {
    /// The place this device has: the socket that the environment names, the socket of a container,
    /// the port of a machine, or none.
    ///
    /// # Errors
    /// Those of reading `/sys`.
    pub fn find() -> io::Result<Option<Self>> {
        if let Some(path) = env::var_os(SOCKET_ENV) {
            return Ok(Some(Self::Socket(path.into())));
        }
        if Path::new(SOCKET).exists() {
            return Ok(Some(Self::Socket(SOCKET.into())));
        }
        Ok(port::find(PORT)?.map(Self::Port))
    }
}

impl Channel {
    /// The channel at `place`, not yet open.
    #[must_use]
    pub fn new(place: Place) -> Self {
        Self { place, open: None }
    }

    /// Opens the channel if it is not. A port is open also while no host is there.
    ///
    /// # Errors
    /// As [`port::open`]; a socket is tried again until somebody listens.
    pub fn open(&mut self) -> io::Result<&File> {
        let file = match self.open.take() {
            Some(file) => file,
            None => match &self.place {
                Place::Port(device) => port::open(device)?,
                Place::Socket(path) => connect(path)?,
            },
        };
        Ok(self.open.insert(file))
    }

    /// Waits until a host is there. Reads and writes on the file do not wait.
    ///
    /// # Errors
    /// As [`Channel::open`] and [`port::wait_for_host`].
    pub fn wait_for_host(&mut self) -> io::Result<&File> {
        let is_port = matches!(self.place, Place::Port(_));
        let file = self.open()?;
        if is_port {
            port::wait_for_host(file)?;
        }
        Ok(file)
    }

    /// Forgets the host. A port stays open, unless `anew`: then what is left in it is thrown away.
    pub fn hang_up(&mut self, anew: bool) {
        if anew || matches!(self.place, Place::Socket(_)) {
            self.open = None;
        }
    }
}

/// Connects as soon as somebody listens.
fn connect(path: &Path) -> io::Result<File> {
    loop {
        match UnixStream::connect(path) {
            Ok(stream) => {
                stream.set_nonblocking(true)?;
                return Ok(File::from(OwnedFd::from(stream)));
            }
            Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) => {
                poll::poll(&[], Some(RETRY))?;
            }
            Err(e) => return Err(e),
        }
    }
}
