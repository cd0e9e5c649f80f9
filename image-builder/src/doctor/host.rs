//! Tests of the host: each tries the thing itself and says what it found when that is not enough.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use crate::programs;
use crate::run::{cgroup, ids, qemu};
use crate::workspace::Workspace;

/// Bytes of disk that a first build fills.
const DISK: u64 = 3 << 30;

/// A program in `PATH`, or where root's programs are.
pub(super) fn find(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let root = ["/usr/sbin", "/sbin"].map(PathBuf::from);
    env::split_paths(&path).chain(root).map(|dir| dir.join(name)).find(|file| file.is_file())
}

fn program(name: &str) -> Option<String> {
    find(name).is_none().then(|| format!("no {name} in PATH"))
}

fn file(path: &str) -> Option<String> {
    (!Path::new(path).exists()).then(|| format!("no {path}"))
}

pub(super) fn apt() -> Option<String> {
    program("apt-get")
}

pub(super) fn keyring() -> Option<String> {
    file(crate::packages::sources::KEYRING)
}

pub(super) fn linker() -> Option<String> {
    program("cc")
}

pub(super) fn cpp() -> Option<String> {
    program("c++")
}

pub(super) fn static_libc() -> Option<String> {
    static_library("libc.a")
}

pub(super) fn static_libseccomp() -> Option<String> {
    static_library("libseccomp.a")
}

fn static_library(name: &str) -> Option<String> {
    programs::static_library(name).is_none().then(|| format!("no {name}"))
}

pub(super) fn disk() -> Option<String> {
    let target = Workspace::find().ok()?.target();
    let there = target.ancestors().find(|dir| dir.is_dir())?;
    let free = sys::disk::free(there).ok()?;
    let built = target.join("ens").is_dir();
    (free < DISK && !built).then(|| format!("{} MiB are free in {}", free >> 20, there.display()))
}

pub(super) fn erofs() -> Option<String> {
    program("fsck.erofs")
}

pub(super) fn verity() -> Option<String> {
    program("fsverity")
}

pub(super) fn ext4() -> Option<String> {
    program("e2fsck")
}

pub(super) fn fat() -> Option<String> {
    program("fsck.vfat")
}

pub(super) fn mtools() -> Option<String> {
    program("mtools")
}

pub(super) fn partitions() -> Option<String> {
    program("sfdisk")
}

pub(super) fn gpt() -> Option<String> {
    program("sgdisk")
}

pub(super) fn cpio() -> Option<String> {
    program("cpio")
}

pub(super) fn emulator() -> Option<String> {
    program(qemu::PROGRAM)
}

pub(super) fn kvm() -> Option<String> {
    qemu::no_kvm().map(|why| format!("{why}: machines are emulated, several times slower"))
}

pub(super) fn window() -> Option<String> {
    let set = |name| env::var_os(name).is_some_and(|v| !v.is_empty());
    let has_display = set("DISPLAY") || set("WAYLAND_DISPLAY");
    (has_display && find(qemu::PROGRAM).is_some() && qemu::display().is_none())
        .then(|| "QEMU cannot open windows".to_owned())
}

pub(super) fn namespaces() -> Option<String> {
    sys::namespace::allowed().err().map(|e| format!("not allowed ({e})"))
}

pub(super) fn interfaces() -> Option<String> {
    let opened = fs::File::options().read(true).write(true).open(sys::tap::MAKER);
    opened.err().map(|e| {
        format!("{} cannot be opened ({e}): no network between containers", sys::tap::MAKER)
    })
}

pub(super) fn id_ranges() -> Option<String> {
    ids::Mapping::of_this_host().ok()?.note().map(str::to_owned)
}

pub(super) fn cgroup() -> Option<String> {
    // It is gone again at once.
    cgroup::Group::create().is_none().then(|| "limits have no effect in containers".to_owned())
}

pub(super) fn journal_remote() -> Option<String> {
    file("/usr/lib/systemd/systemd-journal-remote")
}

pub(super) fn podman() -> Option<String> {
    program("podman")
}

pub(super) fn runc() -> Option<String> {
    program("runc")
}

pub(super) fn nextest() -> Option<String> {
    program("cargo-nextest").map(|_| "plain cargo test is used".to_owned())
}

/// Whether apt has lists of packages at all; a fresh container image has none.
pub(super) fn has_apt_lists() -> bool {
    let entries = fs::read_dir("/var/lib/apt/lists").into_iter().flatten().flatten();
    entries.into_iter().any(|e| e.file_name().to_string_lossy().contains("Packages"))
}
