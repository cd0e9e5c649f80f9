//! Rules that are legal and most likely not meant.

use super::super::check::Check;
use super::super::raw;
use super::super::report::{Place, Problem};
use crate::sandbox::{Access, Profile, View};

/// Notes them; `raw` has all that it inherits joined to it. `file`: where a profile begins that is
/// looked at by itself.
pub(crate) fn check(raw: &raw::Sandbox, profile: &Profile, file: Option<&Place>, c: &mut Check) {
    let warn = |place: &Place, message: &str| Problem::warning(place.clone(), message);
    let write = raw.files.iter().flat_map(|files| files.write.iter().flatten());
    for at in write.filter(|at| at.value == "/") {
        let problem = warn(&at.place, "every file can be written, those of the system too");
        c.add(problem.help("name the trees that it changes, like \"/var/lib/web\""));
    }
    let files = &profile.files;
    let listed = [&files.read, &files.write, &files.execute].into_iter().flatten().flatten();
    let view = raw.files.as_ref().and_then(|files| files.view.as_ref());
    if let (Some(at), View::Listed, None) = (view, files.view, listed.into_iter().next()) {
        let problem = warn(&at.place, "no tree is listed, so there is not even a program to run");
        c.add(problem.help("execute = [\"/usr\"] shows the programs of the system"));
    }
    let network = raw.network.as_ref();
    let ports = profile.network.connect.is_some() || profile.network.listen.is_some();
    if let (Some(at), false) = (network.and_then(|n| n.udp.as_ref()).filter(|at| at.value), ports) {
        let problem = warn(&at.place, "`udp` says nothing without `connect` or `listen`");
        c.add(problem.help("families = [\"unix\"] refuses both TCP and UDP"));
    }
    let connects = network.and_then(|n| n.connect.as_ref()).and_then(|list| list.first());
    if let (Some(at), Access::Host, None) =
        (connects, profile.network.access, &profile.network.listen)
    {
        let problem =
            warn(&at.place, "it may listen on any port: `connect` is only about connecting");
        c.add(
            problem
                .help("listen = [] if it offers nothing; sockets that it is passed need no port"),
        );
    }
    if let Some(place) = file.filter(|_| !profile.confines() && profile.capabilities.is_none()) {
        let problem = warn(place, "this profile restricts nothing");
        c.add(problem.help("`ens new sandbox NAME` writes one to start from"));
    }
}
