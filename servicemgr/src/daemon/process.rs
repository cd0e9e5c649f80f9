//! What `/proc` tells about a process.

use std::fs;

/// Some fields of `/proc/PID/stat`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Facts {
    /// Its id.
    pub(super) pid: i32,
    /// Who it is a child of.
    pub(super) parent: i32,
    /// Who leads its session.
    pub(super) session: i32,
    /// When it was made, in ticks.
    pub(super) began: u64,
}

impl Facts {
    /// Those of a process that has not ended.
    pub(super) fn of(pid: i32) -> Option<Self> {
        Self::parse(pid, &fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    /// Whose child a process is, also one that has ended and that nobody has reaped.
    pub(super) fn parent_of(pid: i32) -> Option<i32> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let (_, rest) = stat.rsplit_once(')')?;
        rest.split_whitespace().nth(1)?.parse().ok()
    }

    /// `pid (name) state parent group session … began(22nd) …`; the name may contain anything.
    fn parse(pid: i32, stat: &str) -> Option<Self> {
        let (_, rest) = stat.rsplit_once(')')?;
        let fields: Vec<&str> = rest.split_whitespace().collect();
        let field = |number: usize| fields.get(number - 3).copied();
        let dead = matches!(field(3), Some("Z" | "X"));
        let facts = Self {
            pid,
            parent: field(4)?.parse().ok()?,
            session: field(6)?.parse().ok()?,
            began: field(22)?.parse().ok()?,
        };
        Some(facts).filter(|_| !dead)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_and_spaces_does_not_confuse() {
        let stat = "7 (a) b) S 1 7 5 0 -1 4 1 0 0 0 1 2 0 0 20 0 1 0 345 999";
        let facts = Facts { pid: 7, parent: 1, session: 5, began: 345 };
        assert_eq!(Facts::parse(7, stat), Some(facts));
        assert_eq!(Facts::parse(7, &stat.replace(" S ", " Z ")), None);
        assert_eq!(Facts::parse(7, "7 (a"), None);
    }

    #[test]
    fn our_own_are_found() {
        let pid = i32::try_from(std::process::id()).unwrap();
        let facts = Facts::of(pid).unwrap();
        assert_eq!(facts.parent, sys::process::parent());
        assert_eq!(Facts::parent_of(pid), Some(facts.parent));
    }
}
