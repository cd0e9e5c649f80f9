//! What a kernel can do, by name.

use std::fmt;

use super::Feature;

/// Highest version of Landlock that has a name: what this code knows of.
pub const MAX_LANDLOCK: u32 = 7;

/// What the kernel under a container may lack, or the container refuse: it is not ours. Filters of
/// system calls work in every container.
pub const OF_CONTAINERS: [Feature; 4] =
    [Feature::Landlock(1), Feature::Namespaces, Feature::NetworkNamespace, Feature::WriteExecute];

/// Every name of a feature but Landlock's, whose end in a version.
const NAMES: [(&str, Feature); 4] = [
    ("seccomp", Feature::Seccomp),
    ("namespaces", Feature::Namespaces),
    ("network-namespace", Feature::NetworkNamespace),
    ("write-execute", Feature::WriteExecute),
];

impl Feature {
    /// The feature of this name, as people write it: `seccomp`, `landlock-6`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        if let Some(version) = name.strip_prefix("landlock-") {
            let known = (1..=MAX_LANDLOCK).find(|known| known.to_string() == version);
            return known.map(Self::Landlock);
        }
        NAMES.iter().find(|(known, _)| *known == name).map(|(_, feature)| *feature)
    }

    /// Whether a kernel may lack it: it is one of `optional`, or a later version of one.
    #[must_use]
    pub fn may_lack(self, optional: &[Self]) -> bool {
        optional.iter().any(|may| match (*may, self) {
            (Self::Landlock(from), Self::Landlock(version)) => version >= from,
            (may, feature) => may == feature,
        })
    }

    /// Every name that people can write.
    pub fn names() -> impl Iterator<Item = String> {
        let landlock = (1..=MAX_LANDLOCK).map(Self::Landlock);
        NAMES.iter().map(|(_, feature)| *feature).chain(landlock).map(|feature| feature.to_string())
    }
}

impl fmt::Display for Feature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::Landlock(version) = self {
            return write!(f, "landlock-{version}");
        }
        f.write_str(NAMES.iter().find(|(_, known)| known == self).map_or("", |(name, _)| name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_feature_has_the_name_by_which_it_is_found() {
        for name in Feature::names() {
            assert_eq!(Feature::from_name(&name).map(|f| f.to_string()), Some(name));
        }
        for wrong in ["", "landlock", "landlock-0", "landlock-06", "landlock-99", "seccomp "] {
            assert_eq!(Feature::from_name(wrong), None, "{wrong}");
        }
    }
}
