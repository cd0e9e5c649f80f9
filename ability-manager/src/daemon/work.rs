//! Work that can wait, done.
//!
//! ```text
//! what is installed ─ declared ─► Works ─ step ─► started, ended            KEPT: what outlasts a boot
//! who is on the screen, the device ─► ▲                └─► how it went ─────► WANTED: there is some, start me at boot
//! ```
//!
//! When it runs is decided in [`crate::engine::work`]. Invariants: the device is only looked at when something waits for it;
//! where nothing installed has work, nothing of this costs anything.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::{Arc, Weak};
use std::time::Duration;

use api::abilities::{Error, State};
use api::background::Ran;
use model::bundle::{Ability, AbilityKind, BundleId, Need};
use model::want::Want;
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, spawn_local};

use super::asks::{Asker, traits};
use super::control::{Reply, Request};
use super::quiet::ran;
use super::{Daemon, clock, facts, memory, network, today};
use crate::engine::work::{Declared, Kept, NotRun, Outcome, RUN, Step, Works};
use crate::engine::{Caller, Event, Exit, InstanceId, InstanceRow, Target};
use crate::store::{Held, Store};

/// What outlasts a boot, below the directory of work.
const KEPT: &str = "kept";

/// Is there when something runs by itself: ability-manager is started at boot then.
const WANTED: &str = "wanted";

/// Time without a page on the screen after which nobody uses the device, as far as we see.
const IDLE_AFTER: Duration = Duration::from_secs(10 * 60);

/// Most clients that wait for one run.
const MAX_WAITING: usize = 16;

/// Work, and what is ours of it.
#[derive(Debug, Default)]
pub(super) struct Work {
    /// When it runs.
    pub works: Works,
    /// Of which manifests it was declared.
    of: Vec<Weak<Held>>,
    declared: bool,
    /// How instances ended, of runs that are under way.
    ends: BTreeMap<Target, Exit>,
    /// Who waits for an end.
    waiting: BTreeMap<Target, Vec<Reply<Ran>>>,
    /// Bundles with a page on the screen, when it was looked at last.
    on_screen: BTreeSet<BundleId>,
    /// Since when no page is.
    nobody: Option<Duration>,
    /// What was kept is old.
    dirty: bool,
    /// The way to the loop.
    requests: Option<mpsc::Sender<Request>>,
    /// Waits for a network, for work that lacks one.
    network: Option<AbortHandle>,
}

impl Work {
    /// With what is known of it.
    pub(super) fn new(works: Works) -> Self {
        Self { works, ..Self::default() }
    }

    /// What is asked of the loop goes this way.
    pub(super) fn by(&mut self, requests: mpsc::Sender<Request>) {
        self.requests = Some(requests);
    }

    /// Has it looked again when the device comes to a network, if work waits for one.
    fn watch_network(&mut self, now: Duration) {
        let lacks = self.works.rows(now).iter().any(|row| row.lacks.contains(&Need::Network));
        match (lacks, self.network.take()) {
            (true, Some(waits)) if !waits.is_finished() => self.network = Some(waits),
            (true, _) => {
                self.network = self.requests.clone().map(|requests| {
                    let wait = async move {
                        if let Err(e) = network::change().await {
                            log::debug!("a network is looked for now and then only: {e}");
                            return std::future::pending().await;
                        }
                        let again = |daemon: &mut Daemon| daemon.work.works.changed();
                        // The loop has ended, and so do we.
                        let _ending = requests.send(Box::new(again)).await;
                    };
                    spawn_local(wait).abort_handle()
                });
            }
            (false, Some(waits)) => waits.abort(),
            (false, None) => {}
        }
    }

    /// What is installed, if that has changed.
    fn declare(&mut self, now: Duration, store: &Store) {
        if self.declared && self.of.iter().map(Weak::as_ptr).eq(store.bundles().map(Arc::as_ptr)) {
            return;
        }
        self.of = store.bundles().map(Arc::downgrade).collect();
        let all: Vec<Declared> = store.bundles().flat_map(|held| of_bundle(held)).collect();
        if !all.is_empty() || !self.works.is_empty() || !self.declared {
            self.works.declare(now, &all);
            self.dirty = true;
        }
        self.declared = true;
    }
}

fn of_bundle(held: &Held) -> impl Iterator<Item = Declared> {
    let page = held.manifest.abilities.iter().any(|ability| ability.kind == AbilityKind::Page);
    let works = held.manifest.abilities.iter().filter(|one| one.kind == AbilityKind::Work);
    works.map(move |ability: &Ability| {
        let work = ability.work.clone().unwrap_or_default();
        let target = Target { bundle: held.id().clone(), ability: ability.name.clone() };
        Declared { target, needs: work.needs, every: work.every, page }
    })
}

impl Daemon {
    /// Does what is due of work. After each event: cheap when there is nothing.
    pub(super) fn do_work(&mut self) {
        let now = clock();
        self.work.declare(now, &self.store);
        if !self.work.works.is_empty() {
            self.see_who_uses_the_device(now);
            self.see_how_runs_go(now);
            let waits = self.work.works.waits_for_the_owner();
            if waits.is_some_and(|target| self.locked_out(target).is_none()) {
                self.work.works.changed();
            }
            if self.work.works.due(now).is_some_and(|due| due <= now) {
                self.step_work(now);
            }
        }
        if std::mem::take(&mut self.work.dirty) {
            self.dirty = true;
            self.keep_work(now);
        }
    }

    fn see_who_uses_the_device(&mut self, now: Duration) {
        let work = &mut self.work;
        let on_screen = self.tasks.on_screen();
        for bundle in on_screen.symmetric_difference(&work.on_screen) {
            work.dirty |= work.works.used(now, bundle);
        }
        work.on_screen.clone_from(on_screen);
        let nobody = on_screen.is_empty();
        let changed = nobody != work.nobody.is_some();
        if changed {
            work.nobody = nobody.then_some(now);
            work.works.changed();
        }
    }

    fn see_how_runs_go(&mut self, now: Duration) {
        let rows = self.engine.instances();
        let runs: Vec<&InstanceRow> =
            rows.iter().filter(|row| row.traits.kind == AbilityKind::Work).collect();
        let known = self.work.works.running();
        for row in &runs {
            let works = !matches!(row.state, State::Inactive | State::Terminating);
            if works && !known.contains(&row.target) {
                self.work.works.began(now, today(), &row.target);
            }
        }
        for target in known {
            let row = runs.iter().find(|row| row.target == target);
            match row.map(|row| (row.id, row.state)) {
                None => {
                    let how = self.work.ends.remove(&target).unwrap_or(Exit::Unknown);
                    let outcome = outcome(&how);
                    let well = outcome == Outcome::Well;
                    let how = if well { "done".to_owned() } else { how.to_string() };
                    self.work_ended(now, &target, outcome, &how);
                }
                Some((instance, State::Inactive)) => {
                    self.work_ended(now, &target, Outcome::Well, "done");
                    self.next.push_back(Event::Finish { instance, why: Exit::Idle });
                }
                Some(_) => {}
            }
        }
        self.pump();
    }

    fn work_ended(&mut self, now: Duration, target: &Target, outcome: Outcome, how: &str) {
        self.work.works.ended(now, target, outcome, how);
        self.work.dirty = true;
        let mut rows = self.work.works.rows(now).into_iter();
        let last = rows.find(|row| row.target == *target).and_then(|row| row.last);
        let Some(last) = last else { return };
        let Target { bundle, ability } = target;
        log::info!("{bundle}/{ability}: work: {} after {:.1} s", last.how, last.took.as_secs_f64());
        for reply in self.work.waiting.remove(target).unwrap_or_default() {
            // It has hung up meanwhile.
            let _gone = reply.send(Ok(ran(&last)));
        }
    }

    fn step_work(&mut self, now: Duration) {
        let so = if self.work.works.waits_for_the_device(now) { self.so(now) } else { Vec::new() };
        let mut works = std::mem::take(&mut self.work.works);
        let steps = works.step(now, today(), &so, |target| self.locked_out(target).is_some());
        self.work.works = works;
        self.work.watch_network(now);
        for step in steps {
            match step {
                Step::Run(target) => self.begin_work(&target),
                Step::Finish(target) => {
                    let why = Exit::BackgroundTime;
                    let instance = self.instance_of(&target);
                    self.next.extend(instance.map(|instance| Event::Finish { instance, why }));
                }
                Step::Kill(target) => {
                    let why = Exit::BackgroundTime;
                    let instance = self.instance_of(&target);
                    self.next.extend(instance.map(|instance| Event::Kill { instance, why }));
                }
            }
        }
        self.pump();
        // What could not be started has ended already.
        if self.work.works.running().len() > self.work_instances() {
            self.see_how_runs_go(now);
        }
    }

    fn begin_work(&mut self, target: &Target) {
        self.work.dirty = true;
        self.work.ends.remove(target);
        let held = self.store.get(&target.bundle);
        let ability = held.and_then(|held| held.manifest.ability(target.ability.as_str()));
        let Some(traits) = ability.map(traits) else { return };
        let Some(request) = self.asked_by(Asker::Nobody) else { return };
        let (bundle, ability) = (Some(target.bundle.clone()), Some(target.ability.clone()));
        let parameters = [("seconds".to_owned(), RUN.as_secs().to_string())].into();
        let want = Arc::new(Want { bundle, ability, parameters, ..Want::default() });
        let (caller, target, show) = (Caller::Root, target.clone(), false);
        self.next.push_back(Event::Start { request, caller, target, traits, want, show });
    }

    fn instance_of(&self, target: &Target) -> Option<InstanceId> {
        self.engine.instances().into_iter().find(|row| row.target == *target).map(|row| row.id)
    }

    fn work_instances(&self) -> usize {
        let running = self.work.works.running();
        let runs = |row: &InstanceRow| running.contains(&row.target);
        self.engine.instances().iter().filter(|row| runs(row)).count()
    }

    /// What is so of the device.
    fn so(&self, now: Duration) -> Vec<Need> {
        let power = facts::power();
        let idle = self.work.nobody.is_some_and(|since| now >= since + IDLE_AFTER);
        let all = [
            (Need::Network, facts::network()),
            (Need::Charging, power.is_charging()),
            (Need::Battery, !power.is_low()),
            (Need::Storage, facts::storage()),
            (Need::Idle, idle),
        ];
        all.into_iter().filter(|(_, so)| *so).map(|(need, _)| need).collect()
    }

    /// The process of an instance has ended, or was never there.
    pub(super) fn note_end(&mut self, instance: InstanceId, exit: &Exit) {
        let Some(row) = self.engine.instance(instance) else { return };
        if row.traits.kind == AbilityKind::Work {
            self.work.ends.insert(row.target, row.ending.unwrap_or_else(|| exit.clone()));
        }
    }

    /// A client wants work done now; it is told how that went.
    pub(super) fn run_work(&mut self, target: Target, reply: Reply<Ran>) {
        let Target { bundle, ability } = &target;
        self.work.declare(clock(), &self.store);
        let waiting = self.work.waiting.get(&target).map_or(0, Vec::len);
        if let Some(why) = self.locked_out(&target) {
            return drop(reply.send(Err(Error::Refused(why))));
        }
        let asked = match self.work.works.ask(&target) {
            Err(NotRun::Unknown) => Err(Error::NotFound(format!(
                "{bundle}/{ability} is no work: `ensctl ability work` shows all"
            ))),
            _ if waiting >= MAX_WAITING => {
                Err(Error::Refused(format!("{MAX_WAITING} clients wait for it already")))
            }
            // It is waited for.
            Ok(()) | Err(NotRun::Runs) => Ok(()),
        };
        match asked {
            Err(e) => drop(reply.send(Err(e))),
            Ok(()) => self.work.waiting.entry(target).or_default().push(reply),
        }
    }

    /// Keeps what outlasts a boot, and whether ability-manager is to be started in the next one.
    fn keep_work(&self, now: Duration) {
        let works = &self.work.works;
        let wanted = works.rows(now).iter().any(|row| row.next.is_some() || row.running.is_some());
        let directory = &self.settings.work;
        let kept = if works.is_empty() { None } else { Some(works.keep(now, today())) };
        let done = keep(directory, kept.as_ref(), wanted);
        if let Err(e) = done {
            let path = directory.display();
            log::error!("{path}: {e}: in the next boot work may run too soon, or not at all");
        }
    }
}

/// What the end of its process says of a run.
fn outcome(how: &Exit) -> Outcome {
    match how {
        Exit::Normal | Exit::Idle => Outcome::Well,
        Exit::Upgraded | Exit::Removed | Exit::Revoked | Exit::Requested | Exit::LowMemory => {
            Outcome::Cut
        }
        Exit::Locked | Exit::Unknown => Outcome::Cut,
        _ => Outcome::Failed,
    }
}

/// What an earlier boot kept.
pub(super) fn recall(directory: &Path) -> Works {
    let kept: Kept = memory::read(&directory.join(KEPT)).unwrap_or_default();
    Works::recall(kept, clock(), today())
}

/// What outlasts a boot, and the file that has ability-manager started in the next one.
fn keep(directory: &Path, kept: Option<&Kept>, wanted: bool) -> io::Result<()> {
    let Some(kept) = kept else {
        return match fs::remove_dir_all(directory) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
            _ => Ok(()),
        };
    };
    fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    memory::write(&directory.join(KEPT), kept, true)?;
    let mark = directory.join(WANTED);
    match (wanted, mark.exists()) {
        (true, false) => fs::write(mark, ""),
        (false, true) => fs::remove_file(mark),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_there_is_no_work_there_are_no_files_and_where_there_is_one_asks_for_the_next_boot() {
        let at = tempfile::tempdir().unwrap();
        let at = at.path().join("work");
        keep(&at, None, false).unwrap();
        keep(&at, Some(&Kept::default()), true).unwrap();
        assert!(at.join(WANTED).exists());
        assert!(recall(&at).is_empty());
        keep(&at, Some(&Kept::default()), false).unwrap();
        assert!(!at.join(WANTED).exists() && at.join(KEPT).exists());
        keep(&at, None, false).unwrap();
        assert!(!at.exists());
    }
}
