//! `ens bench peers`: Ensemble beside other service managers.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;

use super::bench::{journal, kernel, ours, peer_program};
use super::print;
use crate::bench::MAX_SERVICES;
use crate::bench_daemon;
use crate::bench_peers::{self, ENSEMBLE, FULL, MANY, Measured, PEERS, Peer, Row};
use crate::doctor;
use crate::packages::assemble::assemble;
use crate::packages::cache::Cache;
use crate::packages::obtain::obtain;
use crate::packages::resolve::{self, Relock};
use crate::progress::{self, Progress};
use crate::tree::{Content, Tree};
use crate::workspace::Workspace;

/// Where the exact packages of peers are named.
const LOCKS: &str = "tests/peers";

/// Ensemble beside systemd, finit, runit, s6 and OpenRC from Debian's packages
///
/// Each runs the same daemons in chains of ten on the same emulated machine that counts
/// instructions: PID 1 to all ready, a crash, stop and start by its tool, power-off, memory. The consoles of all
/// machines are kept in target/ens/bench/peers. It takes about half an hour.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ens bench peers
  ens bench peers --only systemd,ensemble --services 100")]
pub(super) struct Peers {
    /// Numbers of daemons; everything is measured up to 100, above that only the start and the power-off
    #[arg(long, value_name = "N", value_delimiter = ',', default_values_t = [FULL, MANY])]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_SERVICES)))]
    services: Vec<u32>,

    /// Only these
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    only: Vec<String>,

    /// Take the newest packages there are
    #[arg(long)]
    update: bool,

    /// Print the numbers as JSON
    #[arg(long)]
    json: bool,
}

/// What all guests have in common.
struct Bench<'a> {
    workspace: &'a Workspace,
    progress: &'a dyn Progress,
    kernel: PathBuf,
    /// Our programs in every guest, by path.
    programs: Vec<(&'static str, Content)>,
    directory: PathBuf,
    update: bool,
}

impl Peers {
    pub(super) fn run(self) -> Result<u8> {
        let wanted = self.wanted()?;
        let progress = progress::to_stderr(false);
        let workspace = Workspace::find()?;
        doctor::provide(&[doctor::For::Build, doctor::For::Machine], &*progress)?;
        let bench = Bench {
            workspace: &workspace,
            progress: &*progress,
            kernel: kernel(&workspace, &*progress)?,
            programs: vec![
                (bench_peers::PROGRAM, peer_program(&workspace, &*progress)?),
                (bench_daemon::PATH, bench_daemon::compile(&workspace.ours("bench"))?),
            ],
            directory: workspace.ours("bench/peers"),
            update: self.update,
        };
        fs::create_dir_all(&bench.directory)?;
        let mut rows = Vec::new();
        for peer in wanted {
            rows.push(bench.row(&peer, &self.services)?);
        }
        let failed = rows.iter().any(|row| !row.failed.is_empty());
        print(&if self.json {
            serde_json::to_string_pretty(&rows)?
        } else {
            bench_peers::table(&rows)
        });
        Ok(u8::from(failed))
    }

    /// Peers by their short names, in the order of the table.
    fn wanted(&self) -> Result<Vec<Peer>> {
        let all: Vec<Peer> = PEERS.iter().copied().chain([ENSEMBLE]).collect();
        for name in &self.only {
            if !all.iter().any(|peer| peer.key == name) {
                let names: Vec<&str> = all.iter().map(|peer| peer.key).collect();
                bail!("--only {name}: there is none of this name: one of {}", names.join(", "));
            }
        }
        let chosen = |peer: &Peer| self.only.is_empty() || self.only.iter().any(|n| n == peer.key);
        Ok(all.into_iter().filter(chosen).collect())
    }
}

impl Bench<'_> {
    /// All guests of a peer. One that fails is told and empty in the table; the others go on.
    fn row(&self, peer: &Peer, services: &[u32]) -> Result<Row> {
        let (version, tree) = self.packages(peer)?;
        let name = format!("{} {version}", peer.name).trim_end().to_owned();
        let mut row = Row { name, about: peer.about.to_owned(), ..Row::default() };
        let mut guests = BTreeMap::new();
        for count in services.iter().copied() {
            match self.guest(peer, &tree, count) {
                Ok(measured) => drop(guests.insert(count, measured)),
                Err(e) => {
                    self.progress.note(&format!("{}, {count} daemons: {e:#}", row.name));
                    row.failed.push(format!("{count} daemons: {}", e.root_cause()));
                }
            }
        }
        row.guests = guests;
        Ok(row)
    }

    fn guest(&self, peer: &Peer, tree: &Tree, count: u32) -> Result<Measured> {
        let _step = self.progress.step(&format!("{count} daemons, {}", peer.name));
        let mut tree = tree.clone();
        if peer.key == ENSEMBLE.key {
            bench_peers::plan(&mut tree, &journal(self.workspace)?, count)?;
        }
        let tree = bench_peers::root(peer, tree, count, &self.programs)?;
        let at = |extension| self.directory.join(format!("{}-{count}.{extension}", peer.key));
        let initramfs = at("cpio");
        bench_peers::initramfs(&tree, &initramfs)?;
        let measured = bench_peers::run(&self.kernel, &initramfs, &at("log"));
        fs::remove_file(&initramfs).context("removing what was run")?;
        measured
    }

    /// The version of a peer, and the files of its packages.
    fn packages(&self, peer: &Peer) -> Result<(String, Tree)> {
        let Some(main) = peer.packages.first() else {
            let mut tree = Tree::new();
            if peer.key == ENSEMBLE.key {
                bench_peers::programs(&mut tree, &ours(self.workspace, self.progress)?)?;
            }
            return Ok((String::new(), tree));
        };
        let cache = Cache::of_user(self.workspace);
        let request = peer.request();
        let path: PathBuf = self.workspace.root().join(LOCKS).join(format!("{}.lock", peer.key));
        fs::create_dir_all(path.parent().unwrap_or(Path::new(LOCKS)))?;
        let relock = if self.update { Relock::Always } else { Relock::WhenNeeded };
        let lock = resolve::lock(&cache, &request, &path, relock, self.progress)?;
        let version = lock.packages.iter().find(|p| p.name == *main).map(|p| p.version.clone());
        let wanted: Vec<_> = lock.packages.iter().collect();
        let tree = assemble(&obtain(&cache, &request, &wanted, self.progress)?)?;
        Ok((version.unwrap_or_default(), tree))
    }
}
