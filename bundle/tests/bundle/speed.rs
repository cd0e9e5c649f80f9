//! How long it takes.

#![expect(clippy::disallowed_methods, clippy::print_stdout, reason = "a measurement")]

use std::time::{Duration, Instant};

use bundle::Bundle;
use sha2::{Digest, Sha256};

use crate::image::Files;
use crate::{bundle, bytes, key};

/// The best of some times.
fn best(mut act: impl FnMut()) -> Duration {
    let once = |_| {
        let begun = Instant::now();
        act();
        begun.elapsed()
    };
    (0..5).map(once).min().unwrap()
}

#[test]
#[ignore = "a measurement: for a machine that does nothing else"]
fn a_bundle_of_50_mb_is_checked_nearly_as_fast_as_it_is_hashed() {
    let file = bundle(&Files::new().file("data", bytes(50_000_000)), &[key(1)]);
    let all = crate::all_bytes(&file);
    let hashed = best(|| assert_ne!(Sha256::digest(&all)[..], [0; 32]));
    let opened = best(|| drop(Bundle::open(&file).unwrap()));
    let bundle = Bundle::open(&file).unwrap();
    let checked = best(|| drop(bundle.check().unwrap()));
    let digest = best(|| assert_eq!(bundle.content().digest().unwrap(), bundle.digest()));
    println!(
        "sha256 of {} bytes {hashed:?}, open {opened:?}, check {checked:?}, digest {digest:?}",
        all.len()
    );
    assert!(checked < hashed * 3 / 2, "{checked:?}");
}

#[test]
#[ignore = "a measurement: for a machine that does nothing else"]
fn the_names_of_as_many_files_as_there_may_be_are_read_within_a_second() {
    let mut files = Files::new();
    for i in 0..bundle::MAX_FILES {
        files = files.file(&format!("{i:05}"), "");
    }
    let file = bundle(&files, &[]);
    let bundle = Bundle::open(&file).unwrap();
    let read = best(|| assert_eq!(bundle.content().check().unwrap().count(), 65_536));
    println!("65 536 files {read:?}");
    assert!(read < Duration::from_secs(1), "{read:?}");
}
