//! A tree of a whole system as the files of a bundle: without what apps never see or use, and without what
//! devices refuse.
//!
//! ```text
//! packages, layers ─► Tree ─┬─ left out: LEFT_OUT, DEVICES_OWN, exclude
//!                           ├─ modes 0755 and 0644, owner root, no set-id
//!                           └─ links: /usr/x ─► ../x, a/../b ─► b
//! ```
//!
//! Invariant: a link leads where it led in the system that its tree is the root of, and says so without `/` in front
//! and with `..` in front only: devices take no other. Pure.

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use model::sandbox::is_of_root;

use super::files::excluded;
use crate::tree::{Kind, Node, Tree};

/// Directories that an app sees of the device, whatever its bundle has there.
pub(super) const DEVICES_OWN: &[&str] = &[
    "boot",
    "dev",
    "home",
    "lost+found",
    "media",
    "mnt",
    "proc",
    "root",
    "run",
    "sys",
    "tmp",
    "var",
];

/// Files of packages that do their work where a system is put together or runs services, never in an app.
pub(super) const LEFT_OUT: &[&str] = &[
    "etc/apparmor.d",
    "etc/apt",
    "etc/bash_completion.d",
    "etc/cron.d",
    "etc/cron.daily",
    "etc/cron.hourly",
    "etc/cron.monthly",
    "etc/cron.weekly",
    "etc/cron.yearly",
    "etc/default",
    "etc/dpkg",
    "etc/init.d",
    "etc/insserv.conf.d",
    "etc/kernel",
    "etc/ld.so.cache",
    "etc/ld.so.conf",
    "etc/ld.so.conf.d",
    "etc/logrotate.d",
    "etc/modprobe.d",
    "etc/network",
    "etc/pam.d",
    "etc/rc0.d",
    "etc/rc1.d",
    "etc/rc2.d",
    "etc/rc3.d",
    "etc/rc4.d",
    "etc/rc5.d",
    "etc/rc6.d",
    "etc/rcS.d",
    "etc/rsyslog.d",
    "etc/security",
    "etc/selinux",
    "etc/skel",
    "etc/sudoers.d",
    "etc/sysctl.d",
    "etc/systemd",
    "etc/tmpfiles.d",
    "etc/udev",
    "etc/ufw",
    "etc/update-motd.d",
    "etc/xdg/autostart",
    "etc/xdg/systemd",
    "usr/lib/dpkg",
    "usr/lib/init",
    "usr/lib/kernel",
    "usr/lib/modprobe.d",
    "usr/lib/modules-load.d",
    "usr/lib/systemd",
    "usr/lib/sysctl.d",
    "usr/lib/sysusers.d",
    "usr/lib/tmpfiles.d",
    "usr/lib/udev",
    "usr/share/apport",
    "usr/share/apparmor",
    "usr/share/bash-completion",
    "usr/share/bug",
    "usr/share/dbus-1/system-services",
    "usr/share/dbus-1/system.d",
    "usr/share/debconf",
    "usr/share/doc",
    "usr/share/doc-base",
    "usr/share/fish",
    "usr/share/gdb",
    "usr/share/gtk-doc",
    "usr/share/info",
    "usr/share/initramfs-tools",
    "usr/share/lintian",
    "usr/share/man",
    "usr/share/menu",
    "usr/share/metainfo",
    "usr/share/polkit-1",
    "usr/share/python3/runtime.d",
    "usr/share/reportbug",
    "usr/share/zsh",
];

/// Links that are followed on the way to where one leads: as many as Linux does.
const MAX_LINKS: usize = 40;

/// The tree without what `exclude` names, nor what is at or below `left_out`, as devices take it.
///
/// # Errors
/// There is a device, or a link leads in a circle.
pub(super) fn fit(tree: &Tree, left_out: &[&[&str]], exclude: &[String]) -> Result<Tree> {
    let out = |path: &str| {
        left_out.iter().flat_map(|list| list.iter()).any(|one| at_or_below(path, one))
            || ancestors(path).any(|above| exclude.iter().any(|pattern| excluded(pattern, above)))
    };
    let mut fitted = Tree::new();
    // Where the file of a name that stays is, when the name that had it is left out.
    let mut moved: BTreeMap<&str, String> = BTreeMap::new();
    for (path, node) in tree.iter().filter(|(path, _)| !path.is_empty() && !out(path)) {
        let node = match &node.kind {
            Kind::Directory => Node::directory(0o755),
            Kind::File(content) => Node::file(mode(node), content.clone()),
            Kind::Symlink(target) => Node::symlink(link(tree, path, target)?),
            Kind::Hardlink(to) => match (tree.get(to), out(to)) {
                (Some(file), true) => match moved.get(to.as_str()) {
                    Some(first) => hard(first, file),
                    None => {
                        moved.insert(to, path.to_owned());
                        let Kind::File(content) = &file.kind else {
                            bail!("{path}: a link to no file")
                        };
                        Node::file(mode(file), content.clone())
                    }
                },
                (Some(file), false) => hard(to, file),
                (None, _) => bail!("{path} is another name of {to}, which is not there"),
            },
            Kind::Device { .. } => bail!("{path} is a device: leave it out with [source] exclude"),
        };
        fitted.insert(path, node)?;
    }
    Ok(fitted)
}

/// What lies at the top of a tree that is not among what programs see of a root.
pub(super) fn unseen(tree: &Tree) -> Vec<&str> {
    tree.children("").filter(|name| !is_of_root(&format!("/{name}"))).collect()
}

fn hard(to: &str, file: &Node) -> Node {
    Node { mode: mode(file), uid: 0, gid: 0, kind: Kind::Hardlink(to.to_owned()) }
}

fn mode(node: &Node) -> u16 {
    if node.mode & 0o100 == 0 { 0o644 } else { 0o755 }
}

fn at_or_below(path: &str, directory: &str) -> bool {
    path.strip_prefix(directory).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The path itself and all above it.
fn ancestors(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').map(|(at, _)| path.get(..at).unwrap_or_default()).chain([path])
}

/// What the link at `path` says in a bundle, if it says `target` in a system that `tree` is the root of.
fn link(tree: &Tree, path: &str, target: &str) -> Result<String> {
    let words: Vec<&str> = target.split('/').filter(|word| !matches!(*word, "" | ".")).collect();
    let above = path.rsplit_once('/').map_or("", |(above, _)| above);
    let from = if target.starts_with('/') { "" } else { above };
    let up = words.iter().rposition(|word| *word == "..").map_or(0, |last| last + 1);
    let (before, after) = words.split_at(up);
    let Some(mut place) = followed(tree, from, before) else {
        bail!("the link {path} leads in a circle");
    };
    place.extend(after.iter().map(ToString::to_string));
    let above: Vec<&str> = above.split('/').filter(|word| !word.is_empty()).collect();
    let same = above.iter().zip(&place).take_while(|(a, b)| *a == b).count();
    let ups = std::iter::repeat_n("..", above.len() - same);
    let downs = place.iter().skip(same).map(String::as_str);
    let words: Vec<&str> = ups.chain(downs).collect();
    Ok(if words.is_empty() { ".".to_owned() } else { words.join("/") })
}

/// Where a walk of these words from `from` ends, with links followed on the way; `None`: in a circle.
pub(super) fn followed(tree: &Tree, from: &str, words: &[&str]) -> Option<Vec<String>> {
    followed_in(&|path| tree.get(path), from, words)
}

/// The same in whatever finds nodes.
pub(super) fn followed_in<'t>(
    find: &dyn Fn(&str) -> Option<&'t Node>,
    from: &str,
    words: &[&str],
) -> Option<Vec<String>> {
    let mut place: Vec<String> =
        from.split('/').filter(|word| !word.is_empty()).map(str::to_owned).collect();
    let mut left: Vec<String> = words.iter().rev().map(ToString::to_string).collect();
    let mut links = 0;
    while let Some(word) = left.pop() {
        match word.as_str() {
            "" | "." => continue,
            // Above the root is the root.
            ".." => {
                place.pop();
                continue;
            }
            _ => place.push(word),
        }
        if let Some(Kind::Symlink(target)) = find(&place.join("/")).map(|node| &node.kind) {
            links += 1;
            if links > MAX_LINKS {
                return None;
            }
            place.pop();
            if target.starts_with('/') {
                place.clear();
            }
            left.extend(target.split('/').rev().map(str::to_owned));
        }
    }
    Some(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A small system.
    fn system() -> Tree {
        let mut tree = Tree::new();
        for (path, target) in [
            ("bin", "usr/bin"),
            ("etc/alternatives/vi", "/usr/bin/vim"),
            ("etc/mtab", "../proc/self/mounts"),
            ("usr/bin/vi", "/etc/alternatives/vi"),
            ("usr/bin/up", "../../../../../usr/share/x"),
            ("usr/lib/a/far", "../../../bin/../lib/b"),
            ("usr/bin/X11", "."),
            ("usr/lib/self", "/usr/lib"),
        ] {
            tree.insert(path, Node::symlink(target)).unwrap();
        }
        tree.insert("usr/bin/vim", Node::file(0o4755, "vim").owned_by(0, 7)).unwrap();
        tree.insert("usr/share/doc/vim/tutor", Node::file(0o664, "tutor")).unwrap();
        let name =
            Node { kind: Kind::Hardlink("usr/share/doc/vim/tutor".into()), ..Node::file(0, "") };
        tree.insert("usr/share/vim/tutor", name.clone()).unwrap();
        tree.insert("usr/share/vim/tutor.en", name).unwrap();
        tree.insert("var/lib/x", Node::file(0o600, "")).unwrap();
        tree.insert("tmp", Node::directory(0o1777)).unwrap();
        tree
    }

    #[test]
    fn links_lead_where_they_led_and_no_further() {
        let fitted = fit(&system(), &[], &[]).unwrap();
        let target = |path: &str| match &fitted.get(path).unwrap().kind {
            Kind::Symlink(target) => target.clone(),
            other => panic!("{other:?}"),
        };
        for (path, expected) in [
            ("bin", "usr/bin"),
            ("etc/alternatives/vi", "../../usr/bin/vim"),
            ("etc/mtab", "../proc/self/mounts"),
            ("usr/bin/vi", "../../etc/alternatives/vi"),
            ("usr/bin/up", "../share/x"),
            ("usr/lib/a/far", "../b"), // through the link bin, so below usr
            ("usr/bin/X11", "."),
            ("usr/lib/self", "."),
        ] {
            assert_eq!(target(path), expected, "{path}");
        }
    }

    #[test]
    fn what_is_left_out_takes_no_other_name_of_a_file_with_it() {
        let fitted = fit(&system(), &[LEFT_OUT, DEVICES_OWN], &["X11".to_owned()]).unwrap();
        for gone in ["usr/share/doc", "var", "tmp", "usr/bin/X11"] {
            assert!(fitted.get(gone).is_none(), "{gone}");
        }
        let kind = |path: &str| fitted.get(path).map(|node| node.kind.clone());
        assert!(matches!(kind("usr/share/vim/tutor"), Some(Kind::File(_))));
        let Some(Kind::Hardlink(to)) = kind("usr/share/vim/tutor.en") else { panic!() };
        assert_eq!(to, "usr/share/vim/tutor");
        assert!(fitted.entries().is_ok());
    }

    #[test]
    fn nothing_has_rights_or_an_owner() {
        let fitted = fit(&system(), &[], &[]).unwrap();
        let vim = fitted.get("usr/bin/vim").unwrap();
        assert_eq!((vim.mode, vim.uid, vim.gid), (0o755, 0, 0));
        assert_eq!(fitted.get("tmp").unwrap().mode, 0o755);
        assert_eq!(fitted.get("usr/share/vim/tutor").unwrap().mode, 0o644);
    }

    #[test]
    fn circles_and_devices_are_refused() {
        let mut tree = Tree::new();
        tree.insert("a", Node::symlink("b")).unwrap();
        tree.insert("b", Node::symlink("a")).unwrap();
        tree.insert("c", Node::symlink("a/../x")).unwrap();
        assert!(fit(&tree, &[], &[]).unwrap_err().to_string().contains("in a circle"));
        let mut tree = Tree::new();
        let null = Kind::Device { block: false, major: 1, minor: 3 };
        tree.insert("usr/null", Node { kind: null, ..Node::file(0, "") }).unwrap();
        let error = fit(&tree, &[], &[]).unwrap_err().to_string();
        assert_eq!(error, "usr/null is a device: leave it out with [source] exclude");
    }
}
