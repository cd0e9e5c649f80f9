//! One running device, machine or container: commands on it, and its end.
//!
//! ```text
//! booting ──Hello──► up ──exec*──► up ──power_off──► ended
//!    │ panic, rescue shell, ended, limit, Ctrl-C  │ ended, limit, second Ctrl-C
//!    └──────────────► error ◄─────────────────────┘        dropped in any state: killed
//! ```
//!
//! Invariant: when a `Guest` is dropped its process is gone, and its cgroup with it.

use std::ffi::OsString;
use std::fmt;
use std::io::{self, Read};
use std::process::{Child, ExitStatus};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use api::debug::{Ended, MAX_PAYLOAD, ToDevice, ToHost};
use sys::interrupts;

use super::channel::{Channel, Writer};
use super::console::Console;

/// How often we look at what sends no message: Ctrl-C, the console, the process.
const TICK: Duration = Duration::from_millis(50);

/// Longest way to the first word of the debug agent; an emulated boot takes 5 to 20 seconds.
pub const BOOT_LIMIT: Duration = Duration::from_secs(180);

/// Longest wait for a device that was told to power off.
const POWER_OFF_LIMIT: Duration = Duration::from_secs(40);

/// Longest wait for the end of a command that was killed.
const KILL_LIMIT: Duration = Duration::from_secs(20);

/// Longest wait for the end of a device whose agent went away.
const GONE_LIMIT: Duration = Duration::from_secs(15);

/// Most bytes kept of what a command writes when it is not streamed.
const MAX_CAPTURED: usize = 16 << 20;

/// A running device.
#[derive(Debug)]
pub struct Guest {
    child: Child,
    channel: Channel,
    console: Console,
    /// Kept until the process is gone; then removed by its own drop.
    group: Option<super::cgroup::Group>,
    interrupts: usize,
    /// It knows that it is to power off.
    told: bool,
}

/// We were asked to stop (Ctrl-C, `SIGTERM`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stopped {
    /// The signal.
    pub signal: i32,
}

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "stopped by signal {}", self.signal)
    }
}

impl std::error::Error for Stopped {}

/// A command ran longer than it may, and was killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimedOut {
    /// How long it may run.
    pub limit: Duration,
}

impl fmt::Display for TimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "it took longer than {:?}", self.limit)
    }
}

impl std::error::Error for TimedOut {}

/// One of the two streams of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error; also what the agent has to say.
    Stderr,
}

/// What a command gets on standard input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input<'a> {
    /// These bytes.
    Bytes(&'a [u8]),
    /// Whatever comes on ours.
    Ours,
}

/// What a command wrote, and how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: Vec<u8>,
    /// How it ended.
    pub ended: Ended,
}

/// Takes a command's output piece by piece.
pub type Sink<'a> = &'a mut dyn FnMut(Stream, &[u8]) -> io::Result<()>;

impl Guest {
    /// The device that `child` runs.
    #[must_use]
    pub fn new(child: Child, channel: Channel, console: Console) -> Self {
        Self { child, channel, console, group: None, interrupts: interrupts::count(), told: false }
    }

    /// Removes `group` after the device has ended.
    pub fn keep(&mut self, group: Option<super::cgroup::Group>) {
        self.group = group;
    }

    /// The process that runs it.
    #[must_use]
    pub fn child(&self) -> &Child {
        &self.child
    }

    /// Its console.
    #[must_use]
    pub fn console(&self) -> &Console {
        &self.console
    }

    /// Waits until the debug agent answers.
    ///
    /// # Errors
    /// The boot failed, [`BOOT_LIMIT`] passed, or we were [`Stopped`].
    pub fn wait_for_agent(&mut self) -> Result<()> {
        let deadline = now() + BOOT_LIMIT;
        loop {
            match self.channel.receive(TICK) {
                Ok(Some(ToHost::Hello(_))) => return Ok(()),
                Ok(_) => {}
                // A machine that reset while its agent started hangs up once.
                Err(e) => self.check_process().map_err(|ended| ended.context(e))?,
            }
            if interrupts::count() > self.interrupts {
                bail!(Stopped { signal: interrupts::last() });
            }
            if let Some(why) = self.console.failure().context("reading the console")? {
                bail!("the device did not boot: {why}");
            }
            self.check_process()?;
            if now() > deadline {
                bail!(
                    "the device's debug agent did not answer within {} s: \
                     is `[debug] agent = true` in its TOML?",
                    BOOT_LIMIT.as_secs()
                );
            }
        }
    }

    /// Runs a command and waits for its end. Ctrl-C goes to the command; the second one stops us.
    ///
    /// # Errors
    /// The device went away, it [`TimedOut`], or we were [`Stopped`].
    pub fn exec(
        &mut self,
        argv: &[OsString],
        input: Input,
        limit: Option<Duration>,
        sink: Sink,
    ) -> Result<Ended> {
        let mut deadline = limit.map(|limit| now() + limit);
        let mut killed = None;
        self.channel.send(&ToDevice::Exec(argv.to_vec()))?;
        let writer = self.channel.writer();
        match input {
            Input::Bytes(bytes) => feed(&writer, bytes)?,
            Input::Ours => drop(thread::spawn(move || feed(&writer, io::stdin()))),
        }
        let mut broken = false;
        loop {
            match self.channel.receive(TICK).or_else(|e| self.went_away(e))? {
                Some(ToHost::Exit(ended)) => {
                    return killed.map_or(Ok(ended), |e: TimedOut| Err(e.into()));
                }
                Some(ToHost::Stdout(bytes)) if !broken => {
                    broken = sink(Stream::Stdout, &bytes).is_err();
                }
                Some(ToHost::Stderr(bytes)) => drop(sink(Stream::Stderr, &bytes)),
                Some(ToHost::Error(text)) => {
                    drop(sink(Stream::Stderr, format!("{text}\n").as_bytes()));
                }
                Some(ToHost::Stdout(_)) => self.pass_on(BROKEN_PIPE)?,
                Some(ToHost::Hello(_)) | None => {}
            }
            self.check_interrupts()?;
            self.check_process()?;
            if let Some(limit) = limit
                && deadline.is_some_and(|deadline| now() > deadline)
            {
                if killed.is_some() {
                    bail!("a command did not end when it was killed");
                }
                self.pass_on(KILL)?;
                killed = Some(TimedOut { limit });
                deadline = Some(now() + KILL_LIMIT);
            }
        }
    }

    /// Runs a command and keeps what it writes.
    ///
    /// # Errors
    /// As [`Guest::exec`], and when it writes more than 16 MiB.
    pub fn capture(&mut self, argv: &[&str], input: &[u8], limit: Duration) -> Result<Output> {
        let argv: Vec<OsString> = argv.iter().map(Into::into).collect();
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        let mut sink = |stream, bytes: &[u8]| {
            let kept: &mut Vec<u8> =
                if stream == Stream::Stdout { &mut stdout } else { &mut stderr };
            if kept.len() + bytes.len() > MAX_CAPTURED {
                return Err(io::Error::other("too much output"));
            }
            kept.extend(bytes);
            Ok(())
        };
        let ended = self.exec(&argv, Input::Bytes(input), Some(limit), &mut sink)?;
        Ok(Output { stdout, stderr, ended })
    }

    /// Tells the device to power off, so that several do it at the same time.
    pub fn announce_power_off(&mut self) {
        // One that cannot be told is killed by power_off.
        self.told |= self.channel.send(&ToDevice::PowerOff).is_ok();
    }

    /// Tells the device to power off and waits for it.
    ///
    /// # Errors
    /// It did not within its limit, and was killed.
    pub fn power_off(mut self) -> Result<()> {
        if !self.told {
            self.announce_power_off();
        }
        // Without an agent nobody can be told; then it is killed below.
        let deadline = now() + POWER_OFF_LIMIT;
        while self.told && now() < deadline {
            if self.ended()?.is_some() {
                return Ok(());
            }
            if self.channel.receive(TICK).is_err() {
                nap();
            }
            self.check_interrupts()?;
        }
        if self.ended()?.is_some() {
            return Ok(());
        }
        if !self.told {
            bail!("the device's debug agent is gone, so it could not be told to power off: killed");
        }
        bail!("the device did not power off within {} s: killed", POWER_OFF_LIMIT.as_secs())
    }

    /// Waits until the device ends by itself, or the person at its console leaves (`None`).
    ///
    /// # Errors
    /// It cannot be waited for.
    pub fn wait(mut self) -> Result<Option<ExitStatus>> {
        loop {
            if let Some(status) = self.ended()? {
                return Ok(Some(status));
            }
            if super::terminal::is_leaving() {
                return Ok(None);
            }
            if interrupts::count() > self.interrupts && interrupts::last() != INTERRUPT {
                bail!(Stopped { signal: interrupts::last() });
            }
            nap();
        }
    }

    /// Waits until the device ends by itself, at most `limit`; then it is killed.
    ///
    /// # Errors
    /// It did not end.
    pub fn wait_for_end(mut self, limit: Duration) -> Result<ExitStatus> {
        let deadline = now() + limit;
        loop {
            if let Some(status) = self.ended()? {
                return Ok(status);
            }
            if now() > deadline {
                bail!("the device did not go down within {limit:?}");
            }
            self.check_interrupts()?;
            nap();
        }
    }

    /// How its process ended, if it has.
    ///
    /// # Errors
    /// It cannot be waited for.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        self.child.try_wait().context("waiting for the device's process")
    }

    /// What it means that the agent went away while a command ran.
    fn went_away(&mut self, error: anyhow::Error) -> Result<Option<ToHost>> {
        let deadline = now() + GONE_LIMIT;
        while now() < deadline {
            match self.ended()? {
                Some(status) if status.success() => {
                    bail!("the device went down while the command ran");
                }
                Some(_) => self.check_process()?,
                None => {}
            }
            self.check_interrupts()?;
            nap();
        }
        Err(error)
    }

    fn check_process(&mut self) -> Result<()> {
        let Some(status) = self.ended()? else { return Ok(()) };
        if let Some(why) = self.console.failure().context("reading the console")? {
            bail!("the device ended: {why}");
        }
        bail!("the device ended ({status})")
    }

    fn check_interrupts(&mut self) -> Result<()> {
        let count = interrupts::count();
        if count == self.interrupts {
            return Ok(());
        }
        let first = self.interrupts == 0 && count == 1;
        self.interrupts = count;
        if first && interrupts::last() == INTERRUPT {
            return self.pass_on(u8::try_from(INTERRUPT).unwrap_or(KILL));
        }
        bail!(Stopped { signal: interrupts::last() })
    }

    fn pass_on(&self, signal: u8) -> Result<()> {
        self.channel.send(&ToDevice::Signal(signal))
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        // Both fail only for a process that has ended, which is what we want.
        let _ended = self.child.kill();
        let _status = self.child.wait();
    }
}

/// `SIGINT`, `SIGKILL`, `SIGPIPE`: the same numbers on every Linux we run on.
const INTERRUPT: i32 = 2;
const KILL: u8 = 9;
const BROKEN_PIPE: u8 = 13;

/// Sends all of `from`, and its end.
fn feed(writer: &Writer, mut from: impl Read) -> Result<()> {
    let mut buffer = vec![0; MAX_PAYLOAD.min(64 << 10)];
    loop {
        let n = match from.read(&mut buffer) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            // Input that cannot be read (a closed descriptor) is input that has ended.
            Err(_) => 0,
            Ok(n) => n,
        };
        writer.send(&ToDevice::Stdin(buffer.get(..n).unwrap_or_default().to_vec()))?;
        if n == 0 {
            return Ok(());
        }
    }
}

/// The clock of the runners.
#[expect(clippy::disallowed_methods, reason = "limits of running devices are real time")]
fn now() -> Instant {
    Instant::now()
}

#[expect(clippy::disallowed_methods, reason = "nothing announces the end of a process to us")]
fn nap() {
    thread::sleep(TICK);
}
