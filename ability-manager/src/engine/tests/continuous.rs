//! Stories of apps that go on off the screen.

use model::bundle::BackgroundMode::{self, AudioPlayback, Location};

use super::world::s;
use crate::engine::InstanceId;
use crate::engine::continuous::{Asking, Continuous, MAX_EACH, NotBegun};

const MUSIC: InstanceId = InstanceId(1);

fn asking(away: Option<u64>) -> Asking<'static> {
    let declared: &[BackgroundMode] = &[AudioPlayback];
    Asking { instance: MUSIC, declared, permitted: true, away: away.map(s) }
}

#[test]
fn what_is_declared_and_permitted_goes_on_until_it_is_done_or_its_process_ends() {
    let mut c = Continuous::default();
    assert_eq!(c.begin(s(1), asking(None), AudioPlayback, "plays"), Ok(1));
    assert_eq!(c.begin(s(2), asking(Some(5)), AudioPlayback, "plays more"), Ok(2));
    assert!(c.going_on().contains(&MUSIC));
    assert!(!c.done(InstanceId(2), 1), "another one's is not its to end");
    assert!(c.done(MUSIC, 1));
    assert!(!c.done(MUSIC, 1));
    assert_eq!(c.tasks().len(), 1);
    c.ended(MUSIC);
    assert!(c.going_on().is_empty());
}

#[test]
fn nothing_goes_on_that_is_not_declared_not_permitted_or_not_seen_to_begin() {
    let mut c = Continuous::default();
    let begin = |c: &mut Continuous, asking, mode| c.begin(s(9), asking, mode, "x");
    assert_eq!(begin(&mut c, asking(None), Location), Err(NotBegun::NotDeclared));
    let without = Asking { permitted: false, ..asking(None) };
    assert_eq!(begin(&mut c, without, AudioPlayback), Err(NotBegun::NotPermitted));
    assert_eq!(begin(&mut c, asking(Some(6)), AudioPlayback), Err(NotBegun::TooLate));
    // Who was seen to begin may go on with something else.
    assert_eq!(begin(&mut c, asking(None), AudioPlayback), Ok(1));
    assert_eq!(begin(&mut c, asking(Some(60)), AudioPlayback), Ok(2));
    for _ in 2..MAX_EACH {
        begin(&mut c, asking(None), AudioPlayback).unwrap();
    }
    assert_eq!(begin(&mut c, asking(None), AudioPlayback), Err(NotBegun::TooMany));
}
