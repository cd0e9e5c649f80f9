//! `ensctl ability choices`, `choose` and `default`: which of several abilities does what is wanted.

use api::abilities::{Candidate, Error, Want};

use crate::abilities::{done, want};
use crate::args::{Args, Usage};
use crate::bus::Abilities;
use crate::call::{self, PATIENCE};
use crate::fault::Fault;
use crate::run::Out;
use crate::show::{abilities, choices as show};

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// Show what waits for a choice.
    Choices,
    /// Choose for this one: a candidate, or none of them (0); from now on if true.
    Choose(u32, u32, bool),
    /// Show what does what by default.
    Defaults,
    /// From now on this does what is wanted so: a bundle and its ability; nothing if there is none.
    Default(Box<Want>, Option<(String, String)>),
}

impl Ask {
    /// From a command line whose second word is `word`; none if it is none of these.
    ///
    /// # Errors
    /// [`Usage`]: a value makes no sense.
    pub fn from_args(word: &str, args: &Args) -> Result<Option<Self>, Usage> {
        let operand = |at: usize| args.operands.get(at).map(String::as_str).unwrap_or_default();
        Ok(Some(match word {
            "choices" => Self::Choices,
            "choose" => {
                let number = operand(0).parse().map_err(|_| {
                    let why = format!(
                        "`{}`: which choice? Its number, as in `ability choices`",
                        operand(0)
                    );
                    args.wrong(why)
                })?;
                Self::Choose(number, candidate(operand(1), args)?, args.has("always"))
            }
            "default" => {
                let want = want(args)?;
                let by = args.value("to").map(|what| {
                    let (bundle, ability) = what.split_once('/').ok_or_else(|| {
                        args.wrong(format!(
                            "`--to {what}`: which ability? For example `{what}/main`"
                        ))
                    })?;
                    Ok((bundle.to_owned(), ability.to_owned()))
                });
                match by.transpose()? {
                    None if !args.has("remove") && want == Want::default() => Self::Defaults,
                    None if !args.has("remove") => {
                        return Err(args.wrong(
                            "which ability does that from now on? `--to ID/ABILITY`, or `--remove`",
                        ));
                    }
                    by => Self::Default(Box::new(want), by),
                }
            }
            _ => return Ok(None),
        }))
    }
}

/// A candidate, by its number; `none` is 0.
pub(crate) fn candidate(word: &str, args: &Args) -> Result<u32, Usage> {
    match word {
        "none" => Ok(0),
        _ => word.parse().ok().filter(|number| *number > 0).ok_or_else(|| {
            args.wrong(format!("`{word}`: which one? A number from 1 on, as shown, or `none`"))
        }),
    }
}

/// Does it. Answers whether all is well.
///
/// # Errors
/// [`Fault`], in words for people.
pub(crate) fn run(ask: &Ask, json: bool, out: &Out) -> Result<bool, Fault> {
    match ask {
        Ask::Choices => {
            let rows = call::abilities(true, Some(PATIENCE), |bus| bus.choices())?;
            if json {
                out.json(&show::json(&rows))
            } else {
                out.text(&show::choices(&rows, out.paint))
            }?;
        }
        Ask::Choose(number, candidate, always) => {
            call::abilities(false, None, |bus| bus.choose(*number, *candidate, *always))?;
            done(json, &number.to_string(), "chosen", out)?;
        }
        Ask::Defaults => {
            let rows = call::abilities(true, Some(PATIENCE), |bus| bus.defaults())?;
            if json { out.json(&rows) } else { out.text(&show::defaults(&rows, out.paint)) }?;
        }
        Ask::Default(want, by) => {
            let (bundle, ability) = by.as_ref().map_or(("", ""), |(b, a)| (b.as_str(), a.as_str()));
            call::abilities(true, None, |bus| bus.set_default(want, bundle, ability))?;
            let now = if by.is_some() { "the default" } else { "no default" };
            done(json, &format!("{bundle}/{ability}"), now, out)?;
        }
    }
    Ok(true)
}

/// The want for one of the abilities that answer it: the one with this number; from now on if `always`.
pub(crate) fn pick(
    bus: &Abilities<'_>,
    want: &Want,
    number: u32,
    always: bool,
) -> Result<Want, Error> {
    let all = bus.candidates(want)?;
    let place = usize::try_from(number).unwrap_or(usize::MAX).checked_sub(1);
    let Some(Candidate { bundle, ability, .. }) = place.and_then(|place| all.get(place)) else {
        let why = format!(
            "there is no {number} among those that can do it:\n{}",
            abilities::numbered(&all)
        );
        return Err(Error::NotFound(why.trim_end().to_owned()));
    };
    if always {
        bus.set_default(want, bundle, ability)?;
    }
    let (bundle, ability) = (Some(bundle.clone()), Some(ability.clone()));
    Ok(Want { bundle, ability, ..want.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Option<Ask>, String> {
        let asked = crate::args::line(line).and_then(|(word, args)| Ask::from_args(word, &args));
        asked.map_err(|usage| usage.why)
    }

    #[test]
    fn the_owner_chooses_by_numbers() {
        assert_eq!(read("ability choices"), Ok(Some(Ask::Choices)));
        assert_eq!(read("ability choose 3 2 --always"), Ok(Some(Ask::Choose(3, 2, true))));
        assert_eq!(read("ability choose 3 none"), Ok(Some(Ask::Choose(3, 0, false))));
        assert_eq!(read("ability default"), Ok(Some(Ask::Defaults)));
        let view = || Box::new(Want { action: Some("view".into()), ..Want::default() });
        let by = Some(("org.a".to_owned(), "main".to_owned()));
        assert_eq!(
            read("ability default --action view --to org.a/main"),
            Ok(Some(Ask::Default(view(), by)))
        );
        assert_eq!(
            read("ability default --action view --remove"),
            Ok(Some(Ask::Default(view(), None)))
        );
        assert_eq!(read("ability list"), Ok(None));
        let wrong = ["choose x 1", "choose 1 0", "default --action view", "default --to org.a"];
        let wrong = wrong.map(|line| read(&format!("ability {line}")).unwrap_err()).join("\n");
        insta::assert_snapshot!(wrong, @r"
        `x`: which choice? Its number, as in `ability choices`
        `0`: which one? A number from 1 on, as shown, or `none`
        which ability does that from now on? `--to ID/ABILITY`, or `--remove`
        `--to org.a`: which ability? For example `org.a/main`
        ");
    }
}
