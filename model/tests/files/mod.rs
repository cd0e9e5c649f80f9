//! Files in memory, and a small set that ships.
#![allow(dead_code, reason = "each test program uses a part of it")]
#![expect(unreachable_pub, reason = "a module of test programs has no outside")]

use std::collections::BTreeMap;
use std::io;

use model::text::{Finding, Loaded, Report, Source, load_device};

/// Files by path.
#[derive(Debug, Clone, Default)]
pub struct Files(pub BTreeMap<String, String>);

impl Files {
    /// With one more.
    pub fn with(mut self, path: &str, text: &str) -> Self {
        self.0.insert(path.to_owned(), text.to_owned());
        self
    }
}

impl Source for Files {
    fn read(&self, path: &str) -> io::Result<String> {
        self.0.get(path).cloned().ok_or_else(|| io::Error::other("no such file"))
    }

    fn list(&self, directory: &str) -> io::Result<Vec<String>> {
        let below = self.0.keys().filter_map(|p| p.strip_prefix(directory)?.strip_prefix('/'));
        let name = |path: &str| path.split('/').next().unwrap_or_default().to_owned();
        let names: std::collections::BTreeSet<String> = below.map(name).collect();
        Ok(names.into_iter().collect())
    }

    fn is_file(&self, path: &str) -> bool {
        self.0.contains_key(path)
    }
}

const WEB: &str = "exec = [\"/usr/bin/web\"]\nrequires = [\"network\"]\n";
const NETWORK: &str = "exec = [\"/usr/sbin/dhcpcd\"]\n";
const AGENT: &str =
    "exec = [\"/usr/lib/ensemble/debug-agent\"]\n\n[sandbox]\nexception = \"development\"\n";

/// A network, a web server that needs it, and a base with a debug agent.
pub fn shipped() -> Files {
    Files::default()
        .with("services/network.toml", NETWORK)
        .with("services/web.toml", WEB)
        .with("services/debug-agent.toml", AGENT)
        .with(
            "devices/base.toml",
            "version = 1\n[services]\nenable = [\"network\"]\n[debug]\nagent = true\n",
        )
}

/// Profiles by name, without their version.
pub fn profiles(all: &[(&str, &str)]) -> Files {
    let add = |files: Files, (name, text): &(&str, &str)| {
        files.with(&format!("sandbox/{name}.toml"), &format!("version = 1\n{text}"))
    };
    all.iter().fold(shipped(), add)
}

/// The device of this text beside what ships.
pub fn device(text: &str) -> Result<Loaded, Report> {
    load_device(&shipped().with("devices/tv.toml", text), "devices/tv.toml")
}

/// One line for each problem.
pub fn brief(report: &Report) -> String {
    let line = |f: Finding| {
        let help = f.help.map(|h| format!(" ({h})")).unwrap_or_default();
        format!("{}:{} {}{help}", f.line, f.column, f.message)
    };
    report.findings().into_iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Why the device of this text is refused.
pub fn refused(text: &str) -> Report {
    device(text).expect_err("it has a mistake")
}
