//! Stands in for servicemgr in `tests/container.rs`; the variable `container` names the story.
//!
//! What it prints is what the test compares.
#![expect(clippy::print_stdout, reason = "the test reads it")]

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::process::Command;

use api::pid1::{End, Exit, FD, MAX_PACKET, ToPid1, ToServicemgr};
use sys::seqpacket;
use sys::signals::{Sent, send};

type Outcome = Result<(), Box<dyn std::error::Error>>;

fn main() -> Outcome {
    let pid1 = sys::inherited::take(FD)?;
    // On a machine there is no such variable.
    match std::env::var("container").as_deref().unwrap_or("handover") {
        "handover" => handover(&pid1),
        "killed-in-a-loop" => killed_in_a_loop(&pid1),
        "deaf" => deaf(pid1),
        _ => Err("crashes at once".into()),
    }
}

/// Everything up to `Go`: the names held, the state's text, the exits, the generation.
struct Greeting {
    held: Vec<(String, OwnedFd)>,
    state: Option<String>,
    exits: Vec<(u64, i32, Exit)>,
    generation: u32,
}

/// The messages of the next packet, and its descriptor.
fn next(pid1: &OwnedFd) -> io::Result<(Vec<ToServicemgr>, Option<OwnedFd>)> {
    let mut buf = [0; MAX_PACKET];
    let (n, mut fds, _) = seqpacket::recv(pid1, &mut buf)?;
    let messages = ToServicemgr::decode_all(buf.get(..n).unwrap_or_default());
    Ok((messages.map_err(|_| io::Error::other("bad packet"))?, fds.pop()))
}

fn greeting(pid1: &OwnedFd) -> io::Result<Greeting> {
    let mut all = Greeting { held: Vec::new(), state: None, exits: Vec::new(), generation: 0 };
    loop {
        let (messages, mut fd) = next(pid1)?;
        for message in messages {
            match message {
                ToServicemgr::Held(name) => all.held.extend(fd.take().map(|fd| (name, fd))),
                ToServicemgr::State => {
                    let mut file = File::from(fd.take().ok_or(io::ErrorKind::NotFound)?);
                    file.rewind()?;
                    let mut text = String::new();
                    file.read_to_string(&mut text)?;
                    all.state = Some(text);
                }
                ToServicemgr::Exited { seq, pid, exit } => all.exits.push((seq, pid, exit)),
                ToServicemgr::Go { generation, .. } => return Ok(Greeting { generation, ..all }),
                ToServicemgr::Asked(_) | ToServicemgr::Tasks(_) => {}
            }
        }
    }
}

fn say(pid1: &OwnedFd, message: &ToPid1) -> io::Result<()> {
    seqpacket::send(pid1, &message.encode(), &[])
}

fn die() -> Outcome {
    send(i32::try_from(std::process::id())?, Sent::Kill)?;
    Err("still alive".into())
}

/// The first leaves a pipe, a state and a child that ends after it; the second finds all of them.
fn handover(pid1: &OwnedFd) -> Outcome {
    let got = greeting(pid1)?;
    println!("generation {}, {} held, {} exits", got.generation, got.held.len(), got.exits.len());
    if got.generation == 1 {
        let (reader, mut writer) = io::pipe()?;
        writer.write_all(b"written before the kill")?;
        seqpacket::send(pid1, &ToPid1::Hold("log/web".into()).encode(), &[reader.as_fd()])?;
        let mut state = sys::memfd::create("state")?;
        let child = Command::new("/bin/sh").args(["-c", "sleep 0.3; exit 7"]).spawn()?;
        write!(state, "web is {}", child.id())?;
        seqpacket::send(pid1, &ToPid1::State.encode(), &[state.as_fd()])?;
        return die();
    }
    let state = got.state.ok_or("no state")?;
    let web: i32 = state.strip_prefix("web is ").ok_or("not our state")?.parse()?;
    for (name, fd) in got.held {
        let mut text = String::new();
        File::from(fd).read_to_string(&mut text)?;
        println!("{name}: {text}");
    }
    let mut exits = got.exits;
    while !exits.iter().any(|(_, pid, _)| *pid == web) {
        for message in next(pid1)?.0 {
            if let ToServicemgr::Exited { seq, pid, exit } = message {
                exits.push((seq, pid, exit));
            }
        }
    }
    for (seq, _, exit) in exits.iter().filter(|(_, pid, _)| *pid == web) {
        println!("web ended: {exit:?}");
        if got.generation == 3 {
            say(pid1, &ToPid1::Ack(*seq))?;
        }
    }
    if got.generation == 2 {
        // Not acknowledged: the next one must hear of it again.
        return die();
    }
    say(pid1, &ToPid1::Settled)?;
    send(1, Sent::Terminate)?;
    while !next(pid1)?.0.contains(&ToServicemgr::Asked(End::PowerOff)) {}
    println!("asked to power off, wants a reboot");
    say(pid1, &ToPid1::End(End::Reboot))?;
    loop {
        next(pid1)?;
    }
}

/// Thirty die the hard way, then one powers off.
fn killed_in_a_loop(pid1: &OwnedFd) -> Outcome {
    let got = greeting(pid1)?;
    if got.generation <= 30 {
        let name = format!("socket/{}", got.generation);
        seqpacket::send(pid1, &ToPid1::Hold(name).encode(), &[io::stdin().as_fd()])?;
        return die();
    }
    println!("generation {} holds {}", got.generation, got.held.len());
    say(pid1, &ToPid1::End(End::PowerOff))?;
    loop {
        next(pid1)?;
    }
}

/// Closes the socket once and lives on; ignores nothing the second time.
fn deaf(pid1: OwnedFd) -> Outcome {
    let got = greeting(&pid1)?;
    if got.generation == 1 {
        drop(pid1);
        loop {
            std::thread::park();
        }
    }
    println!("generation {}", got.generation);
    say(&pid1, &ToPid1::End(End::Halt))?;
    loop {
        next(&pid1)?;
    }
}
