//! systemd, as little of it as there can be: no journald, no udev, no generators, one target.

use anyhow::Result;

use super::{Peer, before, put};
use crate::tree::{Node, Tree};

/// systemd.
pub(super) const PEER: Peer = Peer {
    key: "systemd",
    name: "systemd",
    packages: &["systemd"],
    about: "`Type=notify`, `Requires=` and `After=`; only our target: no journald, no udev, no logind, \
            generators masked, `DefaultDependencies=no`, no delay of restarts, no output of services",
    init: "/usr/lib/systemd/systemd",
    stop: "/usr/bin/systemctl stop daemon-@.service",
    start: "/usr/bin/systemctl start daemon-@.service",
    off: "/usr/bin/systemctl poweroff",
    cgroups: true,
    files,
};

/// Where generators are, and where they are masked.
const GENERATORS: (&str, &str) =
    ("usr/lib/systemd/system-generators", "etc/systemd/system-generators");

fn files(tree: &mut Tree, count: u32) -> Result<()> {
    let generators: Vec<String> = tree.children(GENERATORS.0).map(str::to_owned).collect();
    for path in generators {
        tree.insert(&path.replace(GENERATORS.0, GENERATORS.1), Node::symlink("/dev/null"))?;
    }
    let manager = "[Manager]\nDefaultStandardOutput=null\nDefaultStandardError=null\nShowStatus=no\n\
                   LogTarget=kmsg\nLogLevel=warning\n";
    put(tree, "etc/systemd/system.conf", 0o644, manager)?;
    let target = "etc/systemd/system/bench.target";
    put(tree, target, 0o644, "[Unit]\nDescription=bench\nDefaultDependencies=no\n")?;
    tree.insert("etc/systemd/system/default.target", Node::symlink("bench.target"))?;
    for id in 0..count {
        let name = format!("daemon-{id}.service");
        put(tree, &format!("etc/systemd/system/{name}"), 0o644, &unit(id))?;
        let wanted = format!("{target}.wants/{name}");
        tree.insert(&wanted, Node::symlink(format!("../{name}")))?;
    }
    Ok(())
}

fn unit(id: u32) -> String {
    let needs =
        before(id).map(|b| format!("Requires=daemon-{b}.service\nAfter=daemon-{b}.service\n"));
    format!(
        "[Unit]\nDefaultDependencies=no\nConflicts=shutdown.target\nBefore=shutdown.target\n{}\n\
         [Service]\nType=notify\nExecStart=/bench/daemon {id}\nRestart=always\nRestartSec=0\n",
        needs.unwrap_or_default()
    )
}
