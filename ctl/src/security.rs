//! `ensctl security`: what protects the device, layer by layer.

use std::fs;
use std::path::Path;

use api::kernel::{PARAMETERS, ROOT};
use api::lock::Status;
use api::sandbox::Restricted;
use serde::Serialize;

use crate::call::{self, PATIENCE};
use crate::fault::Fault;
use crate::run::Out;
use crate::show::security as show;

/// All layers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Those that Ensemble does not have yet.
    pub missing: Vec<Missing>,
    /// How the data of apps are kept; nothing where there are no apps.
    pub data: Option<Status>,
    /// What the kernel can do for sandboxes: "landlock-6".
    pub features: Vec<String>,
    /// What it lacks of what they use.
    pub lacks: Vec<String>,
    /// Kernel parameters.
    pub kernel: Vec<Parameter>,
    /// Services.
    pub services: Vec<Restricted>,
}

/// A layer that is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Missing {
    /// Which.
    pub layer: &'static str,
    /// What that means.
    pub why: &'static str,
}

/// A kernel parameter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Parameter {
    /// Its path below `/proc/sys`.
    pub name: &'static str,
    /// What PID 1 sets.
    pub wanted: &'static str,
    /// What it is; nothing when the kernel does not tell.
    pub value: Option<String>,
    /// Whether it is as wanted.
    pub holds: bool,
}

/// What is not there yet.
const MISSING: [Missing; 1] = [Missing {
    layer: "verified boot",
    why: "not there yet: nothing checks who made the kernel and the root",
}];

/// Values that protect as well as what PID 1 sets: with 1 nothing but a reboot takes it back, and 2 is what
/// a host has chosen for its containers. Both refuse whoever has no capability for it.
const AS_GOOD: [(&str, &str); 1] = [("kernel/unprivileged_bpf_disabled", "2")];

/// Tells all layers.
///
/// # Errors
/// [`Fault`], in words for people.
pub(crate) fn run(json: bool, out: &Out) -> Result<bool, Fault> {
    let services = call::services(true, Some(PATIENCE), |bus| bus.security())?;
    let (features, lacks) = call::services(true, Some(PATIENCE), |bus| bus.kernel())?;
    let kernel = parameters(Path::new(ROOT));
    // Nothing but that it has none is to be told of a device without apps.
    let data = call::abilities(true, Some(PATIENCE), |bus| bus.lock_status()).ok();
    let report = Report { missing: MISSING.to_vec(), data, features, lacks, kernel, services };
    if json { out.json(&report) } else { out.text(&show::report(&report, out.paint)) }?;
    Ok(true)
}

/// Those of the device, as they are now.
fn parameters(root: &Path) -> Vec<Parameter> {
    let look = |(name, wanted): (&'static str, &'static str)| {
        let value = fs::read_to_string(root.join(name)).ok().map(|text| text.trim().to_owned());
        let is = |good: &str| value.as_deref() == Some(good);
        let holds = is(wanted) || AS_GOOD.iter().any(|(of, good)| *of == name && is(good));
        Parameter { name, wanted, holds, value }
    };
    PARAMETERS.map(look).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_holds_when_the_kernel_says_what_was_set() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("kernel")).unwrap();
        fs::write(root.path().join("kernel/sysrq"), "176\n").unwrap();
        fs::write(root.path().join("kernel/kptr_restrict"), "0\n").unwrap();
        let all = parameters(root.path());
        let of = |name| all.iter().find(|p| p.name == name).unwrap();
        assert!(of("kernel/sysrq").holds);
        let not = of("kernel/kptr_restrict");
        assert_eq!((not.holds, not.value.as_deref()), (false, Some("0")));
        assert_eq!(of("vm/memfd_noexec").value, None);
        let bpf = "kernel/unprivileged_bpf_disabled";
        for (value, holds) in [("0", false), ("1", true), ("2", true)] {
            fs::write(root.path().join(bpf), value).unwrap();
            assert_eq!(
                parameters(root.path()).iter().find(|p| p.name == bpf).unwrap().holds,
                holds
            );
        }
    }
}
