//! Carries out the boot phases. A failure is said with its reason, and the next task follows.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use sys::mount::Flags;

use crate::phases::{Facts, Mount, Phase, Task};
use crate::say::Voice;
use crate::{cgroups, seed};

/// Files that a service may open, and up to how many it may raise that itself.
const OPEN_FILES: (u64, u64) = (65_536, 524_288);

/// Longest host name that the kernel takes.
const MAX_HOSTNAME: usize = 64;

/// Where the changes to `/etc` are kept.
const ETC: &str =
    "lowerdir=/etc,upperdir=/var/lib/ensemble/etc/upper,workdir=/var/lib/ensemble/etc/work";

/// Does all of it.
pub fn all(phases: &[Phase], facts: &Facts, voice: &Voice) {
    for phase in phases {
        let mut failed = 0;
        for task in &phase.tasks {
            if let Err(e) = one(task, voice) {
                failed += 1;
                failure(task, &e, facts, voice);
            }
        }
        let done = phase.tasks.len() - failed;
        voice.note(format_args!("{}: {done} of {}", phase.name, phase.tasks.len()));
    }
}

/// In a container what is refused was refused on purpose.
fn failure(task: &Task, e: &io::Error, facts: &Facts, voice: &Voice) {
    let optional = match task {
        Task::Mount(mount) => mount.optional,
        // Kernels are built without this and that.
        Task::Parameter(..) => e.kind() == io::ErrorKind::NotFound,
        _ => false,
    };
    if facts.container || optional {
        voice.note(format_args!("could not {task}: {e}: going on without"));
    } else {
        voice.fault(format_args!("could not {task}: {e}: {}", advice(task)));
    }
}

/// What somebody can do about it.
fn advice(task: &Task) -> &'static str {
    match task {
        Task::Mount(_) => "check that the kernel has this file system and the root this directory",
        Task::EtcOverlay => {
            "changes to /etc are lost: check the state partition and the module overlay"
        }
        Task::NoState => "check the state partition",
        Task::Hostname => "check hostname in the device's TOML",
        Task::MachineId => "log records have no _MACHINE_ID: check the state partition",
        Task::Seed => "random numbers come later: check the state partition",
        _ => "check that the kernel has this",
    }
}

fn one(task: &Task, voice: &Voice) -> io::Result<()> {
    match task {
        Task::Mount(mount) => mounted(mount),
        Task::Links(links) => each(links, |(at, target)| link(at, target)),
        Task::Directories(all) => each(all, |(path, mode)| directory(path, *mode)),
        Task::EtcOverlay => {
            let flags = Flags { no_dev: true, no_suid: true, ..Flags::default() };
            sys::mount::mount("overlay", Path::new("/etc"), "overlay", flags, ETC)
        }
        Task::NoState => {
            Err(io::Error::other("there is no state, it is in memory and will be lost"))
        }
        Task::Parameter(path, value) => {
            // printk_devkmsg insists on the newline.
            fs::write(Path::new("/proc/sys").join(path), format!("{value}\n"))
        }
        Task::MachineId => machine_id(Path::new("/etc/machine-id")),
        Task::Hostname => hostname(),
        Task::Loopback => sys::loopback::up(),
        Task::OpenFiles => sys::limit::open_files(OPEN_FILES.0, OPEN_FILES.1).map(drop),
        Task::CtrlAltDel => sys::reboot::ctrl_alt_del_is_a_signal(),
        Task::Seed => seed::load(Path::new(seed::FILE)),
        Task::Cgroups => cgroups::set_up(Path::new(cgroups::ROOT), voice),
    }
}

/// Does all, gives the first failure.
fn each<T>(all: &[T], mut act: impl FnMut(&T) -> io::Result<()>) -> io::Result<()> {
    let mut first = Ok(());
    for one in all {
        let done = act(one);
        first = first.and(done);
    }
    first
}

/// Mounts; that it is there already is fine.
///
/// # Errors
/// As [`sys::mount::mount`].
pub fn mounted(mount: &Mount) -> io::Result<()> {
    let at = Path::new(mount.at);
    if !at.is_dir() {
        fs::create_dir_all(at)?;
    }
    match sys::mount::mount(mount.kind, at, mount.kind, mount.flags, mount.options) {
        Err(e) if e.kind() == io::ErrorKind::ResourceBusy => Ok(()),
        other => other,
    }
}

fn link(at: &str, target: &str) -> io::Result<()> {
    match symlink(target, at) {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}

fn directory(path: &str, mode: u32) -> io::Result<()> {
    if Path::new(path).is_dir() {
        return Ok(());
    }
    fs::create_dir_all(path)?;
    fs::set_permissions(path, Permissions::from_mode(mode))
}

/// Images come without an id, or with an empty file: each device chooses its own, once.
fn machine_id(file: &Path) -> io::Result<()> {
    match fs::read_to_string(file) {
        Ok(text) if !text.trim().is_empty() => return Ok(()),
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    // Thirty-two hexadecimal digits, a random UUID without its dashes, as systemd has it.
    let uuid = fs::read_to_string("/proc/sys/kernel/random/uuid")?;
    fs::write(file, uuid.replace('-', ""))?;
    fs::set_permissions(file, Permissions::from_mode(0o444))
}

fn hostname() -> io::Result<()> {
    let text = match fs::read_to_string("/etc/hostname") {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other?,
    };
    sys::hostname::set(host(&text).ok_or(io::ErrorKind::InvalidData)?)
}

/// The name in the text of `/etc/hostname`, if it is one.
fn host(text: &str) -> Option<&str> {
    let name = text.lines().map(str::trim).find(|l| !l.is_empty() && !l.starts_with('#'))?;
    let legal = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'.';
    (name.len() <= MAX_HOSTNAME && name.bytes().all(legal)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_name_is_the_first_line_that_says_something() {
        assert_eq!(host("# ours\n\n phone \nother\n"), Some("phone"));
        assert_eq!(host("\n"), None);
        assert_eq!(host("two words"), None);
        assert_eq!(host(&"a".repeat(65)), None);
    }

    #[test]
    fn a_machine_id_is_chosen_once() {
        let file = std::env::temp_dir().join(format!("machine-id-{}", std::process::id()));
        fs::write(&file, "").unwrap();
        machine_id(&file).unwrap();
        let first = fs::read_to_string(&file).unwrap();
        assert!(first.len() == 33 && first.trim_end().bytes().all(|b| b.is_ascii_hexdigit()));
        machine_id(&file).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), first);
        fs::remove_file(file).unwrap();
    }

    #[test]
    fn one_failure_does_not_keep_the_others_from_being_done() {
        let mut seen = Vec::new();
        let done = each(&[1, 2, 3], |n| {
            seen.push(*n);
            if *n < 3 { Err(io::Error::other(n.to_string())) } else { Ok(()) }
        });
        assert_eq!(done.unwrap_err().to_string(), "1");
        assert_eq!(seen, [1, 2, 3]);
    }
}
