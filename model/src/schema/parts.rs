//! What the raw types don't say about their keys: what holds when one is absent, its limits, and
//! examples. Each is tested against the code that reads TOML.

mod bundle;
mod case;
mod device;
mod permission;
mod sandbox;
mod service;
mod triggers;

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

use Limits::{Range, Text};

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
        parts: device::PARTS,
    },
    Kind {
        word: "service",
        title: "Services: `configs/services/NAME.toml`",
        about: "A service is looked for in `services/` beside the device's TOML, in \
                `../services/`, in the same places of each inherited device, and in those that \
                ship. An own service needs only a file; to change one that is there, put the keys \
                that differ into a drop-in, `NAME.d/ANY.toml` beside the nearest or any nearer \
                `NAME.toml`, or on a running device into `/etc/ensemble/services/NAME.d/ANY.toml`. \
                Files of a drop-in directory lie over each other in the order of their names: single \
                values (a whole command is one) of the later file win, lists are joined, an empty \
                list takes away what earlier files have, a table of a list (`[[socket]]`) replaces \
                one with the same name, path or time, and another `type` takes away the keys that \
                only the earlier one knows. At most 64 drop-ins.\n\n\
                `NAME@.toml` is a template. Its instances are made by their names: `enable = \
                [\"getty@tty1\"]`, a relation to `getty@tty1`, or `accept` of a `[[socket]]`. In the \
                texts of a template `%i` stands for the instance (`tty1`) and `%%` for a percent \
                sign. Templates whose instances are only made on the running device are listed in \
                `[services] templates`.",
        schema: "service.json",
        parts: service::PARTS,
    },
    Kind {
        word: "sandbox",
        title: "Profiles: `configs/sandbox/NAME.toml`",
        about: "What a program may do, for services that inherit it and for apps; told in \
                [sandbox.md](sandbox.md). A profile is looked for in `sandbox/` beside each `services/` \
                where services are looked for, the nearest first; on a running device in those that \
                ship, then in `/etc/ensemble/sandbox`.",
        schema: "sandbox.json",
        parts: sandbox::PARTS,
    },
    Kind {
        word: "permission",
        title: "Permissions: `configs/permissions/NAME.toml`",
        about: "What a program may be allowed beside its own rules; told in \
                [sandbox.md](sandbox.md#permissions). A permission is looked for in `permissions/` beside each \
                `services/` where services are looked for, the nearest first; on a running device in those that \
                ship, then in `/etc/ensemble/permissions`.",
        schema: "permission.json",
        parts: permission::PARTS,
    },
    Kind {
        word: "case",
        title: "Cases: `FOLDER/case.toml`",
        about: "A test of a running device, for `ens verify`. Services in `FOLDER/services/` are \
                added to the device.",
        schema: "case.json",
        parts: case::PARTS,
    },
    Kind {
        word: "bundle",
        title: "Bundles: `FOLDER/bundle.toml`",
        about: "An app, for `ens bundle build`; told in [apps.md](apps.md). What is in the bundle that is built is \
                this file without `[source]`, in one order and without comments, at most 64 KiB. Permissions are \
                looked for in `permissions/` and `../permissions/` beside the folder, then in those that ship.",
        schema: "bundle.json",
        parts: bundle::PARTS,
    },
];
