//! The steps for a machine: kernel, initramfs, root, boot partition, disk.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use model::device::{Compression, KernelSource};

use super::{Job, Refused, content, keys, uuid};
use crate::built::Parts;
use crate::packages::assemble::assemble;
use crate::packages::kernel::{self, Kernel};
use crate::packages::lock::Locked;
use crate::packages::obtain::obtain;
use crate::recipe;
use crate::steps::{Inputs, Output};
use crate::tree::{Content, Kind, Node, Tree};
use crate::write::compressed::{self, Algorithm, Mkfs};
use crate::write::disk::{self, Disk, Partition, Source};
use crate::write::{cpio, erofs, ext4, fat, unpack};

/// Kernel in the result of the step `boot`, and on the boot partition.
pub(super) const VMLINUZ: &str = "vmlinuz";

/// Initramfs in the result of the step `boot`, and on the boot partition.
const INITRAMFS: &str = "initramfs.cpio";

impl Job<'_> {
    pub(super) fn machine(&self) -> Result<Parts> {
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
    pub(super) fn boot(&self) -> Result<Output> {
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
}
