//! Where a list is empty: joined lists keep the places of what is in them, so these are looked up again in
//! the texts.

use toml::de::{DeTable, DeValue};

use super::super::super::raw;
use super::super::super::report::{Place, Text, line_and_column};
use super::Rule;

/// A rule without a value for each place where a list is written as empty that is empty in `raw`.
pub(super) fn rules(raw: &raw::Sandbox, texts: &[Text]) -> Vec<Rule> {
    let keys: Vec<&str> = empty(raw).collect();
    if keys.is_empty() {
        return Vec::new();
    }
    texts.iter().enumerate().flat_map(|(file, text)| of_text(file, text, &keys)).collect()
}

/// The lists that are there and have nothing in them.
fn empty(raw: &raw::Sandbox) -> impl Iterator<Item = &'static str> {
    fn nothing<T>(list: Option<&Vec<T>>) -> bool {
        list.is_some_and(Vec::is_empty)
    }
    let (files, network) = (raw.files.as_ref(), raw.network.as_ref());
    let calls = raw.calls.as_ref();
    let all = [
        ("capabilities", nothing(raw.capabilities.as_ref())),
        ("files.read", nothing(files.and_then(|files| files.read.as_ref()))),
        ("files.write", nothing(files.and_then(|files| files.write.as_ref()))),
        ("files.execute", nothing(files.and_then(|files| files.execute.as_ref()))),
        ("files.devices", nothing(files.and_then(|files| files.devices.as_ref()))),
        ("network.families", nothing(network.and_then(|network| network.families.as_ref()))),
        ("network.connect", nothing(network.and_then(|network| network.connect.as_ref()))),
        ("network.listen", nothing(network.and_then(|network| network.listen.as_ref()))),
        ("calls.allow", nothing(calls.and_then(|calls| calls.allow.as_ref()))),
    ];
    all.into_iter().filter(|(_, empty)| *empty).map(|(key, _)| key)
}

/// Those of one text: a profile, or a service with `[sandbox]`.
fn of_text(file: usize, text: &Text, keys: &[&str]) -> Vec<Rule> {
    let (whole, _) = DeTable::parse_recoverable(&text.text);
    let sandbox = whole.get_ref().get("sandbox").and_then(|table| table.get_ref().as_table());
    let table = sandbox.unwrap_or(whole.get_ref());
    let rule = |key: &&str| {
        let (above, name) = key.split_once('.').unwrap_or(("", key));
        let table = match above {
            "" => table,
            above => table.get(above)?.get_ref().as_table()?,
        };
        let list = table.get(name)?;
        let DeValue::Array(items) = list.get_ref() else { return None };
        let (line, _) = line_and_column(&text.text, &Place::new(file, list.span()));
        let rule =
            Rule { key: (*key).to_owned(), value: String::new(), file: text.path.clone(), line };
        items.is_empty().then_some(rule)
    };
    keys.iter().filter_map(rule).collect()
}
