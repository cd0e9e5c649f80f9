//! What becomes of a frame: who gets it, when, or that it is lost. Pure; a frame and a draw of the dice in, a fate out.
//!
//! Invariant: a link without changes loses and delays nothing, and a frame never goes back to who sent it.

use std::collections::BTreeMap;
use std::time::Duration;

use model::case::Change;

use super::address_of;

/// Every link between two places, by the lower place first.
#[derive(Debug, Default)]
pub struct Links {
    changed: BTreeMap<(u8, u8), Link>,
    dice: Dice,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Link {
    cut: bool,
    /// Of 100.
    loss: u32,
    delay: Duration,
}

/// The same numbers in each run, so that a case that fails is the same when it is run again, as far as its timing is.
#[derive(Debug)]
struct Dice(u64);

impl Default for Dice {
    fn default() -> Self {
        Self(0x9e37_79b9_7f4a_7c15)
    }
}

impl Dice {
    /// 0 to 99.
    fn throw(&mut self) -> u32 {
        // xorshift64*: enough for who is lost.
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let mixed = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32;
        u32::try_from(mixed % 100).unwrap_or(0)
    }
}

impl Links {
    /// Changes the link between two places.
    pub fn change(&mut self, a: u8, b: u8, change: Change) {
        let link = self.changed.entry((a.min(b), a.max(b))).or_default();
        match change {
            Change::Cut(cut) => link.cut = cut,
            Change::Loss(percent) => link.loss = percent,
            Change::Delay(delay) => link.delay = delay,
        }
    }

    /// How much later a frame from one place arrives at another; `None`: never.
    pub fn fate(&mut self, from: u8, to: u8) -> Option<Duration> {
        let link = self.changed.get(&(from.min(to), from.max(to))).copied().unwrap_or_default();
        if link.cut || (link.loss > 0 && self.dice.throw() < link.loss) {
            return None;
        }
        Some(link.delay)
    }
}

/// Who of `places` is to get a frame from the place `from`: the one it is for, else all others.
pub fn receivers(frame: &[u8], from: u8, places: impl Iterator<Item = u8> + Clone) -> Vec<u8> {
    let to = frame.first_chunk::<6>();
    let others = places.filter(|place| *place != from);
    if let Some(one) = others.clone().find(|place| to == Some(&address_of(*place))) {
        return vec![one];
    }
    others.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_goes_to_the_one_it_is_for_and_a_broadcast_to_all_others() {
        let frame = |to: [u8; 6]| [&to[..], &address_of(1), b"\x08\x00hello"].concat();
        assert_eq!(receivers(&frame(address_of(3)), 1, 1..=4), [3]);
        assert_eq!(receivers(&frame([0xff; 6]), 1, 1..=4), [2, 3, 4]);
        assert_eq!(receivers(&frame(address_of(9)), 1, 1..=4), [2, 3, 4], "it is nobody's");
        assert_eq!(receivers(b"abc", 2, 1..=2), [1], "no frame at all is not our business");
    }

    #[test]
    fn a_cut_holds_both_ways_until_it_is_mended_and_touches_no_other_link() {
        let mut links = Links::default();
        links.change(2, 1, Change::Cut(true));
        assert_eq!((links.fate(1, 2), links.fate(2, 1)), (None, None));
        assert_eq!(links.fate(1, 3), Some(Duration::ZERO));
        links.change(1, 2, Change::Cut(false));
        assert_eq!(links.fate(2, 1), Some(Duration::ZERO));
    }

    #[test]
    fn of_many_frames_the_share_that_was_asked_for_is_lost_and_the_rest_is_late() {
        let mut links = Links::default();
        links.change(1, 2, Change::Loss(10));
        links.change(1, 2, Change::Delay(Duration::from_millis(50)));
        let arrived: Vec<_> = (0..10_000).filter_map(|_| links.fate(1, 2)).collect();
        assert!((8_800..=9_200).contains(&arrived.len()), "{}", arrived.len());
        assert!(arrived.iter().all(|late| *late == Duration::from_millis(50)));
        links.change(1, 2, Change::Loss(100));
        assert!((0..1000).all(|_| links.fate(2, 1).is_none()));
    }
}
