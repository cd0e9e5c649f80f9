//! A directory to work in, with a home that has no key yet.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The manifest of a small app that is there when a test begins.
pub(crate) const NOTES: &str = r#"
id = "org.example.notes"
version = "1.2.0"
name = "Notes"
about = "Keeps what you write down"
icon = "notes.svg"

[requires]
files = ["/bin/sh"]

[[permission]]
name = "camera"
reason = "To take pictures"

[[ability]]
name = "main"
exec = ["bin/notes", "--color=always"]
exported = true

[[ability.skill]]
actions = ["view", "edit"]

[[ability]]
name = "sync"
kind = "service"
exec = ["/bin/sh", "sync.sh"]
lifecycle = "bus"
"#;

/// A place of a developer.
pub(crate) struct Desk {
    directory: tempfile::TempDir,
}

impl Desk {
    pub(crate) fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    /// With the app `notes` in a directory of this name.
    pub(crate) fn with_notes(directory: &str) -> Self {
        let desk = Self::new();
        let at = |file: &str| format!("{directory}/{file}");
        desk.write(&at("bundle.toml"), NOTES);
        desk.write(&at("bin/notes"), "#!/bin/sh\necho notes\n");
        desk.mode(&at("bin/notes"), 0o755);
        desk.write(&at("sync.sh"), "echo sync\n");
        desk.write(&at("notes.svg"), "<svg/>");
        desk
    }

    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.directory.path().join(file)
    }

    pub(crate) fn write(&self, file: &str, text: &str) {
        let path = self.path(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub(crate) fn mode(&self, file: &str, mode: u32) {
        fs::set_permissions(self.path(file), fs::Permissions::from_mode(mode)).unwrap();
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let home: &Path = self.directory.path();
        let mut command = Command::new(env!("CARGO_BIN_EXE_ens"));
        command.arg("bundle").args(arguments).current_dir(home);
        command.env("HOME", home).env_remove("XDG_CONFIG_HOME").output().unwrap()
    }

    /// What it prints when it works.
    pub(crate) fn ens(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "ens bundle {arguments:?}: {told}");
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    /// Its exit status and what it says when it does not.
    pub(crate) fn fails(&self, arguments: &[&str]) -> (i32, String) {
        let output = self.run(arguments);
        assert!(!output.status.success(), "ens bundle {arguments:?} works");
        let told = String::from_utf8(output.stderr).unwrap();
        let told = told.lines().filter(|line| !line.starts_with("Building ")).collect::<Vec<_>>();
        let told = told.join("\n").replace(&*self.directory.path().to_string_lossy(), "HERE");
        (output.status.code().unwrap(), told)
    }

    pub(crate) fn json(&self, arguments: &[&str]) -> serde_json::Value {
        serde_json::from_str(&self.ens(arguments)).unwrap()
    }
}
