//! Package files: an `ar` archive of `debian-binary`, `control.tar*` and `data.tar*`.
//!
//! ```text
//! debs/SUM.deb ──check sum, decompress once──► unpacked/SUM.tar + SUM.control ──list──► Package (slices)
//! ```
//!
//! A package is decompressed once; later builds read headers of the cached tar only. A package
//! comes from a signed list, but is read as if from anyone: sizes are limited, and what an image
//! cannot have is an error (see [`super::entries`]).

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

use super::cache::{Cache, digest, write_whole};
use super::compression::Compression;
use super::entries::{Entry, entries};
use super::lock::Locked;

/// The largest content of a package, uncompressed. The largest of Debian have 3 GB.
pub const MAX_CONTENT: u64 = 8 << 30;

/// The largest control archive, uncompressed.
pub const MAX_CONTROL: u64 = 32 << 20;

/// Most members of a package file; there are three.
const MAX_MEMBERS: usize = 16;

/// A package with what it brings.
#[derive(Debug, Clone)]
pub struct Package {
    /// Name.
    pub name: String,
    /// Version.
    pub version: String,
    /// SHA-256 of its file.
    pub sha256: String,
    /// The packages whose files it may replace, as in its `Replaces` field.
    pub replaces: String,
    /// Its content in the order of the archive, with the parts no device needs left out.
    pub entries: Vec<Entry>,
}

/// Decompresses a package into the cache, unless that was done before.
///
/// # Errors
/// The file is not in the cache, is not the one of the lock, or is not a package.
pub fn unpack(cache: &Cache, package: &Locked) -> Result<()> {
    if cache.unpacked(package).exists() {
        return Ok(());
    }
    let path = cache.deb(package);
    let what = || format!("unpacking {} {} ({})", package.name, package.version, path.display());
    ensure!(path.exists(), "{}: the file is not there: build with the network once", what());
    let (_, sum) = digest(&path)?;
    if sum != package.sha256 {
        bail!("{}: it has SHA-256 {sum}, not that of the lock: remove it and build again", what());
    }
    unpack_file(&path, &cache.unpacked(package), &cache.control(package)).with_context(what)
}

/// Lists an unpacked package.
///
/// # Errors
/// The cached files cannot be read, or have what no image can have.
pub fn open(cache: &Cache, package: &Locked) -> Result<Package> {
    let (tar, control) = (cache.unpacked(package), cache.control(package));
    let (name, version, path) = (&package.name, &package.version, tar.display());
    let reading = || format!("reading {name} {version} ({path}; remove it if it is damaged)");
    let text =
        fs::read_to_string(&control).with_context(|| format!("reading {}", control.display()))?;
    let replaces = field(&text, "Replaces");
    Ok(Package {
        name: package.name.clone(),
        version: package.version.clone(),
        sha256: package.sha256.clone(),
        replaces,
        entries: entries(&tar).with_context(reading)?,
    })
}

fn unpack_file(deb: &Path, tar: &Path, control: &Path) -> Result<()> {
    let mut file = File::open(deb)?;
    let members = members(&mut file)?;
    let find = |stem: &str| {
        let found = members.iter().find_map(|m| Some((m, Compression::of(&m.name, stem)?)));
        found.with_context(|| format!("there is no {stem}, .gz, .xz or .zst in it: not a package"))
    };
    let (member, compression) = find("control.tar")?;
    let text = control_file(compression.reader(member.open(deb)?)?)?;
    write_whole(control, |to| Ok(io::Write::write_all(to, text.as_bytes())?))?;
    let (member, compression) = find("data.tar")?;
    let from = compression.reader(member.open(deb)?)?;
    write_whole(tar, |to| copy_limited(from, to, MAX_CONTENT))
}

/// Copies at most `limit` bytes.
///
/// # Errors
/// There are more, or reading or writing fails.
pub fn copy_limited(from: impl Read, to: &mut impl io::Write, limit: u64) -> Result<()> {
    let copied = io::copy(&mut from.take(limit + 1), to)?;
    ensure!(copied <= limit, "more than {limit} bytes when uncompressed: over the limit");
    Ok(())
}

struct Member {
    name: String,
    offset: u64,
    size: u64,
}

impl Member {
    fn open(&self, deb: &Path) -> io::Result<impl Read + use<>> {
        let mut file = File::open(deb)?;
        file.seek(SeekFrom::Start(self.offset))?;
        Ok(file.take(self.size))
    }
}

fn members(file: &mut File) -> Result<Vec<Member>> {
    let mut magic = [0; 8];
    let begins = file.read_exact(&mut magic).is_ok() && &magic == b"!<arch>\n";
    ensure!(begins, "it does not begin as a package does");
    let end = file.metadata()?.len();
    let (mut members, mut offset) = (Vec::new(), 8);
    while offset < end {
        ensure!(members.len() < MAX_MEMBERS, "more than {MAX_MEMBERS} members: not a package");
        let mut header = [0; 60];
        file.seek(SeekFrom::Start(offset))?;
        file.read_exact(&mut header).context("it ends within a header")?;
        let (name, size) = member_header(&header).context("a member's header cannot be read")?;
        let member = Member { name, offset: offset + 60, size };
        offset = member.offset + size + size % 2;
        ensure!(member.offset + size <= end, "it ends within `{}`", member.name.escape_debug());
        members.push(member);
    }
    Ok(members)
}

/// Name and size of a member.
fn member_header(header: &[u8; 60]) -> Option<(String, u64)> {
    let name = str::from_utf8(header.get(..16)?).ok()?.trim_end().trim_end_matches('/');
    let size = str::from_utf8(header.get(48..58)?).ok()?.trim_end().parse().ok()?;
    (header.get(58..) == Some(b"`\n")).then(|| (name.to_owned(), size))
}

fn control_file(from: impl Read) -> Result<String> {
    let mut archive = tar::Archive::new(from.take(MAX_CONTROL));
    for entry in archive.entries()? {
        let mut entry = entry.context("reading control.tar")?;
        if matches!(entry.path_bytes().as_ref(), b"./control" | b"control") {
            let mut text = String::new();
            entry.read_to_string(&mut text).context("reading control")?;
            return Ok(text);
        }
    }
    bail!("there is no file `control` in control.tar")
}

/// A field of a control file, lines that go on joined.
fn field(control: &str, name: &str) -> String {
    let mut lines =
        control.lines().skip_while(|l| !l.strip_prefix(name).is_some_and(|l| l.starts_with(':')));
    let first = lines.next().and_then(|l| l.split_once(':')).map_or("", |(_, value)| value.trim());
    let more = lines.take_while(|l| l.starts_with([' ', '\t'])).map(str::trim);
    std::iter::once(first).chain(more).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;
