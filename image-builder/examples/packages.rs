//! From names of packages to a tree and a kernel, with the time each step took.
//!
//! `cargo run -p image-builder --example packages -- CACHE [PACKAGE…]`; the lock is `CACHE/example.lock`.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result};
use image_builder::packages::assemble::assemble;
use image_builder::packages::cache::Cache;
use image_builder::packages::kernel::{Kernel, for_device, is_kernel};
use image_builder::packages::obtain::obtain;
use image_builder::packages::resolve::{Relock, lock};
use image_builder::packages::{Request, lock::Locked};
use image_builder::progress::to_stderr;
use model::device::Target;

const BASE: &[&str] = &[
    "busybox",
    "iputils-ping",
    "dhcpcd-base",
    "tzdata",
    "ca-certificates",
    "ncurses-base",
    "linux-image-cloud-amd64",
];

#[expect(clippy::print_stdout, reason = "an example for people")]
fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let directory = PathBuf::from(arguments.next().context("usage: packages CACHE [PACKAGE…]")?);
    let asked: Vec<String> = arguments.collect();
    let packages =
        if asked.is_empty() { BASE.iter().map(ToString::to_string).collect() } else { asked };
    let request = Request {
        suite: "trixie".into(),
        architecture: "amd64".into(),
        packages,
        tools: Vec::new(),
        mirror: None,
    };
    let (cache, progress) = (Cache::new(&directory), to_stderr(true));
    let progress = progress.as_ref();

    let mut clock = Clock::start();
    let lock =
        lock(&cache, &request, &directory.join("example.lock"), Relock::WhenNeeded, progress)?;
    println!("lock     {:>8.1} ms  {} packages", clock.lap(), lock.packages.len());
    let (kernel, root): (Vec<&Locked>, Vec<&Locked>) =
        lock.packages.iter().partition(|p| is_kernel(&p.name));
    let root = obtain(&cache, &request, &root, progress)?;
    println!(
        "root     {:>8.1} ms  {} entries",
        clock.lap(),
        root.iter().map(|p| p.entries.len()).sum::<usize>()
    );
    let tree = assemble(&root)?;
    println!("assemble {:>8.1} ms  {} paths", clock.lap(), tree.len());
    let kernel = obtain(&cache, &request, &kernel, progress)?;
    println!(
        "kernel   {:>8.1} ms  {} entries",
        clock.lap(),
        kernel.iter().map(|p| p.entries.len()).sum::<usize>()
    );
    if kernel.is_empty() {
        return Ok(());
    }
    let kernel = Kernel::find(&cache, &kernel)?;
    let screen = kernel.names().any(|m| m == "virtio_gpu");
    let modules = kernel.load_order(&for_device(Target::QemuX86_64, screen, &[]))?;
    println!("modules  {:>8.1} ms  {} of {}", clock.lap(), modules.len(), kernel.release);
    for module in &modules {
        println!("  {:>8} {:>8}  {}", module.shipped.len(), module.content.len(), module.path);
    }
    println!(
        "{}",
        lock.packages
            .iter()
            .map(|p| format!("{} {}", p.name, p.version))
            .collect::<Vec<_>>()
            .join(", ")
    );
    Ok(())
}

struct Clock(Instant);

#[expect(clippy::disallowed_methods, reason = "an example that tells how long things take")]
impl Clock {
    fn start() -> Self {
        Self(Instant::now())
    }

    /// Milliseconds since the last lap.
    fn lap(&mut self) -> f64 {
        let last = std::mem::replace(&mut self.0, Instant::now());
        (self.0 - last).as_secs_f64() * 1000.0
    }
}
