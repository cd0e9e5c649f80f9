//! Our TOML exactly as written. The comments here are what an editor shows beside a key.

use super::decode::{At, Choice, Named, table};
use crate::device::{Compression, FormFactor, Input, Shape, Target};

mod bundle;
mod case;
mod permission;
mod sandbox;
mod service;

pub(crate) use bundle::{Ability, Bundle, Data, Form, Requires, Skill, SkillUri, Source, Work};
#[cfg(feature = "schema")]
pub(crate) use bundle::{Asked, Resources, Runtime};
#[cfg(feature = "schema")]
pub(crate) use case::Member;
pub(crate) use case::{Case, Copy, Devices, Harm, JsonIs, Link, Step};
pub(crate) use permission::Permission;
#[cfg(feature = "schema")]
pub(crate) use permission::{Adds, Names, Ports, Trees};
pub(crate) use sandbox::{Bounds, Calls, Files, Forbid, Network, Profile, Sandbox};

pub(crate) use service::{
    Bus, Commands, Condition, Credential, Critical, DeviceMatch, Health, Limits, ParameterMatch,
    PathWatch, Restart, Service, SignalMatch, Socket, Timer,
};

table! {
    /// A device of Ensemble: configs/devices/NAME.toml.
    Device, required ["version"] {
        /// Version of this format: 1.
        "version" => version: At<i64>,
        /// Devices to build on: names of files beside this one, or paths. Lists are joined; what is
        /// written here wins over what they say.
        "inherit" => inherit: Vec<At<String>>,
        /// Version of what is built, shown by `ensctl status`.
        "os-version" => os_version: At<String>,
        /// A device for people's hands: parts for development are warned about.
        "release" => release: At<bool>,
        /// What it runs on.
        "target" => target: At<Choice<Target>>,
        /// What it looks like.
        "form-factor" => form_factor: At<Choice<FormFactor>>,
        /// Host name; the name of the file when absent.
        "hostname" => hostname: At<String>,
        /// Language and country: "en_GB.UTF-8", or "C.UTF-8".
        "locale" => locale: At<String>,
        /// Time zone: "Europe/Berlin", or "UTC".
        "timezone" => timezone: At<String>,
        /// The kernel.
        "kernel" => kernel: Kernel,
        /// Debian packages.
        "packages" => packages: Packages,
        /// Services of the device.
        "services" => services: Services,
        /// Values of parameters, by name: "persist.volume" = "5".
        "parameters" => parameters: Named,
        /// Files added after the packages.
        "file" => file: Vec<At<File>>,
        /// Users besides Debian's own.
        "user" => user: Vec<At<User>>,
        /// Partitions.
        "storage" => storage: Storage,
        /// The screen.
        "screen" => screen: Screen,
        /// How people act on it.
        "input" => input: InputKinds,
        /// Parts for development.
        "debug" => debug: Debug,
        /// What its sandboxes do without.
        "sandbox" => sandbox: Tolerated,
        /// Apps of the device.
        "apps" => apps: Apps,
    }
}

table! {
    /// Apps of a device. They bring the service `ability-manager`.
    Apps, required [] {
        /// Apps that it comes with: names of directories with a bundle.toml in abilities/.
        "install" => install: Vec<At<String>>,
        /// Public keys of makers whose apps it takes: "ed25519:…", as `ens bundle key` prints it.
        "trust" => trust: Vec<At<String>>,
        /// Stores that it comes with. They bring the service `store`.
        "stores" => stores: Vec<At<Store>>,
    }
}

table! {
    /// A store of apps that a device comes with: known from the first boot on.
    Store, required ["name", "url", "root"] {
        /// What it is called on the device.
        "name" => name: At<String>,
        /// Where it is: "https://…", or "file:///…" for a directory of the device.
        "url" => url: At<String>,
        /// Its first root, metadata/1.root.json: a file, by its path from this TOML.
        "root" => root: At<String>,
    }
}

table! {
    /// What the sandboxes of a device do without.
    Tolerated, required [] {
        /// What its kernel may lack: "landlock-1", "namespaces", "network-namespace",
        /// "write-execute", "seccomp". Rules that need it are left out where it is missing. In a
        /// container all but "seccomp" when absent.
        "optional" => optional: Vec<At<String>>,
    }
}

table! {
    /// The kernel of a device.
    Kernel, required [] {
        /// Debian package with the kernel.
        "package" => package: At<String>,
        /// A kernel of your own instead: a file, by its path from this TOML.
        "path" => path: At<String>,
        /// Modules to load early, besides those every device of the target needs.
        "modules" => modules: Vec<At<String>>,
        /// Words added to the command line.
        "cmdline" => cmdline: Vec<At<String>>,
    }
}

table! {
    /// Debian packages.
    Packages, required [] {
        /// Suite they come from: "trixie".
        "suite" => suite: At<String>,
        /// URL of a mirror; the host's own apt sources when absent.
        "mirror" => mirror: At<String>,
        /// Packages to install; what they depend on comes along.
        "install" => install: Vec<At<String>>,
    }
}

table! {
    /// Services of the device.
    Services, required [] {
        /// Services to start, besides those of the devices this one inherits: "web", or an instance
        /// of a template, "getty@tty1".
        "enable" => enable: Vec<At<String>>,
        /// Services of inherited devices not to start.
        "disable" => disable: Vec<At<String>>,
        /// Templates whose instances are made on the device; those that a service names come along.
        "templates" => templates: Vec<At<String>>,
    }
}

table! {
    /// One file of the image. Exactly one of source, content, program, symlink and directory.
    File, required ["path"] {
        /// Where it is on the device.
        "path" => path: At<String>,
        /// A file to copy, by its path from this TOML.
        "source" => source: At<String>,
        /// Its text.
        "content" => content: At<String>,
        /// A program of the project's own tests, built as the device's programs are.
        "program" => program: At<String>,
        /// A symbolic link to this.
        "symlink" => symlink: At<String>,
        /// An empty directory.
        "directory" => directory: At<bool>,
        /// Permission bits in octal: "0644", and "0755" for a directory, when absent.
        "mode" => mode: At<String>,
        /// Owner; root when absent.
        "uid" => uid: At<i64>,
        /// Group; root when absent.
        "gid" => gid: At<i64>,
    }
}

table! {
    /// A user, with a group of the same name.
    User, required ["name", "uid"] {
        /// Login name.
        "name" => name: At<String>,
        /// Number.
        "uid" => uid: At<i64>,
        /// Number of its group; the user's own when absent.
        "gid" => gid: At<i64>,
        /// Home directory; "/nonexistent" when absent.
        "home" => home: At<String>,
        /// Login shell; "/usr/sbin/nologin" when absent.
        "shell" => shell: At<String>,
        /// Further groups.
        "groups" => groups: Vec<At<String>>,
    }
}

table! {
    /// Sizes of the partitions.
    Storage, required [] {
        /// Kernel and initramfs.
        "boot" => boot: At<String>,
        /// Least size of each of the two root slots; as large as the content when absent.
        "root" => root: At<String>,
        /// Everything that changes: /var and the changes to /etc.
        "state" => state: At<String>,
        /// How the root is compressed.
        "compression" => compression: At<Choice<Compression>>,
    }
}

table! {
    /// The screen.
    Screen, required [] {
        /// Pixels across.
        "width" => width: At<i64>,
        /// Pixels down.
        "height" => height: At<i64>,
        /// Pixels per inch.
        "density" => density: At<i64>,
        /// Outline.
        "shape" => shape: At<Choice<Shape>>,
    }
}

table! {
    /// How people act on the device.
    InputKinds, required [] {
        /// All the ways.
        "kinds" => kinds: Vec<At<Choice<Input>>>,
    }
}

table! {
    /// Parts for development. Each brings the service of its name.
    Debug, required [] {
        /// The channel behind `ens run DEVICE -- COMMAND`.
        "agent" => agent: At<bool>,
        /// A root shell on the console.
        "console" => console: At<bool>,
    }
}
