//! Runtimes, and what lies upon them.

use super::device::{Bench, PLAIN, TRUST, Wanted, id, wanted};
use crate::store::{Integrity, Refusal, Store, Wish};

const APP: &str = "org.example.notes";
const RUNTIME: &str = "org.example.python";

fn runtime(version: u32) -> Wanted {
    wanted(RUNTIME, version).top("kind = \"runtime\"\n")
}

/// One that lies upon the runtime in this version at least, with this layout.
fn upon(least: u32, layout: &str) -> Wanted {
    let runtime = format!("[runtime]\nbundle = \"{RUNTIME}\"\nversion = \"{least}.0.0\"\n");
    wanted(APP, 1).top(&format!("layout = \"{layout}\"\n")).more(&runtime)
}

fn both(bench: &Bench, least: u32, layout: &str) -> Store {
    let mut store = bench.open();
    bench.install(&mut store, &runtime(2), TRUST).unwrap();
    bench.install(&mut store, &upon(least, layout), TRUST).unwrap();
    store
}

fn run(store: &mut Store) -> Result<Integrity, Refusal> {
    let mounting = store.enrol(&id(APP)).unwrap().mounting;
    if let Some(below) = mounting.below() {
        below.run().unwrap();
    }
    mounting.run()
}

#[test]
fn nothing_is_installed_without_the_runtime_it_needs() {
    let bench = Bench::new();
    let mut store = bench.open();
    let why = bench.install(&mut store, &upon(2, "app"), TRUST).unwrap_err();
    assert_eq!(
        why.text(),
        "it lies upon the runtime org.example.python 2.0.0, which is not here: install that first: `ensctl app install`"
    );
    bench.install(&mut store, &runtime(1), TRUST).unwrap();
    let why = bench.install(&mut store, &upon(2, "app"), TRUST).unwrap_err();
    assert_eq!(
        why.text(),
        "it needs the runtime org.example.python in version 2.0.0 at least, and 1.0.0 is here: install a later one first: \
         `ensctl app install`"
    );
    bench.install(&mut store, &runtime(2), PLAIN).unwrap();
    bench.install(&mut store, &upon(2, "app"), TRUST).unwrap();
    let other = wanted("org.example.other", 1)
        .more(&format!("[runtime]\nbundle = \"{APP}\"\nversion = \"1.0.0\"\n"));
    let why = bench.install(&mut store, &other, PLAIN).unwrap_err();
    assert_eq!(
        why.text(),
        "it lies upon org.example.notes, which is an app: its maker names a bundle of the kind \"runtime\""
    );
}

#[test]
fn what_is_prepared_is_refused_when_its_runtime_went_meanwhile() {
    let bench = Bench::new();
    let mut store = bench.open();
    bench.install(&mut store, &runtime(2), TRUST).unwrap();
    let prepared = store.intake().prepare(&bench.file(&upon(2, "app")), TRUST).unwrap();
    store.remove(&id(RUNTIME), false).unwrap();
    let why = store.commit(prepared, 1).unwrap_err();
    assert!(why.text().contains("which is not here"), "{why}");
    assert!(store.get(&id(APP)).is_none());
}

#[test]
fn a_runtime_stays_while_something_needs_it_and_goes_back_only_as_far_as_that_allows() {
    let bench = Bench::new();
    let mut store = bench.open();
    bench.install(&mut store, &runtime(1), TRUST).unwrap();
    bench.install(&mut store, &runtime(2), PLAIN).unwrap();
    bench.install(&mut store, &upon(2, "root"), TRUST).unwrap();
    assert_eq!(store.upon(&id(RUNTIME)), [id(APP)]);
    let why = store.remove(&id(RUNTIME), false).unwrap_err();
    assert_eq!(
        why.text(),
        "org.example.python is needed by org.example.notes: remove what needs it first: `ensctl app remove \
         org.example.notes`"
    );
    let why = store.rollback(&id(RUNTIME), 1).unwrap_err();
    assert_eq!(
        why.text(),
        "org.example.python can't become 1.0.0: that is not enough for org.example.notes: remove what needs it first: \
         `ensctl app remove org.example.notes`"
    );
    let down = Wish { downgrade: true, ..PLAIN };
    assert!(bench.install(&mut store, &runtime(1), down).is_err());
    let app = wanted(RUNTIME, 3);
    let why = bench.install(&mut store, &app, PLAIN).unwrap_err();
    assert_eq!(
        why.text(),
        "org.example.python can't become 3.0.0: that is not enough for org.example.notes: remove what needs it first: \
         `ensctl app remove org.example.notes`"
    );
    bench.install(&mut store, &runtime(3), PLAIN).unwrap();
    assert_eq!(store.rollback(&id(RUNTIME), 1).map(|changed| changed.before.unwrap().0), Ok(3));
    store.remove(&id(APP), false).unwrap();
    store.remove(&id(RUNTIME), false).unwrap();
    assert_eq!(store.bundles().count(), 0);
}

#[test]
fn an_update_of_a_runtime_of_the_image_goes_if_the_images_serves() {
    let bench = Bench::new();
    bench.ship(&runtime(1));
    let mut store = bench.open();
    bench.install(&mut store, &runtime(2), TRUST).unwrap();
    bench.install(&mut store, &upon(1, "app"), TRUST).unwrap();
    store.remove(&id(RUNTIME), false).unwrap();
    bench.install(&mut store, &runtime(2), TRUST).unwrap();
    bench.install(&mut store, &upon(2, "app").newer(), PLAIN).unwrap();
    assert!(store.remove(&id(RUNTIME), false).is_err());
}

#[test]
fn an_app_goes_back_only_to_a_version_whose_runtime_is_here() {
    let bench = Bench::new();
    let mut store = both(&bench, 2, "app");
    bench.install(&mut store, &wanted(APP, 2), PLAIN).unwrap();
    store.remove(&id(RUNTIME), false).unwrap();
    let why = store.rollback(&id(APP), 1).unwrap_err();
    assert!(why.text().contains("which is not here"), "{why}");
    bench.install(&mut store, &runtime(2), PLAIN).unwrap();
    store.rollback(&id(APP), 1).unwrap();
}

#[test]
fn what_lies_as_a_root_directory_is_seen_as_one_with_its_runtime() {
    let bench = Bench::new();
    let mut store = both(&bench, 1, "root");
    assert_eq!(run(&mut store), Ok(Integrity::Mounted));
    assert_eq!(run(&mut store), Ok(Integrity::Mounted), "it is there already");
    let (app, below) = (bench.places.mounts.join(APP), bench.places.mounts.join(RUNTIME));
    let root = bench.places.roots.join(APP);
    assert_eq!(bench.table.source(&root), Some(app.clone()));
    bench.install(&mut store, &runtime(3), PLAIN).unwrap();
    assert_eq!((bench.table.source(&root), bench.table.source(&below)), (None, None));
    assert!(bench.table.source(&app).is_some(), "it did not change");
    run(&mut store).unwrap();
    store.remove(&id(APP), false).unwrap();
    assert_eq!((bench.table.source(&root), bench.table.source(&app)), (None, None));
    assert!(bench.table.source(&below).is_some());
}

#[test]
fn what_was_laid_over_of_versions_that_went_makes_room() {
    let bench = Bench::new();
    let mut store = both(&bench, 1, "root");
    let root = bench.places.roots.join(APP);
    run(&mut store).unwrap();
    let table: &dyn crate::store::Mounts = &bench.table;
    table.unmount(&root).unwrap();
    let (app, below) = (bench.places.mounts.join(APP), bench.places.mounts.join(RUNTIME));
    table.layers("layers:old+old", [&below, &app], &root).unwrap();
    run(&mut store).unwrap();
    assert_eq!(bench.table.source(&root), Some(app));
}

#[test]
fn what_lies_beside_its_runtime_is_not_laid_over_it_and_without_overlays_nothing_starts() {
    let bench = Bench::new();
    let mut store = both(&bench, 1, "app");
    run(&mut store).unwrap();
    assert_eq!(bench.table.source(&bench.places.roots.join(APP)), None);
    let mut bench = Bench::new();
    bench.table.no_layers = true;
    let mut store = both(&bench, 1, "root");
    let why = run(&mut store).unwrap_err();
    assert!(why.text().contains("this kernel or container can't do that (overlayfs)"), "{why}");
}
