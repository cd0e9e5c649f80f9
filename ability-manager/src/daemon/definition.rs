//! What servicemgr is told of an instance: a definition of a service in TOML. Pure.
//!
//! The manifest is of whoever made the bundle. Invariant: none of its texts becomes anything but the value of the
//! key it is for, and what the device decides (sandbox, places, its own variables) is not the manifest's to change.

use std::collections::BTreeMap;
use std::fmt::Write;

use model::bundle::{Ability, BUNDLES, DATA, INSTANCES, Manifest};
use model::service::INSTANCE;

/// Processes and threads of one instance: enough for a browser, too few to fill the table of the kernel.
const PIDS: u32 = 512;

/// Longest description of a service, in characters.
const MAX_ABOUT: usize = 200;

/// Where programs of the device are looked for.
const PROGRAMS: &str = "/usr/bin:/bin";

/// Where those of a root are looked for: images of containers have what was not packaged in `/usr/local`.
const OF_ROOT: &str = "/usr/local/bin:/usr/bin:/bin";

/// What of a root has programs and libraries, and its settings.
const EXECUTED: [&str; 4] = ["/app", "/opt", "/srv", "/usr"];
const SETTINGS: &str = "/etc";

/// The definition of each instance of an ability; `locale` is that of the device.
pub(crate) fn definition(manifest: &Manifest, ability: &Ability, locale: &str) -> String {
    let id = manifest.id.as_str();
    let bundle = format!("{BUNDLES}/{id}");
    let (el1, el2) = (format!("{DATA}/{id}/el1"), format!("{DATA}/{id}/el2"));
    let places = format!("{INSTANCES}/{id}");
    let mut text = String::new();
    let mut line = |key: &str, value: String| {
        // Writing to a string does not fail.
        let _ok = writeln!(text, "{key} = {value}");
    };
    line("about", quoted(&about(manifest, ability)));
    line("exec", list(exec(ability, &bundle)));
    line("working-directory", quoted(&bundle));
    let root = manifest.root();
    let programs = if root.is_some() { OF_ROOT } else { PROGRAMS };
    line("environment", table(environment(ability, (&bundle, &el1, &el2), (locale, programs))));
    line("restart", "{ when = \"never\" }".to_owned());
    line("limits", limits(manifest, ability));
    let write_execute = if ability.write_execute { ", write-execute = true" } else { "" };
    // The buses of all its instances, so that one compiled sandbox is for all of them. Nothing is written beside
    // them: that is memory of all, which no limit of its data counts.
    let of_root = |tree: &str| root.as_ref().map(|_| tree.to_owned());
    let execute = list(std::iter::once(bundle).chain(EXECUTED.into_iter().filter_map(of_root)));
    let (read, write) = (list([places].into_iter().chain(of_root(SETTINGS))), list([el1, el2]));
    let mut files = format!("execute = {execute}, read = {read}, write = {write}");
    if let Some(root) = &root {
        // Writing to a string does not fail.
        let _ok = write!(files, ", root = {}", quoted(root));
    }
    let files = format!("{{ {files} }}");
    line("sandbox", format!("{{ inherit = [\"app\"], files = {files}{write_execute} }}"));
    text
}

/// What people are told that it is.
fn about(manifest: &Manifest, ability: &Ability) -> String {
    let name = ability.label.as_ref().unwrap_or(&manifest.name);
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    let text: String = name.plain.chars().map(plain).take(MAX_ABOUT).collect();
    text.trim().to_owned()
}

/// A program with a `/` in front is one of the device, or of its root if it has one; any other one of the bundle.
fn exec(ability: &Ability, bundle: &str) -> Vec<String> {
    let mut words = ability.exec.iter().cloned();
    let program = words.next().unwrap_or_default();
    let program = if program.starts_with('/') { program } else { format!("{bundle}/{program}") };
    std::iter::once(program).chain(words).collect()
}

fn environment(
    ability: &Ability,
    (bundle, el1, el2): (&str, &str, &str),
    (locale, programs): (&str, &str),
) -> BTreeMap<String, String> {
    let mut all: BTreeMap<String, String> = [("LANG", locale), ("PATH", programs)]
        .map(|(name, value)| (name.into(), value.into()))
        .into();
    all.extend(ability.environment.clone());
    // Last, so that these are what they say.
    all.extend(
        [
            ("ENSEMBLE_BUNDLE", bundle.to_owned()),
            ("ENSEMBLE_DATA_EL1", el1.to_owned()),
            ("ENSEMBLE_DATA_EL2", el2.to_owned()),
            // What runs before the owner has unlocked the device must find it.
            ("HOME", if ability.before_unlock { el1 } else { el2 }.to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value)),
    );
    all
}

/// What one instance has in its environment and no other: where its bus is. Not in the definition, which servicemgr
/// reads once for all of them.
pub(crate) fn own(unit: &str) -> String {
    format!("DBUS_SESSION_BUS_ADDRESS=unix:path={INSTANCES}/{}/bus", place(unit))
}

/// Where an instance has what is its alone, below [`INSTANCES`]: `ID/NUMBER`. Not called as the unit: in the
/// address of a bus `@` would have to be written as `%40`, which some libraries insist on and others do not understand.
pub(crate) fn place(unit: &str) -> String {
    let name = unit.strip_prefix(INSTANCE).unwrap_or(unit);
    name.rsplit_once('_').map_or(name.to_owned(), |(id, number)| format!("{id}/{number}"))
}

fn limits(manifest: &Manifest, ability: &Ability) -> String {
    let size = |bytes: u64| format!("\"{}K\"", bytes.div_ceil(1024));
    let mut all = vec![format!("pids = {PIDS}"), format!("storage = {}", size(manifest.data.size))];
    all.extend(ability.memory.map(|memory| format!("memory = {}", size(memory))));
    format!("{{ {} }}", all.join(", "))
}

fn list(items: impl IntoIterator<Item = String>) -> String {
    let items: Vec<String> = items.into_iter().map(|item| quoted(&item)).collect();
    format!("[{}]", items.join(", "))
}

fn table(items: BTreeMap<String, String>) -> String {
    let items: Vec<String> =
        items.iter().map(|(key, value)| format!("{} = {}", quoted(key), quoted(value))).collect();
    format!("{{ {} }}", items.join(", "))
}

/// A text as a value of TOML.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            // TOML has no other way for them than by their number.
            _ if c.is_control() => {
                let _ok = write!(quoted, "\\u{:04X}", u32::from(c));
            }
            _ => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::path::Path;

    use model::Name;
    use model::bundle::{
        AbilityKind, BundleKind, Data, LaunchMode, Layout, Lifecycle, Requires, Runtime, Said,
        Version,
    };
    use model::permission::Level;
    use model::sandbox::View;
    use model::service::Service;
    use model::text;
    use proptest::prelude::*;

    use super::*;

    const UNIT: &str = "app@org.example.notes_7";

    fn manifest(name: &str, exec: Vec<String>, environment: BTreeMap<String, String>) -> Manifest {
        let said = |text: &str| Said { plain: text.to_owned(), ..Said::default() };
        let ability = Ability {
            name: Name::try_from("main").unwrap(),
            kind: AbilityKind::Page,
            launch: LaunchMode::Singleton,
            exec,
            lifecycle: Lifecycle::Process,
            exported: false,
            permission: None,
            skills: Vec::new(),
            label: None,
            environment,
            memory: Some(64 << 20),
            write_execute: true,
            before_unlock: false,
            background: Vec::new(),
            work: None,
            form: None,
        };
        Manifest {
            id: "org.example.notes".to_owned().try_into().unwrap(),
            version: Version(1, 0, 0),
            name: said(name),
            about: said(""),
            kind: BundleKind::App,
            layout: Layout::App,
            runtime: None,
            requires: Requires::default(),
            level: Level::default(),
            acl: Vec::new(),
            permissions: Vec::new(),
            abilities: vec![ability],
            data: Data::default(),
            icon: None,
            resources: None,
        }
    }

    fn of(manifest: &Manifest) -> String {
        definition(manifest, &manifest.abilities[0], "de_AT.UTF-8")
    }

    /// As servicemgr reads it, with the profiles that ship.
    fn read(text: &str) -> Service {
        let name = &Name::try_from(UNIT).unwrap();
        let profiles = concat!(env!("CARGO_MANIFEST_DIR"), "/../configs/sandbox").to_owned();
        let files = [(format!("{name}.toml"), text.to_owned())];
        let defined = text::service::define(&Files, &[profiles], name, &files);
        defined.unwrap_or_else(|report| panic!("{report}\n{text}")).service
    }

    struct Files;

    impl text::Source for Files {
        fn read(&self, path: &str) -> io::Result<String> {
            std::fs::read_to_string(path)
        }

        fn list(&self, directory: &str) -> io::Result<Vec<String>> {
            let names = std::fs::read_dir(directory)?;
            Ok(names.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect())
        }

        fn is_file(&self, path: &str) -> bool {
            Path::new(path).is_file()
        }
    }

    #[test]
    fn an_instance_finds_its_files_its_data_and_its_bus() {
        let words = |words: &[&str]| words.iter().map(ToString::to_string).collect();
        let mut notes = manifest("Notes", words(&["bin/notes", "--page"]), BTreeMap::new());
        let service = read(&of(&notes));
        assert_eq!(service.exec, ["/run/bundles/org.example.notes/bin/notes", "--page"]);
        assert_eq!(service.directory.as_deref(), Some("/run/bundles/org.example.notes"));
        let variable = |name: &str| service.environment.get(name).map(String::as_str);
        assert_eq!(variable("HOME"), Some("/var/lib/apps/org.example.notes/el2"));
        assert_eq!(variable("DBUS_SESSION_BUS_ADDRESS"), None, "servicemgr would read it for each");
        assert_eq!(
            own(UNIT),
            "DBUS_SESSION_BUS_ADDRESS=unix:path=/run/apps/org.example.notes/7/bus"
        );
        assert_eq!((service.user, service.permissions), (None, Vec::new()));
        assert_eq!(service.sandbox.write_execute, Some(true));
        assert_eq!(service.limits.memory, Some(64 << 20));
        let place = "/run/apps/org.example.notes".to_owned();
        let files = &service.sandbox.files;
        let has =
            |list: &Option<Vec<String>>| list.as_ref().is_some_and(|all| all.contains(&place));
        // What is in `/run` is memory, and no limit of its data counts it.
        assert!(has(&files.read) && !has(&files.write));
        notes.abilities[0].exec = words(&["/usr/bin/python3", "notes.py"]);
        assert_eq!(read(&of(&notes)).exec, ["/usr/bin/python3", "notes.py"]);
    }

    #[test]
    fn a_root_of_its_own_takes_the_place_of_the_devices_programs_and_settings() {
        let mut notes = manifest("Notes", vec!["/opt/notes/run".to_owned()], BTreeMap::new());
        let of_device = read(&of(&notes)).sandbox;
        assert_eq!(of_device.files.root, None);
        let runtime = || {
            let bundle = "org.example.python".to_owned().try_into().unwrap();
            Some(Runtime { bundle, version: Version(3, 11, 0) })
        };
        for (layout, runtime, root) in [
            (Layout::Root, None, "/run/bundles/org.example.notes"),
            (Layout::App, runtime(), "/run/bundles/org.example.python"),
            (Layout::Root, runtime(), "/run/roots/org.example.notes"),
        ] {
            (notes.layout, notes.runtime) = (layout, runtime);
            let service = read(&of(&notes));
            assert_eq!(service.exec, ["/opt/notes/run"]);
            assert_eq!(service.environment["PATH"], OF_ROOT);
            let (files, before) = (&service.sandbox.files, &of_device.files);
            assert_eq!(files.root.as_deref(), Some(root));
            assert_eq!((files.view, &files.write), (View::Listed, &before.write));
            let has =
                |list: &Option<Vec<String>>, tree: &str| list.iter().flatten().any(|t| t == tree);
            assert!(has(&files.read, "/etc") && !has(&before.read, "/etc"));
            assert!(EXECUTED.iter().all(|tree| has(&files.execute, tree)));
            assert!(has(&files.execute, "/run/bundles/org.example.notes"));
        }
    }

    #[test]
    fn what_the_device_says_is_not_the_manifests_to_say() {
        let environment =
            [("HOME", "/root"), ("LANG", "fr_FR.UTF-8"), ("MINE", "x\"\n[sandbox]\ninherit = []")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let service = read(&of(&manifest("x", vec!["x".to_owned()], environment.into())));
        assert_eq!(service.environment["HOME"], "/var/lib/apps/org.example.notes/el2");
        assert_eq!(service.environment["PATH"], PROGRAMS);
        assert_eq!(service.environment["LANG"], "fr_FR.UTF-8");
        assert_eq!(service.environment["MINE"], "x\"\n[sandbox]\ninherit = []");
    }

    proptest! {
        #[test]
        fn no_text_of_a_manifest_gets_out_of_its_place(
            name in "\\PC{0,250}",
            program in "[a-z]{1,9}",
            words in prop::collection::vec("[^\0]{0,60}", 0..4),
            values in prop::collection::btree_map("[A-Z_]{3,12}X", "[^\0]{0,60}", 0..4),
        ) {
            let exec = [vec![program.clone()], words.clone()].concat();
            let service = read(&of(&manifest(&name, exec, values.clone())));
            prop_assert_eq!(&service.exec[1..], words.as_slice());
            for (key, value) in &values {
                prop_assert_eq!(&service.environment[key], value);
            }
            prop_assert_eq!(service.environment.len(), values.len() + 6);
        }
    }
}
