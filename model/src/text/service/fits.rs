//! Keys of a service that must fit each other: what its type has, and what starts it.

use super::super::check::Check;
use super::super::raw;
use super::super::report::{Place, Problem};
use super::{storage, written_by};
use crate::service::{Kind, RestartWhen, Service, Start};
use crate::word::Word;

/// The first descriptor that a program is passed: the first socket's.
const FIRST_PASSED: i64 = 3;

/// Notes keys that do not fit; `file` is where the service begins.
pub(super) fn check(raw: &raw::Service, service: &Service, file: &Place, c: &mut Check) {
    let kind = raw.kind.as_ref().map_or(file, |at| &at.place);
    match service.kind {
        Kind::Target => target(raw, kind, c),
        _ if raw.exec.is_none() => {
            let problem = Problem::new(file.clone(), "the key `exec` is missing");
            c.add(problem.help("only a service of type \"target\" has no program"));
        }
        Kind::Dbus if raw.bus.is_none() => {
            let problem =
                Problem::new(kind.clone(), "a service of type dbus has a name on the bus");
            c.add(problem.help("[bus] with name = \"org.example.Web\""));
        }
        _ => {}
    }
    readiness(raw, service, c);
    start(raw, service, c);
    storage::check(raw, service, file, c);
}

/// A target is a name for others: it has no process.
fn target(raw: &raw::Service, kind: &Place, c: &mut Check) {
    let keys = [
        ("exec", raw.exec.is_some()),
        ("stop-signal", raw.stop_signal.is_some()),
        ("reload-signal", raw.reload_signal.is_some()),
        ("idle-stop", raw.idle_stop.is_some()),
        ("fd-store", raw.fd_store.is_some()),
        ("user", raw.user.is_some()),
        ("environment", raw.environment.is_some()),
        ("working-directory", raw.working_directory.is_some()),
        ("output", raw.output.is_some()),
        ("[restart]", raw.restart.is_some()),
        ("[critical]", raw.critical.is_some()),
        ("[limits]", raw.limits.is_some()),
        ("[sandbox]", raw.sandbox.is_some()),
        ("[commands]", raw.commands.is_some()),
        ("[health]", raw.health.is_some()),
        ("[bus]", raw.bus.is_some()),
        ("[[credential]]", raw.credential.is_some()),
    ];
    let written: Vec<&str> = keys.iter().filter(|(_, there)| *there).map(|(key, _)| *key).collect();
    if !written.is_empty() {
        let message = format!("a target has no process, so no {}", written.join(", "));
        c.add(Problem::new(kind.clone(), message).help("leave it out, or change `type`"));
    }
    for socket in raw.socket.iter().flatten() {
        if !socket.accept.as_ref().is_some_and(|at| at.value) {
            let message = "a target has no process to take what comes in here";
            let help = "accept = true gives each connection a process of its own";
            c.add(Problem::new(socket.place.clone(), message).help(help));
        }
    }
}

/// Keys that only some types know.
fn readiness(raw: &raw::Service, service: &Service, c: &mut Check) {
    let only = [
        ("ready-fd", written_by(&raw.ready_fd), Kind::Notify),
        ("watchdog", written_by(&raw.watchdog), Kind::Notify),
        ("pid-file", written_by(&raw.pid_file), Kind::Forking),
        ("remain", written_by(&raw.remain), Kind::Oneshot),
    ];
    let own = match service.kind {
        Kind::NotifyReload => Kind::Notify,
        other => other,
    };
    for (key, place, kind) in only.into_iter().filter(|(.., kind)| *kind != own) {
        let Some(place) = place else { continue };
        let message = format!("`{key}` is for services of type {}", kind.word());
        let problem = Problem::new(place.clone(), message);
        c.add(match &raw.kind {
            Some(at) => problem.also(at.place.clone(), "this one's type"),
            None => problem.help(format!("write type = \"{}\"", kind.word())),
        });
    }
    let passed = i64::try_from(service.sockets.len()).unwrap_or(i64::MAX);
    let free = FIRST_PASSED.saturating_add(passed).saturating_add(service.fd_store.into());
    if let Some(at) = raw.ready_fd.as_ref().filter(|at| (FIRST_PASSED..free).contains(&at.value)) {
        let message = format!("descriptor {} is one of the sockets'", at.value);
        c.add(
            Problem::new(at.place.clone(), message).help(format!("{free} is the first free one")),
        );
    }
    let probe = raw.health.as_ref();
    let probe =
        probe.and_then(|h| written_by(&h.exec).or(written_by(&h.http)).or(written_by(&h.tcp)));
    if let (Kind::Oneshot, Some(place)) = (service.kind, probe) {
        let message = "a oneshot service has no process to be asked";
        c.add(Problem::new(place.clone(), message).help("leave [health] out, or change `type`"));
    }
}

/// Keys about what starts it.
fn start(raw: &raw::Service, service: &Service, c: &mut Check) {
    let demand = service.start == Start::Demand;
    let activation = &service.activation;
    let triggered = !(service.sockets.is_empty()
        && service.bus.is_none()
        && activation.timers.is_empty()
        && activation.paths.is_empty()
        && activation.devices.is_empty()
        && activation.parameters.is_empty()
        && activation.signals.is_empty());
    if let (true, false, Some(at)) = (demand, triggered, &raw.start) {
        let message = "nothing triggers this service";
        let help = "it starts when another needs it or by hand; give it a [[socket]], [[timer]], \
                    [[path]], [[device]], [[parameter]], [[signal]] or [bus], or leave `start` out";
        // A oneshot without a trigger is a command to be given by hand.
        if !service.name.is_template() && service.kind != Kind::Oneshot {
            c.add(Problem::warning(at.place.clone(), message).help(help));
        }
    }
    if let (Some(at), false) = (&raw.idle_stop, demand && triggered) {
        let message = "a service that stops when idle needs something that starts it again";
        c.add(Problem::new(at.place.clone(), message).help("start = \"demand\" and a [[socket]]"));
    }
    if service.critical.is_some() {
        let limit = raw.critical.as_ref().and_then(|c| written_by(&c.limit));
        let place = limit.or(written_by(&raw.start)).cloned().unwrap_or_default();
        if demand {
            let place = written_by(&raw.start).cloned().unwrap_or(place);
            let message = "a critical service starts with the device, not on demand";
            c.add(Problem::new(place, message).help("leave [critical] out, or start = \"boot\""));
        } else if service.restart.when == RestartWhen::Never
            && let Some(at) = raw.restart.as_ref().and_then(|r| r.when.as_ref())
            && service.critical.is_some_and(|c| c.limit > 1)
        {
            let message = "a critical service that is not started again fails only once";
            c.add(Problem::new(at.place.clone(), message).help("[critical] limit = 1"));
        }
    }
}
