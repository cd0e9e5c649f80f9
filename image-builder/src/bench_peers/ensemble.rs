//! Ensemble in the same guest as its peers: PID 1, servicemgr, journal, control bus, limits and state are on.

use anyhow::{Context, Result};
use model::plan::PLAN_PATH;
use model::service::{Kind, RestartWhen, Service};
use model::{Name, Plan};

use super::{Peer, before};
use crate::tree::{Content, Node, Tree};

/// Ensemble. Its programs and its plan are put beside the rest by [`programs`] and [`plan`].
pub const ENSEMBLE: Peer = Peer {
    key: "ensemble",
    name: "Ensemble",
    packages: &[],
    about: "`type = \"notify\"` and `requires`; with the journal, the control bus, a cgroup, limits and the default \
            sandbox for each, and state that survives a crash of servicemgr; no delay of restarts",
    init: "/usr/lib/ensemble/init",
    stop: "/usr/bin/ensctl service stop daemon-@",
    start: "/usr/bin/ensctl service start daemon-@",
    off: "/usr/bin/ensctl poweroff",
    cgroups: true,
    files: |_, _| Ok(()),
};

/// Puts our programs into a guest.
///
/// # Errors
/// A path is in the way.
pub fn programs(tree: &mut Tree, programs: &[(String, Content)]) -> Result<()> {
    for (path, content) in programs {
        tree.insert(path, Node::file(0o755, content.clone()))?;
    }
    Ok(())
}

/// Puts the plan of so many daemons into a guest.
///
/// # Errors
/// The graph has a mistake, or a path is in the way.
pub fn plan(tree: &mut Tree, journal: &Service, count: u32) -> Result<()> {
    let path = PLAN_PATH.strip_prefix('/').context("the plan is in the root")?;
    Ok(tree.insert(path, Node::file(0o644, linked(journal, count)?.encode()))?)
}

fn linked(journal: &Service, count: u32) -> Result<Plan> {
    let mut services = vec![journal.clone()];
    for id in 0..count {
        let exec = ["/bench/daemon", &id.to_string()].map(str::to_owned);
        let mut service = Service::new(name(id)?, exec.to_vec());
        service.kind = Kind::Notify;
        service.requires = before(id).map(name).transpose()?.into_iter().collect();
        service.restart.when = RestartWhen::Always;
        service.restart.delay = std::time::Duration::ZERO;
        service.limits = journal.limits.clone();
        services.push(service);
    }
    let enabled: Vec<Name> = services.iter().map(|s| s.name.clone()).collect();
    Plan::link("bench", services, &enabled).map_err(|errors| {
        let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
        anyhow::anyhow!("the benchmark's services: {}", errors.join("; "))
    })
}

fn name(id: u32) -> Result<Name> {
    Ok(Name::try_from(format!("daemon-{id}"))?)
}
