//! Built devices made to run: consoles for people, commands with their status for programs.
//!
//! ```text
//! console   start ─► (network) ─► wait until it ends or the person leaves
//! command   start ─► agent answers ─► (network) ─► ensctl status --wait ─► CMD ─► power off
//! ```
//!
//! Invariant: whatever happens, every device started here has ended when [`run`] is back, and the
//! built files are as they were. Consoles of runs that failed stay in their run directory.

pub mod cgroup;
pub mod channel;
pub mod console;
pub mod container;
pub mod guest;
pub mod ids;
pub mod inside;
pub mod network;
pub mod paired;
pub mod persist;
pub mod qemu;
pub mod terminal;

use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use api::debug::Ended;

use crate::built::{Built, Parts};
use crate::progress::Progress;
use crate::workspace::Workspace;
use container::Container;
use guest::{Guest, Input, Stopped, Stream};
use network::Network;
use qemu::Machine;

/// Longest wait for all services of a device to settle; an emulated machine is slow.
const READY_LIMIT: Duration = Duration::from_secs(180);

/// MiB of memory of a machine without and with a screen.
const MEMORY: (u32, u32) = (512, 1024);

/// CPUs of a machine, if the host has as many.
const CPUS: usize = 2;

/// How devices are run.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Show no window.
    pub headless: bool,
    /// Name of the device for the console or the command; the first when absent.
    pub on: Option<String>,
    /// Keep what the device writes: a file for a machine, a directory for a container.
    pub persist: Option<PathBuf>,
    /// MiB of memory of each machine.
    pub memory: Option<u32>,
    /// CPUs of each machine.
    pub cpus: Option<u32>,
    /// Pair them with each other first.
    pub paired: bool,
    /// The command; empty for a console.
    pub command: Vec<OsString>,
}

/// How one device is started.
#[derive(Debug, Clone)]
pub struct Boot<'a> {
    /// What.
    pub built: &'a Built,
    /// Its name among those that run together.
    pub name: &'a str,
    /// Its place among them, from 1.
    pub place: u8,
    /// Their network, if there are several.
    pub network: Option<&'a Network>,
    /// Its console is our terminal.
    pub interactive: bool,
    /// A directory of its own, for its console and while it runs.
    pub directory: &'a Path,
}

impl Boot<'_> {
    /// The file that keeps its console.
    #[must_use]
    pub fn console(&self) -> PathBuf {
        self.directory.join("console.log")
    }

    /// Makes the disk of its own that [`Options::persist`] asks for; once before all starts.
    ///
    /// # Errors
    /// See [`persist::prepare`].
    pub fn prepare(&self, options: &Options, progress: &dyn Progress) -> Result<()> {
        match (&self.built.parts, &options.persist) {
            (Parts::Machine { disk, .. }, Some(own)) => persist::prepare(disk, own, progress),
            _ => Ok(()),
        }
    }

    /// Starts it.
    ///
    /// # Errors
    /// See [`Machine::start`] and [`Container::start`].
    pub fn start(&self, options: &Options, progress: &dyn Progress) -> Result<Guest> {
        match &self.built.parts {
            Parts::Machine { disk, kernel, initramfs, cmdline } => {
                let own = options.persist.as_deref();
                let screen = self.built.device.screen;
                let default = if screen.is_some() { MEMORY.1 } else { MEMORY.0 };
                let shown = screen.is_some() && self.interactive && !options.headless;
                let machine = Machine {
                    name: self.name,
                    disk: own.unwrap_or(disk),
                    persist: own.is_some(),
                    kernel,
                    initramfs,
                    cmdline,
                    screen,
                    display: if shown { qemu::display() } else { None },
                    memory: options.memory.unwrap_or(default),
                    cpus: options.cpus.unwrap_or_else(default_cpus),
                    kvm: qemu::has_kvm(),
                    place: self.place,
                    network: self.network,
                    interactive: self.interactive,
                    console: &self.console(),
                    directory: self.directory,
                };
                machine.start()
            }
            Parts::Container { root } => {
                let container = Container {
                    root,
                    persist: options.persist.as_deref(),
                    place: self.place,
                    network: self.network,
                    interactive: self.interactive,
                    console: &self.console(),
                    directory: self.directory,
                };
                container.start(&|text| progress.note(&format!("note: {text}")))
            }
        }
    }
}

/// Runs devices as asked; gives the exit status for us.
///
/// # Errors
/// A device cannot be started, does not boot, or goes away; or we were [`Stopped`].
pub fn run(
    workspace: &Workspace,
    devices: &[Built],
    options: &Options,
    progress: &dyn Progress,
) -> Result<u8> {
    check(devices, options)?;
    let names = network::distinct(
        &devices.iter().map(|built| built.device.name.as_str()).collect::<Vec<_>>(),
    );
    let on = position(&names, options.on.as_deref())?;
    sys::interrupts::install().context("watching for Ctrl-C")?;
    if devices.iter().any(|b| matches!(b.parts, Parts::Machine { .. }))
        && let Some(why) = qemu::no_kvm()
    {
        progress.note(&format!("note: {why}: the processor is emulated, which is slower"));
    }
    let network = (devices.len() > 1).then(Network::new).transpose()?;
    let network = network.as_ref();
    let mut directories = Vec::new();
    for name in &names {
        directories.push(workspace.run_directory(name)?);
    }
    let interactive = options.command.is_empty();
    let boots: Vec<Boot> = (1..)
        .zip(devices.iter().zip(names.iter().zip(&directories)).enumerate())
        .map(|(place, (at, (built, (name, directory))))| {
            let interactive = interactive && at == on;
            Boot { built, name, place, network, interactive, directory }
        })
        .collect();
    for boot in &boots {
        boot.prepare(options, progress)?;
    }
    let done = if interactive {
        consoles(&boots, on, options, progress)
    } else {
        command(&boots, on, options, progress)
    };
    for directory in &directories {
        tidy(directory, done.as_ref().is_err_and(|e| !e.is::<Stopped>()));
    }
    done
}

fn check(devices: &[Built], options: &Options) -> Result<()> {
    if devices.len() > network::MAX_DEVICES {
        bail!("{} devices; at most {} run together", devices.len(), network::MAX_DEVICES);
    }
    if devices.len() < 2 && options.paired {
        bail!("--paired pairs devices that run together: name two or more");
    }
    if devices.len() > 1 && options.persist.is_some() {
        bail!("--persist keeps one device's disk: run that device alone");
    }
    Ok(())
}

fn position(names: &[String], on: Option<&str>) -> Result<usize> {
    let Some(on) = on else { return Ok(0) };
    names.iter().position(|name| name == on).with_context(|| {
        format!("--on {on}: no device with this name runs here; there are {}", names.join(", "))
    })
}

/// One where the processor is emulated: QEMU may keep an old piece of code that the kernel has just
/// patched on another processor, and then its `int3` ends the machine. Seen in one of fifty boots.
fn default_cpus() -> u32 {
    if !qemu::has_kvm() {
        return 1;
    }
    let host = std::thread::available_parallelism().map_or(1, usize::from);
    u32::try_from(host.min(CPUS)).unwrap_or(1)
}

/// A person at the console of one device.
fn consoles(boots: &[Boot], on: usize, options: &Options, progress: &dyn Progress) -> Result<u8> {
    let names: Vec<String> = boots.iter().map(|b| b.name.to_owned()).collect();
    progress.note("Ctrl-A X leaves and stops the device");
    let is_container = boots.iter().any(|b| matches!(b.built.parts, Parts::Container { .. }));
    let saved = if is_container { terminal::raw() } else { terminal::remember() };
    let mut guests = Vec::new();
    for boot in boots {
        guests.push(boot.start(options, progress).map_err(|e| failed(e, boot))?);
    }
    if boots.len() > 1 {
        for (boot, guest) in boots.iter().zip(&mut guests) {
            let ready =
                guest.wait_for_agent().and_then(|()| network::configure(guest, boot.place, &names));
            if let Err(e) = ready {
                progress.note(&format!("note: {}: {e:#}\r", boot.name));
            }
        }
        if options.paired
            && let Err(e) = paired::pair(&mut guests, &names)
        {
            progress.note(&format!("note: {e:#}\r"));
        }
    }
    let status = guests.remove(on).wait()?;
    drop((guests, saved));
    let code = status.map_or(Some(0), |status| status.code());
    Ok(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}

/// A command on one device.
fn command(boots: &[Boot], on: usize, options: &Options, progress: &dyn Progress) -> Result<u8> {
    let mut guests = Vec::new();
    for boot in boots {
        guests.push(boot.start(options, progress).map_err(|e| failed(e, boot))?);
    }
    let names: Vec<String> = boots.iter().map(|b| b.name.to_owned()).collect();
    for (boot, guest) in boots.iter().zip(&mut guests) {
        let others: &[String] = if boots.len() > 1 { &names } else { &[] };
        ready(boot, guest, others, progress).map_err(|e| failed(e, boot))?;
    }
    if options.paired {
        let _step = progress.step("Pairing");
        paired::pair(&mut guests, &names)?;
    }
    let boot = boots.get(on).context("no device for the command")?;
    let guest = guests.get_mut(on).context("no device for the command")?;
    let ended =
        guest.exec(&options.command, Input::Ours, None, &mut print).map_err(|e| failed(e, boot))?;
    guests.iter_mut().for_each(Guest::announce_power_off);
    for (boot, guest) in boots.iter().zip(guests) {
        if let Err(e) = guest.power_off() {
            if e.is::<Stopped>() {
                return Err(e);
            }
            progress.note(&format!("warning: {}: {e:#}", boot.name));
        }
    }
    Ok(code(ended))
}

/// Waits until `guest` is up: agent, network, services.
///
/// # Errors
/// It does not boot or goes away. A service that failed is only noted.
pub fn ready(
    boot: &Boot,
    guest: &mut Guest,
    names: &[String],
    progress: &dyn Progress,
) -> Result<()> {
    let step = progress.step(&format!("Booting {}", boot.name));
    guest.wait_for_agent()?;
    if !names.is_empty() {
        step.say("network");
        network::configure(guest, boot.place, names)?;
    }
    step.say("services");
    let status = guest.capture(&["ensctl", "status", "--wait"], b"", READY_LIMIT)?;
    drop(step);
    if status.ended != Ended::Status(0) {
        let said = String::from_utf8_lossy(&status.stdout).trim().to_owned();
        let more = String::from_utf8_lossy(&status.stderr).trim().to_owned();
        progress.note(&format!("warning: {} is not fully up:\n{said}\n{more}", boot.name));
    }
    Ok(())
}

/// `error`, then where the console is and its last lines; just itself when we were asked to stop.
#[must_use]
pub fn failed(error: anyhow::Error, boot: &Boot) -> anyhow::Error {
    if error.is::<Stopped>() || boot.interactive {
        return error;
    }
    let console = console::Console::new(boot.console());
    let errors = fs::read_to_string(boot.directory.join("qemu.log")).unwrap_or_default();
    let mut text = format!("{}: {error:#}", boot.name);
    for (what, lines) in [("QEMU said", errors), ("the console ended with", console.tail())] {
        if !lines.trim().is_empty() {
            let lines = lines.trim_end().replace('\n', "\n    ");
            text.push_str(&format!("\n{what}:\n    {lines}"));
        }
    }
    text.push_str(&format!("\nall of it is in {}", console.path().display()));
    anyhow::Error::msg(text)
}

/// `error` with what QEMU said; the console is kept elsewhere.
#[must_use]
pub fn silent(error: anyhow::Error, boot: &Boot) -> anyhow::Error {
    let said = fs::read_to_string(boot.directory.join("qemu.log")).unwrap_or_default();
    if error.is::<Stopped>() || said.trim().is_empty() {
        return error;
    }
    error.context(format!("QEMU said: {}", said.trim_end()))
}

/// The exit status of a shell for this end.
#[must_use]
pub fn code(ended: Ended) -> u8 {
    let code = match ended {
        Ended::Status(status) => status & 0xff,
        Ended::Signal(signal) => 128 + signal,
    };
    u8::try_from(code).unwrap_or(u8::MAX)
}

fn print(stream: Stream, bytes: &[u8]) -> io::Result<()> {
    match stream {
        Stream::Stdout => terminal::Unbuffered.write_all(bytes),
        Stream::Stderr => io::stderr().write_all(bytes),
    }
}

/// Removes a run's directory, all but its console and logs if these are to be kept.
fn tidy(directory: &Path, keep: bool) {
    // What cannot be removed is removed by a later run, which sweeps.
    if keep {
        for part in ["host", "base"] {
            let _later = fs::remove_dir_all(directory.join(part));
        }
    } else {
        let _later = fs::remove_dir_all(directory);
    }
}
