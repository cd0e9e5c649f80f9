//! What a path leads to, as the kernel would find it: one name after the other, links noted on the way.
//!
//! Pure: what is there is asked of a [`World`]. `/proc/self` is that of the process that asks. Behind a
//! link of `/proc` that leads to no path (a pipe, a deleted file) is nothing that a profile could name.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Most links on one way, as the kernel has it.
const MAX_LINKS: usize = 40;

/// Most names on one way: as many as fit in a path, for each link.
const MAX_STEPS: usize = 4096;

/// What lies at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A directory.
    Directory,
    /// A file with contents.
    File,
    /// A symbolic link.
    Link,
    /// A device.
    Device,
    /// A socket.
    Socket,
    /// A pipe.
    Pipe,
}

/// What is where.
pub trait World {
    /// What lies at this path; links above it are followed by who asks, one at its end is not.
    fn kind(&self, path: &Path) -> Option<Kind>;

    /// Where a link leads.
    fn link(&self, path: &Path) -> Option<PathBuf>;
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Who {
    /// The process.
    pub process: i32,
    /// Its thread.
    pub thread: i32,
    /// Its root directory.
    pub root: PathBuf,
}

/// Where a path leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The real path: no link in it but perhaps at its end.
    pub path: PathBuf,
    /// What is there; nothing when it could be made there.
    pub kind: Option<Kind>,
    /// Links on the way.
    pub links: Vec<PathBuf>,
}

/// Where `path` leads from `base`. `follow`: also what a link at its end leads to. None: to nothing, and
/// nothing could be made there, or to what has no path.
pub fn resolve(
    world: &dyn World,
    who: &Who,
    base: &Path,
    path: &Path,
    follow: bool,
) -> Option<Found> {
    let mut rest = VecDeque::new();
    let mut here = base.to_owned();
    go(path, &mut rest, &mut here, &who.root);
    let directory = path.as_os_str().as_bytes().ends_with(b"/");
    let mut links = Vec::new();
    for _ in 0..MAX_STEPS {
        let Some(name) = rest.pop_front() else {
            return Some(Found { kind: world.kind(&here), path: here, links });
        };
        if name == OsStr::new("..") {
            if here != who.root {
                here.pop();
            }
            continue;
        }
        let at = own(&here, &name, who);
        match world.kind(&at) {
            None if rest.is_empty() => return Some(Found { path: at, kind: None, links }),
            None => return None,
            Some(Kind::Link) if follow || directory || !rest.is_empty() => {
                let text = world.link(&at)?;
                if at.starts_with("/proc") {
                    let nowhere = text.as_os_str().as_bytes().ends_with(b" (deleted)");
                    if nowhere || !text.is_absolute() && at != Path::new("/proc/mounts") {
                        return None;
                    }
                } else {
                    links.push(at);
                }
                if links.len() > MAX_LINKS {
                    return None;
                }
                go(&text, &mut rest, &mut here, &who.root);
            }
            Some(kind) if rest.is_empty() => {
                return Some(Found { path: at, kind: Some(kind), links });
            }
            Some(_) => here = at,
        }
    }
    None
}

/// Puts `path` before the rest of the way.
fn go(path: &Path, rest: &mut VecDeque<OsString>, here: &mut PathBuf, root: &Path) {
    let names = path.as_os_str().as_bytes().split(|b| *b == b'/');
    let names: Vec<_> = names.filter(|name| !matches!(*name, b"" | b".")).collect();
    for name in names.into_iter().rev() {
        rest.push_front(OsStr::from_bytes(name).to_owned());
    }
    if path.is_absolute() {
        root.clone_into(here);
    }
}

/// `name` in `here`; what `/proc` says of itself is said of who asks.
fn own(here: &Path, name: &OsStr, who: &Who) -> PathBuf {
    match name.to_str() {
        Some("self") if here == Path::new("/proc") => here.join(who.process.to_string()),
        Some("thread-self") if here == Path::new("/proc") => {
            here.join(format!("{}/task/{}", who.process, who.thread))
        }
        Some("mounts") if here == Path::new("/proc") => {
            here.join(format!("{}/mounts", who.process))
        }
        _ => here.join(name),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    struct Map(BTreeMap<&'static str, (Kind, &'static str)>);

    impl World for Map {
        fn kind(&self, path: &Path) -> Option<Kind> {
            self.0.get(path.to_str()?).map(|(kind, _)| *kind)
        }

        fn link(&self, path: &Path) -> Option<PathBuf> {
            self.0.get(path.to_str()?).map(|(_, text)| text.into())
        }
    }

    fn world() -> Map {
        let directories = ["/", "/usr", "/usr/bin", "/etc", "/proc", "/proc/7", "/proc/7/fd"];
        let mut all: BTreeMap<_, _> =
            directories.iter().map(|path| (*path, (Kind::Directory, ""))).collect();
        all.insert("/bin", (Kind::Link, "usr/bin"));
        all.insert("/usr/bin/awk", (Kind::Link, "/etc/awk"));
        all.insert("/etc/awk", (Kind::Link, "../usr/bin/mawk"));
        all.insert("/usr/bin/mawk", (Kind::File, ""));
        all.insert("/etc/round", (Kind::Link, "round"));
        all.insert("/proc/7/fd/1", (Kind::Link, "pipe:[5]"));
        all.insert("/proc/7/fd/2", (Kind::Link, "/etc/awk"));
        all.insert("/proc/7/fd/3", (Kind::Link, "/etc/gone (deleted)"));
        Map(all)
    }

    fn found(base: &str, path: &str, follow: bool) -> Option<(String, Option<Kind>, Vec<String>)> {
        let who = Who { process: 7, thread: 8, root: "/".into() };
        let found = resolve(&world(), &who, Path::new(base), Path::new(path), follow)?;
        let text = |path: PathBuf| path.into_os_string().into_string().unwrap();
        Some((text(found.path), found.kind, found.links.into_iter().map(text).collect()))
    }

    fn file(path: &str, links: &[&str]) -> Option<(String, Option<Kind>, Vec<String>)> {
        Some((path.into(), Some(Kind::File), links.iter().map(|l| (*l).to_owned()).collect()))
    }

    #[test]
    fn a_path_leads_over_every_link_on_its_way() {
        let links = ["/bin", "/usr/bin/awk", "/etc/awk"];
        assert_eq!(found("/", "/bin/awk", true), file("/usr/bin/mawk", &links));
        assert_eq!(
            found("/usr/bin", "../../../bin/./mawk", true),
            file("/usr/bin/mawk", &["/bin"])
        );
        let link = found("/", "/bin/awk", false).unwrap();
        assert_eq!((link.0.as_str(), link.1), ("/usr/bin/awk", Some(Kind::Link)));
    }

    #[test]
    fn what_is_missing_could_be_made_if_its_directory_is_there() {
        assert_eq!(found("/etc", "new", true), Some(("/etc/new".into(), None, vec![])));
        assert_eq!(found("/etc", "new/file", true), None);
        assert_eq!(found("/etc", "round", true), None, "in circles");
    }

    #[test]
    fn a_descriptor_in_proc_is_that_of_who_asks() {
        assert_eq!(found("/", "/proc/self/fd/1", true), None, "a pipe has no path");
        assert_eq!(found("/", "/proc/self/fd/3", true), None, "deleted");
        assert_eq!(found("/", "/proc/self/fd/2", true), file("/usr/bin/mawk", &["/etc/awk"]));
    }

    #[test]
    fn nobody_gets_above_his_root() {
        let who = Who { process: 7, thread: 7, root: "/usr".into() };
        let at = resolve(&world(), &who, Path::new("/usr"), Path::new("/../../bin/mawk"), true);
        assert_eq!(at.unwrap().path, Path::new("/usr/bin/mawk"));
    }
}
