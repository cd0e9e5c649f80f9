//! Other programs say the same.

use bundle::Bundle;

use crate::image::Files;
use crate::{all_bytes, bundle, bytes, everything, key, run};

/// A file with these bytes.
fn named(bytes: &[u8]) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    file
}

#[test]
fn digest_and_tree_are_those_of_fsverity() {
    // One level, two levels with a last block that is full, two with one hash in it, three.
    for blocks in [1, 125, 126, 127, 300, 128 * 128 - 3, 128 * 128 + 1] {
        let file = bundle(&Files::new().file("data", bytes(blocks * 4096)), &[key(1)]);
        let all = all_bytes(&file);
        let bundle = Bundle::open(&all).unwrap();
        bundle.check().unwrap();
        let content = usize::try_from(bundle.content().length()).unwrap();
        let (stored, tree) = (named(&all[..content]), named(b""));
        let out = format!("--out-merkle-tree={}", tree.path().display());
        let said = run("fsverity", &["digest", "--compact", &out, stored.path().to_str().unwrap()]);
        assert_eq!(said.trim(), bundle.digest().to_string(), "{blocks} blocks");
        let tree = std::fs::read(tree.path()).unwrap();
        assert!(tree == all[content..all.len() - 96], "{blocks} blocks: the tree");
    }
}

#[test]
fn fsck_finds_no_fault_in_the_image_of_a_bundle_as_it_is() {
    let file = named(&all_bytes(&bundle(&everything(), &[key(1)])));
    run("fsck.erofs", &[file.path().to_str().unwrap()]);
}

#[test]
#[ignore = "needs root, and a Linux (6.12 or later) that mounts EROFS from a file"]
fn linux_mounts_a_bundle_as_it_is() {
    let file = named(&all_bytes(&bundle(&everything(), &[key(1)])));
    let at = tempfile::tempdir().unwrap();
    let (path, at) = (file.path().to_str().unwrap(), at.path());
    run("mount", &["-t", "erofs", path, at.to_str().unwrap()]);
    let read = std::panic::catch_unwind(|| {
        assert_eq!(std::fs::read(at.join("share/again")).unwrap(), bytes(9000));
        assert_eq!(std::fs::read(at.join("bin/notes")).unwrap(), b"#!/usr/bin/python3\n");
        assert_eq!(std::fs::read_dir(at.join("many")).unwrap().count(), 200);
    });
    run("umount", &[at.to_str().unwrap()]);
    read.unwrap();
}
