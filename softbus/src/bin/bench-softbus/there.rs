//! The other end: a child in a network namespace of its own, at the other end of a pair of interfaces.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Mutex;

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::kinds::{End, Kind, Streams, Target};

/// First byte of a stream whose words come back.
pub(crate) const ECHO: u8 = 0;

/// First byte of a stream whose bytes are counted.
pub(crate) const TAKE: u8 = 1;

/// Here, and there.
const ADDRESSES: [&str; 2] = ["10.9.0.1", "10.9.0.2"];

/// The child.
pub(crate) struct There {
    child: Mutex<(Child, ChildStdin, BufReader<ChildStdout>)>,
    pub(crate) target: Target,
}

fn ip(arguments: &str) -> Result<()> {
    let output = Command::new("ip").args(arguments.split(' ')).output().context("running ip")?;
    if !output.status.success() {
        bail!("ip {arguments}: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}

fn interface(name: &str, address: &str) -> Result<()> {
    ip("link set lo up")?;
    ip(&format!("addr add {address}/24 dev {name}"))?;
    ip(&format!("link set {name} up"))
}

fn line(from: &mut impl BufRead) -> Result<String> {
    let mut line = String::new();
    from.read_line(&mut line)?;
    if line.is_empty() {
        bail!("the one there has ended");
    }
    Ok(line.trim_end().to_owned())
}

impl There {
    pub(crate) fn start(kind: Kind) -> Result<Self> {
        let program = std::env::current_exe()?;
        let mut child = Command::new("unshare")
            .arg("--net")
            .arg(program)
            .args(["serve", kind.name()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("running unshare")?;
        let (mut input, output) =
            (child.stdin.take().context("piped")?, child.stdout.take().context("piped")?);
        let mut output = BufReader::new(output);
        line(&mut output)?;
        ip(&format!("link add here type veth peer name there netns {}", child.id()))?;
        interface("here", ADDRESSES[0])?;
        writeln!(input, "go")?;
        let ready = line(&mut output)?;
        let target = Target::read(ADDRESSES[1], &ready)?;
        Ok(Self { child: Mutex::new((child, input, output)), target })
    }

    /// KiB that it holds.
    pub(crate) fn memory(&self) -> Result<u64> {
        let mut child = self.child.lock().ok().context("one thread")?;
        writeln!(child.1, "memory")?;
        Ok(line(&mut child.2)?.parse()?)
    }

    pub(crate) fn stop(self) {
        let Ok((mut child, input, _)) = self.child.into_inner() else { return };
        drop(input);
        // It ends when nobody speaks to it any more; the interfaces go with its namespace.
        let _ = child.wait();
        let _ = ip("link del here");
    }
}

/// What the child does.
pub(crate) async fn serve(kind: Kind) -> Result<()> {
    println!("here");
    let (say, mut said) = tokio::sync::mpsc::channel(1);
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if say.blocking_send(line).is_err() {
                return;
            }
        }
    });
    said.recv().await.context("nobody speaks")?;
    interface("there", ADDRESSES[1])?;
    let mut end = End::new(kind).await?;
    println!("{}", end.ready()?);
    loop {
        tokio::select! {
            word = said.recv() => match word {
                Some(_) => println!("{}", memory()?),
                None => return Ok(()),
            },
            link = end.accept() => {
                let link = link?;
                tokio::spawn(async move {
                    while let Ok(streams) = link.accept().await {
                        tokio::spawn(answer(streams));
                    }
                });
            }
        }
    }
}

async fn answer((mut writer, mut reader): Streams) -> Result<()> {
    let mut bytes = vec![0; super::CHUNK];
    let mut taken: u64 = 0;
    let mut echo = None;
    loop {
        let count = reader.read(&mut bytes).await?;
        let Some(part) = bytes.get(..count).filter(|part| !part.is_empty()) else { break };
        let first = part.first().copied().unwrap_or(TAKE);
        if *echo.get_or_insert(first == ECHO) {
            writer.write_all(part).await?;
            writer.flush().await?;
        }
        taken = taken.saturating_add(u64::try_from(count)?);
    }
    if echo == Some(false) {
        writer.write_u64(taken).await?;
        writer.shutdown().await?;
    }
    Ok(())
}

/// KiB that are resident.
fn memory() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS")?;
    Ok(line.split_whitespace().next().context("a number")?.parse()?)
}
