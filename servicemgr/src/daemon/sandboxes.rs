//! The sandboxes of services, made ready for this kernel once.
//!
//! ```text
//! plan ──────────────────────────────────────────► Compiled ─ first start ─► Fitted ──► every start
//! apps, `run` ─ a filter that is known ─ assemble ─┤                    └──► Refused ─► no start
//! changed on the device, or none is ─ sandbox-compiler
//! ```
//!
//! Compiling happens when a definition is read or made, never when something starts. Only the filter of system
//! calls takes long: those of apps came with the image, and one that was made here serves all profiles that differ
//! in other things. What was compiled here is not kept over a boot: a file that says what a sandbox is would be
//! worth more to an attacker than the few milliseconds are to us. Invariant: a service whose profile confines
//! starts with all of it or not at all.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use model::sandbox::{Compiled, Feature, Profile};
use model::service::Service;
use sandbox::calls::Arch;
use sandbox::wire::{Answer, MAX_ANSWER, Request, decode_answer};
use sys::confine::{self, Confine};
use sys::poll::{For, poll};
use sys::spawn::EmptyNetwork;

use super::shipped::Shipped;

/// How long the compiler may take for all it is asked: it needs some milliseconds for each profile.
const LIMIT: Duration = Duration::from_secs(20);

/// Most filters that were made here and are kept: about a kilobyte each, and more than devices have kinds of apps.
const MAX_FILTERS: usize = 64;

/// How every reason begins why nothing is started in a sandbox.
pub(super) const REFUSAL: &str = "sandbox: ";

/// Longest complaint of the compiler that is passed on, in bytes.
const MAX_COMPLAINT: u64 = 1024;

/// All of them, by profile.
#[derive(Debug)]
pub(super) struct Sandboxes {
    known: BTreeMap<Profile, Known>,
    /// Filters that were made here, by what they are made from.
    filters: BTreeMap<Profile, Vec<u8>>,
    shipped: Shipped,
    compiler: PathBuf,
    /// What launches find on the device is there.
    prepared: bool,
}

#[derive(Debug)]
enum Known {
    Compiled(Compiled),
    Fitted {
        /// Of all users.
        confine: Arc<Confine>,
        /// Of users who have devices by it.
        of_users: BTreeMap<u32, Arc<Confine>>,
        /// What this kernel lacks of what it uses.
        lacks: Vec<Feature>,
    },
    /// Why nothing is started in it.
    Refused(String),
}

impl Sandboxes {
    /// Those of a plan.
    pub(super) fn new(
        compiled: Vec<(Profile, Compiled)>,
        shipped: Shipped,
        compiler: PathBuf,
    ) -> Self {
        let known =
            model::gather(compiled.into_iter().map(|(profile, c)| (profile, Known::Compiled(c))));
        Self { known, filters: BTreeMap::new(), shipped, compiler, prepared: false }
    }

    /// Has the sandboxes of these services compiled that are not known.
    pub(super) fn learn<'s>(&mut self, services: impl IntoIterator<Item = &'s Service>) {
        let profiles = services.into_iter().map(|service| &*service.sandbox);
        let new = profiles.filter(|p| p.confines() && !self.known.contains_key(*p));
        let mut profiles: Vec<Profile> = new.cloned().collect();
        if profiles.is_empty() {
            return;
        }
        profiles.sort();
        profiles.dedup();
        profiles.retain(|profile| !self.assembled(profile));
        if profiles.is_empty() {
            return;
        }
        let answer = self.compile(&profiles).unwrap_or_else(|why| {
            let why = format!("{}: {why}", self.compiler.display());
            log::error!("{why}: services whose sandbox is not in the image do not start");
            profiles.iter().map(|_| Err(why.clone())).collect()
        });
        for (profile, answer) in profiles.into_iter().zip(answer) {
            let known = match answer {
                Ok(compiled) => {
                    self.remember(&profile, &compiled.filter);
                    Known::Compiled(compiled)
                }
                Err(why) => Known::Refused(why),
            };
            self.known.insert(profile, known);
        }
    }

    /// Makes a sandbox whose filter is known; whether it is.
    fn assembled(&mut self, profile: &Profile) -> bool {
        let filtered = sandbox::filtered(profile);
        let here = self.filters.get(&filtered).cloned();
        let Some(filter) = here.or_else(|| self.shipped.filter(&filtered)) else { return false };
        let known = match sandbox::assemble(profile, filter) {
            Ok(compiled) => Known::Compiled(compiled),
            Err(why) => Known::Refused(why.to_string()),
        };
        self.known.insert(profile.clone(), known);
        true
    }

    fn remember(&mut self, profile: &Profile, filter: &[u8]) {
        if self.filters.len() >= MAX_FILTERS {
            self.filters.pop_first();
        }
        self.filters.insert(sandbox::filtered(profile), filter.to_vec());
    }

    /// Forgets a profile that nobody has; who gets it has it learned again.
    pub(super) fn forget(&mut self, profile: &Profile) {
        self.known.remove(profile);
    }

    /// Why nothing can be started in this profile, on any kernel or, once it was tried, on this one; nothing if
    /// that is not known.
    pub(super) fn broken(&self, profile: &Profile) -> Option<&str> {
        match self.known.get(profile)? {
            Known::Refused(why) => Some(why),
            Known::Compiled(_) | Known::Fitted { .. } => None,
        }
    }

    /// What confines a process of `service`; nothing if nothing has to.
    ///
    /// # Errors
    /// Why it can't be started, for people.
    pub(super) fn of(&mut self, service: &Service) -> Result<Option<Arc<Confine>>, String> {
        let profile = &service.sandbox;
        if !profile.confines() {
            return Ok(None);
        }
        let unknown = || format!("{REFUSAL}it is not compiled: this is a mistake of Ensemble");
        let known = self.known.get_mut(profile).ok_or_else(unknown)?;
        if let Known::Compiled(compiled) = known {
            let here = confine::features();
            *known = match sandbox::fit(compiled, &here) {
                Ok(confine) => Known::Fitted {
                    confine: Arc::new(confine),
                    of_users: BTreeMap::new(),
                    lacks: sandbox::left_out(compiled, &here),
                },
                Err(why) => Known::Refused(why.to_string()),
            };
        }
        match known {
            Known::Fitted { confine, .. } => {
                let confine = Arc::clone(confine);
                self.prepare().map_err(|e| format!("{REFUSAL}/run/ensemble: {e}"))?;
                Ok(Some(confine))
            }
            Known::Refused(why) => Err(format!("{REFUSAL}{why}")),
            Known::Compiled(_) => Err(unknown()),
        }
    }

    /// How many profiles are known.
    pub(super) fn count(&self) -> usize {
        self.known.len()
    }

    /// What would confine whoever has one of these profiles, of those that are known and fit this kernel. What
    /// did not start is not kept.
    pub(super) fn each<'s>(
        &mut self,
        profiles: impl Iterator<Item = &'s Profile>,
        mut each: impl FnMut(&Confine),
    ) {
        if self.known.is_empty() || self.prepare().is_err() {
            return;
        }
        // Found out by trying, so not asked for nothing.
        let here = confine::features();
        for known in profiles.filter_map(|profile| self.known.get(profile)) {
            match known {
                Known::Fitted { confine, .. } => each(confine),
                Known::Compiled(compiled) => {
                    sandbox::fit(compiled, &here).iter().for_each(&mut each);
                }
                Known::Refused(_) => {}
            }
        }
    }

    /// Whether whoever has one of the profiles that are known is to have an empty network.
    pub(super) fn want_network(&self) -> bool {
        self.known.values().any(|known| match known {
            Known::Compiled(compiled) => compiled.no_network,
            Known::Fitted { confine, .. } => EmptyNetwork::is_for(confine),
            Known::Refused(_) => false,
        })
    }

    /// Makes what launches find on the device.
    fn prepare(&mut self) -> io::Result<()> {
        if !self.prepared {
            confine::prepare()?;
            self.prepared = true;
        }
        Ok(())
    }

    /// What confines a process of `service` that runs as this user; `shared` confines all of its profile.
    pub(super) fn of_user(
        &mut self,
        service: &Service,
        shared: Arc<Confine>,
        uid: u32,
    ) -> Arc<Confine> {
        let Some(Known::Fitted { of_users, .. }) = self.known.get_mut(&service.sandbox) else {
            return shared;
        };
        let own = || shared.of_user(uid).map_or_else(|| Arc::clone(&shared), Arc::new);
        Arc::clone(of_users.entry(uid).or_insert_with(own))
    }

    /// What this kernel lacks of what the sandbox of `service` uses, so that it does without.
    ///
    /// # Errors
    /// Why it can't be started, for people.
    pub(super) fn left_out(&mut self, service: &Service) -> Result<Vec<Feature>, String> {
        self.of(service)?;
        match self.known.get(&service.sandbox) {
            Some(Known::Fitted { lacks, .. }) => Ok(lacks.clone()),
            _ => Ok(Vec::new()),
        }
    }

    fn compile(&self, profiles: &[Profile]) -> Result<Answer, String> {
        let arch = Arch::own().ok_or("there is none for this processor")?;
        let request = Request { arch, profiles: profiles.to_vec() };
        let request = request.encode().map_err(|e| e.to_string())?;
        let (status, answer, complaint) = self.run(&request).map_err(|e| e.to_string())?;
        if !status.success() {
            return Err(if complaint.is_empty() { status.to_string() } else { complaint });
        }
        decode_answer(&answer, profiles.len()).map_err(|e| format!("its answer: {e}"))
    }

    /// Runs the compiler on files in memory, so that neither side waits for the other.
    fn run(&self, request: &[u8]) -> io::Result<(ExitStatus, Vec<u8>, String)> {
        let [mut input, mut output, mut errors] = [memory()?, memory()?, memory()?];
        input.write_all(request)?;
        input.rewind()?;
        let mut command = Command::new(&self.compiler);
        command.env_clear().current_dir("/").stdin(Stdio::from(input));
        command.stdout(output.try_clone()?).stderr(errors.try_clone()?);
        let mut child = command.spawn()?;
        let ended = sys::child::pidfd(&child)
            .and_then(|pidfd| poll(&[(pidfd.as_fd(), For::Reading)], Some(LIMIT)));
        let in_time = matches!(ended.as_deref(), Ok([ready]) if ready.read);
        if !in_time {
            child.kill()?;
        }
        let status = child.wait()?;
        if !in_time {
            return Err(io::Error::other(format!("took longer than {LIMIT:?}")));
        }
        let answer = read(&mut output, u64::try_from(MAX_ANSWER).unwrap_or(u64::MAX))?;
        let complaint = read(&mut errors, MAX_COMPLAINT)?;
        let complaint = String::from_utf8_lossy(&complaint).trim().to_owned();
        Ok((status, answer, complaint))
    }
}

fn memory() -> io::Result<File> {
    sys::memfd::create("sandbox")
}

/// A file that another process wrote.
fn read(file: &mut File, most: u64) -> io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(0))?;
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use model::Name;
    use model::ready::Ready;
    use model::text::ready::Profiles;

    use super::*;

    fn app(tree: &str, kill: &str) -> Service {
        let mut service = Service::new(Name::try_from("x").unwrap(), vec!["/bin/true".into()]);
        service.sandbox.files.execute = Some(vec![tree.to_owned()]);
        service.sandbox.calls.kill = vec![kill.to_owned()];
        service
    }

    #[test]
    fn where_the_filter_is_known_there_is_nothing_to_compile_and_only_there() {
        let place = tempfile::tempdir().unwrap();
        let at = place.path().join("ready");
        let one = app("/apps/one", "reboot");
        let filters = vec![(sandbox::filtered(&one.sandbox), vec![6, 0, 0, 0, 0, 0, 0xFF, 0x7F])];
        let profiles = Profiles::default().encode();
        std::fs::write(&at, Ready { profiles, permissions: Vec::new(), filters }.encode()).unwrap();
        let compiler = place.path().join("there-is-no-compiler");
        let mut all = Sandboxes::new(Vec::new(), Shipped::new(at), compiler);
        let (two, three) = (app("/apps/two", "reboot"), app("/apps/one", "kexec_load"));
        let wrong = app("apps", "reboot");
        all.learn([&one, &two, &three, &wrong]);
        assert_eq!((all.broken(&one.sandbox), all.broken(&two.sandbox)), (None, None));
        assert!(all.broken(&three.sandbox).unwrap().contains("there-is-no-compiler"));
        assert!(all.broken(&wrong.sandbox).unwrap().contains("absolute"));
        assert!(all.known.contains_key(&*two.sandbox), "it has a sandbox of its own");
    }
}
