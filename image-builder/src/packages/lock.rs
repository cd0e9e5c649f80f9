//! The lock file beside a device's TOML: exactly which files make its root.
//!
//! It is written by us and read from a stranger's repository, so every value is checked. The
//! order and the spelling are fixed: the same packages give the same bytes. Signatures were checked
//! when it was written; from then on the sums in it are what is trusted.

use std::fmt::Write as _;

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::relation::is_name;
use super::{Archive, Request};

/// The version of the format written here.
pub const VERSION: u32 = 1;

/// The largest lock file read.
pub const MAX_LOCK: u64 = 4 << 20;

/// The largest package file believed in.
pub const MAX_DEB: u64 = 2 << 30;

/// A lock file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lock {
    /// [`fingerprint`] of what was asked for.
    pub request: String,
    /// Suite that was asked.
    pub suite: String,
    /// Debian's name of the architecture.
    pub architecture: String,
    /// The packages, sorted by name.
    pub packages: Vec<Locked>,
    /// Packages of programs that make the image, with what they depend on; sorted by name.
    pub tools: Vec<Locked>,
}

/// One package, exactly.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Locked {
    /// Name.
    pub name: String,
    /// Version.
    pub version: String,
    /// Where its file is fetched from.
    pub archive: Archive,
    /// Path of the file below the archive's URL.
    pub filename: String,
    /// Size of the file.
    pub size: u64,
    /// Its SHA-256 in small hexadecimal digits.
    pub sha256: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    version: u32,
    request: String,
    suite: String,
    architecture: String,
    #[serde(default)]
    package: Vec<Locked>,
    #[serde(default)]
    tool: Vec<Locked>,
}

/// What a request is: the SHA-256 of its suite, architecture, packages and tools in order. The mirror
/// does not count, all have the same files.
#[must_use]
pub fn fingerprint(request: &Request) -> String {
    let list = |packages: &[String]| {
        let mut packages = packages.to_vec();
        packages.sort();
        packages.dedup();
        packages.join("\n")
    };
    let packages = list(&request.packages);
    let mut text = format!("{}\n{}\n{packages}\n", request.suite, request.architecture);
    if !request.tools.is_empty() {
        text += &format!("\ntools\n{}\n", list(&request.tools));
    }
    hex(&Sha256::digest(text.as_bytes()))
}

/// Small hexadecimal digits of `bytes`.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing into a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

impl Lock {
    /// Reads a lock file's text.
    ///
    /// # Errors
    /// It is not TOML, of another version, or has a value that no lock file of ours has.
    pub fn parse(text: &str) -> Result<Self> {
        let raw: Raw = toml::from_str(text).context("not a lock file")?;
        ensure!(
            raw.version == VERSION,
            "version {} of the format; this program knows {VERSION}",
            raw.version
        );
        check_list(&raw.package)?;
        check_list(&raw.tool)?;
        ensure!(
            is_name(&raw.suite) && is_name(&raw.architecture),
            "suite or architecture is not a name"
        );
        let Raw { request, suite, architecture, package: packages, tool: tools, .. } = raw;
        Ok(Self { request, suite, architecture, packages, tools })
    }

    /// The text of the lock file.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!(
            "# The exact packages of this device, written by ens. Keep it with the device's TOML;\n\
             # `ens lock --update` renews it.\n\
             version = {VERSION}\nrequest = \"{}\"\nsuite = \"{}\"\narchitecture = \"{}\"\n",
            self.request, self.suite, self.architecture
        );
        for (table, packages) in [("package", &self.packages), ("tool", &self.tools)] {
            for p in packages {
                // Writing into a String cannot fail.
                let _ = write!(
                    text,
                    "\n[[{table}]]\nname = \"{}\"\nversion = \"{}\"\narchive = \"{}\"\nfilename = \"{}\"\nsize = {}\nsha256 = \"{}\"\n",
                    p.name,
                    p.version,
                    p.archive.name(),
                    p.filename,
                    p.size,
                    p.sha256
                );
            }
        }
        text
    }

    /// Whether it answers `request`.
    #[must_use]
    pub fn answers(&self, request: &Request) -> bool {
        self.request == fingerprint(request)
    }
}

/// Whether packages are sorted, unique, and such as a mirror has.
fn check_list(packages: &[Locked]) -> Result<()> {
    let mut names =
        packages.windows(2).filter_map(|pair| Some((&pair.first()?.name, &pair.get(1)?.name)));
    if let Some((_, name)) = names.find(|(a, b)| a >= b) {
        bail!("package `{name}` is not in its place: names must be sorted and unique");
    }
    for package in packages {
        package.check().with_context(|| format!("package `{}`", package.name.escape_debug()))?;
    }
    Ok(())
}

impl Locked {
    /// Whether its values are such as a mirror of Debian has.
    ///
    /// # Errors
    /// The first that is not.
    pub fn check(&self) -> Result<()> {
        let fine = |c: u8| c.is_ascii_alphanumeric() || b"+-._~:/%".contains(&c);
        let word = |text: &str| !text.is_empty() && text.len() < 1024 && text.bytes().all(fine);
        ensure!(is_name(&self.name), "not a name of a package");
        ensure!(
            word(&self.version) && !self.version.contains('/'),
            "version is not one of Debian's"
        );
        ensure!(word(&self.filename), "filename has characters that no file of Debian has");
        let strange = |part| matches!(part, "" | "." | "..");
        ensure!(!self.filename.split('/').any(strange), "filename is not a plain relative path");
        ensure!(self.size <= MAX_DEB, "size {} is over the limit of {MAX_DEB}", self.size);
        let digit = |c: u8| c.is_ascii_digit() || (b'a'..=b'f').contains(&c);
        ensure!(
            self.sha256.len() == 64 && self.sha256.bytes().all(digit),
            "sha256 is not 64 small hexadecimal digits"
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Archive, Request};
    use super::{Lock, Locked, fingerprint};

    fn request(packages: &[&str]) -> Request {
        Request {
            suite: "trixie".into(),
            architecture: "amd64".into(),
            packages: packages.iter().map(ToString::to_string).collect(),
            tools: Vec::new(),
            mirror: None,
        }
    }

    fn lock() -> Lock {
        let package = |name: &str, archive| Locked {
            name: name.into(),
            version: "1:1.37.0-6+b9".into(),
            archive,
            filename: format!("pool/main/b/{name}.deb"),
            size: 484_988,
            sha256: "ab".repeat(32),
        };
        Lock {
            request: fingerprint(&request(&["busybox"])),
            suite: "trixie".into(),
            architecture: "amd64".into(),
            packages: vec![
                package("busybox", Archive::Debian),
                package("libc6", Archive::Security),
            ],
            tools: vec![package("erofs-utils", Archive::Debian)],
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let lock = lock();
        assert_eq!(Lock::parse(&lock.text()).unwrap(), lock);
    }

    #[test]
    fn order_and_mirror_of_a_request_do_not_count_but_every_package_does() {
        let lock = lock();
        assert!(lock.answers(&request(&["busybox", "busybox"])));
        assert!(
            lock.answers(&Request { mirror: Some("http://x".into()), ..request(&["busybox"]) })
        );
        assert!(!lock.answers(&request(&["busybox", "nginx"])));
        assert!(!lock.answers(&Request { suite: "forky".into(), ..request(&["busybox"]) }));
        let tools = vec!["erofs-utils".to_owned()];
        assert!(!lock.answers(&Request { tools, ..request(&["busybox"]) }));
        assert_eq!(fingerprint(&request(&["a", "b"])), fingerprint(&request(&["b", "a"])));
    }

    #[test]
    fn a_lock_file_of_a_stranger_cannot_name_other_places() {
        let text = lock().text();
        for (from, to) in [
            ("pool/main/b/busybox.deb", "../../etc/passwd"),
            ("pool/main/b/busybox.deb", "/etc/passwd"),
            ("pool/main/b/busybox.deb", "pool//x"),
            ("\"busybox\"", "\"../x\""),
            ("1:1.37.0-6+b9", "1 2"),
            ("abab", "ABab"),
            ("484988", "99999999999"),
            ("version = 1", "version = 2"),
            ("\"libc6\"", "\"aaa\""),
            ("security", "elsewhere"),
            ("size", "sise"),
        ] {
            assert!(Lock::parse(&text.replacen(from, to, 1)).is_err(), "{from} → {to}");
        }
    }
}
