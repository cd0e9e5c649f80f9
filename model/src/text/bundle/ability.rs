//! What a bundle can be asked to do.

use std::collections::BTreeMap;

use super::super::check::{Check, choice};
use super::super::decode::{At, Pairs};
use super::super::permission::legal;
use super::super::raw;
use super::super::report::Problem;
use super::super::service::upkeep::memory;
use super::super::value;
use super::{quiet, skill, words};
use crate::bundle::{Ability, AbilityKind, LaunchMode, Lifecycle, MAX_SKILLS};
use crate::want::MAX_LIST;

/// `None` when its name is missing; what is wrong is noted.
pub(super) fn check(raw: &At<raw::Ability>, c: &mut Check) -> Option<Ability> {
    let skills = raw.skill.as_deref().unwrap_or_default();
    if let Some(at) = skills.get(MAX_SKILLS) {
        c.add(Problem::new(at.place.clone(), format!("more than {MAX_SKILLS} skills")));
    }
    let name = c.one(raw.name.as_ref(), words::ability);
    let label = words::said(raw.label.as_ref(), raw.labels.as_ref(), "a label", c);
    let exec = raw.exec.as_ref().map(|at| exec(at, c)).unwrap_or_default();
    let permission = c.one(raw.permission.as_ref(), legal);
    let skills = skills.iter().map(|raw| skill::check(raw, c)).collect();
    let environment = environment(raw.environment.as_ref(), c);
    let memory = c.one(raw.memory.as_ref(), memory);
    let kind = choice(raw.kind.as_ref(), AbilityKind::default());
    let work = quiet::work(raw.work.as_ref(), kind, c);
    let form = quiet::form(raw.form.as_ref(), kind, c);
    let background = quiet::modes(raw.background.as_deref().unwrap_or_default(), c);
    Some(Ability {
        name: name?,
        kind,
        launch: choice(raw.launch.as_ref(), LaunchMode::default()),
        exec,
        lifecycle: choice(raw.lifecycle.as_ref(), Lifecycle::default()),
        exported: raw.exported.as_ref().is_some_and(|at| at.value),
        permission,
        skills,
        label: raw.label.is_some().then_some(label),
        environment,
        memory,
        write_execute: raw.write_execute.as_ref().is_some_and(|at| at.value),
        before_unlock: raw.before_unlock.as_ref().is_some_and(|at| at.value),
        background,
        work,
        form,
    })
}

fn exec(raw: &At<Vec<At<String>>>, c: &mut Check) -> Vec<String> {
    let Some((program, arguments)) = raw.value.split_first() else {
        let problem = Problem::new(raw.place.clone(), "`exec` is empty");
        c.add(
            problem.help("the program, then its arguments: [\"/usr/bin/python3\", \"notes.py\"]"),
        );
        return Vec::new();
    };
    let program = c.one(Some(program), words::program);
    let arguments = arguments.iter().filter_map(|a| c.one(Some(a), value::argument));
    program.into_iter().chain(arguments.collect::<Vec<_>>()).collect()
}

fn environment(raw: Option<&Pairs>, c: &mut Check) -> BTreeMap<String, String> {
    let pairs = raw.map(|p| p.0.as_slice()).unwrap_or_default();
    if let Some((key, _)) = pairs.get(MAX_LIST) {
        c.add(Problem::new(key.place.clone(), format!("more than {MAX_LIST} variables")));
    }
    let checked = pairs.iter().filter_map(|(key, text)| {
        c.one(Some(key), words::variable).zip(c.one(Some(text), value::argument))
    });
    checked.collect()
}

/// Notes what its maker most likely does not mean.
pub(super) fn unlikely(raw: &raw::Bundle, c: &mut Check) {
    for ability in raw.ability.iter().flatten() {
        let exported = ability.exported.as_ref().is_some_and(|at| at.value);
        if let Some(at) = ability.permission.as_ref().filter(|_| !exported) {
            let message = "this permission says something only beside exported = true";
            c.add(Problem::warning(at.place.clone(), message));
        }
    }
}
