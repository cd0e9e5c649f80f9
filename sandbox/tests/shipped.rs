//! What ships can be enforced on both processors.

#![cfg(feature = "compile")]
#![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use std::path::Path;
use std::{fs, io};

use model::sandbox::Profile;
use model::text::{Source, load_device, sandbox::load};
use sandbox::calls::Arch;

/// The repository.
struct Disk;

const CONFIGS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../configs");

impl Source for Disk {
    fn read(&self, path: &str) -> io::Result<String> {
        fs::read_to_string(path)
    }

    fn list(&self, directory: &str) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(directory)? {
            names.extend(entry?.file_name().into_string());
        }
        Ok(names)
    }

    fn is_file(&self, path: &str) -> bool {
        Path::new(path).is_file()
    }

    fn library(&self) -> Option<String> {
        Some(CONFIGS.to_owned())
    }
}

fn names(kind: &str) -> Vec<String> {
    let mut names = Disk.list(&format!("{CONFIGS}/{kind}")).unwrap();
    names.retain(|name| name.ends_with(".toml"));
    assert!(!names.is_empty());
    names
}

fn compiles(what: &str, profile: &Profile) {
    for arch in Arch::ALL {
        let compiled = sandbox::compile(profile, arch);
        assert!(compiled.is_ok(), "{what} on {arch}: {compiled:?}");
    }
}

#[test]
fn every_profile_that_ships_compiles() {
    for name in names("sandbox") {
        let name = name.trim_end_matches(".toml");
        match load(&Disk, &[format!("{CONFIGS}/sandbox")], name) {
            Ok(explained) => compiles(name, &explained.profile),
            Err(report) => panic!("{report}"),
        }
    }
}

#[test]
fn every_service_of_a_device_that_ships_compiles() {
    for name in names("devices") {
        match load_device(&Disk, &format!("{CONFIGS}/devices/{name}")) {
            Ok(loaded) => {
                for service in loaded.plan.services.iter().chain(&loaded.plan.templates) {
                    compiles(service.name.as_str(), &service.sandbox);
                }
            }
            Err(report) => panic!("{report}"),
        }
    }
}
