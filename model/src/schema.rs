//! JSON schemas of our TOML, for editors. Made from the raw types, so that they can't say anything
//! else than what is read.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::text::decode::{Any, At, Choice, Named, Pairs};
use crate::text::raw;
use crate::word::Word;

mod parts;
mod permissions;
mod reference;
#[cfg(test)]
mod tests;

pub use permissions::permissions;
pub use reference::reference;

/// File name and text of every schema.
#[must_use]
pub fn all() -> Vec<(&'static str, String)> {
    vec![
        ("device.json", text::<raw::Device>("A device of Ensemble")),
        ("service.json", text::<raw::Service>("A service of Ensemble")),
        ("sandbox.json", text::<raw::Profile>("A profile of Ensemble: what a program may do")),
        ("permission.json", text::<raw::Permission>("A permission of Ensemble: what it adds")),
        ("case.json", text::<raw::Case>("A test of a device of Ensemble")),
        ("bundle.json", text::<raw::Bundle>("A bundle of Ensemble: an app")),
    ]
}

fn text<T: JsonSchema>(title: &str) -> String {
    // Draft 7 is what TOML editors understand. A key that may be left out is not one that may be
    // null: TOML has no null.
    let mut settings = SchemaSettings::draft07();
    settings.meta_schema = Some("http://json-schema.org/draft-07/schema#".into());
    let mut schema = settings.into_generator().into_root_schema_for::<T>();
    schema.insert("title".to_owned(), title.into());
    let mut value = schema.to_value();
    without_null(&mut value);
    let mut text = serde_json::to_string_pretty(&value).unwrap_or_default();
    text.push('\n');
    text
}

/// Takes `null` out of every choice, and sorts keys.
fn without_null(value: &mut serde_json::Value) {
    use serde_json::Value;
    match value {
        Value::Array(list) => list.iter_mut().for_each(without_null),
        Value::Object(map) => {
            let only_null = |v: &Value| v.get("type").is_some_and(|t| t == "null");
            if let Some(Value::Array(any)) = map.get_mut("anyOf") {
                any.retain(|v| !only_null(v));
                if let (1, Some(Value::Object(one))) = (any.len(), any.first().cloned()) {
                    map.remove("anyOf");
                    // Beside `$ref`, draft 7 ignores everything else.
                    if one.contains_key("$ref") {
                        map.insert("allOf".to_owned(), Value::Array(vec![Value::Object(one)]));
                    } else {
                        map.extend(one);
                    }
                }
            }
            if let Some(Value::Array(types)) = map.get_mut("type") {
                types.retain(|t| t != "null");
                if let (1, Some(one)) = (types.len(), types.first().cloned()) {
                    map.insert("type".to_owned(), one);
                }
            }
            if let Some(Value::Array(words)) = map.get_mut("enum") {
                words.retain(|w| !w.is_null());
            }
            map.values_mut().for_each(without_null);
            // The same text whichever map serde_json was built with.
            let sorted: std::collections::BTreeMap<_, _> =
                std::mem::take(map).into_iter().collect();
            map.extend(sorted);
        }
        _ => {}
    }
}

impl<T: JsonSchema> JsonSchema for At<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        T::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

impl<T: Word> JsonSchema for Choice<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        T::WHAT.into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let words: Vec<&str> = T::WORDS.iter().map(|(word, _)| *word).collect();
        json_schema!({ "type": "string", "enum": words })
    }
}

impl JsonSchema for Pairs {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Pairs".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "object", "additionalProperties": { "type": "string" } })
    }
}

impl JsonSchema for Named {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Named".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "additionalProperties": { "type": ["string", "object"] }
        })
    }
}

impl JsonSchema for raw::Devices {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Devices".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let several = generator.subschema_for::<Vec<At<raw::Member>>>();
        json_schema!({ "anyOf": [{ "type": "string" }, several] })
    }
}

impl JsonSchema for Any {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Any".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!(true)
    }
}
