//! `ens bench peers`: Ensemble beside other service managers, on one machine with one graph of daemons.
//!
//! ```text
//! packages of Debian ─► tree ─┐                          ┌─ /init waits for calm, becomes the manager
//! peer: n services as its     ├─► initramfs ─► QEMU ─────┼─ daemons note when they are ready
//!   people write them ────────┤      -icount shift=0     └─ the watcher measures, powers off
//! bench-peer, the daemon ──────┘
//! ```
//!
//! Every guest runs the same kernel and the same daemon, and is measured in the same way, Ensemble
//! too. A peer is data ([`Peer`]): one file each says what is written for it. What a peer cannot do
//! stays empty in the table, with the reason.

mod ensemble;
mod finit;
mod floor;
mod guest;
mod openrc;
mod runit;
mod s6;
mod systemd;
mod table;

use std::path::Path;

use anyhow::Result;

use crate::packages::Request;
use crate::tree::{Content, Kind, Node, Tree};
use crate::write::cpio;

pub use self::ensemble::{ENSEMBLE, plan, programs};
pub use self::guest::{Measured, run};
pub(crate) use self::guest::{facts, read};
pub use self::table::{Row, table};

/// Daemons for which everything is measured.
pub const FULL: u32 = 100;

/// Daemons for which only the start is measured, beside [`FULL`].
pub const MANY: u32 = 500;

/// The suite that the peers' packages are of.
pub(crate) const SUITE: &str = "trixie";

/// The program of every guest, beside its daemon.
pub const PROGRAM: &str = "bench/peer";

/// What packages bring that no guest needs.
pub(crate) const LEFT_OUT: &[&str] = &[
    "usr/share/bash-completion",
    "usr/share/doc",
    "usr/share/info",
    "usr/share/lintian",
    "usr/share/locale",
    "usr/share/man",
    "usr/share/zsh",
];

/// One service manager.
#[derive(Debug, Clone, Copy)]
pub struct Peer {
    /// What it is called on the command line and in names of files.
    pub key: &'static str,
    /// What it is called.
    pub name: &'static str,
    /// Its packages, the one with its version first; none for what is ours.
    pub packages: &'static [&'static str],
    /// How a daemon of a chain waits for the one before it, and what else is to know.
    pub about: &'static str,
    /// The command that is PID 1.
    pub init: &'static str,
    /// What stops daemon `@` and waits for it; empty: it has no tool.
    pub stop: &'static str,
    /// What starts daemon `@`.
    pub start: &'static str,
    /// What powers off.
    pub off: &'static str,
    /// Whether each daemon has a cgroup.
    pub cgroups: bool,
    /// Writes its configuration with so many daemons.
    pub files: fn(&mut Tree, u32) -> Result<()>,
}

/// All peers, in the order of the table; Ensemble is beside them.
pub const PEERS: &[Peer] = &[
    floor::PLAIN,
    floor::CGROUPS,
    systemd::PEER,
    finit::PEER,
    runit::PEER,
    s6::PEER,
    openrc::PEER,
];

/// Service managers that are compared elsewhere and have no package here: name and reason.
pub const ABSENT: &[(&str, &str)] =
    &[("dinit", "Debian has no package of it"), ("s6-rc", "Debian has no package of it")];

impl Peer {
    /// What it asks of Debian.
    #[must_use]
    pub fn request(&self) -> Request {
        Request {
            suite: SUITE.to_owned(),
            architecture: "amd64".to_owned(),
            packages: self.packages.iter().map(|p| (*p).to_owned()).collect(),
            tools: Vec::new(),
            mirror: None,
        }
    }

    /// What the program in the guest reads.
    fn order(&self, count: u32) -> String {
        let word = |yes| if yes { "yes" } else { "no" };
        format!(
            "count={count}\nfull={}\ncgroups={}\ninit={}\nstop={}\nstart={}\noff={}\n",
            word(count <= FULL),
            word(self.cgroups),
            self.init,
            self.stop,
            self.start,
            self.off
        )
    }
}

/// The file system of a guest: `tree` of its packages, its configuration, and our programs.
///
/// # Errors
/// Something of a package is in the way.
pub fn root(peer: &Peer, mut tree: Tree, count: u32, programs: &[(&str, Content)]) -> Result<Tree> {
    for path in LEFT_OUT {
        tree.remove(path);
    }
    for directory in ["dev", "etc", "proc", "run", "sys", "tmp", "var/lib", "var/log", "bench"] {
        tree.insert(directory, Node::directory(0o755))?;
    }
    let files = [
        ("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n"),
        ("etc/group", "root:x:0:\ntty:x:5:\nuucp:x:10:\n"),
        ("etc/hostname", "bench\n"),
        ("etc/machine-id", "0123456789abcdef0123456789abcdef\n"),
        ("etc/os-release", "ID=bench\nNAME=bench\nPRETTY_NAME=bench\n"),
        ("etc/fstab", ""),
    ];
    for (path, text) in files {
        put(&mut tree, path, 0o644, text)?;
    }
    for (link, target) in [("var/run", "../run"), ("var/lock", "../run/lock")] {
        tree.remove(link);
        tree.insert(link, Node::symlink(target))?;
    }
    tree.insert("dev/console", character(5, 1))?;
    tree.insert("dev/null", character(1, 3))?;
    for (path, program) in programs {
        tree.insert(path, Node::file(0o755, program.clone()))?;
    }
    tree.insert("init", Node::symlink(PROGRAM))?;
    put(&mut tree, "bench/order", 0o644, &peer.order(count))?;
    (peer.files)(&mut tree, count)?;
    Ok(tree)
}

/// Writes a guest's file system as an initramfs.
///
/// # Errors
/// It cannot be written.
pub fn initramfs(tree: &Tree, path: &Path) -> Result<()> {
    cpio::write(tree, crate::recipe::TIME, path)
}

/// A file in place of whatever is there.
pub(crate) fn put(tree: &mut Tree, path: &str, mode: u16, text: &str) -> Result<()> {
    tree.remove(path);
    Ok(tree.insert(path, Node::file(mode, text))?)
}

pub(crate) fn character(major: u32, minor: u32) -> Node {
    Node { mode: 0o600, uid: 0, gid: 0, kind: Kind::Device { block: false, major, minor } }
}

/// The daemon that must be ready before `id`.
fn before(id: u32) -> Option<u32> {
    if id.is_multiple_of(crate::bench::CHAIN) { None } else { id.checked_sub(1) }
}

#[cfg(test)]
mod tests;
