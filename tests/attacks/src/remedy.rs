//! Which line of a profile stops an attack, and which attacks are not for a device that is needed.
//!
//! A line alone is enough even for root without any other rule (`tests/cases/score-lines` tries each).
//! Where a list of what is allowed would do, one of `[forbid]` is told if there is one: it holds whatever
//! else the profile allows.

use crate::attack::{Attack, Group};

/// A line and the table it belongs into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line {
    /// Table of a service: `sandbox`, `sandbox.files`, `limits`; empty for the service itself.
    pub table: &'static str,
    /// The line; empty when no line would help.
    pub line: &'static str,
}

const fn at(table: &'static str, line: &'static str) -> Line {
    Line { table, line }
}

const fn forbid(line: &'static str) -> Line {
    at("sandbox.forbid", line)
}

const LISTED: Line = at("sandbox.files", "view = \"listed\"");
const OWN_PROC: Line = at("sandbox.files", "proc = \"own\"");
const PRIVATE_TMP: Line = at("sandbox.files", "tmp = \"private\"");
const NO_DEVICES: Line = at("sandbox.files", "devices = []");
const NO_WRITING: Line = at("sandbox.files", "write = []");
const NO_CAPABILITIES: Line = at("sandbox", "capabilities = []");
const BASIC: Line = at("sandbox.calls", "allow = [\"@basic\"]");
const NO_WRITE_EXECUTE: Line = forbid("write-execute = true");
const NO_NETLINK: Line = forbid("families = [\"netlink\"]");
const NO_NETWORK: Line = forbid("network = true");
const NO_LISTENING: Line = at("sandbox.network", "listen = []");
const NO_CONNECTING: Line = at("sandbox.network", "connect = []");
const FAMILIES: Line = at("sandbox.network", "families = [\"unix\", \"inet\", \"inet6\"]");
const OWN_IPC: Line = at("sandbox", "namespaces = [\"ipc\"]");

/// Attacks that would change the device for everybody if they worked, or worked only half.
const HARMFUL: [&str; 20] = [
    "adjust-clock",
    "adjust-clock-by-number",
    "change-propagation",
    "core-pattern",
    "kexec",
    "kexec-file",
    "load-module",
    "load-module-file",
    "modprobe-path",
    "reboot",
    "redirect-console",
    "register-format",
    "remount-root",
    "set-clock",
    "set-time-of-day",
    "swap",
    "sysrq",
    "unload-module",
    "unmount-a-mask",
    "write-disk",
];

/// Whether it could hurt a device that is needed.
#[must_use]
pub fn is_harmful(attack: &Attack) -> bool {
    HARMFUL.contains(&attack.name)
}

/// The limit of a service without which this attack is stopped by nothing but the end of the device.
#[must_use]
pub fn limit(attack: &Attack) -> Option<&'static str> {
    match attack.name {
        "fork-bomb" => Some("pids"),
        "memory-hog" => Some("memory"),
        _ => None,
    }
}

/// The line that stops an attack.
#[must_use]
pub fn line(attack: &Attack) -> Line {
    let name = attack.name;
    match attack.group {
        Group::Files => files(name),
        Group::Processes => processes(name),
        Group::Namespaces => namespaces(name),
        Group::Identity => identity(name),
        Group::Calls => calls(name),
        Group::Memory => memory(name),
        Group::Terminal => terminal(name),
        Group::Network => network(name),
        Group::Ipc => ipc(name),
        Group::Resources => resources(name),
        Group::Devices => devices(name),
        Group::Kernel => kernel(name),
    }
}

fn files(name: &str) -> Line {
    match name {
        "proc-init-root" | "proc-victim-root" | "proc-victim-cwd" | "proc-victim-fd" => {
            forbid("capabilities = [\"SYS_PTRACE\"]")
        }
        "open-by-handle" | "make-handle" => forbid("calls = [\"@risky\"]"),
        "watch-file-system" => forbid("calls = [\"fanotify_init\"]"),
        "shared-tmp" => PRIVATE_TMP,
        "read-passwords" => forbid("files = [\"/etc/shadow\"]"),
        "write-users" | "plant-in-etc" | "plant-service" => forbid("write = [\"/etc\"]"),
        "read-journal" => forbid("files = [\"/var/log\"]"),
        "read-state-of-device" => forbid("files = [\"/var/lib/ensemble\"]"),
        // It comes from who starts services, which no profile is for.
        "inherited-descriptors" => at("", ""),
        _ => LISTED,
    }
}

fn processes(name: &str) -> Line {
    match name {
        "see-processes" | "count-processes" | "read-arguments" => LISTED,
        "signal" | "signal-thread" | "signal-by-pidfd" | "stop-process" => {
            forbid("capabilities = [\"KILL\"]")
        }
        "change-limits" => forbid("capabilities = [\"SYS_RESOURCE\"]"),
        "slow-down" | "change-scheduling" | "change-processors" | "change-io-class"
        | "change-timer-slack" => forbid("capabilities = [\"SYS_NICE\"]"),
        "choose-oom-victim" => forbid("capabilities = [\"DAC_OVERRIDE\"]"),
        "read-kernel-stack" | "read-pagemap" => forbid("capabilities = [\"SYS_ADMIN\"]"),
        "move-pages" => forbid("calls = [\"@numa\"]"),
        "ptrace-attach" | "ptrace-seize" | "ptrace-own-child" | "vm-read" | "vm-write"
        | "steal-descriptor" | "compare-processes" | "page-out" => forbid("calls = [\"@debug\"]"),
        _ => forbid("capabilities = [\"SYS_PTRACE\"]"),
    }
}

fn namespaces(name: &str) -> Line {
    match name {
        "chroot" | "chroot-escape" | "pivot-root" => forbid("calls = [\"@mount\"]"),
        "user-namespace-mount" => forbid("calls = [\"@namespaces\"]"),
        _ if ["unshare-", "clone-", "clone3-", "setns-", "user-"]
            .iter()
            .any(|start| name.starts_with(start)) =>
        {
            forbid("calls = [\"@namespaces\"]")
        }
        _ => forbid("calls = [\"@mount\"]"),
    }
}

fn identity(name: &str) -> Line {
    match name {
        "become-root" => at("", "user = \"NAME\""),
        "become-victim" | "file-user" => forbid("capabilities = [\"SETUID\"]"),
        "become-victim-group" | "join-groups" | "drop-groups" => {
            forbid("capabilities = [\"SETGID\"]")
        }
        "no-new-privileges-unset" | "run-setuid-program" => forbid("new-privileges = true"),
        "make-setuid-file" | "create-setuid-file" | "create-setuid-file-2" | "make-setgid-file" => {
            NO_WRITING
        }
        "file-capability" => forbid("capabilities = [\"SETFCAP\"]"),
        "give-file-away" => forbid("capabilities = [\"CHOWN\"]"),
        // As long as nobody set it anybody may, by a file of /proc.
        "audit-identity" => NO_WRITING,
        _ => NO_CAPABILITIES,
    }
}

fn calls(name: &str) -> Line {
    match name {
        "perf-self" | "perf-system" | "perf-victim" => forbid("calls = [\"@debug\"]"),
        "userfaultfd" | "userfaultfd-user" => forbid("calls = [\"@risky\"]"),
        "userfaultfd-device" => NO_DEVICES,
        "io-uring" | "io-uring-open" | "io-uring-socket" => forbid("calls = [\"@io-uring\"]"),
        "list-keys" => OWN_PROC,
        "read-key" | "leave-key" | "join-keyring" | "search-keyring" => {
            forbid("calls = [\"@keyring\"]")
        }
        "io-ports" => forbid("calls = [\"@raw-io\"]"),
        _ if name.starts_with("bpf-") => forbid("calls = [\"@kernel\"]"),
        // Any filter of calls ends programs of other kinds.
        _ => forbid("calls = [\"@obsolete\"]"),
    }
}

fn memory(name: &str) -> Line {
    match name {
        "write-code-by-proc-mem" | "map-written-file" | "make-file-executable" | "run-from-run" => {
            NO_WRITING
        }
        "run-from-tmp" | "run-from-var-tmp" => PRIVATE_TMP,
        "run-from-dev-shm" => NO_DEVICES,
        "run-by-descriptor" => forbid("calls = [\"@risky\"]"),
        "run-by-proc-fd" => NO_WRITING,
        "read-implies-exec" | "no-randomization" => at("sandbox", "lock-personality = true"),
        "map-page-zero" => forbid("capabilities = [\"SYS_RAWIO\"]"),
        _ => NO_WRITE_EXECUTE,
    }
}

fn terminal(name: &str) -> Line {
    match name {
        "type-into-terminal" | "line-discipline" => BASIC,
        "hang-up-terminal" => forbid("calls = [\"vhangup\"]"),
        _ => NO_DEVICES,
    }
}

fn network(name: &str) -> Line {
    match name {
        "listen-on-port"
        | "listen-on-low-port"
        | "listen-without-bind"
        | "mptcp-listen"
        | "udp-bind"
        | "hijack-port" => NO_LISTENING,
        "ping" | "forge-source" => forbid("capabilities = [\"NET_RAW\"]"),
        "sniff" => forbid("families = [\"packet\"]"),
        "configure-interface" | "force-buffers" => forbid("capabilities = [\"NET_ADMIN\"]"),
        "mark-packets" | "transparent-proxy" => {
            forbid("capabilities = [\"NET_ADMIN\", \"NET_RAW\"]")
        }
        "abstract-connect" | "abstract-squat" | "list-interfaces" => NO_NETWORK,
        "family-vsock" => forbid("families = [\"vsock\"]"),
        "family-bluetooth" => forbid("families = [\"bluetooth\"]"),
        _ if name.starts_with("netlink-") => NO_NETLINK,
        _ if name.starts_with("family-") => FAMILIES,
        _ => NO_CONNECTING,
    }
}

fn ipc(name: &str) -> Line {
    match name {
        "posix-memory-read" | "syslog-as-another" => NO_DEVICES,
        "bus-of-another" | "datagram-to-another" | "process-of-peer" => LISTED,
        "forge-credentials" => forbid("capabilities = [\"SYS_ADMIN\"]"),
        "notify-socket" | "notify-as-another" | "control-services" | "control-journal" => {
            forbid("files = [\"/run/ensemble\"]")
        }
        "system-bus" => forbid("files = [\"/run/dbus\"]"),
        "journal-as-another" => forbid("files = [\"/run/systemd\"]"),
        "list-sockets" => NO_NETWORK,
        "list-locks" => OWN_PROC,
        _ => OWN_IPC,
    }
}

fn resources(name: &str) -> Line {
    match name {
        "fork-bomb" => at("limits", "pids = 64"),
        "memory-hog" => at("limits", "memory = \"64M\""),
        "descriptor-flood" => at("limits", "open-files = 1024"),
        "lock-memory" | "lock-all-memory" => {
            forbid("capabilities = [\"IPC_LOCK\", \"SYS_RESOURCE\"]")
        }
        "fill-tmp" | "fill-state" | "use-up-inodes" => PRIVATE_TMP,
        "fill-own-state" => at("limits", "storage = \"64M\""),
        "use-up-own-inodes" => at("limits", "storage-files = 10000"),
        "leave-project" => NO_WRITING,
        "fill-dev-shm" => forbid("write = [\"/dev/shm\"]"),
        "fill-run" => NO_WRITING,
        "inotify-of-victim" => forbid("capabilities = [\"SETUID\"]"),
        "nice" | "real-time-fifo" | "real-time-round-robin" | "deadline-scheduling" => {
            forbid("capabilities = [\"SYS_NICE\"]")
        }
        "real-time-disk" => forbid("capabilities = [\"SYS_ADMIN\", \"SYS_NICE\"]"),
        "raise-hard-limit" | "never-killed" | "large-pipe" => {
            forbid("capabilities = [\"SYS_RESOURCE\"]")
        }
        "long-timers" => at("limits", "signals = 256"),
        _ => forbid("write = [\"/sys\"]"),
    }
}

fn devices(name: &str) -> Line {
    match name {
        "make-disk-node" | "make-memory-node" | "make-kmsg-node" | "make-console-node" => {
            forbid("capabilities = [\"MKNOD\"]")
        }
        "poison-randomness" | "credit-randomness" => forbid("capabilities = [\"SYS_ADMIN\"]"),
        _ => NO_DEVICES,
    }
}

fn kernel(name: &str) -> Line {
    match name {
        "load-module" | "load-module-file" | "unload-module" => forbid("calls = [\"@modules\"]"),
        "kexec" | "kexec-file" | "reboot" => forbid("calls = [\"@reboot\"]"),
        "set-clock" | "set-time-of-day" | "adjust-clock" | "adjust-clock-by-number" => {
            forbid("calls = [\"@clock\"]")
        }
        "set-host-name" => forbid("calls = [\"sethostname\"]"),
        "set-domain-name" => forbid("calls = [\"setdomainname\"]"),
        "swap" => forbid("calls = [\"@swap\"]"),
        "accounting" => forbid("calls = [\"acct\"]"),
        "quota" => forbid("calls = [\"quotactl\", \"quotactl_fd\"]"),
        "read-log-of-kernel" | "set-console-level" => forbid("calls = [\"@kernel\"]"),
        "memory-map" => forbid("capabilities = [\"SYS_ADMIN\"]"),
        "firmware-tables" => forbid("files = [\"/sys/firmware\"]"),
        "core-dump" => at("limits", "core = \"0\""),
        "forge-device-event" | "power-state" | "large-pages" | "processor-speed" => {
            forbid("write = [\"/sys\"]")
        }
        "list-modules" | "sysrq" | "kernel-addresses" | "kernel-memory" | "kernel-allocations"
        | "timers-of-all" | "boot-arguments" | "slab-statistics" => OWN_PROC,
        _ => forbid("write = [\"/proc/sys\"]"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::{all, find};

    #[test]
    fn every_attack_has_a_line_but_what_the_service_manager_itself_prevents() {
        let without: Vec<_> = all().filter(|a| line(a).line.is_empty()).map(|a| a.name).collect();
        assert_eq!(without, ["inherited-descriptors"]);
    }

    #[test]
    fn names_are_those_of_attacks() {
        assert!(HARMFUL.iter().all(|name| find(name).is_some()));
        let limited: Vec<_> = all().filter(|a| limit(a).is_some()).map(|a| a.name).collect();
        assert_eq!(limited, ["fork-bomb", "memory-hog"]);
    }
}
