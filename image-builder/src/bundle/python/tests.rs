//! Wheels made by hand: those that are taken, and what strangers could send.

use std::fs;
use std::io::{Cursor, Write};
use std::path::Path;

use model::text::bundle::parse;
use sha2::{Digest, Sha256};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::*;
use crate::tree::{Kind, Node};

/// Lines of `RECORD` of these files.
fn lines(files: &[(&str, &[u8])]) -> String {
    let line = |(name, bytes): &(&str, &[u8])| {
        let sum = record::base64(&Sha256::digest(bytes));
        format!("{name},sha256={sum},{}\n", bytes.len())
    };
    files.iter().map(line).collect()
}

const ABOUT: &[u8] = b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n";
const METADATA: &[u8] =
    b"Metadata-Version: 2.1\nName: demo\nRequires-Dist: other_thing>=1\nRequires-Dist: extra; extra == 'x'\n\nBody: no\n";

fn zip(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in files {
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
        writer.start_file(*name, options).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// A wheel with these files and a right `RECORD` of them.
fn wheel(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut all = files.to_vec();
    all.extend([("demo-1.dist-info/WHEEL", ABOUT), ("demo-1.dist-info/METADATA", METADATA)]);
    let record = format!("{}demo-1.dist-info/RECORD,,\n", lines(&all));
    all.push(("demo-1.dist-info/RECORD", record.as_bytes()));
    zip(&all)
}

fn manifest() -> Manifest {
    let text = "id = \"org.example.demo\"\nversion = \"1.0.0\"\nname = \"Demo\"\n[[ability]]\nname = \"main\"\n\
                exec = [\"/usr/bin/python3\"]\n[[ability]]\nname = \"own\"\nexec = [\"/usr/bin/python3\"]\n\
                environment = { PYTHONPATH = \"/elsewhere\" }\n";
    parse("demo", text).unwrap()
}

/// A runtime with Python 3.13.
fn runtime() -> Below {
    let mut tree = Tree::new();
    tree.insert("usr/bin/python3", Node::symlink("python3.13")).unwrap();
    tree.insert("usr/bin/python3.13", Node::file(0o755, "")).unwrap();
    tree.insert(
        "usr/lib/python3/dist-packages/other_thing-1.0.dist-info/METADATA",
        Node::file(0o644, ""),
    )
    .unwrap();
    Below::of(tree)
}

/// A directory with wheels, as a tree, with what was noted; or why not.
fn tree_of(
    wheels: &[(&str, &[u8])],
    below: Option<&Below>,
) -> Result<(Tree, Manifest, String), String> {
    let top = tempfile::tempdir().unwrap();
    fs::create_dir_all(top.path().join("wheels")).unwrap();
    fs::write(top.path().join("main.py"), "import demo").unwrap();
    for (name, bytes) in wheels {
        fs::write(top.path().join("wheels").join(name), bytes).unwrap();
    }
    let pattern = top.path().join("wheels/*.whl").to_str().unwrap().to_owned();
    let mut manifest = manifest();
    let told = std::cell::RefCell::new(String::new());
    let note = |line: &str| told.borrow_mut().push_str(line);
    let path = top.path().to_str().unwrap();
    let tree = tree((path, &[pattern]), &[], &mut manifest, below, &note);
    let tree = tree.map_err(|why| format!("{why:#}").replace(path, "DIR"))?;
    Ok((tree, manifest, told.into_inner()))
}

const NAME: &str = "demo-1-py3-none-any.whl";

fn told(bytes: &[u8]) -> String {
    tree_of(&[(NAME, bytes)], None).unwrap_err()
}

#[test]
fn a_wheel_lies_where_python_finds_it() {
    let wheel = wheel(&[
        ("demo/__init__.py", b"x"),
        ("demo-1.data/purelib/more.py", b"y"),
        ("demo-1.data/scripts/run", b"#!python\n"),
        ("demo-1.data/data/share/demo.txt", b"z"),
        ("demo-1.data/headers/demo.h", b"h"),
        ("demo-1.dist-info/entry_points.txt", b"[console_scripts]\ndemo = demo:main\n"),
    ]);
    let (tree, manifest, noted) = tree_of(&[(NAME, &wheel)], Some(&runtime())).unwrap();
    let files: Vec<&str> = tree
        .iter()
        .filter(|(path, node)| matches!(node.kind, Kind::File(_)) && !path.contains("dist-info"))
        .map(|(path, _)| path)
        .collect();
    let expected = [
        "bin/demo",
        "bin/run",
        "main.py",
        "share/demo.txt",
        "site/demo/__init__.py",
        "site/more.py",
    ];
    assert_eq!(files, expected);
    assert!(!tree.is_directory("wheels"));
    let paths: Vec<_> = manifest
        .abilities
        .iter()
        .map(|ability| ability.environment["PYTHONPATH"].as_str())
        .collect();
    assert_eq!(paths, ["/run/bundles/org.example.demo/site", "/elsewhere"]);
    assert_eq!(noted, "");
    let (_, _, noted) = tree_of(&[(NAME, &wheel)], None).unwrap();
    assert_eq!(
        noted,
        "demo needs the Python package other-thing, which is neither among the wheels nor in the runtime"
    );
}

#[test]
fn two_wheels_may_share_what_is_the_same() {
    let of = |bytes: &'static [u8]| wheel(&[("shared/__init__.py", bytes)]);
    let second = "demo-1-py313-none-any.whl";
    let runtime = runtime();
    assert!(tree_of(&[(NAME, &of(b"")), (second, &of(b""))], Some(&runtime)).is_ok());
    let why = tree_of(&[(NAME, &of(b"")), (second, &of(b"x"))], Some(&runtime)).unwrap_err();
    assert!(why.contains("another wheel has") && why.contains("with other bytes"), "{why}");
}

#[test]
fn what_is_not_what_record_says_is_refused() {
    let mut parts: Vec<(&str, &[u8])> =
        vec![("demo-1.dist-info/WHEEL", ABOUT), ("demo-1.dist-info/METADATA", METADATA)];
    let record_text = lines(&[("demo/__init__.py", b"good"), parts[0], parts[1]]);
    parts.push(("demo-1.dist-info/RECORD", record_text.as_bytes()));
    let with = |more: &[(&str, &[u8])]| told(&zip(&[parts.as_slice(), more].concat()));
    assert!(with(&[("demo/__init__.py", b"evil")]).contains("not what RECORD says"));
    assert!(
        with(&[("demo/__init__.py", b"good"), ("demo/more.py", b"")]).contains("not in RECORD")
    );
    assert!(with(&[]).contains("RECORD has it, and it is missing"));
}

#[test]
fn a_wheel_cannot_lead_out() {
    for name in [
        "../x",
        "/etc/x",
        "a/../../x",
        "a//x",
        "a\\..\\x",
        "demo-1.data/scripts/../../../x",
        "demo-1.data/data/../../x",
    ] {
        let why = told(&wheel(&[(name, b"")]));
        assert!(
            why.contains("a path in a wheel has no `..`") || why.contains("damaged"),
            "{name}: {why}"
        );
    }
    assert!(
        told(&wheel(&[("demo-1.data/platform/x", b"")]))
            .contains("nothing is known of demo-1.data/")
    );
}

#[test]
fn what_is_no_wheel_is_told() {
    assert!(told(b"not a zip").contains("it is no ZIP file"));
    assert!(told(&zip(&[("x.py", b"")])).contains("one directory NAME.dist-info"));
    let whole = wheel(&[("demo/__init__.py", &[7; 9000])]);
    assert!(told(&whole[..whole.len() - 30]).contains("it is no ZIP file"));
    let mut flipped = whole.clone();
    flipped[100] ^= 1;
    assert!(told(&flipped).contains("DIR/wheels/demo-1-py3-none-any.whl"));
    assert_eq!(
        tree_of(&[], None).unwrap_err(),
        "no wheel is called DIR/wheels/*.whl: `pip download --only-binary=:all: --dest wheels NAME` fetches them"
    );
    let none = Below::of(Tree::new());
    let why = tree_of(&[(NAME, &whole)], Some(&none)).unwrap_err();
    assert_eq!(
        why,
        "the runtime runtime has no Python 3: there is no /usr/bin/python3 that leads to one"
    );
}

#[test]
fn without_wheels_it_is_a_directory() {
    let top = tempfile::tempdir().unwrap();
    fs::write(top.path().join("main.py"), "").unwrap();
    let mut manifest = manifest();
    let path: &Path = top.path();
    let tree = tree((path.to_str().unwrap(), &[]), &[], &mut manifest, None, &|_| ()).unwrap();
    assert!(tree.get("main.py").is_some());
    assert!(manifest.abilities[0].environment.is_empty());
}
