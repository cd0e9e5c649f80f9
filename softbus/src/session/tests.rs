//! Stories of peers that come and go, on a network that is a list, and what must hold whatever happens.

mod net;

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use net::{Net, at, id, ms};

#[test]
fn two_that_announce_themselves_have_one_link_within_a_second() {
    let mut net = Net::of(2);
    net.run(Duration::from_secs(60));
    assert!(!net.sees(1, 2), "nobody knows where");
    net.announce(1, 1);
    net.announce(2, 1);
    net.run(ms(1000));
    assert!(net.all_linked());
    assert_eq!(net.links.len(), 1);
}

#[test]
fn where_only_one_hears_the_other_they_find_each_other_as_well() {
    for silent in [1, 2] {
        let mut net = Net::of(2);
        net.announce(3 - silent, 1);
        net.run(ms(2000));
        assert!(net.all_linked(), "{silent}");
    }
}

#[test]
fn both_dial_at_once_and_one_link_stays() {
    let mut net = Net::of(2);
    for (a, b) in [(1, 2), (2, 1)] {
        net.tell(a, Event::Known(id(b), vec![at(b)]));
    }
    assert_eq!(net.dials.len(), 2);
    net.run(ms(1000));
    assert!(net.all_linked());
    assert_eq!(net.links.len(), 1);
}

#[test]
fn a_cut_is_seen_within_15_s_and_its_end_within_5_s_without_anybody_announcing_anything() {
    for length in [13, 20, 47, 200] {
        let mut net = Net::of(2);
        net.announce(1, 1);
        net.announce(2, 1);
        net.run(ms(3000));
        net.cut(true);
        net.run(ms(11_000));
        assert!(net.sees(1, 2), "a short cut is nothing");
        net.run(ms(4000));
        assert!(!net.sees(1, 2) && !net.sees(2, 1));
        net.run(Duration::from_secs(length.max(15) - 15));
        net.cut(false);
        net.run(ms(5000));
        assert!(net.all_linked(), "after {length} s");
    }
}

#[test]
fn after_a_day_an_announcement_or_an_address_of_our_own_is_enough() {
    for event in 0..3 {
        let mut net = Net::of(2);
        net.announce(1, 1);
        net.announce(2, 1);
        net.run(ms(3000));
        net.cut(true);
        net.run(Duration::from_secs(24 * 3600));
        net.cut(false);
        match event {
            0 => net.announce(1, 2),
            1 => net.announce(2, 2),
            _ => net.tell(1, Event::Moved),
        }
        net.run(ms(5000));
        assert!(net.all_linked(), "{event}");
    }
}

#[test]
fn a_peer_that_is_gone_for_long_is_dialed_rarely() {
    let mut net = Net::of(2);
    net.tell(1, Event::Known(id(2), vec![at(2)]));
    net.devices.remove(&2);
    net.run(Duration::from_secs(1200));
    let mut dials = 0;
    for _ in 0..3600 {
        let before = net.dials.len();
        net.run(ms(1000));
        dials += usize::from(net.dials.len() > before);
    }
    assert!((5..=13).contains(&dials), "{dials} in an hour");
}

#[test]
fn a_peer_that_starts_anew_is_there_again_before_anybody_missed_it() {
    for who in [1, 2] {
        let mut net = Net::of(2);
        net.announce(1, 1);
        net.announce(2, 1);
        net.run(ms(20_000));
        net.devices.insert(who, (Session::new(id(who)), 77));
        net.tell(who, Event::Members([id(1), id(2)].into()));
        net.announce(1, 2);
        net.announce(2, 2);
        net.run(ms(4000));
        assert!(net.all_linked(), "{who}");
    }
}

#[test]
fn who_is_removed_is_hung_up_on_at_once_and_told() {
    let mut net = Net::of(2);
    net.announce(2, 1);
    net.run(ms(3000));
    let session = &mut net.devices.get_mut(&1).unwrap().0;
    let link = session.link(&id(2)).unwrap();
    let actions = session.on(net.now, Event::Members([id(1)].into()), 0);
    assert_eq!(actions, [Action::Drop { link, bye: Bye::Removed }, Action::Present(id(2), false)]);
    let event = Event::Linked { link: 99, peer: id(2), dialed: false };
    assert_eq!(session.on(net.now, event, 0), [Action::Drop { link: 99, bye: Bye::Removed }]);
    assert_eq!(session.deadline(), None);
}

#[test]
fn fifty_devices_see_each_other_over_few_links_and_who_is_wanted_gets_one() {
    let mut net = Net::of(50);
    (1..=50).for_each(|device| net.announce(device, 1));
    net.run(Duration::from_secs(30));
    assert!((1..=50).all(|a| (1..=50).all(|b| a == b || net.sees(a, b))));
    // What one says reaches all.
    let mut reached = BTreeSet::from([1]);
    while let Some((a, b)) =
        net.links.values().find(|(a, b)| reached.contains(a) != reached.contains(b))
    {
        reached.extend([*a, *b]);
    }
    assert_eq!(reached.len(), 50, "{reached:?}");
    let far = (2..=50).find(|other| net.devices[&1].0.link(&id(*other)).is_none()).unwrap();
    net.tell(1, Event::Wanted(id(far)));
    net.run(ms(200));
    assert!(net.devices[&1].0.links.len() <= MAX_LINKS);
}

fn events() -> impl Strategy<Value = Event> {
    let peer = (1..6usize).prop_map(id);
    let addresses = prop::collection::vec((0..9usize).prop_map(at), 0..12);
    let bye = prop::option::of(prop::sample::select(vec![
        Bye::Another,
        Bye::Full,
        Bye::Removed,
        Bye::Left,
        Bye::Silent,
        Bye::Version,
        Bye::Ending,
    ]));
    prop_oneof![
        prop::collection::btree_set(peer.clone(), 0..6).prop_map(Event::Members),
        (peer.clone(), any::<[u8; 16]>(), addresses.clone())
            .prop_map(|(peer, tag, addresses)| Event::Announced { peer, tag, addresses }),
        peer.clone().prop_map(Event::Gone),
        (peer.clone(), addresses.clone()).prop_map(|(peer, all)| Event::Known(peer, all)),
        addresses.prop_map(Event::Added),
        Just(Event::Moved),
        (0..90u64, peer.clone()).prop_map(|(link, peer)| Event::Linked {
            link,
            peer,
            dialed: false
        }),
        (peer.clone(), any::<bool>()).prop_map(|(peer, refused)| Event::Failed { peer, refused }),
        (0..90u64, 0..3u64, any::<bool>()).prop_map(|(link, run, wanted)| Event::Greeted {
            link,
            run,
            wanted
        }),
        (0..90u64, bye).prop_map(|(link, bye)| Event::Closed { link, bye }),
        peer.prop_map(Event::Wanted),
        (0..90u64, 0..3usize).prop_map(|(link, streams)| Event::Streams(link, streams)),
        Just(Event::Tick),
    ]
}

proptest! {
    /// Whatever comes in whatever order.
    #[test]
    fn there_are_never_two_dials_to_a_peer_nor_too_many_links(
        all in prop::collection::vec((events(), 0..20_000u64, any::<u16>()), 0..200),
    ) {
        let mut session = Session::new(id(3));
        let (mut now, mut next) = (Duration::ZERO, 1000);
        let mut dials: BTreeSet<DeviceId> = BTreeSet::new();
        let mut links: BTreeSet<LinkId> = BTreeSet::new();
        let mut there: BTreeSet<DeviceId> = BTreeSet::new();
        for (mut event, wait, jitter) in all {
            now += ms(wait);
            // A dial that was asked for ends once, one way or the other; a link has a number of its own.
            match &mut event {
                Event::Failed { peer, .. } if !dials.remove(peer) => continue,
                Event::Linked { link, peer, dialed } => {
                    (*link, *dialed) = (next, dials.remove(peer));
                    next += 1;
                    links.insert(*link);
                }
                Event::Closed { link, .. } | Event::Greeted { link, .. } | Event::Streams(link, _) => {
                    let index = usize::try_from(*link).unwrap();
                    let Some(one) = links.iter().nth(index % links.len().max(1)) else { continue };
                    *link = *one;
                }
                _ => {}
            }
            if let Event::Closed { link, .. } = &event {
                links.remove(link);
            }
            for action in session.on(now, event, jitter) {
                match action {
                    Action::Dial { peer, addresses, .. } => {
                        prop_assert!(dials.insert(peer), "two dials");
                        prop_assert!(!addresses.is_empty() && addresses.len() <= 3 * MAX_ADDRESSES);
                        prop_assert!(peer != id(3));
                    }
                    Action::Drop { link, .. } => prop_assert!(links.remove(&link), "it was dropped already"),
                    Action::Present(peer, true) => prop_assert!(there.insert(peer)),
                    Action::Present(peer, false) => prop_assert!(there.remove(&peer)),
                }
            }
            prop_assert!(links.len() + dials.len() <= MAX_LINKS);
            prop_assert!(dials.len() <= MAX_DIALS);
            prop_assert!(session.peers.len() <= 5);
            prop_assert!(session.peers.values().all(|peer| peer.fresh.len() <= 2));
            prop_assert!((1..6).all(|n| session.present(&id(n)) == there.contains(&id(n))));
            // Nothing is forgotten: who may be dialed is being dialed, or will be.
            let waits = |(peer, one): (&DeviceId, &Peer)| one.due.is_some() || !one.cut() || dials.contains(peer);
            prop_assert!(session.peers.iter().all(waits));
        }
    }
}
