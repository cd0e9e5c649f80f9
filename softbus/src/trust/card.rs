//! What a device says of itself, and what its owner lets it do.
//!
//! Invariant: every text of these types is short, printable in one line, and no path or option by mistake; decoding
//! checks it as making does.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Bytes of a name: it fits where a host name does.
pub const MAX_NAME: usize = 64;

/// Bytes of a form.
pub const MAX_FORM: usize = 16;

/// The text cannot be a name or a form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadText {
    /// Nothing, or blanks around it.
    #[error("a name is not empty and has no blanks around it")]
    Empty,
    /// Too long.
    #[error("a name has at most {MAX_NAME} bytes, a form {MAX_FORM}")]
    Long,
    /// What a terminal, a path or a command line would take for something else.
    #[error(
        "a name has no control or direction characters and no `/`, and does not begin with `.` or `-`"
    )]
    Character,
    /// Not a word of small letters.
    #[error("a form is a word of small letters, digits and `-`")]
    Form,
}

/// What people call a device: one printable line that is also good as a file name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(String);

impl Name {
    /// Checks a text.
    ///
    /// # Errors
    /// It cannot be a name.
    pub fn new(text: &str) -> Result<Self, BadText> {
        if text.is_empty() || text.trim() != text {
            return Err(BadText::Empty);
        }
        if text.len() > MAX_NAME {
            return Err(BadText::Long);
        }
        if text.starts_with(['.', '-']) || text.chars().any(misleads) {
            return Err(BadText::Character);
        }
        Ok(Self(text.to_owned()))
    }

    /// The name closest to any text: for host names and models that were made by others.
    #[must_use]
    pub fn lossy(text: &str) -> Self {
        let kept: String = text.chars().filter(|letter| !misleads(*letter)).collect();
        let kept = kept.trim_start_matches(['.', '-', ' ']);
        Self::new(cut(kept, MAX_NAME).trim()).unwrap_or_else(|_| Self("device".to_owned()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `tv` → `tv-2`, within the length of a name.
    pub(super) fn numbered(&self, number: usize) -> Self {
        let end = format!("-{number}");
        Self(format!("{}{end}", cut(&self.0, MAX_NAME.saturating_sub(end.len())).trim_end()))
    }
}

/// Shown, it would be something else than what it is.
fn misleads(letter: char) -> bool {
    letter.is_control()
        || letter == '/'
        || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// The beginning of a text, at most that many bytes.
fn cut(text: &str, bytes: usize) -> &str {
    let end = (0..=bytes.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    text.get(..end.unwrap_or_default()).unwrap_or_default()
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl TryFrom<String> for Name {
    type Error = BadText;

    fn try_from(text: String) -> Result<Self, BadText> {
        Self::new(&text)
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0
    }
}

impl FromStr for Name {
    type Err = BadText;

    fn from_str(text: &str) -> Result<Self, BadText> {
        Self::new(text)
    }
}

/// What kind of device: `phone`, `tv`, … A word, not a list: newer devices have kinds that older ones do not know.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Form(String);

impl Form {
    /// Checks a text.
    ///
    /// # Errors
    /// It is no word.
    pub fn new(text: &str) -> Result<Self, BadText> {
        if text.len() > MAX_FORM {
            return Err(BadText::Long);
        }
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if text.is_empty() || text.starts_with('-') || !text.bytes().all(plain) {
            return Err(BadText::Form);
        }
        Ok(Self(text.to_owned()))
    }

    /// The word.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What a device of this kind is trusted to protect before its owner says otherwise. We have no proof of hardware from
    /// anybody, so that nobody begins above SL3; what lies about the house or is looked at by all begins lower.
    #[must_use]
    pub fn label(&self) -> Label {
        match self.as_str() {
            "phone" | "tablet" => Label::SL3,
            "tv" | "wearable" => Label::SL2,
            _ => Label::SL1,
        }
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl TryFrom<String> for Form {
    type Error = BadText;

    fn try_from(text: String) -> Result<Self, BadText> {
        Self::new(&text)
    }
}

impl From<Form> for String {
    fn from(form: Form) -> Self {
        form.0
    }
}

/// What a device may do in the group, and on the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Level {
    /// Uses what is exported to guests.
    Guest,
    /// Apps and data of the owner.
    Member,
    /// Changes the group; runs commands, moves files and opens ports on the others.
    Owner,
}

impl Level {
    /// All, the lowest first.
    pub const ALL: [Self; 3] = [Self::Guest, Self::Member, Self::Owner];

    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Guest => "guest",
            Self::Member => "member",
            Self::Owner => "owner",
        }
    }
}

/// How well a device protects what it stores.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Label {
    /// Least.
    SL1,
    /// A little.
    SL2,
    /// As a phone does.
    SL3,
    /// With hardware of its own for keys.
    SL4,
    /// Best.
    SL5,
}

/// How much harm it does when data gets out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Sensitivity {
    /// None.
    S0,
    /// Little.
    S1,
    /// Some.
    S2,
    /// Much.
    S3,
    /// Most.
    S4,
}

impl Label {
    /// All, the lowest first.
    pub const ALL: [Self; 5] = [Self::SL1, Self::SL2, Self::SL3, Self::SL4, Self::SL5];

    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SL1 => "SL1",
            Self::SL2 => "SL2",
            Self::SL3 => "SL3",
            Self::SL4 => "SL4",
            Self::SL5 => "SL5",
        }
    }

    /// Whether such data may be stored on a device of this label.
    #[must_use]
    pub fn takes(self, data: Sensitivity) -> bool {
        let most = match self {
            Self::SL1 => Sensitivity::S1,
            Self::SL2 => Sensitivity::S2,
            Self::SL3 => Sensitivity::S3,
            Self::SL4 | Self::SL5 => Sensitivity::S4,
        };
        data <= most
    }
}

/// The text is none of the words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is one of {0}")]
pub struct NotAWord(&'static str);

impl FromStr for Level {
    type Err = NotAWord;

    fn from_str(text: &str) -> Result<Self, NotAWord> {
        let found = Self::ALL.into_iter().find(|level| level.as_str() == text);
        found.ok_or(NotAWord("guest, member, owner"))
    }
}

impl FromStr for Label {
    type Err = NotAWord;

    fn from_str(text: &str) -> Result<Self, NotAWord> {
        let found = Self::ALL.into_iter().find(|label| label.as_str().eq_ignore_ascii_case(text));
        found.ok_or(NotAWord("SL1, SL2, SL3, SL4, SL5"))
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A device as an entry adds it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Card {
    /// What it is called.
    pub name: Name,
    /// What kind it is.
    pub form: Form,
    /// What it may do.
    pub level: Level,
    /// What it may store.
    pub label: Label,
}

impl Card {
    /// A device that joins: a member, with the label of its kind.
    #[must_use]
    pub fn joins(name: Name, form: Form) -> Self {
        let label = form.label();
        Self { name, form, level: Level::Member, label }
    }

    /// A device that founds a group: its owner.
    #[must_use]
    pub fn founds(name: Name, form: Form) -> Self {
        Self { level: Level::Owner, ..Self::joins(name, form) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_line_that_misleads_nobody() {
        for good in ["tv", "Anna's phone", "Küche", "電話", &"n".repeat(MAX_NAME)] {
            assert_eq!(Name::new(good).unwrap().as_str(), good);
            assert_eq!(Name::lossy(good).as_str(), good);
        }
        for bad in [
            "",
            " tv",
            "tv ",
            "..",
            "-rf",
            "a/b",
            "a\nb",
            "\u{1b}[2J",
            "a\u{202e}b",
            &"n".repeat(65),
        ] {
            assert!(Name::new(bad).is_err(), "{bad:?}");
            assert!(Name::new(Name::lossy(bad).as_str()).is_ok(), "{bad:?}");
        }
        assert_eq!(Name::lossy("\u{1b}[2J/..").as_str(), "[2J..");
    }

    #[test]
    fn a_decoded_name_is_checked_like_any_other() {
        let bytes = postcard::to_stdvec("a\nb").unwrap();
        assert!(postcard::from_bytes::<Name>(&bytes).is_err());
        assert!(postcard::from_bytes::<Form>(&bytes).is_err());
    }

    #[test]
    fn a_numbered_name_is_still_a_name() {
        assert_eq!(Name::new("tv").unwrap().numbered(2).as_str(), "tv-2");
        let long = Name::new(&"ü".repeat(32)).unwrap().numbered(17);
        assert!(long.as_str().ends_with("ü-17") && long.as_str().len() <= MAX_NAME);
    }

    #[test]
    fn a_label_takes_what_its_device_can_protect() {
        use Sensitivity::{S0, S1, S2, S3, S4};
        let most = Label::ALL
            .map(|label| [S4, S3, S2, S1, S0].into_iter().find(|data| label.takes(*data)));
        assert_eq!(most, [Some(S1), Some(S2), Some(S3), Some(S4), Some(S4)]);
        assert_eq!(Form::new("phone").unwrap().label(), Label::SL3);
        assert_eq!(Form::new("headless").unwrap().label(), Label::SL1);
    }

    #[test]
    fn words_are_read_as_they_are_written() {
        assert!(Level::ALL.iter().all(|level| level.as_str().parse() == Ok(*level)));
        assert!(Label::ALL.iter().all(|label| label.as_str().parse() == Ok(*label)));
        assert!("root".parse::<Level>().is_err() && "SL6".parse::<Label>().is_err());
    }
}
