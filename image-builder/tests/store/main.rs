//! `ens store` as people use it: the program itself, in a directory and a home of its own.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;

/// A place of somebody who makes apps and keeps a store.
struct Desk(tempfile::TempDir);

impl Desk {
    /// With a key, and the store `shop`, in which nothing is.
    fn new() -> Self {
        let desk = Self(tempfile::tempdir().unwrap());
        desk.ens("bundle key");
        desk.ens("store init shop");
        desk
    }

    fn path(&self, file: &str) -> PathBuf {
        self.0.path().join(file)
    }

    /// A bundle of this version, signed.
    fn bundle(&self, name: &str, version: &str) {
        let about = format!(
            "id = \"org.example.{name}\"\nversion = \"{version}\"\nname = \"{name}\"\nabout = \"An app\"\n\
             [[ability]]\nname = \"main\"\nexec = [\"run\"]\n"
        );
        fs::create_dir_all(self.path(name)).unwrap();
        fs::write(self.path(name).join("bundle.toml"), about).unwrap();
        fs::write(self.path(name).join("run"), format!("#!/bin/sh\necho {version}\n")).unwrap();
        fs::set_permissions(self.path(name).join("run"), fs::Permissions::from_mode(0o755))
            .unwrap();
        self.ens(&format!("bundle build {name}"));
    }

    fn run(&self, line: &str) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ens"));
        command.args(line.split(' ')).current_dir(self.0.path());
        command.env("HOME", self.0.path()).env_remove("XDG_CONFIG_HOME").output().unwrap()
    }

    /// What it prints when it works.
    fn ens(&self, line: &str) -> String {
        let output = self.run(line);
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "ens {line}: {told}");
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    /// What it says when it does not.
    fn fails(&self, line: &str) -> String {
        let output = self.run(line);
        assert!(!output.status.success(), "ens {line} works");
        let told = String::from_utf8(output.stderr).unwrap();
        told.replace(&*self.0.path().to_string_lossy(), "HERE").trim_end().to_owned()
    }

    fn json(&self, line: &str) -> Value {
        serde_json::from_str(&self.ens(line)).unwrap()
    }

    fn files(&self, directory: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(directory)).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut all: Vec<_> = names.collect();
        all.sort();
        all
    }
}

#[test]
fn what_is_added_counts_once_it_is_published() {
    let desk = Desk::new();
    assert!(desk.ens("store verify shop").contains("0 bundles"));
    desk.bundle("notes", "1.0.0");
    assert_eq!(
        desk.ens("store add shop notes.bundle"),
        "org.example.notes 1.0.0 is on the next list"
    );
    assert!(desk.ens("store verify shop").contains("0 bundles"), "not yet");
    desk.ens("store publish shop");
    assert!(desk.ens("store verify shop").contains("1 bundle;"));
    let listed = desk.json("store list shop --json");
    let key = desk.ens("bundle key");
    assert_eq!(listed[0]["app"]["keys"][0], key.as_str());
    assert_eq!(listed[0]["app"]["name"][""], "notes");
    desk.bundle("notes", "1.1.0");
    desk.ens("store add shop notes.bundle");
    desk.ens("store remove shop org.example.notes 1.0.0");
    desk.ens("store publish shop");
    assert_eq!(desk.json("store list shop --json").as_array().unwrap().len(), 1);
    assert_eq!(desk.files("shop/targets").len(), 2, "the state before is whole too");
    assert!(!desk.path("shop/next.json").exists());
}

#[test]
fn states_of_before_the_last_one_go_and_roots_stay() {
    let desk = Desk::new();
    for version in ["1.0.0", "1.1.0", "1.2.0"] {
        desk.bundle("notes", version);
        desk.ens("store add shop notes.bundle");
        let old = ["1.0.0", "1.1.0"].into_iter().find(|old| *old != version);
        if version != "1.0.0" {
            desk.run(&format!("store remove shop org.example.notes {}", old.unwrap_or("1.1.0")));
        }
        desk.ens("store publish shop");
    }
    let metadata = desk.files("shop/metadata");
    assert_eq!(
        metadata,
        [
            "1.root.json",
            "3.snapshot.json",
            "3.targets.json",
            "4.snapshot.json",
            "4.targets.json",
            "timestamp.json"
        ]
    );
    desk.ens("store publish shop");
    let versions = desk.json("store verify shop --json");
    assert_eq!(
        versions["versions"]["targets"], 4,
        "a list that did not change is not signed again"
    );
    assert_eq!(versions["versions"]["timestamp"], 5);
}

#[test]
fn any_key_can_be_replaced_and_new_devices_follow_from_the_first_root() {
    let desk = Desk::new();
    desk.bundle("notes", "1.0.0");
    desk.ens("store add shop notes.bundle");
    for role in ["timestamp", "snapshot", "targets", "root", "root"] {
        let said = desk.ens(&format!("store rotate shop {role}"));
        assert!(said.starts_with(&format!("the {role} of shop has another key")), "{said}");
        desk.ens("store publish shop");
        desk.ens("store verify shop");
    }
    let versions = desk.json("store verify shop --json");
    assert_eq!(versions["versions"]["root"], 6);
    assert_eq!(versions["apps"], 1);
    let keys = desk.files(".config/ensemble/stores/shop");
    assert!(keys.contains(&"root.key.old".to_owned()), "{keys:?}");
}

#[test]
fn a_root_is_renewed_before_it_ends() {
    let desk = Desk::new();
    desk.ens("store publish shop --expires root=400");
    assert_eq!(desk.json("store verify shop --json")["versions"]["root"], 1);
    desk.ens("store publish shop --expires root=4000");
    assert_eq!(desk.json("store verify shop --json")["versions"]["root"], 2);
}

#[test]
fn mistakes_are_told_with_a_way_out() {
    let desk = Desk::new();
    desk.bundle("notes", "1.0.0");
    desk.ens("bundle build notes --no-sign -o unsigned.bundle");
    fs::write(desk.path("text.bundle"), "text").unwrap();
    let all = [
        "store init shop",
        "store init other --name shop",
        "store publish notes",
        "store add shop unsigned.bundle",
        "store add shop text.bundle",
        "store remove shop org.example.notes",
        "store publish shop --expires leaf=4",
    ];
    let told: Vec<_> = all.into_iter().map(|line| desk.fails(line)).collect();
    assert!(told[0].contains("a store already"), "{told:?}");
    assert!(told[1].contains("there are keys of a store"));
    assert!(told[2].contains("`ens store init` makes one"));
    assert!(told[3].contains("`ens bundle sign unsigned.bundle`"));
    assert!(told[5].contains("`ens store list` shows what is"));
    assert!(told[6].contains("root, targets, snapshot or timestamp"));
    desk.ens("store add shop notes.bundle");
    desk.ens("store publish shop");
    fs::write(desk.path("notes/run"), "#!/bin/sh\necho other\n").unwrap();
    desk.ens("bundle build notes");
    let told = desk.fails("store add shop notes.bundle");
    assert!(told.contains("a changed bundle needs a higher version"), "{told}");
    fs::remove_file(desk.path(".config/ensemble/stores/shop/targets.key")).unwrap();
    desk.ens("store remove shop org.example.notes");
    let told = desk.fails("store publish shop");
    assert!(told.contains("targets.key"), "{told}");
    desk.ens("store verify shop");
}

#[test]
fn what_was_changed_on_the_disk_is_found() {
    let desk = Desk::new();
    desk.bundle("notes", "1.0.0");
    desk.ens("store add shop notes.bundle");
    desk.ens("store publish shop");
    let file = desk.files("shop/targets").remove(0);
    let path = desk.path("shop/targets").join(file);
    let mut bytes = fs::read(&path).unwrap();
    bytes[2000] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let told = desk.fails("store verify shop");
    assert!(told.contains("its SHA-256 is another one"), "{told}");
}
