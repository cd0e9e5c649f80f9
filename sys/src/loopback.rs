//! The loopback interface.

#![expect(unsafe_code, reason = "two ioctls that `nix` does not have")]

use std::io;
use std::os::fd::AsRawFd;

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};

/// `struct ifreq`: the name, then a union of which we use the flags.
#[repr(C)]
struct Request {
    name: [u8; libc::IFNAMSIZ],
    flags: libc::c_short,
    rest: [u8; 22],
}

/// Brings `lo` up; the kernel gives it 127.0.0.1 and ::1. Up already is fine.
///
/// # Errors
/// `EPERM`: not allowed here. `ENODEV`: there is none.
pub fn up() -> io::Result<()> {
    let mut request = Request { name: [0; libc::IFNAMSIZ], flags: 0, rest: [0; 22] };
    request.name.iter_mut().zip(b"lo").for_each(|(to, from)| *to = *from);
    let fd = socket(AddressFamily::Inet, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)?;
    // SAFETY: `request` is an ifreq that outlives the call, its name ends with 0.
    let got = unsafe { libc::ioctl(fd.as_raw_fd(), libc::SIOCGIFFLAGS, &raw mut request) };
    Errno::result(got)?;
    let up = libc::c_short::try_from(libc::IFF_UP).map_err(io::Error::other)?;
    if request.flags & up != 0 {
        return Ok(());
    }
    request.flags |= up;
    // SAFETY: as above.
    let set = unsafe { libc::ioctl(fd.as_raw_fd(), libc::SIOCSIFFLAGS, &raw const request) };
    Errno::result(set)?;
    Ok(())
}
