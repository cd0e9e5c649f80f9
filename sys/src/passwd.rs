//! Users and groups from `/etc/passwd` and `/etc/group`, read by ourselves: a static glibc would
//! load NSS modules for it, which a device does not have.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Longest of these files that is read, in bytes.
const MAX_FILE: u64 = 1 << 20;

/// Users that belong to one service each, below the directory of `passwd`: lines as there.
pub const OWN_USERS: &str = "ensemble/own-users";

/// Longest file of them that is read, in bytes.
const MAX_OWN: u64 = 8 << 20;

/// What their names begin with; no other line of theirs counts.
const OWN_PREFIX: &str = "own-";

/// One line of `passwd`, with the groups that name the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Login name.
    pub name: String,
    /// User id.
    pub uid: u32,
    /// Main group.
    pub gid: u32,
    /// Further groups, sorted.
    pub groups: Vec<u32>,
    /// Home directory.
    pub home: String,
    /// Login shell.
    pub shell: String,
}

/// Both files, as text.
#[derive(Debug, Clone, Default)]
pub struct Users {
    passwd: String,
    group: String,
}

impl Users {
    /// Reads `passwd` and `group` in `directory` (`/etc`), and the users of services ([`OWN_USERS`]). A
    /// missing `group` is empty.
    ///
    /// # Errors
    /// `ENOENT`: there is no `passwd`, so root is the only user.
    pub fn read(directory: &Path) -> io::Result<Self> {
        let text = |name: &str, most: u64| -> io::Result<String> {
            let mut bytes = Vec::new();
            File::open(directory.join(name))?.take(most).read_to_end(&mut bytes)?;
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        };
        let mut passwd = text("passwd", MAX_FILE)?;
        let own = text(OWN_USERS, MAX_OWN).unwrap_or_default();
        for line in own.lines().filter(|line| line.starts_with(OWN_PREFIX)) {
            // The last line of passwd may have no end.
            passwd.push('\n');
            passwd.push_str(line);
        }
        Ok(Self { passwd, group: text("group", MAX_FILE).unwrap_or_default() })
    }

    /// From the text of the files.
    #[must_use]
    pub fn from_text(passwd: &str, group: &str) -> Self {
        Self { passwd: passwd.to_owned(), group: group.to_owned() }
    }

    /// The user `name`. Lines that are not well-formed don't count.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<User> {
        let user = self.passwd.lines().find_map(|line| user(line).filter(|u| u.name == name))?;
        let mut groups: Vec<u32> = self
            .group
            .lines()
            .filter_map(group)
            .filter(|(gid, members)| *gid != user.gid && members.split(',').any(|m| m == name))
            .map(|(gid, _)| gid)
            .collect();
        groups.sort_unstable();
        groups.dedup();
        Some(User { groups, ..user })
    }
}

/// `name:password:uid:gid:comment:home:shell`
fn user(line: &str) -> Option<User> {
    let mut fields = line.split(':');
    let name = fields.next().filter(|n| !n.is_empty())?.to_owned();
    let mut next = || fields.next();
    let (_password, uid, gid, _comment) = (next()?, next()?, next()?, next()?);
    let (home, shell) = (next()?.to_owned(), next()?.to_owned());
    let (uid, gid) = (id(uid)?, id(gid)?);
    Some(User { name, uid, gid, groups: Vec::new(), home, shell })
}

/// `name:password:gid:members`
fn group(line: &str) -> Option<(u32, &str)> {
    let mut fields = line.split(':').skip(2);
    Some((id(fields.next()?)?, fields.next()?))
}

/// A number of a user or group. The last one means "leave it as it is" to the kernel: a process
/// that should take it on would stay root.
fn id(text: &str) -> Option<u32> {
    text.parse().ok().filter(|id| *id != u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_has_its_line_and_the_groups_that_name_it() {
        let passwd =
            "root:x:0:0:root:/root:/bin/sh\nbroken\nweb:x:80:81:a:b:c\nnet:x:100:100:,:/:/x\n";
        let group = "root:x:0:\nvideo:x:44:net,web\nnet:x:100:net\nx:y\naudio:x:29:web\n";
        let users = Users::from_text(passwd, group);
        let web = users.find("web").unwrap();
        assert_eq!((web.uid, web.gid, web.groups), (80, 81, vec![29, 44]));
        assert_eq!(users.find("net").unwrap().groups, [44]);
        assert_eq!(users.find("root").unwrap().home, "/root");
        assert_eq!(users.find("broken"), None);
        assert_eq!(users.find(""), None);
    }

    #[test]
    fn the_id_that_would_leave_a_process_root_is_no_id() {
        let users = Users::from_text("a:x:4294967295:1::/:/x\nb:x:1:4294967295::/:/x\n", "");
        assert_eq!((users.find("a"), users.find("b")), (None, None));
    }
}
