//! Parts of what confines a process, for people.

use std::ffi::CStr;
use std::fmt;

use super::{Confine, Mount, SCRATCH, seen_from_inside};
use crate::spawn::Step;

impl Confine {
    /// Part `number` of a step that has several, in words.
    pub(crate) fn part(&self, step: Step, number: u32) -> Option<String> {
        let number = usize::try_from(number).ok()?;
        match step {
            Step::Mount => self.mounts.get(number).map(ToString::to_string),
            Step::Ruleset => {
                let (path, _) = self.ruleset.as_ref()?.paths.get(number)?;
                Some(format!("give Landlock's rights on {}", seen(path)))
            }
            _ => None,
        }
    }
}

impl fmt::Display for Mount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Private => f.write_str("keep its mounts to itself"),
            Self::ReadOnly => f.write_str("make everything read-only"),
            Self::Writable(path) => write!(f, "make {} writable", seen(path)),
            Self::Unwritable(path) => write!(f, "make {} read-only", seen(path)),
            Self::Root => write!(f, "make a new root at {}", SCRATCH.to_string_lossy()),
            Self::Show { path, .. } => write!(f, "show {}", seen(path)),
            Self::Inside { root, target, .. } | Self::Entries { root, target, .. } => {
                write!(f, "show {} of {}", seen(target), seen(root))
            }
            Self::Hide(path) => write!(f, "hide {}", seen(path)),
            Self::Tmp(path, _) | Self::Proc(path) | Self::Dev(path, _) => {
                write!(f, "make its own {}", seen(path))
            }
            Self::Owner(uid) => write!(f, "give the devices to user {uid}"),
            Self::Pivot | Self::Open => f.write_str("change to the new root"),
        }
    }
}

/// A path as the program sees it.
fn seen(path: &CStr) -> String {
    String::from_utf8_lossy(seen_from_inside(path)).into_owned()
}
