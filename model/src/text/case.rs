//! Cases: from what was written to [`Case`].

use super::check::{Check, choice, values};
use super::decode::At;
use super::files::{self, Host as BuildHost};
use super::report::{Place, Problem};
use super::value::{self, Bad, Checked};
use super::{raw, units};
use crate::case::{Act, Case, Expect, Harm, Host, MAX_TIMES, Ring, STEP_TIMEOUT, Step};

mod network;

use network::Devices;

/// Checks a case, called `name`; `text` is its file.
pub(crate) fn check(
    name: &str,
    raw: &raw::Case,
    text: &str,
    host: BuildHost<'_>,
    c: &mut Check,
) -> Case {
    c.format(raw.version.as_ref());
    let mut on: Vec<Ring> = Vec::new();
    for ring in raw.on.iter().flatten().map(|at| at.value.0) {
        if !on.contains(&ring) {
            on.push(ring);
        }
    }
    if on.is_empty() {
        on = vec![Ring::Container, Ring::Machine];
    }
    let devices = network::devices(raw.device.as_ref(), c);
    let list = raw.step.as_deref().unwrap_or_default();
    if raw.step.is_some() && list.is_empty() {
        c.add(Problem::new(Place::default(), "a case has at least one [[step]]"));
    }
    let checked = list.iter().filter_map(|s| step(s, &on, &devices, text, c));
    let steps = checked.collect();
    Case {
        name: name.to_owned(),
        about: c.one(raw.about.as_ref(), value::about).unwrap_or_default(),
        devices: devices.members,
        together: devices.together,
        on,
        files: files::check(raw.file.as_ref(), host, c),
        steps,
    }
}

fn step(
    raw: &At<raw::Step>,
    rings: &[Ring],
    devices: &Devices,
    text: &str,
    c: &mut Check,
) -> Option<Step> {
    let act = act(raw, rings, devices, c);
    let on = raw.on.as_ref().map_or(Some(0), |at| devices.number(at, c));
    let times = c.range(raw.times.as_ref(), "the number of times", 1, MAX_TIMES).unwrap_or(1);
    let timeout = c.one(raw.timeout.as_ref(), units::timeout).unwrap_or(STEP_TIMEOUT);
    let until = c.one(raw.until.as_ref(), units::timeout);
    if let (Some(times), Some(until)) = (&raw.times, &raw.until) {
        let problem =
            Problem::new(times.place.clone(), "a step repeats `times` or `until`, not both");
        c.add(problem.also(until.place.clone(), "until here"));
    }
    let expect = Expect {
        exit: c.range(raw.exit.as_ref(), "an exit status", 0, 255).unwrap_or(0),
        stdout: raw.stdout.as_ref().map(|at| at.value.clone()),
        stderr: raw.stderr.as_ref().map(|at| at.value.clone()),
        stdout_has: texts(raw.stdout_has.as_ref()),
        stdout_lacks: texts(raw.stdout_lacks.as_ref()),
        stderr_has: texts(raw.stderr_has.as_ref()),
        json: json(raw.json.as_ref(), c),
    };
    let save = c.one(raw.save.as_ref(), variable);
    let before = text.get(..raw.place.start).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    Some(Step { act: act?, on: on?, times, timeout, until, expect, save, line })
}

fn act(raw: &At<raw::Step>, on: &[Ring], devices: &Devices, c: &mut Check) -> Option<Act> {
    let places = [
        raw.run.as_ref().map(|at| &at.place),
        raw.host.as_ref().map(|at| &at.place),
        raw.disk.as_ref().map(|at| &at.place),
        raw.link.as_ref().map(|at| &at.place),
        raw.address.as_ref().map(|at| &at.place),
    ];
    let mut given = places.into_iter().flatten();
    if let (Some(first), Some(second)) = (given.next(), given.next()) {
        let message = "a step is one of `run`, `host`, `disk`, `link` and `address`, not two";
        let problem = Problem::new(second.clone(), message);
        c.add(problem.also(first.clone(), "the other one").help("make two steps of it"));
        return None;
    }
    if let Some(run) = &raw.run {
        return command(run, c);
    }
    if let Some(at) = &raw.host {
        let host = choice(Some(at), Host::Reboot);
        if host.needs_machine() {
            machine_only(on, &at.place, c);
        }
        if !host.has_output() {
            no_output(raw, c);
        }
        return Some(Act::Host(host));
    }
    if let Some(at) = &raw.disk {
        machine_only(on, &at.place, c);
        no_output(raw, c);
        return harm(at, c).map(Act::Disk);
    }
    if let Some(at) = &raw.link {
        no_output(raw, c);
        return network::link(at, devices, c).map(Act::Link);
    }
    if let Some(at) = &raw.address {
        no_output(raw, c);
        return network::address(at, devices, c).map(Act::Address);
    }
    let problem = Problem::new(raw.place.clone(), "this step does nothing");
    c.add(problem.help("add `run = [\"program\", …]` or `host = \"…\"`"));
    None
}

fn command(run: &At<Vec<At<String>>>, c: &mut Check) -> Option<Act> {
    if run.is_empty() {
        let problem = Problem::new(run.place.clone(), "`run` is empty");
        c.add(problem.help("program and arguments: [\"ensctl\", \"status\"]"));
        return None;
    }
    let words = run
        .iter()
        .map(|a| (c.one(Some(a), value::argument), a))
        .filter_map(|(word, a)| Some(At { value: word?, place: a.place.clone() }));
    Some(Act::Run(values(words.collect())))
}

fn harm(raw: &At<raw::Harm>, c: &mut Check) -> Option<Harm> {
    let from = c.one(raw.at.as_ref(), units::size).unwrap_or(0);
    let length = c.one(raw.erase.as_ref(), units::size);
    if let (None, Some(at)) = (&raw.erase, &raw.at) {
        let problem = Problem::new(at.place.clone(), "this is where nothing is erased");
        c.add(problem.help("add `erase` with a size, like \"4K\""));
    }
    let partition = raw.partition.as_ref()?.value.clone();
    Some(Harm { partition, erase: length.map(|length| from..from.saturating_add(length)) })
}

fn machine_only(on: &[Ring], place: &Place, c: &mut Check) {
    if on.contains(&Ring::Container) {
        let message = "this takes a machine; a container has no power and no disk";
        let problem = Problem::new(place.clone(), message);
        c.add(problem.help("write on = [\"machine\"] above the steps"));
    }
}

/// Nothing may be expected of what has no output.
fn no_output(raw: &raw::Step, c: &mut Check) {
    let texts = [&raw.stdout, &raw.stderr, &raw.save].map(|at| at.as_ref().map(|at| &at.place));
    let parts = [&raw.stdout_has, &raw.stdout_lacks, &raw.stderr_has];
    let parts = parts.map(|l| l.as_ref().and_then(|l| l.first()).map(|at| &at.place));
    let exit = raw.exit.as_ref().map(|at| &at.place);
    for place in texts.into_iter().chain(parts).chain([exit]).flatten() {
        let problem = Problem::new(place.clone(), "this action has no output to expect");
        c.add(problem.help("expect it of a `run` step after it"));
    }
}

fn texts(list: Option<&Vec<At<String>>>) -> Vec<String> {
    list.into_iter().flatten().map(|at| at.value.clone()).collect()
}

fn json(list: Option<&Vec<At<raw::JsonIs>>>, c: &mut Check) -> Vec<(String, serde_json::Value)> {
    let checked = list.into_iter().flatten().filter_map(|raw| {
        let at = c.one(raw.at.as_ref(), pointer)?;
        Some((at, raw.is.as_ref()?.value.0.clone()))
    });
    checked.collect()
}

fn pointer(text: &str) -> Checked<String> {
    if text.is_empty() || text.starts_with('/') {
        return Ok(text.to_owned());
    }
    Err(Bad {
        message: format!("`{text}` is not a JSON pointer"),
        help: Some(format!("it begins with `/`: \"/{}\"", text.replace('.', "/"))),
    })
}

fn variable(text: &str) -> Checked<String> {
    let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
    if (1..=64).contains(&text.len()) && text.bytes().all(legal) {
        return Ok(text.to_owned());
    }
    Err(Bad {
        message: format!("`{text}` can't be written as {{NAME}}"),
        help: Some("letters, digits, `_` and `-`".to_owned()),
    })
}
