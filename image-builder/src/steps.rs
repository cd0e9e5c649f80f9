//! The step cache: work is done once per content, and it is said why it was done.
//!
//! ```text
//! Inputs (label → hash) ──sha256──► Key ──► DIR/STEP/KEY    there: use it
//!                                                    not there: make DIR/STEP/KEY.PID.partial, then rename
//! ```
//!
//! A result is a file or a directory and never changes under its final name; whoever is stopped half-way
//! leaves only a `.partial`. The last inputs of each device are kept beside the results, so that the
//! reason for a run can be named. Results not used lately are removed ([`KEEP`]).

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process;
use std::time::SystemTime;

use anyhow::{Context, Result};
use serde::Serialize;
use sha2::{Digest, Sha256};

/// Results of one step that stay: a handful of devices, and the way back from one change.
const KEEP: usize = 12;

/// Bytes hashed at a time.
const CHUNK: usize = 1 << 16;

/// What a step depends on, each part with a label for people.
#[derive(Debug, Clone)]
pub struct Inputs {
    step: &'static str,
    parts: BTreeMap<String, String>,
}

impl Inputs {
    /// Of a step. `version` counts up when its code changes what it makes of the same inputs.
    #[must_use]
    pub fn new(step: &'static str, version: u32) -> Self {
        Self { step, parts: BTreeMap::from([("the builder".to_owned(), version.to_string())]) }
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

    /// Why the step runs, given the parts of its last run.
    fn reason(&self, last: Option<&BTreeMap<String, String>>) -> String {
        let Some(last) = last else { return "first time".to_owned() };
        let labels = self.parts.keys().chain(last.keys().filter(|l| !self.parts.contains_key(*l)));
        let changed: Vec<&str> =
            labels.filter(|l| self.parts.get(*l) != last.get(*l)).map(String::as_str).collect();
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

/// All results under one directory.
#[derive(Debug, Clone)]
pub struct Steps {
    dir: PathBuf,
    device: String,
}

impl Steps {
    /// Of one device, in `dir`.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>, device: impl Into<String>) -> Self {
        Self { dir: dir.into(), device: device.into() }
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
        let path = dir.join(&key);
        let output = Output { step: inputs.step, key, path };
        if output.path.exists() {
            say(&Found::Cached);
            self.used(&dir, &output.key, inputs);
            return Ok(output);
        }
        fs::create_dir_all(&dir).with_context(|| format!("making {}", dir.display()))?;
        let last = fs::read(self.last(&dir)).ok();
        let last = last.and_then(|text| serde_json::from_slice(&text).ok());
        say(&Found::Made(inputs.reason(last.as_ref())));
        let partial = dir.join(format!("{}.{}.partial", output.key, process::id()));
        let made = make(&partial);
        if made.is_ok() {
            settle(&partial, &output.path)?;
        } else {
            remove(&partial);
        }
        made.with_context(|| format!("step `{}` of {}", inputs.step, self.device))?;
        self.used(&dir, &output.key, inputs);
        prune(&dir);
        Ok(output)
    }

    fn last(&self, dir: &Path) -> PathBuf {
        dir.join(format!("{}.last", self.device))
    }

    /// Notes what was used, for the next reason and for [`prune`]. It is a courtesy: a read-only
    /// cache still gives its results.
    fn used(&self, dir: &Path, key: &str, inputs: &Inputs) {
        let mark = dir.join(format!("{key}.used"));
        let noted = File::create(&mark).and_then(|f| f.set_modified(SystemTime::now()));
        let text = serde_json::to_vec(&inputs.parts).unwrap_or_default();
        drop(noted.and_then(|()| fs::write(self.last(dir), text)));
    }
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

/// Removes the results used longest ago.
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
        remove(&mark.with_extension(""));
        remove(&mark);
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
mod tests {
    use super::*;

    fn run(steps: &Steps, inputs: &Inputs, text: &str) -> (Found, String) {
        let mut found = None;
        let out =
            steps.run(inputs, |f| found = Some(f.clone()), |p| Ok(fs::write(p, text)?)).unwrap();
        (found.unwrap(), fs::read_to_string(out.path).unwrap())
    }

    fn made(why: &str) -> Found {
        Found::Made(why.to_owned())
    }

    #[test]
    fn work_is_done_once_and_the_reason_for_the_next_time_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let steps = Steps::new(dir.path(), "phone");
        let a = Inputs::new("root", 1).bytes("services/web.toml", b"1");
        let b = Inputs::new("root", 1).bytes("services/web.toml", b"2");
        let c = Inputs::new("root", 1).bytes("hostname", b"2");
        assert_eq!(run(&steps, &a, "x"), (made("first time"), "x".into()));
        assert_eq!(run(&steps, &a, "y"), (Found::Cached, "x".into()));
        assert_eq!(run(&steps, &b, "y").0, made("services/web.toml changed"));
        assert_eq!(run(&steps, &a, "z").0, Found::Cached);
        assert_eq!(run(&steps, &c, "z").0, made("hostname and services/web.toml changed"));
    }

    #[test]
    fn a_failed_step_leaves_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        let steps = Steps::new(dir.path(), "phone");
        let inputs = Inputs::new("root", 1);
        let failed = steps.run(
            &inputs,
            |_| {},
            |p| {
                fs::write(p, "half")?;
                anyhow::bail!("disk on fire")
            },
        );
        assert!(
            format!("{:#}", failed.unwrap_err()).contains("step `root` of phone: disk on fire")
        );
        assert_eq!(fs::read_dir(dir.path().join("root")).unwrap().count(), 0);
    }

    #[test]
    fn old_results_go_and_recent_ones_stay() {
        let dir = tempfile::tempdir().unwrap();
        let steps = Steps::new(dir.path(), "phone");
        for i in 0..KEEP + 5 {
            run(&steps, &Inputs::new("root", 1).bytes("n", &i.to_le_bytes()), "x");
        }
        let kept = fs::read_dir(dir.path().join("root")).unwrap().flatten();
        let kept = kept.filter(|e| e.path().extension().is_none()).count();
        assert_eq!(kept, KEEP);
    }
}
