//! What the guests told, as tables for people.

use super::{MANY, Measured};

/// Ways to start an app, as people call them; the first two are bare.
const WAYS: [(&str, &str); 17] = [
    ("bare-begun", "bare fork and exec, until it has begun"),
    ("bare", "bare fork and exec, until it has ended"),
    ("first-soon", "first of the device, as soon as it is up; starts ability-manager"),
    ("first-later", "the same, 20 s later"),
    ("first-ready", "first since boot of an app that ran before, ability-manager had time"),
    ("new", "an app that never ran"),
    ("row-new", "the same, one after the other"),
    ("again", "an app that ran before"),
    ("row-again", "the same, again and again"),
    ("front", "one that stands still, to the front"),
    ("stop", "stop, until its processes are gone"),
    ("launch", "of a start: what servicemgr does, with a sandbox that it knows"),
    ("prepare", "of that: reading the definition and the profile"),
    ("compile", "the same, of a definition and a sandbox that nobody knows"),
    ("answer-again", "first answer of an ability-manager that read all manifests before"),
    ("call-manager", "of a start: a call that ability-manager answers at once"),
    ("call-services", "of a start: a call that servicemgr answers at once"),
];

const NOTHING: &str = "–";

/// All tables; `measured` is in the order of the guests.
#[must_use]
pub fn table(measured: &[Measured]) -> String {
    let of = |way: &str| measured.iter().find_map(|guest| guest.start.get(way)).copied();
    let bare = of("bare");
    let mut out = String::from("| virtual µs | | × bare |\n|---|---|---|\n");
    for (key, name) in WAYS {
        let Some(time) = of(key) else { continue };
        out.push_str(&format!("| {name} | {} | {} |\n", micro(time), ratio(Some(time), bare)));
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
        let start = [("bare", 700_000), ("new", 2_100_000)];
        let start: BTreeMap<_, _> = start.map(|(way, n)| (way.to_owned(), n)).into();
        let none = Measured { settled: Some(100_000), ..Measured::default() };
        let resident = BTreeMap::from([("running".to_owned(), (9000, 2000))]);
        let many = Measured { settled: Some(101_000), start, resident, ..Measured::default() };
        insta::assert_snapshot!(table(&[none, Measured::default(), many]), @r"
        | virtual µs | | × bare |
        |---|---|---|
        | bare fork and exec, until it has ended | 700 | 1.000 |
        | an app that never ran | 2100 | 3.000 |

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
