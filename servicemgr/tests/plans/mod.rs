//! Small plans for the tests, written as text.

use model::service::Service;
use model::{Name, Plan};

/// A valid name.
pub(crate) fn name(s: &str) -> Name {
    Name::try_from(s).expect("a valid name")
}

/// A service that does nothing in particular.
pub(crate) fn service(named: &str) -> Service {
    Service::new(name(named), vec!["/bin/true".into()])
}

/// The plan of these, not checked: the engine must bear also what no check would let through.
pub(crate) fn plan(mut services: Vec<Service>, enabled: &[Name]) -> Plan {
    services.sort_by(|a, b| a.name.cmp(&b.name));
    let place = |n: &Name| services.iter().position(|s| s.name == *n).expect("it is there");
    let mut enabled: Vec<u32> =
        enabled.iter().map(|n| u32::try_from(place(n)).expect("small")).collect();
    enabled.sort_unstable();
    Plan { services, enabled, ..Plan::default() }
}
