//! A machine in QEMU: its command line, and its process.
//!
//! ```text
//! kernel + initramfs ──direct boot──► q35: virtio disk (snapshot), rng, net, serial, watchdog
//!    console ── stdio with a monitor (Ctrl-A X), or a file      debug channel ── a socket pair
//! ```
//!
//! Invariant: the image is opened for reading only, unless the disk is one that was asked to
//! persist. [`Machine::arguments`] is pure.

use std::ffi::OsString;
use std::os::fd::RawFd;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use model::device::Screen;

use super::channel::Channel;
use super::console::Console;
use super::guest::Guest;
use super::network::{Network, mac};

/// The emulator.
pub const PROGRAM: &str = "qemu-system-x86_64";

/// A machine to start.
#[derive(Debug, Clone)]
pub struct Machine<'a> {
    /// Name shown by `ps`.
    pub name: &'a str,
    /// Raw disk image.
    pub disk: &'a Path,
    /// Write to the disk; else what is written is forgotten at the end.
    pub persist: bool,
    /// Kernel.
    pub kernel: &'a Path,
    /// Initramfs.
    pub initramfs: &'a Path,
    /// Kernel command line.
    pub cmdline: &'a str,
    /// Size of the screen.
    pub screen: Option<Screen>,
    /// Window that shows the screen: `gtk`, `sdl`; `None` shows nothing.
    pub display: Option<&'a str>,
    /// MiB of memory.
    pub memory: u32,
    /// CPUs.
    pub cpus: u32,
    /// Whether the host's processor runs the code itself.
    pub kvm: bool,
    /// Place among the devices that boot together, from 1.
    pub place: u8,
    /// The network between devices, if there are several.
    pub network: Option<&'a Network>,
    /// The console is our terminal, and a reboot starts again. Else it is only kept, and a reboot
    /// ends the machine.
    pub interactive: bool,
    /// Where the console is kept when not interactive.
    pub console: &'a Path,
    /// Directory for QEMU's temporary files.
    pub directory: &'a Path,
}

/// Hardware address of the interface to the outside of the device at `place`.
#[must_use]
pub fn outside_mac(place: u8) -> String {
    format!("52:54:00:e5:00:{place:02x}")
}

impl Machine<'_> {
    /// QEMU's arguments; `debug` is the descriptor of the debug channel, `inside` its end of the cable to the other
    /// devices.
    #[must_use]
    pub fn arguments(&self, debug: RawFd, inside: Option<RawFd>) -> Vec<OsString> {
        let mut args = Arguments::default();
        args.add("-name", self.name).add("-nodefaults", "");
        args.add("-machine", "q35,hpet=off,vmport=off");
        if self.kvm {
            args.add("-accel", "kvm").add("-cpu", "host");
        } else {
            // cmpxchg16b of QEMU 7.2's emulation now and then double-faults the guest.
            args.add("-accel", "tcg,thread=multi").add("-cpu", "max,cx16=off,la57=off");
        }
        args.add("-m", &format!("{}M", self.memory)).add("-smp", &self.cpus.to_string());
        args.path("-kernel", self.kernel).path("-initrd", self.initramfs);
        args.add("-append", self.cmdline);
        let snapshot = if self.persist { "off" } else { "on" };
        let disk = escaped(self.disk);
        args.add("-drive", "if=none,id=disk,format=raw,snapshot=").more(snapshot).more(",file=");
        args.more_path(&disk).add("-device", "virtio-blk-pci,drive=disk");
        args.add("-device", "virtio-rng-pci");
        args.add("-device", "i6300esb").add("-action", "watchdog=reset");
        args.add("-chardev", &format!("socket,id=debug,fd={debug}"));
        args.add("-device", "virtio-serial-pci");
        args.add("-device", &format!("virtserialport,chardev=debug,name={}", api::debug::PORT));
        self.network(&mut args, inside);
        self.screen(&mut args);
        if self.interactive {
            args.add("-serial", "mon:stdio");
        } else {
            args.add("-chardev", "file,id=console,path=").more_path(&escaped(self.console));
            args.add("-serial", "chardev:console").add("-no-reboot", "");
        }
        args.0
    }

    fn network(&self, args: &mut Arguments, inside: Option<RawFd>) {
        let nic = |id: &str, mac: &str| format!("virtio-net-pci,netdev={id},mac={mac},romfile=");
        args.add("-netdev", "user,id=outside");
        args.add("-device", &nic("outside", &outside_mac(self.place)));
        if let Some(inside) = inside {
            args.add("-netdev", &format!("socket,id=inside,fd={inside}"));
            args.add("-device", &nic("inside", &mac(self.place)));
        }
    }

    fn screen(&self, args: &mut Arguments) {
        if let Some(screen) = self.screen {
            let size = format!("xres={},yres={}", screen.width, screen.height);
            args.add("-device", &format!("virtio-gpu-pci,{size}"));
            args.add("-device", "virtio-keyboard-pci").add("-device", "virtio-tablet-pci");
        }
        args.add("-display", self.display.unwrap_or("none"));
    }

    /// Starts it. It ends with us, or when the [`Guest`] is dropped.
    ///
    /// # Errors
    /// QEMU is missing or cannot be started.
    pub fn start(&self) -> Result<Guest> {
        let (ours, theirs) = UnixStream::pair().context("making the debug channel")?;
        let mut command = Command::new(PROGRAM);
        let debug = sys::process::keep_open(&mut command, theirs.into());
        let inside = self.network.map(|network| self.plug(network, &mut command)).transpose()?;
        command.args(self.arguments(debug, inside)).env("TMPDIR", self.directory);
        if !self.interactive {
            let errors = std::fs::File::create(self.directory.join("qemu.log"))?;
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(errors);
            // Ctrl-C in the terminal is for us; we decide what it means.
            std::os::unix::process::CommandExt::process_group(&mut command, 0);
        }
        sys::process::die_with_parent(&mut command);
        let child = command.spawn().with_context(|| {
            format!("starting {PROGRAM}: is it installed? `ens doctor --install` does it")
        })?;
        drop(command); // closes QEMU's end of the channel on our side
        Ok(Guest::new(child, Channel::connected(ours)?, Console::new(self.console.to_owned())))
    }
}

impl Machine<'_> {
    /// A cable into `network`: gives QEMU's end. Over a pair of datagram sockets, each packet is a frame.
    fn plug(&self, network: &Network, command: &mut Command) -> Result<RawFd> {
        let (ours, theirs) = UnixDatagram::pair().context("making a cable to the other devices")?;
        network.plug(self.place, ours.into())?;
        Ok(sys::process::keep_open(command, theirs.into()))
    }
}

/// Whether the host's processor can run a machine itself.
#[must_use]
pub fn has_kvm() -> bool {
    no_kvm().is_none()
}

/// Why the host's processor cannot run a machine itself; `None` if it can.
///
/// Some hosted kernels have a `/dev/kvm` in software that runs no ordinary kernel; the processor's
/// own flags tell.
#[must_use]
pub fn no_kvm() -> Option<String> {
    let kvm = Path::new("/dev/kvm");
    if let Err(e) = std::fs::File::options().read(true).write(true).open(kvm) {
        return Some(format!("{} may not be opened ({e})", kvm.display()));
    }
    let processor = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let has_flag = processor
        .lines()
        .filter(|line| line.starts_with("flags"))
        .any(|line| line.split(' ').any(|flag| flag == "svm" || flag == "vmx"));
    (!has_flag).then(|| format!("{} has no processor support behind it", kvm.display()))
}

/// The window system that QEMU can show a screen on: there is a display, and QEMU was built for it.
#[must_use]
pub fn display() -> Option<&'static str> {
    let set = |name| std::env::var_os(name).is_some_and(|v| !v.is_empty());
    if !set("DISPLAY") && !set("WAYLAND_DISPLAY") {
        return None;
    }
    let known = Command::new(PROGRAM).args(["-display", "help"]).output().ok()?;
    let known = String::from_utf8_lossy(&known.stdout).into_owned();
    ["gtk", "sdl"].into_iter().find(|name| known.lines().any(|line| line.trim() == *name))
}

/// A path inside an option of QEMU: commas are doubled.
fn escaped(path: &Path) -> PathBuf {
    use std::os::unix::ffi::{OsStrExt, OsStringExt};
    let bytes =
        path.as_os_str().as_bytes().split(|b| *b == b',').collect::<Vec<_>>().join(&b",,"[..]);
    OsString::from_vec(bytes).into()
}

#[derive(Debug, Default)]
struct Arguments(Vec<OsString>);

impl Arguments {
    /// An option with a value; none when the value is empty.
    fn add(&mut self, option: &str, value: &str) -> &mut Self {
        self.0.push(option.into());
        self.0.extend((!value.is_empty()).then(|| value.into()));
        self
    }

    fn path(&mut self, option: &str, value: &Path) -> &mut Self {
        self.0.extend([option.into(), value.into()]);
        self
    }

    /// Lengthens the last value.
    fn more(&mut self, text: &str) -> &mut Self {
        self.more_path(Path::new(text))
    }

    fn more_path(&mut self, path: &Path) -> &mut Self {
        if let Some(last) = self.0.last_mut() {
            last.push(path);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine<'a>() -> Machine<'a> {
        Machine {
            name: "phone",
            disk: Path::new("/t/a,b.img"),
            persist: false,
            kernel: Path::new("/t/vmlinuz"),
            initramfs: Path::new("/t/initramfs"),
            cmdline: "console=ttyS0 quiet",
            screen: None,
            display: None,
            memory: 512,
            cpus: 2,
            kvm: true,
            place: 1,
            network: None,
            interactive: false,
            console: Path::new("/t/console.log"),
            directory: Path::new("/t"),
        }
    }

    fn shown(machine: &Machine, inside: Option<RawFd>) -> String {
        let args: Vec<String> =
            machine.arguments(7, inside).iter().map(|a| a.to_string_lossy().into_owned()).collect();
        args.join(" ").replace(" -", "\n-")
    }

    #[test]
    fn a_machine_for_a_command_keeps_its_console_in_a_file_and_the_image_as_it_is() {
        insta::assert_snapshot!(shown(&machine(), None), @"
        -name phone
        -nodefaults
        -machine q35,hpet=off,vmport=off
        -accel kvm
        -cpu host
        -m 512M
        -smp 2
        -kernel /t/vmlinuz
        -initrd /t/initramfs
        -append console=ttyS0 quiet
        -drive if=none,id=disk,format=raw,snapshot=on,file=/t/a,,b.img
        -device virtio-blk-pci,drive=disk
        -device virtio-rng-pci
        -device i6300esb
        -action watchdog=reset
        -chardev socket,id=debug,fd=7
        -device virtio-serial-pci
        -device virtserialport,chardev=debug,name=ensemble.debug
        -netdev user,id=outside
        -device virtio-net-pci,netdev=outside,mac=52:54:00:e5:00:01,romfile=
        -display none
        -chardev file,id=console,path=/t/console.log
        -serial chardev:console
        -no-reboot
        ");
    }

    #[test]
    fn a_machine_among_others_has_a_second_interface_and_a_phone_has_a_screen() {
        let screen =
            Screen { width: 720, height: 1600, density: 270, shape: model::device::Shape::Rect };
        let together = Machine { place: 2, screen: Some(screen), kvm: false, ..machine() };
        let alone = shown(&machine(), None);
        let new: Vec<String> = shown(&together, Some(8))
            .lines()
            .filter(|line| !alone.lines().any(|l| l == *line))
            .map(str::to_owned)
            .collect();
        insta::assert_snapshot!(new.join("\n"), @"
        -accel tcg,thread=multi
        -cpu max,cx16=off,la57=off
        -device virtio-net-pci,netdev=outside,mac=52:54:00:e5:00:02,romfile=
        -netdev socket,id=inside,fd=8
        -device virtio-net-pci,netdev=inside,mac=52:54:00:e5:01:02,romfile=
        -device virtio-gpu-pci,xres=720,yres=1600
        -device virtio-keyboard-pci
        -device virtio-tablet-pci
        ");
    }
}
