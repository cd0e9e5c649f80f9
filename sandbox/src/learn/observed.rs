//! What a program did, counted: the same thing done often is one entry.
//!
//! Invariant: bounded, whatever the program does. What no longer fits is counted and named, and stands in
//! the profile as not covered.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use model::sandbox::is_below;

use super::resolve::Kind;
use crate::trees::TMP;

/// Most paths that are kept: many more than a profile has trees, for collapsing them.
pub const MAX_PATHS: usize = 16_384;

/// Most bytes of paths that are kept.
pub const MAX_BYTES: usize = 4 << 20;

/// Most of each other kind (kinds of sockets, ports, names of own temporary files).
pub const MAX_OTHERS: usize = 4096;

/// What is done with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Use {
    /// Looked at, not opened: its attributes, a link on the way.
    Look,
    /// A socket that is connected to.
    Connect,
    /// Opened for reading.
    Read,
    /// A directory opened: its names.
    List,
    /// Mapped as code: a library.
    Map,
    /// Executed.
    Execute,
    /// Opened for writing, or its attributes changed.
    Write,
    /// In this directory something is made, removed or renamed.
    Make,
}

/// One thing that was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// Something with a file.
    File(PathBuf, Kind, Use),
    /// A file was asked for that is not there.
    Probe,
    /// This name was made in a directory for temporary files, or lies in what was made there.
    Made(PathBuf),
    /// A socket was made: family, type without flags, protocol.
    Socket(i32, i32, i32),
    /// A TCP socket connects to this port.
    Connect(u16),
    /// A TCP socket takes this port; 0: one that the kernel chooses.
    Bind(u16),
    /// A UNIX socket with a name and no file.
    Abstract,
    /// Memory that is or was writable becomes executable.
    WriteExecute,
    /// This needs a capability.
    Capability(&'static str),
    /// Another process was looked at in `/proc`.
    OtherProcess,
    /// A call of another ABI.
    Foreign,
}

/// How often, and the call that did it first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Times {
    /// How often.
    pub count: u64,
    /// The call.
    pub call: &'static str,
}

impl Times {
    fn again(&mut self, call: &'static str) {
        if self.count == 0 {
            self.call = call;
        }
        self.count = self.count.saturating_add(1);
    }
}

/// What was done with one path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// What is there.
    pub kind: Kind,
    /// What was done.
    pub uses: BTreeMap<Use, Times>,
}

/// All that a program did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Observed {
    /// Files by their real path.
    pub files: BTreeMap<String, Seen>,
    /// System calls that were told.
    pub calls: BTreeMap<&'static str, u64>,
    /// Numbers of calls that the table lacks.
    pub unknown: BTreeMap<u32, u64>,
    /// Sockets: family, type, protocol.
    pub sockets: BTreeMap<(i32, i32, i32), Times>,
    /// TCP ports connected to.
    pub connects: BTreeMap<u16, Times>,
    /// TCP ports taken.
    pub binds: BTreeMap<u16, Times>,
    /// UNIX sockets without a file.
    pub abstracts: Times,
    /// Memory written, then executed.
    pub write_execute: Times,
    /// Capabilities that calls need.
    pub capabilities: BTreeMap<&'static str, Times>,
    /// Looks at other processes.
    pub others: Times,
    /// Calls of another ABI.
    pub foreign: u64,
    /// Files that were asked for and are not there.
    pub probes: u64,
    /// Temporary files that it made itself: the name right below the directory.
    made: BTreeSet<String>,
    /// What did not fit, how often and the first.
    pub missed: Option<(u64, String)>,
    /// Paths that no profile can name, for which their directory stands; the first.
    pub unnameable: Option<(u64, String)>,
    bytes: usize,
}

impl Observed {
    /// Counts a call.
    pub fn call(&mut self, name: &'static str) {
        let count = self.calls.entry(name).or_default();
        *count = count.saturating_add(1);
    }

    /// Counts a call that the table lacks.
    pub fn unknown(&mut self, number: u32) {
        if self.unknown.len() < MAX_OTHERS || self.unknown.contains_key(&number) {
            let count = self.unknown.entry(number).or_default();
            *count = count.saturating_add(1);
        }
    }

    /// Notes what a call did.
    pub fn note(&mut self, call: &'static str, act: Act) {
        match act {
            Act::File(path, kind, how) => self.file(call, &path, kind, how),
            Act::Probe => self.probes = self.probes.saturating_add(1),
            Act::Made(path) => {
                if let Some((_, top)) = path.to_str().and_then(temporary)
                    && self.made.len() < MAX_OTHERS
                {
                    self.made.insert(top);
                }
            }
            Act::Socket(family, kind, protocol) => {
                count(&mut self.sockets, (family, kind, protocol), call, &mut self.missed);
            }
            Act::Connect(port) => count(&mut self.connects, port, call, &mut self.missed),
            Act::Bind(port) => count(&mut self.binds, port, call, &mut self.missed),
            Act::Abstract => self.abstracts.again(call),
            Act::WriteExecute => self.write_execute.again(call),
            Act::Capability(name) => count(&mut self.capabilities, name, call, &mut self.missed),
            Act::OtherProcess => self.others.again(call),
            Act::Foreign => self.foreign = self.foreign.saturating_add(1),
        }
    }

    /// Whether this path lies in what the program made in a directory for temporary files.
    #[must_use]
    pub fn own_temporary(&self, path: &str) -> bool {
        temporary(path).is_some_and(|(_, top)| self.made.contains(&top))
    }

    fn file(&mut self, call: &'static str, path: &Path, kind: Kind, how: Use) {
        let (path, kind) = match nameable(path) {
            Ok(path) => (path.to_owned(), kind),
            Err(directory) => {
                let (count, _) =
                    self.unnameable.get_or_insert_with(|| (0, path.display().to_string()));
                *count = count.saturating_add(1);
                (directory, Kind::Directory)
            }
        };
        let path = match temporary(&path) {
            Some((place, top)) if self.made.contains(&top) => place.to_owned(),
            _ => path,
        };
        if !self.files.contains_key(&path) {
            if self.files.len() >= MAX_PATHS || self.bytes.saturating_add(path.len()) > MAX_BYTES {
                return miss(&mut self.missed, path);
            }
            self.bytes = self.bytes.saturating_add(path.len());
        }
        let seen = self.files.entry(path).or_insert_with(|| Seen { kind, uses: BTreeMap::new() });
        seen.uses.entry(how).or_default().again(call);
    }
}

fn count<K: Ord + std::fmt::Debug>(
    all: &mut BTreeMap<K, Times>,
    key: K,
    call: &'static str,
    missed: &mut Option<(u64, String)>,
) {
    if all.len() >= MAX_OTHERS && !all.contains_key(&key) {
        return miss(missed, format!("{call} {key:?}"));
    }
    all.entry(key).or_default().again(call);
}

fn miss(missed: &mut Option<(u64, String)>, what: String) {
    let (count, _) = missed.get_or_insert((0, what));
    *count = count.saturating_add(1);
}

/// The directory for temporary files that a path lies in, and the path of the name right below it.
fn temporary(path: &str) -> Option<(&'static str, String)> {
    let place = TMP.into_iter().find(|place| is_below(path, place))?;
    let rest = path.strip_prefix(place)?.strip_prefix('/')?;
    let name = rest.split('/').next().filter(|name| !name.is_empty())?;
    Some((place, format!("{place}/{name}")))
}

/// A path that a profile can name, or the nearest directory above it that it can.
fn nameable(path: &Path) -> Result<&str, String> {
    let good = |path: &&Path| {
        let text = path.to_str();
        text.is_some_and(|text| text.len() <= MAX_NAMED && !text.chars().any(char::is_control))
    };
    if let Some(text) = Some(path).filter(good).and_then(Path::to_str) {
        return Ok(text);
    }
    // The first part that is bad decides.
    let above = path.ancestors().find(good).and_then(Path::to_str).unwrap_or("/");
    Err(if above.is_empty() { "/".to_owned() } else { above.to_owned() })
}

/// Longest path that is named in a profile, in bytes; above it its directory is.
const MAX_NAMED: usize = 1024;

/// A path from bytes of a program.
#[must_use]
pub fn path(bytes: &[u8]) -> PathBuf {
    std::ffi::OsStr::from_bytes(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_thing_done_often_is_one_entry() {
        let mut all = Observed::default();
        for call in ["openat", "open", "open"] {
            all.note(call, Act::File("/etc/a".into(), Kind::File, Use::Read));
        }
        let seen = all.files.get("/etc/a").unwrap();
        assert_eq!(seen.uses.get(&Use::Read), Some(&Times { count: 3, call: "openat" }));
    }

    #[test]
    fn a_million_files_take_bounded_memory_and_are_told() {
        let mut all = Observed::default();
        for n in 0..1_000_000 {
            all.note("open", Act::File(format!("/data/{n}").into(), Kind::File, Use::Read));
        }
        assert_eq!(all.files.len(), MAX_PATHS);
        assert_eq!(all.missed, Some((1_000_000 - 16_384, "/data/16384".to_owned())));
    }

    #[test]
    fn a_path_that_no_profile_can_name_stands_for_its_directory() {
        let mut all = Observed::default();
        for bytes in [&b"/data/x\ny/z"[..], b"/data/\xff"] {
            all.note("open", Act::File(path(bytes), Kind::File, Use::Read));
        }
        assert_eq!(all.files.keys().collect::<Vec<_>>(), ["/data"]);
        assert_eq!(all.unnameable.unwrap().0, 2);
    }

    #[test]
    fn temporary_files_of_its_own_are_one_entry() {
        let mut all = Observed::default();
        all.note("open", Act::Made("/tmp/x".into()));
        all.note("open", Act::File("/tmp/x/1".into(), Kind::File, Use::Write));
        all.note("open", Act::File("/tmp/others".into(), Kind::File, Use::Read));
        assert_eq!(all.files.keys().collect::<Vec<_>>(), ["/tmp", "/tmp/others"]);
        assert!(all.own_temporary("/tmp/x") && !all.own_temporary("/tmp/y"));
    }
}
