//! The attacks, a file a group.

use crate::attack::Attack;

mod calls;
mod devices;
mod files;
mod identity;
mod ipc;
mod kernel;
mod memory;
mod namespaces;
pub(crate) mod network;
mod processes;
mod resources;
mod terminal;

/// The tables of all groups.
pub const TABLES: &[&[Attack]] = &[
    files::ATTACKS,
    processes::ATTACKS,
    namespaces::ATTACKS,
    namespaces::MOUNTS,
    identity::ATTACKS,
    calls::ATTACKS,
    memory::ATTACKS,
    terminal::ATTACKS,
    network::ATTACKS,
    network::families::ATTACKS,
    network::netlink::ATTACKS,
    ipc::ATTACKS,
    resources::ATTACKS,
    devices::ATTACKS,
    kernel::ATTACKS,
];
