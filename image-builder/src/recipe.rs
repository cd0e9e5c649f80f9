//! What an image of a device is made of, decided without touching the world.
//!
//! ```text
//! Device + Plan ──► request (packages) · programs · modules · cmdline · slot sizes
//! packages' Tree + programs + plan + files ──root──► Tree ──split──► (root, state)
//! ```
//!
//! `build` carries it out. Later wins: the device's own files replace those of packages.

use anyhow::Result;
use model::Plan;
use model::bootctl::BootCtl;
use model::device::{Compression, Device, File, FileContent, KernelSource, Target};
use model::parameter::{self, PARAMETERS_PATH};
use model::permission::PERMISSIONS_PATH;
use model::plan::{PLAN_PATH, SERVICES_PATH};
use model::ready::{READY_PATH, Ready};
use model::sandbox::{OF_CONTAINERS, PROFILES_PATH};
use model::service::{Output, Service};
use model::text::Loaded;

use crate::bundle::device::BUNDLES;
use crate::packages::Request;
use crate::packages::entries::MERGED;
use crate::packages::kernel::Module;
use crate::programs;
use crate::tree::{Content, Kind, Node, Tree};
use crate::write::Time;

/// The time of every file of an image: 2025-01-01. A clock that wakes up in 1970 is set to it.
pub const TIME: Time = 1_735_689_600;

/// Bytes of the partition `bootctl`: two copies of 4 KiB, on its own MiB.
pub const BOOTCTL_SIZE: u64 = 1 << 20;

/// Partitions begin and end on whole MiB.
const MIB: u64 = 1 << 20;

/// The package with the program that writes a compressed root.
const COMPRESSOR: &str = "erofs-utils";

/// The service that runs commands of the host.
const DEBUG_AGENT: &str = "debug-agent";

/// One of our programs and its place on a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Program {
    /// The crate.
    pub package: &'static str,
    /// The file cargo makes.
    pub binary: &'static str,
    /// Its path in the tree.
    pub path: &'static str,
}

/// What compiles sandboxes when definitions change on the device.
const SANDBOX_COMPILER: Program = Program {
    package: "sandbox",
    binary: programs::COMPILER,
    path: "usr/lib/ensemble/sandbox-compiler",
};

/// What learns them, in images for development.
const SANDBOX_LEARNER: Program = Program {
    package: "sandbox",
    binary: programs::LEARNER,
    path: "usr/lib/ensemble/sandbox-learn",
};

/// All programs that `device` gets; `sandboxes`: some of its services are in one.
#[must_use]
pub fn programs(device: &Device, sandboxes: bool) -> Vec<Program> {
    const fn program(package: &'static str, binary: &'static str, path: &'static str) -> Program {
        Program { package, binary, path }
    }
    let mut all = vec![
        program("init", "init", "usr/lib/ensemble/init"),
        program("servicemgr", "servicemgr", "usr/lib/ensemble/servicemgr"),
        program("ability-manager", "ability-manager", "usr/lib/ensemble/ability-manager"),
        program("journal", "journal", "usr/lib/ensemble/journal"),
        program("store", "store", "usr/lib/ensemble/store"),
        program("softbus", "softbus", "usr/lib/ensemble/softbus"),
        program("remote", "remote", "usr/lib/ensemble/remote"),
        program("brief", "ensctl-brief", "usr/bin/ensctl"),
        program("ctl", "ensctl", "usr/lib/ensemble/ensctl"),
    ];
    if sandboxes {
        all.push(SANDBOX_COMPILER);
        if device.debug.agent {
            all.push(SANDBOX_LEARNER);
        }
    }
    if device.debug.agent {
        all.push(program("debug-agent", "debug-agent", "usr/lib/ensemble/debug-agent"));
    }
    all
}

/// What `device` asks of Debian: its kernel too, even where a container leaves that out, so that
/// one lock serves both.
#[must_use]
pub fn request(device: &Device) -> Request {
    let mut packages = device.packages.install.clone();
    if device.target != Target::Container
        && let KernelSource::Package(kernel) = &device.kernel.source
    {
        packages.push(kernel.clone());
    }
    packages.sort();
    packages.dedup();
    let compressed = device.storage.compression != Compression::None;
    let tools = if compressed { vec![COMPRESSOR.to_owned()] } else { Vec::new() };
    Request {
        suite: device.packages.suite.clone(),
        architecture: architecture(device.target).to_owned(),
        packages,
        tools,
        mirror: device.packages.mirror.clone(),
    }
}

/// Debian's name of a target's architecture.
#[must_use]
pub fn architecture(target: Target) -> &'static str {
    match target {
        Target::QemuX86_64 | Target::Container => "amd64",
        Target::QemuAarch64 | Target::Rpi3 | Target::Rpi4 | Target::Rpi5 => "arm64",
    }
}

/// The kernel's command line.
///
/// A panic stops the machine with its message on the console (no `panic=`): a device that resets
/// itself over and over hides why.
#[must_use]
pub fn cmdline(device: &Device) -> String {
    let mut words: Vec<&str> = Vec::new();
    if device.screen.is_some() {
        words.push("console=tty0");
    }
    words.extend(["console=ttyS0,115200", "quiet", "loglevel=4"]);
    words.extend(device.kernel.cmdline.iter().map(String::as_str));
    words.join(" ")
}

/// Our part of the root over the files of its packages: `programs` with their contents, the plan, what is ready
/// for apps, the services, profiles and permissions it was made from, for drop-ins on the device, and the device's
/// parameters.
///
/// # Errors
/// Something of a package is in the way.
pub fn ours(tree: &mut Tree, loaded: &Loaded, programs: Vec<(Program, Content)>) -> Result<()> {
    let Loaded { plan, services, profiles, permissions, ready, device, .. } = loaded;
    // What the device's own TOML says comes later, and wins.
    let mut parameters = device.screen.as_ref().map(parameter::of_screen).unwrap_or_default();
    parameters.extend(parameter::of_input(&device.input));
    parameters.extend(device.parameters.clone());
    for (program, content) in programs {
        tree.insert(program.path, Node::file(0o755, content))?;
    }
    if !parameters.is_empty() {
        let text = parameter::file(&parameters);
        tree.insert(inside(PARAMETERS_PATH), Node::file(0o644, text.as_str()))?;
    }
    let directories =
        [(SERVICES_PATH, services), (PROFILES_PATH, profiles), (PERMISSIONS_PATH, permissions)];
    for (directory, texts) in directories {
        for (path, text) in texts {
            let path = format!("{}/{path}", inside(directory));
            tree.insert(&path, Node::file(0o644, text.as_str()))?;
        }
    }
    if *ready != Ready::default() {
        tree.insert(inside(READY_PATH), Node::file(0o644, ready.encode()))?;
    }
    self::plan(tree, plan)
}

/// Puts the plan into the root, in place of one that is there.
///
/// # Errors
/// Something of a package is in the way.
pub fn plan(tree: &mut Tree, plan: &Plan) -> Result<()> {
    Ok(tree.insert(inside(PLAN_PATH), Node::file(0o644, plan.encode()))?)
}

/// The plan of an OCI image: podman has neither a console nor our runner's socket for it, so what only
/// serves these is there but not started (`podman exec` does both). Nor may its services mount or have a
/// network of their own, unless it is told to give more rights.
#[must_use]
pub fn for_oci(plan: &Plan) -> Plan {
    let serves_runner = |s: &Service| s.output == Output::Console || s.name.as_str() == DEBUG_AGENT;
    let mut plan = plan.clone();
    let ids = (0_u32..).zip(&plan.services);
    let out: Vec<u32> = ids.filter(|(_, s)| serves_runner(s)).map(|(id, _)| id).collect();
    plan.enabled.retain(|id| !out.contains(id));
    plan.tolerate(&OF_CONTAINERS);
    plan
}

/// Puts a file of the device over everything else; `source` is its content, if it has a source.
///
/// # Errors
/// It cannot be where the device wants it; to tell at its place in the TOML.
pub fn place(
    tree: &mut Tree,
    device: &Device,
    file: &File,
    source: Option<Content>,
) -> Result<(), String> {
    let path = merged(inside(&file.path));
    let ours = [PLAN_PATH, READY_PATH].map(inside).contains(&path.as_str());
    if ours || programs(device, true).iter().any(|ours| ours.path == path) {
        return Err(
            "Ensemble's own program or plan is there, which [[file]] does not replace".to_owned()
        );
    }
    let own = !device.parameters.is_empty() || device.screen.is_some() || !device.input.is_empty();
    if path == inside(PARAMETERS_PATH) && own {
        return Err("[parameters] of the device, or of its screen or inputs, is there".to_owned());
    }
    let directories = [
        (SERVICES_PATH, "services"),
        (PROFILES_PATH, "sandbox"),
        (PERMISSIONS_PATH, "permissions"),
        (BUNDLES, "abilities"),
    ];
    for (directory, what) in directories {
        let below = path.strip_prefix(inside(directory));
        if below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/')) {
            return Err(format!("what is there comes from {what}/ beside the device's TOML"));
        }
    }
    let mode = u16::try_from(file.mode & 0o7777).unwrap_or_default();
    let node = match (&file.content, source) {
        (FileContent::Text(text), _) => Node::file(mode, text.as_str()),
        (FileContent::Source(_), Some(content)) => Node::file(mode, content),
        (FileContent::Source(path), None) => return Err(format!("{path} was not read")),
        (FileContent::Program(name), _) => return Err(format!("{name} was not built")),
        (FileContent::Symlink(target), _) => Node::symlink(target),
        (FileContent::Directory, _) => Node::directory(mode),
    };
    tree.insert(&path, node.owned_by(file.uid, file.gid)).map_err(|bad| bad.why.to_owned())
}

/// An absolute path as a path of the tree.
fn inside(path: &str) -> &str {
    path.trim_start_matches('/')
}

/// A path below `bin`, `lib`, … where these links lead.
fn merged(path: &str) -> String {
    let first = path.split('/').next().unwrap_or_default();
    if MERGED.contains(&first) { format!("usr/{path}") } else { path.to_owned() }
}

/// The package with a shell that runs by itself: for a rescue before there is a root.
pub const RESCUE_SHELL: &str = "busybox-static";

/// The initramfs: stage-0, its modules in load order, the list it reads, and for development the
/// shell that it offers when no root can be mounted.
///
/// # Errors
/// A module's path cannot be in a tree.
pub fn initramfs(init: Content, modules: &[Module], shell: Option<Content>) -> Result<Tree> {
    let mut tree = Tree::new();
    for directory in ["dev", "proc", "sys", "run", "sysroot"] {
        tree.insert(directory, Node::directory(0o755))?;
    }
    // Before /dev is mounted a program without both ends in an abort, which for /init is a panic of
    // the kernel: where no console works, its descriptors 0 to 2 come from /dev/null.
    for (path, major, minor) in [("dev/console", 5, 1), ("dev/null", 1, 3)] {
        let kind = Kind::Device { block: false, major, minor };
        tree.insert(path, Node { mode: 0o600, uid: 0, gid: 0, kind })?;
    }
    tree.insert("init", Node::file(0o755, init))?;
    let mut list = String::new();
    for module in modules {
        tree.insert(&module.path, Node::file(0o644, module.content.clone()))?;
        list.push_str(&format!("module {}\n", module.path));
    }
    tree.insert("ensemble-stage0", Node::file(0o644, list.as_str()))?;
    if let Some(shell) = shell {
        tree.insert("bin/busybox", Node::file(0o755, shell))?;
    }
    Ok(tree)
}

/// Cuts what is below `/var` out of the root: it is what the state partition begins with.
///
/// # Errors
/// A path cannot be moved, because the tree is not one.
pub fn split(root: &Tree) -> Result<(Tree, Tree)> {
    let (mut fixed, mut state) = (Tree::new(), Tree::new());
    for (path, node) in root.iter() {
        match path.strip_prefix("var/") {
            Some(below) => {
                let mut node = node.clone();
                if let Kind::Hardlink(to) = &mut node.kind
                    && let Some(target) = to.strip_prefix("var/")
                {
                    *to = target.to_owned();
                }
                state.insert(below, node)?;
            }
            None => fixed.insert(path, node.clone())?,
        }
    }
    Ok((fixed, state))
}

/// Bytes of each root slot for a root file system of `len` bytes.
#[must_use]
pub fn slot_size(device: &Device, len: u64) -> u64 {
    len.max(device.storage.root.unwrap_or(0)).next_multiple_of(MIB)
}

/// The content of the partition `bootctl`: slot a holds this device's version, slot b nothing.
#[must_use]
pub fn bootctl(device: &Device) -> Vec<u8> {
    BootCtl::first(&device.version).encode()
}
