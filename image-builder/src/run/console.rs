//! What a device says on its console while it boots: kept in a file, read for signs that it failed.
//!
//! A boot that failed is told at once by one of `SIGNS`, not by a time-out.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// Text on the console after which a boot never gets ready, and what it means.
const SIGNS: [(&str, &str); 6] = [
    ("*** This device ", "it stopped in the rescue shell"),
    ("Kernel panic - not syncing", "the kernel gave up"),
    ("Initramfs unpacking failed", "the initramfs is damaged"),
    ("end Kernel panic", "the kernel gave up"),
    ("rescue shell", "it stopped in the rescue shell"),
    ("reboot: Power down", "it powered itself off"),
];

/// Lines of the console shown with an error.
const TAIL_LINES: usize = 30;

/// Bytes read for the tail, and at most kept of an unfinished line.
const MAX_TAIL: usize = 64 << 10;

/// The file a console is written to, read as it grows.
#[derive(Debug)]
pub struct Console {
    path: PathBuf,
    read: u64,
    line: Vec<u8>,
}

impl Console {
    /// The console in `path`, which may not exist yet.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self { path, read: 0, line: Vec::new() }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads what is new; tells why the boot failed, if it did.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn failure(&mut self) -> io::Result<Option<String>> {
        let mut file = match File::open(&self.path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        file.seek(SeekFrom::Start(self.read))?;
        let mut new = Vec::new();
        let limit = u64::try_from(MAX_TAIL).unwrap_or(u64::MAX);
        let n = file.take(limit).read_to_end(&mut new)?;
        self.read += u64::try_from(n).unwrap_or(0);
        self.line.extend(new);
        let mut found = None;
        while let Some(end) = self.line.iter().position(|b| *b == b'\n') {
            let line: Vec<u8> = self.line.drain(..=end).collect();
            found = found.or_else(|| sign(&String::from_utf8_lossy(&line)));
        }
        if self.line.len() > MAX_TAIL {
            self.line.clear();
        }
        Ok(found)
    }

    /// All of it, up to 64 KiB from its end, without control characters.
    #[must_use]
    pub fn text(&self) -> String {
        let lines: Vec<String> = self.end().lines().map(plain).collect();
        lines.join("\n")
    }

    /// The last lines, without control characters.
    #[must_use]
    pub fn tail(&self) -> String {
        last_lines(&self.end())
    }

    fn end(&self) -> String {
        let read = || -> io::Result<Vec<u8>> {
            let mut file = File::open(&self.path)?;
            let skip = file.metadata()?.len().saturating_sub(u64::try_from(MAX_TAIL).unwrap_or(0));
            file.seek(SeekFrom::Start(skip))?;
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        // Without a file there is no text; the error it goes with names the file.
        String::from_utf8_lossy(&read().unwrap_or_default()).into_owned()
    }
}

fn sign(line: &str) -> Option<String> {
    let (_, meaning) = SIGNS.iter().find(|(text, _)| line.contains(text))?;
    Some(format!("{meaning}: {}", plain(line).trim()))
}

fn last_lines(text: &str) -> String {
    let lines: Vec<String> =
        text.lines().map(plain).filter(|line| !line.trim().is_empty()).collect();
    let skip = lines.len().saturating_sub(TAIL_LINES);
    lines.get(skip..).unwrap_or_default().join("\n")
}

/// `text` without escape sequences and control characters: it may come from a hostile device.
fn plain(text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c == '\x1b' {
            if chars.next() == Some('[') {
                chars.by_ref().find(|c| ('@'..='~').contains(c));
            }
        } else if c == '\t' || !c.is_control() {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn a_panic_is_noticed_as_soon_as_its_line_is_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("console.log");
        let mut console = Console::new(path.clone());
        assert_eq!(console.failure().unwrap(), None);
        let mut file = File::create(&path).unwrap();
        file.write_all(b"ok\n[    1.0] Kernel panic - not sync").unwrap();
        assert_eq!(console.failure().unwrap(), None);
        file.write_all(b"ing: VFS: \x1b[31mno root\r\n").unwrap();
        insta::assert_snapshot!(
            console.failure().unwrap().unwrap(),
            @"the kernel gave up: [    1.0] Kernel panic - not syncing: VFS: no root"
        );
    }

    #[test]
    fn the_tail_is_short_and_harmless() {
        let text: String = (0..50).map(|n| format!("\x1b[2J{n}\x07\r\n")).collect();
        let tail = last_lines(&text);
        assert_eq!(tail.lines().count(), TAIL_LINES);
        assert!(tail.starts_with("20\n") && tail.ends_with("49"), "{tail:?}");
    }
}
