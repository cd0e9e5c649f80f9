//! Devices that come with apps.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use image_builder::build::Refused;
use image_builder::built::{Flavor, Parts};
use image_builder::packages::resolve;
use model::text::Finding;

use crate::job;

const KEY: &str = "ed25519:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// A device with the app `x`, which starts this program of the device.
fn device(directory: &Path, program: &str) -> PathBuf {
    let write = |file: &str, text: &str| {
        let path = directory.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write(
        "services/ability-manager.toml",
        "exec = [\"/bin/sh\"]\nsandbox = { inherit = [\"service\"] }\n",
    );
    let app =
        "id = \"org.example.x\"\nversion = \"1.0.0\"\nname = \"X\"\n[[ability]]\nname = \"main\"\n";
    write("abilities/x/bundle.toml", &format!("{app}exec = [\"{program}\", \"x.sh\"]\n"));
    write("abilities/x/x.sh", "echo x\n");
    let apps = format!("[apps]\ninstall = [\"x\"]\ntrust = [\"{KEY}\"]\n");
    write("mine.toml", &format!("version = 1\ninherit = [\"headless\"]\n{apps}"));
    let toml = directory.join("mine.toml");
    let shipped = job::workspace().root().join("configs/devices/headless.lock");
    fs::copy(shipped, resolve::lock_path(&toml)).unwrap();
    toml
}

/// The app in the root that is built, and its keys.
fn built(toml: &Path, scratch: &Path) -> (File, String) {
    let Parts::Container { root } = job::build(toml, scratch, Flavor::Container).unwrap().parts
    else {
        panic!("it is no container")
    };
    let bundles = root.join("usr/lib/ensemble/bundles");
    let keys = fs::read_to_string(bundles.join("keys")).unwrap();
    (File::open(bundles.join("org.example.x.bundle")).unwrap(), keys)
}

#[test]
fn a_device_has_its_apps_as_bundles_that_nobody_signed() {
    let directory = tempfile::tempdir().unwrap();
    let toml = device(directory.path(), "/bin/sh");
    let (file, keys) = built(&toml, directory.path());
    assert_eq!(keys, format!("{KEY}\n"));
    let bundle = bundle::Bundle::open(file).unwrap();
    assert!(bundle.signatures().is_empty());
    let script = |bundle: &bundle::Bundle<File>| bundle.check().unwrap().read("x.sh", 100).unwrap();
    assert_eq!(script(&bundle), b"echo x\n");
    fs::write(directory.path().join("abilities/x/x.sh"), "echo y\n").unwrap();
    let (file, _) = built(&toml, directory.path());
    assert_eq!(script(&bundle::Bundle::open(file).unwrap()), b"echo y\n");
}

#[test]
fn an_app_that_cannot_run_there_is_told_where_it_is_named() {
    let told = |program: &str, change: &dyn Fn(&Path)| {
        let directory = tempfile::tempdir().unwrap();
        let toml = device(directory.path(), program);
        change(directory.path());
        let error = job::build(&toml, directory.path(), Flavor::Container).unwrap_err();
        let Some(Refused(report)) = error.downcast_ref() else { panic!("{error:#}") };
        let line = |f: &Finding| format!("{}:{} {}", f.line, f.column, f.message);
        report.findings().iter().map(line).collect::<Vec<_>>().join("\n")
    };
    insta::assert_snapshot!(told("/usr/bin/python3", &|_| {}), @"4:12 the app `x` cannot be in the image: it needs /usr/bin/python3, which no package or [[file]] of the device brings: find the package that does, and add it to [packages] install");
    insta::assert_snapshot!(told("x.py", &|_| {}), @"4:12 the app `x` cannot be in the image: ability main: `x.py` is not among the files of the bundle (a program of the device begins with `/`)");
    let link = |directory: &Path| {
        std::os::unix::fs::symlink("/etc", directory.join("abilities/x/etc")).unwrap();
    };
    let told = told("/bin/sh", &link);
    assert!(told.contains("leads out of the bundle, to /etc"), "{told}");
}
