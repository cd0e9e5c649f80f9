//! Our TOML exactly as written. The comments here are what an editor shows beside a key.

use super::decode::{Any, At, Choice, Pairs, table};
use crate::case;
use crate::device::{Compression, FormFactor, Input, Shape, Target};
use crate::service::{Kind, Output, RestartWhen, SocketKind};

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
        /// Services that start at boot.
        "services" => services: Services,
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
    /// Services that start at boot.
    Services, required [] {
        /// Services to start, besides those of the devices this one inherits.
        "enable" => enable: Vec<At<String>>,
        /// Services of inherited devices not to start.
        "disable" => disable: Vec<At<String>>,
    }
}

table! {
    /// One file of the image. Exactly one of source, content, symlink and directory.
    File, required ["path"] {
        /// Where it is on the device.
        "path" => path: At<String>,
        /// A file to copy, by its path from this TOML.
        "source" => source: At<String>,
        /// Its text.
        "content" => content: At<String>,
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

table! {
    /// A service of Ensemble: configs/services/NAME.toml; the name of the file is the service's.
    Service, required ["exec"] {
        /// One line for people.
        "about" => about: At<String>,
        /// Program (an absolute path) and arguments.
        "exec" => exec: At<Vec<At<String>>>,
        /// When it counts as ready: once its program runs, when it says READY=1 (sd_notify), or
        /// when it ended well.
        "type" => kind: At<Choice<Kind>>,
        /// Services that must be ready first; when one fails or stops, so does this one.
        "requires" => requires: Vec<At<String>>,
        /// Services started and waited for, which may fail.
        "wants" => wants: Vec<At<String>>,
        /// Services that go first if they start at all.
        "after" => after: Vec<At<String>>,
        /// Time to become ready: "30s".
        "start-timeout" => start_timeout: At<String>,
        /// Time between asking it to stop and killing it: "10s".
        "stop-timeout" => stop_timeout: At<String>,
        /// User it runs as; root when absent.
        "user" => user: At<String>,
        /// Environment variables.
        "environment" => environment: Pairs,
        /// Working directory; "/" when absent.
        "working-directory" => working_directory: At<String>,
        /// Where its output goes.
        "output" => output: At<Choice<Output>>,
        /// What happens after it ended by itself.
        "restart" => restart: Restart,
        /// What it may use up.
        "limits" => limits: Limits,
        /// What it may do.
        "sandbox" => sandbox: Sandbox,
        /// Sockets opened before it starts, passed as systemd does.
        "socket" => socket: Vec<At<Socket>>,
    }
}

table! {
    /// What happens after a service ended by itself.
    Restart, required [] {
        /// When to start it again.
        "when" => when: At<Choice<RestartWhen>>,
        /// First wait; it doubles each time: "100ms".
        "delay" => delay: At<String>,
        /// Longest wait: "10s".
        "max-delay" => max_delay: At<String>,
        /// Starts within the window after which it is given up: 5.
        "limit" => limit: At<i64>,
        /// See limit: "60s".
        "window" => window: At<String>,
    }
}

table! {
    /// What a service may use up.
    Limits, required [] {
        /// Memory: "64M".
        "memory" => memory: At<String>,
        /// CPU time in percent of one CPU: "50%".
        "cpu" => cpu: At<String>,
        /// Processes and threads.
        "pids" => pids: At<i64>,
        /// Open files.
        "open-files" => open_files: At<i64>,
        /// Size of a core dump: "0".
        "core" => core: At<String>,
    }
}

table! {
    /// What a service may do.
    Sandbox, required [] {
        /// Capabilities it keeps, without CAP_: ["NET_ADMIN"]. When absent, all for root and none
        /// for another user.
        "capabilities" => capabilities: Vec<At<String>>,
        /// Programs with the set-user-id bit give nothing; true when absent.
        "no-new-privileges" => no_new_privileges: At<bool>,
    }
}

table! {
    /// A UNIX socket that servicemgr opens for a service.
    Socket, required ["name", "path"] {
        /// Its name in LISTEN_FDNAMES.
        "name" => name: At<String>,
        /// Its path on the device.
        "path" => path: At<String>,
        /// Its type; stream when absent.
        "type" => kind: At<Choice<SocketKind>>,
        /// Permission bits in octal; "0666" when absent.
        "mode" => mode: At<String>,
    }
}

table! {
    /// A test of a running device: case.toml in a folder of its own, with services/ beside it.
    Case, required ["version", "about", "step"] {
        /// Version of this format: 1.
        "version" => version: At<i64>,
        /// What is true when it passes, as a sentence.
        "about" => about: At<String>,
        /// Device it runs on: a name or a path; "headless" when absent.
        "device" => device: At<String>,
        /// Where it runs; everywhere when absent.
        "on" => on: Vec<At<Choice<case::Ring>>>,
        /// Services that start at boot; all of services/ when absent.
        "enable" => enable: Vec<At<String>>,
        /// Services of services/ that run many times.
        "copy" => copy: Vec<At<Copy>>,
        /// Files added to the device.
        "file" => file: Vec<At<File>>,
        /// What is done and what must come of it, in order.
        "step" => step: Vec<At<Step>>,
    }
}

table! {
    /// A service that runs many times, as NAME-1, NAME-2 and so on; NAME itself does not.
    Copy, required ["service", "count"] {
        /// Name of a file in services/, without .toml.
        "service" => service: At<String>,
        /// How many.
        "count" => count: At<i64>,
    }
}

table! {
    /// Harm to the disk of a machine that is off.
    Harm, required ["partition"] {
        /// Name of the partition: boot, bootctl, root-a, root-b, state.
        "partition" => partition: At<String>,
        /// So many bytes become zeros: "4K". The whole partition is missing when absent.
        "erase" => erase: At<String>,
        /// From here on, as seen from the start of the partition; 0 when absent.
        "at" => at: At<String>,
    }
}

table! {
    /// One step: run, host or disk, and what must come of it.
    Step, required [] {
        /// A command on the device: program and arguments.
        "run" => run: At<Vec<At<String>>>,
        /// Something done to the device from outside.
        "host" => host: At<Choice<case::Host>>,
        /// Harm done to the disk, between host = "power-off" and host = "power-on".
        "disk" => disk: At<Harm>,
        /// Do it this many times in a row; 1 when absent.
        "times" => times: At<i64>,
        /// Longest time it may take: "30s".
        "timeout" => timeout: At<String>,
        /// Repeat it until it is as expected, or this long: "10s".
        "until" => until: At<String>,
        /// Exit status; 0 when absent.
        "exit" => exit: At<i64>,
        /// All of standard output (a line break at the end does not count).
        "stdout" => stdout: At<String>,
        /// All of standard error.
        "stderr" => stderr: At<String>,
        /// Text that must be in standard output.
        "stdout-has" => stdout_has: Vec<At<String>>,
        /// Text that must not be in standard output.
        "stdout-lacks" => stdout_lacks: Vec<At<String>>,
        /// Text that must be in standard error.
        "stderr-has" => stderr_has: Vec<At<String>>,
        /// Values in standard output read as JSON.
        "json" => json: Vec<At<JsonIs>>,
        /// Keep standard output under this name; later steps write {NAME}.
        "save" => save: At<String>,
    }
}

table! {
    /// One value of a JSON document.
    JsonIs, required ["at", "is"] {
        /// JSON pointer (RFC 6901): "/services/0/name".
        "at" => at: At<String>,
        /// What must be there.
        "is" => is: At<Any>,
    }
}
