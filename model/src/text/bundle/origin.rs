//! `[source]`: where a builder finds the files of a bundle.

use super::super::check::{Check, choice, values};
use super::super::path::join;
use super::super::raw;
use super::super::report::Problem;
use super::super::value::{Checked, bad};
use crate::word::Word;

/// Most patterns of what is left out.
pub const MAX_EXCLUDED: usize = 64;

/// Where the files of a bundle come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// What `path` is.
    pub kind: SourceKind,
    /// On this host.
    pub path: String,
    /// What is left out: names anywhere, or paths with `/`; `*` stands for any part of a name.
    pub exclude: Vec<String>,
}

/// What the files of a bundle are made from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SourceKind {
    /// A directory, as it is.
    #[default]
    Directory,
    /// One program that needs no other file.
    Binary,
}

impl Word for SourceKind {
    const WHAT: &'static str = "kind of source";
    const WORDS: &'static [(&'static str, Self)] =
        &[("directory", Self::Directory), ("binary", Self::Binary)];
}

/// The source of a bundle whose file is in `directory`.
pub(super) fn check(raw: Option<&raw::Source>, directory: &str, c: &mut Check) -> Source {
    let empty = raw::Source::default();
    let raw = raw.unwrap_or(&empty);
    let kind = choice(raw.kind.as_ref(), SourceKind::default());
    if kind == SourceKind::Binary
        && raw.path.is_none()
        && let Some(at) = &raw.kind
    {
        let problem = Problem::new(at.place.clone(), "the path of the program is missing");
        c.add(problem.help("path = \"target/release/notes\""));
    }
    if let Some(at) =
        raw.exclude.as_ref().filter(|_| kind == SourceKind::Binary).and_then(|l| l.first())
    {
        let message = "something can be left out of a directory only";
        c.add(Problem::new(at.place.clone(), message));
    }
    if let Some(at) = raw.exclude.as_ref().and_then(|list| list.get(MAX_EXCLUDED)) {
        c.add(Problem::new(at.place.clone(), format!("more than {MAX_EXCLUDED} patterns")));
    }
    let path = c.one(raw.path.as_ref(), host_path).unwrap_or_default();
    let path = match join(directory, &path) {
        path if path.is_empty() => ".".to_owned(),
        path => path,
    };
    Source { kind, path, exclude: values(c.list(raw.exclude.as_ref(), pattern)) }
}

fn host_path(text: &str) -> Checked<String> {
    if text.is_empty() || text.contains('\0') {
        return bad("this is not a path", "the path of a file or directory, from this TOML");
    }
    Ok(text.to_owned())
}

fn pattern(text: &str) -> Checked<String> {
    let plain = text.strip_suffix('/').unwrap_or(text);
    let wrong = |part: &str| matches!(part, "" | "." | "..");
    if plain.split('/').any(wrong) || plain.chars().any(char::is_control) {
        return bad(
            format!("`{}` leaves nothing out", text.escape_debug()),
            "a name, like \"*.orig\", or a path from the top, like \"docs/old\"",
        );
    }
    Ok(plain.to_owned())
}
