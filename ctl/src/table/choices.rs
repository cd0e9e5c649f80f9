//! `ensctl ability choices`, `choose`, `default` and `form`.

use super::apps::{ONLY_ROOT, WANT};
use super::options::{flag, with};
use super::{Command, Operand, Value, command};

pub(super) const CHOICES: &[Command] = &[
    command(
        &["ability", "choices"],
        "What apps want that several can do, and which could",
        Operand::None,
        "Only root may. An app waits for a minute; then it is refused.",
    ),
    Command {
        words: &["ability", "choose"],
        about: "Let one of several do what an app wants",
        operand: Operand::Words("CHOICE CANDIDATE|none", 2, 2),
        flags: &[&[flag(None, "always", "From now on, without asking")]],
        notes: ONLY_ROOT,
    },
    Command {
        words: &["ability", "default"],
        about: "What does what by default; with a want, what does that from now on",
        operand: Operand::None,
        flags: &[
            WANT,
            &[
                with(None, "to", Value::Text("ID/ABILITY"), "This does it"),
                flag(None, "remove", "Nothing does: who wants it is asked"),
            ],
        ],
        notes: "Only root may change it. A default is for the action, the entities, the scheme of the uri and the type of what is\nwanted, whatever thing that is.",
    },
    command(
        &["ability", "form"],
        "Cards that apps fill, on the screen of who adds them: what they say",
        Operand::Words("[add ID/ABILITY|remove CARD]", 0, 3),
        "Only root may. After ID/ABILITY may come a size in columns and rows, as `2x4`. A card stays until it is removed.",
    ),
];
