//! From the start of a program to its end, in every way.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::time::Duration;

use sys::clock::monotonic;
use sys::spawn::{Ahead, EmptyNetwork, Launch, Passed, Ready, spawn_with};

use crate::launches::{Launches, Way};
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
            if !way.ahead {
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
        run(way, launch, Ready::default())?;
    }
    Ok((monotonic() - began).as_nanos() / u128::from(ROW))
}

/// What servicemgr makes while nothing else is to do.
fn ahead(way: &Way, launch: &Launch) -> io::Result<Ready> {
    let Some(confine) = launch.confine.as_ref().filter(|_| way.ahead) else {
        return Ok(Ready::default());
    };
    let failed = |e| io::Error::other(format!("{} ahead: {e}", way.name));
    let ahead = Ahead::make(confine).map_err(failed)?;
    let network = EmptyNetwork::is_for(confine).then(EmptyNetwork::make);
    Ok(Ready { ahead, network: network.transpose().map_err(failed)? })
}

/// From the start until nobody holds its output any more.
fn run(way: &Way, launch: &Launch, ready: Ready) -> io::Result<(Duration, String)> {
    let null = File::open("/dev/null")?;
    let console = File::options().write(true).open("/dev/console")?;
    let filter = File::open(FILTER)?;
    let (reader, writer) = io::pipe()?;
    let standard = [null.as_fd(), writer.as_fd(), console.as_fd()];
    let fds: &[_] = if way.other { &[filter.as_fd()] } else { &[] };
    let began = monotonic();
    let passed = Passed { standard, fds, cgroup: None, note: None };
    spawn_with(launch, &passed, ready)
        .map_err(|e| io::Error::other(format!("{}: {e}", way.name)))?;
    drop(writer);
    let mut said = String::new();
    reader.take(MAX_OUTPUT).read_to_string(&mut said)?;
    Ok((monotonic() - began, said))
}
