//! EROFS, compressed: by the program `mkfs.erofs`, which takes our tar stream.
//!
//! Compression makes the root smaller and the build slower; [`super::erofs`] needs no program.
//! The bytes depend on the program's version, so the caller takes it from its locked packages,
//! not from the host.

use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::io::{BufWriter, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use super::erofs::Volume;
use super::partial::beside;
use super::tar;
use crate::tree::Tree;

/// The first erofs-utils that reads a tar stream.
pub const FIRST_VERSION: Version = Version(1, 7);

/// Bytes of a label that the program takes.
pub const MAX_LABEL: usize = 15;

/// Bytes lz4hc compresses at once: a third smaller than with 4 KiB, and still quick to read.
const CLUSTER: u32 = 64 << 10;

/// How files are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// The quickest to read.
    Lz4,
    /// Smaller; slow to write, quick to read.
    Lz4hc,
}

/// A version of erofs-utils.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u32, pub u32);

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

/// The program, and how it is started.
#[derive(Debug, Clone)]
pub struct Mkfs {
    /// `mkfs.erofs`, or a loader that starts it.
    pub program: PathBuf,
    /// What comes before our arguments (`--library-path`, the program behind a loader).
    pub arguments: Vec<OsString>,
}

impl Mkfs {
    /// A program that runs as it is.
    #[must_use]
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self { program: program.into(), arguments: Vec::new() }
    }

    /// Its version.
    ///
    /// # Errors
    /// It cannot be started, or what it says has no version in it.
    pub fn version(&self) -> Result<Version> {
        let name = self.program.display();
        // 1.5 knows `-V` and exits with 1 after it; only the text counts.
        let output = self
            .command()
            .arg("-V")
            .stdin(Stdio::null())
            .output()
            .with_context(|| format!("cannot start {name}: install erofs-utils"))?;
        let text = [output.stdout, output.stderr].concat();
        parse_version(&String::from_utf8_lossy(&text))
            .with_context(|| format!("{name} does not say its version: is it mkfs.erofs?"))
    }

    /// A command without the caller's surroundings, which must not show in an image.
    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.env_clear().env("LC_ALL", "C").env("TZ", "UTC").args(&self.arguments);
        command
    }
}

/// Writes `tree` as the file `path`, compressed, and says how many bytes it has.
///
/// # Errors
/// The program is too old, cannot be started or fails; as [`super::erofs::write`].
pub fn write(
    tree: &Tree,
    volume: &Volume,
    algorithm: Algorithm,
    mkfs: &Mkfs,
    path: &Path,
) -> Result<u64> {
    let name = mkfs.program.display();
    let version = mkfs.version()?;
    ensure!(
        version >= FIRST_VERSION,
        "{name} is erofs-utils {version}, and compressing takes {FIRST_VERSION} or later: \
         Debian trixie has it; or build without `compression`"
    );
    ensure!(
        volume.label.len() <= MAX_LABEL,
        "the label `{}` is over {MAX_LABEL} bytes: choose a shorter one",
        volume.label
    );
    let partial = Unfinished(beside(path, ".partial"));
    drop(fs::remove_file(&partial.0)); // mkfs.erofs replaces it, if it is a file
    run(mkfs, tree, volume, algorithm, &partial.0)
        .with_context(|| format!("cannot write the compressed root {}", path.display()))?;
    fs::rename(&partial.0, path).with_context(|| format!("cannot name {}", path.display()))?;
    Ok(fs::metadata(path)?.len())
}

/// Runs the program with the tree on its standard input.
fn run(mkfs: &Mkfs, tree: &Tree, volume: &Volume, algorithm: Algorithm, out: &Path) -> Result<()> {
    let mut command = mkfs.command();
    match algorithm {
        Algorithm::Lz4 => command.arg("-zlz4"),
        Algorithm::Lz4hc => command.arg("-zlz4hc").arg(format!("-C{CLUSTER}")),
    };
    command.args(["-b4096", "-x-1", "-d1", "--tar=f"]).arg(format!("-T{}", volume.time));
    command.arg(format!("-U{}", volume.uuid));
    if !volume.label.is_empty() {
        command.arg(format!("-L{}", volume.label));
    }
    command.arg(out).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().context("cannot start mkfs.erofs")?;
    let mut errors = child.stderr.take().context("its errors are piped")?;
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        errors.read_to_string(&mut text).map(|_| text)
    });
    let stdin = child.stdin.take().context("its input is piped")?;
    let sent = tar::stream(tree, volume.time, BufWriter::with_capacity(256 << 10, stdin));
    let status = child.wait().context("cannot wait for mkfs.erofs")?;
    let text = reader.join().ok().and_then(Result::ok).unwrap_or_default();
    if !status.success() {
        bail!("mkfs.erofs failed ({status}):\n{}", text.trim());
    }
    sent
}

/// The first `NUMBER.NUMBER` of the text.
fn parse_version(text: &str) -> Option<Version> {
    text.lines().next()?.split_whitespace().find_map(|word| {
        let mut parts = word.trim_start_matches(['(', 'v']).split('.');
        let major = parts.next()?.parse().ok()?;
        let digits: String = parts.next()?.chars().take_while(char::is_ascii_digit).collect();
        Some(Version(major, digits.parse().ok()?))
    })
}

/// A file that is deleted when it has not been renamed.
struct Unfinished(PathBuf);

impl Drop for Unfinished {
    fn drop(&mut self) {
        drop(fs::remove_file(&self.0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_found_in_what_each_release_prints() {
        let cases = [
            ("mkfs.erofs 1.5\nAvailable compressors", Some(Version(1, 5))),
            ("mkfs.erofs (erofs-utils) 1.8.6\navailable", Some(Version(1, 8))),
            ("mkfs.erofs 1.10-g1234abc", Some(Version(1, 10))),
            ("usage: something else", None),
            ("", None),
        ];
        for (text, version) in cases {
            assert_eq!(parse_version(text), version, "{text}");
        }
        assert!(Version(1, 10) > FIRST_VERSION && Version(1, 5) < FIRST_VERSION);
    }
}
