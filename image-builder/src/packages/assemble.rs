//! Packages put together into one tree.
//!
//! Two packages may bring the same directory; the same path otherwise only when it is the same, or
//! when one says `Replaces` of the other. Which package comes first matters for modes of directories
//! only; packages come in the order of the lock.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};

use super::deb::Package;
use super::entries::{Entry, MERGED};
use super::relation::clauses;
use crate::tree::{Kind, Node, Tree};

/// Where the list of packages of an image is, one `name version` a line.
pub const LIST: &str = "usr/share/ensemble/packages";

/// The files of all packages, with `bin`, `lib` … as links into `usr` and the list of packages.
///
/// # Errors
/// Two packages bring different things to one path, or a path cannot be in an image.
pub fn assemble(packages: &[Package]) -> Result<Tree> {
    let mut assembly = Assembly { tree: Tree::new(), owners: BTreeMap::new() };
    for directory in ["usr/bin", "usr/sbin", "usr/lib"] {
        assembly.tree.insert(directory, Node::directory(0o755))?;
    }
    for package in packages {
        for entry in &package.entries {
            assembly.add(package, entry)?;
        }
    }
    let mut tree = assembly.tree;
    for name in MERGED {
        if tree.is_directory(&format!("usr/{name}")) {
            tree.insert(name, Node::symlink(format!("usr/{name}")))?;
        }
    }
    let mut list: Vec<String> =
        packages.iter().map(|p| format!("{} {}\n", p.name, p.version)).collect();
    list.sort();
    tree.insert(LIST, Node::file(0o644, list.concat().as_str()))?;
    Ok(tree)
}

struct Assembly<'a> {
    tree: Tree,
    /// Who brought each path that is not a directory.
    owners: BTreeMap<&'a str, &'a Package>,
}

impl<'a> Assembly<'a> {
    fn add(&mut self, package: &'a Package, entry: &'a Entry) -> Result<()> {
        let (path, node) = (entry.path.as_str(), &entry.node);
        let is_directory = matches!(node.kind, Kind::Directory);
        match (self.tree.get(path), self.owners.get(path)) {
            // The first that brings a directory decides its mode, as with dpkg.
            (Some(_), None) if is_directory => Ok(()),
            (Some(there), Some(owner)) if !self.may_take(package, node, owner, there, path)? => {
                Ok(())
            }
            (Some(_), None) => bail!(
                "`{path}` is a directory of another package, and a file or link of `{}`",
                package.name
            ),
            _ => {
                self.tree
                    .insert(path, node.clone())
                    .with_context(|| format!("package `{}`", package.name))?;
                if is_directory {
                    self.owners.remove(path);
                } else {
                    self.owners.insert(path, package);
                }
                Ok(())
            }
        }
    }

    /// Whether `package` takes `path` from its `owner`; else the owner keeps it.
    fn may_take(
        &self,
        package: &Package,
        node: &Node,
        owner: &Package,
        there: &Node,
        path: &str,
    ) -> Result<bool> {
        let same_owner = package.name == owner.name;
        if same_owner || replaces(package, owner) {
            return Ok(true);
        }
        if replaces(owner, package) || is_same(node, there)? {
            return Ok(false);
        }
        bail!(
            "both `{}` and `{}` bring `{path}`, and neither replaces the other: \
             take one of them out of [packages]",
            owner.name,
            package.name
        )
    }
}

/// Whether `one` says that it replaces files of `other`.
fn replaces(one: &Package, other: &Package) -> bool {
    let relations = clauses(&one.replaces).flatten().flat_map(|c| c.alternatives);
    relations.into_iter().any(|r| r.name == other.name && r.allows(&other.version))
}

fn is_same(a: &Node, b: &Node) -> Result<bool> {
    let owner = (a.mode, a.uid, a.gid) == (b.mode, b.uid, b.gid);
    Ok(owner
        && match (&a.kind, &b.kind) {
            (Kind::File(a), Kind::File(b)) => a.len() == b.len() && a.read()? == b.read()?,
            (Kind::Symlink(a), Kind::Symlink(b)) => a == b,
            _ => false,
        })
}
