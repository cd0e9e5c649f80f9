//! Running a program of apt: how far it is, and what it means when it fails.

use std::io::{BufRead, BufReader, Read};
use std::process::Command;

use anyhow::{Context, Result};

use crate::progress::{Progress, Step};

/// Most of apt's messages kept for an error.
const MAX_MESSAGES: usize = 64 << 10;

/// How apt begins to say why, whatever follows from it.
const FAILED: &str = "Failed to fetch ";

/// How a program of apt ended.
pub(super) enum Outcome {
    /// Well.
    Done,
    /// Badly, with what it said.
    Failed(String),
}

/// Runs a program of apt, showing how far it is.
pub(super) fn run(
    mut command: Command,
    name: &str,
    total: Option<u64>,
    step: &str,
    progress: &dyn Progress,
) -> Result<Outcome> {
    let mut child = command.spawn().with_context(|| {
        format!("running {name}: packages are fetched by Debian's apt: install the package `apt`")
    })?;
    let errors = child.stderr.take().map(|from| std::thread::spawn(move || read_messages(from)));
    let out = child.stdout.take().map(BufReader::new).into_iter().flat_map(BufRead::lines);
    let mut messages = watch(out.map_while(Result::ok), total, progress.step(step).as_ref());
    let status = child.wait().with_context(|| format!("waiting for {name}"))?;
    messages.push_str(&errors.and_then(|thread| thread.join().ok()).unwrap_or_default());
    // apt-get warns, and ends well, when it goes on with old lists because it cannot fetch new ones.
    let stale = messages.contains("Some index files failed to download");
    Ok(if status.success() && !stale { Outcome::Done } else { Outcome::Failed(messages) })
}

/// Shows how far it is until it ends; gives what it said that may explain an error.
fn watch(lines: impl Iterator<Item = String>, total: Option<u64>, step: &dyn Step) -> String {
    let (mut messages, mut done) = (String::new(), 0);
    if let Some(total) = total {
        step.total(total);
    }
    for line in lines {
        match (percent(&line), total) {
            (Some(percent), None) => step.say(&format!("{percent} %")),
            (Some(percent), Some(total)) => {
                let reached = (total / 100).saturating_mul(percent).min(total);
                step.advance(reached.saturating_sub(done));
                done = done.max(reached);
            }
            (None, _) if messages.len() < MAX_MESSAGES && line.starts_with(['E', 'W', ' ']) => {
                messages.push_str(&line);
                messages.push('\n');
            }
            (None, _) => {}
        }
    }
    messages
}

fn read_messages(mut from: impl Read) -> String {
    let mut text = Vec::new();
    let limit = u64::try_from(MAX_MESSAGES).unwrap_or(u64::MAX);
    // A message lost is a message less; the exit status says whether it went well.
    let _ = from.by_ref().take(limit).read_to_end(&mut text);
    let _ = std::io::copy(&mut from, &mut std::io::sink());
    String::from_utf8_lossy(&text).into_owned()
}

/// `dlstatus:ITEM:PERCENT:TEXT`, whole percents.
fn percent(line: &str) -> Option<u64> {
    let percent = line.strip_prefix("dlstatus:")?.split(':').nth(1)?;
    percent.split('.').next()?.parse().ok()
}

/// Whether apt says that the mirror does not have this suite.
pub(super) fn has_no(messages: &str, suite: &str) -> bool {
    let what = format!(" {suite} Release'");
    messages.lines().any(|l| l.contains(&what) && l.contains("does not have a Release file"))
}

/// The first of apt's messages that is an error, and how many more there are.
pub(super) fn errors(messages: &str) -> String {
    let of = |kind: &str| -> Vec<String> {
        messages.lines().filter_map(|l| l.strip_prefix(kind)).map(plain).collect()
    };
    let mut lines = of("E: ");
    if lines.is_empty() {
        lines = of("W: ");
    }
    lines.retain(|l| !l.starts_with("Some index files failed") && l != "Download Failed");
    if lines.iter().any(|l| l.starts_with(FAILED)) {
        lines.retain(|l| l.starts_with(FAILED));
    }
    match &lines[..] {
        [] => "apt failed and did not say why".to_owned(),
        [only] => only.clone(),
        [first, rest @ ..] => format!("{first} (and {} more)", rest.len()),
    }
}

/// What apt says about this file, else about anything.
pub(super) fn reason(messages: &str, filename: &str) -> String {
    let mut lines = messages.lines().filter_map(|l| l.strip_prefix("E: ")).map(plain);
    let about = lines.find_map(|l| Some(l.split_once(filename)?.1.trim().to_owned()));
    about.unwrap_or_else(|| errors(messages))
}

/// A message with its URL as we write it: apt escapes what versions have.
fn plain(line: &str) -> String {
    line.replace("%2b", "+").replace("%7e", "~").replace("  ", " ").trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::{errors, has_no, percent, reason};

    #[test]
    fn progress_is_read_from_the_status_lines() {
        assert_eq!(percent("dlstatus:8:90.3178:Retrieving file 8 of 11"), Some(90));
        assert_eq!(percent("Get:7 http://mirror.example/debian trixie InRelease"), None);
    }

    #[test]
    fn a_suite_that_the_mirror_lacks_is_recognised() {
        let said = "E: The repository 'http://m.example/debian forky-updates Release' does not have a Release file.\n";
        assert!(has_no(said, "forky-updates"));
        assert!(!has_no(said, "forky"));
    }

    #[test]
    fn the_reason_is_the_one_of_the_file() {
        let said = "\
E: Failed to fetch http://m.example/pool/a.deb  404  Not Found [IP: 203.0.113.80 80]
E: Failed to fetch http://m.example/pool/b_1%2b1.deb  Could not resolve 'm.example'
E: Download Failed";
        assert_eq!(reason(said, "pool/b_1+1.deb"), "Could not resolve 'm.example'");
        assert!(errors(said).ends_with("404 Not Found [IP: 203.0.113.80 80] (and 1 more)"));
        assert_eq!(errors("nothing"), "apt failed and did not say why");
    }
}
