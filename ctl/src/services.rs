//! What ensctl does with services: asks servicemgr, prints the answer.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use api::services::{self, State};

use crate::bus::Services as Bus;
use crate::call::{self, PATIENCE};
use crate::fault::Fault;
use crate::files::{Difference, Files, OWN, SHIPPED};
use crate::near::hint;
use crate::paint::{Colour, harmless};
use crate::request::Job;
use crate::run::Out;
use crate::sandbox;
use crate::show::{columns, plain, services as table, tree, why};

/// All services.
pub(crate) fn list(json: bool, out: &Out) -> Result<bool, Fault> {
    let rows = call::services(true, Some(PATIENCE), |bus| bus.list())?;
    if json { out.json(&rows) } else { out.text(&table::list(&rows, out.paint)) }?;
    Ok(true)
}

/// These in full. Answers whether all are well.
pub(crate) fn show(names: &[String], json: bool, out: &Out) -> Result<bool, Fault> {
    let ask = |bus: Bus<'_>| {
        let mut all = Vec::new();
        for name in names {
            all.push(known(&bus, name, bus.status(name))?);
        }
        Ok((all, bus.system()?.uptime))
    };
    let (all, uptime) = call::services(true, Some(PATIENCE), ask).map_err(Fault::of_status)?;
    if json {
        out.json(&all)?;
    } else {
        let texts = all.iter().map(|status| table::status(status, uptime, out.paint));
        out.text(&texts.collect::<Vec<_>>().join("\n"))?;
    }
    match all.iter().all(|status| table::is_well(status.row.state)) {
        true => Ok(true),
        false => Err(Fault::NotRunning),
    }
}

/// To start or stop twice is to do it once; to restart twice is not.
pub(crate) fn work(job: Job, names: &[String], json: bool, out: &Out) -> Result<bool, Fault> {
    let ask = |bus: Bus<'_>| {
        match (job.word(), names) {
            // One transaction, and nobody waits for the one before.
            (Some(what), [_, _, ..]) => together(&bus, what, names)?,
            _ => one_by_one(&bus, job, names)?,
        }
        let mut rows = Vec::new();
        for name in names.iter().filter(|_| json) {
            match bus.status(name) {
                // Made for a while, and that is over.
                Err(services::Error::NoSuchService(_)) => {}
                status => rows.push(status?.row),
            }
        }
        Ok(rows)
    };
    let rows = call::services(!matches!(job, Job::Restart | Job::Reload), None, ask)?;
    if json {
        out.json(&rows)?;
    }
    Ok(true)
}

fn one_by_one(bus: &Bus<'_>, job: Job, names: &[String]) -> Result<(), services::Error> {
    for name in names {
        let answer = match job {
            Job::Start => bus.start(name),
            Job::Stop => bus.stop(name),
            Job::Restart => bus.restart(name),
            Job::Reload => bus.reload(name),
            Job::Reset => bus.reset(name),
            Job::Freeze => bus.freeze(name),
            Job::Thaw => bus.thaw(name),
            Job::Enable(now) => bus.enable(name, now),
            Job::Disable(now) => bus.disable(name, now),
        };
        known(bus, name, answer).map_err(|e| named(name, e))?;
    }
    Ok(())
}

fn together(bus: &Bus<'_>, what: &str, names: &[String]) -> Result<(), services::Error> {
    let list: Vec<&str> = names.iter().map(String::as_str).collect();
    let failed = bus.together(what, &list).or_else(|e| match e {
        services::Error::NoSuchService(_) => {
            // Which one, and what was meant? An instance may not be there yet.
            for name in names.iter().filter(|name| !name.contains('@')) {
                known(bus, name, bus.status(name))?;
            }
            Err(e)
        }
        e => Err(e),
    })?;
    let text: Vec<String> = failed.iter().map(|f| with_log(&f.name, &f.reason)).collect();
    if text.is_empty() { Ok(()) } else { Err(services::Error::Failed(text.join("\n"))) }
}

/// What a job would do.
pub(crate) fn rehearse(job: Job, names: &[String], json: bool, out: &Out) -> Result<bool, Fault> {
    let what = job.word().unwrap_or("start");
    let list: Vec<&str> = names.iter().map(String::as_str).collect();
    let ask = |bus: Bus<'_>| bus.rehearse(what, &list);
    let transaction = call::services(true, Some(PATIENCE), ask)?;
    if json { out.json(&transaction) } else { out.text(&why::rehearsal(&transaction, out.paint)) }?;
    Ok(true)
}

/// New definitions.
pub(crate) fn reload(dry_run: bool, json: bool, out: &Out) -> Result<bool, Fault> {
    let ask = |bus: Bus<'_>| bus.reload_definitions(dry_run);
    let changes = call::services(false, Some(PATIENCE), ask)?;
    if !dry_run {
        // The servicemgr that answers this has read them.
        call::services(true, Some(PATIENCE), |bus: Bus<'_>| bus.system())?;
    }
    let text = || why::changes(&changes, dry_run, out.paint);
    if json { out.json(&changes) } else { out.text(&text()) }?;
    Ok(true)
}

/// Why a service is where it is.
pub(crate) fn reasons(name: &str, json: bool, out: &Out) -> Result<bool, Fault> {
    let ask = |bus: Bus<'_>| Ok((known(&bus, name, bus.why(name))?, bus.system()?.uptime));
    let (reasons, uptime) = call::services(true, Some(PATIENCE), ask)?;
    if json { out.json(&reasons) } else { out.text(&why::why(&reasons, uptime, out.paint)) }?;
    Ok(true)
}

/// What a service needs, or what needs it.
pub(crate) fn draw(
    name: Option<&str>,
    reverse: bool,
    json: bool,
    out: &Out,
) -> Result<bool, Fault> {
    let ask = |bus: Bus<'_>| {
        if let Some(name) = name {
            known(&bus, name, bus.status(name))?;
        }
        Ok((bus.list()?, bus.graph()?))
    };
    let (rows, edges) = call::services(true, Some(PATIENCE), ask)?;
    match json {
        true => out.json(&edges),
        false => out.text(&tree::draw(&rows, &edges, name, reverse, out.paint)),
    }?;
    Ok(true)
}

/// Waits for a state. Answers whether it came.
pub(crate) fn wait(
    name: &str,
    state: &str,
    limit: Option<Duration>,
    json: bool,
    out: &Out,
) -> Result<bool, Fault> {
    let mut states = vec![state];
    match state {
        "ready" => states.extend(["done", "skipped", "failed"]),
        "done" => states.extend(["skipped", "failed"]),
        "off" => states.push("armed"),
        _ => {}
    }
    let ask = |bus: Bus<'_>| known(&bus, name, bus.wait(name, &states));
    let Some(row) = call::services_within(true, limit, ask)? else {
        let text = format!("{name} is not {state} after {:?}", limit.unwrap_or_default());
        return Err(Fault::NotWell(format!("{text}: `ensctl service why {name}` says why")));
    };
    if json {
        out.json(&row)?;
    } else if row.state == State::Failed && state != "failed" {
        return Err(Fault::NotWell(format!("{name}: {}", row.reason)));
    }
    Ok(row.state != State::Failed || state == "failed")
}

/// Runs a program as a service. Answers with its exit status, if that is waited for.
pub(crate) fn run(
    name: &str,
    definition: &str,
    wait: bool,
    json: bool,
    out: &Out,
) -> Result<ExitCode, Fault> {
    let ask = |bus: Bus<'_>| bus.run(name, definition).map_err(|e| named(name, e));
    let started = call::services(false, None, ask);
    match started {
        // A program may fail before it was looked at: with `--wait` that is its answer.
        Err(Fault::NotWell(_)) if wait => {}
        started => started?,
    }
    if !wait {
        match json {
            true => out.json(&serde_json::json!({ "name": name }))?,
            false => out.text(&format!("{name} runs: `ensctl service status {name}`\n"))?,
        }
        return Ok(ExitCode::SUCCESS);
    }
    let (code, why) = sandbox::end_of(name)?;
    if json {
        out.json(&serde_json::json!({ "name": name, "status": code, "failed": why }))?;
    } else if let Some(why) = why {
        let _shown = out.complain(&Fault::NotWell(with_log(name, &why)));
    }
    Ok(ExitCode::from(code))
}

/// What comes over the bus is not longer than that.
pub(crate) fn fits(definition: &str) -> Result<(), Fault> {
    let length = definition.len();
    if length > services::MAX_DEFINITION {
        let most = services::MAX_DEFINITION;
        return Err(Fault::Refused(format!(
            "cannot run it: its definition has {length} bytes, at most {most} come over the bus: write a file in \
             {OWN}, then `ensctl reload`"
        )));
    }
    Ok(())
}

/// The files that define a service.
pub(crate) fn files(name: &str, json: bool, out: &Out) -> Result<bool, Fault> {
    let parts = here().of(name).map_err(Fault::NotWell)?;
    if parts.is_empty() {
        exists(name)?;
        let text = format!("no file defines `{name}`; `ensctl service status {name}` if it runs");
        return Err(Fault::NoSuchService(text));
    }
    if json {
        out.json(&parts)?;
        return Ok(true);
    }
    let mut text = String::new();
    for part in &parts {
        out.paint.put(&mut text, Colour::Dim, &format!("# {}\n", harmless(&part.path)));
        for line in part.text.lines() {
            text.push_str(&out.paint.message(line));
            text.push('\n');
        }
    }
    out.text(&text)?;
    Ok(true)
}

/// What differs from the image. Answers whether nothing does.
pub(crate) fn differences(name: Option<&str>, json: bool, out: &Out) -> Result<bool, Fault> {
    let all = here().differences(name).map_err(Fault::NotWell)?;
    if let Some(name) = name.filter(|_| all.is_empty()) {
        exists(name)?;
    }
    if json {
        out.json(&all)?;
    } else if all.is_empty() {
        out.text("All is as the image has it.\n")?;
    } else {
        let row = |d: &Difference| {
            let value = |v: &Option<String>| plain(harmless(v.as_deref().unwrap_or("-")));
            let name = (Colour::Bold, harmless(&d.service).into_owned());
            vec![name, plain(harmless(&d.key)), value(&d.shipped), value(&d.own), plain(&d.path)]
        };
        let rows: Vec<_> = all.iter().map(row).collect();
        out.text(&columns(out.paint, &["NAME", "KEY", "SHIPPED", "NOW", "FILE"], &rows))?;
    }
    Ok(all.is_empty())
}

/// Whether a service is called that, if anybody can tell.
pub(crate) fn exists(name: &str) -> Result<(), Fault> {
    let ask = |bus: Bus<'_>| known(&bus, name, bus.status(name)).map(drop);
    match call::services(true, Some(PATIENCE), ask) {
        Err(Fault::Unreachable(_)) => Ok(()),
        answer => answer,
    }
}

fn here() -> Files<'static> {
    Files { shipped: Path::new(SHIPPED), own: Path::new(OWN) }
}

/// Of several services it must be clear which one failed, and where to read more.
pub(crate) fn named(name: &str, error: services::Error) -> services::Error {
    match error {
        services::Error::Failed(why) => services::Error::Failed(with_log(name, &why)),
        services::Error::Replaced(why) => services::Error::Replaced(format!("{name}: {why}")),
        other => other,
    }
}

fn with_log(name: &str, why: &str) -> String {
    format!("{name}: {why}\nRead `ensctl log -u {name}` for more.")
}

/// An unknown name gets the one that was probably meant.
pub(crate) fn known<T>(
    bus: &Bus<'_>,
    name: &str,
    answer: Result<T, services::Error>,
) -> Result<T, services::Error> {
    let Err(services::Error::NoSuchService(_)) = answer else { return answer };
    let rows = bus.list()?;
    let hint = hint(name, rows.iter().map(|row| row.name.as_str()));
    let list = if hint.is_empty() { "; `ensctl service list` shows all" } else { "" };
    Err(services::Error::NoSuchService(format!("no service is called `{name}`{hint}{list}")))
}
