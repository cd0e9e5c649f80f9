//! The parts of PAM's configuration that `pam-auth-update` writes in a maintainer script.
//!
//! Services of Debian include `/etc/pam.d/common-*`; without them none of them lets anybody in, and cron
//! runs nothing. Written is what it writes when only `pam_unix` is chosen, as in Debian's own images
//! without systemd; a file of the device in their place wins.

use anyhow::Result;

use super::put;
use crate::tree::{Node, Tree};

/// Who has this has PAM.
const RUNTIME: &str = "usr/share/pam/common-auth";

/// The files, and what is in them.
const FILES: &[(&str, &str)] = &[
    (
        "etc/pam.d/common-account",
        "account\t[success=1 new_authtok_reqd=done default=ignore]\tpam_unix.so\n\
         account\trequisite\tpam_deny.so\n\
         account\trequired\tpam_permit.so\n",
    ),
    (
        "etc/pam.d/common-auth",
        "auth\t[success=1 default=ignore]\tpam_unix.so nullok\n\
         auth\trequisite\tpam_deny.so\n\
         auth\trequired\tpam_permit.so\n",
    ),
    (
        "etc/pam.d/common-password",
        "password\t[success=1 default=ignore]\tpam_unix.so obscure yescrypt\n\
         password\trequisite\tpam_deny.so\n\
         password\trequired\tpam_permit.so\n",
    ),
    ("etc/pam.d/common-session", SESSION),
    ("etc/pam.d/common-session-noninteractive", SESSION),
];

const SESSION: &str = "session\t[default=1]\tpam_permit.so\n\
                       session\trequisite\tpam_deny.so\n\
                       session\trequired\tpam_permit.so\n\
                       session\trequired\tpam_unix.so\n";

/// Writes them if the tree has PAM.
pub(super) fn common(tree: &mut Tree) -> Result<()> {
    if tree.get(RUNTIME).is_none() {
        return Ok(());
    }
    for (path, text) in FILES {
        if tree.get(path).is_some() {
            continue;
        }
        put(tree, path, Node::file(0o644, *text))?;
    }
    Ok(())
}
