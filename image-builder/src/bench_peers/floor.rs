//! The floor: PID 1 that only forks and executes; what no service manager can be below.

use anyhow::Result;

use super::Peer;
use crate::tree::Tree;

/// Without cgroups.
pub(super) const PLAIN: Peer = Peer {
    key: "floor",
    name: "bare fork and exec",
    packages: &[],
    about: "no service manager: nothing but the graph; its tool sends a word and waits for a byte",
    init: "/bench/peer floor",
    stop: "/bench/peer ask stop @",
    start: "/bench/peer ask start @",
    off: "/bench/peer ask-off",
    cgroups: false,
    files: nothing,
};

/// With a cgroup for each.
pub(super) const CGROUPS: Peer = Peer {
    key: "floor-cgroup",
    name: "the same, a cgroup each",
    about: "by `CLONE_INTO_CGROUP`",
    cgroups: true,
    ..PLAIN
};

fn nothing(_tree: &mut Tree, _count: u32) -> Result<()> {
    Ok(())
}
