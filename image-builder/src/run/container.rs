//! A container: our init as PID 1 in namespaces of its own, on a root directory that stays as it is.
//!
//! ```text
//! ens ──spawn──► outer (user namespace) ──ready──► ens maps ids ──go──►
//!                outer (all other namespaces) ──spawn──► inner = PID 1: mounts, pivot, exec init
//! ```
//!
//! Both stages are this program again (`ens __container`), in [`super::inside`]. Each is killed by
//! the kernel when the one before it ends; PID 1 takes the whole namespace with it.
//! The console is a pseudo-terminal, carried to a file or to our terminal by threads here.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread;

use anyhow::{Context, Result, bail};

use super::cgroup::Group;
use super::channel::Channel;
use super::console::Console;
use super::guest::Guest;
use super::ids::{self, Mapping};
use super::network::Network;

/// Hidden subcommand that runs [`super::inside`].
pub const SUBCOMMAND: &str = "__container";

/// Name of the debug socket in the directory that is `/run/host` inside.
const SOCKET: &str = "debug.sock";

/// A container to start.
#[derive(Debug, Clone)]
pub struct Container<'a> {
    /// Root directory.
    pub root: &'a Path,
    /// What is written goes to this directory; else it is forgotten at the end.
    pub persist: Option<&'a Path>,
    /// Place among the devices that boot together, from 1.
    pub place: u8,
    /// The network between devices, if there are several.
    pub network: Option<&'a Network>,
    /// The console is our terminal.
    pub interactive: bool,
    /// Where the console is kept when not interactive.
    pub console: &'a Path,
    /// Directory for what it needs while it runs.
    pub directory: &'a Path,
}

impl Container<'_> {
    /// Starts it; `note` takes what it has to do without. It ends with us, or when the [`Guest`] is
    /// dropped.
    ///
    /// # Errors
    /// The host does not allow namespaces, or something in [`Container`] cannot be used.
    pub fn start(&self, note: &dyn Fn(&str)) -> Result<Guest> {
        let host = self.directory.join("host");
        let base = self.directory.join("base");
        fs::create_dir_all(&host)?;
        fs::create_dir_all(&base)?;
        let channel = Channel::listening(listen(&host)?);
        let (ours, theirs) = sys::terminal::pair().context("making a console")?;
        let group = Group::create();
        if group.is_none() {
            note("no cgroup2 of our own here: limits of services have no effect in the container");
        }
        let mut command = Command::new("/proc/self/exe");
        command.arg(SUBCOMMAND).arg("outer");
        command.args(self.arguments(&host, &base, &theirs, group.as_ref())?);
        let cable = self.network.map(|_| self.cable(&mut command)).transpose()?;
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(theirs.try_clone()?);
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        sys::process::die_with_parent(&mut command);
        let mut child = command.spawn().context("starting the container")?;
        drop(command);
        carry(ours, theirs, self.interactive, self.console)?;
        let (to, from) = (child.stdin.take(), child.stdout.take());
        let mut guest = Guest::new(child, channel, Console::new(self.console.to_owned()));
        guest.keep(group);
        if let Err(why) = agree(guest.child(), to, from, note) {
            let tail = guest.console().tail();
            bail!(why.context(format!("the container did not start\n{tail}")));
        }
        if let Some((network, cable)) = self.network.zip(cable) {
            network.plug(self.place, end(&cable)?)?;
        }
        Ok(guest)
    }

    /// Tells the outer stage to make an interface, and where to send its other end; gives where it arrives.
    fn cable(&self, command: &mut Command) -> Result<OwnedFd> {
        let (ours, theirs) = sys::seqpacket::pair().context("making a cable")?;
        let number = sys::process::keep_open(command, theirs);
        command.arg("--cable").arg(number.to_string());
        command.arg("--place").arg(self.place.to_string());
        Ok(ours)
    }

    fn arguments(
        &self,
        host: &Path,
        base: &Path,
        console: &OwnedFd,
        group: Option<&Group>,
    ) -> Result<Vec<OsString>> {
        let console = sys::namespace::terminal_path(console).context("naming the console")?;
        let mut args: Vec<OsString> = Vec::new();
        let mut add = |option: &str, path: &Path| args.extend([option.into(), path.into()]);
        add("--root", self.root);
        add("--host", host);
        add("--base", base);
        add("--console", &console);
        if let Some(group) = group {
            add("--cgroup", group.path());
        }
        if let Some(persist) = self.persist {
            fs::create_dir_all(persist).with_context(|| format!("making {}", persist.display()))?;
            add("--persist", &persist.canonicalize()?);
        }
        Ok(args)
    }
}

/// The other end of the interface, which the outer stage has sent before it said that all is set up.
fn end(cable: &OwnedFd) -> Result<OwnedFd> {
    let (_, fds, _) = sys::seqpacket::recv_now(cable, &mut [0; 8])
        .context("taking the container's end of the network")?;
    fds.into_iter().next().context("the container has sent no end of its network")
}

/// Maps the container's ids as soon as its user namespace is there.
fn agree(
    child: &Child,
    to: Option<ChildStdin>,
    from: Option<ChildStdout>,
    note: &dyn Fn(&str),
) -> Result<()> {
    let (mut to, mut from) = to.zip(from).context("the container has no pipes")?;
    let mut ready = [0];
    from.read_exact(&mut ready).context(
        "this host allows no user namespaces: `ens doctor` says what to change; machines (without \
         --container) need none",
    )?;
    let mapping = Mapping::of_this_host()?;
    if let Some(text) = mapping.note() {
        note(text);
    }
    ids::apply(&mapping, child.id())?;
    to.write_all(b"g").context("the container ended")?;
    from.read_exact(&mut ready).context("setting up the container's namespaces")
}

/// A socket in `directory`, however long its path is.
fn listen(directory: &Path) -> Result<UnixListener> {
    use std::os::fd::AsRawFd;
    let opened = File::open(directory)?;
    let short = PathBuf::from(format!("/proc/self/fd/{}/{SOCKET}", opened.as_raw_fd()));
    // That of a run before this one.
    let _first = fs::remove_file(&short);
    let listener = UnixListener::bind(&short)
        .with_context(|| format!("making {}", directory.join(SOCKET).display()))?;
    Ok(listener)
}

/// Carries the console: to a file, or to and from our terminal.
fn carry(ours: OwnedFd, theirs: OwnedFd, interactive: bool, log: &Path) -> Result<()> {
    let mut reading = File::from(ours);
    if interactive {
        let mut writing = reading.try_clone()?;
        thread::spawn(move || super::terminal::type_into(&mut writing));
        thread::spawn(move || {
            let _open = theirs;
            io::copy(&mut reading, &mut super::terminal::Unbuffered)
        });
    } else {
        let mut log = File::create(log)?;
        thread::spawn(move || {
            let _open = theirs;
            io::copy(&mut reading, &mut log)
        });
    }
    Ok(())
}
