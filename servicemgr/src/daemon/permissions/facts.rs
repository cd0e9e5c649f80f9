//! What a profile says, fact by fact; what permissions change of it; what a permission gives, in sentences.
//! Pure.

use std::collections::BTreeSet;

use api::sandbox::{Place, Sentence, Value};
use model::sandbox::{Access, Profile, calls};
use model::text::permission::Defined;
use model::text::sandbox::Rule;
use model::word::Word;

/// A key of the language and one value.
pub(super) type Fact = (&'static str, String);

/// Everything a permission can add to, as `profile` has it.
fn facts(profile: &Profile) -> BTreeSet<Fact> {
    let mut all = BTreeSet::new();
    let mut list = |key, values: &Option<Vec<String>>| {
        all.extend(values.iter().flatten().map(|value| (key, value.clone())));
    };
    list("files.read", &profile.files.read);
    list("files.write", &profile.files.write);
    list("files.execute", &profile.files.execute);
    list("files.devices", &profile.files.devices);
    list("calls.allow", &profile.calls.allow);
    list("capabilities", &profile.capabilities);
    let network = &profile.network;
    let families = network.families.iter().flatten().map(|family| family.word().to_owned());
    all.extend(families.map(|family| ("network.families", family)));
    for (key, ports) in [("network.connect", &network.connect), ("network.listen", &network.listen)]
    {
        all.extend(ports.iter().flatten().map(|port| (key, port.to_string())));
    }
    if network.access == Access::Host {
        all.insert(("network.access", "host".to_owned()));
        // Without lists every port is open.
        for (key, ports) in
            [("network.connect", &network.connect), ("network.listen", &network.listen)]
        {
            if ports.is_none() {
                all.insert((key, "every port".to_owned()));
            }
        }
    }
    if network.udp {
        all.insert(("network.udp", "true".to_owned()));
    }
    if profile.write_execute == Some(true) {
        all.insert(("write-execute", "true".to_owned()));
    }
    all
}

/// What `to` has and `from` has not, each as `key value`.
pub(super) fn more(from: &Profile, to: &Profile) -> Vec<String> {
    let (from, to) = (facts(from), facts(to));
    to.difference(&from).map(|(key, value)| format!("{key} {value}")).collect()
}

/// What the facts of one key mean: their topic, the sentence.
const SENTENCES: [(&str, &str, &str); 11] = [
    ("files.read", "files", "It may read:"),
    ("files.write", "files", "It may write, and execute nothing of what is there, in:"),
    ("files.execute", "files", "It may execute programs of:"),
    ("files.devices", "files", "It has the devices:"),
    ("network.access", "network", "It is in the device's network."),
    ("network.families", "network", "It may make sockets of:"),
    ("network.connect", "network", "It may connect to TCP ports:"),
    ("network.listen", "network", "It may listen on TCP ports:"),
    ("calls.allow", "system calls", "It may make:"),
    ("capabilities", "privileges", "It keeps the capabilities:"),
    ("write-execute", "memory", "Memory that was written may be executed."),
];

/// Topic of names on the system bus.
const BUS: &str = "system bus";

/// Topic of what a service of the device does or refuses.
const DEVICE: &str = "device";

/// What a permission gives, with file and line of each rule.
pub(super) fn sentences(defined: &Defined) -> Vec<Sentence> {
    let permission = &defined.permission;
    let facts = facts(&permission.adds);
    let mut all = Vec::new();
    for (key, topic, text) in SENTENCES {
        let of_key = facts.iter().filter(|(of, _)| *of == key);
        let values: Vec<Value> = if text.ends_with(':') {
            let shown = |value: &String| match calls::group(value) {
                Some(group) => format!("{value} ({})", group.about.trim_end_matches('.')),
                None => value.clone(),
            };
            let value = |(_, value): &Fact| Value {
                text: shown(value),
                places: places(&defined.rules, key, Some(value)),
            };
            of_key.map(value).collect()
        } else {
            let value =
                |_| Value { text: String::new(), places: places(&defined.rules, key, None) };
            of_key.take(1).map(value).collect()
        };
        if !values.is_empty() {
            all.push(Sentence { topic: topic.to_owned(), text: text.to_owned(), values });
        }
    }
    if permission.adds.network.udp {
        let values = vec![Value {
            text: String::new(),
            places: places(&defined.rules, "network.udp", None),
        }];
        let text = "It may send and receive datagrams.".to_owned();
        all.push(Sentence { topic: "network".to_owned(), text, values });
    }
    let bus = [
        (&permission.bus.talk, "bus.talk", "It may call:"),
        (&permission.bus.own, "bus.own", "It may own, and call:"),
    ];
    for (names, key, text) in bus {
        let value = |name: &String| Value {
            text: name.clone(),
            places: places(&defined.rules, key, Some(name)),
        };
        let values: Vec<Value> = names.iter().map(value).collect();
        if !values.is_empty() {
            all.push(Sentence { topic: BUS.to_owned(), text: text.to_owned(), values });
        }
    }
    if let Some(service) = &permission.checked_by {
        let values = vec![Value { text: service.to_string(), places: Vec::new() }];
        let text = "It is for this service to hold:".to_owned();
        all.push(Sentence { topic: DEVICE.to_owned(), text, values });
    }
    all
}

fn places(rules: &[Rule], key: &str, value: Option<&String>) -> Vec<Place> {
    let says = |rule: &&Rule| rule.key == key && value.is_none_or(|value| rule.value == *value);
    let place = |rule: &Rule| Place {
        file: rule.file.clone(),
        line: u32::try_from(rule.line).unwrap_or(u32::MAX),
    };
    rules.iter().filter(says).map(place).collect()
}
