//! The network between devices that boot together: addresses, names, and how a device is told.
//!
//! ```text
//! phone 10.77.0.1 ─┐
//! tv    10.77.0.2 ─┴─ one multicast group on the host's loopback; NAME.local in /etc/hosts
//! ```
//!
//! A port is picked for each run, so runs do not hear each other.

use std::net::UdpSocket;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use api::debug::Ended;

use super::guest::Guest;
use super::qemu;

/// Most devices on one network.
pub const MAX_DEVICES: usize = 200;

/// Longest time a device may take to set its interface up.
const LIMIT: Duration = Duration::from_secs(30);

/// A UDP port that nobody uses at the moment.
///
/// # Errors
/// The host has no loopback interface or no port left.
pub fn free_port() -> Result<u16> {
    let socket = UdpSocket::bind("127.0.0.1:0").context("looking for a free UDP port")?;
    Ok(socket.local_addr()?.port())
}

/// Sets the interface and the names up on `guest`, which is at `place` (from 1) among `names`.
///
/// # Errors
/// The device refuses, or takes too long.
pub fn configure(guest: &mut Guest, place: u8, names: &[String]) -> Result<()> {
    let script = script(place, names);
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

/// For a shell with `ip` (its own or busybox').
fn script(place: u8, names: &[String]) -> String {
    let hosts: String = (1..)
        .zip(names)
        .map(|(at, name): (u8, _)| format!("10.77.0.{at} {name}.local {name}\n"))
        .collect();
    format!(
        r#"set -e
ip=ip; command -v ip >/dev/null || ip="busybox ip"
for n in /sys/class/net/*; do
  read -r mac < $n/address
  if [ "$mac" = {mac} ]; then nic=${{n##*/}}; fi
done
[ -n "$nic" ] || {{ echo "no interface has the address {mac}" >&2; exit 1; }}
$ip link set "$nic" up
$ip addr add 10.77.0.{place}/24 dev "$nic"
$ip route add 224.0.0.0/4 dev "$nic" || true
printf '%s' '{hosts}' >> /etc/hosts
"#,
        mac = qemu::inside_mac(place)
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
        let script = script(2, &["phone".into(), "tv".into()]);
        assert!(script.contains("addr add 10.77.0.2/24"), "{script}");
        assert!(
            script.contains("10.77.0.1 phone.local phone\n10.77.0.2 tv.local tv\n"),
            "{script}"
        );
    }
}
