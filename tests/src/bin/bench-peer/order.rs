//! What the host wants of a guest: `KEY=VALUE` lines in [`FILE`].

use std::io;
use std::{fs, io::ErrorKind};

/// Where the order is.
const FILE: &str = "/bench/order";

/// Where programs are looked for.
pub(crate) const PATH: &str = "/usr/sbin:/usr/bin";

/// Stands for the number of a daemon in a command.
const ID: &str = "@";

/// What is to be done. Commands are words divided by blanks.
#[derive(Debug, Default)]
pub(crate) struct Order {
    /// How many daemons there are.
    pub(crate) count: u32,
    /// Measure crashes, the tool and memory too, not only the start.
    pub(crate) full: bool,
    /// Each daemon has a cgroup of its own; for the floor.
    pub(crate) cgroups: bool,
    /// The manager.
    pub(crate) init: Vec<String>,
    /// Stops a daemon and waits for it; empty: there is no such tool.
    pub(crate) stop: Vec<String>,
    /// Starts a daemon and waits until it is ready.
    pub(crate) start: Vec<String>,
    /// Powers off.
    pub(crate) off: Vec<String>,
}

/// Reads the order.
pub(crate) fn read() -> io::Result<Order> {
    let mut order = Order::default();
    for line in fs::read_to_string(FILE)?.lines() {
        let (key, value) = line.split_once('=').ok_or(ErrorKind::InvalidData)?;
        let words = || value.split_whitespace().map(str::to_owned).collect();
        match key {
            "count" => order.count = value.parse().map_err(io::Error::other)?,
            "full" => order.full = value == "yes",
            "cgroups" => order.cgroups = value == "yes",
            "init" => order.init = words(),
            "stop" => order.stop = words(),
            "start" => order.start = words(),
            "off" => order.off = words(),
            _ => return Err(io::Error::other(format!("an order of this kind: {key}"))),
        }
    }
    Ok(order)
}

/// A command for this daemon.
pub(crate) fn of(command: &[String], id: u32) -> Vec<String> {
    command.iter().map(|word| word.replace(ID, &id.to_string())).collect()
}
