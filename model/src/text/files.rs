//! Files that a device or a case adds to an image.

use std::collections::BTreeSet;

use super::check::Check;
use super::decode::At;
use super::report::{Problem, Text};
use super::value::{self, Bad};
use super::{Source, path, raw, units};
use crate::device::{File, FileContent, TEST_PROGRAMS};

/// Most bytes of text in one `content`.
const MAX_CONTENT: usize = 256 << 10;

/// What is known of the build host.
#[derive(Clone, Copy)]
pub(crate) struct Host<'a> {
    /// The files that were read, by their number.
    pub(crate) texts: &'a [Text],
    pub(crate) source: &'a dyn Source,
}

/// A path on the build host, as seen from the file that names it.
pub(crate) fn beside(at: &At<String>, host: Host<'_>, c: &mut Check) -> String {
    let from = host.texts.get(at.place.file).map_or("", |text| text.path.as_str());
    let path = path::join(path::parent(from), at);
    if !host.source.is_file(&path) {
        let problem = Problem::new(at.place.clone(), format!("there is no file `{path}`"));
        c.add(problem.help("a path from where this TOML is"));
    }
    path
}

/// Files of a device or of a case.
pub(crate) fn check(raw: Option<&Vec<At<raw::File>>>, host: Host<'_>, c: &mut Check) -> Vec<File> {
    let list = raw.map(Vec::as_slice).unwrap_or_default();
    let places = list.iter().filter_map(|f| f.path.as_ref());
    c.unique(places.map(|p| (p.as_str(), &p.place)), |p| format!("two files are at `{p}`"));
    let mut files: Vec<File> = list.iter().filter_map(|f| file(f, host, c)).collect();
    files.sort_by(|a, b| a.path.cmp(&b.path));
    let leaf = |f: &File| f.content != FileContent::Directory;
    let solid: BTreeSet<&str> = files.iter().filter(|f| leaf(f)).map(|f| f.path.as_str()).collect();
    for at in list.iter().filter_map(|f| f.path.as_ref()) {
        let mut above = at.match_indices('/').filter_map(|(i, _)| at.get(..i));
        if let Some(file) = above.rfind(|p| solid.contains(p)) {
            let message = format!("`{file}` is a file, so nothing can be below it");
            c.add(Problem::new(at.place.clone(), message));
        }
    }
    files
}

fn file(raw: &At<raw::File>, host: Host<'_>, c: &mut Check) -> Option<File> {
    let path = c.one(raw.path.as_ref(), file_path);
    let mode = c.one(raw.mode.as_ref(), units::mode);
    let uid = c.number(raw.uid.as_ref(), units::owner).unwrap_or(0);
    let gid = c.number(raw.gid.as_ref(), units::owner).unwrap_or(0);
    let directory = raw.directory.as_ref().filter(|at| at.value);
    let given = [
        raw.source.as_ref().map(|at| &at.place),
        raw.content.as_ref().map(|at| &at.place),
        raw.program.as_ref().map(|at| &at.place),
        raw.symlink.as_ref().map(|at| &at.place),
        directory.map(|at| &at.place),
    ];
    let mut given = given.into_iter().flatten();
    if let (Some(one), Some(other)) = (given.next(), given.next()) {
        let problem = Problem::new(other.clone(), "a file is one thing only").label("and this");
        c.add(
            problem
                .also(one.clone(), "this")
                .help("one of source, content, program, symlink, directory"),
        );
    }
    let content = if let Some(at) = &raw.source {
        FileContent::Source(beside(at, host, c))
    } else if let Some(at) = &raw.content {
        FileContent::Text(c.one(Some(at), content)?)
    } else if let Some(at) = &raw.program {
        FileContent::Program(c.one(Some(at), program)?)
    } else if let Some(at) = &raw.symlink {
        FileContent::Symlink(c.one(Some(at), link)?)
    } else if directory.is_some() {
        FileContent::Directory
    } else {
        let place = raw.path.as_ref().map_or(&raw.place, |at| &at.place);
        let problem = Problem::new(place.clone(), "nothing says what is in this file");
        c.add(problem.help("add one of source, content, program, symlink, directory"));
        return None;
    };
    let runs = matches!(content, FileContent::Directory | FileContent::Program(_));
    let default = if runs { 0o755 } else { 0o644 };
    Some(File { path: path?, content, mode: mode.unwrap_or(default), uid, gid })
}

fn file_path(text: &str) -> value::Checked<String> {
    /// Kernel file systems and tmpfs: what an image has there is never seen.
    const HIDDEN: [&str; 5] = ["dev", "proc", "run", "sys", "tmp"];
    let path = value::image_path(text)?;
    let first = path.split('/').nth(1).unwrap_or_default();
    if HIDDEN.contains(&first) {
        return Err(Bad {
            message: format!("`{path}` is never seen: /{first} is mounted over on a device"),
            help: Some("a oneshot service can make it at boot".to_owned()),
        });
    }
    Ok(path)
}

fn content(text: &str) -> value::Checked<String> {
    if text.len() <= MAX_CONTENT {
        return Ok(text.to_owned());
    }
    let message = format!("`content` has {} bytes; at most {MAX_CONTENT}", text.len());
    Err(Bad { message, help: Some("put it into a file and name it as `source`".to_owned()) })
}

fn program(text: &str) -> value::Checked<String> {
    if TEST_PROGRAMS.contains(&text) {
        return Ok(text.to_owned());
    }
    let message = format!("`{text}` is no program of the tests");
    Err(Bad { message, help: Some(format!("there are: {}", TEST_PROGRAMS.join(", "))) })
}

/// What is made for tests attacks the device that it runs on.
pub(crate) fn fit_for_release(raw: Option<&Vec<At<raw::File>>>, c: &mut Check) {
    for at in raw.into_iter().flatten().filter_map(|file| file.program.as_ref()) {
        let message = format!("`{}` in a release: it is made for tests", at.value);
        c.add(Problem::new(at.place.clone(), message).help("only a device for tests may have it"));
    }
}

fn link(text: &str) -> value::Checked<String> {
    if (1..=value::MAX_PATH).contains(&text.len()) && !text.chars().any(char::is_control) {
        return Ok(text.to_owned());
    }
    Err(Bad { message: "a symbolic link points to a path".to_owned(), help: None })
}
