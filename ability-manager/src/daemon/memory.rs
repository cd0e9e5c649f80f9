//! What the next ability-manager must know: of this boot in memory, of missions on the disk.
//!
//! ```text
//! each change ─► STATE (tmpfs, renamed) ─ killed ─► the next one goes on where this one was
//! each mission ─► MISSIONS/list, MISSIONS/NUMBER ─ power off ─► recents of the next boot, with their state
//! permissions: decided, used ─► LOG, now and then ─ power off ─► what the owner reads in the next boot
//! ```
//!
//! Invariants: a file is whole or not there; one that is damaged is as none, and said. Nothing here grows beyond
//! the missions that the engine keeps.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use api::app::MAX_STATE;
use model::Name;
use model::want::Want;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::tasks::Tasks;
use crate::engine::work::Works;
use crate::engine::{Engine, InstanceId, MissionId};
use crate::permission::{Flow, Log};

/// What the files begin with; another version of them begins otherwise.
const MAGIC: [u8; 8] = *b"ENSABIL2";

/// Longest file that is read, in bytes: far more than missions and instances can fill.
const MAX_FILE: u64 = 64 << 20;

/// What an instance was started as, beside what the engine knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Kept {
    /// Its user.
    pub uid: u32,
    /// Permissions it was started with.
    pub granted: Vec<Name>,
    /// What it was started for.
    pub want: Arc<Want>,
    /// Why.
    pub reason: String,
    /// It finds again what was saved for this mission.
    pub restore: Option<MissionId>,
}

/// All of this boot.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Whole {
    /// Instances and missions.
    pub engine: Engine,
    /// Permissions in use.
    pub flow: Flow,
    /// What goes on off the screen.
    pub tasks: Tasks,
    /// When work runs.
    pub works: Works,
    /// Instances.
    pub kept: BTreeMap<InstanceId, Kept>,
}

/// What is written of it, without a copy.
#[derive(Debug, Serialize)]
pub(crate) struct View<'a> {
    /// See [`Whole`].
    pub engine: &'a Engine,
    /// See [`Whole`].
    pub flow: &'a Flow,
    /// See [`Whole`].
    pub tasks: &'a Tasks,
    /// See [`Whole`].
    pub works: &'a Works,
    /// See [`Whole`].
    pub kept: BTreeMap<InstanceId, &'a Kept>,
}

/// The files.
#[derive(Debug, Clone)]
pub(crate) struct Memory {
    state: PathBuf,
    missions: PathBuf,
    log: PathBuf,
}

impl Memory {
    /// In these places; the directory of missions is made.
    ///
    /// # Errors
    /// It can't be made.
    pub(crate) fn new(state: &Path, missions: &Path, log: &Path) -> io::Result<Self> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(missions)?;
        Ok(Self { state: state.into(), missions: missions.into(), log: log.into() })
    }

    /// What the last one of this boot knew, or of missions the last boot; nothing on a new device.
    pub(crate) fn recall(&self) -> (Whole, Recalled) {
        if let Some(whole) = read::<Whole>(&self.state) {
            return (whole, Recalled::Boot);
        }
        let engine = read::<Engine>(&self.list());
        let known = if engine.is_some() { Recalled::Missions } else { Recalled::Nothing };
        let mut flow = Flow::default();
        flow.remember(read::<Log>(&self.log).unwrap_or_default());
        (Whole { engine: engine.unwrap_or_default(), flow, ..Whole::default() }, known)
    }

    /// Keeps what there is to know of this boot.
    pub(crate) fn keep(&self, view: &View<'_>) {
        say(&self.state, write(&self.state, view, false));
    }

    /// Keeps which missions there are.
    pub(crate) fn keep_missions(&self, engine: &Engine) {
        let list = self.list();
        say(&list, write(&list, engine, true));
    }

    /// Keeps what the owner can read about permissions.
    pub(crate) fn keep_log(&self, log: &Log) {
        say(&self.log, write(&self.log, log, true));
    }

    /// Keeps the state of a mission, in place of what was kept; nothing when it is empty.
    pub(crate) fn save(&self, mission: MissionId, state: &[u8]) {
        if state.is_empty() {
            return self.drop(mission);
        }
        let path = self.of(mission);
        say(&path, put(&path, state, true));
    }

    /// What was saved for a mission.
    pub(crate) fn saved(&self, mission: MissionId) -> Option<Vec<u8>> {
        take(&self.of(mission), u64::try_from(MAX_STATE).unwrap_or(0)).ok()
    }

    /// Forgets the state of a mission.
    pub(crate) fn drop(&self, mission: MissionId) {
        let path = self.of(mission);
        if let Err(e) = fs::remove_file(&path)
            && e.kind() != io::ErrorKind::NotFound
        {
            say(&path, Err(e));
        }
    }

    /// Forgets the states of all missions but these.
    pub(crate) fn retain(&self, known: impl Fn(MissionId) -> bool) {
        let Ok(entries) = fs::read_dir(&self.missions) else { return };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let number = name.to_str().and_then(|name| name.parse().ok()).map(MissionId);
            if name != "list" && number.is_none_or(|number| !known(number)) {
                say(&entry.path(), fs::remove_file(entry.path()));
            }
        }
    }

    fn list(&self) -> PathBuf {
        self.missions.join("list")
    }

    fn of(&self, mission: MissionId) -> PathBuf {
        self.missions.join(mission.0.to_string())
    }
}

/// How much was known at the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Recalled {
    /// All: another one was here before in this boot.
    Boot,
    /// Missions of an earlier boot.
    Missions,
    /// Nothing.
    Nothing,
}

pub(super) fn say(path: &Path, done: io::Result<()>) {
    if let Err(e) = done {
        log::error!("{}: {e}: what is there may be old", path.display());
    }
}

/// The value in a file, if it is whole.
pub(super) fn read<T: DeserializeOwned>(path: &Path) -> Option<T> {
    let bytes = match take(path, MAX_FILE) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return None,
        Err(e) => {
            log::error!("{}: {e}: beginning anew", path.display());
            return None;
        }
    };
    let value = bytes.strip_prefix(&MAGIC).and_then(|rest| rest.split_first_chunk::<4>()).and_then(
        |(crc, rest)| {
            let whole = crc32c::crc32c(rest) == u32::from_le_bytes(*crc);
            whole.then(|| postcard::from_bytes(rest).ok()).flatten()
        },
    );
    if value.is_none() {
        log::error!("{}: not as it was written: beginning anew", path.display());
    }
    value
}

/// Puts a value into a file. `lasts`: it must outlast a power cut.
pub(super) fn write<T: Serialize>(path: &Path, value: &T, lasts: bool) -> io::Result<()> {
    let body = postcard::to_stdvec(value).map_err(io::Error::other)?;
    let crc = crc32c::crc32c(&body).to_le_bytes();
    put(path, &[MAGIC.as_slice(), &crc, &body].concat(), lasts)
}

/// A file with these bytes takes the place of the one that is there. `lasts`: it must outlast a power cut.
fn put(path: &Path, bytes: &[u8], lasts: bool) -> io::Result<()> {
    let new = path.with_extension("new");
    let mut options = File::options();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    file.write_all(bytes)?;
    if lasts {
        file.sync_data()?;
    }
    fs::rename(new, path)
}

fn take(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = File::open(path)?.take(most + 1).read_to_end(&mut bytes)?;
    if u64::try_from(read).unwrap_or(u64::MAX) > most {
        return Err(io::Error::other(format!("longer than {most} bytes")));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::bundle::BundleId;

    fn memory(at: &Path) -> Memory {
        Memory::new(&at.join("state"), &at.join("missions"), &at.join("log")).unwrap()
    }

    #[test]
    fn what_was_kept_is_found_again_and_what_is_damaged_is_as_none() {
        let at = tempfile::tempdir().unwrap();
        let memory = memory(at.path());
        assert_eq!(memory.recall().1, Recalled::Nothing);
        let whole = Whole::default();
        memory.keep_missions(&whole.engine);
        assert_eq!(memory.recall().1, Recalled::Missions);
        let mut flow = Flow::default();
        let main = Name::try_from("main").unwrap();
        let all = std::slice::from_ref(&main);
        flow.started(1, (&BundleId::try_from("org.example.a").unwrap(), &main), all);
        memory.keep_log(flow.log());
        assert_eq!(memory.recall().0.flow.log(), flow.log());
        let (flow, tasks, works) = (&whole.flow, &whole.tasks, &whole.works);
        memory.keep(&View { engine: &whole.engine, flow, tasks, works, kept: BTreeMap::new() });
        assert_eq!(memory.recall().1, Recalled::Boot);
        let mut bytes = fs::read(at.path().join("state")).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(at.path().join("state"), &bytes).unwrap();
        assert_eq!(memory.recall().1, Recalled::Missions);
        fs::write(at.path().join("missions/list"), b"ENSABIL2").unwrap();
        assert_eq!(memory.recall().1, Recalled::Nothing);
    }

    #[test]
    fn the_state_of_a_mission_stays_until_it_is_forgotten() {
        let at = tempfile::tempdir().unwrap();
        let memory = memory(at.path());
        memory.save(MissionId(1), b"first");
        memory.save(MissionId(1), b"second");
        memory.save(MissionId(2), b"other");
        assert_eq!(memory.saved(MissionId(1)).as_deref(), Some(&b"second"[..]));
        memory.save(MissionId(1), b"");
        assert_eq!(memory.saved(MissionId(1)), None);
        memory.save(MissionId(3), b"third");
        memory.retain(|mission| mission == MissionId(3));
        assert_eq!(
            (memory.saved(MissionId(2)), memory.saved(MissionId(3))),
            (None, Some(b"third".to_vec()))
        );
    }
}
