//! runit as PID 1, with stages that do only what daemons need.

use anyhow::Result;

use super::{Peer, before, put};
use crate::tree::{Node, Tree};

/// runit.
pub(super) const PEER: Peer = Peer {
    key: "runit",
    name: "runit",
    packages: &["runit", "dash", "coreutils", "mount"],
    about: "knows no readiness: the script of a daemon says `sv start` of the one before it, which \
            asks every 0.42 s whether that runs; a script that fails is tried again after a second",
    init: "/usr/sbin/runit",
    stop: "/usr/bin/sv stop /etc/sv/daemon-@",
    start: "/usr/bin/sv start /etc/sv/daemon-@",
    off: "/usr/sbin/runit-init 0",
    cgroups: false,
    files,
};

const STAGE_1: &str = "#!/bin/sh\nPATH=/usr/sbin:/usr/bin\nmount -t proc proc /proc\nmount -t tmpfs tmpfs /run\n\
                       install -m000 /dev/null /run/runit.stopit\ninstall -m000 /dev/null /run/runit.reboot\n";
const STAGE_2: &str = "#!/bin/sh\nexec env - PATH=/usr/sbin:/usr/bin runsvdir -P /etc/sv\n";
const STAGE_3: &str =
    "#!/bin/sh\nPATH=/usr/sbin:/usr/bin\nsv -w 25 force-stop /etc/sv/*\nsv exit /etc/sv/*\n";

fn files(tree: &mut Tree, count: u32) -> Result<()> {
    tree.insert("usr/bin/sh", Node::symlink("dash"))?;
    tree.remove("etc/sv");
    for (stage, text) in [("1", STAGE_1), ("2", STAGE_2), ("3", STAGE_3)] {
        put(tree, &format!("etc/runit/{stage}"), 0o755, text)?;
    }
    for id in 0..count {
        put(tree, &format!("etc/sv/daemon-{id}/run"), 0o755, &script(id))?;
    }
    Ok(())
}

fn script(id: u32) -> String {
    let wait = before(id).map(|b| format!("sv start /etc/sv/daemon-{b} >/dev/null || exit 1\n"));
    format!("#!/bin/sh\n{}exec /bench/daemon {id}\n", wait.unwrap_or_default())
}
