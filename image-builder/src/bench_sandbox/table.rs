//! What the guest told, as tables for people.

use std::collections::BTreeMap;

use super::Measured;

/// Ways to start a program, as people call them.
const WAYS: [(&str, &str); 14] = [
    ("bare", "bare fork and exec"),
    ("default", "a service that says nothing"),
    ("service", "profile `service`"),
    ("service-ahead", "profile `service`, made ahead"),
    ("app-network", "profile `app`, network of the device"),
    ("app-network-ahead", "profile `app`, network of the device, made ahead"),
    ("app", "profile `app`"),
    ("app-ahead", "profile `app`, made ahead"),
    ("own-network", "an app with two trees of its own, network of the device"),
    ("own-network-base", "the same, never started before, with what is kept for everybody"),
    ("own", "an app with two trees of its own"),
    ("own-base", "the same, never started before, with what is kept for everybody"),
    ("bubblewrap-network", "bubblewrap, network of the device"),
    ("bubblewrap", "bubblewrap"),
];

/// Steps of the sandbox of an app.
const STEPS: [(&str, &str); 10] = [
    ("bare", "bare fork and exec"),
    ("default", "limits, OOM score, environment, no_new_privs"),
    ("identity", "user, groups, capabilities"),
    ("keyring", "keyring"),
    ("filter", "filter of system calls"),
    ("landlock", "Landlock"),
    ("copy", "memory never written and executed, which takes a copy of ours"),
    ("namespaces", "namespaces, but for the network"),
    ("mounts", "mounts"),
    ("network", "an empty network"),
];

const NOTHING: &str = "–";

/// All tables.
#[must_use]
pub fn table(measured: &Measured) -> String {
    let mut out = starts(measured);
    out.push_str("\n| step of profile `app` | µs more |\n|---|---|\n");
    let mut before = 0;
    for (key, n) in &measured.step {
        let name = STEPS.iter().find(|(k, _)| k == key).map_or(key.as_str(), |(_, name)| name);
        out.push_str(&format!("| {name} | {} |\n", micro(n.saturating_sub(before))));
        before = *n;
    }
    out.push_str("\n| sandbox | getpid | read of 1 byte | open and close |\n|---|---|---|---|\n");
    for (sandbox, calls) in &measured.call {
        let of = |call| calls.get(call).map_or(NOTHING.to_owned(), |n| format!("{n} ns"));
        let cells = [of("getpid"), of("read"), of("open")];
        out.push_str(&format!("| {sandbox} | {} |\n", cells.join(" | ")));
    }
    out.push_str("\n| made ahead | KiB of the kernel's memory |\n|---|---|\n");
    for (what, size) in &measured.kept {
        out.push_str(&format!("| {what} | {size} |\n"));
    }
    out.push('\n');
    for (way, is) in &measured.is {
        out.push_str(&format!("- {way}: {is}\n"));
    }
    out
}

fn starts(measured: &Measured) -> String {
    let mut out = String::from(
        "| virtual µs, start to end | tiny | × bare | in a row | × bare | a Rust program | × bare | in a row | × bare |\n\
         |---|---|---|---|---|---|---|---|---|\n",
    );
    for (key, name) in WAYS {
        let mut cells = Vec::new();
        for program in ["tiny", "rust"] {
            for numbers in [&measured.alone, &measured.row] {
                let of = |way: &str| numbers.get(way).and_then(|n: &BTreeMap<_, _>| n.get(program));
                cells.push(of(key).map_or(NOTHING.to_owned(), |n| micro(*n)));
                cells.push(ratio(of(key), of("bare")));
            }
        }
        out.push_str(&format!("| {name} | {} |\n", cells.join(" | ")));
    }
    out
}

fn micro(nanoseconds: u64) -> String {
    format!("{}", (nanoseconds + 500) / 1000)
}

fn ratio(a: Option<&u64>, b: Option<&u64>) -> String {
    let percent = a.zip(b).and_then(|(a, b)| (a * 100).checked_div(*b));
    percent.map_or(NOTHING.to_owned(), |p| format!("{}.{:02}", p / 100, p % 100))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_is_beside_the_bare_one_and_each_step_after_the_one_before() {
        let of = |n| BTreeMap::from([("tiny".to_owned(), n)]);
        let alone =
            BTreeMap::from([("bare".to_owned(), of(100_000)), ("app".to_owned(), of(350_000))]);
        let step = vec![("bare".to_owned(), 100_000), ("filter".to_owned(), 140_000)];
        let shown = table(&Measured { alone, step, ..Measured::default() });
        assert!(shown.contains("| profile `app` | 350 | 3.50 | – | – | – |"), "{shown}");
        assert!(shown.contains("| filter of system calls | 40 |"), "{shown}");
    }
}
