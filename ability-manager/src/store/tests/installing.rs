use std::fs::{self, File};
use std::time::Duration;

use model::Name;
use model::bundle::Version;
use model::permission::Grant;

use super::device::{Bench, PLAIN, TRUST, Wanted, id, key, version, wanted};
use crate::permission::{Clock, Effect, Flow, Wish as Decision};
use crate::store::{Change, Device, Origin, Refusal, Store, Vouched, Wish, disk};

const ID: &str = "org.example.notes";

fn why(refused: Result<crate::store::Changed, Refusal>) -> String {
    refused.unwrap_err().to_string()
}

fn nothing_left(bench: &Bench, store: &Store) {
    assert_eq!(bench.stored(), Vec::<String>::new());
    assert_eq!(store.generation().bundles().count(), 0);
}

#[test]
fn a_strangers_bundle_is_refused_with_its_key_and_installed_when_that_is_trusted() {
    let bench = Bench::new();
    let mut store = bench.open();
    let refused = bench.install(&mut store, &wanted(ID, 1), PLAIN).unwrap_err();
    assert!(refused.text().ends_with(key(1).as_str()), "{refused}");
    assert!(matches!(refused, Refusal::Untrusted(_, untrusted) if untrusted == key(1)));
    nothing_left(&bench, &store);
    let changed = bench.install(&mut store, &wanted(ID, 1), TRUST).unwrap();
    assert_eq!(changed.before, None);
    assert_eq!(store.keys(), [(key(1), false)]);
    assert_eq!(store.get(&id(ID)).unwrap().origin, Origin::Installed);
    // Another one of that key goes by itself.
    bench.install(&mut store, &wanted("org.example.clock", 1), PLAIN).unwrap();
    let again = bench.open();
    assert_eq!(again.generation(), store.generation());
    assert_eq!(version(&again, ID), Some(Version(1, 0, 0)));
}

#[test]
fn a_store_vouches_for_a_key_of_one_bundle_and_not_against_the_key_that_is_there() {
    let bench = Bench::new();
    let mut store = bench.open();
    let vouched =
        |number: u8| Vouched { store: Name::try_from("shop").unwrap(), keys: vec![key(number)] };
    let install = |store: &mut Store, wanted: &Wanted, number: u8| {
        let file = bench.file(wanted);
        let prepared = store.intake().prepare_from(&file, PLAIN, Some(vouched(number)))?;
        store.commit(prepared, 1_763_850_000)
    };
    // Of another key than the one that signed it, its word is worth nothing.
    assert!(matches!(install(&mut store, &wanted(ID, 1), 2), Err(Refusal::Untrusted(..))));
    install(&mut store, &wanted(ID, 1), 1).unwrap();
    assert_eq!(store.generation().store(&id(ID)).map(Name::as_str), Some("shop"));
    assert_eq!(store.keys(), [], "the key is trusted for nothing else");
    let other = bench.install(&mut store, &wanted("org.example.clock", 1), PLAIN);
    assert!(matches!(other, Err(Refusal::Untrusted(..))));
    // The next version of the same maker needs nobody's word, and came from no store.
    let again = bench.open();
    assert_eq!(again.generation(), store.generation());
    bench.install(&mut store, &wanted(ID, 2), TRUST).unwrap();
    assert_eq!(store.generation().store(&id(ID)), None);
    // Another maker's is refused, whoever vouches.
    let mut theirs = wanted(ID, 3);
    theirs.keys = vec![2];
    let why = install(&mut store, &theirs, 2).unwrap_err().to_string();
    assert!(why.contains("an update must be by the same maker"), "{why}");
    install(&mut store, &wanted(ID, 3), 1).unwrap();
    store.rollback(&id(ID), 7).unwrap();
    assert_eq!(store.generation().store(&id(ID)), None);
}

#[test]
fn on_a_real_disk_it_is_the_same() {
    let bench = Bench::new();
    let open = || {
        let device = Device { architecture: "x86_64".into(), form_factor: None };
        let table = Box::new(bench.table.clone());
        Store::open_on(bench.places.clone(), device, Box::new(disk::Real), table).unwrap()
    };
    let (mut store, said) = open();
    assert_eq!(said, Vec::<String>::new());
    bench.install(&mut store, &wanted(ID, 1), TRUST).unwrap();
    bench.install(&mut store, &wanted(ID, 2), PLAIN).unwrap();
    assert_eq!(bench.stored().len(), 4);
    store.rollback(&id(ID), 7).unwrap();
    let (mut store, _) = open();
    assert_eq!((version(&store, ID), bench.stored().len()), (Some(Version(1, 0, 0)), 2));
    store.remove(&id(ID), false).unwrap();
    nothing_left(&bench, &open().0);
}

#[test]
fn an_unsigned_bundle_is_refused() {
    let bench = Bench::new();
    let mut store = bench.open();
    let refused = why(bench.install(&mut store, &wanted(ID, 1).by(&[]), TRUST));
    assert_eq!(refused, "nobody signed it: its maker signs it with `ens bundle sign`");
    nothing_left(&bench, &store);
}

#[test]
fn what_is_no_bundle_or_not_whole_is_refused_and_leaves_nothing() {
    let bench = Bench::new();
    let mut store = bench.open();
    let mut whole = Vec::new();
    std::io::Read::read_to_end(&mut bench.file(&wanted(ID, 1)), &mut whole).unwrap();
    let path = bench.root.path().join("spoilt");
    let refused = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        let refused = store.intake().prepare(&File::open(&path).unwrap(), TRUST).unwrap_err();
        assert!(matches!(refused, Refusal::Invalid(_)), "{refused}");
        nothing_left(&bench, &store);
        refused.to_string()
    };
    assert!(refused(b"#!/bin/sh\n").contains("something else"));
    assert!(refused(&whole[..whole.len() - 1]).contains("cut off"));
    let text = whole.windows(6).position(|bytes| bytes == b"echo 1").unwrap();
    whole[text] = b'E';
    assert!(refused(&whole).contains("this block is not the one that was hashed"));
    store = bench.open();
    assert!(store.intake().prepare(&File::open("/dev/zero").unwrap(), TRUST).is_err());
}

#[test]
fn an_update_is_by_the_same_maker_newer_and_names_what_it_replaces() {
    let bench = Bench::new();
    let mut store = bench.open();
    bench.install(&mut store, &wanted(ID, 2).by(&[1]), TRUST).unwrap();
    let refused = why(bench.install(&mut store, &wanted(ID, 3).by(&[2]), TRUST));
    assert!(refused.contains("an update must be by the same maker"), "{refused}");
    let refused = why(bench.install(&mut store, &wanted(ID, 2).text("other"), PLAIN));
    assert!(refused.contains("a changed bundle needs a higher version"), "{refused}");
    let refused = why(bench.install(&mut store, &wanted(ID, 1), PLAIN));
    assert!(refused.contains("with --downgrade"), "{refused}");
    let prepared = store.intake().prepare(&bench.file(&wanted(ID, 3).by(&[2, 1])), PLAIN).unwrap();
    assert_eq!(store.commit(prepared, 7).unwrap().before, Some(Version(2, 0, 0)));
    assert_eq!(store.get(&id(ID)).unwrap().previous, Some(Version(2, 0, 0)));
    let older = Wish { downgrade: true, trust: false };
    bench.install(&mut store, &wanted(ID, 1), older).unwrap();
    assert_eq!(version(&store, ID), Some(Version(1, 0, 0)));
}

#[test]
fn of_two_that_are_prepared_at_once_the_second_replaces_the_first() {
    let bench = Bench::new();
    let mut store = bench.open();
    let prepared = |store: &Store, version| {
        store.intake().prepare(&bench.file(&wanted(ID, version)), TRUST).unwrap()
    };
    let (first, same, second) = (prepared(&store, 1), prepared(&store, 1), prepared(&store, 2));
    let [same, second] = [same, second].map(|prepared| Change::install(prepared, 7));
    assert!(!store.interrupts(&second));
    store.commit(first, 7).unwrap();
    // By now it may run.
    assert_eq!((store.interrupts(&same), store.interrupts(&second)), (false, true));
}

#[test]
fn the_same_again_changes_nothing_and_mends_a_lost_file() {
    let bench = Bench::new();
    let mut store = bench.open();
    bench.install(&mut store, &wanted(ID, 1), TRUST).unwrap();
    let before = store.generation().clone();
    let changed = bench.install(&mut store, &wanted(ID, 1), PLAIN).unwrap();
    assert_eq!(changed.notes, ["exactly this is installed already"]);
    store.trust(&key(1), false, 8).unwrap();
    bench.install(&mut store, &wanted(ID, 1), PLAIN).unwrap();
    assert!(store.keys().is_empty());
    bench.install(&mut store, &wanted(ID, 1), TRUST).unwrap();
    assert_eq!(store.keys(), [(key(1), false)]);
    fs::remove_file(&store.get(&id(ID)).unwrap().file).unwrap();
    let (mut store, said) = bench.try_open().unwrap();
    assert!(said[0].starts_with("org.example.notes can't be used: opening "), "{said:?}");
    assert!(store.require(&id(ID)).unwrap_err().text().contains("can't be used"));
    bench.install(&mut store, &wanted(ID, 1), PLAIN).unwrap();
    assert_eq!(*store.generation(), before);
    assert!(bench.open().get(&id(ID)).is_some());
}

#[test]
fn what_the_device_is_not_or_has_not_is_told_clearly() {
    let bench = Bench::new();
    let mut store = bench.open();
    let mut with = |requires: &str| {
        let wanted = wanted(ID, 1).more(&format!("[requires]\n{requires}"));
        why(bench.install(&mut store, &wanted, TRUST))
    };
    assert_eq!(
        with("architectures = [\"aarch64\"]"),
        "it is for aarch64, and this device is x86_64"
    );
    assert_eq!(
        with("form-factors = [\"wearable\"]"),
        "it is for devices of the form wearable, and this one is phone"
    );
    assert_eq!(
        with("files = [\"/usr/bin/python3\"]"),
        "it needs /usr/bin/python3 of the device, which does not have that"
    );
    nothing_left(&bench, &store);
}

#[test]
fn levels_above_the_first_are_for_the_device_and_its_keys() {
    let bench = Bench::new();
    bench.permission("disks", "level = \"system-basic\"\ngrant = \"system\"");
    bench.permission("camera", "grant = \"user\"");
    let asks = |name: &str| format!("[[permission]]\nname = \"{name}\"\nreason = \"For a test\"\n");
    let mut store = bench.open();
    let high = wanted(ID, 1).top("level = \"system-basic\"").more(&asks("disks"));
    let refused = why(bench.install(&mut store, &high, TRUST));
    assert!(refused.starts_with("it wants the level system-basic"), "{refused}");
    let refused = why(bench.install(&mut store, &wanted(ID, 1).more(&asks("disks")), TRUST));
    assert_eq!(
        refused,
        "it asks for `disks`, which is of the level system-basic, is itself of the level normal, and its `acl` does \
         not name it"
    );
    let both = wanted(ID, 1).more(&(asks("camera") + &asks("undreamt-of")));
    let changed = bench.install(&mut store, &both, TRUST).unwrap();
    assert!(changed.notes.iter().any(|note| note.contains("knows no permission `undreamt-of`")));
    let declared = &store.get(&id(ID)).unwrap().declared;
    let grants: Vec<_> = declared.iter().map(|one| (one.permission.as_str(), one.grant)).collect();
    assert_eq!(grants, [("camera", Some(Grant::User)), ("undreamt-of", None)]);

    fs::write(bench.places.image.join("keys"), format!("# ours\n{}\n", key(9))).unwrap();
    let mut store = bench.open();
    let ours = wanted("org.example.disks", 1).top("level = \"system-basic\"").more(&asks("disks"));
    bench.install(&mut store, &ours.by(&[9]), PLAIN).unwrap();
    let held = store.get(&id("org.example.disks")).unwrap();
    assert_eq!(held.declared[0].grant, Some(Grant::System));
    // The key is taken out of the image: what it gave goes with it.
    fs::remove_file(bench.places.image.join("keys")).unwrap();
    assert_eq!(bench.open().get(&id("org.example.disks")).unwrap().declared[0].grant, None);
}

#[test]
fn single_permissions_above_the_level_are_named_by_the_bundle_and_given_by_keys_of_the_device() {
    let bench = Bench::new();
    bench.permission("disks", "level = \"system-core\"\ngrant = \"user\"");
    bench.permission("usb", "level = \"system-basic\"\ngrant = \"user\"");
    let asks = |name: &str| format!("[[permission]]\nname = \"{name}\"\nreason = \"For a test\"\n");
    let named = wanted(ID, 1).top("acl = [\"disks\"]").more(&asks("disks"));
    let mut store = bench.open();
    assert_eq!(
        why(bench.install(&mut store, &named, TRUST)),
        "its `acl` names `disks`, which is of the level system-core: only a key that came with the device can give that"
    );
    nothing_left(&bench, &store);

    fs::write(bench.places.image.join("keys"), format!("{}\n", key(9))).unwrap();
    let mut store = bench.open();
    let more = wanted(ID, 1).top("acl = [\"disks\"]").more(&(asks("disks") + &asks("usb")));
    assert!(why(bench.install(&mut store, &more.by(&[9]), PLAIN)).contains("does not name it"));
    bench.install(&mut store, &named.by(&[9]), PLAIN).unwrap();
    let granted = |store: &Store| store.get(&id(ID)).unwrap().declared[0].grant;
    assert_eq!(granted(&store), Some(Grant::User));
    // The key is taken out of the image: what it gave goes with it.
    fs::remove_file(bench.places.image.join("keys")).unwrap();
    assert_eq!(granted(&bench.open()), None);
}

#[test]
fn an_update_of_what_the_image_brought_counts_until_the_image_catches_up() {
    let bench = Bench::new();
    bench.ship(&wanted(ID, 1).by(&[9]));
    let mut store = bench.open();
    assert_eq!(store.get(&id(ID)).unwrap().origin, Origin::Image);
    let refused = why(bench.install(&mut store, &wanted(ID, 2).by(&[1]), TRUST));
    assert!(refused.contains("came with the device"), "{refused}");
    bench.install(&mut store, &wanted(ID, 2).by(&[9]), PLAIN).unwrap();
    assert_eq!(store.get(&id(ID)).unwrap().origin, Origin::Updated);
    bench.ship(&wanted(ID, 3).by(&[9]));
    let (store, said) = bench.try_open().unwrap();
    assert_eq!(
        said,
        ["org.example.notes 2.0.0 was installed; 3.0.0 of the device counts from now on"]
    );
    assert_eq!(version(&store, ID), Some(Version(3, 0, 0)));
    assert_eq!(bench.stored(), Vec::<String>::new());
}

#[test]
fn removing_an_update_brings_back_what_the_image_brought() {
    let bench = Bench::new();
    bench.ship(&wanted(ID, 1).by(&[9]));
    let mut store = bench.open();
    assert!(why(store.remove(&id(ID), false)).contains("part of the device"));
    bench.install(&mut store, &wanted(ID, 2).by(&[9]), TRUST).unwrap();
    let changed = store.remove(&id(ID), false).unwrap();
    assert_eq!(
        changed.notes,
        ["org.example.notes 1.0.0, which came with the device, counts again"]
    );
    assert_eq!(version(&store, ID), Some(Version(1, 0, 0)));
}

#[test]
fn a_full_disk_is_told_before_anything_is_copied() {
    let mut bench = Bench::new();
    bench.plug.free = 1 << 20;
    let mut store = bench.open();
    let refused = why(bench.install(&mut store, &wanted(ID, 1), TRUST));
    assert!(refused.contains("1 are free of which 16 stay free"), "{refused}");
}

#[test]
fn an_installation_that_is_not_carried_through_leaves_nothing_and_disturbs_nobody() {
    let bench = Bench::new();
    let mut store = bench.open();
    let waiting =
        store.intake().prepare(&bench.file(&wanted("org.example.clock", 1)), TRUST).unwrap();
    bench.install(&mut store, &wanted(ID, 1), TRUST).unwrap();
    assert_eq!(store.commit(waiting, 7).unwrap().before, None);
    drop(store.intake().prepare(&bench.file(&wanted(ID, 2)), PLAIN).unwrap());
    assert_eq!(bench.stored().len(), 4);
}

#[test]
fn data_are_copied_as_they_are_but_for_what_gives_rights_or_leads_elsewhere() {
    use std::os::unix::fs::PermissionsExt;
    let bench = Bench::new();
    let mut store = bench.open();
    bench.install(&mut store, &wanted(ID, 1), TRUST).unwrap();
    let data = store.enrol(&id(ID)).unwrap().data.join("el2");
    bench.writes(ID, "one");
    fs::set_permissions(data.join("deep/note"), fs::Permissions::from_mode(0o4755)).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", data.join("link")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(data.join("socket")).unwrap();
    bench.install(&mut store, &wanted(ID, 2), PLAIN).unwrap();
    fs::remove_dir_all(&data).unwrap();
    store.rollback(&id(ID), 7).unwrap();
    let note = data.join("deep/note");
    assert_eq!(fs::read_to_string(&note).unwrap(), "one");
    assert_eq!(fs::metadata(&note).unwrap().permissions().mode() & 0o7777, 0o755);
    assert_eq!(fs::read_link(data.join("link")).unwrap().to_str(), Some("/etc/passwd"));
    assert!(!data.join("socket").exists());
}

#[test]
fn a_file_that_is_nearly_all_hole_does_not_fill_the_disk() {
    let bench = Bench::new();
    let mut store = bench.open();
    bench.install(&mut store, &wanted(ID, 1), TRUST).unwrap();
    let data = store.enrol(&id(ID)).unwrap().data.join("el2/hole");
    File::create(&data).unwrap().set_len(1 << 40).unwrap();
    let before = store.generation().clone();
    let refused = why(bench.install(&mut store, &wanted(ID, 2), PLAIN));
    assert!(refused.contains("larger than what it may keep"), "{refused}");
    assert_eq!((store.generation(), bench.stored().len()), (&before, 2));
}

#[test]
fn a_damaged_generation_is_told_loses_one_bundle_and_nothing_is_collected() {
    let bench = Bench::new();
    let mut store = bench.open();
    bench.install(&mut store, &wanted(ID, 1), TRUST).unwrap();
    bench.install(&mut store, &wanted("org.example.clock", 1), PLAIN).unwrap();
    let file = bench.places.bundles.join("installed");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("bundle org.example.notes 1", "bundle org.example.notes 7"))
        .unwrap();
    let (mut store, said) = bench.try_open().unwrap();
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].ends_with("is damaged: what it said is forgotten"));
    assert_eq!((version(&store, ID), bench.stored().len()), (None, 4));
    // Its user is still known, and so is whose it is.
    assert!(bench.install(&mut store, &wanted(ID, 1).by(&[2]), TRUST).is_err());
    bench.install(&mut store, &wanted(ID, 1), PLAIN).unwrap();
    assert_eq!(bench.stored().len(), 4);
    assert_eq!(bench.open().uid(&id(ID)), Some(10_000));
}

#[test]
fn without_the_file_of_what_is_installed_nobody_gets_the_user_that_owns_data() {
    use std::os::unix::fs::{MetadataExt, chown};
    let bench = Bench::new();
    bench.writes("org.example.lost", "secret");
    let data = bench.places.data.join("org.example.lost/el2");
    // Only who may give a directory away can see more of this.
    let given = chown(&data, Some(10_041), None).is_ok();
    let mut store = bench.open();
    bench.install(&mut store, &wanted(ID, 1), TRUST).unwrap();
    assert_eq!(store.uid(&id(ID)), Some(if given { 10_042 } else { 10_000 }));
    assert_eq!(fs::metadata(&data).unwrap().uid() == 10_041, given);
    let refused = why(bench.install(&mut store, &wanted("org.example.lost", 1), PLAIN));
    assert!(refused.contains("nobody knows whose they are"), "{refused}");
    store.remove(&id("org.example.lost"), false).unwrap();
    assert!(!data.exists());
    bench.install(&mut store, &wanted("org.example.lost", 1), PLAIN).unwrap();
}

#[test]
fn what_the_image_has_under_another_name_is_told_and_not_used() {
    let bench = Bench::new();
    bench.ship(&wanted(ID, 1));
    let path = bench.places.image.join(format!("{ID}.bundle"));
    fs::rename(&path, path.with_file_name("notes.bundle")).unwrap();
    let (store, said) = bench.try_open().unwrap();
    assert!(said[0].ends_with("and so is to be called org.example.notes.bundle"), "{said:?}");
    assert_eq!(store.bundles().count(), 0);
}

#[test]
fn a_decision_is_on_the_disk_before_it_counts_and_goes_with_the_bundle() {
    let bench = Bench::new();
    bench.permission("camera", "grant = \"user\"");
    let mut store = bench.open();
    let asks = "[[permission]]\nname = \"camera\"\nreason = \"For a test\"\n";
    bench.install(&mut store, &wanted(ID, 1).more(asks), TRUST).unwrap();
    let (mut flow, clock) = (Flow::default(), Clock { now: Duration::ZERO, at: 7 });
    let camera = Name::try_from("camera").unwrap();
    let app = id(ID);
    let what = (&app, &camera);
    store.decide(&mut flow, clock, what, Decision::Allow, 0).unwrap();
    let store_again = bench.open();
    let held = store_again.get(&app).unwrap();
    let kept = store_again.generation().decisions();
    let granted = Flow::default().granted(kept, &app, &held.declared);
    assert_eq!(granted, std::slice::from_ref(&camera));
    bench.plug.pull(0, super::plug::Loss::Nothing);
    let before = flow.clone();
    store.decide(&mut flow, clock, what, Decision::Deny, 0).unwrap_err();
    assert_eq!(flow, before);
    bench.plug.put_back();
    let effects = store.decide(&mut flow, clock, what, Decision::Deny, 0).unwrap();
    assert!(matches!(effects.as_slice(), [Effect::Lost { .. }]));
    store.remove(&app, true).unwrap();
    assert_eq!(bench.open().generation().decisions().iter().count(), 0);
}

#[test]
fn keys_of_the_image_are_trusted_always_and_those_of_the_owner_while_they_are() {
    let bench = Bench::new();
    fs::create_dir(bench.places.image.join("keys")).unwrap();
    fs::write(bench.places.image.join("keys/store"), format!("{}\n", key(9))).unwrap();
    let mut store = bench.open();
    assert!(store.trust(&key(9), false, 0).is_err());
    store.trust(&key(1), true, 5).unwrap();
    bench.install(&mut store, &wanted(ID, 1), PLAIN).unwrap();
    let said = store.trust(&key(1), false, 6).unwrap();
    assert!(said[0].starts_with("org.example.notes, which is of this key, stays"), "{said:?}");
    assert!(version(&bench.open(), ID).is_some());
    assert!(bench.install(&mut store, &wanted(ID, 2), PLAIN).is_err());
    assert_eq!(bench.open().keys(), [(key(9), true)]);
}
