//! How the device is, looked up when somebody needs to know: its battery, its network, its room.
//!
//! Invariant: what can't be read is as if it were well: a device without a battery is one whose battery is not low.

use std::fs;
use std::path::Path;

/// Where the kernel has batteries and chargers.
const SUPPLIES: &str = "/sys/class/power_supply";

/// Percent of a battery at and below which it is low.
const LOW: u32 = 20;

/// The ways that the device itself has, IPv4 and IPv6: ability-manager has a network of its own, without any.
const ROUTES: &str = "/proc/1/net/route";
const ROUTES_6: &str = "/proc/1/net/ipv6_route";

/// `RTF_UP` and `RTF_REJECT` (`linux/route.h`).
const UP: u32 = 0x1;
const REJECT: u32 = 0x200;

/// Where data are.
const STATE: &str = "/var";

/// Percent of that which are free when there is room for more.
const FREE: u64 = 5;

/// Bytes that are enough, however little that is of a large disk.
const ENOUGH: u64 = 512 << 20;

/// Most supplies that are looked at.
const MAX_SUPPLIES: usize = 64;

/// Batteries and chargers of the device.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Power {
    /// Percent of the fullest battery.
    battery: Option<u32>,
    /// Something charges it.
    charger: bool,
}

impl Power {
    /// As the kernel has it in this directory.
    pub(super) fn read(supplies: &Path) -> Self {
        let mut power = Self::default();
        let Ok(entries) = fs::read_dir(supplies) else { return power };
        for entry in entries.flatten().take(MAX_SUPPLIES) {
            let say = |name: &str| {
                let text = fs::read_to_string(entry.path().join(name)).unwrap_or_default();
                text.trim().to_owned()
            };
            // That of a mouse or a pen.
            if say("scope") == "Device" {
                continue;
            }
            if say("type") == "Battery" {
                let full = say("capacity").parse().ok();
                power.battery = power.battery.max(full);
                power.charger |= matches!(say("status").as_str(), "Charging" | "Full");
            } else {
                power.charger |= !matches!(say("online").as_str(), "" | "0");
            }
        }
        power
    }

    /// It is being charged, or has no battery.
    pub(super) fn is_charging(self) -> bool {
        self.battery.is_none() || self.charger
    }

    /// It has a battery that is low and not being charged.
    pub(super) fn is_low(self) -> bool {
        !self.charger && self.battery.is_some_and(|percent| percent <= LOW)
    }
}

/// Batteries and chargers now.
pub(super) fn power() -> Power {
    Power::read(Path::new(SUPPLIES))
}

/// Whether a way leads out of the device.
pub(super) fn network() -> bool {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    leads_out(&read(ROUTES), &read(ROUTES_6))
}

/// Whether there is room for more data.
pub(super) fn storage() -> bool {
    let sizes = sys::disk::free(Path::new(STATE)).ok().zip(sys::disk::size(Path::new(STATE)).ok());
    sizes.is_none_or(|(free, size)| has_room(free, size))
}

fn has_room(free: u64, size: u64) -> bool {
    free >= ENOUGH || free >= size / 100 * FREE
}

/// Whether one of these is a default route that is up, by a device that is not the loopback.
fn leads_out(routes: &str, routes_6: &str) -> bool {
    let is_up = |flags: Option<&&str>| {
        let flags = flags.and_then(|flags| u32::from_str_radix(flags, 16).ok()).unwrap_or(0);
        flags & UP != 0 && flags & REJECT == 0
    };
    let old = |line: &str| {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let all = words.get(1) == Some(&"00000000") && words.get(7) == Some(&"00000000");
        all && is_up(words.get(3))
    };
    let new = |line: &str| {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let zero = words.first().is_some_and(|to| to.bytes().all(|digit| digit == b'0'));
        let all = zero && words.get(1) == Some(&"00");
        all && words.get(9).is_some_and(|device| *device != "lo") && is_up(words.get(8))
    };
    routes.lines().any(old) || routes_6.lines().any(new)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn supply(at: &Path, name: &str, files: &[(&str, &str)]) {
        fs::create_dir_all(at.join(name)).unwrap();
        for (file, text) in files {
            fs::write(at.join(name).join(file), format!("{text}\n")).unwrap();
        }
    }

    #[test]
    fn a_battery_is_low_when_little_is_left_and_nothing_charges_it() {
        let at = tempfile::tempdir().unwrap();
        let at = at.path();
        let none = Power::read(&at.join("nowhere"));
        assert!(none.is_charging() && !none.is_low());
        supply(at, "pen", &[("type", "Battery"), ("scope", "Device"), ("capacity", "3")]);
        assert_eq!(Power::read(at), none, "that of a pen is not the device's");
        supply(at, "BAT0", &[("type", "Battery"), ("capacity", "20"), ("status", "Discharging")]);
        assert!(Power::read(at).is_low());
        supply(at, "AC", &[("type", "Mains"), ("online", "1")]);
        assert!(!Power::read(at).is_low());
        supply(at, "AC", &[("online", "0")]);
        supply(at, "BAT0", &[("capacity", "21")]);
        assert!(!Power::read(at).is_low());
        supply(at, "BAT0", &[("status", "Charging"), ("capacity", "9")]);
        assert!(!Power::read(at).is_low());
    }

    #[test]
    fn there_is_room_when_a_twentieth_or_half_a_gigabyte_is_free() {
        const MEBI: u64 = 1 << 20;
        assert!(has_room(13 * MEBI, 256 * MEBI) && !has_room(12 * MEBI, 256 * MEBI));
        assert!(has_room(512 * MEBI, 1 << 50) && !has_room(511 * MEBI, 1 << 50));
        assert!(!has_room(0, 1 << 30));
    }

    #[test]
    fn a_default_route_that_is_up_leads_out() {
        let head =
            "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n";
        let route = |to: &str, flags: &str, mask: &str| {
            format!("{head}eth0\t{to}\t0202000A\t{flags}\t0\t0\t0\t{mask}\t0\t0\t0\n")
        };
        assert!(leads_out(&route("00000000", "0003", "00000000"), ""));
        assert!(!leads_out(&route("0002000A", "0001", "00FFFFFF"), ""));
        assert!(!leads_out(&route("00000000", "0200", "00000000"), ""));
        let zero = "0".repeat(32);
        let route = |device: &str, flags: &str| {
            format!("{zero} 00 {zero} 00 {zero} ffffffff 00000001 00000000 {flags} {device}\n")
        };
        assert!(leads_out("", &route("eth0", "00450003")));
        assert!(!leads_out("", &route("lo", "00200200")));
        assert!(!leads_out("", &route("eth0", "00200200")));
        assert!(!leads_out("broken", "00"));
    }
}
