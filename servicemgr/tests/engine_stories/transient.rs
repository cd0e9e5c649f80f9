//! Services that come and go, those that can't run, and why a service is where it is.

use model::Name;
use servicemgr::engine::{Ask, Id, State};

use crate::story::{Story, read};

/// Adds a service, written as a line, as the daemon does.
fn add(s: &mut Story, line: &str) -> Result<Id, String> {
    let service = read(line);
    let names: Vec<Name> = s.plan.services.iter().map(|s| s.name.clone()).collect();
    let id = s.engine.add(&service, &|name| names.iter().position(|n| n == name))?;
    if id == s.plan.services.len() {
        s.plan.services.push(service);
    } else {
        s.plan.services[id] = service;
    }
    Ok(id)
}

#[test]
fn a_transient_service_takes_its_place_among_the_others() {
    let mut s = Story::at("+a notify\n +z", "boot up:z");
    assert_eq!(add(&mut s, "job requires a part-of z"), Ok(2));
    assert_eq!(s.play("start:job"), "", "a is not ready yet");
    assert_eq!(s.play("up:a ready:a up:job"), "spawn job, settled, 1 done");
    assert_eq!(s.play("stop:z ok:job"), "term z, term job");
    assert_eq!(s.play("ok:z start:job up:job"), "2 done, spawn job, 3 done");
    assert_eq!(s.play("down"), "term job");
    assert_eq!(s.play("ok:job"), "term a");
}

#[test]
fn a_vacated_slot_has_no_edges_and_is_used_again() {
    let mut s = Story::at("+a\n +b", "boot up:a up:b");
    let id = add(&mut s, "job requires a conflicts b").expect("it fits");
    assert_eq!(s.play("start:job ok:b up:job"), "term b, spawn job, 1 done");
    assert!(!s.engine.vacate(id), "it runs");
    s.play("stop:job ok:job");
    assert!(s.engine.vacate(id));
    assert_eq!(s.play("start:b up:b start:job"), "spawn b, 3 done, 4 Replaced");
    assert_eq!(add(&mut s, "next before b"), Ok(id));
    assert_eq!(s.play("start:next up:next"), "spawn next, 5 done");
    assert_eq!(s.play("stop:a ok:a"), "term a, 6 done", "the first one is forgotten");
}

#[test]
fn a_waiting_service_goes_on_when_what_it_waits_for_is_taken_out() {
    let mut s = Story::at("+a", "boot up:a");
    let job = add(&mut s, "job notify before a").expect("it fits");
    assert_eq!(s.play("restart:a start:job ok:a"), "term a, spawn job");
    assert_eq!(s.play("up:job fail:job"), "2 failed: exit status 3");
    assert_eq!(s.play("stop:job"), "spawn a, 3 done");
    assert!(s.engine.vacate(job));
    assert_eq!(s.play("up:a"), "1 done");
}

#[test]
fn a_transient_service_can_not_close_a_circle() {
    let mut s = Story::new("a\n b requires a");
    assert_eq!(
        add(&mut s, "job after b before a"),
        Err("job is before a, and what it comes after waits for a".into())
    );
    assert_eq!(
        add(&mut s, "job requires x"),
        Err("job requires x, and no service is called that".into())
    );
}

#[test]
fn one_whose_definition_is_broken_says_so_and_the_others_start() {
    let mut s = Story::new("+a\n +b requires a\n +c wants a\n +d");
    let a = s.id("a");
    s.engine.forbid(a, "services wait for each other: a → x → a".into());
    assert_eq!(s.play("boot up:c up:d"), "spawn c, spawn d, settled");
    let why = "it cannot run: services wait for each other: a → x → a";
    assert_eq!(s.reason("a"), why);
    assert_eq!(s.reason("b"), format!("requires a, which failed: {why}"));
    assert_eq!(
        s.play("start:b"),
        "1 refused: cannot start b: its need a cannot run: services wait for each other: a → x → a"
    );
    assert_eq!(s.state("c"), State::Ready);
}

fn why(s: &Story, of: &str) -> String {
    let why = s.engine.why(s.id(of));
    let holds = why.held_by.iter().map(|hold| {
        let by = hold.by.map(|id| s.names(&[id]) + " ").unwrap_or_default();
        let until = hold.until.map(|at| format!(" until {}", at.as_millis())).unwrap_or_default();
        format!("{by}{} since {}{until}", hold.what, hold.since.as_millis())
    });
    let holds = holds.collect::<Vec<_>>().join(", ");
    let by = if why.requested { " requested" } else { "" };
    format!("[{holds}] wanted by [{}]{by}", s.names(&why.wanted_by))
}

#[test]
fn it_is_known_what_holds_a_service_up_and_who_wants_it() {
    let mut s = Story::at("+a requires b\n b notify before-start 1 after-stop 1", "boot +5");
    assert_eq!(why(&s, "a"), "[b is starting since 0 until 30000] wanted by [] requested");
    assert_eq!(
        why(&s, "b"),
        "[its command 1 before the start runs since 0 until 30000] wanted by [a]"
    );
    s.play("cmd:b up:b");
    assert_eq!(why(&s, "b"), "[it is not ready yet since 0 until 30000] wanted by [a]");
    s.play("ready:b up:a +10 stop:b");
    assert_eq!(why(&s, "b"), "[a uses it and is stopping since 15 until 10015] wanted by [a]");
    assert_eq!(why(&s, "a"), "[its processes are to end since 15 until 10015] wanted by []");
    s.play("ok:a ok:b");
    assert_eq!(
        why(&s, "b"),
        "[its command 1 after the stop runs since 15 until 10015] wanted by []"
    );
    assert_eq!(s.dry(Ask::Start, "a"), "stop [] start [b a]");
}
