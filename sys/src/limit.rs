//! Limits of this process, which its children inherit.

use std::io;

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::spawn;

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

/// Of `wanted`, how much a child of this process may have: more than our own hard limit only where that
/// may be raised. The limits of this process are as before.
///
/// # Errors
/// None known.
pub fn allowed(what: spawn::Resource, wanted: u64) -> io::Result<u64> {
    let what = match what {
        spawn::Resource::OpenFiles => Resource::RLIMIT_NOFILE,
        spawn::Resource::Core => Resource::RLIMIT_CORE,
        spawn::Resource::PendingSignals => Resource::RLIMIT_SIGPENDING,
        spawn::Resource::LockedMemory => Resource::RLIMIT_MEMLOCK,
        spawn::Resource::FileSize => Resource::RLIMIT_FSIZE,
        spawn::Resource::Stack => Resource::RLIMIT_STACK,
    };
    let (soft, hard) = getrlimit(what)?;
    if wanted <= hard {
        return Ok(wanted);
    }
    if setrlimit(what, soft, wanted).is_err() {
        return Ok(hard);
    }
    setrlimit(what, soft, hard)?;
    Ok(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_allowed_is_tried_and_leaves_no_trace() {
        let before = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        let files = |n| allowed(spawn::Resource::OpenFiles, n).unwrap();
        assert_eq!(files(8), 8);
        let most = files(before.1 + 1);
        assert!(most == before.1 || most == before.1 + 1);
        // More than any kernel allows (`fs.nr_open`).
        assert_eq!(files(1 << 40), before.1);
        assert_eq!(getrlimit(Resource::RLIMIT_NOFILE).unwrap(), before);
    }
}
