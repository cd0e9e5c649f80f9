//! Keys of a store: one for each role, in files that only their owner can read.
//!
//! ```text
//! ~/.config/ensemble/stores/NAME/ root.key targets.key snapshot.key timestamp.key (0600)
//! ```
//!
//! A key that is replaced is kept beside the new one until that is in place. `root.key` may be elsewhere for as long as nothing is
//! rotated or renewed.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use model::Name;
use tuf::{Role, SecretKey};

/// Longest file of a key, in bytes: one line.
const MAX_FILE: u64 = 4096;

/// Where the keys of a store are.
#[derive(Debug, Clone)]
pub struct Keys(PathBuf);

impl Keys {
    /// Those of the store of this name, of this user.
    ///
    /// # Errors
    /// There is no home.
    pub fn of(name: &Name) -> Result<Self> {
        let developer = crate::bundle::keys::place()?;
        let above = developer.parent().unwrap_or(Path::new("."));
        Ok(Self(above.join("stores").join(name.as_str())))
    }

    /// Those in this directory.
    #[must_use]
    pub fn at(place: &Path) -> Self {
        Self(place.to_owned())
    }

    /// The directory.
    #[must_use]
    pub fn place(&self) -> &Path {
        &self.0
    }

    fn file(&self, role: Role) -> PathBuf {
        self.0.join(format!("{}.key", role.word()))
    }

    /// Makes one for each role.
    ///
    /// # Errors
    /// There are some.
    pub(super) fn make(&self) -> Result<BTreeMap<Role, SecretKey>> {
        let shown = self.0.display();
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&self.0);
        made.with_context(|| format!("making {shown}"))?;
        if let Some(role) = Role::ALL.into_iter().find(|role| self.file(*role).exists()) {
            bail!(
                "there are keys of a store in {shown} ({}.key): choose another --name, or move them away",
                role.word()
            );
        }
        let mut all = BTreeMap::new();
        for role in Role::ALL {
            let key = random()?;
            write(&self.file(role), &key)?;
            all.insert(role, key);
        }
        Ok(all)
    }

    /// Reads one.
    ///
    /// # Errors
    /// It is not here, is none, or others can read it.
    pub(super) fn read(&self, role: Role) -> Result<SecretKey> {
        let path = self.file(role);
        let shown = path.display();
        let about = match fs::metadata(&path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => bail!(
                "there is no key at {shown}: it was made by `ens store init`, where that ran; --keys names another place"
            ),
            about => about.with_context(|| format!("reading {shown}"))?,
        };
        if about.permissions().mode() & 0o077 != 0 {
            bail!(
                "others can read the key {shown}: chmod 600 it, and `ens store rotate` it if somebody may have read it"
            );
        }
        if about.len() > MAX_FILE {
            bail!("{shown} is no key: it has {} bytes", about.len());
        }
        let text = fs::read_to_string(&path).with_context(|| format!("reading {shown}"))?;
        SecretKey::parse(&text).with_context(|| format!("{shown} is no key of a store"))
    }

    /// Puts another key in the place of one, which stays as `ROLE.key.old`.
    pub(super) fn replace(&self, role: Role, key: &SecretKey) -> Result<()> {
        let (path, new) = (self.file(role), self.0.join(format!("{}.key.new", role.word())));
        let old = self.0.join(format!("{}.key.old", role.word()));
        let replaced = (|| {
            let _left_over = fs::remove_file(&new);
            write(&new, key)?;
            let _none_before = fs::remove_file(&old);
            fs::hard_link(&path, &old)?;
            anyhow::Ok(fs::rename(&new, &path)?)
        })();
        replaced.with_context(|| format!("replacing {}", path.display()))
    }
}

/// A new key.
pub(super) fn random() -> Result<SecretKey> {
    let mut random = [0; 32];
    sys::random::fill(&mut random).context("asking the kernel for random bytes")?;
    Ok(SecretKey::from_random(&random))
}

fn write(path: &Path, key: &SecretKey) -> Result<()> {
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let written = file.and_then(|mut file| {
        file.write_all(key.to_text().as_bytes()).and_then(|()| file.sync_all())
    });
    written.with_context(|| format!("writing {}", path.display()))
}
