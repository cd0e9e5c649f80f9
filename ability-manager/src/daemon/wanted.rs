//! Wants as they come over a bus, and as we have them. Pure; what comes is anybody's.

use api::abilities::{Error, Want as Said};
use model::Name;
use model::bundle::BundleId;
use model::want::{MAX_LIST, MAX_PARAMETERS, MAX_WANT, MAX_WORD, Want};

/// What somebody wants, if it makes sense.
///
/// # Errors
/// [`Error::Invalid`]: which part does not, and what would.
pub(crate) fn read(said: Said) -> Result<Want, Error> {
    let bundle = said.bundle.map(|text| {
        BundleId::try_from(text.as_str())
            .map_err(|e| invalid(format!("bundle `{}`: {e}", cut(&text))))
    });
    let ability = said.ability.map(|text| {
        Name::try_from(text.as_str()).map_err(|e| invalid(format!("ability `{}`: {e}", cut(&text))))
    });
    let entities = said.entities.unwrap_or_default();
    if entities.len() > MAX_LIST {
        return Err(invalid(format!(
            "{} entities: at most {MAX_LIST} make a want",
            entities.len()
        )));
    }
    let parameters = said.parameters.unwrap_or_default();
    if parameters.len() > MAX_PARAMETERS {
        let count = parameters.len();
        return Err(invalid(format!("{count} parameters: at most {MAX_PARAMETERS} make a want")));
    }
    let words =
        [("action", &said.action), ("uri", &said.uri), ("mime", &said.mime), ("key", &said.key)];
    let words = words.into_iter().filter_map(|(what, text)| Some((what, text.as_ref()?)));
    let all = words.chain(entities.iter().map(|entity| ("entity", entity)));
    let mut length = 0;
    for (what, text) in all {
        if text.len() > MAX_WORD {
            return Err(invalid(format!("{what} of {} bytes: at most {MAX_WORD}", text.len())));
        }
        length += text.len();
    }
    length += parameters.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>();
    if length > MAX_WANT {
        let why =
            format!("a want of {length} bytes: at most {MAX_WANT}: put what is long into a file");
        return Err(invalid(why));
    }
    Ok(Want {
        bundle: bundle.transpose()?,
        ability: ability.transpose()?,
        action: said.action,
        entities,
        uri: said.uri,
        mime: said.mime,
        key: said.key,
        parameters: parameters.into_iter().collect(),
    })
}

/// A want as it goes over a bus.
pub(crate) fn say(want: &Want) -> Said {
    let Want { bundle, ability, action, entities, uri, mime, key, parameters } = want.clone();
    Said {
        bundle: bundle.map(Into::into),
        ability: ability.map(Into::into),
        action,
        entities: Some(entities).filter(|all| !all.is_empty()),
        uri,
        mime,
        key,
        parameters: Some(parameters.into_iter().collect())
            .filter(|all: &std::collections::HashMap<_, _>| !all.is_empty()),
    }
}

/// Enough of a text to be recognised.
fn cut(text: &str) -> &str {
    text.get(..text.floor_char_boundary(80)).unwrap_or_default()
}

fn invalid(why: String) -> Error {
    Error::Invalid(why)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn a_want_is_the_same_after_it_went_over_a_bus() {
        let said = Said {
            bundle: of("org.example.view"),
            ability: of("page"),
            action: of("view"),
            entities: Some(vec!["home".to_owned()]),
            uri: of("https://example.org/?q"),
            mime: of("text/html"),
            key: of("1"),
            parameters: Some([("a".to_owned(), "b".to_owned())].into()),
        };
        assert_eq!(say(&read(said.clone()).unwrap()), said);
        assert_eq!(say(&read(Said::default()).unwrap()), Said::default());
    }

    #[test]
    fn what_makes_no_sense_or_is_too_long_is_refused_with_its_reason() {
        let why = |said: Said| match read(said) {
            Err(Error::Invalid(why)) => why,
            other => panic!("{other:?}"),
        };
        let said = Said::default;
        assert!(why(Said { bundle: of("../x"), ..said() }).starts_with("bundle `../x`:"));
        assert!(why(Said { ability: of("X Y"), ..said() }).starts_with("ability `X Y`:"));
        let long = "x".repeat(MAX_WORD + 1);
        assert_eq!(why(Said { uri: of(&long), ..said() }), "uri of 1025 bytes: at most 1024");
        let many = vec!["x".to_owned(); MAX_LIST + 1];
        assert_eq!(
            why(Said { entities: Some(many), ..said() }),
            "65 entities: at most 64 make a want"
        );
        let parameters = (0..3).map(|n| (n.to_string(), "x".repeat(30_000))).collect();
        assert!(
            why(Said { parameters: Some(parameters), ..said() })
                .contains("put what is long into a file")
        );
    }
}
