//! Runs the program and looks at its calls until it and all that it started have ended.
//!
//! ```text
//! thread:  filter on itself ─► starts the program ─► waits for it ─► ends
//! here:    call told ─► looked at ─► goes on …      until nobody is left (the descriptor hangs up)
//!          Ctrl-C: the program has it too; again: all are killed.  SIGTERM, --time: all are asked to end,
//!          and killed after GRACE
//! ```
//!
//! The only part with a clock.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use model::sandbox::Profile;
use sandbox::calls::Arch;
use sandbox::learn::observed::Act;
use sandbox::learn::{Observed, decode, filter};
use sandbox::rules::X32;
use sys::observe::{Asked, Instruction, Listener, filter_thread};
use sys::poll::{For, poll};
use sys::signals::{Sent, Signals, Taken};

use crate::caller::{Process, process_of};
use crate::{Failed, tree};

/// How long who was asked to end may take.
const GRACE: Duration = Duration::from_secs(5);

/// Most threads whose process is remembered.
const MAX_THREADS: usize = 4096;

/// Most processes that are known as those of the program.
const MAX_PROCESSES: usize = 65_536;

/// Where programs are if `PATH` does not say.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin";

/// What was seen.
#[derive(Debug)]
pub(crate) struct Seen {
    /// All that it did.
    pub(crate) observed: Observed,
    /// Its exit status, or 128 and the signal that ended it.
    pub(crate) code: u8,
    /// The same in words.
    pub(crate) end: String,
    /// The program that was run.
    pub(crate) program: PathBuf,
}

/// The program that a command names.
pub(crate) fn find(command: &[OsString]) -> Result<PathBuf, Failed> {
    let name = Path::new(command.first().map_or_else(Default::default, OsString::as_os_str));
    let found = if name.as_os_str().as_bytes().contains(&b'/') {
        name.exists().then(|| name.to_owned())
    } else {
        let path = std::env::var_os("PATH").unwrap_or_else(|| PATH.into());
        std::env::split_paths(&path).map(|directory| directory.join(name)).find(|p| p.is_file())
    };
    let missing = || Failed { why: format!("there is no program {}", name.display()), code: 127 };
    std::path::absolute(found.ok_or_else(missing)?).map_err(|e| Failed::from(e.to_string()))
}

/// What the thread tells.
enum Told {
    Listening(Listener, i32),
    Failed(Failed),
    Ended(ExitStatus),
}

/// Runs the program above `inherited`, whose calls are not told.
pub(crate) fn run(
    program: &Path,
    command: &[OsString],
    inherited: &Profile,
    limit: Option<Duration>,
) -> Result<Seen, Failed> {
    let arch = Arch::own().ok_or_else(|| "this processor is not known".to_owned())?;
    let filter = filter::filter(inherited, arch).map_err(|bad| bad.to_string())?;
    let instruction = |one: &sandbox::bpf::Instruction| Instruction {
        code: one.code,
        yes: one.yes,
        no: one.no,
        k: one.k,
    };
    let filter: Vec<Instruction> = filter.instructions().iter().map(instruction).collect();
    // Before the thread: it has to have them blocked too.
    let signals = Signals::open().map_err(|e| format!("signals: {e}"))?;
    sys::process::adopt_orphans().map_err(|e| format!("adopting orphans: {e}"))?;
    let mut start = Command::new(program);
    start.args(command.get(1..).unwrap_or_default());
    start.arg0(command.first().map_or_else(|| program.as_os_str(), OsString::as_os_str));
    sys::process::die_with_parent(&mut start);
    // Those that are read here are the program's own too.
    sys::observe::unblock_signals(&mut start);
    let (tell, told) = channel();
    let (ended, still) = io::pipe().map_err(|e| format!("a pipe: {e}"))?;
    let thread = thread::spawn(move || {
        watched(start, &filter, &tell);
        // The other end hangs up.
        drop(still);
    });
    let (listener, helper) = match told.recv() {
        Ok(Told::Listening(listener, helper)) => (listener, helper),
        Ok(Told::Failed(failed)) => return Err(failed),
        Ok(Told::Ended(_)) | Err(_) => return Err("the thread ended early".to_owned().into()),
    };
    let mut watch = Watch {
        arch,
        names: arch.calls(),
        helper,
        started: false,
        threads: BTreeMap::new(),
        ours: BTreeSet::new(),
        observed: Observed::default(),
        interrupts: 0,
        deadline: limit.map(|limit| now() + limit),
        killing: false,
    };
    watch.until_over(&listener, &signals, &ended)?;
    drop(listener);
    let _ended = thread.join();
    let status = status(&told)?;
    let (code, end) = match (status.code(), status.signal()) {
        (Some(code), _) => (u8::try_from(code).unwrap_or(1), format!("exit status {code}")),
        (None, Some(signal)) => {
            (u8::try_from(128_i32.saturating_add(signal)).unwrap_or(1), format!("signal {signal}"))
        }
        (None, None) => (1, "nobody knows how".to_owned()),
    };
    Ok(Seen { observed: watch.observed, code, end, program: program.to_owned() })
}

/// In the thread: everything that is started here is told.
fn watched(mut start: Command, filter: &[Instruction], tell: &Sender<Told>) {
    let me = std::fs::read_link("/proc/thread-self").ok();
    let me = me.as_deref().and_then(Path::file_name).and_then(|name| name.to_str()?.parse().ok());
    let failed = |why: String, code| {
        // Who listens is there as long as this thread.
        let _ = tell.send(Told::Failed(Failed { why, code }));
    };
    let listener = match filter_thread(filter) {
        Ok(listener) => listener,
        Err(e) => {
            let hint = match e.kind() {
                io::ErrorKind::ResourceBusy => ": somebody looks at our own calls already",
                _ => ": the kernel needs seccomp with notifications (5.0)",
            };
            return failed(format!("can't look at system calls: {e}{hint}"), 125);
        }
    };
    if tell.send(Told::Listening(listener, me.unwrap_or(0))).is_err() {
        return;
    }
    match start.spawn().and_then(|mut child| child.wait()) {
        Ok(status) => {
            let _ = tell.send(Told::Ended(status));
        }
        Err(e) => {
            let name = start.get_program().display().to_string();
            let code = if e.kind() == io::ErrorKind::NotFound { 127 } else { 126 };
            failed(format!("can't run {name}: {e}"), code);
        }
    }
}

fn status(told: &Receiver<Told>) -> Result<ExitStatus, Failed> {
    match told.recv() {
        Ok(Told::Ended(status)) => Ok(status),
        Ok(Told::Failed(failed)) => Err(failed),
        Ok(Told::Listening(..)) | Err(_) => Err("nobody knows how it ended".to_owned().into()),
    }
}

#[expect(clippy::disallowed_methods, reason = "the one clock: --time, and who does not end")]
fn now() -> Instant {
    Instant::now()
}

struct Watch {
    arch: Arch,
    names: BTreeMap<u32, &'static str>,
    /// Our own thread, whose calls are nobody's business.
    helper: i32,
    /// The program has begun; what was before is ours.
    started: bool,
    threads: BTreeMap<i32, i32>,
    ours: BTreeSet<i32>,
    observed: Observed,
    interrupts: u32,
    deadline: Option<Instant>,
    /// They were asked to end.
    killing: bool,
}

impl Watch {
    fn until_over(
        &mut self,
        listener: &Listener,
        signals: &Signals,
        ended: &io::PipeReader,
    ) -> Result<(), Failed> {
        let mut main_ended = false;
        loop {
            let limit = self.deadline.map(|deadline| deadline.saturating_duration_since(now()));
            let mut wanted =
                vec![(listener.as_fd(), For::Reading), (signals.as_fd(), For::Reading)];
            if !main_ended {
                wanted.push((ended.as_fd(), For::Hangup));
            }
            let ready = poll(&wanted, limit).map_err(|e| format!("waiting: {e}"))?;
            let [told, signal, ..] = ready.as_slice() else { continue };
            if told.read {
                self.one(listener)?;
            } else if told.hangup {
                return Ok(());
            }
            if signal.read {
                self.signals(signals, main_ended)?;
            }
            if !main_ended && ready.get(2).is_some_and(|main| main.hangup) {
                main_ended = true;
                let left = tree::descendants().len();
                if left > 0 && !self.killing {
                    say(&format!(
                        "it has ended, and {left} of its processes go on; Ctrl-C ends them"
                    ));
                }
            }
            if main_ended {
                reap();
            }
            if self.deadline.is_some_and(|deadline| deadline <= now()) {
                self.end();
            }
        }
    }

    /// Time is up: they are asked to end, then made to.
    fn end(&mut self) {
        tree::signal(if self.killing { Sent::Kill } else { Sent::Terminate });
        self.killing = true;
        self.deadline = Some(now() + GRACE);
    }

    fn signals(&mut self, signals: &Signals, main_ended: bool) -> Result<(), Failed> {
        while let Some(signal) = signals.next().map_err(|e| format!("signals: {e}"))? {
            match signal {
                Taken::Terminate | Taken::Power => self.end(),
                Taken::Interrupt => {
                    self.interrupts += 1;
                    // At a terminal the program has it too, and may do with it what it likes, once.
                    let has_it = io::stdin().is_terminal() && !main_ended;
                    if self.interrupts > 1 || !has_it {
                        self.killing = self.interrupts > 2;
                        self.end();
                    }
                }
                Taken::Child => {}
            }
        }
        Ok(())
    }

    /// Looks at one call and lets it go on, whatever it was.
    fn one(&mut self, listener: &Listener) -> Result<(), Failed> {
        let failed = |e: io::Error| Failed::from(format!("looking at a system call: {e}"));
        let asked = match listener.receive() {
            Ok(Some(asked)) => asked,
            Ok(None) => return Ok(()),
            Err(e) => {
                tree::signal(Sent::Kill);
                return Err(failed(e));
            }
        };
        if asked.thread != self.helper {
            self.look(&asked);
        }
        listener.go_on(asked.id).map_err(failed)
    }

    fn look(&mut self, asked: &Asked) {
        let other = asked.arch != self.arch.audit()
            || self.arch == Arch::X86_64 && asked.number & X32 != 0 && asked.number != u32::MAX;
        let name = self.names.get(&asked.number).copied().filter(|_| !other);
        self.started |= matches!(name, Some("execve" | "execveat"));
        if !self.started {
            return;
        }
        if other {
            return self.observed.note("", Act::Foreign);
        }
        let Some(name) = name else { return self.observed.unknown(asked.number) };
        let Some(process) = self.process(asked.thread) else { return };
        self.observed.call(name);
        let caller = Process::new(asked.thread, process, &self.ours);
        for act in decode::acts(&caller, self.arch, name, &asked.arguments) {
            self.observed.note(name, act);
        }
    }

    fn process(&mut self, thread: i32) -> Option<i32> {
        if let Some(process) = self.threads.get(&thread) {
            return Some(*process);
        }
        let process = process_of(thread)?;
        if self.threads.len() >= MAX_THREADS {
            self.threads.clear();
        }
        self.threads.insert(thread, process);
        if self.ours.len() < MAX_PROCESSES {
            self.ours.insert(process);
        }
        Some(process)
    }
}

/// Orphans that have ended: until they are taken, the descriptor does not hang up.
fn reap() {
    while matches!(sys::wait::reap(), Ok(sys::wait::Reaped::Ended { .. })) {}
}

fn say(text: &str) {
    // It is no less true when nobody reads it.
    let _ = writeln!(io::stderr(), "learn: {text}");
}
