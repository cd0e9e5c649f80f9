//! Parameters: small named values of the device. Pure: files and callers are the daemon's.
//!
//! ```text
//! name              kept            who sets it
//! const.NAME        till reboot     the command line, the system, the device's TOML, or root: once
//! persist.NAME      over reboots    the device's TOML, or root; what was saved wins
//! service.NAME      is not kept     servicemgr: the state of that service
//! anything else     till reboot     the command line, the device's TOML, or root
//! ```
//!
//! Of command line, system and TOML the first that names a parameter wins. Invariant: every name and
//! value in here is well formed and within its limits, wherever it came from.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;

pub use model::parameter::{
    CONST, MAX_CONST, MAX_NAME, MAX_PARAMS, MAX_VALUE, PERSIST, SERVICE, line,
};

/// Longest file that is read, in bytes: what all parameters need at their longest, each byte of a
/// value escaped, without constants.
pub const MAX_FILE: usize = MAX_PARAMS * (MAX_NAME + 2 * MAX_VALUE + 2);

/// Complaints told one by one; of more only their number.
pub const MAX_COMPLAINTS: usize = 16;

/// What names parameters on the kernel's command line begin with.
pub const CMDLINE: &str = "ensemble.";

/// A value that stands for any, where a value is waited for.
pub const ANY: &str = "*";

/// All parameters that are kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Params {
    values: BTreeMap<String, String>,
}

/// Where the values of a boot come from.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sources<'a> {
    /// The kernel's command line.
    pub cmdline: &'a str,
    /// What the system says about itself.
    pub system: &'a [(String, String)],
    /// What the device's TOML says, a line each as [`line()`] writes it.
    pub device: &'a str,
    /// What was saved: the text of [`Params::saved`].
    pub saved: &'a str,
}

/// What a new value means for others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Set {
    /// Nothing: it had this value.
    Same,
    /// Those who watch it are to be told.
    Changed,
    /// So, and it is to be saved.
    Save,
}

/// Why a value is not taken, as a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The name.
    Name(String),
    /// The value has too many bytes: so many are the limit.
    Long(String, usize),
    /// The value has a NUL.
    Nul(String),
    /// A constant has its value.
    Constant(String),
    /// It is the state of a service.
    Service(String),
    /// Only what is saved may be in the file of what was saved.
    NotSaved(String),
    /// There are too many.
    Many,
    /// It is not a line of a file of ours.
    Line(&'static str),
}

impl Params {
    /// The parameters of a new boot, and what was wrong with their sources.
    #[must_use]
    pub fn load(sources: Sources<'_>) -> (Self, Complaints) {
        let (mut all, mut complaints) = (Self::default(), Complaints::default());
        let words = cmdline(sources.cmdline);
        let system = sources.system.to_vec();
        for (place, list) in [("the kernel's command line", words), ("the system", system)] {
            for (name, value) in list {
                complaints.note(|| place.to_owned(), all.add(&name, &value));
            }
        }
        for (number, line) in lines(sources.device) {
            let place = || format!("line {number} of the device's parameters");
            let added = line.map(|(name, value)| all.add(&name, &value));
            complaints.note(place, added.unwrap_or_else(|why| Err(Refusal::Line(why))));
        }
        for (number, line) in lines(sources.saved) {
            let place = || format!("line {number} of what was saved");
            let set = match line {
                Ok((name, _)) if !name.starts_with(PERSIST) => Err(Refusal::NotSaved(name)),
                Ok((name, value)) => all.set(&name, &value).map(drop),
                Err(why) => Err(Refusal::Line(why)),
            };
            complaints.note(place, set);
        }
        (all, complaints)
    }

    /// The parameters that [`Params::text`] was made of, and lines added since: the last of a name
    /// wins. What is not well formed is left out: it was cut off when it was written.
    #[must_use]
    pub fn restore(text: &str) -> Self {
        let mut all = Self::default();
        for (_, line) in lines(text) {
            if let Ok((name, value)) = line
                && all.check(&name, &value).is_ok()
            {
                all.values.insert(name, value);
            }
        }
        all
    }

    /// The value of a parameter.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// Those whose names begin with this, sorted.
    pub fn with_prefix<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.values
            .range(prefix.to_owned()..)
            .take_while(move |(name, _)| name.starts_with(prefix))
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Gives a parameter a value.
    ///
    /// # Errors
    /// [`Refusal`]: nothing has changed.
    pub fn set(&mut self, name: &str, value: &str) -> Result<Set, Refusal> {
        self.check(name, value)?;
        let old = self.values.get(name);
        if old.is_some_and(|old| old == value) {
            return Ok(Set::Same);
        }
        if old.is_some() && name.starts_with(CONST) {
            return Err(Refusal::Constant(name.to_owned()));
        }
        self.values.insert(name.to_owned(), value.to_owned());
        Ok(if name.starts_with(PERSIST) { Set::Save } else { Set::Changed })
    }

    /// What is to be saved: those of `persist.`, a line each.
    #[must_use]
    pub fn saved(&self) -> String {
        self.with_prefix(PERSIST).map(|(name, value)| line(name, value)).collect()
    }

    /// All of them, a line each.
    #[must_use]
    pub fn text(&self) -> String {
        self.values.iter().map(|(name, value)| line(name, value)).collect()
    }

    /// As [`Params::set`], unless it has a value.
    fn add(&mut self, name: &str, value: &str) -> Result<(), Refusal> {
        if self.values.contains_key(name) { Ok(()) } else { self.set(name, value).map(drop) }
    }

    fn check(&self, name: &str, value: &str) -> Result<(), Refusal> {
        check_name(name)?;
        let limit = model::parameter::longest(name);
        if value.len() > limit {
            return Err(Refusal::Long(name.to_owned(), limit));
        }
        if value.contains('\0') {
            return Err(Refusal::Nul(name.to_owned()));
        }
        if name.starts_with(SERVICE) {
            return Err(Refusal::Service(name.to_owned()));
        }
        if self.values.len() >= MAX_PARAMS && !self.values.contains_key(name) {
            return Err(Refusal::Many);
        }
        Ok(())
    }
}

/// Refuses what is not a name: `a-z`, `0-9`, `_` and `-`, in parts with dots between.
///
/// # Errors
/// [`Refusal::Name`].
pub fn check_name(name: &str) -> Result<(), Refusal> {
    if model::parameter::is_name(name) {
        Ok(())
    } else {
        Err(Refusal::Name(name.chars().take(MAX_NAME).collect()))
    }
}

/// Whether a value is the one that somebody waits for.
#[must_use]
pub fn fits(value: &str, wanted: &str) -> bool {
    wanted == ANY || value == wanted
}

/// What was wrong with the sources of a boot.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Complaints {
    told: Vec<String>,
    more: usize,
}

impl Complaints {
    fn note(&mut self, place: impl Fn() -> String, done: Result<(), Refusal>) {
        match done {
            Ok(()) => {}
            Err(_) if self.told.len() >= MAX_COMPLAINTS => self.more += 1,
            Err(why) => self.told.push(format!("{}: {why}", place())),
        }
    }

    /// As sentences without a full stop.
    pub fn sentences(&self) -> impl Iterator<Item = String> + '_ {
        let more = (self.more > 0).then(|| format!("and {} parameters more", self.more));
        self.told.iter().cloned().chain(more)
    }
}

type Line = Result<(String, String), &'static str>;

/// The lines of a file with their numbers, empty ones and those after `#` left out.
fn lines(text: &str) -> impl Iterator<Item = (usize, Line)> + '_ {
    let wanted = |(_, line): &(usize, &str)| !line.is_empty() && !line.starts_with('#');
    let read = |(at, line): (usize, &str)| {
        let line = line.split_once('=').ok_or("there is no `=` in it");
        let line = line.and_then(|(name, value)| {
            Ok((
                name.to_owned(),
                unescape(value).ok_or("there is a `\\` with nothing known after it")?,
            ))
        });
        (at + 1, line)
    };
    text.split('\n').enumerate().filter(wanted).map(read)
}

fn unescape(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        out.push(match c {
            '\\' => match chars.next()? {
                'n' => '\n',
                'r' => '\r',
                '\\' => '\\',
                _ => return None,
            },
            c => c,
        });
    }
    Some(out)
}

/// The parameters on a command line; quotes keep blanks together, as the kernel has it.
fn cmdline(text: &str) -> Vec<(String, String)> {
    let mut words = vec![String::new()];
    let mut quoted = false;
    for c in text.chars() {
        match (c, words.last_mut()) {
            ('"', _) => quoted = !quoted,
            (c, _) if c.is_ascii_whitespace() && !quoted => words.push(String::new()),
            (c, Some(word)) => word.push(c),
            (_, None) => {}
        }
    }
    let ours = |word: &String| {
        let (name, value) = word.strip_prefix(CMDLINE)?.split_once('=')?;
        Some((name.to_owned(), value.to_owned()))
    };
    words.iter().filter_map(ours).collect()
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => write!(
                f,
                "`{}` is no name of a parameter: at most {MAX_NAME} of a-z, 0-9, `_` and `-`, in \
                 parts with dots between",
                name.escape_debug()
            ),
            Self::Long(name, limit) => {
                write!(f, "{name}: the value is too long: at most {limit} bytes")
            }
            Self::Nul(name) => write!(f, "{name}: the value has a NUL in it"),
            Self::Constant(name) => {
                write!(f, "{name} has a value, and a constant is set once: restart the device")
            }
            Self::Service(name) => write!(
                f,
                "{name} is the state of a service, which only the service manager sets: choose a \
                 name that does not begin with `{SERVICE}`"
            ),
            Self::NotSaved(name) => {
                write!(f, "{}: only `{PERSIST}` is saved", name.escape_debug())
            }
            Self::Line(why) => f.write_str(why),
            Self::Many => write!(f, "there are {MAX_PARAMS} parameters already"),
        }
    }
}

impl std::error::Error for Refusal {}
