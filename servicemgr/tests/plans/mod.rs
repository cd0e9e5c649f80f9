//! Small plans for the tests, written as text.

use std::collections::BTreeMap;
use std::time::Duration;

use model::service::{Kind, Limits, Output, Restart, RestartWhen, Sandbox, Service};
use model::{Name, Plan};

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

/// One service a line: `[+]name [kind] [requires a,b] [wants c] [after d] [restart never|always]`;
/// `+` is enabled.
pub(crate) fn plan(text: &str) -> Plan {
    let mut enabled = Vec::new();
    let mut services = Vec::new();
    for line in text.lines().map(str::trim).filter(|l| !l.is_empty()) {
        let mut words = line.split_whitespace();
        let first = words.next().expect("a name");
        let mut s = service(first.trim_start_matches('+'));
        if first.starts_with('+') {
            enabled.push(s.name.clone());
        }
        while let Some(word) = words.next() {
            let mut list = || words.next().expect("names").split(',').map(name).collect::<Vec<_>>();
            match word {
                "notify" => s.kind = Kind::Notify,
                "oneshot" => s.kind = Kind::Oneshot,
                "requires" => s.requires = list(),
                "wants" => s.wants = list(),
                "after" => s.after = list(),
                "restart" => {
                    s.restart.when = match words.next() {
                        Some("never") => RestartWhen::Never,
                        Some("always") => RestartWhen::Always,
                        other => unreachable!("restart {other:?}"),
                    }
                }
                other => unreachable!("what is `{other}`?"),
            }
        }
        services.push(s);
    }
    Plan::link("test", services, &enabled).expect("the plan above links")
}
