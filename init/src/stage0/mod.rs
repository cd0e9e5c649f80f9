//! Stage-0: from the initramfs to the root, then PID 1 proper.
//!
//! ```text
//! modules ─► partitions (uevents, PARTITION_LIMIT) ─► bootctl: which slot ─► root ─► state ─► switch root, exec
//!     │             │                                   │                  │         │
//!     └ said only   └────────────── one of them fails ──┴──────────────────┴─────────┘
//!                                         ▼
//!                     the reason on the console, a rescue shell if there is one, then again
//! ```
//!
//! Invariant: never restarts the machine and never ends: the reason stays to be read. Nothing of
//! the initramfs is deleted before everything that could fail has been looked at.

pub mod disk;
pub mod list;

use std::convert::Infallible;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::time::{Duration, Instant};

use model::bootctl::{BootCtl, Choice, Id, SIZE};
use sys::mount::Flags;
use sys::poll::For;
use sys::uevent::Uevents;
use sys::wait::Reaped;

use crate::say::Voice;
use crate::{perform, phases, rescue};
use disk::Partitions;

/// Makes this binary stage-0, and lists its modules.
pub const LIST: &str = "/ensemble-stage0";

/// How long the partitions may take to appear: slow SD hosts need about two seconds.
pub const PARTITION_LIMIT: Duration = Duration::from_secs(10);

/// Longest list, in bytes: many times what the largest device has.
const MAX_LIST: u64 = 64 << 10;

/// Where the root is mounted until it is the root.
const ROOT: &str = "/sysroot";

/// Where the state is mounted in it.
const STATE: &str = "/sysroot/var";

/// By which the kernel holds limits of what services store.
const QUOTAS: &str = "prjquota";

/// What is said of a state that can't.
const NO_QUOTAS: &str = "the partition state is from an image without quotas: services run without limits of \
     storage; writing the image again, which loses what the device has stored, brings them";

/// What the root takes over.
const DEVICES: [&str; 3] = ["/dev", "/sys", "/proc"];

/// What PID 1 proper is in the root.
const INIT: &str = "/usr/lib/ensemble/init";

/// What to do at the rescue shell.
const ADVICE: &str = "Nothing was changed. This is a rescue shell: leave it (exit) to try again.";

/// What to do without one.
const NO_SHELL: &str =
    "Nothing was changed. The image has no rescue shell ([debug] console = true adds one).";

/// Tried: why not: what to do.
type Reason = String;

/// Never returns: PID 1 proper replaces it, or it waits for somebody.
pub fn run() -> ! {
    for mount in [phases::PROC, phases::SYS, phases::DEV] {
        if let Err(e) = perform::mounted(&mount) {
            Voice::kernel_log().fault(format_args!("could not mount {}: {e}", mount.at));
        }
    }
    let voice = Voice::kernel_log();
    modules(&voice);
    loop {
        let Err(reason) = boot(&voice);
        voice.fault(&reason);
        stranded(&reason, &voice);
    }
}

fn boot(voice: &Voice) -> Result<Infallible, Reason> {
    clean_up();
    let partitions = partitions()?;
    let slot = root(&partitions, voice)?;
    state(&partitions, voice)?;
    voice.note(format_args!("booting {} on {}", slot.partition(), partitions.disk));
    enter()
}

/// What an earlier attempt or somebody at the shell left mounted.
fn clean_up() {
    let devices = DEVICES.map(|at| format!("{ROOT}{at}"));
    for at in devices.iter().map(String::as_str).chain([STATE, ROOT]) {
        // Not mounted is what we want.
        while sys::mount::unmount(Path::new(at)).is_ok() {}
    }
}

/// A shell in the root needs them to repair anything.
fn lend_devices() {
    for at in DEVICES {
        // There may be no root, or no such directory in it: then the shell does without.
        let _without = sys::mount::bind(Path::new(at), Path::new(&format!("{ROOT}{at}")));
    }
}

/// Shows the reason, lets somebody work, comes back when they are done.
fn stranded(reason: &str, voice: &Voice) {
    lend_devices();
    let why = format!("This device cannot start: {reason}");
    let shell = rescue::find(&["/", ROOT]);
    rescue::announce(&why, if shell.is_some() { ADVICE } else { NO_SHELL });
    let Some(shell) = shell else { sys::signals::wait_for_ever() };
    match shell.start() {
        Ok(pid) => wait_for(pid),
        Err(e) => {
            voice.fault(format_args!("could not start the rescue shell: {e}: look at the reason"));
            rescue::announce(&why, NO_SHELL);
            sys::signals::wait_for_ever()
        }
    }
}

fn wait_for(shell: i32) {
    loop {
        match sys::wait::wait() {
            Ok(Reaped::Ended { pid, .. }) if pid != shell => {}
            _ => return,
        }
    }
}

/// A module that does not load may not be needed; what misses it will say so.
fn modules(voice: &Voice) {
    let mut text = String::new();
    let read = File::open(LIST).and_then(|file| file.take(MAX_LIST).read_to_string(&mut text));
    if let Err(e) = read {
        voice.fault(format_args!("could not read {LIST}: {e}: write the image again"));
    }
    let (modules, odd) = list::parse(&text);
    for line in odd {
        voice.fault(format_args!("{LIST}: does not know {line:?}: write the image again"));
    }
    let mut loaded = 0;
    for module in &modules {
        match sys::modules::load(&Path::new("/").join(module)) {
            Ok(()) => loaded += 1,
            Err(e) => voice.fault(format_args!("could not load {}: {e}", module.display())),
        }
    }
    voice.note(format_args!("modules: {loaded} of {}", modules.len()));
}

#[expect(clippy::disallowed_methods, reason = "the one clock of stage-0")]
fn partitions() -> Result<Partitions, Reason> {
    let limit = PARTITION_LIMIT.as_secs();
    let began = Instant::now();
    // Listening before looking: what appears in between is not missed.
    let uevents = Uevents::open().map_err(|e| format!("could not listen for devices: {e}"))?;
    loop {
        let missing = match disk::pick(&disk::scan()) {
            Ok(partitions) => return Ok(partitions),
            Err(missing) => missing,
        };
        let left = PARTITION_LIMIT.saturating_sub(began.elapsed());
        if left.is_zero() {
            return Err(format!(
                "could not find the partition {missing} within {limit} s: no disk has it, or its \
                 driver is missing: check the disk, and [kernel] modules in the device's TOML"
            ));
        }
        let ready =
            sys::poll::poll(&[(std::os::fd::AsFd::as_fd(&uevents), For::Reading)], Some(left));
        ready.map_err(|e| format!("could not wait for devices: {e}"))?;
        // Whatever they say, or if some were lost: we look again.
        while let Ok(Some(_)) = uevents.next() {}
    }
}

/// Mounts the root that the boot record names; if that one is damaged, the other.
fn root(partitions: &Partitions, voice: &Voice) -> Result<Id, Reason> {
    let (choice, record) = chosen(&partitions.bootctl)?;
    let reason = match mount_root(partitions, choice.id) {
        Ok(()) => return Ok(choice.id),
        Err(reason) => reason,
    };
    let other = choice.id.other();
    let whole = record.slot(other).is_some_and(|slot| slot.confirmed || slot.tries > 0);
    if !whole {
        return Err(reason);
    }
    voice.fault(format_args!("{reason}: trying {}", other.partition()));
    mount_root(partitions, other).map(|()| other)
}

/// Reads the boot record, counts the try.
fn chosen(device: &str) -> Result<(Choice, BootCtl), Reason> {
    let failed = |e: io::Error| {
        format!("could not read the boot record on {device}: {e}: the disk may be failing")
    };
    let mut file = OpenOptions::new().read(true).write(true).open(device).map_err(failed)?;
    let mut bytes = vec![0; SIZE];
    file.read_exact(&mut bytes).map_err(failed)?;
    let bad = |e| format!("could not choose a root by {device}: {e}");
    let record = BootCtl::decode(&bytes).map_err(bad)?;
    let choice = record.choose().map_err(bad)?;
    if let Some(next) = &choice.write {
        // If the try cannot be counted the slot may not be tried: it could be tried for ever.
        let written = file
            .seek(SeekFrom::Start(next.offset()))
            .and_then(|_| file.write_all(&next.encode_copy()))
            .and_then(|()| file.sync_all());
        written.map_err(|e| format!("could not write the boot record on {device}: {e}"))?;
    }
    Ok((choice, record))
}

fn mount_root(partitions: &Partitions, id: Id) -> Result<(), Reason> {
    let name = id.partition();
    let device = match id {
        Id::A => partitions.root_a.as_deref(),
        Id::B => partitions.root_b.as_deref(),
    };
    let device = device.ok_or_else(|| format!("the boot record names {name}, which is missing"))?;
    let flags = Flags { read_only: true, ..Flags::default() };
    mount(device, ROOT, "erofs", flags, "").map_err(|e| told(name, device, "erofs", &e))
}

/// Mounts the state with its quotas. One of an image from before there were any has none: what services
/// store has no limits then.
fn state(partitions: &Partitions, voice: &Voice) -> Result<(), Reason> {
    let device = &partitions.state;
    let flags = Flags { no_dev: true, no_suid: true, ..Flags::default() };
    let mounted = match mount(device, STATE, "ext4", flags, QUOTAS) {
        Err(e) if e.kind() == io::ErrorKind::InvalidInput => {
            let older = mount(device, STATE, "ext4", flags, "");
            if older.is_ok() {
                voice.fault(NO_QUOTAS);
            }
            older
        }
        other => other,
    };
    mounted.map_err(|e| told("state", device, "ext4", &e))
}

fn mount(device: &str, at: &str, kind: &str, flags: Flags, options: &str) -> io::Result<()> {
    if !Path::new(at).is_dir() {
        fs::create_dir_all(at)?;
    }
    sys::mount::mount(device, Path::new(at), kind, flags, options)
}

/// Which partition, which error, what to do.
fn told(name: &str, device: &str, kind: &str, e: &io::Error) -> Reason {
    let advice = match e.raw_os_error() {
        Some(sys::mount::NO_SUCH_KIND) => {
            format!("the kernel lacks {kind}: check [kernel] modules in the device's TOML")
        }
        Some(sys::mount::NO_QUOTA_FORMAT) => {
            "the kernel lacks quotas: check that it has the module quota_v2".to_owned()
        }
        _ if kind == "erofs" => "its file system is damaged: write the image again".to_owned(),
        _ => format!(
            "its file system is damaged: repair it (e2fsck -f {device}), or write the image again, \
             which loses what the device has stored"
        ),
    };
    format!("could not mount the partition {name} ({device}) as {kind}: {e}: {advice}")
}

/// Makes the mounted root the root and becomes its init.
fn enter() -> Result<Infallible, Reason> {
    let init = format!("{ROOT}{INIT}");
    let fine =
        fs::metadata(&init).is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0);
    if !fine {
        return Err(format!("the root has no program {INIT}: write the image again"));
    }
    for at in DEVICES {
        let to = format!("{ROOT}{at}");
        sys::mount::shift(Path::new(at), Path::new(&to)).map_err(|e| {
            format!("could not move {at} into the root: {e}: write the image again")
        })?;
    }
    if sys::mount::is_in_memory(Path::new("/")).unwrap_or(false) {
        empty(Path::new("/"), 0);
    }
    let failed = |e: io::Error| format!("could not enter the root: {e}: write the image again");
    sys::mount::switch_root(Path::new(ROOT)).map_err(failed)?;
    Err(failed(sys::start::replace(INIT)))
}

/// Deepest directory of an initramfs that is emptied; module paths have eight levels.
const MAX_DEPTH: u32 = 32;

/// Gives the memory of the initramfs back. What cannot be deleted only costs memory.
fn empty(directory: &Path, depth: u32) {
    let Ok(device) = fs::symlink_metadata(directory).map(|m| m.dev()) else { return };
    let Ok(entries) = fs::read_dir(directory) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        let Ok(found) = fs::symlink_metadata(&path) else { continue };
        if found.dev() != device || depth > MAX_DEPTH {
            continue;
        }
        let _costs_memory = if found.is_dir() {
            empty(&path, depth + 1);
            fs::remove_dir(&path)
        } else {
            fs::remove_file(&path)
        };
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    #[test]
    fn a_damaged_partition_is_named_with_the_error_and_what_to_do() {
        let damaged = io::Error::from_raw_os_error(117);
        assert_snapshot!(told("state", "/dev/vda5", "ext4", &damaged), @"could not mount the partition state (/dev/vda5) as ext4: Structure needs cleaning (os error 117): its file system is damaged: repair it (e2fsck -f /dev/vda5), or write the image again, which loses what the device has stored");
        let quotas = io::Error::from_raw_os_error(sys::mount::NO_QUOTA_FORMAT);
        assert_snapshot!(told("state", "/dev/vda5", "ext4", &quotas), @"could not mount the partition state (/dev/vda5) as ext4: No such process (os error 3): the kernel lacks quotas: check that it has the module quota_v2");
        let unknown = io::Error::from_raw_os_error(sys::mount::NO_SUCH_KIND);
        assert_snapshot!(told("root-a", "/dev/vda3", "erofs", &unknown), @"could not mount the partition root-a (/dev/vda3) as erofs: No such device (os error 19): the kernel lacks erofs: check [kernel] modules in the device's TOML");
    }

    #[test]
    fn a_broken_boot_record_is_told_and_left_alone() {
        let file = std::env::temp_dir().join(format!("bootctl-{}", std::process::id()));
        fs::write(&file, [0; SIZE]).unwrap();
        let device = file.to_str().unwrap();
        let reason = chosen(device).unwrap_err().replace(device, "/dev/vda2");
        assert_snapshot!(reason, @"could not choose a root by /dev/vda2: bootctl is damaged: neither copy has a right checksum; write the image again");
        assert_eq!(fs::read(&file).unwrap(), [0; SIZE]);
        fs::remove_file(file).unwrap();
    }

    #[test]
    fn an_unconfirmed_slot_costs_a_try_that_is_on_the_disk_before_it_boots() {
        let file = std::env::temp_dir().join(format!("bootctl-try-{}", std::process::id()));
        let record = BootCtl::new("1", [0; 32]).put(Id::B, "2", [0; 32]);
        fs::write(&file, record.encode()).unwrap();
        let boots: Vec<Id> = (0..4).map(|_| chosen(file.to_str().unwrap()).unwrap().0.id).collect();
        assert_eq!(boots, [Id::B, Id::B, Id::B, Id::A]);
        fs::remove_file(file).unwrap();
    }
}
