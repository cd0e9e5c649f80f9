//! What our stores say of each file, in the place that metadata has for that (`custom`): enough to find an app, and to tell
//! whether a device takes it, without its file.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A bundle in a store.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct App {
    /// Its id.
    pub bundle: String,
    /// Which version.
    pub version: String,
    /// Keys that signed it: the store answers for them, for this app.
    pub keys: Vec<String>,
    /// What people call it, by locale; without one for all others.
    #[serde(default)]
    pub name: BTreeMap<String, String>,
    /// What it is for, likewise.
    #[serde(default)]
    pub about: BTreeMap<String, String>,
    /// `app` or `runtime`.
    #[serde(default)]
    pub kind: String,
    /// Processors that it is for; all if none is named.
    #[serde(default)]
    pub architectures: Vec<String>,
    /// Form factors that it is for; all if none is named.
    #[serde(default)]
    pub form_factors: Vec<String>,
}

impl App {
    /// What is said of a file, if it is a bundle.
    #[must_use]
    pub fn read(custom: &Value) -> Option<Self> {
        Self::deserialize(custom).ok()
    }

    /// A text for people who read `locale` (`de-AT`, `de_AT.UTF-8`).
    #[must_use]
    pub fn text<'a>(texts: &'a BTreeMap<String, String>, locale: &str) -> &'a str {
        let locale = locale.split(['.', '@']).next().unwrap_or_default().replace('_', "-");
        let language = locale.split('-').next().unwrap_or_default();
        let all = [locale.as_str(), language, ""];
        all.iter().find_map(|locale| texts.get(*locale)).map_or("", String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_those_of_the_locale_its_language_or_all() {
        let texts = [("", "Notes"), ("de", "Notizen"), ("de-AT", "Merkzettel")];
        let texts = texts.map(|(locale, text)| (locale.to_owned(), text.to_owned())).into();
        let of = |locale| App::text(&texts, locale);
        assert_eq!((of("de_AT.UTF-8"), of("de-CH"), of("C")), ("Merkzettel", "Notizen", "Notes"));
    }
}
