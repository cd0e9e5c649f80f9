//! What must hold of whatever is learned.

use std::collections::BTreeSet;

use model::sandbox::{LEAST, Profile, calls};
use proptest::prelude::*;

use super::{file, given, observed, profile};
use crate::calls::named;
use crate::learn::judge::Judge;
use crate::learn::observed::{Act, Use};
use crate::learn::{Observed, Says, learn, text};

/// A path in one of the places that matter.
fn a_path() -> impl Strategy<Value = String> {
    let place = prop::sample::select(vec![
        "/data",
        "/data/a",
        "/etc",
        "/usr/bin",
        "/usr/lib",
        "/var/lib/x",
        "/opt",
        "/srv/a/b",
    ]);
    (place, "[a-d]{1,2}").prop_map(|(place, name)| format!("{place}/{name}"))
}

fn an_act() -> impl Strategy<Value = (&'static str, Act)> {
    let how = prop::sample::select(vec![
        Use::Look,
        Use::Connect,
        Use::Read,
        Use::List,
        Use::Map,
        Use::Execute,
        Use::Write,
        Use::Make,
    ]);
    let special = prop::sample::select(vec![
        "/etc/shadow",
        "/proc/self/stat",
        "/dev/null",
        "/dev/fb0",
        "/tmp/x",
        "/root/a",
        "/",
        "/dev/pts/1",
    ]);
    let call = prop::sample::select(vec![
        "openat",
        "ptrace",
        "execve",
        "mkdir",
        "mount",
        "chroot",
        "clone3",
        "settimeofday",
        "pipe2",
    ]);
    prop_oneof![
        8 => (call.clone(), a_path(), how.clone()).prop_map(|(call, path, how)| (call, file(&path, how))),
        1 => (call, special, how).prop_map(|(call, path, how)| (call, file(path, how))),
        1 => (0..50_i32, 0..5_i32, 0..8_i32).prop_map(|(f, k, p)| ("socket", Act::Socket(f, k, p))),
        1 => any::<u16>().prop_map(|port| ("connect", Act::Connect(port))),
    ]
}

/// Of what the profile allows, uses that it does not allow without this entry of a list.
fn needs(observed: &Observed, with: &Profile, without: &Profile) -> bool {
    let (with, without) = (Judge::of(with).unwrap(), Judge::of(without).unwrap());
    observed.files.iter().any(|(path, seen)| {
        let lost = |how: &Use| {
            with.allows(path, seen.kind, *how) && !without.allows(path, seen.kind, *how)
        };
        seen.uses.keys().any(lost)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn what_was_done_is_allowed_or_told_and_no_entry_can_be_left_out(
        acts in prop::collection::vec(an_act(), 0..60),
        which in prop::sample::select(vec![&[][..], &["base"], &["service"], &["app"]]),
    ) {
        let given = given(which);
        let observed = observed(&acts);
        let learned = learn(&observed, &given).unwrap();
        let text = text::text(&learned, "x", &[]);
        prop_assert_eq!(&profile(&text), &learned.profile);
        let judge = Judge::of(&learned.profile).unwrap();
        let notes = learned.notes.join("\n");
        for (path, seen) in &observed.files {
            for how in seen.uses.keys() {
                let told = learned.profile.forbid.files.iter().any(|t| model::sandbox::is_below(path, t))
                    || notes.contains("in the view") && *how == Use::Look
                    || ["/proc", "/dev", "/tmp", "/usr"].iter().any(|t| path.starts_with(t))
                    || notes.contains("is left out") && matches!(how, Use::Write | Use::Make | Use::Map)
                    || path == "/" && !notes.is_empty();
                prop_assert!(judge.allows(path, seen.kind, *how) || told, "{path} {how:?}\n{text}");
            }
        }
        for rule in &learned.rules {
            let Says::Texts(lines, _) = &rule.says else { continue };
            for line in lines.iter().filter(|_| rule.table == "files" && rule.key != "devices") {
                let (of, inherited) = (|p: &Profile| match &*rule.key {
                    "read" => p.files.read.clone(),
                    "write" => p.files.write.clone(),
                    _ => p.files.execute.clone(),
                }, &given.inherited);
                let rest: BTreeSet<String> = of(inherited).into_iter().flatten()
                    .chain(lines.iter().filter(|l| *l != line).map(|l| l.value.clone())).collect();
                let mut without = learned.profile.clone();
                let list = match &*rule.key {
                    "read" => &mut without.files.read,
                    "write" => &mut without.files.write,
                    _ => &mut without.files.execute,
                };
                *list = Some(rest.into_iter().collect());
                prop_assert!(needs(&observed, &learned.profile, &without), "{}\n{text}", line.value);
            }
            if rule.table == "calls" {
                for line in lines {
                    let rest: Vec<String> = lines.iter().filter(|l| *l != line)
                        .map(|l| l.value.clone()).chain([LEAST.to_owned()])
                        .chain(given.inherited.calls.allow.iter().flatten().cloned()).collect();
                    let rest = named(&rest).unwrap();
                    let gives = named(std::slice::from_ref(&line.value)).unwrap();
                    let used = |name: &&str| observed.calls.contains_key(name) || *name == "clone";
                    prop_assert!(gives.iter().any(|name| used(name) && !rest.contains(name)));
                }
            }
        }
        let allowed = named(learned.profile.calls.allow.as_deref().unwrap_or_default()).unwrap();
        let least = calls::group(LEAST).unwrap().members();
        for name in observed.calls.keys() {
            let given = allowed.contains(name) || least.contains(name);
            prop_assert!(given || notes.contains(*name), "{name}\n{text}");
        }
    }
}
