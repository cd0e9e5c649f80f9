//! What a program finds of a root of its own, and what stays the device's.
//!
//! ```text
//! files.root = "/run/bundles/ID":   /usr/bin ◄── /run/bundles/ID/usr/bin      /var /run /dev … ◄── the device's
//!                                   /etc     ◄── /run/bundles/ID/etc, but passwd, hosts … ◄────── the device's
//! ```

use super::is_below;

/// Trees of a root that have programs, libraries and their settings; `/app` is where images of containers have them.
pub const OF_ROOT: [&str; 11] = [
    "/app", "/bin", "/etc", "/lib", "/lib32", "/lib64", "/libx32", "/opt", "/sbin", "/srv", "/usr",
];

/// What of `/etc` tells of the device and its users, and so is the device's whatever the root has: names there.
pub const ETC_OF_DEVICE: [&str; 7] =
    ["group", "hostname", "hosts", "localtime", "passwd", "resolv.conf", "timezone"];

/// Whether a tree is taken from a root, where there is one.
#[must_use]
pub fn is_of_root(tree: &str) -> bool {
    let of_device = tree.strip_prefix("/etc/").is_some_and(|name| ETC_OF_DEVICE.contains(&name));
    !of_device && OF_ROOT.iter().any(|outer| is_below(tree, outer))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_of_the_root_and_users_data_and_hosts_of_the_device() {
        for tree in
            ["/usr", "/usr/bin", "/lib64", "/etc", "/etc/ssl/certs", "/etc/hosts.d", "/opt/x"]
        {
            assert!(is_of_root(tree), "{tree}");
        }
        for tree in
            ["/", "/var", "/run/bundles/x", "/etc/passwd", "/dev", "/library", "/home", "/tmp"]
        {
            assert!(!is_of_root(tree), "{tree}");
        }
    }

    #[test]
    fn both_lists_are_sorted() {
        assert!(OF_ROOT.is_sorted() && ETC_OF_DEVICE.is_sorted());
    }
}
