//! The tables of a device's TOML.

use super::Limits::{None as Any, Range, Text};
use super::{MODE, NAMES, OWNER, Part, row};
use crate::text::decode::Table;
use crate::text::raw;

pub(super) const PARTS: &[Part] = &[
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
            row(
                "parameters",
                "{}",
                Text("names of at most 96 bytes, values of 96, `const.` of 4096"),
            ),
        ],
        notes: &[
            "`[parameters]`: what a parameter has at boot. `const.` ones keep it, `persist.` ones till \
             another value is saved. `persist.volume`, `\"persist.volume\"` and `volume` in \
             `[parameters.persist]` are one.",
        ],
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
parameters = { greeting = \"hello\", const.serial = \"0815\", persist.volume = \"5\" }
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
        rows: &[
            row("enable", "[]", NAMES),
            row("disable", "[]", NAMES),
            row("templates", "[]", Text("names that end in `@`")),
        ],
        notes: &[],
        around: ("version = 1\n", "[services]\n"),
        examples: &[
            "[services]\nenable = [\"web\", \"getty@tty1\"]\ndisable = [\"network\"]\ntemplates = \
                    [\"player@\"]\n",
        ],
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
        heading: "[apps]",
        definition: "Apps",
        keys: raw::Apps::KEYS,
        rows: &[
            row("install", "[]", Text("at most 1000 names of directories, each once")),
            row("trust", "[]", Text("public keys, each once")),
            row("stores", "[]", Text("at most 32, each name once")),
        ],
        notes: &[
            "An app is looked for in `abilities/NAME/` beside each `services/` where services are looked for, the nearest \
             first. Its files are part of the image, so nobody has to sign it; the device must have what it requires.",
        ],
        around: ("version = 1\n", "[apps]\n"),
        examples: &["\
[apps]
install = [\"notes\"]
trust = [\"ed25519:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\"]
stores = [{ name = \"shop\", url = \"https://apps.example.org/shop\", root = \"root.json\" }]
"],
    },
    Part {
        heading: "[[apps.stores]]",
        definition: "Store",
        keys: raw::Store::KEYS,
        rows: &[
            row("name", "", Text("a-z, 0-9 and `-`, a letter first, at most 64")),
            row("url", "", Text("`https://`, `http://` or `file:///`, at most 1024 bytes")),
            row("root", "", Text("a file that exists, signed by its own keys")),
        ],
        notes: &["At most 32 stores, each name once. See [store.md](store.md)."],
        around: (
            "version = 1\n",
            "[[apps.stores]]\nname = \"shop\"\nurl = \"https://a\"\nroot = \"root.json\"\n",
        ),
        examples: &["\
[[apps.stores]]
name = \"shop\"
url = \"https://apps.example.org/shop\"
root = \"root.json\"

[[apps.stores]]
name = \"stick\"
url = \"file:///media/stick/shop\"
root = \"stick.json\"
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
    Part {
        heading: "[sandbox]",
        definition: "Tolerated",
        keys: raw::Tolerated::KEYS,
        rows: &[row(
            "optional",
            "nothing; on the target container all but seccomp",
            Text("a version of Landlock stands for all later ones"),
        )],
        notes: &[
            "What is listed here is `optional` in every profile. Without it, a service whose rules the \
             kernel can't hold does not start; see [sandbox.md](sandbox.md).",
        ],
        around: ("version = 1\n", "[sandbox]\n"),
        examples: &["[sandbox]\noptional = [\"landlock-6\", \"write-execute\"]\n"],
    },
];

pub(super) const FILE: Part = Part {
    heading: "[[file]]",
    definition: "File",
    keys: raw::File::KEYS,
    rows: &[
        row("path", "", Text("absolute; not below /dev, /proc, /run, /sys, /tmp")),
        row("source", "", Text("a file that exists")),
        row("content", "", Text("at most 256 KiB")),
        row("program", "", Text("`attacks`; not in a release")),
        row("symlink", "", Any),
        row("directory", "false", Any),
        row("mode", "`\"0644\"`, for a directory or program `\"0755\"`", MODE),
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

[[file]]
path = \"/usr/lib/tests/attacks\"
program = \"attacks\"
"],
};
