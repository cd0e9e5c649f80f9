//! `ensctl app` and `ensctl ability`, and what the owner decides about apps.

use super::options::{flag, with};
use super::{Command, Flag, Operand, Value, command};

pub(super) const ONLY_ROOT: &str = "Only root may.";

pub(super) const WANT: &[Flag] = &[
    with(None, "action", Value::Text("ACTION"), "What is to be done: `view`, `send`"),
    with(None, "entity", Value::Text("ENTITY"), "Of which kind it must be; may be repeated"),
    with(None, "uri", Value::Text("URI"), "With what: `https://example.org/a.png`"),
    with(None, "type", Value::Text("TYPE"), "MIME type of that: `image/png`"),
    with(
        None,
        "key",
        Value::Text("KEY"),
        "Which one, of abilities that there are several of by key",
    ),
    with(
        Some('p'),
        "param",
        Value::Text("NAME=VALUE"),
        "What else the ability is told; may be repeated",
    ),
];

pub(super) const APPS: &[Command] = &[
    command(&["app", "list"], "All installed apps", Operand::None, ""),
    command(&["app", "info"], "One app in full", Operand::Words("ID", 1, 1), ""),
    Command {
        words: &["app", "install"],
        about: "Install an app, or update to it: from the file of its bundle, or by its name from a store",
        operand: Operand::Words("BUNDLE", 1, 1),
        flags: &[&[
            flag(None, "trust", "Trust the key that signed it, from now on, for all apps"),
            flag(None, "downgrade", "Let an older version replace a newer one"),
        ]],
        notes: "Only root may. What runs of an app that is updated is ended. Wherever the power goes, the old version or the\nnew one is whole.",
    },
    Command {
        words: &["app", "remove"],
        about: "Remove an app and its data",
        operand: Operand::Words("ID", 1, 1),
        flags: &[&[flag(None, "keep-data", "Its data stay for when it is installed again")]],
        notes: "Only root may. An app that came with the device goes back to the version of the image.",
    },
    command(
        &["app", "rollback"],
        "Go back to the version of an app before the last update, with its data of then",
        Operand::Words("ID", 1, 1),
        ONLY_ROOT,
    ),
    command(
        &["app", "permissions"],
        "What apps ask for, why, and what was decided",
        Operand::Words("[ID]", 0, 1),
        "`ensctl permission allow ID PERMISSION` decides.",
    ),
    command(
        &["app", "keys"],
        "Keys whose apps may be installed, and where they come from",
        Operand::None,
        "",
    ),
    Command {
        words: &["app", "trust"],
        about: "Trust a key: apps that it signed may be installed",
        operand: Operand::Words("KEY", 1, 1),
        flags: &[&[flag(None, "remove", "Trust it no more; what is installed stays")]],
        notes: "Only root may. KEY is `ed25519:...`, as `ens bundle key` prints it.",
    },
    command(&["ability", "list"], "What runs of apps, and where it is", Operand::None, ""),
    Command {
        words: &["ability", "start"],
        about: "Start an app, or one ability of it, and bring it to the front",
        operand: Operand::Words("ID[/ABILITY]", 1, 1),
        flags: &[WANT, &[flag(None, "background", "Do not bring it to the front")]],
        notes: "Only root may. Answers when it is there.",
    },
    Command {
        words: &["ability", "want"],
        about: "Which abilities can do something; with --start, let one do it",
        operand: Operand::None,
        flags: &[
            WANT,
            &[
                flag(
                    None,
                    "start",
                    "Start the only one, or the default; an error if there are several",
                ),
                with(
                    None,
                    "choose",
                    Value::Text("N"),
                    "Start this one of several, as shown, from 1 on",
                ),
                flag(None, "always", "With --choose: from now on, without asking"),
            ],
        ],
        notes: "Exit status 1 when none can.",
    },
    command(
        &["ability", "stop"],
        "End what runs of an app",
        Operand::Words("UNIT|MISSION", 1, 1),
        "Only root may. Answers when its processes are gone; its mission stays, with its saved state.",
    ),
    Command {
        words: &["ability", "wait"],
        about: "Wait until an instance is in a state",
        operand: Operand::Words("UNIT STATE", 2, 2),
        flags: &[],
        notes: "STATE is one that `ensctl ability list` shows, or `gone`.",
    },
    command(
        &["ability", "missions"],
        "What was opened and can be gone back to, the last used first",
        Operand::None,
        "",
    ),
    command(
        &["ability", "show"],
        "Bring a mission to the front, with its saved state if it does not run",
        Operand::Words("MISSION", 1, 1),
        ONLY_ROOT,
    ),
    command(
        &["ability", "hide"],
        "Send a mission to the background",
        Operand::Words("MISSION", 1, 1),
        ONLY_ROOT,
    ),
    command(
        &["ability", "forget"],
        "End a mission and forget it, with its saved state",
        Operand::Words("MISSION", 1, 1),
        ONLY_ROOT,
    ),
    command(
        &["ability", "dump"],
        "All that ability-manager knows, for people who look for a mistake",
        Operand::None,
        "",
    ),
    command(
        &["permission", "pending"],
        "What apps have asked the owner and wait for",
        Operand::None,
        "",
    ),
    Command {
        words: &["permission", "allow"],
        about: "Let an app have what it asks for",
        operand: Operand::Words("ID PERMISSION", 2, 2),
        flags: &[&[flag(None, "once", "Only until it leaves the front")]],
        notes: "Only root may. What the kernel has to allow counts from the next start of the app on.",
    },
    command(
        &["permission", "deny"],
        "Refuse an app what it asks for, or take it away, at once",
        Operand::Words("ID PERMISSION", 2, 2),
        "Only root may. Processes of the app that the kernel can't take it from are ended.",
    ),
    command(
        &["permission", "log"],
        "What apps used of what they have, how often and when, and what was decided",
        Operand::Words("[ID]", 0, 1),
        "Only root may. A use is a start of an app with the permission, or something that the device did for it because\nof it. It outlasts reboots, and goes with the app. With --json times are in seconds since 1970.",
    ),
];
