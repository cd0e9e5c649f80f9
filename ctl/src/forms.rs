//! `ensctl ability form`: cards that apps fill.

use serde_json::json;

use crate::abilities::done;
use crate::args::{Args, Usage};
use crate::call::{self, PATIENCE};
use crate::fault::Fault;
use crate::run::Out;
use crate::show::forms as show;

/// What to do with cards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// Show all.
    List,
    /// Add one of this ability of this bundle, in this size.
    Add(String, String, String),
    /// Remove one.
    Remove(u32),
}

impl Ask {
    /// From a command line whose second word is `word`; none if it is not this one.
    ///
    /// # Errors
    /// [`Usage`]: a value makes no sense.
    pub fn from_args(word: &str, args: &Args) -> Result<Option<Self>, Usage> {
        if word != "form" {
            return Ok(None);
        }
        let words: Vec<&str> = args.operands.iter().map(String::as_str).collect();
        Ok(Some(match words.as_slice() {
            [] | ["list"] => Self::List,
            ["add", what, size @ ..] if size.len() < 2 => {
                let (bundle, ability) = what.split_once('/').ok_or_else(|| {
                    args.wrong(format!("`{what}`: which ability? For example `{what}/card`"))
                })?;
                let size = size.first().copied().unwrap_or_default();
                Self::Add(bundle.to_owned(), ability.to_owned(), size.to_owned())
            }
            ["remove", number] => Self::Remove(number.parse().map_err(|_| {
                args.wrong(format!("`{number}`: which card? Its number, as in `ability form`"))
            })?),
            _ => {
                return Err(args.wrong("it is `list`, `add ID/ABILITY [SIZE]` or `remove NUMBER`"));
            }
        }))
    }
}

/// Does it. Answers whether all is well.
///
/// # Errors
/// [`Fault`], in words for people.
pub(crate) fn run(ask: &Ask, json: bool, out: &Out) -> Result<bool, Fault> {
    match ask {
        Ask::List => {
            let rows = call::abilities(true, Some(PATIENCE), |bus| bus.forms())?;
            if json { out.json(&rows) } else { out.text(&show::forms(&rows, out.paint)) }?;
        }
        Ask::Add(bundle, ability, size) => {
            // One that was added twice is there twice, so it is not asked again.
            let add = |bus: crate::bus::Abilities<'_>| bus.form_add(bundle, ability, size);
            let number = call::abilities(false, None, add)?;
            let text = || format!("{bundle}/{ability} fills card {number}.\n");
            if json { out.json(&json!({ "number": number })) } else { out.text(&text()) }?;
        }
        Ask::Remove(number) => {
            call::abilities(false, None, |bus| bus.form_remove(*number))?;
            done(json, &number.to_string(), "removed", out)?;
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Option<Ask>, String> {
        let asked = crate::args::line(line).and_then(|(word, args)| Ask::from_args(word, &args));
        asked.map_err(|usage| usage.why)
    }

    #[test]
    fn cards_are_listed_added_and_removed() {
        assert_eq!(read("ability form"), Ok(Some(Ask::List)));
        assert_eq!(read("ability form list"), Ok(Some(Ask::List)));
        let add = |size: &str| Ok(Some(Ask::Add("org.a".into(), "card".into(), size.into())));
        assert_eq!(read("ability form add org.a/card"), add(""));
        assert_eq!(read("ability form add org.a/card 2x4"), add("2x4"));
        assert_eq!(read("ability form remove 3"), Ok(Some(Ask::Remove(3))));
        assert_eq!(read("ability list"), Ok(None));
        let wrong = ["form add org.a", "form remove x", "form add", "form now"];
        let wrong = wrong.map(|line| read(&format!("ability {line}")).unwrap_err()).join("\n");
        insta::assert_snapshot!(wrong, @r"
        `org.a`: which ability? For example `org.a/card`
        `x`: which card? Its number, as in `ability form`
        it is `list`, `add ID/ABILITY [SIZE]` or `remove NUMBER`
        it is `list`, `add ID/ABILITY [SIZE]` or `remove NUMBER`
        ");
    }
}
