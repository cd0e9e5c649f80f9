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

/// Of `wanted` open files, how many a child of this process may have: more than our own hard limit only
/// where that may be raised. The limits of this process are as before.
///
/// # Errors
/// None known.
pub fn allowed_open_files(wanted: u64) -> io::Result<u64> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    if wanted <= hard {
        return Ok(wanted);
    }
    if setrlimit(Resource::RLIMIT_NOFILE, soft, wanted).is_err() {
        return Ok(hard);
    }
    setrlimit(Resource::RLIMIT_NOFILE, soft, hard)?;
    Ok(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_allowed_is_tried_and_leaves_no_trace() {
        let before = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        assert_eq!(allowed_open_files(8).unwrap(), 8);
        let most = allowed_open_files(before.1 + 1).unwrap();
        assert!(most == before.1 || most == before.1 + 1);
        // More than any kernel allows (`fs.nr_open`).
        assert_eq!(allowed_open_files(1 << 40).unwrap(), before.1);
        assert_eq!(getrlimit(Resource::RLIMIT_NOFILE).unwrap(), before);
    }
}
