//! `ensctl sandbox score`: the attack set inside a sandbox, and what got through.
//!
//! ```text
//! ensctl ──starts──► attacks victim       outside, with secrets; ends when ensctl does
//!    └────asks────► servicemgr ──starts──► attacks all --lines, in the sandbox
//!           ◄───── a line for each attack, by a named pipe ─────┘
//! ```
//!
//! What comes out of a sandbox is hostile: its length, its form and the time for it are limited. Invariant:
//! what was not tried, or not told, never counts as blocked.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use api::paths::{ATTACKS, TRIES};
use api::sandbox::{Imitation, Target};
use serde::{Deserialize, Serialize};
use sys::bind::Access;
use sys::poll::{For, poll};

use crate::args::{Args, Usage};
use crate::bus::Services as Bus;
use crate::call::{self, PATIENCE};
use crate::fault::Fault;
use crate::run::Out;
use crate::services::known;
use crate::show::score as show;
use crate::transient::made_up;

/// Groups of attacks.
pub const GROUPS: &[&str] = &[
    "files",
    "processes",
    "namespaces",
    "identity",
    "system-calls",
    "memory",
    "terminal",
    "network",
    "ipc",
    "resources",
    "devices",
    "kernel",
];

/// Who attacks in a profile when nobody is named: nobody.
const NOBODY: &str = "nobody";

/// The user of the victim, which no service has.
const VICTIM: u32 = 64_242;

/// How long all attacks may take: each has a limit of its own, and few need it.
const LIMIT: Duration = Duration::from_secs(15 * 60);

/// How long the victim may take to be there, and to go.
const VICTIM_LIMIT: Duration = Duration::from_secs(20);

/// Longest line that is read from the victim or the attacks, in bytes.
const MAX_LINE: usize = 64 << 10;

/// Most lines from the attacks: more than there are attacks.
const MAX_LINES: usize = 4096;

/// What to try, and how to tell it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    target: Target,
    /// As the person called it.
    of: String,
    /// Tell what was blocked too.
    verbose: bool,
}

impl Ask {
    /// From a command line.
    ///
    /// # Errors
    /// [`Usage`]: there is no such group.
    pub fn from_args(args: &Args) -> Result<Self, Usage> {
        let of = args.operands.first().cloned().unwrap_or_default();
        let mut target = Target { user: NOBODY.to_owned(), ..Target::default() };
        match profile(&of) {
            Some((directory, profile)) => (target.directory, target.profile) = (directory, profile),
            None => target.service.clone_from(&of),
        }
        if let Some(user) = args.value("user") {
            if !target.service.is_empty() {
                return Err(args.wrong("a service has its own user: `--user` is for a profile"));
            }
            user.clone_into(&mut target.user);
        }
        for group in args.values("group") {
            if !GROUPS.contains(&group) {
                let hint = crate::near::hint(group, GROUPS.iter().copied());
                let all = GROUPS.join(", ");
                return Err(args.wrong(format!("`--group {group}`: one of {all}{hint}")));
            }
            target.arguments.push(format!("--group={group}"));
        }
        if !args.has("all-attacks") {
            target.arguments.push("--careful".to_owned());
        }
        Ok(Self { target, of, verbose: args.has("verbose") })
    }
}

/// Directory and name of a profile, if a file was named.
fn profile(of: &str) -> Option<(String, String)> {
    let path = Path::new(of);
    let is_file = of.contains('/') || path.extension().is_some_and(|e| e == "toml");
    let whole = std::path::absolute(path).ok().filter(|_| is_file)?;
    let directory = whole.parent().unwrap_or(Path::new("/")).to_str()?.to_owned();
    Some((directory, whole.file_stem()?.to_str()?.to_owned()))
}

/// What came of one attack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attack {
    /// Its name.
    pub name: String,
    /// What it is about.
    pub group: String,
    /// What the attacker would get.
    pub about: String,
    /// In a word.
    pub verdict: Verdict,
    /// Why, or what it got.
    pub reason: String,
    /// Table of a service with the line that stops it; empty for the service itself.
    pub table: String,
    /// That line; empty when none does.
    pub line: String,
}

/// What came of an attack, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Something refused it.
    Blocked,
    /// It got through.
    #[serde(alias = "worked")]
    Through,
    /// It means nothing on this kernel.
    #[serde(alias = "n/a")]
    NotApplicable,
    /// It was left out.
    #[serde(alias = "untried")]
    NotTried,
}

/// All of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Score {
    /// The service, or the file of the profile.
    pub of: String,
    /// Whether it is a service.
    pub service: bool,
    /// User the attacks ran as.
    pub user: String,
    /// What was different from the service itself, as sentences without a full stop.
    pub differences: Vec<String>,
    /// So many were blocked.
    pub blocked: usize,
    /// So many got through.
    pub through: usize,
    /// So many mean nothing on this kernel.
    pub not_applicable: usize,
    /// So many were left out.
    pub not_tried: usize,
    /// Each of them.
    pub attacks: Vec<Attack>,
}

/// Attacks, and tells. Answers whether nothing got through.
///
/// # Errors
/// [`Fault`]: the attacks did not run, or not all of them.
pub(crate) fn run(ask: &Ask, json: bool, out: &Out) -> Result<bool, Fault> {
    if sys::process::user() != 0 {
        return Err(Fault::Refused("only root may try attacks".to_owned()));
    }
    if !Path::new(ATTACKS).is_file() {
        return Err(Fault::Refused(format!(
            "there is no {ATTACKS}: only images for development have the attack set; build one with \
             [debug] agent = true, never a release"
        )));
    }
    if !ask.target.directory.is_empty() && !Path::new(&ask.of).is_file() {
        return Err(Fault::NotWell(format!("{}: there is no such file", ask.of)));
    }
    let imitate = |bus: Bus<'_>| known(&bus, &ask.target.service, bus.imitate(&ask.target));
    let imitation = call::services(true, Some(PATIENCE), imitate)?;
    let victim = Victim::start()?;
    let mut target = ask.target.clone();
    target.arguments.push(victim.facts.clone());
    let attacks = attacked(&target);
    drop(victim);
    let score = Score::new(ask, imitation, attacks?);
    if json { out.json(&score) } else { out.text(&show::score(&score, ask.verbose, out.paint)) }?;
    Ok(score.through == 0)
}

impl Score {
    fn new(ask: &Ask, imitation: Imitation, attacks: Vec<Attack>) -> Self {
        let count = |verdict| attacks.iter().filter(|attack| attack.verdict == verdict).count();
        Self {
            of: ask.of.clone(),
            service: !ask.target.service.is_empty(),
            user: imitation.user,
            differences: imitation.differences,
            blocked: count(Verdict::Blocked),
            through: count(Verdict::Through),
            not_applicable: count(Verdict::NotApplicable),
            not_tried: count(Verdict::NotTried),
            attacks,
        }
    }
}

/// Runs the attacks and reads what came of them.
fn attacked(target: &Target) -> Result<Vec<Attack>, Fault> {
    let name = made_up("score", std::process::id());
    let path = Path::new(TRIES).join(&name);
    let pipe = |e: io::Error| Fault::NotWell(format!("the pipe {}: {e}", path.display()));
    // This end is also one for writing, so what is opened next does not wait for another.
    let held = sys::bind::fifo(&path, &Access { mode: 0o600, owner: None, backlog: 0 });
    let held = held.map_err(pipe)?;
    let reader = File::open(&path).map_err(pipe)?;
    let started = call::services(false, None, |bus: Bus<'_>| bus.score(&name, target));
    let _gone = fs::remove_file(&path);
    drop(held);
    let attacks = started.and_then(|()| told(Lines::new(reader, LIMIT)));
    // It may still run: what it was killed for, or what hangs in it, is over now.
    let _gone = call::services(true, Some(PATIENCE), |bus: Bus<'_>| bus.stop(&name));
    let _gone = call::services(true, Some(PATIENCE), |bus: Bus<'_>| bus.reset(&name));
    attacks
}

/// What the attacks say, line by line, up to their last word.
fn told(mut lines: Lines) -> Result<Vec<Attack>, Fault> {
    let mut attacks = Vec::new();
    let mut last = String::new();
    for _ in 0..MAX_LINES {
        let line = lines.next().map_err(|e| Fault::NotWell(format!("reading the attacks: {e}")))?;
        let Some(line) = line else { break };
        if line == END {
            return Ok(attacks);
        }
        match serde_json::from_str(&line) {
            Ok(attack) => attacks.push(attack),
            Err(_) => last = line,
        }
    }
    let count = attacks.len();
    let said = if last.is_empty() { String::new() } else { format!(": {last}") };
    Err(Fault::NotWell(format!(
        "the attacks ended after {count} of them{said}: the sandbox may be too tight to run any program, or \
         took away what they need; `ensctl log` may say more"
    )))
}

/// The last word of the attacks.
const END: &str = r#"{"end":true}"#;

/// A process with secrets. Dropped, it takes away what it made and ends.
struct Victim {
    child: Child,
    /// `--victim=FACTS`.
    facts: String,
    directory: PathBuf,
}

impl Victim {
    fn start() -> Result<Self, Fault> {
        let failed = |why: String| Fault::NotWell(format!("{ATTACKS} victim: {why}"));
        let directory = PathBuf::from(format!("/var/lib/attacks-{}", std::process::id()));
        let mut command = Command::new(ATTACKS);
        command.args(["victim", "--attended", "--user", &VICTIM.to_string(), "--dir"]);
        command.arg(&directory).env_clear().current_dir("/").process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let child = command.spawn().map_err(|e| failed(e.to_string()))?;
        let mut victim = Self { child, facts: String::new(), directory };
        let output = victim.child.stdout.take().ok_or_else(|| failed("no output".to_owned()))?;
        let output = File::from(std::os::fd::OwnedFd::from(output));
        let facts = Lines::new(output, VICTIM_LIMIT).next().map_err(|e| failed(e.to_string()))?;
        victim.facts = facts.ok_or_else(|| failed("it told nothing of itself".to_owned()))?;
        Ok(victim)
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        drop(self.child.stdin.take()); // so it knows
        let ended = sys::child::pidfd(&self.child)
            .and_then(|pidfd| poll(&[(pidfd.as_fd(), For::Reading)], Some(VICTIM_LIMIT)));
        if !matches!(ended.as_deref(), Ok([ready]) if ready.read) {
            let _ended = self.child.kill();
        }
        let _reaped = self.child.wait();
        // Empty unless it was killed; then its secrets go with it.
        let _gone = fs::remove_dir_all(&self.directory);
    }
}

/// Lines of a pipe, none too long, until a time is over.
struct Lines {
    file: File,
    until: Instant,
    buffer: Vec<u8>,
}

impl Lines {
    #[expect(clippy::disallowed_methods, reason = "what comes out of a sandbox must end some time")]
    fn new(file: File, limit: Duration) -> Self {
        Self { file, until: Instant::now() + limit, buffer: Vec::new() }
    }

    /// The next one; none at the end.
    fn next(&mut self) -> io::Result<Option<String>> {
        loop {
            if let Some(at) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=at).collect();
                return Ok(Some(String::from_utf8_lossy(&line).trim_end().to_owned()));
            }
            if self.buffer.len() > MAX_LINE {
                return Err(io::Error::other(format!("a line longer than {} KiB", MAX_LINE >> 10)));
            }
            let mut more = [0; 4096];
            let length = self.ready().and_then(|()| self.file.read(&mut more))?;
            if length == 0 {
                return Ok(None);
            }
            self.buffer.extend_from_slice(more.get(..length).unwrap_or_default());
        }
    }

    #[expect(clippy::disallowed_methods, reason = "what comes out of a sandbox must end some time")]
    fn ready(&self) -> io::Result<()> {
        loop {
            let left = self.until.saturating_duration_since(Instant::now());
            let ready = poll(&[(self.file.as_fd(), For::Reading)], Some(left))?;
            if ready.iter().any(|ready| ready.read || ready.hangup) {
                return Ok(());
            }
            if left.is_zero() {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "it took too long"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn ask(line: &str) -> Result<Ask, String> {
        let args = Args::parse(line.split(' ').map(Into::into)).map_err(|usage| usage.why)?;
        Ask::from_args(&args).map_err(|usage| usage.why)
    }

    #[test]
    fn a_word_is_a_service_and_a_path_is_a_profile() {
        let of = ask("sandbox score web").unwrap();
        assert_eq!((of.target.service.as_str(), of.target.directory.as_str()), ("web", ""));
        assert_eq!(of.target.arguments, ["--careful"]);
        let of = ask("sandbox score /tmp/mine/camera.toml --group files --all-attacks").unwrap();
        let target = of.target;
        assert_eq!(target.directory, "/tmp/mine");
        assert_eq!((target.profile.as_str(), target.user.as_str()), ("camera", "nobody"));
        assert_eq!(target.arguments, ["--group=files"]);
        assert!(ask("sandbox score web --user x").unwrap_err().contains("its own user"));
        assert!(ask("sandbox score web --group file").unwrap_err().contains("did you mean"));
    }

    fn from(text: &str, close: bool) -> Result<Vec<Attack>, String> {
        let (reader, mut writer) = io::pipe().unwrap();
        writer.write_all(text.as_bytes()).unwrap();
        let kept = (!close).then_some(writer);
        let limit = Duration::from_millis(50);
        let told = told(Lines::new(File::from(std::os::fd::OwnedFd::from(reader)), limit));
        drop(kept);
        told.map_err(|fault| fault.to_string())
    }

    #[test]
    fn only_what_came_to_its_end_is_a_score() {
        let one = r#"{"name":"a","group":"files","about":"x","verdict":"worked","reason":"r","table":"","line":""}"#;
        let all = from(&format!("{one}\n{END}\n"), false).unwrap();
        assert_eq!(all[0].verdict, Verdict::Through);
        assert!(from(&format!("{one}\n"), true).unwrap_err().contains("ended after 1"));
        assert!(from("attacks: no process\n", true).unwrap_err().contains("attacks: no process"));
        assert!(from(one, false).unwrap_err().contains("took too long"));
        assert!(from(&"x".repeat(60_000), true).is_err());
    }
}
