//! No byte of a bundle is without meaning, and none can be taken away, added or moved.

use std::cell::Cell;
use std::io;
use std::time::{Duration, Instant};

use bundle::{Bundle, Kind, ReadAt, Refused};
use proptest::prelude::*;

use crate::image::Files;
use crate::{all_bytes, bundle, bytes, everything, key};

/// What a device does with a bundle whose maker it trusts.
fn take(bytes: &Vec<u8>) -> Result<(), Refused> {
    let bundle = Bundle::open(bytes)?;
    bundle.verify(&[key(1).public()])?;
    bundle.check().map(drop)
}

#[test]
fn one_bit_of_any_byte_is_enough_to_be_refused() {
    let file = bundle(&Files::new().file("a", "text").file("b", bytes(5000)), &[key(1), key(2)]);
    let mut bytes = all_bytes(&file);
    take(&bytes).unwrap();
    for at in 0..bytes.len() {
        bytes[at] ^= 1 << (at % 8);
        let refused = take(&bytes).expect_err(&format!("byte {at} was changed"));
        assert!(!refused.to_string().is_empty());
        bytes[at] ^= 1 << (at % 8);
    }
}

#[test]
fn a_bundle_that_nobody_signed_is_another_one_after_any_change() {
    let file = bundle(&everything(), &[]);
    let mut bytes = all_bytes(&file);
    for at in (0..bytes.len()).step_by(61) {
        bytes[at] ^= 0x80;
        let taken = Bundle::open(&bytes).and_then(|bundle| bundle.check().map(drop));
        assert!(taken.is_err(), "byte {at} was changed");
        bytes[at] ^= 0x80;
    }
}

#[test]
fn a_changed_block_of_the_content_is_named() {
    let file = bundle(&everything(), &[key(1)]);
    let mut bytes = all_bytes(&file);
    let at = bytes.len() / 2;
    bytes[at] ^= 1;
    let block = at - at % 4096;
    assert_eq!(
        take(&bytes).unwrap_err().to_string(),
        format!("the content (at byte {block}): this block is not the one that was hashed")
    );
}

proptest! {
    #[test]
    fn any_changed_bytes_are_refused(at: prop::sample::Index, with in 1..=255_u8, more: Vec<(prop::sample::Index, u8)>) {
        let file = bundle(&everything(), &[key(1)]);
        let good = all_bytes(&file);
        let mut bytes = good.clone();
        let length = bytes.len();
        bytes[at.index(length)] ^= with;
        more.iter().for_each(|(at, with)| bytes[at.index(length)] ^= with);
        prop_assume!(bytes != good);
        prop_assert!(take(&bytes).is_err());
    }

    #[test]
    fn what_is_cut_off_or_appended_is_refused(at: prop::sample::Index, appended in prop::collection::vec(any::<u8>(), 1..5000)) {
        let file = bundle(&everything(), &[key(1)]);
        let mut bytes = all_bytes(&file);
        prop_assert!(take(&bytes[..at.index(bytes.len())].to_vec()).is_err());
        bytes.extend(appended);
        prop_assert!(take(&bytes).is_err());
    }

    #[test]
    fn blocks_in_another_order_are_refused(a: prop::sample::Index, b: prop::sample::Index) {
        let file = bundle(&everything(), &[key(1)]);
        let good = all_bytes(&file);
        let mut bytes = good.clone();
        let (a, b) = (a.index(bytes.len() / 4096) * 4096, b.index(bytes.len() / 4096) * 4096);
        for i in 0..4096 {
            bytes.swap(a + i, b + i);
        }
        prop_assume!(bytes != good);
        prop_assert!(take(&bytes).is_err());
    }

    #[test]
    fn any_bytes_are_refused_with_a_reason(bytes: Vec<u8>) {
        let refused = Bundle::open(&bytes).unwrap_err();
        prop_assert!(matches!(refused.kind(), Kind::NoBundle | Kind::Damaged));
    }
}

#[test]
fn the_signatures_of_another_bundle_are_refused() {
    let one = all_bytes(&bundle(&Files::new().file("a", "one"), &[key(1)]));
    let mut other = all_bytes(&bundle(&Files::new().file("a", "two"), &[key(1)]));
    let end = other.len() - 96;
    other[end..].copy_from_slice(&one[end..]);
    assert_eq!(
        take(&other).unwrap_err().to_string(),
        format!("a signature (at byte {end}): its key did not sign this content")
    );
}

#[test]
fn a_signature_twice_is_refused() {
    let mut bytes = all_bytes(&bundle(&Files::new(), &[key(1)]));
    let last = bytes[bytes.len() - 96..].to_vec();
    bytes.extend(last);
    assert_eq!(take(&bytes).unwrap_err().kind(), Kind::Untrusted);
}

/// A bundle of `length` bytes, most of which the disk does not have.
fn sparse(length: u64) -> std::fs::File {
    let file = tempfile::tempfile().unwrap();
    let image = (length - 4096).to_le_bytes();
    let header = [*b"ENSBNDL1", image, 12_u64.to_le_bytes()].concat();
    std::os::unix::fs::FileExt::write_all_at(&file, &header, 0).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, b"version = 1\n", length - 4096).unwrap();
    file.set_len(length + length / 100).unwrap();
    file
}

#[test]
#[expect(clippy::disallowed_methods, reason = "how long it takes is what is tested")]
fn a_huge_file_with_nothing_in_it_is_refused_at_once() {
    let begun = Instant::now();
    let refused = Bundle::open(&sparse(10 << 30)).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the header (at byte 8): a content of 10737418240 bytes: at most 4294967296"
    );
    // The largest that is taken: the tree is none.
    let refused = Bundle::open(&sparse(4 << 30)).unwrap_err();
    assert_eq!(refused.kind(), Kind::Damaged);
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

/// A file that somebody changes between two looks at it.
struct Turned {
    first: Vec<u8>,
    then: Vec<u8>,
    turned: Cell<bool>,
}

impl ReadAt for Turned {
    fn read_at(&self, at: u64, bytes: &mut [u8]) -> io::Result<usize> {
        let now = if self.turned.get() { &self.then } else { &self.first };
        now.read_at(at, bytes)
    }

    fn length(&self) -> io::Result<u64> {
        self.then.length()
    }
}

#[test]
fn a_manifest_that_was_not_signed_is_found_out_though_the_file_is_right_again_by_then() {
    let then = all_bytes(&bundle(&Files::new().file("a", bytes(600_000)), &[key(1)]));
    let mut first = then.clone();
    let place = first.windows(5).position(|window| window == b"notes").unwrap();
    first[place] = b'v';
    let turned = Turned { first, then, turned: Cell::new(false) };
    let bundle = Bundle::open(&turned).unwrap();
    bundle.verify(&[key(1).public()]).unwrap();
    assert!(bundle.manifest().contains("votes"));
    turned.turned.set(true);
    for refused in [bundle.copy(&mut Vec::new()).unwrap_err(), bundle.check().unwrap_err()] {
        assert_eq!(refused.why(), "it was changed while it was read");
    }
}
