//! What a service keeps on the state partition, in trees of its own: what a limit of storage counts.
//!
//! ```text
//! /  /var  /var/lib  /etc …    everybody's: not counted for one of them
//! /var/lib/NAME  /var/cache/NAME/…    its own, if it may write there
//! ```

use crate::sandbox::is_below;
use crate::service::Service;

/// Where the state partition is mounted.
const STATE: &str = "/var";

/// Where else what is written lies on it.
const CONFIGURATION: &str = "/etc";

/// What belongs to the device itself.
const OURS: [&str; 2] = ["/var/lib/ensemble", "/var/log/ensemble"];

impl Service {
    /// The trees that it may write and that are its own.
    #[must_use]
    pub fn stores(&self) -> Vec<&str> {
        let trees = self.sandbox.files.write.iter().flatten().map(String::as_str);
        trees.filter(|tree| is_own(tree)).collect()
    }
}

/// Whether what is in the tree can be counted for one service: it is on the state partition, and not a
/// directory of directories of others.
fn is_own(tree: &str) -> bool {
    // "/var/lib/web" has four parts, the first of which is empty.
    is_below(tree, STATE)
        && tree.split('/').count() > 3
        && !OURS.iter().any(|ours| is_below(tree, ours))
}

/// Whether what is written to the tree lies on the state partition and can't be counted.
#[must_use]
pub fn is_shared(tree: &str) -> bool {
    let around = [STATE, CONFIGURATION].into_iter().any(|of| is_below(of, tree));
    let inside = is_below(tree, STATE) && !is_own(tree);
    around || inside || is_below(tree, CONFIGURATION)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_of_its_own_is_a_directory_in_one_of_the_state() {
        for own in ["/var/lib/web", "/var/cache/web/a", "/var/lib/ensemble-web"] {
            assert!(is_own(own) && !is_shared(own), "{own}");
        }
        for shared in
            ["/", "/var", "/var/lib", "/var/tmp", "/etc", "/etc/web", "/var/lib/ensemble/x"]
        {
            assert!(!is_own(shared) && is_shared(shared), "{shared}");
        }
        for elsewhere in ["/run/web", "/tmp", "/various/lib/web"] {
            assert!(!is_own(elsewhere) && !is_shared(elsewhere), "{elsewhere}");
        }
    }
}
