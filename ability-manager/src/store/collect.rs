//! Garbage: what no generation names, and what was begun and never ended.
//!
//! | in the store | stays while |
//! |---|---|
//! | `DIGEST.content`, `DIGEST.signature` | a bundle, or the version before it, is of that digest |
//! | `unpacked/DIGEST`, `unpacked/DIGEST.new` | a bundle that counts is of that digest; the second one is made anew when it is unpacked |
//! | `saved/NUMBER` | a version before, or something unfinished, has those data |
//! | `incoming-N` | it is being prepared |
//! | `manifests` | always: see `manifests` |
//! | `installed.new`, `manifests.new`, `saved/NUMBER.old` | never |
//!
//! Invariant: nothing else is touched, and nothing at all while it is not certain what is installed. Bundles are
//! prepared, mounted and started meanwhile.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::PoisonError;

use bundle::Digest;

use super::generation::Generation;
use super::mounting::CONTENT;
use super::{Base, disk};

impl Base {
    /// Removes what is garbage; what can't be removed is logged and is garbage the next time.
    pub(super) fn collect(&self, generation: &Generation, counting: &BTreeSet<Digest>) {
        let bundles = &self.places.bundles;
        let contents = generation.contents();
        let saved = generation.saved();
        // Looked at once the names are known: whoever makes one has said so before.
        let incoming = |path: &PathBuf| {
            self.incoming.lock().unwrap_or_else(PoisonError::into_inner).1.contains(path)
        };
        let file = |name: &str| {
            let digest = name.strip_suffix(CONTENT).or_else(|| name.strip_suffix(".signature"));
            match digest.map(str::parse::<Digest>) {
                Some(Ok(digest)) => !contents.contains(&digest),
                Some(Err(_)) => false,
                None if name.starts_with("incoming-") => !incoming(&bundles.join(name)),
                None => matches!(name, "installed.new" | "manifests.new"),
            }
        };
        for path in chosen(bundles, file) {
            // What nobody writes just now is nobody's.
            let _alone = self.swapping.lock().unwrap_or_else(PoisonError::into_inner);
            logged(&path, self.disk.remove(&path));
        }
        let kept = |name: &str| saved.iter().any(|number| number.to_string() == name);
        // It may be unpacked just now.
        let unpacked = |name: &str| {
            let name = name.strip_suffix(".new").unwrap_or(name);
            counting.iter().any(|digest| digest.to_string() == name)
        };
        let trees = chosen(&bundles.join("saved"), |name| !kept(name))
            .into_iter()
            .chain(chosen(&bundles.join("unpacked"), |name| !unpacked(name)));
        for path in trees {
            logged(&path, self.disk.remove_tree(&path));
        }
    }

    /// A number that no saved data have.
    pub(super) fn next_saved(&self, generation: &Generation) -> std::io::Result<u64> {
        let names = disk::names(&self.places.bundles.join("saved"))?;
        let there = names.iter().filter_map(|name| name.to_str()?.split('.').next()?.parse().ok());
        let highest = there.chain(generation.saved()).max();
        Ok(highest.map_or(1, |highest: u64| highest.saturating_add(1)))
    }
}

/// What lies in a directory and has such a name.
fn chosen(directory: &Path, garbage: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    let names = disk::names(directory).unwrap_or_else(|why| {
        log::warn!("what is garbage in {} stays: {why}", directory.display());
        Vec::new()
    });
    let garbage = |name: &std::ffi::OsString| name.to_str().is_some_and(&garbage);
    names.into_iter().filter(garbage).map(|name| directory.join(name)).collect()
}

fn logged(path: &Path, done: std::io::Result<()>) {
    if let Err(why) = done {
        log::warn!("{} is garbage and can't be removed: {why}", path.display());
    }
}
