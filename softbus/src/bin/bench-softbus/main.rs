//! The engine beside plain TCP, bare QUIC and bare iroh, between two network namespaces, on one pair of interfaces.
//!
//! ```text
//! here 10.9.0.1 ── veth ── 10.9.0.2 there (a child)      tcp · quic (noq) · iroh · softbus, one after the other
//!   64 bytes there and back, 10 000 times; 256 MiB there
//! ```
//!
//! `ens bench softbus` starts it in namespaces of its own. Both ends have one thread each, as on a device.

#![expect(clippy::print_stdout, reason = "its results, and what the two ends say to each other")]

mod kinds;
mod quic;
mod there;

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use softbus::engine::{Announcement, Event};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use kinds::{End, Kind, Streams};
use there::There;

/// Words of 64 bytes that are counted, after [`WARM`] that are not.
const WORDS: usize = 10_000;

/// Words until caches and estimates are warm.
const WARM: usize = 500;

/// Bytes of the transfer.
const BYTES: u64 = 256 << 20;

/// Bytes that are written at once.
const CHUNK: usize = 256 << 10;

/// Longest wait for anything.
const LIMIT: Duration = Duration::from_secs(60);

/// How long a device is there before somebody new looks for it.
const SETTLED: Duration = Duration::from_secs(3);

/// The tag by which the one there is found.
const TAG: [u8; 16] = [0x42; 16];

/// What one kind gave.
#[derive(Debug, Default)]
struct Row {
    kind: &'static str,
    median: Duration,
    most: Duration,
    /// Bytes per second.
    speed: f64,
    /// KiB of the one there: at rest, with one link, with sixteen.
    memory: Vec<u64>,
    /// From the start to the first announcement heard.
    discovery: Option<Duration>,
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["serve", kind] => runtime.block_on(there::serve(Kind::named(kind)?)),
        [] | ["--json"] => {
            let mut rows = Vec::new();
            for kind in Kind::ALL {
                rows.push(runtime.block_on(measure(kind)).with_context(|| kind.name())?);
            }
            println!("{}", if arguments.is_empty() { table(&rows) } else { json(&rows) });
            Ok(())
        }
        _ => bail!("usage: bench-softbus [--json], as root of a network namespace of its own"),
    }
}

async fn measure(kind: Kind) -> Result<Row> {
    let there = There::start(kind)?;
    let mut row = Row { kind: kind.name(), ..Row::default() };
    let end = End::new(kind).await?;
    row.memory.push(there.memory()?);
    let link = end.dial(&there.target).await?;
    let mut words = round_trips(link.open().await?).await?;
    words.sort_unstable();
    row.median = words.get(WORDS / 2).copied().unwrap_or_default();
    row.most = words.get(WORDS * 99 / 100).copied().unwrap_or_default();
    row.memory.push(there.memory()?);
    row.speed = transfer(link.open().await?).await?;
    if kind == Kind::Softbus {
        let mut links = vec![link];
        while links.len() < softbus::engine::MAX_LINKS {
            let link = end.dial(&there.target).await?;
            round_trip(&mut link.open().await?).await?;
            links.push(link);
        }
        row.memory.push(there.memory()?);
        // What was said within the last second is not said again by multicast DNS, whoever asks: that is over.
        tokio::time::sleep(SETTLED).await;
        row.discovery = Some(discovery().await?);
    }
    there.stop();
    Ok(row)
}

#[expect(clippy::disallowed_methods, reason = "the one clock")]
fn now() -> Instant {
    Instant::now()
}

/// From the start of an engine to the first announcement that it hears.
async fn discovery() -> Result<Duration> {
    let start = now();
    let (engine, mut events) = kinds::engine([9; 32], Some(softbus::engine::PORT)).await?;
    let look = async {
        while let Some(event) = events.recv().await {
            if matches!(&event, Event::Announced(heard) if heard.what == Announcement::Member(TAG))
            {
                return Ok(start.elapsed());
            }
        }
        bail!("the engine ended")
    };
    let found = tokio::time::timeout(LIMIT, look).await.context("nothing was announced")?;
    engine.stop().await;
    found
}

async fn round_trips(mut streams: Streams) -> Result<Vec<Duration>> {
    for _ in 0..WARM {
        round_trip(&mut streams).await?;
    }
    let mut words = Vec::with_capacity(WORDS);
    for _ in 0..WORDS {
        let start = now();
        round_trip(&mut streams).await?;
        words.push(start.elapsed());
    }
    Ok(words)
}

/// 64 bytes there and back.
async fn round_trip((writer, reader): &mut Streams) -> Result<()> {
    let mut word = [there::ECHO; 64];
    writer.write_all(&word).await?;
    writer.flush().await?;
    reader.read_exact(&mut word).await?;
    Ok(())
}

async fn transfer((mut writer, mut reader): Streams) -> Result<f64> {
    let chunk = vec![there::TAKE; CHUNK];
    let start = now();
    let mut left = BYTES;
    while left > 0 {
        let part = usize::try_from(left).unwrap_or(CHUNK).min(CHUNK);
        writer.write_all(chunk.get(..part).unwrap_or(&chunk)).await?;
        left = left.saturating_sub(u64::try_from(part)?);
    }
    writer.shutdown().await?;
    let taken = reader.read_u64().await?;
    if taken != BYTES {
        bail!("{taken} of {BYTES} bytes arrived");
    }
    let bytes: u32 = (BYTES >> 10).try_into()?;
    Ok(f64::from(bytes) * 1024.0 / start.elapsed().as_secs_f64())
}

fn micros(time: Duration) -> String {
    format!("{:.0} µs", time.as_secs_f64() * 1e6)
}

fn mib(kib: u64) -> f64 {
    f64::from(u32::try_from(kib).unwrap_or(u32::MAX)) / 1024.0
}

fn table(rows: &[Row]) -> String {
    let mut text = String::from(
        "| | 64 bytes there and back | of 99 % | 256 MiB | memory there: at rest, 1 link, 16 |\n",
    );
    text.push_str("|---|---|---|---|---|\n");
    for row in rows {
        let memory: Vec<_> = row.memory.iter().map(|kib| format!("{:.1}", mib(*kib))).collect();
        // Writing into a String never fails.
        let _ = writeln!(
            text,
            "| {} | {} | {} | {:.0} MB/s | {} MB |",
            row.kind,
            micros(row.median),
            micros(row.most),
            row.speed / 1e6,
            memory.join(", ")
        );
    }
    for found in rows.iter().filter_map(|row| row.discovery) {
        let _ = writeln!(
            text,
            "\nFirst device heard {:.0} ms after the start.",
            found.as_secs_f64() * 1e3
        );
    }
    text
}

fn json(rows: &[Row]) -> String {
    let rows: Vec<_> = rows
        .iter()
        .map(|row| {
            let found = row.discovery.map_or("null".to_owned(), |found| found.as_micros().to_string());
            format!(
                r#"{{"kind":"{}","round_trip_ns":{},"round_trip_p99_ns":{},"bytes_per_second":{:.0},"memory_kib":{:?},"discovery_us":{found}}}"#,
                row.kind,
                row.median.as_nanos(),
                row.most.as_nanos(),
                row.speed,
                row.memory,
            )
        })
        .collect();
    format!("[{}]", rows.join(","))
}
