//! Users and groups: Debian's own, those that packages declare, those of the device.
//!
//! A number that nobody chose is computed from the name, so that it does not change when other
//! packages come or go: the state of a device outlives its image.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail, ensure};
use model::device::User;
use sha2::{Digest, Sha256};

use super::declared::{Declaration, declarations};
use crate::tree::{Node, Tree};

/// `passwd.master` of Debian's base-passwd, with a shell that every device has for root.
const USERS: &str = "\
root:x:0:0:root:/root:/bin/sh
daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin
bin:x:2:2:bin:/bin:/usr/sbin/nologin
sys:x:3:3:sys:/dev:/usr/sbin/nologin
sync:x:4:65534:sync:/bin:/bin/sync
games:x:5:60:games:/usr/games:/usr/sbin/nologin
man:x:6:12:man:/var/cache/man:/usr/sbin/nologin
lp:x:7:7:lp:/var/spool/lpd:/usr/sbin/nologin
mail:x:8:8:mail:/var/mail:/usr/sbin/nologin
news:x:9:9:news:/var/spool/news:/usr/sbin/nologin
uucp:x:10:10:uucp:/var/spool/uucp:/usr/sbin/nologin
proxy:x:13:13:proxy:/bin:/usr/sbin/nologin
www-data:x:33:33:www-data:/var/www:/usr/sbin/nologin
backup:x:34:34:backup:/var/backups:/usr/sbin/nologin
list:x:38:38:Mailing List Manager:/var/list:/usr/sbin/nologin
irc:x:39:39:ircd:/run/ircd:/usr/sbin/nologin
_apt:x:42:65534::/nonexistent:/usr/sbin/nologin
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
";

/// `group.master` of Debian's base-passwd.
const GROUPS: &str = "\
root:0 daemon:1 bin:2 sys:3 adm:4 tty:5 disk:6 lp:7 mail:8 news:9 uucp:10 man:12 proxy:13 kmem:15 \
dialout:20 fax:21 voice:22 cdrom:24 floppy:25 tape:26 sudo:27 audio:29 dip:30 www-data:33 backup:34 \
operator:37 list:38 irc:39 src:40 shadow:42 utmp:43 video:44 sasl:45 plugdev:46 staff:50 games:60 \
users:100 nogroup:65534";

/// Users that maintainer scripts make with `adduser`: a file of the package, name, home.
const BY_SCRIPTS: &[(&str, &str, &str)] = &[
    ("usr/sbin/chronyd", "_chrony", "/var/lib/chrony"),
    ("usr/sbin/dhcpcd", "dhcpcd", "/usr/lib/dhcpcd"),
];

/// Numbers for users and groups of packages that name none (Debian's policy: 100 to 999).
const SYSTEM: std::ops::Range<u32> = 101..1000;

/// The group that may read `/etc/shadow`.
const SHADOW: u32 = 42;

/// Every user and group of a device.
#[derive(Debug)]
pub(super) struct Accounts {
    users: BTreeMap<String, Account>,
    groups: BTreeMap<String, Group>,
}

#[derive(Debug)]
struct Account {
    uid: u32,
    gid: u32,
    about: String,
    home: String,
    shell: String,
}

#[derive(Debug)]
struct Group {
    gid: u32,
    members: BTreeSet<String>,
}

impl Accounts {
    /// Those of a device with these packages and users.
    pub(super) fn of(tree: &Tree, users: &[User]) -> Result<Self> {
        let mut all = Self::debian().context("Debian's own users")?;
        for user in users {
            all.add(user)
                .with_context(|| format!("adding the user `{}` of the device", user.name))?;
        }
        let mut declared = declarations(tree)?;
        for (file, name, home) in BY_SCRIPTS {
            if tree.get(file).is_some() {
                declared.push(Declaration::user(name, home));
            }
        }
        // Chosen numbers first: they are not negotiable.
        declared.sort_by_key(|d| (d.order(), d.name.clone()));
        for declaration in &declared {
            all.declare(declaration)
                .with_context(|| format!("adding `{}` of a package", declaration.name))?;
        }
        Ok(all)
    }

    /// Numbers of a user by name or number.
    pub(super) fn uid(&self, user: &str) -> Option<u32> {
        user.parse().ok().or_else(|| Some(self.users.get(user)?.uid))
    }

    /// Number of a group by name or number.
    pub(super) fn gid(&self, group: &str) -> Option<u32> {
        group.parse().ok().or_else(|| Some(self.groups.get(group)?.gid))
    }

    /// Writes `passwd`, `group` and `shadow`. Nobody has a password.
    pub(super) fn write(&self, tree: &mut Tree) -> Result<()> {
        let mut users: Vec<_> = self.users.iter().collect();
        users.sort_by_key(|(name, u)| (u.uid, *name));
        let mut groups: Vec<_> = self.groups.iter().collect();
        groups.sort_by_key(|(name, g)| (g.gid, *name));
        let passwd = users.iter().map(|(name, u)| {
            format!("{name}:x:{}:{}:{}:{}:{}\n", u.uid, u.gid, u.about, u.home, u.shell)
        });
        let shadow = users.iter().map(|(name, _)| format!("{name}:*:::::::\n"));
        let group = groups.iter().map(|(name, g)| {
            let members: Vec<&str> = g.members.iter().map(String::as_str).collect();
            format!("{name}:x:{}:{}\n", g.gid, members.join(","))
        });
        let texts = [("passwd", passwd.collect::<String>()), ("group", group.collect())];
        for (name, text) in texts {
            super::put(tree, &format!("etc/{name}"), Node::file(0o644, text.as_str()))?;
        }
        let shadow: String = shadow.collect();
        super::put(tree, "etc/shadow", Node::file(0o640, shadow.as_str()).owned_by(0, SHADOW))
    }

    fn debian() -> Result<Self> {
        let mut all = Self { users: BTreeMap::new(), groups: BTreeMap::new() };
        for group in GROUPS.split_whitespace() {
            let (name, gid) = group.split_once(':').context("a group without a number")?;
            all.groups
                .insert(name.to_owned(), Group { gid: gid.parse()?, members: BTreeSet::new() });
        }
        for line in USERS.lines() {
            let fields: Vec<&str> = line.split(':').collect();
            let [name, _, uid, gid, about, home, shell] = fields[..] else { bail!("`{line}`") };
            let account = Account {
                uid: uid.parse()?,
                gid: gid.parse()?,
                about: about.to_owned(),
                home: home.to_owned(),
                shell: shell.to_owned(),
            };
            all.users.insert(name.to_owned(), account);
        }
        Ok(all)
    }

    /// A user of the device with its own group.
    fn add(&mut self, user: &User) -> Result<()> {
        self.add_group(&user.name, user.gid)?;
        let account = Account {
            uid: user.uid,
            gid: user.gid,
            about: String::new(),
            home: user.home.clone(),
            shell: user.shell.clone(),
        };
        self.add_user(&user.name, account)?;
        user.groups.iter().try_for_each(|group| self.join(&user.name, group))
    }

    fn add_user(&mut self, name: &str, account: Account) -> Result<()> {
        ensure!(!self.users.contains_key(name), "there is a user of this name");
        if let Some((other, _)) = self.users.iter().find(|(_, u)| u.uid == account.uid) {
            bail!("`{other}` has the number {} already", account.uid);
        }
        let texts = [name, &account.about, &account.home, &account.shell];
        ensure!(!texts.iter().any(|t| t.contains([':', '\n'])), "a field with `:` or a line break");
        self.users.insert(name.to_owned(), account);
        Ok(())
    }

    fn add_group(&mut self, name: &str, gid: u32) -> Result<()> {
        ensure!(!name.contains([':', ',', '\n']), "a name with `:`, `,` or a line break");
        ensure!(!self.groups.contains_key(name), "there is a group of this name");
        if let Some((other, _)) = self.groups.iter().find(|(_, g)| g.gid == gid) {
            bail!("the group `{other}` has the number {gid} already");
        }
        self.groups.insert(name.to_owned(), Group { gid, members: BTreeSet::new() });
        Ok(())
    }

    fn join(&mut self, user: &str, group: &str) -> Result<()> {
        let group =
            self.groups.get_mut(group).with_context(|| format!("there is no group `{group}`"))?;
        group.members.insert(user.to_owned());
        Ok(())
    }

    /// What a package declares; what is there already stays as it is.
    fn declare(&mut self, declaration: &Declaration) -> Result<()> {
        let Declaration { name, id, group, about, home, is_user, .. } = declaration;
        if let Some(group) = &declaration.joins {
            self.ensure_group(group, None)?;
            return self.join(name, group);
        }
        if !is_user {
            return self.ensure_group(name, *id);
        }
        if self.users.contains_key(name) {
            return Ok(());
        }
        let uid = id.map_or_else(|| self.free(name), Ok)?;
        let gid = match group {
            Some(group) => {
                self.gid(group).with_context(|| format!("there is no group `{group}`"))?
            }
            None => {
                self.ensure_group(name, Some(uid))?;
                self.gid(name).context("its group")?
            }
        };
        let shell = declaration.shell.clone().unwrap_or_else(|| "/usr/sbin/nologin".to_owned());
        let home = home.clone().unwrap_or_else(|| "/".to_owned());
        self.add_user(
            name,
            Account { uid, gid, about: about.clone().unwrap_or_default(), home, shell },
        )
    }

    fn ensure_group(&mut self, name: &str, gid: Option<u32>) -> Result<()> {
        if self.groups.contains_key(name) {
            return Ok(());
        }
        let gid = gid.map_or_else(|| self.free(name), Ok)?;
        self.add_group(name, gid)
    }

    /// A number that is free as user and as group, the same for the same name on nearly every device.
    fn free(&self, name: &str) -> Result<u32> {
        let digest = Sha256::digest(name.as_bytes());
        let seed = digest.iter().take(4).fold(0_u32, |sum, byte| sum << 8 | u32::from(*byte));
        let count = SYSTEM.end - SYSTEM.start;
        let taken = |id: u32| {
            self.users.values().any(|u| u.uid == id) || self.groups.values().any(|g| g.gid == id)
        };
        (0..count)
            .map(|step| SYSTEM.start + (seed % count + step) % count)
            .find(|id| !taken(*id))
            .context("no number from 101 to 999 is free")
    }
}
