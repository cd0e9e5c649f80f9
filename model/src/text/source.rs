//! Where files come from, and everything read so far.

use std::io;

use super::check::Check;
use super::decode::{self, Table};
use super::files::Host;
use super::report::{Place, Problem, Report, Text};

/// Largest TOML file, in bytes.
pub const MAX_FILE: usize = 1 << 20;

/// Where files come from: a disk, or a test's map.
pub trait Source {
    /// The text of a file.
    ///
    /// # Errors
    /// Why it can't be read; shown to people.
    fn read(&self, path: &str) -> io::Result<String>;

    /// The names in a directory, in any order. For hints, and for a case's services.
    ///
    /// # Errors
    /// Why it can't be read; counts as empty.
    fn list(&self, directory: &str) -> io::Result<Vec<String>>;

    /// Whether there is a file (not a directory).
    fn is_file(&self, path: &str) -> bool;

    /// The text of the first root of a store of apps. Who knows what one is refuses what is none; it is not said
    /// here, where nobody knows of signatures.
    ///
    /// # Errors
    /// It can't be read, or a device would not believe it; shown to people.
    fn store_root(&self, path: &str) -> io::Result<String> {
        self.read(path)
    }

    /// The directory with the `devices` and `services` that ship, for names that are not found
    /// beside the file that mentions them.
    fn library(&self) -> Option<String> {
        None
    }
}

/// Everything read so far, and what is wrong with it.
pub(crate) struct Loader<'s> {
    pub(crate) source: &'s dyn Source,
    pub(crate) texts: Vec<Text>,
    pub(crate) check: Check,
}

impl<'s> Loader<'s> {
    pub(crate) fn new(source: &'s dyn Source) -> Self {
        Self { source, texts: Vec::new(), check: Check::default() }
    }

    /// Adds a file, whose text is known.
    pub(crate) fn add(&mut self, path: &str, text: String) -> usize {
        self.texts.push(Text { path: path.to_owned(), text });
        self.texts.len() - 1
    }

    pub(crate) fn host(&self) -> Host<'_> {
        Host { texts: &self.texts, source: self.source }
    }

    /// Reads a file that must be there; the number is valid even when nothing could be read.
    pub(crate) fn read<T: Table>(&mut self, path: &str) -> (usize, Option<T>) {
        let why = match self.source.read(path) {
            Ok(text) if text.len() > MAX_FILE => {
                format!("`{path}` is larger than a megabyte: not one of our files")
            }
            Ok(text) => {
                let file = self.add(path, text);
                return (file, self.decode(file));
            }
            Err(why) => format!("can't read `{path}`: {why}"),
        };
        let file = self.add(path, String::new());
        self.check.add(Problem::new(Place::new(file, 0..0), why));
        (file, None)
    }

    pub(crate) fn decode<T: Table>(&mut self, file: usize) -> Option<T> {
        let text = self.texts.get(file)?;
        decode::file(file, &text.text, &mut self.check.problems)
    }

    /// What was found wrong so far, if that stops everything.
    pub(crate) fn failed(&self) -> Option<Report> {
        let report = self.report();
        report.has_errors().then_some(report)
    }

    pub(crate) fn report(&self) -> Report {
        Report::new(self.texts.clone(), self.check.problems.clone())
    }

    pub(crate) fn names_in(&self, directory: &str) -> Vec<String> {
        let names = self.source.list(directory).unwrap_or_default();
        let toml = names.iter().filter_map(|n| n.strip_suffix(".toml"));
        let mut names: Vec<String> = toml.map(str::to_owned).collect();
        names.sort();
        names
    }
}
