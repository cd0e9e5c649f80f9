//! From TOML to the raw types: the only place that looks at TOML values.
//!
//! A raw type is declared with [`table!`], which lists its keys once for reading, for "unknown key"
//! and for the JSON schema. Unlike a serde derive it does not stop at the first mistake: every
//! unknown key, missing key and wrong type of a file is noted, and what is right is kept.

use std::ops::Deref;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::near::did_you_mean;
use super::report::{Place, Problem};
use crate::word::Word;

/// Deepest nesting of values: ours need four.
const MAX_DEPTH: usize = 32;

/// A value and where it was written. Two are equal when their values are.
#[derive(Debug, Clone, Default)]
pub(crate) struct At<T> {
    pub(crate) value: T,
    pub(crate) place: Place,
}

impl<T: PartialEq> PartialEq for At<T> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

// Where it was written is of no use beside other files.
impl<T: Serialize> Serialize for At<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(serializer)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for At<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(deserializer).map(|value| Self { value, place: Place::default() })
    }
}

impl<T> Deref for At<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

/// One of the words of `T`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Choice<T>(pub(crate) T);

/// A table whose keys are names chosen by its author, in the order of writing.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Pairs(pub(crate) Vec<(At<String>, At<String>)>);

/// A table of texts whose keys have parts: `a.b = ".."`, `"a.b" = ".."` and tables in tables say the
/// same.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Named(pub(crate) Vec<(At<String>, At<String>)>);

/// Any value, as JSON has it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Any(pub(crate) serde_json::Value);

/// The file that is read, and what is wrong with it so far.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    file: usize,
    top: &'a [&'a str],
    depth: usize,
    problems: &'a mut Vec<Problem>,
}

/// What can be read from a TOML value; `None` when a problem was noted instead.
pub(crate) trait Decode: Sized {
    fn decode(value: &Spanned<DeValue<'_>>, r: &mut Reader<'_>) -> Option<Self>;
}

/// A raw type made of keys.
pub(crate) trait Table: Sized {
    const KEYS: &'static [&'static str];
    const REQUIRED: &'static [&'static str];
    /// Keys that people could expect, and why they are not there.
    const REFUSED: &'static [(&'static str, &'static str)];

    fn from_table(table: &DeTable<'_>, r: &mut Reader<'_>) -> Self;
}

/// Reads a whole file. Problems of its syntax are noted and give `None`.
pub(crate) fn file<T: Table>(file: usize, text: &str, problems: &mut Vec<Problem>) -> Option<T> {
    let (table, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        problems.extend(errors.iter().map(|e| syntax(file, text, e)));
        return None;
    }
    let mut reader = Reader { file, top: T::KEYS, depth: 0, problems };
    reader.keys::<T>(table.get_ref(), &Place::new(file, 0..0));
    Some(T::from_table(table.get_ref(), &mut reader))
}

/// A mistake in the TOML itself.
fn syntax(file: usize, text: &str, error: &toml::de::Error) -> Problem {
    let span = error.span().unwrap_or(0..0);
    let word = text.get(span.clone()).unwrap_or_default();
    let line = text.get(..span.start).and_then(|before| before.rsplit('\n').next());
    let value = line.is_some_and(|before| before.trim_end().ends_with(['=', '[', ',']));
    let bare = word.starts_with(char::is_alphabetic) || word.starts_with('/');
    if value && bare {
        let problem = Problem::new(Place::new(file, span), format!("`{word}` is not a value"));
        return problem.help(format!("text is written in quotes: \"{word}\""));
    }
    Problem::new(Place::new(file, span), error.message())
}

impl Reader<'_> {
    pub(crate) fn place<V>(&self, of: &Spanned<V>) -> Place {
        Place::new(self.file, of.span())
    }

    fn other_type(&self, value: &Spanned<DeValue<'_>>, expected: &str) -> Problem {
        let found = kind(value.get_ref());
        Problem::new(self.place(value), format!("{expected} is needed here, not {found}"))
    }

    fn wrong_type<T>(&mut self, value: &Spanned<DeValue<'_>>, expected: &str) -> Option<T> {
        let problem = self.other_type(value, expected);
        let listed =
            expected.starts_with("a list") && !matches!(value.get_ref(), DeValue::Table(_));
        let help = listed.then(|| "put it into brackets: [ … ]".to_owned());
        self.problems.push(problem.maybe_help(help));
        None
    }

    /// Notes unknown and missing keys.
    fn keys<T: Table>(&mut self, table: &DeTable<'_>, place: &Place) {
        let known = T::KEYS;
        for key in table.keys().filter(|k| !known.contains(&k.get_ref().as_ref())) {
            let word = key.get_ref().as_ref();
            if let Some((_, why)) = T::REFUSED.iter().find(|(refused, _)| *refused == word) {
                let problem = Problem::new(self.place(key), format!("no `{word}` here"));
                self.problems.push(problem.help(*why));
                continue;
            }
            let misplaced = self
                .top
                .contains(&word)
                .then(|| format!("`{word}` belongs above the first [table] of the file"));
            let help = misplaced
                .or_else(|| did_you_mean(word, known.iter().copied()))
                .unwrap_or_else(|| format!("keys here: {}", known.join(", ")));
            let problem = Problem::new(self.place(key), format!("unknown key `{word}`"));
            self.problems.push(problem.help(help));
        }
        for key in T::REQUIRED.iter().filter(|k| !table.contains_key(**k)) {
            self.problems.push(Problem::new(place.clone(), format!("the key `{key}` is missing")));
        }
    }

    /// Reads a table inside the file.
    pub(crate) fn table<T: Table>(&mut self, value: &Spanned<DeValue<'_>>) -> Option<T> {
        let DeValue::Table(table) = value.get_ref() else {
            let keys = T::KEYS.join(", ");
            let problem = self.other_type(value, "a table");
            self.problems.push(problem.help(format!("a table with the keys: {keys}")));
            return None;
        };
        let place = self.place(value);
        self.keys::<T>(table, &place);
        Some(T::from_table(table, self))
    }

    fn json(&mut self, value: &Spanned<DeValue<'_>>) -> Option<serde_json::Value> {
        use serde_json::Value;
        if self.depth > MAX_DEPTH {
            let place = self.place(value);
            self.problems.push(Problem::new(place, "nested too deep"));
            return None;
        }
        self.depth += 1;
        let json = match value.get_ref() {
            DeValue::String(s) => Some(Value::String(s.to_string())),
            DeValue::Boolean(b) => Some(Value::Bool(*b)),
            DeValue::Integer(_) => i64::decode(value, self).map(Value::from),
            DeValue::Float(f) => f.as_str().parse::<f64>().ok().map(Value::from),
            DeValue::Datetime(d) => Some(Value::String(d.to_string())),
            DeValue::Array(list) => list.iter().map(|v| self.json(v)).collect(),
            DeValue::Table(table) => {
                table.iter().map(|(k, v)| Some((k.get_ref().to_string(), self.json(v)?))).collect()
            }
        };
        self.depth -= 1;
        json
    }
}

fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "text",
        DeValue::Integer(_) => "a number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

impl Decode for String {
    fn decode(value: &Spanned<DeValue<'_>>, r: &mut Reader<'_>) -> Option<Self> {
        match value.get_ref() {
            DeValue::String(s) => Some(s.to_string()),
            _ => r.wrong_type(value, "text in quotes"),
        }
    }
}

impl Decode for bool {
    fn decode(value: &Spanned<DeValue<'_>>, r: &mut Reader<'_>) -> Option<Self> {
        match value.get_ref() {
            DeValue::Boolean(b) => Some(*b),
            _ => r.wrong_type(value, "true or false"),
        }
    }
}

impl Decode for i64 {
    fn decode(value: &Spanned<DeValue<'_>>, r: &mut Reader<'_>) -> Option<Self> {
        let DeValue::Integer(number) = value.get_ref() else {
            return r.wrong_type(value, "a whole number");
        };
        let parsed = Self::from_str_radix(number.as_str(), number.radix()).ok();
        if parsed.is_none() {
            let place = r.place(value);
            r.problems.push(Problem::new(place, format!("{number} is too large a number")));
        }
        parsed
    }
}

impl<T: Word> Decode for Choice<T> {
    fn decode(value: &Spanned<DeValue<'_>>, r: &mut Reader<'_>) -> Option<Self> {
        let word = String::decode(value, r)?;
        let found = T::from_word(&word).map(Self);
        if found.is_none() {
            let words = || T::WORDS.iter().map(|(w, _)| *w);
            let help = did_you_mean(&word, words())
                .unwrap_or_else(|| format!("one of: {}", words().collect::<Vec<_>>().join(", ")));
            let problem = Problem::new(r.place(value), format!("`{word}` is no {}", T::WHAT));
            r.problems.push(problem.help(help));
        }
        found
    }
}

impl Decode for Pairs {
    fn decode(value: &Spanned<DeValue<'_>>, r: &mut Reader<'_>) -> Option<Self> {
        let DeValue::Table(table) = value.get_ref() else {
            return r.wrong_type(value, "a table");
        };
        let mut pairs = Vec::new();
        for (key, value) in table {
            let key = At { value: key.get_ref().to_string(), place: r.place(key) };
            pairs.extend(At::decode(value, r).map(|value| (key, value)));
        }
        Some(Self(pairs))
    }
}

impl Decode for Named {
    fn decode(value: &Spanned<DeValue<'_>>, r: &mut Reader<'_>) -> Option<Self> {
        let DeValue::Table(table) = value.get_ref() else {
            return r.wrong_type(value, "a table");
        };
        let mut all = Self::default();
        all.add("", table, r);
        Some(all)
    }
}

impl Named {
    /// The parser bounds how deep tables lie in each other.
    fn add(&mut self, before: &str, table: &DeTable<'_>, r: &mut Reader<'_>) {
        for (key, value) in table {
            let name = format!("{before}{}", key.get_ref());
            if let DeValue::Table(inner) = value.get_ref() {
                self.add(&format!("{name}."), inner, r);
            } else {
                let key = At { value: name, place: r.place(key) };
                self.0.extend(At::decode(value, r).map(|value| (key, value)));
            }
        }
    }
}

impl Decode for Any {
    fn decode(value: &Spanned<DeValue<'_>>, r: &mut Reader<'_>) -> Option<Self> {
        r.json(value).map(Self)
    }
}

impl<T: Decode> Decode for At<T> {
    fn decode(value: &Spanned<DeValue<'_>>, r: &mut Reader<'_>) -> Option<Self> {
        let place = r.place(value);
        T::decode(value, r).map(|value| Self { value, place })
    }
}

impl<T: Decode> Decode for Vec<T> {
    fn decode(value: &Spanned<DeValue<'_>>, r: &mut Reader<'_>) -> Option<Self> {
        let items: &DeArray<'_> = match value.get_ref() {
            DeValue::Array(items) => items,
            _ => return r.wrong_type(value, "a list"),
        };
        Some(items.iter().filter_map(|item| T::decode(item, r)).collect())
    }
}

/// The list of keys that are refused with a reason, if there is one.
macro_rules! refused {
    () => {
        &[]
    };
    ($refused:ident) => {
        $refused
    };
}

/// Declares a raw type: fields, their keys, their types, the keys that must be there, and the name of a
/// list of keys that people could expect with why they are not there.
macro_rules! table {
    (
        $(#[$meta:meta])*
        $name:ident, required $required:tt $(refused $refused:ident)? {
            $( $(#[$doc:meta])* $key:literal => $field:ident : $type:ty, )*
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Default, PartialEq)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[cfg_attr(feature = "schema", schemars(deny_unknown_fields, extend("required" = $required)))]
        pub(crate) struct $name {
            $(
                $(#[$doc])*
                #[cfg_attr(feature = "schema", schemars(rename = $key))]
                pub(crate) $field: Option<$type>,
            )*
        }

        impl $crate::text::decode::Table for $name {
            const KEYS: &'static [&'static str] = &[$($key),*];
            const REQUIRED: &'static [&'static str] = &$required;
            const REFUSED: &'static [(&'static str, &'static str)] =
                $crate::text::decode::refused!($($refused)?);

            fn from_table(
                table: &toml::de::DeTable<'_>,
                r: &mut $crate::text::decode::Reader<'_>,
            ) -> Self {
                Self {
                    $( $field: table.get($key).and_then(|v| {
                        <$type as $crate::text::decode::Decode>::decode(v, r)
                    }), )*
                }
            }
        }

        impl $crate::text::decode::Decode for $name {
            fn decode(
                value: &toml::Spanned<toml::de::DeValue<'_>>,
                r: &mut $crate::text::decode::Reader<'_>,
            ) -> Option<Self> {
                r.table(value)
            }
        }
    };
}

pub(crate) use {refused, table};
