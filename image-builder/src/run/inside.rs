//! The two stages of a container that run in its namespaces; `ens __container outer|inner`.
//!
//! ```text
//! outer   join cgroup ─ user namespace ─ "ready" ─ "go" ─ other namespaces ─ spawn inner ─ wait
//! inner   "ready" ─ "go" ─ overlay, /proc, /sys, /dev, /run, cgroup2 ─ pivot ─ exec init
//! ```
//!
//! Invariant: a stage goes on only after its parent has answered that it still lives, with the
//! parent-death signal set before; so none is ever left alone.
//! What goes wrong is written to the console, which the runner shows.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use clap::Args;
use sys::mount::Flags;
use sys::{mount, namespace, process};

use super::container::SUBCOMMAND;
use super::network::{INTERFACE, address_of};

/// PID 1 of the container.
const INIT: &str = "/usr/lib/ensemble/init";

/// Most memory for what the container writes to its root, `/run` and `/tmp`, each.
const MEMORY: &str = "size=1g";

/// Device nodes that a container gets from the host.
const NODES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];

/// Kernel settings that belong to the host: seen, not changed.
const READ_ONLY: [&str; 4] = ["proc/sys", "proc/sysrq-trigger", "proc/irq", "proc/bus"];

/// What the runner tells both stages.
#[derive(Debug, Clone, Args)]
pub struct Setup {
    /// Which one.
    stage: Stage,
    /// Root directory, not written to.
    #[arg(long)]
    root: PathBuf,
    /// Directory that becomes /run/host.
    #[arg(long)]
    host: PathBuf,
    /// Empty directory to mount on.
    #[arg(long)]
    base: PathBuf,
    /// Terminal that becomes /dev/console.
    #[arg(long)]
    console: PathBuf,
    /// Cgroup to live in.
    #[arg(long)]
    cgroup: Option<PathBuf>,
    /// Directory for what is written to the root.
    #[arg(long)]
    persist: Option<PathBuf>,
    /// Descriptor to which the other end of an interface is sent.
    #[arg(long)]
    cable: Option<i32>,
    /// Place among the devices of a network.
    #[arg(long, default_value_t = 1)]
    place: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Stage {
    Outer,
    Inner,
}

/// Runs a stage; gives the exit status of the container's init.
///
/// # Errors
/// The host does not allow what the stage needs.
pub fn run(setup: &Setup) -> Result<u8> {
    match setup.stage {
        Stage::Outer => outer(setup),
        Stage::Inner => Err(inner(setup)),
    }
}

fn outer(setup: &Setup) -> Result<u8> {
    // Taken first, so that no other stage has it.
    let cable = setup.cable.map(sys::inherited::take).transpose().context("taking the cable")?;
    if let Some(group) = &setup.cgroup {
        fs::write(group.join("cgroup.procs"), "0").context("entering the container's cgroup")?;
    }
    let parent = process::parent();
    namespace::enter_user().context("entering a new user namespace")?;
    process::die_with(parent).context("the runner ended")?;
    greet()?;
    namespace::become_root().context("becoming root of the user namespace")?;
    process::die_with(parent).context("the runner ended")?;
    namespace::enter_rest().context("entering new namespaces")?;
    if let Some(cable) = cable {
        interface(cable, setup.place)?;
    }
    let mut command = Command::new("/proc/self/exe");
    command.arg(SUBCOMMAND).arg("inner").args(std::env::args_os().skip(3));
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().context("starting PID 1 of the container")?;
    let (to, from) = (child.stdin.take(), child.stdout.take());
    let (mut to, mut from) = to.zip(from).context("PID 1 of the container has no pipes")?;
    from.read_exact(&mut [0]).context("PID 1 of the container ended at once")?;
    to.write_all(b"g").context("PID 1 of the container ended at once")?;
    from.read_exact(&mut [0]).context("PID 1 of the container could not set up its root")?;
    io::stdout().write_all(b"s").and_then(|()| io::stdout().flush()).context("the runner ended")?;
    let status = child.wait().context("waiting for PID 1 of the container")?;
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    Ok(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX))
}

/// Makes the interface to the other devices and gives its other end away.
fn interface(cable: OwnedFd, place: u8) -> Result<()> {
    let end = sys::tap::make(INTERFACE, address_of(place)).with_context(|| {
        format!(
            "making an interface to the other devices with {}: containers that run together need it \
             (`ens doctor` says what to do), machines (without --container) do not",
            sys::tap::MAKER
        )
    })?;
    sys::seqpacket::send(&cable, b"end", &[end.as_fd()]).context("the runner ended")
}

/// Only comes back with an error.
fn inner(setup: &Setup) -> anyhow::Error {
    // From here our parent is in another pid namespace: it has number 0.
    let go = || -> Result<Command> {
        process::die_with(0).context("the outer stage ended")?;
        greet()?;
        mounts(setup)?;
        // Before the session, or the console would be PID 1's own terminal and no shell's.
        let console = File::options().read(true).write(true).open("/dev/console");
        let console = console.context("opening the console")?;
        namespace::new_session().context("leaving the runner's session")?;
        let mut init = Command::new(INIT);
        init.env_clear().env("container", "ensemble").env("PATH", "/usr/bin:/usr/sbin");
        init.env("TERM", std::env::var_os("TERM").unwrap_or_else(|| OsString::from("linux")));
        init.stdin(console.try_clone()?).stdout(console.try_clone()?).stderr(console);
        io::stdout().write_all(b"s")?;
        io::stdout().flush()?;
        Ok(init)
    };
    match go() {
        Ok(mut init) => anyhow::Error::new(init.exec()).context(format!("starting {INIT}")),
        Err(e) => e,
    }
}

/// Says that we are ready, and waits for the word to go on.
fn greet() -> Result<()> {
    io::stdout().write_all(b"r").and_then(|()| io::stdout().flush()).context("saying ready")?;
    io::stdin().read_exact(&mut [0]).context("the runner ended")
}

fn mounts(setup: &Setup) -> Result<()> {
    namespace::detach_mounts().context("cutting off from the host's mounts")?;
    let none = Flags::default();
    tmpfs(&setup.base, MEMORY, none)?;
    let root = root(setup)?;
    let safe = Flags { no_dev: true, no_suid: true, no_exec: true, read_only: false };
    for place in ["proc", "sys", "dev", "run", "tmp"] {
        fs::create_dir_all(root.join(place)).with_context(|| format!("making /{place}"))?;
    }
    proc_and_sys(&root, safe)?;
    boot_id(&root, &setup.base)?;
    devices(&root.join("dev"), setup)?;
    let open = Flags { no_exec: false, ..safe };
    tmpfs(&root.join("run"), "mode=755", open)?;
    tmpfs(&root.join("tmp"), "mode=1777,size=1g", open)?;
    let host = root.join("run/host");
    fs::create_dir(&host)?;
    mount::bind(&setup.host, &host).context("mounting /run/host")?;
    if setup.cgroup.is_some() {
        let place = root.join("sys/fs/cgroup");
        mount::mount("cgroup2", &place, "cgroup2", safe, "").context("mounting cgroup2")?;
    }
    namespace::pivot(&root).context("changing to the container's root")
}

/// An overlay over the root directory; paths are relative, so no character in them needs escaping.
fn root(setup: &Setup) -> Result<PathBuf> {
    std::env::set_current_dir(&setup.base)?;
    for directory in ["lower", "root", "upper"] {
        fs::create_dir(directory)?;
    }
    mount::bind(&setup.root, Path::new("lower"))
        .with_context(|| format!("reading {}", setup.root.display()))?;
    if let Some(persist) = &setup.persist {
        mount::bind(persist, Path::new("upper"))?;
    }
    for directory in ["upper/files", "upper/work"] {
        fs::create_dir_all(directory)?;
    }
    let options = "lowerdir=lower,upperdir=upper/files,workdir=upper/work,userxattr";
    mount::mount("overlay", Path::new("root"), "overlay", Flags::default(), options).context(
        "mounting an overlay over the root: this host's kernel or the file system that holds the \
         root does not allow it (Linux 5.11 is needed)",
    )?;
    Ok(setup.base.join("root"))
}

fn proc_and_sys(root: &Path, safe: Flags) -> Result<()> {
    mount::mount("proc", &root.join("proc"), "proc", safe, "").context(
        "mounting /proc: a host that is a container itself often hides parts of its own /proc, \
         and then no new one is allowed",
    )?;
    for place in READ_ONLY {
        let place = root.join(place);
        if place.exists() {
            mount::bind(&place, &place)?;
            namespace::read_only_here(&place)?;
        }
    }
    // These settings are the container's own network's.
    let net = root.join("proc/sys/net");
    mount::bind(&net, &net)?;
    namespace::writable_here(&net)?;
    let read_only = Flags { read_only: true, ..safe };
    let sys = root.join("sys");
    mount::mount("sysfs", &sys, "sysfs", read_only, "")
        .or_else(|_| namespace::bind_all(Path::new("/sys"), &sys))
        .context("mounting /sys")
}

/// A boot of its own: in `/proc` is the id of the host's.
fn boot_id(root: &Path, base: &Path) -> Result<()> {
    let random = Path::new("proc/sys/kernel/random");
    let new = fs::read(root.join(random).join("uuid")).context("making an id for this boot")?;
    let own = base.join("boot_id");
    fs::write(&own, new)?;
    let place = root.join(random).join("boot_id");
    mount::bind(&own, &place).context("giving the container a boot id")?;
    namespace::read_only_here(&place).context("giving the container a boot id")
}

fn devices(dev: &Path, setup: &Setup) -> Result<()> {
    tmpfs(dev, "mode=755,size=1m", Flags { no_suid: true, no_exec: true, ..Flags::default() })?;
    let node = |name: &str, source: &Path| -> Result<()> {
        let place = dev.join(name);
        File::create(&place)?;
        mount::bind(source, &place).with_context(|| format!("binding {}", source.display()))
    };
    for name in NODES {
        node(name, &Path::new("/dev").join(name))?;
    }
    node("console", &setup.console)?;
    for directory in ["pts", "shm"] {
        fs::create_dir(dev.join(directory))?;
    }
    let quiet = Flags { no_suid: true, no_exec: true, ..Flags::default() };
    let pts = dev.join("pts");
    mount::mount("devpts", &pts, "devpts", quiet, "newinstance,ptmxmode=0666,mode=0620")
        .context("mounting /dev/pts")?;
    tmpfs(&dev.join("shm"), "mode=1777,size=1g", Flags { no_dev: true, ..quiet })?;
    let links = [
        ("ptmx", "pts/ptmx"),
        ("fd", "/proc/self/fd"),
        ("stdin", "/proc/self/fd/0"),
        ("stdout", "/proc/self/fd/1"),
        ("stderr", "/proc/self/fd/2"),
    ];
    for (name, target) in links {
        std::os::unix::fs::symlink(target, dev.join(name))?;
    }
    Ok(())
}

fn tmpfs(place: &Path, options: &str, flags: Flags) -> Result<()> {
    if !place.is_dir() {
        bail!("{} is no directory", place.display());
    }
    mount::mount("tmpfs", place, "tmpfs", flags, options)
        .with_context(|| format!("mounting a tmpfs at {}", place.display()))
}
