//! A permission exactly as written: the rules of a profile that can add something, and names of the bus.
//! The comments here are what an editor shows beside a key.

use crate::permission::{Grant, Level};
use crate::sandbox::{Access, Family};
use crate::text::decode::{At, Choice, Pairs, table};
use crate::text::raw;

/// Why a rule of profiles is not one of permissions.
type Refused = &'static [(&'static str, &'static str)];

const RESTRICTS: &str =
    "it would restrict, and a permission only adds: a profile in sandbox/ is for that";
const OF_KERNEL: &str = "the rules that a permission widens say what the kernel must be able to do";

/// Keys of the top of a profile.
const TOP: Refused = &[
    ("inherit", "a program asks for as many permissions as it needs: each stands by itself"),
    ("permissions", "a program asks for as many permissions as it needs: each stands by itself"),
    ("requires", OF_KERNEL),
    ("optional", OF_KERNEL),
    ("no-new-privileges", "no permission lets a program gain privileges"),
    ("lock-personality", RESTRICTS),
    ("keyring", RESTRICTS),
    ("namespaces", RESTRICTS),
    ("limits", RESTRICTS),
    ("forbid", RESTRICTS),
];

const OF_FILES: Refused = &[
    (
        "view",
        "the profile decides what is there; trees that are listed here are there in either view",
    ),
    ("root", "the profile decides of whose files a program is made"),
    ("tmp", RESTRICTS),
    ("proc", RESTRICTS),
];

const OF_CALLS: Refused = &[("deny", RESTRICTS), ("kill", RESTRICTS)];

table! {
    /// A permission: configs/permissions/NAME.toml.
    Permission, required ["version", "about"] refused TOP {
        /// Version of this format: 1.
        "version" => version: At<i64>,
        /// What it lets a program do, as people are asked: "take pictures and video".
        "about" => about: At<String>,
        /// The same by language: { de = "Fotos und Videos aufnehmen" }.
        "abouts" => abouts: Pairs,
        /// What a program must be to be granted it: any, a part of the system, or one without which the
        /// system is not.
        "level" => level: At<Choice<Level>>,
        /// Who decides: whoever wrote the program's definition, or the owner of the device.
        "grant" => grant: At<Choice<Grant>>,
        /// The service that looks whether a program has it, of one that is not for the kernel to hold.
        "checked-by" => checked_by: At<String>,
        /// Capabilities, without CAP_.
        "capabilities" => capabilities: Vec<At<String>>,
        /// Memory may be writable and executable.
        "write-execute" => write_execute: At<bool>,
        /// Files and devices.
        "files" => files: Trees,
        /// Network.
        "network" => network: Ports,
        /// System calls.
        "calls" => calls: Adds,
        /// Names on the system bus.
        "bus" => bus: Names,
    }
}

table! {
    /// Files that are added: trees by absolute path.
    Trees, required [] refused OF_FILES {
        /// Trees it may read.
        "read" => read: Vec<At<String>>,
        /// Trees it may write, where nothing can be executed.
        "write" => write: Vec<At<String>>,
        /// Trees of which it may execute programs.
        "execute" => execute: Vec<At<String>>,
        /// Devices by their names below /dev; a `*` at the end stands for any rest: "video*".
        "devices" => devices: Vec<At<String>>,
    }
}

table! {
    /// Network that is added.
    Ports, required [] {
        /// "host": the network of the device, also where the profile gives an empty one.
        "access" => access: At<Choice<Access>>,
        /// Address families.
        "families" => families: Vec<At<Choice<Family>>>,
        /// TCP ports it may connect to; every one when absent beside access.
        "connect" => connect: Vec<At<i64>>,
        /// TCP ports it may listen on; every one when absent beside access.
        "listen" => listen: Vec<At<i64>>,
        /// UDP too, although TCP ports are listed.
        "udp" => udp: At<bool>,
    }
}

table! {
    /// System calls that are added.
    Adds, required [] refused OF_CALLS {
        /// Names of calls, or of groups.
        "allow" => allow: Vec<At<String>>,
    }
}

table! {
    /// Names on the system bus.
    Names, required [] {
        /// Names whose owners it may call.
        "talk" => talk: Vec<At<String>>,
        /// Names it may own.
        "own" => own: Vec<At<String>>,
    }
}

impl Permission {
    /// What it adds, as a profile with these rules and no other.
    pub(crate) fn rules(&self) -> raw::Sandbox {
        raw::Sandbox {
            capabilities: self.capabilities.clone(),
            write_execute: self.write_execute.clone(),
            files: self.files.clone().map(|files| raw::Files {
                read: files.read,
                write: files.write,
                execute: files.execute,
                devices: files.devices,
                ..raw::Files::default()
            }),
            network: self.network.clone().map(|network| raw::Network {
                access: network.access,
                families: network.families,
                connect: network.connect,
                listen: network.listen,
                udp: network.udp,
            }),
            calls: self
                .calls
                .clone()
                .map(|calls| raw::Calls { allow: calls.allow, ..raw::Calls::default() }),
            ..raw::Sandbox::default()
        }
    }
}
