//! One device as it is meant: layers merged, every value checked, every default filled in.
//!
//! What a person writes is a TOML of `configs/devices` (feature `text`). The image builder reads
//! this type and nothing else; it is `Serialize` so that a step of a build can be keyed by the part
//! it depends on.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Name;
use crate::sandbox::Feature;
use crate::word::Word;

/// Longest version text, in bytes: it must fit a slot of bootctl.
pub const MAX_VERSION: usize = 32;

/// Debian suite when the TOML names none.
pub const SUITE: &str = "trixie";

/// Kernel package of a device without a screen.
pub const KERNEL_HEADLESS: &str = "linux-image-cloud-amd64";

/// Kernel package of a device with a screen (the cloud kernel has no DRM).
pub const KERNEL_SCREEN: &str = "linux-image-amd64";

/// One device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// The name of its TOML, without `.toml`.
    pub name: Name,
    /// Version of what is built, shown by `ensctl status` and kept in bootctl; at most
    /// [`MAX_VERSION`] bytes.
    pub version: String,
    /// Meant for people's hands: debug parts are warned about.
    pub release: bool,
    /// What it runs on.
    pub target: Target,
    /// What it looks like.
    pub form_factor: FormFactor,
    /// Host name (RFC 1123).
    pub hostname: String,
    /// Locale, as `ll_CC.UTF-8` or `C.UTF-8`.
    pub locale: String,
    /// Time zone, as `Area/City` or `UTC`.
    pub timezone: String,
    /// Its kernel.
    pub kernel: Kernel,
    /// Debian packages in its root.
    pub packages: Packages,
    /// Services that start at boot, sorted; their definitions are in the plan.
    pub services: Vec<Name>,
    /// Values that its image brings for parameters.
    pub parameters: BTreeMap<String, String>,
    /// Files added to its root after the packages, sorted by path.
    pub files: Vec<File>,
    /// Users added to those of Debian's `base-passwd`, sorted by name.
    pub users: Vec<User>,
    /// Partitions.
    pub storage: Storage,
    /// Its screen; `None` on a headless device.
    pub screen: Option<Screen>,
    /// How people act on it, in the order of [`Input`].
    pub input: Vec<Input>,
    /// Parts for development.
    pub debug: Debug,
    /// What its kernel may lack, so that its sandboxes do without, sorted.
    pub optional: Vec<Feature>,
}

/// What a device runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Target {
    /// QEMU's q35 machine.
    QemuX86_64,
    /// QEMU's virt machine, arm64.
    QemuAarch64,
    /// Raspberry Pi 3.
    Rpi3,
    /// Raspberry Pi 4.
    Rpi4,
    /// Raspberry Pi 5.
    Rpi5,
    /// Namespaces on the host's kernel.
    Container,
}

impl Target {
    /// Whether images for it can be built today.
    #[must_use]
    pub fn is_built(self) -> bool {
        matches!(self, Self::QemuX86_64 | Self::Container)
    }
}

impl Word for Target {
    const WHAT: &'static str = "target";
    const WORDS: &'static [(&'static str, Self)] = &[
        ("qemu-x86_64", Self::QemuX86_64),
        ("qemu-aarch64", Self::QemuAarch64),
        ("rpi3", Self::Rpi3),
        ("rpi4", Self::Rpi4),
        ("rpi5", Self::Rpi5),
        ("container", Self::Container),
    ];
}

/// What a device looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum FormFactor {
    /// No screen.
    Headless,
    /// Held in one hand.
    Phone,
    /// Held in two hands.
    Tablet,
    /// Watched from a sofa.
    Tv,
    /// Worn.
    Wearable,
}

impl Word for FormFactor {
    const WHAT: &'static str = "form factor";
    const WORDS: &'static [(&'static str, Self)] = &[
        ("headless", Self::Headless),
        ("phone", Self::Phone),
        ("tablet", Self::Tablet),
        ("tv", Self::Tv),
        ("wearable", Self::Wearable),
    ];
}

/// The kernel of a device. A container uses the host's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kernel {
    /// Where it comes from.
    pub source: KernelSource,
    /// Modules loaded in stage-0 besides those every device of the target needs; what they depend
    /// on is found by the builder.
    pub modules: Vec<String>,
    /// Words added to the command line.
    pub cmdline: Vec<String>,
}

/// Where a kernel comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum KernelSource {
    /// This Debian package (or one that depends on it).
    Package(String),
    /// This file on the build host, in the caller's path terms.
    Path(String),
}

/// Debian packages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Packages {
    /// Suite, like `trixie`.
    pub suite: String,
    /// URL of the mirror; the host's own apt sources when absent.
    pub mirror: Option<String>,
    /// Packages to install; what they depend on comes along. Sorted.
    pub install: Vec<String>,
}

/// One file of the root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// Absolute, without `..`, not ending in `/`.
    pub path: String,
    /// What is there.
    pub content: FileContent,
    /// Permission bits; without meaning for a symbolic link.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
}

/// Crates of the project whose program a device may get for a test, and no release may.
pub const TEST_PROGRAMS: [&str; 1] = ["attacks"];

/// What a [`File`] is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum FileContent {
    /// A file with this text.
    Text(String),
    /// A copy of this file on the build host, in the caller's path terms.
    Source(String),
    /// One of [`TEST_PROGRAMS`].
    Program(String),
    /// A symbolic link to this.
    Symlink(String),
    /// An empty directory.
    Directory,
}

/// A user, with a group of the same name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Login name.
    pub name: String,
    /// Number; not 0 and no other user's.
    pub uid: u32,
    /// Number of its own group.
    pub gid: u32,
    /// Home directory; nothing creates it.
    pub home: String,
    /// Login shell.
    pub shell: String,
    /// Further groups, each one of `base-passwd` or of another user here.
    pub groups: Vec<String>,
}

/// Sizes of the partitions, in bytes; multiples of 4096.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Storage {
    /// The FAT partition with kernel and initramfs.
    pub boot: u64,
    /// Least size of each root slot; as large as the content when absent.
    pub root: Option<u64>,
    /// The ext4 partition for `/var`.
    pub state: u64,
    /// How the root is compressed.
    pub compression: Compression,
}

/// How the root file system is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Compression {
    /// Not at all: built fastest.
    None,
    /// Read fastest.
    Lz4,
    /// Smallest.
    Lz4hc,
}

impl Word for Compression {
    const WHAT: &'static str = "compression";
    const WORDS: &'static [(&'static str, Self)] =
        &[("none", Self::None), ("lz4", Self::Lz4), ("lz4hc", Self::Lz4hc)];
}

/// A screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Screen {
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
    /// Pixels per inch.
    pub density: u32,
    /// Outline.
    pub shape: Shape,
}

/// Outline of a screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Shape {
    /// Four corners.
    Rect,
    /// A circle or an ellipse.
    Round,
}

impl Word for Shape {
    const WHAT: &'static str = "shape";
    const WORDS: &'static [(&'static str, Self)] = &[("rect", Self::Rect), ("round", Self::Round)];
}

/// A kind of input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Input {
    /// Fingers on the screen.
    Touch,
    /// A keyboard.
    Keyboard,
    /// A mouse or touchpad.
    Pointer,
    /// A remote control: directions, select, back, home.
    Remote,
    /// Buttons on the device.
    Buttons,
    /// A crown or dial.
    Rotary,
}

impl Word for Input {
    const WHAT: &'static str = "kind of input";
    const WORDS: &'static [(&'static str, Self)] = &[
        ("touch", Self::Touch),
        ("keyboard", Self::Keyboard),
        ("pointer", Self::Pointer),
        ("remote", Self::Remote),
        ("buttons", Self::Buttons),
        ("rotary", Self::Rotary),
    ];
}

/// Parts for development. Each brings the service of its name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Debug {
    /// The channel behind `ens run -- CMD` (service `debug-agent`).
    pub agent: bool,
    /// A root shell on the console (service `console`).
    pub console: bool,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl fmt::Display for FormFactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
