//! Small plans for the tests, written as text.

use std::collections::BTreeMap;
use std::time::Duration;

use model::Name;
use model::service::{Kind, Limits, Output, Restart, Sandbox, Service};

/// A valid name.
pub(crate) fn name(s: &str) -> Name {
    Name::try_from(s).expect("a valid name")
}

/// A service that does nothing in particular.
pub(crate) fn service(named: &str) -> Service {
    Service {
        name: name(named),
        about: String::new(),
        exec: vec!["/bin/true".into()],
        kind: Kind::Simple,
        requires: Vec::new(),
        wants: Vec::new(),
        after: Vec::new(),
        restart: Restart::default(),
        start_timeout: Duration::from_secs(30),
        stop_timeout: Duration::from_secs(10),
        user: None,
        environment: BTreeMap::new(),
        directory: None,
        limits: Limits::default(),
        sandbox: Sandbox::default(),
        sockets: Vec::new(),
        output: Output::Journal,
    }
}
