//! Both ends of [`api::remote::files`]: a file that is sent, and one that is received.
//!
//! ```text
//! receive:  .NAME.part, locked ─ as much of it as the sender confirms is kept ─ all there, digest right ─► NAME
//!                 └── cut, full disk, killed: it stays, and the next try goes on from there
//! ```
//!
//! Invariant: at NAME is what was there before or the whole new file, on disk; never a part of it. What may go wrong on one
//! side is told to the other before the stream is closed.

mod part;

use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use api::debug::{Decoder, HEADER};
use api::remote::files::{DIGEST, Message, PIECE};
use sha2::{Digest, Sha256};
use sys::poll::{For, poll};

use part::Part;

/// Permission bits that are kept: none that give somebody's rights away.
const MODE: u32 = 0o777;

/// How long what is still under way is taken after a mistake, so that the other side hears of it.
const FAREWELL: Duration = Duration::from_secs(5);

/// Why a file did not get there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The stream ended before all was said. Another try goes on from there.
    Cut(String),
    /// It does not work on this side.
    Ours(String),
    /// It does not work on the other side, which says so.
    Theirs(String),
}

/// What was carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Went {
    /// Bytes of the file.
    pub size: u64,
    /// So many of them were there already.
    pub before: u64,
}

/// Told how many bytes are there, and of how many.
pub type Progress<'a> = &'a mut dyn FnMut(u64, u64);

/// Opens the regular file at `path`; a link to one will do.
///
/// # Errors
/// Why not, in words for people.
pub fn open(path: &Path) -> Result<File, String> {
    sys::regular::reach(path).map_err(|e| {
        let hint = if path.is_dir() { "; `tar` packs a directory" } else { "" };
        format!("cannot open {}: {e}{hint}", path.display())
    })
}

/// Where a file that is called `name` goes when it is sent to `path`: into it if that is a directory.
///
/// # Errors
/// Why it can't, in words for people.
pub fn place(path: &Path, name: &str) -> Result<PathBuf, String> {
    let into = path.is_dir() || path.as_os_str().as_encoded_bytes().ends_with(b"/");
    let legal = !name.is_empty() && name != "." && name != ".." && !name.contains(['/', '\0']);
    if into && !legal {
        return Err(format!("`{}` is no name of a file", name.escape_debug()));
    }
    let place = if into { path.join(name) } else { path.to_owned() };
    if place.file_name().is_none() {
        return Err(format!("{} does not end with the name of a file", path.display()));
    }
    match place.parent().map(std::fs::metadata) {
        Some(Err(e)) => Err(format!("cannot put anything at {}: {e}", place.display())),
        Some(Ok(about)) if !about.is_dir() => {
            Err(format!("{}: what it would be in is no directory", place.display()))
        }
        _ if place.is_dir() => Err(format!("{} is a directory", place.display())),
        _ => Ok(place),
    }
}

/// Sends a file that is open at its beginning.
///
/// # Errors
/// [`Fault`].
pub fn send(stream: &UnixStream, file: &File, progress: Progress<'_>) -> Result<Went, Fault> {
    let mut line = Line::new(stream);
    let done = sender(&mut line, file, progress);
    line.farewell(done)
}

fn sender(line: &mut Line<'_>, mut file: &File, progress: Progress<'_>) -> Result<Went, Fault> {
    let ours = |e: io::Error| Fault::Ours(format!("cannot read it: {e}"));
    let about = file.metadata().map_err(ours)?;
    let size = about.len();
    let mtime = about.mtime().saturating_mul(1_000_000_000).saturating_add(about.mtime_nsec());
    line.say(&Message::Offer { size, mode: about.mode() & MODE, mtime })?;
    let Message::Have { offset, digest: theirs } = line.hear()? else { return Err(stray()) };
    let mut hasher = Sha256::new();
    let mut before = 0;
    if offset <= size {
        before = io::copy(&mut file.take(offset), &mut Hashing(&mut hasher)).map_err(ours)?;
    }
    if before != offset || digest(&hasher) != theirs {
        (hasher, before) = (Sha256::new(), 0);
        file.rewind().map_err(ours)?;
    }
    line.say(&Message::From(before))?;
    let mut at = before;
    progress(at, size);
    let mut piece = vec![0; PIECE];
    while at < size {
        let most = usize::try_from(size - at).unwrap_or(PIECE).min(PIECE);
        let count = file.read(piece.get_mut(..most).unwrap_or_default()).map_err(ours)?;
        let bytes = piece.get(..count).filter(|bytes| !bytes.is_empty());
        let bytes = bytes.ok_or_else(|| Fault::Ours("it became shorter meanwhile".to_owned()))?;
        hasher.update(bytes);
        line.say(&Message::Data(bytes.to_vec()))?;
        at = at.saturating_add(u64::try_from(count).unwrap_or_default());
        progress(at, size);
        line.objections()?;
    }
    let now = file.metadata().map_err(ours)?;
    if (now.len(), now.mtime(), now.mtime_nsec()) != (size, about.mtime(), about.mtime_nsec()) {
        return Err(Fault::Ours("it was changed meanwhile: send it again".to_owned()));
    }
    line.say(&Message::End(digest(&hasher)))?;
    match line.hear()? {
        Message::Done => Ok(Went { size, before }),
        _ => Err(stray()),
    }
}

/// Receives a file to `target`, whose directory is there.
///
/// # Errors
/// [`Fault`].
pub fn receive(stream: &UnixStream, target: &Path, progress: Progress<'_>) -> Result<Went, Fault> {
    let mut line = Line::new(stream);
    let done = receiver(&mut line, target, progress);
    line.farewell(done)
}

fn receiver(line: &mut Line<'_>, target: &Path, progress: Progress<'_>) -> Result<Went, Fault> {
    let Message::Offer { size, mode, mtime } = line.hear()? else { return Err(stray()) };
    let mut part = Part::open(target, size).map_err(Fault::Ours)?;
    line.say(&Message::Have { offset: part.length(), digest: part.digest() })?;
    match line.hear()? {
        Message::From(at) if at == part.length() => {}
        Message::From(0) => part.anew().map_err(Fault::Ours)?,
        _ => return Err(stray()),
    }
    let before = part.length();
    progress(before, size);
    let theirs = loop {
        match line.hear()? {
            Message::Data(bytes) => part.write(&bytes).map_err(Fault::Ours)?,
            Message::End(digest) => break digest,
            _ => return Err(stray()),
        }
        progress(part.length(), size);
    };
    part.finish(theirs, mode & MODE, mtime).map_err(Fault::Ours)?;
    line.say(&Message::Done)?;
    Ok(Went { size, before })
}

fn stray() -> Fault {
    Fault::Ours("the other side says what makes no sense here: is its version another?".to_owned())
}

fn digest(hasher: &Sha256) -> [u8; DIGEST] {
    hasher.clone().finalize().into()
}

/// What is written here only counts for the digest.
struct Hashing<'a>(&'a mut Sha256);

impl Write for Hashing<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The stream, as messages.
struct Line<'a> {
    stream: &'a UnixStream,
    decoder: Decoder,
    buffer: Vec<u8>,
}

impl<'a> Line<'a> {
    fn new(stream: &'a UnixStream) -> Self {
        Self { stream, decoder: Decoder::default(), buffer: vec![0; HEADER + PIECE] }
    }

    fn say(&mut self, message: &Message) -> Result<(), Fault> {
        let bytes = message.encode().map_err(|bad| Fault::Ours(bad.to_string()))?;
        let Err(e) = self.stream.write_all(&bytes) else { return Ok(()) };
        // It may have said why before it closed.
        while let Ok(message) = self.hear() {
            if let Message::Failed(why) = message {
                return Err(Fault::Theirs(why));
            }
        }
        Err(cut(&e))
    }

    /// The next message; what the other side could not do is a [`Fault`].
    fn hear(&mut self) -> Result<Message, Fault> {
        loop {
            match self.decoder.take() {
                Ok(Some(Message::Failed(why))) => return Err(Fault::Theirs(why)),
                Ok(Some(message)) => return Ok(message),
                Err(_) => return Err(stray()),
                Ok(None) => {}
            }
            match self.stream.read(&mut self.buffer) {
                Ok(0) => return Err(Fault::Cut("the stream ended".to_owned())),
                Ok(count) => self.decoder.push(self.buffer.get(..count).unwrap_or_default()),
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(cut(&e)),
            }
        }
    }

    /// Looks whether the other side has said meanwhile that it can't go on.
    fn objections(&mut self) -> Result<(), Fault> {
        let ready = poll(&[(self.stream.as_fd(), For::Reading)], Some(Duration::ZERO));
        let said = ready.is_ok_and(|ready| ready.iter().any(|ready| ready.read));
        if said { self.hear().and(Err(stray())) } else { Ok(()) }
    }

    /// Tells the other side of a mistake here, and lets it hear that: what it still sends is thrown away.
    fn farewell(mut self, done: Result<Went, Fault>) -> Result<Went, Fault> {
        let Err(Fault::Ours(why)) = &done else { return done };
        let told = Message::Failed(why.clone()).encode().ok();
        let told = told.is_some_and(|bytes| self.stream.write_all(&bytes).is_ok());
        if told && self.stream.set_read_timeout(Some(FAREWELL)).is_ok() {
            while matches!(self.stream.read(&mut self.buffer), Ok(1..)) {}
        }
        done
    }
}

fn cut(e: &io::Error) -> Fault {
    Fault::Cut(match e.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => "the other side went silent".to_owned(),
        _ => format!("the stream broke: {e}"),
    })
}
