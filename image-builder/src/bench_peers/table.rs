//! All guests as one table for people.

use std::collections::BTreeMap;

use super::{ABSENT, FULL, MANY, Measured};

/// One service manager.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub struct Row {
    /// Its name with its version.
    pub name: String,
    /// What is to know.
    pub about: String,
    /// The guests, by number of daemons.
    pub guests: BTreeMap<u32, Measured>,
    /// Why there are none, or not all.
    pub failed: Vec<String>,
}

/// What is not measured.
const NOTHING: &str = "–";

/// The table, and the notes below it. Memory is that above what the first row's guest uses, which runs the
/// same daemons without a manager.
#[must_use]
pub fn table(rows: &[Row]) -> String {
    let mut out = format!(
        "| virtual ms | n={FULL} | n={MANY} | crash → ready again | stop + start by the tool | power-off of {FULL} | memory, n={FULL} |\n\
         |---|---|---|---|---|---|---|\n"
    );
    let floor = rows.iter().find_map(|row| growth(row.guests.get(&FULL)?));
    for row in rows {
        out.push_str(&line(row, floor));
    }
    for (name, _) in ABSENT {
        out.push_str(&format!("| {name} |{}\n", format!(" {NOTHING} |").repeat(6)));
    }
    out.push('\n');
    for row in rows {
        out.push_str(&format!("- {}: {}\n", row.name, row.about));
        for why in &row.failed {
            out.push_str(&format!("- {}: not measured: {why}\n", row.name));
        }
    }
    for (name, why) in ABSENT {
        out.push_str(&format!("- {name}: not measured: {why}\n"));
    }
    out
}

fn line(row: &Row, floor: Option<i64>) -> String {
    let full = row.guests.get(&FULL);
    let many = row.guests.get(&MANY);
    let or = |text: Option<String>| text.unwrap_or_else(|| NOTHING.to_owned());
    let cells = [
        or(full.map(|m| ms(m.ready))),
        or(many.map(|m| ms(m.ready))),
        or(full.and_then(|m| median(&m.crash)).map(ms)),
        or(full.and_then(|m| median(&m.cycle)).map(ms)),
        or(full.map(|m| ms(m.off))),
        or(full.and_then(growth).zip(floor).map(|(kib, floor)| mib(kib - floor))),
    ];
    format!("| {} | {} |\n", row.name, cells.join(" | "))
}

/// KiB more in use than before the manager began.
fn growth(guest: &Measured) -> Option<i64> {
    let (before, after) = guest.memory?;
    i64::try_from(before).ok()?.checked_sub(i64::try_from(after).ok()?)
}

fn median(all: &[u64]) -> Option<u64> {
    let mut all = all.to_vec();
    all.sort_unstable();
    all.get(all.len() / 2).copied()
}

/// Milliseconds with as many digits as mean something.
fn ms(nanoseconds: u64) -> String {
    let micro = nanoseconds / 1000;
    match micro {
        0..10_000 => format!("{}.{:02}", micro / 1000, micro % 1000 / 10),
        10_000..100_000 => format!("{}.{}", micro / 1000, micro % 1000 / 100),
        _ => format!("{}", micro / 1000),
    }
}

/// MiB with one digit.
fn mib(kib: i64) -> String {
    let tenths = kib * 10 / 1024;
    let sign = if tenths < 0 { "-" } else { "" };
    format!("{sign}{}.{} MiB", tenths.abs() / 10, tenths.abs() % 10)
}
