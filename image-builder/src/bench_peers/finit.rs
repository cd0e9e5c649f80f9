//! finit, without its own udev, network and terminal services.

use anyhow::Result;

use super::{Peer, before, put};
use crate::tree::{Node, Tree};

/// finit.
pub(super) const PEER: Peer = Peer {
    key: "finit",
    name: "finit",
    packages: &["finit", "dash", "mount"],
    about: "`notify:s6`, since its `notify:systemd` passes a number for a path, and the condition \
            `<service/…/ready>`; `respawn`, since other restarts wait for two seconds and more; none of its own services",
    init: "/usr/sbin/finit",
    stop: "/usr/sbin/initctl stop daemon-@",
    start: "/usr/sbin/initctl start daemon-@",
    off: "/usr/sbin/initctl poweroff",
    cgroups: true,
    files,
};

/// Where services are that come with the package.
const SHIPPED: [&str; 2] = ["etc/finit.d", "usr/lib/finit/system"];

fn files(tree: &mut Tree, count: u32) -> Result<()> {
    tree.insert("usr/bin/sh", Node::symlink("dash"))?;
    for directory in SHIPPED {
        let shipped: Vec<String> = tree.children(directory).map(str::to_owned).collect();
        shipped.iter().for_each(|path| tree.remove(path));
    }
    put(tree, "etc/finit.conf", 0o644, "runlevel 2\n")?;
    for id in 0..count {
        put(tree, &format!("etc/finit.d/daemon-{id}.conf"), 0o644, &service(id))?;
    }
    Ok(())
}

fn service(id: u32) -> String {
    let needs = before(id).map(|b| format!("<!,service/daemon-{b}/ready>"));
    let needs = needs.unwrap_or_else(|| "<!>".to_owned());
    format!("service [2] name:daemon-{id} notify:s6 respawn {needs} /bench/daemon {id} %n --\n")
}
