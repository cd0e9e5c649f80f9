//! What is written is what is read, twice the same, and signed by whom it says.

use std::io::Read;

use bundle::{Bundle, Content, Entry, Item, Kind, PublicKey, Refused};
use proptest::prelude::*;

use crate::image::Files;
use crate::{MANIFEST, all_bytes, bundle, bytes, everything, key};

#[test]
fn what_was_written_is_read_again() {
    let file = bundle(&everything(), &[key(1)]);
    let bundle = Bundle::open(&file).unwrap();
    assert_eq!(bundle.manifest(), MANIFEST);
    let files = bundle.check().unwrap();
    assert_eq!(files.read("share/large", 10_000).unwrap(), bytes(9000));
    assert_eq!(files.read("/share/again", 10_000).unwrap(), bytes(9000));
    assert_eq!(files.read("share/no-tail", 10_000).unwrap(), bytes(4090));
    assert_eq!(files.read("empty", 0).unwrap(), b"");
    assert_eq!(files.read("share/large", 8999).unwrap_err().kind(), Kind::TooLarge);
    assert!(files.read("share", 1).is_err() && files.read("share/lar", 1).is_err());
    let link = files.find("bin/python").unwrap();
    assert_eq!(link.target().unwrap().as_deref(), Some("../lib/python3"));
    assert!(files.find("many").unwrap().is_directory() && files.find("").unwrap().is_directory());
    assert!(files.find("bin/python/x").is_none() && files.find("..").is_none());
    assert_eq!(files.count(), files.entries().count());
    assert_eq!(files.entries().filter(|entry| entry.path().starts_with("many/")).count(), 200);
}

#[test]
fn everything_is_taken_out_with_directories_first_and_names_of_one_file_as_such() {
    let file = bundle(&everything(), &[]);
    let bundle = Bundle::open(&file).unwrap();
    let (mut seen, mut said) = (vec![String::new()], Vec::new());
    let each = |entry: Entry<'_>, item: Item<'_>| {
        let path = entry.path();
        let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
        assert!(seen.iter().any(|seen| seen == parent), "{path} comes before {parent}");
        match item {
            Item::Directory => seen.push(path),
            Item::Same(first) => said.push(format!("{path} = {first}")),
            Item::Link(target) => said.push(format!("{path} -> {target}")),
            Item::File(mut reader) => {
                let mut all = Vec::new();
                reader.read_to_end(&mut all).unwrap();
                assert_eq!(u64::try_from(all.len()).unwrap(), entry.size(), "{path}");
            }
        }
        Ok::<(), Refused>(())
    };
    bundle.check().unwrap().unpack(each).unwrap();
    said.sort();
    assert_eq!(
        said,
        ["bin/python -> ../lib/python3", "lib/python3 -> python3.11", "share/large = share/again"]
    );
}

#[test]
fn the_part_that_a_device_keeps_has_the_same_digest_and_is_read_by_itself() {
    let file = bundle(&everything(), &[key(1)]);
    let bundle = Bundle::open(&file).unwrap();
    let mut copy = Vec::new();
    bundle.copy(&mut copy).unwrap();
    let content = Content::open(&copy).unwrap();
    assert_eq!(content.digest().unwrap(), bundle.digest());
    assert_eq!(content.manifest(), MANIFEST);
    assert_eq!(content.check().unwrap().count(), bundle.check().unwrap().count());
    copy.push(0);
    assert!(Content::open(&copy).is_err());
    assert!(Content::open(&all_bytes(&file)).is_err(), "a whole bundle");
}

#[test]
fn signatures_are_in_order_whoever_signs_first_and_once_for_each_key() {
    let [one, two] = [[1, 2], [2, 1]].map(|keys| {
        let file = bundle(&everything(), &keys.map(key));
        bundle::sign(&file, &key(1)).unwrap();
        all_bytes(&file)
    });
    assert!(one == two);
    let bundle = Bundle::open(&one).unwrap();
    let [first, second, stranger] = [1, 2, 3].map(|seed| key(seed).public());
    assert_eq!(bundle.signatures().len(), 2);
    assert_eq!(bundle.verify(&[stranger, second, first]).unwrap(), &second);
    let refused = bundle.verify(&[stranger]).unwrap_err();
    assert_eq!(refused.kind(), Kind::Untrusted);
    assert!(refused.why().contains(&first.fingerprint()), "{refused}");
}

#[test]
fn a_bundle_that_nobody_signed_is_read_but_trusted_by_nobody() {
    let file = bundle(&everything(), &[]);
    let bundle = Bundle::open(&file).unwrap();
    bundle.check().unwrap();
    let refused = bundle.verify(&[key(1).public()]).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the signatures: nobody signed it: sign it with `ens bundle sign`"
    );
}

#[test]
fn a_fifth_signature_finds_no_room() {
    let file = bundle(&Files::new(), &[1, 2, 3, 4].map(key));
    assert_eq!(bundle::sign(&file, &key(5)).unwrap_err().kind(), Kind::TooLarge);
    bundle::sign(&file, &key(4)).unwrap();
    let trusted: [PublicKey; 1] = [key(4).public()];
    Bundle::open(&file).unwrap().verify(&trusted).unwrap();
}

#[test]
fn what_a_device_would_refuse_is_not_written_and_not_signed() {
    let out = tempfile::tempfile().unwrap();
    let bad = Files::new().link("out", "/etc/passwd").write();
    assert_eq!(bundle::assemble(&bad.bytes, MANIFEST, &out).unwrap_err().kind(), Kind::Unsafe);
    let good = Files::new().write();
    for manifest in ["", "a\0b", &"x".repeat(65_537)] {
        assert!(bundle::assemble(&good.bytes, manifest, &out).is_err());
    }
    assert_eq!(out.metadata().unwrap().len(), 0);
    out.set_len(1 << 20).unwrap();
    bundle::assemble(&good.bytes, &"x".repeat(65_536), &out).unwrap();
    assert_eq!(out.metadata().unwrap().len(), 19 * 4096, "what was there before is gone");
    let mut spoilt = all_bytes(&out);
    spoilt[5000] ^= 1;
    let file = tempfile::tempfile().unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, &spoilt, 0).unwrap();
    assert_eq!(bundle::sign(&file, &key(1)).unwrap_err().kind(), Kind::Damaged);
}

proptest! {
    #[test]
    fn any_tree_is_read_as_it_was_and_written_the_same_way_twice(
        files in proptest::collection::btree_map("[a-c]{1,2}(/[a-c]{1,3}){0,3}\\.f", 0..10_000_usize, 0..20)
    ) {
        let tree = files.iter().fold(Files::new(), |tree, (path, size)| tree.file(path, bytes(*size)));
        let file = bundle(&tree, &[key(1)]);
        let again = bundle(&tree, &[key(1)]);
        prop_assert!(all_bytes(&file) == all_bytes(&again));
        let bundle = Bundle::open(&file).unwrap();
        let read = bundle.check().unwrap();
        for (path, size) in &files {
            prop_assert_eq!(read.read(path, 10_000).unwrap(), bytes(*size));
        }
        prop_assert_eq!(read.entries().filter(Entry::is_file).count(), files.len());
    }
}
