//! EROFS: what is written is what Linux and erofs-utils read.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use image_builder::tree::{Kind, Node, Tree};
use image_builder::write::{compressed, content_uuid, erofs};
use proptest::prelude::*;

use crate::erofs_reader::{Found, Image};
use crate::trees::{self, TIME};
use crate::{output, run};

fn volume() -> erofs::Volume {
    erofs::Volume { uuid: content_uuid("root", &[1; 32]), label: "root".to_owned(), time: TIME }
}

fn image(tree: &Tree) -> Vec<u8> {
    let mut bytes = Vec::new();
    let len = erofs::stream(tree, &volume(), &mut bytes).unwrap();
    assert_eq!(len, u64::try_from(bytes.len()).unwrap());
    bytes
}

/// `found` is `tree`, hard links and all.
fn assert_same(tree: &Tree, found: &BTreeMap<String, Found>) {
    let entries = tree.entries().unwrap();
    assert_eq!(found.len(), entries.len());
    for entry in &entries {
        let (path, f) = (entry.path, &found[entry.path]);
        let (is, want) = (&f.node, entry.node);
        assert_eq!((is.mode, is.uid, is.gid), (want.mode, want.uid, want.gid), "{path}");
        match (&is.kind, &want.kind) {
            (Kind::File(a), Kind::File(b)) => assert_eq!(a.read().unwrap(), b.read().unwrap()),
            (a, b) => assert_eq!(format!("{a:?}"), format!("{b:?}"), "{path}"),
        }
        assert_eq!(f.time, u64::from(TIME), "{path}");
        let first = &found[entries[entry.first].path];
        assert_eq!(first.ino, f.ino, "{path}: one inode for all names");
        let is_dir = |e: &&image_builder::tree::Entry<'_>| matches!(e.node.kind, Kind::Directory);
        let links = match want.kind {
            Kind::Directory => {
                let below = |e: &&image_builder::tree::Entry<'_>| {
                    !e.path.is_empty() && entries[e.parent].path == path
                };
                2 + u32::try_from(entries.iter().filter(is_dir).filter(below).count()).unwrap()
            }
            _ => entry.names,
        };
        assert_eq!(f.links, links, "{path}: links");
    }
}

proptest! {
    #[test]
    fn every_tree_is_read_back_as_it_was_and_written_the_same_way_twice(tree in trees::random()) {
        let bytes = image(&tree);
        assert_same(&tree, &Image::read(&bytes));
        prop_assert_eq!(bytes, image(&tree));
    }
}

#[test]
fn a_tree_with_everything_is_read_back_and_fsck_finds_no_fault() {
    let dir = tempfile::tempdir().unwrap();
    let tree = trees::everything(dir.path());
    let path = dir.path().join("root.erofs");
    erofs::write(&tree, &volume(), &path).unwrap();
    assert_same(&tree, &Image::read(&fs::read(&path).unwrap()));
    run("fsck.erofs", [path.as_os_str()]);
    let said = run("dump.erofs", ["-s".as_ref(), path.as_os_str()]);
    assert!(said.contains(&volume().uuid.to_string()), "{said}");
}

#[test]
fn fsck_extracts_the_same_files() {
    let dir = tempfile::tempdir().unwrap();
    let mut tree = trees::everything(dir.path());
    // Version 1.5 extracts neither what needs root nor targets over one page.
    ["dev", "links/long", "private"].iter().for_each(|path| tree.remove(path));
    let (path, out) = (dir.path().join("root.erofs"), dir.path().join("out"));
    erofs::write(&tree, &volume(), &path).unwrap();
    run("fsck.erofs", [format!("--extract={}", out.display()), path.display().to_string()]);
    for entry in tree.entries().unwrap() {
        let real = out.join(entry.path);
        match &entry.node.kind {
            Kind::File(content) => {
                assert_eq!(fs::read(real).unwrap(), *content.read().unwrap(), "{}", entry.path);
            }
            Kind::Symlink(to) => assert_eq!(fs::read_link(real).unwrap(), Path::new(to)),
            _ => assert!(real.is_dir(), "{}", entry.path),
        }
    }
}

#[test]
#[ignore = "needs root, and a Linux (6.12 or later) that mounts EROFS from a file"]
fn linux_mounts_a_tree_with_everything_and_shows_it_all() {
    let dir = tempfile::tempdir().unwrap();
    let tree = trees::everything(dir.path());
    let (path, at) = (dir.path().join("root.erofs"), dir.path().join("mnt"));
    erofs::write(&tree, &volume(), &path).unwrap();
    fs::create_dir(&at).unwrap();
    run("mount", ["-t".as_ref(), "erofs".as_ref(), path.as_os_str(), at.as_os_str()]);
    let compared = std::panic::catch_unwind(|| {
        let entries = tree.entries().unwrap();
        for entry in &entries {
            assert_mounted(&at.join(entry.path), entry.node, entry.names);
        }
        let count = run("find", [at.as_os_str()]).matches(at.to_str().unwrap()).count();
        assert_eq!(count, entries.len());
        let ino = |p: &str| at.join(p).metadata().unwrap().ino();
        assert_eq!(ino("a-first-name"), ino("usr/bin/tool"));
    });
    run("umount", [at.as_os_str()]);
    compared.unwrap();
}

fn assert_mounted(real: &Path, node: &Node, names: u32) {
    let name = real.display();
    let meta = fs::symlink_metadata(real).unwrap();
    assert_eq!((meta.uid(), meta.gid()), (node.uid, node.gid), "{name}");
    assert_eq!(meta.mode() & 0o7777, u32::from(node.mode), "{name}");
    assert_eq!(meta.mtime(), i64::from(TIME), "{name}");
    match &node.kind {
        Kind::File(content) => {
            assert_eq!(fs::read(real).unwrap(), *content.read().unwrap(), "{name}");
            assert_eq!(meta.nlink(), u64::from(names), "{name}");
        }
        Kind::Symlink(to) => assert_eq!(fs::read_link(real).unwrap(), Path::new(to), "{name}"),
        Kind::Device { block, major, minor } => {
            assert_eq!(meta.file_type().is_block_device(), *block, "{name}");
            let (major, minor) = (u64::from(*major), u64::from(*minor));
            assert_eq!(meta.rdev(), (minor & 0xff) | (major << 8) | ((minor & !0xff) << 12));
        }
        Kind::Directory | Kind::Hardlink(_) => assert!(meta.is_dir(), "{name}"),
    }
}

#[test]
fn what_erofs_cannot_hold_is_refused_with_the_reason() {
    let mut tree = Tree::new();
    let kind = Kind::Device { block: false, major: 5000, minor: 1 };
    tree.insert("dev/x", Node { kind, ..Node::file(0o600, "") }).unwrap();
    let error = erofs::stream(&tree, &volume(), Vec::new()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the device dev/x has number 5000:1: Linux has up to 4095:1048575"
    );

    let mut tree = Tree::new();
    let kind = Kind::Hardlink("usr/bin/gone".to_owned());
    tree.insert("usr/bin/x", Node { kind, ..Node::file(0o600, "") }).unwrap();
    let error = erofs::stream(&tree, &volume(), Vec::new()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`usr/bin/x`: a hard link that leads to no file: put the file it names into the image"
    );
}

#[test]
fn a_failed_write_leaves_the_old_image_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("root.erofs");
    fs::write(&path, "old").unwrap();
    let tree = trees::everything(dir.path());
    fs::write(dir.path().join("host-file"), "shorter now").unwrap();
    let error = erofs::write(&tree, &volume(), &path).unwrap_err();
    assert!(format!("{error:#}").contains("it changed after it was read first"), "{error:#}");
    assert_eq!(fs::read(&path).unwrap(), b"old");
    assert!(!dir.path().join("root.erofs.partial").exists());
}

#[test]
fn compressing_with_a_program_that_is_too_old_says_what_is_needed() {
    let dir = tempfile::tempdir().unwrap();
    let old = dir.path().join("mkfs.erofs");
    fs::write(&old, "#!/bin/sh\necho mkfs.erofs 1.5\nexit 1\n").unwrap();
    run("chmod", ["755".as_ref(), old.as_os_str()]);
    let mkfs = compressed::Mkfs::new(&old);
    let out = dir.path().join("root.erofs");
    let error = compressed::write(&Tree::new(), &volume(), compressed::Algorithm::Lz4, &mkfs, &out);
    let text = error.unwrap_err().to_string().replace(old.to_str().unwrap(), "mkfs.erofs");
    assert_eq!(
        text,
        "mkfs.erofs is erofs-utils 1.5, and compressing takes 1.7 or later: Debian trixie has it; \
         or build without `compression`"
    );
    assert!(!out.exists());
}

/// Set `ENSEMBLE_MKFS_EROFS` to a new `mkfs.erofs`; a host with one uses that.
#[test]
#[ignore = "needs mkfs.erofs 1.7 or later: in PATH, or named by ENSEMBLE_MKFS_EROFS"]
fn a_compressed_tree_is_smaller_the_same_twice_and_without_fault() {
    let dir = tempfile::tempdir().unwrap();
    let mut tree = trees::everything(dir.path());
    tree.insert("big", Node::file(0o644, trees::bytes(3_000_000))).unwrap();
    let program = std::env::var_os("ENSEMBLE_MKFS_EROFS").unwrap_or_else(|| "mkfs.erofs".into());
    let mkfs = compressed::Mkfs::new(program);
    for algorithm in [compressed::Algorithm::Lz4, compressed::Algorithm::Lz4hc] {
        let (a, b) = (dir.path().join("a"), dir.path().join("b"));
        let len = compressed::write(&tree, &volume(), algorithm, &mkfs, &a).unwrap();
        compressed::write(&tree, &volume(), algorithm, &mkfs, &b).unwrap();
        assert_eq!(fs::read(&a).unwrap(), fs::read(&b).unwrap(), "{algorithm:?}");
        assert!(len < u64::try_from(image(&tree).len()).unwrap() / 2, "{algorithm:?}: {len}");
        let out = output("fsck.erofs", [a.as_os_str()]);
        assert!(out.status.success(), "{out:?}");
    }
}
