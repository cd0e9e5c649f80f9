//! How the device is, looked up when somebody needs to know: its battery.
//!
//! Invariant: what can't be read is as if it were well: a device without a battery is one whose battery is not low.

use std::fs;
use std::path::Path;

/// Where the kernel has batteries and chargers.
const SUPPLIES: &str = "/sys/class/power_supply";

/// Percent of a battery at and below which it is low.
const LOW: u32 = 20;

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

    /// It has a battery that is low and not being charged.
    pub(super) fn is_low(self) -> bool {
        !self.charger && self.battery.is_some_and(|percent| percent <= LOW)
    }
}

/// Whether the battery is low now.
pub(super) fn low_battery() -> bool {
    Power::read(Path::new(SUPPLIES)).is_low()
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
        assert!(!none.is_low());
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
}
