//! What a mirror has: the `Packages` lists that apt fetched and checked.
//!
//! An [`Index`] borrows the text of its lists; of several versions of a package it keeps the
//! latest, and of equal ones that of the first list. Pure: no file is read here.

use std::collections::HashMap;

use super::Archive;
use super::relation::{is_name, relation};
use super::version;

/// One `Packages` list.
#[derive(Debug, Clone)]
pub struct List {
    /// Where its files are fetched from.
    pub archive: Archive,
    /// Its text.
    pub text: String,
}

/// What a list says about one package.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Name.
    pub name: &'a str,
    /// Version.
    pub version: &'a str,
    /// Where its file is.
    pub archive: Archive,
    /// Path of the file below the archive's URL.
    pub filename: &'a str,
    /// Size of the file.
    pub size: u64,
    /// Its SHA-256 in hexadecimal.
    pub sha256: &'a str,
    /// `Depends`.
    pub depends: &'a str,
    /// `Pre-Depends`.
    pub pre_depends: &'a str,
    /// `Provides`.
    pub provides: &'a str,
    /// `Conflicts`.
    pub conflicts: &'a str,
    /// `Breaks`.
    pub breaks: &'a str,
    /// How much Debian wants it, 0 is `required`.
    pub priority: u8,
}

/// Every package of some lists.
#[derive(Debug)]
pub struct Index<'a> {
    packages: HashMap<&'a str, Entry<'a>>,
    providers: HashMap<&'a str, Vec<Provider<'a>>>,
}

/// A package that provides something, perhaps in a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Provider<'a> {
    /// The package.
    pub package: &'a str,
    /// The version of what it provides.
    pub version: Option<&'a str>,
}

impl<'a> Index<'a> {
    /// Reads lists. A paragraph without a usable name, version, file, size or sum is not a package.
    #[must_use]
    pub fn new(lists: &'a [List]) -> Self {
        let mut packages: HashMap<&str, Entry<'_>> = HashMap::new();
        for list in lists {
            for entry in list.text.split("\n\n").filter_map(|p| paragraph(p, list.archive)) {
                let better = packages
                    .get(entry.name)
                    .is_none_or(|known| version::compare(entry.version, known.version).is_gt());
                if better {
                    packages.insert(entry.name, entry);
                }
            }
        }
        Self { providers: providers(&packages), packages }
    }

    /// The package of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Entry<'a>> {
        self.packages.get(name)
    }

    /// Who provides `name`, most wanted first.
    #[must_use]
    pub fn providers(&self, name: &str) -> &[Provider<'a>] {
        self.providers.get(name).map_or(&[], Vec::as_slice)
    }

    /// The names of all packages, in no order.
    pub fn names(&self) -> impl Iterator<Item = &'a str> {
        self.packages.keys().copied()
    }

    /// Up to three names that look like `name`, nearest first.
    #[must_use]
    pub fn similar(&self, name: &str) -> Vec<&'a str> {
        super::similar(name, self.names())
    }
}

fn providers<'a>(packages: &HashMap<&'a str, Entry<'a>>) -> HashMap<&'a str, Vec<Provider<'a>>> {
    let mut all: HashMap<&str, Vec<Provider<'_>>> = HashMap::new();
    for entry in packages.values().filter(|e| !e.provides.is_empty()) {
        for provided in entry.provides.split(',').filter_map(|text| relation(text.trim())) {
            let version = provided.limit.map(|(_, version)| version);
            all.entry(provided.name).or_default().push(Provider { package: entry.name, version });
        }
    }
    for list in all.values_mut() {
        list.sort_by_key(|p| (packages.get(p.package).map_or(u8::MAX, |e| e.priority), p.package));
    }
    all
}

fn paragraph(text: &str, archive: Archive) -> Option<Entry<'_>> {
    let mut entry = Entry {
        name: "",
        version: "",
        archive,
        filename: "",
        size: 0,
        sha256: "",
        depends: "",
        pre_depends: "",
        provides: "",
        conflicts: "",
        breaks: "",
        priority: priority(""),
    };
    for line in text.split('\n') {
        let Some((key, value)) = line.split_once(": ") else { continue };
        match key {
            "Package" => entry.name = value,
            "Version" => entry.version = value,
            "Filename" => entry.filename = value,
            "Size" => entry.size = value.parse().ok()?,
            "SHA256" => entry.sha256 = value,
            "Depends" => entry.depends = value,
            "Pre-Depends" => entry.pre_depends = value,
            "Provides" => entry.provides = value,
            "Conflicts" => entry.conflicts = value,
            "Breaks" => entry.breaks = value,
            "Priority" => entry.priority = priority(value),
            _ => {}
        }
    }
    let complete = is_name(entry.name) && !entry.version.is_empty() && !entry.filename.is_empty();
    (complete && entry.sha256.len() == 64).then_some(entry)
}

fn priority(word: &str) -> u8 {
    match word {
        "required" => 0,
        "important" => 1,
        "standard" => 2,
        "optional" => 3,
        _ => 4,
    }
}

#[cfg(test)]
mod tests {
    use super::super::Archive;
    use super::{Index, List};

    fn list(archive: Archive, stanzas: &[(&str, &str, &str)]) -> List {
        let sum = "0".repeat(64);
        let stanza = |(name, version, more): &(&str, &str, &str)| {
            format!(
                "Package: {name}\nVersion: {version}\nFilename: pool/{name}.deb\nSize: 1\nSHA256: {sum}\n{more}\n"
            )
        };
        List { archive, text: stanzas.iter().map(stanza).collect::<Vec<_>>().join("\n") }
    }

    #[test]
    fn the_latest_version_of_any_list_is_the_one() {
        let lists = [
            list(Archive::Debian, &[("nginx", "1.26-1", "Priority: optional"), ("bash", "5", "")]),
            list(Archive::Security, &[("nginx", "1.26-1+deb13u1", "Description: x\n more: text")]),
        ];
        let index = Index::new(&lists);
        let nginx = index.get("nginx").unwrap();
        assert_eq!((nginx.version, nginx.archive), ("1.26-1+deb13u1", Archive::Security));
        assert_eq!(index.names().count(), 2);
    }

    #[test]
    fn providers_are_sorted_by_priority_then_name() {
        let lists = [list(
            Archive::Debian,
            &[
                ("zawk", "1", "Provides: awk\nPriority: required"),
                ("gawk", "1", "Provides: awk\nPriority: optional"),
                ("bwk", "1", "Provides: awk (= 2)\nPriority: optional"),
            ],
        )];
        let index = Index::new(&lists);
        let names: Vec<_> = index.providers("awk").iter().map(|p| p.package).collect();
        assert_eq!(names, ["zawk", "bwk", "gawk"]);
        assert_eq!(index.providers("awk")[1].version, Some("2"));
    }

    #[test]
    fn half_a_paragraph_is_no_package() {
        let lists =
            [List { archive: Archive::Debian, text: "Package: x\nSize: many\n\n\n\nbad".into() }];
        assert_eq!(Index::new(&lists).names().count(), 0);
    }

    #[test]
    fn a_typing_mistake_finds_its_package() {
        let lists =
            [list(Archive::Debian, &[("busybox", "1", ""), ("bash", "1", ""), ("nginx", "1", "")])];
        let index = Index::new(&lists);
        assert_eq!(index.similar("busbox"), ["busybox"]);
        assert!(index.similar("completely-else").is_empty());
    }
}
