//! What starts a service besides the boot, and what it is handed when it starts.
//!
//! ```text
//! start = "boot"     enabled: starts at boot; its sockets are open before it runs
//! start = "demand"   enabled: armed at boot; a connection, a time, a file, a device, a parameter or
//!                    a signal on the bus triggers it; when it has ended it is armed again
//! ```

use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Name;
use crate::calendar::Calendar;

/// When an enabled service starts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Start {
    /// With the device.
    #[default]
    Boot,
    /// When something triggers it.
    Demand,
}

/// What triggers a service, besides its sockets and bus names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Activation {
    /// Times.
    pub timers: Vec<Timer>,
    /// Files and directories.
    pub paths: Vec<PathWatch>,
    /// Devices.
    pub devices: Vec<DeviceMatch>,
    /// Values of parameters.
    pub parameters: Vec<ParameterMatch>,
    /// Signals on the system bus.
    pub signals: Vec<SignalMatch>,
    /// It is stopped when it had no connection and used no CPU time for so long. `None`: it stays.
    pub idle_stop: Option<Duration>,
}

/// A listening socket or a FIFO, opened by servicemgr and passed as systemd does (`LISTEN_FDS`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Socket {
    /// Its name in `LISTEN_FDNAMES`.
    pub name: Name,
    /// Where it listens.
    pub address: Address,
    /// Its type.
    pub kind: SocketKind,
    /// Permission bits of the path; of no use to others.
    pub mode: u32,
    /// Owner of the path; root when absent.
    pub user: Option<String>,
    /// Connections that may wait to be accepted.
    pub backlog: u32,
    /// Each connection gets a process of its own, an instance of the template `SERVICE@`, with the
    /// connection as descriptor 3.
    pub accept: bool,
}

/// Where a [`Socket`] listens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Address {
    /// UNIX socket or FIFO at this path.
    Path(String),
    /// TCP (stream) or UDP (datagram).
    Ip(SocketAddr),
    /// The line between a virtual machine and its host.
    Vsock {
        /// Context id; `u32::MAX` is any.
        cid: u32,
        /// Port.
        port: u32,
    },
}

/// The type of a [`Socket`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SocketKind {
    /// `SOCK_STREAM`, listening.
    Stream,
    /// `SOCK_DGRAM`; a UNIX one with `SO_PASSCRED`.
    Datagram,
    /// `SOCK_SEQPACKET`, listening.
    Seqpacket,
    /// A named pipe.
    Fifo,
}

/// Connections that may wait to be accepted, when nothing is said.
pub const BACKLOG: u32 = 128;

/// A time at which a service is triggered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timer {
    /// Which time.
    pub when: TimerWhen,
    /// A part of this long is added, the same for this device and service each time.
    pub random_delay: Duration,
    /// It may be late by so much, to share a wake-up of the device with others.
    pub accuracy: Duration,
    /// A time that passed while the device was off is made up for at boot.
    pub persistent: bool,
}

/// Which time a [`Timer`] means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum TimerWhen {
    /// On the wall clock of the device.
    Calendar(Calendar),
    /// So long after PID 1 began. Once.
    AfterBoot(Duration),
    /// So long after the service was armed for the first time in this boot. Once.
    AfterArm(Duration),
    /// So long after the service was started last, by whatever (and after it was armed first).
    AfterStart(Duration),
    /// So long after the service ended last (and after it was armed first).
    AfterEnd(Duration),
}

/// A file or directory that triggers a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PathWatch {
    /// Absolute path; `*` and `?` in the last part for [`PathWhen::Exists`].
    pub path: String,
    /// What of it.
    pub when: PathWhen,
    /// A missing directory is made (0755) when the service is armed.
    pub make: bool,
}

/// What triggers, of a [`PathWatch`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum PathWhen {
    /// It is there. Triggers again when the service has ended and it still is.
    Exists,
    /// The directory has something in it. As `Exists`.
    NotEmpty,
    /// It was written and closed, made, moved or removed.
    Changed,
}

/// A device that triggers a service: by the kernel's own names (`uevent`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceMatch {
    /// `SUBSYSTEM`: `block`, `tty`, `net`, `input`.
    pub subsystem: String,
    /// Name of the device (`sda`, `ttyUSB*`); `*` and `?` stand for more; empty is any.
    pub name: String,
    /// The service is stopped when no such device is left.
    pub bind: bool,
}

/// A parameter that triggers a service when it gets this value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParameterMatch {
    /// Its name.
    pub name: String,
    /// The value; `*` is any.
    pub value: String,
}

/// A signal on the system bus that triggers a service. What is empty may be anything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignalMatch {
    /// Who sends it, by a name on the bus; empty: whoever is on the bus.
    pub sender: String,
    /// The object that sends it.
    pub path: String,
    /// Its interface; never empty.
    pub interface: String,
    /// Its name.
    pub member: String,
    /// Its first argument, which must be a text.
    pub arg0: Option<String>,
}

/// Names on the system bus.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bus {
    /// The name that makes a service of type `dbus` ready, and that a call triggers.
    pub name: String,
    /// Further names it may own.
    pub also: Vec<String>,
    /// Who owns them, when it is not the service's user.
    pub owner: Option<String>,
    /// Users who may talk to these names; empty is everybody.
    pub users: Vec<String>,
}
