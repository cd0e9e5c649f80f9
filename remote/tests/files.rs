//! Files that get there, whole or not at all, whatever comes between.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use api::debug::HEADER;
use api::remote::files::Message;
use api::remote::{Answer, Open, announced};
use remote::files::{Fault, Went, open, place, receive, send};
use remote::serve::serve;
use tempfile::TempDir;

/// So much is no whole number of pieces.
const SIZE: usize = 3_000_001;

struct Place {
    directory: TempDir,
    bytes: Vec<u8>,
}

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let bytes: Vec<u8> = (0..SIZE).map(|at| u8::try_from(at * at % 251).unwrap()).collect();
        let place = Self { directory, bytes };
        fs::write(place.source(), &place.bytes).unwrap();
        fs::set_permissions(place.source(), fs::Permissions::from_mode(0o4750)).unwrap();
        place
    }

    fn source(&self) -> PathBuf {
        self.directory.path().join("source")
    }

    fn target(&self) -> PathBuf {
        self.directory.path().join("target")
    }

    fn part(&self) -> PathBuf {
        self.directory.path().join(".target.part")
    }

    /// Sends, with the stream cut after so many bytes of the sender's.
    fn sent(&self, most: Option<u64>) -> (Result<Went, Fault>, Result<Went, Fault>) {
        let (sender, middle) = UnixStream::pair().unwrap();
        let (other, receiver) = UnixStream::pair().unwrap();
        let file = open(&self.source()).unwrap();
        thread::scope(|scope| {
            let sent = scope.spawn(move || send(&sender, &file, &mut |_, _| {}));
            let came = scope.spawn(|| {
                let receiver = receiver;
                receive(&receiver, &self.target(), &mut |_, _| {})
            });
            scope.spawn(|| {
                let (mut from, mut to) = (&other, &middle);
                let _ = std::io::copy(&mut from, &mut to);
            });
            let mut from = (&middle).take(most.unwrap_or(u64::MAX));
            let _ = std::io::copy(&mut from, &mut &other);
            middle.shutdown(std::net::Shutdown::Both).unwrap();
            let _ = other.shutdown(std::net::Shutdown::Both);
            (sent.join().unwrap(), came.join().unwrap())
        })
    }

    fn is_there(&self) {
        assert!(fs::read(self.target()).unwrap() == self.bytes);
        assert!(!self.part().exists());
        let (ours, theirs) =
            (fs::metadata(self.source()).unwrap(), fs::metadata(self.target()).unwrap());
        assert_eq!(theirs.mode() & 0o7777, 0o750, "who runs it is nobody else");
        assert_eq!((ours.mtime(), ours.mtime_nsec()), (theirs.mtime(), theirs.mtime_nsec()));
    }
}

fn went(before: u64) -> Result<Went, Fault> {
    Ok(Went { size: SIZE.try_into().unwrap(), before })
}

#[test]
fn a_file_arrives_with_its_time_and_what_it_may() {
    let place = Place::new();
    assert_eq!(place.sent(None), (went(0), went(0)));
    place.is_there();
}

#[test]
fn an_empty_file_is_a_file() {
    let mut place = Place::new();
    File::options().write(true).open(place.source()).unwrap().set_len(0).unwrap();
    place.bytes.clear();
    let none = Ok(Went { size: 0, before: 0 });
    assert_eq!(place.sent(None), (none.clone(), none));
    place.is_there();
}

#[test]
fn after_a_cut_nothing_is_there_but_a_part_and_the_next_try_goes_on_from_it() {
    let place = Place::new();
    let (sent, came) = place.sent(Some(2_000_000));
    assert!(matches!((sent, came), (Err(Fault::Cut(_)), Err(Fault::Cut(_)))));
    assert!(!place.target().exists());
    let before = fs::metadata(place.part()).unwrap().len();
    assert!((1_900_000..2_000_000).contains(&before), "{before}");
    assert_eq!(place.sent(None), (went(before), went(before)));
    place.is_there();
}

#[test]
fn a_part_of_something_else_is_not_gone_on_from() {
    let place = Place::new();
    for part in [vec![b'x'; 1000], vec![b'x'; SIZE + 1]] {
        fs::write(place.part(), part).unwrap();
        assert_eq!(place.sent(None), (went(0), went(0)));
        place.is_there();
    }
}

#[test]
fn a_trap_at_the_name_of_the_part_is_removed_and_what_it_leads_to_stays() {
    let place = Place::new();
    let precious = place.directory.path().join("precious");
    fs::write(&precious, "precious").unwrap();
    symlink(&precious, place.part()).unwrap();
    assert_eq!(place.sent(None), (went(0), went(0)));
    fs::remove_file(place.target()).unwrap();
    fs::hard_link(&precious, place.part()).unwrap();
    assert_eq!(place.sent(None), (went(0), went(0)));
    assert_eq!(fs::read(&precious).unwrap(), b"precious");
    place.is_there();
}

#[test]
fn what_has_no_room_is_refused_before_it_is_sent() {
    let place = Place::new();
    let huge = place.directory.path().join("huge");
    let Ok(()) = File::create(&huge).unwrap().set_len(1 << 43) else { return };
    fs::rename(&huge, place.source()).unwrap();
    let (sent, _) = place.sent(None);
    let Err(Fault::Theirs(why)) = sent else { panic!("{sent:?}") };
    assert!(why.starts_with("no room: 8796093022208 more bytes are needed"), "{why}");
}

/// What a receiver says to somebody who says this.
fn answered(place: &Place, says: &[Message]) -> Result<Went, Fault> {
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    for message in says {
        ours.write_all(&message.encode().unwrap()).unwrap();
    }
    ours.shutdown(std::net::Shutdown::Write).unwrap();
    receive(&theirs, &place.target(), &mut |_, _| {})
}

#[test]
fn a_sender_that_lies_puts_nothing_there() {
    let place = Place::new();
    let offer = Message::Offer { size: 4, mode: 0o644, mtime: i64::MIN };
    let data = |text: &str| Message::Data(text.as_bytes().to_vec());
    let lies: [&[Message]; 6] = [
        &[Message::Done],
        &[offer.clone(), Message::From(3)],
        &[offer.clone(), Message::From(0), data("fours")],
        &[offer.clone(), Message::From(0), data("fou"), Message::End([0; 32])],
        &[offer.clone(), Message::From(0), data("four"), Message::End([0; 32])],
        &[offer, Message::From(0), data("four")],
    ];
    for lie in lies {
        assert!(answered(&place, lie).is_err(), "{lie:?}");
        assert!(!place.target().exists());
    }
}

#[test]
fn names_from_another_device_do_not_lead_elsewhere() {
    let place_of = |path: &str, name: &str| place(Path::new(path), name);
    assert_eq!(place_of("/tmp", "a"), Ok("/tmp/a".into()));
    assert_eq!(place_of("/tmp/", "a"), Ok("/tmp/a".into()));
    assert_eq!(place_of("/tmp/b", "a/../../etc"), Ok("/tmp/b".into()), "it has a name already");
    for name in ["", ".", "..", "../etc", "a/b", "a\0"] {
        assert!(place_of("/tmp", name).is_err(), "{name:?}");
    }
    assert!(place_of("/nowhere/b", "a").unwrap_err().contains("cannot put anything"));
    assert!(place_of("/proc/self/exe/b", "a").is_err());
    assert!(place_of("/tmp/..", "a").is_ok(), "a directory");
}

/// The answer to what is asked, and the stream for what follows.
fn asked(open: &Open) -> (Answer, UnixStream) {
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    thread::spawn(move || serve(theirs));
    ours.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    ours.write_all(&open.encode().unwrap()).unwrap();
    let mut header = [0; HEADER];
    ours.read_exact(&mut header).unwrap();
    let (kind, length) = announced(header).unwrap();
    let mut payload = vec![0; length];
    ours.read_exact(&mut payload).unwrap();
    (Answer::decode(kind, &payload).unwrap(), ours)
}

#[test]
fn what_can_not_be_opened_is_refused_with_its_step() {
    let reason = |open: Open| match asked(&open).0 {
        Answer::Refused { step, reason } => format!("{step}: {reason}"),
        Answer::Opened => "opened".to_owned(),
    };
    let pull = |path| reason(Open::new("file", &[("do", "pull"), ("path", path)]));
    assert_eq!(
        pull("/nowhere"),
        "file: cannot open /nowhere: No such file or directory (os error 2)"
    );
    assert!(
        pull("/tmp").ends_with("not a regular file; `tar` packs a directory"),
        "{}",
        pull("/tmp")
    );
    assert!(pull("/dev/zero").contains("not a regular file"));
    assert_eq!(pull("etc/passwd"), "file: paths on another device begin with `/`");
    assert_eq!(
        reason(Open::new("port", &[("port", "0")])),
        "port: `0` is no port: a number from 1 to 65535"
    );
    assert!(
        reason(Open::new("port", &[("port", "1")])).starts_with("port: nobody answers at port 1")
    );
    assert!(reason(Open::new("camera", &[])).starts_with("remote: this device opens no `camera`"));
}

#[test]
fn a_file_is_pulled_as_it_is_pushed() {
    let place = Place::new();
    let source = place.source();
    let pull = Open::new("file", &[("do", "pull"), ("path", source.to_str().unwrap())]);
    let (answer, stream) = asked(&pull);
    assert_eq!(answer, Answer::Opened);
    assert_eq!(receive(&stream, &place.target(), &mut |_, _| {}), went(0));
    place.is_there();
    fs::remove_file(place.target()).unwrap();
    let path = place.directory.path().to_str().unwrap();
    let push = Open::new("file", &[("do", "push"), ("path", path), ("name", "target")]);
    let (answer, stream) = asked(&push);
    assert_eq!(answer, Answer::Opened);
    assert_eq!(send(&stream, &open(&source).unwrap(), &mut |_, _| {}), went(0));
    place.is_there();
}

#[test]
fn a_command_runs_until_who_asked_is_gone() {
    use api::debug::{Decoder, Ended, ToDevice, ToHost};
    let (answer, mut stream) = asked(&Open::new("run", &[]));
    assert_eq!(answer, Answer::Opened);
    let mut say = |message: ToDevice| stream.write_all(&message.encode().unwrap()).unwrap();
    let script = "cat; exit 7";
    say(ToDevice::Exec(["/bin/sh", "-c", script].map(Into::into).to_vec()));
    say(ToDevice::Stdin(b"heard".to_vec()));
    say(ToDevice::Stdin(vec![]));
    let mut decoder = Decoder::default();
    let mut heard = Vec::new();
    let ended = loop {
        let mut piece = [0; 4096];
        let count = stream.read(&mut piece).unwrap();
        assert!(count > 0, "it answers first");
        decoder.push(&piece[..count]);
        match decoder.take().unwrap() {
            Some(ToHost::Stdout(bytes)) => heard.extend(bytes),
            Some(ToHost::Exit(ended)) => break ended,
            Some(other) => panic!("{other:?}"),
            None => {}
        }
    };
    assert_eq!((heard.as_slice(), ended), (&b"heard"[..], Ended::Status(7)));
}
