//! The files that define services on this device: what the image has, and what people changed.
//!
//! ```text
//! /usr/lib/ensemble/services/NAME.toml     shipped, with NAME.d/*.toml over it
//! /etc/ensemble/services/NAME.toml         instead of it
//! /etc/ensemble/services/NAME.d/*.toml     over it
//! /etc/ensemble/services.toml              what starts at boot otherwise
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;
use toml::{Table, Value};

/// Where the image has its definitions.
pub const SHIPPED: &str = "/usr/lib/ensemble/services";

/// Where people have theirs.
pub const OWN: &str = "/etc/ensemble/services";

/// What a difference is called that no definition tells: whether it starts at boot.
const AT_BOOT: &str = "at boot";

/// Longest file that is read, in bytes.
const MAX_FILE: u64 = 64 << 10;

/// One file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Part {
    /// Where it is.
    pub path: String,
    /// What it says.
    pub text: String,
}

/// One key that is not as shipped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Of which service.
    pub service: String,
    /// Its place in the TOML: `limits.memory`.
    pub key: String,
    /// What the image says; nothing when it does not say.
    pub shipped: Option<String>,
    /// What the file says; nothing when it does not say any more.
    pub own: Option<String>,
    /// The file.
    pub path: String,
}

/// Two directories of definitions.
#[derive(Debug)]
pub struct Files<'a> {
    /// Those of the image.
    pub shipped: &'a Path,
    /// Those of the people.
    pub own: &'a Path,
}

impl Files<'_> {
    /// The files of one service: the definition, then what lies over it. An instance of a template
    /// has those of the template.
    ///
    /// # Errors
    /// A file that is there cannot be read.
    pub fn of(&self, name: &str) -> Result<Vec<Part>, String> {
        let name = match name.split_once('@') {
            Some((template, _)) => format!("{template}@"),
            None => name.to_owned(),
        };
        // A name with a slash would lead elsewhere.
        if name.contains('/') {
            return Ok(Vec::new());
        }
        let own = self.own.join(format!("{name}.toml"));
        let mut paths = match own.exists() {
            true => vec![own],
            false => self.as_shipped(&name),
        };
        paths.extend(listed(&self.own.join(format!("{name}.d"))));
        paths.retain(|path| path.exists());
        paths.iter().map(|path| part(path)).collect()
    }

    /// Those of the image for one service.
    fn as_shipped(&self, name: &str) -> Vec<PathBuf> {
        let mut paths = vec![self.shipped.join(format!("{name}.toml"))];
        paths.extend(listed(&self.shipped.join(format!("{name}.d"))));
        paths
    }

    /// Every key that is not as shipped, of one service or of all.
    ///
    /// # Errors
    /// A file cannot be read, or is not TOML.
    pub fn differences(&self, only: Option<&str>) -> Result<Vec<Difference>, String> {
        let mut names = BTreeSet::new();
        for path in listed(self.own) {
            let known = path.extension().is_some_and(|e| e == "toml" || e == "d");
            let stem = path.file_stem().filter(|_| known).and_then(|stem| stem.to_str());
            names.extend(stem.filter(|stem| !stem.starts_with('.')).map(str::to_owned));
        }
        let mut all = self.at_boot()?;
        if let Some(only) = only {
            let wanted = only.split_once('@').map_or(only.to_owned(), |(t, _)| format!("{t}@"));
            names.retain(|name| *name == wanted);
            all.retain(|difference| difference.service == only);
        }
        for name in names {
            let mut before = BTreeMap::new();
            for path in self.as_shipped(&name).iter().filter(|path| path.exists()) {
                before.extend(keys(&part(path)?)?);
            }
            let own = |p: &Part| !Path::new(&p.path).starts_with(self.shipped);
            for file in self.of(&name)?.into_iter().filter(own) {
                let whole = Path::new(&file.path).parent() == Some(self.own);
                all.extend(compared(&name, &before, &keys(&file)?, &file.path, whole));
            }
        }
        Ok(all)
    }
}

impl Files<'_> {
    /// Those that start at boot and did not, or the other way round.
    fn at_boot(&self) -> Result<Vec<Difference>, String> {
        let path = self.own.with_extension("toml");
        if !path.exists() {
            return Ok(Vec::new());
        }
        let table = read(&part(&path)?)?;
        let mut all = Vec::new();
        for (list, before, now) in [("disable", "yes", "no"), ("enable", "no", "yes")] {
            let names = table.get(list).and_then(Value::as_array).into_iter().flatten();
            all.extend(names.filter_map(Value::as_str).map(|name| Difference {
                service: name.to_owned(),
                key: AT_BOOT.to_owned(),
                shipped: Some(before.to_owned()),
                own: Some(now.to_owned()),
                path: path.display().to_string(),
            }));
        }
        Ok(all)
    }
}

/// What `now` says otherwise; if it is a whole definition, also what it does not say any more.
fn compared(
    service: &str,
    before: &BTreeMap<String, String>,
    now: &BTreeMap<String, String>,
    path: &str,
    whole: bool,
) -> Vec<Difference> {
    let gone = before.keys().filter(|key| whole && !now.contains_key(*key));
    let named: BTreeSet<&String> = now.keys().chain(gone).collect();
    let differs = named.into_iter().filter(|key| before.get(*key) != now.get(*key));
    differs
        .map(|key| Difference {
            service: service.to_owned(),
            key: key.clone(),
            shipped: before.get(key).cloned(),
            own: now.get(key).cloned(),
            path: path.to_owned(),
        })
        .collect()
}

fn read(part: &Part) -> Result<Table, String> {
    part.text.parse().map_err(|e: toml::de::Error| format!("{}: {}", part.path, e.message()))
}

/// The leaves of a file, by their place.
fn keys(part: &Part) -> Result<BTreeMap<String, String>, String> {
    let table = read(part)?;
    let mut all = BTreeMap::new();
    let mut todo: Vec<(String, &Table)> = vec![(String::new(), &table)];
    while let Some((place, table)) = todo.pop() {
        for (key, value) in table {
            match value {
                Value::Table(inner) => todo.push((format!("{place}{key}."), inner)),
                leaf => drop(all.insert(format!("{place}{key}"), leaf.to_string())),
            }
        }
    }
    Ok(all)
}

fn part(path: &Path) -> Result<Part, String> {
    let about = |e: &dyn std::fmt::Display| format!("{}: {e}", path.display());
    let (_, bytes) = sys::regular::read(path, MAX_FILE, true).map_err(|e| about(&e))?;
    let text = String::from_utf8(bytes).map_err(|e| about(&e))?;
    Ok(Part { path: path.display().to_string(), text })
}

fn listed(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten();
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_changed_is_shown_key_by_key() {
        let directory = tempfile::tempdir().unwrap();
        let (shipped, own) = (directory.path().join("shipped"), directory.path().join("own"));
        fs::create_dir_all(&shipped).unwrap();
        fs::create_dir_all(own.join("web.d")).unwrap();
        fs::write(shipped.join("web.toml"), "exec = [\"/bin/web\"]\n[limits]\nmemory = \"64M\"\n")
            .unwrap();
        fs::write(own.join("web.d/10-more.toml"), "[limits]\nmemory = \"128M\"\npids = 9\n")
            .unwrap();
        fs::write(own.join("mine.toml"), "exec = [\"/bin/mine\"]\n").unwrap();
        fs::write(own.join(".web.toml"), "nonsense").unwrap();
        fs::write(own.with_extension("toml"), "enable = [\"mine\"]\ndisable = [\"web\"]\n")
            .unwrap();
        let files = Files { shipped: &shipped, own: &own };
        let all = files.differences(None).unwrap();
        let lines: Vec<String> = all
            .iter()
            .map(|d| format!("{} {} {:?} {:?}", d.service, d.key, d.shipped, d.own))
            .collect();
        insta::assert_snapshot!(lines.join("\n"), @r#"
        web at boot Some("yes") Some("no")
        mine at boot Some("no") Some("yes")
        mine exec None Some("[\"/bin/mine\"]")
        web limits.memory Some("\"64M\"") Some("\"128M\"")
        web limits.pids None Some("9")
        "#);
        assert_eq!(files.of("web").unwrap().len(), 2);
        assert_eq!(files.of("../own/mine").unwrap(), []);
        assert_eq!(files.differences(Some("nobody")).unwrap(), []);
    }
}
