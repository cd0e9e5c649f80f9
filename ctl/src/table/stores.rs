//! `ensctl store`, and what `ensctl app` does with stores.

use super::options::{flag, with};
use super::{Command, Operand, Value, command};

pub(super) const STORES: &[Command] = &[
    command(
        &["app", "search"],
        "What stores offer, with all of these words; exit status 1 when nothing",
        Operand::Words("[TEXT...]", 0, 16),
        "As it was when the stores were last asked: `ensctl store refresh`.",
    ),
    Command {
        words: &["app", "upgrade"],
        about: "Install newer versions of apps from stores: of all, or of these",
        operand: Operand::Words("[ID...]", 0, 64),
        flags: &[&[flag(Some('y'), "yes", "Do not ask")]],
        notes: "Only root may. Shows first what would be done.",
    },
    command(&["store", "list"], "Stores that the device knows", Operand::None, ""),
    Command {
        words: &["store", "add"],
        about: "Get to know a store: a URL, or a directory",
        operand: Operand::Words("URL|DIR", 1, 1),
        flags: &[&[
            with(
                None,
                "name",
                Value::Text("NAME"),
                "What to call it here, if not as it calls itself",
            ),
            with(None, "root", Value::Text("FILE"), "Its first root, from who keeps the store"),
            with(
                None,
                "fingerprint",
                Value::Text("TEXT"),
                "That of its first root, as `ens store init` prints it",
            ),
        ]],
        notes: "Only root may. Without --root and --fingerprint it says the fingerprint, to be compared with who keeps\nthe store, and adds nothing.",
    },
    command(
        &["store", "remove"],
        "Forget a store; what came from it stays",
        Operand::Words("STORE", 1, 1),
        "Only root may.",
    ),
    command(
        &["store", "refresh"],
        "Ask a store, or all, what is new",
        Operand::Words("[STORE]", 0, 1),
        "Only root may. Exit status 1 when one does not answer, or is not believed.",
    ),
];
