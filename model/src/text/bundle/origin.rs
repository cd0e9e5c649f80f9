//! `[source]`: where a builder finds the files of a bundle.
//!
//! ```text
//! kind ─► Origin: what is read, and how      files ─► a directory laid over that      runtime ─► what it is checked against
//! ```
//!
//! Invariant: a source has only what its kind knows; a key of another kind is told.

use super::super::check::{Check, choice, values};
use super::super::decode::At;
use super::super::path::join;
use super::super::raw;
use super::super::report::{Place, Problem};
use super::super::value::{self, Checked, bad};
use crate::bundle::{BundleKind, Layout};
use crate::device::SUITE;
use crate::word::Word;

/// Most patterns of what is left out, of wheels, and of packages that are named.
pub const MAX_EXCLUDED: usize = 64;

/// Where the files of a bundle come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// What they are made from.
    pub origin: Origin,
    /// The directory of the TOML: lock files are there, and patterns begin there.
    pub directory: String,
    /// A directory whose files are laid over the others.
    pub files: Option<String>,
    /// What is left out: names anywhere, or paths with `/`; `*` stands for any part of a name.
    pub exclude: Vec<String>,
    /// The bundle that lies below, as a file or as the directory it is made from; looked for beside this one when absent.
    pub runtime: Option<String>,
}

/// What the files of a bundle are made from. Paths are those of this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A directory, as it is.
    Directory(String),
    /// One program that needs no other file.
    Binary(String),
    /// Debian packages with all that they depend on.
    Debian(Packages),
    /// An image of a container.
    Oci(String),
    /// A directory, and wheels for Python.
    Python {
        /// The directory.
        path: String,
        /// Files, or patterns of names; `*` stands for any part of a name.
        wheels: Vec<String>,
    },
    /// A directory with packages of npm.
    Node(String),
    /// A package that cargo builds.
    Cargo(Crate),
}

/// Packages of Debian.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packages {
    /// Their names.
    pub names: Vec<String>,
    /// Which Debian: `trixie`.
    pub suite: String,
    /// URL of the mirror; the host's own apt sources when absent.
    pub mirror: Option<String>,
}

/// A package of cargo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Crate {
    /// The directory of the workspace.
    pub path: String,
    /// The package.
    pub package: String,
    /// Which of its programs; all when absent.
    pub program: Option<String>,
    /// With what settings of `Cargo.toml`.
    pub profile: String,
}

/// The word for an [`Origin`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SourceKind {
    /// [`Origin::Directory`]
    #[default]
    Directory,
    /// [`Origin::Binary`]
    Binary,
    /// [`Origin::Debian`]
    Debian,
    /// [`Origin::Oci`]
    Oci,
    /// [`Origin::Python`]
    Python,
    /// [`Origin::Node`]
    Node,
    /// [`Origin::Cargo`]
    Cargo,
}

impl Word for SourceKind {
    const WHAT: &'static str = "kind of source";
    const WORDS: &'static [(&'static str, Self)] = &[
        ("directory", Self::Directory),
        ("binary", Self::Binary),
        ("debian", Self::Debian),
        ("oci", Self::Oci),
        ("python", Self::Python),
        ("node", Self::Node),
        ("cargo", Self::Cargo),
    ];
}

impl SourceKind {
    /// Whether its files lie as in the root directory of a Linux system.
    fn is_root(self) -> bool {
        matches!(self, Self::Debian | Self::Oci)
    }
}

/// Settings of cargo when the TOML names none.
const PROFILE: &str = "release";

/// The source of a bundle whose file is in `directory`; `begins` is where the bundle begins.
pub(super) fn check(
    bundle: &raw::Bundle,
    directory: &str,
    begins: &Place,
    c: &mut Check,
) -> Source {
    let empty = raw::Source::default();
    let at = bundle.source.as_ref().map_or(begins, |at| &at.place);
    let raw = bundle.source.as_deref().unwrap_or(&empty);
    let kind = choice(raw.kind.as_ref(), SourceKind::default());
    strangers(raw, kind, c);
    lies_as_it_should(bundle, kind, raw, c);
    if let Some(at) = raw.runtime.as_ref().filter(|_| bundle.runtime.is_none()) {
        let problem = Problem::new(at.place.clone(), "nothing says which bundle lies below");
        c.add(problem.help("[runtime] with its id: bundle = \"org.example.python\""));
    }
    let mut here = Here { raw, directory, at, kind, c };
    let origin = here.origin();
    if let Some(at) = raw.exclude.as_ref().and_then(|list| list.get(MAX_EXCLUDED)) {
        c.add(Problem::new(at.place.clone(), format!("more than {MAX_EXCLUDED} patterns")));
    }
    let joined = |path: Option<String>| path.map(|path| below(directory, &path));
    let files = c.one(raw.files.as_ref(), host_path);
    let runtime = c.one(raw.runtime.as_ref(), host_path);
    Source {
        origin,
        directory: below(directory, ""),
        files: joined(files),
        exclude: values(c.list(raw.exclude.as_ref(), pattern)),
        runtime: joined(runtime),
    }
}

/// Keys that are for other kinds.
fn strangers(raw: &raw::Source, kind: SourceKind, c: &mut Check) {
    use SourceKind::{Binary, Cargo, Debian, Directory, Node, Oci, Python};
    let first = |list: &Option<Vec<At<String>>>| Some(list.as_ref()?.first()?.place.clone());
    let one = |at: &Option<At<String>>| Some(at.as_ref()?.place.clone());
    let keys: [(&str, Option<Place>, &[SourceKind]); 10] = [
        ("path", one(&raw.path), &[Directory, Binary, Python, Node, Cargo]),
        ("files", one(&raw.files), &[Binary, Debian, Oci, Cargo]),
        ("exclude", first(&raw.exclude), &[Directory, Debian, Oci, Python, Node]),
        ("packages", first(&raw.packages), &[Debian]),
        ("suite", one(&raw.suite), &[Debian]),
        ("mirror", one(&raw.mirror), &[Debian]),
        ("archive", one(&raw.archive), &[Oci]),
        ("wheels", first(&raw.wheels), &[Python]),
        ("package", one(&raw.package), &[Cargo]),
        ("program", one(&raw.program), &[Cargo]),
    ];
    let profile = ("profile", one(&raw.profile), &[Cargo][..]);
    for (key, place, kinds) in keys.into_iter().chain([profile]) {
        let Some(place) = place.filter(|_| !kinds.contains(&kind)) else { continue };
        let words: Vec<String> = kinds.iter().map(|k| format!("\"{}\"", k.word())).collect();
        let message = format!("`{key}` says nothing about a source of kind \"{}\"", kind.word());
        c.add(Problem::new(place, message).help(format!("it is for {}", words.join(", "))));
    }
}

/// Whether the bundle says that its files lie as those of this kind do.
fn lies_as_it_should(bundle: &raw::Bundle, kind: SourceKind, raw: &raw::Source, c: &mut Check) {
    let default = match choice(bundle.kind.as_ref(), BundleKind::App) {
        BundleKind::App => Layout::App,
        BundleKind::Runtime => Layout::Root,
    };
    let layout = choice(bundle.layout.as_ref(), default);
    let Some(at) = raw.kind.as_ref().filter(|_| kind.is_root() && layout != Layout::Root) else {
        return;
    };
    let message = format!("files of kind \"{}\" lie as those of a whole system", kind.word());
    let problem = Problem::new(at.place.clone(), message);
    c.add(problem.help("layout = \"root\" at the top, beside the id"));
}

/// A path from `directory`; never empty.
fn below(directory: &str, path: &str) -> String {
    match join(directory, path) {
        path if path.is_empty() => ".".to_owned(),
        path => path,
    }
}

/// What an origin is made of.
struct Here<'a> {
    raw: &'a raw::Source,
    directory: &'a str,
    at: &'a Place,
    kind: SourceKind,
    c: &'a mut Check,
}

impl Here<'_> {
    fn origin(&mut self) -> Origin {
        let raw = self.raw;
        match self.kind {
            SourceKind::Directory => Origin::Directory(self.path()),
            SourceKind::Node => Origin::Node(self.path()),
            SourceKind::Binary => {
                self.needed(
                    raw.path.is_some(),
                    "the path of the program",
                    "path = \"target/release/notes\"",
                );
                Origin::Binary(self.path())
            }
            SourceKind::Debian => Origin::Debian(self.packages()),
            SourceKind::Oci => {
                self.needed(
                    raw.archive.is_some(),
                    "the image",
                    "archive = \"image.tar\", which `podman save` writes",
                );
                let path = self.c.one(raw.archive.as_ref(), host_path).unwrap_or_default();
                Origin::Oci(below(self.directory, &path))
            }
            SourceKind::Python => {
                self.few(raw.wheels.as_ref(), "wheels");
                let wheels = values(self.c.list(raw.wheels.as_ref(), host_path));
                let wheels = wheels.iter().map(|path| below(self.directory, path)).collect();
                Origin::Python { path: self.path(), wheels }
            }
            SourceKind::Cargo => Origin::Cargo(self.package()),
        }
    }

    fn path(&mut self) -> String {
        let path = self.c.one(self.raw.path.as_ref(), host_path).unwrap_or_default();
        below(self.directory, &path)
    }

    fn packages(&mut self) -> Packages {
        let raw = self.raw;
        let some = raw.packages.as_ref().is_some_and(|list| !list.is_empty());
        self.needed(some, "the list of packages", "packages = [\"python3\"]");
        self.few(raw.packages.as_ref(), "packages");
        Packages {
            names: values(self.c.list(raw.packages.as_ref(), value::package)),
            suite: self.c.one(raw.suite.as_ref(), value::suite).unwrap_or(SUITE.to_owned()),
            mirror: self.c.one(raw.mirror.as_ref(), value::mirror),
        }
    }

    fn package(&mut self) -> Crate {
        let raw = self.raw;
        self.needed(raw.package.is_some(), "the package", "package = \"clock\"");
        let path = self.path();
        let c = &mut *self.c;
        Crate {
            path,
            package: c.one(raw.package.as_ref(), cargo_word).unwrap_or_default(),
            program: c.one(raw.program.as_ref(), cargo_word),
            profile: c.one(raw.profile.as_ref(), cargo_word).unwrap_or(PROFILE.to_owned()),
        }
    }

    /// Notes what is missing.
    fn needed(&mut self, there: bool, what: &str, help: &str) {
        if !there {
            let at = self.raw.kind.as_ref().map_or(self.at, |at| &at.place);
            let problem = Problem::new(at.clone(), format!("{what} is missing"));
            self.c.add(problem.help(help));
        }
    }

    fn few(&mut self, list: Option<&Vec<At<String>>>, what: &str) {
        if let Some(at) = list.and_then(|list| list.get(MAX_EXCLUDED)) {
            let message = format!("more than {MAX_EXCLUDED} {what}");
            self.c.add(Problem::new(at.place.clone(), message));
        }
    }
}

fn host_path(text: &str) -> Checked<String> {
    if text.is_empty() || text.contains('\0') {
        return bad("this is not a path", "the path of a file or directory, from this TOML");
    }
    Ok(text.to_owned())
}

/// A name as cargo has them.
fn cargo_word(text: &str) -> Checked<String> {
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let first = text.chars().next().is_some_and(|c| c.is_ascii_alphanumeric());
    if first && text.len() <= 64 && text.chars().all(legal) {
        return Ok(text.to_owned());
    }
    bad(format!("`{}` is not a name of cargo", text.escape_debug()), "letters, digits, - and _")
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
