//! From a lock to the contents of its packages: fetch what is missing, unpack, list.
//!
//! Nothing is done twice: a package that was unpacked before is neither fetched nor read again.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use anyhow::{Context, Result};

use super::Request;
use super::apt::Apt;
use super::cache::Cache;
use super::deb::{self, Package};
use super::lock::Locked;
use crate::progress::{Progress, Step};

/// Most packages unpacked at once.
const MAX_THREADS: usize = 8;

/// The packages with their contents, in the order given.
///
/// # Errors
/// One is missing and cannot be fetched (named, with its file), or cannot be unpacked.
pub fn obtain(
    cache: &Cache,
    request: &Request,
    packages: &[&Locked],
    progress: &dyn Progress,
) -> Result<Vec<Package>> {
    if packages.iter().any(|p| !cache.unpacked(p).exists()) {
        // Another build may have done it while this one waited.
        let _alone = cache.exclusively()?;
        let is_new = |p: &&Locked| !cache.unpacked(p).exists();
        let mut fresh: Vec<&Locked> = packages.iter().copied().filter(is_new).collect();
        if fresh.iter().any(|p| !cache.deb(p).exists()) {
            Apt::new(cache, request)?.fetch(&fresh, progress)?;
        }
        fresh.sort_by_key(|p| std::cmp::Reverse(p.size));
        if !fresh.is_empty() {
            unpack_all(cache, &fresh, progress)?;
        }
    }
    packages.iter().map(|p| deb::open(cache, p)).collect()
}

/// Unpacks in several threads, the largest first.
fn unpack_all(cache: &Cache, packages: &[&Locked], progress: &dyn Progress) -> Result<()> {
    cache.sweep()?;
    let step = progress.step(&format!("unpacking {} packages", packages.len()));
    step.total(packages.iter().map(|p| p.size).sum());
    let next = AtomicUsize::new(0);
    let threads = thread::available_parallelism().map_or(1, usize::from).min(MAX_THREADS);
    thread::scope(|scope| {
        let work = || unpack_some(cache, packages, &next, step.as_ref());
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| {
            worker
                .join()
                .map_err(|_panic| anyhow::anyhow!("a thread panicked"))
                .context("unpacking")?
        })
    })
}

fn unpack_some(
    cache: &Cache,
    packages: &[&Locked],
    next: &AtomicUsize,
    step: &dyn Step,
) -> Result<()> {
    while let Some(package) = packages.get(next.fetch_add(1, Ordering::Relaxed)) {
        step.say(&package.name);
        deb::unpack(cache, package)?;
        step.advance(package.size);
    }
    Ok(())
}
