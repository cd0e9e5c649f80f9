use model::sandbox::{Compiled, Feature, Mount, Paths, Ruleset, Show};
use sys::confine::{self, Features};

use super::*;

const ALL: Features = Features {
    seccomp: true,
    landlock: 6,
    namespaces: true,
    network_namespace: true,
    no_write_execute: true,
};

/// A filter that allows everything.
const ALLOWS: [u8; 8] = [0x06, 0, 0, 0, 0, 0, 0xFF, 0x7F];

fn compiled() -> Compiled {
    let paths = vec![Paths { rights: 0xFFFF, trees: vec!["/var".into()] }];
    Compiled {
        filter: ALLOWS.to_vec(),
        ruleset: Some(Ruleset { files: 0xFFFF, ports: 3, scopes: 3, paths, ..Ruleset::default() }),
        mounts: vec![
            Mount::Private,
            Mount::Root,
            Mount::Show("/usr".into(), Show::Execute),
            Mount::Tmp("/tmp".into(), 4096),
            Mount::Hide("/usr/x".into()),
            Mount::Pivot,
        ],
        no_network: true,
        no_write_execute: true,
        ..Compiled::default()
    }
}

#[test]
fn a_kernel_that_has_everything_gets_everything() {
    let fitted = fit(&compiled(), &ALL).unwrap();
    assert_eq!(fitted.namespaces, NEW_MOUNTS | NEW_NETWORK);
    assert_eq!(fitted.ruleset.unwrap().paths, [(c"/var".to_owned(), 0xFFFF)]);
    assert_eq!(fitted.filter.len(), 1);
    assert!(fitted.no_write_execute);
    assert_eq!(
        fitted.mounts[2..5],
        [
            confine::Mount::Show {
                path: c"/usr".to_owned(),
                target: c"/run/ensemble/root/usr".to_owned(),
                attributes: READ_ONLY | NO_SET_ID | NO_DEVICES,
            },
            confine::Mount::Tmp(
                c"/run/ensemble/root/tmp".to_owned(),
                c"mode=1777,size=4096,nr_inodes=16384".to_owned()
            ),
            confine::Mount::Hide(c"/run/ensemble/root/usr/x".to_owned()),
        ]
    );
}

#[test]
fn what_is_required_and_missing_refuses_the_start_and_is_named() {
    for (feature, here) in [
        (Feature::Seccomp, Features { seccomp: false, ..ALL }),
        (Feature::Landlock(6), Features { landlock: 5, ..ALL }),
        (Feature::Namespaces, Features { namespaces: false, ..ALL }),
        (Feature::NetworkNamespace, Features { network_namespace: false, ..ALL }),
        (Feature::WriteExecute, Features { no_write_execute: false, ..ALL }),
    ] {
        let needs = Compiled { requires: vec![feature], ..compiled() };
        assert_eq!(fit(&needs, &here), Err(Unfit::Missing(Missing(feature))));
        assert!(fit(&needs, &ALL).is_ok());
    }
    let said = Unfit::Missing(Missing(Feature::Landlock(6))).to_string();
    assert!(said.starts_with("the sandbox needs landlock-6,"), "{said}");
}

#[test]
fn what_may_be_missing_takes_away_only_what_needs_it() {
    let nothing = fit(&compiled(), &Features::default()).unwrap();
    assert_eq!(nothing, Confine::default());
    let older = fit(&compiled(), &Features { landlock: 3, ..ALL }).unwrap().ruleset.unwrap();
    assert_eq!((older.files, older.ports, older.scopes), (0x7FFF, 0, 0));
    assert_eq!(older.paths, [(c"/var".to_owned(), 0x7FFF)]);
}

#[test]
fn what_is_damaged_starts_nothing() {
    let filter = Compiled { filter: vec![1, 2, 3], ..compiled() };
    assert_eq!(fit(&filter, &ALL), Err(Unfit::Filter(Bad::Length(3))));
    let path = Compiled { mounts: vec![Mount::Hide("/a\0".into())], ..compiled() };
    assert!(matches!(fit(&path, &ALL), Err(Unfit::ZeroByte(_))));
}

#[test]
fn devices_work_where_they_are_shown_and_nowhere_else() {
    assert_eq!(attributes("/dev/dri", Show::Read) & NO_DEVICES, 0);
    assert_eq!(attributes("/dev/shm", Show::Write), NO_SET_ID | NO_DEVICES | NO_EXECUTE);
    assert_eq!(attributes("/usr", Show::Read), READ_ONLY | NO_SET_ID | NO_DEVICES | NO_EXECUTE);
}
