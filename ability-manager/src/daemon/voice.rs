//! Our own messages: lines on standard error, each with its priority in front, which the journal takes.

use std::io::Write;

use log::{Level, LevelFilter, Log, Metadata, Record};

/// The voice.
struct Voice;

/// From now on what is logged is heard. A second call changes nothing.
pub(crate) fn install() {
    // There is one already, in tests.
    let _again = log::set_logger(&Voice);
    log::set_max_level(LevelFilter::Info);
}

impl Log for Voice {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let priority = match record.level() {
            Level::Error => 3,
            Level::Warn => 4,
            Level::Info => 6,
            Level::Debug | Level::Trace => return,
        };
        // One line a message: texts of apps are among them.
        let text = record.args().to_string().replace(char::is_control, " ");
        // Nobody would hear that nobody hears us.
        let _lost = writeln!(std::io::stderr(), "<{priority}>{text}");
    }

    fn flush(&self) {}
}
