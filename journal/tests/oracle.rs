//! systemd's own tools read what we write: export format into `systemd-journal-remote`, and back out
//! of its binary files with `journalctl`, compared field by field.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says where")]

mod device;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Command, Stdio};

use api::journal::Query;
use device::{Device, Fields};
use serde_json::Value;

/// Where Debian's package systemd-journal-remote puts it.
const REMOTE: &str = "/lib/systemd/systemd-journal-remote";

fn need(program: &str, package: &str) {
    let found = program.starts_with('/') && Path::new(program).exists()
        || Command::new(program).arg("--version").output().is_ok();
    assert!(
        found,
        "{program} is missing, and nothing else can prove this: apt-get install {package}"
    );
}

/// What systemd understood, one map of names to values for each record.
fn through_systemd(export: &[u8]) -> Vec<BTreeMap<String, Vec<Vec<u8>>>> {
    need(REMOTE, "systemd-journal-remote");
    need("journalctl", "systemd");
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("out.journal");
    let mut remote = Command::new(REMOTE)
        .arg("-o")
        .arg(&file)
        .arg("-")
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    remote.stdin.take().unwrap().write_all(export).unwrap();
    let done = remote.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success() && !said.contains("rror"), "{said}");
    let out = Command::new("journalctl")
        .arg("--file")
        .arg(&file)
        .args(["--output=json", "--all", "--no-pager"])
        .output()
        .unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap().lines().map(understood).collect()
}

/// A line of `journalctl -o json`: text is a string, all else a list of bytes, a name that comes
/// more than once has a list of those.
fn understood(line: &str) -> BTreeMap<String, Vec<Vec<u8>>> {
    let Value::Object(record) = serde_json::from_str(line).unwrap() else { panic!("{line}") };
    record.into_iter().map(|(name, value)| (name, values(&value))).collect()
}

fn values(value: &Value) -> Vec<Vec<u8>> {
    match value {
        Value::String(text) => vec![text.clone().into_bytes()],
        Value::Array(list) if list.iter().all(Value::is_number) => {
            let byte = |v: &Value| u8::try_from(v.as_u64().unwrap()).unwrap();
            vec![list.iter().map(byte).collect()]
        }
        Value::Array(list) => list.iter().flat_map(values).collect(),
        other => panic!("{other} is no value of a field"),
    }
}

/// Ours in the same shape, less what systemd sets anew.
fn ours(record: &Fields) -> BTreeMap<String, Vec<Vec<u8>>> {
    let mut all = BTreeMap::<String, Vec<Vec<u8>>>::new();
    for (name, value) in record {
        all.entry(name.clone()).or_default().push(value.clone());
    }
    all.remove("__CURSOR");
    all.values_mut().for_each(|values| values.sort());
    all
}

fn theirs(mut record: BTreeMap<String, Vec<Vec<u8>>>) -> BTreeMap<String, Vec<Vec<u8>>> {
    for own in ["__CURSOR", "__SEQNUM", "__SEQNUM_ID"] {
        record.remove(own);
    }
    record.values_mut().for_each(|values| values.sort());
    record
}

fn assert_same(export: &[u8]) {
    let ours: Vec<_> = device::records(export).iter().map(ours).collect();
    let theirs: Vec<_> = through_systemd(export).into_iter().map(theirs).collect();
    assert_eq!(ours.len(), theirs.len());
    for (ours, theirs) in ours.iter().zip(&theirs) {
        assert_eq!(ours, theirs);
    }
}

#[test]
fn systemd_reads_every_record_as_we_meant_it() {
    let device = Device::new();
    device.native.send(b"MESSAGE=plain\nPRIORITY=5\nTWICE=a\nTWICE=b\nEMPTY=\n").unwrap();
    device.native.send("MESSAGE=grüße\ttab\nKEY=a=b=c\n".as_bytes()).unwrap();
    let every: Vec<u8> = (0..=255).collect();
    let mut binary = b"MESSAGE=binary\nDATA\n\0\x01\0\0\0\0\0\0".to_vec();
    binary.extend(&every);
    binary.extend(b"\nLINES\n\x0d\0\0\0\0\0\0\0\n\nMESSAGE=x\n\n\n");
    device.native.send(&binary).unwrap();
    device.native.send(b"MESSAGE\n\x03\0\0\0\0\0\0\0\xff\xfe\0\n").unwrap();
    let mut file = sys::memfd::create("entry").unwrap();
    writeln!(file, "LONG={}\nMESSAGE=long", "0123456789".repeat(200_000)).unwrap();
    sys::memfd::seal(&file).unwrap();
    sys::seqpacket::send(&device.native, b"", &[file.as_fd()]).unwrap();
    device.syslog.send(b"<11>May  7 01:02:03 cron[12]: \x1b[1mbold\x1b[0m\n").unwrap();
    let (kept, writer) = sys::pipe::lasting(0).unwrap();
    sys::seqpacket::send(&device.streams, b"web", &[kept.as_fd()]).unwrap();
    fs::File::from(writer).write_all(b"<4>a line\nzero\0last\n").unwrap();
    for message in ["long", "bold", "last"] {
        device.wait_for(message);
    }
    let export = device.export(Query::default());
    assert_eq!(device::records(&export).len(), 9);
    assert_same(&export);
}

#[test]
fn systemd_reads_the_files_of_the_log_as_they_lie_on_the_disk() {
    let mut device = Device::new();
    for i in 0..300_u32 {
        let odd: Vec<u8> = (0..i % 50).map(|b| b.to_le_bytes()[0].wrapping_mul(37)).collect();
        let mut entry = format!("MESSAGE=number {i}\nODD\n").into_bytes();
        entry.extend(u64::from(i % 50).to_le_bytes());
        entry.extend(odd);
        entry.push(b'\n');
        device.native.send(&entry).unwrap();
    }
    device.wait_for("number 299");
    assert_eq!(device.terminate(), Some(0));
    assert_same(&fs::read(device.path("log/system.export")).unwrap());
}
