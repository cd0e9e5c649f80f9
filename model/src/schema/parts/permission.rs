//! The tables of a permission.

use super::Limits::{None as Any, Range, Text};
use super::sandbox::{CALLS, CAPABILITIES, PORTS, TREES};
use super::{Part, row};
use crate::text::decode::Table;
use crate::text::raw;

/// The least permission.
const LEAST: &str = "version = 1\nabout = \"do nothing\"\n";

const BUS_NAMES: super::Limits = Text("at most 64 names");

pub(super) const PARTS: &[Part] = &[TOP, FILES, NETWORK, CALLS_PART, BUS];

const TOP: Part = Part {
    heading: "",
    definition: "",
    keys: raw::Permission::KEYS,
    rows: &[
        row("version", "", Range("1", "1")),
        row("about", "", Text("a phrase of at most 200 characters, without a full stop")),
        row("abouts", "{}", Text("at most 128 of `de`, `pt-BR`, `zh-Hant-TW`")),
        row("level", "\"normal\"", Any),
        row("grant", "\"user\"", Any),
        row("checked-by", "none", Text("a service")),
        row("capabilities", "none", CAPABILITIES),
        row("write-execute", "not changed", Text("only `true`")),
    ],
    notes: &[
        "A program is asked about in the language of the device, where `abouts` has it.",
        "`checked-by` is for what only a service can allow or refuse; that one asks ability-manager who has it. \
         Without it, a permission that adds nothing is a mistake.",
        "A permission only adds: what a profile does not restrict it does not change, and what a \
              profile forbids it does not give. Keys of a profile that restrict are errors here.",
    ],
    around: ("", LEAST),
    examples: &[
        "\
version = 1
about = \"set the clock\"
abouts = { de = \"die Uhr stellen\" }
level = \"system-basic\"
grant = \"system\"
capabilities = [\"SYS_TIME\"]
write-execute = true
",
        "version = 1\nabout = \"start other apps\"\nchecked-by = \"ability-manager\"\n",
    ],
};

const FILES: Part = Part {
    heading: "[files]",
    definition: "Trees",
    keys: raw::Trees::KEYS,
    rows: &[
        row("read", "none", TREES),
        row("write", "none", TREES),
        row("execute", "none", TREES),
        row("devices", "none", Text("at most 64 names below /dev")),
    ],
    notes: &[
        "Nothing of `/dev`, `/proc`, `/tmp`, `/var/tmp` and `/run/ensemble` is given by its path, and `/` is \
         not given at all.",
    ],
    around: (LEAST, "[files]\n"),
    examples: &["\
[files]
read = [\"/etc/web\"]
write = [\"/var/lib/pictures\"]
execute = [\"/opt/web\"]
devices = [\"video*\", \"dri\"]
"],
};

const NETWORK: Part = Part {
    heading: "[network]",
    definition: "Ports",
    keys: raw::Ports::KEYS,
    rows: &[
        row("access", "not changed", Text("only `\"host\"`")),
        row("families", "none", Any),
        row("connect", "every port beside `access`", PORTS),
        row("listen", "every port beside `access`", PORTS),
        row("udp", "false", Text("says something only beside `connect` or `listen`")),
    ],
    notes: &[
        "Ports and `udp` need `access = \"host\"`: in an empty network they would lead nowhere.",
    ],
    around: (LEAST, "[network]\naccess = \"host\"\n"),
    examples: &["\
[network]
access = \"host\"
families = [\"inet\", \"inet6\"]
connect = [80, 443]
listen = []
udp = true
"],
};

const CALLS_PART: Part = Part {
    heading: "[calls]",
    definition: "Adds",
    keys: raw::Adds::KEYS,
    rows: &[row("allow", "none", CALLS)],
    notes: &[],
    around: (LEAST, "[calls]\n"),
    examples: &["[calls]\nallow = [\"@clock\"]\n"],
};

const BUS: Part = Part {
    heading: "[bus]",
    definition: "Names",
    keys: raw::Names::KEYS,
    rows: &[row("talk", "none", BUS_NAMES), row("own", "none", BUS_NAMES)],
    notes: &[],
    around: (LEAST, "[bus]\n"),
    examples: &["[bus]\ntalk = [\"org.bluez\"]\nown = [\"org.example.Player\"]\n"],
};
