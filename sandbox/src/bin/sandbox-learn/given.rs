//! The profiles that are there already: those that are inherited, and the older one that is added to.
//!
//! What an older profile says is of two kinds: lists that learning makes longer, which are learned anew with
//! what they held, and all else (`forbid`, `requires`, `calls.deny` …), which is kept as it is.

use std::path::Path;
use std::{fs, io};

use model::sandbox::Profile;
use model::text::{MAX_FILE, Source, sandbox::load};
use sandbox::learn::{Given, Rule, Says};
use toml::{Table, Value};

use crate::args::{Asked, For};

/// The name of a profile that is only in memory.
const NAME: &str = "learned";

/// Where it lies, as far as anybody can see.
const NOWHERE: &str = "/dev/null/learn";

/// What is learned anew; the rest of a profile is kept.
const LEARNED: [(&str, &[&str]); 4] = [
    ("", &["write-execute", "capabilities"]),
    ("files", &["view", "read", "write", "execute", "tmp", "proc", "devices"]),
    ("network", &["access", "families", "connect", "listen", "udp"]),
    ("calls", &["allow"]),
];

/// The profile that says that nothing is inherited.
const NONE: &str = "none";

/// Profiles on the disk.
#[derive(Debug)]
pub(crate) struct Disk {
    directories: Vec<String>,
    kind: Option<For>,
    inherit: Vec<String>,
    older: Option<Older>,
}

/// The profile that is added to.
#[derive(Debug)]
struct Older {
    about: Option<String>,
    inherit: Vec<String>,
    learned: Table,
    kept: Table,
}

/// One profile in memory over those on the disk.
struct Memory<'a>(&'a str);

impl Source for Memory<'_> {
    fn read(&self, path: &str) -> io::Result<String> {
        if path.starts_with(NOWHERE) { Ok(self.0.to_owned()) } else { read(Path::new(path)) }
    }

    fn list(&self, directory: &str) -> io::Result<Vec<String>> {
        let names = fs::read_dir(directory)?.take(MAX_FILE);
        Ok(names.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect())
    }

    fn is_file(&self, path: &str) -> bool {
        path == format!("{NOWHERE}/{NAME}.toml") || Path::new(path).is_file()
    }
}

fn read(path: &Path) -> io::Result<String> {
    let size = fs::metadata(path)?.len();
    if size > u64::try_from(MAX_FILE).unwrap_or(u64::MAX) {
        return Err(io::Error::other("larger than a megabyte: not one of our files"));
    }
    fs::read_to_string(path)
}

impl Disk {
    /// Reads the older profile, if there is one.
    pub(crate) fn new(asked: &Asked) -> Result<Self, String> {
        let older = asked.over.as_deref().map(Older::read).transpose()?.flatten();
        let mut directories = asked.profiles.clone();
        let beside = asked.over.as_deref().and_then(Path::parent);
        directories.extend(beside.map(|directory| directory.display().to_string()));
        let (kind, inherit) = (asked.kind, asked.inherit.clone());
        Ok(Self { directories, kind, inherit, older })
    }

    /// A sentence about the older profile.
    pub(crate) fn about(&self) -> Option<&str> {
        self.older.as_ref()?.about.as_deref()
    }

    /// Rules of the older profile that are kept.
    pub(crate) fn kept(&self) -> Vec<Rule> {
        let mut rules = Vec::new();
        let rule = |table: &str, key: &str, value: &Value| Rule {
            table: table.to_owned().into(),
            key: key.to_owned().into(),
            says: Says::One(value.to_string(), "from before".to_owned()),
        };
        for (name, value) in self.older.iter().flat_map(|older| &older.kept) {
            match value {
                Value::Table(table) => {
                    rules.extend(table.iter().map(|(key, value)| rule(name, key, value)));
                }
                value => rules.push(rule("", name, value)),
            }
        }
        rules
    }

    /// What is inherited, for a program that uses the internet or does not.
    pub(crate) fn given(&self, internet: bool) -> Result<Given, String> {
        let inherit = self.names(internet);
        let mut text = self.older.as_ref().map(|older| older.kept.clone()).unwrap_or_default();
        text.insert("inherit".to_owned(), Value::from(inherit.clone()));
        let inherited = self.load(text)?;
        let older =
            self.older.as_ref().map(|older| self.load(older.learned.clone())).transpose()?;
        Ok(Given { inherit, inherited, older })
    }

    fn names(&self, internet: bool) -> Vec<String> {
        let names: Vec<&str> = match (self.kind, &self.older) {
            (Some(For::App), _) => vec!["app"],
            (Some(For::Service), _) if internet => vec!["network-service"],
            (Some(For::Service), _) => vec!["service"],
            (None, _) if !self.inherit.is_empty() => {
                self.inherit.iter().map(String::as_str).collect()
            }
            (None, Some(older)) => older.inherit.iter().map(String::as_str).collect(),
            (None, None) => vec!["base"],
        };
        names.into_iter().filter(|name| *name != NONE).map(str::to_owned).collect()
    }

    fn load(&self, mut rules: Table) -> Result<Profile, String> {
        rules.insert("version".to_owned(), Value::Integer(1));
        self.read(&rules.to_string())
    }

    /// What a text means as a profile.
    pub(crate) fn read(&self, text: &str) -> Result<Profile, String> {
        let mut directories = vec![NOWHERE.to_owned()];
        directories.extend(self.directories.iter().cloned());
        let read = load(&Memory(text), &directories, NAME);
        read.map(|explained| explained.profile).map_err(|report| report.to_string())
    }
}

impl Older {
    /// None: it is not there yet.
    fn read(path: &Path) -> Result<Option<Self>, String> {
        let wrong = |why: String| format!("the profile {}: {why}", path.display());
        let text = match read(path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other.map_err(|e| wrong(e.to_string()))?,
        };
        let mut kept: Table = text.parse().map_err(|e: toml::de::Error| wrong(e.to_string()))?;
        kept.remove("version");
        let about = kept.remove("about").and_then(|about| Some(about.as_str()?.to_owned()));
        let inherit = kept.remove("inherit").unwrap_or(Value::Array(Vec::new()));
        let names = inherit.as_array().map(Vec::as_slice).unwrap_or_default().iter();
        let inherit = names.filter_map(|name| Some(name.as_str()?.to_owned())).collect();
        let mut learned = Table::new();
        for (table, keys) in LEARNED {
            if table.is_empty() {
                take(&mut kept, &mut learned, keys);
            } else if let Some(Value::Table(from)) = kept.get_mut(table) {
                let mut to = Table::new();
                take(from, &mut to, keys);
                if from.is_empty() {
                    kept.remove(table);
                }
                if !to.is_empty() {
                    learned.insert(table.to_owned(), Value::Table(to));
                }
            }
        }
        Ok(Some(Self { about, inherit, learned, kept }))
    }
}

fn take(from: &mut Table, to: &mut Table, keys: &[&str]) {
    for key in keys {
        if let Some(value) = from.remove(*key) {
            to.insert((*key).to_owned(), value);
        }
    }
}
