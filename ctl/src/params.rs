//! `ensctl param`: parameters of the device, asked of servicemgr.

use std::collections::BTreeMap;
use std::time::Duration;

use api::params::{Error, Param};

use crate::args::{Args, Usage};
use crate::bus::Params;
use crate::call::{self, PATIENCE};
use crate::fault::Fault;
use crate::near::hint;
use crate::paint::harmless;
use crate::run::Out;

/// How long to wait for a value unless told otherwise.
pub const WAIT: Duration = Duration::from_secs(30);

/// Times in a row that a watch is begun anew when servicemgr was replaced.
const REOPENS: u32 = 20;

/// Wait before it is.
const REOPEN_AFTER: Duration = Duration::from_millis(250);

/// What to do with parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// Print the value of this one.
    Get(String),
    /// Give it this value.
    Set(String, String),
    /// Print those whose names begin with this.
    List(String),
    /// Wait until it has this value.
    Wait {
        /// Its name.
        name: String,
        /// The value; `*` is any.
        value: String,
        /// At most so long.
        limit: Duration,
    },
    /// Print those whose names begin with this, then each change.
    Watch(String),
}

impl Ask {
    /// From a command line whose second word is `word`.
    ///
    /// # Errors
    /// [`Usage`]: a value makes no sense.
    pub fn from_args(word: &str, args: &Args) -> Result<Self, Usage> {
        let operand = |at: usize| args.operands.get(at).cloned().unwrap_or_default();
        Ok(match word {
            "get" => Self::Get(operand(0)),
            "set" => Self::Set(operand(0), operand(1)),
            "wait" => Self::Wait { name: operand(0), value: operand(1), limit: limit(args)? },
            "watch" => Self::Watch(operand(0)),
            _ => Self::List(operand(0)),
        })
    }
}

fn limit(args: &Args) -> Result<Duration, Usage> {
    let Some(text) = args.value("timeout") else { return Ok(WAIT) };
    let time = text.parse::<jiff::SignedDuration>().ok();
    time.and_then(|time| Duration::try_from(time).ok()).ok_or_else(|| {
        args.wrong(format!("`--timeout {text}`: how long? For example `30s` or `2m`"))
    })
}

/// Does it. Answers whether all is well.
///
/// # Errors
/// [`Fault`], in words for people.
pub(crate) fn run(ask: Ask, json: bool, out: &Out) -> Result<bool, Fault> {
    match ask {
        Ask::Get(name) => {
            let value = call::params(true, Some(PATIENCE), |bus| known(&bus, &name));
            one(&name, &value?, json, out)?;
        }
        Ask::Set(name, value) => {
            // A disk may take its time.
            call::params(true, None, |bus| bus.set(&name, &value))?;
            if json {
                out.json(&Param { name, value })?;
            }
        }
        Ask::List(prefix) => {
            let all = call::params(true, Some(PATIENCE), |bus| bus.list(&prefix));
            let all = all?;
            if json {
                out.json(&all)
            } else {
                out.text(&all.iter().map(line).collect::<String>())
            }?;
        }
        Ask::Wait { name, value, limit } => {
            let milliseconds = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
            let wait = |bus: Params<'_>| bus.wait(&name, &value, milliseconds);
            let got = call::params(true, None, wait)?;
            one(&name, &got, json, out)?;
        }
        Ask::Watch(prefix) => watch(&prefix, json, out)?,
    }
    Ok(true)
}

fn one(name: &str, value: &str, json: bool, out: &Out) -> Result<(), Fault> {
    if json {
        return out.json(&Param { name: name.to_owned(), value: value.to_owned() });
    }
    out.text(&format!("{}\n", harmless(value)))
}

fn line(param: &Param) -> String {
    format!("{}={}\n", harmless(&param.name), harmless(&param.value))
}

/// An unknown name gets the one that was probably meant.
fn known(bus: &Params<'_>, name: &str) -> Result<String, Error> {
    let answer = bus.get(name);
    let Err(Error::NoSuchParameter(_)) = answer else { return answer };
    let all = bus.list("")?;
    let hint = hint(name, all.iter().map(|param| param.name.as_str()));
    let list = if hint.is_empty() { "; `ensctl param list` shows all" } else { "" };
    Err(Error::NoSuchParameter(format!("no parameter is called `{name}`{hint}{list}")))
}

/// Prints what is there and what changes, for ever. Over a servicemgr that is replaced no last value
/// is lost; what came before it in between may be.
fn watch(prefix: &str, json: bool, out: &Out) -> Result<(), Fault> {
    let mut seen = BTreeMap::new();
    let mut failures = None;
    let mut print = |param: Param| {
        if seen.get(&param.name) == Some(&param.value) {
            return Ok(());
        }
        let text = if json { json_line(&param) } else { line(&param) };
        seen.insert(param.name, param.value);
        out.text(&text)
    };
    loop {
        let mut began = false;
        match (call::watch(prefix, || began = true, &mut print), failures) {
            (Ok(()), _) => failures = Some(0),
            (Err(Fault::Unreachable(_)), Some(n)) if n < REOPENS => failures = Some(n + 1),
            (Err(fault), _) => return Err(fault),
        }
        std::thread::park_timeout(REOPEN_AFTER);
    }
}

/// An object a line: a stream has no end.
fn json_line(param: &Param) -> String {
    serde_json::to_string(param).map(|text| text + "\n").unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Ask, String> {
        let args = Args::parse(line.split(' ').map(Into::into)).map_err(|usage| usage.why)?;
        let word =
            args.command.and_then(|command| command.words.get(1)).copied().unwrap_or_default();
        Ask::from_args(word, &args).map_err(|usage| usage.why)
    }

    #[test]
    fn a_command_line_becomes_a_question() {
        assert_eq!(read("param get a.b"), Ok(Ask::Get("a.b".into())));
        assert_eq!(read("param set a.b -- -1"), Ok(Ask::Set("a.b".into(), "-1".into())));
        assert_eq!(read("param list"), Ok(Ask::List(String::new())));
        assert_eq!(read("param watch service."), Ok(Ask::Watch("service.".into())));
        let wait = |limit| Ask::Wait { name: "a".into(), value: "*".into(), limit };
        assert_eq!(read("param wait a *"), Ok(wait(WAIT)));
        assert_eq!(read("param wait a * --timeout 2m"), Ok(wait(Duration::from_secs(120))));
    }

    #[test]
    fn mistakes_are_told_with_a_way_out() {
        let all = [
            "param set a",
            "param get",
            "param get a b",
            "param list a b",
            "param wait a 1 --timeout x",
        ];
        let all = all.map(|line| read(line).unwrap_err()).join("\n");
        insta::assert_snapshot!(all, @r#"
        `param set` needs NAME VALUE
        `param get` needs NAME
        `param get` takes NAME, but got `b` too
        `param list` takes [PREFIX], but got `b` too
        `--timeout x`: how long? For example `30s` or `2m`
        "#);
    }
}
