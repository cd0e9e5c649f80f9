//! Whether a profile lets a program do with a file what it did: the lists of files, the own `/tmp`, `/proc`
//! and `/dev`, and what is hidden, as mounts and Landlock hold them.
//!
//! The same lists as the compiler's, read the other way round: from what is done to whether it is allowed.

use model::sandbox::{Profile, is_below};

use super::observed::Use;
use super::resolve::Kind;
use crate::refused::Refused;
use crate::trees::{DEVICES, INTO_USR, OF_DEVICE, TMP, Trees, has_devices};

/// Links in every own `/dev`.
const LINKS: [&str; 4] = ["/dev/fd", "/dev/stderr", "/dev/stdin", "/dev/stdout"];

/// What an own `/dev` has for shared memory.
const SHM: &str = "/dev/shm";

/// A profile that is asked.
#[derive(Debug)]
pub struct Judge {
    trees: Trees,
}

impl Judge {
    /// Reads the lists of a profile, with all that it inherits.
    ///
    /// # Errors
    /// They contradict each other.
    pub fn of(profile: &Profile) -> Result<Self, Refused> {
        Trees::of(profile).map(|trees| Self { trees })
    }

    /// Whether only what is listed is there.
    #[must_use]
    pub fn listed(&self) -> bool {
        self.trees.listed
    }

    /// Whether this path is hidden, whatever lists say.
    #[must_use]
    pub fn hides(&self, path: &str) -> bool {
        below(path, &self.trees.hidden)
    }

    /// Whether nothing at this path is ever written.
    #[must_use]
    pub fn keeps(&self, path: &str) -> bool {
        below(path, &self.trees.unwritten)
    }

    /// Whether something may be done with what lies at a path.
    #[must_use]
    pub fn allows(&self, path: &str, kind: Kind, how: Use) -> bool {
        let changes = matches!(how, Use::Write | Use::Make);
        let executes = matches!(how, Use::Execute | Use::Map);
        if self.hides(path) {
            return false;
        }
        if let Some(place) = TMP.iter().find(|place| self.trees.tmp && is_below(path, place)) {
            return path == *place && !executes;
        }
        if self.trees.proc && is_below(path, "/proc") {
            let of_device = OF_DEVICE.iter().any(|hidden| is_below(path, hidden));
            return !changes && !executes && !of_device;
        }
        if is_below(path, "/dev")
            && let Some(allowed) = self.device(path, kind, how)
        {
            return allowed;
        }
        match how {
            Use::Look | Use::Connect => !self.trees.listed || self.shows(path),
            Use::Read | Use::List => within(path, self.trees.read.as_deref()),
            Use::Map => {
                let list = if self.trees.listed { &self.trees.execute } else { &self.trees.read };
                within(path, list.as_deref()) && !self.writable(path)
            }
            Use::Execute => within(path, self.trees.execute.as_deref()) && !self.writable(path),
            Use::Write | Use::Make => {
                !self.keeps(path) && within(path, self.trees.write.as_deref())
            }
        }
    }

    /// What is said of a device by itself, or of an own `/dev`.
    fn device(&self, path: &str, kind: Kind, how: Use) -> Option<bool> {
        let changes = matches!(how, Use::Write | Use::Make);
        let executes = matches!(how, Use::Execute | Use::Map);
        let Some(devices) = &self.trees.devices else {
            let always = DEVICES.contains(&path) && kind == Kind::Device && !executes;
            return always.then_some(true);
        };
        if is_below(path, SHM) {
            return Some(path == SHM && !executes);
        }
        if !has_devices(path) {
            return Some(false);
        }
        let named = || devices.iter().any(|name| is_device(path, name));
        let here = match path {
            "/dev" => !changes,
            path if LINKS.contains(&path) => how == Use::Look,
            path => DEVICES.contains(&path) || named(),
        };
        Some(here && !executes && how != Use::Make)
    }

    /// Whether a program finds this path in a listed view.
    fn shows(&self, path: &str) -> bool {
        let mut shown = self.trees.read.iter().flatten();
        let into_usr = || INTO_USR.contains(&path) && self.shows("/usr");
        shown.any(|tree| is_below(path, tree) || is_below(tree, path)) || into_usr()
    }

    /// A list that is absent restricts nothing, and no mount keeps programs from it.
    fn writable(&self, path: &str) -> bool {
        self.trees.write.as_ref().is_some_and(|list| below(path, list) && !within_root(list))
    }
}

/// Whether a path is what a profile calls `name`, or in it; `video*` is all that begins so.
fn is_device(path: &str, name: &str) -> bool {
    let Some(path) = path.strip_prefix("/dev/") else { return false };
    match name.strip_suffix('*') {
        Some(begins) => path.strip_prefix(begins).is_some_and(|rest| !rest.contains('/')),
        None => is_below(path, name),
    }
}

/// Everything may be written: no mount is made for that.
fn within_root(list: &[String]) -> bool {
    list.iter().any(|tree| tree == "/")
}

fn within(path: &str, list: Option<&[String]>) -> bool {
    list.is_none_or(|list| below(path, list))
}

fn below(path: &str, trees: &[String]) -> bool {
    trees.iter().any(|tree| is_below(path, tree))
}

#[cfg(test)]
mod tests {
    use model::sandbox::{Files, Forbid, Proc, Tmp, View};

    use super::*;

    fn list(trees: &[&str]) -> Option<Vec<String>> {
        Some(trees.iter().map(|tree| (*tree).to_owned()).collect())
    }

    fn judge(files: Files, hidden: &[&str]) -> Judge {
        let forbid = Forbid { files: list(hidden).unwrap(), ..Forbid::default() };
        Judge::of(&Profile { files, forbid, ..Profile::default() }).unwrap()
    }

    #[test]
    fn each_list_is_about_its_own_use() {
        let files = Files {
            read: list(&["/etc"]),
            write: list(&["/var/lib/a"]),
            execute: list(&["/usr"]),
            ..Files::default()
        };
        let judge = judge(files, &["/etc/shadow"]);
        let file = |path, how| judge.allows(path, Kind::File, how);
        assert!(file("/etc/passwd", Use::Read) && !file("/etc/shadow", Use::Look));
        assert!(file("/var/lib/a/x", Use::Write) && file("/var/lib/a/x", Use::Read));
        assert!(!file("/var/lib/a/x", Use::Execute) && !file("/var/lib/a/x", Use::Map));
        assert!(file("/usr/bin/x", Use::Execute) && file("/usr/lib/x", Use::Map));
        assert!(!file("/etc/passwd", Use::Execute) && !file("/etc/passwd", Use::Write));
        assert!(file("/opt/x", Use::Look), "attributes are for everybody");
        assert!(judge.allows("/dev/null", Kind::Device, Use::Write));
        assert!(!judge.allows("/dev/sda", Kind::Device, Use::Read));
    }

    #[test]
    fn in_a_listed_view_also_looking_is_restricted() {
        let files = Files { view: View::Listed, execute: list(&["/usr"]), ..Files::default() };
        let judge = judge(files, &[]);
        let look = |path| judge.allows(path, Kind::File, Use::Look);
        assert!(look("/usr/bin/x") && look("/bin") && look("/") && !look("/etc/x"));
        assert!(!judge.allows("/", Kind::Directory, Use::List));
    }

    #[test]
    fn directories_of_its_own_hold_what_is_made_there() {
        let files = Files {
            tmp: Tmp::Private,
            proc: Proc::Own,
            devices: list(&["fb0", "pts", "video*"]),
            ..Files::default()
        };
        let judge = judge(files, &[]);
        assert!(judge.allows("/tmp", Kind::Directory, Use::Make));
        assert!(!judge.allows("/tmp/others", Kind::File, Use::Read));
        assert!(judge.allows("/proc/self/status", Kind::File, Use::Read));
        assert!(!judge.allows("/proc/self/comm", Kind::File, Use::Write));
        assert!(!judge.allows("/proc/kcore", Kind::File, Use::Read));
        assert!(judge.allows("/dev/fb0", Kind::Device, Use::Write));
        assert!(judge.allows("/dev/pts/3", Kind::Device, Use::Write));
        assert!(!judge.allows("/dev/fb1", Kind::Device, Use::Read));
        assert!(judge.allows("/dev/video1", Kind::Device, Use::Read), "video* is all of them");
        assert!(!judge.allows("/dev", Kind::Directory, Use::Make));
    }
}
