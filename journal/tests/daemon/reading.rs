//! Who reads the log gets what it asked for, and neither readers nor a full disk hold it up.

use std::fs;
use std::io::{Read, Write};

use api::journal::{Error, Query};

use crate::device::{Device, eventually, field, records};
use crate::last;

#[test]
fn a_query_gives_the_last_lines_the_urgent_ones_or_those_after_a_cursor() {
    let device = Device::new();
    for i in 0..2000 {
        let priority = if i % 500 == 0 { 3 } else { 6 };
        let text = format!("MESSAGE=number {i}\nPRIORITY={priority}\nX={:900}\n", "");
        device.native.send(text.as_bytes()).unwrap();
        if i == 999 {
            device.wait_for("number 999");
            device.ask(async |journal| journal.rotate().await).unwrap();
        }
    }
    device.wait_for("number 1999");
    assert_eq!(device.status().files, 2);
    assert_eq!(device.status().records, 2000);
    assert_eq!(device.messages(last(2)), ["number 1998", "number 1999"]);
    assert_eq!(device.messages(last(1500)).first().unwrap(), "number 500");
    assert_eq!(device.messages(last(0)), [""; 0]);
    assert_eq!(device.messages(last(u32::MAX)).len(), 2000);
    let urgent = || Query { priority: Some(3), ..Query::default() };
    assert_eq!(device.messages(urgent()), ["number 0", "number 500", "number 1000", "number 1500"]);
    assert_eq!(
        device.messages(Query { lines: Some(3), ..urgent() }),
        ["number 500", "number 1000", "number 1500"]
    );
    let cursor = field(&device.wait_for("number 1997"), "__CURSOR");
    let after = Query { cursor: Some(cursor), ..Query::default() };
    assert_eq!(device.messages(after), ["number 1998", "number 1999"]);
    let bad = Query { priority: Some(9), ..Query::default() };
    let answer = device.ask(async |journal| journal.read(bad).await);
    assert_eq!(answer.unwrap_err(), Error::BadQuery("there is no priority 9: 0 to 7".into()));
}

#[test]
fn who_follows_gets_new_records_and_holds_up_nobody() {
    let device = Device::new();
    device.native.send(b"MESSAGE=old\n").unwrap();
    device.wait_for("old");
    let follow = |lines| Query { lines: Some(lines), follow: true, ..Query::default() };
    let mut pipe = device.pipe(follow(1));
    let mut buffer = [0; 4096];
    let mut next = || {
        let count = pipe.read(&mut buffer).unwrap();
        records(&buffer[..count]).iter().map(|r| field(r, "MESSAGE")).collect::<Vec<_>>()
    };
    assert_eq!(next(), ["old"]);
    device.native.send(b"MESSAGE=new\n").unwrap();
    assert_eq!(next(), ["new"]);
    device.ask(async |journal| journal.rotate().await).unwrap();
    device.native.send(b"MESSAGE=in the next file\n").unwrap();
    assert_eq!(next(), ["in the next file"]);

    // Readers that read nothing, and then go away: everybody else goes on.
    let idle: Vec<_> = (0..31).map(|_| device.pipe(follow(0))).collect();
    let full = device.ask(async |journal| journal.read(follow(0)).await);
    assert!(matches!(full, Err(Error::Busy(_))), "{full:?}");
    let long = format!("MESSAGE=flood {}\n", "x".repeat(2000));
    for _ in 0..500 {
        device.native.send(long.as_bytes()).unwrap();
    }
    device.native.send(b"MESSAGE=behind the flood\n").unwrap();
    drop(idle);
    device.wait_for("behind the flood");
}

#[test]
fn a_reader_that_falls_behind_the_oldest_file_is_cut_off_and_it_is_said() {
    let device = Device::new();
    let text = format!("MESSAGE=flood\nX={}\n", "x".repeat(100_000));
    device.native.send(text.as_bytes()).unwrap();
    device.wait_for("flood");
    let slow = device.pipe(Query { follow: true, ..Query::default() });
    for _ in 0..800 {
        device.native.send(text.as_bytes()).unwrap();
    }
    eventually("cut off", || {
        let words = device.own_words();
        words
            .contains(&"cut off a reader that was slower than the log: read again".to_owned())
            .then_some(())
    });
    let mut rest = Vec::new();
    (&slow).read_to_end(&mut rest).unwrap();
    assert!(!rest.is_empty(), "what was in the pipe is still there, then it ends");
    assert!(device.status().bytes <= 64 << 20);
}

/// A device with little room for its log, and somebody who takes all that is left of it.
fn full_disk(records: usize) -> (Device, fs::File) {
    let device = Device::with_disk("1m", |_| {});
    (0..records).for_each(|i| log_long(&device, &format!("early {i}")));
    if let Some(last) = records.checked_sub(1) {
        device.wait_for(&format!("early {last}"));
        device.ask(async |journal| journal.rotate().await).unwrap();
    }
    let mut hog = fs::File::create(device.inside("log/hog")).unwrap();
    while hog.write_all(&[0; 512]).is_ok() {}
    (device, hog)
}

fn log_long(device: &Device, text: &str) {
    let entry = format!("MESSAGE={text}\nX={}\n", "x".repeat(1000));
    device.native.send(entry.as_bytes()).unwrap();
}

#[test]
fn a_full_disk_costs_the_oldest_records_and_it_is_said() {
    let (device, _hog) = full_disk(40);
    (0..10).for_each(|i| log_long(&device, &format!("late {i}")));
    device.wait_for("the disk is full: the log lost its oldest files (1)");
    device.wait_for("late 9");
    assert_eq!(device.status().trouble, "");
    assert!(!device.messages(Query::default()).contains(&"early 0".to_owned()));
}

#[test]
fn when_nothing_of_the_log_is_left_to_remove_it_goes_on_in_memory_until_there_is_room() {
    let (device, hog) = full_disk(0);
    (0..100).for_each(|i| log_long(&device, &format!("number {i}")));
    device.wait_for("number 99");
    let status = device.status();
    assert_eq!(status.trouble, "the log stays in memory: No space left on device (os error 28)");
    assert_eq!((status.bytes, status.dropped), (0, 0));
    drop(hog);
    fs::remove_file(device.inside("log/hog")).unwrap();
    eventually("room again", || device.status().trouble.is_empty().then_some(()));
    assert!(device.status().bytes > 100_000);
    let all = device.messages(Query::default());
    assert_eq!(all, (0..100).map(|i| format!("number {i}")).collect::<Vec<_>>());
}

#[test]
fn readers_that_go_away_make_room_for_others_although_nothing_is_logged() {
    let device = Device::new();
    let never = || Query { grep: Some("never".into()), follow: true, ..Query::default() };
    let idle: Vec<_> = (0..32).map(|_| device.pipe(never())).collect();
    let one_more = || device.ask(async |journal| journal.read(never()).await);
    assert!(matches!(one_more(), Err(Error::Busy(_))));
    drop(idle);
    eventually("room", || one_more().ok());
}

#[test]
fn without_a_place_for_files_the_log_is_kept_where_there_is_one() {
    let device = Device::with(|dir| fs::write(dir.join("log"), "not a directory").unwrap());
    device.native.send(b"MESSAGE=kept\n").unwrap();
    device.wait_for("kept");
    assert_eq!(device.status().directory, device.path("run/log").display().to_string());
    let words = device.own_words();
    assert!(words[0].starts_with("no log in ") && words.len() == 1, "{words:?}");

    let device = Device::with(|dir| {
        fs::write(dir.join("log"), "not a directory").unwrap();
        fs::create_dir(dir.join("run")).unwrap();
        fs::write(dir.join("run/log"), "neither").unwrap();
    });
    let mut pipe = device.pipe(Query {
        follow: true,
        unit: None,
        grep: Some("kept".into()),
        ..Query::default()
    });
    device.native.send(b"MESSAGE=kept in memory\n").unwrap();
    device.wait_for("kept in memory");
    let mut buffer = [0; 4096];
    let count = pipe.read(&mut buffer).unwrap();
    assert_eq!(field(&records(&buffer[..count])[0], "MESSAGE"), "kept in memory");
    assert!(device.status().trouble.starts_with("the log stays in memory"));
}
