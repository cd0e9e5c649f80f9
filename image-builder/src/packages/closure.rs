//! Which packages a device needs: those asked for and all that they depend on.
//!
//! ```text
//! asked ─► queue ─► first alternative that is chosen already, else first that exists ─► its needs ─► queue
//! ```
//!
//! Pure and deterministic. `Essential` packages come only when something needs them. What packages
//! depend on for their maintainer scripts alone ([`SCRIPT_ONLY`]) is left out: no script ever runs,
//! the builder does their work. Every problem is reported, not only the first.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;

use super::index::{Entry, Index};
use super::relation::{Clause, Relation, clauses};

/// A dependency that only maintainer scripts use.
#[derive(Debug, Clone, Copy)]
pub struct ScriptOnly {
    /// Beginning of the names of the packages that depend on it; all packages when empty.
    pub dependent: &'static str,
    /// What they depend on.
    pub name: &'static str,
}

/// Dependencies that are never installed unless asked for by name: without maintainer scripts
/// nothing calls them. Users, files under `/etc`, the CA bundle and the initramfs are ours to make.
pub const SCRIPT_ONLY: &[ScriptOnly] = &[
    ScriptOnly { dependent: "", name: "adduser" },
    ScriptOnly { dependent: "", name: "base-files" },
    ScriptOnly { dependent: "", name: "base-passwd" },
    ScriptOnly { dependent: "", name: "debconf" },
    ScriptOnly { dependent: "", name: "debconf-2.0" },
    ScriptOnly { dependent: "", name: "dpkg" },
    ScriptOnly { dependent: "", name: "init-system-helpers" },
    ScriptOnly { dependent: "", name: "install-info" },
    ScriptOnly { dependent: "", name: "lsb-base" },
    ScriptOnly { dependent: "", name: "runit-helper" },
    ScriptOnly { dependent: "", name: "systemd-sysusers" },
    ScriptOnly { dependent: "", name: "systemd-tmpfiles" },
    ScriptOnly { dependent: "", name: "sysvinit-utils" },
    ScriptOnly { dependent: "", name: "ucf" },
    ScriptOnly { dependent: "ca-certificates", name: "openssl" },
    // Its own launcher is a service of systemd; here servicemgr launches it.
    ScriptOnly { dependent: "dbus-broker", name: "systemd-sysv" },
    ScriptOnly { dependent: "linux-image-", name: "initramfs-tools" },
    ScriptOnly { dependent: "linux-image-", name: "kmod" },
    ScriptOnly { dependent: "linux-image-", name: "linux-base" },
];

/// Most packages of one device: beyond this something is wrong with the lists.
pub const MAX_PACKAGES: usize = 5000;

/// Something that keeps a set of packages from being installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// No list has it.
    Unknown {
        /// The name asked for.
        name: String,
        /// Packages with a name like it, or that provide it.
        similar: Vec<String>,
    },
    /// A dependency that nothing fulfils.
    Unmet {
        /// Who needs it.
        by: String,
        /// What it needs.
        clause: String,
        /// What there is instead.
        have: String,
    },
    /// Two packages that cannot be together.
    Conflict {
        /// Who refuses.
        one: String,
        /// `conflicts with` or `breaks`.
        how: &'static str,
        /// What it refuses, as written.
        what: String,
        /// The chosen package that this is.
        other: String,
    },
    /// A field of a list without meaning.
    Malformed {
        /// Whose.
        package: String,
        /// The text.
        text: String,
    },
    /// More than [`MAX_PACKAGES`].
    TooMany,
}

/// The packages to install for `asked`, sorted by name.
///
/// # Errors
/// Every reason why they cannot be installed together.
pub fn closure<'i, 'a>(
    index: &'i Index<'a>,
    asked: &[String],
) -> Result<Vec<&'i Entry<'a>>, Vec<Problem>> {
    let mut search =
        Search { index, chosen: BTreeMap::new(), queue: VecDeque::new(), problems: Vec::new() };
    for name in asked {
        search.ask(name);
    }
    while let Some(entry) = search.queue.pop_front() {
        search.needs_of(entry);
        if search.chosen.len() > MAX_PACKAGES {
            return Err(vec![Problem::TooMany]);
        }
    }
    let conflicts = conflicts(&search.chosen);
    search.problems.extend(conflicts);
    if search.problems.is_empty() {
        Ok(search.chosen.into_values().collect())
    } else {
        Err(search.problems)
    }
}

struct Search<'i, 'a> {
    index: &'i Index<'a>,
    chosen: BTreeMap<&'a str, &'i Entry<'a>>,
    queue: VecDeque<&'i Entry<'a>>,
    problems: Vec<Problem>,
}

impl<'i, 'a> Search<'i, 'a> {
    fn ask(&mut self, name: &str) {
        if let Some(entry) = self.index.get(name) {
            return self.choose(entry);
        }
        let providers: BTreeSet<&str> =
            self.index.providers(name).iter().map(|p| p.package).collect();
        let similar = if providers.is_empty() {
            self.index.similar(name)
        } else {
            providers.into_iter().collect()
        };
        let similar = similar.into_iter().map(str::to_owned).collect();
        self.problems.push(Problem::Unknown { name: name.to_owned(), similar });
    }

    fn choose(&mut self, entry: &'i Entry<'a>) {
        if self.chosen.insert(entry.name, entry).is_none() {
            self.queue.push_back(entry);
        }
    }

    fn needs_of(&mut self, entry: &'i Entry<'a>) {
        for clause in clauses(entry.pre_depends).chain(clauses(entry.depends)) {
            match clause {
                Ok(clause) => self.need(entry, &clause),
                Err(text) => self.problems.push(malformed(entry, text)),
            }
        }
    }

    fn need(&mut self, by: &Entry<'a>, clause: &Clause<'a>) {
        let candidates: Vec<&'i Entry<'a>> =
            clause.alternatives.iter().flat_map(|relation| self.candidates(relation)).collect();
        if candidates.iter().any(|c| self.chosen.contains_key(c.name)) {
            return;
        }
        if clause.alternatives.iter().any(|relation| only_for_scripts(by.name, relation.name)) {
            return;
        }
        match candidates.first() {
            Some(entry) => self.choose(entry),
            None => self.problems.push(self.unmet(by, clause)),
        }
    }

    /// The package itself, then those that provide it.
    fn candidates(&self, relation: &Relation<'a>) -> Vec<&'i Entry<'a>> {
        let index = self.index;
        let itself = index.get(relation.name).filter(|e| relation.allows(e.version));
        let fits = |version: Option<&str>| match version {
            None => relation.limit.is_none(),
            Some(version) => relation.allows(version),
        };
        let providers = index.providers(relation.name).iter().filter(|p| fits(p.version));
        itself.into_iter().chain(providers.filter_map(|p| index.get(p.package))).collect()
    }

    fn unmet(&self, by: &Entry<'_>, clause: &Clause<'_>) -> Problem {
        let have = clause.alternatives.iter().filter_map(|r| self.index.get(r.name));
        let have: Vec<String> = have.map(|e| format!("{} {}", e.name, e.version)).collect();
        Problem::Unmet {
            by: by.name.to_owned(),
            clause: clause.text.to_owned(),
            have: have.join(", "),
        }
    }
}

fn only_for_scripts(dependent: &str, name: &str) -> bool {
    SCRIPT_ONLY.iter().any(|s| s.name == name && dependent.starts_with(s.dependent))
}

fn malformed(entry: &Entry<'_>, text: &str) -> Problem {
    Problem::Malformed { package: entry.name.to_owned(), text: text.to_owned() }
}

fn conflicts<'a>(chosen: &BTreeMap<&'a str, &Entry<'a>>) -> Vec<Problem> {
    let provided = provided(chosen);
    let mut problems = Vec::new();
    for entry in chosen.values() {
        for (how, field) in [("conflicts with", entry.conflicts), ("breaks", entry.breaks)] {
            for clause in clauses(field) {
                match clause {
                    Err(text) => problems.push(malformed(entry, text)),
                    Ok(clause) => {
                        let others = clause
                            .alternatives
                            .iter()
                            .flat_map(|r| hit(r, entry, chosen, &provided));
                        problems.extend(others.map(|other| Problem::Conflict {
                            one: entry.name.to_owned(),
                            how,
                            what: clause.text.to_owned(),
                            other: other.to_owned(),
                        }));
                    }
                }
            }
        }
    }
    problems
}

type Provided<'a> = BTreeMap<&'a str, Vec<(&'a str, Option<&'a str>)>>;

/// What the chosen packages provide: name → (package, version).
fn provided<'a>(chosen: &BTreeMap<&'a str, &Entry<'a>>) -> Provided<'a> {
    let mut all = Provided::new();
    for entry in chosen.values() {
        for relation in clauses(entry.provides).flatten().flat_map(|c| c.alternatives) {
            let version = relation.limit.map(|(_, version)| version);
            all.entry(relation.name).or_default().push((entry.name, version));
        }
    }
    all
}

/// The chosen packages, not `by` itself, that `relation` means.
fn hit<'a>(
    relation: &Relation<'_>,
    by: &Entry<'_>,
    chosen: &BTreeMap<&'a str, &Entry<'a>>,
    provided: &Provided<'a>,
) -> BTreeSet<&'a str> {
    let itself = chosen.get(relation.name).filter(|e| relation.allows(e.version)).map(|e| e.name);
    let fits =
        |version: Option<&str>| version.map_or(relation.limit.is_none(), |v| relation.allows(v));
    let providers = provided.get(relation.name).into_iter().flatten();
    let providers = providers.filter(|(_, version)| fits(*version)).map(|(package, _)| *package);
    itself.into_iter().chain(providers).filter(|name| *name != by.name).collect()
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { name, similar } if similar.is_empty() => {
                write!(f, "no package `{name}`")
            }
            Self::Unknown { name, similar } => {
                write!(f, "no package `{name}`: did you mean {}?", similar.join(" or "))
            }
            Self::Unmet { by, clause, have } if have.is_empty() => {
                write!(f, "`{by}` needs `{clause}`, which nothing in the suite provides")
            }
            Self::Unmet { by, clause, have } => {
                write!(f, "`{by}` needs `{clause}`, and the suite has {have}")
            }
            Self::Conflict { one, how, what, other } if what == other => {
                write!(f, "`{one}` {how} `{other}`")
            }
            Self::Conflict { one, how, what, other } => {
                write!(f, "`{one}` {how} `{what}`, which `{other}` is")
            }
            Self::Malformed { package, text } => {
                write!(
                    f,
                    "`{package}` has a dependency that cannot be read: `{}`",
                    text.escape_debug()
                )
            }
            Self::TooMany => write!(f, "more than {MAX_PACKAGES} packages"),
        }
    }
}

#[cfg(test)]
mod tests;
