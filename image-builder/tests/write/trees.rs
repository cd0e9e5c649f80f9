//! Trees to write: one with everything in it, and random ones.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use image_builder::tree::{Content, Kind, Node, Tree};
use proptest::collection::vec;
use proptest::prelude::*;

/// The time of everything.
pub(crate) const TIME: u32 = 1_700_000_000;

/// Bytes that differ from place to place.
pub(crate) fn bytes(len: usize) -> Vec<u8> {
    (0..len).map(|i| u8::try_from((i * 7 + i / 251) % 256).unwrap_or(0)).collect()
}

/// Every kind of node, at and around every size where something changes.
pub(crate) fn everything(dir: &Path) -> Tree {
    let mut tree = Tree::new();
    let mut add = |path: &str, node: Node| tree.insert(path, node).unwrap();
    for len in [0, 1, 100, 4031, 4032, 4033, 4095, 4096, 4097, 8128, 8129, 70_000, 300_000] {
        add(&format!("sizes/{len}"), Node::file(0o644, bytes(len)));
    }
    let host = dir.join("host-file");
    File::create(&host).unwrap().write_all(&bytes(20_000)).unwrap();
    let file = Arc::new(host);
    let slice = Content::Slice { file, offset: 1234, len: 10_000 };
    add("usr/bin/tool", Node::file(0o4755, slice).owned_by(0, 7));
    let hardlink = |to: &str| Node { kind: Kind::Hardlink(to.to_owned()), ..Node::file(0, "") };
    add("a-first-name", hardlink("usr/bin/tool"));
    add("usr/bin/zz-later-name", hardlink("usr/bin/tool"));
    for target in ["usr/bin", "/absolute//with/slash/", "../up"] {
        add(&format!("links/{}", target.len()), Node::symlink(target));
    }
    add("links/long", Node::symlink("x".repeat(4095)));
    add("links/over-100", Node::symlink("y/".repeat(80)));
    add("tmp", Node::directory(0o1777));
    add("private", Node::directory(0o500).owned_by(70_000, 3_000_000));
    add("private/file", Node::file(0o400, "secret"));
    let device = |block, major, minor| Node {
        kind: Kind::Device { block, major, minor },
        ..Node::file(0o660, "")
    };
    add("dev/null", device(false, 1, 3));
    add("dev/vda", device(true, 254, 300));
    add(&"n".repeat(255), Node::file(0o600, "long name"));
    add(&format!("{}/{}", "d".repeat(120), "e".repeat(120)), Node::file(0o600, "long path"));
    // Sorts before `.`, and around the separator.
    for name in ["!", "-", "a", "a-", "a.b", "ä", "new\nline"] {
        add(&format!("names/{name}"), Node::file(0o644, name));
        add(&format!("names/{name}.d/x"), Node::file(0o644, name));
    }
    for i in 0..1000 {
        add(&format!("many/file-number-{i:04}"), Node::file(0o644, i.to_string().as_str()));
    }
    tree
}

/// Random trees.
pub(crate) fn random() -> impl Strategy<Value = Tree> {
    let path = vec(prop_oneof!["[a-c.!-]{1,3}", "[x-z]{60,255}"], 1..4).prop_map(|p| p.join("/"));
    let len = prop_oneof![0usize..200, 3900usize..4300, 8000usize..8300, 0usize..40_000];
    let kind = prop_oneof![
        4 => len.prop_map(|n| Kind::File(bytes(n).into())),
        2 => Just(Kind::Directory),
        1 => "[a-z/.]{1,150}".prop_map(Kind::Symlink),
        1 => (any::<bool>(), 0u32..4096, 0u32..1 << 20)
            .prop_map(|(block, major, minor)| Kind::Device { block, major, minor }),
        2 => any::<prop::sample::Index>().prop_map(|i| Kind::Hardlink(i.index(100).to_string())),
    ];
    let node = (0u16..0o10000, any::<u32>(), any::<u32>(), kind)
        .prop_map(|(mode, uid, gid, kind)| Node { mode, uid, gid, kind });
    vec((path, node), 0..60).prop_map(build)
}

/// A tree of those nodes that fit together; the targets of hard links are chosen here.
fn build(nodes: Vec<(String, Node)>) -> Tree {
    let mut tree = Tree::new();
    let mut links = Vec::new();
    for (path, node) in nodes {
        match &node.kind {
            Kind::Hardlink(n) => links.push((path, n.parse::<usize>().unwrap())),
            _ => drop(tree.insert(&path, node)),
        }
    }
    let is_file = |n: &Node| matches!(n.kind, Kind::File(_));
    let files: Vec<String> =
        tree.iter().filter(|(_, n)| is_file(n)).map(|(p, _)| p.to_owned()).collect();
    for (path, n) in links {
        if let Some(to) = files.get(n % files.len().max(1))
            && tree.get(&path).is_none()
        {
            let node = Node { kind: Kind::Hardlink(to.clone()), ..Node::file(0, "") };
            drop(tree.insert(&path, node));
        }
    }
    tree
}
