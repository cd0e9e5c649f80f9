//! The oracle: python-tuf reads what we write, and we read what it writes.

use std::path::Path;
use std::process::Command;
use std::{env, fs};

use crate::shop::{Device, Shop, today};
use sha2::{Digest, Sha256};
use tuf::{App, Source};

/// Where `make.py` and what it wrote are.
const PYTHON: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python");

/// Metadata in a directory.
struct Directory(String);

impl Source for Directory {
    fn get(&mut self, file: &str, _: u64) -> Result<Option<Vec<u8>>, String> {
        Ok(fs::read(format!("{}/metadata/{file}", self.0)).ok())
    }
}

#[test]
fn what_python_tuf_writes_is_read() {
    let mut store = Directory(format!("{PYTHON}/repository"));
    let root = store.get("1.root.json", 0).unwrap().unwrap();
    let mut device = Device { kept: [("root", root)].into() };
    let trusted = tuf::refresh(&mut store, &mut device, today()).unwrap();
    assert_eq!(trusted.versions(), [2, 3, 5, 8]);
    let (name, target) = trusted.targets().unwrap().targets.first_key_value().unwrap();
    let file = format!("{}/targets/{}", store.0, trusted.root().target_file(name, target));
    let content = fs::read(file).unwrap();
    assert_eq!(target.sha256(), Some(Sha256::digest(&content).into()));
    let app = App::read(target.custom.as_ref().unwrap()).unwrap();
    assert_eq!(app.name[""], "Täxt \u{2028}\u{7f}\t");
    assert_eq!(tuf::known(&device).unwrap().versions(), [2, 3, 5, 8]);
}

#[test]
#[ignore = "needs python-tuf: pip install tuf 'securesystemslib[crypto]'; PYTHON=VENV/bin/python cargo test -p tuf -- --ignored"]
fn python_tuf_reads_what_is_written_here() {
    let mut shop = Shop::open();
    // Their clock is that of this machine.
    shop.now = tuf::Time::parse("2099-01-01T00:00:00Z").unwrap();
    shop.apps = vec!["b", "ä \"\\"];
    shop.keys.insert(tuf::Role::Root, 11);
    shop.keys.insert(tuf::Role::Targets, 12);
    shop.root(&[1, 11]);
    shop.publish();
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("python");
    fs::create_dir_all(directory.join("metadata")).unwrap();
    for (file, bytes) in &shop.files {
        fs::write(directory.join("metadata").join(file), bytes).unwrap();
    }
    let python = env::var("PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let check = Command::new(python).arg(format!("{PYTHON}/check.py")).arg(directory).output();
    let check = check.unwrap();
    let (out, why) = (String::from_utf8(check.stdout), String::from_utf8(check.stderr));
    assert!(check.status.success(), "{}", why.unwrap());
    assert_eq!(out.unwrap(), "b\nä \"\\\n");
}
