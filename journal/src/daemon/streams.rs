//! stdout and stderr of services.
//!
//! ```text
//! servicemgr ── name, kept end of the pipe ──► Streams          name alone: it has ended
//! pipes ──► one set for all ──► busy, each in turn ──► lines ──► log
//! ```
//!
//! servicemgr sends for each service one packet over `streams`: its name, and the kept end of its
//! pipe. It sends all of them again to each new journal, and may do so to this one: a pipe that is
//! read already is not read twice. The kept end can write too, so a pipe never tells by itself that
//! nobody will write any more.
//!
//! There are as many streams as services, and most say nothing most of the time: such a one costs its
//! name and a place in the set. Invariant: who writes all the time gets one read a turn, as the others do.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::fs::File;
use std::future::pending;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::rc::Rc;
use std::time::Duration;

use sys::seqpacket;
use sys::watch::{Set, What};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::watch;

use super::ready;
use super::shared::Shared;
use crate::record::line::{Break, Lines};
use crate::record::{Entry, Origin, line, origin};

/// Most pipes that are read: more services than any device has.
const MAX_STREAMS: usize = 4096;

/// Most streams that are read before what they said is written and others have their turn.
const BATCH: usize = 64;

/// Time after which a line that has not ended is taken as it is: a pipe does not tell that the
/// service behind it is gone.
const OPEN_LINE: Duration = Duration::from_secs(3);

/// Most reads from one stream at the end, as many as a pipe holds; who goes on writing is not waited for.
const LAST_READS: usize = 16;

/// Takes streams until `stop` is true, then drains them.
///
/// # Errors
/// The socket cannot be waited for.
pub(super) async fn receive(
    shared: Rc<Shared>,
    control: OwnedFd,
    mut stop: watch::Receiver<bool>,
) -> io::Result<()> {
    let mut control = Some(ready::of(control, Interest::READABLE)?);
    let mut streams = Streams::new()?;
    loop {
        tokio::select! {
            () = readable(control.as_ref()) => {
                match control.as_ref().map_or(Ok(false), |control| streams.hear(control, &shared)) {
                    Ok(true) => {}
                    Ok(false) => control = None,
                    Err(e) => {
                        control = None;
                        say(&shared, 3, &format!("no more streams of services will come: {e}"));
                    }
                }
            }
            _ = stop.wait_for(|stop| *stop) => break,
            () = streams.ready() => streams.turn(&shared),
            () = after(streams.due()) => streams.finish(&shared),
        }
        tokio::task::yield_now().await;
    }
    streams.drain(&shared).await;
    // The kernel closes them faster than we do, and nobody waits for it.
    std::mem::forget(streams);
    Ok(())
}

async fn readable(control: Option<&AsyncFd<OwnedFd>>) {
    match control {
        // That it is broken is found when it is read.
        Some(control) => drop(control.readable().await.map(|mut ready| ready.retain_ready())),
        None => pending().await,
    }
}

async fn after(at: Option<Duration>) {
    match at {
        Some(at) => tokio::time::sleep(at.saturating_sub(sys::clock::monotonic())).await,
        None => pending().await,
    }
}

fn say(shared: &Shared, priority: u8, text: &str) {
    shared.with(|log, _| log.say(priority, text));
    shared.write();
}

/// All of them, by the number that the set gives.
struct Streams {
    set: Set,
    woken: AsyncFd<OwnedFd>,
    all: BTreeMap<u64, Stream>,
    next: u64,
    /// Device and inode of the pipes that are read.
    pipes: HashSet<(u64, u64)>,
    /// Those that may have something to read, in the order of their turns.
    busy: VecDeque<u64>,
    /// Those with a line that has not ended, and when it is taken as it is.
    open: BTreeMap<u64, Duration>,
}

/// The output of one service.
struct Stream {
    file: File,
    pipe: (u64, u64),
    name: Box<str>,
    lines: Lines,
    /// It waits for its turn.
    busy: bool,
}

/// What a read showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Left {
    /// There may be more now.
    More,
    /// Nothing is left for now.
    Nothing,
    /// Nothing will come any more.
    End,
}

impl Streams {
    fn new() -> io::Result<Self> {
        let set = Set::new()?;
        let woken = ready::of(set.as_fd().try_clone_to_owned()?, Interest::READABLE)?;
        Ok(Self {
            set,
            woken,
            all: BTreeMap::new(),
            next: 0,
            pipes: HashSet::new(),
            busy: VecDeque::new(),
            open: BTreeMap::new(),
        })
    }

    /// Takes one packet. False: no more will come.
    fn hear(&mut self, control: &AsyncFd<OwnedFd>, shared: &Shared) -> io::Result<bool> {
        let mut name = [0; origin::MAX_SERVICE];
        let packet =
            control.try_io(Interest::READABLE, |control| seqpacket::recv_now(control, &mut name));
        let (length, fds) = match packet {
            Ok((0, fds, _)) if fds.is_empty() => return Ok(false),
            Ok((length, fds, _)) => (length, fds),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(true),
            Err(e) if e.kind() == io::ErrorKind::InvalidData => return Ok(true),
            Err(e) => return Err(e),
        };
        let name = std::str::from_utf8(name.get(..length).unwrap_or_default()).ok();
        let done = match name.filter(|name| origin::is_service(name)) {
            None => Err(bad("its name is not that of a service")),
            Some(name) => match <[OwnedFd; 1]>::try_from(fds) {
                Ok([fd]) => self.add(name, File::from(fd)),
                Err(none) if none.is_empty() => {
                    self.end_of(name, shared);
                    Ok(())
                }
                Err(_) => Err(bad("its packet does not hold one descriptor")),
            },
        };
        if let Err(e) = done {
            say(shared, 4, &format!("cannot read a stream: {e}"));
        }
        Ok(true)
    }

    fn add(&mut self, name: &str, file: File) -> io::Result<()> {
        let found = file.metadata()?;
        let pipe = (found.dev(), found.ino());
        if self.pipes.contains(&pipe) {
            return Ok(());
        }
        if self.all.len() >= MAX_STREAMS {
            return Err(bad("there are too many"));
        }
        sys::poll::set_nonblocking(&file)?;
        self.set.add(&file, What::Reading, self.next)?;
        self.pipes.insert(pipe);
        let stream = Stream { file, pipe, name: name.into(), lines: Lines::default(), busy: false };
        self.all.insert(self.next, stream);
        self.next += 1;
        Ok(())
    }

    /// Waits until [`Streams::turn`] has something to do.
    async fn ready(&self) {
        if self.busy.is_empty()
            && let Ok(mut ready) = self.woken.readable().await
        {
            ready.retain_ready();
        }
    }

    /// Reads once from each that may have something, a batch at most, and writes once.
    fn turn(&mut self, shared: &Shared) {
        let woken = self.woken.try_io(Interest::READABLE, |_| {
            Some(self.set.next()?).filter(|n| !n.is_empty()).ok_or(io::ErrorKind::WouldBlock.into())
        });
        self.have_something(woken.unwrap_or_default());
        for _ in 0..self.busy.len().min(BATCH) {
            let Some(number) = self.busy.pop_front() else { break };
            let Some(stream) = self.all.get_mut(&number) else { continue };
            let left = stream.take(shared);
            if stream.lines.is_open() {
                self.open.insert(number, sys::clock::monotonic() + OPEN_LINE);
            } else {
                self.open.remove(&number);
            }
            stream.busy = left == Left::More;
            match left {
                Left::More => self.busy.push_back(number),
                Left::Nothing => {}
                Left::End => self.end(number, shared),
            }
        }
        shared.write();
    }

    /// Puts these in the line for a turn.
    fn have_something(&mut self, numbers: Vec<u64>) {
        for number in numbers {
            if let Some(stream) = self.all.get_mut(&number)
                && !std::mem::replace(&mut stream.busy, true)
            {
                self.busy.push_back(number);
            }
        }
    }

    /// Nobody will write to the streams of this service any more.
    fn end_of(&mut self, name: &str, shared: &Shared) {
        let theirs = self.all.iter().filter(|(_, stream)| &*stream.name == name);
        for number in theirs.map(|(number, _)| *number).collect::<Vec<u64>>() {
            if let Some(stream) = self.all.get_mut(&number) {
                stream.take_rest(shared);
            }
            self.end(number, shared);
        }
        shared.write();
    }

    fn end(&mut self, number: u64, shared: &Shared) {
        self.open.remove(&number);
        if let Some(mut stream) = self.all.remove(&number) {
            stream.finish(shared);
            self.set.remove(&stream.file);
            self.pipes.remove(&stream.pipe);
        }
    }

    /// When the next open line is taken as it is.
    fn due(&self) -> Option<Duration> {
        self.open.values().min().copied()
    }

    /// Takes the lines that have been open for too long.
    fn finish(&mut self, shared: &Shared) {
        let now = sys::clock::monotonic();
        for (number, _) in self.open.extract_if(.., |_, due| *due <= now) {
            if let Some(stream) = self.all.get_mut(&number) {
                stream.finish(shared);
            }
        }
        shared.write();
    }

    /// Takes what is there, for the last time: the set tells who has something, most have not.
    async fn drain(&mut self, shared: &Shared) {
        // Asks the set itself: the runtime may not have heard yet.
        while let Ok(numbers) = self.set.next()
            && !numbers.is_empty()
        {
            self.have_something(numbers);
        }
        for number in std::mem::take(&mut self.busy) {
            if let Some(stream) = self.all.get_mut(&number) {
                stream.take_rest(shared);
                stream.finish(shared);
                shared.write();
                tokio::task::yield_now().await;
            }
        }
        for number in std::mem::take(&mut self.open).into_keys() {
            self.all.get_mut(&number).into_iter().for_each(|stream| stream.finish(shared));
        }
        shared.write();
    }
}

impl Stream {
    /// Reads once.
    fn take(&mut self, shared: &Shared) -> Left {
        let Self { file, name, lines, .. } = self;
        shared.with(|log, room| match file.read(room) {
            Ok(0) => Left::End,
            Ok(count) => {
                let origin = origin_of(name);
                lines.push(room.get(..count).unwrap_or_default(), |text, why| {
                    if let Some(entry) = entry(name, text, why) {
                        log.take(&entry, &origin);
                    }
                });
                // A pipe that had less than there was room for is empty; more of it is told anew.
                if count < room.len() { Left::Nothing } else { Left::More }
            }
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => Left::Nothing,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => Left::More,
            Err(_) => Left::End,
        })
    }

    /// Reads what is there, for the last time.
    fn take_rest(&mut self, shared: &Shared) {
        for _ in 0..LAST_READS {
            if self.take(shared) != Left::More {
                break;
            }
        }
    }

    /// Takes the open line as it is.
    fn finish(&mut self, shared: &Shared) {
        let Self { name, lines, .. } = self;
        shared.with(|log, _| {
            lines.finish(|text, why| {
                if let Some(entry) = entry(name, text, why) {
                    log.take(&entry, &origin_of(name));
                }
            });
        });
    }
}

fn bad(text: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, text.to_owned())
}

fn origin_of(name: &str) -> Origin {
    let unit = Some(format!("{name}.service"));
    Origin { transport: "stdout", unit, ..Origin::default() }
}

fn entry<'a>(name: &'a str, text: &'a [u8], why: Option<Break>) -> Option<Entry<'a>> {
    Some(line::parse(text, why)?.with("SYSLOG_IDENTIFIER", name.as_bytes()))
}
