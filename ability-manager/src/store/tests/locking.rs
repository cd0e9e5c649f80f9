//! What apps store is encrypted, locked with the device, and gone with the app.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sys::fscrypt::Name as KeyName;

use super::device::{Bench, PLAIN, TRUST, id, wanted};
use super::plug::{Loss, Table};
use crate::store::disk::Disk;
use crate::store::{Protection, Refusal, Store};
use crate::vault::{Class, Lock};

const ID: &str = "org.example.notes";
const OTHER: &str = "org.example.other";
const NOW: Duration = Duration::from_hours(1);

/// A device whose file system encrypts, and a bundle on it.
fn device() -> (Bench, Store) {
    let mut bench = Bench::new();
    bench.plug.crypt = true;
    fs::create_dir_all(bench.places.unlocked.parent().unwrap()).unwrap();
    let mut store = bench.open();
    bench.install(&mut store, &wanted(ID, 1), TRUST).unwrap();
    (bench, store)
}

/// The keys that the data of a bundle are encrypted with.
fn keys(bench: &Bench, of: &str) -> [Option<KeyName>; 2] {
    let data = bench.places.data.join(of);
    ["el1", "el2"].map(|class| bench.plug.key_of(&data.join(class)).unwrap())
}

/// The device starts anew: what was in memory is gone.
fn reboot(bench: &mut Bench) -> Store {
    bench.plug.boot();
    bench.table = Table::default();
    let _gone = fs::remove_file(&bench.places.unlocked);
    bench.open()
}

fn set(store: &Store, secret: Option<&str>) -> Result<(), Refusal> {
    let sealed = store.sealing()?.seal(secret.map(str::as_bytes))?;
    store.set_secret(sealed)
}

/// Whether this was the secret.
fn unlock(store: &Store, now: Duration, secret: &str) -> Result<bool, Refusal> {
    let Some(opened) = store.attempt(now)?.open(secret.as_bytes()) else { return Ok(false) };
    store.right(now)?;
    store.unlock(opened).map(|()| true)
}

fn protection(store: &Store, of: &str) -> [Protection; 2] {
    store.protection(&id(of)).map(|(_, is)| is)
}

#[test]
fn each_app_has_two_keys_of_its_own_which_only_the_kernel_has_plain() {
    let (bench, mut store) = device();
    bench.install(&mut store, &wanted(OTHER, 1), TRUST).unwrap();
    assert_eq!(protection(&store, ID), [Protection::Nothing; 2]);
    store.enrol(&id(ID)).unwrap();
    store.enrol(&id(OTHER)).unwrap();
    let all = [keys(&bench, ID), keys(&bench, OTHER)].concat();
    let known = bench.plug.keys();
    assert!(all.iter().all(|key| known.contains_key(&key.unwrap())));
    assert_eq!(known.len(), 4, "none is another's");
    assert_eq!(protection(&store, ID), [Protection::Encrypted; 2]);
    for name in fs::read_dir(&bench.places.keys).unwrap() {
        let text = fs::read_to_string(name.unwrap().path()).unwrap();
        for key in known.values() {
            let digits = crate::vault::seal::print(key);
            assert!(!text.contains(&digits[..16]) && !text.contains(&digits[112..]));
        }
    }
}

#[test]
fn after_a_boot_the_keys_are_there_at_the_first_need() {
    let (mut bench, mut store) = device();
    store.enrol(&id(ID)).unwrap();
    let (before, known) = (keys(&bench, ID), bench.plug.keys());
    let mut store = reboot(&mut bench);
    assert!(bench.plug.keys().is_empty());
    store.enrol(&id(ID)).unwrap();
    assert_eq!((keys(&bench, ID), bench.plug.keys()), (before, known));
    let steps = bench.plug.made();
    store.enrol(&id(ID)).unwrap();
    assert!(bench.plug.made() - steps <= 2, "the second start has nothing to do with keys");
}

#[test]
fn what_an_update_keeps_is_encrypted_with_the_same_keys_and_comes_back_with_them() {
    let (mut bench, mut store) = device();
    store.enrol(&id(ID)).unwrap();
    bench.writes(ID, "one");
    let before = keys(&bench, ID);
    // The device has started since, and the app has not.
    store = reboot(&mut bench);
    bench.install(&mut store, &wanted(ID, 2), PLAIN).unwrap();
    let saved = bench.places.bundles.join("saved/1/el2");
    assert_eq!(bench.plug.key_of(&saved).unwrap(), before[1]);
    store.rollback(&id(ID), 1_763_850_000).unwrap();
    assert_eq!(keys(&bench, ID), before);
    store.enrol(&id(ID)).unwrap();
    assert_eq!(protection(&store, ID), [Protection::Encrypted; 2]);
}

#[test]
fn with_its_data_an_app_loses_its_keys_and_nothing_is_left_of_them() {
    let (bench, mut store) = device();
    store.enrol(&id(ID)).unwrap();
    bench.writes(ID, "one");
    let before = keys(&bench, ID);
    store.remove(&id(ID), true).unwrap();
    assert_eq!(keys(&bench, ID), before, "kept");
    bench.install(&mut store, &wanted(ID, 1), PLAIN).unwrap();
    store.enrol(&id(ID)).unwrap();
    assert_eq!(keys(&bench, ID), before, "and found again");
    // Another name of the same file, to look at what is where it was.
    let place = |class: &str| bench.places.keys.join(format!("{ID}.{class}"));
    let seen = ["el1", "el2"].map(|class| {
        let link = bench.root.path().join(class);
        fs::hard_link(place(class), &link).unwrap();
        link
    });
    store.remove(&id(ID), false).unwrap();
    assert!(bench.plug.keys().is_empty());
    for (path, class) in seen.iter().zip(["el1", "el2"]) {
        assert!(!place(class).exists());
        let left = fs::read(path).unwrap();
        assert!(left.len() > 100 && left.iter().all(|byte| *byte == 0), "{class}");
    }
    bench.install(&mut store, &wanted(ID, 1), PLAIN).unwrap();
    store.enrol(&id(ID)).unwrap();
    assert_ne!(keys(&bench, ID), before);
}

#[test]
fn while_the_device_is_locked_only_el1_can_be_read() {
    let (mut bench, mut store) = device();
    store.enrol(&id(ID)).unwrap();
    let before = keys(&bench, ID);
    assert_eq!(store.lock_state(), Ok(Lock::None));
    assert!(store.lock().unwrap_err().text().contains("no secret"));
    set(&store, Some("sesame")).unwrap();
    assert_eq!(store.lock_state(), Ok(Lock::Open));
    store.lock().unwrap();
    let left: Vec<_> = bench.plug.keys().into_keys().map(Some).collect();
    assert_eq!(left, [before[0]]);
    // The same after a boot.
    for boot in [false, true] {
        if boot {
            store = reboot(&mut bench);
        }
        assert_eq!(store.lock_state(), Ok(Lock::Locked));
        store.enrol(&id(ID)).unwrap();
        assert_eq!(protection(&store, ID), [Protection::Encrypted, Protection::Locked]);
        assert_eq!(bench.plug.keys().len(), 1);
        assert!(set(&store, None).is_err(), "what is locked can not be opened to all");
    }
    let refused = bench.install(&mut store, &wanted(ID, 2), PLAIN).unwrap_err();
    assert_eq!(
        refused.text(),
        "the data of org.example.notes can't be kept as they are while the device is locked: `ensctl lock unlock`"
    );
    // One that runs for the first time has to wait for its el2.
    bench.install(&mut store, &wanted(OTHER, 1), PLAIN).unwrap();
    store.enrol(&id(OTHER)).unwrap();
    let [el1, el2] = keys(&bench, OTHER);
    assert!(el1.is_some() && el2.is_none());
    assert!(!unlock(&store, NOW, "Sesame").unwrap());
    assert!(unlock(&store, NOW, "sesame").unwrap());
    assert_eq!(keys(&bench, ID), before);
    assert!(bench.plug.keys().contains_key(&before[1].unwrap()), "those that run have it at once");
    store.enrol(&id(OTHER)).unwrap();
    assert_eq!(protection(&store, OTHER), [Protection::Encrypted; 2]);
    // The next ability-manager of this boot goes on with it.
    drop(store);
    let store = bench.open();
    assert_eq!(store.lock_state(), Ok(Lock::Open));
    set(&store, None).unwrap();
    assert!(!bench.places.unlocked.exists());
    let store = reboot(&mut bench);
    assert_eq!(store.lock_state(), Ok(Lock::None));
}

#[test]
fn what_was_asked_for_before_it_was_locked_counts_all_the_same() {
    let (bench, mut store) = device();
    set(&store, Some("sesame")).unwrap();
    store.enrol(&id(ID)).unwrap();
    let before = keys(&bench, ID);
    // Another secret and none, both by who knew the one of then.
    let sealing = store.sealing().unwrap();
    store.lock().unwrap();
    store.set_secret(sealing.seal(Some(b"second")).unwrap()).unwrap();
    assert_eq!(store.lock_state(), Ok(Lock::Locked));
    assert!(!bench.places.unlocked.exists(), "and it stays locked");
    store.set_secret(sealing.seal(None).unwrap()).unwrap();
    assert_eq!(store.lock_state(), Ok(Lock::None));
    store.enrol(&id(ID)).unwrap();
    assert_eq!(keys(&bench, ID), before);
    assert!(bench.plug.keys().contains_key(&before[1].unwrap()));
}

#[test]
fn who_guesses_has_to_wait_and_a_boot_does_not_help() {
    let (mut bench, store) = device();
    set(&store, Some("sesame")).unwrap();
    let wrong = |store: &Store, now| unlock(store, now, "nonsense");
    assert_eq!(wrong(&store, NOW), Ok(false));
    // It counts although nobody lived to hear the answer.
    drop(store.attempt(NOW).unwrap());
    let store = reboot(&mut bench);
    assert_eq!(wrong(&store, Duration::from_secs(9)), Ok(false));
    let store = reboot(&mut bench);
    let refused = unlock(&store, Duration::from_secs(9), "sesame").unwrap_err();
    assert_eq!(refused.text(), "too many wrong secrets: try again in 60 s");
    let later = store.lock_wait(Duration::from_secs(9)).unwrap().unwrap() + Duration::from_secs(9);
    assert_eq!(unlock(&store, later, "sesame"), Ok(true));
    assert_eq!(wrong(&store, later), Ok(false));
    assert_eq!(wrong(&store, later), Ok(false), "all was forgotten");
}

#[test]
fn secrets_that_are_too_short_or_too_long_are_not_set() {
    let (_bench, store) = device();
    let said = [String::from("abc"), "a".repeat(2000)];
    let said = said.map(|secret| set(&store, Some(&secret)).unwrap_err().to_string());
    assert_eq!(said, ["a secret has at least 4 signs", "a secret has at most 1024 bytes"]);
}

#[test]
fn what_was_stored_before_anything_could_be_encrypted_stays_as_it_is() {
    let (mut bench, mut store) = device();
    bench.plug.crypt = false;
    drop(store);
    store = bench.open();
    store.enrol(&id(ID)).unwrap();
    bench.writes(ID, "one");
    assert_eq!(protection(&store, ID), [Protection::Impossible; 2]);
    assert!(!bench.places.keys.exists());
    bench.plug.crypt = true;
    store = reboot(&mut bench);
    store.enrol(&id(ID)).unwrap();
    // Nothing was in el1.
    assert_eq!(protection(&store, ID), [Protection::Encrypted, Protection::Older]);
    bench.install(&mut store, &wanted(ID, 2), PLAIN).unwrap();
    store.rollback(&id(ID), 1_763_850_000).unwrap();
    assert_eq!(bench.data().into_values().collect::<Vec<_>>(), ["one"]);
}

#[test]
fn what_is_lost_is_told_and_can_be_removed() {
    let (mut bench, mut store) = device();
    store.enrol(&id(ID)).unwrap();
    let key = bench.places.keys.join(format!("{ID}.el2"));
    let text = fs::read_to_string(&key).unwrap();
    fs::write(&key, text.replace(['0', '1'], "2")).unwrap();
    let mut store = reboot(&mut bench);
    let damaged = store.enrol(&id(ID)).unwrap_err().to_string();
    fs::remove_file(&key).unwrap();
    let gone = store.enrol(&id(ID)).unwrap_err().to_string();
    assert_eq!(damaged, gone);
    let place = bench.places.keys.display().to_string();
    assert_eq!(
        gone.replace(&place, "KEYS"),
        "the key of the data of org.example.notes in el2 is lost (KEYS/org.example.notes.el2), and they with it: \
         `ensctl app remove org.example.notes` erases them"
    );
    store.remove(&id(ID), false).unwrap();
    bench.install(&mut store, &wanted(ID, 1), PLAIN).unwrap();
    store.enrol(&id(ID)).unwrap();
    fs::remove_file(bench.places.keys.join("device")).unwrap();
    let mut store = reboot(&mut bench);
    let gone = store.enrol(&id(ID)).unwrap_err().to_string();
    assert_eq!(
        gone.replace(&place, "KEYS"),
        "KEYS/device is gone or damaged, and with it what apps have stored: put back a copy, or move KEYS away and \
         remove the apps"
    );
}

/// Copies the files of a directory.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

fn leftovers(bench: &Bench) -> Vec<PathBuf> {
    let all = fs::read_dir(&bench.places.keys).unwrap().map(|entry| entry.unwrap().path());
    all.filter(|path| path.extension().is_some_and(|ending| ending == "new")).collect()
}

const LOSSES: [Loss; 3] = [Loss::Nothing, Loss::Content, Loss::Names];

#[test]
fn whenever_the_power_goes_while_a_secret_is_set_the_old_or_the_new_one_unlocks() {
    let (bench, store) = device();
    set(&store, Some("first")).unwrap();
    let sealed = store.sealing().unwrap();
    for to in [Some("second"), None] {
        let next = sealed.seal(to.map(str::as_bytes)).unwrap();
        for (loss, after) in LOSSES.into_iter().flat_map(|loss| (0..12).map(move |n| (loss, n))) {
            let what = format!("{to:?} cut after {after} steps, loses {loss:?}");
            let (mut other, store) = device();
            drop(store);
            let _gone = fs::remove_dir_all(&other.places.keys);
            copy(&bench.places.keys, &other.places.keys);
            fs::copy(&bench.places.unlocked, &other.places.unlocked).unwrap();
            let store = other.open();
            assert_eq!(store.lock_state(), Ok(Lock::Open));
            other.plug.pull(after, loss);
            let done = store.set_secret(next.clone());
            drop(store);
            other.plug.put_back();
            let store = reboot(&mut other);
            let state = store.lock_state().unwrap_or_else(|why| panic!("{what}: {why}"));
            let text = fs::read_to_string(other.places.keys.join("owner")).unwrap();
            let old = fs::read_to_string(bench.places.keys.join("owner")).unwrap();
            assert_eq!(state, if text == old || to.is_some() { Lock::Locked } else { Lock::None });
            assert!(text == old || text == next.print(), "{what}");
            assert!(text != old || done.is_err(), "{what}: it was said to be done");
            assert!(leftovers(&other).is_empty(), "{what}");
        }
    }
}

#[test]
fn whenever_the_power_goes_no_data_are_without_a_key_and_no_key_is_left_of_data_that_are_gone() {
    for (loss, after) in LOSSES.into_iter().flat_map(|loss| (0..30).map(move |n| (loss, n))) {
        let what = format!("cut after {after} steps, loses {loss:?}");
        // At the first start, when there is nothing yet.
        let (mut bench, mut store) = device();
        bench.plug.pull(after, loss);
        let first = store.enrol(&id(ID)).is_ok();
        bench.plug.put_back();
        let there = first.then(|| keys(&bench, ID));
        let mut store = reboot(&mut bench);
        store.enrol(&id(ID)).unwrap_or_else(|why| panic!("{what}: {why}"));
        let now = keys(&bench, ID);
        assert!(there.is_none_or(|there| there == now), "{what}: other keys");
        assert!(now.iter().all(Option::is_some), "{what}: plain");
        bench.writes(ID, "one");
        // When it is removed.
        bench.plug.pull(after, loss);
        let _cut_or_not = store.remove(&id(ID), false);
        bench.plug.put_back();
        let mut store = reboot(&mut bench);
        if store.get(&id(ID)).is_some() {
            store.enrol(&id(ID)).unwrap_or_else(|why| panic!("{what}: {why}"));
            assert_eq!((keys(&bench, ID), bench.data().len()), (now, 1), "{what}");
        } else {
            let key = |class: Class| bench.places.keys.join(format!("{ID}.{}", class.word()));
            assert!(Class::ALL.into_iter().all(|class| !key(class).exists()), "{what}");
            assert!(bench.data().is_empty(), "{what}");
        }
        assert!(leftovers(&bench).is_empty(), "{what}");
    }
}
