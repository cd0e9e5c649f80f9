//! The processes of a service: which is what, and the commands around the main one.
//!
//! ```text
//! PID 1: pid ended ─► by_pid ─► main ─────► Event::Exited
//!                          ├─► starter ──► (forking) the daemon it left behind is the main one
//!                          ├─► command ──► Event::CommandEnded
//!                          ├─► probe ────► its task
//!                          └─► another ──► perhaps the last one
//! ```
//!
//! Commands run in the service's group, as its user, in its sandbox, with its output. Invariant: the
//! pid of a command is in the state log before the loop goes on.

use std::path::Path;

use api::pid1::Exit;
use model::service::{Command, Reload, Service};

use super::forking::Forked;
use super::launcher::{Started, Wish};
use super::sandboxes::REFUSAL;
use super::{Daemon, acts, conditions, refusals};
use crate::engine::{End, Event, Id, Phase};

/// `SIGKILL`, `SIGSTOP`, `SIGCONT` and `SIGABRT`.
const SIGKILL: i32 = 9;
const SIGSTOP: i32 = 19;
const SIGCONT: i32 = 18;
const SIGABRT: i32 = 6;

/// Says in the environment of a process what it is for; the main one does not have it.
pub(super) const MARK: &str = "ENSEMBLE_COMMAND";

/// Says in the environment of a starter which process that is.
const OWN_PID: &str = "ENSEMBLE_PID";

/// What a process is to its service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Main,
    Starter,
    Command,
    Probe,
    Other,
}

/// As the TOML has it.
pub(super) fn word(phase: Phase) -> &'static str {
    match phase {
        Phase::BeforeStart => "before-start",
        Phase::AfterStart => "after-start",
        Phase::Reload => "reload",
        Phase::Stop => "stop",
        Phase::AfterStop => "after-stop",
    }
}

/// One of the commands of a service.
fn command(service: &Service, phase: Phase, number: usize) -> Option<&Command> {
    let commands = &service.commands;
    match phase {
        Phase::BeforeStart => commands.before_start.get(number),
        Phase::AfterStart => commands.after_start.get(number),
        Phase::Stop => commands.stop.get(number),
        Phase::AfterStop => commands.after_stop.get(number),
        Phase::Reload => match &commands.reload {
            Some(Reload::Command(command)) => Some(command),
            _ => None,
        },
    }
}

/// `/bin/x: exit status 3`; whose command it is says the reason around it.
fn sentence(service: &Service, phase: Phase, number: usize, why: &str) -> String {
    let program = command(service, phase, number).and_then(|c| c.first());
    let program = program.map_or("", String::as_str);
    // A program that is not there is named already, and a sandbox is not of one program.
    if why.starts_with(program) || why.starts_with(REFUSAL) {
        why.to_owned()
    } else {
        format!("{program}: {why}")
    }
}

impl Daemon {
    /// Before anything of a start: its conditions, its sockets, its credentials. `Some`: it does not
    /// begin.
    pub(super) fn begin_start(&mut self, id: Id) -> Result<Option<Event>, String> {
        self.note_permissions(id, true);
        let Some(service) = self.plan.services.get(id) else { return Ok(Some(Event::Lost(id))) };
        let unmet = conditions::unmet(&service.conditions, &|name| self.param(name));
        if let Some(why) = unmet {
            log::info!(target: service.name.as_str(), "{}: skipped: {why}", service.name);
            return Ok(Some(Event::Skipped(id, why)));
        }
        let link = &self.link;
        self.launcher.prepare(service, &mut |key, fd| acts::hold(link, key, fd))?;
        Ok(None)
    }

    /// Starts a process of a service.
    ///
    /// # Errors
    /// What we tried and why not, for people.
    pub(super) fn launch(&mut self, id: Id, wish: &Wish<'_>) -> Result<Started, String> {
        self.note_permissions(id, false);
        let service = self.plan.services.get(id).ok_or("there is no such service")?;
        let link = &self.link;
        let mut hold = |key, fd: std::os::fd::BorrowedFd<'_>| acts::hold(link, key, fd);
        self.launcher.start(service, wish, &mut self.streams, &mut hold)
    }

    /// What a command knows and the main process does not.
    pub(super) fn variables(&self, id: Id, purpose: &str) -> Vec<(&'static str, String)> {
        let mut all = vec![(MARK, purpose.to_owned())];
        if let Some(pid) = self.main(id) {
            all.push(("MAINPID", pid.to_string()));
        }
        all
    }

    /// The main process, if it is known.
    pub(super) fn main(&self, id: Id) -> Option<i32> {
        let part = self.parts.get(id)?;
        part.pid.filter(|_| part.side.forked != Forked::Starter)
    }

    /// Runs a command of a service. Its end is told later.
    pub(super) fn run_command(&mut self, id: Id, phase: Phase, number: usize) -> Option<Event> {
        if phase == Phase::BeforeStart && number == 0 {
            match self.begin_start(id) {
                Ok(None) => {}
                Ok(Some(instead)) => return Some(instead),
                Err(why) => return Some(Event::CommandEnded { id, end: Err(why) }),
            }
        }
        let service = self.plan.services.get(id)?;
        let Some(command) = command(service, phase, number).cloned() else {
            return Some(Event::CommandEnded { id, end: Ok(()) });
        };
        let variables = self.variables(id, word(phase));
        let wish = Wish {
            command: Some(&command),
            variables: &variables,
            beside: true,
            note: Some(id),
            ..Wish::default()
        };
        match self.launch(id, &wish) {
            Ok(started) => {
                self.belongs(started.pid, id);
                if let Some(part) = self.parts.get_mut(id) {
                    part.side.command = Some(started.pid);
                }
                self.note(id);
                self.streams.flush();
                None
            }
            Err(why) => {
                let service = self.plan.services.get(id)?;
                let end = Err(sentence(service, phase, number, &why));
                Some(Event::CommandEnded { id, end })
            }
        }
    }

    /// Kills the command that runs, with its children.
    pub(super) fn end_command(&mut self, id: Id) {
        if let Some(pid) = self.parts.get(id).and_then(|part| part.side.command) {
            self.failed_to(id, "end a command of", sys::session::signal(pid, SIGKILL));
        }
    }

    /// The command that was killed is still there, stuck in a driver: it is nobody's now.
    pub(super) fn abandon_command(&mut self, id: Id) {
        let (Some(service), Some(part)) = (self.plan.services.get(id), self.parts.get_mut(id))
        else {
            return;
        };
        if let Some(pid) = part.side.command.take() {
            let name = service.name.as_str();
            log::error!(target: name, "{name}: process {pid} of a command does not end: left alone");
        }
        self.note(id);
    }

    /// Writes what is known of a service into the state log, now.
    pub(super) fn note(&mut self, id: Id) {
        self.write_unit(id);
        self.write_log();
    }

    fn failed_to(&self, id: Id, what: &str, done: std::io::Result<()>) {
        if let (Err(e), Some(service)) = (done, self.plan.services.get(id)) {
            let name = service.name.as_str();
            log::error!(target: name, "could not {what} {name}: {e}");
        }
    }

    fn role(&self, id: Id, pid: i32) -> Role {
        let Some(part) = self.parts.get(id) else { return Role::Other };
        match () {
            () if part.pid == Some(pid) && part.side.forked == Forked::Starter => Role::Starter,
            () if part.pid == Some(pid) => Role::Main,
            () if part.side.command == Some(pid) => Role::Command,
            () if part.side.probe.as_ref().is_some_and(|probe| probe.pid == pid) => Role::Probe,
            () => Role::Other,
        }
    }

    /// A process of a service ended. What that is for the engine, if it was not told yet.
    pub(super) fn process_ended(&mut self, id: Id, pid: i32, exit: Exit) -> Option<Event> {
        let end = match exit {
            Exit::Signal(SIGKILL) => self.killed_by_kernel(id).unwrap_or(End::Signal(SIGKILL)),
            Exit::Signal(number) => End::Signal(number),
            Exit::Status(status) => End::Status(status),
            Exit::Unknown => End::Unknown,
        };
        if let (Exit::Signal(refusals::SIGSYS), Some(service)) = (exit, self.plan.services.get(id))
        {
            refusals::tell(service.name.to_string(), pid);
        }
        match self.role(id, pid) {
            Role::Main if self.was_not_main(id, end) => {}
            Role::Main => return Some(self.without_main(id, end)),
            Role::Starter => self.starter_ended(id, end),
            Role::Command => self.command_ended(id, end),
            Role::Probe => self.probe_ended(id, end),
            Role::Other => {}
        }
        None
    }

    /// The main process of a service ended.
    pub(super) fn main_ended(&mut self, id: Id, end: End) {
        let event = self.without_main(id, end);
        self.feed(event);
    }

    /// A service has no main process any more.
    pub(super) fn without_main(&mut self, id: Id, end: End) -> Event {
        self.unwatch(id);
        if let Some(part) = self.parts.get_mut(id) {
            part.pid = None;
            part.last = Some(end);
            part.side.ended_for = part.side.revoked.take();
            part.text.clear();
            part.side.errno = 0;
            part.side.forked = Forked::No;
        }
        self.tell_end(id, end);
        let left = self.populated(id);
        if left {
            self.left.push(id);
            self.end_the_rest(id);
        }
        Event::Exited { id, end, left }
    }

    fn command_ended(&mut self, id: Id, end: End) {
        if let Some(part) = self.parts.get_mut(id) {
            part.side.command = None;
        }
        let running = self.engine.life(id).and_then(|life| life.command);
        let (Some(service), Some(running)) = (self.plan.services.get(id), running) else { return };
        let end = match end {
            end if end.ok() => Ok(()),
            end => Err(sentence(service, running.phase, running.number, &end.to_string())),
        };
        self.feed(Event::CommandEnded { id, end });
        self.note(id);
    }

    /// The signal by which the main process reads its configuration anew.
    pub(super) fn reload(&mut self, id: Id) {
        let signal = match self.plan.services.get(id).and_then(|s| s.commands.reload.as_ref()) {
            Some(Reload::Signal(number)) => *number,
            _ => return,
        };
        self.signal_main(id, signal);
    }

    /// It hangs: it should say where.
    pub(super) fn abort(&mut self, id: Id) {
        self.signal_main(id, SIGABRT);
    }

    fn signal_main(&self, id: Id, signal: i32) {
        let Some(pid) = self.main(id).and_then(|pid| u32::try_from(pid).ok()) else { return };
        match sys::process::signal(pid, signal) {
            // It has just ended; PID 1 tells.
            Err(e) if e.raw_os_error() == Some(ESRCH) => {}
            done => self.failed_to(id, "signal", done),
        }
    }

    /// Its processes stand still, or go on.
    pub(super) fn freeze(&mut self, id: Id, still: bool) {
        let Some(part) = self.parts.get_mut(id) else { return };
        part.side.frozen = still;
        let pid = part.pid;
        self.fresh.remove(&id);
        let done = match (self.group(id), pid) {
            (Some(group), _) => group.write("cgroup.freeze", if still { "1" } else { "0" }),
            (None, Some(pid)) => {
                sys::session::signal_around(pid, if still { SIGSTOP } else { SIGCONT })
            }
            (None, None) => Ok(()),
        };
        self.failed_to(id, if still { "freeze" } else { "thaw" }, done);
    }
}

/// `ESRCH`: no such process.
pub(super) const ESRCH: i32 = 3;

/// What a process was started for: the value of [`MARK`] in its environment.
#[must_use]
pub(super) fn purpose(pid: i32) -> Option<String> {
    variable(pid, MARK)
}

/// Whether a process is the one that we started, and not a descendant with its environment.
#[must_use]
pub(super) fn is_starter(pid: i32) -> bool {
    variable(pid, OWN_PID).is_some_and(|own| own.parse() == Ok(pid))
}

/// A variable in the environment that a process began with.
fn variable(pid: i32, name: &str) -> Option<String> {
    let path = format!("/proc/{pid}/environ");
    let environment = std::fs::read(Path::new(&path)).unwrap_or_default();
    environment.split(|byte| *byte == 0).find_map(|variable| {
        let text = std::str::from_utf8(variable).ok()?;
        text.strip_prefix(name)?.strip_prefix('=').map(str::to_owned)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_went_wrong_is_said_with_the_command() {
        let name = model::Name::try_from("web").unwrap();
        let mut service = Service::new(name, vec!["/bin/web".into()]);
        service.commands.before_start = vec![vec!["/bin/x".into(), "-v".into()]];
        let said = |why| sentence(&service, Phase::BeforeStart, 0, why);
        assert_eq!(said("exit status 3"), "/bin/x: exit status 3");
        assert_eq!(said("/bin/x: not there"), "/bin/x: not there");
    }
}
