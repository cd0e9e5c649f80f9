//! What goes on while nobody looks, on the control socket.

use std::time::Duration;

use api::abilities::Error;
use api::background::{Ran, Task, Work};
use model::Name;
use model::bundle::BundleId;
use model::word::Word;
use zbus::interface;

use super::control::Desk;
use super::{Daemon, clock};
use crate::engine::Target;
use crate::engine::work::{Last, WorkRow};

/// The word for what has a time, where others have their mode.
const FINISHING: &str = "finishing";

/// What work lacks while the device is locked.
const UNLOCK: &str = "unlock";

/// One client's view of it.
pub(super) struct Quiet {
    desk: Desk,
}

impl Quiet {
    pub(super) fn new(desk: Desk) -> Self {
        Self { desk }
    }
}

#[interface(name = "org.ensemble.Background1")]
impl Quiet {
    async fn tasks(&self) -> Result<Vec<Task>, Error> {
        self.desk.look(|daemon| Ok(daemon.task_rows())).await
    }

    async fn works(&self) -> Result<Vec<Work>, Error> {
        self.desk.look(|daemon| Ok(daemon.work_rows())).await
    }

    async fn run(&self, bundle: String, ability: String) -> Result<Ran, Error> {
        self.desk.only_root("run")?;
        let none = || Error::NotFound(format!("no ability is called `{bundle}/{ability}`"));
        let bundle_id = BundleId::try_from(bundle.as_str()).map_err(|_| none())?;
        let name = Name::try_from(ability.as_str()).map_err(|_| none())?;
        let target = Target { bundle: bundle_id, ability: name };
        self.desk.call(move |daemon, reply| daemon.run_work(target, reply)).await
    }
}

impl Daemon {
    /// What goes on off the screen, by unit.
    pub(super) fn task_rows(&self) -> Vec<Task> {
        let row = |instance, task, mode: &str, reason: String, left: Duration| {
            let live = self.lives.get(&instance)?;
            Some(Task {
                unit: live.unit.clone(),
                bundle: live.target.bundle.to_string(),
                ability: live.target.ability.to_string(),
                task,
                mode: mode.to_owned(),
                reason,
                left: nanoseconds(left),
            })
        };
        let brief = self.tasks.background.rows(clock()).into_iter();
        let brief =
            brief.filter_map(|one| row(one.instance, one.task, FINISHING, one.reason, one.left));
        let long = self.tasks.continuous.tasks().iter().filter_map(|(number, one)| {
            row(one.instance, *number, one.mode.word(), one.reason.clone(), Duration::ZERO)
        });
        let mut rows: Vec<Task> = brief.chain(long).collect();
        rows.sort_by(|a, b| (&a.unit, &a.mode, a.task).cmp(&(&b.unit, &b.mode, b.task)));
        rows
    }

    /// Every ability of kind `work`.
    pub(super) fn work_rows(&self) -> Vec<Work> {
        let now = clock();
        self.work.works.rows(now).into_iter().map(|row| work(row, now)).collect()
    }
}

fn work(row: WorkRow, now: Duration) -> Work {
    let words = |needs: &[model::bundle::Need]| {
        needs.iter().map(|need| need.word().to_owned()).collect::<Vec<_>>()
    };
    let next = row.next.map(|next| nanoseconds(next.saturating_sub(now)));
    Work {
        bundle: row.target.bundle.to_string(),
        ability: row.target.ability.to_string(),
        needs: words(&row.needs),
        lacks: words(&row.lacks).into_iter().chain(row.locked.then(|| UNLOCK.to_owned())).collect(),
        running: row.running.is_some(),
        next: if row.running.is_some() { 0 } else { next.unwrap_or(u64::MAX) },
        last: row.last.as_ref().map(ran).unwrap_or_default(),
    }
}

/// How a run ended, as the bus has it.
pub(super) fn ran(last: &Last) -> Ran {
    let Last { at, took, well, how } = last;
    Ran { at: *at, took: nanoseconds(*took), well: *well, how: how.clone() }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
