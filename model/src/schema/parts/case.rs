//! The tables of a case's TOML.

use super::Limits::{None as Any, Range, Text};
use super::device::FILE;
use super::{NAMES, Part, TIME, row};
use crate::text::decode::Table;
use crate::text::raw;

pub(super) const PARTS: &[Part] = &[
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
            row("on", "the first", Text("a name of a `[[device]]`")),
            row("run", "", Text("one of `run`, `host`, `disk`, `link` and `address`")),
            row("host", "", Text("`power-cut` needs `on = [\"machine\"]`")),
            row("disk", "", Text("needs `on = [\"machine\"]`, and a device that is off")),
            row("link", "", Text("needs `[[device]]`s")),
            row("address", "", Text("10.77.0.1 to 10.77.0.254; needs `[[device]]`s")),
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
             these three is the console.\n- `{landlock}` in a text is the version of Landlock that the kernel \
             has to have here.\n- `times` and `until` exclude each other.",
        ],
        around: (
            "version = 1\nabout = \"It runs\"\non = [\"machine\"]\n",
            "[[step]]\nrun = [\"true\"]\n",
        ),
        examples: &[
            "\
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
",
            "\
[[device]]
name = \"phone\"

[[device]]
name = \"tv\"

[[step]]
link = { between = [\"phone\", \"tv\"], cut = true }

[[step]]
on = \"tv\"
address = \"10.77.0.42\"
",
        ],
    },
    Part {
        heading: "[[device]]",
        definition: "Member",
        keys: raw::Member::KEYS,
        rows: &[
            row("name", "", Text("1 to 64 of a-z, 0-9 and `-`, a letter first")),
            row("device", "the one that the case is run for", Text("with `[debug] agent = true`")),
        ],
        notes: &[
            "What is in `services/`, `enable`, `copy` and `[[file]]` is given to each of them. Saved values are those of \
             all: what one printed can be typed at the other. At most 64.",
        ],
        around: (
            "version = 1\nabout = \"They meet\"\n",
            "[[device]]\nname = \"a\"\n[[step]]\nrun = [\"true\"]\n",
        ),
        examples: &["\
[[device]]
name = \"phone\"
device = \"headless\"

[[device]]
name = \"tv\"

[[step]]
on = \"tv\"
run = [\"hostname\"]
save = \"who\"

[[step]]
on = \"phone\"
run = [\"ping\", \"-c1\", \"{who}.local\"]

[[step]]
link = { between = [\"phone\", \"tv\"], cut = true }

[[step]]
run = [\"ping\", \"-c1\", \"-W1\", \"tv.local\"]
exit = 1

[[step]]
link = { between = [\"phone\"], cut = false, loss = \"10%\", delay = \"20ms\" }

[[step]]
on = \"tv\"
address = \"10.77.0.42\"
"],
    },
    Part {
        heading: "link",
        definition: "Link",
        keys: raw::Link::KEYS,
        rows: &[
            row("between", "all links", Text("two names of `[[device]]`s, or one")),
            row("cut", "it stays as it is", Any),
            row("loss", "it stays as it is", Text("`\"0%\"` to `\"100%\"`")),
            row("delay", "it stays as it is", Text("at most `\"10s\"`")),
        ],
        notes: &[],
        around: ("", ""),
        examples: &[],
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
