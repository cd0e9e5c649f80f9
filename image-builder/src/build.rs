//! A device into files, step by step.
//!
//! ```text
//! lock ─► packages ─────┬─► tree ─┬─► root (EROFS) ──┐
//! programs, plan, apps ─┘         ├─► state (ext4) ──┼─► disk        tree ─► rootfs (directory) | OCI archive
//! kernel, modules, init ──────────┴─► boot (FAT) ────┘
//! ```
//!
//! Each step has a key made of its inputs ([`Steps`]); the tree is only put together when a step
//! that needs it has work to do. So a build with nothing changed reads a lock and hashes a few files.

mod apps;
mod container;
mod machine;

use std::cell::OnceCell;
use std::fmt;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use model::device::{Device, File, FileContent};
use model::text::{Loaded, Report};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::built::{Built, Flavor, Parts};
use crate::packages::assemble::assemble;
use crate::packages::cache::Cache;
use crate::packages::kernel;
use crate::packages::lock::{Lock, Locked};
use crate::packages::obtain::obtain;
use crate::packages::resolve::{self, Relock};
use crate::packages::{Request, root};
use crate::programs::Programs;
use crate::progress::Progress;
use crate::recipe::{self, Program};
use crate::run::persist;
use crate::steps::{Found, Held, Inputs, Output, Steps};
use crate::tree::{Content, Tree};
use crate::workspace::Workspace;
use crate::write::content_uuid;

/// What every build of one session shares.
#[derive(Clone, Copy)]
pub struct Builder<'a> {
    /// The project, for apps that are built in it.
    pub workspace: &'a Workspace,
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
        let (parts, held) = match flavor {
            Flavor::Machine => (job.machine()?, Held::default()),
            Flavor::Container => {
                let root = job.rootfs()?;
                let held = Held::new(&root)?; // a container runs on it
                (Parts::Container { root: root.path }, held)
            }
        };
        Ok(Built { device: order.loaded.device.clone(), parts, held })
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
        Ok(self.job(order)?.boot()?.path.join(machine::VMLINUZ))
    }

    fn job<'b>(&'b self, order: &'b Order<'a>) -> Result<Job<'b>> {
        let device = &order.loaded.device;
        let request = recipe::request(device);
        let lock = resolve::lock(self.cache, &request, order.lock, order.relock, self.progress)?;
        let mut programs = Vec::new();
        let sandboxes = !order.loaded.plan.compiled.is_empty();
        for program in recipe::programs(device, sandboxes) {
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
            relock: order.relock,
            programs,
            tree: OnceCell::new(),
            apps: OnceCell::new(),
        })
    }
}

/// One device on its way.
struct Job<'a> {
    builder: &'a Builder<'a>,
    loaded: &'a Loaded,
    steps: Steps,
    request: Request,
    lock: Lock,
    relock: Relock,
    programs: Vec<(Program, PathBuf)>,
    tree: OnceCell<Tree>,
    apps: OnceCell<Vec<apps::App>>,
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
            .value("the parameters", &device.parameters)?
            .value("the files", &device.files.iter().map(nameless).collect::<Vec<_>>())?
            .value("hostname, locale or time zone", &facts(device))?
            .value(
                "the enabled services",
                &(&self.loaded.plan.enabled, &self.loaded.plan.device),
            )?;
        inputs = inputs.value("the compiled sandboxes", &self.loaded.plan.compiled)?;
        inputs = inputs.bytes("what is ready for apps", &self.loaded.ready.encode());
        for service in self.loaded.plan.services.iter().chain(&self.loaded.plan.templates) {
            inputs = inputs.value(format!("service {}", service.name), service)?;
        }
        for (path, text) in &self.loaded.services {
            inputs = inputs.bytes(format!("services/{path}"), text.as_bytes());
        }
        for (path, text) in &self.loaded.profiles {
            inputs = inputs.bytes(format!("sandbox/{path}"), text.as_bytes());
        }
        for (path, text) in &self.loaded.permissions {
            inputs = inputs.bytes(format!("permissions/{path}"), text.as_bytes());
        }
        for apps::App { id, bundle, .. } in self.apps()? {
            inputs = inputs.bytes(format!("app {id}"), bundle.key.as_bytes());
        }
        inputs = inputs.value("the trusted keys", &self.loaded.apps.trust)?;
        inputs = inputs.value("the stores", &self.loaded.apps.stores)?;
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
        recipe::ours(&mut tree, self.loaded, programs)?;
        for file in &self.device().files {
            let source = match &file.content {
                FileContent::Source(path) => Some(content(Path::new(path))?),
                _ => None,
            };
            let refused = |why: String| Refused(self.loaded.refused_file(&file.path, &why));
            recipe::place(&mut tree, self.device(), file, source).map_err(refused)?;
        }
        self.place_apps(&mut tree)?;
        Ok(self.tree.get_or_init(|| tree))
    }
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
