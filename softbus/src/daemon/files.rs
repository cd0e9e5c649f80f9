//! What is known from one start to the next, in a directory that is softbus' alone.
//!
//! ```text
//! key     32 bytes; made at the first start, never changed: who has it is this device
//! group   while the device is in one: its secret and its log. That it is there starts softbus at boot
//! peers   where the others were, when they were last here, what they are
//! added   addresses that the owner added, a line each
//! port    UDP port of links
//! ```
//!
//! Each file is written beside, synced and renamed: whatever happens, the old or the new one is there. Invariant: a key that
//! can't be read is an error and never replaced; all else that can't be read is told and done without, but for the group.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::DeviceId;
use crate::profile::Profile;
use crate::trust::{Log, MAX_FILE, Secret};

/// Longest file of peers, in bytes: 1 000 devices with long profiles.
const MAX_PEERS: usize = 4 << 20;

/// Longest file of what the owner added, in bytes.
const MAX_ADDED: usize = 4 << 10;

/// What is remembered of a device.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Known {
    /// Where it was last, the newest first.
    pub(super) addresses: Vec<SocketAddr>,
    /// When it was last here, in seconds since 1970.
    pub(super) seen: u64,
    /// What it is.
    pub(super) profile: Profile,
}

/// What is remembered of all.
pub(super) type Peers = BTreeMap<DeviceId, Known>;

/// The group, as it is kept.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) log: Log,
    pub(super) secret: Secret,
}

/// The directory.
#[derive(Debug, Clone)]
pub(super) struct Files(PathBuf);

impl Files {
    pub(super) fn at(directory: &Path) -> Self {
        Self(directory.to_owned())
    }

    /// Where a file of this name is.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// The device's key; made if there is none.
    pub(super) fn key(&self) -> io::Result<Zeroizing<[u8; 32]>> {
        let path = self.path("key");
        let wrong = |why: String| {
            let path = path.display();
            io::Error::other(format!(
                "the key of the device, {path}: {why}: remove it, and the device is a new one"
            ))
        };
        let mut key = Zeroizing::new([0; 32]);
        match self.read("key", 32) {
            Ok(Some(bytes)) => {
                let bytes = Zeroizing::new(bytes);
                *key = <[u8; 32]>::try_from(bytes.as_slice())
                    .map_err(|_| wrong("it is damaged".to_owned()))?;
            }
            Ok(None) => {
                sys::random::fill(key.as_mut_slice()).map_err(|e| wrong(e.to_string()))?;
                self.write("key", key.as_slice()).map_err(|e| wrong(e.to_string()))?;
            }
            Err(e) => return Err(wrong(e.to_string())),
        }
        Ok(key)
    }

    /// The group that the device is in.
    pub(super) fn group(&self) -> io::Result<Option<Group>> {
        let path = self.path("group");
        let wrong = |why: String| {
            let path = path.display();
            let advice = "`ensctl device leave` forgets the group; then pair again";
            io::Error::other(format!("the group of the device, {path}: {why}: {advice}"))
        };
        let Some(bytes) =
            self.read("group", MAX_FILE.saturating_add(64)).map_err(|e| wrong(e.to_string()))?
        else {
            return Ok(None);
        };
        let (secret, log) =
            postcard::take_from_bytes::<Secret>(&bytes).map_err(|e| wrong(e.to_string()))?;
        let log = Log::from_bytes(log).map_err(|e| wrong(e.to_string()))?;
        Ok(Some(Group { log, secret }))
    }

    /// Keeps the group; none: forgets it.
    pub(super) fn keep_group(&self, group: Option<&Group>) -> io::Result<()> {
        let Some(Group { log, secret }) = group else {
            return match fs::remove_file(self.path("group")) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
                _ => File::open(&self.0)?.sync_all(),
            };
        };
        let secret = Zeroizing::new(postcard::to_stdvec(secret).map_err(io::Error::other)?);
        self.write("group", &Zeroizing::new([secret.as_slice(), &log.to_bytes()].concat()))
    }

    pub(super) fn peers(&self) -> Peers {
        let mut peers: Peers = self.load("peers", MAX_PEERS).unwrap_or_default();
        peers.values_mut().for_each(|known| known.profile.bound());
        peers
    }

    pub(super) fn keep_peers(&self, peers: &Peers) -> io::Result<()> {
        self.write("peers", &postcard::to_stdvec(peers).map_err(io::Error::other)?)
    }

    /// Addresses that the owner added.
    pub(super) fn added(&self) -> Vec<SocketAddr> {
        let text = self.read("added", MAX_ADDED).ok().flatten().unwrap_or_default();
        String::from_utf8_lossy(&text).lines().filter_map(|line| line.parse().ok()).collect()
    }

    pub(super) fn keep_added(&self, added: &[SocketAddr]) -> io::Result<()> {
        let text: String = added.iter().map(|address| format!("{address}\n")).collect();
        self.write("added", text.as_bytes())
    }

    /// The port of links the last time; 0: any.
    pub(super) fn port(&self) -> u16 {
        let text = self.read("port", 16).ok().flatten().unwrap_or_default();
        String::from_utf8_lossy(&text).trim().parse().unwrap_or(0)
    }

    pub(super) fn keep_port(&self, port: u16) -> io::Result<()> {
        self.write("port", format!("{port}\n").as_bytes())
    }

    fn load<T: DeserializeOwned>(&self, name: &str, most: usize) -> Option<T> {
        postcard::from_bytes(&self.read(name, most).ok()??).ok()
    }

    /// A file; none if there is none.
    pub(super) fn read(&self, name: &str, most: usize) -> io::Result<Option<Vec<u8>>> {
        match sys::regular::read(&self.path(name), u64::try_from(most).unwrap_or(u64::MAX), false) {
            Ok((_, bytes)) => Ok(Some(bytes)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Puts a file in place of what is there.
    pub(super) fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let (path, beside) = (self.path(name), self.path(&format!(".{name}")));
        let mut options = OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&beside, &path)?;
        File::open(&self.0)?.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::trust::{Card, Form, Name, SecretKey};

    #[test]
    fn a_key_is_made_once_and_is_nobody_elses() {
        let directory = tempfile::tempdir().unwrap();
        let files = Files::at(directory.path());
        let key = files.key().unwrap();
        assert_eq!(*key, *files.key().unwrap());
        assert_eq!(fs::metadata(files.path("key")).unwrap().permissions().mode() & 0o777, 0o600);
        fs::write(files.path("key"), "short").unwrap();
        assert!(files.key().is_err(), "and no new one");
        assert_eq!(fs::read(files.path("key")).unwrap(), b"short");
    }

    #[test]
    fn the_group_is_there_until_it_is_forgotten_and_a_damaged_one_is_told() {
        let directory = tempfile::tempdir().unwrap();
        let files = Files::at(directory.path());
        assert!(files.group().unwrap().is_none());
        let key = SecretKey::from_bytes(&[1; 32]);
        let card = Card::founds(Name::new("tv").unwrap(), Form::new("tv").unwrap());
        let log = Log::found(&key, card, [2; 16]).unwrap();
        let secret = Secret::new(log.members(), [3; 32]);
        files.keep_group(Some(&Group { log, secret })).unwrap();
        let group = files.group().unwrap().unwrap();
        assert_eq!(group.log.members().len(), 1);
        let bytes = fs::read(files.path("group")).unwrap();
        fs::write(files.path("group"), &bytes[..bytes.len() - 1]).unwrap();
        assert!(files.group().unwrap_err().to_string().contains("device leave"));
        files.keep_group(None).unwrap();
        files.keep_group(None).unwrap();
        assert!(files.group().unwrap().is_none());
    }

    #[test]
    fn what_is_damaged_beside_is_done_without() {
        let directory = tempfile::tempdir().unwrap();
        let files = Files::at(directory.path());
        let address: SocketAddr = "10.0.0.1:5".parse().unwrap();
        let known = Known { addresses: vec![address], seen: 7, profile: Profile::default() };
        let peers = Peers::from([(DeviceId([1; 32]), known)]);
        files.keep_peers(&peers).unwrap();
        files.keep_added(&[address]).unwrap();
        files.keep_port(99).unwrap();
        assert_eq!((files.peers(), files.added(), files.port()), (peers, vec![address], 99));
        for name in ["peers", "added", "port"] {
            fs::write(files.path(name), [0xff; 9]).unwrap();
        }
        assert_eq!((files.peers(), files.added(), files.port()), (Peers::new(), vec![], 0));
    }
}
