//! `ens sandbox`: profiles while they are written, without a device.
//!
//! `learn` hands over to the program that devices for development have, built when it is needed; `explain`
//! reads files and starts nothing.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, anyhow, bail};
use clap::{Args, Subcommand};
use model::Name;
use model::sandbox::Profile;
use model::text::sandbox::{Rule, Sentence, sentences};
use model::text::service::define;
use model::text::{Kind, Report, Source, recognise};
use serde_json::json;

use super::{bad_toml, print};
use crate::doctor;
use crate::host_files::HostFiles;
use crate::programs;
use crate::progress;
use crate::workspace::Workspace;

/// Learn a profile from a program, or say what a profile allows
#[derive(Debug, Args)]
pub(super) struct Sandbox {
    #[command(subcommand)]
    ask: Ask,
}

#[derive(Debug, Subcommand)]
enum Ask {
    Learn(Learn),
    Explain(Explain),
}

/// Run a program here and print the smallest profile with which it does the same
///
/// The program runs as it is, in this terminal, and ends with its own exit status. It sees the files of
/// this host: for one that is on a device only, `ens run DEVICE -- ensctl sandbox learn -- CMD`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ens sandbox learn -- /usr/bin/curl -s http://localhost/
  ens sandbox learn --for app --output configs/sandbox/reader.toml -- ./reader book.txt
  ens sandbox learn --over configs/sandbox/reader.toml -- ./reader --print book.txt

To try a profile: ens run DEVICE --container -- ensctl sandbox try PROFILE -- CMD")]
struct Learn {
    /// Above the profile for services or for apps, instead of `base`
    #[arg(long = "for", value_name = "KIND", value_parser = ["service", "app"])]
    kind: Option<String>,

    /// Above this profile (may be repeated); `none`: above none
    #[arg(long, value_name = "NAME", conflicts_with = "kind")]
    inherit: Vec<String>,

    /// Add to this profile; a file that is not there yet is an empty one
    #[arg(long, value_name = "FILE")]
    over: Option<OsString>,

    /// Write the profile there, not to standard output
    #[arg(long, value_name = "FILE")]
    output: Option<OsString>,

    /// Print JSON, with all that was seen
    #[arg(long)]
    json: bool,

    /// End the program after so long: 30s, 5m
    #[arg(long, value_name = "DURATION")]
    time: Option<OsString>,

    /// Look for profiles there first (may be repeated; the first is the nearest)
    #[arg(long, value_name = "DIR")]
    profiles: Vec<OsString>,

    /// The program and its arguments
    #[arg(
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "CMD"
    )]
    command: Vec<OsString>,
}

/// Say what a profile allows, in sentences, with the file and line of each rule
///
/// PROFILE is a name in configs/sandbox, or the file of a profile or of a service.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ens sandbox explain app
  ens sandbox explain configs/services/nginx.toml
  ens sandbox explain --json app | jq -r '.sentences[].text'")]
struct Explain {
    /// A profile by name, or a file
    profile: String,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Sandbox {
    pub(super) fn run(self) -> Result<u8> {
        let workspace = Workspace::find()?;
        match self.ask {
            Ask::Learn(learn) => learn.run(&workspace),
            Ask::Explain(explain) => explain.run(&workspace),
        }
    }
}

impl Learn {
    fn run(self, workspace: &Workspace) -> Result<u8> {
        let progress = progress::to_stderr(false);
        doctor::provide(&[doctor::For::Build, doctor::For::Sandbox], &*progress)?;
        let built = programs::build_sandbox(workspace, &*progress)?;
        let program = built.get(programs::LEARNER).context("cargo made no sandbox-learn")?;
        drop(progress);
        let failed = Command::new(program).args(self.line(workspace)).exec();
        Err(failed).with_context(|| format!("starting {}", program.display()))
    }

    /// The command line of the program.
    fn line(self, workspace: &Workspace) -> Vec<OsString> {
        let mut line = Vec::new();
        let mut add = |name: &str, value: OsString| line.extend([name.into(), value]);
        self.kind.into_iter().for_each(|kind| add("--for", kind.into()));
        self.inherit.into_iter().for_each(|name| add("--inherit", name.into()));
        self.over.into_iter().for_each(|file| add("--over", file));
        self.output.into_iter().for_each(|file| add("--output", file));
        self.time.into_iter().for_each(|time| add("--time", time));
        let shipped = workspace.root().join(PROFILES).into_os_string();
        self.profiles.into_iter().chain([shipped]).for_each(|dir| add("--profiles", dir));
        line.extend(self.json.then(|| "--json".into()));
        line.push("--".into());
        line.extend(self.command);
        line
    }
}

/// Where our profiles are, relative to the root.
const PROFILES: &str = "configs/sandbox";

/// A profile with the user that it is for and the places of its rules.
struct Told {
    profile: Profile,
    user: Option<String>,
    rules: Vec<Rule>,
}

impl Explain {
    fn run(self, workspace: &Workspace) -> Result<u8> {
        let shipped = workspace.root().join(PROFILES);
        let here = std::env::current_dir().unwrap_or_default();
        let shipped = shipped.strip_prefix(here).unwrap_or(&shipped).to_string_lossy().into_owned();
        let files = HostFiles::of(workspace);
        let Told { profile, user, rules } = told(&files, &shipped, &self.profile)?;
        let all = sentences(&profile, user.as_deref(), &rules);
        print(&if self.json { as_json(&all)? } else { as_text(&all) });
        Ok(0)
    }
}

fn told(files: &dyn Source, shipped: &str, asked: &str) -> Result<Told> {
    if !asked.contains(['/', '.']) {
        return named(files, &[shipped.to_owned()], asked);
    }
    let path = Path::new(asked);
    let text = files.read(asked).with_context(|| format!("cannot read {asked}"))?;
    let beside = path.parent().unwrap_or(Path::new("")).to_string_lossy().into_owned();
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    match recognise(asked, &text) {
        Some(Kind::Sandbox) => named(files, &[beside, shipped.to_owned()], &name),
        Some(Kind::Service) => {
            let name = Name::try_from(&*name).map_err(|why| anyhow!("`{name}`: {why}"))?;
            let directories = [format!("{beside}/../sandbox"), shipped.to_owned()];
            let defined = define(files, &directories, &name, &[(asked, &text)]).map_err(wrong)?;
            let (service, rules) = (defined.service, defined.rules);
            Ok(Told { profile: service.sandbox.into_inner(), user: service.user, rules })
        }
        _ => bail!("{asked} is no profile and no service: `ens check {asked}` says what is wrong"),
    }
}

fn named(files: &dyn Source, directories: &[String], name: &str) -> Result<Told> {
    let loaded = model::text::sandbox::load(files, directories, name).map_err(wrong)?;
    Ok(Told { profile: loaded.profile, user: None, rules: loaded.rules })
}

fn wrong(report: Report) -> anyhow::Error {
    bad_toml(&report)
}

/// As `ensctl sandbox explain` shows it.
fn as_text(all: &[Sentence]) -> String {
    let mut lines = Vec::new();
    let mut topic = None;
    for sentence in all {
        if topic.replace(sentence.topic) != Some(sentence.topic) {
            lines.extend((!lines.is_empty()).then(String::new));
            lines.push(sentence.topic.heading().to_owned());
        }
        let (own, list): (Vec<_>, Vec<_>) = sentence.values.iter().partition(|v| v.text.is_empty());
        let own = own.into_iter().flat_map(|value| &value.places);
        lines.push(with_places(format!("  {}", sentence.text), own));
        let width = list.iter().map(|value| value.text.chars().count()).max().unwrap_or_default();
        lines.extend(list.into_iter().map(|value| {
            with_places(format!("    {:width$}", value.text), &value.places).trim_end().to_owned()
        }));
    }
    lines.join("\n")
}

fn with_places<'p>(text: String, places: impl IntoIterator<Item = &'p (String, usize)>) -> String {
    let places: Vec<_> = places.into_iter().map(|(file, line)| format!("{file}:{line}")).collect();
    if places.is_empty() { text } else { format!("{text}  {}", places.join(", ")) }
}

fn as_json(all: &[Sentence]) -> Result<String> {
    let place = |(file, line): &(String, usize)| json!({ "file": file, "line": line });
    let one = |sentence: &Sentence| {
        let value = |value: &model::text::sandbox::Value| {
            let places: Vec<_> = value.places.iter().map(place).collect();
            json!({ "text": value.text, "places": places })
        };
        let values: Vec<_> = sentence.values.iter().map(value).collect();
        json!({ "topic": sentence.topic.heading(), "text": sentence.text, "values": values })
    };
    let sentences: Vec<_> = all.iter().map(one).collect();
    Ok(serde_json::to_string_pretty(&json!({ "sentences": sentences }))?)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_program_gets_our_profiles_last_and_its_own_words_as_they_are() {
        let learn = Learn {
            kind: Some("app".into()),
            inherit: Vec::new(),
            over: None,
            output: Some("x.toml".into()),
            json: true,
            time: None,
            profiles: vec!["own".into()],
            command: ["cat", "--json", "-h"].map(Into::into).to_vec(),
        };
        let line = learn.line(&Workspace::at("/w".into()));
        assert_eq!(
            line.join(" ".as_ref()),
            "--for app --output x.toml --profiles own --profiles /w/configs/sandbox --json -- cat \
             --json -h"
        );
    }

    #[test]
    fn a_profile_by_name_by_file_and_of_a_service_is_told_with_lines() {
        let top = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = top.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, text).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let profile = "version = 1\nabout = \"x\"\n[files]\nread = [\"/etc/a\", \"/srv\"]\n";
        let file = write("sandbox/low.toml", profile);
        let service = "exec = [\"/bin/x\"]\nuser = \"web\"\nsandbox = { inherit = [\"low\"] }\n";
        let service = write("services/web.toml", service);
        let at = |path: &str| path.replace(top.path().to_str().unwrap(), "TOP");
        let shipped = top.path().join("sandbox").to_str().unwrap().to_owned();
        let files = HostFiles::alone();
        let text = |asked: &str| {
            let Told { profile, user, rules } = told(&files, &shipped, asked).unwrap();
            as_text(&sentences(&profile, user.as_deref(), &rules))
        };
        let read = "  It may read:\n    /etc/a  TOP/sandbox/low.toml:4\n    /srv    TOP/sandbox/low.toml:4";
        for asked in ["low", &file, &service] {
            let told = at(&text(asked)).replace("/services/../", "/");
            assert!(told.contains(read), "{asked}: {told}");
        }
        assert!(text(&service).contains("web"), "its user is told");
        assert!(as_json(&[]).unwrap().contains("sentences"));
    }

    #[test]
    fn what_is_none_is_told() {
        let top = tempfile::tempdir().unwrap();
        let file = top.path().join("x.toml");
        fs::write(&file, "what = 1\n").unwrap();
        let files = HostFiles::alone();
        let why = |asked: &str| told(&files, "/nowhere", asked).err().unwrap().to_string();
        assert!(why(file.to_str().unwrap()).contains("no profile and no service"));
        assert!(why("./gone.toml").contains("cannot read ./gone.toml"));
        assert!(why("nothing").contains("nothing"));
    }
}
