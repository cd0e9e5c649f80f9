//! The one spelling of JSON that is signed ("OLPC canonical JSON"): sorted keys, no spaces, whole numbers, two
//! escapes.

use serde_json::Value;

/// The bytes that are signed.
///
/// # Errors
/// It has a number that is not whole, which has no one spelling.
pub fn canonical(value: &Value) -> Result<Vec<u8>, String> {
    let mut out = Vec::new();
    put(value, &mut out)?;
    Ok(out)
}

/// As deep as the reader goes, which has a limit.
fn put(value: &Value, out: &mut Vec<u8>) -> Result<(), String> {
    match value {
        Value::Null => out.extend(b"null"),
        Value::Bool(yes) => out.extend(if *yes { &b"true"[..] } else { b"false" }),
        Value::Number(number) if number.is_f64() => {
            return Err(format!("{number} is no whole number"));
        }
        Value::Number(number) => out.extend(number.to_string().bytes()),
        Value::String(text) => string(text, out),
        Value::Array(items) => {
            out.push(b'[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                put(item, out)?;
            }
            out.push(b']');
        }
        Value::Object(map) => {
            // In the order of their bytes, which is that of their characters.
            let mut fields: Vec<_> = map.iter().collect();
            fields.sort_by(|a, b| a.0.cmp(b.0));
            out.push(b'{');
            for (at, (name, item)) in fields.into_iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                string(name, out);
                out.push(b':');
                put(item, out)?;
            }
            out.push(b'}');
        }
    }
    Ok(())
}

fn string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    for byte in text.bytes() {
        if matches!(byte, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(byte);
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spelled(text: &str) -> Result<String, String> {
        let value = serde_json::from_str(text).map_err(|e| e.to_string())?;
        canonical(&value).map(|bytes| String::from_utf8(bytes).unwrap())
    }

    #[test]
    fn there_is_one_spelling() {
        let text = r#"{ "b": [1, -2, true, null], "a": "x\"\\\n\u00e9/", "B": {} }"#;
        let known = "{\"B\":{},\"a\":\"x\\\"\\\\\né/\",\"b\":[1,-2,true,null]}";
        assert_eq!(spelled(text), Ok(known.to_owned()));
        assert!(spelled("[1.0]").is_err() && spelled("1e3").is_err());
        assert!(spelled("123456789012345678901234567890").is_err(), "would lose digits");
    }

    proptest::proptest! {
        #[test]
        fn texts_differ_when_their_spellings_do(a in ".*", b in ".*") {
            let bytes = |text: &str| canonical(&Value::from(text)).unwrap();
            proptest::prop_assert_eq!(a == b, bytes(&a) == bytes(&b));
        }
    }
}
