//! One service as the device reads it: the shipped file, and what lies over it.
//!
//! Invariant: any name and any text give a service or a report, never a panic, in bounded time.

use super::super::permission::Asked;
use super::super::report::{Place, Problem, Report};
use super::super::sandbox::{Inherited, Rule};
use super::super::source::{Loader, Source};
use super::super::{Nowhere, merge, raw};
use super::check;
use crate::Name;
use crate::service::Service;

/// Most bytes of one file of a service.
pub const MAX_TEXT: usize = 64 << 10;

/// Most files over the shipped one.
pub const MAX_DROP_INS: usize = 64;

/// A service, and where each rule of its sandbox was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Defined {
    /// The service.
    pub service: Service,
    /// The rules, in the order of the language.
    pub rules: Vec<Rule>,
}

/// Reads one service that is written in one text. Names it mentions are not looked up: it can inherit
/// no profile.
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
    let own = format!("{name}.toml");
    let shipped = shipped.map(|text| (own.as_str(), text));
    let over = over.iter().map(|(path, text)| (path.as_ref(), text.as_ref()));
    let files: Vec<(&str, &str)> = shipped.into_iter().chain(over).collect();
    define(&Nowhere, &[], name, &files).map(|defined| defined.service)
}

/// Reads one service from its files, path and text of each, the shipped one first. Profiles that it
/// inherits are looked for in the directories `profiles` of `source`, in that order, and the permissions
/// that it asks for in `permissions` beside them.
///
/// # Errors
/// Everything that is wrong with any of the files, or that more than [`MAX_DROP_INS`] lie over the first.
pub fn define<T: AsRef<str>>(
    source: &dyn Source,
    profiles: &[String],
    name: &Name,
    files: &[(T, T)],
) -> Result<Defined, Report> {
    let mut loader = Loader::new(source);
    let own = format!("{name}.toml");
    let given = files.iter().enumerate();
    let files: Vec<_> = given
        .map(|(number, (path, text))| file(&mut loader, number, path.as_ref(), text.as_ref()))
        .collect();
    if loader.texts.is_empty() {
        let at = Place::new(loader.add(&own, String::new()), 0..0);
        loader.check.add(Problem::new(at, format!("no file says what `{name}` is")));
        return Err(loader.report());
    }
    let whole: Option<Vec<_>> = files.into_iter().collect();
    let Some(files) = whole else { return Err(loader.report()) };
    let mut raw = merge::overlay(files);
    Inherited::new(profiles.to_vec()).join_service(&mut raw, &mut loader);
    let mut c = std::mem::take(&mut loader.check);
    let mut service = check(name.clone(), &raw, &Place::new(0, 0..0), &mut c).service;
    loader.check = c;
    let rules = Asked::beside(profiles).widen(raw.sandbox.as_ref(), &mut service, &mut loader);
    match loader.failed() {
        None => Ok(Defined { service, rules }),
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
