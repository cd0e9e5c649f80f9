//! What many services have in common, in memory once.
//!
//! ```text
//! a: sandbox ─┐
//! b: sandbox ─┼─► Arc<Profile>          c: sandbox ──► Arc<Profile>, since it differs
//! ```
//!
//! A service says little, and most of what it does not say is the same for all. Such a part is used
//! as if each service had its own: who changes it gets a copy. Invariant: whether it is shared makes
//! no difference but for the memory it takes; it is written out for each service.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::plan::MAX_SERVICES;
use crate::sandbox::Profile;
use crate::service::{Activation, Commands, Limits, Restart, Service};

/// Most different values of one kind that are looked through; more are not shared. Devices have a
/// handful.
const MOST: usize = 32;

/// A value that others may have too.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Shared<T>(Arc<T>);

impl<T> Shared<T> {
    /// Makes it the same as an equal one in `pool`, or puts it there.
    fn join(&mut self, pool: &mut Vec<Self>)
    where
        T: PartialEq,
    {
        match pool.iter().find(|known| **known == *self) {
            Some(known) => self.0 = Arc::clone(&known.0),
            None if pool.len() < MOST => pool.push(Self(Arc::clone(&self.0))),
            None => {}
        }
    }

    /// A value of its own.
    #[must_use]
    pub fn into_inner(self) -> T
    where
        T: Clone,
    {
        Arc::unwrap_or_clone(self.0)
    }
}

impl<T> From<T> for Shared<T> {
    fn from(value: T) -> Self {
        Self(Arc::new(value))
    }
}

impl<T> Deref for Shared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Clone> DerefMut for Shared<T> {
    fn deref_mut(&mut self) -> &mut T {
        Arc::make_mut(&mut self.0)
    }
}

impl<T: fmt::Debug> fmt::Debug for Shared<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<T: Serialize> Serialize for Shared<T> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(to)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Shared<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        T::deserialize(from).map(Self::from)
    }
}

/// What was seen so far.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    sandbox: Vec<Shared<Profile>>,
    limits: Vec<Shared<Limits>>,
    restart: Vec<Shared<Restart>>,
    activation: Vec<Shared<Activation>>,
    commands: Vec<Shared<Commands>>,
}

impl Pool {
    /// All of them share what is the same.
    pub(crate) fn join_all(&mut self, services: &mut [Service]) {
        services.iter_mut().for_each(|service| self.join(service));
    }

    /// The service shares what others have too.
    pub(crate) fn join(&mut self, service: &mut Service) {
        service.sandbox.join(&mut self.sandbox);
        service.limits.join(&mut self.limits);
        service.restart.join(&mut self.restart);
        service.activation.join(&mut self.activation);
        service.commands.join(&mut self.commands);
    }
}

/// Services of a plan, each of which shares at once: what is only there for a moment leaves no holes
/// in memory.
pub(crate) fn services<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Service>, D::Error> {
    from.deserialize_seq(Services)
}

struct Services;

impl<'de> Visitor<'de> for Services {
    type Value = Vec<Service>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("services")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Self::Value, A::Error> {
        let mut all = Vec::with_capacity(from.size_hint().unwrap_or(0).min(MAX_SERVICES));
        let mut pool = Pool::default();
        while let Some(mut service) = from.next_element()? {
            pool.join(&mut service);
            all.push(service);
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Name, Plan};

    fn service(name: &str) -> Service {
        Service::new(Name::try_from(name).unwrap(), vec!["/x".into()])
    }

    fn one(a: &Service, b: &Service) -> [bool; 5] {
        [
            Arc::ptr_eq(&a.sandbox.0, &b.sandbox.0),
            Arc::ptr_eq(&a.limits.0, &b.limits.0),
            Arc::ptr_eq(&a.restart.0, &b.restart.0),
            Arc::ptr_eq(&a.activation.0, &b.activation.0),
            Arc::ptr_eq(&a.commands.0, &b.commands.0),
        ]
    }

    #[test]
    fn services_of_a_plan_share_what_is_the_same_until_one_changes_it() {
        let (mut a, mut b, mut c) = (service("a"), service("b"), service("c"));
        a.limits.memory = Some(1 << 20);
        b.limits.memory = Some(1 << 20);
        c.sandbox.keyring = true;
        let plan = Plan::link("x", vec![a, b, c], &[]).unwrap();
        let read = Plan::decode(&plan.encode()).unwrap();
        assert_eq!(read, plan);
        for plan in [&plan, &read] {
            let [a, b, c] = &plan.services[..] else { panic!("three services") };
            assert_eq!(one(a, b), [true; 5]);
            assert_eq!(one(a, c), [false, false, true, true, true]);
        }
        let mut services = read.services;
        services[0].limits.memory = None;
        assert_eq!(services[1], plan.services[1], "the change is its own");
    }

    #[test]
    fn a_service_is_small() {
        assert!(size_of::<Service>() <= 640, "{}", size_of::<Service>());
    }
}
