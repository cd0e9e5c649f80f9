//! Debian's kernel: the image, and exactly the modules a device needs in the order to load them.
//!
//! ```text
//! wanted ─► what they depend on, from the modules themselves ─► depth first ─► load order
//! ```
//!
//! What is built in needs no loading. Modules are decompressed into the cache once, all that were
//! asked for: reading them plain costs a machine without KVM less than decompressing them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use model::device::Target;

use super::cache::{Cache, write_whole};
use super::compression::Compression;
use super::deb::{Package, copy_limited};
use super::modinfo::{self, name};
use super::similar;
use crate::tree::{Content, Kind};

/// Beginnings of the names of packages that make a kernel; they are not part of the root.
pub const PACKAGES: &[&str] = &["linux-image-", "linux-modules-", "linux-binary-", "linux-base-"];

/// The largest module, uncompressed.
pub const MAX_MODULE: u64 = 256 << 20;

/// Deepest chain of dependencies; the kernel's longest has about a dozen.
const MAX_DEPTH: usize = 64;

/// Modules of every device: the root, the state and what services may store in it, `/etc`; and what encrypts the data
/// of apps, their contents and names (there is nobody on a device whom the kernel could ask for a module later).
const BASE: &[&str] = &["erofs", "ext4", "quota_v2", "overlay", "xts", "cts"];

/// Modules of QEMU's machines: disk, network, console, random numbers.
const VIRTIO: &[&str] = &["virtio_pci", "virtio_blk", "virtio_net", "virtio_console", "virtio_rng"];

/// The watchdog of QEMU's PC; Debian's arm64 kernels have no driver of it.
const WATCHDOG: &str = "i6300esb";

/// Modules of a device with a screen, and what people act on it with.
const SCREEN: &[&str] = &["virtio_gpu", "evdev", "virtio_input"];

/// Whether a package belongs to the kernel and not to the root.
#[must_use]
pub fn is_kernel(package: &str) -> bool {
    PACKAGES.iter().any(|p| package.starts_with(p))
}

/// The modules a device needs, besides what they depend on; none in a container.
#[must_use]
pub fn for_device(target: Target, screen: bool, extra: &[String]) -> Vec<String> {
    let machine: &[&str] = match target {
        Target::Container => return Vec::new(),
        Target::QemuX86_64 | Target::QemuAarch64 => VIRTIO,
        Target::Rpi3 | Target::Rpi4 | Target::Rpi5 => &[],
    };
    let screen = if screen { SCREEN } else { &[] };
    let watchdog: &[&str] = if target == Target::QemuX86_64 { &[WATCHDOG] } else { &[] };
    let fixed = [BASE, machine, watchdog, screen].concat();
    fixed.into_iter().map(str::to_owned).chain(extra.iter().cloned()).collect()
}

/// A kernel of Debian.
#[derive(Debug)]
pub struct Kernel {
    /// Its release, as `uname -r` tells it.
    pub release: String,
    /// What a boot loader starts.
    pub image: Content,
    modules: BTreeMap<String, Shipped>,
    builtin: BTreeSet<String>,
    /// Where modules are decompressed.
    plain: PathBuf,
}

/// A module as the package has it.
#[derive(Debug, Clone)]
struct Shipped {
    path: String,
    content: Content,
    compression: Compression,
}

/// A module to load.
#[derive(Debug, Clone)]
pub struct Module {
    /// Its name.
    pub name: String,
    /// Where it belongs in a root, ending in `.ko`.
    pub path: String,
    /// Its bytes, uncompressed.
    pub content: Content,
    /// Its bytes as Debian ships them, `.ko.xz`; Debian's kernels can load these too.
    pub shipped: Content,
}

impl Kernel {
    /// The kernel among these packages.
    ///
    /// # Errors
    /// There is none, or more than one, or its list of built-in modules cannot be read.
    pub fn find(cache: &Cache, packages: &[Package]) -> Result<Self> {
        let entries = || packages.iter().flat_map(|p| p.entries.iter().map(move |e| (p, e)));
        let mut images = entries().filter_map(|(package, entry)| {
            let release = entry.path.strip_prefix("boot/vmlinu")?.split_once('-')?.1;
            file(&entry.node.kind).map(|content| (package, release.to_owned(), content.clone()))
        });
        let (package, release, image) =
            images.next().context("looking for boot/vmlinuz-*: no package of [kernel] has it")?;
        if let Some((other, ..)) = images.next() {
            bail!(
                "looking for the kernel: `{}` and `{}` are both one: take one out",
                package.name,
                other.name
            );
        }
        let below = format!("usr/lib/modules/{release}/");
        let (mut modules, mut builtin) = (BTreeMap::new(), BTreeSet::new());
        for (_, entry) in entries() {
            let (Some(path), Some(content)) =
                (entry.path.strip_prefix(&below), file(&entry.node.kind))
            else {
                continue;
            };
            if path == "modules.builtin" {
                let text = content.read().context("reading modules.builtin")?;
                builtin = String::from_utf8_lossy(&text)
                    .lines()
                    .filter_map(stem)
                    .map(|(n, _)| n)
                    .collect();
            } else if let Some((name, compression)) = stem(path) {
                let path = entry.path.clone();
                modules.insert(name, Shipped { path, content: content.clone(), compression });
            }
        }
        let plain = cache.root().join("modules").join(&package.sha256);
        Ok(Self { release, image, modules, builtin, plain })
    }

    /// The names of all modules that are not built in.
    pub fn names(&self) -> impl Iterator<Item = &str> + Clone {
        self.modules.keys().map(String::as_str)
    }

    /// Whether a module is there, to load or built in.
    #[must_use]
    pub fn has(&self, module: &str) -> bool {
        self.modules.contains_key(&name(module)) || self.is_builtin(module)
    }

    /// Whether a module is part of the image.
    #[must_use]
    pub fn is_builtin(&self, module: &str) -> bool {
        self.builtin.contains(&name(module))
    }

    /// The wanted modules and what they depend on, each after its dependencies.
    ///
    /// # Errors
    /// The kernel does not have one, or it cannot be read.
    pub fn load_order(&self, wanted: &[String]) -> Result<Vec<Module>> {
        let mut order = Order { kernel: self, seen: BTreeSet::new(), modules: Vec::new() };
        for wanted in wanted {
            let name = name(wanted);
            if !self.modules.contains_key(&name) && !self.builtin.contains(&name) {
                let similar = similar(&name, self.names());
                let hint = if similar.is_empty() {
                    String::new()
                } else {
                    format!(": did you mean {}?", similar.join(" or "))
                };
                bail!(
                    "loading the module `{wanted}`: kernel {} has none of this name{hint}",
                    self.release
                );
            }
            order.add(&name, 0)?;
        }
        Ok(order.modules)
    }

    fn module(&self, name: &str, shipped: &Shipped) -> Result<Module> {
        let reading = || format!("reading the module `{name}` ({})", shipped.path);
        let path = shipped.path.split_once(".ko").map_or(&*shipped.path, |(stem, _)| stem);
        let content = self.plain(name, shipped).with_context(reading)?;
        let path = format!("{path}.ko");
        Ok(Module { name: name.to_owned(), path, content, shipped: shipped.content.clone() })
    }

    /// The uncompressed module, from the cache.
    fn plain(&self, name: &str, shipped: &Shipped) -> Result<Content> {
        if shipped.compression == Compression::None {
            return Ok(shipped.content.clone());
        }
        let path = self.plain.join(format!("{name}.ko"));
        if !path.exists() {
            let bytes = shipped.content.read()?;
            let from = shipped.compression.reader(&*bytes)?;
            write_whole(&path, |to| copy_limited(from, to, MAX_MODULE))?;
        }
        let len = std::fs::metadata(&path)?.len();
        Ok(Content::Slice { file: Arc::new(path), offset: 0, len })
    }

    /// The module or built-in that a soft dependency means: a name, or an algorithm of the crypto
    /// API, whose plain implementation is `NAME_generic`.
    fn soft(&self, asked: &str) -> Option<String> {
        let bare = asked.strip_prefix("crypto_").unwrap_or(asked);
        let candidates = [asked.to_owned(), format!("{bare}_generic"), bare.to_owned()];
        candidates.into_iter().find(|n| self.modules.contains_key(n))
    }
}

struct Order<'a> {
    kernel: &'a Kernel,
    seen: BTreeSet<String>,
    modules: Vec<Module>,
}

impl Order<'_> {
    fn add(&mut self, name: &str, depth: usize) -> Result<()> {
        let kernel = self.kernel;
        let Some(shipped) = kernel.modules.get(name) else {
            ensure!(
                kernel.builtin.contains(name),
                "a module needs `{name}`, which kernel {} does not have",
                kernel.release
            );
            return Ok(());
        };
        ensure!(
            depth < MAX_DEPTH,
            "modules depend on each other over more than {MAX_DEPTH} steps at `{name}`"
        );
        if !self.seen.insert(name.to_owned()) {
            return Ok(());
        }
        let module = kernel.module(name, shipped)?;
        let bytes =
            module.content.read().with_context(|| format!("reading the module `{name}`"))?;
        let info = modinfo::read(&bytes)
            .with_context(|| format!("`{}` is no kernel module", shipped.path))?;
        for soft in info.soft.iter().filter_map(|asked| kernel.soft(asked)) {
            self.add(&soft, depth + 1)?;
        }
        for needed in &info.depends {
            self.add(needed, depth + 1).with_context(|| format!("loading the module `{name}`"))?;
        }
        self.modules.push(module);
        Ok(())
    }
}

fn file(kind: &Kind) -> Option<&Content> {
    if let Kind::File(content) = kind { Some(content) } else { None }
}

/// `kernel/fs/ext4/ext4.ko.xz` → `ext4`, xz
fn stem(path: &str) -> Option<(String, Compression)> {
    let file = path.rsplit('/').next()?;
    let (stem, _) = file.split_once(".ko")?;
    Some((name(stem), Compression::of(file, &format!("{stem}.ko"))?))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use model::device::Target;

    use super::super::deb::{open, unpack};
    use super::super::fixture::{Item, cache, deb, put, tar};
    use super::super::modinfo::tests::elf;
    use super::{Kernel, for_device};

    /// A kernel with these modules: (path, what it says).
    fn kernel(modules: &[(&str, &str)]) -> Kernel {
        let xz = |content: Vec<u8>| {
            let mut xz = liblzma::write::XzEncoder::new(Vec::new(), 0);
            xz.write_all(&content).unwrap();
            xz.finish().unwrap()
        };
        let base = "./usr/lib/modules/6.12-x";
        let files: Vec<(String, Vec<u8>)> = modules
            .iter()
            .map(|(path, info)| (format!("{base}/kernel/{path}.ko.xz"), xz(elf(info))))
            .collect();
        let builtin = format!("{base}/modules.builtin");
        let mut items = vec![
            Item::File("./boot/vmlinuz-6.12-x", b"kernel"),
            Item::File(&builtin, b"kernel/drivers/virtio/virtio_pci.ko\n"),
        ];
        items.extend(files.iter().map(|(path, content)| Item::File(path, content)));
        let (directory, cache) = cache();
        let locked =
            put(&cache, "linux-image-x", "1", &deb("Package: x", "data.tar", &tar(&items)));
        let _kept = directory.keep();
        unpack(&cache, &locked).unwrap();
        Kernel::find(&cache, &[open(&cache, &locked).unwrap()]).unwrap()
    }

    fn order(kernel: &Kernel, wanted: &[&str]) -> Result<Vec<String>, String> {
        let wanted: Vec<String> = wanted.iter().map(ToString::to_string).collect();
        let modules = kernel.load_order(&wanted).map_err(|e| format!("{e:#}"))?;
        Ok(modules.into_iter().map(|m| m.name).collect())
    }

    #[test]
    fn modules_are_loaded_after_what_they_depend_on() {
        let kernel = kernel(&[
            ("ext4", "depends=jbd2,crc16 softdep=pre:~crypto-crc32c "),
            ("jbd2", "depends= softdep=pre:~crypto-crc32c "),
            ("crc16", "depends= "),
            ("crc32c_generic", "depends= "),
            ("virtio-gpu", "depends=drm "),
            ("drm", "depends= "),
            ("other", "depends= "),
        ]);
        assert_eq!(kernel.release, "6.12-x");
        assert_eq!(
            order(&kernel, &["ext4", "virtio_pci", "virtio_gpu", "drm"]).unwrap(),
            ["crc32c_generic", "jbd2", "crc16", "ext4", "drm", "virtio_gpu"]
        );
        let wanted = kernel.load_order(&["virtio-gpu".to_owned()]).unwrap();
        assert_eq!(wanted[1].path, "usr/lib/modules/6.12-x/kernel/virtio-gpu.ko");
        assert_eq!(*wanted[1].content.read().unwrap(), elf("depends=drm "));
    }

    #[test]
    fn a_module_that_does_not_exist_is_named_with_one_that_does() {
        let kernel = kernel(&[("virtio_net", "depends=gone "), ("evdev", "")]);
        assert_eq!(
            order(&kernel, &["virtio_nte"]).unwrap_err(),
            "loading the module `virtio_nte`: kernel 6.12-x has none of this name: did you mean virtio_net?"
        );
        assert_eq!(
            order(&kernel, &["virtio_net"]).unwrap_err(),
            "loading the module `virtio_net`: a module needs `gone`, which kernel 6.12-x does not have"
        );
    }

    #[test]
    fn modules_that_need_each_other_end_too() {
        let kernel = kernel(&[("a", "depends=b "), ("b", "depends=a ")]);
        assert_eq!(order(&kernel, &["a"]).unwrap(), ["b", "a"]);
    }

    #[test]
    fn a_container_loads_nothing_and_a_screen_brings_its_drivers() {
        assert!(for_device(Target::Container, true, &["x".to_owned()]).is_empty());
        let with = for_device(Target::QemuX86_64, true, &["x".to_owned()]);
        assert!(with.iter().any(|m| m == "virtio_gpu") && with.iter().any(|m| m == "x"));
        assert!(!for_device(Target::QemuX86_64, false, &[]).iter().any(|m| m == "virtio_gpu"));
    }
}
