//! Stories of a disk that fills up, breaks and loses power.

use std::cell::RefCell;
use std::rc::Rc;

use super::*;
use api::export;
use proptest::collection::vec;
use proptest::prelude::*;

/// A disk in memory, shared with the test so that it outlives the store.
#[derive(Debug, Clone, Default)]
struct Fake(Rc<RefCell<Inside>>);

#[derive(Debug, Default)]
struct Inside {
    archived: BTreeMap<u64, Vec<u8>>,
    active: Vec<u8>,
    /// Bytes of the file system, and those that others take.
    size: u64,
    others: u64,
    broken: bool,
    syncs: u32,
}

impl Inside {
    fn used(&self) -> u64 {
        let bytes = self.archived.values().map(Vec::len).sum::<usize>() + self.active.len();
        bytes as u64 + self.others
    }

    fn works(&self) -> io::Result<()> {
        if self.broken { Err(io::Error::other("broken")) } else { Ok(()) }
    }
}

impl Disk for Fake {
    fn archived(&self) -> io::Result<BTreeMap<u64, u64>> {
        Ok(self.0.borrow().archived.iter().map(|(n, b)| (*n, b.len() as u64)).collect())
    }

    fn read(&self, number: Option<u64>) -> io::Result<Box<dyn Read>> {
        let inside = self.0.borrow();
        let bytes = match number {
            Some(number) => inside.archived.get(&number).ok_or(io::ErrorKind::NotFound)?,
            None => &inside.active,
        };
        Ok(Box::new(io::Cursor::new(bytes.clone())))
    }

    fn write(&mut self, at: u64, bytes: &[u8]) -> io::Result<()> {
        let mut inside = self.0.borrow_mut();
        inside.works()?;
        if inside.used() + bytes.len() as u64 > inside.size {
            return Err(io::ErrorKind::StorageFull.into());
        }
        inside.active.truncate(at as usize);
        inside.active.extend_from_slice(bytes);
        Ok(())
    }

    fn cut(&mut self, bytes: u64) -> io::Result<()> {
        self.0.borrow_mut().active.truncate(bytes as usize);
        Ok(())
    }

    fn archive(&mut self, number: u64) -> io::Result<()> {
        let mut inside = self.0.borrow_mut();
        inside.works()?;
        let active = std::mem::take(&mut inside.active);
        inside.archived.insert(number, active);
        Ok(())
    }

    fn remove(&mut self, number: u64) -> io::Result<()> {
        self.0.borrow_mut().archived.remove(&number);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.0.borrow_mut().syncs += 1;
        self.0.borrow().works()
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.0.borrow().size)
    }
}

const ID: &str = "0123456789abcdef0123456789abcdef";
const BIG: u64 = 1 << 40;
const T0: Duration = Duration::ZERO;

fn disk(size: u64) -> Fake {
    let fake = Fake::default();
    fake.0.borrow_mut().size = size;
    fake
}

fn open(fake: &Fake) -> Store {
    Store::open(Box::new(fake.clone()), ID).unwrap()
}

fn say(store: &mut Store, priority: u8, message: &[u8]) {
    store.push(priority, |out, cursor| {
        export::put(out, export::CURSOR, cursor.as_bytes());
        export::put(out, "MESSAGE", message);
        export::end(out);
    });
}

/// Messages in all files and in memory.
fn messages(store: &Store) -> Vec<Vec<u8>> {
    let mut records = tail::Records::default();
    let mut all = Vec::new();
    let mut bytes = Vec::new();
    for file in store.files() {
        if let Ok(mut file) = store.read(file) {
            file.read_to_end(&mut bytes).unwrap();
        }
    }
    bytes.extend_from_slice(store.in_memory(0));
    records.push(&bytes);
    while let Some(record) = records.take() {
        all.push(record.get("MESSAGE").unwrap().to_vec());
    }
    all
}

fn notes(store: &mut Store) -> Vec<String> {
    store.take_notes().into_iter().map(|(_, text)| text).collect()
}

#[test]
fn records_survive_a_restart_and_their_cursors_never_come_again() {
    let fake = disk(BIG);
    let mut store = open(&fake);
    say(&mut store, 6, b"one");
    say(&mut store, 6, b"two");
    store.write(T0);
    assert_eq!(store.next(), 3);
    drop(store);
    let mut store = Store::open(Box::new(fake), &"f".repeat(32)).unwrap();
    assert_eq!((store.log(), store.next()), (ID, GAP));
    say(&mut store, 6, b"three");
    store.write(T0);
    assert_eq!(messages(&store), [b"one".to_vec(), b"two".to_vec(), b"three".to_vec()]);
    assert_eq!(notes(&mut store), [""; 0]);
}

#[test]
fn what_a_power_cut_tore_is_cut_off_and_said() {
    let fake = disk(BIG);
    let mut store = open(&fake);
    say(&mut store, 6, b"one");
    say(&mut store, 6, b"torn");
    store.write(T0);
    let length = fake.0.borrow().active.len();
    fake.0.borrow_mut().active.truncate(length - 2);
    let mut store = open(&fake);
    assert_eq!(notes(&mut store), ["cut 60 bytes of a torn record off the log"]);
    say(&mut store, 6, b"two");
    store.write(T0);
    assert_eq!(messages(&store), [b"one".to_vec(), b"two".to_vec()]);
}

#[test]
fn a_damaged_file_is_kept_aside_and_read_around_the_damage() {
    let fake = disk(BIG);
    let mut store = open(&fake);
    for text in [b"one", b"two", b"six"] {
        say(&mut store, 6, text);
    }
    store.write(T0);
    fake.0.borrow_mut().active[0] = b'x';
    let mut store = open(&fake);
    assert_eq!(notes(&mut store), ["the log file is damaged, it is kept as number 1"]);
    assert_eq!(store.files(), [1, 2]);
    assert_eq!(messages(&store), [b"two".to_vec(), b"six".to_vec()]);
}

#[test]
fn the_log_keeps_within_its_share_of_the_disk_and_loses_its_oldest() {
    let fake = disk(20 << 20);
    assert_eq!(Limits::of(20 << 20), Limits { file: 512 << 10, total: 2 << 20 });
    assert_eq!(Limits::of(BIG), Limits { file: FILE_MAX, total: TOTAL_MAX });
    let mut store = open(&fake);
    for i in 0..4000_u32 {
        say(&mut store, 6, &[i.to_string().as_bytes(), &[b' '; 1000][..]].concat());
        store.write(T0);
    }
    let (bytes, files, lost) = store.sizes();
    assert!(bytes <= 2 << 20 && bytes > 1 << 20, "{bytes}");
    assert!((3..=4).contains(&files), "{files}");
    assert_eq!(lost, 0);
    let all = messages(&store);
    assert!(all.last().unwrap().starts_with(b"3999 "));
    assert!(all[0].starts_with((4000 - all.len()).to_string().as_bytes()), "no gap");
    assert_eq!(notes(&mut store), [""; 0], "that is as it should be");
}

#[test]
fn a_batch_larger_than_a_file_costs_older_files() {
    let fake = disk(20 << 20);
    let mut store = open(&fake);
    for i in 0..40_u8 {
        say(&mut store, 6, &[i; 400_000]);
        if i % 4 == 0 {
            store.write(T0);
            assert!(store.sizes().0 <= (2 << 20) + 800_000, "{}", store.sizes().0);
        }
    }
    assert!(store.is_heavy());
}

#[test]
fn a_full_disk_costs_the_oldest_files_first() {
    let fake = disk(BIG);
    let mut store = open(&fake);
    for text in [b"one", b"two"] {
        say(&mut store, 6, text);
        store.write(T0);
        store.rotate().unwrap();
    }
    let used = fake.0.borrow().used();
    fake.0.borrow_mut().size = used + 10;
    say(&mut store, 6, b"new");
    store.write(T0);
    assert_eq!(notes(&mut store), ["the disk is full: the log lost its oldest files (1)"]);
    assert_eq!(messages(&store), [b"two".to_vec(), b"new".to_vec()]);
}

#[test]
fn when_nothing_is_left_to_remove_records_stay_in_memory_until_there_is_room() {
    let fake = disk(BIG);
    let mut store = open(&fake);
    say(&mut store, 6, b"on disk");
    store.write(T0);
    fake.0.borrow_mut().others = BIG;
    let big = vec![b'x'; 1000];
    for i in 0..3000_u32 {
        say(&mut store, 6, &[i.to_string().as_bytes(), b" ", &*big].concat());
        store.write(T0);
        assert!(store.in_memory(0).len() <= RING);
    }
    assert_eq!(
        notes(&mut store),
        ["the log stays in memory: no storage space: make room on its disk"]
    );
    assert_eq!(store.trouble(), Some("the log stays in memory: no storage space"));
    assert_eq!(store.deadline(), Some(RETRY));
    let (.., lost) = store.sizes();
    let in_memory = messages(&store).len() as u64 - 1;
    assert_eq!(lost + in_memory, 3000, "every record is there or counted");
    assert!(messages(&store)[1].starts_with(lost.to_string().as_bytes()), "the oldest are lost");

    // The first note may be among what is lost: it is said again.
    store.tick(RETRY);
    assert_eq!(
        notes(&mut store),
        [format!("no storage space: {lost} records are lost: make room for the log")]
    );

    fake.0.borrow_mut().others = 0;
    store.write(RETRY);
    assert!(!store.in_memory(0).is_empty(), "it is too soon to look again");
    store.try_again();
    store.write(RETRY);
    assert_eq!(notes(&mut store), [format!("{lost} records were lost while the disk took none")]);
    assert_eq!((store.trouble(), store.in_memory(0).len()), (None, 0));
    assert_eq!(messages(&store).len() as u64, in_memory + 1);
}

#[test]
fn urgent_records_are_on_the_disk_at_once_and_others_within_five_minutes() {
    let fake = disk(BIG);
    let mut store = open(&fake);
    say(&mut store, 3, b"an error");
    store.write(T0);
    assert_eq!((fake.0.borrow().syncs, store.deadline()), (0, Some(SYNC_AFTER)));
    store.tick(SYNC_AFTER);
    assert_eq!((fake.0.borrow().syncs, store.deadline()), (1, None));
    say(&mut store, 2, b"critical");
    store.write(SYNC_AFTER);
    assert_eq!((fake.0.borrow().syncs, store.deadline()), (2, None));
}

#[test]
fn records_in_memory_are_found_by_number() {
    let fake = disk(0);
    let mut store = open(&fake);
    for text in [&b"one"[..], b"two", b"three"] {
        say(&mut store, 6, text);
    }
    store.write(T0);
    let all = store.in_memory(0).len();
    assert!(store.in_memory(2).len() < all && store.in_memory(2).starts_with(b"__CURSOR="));
    assert_eq!(store.in_memory(4), b"");
}

#[derive(Debug, Clone)]
enum Step {
    Say(usize),
    Full(bool),
    Broken(bool),
    Rotate,
    Wait,
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0_usize..90_000).prop_map(Step::Say),
        1 => any::<bool>().prop_map(Step::Full),
        1 => any::<bool>().prop_map(Step::Broken),
        1 => Just(Step::Rotate),
        1 => Just(Step::Wait),
        1 => Just(Step::Restart),
    ]
}

proptest! {
    #[test]
    fn whatever_the_disk_does_records_are_in_order_and_the_bounds_hold(steps in vec(step(), 0..60)) {
        let fake = disk(4 << 20);
        let mut store = open(&fake);
        let (mut now, mut said) = (T0, 0_u64);
        for step in steps {
            match step {
                Step::Say(length) => {
                    said += 1;
                    say(&mut store, 6, &[format!("{said:09}").as_bytes(), &vec![b' '; length]].concat());
                }
                Step::Full(yes) => fake.0.borrow_mut().others = if yes { 4 << 20 } else { 0 },
                Step::Broken(yes) => fake.0.borrow_mut().broken = yes,
                Step::Rotate => { let _ = store.rotate(); }
                Step::Wait => { now += RETRY; store.tick(now); }
                // What is in memory only is lost with the process.
                Step::Restart => store = open(&fake),
            }
            store.write(now);
            prop_assert!(store.in_memory(0).len() <= RING);
            // What waited in memory goes into one file, however small files are.
            prop_assert!(store.sizes().0 <= store.limits.total + RING as u64);
            let all = messages(&store);
            prop_assert!(all.is_sorted());
            let unique: std::collections::BTreeSet<_> = all.iter().collect();
            prop_assert_eq!(unique.len(), all.len(), "nothing is twice");
        }
    }
}
