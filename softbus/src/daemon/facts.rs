//! What this device is and has, as its image and its kernel tell.

use std::fs;
use std::path::Path;

use crate::profile::Profile;
use crate::trust::{BadText, Form, Name};

/// Longest file that is read here, in bytes.
const MAX_FILE: u64 = 64 << 10;

/// What it is called before anybody says otherwise: its host name.
pub(super) fn name() -> Name {
    Name::lossy(text(Path::new("/etc/hostname")).trim())
}

/// What kind it is.
pub(super) fn form() -> Result<Form, BadText> {
    let release = text(Path::new("/usr/lib/os-release"));
    Form::new(&word(&release, "VARIANT_ID=")).or_else(|_| Form::new("headless"))
}

/// Everything about it.
pub(super) fn profile() -> Profile {
    let release = text(Path::new("/usr/lib/os-release"));
    let parameters = text(Path::new("/usr/lib/ensemble/parameters"));
    let screen = |name: &str| word(&parameters, &format!("const.screen.{name}="));
    let (width, height) = (screen("width"), screen("height"));
    let size = if width.is_empty() { String::new() } else { format!("{width}x{height}") };
    // What it leads to is not to be seen from here.
    let sound = fs::symlink_metadata("/sys/class/sound/card0").is_ok();
    let memory = memory(&text(Path::new("/proc/meminfo")));
    let facts = [
        ("os", word(&release, "NAME=").to_lowercase()),
        ("version", word(&release, "VERSION_ID=")),
        ("ensemble", env!("CARGO_PKG_VERSION").to_owned()),
        ("form", form().map(String::from).unwrap_or_default()),
        ("architecture", std::env::consts::ARCH.to_owned()),
        ("screen", size),
        ("density", screen("density")),
        ("shape", screen("shape")),
        ("inputs", word(&parameters, "const.input.kinds=")),
        ("memory", memory.map(|bytes| bytes.to_string()).unwrap_or_default()),
        ("cores", std::thread::available_parallelism().map(|n| n.to_string()).unwrap_or_default()),
        ("audio", if sound { "yes" } else { "" }.to_owned()),
    ];
    Profile::new(facts.map(|(name, value)| (name.to_owned(), value)))
}

fn text(path: &Path) -> String {
    let read = sys::regular::read(path, MAX_FILE, true).map(|(_, bytes)| bytes);
    // Files of the kernel are no regular ones.
    let read = read.or_else(|_| fs::read(path)).unwrap_or_default();
    String::from_utf8_lossy(&read).into_owned()
}

/// What stands behind a key at the beginning of a line.
fn word(text: &str, key: &str) -> String {
    let found = text.lines().find_map(|line| line.strip_prefix(key));
    found.unwrap_or_default().trim_matches('"').to_owned()
}

/// Bytes, of the kernel's table.
fn memory(table: &str) -> Option<u64> {
    let line = table.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_knows_what_it_is() {
        let profile = profile();
        assert!(profile.get("memory").unwrap().parse::<u64>().unwrap() > 1 << 20);
        assert_eq!(profile.get("architecture"), Some(std::env::consts::ARCH));
        assert_eq!(profile.get("form"), Some(form().unwrap().as_str()));
    }

    #[test]
    fn the_kernels_tables_are_read() {
        assert_eq!(memory("MemFree: 1 kB\nMemTotal:       2048 kB\n"), Some(2 << 20));
        assert_eq!(memory("MemTotal: much\n"), None);
        assert_eq!(word("A=1\nB=\"two\"\n", "B="), "two");
    }
}
