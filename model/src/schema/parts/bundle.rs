//! The tables of a bundle.

use super::Limits::{None as Any, Range, Text};
use super::{Limits, Part, row};
use crate::text::decode::Table;
use crate::text::raw;

/// The least bundle.
const LEAST: &str = "id = \"org.example.x\"\nversion = \"1.0.0\"\nname = \"X\"\n\
                     [[ability]]\nname = \"main\"\nexec = [\"/bin/x\"]\n";

/// The same without its abilities.
const TOP_LINES: &str = "id = \"org.example.x\"\nversion = \"1.0.0\"\nname = \"X\"\n\
                         ability = [{ name = \"main\", exec = [\"/bin/x\"] }]\n";

/// The same where another table follows that belongs to no ability.
const HEAD: &str = "id = \"org.example.x\"\nversion = \"1.0.0\"\nname = \"X\"\n";

/// An ability that works.
const WORKS: &str = "id = \"org.example.x\"\nversion = \"1.0.0\"\nname = \"X\"\n\
                     [[ability]]\nname = \"main\"\nexec = [\"/bin/x\"]\nkind = \"work\"\n";

/// An ability that makes cards.
const CARD: &str = "id = \"org.example.x\"\nversion = \"1.0.0\"\nname = \"X\"\n\
                    [[ability]]\nname = \"main\"\nexec = [\"/bin/x\"]\nkind = \"form\"\n";

const SAID: Limits = Text("a line of 1 to 256 bytes");
const LANGUAGES: Limits = Text("at most 128 of `de`, `pt-BR`, `zh-Hant-TW`");
const WORDS: Limits = Text("at most 64, of at most 1024 bytes");

pub(super) const PARTS: &[Part] =
    &[TOP, RUNTIME, REQUIRES, RESOURCES, DATA, PERMISSION, ABILITY, WORK, FORM, SKILL, URI, SOURCE];

const TOP: Part = Part {
    heading: "",
    definition: "",
    keys: raw::Bundle::KEYS,
    rows: &[
        row(
            "id",
            "",
            Text(
                "at most 48 of `a-z`, `0-9` and `-`, in two or more words with dots between, each with a letter first",
            ),
        ),
        row("version", "", Text("three numbers with dots between, none with a zero in front")),
        row("name", "", SAID),
        row("names", "{}", LANGUAGES),
        row("about", "\"\"", Text("a line of at most 256 bytes")),
        row("abouts", "{}", LANGUAGES),
        row("icon", "none", Text("a path from the top of the bundle, or the name of a resource")),
        row("kind", "\"app\"", Any),
        row("layout", "\"app\"", Text("of kind `runtime` always `root`")),
        row("level", "\"normal\"", Any),
        row("acl", "[]", Text("at most 64; each has a `[[permission]]`")),
        row("permission", "[]", Text("at most 64; none of kind `runtime`")),
        row("ability", "", Text("1 to 32; none of kind `runtime`")),
    ],
    notes: &[
        "Beside `names` and its like the text without a language is needed: it is read where none fits.",
    ],
    around: ("", TOP_LINES),
    examples: &["\
id = \"org.example.notes\"
version = \"1.0.0\"
name = \"Notes\"
names = { de = \"Notizen\", pt-BR = \"Notas\" }
about = \"Keeps what you write down\"
abouts = { de = \"Merkt sich, was man aufschreibt\" }
icon = \"notes.svg\"
kind = \"app\"
layout = \"app\"
level = \"normal\"
acl = [\"camera\"]

[[permission]]
name = \"camera\"

[[ability]]
name = \"main\"
exec = [\"/usr/bin/python3\", \"notes.py\"]
"],
};

const REQUIRES: Part = Part {
    heading: "[requires]",
    definition: "Requires",
    keys: raw::Requires::KEYS,
    rows: &[
        row("api", "any", Range("1", "1")),
        row("architectures", "[]", Text("of `aarch64`, `armv7l`, `riscv64`, `x86_64`")),
        row("form-factors", "[]", Any),
        row("files", "[]", Text("at most 64 absolute paths")),
    ],
    notes: &["A list that is absent or empty asks for nothing."],
    around: (LEAST, "[requires]\n"),
    examples: &["\
[requires]
api = 1
architectures = [\"x86_64\", \"aarch64\"]
form-factors = [\"phone\", \"tablet\"]
files = [\"/usr/bin/python3\"]
"],
};

const RUNTIME: Part = Part {
    heading: "[runtime]",
    definition: "Runtime",
    keys: raw::Runtime::KEYS,
    rows: &[
        row("bundle", "", Text("the id of a bundle of kind `runtime`")),
        row("version", "\"0.0.0\"", Text("three numbers with dots between")),
    ],
    notes: &["A runtime itself has none below it."],
    around: (LEAST, "[runtime]\nbundle = \"org.example.python\"\n"),
    examples: &["[runtime]\nbundle = \"org.example.python\"\nversion = \"3.11.0\"\n"],
};

const RESOURCES: Part = Part {
    heading: "[resources]",
    definition: "Resources",
    keys: raw::Resources::KEYS,
    rows: &[row("directory", "none", Text("a path from the top of the bundle"))],
    notes: &[],
    around: (LEAST, "[resources]\n"),
    examples: &["[resources]\ndirectory = \"resources\"\n"],
};

const DATA: Part = Part {
    heading: "[data]",
    definition: "Data",
    keys: raw::Data::KEYS,
    rows: &[row("size", "\"64M\"", Range("\"64K\"", "\"1024G\""))],
    notes: &[],
    around: (LEAST, "[data]\n"),
    examples: &["[data]\nsize = \"256M\"\n"],
};

const PERMISSION: Part = Part {
    heading: "[[permission]]",
    definition: "Asked",
    keys: raw::Asked::KEYS,
    rows: &[
        row("name", "", Text("each once")),
        row("reason", "none", Text("a line of 1 to 256 bytes; needed where the owner is asked")),
        row("reasons", "{}", LANGUAGES),
    ],
    notes: &[],
    around: (LEAST, "[[permission]]\nname = \"camera\"\nreason = \"To see\"\n"),
    examples: &["\
[[permission]]
name = \"camera\"
reason = \"To put pictures into notes\"
reasons = { de = \"Um Bilder in Notizen zu legen\" }
"],
};

const ABILITY: Part = Part {
    heading: "[[ability]]",
    definition: "Ability",
    keys: raw::Ability::KEYS,
    rows: &[
        row("name", "", Text("1 to 32 of a-z, 0-9 and `-`, a letter first; each once")),
        row("kind", "\"page\"", Any),
        row("launch", "\"singleton\"", Any),
        row(
            "exec",
            "",
            Text("the program is a path that begins with `/`, or one from the top of the bundle"),
        ),
        row("lifecycle", "\"process\"", Any),
        row("exported", "false", Any),
        row("permission", "none", Text("says something only beside `exported`")),
        row("label", "the bundle's name", SAID),
        row("labels", "{}", LANGUAGES),
        row("environment", "{}", Text("at most 64; `HOME` and `ENSEMBLE_…` are set by the device")),
        row("memory", "as profile `app` has it", Text("at least 256K")),
        row("write-execute", "false", Any),
        row("before-unlock", "false", Any),
        row("background", "[]", Any),
        row("work", "no condition, once", Text("beside kind = \"work\"")),
        row("form", "cards of 2x2", Text("beside kind = \"form\"")),
        row("skill", "[]", Text("at most 32")),
    ],
    notes: &["The first page is what the icon of the bundle opens."],
    around: (HEAD, "[[ability]]\nname = \"main\"\nexec = [\"/bin/x\"]\n"),
    examples: &[
        "\
[[ability]]
name = \"main\"
kind = \"page\"
launch = \"singleton\"
exec = [\"/usr/bin/python3\", \"notes.py\"]
lifecycle = \"bus\"
exported = true
permission = \"camera\"
label = \"Notes\"
labels = { de = \"Notizen\" }
environment = { LANG = \"C.UTF-8\" }
memory = \"64M\"
write-execute = false
before-unlock = false
background = [\"data-transfer\", \"audio-playback\"]
skill = [{ actions = [\"note\"] }]
",
        "\
[[ability]]
name = \"copy\"
kind = \"work\"
exec = [\"copy\"]
work = { needs = [\"network\"] }
",
        "\
[[ability]]
name = \"card\"
kind = \"form\"
exec = [\"card\"]
form = { sizes = [\"2x2\"] }
",
    ],
};

const WORK: Part = Part {
    heading: "[ability.work]",
    definition: "Work",
    keys: raw::Work::KEYS,
    rows: &[row("needs", "[]", Any), row("every", "once", Range("\"20min\"", "\"168h\""))],
    notes: &["For kind = \"work\"."],
    around: (WORKS, "[ability.work]\n"),
    examples: &["[ability.work]\nneeds = [\"network\", \"charging\"]\nevery = \"4h\"\n"],
};

const FORM: Part = Part {
    heading: "[ability.form]",
    definition: "Form",
    keys: raw::Form::KEYS,
    rows: &[
        row("sizes", "[\"2x2\"]", Text("1 to 8 columns and rows; at most 16 sizes")),
        row("refresh", "when the app has news", Range("\"30min\"", "\"168h\"")),
    ],
    notes: &["For kind = \"form\"."],
    around: (CARD, "[ability.form]\n"),
    examples: &["[ability.form]\nsizes = [\"2x2\", \"2x4\"]\nrefresh = \"1h\"\n"],
};

const SKILL: Part = Part {
    heading: "[[ability.skill]]",
    definition: "Skill",
    keys: raw::Skill::KEYS,
    rows: &[
        row("actions", "", Text("1 to 64, of at most 1024 bytes")),
        row("entities", "[]", WORDS),
        row("uri", "[]", Text("at most 64")),
    ],
    notes: &[],
    around: (LEAST, "[[ability.skill]]\nactions = [\"view\"]\n"),
    examples: &["\
[[ability.skill]]
actions = [\"view\", \"edit\"]
entities = [\"browser\"]
uri = [{ scheme = \"https\" }]
"],
};

const URI: Part = Part {
    heading: "[[ability.skill.uri]]",
    definition: "SkillUri",
    keys: raw::SkillUri::KEYS,
    rows: &[
        row("scheme", "none", Text("small letters")),
        row("host", "any", Text("beside `scheme`")),
        row("port", "any", Range("1", "65535")),
        row("path", "any", Text("beside `host`; one kind of path")),
        row("path-starts-with", "any", Text("beside `host`; one kind of path")),
        row("path-regex", "any", Text("beside `host`; one kind of path")),
        row("type", "none", Text("small letters")),
    ],
    notes: &["A uri has a scheme, a type or both."],
    around: (
        "id = \"org.example.x\"\nversion = \"1.0.0\"\nname = \"X\"\n[[ability]]\nname = \"main\"\n\
         exec = [\"/bin/x\"]\n[[ability.skill]]\nactions = [\"view\"]\n",
        "[[ability.skill.uri]]\nscheme = \"https\"\nhost = \"example.org\"\n",
    ),
    examples: &[
        "\
[[ability.skill.uri]]
scheme = \"https\"
host = \"example.org\"
port = 8443
path = \"/notes\"
type = \"text/plain\"
",
        "[[ability.skill.uri]]\nscheme = \"https\"\nhost = \"example.org\"\npath-starts-with = \"/notes/\"\n",
        "[[ability.skill.uri]]\nscheme = \"https\"\nhost = \"example.org\"\npath-regex = \"/notes/[0-9]+\"\n",
        "[[ability.skill.uri]]\ntype = \"image/*\"\n",
    ],
};

/// A bundle that may have any source.
const ABOVE_SOURCE: &str = "id = \"org.example.x\"\nversion = \"1.0.0\"\nname = \"X\"\nlayout = \"root\"\n[runtime]\n\
                            bundle = \"org.example.python\"\n[[ability]]\nname = \"main\"\nexec = [\"/bin/x\"]\n";

const SOURCE: Part = Part {
    heading: "[source]",
    definition: "Source",
    keys: raw::Source::KEYS,
    rows: &[
        row("kind", "\"directory\"", Any),
        row("path", "\".\"", Text("of `directory`, `python`, `node`, `cargo`; `binary` needs it")),
        row("files", "", Text("of `binary`, `debian`, `oci`, `cargo`")),
        row("exclude", "[]", Text("at most 64; not of `binary` and `cargo`")),
        row("runtime", "found beside it", Text("beside `[runtime]` only")),
        row("packages", "", Text("`debian` needs it; at most 64")),
        row("suite", "`trixie`", Text("of `debian`")),
        row(
            "mirror",
            "the host's apt sources",
            Text("of `debian`: `https://`, `http://` or `file:/`"),
        ),
        row("archive", "", Text("`oci` needs it")),
        row("wheels", "[]", Text("at most 64, of `python`")),
        row("package", "", Text("`cargo` needs it")),
        row("program", "all", Text("of `cargo`")),
        row("profile", "`release`", Text("of `cargo`")),
    ],
    notes: &[
        "Of a directory `bundle.toml`, `bundle.lock`, `*.bundle`, `*.whl`, `.git` and `__pycache__` are always left out. All \
         files belong to root and are 0644, or 0755 when their owner may execute them.",
        "`debian` and `oci` need `layout = \"root\"`. Versions of Debian packages are in `bundle.lock`, which is beside the \
         TOML and belongs to it; `ens bundle build --update` renews it.",
    ],
    around: (ABOVE_SOURCE, "[source]\n"),
    examples: &[
        "[source]\nkind = \"directory\"\npath = \"app\"\nexclude = [\"*.orig\", \"docs/old\"]\n",
        "\
[source]
kind = \"debian\"
packages = [\"python3\", \"python3-gi\"]
suite = \"trixie\"
mirror = \"https://debian.example.org/debian\"
files = \"over\"
",
        "[source]\nkind = \"oci\"\narchive = \"image.tar\"\n",
        "\
[source]
kind = \"python\"
path = \"app\"
wheels = [\"wheels/*.whl\"]
runtime = \"../python/python.bundle\"
",
        "\
[source]
kind = \"cargo\"
path = \"../..\"
package = \"clock\"
program = \"clock\"
profile = \"release\"
files = \"pictures\"
",
    ],
};
