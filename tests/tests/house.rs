//! Rules of the house that a compiler does not check: who may depend on whom, and where `unsafe` lives.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use serde_json::Value;

/// Who may name whom, among our own crates. `docs/architecture.md` draws it.
const ARROWS: &[(&str, &[&str])] = &[
    ("ability-manager", &["api", "bundle", "model", "sys", "wire"]),
    ("api", &[]),
    ("attacks", &[]),
    ("bare", &[]),
    ("brief", &["bare"]),
    ("bundle", &[]),
    ("ctl", &["api", "brief", "remote", "sys", "wire"]),
    ("debug-agent", &["api", "sys"]),
    ("ensemble-app", &["api", "wire"]),
    ("ensemble-clock", &["ensemble-app"]),
    ("image-builder", &["api", "bundle", "model", "sandbox", "sys", "tuf"]),
    ("init", &["api", "model", "sys"]),
    ("journal", &["api", "sys"]),
    ("model", &[]),
    ("remote", &["api", "debug-agent", "sys"]),
    ("sandbox", &["model", "sys"]),
    ("servicemgr", &["api", "brief", "model", "sandbox", "sys", "wire"]),
    ("softbus", &["api", "sys", "wire"]),
    ("store", &["api", "model", "sys", "tuf", "wire"]),
    ("sys", &[]),
    ("tuf", &[]),
    ("wire", &["sys"]),
];

/// Crates with system calls in them; only `sys` names these.
const KERNEL: &[&str] = &["libc", "nix", "rustix"];

/// The one crate besides `sys` with system calls of its own, the one file of it that may hold `unsafe`,
/// and why.
const EXCEPTION: (&str, &str, &str) = (
    "attacks",
    "tests/attacks/src/raw.rs",
    "attacks are bare system calls; never in a release image",
);

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a workspace").to_owned()
}

/// Direct dependencies (not those of tests) of each of our crates.
fn dependencies() -> BTreeMap<String, Vec<String>> {
    let cargo = env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let out = Command::new(cargo)
        .args(["metadata", "--no-deps", "--offline", "--format-version=1"])
        .current_dir(root())
        .output()
        .expect("cargo metadata runs");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let all: Value = serde_json::from_slice(&out.stdout).expect("JSON");
    let of = |package: &Value| {
        let named = package["dependencies"].as_array().expect("a list");
        let real = named.iter().filter(|d| d["kind"].is_null());
        let names = real.map(|d| d["name"].as_str().expect("a name").to_owned()).collect();
        (package["name"].as_str().expect("a name").to_owned(), names)
    };
    all["packages"].as_array().expect("a list").iter().map(of).collect()
}

#[test]
fn crates_depend_only_along_the_arrows() {
    let all = dependencies();
    for (name, needs) in &all {
        if name == "tests" {
            continue;
        }
        let (_, allowed) = ARROWS.iter().find(|(n, _)| n == name).unwrap_or_else(|| {
            panic!("{name} has no row in ARROWS: say what it may depend on, and draw it")
        });
        for need in needs.iter().filter(|n| all.contains_key(*n)) {
            assert!(allowed.contains(&need.as_str()), "{name} must not depend on {need}");
        }
    }
}

#[test]
fn only_sys_names_the_kernel() {
    let may = ["sys", "tests", EXCEPTION.0];
    for (name, needs) in dependencies().iter().filter(|(n, _)| !may.contains(&n.as_str())) {
        for kernel in KERNEL {
            assert!(!needs.iter().any(|n| n == kernel), "{name} names {kernel}; ask sys");
        }
    }
}

#[test]
fn pid_1_has_no_bus_and_no_async() {
    for name in ["init", "debug-agent"] {
        let cargo = env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
        let out = Command::new(cargo)
            .args(["tree", "--offline", "-p", name, "--edges=normal", "--prefix=none"])
            .current_dir(root())
            .output()
            .expect("cargo tree runs");
        let tree = String::from_utf8_lossy(&out.stdout).into_owned();
        assert!(out.status.success() && tree.contains("sys v"), "{tree}");
        for heavy in ["zbus ", "tokio ", "async-io ", "futures "] {
            assert!(!tree.contains(heavy), "{name} pulls in {heavy}:\n{tree}");
        }
    }
}

#[test]
fn unsafe_is_only_in_sys() {
    let (exempt, one_file, reason) = EXCEPTION;
    // `bare` is a part of `sys` that is a crate because it has no `std`.
    for (name, _) in ARROWS.iter().filter(|(n, _)| !["sys", "bare"].contains(n)) {
        let directory = match *name {
            name if name == exempt => "tests/attacks",
            "brief" => "ctl/brief",
            "ensemble-app" => "sdk",
            "ensemble-clock" => "configs/abilities/clock",
            name => name,
        };
        for file in rust_files(&root().join(directory)) {
            let text = fs::read_to_string(&file).expect("readable");
            if file == root().join(one_file) {
                assert!(text.contains(reason), "{one_file} does not say why it may");
                continue;
            }
            // The lints deny `unsafe`; what is left to forbid is the exemption.
            assert!(
                !text.contains(concat!("unsafe", "_code")),
                "{} exempts itself",
                file.display()
            );
        }
    }
}

#[test]
fn what_attacks_is_no_program_of_devices() {
    let programs = root().join("image-builder/src/programs.rs");
    let text = fs::read_to_string(programs).expect("readable");
    let list = text.split_once("const CRATES").and_then(|(_, rest)| rest.split_once(';'));
    let (_, rest) = list.expect("the list");
    let (list, _) = rest.split_once(';').expect("its end");
    assert!(list.contains("\"init\"") && !list.contains(EXCEPTION.0), "{list}");
}

fn rust_files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).expect("a directory").flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(rust_files(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
    found
}
