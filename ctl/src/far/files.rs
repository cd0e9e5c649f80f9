//! `ensctl file`: files to and from another device, again after a cut.
//!
//! ```text
//! open ─► carry ─► there
//!   ▲        │ cut: wait, go on from where it was
//!   └────────┘ TRIES in a row without a byte: told, and the same command goes on later
//! ```

use std::collections::HashMap;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread;
use std::time::Duration;

use remote::files::{Fault as Carried, Went, open, place, receive, send};
use remote::serve::FILE_PATIENCE;
use serde_json::json;

use super::Spot;
use crate::bus::Words;
use crate::fault::Fault;
use crate::paint::harmless;
use crate::run::Out;
use crate::show::bytes;

/// Tries in a row that carry nothing.
const TRIES: u32 = 10;

/// Wait before the next: half a minute together, which is longer than a device takes to be back.
const PAUSE: Duration = Duration::from_secs(3);

/// Sends `file`.
///
/// # Errors
/// [`Fault`], in words for people.
pub(crate) fn push(file: &str, to: &Spot, json: bool, out: &Out) -> Result<(), Fault> {
    let path = Path::new(file);
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    open(path).map_err(Fault::NotWell)?;
    let asked = HashMap::from([("do", "push"), ("path", to.path.as_str()), ("name", name)]);
    let bar = Bar::new(json, out);
    let went = carried(&to.device, &asked, bar, out, &|stream, progress| {
        // Each try reads it from its beginning.
        let file = open(path).map_err(Carried::Ours)?;
        send(stream, &file, progress)
    })?;
    told(&went, (file, &format!("{}:{}", to.device, to.path)), json, out)
}

/// Fetches a file to `here`.
///
/// # Errors
/// [`Fault`], in words for people.
pub(crate) fn pull(from: &Spot, here: &str, json: bool, out: &Out) -> Result<(), Fault> {
    let name = from.path.rsplit('/').next().unwrap_or_default();
    let here = place(Path::new(here), name).map_err(Fault::NotWell)?;
    let asked = HashMap::from([("do", "pull"), ("path", from.path.as_str())]);
    let (spot, to) = (format!("{}:{}", from.device, from.path), here.display().to_string());
    let bar = Bar::new(json, out);
    let went = carried(&from.device, &asked, bar, out, &|stream, progress| {
        receive(stream, &here, progress)
    })?;
    told(&went, (&spot, &to), json, out)
}

fn told(went: &Went, (from, to): (&str, &str), json: bool, out: &Out) -> Result<(), Fault> {
    let Went { size, before } = *went;
    if json {
        return out.json(&json!({ "from": from, "to": to, "size": size, "before": before }));
    }
    let rest = match before {
        0 => String::new(),
        before => format!(", {} of it were there already", bytes(before)),
    };
    out.text(&harmless(&format!("{from} is at {to}: {}{rest}", bytes(size))))?;
    out.text("\n")
}

/// What one try may do with a stream.
type Carry<'a> = &'a dyn Fn(&UnixStream, remote::files::Progress<'_>) -> Result<Went, Carried>;

/// Why a try did not carry all of it.
enum Stop {
    /// Another may.
    Cut(String),
    /// None will.
    Given(Fault),
}

/// Carries a file, again and again while that helps.
fn carried(
    device: &str,
    asked: &Words<'_>,
    mut bar: Bar,
    out: &Out,
    carry: Carry<'_>,
) -> Result<Went, Fault> {
    let mut tries = Tries::default();
    loop {
        let done = once(device, asked, &mut tries, &mut bar, carry);
        bar.end();
        let why = match done {
            Ok(went) => return Ok(Went { before: tries.before.unwrap_or(went.before), ..went }),
            Err(Stop::Given(fault)) => return Err(fault),
            Err(Stop::Cut(why)) => why,
        };
        if !tries.again() {
            let hint = "the same command goes on from there";
            return Err(Fault::NotWell(format!("not all has arrived: {why}\n{hint}")));
        }
        if tries.empty == 1 {
            out.say(&format!("ensctl: {device}: {why}; going on when it is back"))?;
        }
        thread::park_timeout(PAUSE);
    }
}

fn once(
    device: &str,
    asked: &Words<'_>,
    tries: &mut Tries,
    bar: &mut Bar,
    carry: Carry<'_>,
) -> Result<Went, Stop> {
    let stream = super::open(device, "file", asked).map_err(|fault| match fault {
        // Once it has begun, a device that is away may come back.
        Fault::NotWell(why) if tries.before.is_some() => Stop::Cut(why),
        Fault::Refused(why) if tries.before.is_some() && why.starts_with("link") => Stop::Cut(why),
        fault => Stop::Given(fault),
    })?;
    let patience = stream.set_read_timeout(Some(FILE_PATIENCE));
    let patience = patience.and_then(|()| stream.set_write_timeout(Some(FILE_PATIENCE)));
    patience.map_err(|e| Stop::Given(e.into()))?;
    let done = carry(&stream, &mut |at, of| {
        tries.at(at);
        bar.show(at, of);
    });
    done.map_err(|why| match why {
        Carried::Cut(why) => Stop::Cut(why),
        Carried::Ours(why) => Stop::Given(Fault::NotWell(why)),
        Carried::Theirs(why) => Stop::Given(Fault::NotWell(format!("{device}: {why}"))),
    })
}

/// What tries have come to.
#[derive(Debug, Default)]
struct Tries {
    /// What was there when the first one began.
    before: Option<u64>,
    /// What is there.
    reached: u64,
    /// Tries in a row after which there was no more.
    empty: u32,
}

impl Tries {
    fn at(&mut self, at: u64) {
        self.before.get_or_insert(at);
        if at > self.reached {
            (self.reached, self.empty) = (at, 0);
        }
    }

    fn again(&mut self) -> bool {
        self.empty += 1;
        self.empty <= TRIES
    }
}

/// How far it is, on a terminal: a line for each hundredth.
struct Bar {
    seen: bool,
    shown: Option<u64>,
}

impl Bar {
    fn new(json: bool, out: &Out) -> Self {
        Self { seen: !json && out.live(), shown: None }
    }

    fn show(&mut self, at: u64, of: u64) {
        let percent = percent(at, of);
        if self.seen && self.shown.replace(percent) != Some(percent) {
            let line = format!("\r\x1b[K  {percent:3} %  {} of {}", bytes(at), bytes(of));
            // A terminal that is gone shows nothing.
            let _gone = std::io::stderr().write_all(line.as_bytes());
        }
    }

    fn end(&mut self) {
        if self.shown.take().is_some() {
            let _gone = std::io::stderr().write_all(b"\r\x1b[K");
        }
    }
}

fn percent(at: u64, of: u64) -> u64 {
    if of == 0 {
        return 100;
    }
    let percent = u128::from(at) * 100 / u128::from(of);
    u64::try_from(percent).unwrap_or(100).min(100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tries_that_carry_nothing_come_to_an_end_and_others_do_not() {
        let mut tries = Tries::default();
        for at in [0, 5, 5, 7] {
            tries.at(at);
        }
        for round in 0..100 {
            assert!(tries.again(), "it went on");
            tries.at(7);
            tries.at(8 + round);
        }
        let more = (0..100).take_while(|_| {
            tries.at(7);
            tries.again()
        });
        assert_eq!(more.count(), 10);
        assert_eq!(tries.before, Some(0));
    }

    #[test]
    fn a_share_is_told_whatever_the_size() {
        assert_eq!([percent(0, 0), percent(1, 3), percent(3, 3)], [100, 33, 100]);
        assert_eq!([percent(u64::MAX, u64::MAX), percent(5, 1)], [100, 100]);
    }
}
