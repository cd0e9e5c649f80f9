//! fscrypt: directories whose files, names and links the kernel encrypts (ext4, f2fs).
//!
//! ```text
//! key ─ add ─► file system has it: what it encrypts is read and written as any file
//!          └─ remove ─► it does not: names are gibberish, nothing can be opened, all can be deleted
//! directory ─ encrypt (it is empty) ─► all that is made in it is encrypted with the key of that name
//! ```
//!
//! Policies of version 2: a file system names a key by what is in it, so a wrong one can't be put in place of
//! another. AES-256-XTS for contents, AES-256-CTS for names. Nothing here keeps a key, or decides who may have which.

#![expect(unsafe_code, reason = "`nix` has not these ioctls")]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use nix::errno::Errno;
use zeroize::Zeroize;

/// Bytes of a key.
pub const KEY: usize = 64;

/// Bytes of the name of a key.
pub const NAME: usize = 16;

/// What the kernel calls a key: computed from it, and no secret.
pub type Name = [u8; NAME];

/// `ENOKEY`: the key is not there.
pub const NO_KEY: i32 = libc::ENOKEY;

/// `ENOPKG`: the kernel lacks what encrypts.
pub const NO_CIPHER: i32 = libc::ENOPKG;

/// `ENOTEMPTY`: something is in the directory.
pub const NOT_EMPTY: i32 = libc::ENOTEMPTY;

/// `FSCRYPT_KEY_SPEC_TYPE_IDENTIFIER`.
const BY_NAME: u32 = 2;

/// `FSCRYPT_POLICY_V2`.
const VERSION: u8 = 2;

/// `FSCRYPT_MODE_AES_256_XTS`.
const CONTENTS: u8 = 1;

/// `FSCRYPT_MODE_AES_256_CTS`.
const NAMES: u8 = 4;

/// `FSCRYPT_POLICY_FLAGS_PAD_32`: names are told apart in length by steps of 32.
const PADDED: u8 = 3;

/// `FSCRYPT_KEY_REMOVAL_STATUS_FLAG_FILES_BUSY`.
const BUSY: u32 = 1;

/// `struct fscrypt_key_specifier` (`linux/fscrypt.h`).
#[repr(C)]
#[derive(Default)]
struct Specifier {
    kind: u32,
    reserved: u32,
    name: Name,
    rest: [u8; 16],
}

/// `struct fscrypt_add_key_arg`, with the key behind it.
#[repr(C)]
struct Add {
    which: Specifier,
    size: u32,
    key_id: u32,
    reserved: [u32; 8],
    key: [u8; KEY],
}

/// `struct fscrypt_remove_key_arg`.
#[repr(C)]
#[derive(Default)]
struct Remove {
    which: Specifier,
    status: u32,
    reserved: [u32; 5],
}

/// `struct fscrypt_policy_v2`.
#[repr(C)]
#[derive(Default)]
struct Policy {
    version: u8,
    contents: u8,
    names: u8,
    flags: u8,
    data_unit: u8,
    reserved: [u8; 3],
    name: Name,
}

/// `struct fscrypt_get_policy_ex_arg`, with room for the longest policy there is.
#[repr(C)]
#[derive(Default)]
struct Get {
    size: u64,
    policy: Policy,
}

mod request {
    use super::{Add, KEY, Policy, Remove};

    /// `FS_IOC_ADD_ENCRYPTION_KEY`: its number has the size of the structure without the key.
    pub(super) const ADD: nix::sys::ioctl::ioctl_num_type =
        nix::request_code_readwrite!(b'f', 23, size_of::<Add>() - KEY);

    /// `FS_IOC_GET_ENCRYPTION_POLICY_EX`: its number has the size of the version and the size of the policy.
    pub(super) const GET: nix::sys::ioctl::ioctl_num_type =
        nix::request_code_readwrite!(b'f', 22, 9);

    /// `FS_IOC_SET_ENCRYPTION_POLICY`: its number has the size of version 1.
    pub(super) const SET: nix::sys::ioctl::ioctl_num_type = nix::request_code_read!(b'f', 19, 12);

    nix::ioctl_readwrite!(
        /// `FS_IOC_REMOVE_ENCRYPTION_KEY`.
        remove, b'f', 24, Remove
    );

    const _: () = assert!(size_of::<Policy>() == 24);
}

/// Gives a key to the file system of `place`, which names it. One that it has already stays.
///
/// # Errors
/// - `EOPNOTSUPP`, `ENOTTY` (see [`is_missing`]): the file system encrypts nothing, or was not made to.
/// - `EDQUOT`, `ENOMEM`: too many keys.
pub fn add(place: BorrowedFd<'_>, key: &[u8; KEY]) -> io::Result<Name> {
    let which = Specifier { kind: BY_NAME, ..Specifier::default() };
    let size = u32::try_from(KEY).map_err(io::Error::other)?;
    let mut how = Add { which, size, key_id: 0, reserved: [0; 8], key: *key };
    // SAFETY: the kernel reads the structure and `size` bytes behind it, and writes the name into it.
    let added = unsafe { libc::ioctl(place.as_raw_fd(), request::ADD, &raw mut how) };
    how.key.zeroize();
    Errno::result(added)?;
    Ok(how.which.name)
}

/// Takes a key from the file system of `place`; answers whether files are still open that it had opened: these
/// go on until they are closed. One that is not there is fine.
///
/// # Errors
/// As [`add`].
pub fn remove(place: BorrowedFd<'_>, name: &Name) -> io::Result<bool> {
    let which = Specifier { kind: BY_NAME, name: *name, ..Specifier::default() };
    let mut how = Remove { which, ..Remove::default() };
    // SAFETY: the kernel reads and writes a `struct fscrypt_remove_key_arg`.
    match unsafe { request::remove(place.as_raw_fd(), &raw mut how) } {
        Ok(_) => Ok(how.status & BUSY != 0),
        Err(Errno::ENOKEY) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Encrypts what will be in an empty directory, with a key that its file system has. One that is encrypted so
/// already stays as it is.
///
/// # Errors
/// - As [`add`]. `ENOKEY` ([`NO_KEY`]): the key is not there. `ENOTEMPTY` ([`NOT_EMPTY`]): something is in it.
/// - `EEXIST`: it is encrypted in another way. `ENOPKG` ([`NO_CIPHER`]): a module of the kernel is missing.
pub fn encrypt(directory: BorrowedFd<'_>, name: &Name) -> io::Result<()> {
    let how = Policy {
        version: VERSION,
        contents: CONTENTS,
        names: NAMES,
        flags: PADDED,
        name: *name,
        ..Policy::default()
    };
    // SAFETY: the kernel reads a `struct fscrypt_policy_v2`, which its first byte says it is.
    let done = unsafe { libc::ioctl(directory.as_raw_fd(), request::SET, &raw const how) };
    Ok(Errno::result(done).map(drop)?)
}

/// The key that a directory is encrypted with; `None` if it is not, or can't be here.
///
/// # Errors
/// `EINVAL`, [`io::ErrorKind::Unsupported`]: it is encrypted in a way that is not ours. `EIO`.
pub fn key_of(directory: BorrowedFd<'_>) -> io::Result<Option<Name>> {
    match asked(directory) {
        Ok(policy) if policy.version == VERSION => Ok(Some(policy.name)),
        Ok(_) => Err(io::Error::new(io::ErrorKind::Unsupported, "it is encrypted in another way")),
        Err(error) if error.raw_os_error() == Some(libc::ENODATA) || is_missing(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

fn asked(directory: BorrowedFd<'_>) -> io::Result<Policy> {
    let size = u64::try_from(size_of::<Policy>()).map_err(io::Error::other)?;
    let mut got = Get { size, policy: Policy::default() };
    // SAFETY: the kernel writes at most `size` bytes of policy.
    let asked = unsafe { libc::ioctl(directory.as_raw_fd(), request::GET, &raw mut got) };
    Errno::result(asked)?;
    Ok(got.policy)
}

/// Whether an error says that nothing can be encrypted here.
#[must_use]
pub fn is_missing(error: &io::Error) -> bool {
    let missing = [libc::EOPNOTSUPP, libc::ENOTTY];
    error.raw_os_error().is_some_and(|errno| missing.contains(&errno))
}

/// Whether something can be encrypted where `directory` is.
#[must_use]
pub fn is_here(directory: BorrowedFd<'_>) -> bool {
    !matches!(asked(directory), Err(error) if is_missing(&error))
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn where_nothing_can_be_encrypted_it_is_said_so() {
        let place = File::open("/proc").unwrap();
        let place = place.as_fd();
        assert!(is_missing(&add(place, &[1; KEY]).unwrap_err()));
        assert!(is_missing(&remove(place, &[1; NAME]).unwrap_err()));
        assert!(is_missing(&encrypt(place, &[1; NAME]).unwrap_err()));
        assert!(!is_here(place));
        assert_eq!(key_of(place).unwrap(), None);
    }

    #[test]
    fn structures_and_numbers_are_as_linux_has_them() {
        assert_eq!(size_of::<Specifier>(), 40);
        assert_eq!(size_of::<Add>() - KEY, 80);
        assert_eq!(size_of::<Remove>(), 64);
        assert_eq!(size_of::<Get>(), 32);
        assert_eq!(
            [request::ADD, request::GET, request::SET],
            [0xc050_6617, 0xc009_6616, 0x800c_6613]
        );
    }
}
