//! What lies between the devices of a case, as data: who is linked with whom, and how badly.
//!
//! Every two of them are linked, both ways alike. Nothing here knows how frames are carried.

use std::net::Ipv4Addr;
use std::time::Duration;

/// Most devices of one case.
pub const MAX_DEVICES: usize = 64;

/// Longest delay of a link.
pub const MAX_DELAY: Duration = Duration::from_secs(10);

/// A change of links.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Numbers of the two devices; without the second, all links of the first; without both, all there are.
    pub between: (Option<usize>, Option<usize>),
    /// What becomes of them, in this order; not empty.
    pub changes: Vec<Change>,
}

/// What becomes of a link. The others of its properties stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Nothing comes through, or something again.
    Cut(bool),
    /// So many of 100 frames are lost.
    Loss(u32),
    /// Every frame arrives so much later.
    Delay(Duration),
}

impl Link {
    /// Whether the link between two different devices is meant.
    #[must_use]
    pub fn means(&self, a: usize, b: usize) -> bool {
        match self.between {
            (Some(one), Some(other)) => (a, b) == (one, other) || (b, a) == (one, other),
            (Some(one), None) | (None, Some(one)) => a == one || b == one,
            (None, None) => true,
        }
    }
}

/// The address of the device at `place` (from 1).
#[must_use]
pub const fn address(place: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 77, 0, place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_meant_from_both_ends_and_one_name_means_all_of_its_links() {
        let link = |between| Link { between, changes: vec![Change::Cut(true)] };
        let pair = link((Some(0), Some(1)));
        assert!(pair.means(0, 1) && pair.means(1, 0) && !pair.means(0, 2));
        let one = link((Some(2), None));
        assert!(one.means(0, 2) && one.means(2, 1) && !one.means(0, 1));
        assert!(link((None, None)).means(0, 1));
    }
}
