//! Who may own which name on the system bus, and who may call it: decided here, enforced by dbus-broker.
//!
//! ```text
//! [bus] of every service + /etc/passwd ─► claims ─┬─► rules ─► the form dbus-broker takes
//! [bus] of the permissions they have ─► rights ───┘
//! ```
//!
//! - A name that a service declares: its user (or `owner`) and root may own it; everybody, or its `users`, may call it.
//! - A name of a permission: the user of the service that has it may call it, or own it and call it; nobody
//!   else may for that reason.
//! - Any other name: root may own it and call it, nobody else.
//! - Signals and answers pass. The bus itself answers everybody, but only root may watch others.
//!
//! The form is that of dbus-broker 33 to 37 (others refuse it when they hear it). Pure.

use std::collections::{BTreeMap, BTreeSet};

use model::service::Service;
use sys::passwd::Users;

/// A rule about owning: allowed, priority, whether a prefix, name.
type Own = (bool, u64, bool, String);

/// A rule about messages: allowed, priority, name, path, interface, member, type, broadcast, fewest
/// and most descriptors. Empty and 0 are any.
type Pass = (bool, u64, String, String, String, String, u32, u32, u64, u64);

/// Rules of one group of users: may connect, with priority; may own, send, receive.
type Rules = (bool, u64, Vec<Own>, Vec<Pass>, Vec<Pass>);

/// As dbus-broker takes it: rules of single users, of groups or ranges of users, then what is
/// of SELinux and AppArmor and of no use here.
pub(super) type Policy =
    (Vec<(u32, Rules)>, Vec<(bool, u32, u32, Rules)>, Vec<(String, String)>, bool, String);

/// Name of the bus itself.
pub(super) const DRIVER: &str = "org.freedesktop.DBus";

/// Root, for whom no rule is made.
const ROOT: u32 = 0;

/// Largest user id; the one after it means nobody.
const LAST_USER: u32 = u32::MAX - 1;

/// `METHOD_CALL` among the types of messages.
const CALL: u32 = 1;

/// Of rules that fit, the one with the highest of these counts.
mod priority {
    pub(super) const EVERYTHING: u64 = 1;
    pub(super) const CALLS: u64 = 2;
    pub(super) const DECLARED: u64 = 3;
    pub(super) const WATCHING: u64 = 4;
    pub(super) const OWN: u64 = 5;
}

/// What one service declares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Claim {
    /// Its names.
    names: Vec<String>,
    /// Its user.
    owner: u32,
    /// Who may call it; `None` is everybody.
    callers: Option<BTreeSet<u32>>,
}

impl Claim {
    /// Its names, each with the user who owns it.
    pub(super) fn names(&self) -> impl Iterator<Item = (String, u32)> {
        self.names.iter().map(|name| (name.clone(), self.owner))
    }
}

/// What a service may do on the bus by a permission. The bus knows users, not services: so may all that run
/// as the same one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Right {
    /// Its user.
    pub(super) user: u32,
    /// Names it may call.
    pub(super) talk: Vec<String>,
    /// Names it may own.
    pub(super) own: Vec<String>,
}

/// The claims of all services, and what is wrong with some, for people. A caller that does not
/// exist is left out; a service whose user does not exist can't start anyway.
pub(super) fn claims(services: &[Service], users: &Users) -> (Vec<Claim>, Vec<String>) {
    let mut wrong = Vec::new();
    let mut uid = |service: &Service, name: &str| {
        let found = if name == "root" { Some(ROOT) } else { users.find(name).map(|u| u.uid) };
        if found.is_none() {
            wrong.push(format!("{}: no user is called {name}: add it to [[user]]", service.name));
        }
        found
    };
    let mut all = Vec::new();
    for service in services {
        let Some(bus) = &service.bus else { continue };
        let owner = bus.owner.as_deref().or(service.user.as_deref()).unwrap_or("root");
        let Some(owner) = uid(service, owner) else { continue };
        let callers = bus.users.iter().filter_map(|u| uid(service, u));
        let callers: BTreeSet<u32> = model::gather(callers);
        all.push(Claim {
            names: std::iter::once(&bus.name).chain(&bus.also).cloned().collect(),
            owner,
            callers: (!bus.users.is_empty()).then_some(callers),
        });
    }
    (all, wrong)
}

/// The rules that follow from `claims` and `rights`.
pub(super) fn policy(claims: &[Claim], rights: &[Right]) -> Policy {
    let any = |allow, priority| pass(allow, priority, "", "", "", 0);
    let mut everybody = vec![
        any(true, priority::EVERYTHING),
        pass(false, priority::CALLS, "", "", "", CALL),
        pass(true, priority::DECLARED, DRIVER, "", "", 0),
        pass(false, priority::WATCHING, DRIVER, "org.freedesktop.DBus.Monitoring", "", 0),
        pass(false, priority::WATCHING, DRIVER, "org.freedesktop.DBus.Debug.Stats", "", 0),
        pass(false, priority::WATCHING, DRIVER, DRIVER, "UpdateActivationEnvironment", 0),
    ];
    let mut single: BTreeMap<u32, (Vec<Own>, Vec<Pass>)> = BTreeMap::new();
    let root = single.entry(ROOT).or_default();
    root.0.push((true, priority::OWN, true, String::new()));
    root.1.push(any(true, priority::OWN));
    for claim in claims {
        for name in &claim.names {
            let open = pass(true, priority::DECLARED, name, "", "", 0);
            if claim.owner != ROOT {
                let owner = single.entry(claim.owner).or_default();
                owner.0.push((true, priority::OWN, false, name.clone()));
                owner.1.push(open.clone());
            }
            match &claim.callers {
                None => everybody.push(open),
                Some(callers) => {
                    for caller in callers.iter().filter(|c| **c != claim.owner && **c != ROOT) {
                        single.entry(*caller).or_default().1.push(open.clone());
                    }
                }
            }
        }
    }
    for right in rights.iter().filter(|right| right.user != ROOT) {
        let (own, send) = single.entry(right.user).or_default();
        own.extend(right.own.iter().map(|name| (true, priority::OWN, false, name.clone())));
        let called = right.talk.iter().chain(&right.own);
        send.extend(called.map(|name| pass(true, priority::DECLARED, name, "", "", 0)));
    }
    let receive = vec![any(true, priority::EVERYTHING)];
    let everybody = (true, priority::EVERYTHING, Vec::new(), everybody, receive);
    let single = single
        .into_iter()
        .map(|(uid, (own, send))| (uid, (true, priority::EVERYTHING, own, send, Vec::new())));
    (single.collect(), vec![(false, 0, LAST_USER, everybody)], Vec::new(), false, String::new())
}

fn pass(allow: bool, priority: u64, name: &str, interface: &str, member: &str, kind: u32) -> Pass {
    let (name, interface, member) = (name.to_owned(), interface.to_owned(), member.to_owned());
    (allow, priority, name, String::new(), interface, member, kind, 0, 0, u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::Name;
    use model::service::Bus;
    use proptest::prelude::*;

    const PASSWD: &str = "root:x:0:0::/root:/bin/sh\nweb:x:80:80::/:\ncook:x:81:81::/:\n";

    fn service(name: &str, user: Option<&str>, callers: &[&str]) -> Service {
        let bus = Bus {
            name: format!("org.example.{name}"),
            also: vec![format!("org.example.{name}.more")],
            owner: None,
            users: callers.iter().map(|&u| u.to_owned()).collect(),
        };
        let mut service = Service::new(Name::try_from(name).unwrap(), vec!["/bin/x".into()]);
        service.user = user.map(str::to_owned);
        service.bus = Some(Box::new(bus));
        service
    }

    fn rules(services: &[Service]) -> Policy {
        policy(&claims(services, &Users::from_text(PASSWD, "")).0, &[])
    }

    /// The rules of all groups that a user is in.
    fn of(policy: &Policy, uid: u32) -> Vec<&Rules> {
        let single = policy.0.iter().filter(|(u, _)| *u == uid).map(|(_, rules)| rules);
        let ranges =
            policy.1.iter().filter(|(group, from, to, _)| !group && (*from..=*to).contains(&uid));
        single.chain(ranges.map(|(.., rules)| rules)).collect()
    }

    /// What dbus-broker makes of it: the verdict of the highest priority, no if there is none.
    fn may_own(policy: &Policy, uid: u32, name: &str) -> bool {
        let fits = |o: &&Own| if o.2 { name.starts_with(o.3.as_str()) } else { name == o.3 };
        let all = of(policy, uid).into_iter().flat_map(|r| &r.2).filter(fits);
        all.max_by_key(|o| o.1).is_some_and(|o| o.0)
    }

    fn may_send(policy: &Policy, uid: u32, to: &str, interface: &str, kind: u32) -> bool {
        let same = |rule: &str, is: &str| rule.is_empty() || rule == is;
        let fits = |p: &&Pass| {
            same(&p.2, to) && same(&p.4, interface) && p.5.is_empty() && (p.6 == 0 || p.6 == kind)
        };
        let all = of(policy, uid).into_iter().flat_map(|r| &r.3).filter(fits);
        all.max_by_key(|p| p.1).is_some_and(|p| p.0)
    }

    #[test]
    fn a_name_is_owned_by_the_services_user_and_root_and_by_nobody_else() {
        let policy = rules(&[service("web", Some("web"), &[])]);
        for name in ["org.example.web", "org.example.web.more"] {
            assert!(may_own(&policy, 80, name) && may_own(&policy, 0, name));
            assert!(!may_own(&policy, 81, name));
        }
        assert!(!may_own(&policy, 80, "org.example.webs"));
        assert!(!may_own(&policy, 80, "org.example"));
    }

    #[test]
    fn everybody_may_call_a_declared_name_and_only_root_another() {
        let policy = rules(&[service("web", Some("web"), &[])]);
        assert!(may_send(&policy, 81, "org.example.web", "x", CALL));
        assert!(!may_send(&policy, 81, "org.other", "x", CALL));
        assert!(may_send(&policy, 0, "org.other", "x", CALL));
        assert!(may_send(&policy, 81, "", "x", 4), "signals pass");
    }

    #[test]
    fn with_users_only_these_the_owner_and_root_may_call() {
        let policy = rules(&[service("safe", Some("web"), &["cook"])]);
        for (uid, may) in [(0, true), (80, true), (81, true), (82, false)] {
            assert_eq!(may_send(&policy, uid, "org.example.safe", "x", CALL), may, "user {uid}");
        }
    }

    #[test]
    fn the_bus_answers_everybody_but_only_root_watches_others() {
        let policy = rules(&[]);
        assert!(may_send(&policy, 80, DRIVER, DRIVER, CALL));
        assert!(!may_send(&policy, 80, DRIVER, "org.freedesktop.DBus.Monitoring", CALL));
        assert!(may_send(&policy, 0, DRIVER, "org.freedesktop.DBus.Monitoring", CALL));
    }

    #[test]
    fn users_who_do_not_exist_are_named_and_give_no_rights() {
        let services = [service("a", Some("ghost"), &[]), service("b", None, &["spirit"])];
        let (claims, wrong) = claims(&services, &Users::from_text(PASSWD, ""));
        assert_eq!(
            wrong,
            [
                "a: no user is called ghost: add it to [[user]]",
                "b: no user is called spirit: add it to [[user]]"
            ]
        );
        let policy = policy(&claims, &[]);
        assert!(!may_send(&policy, 80, "org.example.a", "x", CALL));
        assert!(!may_send(&policy, 80, "org.example.b", "x", CALL), "not open to everybody");
    }

    #[test]
    fn a_permission_opens_its_names_to_the_user_who_has_it_and_to_nobody_else() {
        let claims =
            claims(&[service("safe", Some("web"), &["root"])], &Users::from_text(PASSWD, ""));
        let (talk, own) = (vec!["org.example.safe".into()], vec!["org.example.Mine".into()]);
        let with = policy(&claims.0, &[Right { user: 81, talk, own }]);
        for (uid, may) in [(80, true), (81, true), (82, false)] {
            assert_eq!(may_send(&with, uid, "org.example.safe", "x", CALL), may, "user {uid}");
        }
        for (uid, may) in [(80, false), (81, true), (82, false)] {
            assert_eq!(may_own(&with, uid, "org.example.Mine"), may, "user {uid}");
            assert_eq!(may_send(&with, uid, "org.example.Mine", "x", CALL), may, "user {uid}");
        }
        assert!(!may_own(&with, 81, "org.example.safe"));
    }

    proptest! {
        #[test]
        fn nobody_but_root_and_its_user_ever_owns_a_name(
            claims in prop::collection::vec(claim(), 0..8),
            rights in prop::collection::vec(right(), 0..4),
            uid in 0_u32..6,
            name in "[ab]\\.[ab]",
        ) {
            let policy = policy(&claims, &rights);
            let declared = claims.iter().any(|c| c.owner == uid && c.names.contains(&name))
                || rights.iter().any(|r| r.user == uid && r.own.contains(&name));
            prop_assert_eq!(may_own(&policy, uid, &name), uid == 0 || declared);
        }

        #[test]
        fn calls_reach_just_those_names_that_some_claim_opens(
            claims in prop::collection::vec(claim(), 0..8),
            rights in prop::collection::vec(right(), 0..4),
            uid in 0_u32..6,
            name in "[ab]\\.[ab]",
        ) {
            let policy = policy(&claims, &rights);
            let lets = |c: &Claim| c.owner == uid || c.callers.as_ref().is_none_or(|u| u.contains(&uid));
            let open = claims.iter().any(|c| c.names.contains(&name) && lets(c))
                || rights.iter().any(|r| {
                    r.user == uid && r.talk.iter().chain(&r.own).any(|of| *of == name)
                });
            prop_assert_eq!(may_send(&policy, uid, &name, "x", CALL), uid == 0 || open);
        }
    }

    fn right() -> impl Strategy<Value = Right> {
        let names = || prop::collection::vec("[ab]\\.[ab]", 0..3);
        (0_u32..6, names(), names()).prop_map(|(user, talk, own)| Right { user, talk, own })
    }

    fn claim() -> impl Strategy<Value = Claim> {
        let names = prop::collection::vec("[ab]\\.[ab]", 1..3);
        let callers = prop::option::of(prop::collection::btree_set(0_u32..6, 0..3));
        (names, 0_u32..6, callers).prop_map(|(names, owner, callers)| Claim {
            names,
            owner,
            callers,
        })
    }
}
