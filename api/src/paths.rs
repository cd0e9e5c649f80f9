//! Where things are on a running device.

/// Directory of the control sockets.
pub const RUN: &str = "/run/ensemble";

/// Control socket of servicemgr.
pub const SERVICES_SOCKET: &str = "/run/ensemble/services.sock";

/// Control socket of ability-manager.
pub const ABILITIES_SOCKET: &str = "/run/ensemble/abilities.sock";

/// Control socket of store.
pub const STORE_SOCKET: &str = "/run/ensemble/store.sock";

/// Control socket of softbus.
pub const DEVICES_SOCKET: &str = "/run/ensemble/devices.sock";

/// Control socket of journal.
pub const JOURNAL_SOCKET: &str = "/run/ensemble/journal.sock";

/// Readiness socket (`$NOTIFY_SOCKET` of every service).
pub const NOTIFY_SOCKET: &str = "/run/ensemble/notify.sock";

/// journald's native socket, where systemd-journal-logger and `sd_journal_send` write.
pub const JOURNAL_NATIVE: &str = "/run/systemd/journal/socket";

/// Where journal keeps its files.
pub const LOG_DIR: &str = "/var/log/ensemble";

/// Named pipes of those who read what a service of the moment writes: `TRIES/NAME`.
pub const TRIES: &str = "/run/ensemble/try";

/// Root of the cgroups of services: `SERVICES_CGROUP/NAME`.
pub const SERVICES_CGROUP: &str = "/sys/fs/cgroup/services";

/// Programs of Ensemble that people don't call.
pub const LIB: &str = "/usr/lib/ensemble";

/// The attack set, in images for development.
pub const ATTACKS: &str = "/usr/lib/ensemble/attacks";

/// The kernel's name of this boot.
pub const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";
