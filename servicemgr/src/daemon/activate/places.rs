//! Where the paths of a service are watched, and what a change there means for each.
//!
//! ```text
//! /run/a/b/job   Ancestor: the nearest directory that exists, until the next one appears in it
//!          └──── Parent:   the directory with the last part, by name
//! /run/a/b/job/x Inside:   the path itself, a directory (or what a link leads to): anything in it
//! ```
//!
//! Invariant: first a place is watched, then it is looked at, so nothing comes in between. A
//! directory that is moved away, path and all, is not noticed.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use model::service::{PathWatch, PathWhen};
use sys::inotify::{Change, Inotify, Watch, What};

use super::glob;

/// Reads of the queue in one turn, 4096 bytes each: others have their turn, however fast files
/// change.
const READS: usize = 32;

/// How often a path is looked for anew while its directories come and go.
const TRIES: u32 = 32;

/// Which entries of a watched place matter.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Role {
    /// The one of this name, on the way.
    Ancestor(OsString),
    /// The last part.
    Parent,
    /// All.
    Inside,
}

/// The watched paths of a service.
#[derive(Debug)]
pub(super) struct Paths {
    inotify: Inotify,
    places: BTreeMap<Watch, Vec<(usize, Role)>>,
    /// It was placed before, so what appears now was not there.
    placed: bool,
}

/// What a look into the queue gave.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Seen {
    /// One with [`PathWhen::Changed`] did.
    pub(super) changed: bool,
    /// One of the others may be there now.
    pub(super) perhaps: bool,
    /// Directories came or went: [`Paths::place`] again.
    pub(super) moved: bool,
}

impl Seen {
    /// Both together.
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            changed: self.changed || other.changed,
            perhaps: self.perhaps || other.perhaps,
            moved: self.moved || other.moved,
        }
    }
}

impl Paths {
    /// Watches nothing yet, or goes on with what was held.
    pub(super) fn new(inotify: Inotify) -> Self {
        Self { inotify, places: BTreeMap::new(), placed: false }
    }

    pub(super) fn inotify(&self) -> &Inotify {
        &self.inotify
    }

    /// Watches where the paths are now. Gives whether one with [`PathWhen::Changed`] came into
    /// being before it could be watched, and what cannot be watched.
    pub(super) fn place(&mut self, watches: &[PathWatch]) -> (bool, Vec<String>) {
        let old = std::mem::take(&mut self.places);
        let before = std::mem::replace(&mut self.placed, true);
        let (mut came, mut problems) = (false, Vec::new());
        for (number, watch) in watches.iter().enumerate() {
            if let Err(e) = self.place_one(number, watch) {
                problems.push(format!("path {}: could not watch it: {e}", watch.path));
            }
            let near = |places: &BTreeMap<Watch, Vec<(usize, Role)>>| {
                places.values().flatten().any(|(n, role)| *n == number && *role == Role::Parent)
            };
            let appeared = before && !near(&old) && near(&self.places);
            // Whoever made it may still write, and that counts again: twice rather than never.
            let there = || fs::symlink_metadata(&watch.path).is_ok();
            came |= watch.when == PathWhen::Changed && appeared && there();
        }
        for gone in old.keys().filter(|w| !self.places.contains_key(w)) {
            self.inotify.forget(*gone);
        }
        (came, problems)
    }

    fn place_one(&mut self, number: usize, watch: &PathWatch) -> io::Result<()> {
        let path = Path::new(&watch.path);
        let wanted = match watch.when {
            PathWhen::NotEmpty => path,
            PathWhen::Exists | PathWhen::Changed => path.parent().unwrap_or(path),
        };
        for _ in 0..TRIES {
            let (nearest, next) = nearest(wanted);
            let place = match self.inotify.watch(&nearest) {
                Ok(place) => place,
                Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
                Err(e) => return Err(e),
            };
            if let Some(next) = next {
                if nearest.join(&next).is_dir() {
                    continue; // It came before it was watched for.
                }
                self.add(place, number, Role::Ancestor(next));
                return Ok(());
            }
            match watch.when {
                PathWhen::NotEmpty => self.add(place, number, Role::Inside),
                PathWhen::Exists => self.add(place, number, Role::Parent),
                PathWhen::Changed => {
                    self.add(place, number, Role::Parent);
                    self.inside(number, path);
                }
            }
            return Ok(());
        }
        Err(io::Error::other("its directories come and go"))
    }

    /// A directory, or what a link leads to, has changes that its parent does not see.
    fn inside(&mut self, number: usize, path: &Path) {
        let inner = fs::symlink_metadata(path).is_ok_and(|m| m.is_dir() || m.is_symlink());
        // One that has gone meanwhile is told of by its parent.
        if inner && let Ok(place) = self.inotify.watch(path) {
            self.add(place, number, Role::Inside);
        }
    }

    fn add(&mut self, place: Watch, number: usize, role: Role) {
        let roles = self.places.entry(place).or_default();
        if !roles.contains(&(number, role.clone())) {
            roles.push((number, role));
        }
    }

    /// Takes what is in the queue, up to a limit; the rest wakes us again. Nothing before it was
    /// placed, for nobody knows yet what the changes in a held queue are about.
    pub(super) fn take(&mut self, watches: &[PathWatch]) -> Seen {
        let mut seen = Seen::default();
        if !self.placed {
            return seen;
        }
        for _ in 0..READS {
            let changes = self.inotify.next().unwrap_or_default();
            if changes.is_empty() {
                break;
            }
            for change in &changes {
                self.weigh(change, watches, &mut seen);
            }
        }
        seen
    }

    fn weigh(&mut self, change: &Change, watches: &[PathWatch], seen: &mut Seen) {
        if change.what == What::Overflow {
            let changed = watches.iter().any(|w| w.when == PathWhen::Changed);
            *seen = Seen { changed: seen.changed | changed, perhaps: true, moved: true };
            return;
        }
        if change.what == What::Lost {
            // What it was watched for is somewhere else now, or nowhere.
            seen.moved |= self.places.remove(&change.watch).is_some();
            return;
        }
        let Some(roles) = self.places.get(&change.watch) else { return };
        for (number, role) in roles {
            let Some(watch) = watches.get(*number) else { continue };
            let name = change.name.as_deref();
            match role {
                Role::Ancestor(next) => seen.moved |= name == Some(next),
                Role::Parent if !is_last(watch, name) => {}
                Role::Parent | Role::Inside => match watch.when {
                    PathWhen::Exists | PathWhen::NotEmpty => {
                        seen.perhaps |= change.what != What::Left;
                    }
                    PathWhen::Changed => {
                        let place = Path::new(&watch.path);
                        let what = match (role, name) {
                            (Role::Inside, Some(name)) => place.join(name),
                            _ => place.to_owned(),
                        };
                        seen.moved |= *role == Role::Parent && change.what != What::Written;
                        seen.changed |= change.what != What::Made || whole(&what);
                    }
                },
            }
        }
    }
}

/// Whether what was just made is all there is to come. An empty file is being written by whoever
/// made it, and closing it is told as well.
fn whole(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|m| !m.is_file() || m.len() > 0)
}

fn is_last(watch: &PathWatch, name: Option<&OsStr>) -> bool {
    let last = Path::new(&watch.path).file_name();
    match (last.and_then(OsStr::to_str), name.and_then(OsStr::to_str)) {
        (Some(last), Some(name)) if watch.when == PathWhen::Exists => glob::fits(last, name),
        _ => last == name,
    }
}

/// The deepest directory on the way to `wanted` that exists, and what is missing in it.
fn nearest(wanted: &Path) -> (PathBuf, Option<OsString>) {
    let mut next = None;
    for place in wanted.ancestors() {
        if place.is_dir() {
            return (place.to_owned(), next);
        }
        next = place.file_name().map(OsStr::to_owned);
    }
    (PathBuf::from("/"), next)
}

/// Whether what is waited for is so now. Changes are not states.
pub(super) fn holds(watch: &PathWatch) -> bool {
    let path = Path::new(&watch.path);
    match watch.when {
        PathWhen::Changed => false,
        PathWhen::NotEmpty => fs::read_dir(path).is_ok_and(|mut all| all.next().is_some()),
        PathWhen::Exists => {
            let last = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
            if !glob::is_pattern(last) {
                return path.exists();
            }
            let entries = path.parent().map(fs::read_dir);
            let mut entries = entries.into_iter().flatten().flatten().flatten();
            entries.any(|entry| entry.file_name().to_str().is_some_and(|n| glob::fits(last, n)))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;

    /// Turns in which every queue of these tests is empty.
    const TURNS: usize = 10;

    struct World {
        directory: tempfile::TempDir,
        watches: Vec<PathWatch>,
        paths: Paths,
    }

    impl World {
        fn new(path: &str, when: PathWhen) -> Self {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join(path).display().to_string();
            let watches = vec![PathWatch { path, when, make: false }];
            let mut paths = Paths::new(Inotify::open().unwrap());
            assert_eq!(paths.place(&watches), (false, Vec::new()));
            Self { directory, watches, paths }
        }

        fn at(&self, name: &str) -> PathBuf {
            self.directory.path().join(name)
        }

        /// What the daemon would trigger for.
        fn triggers(&mut self) -> bool {
            let mut triggered = false;
            for _ in 0..TURNS {
                let seen = self.paths.take(&self.watches);
                triggered |= seen.changed;
                if seen.moved {
                    triggered |= self.paths.place(&self.watches).0;
                }
            }
            triggered || self.watches.iter().any(holds)
        }
    }

    #[test]
    fn a_file_is_noticed_however_deep_its_directories_come_later() {
        for when in [PathWhen::Exists, PathWhen::Changed] {
            let mut world = World::new("a/b/job", when);
            assert!(!world.triggers());
            fs::create_dir(world.at("a")).unwrap();
            assert!(!world.triggers());
            fs::create_dir(world.at("a/b")).unwrap();
            fs::write(world.at("a/b/job"), "x").unwrap();
            assert!(world.triggers(), "{when:?}");
            fs::remove_dir_all(world.at("a")).unwrap();
            world.triggers();
            fs::create_dir_all(world.at("a/b")).unwrap();
            assert!(!world.triggers(), "{when:?}: gone again");
            fs::write(world.at("a/b/job"), "x").unwrap();
            assert!(world.triggers(), "{when:?}: here again");
        }
    }

    #[test]
    fn a_pattern_is_for_the_last_part() {
        let mut world = World::new("spool-?/*.job", PathWhen::Exists);
        fs::create_dir(world.at("spool-?")).unwrap();
        fs::write(world.at("spool-?/x.tmp"), "").unwrap();
        assert!(!world.triggers());
        fs::rename(world.at("spool-?/x.tmp"), world.at("spool-?/x.job")).unwrap();
        assert!(world.triggers());
    }

    #[test]
    fn a_directory_triggers_while_something_is_in_it() {
        let mut world = World::new("spool", PathWhen::NotEmpty);
        fs::create_dir(world.at("spool")).unwrap();
        assert!(!world.triggers());
        fs::write(world.at("spool/x"), "").unwrap();
        assert!(world.triggers());
        assert!(world.triggers(), "still");
        fs::remove_file(world.at("spool/x")).unwrap();
        assert!(!world.triggers());
    }

    #[test]
    fn each_way_to_change_a_file_is_one_trigger() {
        let mut world = World::new("file", PathWhen::Changed);
        fs::write(world.at("other"), "x").unwrap();
        assert!(!world.triggers());
        fs::write(world.at("file"), "x").unwrap();
        assert!(world.triggers(), "made and written");
        assert!(!world.triggers(), "once");
        fs::read(world.at("file")).unwrap();
        assert!(!world.triggers(), "only read");
        fs::rename(world.at("other"), world.at("file")).unwrap();
        assert!(world.triggers(), "replaced");
        fs::remove_file(world.at("file")).unwrap();
        assert!(world.triggers(), "removed");
        fs::create_dir(world.at("file")).unwrap();
        assert!(world.triggers(), "made");
        fs::write(world.at("file/x"), "x").unwrap();
        assert!(world.triggers(), "something in it");
        assert!(!world.triggers(), "once");
    }

    #[test]
    fn a_slow_writer_triggers_when_it_is_done_and_a_link_leads_to_what_changes() {
        let mut world = World::new("file", PathWhen::Changed);
        let file = fs::File::create(world.at("file")).unwrap();
        assert!(!world.triggers(), "nothing is in it yet");
        drop(file);
        assert!(world.triggers());
        fs::create_dir(world.at("real")).unwrap();
        fs::write(world.at("real/target"), "x").unwrap();
        fs::remove_file(world.at("file")).unwrap();
        std::os::unix::fs::symlink(world.at("real/target"), world.at("file")).unwrap();
        assert!(world.triggers());
        fs::write(world.at("real/target"), "y").unwrap();
        assert!(world.triggers());
    }

    #[test]
    fn what_came_while_nobody_looked_is_found_by_the_successor() {
        let mut world = World::new("file", PathWhen::Changed);
        fs::write(world.at("file"), "x").unwrap();
        let held = world.paths.inotify.as_fd().try_clone_to_owned().unwrap();
        world.paths = Paths::new(Inotify::held(held));
        assert_eq!(world.paths.take(&world.watches), Seen::default(), "it knows no places yet");
        world.paths.place(&world.watches);
        assert!(world.triggers());
    }

    #[test]
    fn a_storm_is_taken_in_pieces_and_none_of_it_is_lost() {
        let mut world = World::new("file", PathWhen::Changed);
        for n in 0..5000 {
            fs::write(world.at(&format!("f{}", n % 10)), "x").unwrap();
        }
        fs::write(world.at("file"), "x").unwrap();
        let first = world.paths.take(&world.watches);
        assert_eq!(first, Seen::default(), "it comes after more than one turn takes");
        assert!(world.triggers());
    }
}
