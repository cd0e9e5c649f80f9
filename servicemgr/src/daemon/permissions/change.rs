//! Grant, revoke, reset: what it changes, said or done.
//!
//! ```text
//! wish ─► allowed at all? ─► sandbox with it can be made? ─► Outcome ──rehearsal──► answer
//!              └─no─► refused         └─no─► refused            └─► on disk ─► log ─► bus ─► processes
//! ```
//!
//! A kernel does not widen or narrow the sandbox of a process that runs. So a grant counts at the next start;
//! a revoke kills what was started with the permission, all of its group at once, and starts the service
//! again if it was up. That is nobody's failure and counts for no limit. On the bus both count at once.
//!
//! Invariants: what is not on disk has not happened; once a revoke is answered, nothing that has the permission
//! runs, or the answer says so.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use api::permissions::{Outcome, Processes};
use api::services::Error;
use model::Name;
use model::permission::Grant;
use model::service::Service;
use tokio::sync::oneshot;

use super::facts::more;
use super::{Widened, bus::Decided};
use crate::daemon::adopt::end_all;
use crate::daemon::instances::decided_here;
use crate::daemon::requests::unknown;
use crate::daemon::sandboxes::REFUSAL;
use crate::daemon::{Daemon, Part, voice};
use crate::engine::{Ask, Event, Id, State};
use crate::grants::{Answer, Decision, Decisions};

/// How often a killed group is looked at until it is empty: 250 ms in all, in which nothing else is done.
const LOOKS: u32 = 50;

/// Number of requests that nobody waits for.
const NOBODY: u64 = 0;

/// `SIGKILL`.
const SIGKILL: i32 = 9;

/// What somebody wants for a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wish {
    /// It may have this.
    Grant {
        /// The permission.
        permission: String,
        /// It starts again, so that it has it.
        now: bool,
    },
    /// It may not have this any more.
    Revoke {
        /// The permission.
        permission: String,
        /// Its processes get time to end.
        gently: bool,
    },
    /// Nothing was ever decided.
    Reset,
}

impl Wish {
    /// As people say it.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Grant { .. } => "grant",
            Self::Revoke { .. } => "revoke",
            Self::Reset => "reset",
        }
    }

    /// As the log says it.
    fn verdict(&self) -> &'static str {
        match self {
            Self::Grant { .. } => "granted",
            Self::Revoke { .. } => "revoked",
            Self::Reset => "forgotten",
        }
    }
}

/// What the answer waits for.
#[derive(Debug, Default)]
pub(super) struct After {
    /// The system bus has its new policy.
    pub(super) bus: Option<oneshot::Receiver<()>>,
    /// The service is to be restarted.
    pub(super) restart: bool,
}

/// A service whose permissions are decided about.
#[derive(Debug)]
struct Asking {
    /// Not for an instance that is not there now.
    id: Option<Id>,
    /// As its definition says.
    service: Service,
    /// No file defines it.
    moment: bool,
}

/// A change that was found to be possible.
#[derive(Debug)]
struct Change {
    decisions: Decisions,
    outcome: Outcome,
    /// Those about which it is another decision.
    about: Vec<Name>,
    /// What its processes have and lose.
    lost: Vec<Name>,
    /// Rights on the bus change.
    bus: bool,
}

impl Daemon {
    /// Does what user `uid` wants, or only says what that would do.
    pub(super) fn decide(
        &mut self,
        name: &str,
        wish: &Wish,
        uid: u32,
        rehearse: bool,
    ) -> Result<(Outcome, After), Error> {
        if self.engine.going_down() {
            return Err(Error::GoingDown("the device is going down; nothing is decided".into()));
        }
        let asking = self.asking(name, wish)?;
        let change = self.prepare_decision(&asking, wish, uid)?;
        if rehearse {
            return Ok((change.outcome, After::default()));
        }
        self.carry_out(asking, change, wish, uid)
    }

    /// The service called `name`, which is there, or could be as an instance, or was.
    fn asking(&mut self, name: &str, wish: &Wish) -> Result<Asking, Error> {
        if let Some(id) = self.find(name) {
            let service = self.plan.services.get(id).ok_or_else(|| unknown(name))?;
            let service = self.permissions.as_defined(service).into_owned();
            decided_here(&service)?;
            return Ok(Asking { id: Some(id), service, moment: self.is_of_the_moment(id) });
        }
        let whole = Name::try_from(name).map_err(|_| unknown(name))?;
        let instance = whole.of_template().and_then(|(template, instance)| {
            let templates = self.plan.templates.iter();
            templates.clone().find(|t| t.name.as_str() == template)?.instance(instance).ok()
        });
        let known = |daemon: &mut Self| {
            daemon.permissions.lasting.get().iter().any(|(service, ..)| *service == whole)
        };
        match instance {
            Some(service) => Ok(Asking { id: None, service, moment: false }),
            None if *wish == Wish::Reset && known(self) => {
                let service = Service::new(whole, Vec::new());
                Ok(Asking { id: None, service, moment: false })
            }
            None => Err(unknown(name)),
        }
    }

    /// The permission that a wish names, if it may be decided about.
    fn decidable(&mut self, service: &Service, name: &str) -> Result<Name, Error> {
        let refused = |why: String| Err(Error::Refused(why));
        let Some(name) =
            Name::try_from(name).ok().filter(|name| service.permissions.contains(name))
        else {
            let of = &service.name;
            return refused(format!(
                "{of} does not ask for `{name}`: only what its definition lists under [sandbox] permissions can \
                 be decided: `ensctl permission list {of}` shows it"
            ));
        };
        let found = self.permissions.find(&name);
        let found =
            found.map_err(|why| Error::Refused(format!("`{name}` can't be used: {why}")))?;
        if found.permission.grant == Grant::System {
            return refused(format!(
                "`{name}` is not the owner's to decide: whoever asks for it in its definition has it; to take it \
                 away, take it out of [sandbox] permissions of {}",
                service.name
            ));
        }
        Ok(name)
    }

    /// What a wish changes, before anything does.
    fn prepare_decision(
        &mut self,
        asking: &Asking,
        wish: &Wish,
        uid: u32,
    ) -> Result<Change, Error> {
        let Asking { id, service, moment } = asking;
        let old = self.permissions.store(*moment).get().clone();
        let mut new = old.clone();
        let mut decide = |daemon: &mut Self, permission: &str, answer| {
            let name = daemon.decidable(service, permission)?;
            if old.get(&service.name, &name).is_none_or(|made| made.answer != answer) {
                let decision = Decision { answer, by: uid, at: seconds() };
                new.decide(&service.name, &name, decision)
                    .map_err(|e| Error::Failed(e.to_string()))?;
            }
            Ok::<Name, Error>(name)
        };
        let granted = match wish {
            Wish::Grant { permission, .. } => Some(decide(self, permission, Answer::Granted)?),
            Wish::Revoke { permission, .. } => {
                decide(self, permission, Answer::Refused)?;
                None
            }
            Wish::Reset => {
                new.forget(&service.name);
                None
            }
        };
        let before = self.widened_by(service, &old);
        let after = self.widened_by(service, &new);
        if let Some(name) = &granted
            && let Some((_, why)) = after.wrong.iter().find(|(wrong, _)| wrong == name)
        {
            return Err(Error::Refused(format!("{}: {why}", service.name)));
        }
        let mut outcome = Outcome { changed: old != new, ..Outcome::default() };
        let broken = self.broken_with(service, &after);
        match (broken, &granted) {
            (Some(why), Some(name)) => {
                return Err(Error::Refused(format!(
                    "{}: with `{name}` it could not start here: {why}",
                    service.name
                )));
            }
            (Some(why), None) => outcome.notes.push(format!("it does not start here: {why}")),
            (None, _) => {}
        }
        let gains = granted.is_some();
        let (from, to) = if gains { (&before, &after) } else { (&after, &before) };
        outcome.kernel = more(&from.profile, &to.profile);
        outcome.bus = self.bus_difference(from, to);
        let bus = !outcome.bus.is_empty();
        if bus && self.bus_has_own_files() {
            outcome.notes.push(own_files(&service.name, granted.as_ref())?);
        }
        let lost = id.map(|id| self.lost(id, &before, &after)).unwrap_or_default();
        outcome.processes = match (wish, id.filter(|id| self.has_processes(*id))) {
            (_, None) => Processes::None,
            (Wish::Grant { now, .. }, Some(id)) => match (self.is_due(id, service, &after), now) {
                (false, _) => Processes::None,
                (true, true) => Processes::Restart,
                (true, false) => Processes::NextStart,
            },
            (_, Some(id)) if !self.must_end(id, service, &lost) => Processes::None,
            (Wish::Revoke { gently: true, .. }, _) => Processes::Restart,
            (Wish::Revoke { .. } | Wish::Reset, _) => Processes::Kill,
        };
        let differs = |name: &&Name| old.get(&service.name, name) != new.get(&service.name, name);
        let named = old.iter().chain(new.iter()).filter(|(of, ..)| **of == service.name);
        let mut about: Vec<Name> =
            named.map(|(_, name, _)| name).filter(differs).cloned().collect();
        about.sort();
        about.dedup();
        Ok(Change { decisions: new, outcome, about, lost, bus })
    }

    fn widened_by(&mut self, service: &Service, decisions: &Decisions) -> Widened {
        let granted = decisions.granted(&service.name, &service.permissions);
        let granted: Vec<Name> = granted.cloned().collect();
        self.permissions.widened(service, &granted)
    }

    /// Why a service can't be started with a profile, made ready on the way.
    fn broken_with(&mut self, service: &Service, with: &Widened) -> Option<String> {
        let service = Service { sandbox: with.profile.clone().into(), ..service.clone() };
        self.launcher.sandboxes.learn([&service]);
        let why = self.launcher.sandboxes.left_out(&service).err()?;
        Some(why.strip_prefix(REFUSAL).unwrap_or(&why).to_owned())
    }

    /// Rights on the bus that come with `to` and not with `from`.
    fn bus_difference(&mut self, from: &Widened, to: &Widened) -> Vec<String> {
        let mut all = Vec::new();
        for name in to.held.iter().filter(|name| !from.held.contains(name)) {
            let Ok(found) = self.permissions.find(name) else { continue };
            let bus = &found.permission.bus;
            all.extend(bus.talk.iter().map(|name| format!("talk {name}")));
            all.extend(bus.own.iter().map(|name| format!("own {name}")));
        }
        all
    }

    /// What the processes of a service have, and would not be given again. Names of the bus they may own
    /// since they were granted.
    fn lost(&mut self, id: Id, before: &Widened, after: &Widened) -> Vec<Name> {
        let mut all = self.parts.get(id).map(|part| part.permissions.clone()).unwrap_or_default();
        all.extend(before.held.iter().filter(|name| self.permissions.owns(name)).cloned());
        all.retain(|name| !after.held.contains(name));
        all.sort();
        all.dedup();
        all
    }

    /// Whether anything of a service runs.
    fn has_processes(&self, id: Id) -> bool {
        let known = |part: &Part| part.pid.is_some() || part.side.command.is_some();
        self.parts.get(id).is_some_and(known) || self.populated(id)
    }

    /// Whether processes of a service run in another sandbox than it would be given.
    fn is_due(&mut self, id: Id, service: &Service, after: &Widened) -> bool {
        let has = self.parts.get(id).map(|part| part.permissions.clone()).unwrap_or_default();
        self.permissions.widened(service, &has).profile != after.profile
    }

    /// Whether processes of a service have something by what they lose that only their end takes away: of
    /// the kernel, or a name of the bus, which who owns it keeps.
    fn must_end(&mut self, id: Id, service: &Service, lost: &[Name]) -> bool {
        let has = self.parts.get(id).map(|part| part.permissions.clone()).unwrap_or_default();
        let rest: Vec<Name> = has.iter().filter(|name| !lost.contains(name)).cloned().collect();
        let owns = lost.iter().any(|name| self.permissions.owns(name));
        let profile =
            |daemon: &mut Self, names: &[Name]| daemon.permissions.widened(service, names).profile;
        owns || profile(self, &has) != profile(self, &rest)
    }

    /// Does it.
    fn carry_out(
        &mut self,
        asking: Asking,
        change: Change,
        wish: &Wish,
        uid: u32,
    ) -> Result<(Outcome, After), Error> {
        let Asking { id, service, moment } = asking;
        let Change { decisions, mut outcome, about, lost, bus } = change;
        if outcome.changed {
            let store = self.permissions.store(moment);
            if let Err(e) = store.replace(decisions) {
                let path = store.path().display();
                let why = format!("could not write {path}: {e}: nothing has changed");
                log::error!(target: service.name.as_str(), "{}: {why}", service.name);
                return Err(Error::Failed(why));
            }
            for name in &about {
                say(&service.name, name, wish, uid);
                let granted = matches!(wish, Wish::Grant { .. });
                let decided: Decided = (service.name.to_string(), name.to_string(), granted);
                self.tell_decided(&decided);
            }
        }
        let mut after = After::default();
        let Some(id) = id else { return Ok((outcome, after)) };
        self.give_permissions(id);
        if bus {
            after.bus = self.renew_bus_policy();
        }
        match outcome.processes {
            Processes::None | Processes::NextStart => {}
            Processes::Restart => after.restart = true,
            Processes::Kill => self.take_away(id, &lost, &mut outcome),
        }
        Ok((outcome, after))
    }

    /// Ends all processes of a service at once, and starts it again if it was up.
    fn take_away(&mut self, id: Id, lost: &[Name], outcome: &mut Outcome) {
        let Some(service) = self.plan.services.get(id) else { return };
        let name = service.name.to_string();
        let names = lost.iter().map(Name::as_str).collect::<Vec<_>>().join(", ");
        let why = format!("permission {names} was revoked");
        log::warn!(target: name.as_str(), "{name}: {why}: its processes are killed");
        let pid = self.parts.get(id).and_then(|part| part.pid);
        self.fresh.remove(&id);
        let ended = match (self.group(id), pid) {
            (Some(group), _) => end_all(&group, LOOKS),
            (None, Some(pid)) => sys::session::signal_around(pid, SIGKILL),
            (None, None) => Ok(()),
        };
        if let Err(e) = ended {
            log::error!(target: name.as_str(), "{name}: {why}, but its processes have not ended yet: {e}");
            outcome.notes.push(format!("its processes were killed and have not ended yet: {e}"));
        }
        if let Some(part) = self.parts.get_mut(id) {
            part.side.revoked = Some(why);
        }
        if matches!(self.engine.state(id), State::Starting | State::Ready) {
            self.feed(Event::Ask(id, Ask::Restart, NOBODY));
        }
    }
}

/// Into the log, with fields of their own for who looks for them.
fn say(service: &Name, permission: &Name, wish: &Wish, uid: u32) {
    let verdict = wish.verdict();
    let text = format!("{service}: permission {permission} {verdict} by user {uid}");
    let fields = [
        ("PERMISSION", permission.to_string()),
        ("DECISION", verdict.to_owned()),
        ("DECIDED_BY", uid.to_string()),
    ];
    voice::tell(service.as_str(), &text, &fields);
}

/// Seconds since 1970 by the device's clock, which may be wrong.
fn seconds() -> u64 {
    let since: Duration = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_secs()
}

/// What is said where dbus-daemon is the bus, or why this permission with names of it is not granted.
fn own_files(service: &Name, granted: Option<&Name>) -> Result<String, Error> {
    let why = "the system bus is dbus-daemon, whose own files say who may do what there";
    let Some(name) = granted else { return Ok(why.to_owned()) };
    Err(Error::Refused(format!(
        "{service}: `{name}` gives names of the bus, and {why}: enable `system-bus` (dbus-broker) in the device, or \
         write a file in /etc/dbus-1/system.d"
    )))
}
