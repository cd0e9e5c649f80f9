//! OpenRC with its own PID 1 and its own supervisor; only our daemons in its runlevel.

use anyhow::Result;

use super::{Peer, before, put};
use crate::tree::{Node, Tree};

/// OpenRC.
pub(super) const PEER: Peer = Peer {
    key: "openrc",
    name: "OpenRC",
    packages: &["openrc", "dash", "coreutils", "mount", "grep", "sed", "mawk"],
    about: "`need` and `supervise-daemon`, one service after the other (`rc_parallel` is off, as shipped); this version \
            knows no readiness: a daemon counts when its supervisor runs",
    init: "/usr/sbin/openrc-init",
    stop: "/usr/sbin/rc-service daemon-@ stop",
    start: "/usr/sbin/rc-service daemon-@ start",
    off: "/usr/sbin/openrc-shutdown --poweroff now",
    cgroups: false,
    files,
};

fn files(tree: &mut Tree, count: u32) -> Result<()> {
    tree.insert("usr/bin/sh", Node::symlink("dash"))?;
    tree.insert("usr/bin/awk", Node::symlink("mawk"))?;
    for level in ["sysinit", "boot", "default", "nonetwork", "shutdown"] {
        let level = format!("etc/runlevels/{level}");
        tree.remove(&level);
        tree.insert(&level, Node::directory(0o755))?;
    }
    for id in 0..count {
        let path = format!("etc/init.d/daemon-{id}");
        put(tree, &path, 0o755, &script(id))?;
        let wanted = format!("etc/runlevels/default/daemon-{id}");
        tree.insert(&wanted, Node::symlink(format!("/{path}")))?;
    }
    Ok(())
}

fn script(id: u32) -> String {
    let need = before(id).map(|b| format!("depend() {{\n\tneed daemon-{b}\n}}\n"));
    format!(
        "#!/usr/sbin/openrc-run\nsupervisor=supervise-daemon\ncommand=/bench/daemon\n\
         command_args={id}\n{}",
        need.unwrap_or_default()
    )
}
