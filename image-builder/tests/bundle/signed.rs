//! Keys, signatures, and files that were changed.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::desk::Desk;

const KEY: &str = ".config/ensemble/developer.key";

#[test]
fn a_key_is_made_once_and_only_its_owner_reads_it() {
    let desk = Desk::new();
    let key = desk.ens(&["key"]);
    assert!(key.starts_with("ed25519:"), "{key}");
    assert_eq!(fs::metadata(desk.path(KEY)).unwrap().permissions().mode() & 0o777, 0o600);
    let secret = fs::read_to_string(desk.path(KEY)).unwrap();
    assert_eq!(desk.ens(&["key"]), key);
    assert_eq!(fs::read_to_string(desk.path(KEY)).unwrap(), secret);
    let other = desk.ens(&["key", "--file", "other.key"]);
    assert_ne!(other, key);
    desk.mode(KEY, 0o644);
    insta::assert_snapshot!(desk.fails(&["key"]).1, @"ens: others can read the key HERE/.config/ensemble/developer.key: chmod 600 it, and use another one if somebody may have read it");
    desk.write("broken.key", "ed25519-secret:AAAA\n");
    desk.mode("broken.key", 0o600);
    insta::assert_snapshot!(desk.fails(&["key", "--file", "broken.key"]).1, @"ens: broken.key is no key: after `ed25519-secret:` it takes 32 bytes in base64: 43 letters and a `=`");
}

#[test]
fn without_a_key_nothing_is_built_unless_it_may_be_unsigned() {
    let desk = Desk::with_notes("notes");
    insta::assert_snapshot!(desk.fails(&["build", "notes"]).1, @"ens: there is no key at HERE/.config/ensemble/developer.key: `ens bundle key` makes one");
    desk.ens(&["build", "notes", "--no-sign"]);
    insta::assert_snapshot!(desk.fails(&["verify", "notes.bundle"]).1, @"ens: no key is trusted: name one with --key, or make yours with `ens bundle key`");
    let key = desk.ens(&["key"]);
    insta::assert_snapshot!(desk.fails(&["verify", "notes.bundle"]).1, @"ens: notes.bundle: the signatures: nobody signed it: sign it with `ens bundle sign`");
    assert_eq!(desk.ens(&["sign", "notes.bundle"]), format!("notes.bundle: signed by {key}"));
    let signed = fs::read(desk.path("notes.bundle")).unwrap();
    desk.ens(&["build", "notes"]);
    assert!(signed == fs::read(desk.path("notes.bundle")).unwrap());
    assert!(desk.ens(&["inspect", "notes.bundle"]).contains(&format!("{key} (you)")));
}

#[test]
fn whom_one_trusts_is_ones_own_choice() {
    let desk = Desk::with_notes("notes");
    let mine = desk.ens(&["key"]);
    let shop = desk.ens(&["key", "--file", "shop.key"]);
    desk.ens(&["build", "notes", "--key", "shop.key"]);
    let (code, told) = desk.fails(&["verify", "notes.bundle"]);
    assert_eq!(code, 1);
    assert!(told.contains("it is signed by"), "{told}");
    desk.ens(&["verify", "notes.bundle", "--key", &shop]);
    desk.ens(&["sign", "notes.bundle"]);
    desk.ens(&["verify", "notes.bundle"]);
    let found = desk.json(&["verify", "notes.bundle", "--key", &shop, "--json"]);
    assert_eq!(found["key"], shop.as_str());
    let (code, told) = desk.fails(&["verify", "notes.bundle", "--key", &mine[..20]]);
    assert_eq!(code, 2);
    assert!(told.contains("invalid value"), "{told}");
}

#[test]
fn a_file_that_was_changed_is_told_apart() {
    let desk = Desk::with_notes("notes");
    desk.ens(&["key"]);
    desk.ens(&["build", "notes"]);
    let whole = fs::read(desk.path("notes.bundle")).unwrap();
    let with = |bytes: &[u8]| {
        fs::write(desk.path("notes.bundle"), bytes).unwrap();
        let (code, told) = desk.fails(&["verify", "notes.bundle"]);
        assert_eq!(code, 1);
        told
    };
    let mut changed = whole.clone();
    changed[5000] ^= 1;
    insta::assert_snapshot!(with(&changed), @"ens: notes.bundle is no bundle that a device takes: the content (at byte 4096): this block is not the one that was hashed");
    insta::assert_snapshot!(with(&whole[..whole.len() - 10]), @"ens: notes.bundle is no bundle that a device takes: the signatures (at byte 16384): 86 bytes where up to 4 signatures of 96 bytes are: it is cut off, or something was appended");
    insta::assert_snapshot!(with(b"PK\x03\x04 something else"), @"ens: notes.bundle is no bundle: the header (at byte 0): it does not begin as a bundle does: this file is something else");
}
