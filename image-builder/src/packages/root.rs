//! What maintainer scripts would have done, and what makes a tree of packages the root of a device.
//!
//! Names and users, the CA bundle, links that alternatives and busybox make, the fixed files of `/etc`, and
//! the directories to mount on. Everything is computed from the tree and the device; no program runs,
//! so it is the same for every architecture.
//!
//! There is no `/etc/ld.so.cache`: Debian's loader looks into `/usr/lib/TRIPLET` and `/usr/lib` by itself, where
//! all libraries are; the list of directories of a package that has others is an error, not a riddle.

mod accounts;
mod busybox;
mod declared;
mod pam;

use anyhow::{Context, Result, bail};
use model::Device;
use model::word::Word;

use crate::tree::{Content, Kind, Node, Tree};

use self::accounts::Accounts;

/// Directories every root has, with their modes. What is below `var` is what the state begins with.
const DIRECTORIES: &[(&str, u16)] = &[
    ("boot", 0o755),
    ("dev", 0o755),
    ("etc", 0o755),
    ("home", 0o755),
    ("mnt", 0o755),
    ("opt", 0o755),
    ("proc", 0o555),
    ("root", 0o700),
    ("run", 0o755),
    ("srv", 0o755),
    ("sys", 0o555),
    ("tmp", 0o1777),
    ("usr/local/bin", 0o755),
    ("var/cache", 0o755),
    ("var/lib", 0o755),
    ("var/lib/ensemble/etc/upper", 0o755),
    ("var/lib/ensemble/etc/work", 0o755),
    ("var/log", 0o755),
    ("var/spool", 0o755),
    ("var/tmp", 0o1777),
];

/// Links every root has. The DHCP client writes name servers, which are no state to keep, into `/run`.
const LINKS: &[(&str, &str)] = &[
    ("etc/mtab", "../proc/self/mounts"),
    ("etc/os-release", "../usr/lib/os-release"),
    ("etc/resolv.conf", "../run/resolv.conf"),
    ("var/lock", "../run/lock"),
    ("var/run", "../run"),
];

/// Files that `ucf` copies in maintainer scripts: from, to, mode.
const COPIES: &[(&str, &str, u16)] = &[
    ("usr/share/chrony/chrony.conf", "etc/chrony/chrony.conf", 0o644),
    ("usr/share/chrony/chrony.keys", "etc/chrony/chrony.keys", 0o640),
];

/// Directories that maintainer scripts make or give to a user: a file of the package, path, user.
const OWNED: &[(&str, &str, &str)] = &[
    ("usr/sbin/chronyd", "var/lib/chrony", "_chrony"),
    ("usr/sbin/chronyd", "var/log/chrony", "_chrony"),
];

/// Links of the alternatives system: the link, and what it may lead to, best first.
const ALTERNATIVES: &[(&str, &[&str])] = &[
    ("usr/bin/awk", &["gawk", "mawk", "original-awk"]),
    ("usr/bin/editor", &["vim.basic", "vim.tiny", "nano"]),
    ("usr/bin/nc", &["nc.openbsd", "nc.traditional"]),
    ("usr/bin/pager", &["less"]),
    ("usr/bin/vi", &["vim.basic", "vim.tiny"]),
    ("usr/sbin/ip6tables", &["ip6tables-nft"]),
    ("usr/sbin/iptables", &["iptables-nft"]),
];

/// Where the loader finds libraries without a cache, below `/usr/lib` or `/lib`.
const LOADED_FROM: &[&str] = &["x86_64-linux-gnu", "aarch64-linux-gnu", ""];

const NSSWITCH: &str = "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\nnetworks: files\n\
                        protocols: files\nservices: files\nethers: files\nrpc: files\n";

/// Makes the packages' tree the root of `device`, but for our programs and the device's own files.
///
/// # Errors
/// Two users have one name or number, the time zone is not in the tree, or a path is in the way.
pub fn finish(tree: &mut Tree, device: &Device) -> Result<()> {
    for (path, mode) in DIRECTORIES {
        tree.insert(path, Node::directory(*mode))?;
    }
    for (path, target) in LINKS {
        put(tree, path, Node::symlink(*target))?;
    }
    let accounts = Accounts::of(tree, &device.users)?;
    accounts.write(tree)?;
    declared::directories(tree, &accounts)?;
    by_scripts(tree, &accounts)?;
    alternatives(tree)?;
    busybox::links(tree)?;
    certificates(tree)?;
    pam::common(tree)?;
    time_zone(tree, &device.timezone)?;
    no_other_libraries(tree)?;
    identity(tree, device)
}

/// Makes the packages' tree the root that programs of a bundle see. Users, state and identity they have of the
/// device; `whole`: nothing lies below it.
///
/// # Errors
/// Libraries are where no program finds them, or a path is in the way.
pub fn finish_for_apps(tree: &mut Tree, suite: &str, whole: bool) -> Result<()> {
    alternatives(tree)?;
    busybox::links(tree)?;
    certificates(tree)?;
    no_other_libraries(tree)?;
    if whole {
        let release = format!(
            "ID=debian\nNAME=\"Debian GNU/Linux\"\nPRETTY_NAME=\"Debian GNU/Linux {suite}\"\nVERSION_CODENAME={suite}\n"
        );
        put(tree, "usr/lib/os-release", Node::file(0o644, release.as_str()))?;
        put(tree, "etc/os-release", Node::symlink("../usr/lib/os-release"))?;
        put(tree, "etc/nsswitch.conf", Node::file(0o644, NSSWITCH))?;
    }
    Ok(())
}

fn by_scripts(tree: &mut Tree, accounts: &Accounts) -> Result<()> {
    for (from, to, mode) in COPIES {
        if let Some(Kind::File(content)) = tree.get(from).map(|node| node.kind.clone()) {
            put(tree, to, Node::file(*mode, content))?;
        }
    }
    for (file, path, user) in OWNED {
        if tree.get(file).is_some() {
            let (uid, gid) = (accounts.uid(user), accounts.gid(user));
            let (uid, gid) = (
                uid.context("a user that is not there")?,
                gid.context("a group that is not there")?,
            );
            tree.insert(path, Node::directory(0o750).owned_by(uid, gid))?;
        }
    }
    Ok(())
}

/// Inserts in place of a file or link that is there.
fn put(tree: &mut Tree, path: &str, node: Node) -> Result<()> {
    if !tree.is_directory(path) {
        tree.remove(path);
    }
    Ok(tree.insert(path, node)?)
}

fn identity(tree: &mut Tree, device: &Device) -> Result<()> {
    let release = format!(
        "ID=ensemble\nID_LIKE=debian\nNAME=Ensemble\nPRETTY_NAME=\"Ensemble {0}\"\nVERSION_ID=\"{0}\"\nVARIANT_ID={1}\n",
        device.version,
        device.form_factor.word()
    );
    let hosts = format!(
        "127.0.0.1 localhost\n127.0.1.1 {0} {0}.local\n::1 localhost ip6-localhost ip6-loopback\n\
         ff02::1 ip6-allnodes\nff02::2 ip6-allrouters\n",
        device.hostname
    );
    let files = [
        ("usr/lib/os-release", release),
        ("etc/hostname", format!("{}\n", device.hostname)),
        ("etc/hosts", hosts),
        ("etc/locale.conf", format!("LANG={}\n", device.locale)),
        ("etc/nsswitch.conf", NSSWITCH.to_owned()),
        // Empty until the first boot gives the device its own.
        ("etc/machine-id", String::new()),
        ("etc/shells", "/bin/sh\n".to_owned()),
    ];
    for (path, text) in files {
        put(tree, path, Node::file(0o644, text.as_str()))?;
    }
    Ok(())
}

/// All certificates of `ca-certificates` in one file, where OpenSSL, GnuTLS and rustls look for it.
fn certificates(tree: &mut Tree) -> Result<()> {
    let below = "usr/share/ca-certificates/";
    let mut bundle = Vec::new();
    for (path, node) in tree.iter().filter(|(p, _)| p.starts_with(below) && p.ends_with(".crt")) {
        if let Kind::File(content) = &node.kind {
            bundle.extend_from_slice(&content.read().with_context(|| format!("reading `{path}`"))?);
            if bundle.last() != Some(&b'\n') {
                bundle.push(b'\n');
            }
        }
    }
    if bundle.is_empty() {
        return Ok(());
    }
    put(tree, "etc/ssl/certs/ca-certificates.crt", Node::file(0o644, bundle))?;
    put(tree, "etc/ssl/cert.pem", Node::symlink("certs/ca-certificates.crt"))
}

fn time_zone(tree: &mut Tree, zone: &str) -> Result<()> {
    let file = format!("usr/share/zoneinfo/{zone}");
    if tree.get(&file).is_none() {
        if zone != "UTC" {
            bail!(
                "setting the time zone: `{zone}` is not in the image: add `tzdata` to [packages] install"
            );
        }
        return Ok(());
    }
    put(tree, "etc/localtime", Node::symlink(format!("../{file}")))?;
    put(tree, "etc/timezone", Node::file(0o644, format!("{zone}\n").as_str()))
}

fn alternatives(tree: &mut Tree) -> Result<()> {
    for (link, targets) in ALTERNATIVES {
        let directory = link.rsplit_once('/').map_or("", |(directory, _)| directory);
        let there = |target: &&&str| tree.get(&format!("{directory}/{target}")).is_some();
        if let Some(target) = targets.iter().find(there)
            && tree.get(link).is_none()
        {
            tree.insert(link, Node::symlink(*target))?;
        }
    }
    Ok(())
}

/// Libraries outside the loader's own directories would need a cache.
fn no_other_libraries(tree: &Tree) -> Result<()> {
    let lists =
        tree.iter().filter(|(p, _)| p.starts_with("etc/ld.so.conf.d/") && p.ends_with(".conf"));
    for (path, node) in lists {
        let text = text(&node.kind).with_context(|| format!("reading `{path}`"))?;
        for directory in text.lines().map(|l| l.split('#').next().unwrap_or_default().trim()) {
            let inside = directory.trim_start_matches('/');
            let inside =
                if inside.starts_with("lib") { format!("usr/{inside}") } else { inside.to_owned() };
            let own = inside.strip_prefix("usr/lib").map(|rest| rest.trim_matches('/'));
            let known = own.is_some_and(|rest| LOADED_FROM.contains(&rest));
            if !inside.is_empty() && !known && tree.children(&inside).any(|f| f.contains(".so")) {
                bail!(
                    "finding libraries: `{path}` of a package names {directory}, where the loader of the device \
                     does not look: link its libraries into /usr/lib with [[file]], or with `files` of a bundle's [source]"
                );
            }
        }
    }
    Ok(())
}

/// The text of a small file of a package.
fn text(kind: &Kind) -> Result<String> {
    /// The largest declaration of a package read as text.
    const MAX_TEXT: u64 = 1 << 20;
    match kind {
        Kind::File(content) if content.len() <= MAX_TEXT => read_text(content),
        Kind::File(content) => bail!("{} bytes; at most {MAX_TEXT}", content.len()),
        _ => Ok(String::new()),
    }
}

fn read_text(content: &Content) -> Result<String> {
    Ok(String::from_utf8_lossy(&content.read()?).into_owned())
}

/// The texts of the files directly below `directory` whose names end so, in order.
fn texts(tree: &Tree, directory: &str, ending: &str) -> Result<Vec<(String, String)>> {
    let paths = tree.children(directory).filter(|p| p.ends_with(ending));
    let read = |path: &str| {
        let kind = &tree.get(path).context("a path that is gone")?.kind;
        Ok((path.to_owned(), text(kind).with_context(|| format!("reading `{path}`"))?))
    };
    paths.map(read).collect()
}

#[cfg(test)]
mod tests;
