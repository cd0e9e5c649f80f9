//! The same inputs give the same bytes: in another directory, under another umask, locale, time zone
//! and user, without what was cached.
//!
//! The surroundings of a process are hard to change in a test with threads, so the test runs itself
//! again: with [`CHILD`] in its environment it only builds.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use image_builder::built::Flavor;
use image_builder::packages::cache::Cache;
use image_builder::packages::resolve::{self, Relock};
use image_builder::progress::Silent;
use image_builder::recipe;
use image_builder::steps::hash_file;

use crate::job;

/// Names the directory with `configs`, where a child puts what it builds.
const CHILD: &str = "ENSEMBLE_TEST_BUILDS_IN";

/// Nobody, on every Debian.
const NOBODY: u32 = 65534;

#[test]
fn every_device_is_the_same_to_the_byte_wherever_and_by_whomever_it_is_built() {
    if let Some(scratch) = env::var_os(CHILD) {
        return build_all(Path::new(&scratch));
    }
    let home = tempfile::Builder::new().prefix("a place").tempdir().unwrap();
    let away = tempfile::Builder::new().prefix("somewhere else").tempdir_in("/var/tmp").unwrap();
    let cache = Cache::of_user(&job::workspace()).root().to_owned();

    let first = child(home.path(), &cache, &[], "");
    let umask = "umask 077; export LC_ALL=tr_TR.UTF-8 TZ=Pacific/Kiritimati";
    let second = child(away.path(), &cache, &[], umask);
    assert_eq!(first.keys().collect::<Vec<_>>(), second.keys().collect::<Vec<_>>());
    same(&first, &second);
    let images = ["disk", "boot", "root", "fat", "rootfs", "oci"];
    let made = |step| first.keys().filter(|path| path.starts_with(step)).count();
    for step in images {
        assert!(made(step) > 0, "no {step} was made");
    }
    assert!(made("disk") + made("oci") >= job::devices().len() * 2);

    // Somebody else has packages of their own and may not change owners.
    if first.values().any(|file| file.contains("owner 0:0")) {
        let theirs = away.path().join("nobody");
        copy_packages(&cache, &theirs.join("cache"));
        let setpriv = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
        let third = child(&theirs, &theirs.join("cache"), &setpriv, "umask 022; export LANG=C");
        let images = |all: &Made| -> Made {
            let image =
                |path: &&String| ["disk/", "boot/", "oci/"].iter().any(|s| path.starts_with(s));
            let bytes = |text: &String| text.split(' ').next().unwrap_or_default().to_owned();
            all.iter().filter(|(path, _)| image(path)).map(|(p, t)| (p.clone(), bytes(t))).collect()
        };
        same(&images(&first), &images(&third));
    }
}

/// What was made: a line of facts for each path.
type Made = BTreeMap<String, String>;

fn same(one: &Made, other: &Made) {
    let different: Vec<_> =
        one.iter().filter(|(path, facts)| other.get(*path) != Some(facts)).collect();
    assert!(different.is_empty() && one.len() == other.len(), "{different:#?}");
}

/// Builds everything in `scratch`, in a process of its own with these surroundings.
fn child(scratch: &Path, cache: &Path, runner: &[&str], shell: &str) -> Made {
    copy(&job::workspace().root().join("configs"), &scratch.join("configs"));
    own(&scratch.join("configs/devices"));
    // A program with the same size and time is the same builder.
    let (program, ours) = (scratch.join("test"), env::current_exe().unwrap());
    if fs::hard_link(&ours, &program).is_err() {
        fs::copy(&ours, &program).unwrap();
        let time = fs::metadata(&ours).unwrap().modified().unwrap();
        fs::File::options().append(true).open(&program).unwrap().set_modified(time).unwrap();
    }
    if !runner.is_empty() {
        fs::set_permissions(scratch.parent().unwrap(), fs::Permissions::from_mode(0o755)).unwrap();
        give(scratch);
    }
    let name =
        "identical::every_device_is_the_same_to_the_byte_wherever_and_by_whomever_it_is_built";
    let mut command = Command::new("sh");
    command.arg("-c").arg(format!("{shell}\nexec \"$@\"")).arg("sh").args(runner);
    command.arg(&program).args(["--exact", name, "--nocapture"]).current_dir(scratch);
    command.env(CHILD, scratch).env("ENSEMBLE_CACHE", cache).env("HOME", scratch);
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&said));
    let steps = scratch.join("steps");
    let mut made = Made::new();
    look(&steps, &steps, &mut made);
    made
}

/// A device with files of the host, which lie elsewhere in each copy; and less to compare.
fn own(devices: &Path) {
    let base = devices.join("base.toml");
    let text = fs::read_to_string(&base).unwrap();
    let small = text
        .replace("boot = \"96M\"", "boot = \"40M\"")
        .replace("state = \"256M\"", "state = \"16M\"");
    assert_ne!(text, small);
    fs::write(&base, small).unwrap();
    fs::write(devices.join("motd"), "hello\n").unwrap();
    let file = "[[file]]\npath = \"/etc/motd\"\nsource = \"motd\"\n";
    fs::write(devices.join("own.toml"), format!("version = 1\ninherit = [\"headless\"]\n{file}"))
        .unwrap();
    fs::copy(devices.join("headless.lock"), devices.join("own.lock")).unwrap();
}

fn build_all(scratch: &Path) {
    let cache = Cache::of_user(&job::workspace());
    for name in job::devices().into_iter().chain(["own".to_owned()]) {
        let toml = scratch.join("configs/devices").join(&name).with_extension("toml");
        job::with(&cache, &toml, scratch, |builder, order| {
            builder.build(order, Flavor::Machine).unwrap();
            if name == "own" {
                builder.build(order, Flavor::Container).unwrap();
            }
            builder.oci(order, &scratch.join(format!("{name}.tar"))).unwrap();
        });
    }
}

/// Notes all that lies below `path`, except what the cache itself notes.
fn look(steps: &Path, path: &Path, made: &mut Made) {
    let mut entries: Vec<PathBuf> =
        fs::read_dir(path).unwrap().map(|e| e.unwrap().path()).collect();
    entries.sort();
    for entry in entries {
        let meta = fs::symlink_metadata(&entry).unwrap();
        let bookkeeping = entry.extension().is_some_and(|x| x == "used" || x == "last");
        if bookkeeping && entry.parent().unwrap().parent() == Some(steps) {
            continue;
        }
        let content = if meta.is_file() { hash_file(&entry).unwrap() } else { String::new() };
        let target = fs::read_link(&entry).unwrap_or_default();
        let deep = entry.strip_prefix(steps).unwrap();
        let mut facts = format!("{content} {}", target.display());
        // The time of a link, and the modes of an image, are the host's and never in an image.
        if deep.starts_with("rootfs") && deep.components().count() > 2 {
            facts += &format!(" mode {:o} owner {}:{}", meta.mode(), meta.uid(), meta.gid());
            if !meta.is_symlink() {
                facts += &format!(" time {}", meta.mtime());
            }
        }
        made.insert(deep.display().to_string(), facts);
        if meta.is_dir() {
            look(steps, &entry, made);
        }
    }
}

/// The packages of all locks, as nobody may read them.
fn copy_packages(from: &Path, to: &Path) {
    fs::create_dir_all(to.join("debs")).unwrap();
    let (from, theirs) = (Cache::new(from), Cache::new(to));
    for name in job::devices() {
        let toml =
            job::workspace().root().join("configs/devices").join(name).with_extension("toml");
        let (request, lock) =
            (recipe::request(&job::load(&toml).device), resolve::lock_path(&toml));
        let lock = resolve::lock(&from, &request, &lock, Relock::Never, &Silent).unwrap();
        let lock: Vec<_> = lock.packages.iter().collect();
        image_builder::packages::apt::Apt::new(&from, &request)
            .unwrap()
            .fetch(&lock, &Silent)
            .unwrap();
        for package in lock {
            if !theirs.deb(package).exists() {
                fs::hard_link(from.deb(package), theirs.deb(package))
                    .or_else(|_| fs::copy(from.deb(package), theirs.deb(package)).map(drop))
                    .unwrap();
            }
        }
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let there = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &there);
        } else {
            fs::copy(entry.path(), there).unwrap();
        }
    }
}

/// Makes nobody the owner of `path` and all below, but for files that have other names elsewhere.
fn give(path: &Path) {
    if path.is_file() && fs::metadata(path).unwrap().nlink() > 1 {
        return;
    }
    std::os::unix::fs::lchown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    if path.is_dir() && !path.is_symlink() {
        fs::read_dir(path).unwrap().for_each(|entry| give(&entry.unwrap().path()));
    }
}
