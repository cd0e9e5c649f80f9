//! What a profile says of one system call with its arguments: the source of truth for filters.
//!
//! ```text
//! Profile + Arch ──of──► Rules: number ─► Rule ─┬─ Fixed   one answer, whatever the arguments
//!                                               ├─ Only    allowed if one of the cases holds
//!                                               └─ Except  refused if one of the cases holds
//! ```
//!
//! - `kill` is stronger than `deny` and `[forbid]`, which are stronger than `allow`;
//! - a call that the table lacks does not exist (`ENOSYS`): a newer kernel's way around a rule is none;
//! - calls that programs try before an older one don't exist either where they are refused, so that
//!   programs go on with the older one;
//! - calls that every program makes all the time have no rules about arguments unless the profile asks
//!   for what only they can give: the kernel answers those without running the filter.
//!
//! Invariant: a rule about arguments only takes away from what the lists of names allow.

mod arguments;
mod network;

use std::collections::{BTreeMap, BTreeSet};

use model::sandbox::{LEAST, Profile, View};

use crate::calls::{Arch, named};
use crate::refused::Refused;

/// "Operation not permitted".
pub const EPERM: u16 = 1;

/// "Function not implemented".
pub const ENOSYS: u16 = 38;

/// Bit of the numbers of x32, the other programs that an `x86_64` kernel may run.
pub const X32: u32 = 0x4000_0000;

/// Most names in one list of calls: more than there are calls and groups.
pub const MAX_NAMES: usize = 1024;

/// Without these the launch itself fails, after the filter is on.
const NEVER_REFUSED: [&str; 4] = ["execve", "exit", "exit_group", "rt_sigreturn"];

/// Calls that programs give up for an older one only if they seem not to exist.
pub(crate) const TRIED_FIRST: [&str; 24] = [
    "cachestat",
    "clone3",
    "close_range",
    "copy_file_range",
    "epoll_pwait2",
    "execveat",
    "faccessat2",
    "fchmodat2",
    "futex_requeue",
    "futex_wait",
    "futex_waitv",
    "futex_wake",
    "io_uring_enter",
    "io_uring_register",
    "io_uring_setup",
    "listmount",
    "memfd_secret",
    "openat2",
    "pidfd_open",
    "preadv2",
    "pwritev2",
    "renameat2",
    "statmount",
    "statx",
];

/// What happens to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// It is made.
    Allow,
    /// It fails with this errno.
    Errno(u16),
    /// It ends the process.
    Kill,
}

/// One bit pattern of one argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Test {
    /// Which argument, from 0.
    pub argument: u8,
    /// The bits that count.
    pub mask: u64,
    /// What they must be.
    pub value: u64,
}

/// Tests that all must hold, each about another argument.
pub type Case = Vec<Test>;

/// What is said of one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rule {
    /// Whatever the arguments.
    Fixed(Verdict),
    /// Allowed if one of these holds, otherwise `EPERM`.
    Only(Vec<Case>),
    /// `EPERM` if one of these holds, otherwise allowed.
    Except(Vec<Case>),
}

impl Rule {
    pub(crate) fn verdict(&self, arguments: &[u64; 6]) -> Verdict {
        let one_holds = |cases: &[Case]| {
            cases.iter().any(|case| {
                case.iter().all(|test| {
                    let argument = arguments.get(usize::from(test.argument));
                    argument.is_some_and(|argument| argument & test.mask == test.value)
                })
            })
        };
        match self {
            Self::Fixed(verdict) => *verdict,
            Self::Only(cases) if one_holds(cases) => Verdict::Allow,
            Self::Except(cases) if !one_holds(cases) => Verdict::Allow,
            Self::Only(_) | Self::Except(_) => Verdict::Errno(EPERM),
        }
    }
}

/// What is said of every call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    arch: Arch,
    by_number: BTreeMap<u32, Rule>,
}

impl Rules {
    /// The rules of a profile; `None` if it says nothing that a filter is needed for.
    ///
    /// # Errors
    /// A name that is no call, and what can't be enforced.
    pub fn of(profile: &Profile, arch: Arch) -> Result<Option<Self>, Refused> {
        let lists = Lists::of(profile)?;
        let mut special = network::rules(profile);
        special.extend(arguments::rules(profile, &lists));
        if lists.none() && special.is_empty() {
            return Ok(None);
        }
        let past = past_the_filter(profile, &lists)?;
        let mut by_number = BTreeMap::new();
        for (number, name) in arch.calls() {
            let rule = match lists.verdict(name) {
                Verdict::Allow if past && name.starts_with("io_uring") => {
                    Rule::Fixed(Verdict::Errno(ENOSYS))
                }
                Verdict::Allow => special.remove(name).unwrap_or(Rule::Fixed(Verdict::Allow)),
                refused => Rule::Fixed(refused),
            };
            by_number.insert(number, rule);
        }
        Ok(Some(Self { arch, by_number }))
    }

    /// What happens to this call of a program of this architecture.
    #[must_use]
    pub fn verdict(&self, number: u32, arguments: &[u64; 6]) -> Verdict {
        if self.arch == Arch::X86_64 && number >= X32 {
            return Verdict::Kill;
        }
        let rule = self.by_number.get(&number);
        rule.map_or(Verdict::Errno(ENOSYS), |rule| rule.verdict(arguments))
    }

    /// The architecture.
    #[must_use]
    pub fn arch(&self) -> Arch {
        self.arch
    }

    /// Every call that the architecture has, by number.
    pub fn calls(&self) -> impl Iterator<Item = (u32, &Rule)> {
        self.by_number.iter().map(|(number, rule)| (*number, rule))
    }

    /// The highest number of a call.
    #[must_use]
    pub fn highest(&self) -> u32 {
        self.by_number.keys().next_back().copied().unwrap_or(0)
    }
}

/// The names that a profile lists.
#[derive(Debug)]
struct Lists {
    allow: Option<BTreeSet<&'static str>>,
    refuse: BTreeSet<&'static str>,
    kill: BTreeSet<&'static str>,
}

impl Lists {
    fn of(profile: &Profile) -> Result<Self, Refused> {
        let calls = &profile.calls;
        let get = |list: &[String]| {
            if list.len() > MAX_NAMES {
                return Err(Refused::TooMany { what: "system calls in one list", most: MAX_NAMES });
            }
            named(list).map_err(|name| Refused::Call(name.to_owned()))
        };
        let mut refuse = get(&calls.deny)?;
        refuse.extend(get(&profile.forbid.calls)?);
        let kill = get(&calls.kill)?;
        if let Some(name) = NEVER_REFUSED.iter().find(|n| refuse.contains(*n) || kill.contains(*n))
        {
            return Err(Refused::NeverRefused(name));
        }
        let mut allow = calls.allow.as_deref().map(get).transpose()?;
        if let Some(allow) = &mut allow {
            allow.extend(named(&[LEAST.to_owned()]).unwrap_or_default());
        }
        Ok(Self { allow, refuse, kill })
    }

    fn none(&self) -> bool {
        self.allow.is_none() && self.refuse.is_empty() && self.kill.is_empty()
    }

    fn verdict(&self, name: &str) -> Verdict {
        let listed = self.allow.as_ref().is_none_or(|allow| allow.contains(name));
        if self.kill.contains(name) {
            Verdict::Kill
        } else if listed && !self.refuse.contains(name) {
            Verdict::Allow
        } else if TRIED_FIRST.contains(&name) {
            Verdict::Errno(ENOSYS)
        } else {
            Verdict::Errno(EPERM)
        }
    }

    fn allows(&self, name: &str) -> bool {
        self.verdict(name) == Verdict::Allow
    }
}

/// Whether `io_uring` would lead past rules about sockets and modes of files: it makes both without
/// the calls that the filter sees.
fn past_the_filter(profile: &Profile, lists: &Lists) -> Result<bool, Refused> {
    let past = network::restricts(profile) || restricts_modes(profile);
    if past && lists.allow.is_some() && lists.allows("io_uring_setup") {
        return Err(Refused::IoUring);
    }
    Ok(past)
}

/// Whether files that the program makes may not be set-user-id.
pub(crate) fn restricts_modes(profile: &Profile) -> bool {
    profile.files.write.is_some() || profile.files.view == View::Listed
}

#[cfg(test)]
pub(crate) mod tests;
