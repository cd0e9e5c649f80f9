//! Our own programs for the device: built by cargo, statically; not asked again when nothing changed.
//!
//! ```text
//! sources' names, sizes, times ──hash──► as at the last build, and its results still there? ─yes─► paths
//!                                                      └──no──► cargo build ─► remember
//! ```
//!
//! What is remembered is taken before cargo runs: a file saved meanwhile counts as changed.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, Metadata};
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::progress::{Progress, Step};
use crate::workspace::Workspace;

/// The crates whose programs a device may get.
pub const CRATES: [&str; 10] = [
    "init",
    "servicemgr",
    "ability-manager",
    "journal",
    "store",
    "softbus",
    "remote",
    "ctl",
    "brief",
    "debug-agent",
];

/// The crate of the attack set, and its program.
pub const ATTACKS: &str = "attacks";

/// The program that compiles sandboxes.
pub const COMPILER: &str = "sandbox-compiler";

/// The program that learns them.
pub const LEARNER: &str = "sandbox-learn";

/// The program that measures the soft bus.
const SOFTBUS_BENCH: &str = "bench-softbus";

/// Rust's name of the processor and C library.
pub const TRIPLE: &str = "x86_64-unknown-linux-gnu";

/// Everything a program needs is in its one file.
const STATIC: &str = "target-feature=+crt-static";

/// What stands in a program instead of the project's directory on the host.
const PROJECT: &str = "/ensemble";

/// What stands in a program instead of cargo's directory on the host.
const CARGO: &str = "/cargo";

/// Files at the root that decide what is built.
const ROOT_FILES: [&str; 4] =
    ["Cargo.toml", "Cargo.lock", ".cargo/config.toml", "rust-toolchain.toml"];

/// Directories at the root without anything for the device.
const NOT_FOR_DEVICES: [&str; 6] = ["target", "image-builder", "tests", "configs", "docs", "fuzz"];

/// Deepest directory of sources.
const MAX_DEPTH: u32 = 16;

/// Paths of programs by their file name.
pub type Programs = BTreeMap<String, PathBuf>;

/// What is remembered of a build.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Remembered {
    sources: String,
    programs: Programs,
    /// Sizes and times of the programs.
    results: String,
}

/// Builds all programs of [`CRATES`] as far as needed.
///
/// # Errors
/// cargo is missing or fails; what it says has been printed.
pub fn build(workspace: &Workspace, progress: &dyn Progress) -> Result<Programs> {
    let what = What { packages: &CRATES, ..What::default() };
    as_needed(workspace, "programs.json", &what, || {
        progress.step("Compiling the programs of the device")
    })
}

/// Builds [`COMPILER`] and [`LEARNER`], which run on the host and on devices, as far as needed. Apart from
/// the rest, whose crates must not hold the C library that the first holds.
///
/// # Errors
/// As [`build`]; the library is missing.
pub fn build_sandbox(workspace: &Workspace, progress: &dyn Progress) -> Result<Programs> {
    let library =
        static_library("libseccomp.a").context("libseccomp.a is missing: see `ens doctor`")?;
    let variables =
        [("LIBSECCOMP_LINK_TYPE", "static".into()), ("LIBSECCOMP_LIB_PATH", library.into())];
    let features = &["compile", "learn"];
    let what = What { packages: &["sandbox"], features, variables: &variables, ..What::default() };
    let memory = "sandbox-compiler.json";
    let mut programs = as_needed(workspace, memory, &what, || {
        progress.step("Compiling the compiler of sandboxes")
    })?;
    programs.retain(|name, _| [COMPILER, LEARNER].contains(&name.as_str()));
    Ok(programs)
}

/// The directory of a static library, if the linker finds it.
pub(crate) fn static_library(name: &str) -> Option<PathBuf> {
    let output = Command::new("cc").arg(format!("-print-file-name={name}")).output().ok()?;
    let path = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    // cc prints a bare name when it knows no such file.
    path.is_absolute().then(|| path.parent().map(Path::to_owned)).flatten()
}

/// Builds what has changed since `memory` was written.
fn as_needed<'p>(
    workspace: &Workspace,
    memory: &str,
    what: &What<'_>,
    step: impl FnOnce() -> Box<dyn Step + 'p>,
) -> Result<Programs> {
    let memory = workspace.ours(memory);
    remembered(&memory, sources(workspace.root())?, || cargo(workspace.root(), what, &*step()))
}

/// What was made of these sources, or is made now.
fn remembered(
    memory: &Path,
    sources: String,
    make: impl FnOnce() -> Result<Programs>,
) -> Result<Programs> {
    if let Some(known) = recall(memory, &sources) {
        return Ok(known);
    }
    let programs = make()?;
    let results = states(programs.values())?;
    remember(memory, &Remembered { sources, programs: programs.clone(), results })?;
    Ok(programs)
}

/// Builds all programs of one more crate, like those of the device.
///
/// # Errors
/// As [`build`].
pub fn build_crate(workspace: &Workspace, name: &str, progress: &dyn Progress) -> Result<Programs> {
    let step = progress.step(&format!("Compiling {name}"));
    cargo(workspace.root(), &What { packages: &[name], ..What::default() }, &*step)
}

/// Builds the attack set as far as needed: it is on every device for development, and uses nothing of the
/// project.
///
/// # Errors
/// As [`build`].
pub fn build_attacks(workspace: &Workspace, progress: &dyn Progress) -> Result<PathBuf> {
    let what = What { packages: &[ATTACKS], ..What::default() };
    let memory = workspace.ours("attacks.json");
    let mut all = common(workspace.root())?;
    walk(&workspace.root().join("tests").join(ATTACKS), MAX_DEPTH, &mut all);
    let sources = digest(all);
    let programs = remembered(&memory, sources, || {
        cargo(workspace.root(), &what, &*progress.step("Compiling the attack set"))
    })?;
    programs.get(ATTACKS).cloned().context("cargo made no attacks")
}

/// Builds the program of `ens bench softbus`: static, as the programs of devices are.
///
/// # Errors
/// As [`build`].
pub fn build_softbus_bench(workspace: &Workspace, progress: &dyn Progress) -> Result<PathBuf> {
    let what = What { packages: &["softbus"], features: &["bench"], ..What::default() };
    let step = progress.step("Compiling the bench of the soft bus");
    let programs = cargo(workspace.root(), &what, &*step)?;
    programs.get(SOFTBUS_BENCH).cloned().with_context(|| format!("cargo made no {SOFTBUS_BENCH}"))
}

/// What cargo builds.
#[derive(Debug, Clone, Copy)]
struct What<'a> {
    packages: &'a [&'a str],
    features: &'a [&'a str],
    profile: &'a str,
    triple: &'a str,
    /// Variables that are set for it.
    variables: &'a [(&'a str, OsString)],
}

impl Default for What<'_> {
    fn default() -> Self {
        Self { packages: &[], features: &[], profile: "device", triple: TRIPLE, variables: &[] }
    }
}

/// A package of any workspace.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted<'a> {
    /// The directory of the workspace.
    pub(crate) root: &'a Path,
    /// The package.
    pub(crate) package: &'a str,
    /// The profile of `Cargo.toml`.
    pub(crate) profile: &'a str,
    /// For which processor and C library.
    pub(crate) triple: &'a str,
}

/// Builds the programs of a package for apps, like those of the device; cargo itself knows what is new.
///
/// # Errors
/// As [`build`].
pub(crate) fn build_for_app(wanted: &Wanted<'_>, step: &dyn Step) -> Result<Programs> {
    let &Wanted { root, package, profile, triple } = wanted;
    cargo(root, &What { packages: &[package], profile, triple, ..What::default() }, step)
}

fn recall(memory: &Path, sources: &str) -> Option<Programs> {
    let known: Remembered = serde_json::from_slice(&fs::read(memory).ok()?).ok()?;
    let same = known.sources == sources && states(known.programs.values()).ok()? == known.results;
    same.then_some(known.programs)
}

fn remember(memory: &Path, what: &Remembered) -> Result<()> {
    let partial = memory.with_extension("partial");
    fs::create_dir_all(memory.parent().unwrap_or(memory))?;
    fs::write(&partial, serde_json::to_vec(what)?)?;
    fs::rename(&partial, memory).with_context(|| format!("writing {}", memory.display()))
}

/// A hash of all that decides what cargo makes: compiler, flags, every source's name, size, time.
fn sources(root: &Path) -> Result<String> {
    let mut all = common(root)?;
    let entries = fs::read_dir(root).with_context(|| format!("reading {}", root.display()))?;
    for entry in entries.flatten() {
        let name = entry.file_name();
        let other =
            name.to_str().is_none_or(|n| n.starts_with('.') || NOT_FOR_DEVICES.contains(&n));
        if !other && entry.path().join("Cargo.toml").is_file() {
            walk(&entry.path(), MAX_DEPTH, &mut all);
        }
    }
    Ok(digest(all))
}

/// What every crate depends on: compiler, flags, versions.
fn common(root: &Path) -> Result<Vec<String>> {
    let mut all = Vec::new();
    for name in ROOT_FILES {
        all.extend(state(&root.join(name)));
    }
    for name in ["rustc", "cargo"] {
        all.extend(which(name).as_deref().and_then(state));
    }
    for variable in ["RUSTC", "RUSTUP_TOOLCHAIN", "RUSTC_WRAPPER"] {
        all.push(format!("{variable}={:?}", std::env::var_os(variable)));
    }
    all.push(format!("{:?}", flags(root)?));
    Ok(all)
}

fn digest(mut all: Vec<String>) -> String {
    all.sort();
    format!("{:x}", Hex(Sha256::digest(all.join("\n")).as_slice()))
}

fn walk(directory: &Path, depth: u32, into: &mut Vec<String>) {
    // A directory that cannot be read makes cargo fail, which says it better.
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() && depth > 0 {
            walk(&path, depth - 1, into);
        } else {
            into.extend(state(&path));
        }
    }
}

fn states<'a>(paths: impl Iterator<Item = &'a PathBuf>) -> Result<String> {
    let one = |path: &PathBuf| state(path).with_context(|| format!("{} is gone", path.display()));
    Ok(paths.map(one).collect::<Result<Vec<_>>>()?.join("\n"))
}

fn state(path: &Path) -> Option<String> {
    let text = |m: Metadata| {
        format!("{} {} {} {} {}", path.display(), m.size(), m.mtime(), m.mtime_nsec(), m.ino())
    };
    fs::metadata(path).ok().map(text)
}

fn which(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(name)).find(|file| file.is_file())
}

struct Hex<'a>(&'a [u8]);

impl std::fmt::LowerHex for Hex<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

fn cargo(root: &Path, what: &What<'_>, step: &dyn Step) -> Result<Programs> {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.arg("build").args(["--profile", what.profile, "--target", what.triple]);
    command.args(["--message-format", "json-render-diagnostics"]);
    command.args(what.packages.iter().flat_map(|name| ["--package", name]));
    command.args(what.features.iter().flat_map(|name| ["--features", name]));
    command.envs(what.variables.iter().map(|(name, value)| (name, value)));
    command.current_dir(root).env("CARGO_ENCODED_RUSTFLAGS", flags(root)?);
    // What `cargo run` sets for us is not for the cargo below us.
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_"].iter().any(|p| name.starts_with(p)) {
            command.env_remove(&*name);
        }
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    sys::process::die_with_parent(&mut command);
    let mut child =
        command.spawn().context("starting cargo: is Rust installed, and cargo in PATH?")?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let (said, programs) = thread::scope(|scope| {
        let said = scope.spawn(|| listen(stderr, step));
        let programs = executables(stdout);
        (said.join().unwrap_or_default(), programs)
    });
    let status = child.wait().context("waiting for cargo")?;
    if !status.success() {
        bail!("cargo could not build {}:\n{said}", what.packages.join(", "));
    }
    programs
}

/// Flags for rustc, in the form of `CARGO_ENCODED_RUSTFLAGS`: none of the host's directories ends up
/// in a program, so it is the same wherever it is built.
fn flags(root: &Path) -> Result<OsString> {
    let home = std::env::home_dir().unwrap_or_default().join(".cargo");
    let cargo =
        std::env::var_os("CARGO_HOME").filter(|h| !h.is_empty()).map_or(home, PathBuf::from);
    let cargo = std::path::absolute(cargo).context("finding cargo's home")?;
    let mut places = vec![(root.to_owned(), PROJECT.to_owned()), (cargo.clone(), CARGO.to_owned())];
    // Directories of registries are named after them, and a mirror has another name; this program's own
    // crates are there already. Of several rules the last one that fits counts.
    let registries = fs::read_dir(cargo.join("registry/src")).into_iter().flatten().flatten();
    places.extend(registries.map(|entry| (entry.path(), format!("{CARGO}/registry"))));
    places.sort();
    let mut flags = OsString::from(format!("-C\x1f{STATIC}"));
    for (from, to) in places {
        flags.push("\x1f--remap-path-prefix=");
        flags.push(from);
        flags.push(format!("={to}"));
    }
    Ok(flags)
}

/// Reads what cargo says on standard error: what it compiles is shown, all else kept for errors.
fn listen(stderr: Option<impl Read>, step: &dyn Step) -> String {
    let mut kept = String::new();
    let Some(stderr) = stderr else { return kept };
    for line in BufReader::new(stderr).lines().map_while(Result::ok) {
        if let Some(what) = line.trim_start().strip_prefix("Compiling ") {
            step.say(what.split(" (").next().unwrap_or(what));
        } else {
            kept.push_str(&line);
            kept.push('\n');
        }
    }
    kept
}

/// The programs among cargo's messages.
fn executables(messages: Option<impl Read>) -> Result<Programs> {
    let mut programs = Programs::new();
    for line in BufReader::new(messages.context("cargo has no standard output")?).lines() {
        let message: serde_json::Value = serde_json::from_str(&line?).context("reading cargo")?;
        let Some(path) = message.get("executable").and_then(|path| path.as_str()) else { continue };
        let path = PathBuf::from(path);
        if let Some(name) = path.file_name().and_then(|name| name.to_str()) {
            programs.insert(name.to_owned(), path.clone());
        }
    }
    Ok(programs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_source_is_noticed_and_the_builder_itself_does_not_count() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("init/Cargo.toml", "");
        write("init/src/main.rs", "fn main() {}");
        write("image-builder/Cargo.toml", "");
        let before = sources(dir.path()).unwrap();
        write("image-builder/src/lib.rs", "new");
        assert_eq!(sources(dir.path()).unwrap(), before);
        write("init/src/main.rs", "fn main() { }");
        assert_ne!(sources(dir.path()).unwrap(), before);
    }

    #[test]
    fn no_directory_of_the_host_gets_into_a_program() {
        let flags = flags(Path::new("/home/ann/my project")).unwrap().into_string().unwrap();
        let flags: Vec<&str> = flags.split('\x1f').collect();
        assert_eq!(flags[..2], ["-C", "target-feature=+crt-static"]);
        assert!(flags.contains(&"--remap-path-prefix=/home/ann/my project=/ensemble"), "{flags:?}");
        let cargo = flags.iter().position(|flag| flag.ends_with("=/cargo")).unwrap();
        assert!(flags[cargo + 1].ends_with("=/cargo/registry"), "{flags:?}");
    }

    #[test]
    fn what_cargo_made_is_read_from_its_messages() {
        let messages = "{\"reason\":\"compiler-artifact\",\"executable\":null}\n\
                        {\"reason\":\"compiler-artifact\",\"executable\":\"/t/init\"}\n";
        let programs = executables(Some(messages.as_bytes())).unwrap();
        assert_eq!(programs, Programs::from([("init".to_owned(), "/t/init".into())]));
    }

    #[test]
    fn a_build_is_remembered_until_its_result_changes() {
        let dir = tempfile::tempdir().unwrap();
        let memory = dir.path().join("ens/programs.json");
        let program = dir.path().join("init");
        fs::write(&program, "1").unwrap();
        let programs = Programs::from([("init".to_owned(), program.clone())]);
        let results = states(programs.values()).unwrap();
        let what = Remembered { sources: "abc".into(), programs: programs.clone(), results };
        remember(&memory, &what).unwrap();
        assert_eq!(recall(&memory, "abc"), Some(programs));
        assert_eq!(recall(&memory, "abd"), None);
        fs::write(&program, "22").unwrap();
        assert_eq!(recall(&memory, "abc"), None);
    }
}
