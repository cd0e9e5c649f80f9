//! From a profile to what a launch hands to the kernel, for one architecture.
//!
//! Nothing here depends on the kernel that runs.

use model::sandbox::{Compiled, Profile};

use crate::assemble::{assemble, filtered};
use crate::calls::Arch;
use crate::refused::Refused;
use crate::rules::Rules;
use crate::{check, filter};

/// Compiles a profile.
///
/// # Errors
/// [`Refused`]: what the profile says can't be enforced, or the filter that was made is wrong.
pub fn compile(profile: &Profile, arch: Arch) -> Result<Compiled, Refused> {
    let Some(rules) = Rules::of(&filtered(profile), arch)? else {
        return assemble(profile, Vec::new());
    };
    // What else is wrong is found in a moment, a filter is not made in one.
    assemble(profile, Vec::new())?;
    check::check(&filter::library::program(&rules)?, &rules)?;
    let program = filter::program(&rules)?;
    check::check(&program, &rules)?;
    assemble(profile, program.bytes())
}

#[cfg(test)]
mod tests;
