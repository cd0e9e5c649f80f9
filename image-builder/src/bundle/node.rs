//! A directory with packages of npm: what `npm ci --omit=dev` leaves, checked against the lock.
//!
//! ```text
//! package-lock.json ─ packages that are not for development ─► node_modules/… with those versions ─┐
//! own directory, without node_modules ─────────────────────────────────────────────────────────────┴─► Tree
//! ```
//!
//! Nothing is fetched and no script runs: npm does that, on the host. What is in `node_modules` and not in the lock, or
//! only for development, is not taken.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use super::elf;
use super::files::{self, Links};
use crate::tree::{Content, Kind, Tree};

/// Longest lock, and longest description of a package, in bytes.
const MAX_JSON: u64 = 64 << 20;

/// Where packages are.
const MODULES: &str = "node_modules";

/// What brings `node_modules` to where the lock says.
const HELP: &str = "`npm ci --omit=dev` in its directory puts it right";

/// The processors that npm knows, in the kernel's spelling.
const PROCESSORS: &[(&str, &str)] =
    &[("x64", "x86_64"), ("arm64", "aarch64"), ("arm", "armv7l"), ("riscv64", "riscv64")];

#[derive(Debug, Deserialize)]
struct Lock {
    #[serde(rename = "lockfileVersion")]
    version: u32,
    #[serde(default)]
    packages: BTreeMap<String, Locked>,
}

/// A package of a lock, by the directory that it is in.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Locked {
    version: String,
    dev: bool,
    dev_optional: bool,
    optional: bool,
    link: bool,
    os: Vec<String>,
    cpu: Vec<String>,
    libc: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Package {
    #[serde(default)]
    version: String,
}

/// The files of a directory with what its program needs of npm.
pub(super) fn tree(path: &Path, exclude: &[String], architectures: &[String]) -> Result<Tree> {
    let lock = read(&path.join("package-lock.json"))
        .context("the lock of npm is needed: `npm install --package-lock-only` writes it")?;
    let lock: Lock = serde_json::from_slice(&lock)
        .with_context(|| format!("{}/package-lock.json is no lock of npm", path.display()))?;
    ensure!(
        matches!(lock.version, 2 | 3),
        "{}/package-lock.json is of version {}: npm 7 and later write version 2 or 3",
        path.display(),
        lock.version
    );
    let wanted = wanted(&lock, architectures)?;
    let own: Vec<String> = exclude.iter().cloned().chain([MODULES.to_owned()]).collect();
    let mut tree = files::directory(path, &own, Links::Inside)?;
    for (directory, locked) in wanted {
        add(&mut tree, path, directory, locked, exclude)?;
    }
    programs(&mut tree, path)?;
    addons(&tree, architectures)?;
    Ok(tree)
}

/// The packages that a device needs: not those for development, or for other systems.
fn wanted<'l>(lock: &'l Lock, architectures: &[String]) -> Result<Vec<(&'l str, &'l Locked)>> {
    let mut all = Vec::new();
    for (directory, locked) in lock.packages.iter().filter(|(directory, _)| !directory.is_empty()) {
        if locked.dev || locked.dev_optional || !fits(locked, architectures) {
            continue;
        }
        let parts = directory.split('/').all(|part| !matches!(part, "" | "." | ".."));
        if locked.link || !parts || !directory.starts_with("node_modules/") {
            bail!(
                "the package {} is beside the directory, and not in {MODULES}: `npm pack` it, and install that",
                directory.escape_debug()
            );
        }
        all.push((directory.as_str(), locked));
    }
    Ok(all)
}

/// Whether a package is for the system of devices. What is for one library of C is not for others.
fn fits(locked: &Locked, architectures: &[String]) -> bool {
    let npm =
        |kernel: &String| PROCESSORS.iter().find(|(_, name)| name == kernel).map(|(npm, _)| *npm);
    let ours: Vec<&str> = architectures.iter().filter_map(npm).collect();
    let allowed = |list: &[String], ours: &[&str]| {
        list.is_empty()
            || ours.iter().any(|one| list.iter().any(|word| word == one))
            || list
                .iter()
                .all(|word| word.strip_prefix('!').is_some_and(|not| !ours.contains(&not)))
    };
    let cpu = ours.is_empty() || allowed(&locked.cpu, &ours);
    allowed(&locked.os, &["linux"]) && cpu && allowed(&locked.libc, &["glibc"])
}

/// Adds one package, without those in it.
fn add(
    tree: &mut Tree,
    top: &Path,
    directory: &str,
    locked: &Locked,
    exclude: &[String],
) -> Result<()> {
    let path = top.join(directory);
    let about = path.join("package.json");
    if !about.is_file() {
        if locked.optional {
            return Ok(());
        }
        bail!("{} is missing: {HELP}", path.display());
    }
    let about: Package = serde_json::from_slice(&read(&about)?)
        .with_context(|| format!("reading {}", about.display()))?;
    ensure!(
        about.version == locked.version,
        "{} is version {}, and the lock says {}: {HELP}",
        path.display(),
        about.version.escape_debug(),
        locked.version.escape_debug()
    );
    let exclude: Vec<String> = exclude.iter().cloned().chain([MODULES.to_owned()]).collect();
    let package = files::directory(&path, &exclude, Links::Inside)?;
    for (inside, node) in package.iter() {
        let place =
            if inside.is_empty() { directory.to_owned() } else { format!("{directory}/{inside}") };
        tree.insert(&place, node.clone())?;
    }
    Ok(())
}

/// Programs of packages: the links of `.bin` that lead to what is there.
fn programs(tree: &mut Tree, top: &Path) -> Result<()> {
    let bin = format!("{MODULES}/.bin");
    let Ok(entries) = fs::read_dir(top.join(&bin)) else { return Ok(()) };
    for entry in entries.flatten() {
        let (Ok(name), Ok(target)) = (entry.file_name().into_string(), fs::read_link(entry.path()))
        else {
            continue;
        };
        let Some(target) = target.to_str() else { continue };
        let there = files::joined(&bin, target).and_then(|path| Some(&tree.get(&path)?.kind));
        if matches!(there, Some(Kind::File(_))) {
            tree.insert(&format!("{bin}/{name}"), crate::tree::Node::symlink(target))?;
        }
    }
    Ok(())
}

/// Code of the processor must be of one that the bundle is for.
fn addons(tree: &Tree, architectures: &[String]) -> Result<()> {
    for (path, node) in tree.iter().filter(|(path, _)| path.ends_with(".node")) {
        let Kind::File(Content::Slice { file, .. }) = &node.kind else { continue };
        let Some(machine) = elf::machine(file)? else { continue };
        if !architectures.iter().any(|one| one == machine) {
            bail!(
                "{path} is for {machine}, and bundle.toml does not say so: [requires] architectures = [\"{machine}\"]"
            );
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<Vec<u8>> {
    let reading = || format!("reading {}", path.display());
    let length = fs::metadata(path).with_context(reading)?.len();
    ensure!(length <= MAX_JSON, "{}: {length} bytes are over the limit of {MAX_JSON}", reading());
    fs::read(path).with_context(reading)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCK: &str = r#"{
        "name": "app", "lockfileVersion": 3, "packages": {
            "": { "name": "app", "dependencies": { "ms": "^2" } },
            "node_modules/ms": { "version": "2.1.3", "resolved": "x", "integrity": "sha512-x" },
            "node_modules/ms/node_modules/deep": { "version": "1.0.0" },
            "node_modules/tap": { "version": "9.0.0", "dev": true },
            "node_modules/fsevents": { "version": "2.0.0", "optional": true, "os": ["darwin"] },
            "node_modules/maybe": { "version": "1.0.0", "optional": true, "os": ["!win32"], "cpu": ["x64"] }
        } }"#;

    /// A directory with packages of these versions.
    fn directory(packages: &[(&str, &str)]) -> tempfile::TempDir {
        let top = tempfile::tempdir().unwrap();
        fs::write(top.path().join("package-lock.json"), LOCK).unwrap();
        fs::write(top.path().join("main.js"), "require('ms')").unwrap();
        for (name, version) in packages {
            let path = top.path().join(name);
            fs::create_dir_all(&path).unwrap();
            fs::write(path.join("package.json"), format!("{{\"version\":\"{version}\"}}")).unwrap();
            fs::write(path.join("index.js"), "").unwrap();
        }
        let bin = top.path().join("node_modules/.bin");
        fs::create_dir_all(&bin).unwrap();
        for (name, target) in
            [("ms", "../ms/index.js"), ("tap", "../tap/index.js"), ("out", "/bin/sh")]
        {
            std::os::unix::fs::symlink(target, bin.join(name)).unwrap();
        }
        top
    }

    fn told(packages: &[(&str, &str)]) -> String {
        let top = directory(packages);
        let error = tree(top.path(), &[], &["x86_64".to_owned()]).unwrap_err();
        format!("{error:#}").replace(top.path().to_str().unwrap(), "DIR")
    }

    const WHOLE: &[(&str, &str)] = &[
        ("node_modules/ms", "2.1.3"),
        ("node_modules/ms/node_modules/deep", "1.0.0"),
        ("node_modules/tap", "9.0.0"),
        ("node_modules/stranger", "1.0.0"),
    ];

    #[test]
    fn only_what_the_lock_has_for_devices_is_taken() {
        let top = directory(WHOLE);
        let tree = tree(top.path(), &[], &["x86_64".to_owned()]).unwrap();
        let files: Vec<&str> = tree
            .iter()
            .filter(|(_, node)| !matches!(node.kind, Kind::Directory))
            .map(|(path, _)| path)
            .collect();
        assert_eq!(
            files,
            [
                "main.js",
                "node_modules/.bin/ms",
                "node_modules/ms/index.js",
                "node_modules/ms/node_modules/deep/index.js",
                "node_modules/ms/node_modules/deep/package.json",
                "node_modules/ms/package.json",
                "package-lock.json",
            ]
        );
    }

    #[test]
    fn what_is_missing_or_of_another_version_is_told_with_what_to_do() {
        assert_eq!(
            told(&[]),
            "DIR/node_modules/ms is missing: `npm ci --omit=dev` in its directory puts it right"
        );
        assert_eq!(
            told(&[("node_modules/ms", "2.0.0")]),
            "DIR/node_modules/ms is version 2.0.0, and the lock says 2.1.3: `npm ci --omit=dev` in its directory puts it right"
        );
    }

    #[test]
    fn a_lock_cannot_name_what_is_elsewhere() {
        for (key, more) in [
            ("../other", ""),
            ("node_modules/../../x", ""),
            ("packages/x", ""),
            ("node_modules/x", ", \"link\": true"),
        ] {
            let text = format!(
                "{{\"lockfileVersion\":3,\"packages\":{{\"{key}\":{{\"version\":\"1\"{more}}}}}}}"
            );
            let lock: Lock = serde_json::from_str(&text).unwrap();
            assert!(wanted(&lock, &[]).is_err(), "{key}");
        }
    }

    #[test]
    fn packages_for_other_systems_are_not_missed() {
        let of = |os: &[&str], cpu: &[&str], libc: &[&str]| {
            let list = |words: &[&str]| words.iter().map(ToString::to_string).collect();
            let locked =
                Locked { os: list(os), cpu: list(cpu), libc: list(libc), ..Locked::default() };
            fits(&locked, &["aarch64".to_owned()])
        };
        assert!(
            of(&[], &[], &[])
                && of(&["linux"], &["arm64"], &["glibc"])
                && of(&["!win32"], &["!x64"], &[])
        );
        assert!(
            !of(&["darwin"], &[], &[])
                && !of(&["linux"], &["x64"], &[])
                && !of(&["!linux"], &[], &[])
        );
        assert!(!of(&["linux"], &["arm64"], &["musl"]));
    }
}
