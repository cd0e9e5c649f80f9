//! Stories about package files, good and hostile.

use std::fs;
use std::io::Write;

use proptest::prelude::*;
use tar::EntryType;

use super::super::assemble::assemble;
use super::super::fixture::{Item, cache, deb, put, tar};
use super::{Package, open, unpack};
use crate::tree::{Kind, Tree};

const CONTROL: &str = "Package: demo\nVersion: 1\n";

fn package(items: &[Item<'_>]) -> Result<Package, String> {
    named("demo", CONTROL, items)
}

/// The files of the package are read from a cache that stays for the test's process.
fn named(name: &str, control: &str, items: &[Item<'_>]) -> Result<Package, String> {
    let (directory, cache) = cache();
    let locked = put(&cache, name, "1", &deb(control, "data.tar", &tar(items)));
    let _kept = directory.keep();
    unpack(&cache, &locked).and_then(|()| open(&cache, &locked)).map_err(|e| format!("{e:#}"))
}

fn lines(tree: &Tree) -> Vec<String> {
    let line = |(path, node): (&str, &crate::tree::Node)| match &node.kind {
        Kind::Directory => None,
        Kind::File(content) => {
            Some(format!("{path} = {}", String::from_utf8_lossy(&content.read().unwrap()).trim()))
        }
        Kind::Symlink(to) => Some(format!("{path} -> {to}")),
        Kind::Hardlink(to) => Some(format!("{path} => {to}")),
        Kind::Device { .. } => Some(format!("{path} device")),
    };
    tree.iter().filter_map(line).collect()
}

#[test]
fn a_package_becomes_files_below_usr_without_its_manuals() {
    let demo = package(&[
        Item::Dir("./"),
        Item::Dir("./bin/"),
        Item::File("./bin/demo", b"program"),
        Item::Hardlink("./bin/demo2", "./bin/demo"),
        Item::Symlink("./usr/bin/d", "demo"),
        Item::File("./usr/share/doc/demo/copyright", b"free"),
        Item::File("./usr/share/documents", b"kept"),
        Item::Symlink("./lib64", "usr/lib64"),
        Item::File("./lib64/ld.so", b"elf"),
    ]);
    let tree = assemble(&[demo.unwrap()]).unwrap();
    assert_eq!(
        lines(&tree),
        [
            "bin -> usr/bin",
            "lib -> usr/lib",
            "lib64 -> usr/lib64",
            "sbin -> usr/sbin",
            "usr/bin/d -> demo",
            "usr/bin/demo = program",
            "usr/bin/demo2 => usr/bin/demo",
            "usr/lib64/ld.so = elf",
            "usr/share/documents = kept",
            "usr/share/ensemble/packages = demo 1",
        ]
    );
}

#[test]
fn every_compression_of_debian_is_read() {
    let data = tar(&[Item::File("./usr/x", &b"hello ".repeat(1000))]);
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gz.write_all(&data).unwrap();
    let mut xz = liblzma::write::XzEncoder::new(Vec::new(), 0);
    xz.write_all(&data).unwrap();
    let zst =
        ruzstd::encoding::compress_to_vec(&data[..], ruzstd::encoding::CompressionLevel::Fastest);
    let parts = [
        ("data.tar", data.clone()),
        ("data.tar.gz", gz.finish().unwrap()),
        ("data.tar.xz", xz.finish().unwrap()),
        ("data.tar.zst", zst),
    ];
    for (name, part) in parts {
        let (_directory, cache) = cache();
        let locked = put(&cache, "demo", "1", &deb(CONTROL, name, &part));
        unpack(&cache, &locked).unwrap();
        assert_eq!(fs::read(cache.unpacked(&locked)).unwrap(), data, "{name}");
    }
}

#[test]
fn hostile_entries_are_refused_by_name() {
    for (items, why) in [
        (&[Item::File("../etc/passwd", b"")][..], "`../etc/passwd`: a path with `.`, `..`"),
        (&[Item::File("./usr/../../x", b"")], "a path with `.`, `..`"),
        (&[Item::File("/etc/passwd", b"")], "`/etc/passwd`: an absolute path"),
        (&[Item::Other("./dev/sda", EntryType::Block)], "`./dev/sda`: an entry of type Block"),
        (&[Item::Other("./pipe", EntryType::Fifo)], "an entry of type Fifo"),
        (
            &[Item::Hardlink("./a", "./b"), Item::Hardlink("./b", "./a")],
            "`a` is a hard link to `b`, which is no file",
        ),
        (&[Item::Hardlink("./a", "../../etc/shadow")], "a path with `.`, `..`"),
        (&[Item::Symlink("./a", "")], "a link without a target"),
    ] {
        let error = package(items).unwrap_err();
        assert!(error.contains(why), "{error}\nshould have: {why}");
    }
}

#[test]
fn a_file_that_leads_through_a_link_is_refused() {
    let demo = package(&[Item::Symlink("./etc", "/tmp"), Item::File("./etc/x", b"")]).unwrap();
    let error = format!("{:#}", assemble(&[demo]).unwrap_err());
    assert_eq!(
        error,
        "package `demo`: `etc/x`: it leads through something that is not a directory"
    );
}

#[test]
fn an_entry_longer_than_its_archive_is_refused() {
    let mut data = tar(&[Item::File("./x", b"12345")]);
    data.truncate(512);
    let (_directory, cache) = cache();
    let locked = put(&cache, "demo", "1", &deb(CONTROL, "data.tar", &data));
    unpack(&cache, &locked).unwrap();
    let error = format!("{:#}", open(&cache, &locked).unwrap_err());
    assert!(error.ends_with("`./x`: its 5 bytes are more than the archive has"), "{error}");
}

#[test]
fn a_package_that_is_not_the_one_of_the_lock_is_never_unpacked() {
    let (_directory, cache) = cache();
    let locked = put(&cache, "demo", "1", &deb(CONTROL, "data.tar", &tar(&[])));
    fs::write(cache.deb(&locked), b"other").unwrap();
    let error = format!("{:#}", unpack(&cache, &locked).unwrap_err());
    assert!(error.contains("not that of the lock: remove it"), "{error}");
    fs::remove_file(cache.deb(&locked)).unwrap();
    let error = format!("{:#}", unpack(&cache, &locked).unwrap_err());
    assert!(error.starts_with("unpacking demo 1 ("), "{error}");
    assert!(!cache.unpacked(&locked).exists());
}

#[test]
fn two_packages_may_not_bring_different_files_to_one_path() {
    let a =
        named("a", "Package: a", &[Item::File("./etc/x", b"1"), Item::File("./etc/same", b"s")])
            .unwrap();
    let b =
        named("b", "Package: b", &[Item::File("./etc/x", b"2"), Item::File("./etc/same", b"s")])
            .unwrap();
    let error = format!("{:#}", assemble(&[a.clone(), b]).unwrap_err());
    assert!(error.starts_with("both `a` and `b` bring `etc/x`"), "{error}");

    let b = named(
        "b",
        "Package: b\nReplaces: z,\n a (<< 2)\nSection: x",
        &[Item::File("./etc/x", b"2")],
    )
    .unwrap();
    for order in [[a.clone(), b.clone()], [b, a]] {
        assert!(lines(&assemble(&order).unwrap()).contains(&"etc/x = 2".to_owned()));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_damaged_package_is_an_error_or_a_package_never_worse(at in 0_usize..3000, byte: u8) {
        let mut bytes = deb(CONTROL, "data.tar", &tar(&[Item::File("./usr/x", b"1"), Item::Symlink("./y", "x")]));
        let at = at % bytes.len();
        bytes[at] = byte;
        let (_directory, cache) = cache();
        let locked = put(&cache, "demo", "1", &bytes);
        if unpack(&cache, &locked).is_ok() && let Ok(package) = open(&cache, &locked) {
            let _ = assemble(&[package]);
        }
    }
}
