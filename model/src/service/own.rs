//! Users that belong to one service each: `user = "own"`.
//!
//! ```text
//! web, user = "own" ─► own-web, a number of OWN_IDS, kept for ever ─► /var/lib/web, its alone
//! ```

use std::ops::RangeInclusive;

use crate::Name;
use crate::service::Service;

/// What stands in TOML for such a user.
pub const OWN: &str = "own";

/// What the names of such users begin with; no other user's does.
pub const OWN_PREFIX: &str = "own-";

/// Their numbers, of users and of groups. Debian's adduser gives 1000 to 59999 to people, from the
/// beginning on; above are Debian's own (60000), those that systemd gives (61184) and, beyond 65535, what
/// the user namespace of a container does not have.
pub const OWN_IDS: RangeInclusive<u32> = 30_000..=59_999;

/// Where such services keep their data, a directory each.
const STATE: &str = "/var/lib";

impl Service {
    /// Whether its user belongs to it alone.
    #[must_use]
    pub fn has_own_user(&self) -> bool {
        self.user.as_deref().is_some_and(|user| user.starts_with(OWN_PREFIX))
    }

    /// The directory of its data, if it has a user of its own.
    #[must_use]
    pub fn state_directory(&self) -> Option<String> {
        self.has_own_user().then(|| state_directory(&self.name))
    }
}

/// The user of a service of this name; of a template, with the place of the instance.
#[must_use]
pub fn own_user(name: &Name) -> String {
    format!("{OWN_PREFIX}{}", with_instance(name))
}

/// The directory of its data.
#[must_use]
pub fn state_directory(name: &Name) -> String {
    format!("{STATE}/{}", with_instance(name))
}

fn with_instance(name: &Name) -> String {
    let instance = if name.is_template() { super::PLACEHOLDER } else { "" };
    format!("{name}{instance}")
}
