use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::device::{Bench, PLAIN, TRUST, id, key, wanted};
use crate::store::{Integrity, Refusal};

const ID: &str = "org.example.notes";

fn installed(bench: &Bench) -> crate::store::Store {
    let mut store = bench.open();
    bench.install(&mut store, &wanted(ID, 1), TRUST).unwrap();
    store
}

#[test]
fn a_bundle_is_mounted_once_as_it_is_and_unmounted_when_it_changes() {
    let bench = Bench::new();
    let mut store = installed(&bench);
    let enrolled = store.enrol(&id(ID)).unwrap();
    assert_eq!(enrolled.uid, 10_000);
    assert_eq!(enrolled.mounting.run(), Ok(Integrity::Mounted));
    assert_eq!(store.enrol(&id(ID)).unwrap().mounting.run(), Ok(Integrity::Mounted));
    let held = store.get(&id(ID)).unwrap();
    assert_eq!(bench.table.source(&enrolled.at).as_ref(), Some(&held.file));
    bench.install(&mut store, &wanted(ID, 2), PLAIN).unwrap();
    assert_eq!(bench.table.source(&enrolled.at), None);
    for class in ["el1", "el2"] {
        let mode = fs::metadata(enrolled.data.join(class)).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o700);
    }
}

#[test]
fn what_is_in_use_is_not_replaced() {
    let mut bench = Bench::new();
    bench.table.busy = true;
    let mut store = installed(&bench);
    store.enrol(&id(ID)).unwrap().mounting.run().unwrap();
    let before = store.generation().clone();
    let why = bench.install(&mut store, &wanted(ID, 2), PLAIN).unwrap_err();
    assert!(why.text().starts_with("unmounting "), "{why}");
    assert!(store.remove(&id(ID), false).is_err());
    assert_eq!(*store.generation(), before);
}

#[test]
fn what_was_mounted_of_a_version_that_went_makes_room() {
    for no_images in [false, true] {
        let mut bench = Bench::new();
        bench.table.no_images = no_images;
        let mut store = installed(&bench);
        let late = store.enrol(&id(ID)).unwrap();
        bench.install(&mut store, &wanted(ID, 2), PLAIN).unwrap();
        let now = store.enrol(&id(ID)).unwrap();
        // The file is garbage, and still open for whoever looks at it.
        fs::write(store.get(&id(ID)).unwrap().file.with_file_name("old.content"), "").unwrap();
        let old = bench.places.bundles.join("old.content");
        let table: &dyn crate::store::Mounts = &bench.table;
        fs::create_dir_all(&late.at).unwrap();
        match no_images {
            false => table.image(&old, &late.at).unwrap(),
            true => table.tree(&bench.places.data, &late.at).unwrap(),
        }
        let expected = if no_images { Integrity::Unpacked } else { Integrity::Mounted };
        assert_eq!(now.mounting.run(), Ok(expected));
        let source = bench.table.source(&now.at).unwrap();
        assert!(source.starts_with(&bench.places.bundles) && source != old);
    }
}

#[test]
fn with_fs_verity_the_kernel_vouches_and_nothing_is_read() {
    let mut bench = Bench::new();
    bench.plug.verity = true;
    let mut store = installed(&bench);
    let enrolled = store.enrol(&id(ID)).unwrap();
    assert_eq!(enrolled.mounting.run(), Ok(Integrity::Kernel));
    assert_eq!(store.enrol(&id(ID)).unwrap().mounting.run(), Ok(Integrity::Kernel));
}

#[test]
fn a_file_that_was_changed_or_a_signature_of_somebody_else_is_not_mounted() {
    let bench = Bench::new();
    let mut store = installed(&bench);
    let enrolled = store.enrol(&id(ID)).unwrap();
    let held = store.get(&id(ID)).unwrap();
    let signature = held.file.with_extension("signature");
    let (good, content) = (fs::read(&signature).unwrap(), fs::read(&held.file).unwrap());
    let put = |path, bytes: &[u8]| {
        fs::remove_file(path).unwrap();
        fs::write(path, bytes).unwrap();
    };
    put(&signature, &[0; 96]);
    let why = enrolled.mounting.run().unwrap_err();
    assert_eq!(
        why.text(),
        "org.example.notes can't be used: its signature is not by the key it is of: install it again"
    );
    put(&signature, &good);
    let mut spoilt = content.clone();
    *spoilt.iter_mut().find(|byte| **byte == b'#').unwrap() = b'!';
    put(&held.file, &spoilt);
    assert!(matches!(enrolled.mounting.run(), Err(Refusal::Invalid(_))));
    put(&held.file, &content);
    assert_eq!(enrolled.mounting.run(), Ok(Integrity::Mounted));
    assert_eq!(store.get(&id(ID)).unwrap().key, Some(key(1)));
}

#[test]
fn where_no_image_can_be_mounted_it_is_unpacked_without_write_bits_and_collected_with_it() {
    let mut bench = Bench::new();
    bench.table.no_images = true;
    let mut store = installed(&bench);
    let enrolled = store.enrol(&id(ID)).unwrap();
    assert_eq!(enrolled.mounting.run(), Ok(Integrity::Unpacked));
    let tree = bench.table.source(&enrolled.at).unwrap();
    assert_eq!(fs::read_to_string(tree.join("bin/run")).unwrap(), "#!/bin/sh\necho 1\n");
    assert_eq!(fs::read_link(tree.join("doc/run")).unwrap().to_str(), Some("../bin/run"));
    for path in ["", "bin", "bin/run"] {
        let mode = fs::metadata(tree.join(path)).unwrap().permissions().mode();
        assert_eq!(mode & 0o222, 0, "{path}");
    }
    bench.install(&mut store, &wanted(ID, 2), PLAIN).unwrap();
    assert!(!tree.exists());
}

#[test]
fn what_the_image_brought_gets_a_user_when_it_is_first_started() {
    let bench = Bench::new();
    bench.ship(&wanted(ID, 1).by(&[]));
    let mut store = bench.open();
    assert_eq!(store.uid(&id(ID)), None);
    let enrolled = store.enrol(&id(ID)).unwrap();
    assert_eq!((enrolled.uid, enrolled.mounting.run()), (10_000, Ok(Integrity::Image)));
    assert_eq!(bench.open().uid(&id(ID)), Some(10_000));
}
