//! A limit of storage that would limit nothing is a mistake.

use super::super::check::Check;
use super::super::raw;
use super::super::report::{Place, Problem};
use super::written_by;
use crate::sandbox::View;
use crate::service::{Service, is_shared};

/// The capability whose owner no limit of storage holds.
const UNLIMITED: &str = "SYS_RESOURCE";

/// Notes what would escape it; `file` is where the service begins. A limit that is inherited may find nothing
/// to count.
pub(super) fn check(raw: &raw::Service, service: &Service, file: &Place, c: &mut Check) {
    let limits = &service.limits;
    if limits.storage.or(limits.storage_files).is_none() {
        return;
    }
    let said = raw.limits.as_ref();
    let said = said.and_then(|l| written_by(&l.storage).or(written_by(&l.storage_files)));
    if keeps_all(service) {
        let message = format!("no limit of storage holds who has the capability {UNLIMITED}");
        let problem = Problem::new(said.unwrap_or(file).clone(), message);
        c.add(problem.help("give it a user, or capabilities without that one ([] is none)"));
    }
    let files = raw.sandbox.as_ref().and_then(|raw| raw.files.as_ref());
    let written = files.and_then(|files| files.write.as_deref()).unwrap_or_default();
    for at in written.iter().filter(|at| is_shared(at)) {
        let message =
            format!("`{}` is not its own, so `storage` can't count what is in it", at.value);
        let help = "name a directory of its own, like /var/lib/NAME; `user = \"own\"` makes one";
        c.add(Problem::new(at.place.clone(), message).help(help));
    }
    let Some(said) = said else { return };
    let files = &service.sandbox.files;
    if files.write.is_none() && files.view == View::Whole {
        let message = "a limit of storage holds only with a list of what may be written";
        let help = "[sandbox] inherit = [\"service\"] has one; its directories go to [sandbox.files] write";
        c.add(Problem::new(said.clone(), message).help(help));
    } else if service.stores().is_empty() {
        let message = "a limit of storage, and no directory to store anything in";
        let help =
            "[sandbox.files] write = [\"/var/lib/NAME\"]; or `user = \"own\"`, which makes one";
        c.add(Problem::new(said.clone(), message).help(help));
    }
}

/// Whether a process of it has that capability.
fn keeps_all(service: &Service) -> bool {
    let lists = |list: &[String]| list.iter().any(|name| name == UNLIMITED);
    let profile = &service.sandbox;
    let kept = profile.capabilities.as_ref();
    !lists(&profile.forbid.capabilities) && kept.map_or(service.user.is_none(), |kept| lists(kept))
}
