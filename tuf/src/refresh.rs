//! Asking a store for what is new, in the order that keeps it from lying.
//!
//! ```text
//! kept root ─► N+1.root.json, N+2 … until there is none ─► timestamp.json ─► VERSION.snapshot.json ─► VERSION.targets.json
//! ```
//!
//! What is believed is kept: roots and timestamp at once, so that nothing goes back behind them; the list of files with its
//! snapshot. What was kept is not asked for again when it is still the one that is named.

use crate::roles::Role;
use crate::{MAX_ROOT, MAX_ROOTS, MAX_SNAPSHOT, MAX_TARGETS, MAX_TIMESTAMP};
use crate::{Refused, Time, Trusted};

/// Where metadata comes from.
pub trait Source {
    /// The file of this name; none if there is no such file. Never takes more than `most` bytes and one.
    ///
    /// # Errors
    /// It can't be had.
    fn get(&mut self, file: &str, most: u64) -> Result<Option<Vec<u8>>, String>;
}

/// Where metadata is kept that was believed.
pub trait Kept {
    /// What was kept of a role.
    fn read(&self, role: Role) -> Option<Vec<u8>>;

    /// Keeps it in place of what was.
    ///
    /// # Errors
    /// It can't be kept.
    fn write(&mut self, role: Role, bytes: &[u8]) -> Result<(), String>;
}

/// What was kept, without asking anybody. What was announced since, and could not be had, is not part of it.
///
/// # Errors
/// It was never whole, or is damaged.
pub fn known(kept: &dyn Kept) -> Result<Trusted, Refused> {
    let of = |role: Role| {
        kept.read(role).ok_or_else(|| Refused::Missing { file: role.file().to_owned() })
    };
    let mut trusted = Trusted::begin(&of(Role::Root)?)?;
    trusted.timestamp(&of(Role::Timestamp)?)?;
    trusted.kept_snapshot(&of(Role::Snapshot)?)?;
    trusted.take_targets(&of(Role::Targets)?)?;
    Ok(trusted)
}

/// Asks for what is new.
///
/// # Errors
/// It can't be had, or is not believed; what is [`known`] stays as it was, unless a new root came that has taken away the keys which
/// signed that.
pub fn refresh(
    source: &mut dyn Source,
    kept: &mut dyn Kept,
    now: Time,
) -> Result<Trusted, Refused> {
    let root = kept.read(Role::Root);
    let missing = || Refused::Missing { file: Role::Root.file().to_owned() };
    let mut trusted = Trusted::begin(&root.ok_or_else(missing)?)?;
    roots(&mut trusted, source, kept)?;
    trusted.fresh(now)?;
    let timestamp = timestamp(&mut trusted, source, kept)?;
    // One that has expired is not kept: nobody can make what is known expire by an old one.
    trusted.fresh(now)?;
    if let Some(bytes) = timestamp {
        kept.write(Role::Timestamp, &bytes).map_err(Refused::Failed)?;
    }
    let snapshot = snapshot(&mut trusted, source, kept)?;
    trusted.fresh(now)?;
    let targets = targets(&mut trusted, source, kept)?;
    trusted.fresh(now)?;
    // Together, as far as it goes: a list without its snapshot says nothing.
    for (role, bytes) in [(Role::Targets, targets), (Role::Snapshot, snapshot)] {
        if let Some(bytes) = bytes {
            kept.write(role, &bytes).map_err(Refused::Failed)?;
        }
    }
    Ok(trusted)
}

fn roots(
    trusted: &mut Trusted,
    source: &mut dyn Source,
    kept: &mut dyn Kept,
) -> Result<(), Refused> {
    for _ in 0..MAX_ROOTS {
        let file = trusted.root().file(Role::Root, trusted.root().version.saturating_add(1));
        let Some(bytes) = bounded(source, &file, MAX_ROOT)? else { return Ok(()) };
        trusted.next_root(&bytes)?;
        kept.write(Role::Root, &bytes).map_err(Refused::Failed)?;
    }
    Err(Refused::Failed(format!("more than {MAX_ROOTS} new roots: ask again")))
}

/// Answers with what is to be kept, as the next two do.
fn timestamp(
    trusted: &mut Trusted,
    source: &mut dyn Source,
    kept: &dyn Kept,
) -> Result<Option<Vec<u8>>, Refused> {
    if let Some(bytes) = kept.read(Role::Timestamp) {
        // One that is not believed any more binds nobody.
        let _before = trusted.timestamp(&bytes);
    }
    let bytes = required(source, Role::Timestamp.file(), MAX_TIMESTAMP)?;
    Ok(trusted.timestamp(&bytes)?.then_some(bytes))
}

fn snapshot(
    trusted: &mut Trusted,
    source: &mut dyn Source,
    kept: &dyn Kept,
) -> Result<Option<Vec<u8>>, Refused> {
    if let Some(bytes) = kept.read(Role::Snapshot) {
        let _before = trusted.kept_snapshot(&bytes);
    }
    if trusted.has_snapshot() {
        return Ok(None);
    }
    let wanted = trusted.wanted_snapshot()?;
    let file = trusted.root().file(Role::Snapshot, wanted.version);
    let most = wanted.length.unwrap_or(MAX_SNAPSHOT).min(MAX_SNAPSHOT);
    let bytes = required(source, &file, most)?;
    trusted.snapshot(&bytes)?;
    Ok(Some(bytes))
}

fn targets(
    trusted: &mut Trusted,
    source: &mut dyn Source,
    kept: &dyn Kept,
) -> Result<Option<Vec<u8>>, Refused> {
    if kept.read(Role::Targets).is_some_and(|bytes| trusted.take_targets(&bytes).is_ok()) {
        return Ok(None);
    }
    let wanted = trusted.wanted_targets()?;
    let file = trusted.root().file(Role::Targets, wanted.version);
    let most = wanted.length.unwrap_or(MAX_TARGETS).min(MAX_TARGETS);
    let bytes = required(source, &file, most)?;
    trusted.take_targets(&bytes)?;
    Ok(Some(bytes))
}

fn required(source: &mut dyn Source, file: &str, most: u64) -> Result<Vec<u8>, Refused> {
    let missing = || Refused::Missing { file: file.to_owned() };
    bounded(source, file, most)?.ok_or_else(missing)
}

fn bounded(source: &mut dyn Source, file: &str, most: u64) -> Result<Option<Vec<u8>>, Refused> {
    let bytes = source.get(file, most).map_err(Refused::Failed)?;
    let length = bytes.as_ref().map_or(0, Vec::len);
    if u64::try_from(length).is_ok_and(|length| length <= most) {
        return Ok(bytes);
    }
    Err(Refused::TooLong { file: file.to_owned(), most })
}
