//! What the guests told, as tables for people.

use super::{MANY, Measured};

/// A way to start an app, or a part of it.
struct Way {
    key: &'static str,
    /// As people call it.
    name: &'static str,
    /// Of a program that nobody has read since it is mounted.
    cold: bool,
}

const fn cold(key: &'static str, name: &'static str) -> Way {
    Way { key, name, cold: true }
}

const fn warm(key: &'static str, name: &'static str) -> Way {
    Way { key, name, cold: false }
}

/// The bare start beside what was read before, and beside what was not.
const BARE: [&str; 2] = ["bare", "bare-cold"];

const WAYS: [Way; 24] = [
    warm("bare-begun", "bare fork and exec, until it has begun"),
    warm("bare", "bare fork and exec, until it has ended"),
    warm("bare-mounted", "the same, of a bundle that is mounted"),
    cold("bare-cold", "the same, and nobody has read the program since it is mounted"),
    cold("first-soon", "first of the device, as soon as it is up; starts ability-manager"),
    cold("first-later", "the same, 20 s later"),
    cold("first-ready", "first since boot of an app that ran before, ability-manager had time"),
    cold("new", "an app that never ran"),
    cold("row-new", "the same, one after the other"),
    warm("again", "an app that ran before"),
    warm("row-again", "the same, again and again"),
    warm("again-plain", "an app that ran before, on a device with no others"),
    warm("again-root", "the same, with a root of its own"),
    warm("again-over", "the same, with a root of its own over that of a runtime"),
    warm("front", "one that stands still, to the front"),
    warm("stop", "stop, until its processes are gone"),
    warm("launch", "of a start: what servicemgr does, with a sandbox that it knows"),
    warm("prepare", "of that: reading the definition and the profile"),
    warm("compile", "the same, of a definition and a sandbox that nobody knows"),
    warm("lock-set", "`ensctl lock set`"),
    warm("lock-unlock", "`ensctl lock unlock`"),
    warm("answer-again", "first answer of an ability-manager that read all manifests before"),
    warm("call-manager", "of a start: a call that ability-manager answers at once"),
    warm("call-services", "of a start: a call that servicemgr answers at once"),
];

const NOTHING: &str = "–";

/// All tables; `measured` is in the order of the guests.
#[must_use]
pub fn table(measured: &[Measured]) -> String {
    let of = |way: &str| measured.iter().find_map(|guest| guest.start.get(way)).copied();
    let [bare, fresh] = BARE.map(of);
    let mut out = String::from(
        "| virtual µs | | × bare | × bare, as much of it read before |\n|---|---|---|---|\n",
    );
    for Way { key, name, cold } in WAYS {
        let Some(time) = of(key) else { continue };
        let alike = if cold { fresh } else { bare };
        let ratios = [bare, alike].map(|bare| ratio(Some(time), bare)).join(" | ");
        out.push_str(&format!("| {name} | {} | {ratios} |\n", micro(time)));
    }
    let none = measured.iter().find(|guest| guest.settled.is_some());
    let many = measured.iter().rev().find(|guest| guest.settled.is_some());
    out.push_str(&format!("\n| virtual µs | no bundles | {MANY} | × |\n|---|---|---|---|\n"));
    let mut row = |name: &str, get: &dyn Fn(&Measured) -> Option<u64>| {
        let (none, many) = (none.and_then(get), many.and_then(get));
        let shown = |n: Option<u64>| n.map_or(NOTHING.to_owned(), micro);
        let cells = [shown(none), shown(many), ratio(many, none)].join(" | ");
        out.push_str(&format!("| {name} | {cells} |\n"));
    };
    row("boot, until all is settled", &|guest| guest.settled);
    row("first answer of ability-manager, which is started for it", &|guest| guest.first_answer);
    out.push_str(
        "\n| memory of ability-manager, KiB | resident | of that its own |\n|---|---|---|\n",
    );
    for (guest, when, name) in [
        (none, "idle", "no bundles".to_owned()),
        (many, "idle", format!("{MANY} bundles")),
        (many, "running", format!("{MANY} bundles, 50 apps run")),
    ] {
        let Some((all, own)) = guest.and_then(|guest| guest.resident.get(when)) else { continue };
        out.push_str(&format!("| {name} | {all} | {own} |\n"));
    }
    out
}

fn micro(nanoseconds: u64) -> String {
    format!("{}", (nanoseconds + 500) / 1000)
}

fn ratio(a: Option<u64>, b: Option<u64>) -> String {
    let percent = a.zip(b).and_then(|(a, b)| (a * 1000).checked_div(b));
    percent.map_or(NOTHING.to_owned(), |p| format!("{}.{:03}", p / 1000, p % 1000))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn starts_are_beside_the_bare_one_and_many_bundles_beside_none() {
        let start =
            [("bare", 700_000), ("bare-cold", 1_400_000), ("new", 2_100_000), ("again", 700_000)];
        let start: BTreeMap<_, _> = start.map(|(way, n)| (way.to_owned(), n)).into();
        let none = Measured { settled: Some(100_000), ..Measured::default() };
        let resident = BTreeMap::from([("running".to_owned(), (9000, 2000))]);
        let many = Measured { settled: Some(101_000), start, resident, ..Measured::default() };
        insta::assert_snapshot!(table(&[none, Measured::default(), many]), @r"
        | virtual µs | | × bare | × bare, as much of it read before |
        |---|---|---|---|
        | bare fork and exec, until it has ended | 700 | 1.000 | 1.000 |
        | the same, and nobody has read the program since it is mounted | 1400 | 2.000 | 1.000 |
        | an app that never ran | 2100 | 3.000 | 1.500 |
        | an app that ran before | 700 | 1.000 | 1.000 |

        | virtual µs | no bundles | 200 | × |
        |---|---|---|---|
        | boot, until all is settled | 100 | 101 | 1.010 |
        | first answer of ability-manager, which is started for it | – | – | – |

        | memory of ability-manager, KiB | resident | of that its own |
        |---|---|---|
        | 200 bundles, 50 apps run | 9000 | 2000 |
        ");
    }
}
