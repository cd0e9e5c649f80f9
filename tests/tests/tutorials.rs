//! The tutorials are true: each is followed in an empty directory, as a reader would.
//!
//! | fence in docs/tutorials/*.md | what is done |
//! |---|---|
//! | `LANGUAGE file=PATH` | the block is saved as PATH |
//! | `console` | each line after `$ ` is run; what stands below it must be printed |
//! | `console machine` | the same, but only with `ENSEMBLE_MACHINES=1`: emulation takes its time |
//!
//! `…` stands for anything within a line; alone in a line, for any lines. `cargo ens` is the `ens`
//! of this workspace, in containers. Both streams of a command are compared as one, as on a terminal.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A block between fences.
struct Block {
    /// What stands behind the opening fence.
    info: String,
    line: usize,
    text: String,
}

/// One command with what it should print.
struct Turn {
    command: String,
    line: usize,
    expected: String,
}

/// Where a reader is, and with which program.
struct Reader {
    ens: PathBuf,
    home: tempfile::TempDir,
    here: PathBuf,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a workspace").to_owned()
}

fn blocks(text: &str) -> Vec<Block> {
    let mut found = Vec::new();
    let mut open: Option<Block> = None;
    for (at, line) in text.lines().enumerate() {
        match (line.strip_prefix("```"), &mut open) {
            (Some(_), Some(_)) => found.extend(open.take()),
            (Some(info), None) => {
                open = Some(Block { info: info.to_owned(), line: at + 1, text: String::new() });
            }
            (None, Some(block)) => block.text.extend([line, "\n"]),
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a fence is not closed");
    found
}

fn turns(block: &Block) -> Vec<Turn> {
    let mut turns: Vec<Turn> = Vec::new();
    for (line, text) in (block.line + 1..).zip(block.text.lines()) {
        match (text.strip_prefix("$ "), turns.last_mut()) {
            (Some(command), _) => {
                turns.push(Turn { command: command.to_owned(), line, expected: String::new() });
            }
            (None, Some(turn)) => turn.expected.extend([text, "\n"]),
            (None, None) => assert!(text.is_empty(), "line {line}: no `$ ` above this output"),
        }
    }
    turns
}

/// Whether `got` is one line as `pattern` has it.
fn same_line(pattern: &str, got: &str) -> bool {
    let mut parts = pattern.split('…');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = got.strip_prefix(first) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        let Some(at) = rest.find(part) else { return false };
        rest = rest.get(at + part.len()..).unwrap_or_default();
    }
    rest.ends_with(last)
}

/// Whether `got` is what `pattern` says, lines and all.
fn same(pattern: &[&str], got: &[&str]) -> bool {
    match (pattern.split_first(), got.split_first()) {
        (None, None) => true,
        (Some((&"…", others)), _) => (0..=got.len()).any(|n| same(others, &got[n..])),
        (Some((line, others)), Some((first, rest))) => same_line(line, first) && same(others, rest),
        _ => false,
    }
}

impl Reader {
    fn new() -> Self {
        let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
        let mut build = Command::new(cargo);
        build.args(["build", "--quiet", "--package", "image-builder", "--bin", "ens"]);
        assert!(build.current_dir(root()).status().expect("cargo runs").success());
        let own = std::env::current_exe().expect("this test is a program");
        let ens = own.ancestors().nth(2).expect("it is in target/debug/deps").join("ens");
        let home = tempfile::tempdir().expect("a directory");
        let here = home.path().to_owned();
        Self { ens, home, here }
    }

    fn follow(&mut self, page: &str) {
        let text = fs::read_to_string(root().join("docs/tutorials").join(page)).expect(page);
        let machines = std::env::var_os("ENSEMBLE_MACHINES").is_some();
        let mut done = 0;
        for block in blocks(&text) {
            if let Some((_, path)) = block.info.split_once(" file=") {
                let path = self.here.join(path);
                let directory = path.parent().expect("a file is in a directory");
                fs::create_dir_all(directory).expect("a directory can be made");
                fs::write(path, &block.text).expect("a file can be written");
            } else if block.info == "console" || block.info == "console machine" && machines {
                for turn in turns(&block) {
                    self.take(page, &turn);
                    done += 1;
                }
            }
        }
        assert!(done > 3, "{page} has only {done} commands");
        assert!(self.here.starts_with(self.home.path()));
    }

    fn take(&mut self, page: &str, turn: &Turn) {
        if let Some(directory) = turn.command.strip_prefix("cd ") {
            self.here.push(directory);
            assert!(self.here.is_dir(), "{page}:{}: no {}", turn.line, self.here.display());
            return;
        }
        let ens = format!("'{}'", self.ens.display());
        let command = turn.command.replace("cargo ens", &ens);
        let out = Command::new("sh")
            .args(["-c", &format!("exec 2>&1; {command}")])
            .current_dir(&self.here)
            .output()
            .expect("a shell runs");
        let got = String::from_utf8_lossy(&out.stdout).into_owned();
        let at = format!("{page}:{}: {}", turn.line, turn.command);
        assert!(out.status.success(), "{at}\n{}\n{got}", out.status);
        let (pattern, lines): (Vec<_>, Vec<_>) =
            (turn.expected.lines().collect(), got.lines().collect());
        assert!(same(&pattern, &lines), "{at}\nexpected\n{}\nprinted\n{got}", turn.expected);
    }
}

#[test]
fn the_first_service_runs_as_its_page_says() {
    Reader::new().follow("first-service.md");
}

#[test]
fn the_first_device_runs_as_its_page_says() {
    Reader::new().follow("first-device.md");
}

#[test]
fn the_first_app_runs_as_its_page_says() {
    Reader::new().follow("first-app.md");
}

#[test]
fn a_program_of_debian_becomes_an_app_as_its_page_says() {
    Reader::new().follow("debian-app.md");
}

#[test]
fn three_dots_stand_for_anything() {
    assert!(same_line("up … s, … s", "up 1.2 s, 0.3 s"));
    assert!(!same_line("up … s", "up 1.2 min"));
    assert!(same_line("as is", "as is") && !same_line("as is", "as is not"));
    assert!(same(&["…", "b", "…"], &["a", "b"]) && !same(&["…", "b"], &["b", "c"]));
}
