//! `ens bench wants`: how long it takes to find which abilities answer a want.
//!
//! The guest has one program, `bench-wants`, and tells virtual nanoseconds: instructions.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::bench_peers::{character, facts, read};
use crate::tree::{Content, Node, Tree};
use crate::write::cpio;

/// Our program in the guest.
pub const PROGRAM: &str = "bench-wants";

/// Nanoseconds by what is measured, then by number of skills.
pub type Measured = BTreeMap<String, BTreeMap<u32, u64>>;

/// What is measured, as people call it.
const ROWS: [(&str, &str); 7] = [
    ("site", "an address of one site"),
    ("expression", "an address of a site that one in ten has an expression for"),
    ("type", "a type"),
    ("every-type", "every type"),
    ("action", "an action alone"),
    ("nobody", "an address that nobody answers"),
    ("index", "making the index"),
];

/// The file system of the guest.
///
/// # Errors
/// It cannot be written.
pub fn initramfs(program: Content, path: &Path) -> Result<()> {
    let mut tree = Tree::default();
    tree.insert("dev", Node::directory(0o755))?;
    tree.insert("dev/console", character(5, 1))?;
    tree.insert("init", Node::file(0o755, program))?;
    cpio::write(&tree, crate::recipe::TIME, path)
}

/// Runs the guest; its console stays in `log`.
///
/// # Errors
/// QEMU does not run, or the guest did not come to its end; its last lines are in the text.
pub fn run(kernel: &Path, initramfs: &Path, log: &Path) -> Result<Measured> {
    read(kernel, initramfs, log, measured)
}

/// Reads `bench: WHAT SKILLS NANOSECONDS` lines.
fn measured(lines: &[String]) -> Result<Measured> {
    let mut found = Measured::new();
    for words in facts(lines)? {
        match words.as_slice() {
            [what, skills, n] => {
                let row = found.entry((*what).to_owned()).or_default();
                row.insert(skills.parse().context("skills")?, n.parse().context("nanoseconds")?);
            }
            _ => bail!("the guest says: {}", words.join(" ")),
        }
    }
    Ok(found)
}

/// The numbers for people, in virtual microseconds.
#[must_use]
pub fn table(measured: &Measured) -> String {
    let counts: Vec<u32> =
        measured.values().next().into_iter().flat_map(BTreeMap::keys).copied().collect();
    let head: String = counts.iter().map(|count| format!(" {count} skills |")).collect();
    let mut text = format!("| virtual µs |{head}\n|---|{}\n", "---|".repeat(counts.len()));
    for (name, people) in ROWS {
        let Some(row) = measured.get(name) else { continue };
        let cells: String =
            row.values().map(|n| format!(" {}.{} |", n / 1000, n % 1000 / 100)).collect();
        text.push_str(&format!("| {people} |{cells}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_guest_tells_is_a_table_and_an_end_before_its_end_is_an_error() {
        let lines = ["noise", "bench: site 10 1250", "bench: site 1000 2500", "bench: done"];
        let lines = lines.map(str::to_owned);
        let found = measured(&lines).unwrap();
        insta::assert_snapshot!(table(&found), @r"
        | virtual µs | 10 skills | 1000 skills |
        |---|---|---|
        | an address of one site | 1.2 | 2.5 |
        ");
        assert!(measured(&lines[..3]).is_err());
        assert!(measured(&["bench: failed=no".to_owned()]).is_err());
    }
}
