//! What is around us: the groups and controllers, the capabilities and limits that services can
//! have here. Found out once, when servicemgr begins; what is lacking is said once, and done without.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io;

use model::Plan;
use sandbox::Host;
use sys::cgroup::Groups;

use super::births::Births;
use super::launcher::Launcher;
use super::limits;
use super::permissions::Permissions;
use super::sandboxes::Sandboxes;
use super::settings::Settings;
use super::shipped::Shipped;
use super::spares::Spares;
use super::storage::Storage;
use crate::engine::JOURNAL;

/// A launcher that knows all this.
pub(super) fn launcher(
    settings: &Settings,
    plan: &mut Plan,
    permissions: &mut Permissions,
    shipped: Shipped,
) -> io::Result<Launcher> {
    let groups = Groups::open(&settings.groups)
        .inspect_err(|e| log::warn!("no control groups: {e}: services run without limits"));
    let controllers = controllers(groups.as_ref().ok(), plan);
    let own = fs::read_to_string("/proc/self/oom_score_adj").unwrap_or_default();
    let null = File::options().read(true).write(true).open("/dev/null")?;
    let host = Host {
        notify: settings.notify.display().to_string(),
        open_files: sys::limit::most_open_files()?,
        oom_score: !matches!(own.trim(), "" | "0"),
        capabilities: permitted(),
    };
    say_lacking(plan, &host);
    let compiled = std::mem::take(&mut plan.compiled);
    let mut sandboxes = Sandboxes::new(compiled, shipped, settings.compiler.clone());
    sandboxes.learn(&plan.services);
    permissions.take_back_broken(plan, &mut sandboxes);
    Ok(Launcher {
        host,
        etc: settings.etc.clone(),
        groups: groups.ok(),
        controllers,
        has_journal: plan.services.iter().any(|s| s.name.as_str() == JOURNAL),
        null,
        credentials: settings.credentials.clone(),
        sockets: BTreeMap::new(),
        connections: BTreeMap::new(),
        outputs: BTreeMap::new(),
        lowered: BTreeSet::new(),
        births: Births::default(),
        sandboxes,
        spares: Spares::new(),
        storage: Storage::default(),
    })
}

/// Our own capabilities: no service can keep more. Where `/proc` does not tell, all of them.
fn permitted() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("CapPrm:"));
    mask.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok()).unwrap_or(u64::MAX)
}

/// Says once which capabilities services do without.
fn say_lacking(plan: &Plan, host: &Host) {
    let lacking = plan.services.iter().flat_map(|s| sandbox::lacking(s, host));
    let names: BTreeSet<&str> = model::gather(lacking);
    if !names.is_empty() {
        let names = names.into_iter().collect::<Vec<_>>().join(", ");
        log::warn!("no capability {names} here: services run without");
    }
}

/// The controllers that the services' groups can have, with those enabled that a limit needs; that
/// others are missing is said, once.
fn controllers(groups: Option<&Groups>, plan: &Plan) -> Vec<String> {
    let Some(groups) = groups else { return Vec::new() };
    let there = groups.controllers().unwrap_or_else(|e| {
        log::warn!("could not read the controllers of the services' groups: {e}");
        Vec::new()
    });
    let needed = plan.services.iter().flat_map(|s| limits::controllers(&s.limits));
    let needed: BTreeSet<&str> = model::gather(needed);
    let (needed, missing): (Vec<&str>, Vec<&str>) =
        needed.into_iter().partition(|c| there.iter().any(|t| t == c));
    // All at once and before there are groups: later each one costs some ten milliseconds.
    if let Err(e) = groups.enable(&needed) {
        log::warn!("could not enable {} for services: {e}: each tries again", needed.join(", "));
    }
    if !missing.is_empty() {
        let missing = missing.join(", ");
        log::warn!("no controller for {missing} here: services run without these limits");
    }
    there
}
