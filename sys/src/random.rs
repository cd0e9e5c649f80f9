//! The kernel's random pool.

#![expect(unsafe_code, reason = "an ioctl, and getrandom(2) is not in `nix`")]

use std::fs::OpenOptions;
use std::io;
use std::os::fd::AsRawFd;

use nix::errno::Errno;

/// Most bytes [`credit`] takes at once.
pub const MAX_SEED: usize = 512;

/// `struct rand_pool_info` with room for [`MAX_SEED`] bytes.
#[repr(C)]
struct Pool {
    bits: libc::c_int,
    bytes: libc::c_int,
    seed: [u8; MAX_SEED],
}

mod request {
    use super::Pool;

    /// `RNDADDENTROPY`, which names the size of the struct without its bytes.
    pub(super) const ADD: libc::Ioctl = nix::request_code_write!(b'R', 3, size_of::<[i32; 2]>());

    nix::ioctl_write_ptr_bad!(
        /// Adds the bytes and counts the bits.
        add,
        ADD,
        Pool
    );
}

/// Stirs `seed` into the pool and counts each bit of it as random. It must never be used again.
///
/// # Errors
/// `EPERM`: not allowed here. [`io::ErrorKind::InvalidInput`]: longer than [`MAX_SEED`].
pub fn credit(seed: &[u8]) -> io::Result<()> {
    let bytes = libc::c_int::try_from(seed.len()).map_err(io::Error::other)?;
    let mut pool = Pool { bits: bytes.saturating_mul(8), bytes, seed: [0; MAX_SEED] };
    pool.seed.get_mut(..seed.len()).ok_or(io::ErrorKind::InvalidInput)?.copy_from_slice(seed);
    let device = OpenOptions::new().write(true).open("/dev/urandom")?;
    // SAFETY: `pool` is as the kernel wants it, `bytes` is the length that is filled.
    unsafe { request::add(device.as_raw_fd(), &raw const pool) }?;
    Ok(())
}

/// Fills `buf` with random bytes. Never waits.
///
/// # Errors
/// `EAGAIN` ([`io::ErrorKind::WouldBlock`]): the pool is not ready, early on a first boot.
pub fn fill(buf: &mut [u8]) -> io::Result<()> {
    let mut filled = 0;
    while let Some(rest) = buf.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        // SAFETY: `rest` outlives the call and has this length.
        let got =
            unsafe { libc::getrandom(rest.as_mut_ptr().cast(), rest.len(), libc::GRND_NONBLOCK) };
        match Errno::result(got) {
            Ok(n) => filled += usize::try_from(n).unwrap_or(0),
            Err(Errno::EINTR) => {}
            Err(e) => return Err(e.into()),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_bytes_differ() {
        let (mut a, mut b) = ([0; 32], [0; 32]);
        fill(&mut a).unwrap();
        fill(&mut b).unwrap();
        assert_ne!(a, b);
    }

    #[test]
    fn a_seed_that_is_too_long_is_refused() {
        assert!(credit(&[0; MAX_SEED + 1]).is_err());
    }
}
