//! What is checked of an OCI image in podman: it boots, takes commands, and ends when it is told to.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::workspace::Workspace;

/// The device that becomes an image.
const DEVICE: &str = "headless";

/// Seconds that one podman command may take.
const LIMIT: &str = "60";

/// How it is started: without a network, and with limits that also a root with few rights may set.
const RUN: &[&str] =
    &["--detach", "--network=none", "--ulimit=nofile=1024:1024", "--ulimit=nproc=1024:1024"];

/// Builds an OCI image and takes it through its life.
///
/// # Errors
/// The first thing that is not as it should be.
pub(super) fn check(workspace: &Workspace) -> Result<()> {
    let directory = workspace.run_directory("podman")?;
    let image = ens(&["build", DEVICE, "--format", "oci", "--out"], &directory)?;
    let loaded = podman(&["load", "--quiet", "--input", image.trim()])?;
    let name = loaded.rsplit("image: ").next().unwrap_or_default().trim().to_owned();
    let id = podman(&[&["run"], RUN, &[&name]].concat())?.trim().to_owned();
    let lived = live(&id);
    let cleaned = podman(&["rm", "--force", "--time=1", &id]).and_then(|_| podman(&["rmi", &name]));
    lived.and(cleaned.map(drop))
}

fn live(id: &str) -> Result<()> {
    let status = podman(&["exec", id, "ensctl", "status", "--wait"])?;
    if !status.contains("is ready") {
        bail!("the device in podman is not ready:\n{status}");
    }
    podman(&["stop", "--time=20", id])?;
    let ended = podman(&["inspect", "--format={{.State.Status}} {{.State.ExitCode}}", id])?;
    if ended.trim() != "exited 0" {
        bail!("after `podman stop` the container has `{}`, not `exited 0`", ended.trim());
    }
    Ok(())
}

fn ens(args: &[&str], directory: &Path) -> Result<String> {
    let mut command = Command::new("/proc/self/exe");
    command.args(args).arg(directory);
    said(command)
}

fn podman(args: &[&str]) -> Result<String> {
    let mut command = Command::new("timeout");
    command.args([LIMIT, "podman", "--runtime=runc"]).args(args);
    said(command)
}

/// What a command says; it must succeed.
fn said(mut command: Command) -> Result<String> {
    sys::process::die_with_parent(&mut command);
    let shown = format!("{command:?}");
    let output = command.output().with_context(|| format!("starting {shown}"))?;
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        bail!("{shown} ended with {}: {}", output.status, errors.trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
