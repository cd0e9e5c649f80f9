//! The plug is pulled before every step of every change.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::device::{Bench, PLAIN, TRUST, id, place, wanted};
use super::plug::{Loss, Table};
use crate::store::{Refusal, Store, Wish};

const ID: &str = "org.example.notes";

/// What happens to a bundle, in order.
#[derive(Debug, Clone, Copy)]
enum Change {
    Install(usize, Wish),
    Enrol,
    Rollback,
    Remove { keep: bool },
}

/// After each change the app writes this.
const STORY: [(Change, &str); 10] = [
    (Change::Install(1, TRUST), ""),
    (Change::Enrol, "one"),
    (Change::Install(2, PLAIN), "two"),
    (Change::Install(3, PLAIN), "three"),
    (Change::Rollback, ""),
    (Change::Remove { keep: true }, ""),
    (Change::Install(3, PLAIN), "four"),
    (Change::Install(4, PLAIN), "five"),
    (Change::Remove { keep: false }, ""),
    (Change::Install(1, PLAIN), ""),
];

/// What is there: the generation, and what the app has.
type Moment = (String, BTreeMap<PathBuf, String>);

/// A change of the story as it goes when nothing goes wrong.
struct Scene {
    /// The device before.
    device: PathBuf,
    change: Change,
    before: Moment,
    after: Moment,
    /// How many steps it takes, from the start of the store on.
    steps: usize,
}

/// The story, and what it takes to play it.
struct Story {
    place: TempDir,
    /// Versions 1 to 4.
    files: Vec<File>,
    scenes: Vec<Scene>,
}

impl Story {
    fn new() -> Self {
        let place = place();
        let file = |version: u32| {
            wanted(ID, version).write(&place.path().join(format!("{version}.bundle")))
        };
        let files = (1..=4).map(file).collect();
        let mut this = Self { place, files, scenes: Vec::new() };
        let bench = Bench::new();
        for (number, (change, writes)) in STORY.into_iter().enumerate() {
            let device = this.place.path().join(number.to_string());
            copy(&bench.root.path().join("device"), &device);
            let begun = bench.plug.made();
            let mut store = bench.open();
            let before = moment(&bench, &store);
            this.apply(&mut store, change).unwrap();
            let (after, steps) = (moment(&bench, &store), bench.plug.made() - begun);
            this.scenes.push(Scene { device, change, before, after, steps });
            if !writes.is_empty() {
                bench.writes(ID, writes);
            }
        }
        this
    }

    fn apply(&self, store: &mut Store, change: Change) -> Result<(), Refusal> {
        match change {
            Change::Install(version, wish) => {
                let prepared = store.intake().prepare(&self.files[version - 1], wish)?;
                store.commit(prepared, 1_763_850_000).map(|_| ())
            }
            Change::Enrol => store.enrol(&id(ID)).map(|_| ()),
            Change::Rollback => store.rollback(&id(ID), 1_763_850_000).map(|_| ()),
            Change::Remove { keep } => store.remove(&id(ID), keep).map(|_| ()),
        }
    }

    /// Pulls the plug after so many steps of a scene.
    fn cut(&self, scene: &Scene, after: usize, loss: Loss) {
        let mut bench = Bench::new();
        copy(&scene.device, &bench.root.path().join("device"));
        bench.plug.pull(after, loss);
        let what = format!("{:?} cut after {after} steps, loses {loss:?}", scene.change);
        if let Ok((mut store, _)) = bench.try_open() {
            let _cut_or_not = self.apply(&mut store, scene.change);
        }
        bench.plug.put_back();
        bench.table = Table::default();
        let (mut store, said) = bench.try_open().unwrap();
        assert_eq!(said, Vec::<String>::new(), "{what}");
        assert!(store.broken().is_empty(), "{what}");
        let now = moment(&bench, &store);
        assert!(now == scene.before || now == scene.after, "{what}: {now:?}");
        clean(&bench, &store, &what);
        if now != scene.after || matches!(scene.change, Change::Enrol) {
            self.apply(&mut store, scene.change).unwrap_or_else(|why| panic!("{what}: {why}"));
        }
        assert_eq!(moment(&bench, &store), scene.after, "{what}, and done again");
        clean(&bench, &store, &what);
    }
}

fn moment(bench: &Bench, store: &Store) -> Moment {
    let relative = |(path, text): (PathBuf, String)| {
        (path.strip_prefix(bench.root.path()).unwrap().to_owned(), text)
    };
    (store.generation().print(), bench.data().into_iter().map(relative).collect())
}

/// Nothing is there that the generation does not name, and all that it names.
fn clean(bench: &Bench, store: &Store, what: &str) {
    let (generation, bundles) = (store.generation(), &bench.places.bundles);
    let contents = generation.contents();
    let mut files = bench.stored();
    files.retain(|name| !name.contains("note"));
    let named = contents
        .iter()
        .flat_map(|digest| ["content", "signature"].map(|ending| format!("{digest}.{ending}")));
    assert_eq!(files, named.collect::<Vec<_>>(), "{what}");
    let saved = fs::read_dir(bundles.join("saved")).map(Iterator::count).unwrap_or_default();
    assert_eq!(saved, generation.saved().len(), "{what}");
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

#[test]
fn the_story_keeps_the_data_of_each_version_and_hands_them_to_nobody_else() {
    let story = Story::new();
    let data = |number: usize| -> Vec<&str> {
        story.scenes[number].after.1.values().map(String::as_str).collect()
    };
    assert_eq!(data(2), ["one"], "an update goes on with the data");
    assert_eq!(data(4), ["two"], "as they were when it was updated");
    assert_eq!(data(5), ["two"], "kept");
    assert_eq!(data(6), ["two"], "and found again");
    assert!(data(8).is_empty() && data(9).is_empty());
}

#[test]
fn whenever_the_power_goes_the_old_or_the_new_is_there_whole_and_no_garbage() {
    let story = Story::new();
    let all: usize = story.scenes.iter().map(|scene| scene.steps).sum();
    assert!(all > 100, "{all}");
    for scene in &story.scenes {
        for loss in [Loss::Nothing, Loss::Content, Loss::Names] {
            for after in 0..=scene.steps {
                story.cut(scene, after, loss);
            }
        }
    }
}
