//! Profiles of a device's services, compiled for its processor by `sandbox-compiler`.
//!
//! ```text
//! plan ─ profiles that confine ─none─► as it is
//!                │
//!                └─ build the compiler ─► run it on this host ─► plan.compiled, and it ships with the device
//!                                               └─ for apps: what is ready for their first starts
//! ```
//!
//! libseccomp, which only that program holds, is needed only here.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use model::Plan;
use model::ready::Ready;
use model::sandbox::{Compiled, Profile};
use model::text::Loaded;
use sandbox::calls::Arch;
use sandbox::wire::{Answer, Request, decode_answer};

use crate::doctor;
use crate::programs::{self, Programs};
use crate::progress::Progress;
use crate::ready;
use crate::workspace::Workspace;

/// The processor of every device that is built today.
const ARCH: Arch = Arch::X86_64;

/// Compiles what the services of a device are confined by, and adds the compiler to `programs` if there is
/// anything; makes what is ready for its apps.
///
/// # Errors
/// A profile can't be enforced, or the compiler can't be built.
pub fn compile(
    workspace: &Workspace,
    loaded: &mut Loaded,
    programs: &mut Programs,
    progress: &dyn Progress,
) -> Result<()> {
    compile_plan(workspace, &mut loaded.plan, programs, progress)?;
    loaded.ready = match programs.get(programs::COMPILER) {
        Some(compiler) => ready::make(loaded, compiler)?,
        None => Ready::default(),
    };
    Ok(())
}

/// Compiles what the services of `plan` are confined by, and adds the compiler to `programs` if there is
/// anything.
///
/// # Errors
/// As of [`compile`].
pub fn compile_plan(
    workspace: &Workspace,
    plan: &mut Plan,
    programs: &mut Programs,
    progress: &dyn Progress,
) -> Result<()> {
    let profiles = confining(plan);
    plan.compiled = Vec::new();
    if profiles.is_empty() {
        return Ok(());
    }
    doctor::provide(&[doctor::For::Sandbox], progress)?;
    let built = programs::build_sandbox(workspace, progress)?;
    let compiler = built.get(programs::COMPILER).context("cargo made no sandbox-compiler")?;
    let answer = ask(compiler, &Request { arch: ARCH, profiles: profiles.clone() })?;
    plan.compiled = together(plan, profiles, answer)?;
    programs.extend(built);
    Ok(())
}

/// The profiles that a filter or anything else is made for, sorted, none twice.
fn confining(plan: &Plan) -> Vec<Profile> {
    let services = plan.services.iter().chain(&plan.templates);
    let all: BTreeSet<_> =
        services.map(|s| &*s.sandbox).filter(|sandbox| sandbox.confines()).collect();
    all.into_iter().cloned().collect()
}

/// The filters of these kinds of profiles, in their order.
///
/// # Errors
/// One can't be made, or the compiler fails.
pub(crate) fn filters(
    compiler: &Path,
    kinds: BTreeSet<Profile>,
) -> Result<Vec<(Profile, Vec<u8>)>> {
    let request = Request { arch: ARCH, profiles: kinds.into_iter().collect() };
    let answer = ask(compiler, &request)?;
    let one = |(kind, answer): (Profile, Result<Compiled, String>)| match answer {
        Ok(compiled) => Ok((kind, compiled.filter)),
        Err(why) => bail!("a filter of apps: {why}"),
    };
    request.profiles.into_iter().zip(answer).map(one).collect()
}

fn ask(compiler: &Path, request: &Request) -> Result<Answer> {
    let bytes = request.encode().context("asking sandbox-compiler")?;
    let mut command = Command::new(compiler);
    command.env_clear().stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    sys::process::die_with_parent(&mut command);
    let mut child = command.spawn().with_context(|| format!("starting {}", compiler.display()))?;
    // It reads all before it writes. If it ends early, its exit status says more than a broken pipe.
    let sent = child.stdin.take().map(|mut stdin| stdin.write_all(&bytes));
    let output = child.wait_with_output().context("waiting for sandbox-compiler")?;
    if !output.status.success() {
        bail!("{}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim());
    }
    sent.transpose().context("asking sandbox-compiler")?;
    decode_answer(&output.stdout, request.profiles.len()).context("reading sandbox-compiler")
}

/// Profiles with what became of them; a line for each service whose profile can't be enforced.
fn together(
    plan: &Plan,
    profiles: Vec<Profile>,
    answer: Answer,
) -> Result<Vec<(Profile, Compiled)>> {
    let mut all = Vec::new();
    let mut refused = BTreeMap::new();
    for (profile, result) in profiles.into_iter().zip(answer) {
        match result {
            Ok(compiled) => all.push((profile, compiled)),
            Err(why) => {
                refused.insert(profile, why);
            }
        }
    }
    let services = plan.services.iter().chain(&plan.templates);
    let lines: Vec<String> = services
        .filter_map(|s| Some(format!("  service {}: {}", s.name, refused.get(&s.sandbox)?)))
        .collect();
    if !lines.is_empty() {
        bail!("sandboxes that can't be enforced:\n{}", lines.join("\n"));
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use model::Name;
    use model::service::Service;

    use super::*;

    fn plan(services: &[(&str, bool)]) -> Plan {
        let service = |(name, keyring): &(&str, bool)| {
            let sandbox = Profile { keyring: *keyring, ..Profile::default() };
            Service {
                sandbox: sandbox.into(),
                ..Service::new(
                    Name::try_from((*name).to_owned()).unwrap(),
                    vec!["/bin/true".into()],
                )
            }
        };
        Plan::link("x", services.iter().map(service).collect(), &[]).unwrap()
    }

    #[test]
    fn a_profile_of_several_services_is_compiled_once_and_one_without_rules_never() {
        let plan = plan(&[("a", true), ("b", false), ("c", true)]);
        let profiles = confining(&plan);
        assert_eq!(profiles, [Profile { keyring: true, ..Profile::default() }]);
        let both = together(&plan, profiles.clone(), vec![Ok(Compiled::default())]).unwrap();
        assert_eq!(both.len(), 1);
    }

    #[test]
    fn each_service_whose_profile_is_refused_is_named() {
        let plan = plan(&[("a", true), ("b", false), ("c", true)]);
        let refused = together(&plan, confining(&plan), vec![Err("no".into())]).unwrap_err();
        let lines = "sandboxes that can't be enforced:\n  service a: no\n  service c: no";
        assert_eq!(refused.to_string(), lines);
    }
}
