//! What clients ask for, put to the engine; what they want to know, read from it.

use api::services::{Edge, Error, Hold, Row, State as Shown, Status, System, Transaction, Why};
use model::Name;
use tokio::sync::oneshot;

use super::Daemon;
use super::bus::Reply;
use super::view::{last_exit, nanoseconds};
use crate::engine::{self, Ask, Event, Id};

/// Services in one request.
const MAX_NAMES: usize = 256;

/// Clients that may wait for a state at a time.
const MAX_WAITS: usize = 256;

/// The words for states that a client may wait for.
const STATES: [Shown; 12] = [
    Shown::Off,
    Shown::Armed,
    Shown::Waiting,
    Shown::Starting,
    Shown::Ready,
    Shown::Reloading,
    Shown::Frozen,
    Shown::Skipped,
    Shown::Done,
    Shown::Stopping,
    Shown::Backoff,
    Shown::Failed,
];

/// What will tell how each service fared.
pub(super) type Answers = Vec<(String, oneshot::Receiver<Result<(), Error>>)>;

/// A client that waits until a service is in one of these states.
#[derive(Debug)]
pub(super) struct Wait {
    id: Id,
    states: Vec<String>,
    reply: Reply<Result<Row, Error>>,
}

impl Daemon {
    /// A request about one service. `reply` gets its answer when the job has ended.
    pub(super) fn ask(&mut self, name: &str, ask: Ask, reply: Reply<Result<(), Error>>) {
        match self.find_or_make(name, ask) {
            Err(e) => drop(reply.send(Err(e))),
            Ok(id) => {
                let job = self.job(reply);
                self.feed(Event::Ask(id, ask, job));
            }
        }
    }

    /// A request about several services at once. Answers with what will tell how each of them fared.
    pub(super) fn ask_all(&mut self, what: &str, names: &[String]) -> Result<Answers, Error> {
        let ask = word(what)?;
        if names.len() > MAX_NAMES {
            return Err(Error::Failed(format!("{what}: at most {MAX_NAMES} services at once")));
        }
        let ids: Result<Vec<Id>, Error> =
            names.iter().map(|name| self.find_or_make(name, ask)).collect();
        let (mut jobs, mut answers) = (Vec::new(), Vec::new());
        for (id, name) in ids?.into_iter().zip(names) {
            let (reply, answer) = oneshot::channel();
            jobs.push((id, self.job(reply)));
            answers.push((name.clone(), answer));
        }
        self.feed(Event::AskAll(ask, jobs));
        Ok(answers)
    }

    /// A number for a request whose answer goes to `reply`.
    pub(super) fn job(&mut self, reply: Reply<Result<(), Error>>) -> u64 {
        self.last_job += 1;
        self.jobs.insert(self.last_job, reply);
        self.last_job
    }

    /// The service of this name; an instance of a template is made when it is to start.
    fn find_or_make(&mut self, name: &str, ask: Ask) -> Result<Id, Error> {
        match (self.find(name), ask) {
            (Some(id), _) => Ok(id),
            (None, Ask::Start | Ask::Restart | Ask::Arm) => self.instantiate(name),
            (None, _) => Err(unknown(name)),
        }
    }

    /// One service in full.
    pub(super) fn find_status(&self, name: &str) -> Result<Status, Error> {
        self.find(name).and_then(|id| self.status(id)).ok_or_else(|| unknown(name))
    }

    /// What a request would do.
    pub(super) fn rehearse(&self, what: &str, names: &[String]) -> Result<Transaction, Error> {
        let ask = word(what)?;
        let known = |name: &String| self.find(name).ok_or_else(|| unknown(name));
        let ids = names.iter().map(known).collect::<Result<Vec<Id>, Error>>()?;
        let whole = self.engine.plan(&ids, ask).map_err(Error::Refused)?;
        let named = |ids: Vec<Id>| ids.into_iter().filter_map(|id| self.name(id)).collect();
        Ok(Transaction { stop: named(whole.stop), start: named(whole.start) })
    }

    /// The name of a service.
    pub(super) fn name(&self, id: Id) -> Option<String> {
        self.plan.services.get(id).map(|s| s.name.to_string())
    }

    /// Why a service is where it is.
    pub(super) fn why(&self, name: &str) -> Result<Why, Error> {
        let id = self.find(name).ok_or_else(|| unknown(name))?;
        let row = self.row(id).ok_or_else(|| unknown(name))?;
        let why = self.engine.why(id);
        let mut started_by = Vec::new();
        if u32::try_from(id).is_ok_and(|id| self.plan.enabled.contains(&id)) {
            started_by.push("boot".to_owned());
        }
        if why.requested && started_by.is_empty() {
            started_by.push("request".to_owned());
        }
        if self.engine.life(id).is_some_and(|life| life.armed) {
            started_by.push("what triggers it".to_owned());
        }
        Ok(Why {
            row,
            held_by: why.held_by.iter().map(|hold| self.hold(id, hold)).collect(),
            wanted_by: why.wanted_by.into_iter().filter_map(|id| self.name(id)).collect(),
            started_by,
            last_exit: self.parts.get(id).map(last_exit).unwrap_or_default(),
        })
    }

    /// As the bus shows what a service waits for.
    fn hold(&self, id: Id, hold: &engine::Hold) -> Hold {
        let name = hold.by.and_then(|by| self.name(by)).or_else(|| self.name(id));
        Hold {
            name: name.unwrap_or_default(),
            what: hold.what.clone(),
            since: nanoseconds(hold.since),
            until: hold.until.map_or(0, nanoseconds),
        }
    }

    /// Who names whom.
    pub(super) fn edges(&self) -> Vec<Edge> {
        let mut all = Vec::new();
        for from in self.plan.services.iter().filter(|s| self.find(s.name.as_str()).is_some()) {
            let keys: [(&str, &[Name]); 9] = [
                ("requires", &from.requires),
                ("wants", &from.wants),
                ("after", &from.after),
                ("before", &from.before),
                ("binds", &from.binds),
                ("conflicts", &from.conflicts),
                ("part-of", &from.part_of),
                ("on-failure", &from.on_failure),
                ("on-success", &from.on_success),
            ];
            for (kind, names) in keys {
                all.extend(names.iter().map(|to| Edge {
                    from: from.name.to_string(),
                    kind: kind.to_owned(),
                    to: to.to_string(),
                }));
            }
        }
        all
    }

    /// Answers once the service is in one of `states`.
    pub(super) fn wait(
        &mut self,
        name: &str,
        states: Vec<String>,
        reply: Reply<Result<Row, Error>>,
    ) {
        let wrong = states.iter().find(|s| STATES.iter().all(|known| known.word() != s.as_str()));
        let refused = match (self.find(name), wrong) {
            (None, _) => unknown(name),
            (Some(_), Some(wrong)) => Error::Failed(format!("{wrong}: no service is ever that")),
            (Some(id), None) => {
                self.waits.retain(|wait| !wait.reply.is_closed());
                if self.waits.len() < MAX_WAITS {
                    self.waits.push(Wait { id, states, reply });
                    return self.answer_waits(id);
                }
                Error::Failed(format!("{MAX_WAITS} clients wait already; try again later"))
            }
        };
        drop(reply.send(Err(refused)));
    }

    /// Tells those who wait for the state that a service now has.
    pub(super) fn answer_waits(&mut self, id: Id) {
        if self.waits.iter().all(|wait| wait.id != id) {
            return;
        }
        let Some(row) = self.row(id) else { return };
        let there =
            |wait: &mut Wait| wait.id == id && wait.states.iter().any(|s| s == row.state.word());
        for wait in self.waits.extract_if(.., there) {
            let _hung_up = wait.reply.send(Ok(row.clone()));
        }
    }

    /// Answers once the boot is over.
    pub(super) fn wait_settled(&mut self, reply: Reply<System>) {
        if self.engine.booted() {
            drop(reply.send(self.system()));
        } else {
            self.settled.push(reply);
        }
    }
}

/// What a client wants done with several services.
fn word(what: &str) -> Result<Ask, Error> {
    match what {
        "start" => Ok(Ask::Start),
        "stop" => Ok(Ask::Stop),
        "restart" => Ok(Ask::Restart),
        _ => Err(Error::Failed(format!("{what}: one of start, stop, restart"))),
    }
}

/// The answer about a service that is not there.
pub(super) fn unknown(name: &str) -> Error {
    Error::NoSuchService(format!("no service is called `{name}`: ensctl service list shows them"))
}
