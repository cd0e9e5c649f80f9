//! `ensctl lock`.

use super::{Command, Operand, command};

/// What those say that take a secret.
const SECRET: &str = "Only root may. The secret is typed, and not shown, or is a line of standard input. After three wrong ones there\nis a wait, which grows; a reboot does not shorten it.";

pub(super) const LOCK: &[Command] = &[
    command(&["lock", "status"], "Is the device locked, and what that protects", Operand::None, ""),
    command(
        &["lock", "set"],
        "Set the secret that unlocks the device, or another one",
        Operand::None,
        "Only root may. Typed, and not shown, or lines of standard input: the secret of now if there is one, then the\nnew one. Who forgets it loses what apps have in el2.",
    ),
    command(&["lock", "unlock"], "Unlock the device", Operand::None, SECRET),
    command(
        &["lock", "lock"],
        "Lock the device: apps end, and what they have in el2 can be read by nobody",
        Operand::None,
        "Only root may. Abilities with `before-unlock` run on.",
    ),
    command(
        &["lock", "remove"],
        "Have no secret any more: the device is never locked",
        Operand::None,
        SECRET,
    ),
];
