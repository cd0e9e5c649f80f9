//! Images that hold what a bundle must not. Each is whole, but for one thing.

use std::fmt::Write;

use bundle::{Content, MAX_DEPTH, MAX_FILES, Refused};

use crate::image::{BLOCK, Files, Image};
use crate::{bytes, everything};

/// Why the content with this image is refused.
fn refusal(image: &Image) -> Result<usize, Refused> {
    let content = image.content();
    Ok(Content::open(&content)?.check()?.count())
}

/// A few files, spoilt by `spoil`.
fn spoilt(spoil: impl Fn(&mut Image)) -> Image {
    let files = Files::new()
        .file("bin/tool", "text")
        .file("data", bytes(3 * BLOCK))
        .file("other", bytes(3 * BLOCK + 1))
        .same("same", "data")
        .link("link", "bin/tool");
    let mut image = files.write();
    spoil(&mut image);
    image.seal();
    image
}

/// The image with another field in the inode of `path`.
fn field(path: &str, at: usize, bytes: &[u8]) -> Image {
    spoilt(|image| image.put(image.inode(path) + at, bytes))
}

/// The image with another number in the superblock.
fn number(at: usize, bytes: &[u8]) -> Image {
    spoilt(|image| image.put(1024 + at, bytes))
}

/// The image with other bytes where `from` is.
fn replaced(from: &[u8], to: &[u8]) -> Image {
    spoilt(|image| image.put(image.find(from), to))
}

/// The image where the name `from` leads to the inode of `to`.
fn renumbered(from: &[u8], index: usize, to: &str) -> Image {
    spoilt(|image| {
        let nid = u64::try_from(image.inode(to) / 32).unwrap();
        // The entries are in front of the names; the root's lie in its tail.
        let entries = image.inode("") + 64;
        assert!(image.find(from) > entries);
        image.put(entries + index * 12, &nid.to_le_bytes());
    })
}

/// The reasons, a line each.
fn reasons(images: Vec<(&str, Image)>) -> String {
    let mut all = String::new();
    for (what, image) in images {
        match refusal(&image) {
            Err(refused) => writeln!(all, "{what}: {refused} [{:?}]", refused.kind()).unwrap(),
            Ok(_) => writeln!(all, "{what}: TAKEN").unwrap(),
        }
    }
    all
}

#[test]
fn what_is_not_spoilt_is_taken() {
    assert_eq!(refusal(&spoilt(|_| {})).unwrap(), 6);
    refusal(&everything().write()).unwrap();
}

#[test]
fn files_that_give_rights_or_are_none_are_refused() {
    let mode = |mode: u16| field("bin/tool", 4, &mode.to_le_bytes());
    insta::assert_snapshot!(reasons(vec![
        ("set-user-id", mode(0o104_755)),
        ("set-group-id", mode(0o102_755)),
        ("sticky", mode(0o101_755)),
        ("writable by its group", mode(0o100_664)),
        ("writable by all", mode(0o100_646)),
        ("a directory writable by all", field("bin", 4, &0o040_777_u16.to_le_bytes())),
        ("of another user", field("bin/tool", 24, &[1, 0, 0, 0])),
        ("of another group", field("bin/tool", 28, &[5, 0, 0, 0])),
        ("a device", mode(0o020_644)),
        ("a disk", mode(0o060_644)),
        ("a pipe", mode(0o010_644)),
        ("a socket", mode(0o140_644)),
        ("nothing", mode(0o644)),
    ]), @r#"
    set-user-id: "bin/tool" (at byte 4416): it is set-user-id or set-group-id: no file of a bundle gives rights [Unsafe]
    set-group-id: "bin/tool" (at byte 4416): it is set-user-id or set-group-id: no file of a bundle gives rights [Unsafe]
    sticky: "bin/tool" (at byte 4416): its mode is 1755: nobody but root may write it, and it is not sticky [Unsafe]
    writable by its group: "bin/tool" (at byte 4416): its mode is 0664: nobody but root may write it, and it is not sticky [Unsafe]
    writable by all: "bin/tool" (at byte 4416): its mode is 0646: nobody but root may write it, and it is not sticky [Unsafe]
    a directory writable by all: "bin" (at byte 4288): its mode is 0777: nobody but root may write it, and it is not sticky [Unsafe]
    of another user: "bin/tool" (at byte 4416): it belongs to 1:0, and must to root [Unsafe]
    of another group: "bin/tool" (at byte 4416): it belongs to 0:5, and must to root [Unsafe]
    a device: "bin/tool" (at byte 4416): it is a device: a bundle has files, directories and links [Unsafe]
    a disk: "bin/tool" (at byte 4416): it is a device: a bundle has files, directories and links [Unsafe]
    a pipe: "bin/tool" (at byte 4416): it is a pipe: a bundle has files, directories and links [Unsafe]
    a socket: "bin/tool" (at byte 4416): it is a socket: a bundle has files, directories and links [Unsafe]
    nothing: "bin/tool" (at byte 4416): it is of no kind: a bundle has files, directories and links [Unsafe]
    "#);
}

#[test]
fn names_and_links_that_lead_out_are_refused() {
    insta::assert_snapshot!(reasons(vec![
        ("a name with ../", replaced(b"tool", b"../l")),
        ("a name with /", replaced(b"tool", b"to/l")),
        ("a second ..", {
            let mut image = Files::new().file("zz", "").write();
            image.put(image.find(b"zz"), b"..");
            image
        }),
        ("a name with a zero", replaced(b"tool", b"to\0l")),
        ("a name with a line break", replaced(b"tool", b"to\nl")),
        ("a name that is no UTF-8", replaced(b"tool", b"to\xffl")),
        ("an absolute link", replaced(b"bin/tool", b"/in/tool")),
        ("a link that leads out", replaced(b"bin/tool", b"../.tool")),
        ("a link that goes up behind a name", replaced(b"bin/tool", b"bin/../x")),
        ("a link with a zero", replaced(b"bin/tool", b"bin/to\0l")),
        ("a link to nothing", field("link", 8, &[0])),
        ("a link with mode 0644", field("link", 4, &0o120_644_u16.to_le_bytes())),
        ("a link that is too long", {
            let mut image = Files::new().link("link", &"a".repeat(4095)).write();
            let at = image.inode("link");
            image.put(at + 8, &4096_u16.to_le_bytes());
            image
        }),
    ]), @r#"
    a name with ../: "bin" (at byte 4288): a name in it has a `/`: it would lie elsewhere [Unsafe]
    a name with /: "bin" (at byte 4288): a name in it has a `/`: it would lie elsewhere [Unsafe]
    a second ..: the root directory (at byte 4096): its names are not in order, each once: ".." [Damaged]
    a name with a zero: "bin" (at byte 4288): there is something behind its names [Damaged]
    a name with a line break: "bin" (at byte 4288): a name in it is not UTF-8 or has control characters [Unsafe]
    a name that is no UTF-8: "bin" (at byte 4288): a name in it is not UTF-8 or has control characters [Unsafe]
    an absolute link: "link" (at byte 4576): it leads to "/in/tool", out of the bundle: make it relative [Unsafe]
    a link that leads out: "link" (at byte 4576): it leads to "../.tool", out of the bundle [Unsafe]
    a link that goes up behind a name: "link" (at byte 4576): it leads to "bin/../x": `..` may be in front only [Unsafe]
    a link with a zero: "link" (at byte 4576): its target is not UTF-8 or has control characters [Unsafe]
    a link to nothing: "link" (at byte 4576): its form is none that images of bundles have: compressed, in chunks, compact, or its end is elsewhere; write the image with `ens bundle build` [Damaged]
    a link with mode 0644: "link" (at byte 4576): a link has mode 0777 [Damaged]
    a link that is too long: "link" (at byte 4224): a target of 4096 bytes: at most 4095 [TooLarge]
    "#);
}

#[test]
fn names_that_lie_are_refused() {
    insta::assert_snapshot!(reasons(vec![
        ("a file with more names than it says", field("data", 44, &[1])),
        ("a name that leads to another file", renumbered(b"other", 5, "data")),
        ("a file with fewer names than it says", field("data", 44, &[3])),
        ("a directory with two names", renumbered(b"other", 5, "bin")),
        ("a directory in itself", renumbered(b"other", 5, "")),
        ("a link with two names", renumbered(b"other", 5, "link")),
        ("a directory with more directories than it says", field("", 44, &[2])),
        (". that is something else", renumbered(b"other", 0, "bin")),
        (".. that is something else", renumbered(b"other", 1, "bin")),
        ("a name that leads out of the image", spoilt(|image| {
            let entries = image.inode("") + 64;
            image.put(entries + 5 * 12, &u64::MAX.to_le_bytes());
        })),
        ("a name that leads into the superblock", spoilt(|image| {
            let entries = image.inode("") + 64;
            image.put(entries + 5 * 12, &32_u64.to_le_bytes());
        })),
        ("a name that says it is a directory", spoilt(|image| {
            image.put(image.inode("bin") + 64 + 2 * 12 + 10, &[2]);
        })),
        ("names in another order", replaced(b"datalink", b"linkdata")),
        ("a name twice", replaced(b"othersame", b"datadsame")),
        ("names that begin too early", spoilt(|image| {
            image.put(image.inode("bin") + 64 + 8, &[24]);
        })),
        ("names that begin behind all", spoilt(|image| {
            image.put(image.inode("bin") + 64 + 8, &[252, 255]);
        })),
        ("a name that lies behind its block", spoilt(|image| {
            image.put(image.inode("bin") + 64 + 2 * 12 + 8, &[255]);
        })),
        ("something behind the entry", spoilt(|image| {
            image.put(image.inode("bin") + 64 + 11, &[1]);
        })),
    ]), @r#"
    a file with more names than it says: "data" (at byte 4512): it says 1 names, and has 2 [Damaged]
    a name that leads to another file: the superblock of the image (at byte 1040): it says 6 inodes, and has 5 [Damaged]
    a file with fewer names than it says: "data" (at byte 4512): it says 3 names, and has 2 [Damaged]
    a directory with two names: "other" (at byte 4288): it has another name, and is no file [Damaged]
    a directory in itself: "other" (at byte 4096): it has another name, and is no file [Damaged]
    a link with two names: "other" (at byte 4576): it has another name, and is no file [Damaged]
    a directory with more directories than it says: the root directory (at byte 4096): it says 2 names, and has 3 [Damaged]
    . that is something else: the root directory (at byte 4096): its `.` or `..` is not itself or what it is in [Damaged]
    .. that is something else: the root directory (at byte 4096): its `.` or `..` is not itself or what it is in [Damaged]
    a name that leads out of the image: "other" (at byte 4096): its inode lies outside of the image [Damaged]
    a name that leads into the superblock: "other" (at byte 4096): its inode lies outside of the image [Damaged]
    a name that says it is a directory: "bin/tool" (at byte 4416): its directory says it is something else [Damaged]
    names in another order: the root directory (at byte 4096): its names are not in order, each once: "data" [Damaged]
    a name twice: the root directory (at byte 4096): its names are not in order, each once: "datad" [Damaged]
    names that begin too early: "bin" (at byte 4288): a name in it is not UTF-8 or has control characters [Unsafe]
    names that begin behind all: "bin" (at byte 4288): its names are not behind its entries [Damaged]
    a name that lies behind its block: "bin" (at byte 4288): a name lies outside of its block [Damaged]
    something behind the entry: "bin" (at byte 4288): its names are not one behind the other [Damaged]
    "#);
}

#[test]
fn bytes_that_are_not_there_twice_there_or_of_nobody_are_refused() {
    let block = |image: &Image, path: &str| {
        let at = image.inode(path) + 16;
        u32::from_le_bytes(image.bytes[at..at + 4].try_into().unwrap())
    };
    insta::assert_snapshot!(reasons(vec![
        ("a file of 10 GB", field("data", 8, &(10_u64 << 30).to_le_bytes())),
        ("a file of the most there can be", field("data", 8, &(u64::MAX - 4095).to_le_bytes())),
        ("a hole", field("data", 16, &u32::MAX.to_le_bytes())),
        ("a body in the superblock", field("data", 16, &[0; 4])),
        ("a body that is another's", spoilt(|image| {
            let data = block(image, "data");
            image.put(image.inode("other") + 16, &data.to_le_bytes());
        })),
        ("a body that ends in another's", spoilt(|image| {
            let own = block(image, "data");
            image.put(image.inode("data") + 16, &(own + 1).to_le_bytes());
        })),
        ("a body among the inodes", field("data", 16, &[1, 0, 0, 0])),
        ("blocks of nobody", spoilt(|image| {
            let length = image.bytes.len();
            image.bytes.resize(length + BLOCK, 0);
        })),
        ("something between two files", spoilt(|image| {
            let at = image.inode("bin/tool") + 64 + 4;
            image.put(at, &[1]);
        })),
        ("something behind the last file", spoilt(|image| {
            let length = image.bytes.len();
            image.bytes.resize(length + BLOCK, 0);
            image.put(length, &[1]);
        })),
        ("an inode that says its tail is in the next block", field("bin/tool", 8, &4000_u16.to_le_bytes())),
    ]), @r#"
    a file of 10 GB: "data" (at byte 4512): its 10737418240 bytes are not in the image: a hole, or cut off [Damaged]
    a file of the most there can be: "data" (at byte 4512): its 18446744073709547520 bytes are not in the image: a hole, or cut off [Damaged]
    a hole: "data" (at byte 4512): its 12288 bytes are not in the image: a hole, or cut off [Damaged]
    a body in the superblock: "data" (at byte 4512): its 12288 bytes are not in the image: a hole, or cut off [Damaged]
    a body that is another's: "other" (at byte 8192): its bytes are also those of "data" [Damaged]
    a body that ends in another's: the image (at byte 4737): 7551 bytes that are of no file [Damaged]
    a body among the inodes: "data" (at byte 4096): its bytes are also those of the root directory [Damaged]
    blocks of nobody: the image (at byte 32768): 4096 bytes that are of no file [Damaged]
    something between two files: the image (at byte 4484): there is something between two files [Damaged]
    something behind the last file: the image (at byte 32768): 4096 bytes that are of no file [Damaged]
    an inode that says its tail is in the next block: "bin/tool" (at byte 4416): its inode is in two blocks [Damaged]
    "#);
}

#[test]
fn other_forms_of_inodes_are_refused() {
    insta::assert_snapshot!(reasons(vec![
        ("a compact one", field("bin/tool", 0, &[4])),
        ("a compressed one", field("data", 0, &[3])),
        ("a compressed one of the other kind", field("data", 0, &[7])),
        ("one in chunks", field("data", 0, &[9])),
        ("one whose end is not behind it", field("bin/tool", 0, &[1])),
        ("one with attributes", field("bin/tool", 2, &[1])),
        ("one with something in its reserve", field("bin/tool", 63, &[1])),
        ("one of another time", field("bin/tool", 32, &[1])),
        ("one with a part of a second", field("bin/tool", 40, &[1])),
        ("one with the number of another", field("bin/tool", 20, &[1])),
        ("one with the number 0", field("", 20, &[0])),
    ]), @r#"
    a compact one: "bin/tool" (at byte 4416): its form is none that images of bundles have: compressed, in chunks, compact, or its end is elsewhere; write the image with `ens bundle build` [Damaged]
    a compressed one: "data" (at byte 4512): its form is none that images of bundles have: compressed, in chunks, compact, or its end is elsewhere; write the image with `ens bundle build` [Damaged]
    a compressed one of the other kind: "data" (at byte 4512): its form is none that images of bundles have: compressed, in chunks, compact, or its end is elsewhere; write the image with `ens bundle build` [Damaged]
    one in chunks: "data" (at byte 4512): its form is none that images of bundles have: compressed, in chunks, compact, or its end is elsewhere; write the image with `ens bundle build` [Damaged]
    one whose end is not behind it: "bin/tool" (at byte 4416): its form is none that images of bundles have: compressed, in chunks, compact, or its end is elsewhere; write the image with `ens bundle build` [Damaged]
    one with attributes: "bin/tool" (at byte 4416): it has attributes or fields that files of bundles do not [Damaged]
    one with something in its reserve: "bin/tool" (at byte 4416): it has attributes or fields that files of bundles do not [Damaged]
    one of another time: "bin/tool" (at byte 4416): its time is not that of the image [Damaged]
    one with a part of a second: "bin/tool" (at byte 4416): its time is not that of the image [Damaged]
    one with the number of another: the image: two files have one number, or 0 [Damaged]
    one with the number 0: the image: two files have one number, or 0 [Damaged]
    "#);
}

#[test]
fn other_superblocks_are_refused() {
    let mut damaged = spoilt(|_| {});
    damaged.put(1024 + 64, b"B");
    insta::assert_snapshot!(reasons(vec![
        ("another magic", number(0, &[0])),
        ("a wrong checksum", damaged),
        ("another feature", number(8, &[7])),
        ("a feature that is not compatible", number(80, &[1])),
        ("blocks of 512 bytes", number(12, &[9])),
        ("more slots", number(13, &[1])),
        ("inodes elsewhere", number(40, &[1])),
        ("attributes elsewhere", number(44, &[1])),
        ("something behind the superblock", number(200, &[1])),
        ("a root that is a file", spoilt(|image| {
            let root = u16::try_from(image.inode("data") / 32).unwrap();
            image.put(1024 + 14, &root.to_le_bytes());
        })),
        ("a root outside", number(14, &[255, 255])),
        ("more inodes", number(16, &[7])),
        ("very many inodes", number(16, &[0, 0, 0, 1])),
        ("fewer blocks", {
            let mut image = spoilt(|_| {});
            let length = image.bytes.len() - BLOCK;
            image.bytes.truncate(length);
            image
        }),
    ]), @r"
    another magic: the superblock of the image (at byte 1024): it is no EROFS [Damaged]
    a wrong checksum: the superblock of the image (at byte 1024): its checksum is another [Damaged]
    another feature: the superblock of the image (at byte 1024): it has features, options or addresses that images of bundles do not: write it with `ens bundle build` [Damaged]
    a feature that is not compatible: the superblock of the image (at byte 1024): it has features, options or addresses that images of bundles do not: write it with `ens bundle build` [Damaged]
    blocks of 512 bytes: the superblock of the image (at byte 1024): it has features, options or addresses that images of bundles do not: write it with `ens bundle build` [Damaged]
    more slots: the superblock of the image (at byte 1024): it has features, options or addresses that images of bundles do not: write it with `ens bundle build` [Damaged]
    inodes elsewhere: the superblock of the image (at byte 1024): it has features, options or addresses that images of bundles do not: write it with `ens bundle build` [Damaged]
    attributes elsewhere: the superblock of the image (at byte 1024): it has features, options or addresses that images of bundles do not: write it with `ens bundle build` [Damaged]
    something behind the superblock: the superblock of the image (at byte 1024): it has features, options or addresses that images of bundles do not: write it with `ens bundle build` [Damaged]
    a root that is a file: the root directory (at byte 4512): its directory says it is something else [Damaged]
    a root outside: the superblock of the image (at byte 1024): its root lies outside of the image [Damaged]
    more inodes: the superblock of the image (at byte 1040): it says 7 inodes, and has 6 [Damaged]
    very many inodes: the superblock of the image (at byte 1024): 16777215 files and directories: at most 65536 [TooLarge]
    fewer blocks: the superblock of the image (at byte 1024): it says 8 blocks, and the image has 7 [Damaged]
    ");
}

#[test]
fn a_file_too_many_is_refused_and_one_fewer_is_not() {
    let many = |count: u64| {
        let mut files = Files::new();
        for i in 0..count {
            files = files.file(&format!("{i:05}"), "");
        }
        refusal(&files.write())
    };
    let most = usize::try_from(MAX_FILES).unwrap();
    assert_eq!(many(MAX_FILES).unwrap(), most);
    let refused = many(MAX_FILES + 1).unwrap_err().to_string();
    assert!(refused.ends_with("65537 files and directories: at most 65536"), "{refused}");
}

#[test]
fn names_of_one_file_count_too() {
    let mut files = Files::new().file("00000", "x");
    for i in 1..=MAX_FILES {
        files = files.same(&format!("{i:05}"), "00000");
    }
    let refused = refusal(&files.write()).unwrap_err().to_string();
    assert!(refused.ends_with("more than 65536 files and directories"), "{refused}");
}

#[test]
fn a_directory_too_deep_is_refused_and_one_less_is_not() {
    let deep = |depth: usize| {
        refusal(&Files::new().directory(&vec!["d"; depth].join("/")).write()).map(drop)
    };
    deep(MAX_DEPTH).unwrap();
    assert!(deep(MAX_DEPTH + 1).unwrap_err().to_string().contains("more than 32 deep"));
}

#[test]
fn a_directory_whose_blocks_are_not_full_is_refused() {
    let mut files = Files::new();
    for i in 0..400 {
        files = files.file(&format!("file-number-{i:03}"), "");
    }
    let mut image = files.write();
    // 150 names of 15 bytes fit into the first block, with 19 bytes left. The last one becomes short.
    let last = image.find(b"file-number-149");
    image.put(last, b"g\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
    image.seal();
    let refused = refusal(&image).unwrap_err().to_string();
    assert!(refused.contains("a block of it has room for more names"), "{refused}");
}
