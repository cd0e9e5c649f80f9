//! What becomes of the group of a service when its processes are gone: a next life, or nothing.
//!
//! ```text
//! made ──► fresh ──processes gone──► empty ──started again soon──► the next life in it
//!            │                         └──not within KEEP──► removed
//!            └── killed, frozen ──► used up: removed at once
//! ```
//!
//! To remove a group and to make it anew is most of a restart. Invariant: a life begins in a group that
//! nobody was killed in, by us (the kernel would kill who comes next) or for want of memory (it would be
//! counted again), and that has no groups below. Its limits are written for each life.

use std::io;
use std::time::Duration;

use super::Daemon;
use super::acts::LEFT_LOOKS;
use super::adopt::end_all;
use crate::engine::Id;

/// How long an empty group waits for the next life of its service.
const KEEP: Duration = Duration::from_secs(5);

impl Daemon {
    /// The group of a service that is to start, if it can begin in it.
    pub(super) fn can_begin_in_its_group(&self, id: Id) -> bool {
        let killed = |group: &sys::cgroup::Group| group.number("memory.events", "oom_kill");
        (self.empty.contains(&id) || self.upkeep.empty.contains(&id))
            && self.fresh.contains(&id)
            && self.group(id).is_some_and(|group| {
                group.is_leaf().unwrap_or(false)
                    && !killed(&group).is_ok_and(|count| count.is_some_and(|count| count > 0))
            })
    }

    /// Removes the groups of services that have ended and were not started again, those which can have a
    /// next life after a while.
    pub(super) fn remove_empty_groups(&mut self) {
        for id in std::mem::take(&mut self.empty) {
            if !self.fresh.contains(&id) || self.is_transient(id) {
                self.remove_group_of_ended(id);
            } else {
                if self.upkeep.empty.is_empty() {
                    let sender = self.upkeep.sender.clone();
                    tokio::spawn(async move {
                        tokio::time::sleep(KEEP).await;
                        // Nobody hears it: all goes down.
                        let _gone = sender.send(Box::new(Self::remove_kept_groups)).await;
                    });
                }
                self.upkeep.empty.insert(id);
            }
        }
    }

    /// What was kept is needed no more, unless it was started again.
    fn remove_kept_groups(&mut self) {
        for id in std::mem::take(&mut self.upkeep.empty) {
            self.remove_group_of_ended(id);
        }
    }

    fn remove_group_of_ended(&mut self, id: Id) {
        let part = self.parts.get(id);
        if part.is_none_or(|part| part.pid.is_none() && part.side.command.is_none()) {
            self.remove_group(id);
        }
    }

    fn remove_group(&mut self, id: Id) {
        self.fresh.remove(&id);
        let Some(service) = self.plan.services.get(id) else { return };
        let (Some(groups), name) = (&self.launcher.groups, service.name.as_str()) else { return };
        let removed = match groups.remove(name) {
            // Its commands left something behind.
            Err(e) if e.kind() == io::ErrorKind::ResourceBusy => {
                let ended = groups.get(name).and_then(|group| end_all(&group, LEFT_LOOKS));
                ended.and_then(|()| groups.remove(name))
            }
            other => other,
        };
        if let Err(e) = removed {
            log::warn!(target: name, "control group {name}: {e}");
        }
    }
}
