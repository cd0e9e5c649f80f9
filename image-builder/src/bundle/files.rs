//! Files of this host as files of a bundle.
//!
//! ```text
//! directory ─ all but what is excluded ─┐
//! binary ─── one program ───────────────┴─► Tree: root's, 0755 or 0644
//! ```
//!
//! Never follows a link: one that leads out of the bundle is refused here, with its place on this host.

use std::ffi::OsStr;
use std::fs::{self, Metadata};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use model::text::bundle::FILE;

use super::elf;
use crate::tree::{Content, Node, Tree};

/// What is never part of a bundle: its own description, other bundles, what tools leave behind.
const NEVER: [&str; 6] = [FILE, LOCK, "*.bundle", "*.whl", ".git", "__pycache__"];

/// The lock file of a bundle.
const LOCK: &str = "bundle.lock";

/// What links of a directory may say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Links {
    /// A path within it.
    Inside,
    /// A path of the system whose root it is; who asks makes it fit.
    OfRoot,
}

/// The files of a directory but for those that `exclude` names.
pub(super) fn directory(path: &Path, exclude: &[String], links: Links) -> Result<Tree> {
    let about = fs::metadata(path).with_context(|| reading(path))?;
    if !about.is_dir() {
        bail!("{} is no directory: [source] kind = \"binary\" takes one program", path.display());
    }
    let patterns: Vec<&str> = NEVER.into_iter().chain(exclude.iter().map(String::as_str)).collect();
    let mut walk = Walk { tree: Tree::new(), patterns: &patterns, links };
    walk.add_all(path, "")?;
    Ok(walk.tree)
}

/// A directory on its way into a tree.
struct Walk<'a> {
    tree: Tree,
    patterns: &'a [&'a str],
    links: Links,
}

impl Walk<'_> {
    /// Adds what is in `directory`, which is at `at` in the tree.
    fn add_all(&mut self, directory: &Path, at: &str) -> Result<()> {
        if at.split('/').count() > bundle::MAX_DEPTH {
            bail!(
                "{}: a bundle is at most {} directories deep",
                directory.display(),
                bundle::MAX_DEPTH
            );
        }
        let entries = fs::read_dir(directory).with_context(|| reading(directory))?;
        let mut names = Vec::new();
        for entry in entries {
            let name = entry.with_context(|| reading(directory))?.file_name();
            let path = directory.join(&name);
            let Ok(name) = name.into_string() else {
                bail!("{}: names in a bundle are UTF-8", path.display());
            };
            names.push(name);
        }
        names.sort();
        for name in names {
            let inside = if at.is_empty() { name.clone() } else { format!("{at}/{name}") };
            if !self.patterns.iter().any(|pattern| excluded(pattern, &inside)) {
                self.add(&directory.join(&name), &inside)?;
            }
        }
        Ok(())
    }

    fn add(&mut self, path: &Path, inside: &str) -> Result<()> {
        if u64::try_from(self.tree.len()).unwrap_or(u64::MAX) > bundle::MAX_FILES {
            bail!(
                "more than {} files: name the directory that the app is in as [source] path, or leave some out with \
                 exclude",
                bundle::MAX_FILES
            );
        }
        let about = fs::symlink_metadata(path).with_context(|| reading(path))?;
        let kind = about.file_type();
        if kind.is_dir() {
            self.tree.insert(inside, Node::directory(0o755))?;
            return self.add_all(path, inside);
        }
        if kind.is_file() {
            return Ok(self.tree.insert(inside, file(path, &about))?);
        }
        if kind.is_symlink() {
            return self.link(path, inside);
        }
        let what = if kind.is_socket() {
            "a socket"
        } else if kind.is_fifo() {
            "a pipe"
        } else {
            "a device"
        };
        bail!("{} is {what}: leave it out with [source] exclude", path.display());
    }

    fn link(&mut self, path: &Path, inside: &str) -> Result<()> {
        let target = fs::read_link(path).with_context(|| reading(path))?;
        let above = inside.rsplit_once('/').map_or("", |(above, _)| above);
        let legal = |target: &&str| self.links == Links::OfRoot || joined(above, target).is_some();
        match target.to_str().filter(legal) {
            Some(target) => Ok(self.tree.insert(inside, Node::symlink(target))?),
            None => bail!(
                "{} leads out of the bundle, to {}: put the file itself there, or leave the link out with \
                 [source] exclude",
                path.display(),
                target.display()
            ),
        }
    }
}

/// One program, which needs no other file.
pub(super) fn binary(path: &Path, architectures: &[String]) -> Result<Tree> {
    let about = fs::metadata(path).with_context(|| reading(path))?;
    if !about.is_file() {
        bail!("{} is no program: [source] kind = \"directory\" takes a directory", path.display());
    }
    elf::runs_alone(path, architectures)?;
    let name = path.file_name().and_then(OsStr::to_str);
    let name = name.with_context(|| format!("{}: names in a bundle are UTF-8", path.display()))?;
    let mut tree = Tree::new();
    tree.insert(name, file(path, &about))?;
    Ok(tree)
}

/// A file of the host.
pub(super) fn file(path: &Path, about: &Metadata) -> Node {
    let mode = if about.permissions().mode() & 0o100 == 0 { 0o644 } else { 0o755 };
    Node::file(
        mode,
        Content::Slice { file: Arc::new(path.to_owned()), offset: 0, len: about.len() },
    )
}

fn reading(path: &Path) -> String {
    format!("reading {}", path.display())
}

/// Whether `path`, seen from the top, is what `pattern` names: a path if it has a `/`, else a name anywhere.
pub(super) fn excluded(pattern: &str, path: &str) -> bool {
    if !pattern.contains('/') {
        return matches(pattern, path.rsplit('/').next().unwrap_or_default());
    }
    let mut parts = path.split('/');
    let all = pattern.split('/').all(|part| parts.next().is_some_and(|name| matches(part, name)));
    all && parts.next().is_none()
}

/// Whether `*` of the pattern can stand for parts of the name such that both are the same.
pub(super) fn matches(pattern: &str, name: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == name };
    let Some(mut left) = name.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        // The first place is as good as any later one.
        let Some((_, after)) = left.split_once(part) else { return false };
        left = after;
    }
    left.ends_with(last)
}

/// Where `target` leads from the directory `at` of the bundle; `None` where that is outside.
pub(super) fn joined(at: &str, target: &str) -> Option<String> {
    if target.starts_with('/') {
        return None;
    }
    let mut parts: Vec<&str> = at.split('/').filter(|part| !part.is_empty()).collect();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_left_out_anywhere_and_paths_at_their_place() {
        for (pattern, path) in [
            ("*.orig", "a/b.orig"),
            ("tests", "a/tests"),
            ("docs/old", "docs/old"),
            ("docs/*", "docs/x"),
            ("*a*b*", "xaxbx"),
            ("*", "x"),
        ] {
            assert!(excluded(pattern, path), "{pattern} {path}");
        }
        for (pattern, path) in [
            ("*.orig", "a/orig"),
            ("tests", "tests2"),
            ("docs/old", "a/docs/old"),
            ("docs/*", "docs/x/y"),
            ("docs/*", "docs"),
            ("a*a", "a"),
        ] {
            assert!(!excluded(pattern, path), "{pattern} {path}");
        }
    }

    #[test]
    fn links_stay_within_the_bundle() {
        assert_eq!(joined("a/b", "../c").as_deref(), Some("a/c"));
        assert_eq!(joined("", "x/./y").as_deref(), Some("x/y"));
        assert_eq!(joined("a", "../../etc"), None);
        assert_eq!(joined("a", "/etc/passwd"), None);
    }
}
