//! What long work says while it runs: bars and spinners on a terminal, plain lines elsewhere.
//!
//! Everything goes to standard error; standard output belongs to commands and to `--json`.

use std::borrow::Cow;
use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

/// How often a spinner turns.
const TURN: Duration = Duration::from_millis(120);

/// Where long work is told.
pub trait Progress: Sync {
    /// Begins a piece of work; it ends when the [`Step`] is dropped.
    fn step(&self, what: &str) -> Box<dyn Step>;

    /// Says one line that stays.
    fn note(&self, line: &str);
}

/// A piece of work.
pub trait Step: Send + Sync {
    /// It is this many bytes of work.
    fn total(&self, bytes: u64);

    /// This many bytes more are done.
    fn advance(&self, bytes: u64);

    /// What it does right now.
    fn say(&self, detail: &str);
}

/// The progress that fits where standard error goes; `verbose` also keeps finished steps.
#[must_use]
pub fn to_stderr(verbose: bool) -> Box<dyn Progress> {
    if io::stderr().is_terminal() {
        Box::new(Bars { all: MultiProgress::new(), verbose })
    } else {
        Box::new(Lines)
    }
}

/// Nothing at all, for programs that read.
#[derive(Debug, Clone, Copy)]
pub struct Silent;

impl Progress for Silent {
    fn step(&self, _: &str) -> Box<dyn Step> {
        Box::new(Silent)
    }

    fn note(&self, _: &str) {}
}

impl Step for Silent {
    fn total(&self, _: u64) {}

    fn advance(&self, _: u64) {}

    fn say(&self, _: &str) {}
}

#[derive(Debug)]
struct Bars {
    all: MultiProgress,
    verbose: bool,
}

struct Bar {
    bar: ProgressBar,
    keep: bool,
}

impl Progress for Bars {
    fn step(&self, what: &str) -> Box<dyn Step> {
        let bar = self.all.add(ProgressBar::new_spinner().with_style(style(SPINNER)));
        bar.set_prefix(what.to_owned());
        bar.enable_steady_tick(TURN);
        Box::new(Bar { bar, keep: self.verbose })
    }

    fn note(&self, line: &str) {
        // A terminal that cannot be written to shows nothing: there is nobody to tell.
        let _lost = self.all.println(line);
    }
}

impl Step for Bar {
    fn total(&self, bytes: u64) {
        self.bar.set_length(bytes);
        self.bar.set_style(style(BYTES));
    }

    fn advance(&self, bytes: u64) {
        self.bar.inc(bytes);
    }

    fn say(&self, detail: &str) {
        self.bar.set_message(Cow::Owned(detail.to_owned()));
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        if self.keep {
            self.bar.set_style(style(DONE));
            self.bar.finish();
        } else {
            self.bar.finish_and_clear();
        }
    }
}

const SPINNER: &str = "{spinner} {prefix} {wide_msg:.dim}";
const BYTES: &str = "{spinner} {prefix} {bar:25} {bytes}/{total_bytes} {wide_msg:.dim}";
const DONE: &str = "  {prefix} ({elapsed})";

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}

#[derive(Debug, Clone, Copy)]
struct Lines;

impl Progress for Lines {
    fn step(&self, what: &str) -> Box<dyn Step> {
        self.note(what);
        Box::new(Silent)
    }

    fn note(&self, line: &str) {
        // As above.
        let _lost = writeln!(io::stderr(), "{line}");
    }
}
