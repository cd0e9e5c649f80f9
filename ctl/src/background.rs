//! `ensctl ability tasks` and `ensctl ability work`: what apps do while nobody looks at them.

use crate::args::{Args, Usage};
use crate::call::{self, PATIENCE};
use crate::fault::Fault;
use crate::run::{Out, local};
use crate::show::background as show;

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// Show what goes on.
    Tasks,
    /// Show what waits for its time.
    Works,
    /// Have this ability of this bundle run.
    Run(String, String),
}

impl Ask {
    /// From a command line whose second word is `word`; none if it is none of these.
    ///
    /// # Errors
    /// [`Usage`]: a value makes no sense.
    pub fn from_args(word: &str, args: &Args) -> Result<Option<Self>, Usage> {
        let words: Vec<&str> = args.operands.iter().map(String::as_str).collect();
        Ok(Some(match (word, words.as_slice()) {
            ("tasks", _) => Self::Tasks,
            ("work", []) => Self::Works,
            ("work", ["run", what]) => match what.split_once('/') {
                Some((bundle, ability)) => Self::Run(bundle.to_owned(), ability.to_owned()),
                None => {
                    let why = format!("`{what}`: which ability? For example `{what}/sync`");
                    return Err(args.wrong(why));
                }
            },
            ("work", ["run"]) => {
                return Err(args.wrong("run what? ID/ABILITY, as in `ability work`"));
            }
            ("work", [other, ..]) => {
                return Err(args.wrong(format!("`{other}`: it is `ability work run ID/ABILITY`")));
            }
            _ => return Ok(None),
        }))
    }
}

/// Does it. Answers whether all is well.
///
/// # Errors
/// [`Fault`], in words for people.
pub(crate) fn run(ask: &Ask, json: bool, out: &Out) -> Result<bool, Fault> {
    match ask {
        Ask::Tasks => {
            let rows = call::abilities(true, Some(PATIENCE), |bus| bus.tasks())?;
            if json { out.json(&rows) } else { out.text(&show::tasks(&rows, out.paint)) }?;
        }
        Ask::Works => {
            let rows = call::abilities(true, Some(PATIENCE), |bus| bus.works())?;
            if json {
                out.json(&rows)
            } else {
                out.text(&show::works(&rows, &local(), out.paint))
            }?;
        }
        Ask::Run(bundle, ability) => {
            let ran = call::abilities(false, None, |bus| bus.run_work(bundle, ability))?;
            if json { out.json(&ran) } else { out.text(&show::ran(bundle, ability, &ran)) }?;
            return Ok(ran.well);
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
    fn work_is_looked_at_or_run() {
        assert_eq!(read("ability tasks"), Ok(Some(Ask::Tasks)));
        assert_eq!(read("ability work"), Ok(Some(Ask::Works)));
        let run = Ask::Run("org.example.mail".into(), "sync".into());
        assert_eq!(read("ability work run org.example.mail/sync"), Ok(Some(run)));
        assert_eq!(read("ability list"), Ok(None));
        let wrong = ["ability work run", "ability work run org.a", "ability work now"];
        let wrong = wrong.map(|line| read(line).unwrap_err()).join("\n");
        insta::assert_snapshot!(wrong, @r"
        run what? ID/ABILITY, as in `ability work`
        `org.a`: which ability? For example `org.a/sync`
        `now`: it is `ability work run ID/ABILITY`
        ");
    }
}
