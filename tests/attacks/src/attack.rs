//! What an attack is, and what comes of it.
//!
//! ```text
//! needs there? ─no─► not applicable
//!      └─yes─► run ─► Ok(what it got)            worked
//!                 ├─► Err(Stop::Blocked(why))    blocked
//!                 ├─► Err(Stop::Absent(what))    not applicable
//!                 └─► killed by a signal         blocked
//! ```
//!
//! `Absent` is for what only the attempt can find out and no sandbox can cause.

use std::fmt;

use crate::errno::Errno;
use crate::facts::Facts;
use crate::needs::Need;

/// What an attack is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// Files of others.
    Files,
    /// Processes of others.
    Processes,
    /// Namespaces and mounts.
    Namespaces,
    /// Users, groups, capabilities.
    Identity,
    /// System calls that reach far into the kernel.
    Calls,
    /// Code that was written or changed by the program itself.
    Memory,
    /// Terminals.
    Terminal,
    /// Networks.
    Network,
    /// Talking to other processes.
    Ipc,
    /// Using up what all share.
    Resources,
    /// Devices.
    Devices,
    /// The kernel itself.
    Kernel,
}

impl Group {
    /// All of them, in the order of the table.
    pub const ALL: [Self; 12] = [
        Self::Files,
        Self::Processes,
        Self::Namespaces,
        Self::Identity,
        Self::Calls,
        Self::Memory,
        Self::Terminal,
        Self::Network,
        Self::Ipc,
        Self::Resources,
        Self::Devices,
        Self::Kernel,
    ];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Files => "files",
            Self::Processes => "processes",
            Self::Namespaces => "namespaces",
            Self::Identity => "identity",
            Self::Calls => "system-calls",
            Self::Memory => "memory",
            Self::Terminal => "terminal",
            Self::Network => "network",
            Self::Ipc => "ipc",
            Self::Resources => "resources",
            Self::Devices => "devices",
            Self::Kernel => "kernel",
        }
    }
}

/// One attack.
#[derive(Debug, Clone, Copy)]
pub struct Attack {
    /// Its name: words with hyphens, unique.
    pub name: &'static str,
    /// What it is about.
    pub group: Group,
    /// What the attacker gets, in one sentence.
    pub about: &'static str,
    /// What must be there for it to mean anything.
    pub needs: &'static [Need],
    /// The attempt, with a look at its effect.
    pub run: fn(&Facts) -> Attempt,
}

/// What the attacker got, or why nothing.
pub type Attempt = Result<String, Stop>;

/// Why an attack did not work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// Something refused it.
    Blocked(String),
    /// It means nothing here.
    Absent(String),
}

/// A system call that was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused {
    /// The name of the call.
    pub call: &'static str,
    /// The answer.
    pub errno: Errno,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.call.trim_start_matches("SYS_"), self.errno)
    }
}

impl From<Refused> for Stop {
    fn from(refused: Refused) -> Self {
        Self::Blocked(refused.to_string())
    }
}

impl From<std::io::Error> for Stop {
    fn from(e: std::io::Error) -> Self {
        match e.raw_os_error() {
            Some(number) => Self::Blocked(Errno(number).to_string()),
            None => Self::Blocked(e.to_string()),
        }
    }
}

/// A system call by name; its arguments as they come.
#[macro_export]
macro_rules! sys {
    ($name:ident $(, $word:expr)* $(,)?) => {
        $crate::raw::call(libc::$name, &[$($crate::raw::Arg::arg($word)),*])
            .map_err(|errno| $crate::attack::Refused { call: stringify!($name), errno })
    };
}

/// It worked.
///
/// # Errors
/// Never; the type is that of an attempt.
pub fn got(what: impl Into<String>) -> Attempt {
    Ok(what.into())
}

/// It did not.
///
/// # Errors
/// Always.
pub fn blocked<T>(why: impl Into<String>) -> Result<T, Stop> {
    Err(Stop::Blocked(why.into()))
}

/// Worked if `there`, else blocked because of `not`.
///
/// # Errors
/// When it is not there.
pub fn if_so(there: bool, got: impl Into<String>, not: impl Into<String>) -> Attempt {
    if there { Ok(got.into()) } else { Err(Stop::Blocked(not.into())) }
}

/// Some calls cannot be let go through without harm. Then the kernel is asked for something that it
/// refuses for another reason than who asks: to hear that reason is to have passed the guard.
///
/// # Errors
/// Whatever else was answered.
pub fn past_the_guard(answer: Result<usize, Refused>, reasons: &[i32]) -> Attempt {
    match answer {
        Ok(_) => Ok("the kernel did it".to_owned()),
        Err(refused) if reasons.contains(&refused.errno.0) => {
            Ok(format!("the kernel would do it for an argument that fits ({refused})"))
        }
        Err(refused) => Err(refused.into()),
    }
}

/// The table of a group: name, needs, what the attacker gets, the attempt.
#[macro_export]
macro_rules! attacks {
    ($group:ident: $($name:literal [$($need:expr),*] $about:literal => $run:expr;)*) => {
        /// The attacks of this group.
        pub(crate) const ATTACKS: &[$crate::attack::Attack] = &[$(
            $crate::attack::Attack {
                name: $name,
                group: $crate::attack::Group::$group,
                about: $about,
                needs: &[$($need),*],
                run: $run,
            },
        )*];
    };
}
