//! Stories of the real daemon: what goes in comes out, whatever happens to it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

#[path = "../device/mod.rs"]
mod device;
mod reading;

use std::fs;
use std::io::Write;
use std::os::fd::AsFd;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use api::journal::Query;
use device::{Device, eventually, field, records};

fn last(lines: u32) -> Query {
    Query { lines: Some(lines), ..Query::default() }
}

#[test]
fn a_message_carries_what_its_sender_said_and_who_it_really_was() {
    let device = Device::new();
    device
        .native
        .send(b"MESSAGE=hello\nPRIORITY=4\n_PID=1\n_UID=7\nDATA\n\x03\0\0\0\0\0\0\0a\nb\n")
        .unwrap();
    let record = device.wait_for("hello");
    assert_eq!(field(&record, "PRIORITY"), "4");
    assert_eq!(field(&record, "DATA"), "a\nb");
    assert_eq!(field(&record, "_PID"), std::process::id().to_string());
    assert_eq!(field(&record, "_UID"), sys::process::user().to_string());
    assert_eq!(field(&record, "_TRANSPORT"), "journal");
    let read = |path| fs::read_to_string(path).unwrap().trim().to_owned();
    assert_eq!(field(&record, "_COMM"), read("/proc/self/comm"));
    assert_eq!(field(&record, "_HOSTNAME"), read("/proc/sys/kernel/hostname"));
    assert_eq!(
        field(&record, "_BOOT_ID"),
        read("/proc/sys/kernel/random/boot_id").replace('-', "")
    );
    assert!(field(&record, "__REALTIME_TIMESTAMP").parse::<u64>().unwrap() > 1_700_000_000_000_000);
    assert!(field(&record, "__MONOTONIC_TIMESTAMP").parse::<u64>().unwrap() > 0);
}

#[test]
fn a_long_message_comes_in_a_sealed_memfd_and_an_unsealed_one_is_refused() {
    let device = Device::new();
    let long = "long ".repeat(400_000);
    let send = |sealed: bool| {
        let mut file = sys::memfd::create("entry").unwrap();
        writeln!(file, "MESSAGE={long}").unwrap();
        if sealed {
            sys::memfd::seal(&file).unwrap();
        }
        sys::seqpacket::send(&device.native, b"", &[file.as_fd()]).unwrap();
    };
    send(false);
    send(true);
    let record = device.wait_for("long long");
    assert_eq!(field(&record, "MESSAGE"), long);
    let us = std::process::id();
    assert_eq!(
        device.own_words(),
        [format!(
            "refused 1 messages, the last of process {us}: the descriptor is not a sealed memfd"
        )]
    );
    assert_eq!(device.status().dropped, 1);
}

#[test]
fn bad_messages_are_counted_and_the_next_good_one_arrives() {
    let device = Device::new();
    device.native.send(b"MESSAGE\n\xff\xff\0\0\0\0\0\0x").unwrap();
    let null = fs::File::open("/dev/null").unwrap();
    sys::seqpacket::send(&device.native, b"", &[null.as_fd(), null.as_fd()]).unwrap();
    sys::seqpacket::send(&device.native, b"MESSAGE=x", &[null.as_fd()]).unwrap();
    device.native.send(b"").unwrap();
    device.native.send(b"MESSAGE=good\n").unwrap();
    device.wait_for("good");
    assert_eq!(device.messages(Query::default()), ["good"]);
    assert_eq!(device.status().dropped, 3);
}

#[test]
fn syslog_messages_arrive() {
    let device = Device::new();
    device.syslog.send(b"<29>May  7 01:02:03 cron[12]: every hour").unwrap();
    let record = device.wait_for("every hour");
    assert_eq!(field(&record, "PRIORITY"), "5");
    assert_eq!(field(&record, "SYSLOG_FACILITY"), "3");
    assert_eq!(field(&record, "SYSLOG_IDENTIFIER"), "cron");
    assert_eq!(field(&record, "SYSLOG_PID"), "12");
    assert_eq!(field(&record, "_TRANSPORT"), "syslog");
    assert_eq!(field(&record, "_PID"), std::process::id().to_string());
}

#[test]
fn the_output_of_services_arrives_line_by_line_also_what_was_written_before_journal_ran() {
    let mut device = Device::new();
    let (kept, writer) = sys::pipe::lasting(0).unwrap();
    let mut writer = fs::File::from(writer);
    writer.write_all(b"<3>broken\nfine\nno end").unwrap();
    sys::seqpacket::send(&device.streams, b"web", &[kept.as_fd()]).unwrap();
    let record = device.wait_for("broken");
    assert_eq!(field(&record, "PRIORITY"), "3");
    assert_eq!(field(&record, "_SYSTEMD_UNIT"), "web.service");
    assert_eq!(field(&record, "SYSLOG_IDENTIFIER"), "web");
    assert_eq!(field(&record, "_TRANSPORT"), "stdout");
    let record = device.wait_for("no end");
    assert_eq!(field(&record, "_LINE_BREAK"), "eof", "after a while it is taken as it is");

    // servicemgr may send the same pipe again; it is read once.
    sys::seqpacket::send(&device.streams, b"web", &[kept.as_fd()]).unwrap();
    writer.write_all(b"still here\n").unwrap();
    device.wait_for("still here");
    let web = || Query { unit: Some("web".into()), ..Query::default() };
    assert_eq!(device.messages(web()), ["broken", "fine", "no end", "still here"]);

    // No writer is left, a new one comes, journal is replaced: nothing is lost.
    drop(writer);
    let mut writer = fs::File::from(sys::pipe::writer(&kept).unwrap());
    writer.write_all(b"another process\n").unwrap();
    device.wait_for("another process");
    device.kill();
    writer.write_all(b"while away\n").unwrap();
    device.start();
    sys::seqpacket::send(&device.streams, b"web", &[kept.as_fd()]).unwrap();
    device.wait_for("while away");
    assert_eq!(device.messages(web()).len(), 6);
}

#[test]
fn of_many_services_each_is_heard_while_one_never_stops() {
    let device = Device::new();
    let streams: Vec<_> = (0..200).map(|_| sys::pipe::lasting(0).unwrap()).collect();
    for (number, (kept, _)) in streams.iter().enumerate() {
        let name = format!("daemon-{number}");
        sys::seqpacket::send(&device.streams, name.as_bytes(), &[kept.as_fd()]).unwrap();
    }
    let (kept, writer) = sys::pipe::lasting(0).unwrap();
    sys::seqpacket::send(&device.streams, b"loud", &[kept.as_fd()]).unwrap();
    let (stop, stopped) = (Arc::new(AtomicBool::new(false)), fs::File::from(writer));
    let loud = std::thread::spawn({
        let (stop, mut writer) = (stop.clone(), stopped);
        move || {
            while !stop.load(Ordering::Relaxed) {
                // Empty lines: they fill the pipe and not the log.
                writer.write_all(&[b'\n'; 1000]).unwrap();
            }
        }
    });
    for (number, (_, writer)) in streams.iter().enumerate().rev() {
        let text = format!("I am {number}, ");
        (&fs::File::from(writer.try_clone().unwrap())).write_all(text.as_bytes()).unwrap();
    }
    for (_, writer) in &streams {
        (&fs::File::from(writer.try_clone().unwrap())).write_all(b"and well\n").unwrap();
    }
    for number in [0, 77, 199] {
        let record = device.wait_for(&format!("I am {number}, and well"));
        assert_eq!(field(&record, "_SYSTEMD_UNIT"), format!("daemon-{number}.service"));
    }
    stop.store(true, Ordering::Relaxed);
    loud.join().unwrap();
    let said = device.messages(Query::default());
    assert_eq!(said.iter().filter(|text| text.ends_with(", and well")).count(), 200);
}

#[test]
fn a_stream_that_has_ended_is_read_to_its_end_and_let_go() {
    let device = Device::new();
    let fds = format!("/proc/{}/fd", device.pid());
    let pipe = |fd: &fs::DirEntry| {
        fs::read_link(fd.path()).is_ok_and(|f| f.to_string_lossy().starts_with("pipe:"))
    };
    let open = || fs::read_dir(&fds).unwrap().flatten().filter(pipe).count();
    let before = open();
    let streams: Vec<_> = (0..20).map(|_| sys::pipe::lasting(0).unwrap()).collect();
    for (number, (kept, _)) in streams.iter().enumerate() {
        let name = format!("once-{}", number % 2);
        sys::seqpacket::send(&device.streams, name.as_bytes(), &[kept.as_fd()]).unwrap();
    }
    eventually("all are read", || (open() == before + 20).then_some(()));
    for (_, writer) in streams {
        fs::File::from(writer).write_all(b"the last words").unwrap();
    }
    for name in ["once-0", "once-1", "unknown"] {
        sys::seqpacket::send(&device.streams, name.as_bytes(), &[]).unwrap();
    }
    eventually("all are let go", || (open() == before).then_some(()));
    let said = device.messages(Query::default());
    assert_eq!(said.iter().filter(|text| *text == "the last words").count(), 20);
    assert_eq!(device.own_words(), [""; 0]);
}

#[test]
fn packets_that_are_no_streams_are_refused_and_said() {
    let device = Device::new();
    let file = fs::File::open("/proc/version").unwrap();
    sys::seqpacket::send(&device.streams, b"two", &[file.as_fd(), file.as_fd()]).unwrap();
    sys::seqpacket::send(&device.streams, b"../x", &[file.as_fd()]).unwrap();
    let (kept, writer) = sys::pipe::lasting(0).unwrap();
    sys::seqpacket::send(&device.streams, b"web", &[kept.as_fd()]).unwrap();
    fs::File::from(writer).write_all(b"fine\n").unwrap();
    device.wait_for("fine");
    assert_eq!(
        device.own_words(),
        [
            "cannot read a stream: its packet does not hold one descriptor",
            "cannot read a stream: its name is not that of a service"
        ]
    );
}

#[test]
fn the_kernel_is_heard_once_also_by_a_new_journal() {
    let mut device = Device::with(|dir| {
        let made = Command::new("mkfifo").arg(dir.join("kmsg")).status().unwrap();
        assert!(made.success());
        // Held open, so that it looks like a device that never ends.
        let fifo = fs::OpenOptions::new().read(true).write(true).open(dir.join("kmsg")).unwrap();
        (&fifo).write_all(b"3,7,100,-;disk on fire\n SUBSYSTEM=block\n").unwrap();
        std::mem::forget(fifo);
    });
    let record = device.wait_for("disk on fire");
    assert_eq!(field(&record, "_TRANSPORT"), "kernel");
    assert_eq!(field(&record, "PRIORITY"), "3");
    assert_eq!(field(&record, "_KERNEL_SUBSYSTEM"), "block");
    device.kill();
    device.start();
    let mut fifo = fs::OpenOptions::new().write(true).open(device.path("kmsg")).unwrap();
    fifo.write_all(b"3,7,100,-;disk on fire\n").unwrap();
    eventually("read", || Some(()).filter(|()| device.status().records == 1));
    fifo.write_all(b"6,8,200,-;out again\n").unwrap();
    device.wait_for("out again");
    assert_eq!(device.messages(Query::default()), ["disk on fire", "out again"]);
}

#[test]
fn nothing_that_was_logged_is_lost_by_a_kill_and_a_torn_tail_is_cut() {
    let mut device = Device::new();
    for i in 0..50 {
        device.native.send(format!("MESSAGE=number {i:02}\n").as_bytes()).unwrap();
    }
    device.wait_for("number 49");
    device.kill();
    let path = device.path("log/system.export");
    let mut file = fs::OpenOptions::new().append(true).open(&path).unwrap();
    file.write_all(b"__CURSOR=s=0;i=1\nMESSAGE=torn").unwrap();
    // Programs go on logging; the sockets are kept.
    device.native.send(b"MESSAGE=number 50\n").unwrap();
    device.start();
    device.wait_for("number 50");
    let all = device.messages(Query::default());
    assert_eq!(all, (0..=50).map(|i| format!("number {i:02}")).collect::<Vec<_>>());
    assert_eq!(device.own_words(), ["cut 29 bytes of a torn record off the log"]);
}

#[test]
fn asked_to_end_it_takes_what_is_there_and_ends_well() {
    let mut device = Device::new();
    let (kept, writer) = sys::pipe::lasting(0).unwrap();
    sys::seqpacket::send(&device.streams, b"web", &[kept.as_fd()]).unwrap();
    let mut writer = fs::File::from(writer);
    writer.write_all(b"begin\n").unwrap();
    device.wait_for("begin");
    for i in 0..10 {
        device.native.send(format!("MESSAGE=last {i}\n").as_bytes()).unwrap();
    }
    writer.write_all(b"last line").unwrap();
    assert_eq!(device.terminate(), Some(0));
    let bytes = fs::read(device.path("log/system.export")).unwrap();
    let all: Vec<String> = records(&bytes).iter().map(|r| field(r, "MESSAGE")).collect();
    for i in 0..10 {
        assert!(all.contains(&format!("last {i}")), "{all:?}");
    }
    assert!(all.contains(&"last line".to_owned()), "{all:?}");
}

#[test]
fn a_device_where_nothing_happens_is_left_asleep() {
    let device = Device::new();
    device.native.send(b"MESSAGE=once\n").unwrap();
    device.wait_for("once");
    let switches = || {
        let status = fs::read_to_string(format!("/proc/{}/status", device.pid())).unwrap();
        let line = status.lines().find(|l| l.starts_with("voluntary_ctxt_switches")).unwrap();
        line.split_whitespace().last().unwrap().parse::<u64>().unwrap()
    };
    settle();
    let before = switches();
    settle();
    assert_eq!(switches(), before);
}

#[expect(clippy::disallowed_methods, reason = "that nothing happens takes time to see")]
fn settle() {
    std::thread::sleep(Duration::from_secs(2));
}

/// What the next test runs in a mount namespace where journald's socket is ours.
#[test]
fn child_that_logs_as_our_daemons_do() {
    if std::env::var_os("LOGS_TO_JOURNAL").is_none() {
        return;
    }
    systemd_journal_logger::JournalLog::new().unwrap().install().unwrap();
    log::set_max_level(log::LevelFilter::Info);
    log::warn!(target: "device", "from the logger");
    log::info!("{}", "from the logger, long ".repeat(50_000));
}

#[test]
fn our_daemons_log_through_systemd_journal_logger() {
    let device = Device::new();
    let script = "mount -t tmpfs none /run && mkdir -p /run/systemd/journal && \
        touch /run/systemd/journal/socket && mount --bind \"$1\" /run/systemd/journal/socket && \
        exec \"$0\" --exact child_that_logs_as_our_daemons_do";
    // The directory of the device is not below /run.
    let done = Command::new("unshare")
        .args(["--mount", "--user", "--map-root-user", "sh", "-c", script])
        .arg(std::env::current_exe().unwrap())
        .arg(device.path("native"))
        .env("LOGS_TO_JOURNAL", "1")
        .output()
        .expect("unshare, of Debian's package util-linux, runs");
    assert!(done.status.success(), "{done:?}");
    let record = device.wait_for("from the logger");
    assert_eq!(device.messages(Query::default())[0], "from the logger");
    assert_eq!(field(&record, "TARGET"), "daemon");
    let long = device.messages(Query::default()).pop().unwrap();
    assert_eq!(long.len(), 50_000 * 22);
}
