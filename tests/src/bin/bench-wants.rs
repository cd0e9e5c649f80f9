//! PID 1 of the benchmark of wants: an index over skills, and how long an answer takes.
//!
//! ```text
//! N skills, as apps have them ─► Index ─► each kind of want, many times ─► bench: KIND N NANOSECONDS
//! ```

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use ability_manager::engine::Target;
use ability_manager::want::{Index, matches};
use model::Name;
use model::bundle::BundleId;
use model::want::{Skill, SkillPath, SkillUri, Want};
use sys::clock;
use sys::mount::{Flags, mount};

/// How long Debian's kernel works in the background after boot, with room to spare.
const CALM: Duration = Duration::from_secs(8);

/// Numbers of skills.
const SKILLS: [usize; 3] = [10, 100, 1000];

/// Answers that are looked for in a row: the clock tells more than one.
const ROUNDS: u32 = 200;

fn main() -> ExitCode {
    let told = run().or_else(|e| tell(&format!("bench: failed={e}")));
    drop(sys::reboot::reboot(sys::reboot::How::PowerOff)); // its failure is no worse
    if told.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn run() -> io::Result<()> {
    mount("devtmpfs", Path::new("/dev"), "devtmpfs", Flags::default(), "")?;
    sys::random::credit(&[7; 512])?;
    calm();
    for count in SKILLS {
        let abilities = abilities(count).ok_or_else(|| io::Error::other("a bad name"))?;
        let began = clock::boottime();
        let index =
            Index::new(abilities.iter().map(|(target, skill)| (target.clone(), &skill[..])));
        tell(&format!("bench: index {count} {}", (clock::boottime() - began).as_nanos()))?;
        for (kind, want) in wants(count) {
            let looked =
                abilities.iter().filter(|(_, skills)| skills.iter().any(|s| matches(s, &want)));
            if looked.count() != index.answer(&want).len() {
                return Err(io::Error::other(format!("{kind}: the index finds others")));
            }
            let began = clock::boottime();
            for _ in 0..ROUNDS {
                std::hint::black_box(index.answer(std::hint::black_box(&want)));
            }
            let each = (clock::boottime() - began).as_nanos() / u128::from(ROUNDS);
            tell(&format!("bench: {kind} {count} {each}"))?;
        }
    }
    tell("bench: done")
}

#[expect(clippy::disallowed_methods, reason = "the benchmark waits in virtual time")]
fn calm() {
    thread::sleep(CALM);
}

fn tell(line: &str) -> io::Result<()> {
    let mut console = OpenOptions::new().write(true).open("/dev/console")?;
    console.write_all(format!("{line}\n").as_bytes())
}

/// Abilities with a skill each: a site of its own, a kind of file, something to do with nothing, by turns; every tenth
/// answers all addresses of the web, and every tenth matches paths of one site by an expression of its own.
fn abilities(count: usize) -> Option<Vec<(Target, Vec<Skill>)>> {
    let one = |number: usize| {
        let bundle = BundleId::try_from(format!("org.example.app{number}")).ok()?;
        let target = Target { bundle, ability: Name::try_from("main").ok()? };
        Some((target, vec![skill(number)]))
    };
    (0..count).map(one).collect()
}

fn skill(number: usize) -> Skill {
    let text = |text: &str| Some(text.to_owned());
    let web = SkillUri { scheme: text("https"), ..SkillUri::default() };
    let site = SkillUri { host: Some(format!("site{number}.example.org")), ..web.clone() };
    let path = SkillPath::Regex(format!("/notes{number}/[0-9]+(/edit)?"));
    let expression = SkillUri { host: text("example.org"), path: Some(path), ..web.clone() };
    let kinds = ["image/png", "image/*", "text/plain", "application/pdf", "audio/*"];
    let kind = kinds.into_iter().nth(number / 10 % kinds.len()).unwrap_or_default();
    let typed = SkillUri { mime: text(kind), ..SkillUri::default() };
    let (action, uris) = match number % 10 {
        0 => ("view", vec![web]),
        1 => ("view", vec![expression]),
        2..=5 => ("view", vec![site]),
        6..=8 => ("view", vec![typed]),
        _ => ("org.example.scan", Vec::new()),
    };
    Skill { actions: vec![action.into()], entities: vec!["browsable".into()], uris }
}

/// Kinds of wants, and one of each.
fn wants(count: usize) -> [(&'static str, Want); 6] {
    let site = count / 10 * 10 - 8;
    let view = Want { action: Some("view".into()), ..Want::default() };
    let uri = |uri: &str| Want { uri: Some(uri.into()), ..view.clone() };
    let mime = |mime: &str| Want { mime: Some(mime.into()), ..view.clone() };
    [
        ("site", uri(&format!("https://site{site}.example.org/a/b?c"))),
        ("expression", uri("https://example.org/notes1/7/edit")),
        ("type", mime("image/png")),
        ("every-type", mime("*/*")),
        ("action", Want { action: Some("org.example.scan".into()), ..Want::default() }),
        ("nobody", uri("gemini://example.org/")),
    ]
}
