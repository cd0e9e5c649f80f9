//! `ens store`: a directory of static files from which devices get apps.
//!
//! ```text
//! init ─► DIR ─┬─ add FILE…, remove ID ─► next list ─ publish ─► what devices see
//!              └─ list, verify, rotate
//! ```

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Args, Subcommand, ValueEnum};
use model::Name;
use model::bundle::{BundleId, Version};
use serde_json::{Value, json};
use tuf::{App, Role, Time};

use super::{print, print_error};
use crate::store::keys::Keys;
use crate::store::{Days, Entry, Published, Shop, check};

/// Keep a store of apps: static files for a disk, USB or any web server
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ens store init shop                    a directory, and keys for it
  ens store add shop notes.bundle        on the next list
  ens store publish shop                 signed: devices see it
Then, on a device: ensctl store add URL|DIR, ensctl app install notes")]
pub(super) struct Store {
    #[command(subcommand)]
    ask: Ask,
}

#[derive(Debug, Subcommand)]
enum Ask {
    Init(Init),
    Add(Add),
    Remove(Remove),
    Publish(Publish),
    List(List),
    Verify(Verify),
    Rotate(Rotate),
}

/// Which store, and where its keys are.
#[derive(Debug, Args)]
struct Where {
    /// The directory of the store
    directory: PathBuf,

    /// Where its keys are [default: ~/.config/ensemble/stores/NAME]
    #[arg(long, value_name = "DIR")]
    keys: Option<PathBuf>,
}

/// How long what is signed counts.
#[derive(Debug, Args)]
struct Expiry {
    /// How long a role's word counts, in days; 0: it has expired when it comes, to see what devices do [default:
    /// root=365 targets=90 snapshot=30 timestamp=14]
    #[arg(long, value_name = "ROLE=DAYS", value_parser = role_days)]
    expires: Vec<(Role, u64)>,
}

/// Make a store: a directory with nothing in it, and keys
#[derive(Debug, Args)]
#[command(after_help = "\
Keep a copy of the keys where nobody else reads them: without root.key nobody can replace one that was
lost. Devices are given DIR/metadata/1.root.json, or compare its fingerprint.")]
struct Init {
    #[command(flatten)]
    place: Where,

    /// What it is called: a-z, 0-9 and - [default: the name of the directory]
    #[arg(long)]
    name: Option<String>,

    #[command(flatten)]
    expiry: Expiry,

    /// Print JSON: name, root, fingerprint, keys
    #[arg(long)]
    json: bool,
}

/// Take bundles into the next list
#[derive(Debug, Args)]
struct Add {
    #[command(flatten)]
    place: Where,

    /// Bundles; each must be signed by its maker
    #[arg(required = true)]
    files: Vec<PathBuf>,

    /// Print JSON: what was taken
    #[arg(long)]
    json: bool,
}

/// Take a bundle out of the next list; what is installed stays
#[derive(Debug, Args)]
struct Remove {
    #[command(flatten)]
    place: Where,

    /// Which one
    id: String,

    /// Only this version of it
    version: Option<String>,
}

/// Sign what is listed, so that devices see it; also what has not changed, for longer
#[derive(Debug, Args)]
#[command(after_help = "\
A store has to be published again before its word expires, changed or not: once a week does it.")]
struct Publish {
    #[command(flatten)]
    place: Where,

    #[command(flatten)]
    expiry: Expiry,

    /// Print JSON: apps, versions, until
    #[arg(long)]
    json: bool,
}

/// Show what a store lists
#[derive(Debug, Args)]
struct List {
    #[command(flatten)]
    place: Where,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Check all of a store as a device does, from its first root on
#[derive(Debug, Args)]
struct Verify {
    /// The directory of the store
    directory: PathBuf,

    /// The root that devices were given [default: the first one]
    #[arg(long, value_name = "FILE")]
    root: Option<PathBuf>,

    /// Print JSON: name, versions, apps, until
    #[arg(long)]
    json: bool,
}

/// Replace a key: a new root says so, which the old key signs too
#[derive(Debug, Args)]
#[command(after_help = "\
The key that was there stays as ROLE.key.old beside the new one. Devices follow, also from the first root on.")]
struct Rotate {
    #[command(flatten)]
    place: Where,

    /// Whose key
    role: RoleName,

    #[command(flatten)]
    expiry: Expiry,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum RoleName {
    Root,
    Targets,
    Snapshot,
    Timestamp,
}

impl From<RoleName> for Role {
    fn from(name: RoleName) -> Self {
        match name {
            RoleName::Root => Self::Root,
            RoleName::Targets => Self::Targets,
            RoleName::Snapshot => Self::Snapshot,
            RoleName::Timestamp => Self::Timestamp,
        }
    }
}

fn role_days(text: &str) -> Result<(Role, u64), String> {
    let wrong = || "it takes ROLE=DAYS, such as timestamp=30".to_owned();
    let (role, days) = text.split_once('=').ok_or_else(wrong)?;
    let role = Role::ALL
        .into_iter()
        .find(|known| known.word() == role)
        .ok_or_else(|| format!("`{role}` is no role: root, targets, snapshot or timestamp"))?;
    let days = days.parse().ok().filter(|days| (0..=36_500).contains(days)).ok_or_else(wrong)?;
    Ok((role, days))
}

impl Expiry {
    fn days(&self) -> Days {
        let mut all = Days::default();
        for (role, days) in &self.expires {
            *match role {
                Role::Root => &mut all.root,
                Role::Targets => &mut all.targets,
                Role::Snapshot => &mut all.snapshot,
                Role::Timestamp => &mut all.timestamp,
            } = *days;
        }
        all
    }
}

impl Where {
    fn open(&self) -> Result<Shop> {
        Shop::open(&self.directory, self.keys.as_deref())
    }
}

impl Store {
    pub(super) fn run(self) -> Result<u8> {
        match self.ask {
            Ask::Init(ask) => ask.run(),
            Ask::Add(ask) => ask.run(),
            Ask::Remove(ask) => ask.run(),
            Ask::Publish(ask) => ask.run(),
            Ask::List(ask) => ask.run(),
            Ask::Verify(ask) => ask.run(),
            Ask::Rotate(ask) => ask.run(),
        }
    }
}

impl Init {
    fn run(self) -> Result<u8> {
        let Where { directory, keys } = &self.place;
        let full = std::path::absolute(directory)
            .with_context(|| format!("finding {}", directory.display()))?;
        let last = full.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let name = self.name.as_deref().unwrap_or(last);
        let name = Name::try_from(name).map_err(|why| {
            anyhow::anyhow!("a store can't be called `{name}`: {why}: --name says another one")
        })?;
        let keys = match keys {
            Some(place) => Keys::at(place),
            None => Keys::of(&name)?,
        };
        let shop = Shop::make(directory, &name, keys, self.expiry.days(), now())?;
        let root = shop.first_root();
        let bytes = std::fs::read(&root);
        let fingerprint =
            tuf::fingerprint(&bytes.with_context(|| format!("reading {}", root.display()))?);
        if self.json {
            let made = json!({
                "name": name.as_str(), "root": root, "fingerprint": fingerprint, "keys": shop.keys(),
            });
            print(&serde_json::to_string_pretty(&made)?);
            return Ok(0);
        }
        print_error(&format!(
            "made {}: keep a copy where nobody else reads it",
            shop.keys().display()
        ));
        print(&format!("{name}: root {fingerprint} ({})", root.display()));
        Ok(0)
    }
}

impl Add {
    fn run(self) -> Result<u8> {
        let shop = self.place.open()?;
        let all = self.files.iter().map(|file| shop.add(file)).collect::<Result<Vec<_>>>()?;
        if self.json {
            print(&serde_json::to_string_pretty(&all)?);
            return Ok(0);
        }
        all.iter().for_each(|entry| print(&format!("{} is on the next list", named(entry))));
        print_error(&format!("`ens store publish {}` makes it count", shown(&self.place)));
        Ok(0)
    }
}

impl Remove {
    fn run(self) -> Result<u8> {
        let id = BundleId::try_from(self.id.as_str())
            .map_err(|why| anyhow::anyhow!("no bundle is called `{}`: {why}", self.id))?;
        let version = self.version.as_deref().map(Version::try_from).transpose();
        let version = version.map_err(|why| anyhow::anyhow!("{why}"))?;
        for entry in self.place.open()?.remove(&id, version)? {
            print(&format!("{} is not on the next list", named(&entry)));
        }
        print_error(&format!("`ens store publish {}` makes it count", shown(&self.place)));
        Ok(0)
    }
}

impl Publish {
    fn run(self) -> Result<u8> {
        let mut shop = self.place.open()?;
        let published = shop.publish_for_longer(self.expiry.days(), now())?;
        if self.json {
            print(&serde_json::to_string_pretty(&told(&published))?);
        } else {
            print(&sentence(&shop, &published));
        }
        Ok(0)
    }
}

impl List {
    fn run(self) -> Result<u8> {
        let (listing, next) = self.place.open()?.listing()?;
        if self.json {
            let all: Vec<_> = listing.values().collect();
            print(&serde_json::to_string_pretty(&all)?);
            return Ok(0);
        }
        for entry in listing.values() {
            let about = App::text(&entry.app.about, "");
            print(&format!("{}  {} bytes  {about}", named(entry), entry.length));
        }
        if next {
            let place = shown(&self.place);
            print_error(&format!("not published yet: `ens store publish {place}` makes it count"));
        }
        Ok(0)
    }
}

impl Verify {
    fn run(self) -> Result<u8> {
        let shown = self.directory.display();
        let trusted = check::check(&self.directory, self.root.as_deref(), now())
            .with_context(|| format!("devices do not believe {shown}"))?;
        let (until, role) = trusted.expires();
        let apps = trusted.targets()?.targets.len();
        if self.json {
            let mut all = told(&Published { apps, versions: trusted.versions(), until });
            if let Some(all) = all.as_object_mut() {
                all.insert("name".into(), trusted.root().name.clone().into());
            }
            print(&serde_json::to_string_pretty(&all)?);
        } else {
            let (count, word) = (counted(apps), role.word());
            print(&format!(
                "{shown} is whole: {count}; the first to expire is its {word}, at {until}"
            ));
        }
        Ok(0)
    }
}

impl Rotate {
    fn run(self) -> Result<u8> {
        let mut shop = self.place.open()?;
        let role = Role::from(self.role);
        let published = shop.rotate(role, self.expiry.days(), now())?;
        print(&format!("the {} of {} has another key", role.word(), shop.name));
        print(&sentence(&shop, &published));
        Ok(0)
    }
}

fn named(entry: &Entry) -> String {
    format!("{} {}", entry.app.bundle, entry.app.version)
}

fn shown(place: &Where) -> String {
    place.directory.display().to_string()
}

fn counted(apps: usize) -> String {
    if apps == 1 { "1 bundle".to_owned() } else { format!("{apps} bundles") }
}

fn told(published: &Published) -> Value {
    let [root, targets, snapshot, timestamp] = published.versions;
    let versions =
        json!({ "root": root, "targets": targets, "snapshot": snapshot, "timestamp": timestamp });
    json!({ "apps": published.apps, "versions": versions, "until": published.until })
}

fn sentence(shop: &Shop, published: &Published) -> String {
    let (apps, until) = (counted(published.apps), published.until);
    format!("{}: {apps} published; to be published again before {until}", shop.name)
}

/// Now, on the clock of this host.
fn now() -> Time {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Time::new(since.map_or(0, |since| since.as_secs()))
}
