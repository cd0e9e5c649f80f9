//! `ensctl store`, and apps that come from stores.
//!
//! ```text
//! store (no right to anything) ── file, keys it vouches for ──► here ── InstallFrom ──► ability-manager
//!    ▲                                                           │
//!    └── files of a directory that is a store, opened by us ─────┘
//! ```

mod progress;
mod supply;

use std::io::{BufRead, IsTerminal};
use std::path::Path;

use api::stores::{Offer, Store};

use crate::abilities::done;
use crate::args::Args;
use crate::bus::{Abilities, Stores};
use crate::call::{self, PATIENCE};
use crate::fault::Fault;
use crate::near::hint;
use crate::run::{Out, local};
use crate::show::{apps, stores as show};
use progress::Progress;
use supply::supplied;

/// Longest root that is read, in bytes: as `store` takes it.
const MAX_ROOT: u64 = 512_000;

/// What to do with stores.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// Show all.
    List,
    /// Get to know one.
    Add {
        /// A URL or a directory.
        place: String,
        /// What it is to be called; empty: as it calls itself.
        name: String,
        /// The file of its first root; empty: it is fetched.
        root: String,
        /// Of its first root.
        fingerprint: String,
    },
    /// Forget one.
    Remove(String),
    /// Ask what is new; all if empty.
    Refresh(String),
    /// What is offered.
    Search(String),
    /// Install newer versions of these; of all if empty. Without asking if true.
    Upgrade(Vec<String>, bool),
}

impl Ask {
    /// From a command line of `store`, or of `app` if it is about stores.
    #[must_use]
    pub fn from_args(group: &str, word: &str, args: &Args) -> Option<Self> {
        let operand = || args.operands.first().cloned().unwrap_or_default();
        let value = |name| args.value(name).unwrap_or_default().to_owned();
        Some(match (group, word) {
            ("store", "add") => Self::Add {
                place: operand(),
                name: value("name"),
                root: value("root"),
                fingerprint: value("fingerprint"),
            },
            ("store", "remove") => Self::Remove(operand()),
            ("store", "refresh") => Self::Refresh(operand()),
            ("store", _) => Self::List,
            ("app", "search") => Self::Search(args.operands.join(" ")),
            ("app", "upgrade") => Self::Upgrade(args.operands.clone(), args.has("yes")),
            _ => return None,
        })
    }
}

/// Does it. Answers whether all is well.
///
/// # Errors
/// [`Fault`], in words for people.
pub(crate) fn run(ask: &Ask, json: bool, out: &Out) -> Result<bool, Fault> {
    match ask {
        Ask::List => {
            let rows = list()?;
            if json { out.json(&rows) } else { out.text(&show::list(&rows, &local(), out.paint)) }?;
        }
        Ask::Add { place, name, root, fingerprint } => {
            let row = add((name, place), root, fingerprint)?;
            if json { out.json(&row) } else { out.text(&show::added(&row)) }?;
        }
        Ask::Remove(name) => {
            call::stores(false, Some(PATIENCE), |bus| bus.remove(name))?;
            done(json, name, "forgotten", out)?;
        }
        Ask::Refresh(name) => return refresh(name, json, out),
        Ask::Search(text) => {
            let offers = call::stores(true, Some(PATIENCE), |bus| bus.search(text))?;
            if json { out.json(&offers) } else { out.text(&show::offers(&offers, out.paint)) }?;
            return Ok(!offers.is_empty());
        }
        Ask::Upgrade(ids, yes) => return upgrade(ids, *yes, json, out),
    }
    Ok(true)
}

fn list() -> Result<Vec<Store>, Fault> {
    call::stores(true, Some(PATIENCE), |bus| bus.list())
}

fn add((name, place): (&str, &str), root: &str, fingerprint: &str) -> Result<Store, Fault> {
    let place = if place.contains("://") {
        place.to_owned()
    } else {
        let full = std::fs::canonicalize(place)
            .map_err(|e| Fault::NotWell(format!("cannot open {place}: {e}")))?;
        full.to_str().ok_or_else(|| Fault::NotWell(format!("{place}: not UTF-8")))?.to_owned()
    };
    let root = if root.is_empty() {
        Vec::new()
    } else {
        let read = sys::regular::read(Path::new(root), MAX_ROOT, true);
        read.map_err(|e| Fault::NotWell(format!("cannot read {root}: {e}")))?.1
    };
    let from = supplied(&place)?;
    let add = |bus: Stores<'_>| bus.add((name, &place), &root, fingerprint, from.as_ref());
    call::stores(false, None, add)
}

/// Asks one store, or all, what is new.
fn refresh(name: &str, json: bool, out: &Out) -> Result<bool, Fault> {
    let all = list()?;
    let known = || hint(name, all.iter().map(|store| store.name.as_str()));
    if !name.is_empty() && !all.iter().any(|store| store.name == name) {
        let why = format!("no store `{name}` is known{}", known());
        return Err(Fault::NoSuchService(why));
    }
    let mut rows = Vec::new();
    let mut well = true;
    for store in all.iter().filter(|store| name.is_empty() || store.name == name) {
        match ask_anew(store) {
            Ok(row) => rows.push(row),
            Err(why) => {
                out.say(&format!("ensctl: {}: {why}", store.name))?;
                well = false;
            }
        }
    }
    if json {
        out.json(&rows)?;
    } else if !rows.is_empty() || all.is_empty() {
        out.text(&show::list(&rows, &local(), out.paint))?;
    }
    Ok(well)
}

fn ask_anew(store: &Store) -> Result<Store, Fault> {
    let from = supplied(&store.place)?;
    call::stores(true, None, |bus| bus.refresh(&store.name, from.as_ref()))
}

/// Asks all stores what is new. One that does not answer is told of, and counts as it was.
fn ask_all(out: &Out) -> Result<Vec<Store>, Fault> {
    let all = list()?;
    if all.is_empty() {
        let why = "no store is known: `ensctl store add URL|DIR` adds one";
        return Err(Fault::NotWell(why.to_owned()));
    }
    for store in &all {
        if let Err(why) = ask_anew(store) {
            out.say(&format!("ensctl: {}: {why}", store.name))?;
        }
    }
    Ok(all)
}

/// Installs the app that is called so from a store.
pub(crate) fn install(name: &str, downgrade: bool, json: bool, out: &Out) -> Result<(), Fault> {
    let stores = ask_all(out)?;
    let offers = call::stores(true, Some(PATIENCE), |bus| bus.search(name))?;
    let offer = chosen(name, offers)?;
    let installed = bring(&offer, &stores, downgrade, json, out)?;
    if json { out.json(&installed) } else { out.text(&apps::installed(&installed)) }
}

/// Fetches a bundle and hands it to ability-manager, with what the store says of it.
fn bring(
    offer: &Offer,
    stores: &[Store],
    downgrade: bool,
    json: bool,
    out: &Out,
) -> Result<api::abilities::Installed, Fault> {
    if !json {
        out.say(&show::fetching(offer))?;
    }
    let place = stores.iter().find(|store| store.name == offer.store).map(|store| &store.place);
    let from = place.map(|place| supplied(place)).transpose()?.flatten();
    let line = Progress::new(!json);
    let told = |done, of| line.at(done, |rate| show::fetched(done, of, rate));
    let fetched = call::stores(true, None, |bus| bus.fetch(offer, from.as_ref(), &told));
    line.end();
    let (file, keys) = fetched?;
    let install = |bus: Abilities<'_>| bus.install_from(&file, &keys, &offer.store, downgrade);
    call::abilities(true, None, install)
}

/// The app that is meant: by its id, the last word of that, or its name; of several stores the highest version.
fn chosen(name: &str, offers: Vec<Offer>) -> Result<Offer, Fault> {
    let is = |offer: &&Offer| {
        offer.id == name
            || offer.id.rsplit('.').next() == Some(name)
            || offer.name.to_lowercase() == name.to_lowercase()
    };
    let mut ids: Vec<&str> = offers.iter().filter(is).map(|offer| offer.id.as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    let id = match ids.as_slice() {
        [id] => (*id).to_owned(),
        [] => {
            let near = hint(name, offers.iter().map(|offer| offer.id.as_str()));
            let why =
                format!("no store offers `{name}`{near}: `ensctl app search` shows what they do");
            return Err(Fault::NoSuchService(why));
        }
        several => {
            let several = several.join(", ");
            return Err(Fault::NotWell(format!("several apps are called `{name}`: {several}")));
        }
    };
    let all = offers.into_iter().filter(|offer| offer.id == id);
    let best = all.max_by_key(|offer| (offer.unfit.is_empty(), version(&offer.version)));
    match best {
        Some(offer) if offer.unfit.is_empty() => Ok(offer),
        Some(offer) => Err(Fault::Refused(format!("{id} is not for this device: {}", offer.unfit))),
        None => Err(Fault::NoSuchService(format!("no store offers {id}"))),
    }
}

/// The numbers of a version.
fn version(text: &str) -> Vec<u64> {
    text.split('.').map(|number| number.parse().unwrap_or(0)).collect()
}

/// What is newer than what is installed (ids and versions): each with the version that is here.
fn newer(installed: &[(String, String)], offers: Vec<Offer>) -> Vec<(String, Offer)> {
    let mut all: Vec<(String, Offer)> = Vec::new();
    for offer in offers.into_iter().filter(|offer| offer.unfit.is_empty()) {
        let Some((_, here)) = installed.iter().find(|(id, _)| *id == offer.id) else { continue };
        if version(&offer.version) <= version(here) {
            continue;
        }
        match all.iter_mut().find(|(_, known)| known.id == offer.id) {
            Some((_, known)) if version(&known.version) < version(&offer.version) => *known = offer,
            Some(_) => {}
            None => all.push((here.clone(), offer)),
        }
    }
    all
}

fn upgrade(ids: &[String], yes: bool, json: bool, out: &Out) -> Result<bool, Fault> {
    let mut installed = call::abilities(true, Some(PATIENCE), |bus| bus.list())?;
    if let Some(id) = ids.iter().find(|id| !installed.iter().any(|row| row.id == **id)) {
        let near = hint(id, installed.iter().map(|row| row.id.as_str()));
        return Err(Fault::NoSuchService(format!("{id} is not installed{near}")));
    }
    installed.retain(|row| ids.is_empty() || ids.contains(&row.id));
    let stores = ask_all(out)?;
    let mut offers = Vec::new();
    for row in &installed {
        offers.extend(call::stores(true, Some(PATIENCE), |bus| bus.search(&row.id))?);
    }
    let here: Vec<_> = installed.into_iter().map(|row| (row.id, row.version)).collect();
    let plan = newer(&here, offers);
    if plan.is_empty() || !json {
        out.say(&show::plan(&plan))?;
    }
    if plan.is_empty() {
        return Ok(true);
    }
    if !yes && !agreed(out)? {
        return Err(Fault::Refused("nothing is changed".to_owned()));
    }
    let (mut done, mut well) = (Vec::new(), true);
    for (_, offer) in &plan {
        match bring(offer, &stores, false, json, out) {
            Ok(installed) => {
                if !json {
                    out.text(&apps::installed(&installed))?;
                }
                done.push(installed);
            }
            Err(why) => {
                out.say(&format!("ensctl: {}: {why}", offer.id))?;
                well = false;
            }
        }
    }
    if json {
        out.json(&done)?;
    }
    Ok(well)
}

/// Whether who is at the terminal agrees.
fn agreed(out: &Out) -> Result<bool, Fault> {
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        out.say("Nobody is there to ask: `--yes` agrees.")?;
        return Ok(false);
    }
    out.say("Go on? y or n")?;
    let mut line = String::new();
    stdin.lock().read_line(&mut line)?;
    Ok(["y", "yes"].contains(&line.trim().to_lowercase().as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer(id: &str, version: &str, store: &str) -> Offer {
        let name = id.rsplit('.').next().unwrap_or_default().to_uppercase();
        let (id, version, store) = (id.into(), version.into(), store.into());
        Offer { id, version, store, name, ..Offer::default() }
    }

    #[test]
    fn an_app_is_meant_by_its_id_its_last_word_or_its_name() {
        let all = || vec![offer("org.a.notes", "1.2.0", "x"), offer("org.a.notes", "1.10.0", "y")];
        for name in ["org.a.notes", "notes", "NOTES", "Notes"] {
            assert_eq!(chosen(name, all()).unwrap().store, "y", "{name}");
        }
        assert!(matches!(chosen("note", all()), Err(Fault::NoSuchService(_))));
        let two = vec![offer("org.a.notes", "1.0.0", "x"), offer("org.b.notes", "1.0.0", "x")];
        assert!(matches!(chosen("notes", two.clone()), Err(Fault::NotWell(_))));
        assert_eq!(chosen("org.b.notes", two).unwrap().id, "org.b.notes");
        let unfit = Offer { unfit: "it is for aarch64".into(), ..offer("org.a.b", "9.0.0", "x") };
        let both = vec![unfit.clone(), offer("org.a.b", "1.0.0", "x")];
        assert_eq!(chosen("b", both).unwrap().version, "1.0.0");
        assert!(matches!(chosen("b", vec![unfit]), Err(Fault::Refused(_))));
    }

    #[test]
    fn only_what_is_newer_is_an_upgrade_and_the_highest_counts() {
        let installed = [("org.a", "1.9.0"), ("org.b", "2.0.0")];
        let installed = installed.map(|(id, version)| (id.to_owned(), version.to_owned()));
        let offers = vec![
            offer("org.a", "1.10.0", "x"),
            offer("org.a", "1.11.0", "y"),
            offer("org.b", "2.0.0", "x"),
            offer("org.c", "3.0.0", "x"),
        ];
        let plan = newer(&installed, offers);
        assert_eq!(plan.len(), 1);
        assert_eq!((plan[0].0.as_str(), plan[0].1.version.as_str()), ("1.9.0", "1.11.0"));
    }
}
