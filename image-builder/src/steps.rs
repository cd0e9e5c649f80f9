//! The step cache: work is done once per content, and it is said why it was done.
//!
//! ```text
//! Inputs (label → hash), builder ──sha256──► NAME ──► DIR/STEP/NAME    there: use it
//!                                        not there: make DIR/STEP/NAME.PID.partial, then rename
//! ```
//!
//! A result is a file or a directory and never changes under its final name; whoever is stopped half-way
//! leaves only a `.partial`, which the next run removes. Another builder does its steps again, but what
//! is derived from an [`Output`]'s key does not depend on it. The last inputs of each device are kept
//! beside the results, so that the reason for a run can be named. Results not used lately are removed
//! (`KEEP`), unless somebody holds them ([`Held`]).

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::Arc;
use std::time::SystemTime;

use anyhow::{Context, Result};
use serde::Serialize;
use sha2::{Digest, Sha256};

/// Results of one step that stay: a handful of devices, and the way back from one change.
const KEEP: usize = 12;

/// Label of the builder among the inputs of a step.
const BUILDER: &str = "the builder";

/// Bytes hashed at a time.
const CHUNK: usize = 1 << 16;

/// What a step depends on, each part with a label for people.
#[derive(Debug, Clone)]
pub struct Inputs {
    step: &'static str,
    parts: BTreeMap<String, String>,
}

impl Inputs {
    /// Of a step.
    #[must_use]
    pub fn new(step: &'static str) -> Self {
        Self { step, parts: BTreeMap::new() }
    }

    /// Depends on these bytes.
    #[must_use]
    pub fn bytes(mut self, label: impl Into<String>, bytes: &[u8]) -> Self {
        self.parts.insert(label.into(), hex(&Sha256::digest(bytes)));
        self
    }

    /// Depends on this value.
    ///
    /// # Errors
    /// The value cannot be written as JSON.
    pub fn value(self, label: impl Into<String>, value: &impl Serialize) -> Result<Self> {
        let bytes = serde_json::to_vec(value)?;
        Ok(self.bytes(label, &bytes))
    }

    /// Depends on the content of a file of the host.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn file(mut self, label: impl Into<String>, path: &Path) -> Result<Self> {
        let hash = hash_file(path).with_context(|| format!("reading {}", path.display()))?;
        self.parts.insert(label.into(), hash);
        Ok(self)
    }

    /// Depends on the result of another step.
    #[must_use]
    pub fn step(mut self, output: &Output) -> Self {
        self.parts.insert(output.step.to_owned(), output.key.clone());
        self
    }

    /// The step's name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.step
    }

    /// The hash of all parts.
    #[must_use]
    pub fn key(&self) -> String {
        let mut all = Sha256::new();
        all.update(self.step);
        for (label, hash) in &self.parts {
            all.update([0]);
            all.update(label);
            all.update([0]);
            all.update(hash);
        }
        hex(&all.finalize())
    }

    /// Why a step with these parts runs, given those of its last run.
    fn reason(parts: &BTreeMap<String, String>, last: Option<&BTreeMap<String, String>>) -> String {
        let Some(last) = last else { return "first time".to_owned() };
        let labels = parts.keys().chain(last.keys().filter(|l| !parts.contains_key(*l)));
        let changed: Vec<&str> =
            labels.filter(|l| parts.get(*l) != last.get(*l)).map(String::as_str).collect();
        match changed.as_slice() {
            [] => "its result was removed".to_owned(),
            [one] => format!("{one} changed"),
            [one, two] => format!("{one} and {two} changed"),
            [one, more @ ..] => format!("{one} and {} more changed", more.len()),
        }
    }
}

/// The result of a step.
#[derive(Debug, Clone)]
pub struct Output {
    /// The step's name.
    pub step: &'static str,
    /// The hash of its inputs.
    pub key: String,
    /// The file or directory.
    pub path: PathBuf,
}

/// Keeps a result while it lives, however many others are made meanwhile.
#[derive(Debug, Clone, Default)]
pub struct Held {
    _mark: Option<Arc<File>>,
}

impl Held {
    /// Keeps this one.
    ///
    /// # Errors
    /// Its mark cannot be locked.
    pub fn new(output: &Output) -> Result<Self> {
        let mark = File::open(mark(&output.path)).and_then(|file| {
            file.lock_shared()?;
            Ok(file)
        });
        let mark = mark.with_context(|| format!("holding {}", output.path.display()))?;
        Ok(Self { _mark: Some(Arc::new(mark)) })
    }
}

/// All results under one directory.
#[derive(Debug, Clone)]
pub struct Steps {
    dir: PathBuf,
    device: String,
    builder: String,
}

impl Steps {
    /// Of one device, in `dir`. `builder` stands for the code of all steps: results of another one
    /// are not used.
    #[must_use]
    pub fn new(
        dir: impl Into<PathBuf>,
        device: impl Into<String>,
        builder: impl Into<String>,
    ) -> Self {
        Self { dir: dir.into(), device: device.into(), builder: builder.into() }
    }

    /// Gives the result for `inputs`: the one that is there, or what `make` writes at the path it
    /// gets. `say` hears "cached" or the reason before any work is done.
    ///
    /// # Errors
    /// What `make` says, or the cache cannot be written.
    pub fn run(
        &self,
        inputs: &Inputs,
        say: impl FnOnce(&Found),
        make: impl FnOnce(&Path) -> Result<()>,
    ) -> Result<Output> {
        let key = inputs.key();
        let dir = self.dir.join(inputs.step);
        let name = hex(&Sha256::digest(format!("{key} {}", self.builder)));
        let output = Output { step: inputs.step, key, path: dir.join(name) };
        if output.path.exists() {
            say(&Found::Cached);
            self.used(&output, inputs);
            return Ok(output);
        }
        fs::create_dir_all(&dir).with_context(|| format!("making {}", dir.display()))?;
        sweep(&dir);
        let last = fs::read(self.last(&dir)).ok();
        let last = last.and_then(|text| serde_json::from_slice(&text).ok());
        say(&Found::Made(Inputs::reason(&self.parts(inputs), last.as_ref())));
        let partial = output.path.with_extension(format!("{}.partial", process::id()));
        let made = make(&partial);
        if made.is_ok() {
            settle(&partial, &output.path)?;
        } else {
            remove(&partial);
        }
        made.with_context(|| format!("step `{}` of {}", inputs.step, self.device))?;
        self.used(&output, inputs);
        prune(&dir);
        Ok(output)
    }

    fn parts(&self, inputs: &Inputs) -> BTreeMap<String, String> {
        let mut parts = inputs.parts.clone();
        parts.insert(BUILDER.to_owned(), self.builder.clone());
        parts
    }

    fn last(&self, dir: &Path) -> PathBuf {
        dir.join(format!("{}.last", self.device))
    }

    /// Notes what was used, for the next reason and for [`prune`]. It is a courtesy: a read-only
    /// cache still gives its results.
    fn used(&self, output: &Output, inputs: &Inputs) {
        let Some(dir) = output.path.parent() else { return };
        let mark = File::options().create(true).append(true).open(mark(&output.path));
        let noted = mark.and_then(|file| file.set_modified(SystemTime::now()));
        let text = serde_json::to_vec(&self.parts(inputs)).unwrap_or_default();
        drop(noted.and_then(|()| fs::write(self.last(dir), text)));
    }
}

/// The file whose time says when a result was used last, and whose lock says that it is.
fn mark(result: &Path) -> PathBuf {
    result.with_extension("used")
}

/// Whether a step had work to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// Its result was there.
    Cached,
    /// It runs, for this reason.
    Made(String),
}

/// Gives a finished result its final name; another builder may have been faster with the same.
fn settle(partial: &Path, path: &Path) -> Result<()> {
    match fs::rename(partial, path) {
        Err(_) if path.exists() => {
            remove(partial);
            Ok(())
        }
        moved => moved.with_context(|| format!("renaming {}", partial.display())),
    }
}

/// Removes what builders left that were killed half-way: `NAME.PID.partial` and what is beside it.
fn sweep(dir: &Path) {
    for path in fs::read_dir(dir).into_iter().flatten().flatten().map(|e| e.path()) {
        let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
        let mut parts = name.split('.').skip(1);
        let pid = parts.next().and_then(|pid| pid.parse().ok());
        if parts.next() == Some("partial") && pid.is_some_and(|pid| !sys::process::exists(pid)) {
            remove(&path);
        }
    }
}

/// Removes the results used longest ago that nobody holds.
fn prune(dir: &Path) {
    let Ok(entries) = fs::read_dir(dir) else { return };
    let mut marks: Vec<(SystemTime, PathBuf)> = entries
        .flatten()
        .filter(|e| e.path().extension().is_some_and(|x| x == "used"))
        .filter_map(|e| Some((e.metadata().ok()?.modified().ok()?, e.path())))
        .collect();
    marks.sort();
    let old = marks.len().saturating_sub(KEEP);
    for (_, mark) in marks.into_iter().take(old) {
        let Ok(file) = File::open(&mark) else { continue };
        if file.try_lock().is_ok() {
            remove(&mark.with_extension(""));
            remove(&mark);
        }
    }
}

/// Removes a file or a directory, if it is there. What can't be removed now is found again later.
fn remove(path: &Path) {
    drop(fs::remove_file(path).or_else(|_| fs::remove_dir_all(path)));
}

/// SHA-256 of a file, in hex.
///
/// # Errors
/// The file cannot be read.
pub fn hash_file(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let mut buf = vec![0; CHUNK];
    loop {
        let n = file.read(&mut buf)?;
        match buf.get(..n) {
            None | Some([]) => return Ok(hex(&hash.finalize())),
            Some(some) => hash.update(some),
        }
    }
}

/// Bytes as lower-case hex.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests;
