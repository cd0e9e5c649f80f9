//! Whatever a manifest says, its text says the same.

use std::time::Duration;

use proptest::prelude::*;

use super::super::*;
use super::NOTES;
use crate::Name;
use crate::bundle::{
    Ability, AbilityKind, BackgroundMode, BundleId, CardSize, Form, LaunchMode, Layout, Lifecycle,
    MIN_EVERY, MIN_REFRESH, Need, Runtime, Said, Version, Work,
};
use crate::want::{Skill, SkillPath, SkillUri, pattern};

fn text() -> impl Strategy<Value = String> {
    "[ -~äöü€\"\\\\]{1,40}"
}

fn said() -> impl Strategy<Value = Said> {
    let locale = "[a-z]{2}(-[A-Z][a-z]{3})?(-[A-Z]{2})?";
    let locales = prop::collection::btree_map(locale, text(), 0..3);
    (text(), locales).prop_map(|(plain, locales)| Said { plain, locales })
}

fn name() -> impl Strategy<Value = Name> {
    "[a-z][a-z0-9-]{0,10}".prop_map(|name| Name::try_from(name).unwrap())
}

fn some_words(word: &'static str, least: usize) -> impl Strategy<Value = Vec<String>> {
    prop::collection::btree_set(word, least..4).prop_map(|words| words.into_iter().collect())
}

fn uri() -> impl Strategy<Value = SkillUri> {
    let path = prop_oneof![
        "/[a-z/]{0,10}".prop_map(SkillPath::Is),
        "/[a-z/]{0,10}".prop_map(SkillPath::StartsWith),
        "[ -~]{1,10}"
            .prop_filter("an expression", |text| pattern(text).is_ok())
            .prop_map(SkillPath::Regex),
    ];
    let host = ("[a-z0-9.-]{1,10}", prop::option::of(1_u16..), prop::option::of(path));
    let address = ("[a-z][a-z0-9+.-]{0,5}", prop::option::of(host));
    let mime = prop_oneof!["[a-z]{1,5}/[a-z0-9.+-]{1,5}", "[a-z]{1,5}/\\*", Just("*/*".to_owned())];
    (prop::option::of(address), mime, any::<bool>()).prop_map(|(address, mime, typed)| {
        let mime = (typed || address.is_none()).then_some(mime);
        let Some((scheme, host)) = address else { return SkillUri { mime, ..SkillUri::default() } };
        let (host, port, path) = host.map_or((None, None, None), |(h, p, path)| (Some(h), p, path));
        SkillUri { scheme: Some(scheme), host, port, path, mime }
    })
}

fn skill() -> impl Strategy<Value = Skill> {
    let uris = prop::collection::vec(uri(), 0..3);
    (some_words("[!-~]{1,8}", 1), some_words("[!-~]{1,8}", 0), uris)
        .prop_map(|(actions, entities, uris)| Skill { actions, entities, uris })
}

fn work() -> impl Strategy<Value = Work> {
    let needs = prop::sample::subsequence(Need::WORDS, 0..4);
    let every = prop::option::of((0..1_000_000_u64).prop_map(Duration::from_millis));
    (needs, every).prop_map(|(needs, every)| Work {
        needs: needs.into_iter().map(|(_, need)| need).collect(),
        every: every.map(|more| MIN_EVERY + more),
    })
}

fn form() -> impl Strategy<Value = Form> {
    let sizes = prop::collection::btree_set((1_u8..=8, 1_u8..=8), 1..4);
    let refresh = prop::option::of((0..1_000_000_u64).prop_map(Duration::from_millis));
    (sizes, refresh).prop_map(|(sizes, refresh)| Form {
        sizes: sizes.into_iter().map(|(columns, rows)| CardSize { columns, rows }).collect(),
        refresh: refresh.map(|more| MIN_REFRESH + more),
    })
}

fn ability() -> impl Strategy<Value = Ability> {
    let kind = prop::sample::select(AbilityKind::WORDS.iter().map(|w| w.1).collect::<Vec<_>>());
    let launch = prop::sample::select(LaunchMode::WORDS.iter().map(|w| w.1).collect::<Vec<_>>());
    let exec =
        ("/?[a-z]{1,6}(/[a-z0-9._]{0,6}[a-z])?", prop::collection::vec(any::<String>(), 0..3));
    let exec = exec.prop_map(|(program, arguments)| {
        let arguments = arguments.into_iter().map(|a| a.replace('\0', ""));
        std::iter::once(program).chain(arguments).collect::<Vec<_>>()
    });
    let words = (name(), kind, launch, exec, any::<bool>(), any::<bool>(), any::<bool>());
    let environment = prop::collection::btree_map("[A-D][A-Z0-9_]{0,5}", text(), 0..3);
    let rest = (
        prop::option::of(name()),
        prop::collection::vec(skill(), 0..3),
        prop::option::of(said()),
        environment,
        prop::option::of((256_u64 << 10)..1 << 50),
    );
    let modes = prop::sample::subsequence(BackgroundMode::WORDS, 0..4);
    let quiet = (any::<bool>(), modes, work(), form());
    (words, rest, quiet).prop_map(|(words, rest, (before_unlock, modes, work, form))| {
        let (permission, skills, label, environment, memory) = rest;
        let (name, kind, launch, exec, bus, exported, write_execute) = words;
        let lifecycle = if bus { Lifecycle::Bus } else { Lifecycle::Process };
        Ability {
            name,
            kind,
            launch,
            exec,
            lifecycle,
            exported,
            permission,
            skills,
            label,
            environment,
            memory,
            write_execute,
            before_unlock,
            background: modes.into_iter().map(|(_, mode)| mode).collect(),
            work: (kind == AbilityKind::Work).then_some(work),
            form: (kind == AbilityKind::Form).then_some(form),
        }
    })
}

fn requires() -> impl Strategy<Value = Requires> {
    let form_factors = prop::sample::subsequence(FormFactor::WORDS, 0..3);
    (0..=API, some_words("x86_64|aarch64", 0), form_factors, some_words("/[a-z]{1,8}", 0)).prop_map(
        |(api, architectures, form_factors, files)| Requires {
            api,
            architectures,
            form_factors: form_factors.into_iter().map(|(_, f)| f).collect(),
            files,
        },
    )
}

prop_compose! {
    fn manifest()(
        (id, version, name) in ("[a-z][a-z0-9-]{0,6}(\\.[a-z][a-z0-9-]{0,6}){1,3}", any::<(u32, u32, u32)>(), said()),
        (about, about_is_there) in (said(), any::<bool>()),
        requires in requires(),
        level in prop::sample::select(Level::WORDS.iter().map(|w| w.1).collect::<Vec<_>>()),
        permissions in prop::collection::btree_map(name(), prop::option::of(said()), 0..4),
        abilities in prop::collection::btree_map(name(), ability(), 1..4),
        size in crate::bundle::MIN_DATA..=crate::bundle::MAX_DATA,
        icon in prop::option::of("[a-z]{1,6}(/[a-z0-9. ]{0,6}[a-z])?"),
        resources in prop::option::of("[a-z]{1,6}(/[a-z0-9. ]{0,6}[a-z])?"),
        runtime in prop::option::of(("[a-z]{1,6}\\.[a-z]{1,6}", any::<(u32, u32, u32)>())),
        root in any::<bool>(),
        listed in any::<bool>(),
    ) -> Manifest {
        let asked = |(permission, reason): (Name, Option<Said>)| {
            Asked { permission, reason: reason.unwrap_or_default() }
        };
        let runtime = runtime.map(|(id, version)| Runtime {
            bundle: BundleId::try_from(id.as_str()).unwrap(),
            version: Version(version.0, version.1, version.2),
        });
        Manifest {
            kind: BundleKind::App,
            layout: if root { Layout::Root } else { Layout::App },
            runtime,
            acl: permissions.keys().filter(|_| listed).cloned().collect(),
            resources,
            id: BundleId::try_from(id.as_str()).unwrap(),
            version: Version(version.0, version.1, version.2),
            name,
            about: if about_is_there { about } else { Said::default() },
            requires,
            level,
            permissions: permissions.into_iter().map(asked).collect(),
            abilities: abilities.into_iter().map(|(name, ability)| Ability { name, ..ability }).collect(),
            data: Data { size },
            icon,
        }
    }
}

proptest! {
    #[test]
    fn the_text_of_any_manifest_reads_back_as_the_same(manifest in manifest()) {
        let text = write(&manifest);
        match parse("any", &text) {
            Ok(read) => prop_assert_eq!(&read, &manifest),
            Err(report) => prop_assert!(false, "{}\n{}", report, text),
        }
    }

    #[test]
    fn any_text_gives_a_manifest_or_reasons(text in any::<String>(), at in 0..NOTES.len(), to in ".{0,5}") {
        let _ = parse("any", &text);
        if let (Some(before), Some(after)) = (NOTES.get(..at), NOTES.get(at + 1..)) {
            match parse("any", &format!("{before}{to}{after}")) {
                Ok(manifest) => prop_assert_eq!(parse("any", &write(&manifest)).ok(), Some(manifest)),
                Err(report) => prop_assert!(report.has_errors()),
            }
        }
    }
}
