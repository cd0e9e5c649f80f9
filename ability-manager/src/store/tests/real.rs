//! With the kernel's own mounts, and how long it all takes. For root, by hand:
//! `cargo test -p ability-manager --lib -- --ignored --nocapture store::tests::real`

use std::path::Path;
use std::time::SystemTime;
use std::{fs, io};

use super::device::{Bench, PLAIN, TRUST, id, wanted};
use crate::store::{Device, Integrity, Mounts, Seen, Store, disk, mounting};

/// The kernel's mounts, without images from files.
#[derive(Debug)]
struct Trees;

impl Mounts for Trees {
    fn image(&self, _file: &Path, _at: &Path) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn tree(&self, tree: &Path, at: &Path) -> io::Result<()> {
        mounting::Real.tree(tree, at)
    }

    fn layers(&self, name: &str, directories: [&Path; 2], at: &Path) -> io::Result<()> {
        mounting::Real.layers(name, directories, at)
    }

    fn unmount(&self, at: &Path) -> io::Result<()> {
        mounting::Real.unmount(at)
    }

    fn mounted(&self, at: &Path) -> io::Result<Option<Seen>> {
        mounting::Real.mounted(at)
    }
}

const ID: &str = "org.example.large";

#[test]
#[ignore = "it mounts, which takes root"]
#[expect(clippy::print_stdout, reason = "its numbers are what it is for")]
fn a_large_bundle_is_installed_mounted_and_unpacked() {
    let bench = Bench::on_disk();
    let device = || Device { architecture: "x86_64".into(), form_factor: None };
    let open = || {
        let (disk, mounts) = (Box::new(disk::Real), Box::new(mounting::Real));
        Store::open_on(bench.places.clone(), device(), disk, mounts).unwrap().0
    };
    let timed = |what: &str, work: &mut dyn FnMut()| {
        let begun = SystemTime::now();
        work();
        println!("{what}: {:?}", begun.elapsed().unwrap());
    };
    let text = "0123456789abcdef".repeat(4 << 20);
    let file = bench.file(&wanted(ID, 1).text(&text));
    let mut store = open();
    let mut prepared = None;
    timed("prepare 64 MiB", &mut || prepared = Some(store.intake().prepare(&file, TRUST).unwrap()));
    let mut prepared = prepared.take();
    timed("commit", &mut || drop(store.commit(prepared.take().unwrap(), 7).unwrap()));
    let enrolled = store.enrol(&id(ID)).unwrap();
    let run = enrolled.at.join("bin/run");
    timed("mount", &mut || assert_ne!(enrolled.mounting.run(), Ok(Integrity::Image)));
    timed("mounted", &mut || assert_ne!(enrolled.mounting.run(), Ok(Integrity::Image)));
    assert_eq!(fs::metadata(&run).unwrap().len(), 64 << 20);
    assert!(fs::write(&run, "").is_err());
    bench.writes(ID, "one");
    bench.install(&mut store, &wanted(ID, 2), PLAIN).unwrap();
    assert!(!run.exists());
    let enrolled = store.enrol(&id(ID)).unwrap();
    println!("{:?}", enrolled.mounting.run().unwrap());
    timed("rollback", &mut || drop(store.rollback(&id(ID), 8).unwrap()));
    timed("open", &mut || drop(open()));
    let mut store = open();
    store.remove(&id(ID), false).unwrap();
    assert!(bench.data().is_empty());
}

#[test]
#[ignore = "it mounts, which takes root"]
fn an_unpacked_bundle_is_bound_read_only_and_goes_with_it() {
    let bench = Bench::on_disk();
    let device = Device { architecture: "x86_64".into(), form_factor: None };
    let opened =
        Store::open_on(bench.places.clone(), device, Box::new(disk::Real), Box::new(Trees));
    let (mut store, _) = opened.unwrap();
    bench.install(&mut store, &wanted(ID, 1), TRUST).unwrap();
    let enrolled = store.enrol(&id(ID)).unwrap();
    assert_eq!(enrolled.mounting.run(), Ok(Integrity::Unpacked));
    assert_eq!(enrolled.mounting.run(), Ok(Integrity::Unpacked));
    let run = enrolled.at.join("bin/run");
    assert_eq!(fs::read_to_string(&run).unwrap(), "#!/bin/sh\necho 1\n");
    let refused = fs::write(&run, "").unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::ReadOnlyFilesystem);
    store.remove(&id(ID), false).unwrap();
    assert!(!run.exists());
    assert_eq!(bench.stored(), Vec::<String>::new());
}

#[test]
#[ignore = "its numbers are what it is for"]
#[expect(clippy::print_stdout, reason = "its numbers are what it is for")]
fn a_store_of_many_bundles_is_open_soon() {
    let bench = Bench::new();
    let mut store = bench.open();
    for number in 0..200 {
        bench.ship(&wanted(&format!("org.image.app{number}"), 1).by(&[]));
        bench.install(&mut store, &wanted(&format!("org.example.app{number}"), 1), TRUST).unwrap();
    }
    let begun = SystemTime::now();
    let store = bench.open();
    println!("open, 200 of the image and 200 installed: {:?}", begun.elapsed().unwrap());
    assert_eq!(store.bundles().count(), 400);
}
