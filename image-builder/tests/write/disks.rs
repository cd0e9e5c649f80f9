//! ext4, FAT and GPT: the checkers of the host find no fault, and sizes cost nothing.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use image_builder::tree::{Kind, Node, Tree};
use image_builder::write::disk::{self, Disk, Partition, Source};
use image_builder::write::{content_uuid, ext4, fat};
use proptest::prelude::*;

use crate::run;
use crate::trees::{self, TIME};

const MIB: u64 = 1 << 20;

fn state(size: u64) -> ext4::Volume {
    let uuid = content_uuid("state", &[2; 32]);
    ext4::Volume { uuid, label: "state".to_owned(), time: TIME, size }
}

fn boot(size: u64) -> fat::Volume {
    fat::Volume { label: "BOOT".to_owned(), serial: 0x1234_abcd, size }
}

/// Writes twice, and the files are the same.
fn twice(dir: &Path, write: impl Fn(&Path)) -> std::path::PathBuf {
    let (a, b) = (dir.join("a.img"), dir.join("b.img"));
    write(&a);
    write(&b);
    assert!(fs::read(&a).unwrap() == fs::read(&b).unwrap(), "two runs differ");
    a
}

#[test]
fn e2fsck_finds_no_fault_in_a_state_volume_with_everything() {
    let dir = tempfile::tempdir().unwrap();
    let tree = trees::everything(dir.path());
    let image = twice(dir.path(), |p| ext4::write(&tree, &state(64 * MIB), p).unwrap());
    run("e2fsck", ["-fn".as_ref(), image.as_os_str()]);
    for (path, mode) in [("/usr/bin/tool", "04755"), ("/tmp", "01777"), ("/private", "0500")] {
        let ask = format!("stat {path}");
        let said = run("debugfs", ["-R".as_ref(), ask.as_ref(), image.as_os_str()]);
        assert!(said.contains(&format!("Mode:  {mode}")), "{said}");
    }
    let out = dir.path().join("out");
    let ask = format!("dump /sizes/300000 {}", out.display());
    run("debugfs", ["-R".as_ref(), ask.as_ref(), image.as_os_str()]);
    assert_eq!(fs::read(out).unwrap(), trees::bytes(300_000));
}

#[test]
fn quotas_of_projects_are_on_and_count_what_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let mut many = Tree::new();
    // So many names that the directory is hashed.
    for i in 0..3000 {
        many.insert(&format!("a-file-of-many-with-a-long-name-{i}"), Node::file(0o644, "x"))
            .unwrap();
    }
    for (tree, size) in [(trees::everything(dir.path()), 64), (many, 1024), (Tree::new(), 16)] {
        let path = dir.path().join("state.img");
        ext4::write(&tree, &state(size * MIB), &path).unwrap();
        let told = run("dumpe2fs", ["-h".as_ref(), path.as_os_str()]);
        assert!(told.contains(" quota ") && told.contains(" project"), "{told}");
        assert!(told.contains("Project quota inode:"), "{told}");
        assert!(told.contains(" verity"), "files can be sealed: {told}");
        assert!(told.contains(" encrypt"), "directories can be encrypted: {told}");
        let listed = run("debugfs", ["-R".as_ref(), "ls -p".as_ref(), path.as_os_str()]);
        assert!(!listed.contains("quota"), "{listed}");
        // Wrong counts are told, but are no fault to it.
        let said = run("e2fsck", ["-fn".as_ref(), path.as_os_str()]);
        assert!(!said.contains("QUOTA"), "{said}");
    }
}

#[test]
fn an_empty_state_volume_takes_little_of_the_host_whatever_its_size() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state.img");
    ext4::write(&Tree::new(), &state(4096 * MIB), &path).unwrap();
    let meta = fs::metadata(&path).unwrap();
    assert_eq!(meta.len(), 4096 * MIB);
    assert!(meta.blocks() * 512 < 16 * MIB, "{} bytes", meta.blocks() * 512);
    run("e2fsck", ["-fn".as_ref(), path.as_os_str()]);
}

#[test]
fn files_that_do_not_fit_are_an_error_with_the_size() {
    let dir = tempfile::tempdir().unwrap();
    let mut tree = Tree::new();
    tree.insert("big", Node::file(0o644, trees::bytes(9_000_000))).unwrap();
    let error = ext4::write(&tree, &state(8 * MIB), &dir.path().join("x")).unwrap_err();
    assert!(format!("{error:#}").contains("do not fit into 8 MiB"), "{error:#}");
    let error = fat::write(&tree, &boot(16 * MIB), &dir.path().join("x"));
    error.unwrap();
    tree.insert("big2", Node::file(0o644, trees::bytes(9_000_000))).unwrap();
    let error = fat::write(&tree, &boot(16 * MIB), &dir.path().join("x")).unwrap_err();
    assert!(format!("{error:#}").contains("big2 into the volume: is it full?"), "{error:#}");
}

fn boot_tree() -> Tree {
    let mut tree = Tree::new();
    let mut add =
        |path: &str, len| tree.insert(path, Node::file(0o644, trees::bytes(len))).unwrap();
    add("vmlinuz", 8_000_000);
    add("initrd.img", 3_000_001);
    add("EFI/BOOT/BOOTX64.EFI", 100_000);
    add("empty.txt", 0);
    add("a name of many words.conf", 10);
    add("overlays/vc4-kms-v3d.dtbo", 4096);
    for i in 0..40 {
        add(&format!("overlays/some-long-overlay-name-{i}.dtbo"), 1000 + i);
    }
    tree
}

#[test]
fn fsck_vfat_finds_no_fault_and_mtools_read_the_files() {
    for size in [16 * MIB, 64 * MIB, 512 * MIB] {
        let dir = tempfile::tempdir().unwrap();
        let tree = boot_tree();
        let image = twice(dir.path(), |p| fat::write(&tree, &boot(size), p).unwrap());
        let said = run("fsck.vfat", ["-nv".as_ref(), image.as_os_str()]);
        assert!(!said.contains("ifferences") && !said.contains("dirty"), "{said}");
        assert!(said.contains(if size < 512 * MIB { "16 bit" } else { "32 bit" }), "{said}");
        let image = image.to_str().unwrap();
        let listed = run("mdir", ["-i", image, "-s", "::"]);
        assert!(listed.contains("BOOT") && listed.contains("1234-ABCD"), "{listed}");
        for (path, node) in tree.iter() {
            if let Kind::File(content) = &node.kind {
                let out = dir.path().join("out");
                let from = format!("::{path}");
                run("mcopy", ["-n", "-o", "-i", image, &from, out.to_str().unwrap()]);
                assert!(fs::read(out).unwrap() == *content.read().unwrap(), "{path}");
            }
        }
    }
}

#[test]
fn a_link_on_a_boot_volume_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut tree = Tree::new();
    tree.insert("link", Node::symlink("x")).unwrap();
    let error = fat::write(&tree, &boot(16 * MIB), &dir.path().join("x")).unwrap_err();
    assert!(format!("{error:#}").ends_with("link is a link or a device, which FAT does not have"));
}

fn partition(name: &str, kind: uuid::Uuid, size: u64, source: Source) -> Partition {
    let guid = content_uuid(name, &[3; 32]);
    Partition { name: name.to_owned(), kind, guid, size, source }
}

#[test]
fn sfdisk_reads_the_disk_of_a_device_and_each_partition_holds_what_was_given() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("root.img");
    let mut bytes = trees::bytes(3_000_000);
    bytes.extend(vec![0; 1_000_000]);
    bytes.extend(trees::bytes(12_345));
    fs::write(&root, &bytes).unwrap();
    let volume = state(64 * MIB);
    let tree = trees::everything(dir.path());
    let device = Disk {
        guid: content_uuid("disk", &[3; 32]),
        partitions: vec![
            partition("boot", disk::kind::BOOT, 64 * MIB, Source::Empty),
            partition("bootctl", disk::kind::BOOTCTL, 8192, Source::Bytes(vec![7; 8192])),
            partition("root-a", disk::kind::ROOT_X86_64, 5_000_000, Source::File(root)),
            partition("root-b", disk::kind::ROOT_X86_64, 2048 * MIB, Source::Empty),
            partition("state", disk::kind::DATA, 64 * MIB, Source::Ext4 { volume, tree }),
        ],
    };
    let path = dir.path().join("disk.img");
    let len = disk::write(&device, &path).unwrap();
    assert_eq!(len, (1 + 64 + 1 + 5 + 2048 + 64 + 1) * MIB);
    assert!(fs::metadata(&path).unwrap().blocks() * 512 < 32 * MIB);

    let said = run("sfdisk", ["-d".as_ref(), path.as_os_str()]);
    for line in [
        "start=        2048, size=      131072, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B",
        "start=      133120, size=        2048, type=6F48D0A5-2E3B-8C57-9A41-656E73626374",
        "start=      135168, size=       10240, type=4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709",
        "start=     4339712, size=      131072, type=0FC63DAF-8483-4772-8E79-3D69D8477DE4",
        "name=\"root-b\"",
    ] {
        assert!(said.contains(line), "{line}\n{said}");
    }
    assert!(said.to_lowercase().contains(&device.guid.to_string()), "{said}");
    let checked = run("sgdisk", ["-v".as_ref(), path.as_os_str()]);
    assert!(checked.contains("No problems found"), "{checked}");

    let at = |sectors: u64, len: usize| {
        use std::os::unix::fs::FileExt;
        let mut part = vec![0; len];
        fs::File::open(&path).unwrap().read_exact_at(&mut part, sectors * 512).unwrap();
        part
    };
    assert!(at(133_120, 8192) == vec![7; 8192]);
    assert!(at(135_168, bytes.len()) == bytes);
    let state = dir.path().join("state.img");
    fs::write(&state, at(4_339_712, 64 << 20)).unwrap();
    run("e2fsck", ["-fn".as_ref(), state.as_os_str()]);
}

#[test]
fn what_is_larger_than_its_partition_is_refused_before_anything_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let part = partition("bootctl", disk::kind::BOOTCTL, 10, Source::Bytes(vec![7; 11]));
    let device = Disk { guid: content_uuid("disk", &[3; 32]), partitions: vec![part] };
    let error = disk::write(&device, &dir.path().join("disk.img")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "11 bytes do not fit into the partition bootctl of 10: make it larger in [storage]"
    );
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn e2fsck_finds_no_fault_in_any_tree(tree in trees::random()) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state.img");
        ext4::write(&tree, &state(16 * MIB), &path).unwrap();
        run("e2fsck", ["-fn".as_ref(), path.as_os_str()]);
    }
}
