use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream as Blocking};
use std::thread;

use tokio::io::{DuplexStream, ReadHalf, WriteHalf, duplex, split};

use super::*;
use crate::DeviceId;

/// Bytes that a stream of these tests holds.
const WINDOW: usize = 256 << 10;

fn owner() -> Caller {
    Caller { id: DeviceId([1; 32]), name: "phone".into(), level: "owner".into(), owner: true }
}

fn guest() -> Caller {
    Caller { level: "guest".into(), owner: false, ..owner() }
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

type Halves = (ReadHalf<DuplexStream>, WriteHalf<DuplexStream>);

fn stream() -> (Halves, Halves) {
    let (a, b) = duplex(WINDOW);
    (split(a), split(b))
}

/// Both ends of a stream in one process, before a `remote` that answers with this and then as `then` says. The answer, or
/// what came through the socket after `says` went into it.
fn through(
    caller: &Caller,
    open: &Open,
    answer: &Answer,
    says: &'static [u8],
    then: impl FnOnce(Blocking) + Send + 'static,
) -> Result<Vec<u8>, Refusal> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("remote.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let (asked, answer) = (open.encode().unwrap(), answer.encode().unwrap());
    thread::spawn(move || {
        let Ok((mut stream, _)) = listener.accept() else { return };
        let mut heard = vec![0; asked.len()];
        stream.read_exact(&mut heard).unwrap();
        assert_eq!(heard, asked, "and not a byte more");
        stream.write_all(&answer).unwrap();
        then(stream);
    });
    block_on(async {
        let doors = Doors::new(path);
        let ((mut reader, mut writer), (far_reader, far_writer)) = stream();
        let near = async {
            let (socket, ours) = reach(open, &mut reader, &mut writer).await?;
            let user = thread::spawn(move || {
                let mut socket = Blocking::from(socket);
                socket.write_all(says).unwrap();
                socket.shutdown(std::net::Shutdown::Write).unwrap();
                let mut came = Vec::new();
                socket.read_to_end(&mut came).unwrap();
                came
            });
            pump(reader, writer, ours).await;
            Ok(user.join().unwrap())
        };
        let (came, ()) = tokio::join!(near, serve(&doors, caller, far_reader, far_writer));
        assert_eq!(doors.count(), 0);
        came
    })
}

#[test]
fn what_is_said_at_one_end_is_heard_at_the_other_and_answered_after_its_end() {
    let echo = |mut stream: Blocking| {
        let mut heard = Vec::new();
        stream.read_to_end(&mut heard).unwrap();
        heard.reverse();
        stream.write_all(&heard.repeat(200_000)).unwrap();
    };
    let came = through(&owner(), &Open::new("run", &[]), &Answer::Opened, b"abc", echo);
    assert!(came.unwrap() == b"cba".repeat(200_000));
}

#[test]
fn a_refusal_names_its_step() {
    let refused = Answer::refused("file", "no such file");
    let open = Open::new("file", &[("do", "pull"), ("path", "/x")]);
    let came = through(&owner(), &open, &refused, b"", drop);
    assert_eq!(came, Err(Refusal::new("file", "no such file")));
}

#[test]
fn only_owners_get_through() {
    for target in ["run", "file", "port"] {
        let came = through(&guest(), &Open::new(target, &[]), &Answer::Opened, b"", drop);
        assert_eq!(came.unwrap_err().step, "level", "{target}");
    }
    let why = doors::allowed(&guest(), &Open::new("run", &[])).unwrap_err().to_string();
    assert_eq!(
        why,
        "level: `run` is for owners of the group, and phone is a guest: `ensctl device level phone owner` on an owner changes that"
    );
    assert_eq!(doors::allowed(&owner(), &Open::new("camera", &[])).unwrap_err().step, "version");
}

#[test]
fn a_device_without_remote_says_so() {
    let refused = block_on(async {
        let doors = Doors::new("/nowhere/remote.sock".into());
        let ((mut reader, mut writer), (far_reader, far_writer)) = stream();
        let open = Open::new("run", &[]);
        let (caller, near) = (owner(), reach(&open, &mut reader, &mut writer));
        tokio::join!(near, serve(&doors, &caller, far_reader, far_writer)).0.unwrap_err()
    });
    assert_eq!(refused.step, "remote");
    assert!(refused.reason.ends_with("its service `remote` is off"), "{refused}");
}

#[test]
fn one_peer_does_not_take_all_the_room_and_a_place_is_free_again() {
    let doors = Doors::default();
    let of = |n: u8| Caller { id: DeviceId([n; 32]), ..owner() };
    let mut places: Vec<_> = (0..OF_ONE).map(|_| doors.enter(&of(1)).unwrap()).collect();
    assert_eq!(doors.enter(&of(1)).unwrap_err().step, "busy");
    places.extend((0..OF_ONE).map(|_| doors.enter(&of(2)).unwrap()));
    places.extend((doors.count()..OF_ALL).map(|_| doors.enter(&of(3)).unwrap()));
    assert_eq!(doors.enter(&of(4)).unwrap_err().step, "busy");
    places.pop();
    assert!(doors.enter(&of(4)).is_ok());
    places.clear();
    assert_eq!(doors.count(), 0);
}

#[test]
fn who_speaks_nonsense_or_nothing_is_answered_and_let_go() {
    for nonsense in
        [&b"GET / HTTP/1.1\r\n\r\n"[..], &[32, 0xff, 0xff, 0xff, 0xff], &[33, 0, 0, 0, 0]]
    {
        let answer = block_on(async {
            let doors = Doors::default();
            let ((mut reader, mut writer), (far_reader, far_writer)) = stream();
            writer.write_all(nonsense).await.unwrap();
            writer.shutdown().await.unwrap();
            serve(&doors, &owner(), far_reader, far_writer).await;
            let (kind, payload) = frame(&mut reader).await.unwrap();
            Answer::decode(kind, &payload).unwrap()
        });
        assert!(matches!(answer, Answer::Refused { .. }), "{answer:?}");
    }
}

#[test]
fn who_does_not_read_makes_the_other_wait() {
    block_on(async {
        let ((_reader, _writer), (far_reader, far_writer)) = stream();
        let (ours, theirs) = Blocking::pair().unwrap();
        theirs.set_nonblocking(true).unwrap();
        let pumped = pump(far_reader, far_writer, UnixStream::from_std(theirs).unwrap());
        ours.set_nonblocking(true).unwrap();
        let most = WINDOW + (4 << 20);
        let mut ours = UnixStream::from_std(ours).unwrap();
        let fill = async {
            let mut sent = 0;
            while sent < most {
                let more = ours.write(&[0; 4096]);
                match timeout(Duration::from_millis(200), more).await {
                    Ok(count) => sent += count.unwrap(),
                    Err(_waits) => return sent,
                }
            }
            sent
        };
        tokio::select! {
            sent = fill => assert!(sent < most, "{sent}"),
            () = pumped => unreachable!("nobody ended it"),
        }
    });
}
