//! tar, cpio, OCI archives and directories: other programs find in them what the tree holds.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Stdio};

use image_builder::tree::{Kind, Node, Tree};
use image_builder::write::{cpio, oci, tar, unpack};
use proptest::prelude::*;

use crate::run;
use crate::trees::{self, TIME};

fn is_root() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}

/// The directory holds the tree, except for `missing`.
fn assert_same(tree: &Tree, dir: &Path, missing: &[&str]) {
    let entries = tree.entries().unwrap();
    for entry in &entries {
        let (name, node) = (entry.path, entry.node);
        if missing.contains(&name) {
            continue;
        }
        let real = dir.join(name);
        let meta = fs::symlink_metadata(&real).unwrap();
        match &node.kind {
            Kind::File(content) => {
                assert_eq!(fs::read(&real).unwrap(), *content.read().unwrap(), "{name}");
                assert_eq!(meta.nlink(), u64::from(entry.names), "{name}");
                let first = fs::metadata(dir.join(entries[entry.first].path)).unwrap();
                assert_eq!(meta.ino(), first.ino(), "{name}");
            }
            Kind::Symlink(to) => assert_eq!(fs::read_link(&real).unwrap(), Path::new(to), "{name}"),
            Kind::Directory => assert!(meta.is_dir(), "{name}"),
            Kind::Device { .. } | Kind::Hardlink(_) => {}
        }
        if !meta.is_symlink() {
            assert_eq!(meta.mode() & 0o7777, u32::from(node.mode), "{name}");
            assert_eq!(meta.mtime(), i64::from(TIME), "{name}");
        }
        if is_root() {
            assert_eq!((meta.uid(), meta.gid()), (node.uid, node.gid), "{name}");
        }
    }
}

/// A tree that any user can make on a host.
fn ordinary(dir: &Path) -> Tree {
    let mut tree = trees::everything(dir);
    tree.remove("dev");
    tree
}

#[test]
fn gnu_tar_extracts_the_tree() {
    let dir = tempfile::tempdir().unwrap();
    let tree = ordinary(dir.path());
    let (archive, out) = (dir.path().join("tree.tar"), dir.path().join("out"));
    tar::stream(&tree, TIME, fs::File::create(&archive).unwrap()).unwrap();
    fs::create_dir(&out).unwrap();
    let (archive, to) = (archive.to_str().unwrap(), out.to_str().unwrap());
    run("tar", ["-xpf", archive, "-C", to, "--numeric-owner"]);
    assert_same(&tree, &out, &[]);
    let listed = {
        let mut devices = Tree::new();
        let kind = Kind::Device { block: true, major: 254, minor: 300 };
        devices.insert("dev/vda", Node { kind, ..Node::file(0o660, "") }).unwrap();
        tar::stream(&devices, TIME, fs::File::create(archive).unwrap()).unwrap();
        run("tar", ["-tvf", archive])
    };
    assert!(listed.contains("brw-rw---- 0/0         254,300 "), "{listed}");
}

#[test]
fn gnu_cpio_extracts_the_tree() {
    let dir = tempfile::tempdir().unwrap();
    let tree = ordinary(dir.path());
    let (archive, out) = (dir.path().join("initramfs"), dir.path().join("out"));
    cpio::write(&tree, TIME, &archive).unwrap();
    fs::create_dir(&out).unwrap();
    let child = Command::new("cpio")
        .args(["-idm", "--quiet", "-D"])
        .arg(&out)
        .stdin(fs::File::open(&archive).unwrap())
        .stderr(Stdio::inherit())
        .status();
    assert!(child.expect("this test needs the program cpio").success());
    // As GNU cpio extracts the directory it stands in, later entries change that one's time.
    let is = |p: &str| fs::metadata(out.join(p)).unwrap();
    assert_eq!(is("usr/bin/tool").ino(), is("a-first-name").ino());
    for entry in tree.entries().unwrap() {
        let real = out.join(entry.path);
        match &entry.node.kind {
            Kind::File(content) => assert_eq!(fs::read(real).unwrap(), *content.read().unwrap()),
            Kind::Symlink(to) => assert_eq!(fs::read_link(real).unwrap(), Path::new(to)),
            _ => assert!(real.is_dir()),
        }
    }
}

#[test]
fn a_tree_becomes_a_directory_and_replaces_the_old_one_whole() {
    let dir = tempfile::tempdir().unwrap();
    let tree = trees::everything(dir.path());
    let root = dir.path().join("root");
    fs::create_dir_all(root.join("left/over")).unwrap();
    let report = unpack::to_directory(&tree, TIME, &root).unwrap();
    assert_eq!(report.devices, ["dev/null", "dev/vda"]);
    assert_eq!(report.owners.is_empty(), is_root());
    assert_same(&tree, &root, &["dev/null", "dev/vda"]);
    assert!(!root.join("left").exists());
    unpack::to_directory(&tree, TIME, &root).unwrap(); // over one with read-only directories
    let mut names: Vec<_> =
        fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["host-file", "root"]);
}

#[test]
fn links_that_lead_outside_are_made_and_never_followed() {
    let dir = tempfile::tempdir().unwrap();
    let outside = dir.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("file"), "untouched").unwrap();
    let root = dir.path().join("root");
    // Left by an attacker: a link where the new tree will be made.
    std::os::unix::fs::symlink(&outside, dir.path().join("root.partial")).unwrap();
    let mut tree = Tree::new();
    tree.insert("a", Node::symlink(outside.to_str().unwrap())).unwrap();
    tree.insert("b", Node::file(0o644, "inside")).unwrap();
    assert!(tree.insert("a/file", Node::file(0o644, "bad")).is_err());
    assert!(tree.insert("../x", Node::file(0o644, "bad")).is_err());
    unpack::to_directory(&tree, TIME, &root).unwrap();
    assert_eq!(fs::read(outside.join("file")).unwrap(), b"untouched");
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
    assert_eq!(fs::read(root.join("b")).unwrap(), b"inside");
}

fn config() -> oci::Config {
    oci::Config {
        name: "ensemble/phone:latest".to_owned(),
        architecture: "amd64".to_owned(),
        entrypoint: vec!["/usr/lib/ensemble/init".to_owned()],
        labels: BTreeMap::from([("form-factor".to_owned(), "phone".to_owned())]),
        stop_signal: "SIGTERM".to_owned(),
        time: TIME,
    }
}

#[test]
fn an_oci_archive_names_everything_in_it_by_its_digest_and_is_the_same_twice() {
    let dir = tempfile::tempdir().unwrap();
    let tree = ordinary(dir.path());
    let (a, b) = (dir.path().join("a.tar"), dir.path().join("b.tar"));
    oci::write(&tree, &config(), &a).unwrap();
    oci::write(&tree, &config(), &b).unwrap();
    assert!(fs::read(&a).unwrap() == fs::read(&b).unwrap());

    let out = dir.path().join("out");
    fs::create_dir(&out).unwrap();
    run("tar", ["-xf".as_ref(), a.as_os_str(), "-C".as_ref(), out.as_os_str()]);
    let mut layers = 0;
    for blob in fs::read_dir(out.join("blobs/sha256")).unwrap() {
        let blob = blob.unwrap().path();
        let sum = run("sha256sum", [blob.as_os_str()]);
        assert!(sum.starts_with(blob.file_name().unwrap().to_str().unwrap()), "{sum}");
        layers += usize::from(fs::metadata(&blob).unwrap().len() > 100_000);
    }
    assert_eq!(layers, 1);
    let index = fs::read_to_string(out.join("index.json")).unwrap();
    assert!(index.contains(r#""org.opencontainers.image.ref.name":"ensemble/phone:latest""#));

    let mut tree = Tree::new();
    tree.insert("etc/.wh.passwd", Node::file(0o644, "")).unwrap();
    let error = oci::write(&tree, &config(), &a).unwrap_err().to_string();
    assert_eq!(error, "etc/.wh.passwd: an OCI image cannot hold a name that begins with .wh.");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn cpio_and_tar_list_every_path_of_any_tree(tree in trees::random()) {
        let dir = tempfile::tempdir().unwrap();
        let archive = dir.path().join("x");
        tar::stream(&tree, TIME, fs::File::create(&archive).unwrap()).unwrap();
        let listed = run("tar", ["-tf".as_ref(), archive.as_os_str()]);
        let mut want: Vec<String> = tree
            .iter()
            .map(|(p, _)| match (p, tree.is_directory(p)) {
                ("", _) => "./".to_owned(),
                (p, true) => format!("{p}/"),
                (p, false) => p.to_owned(),
            })
            .collect();
        prop_assert_eq!(listed.lines().collect::<Vec<_>>(), want.iter().collect::<Vec<_>>());
        cpio::write(&tree, TIME, &archive).unwrap();
        let input = fs::File::open(&archive).unwrap();
        let listed = Command::new("cpio").args(["-t", "--quiet"]).stdin(input).output();
        let listed = listed.expect("this test needs the program cpio");
        want.iter_mut().for_each(|p| *p = p.trim_end_matches('/').to_owned());
        let listed = String::from_utf8(listed.stdout).unwrap();
        prop_assert_eq!(listed.lines().collect::<Vec<_>>(), want.iter().collect::<Vec<_>>());
    }
}
