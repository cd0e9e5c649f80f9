//! One connection: what is asked for, and who does it.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use api::debug::HEADER;
use api::remote::{Answer, Open, announced};

use crate::files::{self, Fault};
use crate::port;

/// How long softbus may take to say what it wants.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long the other device may keep a file waiting: reading all of what is there already takes its time.
pub const FILE_PATIENCE: Duration = Duration::from_secs(120);

/// Serves the connection that servicemgr handed over, to its end.
///
/// # Errors
/// There is none, or it broke.
pub fn run() -> io::Result<()> {
    let handed = sys::listen::take()?.into_iter().next();
    let Some((_, connection)) = handed else {
        let why = "no connection was handed over: servicemgr starts this for each of softbus's";
        return Err(io::Error::new(io::ErrorKind::NotFound, why));
    };
    serve(UnixStream::from(connection))
}

/// Serves one connection.
///
/// # Errors
/// It broke, or who is there speaks something else.
pub fn serve(stream: UnixStream) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let open = asked(&stream)?;
    stream.set_read_timeout(None)?;
    match open.target.as_str() {
        "run" => {
            say(&stream, &Answer::Opened)?;
            stream.set_nonblocking(true)?;
            debug_agent::serve::one(&File::from(OwnedFd::from(stream)))
        }
        "file" => file(&stream, &open),
        "port" => match port::reach(open.argument("port")) {
            Ok(server) => {
                say(&stream, &Answer::Opened)?;
                crate::pump::pump(stream, server)
            }
            Err(why) => say(&stream, &Answer::refused("port", &why)),
        },
        other => {
            let why = format!("this device opens no `{other}` to others: is its version older?");
            say(&stream, &Answer::refused("remote", &why))
        }
    }
}

/// What is asked for, and not a byte more.
fn asked(mut stream: &UnixStream) -> io::Result<Open> {
    let bad = |e| io::Error::new(io::ErrorKind::InvalidData, e);
    let mut header = [0; HEADER];
    stream.read_exact(&mut header)?;
    let (kind, length) = announced(header).map_err(bad)?;
    let mut payload = vec![0; length];
    stream.read_exact(&mut payload)?;
    Open::decode(kind, &payload).map_err(bad)
}

fn say(mut stream: &UnixStream, answer: &Answer) -> io::Result<()> {
    stream.write_all(&answer.encode().map_err(io::Error::other)?)
}

fn file(stream: &UnixStream, open: &Open) -> io::Result<()> {
    stream.set_read_timeout(Some(FILE_PATIENCE))?;
    stream.set_write_timeout(Some(FILE_PATIENCE))?;
    let path = Path::new(open.argument("path"));
    let quiet = &mut |_, _| {};
    let refused = |why: &str| say(stream, &Answer::refused("file", why));
    if !path.is_absolute() {
        return refused("paths on another device begin with `/`");
    }
    let went = match open.argument("do") {
        "push" => match files::place(path, open.argument("name")) {
            Ok(place) => {
                say(stream, &Answer::Opened)?;
                files::receive(stream, &place, quiet)
            }
            Err(why) => return refused(&why),
        },
        "pull" => match files::open(path) {
            Ok(file) => {
                say(stream, &Answer::Opened)?;
                files::send(stream, &file, quiet)
            }
            Err(why) => return refused(&why),
        },
        other => return refused(&format!("files are pushed or pulled, and not `{other}`")),
    };
    match went {
        // The other side knows, or is gone and will come again.
        Ok(_) | Err(Fault::Cut(_) | Fault::Theirs(_)) => Ok(()),
        Err(Fault::Ours(why)) => Err(io::Error::other(format!("{}: {why}", path.display()))),
    }
}
