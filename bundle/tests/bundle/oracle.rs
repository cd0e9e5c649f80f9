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

/// The case in a machine, where the kernel says what it measures.
const CASE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/cases/bundle-sealed");

/// Set, the content of the case is written anew.
const UPDATE: &str = "BUNDLE_UPDATE";

#[test]
fn the_content_that_a_machine_measures_is_what_we_write_and_its_digest_is_what_we_compute() {
    let files = Files::new().file("good/said", "all is well\n").file("large", [b'H'; 12_288]);
    let file = bundle(&files, &[]);
    let (bundle, mut content) = (Bundle::open(&file).unwrap(), Vec::new());
    bundle.copy(&mut content).unwrap();
    let path = format!("{CASE}/notes.content");
    if std::env::var_os(UPDATE).is_some() {
        std::fs::write(&path, &content).unwrap();
    }
    let stored = std::fs::read(&path).unwrap_or_default();
    assert!(stored == content, "{path} is of another version: set {UPDATE}");
    let case = std::fs::read_to_string(format!("{CASE}/case.toml")).unwrap();
    let digest = bundle.digest().to_string();
    assert_eq!(case.matches(&digest).count(), 2, "{digest} is what it measures");
}
