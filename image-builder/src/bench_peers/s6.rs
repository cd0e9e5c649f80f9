//! s6's supervision tree as PID 1; its service manager, s6-rc, is no package of Debian.

use anyhow::Result;

use super::{Peer, before, put};
use crate::tree::{Node, Tree};

/// s6.
pub(super) const PEER: Peer = Peer {
    key: "s6",
    name: "s6",
    packages: &["s6", "execline", "dash", "mount"],
    about: "supervision only, without s6-rc: a descriptor for readiness, and `s6-svwait -U` for the one \
            before it in the script of a daemon, which fails while that has no supervisor yet, and is \
            tried again after a second",
    init: "/bench/s6-init",
    stop: "/usr/bin/s6-svc -wD -d /bench/scan/daemon-@",
    start: "/usr/bin/s6-svc -wU -u /bench/scan/daemon-@",
    off: "/usr/bin/s6-svscanctl -t /bench/scan",
    cgroups: false,
    files,
};

const INIT: &str = "#!/bin/sh\nmount -t proc proc /proc\nmount -t tmpfs tmpfs /run\n\
                    exec s6-svscan /bench/scan\n";

fn files(tree: &mut Tree, count: u32) -> Result<()> {
    tree.insert("usr/bin/sh", Node::symlink("dash"))?;
    put(tree, "bench/s6-init", 0o755, INIT)?;
    put(tree, "bench/scan/.s6-svscan/finish", 0o755, "#!/bin/sh\nexec /bench/peer off\n")?;
    for id in 0..count {
        put(tree, &format!("bench/scan/daemon-{id}/run"), 0o755, &script(id))?;
        put(tree, &format!("bench/scan/daemon-{id}/notification-fd"), 0o644, "3\n")?;
    }
    Ok(())
}

fn script(id: u32) -> String {
    let wait = before(id).map(|b| format!("if {{ s6-svwait -U ../daemon-{b} }}\n"));
    format!("#!/usr/bin/execlineb -P\n{}/bench/daemon {id} 3\n", wait.unwrap_or_default())
}
