//! The last steps, when no other process is left: unmount, sync, go down.
//!
//! Never waits for anything but the disks.

use std::path::Path;

use api::pid1::End;
use sys::mount::Mounted;
use sys::reboot::How;

use crate::say::Voice;
use crate::seed;

/// How often to go over the mounts: unmounting one may set another free.
const ROUNDS: usize = 8;

/// Exit status of a container that wants to be started again, as systemd-nspawn reads it.
pub const RESTART: u8 = 133;

/// Exit status of a container without a servicemgr.
pub const FAILED: u8 = 1;

/// File systems that keep nothing: they go with the kernel.
const KEEP_NOTHING: [&str; 14] = [
    "proc",
    "sysfs",
    "devtmpfs",
    "devpts",
    "tmpfs",
    "ramfs",
    "rootfs",
    "cgroup2",
    "securityfs",
    "tracefs",
    "debugfs",
    "bpf",
    "mqueue",
    "erofs",
];

/// The exit status of a container that ends like this.
#[must_use]
pub fn status(end: End) -> u8 {
    match end {
        End::PowerOff | End::Halt => 0,
        End::Reboot => RESTART,
    }
}

/// What reboot(2) is asked for.
#[must_use]
pub fn how(end: End) -> How {
    match end {
        End::PowerOff => How::PowerOff,
        End::Reboot => How::Restart,
        End::Halt => How::Halt,
    }
}

/// Leaves a seed and everything else safe on the disks.
pub fn put_away(voice: &Voice) {
    if let Err(e) = seed::save(Path::new(seed::FILE)) {
        voice.note(format_args!("could not keep a random seed for the next boot: {e}"));
    }
    sys::mount::sync();
    for round in 1..=ROUNDS {
        let left = keepers(sys::mount::table().unwrap_or_default());
        let mut moved = false;
        for mount in &left {
            moved |= sys::mount::unmount(&mount.at).is_ok();
        }
        if left.is_empty() {
            break;
        }
        if !moved || round == ROUNDS {
            left.iter().for_each(|mount| freeze(mount, voice));
            break;
        }
    }
    sys::mount::sync();
}

/// What cannot be unmounted is at least not written to any more.
fn freeze(mount: &Mounted, voice: &Voice) {
    if mount.read_only {
        return;
    }
    if let Err(e) = sys::mount::remount_read_only(&mount.at) {
        let at = mount.at.display();
        voice.fault(format_args!("could not unmount {at}: {e}: synced, going down all the same"));
    }
}

/// Those that keep something, last mounted first.
fn keepers(mut mounted: Vec<Mounted>) -> Vec<Mounted> {
    mounted.retain(|m| !KEEP_NOTHING.contains(&m.kind.as_str()));
    mounted.reverse();
    mounted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_keeps_something_is_unmounted_in_reverse() {
        let table = sys::mount::parse(
            "1 0 0:1 / / ro - erofs /dev/vda3 ro\n2 1 0:2 / /var rw - ext4 /dev/vda5 rw\n\
             3 1 0:3 / /run rw - tmpfs tmpfs rw\n4 1 0:4 / /etc rw - overlay overlay rw\n",
        );
        let at: Vec<_> = keepers(table).into_iter().map(|m| m.at.display().to_string()).collect();
        assert_eq!(at, ["/etc", "/var"]);
    }
}
