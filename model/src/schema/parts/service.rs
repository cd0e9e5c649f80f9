//! The tables of a service's TOML.

use super::Limits::{None as Any, Range, Text};
use super::sandbox::OF_SERVICE;
use super::triggers::{BUS, DEVICE, PARAMETER, PATH, SIGNAL, SOCKET, TIMER};
use super::{NAMES, Part, TIME, row};
use crate::text::decode::Table;
use crate::text::raw;

/// The least service.
pub(super) const EXEC: &str = "exec = [\"/usr/bin/web\"]\n";

pub(super) const PARTS: &[Part] = &[
    TOP, RESTART, CRITICAL, LIMITS, OF_SERVICE, COMMANDS, HEALTH, BUS, SOCKET, TIMER, PATH, DEVICE,
    PARAMETER, SIGNAL, CONDITION, CREDENTIAL,
];

const TOP: Part = Part {
    heading: "",
    definition: "",
    keys: raw::Service::KEYS,
    rows: &[
        row("about", "\"\"", Text("one line, at most 200 characters")),
        row(
            "exec",
            "**needed**, but for a target",
            Text("an absolute path first; each argument is one item"),
        ),
        row("type", "\"simple\"", Any),
        row(
            "start",
            "`\"demand\"` with a `[[timer]]`, `[[path]]`, `[[device]]`, `[[parameter]]` or `[[signal]]`, otherwise `\"boot\"`",
            Any,
        ),
        row("requires", "[]", NAMES),
        row("wants", "[]", NAMES),
        row("binds", "[]", NAMES),
        row("after", "[]", NAMES),
        row("before", "[]", NAMES),
        row("conflicts", "[]", NAMES),
        row("part-of", "[]", NAMES),
        row("on-failure", "[]", NAMES),
        row("on-success", "[]", NAMES),
        row("start-timeout", "\"30s\"", TIME),
        row("stop-timeout", "\"10s\"", TIME),
        row(
            "stop-signal",
            "\"SIGTERM\"",
            Text("a name or number as systemd takes: `SIGINT`, `SIGRTMIN+3`, `SIGRTMAX-1`"),
        ),
        row("reload-signal", "it can't be reloaded", Text("not beside `[commands] reload`")),
        row(
            "idle-stop",
            "it stays",
            Text("needs `start = \"demand\"` and something that triggers it"),
        ),
        row(
            "remain",
            "false for what is triggered again and again, otherwise true",
            Text("of type oneshot"),
        ),
        row("ready-fd", "by sd_notify", Text("3 to 255, beyond the sockets; of type notify")),
        row(
            "pid-file",
            "the process that is left is the main one",
            Text("an absolute path; of type forking"),
        ),
        row("watchdog", "it need not", Text("of type notify")),
        row("fd-store", "0", Range("0", "64")),
        row(
            "user",
            "\"root\"",
            Text("a `[[user]]` of the device, one of Debian's or of a package, or `\"own\"`"),
        ),
        row("environment", "{}", Text("not the variables that servicemgr sets")),
        row("working-directory", "\"/\"", Text("an absolute path that exists on the device")),
        row("output", "\"journal\"", Any),
    ],
    notes: &[
        "- `type`, when it is ready: `\"simple\"` once its program runs; `\"notify\"` when it says \
         `READY=1` (sd_notify), or writes a line to `ready-fd`; `\"notify-reload\"` as notify, and it \
         says `RELOADING=1`, then `READY=1`, when `reload-signal` (`SIGHUP`) comes; `\"oneshot\"` when it ended with \
         status 0; `\"forking\"` when its first process ended with status 0 and left a daemon; \
         `\"dbus\"` when its name is on the bus; `\"idle\"` as simple, but it starts when the rest \
         of the boot has settled; `\"target\"`, a name for others, when all it requires are ready.\n\
         - `start`: an enabled service with `\"demand\"` is armed at boot: a connection, a time, a \
         path, a device, a parameter, a signal or a call on the bus starts it, and when it has \
         ended it is armed again.\n\
         - Relations may not make a circle of waiting (`requires`, `wants`, `binds`, `after`, \
         `before`), and nothing may need two services that are in conflict. What is off again when \
         it has ended (a oneshot without `remain`) can be wanted, not required. Each list has at \
         most 256 names.\n\
         - `output`: `\"console\"` gives it the device's console as standard input, output, error \
         and controlling terminal; `\"null\"` throws output away.",
    ],
    around: ("", EXEC),
    examples: &[
        "\
about = \"Pages for the family\"
exec = [\"/usr/bin/web\", \"--port=80\"]
type = \"notify\"
requires = [\"database\"]
wants = [\"network\"]
after = [\"time\"]
before = [\"display\"]
part-of = [\"home\"]
conflicts = [\"setup\"]
on-failure = [\"tell-owner\"]
start-timeout = \"20s\"
stop-timeout = \"5s\"
stop-signal = \"SIGQUIT\"
reload-signal = \"SIGHUP\"
watchdog = \"30s\"
fd-store = 4
user = \"web\"
environment = { LANG = \"C.UTF-8\", WEB_ROOT = \"/srv/web\" }
working-directory = \"/srv/web\"
output = \"journal\"
",
        "\
about = \"Pictures made small, when somebody asks for one\"
exec = [\"/usr/bin/thumbnails\"]
start = \"demand\"
binds = [\"storage\"]
idle-stop = \"20s\"
[[socket]]
name = \"main\"
path = \"/run/thumbnails.sock\"
",
        "exec = [\"/usr/bin/old-daemon\"]\ntype = \"forking\"\npid-file = \"/run/old-daemon.pid\"\n",
        "exec = [\"/usr/bin/s6-style\"]\ntype = \"notify\"\nready-fd = 3\n",
        "exec = [\"/usr/bin/prepare\"]\ntype = \"oneshot\"\nremain = false\non-success = [\"web\"]\n",
    ],
};

const RESTART: Part = Part {
    heading: "[restart]",
    definition: "Restart",
    keys: raw::Restart::KEYS,
    rows: &[
        row("when", "\"on-failure\"", Text("not `\"always\"` for a oneshot")),
        row("delay", "\"100ms\"", Text("`\"0ms\"` to `max-delay`")),
        row("max-delay", "\"10s\"", Range("\"0ms\"", "\"168h\"")),
        row("jitter", "\"0%\"", Text("`\"0%\"` to `\"100%\"`")),
        row("limit", "5", Range("1", "1000000")),
        row("window", "\"60s\"", TIME),
    ],
    notes: &[
        "`\"on-failure\"` means a status that is not 0, a signal, a start time-out, a program \
         that could not be started, and an end before it was ready.",
    ],
    around: (EXEC, "[restart]\n"),
    examples: &["\
[restart]
when = \"always\"
delay = \"200ms\"
max-delay = \"5s\"
jitter = \"20%\"
limit = 10
window = \"2min\"
"],
};

const CRITICAL: Part = Part {
    heading: "[critical]",
    definition: "Critical",
    keys: raw::Critical::KEYS,
    rows: &[row("limit", "4", Range("0", "1000")), row("window", "\"240s\"", TIME)],
    notes: &["The heading alone is enough. A service with `start = \"demand\"` can't be critical."],
    around: (EXEC, "[critical]\n"),
    examples: &["[critical]\nlimit = 3\nwindow = \"5min\"\n"],
};

/// A service whose limit of storage has something to limit.
const STORES: &str =
    "exec = [\"/usr/bin/x\"]\nuser = \"own\"\nsandbox = { files = { write = [] } }\n";

const LIMITS: Part = Part {
    heading: "[limits]",
    definition: "Limits",
    keys: raw::Limits::KEYS,
    rows: &[
        row("memory", "no limit", Text("at least `\"256K\"`")),
        row("memory-high", "no limit", Text("at least `\"256K\"`, at most `memory`")),
        row("out-of-memory", "\"kill\"", Any),
        row("oom-score", "the kernel's default", Text("-1000 to 1000")),
        row("cpu", "no limit", Range("\"1%\"", "\"100000%\"")),
        row("cpu-weight", "the same as others: 100", Range("1", "10000")),
        row("io-weight", "the same as others: 100", Range("1", "10000")),
        row("io-read", "no limit", Text("bytes a second, not 0")),
        row("io-write", "no limit", Text("bytes a second, not 0")),
        row("pids", "no limit", Range("1", "4194304")),
        row(
            "open-files",
            "that of the profile, or soft 1024, hard as much as PID 1 may",
            Range("8", "1048576"),
        ),
        row("core", "the kernel's default", Any),
        row("signals", "the kernel's default", Range("0", "1048576")),
        row("locked-memory", "the kernel's default: 8M", Any),
        row("file-size", "no limit", Any),
        row("stack", "the kernel's default: 8M, more if it raises it", Text("at least `\"256K\"`")),
        row("storage", "no limit", Text("at least `\"64K\"`; with a list of what may be written")),
        row("storage-files", "no limit", Range("8", "1000000000")),
    ],
    notes: &[
        "`storage` and `storage-files` count what is in its own trees of `[sandbox.files] write`.",
        "Of what is absent, what the profile says in its `[limits]` counts.",
        "`out-of-memory`: `\"kill\"` ends all its processes, `\"stop\"` stops it as if its main \
         process had failed, `\"continue\"` lets the others go on.",
    ],
    around: (STORES, "[limits]\n"),
    examples: &["\
[limits]
memory = \"64M\"
memory-high = \"48M\"
out-of-memory = \"kill\"
oom-score = 200
cpu = \"150%\"
cpu-weight = 50
io-weight = 50
io-read = \"10M\"
io-write = \"5M\"
pids = 32
open-files = 4096
core = \"0\"
signals = 256
locked-memory = \"64K\"
file-size = \"100M\"
stack = \"1M\"
storage = \"64M\"
storage-files = 10000
"],
};

const COMMANDS: Part = Part {
    heading: "[commands]",
    definition: "Commands",
    keys: raw::Commands::KEYS,
    rows: &[
        row("before-start", "[]", Text("at most 16")),
        row("after-start", "[]", Text("at most 16")),
        row("reload", "see `reload-signal`", Text("one command")),
        row("stop", "[]", Text("at most 16")),
        row("after-stop", "[]", Text("at most 16")),
    ],
    notes: &[
        "Each command has the service's user, limits, sandbox and output. In `reload` and `stop`, \
         the variable `MAINPID` is its main process.",
    ],
    around: (EXEC, "[commands]\n"),
    examples: &["\
[commands]
before-start = [[\"/usr/bin/web\", \"--check\"], [\"/usr/bin/mkdir\", \"-p\", \"/run/web\"]]
after-start = [[\"/usr/bin/web-warm-up\"]]
reload = [\"/usr/bin/web\", \"--reload\"]
stop = [[\"/usr/bin/web\", \"--quit\"]]
after-stop = [[\"/usr/bin/rm\", \"-rf\", \"/run/web\"]]
"],
};

const HEALTH: Part = Part {
    heading: "[health]",
    definition: "Health",
    keys: raw::Health::KEYS,
    rows: &[
        row("exec", "", Text("one of `exec`, `http` and `tcp`")),
        row("http", "", Text("an address, a port and a path; no names")),
        row("tcp", "", Text("an address and a port; no names")),
        row("interval", "\"10s\"", TIME),
        row("timeout", "\"3s\"", TIME),
        row("retries", "3", Range("1", "1000")),
        row("readiness", "false", Any),
    ],
    notes: &[],
    around: (EXEC, "[health]\ntcp = \"127.0.0.1:80\"\n"),
    examples: &[
        "\
[health]
http = \"127.0.0.1:80/health\"
interval = \"30s\"
timeout = \"2s\"
retries = 2
readiness = true
",
        "[health]\nexec = [\"/usr/bin/web\", \"--ping\"]\n",
        "[health]\ntcp = \"[::1]:6379\"\n",
    ],
};

const CONDITION: Part = Part {
    heading: "[[condition]]",
    definition: "Condition",
    keys: raw::Condition::KEYS,
    rows: &[
        row("path", "", Text("absolute; one of these keys")),
        row("not-empty", "", Text("absolute")),
        row("executable", "", Text("absolute")),
        row("cmdline", "", Text("one word")),
        row("container", "", Any),
        row("parameter", "", Text("`name=value`; `*` is any")),
        row("file-system", "", Text("a name in /proc/filesystems")),
        row("not", "false", Any),
    ],
    notes: &["At most 32; all must hold."],
    around: (EXEC, "[[condition]]\npath = \"/etc/web.conf\"\n"),
    examples: &["\
[[condition]]
path = \"/etc/web.conf\"

[[condition]]
not-empty = \"/srv/web\"
not = true

[[condition]]
executable = \"/usr/bin/web-helper\"

[[condition]]
cmdline = \"mode=demo\"

[[condition]]
container = true

[[condition]]
parameter = \"persist.wifi=on\"

[[condition]]
file-system = \"btrfs\"
"],
};

const CREDENTIAL: Part = Part {
    heading: "[[credential]]",
    definition: "Credential",
    keys: raw::Credential::KEYS,
    rows: &[
        row("name", "", Text("a file name of at most 64 letters, digits, `_`, `-` and `.`")),
        row("path", "", Text("absolute; one of `path` and `text`")),
        row("text", "", Any),
    ],
    notes: &["At most 32."],
    around: (EXEC, "[[credential]]\nname = \"key\"\ntext = \"x\"\n"),
    examples: &["\
[[credential]]
name = \"key\"
path = \"/var/lib/web/key\"

[[credential]]
name = \"greeting\"
text = \"Hello.\"
"],
};
