//! The words of profiles.

use serde::{Deserialize, Serialize};

use crate::sandbox::{Access, Namespace, Proc, Tmp, View};
use crate::word::Word;

/// Whose keys of the kernel a program finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Keyring {
    /// Those of whoever started it.
    Shared,
    /// Its own, empty at each start.
    Own,
}

impl Word for Keyring {
    const WHAT: &'static str = "keyring";
    const WORDS: &'static [(&'static str, Self)] = &[("shared", Self::Shared), ("own", Self::Own)];
}

impl Word for View {
    const WHAT: &'static str = "view of files";
    const WORDS: &'static [(&'static str, Self)] =
        &[("whole", Self::Whole), ("listed", Self::Listed)];
}

impl Word for Tmp {
    const WHAT: &'static str = "place for temporary files";
    const WORDS: &'static [(&'static str, Self)] =
        &[("shared", Self::Shared), ("private", Self::Private)];
}

impl Word for Proc {
    const WHAT: &'static str = "view of /proc";
    const WORDS: &'static [(&'static str, Self)] = &[("host", Self::Host), ("own", Self::Own)];
}

impl Word for Access {
    const WHAT: &'static str = "access to a network";
    const WORDS: &'static [(&'static str, Self)] = &[("host", Self::Host), ("none", Self::None)];
}

impl Word for Namespace {
    const WHAT: &'static str = "namespace";
    const WORDS: &'static [(&'static str, Self)] =
        &[("ipc", Self::Ipc), ("uts", Self::Uts), ("cgroup", Self::Cgroup)];
}
