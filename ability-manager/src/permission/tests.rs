use std::collections::BTreeMap;
use std::time::Duration;

use model::Name;
use model::bundle::BundleId;
use model::permission::Grant;
use proptest::prelude::*;

use super::{
    Clock, Decisions, Declared, Effect, Flow, MAX_ENTRIES, MAX_PENDING_OF_ONE, Reply, State, Wish,
};

fn name(text: &str) -> Name {
    Name::try_from(text).unwrap()
}

fn clock(seconds: u64) -> Clock {
    Clock { now: Duration::from_secs(seconds), at: 1_763_850_000 + seconds }
}

/// A device with one bundle, whose decisions are kept as they come.
struct Device {
    flow: Flow,
    kept: Decisions,
    bundle: BundleId,
    all: Vec<Declared>,
}

impl Device {
    /// Its bundle asks for `camera`, `sound` and `location`, which the owner decides about, for `internet`,
    /// which it has, and for `raw-disk`, which it can't have.
    fn new() -> Self {
        let user = Some(Grant::User);
        let all = [
            ("camera", user),
            ("sound", user),
            ("location", user),
            ("internet", Some(Grant::System)),
            ("raw-disk", None),
        ];
        Self {
            flow: Flow::default(),
            kept: Decisions::default(),
            bundle: BundleId::try_from("org.example.notes").unwrap(),
            all: all.map(|(n, grant)| Declared { permission: name(n), grant }).to_vec(),
        }
    }

    fn ask(&mut self, at: u64, request: u64, names: &[&str]) -> Vec<Effect> {
        let names: Vec<Name> = names.iter().copied().map(name).collect();
        let of = (&self.kept, &self.bundle, self.all.as_slice());
        let has = [name("internet")];
        self.flow.ask(clock(at), request, of, &has, &names).unwrap()
    }

    fn decide(&mut self, at: u64, permission: &str, wish: Wish) -> Vec<Effect> {
        let of = (&self.kept, &self.bundle, self.all.as_slice());
        let decided = self.flow.decide(clock(at), of, &name(permission), wish, 0).unwrap();
        self.kept = decided.decisions;
        decided.effects
    }

    fn refuses(&mut self, permission: &str) -> String {
        let of = (&self.kept, &self.bundle, self.all.as_slice());
        let refused = self.flow.decide(clock(0), of, &name(permission), Wish::Allow, 0);
        refused.unwrap_err().to_string()
    }

    fn state(&self, permission: &str) -> State {
        let declared = self.all.iter().find(|d| d.permission.as_str() == permission).unwrap();
        self.flow.standing(&self.kept, &self.bundle, declared).state
    }

    fn granted(&self) -> Vec<String> {
        let granted = self.flow.granted(&self.kept, &self.bundle, &self.all);
        granted.iter().map(ToString::to_string).collect()
    }

    fn start(&mut self, at: u64) {
        let granted = self.flow.granted(&self.kept, &self.bundle, &self.all);
        self.flow.started(at, (&self.bundle, &name("main")), &granted);
    }
}

/// Effects as short sentences.
fn said(effects: &[Effect]) -> Vec<String> {
    let words = |effect: &Effect| match effect {
        Effect::Answer { request, replies } => {
            let reply = |(name, reply): &(Name, Reply)| format!("{name} {}", reply.word());
            let replies: Vec<_> = replies.iter().map(reply).collect();
            format!("answer {request}: {}", replies.join(", "))
        }
        Effect::Ask { permission, .. } => format!("ask {permission}"),
        Effect::Asked { permission, .. } => format!("asked {permission}"),
        Effect::Lost { permission, .. } => format!("lost {permission}"),
    };
    effects.iter().map(words).collect()
}

#[test]
fn what_needs_nobody_is_answered_at_once() {
    let mut device = Device::new();
    let effects = device.ask(0, 1, &["internet", "raw-disk", "undreamt-of"]);
    assert_eq!(
        said(&effects),
        ["answer 1: internet granted, raw-disk settings, undreamt-of undeclared"]
    );
    assert_eq!(device.granted(), ["internet"]);
}

#[test]
fn the_owner_is_asked_once_and_all_who_wait_are_answered() {
    let mut device = Device::new();
    assert_eq!(said(&device.ask(0, 1, &["camera", "internet"])), ["ask camera"]);
    assert_eq!(said(&device.ask(1, 2, &["camera", "sound"])), ["ask sound"]);
    assert_eq!((device.state("camera"), device.flow.questions().len()), (State::Pending, 2));
    let effects = device.decide(2, "camera", Wish::Allow);
    assert_eq!(said(&effects), ["asked camera", "answer 1: camera restart, internet granted"]);
    let effects = device.decide(3, "sound", Wish::Deny);
    assert_eq!(said(&effects), ["asked sound", "answer 2: camera restart, sound refused"]);
    assert_eq!(device.granted(), ["camera", "internet"]);
    assert_eq!(device.flow.due(), None);
}

#[test]
fn denied_once_it_may_be_asked_again_denied_twice_it_may_not() {
    let mut device = Device::new();
    device.ask(0, 1, &["camera"]);
    device.decide(1, "camera", Wish::Deny);
    assert_eq!(device.state("camera"), State::Denied);
    assert_eq!(said(&device.ask(2, 2, &["camera"])), ["ask camera"]);
    let effects = device.decide(3, "camera", Wish::Deny);
    assert_eq!(said(&effects), ["asked camera", "answer 2: camera settings"]);
    assert_eq!(said(&device.ask(4, 3, &["camera"])), ["answer 3: camera settings"]);
    assert_eq!(device.state("camera"), State::Fixed);
    device.decide(5, "camera", Wish::Reset);
    assert_eq!(said(&device.ask(6, 4, &["camera"])), ["ask camera"]);
    device.decide(7, "camera", Wish::Allow);
    assert_eq!(device.state("camera"), State::Granted);
}

#[test]
fn a_question_that_nobody_answers_is_denied_and_not_remembered() {
    let mut device = Device::new();
    device.ask(10, 1, &["camera"]);
    assert_eq!(device.flow.due(), Some(Duration::from_secs(70)));
    assert!(device.flow.tick(clock(69)).is_empty());
    let effects = device.flow.tick(clock(70));
    assert_eq!(said(&effects), ["asked camera", "answer 1: camera refused"]);
    assert_eq!((device.state("camera"), device.flow.due()), (State::Default, None));
    assert_eq!(said(&device.ask(71, 2, &["camera"])), ["ask camera"]);
}

#[test]
fn this_time_ends_when_the_app_left_the_front_and_not_before_it_began() {
    let mut device = Device::new();
    device.ask(0, 1, &["camera"]);
    let effects = device.decide(1, "camera", Wish::ThisTime);
    assert_eq!(said(&effects), ["asked camera", "answer 1: camera restart"]);
    assert_eq!(device.state("camera"), State::ThisTime);
    // It ends to be started again with the permission.
    assert!(device.flow.left(2, &device.bundle).is_empty());
    assert_eq!(device.granted(), ["camera", "internet"]);
    device.start(3);
    assert_eq!(device.flow.due(), None);
    let effects = device.flow.left(9, &device.bundle);
    assert_eq!(said(&effects), ["lost camera"]);
    assert_eq!(
        (device.state("camera"), device.granted()),
        (State::Default, vec!["internet".into()])
    );
    assert_eq!(device.kept, Decisions::default());
}

#[test]
fn this_time_that_nobody_uses_is_over_after_a_minute() {
    let mut device = Device::new();
    device.decide(5, "camera", Wish::ThisTime);
    assert_eq!(device.flow.due(), Some(Duration::from_secs(65)));
    assert_eq!(said(&device.flow.tick(clock(65))), ["lost camera"]);
}

#[test]
fn what_is_taken_away_is_lost_and_what_nobody_had_is_not() {
    let mut device = Device::new();
    assert_eq!(said(&device.decide(0, "camera", Wish::Deny)), Vec::<String>::new());
    device.decide(1, "camera", Wish::Allow);
    assert_eq!(said(&device.decide(2, "camera", Wish::Reset)), ["lost camera"]);
    device.decide(3, "camera", Wish::Allow);
    // For this time only, from now on: what runs has it and keeps it until it leaves.
    assert_eq!(said(&device.decide(4, "camera", Wish::ThisTime)), Vec::<String>::new());
    assert_eq!(said(&device.flow.left(5, &device.bundle)), ["lost camera"]);
}

#[test]
fn what_is_not_the_owners_to_decide_is_refused() {
    let mut device = Device::new();
    assert!(device.refuses("internet").contains("not the owner's to decide"));
    assert!(device.refuses("raw-disk").contains("can't have"));
    assert!(device.refuses("undreamt-of").contains("does not ask for"));
}

#[test]
fn who_is_gone_or_removed_leaves_no_question() {
    let mut device = Device::new();
    device.ask(0, 1, &["camera"]);
    device.ask(0, 2, &["camera", "sound"]);
    assert_eq!(said(&device.flow.leave(2)), ["asked sound"]);
    let effects = device.flow.forget(&device.bundle);
    assert_eq!(said(&effects), ["asked camera", "answer 1: camera refused"]);
    assert!(device.flow.questions().is_empty());
}

#[test]
fn a_wall_of_questions_is_refused_whole() {
    let mut device = Device::new();
    let many: Vec<String> = (0..=MAX_PENDING_OF_ONE).map(|n| format!("p{n}")).collect();
    let declared = |n: &String| Declared { permission: name(n), grant: Some(Grant::User) };
    device.all.extend(many.iter().map(declared));
    let names: Vec<Name> = many.iter().map(|n| name(n)).collect();
    let of = (&device.kept, &device.bundle, device.all.as_slice());
    device.flow.ask(clock(0), 1, of, &[], &names).unwrap_err();
    assert_eq!(device.flow, Flow::default());
}

#[test]
fn what_was_decided_is_recorded_what_is_used_is_counted_and_a_removed_bundle_leaves_neither() {
    let mut device = Device::new();
    device.ask(0, 1, &["camera"]);
    device.decide(1, "camera", Wish::Allow);
    device.start(2);
    device.start(3);
    let main = name("main");
    device.flow.used(4, (&device.bundle, &main), &name("camera"));
    let words = |device: &Device| -> Vec<&str> {
        device.flow.log().record().iter().map(|entry| entry.what.word()).collect()
    };
    assert_eq!(words(&device), ["asked for", "allowed"]);
    let uses: Vec<(String, u64)> = device
        .flow
        .log()
        .uses()
        .iter()
        .map(|(_, what, one)| (what.to_string(), one.times))
        .collect();
    assert_eq!(uses, [("camera".to_owned(), 3), ("internet".to_owned(), 2)]);
    for second in 0..2000 {
        device.decide(second, "camera", Wish::Allow);
    }
    assert_eq!(words(&device).len(), MAX_ENTRIES);
    device.flow.forget(&device.bundle);
    assert!(words(&device).is_empty() && device.flow.log().uses().iter().next().is_none());
}

#[test]
fn a_flow_is_the_same_after_it_was_written_and_read() {
    let mut device = Device::new();
    device.ask(0, 1, &["camera"]);
    device.decide(1, "sound", Wish::ThisTime);
    let text = serde_json::to_string(&device.flow).unwrap();
    assert_eq!(serde_json::from_str::<Flow>(&text).unwrap(), device.flow);
    let bytes = postcard::to_stdvec(&device.flow).unwrap();
    assert_eq!(postcard::from_bytes::<Flow>(&bytes).unwrap(), device.flow);
}

/// What happens.
#[derive(Debug, Clone)]
enum Step {
    Ask(Vec<usize>),
    Decide(usize, usize),
    Leave(u64),
    Start,
    Left,
    Wait(u64),
    Removed,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => prop::collection::vec(0..6_usize, 0..4).prop_map(Step::Ask),
        4 => (0..3_usize, 0..4_usize).prop_map(|(p, w)| Step::Decide(p, w)),
        1 => (0..20_u64).prop_map(Step::Leave),
        2 => Just(Step::Start),
        2 => Just(Step::Left),
        2 => (0..100_u64).prop_map(Step::Wait),
        1 => Just(Step::Removed),
    ]
}

proptest! {
    #[test]
    fn every_request_has_one_answer_and_nothing_is_granted_that_the_owner_did_not_grant(
        steps in prop::collection::vec(step(), 0..60),
    ) {
        let names = ["camera", "sound", "location", "internet", "raw-disk", "undreamt-of"];
        let wishes = [Wish::Allow, Wish::ThisTime, Wish::Deny, Wish::Reset];
        let mut device = Device::new();
        let (mut now, mut requests) = (0, 0);
        let mut answers: BTreeMap<u64, usize> = BTreeMap::new();
        let mut left = Vec::new();
        let mut last: BTreeMap<usize, Wish> = BTreeMap::new();
        for step in steps {
            let effects = match step {
                Step::Ask(which) => {
                    requests += 1;
                    let which: Vec<&str> = which.into_iter().map(|n| names[n]).collect();
                    device.ask(now, requests, &which)
                }
                Step::Decide(permission, wish) => {
                    last.insert(permission, wishes[wish]);
                    device.decide(now, names[permission], wishes[wish])
                }
                Step::Leave(request) => {
                    left.push(request);
                    device.flow.leave(request)
                }
                Step::Start => {
                    device.start(now);
                    vec![]
                }
                Step::Left => device.flow.left(now, &device.bundle),
                Step::Wait(seconds) => {
                    now += seconds;
                    device.flow.tick(clock(now))
                }
                Step::Removed => {
                    device.kept.forget(&device.bundle);
                    last.clear();
                    device.flow.forget(&device.bundle)
                }
            };
            for effect in effects {
                if let Effect::Answer { request, .. } = effect {
                    *answers.entry(request).or_default() += 1;
                }
            }
            prop_assert!(device.flow.due().is_none_or(|due| due > clock(now).now));
            for (number, permission) in names.iter().enumerate().take(3) {
                let granted = device.granted().iter().any(|one| one == permission);
                match last.get(&number) {
                    Some(Wish::Allow) => prop_assert!(granted),
                    Some(Wish::ThisTime) => {}
                    Some(Wish::Deny | Wish::Reset) | None => prop_assert!(!granted),
                }
            }
            prop_assert!(device.granted().iter().all(|one| one != "raw-disk"));
        }
        device.flow.tick(clock(now + 1000));
        prop_assert!(answers.values().all(|count| *count == 1));
        let after = device.flow.tick(clock(now + 2000));
        prop_assert!(after.is_empty() && device.flow.questions().is_empty());
    }
}
