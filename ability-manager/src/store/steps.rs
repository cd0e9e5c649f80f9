//! A change of what is installed, step by step: what the store decides is done at once, what takes long beside all
//! else.
//!
//! ```text
//! asked ─► [what an earlier change left] ─► checked, unmounted ─┬─ install: [data saved, content in place] ─► checked again
//!                                                               └─ remove, rollback                                │
//!           Done ◄─ [garbage removed] ◄─ [data put in order] ◄─── generation swapped ◄─────────────────────────────┘
//! ```
//!
//! `[ ]` is a [`Labour`]: it needs no `Store`, which may do anything else meanwhile but another change. Whoever leads
//! changes makes one at a time, and starts nothing of the bundle before the garbage goes.
//!
//! Invariants: those of [`change`](super::change); what was checked before a labour is checked again after it, against what
//! is there then.

use std::collections::BTreeSet;
use std::sync::Arc;

use bundle::Digest;
use model::Name;
use model::bundle::{BundleId, DATA_SIZE};

use super::generation::{Admission, Generation, Unfinished};
use super::intake::{Prepared, admitted};
use super::layers::{below, may_become};
use super::refusal::Tried;
use super::{Base, Changed, Key, Refusal, Store};

/// A change that was asked for, and how far it has come.
#[derive(Debug)]
pub struct Change {
    id: BundleId,
    what: What,
    /// Seconds since 1970.
    at: u64,
    stage: Stage,
}

#[derive(Debug)]
enum What {
    Install(Box<Prepared>),
    Remove { keep_data: bool },
    Rollback,
}

#[derive(Debug)]
enum Stage {
    Asked,
    /// What an earlier change left is done.
    Settled(Result<(), Refusal>),
    /// The content is in place, and under this number are the data of before.
    Placed(Result<Option<u64>, Refusal>),
    /// Data are as the generation says.
    Ordered(Changed, Result<(), Refusal>),
    /// Garbage is gone.
    Cleaned(Result<Changed, Refusal>),
}

/// What comes next of a change.
#[derive(Debug)]
pub enum Next {
    /// This, beside all else; then [`Store::go_on`] with what it gives.
    Labour(Labour),
    /// Nothing.
    Done(Changed),
}

/// A part of a change that may take long, and needs nothing of the store.
#[derive(Debug)]
pub struct Labour {
    base: Arc<Base>,
    work: Work,
    change: Change,
}

#[derive(Debug)]
enum Work {
    Settle(Unfinished),
    Place(Option<Saving>),
    Order(Unfinished, Changed),
    Collect(Box<Generation>, BTreeSet<Digest>, Result<Changed, Refusal>),
}

/// What an installation begins with.
enum Begun {
    /// It was there already.
    There(Changed),
    /// Its content is to be put in place, and these data saved before.
    Place(Option<Saving>),
}

/// Data that are kept as they are.
#[derive(Debug)]
struct Saving {
    number: u64,
    uid: u32,
    /// What the bundle may keep, in bytes.
    size: u64,
}

impl Change {
    /// Installs what was prepared. `at`: seconds since 1970.
    #[must_use]
    pub fn install(prepared: Prepared, at: u64) -> Self {
        let (id, what) = (prepared.offer.id.clone(), What::Install(Box::new(prepared)));
        Self { id, what, at, stage: Stage::Asked }
    }

    /// Removes a bundle, with its data unless they are kept.
    #[must_use]
    pub fn remove(id: BundleId, keep_data: bool) -> Self {
        Self { id, what: What::Remove { keep_data }, at: 0, stage: Stage::Asked }
    }

    /// Back to the version before, with its data as they were. `at`: seconds since 1970.
    #[must_use]
    pub fn rollback(id: BundleId, at: u64) -> Self {
        Self { id, what: What::Rollback, at, stage: Stage::Asked }
    }

    /// Of which bundle.
    #[must_use]
    pub fn id(&self) -> &BundleId {
        &self.id
    }

    /// Puts the content in place, and saves the data of before.
    fn place(&self, base: &Base, saving: Option<Saving>) -> Result<Option<u64>, Refusal> {
        let saved = match saving {
            Some(Saving { number, uid, size }) => base.save_data(&self.id, (number, uid), size)?,
            None => None,
        };
        if let What::Install(prepared) = &self.what {
            base.place(&prepared.copy.path, &prepared.offer.digest, &prepared.signatures)?;
        }
        Ok(saved)
    }
}

impl Labour {
    /// Does it.
    #[must_use]
    pub fn run(self) -> Change {
        let Self { base, work, mut change } = self;
        change.stage = match work {
            Work::Settle(left) => Stage::Settled(base.finish_data(&change.id, left)),
            Work::Place(saving) => Stage::Placed(change.place(&base, saving)),
            Work::Order(left, changed) => {
                Stage::Ordered(changed, base.finish_data(&change.id, left))
            }
            Work::Collect(generation, counting, done) => {
                base.collect(&generation, &counting);
                Stage::Cleaned(done)
            }
        };
        change
    }

    /// Whether all that is left is to remove garbage: the bundle may be started again.
    #[must_use]
    pub fn only_cleans(&self) -> bool {
        matches!(self.work, Work::Collect(..))
    }
}

impl Store {
    /// Whether instances of the bundle, and of those upon it, are to end before the change begins.
    #[must_use]
    pub fn interrupts(&self, change: &Change) -> bool {
        match &change.what {
            What::Install(prepared) => {
                let held = self.get(&change.id);
                held.is_some_and(|held| held.digest != prepared.offer.digest)
            }
            What::Remove { .. } | What::Rollback => true,
        }
    }

    /// Goes on with a change, which is the only one. Instances of what it concerns have ended.
    ///
    /// # Errors
    /// It may not be done, or not any more, or the disk can't be written: nothing has changed then. Or data
    /// can't be put in order now: that is tried again.
    pub fn go_on(&mut self, mut change: Change) -> Result<Next, Refusal> {
        match std::mem::replace(&mut change.stage, Stage::Asked) {
            Stage::Asked => match self.generation.unfinished().get(&change.id).copied() {
                Some(left) => Ok(self.labour(change, Work::Settle(left))),
                None => self.begin_change(change),
            },
            Stage::Settled(done) => {
                done?;
                self.settled(&change.id)?;
                self.begin_change(change)
            }
            Stage::Placed(done) => {
                let done = done.and_then(|saved| self.install(&change, saved));
                match done {
                    Ok(_) => self.renew(),
                    // What was saved is garbage, on a disk that may be full.
                    Err(why) if self.damaged => return Err(why),
                    Err(_) => {}
                }
                Ok(self.clean(change, done))
            }
            Stage::Ordered(changed, done) => {
                let done = done.and_then(|()| self.settled(&change.id));
                Ok(self.end_change(change, changed, done))
            }
            Stage::Cleaned(done) => done.map(Next::Done),
        }
    }

    /// Looks whether it may be done, and does what can be done at once.
    fn begin_change(&mut self, change: Change) -> Result<Next, Refusal> {
        let changed = match &change.what {
            What::Install(prepared) => {
                return Ok(match self.begin_install(&change.id, prepared, change.at)? {
                    Begun::There(changed) => Next::Done(changed),
                    Begun::Place(saving) => self.labour(change, Work::Place(saving)),
                });
            }
            What::Remove { keep_data } => self.remove_from_generation(&change.id, *keep_data)?,
            What::Rollback => self.roll_generation_back(&change.id, change.at)?,
        };
        match self.generation.unfinished().get(&change.id).copied() {
            Some(left) => Ok(self.labour(change, Work::Order(left, changed))),
            None => Ok(self.end_change(change, changed, Ok(()))),
        }
    }

    /// Data of what was removed or rolled back are in order, or could not be brought there.
    fn end_change(
        &mut self,
        change: Change,
        mut changed: Changed,
        done: Result<(), Refusal>,
    ) -> Next {
        self.renew();
        if let (What::Remove { .. }, Some(held)) = (&change.what, self.get(&change.id)) {
            let (id, version) = (&change.id, held.manifest.version);
            changed.notes.push(format!("{id} {version}, which came with the device, counts again"));
        }
        self.clean(change, done.map(|()| changed))
    }

    fn labour(&self, change: Change, work: Work) -> Next {
        Next::Labour(Labour { base: Arc::clone(&self.base), work, change })
    }

    fn clean(&self, change: Change, done: Result<Changed, Refusal>) -> Next {
        let generation = Box::new(self.generation.clone());
        self.labour(change, Work::Collect(generation, self.counting(), done))
    }

    /// Whether this may be installed as things are, and what its generation will be but for the bundle.
    fn may_install(
        &self,
        prepared: &Prepared,
        at: u64,
    ) -> Result<(Admission, Key, Generation), Refusal> {
        let Prepared { offer, wish, vouched, manifest, .. } = prepared;
        let id = &offer.id;
        let shipped = self.image.get(id).map(|held| held.as_shipped(&self.base.keys));
        let known = (&self.generation, shipped.as_ref());
        let (admission, key) = admitted(&self.base, known, offer, *wish, vouched.as_ref())?;
        below(manifest, &self.held)?;
        may_become(id, Some((manifest.kind, manifest.version)), &self.held)?;
        if self.generation.user(id).is_none() && self.base.has_data(id)? {
            return Err(Refusal::Refused(format!(
                "there are data of {id} of which nobody knows whose they are: erase them: `ensctl app remove {id}`"
            )));
        }
        let mut next = self.generation.clone();
        if wish.trust && !self.base.keys.contains(&key) {
            next.trust(&key, at).map_err(Refusal::Refused)?;
        }
        Ok((admission, key, next))
    }

    fn begin_install(
        &mut self,
        id: &BundleId,
        prepared: &Prepared,
        at: u64,
    ) -> Result<Begun, Refusal> {
        let (admission, _, next) = self.may_install(prepared, at)?;
        if admission == Admission::There && self.get(id).is_some() {
            if next != self.generation {
                self.put(next)?;
            }
            let before = self.get(id).map(|held| held.manifest.version);
            let notes = vec!["exactly this is installed already".to_owned()];
            return Ok(Begun::There(Changed { id: id.clone(), before, notes }));
        }
        self.unmount(id)?;
        let user = self.generation.user(id).map(|user| user.uid);
        Ok(Begun::Place(match (admission, user) {
            (Admission::Over(_), Some(uid)) => {
                let place = &self.base.places.bundles;
                let number = self.base.next_saved(&self.generation).tried("looking into", place)?;
                let size = self.get(id).map_or(DATA_SIZE, |held| held.manifest.data.size);
                Some(Saving { number, uid, size })
            }
            _ => None,
        }))
    }

    /// Its content is in place, and its data are saved: it counts from now on.
    fn install(&mut self, change: &Change, saved: Option<u64>) -> Result<Changed, Refusal> {
        let What::Install(prepared) = &change.what else {
            return Err(Refusal::Failed("nothing was to be installed".to_owned()));
        };
        let Prepared { offer, vouched, manifest, sealed, .. } = &**prepared;
        let id = &change.id;
        // Others may have decided something meanwhile.
        let (admission, key, mut next) = self.may_install(prepared, change.at)?;
        let shipped = self.image.get(id).map(|held| held.as_shipped(&self.base.keys));
        let before = self.get(id).map(|held| held.manifest.version);
        let mut changed = Changed { id: id.clone(), before, notes: Vec::new() };
        // Where its file was lost, what is installed does not change.
        if admission != Admission::There {
            let (shipped, at) = (shipped.as_ref(), change.at);
            next.install(offer, shipped, &key, at, saved).map_err(Refusal::Refused)?;
            next.came_from(id, vouched.as_ref().map(|vouched| vouched.store.clone()));
        }
        self.put(next)?;
        if !sealed {
            let why = "its files are checked when it is mounted, not at each read: the file system has no fs-verity";
            changed.notes.push(why.to_owned());
        }
        let unknown = |name: &Name| self.base.library.find(name).is_none();
        for asked in manifest.permissions.iter().filter(|asked| unknown(&asked.permission)) {
            let name = &asked.permission;
            changed
                .notes
                .push(format!("this device knows no permission `{name}`, so it does not have it"));
        }
        Ok(changed)
    }

    /// A bundle is removed from what is installed.
    fn remove_from_generation(
        &mut self,
        id: &BundleId,
        keep_data: bool,
    ) -> Result<Changed, Refusal> {
        let shipped = self.image.get(id);
        let ships = shipped.is_some();
        // What came with the device counts again.
        let after = shipped.filter(|_| self.generation.bundle(id).is_some());
        let after = after.map(|held| (held.manifest.kind, held.manifest.version));
        if self.held.contains_key(id) {
            may_become(id, after, &self.held)?;
        }
        let mut next = self.generation.clone();
        let known = self.generation.user(id).is_some();
        if !known && !ships && !keep_data && self.base.has_data(id)? {
            next.erase(id);
        } else {
            next.remove(id, ships, keep_data).map_err(Refusal::Refused)?;
        }
        next.came_from(id, None);
        self.changed(id, next)
    }

    /// The version before is what is installed.
    fn roll_generation_back(&mut self, id: &BundleId, at: u64) -> Result<Changed, Refusal> {
        if self.generation.bundle(id).is_none() && !self.image.contains_key(id) {
            return Err(Refusal::NotFound(format!(
                "{id} is not installed: `ensctl app list` shows what is"
            )));
        }
        let mut next = self.generation.clone();
        let previous = next.rollback(id, at).map_err(Refusal::Refused)?;
        next.came_from(id, None);
        let manifest = self.before(id, previous.digest.as_ref())?;
        below(&manifest, &self.held)?;
        may_become(id, Some((manifest.kind, manifest.version)), &self.held)?;
        self.changed(id, next)
    }

    fn changed(&mut self, id: &BundleId, next: Generation) -> Result<Changed, Refusal> {
        let before = self.get(id).map(|held| held.manifest.version);
        self.unmount(id)?;
        self.put(next)?;
        Ok(Changed { id: id.clone(), before, notes: Vec::new() })
    }
}
