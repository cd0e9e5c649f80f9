//! Images made by hand: layers upon each other, and what strangers could send.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::*;
use crate::packages::cache::Cache;
use crate::packages::fixture::{Item, cache, tar};
use crate::packages::lock::hex;
use crate::packages::resolve::Relock;
use crate::progress::Silent;
use crate::tree::Kind;
use crate::workspace::Workspace;

fn sum(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// The configuration of an image with these layers.
fn config(tars: &[Vec<u8>]) -> Vec<u8> {
    let sums: Vec<String> = tars.iter().map(|tar| format!("sha256:{}", sum(tar))).collect();
    let started = json!({
        "Entrypoint": ["/bin/serve"], "Cmd": ["--port", "80"], "Env": ["PATH=/bin", "MODE=fast=yes"],
        "WorkingDir": "/srv", "ExposedPorts": { "80/tcp": {} },
    });
    let config = json!({ "architecture": "amd64", "os": "linux", "config": started, "rootfs": { "type": "layers", "diff_ids": sums } });
    serde_json::to_vec(&config).unwrap()
}

/// Puts a file into a layout under its sum; what names it.
fn put(layout: &Path, bytes: &[u8]) -> Value {
    let blobs = layout.join("blobs/sha256");
    fs::create_dir_all(&blobs).unwrap();
    fs::write(blobs.join(sum(bytes)), bytes).unwrap();
    json!({ "mediaType": "application/vnd.oci.image", "digest": format!("sha256:{}", sum(bytes)), "size": bytes.len() })
}

/// The manifest of an image in a layout, its layers compressed.
fn manifest(layout: &Path, tars: &[Vec<u8>]) -> Value {
    let layers: Vec<Value> = tars.iter().map(|tar| put(layout, &gzip(tar))).collect();
    let config = put(layout, &config(tars));
    let manifest = json!({ "schemaVersion": 2, "config": config, "layers": layers });
    put(layout, &serde_json::to_vec(&manifest).unwrap())
}

fn write_index(layout: &Path, manifests: &[Value]) {
    fs::write(layout.join("index.json"), json!({ "manifests": manifests }).to_string()).unwrap();
}

/// An OCI layout in a directory.
fn layout(directory: &Path, tars: &[Vec<u8>]) -> PathBuf {
    let path = directory.join("image");
    let manifest = manifest(&path, tars);
    write_index(&path, &[manifest]);
    path
}

/// What Docker writes, in one tar.
fn archive(directory: &Path, tars: &[Vec<u8>]) -> PathBuf {
    let names: Vec<String> = (0..tars.len()).map(|number| format!("{number}/layer.tar")).collect();
    let manifest =
        json!([{ "Config": "config.json", "RepoTags": ["x:1"], "Layers": names }]).to_string();
    let config = config(tars);
    let mut items =
        vec![Item::File("manifest.json", manifest.as_bytes()), Item::File("config.json", &config)];
    items.extend(names.iter().zip(tars).map(|(name, tar)| Item::File(name, tar)));
    let path = directory.join("image.tar");
    fs::write(&path, tar(&items)).unwrap();
    path
}

fn read_with(path: &Path, cache: &Cache) -> Result<(Config, Tree)> {
    let workspace = Workspace::at(PathBuf::from("/nowhere"));
    let (relock, progress) = (Relock::Never, &Silent);
    read(path, &Sources { workspace: &workspace, cache, relock, progress })
}

/// The tree of layers, with the directory that its files are in; or why there is none.
fn tree_of(layers: &[&[Item<'_>]]) -> Result<(TempDir, Tree), String> {
    let (directory, cache) = cache();
    let tars: Vec<Vec<u8>> = layers.iter().map(|items| tar(items)).collect();
    match read_with(&layout(directory.path(), &tars), &cache) {
        Ok((_, tree)) => Ok((directory, tree)),
        Err(why) => Err(format!("{why:#}")),
    }
}

fn text(tree: &Tree, path: &str) -> String {
    match &tree.get(path).unwrap_or_else(|| panic!("no {path}")).kind {
        Kind::File(content) => String::from_utf8(content.read().unwrap().to_vec()).unwrap(),
        Kind::Symlink(target) => format!("-> {target}"),
        Kind::Hardlink(to) => format!("= {to}"),
        other => format!("{other:?}"),
    }
}

const BASE: &[Item<'_>] = &[
    Item::Dir("usr/bin/"),
    Item::Symlink("bin", "usr/bin"),
    Item::File("usr/bin/serve", b"one"),
    Item::Hardlink("usr/bin/also", "usr/bin/serve"),
    Item::File("etc/old/a", b"a"),
    Item::File("etc/old/b", b"b"),
    Item::Symlink("etc/mtab", "/proc/mounts"),
    Item::Other("dev/null", tar::EntryType::Char),
    Item::File("var/log/x", b"x"),
];

#[test]
fn both_formats_give_the_same_files_and_say_how_they_are_started() {
    let (directory, cache) = cache();
    let tars = [tar(BASE)];
    let of = |path: PathBuf| {
        // The one reads what the other unpacked.
        let (config, tree) = read_with(&path, &cache).unwrap();
        assert_eq!(config.exec(), ["/bin/serve", "--port", "80"]);
        assert_eq!(
            (config.processor(), config.directory(), config.serves()),
            ("x86_64", "/srv", true)
        );
        assert_eq!(config.environment()[1], ("MODE".to_owned(), "fast=yes".to_owned()));
        tree.iter().map(|(path, _)| format!("{path} {}", text(&tree, path))).collect::<Vec<_>>()
    };
    let first = of(layout(directory.path(), &tars));
    assert_eq!(first, of(archive(directory.path(), &tars)));
    assert!(first.contains(&"usr/bin/serve = usr/bin/also".to_owned()), "{first:?}");
    assert!(first.contains(&"etc/mtab -> ../proc/mounts".to_owned()), "{first:?}");
    assert!(!first.iter().any(|path| path.starts_with("dev") || path.starts_with("var")));
}

#[test]
fn of_images_for_several_processors_the_one_that_fits_is_taken() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("image");
    let of = |os: &str, go: &str, variant: &str| {
        let mut image = manifest(&path, &[tar(&[Item::File("which", go.as_bytes())])]);
        let platform = json!({ "os": os, "architecture": go, "variant": variant });
        image.as_object_mut().unwrap().insert("platform".to_owned(), platform);
        image
    };
    let index = |manifests: &[Value]| {
        let mut index = put(&path, json!({ "manifests": manifests }).to_string().as_bytes());
        index["mediaType"] = "application/vnd.oci.image.index.v1+json".into();
        index
    };
    let taken = |processors: &[&str]| {
        let processors: Vec<String> = processors.iter().map(|&one| one.to_owned()).collect();
        let image = Image::open(&path, &processors).map_err(|why| format!("{why:#}"))?;
        Ok::<_, String>(image.layers[0].tar.clone())
    };
    let which = |go: &str| sum(&tar(&[Item::File("which", go.as_bytes())]));
    // What builders write beside each image, which is none.
    let attestation = of("unknown", "unknown", "");
    let all = [
        of("linux", "amd64", ""),
        attestation,
        of("linux", "arm64", "v8"),
        of("windows", "riscv64", ""),
    ];
    let nested = index(&[index(&all)]);
    for manifests in [&all[..], std::slice::from_ref(&nested), &[nested.clone(), nested.clone()]] {
        write_index(&path, manifests);
        assert_eq!(taken(&["x86_64"]), Ok(which("amd64")));
        assert_eq!(taken(&["aarch64"]), Ok(which("arm64")));
        assert_eq!(
            taken(&["riscv64"]).unwrap_err(),
            "it has no image for riscv64; it has linux/amd64, linux/arm64/v8, windows/riscv64"
        );
        let both = taken(&["x86_64", "aarch64"]).unwrap_err();
        assert!(both.contains("2 images for x86_64 or aarch64: linux/amd64, "), "{both}");
        assert!(taken(&[]).unwrap_err().contains("architectures says which one is meant"));
    }
    let deep = (0..4).fold(of("linux", "amd64", ""), |inner, _| index(&[inner]));
    write_index(&path, &[deep]);
    assert!(taken(&["x86_64"]).unwrap_err().contains("indexes in indexes"));
    // The only one there is, whatever it says: that it fits is looked at where its configuration is.
    write_index(&path, &[of("linux", "arm64", "")]);
    assert_eq!(taken(&["x86_64"]), Ok(which("arm64")));
}

#[test]
fn a_program_is_found_and_its_directory_gone_to() {
    let of = |entry: &str, directory: &str, files: &[&str]| {
        let mut tree = Tree::new();
        for file in files {
            tree.insert(file, crate::tree::Node::file(0o755, "")).unwrap();
        }
        let config = json!({
            "architecture": "amd64", "rootfs": { "diff_ids": [] },
            "config": { "Cmd": [entry, "x"], "WorkingDir": directory, "Env": ["PATH=/opt/bin:/usr/bin"] },
        });
        started(&serde_json::from_value(config).unwrap(), &tree).join(" ")
    };
    assert_eq!(of("serve", "", &["usr/bin/serve"]), "/usr/bin/serve x");
    assert_eq!(of("serve", "/", &["opt/bin/serve", "usr/bin/serve"]), "/opt/bin/serve x");
    assert_eq!(of("./run.sh", "/app/", &["app/run.sh"]), "/app/run.sh x");
    assert_eq!(
        of("../run.sh", "/app/it's", &["bin/sh"]),
        "/bin/sh -c cd '/app/it'\\''s' && exec \"$@\" sh /app/run.sh x"
    );
    assert_eq!(of("lost", "", &[]), "lost x");
}

#[test]
fn upper_layers_add_replace_and_take_away() {
    let (_directory, tree) = tree_of(&[
        BASE,
        &[
            Item::File("etc/old/c", b"c"),
            Item::File("etc/old/.wh..wh..opq", b""),
            Item::File("usr/bin/.wh.serve", b""),
            Item::File("usr/.wh..wh.plnk", b""),
            // Through a link, as some tools write it.
            Item::File("bin/new", b"new"),
            Item::File("etc/mtab", b"plain"),
        ],
    ])
    .unwrap();
    assert!(tree.get("usr/bin/serve").is_none());
    assert_eq!(text(&tree, "usr/bin/also"), "one");
    assert_eq!(text(&tree, "usr/bin/new"), "new");
    assert_eq!(text(&tree, "bin"), "-> usr/bin");
    assert_eq!(text(&tree, "etc/mtab"), "plain");
    assert_eq!(tree.children("etc/old").collect::<Vec<_>>(), ["etc/old/c"]);
}

#[test]
fn a_layer_may_not_lead_out_nor_have_what_no_bundle_has() {
    for (items, why) in [
        (&[Item::File("usr/../../etc/passwd", b"")][..], "a path with `..`"),
        (&[Item::Other("usr/null", tar::EntryType::Char)], "a device or a pipe"),
        (&[Item::Hardlink("usr/x", "etc/shadow")], "which is no file"),
        (&[Item::Hardlink("usr/x", "../etc/shadow")], "a path with `..`"),
        (&[Item::File("usr/.wh...", b"")], "it takes nothing away"),
        (&[Item::Symlink("a", "b"), Item::Symlink("b", "a"), Item::File("a/x", b"")], "circle"),
        (&[Item::File("usr/f", b""), Item::File("usr/f/x", b"")], "not a directory"),
        (&[Item::Other("usr/sparse", tar::EntryType::new(b'Q'))], "files, directories and links"),
    ] {
        let told = tree_of(&[items]).unwrap_err();
        assert!(told.contains(why), "{why}: {told}");
    }
    // Links stay within the root, however far up they say.
    let (_directory, tree) =
        tree_of(&[&[Item::Symlink("up", "../../../etc"), Item::File("up/x", b"in")]]).unwrap();
    assert_eq!(text(&tree, "etc/x"), "in");
    assert_eq!(text(&tree, "up"), "-> etc");
}

#[test]
fn what_was_changed_on_its_way_is_refused() {
    let damage = |name: &dyn Fn(&Path) -> PathBuf, change: &dyn Fn(&mut Vec<u8>)| {
        let (directory, cache) = cache();
        let path = layout(directory.path(), &[tar(BASE)]);
        let file = name(&path);
        let mut bytes = fs::read(&file).unwrap();
        change(&mut bytes);
        fs::write(file, bytes).unwrap();
        format!("{:#}", read_with(&path, &cache).unwrap_err())
    };
    let layer = |path: &Path| path.join("blobs/sha256").join(sum(&gzip(&tar(BASE))));
    let flipped = damage(&layer, &|bytes| bytes[100] ^= 1);
    assert!(flipped.contains("damaged"), "{flipped}");
    let longer = damage(&layer, &|bytes| bytes.push(0));
    assert!(longer.contains("damaged"), "{longer}");
    let shorter = damage(&layer, &|bytes| bytes.truncate(150));
    assert!(shorter.contains("damaged"), "{shorter}");
    let config = |path: &Path| path.join("blobs/sha256").join(sum(&config(&[tar(BASE)])));
    let other = damage(&config, &|bytes| bytes.push(b' '));
    assert!(other.contains("has another sum"), "{other}");
    let index =
        damage(&|path| path.join("index.json"), &|bytes| *bytes = b"{\"manifests\":[]}".to_vec());
    assert!(index.contains("there is no image in it"), "{index}");
    let escape = r#"{"manifests":[{"digest":"sha256:../../../../etc/passwd"}]}"#;
    let escape = damage(&|path| path.join("index.json"), &|bytes| *bytes = escape.into());
    assert!(escape.contains("is no SHA-256"), "{escape}");
}

#[test]
fn what_is_no_image_is_told_with_what_to_do() {
    let (directory, cache) = cache();
    let told = |bytes: &[u8]| {
        let path = directory.path().join("x.tar");
        fs::write(&path, bytes).unwrap();
        format!("{:#}", read_with(&path, &cache).unwrap_err())
    };
    assert!(told(&gzip(&tar(BASE))).contains("`gunzip` it first"));
    assert!(told(&tar(BASE)).contains("`podman save`"));
    assert!(told(b"hello").contains("reading the image"));
}
