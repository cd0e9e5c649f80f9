//! Bundles: any file, any image, and images that are right but for some places.

use std::collections::HashSet;
use std::io::Read;
use std::sync::LazyLock;

use bundle::{Bundle, Content, Entry, Files, Item, Refused};

/// The writer of the tests of `bundle`.
#[path = "../../bundle/tests/bundle/image.rs"]
#[expect(dead_code, reason = "the tests there need more of it")]
mod image;

/// Links that Linux follows on one way.
const MAX_LINKS: usize = 40;

/// An image with some of everything.
static GOOD: LazyLock<Vec<u8>> = LazyLock::new(|| {
    image::Files::new()
        .file("bin/tool", "text")
        .file("data", [7; 5000])
        .same("same", "data")
        .link("bin/up", "../data")
        .link("link", "bin")
        .directory("deep/deeper/deepest")
        .file("deep/empty", "")
        .write()
        .bytes
});

/// Whole files, images, and what a small writer makes of a good one.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let whole = [WHOLE].into_iter().chain(content(GOOD.clone())).collect();
    let image = [IMAGE].into_iter().chain(GOOD.iter().copied()).collect();
    // A file that is set-user-id; a link that leads out; a body elsewhere.
    let patches = [[0x44, 0x10, 2, 0xed, 0x89], [0x40, 0x11, 2, b'/', b'x'], [0x10, 0x11, 2, 9, 0]];
    let patched = patches.map(|patch| [&[PATCHED][..], &patch].concat());
    [vec![whole, image], patched.to_vec()].concat()
}

const WHOLE: u8 = 0;
const IMAGE: u8 = 1;
const PATCHED: u8 = 2;

/// What the first byte says: a whole file, an image, or places of a good image with other bytes in them.
pub(crate) fn read(bytes: &[u8]) {
    let Some((kind, rest)) = bytes.split_first() else { return };
    match kind % 3 {
        WHOLE => {
            let rest = rest.to_vec();
            if let Ok(bundle) = Bundle::open(&rest) {
                let _any =
                    (bundle.check().map(drop), bundle.verify(&[]), bundle.content().digest());
            }
            let _any = Content::open(&rest).and_then(|content| content.check().map(drop));
        }
        IMAGE => taken(rest.to_vec()),
        _ => taken(patched(rest)),
    }
}

/// Other bytes in a good image: where (two bytes), how many (one byte), which.
fn patched(mut patches: &[u8]) -> Vec<u8> {
    let mut image = GOOD.clone();
    while let Some(([low, high, length], rest)) = patches.split_first_chunk::<3>() {
        let (at, length) = (usize::from(u16::from_le_bytes([*low, *high])), usize::from(*length));
        let (bytes, rest) = rest.split_at(length.min(rest.len()));
        image.iter_mut().skip(at).zip(bytes).for_each(|(to, from)| *to = *from);
        patches = rest;
    }
    image
}

/// The content with this image, whose superblock is made to fit.
fn content(mut image: Vec<u8>) -> Vec<u8> {
    image.resize(image.len().next_multiple_of(4096).max(2 * 4096), 0);
    let blocks = u32::try_from(image.len() / 4096).expect("a short image");
    image[1024 + 36..1024 + 40].copy_from_slice(&blocks.to_le_bytes());
    image[1024 + 4..1024 + 8].fill(0);
    let sum = !crc32c::crc32c(&image[1024..4096]);
    image[1024 + 4..1024 + 8].copy_from_slice(&sum.to_le_bytes());
    let length = u64::try_from(image.len()).expect("a length");
    image[..1024].fill(0);
    let header = [*b"ENSBNDL1", length.to_le_bytes(), 1_u64.to_le_bytes()].concat();
    image[..header.len()].copy_from_slice(&header);
    image.push(b'#');
    image.resize(image.len().next_multiple_of(4096), 0);
    image
}

/// An image is refused, or all that it holds can be read and lies in it.
fn taken(image: Vec<u8>) {
    let all = content(image);
    let content = Content::open(&all).expect("header and manifest are right");
    let Ok(files) = content.check() else { return };
    let (mut bytes, mut paths) = (0, HashSet::new());
    let each = |entry: Entry<'_>, item: Item<'_>| {
        let path = entry.path();
        assert!(path.split('/').all(|name| !matches!(name, "" | "." | "..")), "{path:?}");
        assert!(entry.mode() & 0o7022 == 0 || matches!(item, Item::Link(_)), "{path:?}: its mode");
        assert_eq!(files.find(&path).map(|found| found.path()).as_ref(), Some(&path));
        match item {
            Item::File(mut reader) => {
                bytes += reader.read_to_end(&mut Vec::new()).expect("it was checked");
            }
            Item::Same(first) => assert!(paths.contains(&first), "{path:?} is {first:?}"),
            Item::Link(_) => stays(&files, &path),
            Item::Directory => {}
        }
        assert!(paths.insert(path), "a path twice");
        Ok::<(), Refused>(())
    };
    files.unpack(each).expect("it was checked");
    assert!(bytes <= all.len(), "more than there is");
}

/// Follows a link as Linux does: it never goes above the root.
fn stays(files: &Files<'_>, link: &str) {
    let mut at: Vec<String> = Vec::new();
    let mut words: Vec<String> = link.rsplit('/').map(str::to_owned).collect();
    let mut links = 0;
    while let Some(word) = words.pop() {
        match word.as_str() {
            "" | "." => continue,
            ".." => {
                at.pop().expect("a link leads out of the image");
                continue;
            }
            _ => at.push(word),
        }
        let Some(entry) = files.find(&at.join("/")) else { return };
        if let Some(target) = entry.target().expect("it was checked") {
            links += 1;
            if links > MAX_LINKS {
                return;
            }
            assert!(!target.starts_with('/'), "{target:?}");
            at.pop();
            words.extend(target.rsplit('/').map(str::to_owned));
        } else if !entry.is_directory() {
            return;
        }
    }
}
