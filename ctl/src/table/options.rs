//! The options, and the words that some of them take.

use super::{Flag, Value};
use crate::score::GROUPS;

/// Priorities of log records, most urgent first; the place is the number.
pub const PRIORITIES: &[&str] =
    &["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"];

/// Options of every command.
pub const COMMON: &[Flag] = &[
    flag(None, "json", "Print JSON; times are nanoseconds since PID 1 began"),
    flag(Some('h'), "help", "Print this"),
];

pub(super) const LOG: &[Flag] = &[
    flag(Some('f'), "follow", "Go on with new records as they come (starts with the last 10)"),
    with(Some('n'), "lines", Value::Text("N"), "Only the last N records"),
    with(
        Some('p'),
        "priority",
        Value::OneOf("PRIO", PRIORITIES),
        "Only this urgent or more: emerg, alert, crit, err, warning, notice, info, debug or 0-7",
    ),
    flag(Some('b'), "boot", "Only since the device booted"),
    with(
        None,
        "since",
        Value::Text("TIME"),
        "Only later: `10 min ago`, `12:30`, `yesterday`, `2026-01-31`, `2026-01-31 12:30:00`",
    ),
    with(Some('g'), "grep", Value::Text("TEXT"), "Only records whose message contains TEXT"),
    with(
        Some('o'),
        "output",
        Value::OneOf("FORM", &["short", "json", "export"]),
        "short (for people), json (an object a line), export (for systemd-journal-remote)",
    ),
];

pub(super) const DRY_RUN: &[Flag] =
    &[flag(None, "dry-run", "Only say what would start, stop and change, in order")];

pub(super) const DECIDE: &[Flag] =
    &[flag(None, "dry-run", "Only say what would change, and whether a process would end")];

/// States that one can wait for.
pub const STATES: &[&str] = &["ready", "done", "off", "failed", "armed"];

pub(super) const RUN: &[Flag] = &[
    with(None, "name", Value::Text("NAME"), "What it is called; made up when not said"),
    flag(Some('w'), "wait", "Wait until it has ended, and end as it did"),
    flag(Some('P'), "pipe", "As --wait, and what it writes comes here instead of into the log"),
    with(None, "user", Value::Text("USER"), "Run it as this user"),
    with(None, "directory", Value::Text("PATH"), "Working directory"),
    with(Some('e'), "env", Value::Text("NAME=VALUE"), "Environment variable; may be repeated"),
    with(None, "memory", Value::Text("SIZE"), "Limit of memory: `64M`"),
    with(None, "cpu", Value::Text("SHARE"), "Limit of CPU time, of one CPU: `50%`"),
    with(None, "pids", Value::Text("N"), "Limit of processes"),
    with(
        None,
        "type",
        Value::OneOf("TYPE", &["simple", "notify", "oneshot"]),
        "When it counts as started; simple when not said",
    ),
];

pub(super) const SCORE: &[Flag] = &[
    with(
        Some('g'),
        "group",
        Value::OneOf("GROUP", GROUPS),
        "Only these attacks: files, processes, namespaces, identity, system-calls, memory, terminal, network, \
         ipc, resources, devices, kernel",
    ),
    flag(Some('v'), "verbose", "Tell of each attack, also of those that were blocked"),
    with(None, "user", Value::Text("USER"), "Who has the profile; nobody when not said"),
    flag(
        None,
        "all-attacks",
        "Also those that could hurt the device: only on one that can be thrown away",
    ),
];

pub(super) const LEARN: &[Flag] = &[
    with(
        None,
        "for",
        Value::OneOf("KIND", &["service", "app"]),
        "Above the profile for services or for apps, instead of `base`",
    ),
    with(None, "inherit", Value::Text("NAME"), "Above this profile; `none`: above none"),
    with(None, "over", Value::Text("FILE"), "Add to this profile: several runs make one"),
    with(None, "output", Value::Text("FILE"), "Write the profile there"),
    with(None, "time", Value::Text("TIME"), "End the program after so long: `30s`, `5m`"),
];

pub(super) const UNIT: &[Flag] =
    &[with(Some('u'), "unit", Value::Service, "Only records of this service")];

pub(super) const fn flag(short: Option<char>, long: &'static str, about: &'static str) -> Flag {
    Flag { short, long, value: None, about }
}

pub(super) const fn with(
    short: Option<char>,
    long: &'static str,
    value: Value,
    about: &'static str,
) -> Flag {
    Flag { short, long, value: Some(value), about }
}
