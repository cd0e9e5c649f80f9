//! Services: from what was written to [`Service`].
//!
//! ```text
//! raw ─┬─ relations ── activation ── upkeep ─► Service ─ fits ─► Written (with places, for links)
//! ```

use std::time::Duration;

use super::check::{Check, choice};
use super::decode::{At, Pairs};
use super::report::{Place, Problem};
use super::value::{self, Checked};
use super::{permission, raw, sandbox, units};
use crate::Name;
use crate::sandbox::{Profile, View};
use crate::service::{
    Kind, OWN, Output, PLACEHOLDER, START_TIMEOUT, STOP_TIMEOUT, Service, Start, own_user,
    state_directory,
};

mod activation;
mod fits;
mod overlay;
mod relations;
mod storage;
pub(crate) mod upkeep;
mod words;

pub use overlay::{Defined, MAX_DROP_INS, MAX_TEXT, define, overlay, parse};
pub(crate) use relations::{Edge, one_service, template};

/// A checked service, with the places of what is looked up elsewhere.
#[derive(Debug, Clone)]
pub(crate) struct Written {
    pub(crate) service: Service,
    pub(crate) edges: Vec<Edge>,
    /// Where it says why it has no profile, or where it begins.
    pub(crate) place: Place,
    /// Users that it names.
    pub(crate) users: Vec<At<String>>,
    /// Where its sockets listen.
    pub(crate) sockets: Vec<At<String>>,
    /// Its names on the bus.
    pub(crate) bus: Vec<At<String>>,
}

impl Written {
    /// A warning if nothing restricts it and nobody says why.
    pub(crate) fn unconfined(&self) -> Option<Problem> {
        let message = format!("nothing restricts `{}`: it has no profile", self.service.name);
        let help = "[sandbox] with inherit = [\"service\"]; for development only, `exception` says why not";
        let made = self.service.name.of_template().is_some();
        (self.service.unconfined() && !made)
            .then(|| Problem::warning(self.place.clone(), message).help(help))
    }

    /// An instance of this template; `None` when the instance can't be part of a name.
    pub(crate) fn instance(&self, instance: &str) -> Option<Self> {
        let service = self.service.instance(instance).ok()?;
        let sockets = self.sockets.iter().zip(&service.sockets);
        let sockets = sockets.map(|(at, socket)| At {
            value: activation::address_text(socket),
            place: at.place.clone(),
        });
        Some(Self { sockets: sockets.collect(), service, ..self.clone() })
    }
}

/// Checks one service, called `name`; its file begins at `file`.
pub(crate) fn check(name: Name, raw: &raw::Service, file: &Place, c: &mut Check) -> Written {
    let relations = relations::check(&name, raw, c);
    let template = name.is_template();
    // An instance fills in its name; here any will do.
    let user = |text: &str| -> Checked<String> {
        let filled = if template { text.replace(PLACEHOLDER, "i") } else { text.to_owned() };
        value::user_name(&filled).map(|_| text.to_owned())
    };
    let kind = choice(raw.kind.as_ref(), Kind::Simple);
    let sockets = activation::sockets(raw.socket.as_ref(), &user, c);
    let bus = raw.bus.as_ref().map(|raw| activation::bus(raw, file, &user, c));
    let (bus, bus_names) = bus.unwrap_or_default();
    let mut edges = relations.edges;
    if let Some(place) = &sockets.accept {
        edges.extend(accepting(&name, place, c));
    }
    let exec = raw.exec.as_ref().and_then(|raw| upkeep::command(raw, "exec", c));
    let start = start(raw);
    let own = raw.user.as_ref().is_some_and(|at| at.value == OWN).then(|| own_user(&name));
    let profile = raw.sandbox.as_ref().map(|raw| sandbox::check(raw, c)).unwrap_or_default();
    let profile = if own.is_some() { with_state(profile, state_directory(&name)) } else { profile };
    let limits = raw.limits.as_ref().map(|raw| upkeep::limits(raw, c)).unwrap_or_default();
    let service = Service {
        about: c.one(raw.about.as_ref(), value::about).unwrap_or_default(),
        kind,
        requires: relations.requires,
        wants: relations.wants,
        binds: relations.binds,
        after: relations.after,
        before: relations.before,
        conflicts: relations.conflicts,
        part_of: relations.part_of,
        on_failure: relations.on_failure,
        on_success: relations.on_success,
        start,
        restart: upkeep::restart(raw.restart.as_ref(), kind, c).into(),
        start_timeout: time(&raw.start_timeout, c).unwrap_or(START_TIMEOUT),
        stop_timeout: time(&raw.stop_timeout, c).unwrap_or(STOP_TIMEOUT),
        user: own.or_else(|| c.one(raw.user.as_ref(), user).filter(|user| user != "root")),
        environment: environment(raw.environment.as_ref(), c),
        directory: directory(raw.working_directory.as_ref(), c),
        limits: limits.over(&profile.limits).into(),
        sandbox: profile.into(),
        exception: exception(raw).and_then(|at| c.one(Some(at), value::exception)).map(Into::into),
        permissions: raw.sandbox.as_ref().map(|raw| permission::asked(raw, c)).unwrap_or_default(),
        sockets: sockets.sockets,
        output: choice(raw.output.as_ref(), Output::Journal),
        remain: raw.remain.as_ref().map_or(remains(raw, start), |at| at.value),
        ready_fd: c.range(raw.ready_fd.as_ref(), "the descriptor", 3, 255),
        pid_file: c.one(raw.pid_file.as_ref(), value::image_path),
        bus: bus.map(Box::new),
        activation: activation::activation(raw, c).into(),
        commands: upkeep::commands(raw, c).into(),
        conditions: upkeep::conditions(raw.condition.as_ref(), c),
        watchdog: time(&raw.watchdog, c),
        health: raw.health.as_ref().and_then(|raw| upkeep::health(raw, file, c)).map(Box::new),
        critical: raw.critical.as_ref().and_then(|raw| upkeep::critical(raw, c)),
        credentials: upkeep::credentials(raw.credential.as_ref(), c),
        fd_store: c
            .range(raw.fd_store.as_ref(), "the number of descriptors", 0, upkeep::MAX_FD_STORE)
            .unwrap_or(0),
        ..Service::new(name, exec.unwrap_or_default())
    };
    fits::check(raw, &service, file, c);
    if let Some(raw) = &raw.sandbox {
        sandbox::check_service(raw, &service, c);
    }
    let users = users(raw).filter(|at| user(at).is_ok()).cloned().collect();
    let place = exception(raw).map_or(file, |at| &at.place).clone();
    Written { service, edges, place, users, sockets: sockets.addresses, bus: bus_names }
}

/// Why it has no profile; an empty text takes back what an earlier file says.
fn exception(raw: &raw::Service) -> Option<&At<String>> {
    raw.sandbox.as_ref()?.exception.as_ref().filter(|at| !at.value.is_empty())
}

/// With its data to be written, where only what is listed may be.
fn with_state(mut profile: Profile, directory: String) -> Profile {
    let listed = profile.files.view == View::Listed;
    if let Some(write) = profile.files.write.as_mut()
        && !write.contains(&directory)
    {
        write.push(directory);
        write.sort();
    } else if listed && profile.files.write.is_none() {
        profile.files.write = Some(vec![directory]);
    }
    profile
}

/// Every user that is named by itself; root is always there.
fn users(raw: &raw::Service) -> impl Iterator<Item = &At<String>> {
    let of_sockets = raw.socket.iter().flatten().filter_map(|s| s.user.as_ref());
    let of_bus = raw.bus.iter().flat_map(|bus| bus.owner.iter().chain(bus.users.iter().flatten()));
    let of_service = raw.user.iter().filter(|at| at.value != OWN);
    let all = of_service.chain(of_sockets).chain(of_bus);
    all.filter(|at| at.value != "root" && !at.contains(PLACEHOLDER))
}

/// The template that a service with `accept` needs.
fn accepting(name: &Name, place: &Place, c: &mut Check) -> Option<Edge> {
    match Name::try_from(format!("{name}@")) {
        Ok(value) => Some(Edge { key: "accept", to: At { value, place: place.clone() } }),
        Err(_) => {
            let message = "an instance of a template can't have processes for its connections";
            c.add(Problem::new(place.clone(), message).help("a service of its own can"));
            None
        }
    }
}

/// When it starts, when nothing is said: what triggers it says it too.
fn start(raw: &raw::Service) -> Start {
    let triggered = triggers(raw).into_iter().any(|there| there);
    choice(raw.start.as_ref(), if triggered { Start::Demand } else { Start::Boot })
}

/// Whether it has times, paths, devices, parameters, signals.
fn triggers(raw: &raw::Service) -> [bool; 5] {
    fn some<T>(list: &Option<Vec<T>>) -> bool {
        list.as_ref().is_some_and(|list| !list.is_empty())
    }
    [some(&raw.timer), some(&raw.path), some(&raw.device), some(&raw.parameter), some(&raw.signal)]
}

/// Whether a oneshot stays ready when nothing is said: not what is triggered again and again.
fn remains(raw: &raw::Service, start: Start) -> bool {
    start == Start::Boot && !triggers(raw).into_iter().any(|there| there)
}

fn time(at: &Option<At<String>>, c: &mut Check) -> Option<Duration> {
    c.one(at.as_ref(), units::timeout)
}

fn environment(raw: Option<&Pairs>, c: &mut Check) -> std::collections::BTreeMap<String, String> {
    let pairs = raw.map(|p| p.0.as_slice()).unwrap_or_default();
    let checked = pairs.iter().filter_map(|(key, text)| {
        c.one(Some(key), value::variable).zip(c.one(Some(text), value::argument))
    });
    crate::gather(checked)
}

fn directory(raw: Option<&At<String>>, c: &mut Check) -> Option<String> {
    c.one(raw.filter(|at| at.value != "/"), value::image_path)
}

/// Where a value was written.
fn written_by<T>(at: &Option<At<T>>) -> Option<&Place> {
    at.as_ref().map(|at| &at.place)
}

/// Notes when not exactly one of the keys is there; the place of the first that is.
fn one_of<'p>(
    table: &Place,
    what: &str,
    keys: &[(&str, Option<&'p Place>)],
    c: &mut Check,
) -> Option<&'p Place> {
    let mut there = keys.iter().filter_map(|(key, place)| Some((*key, (*place)?)));
    let names: Vec<&str> = keys.iter().map(|(key, _)| *key).collect();
    let Some((first, place)) = there.next() else {
        let message = format!("{what} needs one of these keys: {}", names.join(", "));
        c.add(Problem::new(table.clone(), message));
        return None;
    };
    for (other, again) in there {
        let problem = Problem::new(again.clone(), format!("{what} is one thing only"));
        let help = format!("leave out `{first}` or `{other}`");
        c.add(problem.also(place.clone(), "another here").help(help));
    }
    Some(place)
}

/// Name of a service from the path of its file.
pub(crate) fn name_of(path: &str, place: &Place, c: &mut Check) -> Option<Name> {
    let stem = super::stem(path);
    let refused = |why: String, help: String| Problem::new(place.clone(), why).help(help);
    let problem = match Name::try_from(stem) {
        Ok(name) => match name.of_template() {
            None => return Some(name),
            Some((template, _)) => refused(
                format!("`{name}` is an instance, which has no file of its own"),
                format!("write {template}.toml, where %i stands for the instance"),
            ),
        },
        Err(bad) => refused(
            format!("`{stem}` can't be the name of a service, so neither of its file"),
            bad.to_string(),
        ),
    };
    c.add(problem);
    None
}
