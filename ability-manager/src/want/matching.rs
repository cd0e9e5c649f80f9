//! Whether one skill matches one want: the words of the table in [`super`], one by one.

use std::borrow::Cow;

use model::want::{Skill, SkillPath, SkillUri, Want, pattern};
use regex_lite::Regex;

use super::mime;

/// Whether a skill matches a want, whatever bundle and ability that names.
#[must_use]
pub fn matches(skill: &Skill, want: &Want) -> bool {
    let wanted = Wanted::of(want);
    let uris: Vec<Uri> = skill.uris.iter().map(Uri::of).collect();
    does(skill, want) && uri_and_type(&uris, &wanted)
}

/// Action and entities.
pub(super) fn does(skill: &Skill, want: &Want) -> bool {
    let action = match want.action.as_deref() {
        None | Some("") => !skill.actions.is_empty(),
        Some(action) => skill.actions.iter().any(|one| one == action),
    };
    action && want.entities.iter().all(|entity| skill.entities.contains(entity))
}

/// Uri and type of a want, ready to be compared.
#[derive(Debug)]
pub(super) struct Wanted<'a> {
    /// Without what comes after `?`; scheme and host in small letters. Empty: none.
    pub(super) uri: Cow<'a, str>,
    /// Empty: none.
    pub(super) mime: &'a str,
    /// What the suffix of a uri without a type tells.
    pub(super) guess: Option<&'static str>,
}

impl<'a> Wanted<'a> {
    pub(super) fn of(want: &'a Want) -> Self {
        let uri = plain(want.uri.as_deref().unwrap_or_default());
        let mime = want.mime.as_deref().unwrap_or_default();
        let guesses = mime.is_empty() && !uri.starts_with("mailto:");
        let guess = if guesses { mime::of_suffix(&uri) } else { None };
        Self { uri, mime, guess }
    }
}

fn plain(uri: &str) -> Cow<'_, str> {
    let uri = uri.split('?').next().unwrap_or_default();
    let end = match uri.find("://") {
        Some(at) => at + 3 + uri.get(at + 3..).and_then(|rest| rest.find('/')).unwrap_or(uri.len()),
        None => uri.find(':').unwrap_or(0),
    };
    let (head, tail) = uri.split_at_checked(end).unwrap_or((uri, ""));
    if head.bytes().any(|b| b.is_ascii_uppercase()) {
        Cow::Owned(head.to_ascii_lowercase() + tail)
    } else {
        Cow::Borrowed(uri)
    }
}

/// A uri of a skill, ready to be compared.
#[derive(Debug)]
pub(super) struct Uri {
    /// `scheme`, or `scheme://host:port`. None: it has only a type.
    pub(super) start: Option<String>,
    pub(super) rest: Rest,
    pub(super) mime: Option<String>,
}

/// What may come after the start.
#[derive(Debug)]
pub(super) enum Rest {
    /// Of a scheme: nothing, or `:` and anything.
    Scheme,
    /// Of a host: nothing, or a path.
    Host,
    /// Of a host without a port: nothing, a port or a path.
    HostOrPort,
    /// This path.
    Is(String),
    /// A path that begins with this.
    StartsWith(String),
    /// A path that matches this whole; none if that is no expression.
    Regex {
        /// What all that matches begins with: most paths need no more than a look at it.
        start: String,
        /// The expression.
        path: Option<Regex>,
    },
}

impl Uri {
    pub(super) fn of(uri: &SkillUri) -> Self {
        let mime = uri.mime.clone();
        let Some(scheme) = uri.scheme.clone().filter(|scheme| !scheme.is_empty()) else {
            return Self { start: None, rest: Rest::Scheme, mime };
        };
        let Some(host) = &uri.host else {
            return Self { start: Some(scheme), rest: Rest::Scheme, mime };
        };
        let port = uri.port.map_or_else(String::new, |port| format!(":{port}"));
        let rest = match &uri.path {
            None if uri.port.is_none() => Rest::HostOrPort,
            None => Rest::Host,
            Some(SkillPath::Is(path)) => Rest::Is(path.clone()),
            Some(SkillPath::StartsWith(path)) => Rest::StartsWith(path.clone()),
            Some(SkillPath::Regex(path)) => {
                Rest::Regex { start: beginning(path).to_owned(), path: pattern(path).ok() }
            }
        };
        Self { start: Some(format!("{scheme}://{host}{port}")), rest, mime }
    }

    /// Whether an address that is wanted fits.
    pub(super) fn fits(&self, uri: &str) -> bool {
        let Some(start) = &self.start else { return uri.is_empty() };
        uri.strip_prefix(start.as_str()).is_some_and(|rest| self.rest.fits(rest))
    }

    /// Whether an address fits whose suffix tells a type.
    fn fits_guess(&self, wanted: &Wanted<'_>, guess: &str) -> bool {
        let name = self.start.is_none() && !wanted.uri.contains("://");
        (name || self.fits(&wanted.uri)) && mime::fits(guess, self.mime.as_deref())
    }

    /// Whether what is wanted fits, whose address is known to begin as this does.
    pub(super) fn answers_rest(&self, wanted: &Wanted<'_>, rest: &str) -> bool {
        let mime = match (wanted.mime, &self.mime, wanted.guess) {
            ("", None, _) => true,
            ("", Some(_), None) => false,
            ("", Some(mime), Some(guess)) => mime::fits(guess, Some(mime)),
            (wanted, mime, _) => mime::fits(wanted, mime.as_deref()),
        };
        mime && self.rest.fits(rest)
    }

    /// Whether what is wanted fits: one line of the table in [`super`].
    pub(super) fn answers(&self, wanted: &Wanted<'_>) -> bool {
        match (wanted.uri.is_empty(), wanted.mime.is_empty()) {
            (true, true) => self.start.is_none() && self.mime.is_none(),
            (true, false) => self.start.is_none() && mime::fits(wanted.mime, self.mime.as_deref()),
            (false, false) => {
                mime::fits(wanted.mime, self.mime.as_deref()) && self.fits(&wanted.uri)
            }
            (false, true) => {
                (self.mime.is_none() && self.fits(&wanted.uri))
                    || wanted.guess.is_some_and(|guess| self.fits_guess(wanted, guess))
            }
        }
    }
}

impl Rest {
    fn fits(&self, rest: &str) -> bool {
        match self {
            Self::Scheme => rest.is_empty() || rest.starts_with(':'),
            Self::Host => rest.is_empty() || rest.starts_with('/'),
            Self::HostOrPort => rest.is_empty() || rest.starts_with(['/', ':']),
            Self::Is(path) => rest == path,
            Self::StartsWith(path) => rest.starts_with(path.as_str()),
            Self::Regex { start, path } => {
                let begins = rest.starts_with(start.as_str());
                begins && path.as_ref().is_some_and(|path| path.is_match(rest))
            }
        }
    }
}

/// What every text that matches an expression begins with, as far as that is plain to see.
fn beginning(expression: &str) -> &str {
    if expression.contains(['|', '#']) || expression.contains("(?") {
        return "";
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || "/-_~ %=&,;:@!".contains(c);
    let end = expression.find(|c| !plain(c)).unwrap_or(expression.len());
    let (start, rest) = expression.split_at_checked(end).unwrap_or_default();
    // The last letter may be there any number of times.
    let repeated = rest.starts_with(['*', '?', '{', '+']);
    if repeated { start.get(..end.saturating_sub(1)).unwrap_or_default() } else { start }
}

/// Whether one of these uris fits.
pub(super) fn uri_and_type(uris: &[Uri], wanted: &Wanted<'_>) -> bool {
    let nothing = wanted.uri.is_empty() && wanted.mime.is_empty();
    (nothing && uris.is_empty()) || uris.iter().any(|uri| uri.answers(wanted))
}
