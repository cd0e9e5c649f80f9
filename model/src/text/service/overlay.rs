//! One service as the device reads it: the shipped file, and what lies over it.
//!
//! Invariant: any name and any text give a service or a report, never a panic, in bounded time.

use super::super::report::{Place, Problem, Report};
use super::super::source::Loader;
use super::super::{Nowhere, merge, raw};
use super::check;
use crate::Name;
use crate::service::Service;

/// Most bytes of one file of a service.
pub const MAX_TEXT: usize = 64 << 10;

/// Most files over the shipped one.
pub const MAX_DROP_INS: usize = 64;

/// Reads one service that is written in one text. Names it mentions are not looked up.
///
/// # Errors
/// Everything that is wrong with it.
pub fn parse(name: &Name, text: &str) -> Result<Service, Report> {
    overlay::<&str>(name, Some(text), &[])
}

/// Reads one service from its shipped text, if there is one, and from files over it: path and text of
/// each, in order. Single values of a later file win, lists are joined, an empty list takes away
/// what earlier files have.
///
/// # Errors
/// Everything that is wrong with any of the files, or that more than [`MAX_DROP_INS`] are given.
pub fn overlay<T: AsRef<str>>(
    name: &Name,
    shipped: Option<&str>,
    over: &[(T, T)],
) -> Result<Service, Report> {
    let mut loader = Loader::new(&Nowhere);
    let mut files = Vec::new();
    let own = format!("{name}.toml");
    let shipped = shipped.map(|text| (own.as_str(), text));
    let over = over.iter().map(|(path, text)| (path.as_ref(), text.as_ref()));
    for (number, (path, text)) in shipped.into_iter().chain(over).enumerate() {
        files.push(file(&mut loader, number, path, text));
    }
    if loader.texts.is_empty() {
        let at = Place::new(loader.add(&own, String::new()), 0..0);
        loader.check.add(Problem::new(at, format!("no file says what `{name}` is")));
        return Err(loader.report());
    }
    let whole: Option<Vec<_>> = files.into_iter().collect();
    let Some(files) = whole else { return Err(loader.report()) };
    let mut c = std::mem::take(&mut loader.check);
    let written = check(name.clone(), &merge::overlay(files), &Place::new(0, 0..0), &mut c);
    loader.check = c;
    match loader.failed() {
        None => Ok(written.service),
        Some(report) => Err(report),
    }
}

/// Reads one of the files.
fn file(loader: &mut Loader<'_>, number: usize, path: &str, text: &str) -> Option<raw::Service> {
    let why = if number > MAX_DROP_INS {
        format!("more than {MAX_DROP_INS} files over the shipped one")
    } else if text.len() > MAX_TEXT {
        format!("larger than {} KiB: not the file of a service", MAX_TEXT >> 10)
    } else {
        let file = loader.add(path, text.to_owned());
        return loader.decode(file);
    };
    if number <= MAX_DROP_INS + 1 {
        let at = Place::new(loader.add(path, String::new()), 0..0);
        loader.check.add(Problem::new(at, why));
    }
    None
}
