//! Limits of this process, which its children inherit.

use std::io;

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Lets this process and its children open `soft` files, and raise that themselves up to `hard`;
/// gives what it became.
///
/// # Errors
/// `EPERM`: the hard limit may not be raised here; then the soft limit is raised as far as it goes.
pub fn open_files(soft: u64, hard: u64) -> io::Result<(u64, u64)> {
    let (_, old) = getrlimit(Resource::RLIMIT_NOFILE)?;
    let wanted = setrlimit(Resource::RLIMIT_NOFILE, soft.min(hard), hard);
    if let Err(e) = wanted {
        setrlimit(Resource::RLIMIT_NOFILE, soft.min(old), old)?;
        return Err(e.into());
    }
    Ok(getrlimit(Resource::RLIMIT_NOFILE)?)
}

/// How far this process and its children may raise their limit of open files.
///
/// # Errors
/// None known.
pub fn most_open_files() -> io::Result<u64> {
    Ok(getrlimit(Resource::RLIMIT_NOFILE)?.1)
}
