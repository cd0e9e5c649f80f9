//! Where our own messages go: the journal, without ever waiting for it.
//!
//! ```text
//! log::info! ──► queue ──next, or soon────► journal's socket      one datagram for many messages
//!                  └── full socket: when it has room again; no journal: /dev/kmsg, or stderr
//! ```
//!
//! The journal is a service of ours. If we waited for it to take a message while it waits for us
//! to start it, both would wait for ever; so nothing here blocks, and a full queue drops and
//! counts. Until there is a journal socket, and when the journal is off or has failed for good,
//! `/dev/kmsg` or standard error takes the messages.
//!
//! Each message wakes the journal, which costs more than the message. So the first goes once the work in
//! hand is done, a start or an answer somebody waits for, and what follows within [`GATHER`] goes together.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixDatagram;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use api::{export, paths};
use log::{Level, LevelFilter, Log, Metadata, Record};
use sys::poll::{For, poll};
use tokio::io::Interest;
use tokio::runtime::Handle;

use super::{clock, ready};

/// Messages that may wait for the journal.
const QUEUE: usize = 1024;

/// How long messages are gathered after one was sent.
const GATHER: Duration = Duration::from_millis(5);

/// Most messages of one datagram, far below what the journal takes.
const TOGETHER: usize = 64;

/// Longest message in bytes; the rest of it is cut off. A datagram of the longest has room in any
/// socket.
const MAX_TEXT: usize = 1024;

/// Whoever may log; there is one.
static VOICE: Voice = Voice(Mutex::new(Lines::new()));

/// Whether messages go past the journal from now on: one that has failed leaves an open socket.
pub(super) fn without_journal(without: bool) {
    let mut lines = VOICE.lines();
    lines.without = without;
    if without {
        lines.journal = None;
        lines.send();
    }
}

/// Says something about a service, with more fields for who looks for such records.
pub(super) fn tell(service: &str, text: &str, fields: &[(&'static str, String)]) {
    let mut text = text.to_owned();
    text.truncate(text.floor_char_boundary(MAX_TEXT));
    let (service, fields) = (Some(service.to_owned()), fields.to_vec());
    VOICE.lines().add(Line { level: Level::Info, text, service, fields });
}

struct Line {
    level: Level,
    text: String,
    service: Option<String>,
    /// Fields of the record beside the usual ones.
    fields: Vec<(&'static str, String)>,
}

struct Voice(Mutex<Lines>);

/// The messages that wait, and where they go.
struct Lines {
    queue: VecDeque<Line>,
    lost: u64,
    journal: Option<UnixDatagram>,
    kernel: Option<File>,
    without: bool,
    /// A task will send the queue.
    later: bool,
    sent: Duration,
}

/// Makes `log::info!` and its like work. The service a message is about is the target of its
/// record, when it is none of our modules.
///
/// # Errors
/// There is a logger already.
pub(super) fn install() -> Result<(), Box<dyn std::error::Error>> {
    VOICE.lines().kernel = OpenOptions::new().write(true).open("/dev/kmsg").ok();
    log::set_logger(&VOICE)?;
    log::set_max_level(LevelFilter::Info);
    Ok(())
}

impl Voice {
    fn lines(&self) -> MutexGuard<'_, Lines> {
        // Nothing below panics; if it ever does, words are not worth another one.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Log for Voice {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        // zbus and its like have nothing to say to the owner of a device.
        !metadata.target().contains("zbus")
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let service = Some(record.target()).filter(|t| !t.contains("::")).map(str::to_owned);
        let mut text = record.args().to_string();
        text.truncate(text.floor_char_boundary(MAX_TEXT));
        self.lines().add(Line { level: record.level(), text, service, fields: Vec::new() });
    }

    fn flush(&self) {
        self.lines().send();
    }
}

impl Lines {
    const fn new() -> Self {
        Self {
            queue: VecDeque::new(),
            lost: 0,
            journal: None,
            kernel: None,
            without: false,
            later: false,
            sent: Duration::ZERO,
        }
    }

    fn add(&mut self, line: Line) {
        if self.queue.len() >= QUEUE {
            self.lost += 1;
            return;
        }
        self.queue.push_back(line);
        if self.later {
            return;
        }
        let runtime = Handle::try_current().ok();
        let soon = self.sent.saturating_add(GATHER).saturating_sub(clock());
        let wait = runtime.is_some() && self.journal.is_some();
        if (wait || !self.send())
            && let Some(runtime) = runtime
        {
            self.later = true;
            runtime.spawn(later(if wait { soon } else { Duration::ZERO }));
        }
    }

    /// Sends what waits. False: the journal has no room for the rest.
    fn send(&mut self) -> bool {
        while !self.queue.is_empty() {
            let count = self.queue.len().min(TOGETHER);
            match self.give(count) {
                Ok(()) => self.took(count),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return false,
                Err(_) => self.elsewhere(),
            }
        }
        true
    }

    fn took(&mut self, count: usize) {
        self.queue.drain(..count);
        let lost = std::mem::take(&mut self.lost);
        if lost > 0 {
            let text = format!("{lost} messages lost: the journal did not take them in time");
            let (service, fields) = (None, Vec::new());
            self.queue.push_back(Line { level: Level::Warn, text, service, fields });
        }
    }

    fn give(&mut self, count: usize) -> io::Result<()> {
        if self.without {
            return Err(io::ErrorKind::NotConnected.into());
        }
        let mut packet = Vec::new();
        self.queue.iter().take(count).for_each(|line| line.write(&mut packet));
        if let Some(journal) = &self.journal {
            match journal.send(&packet) {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Err(e),
                Ok(_) => {
                    self.sent = clock();
                    return Ok(());
                }
                // The socket is another one now.
                Err(_) => self.journal = None,
            }
        }
        self.journal.insert(connect()?).send(&packet)?;
        self.sent = clock();
        Ok(())
    }

    /// Gives the first message to the kernel's log, or to standard error.
    fn elsewhere(&mut self) {
        let Some(line) = self.queue.pop_front() else { return };
        let priority = match line.level {
            Level::Error => 27,
            Level::Warn => 28,
            _ => 30,
        };
        // The kernel takes each write as a message of its own.
        let message = format!("<{priority}>servicemgr: {}\n", line.text);
        let kernel = self.kernel.as_mut().map(|k| k.write_all(message.as_bytes()));
        if !matches!(kernel, Some(Ok(()))) && to_stderr(&line.text).is_err() {
            self.lost += 1;
        }
    }
}

impl Line {
    fn write(&self, out: &mut Vec<u8>) {
        let priority: &[u8] = match self.level {
            Level::Error => b"3",
            Level::Warn => b"4",
            _ => b"6",
        };
        export::put(out, "PRIORITY", priority);
        export::put(out, "SYSLOG_IDENTIFIER", b"servicemgr");
        if let Some(service) = &self.service {
            // journald's name for what root says about a service: `log -u NAME` shows it too.
            export::put(out, "UNIT", format!("{service}.service").as_bytes());
        }
        for (name, value) in &self.fields {
            export::put(out, name, value.as_bytes());
        }
        export::put(out, "MESSAGE", self.text.as_bytes());
        export::end(out);
    }
}

fn connect() -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    socket.connect(paths::JOURNAL_NATIVE)?;
    Ok(socket)
}

/// Only if it has room now: who does not read must not stop us.
fn to_stderr(text: &str) -> io::Result<()> {
    let mut to = io::stderr();
    let ready = poll(&[(to.as_fd(), For::Writing)], Some(Duration::ZERO))?;
    if !ready.iter().any(|r| r.write) {
        return Err(io::ErrorKind::WouldBlock.into());
    }
    to.write_all(format!("servicemgr: {text}\n").as_bytes())
}

/// Sends the queue after a while, and whenever the journal has room, until it is empty.
async fn later(soon: Duration) {
    if soon.is_zero() {
        tokio::task::yield_now().await;
    } else {
        tokio::time::sleep(soon).await;
    }
    loop {
        let blocked = {
            let mut lines = VOICE.lines();
            if lines.send() {
                lines.later = false;
                return;
            }
            lines.journal.as_ref().and_then(|journal| journal.try_clone().ok())
        };
        let room = blocked.and_then(|fd| ready::watch(OwnedFd::from(fd), Interest::WRITABLE).ok());
        match room {
            Some(journal) => drop(journal.writable().await),
            None => tokio::time::sleep(GATHER).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Line {
        let service = Some("web".to_owned());
        Line { level: Level::Info, text: text.to_owned(), service, fields: Vec::new() }
    }

    fn with_journal() -> (Lines, UnixDatagram) {
        let (ours, theirs) = UnixDatagram::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        theirs.set_nonblocking(true).unwrap();
        (Lines { journal: Some(ours), ..Lines::new() }, theirs)
    }

    fn received(journal: &UnixDatagram) -> Option<String> {
        let mut buf = vec![0; TOGETHER * (MAX_TEXT + 256)];
        let n = journal.recv(&mut buf).ok()?;
        Some(String::from_utf8(buf.get(..n).unwrap().to_vec()).unwrap())
    }

    #[test]
    fn what_waits_goes_in_one_datagram() {
        let (mut lines, journal) = with_journal();
        lines.queue.extend([line("one"), line("two\nlines")]);
        assert!(lines.send());
        let head = "PRIORITY=6\nSYSLOG_IDENTIFIER=servicemgr\nUNIT=web.service\n";
        let length = "\u{9}\0\0\0\0\0\0\0";
        let all = format!("{head}MESSAGE=one\n\n{head}MESSAGE\n{length}two\nlines\n\n");
        assert_eq!(received(&journal), Some(all));
        assert_eq!(received(&journal), None);
    }

    #[test]
    fn a_record_may_have_fields_of_its_own() {
        let (mut lines, journal) = with_journal();
        lines.queue.push_back(Line { fields: vec![("PERMISSION", "a\nb".into())], ..line("x") });
        assert!(lines.send());
        let told = received(&journal).unwrap();
        assert!(told.contains("PERMISSION\n\u{3}\0\0\0\0\0\0\0a\nb\nMESSAGE=x\n"), "{told:?}");
    }

    #[test]
    fn a_full_journal_is_not_waited_for_and_loses_nothing() {
        let (mut lines, journal) = with_journal();
        let mut said = 0;
        while lines.queue.is_empty() {
            said += 1;
            lines.queue.push_back(line(&said.to_string()));
            lines.send();
        }
        let mut heard = String::new();
        while let Some(text) = received(&journal) {
            heard.push_str(&text);
            lines.send();
        }
        assert_eq!(heard.matches("MESSAGE=").count(), said);
        assert!(heard.ends_with(&format!("MESSAGE={said}\n\n")));
    }

    #[test]
    fn what_a_full_queue_lost_is_told_with_the_next_words() {
        let (mut lines, journal) = with_journal();
        lines.lost = 7;
        lines.queue.push_back(line("next"));
        assert!(lines.send());
        assert!(received(&journal).unwrap().contains("MESSAGE=next\n"));
        assert!(received(&journal).unwrap().contains("MESSAGE=7 messages lost: "));
    }
}
