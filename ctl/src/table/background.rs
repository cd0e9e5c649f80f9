//! `ensctl ability tasks` and `ensctl ability work`.

use super::{Command, Operand, command};

pub(super) const BACKGROUND: &[Command] = &[
    command(
        &["ability", "tasks"],
        "What apps go on with, or may go on with, while they are not on the screen, and why",
        Operand::None,
        "",
    ),
    command(
        &["ability", "work"],
        "What apps do when there is time: when it runs next, what it waits for, how it went",
        Operand::Words("[run ID/ABILITY]", 0, 2),
        "`run` has one run now, whatever it needs, and waits for its end; only root may. Exit status 1 when it failed.",
    ),
];
