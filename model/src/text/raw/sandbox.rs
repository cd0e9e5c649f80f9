//! What a program may do exactly as written: a profile, or `[sandbox]` of a service. Both have the same
//! rules. The comments here are what an editor shows beside a key.

use serde::{Deserialize, Serialize};

use crate::sandbox::{Access, Family, Namespace, Proc, Tmp, View};
use crate::text::decode::{At, Choice, table};
use crate::text::sandbox::Keyring;

/// Declares a table with some keys of its own, and all rules.
macro_rules! with_rules {
    ($(#[$meta:meta])* $name:ident, required $required:tt { $($own:tt)* }) => {
        table! {
            $(#[$meta])*
            $name, required $required {
                $($own)*
                /// Profiles to build on: names of files in sandbox/. Lists are joined, of single values
                /// what is written here wins; what any of them forbids stays forbidden.
                "inherit" => inherit: Vec<At<String>>,
                /// What it asks to be allowed beside its rules: names of files in permissions/. Those
                /// with grant = "system" count at once, the others when the owner allows them.
                "permissions" => permissions: Vec<At<String>>,
                /// What the kernel must be able to do, besides what the rules need anyway: "seccomp",
                /// "landlock-6", "namespaces", "network-namespace", "write-execute".
                "requires" => requires: Vec<At<String>>,
                /// What the kernel may lack: the rules that need it are left out there.
                "optional" => optional: Vec<At<String>>,
                /// Capabilities it keeps, without CAP_: ["NET_ADMIN"]. When absent, all for root and
                /// none for another user.
                "capabilities" => capabilities: Vec<At<String>>,
                /// Programs with the set-user-id bit give nothing; true when absent.
                "no-new-privileges" => no_new_privileges: At<bool>,
                /// Memory may be writable and executable, as just-in-time compilers need it.
                "write-execute" => write_execute: At<bool>,
                /// The execution domain can't be changed.
                "lock-personality" => lock_personality: At<bool>,
                /// Whose keys of the kernel it finds.
                "keyring" => keyring: At<Choice<Keyring>>,
                /// What it has apart from others: "ipc", "uts", "cgroup".
                "namespaces" => namespaces: Vec<At<Choice<Namespace>>>,
                /// Files and devices.
                "files" => files: Files,
                /// Network.
                "network" => network: Network,
                /// System calls.
                "calls" => calls: Calls,
                /// How much it may use, at most.
                "limits" => limits: Bounds,
                /// What no other rule can allow, in whichever file it stands.
                "forbid" => forbid: Forbid,
            }
        }
    };
}

with_rules! {
    /// A profile: configs/sandbox/NAME.toml.
    Profile, required ["version"] {
        /// Version of this format: 1.
        "version" => version: At<i64>,
        /// One line for people.
        "about" => about: At<String>,
    }
}

with_rules! {
    /// What a service may do.
    #[derive(Serialize, Deserialize)]
    Sandbox, required [] {
        /// Why no profile restricts it: it is for development, and only images with a part for development
        /// ([debug] of the device) may have it.
        "exception" => exception: At<String>,
    }
}

table! {
    /// Files: trees by absolute path. Each of the three lists restricts only what it is about.
    #[derive(Serialize, Deserialize)]
    Files, required [] {
        /// What of the device's files is there at all.
        "view" => view: At<Choice<View>>,
        /// A directory with a system of its own: what the lists name of /usr, /bin, /sbin, /lib, /etc, /opt,
        /// /srv and /app is taken from there. Only with view = "listed".
        "root" => root: At<String>,
        /// Trees it may read; what it may write or execute it may read too.
        "read" => read: Vec<At<String>>,
        /// Trees it may write. Nothing in them can be executed.
        "write" => write: Vec<At<String>>,
        /// Trees of which it may execute programs.
        "execute" => execute: Vec<At<String>>,
        /// /tmp and /var/tmp.
        "tmp" => tmp: At<Choice<Tmp>>,
        /// /proc.
        "proc" => proc: At<Choice<Proc>>,
        /// A /dev of its own with these and null, zero, full, random, urandom, tty, shm: "fb0",
        /// "input/event0". The device's when absent.
        "devices" => devices: Vec<At<String>>,
    }
}

table! {
    /// Network.
    #[derive(Serialize, Deserialize)]
    Network, required [] {
        /// Whose network it is in.
        "access" => access: At<Choice<Access>>,
        /// Address families it may make sockets of.
        "families" => families: Vec<At<Choice<Family>>>,
        /// TCP ports it may connect to.
        "connect" => connect: Vec<At<i64>>,
        /// TCP ports it may listen on; those of [[socket]] need none.
        "listen" => listen: Vec<At<i64>>,
        /// UDP is allowed although TCP ports are listed; no port of it can be restricted.
        "udp" => udp: At<bool>,
    }
}

table! {
    /// System calls, by name or by group: "openat", "@files".
    #[derive(Serialize, Deserialize)]
    Calls, required [] {
        /// The only ones allowed.
        "allow" => allow: Vec<At<String>>,
        /// Those that fail with EPERM, whatever allow says.
        "deny" => deny: Vec<At<String>>,
        /// Those that end the process.
        "kill" => kill: Vec<At<String>>,
    }
}

table! {
    /// How much it may use, at most. What a service says in its own [limits] wins.
    #[derive(Serialize, Deserialize)]
    Bounds, required [] {
        /// Memory: "64M". Over it, the kernel kills.
        "memory" => memory: At<String>,
        /// CPU time in percent of one CPU: "50%".
        "cpu" => cpu: At<String>,
        /// Processes and threads.
        "pids" => pids: At<i64>,
        /// Open files.
        "open-files" => open_files: At<i64>,
        /// Size of a core dump: "0".
        "core" => core: At<String>,
        /// Waiting signals and timers of its user.
        "signals" => signals: At<i64>,
        /// Memory that it may keep from being moved to disk: "64K".
        "locked-memory" => locked_memory: At<String>,
        /// Size of a file that it writes: "100M".
        "file-size" => file_size: At<String>,
        /// Stack of its main thread, and of those that ask for no size: "8M".
        "stack" => stack: At<String>,
        /// What it keeps on the state partition, in trees of its own: "64M".
        "storage" => storage: At<String>,
        /// Files, directories and links of that.
        "storage-files" => storage_files: At<i64>,
    }
}

table! {
    /// What no other rule can allow, in whichever file it stands.
    #[derive(Serialize, Deserialize)]
    Forbid, required [] {
        /// Trees that are not there.
        "files" => files: Vec<At<String>>,
        /// Trees that are never written.
        "write" => write: Vec<At<String>>,
        /// System calls, and groups of them.
        "calls" => calls: Vec<At<String>>,
        /// Capabilities, without CAP_.
        "capabilities" => capabilities: Vec<At<String>>,
        /// Address families.
        "families" => families: Vec<At<Choice<Family>>>,
        /// Every network but an empty one.
        "network" => network: At<bool>,
        /// Memory that is writable and executable.
        "write-execute" => write_execute: At<bool>,
        /// Privileges by programs with the set-user-id bit.
        "new-privileges" => new_privileges: At<bool>,
    }
}

impl From<Profile> for Sandbox {
    fn from(file: Profile) -> Self {
        Self {
            exception: None,
            inherit: file.inherit,
            permissions: file.permissions,
            requires: file.requires,
            optional: file.optional,
            capabilities: file.capabilities,
            no_new_privileges: file.no_new_privileges,
            write_execute: file.write_execute,
            lock_personality: file.lock_personality,
            keyring: file.keyring,
            namespaces: file.namespaces,
            files: file.files,
            network: file.network,
            calls: file.calls,
            limits: file.limits,
            forbid: file.forbid,
        }
    }
}
