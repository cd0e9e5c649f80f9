//! What is done on another device: a program, a file, a port.
//!
//! ```text
//! here ─ Open(device, target, arguments) ─► softbus ── socket ──► here speaks with `remote` of the other device
//! ```
//!
//! softbus connects; what is said over the socket is between this program and the other device.

pub(crate) mod command;
pub(crate) mod files;
pub(crate) mod forward;

use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;

use crate::args::{Args, Usage};
use crate::bus::Words;
use crate::call;
use crate::fault::Fault;
use crate::run::Out;

/// What to do on another device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// Run this program there.
    Run(String, Vec<String>),
    /// Send this file there.
    Push(String, Spot),
    /// Fetch that file, to here.
    Pull(Spot, String),
    /// Let this port here be that one there.
    Forward(SocketAddr, String, u16),
}

/// A path on a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spot {
    /// The device.
    pub device: String,
    /// The path, which begins with `/`.
    pub path: String,
}

impl Ask {
    /// From a command line, if it is one of these.
    ///
    /// # Errors
    /// [`Usage`]: a value makes no sense.
    pub fn from_args(words: &[&str], args: &Args) -> Result<Option<Self>, Usage> {
        let operand = |at: usize| args.operands.get(at).cloned().unwrap_or_default();
        Ok(Some(match words {
            ["run"] => match args.value("on") {
                Some(device) if !device.is_empty() => {
                    Self::Run(device.to_owned(), args.operands.clone())
                }
                _ => {
                    let why = "on which device? `--on DEVICE`; on this one: `ensctl service run`";
                    return Err(args.wrong(why));
                }
            },
            ["file", "push"] => Self::Push(operand(0), spot(args, &operand(1))?),
            ["file", "pull"] => {
                let here = args.operands.get(1).map_or(".", String::as_str);
                Self::Pull(spot(args, &operand(0))?, here.to_owned())
            }
            ["forward"] => {
                let (device, port) = split(args, &operand(1), "DEVICE:PORT")?;
                let port = port.parse().ok().filter(|port| *port > 0).ok_or_else(|| {
                    args.wrong(format!("`{port}` is no port: a number from 1 to 65535"))
                })?;
                Self::Forward(local(args, &operand(0))?, device, port)
            }
            _ => return Ok(None),
        }))
    }
}

fn split(args: &Args, text: &str, what: &str) -> Result<(String, String), Usage> {
    match text.split_once(':') {
        Some((device, rest)) if !device.is_empty() && !rest.is_empty() => {
            Ok((device.to_owned(), rest.to_owned()))
        }
        _ => Err(args.wrong(format!("`{text}` is no {what}"))),
    }
}

fn spot(args: &Args, text: &str) -> Result<Spot, Usage> {
    let (device, path) = split(args, text, "DEVICE:PATH")?;
    if path.starts_with('/') {
        return Ok(Spot { device, path });
    }
    Err(args.wrong(format!("`{path}`: paths on another device begin with `/`")))
}

/// An address and a port, or a port alone: then only this device itself can connect.
fn local(args: &Args, text: &str) -> Result<SocketAddr, Usage> {
    let alone = text.parse().map(|port: u16| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    alone.or_else(|_| text.parse()).map_err(|_| {
        args.wrong(format!(
            "`{text}`: which port here? Such as `8080`, `0.0.0.0:8080` or `[::1]:8080`"
        ))
    })
}

/// Does it. Answers with what to end with.
///
/// # Errors
/// [`Fault`], in words for people.
pub(crate) fn run(ask: &Ask, json: bool, out: &Out) -> Result<ExitCode, Fault> {
    match ask {
        Ask::Run(device, argv) => return Ok(command::run(device, argv, json, out)),
        Ask::Push(file, spot) => files::push(file, spot, json, out)?,
        Ask::Pull(spot, file) => files::pull(spot, file, json, out)?,
        Ask::Forward(here, device, port) => forward::run(*here, device, *port, json, out)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// A stream to `target` on a device.
pub(crate) fn open(device: &str, target: &str, arguments: &Words<'_>) -> Result<UnixStream, Fault> {
    let fd = call::devices(false, None, |bus| bus.open(device, target, arguments))?;
    Ok(UnixStream::from(fd))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(line: &str) -> Result<Ask, String> {
        let args = Args::parse(line.split(' ').map(Into::into)).map_err(|usage| usage.why)?;
        let words = args.command.map(|command| command.words).unwrap_or_default();
        Ask::from_args(words, &args).map(Option::unwrap).map_err(|usage| usage.why)
    }

    #[test]
    fn command_lines_become_what_to_do() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let run = Ask::Run("tv".into(), words("ls --json -- x"));
        assert_eq!(ask("run --on tv -- ls --json -- x"), Ok(run.clone()));
        assert_eq!(ask("run --on tv ls --json -- x"), Ok(run));
        let spot = Spot { device: "tv".into(), path: "/a:b".into() };
        assert_eq!(ask("file push x tv:/a:b"), Ok(Ask::Push("x".into(), spot.clone())));
        assert_eq!(ask("file pull tv:/a:b"), Ok(Ask::Pull(spot, ".".into())));
        let forward = |here: &str| Ask::Forward(here.parse().unwrap(), "tv".into(), 80);
        assert_eq!(ask("forward 0 tv:80"), Ok(forward("127.0.0.1:0")));
        assert_eq!(ask("forward [::]:8080 tv:80"), Ok(forward("[::]:8080")));
    }

    #[test]
    fn mistakes_are_told_with_a_way_out() {
        let wrong = [
            "run ls",
            "run --on tv",
            "file push x",
            "file push x tv",
            "file pull :/x",
            "file push x tv:etc",
            "forward x tv:80",
            "forward 8080 tv:0",
            "forward 8080 80",
        ];
        let all: Vec<String> = wrong.iter().map(|line| ask(line).unwrap_err()).collect();
        insta::assert_snapshot!(all.join("\n"), @r"
        on which device? `--on DEVICE`; on this one: `ensctl service run`
        `run` needs a program
        `file push` needs FILE DEVICE:PATH
        `tv` is no DEVICE:PATH
        `:/x` is no DEVICE:PATH
        `etc`: paths on another device begin with `/`
        `x`: which port here? Such as `8080`, `0.0.0.0:8080` or `[::1]:8080`
        `0` is no port: a number from 1 to 65535
        `80` is no DEVICE:PORT
        ");
    }
}
