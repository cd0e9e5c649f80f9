//! `ensctl device`, and what is done on other devices.

use super::options::{flag, with};
use super::{Command, Flag, Operand, Value, command};

/// What a device may do on the others.
pub const LEVELS: &[&str] = &["owner", "member", "guest"];

/// Which data a device may hold.
pub const LABELS: &[&str] = &["SL1", "SL2", "SL3", "SL4", "SL5"];

const JOINER: Flag = with(
    None,
    "level",
    Value::OneOf("LEVEL", LEVELS),
    "What the device that joins may do on the others; member when not said",
);

pub(super) const DEVICES: &[Command] = &[
    command(
        &["device", "list"],
        "This device and those it is paired with, and how they are reached",
        Operand::None,
        "",
    ),
    command(
        &["device", "nearby"],
        "Devices in the neighbourhood that can be paired with now",
        Operand::None,
        "Those on which `ensctl device accept` waits. Names are what they call themselves: nobody vouches for them.",
    ),
    Command {
        words: &["device", "accept"],
        about: "Let another device pair with this one: shows the code to type there",
        operand: Operand::None,
        flags: &[&[
            flag(Some('y'), "yes", "Whoever asks sees the code at once, without being looked at"),
            with(
                None,
                "time",
                Value::Text("TIME"),
                "Wait so long: `30s`; 2m at most, and when not said",
            ),
            JOINER,
        ]],
        notes: "Only root may. Shows who asks, then a code of 6 digits that is good for one pairing and three tries. Ctrl-C\nends it. With --json an object a line: waiting, asked, show-code, done, failed; then it asks nobody, so\n--yes is needed.",
    },
    Command {
        words: &["device", "pair"],
        about: "Pair with a device that waits for it: asks for the code that it shows",
        operand: Operand::Words("TARGET", 1, 1),
        flags: &[&[JOINER]],
        notes: "Only root may. TARGET: the name or id of a device nearby, or its ADDRESS:PORT. The code is typed, or a line of\nstandard input. With --json an object a line: ask-code, wrong-code, done, failed.",
    },
    command(
        &["device", "remove"],
        "Take a device out of the group, for good",
        Operand::Words("DEVICE", 1, 1),
        "Only root of an owner may. Each device of the group learns of it when it next meets another. It comes back\nonly by being paired again.",
    ),
    command(
        &["device", "rename"],
        "Give a device another name",
        Operand::Words("DEVICE NAME", 2, 2),
        "Only root may: of an owner any device's, of others their own.",
    ),
    command(
        &["device", "level"],
        "Say what a device may do on the others: owner, member or guest",
        Operand::Words("DEVICE LEVEL", 2, 2),
        "Only root of an owner may. owner: change the group; run commands, carry files and reach ports on the others.\nmember: apps and data of the owner. guest: what is exported to guests.",
    ),
    command(
        &["device", "label"],
        "Say which data a device may hold: SL1 (little) to SL5 (all)",
        Operand::Words("DEVICE LABEL", 2, 2),
        "Only root of an owner may.",
    ),
    command(
        &["device", "leave"],
        "This device leaves its group and forgets it",
        Operand::None,
        "Only root may.",
    ),
    command(
        &["device", "info"],
        "What a device is and has; this one when not said",
        Operand::Words("[DEVICE]", 0, 1),
        "One that is offline is told as it was last known.",
    ),
    command(
        &["device", "doctor"],
        "What works between this device and another, or the network, and what to do about the rest",
        Operand::Words("[DEVICE]", 0, 1),
        "Exit status 1 when something failed.",
    ),
    Command {
        words: &["device", "pick"],
        about: "Devices that have what is needed, the best first; exit status 1 when none",
        operand: Operand::None,
        flags: &[&[with(
            Some('n'),
            "needs",
            Value::Text("NEEDS"),
            "Such as `screen,audio`, `touch`, `memory=2G`, `form=tv`; may be repeated",
        )]],
        notes: "",
    },
    command(
        &["device", "add"],
        "Look for paired devices at an address too, where they are not found by themselves",
        Operand::Words("ADDRESS", 1, 1),
        "Only root may. ADDRESS or ADDRESS:PORT.",
    ),
    command(
        &["device", "forget"],
        "Do not look at an address any more",
        Operand::Words("ADDRESS", 1, 1),
        "Only root may.",
    ),
    Command {
        words: &["run"],
        about: "Run a program on another device, `--on DEVICE`, and end as it does",
        operand: Operand::Program,
        flags: &[&[with(None, "on", Value::Text("DEVICE"), "Where")]],
        notes: "Only root may, and only on a device that has this one as an owner. The program is root there, has no terminal,\nand ends with the connection, as does all that it started. Ctrl-C goes to it; the second one hangs up. Here:\n`ensctl service run`.\n\nExit status: that of the program, 128 and the signal that ended it, 127 when there is no such program, 126 when\nit can't be run, 125 when nothing was run (no such device, not reached, refused), 255 when the connection\nwas lost.",
    },
    command(
        &["file", "push"],
        "Send a file to another device",
        Operand::Words("FILE DEVICE:PATH", 2, 2),
        "Only root may, and only on a device that has this one as an owner. PATH begins with `/`; into a directory it keeps its\nname. It appears there whole or not at all. When the connection is lost it goes on by itself for half a\nminute, and later by the same command, from where it was.",
    ),
    command(
        &["file", "pull"],
        "Fetch a file from another device",
        Operand::Words("DEVICE:PATH [FILE]", 1, 2),
        "As `ensctl file push`; without FILE into the directory of now.",
    ),
    command(
        &["forward"],
        "Let a port here be one of another device, until Ctrl-C",
        Operand::Words("[ADDRESS:]PORT DEVICE:PORT", 2, 2),
        "Only root may, and only on a device that has this one as an owner. Whoever connects to the port here (0: any free\none) is connected to the server at that port of the device's loopback. Without ADDRESS only this device itself\ncan.",
    ),
];
