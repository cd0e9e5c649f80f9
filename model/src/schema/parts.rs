//! What the raw types don't say about their keys: what holds when one is absent, its limits, and
//! examples. Each is tested against the code that reads TOML.

use crate::text::decode::Table;
use crate::text::raw;

/// One kind of file.
#[derive(Debug)]
pub(super) struct Kind {
    /// What it is called in headings of its parts.
    pub(super) word: &'static str,
    pub(super) title: &'static str,
    pub(super) about: &'static str,
    /// File name of its schema.
    pub(super) schema: &'static str,
    pub(super) parts: &'static [Part],
}

/// One table of a file.
#[derive(Debug)]
pub(super) struct Part {
    /// As written in TOML; empty for the top of the file.
    pub(super) heading: &'static str,
    /// Its definition in the schema; empty for the top of the file.
    pub(super) definition: &'static str,
    pub(super) keys: &'static [&'static str],
    pub(super) rows: &'static [Row],
    /// Paragraphs below the keys.
    pub(super) notes: &'static [&'static str],
    /// The least lines around a key of this table; examples stand on the first of them alone.
    #[cfg_attr(not(test), expect(dead_code, reason = "for the tests of the rows"))]
    pub(super) around: (&'static str, &'static str),
    pub(super) examples: &'static [&'static str],
}

/// One key.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) key: &'static str,
    /// What holds when it is absent: a TOML value that means the same, or words.
    pub(super) absent: &'static str,
    pub(super) limits: Limits,
}

/// What a value may be.
#[derive(Debug)]
pub(super) enum Limits {
    None,
    /// Words.
    Text(&'static str),
    /// Two TOML values; both are legal.
    Range(&'static str, &'static str),
}

impl Row {
    /// A key of which there is nothing to say.
    pub(super) const EMPTY: Self = row("", "", Limits::None);

    /// Whether `absent` is a TOML value.
    pub(super) fn is_value(&self) -> bool {
        let begins = |c: char| matches!(c, '"' | '[' | '{') || c.is_ascii_digit();
        self.absent.starts_with(begins) || matches!(self.absent, "true" | "false")
    }
}

const fn row(key: &'static str, absent: &'static str, limits: Limits) -> Row {
    Row { key, absent, limits }
}

use Limits::{None as Any, Range, Text};

const NAMES: Limits = Text("names of services, each once");
const TIME: Limits = Range("\"1ms\"", "\"168h\"");
const MODE: Limits = Text("3 or 4 octal digits");
const OWNER: Limits = Range("0", "65533");

pub(super) const KINDS: &[Kind] = &[
    Kind {
        word: "device",
        title: "Devices: `configs/devices/NAME.toml`",
        about: "A device inherits others: of single values the nearer file wins, lists are \
                joined, a `[[file]]` or `[[user]]` replaces one with the same path or name, and \
                `[services] disable` takes away what farther files enable. Two inherited files of \
                the same distance that set one key differently are an error, unless the device \
                sets it itself. At most 64 files in all.",
        schema: "device.json",
        parts: DEVICE,
    },
    Kind {
        word: "service",
        title: "Services: `configs/services/NAME.toml`",
        about: "A service is looked for in `services/` beside the device's TOML, in \
                `../services/`, in the same places of each inherited device, and in those that \
                ship.",
        schema: "service.json",
        parts: SERVICE,
    },
    Kind {
        word: "case",
        title: "Cases: `FOLDER/case.toml`",
        about: "A test of a running device, for `ens verify`. Services in `FOLDER/services/` are \
                added to the device.",
        schema: "case.json",
        parts: CASE,
    },
];

const DEVICE: &[Part] = &[
    Part {
        heading: "",
        definition: "",
        keys: raw::Device::KEYS,
        rows: &[
            row("version", "", Range("1", "1")),
            row("inherit", "[]", Text("at most 64 files in all, no cycle")),
            row(
                "os-version",
                "the version of Ensemble",
                Text("1 to 32 letters, digits and `+.~-_`"),
            ),
            row("release", "false", Any),
            row(
                "target",
                "\"qemu-x86_64\"",
                Text("built today: `qemu-x86_64`, `container`; others are errors"),
            ),
            row("form-factor", "\"headless\"", Text("all but `headless` need a `[screen]`")),
            row("hostname", "the name of the file", Text("RFC 1123, at most 64 characters")),
            row("locale", "\"C.UTF-8\"", Text("`ll_CC.UTF-8` or `C.UTF-8`")),
            row("timezone", "\"UTC\"", Text("`Area/City` or `UTC`")),
        ],
        notes: &[],
        around: ("", "version = 1\n"),
        examples: &["\
version = 1
inherit = [\"base\"]
os-version = \"1.2.0\"
release = false
target = \"qemu-x86_64\"
form-factor = \"headless\"
hostname = \"kitchen\"
locale = \"de_DE.UTF-8\"
timezone = \"Europe/Berlin\"
"],
    },
    Part {
        heading: "[kernel]",
        definition: "Kernel",
        keys: raw::Kernel::KEYS,
        rows: &[
            row(
                "package",
                "`linux-image-cloud-amd64`, with a screen `linux-image-amd64`",
                Text("not beside `path`"),
            ),
            row("path", "", Text("a file that exists")),
            row("modules", "[]", Text("names without path and `.ko`")),
            row("cmdline", "[]", Text("words of at most 256 characters, 1024 in all")),
        ],
        notes: &[],
        around: ("version = 1\n", "[kernel]\n"),
        examples: &[
            "[kernel]\npackage = \"linux-image-amd64\"\nmodules = [\"i2c-dev\"]\ncmdline = [\"loglevel=4\"]\n",
            "[kernel]\npath = \"my-bzImage\"\n",
        ],
    },
    Part {
        heading: "[packages]",
        definition: "Packages",
        keys: raw::Packages::KEYS,
        rows: &[
            row("suite", "\"trixie\"", Any),
            row("mirror", "the host's apt sources", Text("`https://`, `http://` or `file:/`")),
            row("install", "[]", Text("names of Debian packages; versions are in the lock file")),
        ],
        notes: &[],
        around: ("version = 1\n", "[packages]\n"),
        examples: &["\
[packages]
suite = \"trixie\"
mirror = \"https://debian.example.org/debian\"
install = [\"curl\", \"ca-certificates\"]
"],
    },
    Part {
        heading: "[services]",
        definition: "Services",
        keys: raw::Services::KEYS,
        rows: &[row("enable", "[]", NAMES), row("disable", "[]", NAMES)],
        notes: &[],
        around: ("version = 1\n", "[services]\n"),
        examples: &["[services]\nenable = [\"web\"]\ndisable = [\"network\"]\n"],
    },
    FILE,
    Part {
        heading: "[[user]]",
        definition: "User",
        keys: raw::User::KEYS,
        rows: &[
            row("name", "", Text("a-z, 0-9, `_` and `-`, at most 32, none of Debian's own")),
            row("uid", "", Text("1 to 65533, none of Debian's own; services: 101 to 999")),
            row("gid", "the same as `uid`", Text("1 to 65533, none of Debian's own")),
            row("home", "\"/nonexistent\"", Text("an absolute path; nothing creates it")),
            row("shell", "\"/usr/sbin/nologin\"", Text("an absolute path")),
            row("groups", "[]", Text("groups of Debian, or of another `[[user]]`")),
        ],
        notes: &[],
        around: ("version = 1\n", "[[user]]\nname = \"web\"\nuid = 110\n"),
        examples: &["\
[[user]]
name = \"web\"
uid = 110
gid = 110
home = \"/var/lib/web\"
shell = \"/usr/sbin/nologin\"
groups = [\"video\"]
"],
    },
    Part {
        heading: "[storage]",
        definition: "Storage",
        keys: raw::Storage::KEYS,
        rows: &[
            row("boot", "\"96M\"", Range("\"16M\"", "\"4G\"")),
            row("root", "as large as the content", Range("\"1M\"", "\"1024G\"")),
            row("state", "\"256M\"", Range("\"16M\"", "\"16384G\"")),
            row("compression", "\"none\"", Any),
        ],
        notes: &["Sizes are in steps of 4K."],
        around: ("version = 1\n", "[storage]\n"),
        examples: &["\
[storage]
boot = \"128M\"
root = \"1G\"
state = \"2G\"
compression = \"lz4hc\"
"],
    },
    Part {
        heading: "[screen]",
        definition: "Screen",
        keys: raw::Screen::KEYS,
        rows: &[
            row("width", "**needed** in a `[screen]`", Range("1", "16384")),
            row("height", "**needed** in a `[screen]`", Range("1", "16384")),
            row("density", "160", Range("1", "2000")),
            row("shape", "\"rect\"", Any),
        ],
        notes: &[],
        around: ("version = 1\nform-factor = \"phone\"\n", "[screen]\nwidth = 100\nheight = 100\n"),
        examples: &["[screen]\nwidth = 540\nheight = 1170\ndensity = 270\nshape = \"rect\"\n"],
    },
    Part {
        heading: "[input]",
        definition: "InputKinds",
        keys: raw::InputKinds::KEYS,
        rows: &[row("kinds", "[]", Any)],
        notes: &[],
        around: ("version = 1\n", "[input]\n"),
        examples: &["[input]\nkinds = [\"touch\", \"buttons\"]\n"],
    },
    Part {
        heading: "[debug]",
        definition: "Debug",
        keys: raw::Debug::KEYS,
        rows: &[row("agent", "false", Any), row("console", "false", Any)],
        notes: &[
            "`agent` starts the service `debug-agent`, `console` the service `console`. With \
             `release = true`, `ens check` warns about both: either gives root to whoever reaches \
             it.",
        ],
        around: ("version = 1\n", "[debug]\n"),
        examples: &["[debug]\nagent = true\nconsole = false\n"],
    },
];

const FILE: Part = Part {
    heading: "[[file]]",
    definition: "File",
    keys: raw::File::KEYS,
    rows: &[
        row("path", "", Text("absolute; not below /dev, /proc, /run, /sys, /tmp")),
        row("source", "", Text("a file that exists")),
        row("content", "", Text("at most 256 KiB")),
        row("symlink", "", Any),
        row("directory", "false", Any),
        row("mode", "`\"0644\"`, for a directory `\"0755\"`", MODE),
        row("uid", "0", OWNER),
        row("gid", "0", OWNER),
    ],
    notes: &[],
    around: ("version = 1\n", "[[file]]\npath = \"/etc/motd\"\ncontent = \"\"\n"),
    examples: &["\
[[file]]
path = \"/etc/motd\"
content = \"Hello.\\n\"
mode = \"0644\"
uid = 0
gid = 0

[[file]]
path = \"/usr/bin/hello\"
source = \"hello\"
mode = \"0755\"

[[file]]
path = \"/etc/vendor.conf\"
symlink = \"/usr/share/vendor.conf\"

[[file]]
path = \"/srv/web\"
directory = true
"],
};

const SERVICE: &[Part] = &[
    Part {
        heading: "",
        definition: "",
        keys: raw::Service::KEYS,
        rows: &[
            row("about", "\"\"", Text("one line, at most 200 characters")),
            row("exec", "", Text("an absolute path first; each argument is one item")),
            row("type", "\"simple\"", Any),
            row("requires", "[]", NAMES),
            row("wants", "[]", NAMES),
            row("after", "[]", NAMES),
            row("start-timeout", "\"30s\"", TIME),
            row("stop-timeout", "\"10s\"", TIME),
            row(
                "user",
                "\"root\"",
                Text("a `[[user]]` of the device, one of Debian's, or of a package"),
            ),
            row("environment", "{}", Text("not the variables that servicemgr sets")),
            row("working-directory", "\"/\"", Text("an absolute path that exists on the device")),
            row("output", "\"journal\"", Any),
        ],
        notes: &[
            "- `type`: `\"simple\"` is ready once its program runs, `\"notify\"` when it says \
             `READY=1` (sd_notify), `\"oneshot\"` when it ended with status 0; it then stays ready \
             without a process.\n- `output`: `\"console\"` gives it the device's console as \
             standard input, output, error and controlling terminal; `\"null\"` throws output \
             away.",
        ],
        around: ("", "exec = [\"/usr/bin/web\"]\n"),
        examples: &["\
about = \"Pages for the family\"
exec = [\"/usr/bin/web\", \"--port=80\"]
type = \"notify\"
requires = [\"database\"]
wants = [\"network\"]
after = [\"time\"]
start-timeout = \"20s\"
stop-timeout = \"5s\"
user = \"web\"
environment = { LANG = \"C.UTF-8\", WEB_ROOT = \"/srv/web\" }
working-directory = \"/srv/web\"
output = \"journal\"
"],
    },
    Part {
        heading: "[restart]",
        definition: "Restart",
        keys: raw::Restart::KEYS,
        rows: &[
            row("when", "\"on-failure\"", Text("not `\"always\"` for a oneshot")),
            row("delay", "\"100ms\"", Text("`\"0ms\"` to `max-delay`")),
            row("max-delay", "\"10s\"", Range("\"0ms\"", "\"168h\"")),
            row("limit", "5", Range("1", "1000000")),
            row("window", "\"60s\"", TIME),
        ],
        notes: &[
            "`\"on-failure\"` means a status that is not 0, a signal, a start time-out, a program \
             that could not be started, and an end before it was ready.",
        ],
        around: ("exec = [\"/usr/bin/web\"]\n", "[restart]\n"),
        examples: &["\
[restart]
when = \"always\"
delay = \"200ms\"
max-delay = \"5s\"
limit = 10
window = \"2min\"
"],
    },
    Part {
        heading: "[limits]",
        definition: "Limits",
        keys: raw::Limits::KEYS,
        rows: &[
            row("memory", "no limit", Text("at least `\"256K\"`")),
            row("cpu", "no limit", Range("\"1%\"", "\"100000%\"")),
            row("pids", "no limit", Range("1", "4194304")),
            row("open-files", "soft 1024, hard as much as PID 1 may", Range("8", "1048576")),
            row("core", "the kernel's default", Any),
        ],
        notes: &[],
        around: ("exec = [\"/usr/bin/web\"]\n", "[limits]\n"),
        examples: &["\
[limits]
memory = \"64M\"
cpu = \"150%\"
pids = 32
open-files = 4096
core = \"0\"
"],
    },
    Part {
        heading: "[sandbox]",
        definition: "Sandbox",
        keys: raw::Sandbox::KEYS,
        rows: &[
            row("capabilities", "all for root, none for another user", Text("see capabilities(7)")),
            row("no-new-privileges", "true", Any),
        ],
        notes: &[],
        around: ("exec = [\"/usr/bin/web\"]\n", "[sandbox]\n"),
        examples: &["[sandbox]\ncapabilities = [\"NET_BIND_SERVICE\"]\nno-new-privileges = true\n"],
    },
    Part {
        heading: "[[socket]]",
        definition: "Socket",
        keys: raw::Socket::KEYS,
        rows: &[
            row("name", "", Text("like the name of a service; each once")),
            row("path", "", Text("an absolute path of at most 107 bytes")),
            row("type", "\"stream\"", Any),
            row("mode", "\"0666\"", MODE),
        ],
        notes: &["A service has at most 16."],
        around: (
            "exec = [\"/usr/bin/web\"]\n",
            "[[socket]]\nname = \"main\"\npath = \"/run/web.sock\"\n",
        ),
        examples: &["\
[[socket]]
name = \"main\"
path = \"/run/web.sock\"
type = \"stream\"
mode = \"0660\"
"],
    },
];

const CASE: &[Part] = &[
    Part {
        heading: "",
        definition: "",
        keys: raw::Case::KEYS,
        rows: &[
            row("version", "", Range("1", "1")),
            row("about", "", Text("one line, at most 200 characters")),
            row("device", "\"headless\"", Text("with `[debug] agent = true`")),
            row("on", "[\"container\", \"machine\"]", Any),
            row("enable", "all of `services/` beside it", NAMES),
        ],
        notes: &[],
        around: ("", "version = 1\nabout = \"It runs\"\n[[step]]\nrun = [\"true\"]\n"),
        examples: &["\
version = 1
about = \"A killed web server comes back\"
device = \"headless\"
on = [\"container\"]
enable = []

[[step]]
run = [\"busybox\", \"pkill\", \"-9\", \"web\"]
"],
    },
    Part {
        heading: "[[step]]",
        definition: "Step",
        keys: raw::Step::KEYS,
        rows: &[
            row("run", "", Text("one of `run`, `host` and `disk`")),
            row("host", "", Text("`power-cut` needs `on = [\"machine\"]`")),
            row("disk", "", Text("needs `on = [\"machine\"]`, and a device that is off")),
            row("times", "1", Range("1", "10000")),
            row("timeout", "\"30s\"", TIME),
            row("until", "it is done once", Range("\"1ms\"", "\"168h\"")),
            row("exit", "0", Range("0", "255")),
            row("stdout", "it may be anything", Any),
            row("stderr", "it may be anything", Any),
            row("stdout-has", "[]", Any),
            row("stdout-lacks", "[]", Any),
            row("stderr-has", "[]", Any),
            row("json", "[]", Any),
            row("save", "", Text("letters, digits, `_` and `-`, at most 64")),
        ],
        notes: &[
            "- `host`: `\"kill-servicemgr\"` sends it SIGKILL, `\"power-cut\"` ends the machine as \
             a lost power supply does and boots it again, `\"reboot\"` reboots it in order. \
             `\"power-off\"` ends it in order, `\"ends\"` waits for an end that a step before has \
             begun: the exit status is that of PID 1 or of the machine. `\"power-on\"` boots it \
             again: its exit status is 1 when the device does not get up. The standard output of \
             these three is the console.\n- `times` and `until` exclude each other.",
        ],
        around: (
            "version = 1\nabout = \"It runs\"\non = [\"machine\"]\n",
            "[[step]]\nrun = [\"true\"]\n",
        ),
        examples: &["\
[[step]]
run = [\"ensctl\", \"service\", \"status\", \"web\", \"--json\"]
until = \"10s\"
timeout = \"5s\"
json = [{ at = \"/state\", is = \"ready\" }]
save = \"before\"

[[step]]
host = \"kill-servicemgr\"
times = 3

[[step]]
host = \"power-off\"

[[step]]
disk = { partition = \"root-a\", erase = \"4K\", at = \"0\" }

[[step]]
host = \"power-on\"
exit = 1
stdout-has = [\"root-a\"]

[[step]]
run = [\"cat\", \"/etc/motd\"]
exit = 0
stdout = \"Hello.\"
stderr = \"\"

[[step]]
run = [\"ls\", \"/\", \"/missing\"]
exit = 1
stdout-has = [\"usr\"]
stdout-lacks = [\"secret\"]
stderr-has = [\"No such file\"]
"],
    },
    Part {
        heading: "[[copy]]",
        definition: "Copy",
        keys: raw::Copy::KEYS,
        rows: &[
            row("service", "", Text("a file of `services/`, without `.toml`")),
            row("count", "", Range("1", "1000")),
        ],
        notes: &["The copies of `web` are `web-1`, `web-2` and so on; `web` itself does not run."],
        around: (
            "version = 1\nabout = \"It runs\"\n",
            "[[copy]]\nservice = \"web\"\ncount = 2\n[[step]]\nrun = [\"true\"]\n",
        ),
        examples: &["\
[[copy]]
service = \"web\"
count = 50

[[step]]
run = [\"true\"]
"],
    },
    Part {
        heading: "disk",
        definition: "Harm",
        keys: raw::Harm::KEYS,
        rows: &[
            row("partition", "", Text("`boot`, `bootctl`, `root-a`, `root-b`, `state`")),
            row("erase", "the whole partition is missing", Any),
            row("at", "\"0\"", Text("only with `erase`")),
        ],
        notes: &[],
        around: ("", ""),
        examples: &[],
    },
    Part {
        heading: "json",
        definition: "JsonIs",
        keys: raw::JsonIs::KEYS,
        rows: &[row("at", "", Text("begins with `/`, or is empty: the whole"))],
        notes: &[],
        around: ("", ""),
        examples: &[],
    },
    Part { heading: "[[file]]", ..FILE_OF_CASE },
];

/// The same keys as in a device.
const FILE_OF_CASE: Part = Part {
    heading: "[[file]]",
    definition: "File",
    keys: raw::File::KEYS,
    rows: FILE.rows,
    notes: &[],
    around: ("", ""),
    examples: &[],
};
