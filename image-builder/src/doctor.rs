//! What this host lacks, found by trying: one table of requirements, each with its test and the
//! Debian package or the deed that helps.
//!
//! ```text
//! TABLE ──test──► Finding ──► shown        provide: needed and missing ──► apt-get install
//! ```

mod host;

use std::fmt;
use std::io::{IsTerminal, stdin};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde::Serialize;

use crate::progress::Progress;

/// What a requirement is needed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum For {
    /// Building images.
    Build,
    /// Building images with services in sandboxes.
    Sandbox,
    /// Machines in QEMU.
    Machine,
    /// Containers.
    Container,
    /// `ens test`.
    Test,
    /// What only `ens test --full` runs.
    Full,
    /// `ens fuzz`.
    Fuzz,
}

/// How much is missing without it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Weight {
    /// It does not work.
    Needed,
    /// It works, but slower or with less.
    Better,
}

/// One line of the table.
struct Requirement {
    name: &'static str,
    needed_for: For,
    weight: Weight,
    /// `None` when fine, else what is wrong.
    test: fn() -> Option<String>,
    help: Help,
}

/// What helps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Help {
    /// This Debian package.
    Package(&'static str),
    /// Doing this.
    Deed(&'static str),
}

/// What was found about one requirement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Finding {
    /// What it is.
    pub name: &'static str,
    /// What it is needed for.
    pub needed_for: For,
    /// How much is missing without it.
    pub weight: Weight,
    /// What is wrong; `None` when nothing is.
    pub problem: Option<String>,
    /// What helps.
    pub help: Help,
}

/// Every requirement there is.
#[rustfmt::skip]
const TABLE: &[Requirement] = {
    use For::{Build, Container, Full, Fuzz, Machine, Sandbox, Test};
    use Help::{Deed, Package};
    use Weight::{Better, Needed};
    &[
        line("apt", Build, Needed, host::apt, Package("apt")),
        line("Debian's archive keys", Build, Needed, host::keyring, Package("debian-archive-keyring")),
        line("linker", Build, Needed, host::linker, Package("gcc")),
        line("static libc", Build, Needed, host::static_libc, Package("libc6-dev")),
        line("static libseccomp", Sandbox, Needed, host::static_libseccomp, Package("libseccomp-dev")),
        line("disk space", Build, Needed, host::disk, Deed("free 3 GiB, or set CARGO_TARGET_DIR")),
        line("QEMU", Machine, Needed, host::emulator, Package("qemu-system-x86")),
        line("KVM", Machine, Better, host::kvm, Deed("switch virtualisation on and join the group kvm")),
        line("QEMU windows", Machine, Better, host::window, Package("qemu-system-gui")),
        line("user namespaces", Container, Needed, host::namespaces, Deed(
            "sysctl -w kernel.unprivileged_userns_clone=1 user.max_user_namespaces=15000; with AppArmor \
             also kernel.apparmor_restrict_unprivileged_userns=0")),
        line("network interfaces", Container, Better, host::interfaces, Deed(
            "modprobe tun; chmod 0666 /dev/net/tun")),
        line("range of user ids", Container, Better, host::id_ranges, Package("uidmap")),
        line("cgroup2 of our own", Container, Better, host::cgroup, Deed(
            "run it under `systemd-run --user --scope -p Delegate=yes`, or as root")),
        line("systemd-journal-remote", Test, Needed, host::journal_remote, Package("systemd-journal-remote")),
        line("fsck.erofs", Test, Needed, host::erofs, Package("erofs-utils")),
        line("fsverity", Test, Needed, host::verity, Package("fsverity")),
        line("e2fsck", Test, Needed, host::ext4, Package("e2fsprogs")),
        line("fsck.vfat", Test, Needed, host::fat, Package("dosfstools")),
        line("mtools", Test, Needed, host::mtools, Package("mtools")),
        line("sfdisk", Test, Needed, host::partitions, Package("fdisk")),
        line("sgdisk", Test, Needed, host::gpt, Package("gdisk")),
        line("cpio", Test, Needed, host::cpio, Package("cpio")),
        line("podman", Full, Needed, host::podman, Package("podman")),
        line("runc", Full, Needed, host::runc, Package("runc")),
        line("C++ compiler", Fuzz, Needed, host::cpp, Package("g++")),
        line("cargo-nextest", Test, Better, host::nextest, Deed("cargo install --locked cargo-nextest")),
    ]
};

const fn line(
    name: &'static str,
    needed_for: For,
    weight: Weight,
    test: fn() -> Option<String>,
    help: Help,
) -> Requirement {
    Requirement { name, needed_for, weight, test, help }
}

/// Tests everything.
#[must_use]
pub fn examine() -> Vec<Finding> {
    TABLE.iter().map(Requirement::examine).collect()
}

impl Requirement {
    fn examine(&self) -> Finding {
        Finding {
            name: self.name,
            needed_for: self.needed_for,
            weight: self.weight,
            problem: (self.test)(),
            help: self.help,
        }
    }
}

/// The packages that would solve these problems; only of what is needed, or of everything.
#[must_use]
pub fn packages(findings: &[Finding], only_needed: bool) -> Vec<&'static str> {
    let asked = |f: &&Finding| f.weight == Weight::Needed || !only_needed;
    let missing = findings.iter().filter(|f| f.problem.is_some()).filter(asked);
    let mut names: Vec<&str> = missing
        .filter_map(|f| match f.help {
            Help::Package(name) => Some(name),
            Help::Deed(_) => None,
        })
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// The command line that installs `packages`.
#[must_use]
pub fn apt_line(packages: &[&str]) -> String {
    format!("apt-get install --no-install-recommends {}", packages.join(" "))
}

/// Why containers can't have a network with each other on this host, if so.
#[must_use]
pub fn cables() -> Option<String> {
    host::interfaces()
}

/// Makes sure that what `uses` need is there; installs what is missing where we may do so without
/// asking (as root, or with a sudo that needs no password), after saying what.
///
/// # Errors
/// Something needed is missing and stays so.
pub fn provide(uses: &[For], progress: &dyn Progress) -> Result<()> {
    let needed =
        || TABLE.iter().filter(|r| uses.contains(&r.needed_for) && r.weight == Weight::Needed);
    let missing = |found: &[Finding]| -> Vec<Finding> {
        found.iter().filter(|f| f.problem.is_some()).cloned().collect()
    };
    let findings: Vec<Finding> = needed().map(Requirement::examine).collect();
    let packages = packages(&findings, true);
    if missing(&findings).is_empty() {
        return Ok(());
    }
    if !packages.is_empty() && may_install() {
        install(&packages, progress)?;
    }
    let left = missing(&needed().map(Requirement::examine).collect::<Vec<_>>());
    if left.is_empty() {
        return Ok(());
    }
    let lines: Vec<String> = left.iter().map(Finding::told).collect();
    bail!("this host lacks what is needed:\n{}", lines.join("\n"))
}

/// Installs `packages` with apt, after saying so. Asks for a password only at a terminal.
///
/// # Errors
/// Neither root nor sudo, or apt fails.
pub fn install(packages: &[&str], progress: &dyn Progress) -> Result<()> {
    progress.note(&format!("installing: {}", apt_line(packages)));
    if !host::has_apt_lists() {
        apt(&["update"])?;
    }
    let mut args = vec!["install", "--yes", "--no-install-recommends"];
    args.extend(packages);
    apt(&args).or_else(|_| {
        // Lists that are too old name files that are gone.
        apt(&["update"])?;
        apt(&args)
    })
}

fn apt(args: &[&str]) -> Result<()> {
    let mut command = if sys::process::user() == 0 {
        Command::new("apt-get")
    } else {
        let mut sudo = Command::new("sudo");
        if !stdin().is_terminal() {
            sudo.arg("-n");
        }
        sudo.arg("DEBIAN_FRONTEND=noninteractive").arg("apt-get");
        sudo
    };
    command.args(args).env("DEBIAN_FRONTEND", "noninteractive").arg("--quiet");
    // Standard output is for programs that read ours.
    command.stdout(std::io::stderr());
    let status = command.status().with_context(|| {
        format!("installing needs root or sudo; as root: apt-get {}", args.join(" "))
    })?;
    if !status.success() {
        bail!("apt-get {} failed ({status})", args.join(" "));
    }
    Ok(())
}

fn may_install() -> bool {
    sys::process::user() == 0
        || Command::new("sudo")
            .args(["-n", "true"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
}

impl Finding {
    /// One line about a problem and what helps.
    #[must_use]
    pub fn told(&self) -> String {
        let problem = self.problem.as_deref().unwrap_or("ok");
        format!("  {}: {problem}; {}", self.name, self.help)
    }
}

impl fmt::Display for Help {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Package(package) => f.write_str(&apt_line(&[package])),
            Self::Deed(deed) => f.write_str(deed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(weight: Weight, problem: Option<&str>, help: Help) -> Finding {
        let problem = problem.map(str::to_owned);
        Finding { name: "thing", needed_for: For::Machine, weight, problem, help }
    }

    #[test]
    fn only_what_is_missing_is_installed_and_nothing_twice() {
        let package = Help::Package("qemu");
        let findings = [
            finding(Weight::Needed, Some("none"), package),
            finding(Weight::Needed, Some("none"), package),
            finding(Weight::Needed, None, Help::Package("gcc")),
            finding(Weight::Better, Some("none"), Help::Package("erofs-utils")),
            finding(Weight::Needed, Some("none"), Help::Deed("do it")),
        ];
        assert_eq!(packages(&findings, true), ["qemu"]);
        assert_eq!(packages(&findings, false), ["erofs-utils", "qemu"]);
    }

    #[test]
    fn every_problem_comes_with_what_helps() {
        for finding in examine() {
            match finding.help {
                Help::Package(text) | Help::Deed(text) => assert!(!text.is_empty()),
            }
        }
        let told = finding(Weight::Needed, Some("no qemu in PATH"), Help::Package("qemu")).told();
        assert_eq!(told, "  thing: no qemu in PATH; apt-get install --no-install-recommends qemu");
    }
}
