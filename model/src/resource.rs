//! Resources of an app: files of which it has several, for languages, screens and tastes. Pure.
//!
//! ```text
//! resources/QUALIFIERS/FILE, resources/base/FILE
//! QUALIFIERS  mcc262_mnc01 - zh_Hant_TW - vertical - phone - dark - xldpi      each may be absent, none out of order
//!             carrier        locale       orientation form   colours density
//!
//! all directories ─ those that do not fit the device: away ─► carrier, locale, orientation, form, colours,
//!                                                             density, in this order ─► the first that has FILE
//! ```
//!
//! What is there must equal what the device is; only the density never rules a directory out. Of two that fit, the one
//! that says more wins at the first qualifier in which they differ, and of two densities the nearer one.
//!
//! Invariants: a name and its qualifiers are the same in both directions; the order of two directories does not
//! depend on others that are there.

mod locale;
mod rank;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::device::{FormFactor, Screen};
use crate::word::Word;

pub use locale::Locale;
pub use rank::best_first;

/// The directory for whatever fits nowhere else.
pub const BASE: &str = "base";

/// Most directories of qualifiers in one bundle: many languages on many screens. More are not looked at.
pub const MAX_DIRECTORIES: usize = 512;

/// Longest name of a resource, in bytes.
pub const MAX_RESOURCE: usize = 255;

/// Dots per inch where nobody says how dense a screen is.
pub const USUAL_DENSITY: u32 = 160;

/// What a directory is for, or what a device is. All absent: for everything.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Qualifiers {
    /// Country and network of the SIM card.
    pub carrier: Option<Carrier>,
    /// Language of people.
    pub locale: Option<Locale>,
    /// How the screen stands.
    pub orientation: Option<Orientation>,
    /// What the device is.
    pub form: Option<FormFactor>,
    /// What people see best.
    pub colours: Option<Colours>,
    /// How dense the screen is.
    pub density: Option<Density>,
}

/// What a device is, for the choice of resources.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Around {
    /// Country and network of the SIM card, if there is one.
    pub carrier: Option<Carrier>,
    /// Languages of people, the dearest first.
    pub locales: Vec<Locale>,
    /// How the screen stands, if there is one.
    pub orientation: Option<Orientation>,
    /// What it is.
    pub form: Option<FormFactor>,
    /// What people see best.
    pub colours: Option<Colours>,
    /// Pixels per inch of the screen, if there is one.
    pub density: Option<u32>,
}

impl Around {
    /// A device of this form and with this screen; languages and colours are people's.
    #[must_use]
    pub fn of(form: Option<FormFactor>, screen: Option<&Screen>) -> Self {
        let stands = |screen: &Screen| {
            if screen.height > screen.width {
                Orientation::Vertical
            } else {
                Orientation::Horizontal
            }
        };
        Self {
            orientation: screen.map(stands),
            form,
            density: screen.map(|screen| screen.density),
            ..Self::default()
        }
    }
}

/// Country and network of a SIM card.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Carrier {
    /// Mobile country code: three digits.
    pub country: String,
    /// Mobile network code: two or three digits.
    pub network: Option<String>,
}

/// How a screen stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Orientation {
    /// Higher than wide.
    Vertical,
    /// Wider than high.
    Horizontal,
}

impl Word for Orientation {
    const WHAT: &'static str = "orientation";
    const WORDS: &'static [(&'static str, Self)] =
        &[("vertical", Self::Vertical), ("horizontal", Self::Horizontal)];
}

/// Dark on light, or the other way round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Colours {
    /// Dark on light.
    Light,
    /// Light on dark.
    Dark,
}

impl Word for Colours {
    const WHAT: &'static str = "colour mode";
    const WORDS: &'static [(&'static str, Self)] = &[("light", Self::Light), ("dark", Self::Dark)];
}

/// How dense a screen is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Density {
    /// To 120 dots per inch.
    Small,
    /// To 160.
    Medium,
    /// To 240.
    Large,
    /// To 320.
    ExtraLarge,
    /// To 480.
    Double,
    /// To 640.
    Triple,
}

impl Density {
    /// Dots per inch that it is made for.
    #[must_use]
    pub fn dots(self) -> u32 {
        match self {
            Self::Small => 120,
            Self::Medium => 160,
            Self::Large => 240,
            Self::ExtraLarge => 320,
            Self::Double => 480,
            Self::Triple => 640,
        }
    }
}

impl Word for Density {
    const WHAT: &'static str = "density";
    const WORDS: &'static [(&'static str, Self)] = &[
        ("sdpi", Self::Small),
        ("mdpi", Self::Medium),
        ("ldpi", Self::Large),
        ("xldpi", Self::ExtraLarge),
        ("xxldpi", Self::Double),
        ("xxxldpi", Self::Triple),
    ];
}

/// Why a name is not one of qualifiers, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadQualifiers(pub String);

impl fmt::Display for BadQualifiers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BadQualifiers {}

/// Qualifiers in their order, each with its number.
const ORDER: [&str; 6] =
    ["a carrier", "a language", "an orientation", "a form factor", "a colour mode", "a density"];

impl TryFrom<&str> for Qualifiers {
    type Error = BadQualifiers;

    fn try_from(name: &str) -> Result<Self, BadQualifiers> {
        let mut all = Self::default();
        if name == BASE {
            return Ok(all);
        }
        let mut last: Option<usize> = None;
        for part in name.split('-') {
            let at = all.take(part).ok_or_else(|| {
                BadQualifiers(format!(
                    "`{part}` is no qualifier of resources: like base, de, pt_BR, vertical, phone, dark, xldpi, \
                     mcc262_mnc01"
                ))
            })?;
            let named = |at: usize| ORDER.get(at).copied().unwrap_or_default();
            match last {
                Some(before) if before == at => {
                    return Err(BadQualifiers(format!("`{name}` has {} twice", named(at))));
                }
                Some(before) if before > at => {
                    return Err(BadQualifiers(format!(
                        "in `{name}` {} comes after {}: the order is carrier, language, orientation, form \
                         factor, colour mode, density",
                        named(at),
                        named(before)
                    )));
                }
                _ => last = Some(at),
            }
        }
        Ok(all)
    }
}

impl Qualifiers {
    /// Takes a part of a name; its place in the order. The same twice is noticed by who asks.
    fn take(&mut self, part: &str) -> Option<usize> {
        if let Some(carrier) = Carrier::read(part) {
            self.carrier = Some(carrier);
            Some(0)
        } else if let Some(orientation) = Orientation::from_word(part) {
            self.orientation = Some(orientation);
            Some(2)
        } else if let Some(form) = FormFactor::from_word(part) {
            self.form = Some(form);
            Some(3)
        } else if let Some(colours) = Colours::from_word(part) {
            self.colours = Some(colours);
            Some(4)
        } else if let Some(density) = Density::from_word(part) {
            self.density = Some(density);
            Some(5)
        } else {
            // After the words: `tv` could be a language.
            self.locale = Some(Locale::qualifier(part)?);
            Some(1)
        }
    }
}

impl fmt::Display for Qualifiers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { carrier, locale, orientation, form, colours, density } = self;
        let parts = [
            carrier.as_ref().map(ToString::to_string),
            locale.as_ref().map(ToString::to_string),
            orientation.map(|one| one.word().to_owned()),
            form.map(|one| one.word().to_owned()),
            colours.map(|one| one.word().to_owned()),
            density.map(|one| one.word().to_owned()),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        if parts.is_empty() { f.write_str(BASE) } else { f.write_str(&parts.join("-")) }
    }
}

impl Carrier {
    /// `mcc262`, `mcc262_mnc01`.
    fn read(text: &str) -> Option<Self> {
        let digits = |text: &str, count: std::ops::RangeInclusive<usize>| {
            let all = text.bytes().all(|b| b.is_ascii_digit());
            (all && count.contains(&text.len())).then(|| text.to_owned())
        };
        let rest = text.strip_prefix("mcc")?;
        match rest.split_once("_mnc") {
            Some((country, network)) => Some(Self {
                country: digits(country, 3..=3)?,
                network: Some(digits(network, 2..=3)?),
            }),
            None => Some(Self { country: digits(rest, 3..=3)?, network: None }),
        }
    }
}

impl fmt::Display for Carrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "mcc{}", self.country)?;
        self.network.as_ref().map_or(Ok(()), |network| write!(f, "_mnc{network}"))
    }
}

/// What there is of resources: by name, what their directories are for.
pub type Named = BTreeMap<String, BTreeSet<Qualifiers>>;

/// The resources that these files are, by their paths below the directory of all resources.
///
/// # Errors
/// A directory that is not called by qualifiers, a file in none, or more directories than a device looks at.
pub fn named<'a>(paths: impl IntoIterator<Item = &'a str>) -> Result<Named, BadQualifiers> {
    let mut all = Named::new();
    let mut directories = BTreeSet::new();
    for path in paths {
        let (directory, name) = path.split_once('/').ok_or_else(|| {
            BadQualifiers(format!(
                "`{path}` is in no directory of qualifiers: put it into `{BASE}`"
            ))
        })?;
        if !is_name(name) {
            let why = format!("`{path}` has a name that is too long, or not one");
            return Err(BadQualifiers(why));
        }
        let qualifiers = Qualifiers::try_from(directory)?;
        directories.insert(qualifiers.clone());
        all.entry(name.to_owned()).or_default().insert(qualifiers);
    }
    if directories.len() > MAX_DIRECTORIES {
        let count = directories.len();
        return Err(BadQualifiers(format!(
            "{count} directories of resources: a device looks at {MAX_DIRECTORIES}"
        )));
    }
    Ok(all)
}

/// Whether a resource may be called so: a path below the directory of its qualifiers, in its shortest form.
#[must_use]
pub fn is_name(text: &str) -> bool {
    let plain = text.len() <= MAX_RESOURCE && !text.chars().any(char::is_control);
    plain && text.split('/').all(|part| !matches!(part, "" | "." | ".."))
}
