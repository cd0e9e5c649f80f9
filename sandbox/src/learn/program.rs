//! What the kernel executes besides a program to run it: the interpreter of a script, the loader of a
//! program with libraries.
//!
//! Bytes of files are hostile: whatever does not fit is a program that needs nothing.

/// Most interpreters of interpreters, with the program; the kernel gives up after five.
pub(super) const MAX_INTERPRETERS: usize = 6;

/// Bytes at the beginning of a program that the kernel looks at: `BINPRM_BUF_SIZE`.
const HEAD: usize = 256;

/// Most program headers that are looked at.
const MAX_HEADERS: u16 = 64;

/// Longest name of a loader.
const MAX_LOADER: u64 = 4096;

/// Bytes of a program header of 64 bits, and its type for the name of a loader.
const HEADER: usize = 56;
const INTERPRETER: u32 = 3;

/// What a program needs.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Needs {
    /// Nothing, as far as can be told.
    Nothing,
    /// This other program, by its path.
    Interpreter(Vec<u8>),
    /// A processor or an ABI that profiles do not know.
    Foreign,
}

/// What the program needs whose bytes `read` gives, by place and length.
pub(super) fn needs(read: &dyn Fn(u64, usize) -> Option<Vec<u8>>) -> Needs {
    let head = read(0, HEAD).unwrap_or_default();
    if let Some(line) = head.strip_prefix(b"#!") {
        let line = line.split(|b| *b == b'\n').next().unwrap_or_default();
        let name = line.split(|b| matches!(b, b' ' | b'\t' | 0)).find(|word| !word.is_empty());
        return name.map_or(Needs::Nothing, |name| Needs::Interpreter(name.to_vec()));
    }
    match head.get(..5) {
        Some(b"\x7fELF\x02") => loader(&head, read).map_or(Needs::Nothing, Needs::Interpreter),
        Some(b"\x7fELF\x01") => Needs::Foreign,
        _ => Needs::Nothing,
    }
}

fn loader(head: &[u8], read: &dyn Fn(u64, usize) -> Option<Vec<u8>>) -> Option<Vec<u8>> {
    let word = |bytes: &[u8], at: usize| {
        let bytes = bytes.get(at..at.checked_add(8)?)?;
        Some(u64::from_le_bytes(bytes.try_into().ok()?))
    };
    let place = word(head, 32)?;
    let [size, count] = [54, 56].map(|at| {
        let bytes = head.get(at..at + 2).and_then(|bytes| bytes.try_into().ok());
        bytes.map_or(0, u16::from_le_bytes)
    });
    if usize::from(size) != HEADER {
        return None;
    }
    let headers = read(place, HEADER * usize::from(count.min(MAX_HEADERS)))?;
    let (headers, _) = headers.as_chunks::<HEADER>();
    let of_loader =
        |header: &&[u8; HEADER]| header.get(..4) == Some(&INTERPRETER.to_le_bytes()[..]);
    let header = headers.iter().find(of_loader)?;
    let (offset, length) = (word(header, 8)?, word(header, 32)?);
    let name = read(offset, usize::try_from(length.min(MAX_LOADER)).ok()?)?;
    let name = name.split(|b| *b == 0).next()?.to_vec();
    (!name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(bytes: &[u8]) -> Needs {
        let read = |offset: u64, length: usize| {
            let from = usize::try_from(offset).ok()?;
            let all = bytes.get(from..)?;
            Some(all.get(..length.min(all.len()))?.to_vec())
        };
        needs(&read)
    }

    #[test]
    fn a_script_needs_what_its_first_line_says() {
        assert_eq!(of(b"#! /bin/sh -e\necho"), Needs::Interpreter(b"/bin/sh".to_vec()));
        assert_eq!(of(b"#!/usr/bin/python3"), Needs::Interpreter(b"/usr/bin/python3".to_vec()));
        assert_eq!(of(b"#!\n"), Needs::Nothing);
        assert_eq!(of(b""), Needs::Nothing);
    }

    #[test]
    fn a_program_of_this_machine_needs_its_loader() {
        let bytes = std::fs::read("/bin/sh").unwrap();
        let Needs::Interpreter(name) = of(&bytes) else {
            return assert_eq!(of(&bytes), Needs::Nothing);
        };
        assert!(name.starts_with(b"/lib"), "{name:?}");
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_without_harm(mut bytes: Vec<u8>, elf: bool) {
            if elf {
                bytes.splice(..0, *b"\x7fELF\x02");
            }
            let _ = of(&bytes);
        }
    }
}
