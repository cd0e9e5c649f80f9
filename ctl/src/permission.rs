//! `ensctl permission`: what services ask for, and what the owner of the device decides.

use api::permissions::{Outcome, Row};
use api::services;

use crate::args::Args;
use crate::bus::Services as Bus;
use crate::call::{self, PATIENCE};
use crate::fault::Fault;
use crate::near::hint;
use crate::run::{Out, local};
use crate::services::known;
use crate::show::permission as show;

/// What to do with permissions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// Show those of a service, or of all.
    List(Option<String>),
    /// Show what this one gives, and to whom.
    Show(String),
    /// Decide.
    Decide(Decision),
}

/// What the owner decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// What about it.
    pub verb: Verb,
    /// Which service.
    pub service: String,
    /// Which permission; empty when it is about all.
    pub permission: String,
    /// Only say what would change.
    pub dry_run: bool,
}

/// What can be decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// It may, from its next start on; at once if true.
    Grant(bool),
    /// It may not, at once; with time to end if true.
    Revoke(bool),
    /// Forget what was decided.
    Reset,
}

impl Ask {
    /// From a command line whose second word is `word`.
    #[must_use]
    pub fn from_args(word: &str, args: &Args) -> Self {
        let operand = |at: usize| args.operands.get(at).cloned().unwrap_or_default();
        let verb = match word {
            "grant" => Verb::Grant(args.has("now")),
            "revoke" => Verb::Revoke(args.has("gently")),
            "reset" => Verb::Reset,
            "show" => return Self::Show(operand(0)),
            _ => return Self::List(args.operands.first().cloned()),
        };
        Self::Decide(Decision {
            verb,
            service: operand(0),
            permission: operand(1),
            dry_run: args.has("dry-run"),
        })
    }
}

/// Does it. Answers whether all is well.
///
/// # Errors
/// [`Fault`], in words for people.
pub(crate) fn run(ask: &Ask, json: bool, out: &Out) -> Result<bool, Fault> {
    match ask {
        Ask::List(service) => {
            let name = service.as_deref().unwrap_or_default();
            let ask = |bus: Bus<'_>| known(&bus, name, bus.permissions(name));
            let rows = call::services(true, Some(PATIENCE), ask)?;
            if json {
                out.json(&rows)
            } else {
                out.text(&show::list(&rows, service.as_deref(), &local(), out.paint))
            }?;
        }
        Ask::Show(name) => {
            let ask = |bus: Bus<'_>| permission(&bus, name, bus.permission(name));
            let shown = call::services(true, Some(PATIENCE), ask)?;
            if json { out.json(&shown) } else { out.text(&show::one(&shown, out.paint)) }?;
        }
        Ask::Decide(decision) => {
            let outcome = decide(decision)?;
            if json { out.json(&outcome) } else { out.text(&show::outcome(decision, &outcome)) }?;
        }
    }
    Ok(true)
}

/// The same decision twice changes nothing more; a service that is restarted may take its time.
fn decide(decision: &Decision) -> Result<Outcome, Fault> {
    let Decision { verb, service, permission, dry_run } = decision;
    call::services(true, None, |bus: Bus<'_>| {
        let answer = match verb {
            Verb::Grant(now) => bus.grant(service, permission, *now, *dry_run),
            Verb::Revoke(gently) => bus.revoke(service, permission, *gently, *dry_run),
            Verb::Reset => bus.reset_permissions(service, *dry_run),
        };
        known(&bus, service, answer)
    })
}

/// An unknown permission gets the one that was probably meant.
fn permission<T>(
    bus: &Bus<'_>,
    name: &str,
    answer: Result<T, services::Error>,
) -> Result<T, services::Error> {
    let Err(services::Error::Refused(why)) = answer else { return answer };
    let rows = bus.permissions("")?;
    let hint = hint(name, rows.iter().map(|row: &Row| row.permission.as_str()));
    Err(services::Error::Refused(format!("{}{hint}", why.trim_end())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Ask, String> {
        let args = Args::parse(line.split(' ').map(Into::into)).map_err(|usage| usage.why)?;
        let word =
            args.command.and_then(|command| command.words.get(1)).copied().unwrap_or_default();
        Ok(Ask::from_args(word, &args))
    }

    #[test]
    fn a_command_line_becomes_a_question_or_a_decision() {
        let decision = |verb, permission: &str, dry_run| {
            let (service, permission) = ("eye".to_owned(), permission.to_owned());
            Ok(Ask::Decide(Decision { verb, service, permission, dry_run }))
        };
        assert_eq!(read("permission list"), Ok(Ask::List(None)));
        assert_eq!(read("permission list eye"), Ok(Ask::List(Some("eye".into()))));
        assert_eq!(read("permission show camera"), Ok(Ask::Show("camera".into())));
        let grant = |now, dry_run| decision(Verb::Grant(now), "camera", dry_run);
        assert_eq!(read("permission grant eye camera"), grant(false, false));
        assert_eq!(read("permission grant eye camera --now --dry-run"), grant(true, true));
        let gently = decision(Verb::Revoke(true), "camera", false);
        assert_eq!(read("permission revoke eye camera --gently"), gently);
        assert_eq!(read("permission reset eye"), decision(Verb::Reset, "", false));
    }

    #[test]
    fn mistakes_are_told_with_a_way_out() {
        let all = ["permission", "permission grant eye", "permission show", "permission reset a b"];
        let all = all.map(|line| read(line).unwrap_err()).join("\n");
        insta::assert_snapshot!(all, @r"
        which `permission` command? One of list, show, grant, revoke, reset, pending, allow, deny, log
        `permission grant` needs SERVICE PERMISSION
        `permission show` needs PERMISSION
        `permission reset` takes one, but got `b` too
        ");
    }
}
