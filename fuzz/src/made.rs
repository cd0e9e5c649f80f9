//! What makers send: wheels of Python and images of containers, as they come and as small writers make them.

use std::collections::HashSet;
use std::fs;
use std::io::{Cursor, Write};
use std::path::PathBuf;
use std::sync::LazyLock;

use image_builder::bundle::outside;
use image_builder::tree::Tree;
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// Between two texts that a small writer puts into one file.
const NEXT: u8 = 0xff;

/// Between the two halves of such a text.
const HALF: u8 = 0xfe;

/// The name of the file of a wheel.
const WHEEL: &str = "demo-1-py3-none-any.whl";

/// Most bytes that are unpacked of a layer.
const MOST: u64 = 4 << 20;

/// Files of this process: in memory where there is such a place.
static PLACE: LazyLock<TempDir> = LazyLock::new(|| {
    let memory = PathBuf::from("/dev/shm");
    let place = tempfile::tempdir_in(&memory).or_else(|_| tempfile::tempdir());
    place.expect("a directory")
});

fn file(name: &str, bytes: &[u8]) -> PathBuf {
    let path = PLACE.path().join(name);
    fs::write(&path, bytes).expect("a file");
    path
}

/// A wheel as it comes, one with a right `RECORD`, or a `RECORD` alone.
pub(crate) fn wheel(bytes: &[u8]) {
    let Some((kind, rest)) = bytes.split_first() else { return };
    let zip = match kind % 3 {
        0 => rest.to_vec(),
        1 => match zip_of(&parts(rest)) {
            Some(zip) => zip,
            None => return,
        },
        _ => {
            let _any = std::str::from_utf8(rest).ok().map(outside::record);
            return;
        }
    };
    if let Ok((tree, needs)) = outside::wheel(WHEEL, &zip) {
        assert!(needs.iter().all(|need| !need.is_empty()));
        taken(&tree);
    }
}

/// Names, each with what the file has.
fn parts(bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
    let part = |part: &[u8]| {
        let (name, content) = halves(part);
        (String::from_utf8_lossy(name).into_owned(), content.to_vec())
    };
    bytes.split(|byte| *byte == NEXT).map(part).collect()
}

fn halves(part: &[u8]) -> (&[u8], &[u8]) {
    let at = part.iter().position(|byte| *byte == HALF).unwrap_or(part.len());
    (&part[..at], part.get(at + 1..).unwrap_or_default())
}

/// A ZIP file with these, and what a wheel needs.
fn zip_of(parts: &[(String, Vec<u8>)]) -> Option<Vec<u8>> {
    let own = |name: &str| format!("demo-1.dist-info/{name}");
    let mut all = parts.to_vec();
    for (name, text) in [("WHEEL", "Wheel-Version: 1.0\n"), ("METADATA", "Name: demo\n\n")] {
        if !all.iter().any(|(there, _)| *there == own(name)) {
            all.push((own(name), text.as_bytes().to_vec()));
        }
    }
    let line = |(name, bytes): &(String, Vec<u8>)| {
        let name = name.replace('"', "\"\"");
        format!("\"{name}\",sha256={},{}\n", base64(&Sha256::digest(bytes)), bytes.len())
    };
    let record: String = all.iter().map(line).collect();
    all.push((own("RECORD"), record.into_bytes()));
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (number, (name, bytes)) in all.iter().enumerate() {
        let how = [CompressionMethod::Stored, CompressionMethod::Deflated][number % 2];
        let options = SimpleFileOptions::default().compression_method(how);
        writer.start_file(name.as_str(), options).ok()?;
        writer.write_all(bytes).ok()?;
    }
    Some(writer.finish().ok()?.into_inner())
}

/// Base64 for URLs, as `RECORD` has it.
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let bits = bytes.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1));
    let bits: Vec<u8> = bits.collect();
    let letter = |six: &[u8]| {
        let index = (0..6).fold(0, |sum, at| sum * 2 + six.get(at).copied().unwrap_or(0));
        char::from(LETTERS[usize::from(index)])
    };
    bits.chunks(6).map(letter).collect()
}

/// An archive as it comes, layers of a small writer, what describes an image, or a compressed layer.
pub(crate) fn oci(bytes: &[u8]) {
    let Some((kind, rest)) = bytes.split_first() else { return };
    let processors = ["x86_64".to_owned(), "aarch64".to_owned()];
    let processors = &processors[..1 + usize::from(kind >> 7)];
    match kind % 4 {
        0 => drop(outside::image(&file("image.tar", rest), processors)),
        1 => {
            let tars = tars(rest);
            let paths: Vec<PathBuf> = tars
                .iter()
                .enumerate()
                .map(|(number, tar)| file(&format!("{number}.tar"), tar))
                .collect();
            let paths: Vec<_> = paths.iter().map(PathBuf::as_path).collect();
            if let Ok(tree) = outside::layers(&paths) {
                taken(&tree);
            }
        }
        2 => drop(outside::image(&file("image.tar", &described(rest)), processors)),
        _ => {
            if let Ok(bytes) = outside::unpacked(rest, MOST) {
                assert!(u64::try_from(bytes.len()).is_ok_and(|length| length <= MOST));
            }
        }
    }
}

/// Most layers of one input.
const MAX_LAYERS: usize = 4;

/// Tars of entries: the type, the path, and its target or content; `N` begins another tar.
fn tars(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut tars = vec![Vec::new()];
    for part in bytes.split(|byte| *byte == NEXT) {
        let Some((kind, rest)) = part.split_first() else { continue };
        if *kind == b'N' && tars.len() < MAX_LAYERS {
            tars.push(Vec::new());
            continue;
        }
        let (path, rest) = halves(rest);
        let content = if *kind == b'0' { rest } else { &[] };
        let tar = tars.last_mut().expect("there is one");
        entry(tar, *kind, path, rest, content);
    }
    tars.iter_mut().for_each(|tar| tar.extend([0; 1024]));
    tars
}

fn entry(tar: &mut Vec<u8>, kind: u8, path: &[u8], target: &[u8], content: &[u8]) {
    let mut header = [0; 512];
    let mut put = |at: usize, most: usize, bytes: &[u8]| {
        header[at..].iter_mut().zip(bytes.iter().take(most)).for_each(|(to, from)| *to = *from);
    };
    put(0, 100, path);
    put(100, 8, b"0000755\0");
    put(124, 12, format!("{:011o}\0", content.len()).as_bytes());
    put(136, 12, b"00000000000\0");
    put(148, 8, b"        ");
    put(156, 1, &[kind]);
    put(157, 100, target);
    put(257, 8, b"ustar\x0000");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    tar.extend(header);
    tar.extend(content);
    tar.resize(tar.len().next_multiple_of(512), 0);
}

/// A configuration, a manifest and an index, in which `@` is the sum of the one before, in a tar.
fn described(bytes: &[u8]) -> Vec<u8> {
    let mut tar = Vec::new();
    let mut texts = bytes.split(|byte| *byte == NEXT).peekable();
    let mut sum = String::new();
    while let Some(text) = texts.next() {
        let text = String::from_utf8_lossy(text).replace('@', &format!("sha256:{sum}"));
        sum = Sha256::digest(&text).iter().map(|byte| format!("{byte:02x}")).collect();
        let index = texts.peek().is_none();
        let path = if index { "index.json".to_owned() } else { format!("blobs/sha256/{sum}") };
        entry(&mut tar, b'0', path.as_bytes(), &[], text.as_bytes());
    }
    tar.extend([0; 1024]);
    tar
}

/// What was taken is in its places, and a bundle of it is one that a device takes.
fn taken(tree: &Tree) {
    let mut paths = HashSet::new();
    for (path, _) in tree.iter().filter(|(path, _)| !path.is_empty()) {
        let legal = path.split('/').all(|name| !matches!(name, "" | "." | ".."));
        assert!(legal && !path.contains('\0'), "{path:?}");
        assert!(paths.insert(path), "{path:?} twice");
    }
    let out = PLACE.path().join("out.bundle");
    if outside::written(tree, &out).is_err() {
        return;
    }
    let bytes = fs::read(&out).expect("it was written");
    let length = |at: usize| {
        let bytes = bytes[at..].first_chunk::<8>().expect("a header");
        usize::try_from(u64::from_le_bytes(*bytes)).expect("a length")
    };
    // Header and image, and the manifest; the tree is behind them.
    let end = (length(8) + length(16)).next_multiple_of(4096);
    let bytes = bytes[..end].to_vec();
    let content = bundle::Content::open(&bytes).expect("what was written can be read");
    let checked = content.check().map(drop);
    assert!(checked.is_ok(), "a device refuses what was built: {checked:?}");
}

pub(crate) fn wheels() -> Vec<Vec<u8>> {
    let plain = [
        ("demo/__init__.py", "x = 1\n"),
        ("demo-1.data/purelib/more.py", "y"),
        ("demo-1.data/scripts/run", "#!python\n"),
        ("demo-1.data/data/share/demo.txt", "z"),
        (
            "demo-1.dist-info/METADATA",
            "Name: demo\nRequires-Dist: other>=1\nRequires-Dist: x; extra == 'y'\n\n",
        ),
        ("demo-1.dist-info/entry_points.txt", "[console_scripts]\ndemo = demo:main [x]\n"),
    ];
    let own = plain.map(|(name, text)| (name.to_owned(), text.as_bytes().to_vec()));
    let zip = zip_of(&own).expect("a wheel");
    let made: Vec<Vec<u8>> =
        own.iter().map(|(name, text)| [name.as_bytes(), &[HALF], text].concat()).collect();
    let record = b"\x02\"a/b,\"\"c\"\".py\",sha256=ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0,3\nRECORD,,\n";
    vec![[vec![0], zip].concat(), [vec![1], made.join(&NEXT)].concat(), record.to_vec()]
}

pub(crate) fn images() -> Vec<Vec<u8>> {
    let entries = [
        "5usr/bin/",
        "2bin\u{0}usr/bin",
        "0usr/bin/serve\u{0}one",
        "1usr/bin/also\u{0}usr/bin/serve",
        "0etc/old/a\u{0}a",
        "2etc/mtab\u{0}/proc/mounts",
        "3dev/null",
        "N",
        "0etc/old/.wh..wh..opq",
        "0usr/bin/.wh.serve",
        "0bin/new\u{0}new",
    ];
    let half = |text: &str| {
        text.bytes().map(|byte| if byte == 0 { HALF } else { byte }).collect::<Vec<u8>>()
    };
    let layers: Vec<Vec<u8>> = entries.iter().map(|text| half(text)).collect();
    let sum = "0".repeat(64);
    let config = format!(
        r#"{{"architecture":"amd64","os":"linux","config":{{"Cmd":["/bin/x"],"Env":["A=b"],"ExposedPorts":{{"80/tcp":{{}}}}}},"rootfs":{{"diff_ids":["sha256:{sum}"]}}}}"#
    );
    let manifest = format!(
        r#"{{"schemaVersion":2,"config":{{"mediaType":"c","digest":"@"}},"layers":[{{"mediaType":"l","digest":"sha256:{sum}"}}]}}"#
    );
    let of = |go: &str| {
        format!(
            r#"{{"mediaType":"m","digest":"@","platform":{{"os":"linux","architecture":"{go}"}}}}"#
        )
    };
    let index = format!(r#"{{"manifests":[{},{}]}}"#, of("amd64"), of("arm64"));
    let nested =
        r#"{"manifests":[{"mediaType":"application/vnd.oci.image.index.v1+json","digest":"@"}]}"#;
    let json = |texts: &[&str]| {
        let texts: Vec<&[u8]> = texts.iter().map(|text| text.as_bytes()).collect();
        [vec![2], texts.join(&NEXT)].concat()
    };
    let docker = r#"[{"Config":"config.json","Layers":["0/layer.tar"]}]"#;
    let mut saved = vec![0];
    entry(&mut saved, b'0', b"manifest.json", &[], docker.as_bytes());
    entry(&mut saved, b'0', b"config.json", &[], config.as_bytes());
    entry(&mut saved, b'2', b"0/layer.tar", b"../1/layer.tar", &[]);
    entry(&mut saved, b'0', b"1/layer.tar", &[], b"x");
    saved.extend([0; 1024]);
    let gzip = b"\x03\x1f\x8b\x08\0\0\0\0\0\0\x03\xcbH\xcd\xc9\xc9\x07\0\x86\xa6\x106\x05\0\0\0";
    let zstd = b"\x03\x28\xb5\x2f\xfd\x20\x05\x29\0\0hello";
    let all = json(&[&config, &manifest, &index]);
    let deeper = json(&[&config, &manifest, &index, nested]);
    let layers = [vec![1], layers.join(&NEXT)].concat();
    vec![all, deeper, layers, saved, gzip.to_vec(), zstd.to_vec()]
}
