//! Packages made by tests: a `.deb` is three members, and a cache is a directory.

use std::fs;
use std::io::Write;

use sha2::{Digest, Sha256};
use tar::{EntryType, Header};

use super::Archive;
use super::cache::Cache;
use super::lock::{Locked, hex};

/// What is in a package, for [`deb`].
#[derive(Debug, Clone, Copy)]
pub(crate) enum Item<'a> {
    Dir(&'a str),
    File(&'a str, &'a [u8]),
    Symlink(&'a str, &'a str),
    Hardlink(&'a str, &'a str),
    Other(&'a str, EntryType),
}

/// A tar with these items, owned by root, whatever their paths look like.
pub(crate) fn tar(items: &[Item<'_>]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for item in items {
        let (path, kind, target, content): (&str, _, &str, &[u8]) = match *item {
            Item::Dir(path) => (path, EntryType::Directory, "", b""),
            Item::File(path, content) => (path, EntryType::Regular, "", content),
            Item::Symlink(path, target) => (path, EntryType::Symlink, target, b""),
            Item::Hardlink(path, target) => (path, EntryType::Link, target, b""),
            Item::Other(path, kind) => (path, kind, "", b""),
        };
        let mut header = Header::new_gnu();
        header.as_mut_bytes()[..path.len()].copy_from_slice(path.as_bytes());
        header.as_mut_bytes()[157..157 + target.len()].copy_from_slice(target.as_bytes());
        header.set_entry_type(kind);
        header.set_size(u64::try_from(content.len()).unwrap());
        header.set_mode(if kind == EntryType::Directory { 0o755 } else { 0o644 });
        header.set_uid(0);
        header.set_gid(0);
        header.set_cksum();
        builder.append(&header, content).unwrap();
    }
    builder.into_inner().unwrap()
}

/// A package file: `data` is the member of the name `data_name`.
pub(crate) fn deb(control: &str, data_name: &str, data: &[u8]) -> Vec<u8> {
    let control = tar(&[Item::File("./control", control.as_bytes())]);
    let mut ar = b"!<arch>\n".to_vec();
    for (name, content) in
        [("debian-binary", &b"2.0\n"[..]), ("control.tar", &control), (data_name, data)]
    {
        writeln!(ar, "{name:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`", 0, 0, 0, 100_644, content.len())
            .unwrap();
        ar.extend_from_slice(content);
        ar.resize(ar.len().next_multiple_of(2), b'\n');
    }
    ar
}

/// Puts a package file into a cache as if fetched.
pub(crate) fn put(cache: &Cache, name: &str, version: &str, deb: &[u8]) -> Locked {
    let locked = Locked {
        name: name.into(),
        version: version.into(),
        archive: Archive::Debian,
        filename: format!("pool/main/{name}_{version}_amd64.deb"),
        size: u64::try_from(deb.len()).unwrap(),
        sha256: hex(&Sha256::digest(deb)),
    };
    let path = cache.deb(&locked);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, deb).unwrap();
    locked
}

/// A cache that is gone when the directory is dropped.
pub(crate) fn cache() -> (tempfile::TempDir, Cache) {
    let directory = tempfile::tempdir().unwrap();
    let cache = Cache::new(directory.path());
    (directory, cache)
}
