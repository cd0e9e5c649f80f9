//! System calls of one architecture by number.
//!
//! The names and groups are those of `model::sandbox::calls`; here they meet the numbers of a processor.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use model::sandbox::calls;
use serde::{Deserialize, Serialize};

/// A processor that filters are made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Arch {
    /// `x86_64`, 64-bit programs only.
    X86_64,
    /// 64-bit ARM, 64-bit programs only.
    Aarch64,
}

impl Arch {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::X86_64, Self::Aarch64];

    /// The one that this program runs on, if filters are made for it.
    #[must_use]
    pub const fn own() -> Option<Self> {
        if cfg!(target_arch = "x86_64") {
            Some(Self::X86_64)
        } else if cfg!(target_arch = "aarch64") {
            Some(Self::Aarch64)
        } else {
            None
        }
    }

    /// What the kernel calls it: `AUDIT_ARCH_…` of `linux/audit.h`.
    #[must_use]
    pub const fn audit(self) -> u32 {
        match self {
            Self::X86_64 => 0xC000_003E,
            Self::Aarch64 => 0xC000_00B7,
        }
    }

    /// The number of a call here, if it has one.
    #[must_use]
    pub fn number(self, call: &calls::Call) -> Option<u32> {
        match self {
            Self::X86_64 => call.x86_64,
            Self::Aarch64 => call.aarch64,
        }
    }

    /// Every call here, by number.
    #[must_use]
    pub fn calls(self) -> BTreeMap<u32, &'static str> {
        model::gather(calls::all().filter_map(|call| Some((self.number(&call)?, call.name))))
    }
}

impl fmt::Display for Arch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::X86_64 => "x86_64",
            Self::Aarch64 => "aarch64",
        })
    }
}

/// Every call that is named, by itself or by its group.
///
/// # Errors
/// The first name that is neither a call nor a group.
pub(crate) fn named(names: &[String]) -> Result<BTreeSet<&'static str>, &str> {
    let mut all = BTreeSet::new();
    for name in names {
        if let Some(group) = calls::group(name) {
            all.extend(group.members());
        } else if let Some(call) = calls::call(name) {
            all.insert(call.name);
        } else {
            return Err(name);
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stands_for_a_call_or_for_all_of_its_group() {
        let names = |list: &[&str]| -> Vec<String> { list.iter().map(|n| (*n).into()).collect() };
        let list = names(&["read", "@swap"]);
        assert_eq!(named(&list), Ok(BTreeSet::from(["read", "swapoff", "swapon"])));
        assert_eq!(named(&names(&["read", "raed"])), Err("raed"));
    }

    #[test]
    fn a_call_that_a_processor_lacks_has_no_number_there() {
        assert!(!Arch::Aarch64.calls().values().any(|name| *name == "open"));
        assert_eq!(Arch::Aarch64.calls().get(&221), Some(&"execve"));
        assert_eq!(Arch::X86_64.calls().get(&59), Some(&"execve"));
    }
}
