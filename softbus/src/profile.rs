//! What a device is and has, as words; and which device fits best. Pure.
//!
//! ```text
//! facts   form=tv screen=1920x1080 inputs="remote" memory=2147483648 …
//! needs   screen            there is such a fact, or such a word among the inputs
//!         form=tv           it is this, or one of its words
//!         memory=2G         a number: so much at least
//! ```
//!
//! Facts are text by name, so that devices of other versions may know more, or less. Invariant: there are at most
//! [`MAX_FACTS`], and each is short, whoever made them.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Most facts of a device.
pub const MAX_FACTS: usize = 64;

/// Longest name of a fact, in bytes.
pub const MAX_NAME: usize = 32;

/// Longest fact, in bytes.
pub const MAX_VALUE: usize = 256;

/// Most needs of one question.
pub const MAX_NEEDS: usize = 16;

/// The fact whose words are needs as well.
const INPUTS: &str = "inputs";

/// What a device is and has.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Profile(BTreeMap<String, String>);

impl Profile {
    /// Of these facts; empty ones, and those that break a rule, are left out.
    pub fn new(facts: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut all = Self(facts.into_iter().collect());
        all.bound();
        all
    }

    /// Leaves out what breaks a rule: a peer may say anything.
    pub fn bound(&mut self) {
        self.0.retain(|name, value| fits(name, value));
        while self.0.len() > MAX_FACTS {
            self.0.pop_last();
        }
    }

    /// A fact.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// All facts, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Two that are the same have the same.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        for text in self.0.iter().flat_map(|(name, value)| [name, value]) {
            hash.update(text.as_bytes());
            hash.update([0]);
        }
        hash.finalize().into()
    }

    /// Whether it has all of this.
    #[must_use]
    pub fn has(&self, needs: &[Need]) -> bool {
        needs.iter().all(|need| self.meets(need))
    }

    fn meets(&self, Need { name, value }: &Need) -> bool {
        let word = |text: &str, word: &str| text.split([' ', ',']).any(|one| one == word);
        let Some(value) = value else {
            let input = self.get(INPUTS).is_some_and(|inputs| word(inputs, name));
            return input || self.get(name).is_some_and(|fact| fact != "no" && fact != "0");
        };
        let Some(fact) = self.get(name) else { return false };
        match (size(fact), size(value)) {
            (Some(has), Some(least)) => has >= least,
            _ => fact == value || word(fact, value),
        }
    }

    /// How good a device is for much work, the best one first: on mains, much memory.
    #[must_use]
    pub fn rank(&self) -> impl Ord + use<> {
        let number = |name| self.get(name).and_then(size);
        Reverse((
            number("battery").is_none_or(|percent| percent > 20),
            number("memory").unwrap_or(0),
        ))
    }
}

fn fits(name: &str, value: &str) -> bool {
    let plain = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'.'
    };
    (1..=MAX_NAME).contains(&name.len())
        && name.bytes().all(plain)
        && (1..=MAX_VALUE).contains(&value.len())
        && !value.chars().any(char::is_control)
}

/// `2G`, `512M`, `64K` or a number.
fn size(text: &str) -> Option<u64> {
    let shift = match text.chars().next_back()? {
        'K' => 10,
        'M' => 20,
        'G' => 30,
        _ => 0,
    };
    let digits = if shift > 0 { text.trim_end_matches(['K', 'M', 'G']) } else { text };
    digits.parse::<u64>().ok()?.checked_mul(1 << shift)
}

/// Something that a device must have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    name: String,
    value: Option<String>,
}

impl Need {
    /// Reads one: `screen`, `form=tv`, `memory=2G`.
    ///
    /// # Errors
    /// It is none; the text says what one is.
    pub fn read(text: &str) -> Result<Self, String> {
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (text, None),
        };
        if !fits(name, value.unwrap_or("yes")) {
            return Err(format!(
                "`{text}` is no need of a device: write `screen`, `form=tv` or `memory=2G`"
            ));
        }
        Ok(Self { name: name.to_owned(), value: value.map(str::to_owned) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(facts: &[(&str, &str)]) -> Profile {
        Profile::new(facts.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }

    fn has(profile: &Profile, needs: &[&str]) -> bool {
        let needs: Vec<Need> = needs.iter().map(|need| Need::read(need).unwrap()).collect();
        profile.has(&needs)
    }

    #[test]
    fn a_need_is_a_fact_a_word_of_one_or_so_much_at_least() {
        let tv = profile(&[
            ("form", "tv"),
            ("screen", "1920x1080"),
            ("inputs", "remote touch"),
            ("memory", "2147483648"),
        ]);
        assert!(has(
            &tv,
            &["screen", "touch", "form=tv", "memory=2G", "inputs=remote", "memory=512M"]
        ));
        for need in ["audio", "form=phone", "memory=3G", "keyboard", "cores=2"] {
            assert!(!has(&tv, &[need]), "{need}");
        }
        assert!(!has(&profile(&[("audio", "no")]), &["audio"]));
        assert!(has(&tv, &[]));
        for bad in ["", "=", "Screen", "a b", "x=\n"] {
            assert!(Need::read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_best_one_has_power_and_memory() {
        let watch = profile(&[("memory", "512M"), ("battery", "90")]);
        let tv = profile(&[("memory", "2G")]);
        let empty = profile(&[("memory", "8G"), ("battery", "5")]);
        let mut all = [("empty", &empty), ("watch", &watch), ("tv", &tv)];
        all.sort_by_key(|(_, profile)| profile.rank());
        assert_eq!(all.map(|(name, _)| name), ["tv", "watch", "empty"]);
    }

    #[test]
    fn what_a_peer_says_is_bounded() {
        let long = "x".repeat(MAX_VALUE + 1);
        let mut all: BTreeMap<String, String> =
            (0..200).map(|n| (format!("fact{n}"), "1".to_owned())).collect();
        all.extend([
            ("long".into(), long),
            ("Bad".into(), "1".into()),
            ("bell".into(), "\x07".into()),
        ]);
        let bytes = postcard::to_stdvec(&all).unwrap();
        let mut profile: Profile = postcard::from_bytes(&bytes).unwrap();
        profile.bound();
        assert_eq!(profile.iter().count(), MAX_FACTS);
        assert!(profile.get("long").is_none() && profile.get("Bad").is_none());
        let again: Profile = postcard::from_bytes(&postcard::to_stdvec(&profile).unwrap()).unwrap();
        assert_eq!(again.digest(), profile.digest());
    }
}
