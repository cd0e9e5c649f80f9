//! What an ability answers.

use super::super::check::{Check, values};
use super::super::decode::At;
use super::super::raw;
use super::super::report::Problem;
use super::super::value::{Checked, bad};
use crate::want::{MAX_LIST, MAX_WORD, Skill, SkillPath, SkillUri, pattern};

pub(super) fn check(raw: &At<raw::Skill>, c: &mut Check) -> Skill {
    if let Some(at) = raw.actions.as_ref().filter(|at| at.is_empty()) {
        let problem = Problem::new(at.place.clone(), "a skill without actions answers nothing");
        c.add(problem.help("name what it does: [\"view\"]"));
    }
    at_most(raw.actions.as_ref().map(|at| &at.value), "actions", c);
    at_most(raw.entities.as_ref(), "entities", c);
    if let Some(at) = raw.uri.as_ref().and_then(|list| list.get(MAX_LIST)) {
        c.add(Problem::new(at.place.clone(), format!("more than {MAX_LIST} uris")));
    }
    Skill {
        actions: values(c.list(raw.actions.as_ref().map(|at| &at.value), word)),
        entities: values(c.list(raw.entities.as_ref(), word)),
        uris: raw.uri.iter().flatten().map(|raw| uri(raw, c)).collect(),
    }
}

fn at_most(list: Option<&Vec<At<String>>>, what: &str, c: &mut Check) {
    if let Some(at) = list.and_then(|list| list.get(MAX_LIST)) {
        c.add(Problem::new(at.place.clone(), format!("more than {MAX_LIST} {what}")));
    }
}

/// An action or an entity.
fn word(text: &str) -> Checked<String> {
    let legal = |c: char| !c.is_control() && !c.is_whitespace();
    if (1..=MAX_WORD).contains(&text.len()) && text.chars().all(legal) {
        return Ok(text.to_owned());
    }
    bad(
        format!("`{}` is not a word", text.escape_debug()),
        format!("1 to {MAX_WORD} bytes without spaces: \"view\", \"org.example.scan\""),
    )
}

fn uri(raw: &At<raw::SkillUri>, c: &mut Check) -> SkillUri {
    if raw.scheme.is_none() && raw.mime.is_none() {
        let problem = Problem::new(raw.place.clone(), "a uri has a scheme, a type or both");
        c.add(problem.help("scheme = \"https\", type = \"image/*\""));
    }
    needs(raw.host.as_ref(), raw.scheme.is_some(), "`host`", "`scheme`", c);
    needs(raw.port.as_ref(), raw.host.is_some(), "`port`", "`host`", c);
    let paths = [&raw.path, &raw.path_starts_with, &raw.path_regex];
    let mut there = paths.into_iter().flatten();
    let first = there.next();
    needs(first, raw.host.is_some(), "a path", "`host`", c);
    if let (Some(first), Some(second)) = (first, there.next()) {
        let problem = Problem::new(second.place.clone(), "a uri has one kind of path");
        let help = "write another [[ability.skill.uri]] for it";
        c.add(problem.also(first.place.clone(), "the first").help(help));
    }
    let is = c.one(raw.path.as_ref(), path).map(SkillPath::Is);
    let starts = c.one(raw.path_starts_with.as_ref(), path).map(SkillPath::StartsWith);
    let matches = c.one(raw.path_regex.as_ref(), regex).map(SkillPath::Regex);
    SkillUri {
        scheme: c.one(raw.scheme.as_ref(), scheme),
        host: c.one(raw.host.as_ref(), host),
        port: c.range(raw.port.as_ref(), "a port", 1, u16::MAX),
        path: is.or(starts).or(matches),
        mime: c.one(raw.mime.as_ref(), mime),
    }
}

fn needs<T>(at: Option<&At<T>>, there: bool, what: &str, other: &str, c: &mut Check) {
    if let Some(at) = at.filter(|_| !there) {
        c.add(Problem::new(at.place.clone(), format!("{what} says something only beside {other}")));
    }
}

fn scheme(text: &str) -> Checked<String> {
    let legal = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"+.-".contains(&b);
    let first = text.starts_with(|c: char| c.is_ascii_lowercase());
    if first && text.len() <= MAX_WORD && text.bytes().all(legal) {
        return Ok(text.to_owned());
    }
    bad(format!("`{text}` is not a scheme"), "what is in front of `:`, in small letters: \"https\"")
}

fn host(text: &str) -> Checked<String> {
    let legal = |b: u8| b.is_ascii_graphic() && !b.is_ascii_uppercase() && !b"/?#@\\".contains(&b);
    let port = text.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    if (1..=MAX_WORD).contains(&text.len()) && text.bytes().all(legal) && !port {
        return Ok(text.to_owned());
    }
    bad(
        format!("`{text}` is not a host"),
        "\"example.org\", in small letters, without path and port: these have keys of their own",
    )
}

fn path(text: &str) -> Checked<String> {
    let legal = text.starts_with('/') && !text.chars().any(char::is_control);
    if legal && text.len() <= MAX_WORD && !text.contains(['?', '#']) {
        return Ok(text.to_owned());
    }
    bad(
        format!("`{}` is not a path of a uri", text.escape_debug()),
        format!("it begins with `/`, has no `?` and `#`, and at most {MAX_WORD} bytes"),
    )
}

fn regex(text: &str) -> Checked<String> {
    let what = || format!("`{}` is not a regular expression", text.escape_debug());
    if !(1..=MAX_WORD).contains(&text.len()) || text.chars().any(char::is_control) {
        return bad(what(), format!("1 to {MAX_WORD} bytes without control characters"));
    }
    match pattern(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(why) => bad(what(), why),
    }
}

fn mime(text: &str) -> Checked<String> {
    let legal = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"!#$&^_.+-".contains(&b);
    let part = |part: &str| !part.is_empty() && part.bytes().all(legal);
    let shaped = text.split_once('/').is_some_and(|(kind, of)| {
        (kind, of) == ("*", "*") || part(kind) && (of == "*" || part(of))
    });
    if shaped && text.len() <= MAX_WORD {
        return Ok(text.to_owned());
    }
    bad(
        format!("`{text}` is not a type of content"),
        "in small letters: \"image/png\", \"image/*\" or \"*/*\"",
    )
}
