//! Whether a program needs other files to run, and which processor it is for.
//!
//! Reads only what ELF says at its beginning; a script is left to the program that reads it.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use anyhow::{Context, Result, bail};

/// Processors by their number in ELF, in the kernel's spelling.
const MACHINES: [(u16, &str); 4] =
    [(62, "x86_64"), (183, "aarch64"), (243, "riscv64"), (40, "armv7l")];

/// Most program headers that are looked at; programs have about ten.
const MAX_HEADERS: u16 = 128;

/// Checks that a program needs no file but itself, on one of `architectures`.
pub(super) fn runs_alone(path: &Path, architectures: &[String]) -> Result<()> {
    let shown = path.display();
    let file = File::open(path).with_context(|| format!("reading {shown}"))?;
    let Some(found) = read(&file).with_context(|| format!("reading {shown}"))? else {
        return Ok(());
    };
    if found.interpreted {
        bail!(
            "{shown} needs libraries of the host: link it statically (Rust: a musl target, or \
             RUSTFLAGS=\"-C target-feature=+crt-static\"), or build a directory with all it needs"
        );
    }
    let Some(machine) = found.machine else { return Ok(()) };
    if !architectures.iter().any(|one| one == machine) {
        bail!(
            "{shown} is for {machine}, and bundle.toml does not say so: [requires] architectures = [\"{machine}\"]"
        );
    }
    Ok(())
}

/// The processor that a file of code is for; `None`: it is no ELF, or one for an unknown processor.
pub(super) fn machine(path: &Path) -> Result<Option<&'static str>> {
    let reading = || format!("reading {}", path.display());
    let file = File::open(path).with_context(reading)?;
    Ok(read(&file).with_context(reading)?.and_then(|found| found.machine))
}

/// What a program says of itself.
struct Elf {
    machine: Option<&'static str>,
    interpreted: bool,
}

/// `None`: it is no ELF.
fn read(file: &File) -> std::io::Result<Option<Elf>> {
    const INTERPRETER: u32 = 3; // PT_INTERP
    let mut head = [0; 64];
    if file.read_at(&mut head, 0)? < head.len() || !head.starts_with(b"\x7fELF\x02\x01") {
        return Ok(None);
    }
    let number = u16::from_le_bytes(field(&head, 18));
    let machine = MACHINES.iter().find(|(n, _)| *n == number).map(|(_, name)| *name);
    let headers = u64::from_le_bytes(field(&head, 32));
    let size = u64::from(u16::from_le_bytes(field(&head, 54)));
    let count = u16::from_le_bytes(field(&head, 56)).min(MAX_HEADERS);
    let mut interpreted = false;
    for i in 0..u64::from(count) {
        let mut kind = [0; 4];
        let at = headers.saturating_add(i.saturating_mul(size));
        let read = file.read_at(&mut kind, at)?;
        interpreted |= read == kind.len() && u32::from_le_bytes(kind) == INTERPRETER;
    }
    Ok(Some(Elf { machine, interpreted }))
}

/// `N` bytes at `at`, which lies within `bytes` wherever this is called; zeros if not.
fn field<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).copied().unwrap_or([0; N])
}
