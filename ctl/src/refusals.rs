//! `ensctl sandbox why`: what a service was killed for, from the log, and which line to change.

use std::fs::File;
use std::io::{self, Read};

use api::export::{Decoder, REALTIME, Record};
use api::journal::Query;
use api::sandbox::{MAX_CALLS, Refusing};
use serde::Serialize;

use crate::bus::Services as Bus;
use crate::call::{self, PATIENCE};
use crate::fault::Fault;
use crate::run::{Out, local};
use crate::services::known;
use crate::show::refusals as show;

/// Part of the message by which servicemgr tells that a process was killed.
const MARK: &str = " was killed for the system call ";

/// Most refusals that are shown, the last ones.
const MOST: u32 = 20;

/// Bytes of the log that are read at once.
const PIECE: usize = 64 << 10;

/// A process that was killed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// When, in microseconds since 1970.
    pub time: u64,
    /// The process.
    pub pid: u32,
    /// The system call, or `number N` when it has no name here.
    pub call: String,
    /// The rules that keep the service from it, as its files are now.
    pub rules: Vec<Refusing>,
}

/// Tells the last refusals of a service.
///
/// # Errors
/// [`Fault`], in words for people.
pub(crate) fn run(name: &str, json: bool, out: &Out) -> Result<bool, Fault> {
    let mut all = last(name)?;
    let mut calls: Vec<&str> = all.iter().map(|refusal| refusal.call.as_str()).collect();
    calls.sort_unstable();
    calls.dedup();
    calls.truncate(MAX_CALLS);
    let ask = |bus: Bus<'_>| known(&bus, name, bus.refusing(name, &calls));
    let rules = match call::services(true, Some(PATIENCE), ask) {
        // One of the moment that is over: its log is still there.
        Err(Fault::NoSuchService(_)) if !all.is_empty() => Vec::new(),
        rules => rules?,
    };
    for refusal in &mut all {
        let of = rules.iter().filter(|rule| rule.call == refusal.call);
        refusal.rules = of.cloned().collect();
    }
    if json {
        out.json(&serde_json::json!({
            "name": name, "refusals": all, "unrecorded": show::UNRECORDED
        }))?;
    } else {
        out.text(&show::why(name, &all, &local(), out.paint))?;
    }
    Ok(true)
}

/// Those that the log has.
fn last(name: &str) -> Result<Vec<Refusal>, Fault> {
    let query = Query {
        unit: Some(name.to_owned()),
        grep: Some(MARK.to_owned()),
        lines: Some(MOST),
        ..Query::default()
    };
    let mut pipe = File::from(call::read(&query)?);
    let (mut decoder, mut bytes, mut all) = (Decoder::default(), vec![0; PIECE], Vec::new());
    loop {
        let length = match pipe.read(&mut bytes) {
            Ok(0) => return Ok(all),
            Ok(length) => length,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(Fault::NotWell(format!("cannot read the log: {e}"))),
        };
        decoder.push(bytes.get(..length).unwrap_or_default());
        let broken = |e| Fault::NotWell(format!("the log is not as it should be: {e}"));
        while let Some(record) = decoder.take().map_err(broken)? {
            all.extend(refusal(&record, name));
        }
    }
}

/// What a record tells, if it is one of servicemgr's about this service.
fn refusal(record: &Record<'_>, name: &str) -> Option<Refusal> {
    // What a service says itself, of whatever, is no such record.
    if record.number("_UID") != Some(0) || record.get("_SYSTEMD_UNIT").is_some() {
        return None;
    }
    let told = record.text("MESSAGE")?.strip_prefix(name)?.strip_prefix(": process ")?;
    let (pid, rest) = told.split_once(MARK)?;
    let (call, _) = rest.split_once(": ")?;
    Some(Refusal {
        time: record.number(REALTIME).unwrap_or_default(),
        pid: pid.parse().ok()?,
        call: call.to_owned(),
        rules: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use api::export::{decode, end, put};

    use super::*;

    fn read(fields: &[(&str, &str)]) -> Option<Refusal> {
        let mut bytes = Vec::new();
        for (name, value) in fields {
            assert!(put(&mut bytes, name, value.as_bytes()));
        }
        end(&mut bytes);
        refusal(&decode(&bytes).unwrap().unwrap().0, "web")
    }

    #[test]
    fn only_what_servicemgr_says_about_a_service_counts() {
        let message =
            "web: process 41 was killed for the system call mount: its sandbox forbids it";
        let told = read(&[("MESSAGE", message), ("_UID", "0"), (REALTIME, "7")]);
        let expected = Refusal { time: 7, pid: 41, call: "mount".into(), rules: vec![] };
        assert_eq!(told, Some(expected));
        let own = [("MESSAGE", message), ("_UID", "0"), ("_SYSTEMD_UNIT", "web.service")];
        assert_eq!(read(&own), None);
        assert_eq!(read(&[("MESSAGE", message), ("_UID", "80")]), None);
        let other = message.replace("web", "db");
        assert_eq!(read(&[("MESSAGE", &other), ("_UID", "0")]), None);
    }
}
