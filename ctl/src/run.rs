//! From the command line to the exit status.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, IsTerminal, Read, Write};
use std::process::ExitCode;
use std::time::Duration;

use api::export::Decoder;
use api::journal::Query;
use api::pid1::End;
use api::services::SystemState;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;

use crate::abilities;
use crate::apps;
use crate::args::Args;
use crate::background;
use crate::bus::Services;
use crate::call::{self, PATIENCE};
use crate::choices;
use crate::completion::script;
use crate::devices;
use crate::far;
use crate::fault::{Fault, NOT_WELL};
use crate::forms;
use crate::learn;
use crate::lock;
use crate::paint::{Paint, harmless};
use crate::params;
use crate::permission;
use crate::refusals;
use crate::request::{Form, Request};
use crate::sandbox;
use crate::score;
use crate::security;
use crate::services;
use crate::show::boot::Boot;
use crate::show::{log, svg, system};
use crate::stores;
use crate::time::{LOCALTIME, zone};

/// Bytes read from the pipe of journal at once: what a pipe holds.
const PIECE: usize = 64 << 10;

/// Times in a row that journal, once it was there, may be away when a followed log is opened again.
const REOPENS: u32 = 20;

/// Wait before it is opened again.
const REOPEN_AFTER: Duration = Duration::from_millis(250);

/// Where to write, and what can be seen there.
#[derive(Debug)]
pub struct Out {
    pub(crate) paint: Paint,
    errors: Paint,
}

impl Out {
    /// Standard output and error.
    #[must_use]
    pub fn standard() -> Self {
        let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let paint = |terminal| Paint { terminal, colour: terminal && !no_color };
        let (out, errors) = (io::stdout().is_terminal(), io::stderr().is_terminal());
        Self { paint: paint(out), errors: paint(errors) }
    }

    /// Tells what went wrong, and with which exit status.
    #[must_use]
    pub fn complain(&self, fault: &Fault) -> ExitCode {
        if !matches!(fault, Fault::Enough | Fault::NotRunning) {
            let mut text = self.errors.word(crate::paint::Colour::Red, "ensctl:");
            text.push(' ');
            for line in fault.to_string().split('\n') {
                text.push_str(&harmless(line));
                text.push('\n');
            }
            // Nobody is left to tell when this fails.
            let _ = io::stderr().write_all(text.as_bytes());
        }
        ExitCode::from(fault.code())
    }

    /// Tells something that is no mistake of ours, where it does not get into the output.
    pub(crate) fn say(&self, text: &str) -> Result<(), Fault> {
        Ok(writeln!(io::stderr(), "{}", harmless(text))?)
    }

    /// Whether a line beside the output can be written anew: somebody sees it.
    pub(crate) fn live(&self) -> bool {
        self.errors.terminal && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
    }

    /// Tells what people are to do now, where it does not get into the output.
    pub(crate) fn tell(&self, text: &str) -> Result<(), Fault> {
        Ok(io::stderr().write_all(text.as_bytes())?)
    }

    pub(crate) fn text(&self, text: &str) -> Result<(), Fault> {
        Ok(io::stdout().write_all(text.as_bytes())?)
    }

    pub(crate) fn json(&self, value: &impl Serialize) -> Result<(), Fault> {
        let text = serde_json::to_string_pretty(value).map_err(io::Error::from)?;
        self.text(&(text + "\n"))
    }
}

/// Does what the command line says.
///
/// # Errors
/// [`Fault`], in words for people.
pub fn run(line: impl IntoIterator<Item = OsString>, out: &Out) -> Result<ExitCode, Fault> {
    let args = Args::parse(line)?;
    let request = Request::from_args(&args, || (Timestamp::now(), local()))?;
    let json = args.has("json");
    let well = match request {
        Request::Help(text) => out.text(&text).map(|()| true),
        Request::Version if json => {
            out.json(&serde_json::json!({ "version": env!("CARGO_PKG_VERSION") })).map(|()| true)
        }
        Request::Version => {
            out.text(concat!("ensctl ", env!("CARGO_PKG_VERSION"), "\n")).map(|()| true)
        }
        Request::Completion(shell) => out.text(&script(shell)).map(|()| true),
        Request::Log(query, form) => follow_log(query, form, out).map(|()| true),
        Request::Learn(line) => return learn::run(&line),
        Request::Sandbox(sandbox::Ask::Try { name, profile, command }) => {
            return sandbox::attempt(&name, &sandbox::tried(&profile, &command)?, json, out);
        }
        Request::Far(ask) => return far::run(&ask, json, out),
        Request::Run { name, definition, wait, pipe } => {
            services::fits(&definition)?;
            return match pipe {
                true => sandbox::attempt(&name, &definition, json, out),
                false => services::run(&name, &definition, wait, json, out),
            };
        }
        other => ask(other, json, out),
    }?;
    Ok(if well { ExitCode::SUCCESS } else { ExitCode::from(NOT_WELL) })
}

pub(crate) fn local() -> TimeZone {
    zone(fs::read(LOCALTIME).ok().as_deref())
}

/// What needs servicemgr. Answers whether all is well.
fn ask(request: Request, json: bool, out: &Out) -> Result<bool, Fault> {
    match request {
        Request::Status { wait } => status(wait, json, out),
        Request::List => services::list(json, out),
        Request::Show(names) => services::show(&names, json, out),
        Request::Job(job, names) => services::work(job, &names, json, out),
        Request::Rehearse(job, names) => services::rehearse(job, &names, json, out),
        Request::Files(name) => services::files(&name, json, out),
        Request::Diff(name) => services::differences(name.as_deref(), json, out),
        Request::Tree { name, reverse } => services::draw(name.as_deref(), reverse, json, out),
        Request::Why(name) => services::reasons(&name, json, out),
        Request::Wait { name, state, limit } => services::wait(&name, &state, limit, json, out),
        Request::Reload { dry_run } => services::reload(dry_run, json, out),
        Request::Security => security::run(json, out),
        Request::Refusals(name) => refusals::run(&name, json, out),
        Request::Sandbox(ask) => sandbox::run(&ask, json, out),
        Request::Score(ask) => score::run(&ask, json, out),
        Request::Permission(ask) => permission::run(&ask, json, out),
        Request::App(ask) => apps::run(&ask, json, out),
        Request::Store(ask) => stores::run(&ask, json, out),
        Request::Ability(ask) => abilities::run(&ask, json, out),
        Request::Choice(ask) => choices::run(&ask, json, out),
        Request::Form(ask) => forms::run(&ask, json, out),
        Request::Background(ask) => background::run(&ask, json, out),
        Request::Lock(ask) => lock::run(ask, json, out),
        Request::Device(ask) => devices::run(&ask, json, out),
        Request::Param(ask) => params::run(ask, json, out),
        Request::Boot | Request::Chart(_) => boot(&request, json, out),
        Request::Down(end) => down(end, json, out),
        Request::Help(_)
        | Request::Version
        | Request::Completion(_)
        | Request::Learn(_)
        | Request::Run { .. }
        | Request::Far(_)
        | Request::Log(..) => Ok(true),
    }
}

fn status(wait: bool, json: bool, out: &Out) -> Result<bool, Fault> {
    let system = if wait {
        call::services(true, None, |bus| bus.wait_settled())
    } else {
        call::services(true, Some(PATIENCE), |bus| bus.system())
    }?;
    if json { out.json(&system) } else { out.text(&system::text(&system, out.paint)) }?;
    Ok(system.state == SystemState::Ready)
}

fn boot(request: &Request, json: bool, out: &Out) -> Result<bool, Fault> {
    let ask = |bus: Services<'_>| Ok(Boot::new(bus.system()?, bus.boot()?));
    let boot = call::services(true, Some(PATIENCE), ask)?;
    match request {
        Request::Chart(None) => out.text(&svg::draw(&boot))?,
        Request::Chart(Some(path)) => fs::write(path, svg::draw(&boot)).map_err(|e| {
            Fault::NotWell(format!("cannot write {path}: {e}; /tmp is a good place"))
        })?,
        _ if json => out.json(&boot.json())?,
        _ => out.text(&boot.text(out.paint))?,
    }
    Ok(true)
}

fn down(end: End, json: bool, out: &Out) -> Result<bool, Fault> {
    let ask = |bus: Services<'_>| match end {
        End::PowerOff => bus.power_off(),
        End::Reboot => bus.reboot(),
        End::Halt => bus.halt(),
    };
    call::services(true, Some(PATIENCE), ask)?;
    if json {
        let word = match end {
            End::PowerOff => "poweroff",
            End::Reboot => "reboot",
            End::Halt => "halt",
        };
        out.json(&serde_json::json!({ "asked": word }))?;
    }
    Ok(true)
}

/// Prints records until there are no more. A log that is followed goes on after journal was
/// replaced, right after the last record seen.
fn follow_log(mut query: Query, form: Form, out: &Out) -> Result<(), Fault> {
    let mut printer = Printer { form, zone: local(), paint: out.paint, last: None };
    let mut failures = None;
    loop {
        match (call::read(&query), failures) {
            (Ok(pipe), _) => {
                printer.print(File::from(pipe))?;
                failures = Some(0);
            }
            (Err(Fault::Unreachable(_)), Some(n)) if n < REOPENS => failures = Some(n + 1),
            (Err(fault), _) => return Err(fault),
        }
        if !query.follow {
            // Nothing of a service that nobody knows is a wrong name.
            let unit = query.unit.as_deref().filter(|_| printer.last.is_none());
            return unit.map_or(Ok(()), services::exists);
        }
        if let Some(cursor) = &printer.last {
            query.cursor = Some(cursor.clone());
            query.lines = None;
        }
        std::thread::park_timeout(REOPEN_AFTER);
    }
}

/// Writes records as they come out of a pipe.
struct Printer {
    form: Form,
    zone: TimeZone,
    paint: Paint,
    /// The cursor of the last record.
    last: Option<String>,
}

impl Printer {
    fn print(&mut self, mut pipe: File) -> Result<(), Fault> {
        let mut out = io::BufWriter::new(io::stdout().lock());
        let mut decoder = Decoder::default();
        let mut bytes = vec![0; PIECE];
        loop {
            let length = match pipe.read(&mut bytes) {
                Ok(length) => length,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => return Err(Fault::NotWell(format!("cannot read the log: {e}"))),
            };
            if length == 0 {
                break;
            }
            decoder.push(bytes.get(..length).unwrap_or_default());
            while let Some(record) = decoder.take().map_err(broken)? {
                match self.form {
                    Form::Short => log::short(&record, &self.zone, self.paint, &mut out)?,
                    Form::Json => log::json(&record, &mut out)?,
                    Form::Export => out.write_all(record.raw)?,
                }
                self.last = record.cursor().map(str::to_owned).or(self.last.take());
            }
            out.flush()?;
        }
        match decoder.rest() {
            0 => Ok(()),
            n => Err(Fault::NotWell(format!("the log was cut off within a record ({n} bytes)"))),
        }
    }
}

fn broken(fault: api::export::Fault) -> Fault {
    Fault::NotWell(format!("journal sent something that is not a record: {fault}"))
}
