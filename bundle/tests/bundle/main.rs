//! Bundles as they should be, spoilt in every way, and held against Linux' own tools.
//!
//! Needs erofs-utils and fsverity; a test whose program is missing fails and names it.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod changed;
mod hostile;
mod image;
mod oracle;
mod speed;
mod whole;

use std::fs::File;
use std::process::Command;

use bundle::SecretKey;

use crate::image::Files;

/// The text of a manifest, as far as this crate is concerned.
const MANIFEST: &str = "version = 1\n[bundle]\nid = \"org.example.notes\"\n";

fn key(seed: u8) -> SecretKey {
    SecretKey::from_random(&[seed; 32])
}

/// Some of everything that a bundle may have.
fn everything() -> Files {
    let mut files = Files::new()
        .file("bin/notes", "#!/usr/bin/python3\n")
        .file("empty", "")
        .file("share/large", bytes(9000))
        .file("share/block", bytes(4096))
        .file("share/no-tail", bytes(4090))
        .same("share/again", "share/large")
        .link("bin/python", "../lib/python3")
        .link("lib/python3", "python3.11")
        .directory("nothing");
    for name in ["!", "-", "a", "a-", "a.b", "ä", &"n".repeat(255)] {
        files = files.file(&format!("names/{name}"), name);
    }
    for i in 0..200 {
        files = files.file(&format!("many/file-number-{i:04}"), i.to_string());
    }
    files
}

fn bytes(length: usize) -> Vec<u8> {
    (0..length).map(|i| u8::try_from((i * 7 + i / 251) % 256).unwrap_or(0)).collect()
}

/// A bundle in a file that is gone when it is closed, signed by these keys.
fn bundle(files: &Files, keys: &[SecretKey]) -> File {
    let file = tempfile::tempfile().unwrap();
    bundle::assemble(&files.write().bytes, MANIFEST, &file).unwrap();
    for key in keys {
        bundle::sign(&file, key).unwrap();
    }
    file
}

fn all_bytes(file: &File) -> Vec<u8> {
    use std::os::unix::fs::FileExt;
    let mut all = vec![0; usize::try_from(file.metadata().unwrap().len()).unwrap()];
    file.read_exact_at(&mut all, 0).unwrap();
    all
}

/// Runs a program and gives what it printed; it must succeed.
fn run(program: &str, arguments: &[&str]) -> String {
    let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    let output = match Command::new(program).args(arguments).env("PATH", path).output() {
        Ok(output) => output,
        Err(e) => panic!("this test needs the program {program}: {e}: install its package"),
    };
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{program}: {}\n{text}", output.status);
    text
}
