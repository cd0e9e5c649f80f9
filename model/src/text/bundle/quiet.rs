//! What abilities do while nobody looks at them: tasks, work, cards.

use std::time::Duration;

use super::super::check::Check;
use super::super::decode::{At, Choice};
use super::super::raw;
use super::super::report::Problem;
use super::super::units;
use super::super::value::{Checked, bad};
use crate::bundle::{
    AbilityKind, BackgroundMode, CardSize, Form, MAX_CARD, MAX_QUIET, MIN_EVERY, MIN_REFRESH, Work,
};
use crate::word::Word;

/// What an ability of kind `work` says about when it runs.
pub(super) fn work(raw: Option<&At<raw::Work>>, kind: AbilityKind, c: &mut Check) -> Option<Work> {
    belongs(raw, kind, AbilityKind::Work, "`work`", c);
    let needs = raw.and_then(|raw| raw.needs.as_deref()).unwrap_or_default();
    let needs = words(needs, "conditions", c);
    let every = |text: &str| at_least(text, MIN_EVERY, "work");
    let every = c.one(raw.and_then(|raw| raw.every.as_ref()), every);
    (kind == AbilityKind::Work).then_some(Work { needs, every })
}

/// What an ability of kind `form` says about its cards.
pub(super) fn form(raw: Option<&At<raw::Form>>, kind: AbilityKind, c: &mut Check) -> Option<Form> {
    belongs(raw, kind, AbilityKind::Form, "`form`", c);
    let listed = raw.and_then(|raw| raw.sizes.as_ref());
    if let Some(at) = listed.and_then(|list| list.get(MAX_QUIET)) {
        c.add(Problem::new(at.place.clone(), format!("more than {MAX_QUIET} sizes")));
    }
    let mut sizes: Vec<CardSize> = Vec::new();
    for at in listed.into_iter().flatten() {
        let size = c.one(Some(at), size);
        sizes.extend(size.filter(|size| !sizes.contains(size)));
    }
    if sizes.is_empty() {
        sizes.push(CardSize::default());
    }
    let refresh = |text: &str| at_least(text, MIN_REFRESH, "a card");
    let refresh = c.one(raw.and_then(|raw| raw.refresh.as_ref()), refresh);
    (kind == AbilityKind::Form).then_some(Form { sizes, refresh })
}

/// What an ability may go on with in the background.
pub(super) fn modes(list: &[At<Choice<BackgroundMode>>], c: &mut Check) -> Vec<BackgroundMode> {
    let mut modes = words(list, "modes", c);
    modes.sort_unstable();
    modes
}

fn belongs<T>(raw: Option<&At<T>>, kind: AbilityKind, of: AbilityKind, what: &str, c: &mut Check) {
    if let Some(at) = raw.filter(|_| kind != of) {
        let message = format!("{what} says something only beside kind = \"{}\"", of.word());
        c.add(Problem::new(at.place.clone(), message));
    }
}

/// Each once.
fn words<T: Copy + PartialEq>(list: &[At<Choice<T>>], what: &str, c: &mut Check) -> Vec<T> {
    if let Some(at) = list.get(MAX_QUIET) {
        c.add(Problem::new(at.place.clone(), format!("more than {MAX_QUIET} {what}")));
    }
    let mut all = Vec::new();
    for at in list {
        if !all.contains(&at.value.0) {
            all.push(at.value.0);
        }
    }
    all
}

fn at_least(text: &str, least: Duration, what: &str) -> Checked<Duration> {
    let time = units::duration(text)?;
    if time >= least {
        return Ok(time);
    }
    let minutes = least.as_secs() / 60;
    bad(
        format!("{what} can't come every {text}"),
        format!("{minutes}min at least: what comes more often empties batteries"),
    )
}

fn size(text: &str) -> Checked<CardSize> {
    match CardSize::read(text) {
        Some(size) => Ok(size),
        None => bad(
            format!("`{}` is not the size of a card", text.escape_debug()),
            format!("columns and rows, 1 to {MAX_CARD} each: \"2x4\""),
        ),
    }
}
