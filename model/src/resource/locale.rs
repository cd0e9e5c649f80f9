//! Languages of people: `de`, `pt_BR`, `zh_Hant_TW`.

use std::fmt;

/// A language, and where or how it is written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Locale {
    /// `zh`
    pub language: String,
    /// `Hant`
    pub script: Option<String>,
    /// `TW`, or the number of a larger region
    pub region: Option<String>,
}

/// Where Chinese is written in the traditional script.
const TRADITIONAL: [&str; 3] = ["TW", "HK", "MO"];

impl Locale {
    /// Of a directory: `zh_Hant_TW`.
    #[must_use]
    pub fn qualifier(text: &str) -> Option<Self> {
        Self::parts(text, '_')
    }

    /// Of a device or of a person: `de_AT.UTF-8`, `pt-BR`; none of `C` and the like, which are no languages.
    #[must_use]
    pub fn of(text: &str) -> Option<Self> {
        let text = text.split(['.', '@']).next().unwrap_or_default();
        Self::parts(&text.replace('-', "_"), '_')
    }

    fn parts(text: &str, between: char) -> Option<Self> {
        let small = |part: &str| part.bytes().all(|b| b.is_ascii_lowercase());
        let large = |part: &str| part.bytes().all(|b| b.is_ascii_uppercase());
        let script = |part: &&str| {
            let (first, rest) = part.split_at_checked(1).unwrap_or_default();
            part.len() == 4 && large(first) && small(rest)
        };
        let region = |part: &&str| {
            part.len() == 2 && large(part)
                || part.len() == 3 && part.bytes().all(|b| b.is_ascii_digit())
        };
        let mut parts = text.split(between).peekable();
        let language = parts.next().filter(|part| (2..=3).contains(&part.len()) && small(part))?;
        let script = parts.next_if(script).map(str::to_owned);
        let region = parts.next_if(region).map(str::to_owned);
        parts.next().is_none().then(|| Self { language: language.to_owned(), script, region })
    }

    /// Whether what is made for `self` is for people of `people`: all that it says is so of them.
    #[must_use]
    pub fn fits(&self, people: &Self) -> bool {
        let script = |own: &String| people.written() == Some(own.as_str());
        let region = |own: &String| people.region.as_ref() == Some(own);
        self.language == people.language
            && self.script.as_ref().is_none_or(script)
            && self.region.as_ref().is_none_or(region)
    }

    /// How it is written, as far as that is known.
    fn written(&self) -> Option<&str> {
        let region = self.region.as_deref().unwrap_or_default();
        match (&self.script, self.language.as_str()) {
            (Some(script), _) => Some(script),
            (None, "zh") if TRADITIONAL.contains(&region) => Some("Hant"),
            (None, "zh") => Some("Hans"),
            (None, _) => None,
        }
    }
}

impl fmt::Display for Locale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.language)?;
        let more = [&self.script, &self.region].into_iter().flatten();
        more.into_iter().try_for_each(|part| write!(f, "_{part}"))
    }
}
