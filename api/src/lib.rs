//! The control buses as Rust: names, types, proxies. What one daemon may ask of another.
//!
//! | module | between | carried by |
//! |---|---|---|
//! | [`debug`] | a build host and debug-agent | a virtio-serial port or a UNIX socket |
//! | [`pid1`] | servicemgr and PID 1 | one `SOCK_SEQPACKET` pair, made by PID 1 |
//! | `services` | anyone and servicemgr | peer-to-peer D-Bus on a UNIX socket |
//! | `params`, `sandbox`, `permissions` | anyone and servicemgr | the same |
//! | `abilities` | anyone and ability-manager | the same, on a socket of its own |
//! | `app` | an app and ability-manager | the same, on a socket for each instance |
//! | `stores` | anyone and store | the same, on a socket of its own |
//! | `devices` | anyone and softbus | the same, on a socket of its own |
//! | [`remote`] | devices of one owner, by softbus | streams, and a UNIX socket |
//! | [`kernel`] | PID 1 and who looks at what it set | `/proc/sys` |
//! | [`export`] | journal and who reads its records | files and pipes |
//! | `journal` | anyone and journal | peer-to-peer D-Bus on a UNIX socket, records in a pipe |
//!
//! Nothing here does I/O of its own.

#[cfg(feature = "bus")]
pub mod abilities;
#[cfg(feature = "bus")]
pub mod app;
#[cfg(feature = "bus")]
pub mod background;
pub mod debug;
#[cfg(feature = "bus")]
pub mod devices;
pub mod export;
#[cfg(feature = "bus")]
pub mod journal;
pub mod kernel;
#[cfg(feature = "bus")]
pub mod lock;
#[cfg(feature = "bus")]
pub mod params;
pub mod paths;
#[cfg(feature = "bus")]
pub mod permissions;
pub mod pid1;
pub mod remote;
#[cfg(feature = "bus")]
pub mod sandbox;
#[cfg(feature = "bus")]
pub mod services;
#[cfg(feature = "bus")]
pub mod stores;

/// Names a server of a bus for the length of a boot, as D-Bus wants it: 32 hexadecimal digits. Not
/// from zbus, which panics where there is no `/dev/urandom`.
#[must_use]
pub fn guid(boot_id: &str) -> String {
    let digits: String = boot_id.chars().filter(char::is_ascii_hexdigit).collect();
    if digits.len() == 32 { digits } else { "1".repeat(32) }
}
