//! The runtime that a bundle lies upon: found on this host, and what is in it.
//!
//! ```text
//! [runtime] bundle, version ─┬─ [source] runtime: FILE.bundle, or DIR with a bundle.toml ─┬─► Below: tree, packages
//!                            └─ else DIR beside this one whose bundle.toml has that id ───┘
//! ```
//!
//! From a directory the tree is made as for a build of it; a file is checked as a device does. What is in its files is not kept.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use bundle::{Bundle, Entry};
use model::bundle::{BundleKind, Manifest, Runtime};
use model::text::bundle::{FILE, Loaded, Source, load, parse};

use super::{Sources, debian};
use crate::host_files::HostFiles;
use crate::packages::assemble::LIST;
use crate::tree::{Kind, Node, Tree};

/// Longest list of packages that is read out of a bundle, in bytes.
const MAX_LIST: u64 = 4 << 20;

/// Most directories beside a bundle that are looked into.
const MAX_BESIDE: usize = 1000;

/// A runtime, as a bundle that is built upon it sees it.
#[derive(Debug)]
pub(super) struct Below {
    /// Where it is on this host.
    from: PathBuf,
    /// What is where; files of one that was built are empty.
    pub(super) tree: Tree,
    packages: BTreeMap<String, String>,
}

impl Below {
    /// The version of a package that it has.
    pub(super) fn package(&self, name: &str) -> Option<&str> {
        self.packages.get(name).map(String::as_str)
    }

    /// How it is called in messages.
    pub(super) fn shown(&self) -> String {
        self.from.display().to_string()
    }

    fn new(from: PathBuf, tree: Tree) -> Result<Self> {
        let packages = debian::listed(&tree)?.into_iter().collect();
        Ok(Self { from, tree, packages })
    }

    /// One that was made by hand, for tests.
    #[cfg(test)]
    pub(super) fn of(tree: Tree) -> Self {
        Self::new(PathBuf::from("runtime"), tree).unwrap()
    }
}

/// What lies below a bundle, if something does.
pub(super) fn find(
    manifest: &Manifest,
    source: &Source,
    sources: &Sources<'_>,
) -> Result<Option<Below>> {
    let Some(wanted) = &manifest.runtime else { return Ok(None) };
    let path = match &source.runtime {
        Some(path) => PathBuf::from(path),
        None => beside(wanted, Path::new(&source.directory), sources)?,
    };
    let below = || format!("the runtime of {}, {}", manifest.id, path.display());
    if path.is_file() && path.file_name().is_none_or(|name| name != FILE) {
        return built(&path, wanted).with_context(below).map(Some);
    }
    let loaded = loaded(&path, sources).with_context(below)?;
    fits(&loaded.manifest, wanted).with_context(below)?;
    let prepared = super::prepare(&loaded.manifest, &loaded.source, sources).with_context(below)?;
    Below::new(path.clone(), prepared.tree).map(Some)
}

/// The directory beside that of the bundle whose TOML has the id.
fn beside(wanted: &Runtime, directory: &Path, sources: &Sources<'_>) -> Result<PathBuf> {
    let whole = std::path::absolute(directory).context("finding the directory of the bundle")?;
    let above = whole.parent().unwrap_or(&whole);
    let names = fs::read_dir(above).with_context(|| format!("reading {}", above.display()))?;
    let mut found: Vec<PathBuf> =
        names.flatten().take(MAX_BESIDE).map(|entry| entry.path()).collect();
    found.sort();
    let is = |path: &PathBuf| loaded(path, sources).is_ok_and(|l| l.manifest.id == wanted.bundle);
    let found = found.into_iter().filter(|path| path.join(FILE).is_file()).find(is);
    found.with_context(|| {
        format!(
            "no directory in {} has a bundle.toml of the runtime {}: say where it is: [source] runtime = \"FILE.bundle\" \
             or its directory",
            above.display(),
            wanted.bundle
        )
    })
}

fn loaded(path: &Path, sources: &Sources<'_>) -> Result<Loaded> {
    let file = if path.is_dir() { path.join(FILE) } else { path.to_owned() };
    let shown = file.to_str().with_context(|| format!("{}: not UTF-8", file.display()))?;
    load(&HostFiles::of(sources.workspace), shown)
        .map_err(|report| anyhow::anyhow!("{}", report.render(false).trim_end().to_owned()))
}

/// Whether it is what is wanted.
fn fits(manifest: &Manifest, wanted: &Runtime) -> Result<()> {
    let id = &manifest.id;
    ensure!(*id == wanted.bundle, "it is {id}, and {} is wanted", wanted.bundle);
    if manifest.kind != BundleKind::Runtime {
        bail!("{id} is an app: what others lie upon says kind = \"runtime\"");
    }
    ensure!(
        manifest.version >= wanted.version,
        "it is version {}, and {} is wanted",
        manifest.version,
        wanted.version
    );
    Ok(())
}

/// A runtime that was built.
fn built(path: &Path, wanted: &Runtime) -> Result<Below> {
    let bundle = Bundle::open(File::open(path)?)?;
    let files = bundle.check()?;
    let manifest = parse("its manifest", bundle.manifest());
    let manifest = manifest.map_err(|report| anyhow::anyhow!("{}", report.render(false)))?;
    fits(&manifest, wanted)?;
    let mut tree = Tree::new();
    for entry in files.entries() {
        tree.insert(&entry.path(), node(&entry)?)?;
    }
    if files.find(LIST).is_some_and(|entry| entry.is_file()) {
        tree.insert(LIST, Node::file(0o644, files.read(LIST, MAX_LIST)?))?;
    }
    Below::new(path.to_owned(), tree)
}

fn node(entry: &Entry<'_>) -> Result<Node> {
    if entry.is_directory() {
        return Ok(Node::directory(entry.mode()));
    }
    Ok(match entry.target()? {
        Some(target) => Node::symlink(target),
        None => Node::file(entry.mode(), ""),
    })
}

/// The files of a bundle with those of its runtime below, as its programs see them.
#[derive(Debug, Clone, Copy)]
pub(super) struct View<'a> {
    /// The upper one first.
    pub(super) upper: &'a Tree,
    /// What lies below.
    pub(super) lower: Option<&'a Tree>,
}

impl<'a> View<'a> {
    /// What is at a path, wherever links lead; with the path where it is.
    pub(super) fn find(self, path: &str) -> Option<(String, &'a Node)> {
        let words: Vec<&str> = path.split('/').collect();
        let place = super::rooted::followed_in(&|path| self.get(path), "", &words)?.join("/");
        let node = self.get(&place)?;
        Some((place, node))
    }

    fn get(self, path: &str) -> Option<&'a Node> {
        self.upper.get(path).or_else(|| self.lower?.get(path))
    }

    /// The names of programs and libraries directly in a directory, whichever tree has them.
    pub(super) fn names(self, directory: &str) -> Vec<&'a str> {
        let trees = [Some(self.upper), self.lower].into_iter().flatten();
        let below = format!("{directory}/");
        let mut names = Vec::new();
        for tree in trees {
            let paths = tree.iter().map(|(path, _)| path);
            let inside = paths.filter_map(|path| path.strip_prefix(below.as_str()));
            names.extend(inside.filter(|name| !name.is_empty() && !name.contains('/')));
        }
        names
    }
}

/// Lays a tree over another; links of directories are followed.
pub(super) fn lay_over(tree: &mut Tree, upper: &Tree) -> Result<()> {
    for (path, node) in upper.iter().filter(|(path, _)| !path.is_empty()) {
        let (above, name) = path.rsplit_once('/').unwrap_or(("", path));
        let words: Vec<&str> = above.split('/').collect();
        let mut place = super::rooted::followed(tree, "", &words)
            .with_context(|| format!("{path}: links lead in a circle"))?;
        place.push(name.to_owned());
        let place = place.join("/");
        let directory = matches!(node.kind, Kind::Directory);
        let is_directory = super::rooted::followed(tree, "", &place.split('/').collect::<Vec<_>>())
            .is_some_and(|there| tree.is_directory(&there.join("/")));
        if directory && is_directory {
            continue;
        }
        if !directory {
            tree.remove(&place);
        }
        tree.insert(&place, node.clone())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[&str], links: &[(&str, &str)]) -> Tree {
        let mut tree = Tree::new();
        for file in files {
            tree.insert(file, Node::file(0o755, *file)).unwrap();
        }
        for (path, target) in links {
            tree.insert(path, Node::symlink(*target)).unwrap();
        }
        tree
    }

    #[test]
    fn a_view_follows_links_from_one_tree_into_the_other() {
        let lower =
            tree(&["usr/bin/python3.13"], &[("bin", "usr/bin"), ("usr/bin/python3", "python3.13")]);
        let upper = tree(&["main.py"], &[("usr/bin/python", "/bin/python3")]);
        let view = View { upper: &upper, lower: Some(&lower) };
        assert_eq!(view.find("/usr/bin/python").unwrap().0, "usr/bin/python3.13");
        assert_eq!(view.find("main.py").unwrap().0, "main.py");
        assert!(view.find("/usr/bin/perl").is_none());
        let names = view.names("usr/bin");
        assert_eq!(names, ["python", "python3", "python3.13"]);
    }

    #[test]
    fn files_of_its_own_lie_over_those_of_packages_where_links_lead() {
        let mut lower =
            tree(&["usr/bin/a", "usr/lib/b"], &[("bin", "usr/bin"), ("usr/bin/c", "a")]);
        let upper = tree(&["bin/a", "usr/bin/c", "opt/x"], &[]);
        lay_over(&mut lower, &upper).unwrap();
        assert!(matches!(lower.get("bin").unwrap().kind, Kind::Symlink(_)));
        assert!(matches!(lower.get("usr/bin/c").unwrap().kind, Kind::File(_)));
        let Kind::File(content) = &lower.get("usr/bin/a").unwrap().kind else { panic!() };
        assert_eq!(&*content.read().unwrap(), b"bin/a");
        assert!(lower.get("opt/x").is_some());
    }
}
