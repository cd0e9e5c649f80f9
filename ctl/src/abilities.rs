//! `ensctl ability`: what runs of apps, and what can be done.

use std::collections::HashMap;

use api::abilities::{Error, Want};
use serde_json::json;

use crate::args::{Args, Usage};
use crate::bus::Abilities;
use crate::call::{self, PATIENCE};
use crate::choices::{candidate, pick};
use crate::fault::Fault;
use crate::near::hint;
use crate::run::Out;
use crate::show::abilities as show;

/// What to do with abilities.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// Show what runs.
    List,
    /// Show what can be gone back to.
    Missions,
    /// Start what answers this; to the front if true.
    Start(Box<Want>, bool),
    /// Start the one with this number of what answers this; from now on if true.
    StartOne(Box<Want>, u32, bool),
    /// Show what answers this.
    Candidates(Box<Want>),
    /// End an instance.
    Stop(String),
    /// Wait until an instance is in a state.
    Wait(String, String),
    /// Do something with a mission.
    Mission(Verb, u32),
    /// Print all there is to know.
    Dump,
}

/// What can be done with a mission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Bring it to the front.
    Show,
    /// Send it to the background.
    Hide,
    /// End and forget it.
    Forget,
}

impl Ask {
    /// From a command line whose second word is `word`.
    ///
    /// # Errors
    /// [`Usage`]: a value makes no sense.
    pub fn from_args(word: &str, args: &Args) -> Result<Self, Usage> {
        let operand = |at: usize| args.operands.get(at).cloned().unwrap_or_default();
        let verb = match word {
            "start" => {
                let (bundle, ability) = match operand(0).split_once('/') {
                    Some((bundle, ability)) => (bundle.to_owned(), Some(ability.to_owned())),
                    None => (operand(0), None),
                };
                let want = Want { bundle: Some(bundle), ability, ..want(args)? };
                return Ok(Self::Start(Box::new(want), !args.has("background")));
            }
            "want" => {
                let want = Box::new(want(args)?);
                if let Some(word) = args.value("choose") {
                    let (number, always) = (candidate(word, args)?, args.has("always"));
                    return Ok(Self::StartOne(want, number, always));
                }
                let start = args.has("start");
                return Ok(if start { Self::Start(want, true) } else { Self::Candidates(want) });
            }
            "missions" => return Ok(Self::Missions),
            "stop" => return Ok(Self::Stop(operand(0))),
            "wait" => return Ok(Self::Wait(operand(0), operand(1))),
            "dump" => return Ok(Self::Dump),
            "show" => Verb::Show,
            "hide" => Verb::Hide,
            "forget" => Verb::Forget,
            _ => return Ok(Self::List),
        };
        let number = operand(0).parse().map_err(|_| {
            args.wrong(format!(
                "`{}`: which mission? Its number, as in `ability missions`",
                operand(0)
            ))
        })?;
        Ok(Self::Mission(verb, number))
    }
}

/// What the options say is wanted.
pub(crate) fn want(args: &Args) -> Result<Want, Usage> {
    let value = |name| args.value(name).map(str::to_owned);
    let entities: Vec<String> = args.values("entity").map(str::to_owned).collect();
    let mut parameters = HashMap::new();
    for text in args.values("param") {
        let (name, value) =
            text.split_once('=').filter(|(name, _)| !name.is_empty()).ok_or_else(|| {
                args.wrong(format!(
                    "`--param {text}`: what is the value? For example `--param page=3`"
                ))
            })?;
        parameters.insert(name.to_owned(), value.to_owned());
    }
    Ok(Want {
        bundle: None,
        ability: None,
        action: value("action"),
        entities: Some(entities).filter(|all| !all.is_empty()),
        uri: value("uri"),
        mime: value("type"),
        key: value("key"),
        parameters: Some(parameters).filter(|all| !all.is_empty()),
    })
}

/// Does it. Answers whether all is well.
///
/// # Errors
/// [`Fault`], in words for people.
pub(crate) fn run(ask: &Ask, json: bool, out: &Out) -> Result<bool, Fault> {
    match ask {
        Ask::List => {
            let ask = |bus: Abilities<'_>| Ok((bus.instances()?, bus.tasks()?));
            let (rows, tasks) = call::abilities(true, Some(PATIENCE), ask)?;
            let text = || show::instances(&rows, &tasks, out.paint);
            if json { out.json(&rows) } else { out.text(&text()) }?;
        }
        Ask::Missions => {
            let rows = call::abilities(true, Some(PATIENCE), |bus| bus.missions())?;
            if json { out.json(&rows) } else { out.text(&show::missions(&rows, out.paint)) }?;
        }
        Ask::Start(want, front) => {
            // A multiton that was started twice runs twice, so it is not asked again.
            let start = |bus: Abilities<'_>| known(&bus, want, bus.start(want, *front));
            let started = call::abilities(false, None, start)?;
            if json { out.json(&started) } else { out.text(&show::started(&started)) }?;
        }
        Ask::StartOne(want, number, always) => {
            let start = |bus: Abilities<'_>| {
                let want = pick(&bus, want, *number, *always)?;
                bus.start(&want, true)
            };
            let started = call::abilities(false, None, start)?;
            if json { out.json(&started) } else { out.text(&show::started(&started)) }?;
        }
        Ask::Candidates(want) => {
            let all = call::abilities(true, Some(PATIENCE), |bus| bus.candidates(want))?;
            if json { out.json(&all) } else { out.text(&show::candidates(&all, out.paint)) }?;
            return Ok(!all.is_empty());
        }
        Ask::Stop(unit) => {
            call::abilities(true, None, |bus| bus.stop(unit))?;
            done(json, unit, "stopped", out)?;
        }
        Ask::Wait(unit, state) => {
            let state = call::abilities(true, None, |bus| bus.wait(unit, &[state]))?;
            if json {
                out.json(&json!({ "unit": unit, "state": state }))?;
            }
        }
        Ask::Mission(verb, mission) => return mission_is(*verb, *mission, json, out),
        Ask::Dump => {
            let text = call::abilities(true, Some(PATIENCE), |bus| bus.dump())?;
            if json { out.json(&json!({ "dump": text })) } else { out.text(&show::lines(&text)) }?;
        }
    }
    Ok(true)
}

fn mission_is(verb: Verb, mission: u32, json: bool, out: &Out) -> Result<bool, Fault> {
    if verb == Verb::Show {
        let started = call::abilities(true, None, |bus| bus.show(mission))?;
        if json { out.json(&started) } else { out.text(&show::started(&started)) }?;
        return Ok(true);
    }
    call::abilities(true, None, |bus| match verb {
        Verb::Forget => bus.forget(mission),
        _ => bus.hide(mission),
    })?;
    let what = if verb == Verb::Forget { "forgotten" } else { "in the background" };
    done(json, &mission.to_string(), what, out)?;
    Ok(true)
}

/// What scripts are told of something that prints nothing else.
pub(crate) fn done(json: bool, about: &str, what: &str, out: &Out) -> Result<(), Fault> {
    if json { out.json(&json!({ "about": about, "now": what })) } else { Ok(()) }
}

/// An unknown bundle gets the one that was probably meant; several that could be started are shown.
fn known<T>(bus: &Abilities<'_>, want: &Want, answer: Result<T, Error>) -> Result<T, Error> {
    if let Err(Error::Ambiguous(_)) = &answer {
        let all = show::numbered(&bus.candidates(want)?);
        let why = format!("several can do that: which one? `--choose N`\n{}", all.trim_end());
        return Err(Error::Ambiguous(why));
    }
    let (Err(Error::NotFound(why)), Some(id)) = (&answer, &want.bundle) else { return answer };
    let all = bus.list()?;
    let hint = hint(id, all.iter().map(|bundle| bundle.id.as_str()));
    Err(Error::NotFound(format!("{}{hint}", why.trim_end())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Ask, String> {
        let asked = crate::args::line(line).and_then(|(word, args)| Ask::from_args(word, &args));
        asked.map_err(|usage| usage.why)
    }

    #[test]
    fn a_command_line_becomes_a_want() {
        let notes = Want { bundle: Some("org.example.notes".into()), ..Want::default() };
        let front = |want| Ok(Ask::Start(Box::new(want), true));
        assert_eq!(read("ability start org.example.notes"), front(notes.clone()));
        let edit = Want {
            ability: Some("edit".into()),
            parameters: Some([("page".to_owned(), "a=3".to_owned())].into()),
            ..notes
        };
        let line = "ability start org.example.notes/edit -p page=a=3 --background";
        assert_eq!(read(line), Ok(Ask::Start(Box::new(edit), false)));
        let view = Want {
            action: Some("view".into()),
            uri: Some("https://example.org".into()),
            entities: Some(vec!["a".into(), "b".into()]),
            ..Want::default()
        };
        let line = "ability want --action view --uri https://example.org --entity a --entity b";
        assert_eq!(read(line), Ok(Ask::Candidates(Box::new(view.clone()))));
        assert_eq!(read(&format!("{line} --start")), front(view.clone()));
        let one = Ask::StartOne(Box::new(view), 2, true);
        assert_eq!(read(&format!("{line} --choose 2 --always")), Ok(one));
    }

    #[test]
    fn missions_have_numbers() {
        assert_eq!(read("ability hide 7"), Ok(Ask::Mission(Verb::Hide, 7)));
        let all = ["ability hide notes", "ability start", "ability want -p x", "ability"];
        let all = all.map(|line| read(line).unwrap_err()).join("\n");
        insta::assert_snapshot!(all, @r"
        `notes`: which mission? Its number, as in `ability missions`
        `ability start` needs ID[/ABILITY]
        `--param x`: what is the value? For example `--param page=3`
        which `ability` command? One of list, start, want, stop, wait, missions, show, hide, forget, dump, choices, choose, default, form, tasks, work
        ");
    }
}
