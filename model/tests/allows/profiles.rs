//! Any profile, of the words that are asked about.

use model::sandbox::{
    Access, Calls, Feature, Files, Forbid, Limits, Namespace, Network, Proc, Profile, Tmp, View,
};
use proptest::prelude::*;

use super::{CALLS, CAPABILITIES, FAMILIES, PATHS, PORTS};

fn some_of<T: Clone + Ord + std::fmt::Debug + 'static>(
    all: Vec<T>,
) -> impl Strategy<Value = Vec<T>> {
    let most = all.len().min(4);
    proptest::sample::subsequence(all, 0..=most).prop_map(|mut list| {
        list.sort();
        list
    })
}

pub fn texts(all: &[&str]) -> impl Strategy<Value = Vec<String>> + use<> {
    some_of(all.iter().map(|text| (*text).to_owned()).collect())
}

fn paths() -> impl Strategy<Value = Vec<String>> {
    let mut all = PATHS.to_vec();
    all.push("/");
    texts(&all)
}

pub fn call_names() -> impl Strategy<Value = Vec<String>> {
    let mut all = CALLS.to_vec();
    all.extend(["@files", "@basic", "@mount", "@debug"]);
    texts(&all)
}

pub fn maybe<T: std::fmt::Debug>(of: impl Strategy<Value = T>) -> impl Strategy<Value = Option<T>> {
    proptest::option::of(of)
}

pub fn files() -> impl Strategy<Value = Files> {
    let lists = (maybe(paths()), maybe(paths()), maybe(paths()));
    let flags = (any::<bool>(), any::<bool>(), any::<bool>());
    (lists, flags, maybe(texts(&["fb0", "kmsg"]))).prop_map(
        |((read, write, execute), (listed, tmp, proc), devices)| Files {
            view: if listed { View::Listed } else { View::Whole },
            root: None,
            read,
            write,
            execute,
            tmp: if tmp { Tmp::Private } else { Tmp::Shared },
            proc: if proc { Proc::Own } else { Proc::Host },
            devices,
        },
    )
}

pub fn network() -> impl Strategy<Value = Network> {
    let ports = || maybe(some_of(PORTS.to_vec()));
    (any::<bool>(), maybe(some_of(FAMILIES.to_vec())), ports(), ports(), any::<bool>()).prop_map(
        |(none, families, connect, listen, udp)| Network {
            access: if none { Access::None } else { Access::Host },
            families,
            connect,
            listen,
            udp,
        },
    )
}

fn forbid() -> impl Strategy<Value = Forbid> {
    let lists = (paths(), paths(), call_names(), texts(&CAPABILITIES), some_of(FAMILIES.to_vec()));
    (lists, any::<[bool; 3]>()).prop_map(
        |((files, write, calls, capabilities, families), [network, write_execute, privileges])| {
            Forbid {
                files,
                write,
                calls,
                capabilities,
                families,
                network,
                write_execute,
                new_privileges: privileges,
            }
        },
    )
}

pub fn profile() -> impl Strategy<Value = Profile> {
    let features = || {
        some_of(vec![
            Feature::Seccomp,
            Feature::Landlock(4),
            Feature::Landlock(6),
            Feature::Namespaces,
        ])
    };
    let calls = (maybe(call_names()), call_names(), call_names())
        .prop_map(|(allow, deny, kill)| Calls { allow, deny, kill });
    let limits = (maybe(0_u64..9), maybe(0_u64..9), maybe(0_u32..9))
        .prop_map(|(memory, signals, pids)| Limits { memory, signals, pids, ..Limits::default() });
    let single = (maybe(texts(&CAPABILITIES)), any::<[bool; 3]>(), maybe(any::<bool>()), limits);
    let spaces = some_of(vec![Namespace::Ipc, Namespace::Uts]);
    (single, features(), features(), spaces, files(), network(), calls, forbid()).prop_map(
        |(single, requires, optional, namespaces, files, network, calls, forbid)| {
            let (capabilities, [privileges, personality, keyring], write_execute, limits) = single;
            Profile {
                requires,
                optional,
                capabilities,
                no_new_privileges: privileges,
                write_execute,
                lock_personality: personality,
                keyring,
                namespaces,
                files,
                network,
                calls,
                limits,
                forbid,
            }
        },
    )
}
