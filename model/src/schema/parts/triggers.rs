//! The tables of what triggers a service.

use super::Limits::{None as Any, Range, Text};
use super::service::EXEC;
use super::{MODE, Part, row};
use crate::text::decode::Table;
use crate::text::raw;

pub(super) const BUS: Part = Part {
    heading: "[bus]",
    definition: "Bus",
    keys: raw::Bus::KEYS,
    rows: &[
        row("name", "**needed** in a `[bus]`", Text("each on one service only")),
        row("also", "[]", Text("at most 32; `name.*` is not known")),
        row("owner", "the service's `user`", Text("in `/etc/passwd`")),
        row("users", "[]", Text("at most 32; `[]` is everybody")),
    ],
    notes: &[],
    around: (EXEC, "[bus]\nname = \"org.example.Web\"\n"),
    examples: &["\
[bus]
name = \"org.example.Web\"
also = [\"org.example.Web.Admin\"]
owner = \"web\"
users = [\"root\", \"web\"]
"],
};

pub(super) const SOCKET: Part = Part {
    heading: "[[socket]]",
    definition: "Socket",
    keys: raw::Socket::KEYS,
    rows: &[
        row("name", "", Text("like the name of a service; each once")),
        row("path", "", Text("an absolute path of at most 107 bytes")),
        row("listen", "", Text("numbers, no names; each address once on a device")),
        row(
            "type",
            "`\"stream\"`, for udp `\"datagram\"`",
            Text("vsock: stream, seqpacket; FIFOs have a path"),
        ),
        row("mode", "\"0666\"", MODE),
        row("user", "\"root\"", Text("only with `path`")),
        row("backlog", "128", Range("1", "4096")),
        row("accept", "false", Text("needs the template `SERVICE@`")),
    ],
    notes: &[
        "A service has at most 16. With `accept`, the instances of `SERVICE@` get the connection as \
         descriptor 3; a service of which nothing else runs is of type `\"target\"`.",
    ],
    around: (EXEC, "[[socket]]\nname = \"main\"\npath = \"/run/web.sock\"\n"),
    examples: &["\
[[socket]]
name = \"main\"
path = \"/run/web.sock\"
type = \"stream\"
mode = \"0660\"
user = \"web\"

[[socket]]
name = \"http\"
listen = \"tcp:[::]:80\"
backlog = 512

[[socket]]
name = \"shell\"
listen = \"vsock:1234\"
accept = true
"],
};

pub(super) const TIMER: Part = Part {
    heading: "[[timer]]",
    definition: "Timer",
    keys: raw::Timer::KEYS,
    rows: &[
        row("calendar", "", Text("as systemd.time(7) has it; one of these five keys")),
        row("after-boot", "", Text("at most `\"168h\"`")),
        row("after-arm", "", Text("at most `\"168h\"`")),
        row("after-start", "", Text("`\"1s\"` to `\"168h\"`")),
        row("after-end", "", Text("`\"1s\"` to `\"168h\"`")),
        row("random-delay", "\"0s\"", Range("\"0s\"", "\"168h\"")),
        row("accuracy", "\"0s\"", Range("\"0s\"", "\"168h\"")),
        row("persistent", "false", Text("only with `calendar`")),
    ],
    notes: &[
        "At most 16. `after-boot` and `after-arm` come once in a boot. `after-start` and `after-end` \
         count from when the service was armed, the first time.",
    ],
    around: (EXEC, "[[timer]]\ncalendar = \"daily\"\n"),
    examples: &["\
[[timer]]
calendar = \"Mon..Fri 06:30\"
random-delay = \"10min\"
persistent = true

[[timer]]
after-boot = \"2min\"

[[timer]]
after-arm = \"10min\"

[[timer]]
after-start = \"24h\"
accuracy = \"1min\"

[[timer]]
after-end = \"1h\"
"],
};

pub(super) const PATH: Part = Part {
    heading: "[[path]]",
    definition: "PathWatch",
    keys: raw::PathWatch::KEYS,
    rows: &[
        row("path", "", Text("absolute; not below /proc or /sys")),
        row("when", "\"exists\"", Any),
        row("make", "false", Text("not with `\"exists\"`")),
    ],
    notes: &[
        "At most 16. `\"exists\"` and `\"not-empty\"` trigger again when the service has ended and it \
         is still so; `\"changed\"` means written and closed, made, moved or removed.",
    ],
    around: (EXEC, "[[path]]\npath = \"/run/print-me\"\n"),
    examples: &["\
[[path]]
path = \"/var/spool/print\"
when = \"not-empty\"
make = true

[[path]]
path = \"/run/print-*\"
"],
};

pub(super) const DEVICE: Part = Part {
    heading: "[[device]]",
    definition: "DeviceMatch",
    keys: raw::DeviceMatch::KEYS,
    rows: &[
        row("subsystem", "", Text("a directory in /sys/class or /sys/bus")),
        row("name", "any", Text("at most 128 characters")),
        row("bind", "false", Any),
    ],
    notes: &["At most 16."],
    around: (EXEC, "[[device]]\nsubsystem = \"tty\"\n"),
    examples: &["[[device]]\nsubsystem = \"tty\"\nname = \"ttyUSB*\"\nbind = true\n"],
};

pub(super) const PARAMETER: Part = Part {
    heading: "[[parameter]]",
    definition: "ParameterMatch",
    keys: raw::ParameterMatch::KEYS,
    rows: &[
        row("name", "", Text("words with `.` between them, at most 96 characters")),
        row("value", "\"*\"", Text("at most 4096 bytes")),
    ],
    notes: &["At most 16."],
    around: (EXEC, "[[parameter]]\nname = \"persist.wifi\"\n"),
    examples: &["[[parameter]]\nname = \"persist.wifi\"\nvalue = \"on\"\n"],
};

pub(super) const SIGNAL: Part = Part {
    heading: "[[signal]]",
    definition: "SignalMatch",
    keys: raw::SignalMatch::KEYS,
    rows: &[
        row("sender", "anybody", Text("a name on the bus")),
        row("path", "any", Text("an object: `/` and words with `/` between them")),
        row("interface", "", Text("words with `.` between them")),
        row("member", "any", Text("one word")),
        row("arg0", "any", Text("at most 1024 bytes")),
    ],
    notes: &[
        "At most 16. Without `sender`, whoever is on the bus can start the service. It finds what came \
         in `$SIGNAL_SENDER`, `$SIGNAL_PATH`, `$SIGNAL_INTERFACE`, `$SIGNAL_MEMBER` and `$SIGNAL_ARG0`.",
    ],
    around: (EXEC, "[[signal]]\ninterface = \"org.example.Power\"\n"),
    examples: &["\
[[signal]]
sender = \"org.example.Power\"
path = \"/org/example/Power\"
interface = \"org.example.Power\"
member = \"Changed\"
arg0 = \"battery\"
"],
};
