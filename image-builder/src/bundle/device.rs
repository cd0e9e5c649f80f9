//! Apps in the root of a device.
//!
//! ```text
//! /usr/lib/ensemble/bundles/ID.bundle      one for each app: not signed, as the root is checked whole
//! /usr/lib/ensemble/bundles/keys           a line for each key whose apps the device takes
//! /usr/lib/ensemble/stores/NAME/           place, root.json: a store that the device knows
//! /usr/lib/ensemble/bundles/work           there when one has work that runs by itself: ability-manager starts at boot
//! ```

use std::collections::BTreeSet;

use anyhow::Result;
use model::bundle::{AbilityKind, BundleId, Layout, Manifest};
use model::store::{PATH, PLACE, ROOT};
use model::text::Store;

use crate::tree::{Content, Kind, Node, Tree};

/// Where the apps of an image are, in its tree.
pub const BUNDLES: &str = "usr/lib/ensemble/bundles";

/// Links that are followed on the way to a file: as many as Linux does.
const MAX_LINKS: usize = 40;

/// Puts apps, and the keys of their makers, into a root.
///
/// # Errors
/// Something of a package is in the way.
pub fn place(tree: &mut Tree, apps: Vec<(BundleId, Content)>, trust: &[String]) -> Result<()> {
    for (id, content) in apps {
        tree.insert(&format!("{BUNDLES}/{id}.bundle"), Node::file(0o644, content))?;
    }
    if !trust.is_empty() {
        let keys: String = trust.iter().map(|key| format!("{key}\n")).collect();
        tree.insert(&format!("{BUNDLES}/keys"), Node::file(0o644, keys.as_str()))?;
    }
    Ok(())
}

/// Puts stores into a root, which the device knows from its first boot on.
///
/// # Errors
/// Something of a package is in the way.
pub fn place_stores(tree: &mut Tree, stores: &[Store]) -> Result<()> {
    for Store { name, place, root } in stores {
        let directory = format!("{}/{name}", PATH.trim_start_matches('/'));
        let mut put = |file: &str, text: String| {
            tree.insert(&format!("{directory}/{file}"), Node::file(0o644, text.as_str()))
        };
        put(PLACE, format!("{place}\n"))?;
        put(ROOT, root.clone())?;
    }
    Ok(())
}

/// Has ability-manager started at boot if one of these apps has work that runs by itself. `configs/services/ability-manager.toml`
/// waits for this file.
///
/// # Errors
/// Something of a package is in the way.
pub fn mark_work<'a>(tree: &mut Tree, mut apps: impl Iterator<Item = &'a Manifest>) -> Result<()> {
    let works = |app: &Manifest| app.abilities.iter().any(|one| one.kind == AbilityKind::Work);
    if apps.any(works) {
        tree.insert(&format!("{BUNDLES}/work"), Node::file(0o644, ""))?;
    }
    Ok(())
}

/// What an app needs and a root does not have: files that it requires, programs that it starts.
#[must_use]
pub fn missing(manifest: &Manifest, tree: &Tree) -> Vec<String> {
    let programs = manifest.abilities.iter().filter_map(|ability| ability.exec.first());
    // Who brings a root, or lies upon a runtime, has no other programs than theirs.
    let of_device = manifest.layout == Layout::App && manifest.runtime.is_none();
    let programs = programs.filter(|program| of_device && program.starts_with('/'));
    let needed: BTreeSet<&String> = manifest.requires.files.iter().chain(programs).collect();
    needed.into_iter().filter(|path| !there(tree, path)).cloned().collect()
}

/// Whether something is at an absolute path of a root, wherever links lead.
fn there(tree: &Tree, path: &str) -> bool {
    let mut left: Vec<String> = path.split('/').rev().map(str::to_owned).collect();
    let mut at = String::new();
    let mut links = 0;
    while let Some(part) = left.pop() {
        match part.as_str() {
            "" | "." => continue,
            ".." => {
                at.truncate(at.rfind('/').unwrap_or(0));
                continue;
            }
            _ => {}
        }
        let next = if at.is_empty() { part } else { format!("{at}/{part}") };
        match tree.get(&next).map(|node| &node.kind) {
            None => return false,
            Some(Kind::Symlink(target)) => {
                links += 1;
                if links > MAX_LINKS {
                    return false;
                }
                if target.starts_with('/') {
                    at.clear();
                }
                left.extend(target.split('/').rev().map(str::to_owned));
            }
            Some(_) => at = next,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use model::Name;

    use super::*;

    #[test]
    fn a_store_is_two_files_where_the_device_looks_for_it() {
        let mut tree = Tree::new();
        let place = "https://a".to_owned();
        let store = Store { name: Name::try_from("shop").unwrap(), place, root: "{}".to_owned() };
        place_stores(&mut tree, &[store]).unwrap();
        let text = |path: &str| match &tree.get(path).unwrap().kind {
            Kind::File(Content::Bytes(bytes)) => String::from_utf8(bytes.to_vec()).unwrap(),
            other => panic!("{other:?}"),
        };
        assert_eq!(text("usr/lib/ensemble/stores/shop/place"), "https://a\n");
        assert_eq!(text("usr/lib/ensemble/stores/shop/root.json"), "{}");
    }

    #[test]
    fn files_are_found_where_links_lead() {
        let mut tree = Tree::new();
        for (path, target) in [
            ("bin", "usr/bin"),
            ("usr/bin/python3", "python3.13"),
            ("usr/bin/sh", "/bin/../bin/busybox"),
            ("usr/bin/loop", "loop"),
            ("usr/bin/lost", "nowhere"),
        ] {
            tree.insert(path, Node::symlink(target)).unwrap();
        }
        for path in ["usr/bin/python3.13", "usr/bin/busybox"] {
            tree.insert(path, Node::file(0o755, "")).unwrap();
        }
        for path in ["/bin/python3", "/usr/bin/python3", "/bin/sh", "/usr"] {
            assert!(there(&tree, path), "{path}");
        }
        for path in ["/bin/perl", "/bin/loop", "/bin/lost", "/bin/python3/x", "/nowhere/x"] {
            assert!(!there(&tree, path), "{path}");
        }
    }
}
