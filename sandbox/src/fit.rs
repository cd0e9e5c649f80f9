//! What was compiled, made to fit the kernel that runs.
//!
//! A fact that is required and missing refuses the start; one that may be missing takes away what needs
//! it, and nothing else.

use std::ffi::{CString, NulError};

use model::sandbox::{Compiled, Feature, Mount, Namespace, Paths, Ruleset, Show};
use sys::confine::{self, Confine, Features, Instruction};

use crate::bpf::{Bad, Program};
use crate::landlock;
use crate::refused::Missing;
use crate::trees::has_devices;

// `CLONE_NEW…` of linux/sched.h.
const NEW_MOUNTS: u64 = 0x0002_0000;
const NEW_CGROUP: u64 = 0x0200_0000;
const NEW_UTS: u64 = 0x0400_0000;
const NEW_IPC: u64 = 0x0800_0000;
const NEW_NETWORK: u64 = 0x4000_0000;

// `MOUNT_ATTR_…` of linux/mount.h.
const READ_ONLY: u64 = 1;
const NO_SET_ID: u64 = 2;
const NO_DEVICES: u64 = 4;
const NO_EXECUTE: u64 = 8;

/// Files that a private directory for temporary files may hold.
const TMP_FILES: u32 = 16_384;

/// Why nothing is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unfit {
    /// The kernel lacks something.
    Missing(Missing),
    /// What was compiled is damaged: a path holds a zero byte.
    ZeroByte(NulError),
    /// What was compiled is damaged: the filter is none.
    Filter(Bad),
}

impl std::fmt::Display for Unfit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Missing(missing) => missing.fmt(f),
            Self::ZeroByte(error) => write!(f, "the compiled profile is damaged: {error}"),
            Self::Filter(bad) => write!(f, "the compiled profile is damaged: its filter: {bad}"),
        }
    }
}

impl std::error::Error for Unfit {}

/// What a launch applies here.
///
/// # Errors
/// [`Unfit`]: nothing may be started.
pub fn fit(compiled: &Compiled, here: &Features) -> Result<Confine, Unfit> {
    let missing = compiled.requires.iter().find(|feature| !has(here, **feature));
    if let Some(feature) = missing {
        return Err(Unfit::Missing(Missing(*feature)));
    }
    let mounts = if here.namespaces { mounts(&compiled.mounts)? } else { Vec::new() };
    let ruleset = compiled.ruleset.as_ref().and_then(|all| landlock::known(all, here.landlock));
    let filter = here.seccomp && !compiled.filter.is_empty();
    Ok(Confine {
        namespaces: namespaces(compiled, here),
        mounts,
        keyring: compiled.keyring,
        no_write_execute: compiled.no_write_execute && here.no_write_execute,
        ruleset: ruleset.map(rules).transpose()?,
        filter: if filter { instructions(&compiled.filter)? } else { Vec::new() },
    })
}

pub(crate) fn has(here: &Features, feature: Feature) -> bool {
    match feature {
        Feature::Seccomp => here.seccomp,
        Feature::Landlock(version) => here.landlock >= version,
        Feature::Namespaces => here.namespaces,
        Feature::NetworkNamespace => here.network_namespace,
        Feature::WriteExecute => here.no_write_execute,
    }
}

fn namespaces(compiled: &Compiled, here: &Features) -> u64 {
    let own = compiled.namespaces.iter().map(|namespace| match namespace {
        Namespace::Ipc => NEW_IPC,
        Namespace::Uts => NEW_UTS,
        Namespace::Cgroup => NEW_CGROUP,
    });
    let mounts = (!compiled.mounts.is_empty()).then_some(NEW_MOUNTS);
    let all = own.chain(mounts).filter(|_| here.namespaces);
    let network = (compiled.no_network && here.network_namespace).then_some(NEW_NETWORK);
    all.chain(network).fold(0, |all, one| all | one)
}

fn instructions(bytes: &[u8]) -> Result<Vec<Instruction>, Unfit> {
    let program = Program::parse(bytes).map_err(Unfit::Filter)?;
    let one = |one: &crate::bpf::Instruction| Instruction {
        code: one.code,
        yes: one.yes,
        no: one.no,
        k: one.k,
    };
    Ok(program.instructions().iter().map(one).collect())
}

fn rules(ruleset: Ruleset) -> Result<confine::Ruleset, Unfit> {
    let tree = |rights, tree: String| Ok((c(tree)?, rights));
    let of = |Paths { rights, trees }| trees.into_iter().map(move |one| tree(rights, one));
    Ok(confine::Ruleset {
        files: ruleset.files,
        ports: ruleset.ports,
        scopes: ruleset.scopes,
        paths: ruleset.paths.into_iter().flat_map(of).collect::<Result<_, _>>()?,
        allowed_ports: ruleset.allowed_ports,
        no_links: ruleset.no_links,
    })
}

/// The steps; from [`Mount::Root`] on, places are in the new root.
fn mounts(steps: &[Mount]) -> Result<Vec<confine::Mount>, Unfit> {
    let root =
        if steps.contains(&Mount::Root) { confine::SCRATCH.to_string_lossy() } else { "".into() };
    let place = |path: &str| c(format!("{root}{path}"));
    steps
        .iter()
        .map(|step| {
            Ok(match step {
                Mount::Private => confine::Mount::Private,
                Mount::ReadOnly => confine::Mount::ReadOnly,
                Mount::Root => confine::Mount::Root,
                Mount::Pivot => confine::Mount::Pivot,
                Mount::Writable(tree) => confine::Mount::Writable(place(tree)?),
                Mount::Unwritable(tree) => confine::Mount::Unwritable(place(tree)?),
                Mount::Hide(tree) => confine::Mount::Hide(place(tree)?),
                Mount::Proc => confine::Mount::Proc(place("/proc")?),
                Mount::Dev(devices) => confine::Mount::Dev(
                    place("/dev")?,
                    devices.iter().map(|name| c(name.clone())).collect::<Result<_, _>>()?,
                ),
                Mount::Tmp(path, bytes) => {
                    let options = format!("mode=1777,size={bytes},nr_inodes={TMP_FILES}");
                    confine::Mount::Tmp(place(path)?, c(options)?)
                }
                Mount::Show(path, how) => confine::Mount::Show {
                    path: c(path.clone())?,
                    target: place(path)?,
                    attributes: attributes(path, *how),
                },
                Mount::Inside(root, path, how) => confine::Mount::Inside {
                    root: c(root.clone())?,
                    path: below(path)?,
                    target: place(path)?,
                    attributes: attributes(path, *how),
                },
                Mount::Entries(root, path, how, but) => confine::Mount::Entries {
                    root: c(root.clone())?,
                    path: below(path)?,
                    target: place(path)?,
                    attributes: attributes(path, *how),
                    but: but.iter().map(|name| c(name.clone())).collect::<Result<_, _>>()?,
                },
            })
        })
        .collect()
}

/// A path as seen from a root.
fn below(path: &str) -> Result<CString, Unfit> {
    c(path.trim_start_matches('/').to_owned())
}

fn attributes(path: &str, how: Show) -> u64 {
    let devices = if has_devices(path) { 0 } else { NO_DEVICES };
    NO_SET_ID
        | devices
        | match how {
            Show::Read => READ_ONLY | NO_EXECUTE,
            Show::Execute => READ_ONLY,
            Show::Write => NO_EXECUTE,
        }
}

fn c(text: String) -> Result<CString, Unfit> {
    CString::new(text).map_err(Unfit::ZeroByte)
}

#[cfg(test)]
mod tests;
