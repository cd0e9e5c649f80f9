//! All that is started: our launcher with more and more of a sandbox, and other people's programs.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use model::Plan;
use sandbox::{Host, Own};
use sys::confine::{self, Confine};
use sys::passwd::Users;
use sys::spawn::Launch;

/// The services whose sandboxes are measured.
const PLAN: &str = "/bench/plan";

/// Other launchers: a line each, name and words with tabs between.
const COMMANDS: &str = "/bench/commands";

/// `CLONE_NEWNET`.
const NETWORK: u64 = 0x4000_0000;

/// A way to start a program.
#[derive(Debug, Clone)]
pub(crate) struct Way {
    /// What it is called.
    pub(crate) name: String,
    /// How; the program's words are put behind `launch.arguments` if that is another launcher.
    pub(crate) launch: Launch,
    /// Another launcher: it is given its filter as descriptor 3.
    pub(crate) other: bool,
    /// What is made ahead.
    pub(crate) ahead: Ahead,
}

/// What is made ahead of a start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ahead {
    Nothing,
    /// What others can use too.
    Base,
    All,
}

/// All ways, in order.
#[derive(Debug)]
pub(crate) struct Launches {
    /// Side by side.
    pub(crate) ways: Vec<Way>,
    /// Each has one thing more than the one before.
    pub(crate) steps: Vec<Way>,
    /// The whole sandbox of an app.
    pub(crate) app: Confine,
}

/// Reads what is to be started.
pub(crate) fn all() -> io::Result<Launches> {
    let plan = Plan::decode(&fs::read(PLAN)?).map_err(|e| io::Error::other(e.to_string()))?;
    confine::prepare()?;
    let ours = ours(&plan)?;
    let of = |name: &str| ours.get(name).cloned().ok_or(io::ErrorKind::NotFound);
    let (plain, app, own) = (of("default")?, of("app")?, of("own")?);
    let whole = app.confine.as_deref().cloned().unwrap_or_default();
    let without = |launch: &Launch, confine| Launch { confine, ..launch.clone() };
    let bare =
        Launch { environment: vec![c("PATH=/usr/bin")?], directory: c("/")?, ..Launch::default() };
    let connected = |launch: &Launch| {
        let confine = launch.confine.as_deref().cloned().unwrap_or_default();
        let namespaces = confine.namespaces & !NETWORK;
        without(launch, Some(Arc::new(Confine { namespaces, ..confine })))
    };
    let mut ways = vec![
        way("bare", bare.clone()),
        way("default", plain.clone()),
        way("service", of("service")?),
        way("app", app.clone()),
        way("app-network", connected(&app)),
        way("own", own.clone()),
        way("own-network", connected(&own)),
    ];
    let confined = ways.iter().filter(|way| way.launch.confine.is_some()).cloned();
    let ahead = confined.map(|way| {
        let (of, ahead) = match way.name.starts_with("own") {
            true => ("base", Ahead::Base),
            false => ("ahead", Ahead::All),
        };
        Way { name: format!("{}-{of}", way.name), ahead, ..way }
    });
    ways.extend(ahead.collect::<Vec<_>>());
    ways.extend(others(&bare)?);
    let mut steps =
        vec![way("bare", bare), way("default", plain), way("identity", without(&app, None))];
    for (name, confine) in ladder(&whole) {
        steps.push(way(name, without(&app, Some(Arc::new(confine)))));
    }
    Ok(Launches { ways, steps, app: whole })
}

/// The sandbox of an app, one thing after the other.
fn ladder(whole: &Confine) -> Vec<(&'static str, Confine)> {
    let mut now = Confine::default();
    let mut all = Vec::new();
    let mut add = |name, step: &dyn Fn(&mut Confine)| {
        step(&mut now);
        all.push((name, now.clone()));
    };
    add("keyring", &|c| c.keyring = whole.keyring);
    add("filter", &|c| c.filter.clone_from(&whole.filter));
    add("landlock", &|c| c.ruleset.clone_from(&whole.ruleset));
    add("copy", &|c| c.no_write_execute = whole.no_write_execute);
    add("namespaces", &|c| c.namespaces = whole.namespaces & !NETWORK);
    add("mounts", &|c| c.mounts.clone_from(&whole.mounts));
    add("network", &|c| c.namespaces = whole.namespaces);
    all
}

/// Our launches by the name of the service.
fn ours(plan: &Plan) -> io::Result<BTreeMap<String, Launch>> {
    let users = Users::read(Path::new("/etc"))?;
    let host = Host {
        notify: "/run/notify.sock".to_owned(),
        open_files: 1024,
        oom_score: true,
        capabilities: u64::MAX,
    };
    let mut all = BTreeMap::new();
    for service in &plan.services {
        let compiled = plan.compiled.iter().find(|(profile, _)| profile.eq(&service.sandbox));
        let fitted = compiled.map(|(_, compiled)| sandbox::fit(compiled, &confine::features()));
        let fitted = fitted.transpose().map_err(io::Error::other)?.map(Arc::new);
        let own = Own { confine: fitted.as_ref(), ..Own::default() };
        let launch = sandbox::launch(service, &users, &host, &own).map_err(io::Error::other)?;
        all.insert(service.name.to_string(), launch);
    }
    Ok(all)
}

fn others(bare: &Launch) -> io::Result<Vec<Way>> {
    let text = fs::read_to_string(COMMANDS)?;
    text.lines()
        .map(|line| {
            let mut words = line.split('\t');
            let name = words.next().unwrap_or_default().to_owned();
            let arguments = words.map(c).collect::<io::Result<Vec<_>>>()?;
            let program = arguments.first().cloned().ok_or(io::ErrorKind::InvalidData)?;
            let launch = Launch { program, arguments, ..bare.clone() };
            Ok(Way { name, launch, other: true, ahead: Ahead::Nothing })
        })
        .collect()
}

fn way(name: &str, launch: Launch) -> Way {
    Way { name: name.to_owned(), launch, other: false, ahead: Ahead::Nothing }
}

impl Way {
    /// How it starts these words.
    pub(crate) fn of(&self, words: &[&str]) -> io::Result<Launch> {
        let words = words.iter().map(|word| c(word)).collect::<io::Result<Vec<_>>>()?;
        let mut launch = self.launch.clone();
        if self.other {
            launch.arguments.extend(words);
        } else {
            launch.program = words.first().cloned().unwrap_or_default();
            launch.arguments = words;
        }
        Ok(launch)
    }
}

fn c(text: &str) -> io::Result<CString> {
    CString::new(text).map_err(io::Error::other)
}
