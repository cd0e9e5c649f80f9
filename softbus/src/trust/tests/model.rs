//! Small groups, exhaustively: every pair of things that three owners may say at once, heard in every order.

use super::*;

const NUMBERS: [u8; 3] = [1, 2, 3];

/// Everything an owner may say about the three and a fourth.
fn changes() -> Vec<Change> {
    let mut all = vec![Change::Add { device: id(4), card: card("four", Level::Owner) }];
    for device in NUMBERS.map(id) {
        all.push(Change::Remove(device));
        all.push(Change::Level { device, level: Level::Member });
    }
    all
}

fn group() -> [Device; 3] {
    let mut one = founder();
    one.adds(2, Level::Owner);
    one.adds(3, Level::Owner);
    NUMBERS.map(|number| Device { key: key(number), log: one.log.clone() })
}

/// What was removed by somebody against whom nobody else said anything.
fn surely_out(said: &[Vec<Change>]) -> Vec<DeviceId> {
    let against = |device: DeviceId, by: usize| {
        said.iter().enumerate().any(|(author, changes)| {
            let about = |change: &Change| {
                matches!(change, Change::Remove(id) if *id == device)
                    || matches!(change, Change::Level { device: id, .. } if *id == device)
            };
            author != by && changes.iter().any(about)
        })
    };
    let mut out = Vec::new();
    for (by, changes) in said.iter().enumerate() {
        let author = NUMBERS.get(by).copied().map(id).unwrap();
        let removes = changes.iter().filter_map(|change| match change {
            Change::Remove(device) => Some(*device),
            _ => None,
        });
        if !against(author, by) {
            out.extend(removes);
        }
    }
    out
}

fn check(said: &[Vec<Change>]) {
    let mut devices = group();
    let mut said = said.to_vec();
    for (device, changes) in devices.iter_mut().zip(&mut said) {
        // What it may not say any more, it does not.
        changes.retain(|change| {
            let entries = device.log.author(&device.key, change);
            entries.is_ok_and(|entries| device.log.merge(entries).is_ok())
        });
    }
    let [one, two, three] = &devices;
    let all = [one.log.all(), two.log.all(), three.log.all()];
    let mut seen: Option<Members> = None;
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let mut log = Log::new(one.log.group());
        for from in order {
            log.merge(all[from].clone()).unwrap();
        }
        let first = seen.get_or_insert_with(|| log.members().clone());
        assert_eq!(first, log.members(), "{said:?}");
    }
    let members = seen.unwrap();
    for device in surely_out(&said) {
        assert!(members.get(&device).is_none(), "{device:?} was removed: {said:?}");
    }
}

#[test]
fn all_that_three_owners_say_at_once_is_heard_alike_by_all() {
    let mut each: Vec<Vec<Change>> = vec![Vec::new()];
    each.extend(changes().into_iter().map(|change| vec![change]));
    for one in &each {
        for two in &each {
            for three in &each {
                check(&[one.clone(), two.clone(), three.clone()]);
            }
        }
    }
}

#[test]
fn all_that_two_owners_say_one_after_the_other_is_heard_alike_by_all() {
    let pairs = |first: &Change| {
        changes().into_iter().map(|second| vec![first.clone(), second]).collect::<Vec<_>>()
    };
    let each: Vec<Vec<Change>> = changes().iter().flat_map(pairs).collect();
    for one in each.iter().step_by(3) {
        for two in &each {
            check(&[one.clone(), two.clone(), Vec::new()]);
        }
    }
}
