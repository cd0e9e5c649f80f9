//! A device into files, step by step.
//!
//! ```text
//! lock ─► packages ─┬─► tree ─┬─► root (EROFS) ──┐
//! programs, plan ───┘         ├─► state (ext4) ──┼─► disk        tree ─► rootfs (directory) | OCI archive
//! kernel, modules, init ──────┴─► boot (FAT) ────┘
//! ```
//!
//! Each step has a key made of its inputs ([`Steps`]); the tree is only put together when a step
//! that needs it has work to do. So a build with nothing changed reads a lock and hashes a few files.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use model::device::{Compression, Device, File, FileContent, KernelSource};
use model::text::{Loaded, Report};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::built::{Built, Flavor, Parts};
use crate::packages::assemble::assemble;
use crate::packages::cache::Cache;
use crate::packages::kernel::{self, Kernel};
use crate::packages::lock::{Lock, Locked};
use crate::packages::obtain::obtain;
use crate::packages::resolve::{self, Relock};
use crate::packages::{Request, root};
use crate::programs::Programs;
use crate::progress::Progress;
use crate::recipe::{self, Program};
use crate::run::persist;
use crate::steps::{Found, Inputs, Output, Steps};
use crate::tree::{Content, Kind, Node, Tree};
use crate::write::compressed::{self, Algorithm, Mkfs};
use crate::write::disk::{self, Disk, Partition, Source};
use crate::write::{content_uuid, cpio, erofs, ext4, fat, oci, unpack};

/// What every build of one session shares.
#[derive(Clone, Copy)]
pub struct Builder<'a> {
    /// Fetched packages.
    pub cache: &'a Cache,
    /// Results of steps.
    pub steps: &'a Path,
    /// Our programs.
    pub programs: &'a Programs,
    /// Who is told.
    pub progress: &'a dyn Progress,
    /// Say why each step ran, and which did not.
    pub verbose: bool,
}

impl fmt::Debug for Builder<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").field("steps", &self.steps).finish_non_exhaustive()
    }
}

/// TOML that turned out to be wrong when the image was put together.
#[derive(Debug)]
pub struct Refused(pub Report);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.render(false))
    }
}

impl std::error::Error for Refused {}

/// One device to build.
#[derive(Debug, Clone, Copy)]
pub struct Order<'a> {
    /// The device and its services.
    pub loaded: &'a Loaded,
    /// Its lock file.
    pub lock: &'a Path,
    /// When the lock is renewed.
    pub relock: Relock,
}

impl<'a> Builder<'a> {
    /// Builds for a machine or a container.
    ///
    /// # Errors
    /// A package, a file or the kernel is missing or wrong, or the disk is full.
    pub fn build(&self, order: &Order<'a>, flavor: Flavor) -> Result<Built> {
        let job = self.job(order)?;
        let parts = match flavor {
            Flavor::Machine => job.machine()?,
            Flavor::Container => {
                let root = job.rootfs()?;
                Steps::hold(&root)?; // a container runs on it
                Parts::Container { root: root.path }
            }
        };
        Ok(Built { device: order.loaded.device.clone(), parts })
    }

    /// Writes an OCI archive that podman loads.
    ///
    /// # Errors
    /// As [`Builder::build`].
    pub fn oci(&self, order: &Order<'a>, path: &Path) -> Result<()> {
        let job = self.job(order)?;
        let archive = job.oci()?.path;
        persist::copy_whole(&archive, path, self.progress)
    }

    /// The kernel image alone, for benchmarks.
    ///
    /// # Errors
    /// As [`Builder::build`].
    pub fn kernel(&self, order: &Order<'a>) -> Result<PathBuf> {
        Ok(self.job(order)?.boot()?.path.join(VMLINUZ))
    }

    fn job<'b>(&'b self, order: &'b Order<'a>) -> Result<Job<'b>> {
        let device = &order.loaded.device;
        let request = recipe::request(device);
        let lock = resolve::lock(self.cache, &request, order.lock, order.relock, self.progress)?;
        let mut programs = Vec::new();
        for program in recipe::programs(device) {
            let path = self.programs.get(program.binary);
            let path = path.with_context(|| format!("{} was not built", program.binary))?;
            programs.push((program, path.clone()));
        }
        Ok(Job {
            builder: self,
            loaded: order.loaded,
            steps: Steps::new(self.steps, device.name.as_str(), ourselves()?),
            request,
            lock,
            programs,
            tree: OnceCell::new(),
        })
    }
}

/// Kernel in the result of the step `boot`, and on the boot partition.
const VMLINUZ: &str = "vmlinuz";

/// Initramfs in the result of the step `boot`, and on the boot partition.
const INITRAMFS: &str = "initramfs.cpio";

/// One device on its way.
struct Job<'a> {
    builder: &'a Builder<'a>,
    loaded: &'a Loaded,
    steps: Steps,
    request: Request,
    lock: Lock,
    programs: Vec<(Program, PathBuf)>,
    tree: OnceCell<Tree>,
}

impl Job<'_> {
    fn device(&self) -> &Device {
        &self.loaded.device
    }

    fn step(&self, inputs: &Inputs, make: impl FnOnce(&Path) -> Result<()>) -> Result<Output> {
        let mut told = None;
        let say = |found: &Found| {
            let name = inputs.name();
            match found {
                Found::Cached if self.builder.verbose => {
                    self.builder.progress.note(&format!("{name}: nothing changed"));
                }
                Found::Cached => {}
                Found::Made(why) => {
                    if self.builder.verbose {
                        self.builder.progress.note(&format!("{name}: {why}"));
                    }
                    told = Some(self.builder.progress.step(&format!("Building {name}")));
                }
            }
        };
        self.steps.run(inputs, say, make)
    }

    // ---- what things depend on

    /// All that the tree is made of.
    fn tree_inputs(&self, step: &'static str) -> Result<Inputs> {
        let device = self.device();
        let mut inputs = Inputs::new(step)
            .value("the packages", &keys(&self.root_packages()))?
            .value("the users", &device.users)?
            .value("the files", &device.files.iter().map(nameless).collect::<Vec<_>>())?
            .value("hostname, locale or time zone", &facts(device))?
            .value(
                "the enabled services",
                &(&self.loaded.plan.enabled, &self.loaded.plan.device),
            )?;
        for service in &self.loaded.plan.services {
            inputs = inputs.value(format!("service {}", service.name), service)?;
        }
        for (program, path) in &self.programs {
            inputs = inputs.file(format!("program {}", program.binary), path)?;
        }
        for file in &device.files {
            if let FileContent::Source(source) = &file.content {
                let refused = |e: anyhow::Error| {
                    Refused(self.loaded.refused_file(&file.path, &format!("{e:#}")))
                };
                let label = format!("file {}", file.path);
                inputs = inputs.file(label, Path::new(source)).map_err(refused)?;
            }
        }
        Ok(inputs)
    }

    fn root_packages(&self) -> Vec<&Locked> {
        self.lock.packages.iter().filter(|p| !kernel::is_kernel(&p.name)).collect()
    }

    fn kernel_packages(&self) -> Vec<&Locked> {
        self.lock.packages.iter().filter(|p| kernel::is_kernel(&p.name)).collect()
    }

    // ---- the tree

    fn tree(&self) -> Result<&Tree> {
        if let Some(tree) = self.tree.get() {
            return Ok(tree);
        }
        let packages = self.root_packages();
        let builder = self.builder;
        let packages = obtain(builder.cache, &self.request, &packages, builder.progress)?;
        let mut tree = assemble(&packages)?;
        root::finish(&mut tree, self.device())?;
        let programs = self.programs.iter().map(|(program, path)| Ok((*program, content(path)?)));
        let programs = programs.collect::<Result<Vec<_>>>()?;
        recipe::ours(&mut tree, &self.loaded.plan, programs)?;
        for file in &self.device().files {
            let source = match &file.content {
                FileContent::Source(path) => Some(content(Path::new(path))?),
                _ => None,
            };
            let refused = |why: String| Refused(self.loaded.refused_file(&file.path, &why));
            recipe::place(&mut tree, self.device(), file, source).map_err(refused)?;
        }
        Ok(self.tree.get_or_init(|| tree))
    }

    // ---- steps for a machine

    fn machine(&self) -> Result<Parts> {
        let boot = self.boot()?;
        let disk = self.disk(&boot)?;
        Ok(Parts::Machine {
            disk: disk.path,
            kernel: boot.path.join(VMLINUZ),
            initramfs: boot.path.join(INITRAMFS),
            cmdline: recipe::cmdline(self.device()),
        })
    }

    /// Kernel and initramfs: a directory.
    fn boot(&self) -> Result<Output> {
        let device = self.device();
        let modules =
            kernel::for_device(device.target, device.screen.is_some(), &device.kernel.modules);
        let mut inputs = Inputs::new("boot")
            .value("the kernel", &keys(&self.kernel_packages()))?
            .value("the modules", &modules)?
            .value("the rescue shell", &keys(&self.shell_package()))?;
        let init = self.programs.iter().find(|(p, _)| p.binary == "init");
        let (_, init) = init.context("a device has an init")?;
        inputs = inputs.file("program init", init)?;
        if let KernelSource::Path(path) = &device.kernel.source {
            inputs = inputs.file("the kernel's file", Path::new(path))?;
        }
        self.step(&inputs, |path| {
            let (image, modules) = self.kernel(&modules)?;
            fs::create_dir(path)?;
            fs::write(path.join(VMLINUZ), image.read()?)?;
            let tree = recipe::initramfs(content(init)?, &modules, self.shell()?)?;
            cpio::write(&tree, recipe::TIME, &path.join(INITRAMFS))
        })
    }

    /// Only a device with a shell on its console gets one for rescues.
    fn shell_package(&self) -> Vec<&Locked> {
        let wanted = |p: &&Locked| p.name == recipe::RESCUE_SHELL;
        self.lock.packages.iter().filter(|_| self.device().debug.console).filter(wanted).collect()
    }

    fn shell(&self) -> Result<Option<Content>> {
        let builder = self.builder;
        let wanted = self.shell_package();
        let packages = obtain(builder.cache, &self.request, &wanted, builder.progress)?;
        let mut entries = packages.iter().flat_map(|p| &p.entries);
        Ok(entries.find_map(|e| match &e.node.kind {
            Kind::File(content) if e.path == "usr/bin/busybox" => Some(content.clone()),
            _ => None,
        }))
    }

    fn kernel(&self, wanted: &[String]) -> Result<(Content, Vec<kernel::Module>)> {
        if let KernelSource::Path(path) = &self.device().kernel.source {
            if !self.device().kernel.modules.is_empty() {
                bail!("[kernel] has a path and modules: a kernel of your own has them built in");
            }
            return Ok((content(Path::new(path))?, Vec::new()));
        }
        let packages = self.kernel_packages();
        let builder = self.builder;
        let packages = obtain(builder.cache, &self.request, &packages, builder.progress)?;
        let kernel = Kernel::find(builder.cache, &packages)?;
        let has = |module: &str| kernel.has(module);
        let checked = self.loaded.check_modules(&kernel.release, has, kernel.names());
        checked.map_err(Refused)?;
        let modules = kernel.load_order(wanted)?;
        Ok((kernel.image.clone(), modules))
    }

    fn root(&self) -> Result<Output> {
        let algorithm = match self.device().storage.compression {
            Compression::None => None,
            Compression::Lz4 => Some(Algorithm::Lz4),
            Compression::Lz4hc => Some(Algorithm::Lz4hc),
        };
        let mut inputs = self.tree_inputs("root")?;
        let tools: Vec<&Locked> = self.lock.tools.iter().collect();
        inputs = inputs
            .value("the compression", &self.device().storage.compression)?
            .value("the tools", &keys(&tools))?;
        let uuid = uuid("root", &inputs);
        self.step(&inputs, |path| {
            let (root, _) = recipe::split(self.tree()?)?;
            let volume = erofs::Volume { uuid, label: "root".to_owned(), time: recipe::TIME };
            match algorithm {
                None => erofs::write(&root, &volume, path).map(drop),
                Some(algorithm) => {
                    compressed::write(&root, &volume, algorithm, &self.mkfs()?, path).map(drop)
                }
            }
        })
    }

    /// Debian's own `mkfs.erofs` of the device's suite, run by its own loader: the host's may be
    /// older, and another version gives other bytes.
    fn mkfs(&self) -> Result<Mkfs> {
        let builder = self.builder;
        let wanted: Vec<&Locked> = self.lock.tools.iter().collect();
        let inputs = Inputs::new("tools").value("the packages", &keys(&wanted))?;
        let tools = self.step(&inputs, |path| {
            let packages = obtain(builder.cache, &self.request, &wanted, builder.progress)?;
            unpack::to_directory(&assemble(&packages)?, recipe::TIME, path).map(drop)
        })?;
        let libraries = tools.path.join("usr/lib/x86_64-linux-gnu");
        let program = tools.path.join("usr/bin/mkfs.erofs");
        Ok(Mkfs {
            program: libraries.join("ld-linux-x86-64.so.2"),
            arguments: vec![
                OsString::from("--library-path"),
                libraries.into_os_string(),
                program.into_os_string(),
            ],
        })
    }

    fn disk(&self, boot: &Output) -> Result<Output> {
        let device = self.device();
        let root = self.root()?;
        let bootctl = recipe::bootctl(device);
        let state = self.tree_inputs("state")?;
        let inputs = Inputs::new("disk")
            .step(boot)
            .step(&root)
            .bytes("the state", state.key().as_bytes())
            .bytes("the boot record", &bootctl)
            .bytes("the command line", recipe::cmdline(device).as_bytes())
            .value("the sizes", &device.storage)?;
        self.step(&inputs, |path| {
            let partitions = self.partitions(boot, &root, bootctl, &inputs)?;
            let disk = Disk { guid: uuid("disk", &inputs), partitions };
            disk::write(&disk, path).map(drop)
        })
    }

    fn partitions(
        &self,
        boot: &Output,
        root: &Output,
        bootctl: Vec<u8>,
        inputs: &Inputs,
    ) -> Result<Vec<Partition>> {
        let device = self.device();
        let slot = recipe::slot_size(device, fs::metadata(&root.path)?.len());
        let (_, state) = recipe::split(self.tree()?)?;
        let volume = ext4::Volume {
            uuid: uuid("state", inputs),
            label: "state".to_owned(),
            time: recipe::TIME,
            size: device.storage.state,
        };
        let fat = self.fat(boot)?;
        let partition = |name: &str, kind, size, source| Partition {
            name: name.to_owned(),
            kind,
            guid: uuid(name, inputs),
            size,
            source,
        };
        let (bootctl, empty) = (Source::Bytes(bootctl), Source::Empty);
        let (boot, root) = (Source::File(fat), Source::File(root.path.clone()));
        Ok(vec![
            partition("boot", disk::kind::BOOT, device.storage.boot, boot),
            partition("bootctl", disk::kind::BOOTCTL, recipe::BOOTCTL_SIZE, bootctl),
            partition("root-a", disk::kind::ROOT_X86_64, slot, root),
            partition("root-b", disk::kind::ROOT_X86_64, slot, empty),
            partition("state", disk::kind::DATA, volume.size, Source::Ext4 { volume, tree: state }),
        ])
    }

    /// The boot partition: kernel, initramfs and command line.
    fn fat(&self, boot: &Output) -> Result<PathBuf> {
        let cmdline = recipe::cmdline(self.device());
        let size = self.device().storage.boot;
        let inputs = Inputs::new("fat")
            .step(boot)
            .bytes("the command line", cmdline.as_bytes())
            .bytes("the size", &size.to_le_bytes());
        let (serial, ..) = uuid("boot", &inputs).as_fields();
        let made = self.step(&inputs, |path| {
            let mut tree = Tree::new();
            for name in [VMLINUZ, INITRAMFS] {
                tree.insert(name, Node::file(0o644, content(&boot.path.join(name))?))?;
            }
            tree.insert("cmdline.txt", Node::file(0o644, format!("{cmdline}\n").as_str()))?;
            let volume = fat::Volume { label: "BOOT".to_owned(), serial, size };
            fat::write(&tree, &volume, path)
        })?;
        Ok(made.path)
    }

    // ---- steps for containers

    fn rootfs(&self) -> Result<Output> {
        let owner = if sys::process::user() == 0 { "root" } else { "another user" };
        let inputs = self.tree_inputs("rootfs")?.bytes("who builds", owner.as_bytes());
        self.step(&inputs, |path| unpack::to_directory(self.tree()?, recipe::TIME, path).map(drop))
    }

    fn oci(&self) -> Result<Output> {
        let device = self.device();
        let inputs = self.tree_inputs("oci")?.value("the name", &device.name)?;
        self.step(&inputs, |path| {
            let config = oci::Config {
                name: format!("{}:{}", device.name, tag(&device.version)),
                architecture: recipe::architecture(device.target).to_owned(),
                entrypoint: vec!["/usr/lib/ensemble/init".to_owned()],
                labels: BTreeMap::from([(
                    "org.opencontainers.image.version".to_owned(),
                    device.version.clone(),
                )]),
                stop_signal: "SIGTERM".to_owned(),
                time: recipe::TIME,
            };
            let mut tree = self.tree()?.clone();
            recipe::plan(&mut tree, &recipe::for_oci(&self.loaded.plan))?;
            oci::write(&tree, &config, path)
        })
    }
}

/// A version as the tag of an image: OCI takes letters, digits, `_`, `.` and `-`.
fn tag(version: &str) -> String {
    version.chars().map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' }).collect()
}

/// A file without the place of its source on this host, which is no input: its bytes are.
fn nameless(file: &File) -> File {
    let mut file = file.clone();
    if let FileContent::Source(path) = &mut file.content {
        path.clear();
    }
    file
}

/// What stands for the code of all steps: this program, by size and time, which is quick to find out.
fn ourselves() -> Result<String> {
    let program = fs::metadata("/proc/self/exe").context("looking at our own program")?;
    Ok(format!("{} {}.{}", program.size(), program.mtime(), program.mtime_nsec()))
}

/// What stands for the content of packages in a key.
fn keys(packages: &[&Locked]) -> Vec<(String, String)> {
    packages.iter().map(|p| (p.name.clone(), p.sha256.clone())).collect()
}

fn facts(device: &Device) -> (&str, &str, &str, &str, &str) {
    (device.name.as_str(), &device.version, &device.hostname, &device.locale, &device.timezone)
}

fn uuid(domain: &str, inputs: &Inputs) -> Uuid {
    content_uuid(domain, &Sha256::digest(inputs.key()).into())
}

/// A file of the host as content.
fn content(path: &Path) -> Result<Content> {
    let len = fs::metadata(path).with_context(|| format!("reading {}", path.display()))?.len();
    Ok(Content::Slice { file: Arc::new(path.to_owned()), offset: 0, len })
}
