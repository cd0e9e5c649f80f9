//! Making what was added and removed count, and what is there count for longer.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context, Result};
use serde_json::Value;
use tuf::{Draft, Role, Time, pointed};

use super::listing::{Listing, targets};
use super::{Days, METADATA, Shop, TARGETS, check, put, signed};

/// Files of a role that stay: the newest, and the one before for those who are in the middle of it.
const STAY: usize = 2;

/// What was made to count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// Files in it.
    pub apps: usize,
    /// Versions of root, targets, snapshot and timestamp.
    pub versions: [u64; 4],
    /// When it has to be published again, changed or not.
    pub until: Time,
}

impl Shop {
    /// Signs what is listed. A list that did not change is signed anew only when half of its time is over.
    ///
    /// # Errors
    /// A key is not here, or it cannot be written; what was published counts then.
    pub fn publish(&self, days: Days, now: Time) -> Result<Published> {
        let (listing, changed) = self.listing()?;
        self.signed_from(&listing, changed, days, now)
    }

    /// As [`Shop::publish`], and the root for longer where its time comes to an end.
    ///
    /// # Errors
    /// As there.
    pub fn publish_for_longer(&mut self, days: Days, now: Time) -> Result<Published> {
        if self.root.expires <= now.after(days.root / 4) {
            self.renew_root(days, now).context("the root expires soon, and is to be renewed")?;
        }
        self.publish(days, now)
    }

    /// Signs everything, changed or not.
    pub(super) fn signed_anew(&self, days: Days, now: Time) -> Result<Published> {
        let (listing, _) = self.listing()?;
        self.signed_from(&listing, true, days, now)
    }

    fn signed_from(
        &self,
        listing: &Listing,
        changed: bool,
        days: Days,
        now: Time,
    ) -> Result<Published> {
        let (targets_version, list, until) = match self.newest(Role::Targets)? {
            Some((version, bytes)) if !changed && lasting(&bytes, days, now).is_some() => {
                let until = lasting(&bytes, days, now).unwrap_or(now);
                (version, bytes, until)
            }
            before => {
                let version = before.map_or(0, |(version, _)| version) + 1;
                let until = now.after(days.targets);
                let draft = Draft::targets(version, until, targets(listing)?);
                (version, self.write(Role::Targets, version, &draft)?, until)
            }
        };
        let version = self.newest(Role::Snapshot)?.map_or(0, |(version, _)| version) + 1;
        let listed = pointed(targets_version, &list);
        let draft = Draft::snapshot(version, now.after(days.snapshot), &listed);
        let bytes = self.write(Role::Snapshot, version, &draft)?;
        let timestamp = self.timestamp()? + 1;
        let draft =
            Draft::timestamp(timestamp, now.after(days.timestamp), &pointed(version, &bytes));
        let bytes = signed(&draft, &[&self.keys.read(Role::Timestamp)?])?;
        // Here it begins to count.
        put(&self.metadata(Role::Timestamp.file()), &bytes)?;
        self.done()?;
        self.collect()?;
        let all = [Role::Snapshot, Role::Timestamp].map(|role| now.after(days.of(role)));
        let until = all.into_iter().chain([until, self.root.expires]).min().unwrap_or(now);
        let versions = [self.root.version, targets_version, version, timestamp];
        Ok(Published { apps: listing.len(), versions, until })
    }

    fn write(&self, role: Role, version: u64, draft: &Draft) -> Result<Vec<u8>> {
        let bytes = signed(draft, &[&self.keys.read(role)?])?;
        put(&self.metadata(&format!("{version}.{}", role.file())), &bytes)?;
        Ok(bytes)
    }

    /// The version of the timestamp that is there; 0 of none.
    fn timestamp(&self) -> Result<u64> {
        let path = self.metadata(Role::Timestamp.file());
        if !path.exists() {
            return Ok(0);
        }
        let bytes = fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
        let value: Value = serde_json::from_slice(&bytes)
            .with_context(|| format!("reading {}", path.display()))?;
        value
            .pointer("/signed/version")
            .and_then(Value::as_u64)
            .context("the timestamp has no version")
    }

    /// Removes what neither the present state nor the one before names.
    fn collect(&self) -> Result<()> {
        let metadata = self.directory.join(METADATA);
        for role in [Role::Targets, Role::Snapshot] {
            let mut versions = check::versions(&metadata, role)?;
            versions.truncate(versions.len().saturating_sub(STAY));
            for version in versions {
                let path = metadata.join(format!("{version}.{}", role.file()));
                fs::remove_file(&path).with_context(|| format!("removing {}", path.display()))?;
            }
        }
        let mut named = BTreeSet::new();
        for version in check::versions(&metadata, Role::Targets)? {
            let path = metadata.join(format!("{version}.{}", Role::Targets.file()));
            named.extend(check::files(&fs::read(&path)?)?);
        }
        let directory = self.directory.join(TARGETS);
        for entry in fs::read_dir(&directory)?.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if !named.contains(&name) {
                fs::remove_file(entry.path())
                    .with_context(|| format!("removing {}", entry.path().display()))?;
            }
        }
        Ok(())
    }
}

/// Until when a list counts, if that is long enough.
fn lasting(bytes: &[u8], days: Days, now: Time) -> Option<Time> {
    let value: Value = serde_json::from_slice(bytes).ok()?;
    let until = Time::parse(value.pointer("/signed/expires")?.as_str()?)?;
    (until > now.after(days.targets / 2)).then_some(until)
}
