//! What is believed, and what may follow it.
//!
//! ```text
//! root N ─ signed by N and N+1 ─► root N+1      timestamp, snapshot, targets: signed as the root says,
//!                                               not older than what was believed, and the ones that are named above
//! ```
//!
//! What was kept goes through the same rules as what comes: keys that the root has taken away prove nothing any
//! more, so versions of before them bind nobody. When something has expired is looked at where it is used, and not before:
//! what has expired still shows how far versions had come.

use crate::roles::{Envelope, Pointer, Role, Root, Targets};
use crate::{Listed, Refused, Time};

/// What is believed.
#[derive(Debug, Clone)]
pub struct Trusted {
    root: Root,
    timestamp: Option<(Pointer, Listed)>,
    snapshot: Option<(Pointer, Listed)>,
    targets: Option<Targets>,
}

impl Trusted {
    /// Begins with a root that was given by somebody who is believed. It must have signed itself.
    ///
    /// # Errors
    /// It is none.
    pub fn begin(root: &[u8]) -> Result<Self, Refused> {
        let file = Role::Root.file();
        let (envelope, root) = read_root(file, root)?;
        envelope.proved(file, Role::Root, &root)?;
        Ok(Self { root, timestamp: None, snapshot: None, targets: None })
    }

    /// Goes on to the next root: signed by those of before, and by its own.
    ///
    /// # Errors
    /// It is not the next one.
    pub fn next_root(&mut self, bytes: &[u8]) -> Result<(), Refused> {
        let next = self.root.version.saturating_add(1);
        let file = self.root.file(Role::Root, next);
        let (envelope, root) = read_root(&file, bytes)?;
        envelope.proved(&file, Role::Root, &self.root)?;
        envelope.proved(&file, Role::Root, &root)?;
        if root.version < next {
            let (is, was) = (root.version, self.root.version);
            return Err(Refused::RolledBack { file, is, was });
        }
        if root.version > next {
            let why = format!("it is version {} in the place of {next}", root.version);
            return Err(Refused::mixed(&file, why));
        }
        self.root = root;
        Ok(())
    }

    /// Takes a timestamp, if it is not older than the one that is believed; says whether it is another one.
    ///
    /// # Errors
    /// It is not believed.
    pub fn timestamp(&mut self, bytes: &[u8]) -> Result<bool, Refused> {
        let file = Role::Timestamp.file();
        let (pointer, names) = self.pointer(file, Role::Timestamp, Role::Snapshot, bytes)?;
        if let Some((before, snapshot)) = &self.timestamp {
            if pointer.version == before.version {
                return Ok(false);
            }
            older(file, pointer.version, before.version)?;
            older(Role::Snapshot.file(), names.version, snapshot.version)?;
        }
        self.timestamp = Some((pointer, names));
        Ok(true)
    }

    /// What the timestamp says of the snapshot.
    ///
    /// # Errors
    /// There is no timestamp yet.
    pub fn wanted_snapshot(&self) -> Result<&Listed, Refused> {
        let missing = || Refused::Missing { file: Role::Timestamp.file().to_owned() };
        self.timestamp.as_ref().map(|(_, snapshot)| snapshot).ok_or_else(missing)
    }

    /// Takes the snapshot that was kept, which need not be the one that counts now, but binds what comes.
    ///
    /// # Errors
    /// It is not believed any more.
    pub fn kept_snapshot(&mut self, bytes: &[u8]) -> Result<(), Refused> {
        let file = Role::Snapshot.file();
        self.snapshot = Some(self.pointer(file, Role::Snapshot, Role::Targets, bytes)?);
        Ok(())
    }

    /// Takes the snapshot that the timestamp names.
    ///
    /// # Errors
    /// It is not believed.
    pub fn snapshot(&mut self, bytes: &[u8]) -> Result<(), Refused> {
        let wanted = self.wanted_snapshot()?;
        let file = self.root.file(Role::Snapshot, wanted.version);
        wanted.fits(&file, bytes)?;
        let new = self.pointer(&file, Role::Snapshot, Role::Targets, bytes)?;
        if let Some((before, targets)) = &self.snapshot {
            older(&file, new.0.version, before.version)?;
            older(Role::Targets.file(), new.1.version, targets.version)?;
            if let Some(gone) = before.meta.keys().find(|name| !new.0.meta.contains_key(*name)) {
                return Err(Refused::mixed(&file, format!("it names {gone} no more")));
            }
        }
        named(&file, new.0.version, wanted.version)?;
        self.snapshot = Some(new);
        Ok(())
    }

    /// Whether the snapshot is the one that the timestamp names.
    #[must_use]
    pub fn has_snapshot(&self) -> bool {
        let both = self.snapshot.as_ref().zip(self.timestamp.as_ref());
        both.is_some_and(|((snapshot, _), (_, wanted))| snapshot.version == wanted.version)
    }

    /// What the snapshot says of the targets.
    ///
    /// # Errors
    /// There is no snapshot yet.
    pub fn wanted_targets(&self) -> Result<&Listed, Refused> {
        let missing = || Refused::Missing { file: Role::Snapshot.file().to_owned() };
        self.snapshot.as_ref().map(|(_, targets)| targets).ok_or_else(missing)
    }

    /// Takes the targets that the snapshot names.
    ///
    /// # Errors
    /// They are not believed.
    pub fn take_targets(&mut self, bytes: &[u8]) -> Result<(), Refused> {
        let wanted = self.wanted_targets()?;
        let file = self.root.file(Role::Targets, wanted.version);
        wanted.fits(&file, bytes)?;
        let envelope = Envelope::read(&file, bytes)?;
        envelope.proved(&file, Role::Targets, &self.root)?;
        let targets: Targets = envelope.typed(&file, Role::Targets)?;
        named(&file, targets.version, wanted.version)?;
        self.targets = Some(targets);
        Ok(())
    }

    /// The root that counts.
    #[must_use]
    pub fn root(&self) -> &Root {
        &self.root
    }

    /// The files that there are.
    ///
    /// # Errors
    /// Nobody knows yet.
    pub fn targets(&self) -> Result<&Targets, Refused> {
        let missing = || Refused::Missing { file: Role::Targets.file().to_owned() };
        self.targets.as_ref().ok_or_else(missing)
    }

    /// Versions of root, targets, snapshot and timestamp, as far as they are known.
    #[must_use]
    pub fn versions(&self) -> [u64; 4] {
        let of =
            |pointer: &Option<(Pointer, Listed)>| pointer.as_ref().map_or(0, |(p, _)| p.version);
        let targets = self.targets.as_ref().map_or(0, |targets| targets.version);
        [self.root.version, targets, of(&self.snapshot), of(&self.timestamp)]
    }

    /// When the first of what is believed expires, and which that is.
    #[must_use]
    pub fn expires(&self) -> (Time, Role) {
        let pointer =
            |pointer: &Option<(Pointer, Listed)>| pointer.as_ref().map(|(p, _)| p.expires);
        let all = [
            (Some(self.root.expires), Role::Root),
            (self.targets.as_ref().map(|targets| targets.expires), Role::Targets),
            (pointer(&self.snapshot), Role::Snapshot),
            (pointer(&self.timestamp), Role::Timestamp),
        ];
        let known = all.into_iter().filter_map(|(at, role)| Some((at?, role)));
        known.min().unwrap_or((self.root.expires, Role::Root))
    }

    /// Whether nothing of what is believed has expired.
    ///
    /// # Errors
    /// What has.
    pub fn fresh(&self, now: Time) -> Result<(), Refused> {
        let (at, role) = self.expires();
        if now < at {
            return Ok(());
        }
        Err(Refused::Expired { file: role.file().to_owned(), at })
    }

    /// Reads what names another file.
    fn pointer(
        &self,
        file: &str,
        role: Role,
        names: Role,
        bytes: &[u8],
    ) -> Result<(Pointer, Listed), Refused> {
        let envelope = Envelope::read(file, bytes)?;
        envelope.proved(file, role, &self.root)?;
        let pointer: Pointer = envelope.typed(file, role)?;
        let named = pointer.meta.get(names.file()).cloned();
        let none = || Refused::malformed(file, format!("it names no {}", names.file()));
        Ok((pointer, named.ok_or_else(none)?))
    }
}

fn read_root(file: &str, bytes: &[u8]) -> Result<(Envelope, Root), Refused> {
    let envelope = Envelope::read(file, bytes)?;
    let root: Root = Envelope::read(file, bytes)?.typed(file, Role::Root)?;
    root.whole(file)?;
    Ok((envelope, root))
}

fn older(file: &str, is: u64, was: u64) -> Result<(), Refused> {
    if is >= was { Ok(()) } else { Err(Refused::RolledBack { file: file.to_owned(), is, was }) }
}

fn named(file: &str, is: u64, wanted: u64) -> Result<(), Refused> {
    if is == wanted {
        return Ok(());
    }
    Err(Refused::mixed(file, format!("it is version {is}, and version {wanted} is named")))
}
