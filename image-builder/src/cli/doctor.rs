//! `ens doctor`: what the host lacks, and the exact line that installs it.

use anyhow::Result;
use clap::Args;

use super::print;
use crate::doctor::{self, Finding, Weight};
use crate::progress;

/// Say what this host lacks, and how to get it
///
/// Tries each thing instead of assuming it. Exit status 0 when everything needed is there, 1 when
/// not. `ens run` and `ens test` install what they need by themselves where they are root or have
/// a sudo that asks for no password.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ens doctor
  ens doctor --install
  ens doctor --json | jq '.[] | select(.problem)'")]
pub(super) struct Doctor {
    /// Install what is missing with apt (root or sudo)
    #[arg(long)]
    install: bool,

    /// Print an array of findings: name, needed-for, weight, problem, help
    #[arg(long)]
    json: bool,
}

impl Doctor {
    pub(super) fn run(self) -> Result<u8> {
        let mut findings = doctor::examine();
        let packages = doctor::packages(&findings, false);
        if self.install && !packages.is_empty() {
            doctor::install(&packages, &*progress::to_stderr(false))?;
            findings = doctor::examine();
        }
        if self.json {
            print(&serde_json::to_string_pretty(&findings)?);
        } else {
            print(&table(&findings));
        }
        let lacks = findings.iter().any(|f| f.problem.is_some() && f.weight == Weight::Needed);
        Ok(u8::from(lacks))
    }
}

fn table(findings: &[Finding]) -> String {
    let width = findings.iter().map(|f| f.name.len()).max().unwrap_or(0);
    let mut lines = Vec::new();
    for finding in findings {
        let needed_for = format!("{:?}", finding.needed_for).to_lowercase();
        let (mark, text) = match (&finding.problem, finding.weight) {
            (None, _) => ("ok      ", String::new()),
            (Some(why), Weight::Needed) => ("MISSING ", format!("{why}; {}", finding.help)),
            (Some(why), Weight::Better) => ("optional", format!("{why}; {}", finding.help)),
        };
        let line = format!("{mark}  {needed_for:9}  {:width$}  {text}", finding.name);
        lines.push(line.trim_end().to_owned());
    }
    let packages = doctor::packages(findings, false);
    if !packages.is_empty() {
        lines.push(format!("\nTo install all of it: {}", doctor::apt_line(&packages)));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::{For, Help};

    #[test]
    fn the_table_says_what_is_missing_for_what_and_how_to_get_it() {
        let finding = |name, weight, problem: Option<&str>, help| Finding {
            name,
            needed_for: For::Machine,
            weight,
            problem: problem.map(str::to_owned),
            help,
        };
        let shown = table(&[
            finding("linker", Weight::Needed, None, Help::Package("gcc")),
            finding(
                "QEMU",
                Weight::Needed,
                Some("no qemu in PATH"),
                Help::Package("qemu-system-x86"),
            ),
            finding("KVM", Weight::Better, Some("no /dev/kvm"), Help::Deed("switch it on")),
        ]);
        insta::assert_snapshot!(shown, @"
        ok        machine    linker
        MISSING   machine    QEMU    no qemu in PATH; apt-get install --no-install-recommends qemu-system-x86
        optional  machine    KVM     no /dev/kvm; switch it on

        To install all of it: apt-get install --no-install-recommends qemu-system-x86
        ");
    }
}
