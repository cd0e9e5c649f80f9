//! What else there is to tell about one service, for people. Reads, changes nothing.

use std::io;
use std::time::Duration;

use api::services::Fact;
use model::service::Service;

use super::broker::Facts;
use super::health::Question;
use super::{Daemon, commands};
use crate::engine::Id;

impl Daemon {
    /// What only some services have, in order.
    pub(super) fn facts(&self, id: Id) -> Vec<Fact> {
        let (Some(service), Some(part)) = (self.plan.services.get(id), self.parts.get(id)) else {
            return Vec::new();
        };
        let life = self.engine.life(id);
        let running =
            life.and_then(|life| life.command).map(|c| commands::word(c.phase).to_owned());
        let watchdog = life.and_then(|life| life.watch).or(service.watchdog);
        let watchdog = watchdog.filter(|every| *every > Duration::ZERO);
        let errno = Some(part.side.errno).filter(|errno| *errno > 0);
        let stored = self.upkeep.stores.of(service.name.as_str()).count();
        let all = [
            ("runs", running.map(|word| format!("its {word} command"))),
            ("frozen", part.side.frozen.then(|| "its processes stand still".to_owned())),
            ("watchdog", watchdog.map(|every| format!("every {every:?}"))),
            ("health", health(service, part.side.bad)),
            ("error", errno.map(|errno| io::Error::from_raw_os_error(errno).to_string())),
            ("signal", part.signal.told.as_deref().map(Facts::sentence)),
            ("due", self.timers.next(id, self.now())),
            ("storage", self.launcher.storage.told(service)),
            ("stored", (stored > 0).then(|| format!("{stored} descriptors for its next start"))),
        ];
        all.into_iter()
            .filter_map(|(about, value)| Some(Fact { about: about.to_owned(), value: value? }))
            .collect()
    }
}

fn health(service: &Service, bad: u32) -> Option<String> {
    let health = service.health.as_ref()?;
    let (question, every) = (Question(&health.probe), health.interval);
    Some(match bad {
        0 => format!("{question} every {every:?}"),
        bad => format!("{question} every {every:?}; {bad} of {} bad answers", health.retries),
    })
}
