//! The name of this device in its uts namespace.

use std::io;

/// Sets it.
///
/// # Errors
/// `EPERM`: not allowed here. `EINVAL`: longer than 64 bytes.
pub fn set(name: &str) -> io::Result<()> {
    Ok(nix::unistd::sethostname(name)?)
}
