//! Stories of too little memory: who is told, who goes.

use std::collections::BTreeMap;
use std::time::Duration;

use super::world::{World, app, page, program, s, service};
use crate::engine::memory::{Candidate, Memory, victims};
use crate::engine::{Caller, InstanceId, Shortage};

const ALL: u64 = 1_000_000_000;

fn memory(thousandths: u64) -> Memory {
    Memory { available: ALL * thousandths / 1000, total: ALL }
}

fn worth(w: &World) -> Vec<i32> {
    w.engine.priorities(&BTreeMap::new()).into_values().collect()
}

#[test]
fn what_is_on_the_screen_is_worth_most_and_what_stands_still_least() {
    let mut w = World::default();
    w.in_front(&page("notes"));
    assert_eq!(worth(&w), [0]);
    w.start(&page("mail"));
    assert_eq!(worth(&w), [0, 0]);
    w.attached(2);
    assert_eq!(worth(&w), [50, 400]);
    w.done(1);
    w.done(2);
    assert_eq!(worth(&w), [400, 0]);
    w.after(s(5));
    assert_eq!(worth(&w), [600, 0]);
    w.stop(1);
    assert_eq!(worth(&w), [900, 0]);
}

#[test]
fn a_service_is_worth_what_those_are_who_use_it() {
    let mut w = World::default();
    w.in_front(&program("notes"));
    w.connect(app(1), &service("files"));
    w.attached(2);
    w.accept(2);
    w.connect(app(2), &service("disk"));
    w.attached(3);
    assert_eq!(worth(&w), [0, 100, 100]);
    w.hide(1);
    assert_eq!(worth(&w), [600, 240, 240]);
    w.disconnect(app(1), 1);
    assert_eq!(worth(&w), [600, 900, 240]);
    w.connect(Caller::Root, &service("files"));
    assert_eq!(worth(&w), [600, 100, 100]);
}

#[test]
fn who_has_time_to_finish_something_is_worth_more() {
    let mut w = World::default();
    w.in_front(&page("notes"));
    w.hide(1);
    w.done(1);
    let transient = BTreeMap::from([(InstanceId(1), 100)]);
    assert_eq!(w.engine.priorities(&transient)[&InstanceId(1)], 100);
}

#[test]
fn the_less_memory_there_is_the_more_is_told_and_the_more_go() {
    let told = [100, 95, 83, 71].map(|left| memory(left).shortage());
    let levels = [Shortage::Moderate, Shortage::Low, Shortage::Critical].map(Some);
    assert_eq!(told, [None, levels[0], levels[1], levels[2]]);
    let from = [60, 59, 47, 35, 23, 11, 0].map(|left| memory(left).kills());
    assert_eq!(from, [None, Some(400), Some(300), Some(200), Some(100), Some(0), Some(0)]);
    assert_eq!(Memory { available: 0, total: 0 }.kills(), None);
}

fn candidate(id: u64, priority: i32, idle: u64) -> Candidate {
    let (target, bytes) = (page(&format!("app{id}")).target, ALL / 100);
    let (age, idle) = (Some(s(60)), Duration::from_secs(idle));
    Candidate { id: InstanceId(id), target, priority, age, idle, bytes }
}

fn gone(memory: Memory, all: Vec<Candidate>) -> Vec<u64> {
    victims(memory, all).into_iter().map(|id| id.0).collect()
}

#[test]
fn the_least_worth_go_first_of_those_who_rested_longest_until_there_is_enough() {
    let all = vec![
        candidate(1, 0, 9),
        candidate(2, 400, 9),
        candidate(3, 600, 1),
        candidate(4, 600, 9),
        candidate(5, 900, 1),
    ];
    assert_eq!(gone(memory(60), all.clone()), [0; 0]);
    assert_eq!(gone(memory(55), all.clone()), [5]);
    assert_eq!(gone(memory(45), all.clone()), [5, 4]);
    assert_eq!(gone(memory(0), all.clone()), [5, 4, 3]);
    assert_eq!(gone(memory(0), all[..1].to_vec()), [1]);
    assert_eq!(gone(memory(15), all[..1].to_vec()), [0; 0]);
}

#[test]
fn who_has_just_begun_stays() {
    let mut young = candidate(1, 900, 1);
    young.age = Some(s(2));
    let mut loading = candidate(2, 900, 1);
    loading.age = None;
    assert_eq!(gone(memory(0), vec![young, loading, candidate(3, 400, 1)]), [3]);
}

#[test]
fn at_most_three_bundles_go_at_a_time_with_all_of_theirs() {
    let mut all: Vec<Candidate> = (1..=5).map(|id| candidate(id, 900, 1)).collect();
    all.iter_mut().for_each(|one| one.bytes = 0);
    all[4].target = all[0].target.clone();
    assert_eq!(gone(memory(0), all), [1, 2, 3, 5]);
}

#[test]
fn candidates_are_all_that_do_not_end_yet() {
    let mut w = World::default();
    w.in_front(&page("notes"));
    w.in_front(&page("mail"));
    w.stop(1);
    let all = w.engine.candidates(s(7), &BTreeMap::new(), |_| 5);
    let row =
        all.iter().map(|one| (one.id.0, one.priority, one.age, one.bytes)).collect::<Vec<_>>();
    assert_eq!(row, [(2, 0, Some(s(7)), 5)]);
}
