//! A network interface whose other end of the cable is a descriptor: a read takes one Ethernet frame that was sent,
//! a write delivers one.
//!
//! It lives in the network namespace it was opened in and is gone with its descriptor.

#![expect(unsafe_code, reason = "two ioctls that `nix` does not have")]

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;

/// The device that makes interfaces.
pub const MAKER: &str = "/dev/net/tun";

/// `struct ifreq`: the name, then a union.
#[repr(C)]
struct Request {
    name: [u8; libc::IFNAMSIZ],
    value: [u8; 24],
}

/// Makes the interface `name` with this hardware address, down. The descriptor does not wait.
///
/// # Errors
/// - `ENOENT`, `EACCES`: [`MAKER`] is not there or not for us. `ENODEV`: the kernel has no such driver.
/// - `EPERM`: without `CAP_NET_ADMIN` in this network namespace. `EBUSY`: there is one with this name.
/// - `EINVAL`: the name is longer than an interface's.
pub fn make(name: &str, address: [u8; 6]) -> io::Result<OwnedFd> {
    let fd = OwnedFd::from(File::options().read(true).write(true).open(MAKER)?);
    let mut request = Request { name: [0; libc::IFNAMSIZ], value: [0; 24] };
    if name.len() >= libc::IFNAMSIZ {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    request.name.iter_mut().zip(name.bytes()).for_each(|(to, from)| *to = from);
    let flags = libc::c_short::try_from(libc::IFF_TAP | libc::IFF_NO_PI);
    let flags = flags.map_err(io::Error::other)?;
    put(&mut request.value, 0, &flags.to_ne_bytes());
    // SAFETY: `request` is an ifreq that outlives the call, its name ends with 0.
    let set = unsafe { libc::ioctl(fd.as_raw_fd(), libc::TUNSETIFF, &raw mut request) };
    Errno::result(set)?;
    request.value = [0; 24];
    put(&mut request.value, 0, &libc::ARPHRD_ETHER.to_ne_bytes());
    put(&mut request.value, 2, &address);
    // SAFETY: as above.
    let set = unsafe { libc::ioctl(fd.as_raw_fd(), libc::SIOCSIFHWADDR, &raw const request) };
    Errno::result(set)?;
    crate::poll::set_nonblocking(&fd)?;
    Ok(fd)
}

fn put(to: &mut [u8], at: usize, bytes: &[u8]) {
    to.iter_mut().skip(at).zip(bytes).for_each(|(to, from)| *to = *from);
}
