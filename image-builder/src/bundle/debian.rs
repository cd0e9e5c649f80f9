//! Debian packages as the files of a bundle: found, locked, fetched and put together as those of a device.
//!
//! ```text
//! packages ─ bundle.lock ─► debs ─┬─ the runtime has it, not older ─► left out
//!                                 └─► assembled ─► root for apps ─► without what apps never need
//! ```
//!
//! No maintainer script runs: what they would do for programs (links of alternatives, certificates in one file) is
//! done as for devices, what they would do for a system (users, services) an app has no use for.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use model::bundle::Manifest;
use model::text::bundle::{Origin, Packages, Source};

use super::Sources;
use super::below::Below;
use super::rooted::{self, DEVICES_OWN, LEFT_OUT};
use crate::packages::assemble::{LIST, assemble};
use crate::packages::lock::{Lock, Locked};
use crate::packages::obtain::obtain;
use crate::packages::resolve;
use crate::packages::version;
use crate::packages::{Request, root};
use crate::tree::{Kind, Tree};

/// Debian's names of processors, by the kernel's.
const ARCHITECTURES: &[(&str, &str)] =
    &[("x86_64", "amd64"), ("aarch64", "arm64"), ("riscv64", "riscv64"), ("armv7l", "armhf")];

/// What a bundle asks of Debian. `architectures` are those it says it is for.
///
/// # Errors
/// It is for none, for several, or for one that Debian does not have.
pub fn request(packages: &Packages, architectures: &[String]) -> Result<Request> {
    let [architecture] = architectures else {
        bail!(
            "packages are built for one processor: say which in bundle.toml: [requires] architectures = [\"x86_64\"]"
        );
    };
    let debian =
        ARCHITECTURES.iter().find(|(name, _)| name == architecture).map(|(_, debian)| *debian);
    let debian = debian.with_context(|| format!("Debian has no packages for {architecture}"))?;
    let mut names = packages.names.clone();
    names.sort();
    names.dedup();
    Ok(Request {
        suite: packages.suite.clone(),
        architecture: debian.to_owned(),
        packages: names,
        tools: Vec::new(),
        mirror: packages.mirror.clone(),
    })
}

/// Where the lock of a bundle is.
#[must_use]
pub fn lock_path(source: &Source) -> PathBuf {
    resolve::lock_path(&Path::new(&source.directory).join(model::text::bundle::FILE))
}

/// Makes or renews the lock of a bundle; nothing if it has no packages.
///
/// # Errors
/// As [`resolve::lock`].
pub fn lock(manifest: &Manifest, source: &Source, sources: &Sources<'_>) -> Result<()> {
    let Origin::Debian(packages) = &source.origin else { return Ok(()) };
    locked(packages, source, &manifest.requires.architectures, sources).map(drop)
}

fn locked(
    packages: &Packages,
    source: &Source,
    architectures: &[String],
    sources: &Sources<'_>,
) -> Result<(Request, Lock)> {
    let request = request(packages, architectures)?;
    let path = lock_path(source);
    let lock = resolve::lock(sources.cache, &request, &path, sources.relock, sources.progress)?;
    Ok((request, lock))
}

/// The files of these packages, those that `below` has left out.
pub(super) fn tree(
    packages: &Packages,
    source: &Source,
    architectures: &[String],
    below: Option<&Below>,
    sources: &Sources<'_>,
) -> Result<Tree> {
    let (request, lock) = locked(packages, source, architectures, sources)?;
    let wanted = wanted(&lock.packages, below, &|line| sources.progress.note(line));
    let packages = obtain(sources.cache, &request, &wanted, sources.progress)?;
    let mut tree = assemble(&packages)?;
    root::finish_for_apps(&mut tree, &request.suite, below.is_none())?;
    rooted::fit(&tree, &[LEFT_OUT, DEVICES_OWN], &source.exclude)
}

/// Those that the runtime does not have, or has in an older version, which is said.
fn wanted<'l>(locked: &'l [Locked], below: Option<&Below>, note: &dyn Fn(&str)) -> Vec<&'l Locked> {
    let there = |package: &&Locked| {
        let Some(have) = below.and_then(|below| below.package(&package.name)) else { return false };
        let newer = version::compare(&package.version, have).is_gt();
        if newer {
            note(&format!(
                "{} {} is put into the bundle: its runtime has {have}",
                package.name, package.version
            ));
        }
        !newer
    };
    locked.iter().filter(|package| !there(package)).collect()
}

/// The packages of a tree that was assembled: lines of name and version.
pub(super) fn listed(tree: &Tree) -> Result<Vec<(String, String)>> {
    let Some(Kind::File(content)) = tree.get(LIST).map(|node| &node.kind) else {
        return Ok(Vec::new());
    };
    let text = content.read().with_context(|| format!("reading {LIST}"))?;
    let text = String::from_utf8_lossy(&text);
    let pair = |line: &str| {
        line.split_once(' ').map(|(name, version)| (name.to_owned(), version.to_owned()))
    };
    Ok(text.lines().filter_map(pair).collect())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;

    use model::text::bundle::load;

    use super::*;
    use crate::host_files::HostFiles;
    use crate::packages::cache::Cache;
    use crate::packages::fixture::{Item, cache, deb, put, tar};
    use crate::packages::lock::fingerprint;
    use crate::packages::resolve::Relock;
    use crate::progress::Silent;
    use crate::tree::Node;
    use crate::workspace::Workspace;

    /// Two packages as if fetched: a program, and the library that it needs.
    fn fetched(cache: &Cache) -> Vec<Locked> {
        let demo = tar(&[
            Item::Dir("./usr/bin/"),
            Item::File("./usr/bin/demo", b"#!/bin/sh\n"),
            Item::Symlink("./usr/bin/also", "/usr/bin/demo"),
            Item::File("./etc/init.d/demo", b"start"),
            Item::File("./var/lib/demo/state", b"1"),
        ]);
        let library = tar(&[Item::File("./usr/lib/libdemo.so.1", b"code")]);
        let demo = deb("Package: demo", "data.tar", &demo);
        let library = deb("Package: libdemo", "data.tar", &library);
        vec![put(cache, "demo", "1.0-2", &demo), put(cache, "libdemo", "2.0", &library)]
    }

    /// An app of them in a directory of its own.
    fn written(directory: &Path, packages: Vec<Locked>) {
        let text = "id = \"org.example.demo\"\nversion = \"1.0.0\"\nname = \"Demo\"\nlayout = \"root\"\n\
                    [requires]\narchitectures = [\"x86_64\"]\n[[ability]]\nname = \"main\"\nexec = [\"/bin/run\"]\n\
                    [source]\nkind = \"debian\"\npackages = [\"demo\"]\nfiles = \"over\"\n";
        fs::create_dir_all(directory.join("over/etc")).unwrap();
        fs::write(directory.join("over/etc/demo.conf"), "fast = yes\n").unwrap();
        fs::create_dir_all(directory.join("over/bin")).unwrap();
        let run = directory.join("over/bin/run");
        fs::write(&run, "#!/usr/bin/demo\n").unwrap();
        fs::set_permissions(&run, fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(directory.join("bundle.toml"), text).unwrap();
        let request = Request {
            suite: "trixie".into(),
            architecture: "amd64".into(),
            packages: vec!["demo".into()],
            tools: Vec::new(),
            mirror: None,
        };
        let lock = Lock {
            request: fingerprint(&request),
            suite: "trixie".into(),
            architecture: "amd64".into(),
            packages,
            tools: Vec::new(),
        };
        fs::write(directory.join("bundle.lock"), lock.text()).unwrap();
    }

    fn build(directory: &Path, cache: &Cache, out: &Path) -> Tree {
        let toml = directory.join("bundle.toml");
        let loaded = load(&HostFiles::alone(), toml.to_str().unwrap()).unwrap();
        let workspace = Workspace::at(directory.to_owned());
        let (relock, progress) = (Relock::Never, &Silent);
        let sources = Sources { workspace: &workspace, cache, relock, progress };
        let prepared = crate::bundle::prepare(&loaded.manifest, &loaded.source, &sources).unwrap();
        crate::bundle::write(&prepared.manifest, &prepared.tree, out, None).unwrap();
        prepared.tree
    }

    #[test]
    fn the_same_packages_give_the_same_bytes_and_what_no_app_needs_is_not_there() {
        let (first, second) = (cache(), cache());
        let mut bundles = Vec::new();
        for (directory, cache) in [&first, &second] {
            let app = directory.path().join("app");
            written(&app, fetched(cache));
            let out = directory.path().join("demo.bundle");
            let tree = build(&app, cache, &out);
            for there in [
                "usr/bin/demo",
                "usr/bin/run",
                "usr/lib/libdemo.so.1",
                "etc/demo.conf",
                "etc/nsswitch.conf",
                "bin",
            ] {
                assert!(tree.get(there).is_some(), "{there}");
            }
            for gone in ["etc/init.d", "var", "dev", "etc/passwd", "etc/hostname"] {
                assert!(tree.get(gone).is_none(), "{gone}");
            }
            let Kind::Symlink(also) = &tree.get("usr/bin/also").unwrap().kind else { panic!() };
            assert_eq!(also, "demo");
            let file = fs::File::open(&out).unwrap();
            assert!(bundle::Bundle::open(file).unwrap().check().is_ok());
            bundles.push(fs::read(&out).unwrap());
        }
        assert!(bundles[0] == bundles[1]);
    }

    #[test]
    fn what_the_runtime_has_is_left_out_unless_it_is_older() {
        let (_directory, cache) = cache();
        let locked = fetched(&cache);
        let below = |text: &str| {
            let mut tree = Tree::new();
            tree.insert(LIST, Node::file(0o644, text)).unwrap();
            Below::of(tree)
        };
        let names = |below: Option<&Below>| {
            let told = std::cell::RefCell::new(Vec::new());
            let wanted = wanted(&locked, below, &|line| told.borrow_mut().push(line.to_owned()));
            let names: Vec<_> = wanted.iter().map(|package| package.name.clone()).collect();
            (names.join(" "), told.into_inner().join("\n"))
        };
        assert_eq!(names(None), ("demo libdemo".to_owned(), String::new()));
        for same_or_newer in ["libdemo 2.0\n", "libdemo 1:1.0\nother 1\n"] {
            assert_eq!(names(Some(&below(same_or_newer))), ("demo".to_owned(), String::new()));
        }
        let (wanted, told) = names(Some(&below("libdemo 2.0~rc1\n")));
        assert_eq!(wanted, "demo libdemo");
        assert_eq!(told, "libdemo 2.0 is put into the bundle: its runtime has 2.0~rc1");
    }

    #[test]
    fn packages_are_for_one_processor() {
        let packages =
            Packages { names: vec!["demo".into()], suite: "trixie".into(), mirror: None };
        let of = |list: &[&str]| {
            request(&packages, &list.iter().map(ToString::to_string).collect::<Vec<_>>())
        };
        assert_eq!(of(&["aarch64"]).unwrap().architecture, "arm64");
        assert!(of(&[]).unwrap_err().to_string().contains("architectures = [\"x86_64\"]"));
        assert!(of(&["x86_64", "aarch64"]).is_err());
        assert!(of(&["m68k"]).unwrap_err().to_string().contains("m68k"));
    }
}
