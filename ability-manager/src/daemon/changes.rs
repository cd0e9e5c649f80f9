//! Changes of what is installed: one at a time, and what takes long of one beside all else.
//!
//! ```text
//! asked ─► its instances end ─► what servicemgr made ahead of its starts is let go of ─► its turn
//!    ─► the store ─► labour, on a thread of its own ─► the store … ─► done: whoever asked is told
//! ```
//!
//! Invariants: nothing of a bundle runs, or is started, while it is changed; no change is begun while the device is
//! being locked, nor is it locked while one is made, for what is copied must be read.

use std::path::{Path, PathBuf};

use model::bundle::{BundleId, DATA};
use tokio::sync::mpsc;
use tokio::task::{spawn_blocking, spawn_local};

use super::Daemon;
use super::control::Request;
use crate::engine::Exit;
use crate::store::{Change, Changed, Labour, Next, Refusal};

/// What is done once a change is made, or refused.
type Then = Box<dyn FnOnce(&mut Daemon, Result<Changed, Refusal>) + Send>;

/// All changes that were asked for.
#[derive(Debug, Default)]
pub(super) struct Changes {
    waiting: Vec<Waiting>,
    /// The one that is made.
    made: Option<Made>,
    /// The way back to the loop.
    requests: Option<mpsc::Sender<Request>>,
}

/// A change that waits until nothing of these bundles runs, nothing that was made ahead holds the data of the first, and no
/// other one is made.
struct Waiting {
    change: Change,
    /// None, of what nobody can run yet.
    bundles: Vec<BundleId>,
    why: Exit,
    data: Data,
    then: Then,
}

/// Whether views that were made ahead show data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Data {
    /// They may; nobody was asked, for something runs.
    Held,
    /// They are being let go of.
    Asked,
    /// None does.
    Free,
}

/// A change that is made.
struct Made {
    /// None of these is started meanwhile.
    bundles: Vec<BundleId>,
    then: Then,
}

impl std::fmt::Debug for Waiting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Waiting").field("bundles", &self.bundles).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Made {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Made").field("bundles", &self.bundles).finish_non_exhaustive()
    }
}

impl Changes {
    /// Tells it the way back to the loop.
    pub(super) fn by(&mut self, requests: mpsc::Sender<Request>) {
        self.requests = Some(requests);
    }

    /// How many are not made yet.
    pub(super) fn len(&self) -> usize {
        self.waiting.len() + usize::from(self.made.is_some())
    }

    /// Whether one is made just now.
    pub(super) fn is_making(&self) -> bool {
        self.made.is_some()
    }
}

impl Daemon {
    /// Ends all of the bundle of a change, and of those that lie upon it, and makes it once nothing of them runs.
    pub(super) fn change(
        &mut self,
        change: Change,
        why: Exit,
        then: impl FnOnce(&mut Self, Result<Changed, Refusal>) + Send + 'static,
    ) {
        let (data, bundles) = (Data::Free, Vec::new());
        let then: Then = Box::new(then);
        self.await_end_for(Waiting { change, bundles, why, data, then });
        self.do_changes();
    }

    /// Before it is made, what runs is to end.
    fn await_end_for(&mut self, mut waiting: Waiting) {
        if !self.store.interrupts(&waiting.change) {
            return self.changes.waiting.push(waiting);
        }
        let id = waiting.change.id().clone();
        let (upon, why) = (self.store.upon(&id), waiting.why.clone());
        waiting.bundles = [std::slice::from_ref(&id), &upon].concat();
        waiting.data = Data::Held;
        self.changes.waiting.push(waiting);
        self.end_bundle(&id, why);
        upon.iter().for_each(|bundle| self.end_bundle(bundle, Exit::Upgraded));
    }

    /// Makes the changes whose turn it is.
    pub(super) fn do_changes(&mut self) {
        let Self { engine, units, changes, .. } = self;
        let ended = |waiting: &Waiting| !waiting.bundles.iter().any(|one| engine.runs(one));
        let held = |one: &&mut Waiting| one.data == Data::Held && ended(one);
        for waiting in changes.waiting.iter_mut().filter(held) {
            waiting.data = Data::Asked;
            units.let_go(data_of(waiting.change.id()));
        }
        while !self.changes.is_making() && !self.is_being_locked() {
            let engine = &self.engine;
            let ended = |waiting: &Waiting| !waiting.bundles.iter().any(|one| engine.runs(one));
            let free = |waiting: &Waiting| waiting.data == Data::Free && ended(waiting);
            let Some(at) = self.changes.waiting.iter().position(free) else { return };
            let waiting = self.changes.waiting.remove(at);
            if waiting.bundles.is_empty() && self.store.interrupts(&waiting.change) {
                // Another one was made before, and what that installed may run.
                self.await_end_for(waiting);
                continue;
            }
            let Waiting { change, bundles, then, .. } = waiting;
            self.changes.made = Some(Made { bundles, then });
            self.go_on_with(change);
        }
    }

    /// Does what can be done at once, and has the rest done beside all else.
    fn go_on_with(&mut self, change: Change) {
        let labour = match self.store.go_on(change) {
            Ok(Next::Labour(labour)) => labour,
            Ok(Next::Done(changed)) => return self.made(Ok(changed)),
            Err(why) => return self.made(Err(why)),
        };
        if let Some(made) = self.changes.made.as_mut().filter(|_| labour.only_cleans()) {
            made.bundles.clear();
        }
        let Some(requests) = self.changes.requests.clone() else {
            return self.go_on_with(labour.run());
        };
        spawn_local(labours(labour, requests));
    }

    /// A change is made, or refused.
    fn made(&mut self, done: Result<Changed, Refusal>) {
        let Some(made) = self.changes.made.take() else { return };
        (made.then)(self, done);
        self.dirty = true;
    }

    /// Nothing that was made ahead shows these data any more.
    pub(super) fn changes_let_go(&mut self, tree: &Path) {
        let asked = |one: &&mut Waiting| one.data == Data::Asked;
        for waiting in self.changes.waiting.iter_mut().filter(asked) {
            if data_of(waiting.change.id()) == tree {
                waiting.data = Data::Free;
            }
        }
        self.do_changes();
    }

    /// Whether a bundle is being changed: nothing of it is started then.
    pub(super) fn is_changing(&self, bundle: &BundleId) -> bool {
        let waiting = self.changes.waiting.iter().map(|waiting| &waiting.bundles);
        let made = self.changes.made.iter().map(|made| &made.bundles);
        waiting.chain(made).any(|bundles| bundles.contains(bundle))
    }
}

/// Does what takes long, and goes on with what it gives.
async fn labours(labour: Labour, requests: mpsc::Sender<Request>) {
    let worked = spawn_blocking(move || labour.run()).await;
    let go_on = move |daemon: &mut Daemon| {
        match worked {
            Ok(change) => daemon.go_on_with(change),
            Err(e) => {
                let why = format!("making the change: {e}: try again");
                daemon.made(Err(Refusal::Failed(why)));
            }
        }
        daemon.after_change();
        daemon.pump();
    };
    // Nobody is there any more: the next one ends what was begun.
    let _ending = requests.send(Box::new(go_on)).await;
}

/// Where the data of a bundle are.
fn data_of(id: &BundleId) -> PathBuf {
    Path::new(DATA).join(id.as_str())
}
