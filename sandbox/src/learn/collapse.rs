//! Many files of one directory become that directory.
//!
//! From the deepest directory up, so that many such directories become the one above them. Never those in
//! which everybody's things are: there every file is named, or it is told.

use std::collections::{BTreeMap, BTreeSet};

use model::sandbox::is_below;

/// So many entries in a directory are many.
pub const MANY: usize = 8;

/// Directories that stand for no list of files: all of the device, of everybody, or of the system.
const NEVER: [&str; 24] = [
    "/",
    "/boot",
    "/dev",
    "/etc",
    "/etc/ssh",
    "/etc/ssl",
    "/home",
    "/media",
    "/mnt",
    "/opt",
    "/proc",
    "/root",
    "/run",
    "/run/ensemble",
    "/srv",
    "/sys",
    "/tmp",
    "/usr",
    "/usr/lib/ensemble",
    "/usr/local",
    "/var",
    "/var/lib",
    "/var/log",
    "/var/tmp",
];

/// Whether a directory may stand for many files in it.
#[must_use]
pub fn may_stand(directory: &str) -> bool {
    let a_home = directory.strip_prefix("/home/").is_some_and(|name| !name.contains('/'));
    !a_home && !NEVER.contains(&directory)
}

/// The trees for these paths; at most `most`, if `may` lets directories stand for their files.
#[must_use]
pub fn collapse(
    paths: &BTreeSet<String>,
    most: usize,
    may: &dyn Fn(&str) -> bool,
) -> BTreeSet<String> {
    let mut all = outermost(paths);
    for many in [MANY, 2, 1] {
        if many == MANY || all.len() > most {
            all = once(all, many, &|directory| may_stand(directory) && may(directory));
        }
    }
    all
}

fn once(mut all: BTreeSet<String>, many: usize, may: &dyn Fn(&str) -> bool) -> BTreeSet<String> {
    let deepest = all.iter().map(|path| depth(path)).max().unwrap_or(0);
    for level in (1..=deepest).rev() {
        let mut by_parent: BTreeMap<&str, usize> = BTreeMap::new();
        for path in all.iter().filter(|path| depth(path) == level) {
            *by_parent.entry(parent(path)).or_default() += 1;
        }
        let chosen = by_parent.iter().filter(|(parent, count)| **count >= many && may(parent));
        let chosen: Vec<String> = chosen.map(|(parent, _)| (*parent).to_owned()).collect();
        for directory in chosen {
            all.retain(|path| !is_below(path, &directory));
            all.insert(directory);
        }
    }
    all
}

/// Those that lie in no other.
#[must_use]
pub fn outermost(paths: &BTreeSet<String>) -> BTreeSet<String> {
    let mut all: BTreeSet<String> = BTreeSet::new();
    for path in paths {
        let mut above = ancestors(path);
        if !above.any(|above| all.contains(above)) {
            all.insert(path.clone());
        }
    }
    all
}

/// The directories above a path, the nearest first, with `/`.
pub fn ancestors(path: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(path).filter(|path| *path != "/");
    std::iter::from_fn(move || {
        let above = parent(rest?);
        rest = Some(above).filter(|above| *above != "/");
        Some(above)
    })
}

/// The directory that a path lies in.
#[must_use]
pub fn parent(path: &str) -> &str {
    match path.rsplit_once('/') {
        Some(("", _)) | None => "/",
        Some((parent, _)) => parent,
    }
}

fn depth(path: &str) -> usize {
    if path == "/" { 0 } else { path.bytes().filter(|b| *b == b'/').count() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(paths: impl IntoIterator<Item = impl Into<String>>) -> BTreeSet<String> {
        paths.into_iter().map(Into::into).collect()
    }

    #[test]
    fn many_files_are_their_directory_and_few_are_themselves() {
        let mut paths = set((0..8).map(|n| format!("/usr/share/a/{n}")));
        paths.extend(set((0..7).map(|n| format!("/usr/share/b/{n}"))));
        let trees = collapse(&paths, 256, &|_| true);
        assert!(trees.contains("/usr/share/a") && trees.contains("/usr/share/b/0"), "{trees:?}");
        assert_eq!(trees.len(), 8);
    }

    #[test]
    fn many_directories_are_the_one_above() {
        let files = (0..8).flat_map(|a| (0..8).map(move |b| format!("/usr/share/x/{a}/{b}")));
        assert_eq!(collapse(&set(files), 256, &|_| true), set(["/usr/share/x"]));
    }

    #[test]
    fn what_everybody_has_things_in_stands_for_nothing() {
        for directory in ["/etc", "/home/ann", "/var/lib", "/"] {
            let paths = set((0..20).map(|n| format!("{}/{n}", directory.trim_end_matches('/'))));
            assert_eq!(collapse(&paths, 4, &|_| true), paths);
        }
        assert_eq!(collapse(&set((0..9).map(|n| format!("/a/{n}"))), 4, &|_| false).len(), 9);
    }

    #[test]
    fn too_many_trees_are_made_fewer() {
        let paths = set((0..300).map(|n| format!("/data/{n}/x")));
        assert_eq!(collapse(&paths, 256, &|_| true), set(["/data"]));
    }

    proptest::proptest! {
        #[test]
        fn every_path_lies_in_exactly_one_tree(
            paths in proptest::collection::btree_set("(/[a-c]{1,2}){1,5}", 0..200),
            most in 1_usize..50,
        ) {
            let trees = collapse(&paths, most, &|_| true);
            for path in &paths {
                assert_eq!(trees.iter().filter(|tree| is_below(path, tree)).count(), 1, "{path}");
            }
            for tree in &trees {
                assert!(paths.iter().any(|path| is_below(path, tree)), "{tree}");
            }
        }
    }
}
