//! From the start of a program to its end, in every way.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use sys::clock::monotonic;
use sys::confine::Confine;
use sys::spawn::{Ahead, EmptyNetwork, Launch, Passed, Ready, spawn_with};

use crate::launches::{self, Launches, Way};
use crate::{PROGRAM, sleep, tell};

/// Programs that are started: of three instructions, and an ordinary one that does nothing.
const PROGRAMS: [(&str, &str); 2] = [("tiny", "/usr/bin/tiny"), ("rust", "/usr/bin/nothing")];

/// The filter as bytes, for other launchers.
const FILTER: &str = "/bench/filter";

/// Starts before the first that counts: caches of the kernel fill.
const WARM: u32 = 3;

/// Starts that count, each when all is calm.
const ALONE: u32 = 15;

/// Starts one after the other, with all that the kernel does for them.
const ROW: u32 = 30;

/// Between two starts that count: what the kernel does later for the one before is over.
const PAUSE: Duration = Duration::from_millis(100);

/// How many of what is kept are made to see what one costs.
const MANY: u64 = 100;

/// Longest output of a program.
const MAX_OUTPUT: u64 = 4096;

pub(crate) fn measure(all: &Launches) -> io::Result<()> {
    for way in &all.ways {
        let said = output(way, &[PROGRAM, "say"])?;
        if said.is_empty() {
            return Err(io::Error::other(format!("{}: the program did not run", way.name)));
        }
        tell(&format!("bench: is {} {said}", way.name));
        for (name, program) in PROGRAMS {
            let launch = way.of(&[program])?;
            tell(&format!("bench: alone {} {name} {}", way.name, alone(way, &launch)?));
            // In a row there is no time to make anything ahead.
            if way.ahead == launches::Ahead::Nothing {
                tell(&format!("bench: row {} {name} {}", way.name, row(way, &launch)?));
            }
        }
    }
    for way in &all.steps {
        let launch = way.of(&[PROGRAMS[0].1])?;
        tell(&format!("bench: step {} tiny {}", way.name, alone(way, &launch)?));
    }
    Ok(())
}

/// What a program says that is started in this way.
pub(crate) fn output(way: &Way, words: &[&str]) -> io::Result<String> {
    let launch = way.of(words)?;
    run(way, &launch, ahead(way, &launch)?).map(|(_, said)| said)
}

/// The median.
fn alone(way: &Way, launch: &Launch) -> io::Result<u128> {
    for _ in 0..WARM {
        run(way, launch, ahead(way, launch)?)?;
    }
    let mut times = Vec::new();
    for _ in 0..ALONE {
        let ahead = ahead(way, launch)?;
        sleep(PAUSE);
        times.push(run(way, launch, ahead)?.0);
    }
    times.sort_unstable();
    Ok(times.get(times.len() / 2).map_or(0, Duration::as_nanos))
}

/// The mean.
fn row(way: &Way, launch: &Launch) -> io::Result<u128> {
    sleep(PAUSE);
    let began = monotonic();
    for _ in 0..ROW {
        run(way, launch, Made::default())?;
    }
    Ok((monotonic() - began).as_nanos() / u128::from(ROW))
}

/// What servicemgr makes while nothing else is to do.
#[derive(Debug, Default)]
struct Made {
    view: Option<Ahead>,
    network: Option<EmptyNetwork>,
}

fn ahead(way: &Way, launch: &Launch) -> io::Result<Made> {
    let Some(confine) = launch.confine.as_ref() else { return Ok(Made::default()) };
    let view = match way.ahead {
        launches::Ahead::Nothing => return Ok(Made::default()),
        launches::Ahead::Base => Ahead::make(&base(confine)?),
        launches::Ahead::All => Ahead::make(confine),
    };
    let network = EmptyNetwork::is_for(confine).then(EmptyNetwork::make).transpose();
    let failed = |e| io::Error::other(format!("{} ahead: {e}", way.name));
    Ok(Made { view: view.map_err(failed)?, network: network.map_err(failed)? })
}

/// Whether it can still be used is asked when it is.
fn ready(launch: &Launch, made: Made) -> Ready {
    let Some(confine) = launch.confine.as_ref() else { return Ready::default() };
    let mut ready = Ready::new(confine);
    if let Some(view) = made.view {
        ready.take(view);
    }
    if let Some(network) = made.network {
        ready.take_network(network);
    }
    ready
}

/// What the kernel needs for one of what is kept, in KiB.
pub(crate) fn kept(app: &Confine) -> io::Result<()> {
    let (app, failed) = (base(app)?, |e| io::Error::other(format!("many ahead: {e}")));
    let view = memory_of(|| Ahead::make(&app).map_err(failed))?;
    let network = memory_of(|| EmptyNetwork::make().map_err(failed))?;
    tell(&format!("bench: kept view {view}"));
    tell(&format!("bench: kept network {network}"));
    Ok(())
}

fn memory_of<T>(make: impl Fn() -> io::Result<T>) -> io::Result<u64> {
    drop(make()?);
    sleep(PAUSE);
    let before = kernel_memory()?;
    let all = (0..MANY).map(|_| make()).collect::<io::Result<Vec<_>>>()?;
    sleep(PAUSE);
    let used = kernel_memory()?.saturating_sub(before);
    drop(all);
    sleep(PAUSE);
    Ok(used / MANY)
}

/// Objects of the kernel, what each processor has of them, and pages of files: what is free besides says less,
/// because the kernel keeps some for itself.
fn kernel_memory() -> io::Result<u64> {
    let all = fs::read_to_string("/proc/meminfo")?;
    let of = |key: &str| {
        let line = all.lines().find_map(|line| line.strip_prefix(key));
        let number = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        number.ok_or_else(|| io::Error::other(format!("/proc/meminfo: no {key}")))
    };
    Ok(of("Slab:")? + of("Percpu:")? + of("Cached:")?)
}

fn base(confine: &Confine) -> io::Result<Arc<Confine>> {
    confine.base().map(Arc::new).ok_or_else(|| io::Error::other("an app has no base"))
}

/// From the start until nobody holds its output any more.
fn run(way: &Way, launch: &Launch, made: Made) -> io::Result<(Duration, String)> {
    let null = File::open("/dev/null")?;
    let console = File::options().write(true).open("/dev/console")?;
    let filter = File::open(FILTER)?;
    let (reader, writer) = io::pipe()?;
    let standard = [null.as_fd(), writer.as_fd(), console.as_fd()];
    let fds: &[_] = if way.other { &[filter.as_fd()] } else { &[] };
    let began = monotonic();
    let passed = Passed { standard, fds, cgroup: None, note: None };
    spawn_with(launch, &passed, ready(launch, made))
        .map_err(|e| io::Error::other(format!("{}: {e}", way.name)))?;
    drop(writer);
    let mut said = String::new();
    reader.take(MAX_OUTPUT).read_to_string(&mut said)?;
    Ok((monotonic() - began, said))
}
