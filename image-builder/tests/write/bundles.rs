//! What the strict reader of bundles takes is just what our writer writes, and it reads the same in it.

use std::io::Read;

use bundle::{Bundle, Entry, Item, Refused};
use image_builder::tree::{Kind, Node, Tree};
use image_builder::write::{content_uuid, erofs};
use proptest::prelude::*;

use crate::trees::{self, TIME};

/// A bundle with this tree, before anybody signed it.
fn bundle(tree: &Tree) -> Result<Bundle<std::fs::File>, Refused> {
    let volume = erofs::Volume {
        uuid: content_uuid("bundle", &[3; 32]),
        label: "bundle".to_owned(),
        time: TIME,
    };
    let mut image = Vec::new();
    erofs::stream(tree, &volume, &mut image).unwrap();
    let file = tempfile::tempfile().unwrap();
    bundle::assemble(&image, "version = 1\n", &file)?;
    Bundle::open(file)
}

/// The tree as a bundle may have it: of root, without rights, devices, and links that lead out.
fn clean(tree: &Tree) -> Tree {
    let mut clean = Tree::new();
    for (path, node) in tree.iter().filter(|(path, _)| !path.contains('\n')) {
        let kind = match &node.kind {
            Kind::Device { .. } => continue,
            Kind::Symlink(target) => {
                let names = target.split('/').filter(|name| !name.is_empty() && *name != "..");
                let target = names.collect::<Vec<_>>().join("/");
                Kind::Symlink(if target.is_empty() { ".".to_owned() } else { target })
            }
            other => other.clone(),
        };
        let mode = if matches!(kind, Kind::Symlink(_)) { 0o777 } else { node.mode & 0o755 };
        let node = Node { mode, uid: 0, gid: 0, kind };
        clean.insert(path, node).unwrap();
    }
    clean.insert("", Node::directory(0o755)).unwrap();
    clean
}

/// The bundle holds `tree`, and nothing else.
fn assert_holds(tree: &Tree) {
    let bundle = bundle(tree).unwrap();
    let files = bundle.check().unwrap();
    let entries = tree.entries().unwrap();
    assert_eq!(files.count(), entries.len() - 1);
    let each = |entry: Entry<'_>, item: Item<'_>| {
        let path = entry.path();
        let want = entries.iter().find(|want| want.path == path).unwrap();
        assert_eq!(entry.mode(), want.node.mode, "{path}");
        assert!(files.find(&path).is_some(), "{path}");
        match (item, &want.node.kind) {
            (Item::Directory, Kind::Directory) => {}
            (Item::Link(target), Kind::Symlink(to)) => assert_eq!(target, *to),
            (Item::Same(first), Kind::File(_)) => {
                let first = entries.iter().position(|want| want.path == first).unwrap();
                assert_eq!(entries[first].first, want.first, "{path}");
            }
            (Item::File(mut reader), Kind::File(content)) => {
                let mut bytes = Vec::new();
                reader.read_to_end(&mut bytes).unwrap();
                assert!(bytes == *content.read().unwrap(), "{path}");
            }
            (item, kind) => panic!("{path}: {item:?} and {kind:?}"),
        }
        Ok::<(), Refused>(())
    };
    files.unpack(each).unwrap();
}

#[test]
fn a_bundle_holds_what_was_put_into_it() {
    let dir = tempfile::tempdir().unwrap();
    assert_holds(&clean(&trees::everything(dir.path())));
    assert_holds(&clean(&Tree::new()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn a_bundle_holds_any_tree_that_was_put_into_it(tree in trees::random()) {
        assert_holds(&clean(&tree));
    }

    #[test]
    fn a_tree_with_one_thing_too_many_is_no_bundle(tree in trees::random(), which in 0..HOSTILE) {
        let mut tree = clean(&tree);
        tree.insert("zz-hostile", hostile(which)).unwrap();
        let refused = bundle(&tree).unwrap_err();
        prop_assert_eq!(refused.what(), "\"zz-hostile\"");
    }
}

/// How many hostile things there are.
const HOSTILE: usize = 10;

fn hostile(which: usize) -> Node {
    let device = |block| Kind::Device { block, major: 1, minor: 3 };
    let all: [Node; HOSTILE] = [
        Node::file(0o4755, "x"),
        Node::file(0o2755, "x"),
        Node::file(0o666, "x"),
        Node::directory(0o1777),
        Node::file(0o644, "x").owned_by(1000, 0),
        Node::directory(0o755).owned_by(0, 5),
        Node { kind: device(false), ..Node::file(0o600, "") },
        Node { kind: device(true), ..Node::file(0o600, "") },
        Node::symlink("/etc/shadow"),
        Node::symlink("../up"),
    ];
    all[which].clone()
}
