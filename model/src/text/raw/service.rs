//! A service exactly as written. The comments here are what an editor shows beside a key.

use crate::service::{Kind, OutOfMemory, Output, PathWhen, RestartWhen, SocketKind, Start};
use crate::text::decode::{At, Choice, Pairs, table};
use crate::text::raw::Sandbox;

table! {
    /// A service of Ensemble: configs/services/NAME.toml; the name of the file is the service's.
    Service, required [] {
        /// One line for people.
        "about" => about: At<String>,
        /// Program (an absolute path) and arguments. All but a target need one.
        "exec" => exec: At<Vec<At<String>>>,
        /// When it counts as ready.
        "type" => kind: At<Choice<Kind>>,
        /// Whether it starts with the device or when something triggers it.
        "start" => start: At<Choice<Start>>,
        /// Services that must be ready first; when one fails or stops, so does this one, and it comes
        /// back with it.
        "requires" => requires: Vec<At<String>>,
        /// Services started and waited for, which may fail.
        "wants" => wants: Vec<At<String>>,
        /// As requires, but this one does not come back by itself.
        "binds" => binds: Vec<At<String>>,
        /// Services that go first if they start at all.
        "after" => after: Vec<At<String>>,
        /// Services that this one goes before if they start at all.
        "before" => before: Vec<At<String>>,
        /// Services that stop when this one starts, and the other way round.
        "conflicts" => conflicts: Vec<At<String>>,
        /// Services whose stop or restart reaches this one too.
        "part-of" => part_of: Vec<At<String>>,
        /// Services started when this one has failed for good.
        "on-failure" => on_failure: Vec<At<String>>,
        /// Services started when this one has ended well.
        "on-success" => on_success: Vec<At<String>>,
        /// Time to become ready: "30s".
        "start-timeout" => start_timeout: At<String>,
        /// Time between asking it to stop and killing it: "10s".
        "stop-timeout" => stop_timeout: At<String>,
        /// The signal that asks it to stop: "SIGTERM".
        "stop-signal" => stop_signal: At<String>,
        /// The signal that makes it read its configuration anew: "SIGHUP".
        "reload-signal" => reload_signal: At<String>,
        /// It is stopped when it had no connection and used no CPU time for so long: "20s".
        "idle-stop" => idle_stop: At<String>,
        /// A oneshot that ended well counts as ready from then on; otherwise it is off.
        "remain" => remain: At<bool>,
        /// Descriptor that it writes a line to when it is ready, as s6 does; type notify.
        "ready-fd" => ready_fd: At<i64>,
        /// File with the number of its main process; type forking.
        "pid-file" => pid_file: At<String>,
        /// It must say WATCHDOG=1 (sd_notify) at least this often: "30s"; type notify.
        "watchdog" => watchdog: At<String>,
        /// Descriptors it may leave with servicemgr for its next start (FDSTORE=1).
        "fd-store" => fd_store: At<i64>,
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
        /// The device starts again when it fails too often.
        "critical" => critical: Critical,
        /// What it may use up.
        "limits" => limits: Limits,
        /// What it may do.
        "sandbox" => sandbox: Sandbox,
        /// Commands around its main process.
        "commands" => commands: Commands,
        /// How it is asked whether it is well.
        "health" => health: Health,
        /// Its names on the system bus.
        "bus" => bus: Bus,
        /// Sockets and FIFOs opened before it starts, passed as systemd does.
        "socket" => socket: Vec<At<Socket>>,
        /// Times that trigger it.
        "timer" => timer: Vec<At<Timer>>,
        /// Files and directories that trigger it.
        "path" => path: Vec<At<PathWatch>>,
        /// Devices that trigger it.
        "device" => device: Vec<At<DeviceMatch>>,
        /// Values of parameters that trigger it.
        "parameter" => parameter: Vec<At<ParameterMatch>>,
        /// Signals on the system bus that trigger it.
        "signal" => signal: Vec<At<SignalMatch>>,
        /// What must hold for it to start; otherwise it is skipped, which is no failure.
        "condition" => condition: Vec<At<Condition>>,
        /// Files only it sees, in the directory $CREDENTIALS_DIRECTORY.
        "credential" => credential: Vec<At<Credential>>,
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
        /// Each wait is longer by up to so much, so that many services do not come at once: "20%".
        "jitter" => jitter: At<String>,
        /// Starts within the window after which it is given up: 5.
        "limit" => limit: At<i64>,
        /// See limit: "60s". A service that ran this long waits as the first time again.
        "window" => window: At<String>,
    }
}

table! {
    /// The device starts again, and says why in its log, when this service fails too often.
    Critical, required [] {
        /// Failures within the window: 4. 0 takes it away, for a drop-in.
        "limit" => limit: At<i64>,
        /// See limit: "240s".
        "window" => window: At<String>,
    }
}

table! {
    /// What a service may use up.
    Limits, required [] {
        /// Memory: "64M". Over it, the kernel kills.
        "memory" => memory: At<String>,
        /// Memory above which it is slowed down.
        "memory-high" => memory_high: At<String>,
        /// What the kernel's killing of one of its processes means for the others.
        "out-of-memory" => out_of_memory: At<Choice<OutOfMemory>>,
        /// Added to its score when the kernel must kill somebody.
        "oom-score" => oom_score: At<i64>,
        /// CPU time in percent of one CPU: "50%".
        "cpu" => cpu: At<String>,
        /// Its share of the CPU when there is not enough, against 100 of others.
        "cpu-weight" => cpu_weight: At<i64>,
        /// Its share of the disks when there is not enough, against 100 of others.
        "io-weight" => io_weight: At<i64>,
        /// Bytes a second read from each disk: "10M".
        "io-read" => io_read: At<String>,
        /// Bytes a second written to each disk: "10M".
        "io-write" => io_write: At<String>,
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
    /// Commands around the main process, one after the other, each a program and its arguments.
    Commands, required [] {
        /// Before the main process. One that fails fails the start.
        "before-start" => before_start: Vec<At<Vec<At<String>>>>,
        /// When it is ready; the service counts as ready when they have ended.
        "after-start" => after_start: Vec<At<Vec<At<String>>>>,
        /// Makes it read its configuration anew; $MAINPID is its main process.
        "reload" => reload: At<Vec<At<String>>>,
        /// Asks it to end, before the stop signal.
        "stop" => stop: Vec<At<Vec<At<String>>>>,
        /// When all its processes are gone, however they went.
        "after-stop" => after_stop: Vec<At<Vec<At<String>>>>,
    }
}

table! {
    /// A question asked of a running service again and again. Exactly one of exec, http and tcp.
    Health, required [] {
        /// A command that ends with status 0.
        "exec" => exec: At<Vec<At<String>>>,
        /// A page whose status is from 200 to 399: "127.0.0.1:80/health".
        "http" => http: At<String>,
        /// A port that takes connections: "127.0.0.1:80".
        "tcp" => tcp: At<String>,
        /// Time between two questions: "10s".
        "interval" => interval: At<String>,
        /// Time for the answer: "3s".
        "timeout" => timeout: At<String>,
        /// Bad answers in a row after which it counts as failed.
        "retries" => retries: At<i64>,
        /// The first good answer makes it ready.
        "readiness" => readiness: At<bool>,
    }
}

table! {
    /// Names on the system bus.
    Bus, required [] {
        /// The name that makes a service of type dbus ready, and that a call triggers.
        "name" => name: At<String>,
        /// Further names it may own.
        "also" => also: Vec<At<String>>,
        /// User who owns these names, when the program gives up being root by itself; the service's
        /// user when absent.
        "owner" => owner: At<String>,
        /// Users who may talk to these names; everybody when absent.
        "users" => users: Vec<At<String>>,
    }
}

table! {
    /// A socket or FIFO that servicemgr opens for a service. Exactly one of path and listen.
    Socket, required ["name"] {
        /// Its name in LISTEN_FDNAMES.
        "name" => name: At<String>,
        /// Its path on the device.
        "path" => path: At<String>,
        /// Its address: "tcp:0.0.0.0:80", "udp:[::]:53", "vsock:1234".
        "listen" => listen: At<String>,
        /// Its type; stream when absent, datagram for udp.
        "type" => kind: At<Choice<SocketKind>>,
        /// Permission bits of the path in octal; "0666" when absent.
        "mode" => mode: At<String>,
        /// Owner of the path; root when absent.
        "user" => user: At<String>,
        /// Connections that may wait to be accepted.
        "backlog" => backlog: At<i64>,
        /// Each connection gets a process of its own: an instance of the template SERVICE@.
        "accept" => accept: At<bool>,
    }
}

table! {
    /// A time that triggers a service. Exactly one of calendar, after-boot,
    /// after-arm, after-start, after-end.
    Timer, required [] {
        /// On the device's clock: "daily", "Mon..Fri 08:00", "*:0/15".
        "calendar" => calendar: At<String>,
        /// So long after the boot: "2min".
        "after-boot" => after_boot: At<String>,
        /// So long after it was armed first, once: "10min".
        "after-arm" => after_arm: At<String>,
        /// So long after it was started last: "1h".
        "after-start" => after_start: At<String>,
        /// So long after it ended last: "10min".
        "after-end" => after_end: At<String>,
        /// A part of this long is added, the same each time on this device: "5min".
        "random-delay" => random_delay: At<String>,
        /// It may be late by so much, to share a wake-up with others: "1min".
        "accuracy" => accuracy: At<String>,
        /// What was missed while the device was off is done at boot.
        "persistent" => persistent: At<bool>,
    }
}

table! {
    /// A file or directory that triggers a service.
    PathWatch, required ["path"] {
        /// Its path; `*` and `?` in the last part stand for more.
        "path" => path: At<String>,
        /// What of it.
        "when" => when: At<Choice<PathWhen>>,
        /// A missing directory is made.
        "make" => make: At<bool>,
    }
}

table! {
    /// A device that triggers a service, by the kernel's names.
    DeviceMatch, required ["subsystem"] {
        /// Its subsystem: "block", "tty", "net".
        "subsystem" => subsystem: At<String>,
        /// Its name: "ttyUSB0", or with `*` and `?`; any when absent.
        "name" => name: At<String>,
        /// The service is stopped when no such device is left.
        "bind" => bind: At<bool>,
    }
}

table! {
    /// A parameter that triggers a service when it gets a value.
    ParameterMatch, required ["name"] {
        /// Its name: "persist.wifi.on".
        "name" => name: At<String>,
        /// The value; any when absent.
        "value" => is: At<String>,
    }
}

table! {
    /// A signal on the system bus that triggers a service.
    SignalMatch, required ["interface"] {
        /// Who sends it, by a name on the bus: "org.freedesktop.login1"; anybody when absent.
        "sender" => sender: At<String>,
        /// The object that sends it: "/org/freedesktop/login1"; any when absent.
        "path" => path: At<String>,
        /// Its interface: "org.freedesktop.login1.Manager".
        "interface" => interface: At<String>,
        /// Its name: "PrepareForSleep"; any when absent.
        "member" => member: At<String>,
        /// Its first argument, a text; any when absent.
        "arg0" => arg0: At<String>,
    }
}

table! {
    /// Something that must hold for a service to start. Exactly one key beside not.
    Condition, required [] {
        /// Something is at this path.
        "path" => path: At<String>,
        /// The directory at this path has something in it.
        "not-empty" => not_empty: At<String>,
        /// The file at this path can be executed.
        "executable" => executable: At<String>,
        /// This word is on the kernel's command line: "quiet", "mode=demo".
        "cmdline" => cmdline: At<String>,
        /// The device runs in a container.
        "container" => container: At<bool>,
        /// A parameter has this value: "persist.wifi.on=true".
        "parameter" => parameter: At<String>,
        /// The kernel knows this file system: "btrfs".
        "file-system" => file_system: At<String>,
        /// It must not hold.
        "not" => not: At<bool>,
    }
}

table! {
    /// A file only the service sees, as $CREDENTIALS_DIRECTORY/NAME. Exactly one of path and text.
    Credential, required ["name"] {
        /// Its name.
        "name" => name: At<String>,
        /// The file on the device with its content, read at each start.
        "path" => path: At<String>,
        /// Its content. It stands in the image for everybody to read: no secret.
        "text" => text: At<String>,
    }
}
