//! `ens bench sandbox`: what a sandbox costs at the start of a program, and while it runs.
//!
//! ```text
//! configs/sandbox ─ compile ─► plan ──────┐                  ┌─ bare, ours step by step, others: start to end
//! its mounts ─► bubblewrap's words ───────┼─► initramfs ─► QEMU ─ calls through the filter
//! packages of Debian, bench-sandbox ──────┘  -icount shift=0 └─ opens under Landlock
//! ```
//!
//! Others are given the same policy as far as they have words for it: the same trees, namespaces and bytes
//! of the filter. They have none for Landlock, W^X and keyrings, which the sandbox of an app has besides.

mod others;
mod table;

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, bail};
use model::sandbox::{Compiled, Mount, Profile};
use model::service::Service;
use model::{Name, Plan};
use serde::Serialize;

use crate::bench_peers::{LEFT_OUT, SUITE, character, facts, put, read};
use crate::packages::Request;
use crate::tree::{Content, Node, Tree};
use crate::write::cpio;

pub use self::table::table;

/// Who else is measured, with the packages of Debian, which has none of minijail.
pub const PACKAGES: [&str; 1] = ["bubblewrap"];

/// Profiles of configs/sandbox that are measured.
pub const PROFILES: [&str; 2] = ["app", "service"];

/// Our programs in the guest.
pub const PROGRAMS: [(&str, &str); 2] =
    [("bench-sandbox", "usr/bin/bench-sandbox"), ("bench-nothing", "usr/bin/nothing")];

/// The user that an app has.
const USER: &str = "app";

/// The profile of apps, and a service that is an app with a program and data of its own.
const APP: [&str; 2] = ["app", "own"];

/// Its program and its data.
const OWN: [&str; 2] = ["/var/apps/own", "/var/lib/own"];

/// Trees of the benchmark of Landlock; as many as the guest's program has rules.
const TREES: u32 = 50;

/// Directories among the trees that an app is shown; the others are files.
const DIRECTORIES: [&str; 5] =
    ["etc/alternatives", "etc/fonts", "etc/ssl/certs", "etc/ld.so.conf.d", "usr"];

/// What the guest told. Times are virtual nanoseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Measured {
    /// What a program finds itself confined by, by way of starting it; in the order of the guest.
    pub is: Vec<(String, String)>,
    /// Start to end, by way and program: median of starts when all is calm.
    pub alone: BTreeMap<String, BTreeMap<String, u64>>,
    /// The same, mean of starts one after the other.
    pub row: BTreeMap<String, BTreeMap<String, u64>>,
    /// Start to end with one thing more each time.
    pub step: Vec<(String, u64)>,
    /// A call, by sandbox and call.
    pub call: BTreeMap<String, BTreeMap<String, u64>>,
    /// KiB of the kernel's memory for one of what is made ahead.
    pub kept: BTreeMap<String, u64>,
}

/// What is asked of Debian.
#[must_use]
pub fn request() -> Request {
    Request {
        suite: SUITE.to_owned(),
        architecture: "amd64".to_owned(),
        packages: PACKAGES.map(str::to_owned).to_vec(),
        tools: Vec::new(),
        mirror: None,
    }
}

/// The services: one that says nothing, and one in each profile. Not compiled yet.
///
/// # Errors
/// The services have a mistake.
pub fn plan(profiles: Vec<(&str, Profile)>) -> Result<Plan> {
    let mut services = vec![service("default")?];
    let app = profiles.iter().find(|(name, _)| *name == APP[0]).map(|(_, profile)| profile.clone());
    let own = app.map(|app| (APP[1], with_own(app)));
    for (name, sandbox) in profiles.into_iter().chain(own) {
        let user = APP.contains(&name).then(|| USER.to_owned());
        services.push(Service { sandbox: sandbox.into(), user, ..service(name)? });
    }
    Plan::link("bench", services, &[]).map_err(|errors| {
        let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
        anyhow::anyhow!("the benchmark's services: {}", errors.join("; "))
    })
}

/// An app as it is installed.
fn with_own(mut app: Profile) -> Profile {
    let [program, data] = OWN.map(str::to_owned);
    app.files.execute.get_or_insert_default().push(program);
    app.files.write.get_or_insert_default().push(data);
    app
}

fn service(name: &str) -> Result<Service> {
    Ok(Service::new(Name::try_from(name.to_owned())?, vec!["/usr/bin/tiny".to_owned()]))
}

/// The file system of the guest: `tree` of the packages, our programs, the plan, what others are told.
///
/// # Errors
/// Something of a package is in the way, or no app is in the plan.
pub fn root(mut tree: Tree, programs: &[(String, Content)], plan: &Plan) -> Result<Tree> {
    let app = app(plan)?;
    for path in LEFT_OUT {
        tree.remove(path);
    }
    for directory in ["dev", "proc", "run", "sys", "sysroot", "tmp", "var/tmp"] {
        tree.insert(directory, Node::directory(0o755))?;
    }
    for path in OWN {
        tree.insert(path.trim_start_matches('/'), Node::directory(0o755))?;
    }
    for number in 1..TREES {
        tree.insert(&format!("bench/trees/{number}"), Node::directory(0o755))?;
    }
    shown(&mut tree, app)?;
    put(&mut tree, "etc/passwd", 0o644, "root:x:0:0:root:/root:/bin/sh\napp:x:10001:10001::/:/\n")?;
    put(&mut tree, "etc/group", 0o644, "root:x:0:\napp:x:10001:\n")?;
    put(&mut tree, "usr/share/bench/file", 0o644, "file\n")?;
    tree.insert("dev/console", character(5, 1))?;
    for (path, content) in programs {
        tree.insert(path, Node::file(0o755, content.clone()))?;
    }
    tree.insert("usr/bin/tiny", Node::file(0o755, tiny()))?;
    tree.insert("init", Node::symlink("usr/bin/bench-sandbox"))?;
    tree.insert("bench/plan", Node::file(0o644, plan.encode()))?;
    tree.insert("bench/filter", Node::file(0o644, app.filter.clone()))?;
    put(&mut tree, "bench/commands", 0o644, &others::commands(app))?;
    Ok(tree)
}

/// The sandbox of an app.
pub(crate) fn app(plan: &Plan) -> Result<&Compiled> {
    let app = plan.services.iter().find(|s| s.name.to_string() == APP[0]);
    let app = app.and_then(|app| plan.compiled.iter().find(|(p, _)| *p == *app.sandbox));
    app.map(|(_, compiled)| compiled).context("the sandbox of an app in the plan")
}

/// Everything that an app is shown is there, so that all are measured with the same mounts.
pub(crate) fn shown(tree: &mut Tree, app: &Compiled) -> Result<()> {
    for mount in &app.mounts {
        let Mount::Show(path, _) = mount else { continue };
        let path = path.trim_start_matches('/');
        if tree.get(path).is_some() {
            continue;
        }
        let directory = DIRECTORIES.contains(&path);
        tree.insert(path, if directory { Node::directory(0o755) } else { Node::file(0o644, "") })?;
    }
    Ok(())
}

/// The file system as an initramfs.
///
/// # Errors
/// It cannot be written.
pub fn initramfs(tree: &Tree, path: &Path) -> Result<()> {
    cpio::write(tree, crate::recipe::TIME, path)
}

/// Runs the guest; its console stays in `log`.
///
/// # Errors
/// QEMU does not run, or the guest did not come to its end; its last lines are in the text.
pub fn run(kernel: &Path, initramfs: &Path, log: &Path) -> Result<Measured> {
    read(kernel, initramfs, log, measured)
}

/// Reads `bench: WHAT NAME … NUMBER` lines.
fn measured(lines: &[String]) -> Result<Measured> {
    let mut found = Measured::default();
    for words in facts(lines)? {
        match words.as_slice() {
            ["is", name, said @ ..] => found.is.push(((*name).to_owned(), said.join(" "))),
            ["alone", way, program, n] => note(&mut found.alone, way, program, n)?,
            ["row", way, program, n] => note(&mut found.row, way, program, n)?,
            ["call", sandbox, call, n] => note(&mut found.call, sandbox, call, n)?,
            ["kept", what, n] => {
                found.kept.insert((*what).to_owned(), n.parse()?);
            }
            ["step", name, _, n] => found.step.push(((*name).to_owned(), n.parse()?)),
            _ => bail!("the guest says: {}", words.join(" ")),
        }
    }
    Ok(found)
}

type Numbers = BTreeMap<String, BTreeMap<String, u64>>;

fn note(numbers: &mut Numbers, of: &str, what: &str, n: &str) -> Result<()> {
    numbers.entry(of.to_owned()).or_default().insert(what.to_owned(), n.parse()?);
    Ok(())
}

/// The smallest program: an ELF file with three instructions, which end it with status 0.
fn tiny() -> Vec<u8> {
    const AT: u64 = 0x40_0000;
    const HEADERS: u64 = 64 + 2 * 56;
    // mov eax, 231 (exit_group); xor edi, edi; syscall
    let code = [0xb8, 0xe7, 0, 0, 0, 0x31, 0xff, 0x0f, 0x05];
    let size = HEADERS + 9;
    let mut elf = b"\x7fELF\x02\x01\x01".to_vec();
    elf.resize(16, 0);
    let half = |values: &[u16]| values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>();
    let word = |values: &[u32]| values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>();
    let long = |values: &[u64]| values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>();
    // Executable, x86-64; entry, program headers at 64, no sections.
    elf.extend(half(&[2, 62]));
    elf.extend(word(&[1]));
    elf.extend(long(&[AT + HEADERS, 64, 0]));
    elf.extend(word(&[0]));
    elf.extend(half(&[64, 56, 2, 64, 0, 0]));
    // Loaded to be read and executed; a stack that is not executed.
    elf.extend(word(&[1, 5]));
    elf.extend(long(&[0, AT, AT, size, size, 4096]));
    elf.extend(word(&[0x6474_e551, 6]));
    elf.extend(long(&[0, 0, 0, 0, 0, 16]));
    elf.extend(code);
    elf
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_guest_tells_is_read_and_an_end_before_its_end_is_an_error() {
        let lines = [
            "noise",
            "bench: is bare uid 0",
            "bench: alone bare tiny 120",
            "bench: step filter tiny 9",
            "bench: call app read 7",
            "bench: kept view 33",
            "bench: done",
        ];
        let lines = lines.map(str::to_owned);
        let found = measured(&lines).unwrap();
        assert_eq!(found.is, [("bare".to_owned(), "uid 0".to_owned())]);
        assert_eq!(found.alone["bare"]["tiny"], 120);
        assert_eq!(found.step, [("filter".to_owned(), 9)]);
        assert_eq!(found.call["app"]["read"], 7);
        assert_eq!(found.kept["view"], 33);
        assert!(measured(&lines[..6]).is_err());
        let failed = measured(&["bench: failed=measure: no".to_owned()]).unwrap_err();
        assert_eq!(failed.to_string(), "the guest says: failed=measure: no");
    }

    #[test]
    fn the_smallest_program_runs_and_ends_well() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("tiny");
        std::fs::write(&path, tiny()).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        assert!(std::process::Command::new(&path).status().unwrap().success());
    }
}
