//! The loop of PID 1: the world in as events, actions out as system calls.
//!
//! It waits in one place (poll: signals, servicemgr's socket, the engine's deadline) and decides
//! nothing. It never returns on a machine.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

use api::pid1::{self, End, Exit, MAX_PACKET, ToPid1};
use sys::poll::For;
use sys::signals::{Sent, Signals, Taken};
use sys::wait::{How, Reaped};
use sys::watchdog::Watchdog;
use sys::{seqpacket, signals, wait};

use crate::engine::{Action, Event, Finish, Pid1, Setting};
use crate::held::Held;
use crate::outbox::{Letter, Outbox};
use crate::say::Voice;
use crate::{cgroups, ending, rescue};

/// Most packets taken from servicemgr before signals and deadlines are looked at again.
const MAX_TURN: usize = 256;

/// How long after it was last petted the hardware watchdog restarts the machine.
const BITE_AFTER: Duration = Duration::from_secs(60);

/// The same while the last data goes to the disks: slow ones take minutes, and to bite then loses it.
const BITE_AT_THE_END: Duration = Duration::from_secs(600);

/// What to do at the rescue shell.
const ADVICE: &str = "This is a rescue shell: leave it (exit) to try again; kill -TERM 1 powers off, \
                      kill -INT 1 reboots.";

/// What to do without one.
const NO_SHELL: &str = "The image has no rescue shell. Ctrl-Alt-Del reboots.";

/// What PID 1 has in its hands.
#[derive(Debug)]
pub struct Daemon {
    /// What it says.
    pub voice: Voice,
    /// Whether the kernel is somebody else's.
    pub container: bool,
    /// What servicemgr is.
    pub servicemgr: String,
    signals: Signals,
    watchdog: Option<Watchdog>,
    socket: Option<OwnedFd>,
    outbox: Outbox,
    held: Held,
    began: Instant,
    /// Many processes end at once: all of them are reaped in one go.
    crowd: bool,
    /// The number of tasks that services have, while the device goes down.
    tasks: Option<File>,
}

impl Daemon {
    /// Arms the watchdog.
    #[expect(clippy::disallowed_methods, reason = "the one clock")]
    #[must_use]
    pub fn new(voice: Voice, container: bool, servicemgr: String, signals: Signals) -> Self {
        Self {
            watchdog: if container { None } else { watchdog(&voice) },
            voice,
            container,
            servicemgr,
            signals,
            socket: None,
            outbox: Outbox::default(),
            held: Held::default(),
            began: Instant::now(),
            crowd: false,
            tasks: None,
        }
    }

    /// Serves until the end; gives how to end.
    pub fn serve(&mut self, began: u64) -> Finish {
        let setting =
            Setting { container: self.container, watchdog: self.watchdog.is_some(), began };
        let mut engine = Pid1::new(setting);
        let mut todo = VecDeque::from([Event::Booted]);
        loop {
            while let Some(event) = todo.pop_front() {
                for action in engine.step(self.began.elapsed(), event) {
                    if let Action::Finish(finish) = action {
                        return finish;
                    }
                    todo.extend(self.act(action));
                }
            }
            self.send(&mut todo);
            if todo.is_empty() {
                self.wait(&engine, &mut todo);
            }
        }
    }

    fn wait(&mut self, engine: &Pid1, todo: &mut VecDeque<Event>) {
        let limit = engine.deadline().map(|at| at.saturating_sub(self.began.elapsed()));
        let what = if self.outbox.is_empty() { For::Reading } else { For::Both };
        let mut wanted = vec![(self.signals.as_fd(), For::Reading)];
        wanted.extend(self.socket.iter().map(|socket| (socket.as_fd(), what)));
        // Whatever poll says, all is looked at below: nothing blocks.
        if let Err(e) = sys::poll::poll(&wanted, limit) {
            self.voice.fault(format_args!("could not wait: {e}: going on"));
        }
        todo.push_back(Event::Tick);
        self.hear(MAX_TURN, todo);
        let mut ended = false;
        while let Ok(Some(signal)) = self.signals.next() {
            match self.meaning(signal) {
                Some(end) => todo.push_back(Event::Asked(end)),
                None => ended = true,
            }
        }
        if ended {
            if self.crowd {
                // Who was told to end with this one ends first; then one look finds them all.
                sys::process::let_others_run();
            }
            self.reap(engine, todo);
            // Only we reap: who ended since then still counts, so no exit is told after its task is gone.
            todo.extend(self.count_tasks().map(Event::Tasks));
        }
    }

    fn count_tasks(&self) -> Option<u32> {
        let mut text = [0; 16];
        let n = self.tasks.as_ref()?.read_at(&mut text, 0).ok()?;
        std::str::from_utf8(text.get(..n)?).ok()?.trim_end().parse().ok()
    }

    fn meaning(&self, signal: Taken) -> Option<End> {
        match signal {
            Taken::Child => None,
            Taken::Terminate | Taken::Power => Some(End::PowerOff),
            Taken::Interrupt if self.container => Some(End::PowerOff),
            Taken::Interrupt => Some(End::Reboot),
        }
    }

    fn reap(&mut self, engine: &Pid1, todo: &mut VecDeque<Event>) {
        loop {
            match wait::reap() {
                Ok(Reaped::Ended { pid, how }) => {
                    if engine.servicemgr() == Some(pid) {
                        self.bury(todo);
                    }
                    let exit = match how {
                        How::Status(status) => Exit::Status(status),
                        How::Signal(signal) => Exit::Signal(signal),
                    };
                    todo.push_back(Event::Exited { pid, exit });
                }
                Ok(Reaped::Childless) => return todo.push_back(Event::Nobody),
                Ok(Reaped::Running) => return,
                Err(e) => return self.voice.fault(format_args!("could not reap: {e}: going on")),
            }
        }
    }

    /// servicemgr is gone: what it said last still counts.
    fn bury(&mut self, todo: &mut VecDeque<Event>) {
        self.hear(usize::MAX, todo);
        self.socket = None;
        self.outbox = Outbox::default();
    }

    /// Takes up to `most` packets from servicemgr.
    fn hear(&mut self, most: usize, todo: &mut VecDeque<Event>) {
        for _ in 0..most {
            let Some(socket) = &self.socket else { return };
            let mut buf = [0; MAX_PACKET];
            match seqpacket::recv_now(socket, &mut buf) {
                Ok((0, fds, _)) if fds.is_empty() => return self.hung_up(todo),
                Ok((n, fds, _)) => self.heard(buf.get(..n).unwrap_or_default(), fds, todo),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return,
                Err(e) if e.kind() == io::ErrorKind::InvalidData => self.nonsense(),
                // It died with packets of ours unread. What it said before comes next.
                Err(e) if e.kind() == io::ErrorKind::ConnectionReset => {}
                Err(e) => {
                    self.voice.fault(format_args!("lost the socket of servicemgr: {e}"));
                    return self.hung_up(todo);
                }
            }
        }
    }

    fn hung_up(&mut self, todo: &mut VecDeque<Event>) {
        self.socket = None;
        todo.push_back(Event::HungUp);
    }

    fn heard(&mut self, packet: &[u8], mut fds: Vec<OwnedFd>, todo: &mut VecDeque<Event>) {
        let fd = if fds.len() == 1 { fds.pop() } else { None };
        match (ToPid1::decode(packet), fd) {
            (Ok(ToPid1::Hold(name)), Some(fd)) => {
                if self.held.hold(name, fd).is_err() {
                    self.voice.fault("servicemgr wants too many descriptors held: refused one");
                }
            }
            (Ok(ToPid1::State), Some(fd)) => {
                self.held.set_state(Some(fd));
                todo.push_back(Event::Said(ToPid1::State));
            }
            (Ok(ToPid1::Hold(_) | ToPid1::State), None) | (Err(_), _) => self.nonsense(),
            (Ok(ToPid1::Drop(name)), _) => self.held.release(&name),
            (Ok(said), _) => {
                if said == ToPid1::GoingDown {
                    self.crowd = true;
                    self.tasks = File::open(cgroups::TASKS).ok();
                }
                todo.push_back(Event::Said(said));
            }
        }
    }

    fn nonsense(&self) {
        self.voice.fault(
            "servicemgr sent a packet that we do not know: check that it is of the same version",
        );
    }

    /// Does what the engine asked; how it went is itself an event.
    fn act(&mut self, action: Action) -> Option<Event> {
        match action {
            Action::Start => return Some(self.start()),
            Action::Introduce => self.outbox.introduce(&self.held),
            Action::Tell(message) => {
                if !self.outbox.push(Letter::Message(message)) {
                    return Some(Event::Clogged);
                }
            }
            Action::Kill(pid) => self.tried("kill servicemgr", signals::send(pid, Sent::Kill)),
            Action::ForgetState => self.held.set_state(None),
            Action::Shell(why) => return Some(self.shell(&why)),
            Action::TermAll => {
                self.voice.note("stopping what is left");
                return self.signal_all(Sent::Terminate);
            }
            Action::KillAll => {
                self.voice.note("killing what is left");
                return self.signal_all(Sent::Kill);
            }
            Action::Pet => {
                let petted = self.watchdog.as_ref().map_or(Ok(()), Watchdog::pet);
                self.tried("pet the hardware watchdog", petted);
            }
            Action::Fault(text) => self.voice.fault(text),
            Action::Note(text) => self.voice.note(text),
            Action::Finish(_) => {}
        }
        None
    }

    fn tried(&self, what: &str, done: io::Result<()>) {
        if let Err(e) = done {
            self.voice.fault(format_args!("could not {what}: {e}: going on"));
        }
    }

    /// Children that ended before `SIGCHLD` was blocked or long ago raise no signal: look at once.
    fn signal_all(&mut self, signal: Sent) -> Option<Event> {
        self.tried("signal all processes", signals::send_to_all(signal));
        (!wait::any_child()).then_some(Event::Nobody)
    }

    fn start(&mut self) -> Event {
        let started = seqpacket::pair().and_then(|(ours, theirs)| {
            let environment = self.environment();
            let pid = sys::start::with_socket(&self.servicemgr, &environment, theirs, pid1::FD)?;
            Ok((ours, pid))
        });
        match started {
            Ok((socket, pid)) => {
                self.socket = Some(socket);
                self.outbox = Outbox::default();
                Event::Started(pid)
            }
            Err(e) => Event::NotStarted {
                why: format!("{}: {e}", self.servicemgr),
                lasting: matches!(
                    e.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied
                ) || e.raw_os_error() == Some(sys::start::NO_PROGRAM),
            },
        }
    }

    fn environment(&self) -> Vec<(String, String)> {
        let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin";
        let mut all = vec![("PATH".to_owned(), path.to_owned())];
        for name in ["TERM", "container"] {
            all.extend(std::env::var(name).ok().map(|value| (name.to_owned(), value)));
        }
        if self.watchdog.is_some() {
            all.push(("ENSEMBLE_WATCHDOG".to_owned(), "1".to_owned()));
        }
        all
    }

    fn shell(&self, why: &str) -> Event {
        let told = format!("This device needs help: {why}");
        let Some(shell) = rescue::find(&["/"]) else {
            rescue::announce(&told, NO_SHELL);
            return Event::NoShell(why.to_owned());
        };
        self.voice.fault(format_args!("{why}: starting the rescue shell on the console"));
        rescue::announce(&told, ADVICE);
        match shell.start() {
            Ok(pid) => Event::ShellStarted(pid),
            Err(e) => Event::NoShell(format!("{why}; {e}")),
        }
    }

    /// Sends what is to be sent, as far as there is room.
    fn send(&mut self, todo: &mut VecDeque<Event>) {
        let Some(socket) = &self.socket else { return };
        let held = &self.held;
        let sent = self
            .outbox
            .send(held, |packet, fds: &[BorrowedFd<'_>]| seqpacket::send_now(socket, packet, fds));
        match sent {
            Ok(()) => {}
            // It is dying; its end will come.
            Err(e) if gone(&e) => {}
            Err(e) => {
                self.voice.fault(format_args!("could not send to servicemgr: {e}"));
                todo.push_back(Event::Clogged);
            }
        }
    }

    /// Goes down. Returns in a container only, with its exit status.
    pub fn finish(self, finish: Finish) -> u8 {
        let end = match finish {
            Finish::Down(end) => end,
            Finish::Failed => {
                sys::mount::sync();
                return ending::FAILED;
            }
        };
        if self.container {
            sys::mount::sync();
            return ending::status(end);
        }
        if let Some(watchdog) = &self.watchdog {
            // Hardware that cannot wait so long has at least its full time.
            let _shorter = watchdog.set_timeout(BITE_AT_THE_END);
            self.tried("pet the hardware watchdog", watchdog.pet());
        }
        ending::put_away(&self.voice);
        if let Some(Err(e)) = self.watchdog.map(Watchdog::disarm) {
            self.voice.note(format_args!("could not stop the hardware watchdog: {e}"));
        }
        self.voice.note(format_args!("{end:?}"));
        let e = sys::reboot::reboot(ending::how(end));
        self.voice.fault(format_args!("could not go down: {e}: everything is safe on the disks"));
        rescue::announce("The device could not go down.", "It is safe to cut the power.");
        signals::wait_for_ever()
    }
}

fn gone(e: &io::Error) -> bool {
    matches!(e.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset)
}

fn watchdog(voice: &Voice) -> Option<Watchdog> {
    match Watchdog::open(BITE_AFTER) {
        Ok(watchdog) => Some(watchdog),
        Err(e) if e.kind() == io::ErrorKind::NotFound => None,
        Err(e) => {
            voice.note(format_args!("could not use the hardware watchdog: {e}: going on without"));
            None
        }
    }
}
