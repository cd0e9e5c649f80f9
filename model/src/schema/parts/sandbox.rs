//! The tables of a profile, which are those of `[sandbox]` of a service too.

use super::Limits::{None as Any, Range, Text};
use super::{Part, row};
use crate::text::decode::Table;
use crate::text::raw;

pub(super) const TREES: super::Limits = Text("at most 256 absolute paths without `.` and `..`");
pub(super) const PORTS: super::Limits = Text("at most 256 numbers from 1 to 65535");
pub(super) const CALLS: super::Limits = Text("at most 512 names of calls, or of groups");
pub(super) const CAPABILITIES: super::Limits = Text("see capabilities(7)");
const FEATURES: super::Limits = Text(
    "`seccomp`, `landlock-1` to `landlock-7`, `namespaces`, `network-namespace`, `write-execute`",
);

/// The least profile.
const LEAST: &str = "version = 1\nlock-personality = true\n";

/// The rows of the top of a profile that `[sandbox]` has too.
macro_rules! rules {
    ($($row:expr),*) => { &[
        $($row,)*
        row("inherit", "[]", Text("names of profiles, at most 32 in all, no cycle")),
        row("permissions", "[]", Text("names of permissions, at most 64")),
        row("requires", "[]", FEATURES),
        row("optional", "[]", FEATURES),
        row("capabilities", "all for root, none for another user", CAPABILITIES),
        row("no-new-privileges", "true", Text("`false` only for root with all capabilities, or without rules that the kernel checks")),
        row("write-execute", "not restricted", Any),
        row("lock-personality", "false", Any),
        row("keyring", "\"shared\"", Any),
        row("namespaces", "[]", Any),
    ] };
}

pub(super) const PARTS: &[Part] = &[TOP, FILES, NETWORK, CALLS_PART, BOUNDS, FORBID];

const TOP: Part = Part {
    heading: "",
    definition: "",
    keys: raw::Profile::KEYS,
    rows: rules![
        row("version", "", Range("1", "1")),
        row("about", "\"\"", Text("one line, at most 200 characters"))
    ],
    notes: &["What a profile does not speak of is not restricted."],
    around: ("", "version = 1\nlock-personality = true\n"),
    examples: &["\
version = 1
about = \"What programs for pictures may do\"
inherit = [\"base\"]
permissions = [\"camera\"]
requires = [\"landlock-4\"]
optional = [\"namespaces\"]
capabilities = []
no-new-privileges = true
write-execute = false
lock-personality = true
keyring = \"own\"
namespaces = [\"ipc\", \"uts\"]
"],
};

/// `[sandbox]` of a service.
pub(super) const OF_SERVICE: Part = Part {
    heading: "[sandbox]",
    definition: "Sandbox",
    keys: raw::Sandbox::KEYS,
    rows: rules![row(
        "exception",
        "",
        Text(
            "one line, at most 200 characters; not beside a profile, and not in a device without [debug]"
        )
    )],
    notes: &[
        "The tables `[sandbox.files]`, `[sandbox.network]`, `[sandbox.calls]` and `[sandbox.forbid]` are \
         those of a profile; see [sandbox.md](sandbox.md).",
    ],
    around: (super::service::EXEC, "[sandbox]\n"),
    examples: &[
        "\
[sandbox]
exception = \"for development: the owner's shell\"
",
        "\
[sandbox]
inherit = [\"base\"]
permissions = [\"camera\"]
requires = [\"seccomp\"]
optional = [\"namespaces\"]
capabilities = [\"NET_BIND_SERVICE\"]
no-new-privileges = true
write-execute = false
lock-personality = true
keyring = \"own\"
namespaces = [\"ipc\"]
[sandbox.files]
write = [\"/var/lib/web\"]
",
    ],
};

const FILES: Part = Part {
    heading: "[files]",
    definition: "Files",
    keys: raw::Files::KEYS,
    rows: &[
        row("view", "\"whole\"", Any),
        row("root", "the device's", Text("an absolute path, where `view` is `\"listed\"`")),
        row("read", "not restricted", TREES),
        row("write", "not restricted", TREES),
        row("execute", "not restricted", TREES),
        row("tmp", "\"shared\"", Any),
        row("proc", "\"host\"", Any),
        row("devices", "the device's", Text("at most 64 names below /dev")),
    ],
    notes: &[
        "In the view `\"whole\"` every file of the device is there, and with `write` everything else is \
         read-only. In the view `\"listed\"` only the trees in the lists are there. A tree of `write` \
         may not lie in one of `execute`, nor the other way round. Of `/tmp` that is private nothing is \
         listed: it can be written.",
    ],
    around: (LEAST, "[files]\n"),
    examples: &["\
[files]
view = \"listed\"
root = \"/srv/roots/web\"
read = [\"/etc/web\"]
write = [\"/var/lib/web\"]
execute = [\"/usr\"]
tmp = \"private\"
proc = \"own\"
devices = [\"fb0\", \"input/event0\"]
"],
};

const NETWORK: Part = Part {
    heading: "[network]",
    definition: "Network",
    keys: raw::Network::KEYS,
    rows: &[
        row("access", "\"host\"", Any),
        row("families", "not restricted", Any),
        row("connect", "not restricted", PORTS),
        row("listen", "not restricted", PORTS),
        row("udp", "false", Text("says something only beside `connect` or `listen`")),
    ],
    notes: &[],
    around: (LEAST, "[network]\n"),
    examples: &[
        "\
[network]
access = \"host\"
families = [\"unix\", \"inet\", \"inet6\"]
connect = [443]
listen = [8080]
udp = true
",
        "[network]\naccess = \"none\"\n",
    ],
};

const CALLS_PART: Part = Part {
    heading: "[calls]",
    definition: "Calls",
    keys: raw::Calls::KEYS,
    rows: &[
        row("allow", "not restricted", CALLS),
        row("deny", "[]", CALLS),
        row("kill", "[]", CALLS),
    ],
    notes: &["The groups are listed in [sandbox.md](sandbox.md#groups-of-system-calls)."],
    around: (LEAST, "[calls]\n"),
    examples: &["\
[calls]
allow = [\"@basic\", \"io_setup\"]
deny = [\"mlockall\"]
kill = [\"@debug\"]
"],
};

const BOUNDS: Part = Part {
    heading: "[limits]",
    definition: "Bounds",
    keys: raw::Bounds::KEYS,
    rows: &[
        row("memory", "no limit", Text("at least `\"256K\"`")),
        row("cpu", "no limit", Range("\"1%\"", "\"100000%\"")),
        row("pids", "no limit", Range("1", "4194304")),
        row("open-files", "no limit", Range("8", "1048576")),
        row("core", "no limit", Any),
        row("signals", "no limit", Range("0", "1048576")),
        row("locked-memory", "no limit", Any),
        row("file-size", "no limit", Any),
        row("stack", "no limit", Text("at least `\"256K\"`")),
        row("storage", "no limit", Text("at least `\"64K\"`")),
        row("storage-files", "no limit", Range("8", "1000000000")),
    ],
    notes: &["What a service says in its own `[limits]` wins."],
    around: (LEAST, "[limits]\n"),
    examples: &["\
[limits]
memory = \"64M\"
cpu = \"50%\"
pids = 32
open-files = 1024
core = \"0\"
signals = 256
locked-memory = \"64K\"
file-size = \"100M\"
stack = \"1M\"
storage = \"64M\"
storage-files = 10000
"],
};

const FORBID: Part = Part {
    heading: "[forbid]",
    definition: "Forbid",
    keys: raw::Forbid::KEYS,
    rows: &[
        row("files", "[]", TREES),
        row("write", "[]", TREES),
        row("calls", "[]", CALLS),
        row("capabilities", "[]", CAPABILITIES),
        row("families", "[]", Any),
        row("network", "false", Any),
        row("write-execute", "false", Any),
        row("new-privileges", "false", Any),
    ],
    notes: &[
        "To allow what is forbidden here, in this file or in one that inherits it, is an error.",
    ],
    around: (LEAST, "[forbid]\n"),
    examples: &["\
[forbid]
files = [\"/var/lib/messages\"]
write = [\"/etc\"]
calls = [\"@mount\", \"@modules\"]
capabilities = [\"SYS_ADMIN\"]
families = [\"packet\"]
network = true
write-execute = true
new-privileges = true
"],
};
