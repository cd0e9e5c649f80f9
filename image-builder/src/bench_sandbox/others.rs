//! The policy of an app in the words of other launchers.

use model::sandbox::{Compiled, Mount, Show};

/// Links at the root, which are shown as links.
const LINKS: [&str; 4] = ["/bin", "/lib", "/lib64", "/sbin"];

/// A line for each command: name and words, with tabs between. The program's words come behind.
pub(super) fn commands(app: &Compiled) -> String {
    let with = |name: &str, words: Vec<String>| format!("{name}\t{}\n", words.join("\t"));
    with("bubblewrap", bubblewrap(app, true)) + &with("bubblewrap-network", bubblewrap(app, false))
}

fn words(text: &str) -> impl Iterator<Item = String> {
    text.split_whitespace().map(str::to_owned)
}

/// As root, which spares it a user namespace; so it can't change the user.
fn bubblewrap(app: &Compiled, network: bool) -> Vec<String> {
    let mut all: Vec<String> = words("/usr/bin/bwrap --unshare-ipc --unshare-uts --unshare-cgroup")
        .chain(words("--cap-drop ALL --new-session --seccomp 3"))
        .collect();
    if network {
        all.push("--unshare-net".to_owned());
    }
    for mount in &app.mounts {
        all.extend(match mount {
            Mount::Show(path, _) if LINKS.contains(&path.as_str()) => {
                words(&format!("--symlink usr{path} {path}")).collect()
            }
            Mount::Show(path, Show::Write) => words(&format!("--bind {path} {path}")).collect(),
            Mount::Show(path, _) => words(&format!("--ro-bind {path} {path}")).collect(),
            Mount::Tmp(path, size) => {
                words(&format!("--perms 1777 --size {size} --tmpfs {path}")).collect()
            }
            Mount::Proc => words("--proc /proc").collect(),
            Mount::Dev(_) => words("--dev /dev").collect(),
            Mount::Pivot => words("--remount-ro /").collect(),
            // Its root is private and empty anyway, and what it does not show needs no hiding.
            _ => Vec::new(),
        });
    }
    all.extend(words("--chdir / --"));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn others_are_given_the_same_trees() {
        let mounts = vec![
            Mount::Private,
            Mount::Root,
            Mount::Show("/lib".into(), Show::Execute),
            Mount::Show("/usr".into(), Show::Execute),
            Mount::Tmp("/tmp".into(), 9),
            Mount::Proc,
            Mount::Pivot,
        ];
        let app = Compiled { mounts, ..Compiled::default() };
        let shown = bubblewrap(&app, false).join(" ");
        assert!(
            shown.ends_with(
                "--symlink usr/lib /lib --ro-bind /usr /usr --perms 1777 --size 9 --tmpfs /tmp --proc /proc \
                 --remount-ro / --chdir / --"
            ),
            "{shown}"
        );
        assert!(!shown.contains("--unshare-net"));
        assert!(bubblewrap(&app, true).contains(&"--unshare-net".to_owned()));
    }
}
