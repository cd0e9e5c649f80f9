//! Where our own messages go: the journal, by a thread of their own.
//!
//! The journal is a service of ours. If we waited for it to take a message while it waits for us
//! to start it, both would wait for ever; so the loop only queues, and a full queue drops and
//! counts. Until there is a journal socket, and when the journal is off or has failed for good,
//! `/dev/kmsg` or standard error takes the messages.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use log::{Level, LevelFilter, Log, Metadata, Record};
use systemd_journal_logger::JournalLog;

/// Messages that may wait for the journal.
const QUEUE: usize = 1024;

/// Stack of the thread, in bytes; it formats one line.
const STACK: usize = 64 * 1024;

/// No journal will read what we say.
static WITHOUT_JOURNAL: AtomicBool = AtomicBool::new(false);

/// Whether messages go past the journal from now on: one that has failed leaves an open socket.
pub(super) fn without_journal(without: bool) {
    WITHOUT_JOURNAL.store(without, Ordering::Relaxed);
}

struct Line {
    level: Level,
    text: String,
    service: Option<String>,
}

struct Voice {
    queue: SyncSender<Line>,
    lost: AtomicU64,
}

/// Makes `log::info!` and its like work. The service a message is about is the target of its
/// record, when it is none of our modules.
///
/// # Errors
/// The thread could not be started, or there is a logger already.
pub(super) fn install() -> Result<(), Box<dyn std::error::Error>> {
    let (queue, lines) = sync_channel(QUEUE);
    thread::Builder::new().name("log".into()).stack_size(STACK).spawn(move || write(&lines))?;
    log::set_boxed_logger(Box::new(Voice { queue, lost: AtomicU64::new(0) }))?;
    log::set_max_level(LevelFilter::Info);
    Ok(())
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
        let line = Line { level: record.level(), text: record.args().to_string(), service };
        if self.queue.try_send(line).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let lost = self.lost.swap(0, Ordering::Relaxed);
        if lost > 0 {
            let text = format!("{lost} messages lost: the journal did not take them in time");
            let line = Line { level: Level::Warn, text, service: None };
            // If not even this fits, the next message counts again.
            if self.queue.try_send(line).is_err() {
                self.lost.fetch_add(lost, Ordering::Relaxed);
            }
        }
    }

    fn flush(&self) {}
}

fn write(lines: &Receiver<Line>) {
    let mut journal = None;
    let mut kernel = OpenOptions::new().write(true).open("/dev/kmsg").ok();
    for line in lines {
        if journal.is_none() {
            journal =
                JournalLog::new().ok().map(|j| j.with_syslog_identifier("servicemgr".to_owned()));
        }
        let without = WITHOUT_JOURNAL.load(Ordering::Relaxed);
        let sent = !without && journal.as_ref().is_some_and(|j| to_journal(j, &line));
        if !sent {
            journal = None;
            elsewhere(kernel.as_mut(), &line);
        }
    }
}

fn to_journal(journal: &JournalLog, line: &Line) -> bool {
    // journald's name for what root says about a service: `log -u NAME` shows it too.
    let unit = line.service.as_ref().map(|name| ("UNIT", format!("{name}.service")));
    journal
        .journal_send(
            &Record::builder()
                .level(line.level)
                .target("servicemgr")
                .args(format_args!("{}", line.text))
                .key_values(&unit)
                .build(),
        )
        .is_ok()
}

#[expect(clippy::print_stderr, reason = "a device with no journal yet still has a console")]
fn elsewhere(kernel: Option<&mut File>, line: &Line) {
    let priority = match line.level {
        Level::Error => 27,
        Level::Warn => 28,
        _ => 30,
    };
    // The kernel takes each write as a message of its own.
    let message = format!("<{priority}>servicemgr: {}\n", line.text);
    let written = kernel.map(|k| k.write_all(message.as_bytes()));
    if !matches!(written, Some(Ok(()))) {
        eprintln!("servicemgr: {}", line.text);
    }
}
