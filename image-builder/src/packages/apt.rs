//! The host's apt as fetcher: a private root that needs no privileges and leaves the host's alone.
//!
//! ```text
//! host's sources ─► Mirrors ─► root (apt.conf, sources) ─► update ─► Packages lists, signatures checked
//!                                                       └► fetch  ─► package files, sums checked
//! ```
//!
//! From the host's configuration only what says how to reach the network is kept (`Acquire::http`,
//! proxies, certificates). Never touches `/var/lib/apt`, never runs a hook, never installs.

mod run;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use sha2::{Digest, Sha256};

use self::run::{Outcome, errors, has_no, reason, run};
use super::cache::{Cache, make_directory, write_whole};
use super::index::List;
use super::lock::{Locked, hex};
use super::sources::{Mirror, mirrors, mirrors_of};
use super::{Archive, Request};
use crate::progress::Progress;

/// apt's program for single files.
pub const HELPER: &str = "/usr/lib/apt/apt-helper";

/// Most files asked of one run of the helper: the command line has a limit.
const BATCH: usize = 200;

/// The largest `Packages` list read: Debian's main has 57 MB in 2026.
const MAX_LIST: u64 = 512 << 20;

/// How the host reaches the network: options of its configuration that are kept.
const KEPT_OPTIONS: &[&str] = &[
    "Acquire::http",
    "Acquire::https",
    "Acquire::ftp",
    "Acquire::Force",
    "Acquire::Retries",
    "Acquire::Check-",
    "Acquire::Max-",
    "Acquire::tor",
];

/// A private root of apt.
#[derive(Debug)]
pub struct Apt<'a> {
    root: PathBuf,
    cache: &'a Cache,
    request: &'a Request,
    mirrors: Vec<Mirror>,
}

impl<'a> Apt<'a> {
    /// The private root for `request` in `cache`, from its mirror or those of the host.
    ///
    /// # Errors
    /// There is no mirror, or the cache cannot be written.
    pub fn new(cache: &'a Cache, request: &'a Request) -> Result<Self> {
        let host = host_mirrors();
        let mirrors = match &request.mirror {
            None => host,
            Some(url) => {
                let keyring =
                    host.first().map_or(super::sources::KEYRING.into(), |m| m.keyring.clone());
                mirrors_of(url, keyring)
            }
        };
        ensure!(
            mirrors.iter().any(|m| m.archive == Archive::Debian),
            "looking for a mirror of Debian: the host's apt sources name none: \
             write `mirror = \"URL\"` into [packages] of the device"
        );
        let key = format!("{mirrors:?} {} {}", request.suite, request.architecture);
        let key: String = hex(&Sha256::digest(key.as_bytes())).chars().take(16).collect();
        let root = cache.root().join("apt").join(key);
        let root =
            std::path::absolute(&root).with_context(|| format!("finding {}", root.display()))?;
        Ok(Self { root, cache, request, mirrors })
    }

    /// Fetches the lists anew.
    ///
    /// # Errors
    /// apt is missing, or it failed; with what it said.
    pub fn update(&self, progress: &dyn Progress) -> Result<()> {
        if let Some(keyring) = self.mirrors.iter().map(|m| &m.keyring).find(|k| !k.exists()) {
            bail!(
                "checking signatures: there is no keyring {}: install the package debian-archive-keyring",
                keyring.display()
            );
        }
        let mut suites = self.suites();
        let step = format!("fetching the package lists of {}", self.request.suite);
        loop {
            self.write_root(&suites)?;
            let mut command = self.command("apt-get");
            command.args(["update", "-q=1", "-o", "pkgCacheFile::Generate=false"]);
            let messages = match run(command, "apt-get", None, &step, progress)? {
                Outcome::Done => break,
                Outcome::Failed(messages) => messages,
            };
            let (lacking, there): (Vec<Suite>, Vec<Suite>) =
                suites.into_iter().partition(|s| s.optional && has_no(&messages, &s.name));
            if lacking.is_empty() {
                return Err(self.explain(&messages));
            }
            for Suite { name, url, .. } in lacking {
                progress.note(&format!("{url} has no {name}: going on without it"));
            }
            suites = there;
        }
        self.write_names()
    }

    /// The lists that the last update fetched, Debian's before the security archive's.
    ///
    /// # Errors
    /// There was none, or they cannot be read.
    pub fn lists(&self) -> Result<Vec<List>> {
        let directory = self.root.join("state/lists");
        let reading = || format!("reading the package lists in {}", directory.display());
        let mut found: Vec<(Archive, PathBuf)> = Vec::new();
        for entry in fs::read_dir(&directory).with_context(reading)? {
            let path = entry.with_context(reading)?.path();
            let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
            if name.ends_with("_Packages") {
                let security = name.contains(&format!("_dists_{}-security_", self.request.suite));
                found.push((if security { Archive::Security } else { Archive::Debian }, path));
            }
        }
        found.sort();
        ensure!(!found.is_empty(), "{}: there are none", reading());
        found
            .into_iter()
            .map(|(archive, path)| Ok(List { archive, text: read_list(&path)? }))
            .collect()
    }

    /// The names of all packages after the last update of this root; `None` before the first.
    #[must_use]
    pub fn names(&self) -> Option<Vec<String>> {
        let text = fs::read_to_string(self.root.join("names")).ok()?;
        Some(text.lines().map(str::to_owned).collect())
    }

    /// Fetches package files that are not in the cache.
    ///
    /// # Errors
    /// apt is missing, a file cannot be fetched (named), or it is not the one of the lock.
    pub fn fetch(&self, packages: &[&Locked], progress: &dyn Progress) -> Result<()> {
        let missing: Vec<&&Locked> =
            packages.iter().filter(|p| !self.cache.deb(p).exists()).collect();
        if missing.is_empty() {
            return Ok(());
        }
        self.write_root(&self.suites())?;
        make_directory(&self.cache.root().join("debs/partial"))?;
        for batch in missing.chunks(BATCH) {
            self.fetch_batch(batch, progress)?;
        }
        Ok(())
    }

    fn fetch_batch(&self, batch: &[&&Locked], progress: &dyn Progress) -> Result<()> {
        let mut command = self.command(HELPER);
        command.args(["download-file", "-q=1"]);
        for package in batch {
            let url = &self.mirror(package.archive)?.url;
            command.arg(format!("{url}/{}", package.filename));
            command.arg(std::path::absolute(self.cache.partial(package))?);
            command.arg(format!("SHA256:{}", package.sha256));
        }
        let total = batch.iter().map(|p| p.size).sum();
        let step = format!("fetching {} packages", batch.len());
        let outcome = run(command, HELPER, Some(total), &step, progress)?;
        for package in batch.iter().filter(|p| self.cache.partial(p).exists()) {
            if matches!(outcome, Outcome::Done)
                || is_complete(&self.cache.partial(package), package)
            {
                self.cache.accept(package)?;
            }
        }
        let Some(lost) = batch.iter().find(|p| !self.cache.deb(p).exists()) else { return Ok(()) };
        let messages =
            if let Outcome::Failed(messages) = outcome { messages } else { String::new() };
        let reason = reason(&messages, &lost.filename);
        let help = if reason.contains("No space left") {
            "free some space there, or set ENSEMBLE_CACHE to another place"
        } else if reason.contains("404") {
            "the mirror no longer has this version: renew the lock with `ens lock --update`"
        } else {
            "connect to the network"
        };
        bail!(
            "fetching {} {} from {}/{}: {reason}: {help} (the file would be {})",
            lost.name,
            lost.version,
            self.mirror(lost.archive)?.url,
            lost.filename,
            self.cache.deb(lost).display()
        )
    }

    fn mirror(&self, archive: Archive) -> Result<&Mirror> {
        self.mirrors.iter().find(|m| m.archive == archive).with_context(|| {
            format!(
                "fetching from the {} archive: the host's apt sources have no mirror of it: \
                     add one, or write `mirror = \"URL\"` into [packages] of the device",
                archive.name()
            )
        })
    }

    fn suites(&self) -> Vec<Suite> {
        let mut suites = Vec::new();
        for mirror in &self.mirrors {
            let (url, keyring) = (mirror.url.clone(), mirror.keyring.clone());
            let suite = |ending: &str, optional| Suite {
                name: format!("{}{ending}", self.request.suite),
                url: url.clone(),
                keyring: keyring.clone(),
                optional,
            };
            match mirror.archive {
                Archive::Debian => suites.extend([suite("", false), suite("-updates", true)]),
                Archive::Security => suites.push(suite("-security", true)),
            }
        }
        suites
    }

    fn write_root(&self, suites: &[Suite]) -> Result<()> {
        let parts = ["apt.conf.d", "preferences.d", "sources.list.d", "trusted.gpg.d"];
        for directory in parts.map(|p| format!("etc/apt/{p}")) {
            make_directory(&self.root.join(directory))?;
        }
        for directory in ["state/lists/partial", "cache/archives/partial", "log"] {
            make_directory(&self.root.join(directory))?;
        }
        write_text(&self.root.join("state/status"), "")?;
        write_text(&self.root.join("apt.conf"), &self.configuration())?;
        let sources: Vec<String> = suites.iter().map(Suite::paragraph).collect();
        write_text(&self.root.join("etc/apt/sources.list.d/debian.sources"), &sources.join("\n"))
    }

    fn configuration(&self) -> String {
        let root = self.root.display();
        let architecture = &self.request.architecture;
        format!(
            "Dir \"{root}/\";\nDir::State \"state\";\nDir::State::status \"{root}/state/status\";\n\
             Dir::Cache \"cache\";\nDir::Log \"log\";\n\
             Dir::Etc::netrc \"/etc/apt/auth.conf\";\nDir::Etc::netrcparts \"/etc/apt/auth.conf.d\";\n\
             APT::Architecture \"{architecture}\";\nAPT::Architectures {{ \"{architecture}\"; }};\n\
             APT::Sandbox::User \"root\";\nDebug::NoLocking \"true\";\n\
             Acquire::Languages \"none\";\nAcquire::GzipIndexes \"false\";\n{}",
            host_options()
        )
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env("APT_CONFIG", self.root.join("apt.conf")).env("LC_ALL", "C.UTF-8");
        command.args(["-o", "APT::Status-Fd=1"]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn write_names(&self) -> Result<()> {
        let mut names = Vec::new();
        for list in &self.lists()? {
            names.extend(
                list.text.lines().filter_map(|l| l.strip_prefix("Package: ")).map(str::to_owned),
            );
        }
        names.sort();
        names.dedup();
        write_text(&self.root.join("names"), &names.join("\n"))
    }

    fn explain(&self, messages: &str) -> anyhow::Error {
        let mirrors: Vec<&str> = self.mirrors.iter().map(|m| m.url.as_str()).collect();
        let help = if messages.contains("NO_PUBKEY") {
            "install a newer debian-archive-keyring"
        } else if has_no(messages, &self.request.suite) {
            "write another `suite` into [packages] of the device"
        } else {
            "connect to the network, or write `mirror = \"URL\"` into [packages] of the device"
        };
        let (mirrors, reason) = (mirrors.join(", "), errors(messages));
        anyhow::anyhow!(
            "fetching the package lists of {} from {mirrors}: {reason}: {help}",
            self.request.suite
        )
    }
}

/// One line of sources.
struct Suite {
    name: String,
    url: String,
    keyring: PathBuf,
    optional: bool,
}

impl Suite {
    fn paragraph(&self) -> String {
        let Self { name, url, keyring, .. } = self;
        format!(
            "Types: deb\nURIs: {url}\nSuites: {name}\nComponents: main\nSigned-By: {}\n",
            keyring.display()
        )
    }
}

fn is_complete(path: &Path, package: &Locked) -> bool {
    fs::metadata(path).is_ok_and(|m| m.len() == package.size)
}

fn read_list(path: &Path) -> Result<String> {
    let size = fs::metadata(path).with_context(|| format!("reading {}", path.display()))?.len();
    ensure!(
        size <= MAX_LIST,
        "reading {}: {size} bytes are over the limit of {MAX_LIST}",
        path.display()
    );
    let bytes = fs::read(path).with_context(|| format!("reading {}", path.display()))?;
    Ok(String::from_utf8(bytes)
        .unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned()))
}

/// Writes a small file when its text is another.
fn write_text(path: &Path, text: &str) -> Result<()> {
    if fs::read(path).is_ok_and(|is| is == text.as_bytes()) {
        return Ok(());
    }
    write_whole(path, |file| Ok(std::io::Write::write_all(file, text.as_bytes())?))
}

/// The mirrors that the host's sources name; none when it has no apt.
#[must_use]
pub fn host_mirrors() -> Vec<Mirror> {
    let mut paths = vec![PathBuf::from("/etc/apt/sources.list")];
    let parts =
        fs::read_dir("/etc/apt/sources.list.d").into_iter().flatten().flatten().map(|e| e.path());
    let mut parts: Vec<PathBuf> =
        parts.filter(|p| p.extension().is_some_and(|e| e == "list" || e == "sources")).collect();
    parts.sort();
    paths.extend(parts);
    // A source that this user may not read is one that apt run by this user cannot use either.
    let text = |path: PathBuf| Some((path.to_str()?.to_owned(), fs::read_to_string(&path).ok()?));
    mirrors(&paths.into_iter().filter_map(text).collect::<Vec<_>>())
}

/// The lines of the host's configuration that say how to reach the network.
fn host_options() -> String {
    let dump = Command::new("apt-config").arg("dump").stdin(Stdio::null()).output();
    let text = dump.map(|o| String::from_utf8_lossy(&o.stdout).into_owned()).unwrap_or_default();
    let kept =
        text.lines().filter(|line| KEPT_OPTIONS.iter().any(|option| line.starts_with(option)));
    kept.map(|line| format!("{line}\n")).collect()
}
