//! What was learned, as text or JSON, to a file or standard output.

use std::fs;
use std::io::{Write, stderr, stdout};

use sandbox::learn::text::{quoted, text};
use sandbox::learn::{Learned, judge::Judge};
use serde_json::{Value, json};

use crate::Failed;
use crate::args::Asked;
use crate::given::Disk;
use crate::watch::Seen;

/// Writes it. What it says is read again first: a profile that is wrong is told as our mistake.
pub(crate) fn write(
    asked: &Asked,
    disk: &Disk,
    seen: &Seen,
    mut learned: Learned,
) -> Result<(), Failed> {
    learned.rules.extend(disk.kept());
    let name = seen.program.file_name().map_or_else(Default::default, |n| n.to_string_lossy());
    let about = disk.about().map_or_else(|| format!("Learned from {name}"), str::to_owned);
    let profile = text(&learned, &about, &head(asked, seen));
    match disk.read(&profile) {
        Ok(read) if read == learned.profile => {}
        Ok(_) => tell("the profile does not say what was meant, which is a mistake of `learn`"),
        Err(why) => tell(&format!("the profile is wrong, which is a mistake of `learn`:\n{why}")),
    }
    let out = if asked.json {
        let all = json(seen, &learned, &profile);
        format!("{all:#}\n")
    } else {
        profile
    };
    let Some(path) = &asked.output else {
        return stdout()
            .write_all(out.as_bytes())
            .map_err(|e| format!("writing the profile: {e}").into());
    };
    let wrote = fs::write(path, out);
    wrote.map_err(|e| format!("writing the profile to {}: {e}", path.display()))?;
    tell(&format!("the profile is in {}", path.display()));
    Ok(())
}

fn tell(text: &str) {
    // It is no less true when nobody reads it.
    let _ = writeln!(stderr(), "learn: {text}");
}

fn head(asked: &Asked, seen: &Seen) -> Vec<String> {
    let words: Vec<String> =
        asked.command.iter().map(|word| shown(&word.to_string_lossy())).collect();
    let calls: u64 = seen.observed.calls.values().sum();
    vec![
        format!("Learned from: {}", words.join(" ")),
        format!(
            "It ended with {}. {calls} system calls were looked at; {} times it asked for a file that is not there,",
            seen.end, seen.observed.probes
        ),
        "which needs no rule. What it did not do this time is not in here: run it in all its ways with --over."
            .to_owned(),
    ]
}

/// A word as a shell takes it.
fn shown(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) { word.to_owned() } else { quoted(word) }
}

fn json(seen: &Seen, learned: &Learned, profile: &str) -> Value {
    let judge = Judge::of(&learned.profile).ok();
    let files: Vec<Value> = seen
        .observed
        .files
        .iter()
        .flat_map(|(path, file)| file.uses.iter().map(move |(how, times)| (path, file, how, times)))
        .map(|(path, file, how, times)| {
            let allowed = judge.as_ref().is_some_and(|judge| judge.allows(path, file.kind, *how));
            let how = format!("{how:?}").to_lowercase();
            json!({
                "path": path, "use": how, "call": times.call, "times": times.count, "covered": allowed,
            })
        })
        .collect();
    let sockets = seen.observed.sockets.iter().map(|((family, kind, protocol), times)| {
        json!({ "family": family, "type": kind, "protocol": protocol, "times": times.count })
    });
    json!({
        "profile": profile,
        "status": seen.code,
        "end": seen.end,
        "notes": learned.notes,
        "calls": seen.observed.calls,
        "files": files,
        "sockets": sockets.collect::<Vec<_>>(),
        "connect": seen.observed.connects.keys().collect::<Vec<_>>(),
        "listen": seen.observed.binds.keys().collect::<Vec<_>>(),
        "probes": seen.observed.probes,
    })
}
