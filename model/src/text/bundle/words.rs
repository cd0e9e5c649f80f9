//! The texts of a bundle that have a shape of their own.

use super::super::check::Check;
use super::super::decode::{At, Pairs};
use super::super::near::did_you_mean;
use super::super::report::Problem;
use super::super::units;
use super::super::value::{self, Bad, Checked, MAX_PATH, bad};
use crate::Name;
use crate::bundle::{
    BundleId, MAX_ABILITY, MAX_DATA, MAX_LOCALES, MAX_SAID, MIN_DATA, Said, Version,
};

/// Processors that bundles are made for, in the kernel's spelling.
const ARCHITECTURES: [&str; 4] = ["aarch64", "armv7l", "riscv64", "x86_64"];

/// What others call them.
const ALIASES: [(&str, &str); 5] = [
    ("amd64", "x86_64"),
    ("x64", "x86_64"),
    ("x86-64", "x86_64"),
    ("arm64", "aarch64"),
    ("armhf", "armv7l"),
];

/// Variables that an instance is given, whatever its bundle says.
const GIVEN: [&str; 2] = ["HOME", "DBUS_SESSION_BUS_ADDRESS"];

/// What the names of all other variables begin with that an instance is given.
const GIVEN_PREFIX: &str = "ENSEMBLE_";

pub(super) fn id(text: &str) -> Checked<BundleId> {
    let shaped = |why: String| match why.split_once(": ") {
        Some((_, help)) => bad(format!("`{text}` is not the id of a bundle"), help),
        None => bad(format!("`{text}` is not the id of a bundle"), why),
    };
    BundleId::try_from(text).or_else(|why| shaped(why.to_string()))
}

pub(super) fn version(text: &str) -> Checked<Version> {
    const HELP: &str = "three numbers with dots between, none with a zero in front: \"1.0.0\"";
    Version::try_from(text).or_else(|_| bad(format!("`{text}` is not a version of a bundle"), HELP))
}

/// A text for people that must say something, where it is there.
pub(super) fn said(
    plain: Option<&At<String>>,
    locales: Option<&Pairs>,
    what: &str,
    c: &mut Check,
) -> Said {
    let line = |text: &str| match text.is_empty() {
        true => bad(format!("{what} is empty"), "people read it: say it in a few words"),
        false => short(text, what),
    };
    in_locales(plain, locales, line, c)
}

/// What it is for: it may say nothing.
pub(super) fn about(plain: Option<&At<String>>, locales: Option<&Pairs>, c: &mut Check) -> Said {
    in_locales(plain, locales, |text| short(text, "`about`"), c)
}

/// A text for people, by language.
pub(in super::super) fn in_locales(
    plain: Option<&At<String>>,
    locales: Option<&Pairs>,
    line: impl Fn(&str) -> Checked<String>,
    c: &mut Check,
) -> Said {
    let pairs = locales.map(|pairs| pairs.0.as_slice()).unwrap_or_default();
    if let Some((key, _)) = pairs.get(MAX_LOCALES) {
        c.add(Problem::new(key.place.clone(), format!("more than {MAX_LOCALES} languages")));
    }
    if let (None, Some((key, _))) = (plain, pairs.first()) {
        let problem =
            Problem::new(key.place.clone(), "what is read where no language fits is missing");
        c.add(problem.help("write it beside, in the language that most people know"));
    }
    let checked = pairs
        .iter()
        .filter_map(|(key, text)| c.one(Some(key), locale).zip(c.one(Some(text), &line)));
    let locales = checked.collect();
    Said { plain: c.one(plain, &line).unwrap_or_default(), locales }
}

fn short(text: &str, what: &str) -> Checked<String> {
    if text.len() <= MAX_SAID && !text.chars().any(char::is_control) {
        return Ok(text.to_owned());
    }
    bad(format!("{what} is one line of at most {MAX_SAID} bytes"), "say it shorter")
}

/// `de`, `pt-BR`, `zh-Hant-TW`.
fn locale(text: &str) -> Checked<String> {
    let alphabetic = |part: &str| part.bytes().all(|b| b.is_ascii_lowercase());
    let script = |part: &str| {
        let (first, rest) = part.split_at_checked(1).unwrap_or_default();
        part.len() == 4 && first.bytes().all(|b| b.is_ascii_uppercase()) && alphabetic(rest)
    };
    let region = |part: &str| {
        part.len() == 2 && part.bytes().all(|b| b.is_ascii_uppercase())
            || part.len() == 3 && part.bytes().all(|b| b.is_ascii_digit())
    };
    let mut parts = text.split('-').peekable();
    let language = parts.next().is_some_and(|p| (2..=3).contains(&p.len()) && alphabetic(p));
    parts.next_if(|part| script(part));
    parts.next_if(|part| region(part));
    if language && parts.next().is_none() {
        return Ok(text.to_owned());
    }
    let plain = text.split(['.', '@']).next().unwrap_or_default().replace('_', "-");
    let meant = (plain != text && locale(&plain).is_ok()).then(|| format!("write it `{plain}`"));
    Err(Bad {
        message: format!("`{text}` is not a language"),
        help: Some(
            meant.unwrap_or_else(|| "a language and perhaps a region: de, pt-BR".to_owned()),
        ),
    })
}

pub(super) fn architecture(text: &str) -> Checked<String> {
    if ARCHITECTURES.contains(&text) {
        return Ok(text.to_owned());
    }
    let alias = ALIASES.iter().find(|(alias, _)| *alias == text.to_ascii_lowercase());
    let help = match alias {
        Some((_, ours)) => format!("the kernel calls it `{ours}`"),
        None => did_you_mean(text, ARCHITECTURES)
            .unwrap_or_else(|| format!("one of: {}", ARCHITECTURES.join(", "))),
    };
    bad(format!("no processor is called `{text}`"), help)
}

/// A path of a file in the bundle: relative, in its shortest form.
pub(super) fn inner_path(text: &str) -> Checked<String> {
    let wrong = |why: &str| {
        let message = format!("`{text}` is not a path in the bundle: {why}");
        bad(message, "a path from the top of the bundle, like \"bin/notes\"")
    };
    if text.is_empty() {
        return wrong("it is empty");
    }
    if text.starts_with('/') {
        return wrong("it begins with `/`");
    }
    if text.len() > MAX_PATH || text.split('/').any(|part| part.len() > 255) {
        return wrong("it is too long");
    }
    if text.chars().any(char::is_control) {
        return wrong("it has a control character");
    }
    match text.split('/').find(|part| matches!(*part, "" | "." | "..")) {
        Some(".." | ".") => wrong("it has `.` or `..`"),
        Some(_) => wrong("it ends in `/` or has `//`"),
        None => Ok(text.to_owned()),
    }
}

/// The program of an ability: of the device, or of the bundle.
pub(super) fn program(text: &str) -> Checked<String> {
    if text.contains(char::is_whitespace) {
        let help = "each argument is an item of its own: [\"/usr/bin/python3\", \"notes.py\"]";
        return bad(format!("`{text}` is not one path"), help);
    }
    if text.starts_with('/') { value::image_path(text) } else { inner_path(text) }
}

/// A name of an ability.
pub(super) fn ability(text: &str) -> Checked<Name> {
    match Name::try_from(text) {
        Ok(name) if text.len() <= MAX_ABILITY && !text.contains('@') => Ok(name),
        _ => bad(
            format!("`{text}` can't be the name of an ability"),
            format!("1 to {MAX_ABILITY} of a-z, 0-9 and -, a letter first"),
        ),
    }
}

/// A name of a variable that an instance is not given anyway.
pub(super) fn variable(text: &str) -> Checked<String> {
    if GIVEN.contains(&text) || text.starts_with(GIVEN_PREFIX) {
        return bad(format!("`{text}` is set by the device"), "leave it out");
    }
    value::variable(text)
}

pub(super) fn data_size(text: &str) -> Checked<u64> {
    let bytes = units::size(text)?;
    if (MIN_DATA..=MAX_DATA).contains(&bytes) {
        return Ok(bytes);
    }
    let (least, most) = (units::size_text(MIN_DATA), units::size_text(MAX_DATA));
    bad(format!("the data of a bundle can't be {text}"), format!("{least} to {most}"))
}
