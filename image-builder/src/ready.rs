//! What a device has ready for the first starts of apps: profiles and permissions as they mean, and filters.
//!
//! ```text
//! profile `app` ─┬─ with each set of permissions that any app may have ─┐
//!                └─ with each set that an app of the device may have ───┴─ filtered, none twice ─► sandbox-compiler
//! ```
//!
//! Most permissions are about files, which filters are not, so there are few. Invariant: what is not among them a
//! device compiles by itself.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use anyhow::Result;
use model::Name;
use model::permission::{Level, Permission};
use model::ready::Ready;
use model::sandbox::Profile;
use model::service::Service;
use model::text::ready::Profiles;
use model::text::{ABILITY_MANAGER, Loaded, Source, permission};
use sandbox::filtered;

use crate::profiles;

/// What apps inherit, as ability-manager has it, and those that generate code.
const APPS: [&str; 2] = [
    "sandbox = { inherit = [\"app\"] }",
    "sandbox = { inherit = [\"app\"], write-execute = true }",
];

/// Most permissions of which every set is looked at; of more, each by itself and all of them.
const MAX_SETS_OF: usize = 6;

/// Makes it, with `compiler`; nothing for a device that has no apps.
///
/// # Errors
/// The compiler fails.
pub fn make(loaded: &Loaded, compiler: &Path) -> Result<Ready> {
    if !loaded.plan.services.iter().any(|service| service.name.as_str() == ABILITY_MANAGER) {
        return Ok(Ready::default());
    }
    let texts = Texts(loaded);
    let profiles = Profiles::read(&texts, &[PROFILES.to_owned()]);
    let permissions = permissions(&texts);
    let apps =
        loaded.apps.bundles.iter().map(|app| {
            app.manifest.permissions.iter().map(|asked| asked.permission.clone()).collect()
        });
    let kinds = kinds(&profiles, &permissions, &apps.collect::<Vec<_>>());
    let filters = profiles::filters(compiler, kinds)?;
    Ok(Ready { profiles: profiles.encode(), permissions, filters })
}

/// Each by its name, but those with which something is wrong: that is told to who asks for them.
fn permissions(texts: &Texts<'_>) -> Vec<Permission> {
    let names = texts.0.permissions.iter().filter_map(|(path, _)| path.strip_suffix(".toml"));
    let one = |name| permission::load(texts, &[PERMISSIONS.to_owned()], name).ok();
    names.filter_map(one).map(|defined| defined.permission).collect()
}

/// What the filters of all apps are made from that there may be; `apps` ask for permissions that not any app may have.
fn kinds(profiles: &Profiles, permissions: &[Permission], apps: &[Vec<Name>]) -> BTreeSet<Profile> {
    let mut all = BTreeSet::new();
    for service in APPS.iter().filter_map(|text| app(profiles, text)) {
        let kind =
            |set: &[&Permission]| service.widened(set).ok().map(|profile| filtered(&profile));
        let plain = kind(&[]);
        let matters = |one: &&Permission| kind(&[one]).is_some_and(|kind| Some(kind) != plain);
        let matter: Vec<&Permission> = permissions.iter().filter(matters).collect();
        let of = |may: &dyn Fn(&Permission) -> bool| {
            matter.iter().copied().filter(|one| may(one)).collect::<Vec<_>>()
        };
        let any = of(&|one| one.level == Level::Normal);
        let theirs = apps.iter().map(|names| of(&|one| names.contains(&one.name)));
        for of in [any].into_iter().chain(theirs) {
            all.extend(sets(&of).iter().filter_map(|set| kind(set)));
        }
    }
    all
}

/// An app with no permission.
fn app(profiles: &Profiles, sandbox: &str) -> Option<Service> {
    let name = Name::try_from("app").ok()?;
    profiles.define(&name, &format!("exec = [\"/bin/true\"]\nuser = \"nobody\"\n{sandbox}\n"))
}

/// Sets of these, the empty one too.
fn sets<'p>(of: &[&'p Permission]) -> Vec<Vec<&'p Permission>> {
    if of.len() > MAX_SETS_OF {
        let each = of.iter().map(|one| vec![*one]);
        return each.chain([Vec::new(), of.to_vec()]).collect();
    }
    let mut all = vec![Vec::new()];
    for one in of {
        let with = |set: &Vec<&'p Permission>| [set.as_slice(), &[*one]].concat();
        all.extend(all.iter().map(with).collect::<Vec<_>>());
    }
    all
}

/// Where the texts of a device are, for those who read them here.
const PROFILES: &str = "sandbox";
const PERMISSIONS: &str = "permissions";

/// The texts of a device, as they will lie on it.
struct Texts<'l>(&'l Loaded);

impl Texts<'_> {
    fn find(&self, path: &str) -> Option<&str> {
        let (directory, name) = path.split_once('/')?;
        let mut all = self.all(directory).iter();
        all.find(|(of, _)| of == name).map(|(_, text)| text.as_str())
    }

    fn all(&self, directory: &str) -> &[(String, String)] {
        match directory {
            PROFILES => &self.0.profiles,
            PERMISSIONS => &self.0.permissions,
            _ => &[],
        }
    }
}

impl Source for Texts<'_> {
    fn read(&self, path: &str) -> io::Result<String> {
        self.find(path).map(str::to_owned).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn list(&self, directory: &str) -> io::Result<Vec<String>> {
        Ok(self.all(directory).iter().map(|(name, _)| name.clone()).collect())
    }

    fn is_file(&self, path: &str) -> bool {
        self.find(path).is_some()
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    struct Shipped;

    impl Source for Shipped {
        fn read(&self, path: &str) -> io::Result<String> {
            std::fs::read_to_string(configs().join(path))
        }

        fn list(&self, directory: &str) -> io::Result<Vec<String>> {
            let names = std::fs::read_dir(configs().join(directory))?;
            Ok(names.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect())
        }

        fn is_file(&self, path: &str) -> bool {
            configs().join(path).is_file()
        }
    }

    fn configs() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../configs")
    }

    fn shipped() -> (Profiles, Vec<Permission>) {
        let mut names = Shipped.list(PERMISSIONS).unwrap();
        names.sort();
        let one = |name: &String| {
            let name = name.trim_end_matches(".toml");
            permission::load(&Shipped, &[PERMISSIONS.to_owned()], name).unwrap().permission
        };
        (Profiles::read(&Shipped, &[PROFILES.to_owned()]), names.iter().map(one).collect())
    }

    #[test]
    fn there_is_a_filter_for_every_app_whatever_any_app_may_be_granted() {
        let (profiles, permissions) = shipped();
        let kinds = kinds(&profiles, &permissions, &[]);
        assert!((4..40).contains(&kinds.len()), "{}", kinds.len());
        let any: Vec<&Permission> =
            permissions.iter().filter(|one| one.level == Level::Normal).collect();
        for text in APPS {
            let files = text.replace("] }", "], files = { write = [\"/var/lib/x\"] } }");
            let app = app(&profiles, &files).unwrap();
            for one in &any {
                for other in &any {
                    let Ok(profile) = app.widened(&[one, other]) else { continue };
                    let (one, other) = (&one.name, &other.name);
                    assert!(kinds.contains(&filtered(&profile)), "{one} and {other}");
                }
            }
        }
    }

    #[test]
    fn an_app_of_the_device_may_have_what_others_may_not() {
        let (profiles, permissions) = shipped();
        let any = kinds(&profiles, &permissions, &[]);
        let clock = kinds(&profiles, &permissions, &[vec![Name::try_from("set-time").unwrap()]]);
        assert!(clock.is_superset(&any));
    }

    #[test]
    fn of_few_every_set_is_looked_at_and_of_many_not() {
        let (_, permissions) = shipped();
        let all: Vec<&Permission> = permissions.iter().collect();
        assert_eq!(sets(&[]), [Vec::<&Permission>::new()]);
        assert_eq!(sets(&all[..3]).len(), 8);
        assert_eq!(sets(&all[..20]).len(), 22);
    }
}
