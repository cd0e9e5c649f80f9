//! What a sandbox costs a program that runs in it: each system call through the filter, each open under Landlock.

use std::ffi::CString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::sync::Arc;

use sys::clock::monotonic;
use sys::confine::{Confine, Ruleset};

use crate::launches::{Launches, Way};
use crate::{PROGRAM, starts, tell};

/// How often each call is made.
const CALLS: u32 = 100_000;

/// How often a file is opened.
const OPENS: u32 = 10_000;

/// A file some directories deep.
const FILE: &str = "/usr/share/bench/file";

/// Rules of Landlock: none is no Landlock at all.
const RULES: [usize; 4] = [0, 1, 10, 50];

/// Starts [`run`] in each sandbox.
pub(crate) fn measure(all: &Launches) -> io::Result<()> {
    let bare = all.ways.first().ok_or(io::ErrorKind::NotFound)?;
    let filter = Confine { filter: all.app.filter.clone(), ..Confine::default() };
    one("none", bare, Confine::default())?;
    one("filter", bare, filter)?;
    one("app", bare, all.app.clone())?;
    for count in RULES {
        let confine = Confine { ruleset: ruleset(&all.app, count)?, ..Confine::default() };
        one(&format!("landlock-{count}"), bare, confine)?;
    }
    Ok(())
}

fn one(name: &str, bare: &Way, confine: Confine) -> io::Result<()> {
    let mut way = bare.clone();
    way.launch.no_new_privileges = true;
    way.launch.confine = Some(Arc::new(confine));
    let said = starts::output(&way, &[PROGRAM, "calls"])?;
    if said.is_empty() {
        return Err(io::Error::other(format!("calls in {name}: the program did not run")));
    }
    said.lines().for_each(|line| tell(&format!("bench: call {name} {line}")));
    Ok(())
}

/// That of an app with so many rules; the first is the root, where every look for a rule ends.
fn ruleset(app: &Confine, count: usize) -> io::Result<Option<Ruleset>> {
    let Some(like) = app.ruleset.as_ref().filter(|_| count > 0) else { return Ok(None) };
    let tree = |n: usize| match n {
        0 => "/".to_owned(),
        n => format!("/bench/trees/{n}"),
    };
    let path = |n| Ok((CString::new(tree(n)).map_err(io::Error::other)?, like.files));
    let paths = (0..count).map(path).collect::<io::Result<_>>()?;
    Ok(Some(Ruleset { paths, ..like.clone() }))
}

/// Makes the calls and says the mean time of each.
pub(crate) fn run() -> io::Result<()> {
    let mut zero = File::open("/dev/zero")?;
    let mut said = String::new();
    let mut pids = 0_u64;
    let getpid = mean(CALLS, || {
        pids += u64::from(std::process::id());
        Ok(())
    })?;
    let read = mean(CALLS, || zero.read_exact(&mut [0]))?;
    let open = mean(OPENS, || File::open(FILE).map(drop))?;
    for (call, time) in [("getpid", getpid), ("read", read), ("open", open)] {
        said.push_str(&format!("{call} {time}\n"));
    }
    if pids == 0 {
        return Err(io::ErrorKind::Other.into());
    }
    io::stdout().write_all(said.as_bytes())
}

fn mean(times: u32, mut call: impl FnMut() -> io::Result<()>) -> io::Result<u128> {
    let began = monotonic();
    for _ in 0..times {
        call()?;
    }
    Ok((monotonic() - began).as_nanos() / u128::from(times))
}
