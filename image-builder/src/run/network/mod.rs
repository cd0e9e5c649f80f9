//! The network between devices that run together: addresses, names, and how a device is told.
//!
//! ```text
//! phone 10.77.0.1 ─┐
//! tv    10.77.0.2 ─┴─ a switch in this process; NAME.local in /etc/hosts
//! ```
//!
//! Containers and machines are plugged into it alike. It needs nothing of the host's network and nobody hears it.

pub mod links;
pub mod switch;

use std::net::Ipv4Addr;
use std::time::Duration;

use anyhow::{Result, bail};
use api::debug::Ended;
use model::case;

use super::guest::Guest;

pub use switch::Network;

/// Most devices on one network.
pub const MAX_DEVICES: usize = 200;

/// Longest time a device may take to set its interface up.
const LIMIT: Duration = Duration::from_secs(30);

/// The interface of a container.
pub const INTERFACE: &str = "eth0";

/// Hardware address of the interface between devices of the device at `place`.
#[must_use]
pub const fn address_of(place: u8) -> [u8; 6] {
    [0x52, 0x54, 0x00, 0xe5, 0x01, place]
}

/// [`address_of`] as the kernel writes it.
#[must_use]
pub fn mac(place: u8) -> String {
    address_of(place).map(|byte| format!("{byte:02x}")).join(":")
}

/// Sets the interface and the names up on `guest`, which is at `place` (from 1) among `names`.
///
/// # Errors
/// The device refuses, or takes too long.
pub fn configure(guest: &mut Guest, place: u8, names: &[String]) -> Result<()> {
    run(guest, &(interface(place, case::address(place)) + &names_known(place, names)))
}

/// Gives `guest` another address; nobody is told.
///
/// # Errors
/// As [`configure`].
pub fn change_address(guest: &mut Guest, place: u8, address: Ipv4Addr) -> Result<()> {
    run(guest, &interface(place, address))
}

fn run(guest: &mut Guest, script: &str) -> Result<()> {
    let output = guest.capture(&["/bin/sh", "-s"], script.as_bytes(), LIMIT)?;
    if output.ended != Ended::Status(0) {
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        bail!("the network between the devices could not be set up: {said}");
    }
    Ok(())
}

/// Names by which devices know each other: the same device twice gets a number.
#[must_use]
pub fn distinct(devices: &[&str]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for device in devices {
        let mut name = (*device).to_owned();
        let mut number = 2;
        while names.contains(&name) {
            name = format!("{device}-{number}");
            number += 1;
        }
        names.push(name);
    }
    names
}

/// For a shell with `ip` (its own or busybox'): one address for the interface, up.
fn interface(place: u8, address: Ipv4Addr) -> String {
    format!(
        r#"set -e
ip=ip; command -v ip >/dev/null || ip="busybox ip"
for n in /sys/class/net/*; do
  read -r mac < $n/address
  if [ "$mac" = {mac} ]; then nic=${{n##*/}}; fi
done
[ -n "$nic" ] || {{ echo "no interface has the address {mac}" >&2; exit 1; }}
$ip link set "$nic" up
$ip -4 addr flush dev "$nic"
$ip addr add {address}/24 dev "$nic"
$ip route add 224.0.0.0/4 dev "$nic" || true
"#,
        mac = mac(place)
    )
}

/// The names, its own among them, in place of those that the device had by itself or from a start before.
fn names_known(place: u8, names: &[String]) -> String {
    let all: String = (1..)
        .zip(names)
        .map(|(at, name): (u8, _)| format!("{} {name}.local {name}\n", case::address(at)))
        .collect();
    let own = usize::from(place).checked_sub(1).and_then(|at| names.get(at));
    format!(
        r#"kept=
while read -r line; do
  case $line in "127.0.1.1 "* | "10.77.0."*) ;; *) kept="$kept$line
" ;; esac
done < /etc/hosts
printf '%s127.0.1.1 {own} {own}.local\n%s' "$kept" '{all}' > /etc/hosts
echo {own} > /etc/hostname
hostname {own} 2>/dev/null || busybox hostname {own} || true
"#,
        own = own.map_or("", String::as_str),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_device_twice_has_two_names() {
        assert_eq!(
            distinct(&["phone", "tv", "phone", "phone"]),
            ["phone", "tv", "phone-2", "phone-3"]
        );
    }

    #[test]
    fn a_device_learns_its_own_address_and_all_names() {
        let interface = interface(2, case::address(2));
        assert!(interface.contains("addr add 10.77.0.2/24"), "{interface}");
        assert!(interface.contains("52:54:00:e5:01:02"), "{interface}");
        let names = names_known(2, &["phone".into(), "tv".into()]);
        let all = "10.77.0.1 phone.local phone\n10.77.0.2 tv.local tv\n'";
        assert!(names.contains(all) && names.contains("hostname tv "), "{names}");
    }
}
