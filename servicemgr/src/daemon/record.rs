//! What happened, written down for the next servicemgr and told to people.
//!
//! Invariant: the log that PID 1 holds begins with the names of all services. The files that define
//! them may be others when the next servicemgr reads them, and lives are found again by name.

use std::os::fd::AsFd;

use api::pid1::ToPid1;

use super::Daemon;
use super::state::Log;
use crate::engine::{Id, Life};

/// Ends of processes that are acknowledged together while all goes down.
const ACK_EVERY: u64 = 32;

impl Daemon {
    /// Writes what changed, and tells people.
    pub(super) fn record(&mut self) {
        let changed = self.engine.changed();
        for id in &changed {
            self.say(*id);
            self.bus_hears_of(*id);
            self.follow(*id);
            self.params_hear_of(*id);
            self.write_unit(*id);
            self.answer_waits(*id);
            if self.is_transient(*id) {
                self.ended.push(*id);
            }
        }
        if self.whole != self.written {
            self.written = self.whole;
            self.log.whole(self.whole);
        }
        self.write_log();
        if self.log.is_long()
            && let Err(e) = self.rewrite()
        {
            log::error!("could not write the state anew: {e}: going on");
        }
    }

    pub(super) fn write_log(&mut self) {
        match self.log.flush() {
            Ok(()) => self.launcher.births.clear(),
            Err(e) => log::error!("could not write the state: {e}: going on"),
        }
    }

    pub(super) fn write_unit(&mut self, id: Id) {
        if self.ends.is_implied(self.engine.state(id)) {
            return;
        }
        if let (Some(life), Some(part)) = (self.engine.life(id), self.parts.get(id)) {
            self.log.unit(id, part.keep(life));
            self.launcher.births.show(id);
        }
    }

    /// The present, without its history, in a new log that PID 1 takes over. Until it has it, the
    /// old one goes on.
    pub(super) fn rewrite(&mut self) -> std::io::Result<()> {
        let mut log = Log::create()?;
        let names = self.plan.services.iter().take(self.fixed).map(|s| s.name.as_str());
        log.names(&names.collect::<Vec<_>>().join("\n"));
        for (id, service) in self.plan.services.iter().enumerate().skip(self.fixed) {
            if self.find(service.name.as_str()) == Some(id) {
                log.service(id, Some(&self.permissions.as_defined(service)));
            }
        }
        for (id, part) in self.parts.iter().enumerate() {
            if let Some(life) = self.engine.life(id).filter(|l| **l != Life::default()) {
                log.unit(id, part.keep(life));
            }
        }
        log.whole(self.whole);
        log.flush()?;
        log.set_limit();
        self.link.send(&ToPid1::State, Some(log.as_fd()))?;
        (self.log, self.written) = (log, self.whole);
        self.launcher.births.clear_all();
        Ok(())
    }

    /// What the log shows need not be told again. While all goes down not each end is worth a packet:
    /// the next servicemgr passes over what it is told twice.
    pub(super) fn acknowledge(&mut self) {
        let together = if self.down.is_some() { ACK_EVERY } else { 1 };
        if self.whole.seen >= self.acknowledged.saturating_add(together) {
            self.record();
            self.acknowledged = self.whole.seen;
            self.tell(&ToPid1::Ack(self.whole.seen), None);
        }
    }
}
