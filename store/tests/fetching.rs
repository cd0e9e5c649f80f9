//! Files from a web server that does what it likes.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;

use sha2::{Digest, Sha256};
use store::{Fetched, Supply, fetch};
use tuf::Source;

/// How a server answers.
#[derive(Debug, Clone, Default)]
struct Manner {
    /// What it has, whatever is asked for; none: 404.
    content: Option<Vec<u8>>,
    /// It hangs up after so many bytes of content.
    cut: Option<usize>,
    /// It sends all, whatever part is asked for.
    whole: bool,
    /// It never ends.
    endless: bool,
}

/// A server, and what it was asked.
struct Server {
    supply: Supply,
    manner: Arc<Mutex<Manner>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn new(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let place = format!("http://{}", listener.local_addr().unwrap());
        let (manner, asked) = (Arc::new(Mutex::new(manner)), Arc::new(Mutex::new(Vec::new())));
        let (its, heard) = (Arc::clone(&manner), Arc::clone(&asked));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let manner = its.lock().unwrap().clone();
                // Who hangs up has heard enough.
                let _gone = answer(stream.unwrap(), &manner, &heard);
            }
        });
        Self { supply: Supply::of(&place, vec![]).unwrap(), manner, asked }
    }

    fn now(&self, change: impl FnOnce(&mut Manner)) {
        change(&mut self.manner.lock().unwrap());
    }

    fn ranges(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

fn answer(
    mut stream: TcpStream,
    manner: &Manner,
    asked: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let mut range = String::new();
    for line in BufReader::new(stream.try_clone()?).lines() {
        let line = line?.to_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("range: bytes=") {
            range = value.to_owned();
        }
    }
    asked.lock().unwrap().push(range.clone());
    let Some(content) = &manner.content else {
        return stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    };
    if manner.endless {
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
        loop {
            stream.write_all(&[b' '; 4096])?;
        }
    }
    let from = range.trim_end_matches('-').parse::<usize>().ok().filter(|_| !manner.whole);
    let (status, part) = match from {
        Some(from) => {
            let last = content.len() - 1;
            let part = &content[from..];
            (
                format!(
                    "206 Partial Content\r\nContent-Range: bytes {from}-{last}/{}",
                    content.len()
                ),
                part,
            )
        }
        None => ("200 OK".to_owned(), content.as_slice()),
    };
    let sent = &part[..manner.cut.unwrap_or(part.len()).min(part.len())];
    write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n", part.len())?;
    stream.write_all(sent)
}

fn content() -> Vec<u8> {
    (0..300_000_u32).flat_map(u32::to_le_bytes).collect()
}

fn of(content: &[u8]) -> Fetched {
    let length = u64::try_from(content.len()).unwrap();
    Fetched { path: "targets/a.bundle".into(), length, sha256: Sha256::digest(content).into() }
}

fn got(directory: &Path, server: &Server, what: &Fetched) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    fetch(directory, &server.supply, what, &|_| ())?.read_to_end(&mut bytes).unwrap();
    Ok(bytes)
}

fn parts(directory: &Path) -> usize {
    fs::read_dir(directory).unwrap().count()
}

#[test]
fn what_was_cut_off_goes_on_where_it_stopped() {
    let directory = tempfile::tempdir().unwrap();
    let server =
        Server::new(Manner { content: Some(content()), cut: Some(500_000), ..Manner::default() });
    let what = of(&content());
    let why = got(directory.path(), &server, &what).unwrap_err();
    assert!(why.contains("for the next try"), "{why}");
    let there = fs::read_dir(directory.path()).unwrap().next().unwrap().unwrap();
    let length = there.metadata().unwrap().len();
    assert!(length > 0 && length <= 500_000, "{length}");
    server.now(|manner| manner.cut = None);
    assert_eq!(got(directory.path(), &server, &what), Ok(content()));
    assert_eq!(server.ranges(), [String::new(), format!("{length}-")]);
    assert_eq!(parts(directory.path()), 0, "what was handed on has no name any more");
}

#[test]
fn a_server_that_knows_no_parts_is_heard_from_the_beginning() {
    let directory = tempfile::tempdir().unwrap();
    let manner = Manner { content: Some(content()), cut: Some(9000), whole: true, endless: false };
    let server = Server::new(manner);
    let what = of(&content());
    assert!(got(directory.path(), &server, &what).is_err());
    server.now(|manner| manner.cut = None);
    assert_eq!(got(directory.path(), &server, &what), Ok(content()));
}

#[test]
fn what_is_whole_already_is_not_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::new(Manner::default());
    let what = of(&content());
    fs::write(directory.path().join(format!("{}.part", tuf::hex(&what.sha256))), content())
        .unwrap();
    assert_eq!(got(directory.path(), &server, &what), Ok(content()));
    assert!(server.ranges().is_empty());
}

#[test]
fn another_file_than_the_one_that_is_listed_is_not_handed_on() {
    let directory = tempfile::tempdir().unwrap();
    let mut other = content();
    other[700_000] ^= 1;
    let server = Server::new(Manner { content: Some(other), ..Manner::default() });
    let what = of(&content());
    let why = got(directory.path(), &server, &what).unwrap_err();
    assert!(why.contains("its SHA-256 is another one"), "{why}");
    assert_eq!(parts(directory.path()), 0, "the next try begins anew");
}

#[test]
fn no_more_is_read_than_is_listed() {
    let directory = tempfile::tempdir().unwrap();
    let server =
        Server::new(Manner { content: Some(content()), endless: true, ..Manner::default() });
    let why = got(directory.path(), &server, &of(&content())).unwrap_err();
    assert!(why.contains("more bytes than"), "{why}");
    let mut server = server;
    let metadata = server.supply.get("timestamp.json", 16_384).unwrap().unwrap();
    assert_eq!(metadata.len(), 16_385, "one more, which shows that it is too long");
}

#[test]
fn a_file_that_is_listed_and_not_there_is_said_to_be() {
    let directory = tempfile::tempdir().unwrap();
    let mut server = Server::new(Manner::default());
    let why = got(directory.path(), &server, &of(&content())).unwrap_err();
    assert_eq!(why, "targets/a.bundle is listed, and not there");
    assert_eq!(server.supply.get("2.root.json", 1000), Ok(None));
}

#[test]
fn few_parts_stay_and_there_must_be_room() {
    let directory = tempfile::tempdir().unwrap();
    for number in 0..9 {
        fs::write(directory.path().join(format!("{number}.part")), "x").unwrap();
    }
    let server =
        Server::new(Manner { content: Some(content()), cut: Some(1), ..Manner::default() });
    assert!(got(directory.path(), &server, &of(&content())).is_err());
    assert_eq!(parts(directory.path()), 4);
    let huge = Fetched { length: 1 << 60, ..of(&content()) };
    let why = got(directory.path(), &server, &huge).unwrap_err();
    assert!(why.contains("stay free"), "{why}");
}
