//! Asking running services how they are.
//!
//! ```text
//! start ──► ask ──good──► wait for `interval` ──► ask …
//!            └─bad───► Event::Unwell at the `retries`-th in a row, once it was ready
//! ```
//!
//! A task a service, which ends with its main process. With `readiness`, the first good answer makes
//! it ready; until then it is asked often, and a bad answer only means that it is not ready yet.

use std::fmt;
use std::time::Duration;

use model::service::{Command, Health, Kind, Probe};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{sleep, timeout};

use super::bus::Request;
use super::launcher::Wish;
use super::{Daemon, probe};
use crate::engine::{End, Event, Id, State};

/// First wait after a bad answer of a service that is not ready; it doubles up to `interval`.
const SOON: Duration = Duration::from_millis(50);

/// `SIGKILL`.
const SIGKILL: i32 = 9;

/// A probe that is a command and runs.
#[derive(Debug)]
pub(super) struct Probing {
    /// Its process.
    pub(super) pid: i32,
    /// Where its end is waited for.
    pub(super) reply: oneshot::Sender<Result<(), String>>,
}

/// A question, for people.
pub(super) struct Question<'a>(pub(super) &'a Probe);

impl fmt::Display for Question<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Probe::Exec(command) => f.write_str(&command.join(" ")),
            Probe::Http { address, path } => write!(f, "GET http://{address}{path}"),
            Probe::Tcp(address) => write!(f, "connection to {address}"),
        }
    }
}

/// What a service is told to be unwell for.
fn complaint(health: &Health, why: &str, times: u32) -> String {
    let question = Question(&health.probe);
    match times {
        1 => format!("health: {question}: {why}"),
        _ => format!("health: {question}: {why}, {times} times"),
    }
}

/// Who asks for whom.
struct Asker {
    id: Id,
    life: u64,
    news: mpsc::Sender<Request>,
}

impl Asker {
    /// Asks for as long as it lives.
    async fn run(self, health: Health) {
        let mut ready = !health.readiness;
        let mut wait = if ready { health.interval } else { Duration::ZERO };
        loop {
            sleep(wait).await;
            let answer = self.ask(&health).await;
            ready |= answer.is_ok();
            wait = match wait {
                _ if ready => health.interval,
                Duration::ZERO => SOON,
                wait => wait.saturating_mul(2),
            }
            .min(health.interval);
            let (id, life) = (self.id, self.life);
            let told = self.news.send(Box::new(move |daemon| daemon.answered(id, life, answer)));
            if told.await.is_err() {
                return;
            }
        }
    }

    async fn ask(&self, health: &Health) -> Result<(), String> {
        let question = async {
            match &health.probe {
                Probe::Tcp(address) => probe::tcp(*address).await,
                Probe::Http { address, path } => probe::http(*address, path).await,
                Probe::Exec(command) => self.execute(command.clone()).await,
            }
        };
        match timeout(health.timeout, question).await {
            Ok(answer) => answer,
            Err(_) => {
                let id = self.id;
                // It is over when the daemon is.
                let _over = self.news.send(Box::new(move |daemon| daemon.end_probe(id))).await;
                Err(format!("no answer within {:?}", health.timeout))
            }
        }
    }

    async fn execute(&self, command: Command) -> Result<(), String> {
        let (id, life) = (self.id, self.life);
        let (reply, answer) = oneshot::channel();
        let run: Request = Box::new(move |daemon| daemon.begin_probe(id, life, &command, reply));
        let gone = || "nobody could run it".to_owned();
        self.news.send(run).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

impl Daemon {
    /// Begins to ask, if the service has a probe.
    pub(super) fn begin_health(&mut self, id: Id) {
        let Some(service) = self.plan.services.get(id) else { return };
        let Some(health) = &service.health else { return };
        if matches!(service.kind, Kind::Oneshot | Kind::Target) {
            return;
        }
        let Some(part) = self.parts.get_mut(id) else { return };
        part.side.life += 1;
        part.side.bad = 0;
        let asker = Asker { id, life: part.side.life, news: self.upkeep.sender.clone() };
        let mut health = Health::clone(health);
        health.readiness &= self.engine.state(id) != State::Ready;
        let task = tokio::spawn(asker.run(health));
        if let Some(old) = part.side.health.replace(task) {
            old.abort();
        }
    }

    /// Asks no longer.
    pub(super) fn end_health(&mut self, id: Id) {
        self.end_probe(id);
        let Some(part) = self.parts.get_mut(id) else { return };
        if let Some(task) = part.side.health.take() {
            task.abort();
        }
        part.side.life += 1;
    }

    fn answered(&mut self, id: Id, life: u64, answer: Result<(), String>) {
        let Some(service) = self.plan.services.get(id) else { return };
        let (Some(health), Some(part)) = (&service.health, self.parts.get_mut(id)) else { return };
        if part.side.life != life || part.side.frozen {
            return;
        }
        let state = self.engine.state(id);
        match answer {
            Ok(()) => {
                part.side.bad = 0;
                if state == State::Starting && health.readiness {
                    self.feed(Event::Ready(id));
                }
            }
            Err(why) if state == State::Ready => {
                part.side.bad += 1;
                let times = part.side.bad;
                if times >= health.retries.max(1) {
                    part.side.bad = 0;
                    let complaint = complaint(health, &why, times);
                    self.feed(Event::Unwell(id, complaint));
                }
            }
            Err(_) => {}
        }
    }

    fn begin_probe(
        &mut self,
        id: Id,
        life: u64,
        command: &[String],
        reply: oneshot::Sender<Result<(), String>>,
    ) {
        let current = self.parts.get(id).is_some_and(|part| part.side.life == life);
        if !current || reply.is_closed() {
            return;
        }
        let variables = self.variables(id, "health");
        let wish =
            Wish { command: Some(command), variables: &variables, beside: true, ..Wish::default() };
        match self.launch(id, &wish) {
            Ok(started) => {
                self.belongs(started.pid, id);
                if let Some(part) = self.parts.get_mut(id) {
                    part.side.probe = Some(Probing { pid: started.pid, reply });
                }
            }
            Err(why) => drop(reply.send(Err(why))),
        }
    }

    /// Kills a probe that runs still. Its end is told by PID 1 and means nothing any more.
    fn end_probe(&mut self, id: Id) {
        let probe = self.parts.get_mut(id).and_then(|part| part.side.probe.take());
        if let Some(probe) = probe {
            // It leads a session of its own; that it has just ended is fine.
            let _ended = sys::session::signal(probe.pid, SIGKILL);
        }
    }

    /// The process of a probe ended.
    pub(super) fn probe_ended(&mut self, id: Id, end: End) {
        if let Some(probe) = self.parts.get_mut(id).and_then(|part| part.side.probe.take()) {
            let answer = if end.ok() { Ok(()) } else { Err(end.to_string()) };
            // Nobody waits: the time was over.
            let _late = probe.reply.send(answer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_complaint_says_what_was_asked_and_what_came() {
        let health = |probe| Health {
            probe,
            interval: Duration::from_secs(1),
            timeout: Duration::from_secs(1),
            retries: 3,
            readiness: false,
        };
        let address = "127.0.0.1:80".parse().unwrap();
        let http = health(Probe::Http { address, path: "/up".into() });
        assert_eq!(
            complaint(&http, "status 503", 3),
            "health: GET http://127.0.0.1:80/up: status 503, 3 times"
        );
        let tcp = health(Probe::Tcp(address));
        assert_eq!(
            complaint(&tcp, "connection refused", 1),
            "health: connection to 127.0.0.1:80: connection refused"
        );
        let exec = health(Probe::Exec(vec!["/bin/check".into(), "-v".into()]));
        assert_eq!(complaint(&exec, "exit status 1", 1), "health: /bin/check -v: exit status 1");
    }
}
