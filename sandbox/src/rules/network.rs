//! Rules about sockets.
//!
//! Landlock restricts the ports of TCP; here is what it leaves open: other protocols (MPTCP, SMC), sending
//! together with connecting (TCP fast open), listening without a port, datagrams.

use std::collections::BTreeSet;

use model::sandbox::{Family, Profile};

use super::arguments::{INT, Named, none_of, test};
use super::{Case, EPERM, Rule, Verdict};

/// Every family that the language knows.
const FAMILIES: [Family; 7] = [
    Family::Unix,
    Family::Inet,
    Family::Inet6,
    Family::Netlink,
    Family::Packet,
    Family::Vsock,
    Family::Bluetooth,
];

/// `SOCK_TYPE_MASK`: what is above are flags.
const TYPE: u64 = 0xF;

/// `SOCK_STREAM`, `SOCK_DGRAM`.
const STREAM: u64 = 1;
const DATAGRAM: u64 = 2;

/// `SOCK_PACKET`: with `AF_INET`, an old way to say `AF_PACKET`.
const PACKET: u64 = 10;

/// Types of sockets that are not the old way to another family.
const TYPES: std::ops::RangeInclusive<u64> = 1..=6;

/// `IPPROTO_TCP`, `IPPROTO_UDP`, and 0 for the usual one. `IPPROTO_ICMP`, `IPPROTO_ICMPV6`: ping.
const TCP: [u64; 2] = [0, 6];
const UDP: [u64; 4] = [0, 1, 17, 58];

/// `MSG_FASTOPEN`.
const FAST_OPEN: u64 = 0x2000_0000;

/// `SOL_TCP`, and of its options `TCP_FASTOPEN_CONNECT` and `TCP_ULP`, which puts another protocol in
/// the place of TCP.
const SOL_TCP: u64 = 6;
const TCP_OPTIONS: [u64; 2] = [30, 31];

/// `AF_…` (`linux/socket.h`).
fn number(family: Family) -> u64 {
    match family {
        Family::Unix => 1,
        Family::Inet => 2,
        Family::Inet6 => 10,
        Family::Netlink => 16,
        Family::Packet => 17,
        Family::Bluetooth => 31,
        Family::Vsock => 40,
    }
}

/// Whether the profile says which sockets there are.
pub(super) fn restricts(profile: &Profile) -> bool {
    let network = &profile.network;
    network.families.is_some() || ports(profile) || !profile.forbid.families.is_empty()
}

fn ports(profile: &Profile) -> bool {
    profile.network.connect.is_some() || profile.network.listen.is_some()
}

pub(super) fn rules(profile: &Profile) -> Named {
    let network = &profile.network;
    let mut all = Named::new();
    if restricts(profile) {
        let (socket, pair) = sockets(profile);
        all.insert("socket", socket);
        all.insert("socketpair", pair);
    }
    if network.connect.is_some() {
        for (name, flags) in [("sendto", 3), ("sendmsg", 2), ("sendmmsg", 3)] {
            all.insert(name, Rule::Except(vec![vec![test(flags, FAST_OPEN, FAST_OPEN)]]));
        }
        let options =
            TCP_OPTIONS.iter().map(|option| vec![test(1, INT, SOL_TCP), test(2, INT, *option)]);
        all.insert("setsockopt", Rule::Except(options.collect()));
    }
    if network.listen.as_ref().is_some_and(Vec::is_empty) {
        all.insert("listen", Rule::Fixed(Verdict::Errno(EPERM)));
    }
    all
}

/// The rules for `socket` and `socketpair`. With ports, families that the language does not know are
/// refused even without a list of families: some of them carry TCP where Landlock does not see it.
fn sockets(profile: &Profile) -> (Rule, Rule) {
    let forbidden: BTreeSet<_> = profile.forbid.families.iter().copied().collect();
    let listed = profile.network.families.as_deref();
    if listed.is_none() && !ports(profile) {
        let forbidden: Vec<_> = forbidden.into_iter().collect();
        let numbers: Vec<_> = forbidden.iter().map(|family| number(*family)).collect();
        let mut cases: Vec<_> = numbers.iter().map(|n| vec![test(0, INT, *n)]).collect();
        if forbidden.contains(&Family::Packet) {
            cases.push(vec![test(0, INT, number(Family::Inet)), test(1, TYPE, PACKET)]);
        }
        return (Rule::Except(cases), none_of(0, &numbers));
    }
    let families = listed.unwrap_or(&FAMILIES).iter().copied();
    let families: BTreeSet<_> = families.filter(|family| !forbidden.contains(family)).collect();
    let pair = families.iter().map(|family| vec![test(0, INT, number(*family))]).collect();
    (
        Rule::Only(families.iter().flat_map(|family| cases(profile, *family)).collect()),
        Rule::Only(pair),
    )
}

/// The sockets of one family that are allowed.
fn cases(profile: &Profile, family: Family) -> Vec<Case> {
    let of = test(0, INT, number(family));
    let internet = matches!(family, Family::Inet | Family::Inet6);
    if !internet {
        return vec![vec![of]];
    }
    if !ports(profile) {
        return TYPES.map(|kind| vec![of, test(1, TYPE, kind)]).collect();
    }
    let datagrams: &[u64] = if profile.network.udp { &UDP } else { &[] };
    let kinds = [(STREAM, &TCP[..]), (DATAGRAM, datagrams)];
    let case = |kind, protocol: &u64| vec![of, test(1, TYPE, kind), test(2, INT, *protocol)];
    kinds
        .iter()
        .flat_map(|(kind, protocols)| protocols.iter().map(move |protocol| case(*kind, protocol)))
        .collect()
}
