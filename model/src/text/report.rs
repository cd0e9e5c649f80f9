//! What is wrong in our TOML, and where: many problems in several files, shown with their lines.
//!
//! Invariant: rendering never fails. A span that does not fit its text is cut to what is there.

use std::fmt;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use serde::Serialize;

/// A stretch of a file that was read; `file` is its index in the report's list.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) file: usize,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

impl Place {
    pub(crate) fn new(file: usize, span: Range<usize>) -> Self {
        Self { file, start: span.start, end: span.end }
    }
}

/// How bad a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Nothing can be built from this.
    Error,
    /// It works, and is most likely not meant.
    Warning,
}

/// One thing wrong at one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    severity: Severity,
    place: Place,
    message: String,
    label: Option<String>,
    help: Option<String>,
    also: Vec<(Place, String)>,
}

impl Problem {
    pub(crate) fn new(place: Place, message: impl Into<String>) -> Self {
        let message = message.into();
        Self {
            severity: Severity::Error,
            place,
            message,
            label: None,
            help: None,
            also: Vec::new(),
        }
    }

    pub(crate) fn warning(place: Place, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::new(place, message) }
    }

    /// Words at the caret.
    pub(crate) fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// What to do about it.
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// What to do about it, when there is advice.
    pub(crate) fn maybe_help(mut self, help: Option<String>) -> Self {
        self.help = help.or(self.help);
        self
    }

    /// Another place that is part of it.
    pub(crate) fn also(mut self, place: Place, label: impl Into<String>) -> Self {
        self.also.push((place, label.into()));
        self
    }
}

/// Most problems in one report: beyond this, nobody reads on.
pub const MAX_PROBLEMS: usize = 200;

/// A file that was read, or that could not be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Text {
    pub(crate) path: String,
    pub(crate) text: String,
}

/// Problems of one check, in the order of files and lines.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    texts: Vec<Text>,
    problems: Vec<Problem>,
    /// Errors and warnings left out, beyond [`MAX_PROBLEMS`].
    more: (usize, usize),
}

/// One problem as data, for `--json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// The file, as the caller named it.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl Report {
    pub(crate) fn new(texts: Vec<Text>, mut problems: Vec<Problem>) -> Self {
        problems.sort_by(|a, b| (&a.place, &a.message).cmp(&(&b.place, &b.message)));
        problems.dedup();
        let left_out = problems.split_off(MAX_PROBLEMS.min(problems.len()));
        Self { texts, problems, more: count(&left_out) }
    }

    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.problems.is_empty()
    }

    /// Whether anything in it stops a build.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.counts().0 > 0
    }

    /// Number of errors and number of warnings.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        let (errors, warnings) = count(&self.problems);
        (errors + self.more.0, warnings + self.more.1)
    }

    /// For people: every problem with its line, a caret and a hint. Ends without a line break.
    #[must_use]
    pub fn render(&self, colour: bool) -> String {
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        let shown = self.problems.iter().map(|p| self.render_one(&renderer, p));
        let mut shown: Vec<String> = shown.collect();
        if let more @ 1.. = self.more.0 + self.more.1 {
            shown.push(format!("… and {more} more"));
        }
        shown.join("\n\n")
    }

    /// For programs: the first [`MAX_PROBLEMS`].
    #[must_use]
    pub fn findings(&self) -> Vec<Finding> {
        self.problems.iter().map(|p| self.finding(p)).collect()
    }

    fn finding(&self, problem: &Problem) -> Finding {
        let (path, text) = self.text(problem.place.file);
        let (line, column) = line_and_column(text, &problem.place);
        Finding {
            severity: problem.severity,
            file: path.to_owned(),
            line,
            column,
            message: problem.message.clone(),
            help: problem.help.clone(),
        }
    }

    fn text(&self, file: usize) -> (&str, &str) {
        self.texts.get(file).map_or(("", ""), |t| (t.path.as_str(), t.text.as_str()))
    }

    fn render_one(&self, renderer: &Renderer, problem: &Problem) -> String {
        let level = match problem.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let title = level.primary_title(problem.message.as_str());
        let (path, text) = self.text(problem.place.file);
        let mut group = if text.is_empty() {
            Group::with_title(title).element(Origin::path(path))
        } else {
            let span = fit(text, &problem.place);
            let mark = AnnotationKind::Primary.span(span).label(problem.label.as_deref());
            let here = problem.also.iter().filter(|(place, _)| place.file == problem.place.file);
            let context = here
                .map(|(place, label)| AnnotationKind::Context.span(fit(text, place)).label(label));
            let marks: Vec<_> = std::iter::once(mark).chain(context).collect();
            let snippet = Snippet::source(text).path(path);
            Group::with_title(title).element(snippet.annotations(marks))
        };
        for (place, label) in problem.also.iter().filter(|(p, _)| p.file != problem.place.file) {
            let (path, text) = self.text(place.file);
            let mark = AnnotationKind::Context.span(fit(text, place)).label(label);
            group = group.element(Snippet::source(text).path(path).annotation(mark));
        }
        let mut groups = vec![group];
        if let Some(help) = &problem.help {
            groups.push(Group::with_title(Level::HELP.secondary_title(help.as_str())));
        }
        renderer.render(&groups)
    }
}

/// Errors and warnings.
fn count(problems: &[Problem]) -> (usize, usize) {
    let errors = problems.iter().filter(|p| p.severity == Severity::Error).count();
    (errors, problems.len() - errors)
}

/// Where a place begins, both from 1.
pub(crate) fn line_and_column(text: &str, place: &Place) -> (usize, usize) {
    let before = text.get(..fit(text, place).start).unwrap_or_default();
    let line = before.rsplit('\n').next().unwrap_or_default();
    (before.matches('\n').count() + 1, line.chars().count() + 1)
}

/// The place as a range that lies within `text` and on the borders of characters.
fn fit(text: &str, place: &Place) -> Range<usize> {
    let floor = |at: usize| (0..=at.min(text.len())).rev().find(|i| text.is_char_boundary(*i));
    let start = floor(place.start).unwrap_or(0);
    let end = floor(place.end).unwrap_or(0);
    start..end.max(start)
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for Report {}
