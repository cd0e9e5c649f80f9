//! Small plans for the tests, written as text.

use model::Name;
use model::service::Service;

/// A valid name.
pub(crate) fn name(s: &str) -> Name {
    Name::try_from(s).expect("a valid name")
}

/// A service that does nothing in particular.
pub(crate) fn service(named: &str) -> Service {
    Service::new(name(named), vec!["/bin/true".into()])
}
