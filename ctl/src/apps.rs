//! `ensctl app`, and what the owner decides about apps.

use std::fs::File;
use std::path::Path;

use api::abilities::Error;

use crate::abilities::done;
use crate::args::Args;
use crate::bus::Abilities;
use crate::call::{self, PATIENCE};
use crate::fault::Fault;
use crate::near::hint;
use crate::run::{Out, local};
use crate::show::{apps as show, uses};

/// What to do with apps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// Show all.
    List,
    /// Show one.
    Info(String),
    /// Install from this file.
    Install {
        /// The file.
        file: String,
        /// Whoever signed it is trusted from now on.
        trust: bool,
        /// It may be older than what is there.
        downgrade: bool,
    },
    /// Remove this one; its data stay if true.
    Remove(String, bool),
    /// Back to the version before.
    Rollback(String),
    /// Show what this one asks for; all if empty.
    Permissions(String),
    /// Show what waits for the owner.
    Pending,
    /// Show what this one used and what was decided about it; of all if empty.
    Log(String),
    /// Decide about a permission of an app.
    Decide(String, String, &'static str),
    /// Show whom the device trusts.
    Keys,
    /// Trust a key, or no more.
    Trust(String, bool),
}

impl Ask {
    /// From a command line whose second word is `word`.
    #[must_use]
    pub fn from_args(word: &str, args: &Args) -> Self {
        let operand = |at: usize| args.operands.get(at).cloned().unwrap_or_default();
        match word {
            "info" => Self::Info(operand(0)),
            "install" => Self::Install {
                file: operand(0),
                trust: args.has("trust"),
                downgrade: args.has("downgrade"),
            },
            "remove" => Self::Remove(operand(0), args.has("keep-data")),
            "rollback" => Self::Rollback(operand(0)),
            "permissions" => Self::Permissions(operand(0)),
            "keys" => Self::Keys,
            "trust" => Self::Trust(operand(0), !args.has("remove")),
            _ => Self::List,
        }
    }

    /// From a command line of `permission`, if it is about apps.
    #[must_use]
    pub fn from_permission(word: &str, args: &Args) -> Option<Self> {
        let operand = |at: usize| args.operands.get(at).cloned().unwrap_or_default();
        // Services have no dots in their names, but for instances; bundles always have.
        let app = operand(0).contains('.') && !operand(0).contains('@');
        let decision = match word {
            "pending" => return Some(Self::Pending),
            "log" => return Some(Self::Log(operand(0))),
            "allow" if args.has("once") => "this-time",
            "allow" => "allow",
            "deny" => "deny",
            "list" if app => return Some(Self::Permissions(operand(0))),
            "grant" if app => "allow",
            "revoke" if app => "deny",
            "reset" if app => "reset",
            _ => return None,
        };
        Some(Self::Decide(operand(0), operand(1), decision))
    }
}

/// Does it. Answers whether all is well.
///
/// # Errors
/// [`Fault`], in words for people.
pub(crate) fn run(ask: &Ask, json: bool, out: &Out) -> Result<bool, Fault> {
    match ask {
        Ask::List => {
            let rows = call::abilities(true, Some(PATIENCE), |bus| bus.list())?;
            if json { out.json(&rows) } else { out.text(&show::list(&rows, out.paint)) }?;
        }
        Ask::Info(id) => {
            let info = call::abilities(true, Some(PATIENCE), |bus| known(&bus, id, bus.info(id)))?;
            if json { out.json(&info) } else { out.text(&show::one(&info, &local(), out.paint)) }?;
        }
        Ask::Install { file, trust: false, downgrade } if is_name(file) => {
            crate::stores::install(file, *downgrade, json, out)?;
        }
        Ask::Install { file, trust, downgrade } => {
            let open = |e| Fault::NotWell(format!("cannot open {file}: {e}"));
            let opened = File::open(file).map_err(open)?;
            // The same file a second time changes nothing.
            let install = |bus: Abilities<'_>| bus.install(&opened, *trust, *downgrade);
            let installed = call::abilities(true, None, install)?;
            if json { out.json(&installed) } else { out.text(&show::installed(&installed)) }?;
        }
        Ask::Remove(id, keep) => {
            let remove = |bus: Abilities<'_>| known(&bus, id, bus.remove(id, *keep));
            call::abilities(false, None, remove)?;
            done(json, id, "removed", out)?;
        }
        Ask::Rollback(id) => {
            let back = |bus: Abilities<'_>| known(&bus, id, bus.rollback(id));
            let installed = call::abilities(false, None, back)?;
            if json { out.json(&installed) } else { out.text(&show::installed(&installed)) }?;
        }
        Ask::Permissions(_) | Ask::Pending => permissions(ask, json, out)?,
        Ask::Log(id) => {
            let log = |bus: Abilities<'_>| known(&bus, id, bus.permission_log(id));
            let log = call::abilities(true, Some(PATIENCE), log)?;
            if json { out.json(&log) } else { out.text(&uses::log(&log, &local(), out.paint)) }?;
        }
        Ask::Decide(id, permission, decision) => {
            let decide = |bus: Abilities<'_>| known(&bus, id, bus.decide(id, permission, decision));
            let notes = call::abilities(true, None, decide)?;
            if json { out.json(&notes) } else { out.text(&show::sentences(&notes)) }?;
        }
        Ask::Keys => {
            let keys = call::abilities(true, Some(PATIENCE), |bus| bus.keys())?;
            if json { out.json(&keys) } else { out.text(&show::keys(&keys, out.paint)) }?;
        }
        Ask::Trust(key, trusted) => {
            call::abilities(true, Some(PATIENCE), |bus| bus.trust(key, *trusted))?;
            done(json, key, if *trusted { "trusted" } else { "not trusted" }, out)?;
        }
    }
    Ok(true)
}

fn permissions(ask: &Ask, json: bool, out: &Out) -> Result<(), Fault> {
    let id = if let Ask::Permissions(id) = ask { id.as_str() } else { "" };
    let all = |bus: Abilities<'_>| known(&bus, id, bus.permissions(id));
    let mut rows = call::abilities(true, Some(PATIENCE), all)?;
    let pending = *ask == Ask::Pending;
    rows.retain(|row| !pending || row.state == "pending");
    if json {
        return out.json(&rows);
    }
    out.text(&show::permissions(&rows, pending, &local(), out.paint))
}

/// Whether this names an app of a store, and no file.
fn is_name(file: &str) -> bool {
    !file.contains('/') && !file.ends_with(".bundle") && !Path::new(file).exists()
}

/// An unknown bundle gets the one that was probably meant.
fn known<T>(bus: &Abilities<'_>, id: &str, answer: Result<T, Error>) -> Result<T, Error> {
    let Err(Error::NotFound(why)) = answer else { return answer };
    let all = bus.list()?;
    let hint = hint(id, all.iter().map(|bundle| bundle.id.as_str()));
    Err(Error::NotFound(format!("{}{hint}", why.trim_end())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Option<Ask>, String> {
        let args = Args::parse(line.split(' ').map(Into::into)).map_err(|usage| usage.why)?;
        let words = args.command.map(|command| command.words).unwrap_or_default();
        Ok(match words {
            ["permission", word] => Ask::from_permission(word, &args),
            words => Some(Ask::from_args(words.get(1).copied().unwrap_or_default(), &args)),
        })
    }

    #[test]
    fn a_command_line_becomes_something_to_do() {
        let install = Ask::Install { file: "a.bundle".into(), trust: true, downgrade: false };
        assert_eq!(read("app install a.bundle --trust"), Ok(Some(install)));
        let remove = Ask::Remove("org.a".into(), true);
        assert_eq!(read("app remove org.a --keep-data"), Ok(Some(remove)));
        let trust = Ask::Trust("ed25519:x".into(), false);
        assert_eq!(read("app trust ed25519:x --remove"), Ok(Some(trust)));
    }

    #[test]
    fn decisions_are_about_apps_where_the_name_is_that_of_a_bundle() {
        let decide = |word| Ok(Some(Ask::Decide("org.a".into(), "camera".into(), word)));
        assert_eq!(read("permission allow org.a camera"), decide("allow"));
        assert_eq!(read("permission allow org.a camera --once"), decide("this-time"));
        assert_eq!(read("permission revoke org.a camera"), decide("deny"));
        assert_eq!(read("permission grant eye camera"), Ok(None));
        assert_eq!(read("permission grant getty@a.b camera"), Ok(None));
        assert_eq!(read("permission list"), Ok(None));
        assert_eq!(read("permission pending"), Ok(Some(Ask::Pending)));
        assert_eq!(read("permission log org.a"), Ok(Some(Ask::Log("org.a".into()))));
        assert_eq!(read("permission log"), Ok(Some(Ask::Log(String::new()))));
    }
}
